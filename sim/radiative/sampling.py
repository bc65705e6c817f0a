"""Weights of trials, acceptance-rejection in rounds, cross-section sums and the scan that prepares them.

Trial t of event e draws from counter (event = e, particle = t): an event depends on the seed and its number alone. The
runners walk in blocks and call the stages in order; they allocate their own scratch, so that several threads may call
them at once.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...event import Floats
from ...kernel import BLOCK, stage
from ...rng import uniform, uniform53, words
from .form_factor import form_factor_stage
from .matrix_element import bhabha_stage, lepton_pair_stage, pion_pair_stage
from .phase_space import (
    Region,
    cuts_stage,
    lepton_cosine_stage,
    longitudinal_stage,
    mass_stage,
    photon_stage,
    rapidity_stage,
)

Words = NDArray[np.uint64]

#: Kinds of matrix element.
LEPTONS, PIONS, BHABHA = range(3)
#: Cells of equal probability in the tables of the pair's mass and of the photon's rapidity.
MASS_CELLS = 1024
RAPIDITY_CELLS = 256
#: Trials of an event before it is given up.
MAX_TRIALS = 1000

_ZERO = np.uint64(0)
_ONE = np.uint64(1)


class Source(NamedTuple):
    """Where the random numbers of a run of trials come from: Philox key and stream."""

    k0: np.uint64
    k1: np.uint64
    stream: np.uint64


class Dice(NamedTuple):
    """Everything that fixes the distribution of trials: matrix element, region, flux factor and two tables.

    `masses` [GeV] and `rapidities`, |atanh(b cos theta_gamma)|, are the edges of cells of equal probability.
    """

    kind: int
    region: Region
    factor: float
    masses: Floats
    rapidities: Floats


class Trials(NamedTuple):
    """Columns of a block of trials: uniform numbers, and what they are mapped to (see phase_space)."""

    u_mass: Floats
    u_gamma: Floats
    u_cosine: Floats
    u_phi: Floats
    u_azimuth: Floats
    u_accept: Floats
    mass: Floats
    rapidity: Floats
    minus: Floats
    plus: Floats
    cosine: Floats
    pz: Floats
    weight: Floats


@stage
def new_trials(n: int) -> Trials:
    """Return n trials, not yet drawn."""
    c = np.empty((13, n))
    return Trials(c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8], c[9], c[10], c[11], c[12])


@stage
def first_trials(t: Trials, n: int) -> Trials:
    """Return the first n trials as views."""
    return Trials(
        t.u_mass[:n],
        t.u_gamma[:n],
        t.u_cosine[:n],
        t.u_phi[:n],
        t.u_azimuth[:n],
        t.u_accept[:n],
        t.mass[:n],
        t.rapidity[:n],
        t.minus[:n],
        t.plus[:n],
        t.cosine[:n],
        t.pz[:n],
        t.weight[:n],
    )


@stage
def draw_two(source: Source, event: Words, trial: Words, first: Floats, second: Floats) -> None:
    """Draw the two uniform numbers of a trial that need 53 bits."""
    for i in range(np.uint64(event.size)):
        a, b, c, d = words(source.k0, source.k1, event[i], trial[i], source.stream, _ZERO)
        first[i] = uniform53(a, b)
        second[i] = uniform53(c, d)


@stage
def draw_four(
    source: Source, event: Words, trial: Words, first: Floats, second: Floats, third: Floats, fourth: Floats
) -> None:
    """Draw the other four uniform numbers of a trial."""
    for i in range(np.uint64(event.size)):
        a, b, c, d = words(source.k0, source.k1, event[i], trial[i], source.stream, _ONE)
        first[i] = uniform(a)
        second[i] = uniform(b)
        third[i] = uniform(c)
        fourth[i] = uniform(d)


@stage
def map_trials(source: Source, dice: Dice, event: Words, trial: Words, t: Trials) -> None:
    """Draw and map one trial of every event: mass, photon and lepton angles, weight of phase space."""
    region = dice.region
    draw_two(source, event, trial, t.u_mass, t.u_gamma)
    draw_four(source, event, trial, t.u_cosine, t.u_phi, t.u_azimuth, t.u_accept)
    mass_stage(dice.masses, region.narrow_width, dice.factor, t.u_mass, t.mass, t.weight)
    rapidity_stage(dice.rapidities, t.u_gamma, t.rapidity, t.weight)
    photon_stage(t.u_gamma, t.rapidity, t.minus, t.plus)
    lepton_cosine_stage(region, t.u_cosine, t.mass, t.minus, t.plus, t.cosine, t.weight)


@stage
def weigh_trials(dice: Dice, t: Trials) -> None:
    """Complete the weights [nb] of mapped trials by cuts and matrix element: their mean is the cross section."""
    region = dice.region
    sqrt_s, lepton_mass = region.sqrt_s, region.lepton_mass
    longitudinal_stage(region, t.mass, t.minus, t.plus, t.cosine, t.u_phi, t.pz)
    cuts_stage(region, t.mass, t.minus, t.plus, t.cosine, t.pz, t.weight)
    if dice.kind == BHABHA:
        bhabha_stage(sqrt_s, t.mass, t.minus, t.plus, t.cosine, t.pz, t.weight)
    elif dice.kind == PIONS:
        pion_pair_stage(sqrt_s, lepton_mass, t.mass, t.minus, t.plus, t.cosine, t.pz, t.weight)
        form_factor_stage(t.mass, t.weight)
    else:
        lepton_pair_stage(sqrt_s, lepton_mass, t.mass, t.minus, t.plus, t.cosine, t.pz, t.weight)


@stage
def choose_trials(source: Source, dice: Dice, maximum: float, start: np.uint64, trial: Words, weight: Floats) -> None:
    """Find the accepted trial of events start.. and its weight [nb], in rounds over the events still open.

    A trial is accepted where u * maximum < weight; with maximum = 0 the first trial of non-zero weight is taken. An
    event without an accepted trial after MAX_TRIALS keeps the last one, with weight zero.
    """
    block = new_trials(BLOCK)
    event = np.empty(BLOCK, dtype=np.uint64)
    slot = np.empty(BLOCK, dtype=np.uint64)
    attempt = np.empty(BLOCK, dtype=np.uint64)
    for begin in range(0, trial.size, BLOCK):
        n_open = min(BLOCK, trial.size - begin)
        for j in range(n_open):
            slot[j] = np.uint64(begin + j)
            event[j] = start + np.uint64(begin + j)
        for t in range(MAX_TRIALS):
            attempt[:n_open] = np.uint64(t)
            trials = first_trials(block, n_open)
            map_trials(source, dice, event[:n_open], attempt[:n_open], trials)
            weigh_trials(dice, trials)
            remaining = 0
            for j in range(n_open):
                w = block.weight[j]
                accepted = block.u_accept[j] * maximum < w
                trial[slot[j]] = np.uint64(t)
                weight[slot[j]] = w if accepted else 0.0
                slot[remaining] = slot[j]
                event[remaining] = event[j]
                remaining += 0 if accepted else 1
            n_open = remaining
            if n_open == 0:
                break


@stage
def sum_trials(source: Source, dice: Dice, maximum: float, n_units: int, sums: Floats) -> None:
    """Add up trial 0 of events 0.. into sums: weight, weight^2, non-zero weights, expected accepted, overflows.

    Units of BLOCK events are summed on their own and added in order, so that no chunk size enters.
    """
    block = new_trials(BLOCK)
    event = np.empty(BLOCK, dtype=np.uint64)
    attempt = np.zeros(BLOCK, dtype=np.uint64)
    sums[:] = 0.0
    for unit in range(n_units):
        for j in range(BLOCK):
            event[j] = np.uint64(unit * BLOCK + j)
        map_trials(source, dice, event, attempt, block)
        weigh_trials(dice, block)
        total, square, passed, expected, over = 0.0, 0.0, 0.0, 0.0, 0.0
        for j in range(BLOCK):
            w = block.weight[j]
            total += w
            square += w * w
            passed += 1.0 if w > 0.0 else 0.0
            expected += min(w, maximum)
            over += 1.0 if w > maximum else 0.0
        sums[0] += total
        sums[1] += square
        sums[2] += passed
        sums[3] += expected
        sums[4] += over


@stage
def scan_maxima(source: Source, dice: Dice, n_units: int, in_masses: Floats, in_rapidities: Floats) -> None:
    """Find the largest weight [nb] among the trials that fall into each cell of either table."""
    block = new_trials(BLOCK)
    event = np.empty(BLOCK, dtype=np.uint64)
    attempt = np.zeros(BLOCK, dtype=np.uint64)
    in_masses[:] = 0.0
    in_rapidities[:] = 0.0
    for unit in range(n_units):
        for j in range(BLOCK):
            event[j] = np.uint64(unit * BLOCK + j)
        map_trials(source, dice, event, attempt, block)
        weigh_trials(dice, block)
        for j in range(BLOCK):
            w = block.weight[j]
            cell = int(block.u_mass[j] * in_masses.size)
            in_masses[cell] = max(in_masses[cell], w)
            cell = int(abs(2.0 * block.u_gamma[j] - 1.0) * in_rapidities.size)
            in_rapidities[cell] = max(in_rapidities[cell], w)
