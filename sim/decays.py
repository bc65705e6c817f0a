"""Decays in flight in front of the calorimeter: charged pions and kaons, K_S and Lambda.

Muons, neutrons, K_L and the daughters of kaons live on. Neutrinos are left out; neutral pions decay at once. A particle
that decays has its `stop` there; what it lost in matter before is neglected.
"""

from typing import NamedTuple

import numpy as np

from ..arrays import Floats, Ints
from ..constants import C
from ..detector.decay import (
    CHARGES,
    MASSES,
    UNSTABLE,
    advance_stage,
    choice_stage,
    flight_stage,
    pair_mass_stage,
    two_body_stage,
)
from ..geometry.card import Card
from ..kernel import blocks
from .particles import PHOTON, Particles, daughter_key, joined

_POINT, _MOMENTUM = ("x", "y", "z"), ("px", "py", "pz")
_STATE = (*_POINT, *_MOMENTUM, "time")
_PI0 = 111
_UNSEEN = (12, 14)
#: Blocks of the stream: angles of the decay, of the pair inside it, of up to two neutral pions; masses of pairs.
_ANGLES, _PAIR_ANGLES, _PI0_ANGLES, _PAIR_MASSES = 1, 2, 3, 8


class Kinks(NamedTuple):
    """Rows of charged particles that decayed to one charged daughter, and of these daughters.

    `momenta` are those of the parents where they decay, shape (3, n) [GeV].
    """

    parents: Ints
    daughters: Ints
    momenta: Floats


def decay_in_flight(particles: Particles, card: Card, k0: np.uint64, k1: np.uint64) -> tuple[Particles, Kinks]:
    """Return the particles with `stop` where they decay, followed by what they decay to; and the kinks among them."""
    parents, daughters = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    momenta = [np.zeros((3, 0))]
    for kinds in ((310, 3122), (211, 321)) if card.matter.decays else ():
        made, stop, size, n = [particles], particles.stop, np.abs(particles.pdg), len(particles.row)
        for kind in kinds:
            alive = np.flatnonzero(size == kind)
            if len(alive) == 0:
                continue
            rows, points = _decaying(particles, alive, kind, card, k0, k1)
            if len(rows) == 0:
                continue
            stop = stop.copy()
            stop[rows] = np.sqrt(points[0] * points[0] + points[1] * points[1])
            for chosen, channel in _channels(particles, rows, kind, k0, k1):
                at = particles.take(rows[chosen])._replace(**dict(zip(_STATE, points[:, chosen])))
                parts = _daughters(at, kind, channel, k0, k1)
                if CHARGES[kind] != 0.0 and sum(part.charge[0] != 0.0 for part in parts) == 1:
                    parents.append(rows[chosen])
                    daughters.append(n + np.arange(len(chosen)))
                    momenta.append(points[3:6, chosen])
                n += sum(len(part.row) for part in parts)
                made += parts
        made[0] = particles._replace(stop=stop)
        particles = joined(made)
    return particles, Kinks(np.concatenate(parents), np.concatenate(daughters), np.concatenate(momenta, axis=1))


def _decaying(
    particles: Particles, rows: Ints, kind: int, card: Card, k0: np.uint64, k1: np.uint64
) -> tuple[Ints, Floats]:
    """Return those that decay in front of the calorimeter, and where: rows x, y, z, px, py, pz, time, shape (7, n)."""
    front, end = card.emc.barrel.front_radius, card.emc.endcap.front_z
    p, length = particles.px[rows] * particles.px[rows], np.empty(len(rows))
    p += particles.py[rows] * particles.py[rows]
    p += particles.pz[rows] * particles.pz[rows]
    np.sqrt(p, out=p)
    event, particle, per_momentum = particles.event[rows], particles.particle[rows], UNSTABLE[kind].ctau / MASSES[kind]
    for s in blocks(len(rows)):
        flight_stage(k0, k1, event[s], particle[s], per_momentum, p[s], length[s])
    near = np.flatnonzero(length < 2.0 * (front + end))
    rows = rows[near]
    state = np.array([getattr(particles, name)[rows] for name in _POINT + _MOMENTUM])
    advance_stage(card.field.bz, length[near], particles.charge[rows], state)
    inside = (state[0] * state[0] + state[1] * state[1] < front * front) & (np.abs(state[2]) < end)
    time = particles.time[rows] + length[near] * particles.energy[rows] / (p[near] * C)
    return rows[inside], np.concatenate([state, time[None]])[:, inside]


def _channels(
    particles: Particles, rows: Ints, kind: int, k0: np.uint64, k1: np.uint64
) -> list[tuple[Ints, tuple[int, ...]]]:
    """Return (which of the rows, daughters) of every channel that occurs; the last channel takes what is left of 1."""
    u = np.empty(len(rows))
    choice_stage(k0, k1, particles.event[rows], particles.particle[rows], u)
    channels = UNSTABLE[kind].channels
    edges = np.add.accumulate([channel.fraction for channel in channels[:-1]])
    number = np.searchsorted(edges, u)
    chosen = [(np.flatnonzero(number == i), channel.daughters) for i, channel in enumerate(channels)]
    return [one for one in chosen if len(one[0])]


def _daughters(at: Particles, kind: int, channel: tuple[int, ...], k0: np.uint64, k1: np.uint64) -> list[Particles]:
    """Return the daughters that can be seen, one after the other: charged ones first, then neutrons and photons."""
    n = len(at.row)
    found: tuple[Floats, ...]
    mass, momenta = np.full(n, MASSES[kind]), np.array([getattr(at, name) for name in _MOMENTUM])
    if len(channel) == 2:
        found = _two_bodies(at, _ANGLES, mass, np.full(n, MASSES[abs(channel[0])]), channel[1], momenta, k0, k1)
    else:
        m1, m2, m3 = (MASSES[abs(one)] for one in channel)
        pair_mass = np.empty(n)
        pair_mass_stage(k0, k1, at.event, at.particle, _PAIR_MASSES, MASSES[kind], (m1, m2, m3), pair_mass)
        pair, third = _two_bodies(at, _ANGLES, mass, pair_mass, channel[2], momenta, k0, k1)
        first, second = _two_bodies(at, _PAIR_ANGLES, pair_mass, np.full(n, m1), channel[1], pair, k0, k1)
        found = first, second, third
    parts, n_pi0 = [], 0
    for number, (pdg, momentum) in enumerate(zip(channel, found), start=1):
        if pdg == _PI0:
            photons = _two_bodies(
                at, _PI0_ANGLES + n_pi0, np.full(n, MASSES[_PI0]), np.zeros(n), PHOTON, momentum, k0, k1
            )
            parts += [_part(at, 4 + 2 * n_pi0 + i, PHOTON, photon) for i, photon in enumerate(photons)]
            n_pi0 += 1
        elif abs(pdg) not in _UNSEEN:
            parts.append(_part(at, number, pdg, momentum))
    return parts


def _two_bodies(
    at: Particles,
    block: int,
    mass: Floats,
    mass_of_first: Floats,
    second: int,
    momenta: Floats,
    k0: np.uint64,
    k1: np.uint64,
) -> tuple[Floats, Floats]:
    """Return the momenta of both daughters, shape (3, n)."""
    one, other = np.empty_like(momenta), np.empty_like(momenta)
    two_body_stage(k0, k1, at.event, at.particle, block, mass, mass_of_first, MASSES[abs(second)], momenta, one, other)
    return one, other


def _part(at: Particles, number: int, pdg: int, momentum: Floats) -> Particles:
    """Return daughter `number`, charge conjugate where the parent is an antiparticle."""
    kind, sign = abs(pdg), np.sign(at.pdg)
    charge = CHARGES[kind] * (1.0 if pdg > 0 else -1.0)
    own = kind in (PHOTON, _PI0) or abs(int(at.pdg[0])) == 310
    conjugation = np.ones(len(sign)) if own else sign
    px, py, pz = momentum
    return at._replace(
        particle=daughter_key(at.particle, number),
        pdg=(pdg * conjugation).astype(np.int32),
        charge=charge * conjugation,
        px=px,
        py=py,
        pz=pz,
        energy=np.sqrt(px * px + py * py + pz * pz + MASSES[kind] * MASSES[kind]),
        stop=np.full(len(px), np.inf),
    )
