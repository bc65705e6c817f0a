"""Calorimeter showers in reconstruction: which belongs to which track, and which are photons."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Keys
from ..detector import emc
from ..event import DetectorRecord, Floats, Ints
from ..geometry.card import Card
from ..geometry.directions import chord2, unit_vector
from ..kernel import BLOCK, stage

_PASSED_ON = (
    *("energy", "theta", "phi", "time", "energy_sigma", "theta_sigma", "phi_sigma"),
    *("e3x3_over_e5x5", "second_moment"),
)
_ONE, _B = np.uint64(1), np.uint64(BLOCK)
Columns = tuple[Floats, ...]
Vectors = tuple[Floats, Floats, Floats]


class Matches(NamedTuple):
    """Which shower belongs to which track."""

    #: Per track: index of the matched shower in its event (-1: none), its energy [GeV] (NaN), the path per depth.
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
    #: Boundaries of the events among the showers without a track.
    free_offsets: Ints


@stage
def direction_stage(theta: Floats, phi: Floats, x: Floats, y: Floats, z: Floats) -> None:
    """Fill unit vectors."""
    for i in range(np.uint64(theta.size)):
        x[i], y[i], z[i] = unit_vector(theta[i], phi[i])


@stage
def impact_stage(
    d_rho: Floats,
    phi0: Floats,
    kappa: Floats,
    dz: Floats,
    tan_lambda: Floats,
    constants: emc.EmcParameters,
    s: Floats,
) -> None:
    """Fill unit vectors to where tracks meet the calorimeter, and the path per depth: rows of `BLOCK`; NaN if never."""
    for i in range(np.uint64(kappa.size)):
        x, y, z, factor = emc.track_impact(d_rho[i], phi0[i], kappa[i], dz[i], tan_lambda[i], constants)
        scale = 1.0 / math.sqrt(x * x + y * y + z * z)
        s[i] = x * scale
        s[_B + i] = y * scale
        s[_B * np.uint64(2) + i] = z * scale
        s[_B * np.uint64(3) + i] = factor


@stage
def _impacts(helix: Columns, constants: emc.EmcParameters, columns: Columns) -> None:
    """Fill the columns of `impact_stage` block by block."""
    d_rho, phi0, kappa, dz, tan_lambda = helix
    s = np.empty(4 * BLOCK)
    for start in range(0, kappa.size, BLOCK):
        b = slice(start, min(start + BLOCK, kappa.size))
        impact_stage(d_rho[b], phi0[b], kappa[b], dz[b], tan_lambda[b], constants, s)
        row = 0
        for column in columns:
            column[b] = s[row : row + b.stop - b.start]
            row += BLOCK


@stage
def match_stage(
    offsets: tuple[Keys, Keys],
    tracks: Vectors,
    showers: Vectors,
    match_chord2: float,
    columns: Vectors,
    shower: NDArray[np.int32],
    matched: Vectors,
    taken: NDArray[np.bool_],
    nearest: Floats,
    free_offsets: Ints,
) -> None:
    """Give every track of an event the nearest shower within the angle; of two tracks at one shower both get it.

    Directions are compared by the square of the chord between them, (2 sin(angle / 2))^2. The offsets are those of
    tracks and of showers; those of the showers that are left are filled. `matched` gets the columns of the showers of
    the tracks, NaN without one.
    """
    of_tracks, of_showers = offsets
    tx, ty, tz = tracks
    sx, sy, sz = showers
    energies, cores, moments = columns
    energy, core, moment = matched
    free = 0
    free_offsets[0] = 0
    for event in range(np.uint64(of_tracks.size - 1)):
        first, last = of_showers[event], of_showers[event + _ONE]
        for j in range(first, last):
            taken[j] = False
            nearest[j] = 4.0
        for i in range(of_tracks[event], of_tracks[event + _ONE]):
            best, index = match_chord2, last
            for j in range(first, last):
                x, y, z = tx[i] - sx[j], ty[i] - sy[j], tz[i] - sz[j]
                chord2 = x * x + y * y + z * z
                nearest[j] = chord2 if chord2 < nearest[j] else nearest[j]
                index = j if chord2 < best else index
                best = chord2 if chord2 < best else best
            found = index < last
            shower[i] = np.int64(index - first) if found else -1
            energy[i] = energies[index] if found else math.nan
            core[i] = cores[index] if found else math.nan
            moment[i] = moments[index] if found else math.nan
            if found:
                taken[index] = True
        for j in range(first, last):
            free += 0 if taken[j] else 1
        free_offsets[event + _ONE] = free


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


@stage
def _directions(theta: Floats, phi: Floats, directions: Vectors) -> None:
    """Fill unit vectors block by block."""
    x, y, z = directions
    for start in range(0, x.size, BLOCK):
        b = slice(start, min(start + BLOCK, x.size))
        direction_stage(theta[b], phi[b], x[b], y[b], z[b])


@stage
def take_stage(columns: Columns, rows: Keys, taken: Columns) -> None:
    """Copy some rows of columns."""
    for column, values in zip(columns, taken):
        for j in range(np.uint64(rows.size)):
            values[j] = column[rows[j]]


def _vectors(n: int) -> Vectors:
    return np.empty(n), np.empty(n), np.empty(n)


def match_showers(record: DetectorRecord, card: Card) -> Matches:
    """Extrapolate the tracks to the calorimeter and match showers to them."""
    n, n_showers = len(record.helix), len(record.shower_energy)
    impacts, directions, matched = _vectors(n), _vectors(n_showers), _vectors(n)
    path_factor = np.empty(n)
    _impacts(tuple(record.helix.T), emc.parameters(card), (*impacts, path_factor))
    _directions(record.shower_theta, record.shower_phi, directions)
    shower, taken, nearest = np.empty(n, dtype=np.int32), np.empty(n_showers, dtype=bool), np.empty(n_showers)
    free_offsets = np.empty(record.n_events + 1, dtype=np.int64)
    offsets = record.track_offsets.astype(np.uint64), record.shower_offsets.astype(np.uint64)
    columns = record.shower_energy, record.shower_e3x3_over_e5x5, record.shower_second_moment
    found = shower, matched, taken, nearest, free_offsets
    match_stage(offsets, impacts, directions, chord2(card.reconstruction.match_angle), columns, *found)
    energy, core, moment = matched
    return Matches(shower, energy, path_factor, taken, nearest, directions[2], core, moment, free_offsets)


def photon_columns(record: DetectorRecord, matches: Matches, card: Card) -> dict[str, Any]:
    """Return the table of photons: showers without a track; good ones keep away from tracks and are in time.

    Thresholds and regions are those of the card: E above the barrel's or the endcap's threshold, inside the usable
    |cos theta|, far enough from the nearest track, and within the time window.
    """
    free = np.flatnonzero(~matches.taken).astype(np.uint64)
    columns = [getattr(record, f"shower_{name}") for name in _PASSED_ON]
    photons = [np.empty(len(free)) for _ in range(len(columns) + 2)]
    take_stage((*columns, matches.cosine, matches.nearest), free, tuple(photons))
    of = dict(zip(_PASSED_ON, photons))
    cosine, nearest = photons[-2:]
    usable = np.empty(len(free), dtype=bool)
    conventions, thresholds = card.reconstruction, (card.emc.barrel.threshold, card.emc.endcap.threshold)
    usable_stage(of["energy"], cosine, thresholds, emc.parameters(card), usable)
    in_time = (of["time"] >= conventions.photon_time_range[0]) & (of["time"] <= conventions.photon_time_range[1])
    alone = nearest > chord2(conventions.photon_track_angle)
    return {
        "photon_offsets": matches.free_offsets,
        "photon_truth": record.shower_truth[free],
        "photon_good": usable & in_time & alone,
        **{f"photon_{name}": column for name, column in of.items()},
    }
