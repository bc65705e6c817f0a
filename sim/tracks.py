"""From charged particles to measured helices: energy loss, resolution from the layers crossed, efficiency."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from ..constants import ELECTRON, HYPOTHESES, HYPOTHESIS_MASSES, MUON
from ..detector import emc
from ..detector.ionisation import Loss, correct_stage, ionisation_loss, share_crossed, slow_down_stage
from ..detector.ionisation import draw_stage as energy_loss_draw_stage
from ..detector.track_table import (
    P_MIN,
    TrackTable,
    covariance_stage,
    interpolate_rows_stage,
    locate_stage,
    smear_stage,
    track_table,
)
from ..elementary import erf
from ..geometry.card import Card
from ..geometry.helix import helix_at_origin
from ..kernel import BLOCK, stage
from ..rng import TRACK_EFFICIENCY_STREAM, TRACK_STREAM, normal2, uniform, words
from .particles import Particles

_B = np.uint64(BLOCK)

# rows of the scratch; 0 to 31 are those of smear_stage
_N_HITS, _NORMALS, _TAIL, _TRUE, _MEASURED = 15, 16, 21, 22, 27
_X, _Y, _Z, _PX, _PY, _PZ, _CHARGE = range(32, 39)
_P, _SIGNED_COS, _PT, _FOUND = range(39, 43)
_FP, _FC = 43, 44
ROWS = 45


class Tracks(NamedTuple):
    """Columns of all charged particles of a chunk, found or not, in the order of their species.

    `impact_*` is where the true helix meets the calorimeter, `path_factor` the path there per depth; NaN if it curls.
    """

    found: NDArray[np.bool_]
    helix: Floats
    covariance: Floats
    n_hits: Floats
    true_helix: Floats
    p: Floats
    impact_theta: Floats
    impact_phi: Floats
    path_factor: Floats


@stage
def helix_stage(s: Floats, n: int, bz: float) -> None:
    """Write the true helix and p, pt, charge * cos(theta) of the first n particles of the scratch."""
    for j in range(np.uint64(n)):
        px, py, pz = s[_B * np.uint64(_PX) + j], s[_B * np.uint64(_PY) + j], s[_B * np.uint64(_PZ) + j]
        charge = s[_B * np.uint64(_CHARGE) + j]
        # along the beam exactly there is no helix: a tenth of an eV keeps the numbers finite, and no layer is crossed
        px = 1e-10 if px * px + py * py == 0.0 else px
        d_rho, phi0, kappa, dz, tan_lambda = helix_at_origin(
            s[_B * np.uint64(_X) + j], s[_B * np.uint64(_Y) + j], s[_B * np.uint64(_Z) + j], px, py, pz, charge, bz
        )
        s[_B * np.uint64(_TRUE) + j] = d_rho
        s[_B * np.uint64(_TRUE + 1) + j] = phi0
        s[_B * np.uint64(_TRUE + 2) + j] = kappa
        s[_B * np.uint64(_TRUE + 3) + j] = dz
        s[_B * np.uint64(_TRUE + 4) + j] = tan_lambda
        pt = math.sqrt(px * px + py * py)
        p = math.sqrt(px * px + py * py + pz * pz)
        sign = 1.0 if charge > 0.0 else -1.0
        s[_B * np.uint64(_P) + j] = p
        s[_B * np.uint64(_PT) + j] = pt
        s[_B * np.uint64(_SIGNED_COS) + j] = sign * pz / p


@stage
def draw_stage(
    k0: np.uint64, k1: np.uint64, event: NDArray[np.uint64], particle: NDArray[np.uint64], s: Floats
) -> None:
    """Draw the five normals and the uniform of the tails of every track."""
    for j in range(np.uint64(event.size)):
        a, b, c, d = words(k0, k1, event[j], particle[j], TRACK_STREAM, np.uint64(0))
        g0, g1 = normal2(a, b)
        g2, g3 = normal2(c, d)
        a, b, c, _ = words(k0, k1, event[j], particle[j], TRACK_STREAM, np.uint64(1))
        g4, _ = normal2(a, b)
        s[_B * np.uint64(_NORMALS) + j] = g0
        s[_B * np.uint64(_NORMALS + 1) + j] = g1
        s[_B * np.uint64(_NORMALS + 2) + j] = g2
        s[_B * np.uint64(_NORMALS + 3) + j] = g3
        s[_B * np.uint64(_NORMALS + 4) + j] = g4
        s[_B * np.uint64(_TAIL) + j] = uniform(c)


@stage
def found_stage(
    k0: np.uint64,
    k1: np.uint64,
    event: NDArray[np.uint64],
    particle: NDArray[np.uint64],
    s: Floats,
    efficiency: float,
    turn_on: tuple[float, float, float, float],
    min_hits: float,
) -> None:
    """Decide which tracks are found: plateau times the turn-on in pt times the edge in |cos theta|, and enough layers.

    efficiency (1 + erf((pt - pt0) / width)) / 2 (1 + erf((cos0 - |cos theta|) / width)) / 2, `turn_on` holding
    (pt0, width, cos0, width).
    """
    pt_threshold, pt_width, cos_edge, cos_width = turn_on
    for j in range(np.uint64(event.size)):
        a, _, _, _ = words(k0, k1, event[j], particle[j], TRACK_EFFICIENCY_STREAM, np.uint64(0))
        x = (s[_B * np.uint64(_PT) + j] - pt_threshold) / pt_width
        y = (cos_edge - abs(s[_B * np.uint64(_SIGNED_COS) + j])) / cos_width
        probability = efficiency * 0.25 * (1.0 + erf(x)) * (1.0 + erf(y))
        # the table of the layers ends at P_MIN, where a track still bends back inside the chamber
        enough = (s[_B * np.uint64(_N_HITS) + j] >= min_hits) & (s[_B * np.uint64(_P) + j] >= P_MIN)
        s[_B * np.uint64(_FOUND) + j] = 1.0 if (uniform(a) < probability) & enough else 0.0


def measure_tracks(
    particles: Particles, species: NDArray[np.int64], card: Card, k0: np.uint64, k1: np.uint64
) -> Tracks:
    """Measure charged particles.

    Parameters
    ----------
    particles : Particles
        Charged particles in the laboratory.
    species : ndarray of int, shape (n,)
        Index of the hypothesis that each of them is, in ascending order.
    card : Card
    k0, k1 : numpy.uint64
        Key of the random numbers.
    """
    n = len(species)
    tracks = Tracks(
        np.empty(n, dtype=bool),
        np.empty((n, 5), order="F"),
        np.empty((n, 15), order="F"),
        np.empty(n),
        np.empty((n, 5), order="F"),
        *(np.empty(n) for _ in range(4)),
    )
    scratch = np.zeros(ROWS * BLOCK)
    bounds = np.searchsorted(species, np.arange(len(HYPOTHESES) + 1))
    for hypothesis in range(len(HYPOTHESES)):
        response = _response(card, hypothesis)
        for start in range(bounds[hypothesis], bounds[hypothesis + 1], BLOCK):
            block = slice(start, min(start + BLOCK, bounds[hypothesis + 1]))
            _measure_block(particles, block, response, k0, k1, scratch, tracks)
    return tracks


class _Response(NamedTuple):
    """What a card says about the tracks of one hypothesis."""

    hypothesis: int
    card: Card
    table: TrackTable
    efficiency: float
    calorimeter: emc.EmcParameters
    loss: Loss | None


def _response(card: Card, hypothesis: int) -> _Response:
    mdc = card.mdc
    efficiency = {ELECTRON: mdc.efficiency_electron, MUON: mdc.efficiency_muon}.get(hypothesis, mdc.efficiency_hadron)
    return _Response(hypothesis, card, track_table(card), efficiency, emc.parameters(card), ionisation_loss(card))


def _measure_block(
    particles: Particles,
    block: slice,
    response: _Response,
    k0: np.uint64,
    k1: np.uint64,
    s: Floats,
    tracks: Tracks,
) -> None:
    n, mdc, table = block.stop - block.start, response.card.mdc, response.table
    rows = s.reshape(ROWS, BLOCK)[:, :n]
    event, index = particles.event[block], particles.particle[block]
    sources = ("x", "y", "z", "px", "py", "pz", "charge")
    for row, name in zip((_X, _Y, _Z, _PX, _PY, _PZ, _CHARGE), sources):
        rows[row] = getattr(particles, name)[block]
    helix_stage(s, n, response.card.field.bz)
    loss, mass = response.loss, HYPOTHESIS_MASSES[response.hypothesis]
    if loss is not None:
        share, g = share_crossed(rows[_X] * rows[_X] + rows[_Y] * rows[_Y], response.card, loss), np.empty(n)
        energy_loss_draw_stage(k0, k1, event, index, g)
        true = rows[_TRUE], rows[_TRUE + 1], rows[_TRUE + 2]
        slow_down_stage(mass, loss.constants, share, g, rows[_P], rows[_PT], true)
    node = np.empty(n, dtype=np.uint64)
    grid = (response.hypothesis, table.log_p_min, table.per_log_p)
    locate_stage(rows[_P], rows[_SIGNED_COS], *grid, node, rows[_FP], rows[_FC])
    interpolate_rows_stage(table.values, node, rows[_FP], rows[_FC], s)
    draw_stage(k0, k1, event, index, s)
    smear_stage(s, n, 1.0 if mdc.smear else 0.0, mdc.tail_fraction, mdc.tail_scale)
    if loss is not None:
        assumed = HYPOTHESIS_MASSES[HYPOTHESES.index(response.card.matter.track_hypothesis)]
        fitted = rows[_MEASURED], rows[_MEASURED + 1], rows[_MEASURED + 2], rows[_MEASURED + 4]
        correct_stage(assumed, 1.0, loss.constants, fitted)
    turn_on = (mdc.pt_threshold, mdc.pt_width, mdc.cos_edge, mdc.cos_width)
    found_stage(k0, k1, event, index, s, response.efficiency, turn_on, float(mdc.min_hits))
    covariance_stage(s, n, mdc.covariance_scale)
    tracks.covariance[block] = rows[:_N_HITS].T
    tracks.helix[block] = rows[_MEASURED : _MEASURED + 5].T
    tracks.true_helix[block] = rows[_TRUE : _TRUE + 5].T
    np.floor(rows[_N_HITS] + 0.5, out=tracks.n_hits[block])
    np.greater(rows[_FOUND], 0.5, out=tracks.found[block])
    tracks.p[block] = rows[_P]
    d_rho, phi0, kappa, dz, tan_lambda = rows[_TRUE : _TRUE + 5]
    theta, phi, path_factor = tracks.impact_theta[block], tracks.impact_phi[block], tracks.path_factor[block]
    emc.track_impact_stage(d_rho, phi0, kappa, dz, tan_lambda, response.calorimeter, theta, phi, path_factor)
