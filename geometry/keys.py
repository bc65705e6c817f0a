"""The keys of a card, read off the dataclasses that check them: place, type, unit, what is allowed, default, sentence.

The sentence of a key is the comment `#:` above its field, as Sphinx reads it.
"""

import ast
import dataclasses
import inspect
import re
import textwrap
import types
import typing
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from ..schema import Section
from .sections import Card

_WORDS = {float: "number", int: "integer", bool: "true or false", str: "text"}


class Key(NamedTuple):
    """A key of a card."""

    #: Such as "emc.barrel.noise"; "[]" stands for any row of a list: "mdc.layers[].radius".
    place: str
    #: Type in words.
    kind: str
    unit: str
    #: Interval or choices; empty: anything.
    allowed: str
    #: Value if no file gives the key; `dataclasses.MISSING` if it must be given.
    default: Any
    sentence: str


class Value(NamedTuple):
    """A value of a card; rows of lists carry their name or number: "material[2].r_inner"."""

    place: str
    value: Any
    unit: str


@cache
def card_keys() -> tuple[Key, ...]:
    """Return all keys of a card in the order of their definition."""
    return tuple(_keys(Card, ""))


def values(section: Section, place: str = "") -> Iterator[Value]:
    """Yield the values of a section and of those inside it."""
    for field in dataclasses.fields(section):
        inner = getattr(section, field.name)
        where = f"{place}.{field.name}" if place else field.name
        if isinstance(inner, Section):
            yield from values(inner, where)
        elif isinstance(inner, tuple) and inner and isinstance(inner[0], Section):
            for i, row in enumerate(inner):
                yield from values(row, f"{where}[{i}]")
        else:
            yield Value(where, inner, field.metadata.get("unit", ""))


def sentences(kind: type) -> dict[str, str]:
    """Return the comments `#:` of the fields of a class."""
    return {name: sentence for name, sentence in _sentences(kind)}


def row_kind(hint: Any) -> Any:
    """Return the section of which a type is a list, or None."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is tuple and dataclasses.is_dataclass(arguments[0]):
        return arguments[0]
    return None


def _keys(kind: Any, place: str) -> Iterator[Key]:
    hints, texts = typing.get_type_hints(kind), sentences(kind)
    for field in dataclasses.fields(kind):
        hint, where = hints[field.name], f"{place}.{field.name}" if place else field.name
        rows = row_kind(hint)
        if dataclasses.is_dataclass(hint):
            yield from _keys(hint, where)
        elif rows is not None:
            yield from _keys(rows, f"{where}[]")
        else:
            unit, allowed = field.metadata.get("unit", ""), field.metadata.get("allowed", "")
            choices = ", ".join(repr(one) for one in field.metadata.get("choices", ()))
            yield Key(where, _words(hint), unit, allowed or choices, field.default, texts.get(field.name, ""))


def _words(hint: Any) -> str:
    if typing.get_origin(hint) is types.UnionType:
        return _words(next(one for one in typing.get_args(hint) if one is not types.NoneType))
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)
        many = "" if inner[-1] is Ellipsis else f"{len(inner)} "
        return f"list of {many}{_WORDS[inner[0]]}s"
    return _WORDS[hint]


@cache
def _sentences(kind: type) -> tuple[tuple[str, str], ...]:
    source = textwrap.dedent(inspect.getsource(kind))
    lines, found = source.splitlines(), []
    body = typing.cast(ast.ClassDef, ast.parse(source).body[0]).body
    for statement in body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            words: list[str] = []
            above = statement.lineno - 2
            while match := re.match(r"\s*#: ?(.*)", lines[above]):
                words.insert(0, match[1])
                above -= 1
            found.append((statement.target.id, " ".join(words)))
    return tuple(found)
