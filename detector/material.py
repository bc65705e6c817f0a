"""Passage of particles through matter: multiple scattering, bremsstrahlung, ionisation, range.

Constants of the materials: Groom, Mokhov and Striganov, At. Data Nucl. Data Tables 78 (2001) 183.
"""

import math
from typing import NamedTuple

import numpy as np

from ..arrays import Floats, Keys
from ..constants import M_E
from ..elementary import exp, log
from ..geometry.sections import Card, Cylinder
from ..kernel import kernel, stage
from ..rng import BREMSSTRAHLUNG_STREAM, normal2, uniform, uniform53, words
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


@kernel
def gamma_variate(a: float, u: float, g1: float, g2: float, v1: float, v2: float, v3: float) -> float:
    """Return a Gamma(a) variate for small a > 0 from a fixed number of draws.

    Gamma(a) = Gamma(1 + a) u^(1/a); u must have 53 bits. Gamma(1 + a) by Marsaglia and Tsang (ACM TOMS 26 (2000) 363):
    two candidates from normals g and uniforms v, each accepted with probability above 0.95; if both fail (2e-3), an
    exponential takes their place, which is Gamma(1): the distribution is wrong by less than 1e-3 a.
    """
    d = a + 1.0 - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    w1, ok1 = _candidate(d, c, g1, v1)
    w2, ok2 = _candidate(d, c, g2, v2)
    larger = w1 if ok1 else (w2 if ok2 else -log(v3))
    return larger * exp(log(u) / a)


@kernel
def _candidate(d: float, c: float, g: float, v: float) -> tuple[float, bool]:
    root = max(1.0 + c * g, 1e-3)
    cube = root * root * root
    inside = 1.0 + c * g > 1e-3
    return d * cube, inside & (log(v) < 0.5 * g * g + d - d * cube + d * log(cube))


@kernel
def kept_fraction(thickness: float, u: float, g1: float, g2: float, v1: float, v2: float, v3: float) -> float:
    """Return E' / E of an electron behind matter of some radiation lengths; 1 without matter.

    -ln(E' / E) is distributed as Gamma(4 t / 3), the form of Bethe and Heitler with the complete-screening spectrum
    of soft photons (Mo and Tsai, Rev. Mod. Phys. 41 (1969) 205). Against dN/dy = t (4/3 - 4 y/3 + y^2) / y losses
    above y are right to 3 % for y < 0.1, 6 % too rare at 0.2 and 20 % at 0.5. All that is lost is one photon along
    the electron.
    """
    a = 4.0 / 3.0 * max(thickness, 1e-6)
    kept = exp(-gamma_variate(a, u, g1, g2, v1, v2, v3))
    return kept if thickness > 0.0 else 1.0


class Radiator(NamedTuple):
    """Matter that an electron crosses: radius [cm] and thickness [radiation lengths] at 90 degrees."""

    radius: float
    thickness: float


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


def radiators(card: Card) -> tuple[Radiator, ...]:
    """Return the radiators in front of the track's curvature measurement, from the inside outwards.

    Shells that touch count as one radiator at their outer radius. The gas is one radiator of half its thickness in the
    middle: a photon from radius r changes the curvature of the remaining track only.
    """
    shells = [Radiator(group[-1].r_outer, sum(map(thickness, group))) for group in touching_shells(card)]
    last = card.mdc.layers[-1].radius
    gas = 0.5 * (last - card.mdc.gas_inner) / card.mdc.gas_radiation_length
    return (*shells, Radiator(0.5 * (last + card.mdc.gas_inner), gas))


@stage
def bremsstrahlung_stage(
    k0: np.uint64,
    k1: np.uint64,
    event: Keys,
    particle: Keys,
    radiator: int,
    thickness: float,
    sine: Floats,
    kept: Floats,
) -> None:
    """Fill E' / E of electrons behind radiator number `radiator`, of `thickness` / sin(theta) radiation lengths.

    Keyed by event and particle; radiator n takes blocks 2 n and 2 n + 1 of the bremsstrahlung stream.
    """
    first = np.uint64(2) * np.uint64(radiator)
    for i in range(np.uint64(kept.size)):
        a, b, c, d = words(k0, k1, event[i], particle[i], BREMSSTRAHLUNG_STREAM, first)
        e, f, g, _ = words(k0, k1, event[i], particle[i], BREMSSTRAHLUNG_STREAM, first + np.uint64(1))
        g1, g2 = normal2(c, d)
        kept[i] = kept_fraction(thickness / sine[i], uniform53(a, b), g1, g2, uniform(e), uniform(f), uniform(g))
