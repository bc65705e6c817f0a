"""Bayesian upper limit with a flat prior in mu >= 0 and in the background's coefficients.

The coefficients and nuisances are integrated by Laplace's method at every mu: posterior(mu) proportional to
exp(-q(mu)/2) / sqrt(det A(mu)), A the Hessian of -ln L by all but mu. Exact for a Gaussian; the error is of the order
of one over the counts in the window.
"""

import math

import numpy as np
from scipy import interpolate

from ...arrays import Floats
from . import bench
from .lanes import FAILED
from .model import Model
from .newton import LANES

#: Nodes of the posterior, and how many errors of mu they reach beyond the best.
NODES, REACH = 4 * LANES, 8.0


def _log_determinant(model: Model, m: int, counts: Floats, fits: bench.Fits, lane: int) -> float:
    """Return ln det of the Hessian of -ln L by background and nuisances at one lane's fit."""
    columns = model.columns
    n_channels, n_background, n_nuisances = len(model.channels), model.n_background, len(model.nuisances)
    size = n_channels * n_background + n_nuisances
    hessian = np.zeros((size, size))
    hessian[range(size - n_nuisances, size), range(size - n_nuisances, size)] = 1.0
    for c in range(n_channels):
        start, bins = int(columns.start[m, c]), int(columns.size[m, c])
        values = columns.columns[m, c, : bins + 1]
        used = np.flatnonzero(np.any(values[:, :n_background] != 0.0, axis=0))
        own = np.hstack([values[:, used], fits.x[lane] * values[:, n_background + 1 :]])
        weight = np.append(counts[c, start : start + bins] / fits.state.nu[c, :bins, lane] ** 2, 1.0)
        place = np.append(c * n_background + used, np.arange(size - n_nuisances, size)).astype(int)
        hessian[np.ix_(place, place)] += own.T @ (own * weight[:, None])
    unused = np.diag(hessian) == 0.0
    hessian[unused, unused] = 1.0
    return float(np.linalg.slogdet(hessian)[1])


def posterior(model: Model, m: int) -> tuple[Floats, Floats]:
    """Return mu >= 0 and the normalised posterior density there, at mass number m."""
    data = bench.repeated(model, model.counts)
    zero = bench.fit_at(model, m, data, 0.0, used=1)
    best = bench.fit_signal(model, m, data, zero, used=1)
    error = float(bench.errors(model, m, data, best)[0])
    x_best = float(best.x[0])
    # below zero the posterior falls over sigma^2 / |x|, shorter than sigma
    width = error if x_best > 0.0 else error / max(1.0, abs(x_best) / error)
    x = np.linspace(max(x_best - REACH * error, 0.0), max(x_best, 0.0) + REACH * 1.5 * width, NODES)
    logs = np.empty(NODES)
    for first in range(0, NODES, LANES):
        fits = bench.fit_at(model, m, data, x[first : first + LANES])
        if np.any(fits.status == FAILED):
            raise RuntimeError(f"posterior at {model.masses[m]:g} GeV: a fit failed")
        for lane in range(LANES):
            logs[first + lane] = -0.5 * (fits.q[lane] + _log_determinant(model, m, model.counts, fits, lane))
    curve = interpolate.CubicSpline(x, logs - logs.max())
    fine = np.linspace(x[0], x[-1], 4001)
    density = np.exp(curve(fine))
    density /= np.trapezoid(density, fine)
    unit = float(model.unit[m])
    return fine * unit, density / unit


def bayesian_upper(model: Model, m: int, *, confidence: float = 0.90) -> float:
    """Return the mu below which the posterior holds `confidence` of its probability, at mass number m."""
    if not 0.5 <= confidence < 1.0:
        raise ValueError(f"confidence = {confidence!r}, must be in [0.5, 1)")
    mu, density = posterior(model, m)
    steps = 0.5 * (density[1:] + density[:-1]) * np.diff(mu)
    total = np.append(0.0, np.cumsum(steps))
    return float(np.interp(confidence * total[-1], total, mu)) if math.isfinite(total[-1]) else math.nan
