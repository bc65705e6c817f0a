"""One data set fitted with care: damped Newton steps with the full Hessian, and a barrier where a bin is empty.

With few counts the most probable expectation lies where a bin without counts expects nothing. -ln L is convex in the
expectation, and minimising -ln L - tau sum_empty ln nu for a falling tau comes within tau times the number of empty
bins of that optimum (S. Boyd and L. Vandenberghe, Convex Optimization, 11.3); a bin with counts is its own barrier.
"""

import math

import numpy as np

from ...arrays import Floats
from ...kernel import stage
from .model import Columns
from .newton import CROSSING, FREE, DataSets, Goal, State

_FIRST, _LAST, _FACTOR = 0.1, 1e-11, 0.01
#: Where rounding stops the barrier on its way down, this is low enough: 1e-5 in q.
_ENOUGH = 1e-7
_STEPS = 60
_CROSSING_STEPS = 60


@stage
def solve_positive(matrix: Floats, vector: Floats) -> None:
    """Replace the vector by matrix^-1 vector, the matrix being symmetric and positive, by Cholesky's method in place.

    A pivot that rounding has made negative is lifted: a small step along a direction of no curvature.
    """
    n = vector.size
    for i in range(n):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            if i == j:
                matrix[i, i] = math.sqrt(max(total, 1e-12))
            else:
                matrix[i, j] = total / matrix[j, j]
    for i in range(n):
        total = vector[i]
        for k in range(i):
            total -= matrix[i, k] * vector[k]
        vector[i] = total / matrix[i, i]
    for r in range(n):
        i = n - 1 - r
        total = vector[i]
        for k in range(i + 1, n):
            total -= matrix[k, i] * vector[k]
        vector[i] = total / matrix[i, i]


@stage
def expectation(m: int, t: int, model: Columns, z: Floats, nu: Floats) -> float:
    """Fill the expectations of lane t for parameters z (backgrounds, signal, nuisances); return the least of a bin."""
    n_channels, n_columns = model.start.shape[1], model.columns.shape[3]
    n_nuisances = model.spread.shape[1]
    n_background = n_columns - 1 - n_nuisances
    signal = n_channels * n_background
    lowest = math.inf
    for c in range(n_channels):
        size = model.size[m, c]
        for i in range(size + 1):
            value = model.base[m, c, i] + z[signal] * model.columns[m, c, i, n_background]
            for k in range(n_background):
                value += z[c * n_background + k] * model.columns[m, c, i, k]
            for j in range(n_nuisances):
                value += z[signal] * z[signal + 1 + j] * model.columns[m, c, i, n_background + 1 + j]
            nu[c, i, t] = value
            if i < size:
                lowest = min(lowest, value)
    return lowest


@stage
def merit(m: int, t: int, model: Columns, data: DataSets, z: Floats, nu: Floats, tau: float) -> float:
    """Return -ln L of lane t above the reference, less tau times the logarithms of the empty bins' expectations."""
    value = 0.0
    for c in range(model.start.shape[1]):
        start, size = model.start[m, c], model.size[m, c]
        for i in range(size):
            n, base = data.counts[c, start + i, t], model.base[m, c, i]
            weight = n if n > 0.0 else tau
            value += nu[c, i, t] - base
            if weight > 0.0:
                value -= weight * math.log(nu[c, i, t] / base)
        pull = nu[c, size, t] - data.constraint[c, t]
        value += 0.5 * pull * pull
    first = z.size - data.auxiliary.shape[0]
    for j in range(data.auxiliary.shape[0]):
        value += 0.5 * (z[first + j] - data.auxiliary[j, t]) ** 2
    return value


@stage
def derivatives(
    m: int,
    t: int,
    model: Columns,
    data: DataSets,
    z: Floats,
    nu: Floats,
    tau: float,
    free: bool,
    gradient: Floats,
    hessian: Floats,
) -> None:
    """Fill gradient and Hessian (lower half) of the merit; the signal is held where it is not `free`.

    The mixed derivative's part that is proportional to the residuals is left out: the Hessian stays positive.
    """
    n_channels, n_columns = model.start.shape[1], model.columns.shape[3]
    n_nuisances = model.spread.shape[1]
    n_background = n_columns - 1 - n_nuisances
    signal = n_channels * n_background
    row = np.empty(n_columns)
    gradient[:] = 0.0
    hessian[:] = 0.0
    for c in range(n_channels):
        start, size = model.start[m, c], model.size[m, c]
        for i in range(size + 1):
            for k in range(n_background):
                row[k] = model.columns[m, c, i, k]
            u = model.columns[m, c, i, n_background]
            for j in range(n_nuisances):
                v = model.columns[m, c, i, n_background + 1 + j]
                u += z[signal + 1 + j] * v
                row[n_background + 1 + j] = z[signal] * v
            row[n_background] = u if free else 0.0
            if i < size:
                n = data.counts[c, start + i, t]
                weight = (n if n > 0.0 else tau) / nu[c, i, t]
                slope, curvature = 1.0 - weight, weight / nu[c, i, t]
            else:
                slope, curvature = nu[c, i, t] - data.constraint[c, t], 1.0
            for k in range(n_columns):
                at = c * n_background + k if k < n_background else signal + k - n_background
                gradient[at] += slope * row[k]
                for p in range(k + 1):
                    to = c * n_background + p if p < n_background else signal + p - n_background
                    hessian[at, to] += curvature * row[k] * row[p]
    for j in range(n_nuisances):
        gradient[signal + 1 + j] += z[signal + 1 + j] - data.auxiliary[j, t]
        hessian[signal + 1 + j, signal + 1 + j] += 1.0
    for k in range(z.size):  # columns of no use, and the signal where it is held
        hessian[k, k] += 1.0 if hessian[k, k] == 0.0 else 0.0


@stage
def minimise(m: int, t: int, model: Columns, data: DataSets, z: Floats, nu: Floats, free: bool) -> tuple[float, bool]:
    """Move the parameters z of lane t to the optimum; return q = -2 ln L there, and whether that worked."""
    empty = False
    for c in range(model.start.shape[1]):
        for i in range(model.size[m, c]):
            empty = empty or data.counts[c, model.start[m, c] + i, t] == 0.0
    gradient, hessian = np.empty(z.size), np.empty((z.size, z.size))
    trial, step = np.empty(z.size), np.empty(z.size)
    tau = _FIRST if empty else 0.0
    reached = math.inf
    if not expectation(m, t, model, z, nu) > 0.0:
        return math.inf, False
    while True:
        value = merit(m, t, model, data, z, nu, tau)
        decrement = math.inf
        for _ in range(_STEPS):
            derivatives(m, t, model, data, z, nu, tau, free, gradient, hessian)
            for k in range(z.size):
                step[k] = -gradient[k]
            solve_positive(hessian, step)
            decrement = 0.0
            for k in range(z.size):
                decrement -= gradient[k] * step[k]
            if not decrement > max(1e-10, 1e-2 * tau):
                break
            scale, moved = 1.0, False
            for _ in range(50):
                for k in range(z.size):
                    trial[k] = z[k] + scale * step[k]
                if expectation(m, t, model, trial, nu) > 0.0:
                    new = merit(m, t, model, data, trial, nu, tau)
                    if new <= value - 1e-4 * scale * decrement + 1e-13 * abs(value):
                        moved = True
                        break
                scale *= 0.5
            if not moved:
                expectation(m, t, model, z, nu)
                break
            for k in range(z.size):
                z[k] = trial[k]
            value = new
        if decrement < max(1e-6, 1e-2 * tau):
            reached = tau
        if tau <= _LAST or reached > tau:
            break
        tau *= _FACTOR
    q = 2.0 * merit(m, t, model, data, z, nu, 0.0)
    return q, reached <= _ENOUGH


@stage
def careful_fit(
    mode: np.int64,
    m: int,
    t: int,
    model: Columns,
    data: DataSets,
    goal: Goal,
    start: float,
    state: State,
    found: Floats,
) -> bool:
    """Do for lane t alone what `newton.fit` does for all: found = (signal, q). Return whether it converged."""
    n_channels, n_columns = model.start.shape[1], model.columns.shape[3]
    n_nuisances = model.spread.shape[1]
    n_background = n_columns - 1 - n_nuisances
    signal = n_channels * n_background
    z = np.zeros(signal + 1 + n_nuisances)
    x = 0.0 if mode == FREE else start
    best, q_goal = goal.best[t], goal.q[t]
    inner, outer = best, math.inf if start >= best else 0.0
    good = False
    for _ in range(_CROSSING_STEPS if mode == CROSSING else 1):
        z[:] = 0.0
        z[signal] = x
        for c in range(n_channels):
            for k in range(n_background):  # the signal alone on top of the reference: positive for x >= 0
                z[c * n_background + k] = x * model.offset[m, c, k, 0]
        q, good = minimise(m, t, model, data, z, state.nu, mode == FREE)
        if mode != CROSSING or not good:
            break
        if q < q_goal:
            inner = x
        else:
            outer = x
        here, there = math.sqrt(max(q - goal.least[t], 1e-12)), math.sqrt(q_goal - goal.least[t])
        if abs(here - there) < 1e-8:
            break
        new = best + (x - best) * there / here
        if not min(inner, outer) < new < max(inner, outer):
            new = 2.0 * abs(x) + 1.0 if math.isinf(outer) else 0.5 * (inner + outer)
        if abs(new - x) < 1e-9 * (1.0 + abs(x)):
            break
        x = new
    for c in range(n_channels):
        for k in range(n_background):
            state.amplitude[c, k, t] = z[c * n_background + k]
        for j in range(n_nuisances + 1):
            state.amplitude[c, n_background + j, t] = z[signal] * (z[signal + j] if j > 0 else 1.0)
    for j in range(n_nuisances):
        state.theta[j, t] = z[signal + 1 + j]
    found[0], found[1] = z[signal], q
    return good
