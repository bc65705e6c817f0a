"""Calorimeter showers of photons, electrons, muons and hadrons, and clusters of background.

An electron's shower contains its radiated photons where they arrive within the size of a cluster; otherwise they make
a shower of their own, in the direction in which they left. Showers of several particles at one place stay apart.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Bools, Floats, Ints
from ..detector import deposit, emc
from ..detector.crystal_ionisation import deposit_stage, ionisation_parameters, ionisation_stage, vavilov_table
from ..detector.emc_response import energy_stage
from ..detector.emc_shape import shape_parameters, shape_stage
from ..detector.leakage import ELECTRON_SHOWER, PHOTON_SHOWER, leakage_table
from ..geometry.card import Card
from ..kernel import BLOCK, blocks
from .arrivals import Arrivals, Radiated, arrivals, background
from .particles import Particles, truth_index
from .shower_stages import (
    accept_stage,
    draw_hadron_stage,
    draw_position_stage,
    draw_stage,
    order_stage,
    place_stage,
    time_stage,
)
from .tracks import Tracks

__all__ = ["Radiated", "shower_columns"]

_COLUMNS = ("energy", "time", "energy_sigma", "theta_sigma", "phi_sigma")
_SHAPES = ("e3x3_over_e5x5", "second_moment")
#: Rows of the scratch: the first for what every shower draws, the others for each step.
_OWN, _ROWS = 4, 16


class _Response(NamedTuple):
    """What a card says about showers, and the key of the random numbers."""

    card: Card
    constants: emc.EmcParameters
    k0: np.uint64
    k1: np.uint64
    scratch: Floats
    columns: dict[str, Floats]


def shower_columns(
    particles: Particles,
    charged: Ints,
    species: NDArray[np.int64],
    tracks: Tracks,
    radiated: Radiated,
    number: Ints,
    triggered: Bools,
    card: Card,
    k0: np.uint64,
    k1: np.uint64,
) -> dict[str, Any]:
    """Return the shower table of triggered events, in the order of the particles in their events, background last.

    Parameters
    ----------
    particles : Particles
        All particles of a chunk, those made in the detector after the others.
    charged : ndarray of int, shape (n_charged,)
        Rows of the charged particles.
    species : ndarray of int, shape (n_charged,)
        Their hypotheses, in ascending order.
    tracks : Tracks
        Their momenta, and where they meet the calorimeter, in the order of `charged`.
    radiated : Radiated
        In the order of `charged`, which begins with the electrons.
    number : ndarray of int, shape (n_events,)
        Numbers of the events.
    triggered : ndarray of bool, shape (n_events,)
    card : Card
    k0, k1 : numpy.uint64
        Key of the random numbers.
    """
    seen = arrivals(particles, charged, species, tracks, radiated, background(number, triggered, card, k0, k1), card)
    columns = {name: np.empty(len(seen.row)) for name in (*_COLUMNS, *_SHAPES)}
    response = _Response(card, emc.parameters(card), k0, k1, np.empty((_ROWS, BLOCK)), columns)
    for s in blocks(seen.photons.stop):
        _electromagnetic(seen, s, PHOTON_SHOWER, response)
    for s in blocks(seen.electrons.stop, seen.electrons.start):
        _electromagnetic(seen, s, ELECTRON_SHOWER, response)
    for s in blocks(seen.muons.stop, seen.muons.start):
        _muons(seen, s, response)
    for s in blocks(seen.hadrons.stop, seen.hadrons.start):
        _hadrons(seen, s, response)
    for s in blocks(seen.noise.stop, seen.noise.start):
        _noise(seen, s, response)
    columns["time"][seen.noise] = seen.noise_time
    return _table(particles, seen, triggered, card, columns)


def _electromagnetic(seen: Arrivals, s: slice, kind: int, response: _Response) -> None:
    """Measure photons or electrons."""
    g, h, chance, u = _drawn(seen, s, response)
    energy = response.columns["energy"][s]
    table, constants = leakage_table(response.card.emc), response.constants
    energy_stage(seen.energy[s], seen.cosine[s], u, g, kind, table, constants, energy)
    accept_stage(seen.cosine[s], chance, constants, energy)
    _measure(seen, s, np.zeros(s.stop - s.start, dtype=np.int64), h, response)


def _muons(seen: Arrivals, s: slice, response: _Response) -> None:
    """Measure muons."""
    _, h, chance, _ = _drawn(seen, s, response)
    g1, g2, u1, u2, *losses = (row[: s.stop - s.start] for row in response.scratch[_OWN : _OWN + 8])
    draw_hadron_stage(response.k0, response.k1, seen.event[s], seen.particle[s], g1, g2, u1, u2)
    constants, energy = ionisation_parameters(response.card), response.columns["energy"][s]
    p, mass = seen.p[s], seen.mass[s]
    ionisation_stage(p, mass, seen.path_factor[s], constants, tuple(losses))
    deposit_stage(p, mass, tuple(losses), g1, g2, vavilov_table(), constants, energy)
    accept_stage(seen.cosine[s], chance, response.constants, energy)
    _measure(seen, s, np.full(s.stop - s.start, deposit.MINIMUM_IONISING), h, response)


def _hadrons(seen: Arrivals, s: slice, response: _Response) -> None:
    """Measure hadrons."""
    _, h, chance, u = _drawn(seen, s, response)
    g1, g2, u1, u2, *rows = (row[: s.stop - s.start] for row in response.scratch[_OWN : _OWN + 10])
    draw_hadron_stage(response.k0, response.k1, seen.event[s], seen.particle[s], g1, g2, u1, u2)
    losses, interacts, path = tuple(rows[:4]), rows[4], rows[5]
    card, kind, p, mass = response.card, seen.kind[s], seen.p[s], seen.mass[s]
    kinds, constants = deposit.hadron_kinds(card.emc.hadron), deposit.parameters(card)
    path[:] = np.where(kind < deposit.KAON_LONG, seen.path_factor[s], 1.0)
    deposit.reach_stage(u, kinds.length[kind], constants, path, interacts)
    path *= kind < deposit.KAON_LONG
    ionisation = ionisation_parameters(card)
    ionisation_stage(p, mass, path, ionisation, losses)
    table, energy = deposit.hadron_table(card.emc.hadron), response.columns["energy"][s]
    shape = np.empty(s.stop - s.start, dtype=np.int64)
    draws = g1, g2, u1, u2
    columns = p, mass, kind, interacts, losses, draws
    deposit.hadron_stage(*columns, kinds, table, constants, ionisation, energy, shape)
    accept_stage(seen.cosine[s], chance, response.constants, energy)
    _measure(seen, s, shape, h, response)


def _noise(seen: Arrivals, s: slice, response: _Response) -> None:
    """Measure clusters of background, whose energies are those seen."""
    _, h, _, _ = _drawn(seen, s, response)
    response.columns["energy"][s] = seen.energy[s]
    _measure(seen, s, np.zeros(s.stop - s.start, dtype=np.int64), h, response)


def _drawn(seen: Arrivals, s: slice, response: _Response) -> tuple[Floats, ...]:
    """Return two normals and two uniforms of each shower, in the first rows of the scratch."""
    rows = tuple(row[: s.stop - s.start] for row in response.scratch[:4])
    draw_stage(response.k0, response.k1, seen.event[s], seen.particle[s], *rows)
    return rows


def _measure(seen: Arrivals, s: slice, shape: Ints, h: Floats, response: _Response) -> None:
    """Fill what is measured of showers whose energies are known; h holds normals."""
    constants, columns, card, cosine = response.constants, response.columns, response.card, seen.cosine[s]
    g, k, m = (row[: s.stop - s.start] for row in response.scratch[_OWN : _OWN + 3])
    energy, time = columns["energy"][s], columns["time"][s]
    sigmas = tuple(columns[name][s] for name in ("energy_sigma", "theta_sigma", "phi_sigma"))
    emc.shower_sigma_stage(energy, cosine, constants, *sigmas)
    draw_position_stage(response.k0, response.k1, seen.event[s], seen.particle[s], g, k, time, m)
    scale = 1.0 if card.emc.smear else 0.0
    place_stage(scale, sigmas[1], sigmas[2], g, k, seen.theta[s], seen.phi[s])
    resolution = scale * card.emc.time_sigma, scale * card.emc.time_stochastic
    time_stage(energy, cosine, seen.p[s], seen.mass[s], resolution, constants, time)
    shapes = tuple(columns[name][s] for name in _SHAPES)
    shape_stage(shape, h, m, shape_parameters(card), *shapes)


def _table(
    particles: Particles, seen: Arrivals, triggered: Bools, card: Card, columns: dict[str, Floats]
) -> dict[str, Any]:
    """Return the showers above the threshold, in the order of the events and of the particles inside them."""
    kept = (columns["energy"] > card.emc.cluster_threshold) & triggered[seen.row]
    for region in card.emc.dead:
        inside = (seen.cosine > region.cos_low) & (seen.cosine < region.cos_high)
        kept &= ~(inside & (seen.phi > region.phi_low) & (seen.phi < region.phi_high))
    some = np.flatnonzero(kept)
    counts = np.bincount(seen.row[some], minlength=len(triggered))
    offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts, dtype=np.int64)])
    place = np.full(len(particles.row) + len(seen.noise_time), -1, dtype=np.int64)
    place[seen.source[some]] = some
    order = np.empty(len(some), dtype=np.int64)
    order_stage(place, seen.row, offsets[:-1].copy(), order)
    truth = truth_index(seen.particle)
    truth[seen.noise] = -1
    values = {**columns, "theta": seen.theta, "phi": seen.phi}
    return {
        "shower_offsets": offsets,
        "shower_truth": truth[order],
        **{f"shower_{name}": column[order] for name, column in values.items()},
    }
