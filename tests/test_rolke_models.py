"""The models of Rolke and others against brute-force minimisation over both nuisances, closed forms and limits."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from besfast.analysis.limit import DELTA_90, poisson_limit, profile
from besfast.analysis.rolke_models import Counted, Gaussian, Sideband, profile_sideband, rolke_limit, rolke_q
from scipy.optimize import brentq, minimize_scalar
from scipy.special import xlogy

Background = Gaussian | Sideband
Efficiency = Gaussian | Counted


def poisson_term(n: float, s: float) -> float:
    """-2 ln Pois(n | s), relative to s = n."""
    if s < 0.0 or (s == 0.0 and n > 0.0):
        return math.inf
    return 2.0 * (s - n - (float(xlogy(n, s)) - float(xlogy(n, n))))


def background_term(b: float, background: Background) -> float:
    if isinstance(background, Sideband):
        return poisson_term(background.counts, background.tau * b)
    return ((b - background.mean) / background.sigma) ** 2


def efficiency_term(e: float, efficiency: Efficiency) -> float:
    if isinstance(efficiency, Gaussian):
        return ((e - efficiency.mean) / efficiency.sigma) ** 2
    z, m = efficiency
    best = float(xlogy(z, z / m) + xlogy(m - z, 1.0 - z / m))
    return -2.0 * (float(xlogy(z, e) + xlogy(m - z, 1.0 - e)) - best)


def least(f: object, low: float, high: float) -> float:
    """Golden section, then its ends: a minimum on the border counts."""
    inside = minimize_scalar(f, bounds=(low, high), method="bounded", options={"xatol": 1e-13, "maxiter": 500}).fun
    return float(min(inside, f(low), f(high)))  # type: ignore[operator]


def brute_q(mu: float, n: float, background: Background, efficiency: Efficiency) -> float:
    """-2 ln L minimised over background and efficiency, without any closed form; zero where all agree."""

    def at_efficiency(e: float) -> float:
        if isinstance(background, Gaussian) and background.sigma == 0.0:
            return poisson_term(n, e * mu + background.mean)
        if isinstance(background, Gaussian):
            low, high = -e * mu, max(background.mean, n) + 1.0
        else:
            low, high = 0.0, max(background.counts / background.tau, n) + 1.0
        return least(lambda b: poisson_term(n, e * mu + b) + background_term(b, background), low, high)

    if isinstance(efficiency, Gaussian) and efficiency.sigma == 0.0:
        return at_efficiency(efficiency.mean)
    top = 1.0 if isinstance(efficiency, Counted) else efficiency.mean + 30.0 * efficiency.sigma
    return least(lambda e: at_efficiency(e) + efficiency_term(e, efficiency), 0.0, top)


CASES: list[tuple[float, Background, Efficiency]] = [
    (5.0, Sideband(10.0, 2.5), Counted(50.0, 100.0)),  # model 1
    (0.0, Sideband(15.0, 5.0), Counted(90.0, 100.0)),
    (9.0, Sideband(0.0, 3.0), Counted(7.0, 10.0)),  # empty sideband
    (1.0, Sideband(40.0, 2.0), Counted(30.0, 100.0)),  # n << b
    (20.0, Sideband(3.0, 1.0), Counted(20.0, 20.0)),  # nothing fails
    (8000.0, Sideband(40300.0, 5.0), Counted(6300.0, 10000.0)),
    (10.0, Sideband(3.0, 2.5), Gaussian(0.9, 0.05)),  # model 2
    (3.7, Sideband(6.2, 0.7), Gaussian(1.2, 0.2)),  # no integers, a small sideband
    (2.0, Sideband(90.0, 10.0), Gaussian(1.0, 0.3)),
    (0.0, Sideband(0.0, 1.0), Gaussian(0.5, 0.1)),
    (12.0, Sideband(4.0, 2.0), Gaussian(1.0, 0.60)),  # (e / sigma)^2 just above delta
    (10.0, Gaussian(5.0, 0.5), Gaussian(0.9, 0.05)),  # model 3
    (1.0, Gaussian(25.0, 3.0), Gaussian(0.9, 0.05)),
    (1.0, Sideband(7.0, 5.0), Gaussian(0.25)),  # model 4
    (4.0, Gaussian(2.0, 1.0), Gaussian(0.65)),  # model 5
    (25.0, Gaussian(10.0), Counted(500.0, 750.0)),  # model 6
    (0.0, Gaussian(3.0), Counted(5.0, 10.0)),
    (15.0, Gaussian(10.0), Gaussian(0.77, 0.15)),  # model 7
    (30.0, Gaussian(20.0, 4.0), Counted(40.0, 60.0)),  # no number
    (10_000_200.0, Sideband(20_000_000.0, 2.0), Gaussian(0.7, 0.02)),  # huge n
]


@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_ends_of_the_interval_by_brute_force(case: tuple[float, Background, Efficiency], bounded: bool) -> None:
    n, background, _ = case
    limit = rolke_limit(*case, bounded=bounded)
    b = background.counts / background.tau if isinstance(background, Sideband) else background.mean
    q0 = brute_q(0.0, *case)
    reference = q0 if bounded and n < b else 0.0
    if not bounded and n < b and q0 > DELTA_90:
        assert limit.empty
        assert np.isnan(limit.upper)
        assert limit.lower == 0.0
        return
    assert not limit.empty
    assert brute_q(float(limit.upper), *case) - reference == pytest.approx(DELTA_90, abs=1e-6)
    if limit.lower > 0.0:
        assert brute_q(float(limit.lower), *case) == pytest.approx(DELTA_90, abs=1e-6)
    else:
        assert q0 - reference <= DELTA_90


@pytest.mark.parametrize("case", [case for case in CASES if isinstance(case[1], Sideband)])
def test_q_by_brute_force(case: tuple[float, Sideband, Efficiency]) -> None:
    """q itself at eight strengths, within 1e-6; its slope by steps."""
    n, (y, tau), efficiency = case
    e = efficiency.mean if isinstance(efficiency, Gaussian) else efficiency.passed / efficiency.total
    spread = efficiency.sigma**2 if isinstance(efficiency, Gaussian) else efficiency.total
    first = e if isinstance(efficiency, Gaussian) else efficiency.passed
    data = ((True, n, y, tau), (isinstance(efficiency, Counted), first, spread), e, n - y / tau)
    scale = math.sqrt(n + y / tau**2 + 1.0) / e
    for mu in scale * np.array([0.0, 1e-3, 0.3, 1.0, 2.0, 4.0, 10.0, 30.0]):
        q, slope = rolke_q(mu, data)
        assert q == pytest.approx(brute_q(mu, *case), abs=1e-6, rel=1e-9)
        if mu > 0.0:
            step = 1e-4 * mu
            difference = rolke_q(mu + step, data)[0] - rolke_q(mu - step, data)[0]
            assert slope == pytest.approx(difference / (2.0 * step), rel=1e-4, abs=1e-6 / scale)


def test_profile_of_a_sideband() -> None:
    """Derivatives by steps; zero where signal, counts and sideband agree."""
    for n, y, tau, s in ((5.0, 10.0, 2.5, 3.0), (0.0, 4.0, 1.0, 2.0), (7.0, 0.0, 2.0, 9.0), (7.0, 0.0, 2.0, 1.0)):
        q, slope, curvature = profile_sideband(n, y, tau, s)
        step = 1e-4
        up, down = profile_sideband(n, y, tau, s + step), profile_sideband(n, y, tau, s - step)
        assert q >= 0.0
        assert slope == pytest.approx((up[0] - down[0]) / (2 * step), rel=1e-6, abs=1e-8)
        assert curvature == pytest.approx((up[1] - down[1]) / (2 * step), rel=1e-5, abs=1e-8)
    assert profile_sideband(9.0, 6.0, 3.0, 7.0)[0] == pytest.approx(0.0, abs=1e-14)


def test_tutorial_of_root() -> None:
    """The cases of ROOT's Rolke.C, where its class is right, and 12.1019 for model 1, where it gives 11.5943."""
    assert rolke_limit(5, Sideband(10, 2.5), Counted(50, 100)).upper == pytest.approx(12.1019, abs=5e-5)
    second = rolke_limit(10, Sideband(3, 2.5), Gaussian(0.9, 0.05), delta=3.841458821, bounded=False)
    case = (10.0, Sideband(3.0, 2.5), Gaussian(0.9, 0.05))
    for end in (second.lower, second.upper):
        assert brute_q(float(end), *case) == pytest.approx(3.841458821, abs=1e-6)


def test_two_gaussians_are_the_closed_form() -> None:
    closed = poisson_limit(7600, 8000, 25, 0.63, 0.0315)
    assert rolke_limit(7600, Gaussian(8000, 25), Gaussian(0.63, 0.0315)) == closed


def test_a_large_sideband_is_a_known_background_and_a_large_simulation_a_known_efficiency() -> None:
    n, b, e = np.array([0.0, 3.0, 9.0, 50.0]), 4.0, 0.6
    known = poisson_limit(n, b, 0, e, 0)
    for tau in (1e10, 1e13):
        counted = rolke_limit(n, Sideband(b * tau, tau), Counted(e * tau, tau))
        assert np.allclose(counted.upper, known.upper, rtol=10.0 / math.sqrt(tau))
        assert np.allclose(counted.lower, known.lower, rtol=10.0 / math.sqrt(tau), atol=1e-9)
    many = 1e10  # Poisson and binomial errors become Gaussian ones
    gaussian = poisson_limit(many + 3e5, many, math.sqrt(many / 2.0), e, math.sqrt(e * (1 - e) / 1e6))
    sideband = rolke_limit(many + 3e5, Sideband(2.0 * many, 2.0), Counted(e * 1e6, 1e6))
    assert sideband.upper == pytest.approx(gaussian.upper, rel=1e-4)


def test_no_counts_in_closed_form() -> None:
    """n = 0: q = 2 S and a constant. Known efficiency Delta / 2 e; Gaussian 2 e mu - v mu^2 = Delta."""
    for y, tau in ((0.0, 1.0), (3.0, 0.5), (70.0, 10.0)):
        assert rolke_limit(0, Sideband(y, tau), Gaussian(0.25)).upper == pytest.approx(DELTA_90 / 0.5, rel=1e-12)
        v = 0.05**2
        closed = (0.25 - math.sqrt(0.25**2 - v * DELTA_90)) / v
        assert rolke_limit(0, Sideband(y, tau), Gaussian(0.25, 0.05)).upper == pytest.approx(closed, rel=1e-9)

    def counted(mu: float, z: float = 4.0, m: float = 10.0) -> float:
        """2 (e mu + ...) at the root of 2 mu = 2 z/e - 2 (m - z)/(1 - e)."""
        middle = mu + m
        e = (middle - math.sqrt(middle**2 - 4.0 * mu * z)) / (2.0 * mu)
        return 2.0 * e * mu - 2.0 * (z * math.log(e * m / z) + (m - z) * math.log((1 - e) * m / (m - z))) - DELTA_90

    limit = rolke_limit(0, Sideband(8, 2), Counted(4, 10))
    assert limit.upper == pytest.approx(brentq(counted, 1e-3, 100.0, xtol=1e-13), rel=1e-9)


def test_efficiency_compatible_with_zero() -> None:
    sigma = 1.0 / math.sqrt(DELTA_90)
    infinite = rolke_limit([5.0, 1.0], Sideband(4.0, 2.0), Gaussian(1.0, sigma * 1.0001))
    assert np.all(np.isinf(infinite.upper))
    finite = rolke_limit([5.0, 1.0], Sideband(4.0, 2.0), Gaussian(1.0, sigma * 0.9999))
    assert np.all(np.isfinite(finite.upper))
    nothing = rolke_limit([0, 5, 12], Sideband(10, 2.5), Counted(0, 100))
    assert np.all(np.isinf(nothing.upper))
    assert np.all(nothing.lower[:2] == 0.0)
    case = (12.0, Sideband(10.0, 2.5), Counted(0.0, 100.0))
    assert brute_q(float(nothing.lower[2]), *case) == pytest.approx(DELTA_90, abs=1e-6)
    assert np.isfinite(rolke_limit(5, Sideband(10, 2.5), Counted(1, 100)).upper)


def test_scaling_of_the_background_profiles() -> None:
    """Sideband and Gaussian profiles agree for many counts, relative to their own minimum."""
    n, y, tau = 1e10, 2e10, 2.0
    signal = 3e5
    expected = profile(n, signal + y / tau - n, y / tau**2)
    found = profile_sideband(n, y, tau, signal)
    assert np.allclose(found, expected, rtol=1e-4)


def test_broadcasting_and_what_a_limit_carries() -> None:
    limit = rolke_limit(np.array([[5], [9]]), Sideband(np.array([3, 4, 5]), 2.0), Counted(50, 100))
    assert limit.upper.shape == limit.lower.shape == limit.empty.shape == (2, 3)
    assert limit.upper[1, 2] == rolke_limit(9, Sideband(5, 2.0), Counted(50, 100)).upper
    assert limit.method == "bounded profile likelihood, sideband background, counted efficiency"
    assert limit.sidedness == "two-sided 90 %, about 95 % one-sided"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1.0, Sideband(1, 1), Gaussian(1)), "n = -1, must be finite and >= 0"),
        ((math.nan, Sideband(1, 1), Gaussian(1)), "n = nan"),
        ((1.0, Sideband(-2, 1), Gaussian(1)), "counts = -2"),
        ((1.0, Sideband(2, 0), Gaussian(1)), "tau = 0, must be finite and > 0"),
        ((1.0, Sideband(2, 1), Gaussian(0)), "efficiency = 0, must be finite and > 0"),
        ((1.0, Gaussian(2, math.inf), Counted(1, 2)), "sigma_b = inf"),
        ((1.0, Sideband(2, 1), Counted(3, 2)), "passed = 3, must be at most total = 2"),
        ((1.0, Sideband(2, 1), Counted(0, 0)), "total = 0, must be finite and > 0"),
    ],
)
def test_input_that_is_refused(arguments: tuple[float, Background, Efficiency], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rolke_limit(*arguments)


def test_plain_python_gives_the_same_limits() -> None:
    code = (
        "from besfast.analysis.rolke_models import *\n"
        "print(*rolke_limit([0, 5, 30], Sideband(10, 2.5), Counted(50, 100)).upper)\n"
        "print(*rolke_limit([0, 5, 30], Sideband(0, 2.5), Gaussian(.5, .1)).upper)"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    out = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, env=environment, check=True)
    found = [float(word) for word in out.stdout.split()]
    counted = rolke_limit([0, 5, 30], Sideband(10, 2.5), Counted(50, 100)).upper
    gaussian = rolke_limit([0, 5, 30], Sideband(0, 2.5), Gaussian(0.5, 0.1)).upper
    assert np.allclose(found, [*counted, *gaussian], rtol=1e-12)
