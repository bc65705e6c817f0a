"""Four-momenta (and points) of particles as functions of the parameters of a fit, with their derivatives."""

import math

from ...arrays import Floats
from ...elementary import sincos
from ...kernel import kernel
from .tables import AT_VERTEX, CARTESIAN, HELIX, PHOTON, Tables


@kernel
def helix_momentum(phi: float, kappa: float, tan_lambda: float, p: Floats, j: Floats, column: int) -> None:
    """Fill p = (-sin phi, cos phi, tan_lambda) / |kappa| and its derivatives in columns `column` to `column + 2`.

    dp/dphi = (-py, px, 0), dp/dkappa = -p / kappa, dp/dtan_lambda = (0, 0, pt).
    """
    pt = 1.0 / abs(kappa)
    sine, cosine = sincos(phi)
    p[0], p[1], p[2] = -pt * sine, pt * cosine, pt * tan_lambda
    j[0, column], j[1, column], j[2, column] = -p[1], p[0], 0.0
    for k in range(3):
        j[k, column + 1] = -p[k] / kappa


@kernel
def photon_momentum(energy: float, theta: float, phi: float, p: Floats, j: Floats) -> None:
    """Fill p = E (sin theta cos phi, sin theta sin phi, cos theta) and its derivatives to (E, theta, phi)."""
    st, ct = sincos(theta)
    sp, cp = sincos(phi)
    j[0, 0], j[1, 0], j[2, 0] = st * cp, st * sp, ct
    j[0, 1], j[1, 1], j[2, 1] = energy * ct * cp, energy * ct * sp, -energy * st
    j[0, 2], j[1, 2], j[2, 2] = -energy * st * sp, energy * st * cp, 0.0
    for k in range(3):
        p[k] = energy * j[k, 0]
    p[3] = energy
    j[3, 0], j[3, 1], j[3, 2] = 1.0, 0.0, 0.0


@kernel
def helix_point(a: Floats, first: int, alpha: float, x: Floats, j: Floats) -> None:
    """Fill the point of a track (d_rho, phi0, kappa, dz, tan_lambda, turn) [cm] and its derivatives.

    x = d_rho cos phi0 + rho (cos phi0 - cos(phi0 + turn)), y likewise with sin, z = dz - rho tan_lambda turn, where
    rho = alpha / kappa.
    """
    d_rho, phi0, kappa, tan_lambda, turn = a[first], a[first + 1], a[first + 2], a[first + 4], a[first + 5]
    rho = alpha / kappa
    s0, c0 = sincos(phi0)
    s1, c1 = sincos(phi0 + turn)
    x[0] = d_rho * c0 + rho * (c0 - c1)
    x[1] = d_rho * s0 + rho * (s0 - s1)
    x[2] = a[first + 3] - rho * tan_lambda * turn
    j[0, 0], j[1, 0], j[2, 0] = c0, s0, 0.0
    j[0, 1], j[1, 1], j[2, 1] = -x[1], x[0], 0.0
    j[0, 2], j[1, 2], j[2, 2] = -rho / kappa * (c0 - c1), -rho / kappa * (s0 - s1), rho / kappa * tan_lambda * turn
    j[0, 3], j[1, 3], j[2, 3] = 0.0, 0.0, 1.0
    j[0, 4], j[1, 4], j[2, 4] = 0.0, 0.0, -rho * turn
    j[0, 5], j[1, 5], j[2, 5] = rho * s1, -rho * c1, -rho * tan_lambda


@kernel
def evaluate_particle(t: Tables, i: int, a: Floats, p: Floats, j: Floats, x: Floats, jx: Floats) -> None:
    """Fill four-momentum (px, py, pz, E) and point of particle i, and their derivatives to its own parameters.

    The derivatives that vanish for its kind are left as they are: the caller provides zeros. E^2 = p^2 + m^2, hence
    dE = p dp / E.
    """
    first = t.first[i]
    if t.kind[i] == HELIX:
        helix_momentum(a[first], a[first + 1], a[first + 2], p, j, 0)
        j[2, 2] = 1.0 / abs(a[first + 1])
    if t.kind[i] == CARTESIAN:
        for k in range(3):
            p[k] = a[first + k]
            j[k, k] = 1.0
    if t.kind[i] == AT_VERTEX:
        helix_point(a, first, t.alpha, x, jx)
        helix_momentum(a[first + 1] + a[first + 5], a[first + 2], a[first + 4], p, j, 1)
        j[2, 4] = 1.0 / abs(a[first + 2])
        for k in range(3):
            j[k, 5] = j[k, 1]
    if t.kind[i] == PHOTON:
        photon_momentum(a[first], a[first + 1], a[first + 2], p, j)
    else:
        mass = t.mass[i]
        p[3] = math.sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2] + mass * mass)
        for k in range(t.width[i]):
            j[3, k] = (p[0] * j[0, k] + p[1] * j[1, k] + p[2] * j[2, k]) / p[3]
