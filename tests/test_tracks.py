"""Simulated tracks: pulls, correlations, tails, resolution, efficiency, bremsstrahlung."""

import math

import numpy as np
import pytest
from besfast.constants import ELECTRON, M_E, M_MU, M_P, MUON, PION, PROTON
from besfast.detector.covariance import helix_covariance
from besfast.event import D_RHO, DZ, HELIX_NAMES, KAPPA, PHI0, TAN_LAMBDA
from besfast.geometry.card import load_card
from besfast.geometry.helix import helix_at_origin
from besfast.sim import track_stages
from besfast.sim.particles import species_of
from besfast.sim.simulate import simulate
from scipy import special, stats

from .gun import card_with, gun, truth_of, uniform_gun

FULL = card_with(
    mdc={"tail_fraction": 0.0, "efficiency_muon": 1.0, "pt_threshold": 0.0, "pt_width": 1e-3},
    beam={"spot": (0.0, 0.0, 0.0)},
)


def residuals(truth, card, seed=5):
    """Return measured minus true helices, shape (n, 5), their covariances (n, 5, 5), and rows of the truth."""
    record = simulate(truth, card, seed=seed)
    rows = truth_of(truth, record.track_offsets, record.track_truth)
    columns = (truth.vx, truth.vy, truth.vz, truth.px, truth.py, truth.pz)
    true = np.array([helix_at_origin(*(c[i] for c in columns), float(truth.charge[i]), card.field.bz) for i in rows])
    residual = record.helix - true
    residual[:, PHI0] = np.angle(np.exp(1j * residual[:, PHI0]))
    matrix = np.empty((len(rows), 5, 5))
    for i in range(5):
        for k in range(i + 1):
            matrix[:, i, k] = matrix[:, k, i] = record.covariance[:, i * (i + 1) // 2 + k]
    return residual, matrix, rows


REGIONS = [
    ((0.25, 0.6), (-0.6, 0.6)),
    ((0.6, 1.9), (-0.6, 0.6)),
    ((0.5, 1.9), (0.6, 0.82)),
    ((0.5, 1.9), (-0.92, -0.82)),
]


@pytest.mark.parametrize(("p", "cosine"), REGIONS)
def test_pulls_have_unit_width(p, cosine):
    """20 000 muons per region, forward ones among them: width 1 within 2 %, mean 0, Gaussian by KS p > 0.001 each."""
    residual, matrix, _ = residuals(uniform_gun(20_000, 31, p=p, cosine=cosine), FULL)
    n = len(residual)
    assert n > 15_000
    pulls = residual / np.sqrt(np.diagonal(matrix, axis1=1, axis2=2))
    for k, name in enumerate(HELIX_NAMES):
        assert abs(pulls[:, k].std() - 1.0) < 0.02, name
        assert abs(pulls[:, k].mean()) < 4.0 / math.sqrt(n), name
        assert stats.kstest(pulls[:, k], "norm").pvalue > 1e-3, name


def test_normalised_residuals_are_uncorrelated():
    """L^-1 r is five independent normal deviates, and r C^-1 r is chi2 of 5 degrees of freedom (KS p > 0.001)."""
    residual, matrix, _ = residuals(uniform_gun(20_000, 32, p=(0.3, 1.9), cosine=(-0.9, 0.9)), FULL)
    n = len(residual)
    normal = np.linalg.solve(np.linalg.cholesky(matrix), residual[:, :, None])[:, :, 0]
    correlation = np.corrcoef(normal.T)
    assert np.abs(correlation - np.eye(5)).max() < 4.0 / math.sqrt(n)
    assert np.abs(normal.std(axis=0) - 1.0).max() < 0.02
    assert stats.kstest((normal**2).sum(axis=1), stats.chi2(5).cdf).pvalue > 1e-3
    # the helix parameters themselves are strongly correlated
    raw = np.corrcoef((residual / np.sqrt(np.diagonal(matrix, axis1=1, axis2=2))).T)
    assert abs(raw[D_RHO, PHI0]) > 0.5
    assert abs(raw[DZ, TAN_LAMBDA]) > 0.5


def test_tails():
    """8 % of the tracks have twice the width: rms sqrt(1 + 0.08 x 3) = 1.114, the core stays normal."""
    card = card_with(mdc={"efficiency_muon": 1.0}, beam={"spot": (0.0, 0.0, 0.0)})
    residual, matrix, _ = residuals(uniform_gun(40_000, 33, cosine=(-0.8, 0.8)), card)
    pull = residual[:, KAPPA] / np.sqrt(matrix[:, KAPPA, KAPPA])
    assert abs(pull.std() - math.sqrt(1.24)) < 0.02
    counts, edges = np.histogram(pull, bins=15, range=(-1.5, 1.5))
    shape = 0.92 * np.diff(special.ndtr(edges)) + 0.08 * np.diff(special.ndtr(edges / 2.0))
    expected = len(pull) * shape
    assert stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), 15) > 0.01
    # a normal distribution fitted to the core only is wider than one by the share of the tails there
    core = pull[np.abs(pull) < 1.5]
    assert 0.99 < core.std() / stats.truncnorm(-1.5, 1.5).std() < 1.03
    # the tails are common to the five parameters of a track: beyond 3 sigma they are found together
    far = np.abs(residual[:, [D_RHO, TAN_LAMBDA]]) > 3.0 * np.sqrt(matrix[:, [D_RHO, TAN_LAMBDA], [D_RHO, TAN_LAMBDA]])
    assert far.all(axis=1).mean() > 5 * far[:, 0].mean() * far[:, 1].mean()


def test_momentum_resolution_of_simulated_tracks():
    """sigma(pt)/pt = 0.474 % at 1 GeV and 90 degrees: 20 000 muons, 0.5 % statistical error, 2 % allowed."""
    truth = gun([13] * 20_000, 1.0, 0.0, np.linspace(-3.1, 3.1, 20_000))
    residual, _, _ = residuals(truth, FULL)
    assert abs(residual[:, KAPPA].std() / 0.00474 - 1.0) < 0.02


@pytest.mark.parametrize(("mass", "pdg"), [(M_E, 11), (M_MU, -13), (M_P, 2212)])
def test_stored_covariance_is_the_direct_evaluation(mass, pdg):
    """The table that is interpolated per track agrees with the recursion over the layers: 1 % of sigma, 2 % forward."""
    p, cosine = np.array([0.35, 0.9, 1.7, 1.1]), np.array([0.1, -0.5, 0.75, 0.88])
    truth = gun([pdg] * 4, p, cosine, 0.3)
    direct, _ = helix_covariance(FULL, p, cosine, float(truth.charge[0]), mass)
    record = simulate(
        truth,
        card_with(
            mdc={"efficiency_muon": 1.0, "efficiency_hadron": 1.0, "efficiency_electron": 1.0, "smear": False},
            trigger={"efficiency": 1.0},
            matter={"ionisation": False, "bremsstrahlung": False, "conversion": False, "decays": False},
        ),
        seed=1,
    )
    assert len(record.helix) == 4
    for k in (0, 2, 5, 9, 14):
        assert np.allclose(np.sqrt(record.covariance[:, k]), np.sqrt(direct[k]), rtol=[0.01, 0.01, 0.01, 0.02])


def test_covariance_scale_changes_what_is_stored_not_what_is_smeared():
    truth = uniform_gun(500, 35, cosine=(-0.7, 0.7))
    one, four = (simulate(truth, card_with(mdc={"covariance_scale": s}), seed=2) for s in (1.0, 4.0))
    assert np.array_equal(one.helix, four.helix)
    assert np.allclose(four.covariance, 4.0 * one.covariance, rtol=1e-14)


def test_efficiency():
    """98.8 % above 0.3 GeV inside |cos theta| < 0.9, half at 55 MeV of pt by the turn-on, nothing beyond 0.95."""
    card = load_card("besiii")

    def found(truth):
        return np.diff(simulate(truth, card_with(trigger={"efficiency": 1.0}), seed=6).track_offsets)

    n = 20_000
    plateau = found(uniform_gun(n, 36, p=(0.5, 1.9), cosine=(-0.85, 0.85))).mean()
    assert abs(plateau - 0.988) < 4 * math.sqrt(0.012 / n)
    electrons = found(uniform_gun(n, 37, pdg=(11, -11), p=(0.5, 1.9), cosine=(-0.85, 0.85))).mean()
    assert abs(electrons - 0.985) < 4 * math.sqrt(0.015 / n) + 0.001
    edge = gun([13] * 2000, 1.0, np.linspace(0.90, 0.96, 2000), 0.1)
    seen = found(edge)
    cosine = edge.pz / 1.0
    assert seen[cosine > 0.95].sum() == 0
    assert seen[cosine < 0.915].mean() > 0.96
    soft = gun([13] * 4000, np.repeat([0.085, 0.12], 2000), 0.0, 0.1)
    share = found(soft).reshape(2, -1).mean(axis=1)
    for pt, value in zip((0.085, 0.12), share):
        expected = 0.988 * 0.5 * (1 + special.erf((pt - card.mdc.pt_threshold) / card.mdc.pt_width))
        assert abs(value - expected) < 4 * math.sqrt(expected * (1 - expected) / 2000) + 1e-3


def test_the_chamber_ends_below_50_mev():
    """A muon of 1 MeV turns back in the beam pipe; the table of the layers is not continued below its end."""
    assert simulate(gun([13, -211, 2212], [1e-3, 0.02, 0.049], 0.1, 0.3), "ideal", seed=1).track_offsets[-1] == 0
    assert simulate(gun([13, -211, 2212], [0.06, 0.06, 0.06], 0.1, 0.3), "ideal", seed=1).track_offsets[-1] == 3


def test_species_of_exotic_particles():
    """Leptons are tracked as muons, mesons as pions, baryons and nuclei as protons."""
    pdg = np.array([11, -13, 15, 211, -321, 411, 2212, 3222, -3112, 1000010020], dtype=np.int32)
    wanted = [ELECTRON, MUON, MUON, PION, 3, PION, PROTON, PROTON, PROTON, PROTON]
    assert species_of(pdg).tolist() == wanted


def test_stages_agree_with_the_formulas():
    """The scratch of a block holds what the formulas give one by one."""
    rng = np.random.default_rng(40)
    s = np.zeros(track_stages.ROWS * 1024)
    rows = s.reshape(track_stages.ROWS, 1024)
    n = 7
    state = rng.normal(0, 0.5, (6, n))
    charge = rng.choice([-1.0, 1.0], n)
    rows[19:25, :n], rows[25, :n] = state, charge
    track_stages.helix_stage(s, n, 1.0)
    for j in range(n):
        assert np.allclose(rows[6:11, j], helix_at_origin(*state[:, j], charge[j], 1.0), rtol=1e-13)
        assert math.isclose(rows[17, j], math.sqrt((state[3:, j] ** 2).sum()), rel_tol=1e-14)
