"""Cards as text: a card with everything it is built on, and the template with all keys.

Both are TOML that `load_card` reads.
"""

import dataclasses
import json
import textwrap
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..schema import Section
from .card import load_card
from .keys import card_keys, row_kind
from .provenance import STATUSES, UNSTATED, Provenance, of_place, provenance
from .sections import Card

_WIDTH = 120
#: Writes the line of a value: name, TOML text, place, field.
_Line = Callable[[str, str, str, "dataclasses.Field[Any]"], list[str]]


def resolved_text(name_or_path: str | Path) -> str:
    """Return a card without base: each value with unit, status, source and the file that gives it."""
    known = provenance(name_or_path)

    def line(name: str, text: str, place: str, field: "dataclasses.Field[Any]") -> list[str]:
        if not text:
            return []
        origin = of_place(known, place)
        rows = [key.unit for key in card_keys() if key.place.startswith(f"{place}[].")]
        unit, file = field.metadata.get("unit", "") or ", ".join(rows), f"({origin.file})" if origin.file else ""
        status = "" if origin.status == UNSTATED else origin.status
        said = ", ".join(word for word in (status, origin.source) if word)
        comment = " ".join(word for word in (f"[{unit}]" if unit else "", said, file) if word)
        first, *rest = f"{name} = {text}".splitlines()
        return [f"{first:32s} # {comment}", *rest]

    card = load_card(name_or_path)
    head = ["# All values of the card: # [unit] status, source (file).", ""]
    return "\n".join([*head, *_section(card, Card, "", line, known)]) + "\n"


def template_text(base: str | Path) -> str:
    """Return a card that builds on another and has each key behind a `#`, with type, unit, range and sentence."""
    card = load_card(base)
    keys = {key.place: key for key in card_keys()}

    def line(name: str, text: str, place: str, field: "dataclasses.Field[Any]") -> list[str]:
        above: list[str] = []
        key = keys.get(place)
        if key is not None:
            allowed = f" in {key.allowed}" if key.allowed else ""
            default = "" if key.default is dataclasses.MISSING else f"; default {toml(key.default)}"
            unit = f" [{key.unit}]" if key.unit else ""
            described = f"{key.kind}{allowed}{unit}{default}. {key.sentence}"
            described = described.rstrip(" ")
            above = textwrap.wrap(described, _WIDTH, initial_indent="# ", subsequent_indent="# ")
        if not text:
            return [*above, f"# {name}: not given"]
        return [*above, *(f"#{one.lstrip()}" for one in f"{name} = {text}".splitlines())]

    statuses = [f"#   {status:10s} {meaning}" for status, meaning in STATUSES.items()]
    head = [
        "# A detector card. Take away the # before a key and give your value; what stays behind # is that of the base.",
        "# The comment of a value says where it comes from: # [unit] status, source. Status is one of",
        *statuses,
        f"base = {toml(str(base))}",
    ]
    body = [f"#{one}" if one.startswith("[[") else one for one in _section(card, Card, "", line, provenance(base))]
    return "\n".join([*head, *body]) + "\n"


def key_table() -> str:
    """Return all keys as tables in Markdown, one per section."""
    lines, last = [], None
    for key in card_keys():
        section = key.place.rpartition(".")[0]
        if section != last:
            lines += ["", f"### `{section or 'card'}`", "", "| key | type | unit | allowed | default | meaning |"]
            lines += ["| --- | --- | --- | --- | --- | --- |"]
            last = section
        default = "" if key.default is dataclasses.MISSING else f"`{toml(key.default)}`"
        name = key.place.rpartition(".")[2]
        cells = (f"`{name}`", key.kind, key.unit, key.allowed, default, key.sentence.replace("|", "\\|"))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines).strip() + "\n"


def _section(section: Section, kind: type, place: str, line: _Line, known: dict[str, Provenance]) -> list[str]:
    """Return the lines of a section: values first, then the tables inside it; lists of rows as the card gives them."""
    hints = typing.get_type_hints(kind)
    plain, tables = [], []
    for field in dataclasses.fields(kind):
        value, where = getattr(section, field.name), f"{place}.{field.name}" if place else field.name
        rows = row_kind(hints[field.name])
        if isinstance(value, Section):
            inner = _section(value, type(value), where, line, known)
            tables += ["", f"[{where}]", *inner] if inner else []
        elif rows is not None and value and where not in known:
            for i, row in enumerate(value):
                tables += ["", f"[[{where}]]", *_section(row, rows, f"{where}[{i}]", line, known)]
        else:
            plain += line(field.name, "" if value is None else toml(value), where, field)
    return plain + tables


def toml(value: Any) -> str:
    """Return a value as it stands in a TOML file."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Section):
        return "[" + ", ".join(toml(one) for one in dataclasses.astuple(value)) + "]"
    if isinstance(value, tuple) and value and isinstance(value[0], Section):
        return "[\n" + "".join(f"  {toml(row)},\n" for row in value) + "]"
    if isinstance(value, tuple):
        return "[" + ", ".join(toml(one) for one in value) + "]"
    return repr(value)
