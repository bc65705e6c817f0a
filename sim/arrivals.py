"""Where particles meet the calorimeter: one row for each that can make a shower there, and for background."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Bools, Floats, Ints, Keys
from ..constants import ELECTRON, MUON, PION
from ..detector import emc
from ..detector.deposit import ANTINEUTRON, KAON_LONG, NEUTRON
from ..detector.emc_background import (
    angle_stage,
    background_parameters,
    background_stage,
    multiplicity_stage,
    poisson_limits,
)
from ..geometry.card import Card
from .gather import taken
from .particles import MASSES, PHOTON, Particles
from .shower_stages import cosine_stage, merge_stage, odd_stage
from .tracks import Tracks

#: Key of the background's clusters, beyond those of all particles.
NOISE_KEY = np.uint64(0xFFFFFF00)
#: Neutral hadrons that interact in the crystals, by PDG number.
NEUTRAL = {130: KAON_LONG, 310: KAON_LONG, 2112: NEUTRON, -2112: ANTINEUTRON}


class Radiated(NamedTuple):
    """Photons that electrons radiated: their rows among the particles, and the place of each electron.

    `arriving` is the energy [GeV] that is left to each electron at the calorimeter.
    """

    photons: Ints
    electrons: Ints
    arriving: Floats


class Arrivals(NamedTuple):
    """Columns, one slice after the other: photons, electrons, muons, charged and neutral hadrons, background.

    `source` is the row among the particles, beyond them for background; `row` that of the event. `energy` [GeV] is that
    of photons, electrons and background; momenta and masses are 1 and 0 where nothing depends on them.
    """

    source: Ints
    row: Ints
    event: Keys
    particle: Keys
    theta: Floats
    phi: Floats
    cosine: Floats
    energy: Floats
    p: Floats
    mass: Floats
    path_factor: Floats
    kind: Ints


class Slices(NamedTuple):
    """Which of the columns are what; neutral hadrons come after the charged ones."""

    photons: slice
    electrons: slice
    muons: slice
    hadrons: slice
    neutral: slice
    noise: slice


class Background(NamedTuple):
    """Clusters of background: row and number of their event, number in the event from 1, and what is seen of them."""

    row: Ints
    event: Keys
    number: Keys
    energy: Floats
    cosine: Floats
    phi: Floats
    time: Floats


def background(number: Ints, triggered: Bools, card: Card, k0: np.uint64, k1: np.uint64) -> Background:
    """Return the clusters of background of triggered events; `number` is the events' numbers."""
    rows = np.flatnonzero(triggered) if card.emc.background.mean > 0.0 else np.zeros(0, dtype=np.int64)
    events, counts = number[rows].astype(np.uint64), np.zeros(len(rows), dtype=np.int64)
    limits = poisson_limits(card.emc.background.mean)
    multiplicity_stage(k0, k1, events, limits, counts)
    some = np.flatnonzero(counts)
    rows, events, counts = rows[some], events[some], counts[some]
    which = np.repeat(np.arange(len(some)), counts)
    first = np.cumsum(counts) - counts
    within = (np.arange(len(which)) - first[which] + 1).astype(np.uint64)
    result = Background(rows[which], events[which], within, *(np.empty(len(which)) for _ in range(4)))
    background_stage(k0, k1, result.event, within, background_parameters(card), emc.parameters(card), *result[3:])
    return result


def arrivals(
    particles: Particles,
    charged: Ints,
    species: NDArray[np.int64],
    tracks: Tracks,
    radiated: Radiated,
    noise: Background,
    card: Card,
) -> tuple[Arrivals, Slices]:
    """Return all that arrives at the calorimeter; photons that merge with their electron have energy 0.

    Arguments are those of `shower_columns`.
    """
    photons = np.flatnonzero(particles.pdg == PHOTON)
    neutral = np.flatnonzero((particles.charge == 0.0) & (particles.pdg != PHOTON))
    neutral = neutral[np.isin(particles.pdg[neutral], list(NEUTRAL))] if neutral.size else neutral
    source = np.concatenate([photons, charged, neutral, len(particles.row) + np.arange(len(noise.row))])
    n = len(source)
    real = source[: n - len(noise.row)]
    bounds = [*(len(photons) + np.searchsorted(species, (ELECTRON, MUON, MUON + 1, PION + 3))), len(real), n]
    at = Slices(slice(0, len(photons)), *(slice(int(a), int(b)) for a, b in pairwise(bounds)))
    at = at._replace(hadrons=slice(at.hadrons.start, at.neutral.stop))
    seen = Arrivals(
        source=source,
        row=np.concatenate([taken(particles.row, real), noise.row]),
        event=np.concatenate([taken(particles.event, real), noise.event]),
        particle=np.concatenate([taken(particles.particle, real), NOISE_KEY + noise.number]),
        theta=np.empty(n),
        phi=np.empty(n),
        cosine=np.empty(n),
        energy=np.empty(n),
        p=np.ones(n),
        mass=np.zeros(n),
        path_factor=np.ones(n),
        kind=np.zeros(n, dtype=np.int64),
    )
    _straight(seen, at.photons, particles, photons, card)
    _straight(seen, at.neutral, particles, neutral, card)
    _tracks(seen, at, particles, charged, species, tracks)
    _neutral(seen, at.neutral, particles, neutral)
    seen.energy[at.photons] = particles.energy[photons]
    seen.energy[at.electrons] = radiated.arriving
    _merge(seen, at, np.searchsorted(photons, radiated.photons), radiated.electrons, card)
    _stop(seen, particles, real, card)
    cosine_stage(seen.theta[: len(real)], seen.cosine[: len(real)])
    seen.energy[at.noise], seen.phi[at.noise], seen.cosine[at.noise] = noise.energy, noise.phi, noise.cosine
    angle_stage(noise.cosine, seen.theta[at.noise])
    return seen, at


def _straight(seen: Arrivals, at: slice, particles: Particles, rows: Ints, card: Card) -> None:
    """Fill where straight lines from the production points meet the calorimeter."""
    if rows.size == 0:
        return
    names = ("x", "y", "z", "px", "py", "pz")
    x, y, z, px, py, pz = (taken(getattr(particles, name), rows) for name in names)
    emc.photon_impact_stage(x, y, z, px, py, pz, emc.parameters(card), seen.theta[at], seen.phi[at])


def _tracks(
    seen: Arrivals, at: Slices, particles: Particles, charged: Ints, species: NDArray[np.int64], tracks: Tracks
) -> None:
    """Fill where tracks meet the calorimeter, and their kinds."""
    first, muons, hadrons, last = at.electrons.start, at.muons.start, at.hadrons.start, at.neutral.start
    seen.theta[first:last], seen.phi[first:last] = tracks.impact_theta, tracks.impact_phi
    inner = slice(muons - first, None)
    path = tracks.path_factor[inner]
    seen.path_factor[muons:last], seen.p[muons:last] = np.where(path == path, path, 1.0), tracks.p[inner]
    seen.mass[muons:last] = taken(MASSES, species[inner])
    inner = slice(hadrons - first, None)
    seen.kind[hadrons:last] = 2 * (species[inner] - PION) + (particles.charge[charged[inner]] < 0.0)


def _neutral(seen: Arrivals, at: slice, particles: Particles, rows: Ints) -> None:
    """Fill momenta, masses and kinds of neutral hadrons."""
    if rows.size == 0:
        return
    p2 = particles.px[rows] ** 2 + particles.py[rows] ** 2 + particles.pz[rows] ** 2
    seen.p[at] = np.sqrt(p2)
    seen.mass[at] = np.sqrt(np.maximum(particles.energy[rows] ** 2 - p2, 0.0))
    pdg = particles.pdg[rows]
    for number, kind in NEUTRAL.items():
        seen.kind[at][pdg == number] = kind


def _merge(seen: Arrivals, at: Slices, photons: Ints, parents: Ints, card: Card) -> None:
    """Move the energy of radiated photons near their electron at the calorimeter into the electron's cluster."""
    if photons.size == 0:
        return
    theta, phi = seen.theta[at.electrons], seen.phi[at.electrons]
    energy, merged = seen.energy[photons], np.empty(len(photons))
    impact = seen.theta[photons], seen.phi[photons]
    merge_stage(theta[parents], phi[parents], *impact, card.emc.merge_angle, energy, merged)
    seen.energy[photons] = energy
    seen.energy[at.electrons] += np.bincount(parents, merged, minlength=len(theta))


def _stop(seen: Arrivals, particles: Particles, source: Ints, card: Card) -> None:
    """Take away what ends before the calorimeter, and what is made behind its front: theta not a number."""
    constants, odd = emc.parameters(card), np.empty(len(particles.row))
    far = constants.backward.front_z, constants.forward.front_z
    columns = particles.x, particles.y, particles.z, particles.stop
    odd_stage(*columns, constants.front_radius, far, odd)
    if odd.any():
        seen.theta[: len(source)][odd[source] > 0.0] = np.nan
