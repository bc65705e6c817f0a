"""Calorimeter showers in reconstruction: which belongs to which track, and which are photons."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..detector import emc
from ..event import DetectorRecord, Floats, Ints
from ..geometry.card import Card
from ..geometry.directions import chord2, unit_vector
from ..kernel import blocks, stage


class Matches(NamedTuple):
    """Per track: index of the matched shower in its event (-1: none), its energy [GeV] (NaN), the path per depth."""

    shower: NDArray[np.int32]
    energy: Floats
    path_factor: Floats
    #: Per shower: whether it belongs to a track, its distance to the nearest track's impact as the square of the chord
    #: between the two directions on the unit sphere (4 without a track), and the cosine of its polar angle.
    taken: NDArray[np.bool_]
    nearest: Floats
    cosine: Floats


@stage
def direction_stage(theta: Floats, phi: Floats, x: Floats, y: Floats, z: Floats) -> None:
    """Fill unit vectors."""
    for i in range(np.uint64(theta.size)):
        x[i], y[i], z[i] = unit_vector(theta[i], phi[i])


@stage
def match_stage(
    track_offsets: Ints,
    shower_offsets: Ints,
    tracks: tuple[Floats, Floats, Floats],
    showers: tuple[Floats, Floats, Floats],
    match_chord2: float,
    shower: NDArray[np.int32],
    taken: NDArray[np.bool_],
    nearest: Floats,
) -> None:
    """Give every track of an event the nearest shower within the angle; of two tracks at one shower both get it.

    Directions are compared by the square of the chord between them, (2 sin(angle / 2))^2.
    """
    for event in range(np.uint64(track_offsets.size - 1)):
        first, last = shower_offsets[event], shower_offsets[event + np.uint64(1)]
        for j in range(first, last):
            taken[j] = False
            nearest[j] = 4.0
        for i in range(track_offsets[event], track_offsets[event + np.uint64(1)]):
            best, index = match_chord2, -1
            for j in range(first, last):
                x, y, z = tracks[0][i] - showers[0][j], tracks[1][i] - showers[1][j], tracks[2][i] - showers[2][j]
                chord2 = x * x + y * y + z * z
                if chord2 < nearest[j]:
                    nearest[j] = chord2
                if chord2 < best:
                    best, index = chord2, j
            shower[i] = -1 if index < 0 else index - first
            if index >= 0:
                taken[index] = True


def _directions(theta: Floats, phi: Floats) -> tuple[Floats, Floats, Floats]:
    x, y, z = np.empty_like(theta), np.empty_like(theta), np.empty_like(theta)
    direction_stage(theta, phi, x, y, z)
    return x, y, z


def match_showers(record: DetectorRecord, card: Card) -> Matches:
    """Extrapolate the tracks to the calorimeter and match showers to them."""
    n, n_showers = len(record.helix), len(record.shower_energy)
    theta, phi, path_factor = np.empty(n), np.empty(n), np.empty(n)
    constants = emc.parameters(card)
    for s in blocks(n):
        d_rho, phi0, kappa, dz, tan_lambda = record.helix[s].T
        emc.track_impact_stage(d_rho, phi0, kappa, dz, tan_lambda, constants, theta[s], phi[s], path_factor[s])
    shower, taken = np.empty(n, dtype=np.int32), np.empty(n_showers, dtype=bool)
    nearest = np.empty(n_showers)
    directions = _directions(record.shower_theta, record.shower_phi)
    match_stage(
        record.track_offsets,
        record.shower_offsets,
        _directions(theta, phi),
        directions,
        chord2(card.reconstruction.match_angle),
        shower,
        taken,
        nearest,
    )
    first = np.repeat(record.shower_offsets[:-1], np.diff(record.track_offsets))
    energy = np.full(n, np.nan)
    matched = np.flatnonzero(shower >= 0)
    energy[matched] = record.shower_energy[first[matched] + shower[matched]]
    return Matches(shower, energy, path_factor, taken, nearest, directions[2])


def photon_columns(record: DetectorRecord, matches: Matches, card: Card) -> dict[str, Any]:
    """Return the table of photons: showers without a track; good ones keep away from tracks and are in time.

    Thresholds and regions are those of the card: E above the barrel's or the endcap's threshold, inside the usable
    |cos theta|, far enough from the nearest track, and within the time window.
    """
    free = np.flatnonzero(~matches.taken)
    event = np.repeat(np.arange(record.n_events), np.diff(record.shower_offsets))[free]
    energy, theta = record.shower_energy[free], record.shower_theta[free]
    abs_cosine = np.abs(matches.cosine[free])
    barrel, endcap, conventions = card.emc.barrel, card.emc.endcap, card.reconstruction
    low, high = endcap.usable_cos_range
    in_barrel = (abs_cosine < barrel.usable_cos_max) & (energy > barrel.threshold)
    in_endcap = (abs_cosine > low) & (abs_cosine < high) & (energy > endcap.threshold)
    time = record.shower_time[free]
    in_time = (time >= conventions.photon_time_range[0]) & (time <= conventions.photon_time_range[1])
    alone = matches.nearest[free] > chord2(conventions.photon_track_angle)
    counts = np.bincount(event, minlength=record.n_events)
    return {
        "photon_offsets": np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts, dtype=np.int64)]),
        "photon_truth": record.shower_truth[free],
        "photon_energy": energy,
        "photon_theta": theta,
        "photon_phi": record.shower_phi[free],
        "photon_good": (in_barrel | in_endcap) & in_time & alone,
        "photon_energy_sigma": record.shower_energy_sigma[free],
        "photon_theta_sigma": record.shower_theta_sigma[free],
        "photon_phi_sigma": record.shower_phi_sigma[free],
    }
