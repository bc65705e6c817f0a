"""Newton steps with a fixed Hessian for many data sets at once: fits and crossings of the profile likelihood.

Data sets lie in lanes: arrays end in an axis of LANES of them, over which every inner loop runs, so that no sum is
reordered. In the columns of `model` the expected Hessian is the unit matrix and a Newton step is the gradient itself;
the true Hessian differs by about 1 / sqrt(counts in the window), which is what one step leaves of the distance. The
objective is q = -2 ln L above its value at the reference expectation; at a point whose gradient g is not quite zero the
minimum lies below by g^2, up to the same small fraction.

A lane is left where it is once it has converged, so that no lane depends on the others. A lane that meets an
expectation below zero or does not converge within `STEPS` says so; `barrier` takes it over.
"""

import math
from typing import NamedTuple

import numpy as np

from ...arrays import Floats, Ints
from ...elementary import log
from ...kernel import stage
from .model import Columns


class DataSets(NamedTuple):
    """What was measured, in every lane; C channels, B bins of the whole spectra, J nuisances.

    `constraint` are the auxiliary measurements of the additive components, `auxiliary` those of the signal's nuisances
    in the rotated basis of one mass.
    """

    counts: Floats  # (C, B, LANES)
    constraint: Floats  # (C, LANES)
    auxiliary: Floats  # (J, LANES)


class State(NamedTuple):
    """Where a fit stands in every lane: amplitudes of the columns, nuisances, signal, expectations."""

    amplitude: Floats  # (C, K, LANES)
    theta: Floats  # (J, LANES)
    x: Floats  # (LANES,)
    nu: Floats  # (C, N + 1, LANES)


class Goal(NamedTuple):
    """What a crossing seeks in every lane: the signal at which q is `q`, from the least q at the best signal."""

    q: Floats  # (LANES,)
    least: Floats
    best: Floats


#: Data sets that are fitted side by side.
LANES = 16
_LANES = np.uint64(LANES)
#: What is sought: the best background at a given signal; the best signal as well; the signal at a given q.
# numpy's integers: of Python's numba would compile one version each
FIXED, FREE, CROSSING = np.int64(0), np.int64(1), np.int64(2)
STEPS = 40
_TOLERANCE = 1e-9
_TINY = 1e-300
_CROSSING_TOLERANCE = 1e-6


@stage
def expect(base: Floats, columns: Floats, size: int, amplitude: Floats, nu: Floats, lowest: Floats) -> None:
    """Fill the expectation of every bin, nu = base + columns amplitude, and lower `lowest` to its minimum."""
    for i in range(np.uint64(size + 1)):
        row = nu[i]
        for t in range(_LANES):
            row[t] = base[i]
        for k in range(np.uint64(columns.shape[1])):
            slope = columns[i, k]
            for t in range(_LANES):
                row[t] += slope * amplitude[k, t]
    for i in range(np.uint64(size)):
        for t in range(_LANES):
            lowest[t] = min(lowest[t], nu[i, t])


@stage
def score(counts: Floats, constraint: Floats, columns: Floats, size: int, nu: Floats, gradient: Floats) -> None:
    """Fill the gradient of -ln L by the amplitudes; in the row after the bins nu - constraint is a unit Gaussian."""
    slope = np.empty(LANES)
    gradient[:] = 0.0
    for i in range(np.uint64(size + 1)):
        if i < np.uint64(size):
            for t in range(_LANES):
                slope[t] = 1.0 - counts[i, t] / nu[i, t]
        else:
            for t in range(_LANES):
                slope[t] = nu[i, t] - constraint[t]
        for k in range(np.uint64(columns.shape[1])):
            column = columns[i, k]
            for t in range(_LANES):
                gradient[k, t] += column * slope[t]


@stage
def likelihood(counts: Floats, constraint: Floats, base: Floats, size: int, nu: Floats, value: Floats) -> None:
    """Add -2 ln L(nu) / L(base) of one channel, its Gaussian term in full."""
    for i in range(np.uint64(size)):
        for t in range(_LANES):
            ratio = max(nu[i, t] / base[i], _TINY)  # a lane that has failed may be below zero
            value[t] += 2.0 * (nu[i, t] - base[i] - counts[i, t] * log(ratio))
    for t in range(_LANES):
        pull = nu[size, t] - constraint[t]
        value[t] += pull * pull


@stage
def information(counts: Floats, columns: Floats, size: int, nu: Floats, theta: Floats, out: Floats) -> None:
    """Add the curvature of -ln L by the signal with the background free: sum u^2 n/nu^2 less its projections.

    In the row after the bins the weight is 1.
    u is the signal's column with its nuisances where they are. The background's own curvature is taken as 1: an error
    of third order in the distance of the data from the reference.
    """
    n_signal = theta.shape[0] + 1
    n_background = columns.shape[1] - n_signal
    projection = np.zeros((columns.shape[1], LANES))
    weighted = np.empty(LANES)
    for i in range(np.uint64(size + 1)):
        for t in range(_LANES):
            u = columns[i, n_background]
            for j in range(theta.shape[0]):
                u += theta[j, t] * columns[i, n_background + 1 + j]
            weighted[t] = u * counts[i, t] / (nu[i, t] * nu[i, t]) if i < np.uint64(size) else u
            out[t] += u * weighted[t]
        for k in range(n_background):
            column = columns[i, k]
            for t in range(_LANES):
                projection[k, t] += column * weighted[t]
    for k in range(n_background):
        for t in range(_LANES):
            out[t] -= projection[k, t] * projection[k, t]


@stage
def evaluate(m: int, model: Columns, data: DataSets, state: State, gradient: Floats, lowest: Floats) -> None:
    """Fill expectation and gradient of every channel at mass number m."""
    lowest[:] = math.inf
    for c in range(model.start.shape[1]):
        start, size = model.start[m, c], model.size[m, c]
        columns = model.columns[m, c]
        expect(model.base[m, c], columns, size, state.amplitude[c], state.nu[c], lowest)
        score(data.counts[c, start : start + size], data.constraint[c], columns, size, state.nu[c], gradient[c])


@stage
def objective(m: int, model: Columns, data: DataSets, state: State, value: Floats) -> None:
    """Fill q = -2 ln L at the state's expectation, priors of the nuisances included."""
    value[:] = 0.0
    for c in range(model.start.shape[1]):
        start, size = model.start[m, c], model.size[m, c]
        counts = data.counts[c, start : start + size]
        likelihood(counts, data.constraint[c], model.base[m, c], size, state.nu[c], value)
    for j in range(state.theta.shape[0]):
        for t in range(_LANES):
            value[t] += (state.theta[j, t] - data.auxiliary[j, t]) ** 2


@stage
def steps(
    m: int, model: Columns, data: DataSets, state: State, gradient: Floats, free: bool, step: Floats, out: Floats
) -> None:
    """Fill the step of the nuisances and of the signal, dq/dx of the profile, and by how much q may still fall.

    Signal and nuisances are orthogonal to the background; among themselves the Hessian is bordered: D_j = 1 + x^2
    spread_j, h_xj = x (overlap_j + theta_j spread_j) + sum_c gradient_j, h_xx = |u + theta v|^2. With `free` the signal
    moves too; else the step of the nuisances is that at fixed x.

    step (2 J + 1, LANES): of the nuisances, of the signal, and of the nuisances per step of the signal; out (2, LANES):
    dq/dx and how far q may fall.
    """
    x, theta, auxiliary = state.x, state.theta, data.auxiliary
    n_channels, n_nuisances = gradient.shape[0], theta.shape[0]
    signal = gradient.shape[1] - n_nuisances - 1
    for t in range(_LANES):
        total = 0.0
        for c in range(n_channels):
            for k in range(signal):
                total += gradient[c, k, t] * gradient[c, k, t]
        g_x, h_xx = 0.0, 1.0
        for c in range(n_channels):
            g_x += gradient[c, signal, t]
        for j in range(n_nuisances):
            s = 0.0
            for c in range(n_channels):
                s += gradient[c, signal + 1 + j, t]
            g_x += theta[j, t] * s
            h_xx += theta[j, t] * (2.0 * model.overlap[m, j] + theta[j, t] * model.spread[m, j])
        least, schur, pulled = 0.1 * h_xx, h_xx, g_x
        for j in range(n_nuisances):
            s = 0.0
            for c in range(n_channels):
                s += gradient[c, signal + 1 + j, t]
            diagonal = 1.0 + x[t] * x[t] * model.spread[m, j]
            mixed = x[t] * (model.overlap[m, j] + theta[j, t] * model.spread[m, j]) + s
            g_j = x[t] * s + theta[j, t] - auxiliary[j, t]
            total += g_j * g_j / diagonal
            pulled -= mixed * g_j / diagonal
            schur -= mixed * mixed / diagonal
        schur = max(schur, least)
        move = -pulled / schur if free else 0.0
        out[0, t] = 2.0 * pulled
        step[n_nuisances, t] = move
        for j in range(n_nuisances):
            s = 0.0
            for c in range(n_channels):
                s += gradient[c, signal + 1 + j, t]
            diagonal = 1.0 + x[t] * x[t] * model.spread[m, j]
            mixed = x[t] * (model.overlap[m, j] + theta[j, t] * model.spread[m, j]) + s
            step[j, t] = -(x[t] * s + theta[j, t] - auxiliary[j, t]) / diagonal
            step[n_nuisances + 1 + j, t] = -mixed / diagonal
        out[1, t] = total + (pulled * pulled / schur if free else 0.0)


@stage
def fit(
    mode: np.int64,
    m: int,
    model: Columns,
    data: DataSets,
    goal: Goal,
    active: Ints,
    state: State,
    answer: Floats,
    q: Floats,
    failed: Ints,
) -> None:
    """Fit the active lanes from where their state stands; see `FIXED`, `FREE` and `CROSSING`.

    CROSSING: Newton's method on sqrt(q - least), which is nearly linear in x, while the background follows; on the side
    of the best signal where x begins. Filled are the signal that was sought, its profiled q, and 1 in `failed` where a
    lane did not get there.
    """
    amplitude, theta, x = state.amplitude, state.theta, state.x
    n_channels, n_nuisances = model.start.shape[1], theta.shape[0]
    n_background = model.columns.shape[3] - 1 - n_nuisances
    gradient = np.zeros((n_channels, model.columns.shape[3], LANES))
    lowest, value, step, out = (
        np.empty(LANES),
        np.empty(LANES),
        np.empty((2 * n_nuisances + 1, LANES)),
        np.empty((2, LANES)),
    )
    slope, decrement = out[0], out[1]
    done = np.zeros(LANES, dtype=np.bool_)
    for t in range(_LANES):
        done[t] = active[t] == 0
    for _ in range(STEPS):
        for c in range(n_channels):
            for t in range(_LANES):
                amplitude[c, n_background, t] = x[t]
                for j in range(n_nuisances):
                    amplitude[c, n_background + 1 + j, t] = x[t] * theta[j, t]
        evaluate(m, model, data, state, gradient, lowest)
        steps(m, model, data, state, gradient, mode == FREE, step, out)
        if mode == CROSSING:
            objective(m, model, data, state, value)
        n_done = 0
        for t in range(_LANES):
            if done[t]:
                n_done += 1
                continue
            if not (lowest[t] > 0.0 and decrement[t] < 1e6):
                failed[t] = 1
                done[t] = True
                n_done += 1
                continue
            move = step[n_nuisances, t]
            close = decrement[t] < _TOLERANCE
            if mode == CROSSING:
                here = math.sqrt(max(value[t] - decrement[t] - goal.least[t], 0.0))
                there = math.sqrt(goal.q[t] - goal.least[t])
                reach = x[t] - goal.best[t]
                move = 2.0 * here * (there - here) / slope[t] if slope[t] * reach > 0.0 else reach
                limit = 0.5 * abs(reach) if move * reach < 0.0 else 2.0 + abs(reach)
                move = math.copysign(min(abs(move), limit), move)
                close = close and abs(there - here) < _CROSSING_TOLERANCE
            if close:  # the state stays where q was evaluated
                answer[t] = x[t] + move
                q[t] = -decrement[t]
                done[t] = True
                n_done += 1
                continue
            for c in range(n_channels):
                for k in range(n_background):
                    amplitude[c, k, t] -= gradient[c, k, t]
            for j in range(n_nuisances):
                theta[j, t] += step[j, t] + step[n_nuisances + 1 + j, t] * move
            x[t] += move
        if n_done == LANES:
            break
    objective(m, model, data, state, value)
    for t in range(_LANES):
        if active[t] != 0:
            failed[t] = 1 if not done[t] else failed[t]
            q[t] += value[t]
