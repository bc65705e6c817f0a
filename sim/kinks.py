"""Tracks that decay inside the chamber: one track with a wrong momentum, or two."""

import numpy as np

from ..arrays import Bools, Ints
from ..constants import ALPHA_T
from ..detector.kink import kink_angle_stage, kink_stage
from ..geometry.card import Card
from .decays import Kinks
from .particles import Particles
from .tracks import Tracks

_MOMENTUM = ("px", "py", "pz")


def merge_kinks(particles: Particles, kinks: Kinks, card: Card) -> tuple[Particles, Bools]:
    """Return the particles as the chamber measures them, and which kinks are found as one track.

    Up to `matter.kink_angle` between parent and daughter, and inside the chamber, the parent's track goes on to the end
    with the momentum of a fit through both; the daughter has no track of its own. All others stay as they are.
    """
    layers = card.mdc.layers
    first, last = layers[0].radius, layers[-1].radius
    stop, after = particles.stop[kinks.parents], _momenta(particles, kinks.daughters)
    angle = np.empty(len(stop))
    kink_angle_stage(kinks.momenta, after, angle)
    merged = (stop > first) & (stop < last) & (angle < card.matter.kink_angle)
    if not merged.any():
        return particles, merged
    rows = kinks.parents[merged]
    start, charge = _momenta(particles, rows), particles.charge[rows]
    fraction = (stop[merged] - first) / (last - first)
    alpha = ALPHA_T / card.field.bz
    kink_stage(alpha, last - first, fraction, charge, kinks.momenta[:, merged], after[:, merged], start)
    columns = {name: getattr(particles, name).copy() for name in (*_MOMENTUM, "charge", "stop")}
    for name, values in zip((*_MOMENTUM, "charge"), (*start, charge)):
        columns[name][rows] = values
    columns["stop"][rows] = np.inf
    return particles._replace(**columns), merged


def _momenta(particles: Particles, rows: Ints) -> np.ndarray:
    return np.array([getattr(particles, name)[rows] for name in _MOMENTUM])


def end_tracks(tracks: Tracks, particles: Particles, charged: Ints, kinks: Kinks, merged: Bools) -> Ints:
    """Let tracks end where their particles do, and return whose trace each track has in the outer detectors.

    Parameters
    ----------
    tracks : Tracks
        Changed in place: what decays does not reach the calorimeter, and a daughter merged with its parent is no track.
    particles : Particles
    charged : ndarray of int
        Rows of the particles of the tracks.
    kinks : Kinks
    merged : ndarray of bool
        The kinks that are one track.

    Returns
    -------
    behind : ndarray of int
        For each track its own place, or that of the daughter where this has no track of its own.
    """
    behind = np.arange(len(charged))
    ended = np.flatnonzero(particles.stop[charged] < np.inf)
    if len(ended) == 0:
        return behind
    for impact in (tracks.impact_theta, tracks.impact_phi, tracks.path_factor):
        impact[ended] = np.nan
    place = np.empty(len(particles.row), dtype=np.int64)
    place[charged] = behind
    parents, daughters = place[kinks.parents], place[kinks.daughters]
    tracks.found[daughters[merged]] = False
    alone = ~tracks.found[daughters]
    behind[parents[alone]] = daughters[alone]
    return behind
