"""Decays in flight: path of charged particles in the field, two and three bodies, boosts.

Rates, masses and branching fractions: Particle Data Group, PTEP 2022, 083C01. Three bodies are spread evenly over phase
space, without the form factors of semileptonic decays.
"""

import math
from typing import NamedTuple

import numpy as np

from ..arrays import Floats, Keys
from ..constants import ALPHA_T, M_E, M_K, M_MU, M_P, M_PI
from ..elementary import log, sincos, sincos2pi
from ..kernel import kernel, stage
from ..rng import DECAY_STREAM, uniform, uniform53, words

#: Trials for the mass of two of three bodies: all fail once in 1e5.
TRIALS = 16

MASSES = {11: M_E, 12: 0.0, 13: M_MU, 14: 0.0, 22: 0.0, 111: 0.1349768, 211: M_PI, 310: 0.497611, 321: M_K}
MASSES |= {2112: 0.93956542, 2212: M_P, 3122: 1.115683}
#: Electric charges of the particles (not the antiparticles) [e].
CHARGES = {kind: {11: -1.0, 13: -1.0, 211: 1.0, 321: 1.0, 2212: 1.0}.get(kind, 0.0) for kind in MASSES}


class Channel(NamedTuple):
    """Branching fraction of a channel and the PDG numbers of its daughters, one charged one first."""

    fraction: float
    daughters: tuple[int, ...]


class Unstable(NamedTuple):
    """Lifetime c tau [cm] and channels of a particle; its antiparticle has the charge conjugate ones."""

    ctau: float
    channels: tuple[Channel, ...]


UNSTABLE = {
    211: Unstable(780.45, (Channel(0.9998770, (-13, 14)), Channel(0.000123, (-11, 12)))),
    321: Unstable(
        371.2,
        (
            Channel(0.6356, (-13, 14)),
            Channel(0.2067, (211, 111)),
            Channel(0.05583, (211, 211, -211)),
            Channel(0.0507, (-11, 12, 111)),
            Channel(0.03352, (-13, 14, 111)),
            Channel(0.01760, (211, 111, 111)),
        ),
    ),
    310: Unstable(2.6844, (Channel(0.6920, (211, -211)), Channel(0.3069, (111, 111)))),
    3122: Unstable(7.89, (Channel(0.641, (2212, -211)), Channel(0.359, (2112, 111)))),
}


@stage
def flight_stage(
    k0: np.uint64, k1: np.uint64, event: Keys, particle: Keys, per_momentum: float, p: Floats, length: Floats
) -> None:
    """Fill the path [cm] before the decay, exponential with mean p c tau / m; `per_momentum` is c tau / m."""
    for i in range(np.uint64(length.size)):
        a, b, _, _ = words(k0, k1, event[i], particle[i], DECAY_STREAM, np.uint64(0))
        length[i] = -log(uniform53(a, b)) * per_momentum * p[i]


@stage
def choice_stage(k0: np.uint64, k1: np.uint64, event: Keys, particle: Keys, u: Floats) -> None:
    """Draw the uniforms that choose the channel."""
    for i in range(np.uint64(u.size)):
        _, _, c, _ = words(k0, k1, event[i], particle[i], DECAY_STREAM, np.uint64(0))
        u[i] = uniform(c)


@kernel
def advanced(
    x: float, y: float, z: float, px: float, py: float, pz: float, charge: float, bz: float, arc: float
) -> tuple[float, float, float, float, float]:
    """Return point [cm] and (px, py) after a path whose projection on the transverse plane is `arc` [cm].

    The momentum turns by -charge bz arc / (ALPHA_T pt) [rad]; neutral particles go straight.
    """
    pt = math.sqrt(max(px * px + py * py, 1e-300))
    turn = -charge * bz * arc / (ALPHA_T * pt)
    sine, cosine = sincos(turn)
    half, _ = sincos(0.5 * turn)
    safe = turn if abs(turn) > 1e-150 else 1.0
    along = sine / safe if abs(turn) > 1e-150 else 1.0
    across = 2.0 * half * half / safe
    step = arc / pt
    xs = x + step * (along * px - across * py)
    ys = y + step * (along * py + across * px)
    return xs, ys, z + step * pz, cosine * px - sine * py, cosine * py + sine * px


@stage
def advance_stage(bz: float, length: Floats, charge: Floats, state: Floats) -> None:
    """Move particles along their paths [cm]: rows x, y, z, px, py, pz of `state`, shape (6, n).

    After more than half a turn a particle is set aside, not a number.
    """
    for i in range(np.uint64(length.size)):
        px, py, pz = state[3, i], state[4, i], state[5, i]
        pt2 = px * px + py * py
        arc = length[i] * math.sqrt(pt2 / (pt2 + pz * pz))
        half_turn = charge[i] * charge[i] * bz * bz * arc * arc < 9.8 * ALPHA_T * ALPHA_T * pt2
        arc = arc if half_turn else math.nan
        x, y, z, px, py = advanced(state[0, i], state[1, i], state[2, i], px, py, pz, charge[i], bz, arc)
        state[0, i], state[1, i], state[2, i], state[3, i], state[4, i] = x, y, z, px, py


@kernel
def breakup_momentum(mass: float, m1: float, m2: float) -> float:
    """Return the momentum [GeV] of two daughters in the rest frame (PDG 2022, eq. 49.16); 0 below threshold."""
    total, difference = m1 + m2, m1 - m2
    product = (mass - total) * (mass + total) * (mass - difference) * (mass + difference)
    return 0.5 * math.sqrt(max(product, 0.0)) / mass


@kernel
def boosted(
    qx: float, qy: float, qz: float, energy: float, px: float, py: float, pz: float, mass: float
) -> tuple[float, float, float]:
    """Return a momentum of the rest frame of a particle of momentum p and mass, in the frame of p [GeV]."""
    total = math.sqrt(px * px + py * py + pz * pz + mass * mass)
    factor = ((px * qx + py * qy + pz * qz) / (total + mass) + energy) / mass
    return qx + factor * px, qy + factor * py, qz + factor * pz


@kernel
def two_bodies(
    px: float, py: float, pz: float, mass: float, m1: float, m2: float, u: float, v: float
) -> tuple[float, float, float, float, float, float]:
    """Return both momenta [GeV] of an isotropic decay, from two uniforms."""
    q = breakup_momentum(mass, m1, m2)
    cosine = 2.0 * u - 1.0
    transverse = q * math.sqrt(max(1.0 - cosine * cosine, 0.0))
    s, c = sincos2pi(v)
    qx, qy, qz = transverse * c, transverse * s, q * cosine
    ax, ay, az = boosted(qx, qy, qz, math.sqrt(q * q + m1 * m1), px, py, pz, mass)
    bx, by, bz = boosted(-qx, -qy, -qz, math.sqrt(q * q + m2 * m2), px, py, pz, mass)
    return ax, ay, az, bx, by, bz


@stage
def two_body_stage(
    k0: np.uint64,
    k1: np.uint64,
    event: Keys,
    particle: Keys,
    block: int,
    mass: Floats,
    mass_of_first: Floats,
    mass_of_second: float,
    parent: Floats,
    first: Floats,
    second: Floats,
) -> None:
    """Fill the momenta, shape (3, n) [GeV], of both daughters of parents of given masses and momenta."""
    for i in range(np.uint64(mass.size)):
        a, b, _, _ = words(k0, k1, event[i], particle[i], DECAY_STREAM, np.uint64(block))
        ax, ay, az, bx, by, bz = two_bodies(
            parent[0, i], parent[1, i], parent[2, i], mass[i], mass_of_first[i], mass_of_second, uniform(a), uniform(b)
        )
        first[0, i], first[1, i], first[2, i] = ax, ay, az
        second[0, i], second[1, i], second[2, i] = bx, by, bz


@stage
def pair_mass_stage(
    k0: np.uint64,
    k1: np.uint64,
    event: Keys,
    particle: Keys,
    block: int,
    mass: float,
    masses: tuple[float, float, float],
    pair: Floats,
) -> None:
    """Fill the mass [GeV] of the first two of three bodies, flat in phase space: dN/dm12 = p*(m; m12, m3) p*(m12).

    By rejection; both momenta are monotonous in m12.
    """
    m1, m2, m3 = masses
    low, high = m1 + m2, mass - m3
    largest = breakup_momentum(mass, low, m3) * breakup_momentum(high, m1, m2)
    for i in range(np.uint64(pair.size)):
        value, is_open = low, True
        for trial in range(TRIALS // 2):
            a, b, c, d = words(k0, k1, event[i], particle[i], DECAY_STREAM, np.uint64(block) + np.uint64(trial))
            for u, v in ((uniform(a), uniform(b)), (uniform(c), uniform(d))):
                m12 = low + u * (high - low)
                weight = breakup_momentum(mass, m12, m3) * breakup_momentum(m12, m1, m2)
                value = m12 if is_open else value
                is_open = is_open & (v * largest > weight)
        pair[i] = value
