"""What is lost in dead regions of the counters and at the trigger."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Keys
from ..detector.regions import region_efficiency
from ..event import Ints
from ..geometry.card import Card
from ..geometry.trigger import COUNTERS, Condition
from ..kernel import stage
from ..rng import REGION_STREAM, TRIGGER_STREAM, uniform, words
from .particles import Particles
from .tracks import Tracks

Flags = NDArray[np.bool_]
#: What a counter without a signal does not know of a track.
_SIGNALS = {"dedx": ("dedx",), "tof": ("tof", "tof_path", "tof_sigma"), "muc": ("muc_residual",)}


@stage
def region_stage(
    k0: np.uint64, k1: np.uint64, event: Keys, particle: Keys, counter: np.uint64, efficiency: Floats, alive: Flags
) -> None:
    """Decide what the regions of a counter leave; keyed by event and particle, one block of the stream per counter."""
    for i in range(np.uint64(event.size)):
        a, _, _, _ = words(k0, k1, event[i], particle[i], REGION_STREAM, counter)
        alive[i] = uniform(a) < efficiency[i]


def alive(
    counter: str,
    event: Keys,
    particle: Keys,
    theta: Floats,
    phi: Floats,
    card: Card,
    k0: np.uint64,
    k1: np.uint64,
) -> Flags | None:
    """Return what the dead regions of a counter leave of particles in directions [rad]; None without such regions."""
    regions = tuple(region for region in card.region if region.counter == counter)
    if not regions:
        return None
    kept = np.empty(len(theta), dtype=bool)
    efficiency = region_efficiency(theta, phi, regions)
    region_stage(k0, k1, event, particle, np.uint64(COUNTERS.index(counter)), efficiency, kept)
    return kept


@stage
def trigger_stage(k0: np.uint64, k1: np.uint64, event: Keys, efficiency: float, kept: Flags) -> None:
    """Decide which events are triggered."""
    for i in range(np.uint64(event.size)):
        a, _, _, _ = words(k0, k1, event[i], np.uint64(0), TRIGGER_STREAM, np.uint64(0))
        kept[i] = uniform(a) < efficiency


@stage
def conditions_stage(
    k0: np.uint64, k1: np.uint64, event: Keys, failing: Floats, efficiency: float, kept: Flags
) -> None:
    """Decide which events are triggered, from the probability that none of the conditions has fired."""
    for i in range(np.uint64(event.size)):
        a, _, _, _ = words(k0, k1, event[i], np.uint64(0), TRIGGER_STREAM, np.uint64(0))
        kept[i] = uniform(a) < efficiency * (1.0 - failing[i])


def triggered(event: Keys, n_tracks: Ints, energy: Floats, card: Card, k0: np.uint64, k1: np.uint64) -> Flags:
    """Return which events are triggered.

    Parameters
    ----------
    event : ndarray of uint64, shape (n_events,)
    n_tracks, energy : ndarray, shape (n_events,)
        Tracks found, and energy [GeV] of all showers: what the conditions of the card ask for.
    card : Card
    k0, k1 : numpy.uint64
    """
    kept = np.empty(len(event), dtype=bool)
    if not card.trigger.condition:
        trigger_stage(k0, k1, event, card.trigger.efficiency, kept)
        return kept
    failing = none_fires(n_tracks, energy, card.trigger.condition)
    conditions_stage(k0, k1, event, failing, card.trigger.efficiency, kept)
    return kept


def none_fires(n_tracks: Ints, energy: Floats, conditions: tuple[Condition, ...]) -> Floats:
    """Return the probability that no condition fires: the product of 1 - efficiency over those that are met."""
    failing = np.ones(len(energy))
    for condition in conditions:
        met = (n_tracks >= condition.tracks) & (energy >= condition.energy)
        failing[met] *= 1.0 - condition.efficiency
    return failing


def triggered_anyway(number: Ints, card: Card, k0: np.uint64, k1: np.uint64) -> Flags:
    """Return which events are triggered where the trigger asks for nothing; all of them where it does."""
    if card.trigger.condition:
        return np.ones(len(number), dtype=bool)
    return triggered(number.astype(np.uint64), number, np.zeros(0), card, k0, k1)


def triggered_events(
    number: Ints,
    particles: Particles,
    charged: Ints,
    tracks: Tracks,
    showers: dict[str, NDArray[Any]],
    card: Card,
    k0: np.uint64,
    k1: np.uint64,
) -> Flags:
    """Return which events are triggered by a trigger that asks for what is in them."""
    n = len(number)
    n_tracks = np.bincount(particles.row[charged[tracks.found]], minlength=n).astype(np.int64)
    row = np.repeat(np.arange(n), np.diff(showers["shower_offsets"]))
    energy = np.bincount(row, weights=showers["shower_energy"], minlength=n).astype(np.float64)
    return triggered(number.astype(np.uint64), n_tracks, energy, card, k0, k1)


def of_triggered_events(showers: dict[str, NDArray[Any]], kept: Flags) -> dict[str, Any]:
    """Return the table of the showers of the events that are triggered."""
    return showers if kept.all() else _some(showers, np.repeat(kept, np.diff(showers["shower_offsets"])))


def _some(showers: dict[str, NDArray[Any]], kept: Flags) -> dict[str, Any]:
    """Return the table of some showers."""
    before = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(kept, dtype=np.int64)])
    columns = {name: column[kept] for name, column in showers.items() if name != "shower_offsets"}
    return {"shower_offsets": before[showers["shower_offsets"]], **columns}


def lose_tracks(particles: Particles, charged: Ints, tracks: Tracks, card: Card, k0: np.uint64, k1: np.uint64) -> None:
    """Lose tracks in dead regions of the chamber; the direction is that of the impact on the calorimeter."""
    keys = particles.event[charged], particles.particle[charged]
    kept = alive("mdc", *keys, tracks.impact_theta, tracks.impact_phi, card, k0, k1)
    if kept is not None:
        tracks.found[:] &= kept


def lose_showers(
    showers: dict[str, NDArray[Any]], number: Ints, card: Card, k0: np.uint64, k1: np.uint64
) -> dict[str, Any]:
    """Return the table of the showers that are not lost in dead regions of the calorimeter."""
    offsets = showers["shower_offsets"]
    counts = np.diff(offsets)
    place = np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)
    keys = np.repeat(number, counts).astype(np.uint64), place.astype(np.uint64)
    kept = alive("emc", *keys, showers["shower_theta"], showers["shower_phi"], card, k0, k1)
    return showers if kept is None else _some(showers, kept)


def lose_signals(
    columns: dict[str, NDArray[Any]],
    event: Keys,
    particle: Keys,
    theta: Floats,
    phi: Floats,
    card: Card,
    k0: np.uint64,
    k1: np.uint64,
) -> None:
    """Take from the columns of tracks what dead regions of dE/dx, time of flight and muon counter have lost."""
    for counter, names in _SIGNALS.items():
        kept = alive(counter, event, particle, theta, phi, card, k0, k1)
        if kept is None:
            continue
        for name in names:
            columns[name] = np.where(kept, columns[name], np.nan)
        if counter == "muc":
            columns["muc_layers"] = np.where(kept, columns["muc_layers"], 0).astype(np.int32)
            columns["muc_depth"] = np.where(kept | np.isnan(columns["muc_depth"]), columns["muc_depth"], 0.0)
