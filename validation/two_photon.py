"""Toy model of e+ e- -> e+ e- l+ l- by two equivalent photons, the beam particles written as real ones.

One beam particle may give nearly all its energy to its photon: what is missing is then the other beam particle alone,
along the beam and of nearly zero mass, as in radiative return. Equivalent photons: V. M. Budnev, I. F. Ginzburg, G. V.
Meledin and V. G. Serbo, Phys. Rep. 15 (1975) 181, DOI 10.1016/0370-1573(75)90009-5, equation (6.16b). Left out: photons
far off shell (Q^2 above the pair's mass squared), the bremsstrahlung diagrams with the pair from one virtual photon,
and the exchange of identical electrons.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from ..constants import ALPHA, HBARC2, M_E, PI
from ..sim.processes.model import Particle, Points
from .decays import MASSES, boosted, breakup_momentum, on_shell, product

#: Least share of its energy that a beam particle keeps in the toy, two electron masses at 1.9 GeV.
_KEPT_MIN = 0.0005


def pair_cross_section(mass: Floats, lepton_mass: float, cosine: Floats) -> Floats:
    """Return dsigma/dcos(theta) [nb] of gamma gamma -> l- l+ of unpolarised photons, at a mass of the pair [GeV].

    2 pi alpha^2 / W^2 beta [1 + 2 beta^2 (1 - beta^2)(1 - c^2) - beta^4 c^4] / (1 - beta^2 c^2)^2: G. Breit and J. A.
    Wheeler, Phys. Rev. 46 (1934) 1087; integrated, 4 pi alpha^2 / W^2 [(1 + 4 m^2/W^2 - 8 m^4/W^4) ln((1 + beta) /
    (1 - beta)) - beta (1 + 4 m^2/W^2)].
    """
    ratio = np.square(2.0 * lepton_mass / mass)
    beta2 = np.maximum(1.0 - ratio, 0.0)
    bracket = 1.0 + 2.0 * beta2 * ratio * (1.0 - cosine**2) - np.square(beta2 * cosine**2)
    # 1 - beta^2 c^2 without cancellation for light leptons
    below = (1.0 - cosine) * (1.0 + cosine) + ratio * cosine**2
    result: Floats = 2.0 * PI * ALPHA**2 * HBARC2 / mass**2 * np.sqrt(beta2) * bracket / below**2
    return result


def photon_number(x: Floats, q2: Floats, q2_min: Floats) -> Floats:
    """Return dn/(dx dln Q^2) of the equivalent photons of an electron: x the share of its energy, Q^2 [GeV^2].

    alpha/pi 1/x [1 - x + x^2/2 - (1 - x) Q^2_min/Q^2].
    """
    result: Floats = ALPHA / PI / x * (1.0 - x + 0.5 * x * x - (1.0 - x) * q2_min / q2)
    return result


def least_virtuality(beam: Floats, scattered: Floats) -> Floats:
    """Return Q^2_min [GeV^2] of an electron of energy `beam` that leaves with `scattered`, free of cancellation."""
    momenta = np.sqrt((beam**2 - M_E**2) * (scattered**2 - M_E**2))
    ratio = (beam**2 + scattered**2 - M_E**2) / (beam * scattered + momenta)
    result: Floats = 2.0 * M_E**2 * (ratio - 1.0)
    return result


def scattered(beam: Floats, given: Floats, u: Floats, side: float) -> tuple[Floats, Floats]:
    """Return scattered beam particles (4, n) that gave a share of their energy, and dn/dx over the density of u (2, n).

    The beam flies along +z (side 1) or -z (side -1); ln Q^2 is uniform between its kinematic limits.
    """
    energy = (1.0 - given) * beam
    least = least_virtuality(beam, energy)
    momentum = np.sqrt(energy**2 - M_E**2)
    both = momentum * np.sqrt(beam**2 - M_E**2)
    span = np.log1p(4.0 * both / least)
    q2 = least * np.exp(span * u[0])
    # 1 - cos(theta)
    bend = np.clip((q2 - least) / (2.0 * both), 0.0, 2.0)
    sine = np.sqrt(bend * (2.0 - bend))
    phi = 2.0 * PI * u[1]
    three = momentum * np.stack([sine * np.cos(phi), sine * np.sin(phi), side * (1.0 - bend)])
    return on_shell(three, M_E), photon_number(given, q2, least) * span


def _photon(beam: Floats, outgoing: Floats, side: float) -> Floats:
    photon = -outgoing
    photon[3] += beam
    photon[2] += side * np.sqrt(beam**2 - M_E**2)
    return photon


class TwoPhotonPairs:
    """e+ e- -> e+ e- l- l+ within lepton cuts (angle and pt in the centre of mass) and below a missing mass squared.

    Missing is everything but the pair; `q2_max` [GeV^2] bounds the virtualities besides the pair's mass squared.
    `mass_range` [GeV] holds for the pair. The electron, then the positron of the beams come first.
    """

    n_uniforms = 9

    def __init__(
        self,
        lepton: int,
        mass_range: tuple[float, float],
        *,
        theta_min: float = 0.375,
        pt_min: float = 0.275,
        missing2_max: float = 1.0,
        q2_max: float = math.inf,
    ) -> None:
        self._mass = MASSES[lepton]
        self._range = mass_range
        self._cosine = math.cos(theta_min)
        self._pt_min = pt_min
        self._missing2_max = missing2_max
        self._q2_max = q2_max
        kinds = ((11, -1), (-11, 1), (lepton, -1), (-lepton, 1))
        self.particles: Sequence[Particle] = [Particle(pdg, charge) for pdg, charge in kinds]

    def points(self, u: Floats, sqrt_s: Floats) -> Points:
        """Return weighted events: side, mass, kept energy, ln Q^2 and azimuth of either beam, angles of the pair."""
        beam = 0.5 * sqrt_s
        low, high = self._range
        nominal = low + (high - low) * u[1]
        # the beam that gives more of its energy: W^2 = s x y for photons on the mass shell
        kept = _KEPT_MIN + (1.0 - nominal / sqrt_s - _KEPT_MIN) * u[2]
        given = 1.0 - kept
        other = (nominal / sqrt_s) ** 2 / given
        weight = (high - low) * 2.0 * nominal / (sqrt_s**2 * given) * (1.0 - nominal / sqrt_s - _KEPT_MIN)
        side = np.where(u[0] < 0.5, 1.0, -1.0)
        first, number = scattered(beam, np.where(side > 0.0, given, other), u[3:5], 1.0)
        second, other_number = scattered(beam, np.where(side > 0.0, other, given), u[5:7], -1.0)
        photons = [_photon(beam, first, 1.0), _photon(beam, second, -1.0)]
        pair = photons[0] + photons[1]
        square = product(pair, pair)
        inside = (square > low**2) & (square < high**2)
        for virtual in photons:
            inside &= -product(virtual, virtual) < np.minimum(square, self._q2_max)
        mass = np.sqrt(np.where(inside, square, low**2))
        pair = np.where(inside, pair, np.array([0.0, 0.0, 0.0, low])[:, None])
        cosine = 2.0 * u[7] - 1.0
        leptons = self._leptons(photons[0], pair, mass, cosine, u[8])
        inside &= self._passes(leptons, pair, sqrt_s)
        # two sides, and dcos = 2 du
        weight = weight * number * other_number * 4.0 * pair_cross_section(mass, self._mass, cosine)
        return Points(np.where(inside, weight, 0.0), np.concatenate([np.stack([first, second]), leptons]))

    def _leptons(self, photon: Floats, pair: Floats, mass: Floats, cosine: Floats, azimuth: Floats) -> Floats:
        """Return the leptons (2, 4, n), cosine counted from the first photon in the pair's rest frame."""
        back = np.concatenate([-pair[:3], pair[3:]])
        axis = boosted(photon, back, mass)[:3]
        axis = axis / np.sqrt(np.sum(axis * axis, axis=0))
        # any direction that is not along the axis, made orthogonal to it
        helper = np.where(np.abs(axis[0]) < 0.7, np.array([1.0, 0.0, 0.0])[:, None], np.array([0.0, 1.0, 0.0])[:, None])
        first = helper - np.sum(helper * axis, axis=0) * axis
        first = first / np.sqrt(np.sum(first * first, axis=0))
        second = np.cross(axis, first, axis=0)
        sine = np.sqrt((1.0 - cosine) * (1.0 + cosine))
        phi = 2.0 * PI * azimuth
        direction = cosine * axis + sine * (np.cos(phi) * first + np.sin(phi) * second)
        three = breakup_momentum(mass, self._mass, self._mass) * direction
        return boosted(np.stack([on_shell(three, self._mass), on_shell(-three, self._mass)]), pair, mass)

    def _passes(self, leptons: Floats, pair: Floats, sqrt_s: Floats) -> NDArray[np.bool_]:
        """Return whether events pass the cuts of the toy."""
        pt = np.hypot(leptons[:, 0], leptons[:, 1])
        momentum = np.sqrt(np.sum(leptons[:, :3] ** 2, axis=1))
        inside = np.all((pt > self._pt_min) & (np.abs(leptons[:, 2]) < self._cosine * momentum), axis=0)
        missing = -pair
        missing[3] += sqrt_s
        result: NDArray[np.bool_] = inside & (product(missing, missing) < self._missing2_max)
        return result
