"""Particle guns: truth events made by hand, for tests of the detector and the reconstruction."""

import dataclasses

import numpy as np
from besfast.event import TruthEvents, empty_columns
from besfast.geometry.card import load_card
from besfast.geometry.sections import Card

MASSES = {11: 0.51099895e-3, 13: 0.1056583755, 211: 0.13957039, 321: 0.493677, 2212: 0.93827208816}


def charge_of(pdg):
    return np.where(np.abs(pdg) < 100, -np.sign(pdg), np.sign(pdg)) * (pdg != 22)


def gun(pdg, p, cosine, phi, *, vertex=(0.0, 0.0, 0.0), per_event=1, frame="lab", **columns):
    """Return events of `per_event` particles each from arrays (or numbers) per particle; momenta p [GeV]."""
    pdg, p, cosine, phi = np.broadcast_arrays(np.asarray(pdg), p, cosine, phi)
    n = pdg.size
    parts = empty_columns("TruthEvents", "event", n // per_event) | empty_columns("TruthEvents", "particle", n)
    sine = np.sqrt(1.0 - cosine**2)
    mass = np.array([MASSES.get(abs(int(kind)), 0.0) for kind in np.unique(pdg)])[np.searchsorted(np.unique(pdg), pdg)]
    parts["pdg"][:], parts["charge"][:], parts["status"][:], parts["parent"][:] = pdg, charge_of(pdg), 1, -1
    parts["px"][:], parts["py"][:], parts["pz"][:] = p * sine * np.cos(phi), p * sine * np.sin(phi), p * cosine
    parts["energy"][:] = np.sqrt(p**2 + mass**2)
    parts["vx"][:], parts["vy"][:], parts["vz"][:] = vertex
    parts["t"][:], parts["weight"][:], parts["event_sqrt_s"][:], parts["process"][:] = 0.0, 1.0, 3.773, 0
    parts["number"][:] = np.arange(n // per_event)
    for name, values in columns.items():
        parts[name][:] = values
    offsets = np.arange(0, n + 1, per_event, dtype=np.int64)
    return TruthEvents(offsets=offsets, **parts, processes="gun", frame=frame, sqrt_s=3.773)


def uniform_gun(n, seed, pdg=(13, -13), p=(0.3, 1.9), cosine=(-0.9, 0.9), **options):
    """Return a gun with kinds drawn from a list, momenta and cosines drawn from intervals."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice(np.atleast_1d(pdg), n)
    return gun(kinds, rng.uniform(*p, n), rng.uniform(*cosine, n), rng.uniform(-np.pi, np.pi, n), **options)


def card_with(name="besiii", **sections) -> Card:
    """Return a card with values replaced: `card_with("besiii", mdc={"tail_fraction": 0.0})`; "a.b" goes deeper."""
    card = load_card(name)
    for place, values in sections.items():
        card = _replaced(card, place.split("__"), values)
    return card


def _replaced(section, path, values):
    if not path:
        return dataclasses.replace(section, **values)
    return dataclasses.replace(section, **{path[0]: _replaced(getattr(section, path[0]), path[1:], values)})


#: BESIII without tails of the track resolution, beam spread, crossing angle and spot.
PLAIN = card_with(
    mdc={"tail_fraction": 0.0},
    beam={"energy_spread": 0.0, "spot": (0.0, 0.0, 0.0), "half_crossing_angle": 0.0},
    trigger={"efficiency": 1.0},
)


def truth_of(truth, record_offsets, index):
    """Return the row among the particles of the truth for every track or shower of a record."""
    event = np.repeat(np.arange(len(record_offsets) - 1), np.diff(record_offsets))
    return truth.offsets[event] + index
