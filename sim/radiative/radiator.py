"""Closed forms of initial-state radiation at leading order: radiator, Born cross sections and mass spectrum.

Arguments broadcast as numpy arrays. Nothing here enters an event: the generators integrate the matrix element itself,
and these forms, which are inclusive in everything but the photon's angle, tell whether they do it right.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...constants import ALPHA, HBARC2, M_E, PI


def radiator(x: ArrayLike, sqrt_s: float) -> Any:
    """Return W(x), the density in x = 1 - s'/s of radiating a photon into all angles.

    W = (alpha / (pi x)) (2 - 2x + x^2) (ln(s / m_e^2) - 1): Bonneau and Martin, Nucl. Phys. B 27 (1971) 381. One
    photon, up to m_e^2 / s; wrong near x = 0, where soft photons must be summed.
    """
    x = np.asarray(x, dtype=np.float64)
    return (ALPHA / (PI * x) * (2.0 - 2.0 * x + x * x) * (np.log(sqrt_s**2 / M_E**2) - 1.0))[()]


def radiator_angle(x: ArrayLike, theta: ArrayLike, sqrt_s: float) -> Any:
    """Return dW / dcos(theta) at the photon's polar angle theta [rad], with the electron mass (Bonneau and Martin)."""
    x = np.asarray(x, dtype=np.float64)
    sine2 = np.sin(theta) ** 2
    cosine4 = np.cos(theta) ** 4
    r = 4.0 * M_E**2 / sqrt_s**2
    shape = 2.0 - 2.0 * x + x * x
    top = sine2 - (0.5 * x * x * sine2 * sine2 + r * ((1.0 - 2.0 * x) * sine2 - x * x * cosine4)) / shape
    return (ALPHA / (PI * x) * shape * top / (sine2 + r * (1.0 - sine2)) ** 2)[()]


def radiator_outside(x: ArrayLike, theta_min: float) -> Any:
    """Return the density in x of radiating a photon at more than theta_min [rad] from both beams.

    (alpha / (pi x)) [(2 - 2x + x^2) ln((1 + c) / (1 - c)) - x^2 c] with c = cos(theta_min), for theta_min well above
    m_e / E. What is left of `radiator` stays within theta_min of a beam.
    """
    x = np.asarray(x, dtype=np.float64)
    c = np.cos(theta_min)
    logarithm = 2.0 * np.log(1.0 / np.tan(0.5 * theta_min))
    return (ALPHA / (PI * x) * ((2.0 - 2.0 * x + x * x) * logarithm - x * x * c))[()]


def born_leptons(mass: ArrayLike, lepton_mass: float) -> Any:
    """Return sigma(e+ e- -> l+ l-) [nb] at sqrt(s') = mass [GeV]: 4 pi alpha^2 / (3 s') beta (3 - beta^2) / 2."""
    s = np.asarray(mass, dtype=np.float64) ** 2
    beta = np.sqrt(np.maximum(1.0 - 4.0 * lepton_mass**2 / s, 0.0))
    return (4.0 * PI * ALPHA**2 / (3.0 * s) * beta * (3.0 - beta**2) / 2.0 * HBARC2)[()]


def born_pions(mass: ArrayLike, pion_mass: float, form_factor2: ArrayLike) -> Any:
    """Return sigma(e+ e- -> pi+ pi-) [nb] at sqrt(s') = mass [GeV]: pi alpha^2 / (3 s') beta^3 |F|^2."""
    s = np.asarray(mass, dtype=np.float64) ** 2
    beta = np.sqrt(np.maximum(1.0 - 4.0 * pion_mass**2 / s, 0.0))
    return (PI * ALPHA**2 / (3.0 * s) * beta**3 * np.asarray(form_factor2) * HBARC2)[()]


def isr_spectrum(mass: ArrayLike, sqrt_s: float, born: ArrayLike) -> Any:
    """Return d sigma / dm [nb/GeV] of e+ e- -> gamma X at all photon angles: (2m / s) W(1 - m^2/s) sigma_X(m)."""
    mass = np.asarray(mass, dtype=np.float64)
    s = sqrt_s**2
    return (2.0 * mass / s * radiator(1.0 - mass**2 / s, sqrt_s) * np.asarray(born))[()]


def narrow_cross_section(
    mass: ArrayLike, sqrt_s: float, electronic_width: ArrayLike, branching: ArrayLike = 1.0
) -> Any:
    """Return sigma(e+ e- -> gamma R, R -> f) [nb] of a narrow vector state: 12 pi^2 Gamma_ee B W(x) / (m s)."""
    mass = np.asarray(mass, dtype=np.float64)
    s = sqrt_s**2
    factor = 12.0 * PI**2 * np.asarray(electronic_width) * np.asarray(branching) * HBARC2
    return (factor * radiator(1.0 - mass**2 / s, sqrt_s) / (mass * s))[()]
