"""Values of the constraints, f, and their derivatives to all parameters, the matrix D of a fit."""

from ...arrays import Floats
from ...kernel import kernel
from .momenta import evaluate_particle
from .tables import COMPONENT, FLIGHT, MASS, RECOIL, VERTEX, Tables


@kernel
def mass_row(t: Tables, c: int, p: Floats, j: Floats, d: Floats) -> float:
    """Return q^2 - m^2 of a group, or of what recoils against it, and add the derivatives to row c.

    With q = sum of the members (or total minus sum): df = +-2 (E_q dE - p_q dp).
    """
    recoil = t.constraint[c] == RECOIL
    sign = -1.0 if recoil else 1.0
    qx, qy, qz, qe = 0.0, 0.0, 0.0, 0.0
    if recoil:
        qx, qy, qz, qe = t.total[c, 0], t.total[c, 1], t.total[c, 2], t.total[c, 3]
    for i in range(t.kind.size):
        if t.member[c, i] == 1:
            qx, qy, qz, qe = qx + sign * p[i, 0], qy + sign * p[i, 1], qz + sign * p[i, 2], qe + sign * p[i, 3]
    for i in range(t.kind.size):
        if t.member[c, i] == 1:
            for k in range(t.width[i]):
                slope = qe * j[i, 3, k] - qx * j[i, 0, k] - qy * j[i, 1, k] - qz * j[i, 2, k]
                d[c, t.first[i] + k] = 2.0 * sign * slope
    value: float = qe * qe - qx * qx - qy * qy - qz * qz - t.target[c]
    return value


@kernel
def sum_row(t: Tables, c: int, scale: float, p: Floats, j: Floats, d: Floats) -> float:
    """Return `scale` times one component of the members' sum, and write the derivatives to row c."""
    axis = t.axis[c]
    value: float = 0.0
    for i in range(t.kind.size):
        if t.member[c, i] == 1:
            value += p[i, axis]
            for k in range(t.width[i]):
                d[c, t.first[i] + k] = scale * j[i, axis, k]
    return scale * value


@kernel
def vertex_row(t: Tables, c: int, a: Floats, x: Floats, jx: Floats, d: Floats) -> float:
    """Return one coordinate of the distance from the vertex to the member's point, and write the derivatives."""
    axis = t.axis[c]
    value: float = -a[t.place[c] + axis]
    for i in range(t.kind.size):
        if t.member[c, i] == 1:
            value += x[i, axis]
            for k in range(t.width[i]):
                d[c, t.first[i] + k] = jx[i, axis, k]
    d[c, t.place[c] + axis] = -1.0
    return value


@kernel
def flight_row(t: Tables, c: int, a: Floats, p: Floats, j: Floats, d: Floats) -> float:
    """Return one coordinate of x_decay - x_origin - t p, p the sum of the members, and write the derivatives."""
    axis, time = t.axis[c], a[t.flight[c]]
    along = sum_row(t, c, -time, p, j, d)
    total = sum_of(t, c, p, axis)
    d[c, t.place[c] + axis] = 1.0
    d[c, t.origin[c] + axis] = -1.0
    d[c, t.flight[c]] = -total
    value: float = a[t.place[c] + axis] - a[t.origin[c] + axis] + along
    return value


@kernel
def sum_of(t: Tables, c: int, p: Floats, axis: int) -> float:
    """Return one component of the sum of the four-momenta of the members of constraint c."""
    total = 0.0
    for i in range(t.kind.size):
        total += p[i, axis] if t.member[c, i] == 1 else 0.0
    return total


@kernel
def constraint_rows(t: Tables, a: Floats, p: Floats, j: Floats, x: Floats, jx: Floats, f: Floats, d: Floats) -> None:
    """Fill the constraints f (n_constraints,) and D = df/da (n_constraints, n_parameters) at the parameters a.

    On the way the four-momenta `p` (n_particles, 4), the points `x` (n_particles, 3) and their derivatives `j`, `jx`
    (n_particles, 4 or 3, 6) are filled; these last two must come in as zeros, or from an earlier call.
    """
    for i in range(t.kind.size):
        evaluate_particle(t, i, a, p[i], j[i], x[i], jx[i])
    for c in range(t.constraint.size):
        for k in range(t.n_parameters):
            d[c, k] = 0.0
        if t.constraint[c] == COMPONENT:
            f[c] = sum_row(t, c, 1.0, p, j, d) - t.total[c, t.axis[c]]
        if t.constraint[c] == MASS or t.constraint[c] == RECOIL:
            f[c] = mass_row(t, c, p, j, d)
        if t.constraint[c] == VERTEX:
            f[c] = vertex_row(t, c, a, x, jx, d)
        if t.constraint[c] == FLIGHT:
            f[c] = flight_row(t, c, a, p, j, d)
