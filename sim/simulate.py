"""The detector's answer to truth events: particles in the laboratory, tracks, counters, showers."""

import json
from pathlib import Path

import numpy as np

from ..constants import ELECTRON
from ..event import KAPPA, DetectorRecord, TruthEvents
from ..geometry.card import Card, card_hash, load_card
from ..kernel import stage
from ..rng import TRIGGER_STREAM, key, uniform, words
from .bremsstrahlung import radiate
from .counters import measure_dedx, measure_muc, measure_tof
from .particles import MASSES, Particles, final_state, joined, species_of, truth_index
from .showers import Radiated, shower_columns
from .tracks import Tracks, measure_tracks

Array = np.ndarray


@stage
def trigger_stage(k0: np.uint64, k1: np.uint64, event: Array, efficiency: float, kept: Array) -> None:
    """Decide which events are triggered."""
    for i in range(np.uint64(event.size)):
        a, _, _, _ = words(k0, k1, event[i], np.uint64(0), TRIGGER_STREAM, np.uint64(0))
        kept[i] = uniform(a) < efficiency


def simulate(truth: TruthEvents, card: Card | str | Path = "besiii", *, seed: int) -> DetectorRecord:
    """Simulate the detector.

    Parameters
    ----------
    truth : TruthEvents
        Events in the centre of mass (boosted to the laboratory here) or in the laboratory; particles of status 1
        meet the detector, neutrinos and neutral hadrons leave nothing in it.
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
    particles = final_state(truth, card, k0, k1)
    charged = np.flatnonzero(particles.charge != 0.0)
    species = species_of(particles.pdg[charged])
    order = np.argsort(species, kind="stable")
    charged, species = charged[order], species[order]
    n_electrons = int(np.searchsorted(species, ELECTRON, side="right"))
    electrons, made, parents = radiate(particles.take(charged[:n_electrons]), card, k0, k1)
    radiated = Radiated(len(particles.row) + np.arange(len(parents)), parents, electrons.energy)
    tracks = measure_tracks(joined([electrons, particles.take(charged[n_electrons:])]), species, card, k0, k1)
    particles = joined([particles, made])
    triggered = np.empty(truth.n_events, dtype=bool)
    trigger_stage(k0, k1, truth.number.astype(np.uint64), card.trigger.efficiency, triggered)
    steps = [*json.loads(truth.provenance), {"step": "simulate", "card": card.name, "seed": str(seed)}]
    steps[-1]["card_hash"] = card_hash(card)
    return DetectorRecord(
        number=truth.number,
        weight=truth.weight,
        event_sqrt_s=truth.event_sqrt_s,
        process=truth.process,
        **_track_columns(particles, charged, species, tracks, triggered, card, k0, k1),
        **shower_columns(particles, charged, species, tracks, radiated, truth.number, triggered, card, k0, k1),
        processes=truth.processes,
        frame="lab",
        sqrt_s=truth.sqrt_s,
        cross_section=truth.cross_section,
        cross_section_error=truth.cross_section_error,
        seed=str(seed),
        provenance=json.dumps(steps),
    )


def _event_order(particles: Particles, rows: Array) -> Array:
    """Return the order of rows by event, and as they stand inside it: what the detector made comes last."""
    return np.argsort(particles.row[rows] * len(particles.row) + rows, kind="stable")


def _offsets(row: Array, n_events: int) -> Array:
    counts = np.bincount(row, minlength=n_events)
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts, dtype=np.int64)])


def _track_columns(
    particles: Particles,
    charged: Array,
    species: Array,
    tracks: Tracks,
    triggered: Array,
    card: Card,
    k0: np.uint64,
    k1: np.uint64,
) -> dict[str, Array]:
    """Return the track table: the tracks found in triggered events, with what the counters saw of them."""
    chosen = np.flatnonzero(tracks.found & triggered[particles.row[charged]])
    chosen = chosen[_event_order(particles, charged[chosen])]
    rows = charged[chosen]
    event, particle = particles.event[rows], particles.particle[rows]
    mass, p = MASSES[species[chosen]], tracks.p[chosen]
    helix, true_helix = _rows(tracks.helix, chosen), _rows(tracks.true_helix, chosen)
    px, py, pz = particles.px[rows], particles.py[rows], particles.pz[rows]
    cosine = pz / np.sqrt(px * px + py * py + pz * pz)
    sine = np.minimum(1.0 / np.abs(true_helix[:, KAPPA]) / p, 1.0)
    n_hits = tracks.n_hits[chosen]
    time, path, sigma = measure_tof(event, particle, mass, p, true_helix, helix, card, k0, k1)
    kinds = species[chosen].astype(np.uint64)
    depth, layers = measure_muc(event, particle, kinds, p, cosine, tracks.impact_phi[chosen], card, k0, k1)
    return {
        "track_offsets": _offsets(particles.row[rows], len(triggered)),
        "track_truth": truth_index(particle),
        "helix": helix,
        "covariance": _rows(tracks.covariance, chosen),
        "n_hits": n_hits.astype(np.int32),
        "dedx": measure_dedx(event, particle, mass, p, n_hits, sine, card, k0, k1),
        "tof": time,
        "tof_path": path,
        "tof_sigma": sigma,
        "muc_depth": depth,
        "muc_layers": layers.astype(np.int32),
    }


def _rows(table: Array, chosen: Array) -> Array:
    """Return rows of an (n, k) table that is stored component by component, as is the result."""
    return np.take(table.T, chosen, axis=1, mode="clip").T
