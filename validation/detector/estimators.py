"""Widths and peaks of distributions with their statistical errors, from the scatter of parts of the sample."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats

#: Parts of a sample whose scatter gives the error of what is estimated from it.
PARTS = 25
#: The core of a distribution: within so many standard deviations, as wide as those of a normal distribution there.
CORE = 1.5
_NORMAL = math.exp(-0.5 * CORE * CORE) / math.sqrt(2.0 * math.pi)
_CORE_RMS = math.sqrt(1.0 - 2.0 * CORE * _NORMAL / math.erf(CORE / math.sqrt(2.0)))
_STEPS = 30
_GRID = 121
_FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))

Estimator = Callable[[Floats], float]


def estimate(estimator: Estimator, sample: Floats) -> tuple[float, float]:
    """Return the estimate from a sample and its standard error: the scatter of the estimates from its parts."""
    if len(sample) < 4 * PARTS:
        return math.nan, math.nan
    parts = np.array([estimator(sample[i::PARTS]) for i in range(PARTS)])
    return estimator(sample), float(parts.std(ddof=1)) / math.sqrt(PARTS)


def half_width(sample: Floats) -> float:
    """Return half of the interval that holds the central 68.27 % of a sample."""
    low, high = np.quantile(sample, (0.158655, 0.841345))
    return 0.5 * float(high - low)


def rms(sample: Floats) -> float:
    """Return the standard deviation."""
    return float(np.std(sample))


def core_width(sample: Floats) -> float:
    """Return the width of the Gaussian core: of a normal distribution with the same rms within 1.5 of its widths."""
    centre, width = float(np.median(sample)), half_width(sample)
    for _ in range(_STEPS):
        inside = sample[np.abs(sample - centre) < CORE * width]
        if len(inside) < 2:
            return math.nan
        centre, width = float(inside.mean()), float(inside.std()) / _CORE_RMS
    return width


def _density(sample: Floats) -> tuple[Floats, Floats]:
    """Return a grid over the bulk of a sample and the density there, smoothed by a fifth of the width."""
    width = half_width(sample)
    centre = float(np.median(sample))
    edges = centre + width * np.linspace(-4.0, 4.0, _GRID + 1)
    counts = np.histogram(sample, edges)[0].astype(np.float64)
    x = np.arange(-12, 13) * (8.0 / _GRID)
    weight = np.exp(-0.5 * (x / 0.2) ** 2)
    return 0.5 * (edges[1:] + edges[:-1]), np.convolve(counts, weight / weight.sum(), mode="same")


def mode(sample: Floats) -> float:
    """Return the most probable value: the top of a parabola through the highest points of the smoothed density."""
    x, density = _density(sample)
    top = int(np.argmax(density))
    near = slice(max(top - 4, 0), top + 5)
    a, b, _ = np.polyfit(x[near] - x[top], density[near], 2)
    return float(x[top] - 0.5 * b / a) if a < 0.0 else float(x[top])


def half_maximum_width(sample: Floats) -> float:
    """Return the full width at half maximum over 2.355; the smoothing (2 % of a normal width) is taken out."""
    x, density = _density(sample)
    above = np.flatnonzero(density >= 0.5 * density.max())
    first, last = int(above[0]), int(above[-1])
    if first == 0 or last == len(x) - 1:
        return math.nan
    half = 0.5 * density.max()
    low = np.interp(half, density[first - 1 : first + 1], x[first - 1 : first + 1])
    high = np.interp(half, density[last : last + 2][::-1], x[last : last + 2][::-1])
    smoothed = float(high - low) / _FWHM
    return math.sqrt(max(smoothed**2 - (0.2 * half_width(sample)) ** 2, 0.0))


def share(passed: NDArray[np.bool_]) -> tuple[float, float]:
    """Return a fraction and its binomial error; of none or all, that of one event."""
    n = len(passed)
    if n == 0:
        return math.nan, math.nan
    count = int(np.count_nonzero(passed))
    safe = min(max(count, 1), max(n - 1, 1)) / n
    return count / n, math.sqrt(safe * (1.0 - safe) / n)
