"""Decays in flight: paths, channels, four-momenta, kinks; what the detector sees of them."""

import math

import numpy as np
import pytest
from besfast.constants import ALPHA_T, M_K, M_MU, M_P, M_PI
from besfast.detector import decay, kink
from besfast.geometry import helix
from besfast.rng import key
from besfast.sim.decays import decay_in_flight
from besfast.sim.kinks import merge_kinks
from besfast.sim.particles import final_state
from besfast.sim.simulate import simulate
from scipy import stats

from .gun import PLAIN, card_with, gun

N = 100_000
K = key(81)
PHI = np.random.default_rng(82).uniform(-np.pi, np.pi, N)
MASS = {211: M_PI, 321: M_K, 310: 0.497611, 3122: 1.115683}


def decayed(pdg, p, cosine=0.0, n=N, card=PLAIN, **options):
    """Return particles before and after, and kinks."""
    truth = gun([pdg] * n, p, cosine, PHI[:n], **options)
    if abs(pdg) in (310, 3122):
        truth.charge[:] = 0
    before = final_state(truth, card, *K)
    return (before, *decay_in_flight(before, card, *K))


def momenta(particles, rows):
    return np.array([particles.px[rows], particles.py[rows], particles.pz[rows]])


def rest_frame(q, energy, p, mass):
    """Boost momenta (3, n) into the rest frame of momenta p: the general Lorentz transformation."""
    total = np.sqrt((p**2).sum(axis=0) + mass**2)
    return q + p * (((p * q).sum(axis=0) / (total + mass) - energy) / mass)


@pytest.mark.parametrize(("p", "percent"), [(0.5, 3.2), (1.0, 1.6), (1.8, 0.9)])
def test_pions_decay_within_90_cm(p, percent):
    """1 - exp(-l m / (p c tau)); c tau = 780.45 cm; transverse, where the chord of 90 cm has a slightly longer arc."""
    _, after, _ = decayed(211, p)
    arc = 2 * ALPHA_T * p * math.asin(90 / (2 * ALPHA_T * p))
    expected = 1 - math.exp(-arc * M_PI / (780.45 * p))
    found = (after.stop[:N] < 90).mean()
    assert abs(found - expected) < 4 * math.sqrt(expected / N)
    assert abs(100 * expected - percent) < 0.06


@pytest.mark.parametrize(("pdg", "p", "ctau"), [(321, 0.5, 371.2), (-211, 0.3, 780.45), (310, 1.0, 2.6844)])
def test_paths_are_exponential(pdg, p, ctau):
    _, after, _ = decayed(pdg, p)
    r = after.stop[:N][np.isfinite(after.stop[:N])]
    length = r if pdg == 310 else 2 * ALPHA_T * p * np.arcsin(r / (2 * ALPHA_T * p))
    mean = p / MASS[abs(pdg)] * ctau
    far = length.max() if pdg == 310 else 2 * ALPHA_T * p * math.asin(PLAIN.emc.barrel.front_radius / (2 * ALPHA_T * p))
    cdf = lambda x: -np.expm1(-x / mean) / -np.expm1(-far / mean)  # noqa: E731
    assert stats.kstest(length, cdf).pvalue > 1e-3
    assert abs(len(r) / N + np.expm1(-far / mean)) < 5 / math.sqrt(N)


def test_pions_become_muons():
    """Four-momenta: the neutrino is massless to 1e-9 GeV^2; isotropic at rest; largest angle asin(p* m / (m_mu p))."""
    _, after, kinks = decayed(211, 0.8, 0.4)
    muon = after.pdg[kinks.daughters] == -13
    parent, rows = kinks.momenta[:, muon], kinks.daughters[muon]
    assert muon.sum() > 1500
    assert np.allclose((parent**2).sum(axis=0), 0.64, rtol=1e-12)
    q = momenta(after, rows)
    energy = np.sqrt(0.64 + M_PI**2) - after.energy[rows]
    assert np.abs(energy**2 - ((parent - q) ** 2).sum(axis=0)).max() < 1e-9
    assert np.allclose(after.energy[rows] ** 2 - (q**2).sum(axis=0), M_MU**2, atol=1e-9)
    inside = rest_frame(q, after.energy[rows], parent, M_PI)
    star = (M_PI**2 - M_MU**2) / (2 * M_PI)
    assert np.allclose(np.linalg.norm(inside, axis=0), star, atol=1e-9)
    for axis in inside:
        assert stats.kstest(axis / star, stats.uniform(-1, 2).cdf).pvalue > 1e-3
    along = (inside * parent).sum(axis=0) / star / 0.8
    assert stats.kstest(along, stats.uniform(-1, 2).cdf).pvalue > 1e-3
    angle = np.empty(muon.sum())
    kink.kink_angle_stage(parent, q, angle)
    cosine = (parent * q).sum(axis=0) / 0.8 / np.linalg.norm(q, axis=0)
    assert np.allclose(np.cos(angle), cosine, atol=1e-12)
    largest = math.asin(star * M_PI / (M_MU * 0.8))
    assert 0.99 * largest < angle.max() <= largest * (1 + 1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_kaons(sign):
    """Channels by their branching fractions (chi2, p > 0.001); three bodies have the kaon's mass where all are seen."""
    _, after, kinks = decayed(sign * 321, 0.7)
    parents = np.flatnonzero(np.isfinite(after.stop[:N]))
    made = slice(N, None)
    event, pdg = after.event[made].astype(int), after.pdg[made] * sign
    rows = {}
    for e, kind in zip(event, np.where(pdg == sign * 22, 22, pdg)):
        rows.setdefault(e, []).append(int(kind))
    names = {(-13,): 0, (22, 22, 211): 1, (-211, 211, 211): 2, (-11, 22, 22): 3, (-13, 22, 22): 4}
    names[22, 22, 22, 22, 211] = 5
    counts = np.bincount([names[tuple(sorted(one))] for one in rows.values()], minlength=6)
    fractions = np.array([channel.fraction for channel in decay.UNSTABLE[321].channels])
    assert abs(fractions.sum() - 1) < 1e-3
    assert stats.chisquare(counts, fractions / fractions.sum() * counts.sum()).pvalue > 1e-3
    assert counts.sum() == len(parents)
    assert len(kinks.parents) == counts.sum() - counts[2]
    totals = [np.bincount(event, getattr(after, name)[made], minlength=N) for name in ("energy", "px", "py", "pz")]
    seen = [e for e, one in rows.items() if names[tuple(sorted(one))] in (1, 2, 5)]
    mass2 = totals[0] ** 2 - totals[1] ** 2 - totals[2] ** 2 - totals[3] ** 2
    assert np.abs(mass2[seen] - M_K**2).max() < 1e-9
    assert np.allclose(totals[0][seen], math.sqrt(0.49 + M_K**2), rtol=1e-12)
    assert np.array_equal(np.sign(after.charge[kinks.daughters]), np.full(len(kinks.daughters), sign))
    keys = after.event * np.uint64(1 << 40) + after.particle
    assert len(np.unique(keys)) == len(keys)


def test_three_bodies_fill_phase_space_evenly():
    """The squared masses of pairs are flat over the Dalitz plot: mean of m12^2 by quadrature over its boundary."""
    n, masses = 40_000, (0.2, 0.1, 0.05)
    pair = np.empty(n)
    decay.pair_mass_stage(*K, np.arange(n, dtype=np.uint64), np.zeros(n, dtype=np.uint64), 8, 0.6, masses, pair)

    def width(m):  # extent of m23^2 at a given m12: 4 p12 p3 M / m12 up to constants, PDG 2022 eq. 49.23
        return np.sqrt(
            np.maximum((m**2 - 0.3**2) * (m**2 - 0.1**2) * (0.36 - (m + 0.05) ** 2) * (0.36 - (m - 0.05) ** 2), 0.0)
        ) / (m**2)

    grid = np.linspace(0.3, 0.55, 20_001)
    density = width(grid) * grid  # dm12^2 = 2 m12 dm12
    cumulative = np.concatenate([[0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    assert stats.kstest(pair, lambda m: np.interp(m, grid, cumulative / cumulative[-1])).pvalue > 1e-3


@pytest.mark.parametrize(("pdg", "charged", "other"), [(310, 0.6927, 22), (3122, 0.641, 22), (-3122, 0.641, 22)])
def test_neutral_strange_particles(pdg, charged, other):
    """Fraction of charged decays; both daughters have the mass of the parent and start where it ends."""
    _, after, _ = decayed(pdg, 1.0, n=20_000)
    rows = np.flatnonzero(after.charge[20_000:] != 0) + 20_000
    rows = rows[(after.particle[rows] >> np.uint64(24)) == 0]  # not the daughters' daughters
    fraction = len(rows) / 2 / np.isfinite(after.stop[:20_000]).sum()
    assert abs(fraction - charged) < 0.015
    total = [np.bincount(after.event[rows].astype(int), values[rows]) for values in after[5:9]]
    mass = np.sqrt(np.maximum(total[3] ** 2 - total[0] ** 2 - total[1] ** 2 - total[2] ** 2, 0))
    assert np.allclose(mass[mass > 0], MASS[abs(pdg)], atol=1e-9)
    assert np.allclose(np.hypot(after.x, after.y)[rows], after.stop[after.event[rows].astype(int)], atol=1e-9)
    if abs(pdg) == 3122:
        heavy = np.abs(after.pdg[rows]) == 2212
        assert (after.pdg[rows][heavy] == int(math.copysign(2212, pdg))).all()
        assert (after.energy[rows][heavy] > M_P).all()
    assert (after.pdg[after.charge == 0] == other).sum() > 1000


def test_two_bodies():
    """Four-momenta add up to 1e-12; at rest the daughters are back to back."""
    p, mass, m1, m2 = np.array([0.3, -0.4, 1.2]), 1.1, 0.5, 0.2
    daughters = np.array(decay.two_bodies(*p, mass, m1, m2, 0.3, 0.8)).reshape(2, 3)
    assert np.allclose(daughters.sum(axis=0), p, atol=1e-12)
    energy = sum(math.sqrt(q @ q + m * m) for q, m in zip(daughters, (m1, m2)))
    assert math.isclose(energy, math.sqrt(p @ p + mass**2), rel_tol=1e-12)
    at_rest = np.array(decay.two_bodies(0.0, 0.0, 0.0, mass, m1, m2, 0.3, 0.8)).reshape(2, 3)
    assert np.allclose(at_rest[0], -at_rest[1])
    star = math.sqrt((mass**2 - (m1 + m2) ** 2) * (mass**2 - (m1 - m2) ** 2)) / (2 * mass)
    assert math.isclose(np.linalg.norm(at_rest[0]), star, rel_tol=1e-12)
    assert math.isclose(at_rest[0][2], star * (2 * 0.3 - 1), rel_tol=1e-12)


def test_path_in_the_field_is_that_of_the_helix():
    px, py, pz = 0.3, -0.2, 0.1
    for charge in (1.0, -1.0):
        x, y, z, qx, qy = decay.advanced(1.0, 2.0, 3.0, px, py, pz, charge, 0.9, 40.0)
        parameters = helix.helix_at_origin(1.0, 2.0, 3.0, px, py, pz, charge, 0.9)
        assert np.allclose(helix.helix_at_origin(x, y, z, qx, qy, pz, charge, 0.9), parameters, atol=1e-9)
        assert math.isclose(math.hypot(qx, qy), math.hypot(px, py))
    x, y, z, qx, qy = decay.advanced(1.0, 2.0, 3.0, px, py, pz, 0.0, 0.9, 5.0)
    assert np.allclose((x - 1.0, y - 2.0, z - 3.0), 5.0 * np.array([px, py, pz]) / math.hypot(px, py))
    assert (qx, qy) == (px, py)


def test_fit_of_a_kinked_track():
    """A parabola (straight line) fitted to 2001 points of a track that changes momentum and direction at depth f."""
    depth, alpha = 70.0, ALPHA_T
    x = np.linspace(0, depth, 2001)
    for f in (0.1, 0.5, 0.9):
        for kick in (0.02, -0.03):
            late = np.maximum(x - f * depth, 0.0)
            # y'' = -kappa / alpha: positive charges turn to negative azimuth
            y = -0.5 * x**2 / alpha + (1.0 - 1.3) / alpha * 0.5 * late**2 + kick * late
            fitted, weight = kink.kinked(f, alpha, depth, 1.0, 1.3, kick)
            assert math.isclose(-2 * np.polyfit(x, y, 2)[0] * alpha, fitted, rel_tol=3e-3)
            assert abs(np.polyfit(x, late / depth, 1)[0] * depth - weight) < 2e-3


def test_small_kinks_are_one_track():
    """Below the angle the pair is one track of wrong momentum; above, parent and daughter are two."""
    _, after, kinks = decayed(211, 0.6)
    for limit in (0.0, 0.03, 3.2):
        card = card_with(matter={"kink_angle": limit})
        measured, merged = merge_kinks(after, kinks, card)
        rows = kinks.parents[merged]
        inside = (after.stop[kinks.parents] > 7.6) & (after.stop[kinks.parents] < 76.3)
        assert not merged[~inside & (after.stop[kinks.parents] < 7.5)].any()
        assert np.isinf(measured.stop[rows]).all()
        share = merged.sum() / inside.sum()
        assert share == 0.0 if limit == 0.0 else 0.1 < share < 0.5 if limit == 0.03 else share > 0.98
    p = np.sqrt((momenta(measured, rows) ** 2).sum(axis=0))
    assert 0.05 < np.abs(p / 0.6 - 1).mean() < 0.5
    untouched = np.setdiff1d(np.arange(N), rows)
    assert np.array_equal(measured.px[untouched], after.px[untouched])


def test_what_the_detector_sees_of_a_decay():
    """Links to the truth stay; a decayed pion leaves no shower, its muon does; without decays every track is a pion."""
    truth = gun([211] * 20_000, 0.5, 0.1, PHI[:20_000])
    on = simulate(truth, PLAIN, seed=5)
    off = simulate(truth, card_with("besiii", matter={"decays": False}), seed=5)
    assert (on.track_truth == 0).all()
    assert (on.shower_truth <= 0).all()
    assert np.isfinite(on.helix).all()
    extra = np.diff(on.track_offsets)
    assert 100 < (extra == 2).sum() < 600
    assert (np.diff(off.track_offsets) <= 1).all()


def test_switch():
    off = card_with(matter={"decays": False})
    before, after, kinks = decayed(211, 0.3, card=off)
    assert after is before
    assert len(kinks.parents) == 0
