"""Cholesky factors of track covariances, tabulated once per card and interpolated for every track.

A rotation by pi about the x axis turns charge and cos(theta) around together and leaves the wires as they are: the
covariance depends on (p, charge * cos theta) only. A detector that such a rotation changes has a second table, of the
negative charges. An interpolated triangular factor with a positive diagonal is the factor of a positive definite
matrix, whatever the weights. Nodes are kept in single precision (6e-8), so that one is a line of 64 bytes.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Keys
from ..constants import HYPOTHESIS_MASSES
from ..elementary import log, split_index
from ..geometry.sections import Card
from ..kernel import BLOCK, stage
from .arithmetic import exponential, logarithm
from .covariance import cholesky, helix_covariance
from .surfaces import is_symmetric

#: Grid: momenta [GeV/c] spaced evenly in ln p, and charge * cos(theta) spaced evenly.
P_MIN, P_MAX, N_P = 0.05, 8.0, 48
COS_MAX, N_COS = 0.96, 129

#: Numbers of a node: 15 entries of the factor, lower triangle by rows, and the number of layers.
ENTRIES = 16

Singles = NDArray[np.float32]

_B = np.uint64(BLOCK)
#: Covariance that stands for none until a neighbour's takes its place.
_UNIT = np.array([[float(i == j)] for i in range(5) for j in range(i + 1)])


class TrackTable(NamedTuple):
    """Tables of shape (1 or 2, n_species, N_P, N_COS, ENTRIES) as one column, and the constants of the grid.

    `negative` is the number of nodes before the table of the negative charges: 0 where one table serves both.
    """

    values: Singles
    log_p_min: float
    per_log_p: float
    negative: int


@lru_cache(maxsize=16)
def track_table(card: Card) -> TrackTable:
    """Return the table of a card for the five hypotheses, in their order.

    Raises
    ------
    ValueError
        If no track crosses `mdc.min_hits` layers.
    """
    log_p_min, log_p_max = float(logarithm(P_MIN)), float(logarithm(P_MAX))
    step = (log_p_max - log_p_min) / (N_P - 1)
    momenta = np.repeat(exponential(log_p_min + step * np.arange(N_P)), N_COS)
    signed_cosines = np.tile([COS_MAX * (2.0 * i / (N_COS - 1) - 1.0) for i in range(N_COS)], N_P)
    charges = (1.0,) if is_symmetric(card) else (1.0, -1.0)
    values = np.empty((len(charges), len(HYPOTHESIS_MASSES), N_P, N_COS, ENTRIES))
    for number, charge in enumerate(charges):
        for species, mass in zip(values[number], HYPOTHESIS_MASSES):
            covariance, hits = helix_covariance(card, momenta, charge * signed_cosines, charge, mass)
            measured = (hits >= card.mdc.min_hits).reshape(N_P, N_COS)
            covariance[:, hits < card.mdc.min_hits] = _UNIT
            species[:, :, :15] = cholesky(covariance).T.reshape(N_P, N_COS, 15)
            species[:, :, 15] = hits.reshape(N_P, N_COS)
            if not measured[-1].any():
                few = f"mdc.min_hits = {card.mdc.min_hits}, no track crosses as many layers"
                raise ValueError(f"card {card.name}: {few}")
            _extend(species[:, :, :15], measured)
    flat = values.astype(np.float32).reshape(-1)
    flat.flags.writeable = False
    return TrackTable(flat, log_p_min, 1.0 / step, (len(charges) - 1) * len(HYPOTHESIS_MASSES) * N_P * N_COS)


def _extend(factors: Floats, measured: NDArray[np.bool_]) -> None:
    """Give nodes with too few layers the factor of the nearest measured one: in angle, then up in momentum."""
    middle = int(np.flatnonzero(measured[-1])[len(np.flatnonzero(measured[-1])) // 2])
    for i in range(N_P - 1, -1, -1):
        if not measured[i, middle]:
            factors[i, middle] = factors[i + 1, middle]
        for j in range(middle + 1, N_COS):
            if not measured[i, j]:
                factors[i, j] = factors[i, j - 1]
        for j in range(middle - 1, -1, -1):
            if not measured[i, j]:
                factors[i, j] = factors[i, j + 1]


@stage
def locate_stage(
    p: Floats,
    signed_cosine: Floats,
    charge: Floats,
    species: int,
    grid: tuple[float, float, int],
    node: Keys,
    fp: Floats,
    fc: Floats,
) -> None:
    """Return the lower node of every track (index of its first number) and the fractions within the cell."""
    log_p_min, per_log_p, negative = grid
    first = np.uint64(species * N_P * N_COS)
    second = first + np.uint64(negative)
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
        of_charge = second if charge[i] < 0.0 else first
        node[i] = (of_charge + ip * np.uint64(N_COS) + ic) * np.uint64(ENTRIES)


@stage
def interpolate_stage(values: Singles, node: Keys, fp: Floats, fc: Floats, factors: Floats) -> None:
    """Fill `ENTRIES` numbers per track, one track after the other, linearly in ln p and charge * cos(theta)."""
    up = np.uint64(N_COS * ENTRIES)
    right = np.uint64(ENTRIES)
    for i in range(np.uint64(fp.size)):
        j, f, g = node[i], fp[i], fc[i]
        first = i * right
        # the numbers of a node lie side by side: vectors along them, no gather
        for k in range(right):
            a, b = np.float64(values[j + k]), np.float64(values[j + right + k])
            c, d = np.float64(values[j + up + k]), np.float64(values[j + up + right + k])
            low, high = a + g * (b - a), c + g * (d - c)
            factors[first + k] = low + f * (high - low)


@stage
def smear_stage(factors: Floats, s: Floats, n: int, scale: float, tail_fraction: float, tail_scale: float) -> None:
    """Add L g to the true helix of the first n tracks of a scratch, L twice as large (say) in the tails.

    `factors` holds L, `ENTRIES` numbers per track. Rows of the scratch, each of BLOCK numbers: 0-4 normals g, 5 a
    uniform that chooses the tails, 6-10 the true helix, 11-15 the measured helix. The sum is scaled by `scale`: 0
    smears nothing.
    """
    for j in range(np.uint64(n)):
        first = j * np.uint64(ENTRIES)
        size = tail_scale * scale if s[_B * np.uint64(5) + j] < tail_fraction else scale
        for i in range(5):
            deviation = 0.0
            for k in range(i + 1):
                deviation += factors[first + np.uint64(i * (i + 1) // 2 + k)] * s[_B * np.uint64(k) + j]
            s[_B * np.uint64(11 + i) + j] = s[_B * np.uint64(6 + i) + j] + size * deviation


@stage
def covariance_stage(factors: Floats, scale: float, n: int, s: Floats) -> None:
    """Fill rows 0 to 14 of a scratch with scale * L L^T of the first n tracks, `ENTRIES` numbers of L each."""
    for j in range(np.uint64(n)):
        at = j * np.uint64(ENTRIES)
        l00 = factors[at]
        l10, l11 = factors[at + np.uint64(1)], factors[at + np.uint64(2)]
        l20, l21, l22 = factors[at + np.uint64(3)], factors[at + np.uint64(4)], factors[at + np.uint64(5)]
        l30, l31, l32 = factors[at + np.uint64(6)], factors[at + np.uint64(7)], factors[at + np.uint64(8)]
        l33 = factors[at + np.uint64(9)]
        l40, l41, l42 = factors[at + np.uint64(10)], factors[at + np.uint64(11)], factors[at + np.uint64(12)]
        l43, l44 = factors[at + np.uint64(13)], factors[at + np.uint64(14)]
        s[j] = scale * (l00 * l00)
        s[_B + j] = scale * (l10 * l00)
        s[_B * np.uint64(2) + j] = scale * (l10 * l10 + l11 * l11)
        s[_B * np.uint64(3) + j] = scale * (l20 * l00)
        s[_B * np.uint64(4) + j] = scale * (l20 * l10 + l21 * l11)
        s[_B * np.uint64(5) + j] = scale * (l20 * l20 + l21 * l21 + l22 * l22)
        s[_B * np.uint64(6) + j] = scale * (l30 * l00)
        s[_B * np.uint64(7) + j] = scale * (l30 * l10 + l31 * l11)
        s[_B * np.uint64(8) + j] = scale * (l30 * l20 + l31 * l21 + l32 * l22)
        s[_B * np.uint64(9) + j] = scale * (l30 * l30 + l31 * l31 + l32 * l32 + l33 * l33)
        s[_B * np.uint64(10) + j] = scale * (l40 * l00)
        s[_B * np.uint64(11) + j] = scale * (l40 * l10 + l41 * l11)
        s[_B * np.uint64(12) + j] = scale * (l40 * l20 + l41 * l21 + l42 * l22)
        s[_B * np.uint64(13) + j] = scale * (l40 * l30 + l41 * l31 + l42 * l32 + l43 * l33)
        s[_B * np.uint64(14) + j] = scale * (l40 * l40 + l41 * l41 + l42 * l42 + l43 * l43 + l44 * l44)


def covariances(factors: Floats, chosen: NDArray[np.intp], scale: float) -> Floats:
    """Return the covariances (m, 15) of chosen tracks out of factors (n, ENTRIES), column by column in memory."""
    found = np.empty((15, len(chosen)))
    _multiply(factors.reshape(-1), chosen, scale, found)
    return found.T


@stage
def _multiply(factors: Floats, chosen: NDArray[np.intp], scale: float, found: Floats) -> None:
    """Fill the covariances of chosen tracks, shape (15, m), block by block."""
    own, s = np.empty(ENTRIES * BLOCK), np.empty(15 * BLOCK)
    for first in range(0, chosen.size, BLOCK):
        last = min(first + BLOCK, chosen.size)
        n = last - first
        for j in range(np.uint64(n)):
            source, target = np.uint64(chosen[first + j]) * np.uint64(ENTRIES), j * np.uint64(ENTRIES)
            for k in range(np.uint64(ENTRIES)):
                own[target + k] = factors[source + k]
        covariance_stage(own, scale, n, s)
        for k in range(15):
            found[k, first:last] = s[k * BLOCK : k * BLOCK + n]
