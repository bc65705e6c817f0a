"""From a probability to the normal deviate with the same one: what makes chi of any distribution comparable.

chi = Phi^-1(F(measured)) is standard normal if F is the cumulative distribution under the true hypothesis.
"""

import math

import numpy as np

from ..arrays import Floats, Keys
from ..elementary import erfc, log, split_index
from ..kernel import kernel, stage

_SQRT_HALF = 0.7071067811865476
_LEAST = 1e-300
#: The table of `tail_table`: deviates from here on, in steps.
_FIRST, _PER_UNIT, _NODES = -6.0, 16.0, 289


@kernel
def upper_quantile(p: float) -> float:
    """Return z with P(Z > z) = p for a standard normal Z, to 4.5e-4 (Abramowitz and Stegun 26.2.23)."""
    small = min(max(min(p, 1.0 - p), _LEAST), 0.5)
    t = math.sqrt(-2.0 * log(small))
    above = 2.515517 + t * (0.802853 + t * 0.010328)
    below = 1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))
    z = t - above / below
    return z if p < 0.5 else -z


@stage
def _tail_stage(fraction: float, scale: float, table: Floats) -> None:
    """Fill the deviates that `tail_table` is made of."""
    for i in range(np.uint64(table.size)):
        x = _FIRST + float(i) / _PER_UNIT
        core = 0.5 * erfc(x * _SQRT_HALF)
        tail = erfc(max(x, 0.0) / scale * _SQRT_HALF)
        table[i] = upper_quantile((1.0 - fraction) * core + fraction * tail)


def tail_table(fraction: float, scale: float) -> Floats:
    """Return the normal deviates of a distribution with a high tail, at deviates of its core in equal steps.

    With probability `fraction` the deviate is `scale` |g|, else g: P(X > x) = (1 - f) Q(x) + 2 f Q(x / scale) for
    x > 0, Q the upper tail of a normal distribution.
    """
    table = np.empty(_NODES)
    _tail_stage(fraction, scale, table)
    return table


@stage
def tail_place_stage(chi: Floats, node: Keys, between: Floats) -> None:
    """Fill where deviates stand in the table, and replace them by how far they are beyond its ends."""
    last = (_NODES - 1) / _PER_UNIT + _FIRST
    for i in range(np.uint64(chi.size)):
        low_end = chi[i] if chi[i] > _FIRST else _FIRST  # also where it is NaN
        inside = min(low_end, last - 1e-9)
        node[i], between[i] = split_index((inside - _FIRST) * _PER_UNIT)
        chi[i] = chi[i] - inside


@stage
def tail_value_stage(table: Floats, node: Keys, between: Floats, chi: Floats) -> None:
    """Add the deviates of the table."""
    for i in range(np.uint64(chi.size)):
        low = table[node[i]]
        chi[i] = low + between[i] * (table[node[i] + np.uint64(1)] - low) + chi[i]


@stage
def tail_stage(table: Floats, chi: Floats) -> None:
    """Replace deviates of the core by normal deviates of the whole distribution; straight on beyond the table."""
    node, between = np.empty(chi.size, dtype=np.uint64), np.empty(chi.size)
    tail_place_stage(chi, node, between)
    tail_value_stage(table, node, between, chi)
