"""Discrete profiling: the background function is a nuisance parameter that takes one of a few values.

q(mu) is the least over the functions f of D_f + c k_f + q_f(mu), D_f the deviance without the bin, k_f the number of
parameters, c the penalty (1 in -2 ln L for each) and q_f the profile likelihood of the bin with the background that f
predicts. Dauncey, Kenzie, Wardle and Davies, JINST 10 (2015) P04015, DOI 10.1088/1748-0221/10/04/P04015.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..event import Floats, Ints
from ..kernel import kernel, stage
from .background import BackgroundFit
from .limit import DELTA_90, check_delta, check_inputs, gaussian_q, interval, method_name, sidedness


class Candidate(NamedTuple):
    """One background function: its prediction per bin, the error, and -2 ln L of the other bins with the penalty."""

    label: str
    predicted: Floats
    sigma: Floats
    offset: Floats


class EnvelopeLimit(NamedTuple):
    """As `limit.Limit`, the hull of what the functions allow, and the best fit without bound.

    `best` is its signal, `significance` the signed sqrt(q(0)), `chosen` the index of its function in `labels`.
    """

    lower: Floats
    upper: Floats
    empty: NDArray[np.bool_]
    best: Floats
    significance: Floats
    chosen: Ints
    labels: tuple[str, ...]
    delta: float
    sidedness: str
    method: str


def candidates(fits: Sequence[BackgroundFit], penalty: float = 1.0) -> list[Candidate]:
    """Return fits of one spectrum as candidates. Raises ValueError for fits that know the bin, or did not converge."""
    if not (np.isfinite(penalty) and penalty >= 0.0):
        raise ValueError(f"penalty = {penalty!r}, must be finite and >= 0")
    made = []
    for fit in fits:
        label = f"{fit.model} order {','.join(map(str, fit.order))}"
        if fit.prediction != "leave_one_out":
            raise ValueError(f"{label}: prediction = {fit.prediction!r}, the envelope needs 'leave_one_out'")
        if not fit.converged:
            raise ValueError(f"{label}: the fit did not converge, it cannot be a candidate")
        offset = fit.left_out_deviance + penalty * (sum(fit.order) + len(fit.order))
        made.append(Candidate(label, fit.predicted, fit.sigma_predicted, offset))
    return made


def added_candidates(first: Sequence[Candidate], second: Sequence[Candidate]) -> list[Candidate]:
    """Return every pair of candidates of two channels whose counts are added."""
    return [
        Candidate(f"{a.label} + {b.label}", a.predicted + b.predicted, np.hypot(a.sigma, b.sigma), a.offset + b.offset)
        for a in first
        for b in second
    ]


@kernel
def _summary(data: tuple[float, float, float, float, float]) -> tuple[float, float, float, float]:
    """Return what `interval` needs: best mu, its rough error, q(0) and the q of any mu large enough."""
    n, b, u, e, v = data
    best = (n - b) / e
    sigma = math.sqrt(n + u + v * best * best + 1.0) / e
    return best, sigma, gaussian_q(0.0, data)[0], e * e / v if v > 0.0 else math.inf


@stage
def _envelope_limits(
    counts: Floats, predicted: Floats, sigma: Floats, offset: Floats, delta: float, bounded: bool, out: Floats
) -> None:
    for i in range(np.uint64(counts.shape[1])):
        n, e, v = counts[0, i], counts[1, i], counts[2, i] * counts[2, i]
        reference, least, background_only = math.inf, math.inf, math.inf
        for f in range(predicted.shape[0]):
            data = (n, predicted[f, i], sigma[f, i] * sigma[f, i], e, v)
            best, _, q0, _ = _summary(data)
            if offset[f, i] < least:
                least = offset[f, i]
                out[2, i], out[4, i] = best, f
            reference = min(reference, offset[f, i] + (q0 if bounded and best < 0.0 else 0.0))
            background_only = min(background_only, offset[f, i] + q0)
        out[3, i] = math.copysign(math.sqrt(max(background_only - least, 0.0)), out[2, i])
        lower, upper = math.inf, -1.0
        for f in range(predicted.shape[0]):
            data = (n, predicted[f, i], sigma[f, i] * sigma[f, i], e, v)
            allowed = reference + delta - offset[f, i]
            if allowed <= 0.0:
                continue
            # the reference is common: each function is cut at what is left for it, without a bound of its own
            low, high = interval(gaussian_q, data, _summary(data), allowed, False)
            if not math.isnan(high):
                lower, upper = min(lower, low), max(upper, high)
        out[0, i], out[1, i] = (lower, upper) if upper >= 0.0 else (0.0, math.nan)


def envelope_limit(
    n: ArrayLike,
    functions: Sequence[Candidate],
    efficiency: ArrayLike = 1.0,
    sigma_efficiency: ArrayLike = 0.0,
    *,
    delta: float = DELTA_90,
    bounded: bool = True,
) -> EnvelopeLimit:
    """Return the interval of a signal mu in each bin, the background function profiled.

    One candidate gives `limit.poisson_limit`. mu counts events before the efficiency. Unbounded, the reference is the
    best mu of any sign, and the interval can be empty.

    Raises
    ------
    ValueError
        No candidate, candidates of another number of bins, numbers that are negative or not finite.
    """
    delta = check_delta(delta)
    if not functions:
        raise ValueError("no background function was given, the envelope needs at least one")
    zero = "must be finite and >= 0"
    checked = check_inputs(
        {
            "n": (np.atleast_1d(np.asarray(n, dtype=np.float64)), zero),
            "efficiency": (efficiency, "must be finite and > 0"),
            "sigma_efficiency": (sigma_efficiency, zero),
        }
    )
    for function in functions:
        for name in ("predicted", "sigma", "offset"):
            values = getattr(function, name)
            if np.shape(values) != checked[0].shape:
                raise ValueError(f"{function.label}: {name} of shape {np.shape(values)} for n of {checked[0].shape}")
            check_inputs({f"{function.label}: {name}": (values, zero)})
    predicted, sigma, offset = (np.array([getattr(f, name) for f in functions]) for name in Candidate._fields[1:])
    out = np.empty((5, checked[0].size))
    _envelope_limits(np.array(checked), predicted, sigma, offset, delta, bool(bounded), out)
    return EnvelopeLimit(
        out[0],
        out[1],
        np.isnan(out[1]),
        out[2],
        out[3],
        out[4].astype(np.int64),
        tuple(function.label for function in functions),
        delta,
        sidedness(delta),
        f"{method_name(bounded)}, envelope of {len(functions)} backgrounds",
    )
