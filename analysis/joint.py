"""Limit on one signal strength that several channels share, each with its own background: the `joint` combination.

q(mu) = sum_c -2 ln [Pois(n_c | e S_c mu + b_c) G(b_c | b_hat_c, sigma_c)] - 2 ln G(e | 1, delta_syst), S_c the signal
counted in channel c at mu = 1. Backgrounds are profiled in closed form (`limit.profile`). What is left depends on
x = e mu alone, Q(x), and q(mu) = min over e >= 0 of Q(e mu) + ((e - 1)/delta_syst)^2 is convex in e: Newton's method.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..event import Floats
from ..kernel import kernel, stage
from .limit import DELTA_90, check_delta, interval, method_name, profile, sidedness

_ITERATIONS = 200


class JointLimit(NamedTuple):
    """As `limit.Limit`, with the unbounded best signal strength and its signed significance sqrt(q(0))."""

    lower: Floats
    upper: Floats
    empty: NDArray[np.bool_]
    best: Floats
    significance: Floats
    delta: float
    sidedness: str
    method: str


@kernel
def _all_channels(x: float, rows: tuple[Floats, Floats, Floats, Floats]) -> tuple[float, float, float]:
    """Return Q(x) of all channels above each one's own minimum, with two derivatives; x = e mu."""
    n, b, u, signal = rows
    q, slope, curvature = 0.0, 0.0, 0.0
    for c in range(n.size):
        term, first, second = profile(n[c], signal[c] * x + b[c] - n[c], u[c])
        q += term
        slope += first * signal[c]
        curvature += second * signal[c] * signal[c]
    return q, slope, curvature


@kernel
def _best_strength(rows: tuple[Floats, Floats, Floats, Floats], start: float, sigma: float) -> float:
    """Return the x that minimises Q, of either sign; where a channel is impossible, x is too low."""
    low, high = -math.inf, math.inf
    x = start
    for _ in range(_ITERATIONS):
        q, slope, curvature = _all_channels(x, rows)
        if math.isinf(q) or slope < 0.0:
            low = x
        else:
            high = x
        new = x - slope / curvature if curvature > 0.0 and not math.isinf(q) else math.nan
        if not low <= new <= high:
            new = x + 2.0 * sigma if math.isinf(high) else (x - 2.0 * sigma if math.isinf(low) else 0.5 * (low + high))
            sigma *= 2.0
        if abs(new - x) <= 1e-14 * (abs(x) + 1e-6 * sigma):
            return new
        x = new
    return x


@kernel
def _joint_q(mu: float, data: tuple[tuple[Floats, Floats, Floats, Floats], float, float]) -> tuple[float, float]:
    """Return q(mu) - q_min and dq/dmu for (rows of the channels, variance of e, Q at its minimum)."""
    rows, v, least = data
    q, slope, curvature = _all_channels(mu, rows)
    if v == 0.0 or mu == 0.0:
        return max(q - least, 0.0), slope
    # the root in e of slope(e mu) mu + 2 (e - 1)/v lies between 1 and where the slope vanishes
    low, high = (0.0, 1.0) if slope > 0.0 else (1.0, math.inf)
    e = 1.0
    for _ in range(_ITERATIONS):
        gradient = slope * mu + 2.0 * (e - 1.0) / v
        if gradient > 0.0:
            high = e
        else:
            low = e
        new = e - gradient / (curvature * mu * mu + 2.0 / v)
        if not low <= new <= high:
            new = 2.0 * e if math.isinf(high) else 0.5 * (low + high)
        done = abs(new - e) <= 1e-15 + 1e-14 * e
        e = new
        q, slope, curvature = _all_channels(e * mu, rows)
        if done:
            break
    return max(q - least + (e - 1.0) * (e - 1.0) / v, 0.0), slope * e


@stage
def _joint_limits(
    n: Floats, b: Floats, u: Floats, signal: Floats, v: Floats, delta: float, bounded: bool, out: Floats
) -> None:
    for i in range(np.uint64(v.size)):
        rows = (n[i], b[i], u[i], signal[i])
        weighted, information = 0.0, 0.0
        for c in range(n.shape[1]):
            weight = signal[i, c] / (n[i, c] + u[i, c] + 1.0)
            weighted += weight * (n[i, c] - b[i, c])
            information += weight * signal[i, c]
        sigma = 1.0 / math.sqrt(information)
        best = _best_strength(rows, max(weighted / information, 0.0), sigma)
        least, _, _ = _all_channels(best, rows)
        zero, _, _ = _all_channels(0.0, rows)
        q0 = max(zero - least, 0.0)
        shape = (best, math.sqrt(sigma * sigma + v[i] * best * best), q0, 1.0 / v[i] if v[i] > 0.0 else math.inf)
        out[0, i], out[1, i] = interval(_joint_q, (rows, v[i], least), shape, delta, bounded)
        out[2, i] = best
        out[3, i] = math.copysign(math.sqrt(q0), best)


def joint_limit(
    n: Floats,
    b: Floats,
    sigma_b: Floats,
    signal: Floats,
    delta_syst: Floats,
    *,
    delta: float = DELTA_90,
    bounded: bool = True,
) -> JointLimit:
    """Return the interval of the signal strength mu common to all channels of each bin.

    Parameters
    ----------
    n, b, sigma_b, signal : ndarray, shape (n_bins, n_channels)
        Counts, expected backgrounds with their errors, and the signal counted per unit of mu.
    delta_syst : ndarray, shape (n_bins,)
        Relative error of the signal, shared by the channels.

    Raises
    ------
    ValueError
        Negative or non-finite input; a bin where no channel expects a signal.
    """
    delta = check_delta(delta)
    named = {"n": n, "b": b, "sigma_b": sigma_b, "signal": signal, "delta_syst": delta_syst}
    for name, values in named.items():
        good = np.isfinite(values) & (values >= 0.0)
        if not np.all(good):
            raise ValueError(f"{name} = {values[~good].flat[0]:g}, must be finite and >= 0")
    if not np.all(signal.sum(axis=1) > 0.0):
        raise ValueError("signal = 0 in every channel of a bin, at least one must be positive")
    n, b, signal = (np.ascontiguousarray(values, dtype=np.float64) for values in (n, b, signal))
    out = np.empty((4, delta_syst.size))
    _joint_limits(n, b, np.ascontiguousarray(sigma_b**2), signal, delta_syst**2, delta, bool(bounded), out)
    return JointLimit(
        out[0], out[1], np.isnan(out[1]), out[2], out[3], delta, sidedness(delta), f"joint {method_name(bounded)}"
    )
