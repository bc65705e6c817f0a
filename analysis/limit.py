"""Limits on a Poisson mean with uncertain background and efficiency: the profile likelihood of Rolke and others.

L(mu, b, e) = Pois(n | e mu + b) G(b_hat | b, sigma_b) G(e_hat | e, sigma_e): model 3 of Rolke, Lopez and Conrad,
NIM A551 (2005) 493, DOI 10.1016/j.nima.2005.05.068. Both nuisances are profiled in closed form (`profile`), for any
real n. An efficiency cannot be negative: where the free minimum would be, it stays at zero (convexity makes that the
minimum); the profiled background is free.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..event import Floats
from ..kernel import kernel, stage

#: Quantile of chi squared with one degree of freedom at 90 %: a two-sided interval, its upper end about 95 % one-sided.
DELTA_90 = 2.705543454
#: The same at 80 %: the upper end is about a 90 % one-sided limit.
DELTA_90_ONE_SIDED = 1.642374415
#: q(mu) above its minimum and its slope, from mu and what else it needs.
Profiled = Callable[[float, Any], tuple[float, float]]
_ITERATIONS = 400


class Limit(NamedTuple):
    """Interval {mu >= 0 : q(mu) - q_ref <= delta} for each input, and what it means.

    `upper` is infinite where the efficiency is compatible with zero, and NaN where the interval is `empty` (unbounded
    and a deficit beyond sqrt(delta) sigma).
    """

    lower: Floats
    upper: Floats
    empty: NDArray[np.bool_]
    delta: float
    sidedness: str
    method: str


def sidedness(delta: float) -> str:
    """Return in words the confidence of an interval of q <= delta, two-sided and of its upper end alone."""
    two_sided = math.erf(math.sqrt(0.5 * delta))
    return f"two-sided {100.0 * two_sided:.3g} %, about {50.0 + 50.0 * two_sided:.3g} % one-sided"


def method_name(bounded: bool) -> str:
    """Return the name of the method as the outputs carry it."""
    return f"{'bounded' if bounded else 'unbounded'} profile likelihood"


@kernel
def x_minus_log1p(x: float) -> float:
    """Return x - log(1 + x) without cancellation, infinity for x <= -1."""
    if x <= -1.0:
        return math.inf
    if abs(x) > 0.02:
        return x - math.log1p(x)
    tail = 0.125 - x * (1.0 / 9.0 - x * 0.1)
    series = 0.2 - x * (1.0 / 6.0 - x * (1.0 / 7.0 - x * tail))
    return x * x * (0.5 - x * (1.0 / 3.0 - x * (0.25 - x * series)))


@kernel
def profile(n: float, excess: float, w: float) -> tuple[float, float, float]:
    """Return q - q_min and its first two derivatives by the expectation s0 = n + excess, uncertain with variance w.

    -2 ln [Pois(n | s) G(s0 | s, sqrt(w))] is least where s^2 - (s0 - w) s - w n = 0; t = s - n is its root free of
    cancellation. q = 2 n (x - ln(1 + x)) + w (t/s)^2 with x = t/n; dq/ds0 = 2 t/s.
    """
    s0 = n + excess
    if n == 0.0:
        inside = s0 > w  # else the profiled expectation is zero
        q = 2.0 * s0 - w if inside else (s0 * s0 / w if w > 0.0 else 0.0)
        slope = 2.0 if inside else (2.0 * s0 / w if w > 0.0 else 2.0)
        curvature = 0.0 if inside or w == 0.0 else 2.0 / w
        return q, slope, curvature
    c = n - excess + w
    root = math.hypot(s0 - w, 2.0 * math.sqrt(w * n))
    t = 2.0 * n * excess / (c + root) if c > 0.0 else 0.5 * (root - c)
    s = n + t
    if s <= 0.0:
        return math.inf, 0.0, 0.0
    pull = t / s
    return 2.0 * n * x_minus_log1p(t / n) + w * pull * pull, 2.0 * pull, 2.0 * n / (s * max(root, 1e-300))


@kernel
def gaussian_q(mu: float, data: tuple[float, float, float, float, float]) -> tuple[float, float]:
    """Return q(mu) - q_min and dq/dmu for (n, b, variance of b, e, variance of e)."""
    n, b, u, e, v = data
    excess = e * mu + b - n
    q, slope, _ = profile(n, excess, u + v * mu * mu)
    e_fit = e - 0.5 * v * mu * slope
    if e_fit < 0.0:
        q, slope, _ = profile(n, b - n, u)
        return q + e * e / v, 0.0
    return q, e_fit * slope


@kernel
def crossing(q_of: Profiled, data: Any, ends: tuple[float, float], start: float, q1: float) -> float:
    """Return where q_of(mu, data) = q1 between an inner end (q below) and an outer one (q above, may be infinite).

    q_of returns q >= 0, convex and zero at its minimum, with its slope. Newton's method on sqrt(q), which is nearly
    linear, is kept inside the bracket by doubling or bisection.
    """
    inner, outer = ends
    mu = start
    for _ in range(_ITERATIONS):
        q, slope = q_of(mu, data)
        if q < q1:
            inner = mu
        else:
            outer = mu
        # [sqrt(q1) - sqrt(q)] / (d sqrt(q) / dmu)
        step = 2.0 * math.sqrt(q) * (q1 - q) / ((math.sqrt(q) + math.sqrt(q1)) * slope) if slope != 0.0 else 0.0
        new = mu + step
        if not (min(inner, outer) < new < max(inner, outer)) or step == 0.0:
            new = 2.0 * mu if math.isinf(outer) else 0.5 * (inner + outer)
        if abs(new - mu) <= 1e-14 * abs(mu) or new in (inner, outer):
            return new
        mu = new
    return mu


@kernel
def interval(
    q_of: Profiled,
    data: Any,
    shape: tuple[float, float, float, float],
    delta: float,
    bounded: bool,
) -> tuple[float, float]:
    """Return the ends of {mu >= 0 : q(mu) - q_ref <= delta}, the upper one NaN where it is empty.

    shape = (best mu without bound, its rough error, q(0), q(infinity) above the least q of any mu >= 0).
    """
    best, sigma, q0, farthest = shape
    if best < 0.0 and not bounded and q0 > delta:
        return 0.0, math.nan
    at_bound = q0 if best < 0.0 else 0.0
    target = delta + at_bound if bounded else delta
    if farthest + at_bound <= target:
        upper = math.inf
    else:
        start = best + sigma * math.sqrt(target)
        upper = crossing(q_of, data, (max(best, 0.0), math.inf), start if start > 0.0 else sigma, target)
    lower = 0.0
    if best > 0.0 and q0 > delta:
        start = best - sigma * math.sqrt(delta)
        lower = crossing(q_of, data, (best, 0.0), start if start > 0.0 else 0.5 * best, delta)
    return lower, upper


@stage
def _limits(inputs: Floats, delta: float, bounded: bool, lower: Floats, upper: Floats) -> None:
    for i in range(np.uint64(lower.size)):
        n, b, e = inputs[0, i], inputs[1, i], inputs[3, i]
        u, v = inputs[2, i] * inputs[2, i], inputs[4, i] * inputs[4, i]
        data = (n, b, u, e, v)
        q0, _ = gaussian_q(0.0, data)
        best = (n - b) / e
        sigma = math.sqrt(n + u + v * best * best + 1.0) / e
        shape = (best, sigma, q0, e * e / v if v > 0.0 else math.inf)
        lower[i], upper[i] = interval(gaussian_q, data, shape, delta, bounded)


def check_delta(delta: float) -> float:
    """Return delta, or raise ValueError where it is not a positive number."""
    if not (math.isfinite(delta) and delta > 0.0):
        raise ValueError(f"delta = {delta!r}, must be finite and > 0")
    return float(delta)


def check_inputs(named: Mapping[str, tuple[ArrayLike, str]]) -> list[Floats]:
    """Return the values of name -> (values, what is allowed) as arrays of one shape; ValueError names what is wrong.

    "must be finite and > 0" is positive, everything else not negative.
    """
    arrays = np.broadcast_arrays(*(np.asarray(values, dtype=np.float64) for values, _ in named.values()))
    for (name, (_, allowed)), values in zip(named.items(), arrays, strict=True):
        good = np.isfinite(values) & ((values > 0.0) if "> 0" in allowed else (values >= 0.0))
        if not np.all(good):
            raise ValueError(f"{name} = {values[~good].flat[0]:g}, {allowed}")
    return list(arrays)


def poisson_limit(
    n: ArrayLike,
    b: ArrayLike,
    sigma_b: ArrayLike,
    efficiency: ArrayLike,
    sigma_efficiency: ArrayLike,
    *,
    delta: float = DELTA_90,
    bounded: bool = True,
) -> Limit:
    """Return the interval of a signal mu from n counts over b +- sigma_b with efficiency +- sigma_efficiency.

    All arguments broadcast; the sigmas are absolute; n need not be an integer. The interval is where
    q(mu) = -2 ln L(mu) / L(reference), profiled, is at most `delta`: 2.706 (default) is a two-sided 90 % interval, its
    upper end about a 95 % one-sided limit; 1.642 makes the upper end about a 90 % one-sided one. `bounded` refers q to
    the best mu >= 0; otherwise to the best mu, and a large deficit leaves the interval empty.

    mu counts events before the efficiency: do not divide the result by it again. Raises ValueError for n, b or sigmas
    that are negative or not finite, and for an efficiency that is not positive. Below about ten counts the coverage
    differs from the asymptotic one (discrete n).
    """
    delta = check_delta(delta)
    not_negative = "must be finite and >= 0"
    arrays = check_inputs(
        {
            "n": (n, f"{not_negative} (put a subtracted background into b)"),
            "b": (b, not_negative),
            "sigma_b": (sigma_b, not_negative),
            "efficiency": (efficiency, "must be finite and > 0"),
            "sigma_efficiency": (sigma_efficiency, not_negative),
        }
    )
    shape = arrays[0].shape
    inputs = np.array([a.ravel() for a in arrays])
    lower, upper = np.empty(inputs.shape[1]), np.empty(inputs.shape[1])
    _limits(inputs, delta, bool(bounded), lower, upper)
    return Limit(
        lower.reshape(shape)[()],
        upper.reshape(shape)[()],
        np.isnan(upper).reshape(shape)[()],
        delta,
        sidedness(delta),
        method_name(bounded),
    )
