"""Processes and their options as text: what a user reads of them, and what a user writes."""

from typing import Any

from .registry import find_process, processes


def list_processes() -> str:
    """Return all processes, a line each: name, orders, final state, range."""
    rows = [
        f"{one.name:30s} {','.join(one.orders):6s} {one.final_state}; {one.validity}" for one in processes().values()
    ]
    return "\n".join(rows)


def describe_process(name: str) -> str:
    """Return all about one process: final state, orders, range, reference and options; ValueError if it is unknown."""
    process = find_process(name)
    lines = [f"{process.name}: {process.final_state}"]
    lines.append(f"orders {', '.join(process.orders)}; {process.validity}; {process.reference}")
    for key, option in process.options.items():
        value = "required" if option.required else "" if option.default is None else f"default {option.default}"
        lines.append(f"  {key:24s} {option.unit or '-':8s} {option.sentence}{value and '; ' + value}")
    return "\n".join(lines)


def parse_setting(process: str, text: str) -> tuple[str, Any]:
    """Return name and value of an option of a process written NAME=VALUE.

    Raises
    ------
    ValueError
        If the process or the name is unknown, the text is not of that form, or the value not of the option's kind.
    """
    options = find_process(process).options
    name, equals, value = text.partition("=")
    if not equals or name not in options:
        raise ValueError(f"{text}: must be NAME=VALUE with one of {', '.join(options)}")
    kind = options[name].kind
    if kind is bool:
        if value.lower() not in ("true", "false"):
            raise ValueError(f"{text}: must be true or false")
        return name, value.lower() == "true"
    try:
        return name, kind(value)
    except ValueError:
        raise ValueError(f"{text}: must be {'an integer' if kind is int else 'a number'}") from None
