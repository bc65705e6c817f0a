"""The colliding beams: the initial four-momentum in the laboratory and the boost to the e+e- centre of mass.

Both beams of energy E_b cross under the half angle a in the horizontal plane, p = E_b (sin a, 0, +-cos a), so that
P0 = 2 E_b (sin a, 0, 0, 1) with sqrt(s) = 2 E_b cos a: the laboratory moves along +x of the centre of mass with
beta = sin a, and z is the direction of the electron beam in both frames.
"""

import math

from ..elementary import atan2, sincos
from ..kernel import kernel


@kernel
def initial_momentum(sqrt_s: float, half_crossing_angle: float) -> tuple[float, float]:
    """Return (px, energy) [GeV] of the initial state in the laboratory; py = pz = 0 for beams of equal energy."""
    sine, cosine = sincos(half_crossing_angle)
    energy = sqrt_s / cosine
    return energy * sine, energy


@kernel
def boost_x(px: float, energy: float, total_px: float, total_energy: float) -> tuple[float, float]:
    """Return (px, energy) in the laboratory of a centre-of-mass momentum; the initial state is (total_px, 0, 0, E)."""
    invariant = math.sqrt((total_energy - total_px) * (total_energy + total_px))
    return (
        (total_energy * px + total_px * energy) / invariant,
        (total_energy * energy + total_px * px) / invariant,
    )


@kernel
def polar_angle_cm(px: float, py: float, pz: float, energy: float, total_px: float, total_energy: float) -> float:
    """Return the polar angle [rad] in the centre of mass of a laboratory momentum."""
    px_cm, _ = boost_x(px, energy, -total_px, total_energy)
    return atan2(math.sqrt(px_cm * px_cm + py * py), pz)
