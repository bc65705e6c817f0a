"""How often chance makes a peak as high as the highest, anywhere: by up-crossings of few toys, or by many toys.

E. Gross and O. Vitells, EPJC 70 (2010) 525, arXiv:1005.1891: the probability that max Z exceeds sqrt(u) is at most
p(one mass) per run of masses + <N(u0)> exp(-(u - u0)/2), N(u0) the number of times Z^2 of an excess rises through u0.
Every run of masses, on either side of a gap, begins anew. Two refinements turn the bound into an estimate: rises are as
good as independent, so that none happens with probability exp(-<N>), which counts a spectrum with several once (7 % at
Z = 3 in the search); and between two masses of a scan Z may rise and fall again unseen, the more often the higher the
level: the ratio of rises at two levels is that of normal pairs with the correlation of neighbouring masses in the toys
(5 % at steps of half a resolution, 15 % at steps of one).
"""

from typing import NamedTuple

import numpy as np
from scipy import special

from ...arrays import Floats, Ints

#: Level at which up-crossings are counted.
LEVEL = 0.5
# normal densities end so far above a level; neighbours are at most so correlated
_REACH, _CLOSEST = 9.0, 1.0 - 1e-9


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


def _rises(level: float, correlation: Floats) -> float:
    """Return the expected rises through a level between neighbours of unit normal distribution, all pairs added.

    P(x < level <= y), the integral over y of the normal density times Phi((level - rho y) / sqrt(1 - rho^2)).
    """
    nodes, weights = np.polynomial.legendre.leggauss(200)
    y = level + 0.5 * _REACH * (nodes + 1.0)
    density = 0.5 * _REACH * weights * np.exp(-0.5 * y * y) / np.sqrt(2.0 * np.pi)
    rho = correlation[:, None]
    return float(np.sum(special.ndtr((level - rho * y) / np.sqrt(1.0 - rho * rho)) @ density))


def thinning(z: Floats, segment: Ints, z_local: float, level: float = LEVEL) -> float:
    """Return the rises through z_local that scans at these masses show, over those through sqrt(level).

    exp(-(z_local^2 - level) / 2) for steps far below the resolution; the correlation of neighbours is that of the
    scans z, shape (n_scans, n_masses).
    """
    inside = segment[1:] == segment[:-1]
    norm = np.sqrt(np.mean(z * z, axis=0))
    if not np.any(inside) or np.any(norm == 0.0):
        return float(np.exp(-0.5 * (z_local**2 - level)))
    rho = np.mean(z[:, 1:] * z[:, :-1], axis=0) / (norm[1:] * norm[:-1])
    rho = np.clip(rho[inside], -_CLOSEST, _CLOSEST)
    return _rises(z_local, rho) / _rises(float(np.sqrt(level)), rho)


def _result(z_local: float, p: float, error: float) -> GlobalSignificance:
    p = min(p, 1.0)
    return GlobalSignificance(z_local, p, error, float(-special.ndtri(p)))


def global_significance(z_local: float, z_toys: Floats, segment: Ints, level: float = LEVEL) -> GlobalSignificance:
    """Return the estimate by up-crossings of background toys scanned at the same masses.

    p = 1 - Phi(Z)^n_runs exp(-<N(u0)> R), R = `thinning`. Raises ValueError for scans with NaN.
    """
    if not np.all(np.isfinite(z_toys)):
        raise ValueError("scans of toys contain failed fits: z must be finite")
    numbers = up_crossings(z_toys, segment, level)
    runs = np.unique(segment).size
    reduced = thinning(z_toys, segment, z_local, level)
    p = -float(np.expm1(runs * special.log_ndtr(z_local) - float(numbers.mean()) * reduced))
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
