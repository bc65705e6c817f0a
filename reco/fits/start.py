"""First values of what is not measured: vertices, turning angles, flights, missing particles."""

import math

from ...arrays import Floats
from ...elementary import atan2, sincos
from ...kernel import kernel
from .momenta import evaluate_particle
from .tables import COMPONENT, FLIGHT, PHOTON, RECOIL, VERTEX, Tables

#: Distance in height [cm] that outweighs a centimetre further away from the beam line.
_PER_RADIUS = 0.02


@kernel
def turn_to_point(a: Floats, first: int, alpha: float, x: float, y: float) -> float:
    """Return the turning angle [rad] at which a track is nearest to a point of the transverse plane [cm].

    From the centre of the circle, (d_rho + rho) (cos phi0, sin phi0), the track is at -rho (cos, sin)(phi0 + turn).
    """
    s0, c0 = sincos(a[first + 1])
    rho = alpha / a[first + 2]
    centre = a[first] + rho
    sign = 1.0 if rho > 0.0 else -1.0
    ux, uy = sign * (centre * c0 - x), sign * (centre * s0 - y)
    return atan2(c0 * uy - s0 * ux, c0 * ux + s0 * uy)


@kernel
def height(a: Floats, first: int, alpha: float, x: float, y: float) -> float:
    """Return z [cm] of a track where it is nearest to a point of the transverse plane."""
    turn = turn_to_point(a, first, alpha, x, y)
    z: float = a[first + 3] - alpha / a[first + 2] * a[first + 4] * turn
    return z


@kernel
def tracks_meet(a: Floats, one: int, two: int, alpha: float) -> tuple[float, float, float]:
    """Return a point (x, y, z) [cm] near both tracks: where their circles meet.

    Of the two crossings it is the one of the closer heights; similar ones are decided for the one nearer to the beam
    line, by `_PER_RADIUS`. Circles that do not meet are replaced by the point of the first one nearest to the second.
    """
    s1, c1 = sincos(a[one + 1])
    s2, c2 = sincos(a[two + 1])
    rho1, rho2 = alpha / a[one + 2], alpha / a[two + 2]
    x1, y1 = (a[one] + rho1) * c1, (a[one] + rho1) * s1
    dx, dy = (a[two] + rho2) * c2 - x1, (a[two] + rho2) * s2 - y1
    square = dx * dx + dy * dy
    # concentric circles: any direction serves
    dx = 1e-6 if square < 1e-12 else dx
    square = dx * dx + dy * dy
    along = 0.5 * (1.0 + (rho1 - rho2) * (rho1 + rho2) / square)
    limit = abs(rho1) / math.sqrt(square)
    along = min(max(along, -limit), limit)
    across = math.sqrt(max(limit * limit - along * along, 0.0))
    xa, ya = x1 + along * dx - across * dy, y1 + along * dy + across * dx
    xb, yb = x1 + along * dx + across * dy, y1 + along * dy - across * dx
    za1, za2 = height(a, one, alpha, xa, ya), height(a, two, alpha, xa, ya)
    zb1, zb2 = height(a, one, alpha, xb, yb), height(a, two, alpha, xb, yb)
    apart_a = abs(za1 - za2) + _PER_RADIUS * math.sqrt(xa * xa + ya * ya)
    apart_b = abs(zb1 - zb2) + _PER_RADIUS * math.sqrt(xb * xb + yb * yb)
    return (xa, ya, 0.5 * (za1 + za2)) if apart_a <= apart_b else (xb, yb, 0.5 * (zb1 + zb2))


@kernel
def start_vertices(t: Tables, a: Floats) -> None:
    """Set vertices that have no value yet to a crossing of their first two tracks, and turn all tracks to them."""
    for place in t.vertex:
        one, two = -1, -1
        for c in range(t.constraint.size):
            if t.constraint[c] == VERTEX and t.place[c] == place and t.axis[c] == 0:
                for i in range(t.kind.size):
                    if t.member[c, i] == 1:
                        two = t.first[i] if one >= 0 and two < 0 else two
                        one = t.first[i] if one < 0 else one
        if two >= 0 and math.isnan(a[place]):
            a[place], a[place + 1], a[place + 2] = tracks_meet(a, one, two, t.alpha)
    for c in range(t.constraint.size):
        if t.constraint[c] == VERTEX and t.axis[c] == 0:
            for i in range(t.kind.size):
                if t.member[c, i] == 1:
                    place = t.place[c]
                    a[t.first[i] + 5] = turn_to_point(a, t.first[i], t.alpha, a[place], a[place + 1])


@kernel
def start_missing(t: Tables, a: Floats, p: Floats) -> None:
    """Give particles without a value equal shares of what the others leave of the total four-momentum."""
    lost, at = 0, -1
    qx, qy, qz, qe = 0.0, 0.0, 0.0, 0.0
    for i in range(t.kind.size):
        if math.isnan(a[t.first[i]]):
            lost += 1
        else:
            qx, qy, qz, qe = qx - p[i, 0], qy - p[i, 1], qz - p[i, 2], qe - p[i, 3]
    for c in range(t.constraint.size):
        at = c if at < 0 and (t.constraint[c] == COMPONENT or t.constraint[c] == RECOIL) else at
    if at >= 0:
        qx, qy, qz, qe = qx + t.total[at, 0], qy + t.total[at, 1], qz + t.total[at, 2], qe + t.total[at, 3]
    share = 1.0 / max(lost, 1)
    for i in range(t.kind.size):
        first = t.first[i]
        if math.isnan(a[first]):
            if t.kind[i] == PHOTON:
                a[first] = max(qe * share, 0.01)
            else:
                a[first], a[first + 1], a[first + 2] = qx * share, qy * share, qz * share


@kernel
def start_flights(t: Tables, a: Floats, p: Floats) -> None:
    """Set the flight parameter to (x_decay - x_origin) p / p^2."""
    for c in range(t.constraint.size):
        if t.constraint[c] == FLIGHT and t.axis[c] == 0:
            along, square = 0.0, 0.0
            for axis in range(3):
                total = 0.0
                for i in range(t.kind.size):
                    total += p[i, axis] if t.member[c, i] == 1 else 0.0
                along += total * (a[t.place[c] + axis] - a[t.origin[c] + axis])
                square += total * total
            a[t.flight[c]] = along / square


@kernel
def start_parameters(t: Tables, a: Floats, p: Floats, j: Floats, x: Floats, jx: Floats) -> None:
    """Fill the NaN among the parameters, the unmeasured ones that the user gave no value."""
    start_vertices(t, a)
    for i in range(t.kind.size):
        evaluate_particle(t, i, a, p[i], j[i], x[i], jx[i])
    start_missing(t, a, p)
    if t.vertex.size > 0:
        start_flights(t, a, p)
