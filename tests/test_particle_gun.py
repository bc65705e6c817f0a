"""The particle gun: species, spectra, angles, and samples without a cross section through the whole chain."""

import numpy as np
import pytest
from besfast import pdg
from besfast.analysis.search_card import load_search
from besfast.analysis.selection import select
from besfast.cli import main
from besfast.constants import M_MU, M_P, M_PI
from besfast.reco.reconstruct import reconstruct
from besfast.sim.generate import Generator, generate
from besfast.sim.simulate import simulate
from besfast.store import read
from scipy import stats

from .gun import card_with

SMALL = {"n_scan": 2**10, "n_cross_section": 2**10}


def shot(n=20_000, seed=1, **options):
    return Generator("particle_gun", seed=seed, **SMALL, **options).events(0, n)


def polar(truth):
    return np.arctan2(np.hypot(truth.px, truth.py), truth.pz)


@pytest.mark.parametrize(
    ("number", "charge", "mass"),
    [
        (11, -1, 0.51099895e-3),
        (-13, 1, M_MU),
        (211, 1, M_PI),
        (-2212, -1, M_P),
        (22, 0, 0.0),
        (130, 0, 0.497611),
        (14, 0, 0.0),
        (1000020040, 2, 3.7284),
    ],
)
def test_species(number, charge, mass):
    assert pdg.charge(number) == charge
    assert pdg.mass(number) == pytest.approx(mass, rel=1e-5)
    truth = shot(100, pdg=number)
    assert np.all((truth.pdg == number) & (truth.charge == charge) & (truth.status == 1) & (truth.parent == -1))
    p = np.sqrt(truth.px**2 + truth.py**2 + truth.pz**2)
    np.testing.assert_allclose(truth.energy, np.hypot(p, mass), rtol=1e-5)


def test_numbers_without_particle():
    assert pdg.charge(1) is None
    assert pdg.mass(1) is None or pdg.mass(1) > 0.0
    assert pdg.charge(36) == 0
    assert pdg.charge(55) == 0
    assert pdg.mass(55) is None
    assert pdg.charge(99999999) is None


def test_flat_spectra():
    """Momentum, cosine and azimuth by KS, p > 1e-3."""
    truth = shot(pdg=13, p_min=0.2, p_max=1.5)
    p = np.sqrt(truth.px**2 + truth.py**2 + truth.pz**2)
    assert stats.kstest(p, stats.uniform(0.2, 1.3).cdf).pvalue > 1e-3
    assert stats.kstest(truth.pz / p, stats.uniform(-1.0, 2.0).cdf).pvalue > 1e-3
    assert stats.kstest(np.arctan2(truth.py, truth.px), stats.uniform(-np.pi, 2.0 * np.pi).cdf).pvalue > 1e-3
    assert np.all(truth.weight == 1.0)


def test_other_spectra():
    """Logarithm of the momentum, transverse momentum, polar angle, and a wedge in azimuth (KS, p > 1e-3)."""
    truth = shot(pdg=-11, spectrum="log_p", p_min=0.01, p_max=10.0, angle="theta", theta_min=0.5, theta_max=1.0)
    p = np.sqrt(truth.px**2 + truth.py**2 + truth.pz**2)
    assert stats.kstest(np.log(p), stats.uniform(np.log(0.01), np.log(1000.0)).cdf).pvalue > 1e-3
    assert stats.kstest(polar(truth), stats.uniform(0.5, 0.5).cdf).pvalue > 1e-3
    truth = shot(pdg=-11, spectrum="pt", theta_min=0.4, theta_max=2.7, phi_min=-0.5, phi_max=0.25)
    assert stats.kstest(np.hypot(truth.px, truth.py), stats.uniform(0.1, 1.9).cdf).pvalue > 1e-3
    cosine = stats.uniform(np.cos(2.7), np.cos(0.4) - np.cos(2.7))
    assert stats.kstest(np.cos(polar(truth)), cosine.cdf).pvalue > 1e-3
    assert stats.kstest(np.arctan2(truth.py, truth.px), stats.uniform(-0.5, 0.75).cdf).pvalue > 1e-3


def test_fixed_values():
    truth = shot(50, pdg=22, p_min=1.0, p_max=1.0, theta_min=0.7, theta_max=0.7, phi_min=0.0, phi_max=0.0)
    np.testing.assert_allclose(truth.energy, 1.0, rtol=1e-14)
    np.testing.assert_allclose(polar(truth), 0.7, rtol=1e-12)
    np.testing.assert_allclose(truth.py, 0.0, atol=1e-15)


def test_several_particles():
    truth = shot(1000, pdg=22, number=7)
    np.testing.assert_array_equal(np.diff(truth.offsets), 7)
    energies = truth.energy.reshape(-1, 7)
    assert np.all(abs(np.corrcoef(energies.T)[np.triu_indices(7, 1)]) < 0.15)
    assert len(np.unique(truth.energy)) == 7000


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "particle_gun needs the option pdg"),
        ({"pdg": 2}, "pdg = 2, must be a particle of known mass and whole charge"),
        ({"pdg": 55}, "pdg = 55, must be a particle of known mass"),
        ({"pdg": 13, "p_min": 3.0}, "p_min = 3, must not exceed p_max = 2"),
        ({"pdg": 13, "theta_min": 3.0, "theta_max": 1.0}, "theta_min = 3, must not exceed theta_max = 1"),
        ({"pdg": 13, "p_min": 0.0}, "p_min = 0.0, must be in"),
        ({"pdg": 13, "spectrum": "flat"}, "spectrum = 'flat', must be one of 'p', 'pt', 'log_p'"),
        ({"pdg": 13, "spectrum": "pt"}, "theta_min = 0 .* for spectrum = 'pt'"),
        ({"pdg": 13, "number": 0}, "number = 0, must be in"),
        ({"pdg": 13, "order": "ll"}, "order = 'll', must be 'lo' for particle_gun"),
    ],
)
def test_bad_guns(options, match):
    with pytest.raises(ValueError, match=match):
        generate("particle_gun", 10, seed=1, **options)


def test_no_cross_section():
    generator = Generator("particle_gun", seed=1, pdg=13, **SMALL)
    assert np.isnan(generator.cross_section)
    assert np.isnan(generator.cross_section_error)
    assert generator.efficiency == pytest.approx(1.0)
    truth = generator.events(0, 10)
    assert '"cross_section": "none"' in truth.provenance
    assert truth.frame == "lab"


@pytest.mark.parametrize(("number", "tracks"), [(13, 1), (22, 0), (14, 0), (130, 0)])
def test_chain(number, tracks):
    """Events with a track, with a shower alone and with nothing at all go through the chain."""
    truth = shot(300, pdg=number, theta_min=0.5, theta_max=2.6)
    reco = reconstruct(simulate(truth, card_with(matter={"conversion": False}), seed=1))
    assert reco.n_events == 300
    assert np.isnan(reco.cross_section)
    assert (np.diff(reco.track_offsets) > 0).mean() > 0.8 if tracks else reco.track_offsets[-1] == 0
    if number == 22:
        assert np.diff(reco.photon_offsets).mean() > 0.8
    search = load_search("besiii_dark_photon")
    selection = select(reco, search.cuts_by_channel(), search.spectrum.mass_range())
    assert selection.events.n_events == 0


def test_command_line(tmp_path, capsys):
    path = tmp_path / "gun.h5"
    arguments = ["generate", "particle_gun", "--events", "20", "--set", "pdg=-13", "--p-min", "0.5", "-o", str(path)]
    assert main([*arguments, "--sqrt-s", "4.0"]) == 0
    assert "no cross section" in capsys.readouterr().out
    truth = read(path)
    assert np.all(truth.pdg == -13)
    assert np.isnan(truth.cross_section)
    for verb, output in (("simulate", "d.h5"), ("reconstruct", "r.h5"), ("select", "s.h5")):
        assert main([verb, str(path), "-o", str(tmp_path / output), "--quiet"]) == 0
        path = tmp_path / output
    assert main(["inspect", str(path)]) == 0
