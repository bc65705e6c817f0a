"""Adaptation of the trials to a process: tables of cells of equal probability under the scanned maximum weight."""

import numpy as np

from ...event import Floats
from ...kernel import BLOCK
from ...rng import SCAN_STREAM, derive_seed, key
from .phase_space import Region, flux_factor
from .radiation import NO_RADIATION, Radiation
from .sampling import MASS_CELLS, RAPIDITY_CELLS, scan_maxima
from .trials import Dice, Source

#: The scan has a seed of its own: tables and maximum are the same for every sample.
_SCAN_SEED = 20170511
#: What each round adapts. A round resolves structures a thousand times narrower than the one before.
_ROUNDS = ("masses", "masses", "rapidities", "masses", "rapidities", "masses")
#: Lowest density of a cell relative to the mean, so that no place is left out for lack of scanned points.
_FLOOR = 1e-3
#: What the maximum is raised by over the scanned one.
_MARGIN = 1.05
#: The scan of the maximum is doubled until that raises it by less than this, at most this often.
_SETTLED = 0.01
_DOUBLINGS = 5


def even_edges(low: float, high: float, cells: int) -> Floats:
    """Return the edges of cells of equal width."""
    edges = low + (high - low) * (np.arange(cells + 1) / cells)
    edges[-1] = high
    return edges


def equal_cells(edges: Floats, density: Floats) -> Floats:
    """Return edges of cells with equal integrals of a density that is constant between the given edges."""
    # summed in order, like every number that an event depends on
    cumulated = np.concatenate([np.zeros(1), np.cumsum(density * np.diff(edges))])
    cells = len(density)
    targets = cumulated[-1] * (np.arange(cells + 1) / cells)
    cell = np.clip(np.searchsorted(cumulated, targets, side="right") - 1, 0, cells - 1)
    new = edges[cell] + (targets - cumulated[cell]) / density[cell]
    new[0], new[-1] = edges[0], edges[-1]
    return np.maximum.accumulate(np.minimum(new, edges[-1]))


def _scanned(dice: Dice, scan_round: int, n_scan: int) -> dict[str, Floats]:
    """Return the largest weight [nb] found in each cell of the tables."""
    maxima = {"masses": np.zeros(len(dice.masses) - 1), "rapidities": np.zeros(len(dice.rapidities) - 1)}
    k0, k1 = key(derive_seed(_SCAN_SEED, "scan", str(scan_round)))
    source = Source(k0, k1, SCAN_STREAM)
    scan_maxima(source, dice, max(n_scan // BLOCK, 1), maxima["masses"], maxima["rapidities"])
    return maxima


def _adapted(edges: Floats, maxima: Floats) -> Floats:
    """Return new edges from the largest weights in the old cells."""
    widths = np.diff(edges)
    maxima = maxima / np.maximum(widths, 1e-300)
    # the larger of three neighbours covers what the scan missed in a cell
    density = np.maximum(maxima, np.maximum(np.append(maxima[1:], 0.0), np.insert(maxima[:-1], 0, 0.0)))
    mean = np.cumsum(density * widths)[-1] / (edges[-1] - edges[0])
    return equal_cells(edges, np.maximum(density, _FLOOR * mean))


def _maximum(dice: Dice, n_scan: int) -> float:
    """Return the largest weight [nb], from a scan that goes on until it has settled."""
    n = len(_ROUNDS)
    highest = float(_scanned(dice, n, n_scan)["masses"].max())
    for doubling in range(_DOUBLINGS):
        before = highest
        highest = max(before, float(_scanned(dice, n + 1 + doubling, n_scan << doubling)["masses"].max()))
        if highest <= (1.0 + _SETTLED) * before:
            break
    return _MARGIN * highest


def adapt(
    kind: int,
    region: Region,
    masses: tuple[float, float],
    rapidities: tuple[float, float],
    n_scan: int,
    radiation: Radiation = NO_RADIATION,
    correction: float = 1.0,
) -> tuple[Dice, float]:
    """Return dice adapted to a process, and the maximum of the weight [nb] for acceptance-rejection.

    A fixed mass has two equal edges; the cross section is multiplied by a correction. The maximum is 0 if no scanned
    trial passes the cuts.
    """
    dice = Dice(
        kind,
        region,
        correction * flux_factor(),
        radiation,
        even_edges(*masses, MASS_CELLS),
        even_edges(*rapidities, RAPIDITY_CELLS),
    )
    for scan_round, table in enumerate(_ROUNDS):
        edges = dice.masses if table == "masses" else dice.rapidities
        if edges[0] == edges[-1]:
            continue
        maxima = _scanned(dice, scan_round, n_scan)[table]
        if not maxima.any():
            return dice, 0.0
        new = _adapted(edges, maxima)
        dice = dice._replace(masses=new) if table == "masses" else dice._replace(rapidities=new)
    return dice, _maximum(dice, n_scan)
