"""From charged particles to measured helices: energy loss, resolution from the layers crossed, efficiency."""

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Bools, Floats, Ints
from ..constants import HYPOTHESES, HYPOTHESIS_MASSES
from ..detector import emc, track_direct
from ..detector.ionisation import Loss, correct_stage, ionisation_loss, share_stage, slow_down_stage
from ..detector.ionisation import draw_stage as energy_loss_draw_stage
from ..detector.surfaces import surface_table, surfaces
from ..detector.track_efficiency import TrackEfficiency, gap_stage, track_efficiency
from ..detector.track_table import ENTRIES, TrackTable, interpolate_stage, locate_stage, smear_stage, track_table
from ..geometry.card import Card
from ..kernel import BLOCK, stage
from . import track_stages as t
from .gather import gather_stage
from .particles import Particles

_B = np.uint64(BLOCK)
_ENTRIES = np.uint64(ENTRIES)

#: Rows of the scratch of which the columns of `Tracks` are made: true and measured helix, hits, momentum, flags.
_RESULTS = t.STATUS + 1 - t.TRUE
#: What the direct evaluation needs of a track: its row, and ours.
_DIRECT = (
    (track_direct.D_RHO, t.TRUE),
    (track_direct.KAPPA, t.TRUE + 2),
    (track_direct.DZ, t.TRUE + 3),
    (track_direct.TAN_LAMBDA, t.TRUE + 4),
    (track_direct.P, t.P),
    (track_direct.START, t.START),
    (track_direct.INBOUND, t.INBOUND),
    (track_direct.STOP, t.STOP),
)
#: Tracks that a vector holds at most: the direct evaluation is filled up to whole vectors.
_LANES = 8


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


class Response(NamedTuple):
    """What a card says about the tracks of one hypothesis, and the mass [GeV] that the fit assumes."""

    hypothesis: int
    mass: float
    assumed_mass: float
    bz: float
    table: TrackTable
    efficiency: TrackEfficiency
    calorimeter: emc.EmcParameters
    #: Whether tracks lose energy, and where.
    loses: bool
    loss: Loss
    #: Radii [cm] where matter begins, of the last layer of the chamber, and in its middle.
    free_radius: float
    last_radius: float
    middle_radius: float
    #: Azimuths with an efficiency of their own, shape (n, 3): from, to [rad], factor.
    gaps: Floats
    #: Scale of the smearing (0 without), fraction and scale of its tails.
    smearing: tuple[float, float, float]
    surfaces: Floats
    scattering_scale: float


@lru_cache(maxsize=64)
def _response(card: Card, hypothesis: int) -> Response:
    mdc, loss = card.mdc, ionisation_loss(card)
    gaps = [(gap.phi_min, gap.phi_max, gap.efficiency) for gap in mdc.phi_gaps]
    first, last = mdc.layers[0].radius, mdc.layers[-1].radius
    return Response(
        hypothesis,
        HYPOTHESIS_MASSES[hypothesis],
        HYPOTHESIS_MASSES[HYPOTHESES.index(card.matter.track_hypothesis)],
        card.field.bz,
        track_table(card),
        track_efficiency(card, hypothesis),
        emc.parameters(card),
        loss is not None,
        Loss.nothing() if loss is None else loss,
        surfaces(card)[-1].radius,
        last,
        0.5 * (first + last),
        np.array(gaps, dtype=np.float64).reshape(-1, 3),
        (1.0 if mdc.smear else 0.0, mdc.tail_fraction, mdc.tail_scale),
        surface_table(card),
        mdc.scattering_scale,
    )


def measure_tracks(
    particles: Particles, rows: Ints, species: NDArray[np.int64], card: Card, k0: np.uint64, k1: np.uint64
) -> Tracks:
    """Measure charged particles.

    Parameters
    ----------
    particles : Particles
        Particles in the laboratory.
    rows : ndarray of int, shape (n,)
        Which of them are charged.
    species : ndarray of int, shape (n,)
        Index of the hypothesis that each of them is, in ascending order.
    card : Card
    k0, k1 : numpy.uint64
        Key of the random numbers.
    """
    n = len(species)
    results, impact = np.empty((_RESULTS, n)), np.empty((3, n))
    found, factors = np.empty(n, dtype=bool), np.empty((n, ENTRIES))
    scratch, direct = np.empty(t.ROWS * BLOCK), np.empty(track_direct.ROWS * BLOCK)
    bounds = np.searchsorted(species, np.arange(len(HYPOTHESES) + 1))
    for hypothesis, (begin, end) in enumerate(pairwise(bounds)):
        if begin < end:
            of_hypothesis = _response(card, hypothesis), k0, k1, particles, rows, int(begin), int(end)
            _measure(*of_hypothesis, scratch, direct, factors.reshape(-1), results, impact, found)
    true, measured, (n_hits, p, status) = results[:5].T, results[5:10].T, results[10:]
    return Tracks(found, measured, factors, n_hits, true, p, impact[0], impact[1], impact[2], status)


@stage
def _measure(
    response: Response,
    k0: np.uint64,
    k1: np.uint64,
    particles: Particles,
    rows: Ints,
    begin: int,
    end: int,
    s: Floats,
    direct: Floats,
    factors: Floats,
    results: Floats,
    impact: Floats,
    found: Bools,
) -> None:
    """Measure the tracks begin to end, all of one hypothesis."""
    events, numbers = np.empty(BLOCK, dtype=np.uint64), np.empty(BLOCK, dtype=np.uint64)
    for first in range(begin, end, BLOCK):
        last = min(first + BLOCK, end)
        n, chosen = last - first, rows[first:last]
        event, number = events[:n], numbers[:n]
        gather_stage(particles.event, chosen, event)
        gather_stage(particles.particle, chosen, number)
        gather_stage(particles.x, chosen, _row(s, t.X, n))
        gather_stage(particles.y, chosen, _row(s, t.Y, n))
        gather_stage(particles.z, chosen, _row(s, t.Z, n))
        gather_stage(particles.px, chosen, _row(s, t.PX, n))
        gather_stage(particles.py, chosen, _row(s, t.PY, n))
        gather_stage(particles.pz, chosen, _row(s, t.PZ, n))
        gather_stage(particles.charge, chosen, _row(s, t.CHARGE, n))
        gather_stage(particles.stop, chosen, _row(s, t.STOP, n))
        own = factors[first * ENTRIES : last * ENTRIES]
        _track(response, k0, k1, event, number, n, s, direct, own)
        for k in range(_RESULTS):
            results[k, first:last] = _row(s, t.TRUE + k, n)
        t.found_flag_stage(s, found[first:last])
        d_rho, phi0, kappa = _row(s, t.TRUE, n), _row(s, t.TRUE + 1, n), _row(s, t.TRUE + 2, n)
        dz, tan_lambda = _row(s, t.TRUE + 3, n), _row(s, t.TRUE + 4, n)
        at = impact[0, first:last], impact[1, first:last], impact[2, first:last]
        emc.track_impact_stage(d_rho, phi0, kappa, dz, tan_lambda, response.calorimeter, at[0], at[1], at[2])


@stage
def _row(s: Floats, row: int, n: int) -> Floats:
    """Return the first n numbers of a row of the scratch."""
    return s[row * BLOCK : row * BLOCK + n]


@stage
def _track(
    response: Response,
    k0: np.uint64,
    k1: np.uint64,
    event: NDArray[np.uint64],
    number: NDArray[np.uint64],
    n: int,
    s: Floats,
    direct: Floats,
    factors: Floats,
) -> None:
    """Measure a block of tracks whose rows X to STOP are filled."""
    bz, table, loss = response.bz, response.table, response.loss
    p, normals = _row(s, t.P, n), _row(s, t.LOSS, n)
    true = _row(s, t.TRUE, n), _row(s, t.TRUE + 1, n), _row(s, t.TRUE + 2, n)
    t.helix_stage(s, n, bz)
    if response.loses:
        share = _row(s, t.SHARE, n)
        share_stage(_row(s, t.X, n), _row(s, t.Y, n), loss, response.last_radius, share)
        energy_loss_draw_stage(k0, k1, event, number, normals)
        slow_down_stage(response.mass, loss.constants, share, normals, p, _row(s, t.PT, n), true)
    t.status_stage(s, n, bz, response.free_radius, response.last_radius)
    node, fp, fc = np.empty(n, dtype=np.uint64), _row(s, t.FP, n), _row(s, t.FC, n)
    grid = table.log_p_min, table.per_log_p, table.negative
    locate_stage(p, _row(s, t.SIGNED_COS, n), _row(s, t.CHARGE, n), response.hypothesis, grid, node, fp, fc)
    interpolate_stage(table.values, node, fp, fc, factors)
    _evaluate_directly(response, n, s, direct, factors)
    for k in range(np.uint64(len(response.gaps))):
        sector = response.gaps[k, 0], response.gaps[k, 1], response.gaps[k, 2]
        gap_stage(true[0], true[1], true[2], response.middle_radius, bz, sector, _row(s, t.KEPT, n))
    t.draw_stage(k0, k1, event, number, s)
    scale, tail_fraction, tail_scale = response.smearing
    smear_stage(factors, s, n, scale, tail_fraction, tail_scale)
    if response.loses:
        d_rho, phi0, kappa = _row(s, t.MEASURED, n), _row(s, t.MEASURED + 1, n), _row(s, t.MEASURED + 2, n)
        fitted = d_rho, phi0, kappa, _row(s, t.MEASURED + 4, n)
        correct_stage(response.assumed_mass, 1.0, loss.constants, fitted, normals)
        t.widen_stage(factors, s, n)
    t.found_stage(k0, k1, event, number, factors, s, response.efficiency)


@stage
def _evaluate_directly(response: Response, n: int, s: Floats, direct: Floats, factors: Floats) -> None:
    """Replace interpolated factors and hits by those between start and end, for tracks that have no others.

    A covariance that is not positive definite leaves the interpolated one in its place, and a flag.
    """
    chosen, count = np.empty(BLOCK, dtype=np.uint64), 0
    status = _row(s, t.STATUS, n)
    for j in range(n):
        if status[j] >= t.DISPLACED:
            chosen[count] = j
            count += 1
    if count == 0:
        return
    filled = min(-(-count // _LANES) * _LANES, BLOCK)
    for i in range(count, filled):
        chosen[i] = chosen[0]
    for target, source in _DIRECT:
        gather_stage(_row(s, source, n), chosen[:filled], _row(direct, target, filled))
    track_direct.direct_factors(
        direct, filled, response.surfaces, response.bz, response.scattering_scale, response.mass
    )
    for i in range(np.uint64(count)):
        first = chosen[i] * _ENTRIES
        factors[first + _ENTRIES - np.uint64(1)] = direct[_B * np.uint64(track_direct.N_HITS) + i]
        if direct[_B * np.uint64(track_direct.POSITIVE) + i] > 0.0:
            for k in range(np.uint64(ENTRIES - 1)):
                factors[first + k] = direct[_B * k + i]
        else:
            status[chosen[i]] += t.STAND_IN
