"""Acceptance-rejection of trials in rounds, cross-section sums and the scan that prepares them.

The runners walk in blocks and call the stages in order; they allocate their own scratch, so that several threads may
call them at once.
"""

import numpy as np

from ...arrays import Floats, Keys
from ...elementary import log
from ...kernel import BLOCK, stage
from .dice import Beyond, Dice, Source, first_trials, new_trials
from .radiation import LOSS_BANDS, LOSS_CELLS, U_OTHER, row
from .trials import map_trials, weigh_trials

Words = Keys

#: Cells of equal probability in the tables of the pair's mass and of the photon's rapidity.
MASS_CELLS = 1024
RAPIDITY_CELLS = 256
LN2 = 0.6931471805599453
#: Trials of an event before it is given up.
MAX_TRIALS = 1000


@stage
def choose_trials(
    source: Source,
    dice: Dice,
    beyond: Beyond | None,
    maximum: float,
    start: np.uint64,
    trial: Words,
    weight: Floats,
) -> None:
    """Find the accepted trial of events start.. and its weight [nb], in rounds over the events still open.

    A trial is accepted where u * maximum < weight; with maximum = 0 the first trial of non-zero weight is taken. An
    event without an accepted trial after MAX_TRIALS keeps the last one, with weight zero.
    """
    block = new_trials()
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
            map_trials(source, dice, beyond, event[:n_open], attempt[:n_open], trials)
            weigh_trials(dice, beyond, trials)
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
def sum_trials(source: Source, dice: Dice, beyond: Beyond | None, maximum: float, n_units: int, sums: Floats) -> None:
    """Add up trial 0 of events 0.. into sums: weight, weight^2, non-zero weights, expected accepted, overflows.

    Units of BLOCK events are summed on their own and added in order, so that no chunk size enters.
    """
    block = new_trials()
    event = np.empty(BLOCK, dtype=np.uint64)
    attempt = np.zeros(BLOCK, dtype=np.uint64)
    sums[:] = 0.0
    for unit in range(n_units):
        for j in range(BLOCK):
            event[j] = np.uint64(unit * BLOCK + j)
        map_trials(source, dice, beyond, event, attempt, block)
        weigh_trials(dice, beyond, block)
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
def scan_cells(
    source: Source, dice: Dice, beyond: Beyond | None, n_units: int, largest: Floats, fourth: Floats
) -> None:
    """Find the largest weight [nb] in the cells of every table, and the sum of their fourth powers.

    Rows of MASS_CELLS entries for masses, rapidities and losses, of which a table uses as many as it has.
    """
    block = new_trials()
    event = np.empty(BLOCK, dtype=np.uint64)
    attempt = np.zeros(BLOCK, dtype=np.uint64)
    u_other = row(block.scratch, U_OTHER, BLOCK)
    largest[:] = 0.0
    fourth[:] = 0.0
    for unit in range(n_units):
        for j in range(BLOCK):
            event[j] = np.uint64(unit * BLOCK + j)
        map_trials(source, dice, beyond, event, attempt, block)
        weigh_trials(dice, beyond, block)
        for j in range(BLOCK):
            w = block.weight[j]
            w4 = w * w
            w4 *= w4
            mass_cell = int(block.u_mass[j] * (dice.masses.size - 1))
            largest[0, mass_cell] = max(largest[0, mass_cell], w)
            fourth[0, mass_cell] += w4
            rapidity_cell = int(abs(2.0 * block.u_gamma[j] - 1.0) * (dice.rapidities.size - 1))
            largest[1, rapidity_cell] = max(largest[1, rapidity_cell], w)
            fourth[1, rapidity_cell] += w4
            if beyond is not None:
                cell = int(block.u_mass[j] * LOSS_BANDS) * LOSS_CELLS + int(u_other[j] * LOSS_CELLS)
                largest[2, cell] = max(largest[2, cell], w)
                fourth[2, cell] += w4


@stage
def sum_above(source: Source, dice: Dice, beyond: Beyond | None, n_units: int, scale: float, sums: Floats) -> None:
    """Add up weights and their numbers in bins of a factor 2^(1/8) above scale [nb]; bin 0 takes all below."""
    block = new_trials()
    event = np.empty(BLOCK, dtype=np.uint64)
    attempt = np.zeros(BLOCK, dtype=np.uint64)
    bins = sums.shape[1]
    sums[:] = 0.0
    for unit in range(n_units):
        for j in range(BLOCK):
            event[j] = np.uint64(unit * BLOCK + j)
        map_trials(source, dice, beyond, event, attempt, block)
        weigh_trials(dice, beyond, block)
        for j in range(BLOCK):
            w = block.weight[j]
            level = int(min(max(8.0 / LN2 * log(max(w / scale, 1.0)), 0.0), bins - 1.0))
            sums[0, level] += w
            sums[1, level] += 1.0
