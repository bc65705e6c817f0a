"""Chosen rows of columns, about twice as fast as with an array of indices."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Ints, Keys
from ..kernel import stage

Number = TypeVar("Number", bound=np.generic)


@stage
def gather_stage(column: NDArray[Number], rows: Ints | Keys, gathered: NDArray[Number]) -> None:
    """Fill the chosen rows of a column."""
    for j in range(np.uint64(rows.size)):
        gathered[j] = column[np.uint64(rows[j])]


@stage
def gather_rows(table: Floats, rows: Ints, gathered: Floats) -> None:
    """Fill the chosen rows of several columns, shape (k, n)."""
    for k in range(np.uint64(len(table))):
        gather_stage(table[k], rows, gathered[k])


def taken(column: NDArray[Number], rows: Ints) -> NDArray[Number]:
    """Return the chosen rows of a contiguous column."""
    gathered = np.empty(len(rows), dtype=column.dtype)
    gather_stage(column, rows, gathered)
    return gathered
