"""Tables of pairs within events, for lists of any length per event: whole columns at a time, no loop over events."""

import numpy as np

from ...arrays import Bools, Ints


def event_of_rows(offsets: Ints) -> Ints:
    """Return the event that each row of a jagged list belongs to."""
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def chosen_rows(offsets: Ints, mask: Bools | None) -> tuple[Ints, Ints]:
    """Return the rows that a mask (None: all) keeps, and their events."""
    event = event_of_rows(offsets)
    rows = np.arange(len(event)) if mask is None else np.flatnonzero(mask)
    return rows, event[rows]


def _ranges(lengths: Ints) -> Ints:
    """Return 0 .. length - 1 for every length, one after the other."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)


def pairs_within(event: Ints) -> tuple[Ints, Ints]:
    """Return positions (first, second) of all pairs of entries of the same event, first < second.

    Parameters
    ----------
    event : ndarray of int, shape (n,)
        Ascending.
    """
    earlier = np.arange(len(event)) - np.searchsorted(event, event, side="left")
    second = np.repeat(np.arange(len(event)), earlier)
    first = np.repeat(np.arange(len(event)) - earlier, earlier) + _ranges(earlier)
    return first, second


def pairs_between(event_a: Ints, event_b: Ints) -> tuple[Ints, Ints]:
    """Return positions (a, b) of all pairs of entries of two lists that share an event; both ascending in event."""
    start = np.searchsorted(event_b, event_a, side="left")
    count = np.searchsorted(event_b, event_a, side="right") - start
    return np.repeat(np.arange(len(event_a)), count), np.repeat(start, count) + _ranges(count)
