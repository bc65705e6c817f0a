"""The colliding beams: initial four-momentum in the laboratory, and the way to it from the e+e- centre of mass.

Beams of energies E-, E+ (|p| = E) cross under the half angle a in the plane x-z: with the rapidity
eta = ln(E- / E+) / 2 and sqrt(s) = 2 sqrt(E- E+) cos a, the momenta of the centre of mass, (sqrt(s) / 2) (0, 0, +-1),
become p = E-+ (sin a, 0, +-cos a) by a boost along z with rapidity eta, which gives each beam its share of the energy,
followed by a boost along x with velocity sin a, which lets them cross. A tilt of both beams against the axes of the
detector is a last rotation about y. So

    L = R_y(tilt) B_x(sin a) B_z(eta),    P0 = L (0, 0, 0, sqrt(s)),

and the electron moves along +z of the centre of mass by construction: L is the boost along P0 together with the
rotation about y that this asks for (Wigner). For equal energies without tilt B_z and R_y change no bit.

The mass of the beam particles is neglected: in sqrt(s) it is a relative (2 - E-/E+ - E+/E-) m_e^2 / (2 s), nothing for
equal energies that meet head-on and -1.5e-9 for 9.0 on 3.1 GeV.
"""

import math
from typing import NamedTuple

from ..elementary import atan2, sincos
from ..kernel import kernel


class Laboratory(NamedTuple):
    """The laboratory as seen from the centre of mass; what compiled code takes as one argument.

    `px`, `pz`, `energy` [GeV] are the initial four-momentum (py = 0). The steps of the transformation: `cosh`, `sinh`
    of the rapidity along z; `crossing_px` and `crossing_energy` [GeV], whose ratio is the velocity along x; `cosine`,
    `sine` of the tilt.
    """

    px: float
    pz: float
    energy: float
    cosh: float
    sinh: float
    crossing_px: float
    crossing_energy: float
    cosine: float
    sine: float


def centre_of_mass_energy(electron_energy: float, positron_energy: float, half_crossing_angle: float) -> float:
    """Return sqrt(s) = 2 sqrt(E- E+) cos a [GeV]."""
    _, cosine = sincos(half_crossing_angle)
    return float(2.0 * math.sqrt(electron_energy * positron_energy) * cosine)


def laboratory(
    sqrt_s: float, electron_energy: float, positron_energy: float, half_crossing_angle: float, tilt: float
) -> Laboratory:
    """Return the laboratory of beams with the given ratio of energies, scaled to the centre-of-mass energy [GeV].

    Parameters
    ----------
    sqrt_s : float
        Centre-of-mass energy [GeV].
    electron_energy, positron_energy : float
        Energies [GeV]; only their ratio counts.
    half_crossing_angle, tilt : float
        The electron beam has the polar angle half_crossing_angle + tilt [rad] towards +x from +z, the positron beam
        half_crossing_angle - tilt towards +x from -z.
    """
    mean = 2.0 * math.sqrt(electron_energy * positron_energy)
    cosh, sinh = (electron_energy + positron_energy) / mean, (electron_energy - positron_energy) / mean
    sine, cosine = sincos(half_crossing_angle)
    crossing_energy = sqrt_s / cosine
    energy = crossing_energy * cosh
    px, pz = energy * sine, sqrt_s * sinh
    sine_tilt, cosine_tilt = sincos(tilt)
    return Laboratory(
        px=px * cosine_tilt + pz * sine_tilt,
        pz=pz * cosine_tilt - px * sine_tilt,
        energy=energy,
        cosh=cosh,
        sinh=sinh,
        crossing_px=crossing_energy * sine,
        crossing_energy=crossing_energy,
        cosine=float(cosine_tilt),
        sine=float(sine_tilt),
    )


@kernel
def boost_x(px: float, energy: float, total_px: float, total_energy: float) -> tuple[float, float]:
    """Return (px, energy) after a boost along x that brings a system at rest to (total_px, 0, 0, total_energy)."""
    invariant = math.sqrt((total_energy - total_px) * (total_energy + total_px))
    return (
        (total_energy * px + total_px * energy) / invariant,
        (total_energy * energy + total_px * px) / invariant,
    )


@kernel
def to_laboratory(lab: Laboratory, px: float, pz: float, energy: float) -> tuple[float, float, float]:
    """Return (px, pz, energy) in the laboratory of a four-vector of the centre of mass; its py stays."""
    along = lab.cosh * pz + lab.sinh * energy
    shared = lab.cosh * energy + lab.sinh * pz
    across, total = boost_x(px, shared, lab.crossing_px, lab.crossing_energy)
    return across * lab.cosine + along * lab.sine, along * lab.cosine - across * lab.sine, total


@kernel
def to_centre_of_mass(lab: Laboratory, px: float, pz: float, energy: float) -> tuple[float, float, float]:
    """Return (px, pz, energy) in the centre of mass of a four-vector of the laboratory; its py stays."""
    along = pz * lab.cosine + px * lab.sine
    across, shared = boost_x(px * lab.cosine - pz * lab.sine, energy, -lab.crossing_px, lab.crossing_energy)
    return across, lab.cosh * along - lab.sinh * shared, lab.cosh * shared - lab.sinh * along


@kernel
def polar_angle_cm(lab: Laboratory, px: float, py: float, pz: float, energy: float) -> float:
    """Return the polar angle [rad] in the centre of mass, from the electron beam, of a laboratory momentum."""
    across, along, _ = to_centre_of_mass(lab, px, pz, energy)
    return atan2(math.sqrt(across * across + py * py), along)
