"""Where each number of a card comes from, read from the comments that stand with the values.

The comment of a value is `# [unit] status, source`: `hit_resolution = 0.0135  # [cm] published, arXiv:1705.04265`.
Status is one of `STATUSES`; pure numbers have no unit; the comment of a table of rows stands behind its first bracket.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..schema import parse_toml
from .card import CARDS

#: What the comment of a value may begin with, and what it says.
STATUSES = {
    "published": "stands in the named publication, public page or software",
    "geometry": "public geometry description of the experiment",
    "computed": "follows from other numbers, as the comment says",
    "estimated": "a guess within what is known, to be varied as a systematic uncertainty",
    "input": "chosen so that the card reproduces a published number, which it therefore cannot test",
    "neutral": "the value at which the effect is off",
}
#: What `Provenance.status` says of values without such a comment.
DEFAULT, UNSTATED = "default", "unstated"

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""'
    r"|'''.*?'''"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*|\n|[\[\]{}]|[^\s\"'\#\[\]{}]+|[^\S\n]+|.",
    re.DOTALL,
)
_COMMENT = re.compile(r"#\s*(?:\[(?P<unit>[^\]]*)\])?\s*(?P<status>\w*)[,;:]?\s*(?P<source>.*)")
_NAME = re.compile(r"\"[^\"]*\"|'[^']*'|[\w-]+")


class Provenance(NamedTuple):
    """What a card says about one of its values."""

    #: File that gives the value; empty for the default of the key and for what is derived from other keys.
    file: str
    #: Unit in the comment, empty if there is none.
    unit: str
    #: One of STATUSES, DEFAULT or UNSTATED.
    status: str
    #: The rest of the comment.
    source: str


def provenance(name_or_path: str | Path) -> dict[str, Provenance]:
    """Return the provenance of all values that the files of a card give, by their place such as "emc.barrel.noise".

    A row of a list of tables has its number in the place, "material[0].r_inner"; a list of rows is one value. Where a
    card builds on another, the file on top has the last word, with all of a list.
    """
    known: dict[str, Provenance] = {}
    for source, text, tables in reversed(CARDS.layers(name_or_path)):
        comments = dict(annotations(text))
        for place in [*CARDS.dropped(tables), *_covered(known, tables)]:
            known.pop(place, None)
        for place in _places(tables, ""):
            known[place] = _parsed(source, comments.get(place, ""))
    return known


def of_place(known: dict[str, Provenance], place: str) -> Provenance:
    """Return the provenance of a value, of a list that holds it, or that of a default."""
    while place not in known:
        if not place:
            return Provenance("", "", DEFAULT, "")
        place = re.sub(r"(\[[^\[\]]*\]|\.?[^.\[\]]+)$", "", place)
    return known[place]


def annotations(text: str) -> Iterator[tuple[str, str]]:
    """Yield place and comment of each value of a TOML text, the comment empty if there is none."""
    table, rows = "", dict[str, int]()
    for code, comment in _statements(text):
        if code.startswith("[["):
            name = _joined(code.strip("[] "))
            table = f"{name}[{rows.setdefault(name, 0)}]"
            rows[name] += 1
        elif code.startswith("["):
            table = _joined(code.strip("[] "))
        elif code:
            name = _joined(code.split("=", 1)[0])
            yield f"{table}.{name}" if table else name, comment


def _statements(text: str) -> Iterator[tuple[str, str]]:
    """Yield the code of each statement of a TOML text and the first comment in it."""
    parse_toml(text, "card")
    code, comment, depth = "", "", 0
    for token in _TOKEN.findall(text + "\n"):
        depth += (token in ("[", "{")) - (token in ("]", "}"))
        if token.startswith("#"):
            comment = comment or token
        elif token == "\n" and depth == 0:
            yield code.strip(), comment
            code, comment = "", ""
        else:
            code += token


def _joined(name: str) -> str:
    return ".".join(part.strip("\"'") for part in _NAME.findall(name))


def _parsed(file: str, comment: str) -> Provenance:
    match = _COMMENT.match(comment)
    if match is None:
        return Provenance(file, "", UNSTATED, "")
    unit, status, source = match["unit"] or "", match["status"], match["source"].strip()
    if status in STATUSES:
        return Provenance(file, unit, status, source)
    return Provenance(file, unit, UNSTATED, comment[match.start("status") :].strip())


def _places(value: Any, place: str) -> Iterator[str]:
    """Yield the places of the values of a table."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _places(inner, f"{place}.{name}" if place else name)
    elif isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        for i, row in enumerate(value):
            yield from _places(row, f"{place}[{i}]")
    else:
        yield place


def _covered(known: dict[str, Provenance], tables: dict[str, Any]) -> list[str]:
    """Return the known places inside lists that a file gives anew."""
    lists = {re.split(r"\[", place)[0] for place in _places(tables, "") if "[" in place}
    lists |= set(_places(tables, ""))
    return [place for place in known if re.split(r"\[", place)[0] in lists and "[" in place]
