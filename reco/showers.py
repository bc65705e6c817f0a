"""Calorimeter showers in reconstruction: which belongs to which track, and which are photons."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..detector import emc
from ..event import DetectorRecord, Floats, Ints
from ..geometry.card import Card
from ..geometry.directions import chord2, unit_vector
from ..kernel import blocks, stage

_SHAPES = ("e3x3_over_e5x5", "second_moment")
_PASSED_ON = ("energy_sigma", "theta_sigma", "phi_sigma", *_SHAPES)


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
    #: Shapes of the matched showers of the tracks, NaN without one.
    e3x3_over_e5x5: Floats
    second_moment: Floats


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


@stage
def usable_stage(
    energy: Floats,
    cosine: Floats,
    thresholds: tuple[float, float],
    constants: emc.EmcParameters,
    usable: NDArray[np.bool_],
) -> None:
    """Decide which showers are above the threshold of barrel or endcap inside its usable cos(theta)."""
    for i in range(np.uint64(energy.size)):
        barrel, endcap = emc.usable(cosine[i], constants)
        usable[i] = (barrel & (energy[i] > thresholds[0])) | (endcap & (energy[i] > thresholds[1]))


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
    matched = np.flatnonzero(shower >= 0)
    first = np.repeat(record.shower_offsets[:-1], np.diff(record.track_offsets))
    rows = first[matched] + shower[matched]
    of_tracks = [np.full(n, np.nan) for _ in range(3)]
    for values, column in zip(of_tracks, (record.shower_energy, *(getattr(record, f"shower_{x}") for x in _SHAPES))):
        values[matched] = column[rows]
    return Matches(shower, of_tracks[0], path_factor, taken, nearest, directions[2], *of_tracks[1:])


def photon_columns(record: DetectorRecord, matches: Matches, card: Card) -> dict[str, Any]:
    """Return the table of photons: showers without a track; good ones keep away from tracks and are in time.

    Thresholds and regions are those of the card: E above the barrel's or the endcap's threshold, inside the usable
    |cos theta|, far enough from the nearest track, and within the time window.
    """
    free = np.flatnonzero(~matches.taken)
    event = np.repeat(np.arange(record.n_events), np.diff(record.shower_offsets))[free]
    energy, theta = record.shower_energy[free], record.shower_theta[free]
    usable = np.empty(len(free), dtype=bool)
    conventions, thresholds = card.reconstruction, (card.emc.barrel.threshold, card.emc.endcap.threshold)
    usable_stage(energy, matches.cosine[free], thresholds, emc.parameters(card), usable)
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
        "photon_good": usable & in_time & alone,
        "photon_time": time,
        **{f"photon_{name}": getattr(record, f"shower_{name}")[free] for name in _PASSED_ON},
    }
