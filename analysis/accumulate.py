"""Weighted sums that do not depend on how a sample was cut into chunks.

Floating-point addition is not associative: weights are first summed inside units of 1024 consecutive events, and the
units are then added one after the other in the order of the events. Chunks are whole numbers of units.
"""

import numpy as np
from numpy.typing import NDArray

from ..event import Floats, Ints

UNIT = 1024


def unit_sums(number: Ints, first: int, n_units: int, index: Ints, n_bins: int, weight: Floats) -> Floats:
    """Return sums of weights per unit and bin, shape (n_units, n_bins).

    Parameters
    ----------
    number : ndarray of int, shape (n,)
        Event numbers, in `[first, first + n_units * UNIT)`.
    first : int
        Number of the first event of the first unit.
    n_units, n_bins : int
    index : ndarray of int, shape (n,)
        Bin of each event.
    weight : ndarray, shape (n,)
    """
    flat = ((number - first) // UNIT) * n_bins + index
    sums = np.bincount(flat, weights=weight, minlength=n_units * n_bins)
    return np.asarray(sums, dtype=np.float64).reshape(n_units, n_bins)


def add_units(total: Floats, units: NDArray[np.float64]) -> Floats:
    """Return the total with the units added one by one, in order."""
    for unit in units:
        total = total + unit
    return total
