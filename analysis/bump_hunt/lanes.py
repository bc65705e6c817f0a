"""A block of data sets, lane by lane: fits that fall back on the careful way, and the scan over all masses."""

import math

import numpy as np

from ...arrays import Floats, Ints
from ...kernel import stage
from .barrier import careful_fit
from .model import Columns
from .newton import CROSSING, FIXED, FREE, LANES, DataSets, Goal, State, fit, information

_LANES = np.uint64(LANES)
#: How a lane was fitted: in fast steps, with care, not at all.
FAST, CAREFUL, FAILED = 0, 1, 2
#: Rows of the result of `scan_lanes`.
ROWS = ("best", "q_zero", "q_best", "error", "upper")
_MIN_CURVATURE = 0.01
_SMALL = 1e-3


@stage
def solve(
    mode: np.int64,
    m: int,
    model: Columns,
    data: DataSets,
    goal: Goal,
    active: Ints,
    state: State,
    answer: Floats,
    q: Floats,
    status: Ints,
) -> None:
    """Fit the active lanes as `newton.fit` does, and with care those that it could not; raise their status."""
    failed, found, start = np.zeros(LANES, dtype=np.int64), np.empty(2), state.x.copy()
    fit(mode, m, model, data, goal, active, state, answer, q, failed)
    for t in range(LANES):
        if failed[t] != 0:
            good = careful_fit(mode, m, t, model, data, goal, start[t], state, found)
            state.x[t], answer[t], q[t] = found[0], found[0], found[1]
            status[t] = max(status[t], CAREFUL if good else FAILED)


@stage
def fitted_errors(m: int, model: Columns, data: DataSets, state: State, best: Floats, error: Floats) -> None:
    """Fill the error of the best signal from the curvature of -ln L there, background and nuisances free.

    The nuisances' columns are taken to have the same curvature, relative to the expected one, as the signal's: exact
    for errors of the yield.
    """
    theta = state.theta
    error[:] = 0.0
    for c in range(model.start.shape[1]):
        start, size = model.start[m, c], model.size[m, c]
        information(data.counts[c, start : start + size], model.columns[m, c], size, state.nu[c], theta, error)
    for t in range(_LANES):
        expected, pulled = 1.0, best[t] if abs(best[t]) > _SMALL else _SMALL
        for j in range(theta.shape[0]):
            expected += theta[j, t] * (2.0 * model.overlap[m, j] + theta[j, t] * model.spread[m, j])
        curvature, scale = error[t], error[t] / expected
        for j in range(theta.shape[0]):
            mixed = scale * best[t] * (model.overlap[m, j] + theta[j, t] * model.spread[m, j])
            mixed += (data.auxiliary[j, t] - theta[j, t]) / pulled  # the residuals' part, from the optimum in theta
            curvature -= mixed * mixed / (1.0 + scale * best[t] * best[t] * model.spread[m, j])
        error[t] = 1.0 / math.sqrt(max(curvature, _MIN_CURVATURE))


@stage
def scan_lanes(
    model: Columns,
    counts: Floats,
    constraint: Floats,
    auxiliary: Floats,
    delta: float,
    bounded: bool,
    out: Floats,
    status: Ints,
) -> None:
    """Fill best signal, q at zero and at the best, error and upper limit (q = q_ref + delta) of each lane and mass.

    counts (C, B, LANES), constraint (C, LANES), auxiliary (M, J, LANES) rotated for every mass; out
    (M, len(ROWS), LANES), signals in units of their expected error; status (M, LANES). A delta of zero asks for no
    limit.
    """
    n_masses, n_channels = model.start.shape
    n_nuisances = model.spread.shape[1]
    amplitude = np.empty((n_channels, model.columns.shape[3], LANES))
    nu = np.empty((n_channels, model.columns.shape[2], LANES))
    theta, x = np.empty((n_nuisances, LANES)), np.empty(LANES)
    state = State(amplitude, theta, x, nu)
    goal, zero, unused = np.empty(LANES), np.zeros(LANES), np.empty(LANES)
    active = np.ones(LANES, dtype=np.int64)
    nothing = Goal(zero, zero, zero)
    status[:] = FAST
    for m in range(n_masses):
        best, q_zero, q_best, error, upper = out[m, 0], out[m, 1], out[m, 2], out[m, 3], out[m, 4]
        data = DataSets(counts, constraint, auxiliary[m])
        amplitude[:] = 0.0
        x[:] = 0.0
        for j in range(n_nuisances):
            for t in range(_LANES):
                theta[j, t] = auxiliary[m, j, t]
        solve(FIXED, m, model, data, nothing, active, state, unused, q_zero, status[m])
        solve(FREE, m, model, data, nothing, active, state, best, q_best, status[m])
        fitted_errors(m, model, data, state, best, error)
        if delta > 0.0:
            for t in range(_LANES):
                goal[t] = delta + (q_zero[t] if bounded and best[t] < 0.0 else q_best[t])
                x[t] = best[t] + error[t] * math.sqrt(goal[t] - q_best[t])
            solve(CROSSING, m, model, data, Goal(goal, q_best, best), active, state, upper, unused, status[m])
