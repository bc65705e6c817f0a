"""The scan of a block of data sets over all masses: background, signal, its error, and a limit, lane by lane."""

import math

import numpy as np

from ...arrays import Floats, Ints
from ...kernel import stage
from .model import Columns
from .newton import CROSSING, FIXED, FREE, LANES, fit, information

_LANES = np.uint64(LANES)
#: Rows of the result of `scan_lanes`.
BEST, Q_ZERO, Q_BEST, ERROR, UPPER = 0, 1, 2, 3, 4
ROWS = 5


@stage
def scan_lanes(
    model: Columns, counts: Floats, constraint: Floats, auxiliary: Floats, delta: float, bounded: bool,
    out: Floats, failed: Ints,
) -> None:
    """Fill best signal, q at zero and at the best, error and upper limit (q = q_ref + delta) of each lane and mass.

    counts (C, B, LANES), constraint (C, LANES), auxiliary (M, J, LANES) rotated for every mass; out
    (M, ROWS, LANES), signals in units of their expected error; failed (M, LANES), 1 for what is to be done with care.
    A delta of zero asks for no limit.
    """
    n_masses, n_channels = model.start.shape
    n_rows, n_columns = model.columns.shape[2], model.columns.shape[3]
    n_nuisances = model.spread.shape[1]
    amplitude = np.empty((n_channels, n_columns, LANES))
    nu = np.empty((n_channels, n_rows, LANES))
    theta = np.empty((n_nuisances, LANES))
    x, goal, zero = np.empty(LANES), np.zeros(LANES), np.zeros(LANES)
    unused = np.empty(LANES)
    active = np.empty(LANES, dtype=np.int64)
    for m in range(n_masses):
        best, q_zero, q_best, error, upper = out[m, 0], out[m, 1], out[m, 2], out[m, 3], out[m, 4]
        amplitude[:] = 0.0
        theta[:] = auxiliary[m]
        x[:] = 0.0
        active[:] = 1
        failed[m, :] = 0
        aux = auxiliary[m]
        fit(FIXED, m, model, counts, constraint, aux, zero, zero, zero, active, amplitude, theta, x, nu, unused,
            q_zero, failed[m])
        for t in range(_LANES):
            active[t] = 1 - failed[m, t]
        fit(FREE, m, model, counts, constraint, aux, zero, zero, zero, active, amplitude, theta, x, nu, best, q_best,
            failed[m])
        error[:] = 0.0
        for c in range(n_channels):
            start, size = model.start[m, c], model.size[m, c]
            information(counts[c, start : start + size], model.columns[m, c], size, nu[c], theta, error)
        for t in range(_LANES):
            curvature = error[t]
            for j in range(n_nuisances):
                mixed = best[t] * (model.overlap[m, j] + theta[j, t] * model.spread[m, j])
                curvature -= mixed * mixed / (1.0 + best[t] * best[t] * model.spread[m, j])
            error[t] = 1.0 / math.sqrt(max(curvature, 1e-12))
            active[t] = 1 - failed[m, t]
            goal[t] = delta + (q_zero[t] if bounded and best[t] < 0.0 else q_best[t])
            x[t] = best[t] + error[t] * math.sqrt(max(goal[t] - q_best[t], 0.0))
        if delta > 0.0:
            fit(CROSSING, m, model, counts, constraint, aux, goal, q_best, best, active, amplitude, theta, x, nu,
                upper, unused, failed[m])
