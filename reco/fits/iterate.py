"""The fit of one event by Lagrange multipliers: linearise, solve, repeat, then propagate the covariance.

With the measurements y0 and their covariance V, the unmeasured u, the constraints f(y, u) = 0 and D = df/dy,
E = df/du, every step solves (Avery, CBX 91-72 and CBX 98-37; Frodesen, Skjeggestad and Tofte, chapter 10.8)

    | S   E | | lambda |   | d |
    | E^T 0 | |  -du   | = | 0 |,    S = D V D^T,    d = f + D (y0 - y),
    y <- y0 - V D^T lambda,    u <- u + du,    chi2 = lambda^T S lambda.

The matrix, unlike S, need not be positive definite: constraints that no measurement enters are allowed.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Ints
from ...kernel import kernel, stage
from .linear import SMALLEST_PIVOT, factorise, solve
from .propagate import fit_pulls, fitted_covariance, flight_length, momentum_covariance
from .rows import constraint_rows
from .start import start_parameters
from .tables import Tables

#: Values of `status`.
CONVERGED, NOT_CONVERGED, SINGULAR = 0, 1, 3

#: A fit has converged when no constraint is off by more than this [GeV, GeV^2, cm] and chi2 stands still.
TOLERANCE = 1e-9
#: Largest change of chi2 in the last step, relative to 1 + chi2; near its minimum the fitted values are
#: then within 1e-5 of their errors.
CHI2_TOLERANCE = 1e-10
#: Steps are whole in the first eight, then halved in every second eight: what jumps to and fro calms down.
_ROUND = 8


@kernel
def times_covariance(t: Tables, v: Floats, d: Floats, w: Floats) -> None:
    """Fill W = V D^T (n_parameters, n_constraints), block by block of V; rows of unmeasured parameters stay 0."""
    n = t.constraint.size
    for b in range(t.block_first.size):
        first, size, offset = t.block_first[b], t.block_size[b], t.block_offset[b]
        for r in range(size):
            for c in range(n):
                value = 0.0
                for k in range(size):
                    value += v[offset + r * size + k] * d[c, first + k]
                w[first + r, c] = value


@kernel
def system(t: Tables, d: Floats, w: Floats, k: Floats, scale: Floats) -> None:
    """Fill the symmetric matrix of a step, equilibrated: element (i, j) carries scale[i] scale[j]."""
    n, m = t.constraint.size, t.unmeasured.size
    for c in range(n):
        for e in range(c + 1):
            value = 0.0
            for q in range(t.n_parameters):
                value += d[c, q] * w[q, e]
            k[c, e] = value
        for u in range(m):
            k[n + u, c] = d[c, t.unmeasured[u]]
    for c in range(n):
        largest = 0.0
        for u in range(m):
            largest = max(largest, abs(k[n + u, c]))
        largest = 1.0 / largest if largest > 0.0 else 0.0
        scale[c] = 1.0 / math.sqrt(k[c, c]) if k[c, c] > 0.0 else largest
    for u in range(m):
        largest = 0.0
        for c in range(n):
            largest = max(largest, abs(k[n + u, c]) * scale[c])
        scale[n + u] = 1.0 / largest if largest > 0.0 else 0.0
    for r in range(n + m):
        for c in range(r + 1):
            value = k[r, c] * scale[r] * scale[c] if c < n else 0.0
            k[r, c] = value
            k[c, r] = value


@kernel
def distance(t: Tables, d: Floats, f: Floats, start: Floats, a: Floats, g: Floats) -> float:
    """Fill d = f + D (y0 - y) and return the largest |f|."""
    largest = 0.0
    for c in range(t.constraint.size):
        g[c] = f[c]
        size = abs(f[c])
        largest = largest if size <= largest else size
    for b in range(t.block_first.size):
        for q in range(t.block_first[b], t.block_first[b] + t.block_size[b]):
            shift = start[q] - a[q]
            for c in range(t.constraint.size):
                g[c] += d[c, q] * shift
    return largest


@kernel
def update(t: Tables, w: Floats, start: Floats, a: Floats, x: Floats, part: float) -> None:
    """Move the parameters by a part of a step; x holds multipliers and minus the change of unmeasured parameters."""
    n = t.constraint.size
    for b in range(t.block_first.size):
        for q in range(t.block_first[b], t.block_first[b] + t.block_size[b]):
            shift = 0.0
            for c in range(n):
                shift += w[q, c] * x[c]
            a[q] += part * (start[q] - shift - a[q])
    for u in range(t.unmeasured.size):
        a[t.unmeasured[u]] -= part * x[n + u]


@kernel
def invert(k: Floats, n: int, order: Ints, scale: Floats, inverse: Floats, x: Floats) -> None:
    """Fill the inverse of the unscaled matrix of a step from the factors of the scaled one."""
    for c in range(n):
        for r in range(n):
            x[r] = scale[r] if r == c else 0.0
        solve(k, n, order, x)
        for r in range(n):
            inverse[r, c] = x[r] * scale[r]


@stage
def fit_stage(
    t: Tables,
    n: int,
    flights: Ints,
    v: Floats,
    max_iterations: int,
    start: Floats,
    a: Floats,
    pull: Floats,
    momentum: Floats,
    covariance: Floats,
    summary: Floats,
    status: NDArray[np.int32],
) -> None:
    """Fit n events: rows of measurements `start` and packed covariances `v` in, everything else out.

    `a` comes in with the user's start of unmeasured parameters (NaN: found here). `summary` is (chi2, largest
    constraint, number of steps, then length and error of each flight).
    """
    n_particles, n_constraints, n_parameters, n_flights = t.kind.size, t.constraint.size, t.n_parameters, flights.size
    size, n_rows = n_constraints + t.unmeasured.size, 3 * (n_particles + t.vertex.size)
    p, j = np.zeros((n_particles, 4)), np.zeros((n_particles, 4, 6))
    x, jx = np.zeros((n_particles, 3)), np.zeros((n_particles, 3, 6))
    f, d = np.zeros(n_constraints), np.zeros((n_constraints, n_parameters))
    w, k = np.zeros((n_parameters, n_constraints)), np.zeros((size, size))
    inverse, gain = np.zeros((size, size)), np.zeros((n_parameters, size))
    full, half = np.zeros((n_parameters, n_parameters)), np.zeros((n_rows, n_parameters))
    gradient = np.zeros(n_parameters)
    scale, g, kept, order = np.zeros(size), np.zeros(size), np.zeros(size), np.zeros(size, dtype=np.int64)
    for i in range(n):
        start_parameters(t, a[i], p, j, x, jx)
        chi2, change, state, steps, residual = 0.0, math.inf, NOT_CONVERGED, 0, math.inf
        for step in range(max_iterations + 1):
            constraint_rows(t, a[i], p, j, x, jx, f, d)
            residual = distance(t, d, f, start[i], a[i], g)
            times_covariance(t, v[i], d, w)
            system(t, d, w, k, scale)
            steps = step
            if not factorise(k, size, order) > SMALLEST_PIVOT:
                state = SINGULAR
                break
            if (residual <= TOLERANCE) & (change <= CHI2_TOLERANCE * (1.0 + chi2)):
                state = CONVERGED
                break
            if step == max_iterations:
                break
            for c in range(size):
                g[c] = g[c] * scale[c] if c < n_constraints else 0.0
                kept[c] = g[c]
            solve(k, size, order, g)
            before, chi2 = chi2, 0.0
            for c in range(n_constraints):
                chi2 += g[c] * kept[c]
            for c in range(size):
                g[c] *= scale[c]
            change = abs(chi2 - before)
            update(t, w, start[i], a[i], g, 0.5 if step // _ROUND % 2 == 1 else 1.0)
        for q in range(n_particles):
            for c in range(4):
                momentum[i, q, c] = p[q, c]
        summary[i, 1], summary[i, 2], status[i] = residual, float(steps), state
        if state != SINGULAR:
            invert(k, size, order, scale, inverse, g)
            fitted_covariance(t, v[i], w, inverse, gain, full)
            fit_pulls(t, v[i], start[i], a[i], full, pull[i])
            momentum_covariance(t, full, j, half, covariance[i])
            summary[i, 0] = chi2
            for c in range(n_flights):
                length, sigma = flight_length(t, flights[c], a[i], full, p, j, gradient)
                summary[i, 3 + 2 * c], summary[i, 4 + 2 * c] = length, sigma
