"""Two cards key by key."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..schema import Section
from .card import load_card
from .layout import toml
from .provenance import Provenance, of_place, provenance

#: More rows than these that differ are counted, not listed.
_ROWS = 4


class Side(NamedTuple):
    """What one card says: its value as text, empty if it has none, and the provenance."""

    value: str
    status: str
    source: str


class Difference(NamedTuple):
    """A key whose values differ."""

    place: str
    unit: str
    first: Side
    second: Side


def differences(first: str | Path, second: str | Path) -> list[Difference]:
    """Return the keys in which two cards differ, in the order of their definition; rows with a name are told by it."""
    known = (provenance(first), provenance(second))
    return list(_sections(load_card(first), load_card(second), "", ("", ""), known))


_Known = tuple[dict[str, Provenance], dict[str, Provenance]]


def _sections(one: Section, other: Section, place: str, places: tuple[str, str], known: _Known) -> Iterator[Difference]:
    for field in dataclasses.fields(one):
        label = f"{place}.{field.name}" if place else field.name
        left, right = (f"{outer}.{field.name}" if outer else field.name for outer in places)
        pair, here = (getattr(one, field.name), getattr(other, field.name)), (left, right)
        if pair[0] == pair[1]:
            continue
        if isinstance(pair[0], Section):
            yield from _sections(pair[0], pair[1], label, here, known)
        elif any(isinstance(value, tuple) and value and isinstance(value[0], Section) for value in pair):
            yield from _rows(pair[0], pair[1], label, here, known)
        else:
            yield _difference(label, field.metadata.get("unit", ""), pair, here, known)


def _rows(
    one: tuple[Any, ...], other: tuple[Any, ...], label: str, where: tuple[str, str], known: _Known
) -> Iterator[Difference]:
    names = [[getattr(row, "name", None) for row in rows] for rows in (one, other)]
    if all(None not in side and len(set(side)) == len(side) for side in names):
        for name in dict.fromkeys(names[0] + names[1]):
            index = [side.index(name) if name in side else None for side in names]
            left, right = (at if i is None else f"{at}[{i}]" for at, i in zip(where, index))
            here = f"{label}[{toml(name)}]"
            if index[0] is None or index[1] is None:
                texts = ["" if i is None else toml(side[i]) for side, i in zip((one, other), index)]
                yield Difference(here, "", Side(texts[0], "", ""), Side(texts[1], "", ""))
            else:
                yield from _sections(one[index[0]], other[index[1]], here, (left, right), known)
        return
    changed = [i for i, (a, b) in enumerate(zip(one, other)) if a != b]
    if len(one) == len(other) and len(changed) <= _ROWS:
        for i in changed:
            places = (f"{where[0]}[{i}]", f"{where[1]}[{i}]")
            yield from _sections(one[i], other[i], f"{label}[{i}]", places, known)
        return
    text = [f"{len(rows)} rows" for rows in (one, other)]
    if len(one) == len(other):
        text[1] += f", {len(changed)} others"
    yield Difference(label, "", _side(text[0], where[0], known[0]), _side(text[1], where[1], known[1]))


def _difference(label: str, unit: str, pair: tuple[Any, Any], where: tuple[str, str], known: _Known) -> Difference:
    left, right = (_side("" if value is None else toml(value), at, book) for value, at, book in zip(pair, where, known))
    return Difference(label, unit, left, right)


def _side(value: str, place: str, known: dict[str, Provenance]) -> Side:
    origin = of_place(known, place)
    numbers = value and (value[0] in "[-." or value[0].isdigit())
    return Side(value, origin.status if numbers else "", origin.source if value else "")
