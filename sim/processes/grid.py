"""A grid in the unit cube whose cells a scan makes narrow where the weight of a model is large.

Every dimension has a table of cells of equal probability (Lepage, J. Comput. Phys. 27 (1978) 192): a model need not be
flat to be unweighted quickly, as long as its peaks lie along the axes.
"""

import numpy as np

from ...arrays import Floats
from ...elementary import split_index
from ...kernel import stage
from ..radiative.adaptation import equal_cells, even_edges

#: Cells per dimension.
CELLS = 128
#: Lowest density of a cell relative to the mean, so that no place is left out for lack of scanned points.
_FLOOR = 0.1
#: A weight that varies by less has nothing to adapt to.
_FLAT = 1e-9
_BELOW_ONE = 1.0 - 2.0**-53
_ONE = np.uint64(1)


@stage
def cell_stage(edges: Floats, u: Floats, weight: Floats) -> None:
    """Map uniform numbers to values drawn from cells of equal probability; the weight takes the inverse density."""
    cells = float(edges.size - 1)
    for i in range(np.uint64(u.size)):
        cell, fraction = split_index(u[i] * cells)
        low = edges[cell]
        width = edges[cell + _ONE] - low
        u[i] = min(low + fraction * width, _BELOW_ONE)
        weight[i] *= cells * width


class Grid:
    """Cells of all dimensions of a unit cube, even ones where none are given."""

    def __init__(self, dimensions: int, edges: list[Floats] | None = None) -> None:
        self._edges = edges or [even_edges(0.0, 1.0, CELLS) for _ in range(dimensions)]

    def mapped(self, raw: Floats) -> tuple[Floats, Floats]:
        """Return what the grid makes of uniform numbers (dimensions, n), and one over their density (n,)."""
        u, jacobian = raw.copy(), np.ones(raw.shape[1])
        for edges, one in zip(self._edges, u):
            cell_stage(edges, one, jacobian)
        return u, jacobian

    def adapted(self, raw: Floats, weight: Floats) -> "Grid":
        """Return a grid adapted to weights at uniform numbers (dimensions, n) before the map.

        The variance of the weights is least where the density follows the root of the mean square, over the other
        dimensions, of weight times density; their maximum, where it follows the largest. In between the fourth root of
        the mean fourth power is taken: that of the sum of w^4 in a cell over its width.
        """
        if weight.max() - weight.min() <= _FLAT * weight.max():
            return self
        square = weight * weight
        fourth = square * square
        new = []
        for edges, one in zip(self._edges, raw):
            cell = np.minimum((one * CELLS).astype(np.int64), CELLS - 1)
            new.append(_adapted(edges, np.bincount(cell, weights=fourth, minlength=CELLS).astype(np.float64)))
        return Grid(len(new), new)


def _adapted(edges: Floats, sums: Floats) -> Floats:
    """Return edges of cells in which the fourth root of the summed fourth powers of the weights is the same."""
    widths = np.diff(edges)
    density = np.sqrt(np.sqrt(sums)) / widths
    # the larger of three neighbours: no cell that an edge of the cuts divides is left wide
    padded = np.concatenate([density[:1], density, density[-1:]])
    density = np.maximum(density, np.maximum(padded[:-2], padded[2:]))
    # summed in order, like every number that an event depends on
    mean = float(np.cumsum(density * widths)[-1])
    return equal_cells(edges, np.maximum(density, _FLOOR * mean))
