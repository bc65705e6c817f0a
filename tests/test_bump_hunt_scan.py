"""Scans of data and toys: windows, templates in place, limits by toys and by Bayes, look-elsewhere, and bad input."""

import math

import numpy as np
import pytest
from besfast.analysis.bump_hunt import bench
from besfast.analysis.bump_hunt.asymptotics import (
    BANDS,
    CLS_90,
    TWO_SIDED_90,
    cls_convention,
    gaussian_upper,
    log_cls,
    p_value,
    profile_convention,
    significance,
)
from besfast.analysis.bump_hunt.bayes import bayesian_upper, posterior
from besfast.analysis.bump_hunt.channel import Channel
from besfast.analysis.bump_hunt.cls_limit import cls_upper
from besfast.analysis.bump_hunt.lanes import CAREFUL, FAILED, FAST
from besfast.analysis.bump_hunt.linear import linear_scan
from besfast.analysis.bump_hunt.look_elsewhere import (
    global_significance,
    global_significance_by_toys,
    up_crossings,
)
from besfast.analysis.bump_hunt.model import build_model, mass_grid
from besfast.analysis.bump_hunt.newton import LANES, DataSets
from besfast.analysis.bump_hunt.poisson import draw_counts, draw_normals
from besfast.analysis.bump_hunt.scan import check_failures, scan
from besfast.analysis.bump_hunt.templates import signal_shape
from besfast.analysis.bump_hunt.toy_limit import toy_limit
from besfast.analysis.bump_hunt.toys import expected_signal, fitted_background, scan_toys
from besfast.analysis.bump_hunt.window import polynomial_bins, window_at
from besfast.analysis.spectrum import bin_edges, search_bins
from besfast.rng import key
from scipy import integrate, stats
from scipy.special import eval_legendre

from .invented import BINS, channels, expectation, model_of

# --- windows and polynomials ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mass", "low", "high"),
    [
        (2.0, 1.85, 2.15),
        (1.501, 1.5, 1.8),  # kept wide and shifted at the edge of the range
        (2.949, 2.65, 2.95),  # and of the gap
        (2.99, 2.65, 2.95),  # a mass in the gap belongs to the nearer side
        (3.205, 3.2, 3.4),  # a segment shorter than the window is taken whole
        (3.39, 3.2, 3.4),
    ],
)
def test_windows_never_cross_the_gap(mass, low, high):
    window = window_at(BINS, mass, 0.15)
    inside = slice(window.start, window.start + window.size)
    assert BINS.mass_low[inside][0] == pytest.approx(low)
    assert BINS.mass_high[inside][-1] == pytest.approx(high)
    assert np.unique(BINS.segment[inside]).size == 1


def test_polynomials_are_averages_over_bins():
    values = polynomial_bins(7, 6)
    edges = np.linspace(-1.0, 1.0, 8)
    for k in range(7):
        for i in range(7):
            mean, _ = integrate.quad(lambda u, k=k: eval_legendre(k, u), edges[i], edges[i + 1])
            assert values[i, k] == pytest.approx(3.5 * mean, abs=1e-13)


def test_columns_are_orthonormal_and_span_the_model():
    component = np.where(np.abs(BINS.centre - 2.0) < 0.02, 300.0, 10.0)
    model = model_of(
        expectation(),
        [2.0, 2.945],
        component=(component, None),
        component_error=(0.3, 0.0),
        yield_errors=({"a": 0.05}, {"b": 0.1}),
        resolution_errors={"c": 0.1},
    )
    for m in range(2):
        gram = 0.0
        for c in range(2):
            size = model.columns.size[m, c]
            weight = np.append(1.0 / model.columns.base[m, c, :size], 1.0)
            columns = model.columns.columns[m, c, : size + 1]
            gram = gram + columns.T @ (columns * weight[:, None])
            background = columns[:, : model.n_background]
            own = background.T @ (background * weight[:, None])
            np.testing.assert_allclose(own, np.diag(np.round(np.diag(own))), atol=1e-10)
            np.testing.assert_allclose(
                background.T @ (columns * weight[:, None])[:, model.n_background :], 0.0, atol=1e-9
            )
        signal = gram[model.n_background :, model.n_background :]
        assert signal[0, 0] == pytest.approx(1.0)
        np.testing.assert_allclose(np.diag(signal)[1:], model.columns.spread[m], atol=1e-10)
        np.testing.assert_allclose(signal[0, 1:], model.columns.overlap[m], atol=1e-10)
        np.testing.assert_allclose(signal[1:, 1:] - np.diag(np.diag(signal)[1:]), 0.0, atol=1e-10)


def test_containment_at_the_edges_of_the_gap_is_not_renormalised():
    masses = [2.5, 2.945, 2.955, 3.205]
    model = model_of(expectation(), masses)
    assert model.containment[0] == pytest.approx(1.0, abs=0.01)
    assert np.all((model.containment[1] > 0.5) & (model.containment[1] < 0.8))
    assert np.all(model.containment[2] < 0.5)
    result = scan(model)
    assert list(result.flags) == ["", "", "low_containment", ""]
    assert model.unit[1] > 1.2 * model.unit[0]
    assert list(model.segment) == [0, 0, 0, 1]


def test_mass_grid():
    grid = mass_grid(BINS, 0.010)
    assert grid.size == 165
    assert grid[0] == 1.505
    assert grid[144] == 2.945
    assert grid[145] == 3.205
    with pytest.raises(ValueError, match="step = 0"):
        mass_grid(BINS, 0.0)


# --- asymptotic formulas --------------------------------------------------------------------------------------------

# mu_hat in sigma; bounded delta 2.706 and 1.642, unbounded, CLs at 90 %: one bin, Gaussian limit
REFERENCE = np.array(
    [
        (-5, 0.264, 0.162, -3.355, 0.427),
        (-3, 0.421, 0.262, -1.355, 0.643),
        (-2, 0.590, 0.375, -0.355, 0.837),
        (-1, 0.925, 0.626, 0.645, 1.148),
        (0, 1.645, 1.282, 1.645, 1.645),
        (1, 2.645, 2.282, 2.645, 2.378),
        (2, 3.645, 3.282, 3.645, 3.295),
        (3, 4.645, 4.282, 4.645, 4.282),
    ]
)


def test_gaussian_limits():
    best = REFERENCE[:, 0]
    kinds = (TWO_SIDED_90, profile_convention(sides=1), profile_convention(bounded=False), CLS_90)
    for column, convention in enumerate(kinds, 1):
        upper = gaussian_upper(2.0 * best, 2.0, convention) / 2.0
        expected = REFERENCE[:, column]
        if not convention.bounded:
            assert np.array_equal(np.isnan(upper), expected < 0.0)
            expected = np.where(expected < 0.0, np.nan, expected)
        np.testing.assert_allclose(upper, expected, atol=6e-4)
        # the definitions, to rounding
        for x, mu in zip(best, upper):
            if convention.is_cls:
                assert stats.norm.sf(mu - x) / stats.norm.cdf(x) == pytest.approx(0.1, rel=1e-9)
            elif np.isfinite(mu):
                q = (mu - x) ** 2 - (x**2 if x < 0.0 and convention.bounded else 0.0)
                assert q == pytest.approx(convention.delta, rel=1e-9)
    assert TWO_SIDED_90.delta == pytest.approx(2.705543454, abs=1e-9)
    assert profile_convention(sides=1).delta == pytest.approx(1.642374415, abs=1e-9)


def test_cls_of_a_gaussian_and_its_bands():
    """With q = (mu - x)^2 - min(x, 0)^2 and qA = mu^2, CLs is (1 - Phi(mu - x)) / Phi(x) for every x below mu."""
    for x in (-3.0, -0.5, 0.0, 1.2):
        for mu in (max(x, 0.0) + 0.1, 1.7, 4.0):
            q = (mu - x) ** 2 - min(x, 0.0) ** 2
            expected = stats.norm.logsf(mu - x) - stats.norm.logcdf(x)
            assert float(log_cls(q, mu**2)) == pytest.approx(expected, rel=1e-12)
    for convention in (CLS_90, cls_convention(0.95), TWO_SIDED_90, profile_convention(bounded=False)):
        np.testing.assert_allclose(convention.expected_roots(), gaussian_upper(BANDS, 1.0, convention), rtol=1e-12)
    assert float(log_cls(3000.0, 2000.0)) < -100.0  # no underflow


def test_significance():
    np.testing.assert_allclose(significance([4.0, 9.0, -1e-12], [1.0, -2.0, 1.0]), [2.0, -3.0, 0.0])
    np.testing.assert_allclose(p_value([-3.0, 0.0, 3.0]), [0.5, 0.5, stats.norm.sf(3.0)])
    with pytest.raises(ValueError, match="sides = 3"):
        profile_convention(sides=3)
    with pytest.raises(ValueError, match=r"confidence = 1.0"):
        cls_convention(1.0)


# --- toys -----------------------------------------------------------------------------------------------------------


def test_poisson_numbers():
    """Seed 12: chi squared of the counts of 20 000 numbers per mean, p > 1e-3 each; moments within 4 sigma."""
    means = np.array([0.05, 0.7, 5.0, 9.99, 10.0, 35.0, 4000.0, 2e5])
    n = 20_000
    counts = np.empty((1, means.size, n))
    draw_counts(*key(12), 0, means[None], counts)
    for mean, values in zip(means, counts[0]):
        assert np.array_equal(values, np.floor(values))
        assert values.mean() == pytest.approx(mean, abs=4.0 * math.sqrt(mean / n))
        assert values.var() == pytest.approx(mean, abs=4.0 * mean * math.sqrt((2.0 + 1.0 / mean) / n))
        edges = np.unique(stats.poisson.ppf(np.linspace(0.0, 1.0, 21)[1:-1], mean))
        observed = np.bincount(np.searchsorted(edges, values), minlength=edges.size + 1)
        probability = np.diff(np.concatenate([[0.0], stats.poisson.cdf(edges, mean), [1.0]]))
        kept = probability * n > 5.0
        assert (
            stats.chisquare(observed[kept], probability[kept] / probability[kept].sum() * observed[kept].sum()).pvalue
            > 1e-3
        )


def test_toys_have_numbers_of_their_own():
    nu = np.array([[3.0, 0.0, 500.0]])
    whole, part = np.empty((1, 3, 40)), np.empty((1, 3, 7))
    draw_counts(*key(5), 0, nu, whole)
    draw_counts(*key(5), 21, nu, part)
    assert np.array_equal(whole[..., 21:28], part)
    assert np.all(whole[0, 1] == 0.0)
    normals, some = np.empty((2, 4000)), np.empty((2, 7))
    draw_normals(*key(5), 0, normals)
    draw_normals(*key(5), 21, some)
    assert np.array_equal(normals[:, 21:28], some)
    assert np.all(stats.kstest(normals[0], "norm").pvalue > 0.01)
    assert abs(np.corrcoef(normals)[0, 1]) < 0.06


GRID = np.array([1.52, 2.0, 2.3, 2.94, 3.3])


def test_scans_of_toys():
    """Seed 1, 480 toys: pulls of unit width within 4 sigma (p = 6e-5), the same in any blocks and threads."""
    nu = expectation()
    model = model_of(nu, GRID, yield_errors={"efficiency": 0.05})
    toys = scan_toys(model, nu, 480, 1)
    assert toys.failed == 0
    pull = toys.mu_hat / toys.error
    assert np.abs(pull.mean(axis=0)).max() < 4.0 / math.sqrt(480)
    assert pull.std() == pytest.approx(1.0, abs=4.0 / math.sqrt(2 * 480 * 5))
    assert np.abs(toys.z - pull).max() < 0.12
    np.testing.assert_allclose(toys.upper, gaussian_upper(toys.mu_hat, toys.error, TWO_SIDED_90), rtol=0.08)
    threads = scan_toys(model, nu, 37, 1, jobs=2)
    for own, other in zip(threads[:5], toys[:5]):
        assert np.array_equal(own, other[:37])
    assert np.array_equal(scan_toys(model, nu, 3, 1, convention=CLS_90).mu_hat, toys.mu_hat[:3])


def test_a_toy_is_what_its_data_give():
    """A toy scanned as observed data gives the same numbers; its limits too."""
    nu = expectation()
    masses = [2.0, 3.3]
    counts = np.empty((2, BINS.centre.size, 3))
    draw_counts(*key(8), 0, nu, counts)
    toys = scan_toys(model_of(nu, masses), nu, 3, 8)
    result = scan(model_of(counts[..., 2], masses), conventions=(TWO_SIDED_90,))
    np.testing.assert_allclose(toys.mu_hat[2], result.mu_hat, atol=1e-5 * result.error.min())
    np.testing.assert_allclose(toys.z[2], result.z, atol=1e-6)
    np.testing.assert_allclose(toys.upper[2], result.limits[TWO_SIDED_90.name].observed, rtol=1e-5)
    np.testing.assert_allclose(toys.error[2], result.error, rtol=1e-4)


def test_linear_scan():
    """Within 0.05 sigma of exact fits at a thousand and more counts per bin."""
    nu = expectation()
    model = model_of(nu, GRID)
    counts = np.empty((*nu.shape, 32))
    draw_counts(*key(4), 0, nu, counts)
    exact = scan_toys(model, nu, 32, 4)
    linear = linear_scan(model, np.ascontiguousarray(counts.transpose(2, 0, 1)))
    assert np.abs(linear - exact.mu_hat / model.unit).max() < 0.05


def test_injected_signals_come_back():
    """Seed 3, 320 toys with a signal of three sigma: the mean within 4 sigma."""
    nu = expectation()
    model = model_of(nu, [2.4])
    injected = 3.0 * model.unit[0]
    toys = scan_toys(model, nu + expected_signal(model, 0, injected), 320, 3)
    assert toys.mu_hat.mean() / model.unit[0] == pytest.approx(3.0, abs=4.0 / math.sqrt(320))
    assert toys.z.mean() == pytest.approx(3.0, abs=0.25)
    signal = expected_signal(model, 0, 1.0)
    np.testing.assert_allclose(signal.sum(axis=1), [1e7, 8e6], rtol=0.01)


def test_fitted_background_is_smooth():
    nu = expectation()
    model = model_of(np.random.default_rng(2).poisson(nu).astype(float), mass_grid(BINS, 0.05))
    curve = fitted_background(model)
    pull = (curve - nu) / np.sqrt(nu)
    assert np.abs(pull).max() < 1.0
    assert pull.std() < 0.25
    with pytest.raises(ValueError, match="give an expectation"):
        fitted_background(model_of(nu, [2.0]))


def test_few_events_are_fitted_with_care_and_counted():
    nu = expectation(2e-4)  # 0.2 to 0.8 counts of mumu per bin
    model = model_of(np.random.default_rng(6).poisson(nu).astype(float), GRID, yield_errors={"efficiency": 0.05})
    toys = scan_toys(model, nu, 64, 2)
    assert toys.failed == 0
    assert np.count_nonzero(toys.status == CAREFUL) > 30
    assert np.all(np.isfinite(toys.upper) & (toys.upper > 0.0))
    result = scan(model)
    assert np.all(["few_events" in flag for flag in result.flags])
    assert np.all(np.diff([limit.expected for limit in result.limits.values()], axis=1) > 0.0)


def test_failures_are_an_error():
    check_failures(1, 100)
    check_failures(10, 10_000)
    with pytest.raises(RuntimeError, match="11 of 10000 fits failed"):
        check_failures(11, 10_000)


def test_a_lane_that_cannot_be_fitted_fails():
    """A signal so negative that no background keeps the expectation above zero."""
    model = model_of(expectation(), 2.0)
    data = bench.repeated(model, model.counts)
    fits = bench.fit_at(model, 0, data, -1e6)
    assert np.all(fits.status == FAILED)


def test_cls_limits_of_lanes_are_those_of_their_data():
    """Sixteen toys side by side, and each as observed data."""
    nu = expectation(0.02)
    model = model_of(nu, 2.0, yield_errors={"efficiency": 0.05})
    counts = np.empty((*nu.shape, LANES))
    draw_counts(*key(14), 0, nu, counts)
    data = DataSets(counts, np.zeros((2, LANES)), np.zeros((1, LANES)))
    zero = bench.fit_at(model, 0, data, 0.0)
    best = bench.fit_signal(model, 0, data, zero)
    upper, status = cls_upper(model, 0, data, zero, best, np.full(LANES, 0.1), np.ones(LANES))
    assert np.all(status == FAST)
    for lane in range(0, LANES, 5):
        alone = scan(build_model([2.0], [c._replace(counts=n) for c, n in zip(model.channels, counts[..., lane])]))
        assert upper[lane] * model.unit[0] == pytest.approx(alone.limits[CLS_90.name].observed[0], rel=1e-6)


# --- limits by toys and by Bayes ------------------------------------------------------------------------------------


def test_toys_agree_with_the_asymptotic_cls():
    """Seed 9, 1600 toys: the limit within 3 of its errors where there are many events."""
    bins = search_bins(bin_edges(1.95, 2.05, 0.002), None)
    nu = expectation(0.05, bins)
    counts = np.random.default_rng(3).poisson(nu).astype(float)
    model = model_of(counts, 2.0, bins, order=2, half_width=0.05, yield_errors={"efficiency": 0.05})
    limit = scan(model).limits[CLS_90.name]
    tested = limit.observed[0] * np.array([0.7, 0.85, 1.0, 1.15, 1.3])
    toys = toy_limit(model, 0, tested, 1600, 9)
    assert toys.failed == 0
    assert 0.01 < toys.upper_error / toys.upper < 0.08
    assert toys.upper == pytest.approx(limit.observed[0], abs=3.0 * toys.upper_error)


ONE = search_bins(bin_edges(2.0, 2.04, 0.002), None)


def one_bin(n, others):
    counts = np.full(20, others / 19.0)
    counts[10] = n
    options = {"order": 0, "half_width": 0.02, "shape": signal_shape([1e-4]), "signal_yield": 1.0}
    return build_model([2.021], channels([counts, counts], 2.021, ONE, **options)[:1])


def test_toys_against_all_outcomes_of_a_counting_experiment():
    """n = 3 over a sideband of 38 in 19 bins: CLs by summing the probabilities of all (n, y), within 4 errors."""
    model = one_bin(3.0, 38.0)
    tested = np.array([2.0, 4.0, 6.0, 8.0])
    toys = toy_limit(model, 0, tested, 1600, 5)

    n, y = np.meshgrid(np.arange(60.0), np.arange(130.0), indexing="ij")

    def background(mu, n, y):
        half = 0.5 * (n + y - 20.0 * mu) / 20.0
        return half + np.sqrt(half**2 + y * mu / 20.0)

    def q(mu, b, n, y):
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = [s - k + np.where(k > 0.0, k * np.log(k / s), 0.0) for s, k in ((mu + b, n), (19.0 * b, y))]
        return 2.0 * (terms[0] + terms[1])

    def statistic(mu, n, y):
        best = n - y / 19.0
        zero = q(0.0, background(0.0, n, y), n, y)
        least = np.where(best < 0.0, zero, 0.0)
        return np.where(best > mu, 0.0, np.maximum(q(mu, background(mu, n, y), n, y) - least, 0.0))

    for mu, cls, error in zip(tested, toys.cls, toys.cls_error):
        large = np.nan_to_num(statistic(mu, n, y)) >= statistic(mu, np.array(3.0), np.array(38.0)) - 1e-9
        tails = []
        for true in (mu, 0.0):
            b = background(true, 3.0, 38.0)
            weight = stats.poisson.pmf(n, true + b) * stats.poisson.pmf(y, 19.0 * b)
            tails.append(weight[large].sum())
        assert cls == pytest.approx(tails[0] / tails[1], abs=4.0 * error + 1e-3)


def test_limit_beyond_the_tested_range_says_so():
    model = one_bin(3.0, 38.0)
    assert toy_limit(model, 0, [0.1, 0.2], 48, 1).upper == np.inf
    assert toy_limit(model, 0, [30.0, 40.0], 48, 1).upper == 30.0
    with pytest.raises(ValueError, match="ascending"):
        toy_limit(model, 0, [2.0, 1.0], 48, 1)
    with pytest.raises(ValueError, match="n_toys = 0"):
        toy_limit(model, 0, [1.0], 0, 1)


@pytest.mark.parametrize(("n", "others"), [(0, 57), (3, 57), (9, 57), (100, 1500)])
def test_bayesian_limit_of_a_counting_experiment(n, others):
    """Flat priors in mu and b: the double integral; Laplace's method is good to a few parts in a thousand here."""
    model = one_bin(float(n), float(others))

    b = np.linspace(0.0, 3.0 * others / 19.0 + 5.0, 4001)[1:]
    sideband = stats.poisson.pmf(others, 19.0 * b)
    grid = np.linspace(0.0, n + 6.0 * math.sqrt(n + 2.0) + 8.0, 201)
    density = np.array([np.trapezoid(stats.poisson.pmf(n, mu + b) * sideband, b) for mu in grid])
    total = integrate.cumulative_simpson(density, x=grid, initial=0.0)
    expected = np.interp(0.9 * total[-1], total, grid)
    assert bayesian_upper(model, 0) == pytest.approx(expected, rel=0.01)
    if n == 0:
        assert bayesian_upper(model, 0) == pytest.approx(math.log(10.0), rel=0.01)


def test_bayesian_limit_of_many_counts_is_that_of_a_truncated_gaussian():
    """Equal to the CLs limit of a Gaussian, for excess and deficit."""
    for seed in (1, 2, 3):
        model = model_of(np.random.default_rng(seed).poisson(expectation(10.0)).astype(float), 2.1)
        result = scan(model, conventions=(CLS_90,))
        expected = float(gaussian_upper(result.mu_hat[0], result.error[0], CLS_90))
        assert bayesian_upper(model, 0) == pytest.approx(expected, rel=5e-3)
    mu, density = posterior(model, 0)
    assert np.trapezoid(density, mu) == pytest.approx(1.0, abs=1e-9)
    with pytest.raises(ValueError, match=r"confidence = 0\.2"):
        bayesian_upper(model, 0, confidence=0.2)


# --- look-elsewhere -------------------------------------------------------------------------------------------------


def test_up_crossings_begin_anew_in_every_run():
    z = np.array([[0.0, 1.0, 0.0, 1.0, 2.0, -1.0, 3.0], [1.0, 1.0, -1.0, 0.0, 1.0, 0.0, 0.5]])
    assert list(up_crossings(z, np.zeros(7, dtype=int))) == [3, 1]
    assert list(up_crossings(z, np.array([0, 0, 0, 1, 1, 1, 1]))) == [2, 1]


def test_global_significance_by_hand():
    z = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 1.0]])
    result = global_significance(3.0, z, np.zeros(3, dtype=int))
    # correlations of the two pairs of neighbours over the four scans, and the rises of normal pairs by scipy
    rho = [
        np.mean(z[:, i] * z[:, i + 1]) / math.sqrt(np.mean(z[:, i] ** 2) * np.mean(z[:, i + 1] ** 2)) for i in (0, 1)
    ]

    def rises(level):
        pairs = [stats.multivariate_normal(cov=[[1.0, r], [r, 1.0]]).cdf([level, level]) for r in rho]
        return sum(stats.norm.cdf(level) - both for both in pairs)

    thinned = rises(3.0) / rises(math.sqrt(0.5))
    expected = 1.0 - stats.norm.cdf(3.0) * math.exp(-0.75 * thinned)
    assert result.p_global == pytest.approx(expected, rel=1e-4)
    assert result.z_global == pytest.approx(stats.norm.isf(result.p_global), rel=1e-9)
    by_toys = global_significance_by_toys(0.9, z)
    assert by_toys.p_global == pytest.approx(4.0 / 5.0)
    assert global_significance(0.0, z, np.zeros(3, dtype=int)).p_global <= 1.0
    with pytest.raises(ValueError, match="finite"):
        global_significance(3.0, np.full((2, 3), np.nan), np.zeros(3, dtype=int))


@pytest.mark.parametrize("step", [0.25, 0.5, 1.0])
def test_global_significance_of_a_normal_process(step):
    """Correlation exp(-d^2/4) in units of the resolution: 100 scans say what 20 000 do, to 4 % and three errors."""
    size, scans = 2048, 20_000
    distance = np.minimum(np.arange(size), size - np.arange(size)) * step
    amplitude = np.sqrt(np.maximum(np.fft.rfft(np.exp(-0.25 * distance**2)).real, 0.0))
    rng, n = np.random.default_rng(9), round(100.0 / step)
    highest, few = [], np.empty(0)
    for _ in range(10):
        z = np.fft.irfft(np.fft.rfft(rng.normal(size=(scans // 10, size)), axis=1) * amplitude, size, axis=1)[:, :n]
        few = z[:100]
        highest.append(z.max(axis=1))
    for level in (2.5, 3.0):
        found = global_significance(level, few, np.zeros(n, dtype=int))
        direct = float(np.mean(np.concatenate(highest) >= level))
        error = math.hypot(found.p_error, math.sqrt(direct / scans))
        assert found.p_global == pytest.approx(direct, abs=3.0 * error + 0.04 * direct)


# --- bad input ------------------------------------------------------------------------------------------------------


def replaced(c, **changes):
    made = channels(expectation(), [2.0])
    made[c] = made[c]._replace(**changes)
    return made


COARSE = search_bins(bin_edges(1.5, 3.4, 0.004))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counts": np.full(BINS.centre.size, np.nan)}, "ee: counts = nan"),
        ({"counts": -expectation()[1]}, "ee: counts = -"),
        ({"counts": np.zeros(3)}, "ee: counts of shape"),
        ({"counts": np.zeros(BINS.centre.size)}, "ee: empty window, no counts around 2 GeV"),
        ({"signal_yield": np.array([-1.0])}, "signal yield .efficiency. = -1"),
        ({"signal_yield": np.array([np.nan])}, "signal yield .efficiency. = nan"),
        ({"signal_yield": np.ones(2)}, "signal yield .efficiency. of shape"),
        ({"bins": COARSE, "counts": expectation(1.0, COARSE)[1]}, "ee and mumu have different mass bins"),
        ({"yield_errors": {"efficiency": -0.1}}, "ee: error 'efficiency' = -0.1"),
        ({"yield_errors": {"efficiency": 0.5}}, "ee: error 'efficiency' = 0.5, must be finite and from 0 to 0.3"),
        ({"component": -np.ones(BINS.centre.size)}, "ee: component = -1"),
        ({"component_error": 0.1}, "ee: component_error = 0.1 without a component"),
        ({"half_width": 0.005}, "ee: 5 bins around 2 GeV for order 4"),
        ({"half_width": 0.0}, "ee: order = 4, half_width = 0.0"),
        ({"name": "mumu"}, "two have one name"),
    ],
)
def test_bad_channels_name_themselves(changes, message):
    with pytest.raises(ValueError, match=message):
        build_model([2.0], replaced(1, **changes))


def test_bad_models_name_themselves():
    good = channels(expectation(), [2.0])
    with pytest.raises(ValueError, match="at least one channel"):
        build_model([2.0], [])
    with pytest.raises(ValueError, match="masses of a bump hunt"):
        build_model([np.nan], good)
    with pytest.raises(ValueError, match="no channel expects a signal"):
        build_model([2.0], [channel._replace(signal_yield=np.zeros(1)) for channel in good])
    uneven = search_bins(np.array([1.9, 1.95, 2.0, 2.1]), None)
    with pytest.raises(ValueError, match="one common width"):
        build_model([2.0], [Channel("mumu", uneven, np.ones(3), np.ones(1), signal_shape([0.01]))])
    model = build_model([2.0], good)
    with pytest.raises(ValueError, match="expectation of toys has shape"):
        scan_toys(model, np.ones(3), 10, 1)
    with pytest.raises(ValueError, match="expectation of toys = -1"):
        scan_toys(model, -np.ones((2, BINS.centre.size)), 10, 1)
    with pytest.raises(ValueError, match="n_toys = 0"):
        scan_toys(model, expectation(), 0, 1)


INTERPRETED = """
import numpy as np
from besfast.analysis.bump_hunt.channel import Channel
from besfast.analysis.bump_hunt.model import build_model
from besfast.analysis.bump_hunt.scan import scan
from besfast.analysis.bump_hunt.templates import signal_shape
from besfast.analysis.bump_hunt.toys import scan_toys
from besfast.analysis.spectrum import bin_edges, search_bins
bins = search_bins(bin_edges(2.0, 2.03, 0.002), None)
for level in (400.0, 0.4):
    counts = np.random.default_rng(3).poisson(level, bins.centre.size).astype(float)
    options = {"half_width": 0.015, "order": 1, "yield_errors": {"efficiency": 0.1}}
    model = build_model([2.015], [Channel("mumu", bins, counts, np.ones(1), signal_shape([0.004]), **options)])
    result = scan(model)
    toys = scan_toys(model, np.full((1, counts.size), level), 2, 1)
    print(*(float(v[0]).hex() for v in (result.mu_hat, result.z, *(k.observed for k in result.limits.values()))))
    print(*(float(v).hex() for v in (*toys.mu_hat[:, 0], *toys.upper[:, 0])), result.status[0])
"""


def test_plain_python_gives_the_same(run_python):
    """Compiled and interpreted kernels agree to rounding, of many counts and of few."""
    compiled, plain = (run_python(INTERPRETED, NUMBA_DISABLE_JIT=flag) for flag in ("0", "1"))
    rows = [[float.fromhex(word) for word in text.split() if "x" in word] for text in (compiled, plain)]
    assert len(rows[0]) == 18
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-6)
