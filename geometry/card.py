"""Detector cards: what an experiment measures with, read from TOML into frozen dataclasses.

The keys of a card are the arguments of the constructors in `sections`. A card of a user may begin with
`base = "besiii"` and then holds only what differs.
"""

from functools import lru_cache
from pathlib import Path

from ..packaged import Shelf
from ..schema import build, digest
from .sections import Card

__all__ = ["CARDS", "Card", "card_hash", "card_names", "card_text", "load_card"]

#: Both energies, or both spreads, of a user's card take the place of the one number for symmetric beams in its base.
_REPLACED = {
    "beam": {
        "sqrt_s": ("electron_energy", "positron_energy"),
        "energy_spread": ("electron_spread", "positron_spread"),
    }
}

#: The packaged cards, and how those of users are found.
CARDS = Shelf("card", __package__, _REPLACED)


def card_names() -> tuple[str, ...]:
    """Return the names of the packaged cards."""
    return CARDS.names()


def card_text(name_or_path: str | Path) -> str:
    """Return the text of a packaged card, or of a card file; OSError or ValueError if there is none."""
    return CARDS.text(name_or_path)


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
    source, tables = CARDS.read(name_or_path)
    return build(Card, tables, source)


@lru_cache(maxsize=16)
def card_hash(card: Card) -> str:
    """Return the sha256 of all values of a card."""
    return digest(card)
