"""Directions given by polar angle and azimuth."""

import math

from ..elementary import atan2, sincos
from ..kernel import kernel


@kernel
def opening_angle(theta1: float, phi1: float, theta2: float, phi2: float) -> float:
    """Return the angle [rad] between two directions, from half angles, which keeps small ones accurate.

    sin^2(angle / 2) = sin^2((theta1 - theta2) / 2) + sin(theta1) sin(theta2) sin^2((phi1 - phi2) / 2).
    """
    s, _ = sincos(0.5 * (theta1 - theta2))
    t, _ = sincos(0.5 * (phi1 - phi2))
    a, _ = sincos(theta1)
    b, _ = sincos(theta2)
    square = min(s * s + a * b * t * t, 1.0)
    return 2.0 * atan2(math.sqrt(square), math.sqrt(1.0 - square))


@kernel
def unit_vector(theta: float, phi: float) -> tuple[float, float, float]:
    """Return the unit vector of a direction."""
    sine, z = sincos(theta)
    y, x = sincos(phi)
    return sine * x, sine * y, z


@kernel
def chord2(angle: float) -> float:
    """Return the square of the chord between unit vectors that enclose an angle [rad], (2 sin(angle / 2))^2.

    It grows with the angle: directions can be compared without an inverse function.
    """
    sine, _ = sincos(0.5 * angle)
    return 4.0 * sine * sine
