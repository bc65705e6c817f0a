"""Photons that convert in front of the chamber: an electron and a positron take their place."""

import numpy as np

from ..arrays import Bools, Floats, Ints
from ..constants import M_E
from ..detector.conversion import conversion_stage, exit_stage, reach_stage, share_stage
from ..detector.material import Radiator, radiators
from ..geometry.card import Card
from ..kernel import blocks
from .gather import taken
from .particles import PHOTON, Particles, daughter_key, joined


def convert_photons(particles: Particles, card: Card, k0: np.uint64, k1: np.uint64) -> Particles:
    """Return the particles with the pairs that photons made in the shells; such a photon stops there.

    The pair starts at the outer face of the shells, collinear with the photon: the nucleus takes the rest of the
    momentum, and the angles m_e / E are left out. What electrons radiate is not converted.
    """
    shells = radiators(card)[:-1]
    if not card.matter.conversion or not shells:
        return particles
    photons = np.flatnonzero(particles.pdg == PHOTON)
    photons = photons[_in_reach(particles, photons, shells)]
    rays, left = particles.take(photons), np.arange(len(photons))
    made, stop = [particles], particles.stop
    for number, radiator in enumerate(shells):
        margin = np.empty(len(photons))
        shell = radiator.outer, radiator.thickness, radiator.half_length
        for s in blocks(len(photons)):
            start, momentum = _start(rays, s), _momentum(rays, s)
            conversion_stage(k0, k1, rays.event[s], rays.particle[s], number, shell, start, momentum, margin[s])
        chosen = left[margin[left] > 0.0]
        left = left[margin[left] <= 0.0]
        if len(chosen):
            stop = stop.copy()
            stop[photons[chosen]] = radiator.outer
            made.append(_pairs(rays.take(chosen), number, radiator.outer, k0, k1))
    made[0] = particles._replace(stop=stop)
    return joined(made)


def _in_reach(particles: Particles, rows: Ints, shells: tuple[Radiator, ...]) -> Bools:
    """Return which photons may cross a shell: the others leave through its ends, or start outside."""
    crossed = np.zeros(len(rows), dtype=bool)
    start = taken(particles.x, rows), taken(particles.y, rows), taken(particles.z, rows)
    momentum = taken(particles.px, rows), taken(particles.py, rows), taken(particles.pz, rows)
    for shell in shells:
        reach_stage(start, momentum, shell.outer, shell.half_length, crossed)
    return crossed


def _start(particles: Particles, s: slice) -> tuple[Floats, Floats, Floats]:
    return particles.x[s], particles.y[s], particles.z[s]


def _momentum(particles: Particles, s: slice) -> tuple[Floats, Floats, Floats]:
    return particles.px[s], particles.py[s], particles.pz[s]


def _pairs(photons: Particles, number: int, radius: float, k0: np.uint64, k1: np.uint64) -> Particles:
    """Return electron and positron of every photon, in this order."""
    n, everything = len(photons.row), slice(None)
    at, positron = np.empty((3, n)), np.empty(n)
    exit_stage(radius, _start(photons, everything), _momentum(photons, everything), at)
    share_stage(k0, k1, photons.event, photons.particle, number, photons.energy, positron)
    both = photons.take(np.repeat(np.arange(n), 2))
    energy = both.energy.copy()
    energy[1::2] = positron
    energy[::2] -= positron
    scale = np.sqrt(np.maximum(energy * energy - M_E * M_E, 1e-20)) / both.energy
    x, y, z = np.repeat(at, 2, axis=1)
    return both._replace(
        particle=daughter_key(both.particle, np.tile(np.array([1, 2], dtype=np.uint64), n)),
        pdg=np.tile(np.array([11, -11], dtype=np.int32), n),
        charge=np.tile([-1.0, 1.0], n),
        px=scale * both.px,
        py=scale * both.py,
        pz=scale * both.pz,
        energy=energy,
        x=x,
        y=y,
        z=z,
    )
