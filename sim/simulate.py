"""The detector's answer to truth events: particles in the laboratory, tracks, counters, showers."""

import json
from pathlib import Path

import numpy as np

from ..constants import ELECTRON
from ..detector.track_table import covariances
from ..event import KAPPA, DetectorRecord, TruthEvents, concatenate, select_events
from ..geometry.card import Card, card_hash, load_card
from ..rng import key
from .bremsstrahlung import radiate
from .conversion import convert_photons
from .counters import add_delays, measure_dedx, measure_muc, measure_tof
from .decays import decay_in_flight
from .gather import gather_rows, taken
from .kinks import end_tracks, merge_kinks
from .losses import lose_showers, lose_signals, lose_tracks, of_triggered_events, triggered_anyway, triggered_events
from .particles import MASSES, Particles, final_state, joined, species_of, truth_index, with_rows
from .periods import by_period
from .showers import Radiated, shower_columns
from .tracks import Tracks, measure_tracks

Array = np.ndarray

#: Events simulated together: what is known of them on the way stays in the second-level cache.
BATCH = 8192


def simulate(truth: TruthEvents, card: Card | str | Path = "besiii", *, seed: int) -> DetectorRecord:
    """Simulate the detector.

    Parameters
    ----------
    truth : TruthEvents
        Events in the centre of mass (boosted to the laboratory here) or in the laboratory; particles of status 1
        meet the detector. Neutrinos leave nothing in it, nor do neutral hadrons other than K_L, n and anti-n (which
        shower) and K_S and Lambda (which decay).
    card : Card, str or Path
        Detector: a card, the name of a packaged one, or the path of a TOML file.
    seed : int
        0 <= seed < 2**64. The record depends on the seed, the card and the events' numbers alone, not on how the
        events are cut into chunks.

    Returns
    -------
    DetectorRecord
        One entry per event; an event that was not triggered has neither tracks nor showers.

    Raises
    ------
    TypeError
        If these are not truth events.
    ValueError
        For a wrong seed or card, or a momentum, vertex or weight that is not finite; the message names value and event.
    """
    if not isinstance(truth, TruthEvents):
        raise TypeError(f"truth is {type(truth).__name__}, must be TruthEvents")
    card = load_card(card)
    k0, k1 = key(seed)

    def answer(part: TruthEvents, own: Card) -> DetectorRecord:
        starts = range(0, max(part.n_events, 1), BATCH)
        batches = [_simulate(select_events(part, at, at + BATCH), own, k0, k1) for at in starts]
        return batches[0] if len(batches) == 1 else concatenate(batches)

    record = by_period(truth, card, seed, answer) if card.period else answer(truth, card)
    step = {"step": "simulate", "card": card.name, "seed": str(seed), "card_hash": card_hash(card)}
    return record._replace(seed=str(seed), provenance=json.dumps([*json.loads(truth.provenance), step]))


def _simulate(truth: TruthEvents, card: Card, k0: np.uint64, k1: np.uint64) -> DetectorRecord:
    """Return the record of a batch of events under the constants of one card, with the truth's seed and history."""
    particles, kinks = decay_in_flight(final_state(truth, card, k0, k1), card, k0, k1)
    particles = convert_photons(particles, card, k0, k1)
    charged = np.flatnonzero(particles.charge != 0.0)
    species = species_of(particles.pdg[charged])
    order = np.argsort(species, kind="stable")
    charged, species = charged[order], species[order]
    measured, merged = merge_kinks(particles, kinks, card)
    n_electrons = int(np.searchsorted(species, ELECTRON, side="right"))
    electrons, made, parents = radiate(measured.take(charged[:n_electrons]), card, k0, k1)
    radiated = Radiated(len(particles.row) + np.arange(len(parents)), parents, electrons.energy)
    measured = with_rows(measured, charged[:n_electrons], electrons)
    tracks = measure_tracks(measured, charged, species, card, k0, k1)
    behind = end_tracks(tracks, particles, charged, kinks, merged)
    particles = joined([particles, made])
    lose_tracks(particles, charged, tracks, card, k0, k1)
    kept = triggered_anyway(truth.number, card, k0, k1)
    of_tracks = particles, charged, species, tracks
    showers = shower_columns(*of_tracks, radiated, truth.number, kept, card, k0, k1)
    if card.region:
        showers = lose_showers(showers, truth.number, card, k0, k1)
    if card.trigger.condition:
        kept = triggered_events(truth.number, particles, charged, tracks, showers, card, k0, k1)
        showers = of_triggered_events(showers, kept)
    return DetectorRecord(
        number=truth.number,
        weight=truth.weight,
        event_sqrt_s=truth.event_sqrt_s,
        process=truth.process,
        **_track_columns(*of_tracks, behind, kept, card, k0, k1),
        **showers,
        processes=truth.processes,
        frame="lab",
        sqrt_s=truth.sqrt_s,
        cross_section=truth.cross_section,
        cross_section_error=truth.cross_section_error,
        seed=truth.seed,
        provenance=truth.provenance,
    )


def _event_order(particles: Particles, rows: Array) -> Array:
    """Return the order of rows by event, and as they stand inside it: what the detector made comes last."""
    return np.argsort(taken(particles.row, rows) * len(particles.row) + rows, kind="stable")


def _offsets(row: Array, n_events: int) -> Array:
    counts = np.bincount(row, minlength=n_events)
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts, dtype=np.int64)])


def _track_columns(
    particles: Particles,
    charged: Array,
    species: Array,
    tracks: Tracks,
    behind: Array,
    triggered: Array,
    card: Card,
    k0: np.uint64,
    k1: np.uint64,
) -> dict[str, Array]:
    """Return the track table: the tracks found in triggered events, with what the counters saw of them."""
    chosen = np.flatnonzero(tracks.found & taken(triggered, taken(particles.row, charged)))
    chosen = chosen[_event_order(particles, charged[chosen])]
    rows = taken(charged, chosen)
    event, particle = taken(particles.event, rows), taken(particles.particle, rows)
    mass, p, n_hits = taken(MASSES, taken(species, chosen)), taken(tracks.p, chosen), taken(tracks.n_hits, chosen)
    helix, true_helix = _rows(tracks.helix, chosen), _rows(tracks.true_helix, chosen)
    sine = np.minimum(1.0 / np.abs(true_helix[:, KAPPA]) / p, 1.0)
    time, path, sigma = measure_tof(event, particle, mass, p, true_helix, helix, card, k0, k1)
    add_delays(particles, rows, mass, card.field.bz, time)
    outer = taken(behind, chosen)
    gone = np.flatnonzero((taken(particles.stop, rows) < card.tof.barrel.radius) & (outer == chosen))
    time[gone] = path[gone] = sigma[gone] = np.nan
    leaving = taken(charged, outer)
    px, py, pz = (taken(column, leaving) for column in (particles.px, particles.py, particles.pz))
    cosine = pz / np.sqrt(px * px + py * py + pz * pz)
    kinds, phi = taken(species, outer).astype(np.uint64), taken(tracks.impact_phi, outer)
    depth, layers, residual = measure_muc(event, particle, kinds, taken(tracks.p, outer), cosine, phi, card, k0, k1)
    columns = {
        "track_offsets": _offsets(taken(particles.row, rows), len(triggered)),
        "track_truth": truth_index(particle),
        "helix": helix,
        "covariance": covariances(tracks.factors, chosen, card.mdc.covariance_scale),
        "n_hits": n_hits.astype(np.int32),
        "dedx": measure_dedx(event, particle, mass, p, n_hits, sine, card, k0, k1),
        "tof": time,
        "tof_path": path,
        "tof_sigma": sigma,
        "muc_depth": depth,
        "muc_layers": layers.astype(np.int32),
        "track_status": taken(tracks.status, chosen).astype(np.int32),
        "muc_residual": residual,
    }
    if card.region:
        lose_signals(columns, event, particle, tracks.impact_theta[outer], phi, card, k0, k1)
    return columns


def _rows(table: Array, chosen: Array) -> Array:
    """Return rows of an (n, k) table that is stored component by component, as is the result."""
    found = np.empty((table.shape[1], len(chosen)))
    gather_rows(table.T, chosen, found)
    return found.T
