"""Cards with some of their keys changed."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ...geometry.sections import Card


def changed(card: Card, values: Mapping[str, Any]) -> Card:
    """Return a card with other values: `changed(card, {"mdc.tail_fraction": 0.0})`.

    Raises
    ------
    ValueError
        If the card has no such key, or does not allow the value.
    """
    for key, value in values.items():
        card = _replaced(card, key.split("."), key, value)
    return card


def has_key(card: Card, key: str) -> bool:
    """Return whether a card has a key."""
    section: Any = card
    for name in key.split("."):
        if not dataclasses.is_dataclass(section) or not hasattr(section, name):
            return False
        section = getattr(section, name)
    return True


def _replaced(section: Any, path: list[str], key: str, value: Any) -> Any:
    if not dataclasses.is_dataclass(section) or not hasattr(section, path[0]):
        raise ValueError(f"card key {key}: unknown")
    inner = value if len(path) == 1 else _replaced(getattr(section, path[0]), path[1:], key, value)
    return dataclasses.replace(section, **{path[0]: inner})  # type: ignore[type-var]
