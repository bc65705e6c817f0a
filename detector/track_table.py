"""Cholesky factors of track covariances, tabulated once per card and interpolated for every track.

A rotation by pi about the x axis turns charge and cos(theta) around together and leaves the wires as they are: the
covariance depends on (p, charge * cos theta) only. An interpolated triangular factor with a positive diagonal is the
factor of a positive definite matrix, whatever the weights.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from ..constants import HYPOTHESIS_MASSES
from ..elementary import log, split_index
from ..geometry.sections import Card
from ..kernel import BLOCK, stage
from .arithmetic import exponential, logarithm
from .covariance import cholesky, helix_covariance

#: Grid: momenta [GeV/c] spaced evenly in ln p, and charge * cos(theta) spaced evenly.
P_MIN, P_MAX, N_P = 0.05, 8.0, 48
COS_MAX, N_COS = 0.96, 129

#: Numbers of a node: 15 entries of the factor, lower triangle by rows, and the number of layers.
ENTRIES = 16

_B = np.uint64(BLOCK)
#: Covariance that stands for none until a neighbour's takes its place.
_UNIT = np.array([[float(i == j)] for i in range(5) for j in range(i + 1)])


class TrackTable(NamedTuple):
    """Table of shape (n_species * N_P * N_COS * 16,), and the constants of its grid."""

    values: Floats
    log_p_min: float
    per_log_p: float


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
    cosines = np.tile([COS_MAX * (2.0 * i / (N_COS - 1) - 1.0) for i in range(N_COS)], N_P)
    values = np.empty((len(HYPOTHESIS_MASSES), N_P, N_COS, ENTRIES))
    for species, mass in zip(values, HYPOTHESIS_MASSES):
        covariance, hits = helix_covariance(card, momenta, cosines, 1.0, mass)
        measured = (hits >= card.mdc.min_hits).reshape(N_P, N_COS)
        covariance[:, hits < card.mdc.min_hits] = _UNIT
        species[:, :, :15] = cholesky(covariance).T.reshape(N_P, N_COS, 15)
        species[:, :, 15] = hits.reshape(N_P, N_COS)
        if not measured[-1, N_COS // 2]:
            raise ValueError(f"card {card.name}: mdc.min_hits = {card.mdc.min_hits}, no track crosses as many layers")
        _extend(species[:, :, :15], measured)
    flat = values.reshape(-1)
    flat.flags.writeable = False
    return TrackTable(flat, log_p_min, 1.0 / step)


def _extend(factors: Floats, measured: NDArray[np.bool_]) -> None:
    """Give nodes with too few layers the factor of the nearest measured one: inwards in angle, then up in momentum."""
    middle = N_COS // 2
    for i in range(N_P - 1, -1, -1):
        if not measured[i, middle]:
            factors[i, middle] = factors[i + 1, middle]
        for k in range(1, middle + 1):
            for j, inner in ((middle + k, middle + k - 1), (middle - k, middle - k + 1)):
                if not measured[i, j]:
                    factors[i, j] = factors[i, inner]


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
def interpolate_rows_stage(values: Floats, node: NDArray[np.uint64], fp: Floats, fc: Floats, s: Floats) -> None:
    """Fill rows 0 to 15 of a scratch for every track, linearly in ln p and charge * cos(theta)."""
    up = np.uint64(N_COS * ENTRIES)
    right = np.uint64(ENTRIES)
    for k in range(ENTRIES):
        entry = np.uint64(k)
        for i in range(np.uint64(fp.size)):
            j = node[i] + entry
            low = values[j] + fc[i] * (values[j + right] - values[j])
            high = values[j + up] + fc[i] * (values[j + up + right] - values[j + up])
            s[_B * entry + i] = low + fp[i] * (high - low)


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
def covariance_stage(s: Floats, n: int, scale: float) -> None:
    """Replace the factor L in rows 0 to 14 of a scratch by scale * L L^T for the first n tracks."""
    for j in range(np.uint64(n)):
        l00 = s[j]
        l10, l11 = s[_B * np.uint64(1) + j], s[_B * np.uint64(2) + j]
        l20, l21, l22 = s[_B * np.uint64(3) + j], s[_B * np.uint64(4) + j], s[_B * np.uint64(5) + j]
        l30, l31, l32 = s[_B * np.uint64(6) + j], s[_B * np.uint64(7) + j], s[_B * np.uint64(8) + j]
        l33 = s[_B * np.uint64(9) + j]
        l40, l41, l42 = s[_B * np.uint64(10) + j], s[_B * np.uint64(11) + j], s[_B * np.uint64(12) + j]
        l43, l44 = s[_B * np.uint64(13) + j], s[_B * np.uint64(14) + j]
        s[j] = scale * (l00 * l00)
        s[_B * np.uint64(1) + j] = scale * (l10 * l00)
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
