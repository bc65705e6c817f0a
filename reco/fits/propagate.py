"""The covariance of what a fit found: of its parameters, of momenta and vertices, of lengths of flight."""

import math

from ...arrays import Floats
from ...kernel import kernel
from .tables import FLIGHT, Tables


@kernel
def fitted_covariance(t: Tables, v: Floats, w: Floats, inverse: Floats, gain: Floats, result: Floats) -> None:
    """Fill the covariance of all fitted parameters; `gain` (n_parameters, n_constraints + n_unmeasured) is scratch.

    With the inverse ((P, Q), (Q^T, -R)) of the matrix of a step: V - W P W^T of the measured ones, R of the unmeasured
    ones, -W Q between them.
    """
    n, m = t.constraint.size, t.unmeasured.size
    for q in range(t.n_parameters):
        for c in range(n + m):
            value = 0.0
            for e in range(n):
                value += w[q, e] * inverse[e, c]
            gain[q, c] = value
        for r in range(q + 1):
            value = 0.0
            for c in range(n):
                value -= gain[q, c] * w[r, c]
            result[q, r] = value
    for b in range(t.block_first.size):
        first, size, offset = t.block_first[b], t.block_size[b], t.block_offset[b]
        for r in range(size):
            for k in range(r + 1):
                result[first + r, first + k] += v[offset + r * size + k]
    for u in range(m):
        place = t.unmeasured[u]
        for q in range(t.n_parameters):
            result[max(q, place), min(q, place)] -= gain[q, n + u]
    for u in range(m):
        for e in range(u + 1):
            result[t.unmeasured[u], t.unmeasured[e]] = -inverse[n + u, n + e]
    for q in range(t.n_parameters):
        for r in range(q):
            result[r, q] = result[q, r]


@kernel
def momentum_covariance(t: Tables, full: Floats, j: Floats, half: Floats, result: Floats) -> None:
    """Fill the covariance of the momenta of all particles, then of the vertices: G C G^T.

    `full` (n_parameters, n_parameters) is C, `j` (n_particles, 4, 6) holds dp/da of each particle to its own
    parameters; a vertex is three of the parameters itself. `half` is scratch for G C.
    """
    n, m = t.kind.size, t.vertex.size
    for b in range(n):
        first = t.first[b]
        for k in range(3):
            for q in range(t.n_parameters):
                value = 0.0
                for r in range(t.width[b]):
                    value += j[b, k, r] * full[first + r, q]
                half[3 * b + k, q] = value
    for b in range(m):
        for k in range(3):
            for q in range(t.n_parameters):
                half[3 * (n + b) + k, q] = full[t.vertex[b] + k, q]
    for row in range(3 * (n + m)):
        for b in range(row // 3 + 1):
            for k in range(3):
                if b < n:
                    value = 0.0
                    for r in range(t.width[b]):
                        value += half[row, t.first[b] + r] * j[b, k, r]
                else:
                    value = half[row, t.vertex[b - n] + k]
                result[row, 3 * b + k] = value
                result[3 * b + k, row] = value


@kernel
def flight_length(
    t: Tables, place: int, a: Floats, full: Floats, p: Floats, j: Floats, gradient: Floats
) -> tuple[float, float]:
    """Return the length of a flight L = |p| t [cm] and its error, from dL = |p| dt + t p dp / |p|.

    `place` is the parameter t = length / momentum, p the sum of the particles that come from the flight.
    """
    row = 0
    for c in range(t.constraint.size):
        row = c if t.constraint[c] == FLIGHT and t.flight[c] == place else row
    px, py, pz = 0.0, 0.0, 0.0
    for b in range(t.kind.size):
        if t.member[row, b] == 1:
            px, py, pz = px + p[b, 0], py + p[b, 1], pz + p[b, 2]
    size = math.sqrt(px * px + py * py + pz * pz)
    for q in range(t.n_parameters):
        gradient[q] = 0.0
    gradient[place] = size
    for b in range(t.kind.size):
        if t.member[row, b] == 1:
            for r in range(t.width[b]):
                slope = px * j[b, 0, r] + py * j[b, 1, r] + pz * j[b, 2, r]
                gradient[t.first[b] + r] = a[place] * slope / size
    variance = 0.0
    for q in range(t.n_parameters):
        for r in range(t.n_parameters):
            variance += gradient[q] * full[q, r] * gradient[r]
    return size * a[place], math.sqrt(max(variance, 0.0))


@kernel
def fit_pulls(t: Tables, v: Floats, start: Floats, a: Floats, full: Floats, result: Floats) -> None:
    """Fill (y - y0) / sqrt(V - V_fit) of the measured parameters; NaN where the fit moves nothing."""
    for q in range(t.n_parameters):
        result[q] = math.nan
    for b in range(t.block_first.size):
        first, size, offset = t.block_first[b], t.block_size[b], t.block_offset[b]
        for r in range(size):
            variance = v[offset + r * (size + 1)]
            gained = variance - full[first + r, first + r]
            shift = a[first + r] - start[first + r]
            result[first + r] = shift / math.sqrt(gained) if gained > 1e-12 * variance else math.nan
