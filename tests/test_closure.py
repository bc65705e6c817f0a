"""A perfect detector gives back the truth; the kinematic fit of the real one has the chi2 it claims."""

import numpy as np
import pytest
from besfast.constants import M_MU
from besfast.event import DZ, FIT_HYPOTHESES, KAPPA, PHI0, TAN_LAMBDA
from besfast.geometry.helix import momentum, position
from besfast.reco.kinematic_fit import CONVERGED
from besfast.reco.reconstruct import reconstruct
from besfast.sim.generate import generate
from besfast.sim.simulate import simulate
from scipy import stats

from .gun import PLAIN, card_with, gun, truth_of, uniform_gun

MU = FIT_HYPOTHESES.index("mu")


def closed(truth, card="ideal"):
    reco = reconstruct(simulate(truth, card, seed=3), card)
    return reco, truth_of(truth, reco.track_offsets, reco.track_truth)


@pytest.mark.parametrize("pdg", [11, 13, 211, 321, 2212])
def test_momenta_of_the_ideal_detector(pdg):
    """Any charge, azimuth and polar angle within the acceptance, 0.1 to 3 GeV: 1e-9 relative, in every component."""
    truth = uniform_gun(5000, 21, pdg=(pdg, -pdg), p=(0.1, 3.0), cosine=(-0.94, 0.94))
    reco, rows = closed(truth)
    assert len(rows) == 5000
    p = np.sqrt(truth.px**2 + truth.py**2 + truth.pz**2)[rows]
    for name in ("px", "py", "pz"):
        assert np.abs(getattr(reco, name) - getattr(truth, name)[rows]).max() < 1e-9
        assert (np.abs(getattr(reco, name) - getattr(truth, name)[rows]) / p).max() < 1e-9
    assert np.array_equal(reco.charge, truth.charge[rows])
    assert np.array_equal(reco.good, np.ones(5000, dtype=bool))
    assert reco.poca_r.max() < 1e-9
    assert np.abs(reco.poca_z).max() < 1e-9


def test_displaced_vertices_of_the_ideal_detector():
    """The helix passes through the production point, with the true momentum there: 1e-9."""
    rng = np.random.default_rng(22)
    n = 5000
    x, y, z = rng.uniform(-5, 5, n), rng.uniform(-5, 5, n), rng.uniform(-15, 15, n)
    truth = uniform_gun(n, 23, p=(0.15, 2.0), cosine=(-0.8, 0.8))._replace(vx=x, vy=y, vz=z)
    reco, rows = closed(truth)
    assert len(rows) == n
    rho = 333.564095198152 / reco.helix[:, KAPPA]
    true_phi = np.arctan2(truth.py, truth.px) - np.pi / 2
    turn = np.angle(np.exp(1j * (true_phi - reco.helix[:, PHI0])))
    for i in range(0, n, 10):
        at = position(*reco.helix[i], turn[i], 1.0)
        assert np.allclose(at, (x[i], y[i], z[i]), atol=1e-9)
        p = momentum(reco.helix[i, PHI0] + turn[i], reco.helix[i, KAPPA], reco.helix[i, TAN_LAMBDA])
        assert np.allclose(p, (truth.px[i], truth.py[i], truth.pz[i]), rtol=0, atol=1e-9)
    assert np.allclose(reco.poca_z, z + rho * reco.helix[:, TAN_LAMBDA] * turn, atol=1e-9)
    assert np.array_equal(reco.poca_z, reco.helix[:, DZ])
    assert not reco.good[reco.poca_r > 1.0].any()
    assert reco.good[(reco.poca_r < 1.0) & (np.abs(reco.poca_z) < 10.0)].all()


def test_photons_of_the_ideal_detector():
    truth = uniform_gun(3000, 24, pdg=22, p=(0.02, 1.8), cosine=(-0.99, 0.99))
    reco, _ = closed(truth)
    rows = truth_of(truth, reco.photon_offsets, reco.photon_truth)
    assert len(rows) == 3000
    p = truth.energy[rows]
    assert (np.abs(reco.photon_energy - p) / p).max() < 1e-9
    assert np.abs(np.cos(reco.photon_theta) - truth.pz[rows] / p).max() < 1e-9
    assert (
        np.abs(
            np.exp(1j * reco.photon_phi) - (truth.px + 1j * truth.py)[rows] / np.hypot(truth.px, truth.py)[rows]
        ).max()
        < 1e-9
    )
    assert reco.photon_good.all()


def test_times_of_the_ideal_detector():
    """The time is that of a muon along an arc to the counter."""
    truth = uniform_gun(2000, 25, p=(0.5, 1.9), cosine=(-0.7, 0.7))
    record = simulate(truth, "ideal", seed=3)
    energy = np.sqrt(1.0 + (M_MU * record.helix[:, KAPPA]) ** 2 / (1 + record.helix[:, TAN_LAMBDA] ** 2))
    assert np.allclose(record.tof, record.tof_path / 29.9792458 * energy, rtol=1e-12)
    rho, sine = 333.564095198152 / np.abs(record.helix[:, KAPPA]), 1 / np.sqrt(1 + record.helix[:, TAN_LAMBDA] ** 2)
    assert np.allclose(record.tof_path, 2 * rho * np.arcsin(83.5 / 2 / rho) / sine, rtol=1e-12)


@pytest.mark.parametrize("process", ["mumu_isr", "ee_bhabha"])
def test_fit_of_the_ideal_detector_returns_the_pair_mass(process):
    """Nothing is smeared while the nominal covariance is stored: chi2 vanishes and the fit changes nothing."""
    truth = generate(process, 4000, seed=26)
    reco, _ = closed(truth)
    pairs = np.flatnonzero(np.diff(reco.track_offsets) == 2)
    h = MU if process == "mumu_isr" else FIT_HYPOTHESES.index("e")
    assert len(pairs) > 1500
    assert (reco.fit_status[pairs, h] == CONVERGED).all()
    assert reco.fit_chi2[pairs, h].max() < 1e-9
    a, b, photon = truth.offsets[pairs], truth.offsets[pairs] + 1, truth.offsets[pairs] + 2
    mass2 = sum(
        s * (getattr(truth, c)[a] + getattr(truth, c)[b]) ** 2
        for c, s in zip(("energy", "px", "py", "pz"), (1, -1, -1, -1))
    )
    assert np.abs(reco.fit_mass[pairs, h] - np.sqrt(mass2)).max() < 1e-6
    theta = np.arctan2(np.hypot(truth.px[photon], truth.py[photon]), truth.pz[photon])
    assert np.abs(reco.fit_theta_gamma[pairs, h] - theta).max() < 1e-5


@pytest.mark.parametrize("angle", [0.0, 0.011])
def test_fit_probability_is_flat(angle):
    """BESIII without tails, spread and spot, muons: P(chi2) is uniform, KS p > 0.01; the angle is that of the truth."""
    card = card_with(mdc={"tail_fraction": 0.0}, beam={"half_crossing_angle": angle, "spot": (0.0, 0.0, 0.0)})
    truth = generate("mumu_isr", 40_000, seed=27)
    reco, _ = closed(truth, card)
    pairs = np.flatnonzero((np.diff(reco.track_offsets) == 2) & (reco.fit_status[:, MU] == CONVERGED))
    assert len(pairs) > 20_000
    probability = stats.chi2.sf(reco.fit_chi2[pairs, MU], 1)
    assert stats.kstest(probability, "uniform").pvalue > 0.01
    photon = truth.offsets[pairs] + 2
    theta = np.arctan2(np.hypot(truth.px[photon], truth.py[photon]), truth.pz[photon])
    assert abs(np.median(reco.fit_theta_gamma[pairs, MU][theta < 0.1])) < 0.02


def test_pair_mass_of_the_real_detector():
    """The fit halves the width of the mass, and its residual is centred."""
    truth = generate("mumu_isr", 20_000, seed=28, mass_min=1.95, mass_max=2.05)
    reco, _ = closed(truth, PLAIN)
    pairs = np.flatnonzero(np.diff(reco.track_offsets) == 2)
    a = truth.offsets[pairs]
    signs = zip(("energy", "px", "py", "pz"), (1, -1, -1, -1))
    mass = np.sqrt(sum(s * (getattr(truth, c)[a] + getattr(truth, c)[a + 1]) ** 2 for c, s in signs))
    first = reco.track_offsets[pairs]
    p = np.stack([reco.px, reco.py, reco.pz])
    e = np.sqrt((p**2).sum(axis=0) + M_MU**2)
    raw = np.sqrt((e[first] + e[first + 1]) ** 2 - ((p[:, first] + p[:, first + 1]) ** 2).sum(axis=0))
    fitted = reco.fit_mass[pairs, MU]
    core = [0.5 * np.diff(np.quantile(m - mass, [0.1587, 0.8413]))[0] for m in (raw, fitted)]
    assert 6.5e-3 < core[0] < 9e-3
    assert 3.3e-3 < core[1] < 4.6e-3
    assert abs(np.median(fitted - mass)) < 3e-4


def test_crossing_angle_is_the_same_in_simulation_and_reconstruction():
    """Photons along the beams are found there; without the crossing angle 41 MeV of momentum would turn them away."""
    truth = generate("mumu_isr", 8000, seed=29, mass_min=2.0, mass_max=2.5)
    record = simulate(truth, "besiii", seed=3)
    photon = truth.offsets[:-1] + 2
    along = np.hypot(truth.px[photon], truth.py[photon]) < 0.01 * np.abs(truth.pz[photon])
    chosen = (np.diff(record.track_offsets) == 2) & along
    angles = []
    for card in ("besiii", card_with(beam={"half_crossing_angle": 0.0})):
        theta = reconstruct(record, card).fit_theta_gamma[chosen, MU]
        angles.append(np.median(np.minimum(theta, np.pi - theta)))
    assert angles[0] < 0.008
    assert angles[1] > 0.02


def test_single_muons_have_no_fit():
    reco, _ = closed(gun(13, np.full(10, 1.0), 0.1, 0.3))
    assert np.isnan(reco.fit_mass).all()
    assert (reco.net_charge == -1).all()
    assert (reco.n_good == 1).all()
