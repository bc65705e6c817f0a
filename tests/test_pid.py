"""Identification: chi2 of each system under the true hypothesis, and what follows for muons, electrons and pions."""

import dataclasses

import numpy as np
import pytest
from besfast.constants import ELECTRON, HYPOTHESES, HYPOTHESIS_MASSES, KAON, MUON, PION, PROTON, C
from besfast.elementary import erfc
from besfast.event import KAPPA, TAN_LAMBDA
from besfast.kernel import BLOCK
from besfast.reco.pid import combine_stage, deviates, probability_stage
from besfast.reco.reconstruct import reconstruct
from besfast.reco.showers import match_showers
from besfast.sim.simulate import simulate
from scipy import special, stats

from .gun import card_with, gun, uniform_gun

#: What a detector without decays, tails of the tracks, and wrong bunches measures.
CARD = card_with(
    matter={"decays": False},
    beam={"spot": (0.0, 0.0, 0.0)},
    mdc={"tail_fraction": 0.0},
    tof={"wrong_bunch_fraction": 0.0},
    trigger={"efficiency": 1.0},
)
PDG = {"e": (11, -11), "mu": (13, -13), "pi": (211, -211), "K": (321, -321), "p": (2212, -2212)}


def with_(card, **sections):
    return dataclasses.replace(
        card, **{name: dataclasses.replace(getattr(card, name), **new) for name, new in sections.items()}
    )


def recorded(name, p, n=20_000, cosine=(-0.75, 0.75), card=CARD):
    return simulate(uniform_gun(n, 71, pdg=PDG[name], p=p, cosine=cosine), card, seed=72)


def without(record, *systems):
    """Return the record as if some systems had measured nothing."""
    nan, none = np.full(len(record.dedx), np.nan), np.full(len(record.shower_theta), np.nan)
    columns = {"dedx": {"dedx": nan}, "tof": {"tof": nan}, "muc": {"muc_depth": nan}, "emc": {"shower_theta": none}}
    return record._replace(**{name: column for system in systems for name, column in columns[system].items()})


def only(record, system, card=CARD):
    """Reconstruct with one system alone; return chi2 of the tracks that use it."""
    reco = reconstruct(without(record, *({"dedx", "tof", "emc", "muc"} - {system})), card)
    used = reco.n_systems > 0
    return reco.chi2[used], used


def chi_of(record, card=CARD):
    """Return the deviates of all systems."""
    reco, matches = reconstruct(record, card), match_showers(record, card)
    p = np.sqrt(reco.px**2 + reco.py**2 + reco.pz**2)
    return deviates(record, card, p, reco.pz / p, matches.energy, matches.path_factor)


@pytest.mark.parametrize("name", HYPOTHESES)
def test_dedx_of_the_true_hypothesis(name):
    """chi2 is that of one degree of freedom, high tail included: mean one within 4 %, KS p > 0.001."""
    chi2, used = only(recorded(name, (0.9, 1.5)), "dedx")
    true = chi2[:, HYPOTHESES.index(name)]
    assert used.mean() > 0.99
    assert abs(true.mean() - 1.0) < 0.04
    assert stats.kstest(true, stats.chi2(1).cdf).pvalue > 1e-3


@pytest.mark.parametrize("name", HYPOTHESES)
def test_time_of_flight_of_the_true_hypothesis(name):
    """The same; 96 % of the tracks have a time, whose resolution includes the error of the event time."""
    record = recorded(name, (1.0, 1.6))
    chi2, used = only(record, "tof")
    true = chi2[:, HYPOTHESES.index(name)]
    assert abs(used.mean() - 0.96) < 0.01
    assert abs(true.mean() - 1.0) < 0.04
    assert stats.kstest(true, stats.chi2(1).cdf).pvalue > 1e-3
    fraction = 83.5 * record.helix[:, TAN_LAMBDA] / 115.0
    sigma = 0.0744 * np.sqrt(1 + 0.2 * fraction**2)
    measured = np.isfinite(record.tof) & (np.abs(record.helix[:, KAPPA]) < 1.6)  # electrons may have lost a lot
    both, one = (np.isclose(record.tof_sigma, np.hypot(sigma * factor, 0.025), rtol=0.01) for factor in (1.0, 1.31))
    assert (both | one)[measured].all()
    assert abs(one[measured].mean() - 0.03) < 0.006


@pytest.mark.parametrize("name", ["mu", "pi", "K", "p"])
@pytest.mark.parametrize(("p", "cosine"), [((0.5, 0.9), (-0.75, 0.75)), ((0.9, 1.8), (0.86, 0.91))])
def test_probability_of_the_true_hypothesis_is_flat(name, p, cosine):
    """dE/dx and time of flight together, barrel and endcap: KS against a uniform distribution, p > 0.001."""
    reco = reconstruct(without(recorded(name, p, cosine=cosine), "emc", "muc"), CARD)
    true = reco.probability[reco.n_systems == 2, HYPOTHESES.index(name)]
    assert len(true) > 14_000
    if name != "p" or p[0] > 0.6:  # slow protons lose momentum that the expected time does not know of
        assert stats.kstest(true, "uniform").pvalue > 1e-3


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
    """The deviate is a normal quantile: half of chi2 below 0.455, 95 % below 3.84.

    Electrons add what they radiated (92 %); protons around 1 GeV just stop, within one step of the table (93 %).
    """
    chi2, used = only(recorded(name, (0.7, 1.5)), "emc")
    true = chi2[:, HYPOTHESES.index(name)]
    assert used.mean() > 0.95
    assert (true < 0.455).mean() == pytest.approx(0.5, abs=0.03)
    assert (true < 3.84).mean() == pytest.approx(0.95, abs={"e": 0.035, "p": 0.025}.get(name, 0.012))


def test_muon_counter_of_muons():
    """Depth and distance to the hits as one normal deviate; 3 % of the tracks without hits share a value, -2.2."""
    chi = chi_of(recorded("mu", (0.6, 1.6), cosine=(-0.6, 0.6)))["muc"][:, MUON]
    chi = chi[np.isfinite(chi)]
    lost = np.isclose(chi, chi.min(), atol=1e-9) | (np.abs(chi + 2.17) < 0.02)
    assert abs(lost.mean() - 0.03) < 0.006
    assert abs(chi.mean()) < 0.02
    assert abs(chi.std() - 1.0) < 0.03
    assert stats.kstest(chi, "norm").statistic < 0.02


def test_muon_counter_of_others():
    """Two thirds of the pions leave nothing: their deviate is the middle of that part, and all but muons share it."""
    for name in ("e", "pi"):
        chi = chi_of(recorded(name, (0.6, 1.6)))["muc"]
        for h in (ELECTRON, KAON, PROTON):
            assert np.array_equal(chi[:, h], chi[:, PION], equal_nan=True)
        nothing = np.abs(chi[:, PION] + 0.48) < 0.25
        assert (nothing.sum() / np.isfinite(chi[:, PION]).sum() > (0.99 if name == "e" else 0.6)).all()
    seen = np.isfinite(chi[:, PION]) & ~nothing
    assert 0.7 < chi[seen, PION].mean() < 1.5


def test_muon_counter_is_used_above_500_mev_inside_its_angles():
    slow, _ = only(recorded("mu", (0.35, 0.48), n=2000), "muc")
    assert len(slow) == 0
    forward, _ = only(recorded("mu", (1.0, 1.2), n=2000, cosine=(0.84, 0.88)), "muc")
    assert len(forward) == 0


@pytest.mark.parametrize("p", [0.7, 0.9, 1.15, 1.4, 1.6])
def test_identified_muons(p):
    """At least 90 % of the muons at |cos theta| < 0.6 outside the cracks; pions, which decay, fall to 2-3 %."""

    def identified(name):
        decaying = with_(CARD, matter={"decays": True})
        reco = reconstruct(recorded(name, (p - 0.01, p + 0.01), cosine=(-0.6, 0.6), card=decaying), CARD)
        inside = np.isfinite(reco.muc_depth)
        assert 0.95 < inside.mean() < 0.99, "3 % of the azimuth is cracks"
        return reco.muon[inside].mean()

    assert identified("mu") > 0.90
    low, high = {0.7: (0.06, 0.12), 0.9: (0.03, 0.06)}.get(p, (0.015, 0.035))
    assert low < identified("pi") < high


def test_turn_on_of_identified_muons():
    """Nothing below the range of the first layers, half at 0.45 GeV, the plateau from 0.6 GeV."""
    found = {}
    for p in (0.36, 0.46, 0.60):
        reco = reconstruct(recorded("mu", (p - 0.01, p + 0.01), n=5000, cosine=(-0.6, 0.6)), CARD)
        found[p] = reco.muon[np.isfinite(reco.muc_depth)].mean()
    assert found[0.36] < 0.05
    assert 0.3 < found[0.46] < 0.8
    assert found[0.60] > 0.90


def test_deviates_are_what_chi2_is_made_of():
    record = recorded("K", (0.4, 1.5), n=3000)
    chi, reco = chi_of(record), reconstruct(record, CARD)
    total = np.zeros_like(reco.chi2)
    systems = np.zeros(len(total), dtype=int)
    for values in chi.values():
        used = np.abs(np.where(np.isfinite(values), values, np.inf)).min(axis=1) < CARD.reconstruction.pid_chi_max
        total[used] += values[used] ** 2
        systems += used
    assert np.allclose(total, reco.chi2, rtol=1e-12)
    assert np.array_equal(systems, reco.n_systems)


def test_a_wrong_time_calibration():
    """The same record, 50 ps off: every deviate moves by -50 ps / sigma; simulated as well, nothing is left of it."""
    record, wrong = recorded("mu", (0.8, 1.5), n=4000), with_(CARD, tof={"time_offset": 0.05})
    one, other = chi_of(record), chi_of(record, wrong)
    assert all(np.array_equal(one[name], other[name], equal_nan=True) for name in ("dedx", "emc", "muc"))
    moved = (other["tof"] - one["tof"])[:, MUON]
    assert np.allclose(moved, -0.05 / record.tof_sigma, rtol=1e-9, equal_nan=True)
    same = chi_of(recorded("mu", (0.8, 1.5), n=4000, card=wrong), wrong)
    assert np.allclose(same["tof"], one["tof"], atol=1e-9, equal_nan=True)


def test_a_wrong_calibration_of_the_ionisation():
    """3 % off: (x / 1.03 - x0) / sigma in the place of (x - x0) / sigma; simulated as well, nothing is left of it."""
    right = with_(CARD, dedx={"tail_fraction": 0.0})
    wrong = with_(right, dedx={"scale": 1.03})
    record = recorded("mu", (0.8, 1.5), n=4000, card=right)
    one, other = (chi_of(record, card)["dedx"][:, MUON] for card in (right, wrong))
    sine = 1.0 / np.sqrt(1.0 + record.helix[:, TAN_LAMBDA] ** 2)
    sigma = 0.06 * (42.0 / record.n_hits) ** 0.43 * sine**0.3
    assert np.allclose(other, (one * sigma + 1.0) / 1.03 / sigma - 1.0 / sigma, rtol=1e-9, atol=1e-9)
    same = chi_of(recorded("mu", (0.8, 1.5), n=4000, card=wrong), wrong)["dedx"][:, MUON]
    assert np.allclose(same, one, atol=1e-9)


@pytest.mark.parametrize(("p", "cosine"), [((0.98, 1.0), (-0.8, 0.8)), ((0.88, 0.9), (0.86, 0.91))])
def test_kaons_and_pions_are_two_sigma_apart(p, cosine):
    """By time of flight and dE/dx up to 1 GeV in the barrel, 0.9 GeV in the endcaps: the square root of delta chi2."""
    for one, other in ((PION, KAON), (KAON, PION)):
        reco = reconstruct(without(recorded(HYPOTHESES[one], p, n=6000, cosine=cosine), "emc", "muc"), CARD)
        difference = reco.chi2[:, other] - reco.chi2[:, one]
        assert np.sqrt(np.median(difference[reco.n_systems == 2])) > 2.0


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
    s, total = np.zeros(5 * BLOCK), np.zeros(6 * BLOCK)
    rows, sums = s.reshape(5, BLOCK), total.reshape(6, BLOCK)
    rows[:, 0] = 5.0, -3.9, 100.0, 4.1, -50.0
    rows[:, 1] = 4.0, -4.0, 4.5, 9.0, 5.0
    rows[:, 2] = np.nan
    combine_stage(s, 4.0, 3, total)
    combine_stage(s, 4.0, 3, total)
    assert np.allclose(sums[:5, 0], 2 * rows[:, 0] ** 2)
    assert not sums[:5, 1:].any()
    assert sums[5, :3].tolist() == [2.0, 0.0, 0.0]


def probabilities(chi2, degrees):
    result = np.empty(len(chi2))
    probability_stage(np.array(chi2), np.full(len(chi2), degrees, dtype=np.int32), result)
    return result


@pytest.mark.parametrize("degrees", [1, 2, 3, 4])
def test_probabilities(degrees):
    """Against scipy: 2e-7 relative for chi2 from 0 to 1400, never negative, never above one, falling."""
    chi2 = np.concatenate([[0.0], np.geomspace(1e-6, 1400.0, 2000)])
    got = probabilities(chi2, degrees)
    exact = stats.chi2.sf(chi2, degrees)
    assert np.allclose(got, exact, rtol=2.5e-7, atol=0.0)
    assert (got >= 0.0).all()
    assert (got <= 1.0).all()
    huge = probabilities([1e4, 1e300, np.inf], degrees)
    assert (huge == 0.0).all()
    assert (probabilities([7.0], 0) == 1.0).all()


def test_complementary_error_function():
    x = np.linspace(-5.0, 26.0, 4001)
    got = np.array([erfc(value) for value in x])
    assert np.allclose(got, special.erfc(x), rtol=1.3e-7, atol=0.0)
