"""Closed-form profile likelihood against brute-force minimisation, published values and limits in closed form."""

import itertools
import math
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from besfast.analysis.joint import _joint_q, joint_limit
from besfast.analysis.limit import (
    DELTA_90,
    DELTA_90_ONE_SIDED,
    gaussian_q,
    poisson_limit,
    profile,
    sidedness,
    x_minus_log1p,
)
from besfast.event import Floats
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.stats import chi2, norm, poisson


def log_likelihood_ratio(n: Floats, s: Floats) -> Floats:
    """-2 ln Pois(n|s), relative to s = n."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return 2 * (s - n - np.where(n > 0, n * np.log(s / np.where(n > 0, n, 1.0)), 0.0))


def brute_q(mu: float, n: float, b: float, sigma_b: float, e: float, sigma_e: float) -> float:
    """Minimise numerically over both nuisances, the efficiency >= 0: q(mu) above the least of any mu."""

    def objective(pulls: Floats) -> float:
        s = (e + sigma_e * pulls[1]) * mu + b + sigma_b * pulls[0]
        if s <= 0 and not (n == 0 and s == 0):
            return 1e30
        return float(log_likelihood_ratio(np.float64(n), np.float64(s))) + pulls[0] ** 2 + pulls[1] ** 2

    def over_background(pull_e: float) -> float:
        s0 = (e + sigma_e * pull_e) * mu + b
        low = -s0 / sigma_b if sigma_b > 0 else -1.0
        if sigma_b == 0:
            return objective(np.array([0.0, pull_e]))
        best = minimize_scalar(
            lambda t: objective(np.array([t, pull_e])),
            bounds=(low, max(20.0, 2 * (n - s0) / sigma_b + 1)),
            method="bounded",
            options={"xatol": 1e-12},
        )
        return float(best.fun)

    if sigma_e == 0:
        return over_background(0.0)
    low = max(-e / sigma_e, -40.0)
    best = minimize_scalar(over_background, bounds=(low, 40.0), method="bounded", options={"xatol": 1e-12})
    return min(float(best.fun), over_background(low))  # the search stops short of an efficiency of zero


CASES = [
    (8000.0, 8000.0, 25.0, 0.63, 0.0315),
    (7600.0, 8000.0, 25.0, 0.63, 0.0315),
    (8400.0, 8000.0, 60.0, 1.0, 0.05),
    (5.0, 3.0, 0.5, 0.8, 0.1),
    (12.0, 3.0, 1.0, 0.5, 0.1),
    (2.5, 4.0, 1.0, 1.0, 0.2),
    (20.0, 3.0, 0.0, 1.0, 0.1),
    (0.0, 4.0, 0.7, 1.0, 0.1),
]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("bounded", [True, False])
def test_ends_of_the_interval_by_brute_force(case: tuple[float, ...], bounded: bool) -> None:
    n, b = case[:2]
    limit = poisson_limit(*case, bounded=bounded)
    q0 = brute_q(0.0, *case)
    reference = q0 if bounded and n < b else 0.0
    if not bounded and n < b and q0 > DELTA_90:
        assert limit.empty
        return
    assert brute_q(float(limit.upper), *case) - reference == pytest.approx(DELTA_90, abs=1e-6)
    if limit.lower > 0:
        assert brute_q(float(limit.lower), *case) == pytest.approx(DELTA_90, abs=1e-6)
    else:
        assert q0 - reference <= DELTA_90


GRID = [
    (n, b, sigma_b, e, relative * e)
    for n, b in (
        (0.0, 0.0),
        (0.0, 4.0),
        (0.4, 2.0),
        (3.0, 0.0),
        (4.0, 60.0),
        (50.5, 40.0),
        (7600.0, 8000.0),
        (1e7, 1e7),
    )
    for sigma_b in (0.0, 0.3 * math.sqrt(b + 0.1), 2.0 * math.sqrt(b + 0.1))
    for e, relative in ((0.63, 0.0), (0.63, 0.05), (1.0, 0.35))
]


@pytest.mark.parametrize("case", GRID)
def test_q_by_brute_force(case: tuple[float, ...]) -> None:
    """No counts, far fewer than expected, no errors, huge and fractional counts: q within 1e-6 at six strengths."""
    n, b, sigma_b, e, sigma_e = case
    data = (n, b, sigma_b**2, e, sigma_e**2)
    scale = math.sqrt(n + b + sigma_b**2 + 1.0) / e
    for mu in scale * np.array([0.0, 0.01, 0.5, 1.5, 4.0, 12.0]):
        exact = brute_q(float(mu), *case)
        if exact < 1e5:
            assert gaussian_q(mu, data)[0] == pytest.approx(exact, abs=1e-6)


def test_two_nuisances_at_once_give_the_same_minimum() -> None:
    """The nested search of brute_q itself, against a simplex over both nuisances."""
    case = CASES[4]
    for mu in (0.0, 5.0, 40.0):

        def objective(pulls: Floats, mu: float = mu) -> float:
            n, b, sigma_b, e, sigma_e = case
            s = (e + sigma_e * pulls[1]) * mu + b + sigma_b * pulls[0]
            return float(log_likelihood_ratio(np.float64(n), np.float64(max(s, 1e-9))) + pulls @ pulls)

        best = minimize(objective, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-13})
        assert brute_q(mu, *case) == pytest.approx(best.fun, abs=1e-9)


def test_published_single_bin_values() -> None:
    """8000 counts, efficiency 0.63: values computed independently with another implementation."""
    e = 0.63
    by_efficiency = poisson_limit(8000, 8000, 25, e, np.array([0.0, 0.05, 0.065]) * e).upper
    assert np.allclose(by_efficiency, [243.8, 244.6, 245.2], atol=0.05)
    by_background = poisson_limit(8000, 8000, [0, 25, 50, 100], e, 0.05 * e).upper
    assert np.allclose(by_background, [235.75, 244.63, 269.54, 352.12], atol=0.01)
    assert poisson_limit(7600, 8000, 25, e, 0.05 * e).upper == pytest.approx(44.7, abs=0.05)
    assert np.allclose(poisson_limit(8400, 8000, 25, e, np.array([0.0, 0.065]) * e).upper, [884, 902], atol=0.5)


def test_root_raises_n_until_the_interval_is_not_empty() -> None:
    """TRolke's unbounded default counts up n where ours says empty; doing so gives its 0.388."""
    assert poisson_limit(7600, 8000, 25, 0.63, 0.0315, bounded=False).empty
    trials = poisson_limit(np.arange(7600, 8000), 8000, 25, 0.63, 0.0315, bounded=False)
    first = np.argmin(trials.empty)
    assert trials.upper[first] == pytest.approx(0.388, abs=5e-4)
    assert np.all(np.isnan(trials.upper[:first]))


@pytest.mark.parametrize(
    ("delta", "bounded", "expected"),
    [
        (DELTA_90, True, [0.264, 0.421, 0.590, 0.925, 1.645, 2.645, 3.645, 4.645]),
        (1.642374, True, [0.162, 0.262, 0.375, 0.626, 1.282, 2.282, 3.282, 4.282]),
    ],
)
def test_gaussian_limit_in_units_of_sigma(delta: float, bounded: bool, expected: list[float]) -> None:
    b, pulls = 1e12, np.array([-5, -3, -2, -1, 0, 1, 2, 3])
    limit = poisson_limit(b + pulls * 1e6, b, 0, 1, 0, delta=delta, bounded=bounded)
    assert np.allclose(limit.upper / 1e6, expected, atol=6e-4)
    closed = np.where(pulls < 0, pulls + np.sqrt(pulls**2 + delta), pulls + math.sqrt(delta))
    assert np.allclose(limit.upper / 1e6, closed, rtol=1e-5)


@pytest.mark.parametrize("delta", [DELTA_90, DELTA_90_ONE_SIDED, 3.841458821])
def test_gaussian_limit_in_closed_form(delta: float) -> None:
    """One bin whose error is that of a Gaussian background, 1e12 +- 1e12 sqrt(1 + 1e-10): to 1e-9 of the error.

    Bounded best + sqrt(best^2 + delta) below zero and best + sqrt(delta) above; unbounded best + sqrt(delta), empty
    where that is negative.
    """
    pulls, b, sigma = np.array([-5.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]), 1e14, math.hypot(1e12, 1e7)
    limit = poisson_limit(b + pulls * sigma, b, 1e12, 1, 0, delta=delta)
    closed = np.where(pulls < 0, pulls + np.sqrt(pulls**2 + delta), pulls + math.sqrt(delta))
    assert np.allclose(limit.upper / sigma, closed, rtol=0, atol=1e-9)
    unbounded = poisson_limit(b + pulls * sigma, b, 1e12, 1, 0, delta=delta, bounded=False)
    assert np.array_equal(unbounded.empty, pulls < -math.sqrt(delta))
    inside = ~unbounded.empty
    assert np.allclose(unbounded.upper[inside] / sigma, pulls[inside] + math.sqrt(delta), rtol=0, atol=1e-9)
    assert np.allclose(limit.lower / sigma, np.maximum(pulls - math.sqrt(delta), 0.0), rtol=0, atol=1e-9)


def test_unbounded_gaussian_limit() -> None:
    b, pulls = 1e12, np.array([-1.6, -1.0, 0.0, 2.0])
    limit = poisson_limit(b + pulls * 1e6, b, 0, 1, 0, bounded=False)
    assert np.allclose(limit.upper / 1e6, pulls + math.sqrt(DELTA_90), atol=1e-5)
    empty = poisson_limit(b - 2e6, b, 0, 1, 0, bounded=False)
    assert empty.empty
    assert np.isnan(empty.upper)
    assert empty.lower == 0.0


def test_no_counts() -> None:
    assert np.allclose(poisson_limit(0, [0.0, 1.0, 50.0], 0, 1, 0).upper, DELTA_90 / 2, rtol=1e-12)
    b_over_w = poisson_limit(0, 5.0, [0.0, 0.5, 2.0], 1.0, 0.0, delta=3.841458821).upper
    assert np.allclose(b_over_w, 0.5 * 3.841458821, rtol=1e-12)  # as long as b exceeds its variance
    assert poisson_limit(0, 3, 0, 1, 0, delta=DELTA_90_ONE_SIDED).upper == pytest.approx(
        0.5 * DELTA_90_ONE_SIDED, rel=1e-12
    )
    assert poisson_limit(0, 3, 0, 1, 0, delta=3.841459).upper == pytest.approx(1.9207, abs=1e-4)
    # a background known to better than its own size changes nothing
    assert poisson_limit(0, 5.0, 1.0, 0.5, 0).upper == pytest.approx(DELTA_90, rel=1e-12)


def test_known_background_against_a_root_finder() -> None:
    for n, b in itertools.product((1, 3, 10, 0.4), (0.0, 0.5, 3.0)):
        best = max(n - b, 0.0)

        def q(mu: float, n: float = n, b: float = b, best: float = best) -> float:
            value = log_likelihood_ratio(np.float64(n), np.float64(mu + b))
            return float(value - log_likelihood_ratio(np.float64(n), np.float64(best + b))) - DELTA_90

        limit = poisson_limit(n, b, 0, 1, 0)
        assert limit.upper == pytest.approx(brentq(q, best, 100, xtol=1e-13), rel=1e-10)
        if b == 0.0 or q(0.0) > 0:
            assert limit.lower == pytest.approx(brentq(q, 1e-12, best, xtol=1e-13), rel=1e-9)
        else:
            assert limit.lower == 0.0


def test_efficiency_compatible_with_zero() -> None:
    sigma = 1.0 / np.sqrt(DELTA_90)
    limit = poisson_limit([5.0, 5.0, 2.0], [1.0, 0.0, 8.0], 0.1, 1.0, [sigma * 1.0001, 0.8, sigma * 1.0001])
    assert np.all(np.isinf(limit.upper))
    nearly = poisson_limit(5.0, 0.1, 0.1, 1.0, [0.60, 0.607]).upper
    assert np.all(np.isfinite(nearly))
    assert np.all(nearly > 250)
    assert brute_q(float(nearly[0]), 5.0, 0.1, 0.1, 1.0, 0.60) == pytest.approx(DELTA_90, abs=1e-5)


def test_interval_is_continuous_in_its_errors() -> None:
    exact = poisson_limit([3, 50, 7600], [5.0, 40.0, 8000.0], 0, 0.7, 0).upper
    near = poisson_limit([3, 50, 7600], [5.0, 40.0, 8000.0], 1e-7, 0.7, 1e-9).upper
    assert np.allclose(exact, near, rtol=1e-6)
    few = poisson_limit([0.0, 1e-9], 2.0, 0.5, 1.0, 0.05).upper
    assert few[0] == pytest.approx(few[1], rel=1e-6)


def test_scaling_and_precision_at_many_counts() -> None:
    """At 1e7 counts q differs from its minimum in the eighth digit: no cancellation."""
    limit = poisson_limit(1e7, 1e7, 0, 1, 0)
    x = limit.upper / 1e7
    assert 2e7 * (x - np.log1p(x)) == pytest.approx(DELTA_90, rel=1e-11)
    scaled = poisson_limit(1e7, 1e7, 0, 4.0, 0)
    assert scaled.upper == pytest.approx(limit.upper / 4.0, rel=1e-13)


def test_x_minus_log1p() -> None:
    from decimal import Decimal, getcontext

    getcontext().prec = 50
    for x in (-0.9, -0.0200001, -0.0199999, -1e-4, 1e-12, 3e-3, 0.0199999, 0.0200001, 2.0):
        exact = Decimal(x) - (1 + Decimal(x)).ln()
        assert abs(Decimal(float(x_minus_log1p(x))) / exact - 1) < Decimal("2e-14")
    assert math.isinf(x_minus_log1p(-1.0))


def test_profile_derivatives() -> None:
    for n, b, w in itertools.product((0.0, 0.3, 50.0), (0.2, 40.0, 70.0), (0.0, 0.1, 300.0)):
        q, slope, curvature = profile(n, b - n, w)
        step = 1e-4 * b
        up, down = profile(n, b + step - n, w), profile(n, b - step - n, w)
        assert slope == pytest.approx((up[0] - down[0]) / (2 * step), rel=1e-6, abs=1e-8)
        assert curvature == pytest.approx((up[1] - down[1]) / (2 * step), rel=1e-5, abs=1e-8)
        assert q >= 0.0


def test_broadcasting_and_what_a_limit_carries() -> None:
    limit = poisson_limit(np.array([[5], [9]]), np.array([3.0, 4.0, 5.0]), 0.5, 1.0, 0.05)
    assert limit.upper.shape == limit.lower.shape == limit.empty.shape == (2, 3)
    assert limit.upper[1, 2] == poisson_limit(9, 5.0, 0.5, 1.0, 0.05).upper
    assert limit.delta == DELTA_90
    assert limit.sidedness == "two-sided 90 %, about 95 % one-sided"
    assert limit.method == "bounded profile likelihood"
    assert pytest.approx(float(chi2.ppf(0.9, 1)), rel=1e-9) == DELTA_90
    assert pytest.approx(float(norm.ppf(0.9)) ** 2, rel=1e-9) == DELTA_90_ONE_SIDED
    assert sidedness(1.642374) == "two-sided 80 %, about 90 % one-sided"
    assert sidedness(float(chi2.ppf(0.95, 1))) == "two-sided 95 %, about 97.5 % one-sided"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n": -1.0}, "n = -1"),
        ({"n": np.nan}, "n = nan"),
        ({"b": -0.1}, "b = -0.1"),
        ({"b": np.inf}, "b = inf"),
        ({"sigma_b": -1.0}, "sigma_b = -1"),
        ({"efficiency": 0.0}, "efficiency = 0, must be finite and > 0"),
        ({"sigma_efficiency": np.nan}, "sigma_efficiency = nan"),
        ({"delta": 0.0}, "delta = 0.0"),
    ],
)
def test_input_that_is_refused(changed: dict[str, float], message: str) -> None:
    good = {"n": 5.0, "b": 3.0, "sigma_b": 0.5, "efficiency": 1.0, "sigma_efficiency": 0.1}
    with pytest.raises(ValueError, match=message):
        poisson_limit(**{**good, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(("mu", "coverage"), [(0.0, 1.0), (100.0, 0.968), (300.0, 0.95)])
def test_coverage_of_the_upper_end(mu: float, coverage: float) -> None:
    """b = 1e4 known to 1 %: exact sum over n, no random numbers; 300 is three sigma."""
    n = np.arange(9000, 11200)
    upper = poisson_limit(n, 1e4, 0, 1, 0).upper
    covered = poisson.pmf(n, 1e4 + mu)[upper >= mu].sum()
    assert covered == pytest.approx(coverage, abs=0.004)


def test_speed() -> None:
    """165 bins of 1000 pseudo-experiments within half a second (about 0.08 s unloaded)."""
    n = np.random.default_rng(5).poisson(8000, 165_000)
    poisson_limit(n[:10], 8000, 25, 1, 0.05)
    best = math.inf
    for _ in range(3):
        start = time.process_time()
        poisson_limit(n, 8000, 25, 1, 0.05)
        best = min(best, time.process_time() - start)
    assert best < 0.5


def test_plain_python_gives_the_same_limits() -> None:
    code = (
        "from besfast.analysis.limit import poisson_limit\n"
        "p = poisson_limit\n"
        "b, sigma = [8000, 5, 0, 8000, .1], [25, 0, 0, 25, .1]\n"
        "print(*p([8000, 0, 3, 7600, 5], b, sigma, .63, [.03, 0, .01, .03, .6]).upper)"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    out = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, env=environment, check=True)
    limit = poisson_limit(
        [8000, 0, 3, 7600, 5], [8000, 5, 0, 8000, 0.1], [25, 0, 0, 25, 0.1], 0.63, [0.03, 0, 0.01, 0.03, 0.6]
    )
    assert np.allclose([float(word) for word in out.stdout.split()], limit.upper, rtol=1e-12)


# the joint limit of several channels


def test_one_channel_is_the_limit_on_a_yield() -> None:
    rng = np.random.default_rng(11)
    size = 400
    b = 10 ** rng.uniform(0, 5, size)
    n = rng.poisson(b * rng.uniform(0.7, 1.3, size)).astype(float)
    sigma_b, signal, systematic = (
        np.sqrt(b) * rng.uniform(0, 1, size),
        10 ** rng.uniform(0, 9, size),
        rng.uniform(0, 0.3, size),
    )
    for bounded in (True, False):
        alone = poisson_limit(n, b, sigma_b, signal, signal * systematic, bounded=bounded)
        column = [values[:, None] for values in (n, b, sigma_b, signal)]
        joint = joint_limit(*column, systematic, bounded=bounded)
        assert np.array_equal(alone.empty, joint.empty)
        assert np.allclose(joint.upper, alone.upper, rtol=1e-10, equal_nan=True)
        assert np.allclose(joint.lower, alone.lower, rtol=1e-8, atol=1e-12)
        assert np.allclose(joint.best, (n - b) / signal, rtol=1e-6, atol=1e-9 / signal.min())


def brute_joint_q(mu: float, n: Floats, b: Floats, sigma_b: Floats, signal: Floats, systematic: float) -> float:
    """Simplex over the efficiency and every background."""

    def objective(pulls: Floats) -> float:
        e = 1 + systematic * pulls[0]
        s = e * signal * mu + b + sigma_b * pulls[1:]
        if e < 0 or np.any(s <= 0):
            return 1e30
        return float(np.sum(log_likelihood_ratio(n, s)) + pulls @ pulls)

    best = np.zeros(n.size + 1)
    for _ in range(4):
        best = minimize(
            objective, best, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000}
        ).x
    return objective(best)


@pytest.mark.parametrize(
    ("n", "b"),
    [((5200.0, 90100.0), (5000.0, 90000.0)), ((4900.0, 90300.0), (5000.0, 90000.0)), ((12.0, 30.0), (8.0, 29.0))],
)
def test_two_channels_by_brute_force(n: tuple[float, float], b: tuple[float, float]) -> None:
    sigma_b, signal = 0.2 * np.sqrt(np.array(b)), np.array([0.5, 0.45])
    arguments = np.array(n), np.array(b), sigma_b, signal
    limit = joint_limit(*(a[None] for a in arguments), np.array([0.05]))
    span = max(abs(limit.upper[0]), 1.0)
    best = minimize_scalar(
        lambda mu: brute_joint_q(mu, *arguments, 0.05),
        bounds=(0.0, 2 * span),
        method="bounded",
        options={"xatol": 1e-6 * span},
    )
    least = min(best.fun, brute_joint_q(0.0, *arguments, 0.05))
    assert brute_joint_q(limit.upper[0], *arguments, 0.05) - least == pytest.approx(DELTA_90, abs=2e-5)
    zero = brute_joint_q(0.0, *arguments, 0.05)
    assert np.sign(limit.significance[0]) == np.sign(limit.best[0])
    if limit.best[0] > 0:
        assert limit.significance[0] == pytest.approx(math.sqrt(zero - least), abs=1e-4)


def test_profile_of_the_shared_efficiency() -> None:
    """Newton's minimum over the efficiency against the simplex, below and above the best strength; slope by steps."""
    n, b, sigma_b, signal = np.array([30.0, 60.0]), np.array([20.0, 55.0]), np.array([2.0, 3.0]), np.array([1.0, 0.8])
    rows = (n, b, sigma_b**2, signal)
    for mu in (0.0, 3.0, 12.0, 60.0):
        q, slope = _joint_q(mu, (rows, 0.3**2, 0.0))
        assert q == pytest.approx(brute_joint_q(mu, n, b, sigma_b, signal, 0.3), abs=1e-7)
        up, down = _joint_q(mu + 1e-4, (rows, 0.3**2, 0.0))[0], _joint_q(max(mu - 1e-4, 0.0), (rows, 0.3**2, 0.0))[0]
        assert slope == pytest.approx((up - down) / (1e-4 + min(mu, 1e-4)), rel=1e-3, abs=1e-6)


def test_joint_limit_invariances() -> None:
    n, b = np.array([[5050.0, 90200.0]]), np.array([[5000.0, 90000.0]])
    sigma_b, signal, systematic = np.array([[15.0, 60.0]]), np.array([[3e8, 3.3e8]]), np.array([0.04])
    upper = joint_limit(n, b, sigma_b, signal, systematic).upper[0]
    swapped = joint_limit(n[:, ::-1], b[:, ::-1], sigma_b[:, ::-1], signal[:, ::-1], systematic).upper[0]
    assert swapped == pytest.approx(upper, rel=1e-12)
    blind = signal.copy()
    blind[0, 1] = 0.0  # a channel without signal says nothing
    alone = poisson_limit(5050, 5000, 15, 3e8, 0.04 * 3e8).upper
    assert joint_limit(n, b, sigma_b, blind, systematic).upper[0] == pytest.approx(alone, rel=1e-10)
    variance = np.array([5000 + 15**2, 90000 + 60**2])
    gaussian = norm.ppf(0.95) / np.sqrt(np.sum(signal**2 / variance))
    asimov = joint_limit(b, b, sigma_b, signal, np.zeros(1))
    assert asimov.upper[0] == pytest.approx(gaussian, rel=0.01)
    assert asimov.significance[0] == pytest.approx(0.0, abs=1e-6)


def test_joint_limit_refuses() -> None:
    one = np.ones((1, 2))
    with pytest.raises(ValueError, match="signal = 0 in every channel"):
        joint_limit(one, one, one, 0 * one, np.zeros(1))
    with pytest.raises(ValueError, match="n = -1"):
        joint_limit(-one, one, one, one, np.zeros(1))
