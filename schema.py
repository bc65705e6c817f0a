"""From a TOML file to frozen dataclasses: a file's keys ARE the constructor's arguments.

The metadata of a dataclass field says what is allowed: `unit`, the closed bounds `min` and `max`, the open bound
`above`, `choices`. An error is one line that names the file, the key, the value and what is allowed.
"""

import math
import tomllib
import types
import typing
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def number(unit: str, **allowed: Any) -> dict[str, Any]:
    """Return the metadata of a field: its unit and what is allowed (`min`, `max`, `above`, `choices`)."""
    return {"unit": unit, **allowed}


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file; ValueError names the file and the place of a mistake."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not valid TOML: {error}") from None


def build(cls: type[T], data: dict[str, Any], file: str, prefix: str = "") -> T:
    """Return an instance of a dataclass from the keys of a table.

    Parameters
    ----------
    cls : type
        A dataclass of numbers, strings, booleans, tuples of them, dataclasses, tuples or dicts of dataclasses.
    data : dict
    file, prefix : str
        What the messages name: the file, and the table inside it.

    Raises
    ------
    ValueError
        For unknown, missing, ill-typed or forbidden values.
    """
    known = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(cls)
    for key in data:
        if key not in known:
            raise ValueError(f"{file}: {prefix}{key} is unknown, allowed: {', '.join(known)}")
    values: dict[str, Any] = {}
    for name, field in known.items():
        if name in data:
            values[name] = _value(hints[name], data[name], field, file, prefix + name)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{file}: {prefix}{name} is missing{_unit(field)}")
    try:
        return cls(**values)
    except ValueError as error:
        raise ValueError(f"{file}: {prefix}{error}") from None


def _unit(field: "Field[Any]") -> str:
    unit = field.metadata.get("unit")
    return f" [{unit}]" if unit else ""


def _value(hint: Any, value: Any, field: "Field[Any]", file: str, key: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        hint = next(argument for argument in arguments if argument is not type(None))
        return _value(hint, value, field, file, key)
    if is_dataclass(hint):
        if not isinstance(value, dict):
            raise ValueError(f"{file}: {key} = {value!r}, must be a table")
        return build(typing.cast(type[Any], hint), value, file, key + ".")
    if origin is dict:
        if not isinstance(value, dict):
            raise ValueError(f"{file}: {key} = {value!r}, must be a table")
        return {name: _value(arguments[1], one, field, file, f"{key}.{name}") for name, one in value.items()}
    if origin is tuple:
        return _tuple(arguments, value, field, file, key)
    return _scalar(hint, value, field, file, key)


def _tuple(arguments: tuple[Any, ...], value: Any, field: "Field[Any]", file: str, key: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ValueError(f"{file}: {key} = {value!r}, must be a list{_unit(field)}")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        arguments = (arguments[0],) * len(value)
    if len(value) != len(arguments):
        raise ValueError(f"{file}: {key} = {value!r}, must have {len(arguments)} entries{_unit(field)}")
    return tuple(_value(a, v, field, file, f"{key}[{i}]") for i, (a, v) in enumerate(zip(arguments, value)))


def _scalar(hint: Any, value: Any, field: "Field[Any]", file: str, key: str) -> Any:
    if hint is Any:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, hint) or (hint is not bool and isinstance(value, bool)):
        raise ValueError(f"{file}: {key} = {value!r}, must be of type {hint.__name__}{_unit(field)}")
    allowed = _allowed(field)
    bounds = field.metadata
    if "choices" in bounds and value not in bounds["choices"]:
        raise ValueError(f"{file}: {key} = {value!r}, allowed: {', '.join(map(repr, bounds['choices']))}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high, above = bounds.get("min", -math.inf), bounds.get("max", math.inf), bounds.get("above", -math.inf)
        if not math.isfinite(value) or value < low or value > high or value <= above:
            raise ValueError(f"{file}: {key} = {value}, allowed {allowed}{_unit(field)}")
    return value


def _allowed(field: "Field[Any]") -> str:
    bounds = field.metadata
    low = f"({bounds['above']}" if "above" in bounds else f"[{bounds['min']}" if "min" in bounds else "(-inf"
    return f"{low}, {bounds['max']}]" if "max" in bounds else f"{low}, inf)"
