"""Calorimeter showers in reconstruction: which belongs to which track, and which are photons."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..detector import emc
from ..event import DetectorRecord, Floats, Ints
from ..geometry.card import Card
from ..geometry.directions import opening_angle
from ..kernel import BLOCK, stage


class Matches(NamedTuple):
    """Per track: index of the matched shower in its event (-1: none), its energy [GeV] (NaN), the path per depth."""

    shower: NDArray[np.int32]
    energy: Floats
    path_factor: Floats
    #: Per shower: whether it belongs to a track, and its angle [rad] to the nearest track's impact.
    taken: NDArray[np.bool_]
    nearest: Floats


@stage
def match_stage(
    track_offsets: Ints,
    shower_offsets: Ints,
    theta: Floats,
    phi: Floats,
    shower_theta: Floats,
    shower_phi: Floats,
    match_angle: float,
    shower: NDArray[np.int32],
    taken: NDArray[np.bool_],
    nearest: Floats,
) -> None:
    """Give every track of an event the nearest shower within the angle; of two tracks at one shower both get it."""
    for event in range(track_offsets.size - 1):
        for j in range(shower_offsets[event], shower_offsets[event + 1]):
            taken[j] = False
            nearest[j] = np.pi
        for i in range(track_offsets[event], track_offsets[event + 1]):
            best, index = match_angle, -1
            for j in range(shower_offsets[event], shower_offsets[event + 1]):
                angle = opening_angle(theta[i], phi[i], shower_theta[j], shower_phi[j])
                if angle < nearest[j]:
                    nearest[j] = angle
                if angle < best:
                    best, index = angle, j
            shower[i] = -1 if index < 0 else index - shower_offsets[event]
            if index >= 0:
                taken[index] = True


def match_showers(record: DetectorRecord, card: Card) -> Matches:
    """Extrapolate the tracks to the calorimeter and match showers to them."""
    n, n_showers = len(record.helix), len(record.shower_energy)
    theta, phi, path_factor = np.empty(n), np.empty(n), np.empty(n)
    constants = emc.parameters(card)
    for start in range(0, n, BLOCK):
        s = slice(start, start + BLOCK)
        helix = [record.helix[s, k] for k in range(5)]
        emc.track_impact_stage(*helix, constants, theta[s], phi[s], path_factor[s])
    shower, taken = np.empty(n, dtype=np.int32), np.empty(n_showers, dtype=bool)
    nearest = np.empty(n_showers)
    match_stage(
        record.track_offsets,
        record.shower_offsets,
        theta,
        phi,
        record.shower_theta,
        record.shower_phi,
        card.reconstruction.match_angle,
        shower,
        taken,
        nearest,
    )
    first = np.repeat(record.shower_offsets[:-1], np.diff(record.track_offsets))
    energy = np.full(n, np.nan)
    matched = np.flatnonzero(shower >= 0)
    energy[matched] = record.shower_energy[first[matched] + shower[matched]]
    return Matches(shower, energy, path_factor, taken, nearest)


def photon_columns(record: DetectorRecord, matches: Matches, card: Card) -> dict[str, NDArray[np.generic]]:
    """Return the table of photons: showers without a track; good ones keep away from tracks and are in time.

    Thresholds and regions are those of the card: E above the barrel's or the endcap's threshold, inside the usable
    |cos theta|, far enough from the nearest track, and within the time window.
    """
    free = np.flatnonzero(~matches.taken)
    event = np.repeat(np.arange(record.n_events), np.diff(record.shower_offsets))[free]
    energy, theta = record.shower_energy[free], record.shower_theta[free]
    abs_cosine = np.abs(np.cos(theta))
    barrel, endcap, conventions = card.emc.barrel, card.emc.endcap, card.reconstruction
    low, high = endcap.usable_cos_range
    in_barrel = (abs_cosine < barrel.usable_cos_max) & (energy > barrel.threshold)
    in_endcap = (abs_cosine > low) & (abs_cosine < high) & (energy > endcap.threshold)
    time = record.shower_time[free]
    in_time = (time >= conventions.photon_time_range[0]) & (time <= conventions.photon_time_range[1])
    alone = matches.nearest[free] > conventions.photon_track_angle
    counts = np.bincount(event, minlength=record.n_events)
    return {
        "photon_offsets": np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts, dtype=np.int64)]),
        "photon_truth": record.shower_truth[free],
        "photon_energy": energy,
        "photon_theta": theta,
        "photon_phi": record.shower_phi[free],
        "photon_good": (in_barrel | in_endcap) & in_time & alone,
    }
