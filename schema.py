"""From a TOML file to frozen dataclasses: a file's keys ARE the constructor's arguments.

A `Section` is a table of a file. Unit, allowed interval and choices stand with each field (`quantity`) and are checked
whenever a section is made, from a file or not. A message is one line: file, key, value and what is allowed.
"""

import dataclasses
import functools
import hashlib
import json
import math
import tomllib
import types
import typing
from typing import Any, TypeVar

T = TypeVar("T", bound="Section")

_WORDS = {float: "a number", int: "an integer", bool: "true or false", str: "a text"}


class SchemaError(ValueError):
    """A value of a section is wrong; the message is one line that names it."""


def quantity(unit: str, allowed: str = "", *, choices: tuple[str, ...] = (), default: Any = dataclasses.MISSING) -> Any:
    """Return a dataclass field with its unit and what is allowed.

    Parameters
    ----------
    unit : str
        Empty for pure numbers, flags and texts.
    allowed : str
        An interval such as "(0, 1]", for every number of a tuple; empty: anything.
    choices : tuple of str
        The allowed texts; empty: any. With an interval besides, a value is one of the texts or made of such numbers.
    default
        Value where a file does not give the key; None is not checked.
    """
    metadata = {"unit": unit, "allowed": allowed, "choices": choices}
    return dataclasses.field(default=default, metadata=metadata)


def require(condition: bool, message: str) -> None:
    """Raise SchemaError with the message unless the condition holds."""
    if not condition:
        raise SchemaError(message)


def require_range(name: str, pair: tuple[float, float]) -> None:
    """Raise SchemaError unless the two numbers increase."""
    require(pair[0] < pair[1], f"{name} = {_text(pair)}, allowed two increasing numbers")


@dataclasses.dataclass(frozen=True)
class Section:
    """A table of a file; subclasses are frozen dataclasses whose values are checked whenever one is made."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check(field, getattr(self, field.name))
        self.check()

    def check(self) -> None:
        """Raise SchemaError where values contradict each other."""


def _check(field: "dataclasses.Field[Any]", value: Any) -> None:
    allowed, choices = field.metadata.get("allowed", ""), field.metadata.get("choices", ())
    if value is None:
        return
    if choices and (isinstance(value, str) or not allowed):
        words = f"{', '.join(map(repr, choices))}{f' or numbers in {allowed}' if allowed else ''}"
        require(value in choices, f"{field.name} = {value!r}, allowed {words}")
        return
    if allowed:
        for number in value if isinstance(value, tuple) else (value,):
            unit = f" {field.metadata['unit']}" if field.metadata["unit"] else ""
            require(_inside(number, allowed), f"{field.name} = {_text(value)}, allowed {allowed}{unit}")


def _inside(value: float, allowed: str) -> bool:
    low, high = (float(text) for text in allowed[1:-1].split(","))
    above = value >= low if allowed[0] == "[" else value > low
    below = value <= high if allowed[-1] == "]" else value < high
    return above and below and math.isfinite(value)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_text(item) for item in value) + "]"
    return repr(value)


def digest(section: Section) -> str:
    """Return the sha256 of all values of a section."""
    text = json.dumps(dataclasses.asdict(section), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Return the tables of a TOML text; SchemaError names the source and the place of a mistake."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SchemaError(f"{source}: not valid TOML: {error}") from None


def build(kind: type[T], table: dict[str, Any], source: str) -> T:
    """Return a section made of the keys of a table.

    Parameters
    ----------
    kind : type
        A section of numbers, flags, texts, sections, tuples of these, and `X | None`.
    table : dict
    source : str
        The file that messages name.

    Raises
    ------
    SchemaError
        For unknown, missing, ill-typed or forbidden values.
    """
    return typing.cast(T, _section(kind, table, "", source))


def _value(kind: Any, value: Any, place: str, source: str) -> Any:
    """Return the value of type `kind` that stands at `place` of a file."""
    if typing.get_origin(kind) is types.UnionType:
        kinds = [one for one in typing.get_args(kind) if one is not types.NoneType]
        fitting = (one for one in kinds if isinstance(value, list if typing.get_origin(one) is tuple else one))
        kind = next(fitting, kinds[-1])
    if dataclasses.is_dataclass(kind):
        return _section(kind, value, place, source)
    if typing.get_origin(kind) is tuple:
        return _tuple(typing.get_args(kind), value, place, source)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise SchemaError(f"{source}: {place} = {value!r}, allowed {_WORDS[kind]}")
    return value


def _tuple(inner: tuple[Any, ...], value: Any, place: str, source: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise SchemaError(f"{source}: {place} = {value!r}, allowed a list")
    if inner[-1] is Ellipsis:
        inner = (inner[0],) * len(value)
    if len(value) != len(inner):
        raise SchemaError(f"{source}: {place} = {value!r}, allowed a list of {len(inner)} numbers")
    return tuple(_value(one, item, f"{place}[{i}]", source) for i, (one, item) in enumerate(zip(inner, value)))


def _section(kind: Any, value: Any, place: str, source: str) -> Any:
    fields = {field.name: field for field in dataclasses.fields(kind)}
    needed = sum(field.default is dataclasses.MISSING for field in fields.values())
    if isinstance(value, list) and needed <= len(value) <= len(fields):  # a row of a table stands for its columns
        value = dict(zip(fields, value))
    if not isinstance(value, dict):
        raise SchemaError(f"{source}: {place} = {value!r}, allowed a table of {', '.join(fields)}")
    prefix = f"{place}." if place else ""
    for key in value:
        if key not in fields:
            raise SchemaError(f"{source}: unknown key {prefix}{key}, allowed {', '.join(fields)}")
    for name, field in fields.items():
        if name not in value and field.default is dataclasses.MISSING:
            unit = field.metadata.get("unit")
            raise SchemaError(f"{source}: {prefix}{name} is missing" + (f" [{unit}]" if unit else ""))
    hints = _hints(kind)
    arguments = {name: _value(hints[name], given, prefix + name, source) for name, given in value.items()}
    try:
        return kind(**arguments)
    except SchemaError as error:
        raise SchemaError(f"{source}: {prefix}{error}") from None


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)
