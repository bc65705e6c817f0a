"""The table from which the mass of the pair is drawn: cells of equal probability under the scanned maximum weight."""

import numpy as np

from ..event import Floats
from ..kernel import BLOCK
from ..rng import SCAN_STREAM, derive_seed, key
from .sampling import CELLS, Dice, Source, scan_maxima

#: The scan has a seed of its own: table and maximum are the same for every sample.
_SCAN_SEED = 20170511
#: Rounds of adaptation, each resolving structures a thousand times narrower than the one before.
_ROUNDS = 3
#: Lowest density of a cell relative to the mean, so that no mass is left out for lack of scanned points.
_FLOOR = 1e-3
#: What the maximum is raised by over the scanned one.
_MARGIN = 1.05


def _equal_cells(edges: Floats, density: Floats) -> Floats:
    """Return edges of cells with equal integrals of a density that is constant between the given edges."""
    widths = np.diff(edges)
    area = density * widths
    # summed in order, like every number that an event depends on
    cumulated = np.concatenate([np.zeros(1), np.cumsum(area)])
    targets = cumulated[-1] * (np.arange(CELLS + 1) / CELLS)
    cell = np.clip(np.searchsorted(cumulated, targets, side="right") - 1, 0, CELLS - 1)
    new = edges[cell] + (targets - cumulated[cell]) / density[cell]
    new[0], new[-1] = edges[0], edges[-1]
    return np.maximum.accumulate(np.minimum(new, edges[-1]))


def _scanned(dice: Dice, scan_round: int, n_scan: int) -> Floats:
    maxima = np.zeros(CELLS)
    k0, k1 = key(derive_seed(_SCAN_SEED, "scan", str(scan_round)))
    scan_maxima(Source(k0, k1, SCAN_STREAM), dice, max(n_scan // BLOCK, 1), maxima)
    return maxima


def prepare_masses(dice: Dice, n_scan: int) -> tuple[Dice, float]:
    """Return the dice with an adapted mass table, and the maximum of the weight [nb] for acceptance-rejection.

    The maximum is 0 if no scanned trial passes the cuts.
    """
    if dice.edges[0] < dice.edges[-1]:
        for scan_round in range(_ROUNDS):
            maxima = _scanned(dice, scan_round, n_scan)
            if not maxima.any():
                return dice, 0.0
            # the larger of three neighbours covers what the scan missed in a cell
            maxima = maxima / np.maximum(np.diff(dice.edges), 1e-300)
            density = np.maximum(maxima, np.maximum(np.append(maxima[1:], 0.0), np.insert(maxima[:-1], 0, 0.0)))
            mean = np.cumsum(density * np.diff(dice.edges))[-1] / (dice.edges[-1] - dice.edges[0])
            dice = dice._replace(edges=_equal_cells(dice.edges, np.maximum(density, _FLOOR * mean)))
    return dice, _MARGIN * float(_scanned(dice, _ROUNDS, n_scan).max())
