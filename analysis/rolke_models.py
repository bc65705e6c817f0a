"""All seven models of Rolke, Lopez and Conrad: what is known of background and efficiency, and how.

Background: known, Gaussian, or counted in a sideband tau times as large, y ~ Pois(tau b). Efficiency: known, Gaussian,
or counted in a simulation, z ~ Binomial(m, e). NIM A551 (2005) 493, DOI 10.1016/j.nima.2005.05.068; their models 1
(sideband, counted), 2 (sideband, Gaussian), 3 (Gaussian, Gaussian), 4 (sideband, known), 5 (Gaussian, known), 6
(known, counted), 7 (known, Gaussian). The pair Gaussian and counted is the same code and has no number.

The background is profiled in closed form at every expected signal S = e mu, which leaves Q(S); then q(mu) is the least
over 0 <= e of Q(e mu) + G(e), convex in e. Models 3, 5 and 7 are closed altogether: `limit.poisson_limit`.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..event import Floats
from ..kernel import kernel, stage
from .limit import (
    DELTA_90,
    Limit,
    check_delta,
    check_inputs,
    interval,
    method_name,
    poisson_limit,
    profile,
    sidedness,
    x_minus_log1p,
)

_ITERATIONS = 200
# the largest power of two that a bracket is doubled to
_DOUBLINGS = 1000


class Gaussian(NamedTuple):
    """A background or an efficiency with an absolute Gaussian error; known where the error is zero."""

    mean: ArrayLike
    sigma: ArrayLike = 0.0


class Sideband(NamedTuple):
    """A background from `counts` in a control region that expects `tau` > 0 times the background of the signal's."""

    counts: ArrayLike
    tau: ArrayLike


class Counted(NamedTuple):
    """An efficiency from `passed` out of `total` simulated signal events."""

    passed: ArrayLike
    total: ArrayLike


@kernel
def profile_sideband(n: float, y: float, tau: float, signal: float) -> tuple[float, float, float]:
    """Return Q(S) - Q_min and its first two derivatives by the expected signal S >= 0, the background profiled.

    Q = -2 ln [Pois(n | S + b) Pois(y | tau b)] is least where (1 + tau) b^2 - [n + y - (1 + tau) S] b - y S = 0. With
    s = S + b, dQ/dS = 2 r and r = 1 - n/s = y/b - tau the root of S r^2 + [n + y - (1 - tau) S] r = tau (S - n) + y
    that lies between -tau and 1; then Q = 2 n f(r s/n) + 2 y f(-r b/y), f(x) = x - ln(1 + x): no cancellation.
    """
    middle = n + y - (1.0 + tau) * signal
    root = math.hypot(middle, 2.0 * math.sqrt((1.0 + tau) * y * signal))
    b = 0.5 * (middle + root) / (1.0 + tau) if middle >= 0.0 else 2.0 * y * signal / (root - middle)
    s = signal + b
    linear, constant = n + y - (1.0 - tau) * signal, tau * (signal - n) + y
    if n == 0.0:
        r = 1.0
    elif linear >= 0.0:
        r = 2.0 * constant / (linear + root)
    else:
        r = 0.5 * (root - linear) / signal
    first = 2.0 * n * x_minus_log1p(r * s / n) if n > 0.0 else 2.0 * s
    second = 2.0 * y * x_minus_log1p(-r * b / y) if y > 0.0 else 2.0 * tau * b
    curvature = 0.0
    if n > 0.0 and (y > 0.0 or b == 0.0):
        curvature = 2.0 / (s * s / n + (b * b / y if y > 0.0 else 0.0))
    return first + second, 2.0 * r, curvature


@kernel
def _background(signal: float, data: tuple[bool, float, float, float]) -> tuple[float, float, float]:
    """Return Q(S) and two derivatives for (sideband or Gaussian, n, y or b, tau or variance of b)."""
    sideband, n, first, second = data
    if sideband:
        return profile_sideband(n, first, second, signal)
    return profile(n, signal + first - n, second)


@kernel
def _efficiency(e: float, data: tuple[bool, float, float]) -> tuple[float, float, float]:
    """Return G(e) above its minimum and two derivatives for (counted or Gaussian, z or e_hat, m or variance of e).

    Counted: G = -2 ln Binomial(z | m, e) = 2 z f(x) + 2 (m - z) f(-x z/(m - z)) with x = e m/z - 1.
    """
    counted, first, second = data
    if not counted:
        pull = (e - first) / second
        return pull * (e - first), 2.0 * pull, 2.0 / second
    passed, failed = first, second - first
    if (e <= 0.0 and passed > 0.0) or (e >= 1.0 and failed > 0.0):
        return math.inf, math.inf if e > 0.0 else -math.inf, math.inf
    if failed == 0.0:
        g = -2.0 * passed * math.log(e)
    elif passed == 0.0:
        g = -2.0 * failed * math.log1p(-e)
    else:
        x = (e * second - passed) / passed
        g = 2.0 * (passed * x_minus_log1p(x) + failed * x_minus_log1p(-x * passed / failed))
    slope = (2.0 * failed / (1.0 - e) if failed > 0.0 else 0.0) - (2.0 * passed / e if passed > 0.0 else 0.0)
    curvature = (2.0 * failed / (1.0 - e) ** 2 if failed > 0.0 else 0.0) + (
        2.0 * passed / e**2 if passed > 0.0 else 0.0
    )
    return g, slope, curvature


@kernel
def rolke_q(
    mu: float, data: tuple[tuple[bool, float, float, float], tuple[bool, float, float], float, float]
) -> tuple[float, float]:
    """Return q(mu) - q_min and dq/dmu for (background, efficiency, its best value, S of the best fit), mu >= 0.

    The least e lies between its best value and that of the best signal S/mu, both cut to where e is allowed; Newton's
    method is kept between them. At the least e dq/dmu = Q'(e mu) e.
    """
    background, efficiency, best, signal = data
    highest = 1.0 if efficiency[0] else math.inf
    if mu == 0.0 or efficiency[2] == 0.0:  # known, or of no influence
        q, slope, _ = _background(best * mu, background)
        return q, slope * best
    other = min(max(signal / mu, 0.0), highest)
    low, high = min(best, other), max(best, other)
    e = 0.5 * (low + high)
    for _ in range(_ITERATIONS):
        _, slope, curvature = _background(e * mu, background)
        _, slope_g, curvature_g = _efficiency(e, efficiency)
        gradient = slope * mu + slope_g
        if gradient > 0.0:
            high = e
        else:
            low = e
        new = e - gradient / (curvature * mu * mu + curvature_g)
        if not low <= new <= high:
            new = 0.5 * (low + high)
        if abs(new - e) <= 4e-16 * e or new == e:
            break
        e = new
    q, slope, _ = _background(e * mu, background)
    return q + _efficiency(e, efficiency)[0], slope * e


@stage
def _rolke_limits(inputs: Floats, sideband: bool, counted: bool, delta: float, bounded: bool, out: Floats) -> None:
    for i in range(np.uint64(out.shape[1])):
        n, first, second = inputs[0, i], inputs[1, i], inputs[2, i]
        if not sideband:
            second = second * second
        expected = first / second if sideband else first
        variance = first / (second * second) if sideband else second
        if counted:
            best, spread = inputs[3, i] / inputs[4, i], inputs[4, i]
            relative = 1.0 / max(inputs[3, i], 1.0)
        else:
            best, spread = inputs[3, i], inputs[4, i] * inputs[4, i]
            relative = spread / (best * best)
        background = (sideband, n, first, second)
        efficiency = (counted, inputs[3, i], spread)
        signal = n - expected
        data = (background, efficiency, best, signal)
        q0, _, _ = _background(0.0, background)
        farthest = math.inf
        if counted and best == 0.0:
            farthest = 0.0
        elif not counted and spread > 0.0:
            farthest = best * best / spread
        if best > 0.0:
            at = signal / best
            sigma = math.sqrt(n + variance + 1.0 + relative * signal * signal) / best
        else:  # no signal passed the simulation: the best mu is as large as one likes
            sigma = 1.0
            at = -1.0
            if signal > 0.0:
                at = 1.0
                for _ in range(_DOUBLINGS):
                    if rolke_q(at, data)[0] < 0.5 * delta:
                        break
                    at *= 2.0
        shape = (at, sigma, q0, farthest)
        out[0, i], out[1, i] = interval(rolke_q, data, shape, delta, bounded)


def _broadcast(n: ArrayLike, background: Gaussian | Sideband, efficiency: Gaussian | Counted) -> list[Floats]:
    """Return n and the two numbers of background and efficiency as arrays of one shape, checked."""
    named = {"n": (n, "must be finite and >= 0")}
    if isinstance(background, Sideband):
        named["counts"] = (background.counts, "must be finite and >= 0")
        named["tau"] = (background.tau, "must be finite and > 0")
    else:
        named["b"] = (background.mean, "must be finite and >= 0")
        named["sigma_b"] = (background.sigma, "must be finite and >= 0")
    if isinstance(efficiency, Counted):
        named["passed"] = (efficiency.passed, "must be finite and >= 0")
        named["total"] = (efficiency.total, "must be finite and > 0")
    else:
        named["efficiency"] = (efficiency.mean, "must be finite and > 0")
        named["sigma_efficiency"] = (efficiency.sigma, "must be finite and >= 0")
    arrays = check_inputs(named)
    if isinstance(efficiency, Counted) and np.any(arrays[3] > arrays[4]):
        at = np.unravel_index(np.argmax(arrays[3] > arrays[4]), arrays[3].shape)
        raise ValueError(f"passed = {arrays[3][at]:g}, must be at most total = {arrays[4][at]:g}")
    return arrays


def rolke_limit(
    n: ArrayLike,
    background: Gaussian | Sideband,
    efficiency: Gaussian | Counted,
    *,
    delta: float = DELTA_90,
    bounded: bool = True,
) -> Limit:
    """Return the interval of a signal mu from n counts, for any of the models of Rolke, Lopez and Conrad.

    All numbers broadcast; counts need not be integers. `delta` and `bounded` as in `limit.poisson_limit`, to which
    two Gaussians go. mu counts events before the efficiency. `upper` is infinite where the efficiency is compatible
    with zero: (e/sigma)^2 <= delta, or no simulated event passed.

    Raises
    ------
    ValueError
        Negative or non-finite numbers, tau = 0, total = 0, more passed than total: named with its value.

    Notes
    -----
    Of ROOT's TRolke, model 1 has the sign of a stationarity condition wrong (11.594 for 12.102 in its tutorial), n = 0
    is extrapolated from n = 1 and 2, and an efficiency compatible with zero gives finite numbers.
    """
    delta = check_delta(delta)
    arrays = _broadcast(n, background, efficiency)
    sideband, counted = isinstance(background, Sideband), isinstance(efficiency, Counted)
    if not sideband and not counted:
        return poisson_limit(*arrays, delta=delta, bounded=bounded)
    shape = arrays[0].shape
    out = np.empty((2, arrays[0].size))
    _rolke_limits(np.array([a.ravel() for a in arrays]), sideband, counted, delta, bool(bounded), out)
    words = f"{type(background).__name__.lower()} background, {type(efficiency).__name__.lower()} efficiency"
    return Limit(
        out[0].reshape(shape)[()],
        out[1].reshape(shape)[()],
        np.isnan(out[1]).reshape(shape)[()],
        delta,
        sidedness(delta),
        f"{method_name(bounded)}, {words}",
    )
