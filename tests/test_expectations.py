"""Smooth expectations, corrections and pseudo-data: known functions come back with honest errors."""

import numpy as np
import pytest
from besfast.analysis.accumulate import UNIT, add_units, unit_sums
from besfast.analysis.corrections import Expected, annihilation_fraction, expected_events, signal_shape
from besfast.analysis.pseudo_data import goodness, poisson_numbers
from besfast.analysis.smooth import product, smooth, smooth_pieces
from scipy import stats

MASS = 1.505 + 0.01 * np.arange(190)


def shape(m):
    return np.exp(0.3 + 0.8 * (m - 2.4) + 0.5 * (m - 2.4) ** 2)


def test_smooth_has_honest_errors():
    """300 noisy copies, seed 1: the fit is unbiased and its pulls have unit width, chi2 is flat (KS p > 0.01)."""
    rng = np.random.default_rng(1)
    sigma = 0.02 * shape(MASS)
    pulls, p_values = [], []
    for _ in range(300):
        fit = smooth(MASS, shape(MASS) + sigma * rng.normal(size=190), sigma**2)
        pulls.append((fit.values - shape(MASS))[::20] / fit.sigma()[::20])
        p_values.append(fit.p_value)
    assert abs(np.mean(pulls)) < 0.1
    assert np.std(pulls) == pytest.approx(1.0, abs=0.15)
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_smooth_of_bin_means():
    """Values that are means over wide bins give the function at the centre, not the mean."""
    edges = np.linspace(1.5, 3.4, 20)
    centre, half = 0.5 * (edges[1:] + edges[:-1]), 0.5 * (edges[1] - edges[0])
    fine = np.linspace(-half, half, 2001)
    means = np.array([shape(c + fine).mean() for c in centre])
    fit = smooth(centre, means, (1e-6 * means) ** 2, half_width=half)
    assert np.allclose(fit.at(MASS).values, shape(MASS), rtol=2e-5)
    naive = smooth(centre, means, (1e-6 * means) ** 2)
    assert np.max(np.abs(naive.at(MASS).values / shape(MASS) - 1)) > 2e-4


def test_pieces_describe_a_kink_that_one_polynomial_does_not():
    kinked = np.where(MASS < 2.95, 0.44, 0.44 - 0.4 * (MASS - 2.95))
    variance = np.full(190, 1e-3**2)
    rng = np.random.default_rng(4)
    values = kinked + 1e-3 * rng.normal(size=190)
    pieces = smooth_pieces(MASS, values, variance, (2.95, 3.2))
    assert [len(fit.values) for fit in pieces.fits] == [145, 25, 20]
    assert np.all(np.abs(pieces.values - kinked) < 5 * pieces.sigma())
    assert all(fit.p_value > 1e-3 for fit in pieces.fits)
    assert pieces.covariance().shape == (190, 190)
    assert pieces.covariance()[0, 189] == 0.0
    assert smooth(MASS, values, variance, min_order=2).order > max(fit.order for fit in pieces.fits)


def test_product_carries_both_errors():
    """The variance of a product against 400 copies of both factors, seed 2; error of a variance 7 %."""
    rng = np.random.default_rng(2)
    breaks, found = (2.95, 3.2), []
    first_sigma, second_sigma = 0.01 * shape(MASS), np.full(190, 0.004)
    for _ in range(400):
        first = smooth(MASS, shape(MASS) + first_sigma * rng.normal(size=190), first_sigma**2)
        second = smooth_pieces(MASS, 0.4 + second_sigma * rng.normal(size=190), second_sigma**2, breaks)
        values, covariance = product(first, second, 1e4)
        found.append(values[::40])
    assert np.allclose(np.mean(found, axis=0), 4e3 * shape(MASS)[::40], rtol=1e-3)
    ratio = np.var(found, axis=0) / np.diag(covariance)[::40]
    assert np.all((ratio > 0.6) & (ratio < 1.7))


def test_smooth_needs_bins():
    with pytest.raises(ValueError, match="at least"):
        smooth(MASS[:5], np.ones(5), np.ones(5))


def test_containment_of_a_gaussian():
    """For a resolution sigma the containment, averaged over the bin, is known in closed form; 5 sigma."""
    rng, sigma, width = np.random.default_rng(3), 0.006, 0.01
    masses = np.linspace(1.5, 3.4, 20)
    shape = signal_shape(masses, [m + sigma * rng.normal(size=20_000) for m in masses], MASS, width)
    found = shape.containment
    assert np.all(np.abs(shape.resolution.values - sigma) < 5 * shape.resolution.sigma())
    z = width / sigma
    exact = 2 * stats.norm.cdf(z) - 1 - 2 / z * (stats.norm.pdf(0) - stats.norm.pdf(z))
    assert np.all(np.abs(found.values - exact) < 5 * found.sigma())
    assert np.all(found.sigma() < 0.003)


def test_annihilation_fraction_of_two_samples():
    rng = np.random.default_rng(6)
    true = 0.07 * np.exp(-0.7 * (MASS - 1.5))
    top, bottom = np.zeros((2, 190)), np.zeros((2, 190))
    top[1], bottom[1] = rng.poisson(4e4 * np.ones(190)), rng.poisson(4e4 * np.ones(190))
    fraction = annihilation_fraction(
        MASS, expected_events(top * true, top * true**2, 1.0), Expected(bottom, bottom), (2.95, 3.2)
    )
    assert np.all(np.abs(fraction.values - true) < 5 * fraction.sigma())
    assert np.median(fraction.sigma() / fraction.values) < 0.005


def test_poisson_numbers_are_poisson_and_keyed():
    """Means of 20000 numbers and their variance (5 sigma); a number depends on seed, label and place alone."""
    means = np.full(20_000, 7.5)
    numbers = poisson_numbers(means, 11)
    assert abs(numbers.mean() - 7.5) < 5 * np.sqrt(7.5 / 20_000)
    assert numbers.var() == pytest.approx(7.5, rel=0.06)
    assert np.array_equal(poisson_numbers(means[:100], 11), numbers[:100])
    assert not np.array_equal(poisson_numbers(means[:100], 12), numbers[:100])
    assert not np.array_equal(poisson_numbers(means[:100], 11, 1), numbers[:100])
    large = poisson_numbers(np.array([[0.0, 5e5]]), 1)
    assert large[0, 0] == 0.0
    assert abs(large[0, 1] - 5e5) < 6 * np.sqrt(5e5)
    with pytest.raises(ValueError, match="expectation"):
        poisson_numbers(np.array([-1.0]), 1)


def test_goodness_counts_the_errors_of_the_expectation():
    """Expectations off by their common error: the chi2 is flat with their covariance (KS p > 0.01), far off without."""
    rng, mean = np.random.default_rng(9), np.full(50, 1e4)
    covariance = 0.02**2 * np.outer(mean, mean)
    p_values, naive = [], []
    for _ in range(200):
        counts = rng.poisson(mean * (1 + 0.02 * rng.normal())).astype(float)
        p_values.append(goodness(counts, mean, covariance)[2])
        naive.append(goodness(counts, mean, 0.0 * covariance)[2])
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    assert np.median(naive) < 1e-6


def test_sums_do_not_depend_on_the_chunks():
    rng = np.random.default_rng(8)
    n, n_bins = 40 * UNIT, 7
    number, index, weight = np.arange(n), rng.integers(0, n_bins, n), rng.lognormal(0, 3, n)
    totals = []
    for chunk in (UNIT, 8 * UNIT, 40 * UNIT):
        total = np.zeros(n_bins)
        for start in range(0, n, chunk):
            of = slice(start, start + chunk)
            sums = unit_sums(number[of], start, chunk // UNIT, index[of], n_bins, weight[of])
            total = add_units(total, sums)
        totals.append(total)
    assert np.array_equal(totals[0], totals[1])
    assert np.array_equal(totals[0], totals[2])
    assert np.allclose(totals[0], np.bincount(index, weights=weight), rtol=1e-12)
