"""Toy models of the backgrounds that the main search neglects: tau and charm pairs, hadron pairs, charmonium cascades.

They are processes in the sense of `sim.processes.model`, but not registered: good for an upper bound of an efficiency,
not for a measurement. Radiation beyond what is named, spin correlations and form factors of decays are left out.
"""

import math
from collections.abc import Sequence
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from ..constants import ALPHA, HBARC2, M_K, M_P, M_TAU, PI, PSI2S_GEE, PSI2S_MASS
from ..sim.processes.model import Particle, Points
from ..sim.radiative.phase_space import one_minus_velocity
from ..sim.radiative.radiator import radiator_angle
from .decays import (
    Decays,
    Mode,
    antiparticle,
    boosted,
    charge_of,
    directions,
    leptonic,
    on_shell,
    rho_meson,
    soft_pions,
)

M_D0, M_DPLUS = 1.86484, 1.86966

#: Largest angle [rad] between a radiated photon and a beam in the toys, three times what the search accepts.
_THETA_MAX = 0.3
#: Further soft photons at the psi(2S): (structure functions) over (leading order), E. A. Kuraev and V. S. Fadin,
#: Sov. J. Nucl. Phys. 41 (1985) 466.
_PSI2S_K = 0.836

#: Branching fractions: Particle Data Group, PTEP 2022, 083C01.
TAU_DECAYS = Decays(
    M_TAU,
    (
        Mode(0.1782, (11, -12, 16), leptonic),
        Mode(0.1739, (13, -14, 16), leptonic),
        Mode(0.1082, (-211, 16)),
        Mode(0.2549, (-211, 111, 16), rho_meson),
    ),
)
#: A neutral kaon is taken for a K_L, which leaves no track: the most there can be of events with two tracks.
D0_DECAYS = Decays(
    M_D0,
    (
        Mode(0.03549, (-321, -11, 12)),
        Mode(0.0341, (-321, -13, 14)),
        Mode(0.03947, (-321, 211)),
        Mode(0.144, (-321, 211, 111)),
        Mode(0.0822, (-321, 211, 211, -211)),
        Mode(0.0560, (130, 211, -211)),
        Mode(0.0248, (130, 111)),
    ),
)
DPLUS_DECAYS = Decays(
    M_DPLUS,
    (
        Mode(0.0872, (130, -11, 12)),
        Mode(0.0876, (130, -13, 14)),
        Mode(0.000374, (-13, 14)),
        Mode(0.0310, (130, 211)),
        Mode(0.1472, (130, 211, 111)),
        Mode(0.0938, (-321, 211, 211)),
        Mode(0.0402, (-321, 211, -11, 12)),
        Mode(0.0365, (-321, 211, -13, 14)),
        Mode(0.0620, (130, 211, 211, -211)),
    ),
)


def psi2s_decays(lepton: int) -> Decays:
    """Return psi(2S) -> J/psi X, J/psi -> l- l+; eta and pi0 are left as they are, for they leave no track."""
    pair = {443: Mode(1.0, (lepton, -lepton))}
    cascade = [
        Mode(branching, (22, chi), further={chi: Mode(1.0, (22, 443), further=pair)})
        for branching, chi in ((0.0979 * 0.0140, 10441), (0.0975 * 0.343, 20443), (0.0952 * 0.190, 445))
    ]
    pions = [Mode(0.3468, (211, -211, 443), soft_pions, pair), Mode(0.1824, (111, 111, 443), soft_pions, pair)]
    return Decays(PSI2S_MASS, (*pions, Mode(0.0337, (221, 443), further=pair), *cascade))


#: Branching fraction of all modes of `psi2s_decays` into one lepton species: J/psi X times J/psi -> l l (5.97 %).
PSI2S_BRANCHING = (0.3468 + 0.1824 + 0.0337 + 0.0979 * 0.0140 + 0.0975 * 0.343 + 0.0952 * 0.190) * 0.0597


def tau_pair_cross_section(sqrt_s: float) -> float:
    """Return the Born cross section of e+ e- -> tau tau [nb] with the Coulomb factor of the pair, without radiation.

    4 pi alpha^2 / (3 s) beta (3 - beta^2) / 2 X / (1 - exp(-X)), X = pi alpha / beta: A. Sommerfeld, Ann. Phys. 403
    (1931) 257; M. B. Voloshin, Phys. Lett. B 556 (2003) 153.
    """
    beta = math.sqrt(1.0 - 4.0 * M_TAU**2 / sqrt_s**2)
    x = PI * ALPHA / beta
    born = 4.0 * PI * ALPHA**2 * HBARC2 / (3.0 * sqrt_s**2) * beta * (3.0 - beta**2) / 2.0
    return born * x / -math.expm1(-x)


@cache
def hadron_pair_table(name: str) -> NDArray[np.float64]:
    """Return mass [GeV], sigma(e+ e- -> pair) [nb] and its error as rows (3, n); name "kaon" or "proton"."""
    package = __package__.rpartition(".")[0]
    with resources.files(package).joinpath("data", "hadron_pair_cross_sections.csv").open(encoding="utf-8") as lines:
        rows = [line.split(",") for line in lines if line.startswith(f"{name},")]
    return np.array([[float(value) for value in row[1:4]] for row in rows]).T


class DecayingPairs:
    """e+ e- -> X anti-X, both decaying; dsigma/dcos(theta) ~ 1 + shape cos^2(theta).

    The particles are the slots of X, which decays as listed, then those of its antiparticle.
    """

    def __init__(self, cross_section: float, shape: float, decays: Decays) -> None:
        self._cross_section = cross_section
        self._shape = shape
        self._decays = decays
        self._means = decays.mean_weights()
        slots = decays.slots()
        both = [*slots, *(antiparticle(pdg) for pdg in slots)]
        self.particles: Sequence[Particle] = [Particle(pdg, charge_of(pdg)) for pdg in both]
        self.n_uniforms = 2 + 2 * decays.n_uniforms

    def points(self, u: Floats, sqrt_s: Floats) -> Points:
        """Return weighted events of uniform numbers: two angles of X, and two decays."""
        cosine = 2.0 * u[0] - 1.0
        weight = self._cross_section * (1.0 + self._shape * cosine**2) / (1.0 + self._shape / 3.0)
        mass, half = self._decays.mass, self._decays.n_uniforms
        momentum = np.sqrt(np.maximum(0.25 * sqrt_s**2 - mass**2, 0.0)) * directions(u[0], u[1])
        parts = []
        for sign, own in ((1.0, u[2 : 2 + half]), (-1.0, u[2 + half :])):
            final, factor = self._decays.decay(on_shell(sign * momentum, mass), own, self._means)
            parts.append(final)
            weight = weight * factor
        return Points(weight, np.concatenate(parts))


def radiated(u: Floats, sqrt_s: Floats, x: Floats) -> tuple[Floats, Floats, Floats]:
    """Return photons (4, n) within 0.3 rad of a beam, what they leave (4, n), and dW/dx over the density of u (3, n).

    x is the photon's share of the beam energy; u its angle, side and azimuth. The radiator is that of Bonneau and
    Martin; its electron mass is taken at the first energy, for all differ by a beam-energy spread at most.
    """
    velocity = 1.0 - one_minus_velocity(float(sqrt_s[0]))
    low, high = math.atanh(velocity * math.cos(_THETA_MAX)), math.atanh(velocity)
    y = low + (high - low) * u[0]
    cosine = np.minimum(np.tanh(y) / velocity, 1.0)
    sine = np.sqrt((1.0 - cosine) * (1.0 + cosine))
    density = radiator_angle(x, np.arctan2(sine, cosine), float(sqrt_s[0]))
    weight = 2.0 * density * (high - low) / (velocity * np.square(np.cosh(y)))
    phi = 2.0 * PI * u[2]
    direction = np.stack([sine * np.cos(phi), sine * np.sin(phi), cosine])
    photon = on_shell(0.5 * x * sqrt_s * np.where(u[1] < 0.5, direction, -direction), 0.0)
    rest = -photon
    rest[3] += sqrt_s
    return photon, rest, weight


class HadronPairs:
    """e+ e- -> gamma h- h+ with the photon within 0.3 rad of a beam: radiator times a measured cross section.

    The pair's angle to the beam in its rest frame is that of a photon along the beam: sin^2 for kaons, and for protons
    1 + cos^2 + (4 m^2 / s') sin^2, |G_E| = |G_M|.
    """

    n_uniforms = 6

    def __init__(self, name: str, mass_min: float, mass_max: float) -> None:
        self._table = hadron_pair_table(name)
        pdg, self._hadron = {"kaon": (321, M_K), "proton": (2212, M_P)}[name]
        self._scalar = name == "kaon"
        self._range = max(mass_min, 2.0 * self._hadron), mass_max
        self.particles: Sequence[Particle] = [Particle(-pdg, -1), Particle(pdg, 1), Particle(22, 0)]

    def points(self, u: Floats, sqrt_s: Floats) -> Points:
        """Return weighted events of uniform numbers: mass, photon angle, side and azimuth, two angles of the pair."""
        low, high = self._range
        mass = low + (high - low) * u[0]
        photon, pair, weight = radiated(u[1:4], sqrt_s, 1.0 - (mass / sqrt_s) ** 2)
        born = np.interp(mass, self._table[0], self._table[1])
        weight = weight * born * 2.0 * mass / sqrt_s**2 * (high - low)
        cosine = 2.0 * u[4] - 1.0
        ratio = np.square(2.0 * self._hadron / mass)
        shape = 1.0 - cosine**2 if self._scalar else 1.0 + cosine**2 + ratio * (1.0 - cosine**2)
        weight = weight * 1.5 * shape / (1.0 if self._scalar else 2.0 + ratio)
        three = np.sqrt(0.25 * mass**2 - self._hadron**2) * directions(u[4], u[5])
        both = np.stack([on_shell(three, self._hadron), on_shell(-three, self._hadron)])
        return Points(weight, np.concatenate([boosted(both, pair, mass), photon[None]]))


class CharmoniumCascade:
    """e+ e- -> gamma psi(2S), psi(2S) -> J/psi X, J/psi -> l- l+, the photon within 0.3 rad of a beam."""

    def __init__(self, lepton: int) -> None:
        self._decays = psi2s_decays(lepton)
        self._means = self._decays.mean_weights()
        slots = (*self._decays.slots(), 22)
        self.particles: Sequence[Particle] = [Particle(pdg, charge_of(pdg)) for pdg in slots]
        self.n_uniforms = 3 + self._decays.n_uniforms

    def points(self, u: Floats, sqrt_s: Floats) -> Points:
        """Return weighted events of uniform numbers: photon angle, side and azimuth, and the decay."""
        photon, resonance, weight = radiated(u[:3], sqrt_s, 1.0 - (PSI2S_MASS / sqrt_s) ** 2)
        # a narrow resonance: the integral of its cross section over s', without the radiator that `radiated` holds
        strength = 12.0 * PI**2 * PSI2S_GEE * HBARC2 / (PSI2S_MASS * sqrt_s**2)
        final, factor = self._decays.decay(resonance, u[3:], self._means)
        weight = weight * strength * PSI2S_BRANCHING * _PSI2S_K * factor
        return Points(weight, np.concatenate([final, photon[None]]))
