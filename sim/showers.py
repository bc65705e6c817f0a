"""Calorimeter showers of photons, electrons, muons and hadrons, and clusters of background.

An electron's shower contains its radiated photons where they arrive within the size of a cluster; otherwise they make
a shower of their own, in the direction in which they left. Showers of several particles at one place stay apart.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Bools, Floats, Ints
from ..detector import deposit, emc
from ..detector.crystal_ionisation import (
    IonisationParameters,
    deposit_stage,
    ionisation_parameters,
    ionisation_stage,
    vavilov_table,
)
from ..detector.emc_response import energy_stage
from ..detector.emc_shape import ShapeParameters, shape_parameters, shape_stage
from ..detector.leakage import ELECTRON_SHOWER, PHOTON_SHOWER, leakage_table
from ..geometry.card import Card
from ..kernel import BLOCK, stage
from .arrivals import Arrivals, Radiated, Slices, arrivals, background
from .gather import taken
from .particles import Particles, truth_index
from .shower_stages import (
    accept_stage,
    draw_hadron_stage,
    draw_position_stage,
    draw_stage,
    neutral_stage,
    order_stage,
    place_stage,
    time_stage,
)
from .tracks import Tracks

__all__ = ["Radiated", "shower_columns"]

#: Rows of the scratch.
_ROWS = 16


class Showers(NamedTuple):
    """Columns of what is measured, besides the directions; on the way `second_moment` holds normals."""

    energy: Floats
    time: Floats
    energy_sigma: Floats
    theta_sigma: Floats
    phi_sigma: Floats
    e3x3_over_e5x5: Floats
    second_moment: Floats


class Response(NamedTuple):
    """What a card says about showers, and the key of the random numbers."""

    k0: np.uint64
    k1: np.uint64
    constants: emc.EmcParameters
    leakage: Floats
    ionisation: IonisationParameters
    fluctuations: Floats
    rules: deposit.DepositParameters
    kinds: deposit.HadronKinds
    hadrons: Floats
    shapes: tuple[ShapeParameters, ShapeParameters, ShapeParameters]
    #: 1, or 0 where nothing is smeared; constant and stochastic term of the time resolution.
    scale: float
    time: tuple[float, float]


@lru_cache(maxsize=16)
def _response(card: Card) -> Response:
    """Return what a card says, with a key of zeros."""
    scale = 1.0 if card.emc.smear else 0.0
    return Response(
        np.uint64(0),
        np.uint64(0),
        emc.parameters(card),
        leakage_table(card.emc),
        ionisation_parameters(card),
        vavilov_table(),
        deposit.parameters(card),
        deposit.hadron_kinds(card.emc.hadron),
        deposit.hadron_table(card.emc.hadron),
        shape_parameters(card),
        scale,
        (scale * card.emc.time_sigma, scale * card.emc.time_stochastic),
    )


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
    noise = background(number, triggered, card, k0, k1)
    seen, at = arrivals(particles, charged, species, tracks, radiated, noise, card)
    showers = Showers(*(np.empty(len(seen.row)) for _ in Showers._fields))
    response, scratch = _response(card)._replace(k0=k0, k1=k1), np.empty((_ROWS, BLOCK))
    shape = np.zeros(BLOCK, dtype=np.int64)
    _electromagnetic(response, seen, at.photons.start, at.photons.stop, PHOTON_SHOWER, shape, scratch, showers)
    _electromagnetic(response, seen, at.electrons.start, at.electrons.stop, ELECTRON_SHOWER, shape, scratch, showers)
    _background(response, seen, at.noise.start, at.noise.stop, shape, scratch, showers)
    _hadrons(response, seen, at.hadrons.start, at.hadrons.stop, shape, scratch, showers)
    shape[:] = deposit.MINIMUM_IONISING
    _muons(response, seen, at.muons.start, at.muons.stop, shape, scratch, showers)
    showers.time[at.noise] = noise.time
    return _table(len(particles.row), seen, at, triggered, card, showers)


@stage
def _measure(
    response: Response, seen: Arrivals, first: int, last: int, shape: Ints, scratch: Floats, showers: Showers
) -> None:
    """Fill what is measured of a block of showers whose energies are known."""
    n = last - first
    g, h, k = scratch[0, :n], scratch[1, :n], scratch[2, :n]
    energy, cosine, time = showers.energy[first:last], seen.cosine[first:last], showers.time[first:last]
    theta_sigma, phi_sigma = showers.theta_sigma[first:last], showers.phi_sigma[first:last]
    constants = response.constants
    emc.shower_sigma_stage(energy, cosine, constants, showers.energy_sigma[first:last], theta_sigma, phi_sigma)
    draw_position_stage(response.k0, response.k1, seen.event[first:last], seen.particle[first:last], g, h, time, k)
    place_stage(response.scale, theta_sigma, phi_sigma, g, h, seen.theta[first:last], seen.phi[first:last])
    time_stage(energy, cosine, seen.p[first:last], seen.mass[first:last], response.time, constants, time)
    moment = showers.second_moment[first:last]
    shape_stage(shape[:n], moment, k, response.shapes, showers.e3x3_over_e5x5[first:last], moment)


@stage
def _electromagnetic(
    response: Response,
    seen: Arrivals,
    begin: int,
    end: int,
    kind: int,
    shape: Ints,
    scratch: Floats,
    showers: Showers,
) -> None:
    """Measure photons or electrons."""
    for first in range(begin, end, BLOCK):
        last = min(first + BLOCK, end)
        n = last - first
        g, chance, u = scratch[0, :n], scratch[1, :n], scratch[2, :n]
        rows = scratch[3, :n], scratch[4, :n], scratch[5, :n]
        event, particle, cosine = seen.event[first:last], seen.particle[first:last], seen.cosine[first:last]
        measured = showers.energy[first:last]
        draw_stage(response.k0, response.k1, event, particle, g, showers.second_moment[first:last], chance, u)
        energy = seen.energy[first:last]
        energy_stage(energy, cosine, u, g, kind, response.leakage, response.constants, rows, measured)
        accept_stage(cosine, chance, response.constants, measured)
        _measure(response, seen, first, last, shape, scratch, showers)


@stage
def _muons(
    response: Response, seen: Arrivals, begin: int, end: int, shape: Ints, scratch: Floats, showers: Showers
) -> None:
    """Measure muons."""
    for first in range(begin, end, BLOCK):
        last = min(first + BLOCK, end)
        n = last - first
        g, chance, u, v = scratch[0, :n], scratch[1, :n], scratch[2, :n], scratch[3, :n]
        g1, g2 = scratch[4, :n], scratch[5, :n]
        losses = scratch[6, :n], scratch[7, :n], scratch[8, :n], scratch[9, :n]
        event, particle, energy = seen.event[first:last], seen.particle[first:last], showers.energy[first:last]
        draw_stage(response.k0, response.k1, event, particle, g, showers.second_moment[first:last], chance, u)
        draw_hadron_stage(response.k0, response.k1, event, particle, g1, g2, u, v)
        p, mass = seen.p[first:last], seen.mass[first:last]
        ionisation_stage(p, mass, seen.path_factor[first:last], response.ionisation, losses)
        deposit_stage(p, mass, losses, g1, g2, response.fluctuations, response.ionisation, energy)
        accept_stage(seen.cosine[first:last], chance, response.constants, energy)
        _measure(response, seen, first, last, shape, scratch, showers)


@stage
def _hadrons(
    response: Response, seen: Arrivals, begin: int, end: int, shape: Ints, scratch: Floats, showers: Showers
) -> None:
    """Measure hadrons."""
    for first in range(begin, end, BLOCK):
        last = min(first + BLOCK, end)
        n = last - first
        g, chance, u = scratch[0, :n], scratch[1, :n], scratch[2, :n]
        draws = scratch[3, :n], scratch[4, :n], scratch[5, :n], scratch[6, :n]
        losses = scratch[7, :n], scratch[8, :n], scratch[9, :n], scratch[10, :n]
        path, interacts = scratch[11, :n], scratch[12, :n]
        event, particle, energy = seen.event[first:last], seen.particle[first:last], showers.energy[first:last]
        draw_stage(response.k0, response.k1, event, particle, g, showers.second_moment[first:last], chance, u)
        draw_hadron_stage(response.k0, response.k1, event, particle, draws[0], draws[1], draws[2], draws[3])
        p, mass, kind = seen.p[first:last], seen.mass[first:last], seen.kind[first:last]
        path[:] = seen.path_factor[first:last]
        deposit.reach_stage(u, kind, response.kinds.length, response.rules, path, interacts)
        neutral_stage(kind, deposit.KAON_LONG, path)
        ionisation_stage(p, mass, path, response.ionisation, losses)
        deposit.hadron_stage(
            p,
            mass,
            kind,
            interacts,
            losses,
            draws,
            response.kinds,
            response.hadrons,
            response.rules,
            response.ionisation,
            energy,
            shape[:n],
        )
        accept_stage(seen.cosine[first:last], chance, response.constants, energy)
        _measure(response, seen, first, last, shape, scratch, showers)


@stage
def _background(
    response: Response, seen: Arrivals, begin: int, end: int, shape: Ints, scratch: Floats, showers: Showers
) -> None:
    """Measure clusters of background, whose energies are those seen."""
    for first in range(begin, end, BLOCK):
        last = min(first + BLOCK, end)
        n = last - first
        g, chance, u = scratch[0, :n], scratch[1, :n], scratch[2, :n]
        event, particle = seen.event[first:last], seen.particle[first:last]
        draw_stage(response.k0, response.k1, event, particle, g, showers.second_moment[first:last], chance, u)
        showers.energy[first:last] = seen.energy[first:last]
        _measure(response, seen, first, last, shape, scratch, showers)


def _table(
    n_particles: int, seen: Arrivals, at: Slices, triggered: Bools, card: Card, showers: Showers
) -> dict[str, Any]:
    """Return the showers above the threshold, in the order of the events and of the particles inside them."""
    kept = showers.energy > card.emc.cluster_threshold
    if not triggered.all():
        kept &= triggered[seen.row]
    some = np.flatnonzero(kept)
    counts = np.bincount(seen.row[some], minlength=len(triggered))
    offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts, dtype=np.int64)])
    place = np.full(n_particles + at.noise.stop - at.noise.start, -1, dtype=np.int64)
    place[seen.source[some]] = some
    order = np.empty(len(some), dtype=np.int64)
    order_stage(place, seen.row, offsets[:-1].copy(), order)
    truth = truth_index(seen.particle)
    truth[at.noise] = -1
    values = {**showers._asdict(), "theta": seen.theta, "phi": seen.phi}
    return {
        "shower_offsets": offsets,
        "shower_truth": taken(truth, order),
        **{f"shower_{name}": taken(column, order) for name, column in values.items()},
    }
