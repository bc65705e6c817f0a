"""Decays of toy backgrounds: phase space of n bodies with matrix elements as weights, and boosts.

Momenta are arrays (4, n) or (n_particles, 4, n) of px, py, pz and energy [GeV]. Toys bound an efficiency and are never
written to a file, so that numpy's own functions are good enough here.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..arrays import Floats
from ..constants import JPSI_MASS, M_E, M_K, M_MU, M_P, M_PI

#: Masses [GeV] by absolute PDG number; neutral mesons that leave no track are not decayed further.
MASSES = {11: M_E, 13: M_MU, 12: 0.0, 14: 0.0, 16: 0.0, 22: 0.0, 211: M_PI, 321: M_K, 2212: M_P}
MASSES |= {111: 0.1349768, 130: 0.497611, 221: 0.547862, 443: JPSI_MASS, 10441: 3.41471, 20443: 3.51067, 445: 3.55617}

#: Points with which the mean weight of a mode is found.
_N_MEAN = 2**15


def charge_of(pdg: int) -> int:
    """Return the charge [e] of a particle of `MASSES`."""
    size = abs(pdg)
    if size in (11, 13):
        return -int(math.copysign(1, pdg))
    return int(math.copysign(1, pdg)) if size in (211, 321, 2212) else 0


def antiparticle(pdg: int) -> int:
    """Return the PDG number of the antiparticle of a particle of `MASSES`."""
    return -pdg if charge_of(pdg) or abs(pdg) in (12, 14, 16) else pdg


def breakup_momentum(mass: Floats | float, first: Floats | float, second: Floats | float) -> Floats:
    """Return the momentum [GeV] of either daughter in the rest frame of a mass that decays into two."""
    square = (np.square(mass) - np.square(first + second)) * (np.square(mass) - np.square(first - second))
    momentum: Floats = np.sqrt(np.maximum(square, 0.0)) / (2.0 * np.asarray(mass))
    return momentum


def directions(u: Floats, v: Floats) -> Floats:
    """Return isotropic unit vectors (3, n) of two columns of uniform numbers."""
    cosine = 2.0 * u - 1.0
    sine = np.sqrt(1.0 - cosine * cosine)
    return np.stack([sine * np.cos(2.0 * math.pi * v), sine * np.sin(2.0 * math.pi * v), cosine])


def on_shell(momentum: Floats, mass: Floats | float) -> Floats:
    """Return four-momenta (4, n) of three-momenta (3, n) and a mass [GeV]."""
    energy = np.sqrt(np.sum(momentum * momentum, axis=0) + np.square(mass))
    return np.concatenate([momentum, energy[None]])


def boosted(momenta: Floats, frame: Floats, mass: Floats | float) -> Floats:
    """Return momenta (..., 4, n), given in the rest frame of a four-momentum (4, n) of that mass, outside it."""
    along = np.sum(momenta[..., :3, :] * frame[:3], axis=-2)
    energy = (momenta[..., 3, :] * frame[3] + along) / mass
    scale = (along / (frame[3] + mass) + momenta[..., 3, :]) / mass
    three = momenta[..., :3, :] + scale[..., None, :] * frame[:3]
    return np.concatenate([three, energy[..., None, :]], axis=-2)


def phase_space(mass: Floats | float, masses: Sequence[float], u: Floats) -> tuple[Floats, Floats]:
    """Return daughters (n_daughters, 4, n) in the rest frame of a decaying mass [GeV], and their weight.

    Masses of the intermediate systems are ordered uniform numbers; the weight is the product of the momenta of the
    two-body decays in the chain: F. James, CERN 68-15 (1968). Takes 3 n_daughters - 4 rows of uniform numbers.
    """
    count, n = len(masses), u.shape[1]
    total = np.full(n, 1.0) * mass
    order = np.sort(u[: count - 2], axis=0)
    free = total - sum(masses)
    systems = [np.full(n, masses[0])]
    systems += [sum(masses[: i + 2]) + order[i] * free for i in range(count - 2)] + [total]
    momenta = np.empty((count, 4, n))
    weight = np.ones(n)
    frame, angle = None, count - 2
    for last in range(count - 1, 0, -1):
        momentum = breakup_momentum(systems[last], systems[last - 1], masses[last])
        weight *= momentum
        three = momentum * directions(u[angle], u[angle + 1])
        one, rest = on_shell(three, masses[last]), on_shell(-three, systems[last - 1])
        if frame is not None:
            one, rest = boosted(one, frame, systems[last]), boosted(rest, frame, systems[last])
        momenta[last] = one
        frame, angle = rest, angle + 2
    momenta[0] = frame
    return momenta, weight


def product(first: Floats, second: Floats) -> Floats:
    """Return the products of four-vectors (4, n)."""
    result: Floats = first[3] * second[3] - np.sum(first[:3] * second[:3], axis=0)
    return result


def leptonic(momenta: Floats, mass: float) -> Floats:
    """Return the V-A matrix element (P.nu_bar)(l.nu) of a decay into charged lepton, its antineutrino and a neutrino.

    It makes the Michel spectrum of an unpolarised parent: Particle Data Group, "Muon decay parameters", rho = 3/4.
    """
    square: Floats = mass * momenta[1, 3] * product(momenta[0], momenta[2])
    return square


def rho_meson(momenta: Floats, mass: float) -> Floats:
    """Return the weight of tau -> nu rho, rho -> first and second daughter, over three-body phase space.

    dGamma/dq^2 ~ (m^2 - q^2)^2 (m^2 + 2 q^2) p^3 / q^3 |F|^2 with the pion's momentum p in the pair's rest frame and a
    Breit-Wigner F of fixed width: Y.-S. Tsai, Phys. Rev. D 4 (1971) 2821. Phase space has (m^2 - q^2) p / q of it.
    """
    pair = momenta[0] + momenta[1]
    q2 = product(pair, pair)
    p2 = np.square(breakup_momentum(np.sqrt(q2), MASSES[211], MASSES[111]))
    line = 1.0 / (np.square(q2 - 0.775**2) + np.square(0.775 * 0.149))
    weight: Floats = line * p2 / q2 * (mass**2 + 2.0 * q2) * (mass**2 - q2)
    return weight


def soft_pions(momenta: Floats, mass: float) -> Floats:
    """Return the weight (m_pipi^2 - 4.35 m_pi^2)^2 of psi(2S) -> J/psi pi pi, the pions first.

    V. A. Novikov and M. A. Shifman, Z. Phys. C 8 (1981) 43; parameter: BES, Phys. Rev. D 62 (2000) 032002.
    """
    pair = momenta[0] + momenta[1]
    weight: Floats = np.square(product(pair, pair) - 4.35 * M_PI**2)
    return weight


@dataclass(frozen=True)
class Mode:
    """One decay: branching fraction (any scale), daughters of the particle, and a weight on top of phase space.

    `shape(momenta, mass)` takes the daughters in the rest frame (n_daughters, 4, n).
    """

    branching: float
    daughters: tuple[int, ...]
    shape: Callable[[Floats, float], Floats] | None = None
    #: Decays of daughters by PDG number, if they decay further.
    further: "dict[int, Mode]" = field(default_factory=dict)

    @property
    def n_uniforms(self) -> int:
        """Number of uniform numbers a decay takes."""
        return 3 * len(self.daughters) - 4 + sum(mode.n_uniforms for mode in self.further.values())

    def final(self) -> tuple[int, ...]:
        """Return the PDG numbers of the final particles."""
        found: list[int] = []
        for pdg in self.daughters:
            found += self.further[pdg].final() if pdg in self.further else [pdg]
        return tuple(found)

    def rest_frame(self, mass: float, u: Floats) -> tuple[Floats, Floats]:
        """Return the final particles (n_final, 4, n) in the rest frame, in the order of `final`, and the raw weight."""
        own = 3 * len(self.daughters) - 4
        momenta, weight = phase_space(mass, [MASSES[abs(pdg)] for pdg in self.daughters], u[:own])
        if self.shape is not None:
            weight = weight * self.shape(momenta, mass)
        parts = []
        for pdg, momentum in zip(self.daughters, momenta, strict=True):
            if pdg not in self.further:
                parts.append(momentum[None])
                continue
            inner = self.further[pdg]
            below, factor = inner.rest_frame(MASSES[pdg], u[own : own + inner.n_uniforms])
            own += inner.n_uniforms
            parts.append(boosted(below, momentum, MASSES[pdg]))
            weight = weight * factor
        return np.concatenate(parts), weight

    def mean_weight(self, mass: float) -> float:
        """Return the mean raw weight over uniform numbers, from a Kronecker sequence of fixed points."""
        dimensions = self.n_uniforms
        root = 1.5
        for _ in range(60):  # the root of x^(d + 1) = x + 1: M. Roberts, generalised golden ratios
            root = (1.0 + root) ** (1.0 / (dimensions + 1))
        steps = root ** -np.arange(1.0, dimensions + 1.0)
        points = np.modf(0.5 + np.outer(steps, np.arange(_N_MEAN)))[0]
        return float(np.mean(self.rest_frame(mass, points)[1]))


@dataclass(frozen=True)
class Decays:
    """All modes of a particle of a mass [GeV], in slots that the modes share.

    Modes that are not listed are as efficient as the listed ones: the branching fractions are normalised to one.
    """

    mass: float
    modes: tuple[Mode, ...]

    def slots(self) -> tuple[int, ...]:
        """Return the PDG numbers of the slots: of every kind as many as a mode has at most."""
        found: list[int] = []
        for mode in self.modes:
            final = mode.final()
            for pdg in final:
                found += [pdg] * (final.count(pdg) - found.count(pdg))
        return tuple(found)

    @property
    def n_uniforms(self) -> int:
        """Number of uniform numbers a decay takes: the mode, then the mode's own."""
        return 1 + max(mode.n_uniforms for mode in self.modes)

    def mean_weights(self) -> tuple[float, ...]:
        """Return the mean raw weight of every mode."""
        return tuple(mode.mean_weight(self.mass) for mode in self.modes)

    def decay(self, parent: Floats, u: Floats, means: Sequence[float]) -> tuple[Floats, Floats]:
        """Return the final particles (n_slots, 4, n) of parents (4, n), zero where absent, and weights of mean one."""
        slots = self.slots()
        shares = np.cumsum([mode.branching for mode in self.modes])
        chosen = np.searchsorted(shares / shares[-1], u[0], side="right")
        chosen = np.minimum(chosen, len(self.modes) - 1)
        momenta = np.zeros((len(slots), 4, u.shape[1]))
        weight = np.zeros(u.shape[1])
        for number, mode in enumerate(self.modes):
            rows = np.flatnonzero(chosen == number)
            final, raw = mode.rest_frame(self.mass, u[1:, rows])
            weight[rows] = raw / means[number]
            final = boosted(final, parent[:, rows], self.mass)
            taken: list[int] = []
            for pdg, momentum in zip(mode.final(), final, strict=True):
                places = [i for i, slot in enumerate(slots) if slot == pdg and i not in taken]
                taken.append(places[0])
                momenta[places[0], :, rows] = momentum.T
        return momenta, weight
