"""Radiation from the beams for any hard process, in leading logarithms.

sigma(s) = int dz1 dz2 D(z1) D(z2) sigma_0(z1 z2 s): each beam keeps a fraction z of its energy, the rest y = 1 - z
leaves as one photon along it, y = u^(2 / eta) following the soft peak of the structure function D exactly (Kuraev and
Fadin, Sov. J. Nucl. Phys. 41 (1985) 466; Skrzypek and Jadach, Z. Phys. C 49 (1991) 577). The photon takes the polar
angle that one photon of that energy has at leading order (Bonneau and Martin, Nucl. Phys. B 27 (1971) 381), on the side
of its beam, and the hard process happens in the rest frame of Q = P - k1 - k2 at its mass: four-momentum is conserved
exactly. With photons at an angle Q^2 is a little above z1 z2 s, and the poles of the hard process about the beams are
blurred by Q_T^2 / (Q^2 + Q_T^2) = (1 + n1.n2) / 2, n1 and n2 the directions of the beams in the rest frame of Q.

Wrong by terms of order alpha without a large logarithm (about 0.6 % in the total), and in the spectrum of wide-angle
photons, which a matrix element of their own describes better.
"""

import math
from typing import NamedTuple

import numpy as np

from ...arrays import Floats
from ...constants import M_E, C
from ...elementary import exp, log
from ...kernel import kernel, stage
from ..radiative.phase_space import one_minus_velocity
from ..radiative.structure_function import radiation_slope, structure_ratio
from .kinematics import boost_stage, invariant_mass2, largest_rapidity, photon_stage, rotate_stage
from .model import HardModel, Model, Particle, Points

#: Smallest mass [GeV] at which a hard process is evaluated.
LEAST_MASS = 0.01
#: Smallest fraction of energy that is told from none.
_LEAST_FRACTION = 1e-300
_PHOTON = Particle(22, 0)


@stage
def fraction_stage(u: Floats, sqrt_s: Floats, y: Floats, weight: Floats) -> None:
    """Draw the fraction of its energy that a beam radiates; the weight takes D over the density drawn from."""
    for i in range(np.uint64(u.size)):
        slope = radiation_slope(2.0 * log(sqrt_s[i] / M_E))
        y[i] = max(exp(2.0 / slope * log(u[i])), _LEAST_FRACTION)
        weight[i] *= structure_ratio(y[i], slope)


@kernel
def angular_weight(sqrt_s: float, x: float, minus: float, plus: float) -> float:
    """Return dW / dy of a photon at b cos = tanh(y) over its mean in 0 < y < atanh(b): `radiator.radiator_angle`.

    P(cos) = [sin^2 - x^2 sin^4 / 2h - r ((1 - 2x) sin^2 - x^2 cos^4) / h] / (1 - b^2 cos^2)^2, h = 2 - 2x + x^2,
    r = 4 m_e^2 / s, has the integral (ln(s / m_e^2) - 1) / 2 over a hemisphere, whatever x.
    """
    below = one_minus_velocity(sqrt_s)
    velocity = 1.0 - below
    r = below * (2.0 - below)
    sine2 = (minus - below) * (plus - below) / (velocity * velocity)
    cosine2 = 1.0 - sine2
    shape = 2.0 - 2.0 * x + x * x
    top = sine2 - 0.5 * x * x * sine2 * sine2 / shape
    top -= r * ((1.0 - 2.0 * x) * sine2 - x * x * cosine2 * cosine2) / shape
    mean = (2.0 * log(sqrt_s / M_E) - 1.0) / (2.0 * largest_rapidity(sqrt_s))
    return max(top, 0.0) / (minus * plus * velocity * mean)


@stage
def angle_stage(u: Floats, sqrt_s: Floats, y: Floats, near: Floats, far: Floats, weight: Floats) -> None:
    """Draw the angle of a photon to its beam, near = 1 - b cos < far; the weight takes its density over the one drawn.

    Photons of zero energy have weight 1.
    """
    for i in range(np.uint64(u.size)):
        t = exp(-2.0 * u[i] * largest_rapidity(sqrt_s[i]))
        far[i] = 2.0 / (1.0 + t)
        near[i] = t * far[i]
        weight[i] *= angular_weight(sqrt_s[i], y[i], near[i], far[i]) if y[i] > 0.0 else 1.0


@stage
def shift_stage(sqrt_s: Floats, mass: Floats, pz: Floats, energy: Floats, u: Floats, weight: Floats) -> None:
    """Make a rapidity about the beams in the centre of mass one in the hard system's rest frame, both as u in (0, 1).

    u = (1 + y / atanh(b)) / 2 with the b of either frame: cuts stand where they are, whatever the boost. The weight
    takes the Jacobian, 0 outside.
    """
    for i in range(np.uint64(u.size)):
        top = largest_rapidity(sqrt_s[i])
        inner = largest_rapidity(mass[i])
        shift = 0.5 * log((energy[i] + pz[i]) / (energy[i] - pz[i]))
        v = 0.5 + 0.5 * ((2.0 * u[i] - 1.0) * top - shift) / inner
        weight[i] *= top / inner if (v > 0.0) & (v < 1.0) else 0.0
        u[i] = min(max(v, 1.1102230246251565e-16), 0.9999999999999999)


class _System(NamedTuple):
    """The hard system: four-momentum (4, n), mass, whether there is one, the electron's direction in it, its blur."""

    total: Floats
    mass: Floats
    exists: Floats
    axis: Floats
    blur: Floats


class LeadingOrder:
    """A hard process whose beams do not radiate."""

    def __init__(self, hard: HardModel) -> None:
        self._hard = hard
        self.particles = tuple(hard.particles)
        self.n_uniforms = hard.n_uniforms

    def points(self, u: Floats, sqrt_s: Floats) -> Points:
        """Return the points of the hard process with its cuts."""
        points = self._hard.points(u, sqrt_s, np.zeros_like(sqrt_s))
        none = np.empty((0, 4, len(sqrt_s)))
        return points._replace(weight=points.weight * self._hard.passes(points.momenta, none))


class InitialStateRadiation:
    """A hard process after radiation from both beams.

    Parameters
    ----------
    hard : HardModel
    soft_cutoff : float
        Photons below this energy [GeV] are not written, and nothing recoils against them.
    """

    def __init__(self, hard: HardModel, soft_cutoff: float) -> None:
        self._hard = hard
        self._soft_cutoff = soft_cutoff
        self.particles = (*hard.particles, _PHOTON, _PHOTON)
        self.n_uniforms = hard.n_uniforms + 6

    def points(self, u: Floats, sqrt_s: Floats) -> Points:
        """Return the points of the hard process, boosted, and the photon of each beam behind its particles."""
        n_hard = self._hard.n_uniforms
        weight = np.ones_like(sqrt_s)
        radiated = np.stack(
            [self._photon(u[n_hard : n_hard + 3], sqrt_s, 1, weight), self._photon(u[n_hard + 3 :], sqrt_s, -1, weight)]
        )
        system = _hard_system(sqrt_s, radiated)
        for row in self._hard.rapidities:
            shift_stage(sqrt_s, system.mass, system.total[2], system.total[3], u[row], weight)
        inner = self._hard.points(u[:n_hard], system.mass, system.blur)
        for momentum in inner.momenta:
            _to_centre_of_mass(system, momentum)
        weight *= inner.weight * system.exists * self._hard.passes(inner.momenta, radiated)
        momenta = np.concatenate([inner.momenta, radiated])
        if inner.places is None:
            return Points(weight, momenta)
        places = np.zeros_like(momenta)
        places[: len(inner.places)] = inner.places
        for place in places[: len(inner.places)]:
            place[3] *= C
            _to_centre_of_mass(system, place)
            place[3] /= C
        return Points(weight, momenta, places)

    def _photon(self, u: Floats, sqrt_s: Floats, side: int, weight: Floats) -> Floats:
        """Return the momentum (4, n) of the photon along the electron (side 1) or the positron (-1)."""
        y, near, far = (np.empty_like(sqrt_s) for _ in range(3))
        fraction_stage(u[0], sqrt_s, y, weight)
        y = np.where(0.5 * sqrt_s * y >= self._soft_cutoff, y, 0.0)
        angle_stage(u[1], sqrt_s, y, near, far, weight)
        momentum = np.empty((4, len(sqrt_s)))
        momentum[3] = 0.5 * sqrt_s * y
        minus, plus = (near, far) if side > 0 else (far, near)
        photon_stage(sqrt_s, minus, plus, u[2], momentum[3], *momentum[:3])
        return momentum


def _hard_system(sqrt_s: Floats, radiated: Floats) -> _System:
    """Return the system that is left; where its mass is below the least, one at rest of that mass stands in."""
    total = -(radiated[0] + radiated[1])
    total[3] += sqrt_s
    square = invariant_mass2(total)
    exists = (square > LEAST_MASS**2) & (total[3] > LEAST_MASS)
    total = np.where(exists, total, np.array([0.0, 0.0, 0.0, LEAST_MASS])[:, None])
    mass = np.sqrt(invariant_mass2(total))
    # what is left of the electron, in the system's rest frame; what is left of the positron is opposite to it
    half = 0.5 * sqrt_s
    electron = -radiated[0]
    electron[2] += np.sqrt(half * half - M_E**2)
    electron[3] += half
    energy = (total[3] * electron[3] - (total[:3] * electron[:3]).sum(axis=0)) / mass
    axis = electron[:3] - total[:3] * ((electron[3] + energy) / (total[3] + mass))
    length = np.sqrt(axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2])
    axis = np.where(length > 0.0, axis, np.array([0.0, 0.0, 1.0])[:, None]) / np.where(length > 0.0, length, 1.0)
    transverse = total[0] * total[0] + total[1] * total[1]
    return _System(total, mass, exists.astype(np.float64), axis, transverse / (mass * mass + transverse))


def _to_centre_of_mass(system: _System, vector: Floats) -> None:
    """Bring a four-vector (4, n) from the system's rest frame, the electron along z, to the centre of mass."""
    rotate_stage(*system.axis, *vector[:3])
    boost_stage(*system.total, *vector)


def model_of(order: str, hard: HardModel, soft_cutoff: float) -> Model:
    """Return the model of a hard process at an order: "lo" without radiation, "ll" with that from the beams."""
    return LeadingOrder(hard) if order == "lo" else InitialStateRadiation(hard, soft_cutoff)


def least_fraction(energy: float, sqrt_s: float) -> float:
    """Return the least x = 2 E / sqrt(s') in the hard system of a photon of that energy [GeV] in the centre of mass.

    The boost raises energies by sqrt(s / s') at most, so that x is not above 2 E / sqrt(s); the spread of sqrt(s) is
    below 10 %.
    """
    return 0.9 * 2.0 * energy / sqrt_s if math.isfinite(energy) else 0.0
