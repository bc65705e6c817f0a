"""Muon counter: thresholds against a forward integration, responses, and the distribution that is expected."""

import dataclasses
import math

import numpy as np
import pytest
from besfast.constants import ELECTRON, KAON, M_MU, MUON, PION
from besfast.detector import material, muc, muc_quantile, quantile
from besfast.detector.muc_table import HYPOTHESIS, gap_momenta, muc_table
from besfast.geometry.card import load_card
from besfast.kernel import BLOCK, blocks
from besfast.rng import key
from scipy import stats

BESIII, IDEAL = load_card("besiii"), load_card("ideal")
SEEN = dataclasses.replace(BESIII, muc=dataclasses.replace(BESIII.muc, track_efficiency=1.0))
N = 100_000
K0, K1 = key(20)
EVENT, PARTICLE = np.arange(N, dtype=np.uint64), np.zeros(N, dtype=np.uint64)
MUC, MUC_TABLE = muc.parameters(BESIII), muc_table(BESIII)


def chamber(p, cosine, hypothesis, card=SEEN, n=N):
    """Return depth, layers and distance to the hits of particles of one momentum and cos(theta)."""
    depth, layers, residual = np.empty(n), np.empty(n), np.empty(n)
    phi = np.random.default_rng(40).uniform(-np.pi, np.pi, n)
    kind = np.full(n, hypothesis, dtype=np.uint64)
    columns = EVENT[:n], PARTICLE[:n], np.full(n, float(p)), np.full(n, float(cosine)), phi, kind
    muc.muc_stage(K0, K1, *columns, muc_table(card), muc.parameters(card), depth, layers, residual)
    return depth, layers, residual


def tails(p, cosine, depth, residual, hadron, card=SEEN):
    """Return the probabilities to be seen deeper, and deeper or nearer."""
    n, constants = len(depth), muc.parameters(card)
    curves, scratch, found = muc_quantile.muc_curves(card, constants), np.empty((4, BLOCK)), []
    for b in blocks(n):
        columns = np.full(b.stop - b.start, float(p)), np.full(b.stop - b.start, float(cosine)), depth[b], residual[b]
        muc_quantile.depth_stage(*columns, curves, constants, scratch.reshape(-1))
        found.append(scratch[2 if hadron else 0 :][:2, : b.stop - b.start].copy())
    return np.concatenate(found, axis=1)


def thresholds(hypothesis, path_factor=1.0, gaps=9):
    node, momentum = np.empty(1, dtype=np.uint64), np.empty(1)
    fraction, factor, across = np.empty(1), np.empty(1), np.empty(1)
    muc.path_stage(np.array([math.sqrt(1.0 - 1.0 / path_factor**2)]), MUC, node, fraction, factor, across)
    result = []
    for gap in range(gaps):
        muc.threshold_stage(MUC_TABLE, node, fraction, np.uint64(hypothesis) * HYPOTHESIS + np.uint64(gap), momentum)
        result.append(momentum[0])
    return np.array(result)


def test_smallest_momenta_of_the_gaps():
    # an independent integration found these; ours has less matter in front (24 MeV), the iron agrees to 3 %
    muon = np.array([0.38, 0.41, 0.45, 0.48, 0.53, 0.58, 0.68, 0.77, 0.87])
    assert np.abs(thresholds(MUON) / muon - 1).max() < 0.07
    energy = np.sqrt(thresholds(MUON) ** 2 + M_MU**2)
    expected = np.sqrt(muon**2 + M_MU**2)
    np.testing.assert_allclose(energy - energy[0], expected - expected[0], atol=0.015)
    assert np.abs(thresholds(PION)[[0, 8]] / [0.42, 0.90] - 1).max() < 0.07
    inclined = thresholds(MUON, 1 / math.sqrt(0.51))[[0, 2, 5, 8]]
    assert np.abs(inclined / [0.48, 0.58, 0.76, 1.18] - 1).max() < 0.07
    assert (thresholds(ELECTRON) > 1e6).all()
    assert thresholds(KAON)[0] > thresholds(PION)[0]


def test_energy_lost_to_reach_a_gap_by_forward_integration():
    # oracle: small forward steps from the threshold found must stop in the last iron
    p = thresholds(MUON)[4] * 1.0005
    kinetic = math.sqrt(p**2 + M_MU**2) - M_MU
    stack = ((material.SCINTILLATOR, 10.0), (material.CAESIUM_IODIDE, 28.0), (material.ALUMINIUM, 5.5))
    for stuff, length in (*stack, (material.IRON, 2.2 + 13.0)):
        step = length / 4000
        for _ in range(4000):
            bg = math.sqrt(max(kinetic, 1e-3) * (max(kinetic, 1e-3) + 2 * M_MU)) / M_MU
            kinetic -= step * float(material.stopping_power(np.float64(bg), M_MU, stuff))
    assert abs(kinetic) < 0.005


def test_muons_are_found_in_the_chambers():
    for cosine in (0.0, 0.3, 0.55):
        for p in (0.7, 1.0, 1.6):
            depth, layers, _ = chamber(p, cosine, MUON)
            inside = np.isfinite(depth)
            assert inside.mean() == pytest.approx(0.97, abs=0.003)  # cracks between octants
            assert (layers[inside] >= 4).mean() > 0.99
            kept, _, _ = chamber(p, cosine, MUON, BESIII)
            assert (kept[inside] > 0.0).mean() == pytest.approx(0.97, abs=0.004)
    depth, layers, residual = chamber(0.3, 0.0, MUON)
    assert np.nanmax(depth) == 0.0
    assert layers.max() == 0
    assert np.isnan(residual).all()


def test_half_of_the_muons_at_500_mev():
    # averaged over |cos theta| < 0.6, four layers are reached by about half
    found = [(chamber(0.5, cosine, MUON, n=20_000)[1] >= 4).mean() for cosine in np.arange(0.03, 0.6, 0.06)]
    assert 0.3 < np.mean(found) < 0.75


def test_hit_efficiency_is_that_of_independent_layers():
    depth, layers, _ = chamber(1.6, 0.0, MUON)
    inside = layers[np.isfinite(depth)]
    counts = np.bincount(inside.astype(int), minlength=10)
    expected = stats.binom.pmf(np.arange(10), 9, 0.96) * len(inside)
    high = expected > 5
    observed = np.append(counts[high], counts[~high].sum())
    total = np.append(expected[high], expected[~high].sum())
    assert stats.chisquare(observed, total * observed.sum() / total.sum()).pvalue > 0.01  # fixed seed


def test_pions_are_absorbed():
    without_leakage = dataclasses.replace(SEEN, muc=dataclasses.replace(SEEN.muc, leakage_fraction=0.0))
    _, layers, _ = chamber(1.6, 0.0, PION, without_leakage)
    iron = np.cumsum(BESIII.muc.barrel.iron)
    reached = np.exp(-1.18 - iron / 16.8)
    covered = 0.97 * 0.96
    assert (layers >= 1).mean() == pytest.approx(0.97 * reached[0], abs=0.02)
    assert layers.mean() == pytest.approx(covered * reached.sum(), rel=0.02)


def test_survival_of_hadrons_and_their_secondaries():
    """Against a toy: an exponential depth of interaction, and with probability 0.35 another exponential added."""
    rng = np.random.default_rng(41)
    depth = rng.exponential(16.8, 2_000_000)
    depth += np.where(rng.random(depth.size) < 0.35, rng.exponential(15.0, depth.size), 0.0)
    iron = np.array([0.0, 5.0, 20.0, 40.0, 60.0])
    expected = [(depth > x).mean() for x in iron]
    np.testing.assert_allclose(muc_quantile.survival(iron, MUC), expected, atol=4 * 0.5 / math.sqrt(depth.size))
    equal = MUC._replace(leakage_length=16.8, leakage_fraction=1.0)
    np.testing.assert_allclose(muc_quantile.survival(iron, equal), (1 + iron / 16.8) * np.exp(-iron / 16.8), rtol=2e-3)


def test_polynomials_are_the_thresholds():
    """Momenta of the gaps to 0.1 % between the nodes, at all inclinations of the barrel."""
    factors = (1.0, 1.05, 1.17, 1.22, 1.41, 1.5)
    exact = gap_momenta(BESIII, True, MUON, factors)
    curves = muc_quantile.muc_curves(BESIII, MUC).reshape(2, 10, -1)
    for gap in range(9):
        curve = tuple(curves[0, gap, 2:7])
        found = [muc_quantile._value(curve, factor) for factor in factors]
        np.testing.assert_allclose(found, exact[:, gap], rtol=1e-3)


@pytest.mark.parametrize(("kind", "hadron"), [(MUON, False), (PION, True)])
@pytest.mark.parametrize(("p", "cosine"), [(0.55, 0.2), (0.7, 0.0), (0.83, 0.5), (1.5, 0.3), (1.2, 0.8)])
def test_distribution_of_the_depth(kind, hadron, p, cosine):
    """The fraction seen deeper than each layer is that of simulated particles: to 0.005 at any threshold."""
    depth, _, residual = chamber(p, cosine, kind)
    inside = np.isfinite(depth)
    depth, residual = depth[inside], residual[inside]
    beyond, _ = tails(p, cosine, depth, residual, hadron)
    order = np.where(np.isnan(residual), -1.0, depth)
    for value in np.unique(order):
        assert beyond[order == value][0] == pytest.approx((order > value).mean(), abs=0.005)


@pytest.mark.parametrize(("p", "cosine"), [(0.7, 0.0), (1.0, 0.3), (1.6, 0.5)])
def test_muons_are_uniform_in_their_quantile(p, cosine):
    """Depth and distance together are continuous: Kolmogorov's distance below 0.006, where the depth alone has 0.9."""
    depth, _, residual = chamber(p, cosine, MUON)
    inside = np.isfinite(depth)
    _, upper = tails(p, cosine, depth[inside], residual[inside], False)
    assert stats.kstest(upper, "uniform").statistic < 0.006
    # tracks without hits stand in the middle of their part
    depth, _, residual = chamber(p, cosine, MUON, BESIII)
    lost = np.isfinite(depth) & np.isnan(residual)
    _, upper = tails(p, cosine, depth[lost], residual[lost], False, BESIII)
    assert upper == pytest.approx(0.985, abs=0.002)


def test_distance_to_the_hits():
    """Rayleigh's distribution: strips of 1.4 cm and 3.6 cm GeV / (p beta) of scattering in both coordinates."""
    for p in (0.8, 1.6):
        _, _, residual = chamber(p, 0.1, MUON)
        distance = residual[np.isfinite(residual)]
        variance = 1.4**2 + (3.6 * math.sqrt(p**2 + M_MU**2) / p**2) ** 2
        assert muc.match_variance(p, MUC) == pytest.approx(variance, rel=1e-12)
        assert stats.kstest(distance, stats.rayleigh(scale=math.sqrt(variance)).cdf).pvalue > 0.01  # fixed seed
    _, layers, residual = chamber(1.0, 0.1, PION)
    wide = np.nanmean(residual**2) / (2 * muc.match_variance(1.0, MUC))
    assert wide > 1.5, "secondaries spread"
    assert (np.isfinite(residual) == (layers > 0)).all()


def test_electrons_leave_nothing():
    depth, layers, _ = chamber(1.5, 0.1, ELECTRON)
    assert np.nanmax(depth) == 0
    assert layers.max() == 0


def test_coverage():
    assert muc.covered(0.5, 0.0, MUC)
    assert muc.covered(-0.85, 0.0, MUC)
    assert not muc.covered(0.90, 0.0, MUC)
    assert not muc.covered(0.5, math.pi / 8, MUC)
    assert muc.covered(0.5, math.pi / 8 - 0.03, MUC)
    # the last gaps end at smaller |cos theta|
    deep, _, _ = chamber(1.6, 0.6, MUON, n=5000)
    short, _, _ = chamber(1.6, 0.72, MUON, n=5000)
    assert np.nanmax(deep) > np.nanmax(short)


def test_ideal_muon_counter_shows_the_range():
    depth, layers, residual = chamber(1.6, 0.3, MUON, IDEAL, n=1000)
    assert (layers == 9).all()
    assert depth == pytest.approx(41.0 / math.sqrt(1 - 0.09))
    assert not residual.any()


def test_normal_quantile():
    """Against scipy from 1e-12 to 1 - 1e-12: the published 4.5e-4, symmetric."""
    p = np.concatenate([np.geomspace(1e-12, 0.5, 200), 1 - np.geomspace(1e-12, 0.49, 100)])
    found = np.array([quantile.upper_quantile(value) for value in p])
    assert np.abs(found - stats.norm.isf(p)).max() < 5e-4


def test_tail_is_part_of_the_distribution():
    """A core with 5 % of deviates in a high tail becomes standard normal; without a tail nothing changes."""
    rng = np.random.default_rng(42)
    g = rng.standard_normal(400_000)
    x = np.where(rng.random(g.size) < 0.05, 3.0 * np.abs(g), g)
    assert stats.kstest(x, "norm").pvalue < 1e-6
    quantile.tail_stage(quantile.tail_table(0.05, 3.0), x)
    assert stats.kstest(x, "norm").pvalue > 0.01  # fixed seed
    strange = np.array([np.nan, np.inf, -np.inf, 1e3, -1e3])
    quantile.tail_stage(quantile.tail_table(0.05, 3.0), strange)
    assert np.isnan(strange[0])
    assert strange[1] == np.inf
    assert strange[2] == -np.inf
    assert strange[3] > 900 > -900 > strange[4]
    same = g[:1000].copy()
    quantile.tail_stage(quantile.tail_table(0.0, 2.0), same)
    np.testing.assert_allclose(same, g[:1000], atol=2e-3)
