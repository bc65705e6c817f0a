"""The processes there are, by name; other packages may add theirs."""

from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from typing import Any

from ..radiative.processes import RADIATIVE
from .gamma_dark_photon import GAMMA_DARK_PHOTON_INVISIBLE
from .gamma_gamma import GAMMA_GAMMA
from .jpsi_gamma_alp import JPSI_GAMMA_ALP
from .mumu_zprime import MUMU_ZPRIME
from .particle_gun import PARTICLE_GUN
from .protocol import Process
from .three_gamma import THREE_GAMMA

#: Packages announce their processes as entry points of this group, each a `Process`.
ENTRY_POINTS = "besfast.processes"

#: Processes with a phase space of their own.
_MODELS: tuple[Process, ...] = (
    GAMMA_DARK_PHOTON_INVISIBLE,
    GAMMA_GAMMA,
    THREE_GAMMA,
    JPSI_GAMMA_ALP,
    MUMU_ZPRIME,
    PARTICLE_GUN,
)
_PROCESSES: dict[str, Process] = {process.name: process for process in (*RADIATIVE, *_MODELS)}
_announced: list[str] = []


def register(process: Process) -> None:
    """Make a process known by its name.

    Raises
    ------
    ValueError
        If the name is taken by another one, or it knows no order.
    """
    taken = _PROCESSES.get(process.name)
    if taken is not None and taken is not process:
        raise ValueError(f"process {process.name!r} is registered already: {taken.final_state}")
    if not process.orders:
        raise ValueError(f"process {process.name!r}: orders is empty, must name one at least")
    _PROCESSES[process.name] = process


def processes() -> Mapping[str, Process]:
    """Return all processes by name: the built-in ones, those of installed packages, and those registered so far."""
    if not _announced:
        _announced.append(ENTRY_POINTS)
        for point in entry_points(group=ENTRY_POINTS):
            register(point.load())
    return _PROCESSES


def find_process(name: str) -> Process:
    """Return the process of that name, or raise ValueError with the names there are."""
    known = processes()
    if name not in known:
        raise ValueError(f"process = {name!r}, must be one of {', '.join(known)}")
    return known[name]


def find_order(process: Process, order: str | None) -> str:
    """Return the order of radiation asked for, the process's default for None; ValueError if it has no such order."""
    if order is None:
        return process.orders[0]
    if order not in process.orders:
        raise ValueError(f"order = {order!r}, must be {' or '.join(map(repr, process.orders))} for {process.name}")
    return order


def label_of(name: str, options: Mapping[str, Any]) -> str:
    """Return the label of a process with its options: the name, and the lepton where there is a choice."""
    process = find_process(name)
    if "lepton" not in process.options:
        return name
    return f"{name}_{options.get('lepton') or process.options['lepton'].default or 'mu'}"


def check_sum(parts: Iterable[tuple[str, str | None, Mapping[str, Any]]]) -> None:
    """Raise ValueError if a sum of processes (name, order, options) would count the same events twice."""
    parts = list(parts)
    labels = {label_of(name, options) for name, _, options in parts}
    for name, order, options in parts:
        process = find_process(name)
        for other in process.contains(find_order(process, order), options):
            if other in labels:
                raise ValueError(f"{name} and {other} cannot be added: {name} contains {other}")
