"""Charged tracks as helices around z.

A helix has five parameters (d_rho [cm], phi0 [rad], kappa [c/GeV], dz [cm], tan_lambda), in this order, about a pivot,
which is the origin everywhere in the package: d_rho is the signed distance of closest approach in the transverse plane
(positive along (cos phi0, sin phi0)), phi0 the azimuth of the direction from which the centre of the circle is seen,
kappa = charge / pt, dz the position along z at closest approach, tan_lambda = pz / pt. With rho = alpha / kappa and
alpha = ALPHA_T / Bz the point and the momentum at turning angle phi are
    x = d_rho cos phi0 + rho (cos phi0 - cos(phi0 + phi)),   y likewise with sin,   z = dz - rho tan_lambda phi
    p = pt (-sin(phi0 + phi), cos(phi0 + phi), tan_lambda)
and phi runs to -sign(kappa) for outgoing motion: the convention of BESIII and Belle (Belle note 148, 1993). The
covariance of a track is that of these five numbers at this pivot.
"""

import math

from ..constants import ALPHA_T, PI
from ..elementary import atan2, sincos
from ..kernel import kernel


@kernel
def wrap(angle: float) -> float:
    """Return an angle of (-3 pi, 3 pi) folded into [-pi, pi] [rad]."""
    folded = angle - 2.0 * PI if angle > PI else angle
    return folded + 2.0 * PI if folded < -PI else folded


@kernel
def helix_at_origin(
    x: float, y: float, z: float, px: float, py: float, pz: float, charge: float, bz: float
) -> tuple[float, float, float, float, float]:
    """Return (d_rho, phi0, kappa, dz, tan_lambda) of a particle at (x, y, z) [cm] with momentum [GeV/c].

    The centre of the circle is C = (x, y) + rho (cos psi, sin psi) with psi = azimuth of p - pi/2.
    """
    pt = math.sqrt(px * px + py * py)
    kappa = charge / pt
    rho = ALPHA_T / bz / kappa
    tan_lambda = pz / pt
    sign = 1.0 if charge > 0.0 else -1.0
    # the unit vector (cos psi, sin psi) is the momentum direction turned by -90 degrees
    cx, cy = x + rho * py / pt, y - rho * px / pt
    distance = math.sqrt(cx * cx + cy * cy)
    phi0 = atan2(sign * cy, sign * cx)
    # sign * distance - rho cancels for a track of the origin: (distance^2 - rho^2) / (sign * distance + rho) does not
    d_rho = (x * x + y * y + 2.0 * rho * (x * py - y * px) / pt) / (sign * distance + rho)
    # turning angle between closest approach and (x, y): the angle from (cos phi0, sin phi0) to (cos psi, sin psi)
    ux, uy = sign * cx / distance, sign * cy / distance
    turn = atan2((ux * -px - uy * py) / pt, (ux * py - uy * px) / pt)
    return d_rho, phi0, kappa, z + rho * tan_lambda * turn, tan_lambda


@kernel
def momentum(phi0: float, kappa: float, tan_lambda: float) -> tuple[float, float, float]:
    """Return (px, py, pz) [GeV] at the point of closest approach."""
    pt = 1.0 / abs(kappa)
    sine, cosine = sincos(phi0)
    return -pt * sine, pt * cosine, pt * tan_lambda


@kernel
def position(
    d_rho: float, phi0: float, kappa: float, dz: float, tan_lambda: float, turn: float, bz: float
) -> tuple[float, float, float]:
    """Return the point (x, y, z) [cm] at a turning angle [rad]."""
    rho = ALPHA_T / bz / kappa
    s0, c0 = sincos(phi0)
    s1, c1 = sincos(phi0 + turn)
    return d_rho * c0 + rho * (c0 - c1), d_rho * s0 + rho * (s0 - s1), dz - rho * tan_lambda * turn


@kernel
def turn_to_radius(d_rho: float, kappa: float, radius: float, bz: float) -> float:
    """Return the turning angle [rad] at which an outgoing track first meets a cylinder [cm]; NaN if it never does.

    cos phi = ((d_rho + rho)^2 + rho^2 - r^2) / (2 rho (d_rho + rho)), taken through half the angle, which is accurate
    for stiff tracks: sin^2(phi / 2) = (r^2 - d_rho^2) / (4 rho (d_rho + rho)).
    """
    rho = ALPHA_T / bz / kappa
    half = (radius * radius - d_rho * d_rho) / (4.0 * rho * (rho + d_rho))
    sine = math.sqrt(max(half, 0.0))
    cosine = math.sqrt(max(1.0 - half, 0.0))
    turn = 2.0 * atan2(sine, cosine)
    turn = -turn if kappa > 0.0 else turn
    return math.nan if half > 1.0 or half < 0.0 else turn


@kernel
def turn_to_plane(kappa: float, dz: float, tan_lambda: float, z: float, bz: float) -> float:
    """Return the turning angle [rad] at which an outgoing track meets the plane z [cm]; NaN if it moves away."""
    rho = ALPHA_T / bz / kappa
    steep = tan_lambda if tan_lambda != 0.0 else math.nan
    turn = (dz - z) / (rho * steep)
    return turn if turn * kappa < 0.0 else math.nan


@kernel
def path_length(turn: float, kappa: float, tan_lambda: float, bz: float) -> float:
    """Return the length [cm] of the track between closest approach and a turning angle."""
    return abs(ALPHA_T / bz / kappa * turn) * math.sqrt(1.0 + tan_lambda * tan_lambda)
