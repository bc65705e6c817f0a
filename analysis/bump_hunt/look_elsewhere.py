"""How often chance makes a peak as high as the highest, anywhere: by up-crossings of few toys, or by many toys.

E. Gross and O. Vitells, EPJC 70 (2010) 525, arXiv:1005.1891: the probability that max Z exceeds sqrt(u) is at most
p(one mass) per run of masses + <N(u0)> exp(-(u - u0)/2), N(u0) the number of times Z^2 of an excess rises through u0.
Every run of masses, on either side of a gap, begins anew.
"""

from typing import NamedTuple

import numpy as np
from scipy import special

from ...arrays import Floats, Ints

#: Level at which up-crossings are counted.
LEVEL = 0.5


class GlobalSignificance(NamedTuple):
    """Highest local significance, and the probability of one as high anywhere, with its error and as a Z."""

    z_local: float
    p_global: float
    p_error: float
    z_global: float


def up_crossings(z: Floats, segment: Ints, level: float = LEVEL) -> Ints:
    """Return how often the signed Z (n_scans, n_masses) rises through sqrt(level), within the runs of masses."""
    threshold = np.sqrt(level)
    rises = (z[:, :-1] < threshold) & (z[:, 1:] >= threshold) & (segment[1:] == segment[:-1])
    return np.asarray(np.count_nonzero(rises, axis=1), dtype=np.int64)


def _result(z_local: float, p: float, error: float) -> GlobalSignificance:
    p = min(p, 1.0)
    return GlobalSignificance(z_local, p, error, float(-special.ndtri(p)))


def global_significance(z_local: float, z_toys: Floats, segment: Ints, level: float = LEVEL) -> GlobalSignificance:
    """Return the bound of Gross and Vitells from background toys scanned at the same masses.

    p = n_runs (1 - Phi(Z)) + <N(u0)> exp(-(Z^2 - u0)/2). Too large where the steps are as wide as the resolution
    (by a third at 10 MeV); a step of half the resolution or less is right. Raises ValueError for scans with NaN.
    """
    if not np.all(np.isfinite(z_toys)):
        raise ValueError("scans of toys contain failed fits: z must be finite")
    numbers = up_crossings(z_toys, segment, level)
    runs = np.unique(segment).size
    reduced = float(np.exp(-0.5 * (z_local**2 - level)))
    p = runs * float(special.ndtr(-z_local)) + float(numbers.mean()) * reduced
    error = reduced * float(numbers.std(ddof=1)) / np.sqrt(numbers.size) if numbers.size > 1 else np.inf
    return _result(z_local, p, float(error))


def global_significance_by_toys(z_local: float, z_toys: Floats) -> GlobalSignificance:
    """Return the fraction of background toys whose highest Z is at least z_local, as (k + 1)/(n + 1)."""
    if not np.all(np.isfinite(z_toys)):
        raise ValueError("scans of toys contain failed fits: z must be finite")
    highest = z_toys.max(axis=1)
    n = highest.size
    p = (int(np.count_nonzero(highest >= z_local)) + 1) / (n + 1)
    return _result(z_local, p, float(np.sqrt(p * (1.0 - p) / n)))
