"""Signal shapes: integrals against quadrature and scipy's Crystal Ball, fits of simulated residuals, interpolation."""

from itertools import pairwise

import numpy as np
import pytest
from besfast.analysis.bump_hunt.templates import (
    SignalShape,
    bin_fractions,
    cumulative,
    density,
    fit_shape,
    interpolate_shape,
    signal_shape,
)
from scipy import integrate, stats
from scipy.special import erf

SHAPE = signal_shape(0.008, shift=-0.001, alpha_low=1.2, power_low=3.0, alpha_high=1.8, power_high=6.0)


def test_cumulative_is_the_integral_of_the_density():
    edges = (-0.2, -0.0106, 0.003, 0.0134, 0.1)  # two of them where the tails begin
    for low, high in pairwise(edges):
        expected, _ = integrate.quad(lambda r: float(density(SHAPE, r)), low, high, epsabs=1e-13, epsrel=1e-12)
        assert cumulative(SHAPE, high) - cumulative(SHAPE, low) == pytest.approx(expected, abs=1e-10)
    assert cumulative(SHAPE, -1e9) == pytest.approx(0.0, abs=1e-12)
    assert cumulative(SHAPE, 1e9) == pytest.approx(1.0, abs=1e-12)


def test_density_is_continuous_where_the_tails_begin():
    for z in (-1.2, 1.8):
        at = -0.001 + 0.008 * z
        below, above = density(SHAPE, at - 1e-9), density(SHAPE, at + 1e-9)
        assert above == pytest.approx(below, rel=1e-5)
        slopes = [(density(SHAPE, at + s * 2e-6) - density(SHAPE, at + s * 1e-6)) / (s * 1e-6) for s in (-1, 1)]
        assert slopes[0] == pytest.approx(slopes[1], rel=2e-3)


def test_one_tail_is_scipys_crystal_ball():
    one = signal_shape(1.0, alpha_low=1.3, power_low=2.5)
    r = np.linspace(-20.0, 4.0, 61)
    oracle = stats.crystalball(1.3, 2.5)
    np.testing.assert_allclose(density(one, r), oracle.pdf(r), rtol=1e-12)
    np.testing.assert_allclose(cumulative(one, r), oracle.cdf(r), rtol=1e-9)


def test_without_tails_a_gaussian():
    edges = np.round(np.arange(1.9, 2.1001, 0.002), 10)
    fractions = bin_fractions(signal_shape([0.005, 0.012]), [2.0, 2.003], edges)
    for row, mass, sigma in zip(fractions, (2.0, 2.003), (0.005, 0.012)):
        z = (edges - mass) / (np.sqrt(2.0) * sigma)
        np.testing.assert_allclose(row, 0.5 * np.diff(erf(z)), atol=1e-15)
    assert fractions.sum(axis=1) == pytest.approx(1.0, abs=1e-12)


def test_fractions_are_not_renormalised():
    edges = np.array([1.996, 2.0])
    assert bin_fractions(signal_shape(0.004), 2.0, edges).sum() == pytest.approx(0.5 * erf(1.0 / np.sqrt(2.0)))


def test_fit_of_simulated_residuals():
    """Seed 3, 20 000 residuals: the core within four of its errors, a curve as probable as the truth."""
    rng = np.random.default_rng(3)
    grid = np.linspace(-0.4, 0.4, 200_001)
    residuals = np.interp(rng.random(20_000), cumulative(SHAPE, grid), grid)
    fitted = fit_shape(residuals)
    assert fitted.sigma == pytest.approx(0.008, rel=0.02)
    assert fitted.shift == pytest.approx(-0.001, abs=4e-4)
    assert fitted.alpha_low == pytest.approx(1.2, rel=0.1)
    gain = np.sum(np.log(density(fitted, residuals) / density(SHAPE, residuals)))
    assert 0.0 < gain < 10.0  # half a chi squared of six degrees of freedom, p = 3e-3
    test = stats.kstest(residuals, lambda r: cumulative(fitted, r))
    assert test.pvalue > 0.05


def test_interpolation_passes_through_its_nodes_and_stays_between():
    nodes = np.array([1.5, 2.0, 2.5, 3.4])
    shapes = signal_shape([0.005, 0.007, 0.0085, 0.012], alpha_low=[1.2, 1.3, 1.2, 1.1])
    at_nodes = interpolate_shape(nodes, nodes, shapes)
    for own, other in zip(at_nodes, shapes):
        np.testing.assert_allclose(own, other, rtol=1e-14)
    between = interpolate_shape(np.linspace(2.0, 2.5, 11), nodes, shapes)
    assert np.all(np.diff(between.sigma) > 0.0)
    assert np.all((between.alpha_low <= 1.3) & (between.alpha_low >= 1.2))
    alone = interpolate_shape([1.6, 3.0], 2.0, signal_shape([0.007]))
    assert np.array_equal(alone.sigma, [0.007, 0.007])


def test_bad_shapes_name_themselves():
    with pytest.raises(ValueError, match=r"sigma = -0\.01"):
        signal_shape(-0.01)
    with pytest.raises(ValueError, match="power_low = 1,"):
        signal_shape(0.01, power_low=1.0)
    with pytest.raises(ValueError, match="shift = nan"):
        signal_shape(0.01, shift=np.nan)
    with pytest.raises(ValueError, match=r"known from 1\.5 to 2"):
        interpolate_shape([2.2], [1.5, 2.0], signal_shape([0.01, 0.01]))
    with pytest.raises(ValueError, match="at least 100"):
        fit_shape(np.zeros(5))
    with pytest.raises(ValueError, match="finite"):
        fit_shape(np.full(200, np.nan))
    with pytest.raises(ValueError, match="the same"):
        fit_shape(np.zeros(200))


def test_widened_changes_the_resolution_alone():
    wide = SHAPE.widened(1.01)
    assert wide.sigma == pytest.approx(0.00808)
    assert SignalShape(*wide)._replace(sigma=SHAPE.sigma) == SHAPE
