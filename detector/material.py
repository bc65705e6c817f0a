"""Passage of particles through matter: multiple scattering, ionisation, and what there is to radiate in.

Constants of the materials: Groom, Mokhov and Striganov, At. Data Nucl. Data Tables 78 (2001) 183.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..arrays import Floats
from ..constants import M_E
from ..geometry.sections import Card, Cylinder
from .arithmetic import exponential, logarithm

_LN10 = 2.302585092994046
_HIGHLAND = 0.0136
_BETHE = 0.307075e-3  # 4 pi N_A r_e^2 m_e c^2 [GeV cm^2 / mol]


class Material(NamedTuple):
    """Constants of ionisation: density [g/cm^3], Z/A, excitation energy [GeV], Sternheimer's density effect."""

    density: float
    z_over_a: float
    excitation: float
    c: float
    x0: float
    x1: float
    a: float
    k: float


SCINTILLATOR = Material(1.032, 0.54141, 64.7e-9, 3.1997, 0.1464, 2.4855, 0.16101, 3.2393)
CAESIUM_IODIDE = Material(4.51, 0.41569, 553.1e-9, 6.2807, 0.0395, 3.3353, 0.25381, 2.6657)
ALUMINIUM = Material(2.699, 0.48181, 166.0e-9, 4.2395, 0.1708, 3.0127, 0.08024, 3.6345)
IRON = Material(7.874, 0.46557, 286.0e-9, 4.2911, -0.0012, 3.1531, 0.14680, 2.9632)


def highland(
    p: Floats | float, mass: Floats | float, thickness: Floats | float, thickness_in_log: Floats | float
) -> Floats:
    """Return the width [rad] of the projected scattering angle (Highland; PDG 2022, eq. 34.16), arrays broadcast.

    theta_0 = 13.6 MeV / (beta p) sqrt(x) [1 + 0.038 ln(x' / beta^2)], x in radiation lengths. Matter cut into slices
    has x' of the whole: the logarithm is not additive. Good to 11 % for 1e-3 < x' < 100; core of the distribution.
    """
    energy2 = p * p + mass * mass
    correction = 1.0 + 0.038 * logarithm(thickness_in_log * (energy2 / (p * p)))
    return _HIGHLAND * (np.sqrt(energy2) / (p * p)) * np.sqrt(thickness) * correction


def stopping_power(bg: Floats, mass: float, material: Material) -> Floats:
    """Return the mean energy loss [GeV/cm] of a heavy particle of beta gamma in a material (Bethe; PDG 2022, 34.5)."""
    bg2 = bg * bg
    beta2 = bg2 / (1.0 + bg2)
    ratio = M_E / mass
    t_max = 2.0 * M_E * bg2 / (1.0 + 2.0 * np.sqrt(1.0 + bg2) * ratio + ratio * ratio)
    excitation2 = material.excitation * material.excitation
    bracket = 0.5 * logarithm(2.0 * M_E * bg2 * t_max / excitation2) - beta2
    x = 0.5 * logarithm(bg2) / _LN10
    room = np.maximum(material.x1 - x, 1e-30)
    delta = 2.0 * _LN10 * x - material.c + material.a * exponential(material.k * logarithm(room))
    delta = np.where(x > material.x0, delta, 0.0)
    return _BETHE * material.density * material.z_over_a / beta2 * np.maximum(bracket - 0.5 * delta, 0.1)


class Radiator(NamedTuple):
    """Matter that particles cross: radii [cm], thickness [radiation lengths] at 90 degrees, half length [cm].

    Shells are thin, and both radii are that of the outer face; the gas extends from one to the other.
    """

    inner: float
    outer: float
    thickness: float
    half_length: float


def thickness(shell: Cylinder) -> float:
    """Return the thickness of a shell at 90 degrees [radiation lengths]."""
    return (shell.r_outer - shell.r_inner) / shell.radiation_length


def touching_shells(card: Card) -> list[list[Cylinder]]:
    """Return the shells in front of the drift chamber's last layer, grouped where they touch, inside out."""
    groups: list[list[Cylinder]] = []
    for shell in sorted(card.material, key=lambda shell: shell.r_inner):
        if shell.r_outer >= card.mdc.layers[-1].radius:
            break
        if groups and shell.r_inner <= groups[-1][-1].r_outer:
            groups[-1].append(shell)
        else:
            groups.append([shell])
    return groups


@lru_cache(maxsize=16)
def radiators(card: Card) -> tuple[Radiator, ...]:
    """Return the matter in front of the drift chamber's last layer, from the inside outwards; the last one is the gas.

    Shells that touch count as one radiator at their outer face.
    """
    shells = [
        Radiator(group[-1].r_outer, group[-1].r_outer, sum(map(thickness, group)), group[-1].half_length)
        for group in touching_shells(card)
    ]
    last = card.mdc.layers[-1]
    gas = (last.radius - card.mdc.gas_inner) / card.mdc.gas_radiation_length
    return (*shells, Radiator(card.mdc.gas_inner, last.radius, gas, last.half_length))
