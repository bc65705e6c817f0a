"""Cholesky factors of track covariances, tabulated once per card and interpolated for every track.

A rotation by pi about the x axis turns charge and cos(theta) around together and leaves the wires as they are: the
covariance depends on (p, charge * cos theta) only. An interpolated triangular factor with a positive diagonal is the
factor of a positive definite matrix, whatever the weights.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..constants import HYPOTHESIS_MASSES
from ..elementary import exp, log, split_index
from ..geometry.card import Card
from ..kernel import BLOCK, stage
from .track_covariance import covariance_stage, tracker

Floats = NDArray[np.float64]

#: Grid: momenta [GeV/c] spaced evenly in ln p, and charge * cos(theta) spaced evenly.
P_MIN, P_MAX, N_P = 0.05, 8.0, 48
COS_MAX, N_COS = 0.96, 129

#: Numbers of a node: 15 entries of the factor, lower triangle by rows, and the number of layers.
ENTRIES = 16

_B = np.uint64(BLOCK)


class TrackTable(NamedTuple):
    """Table of shape (n_species * N_P * N_COS * 16,), and the constants of its grid."""

    values: Floats
    log_p_min: float
    per_log_p: float


@stage
def fill_stage(
    elements: Floats, bz: float, mass: float, momenta: Floats, cosines: Floats, min_hits: int, values: Floats
) -> None:
    """Write the factors of one species; nodes with too few layers are marked by zeros."""
    c = np.zeros((5, 5))
    for ip in range(momenta.size):
        for ic in range(cosines.size):
            base = (ip * cosines.size + ic) * 16
            hits = covariance_stage(elements, bz, mass, momenta[ip], cosines[ic], 1.0, c)
            good = hits >= min_hits
            for i in range(5):
                for j in range(i + 1):
                    total = c[i, j]
                    for k in range(j):
                        total -= values[base + i * (i + 1) // 2 + k] * values[base + j * (j + 1) // 2 + k]
                    if i == j:
                        good = good and total > 0.0
                        values[base + i * (i + 1) // 2 + j] = math.sqrt(max(total, 1e-300))
                    else:
                        values[base + i * (i + 1) // 2 + j] = total / values[base + j * (j + 1) // 2 + j]
            values[base + 15] = hits
            if not good:
                for k in range(15):
                    values[base + k] = 0.0


@stage
def extend_stage(n_p: int, n_cos: int, values: Floats) -> None:
    """Give nodes without a track the factor of the nearest one with a track: in angle first, then in momentum."""
    middle = n_cos // 2
    for ip in range(n_p - 1, -1, -1):
        for side in range(2):
            for step in range(middle + 1):
                ic = middle + step if side == 0 else middle - step
                base = (ip * n_cos + ic) * 16
                if values[base] > 0.0:
                    continue
                inner = ic - 1 if side == 0 else ic + 1
                source = ((ip + 1) * n_cos + ic) * 16 if step == 0 else (ip * n_cos + inner) * 16
                for k in range(15):
                    values[base + k] = values[source + k]


@lru_cache(maxsize=16)
def track_table(card: Card) -> TrackTable:
    """Return the table of a card for the five hypotheses, in their order."""
    elements, bz = tracker(card)
    log_p_min, log_p_max = float(log(P_MIN)), float(log(P_MAX))
    step = (log_p_max - log_p_min) / (N_P - 1)
    momenta = np.array([exp(log_p_min + i * step) for i in range(N_P)])
    cosines = np.array([COS_MAX * (2.0 * i / (N_COS - 1) - 1.0) for i in range(N_COS)])
    species = []
    for mass in HYPOTHESIS_MASSES:
        values = np.zeros(N_P * N_COS * ENTRIES)
        fill_stage(elements, bz, mass, momenta, cosines, card.mdc.min_hits, values)
        if not values[(N_P * N_COS - N_COS // 2 - 1) * ENTRIES] > 0.0:
            raise ValueError(f"card {card.name}: mdc.min_hits = {card.mdc.min_hits}, no track has as many hits")
        extend_stage(N_P, N_COS, values)
        species.append(values)
    return TrackTable(np.concatenate(species), log_p_min, 1.0 / step)


@stage
def locate_stage(
    p: Floats,
    signed_cosine: Floats,
    species: int,
    log_p_min: float,
    per_log_p: float,
    node: NDArray[np.uint64],
    fp: Floats,
    fc: Floats,
) -> None:
    """Return the lower node of every track (index of its first number) and the fractions within the cell."""
    first = np.uint64(species * N_P * N_COS)
    for i in range(np.uint64(p.size)):
        x = (log(max(p[i], 1e-6)) - log_p_min) * per_log_p
        y = (signed_cosine[i] + COS_MAX) * ((N_COS - 1) / (2.0 * COS_MAX))
        ip, fp[i] = split_index(min(max(x, 0.0), N_P - 1.0))
        ic, fc[i] = split_index(min(max(y, 0.0), N_COS - 1.0))
        # the last node is reached as the upper end of the last cell
        last_p, last_c = ip == np.uint64(N_P - 1), ic == np.uint64(N_COS - 1)
        fp[i] = 1.0 if last_p else fp[i]
        fc[i] = 1.0 if last_c else fc[i]
        ip = np.uint64(N_P - 2) if last_p else ip
        ic = np.uint64(N_COS - 2) if last_c else ic
        node[i] = (first + ip * np.uint64(N_COS) + ic) * np.uint64(ENTRIES)


@stage
def interpolate_stage(
    values: Floats, node: NDArray[np.uint64], fp: Floats, fc: Floats, entry: int, out: Floats
) -> None:
    """Interpolate one of the 16 numbers for every track, linearly in ln p and charge * cos(theta)."""
    k = np.uint64(entry)
    up = np.uint64(N_COS * ENTRIES)
    right = np.uint64(ENTRIES)
    for i in range(np.uint64(fp.size)):
        j = node[i] + k
        low = values[j] + fc[i] * (values[j + right] - values[j])
        high = values[j + up] + fc[i] * (values[j + up + right] - values[j + up])
        out[i] = low + fp[i] * (high - low)


@stage
def smear_stage(s: Floats, n: int, scale: float, tail_fraction: float, tail_scale: float) -> None:
    """Add L g to the true helix of the first n tracks of a scratch, L twice as large (say) in the tails.

    Rows of the scratch, each of BLOCK numbers: 0-14 the factor L, 16-20 normals g, 21 a uniform that chooses the
    tails, 22-26 the true helix, 27-31 the measured helix. The sum is scaled by `scale`: 0 smears nothing.
    """
    for j in range(np.uint64(n)):
        size = tail_scale * scale if s[_B * np.uint64(21) + j] < tail_fraction else scale
        for i in range(5):
            deviation = 0.0
            for k in range(i + 1):
                deviation += s[_B * np.uint64(i * (i + 1) // 2 + k) + j] * s[_B * np.uint64(16 + k) + j]
            s[_B * np.uint64(27 + i) + j] = s[_B * np.uint64(22 + i) + j] + size * deviation


@stage
def square_stage(s: Floats, n: int, scale2: float, entry_row: int, entry_column: int, out: Floats) -> None:
    """Write entry (row, column) of scale2 * L L^T for the first n tracks of a scratch."""
    first = entry_row * (entry_row + 1) // 2
    second = entry_column * (entry_column + 1) // 2
    for j in range(np.uint64(n)):
        total = 0.0
        for k in range(entry_column + 1):
            total += s[_B * np.uint64(first + k) + j] * s[_B * np.uint64(second + k) + j]
        out[j] = scale2 * total
