"""Fits at one mass of up to `LANES` data sets at once, from Python: of them scans, CLs and posteriors are made."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...arrays import Floats, Ints
from .lanes import FAST, fitted_errors, solve
from .model import Model
from .newton import CROSSING, FIXED, FREE, LANES, DataSets, Goal, State


class Fits(NamedTuple):
    """Signal in units of its expected error and q, per lane, with the state they were found in."""

    x: Floats
    q: Floats
    status: Ints
    state: State


def repeated(model: Model, counts: Floats) -> DataSets:
    """Return one data set (C, B) in every lane, auxiliary measurements as expected."""
    auxiliary = np.zeros((len(model.nuisances), LANES))
    return DataSets(np.repeat(counts[:, :, None], LANES, axis=2), np.zeros((counts.shape[0], LANES)), auxiliary)


def first_lane(fits: Fits) -> Fits:
    """Return the first lane's fit in every lane."""

    def everywhere(values: Floats) -> Floats:
        return np.repeat(values[..., :1], LANES, axis=-1)

    state = State(*(everywhere(values) for values in fits.state))
    return Fits(everywhere(fits.x), everywhere(fits.q), np.full(LANES, fits.status[0]), state)


def _run(
    mode: np.int64, model: Model, m: int, data: DataSets, x: Floats, start: Fits | None, goal: Goal, used: int
) -> Fits:
    columns = model.columns.columns
    n_channels, rows, n_columns = columns.shape[1:]
    amplitude = np.zeros((n_channels, n_columns, LANES)) if start is None else start.state.amplitude.copy()
    theta = data.auxiliary.copy() if start is None else start.state.theta.copy()
    state = State(amplitude, theta, x.copy(), np.empty((n_channels, rows, LANES)))
    answer, q, status = np.empty(LANES), np.empty(LANES), np.full(LANES, FAST)
    solve(mode, m, model.columns, data, goal, (np.arange(LANES) < used).astype(np.int64), state, answer, q, status)
    return Fits(answer, q, status, state)


_ZERO = np.zeros(LANES)
_NOTHING = Goal(_ZERO, _ZERO, _ZERO)


def fit_at(model: Model, m: int, data: DataSets, x: ArrayLike, start: Fits | None = None, used: int = LANES) -> Fits:
    """Fit background and nuisances at given signals (LANES,)."""
    at = np.broadcast_to(np.asarray(x, dtype=np.float64), (LANES,)).copy()
    return _run(FIXED, model, m, data, at, start, _NOTHING, used)


def fit_signal(model: Model, m: int, data: DataSets, start: Fits | None = None, used: int = LANES) -> Fits:
    """Fit the signal as well, of either sign."""
    return _run(FREE, model, m, data, _ZERO, start, _NOTHING, used)


def fit_crossing(
    model: Model, m: int, data: DataSets, best: Fits, goal: Floats, guess: Floats, used: int = LANES
) -> Fits:
    """Return the signals at which q is `goal`, above the best where the guess is above it, else below."""
    return _run(CROSSING, model, m, data, guess, best, Goal(goal, best.q, best.x), used)


def errors(model: Model, m: int, data: DataSets, best: Fits) -> Floats:
    """Return the error of each lane's best signal."""
    error = np.empty(LANES)
    fitted_errors(m, model.columns, data, best.state, best.x, error)
    return error


def asimov(model: Model, m: int, data: DataSets, background: Fits) -> DataSets:
    """Return the expectation of every lane's fit without signal, auxiliary measurements at their fit too.

    Only the bins of the windows are filled.
    """
    columns = model.columns
    counts, constraint = np.zeros_like(data.counts), np.empty_like(data.constraint)
    for c in range(counts.shape[0]):
        start, size = int(columns.start[m, c]), int(columns.size[m, c])
        counts[c, start : start + size] = background.state.nu[c, :size]
        constraint[c] = background.state.nu[c, size]
    return DataSets(counts, constraint, background.state.theta.copy())
