"""e+ e- -> gamma gamma with the mass of the electron.

With radiation from the beams (order "ll") a third photon of more than 0.1 GeV at more than 0.2 rad comes 12 % more
often than by the matrix element of `three_gamma` at sqrt(s) = 3.773 GeV; one of more than 0.3 GeV 25 % more often.
"""

import math
from typing import Any

import numpy as np

from ...arrays import Bools, Floats
from ...constants import ALPHA, HBARC2, PI
from ...kernel import stage
from ..radiative.phase_space import one_minus_velocity
from .initial_state import model_of
from .kinematics import cosine_of, invariant_mass2, photon_stage, rapidity_stage, within
from .model import Model, Particle, Points
from .options import choose
from .rejection import ModelProcess

_FACTOR = 2.0 * PI * ALPHA**2 * HBARC2


@stage
def cross_section_stage(sqrt_s: Floats, blur: Floats, minus: Floats, plus: Floats, weight: Floats) -> None:
    """Multiply the weight by d sigma [nb] over d cos / 2, the photons told apart and counted once.

    d sigma / d cos = (2 pi alpha^2 / (s b)) [(1 + b^2 cos^2 + 2r) / D - 2 r^2 / D^2], D = 1 - b^2 cos^2 = minus plus,
    r = 1 - b^2 = 4 m_e^2 / s, over one hemisphere: Peskin and Schroeder (1995), eq. 5.106.
    """
    for i in range(np.uint64(sqrt_s.size)):
        below = one_minus_velocity(sqrt_s[i])
        r = below * (2.0 - below)
        d = minus[i] * plus[i]
        bracket = (2.0 - d + 2.0 * r) / d - 2.0 * r * r / (d * d)
        weight[i] *= _FACTOR / (sqrt_s[i] * sqrt_s[i] * (1.0 - below)) * bracket * (d / (d + blur[i]))


def total_cross_section(sqrt_s: float) -> float:
    """Return the cross section [nb] at all angles, exact in m_e, for validation.

    (2 pi alpha^2 / (s b)) [(3 - b^4) / (2b) ln((1 + b) / (1 - b)) - 2 + b^2] (Dirac, Proc. Camb. Phil. Soc. 26 (1930)
    361), which is (2 pi alpha^2 / s)(ln(s / m_e^2) - 1) where s is large.
    """
    below = float(one_minus_velocity(sqrt_s))
    b = 1.0 - below
    logarithm = math.log((2.0 - below) / below)
    return _FACTOR / (sqrt_s**2 * b) * ((3.0 - b**4) / (2.0 * b) * logarithm - 2.0 + b * b)


class GammaGamma:
    """Two photons back to back, their angle drawn as both propagators want it; see `model.HardModel`."""

    particles = (Particle(22, 0), Particle(22, 0))
    n_uniforms = 2
    rapidities = (0,)

    def __init__(self, options: dict[str, Any]) -> None:
        self._cosine = cosine_of(options["theta_gamma_min"])
        self._energy = options["energy_gamma_min"]
        self._mass2 = options["mass_min"] ** 2

    def points(self, u: Floats, sqrt_s: Floats, blur: Floats) -> Points:
        """Return the points in the rest frame of the photons."""
        minus, plus, weight = (np.empty_like(sqrt_s) for _ in range(3))
        rapidity_stage(u[0], sqrt_s, minus, plus, weight)
        cross_section_stage(sqrt_s, blur, minus, plus, weight)
        momenta = np.empty((2, 4, len(sqrt_s)))
        momenta[:, 3] = 0.5 * sqrt_s
        photon_stage(sqrt_s, minus, plus, u[1], momenta[0, 3], *momenta[0, :3])
        momenta[1, :3] = -momenta[0, :3]
        return Points(weight, momenta)

    def passes(self, momenta: Floats, radiated: Floats) -> Bools:
        """Return which pairs pass the cuts on both photons and their mass."""
        inside = within(momenta, self._cosine, self._energy)
        passed: Bools = inside[0] & inside[1] & (invariant_mass2(momenta[0] + momenta[1]) >= self._mass2)
        return passed


def _build(order: str, sqrt_s: float, options: dict[str, Any]) -> Model:
    if options["mass_min"] >= sqrt_s:
        raise ValueError(f"mass_min = {options['mass_min']:g}, must be below sqrt_s = {sqrt_s:g} GeV")
    return model_of(order, GammaGamma(options), options["soft_cutoff"])


GAMMA_GAMMA = ModelProcess(
    name="gamma_gamma",
    final_state="gamma gamma",
    build=_build,
    options=choose(theta_gamma_min=0.0, energy_gamma_min=0.0, mass_min=1.0, soft_cutoff=1e-3),
    orders=("lo", "ll"),
    validity="ll: pair at wide angles, since nearer to a beam the scale is |t|, not s; a third hard photon to 10-25 %",
    reference="Peskin and Schroeder (1995), eq. 5.106; structure functions: Skrzypek and Jadach, Z. Phys. C 49 (1991)",
    parts={"ll": ("three_gamma",)},
)
