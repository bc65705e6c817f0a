"""Run periods: events are simulated with the constants of the period they fall into.

The period of an event follows from seed and event number. Reconstruction knows nothing of it: with the card's own
constants, what changed from period to period is the imperfection of the calibration.
"""

from collections.abc import Callable

import numpy as np

from ..arrays import Floats, Keys
from ..event import DetectorRecord, Ints, TruthEvents, concatenate, take_events
from ..geometry.card import Card
from ..geometry.periods import period_cards
from ..kernel import stage
from ..rng import PERIOD_STREAM, key, uniform, words


@stage
def period_stage(k0: np.uint64, k1: np.uint64, event: Keys, place: Floats) -> None:
    """Draw when an event was taken, between 0 and 1."""
    for i in range(np.uint64(event.size)):
        a, _, _, _ = words(k0, k1, event[i], np.uint64(0), PERIOD_STREAM, np.uint64(0))
        place[i] = uniform(a)


def periods_of(number: Ints, card: Card, seed: int) -> Ints:
    """Return the index of the period that each event belongs to."""
    place = np.empty(len(number))
    period_stage(*key(seed), number.astype(np.uint64), place)
    ends = np.array([end for end, _ in period_cards(card)])
    return np.minimum(np.searchsorted(ends, place, side="right"), len(ends) - 1).astype(np.int64)


def by_period(
    truth: TruthEvents, card: Card, seed: int, simulate: Callable[[TruthEvents, Card], DetectorRecord]
) -> DetectorRecord:
    """Return the record of events, each simulated with the card of its period."""
    period = periods_of(truth.number, card, seed)
    order = np.argsort(period, kind="stable")
    parts = []
    for index, (_, own) in enumerate(period_cards(card)):
        chosen = order[np.searchsorted(period[order], index) : np.searchsorted(period[order], index, side="right")]
        parts.append(simulate(take_events(truth, chosen), own))
    back = np.empty(len(order), dtype=np.int64)
    back[order] = np.arange(len(order))
    record: DetectorRecord = take_events(concatenate(parts), back)
    return record
