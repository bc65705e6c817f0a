"""From charged particles to measured helices: energy loss, resolution from the layers crossed, efficiency."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Bools, Floats, Keys
from ..constants import ALPHA_T, HYPOTHESES, HYPOTHESIS_MASSES
from ..detector import emc, track_direct
from ..detector.ionisation import Loss, correct_stage, ionisation_loss, share_crossed, slow_down_stage
from ..detector.ionisation import draw_stage as energy_loss_draw_stage
from ..detector.surfaces import surfaces
from ..detector.track_efficiency import TrackEfficiency, drawn_hits, found_probability, gap_stage, track_efficiency
from ..detector.track_table import (
    ENTRIES,
    P_MIN,
    TrackTable,
    interpolate_stage,
    locate_stage,
    smear_stage,
    track_table,
)
from ..geometry.card import Card
from ..geometry.helix import helix_at_origin
from ..kernel import BLOCK, stage
from ..rng import TRACK_EFFICIENCY_STREAM, TRACK_STREAM, normal2, uniform, words
from .particles import Particles

_B = np.uint64(BLOCK)

# rows of the scratch; 0 to 15 are those of smear_stage, _RESULTS those of the columns of `Tracks`
_NORMALS, _TAIL, _TRUE, _MEASURED = 0, 5, 6, 11
_N_HITS, _P, _STATUS = range(16, 19)
_RESULTS = slice(_TRUE, 19)
_X, _Y, _Z, _PX, _PY, _PZ, _CHARGE, _STOP = range(19, 27)
_SIGNED_COS, _PT, _FOUND, _FP, _FC, _U_HITS, _START, _INBOUND, _AWAY, _KEPT = range(27, 37)
ROWS = 37

#: The row of kappa in the factor of the covariance.
_KAPPA_ERRORS = slice(3, 6)

# flags of `track_status`, as numbers to be added
CURLS, DISPLACED, ENDS, STAND_IN = 1.0, 2.0, 4.0, 8.0

#: A track from closer than this to the beam line, and to the origin along it [cm], has the covariance of one from the
#: origin: to 1 % of its errors.
NEAR_AXIS, NEAR_ORIGIN = 0.5, 5.0


class Tracks(NamedTuple):
    """Columns of all charged particles of a chunk, found or not, in the order of their species.

    `impact_*` is where the true helix meets the calorimeter, `path_factor` the path there per depth, NaN where it
    curls. `factors` of shape (n, ENTRIES) holds the factor of the covariance of each track and the layers it crosses.
    `status` is the sum of flags that the record has.
    """

    found: Bools
    helix: Floats
    factors: Floats
    n_hits: Floats
    true_helix: Floats
    p: Floats
    impact_theta: Floats
    impact_phi: Floats
    path_factor: Floats
    status: Floats


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
def status_stage(s: Floats, n: int, bz: float, free_radius: float, last_radius: float) -> None:
    """Write where the first n tracks begin, and whether they curl, begin away from the beam line or end inside.

    `free_radius` is where matter begins, `last_radius` that of the last layer of the chamber.
    """
    for j in range(np.uint64(n)):
        x, y = s[_B * np.uint64(_X) + j], s[_B * np.uint64(_Y) + j]
        d_rho, dz = s[_B * np.uint64(_TRUE) + j], s[_B * np.uint64(_TRUE + 3) + j]
        start = math.sqrt(x * x + y * y)
        outwards = x * s[_B * np.uint64(_PX) + j] + y * s[_B * np.uint64(_PY) + j]
        reach = abs(d_rho + 2.0 * (ALPHA_T / bz) / s[_B * np.uint64(_TRUE + 2) + j])
        status = CURLS if reach < last_radius else 0.0
        away = (start > free_radius) | (abs(d_rho) > NEAR_AXIS) | (abs(dz) > NEAR_ORIGIN)
        status += DISPLACED if away else 0.0
        status += ENDS if s[_B * np.uint64(_STOP) + j] < last_radius else 0.0
        s[_B * np.uint64(_START) + j] = start
        s[_B * np.uint64(_INBOUND) + j] = 1.0 if outwards < 0.0 else 0.0
        s[_B * np.uint64(_AWAY) + j] = 1.0 if away else 0.0
        s[_B * np.uint64(_STATUS) + j] = status
        s[_B * np.uint64(_KEPT) + j] = 1.0


@stage
def draw_stage(k0: np.uint64, k1: np.uint64, event: Keys, particle: Keys, s: Floats) -> None:
    """Draw the five normals and the uniforms of the tails and of the missing hits of every track."""
    for j in range(np.uint64(event.size)):
        a, b, c, d = words(k0, k1, event[j], particle[j], TRACK_STREAM, np.uint64(0))
        g0, g1 = normal2(a, b)
        g2, g3 = normal2(c, d)
        a, b, c, d = words(k0, k1, event[j], particle[j], TRACK_STREAM, np.uint64(1))
        g4, _ = normal2(a, b)
        s[_B * np.uint64(_NORMALS) + j] = g0
        s[_B * np.uint64(_NORMALS + 1) + j] = g1
        s[_B * np.uint64(_NORMALS + 2) + j] = g2
        s[_B * np.uint64(_NORMALS + 3) + j] = g3
        s[_B * np.uint64(_NORMALS + 4) + j] = g4
        s[_B * np.uint64(_TAIL) + j] = uniform(c)
        s[_B * np.uint64(_U_HITS) + j] = uniform(d)


@stage
def found_stage(
    k0: np.uint64, k1: np.uint64, event: Keys, particle: Keys, factors: Floats, s: Floats, efficiency: TrackEfficiency
) -> None:
    """Draw the hits among the layers crossed, and decide which tracks are found."""
    for j in range(np.uint64(event.size)):
        a, _, _, _ = words(k0, k1, event[j], particle[j], TRACK_EFFICIENCY_STREAM, np.uint64(0))
        crossed = factors[j * np.uint64(ENTRIES) + np.uint64(ENTRIES - 1)]
        hits = drawn_hits(crossed, s[_B * np.uint64(_U_HITS) + j], efficiency)
        pt, cosine = s[_B * np.uint64(_PT) + j], s[_B * np.uint64(_SIGNED_COS) + j]
        probability = found_probability(pt, cosine, s[_B * np.uint64(_AWAY) + j], efficiency)
        # the table of the layers ends at P_MIN, where a track still bends back inside the chamber
        enough = (hits >= efficiency.min_hits) & (s[_B * np.uint64(_P) + j] >= P_MIN)
        kept = uniform(a) < probability * s[_B * np.uint64(_KEPT) + j]
        s[_B * np.uint64(_N_HITS) + j] = hits
        s[_B * np.uint64(_FOUND) + j] = 1.0 if kept & enough else 0.0


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
    results = np.empty((_RESULTS.stop - _RESULTS.start, n))
    true, measured, (n_hits, p, status) = results[:5], results[5:10], results[10:]
    theta, phi, path_factor = (np.empty(n) for _ in range(3))
    found, factors = np.empty(n, dtype=bool), np.empty((n, ENTRIES))
    tracks = Tracks(found, measured.T, factors, n_hits, true.T, p, theta, phi, path_factor, status)
    scratch = np.zeros(ROWS * BLOCK)
    bounds = np.searchsorted(species, np.arange(len(HYPOTHESES) + 1))
    for hypothesis in range(len(HYPOTHESES)):
        response = _response(card, hypothesis)
        for start in range(bounds[hypothesis], bounds[hypothesis + 1], BLOCK):
            block = slice(start, min(start + BLOCK, bounds[hypothesis + 1]))
            _measure_block(particles, block, response, k0, k1, scratch, tracks)
            results[:, block] = scratch.reshape(ROWS, BLOCK)[_RESULTS, : block.stop - block.start]
    return tracks


class _Response(NamedTuple):
    """What a card says about the tracks of one hypothesis."""

    hypothesis: int
    card: Card
    table: TrackTable
    efficiency: TrackEfficiency
    calorimeter: emc.EmcParameters
    loss: Loss | None
    #: Radii [cm] where matter begins, and of the last layer of the chamber.
    free_radius: float
    last_radius: float


def _response(card: Card, hypothesis: int) -> _Response:
    efficiency = track_efficiency(card, hypothesis)
    radii = surfaces(card)[-1].radius, card.mdc.layers[-1].radius
    table, loss = track_table(card), ionisation_loss(card)
    return _Response(hypothesis, card, table, efficiency, emc.parameters(card), loss, *radii)


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
    sources = particles.x, particles.y, particles.z, particles.px, particles.py, particles.pz
    for row, column in enumerate((*sources, particles.charge, particles.stop), _X):
        rows[row] = column[block]
    bz = response.card.field.bz
    helix_stage(s, n, bz)
    loss, mass = response.loss, HYPOTHESIS_MASSES[response.hypothesis]
    if loss is not None:
        share, g = share_crossed(rows[_X] * rows[_X] + rows[_Y] * rows[_Y], response.card, loss), np.empty(n)
        energy_loss_draw_stage(k0, k1, event, index, g)
        true = rows[_TRUE], rows[_TRUE + 1], rows[_TRUE + 2]
        slow_down_stage(mass, loss.constants, share, g, rows[_P], rows[_PT], true)
    status_stage(s, n, bz, response.free_radius, response.last_radius)
    node = np.empty(n, dtype=np.uint64)
    grid = table.log_p_min, table.per_log_p, table.negative
    locate_stage(rows[_P], rows[_SIGNED_COS], rows[_CHARGE], response.hypothesis, grid, node, rows[_FP], rows[_FC])
    factors = tracks.factors[block].reshape(-1)
    interpolate_stage(table.values, node, rows[_FP], rows[_FC], factors)
    chosen = np.flatnonzero(rows[_STATUS] >= DISPLACED)
    if chosen.size:
        _evaluate_directly(rows, factors.reshape(n, ENTRIES), chosen, response)
    for gap in mdc.phi_gaps:
        middle = 0.5 * (mdc.layers[0].radius + mdc.layers[-1].radius)
        sector = gap.phi_min, gap.phi_max, gap.efficiency
        gap_stage(rows[_TRUE], rows[_TRUE + 1], rows[_TRUE + 2], middle, bz, sector, rows[_KEPT])
    draw_stage(k0, k1, event, index, s)
    smear_stage(factors, s, n, 1.0 if mdc.smear else 0.0, mdc.tail_fraction, mdc.tail_scale)
    if loss is not None:
        assumed = HYPOTHESIS_MASSES[HYPOTHESES.index(response.card.matter.track_hypothesis)]
        fitted = rows[_MEASURED], rows[_MEASURED + 1], rows[_MEASURED + 2], rows[_MEASURED + 4]
        correct_stage(assumed, 1.0, loss.constants, fitted, g)
        factors.reshape(n, ENTRIES)[:, _KAPPA_ERRORS] *= g[:, np.newaxis]
    found_stage(k0, k1, event, index, factors, s, response.efficiency)
    np.greater(rows[_FOUND], 0.5, out=tracks.found[block])
    d_rho, phi0, kappa, dz, tan_lambda = rows[_TRUE : _TRUE + 5]
    theta, phi, path_factor = tracks.impact_theta[block], tracks.impact_phi[block], tracks.path_factor[block]
    emc.track_impact_stage(d_rho, phi0, kappa, dz, tan_lambda, response.calorimeter, theta, phi, path_factor)


def _evaluate_directly(rows: Floats, factors: Floats, chosen: NDArray[np.intp], response: _Response) -> None:
    """Replace interpolated factors and hits of chosen tracks by those between their start and their end.

    A covariance that is not positive definite leaves the interpolated one in its place, and a flag.
    """
    n = len(chosen)
    s = np.empty(track_direct.ROWS * BLOCK)
    direct = s.reshape(track_direct.ROWS, BLOCK)[:, :n]
    pairs = (
        (track_direct.D_RHO, _TRUE),
        (track_direct.KAPPA, _TRUE + 2),
        (track_direct.DZ, _TRUE + 3),
        (track_direct.TAN_LAMBDA, _TRUE + 4),
        (track_direct.P, _P),
        (track_direct.START, _START),
        (track_direct.INBOUND, _INBOUND),
        (track_direct.STOP, _STOP),
    )
    for target, source in pairs:
        direct[target] = rows[source][chosen]
    track_direct.direct_factors(s, n, response.card, HYPOTHESIS_MASSES[response.hypothesis])
    positive = direct[track_direct.POSITIVE] > 0.0
    last = ENTRIES - 1
    factors[chosen[positive], :last] = direct[:last, positive].T
    factors[chosen, last] = direct[track_direct.N_HITS]
    rows[_STATUS][chosen[~positive]] += STAND_IN
