"""Where particles meet the calorimeter: one row for each that can make a shower there, and for background."""

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
from ..kernel import blocks
from .particles import MASSES, PHOTON, Particles
from .shower_stages import cosine_stage, merge_stage
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
    photons: slice
    electrons: slice
    muons: slice
    hadrons: slice
    noise: slice
    noise_time: Floats


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
    for s in blocks(len(rows)):
        multiplicity_stage(k0, k1, events[s], limits, counts[s])
    some = np.flatnonzero(counts)
    rows, events, counts = rows[some], events[some], counts[some]
    which = np.repeat(np.arange(len(some)), counts)
    first = np.cumsum(counts) - counts
    within = (np.arange(len(which)) - first[which] + 1).astype(np.uint64)
    result = Background(rows[which], events[which], within, *(np.empty(len(which)) for _ in range(4)))
    noise, constants = background_parameters(card), emc.parameters(card)
    for s in blocks(len(which)):
        columns = (column[s] for column in result[3:])
        background_stage(k0, k1, result.event[s], within[s], noise, constants, *columns)
    return result


def arrivals(
    particles: Particles,
    charged: Ints,
    species: NDArray[np.int64],
    tracks: Tracks,
    radiated: Radiated,
    noise: Background,
    card: Card,
) -> Arrivals:
    """Return all that arrives at the calorimeter; photons that merge with their electron have energy 0.

    Arguments are those of `shower_columns`.
    """
    photons = np.flatnonzero(particles.pdg == PHOTON)
    neutral = np.flatnonzero((particles.charge == 0.0) & (particles.pdg != PHOTON))
    neutral = neutral[np.isin(particles.pdg[neutral], list(NEUTRAL))] if neutral.size else neutral
    source = np.concatenate([photons, charged, neutral, len(particles.row) + np.arange(len(noise.row))])
    real = slice(0, len(source) - len(noise.row))
    bounds = len(photons) + np.searchsorted(species, (ELECTRON, MUON, MUON + 1, PION + 3))
    result = Arrivals(
        source,
        np.concatenate([particles.row[source[real]], noise.row]),
        np.concatenate([particles.event[source[real]], noise.event]),
        np.concatenate([particles.particle[source[real]], NOISE_KEY + noise.number]),
        *(np.empty(len(source)) for _ in range(4)),
        *(np.full(len(source), value) for value in (1.0, 0.0, 0.0)),
        np.zeros(len(source), dtype=np.int64),
        slice(0, len(photons)),
        slice(bounds[0], bounds[1]),
        slice(bounds[1], bounds[2]),
        slice(bounds[2], real.stop),
        slice(real.stop, len(source)),
        noise.time,
    )
    lines = slice(bounds[3], real.stop)
    _straight(result, slice(0, len(photons)), particles, photons, card)
    _straight(result, lines, particles, neutral, card)
    _tracks(result, slice(bounds[0], bounds[3]), particles, charged, species, tracks)
    _neutral(result, lines, particles, neutral)
    result.energy[: len(photons)] = particles.energy[photons]
    result.energy[result.electrons] = radiated.arriving
    _merge(result, np.searchsorted(photons, radiated.photons), radiated.electrons, card)
    result.energy[result.noise], result.phi[result.noise] = noise.energy, noise.phi
    result.theta[result.noise] = np.nan
    _stop(result, particles, source[real], card)
    for s in blocks(real.stop):
        cosine_stage(result.theta[s], result.cosine[s])
    result.cosine[result.noise] = noise.cosine
    for s in blocks(result.noise.stop, result.noise.start):
        angle_stage(result.cosine[s], result.theta[s])
    return result


def _straight(result: Arrivals, at: slice, particles: Particles, rows: Ints, card: Card) -> None:
    """Fill where straight lines from the production points meet the calorimeter."""
    constants = emc.parameters(card)
    columns = [getattr(particles, name)[rows] for name in ("x", "y", "z", "px", "py", "pz")]
    theta, phi = result.theta[at], result.phi[at]
    for s in blocks(len(rows)):
        emc.photon_impact_stage(*(column[s] for column in columns), constants, theta[s], phi[s])


def _tracks(
    result: Arrivals, at: slice, particles: Particles, charged: Ints, species: NDArray[np.int64], tracks: Tracks
) -> None:
    """Fill where tracks meet the calorimeter, and their kinds."""
    result.theta[at], result.phi[at], result.path_factor[at] = (
        tracks.impact_theta,
        tracks.impact_phi,
        tracks.path_factor,
    )
    heavy = slice(result.muons.start - at.start, None)
    inner = slice(result.muons.start, at.stop)
    result.p[inner], result.mass[inner] = tracks.p[heavy], MASSES[species[heavy]]
    hadrons = slice(result.hadrons.start - at.start, None)
    negative = particles.charge[charged[hadrons]] < 0.0
    result.kind[result.hadrons.start : at.stop] = 2 * (species[hadrons] - PION) + negative


def _neutral(result: Arrivals, at: slice, particles: Particles, rows: Ints) -> None:
    """Fill momenta, masses and kinds of neutral hadrons."""
    if rows.size == 0:
        return
    p2 = particles.px[rows] ** 2 + particles.py[rows] ** 2 + particles.pz[rows] ** 2
    result.p[at] = np.sqrt(p2)
    result.mass[at] = np.sqrt(np.maximum(particles.energy[rows] ** 2 - p2, 0.0))
    pdg = particles.pdg[rows]
    for number, kind in NEUTRAL.items():
        result.kind[at][pdg == number] = kind


def _merge(result: Arrivals, photons: Ints, parents: Ints, card: Card) -> None:
    """Move the energy of radiated photons near their electron at the calorimeter into the electron's cluster."""
    if photons.size == 0:
        return
    theta, phi = result.theta[result.electrons], result.phi[result.electrons]
    energy, merged = result.energy[photons], np.empty(len(photons))
    impact = result.theta[photons], result.phi[photons]
    merge_stage(theta[parents], phi[parents], *impact, card.emc.merge_angle, energy, merged)
    result.energy[photons] = energy
    result.energy[result.electrons] += np.bincount(parents, merged, minlength=len(theta))


def _stop(result: Arrivals, particles: Particles, source: Ints, card: Card) -> None:
    """Take away what ends before the calorimeter, and charged particles made behind its front: theta not a number."""
    radius = card.emc.barrel.front_radius
    x, y, z = particles.x, particles.y, particles.z
    far = card.emc.endcap.front_z
    odd = (particles.stop < radius) | (x * x + y * y > radius * radius) | (np.abs(z) > far)
    if odd.any():
        result.theta[: len(source)][odd[source]] = np.nan
