"""Acceptance-rejection of trials in rounds, cross-section sums and the scan that prepares them.

The runners walk in blocks and call the stages in order; they allocate their own scratch, so that several threads may
call them at once.
"""

import numpy as np

from ...arrays import Floats, Keys
from ...kernel import BLOCK, stage
from .trials import Dice, Source, first_trials, map_trials, new_trials, weigh_trials

Words = Keys

#: Cells of equal probability in the tables of the pair's mass and of the photon's rapidity.
MASS_CELLS = 1024
RAPIDITY_CELLS = 256
#: Trials of an event before it is given up.
MAX_TRIALS = 1000


@stage
def choose_trials(source: Source, dice: Dice, maximum: float, start: np.uint64, trial: Words, weight: Floats) -> None:
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
    block = new_trials()
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
    block = new_trials()
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
