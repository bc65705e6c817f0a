"""e+ e- -> J/psi -> gamma a, a -> gamma gamma with an axion-like particle a that couples to photons."""

import math
from typing import Any

import numpy as np

from ...arrays import Bools, Floats
from ...constants import ALPHA, HBARC2, JPSI_BR_EE, JPSI_MASS, JPSI_WIDTH, PI, C
from ...elementary import log, sincos2pi
from ...kernel import stage
from .initial_state import model_of
from .kinematics import isotropic_stage, rotate_stage
from .model import Model, Particle, Points
from .options import REQUIRED, choose
from .rejection import ModelProcess

#: The lightest pseudoscalar beyond the Standard Model in the numbering scheme of the Particle Data Group.
ALP = 36
#: hbar c [GeV cm].
_HBARC = math.sqrt(HBARC2 * 1e-33)
#: Largest distance of sqrt(s) to the mass of the J/psi [GeV].
_NEAR = 0.01
#: Smallest mass [GeV], for numbers that stay finite.
_LEAST_MASS = 1e-6


def branching_fraction(mass: float, coupling: float) -> float:
    """Return B(J/psi -> gamma a) by way of a virtual photon.

    B(J/psi -> e e) m_J^2 g^2 / (32 pi alpha) (1 - m_a^2 / m_J^2)^3: Merlo, Pobbe, Rigolin and Sumensari, JHEP 06 (2019)
    091; with Gamma(ee) = 4 pi alpha^2 Q^2 f^2 / 3m and Gamma(gamma a) = alpha Q^2 g^2 m f^2 (...)^3 / 24.
    """
    ratio = JPSI_MASS**2 * coupling**2 / (32.0 * PI * ALPHA)
    return JPSI_BR_EE * ratio * (1.0 - mass**2 / JPSI_MASS**2) ** 3


def width(mass: float, coupling: float) -> float:
    """Return Gamma(a -> gamma gamma) = g^2 m^3 / (64 pi) [GeV]."""
    return coupling**2 * mass**3 / (64.0 * PI)


@stage
def cross_section_stage(branching: float, mass: float, sqrt_s: Floats, u: Floats, weight: Floats) -> None:
    """Compute the cross section [nb] times the density of the photon's polar angle over a flat one.

    12 pi B(ee) B / m^2 (m Gamma)^2 / ((s - m^2)^2 + (m Gamma)^2), and 3/4 (1 + cos^2): the J/psi has helicity +-1 along
    the beams, and the photon +-1 along itself. 0 where sqrt(s) is below the mass of a.
    """
    peak = 12.0 * PI * JPSI_BR_EE * branching / (JPSI_MASS * JPSI_MASS) * HBARC2
    half = JPSI_MASS * JPSI_WIDTH
    for i in range(np.uint64(sqrt_s.size)):
        off = (sqrt_s[i] - JPSI_MASS) * (sqrt_s[i] + JPSI_MASS) / half
        cosine = 2.0 * u[i] - 1.0
        size = peak / (1.0 + off * off) * 0.75 * (1.0 + cosine * cosine)
        weight[i] = size if sqrt_s[i] > mass else 0.0


@stage
def decay_stage(
    mass: float, alp: Floats, energy: Floats, u: Floats, u_phi: Floats, px: Floats, py: Floats, pz: Floats
) -> None:
    """Compute a photon of a -> gamma gamma, isotropic where a is at rest, in a frame whose z axis is along a.

    Along a (p + E cos*) / 2, across it (m / 2) sin*: no boost by E / m, which may be 1e6.
    """
    for i in range(np.uint64(u.size)):
        sine, cosine = sincos2pi(u_phi[i])
        across = mass * math.sqrt(u[i] * (1.0 - u[i]))
        px[i] = across * cosine
        py[i] = across * sine
        pz[i] = 0.5 * (alp[i] + energy[i] * (2.0 * u[i] - 1.0))


@stage
def lifetime_stage(scale: float, u: Floats, lifetimes: Floats) -> None:
    """Draw a time in lifetimes, times a scale: exponential."""
    for i in range(np.uint64(u.size)):
        lifetimes[i] = -scale * log(u[i])


class JpsiGammaAlp:
    """Photon, axion-like particle, its two photons and where they begin; see `model.HardModel`."""

    particles = (Particle(22, 0), Particle(ALP, 0, status=2), Particle(22, 0, parent=1), Particle(22, 0, parent=1))
    n_uniforms = 5
    rapidities = ()

    def __init__(self, options: dict[str, Any]) -> None:
        self._mass = options["mass"]
        self._branching = branching_fraction(self._mass, options["coupling"])
        decay_length = options.get("decay_length")
        self._decay_length = _HBARC / width(self._mass, options["coupling"]) if decay_length is None else decay_length

    def points(self, u: Floats, sqrt_s: Floats, blur: Floats) -> Points:
        """Return the points where the J/psi is at rest."""
        weight = np.empty_like(sqrt_s)
        cross_section_stage(self._branching, self._mass, sqrt_s, u[0], weight)
        momenta, places = np.zeros((4, 4, len(sqrt_s))), np.zeros((4, 4, len(sqrt_s)))
        photon, alp, one, two = momenta
        size = np.maximum((sqrt_s - self._mass) * (sqrt_s + self._mass) / (2.0 * sqrt_s), 0.0)
        direction = np.empty((3, len(sqrt_s)))
        isotropic_stage(u[0], u[1], *direction)
        photon[:3], photon[3] = size * direction, size
        alp[:3], alp[3] = -photon[:3], np.maximum(sqrt_s - size, self._mass)
        direction = -direction
        decay_stage(self._mass, size, alp[3], u[2], u[3], *one[:3])
        one[3] = 0.5 * (alp[3] + size * (2.0 * u[2] - 1.0))
        rotate_stage(*direction, *one[:3])
        two[:] = alp - one
        lifetimes = np.empty_like(sqrt_s)
        lifetime_stage(self._decay_length / self._mass, u[4], lifetimes)
        places[2:, :3] = lifetimes * size * direction
        places[2:, 3] = lifetimes * alp[3] / C
        return Points(weight, momenta, places)

    def passes(self, momenta: Floats, radiated: Floats) -> Bools:
        """Return True: there are no cuts."""
        return np.ones(momenta.shape[-1], dtype=np.bool_)


def _build(order: str, sqrt_s: float, options: dict[str, Any]) -> Model:
    if abs(sqrt_s - JPSI_MASS) > _NEAR:
        raise ValueError(f"sqrt_s = {sqrt_s:g}, must be within {_NEAR:g} GeV of the J/psi at {JPSI_MASS:g} GeV")
    largest = JPSI_MASS - _NEAR
    if not _LEAST_MASS <= options["mass"] < largest:
        raise ValueError(f"mass = {options['mass']:g}, must be in [{_LEAST_MASS:g}, {largest:g}) GeV")
    return model_of(order, JpsiGammaAlp(options), options["soft_cutoff"])


JPSI_GAMMA_ALP = ModelProcess(
    name="jpsi_gamma_alp",
    final_state="gamma a, a -> gamma gamma, from the J/psi",
    build=_build,
    options=choose("decay_length", mass=REQUIRED, coupling=1e-3, soft_cutoff=1e-5),
    orders=("lo", "ll"),
    validity="sqrt(s) within 10 MeV of the J/psi; lo: Breit-Wigner and energy spread alone, twice the peak of ll",
    reference="Merlo, Pobbe, Rigolin and Sumensari, JHEP 06 (2019) 091",
)
