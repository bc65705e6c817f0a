"""Calorimeter showers of photons, electrons, muons and hadrons, and of what electrons radiated on their way.

An electron's shower contains its radiated photons where they arrive within the size of a cluster; otherwise they make
a shower of their own, in the direction in which the electron started. Neutral hadrons leave nothing.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Ints, Keys
from ..constants import ELECTRON, MUON, PI
from ..detector import deposit, emc
from ..elementary import sincos
from ..geometry.card import Card
from ..geometry.directions import opening_angle
from ..geometry.helix import wrap
from ..kernel import blocks, stage
from ..rng import EMC_POSITION_STREAM, EMC_STREAM, HADRON_STREAM, normal2, uniform, words
from .particles import MASSES, Particles
from .tracks import Tracks

_OWN = np.uint64(0)

#: Smallest angle [rad] of a shower to the z axis.
_NEAR_AXIS = 1e-6


class Showers(NamedTuple):
    """Columns of showers, in the order of their particles; `source` is the particle's row among those of the chunk."""

    source: Ints
    energy: Floats
    theta: Floats
    phi: Floats
    time: Floats
    energy_sigma: Floats
    theta_sigma: Floats
    phi_sigma: Floats


@stage
def merge_stage(
    theta: Floats,
    phi: Floats,
    photon_theta: Floats,
    photon_phi: Floats,
    merge_angle: float,
    photon: Floats,
    energy: Floats,
) -> None:
    """Add photons that arrive within the size of a cluster to the electron's energy, and leave 0 in their place."""
    for i in range(np.uint64(energy.size)):
        near = opening_angle(theta[i], phi[i], photon_theta[i], photon_phi[i]) < merge_angle
        energy[i] = energy[i] + (photon[i] if near else 0.0)
        photon[i] = 0.0 if near else photon[i]


@stage
def accept_stage(
    k0: np.uint64,
    k1: np.uint64,
    event: Keys,
    particle: Keys,
    block: np.uint64,
    theta: Floats,
    constants: emc.EmcParameters,
    energy: Floats,
) -> None:
    """Set the energy of what meets no crystals, or curls up before (theta not a number), to zero."""
    for i in range(np.uint64(energy.size)):
        _, _, c, _ = words(k0, k1, event[i], particle[i], EMC_STREAM, block)
        _, cosine = sincos(theta[i])
        hit = (uniform(c) < emc.acceptance(abs(cosine), constants)) & (theta[i] == theta[i])
        energy[i] = energy[i] if hit else 0.0


@stage
def draw_energy_stage(
    k0: np.uint64,
    k1: np.uint64,
    event: Keys,
    particle: Keys,
    block: np.uint64,
    theta: Floats,
    cosine: Floats,
    g: Floats,
) -> None:
    """Draw the normals of the energies; fill cos(theta)."""
    for i in range(np.uint64(event.size)):
        a, b, _, _ = words(k0, k1, event[i], particle[i], EMC_STREAM, block)
        g[i], _ = normal2(a, b)
        _, cosine[i] = sincos(theta[i])


@stage
def draw_position_stage(
    k0: np.uint64, k1: np.uint64, event: Keys, particle: Keys, block: np.uint64, g: Floats, h: Floats, time: Floats
) -> None:
    """Draw the normals of polar angle, azimuth and time."""
    for i in range(np.uint64(event.size)):
        a, b, c, d = words(k0, k1, event[i], particle[i], EMC_POSITION_STREAM, block)
        g[i], h[i] = normal2(a, b)
        time[i], _ = normal2(c, d)


@stage
def place_stage(
    scale: float, theta_sigma: Floats, phi_sigma: Floats, g: Floats, h: Floats, theta: Floats, phi: Floats
) -> None:
    """Smear the directions of showers with normals g and h; showers stay off the axis."""
    for i in range(np.uint64(theta.size)):
        theta[i] = min(max(theta[i] + scale * theta_sigma[i] * g[i], _NEAR_AXIS), PI - _NEAR_AXIS)
        phi[i] = wrap(phi[i] + scale * phi_sigma[i] * h[i])


@stage
def draw_ionisation_stage(k0: np.uint64, k1: np.uint64, event: Keys, particle: Keys, g1: Floats, g2: Floats) -> None:
    """Draw the two normals of the ionisation of a muon."""
    for i in range(np.uint64(event.size)):
        a, b, _, _ = words(k0, k1, event[i], particle[i], HADRON_STREAM, np.uint64(0))
        g1[i], g2[i] = normal2(a, b)


class _Impacts(NamedTuple):
    """Where particles meet the calorimeter, and the true energy that arrives there."""

    rows: Ints
    event: Keys
    particle: Keys
    theta: Floats
    phi: Floats
    energy: Floats

    def take(self, chosen: Ints) -> "_Impacts":
        """Return the chosen impacts."""
        return _Impacts._make(column[chosen] for column in self)


def _arriving(impacts: _Impacts, block: np.uint64, card: Card, k0: np.uint64, k1: np.uint64) -> _Impacts:
    """Return the impacts that meet crystals."""
    constants = emc.parameters(card)
    energy = impacts.energy.copy()
    for s in blocks(len(energy)):
        accept_stage(k0, k1, impacts.event[s], impacts.particle[s], block, impacts.theta[s], constants, energy[s])
    return impacts._replace(energy=energy).take(np.flatnonzero(energy > 0.0))


def _measured(impacts: _Impacts, block: np.uint64, resolve: bool, card: Card, k0: np.uint64, k1: np.uint64) -> Showers:
    """Return the showers of deposits, those above the threshold; `resolve` smears the energy (else it is final)."""
    rows, events, particles, theta, phi, energy = _arriving(impacts, block, card, k0, k1)
    n = len(rows)
    constants = emc.parameters(card)
    cosine, g, h, time = (np.empty(n) for _ in range(4))
    sigmas = np.empty(n), np.empty(n), np.empty(n)
    scale = 1.0 if card.emc.smear else 0.0
    for s in blocks(n):
        event, particle = events[s], particles[s]
        draw_energy_stage(k0, k1, event, particle, block, theta[s], cosine[s], g[s])
        if resolve:
            emc.energy_stage(energy[s], cosine[s], g[s], constants, energy[s])
        emc.shower_sigma_stage(energy[s], cosine[s], constants, *(sigma[s] for sigma in sigmas))
        draw_position_stage(k0, k1, event, particle, block, g[s], h[s], time[s])
        place_stage(scale, sigmas[1][s], sigmas[2][s], g[s], h[s], theta[s], phi[s])
    time *= scale * card.emc.time_sigma
    seen = np.flatnonzero(energy > card.emc.cluster_threshold)
    return Showers._make(column[seen] for column in (rows, energy, theta, phi, time, *sigmas))


def _photon_impacts(particles: Particles, chosen: Ints, energy: Floats, card: Card) -> _Impacts:
    """Return where straight lines from the production points meet the calorimeter."""
    constants = emc.parameters(card)
    theta, phi = np.empty(len(chosen)), np.empty(len(chosen))
    x, y, z = particles.x[chosen], particles.y[chosen], particles.z[chosen]
    px, py, pz = particles.px[chosen], particles.py[chosen], particles.pz[chosen]
    for s in blocks(len(chosen)):
        emc.photon_impact_stage(x[s], y[s], z[s], px[s], py[s], pz[s], constants, theta[s], phi[s])
    return _Impacts(chosen, particles.event[chosen], particles.particle[chosen], theta, phi, energy)


def photon_showers(particles: Particles, chosen: Ints, card: Card, k0: np.uint64, k1: np.uint64) -> Showers:
    """Return the showers of photons."""
    return _measured(_photon_impacts(particles, chosen, particles.energy[chosen], card), _OWN, True, card, k0, k1)


class Radiated(NamedTuple):
    """Photons that electrons radiated: their rows among the particles, and the place of each electron.

    `arriving` is the energy [GeV] that is left to each electron at the calorimeter.
    """

    photons: Ints
    electrons: Ints
    arriving: Floats


def track_showers(
    particles: Particles,
    charged: Ints,
    species: NDArray[np.int64],
    tracks: Tracks,
    radiated: Radiated,
    card: Card,
    k0: np.uint64,
    k1: np.uint64,
) -> list[Showers]:
    """Return the showers of charged particles, kind by kind, and of what electrons radiated.

    Parameters
    ----------
    particles : Particles
    charged : ndarray of int, shape (n_charged,)
        Rows of the charged particles.
    species : ndarray of int, shape (n_charged,)
        Their hypotheses, in ascending order.
    tracks : Tracks
        Their momenta, and where they meet the calorimeter.
    radiated : Radiated
        In the order of `charged`, which begins with the electrons.
    card : Card
    k0, k1 : numpy.uint64
        Key of the random numbers.
    """
    bounds = np.searchsorted(species, (ELECTRON, MUON, MUON + 1, len(MASSES)))
    electrons, muons, hadrons = (slice(*bounds[i : i + 2]) for i in range(3))

    def impacts(of: slice, energy: Floats) -> _Impacts:
        rows = charged[of]
        columns = particles.event[rows], particles.particle[rows], tracks.impact_theta[of], tracks.impact_phi[of]
        return _Impacts(rows, *columns, energy)

    own, apart = _merged(particles, tracks, radiated, card)
    deposits = _deposits(particles, charged, species, tracks, muons, hadrons, card, k0, k1)
    others = slice(muons.start, hadrons.stop)
    return [
        _measured(impacts(electrons, own), _OWN, True, card, k0, k1),
        _measured(apart, _OWN, True, card, k0, k1),
        _measured(impacts(others, deposits[others]), _OWN, False, card, k0, k1),
    ]


def _merged(particles: Particles, tracks: Tracks, radiated: Radiated, card: Card) -> tuple[Floats, _Impacts]:
    """Return the energy that arrives in every electron's cluster, and the photons that arrive away from it."""
    photons, parents = radiated.photons, radiated.electrons
    apart = _photon_impacts(particles, photons, particles.energy[photons], card)
    theta, phi, merged = tracks.impact_theta[parents], tracks.impact_phi[parents], np.zeros(len(photons))
    merge_stage(theta, phi, apart.theta, apart.phi, card.emc.merge_angle, apart.energy, merged)
    return radiated.arriving + np.bincount(parents, merged, minlength=len(radiated.arriving)), apart


def _deposits(
    particles: Particles,
    charged: Ints,
    species: NDArray[np.int64],
    tracks: Tracks,
    muons: slice,
    hadrons: slice,
    card: Card,
    k0: np.uint64,
    k1: np.uint64,
) -> Floats:
    """Return the energy [GeV] that muons and hadrons leave in the crystals, in the order of `charged`."""
    n = len(charged)
    energy, g1, g2 = np.empty(n), np.empty(n), np.empty(n)
    losses, table = deposit.parameters(card), deposit.hadron_table(card)
    event, particle, charge = particles.event[charged], particles.particle[charged], particles.charge[charged]
    p, mass, factor = tracks.p, MASSES[species], tracks.path_factor
    for s in blocks(muons.stop, muons.start):
        draw_ionisation_stage(k0, k1, event[s], particle[s], g1[s], g2[s])
        deposit.ionisation_stage(p[s], mass[s], factor[s], g1[s], g2[s], losses, energy[s])
    for s in blocks(hadrons.stop, hadrons.start):
        columns = event[s], particle[s], p[s], mass[s], charge[s], factor[s]
        deposit.hadron_stage(k0, k1, *columns, table, losses, energy[s])
    return energy
