"""Limits on a Poisson mean with uncertain background and efficiency: the profile likelihood of Rolke and others.

L(mu, b, e) = Pois(n | e mu + b) G(b_hat | b, sigma_b) G(e_hat | e, sigma_e): model 3 of Rolke, Lopez and Conrad,
NIM A551 (2005) 493, DOI 10.1016/j.nima.2005.05.068. Both nuisances are profiled in closed form (`profile`), for any
real n. An efficiency cannot be negative: where the free minimum would be, it stays at zero (convexity makes that the
minimum); the profiled background is free.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..event import Floats
from ..kernel import kernel, stage

#: Quantile of chi squared with one degree of freedom at 90 %.
DELTA_90 = 2.705543454
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
        return math.inf, -math.inf, math.inf
    pull = t / s
    return 2.0 * n * x_minus_log1p(t / n) + w * pull * pull, 2.0 * pull, 2.0 * n / (s * max(root, 1e-300))


@kernel
def _q(mu: float, n: float, b: float, u: float, e: float, v: float) -> tuple[float, float]:
    """Return q(mu) - q_min and dq/dmu, with u and v the variances of background and efficiency."""
    excess = e * mu + b - n
    q, slope, _ = profile(n, excess, u + v * mu * mu)
    e_fit = e - 0.5 * v * mu * slope
    if e_fit < 0.0:
        q, slope, _ = profile(n, b - n, u)
        return q + e * e / v, 0.0
    return q, e_fit * slope


@kernel
def _crossing(
    inner: float, outer: float, start: float, target: float, n: float, b: float, u: float, e: float, v: float
) -> float:
    """Return where q = target between inner (q below) and outer (q above, may be infinite).

    Newton's method on sqrt(q), which is nearly linear, kept inside the bracket by doubling or bisection.
    """
    mu = start
    for _ in range(_ITERATIONS):
        q, slope = _q(mu, n, b, u, e, v)
        if q < target:
            inner = mu
        else:
            outer = mu
        # sqrt(target) - sqrt(q) over the slope of sqrt(q)
        step = 2.0 * math.sqrt(q) * (target - q) / ((math.sqrt(q) + math.sqrt(target)) * slope) if slope != 0.0 else 0.0
        new = mu + step
        if not (min(inner, outer) < new < max(inner, outer)) or step == 0.0:
            new = 2.0 * mu if math.isinf(outer) else 0.5 * (inner + outer)
        if abs(new - mu) <= 1e-14 * abs(mu) or new in (inner, outer):
            return new
        mu = new
    return mu


@kernel
def _interval(
    n: float, b: float, sigma_b: float, e: float, sigma_e: float, delta: float, bounded: bool
) -> tuple[float, float]:
    """Return the ends of the interval, the upper one NaN where it is empty."""
    u = sigma_b * sigma_b
    v = sigma_e * sigma_e
    best = (n - b) / e
    q0, _ = _q(0.0, n, b, u, e, v)
    if best < 0.0 and not bounded and q0 > delta:
        return 0.0, math.nan
    target = delta + q0 if best < 0.0 and bounded else delta
    sigma = math.sqrt(n + u + v * best * best + 1.0) / e
    farthest = (e * e / v if v > 0.0 else math.inf) + (q0 if best < 0.0 else 0.0)
    if farthest <= target:
        upper = math.inf
    else:
        start = best + sigma * math.sqrt(target)
        upper = _crossing(max(best, 0.0), math.inf, start if start > 0.0 else sigma, target, n, b, u, e, v)
    lower = 0.0
    if best > 0.0 and q0 > delta:
        start = best - sigma * math.sqrt(delta)
        lower = _crossing(best, 0.0, start if start > 0.0 else 0.5 * best, delta, n, b, u, e, v)
    return lower, upper


@stage
def _limits(inputs: Floats, delta: float, bounded: bool, lower: Floats, upper: Floats) -> None:
    for i in range(lower.size):
        lower[i], upper[i] = _interval(
            inputs[0, i], inputs[1, i], inputs[2, i], inputs[3, i], inputs[4, i], delta, bounded
        )


_ALLOWED = (
    ("n", "must be finite and >= 0 (put a subtracted background into b)"),
    ("b", "must be finite and >= 0"),
    ("sigma_b", "must be finite and >= 0"),
    ("efficiency", "must be finite and > 0"),
    ("sigma_efficiency", "must be finite and >= 0"),
)


def check_delta(delta: float) -> float:
    """Return delta, or raise ValueError where it is not a positive number."""
    if not (math.isfinite(delta) and delta > 0.0):
        raise ValueError(f"delta = {delta!r}, must be finite and > 0")
    return float(delta)


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
    arrays = np.broadcast_arrays(
        *(np.asarray(a, dtype=np.float64) for a in (n, b, sigma_b, efficiency, sigma_efficiency))
    )
    for (name, allowed), values in zip(_ALLOWED, arrays, strict=True):
        good = np.isfinite(values) & (values > 0.0 if name == "efficiency" else values >= 0.0)
        if not np.all(good):
            raise ValueError(f"{name} = {values[~good].flat[0]:g}, {allowed}")
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
