"""e+ e- -> mu+ mu- Z' at leading order: a massive vector that couples to muons, radiated by the pair, and not seen.

The vector current of the muon with coupling g', as in gauged L_mu - L_tau (He, Joshi, Lew and Volkas, Phys. Rev. D 43
(1991) R22), exact in all masses; no radiation of photons, no vacuum polarisation. The Z' is written as a stable neutral
particle that no detector sees; its branching fraction to neutrinos or dark matter is the user's to multiply by.

A point is (E, cos*, phi*, cos theta, azimuth): E the energy of the Z' in the centre of mass, theta its polar angle, and
cos*, phi* the direction of mu- in the pair's rest frame with respect to that of the Z' in the centre of mass.
"""

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from ...arrays import Floats
from ...constants import ALPHA, HBARC2, M_E, M_MU, PI
from ...elementary import exp, log, sincos, sincos2pi
from ...kernel import blocks, kernel, stage
from ..radiative.full_pair import final_radiation
from .model import Particle, Points
from .options import REQUIRED, Option, choose
from .rejection import ModelProcess

#: PDG number of the Z'.
ZPRIME = 32
#: Smallest mass [GeV]: the cross section grows as the square of its logarithm.
_MASS_MIN = 1e-6


@kernel
def pair_of_recoil(sqrt_s: float, energy: float, vector_mass: float, lepton_mass: float) -> tuple[float, float]:
    """Return the squared mass s' [GeV^2] of the pair that a vector of this energy leaves, and its leptons' velocity."""
    s_prime = sqrt_s * (sqrt_s - 2.0 * energy) + vector_mass * vector_mass
    s_prime = max(s_prime, 4.0 * lepton_mass * lepton_mass)
    return s_prime, math.sqrt(max(1.0 - 4.0 * lepton_mass * lepton_mass / s_prime, 0.0))


@stage
def vector_stage(
    vector_mass: float, lepton_mass: float, sqrt_s: Floats, u: Floats, energy: Floats, momentum: Floats, weight: Floats
) -> None:
    """Draw energy and momentum of the vector [GeV], even in its rapidity; the weight starts as p^2 over the density.

    Soft vectors have p dE / E^2, which is tanh^2 of the rapidity.
    """
    for i in range(np.uint64(u.size)):
        s = sqrt_s[i] * sqrt_s[i]
        top = (s + vector_mass * vector_mass - 4.0 * lepton_mass * lepton_mass) / (2.0 * sqrt_s[i])
        ratio = max(top / vector_mass, 1.0)
        reach = log(ratio + math.sqrt((ratio - 1.0) * (ratio + 1.0)))
        t = exp(u[i] * reach)
        energy[i] = min(0.5 * vector_mass * (t + 1.0 / t), max(top, vector_mass))
        momentum[i] = 0.5 * vector_mass * (t - 1.0 / t)
        weight[i] = reach * momentum[i] * momentum[i]


@stage
def pair_cosine_stage(
    vector_mass: float,
    lepton_mass: float,
    sqrt_s: Floats,
    energy: Floats,
    momentum: Floats,
    u: Floats,
    cosine: Floats,
    weight: Floats,
) -> None:
    """Draw cos* as the product of the two propagators, 1 / (1 - b^2 cos*^2) with b the product of both velocities.

    b cos* = tanh(y); the weight is multiplied by dcos* / 2 over the density and by the leptons' velocity.
    """
    for i in range(np.uint64(u.size)):
        _, beta = pair_of_recoil(sqrt_s[i], energy[i], vector_mass, lepton_mass)
        b = max(beta * momentum[i] / energy[i], 1e-9)
        reach = 0.5 * log((1.0 + b) / (1.0 - b))
        y = reach * (2.0 * u[i] - 1.0)
        t = exp(-2.0 * abs(y))
        size = (1.0 - t) / (1.0 + t)
        cosine[i] = min(size / b, 1.0) * (1.0 if y > 0.0 else -1.0)
        weight[i] *= beta * reach * (1.0 - size * size) / b


@stage
def lepton_stage(
    vector_mass: float,
    lepton_mass: float,
    sqrt_s: Floats,
    energy: Floats,
    momentum: Floats,
    cosine: Floats,
    along: Floats,
    across: Floats,
    lepton_energy: Floats,
) -> None:
    """Compute the momentum of mu- along the vector and across it, and its energy, in the centre of mass [GeV]."""
    for i in range(np.uint64(cosine.size)):
        s_prime, beta = pair_of_recoil(sqrt_s[i], energy[i], vector_mass, lepton_mass)
        c = cosine[i]
        total = sqrt_s[i] - energy[i]
        along[i] = 0.5 * (total * beta * c - momentum[i])
        across[i] = 0.5 * math.sqrt(s_prime) * beta * math.sqrt(max((1.0 - c) * (1.0 + c), 0.0))
        lepton_energy[i] = 0.5 * (total - momentum[i] * beta * c)


@stage
def orient_stage(
    along: Floats, across: Floats, u_phi: Floats, u_theta: Floats, u_azimuth: Floats, x: Floats, y: Floats, z: Floats
) -> None:
    """Turn a momentum into the centre of mass: about the axis, then the axis to its polar angle and azimuth."""
    for i in range(np.uint64(along.size)):
        sin_phi, cos_phi = sincos2pi(u_phi[i])
        sin_azimuth, cos_azimuth = sincos2pi(u_azimuth[i])
        c = 2.0 * u_theta[i] - 1.0
        s = 2.0 * math.sqrt(u_theta[i] * (1.0 - u_theta[i]))
        a = across[i] * cos_phi
        b = across[i] * sin_phi
        r = a * c + along[i] * s
        x[i] = r * cos_azimuth - b * sin_azimuth
        y[i] = r * sin_azimuth + b * cos_azimuth
        z[i] = along[i] * c - a * s


@stage
def matrix_element_stage(
    vector_mass: float,
    lepton_mass: float,
    sqrt_s: Floats,
    energy: Floats,
    momentum: Floats,
    cosine: Floats,
    vector_z: Floats,
    lepton_energy: Floats,
    lepton_z: Floats,
    weight: Floats,
) -> None:
    """Multiply the weights by <|M|^2> / (e^4 g'^2) and by 1 / (s beta_e), the flux."""
    square = vector_mass * vector_mass
    for i in range(np.uint64(cosine.size)):
        s = sqrt_s[i] * sqrt_s[i]
        half = 0.5 * sqrt_s[i]
        beam = math.sqrt(half * half - M_E * M_E)
        s_prime, beta = pair_of_recoil(sqrt_s[i], energy[i], vector_mass, lepton_mass)
        # (p3 + k)^2 - m^2 = k^2 + 2 k.p3, and p4 alike: their sum is 2 sqrt(s) E
        bc = beta * momentum[i] * cosine[i]
        k3 = 0.5 * (sqrt_s[i] * (energy[i] - bc) - square)
        k4 = 0.5 * (sqrt_s[i] * (energy[i] + bc) - square)
        d13 = half * lepton_energy[i] - beam * lepton_z[i]
        d23 = half * lepton_energy[i] + beam * lepton_z[i]
        other = sqrt_s[i] - energy[i] - lepton_energy[i]
        other_z = vector_z[i] + lepton_z[i]
        d14 = half * other + beam * other_z
        d24 = half * other - beam * other_z
        weight[i] *= final_radiation(s, s_prime, k3, k4, d13, d23, d14, d24, lepton_mass, vector_mass) / (
            sqrt_s[i] * beam
        )


@stage
def cut_stage(tan2: float, pt2_min: float, x: Floats, y: Floats, z: Floats, weight: Floats) -> None:
    """Set the weight to zero where a particle is closer to the beams, or slower across them, than allowed."""
    for i in range(np.uint64(x.size)):
        pt2 = x[i] * x[i] + y[i] * y[i]
        weight[i] *= 1.0 if pt2 >= max(tan2 * z[i] * z[i], pt2_min) else 0.0


@dataclass(frozen=True)
class ZPrimeModel:
    """mu-, mu+ and Z' from five uniform numbers; mass [GeV], coupling g' and lepton cuts [rad, GeV/c]."""

    mass: float
    coupling: float
    lepton_theta_min: float = 0.0
    lepton_pt_min: float = 0.0
    n_uniforms: int = 5
    particles: tuple[Particle, ...] = (Particle(13, -1), Particle(-13, 1), Particle(ZPRIME, 0))

    def points(self, u: Floats, sqrt_s: Floats) -> Points:
        """Return the points of uniform numbers (5, n) at centre-of-mass energies (n,) [GeV].

        d sigma = 1 / (2 s beta_e) <|M|^2> p^2 beta / (32 pi^3) d(rapidity) dcos*/2 dphi*/2pi dOmega/4pi, with p and
        rapidity those of the Z' and beta the leptons' velocity in the pair's rest frame.
        """
        n = len(sqrt_s)
        momenta, weight = np.empty((3, 4, n)), np.empty(n)
        for b in blocks(n):
            self._fill(u[:, b], sqrt_s[b], momenta[:, :, b], weight[b])
        return Points(weight, momenta)

    def _fill(self, u: Floats, sqrt_s: Floats, momenta: Floats, weight: Floats) -> None:
        first, second, vector = momenta
        momentum, cosine, along, across = np.empty((4, len(sqrt_s)))
        masses = self.mass, M_MU
        none = np.zeros(len(sqrt_s))
        vector_stage(*masses, sqrt_s, u[0], vector[3], momentum, weight)
        pair_cosine_stage(*masses, sqrt_s, vector[3], momentum, u[1], cosine, weight)
        lepton_stage(*masses, sqrt_s, vector[3], momentum, cosine, along, across, first[3])
        orient_stage(along, across, u[2], u[3], u[4], first[0], first[1], first[2])
        orient_stage(momentum, none, u[2], u[3], u[4], vector[0], vector[1], vector[2])
        second[:3] = -first[:3] - vector[:3]
        second[3] = sqrt_s - vector[3] - first[3]
        matrix_element_stage(*masses, sqrt_s, vector[3], momentum, cosine, vector[2], first[3], first[2], weight)
        weight *= (4.0 * PI * ALPHA * self.coupling) ** 2 * HBARC2 / (4.0 * 32.0 * PI**3)
        sine, cosine_min = sincos(self.lepton_theta_min)
        for lepton in (first, second):
            cuts = (sine / cosine_min) ** 2, self.lepton_pt_min**2
            cut_stage(*cuts, lepton[0], lepton[1], lepton[2], weight)


def build(order: str, sqrt_s: float, options: dict[str, Any]) -> ZPrimeModel:
    """Return the model, or raise ValueError if the mass is outside of phase space."""
    mass, top = options["mass"], sqrt_s - 2.0 * M_MU
    if not _MASS_MIN <= mass < top:
        raise ValueError(f"mass = {mass}, must be in [{_MASS_MIN:g}, {top:.6g}) GeV at sqrt_s = {sqrt_s:g} GeV")
    return ZPrimeModel(
        mass, options["coupling"], options.get("lepton_theta_min", 0.0), options.get("lepton_pt_min", 0.0)
    )


MUMU_ZPRIME = ModelProcess(
    name="mumu_zprime_invisible",
    final_state="mu- mu+ Z', the Z' invisible and radiated by the muons",
    build=build,
    options=MappingProxyType(
        {
            **choose("lepton_theta_min", "lepton_pt_min", mass=REQUIRED),
            "coupling": Option(float, "", "coupling g' of the Z' to the muon", "(0, 10]", default=1e-3),
        }
    ),
    reference="L_mu - L_tau: He, Joshi, Lew and Volkas, Phys. Rev. D 43 (1991) R22",
    validity="1e-6 GeV <= mass < sqrt(s) - 2 m_mu",
)
