"""e+ e- -> gamma A' with a dark photon A' that is not seen."""

from typing import Any

import numpy as np

from ...arrays import Bools, Floats
from ...constants import ALPHA, HBARC2, M_E, PI
from ...kernel import stage
from ..radiative.phase_space import one_minus_velocity
from .initial_state import model_of
from .kinematics import cosine_of, photon_stage, rapidity_stage, within
from .model import Model, Particle, Points
from .options import REQUIRED, choose
from .rejection import ModelProcess

#: The vector mediator of dark matter in the numbering scheme of the Particle Data Group; nothing in a detector sees it.
DARK_PHOTON = 55
#: Default cut on the photon's energy over what it has without radiation.
_NOMINAL = 0.5
#: Smallest angle of a photon [rad] that leaves the structure functions theirs.
_COLLINEAR = 0.02


@stage
def cross_section_stage(
    mass: float, epsilon: float, sqrt_s: Floats, blur: Floats, minus: Floats, plus: Floats, weight: Floats
) -> None:
    """Multiply the weight by d sigma [nb] over d cos / 2 of a photon; 0 below threshold.

    <|M|^2> = e^4 epsilon^2 {2 (2q + y1^2 + y2^2) / (y1 y2) - 4 m q x^2 / (y1 y2)^2 + 8m (1 - 2m) / (y1 y2)
    - 8 m^2 (1 / y1^2 + 1 / y2^2)}, y_i = 2 k.p_i / s, q = M^2 / s, x = 1 - q, m = m_e^2 / s: the leptonic tensor of
    Rodrigo, Czyz, Kuhn and Szopa, Eur. Phys. J. C 24 (2002) 71, exact in m_e, summed over the polarisations of A'.
    At q = 0 it is that of two photons.
    """
    for i in range(np.uint64(sqrt_s.size)):
        s = sqrt_s[i] * sqrt_s[i]
        velocity = 1.0 - one_minus_velocity(sqrt_s[i])
        q = mass * mass / s
        x = 1.0 - q
        m = M_E * M_E / s
        y1 = 0.5 * x * minus[i]
        y2 = 0.5 * x * plus[i]
        product = y1 * y2
        square = 2.0 * (2.0 * q + y1 * y1 + y2 * y2) / product - 4.0 * m * q * x * x / (product * product)
        square += 8.0 * m * ((1.0 - 2.0 * m) / product - m * (1.0 / (y1 * y1) + 1.0 / (y2 * y2)))
        sharpness = minus[i] * plus[i] / (minus[i] * plus[i] + blur[i])
        factor = PI * ALPHA * ALPHA * epsilon * epsilon * HBARC2 * x / (s * velocity)
        weight[i] *= factor * square * sharpness if x > 0.0 else 0.0


class GammaDarkPhoton:
    """A photon against a dark photon; see `model.HardModel`."""

    particles = (Particle(22, 0), Particle(DARK_PHOTON, 0))
    n_uniforms = 2
    rapidities = (0,)

    def __init__(self, options: dict[str, Any]) -> None:
        self._mass, self._epsilon = options["mass"], options["epsilon"]
        self._cosine = cosine_of(options["theta_gamma_min"])
        self._inner_cosine = cosine_of(options["theta_gamma_max"]) if "theta_gamma_max" in options else 0.0
        self._energy = options["energy_gamma_min"]

    def points(self, u: Floats, sqrt_s: Floats, blur: Floats) -> Points:
        """Return the points in the rest frame of photon and dark photon."""
        minus, plus, weight = (np.empty_like(sqrt_s) for _ in range(3))
        rapidity_stage(u[0], sqrt_s, minus, plus, weight)
        momenta = np.empty((2, 4, len(sqrt_s)))
        momenta[0, 3] = np.maximum((sqrt_s - self._mass) * (sqrt_s + self._mass) / (2.0 * sqrt_s), 0.0)
        momenta[1, 3] = sqrt_s - momenta[0, 3]
        cross_section_stage(self._mass, self._epsilon, sqrt_s, blur, minus, plus, weight)
        photon_stage(sqrt_s, minus, plus, u[1], momenta[0, 3], *momenta[0, :3])
        momenta[1, :3] = -momenta[0, :3]
        return Points(weight, momenta)

    def passes(self, momenta: Floats, radiated: Floats) -> Bools:
        """Return which photons pass the cuts and are the most energetic that do: the beams' photons count as well."""
        inside = self._inside(momenta[0])
        other = self._inside(radiated) & (radiated[:, 3] > momenta[0, 3])
        passed: Bools = inside & ~other.any(axis=0)
        return passed

    def _inside(self, photon: Floats) -> Bools:
        inside: Bools = within(photon, self._cosine, self._energy)
        if self._inner_cosine > 0.0:
            inside &= abs(photon[..., 2, :]) >= self._inner_cosine * photon[..., 3, :]
        return inside


def _build(order: str, sqrt_s: float, options: dict[str, Any]) -> Model:
    if not 0.0 < options["mass"] < sqrt_s:
        raise ValueError(f"mass = {options['mass']:g}, must be in (0, {sqrt_s:g}) GeV, below sqrt_s")
    options.setdefault("energy_gamma_min", _NOMINAL * (sqrt_s**2 - options["mass"] ** 2) / (2.0 * sqrt_s))
    low, high = options["theta_gamma_min"], options.get("theta_gamma_max", PI)
    if low >= high:
        raise ValueError(f"theta_gamma_min = {low:g}, must be below theta_gamma_max = {high:g} rad")
    if high >= 0.5 * PI:
        options.pop("theta_gamma_max", None)
    if order == "ll":
        for name, least in (("theta_gamma_min", _COLLINEAR), ("energy_gamma_min", 1e-3)):
            if options[name] < least:
                raise ValueError(f"{name} = {options[name]:g}, must be at least {least:g} for order 'll'")
    return model_of(order, GammaDarkPhoton(options), options["soft_cutoff"])


GAMMA_DARK_PHOTON_INVISIBLE = ModelProcess(
    name="gamma_dark_photon_invisible",
    final_state="gamma A', A' -> invisible",
    build=_build,
    options=choose(
        "theta_gamma_max",
        "energy_gamma_min",
        mass=REQUIRED,
        epsilon=1e-3,
        theta_gamma_min=0.1,
        soft_cutoff=1e-3,
    ),
    orders=("lo", "ll"),
    validity="m < sqrt(s); ll: one photon by its matrix element, further ones along the beams",
    reference="Essig, Mardon, Papucci, Volansky and Zhong, JHEP 11 (2013) 167; Phys. Rev. D 80 (2009) 075018, eq. 19",
)
