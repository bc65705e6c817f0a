"""Directions, frames and cuts that models share. Momenta are columns px, py, pz and energy [GeV].

The polar angle to the electron beam is carried as `minus` = 1 - b cos(theta) and `plus` = 1 + b cos(theta), b the
velocity of the beams: the denominators of the propagators, which E w - p.k would lose to cancellation.
"""

import math

import numpy as np

from ...arrays import Bools, Floats
from ...constants import M_E
from ...elementary import exp, log, sincos, sincos2pi
from ...kernel import kernel, stage
from ..radiative.phase_space import one_minus_velocity, photon_direction


@kernel
def largest_rapidity(sqrt_s: float) -> float:
    """Return atanh(b), b the velocity of the beams."""
    below = one_minus_velocity(sqrt_s)
    return 0.5 * log((2.0 - below) / below)


@stage
def rapidity_stage(u: Floats, sqrt_s: Floats, minus: Floats, plus: Floats, jacobian: Floats) -> None:
    """Map u to b cos(theta) = tanh(y), y uniform in +-atanh(b), and to d cos(theta) / 2 over du.

    Flattens 1 / (1 - b^2 cos^2), the pole of every photon that couples to a beam.
    """
    for i in range(np.uint64(u.size)):
        top = largest_rapidity(sqrt_s[i])
        t = exp(-abs(4.0 * u[i] - 2.0) * top)
        far = 2.0 / (1.0 + t)
        near = t * far
        minus[i] = near if u[i] > 0.5 else far
        plus[i] = far if u[i] > 0.5 else near
        jacobian[i] = near * far * top / (1.0 - one_minus_velocity(sqrt_s[i]))


@stage
def photon_stage(
    sqrt_s: Floats, minus: Floats, plus: Floats, u_phi: Floats, energy: Floats, px: Floats, py: Floats, pz: Floats
) -> None:
    """Compute the momentum of a massless particle (or one of momentum `energy`) from its polar angle and azimuth."""
    for i in range(np.uint64(sqrt_s.size)):
        below = one_minus_velocity(sqrt_s[i])
        cosine, sine = photon_direction(1.0 - below, below, minus[i], plus[i])
        sin_phi, cos_phi = sincos2pi(u_phi[i])
        px[i] = energy[i] * sine * cos_phi
        py[i] = energy[i] * sine * sin_phi
        pz[i] = energy[i] * cosine


@stage
def isotropic_stage(u: Floats, u_phi: Floats, px: Floats, py: Floats, pz: Floats) -> None:
    """Draw directions that are flat in the solid angle."""
    for i in range(np.uint64(u.size)):
        sin_phi, cos_phi = sincos2pi(u_phi[i])
        cosine = 2.0 * u[i] - 1.0
        sine = 2.0 * math.sqrt(u[i] * (1.0 - u[i]))
        px[i] = sine * cos_phi
        py[i] = sine * sin_phi
        pz[i] = cosine


@stage
def rotate_stage(nx: Floats, ny: Floats, nz: Floats, px: Floats, py: Floats, pz: Floats) -> None:
    """Turn vectors from a frame whose z axis is the unit vector n, in place (Duff et al., JCGT 6 (2017) 1)."""
    for i in range(np.uint64(nx.size)):
        sign = -1.0 if nz[i] < 0.0 else 1.0
        a = -1.0 / (sign + nz[i])
        b = nx[i] * ny[i] * a
        x, y, z = px[i], py[i], pz[i]
        px[i] = (1.0 + sign * nx[i] * nx[i] * a) * x + b * y + nx[i] * z
        py[i] = sign * b * x + (sign + ny[i] * ny[i] * a) * y + ny[i] * z
        pz[i] = -sign * nx[i] * x - ny[i] * y + nz[i] * z


@stage
def boost_stage(
    qx: Floats, qy: Floats, qz: Floats, qe: Floats, px: Floats, py: Floats, pz: Floats, energy: Floats
) -> None:
    """Boost four-vectors from the rest frame of Q to where Q moves, in place.

    e' = (E e + Q.p) / M and p' = p + Q (e + e') / (E + M), M the invariant mass of Q = (E, Q).
    """
    for i in range(np.uint64(qx.size)):
        mass = math.sqrt(qe[i] * qe[i] - (qx[i] * qx[i] + qy[i] * qy[i] + qz[i] * qz[i]))
        e = energy[i]
        moved = (qe[i] * e + (qx[i] * px[i] + qy[i] * py[i] + qz[i] * pz[i])) / mass
        factor = (e + moved) / (qe[i] + mass)
        px[i] += factor * qx[i]
        py[i] += factor * qy[i]
        pz[i] += factor * qz[i]
        energy[i] = moved


@stage
def _sincos_stage(angle: Floats, sine: Floats, cosine: Floats) -> None:
    """Compute sine and cosine of angles [rad]."""
    for i in range(np.uint64(angle.size)):
        sine[i], cosine[i] = sincos(angle[i])


def cosine_of(theta: float) -> float:
    """Return the cosine of an angle [rad], with the same bits on every machine."""
    angle = np.array([theta])
    sine, cosine = np.empty(1), np.empty(1)
    _sincos_stage(angle, sine, cosine)
    return float(cosine[0])


def invariant_mass2(total: Floats) -> Floats:
    """Return the squares of the invariant masses [GeV^2] of momenta (4, n)."""
    px, py, pz, energy = total
    square: Floats = energy * energy - (px * px + py * py + pz * pz)
    return square


def within(momenta: Floats, cosine: float, energy: float) -> Bools:
    """Return which photons (..., 4, n) are at most `cosine` close to a beam and have at least that energy [GeV]."""
    pz, photon = momenta[..., 2, :], momenta[..., 3, :]
    inside: Bools = (abs(pz) <= cosine * photon) & (photon >= energy) & (photon > 0.0)
    return inside


def mass_ratio2(sqrt_s: Floats) -> Floats:
    """Return 4 m_e^2 / s."""
    ratio: Floats = 4.0 * M_E**2 / (sqrt_s * sqrt_s)
    return ratio
