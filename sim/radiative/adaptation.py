"""Adaptation of the trials to a process: tables of cells of equal probability under the scanned maximum weight."""

import numpy as np

from ...event import Floats
from ...kernel import BLOCK
from ...rng import SCAN_STREAM, derive_seed, key
from .dice import Beyond, Dice, Source
from .phase_space import Region, flux_factor
from .radiation import LOSS_BANDS, LOSS_CELLS
from .sampling import MASS_CELLS, RAPIDITY_CELLS, scan_cells, sum_above

#: The scan has a seed of its own: tables and maximum are the same for every sample.
_SCAN_SEED = 20170511
#: What each round adapts. A round resolves structures a thousand times narrower than the one before.
_ROUNDS = ("masses", "masses", "losses", "rapidities", "masses", "losses", "rapidities", "masses")
_TABLES = ("masses", "rapidities", "losses")
#: Lowest density of a cell relative to the mean, so that no place is left out for lack of scanned points.
_FLOOR = 1e-3
#: What the maximum is raised by over the scanned one.
_MARGIN = 1.05
#: The scan of the maximum is doubled until that raises it by less than this, at most this often.
_SETTLED = 0.01
_DOUBLINGS = 5
#: With additional photons the weights have a tail: this share of the cross section may lie above the maximum, and this
#: share of the accepted trials may exceed it. It is looked for in steps of 2^(1/8) below the largest weight.
_EXCESS = 1e-4
_EXCEEDING = 4e-4
_OCTAVES = 8
_EIGHTHS = (
    1.0,
    1.0905077326652577,
    1.189207115002721,
    1.2968395546510096,
    1.4142135623730951,
    1.5422108254079407,
    1.681792830507429,
    1.8340080864093424,
)


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


def _source(scan_round: int) -> Source:
    k0, k1 = key(derive_seed(_SCAN_SEED, "scan", str(scan_round)))
    return Source(k0, k1, SCAN_STREAM)


def _scanned(dice: Dice, beyond: Beyond | None, scan_round: int, n_scan: int) -> tuple[Floats, Floats]:
    """Return the largest weight [nb] found in each cell of each table, and the root mean fourth power."""
    largest, fourth = np.zeros((3, MASS_CELLS)), np.zeros((3, MASS_CELLS))
    scan_cells(_source(scan_round), dice, beyond, max(n_scan // BLOCK, 1), largest, fourth)
    return largest, np.sqrt(np.sqrt(fourth))


def _adapted(edges: Floats, maxima: Floats) -> Floats:
    """Return new edges from the largest weights in the old cells."""
    widths = np.diff(edges)
    maxima = maxima / np.maximum(widths, 1e-300)
    # the larger of three neighbours covers what the scan missed in a cell
    density = np.maximum(maxima, np.maximum(np.append(maxima[1:], 0.0), np.insert(maxima[:-1], 0, 0.0)))
    mean = np.cumsum(density * widths)[-1] / (edges[-1] - edges[0])
    return equal_cells(edges, np.maximum(density, _FLOOR * mean))


def even_losses() -> Floats:
    """Return the edges of the cells of the other beam's loss, band by band, before they are adapted."""
    return np.tile(even_edges(0.0, 1.0, LOSS_CELLS), LOSS_BANDS)


def _adapted_bands(edges: Floats, cells: Floats) -> Floats:
    """Return new edges of the other beam's loss; bands in which nothing was found keep theirs."""
    bands = zip(edges.reshape(LOSS_BANDS, -1), cells.reshape(LOSS_BANDS, -1), strict=True)
    return np.concatenate([_adapted(*one) if one[1].any() else one[0] for one in bands])


def _maximum(dice: Dice, beyond: Beyond | None, n_scan: int) -> float:
    """Return the largest weight [nb], from a scan that goes on until it has settled."""
    n = len(_ROUNDS)
    highest = float(_scanned(dice, beyond, n, n_scan)[0].max())
    for doubling in range(_DOUBLINGS):
        before = highest
        highest = max(before, float(_scanned(dice, beyond, n + 1 + doubling, n_scan << doubling)[0].max()))
        if highest <= (1.0 + _SETTLED) * before:
            break
    return _MARGIN * highest


def _rarely_exceeded(dice: Dice, beyond: Beyond | None, n_scan: int) -> float:
    """Return a weight [nb] above which lies no more than `_EXCESS` of the cross section, `_EXCEEDING` of the events."""
    n = len(_ROUNDS)
    highest = float(_scanned(dice, beyond, n, n_scan)[0].max())
    sums = np.zeros((2, 8 * _OCTAVES))
    scale = 2.0**-_OCTAVES * _MARGIN * highest
    sum_above(_source(n + 1), dice, beyond, 2 * max(n_scan // BLOCK, 1), scale, sums)
    weights, numbers = sums
    above, trials, total = 0.0, 0.0, float(np.cumsum(weights)[-1])
    for level in range(8 * _OCTAVES - 1, 0, -1):
        above, trials = above + float(weights[level]), trials + float(numbers[level])
        edge = scale * _EIGHTHS[level % 8] * 2.0 ** (level // 8)
        if above - trials * edge > _EXCESS * total or trials * edge > _EXCEEDING * total:
            return edge * _EIGHTHS[1]
    return scale


def adapt(
    kind: int,
    region: Region,
    masses: tuple[float, float],
    rapidities: tuple[float, float],
    n_scan: int,
    beyond: Beyond | None = None,
    correction: float = 1.0,
) -> tuple[Dice, Beyond | None, float]:
    """Return dice and what is beyond leading order, adapted, and the maximum of the weight [nb] for rejection.

    A fixed mass has two equal edges; the cross section is multiplied by a correction. The maximum is 0 if no scanned
    trial passes the cuts.
    """
    factor = correction * flux_factor()
    dice = Dice(kind, region, factor, even_edges(*masses, MASS_CELLS), even_edges(*rapidities, RAPIDITY_CELLS))
    for scan_round, table in enumerate(_ROUNDS):
        if (table == "losses" and beyond is None) or (table == "masses" and masses[0] == masses[1]):
            continue
        cells = _scanned(dice, beyond, scan_round, n_scan)[0 if beyond is None else 1][_TABLES.index(table)]
        if not cells.any():
            return dice, beyond, 0.0
        if table == "masses":
            dice = dice._replace(masses=_adapted(dice.masses, cells))
        elif table == "rapidities":
            dice = dice._replace(rapidities=_adapted(dice.rapidities, cells[:RAPIDITY_CELLS]))
        elif beyond is not None:
            beyond = beyond._replace(losses=_adapted_bands(beyond.losses, cells))
    return dice, beyond, (_maximum if beyond is None else _rarely_exceeded)(dice, beyond, n_scan)
