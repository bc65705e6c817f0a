"""Identification: chi2 of each system under the true hypothesis, and what follows for muons, electrons and pions."""

import numpy as np
import pytest
from besfast.constants import ELECTRON, HYPOTHESES, HYPOTHESIS_MASSES, KAON, MUON, PION, PROTON, C
from besfast.elementary import erfc
from besfast.event import KAPPA, TAN_LAMBDA
from besfast.kernel import BLOCK
from besfast.reco.pid import combine_stage, probabilities
from besfast.reco.reconstruct import reconstruct
from besfast.sim.simulate import simulate
from scipy import special, stats

from .gun import card_with, gun, uniform_gun

CARD = card_with(
    beam={"spot": (0.0, 0.0, 0.0)},
    mdc={"tail_fraction": 0.0},
    dedx={"tail_fraction": 0.0},
    trigger={"efficiency": 1.0},
)
PDG = {"e": (11, -11), "mu": (13, -13), "pi": (211, -211), "K": (321, -321), "p": (2212, -2212)}


def recorded(name, p, n=20_000, cosine=(-0.75, 0.75), card=CARD):
    return simulate(uniform_gun(n, 71, pdg=PDG[name], p=p, cosine=cosine), card, seed=72)


def only(record, system, card=CARD):
    """Reconstruct with one system alone; return chi2 of the tracks that use it."""
    nan = np.full(len(record.dedx), np.nan)
    kept = {"dedx": record.dedx, "tof": record.tof, "muc": record.muc_depth}
    dedx, tof, depth = (kept[s] if s == system else nan for s in ("dedx", "tof", "muc"))
    alone = record._replace(dedx=dedx, tof=tof, muc_depth=depth)
    if system != "emc":
        alone = alone._replace(shower_theta=np.full(len(record.shower_theta), np.nan))
    reco = reconstruct(alone, card)
    used = reco.n_systems > 0
    return reco.chi2[used], used


@pytest.mark.parametrize("name", HYPOTHESES)
def test_dedx_of_the_true_hypothesis(name):
    """chi is normal: mean of chi2 one within 4 %, which holds the measured momentum's part; KS p > 0.001."""
    chi2, used = only(recorded(name, (0.9, 1.5)), "dedx")
    true = chi2[:, HYPOTHESES.index(name)]
    assert used.mean() > 0.99
    assert abs(true.mean() - 1.0) < 0.04
    if name != "e":  # electrons have lost energy between here and there
        assert stats.kstest(true, stats.chi2(1).cdf).pvalue > 1e-3


@pytest.mark.parametrize("name", HYPOTHESES)
def test_time_of_flight_of_the_true_hypothesis(name):
    """The same; 96 % of the tracks have a time, whose resolution includes the error of the event time."""
    record = recorded(name, (1.0, 1.6))
    chi2, used = only(record, "tof")
    assert abs(used.mean() - 0.96) < 0.01
    assert abs(chi2[:, HYPOTHESES.index(name)].mean() - 1.0) < 0.04
    fraction = 83.5 * record.helix[:, TAN_LAMBDA] / 115.0
    sigma = np.hypot(0.080 * np.sqrt(1 + 0.2 * fraction**2), 0.025)
    measured = np.isfinite(record.tof) & (np.abs(record.helix[:, KAPPA]) < 1.6)  # electrons may have lost a lot
    assert np.allclose(record.tof_sigma[measured], sigma[measured], rtol=0.01)


def test_two_tracks_share_the_event_time():
    """Residuals of two tracks are correlated by 25^2 / (25^2 + 80^2) = 0.089 in the centre of the barrel."""
    n = 40_000
    rng = np.random.default_rng(73)
    phi = rng.uniform(-np.pi, np.pi, n)
    phi = np.stack([phi, phi + 2.5], axis=1).ravel()
    record = simulate(gun(np.tile([13, -13], n), 1.2, 0.05, phi, per_event=2), CARD, seed=74)
    both = np.flatnonzero(np.diff(record.track_offsets) == 2)
    rows = record.track_offsets[both][:, None] + np.arange(2)
    p = np.sqrt(1 + record.helix[:, TAN_LAMBDA] ** 2) / np.abs(record.helix[:, KAPPA])
    expected = record.tof_path / C * np.sqrt(1 + (HYPOTHESIS_MASSES[MUON] / p) ** 2)
    residual = ((record.tof - expected) / record.tof_sigma)[rows]
    residual = residual[np.isfinite(residual).all(axis=1)]
    assert abs(residual.std() - 1.0) < 0.02
    correlation = np.corrcoef(residual.T)[0, 1]
    assert abs(correlation - 625 / (625 + 6400)) < 4 / np.sqrt(len(residual))


@pytest.mark.parametrize("name", HYPOTHESES)
def test_calorimeter_of_the_true_hypothesis(name):
    """The deviate is a normal quantile: half of chi2 below 0.455, 95 % below 3.84; electrons add what they radiated."""
    chi2, used = only(recorded(name, (0.7, 1.5)), "emc")
    true = chi2[:, HYPOTHESES.index(name)]
    assert used.mean() > 0.95
    assert (true < 0.455).mean() == pytest.approx(0.5, abs=0.03)
    assert (true < 3.84).mean() == pytest.approx(0.95, abs=0.025 if name == "e" else 0.012)


@pytest.mark.parametrize(("name", "low", "high"), [("e", 0.1, 0.3), ("mu", 0.5, 1.0), ("pi", 0.9, 1.4)])
def test_muon_counter_of_the_true_hypothesis(name, low, high):
    """A step function is no normal deviate: chi2 of muons is below one on average; the others share a template."""
    chi2, used = only(recorded(name, (0.6, 1.6)), "muc")
    assert used.mean() > 0.94
    assert low < chi2[:, HYPOTHESES.index(name)].mean() < high
    for h in (ELECTRON, KAON, PROTON):
        assert np.array_equal(chi2[:, h], chi2[:, PION])


def test_muon_counter_is_used_above_500_mev_inside_its_angles():
    slow, _ = only(recorded("mu", (0.35, 0.48), n=2000), "muc")
    assert len(slow) == 0
    forward, _ = only(recorded("mu", (1.0, 1.2), n=2000, cosine=(0.84, 0.88)), "muc")
    assert len(forward) == 0
    quiet = recorded("mu", (0.7, 1.6), cosine=(-0.6, 0.6))
    inside = np.isfinite(quiet.muc_depth)
    assert 0.95 < inside.mean() < 0.99, "3 % of the azimuth is cracks"
    assert (quiet.muc_layers[inside] >= 1).mean() > 0.98
    assert (quiet.muc_depth[inside] > 5.0).mean() > 0.90


@pytest.mark.parametrize("p", [(0.4, 0.8), (0.8, 1.3), (1.3, 1.9)])
def test_electron_veto(p):
    """P(mu) > P(e) keeps more than 99.9 % of the muons, 85-100 % of the pions, less than 0.2 % of the electrons."""

    def kept(name):
        reco = reconstruct(recorded(name, p, cosine=(-0.92, 0.92)), CARD)
        return (reco.chi2[:, MUON] < reco.chi2[:, ELECTRON]).mean()

    assert kept("mu") > 0.999
    assert 0.85 < kept("pi") < 1.0
    assert kept("e") < 0.002


def test_all_hypotheses_use_the_same_systems():
    """One number per track, at most four; a track without any has chi2 0, probability 1, and fails P(mu) > P(e)."""
    record = recorded("pi", (0.2, 1.9), n=3000)
    reco = reconstruct(record, CARD)
    assert reco.n_systems.shape == reco.charge.shape
    assert set(np.unique(reco.n_systems)) <= {1, 2, 3, 4}
    nan = np.full(len(record.dedx), np.nan)
    blind = record._replace(dedx=nan, tof=nan, muc_depth=nan, shower_theta=np.full(len(record.shower_theta), np.nan))
    reco = reconstruct(blind, CARD)
    assert not reco.n_systems.any()
    assert not reco.chi2.any()
    assert (reco.probability == 1.0).all()
    assert not (reco.chi2[:, MUON] < reco.chi2[:, ELECTRON]).any()


def test_a_system_far_from_all_hypotheses_is_not_used():
    """chi below 4 for at least one hypothesis: then all five count, however far the others are."""
    s = np.zeros(11 * BLOCK)
    rows = s.reshape(11, BLOCK)
    rows[:5, 0] = 5.0, -3.9, 100.0, 4.1, -50.0
    rows[:5, 1] = 4.0, -4.0, 4.5, 9.0, 5.0
    rows[:5, 2] = np.nan
    combine_stage(s, 3, 4.0)
    combine_stage(s, 3, 4.0)
    assert np.allclose(rows[5:10, 0], 2 * rows[:5, 0] ** 2)
    assert not rows[5:10, 1:3].any()
    assert rows[10, :3].tolist() == [2.0, 0.0, 0.0]


@pytest.mark.parametrize("degrees", [1, 2, 3, 4])
def test_probabilities(degrees):
    """Against scipy: 2e-7 relative for chi2 from 0 to 1400, never negative, never above one, falling."""
    chi2 = np.concatenate([[0.0], np.geomspace(1e-6, 1400.0, 2000)])
    got = probabilities(chi2[:, None], np.full(len(chi2), degrees, dtype=np.int32))[:, 0]
    exact = stats.chi2.sf(chi2, degrees)
    assert np.allclose(got, exact, rtol=2.5e-7, atol=0.0)
    assert (got >= 0.0).all()
    assert (got <= 1.0).all()
    huge = probabilities(np.array([[1e4], [1e300], [np.inf]]), np.full(3, degrees, dtype=np.int32))
    assert (huge == 0.0).all()
    assert (probabilities(np.array([[7.0]]), np.zeros(1, dtype=np.int32)) == 1.0).all()


def test_complementary_error_function():
    x = np.linspace(-5.0, 26.0, 4001)
    got = np.array([erfc(value) for value in x])
    assert np.allclose(got, special.erfc(x), rtol=1.3e-7, atol=0.0)
