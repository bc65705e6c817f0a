"""e+ e- -> gamma gamma gamma with three hard photons at wide angles."""

import math
from typing import Any

import numpy as np

from ...arrays import Bools, Floats
from ...constants import ALPHA, HBARC2, PI
from ...elementary import exp, log
from ...kernel import kernel, stage
from ..radiative.phase_space import one_minus_velocity
from .initial_state import least_fraction, model_of, shift_stage
from .kinematics import boost_stage, cosine_of, photon_stage, rapidity_stage, within
from .model import Model, Particle, Points
from .options import choose
from .rejection import ModelProcess

#: (4 pi alpha)^3 / 3! from the matrix element and identical photons, 3 since the softest is told from the others,
#: 1 / (2s) of the flux and s / (2 pi (8 pi)^2) of the phase space.
_FACTOR = (4.0 * PI * ALPHA) ** 3 / 2.0 * HBARC2 / (256.0 * PI**3)
#: Smallest cuts on angle [rad] and energy over that of a beam for which the massless matrix element alone is meant.
_LEAST_ANGLE, _LEAST_SHARE = 0.02, 0.005


@kernel
def matrix_element(s: float, a1: float, a2: float, b1: float, b2: float, c1: float, c2: float) -> float:
    """Return <|M|^2> / e^6 [1/GeV^2] of photons a, b, c, averaged over the beams' spins and summed over all others.

    s sum_i x_i1 x_i2 (x_i1^2 + x_i2^2) / prod_i x_i1 x_i2 with x_ij = k_i.p_j [GeV^2]: Berends, Kleiss, de Causmaecker,
    Gastmans, Troost and Wu, Nucl. Phys. B 206 (1982) 61. Without the mass of the electron.
    """
    a, b, c = a1 * a2, b1 * b2, c1 * c2
    total = a * (a1 * a1 + a2 * a2) + b * (b1 * b1 + b2 * b2) + c * (c1 * c1 + c2 * c2)
    return s * total / (a * b * c)


@stage
def softest_stage(least: float, u: Floats, sqrt_s: Floats, energy: Floats, mass: Floats, weight: Floats) -> None:
    """Draw the energy of the softest photon, flat in its logarithm up to sqrt(s) / 3, and the mass of the others [GeV].

    The weight is multiplied by x dx / du, x = 2 E / sqrt(s).
    """
    ratio = log(2.0 / 3.0 / least)
    for i in range(np.uint64(u.size)):
        x = least * exp(u[i] * ratio)
        energy[i] = 0.5 * x * sqrt_s[i]
        mass[i] = sqrt_s[i] * math.sqrt(1.0 - x)
        weight[i] *= ratio * x * x


@stage
def invariants_stage(sqrt_s: Floats, pz: Floats, energy: Floats, electron: Floats, positron: Floats) -> None:
    """Compute k.p1 and k.p2 [GeV^2] of a photon with either beam."""
    for i in range(np.uint64(sqrt_s.size)):
        half = 0.5 * sqrt_s[i]
        along = (1.0 - one_minus_velocity(sqrt_s[i])) * pz[i]
        electron[i] = half * (energy[i] - along)
        positron[i] = half * (energy[i] + along)


@stage
def cross_section_stage(
    sqrt_s: Floats, a1: Floats, a2: Floats, b1: Floats, b2: Floats, c1: Floats, c2: Floats, weight: Floats
) -> None:
    """Multiply the weight by d sigma [nb] over x dx dOmega_c / 4pi dOmega* / 4pi."""
    for i in range(np.uint64(sqrt_s.size)):
        s = sqrt_s[i] * sqrt_s[i]
        weight[i] *= _FACTOR * matrix_element(s, a1[i], a2[i], b1[i], b2[i], c1[i], c2[i])


@stage
def blur_stage(sqrt_s: Floats, blur: Floats, energy: Floats, electron: Floats, positron: Floats, w: Floats) -> None:
    """Blur the pole of one photon about the beams: D = 1 - b^2 cos^2 becomes D + blur."""
    for i in range(np.uint64(sqrt_s.size)):
        d = electron[i] * positron[i] / (0.25 * sqrt_s[i] * sqrt_s[i] * energy[i] * energy[i])
        w[i] *= d / (d + blur[i])


class ThreeGamma:
    """The softest photon as radiation, the others as a pair in their rest frame; see `model.HardModel`."""

    particles = (Particle(22, 0), Particle(22, 0), Particle(22, 0))
    n_uniforms = 5
    rapidities = (1, 3)

    def __init__(self, sqrt_s: float, options: dict[str, Any]) -> None:
        self._cosine = cosine_of(options["theta_gamma_min"])
        self._energy = options["energy_gamma_min"]
        self._least = least_fraction(self._energy, sqrt_s)

    def points(self, u: Floats, sqrt_s: Floats, blur: Floats) -> Points:
        """Return the points in the rest frame of the photons, the softest last."""
        minus, plus, weight, mass, jacobian = (np.empty_like(sqrt_s) for _ in range(5))
        momenta = np.empty((3, 4, len(sqrt_s)))
        first, second, softest = momenta
        rapidity_stage(u[1], sqrt_s, minus, plus, weight)
        softest_stage(self._least, u[0], sqrt_s, softest[3], mass, weight)
        photon_stage(sqrt_s, minus, plus, u[2], softest[3], *softest[:3])
        pair = -softest
        pair[3] += sqrt_s
        rapidity = u[3].copy()
        shift_stage(sqrt_s, mass, pair[2], pair[3], rapidity, weight)
        rapidity_stage(rapidity, mass, minus, plus, jacobian)
        first[3] = second[3] = 0.5 * mass
        photon_stage(mass, minus, plus, u[4], first[3], *first[:3])
        second[:3] = -first[:3]
        boost_stage(*pair, *first)
        boost_stage(*pair, *second)
        a1, a2, b1, b2, c1, c2 = np.empty((6, len(sqrt_s)))
        for momentum, k1, k2 in ((first, a1, a2), (second, b1, b2), (softest, c1, c2)):
            invariants_stage(sqrt_s, momentum[2], momentum[3], k1, k2)
            blur_stage(sqrt_s, blur, momentum[3], k1, k2, weight)
        cross_section_stage(sqrt_s, a1, a2, b1, b2, c1, c2, weight)
        last = (softest[3] <= first[3]) & (softest[3] <= second[3])
        return Points(weight * jacobian * last, momenta)

    def passes(self, momenta: Floats, radiated: Floats) -> Bools:
        """Return whether all three pass the cuts, and no harder photon of the beams does: it would be one of them."""
        softest = momenta[:, 3].min(axis=0)
        other = within(radiated, self._cosine, self._energy) & (radiated[:, 3] > softest)
        passed: Bools = within(momenta, self._cosine, self._energy).all(axis=0) & ~other.any(axis=0)
        return passed


def _build(order: str, sqrt_s: float, options: dict[str, Any]) -> Model:
    energy, least = options["energy_gamma_min"], 0.5 * _LEAST_SHARE * sqrt_s
    if not least <= energy < sqrt_s / 3.0:
        raise ValueError(f"energy_gamma_min = {energy:g}, must be in [{least:.3g}, {sqrt_s / 3.0:.4g}) GeV")
    if options["theta_gamma_min"] < _LEAST_ANGLE:
        raise ValueError(f"theta_gamma_min = {options['theta_gamma_min']:g}, must be at least {_LEAST_ANGLE} rad")
    return model_of(order, ThreeGamma(sqrt_s, options), options["soft_cutoff"])


THREE_GAMMA = ModelProcess(
    name="three_gamma",
    final_state="gamma gamma gamma",
    build=_build,
    options=choose(theta_gamma_min=0.2, energy_gamma_min=0.1, soft_cutoff=1e-3),
    orders=("lo", "ll"),
    validity="hard photons at wide angles; soft and virtual corrections, not small below 0.1 GeV, are not included",
    reference="Berends, Kleiss, de Causmaecker, Gastmans, Troost and Wu, Nucl. Phys. B 206 (1982) 61",
)
