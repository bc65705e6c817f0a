"""Calorimeter showers of photons, electrons, muons and hadrons, and of what electrons radiated on their way.

An electron's shower contains its radiated photons where they arrive within the size of a cluster; otherwise they make
a shower of their own, in the direction in which the electron started. Neutral hadrons leave nothing.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Ints
from ..constants import ELECTRON, HYPOTHESIS_MASSES, MUON
from ..detector import deposit, emc
from ..elementary import sincos
from ..geometry.card import Card
from ..geometry.directions import opening_angle
from ..kernel import BLOCK, stage
from ..rng import EMC_POSITION_STREAM, EMC_STREAM, HADRON_STREAM, normal2, uniform, words
from .particles import Particles
from .tracks import Tracks

Keys = NDArray[np.uint64]

#: Photons radiated by an electron take the blocks from here on of the streams that its own shower uses.
_RADIATED = np.uint64(8)
_OWN = np.uint64(0)


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
def cosine_stage(theta: Floats, cosine: Floats) -> None:
    """Fill cos(theta)."""
    for i in range(np.uint64(theta.size)):
        _, cosine[i] = sincos(theta[i])


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
    """Add photons that arrive within the size of a cluster to the electron's energy; leave 0 of those in their place."""
    for i in range(np.uint64(energy.size)):
        near = opening_angle(theta[i], phi[i], photon_theta[i], photon_phi[i]) < merge_angle
        energy[i] = energy[i] + (photon[i] if near else 0.0)
        photon[i] = 0.0 if near else photon[i]


@stage
def draw_energy_stage(
    k0: np.uint64, k1: np.uint64, event: Keys, particle: Keys, block: np.uint64, g: Floats, u: Floats
) -> None:
    """Draw the normal of the energy and the uniform of the acceptance."""
    for i in range(np.uint64(event.size)):
        a, b, c, _ = words(k0, k1, event[i], particle[i], EMC_STREAM, block)
        g[i], _ = normal2(a, b)
        u[i] = uniform(c)


@stage
def accept_stage(cosine: Floats, u: Floats, constants: emc.EmcParameters, energy: Floats) -> None:
    """Set the energy of what meets no crystals to zero."""
    for i in range(np.uint64(energy.size)):
        energy[i] = energy[i] if u[i] < emc.acceptance(abs(cosine[i]), constants) else 0.0


@stage
def place_stage(
    k0: np.uint64,
    k1: np.uint64,
    event: Keys,
    particle: Keys,
    block: np.uint64,
    scale: float,
    sigma: Floats,
    angle: Floats,
    first: bool,
) -> None:
    """Smear one angle of the showers: theta with the first normal of the position stream, phi with the second."""
    for i in range(np.uint64(event.size)):
        a, b, _, _ = words(k0, k1, event[i], particle[i], EMC_POSITION_STREAM, block)
        g, h = normal2(a, b)
        angle[i] += scale * sigma[i] * (g if first else h)


@stage
def time_stage(
    k0: np.uint64, k1: np.uint64, event: Keys, particle: Keys, block: np.uint64, sigma: float, time: Floats
) -> None:
    """Fill the times of the showers relative to a photon from the interaction."""
    for i in range(np.uint64(event.size)):
        _, _, c, d = words(k0, k1, event[i], particle[i], EMC_POSITION_STREAM, block)
        g, _ = normal2(c, d)
        time[i] = sigma * g


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


def _measured(impacts: _Impacts, block: np.uint64, resolve: bool, card: Card, k0: np.uint64, k1: np.uint64) -> Showers:
    """Return the showers of deposits, those above the threshold; `resolve` smears the energy (else it is final)."""
    n = len(impacts.rows)
    constants = emc.parameters(card)
    cosine, g, u, measured, time = (np.empty(n) for _ in range(5))
    sigmas = np.empty(n), np.empty(n), np.empty(n)
    scale = 1.0 if card.emc.smear else 0.0
    theta, phi, energy = impacts.theta.copy(), impacts.phi.copy(), impacts.energy.copy()
    for start in range(0, n, BLOCK):
        s = slice(start, start + BLOCK)
        event, particle = impacts.event[s], impacts.particle[s]
        cosine_stage(theta[s], cosine[s])
        draw_energy_stage(k0, k1, event, particle, block, g[s], u[s])
        accept_stage(cosine[s], u[s], constants, energy[s])
        if resolve:
            emc.energy_stage(energy[s], cosine[s], g[s], constants, measured[s])
        else:
            measured[s] = energy[s]
        emc.shower_sigma_stage(measured[s], cosine[s], constants, *(sigma[s] for sigma in sigmas))
        place_stage(k0, k1, event, particle, block, scale, sigmas[1][s], theta[s], True)
        place_stage(k0, k1, event, particle, block, scale, sigmas[2][s], phi[s], False)
        time_stage(k0, k1, event, particle, block, scale * card.emc.time_sigma, time[s])
    # a comparison with NaN, where a track never arrives, is false
    seen = np.flatnonzero((measured > card.emc.cluster_threshold) & (energy > 0.0))
    columns = (impacts.rows, measured, np.clip(theta, 1e-6, np.pi - 1e-6), phi, time, *sigmas)
    return Showers(*(column[seen] for column in columns))


def _photon_impacts(particles: Particles, chosen: Ints, energy: Floats, card: Card) -> _Impacts:
    """Return where straight lines from the production points meet the calorimeter."""
    constants = emc.parameters(card)
    theta, phi = np.empty(len(chosen)), np.empty(len(chosen))
    line = particles.take(chosen)
    for start in range(0, len(chosen), BLOCK):
        s = slice(start, start + BLOCK)
        emc.photon_impact_stage(
            line.x[s], line.y[s], line.z[s], line.px[s], line.py[s], line.pz[s], constants, theta[s], phi[s]
        )
    return _Impacts(chosen, line.event, line.particle, theta, phi, energy)


def photon_showers(particles: Particles, chosen: Ints, card: Card, k0: np.uint64, k1: np.uint64) -> Showers:
    """Return the showers of photons."""
    return _measured(_photon_impacts(particles, chosen, particles.energy[chosen], card), _OWN, True, card, k0, k1)


def track_showers(
    particles: Particles,
    charged: Ints,
    species: NDArray[np.int64],
    tracks: Tracks,
    card: Card,
    k0: np.uint64,
    k1: np.uint64,
) -> list[Showers]:
    """Return the showers of charged particles, kind by kind.

    Parameters
    ----------
    particles : Particles
    charged : ndarray of int, shape (n_charged,)
        Rows of the charged particles.
    species : ndarray of int, shape (n_charged,)
        Their hypotheses.
    tracks : Tracks
        Their momenta, what they radiated, and where they meet the calorimeter.
    card : Card
    k0, k1 : numpy.uint64
        Key of the random numbers.
    """
    theta, phi, path_factor = tracks.impact_theta, tracks.impact_phi, tracks.path_factor
    electrons, muons = np.flatnonzero(species == ELECTRON), np.flatnonzero(species == MUON)
    hadrons = np.flatnonzero(species > MUON)
    showers = []

    def impacts(of: Ints, energy: Floats) -> _Impacts:
        rows = charged[of]
        return _Impacts(rows, particles.event[rows], particles.particle[rows], theta[of], phi[of], energy)

    kept = 1.0 - tracks.radiated[electrons]
    energy = particles.energy[charged[electrons]] * kept
    photon = particles.energy[charged[electrons]] * tracks.radiated[electrons]
    start_of = _photon_impacts(particles, charged[electrons], photon, card)
    arriving = np.where(np.isfinite(theta[electrons]), energy, 0.0)
    merge_stage(theta[electrons], phi[electrons], start_of.theta, start_of.phi, card.emc.merge_angle, photon, arriving)
    showers.append(_measured(impacts(electrons, arriving), _OWN, True, card, k0, k1))
    showers.append(_measured(start_of, _RADIATED, True, card, k0, k1))

    muon_deposit, hadron_deposits = np.empty(len(muons)), np.empty(len(hadrons))
    losses = deposit.parameters(card)
    masses = np.array(HYPOTHESIS_MASSES)[species]
    rows = charged[muons]
    g1, g2 = np.empty(len(muons)), np.empty(len(muons))
    draw_ionisation_stage(k0, k1, particles.event[rows], particles.particle[rows], g1, g2)
    deposit.ionisation_stage(tracks.p[muons], masses[muons], path_factor[muons], g1, g2, losses, muon_deposit)
    showers.append(_measured(impacts(muons, muon_deposit), _OWN, False, card, k0, k1))

    rows = charged[hadrons]
    deposit.hadron_stage(
        k0,
        k1,
        particles.event[rows],
        particles.particle[rows],
        tracks.p[hadrons],
        masses[hadrons],
        particles.charge[rows],
        path_factor[hadrons],
        deposit.hadron_table(card),
        losses,
        hadron_deposits,
    )
    showers.append(_measured(impacts(hadrons, hadron_deposits), _OWN, False, card, k0, k1))
    return showers
