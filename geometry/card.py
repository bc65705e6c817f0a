"""Detector cards: what an experiment measures with, read from TOML into frozen dataclasses.

The keys of a card are the arguments of the constructors in `sections`. A card of a user may begin with
`base = "besiii"` and then holds only what differs.
"""

import dataclasses
import hashlib
import json
import tomllib
import types
import typing
from importlib import resources
from pathlib import Path
from typing import Any

from .sections import Card, CardError

__all__ = ["Card", "CardError", "card_hash", "card_names", "card_text", "load_card"]


def card_names() -> tuple[str, ...]:
    """Return the names of the packaged cards."""
    folder = resources.files(__package__)
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")))


def card_text(name_or_path: str | Path) -> str:
    """Return the text of a packaged card, or of a card file.

    Raises
    ------
    FileNotFoundError
        If it is neither a packaged name nor a file.
    ValueError
        If the file is not text.
    """
    if str(name_or_path) in card_names():
        return (resources.files(__package__) / f"{name_or_path}.toml").read_text(encoding="utf-8")
    try:
        return Path(name_or_path).read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        names = ", ".join(card_names())
        raise FileNotFoundError(f"{name_or_path}: no such card, allowed {names} or the path of a TOML file") from None
    except UnicodeDecodeError:
        raise CardError(f"{name_or_path}: not a text file, allowed TOML in UTF-8") from None


def load_card(name_or_path: Card | str | Path) -> Card:
    """Return a card: itself, a packaged one by name, or one read from a TOML file.

    Raises
    ------
    FileNotFoundError
        If there is no such card.
    ValueError
        If the text is not TOML or a key is unknown, missing, of the wrong type or outside its allowed range; the
        message is one line with file, key, value and what is allowed.
    """
    if isinstance(name_or_path, Card):
        return name_or_path
    if not isinstance(name_or_path, (str, Path)):
        raise TypeError(f"card = {name_or_path!r}, must be a Card, a name or a path")
    source, table = _read(name_or_path, ())
    card = _build(Card, table, "", source)
    assert isinstance(card, Card)
    return card


def card_hash(card: Card) -> str:
    """Return the sha256 of all values of a card."""
    text = json.dumps(dataclasses.asdict(card), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _read(name_or_path: str | Path, seen: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """Return the file name of a card and its table, completed by the cards it builds on."""
    text = card_text(name_or_path)
    source = f"{name_or_path}.toml" if str(name_or_path) in card_names() else str(name_or_path)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CardError(f"{source}: {error}") from None
    base = table.pop("base", None)
    if base is None:
        return source, table
    if not isinstance(base, str) or base in seen:
        raise CardError(f"{source}: base = {base!r}, allowed the name or path of another card")
    return source, _merged(_read(base, (*seen, base))[1], table)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        result[key] = _merged(base[key], value) if both else value
    return result


def _build(kind: Any, value: Any, place: str, source: str) -> Any:
    """Return the value of type `kind` that stands at `place` of a card."""
    if dataclasses.is_dataclass(kind):
        return _build_section(kind, value, place, source)
    if typing.get_origin(kind) is tuple:
        return _build_tuple(kind, value, place, source)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        words = {float: "a number", int: "an integer", bool: "true or false", str: "a text"}
        raise CardError(f"{source}: {place} = {value!r}, allowed {words[kind]}")
    return value


def _build_tuple(kind: types.GenericAlias, value: Any, place: str, source: str) -> tuple[Any, ...]:
    inner = typing.get_args(kind)
    if not isinstance(value, list):
        raise CardError(f"{source}: {place} = {value!r}, allowed a list")
    if inner[-1] is Ellipsis:
        return tuple(_build(inner[0], item, f"{place}[{i}]", source) for i, item in enumerate(value))
    if len(value) != len(inner):
        raise CardError(f"{source}: {place} = {value!r}, allowed a list of {len(inner)} numbers")
    return tuple(_build(one, item, f"{place}[{i}]", source) for i, (one, item) in enumerate(zip(inner, value)))


def _build_section(kind: Any, value: Any, place: str, source: str) -> Any:
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]
    if isinstance(value, list) and len(value) == len(names):  # a row of a table stands for its columns
        value = dict(zip(names, value))
    if not isinstance(value, dict):
        raise CardError(f"{source}: {place} = {value!r}, allowed a table of {', '.join(names)}")
    prefix = f"{place}." if place else ""
    for key in value:
        if key not in names:
            raise CardError(f"{source}: unknown key {prefix}{key}, allowed: {', '.join(names)}")
    for name in names:
        if name not in value:
            unit = next(f.metadata.get("unit") for f in dataclasses.fields(kind) if f.name == name)
            raise CardError(f"{source}: {prefix}{name} is missing" + (f" [{unit}]" if unit else ""))
    arguments = {name: _build(hints[name], value[name], prefix + name, source) for name in names}
    try:
        return kind(**arguments)
    except CardError as error:
        raise CardError(f"{source}: {prefix}{error}") from None
