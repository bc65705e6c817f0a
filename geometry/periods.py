"""Run periods of a card: constants that changed while the data were taken.

A period names numbers of the card by their keys, such as `tof.barrel.sigma`, or `beam.spot_centre.0` for one of a list.
"""

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from ..schema import SchemaError, Section, quantity, require

S = TypeVar("S", bound=Section)


@dataclass(frozen=True)
class Change(Section):
    """A number of the card and its value in a period, in the unit that it has there."""

    #: Place of a number of the card, such as `tof.barrel.sigma`.
    key: str
    #: Its value in the period.
    value: float = quantity("", "(-1e12, 1e12)")


@dataclass(frozen=True)
class Period(Section):
    """Part of the data with constants of its own."""

    #: Name of the period.
    name: str
    #: Part of the events; those of all periods are divided by their sum.
    fraction: float = quantity("", "(0, 1e9]")
    change: tuple[Change, ...] = ()


def check_periods(card: Any, periods: tuple[Period, ...]) -> None:
    """Raise SchemaError unless all periods change numbers that exist to values that are allowed."""
    for i, period in enumerate(periods):
        for j, change in enumerate(period.change):
            place = f"period[{i}].change[{j}]"
            try:
                changed(dataclasses.replace(card, period=()), change)
            except SchemaError as error:
                raise SchemaError(f"{place}: {error}") from None


def changed(section: S, change: Change) -> S:
    """Return a section with one number replaced.

    Raises
    ------
    SchemaError
        If there is no such number, or the value is not allowed.
    """
    return _replaced(section, change.key.split("."), change)  # type: ignore[no-any-return]


def _replaced(value: Any, path: list[str], change: Change) -> Any:
    if not path:
        require(
            isinstance(value, (int, float)) and not isinstance(value, bool), f"key = {change.key!r} is not a number"
        )
        return type(value)(change.value)
    name, rest = path[0], path[1:]
    if isinstance(value, tuple) and name.isdigit() and int(name) < len(value):
        i = int(name)
        return (*value[:i], _replaced(value[i], rest, change), *value[i + 1 :])
    if dataclasses.is_dataclass(value) and name in {field.name for field in dataclasses.fields(value)}:
        return dataclasses.replace(value, **{name: _replaced(getattr(value, name), rest, change)})  # type: ignore
    raise SchemaError(f"key = {change.key!r}, allowed the name of a number of the card")


@lru_cache(maxsize=8)
def period_cards(card: Any) -> tuple[tuple[float, Any], ...]:
    """Return for every period the part of the events that come before its end, and its card."""
    total = sum(period.fraction for period in card.period)
    plain = dataclasses.replace(card, period=())
    cards, end = [], 0.0
    for period in card.period:
        own = plain
        for change in period.change:
            own = changed(own, change)
        end += period.fraction / total
        cards.append((end, own))
    return tuple(cards)
