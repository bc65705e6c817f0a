"""Weights of trials, acceptance-rejection in rounds, cross-section sums and the scan that prepares them.

Trial t of event e draws from counter (event = e, particle = t): an event depends on the seed and its number alone. The
runners walk in blocks and call the stages in order; they allocate their own scratch, so that several threads may call
them at once.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..event import Floats
from ..kernel import BLOCK, stage
from ..rng import uniform, uniform53, words
from .form_factor import form_factor_stage
from .matrix_element import bhabha_stage, lepton_pair_stage, pion_pair_stage
from .phase_space import (
    Region,
    cuts_stage,
    lepton_cosine_stage,
    longitudinal_stage,
    mass_stage,
    photon_stage,
)

Words = NDArray[np.uint64]

#: Kinds of matrix element.
LEPTONS, PIONS, BHABHA = range(3)
#: Cells of equal probability in the table of the pair's mass.
CELLS = 1024
#: Trials of an event before it is given up.
MAX_TRIALS = 1000

# rows of a runner's scratch
U_MASS, U_GAMMA, U_COSINE, U_PHI, U_AZIMUTH, U_ACCEPT, MASS, MINUS, PLUS, COSINE, PZ, WEIGHT = range(12)
ROWS = 12
_ZERO = np.uint64(0)
_ONE = np.uint64(1)


class Source(NamedTuple):
    """Where the random numbers of a run of trials come from: Philox key and stream."""

    k0: np.uint64
    k1: np.uint64
    stream: np.uint64


class Dice(NamedTuple):
    """Everything that fixes the distribution of trials: matrix element, region, mass table [GeV] and its factor."""

    kind: int
    region: Region
    factor: float
    edges: Floats


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
def map_trials(source: Source, dice: Dice, event: Words, trial: Words, scratch: Floats) -> None:
    """Draw and map one trial of every event (at most a block): mass, photon and lepton angles, phase-space weight."""
    n = event.size
    s = scratch[:, :n]
    region = dice.region
    draw_two(source, event, trial, s[U_MASS], s[U_GAMMA])
    draw_four(source, event, trial, s[U_COSINE], s[U_PHI], s[U_AZIMUTH], s[U_ACCEPT])
    mass_stage(dice.edges, region.narrow_width, dice.factor, s[U_MASS], s[MASS], s[WEIGHT])
    photon_stage(region.rapidity_min, region.rapidity_max, s[U_GAMMA], s[MINUS], s[PLUS])
    lepton_cosine_stage(region, s[U_COSINE], s[MASS], s[MINUS], s[PLUS], s[COSINE], s[WEIGHT])


@stage
def weigh_trials(dice: Dice, n: int, scratch: Floats) -> None:
    """Complete the weights [nb] of mapped trials by cuts and matrix element: their mean is the cross section."""
    s = scratch[:, :n]
    region = dice.region
    longitudinal_stage(region, s[MASS], s[MINUS], s[PLUS], s[COSINE], s[U_PHI], s[PZ])
    cuts_stage(region, s[MASS], s[MINUS], s[PLUS], s[COSINE], s[PZ], s[WEIGHT])
    if dice.kind == BHABHA:
        bhabha_stage(region.sqrt_s, s[MASS], s[MINUS], s[PLUS], s[COSINE], s[PZ], s[WEIGHT])
    elif dice.kind == PIONS:
        pion_pair_stage(region.sqrt_s, region.lepton_mass, s[MASS], s[MINUS], s[PLUS], s[COSINE], s[PZ], s[WEIGHT])
        form_factor_stage(s[MASS], s[WEIGHT])
    else:
        lepton_pair_stage(region.sqrt_s, region.lepton_mass, s[MASS], s[MINUS], s[PLUS], s[COSINE], s[PZ], s[WEIGHT])


@stage
def choose_trials(source: Source, dice: Dice, maximum: float, start: np.uint64, trial: Words, weight: Floats) -> None:
    """Find the accepted trial of events start.. and its weight [nb], in rounds over the events still open.

    A trial is accepted where u * maximum < weight; with maximum = 0 the first trial of non-zero weight is taken. An
    event without an accepted trial after MAX_TRIALS keeps the last one, with weight zero.
    """
    scratch = np.empty((ROWS, BLOCK))
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
            map_trials(source, dice, event[:n_open], attempt[:n_open], scratch)
            weigh_trials(dice, n_open, scratch)
            remaining = 0
            for j in range(n_open):
                w = scratch[WEIGHT, j]
                accepted = scratch[U_ACCEPT, j] * maximum < w
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
    scratch = np.empty((ROWS, BLOCK))
    event = np.empty(BLOCK, dtype=np.uint64)
    attempt = np.zeros(BLOCK, dtype=np.uint64)
    sums[:] = 0.0
    for unit in range(n_units):
        for j in range(BLOCK):
            event[j] = np.uint64(unit * BLOCK + j)
        map_trials(source, dice, event, attempt, scratch)
        weigh_trials(dice, BLOCK, scratch)
        total, square, passed, expected, over = 0.0, 0.0, 0.0, 0.0, 0.0
        for j in range(BLOCK):
            w = scratch[WEIGHT, j]
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
def scan_maxima(source: Source, dice: Dice, n_units: int, maxima: Floats) -> None:
    """Find the largest weight [nb] among the trials that fall into each cell of the mass table."""
    scratch = np.empty((ROWS, BLOCK))
    event = np.empty(BLOCK, dtype=np.uint64)
    attempt = np.zeros(BLOCK, dtype=np.uint64)
    maxima[:] = 0.0
    cells = maxima.size
    for unit in range(n_units):
        for j in range(BLOCK):
            event[j] = np.uint64(unit * BLOCK + j)
        map_trials(source, dice, event, attempt, scratch)
        weigh_trials(dice, BLOCK, scratch)
        for j in range(BLOCK):
            cell = min(int(scratch[U_MASS, j] * cells), cells - 1)
            maxima[cell] = max(maxima[cell], scratch[WEIGHT, j])
