"""How a file of another program is read: the options, and the choice among its named weights."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..arrays import Floats


@dataclass(frozen=True)
class ReadOptions:
    """How a file of another program is read; see `exchange.read_external`."""

    frame: str | None = None
    weight: str | int | None = None
    cross_section: float | None = None
    cross_section_error: float | None = None
    tries: int | None = None
    process: str | None = None
    sqrt_s: float | None = None
    beams: str = "event"
    keep_complete: bool = False

    def __post_init__(self) -> None:
        if self.frame not in (None, "cm", "lab"):
            raise ValueError(f"frame = {self.frame!r}, must be 'cm', 'lab' or None (decided from the beams)")
        if self.beams not in ("event", "init"):
            raise ValueError(f"beams = {self.beams!r}, must be 'event' or 'init'")
        if self.tries is not None and self.cross_section is not None:
            raise ValueError("tries and cross_section exclude each other: one of them gives the normalisation")
        if self.tries is not None and self.tries < 2:
            raise ValueError(f"tries = {self.tries}, must be at least 2")
        for name in ("cross_section", "sqrt_s"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0.0):
                raise ValueError(f"{name} = {value}, must be positive")
        if self.process is not None and (not self.process or "," in self.process):
            raise ValueError(f"process = {self.process!r}, must be a name without comma")


class WeightChoice:
    """Which of the named weights of the events is taken: by name, by index, or the first."""

    def __init__(self, path: Path, wanted: str | int | None) -> None:
        self.path = path
        self.wanted = wanted
        self.names: list[str] = []
        self.n = -1
        self.index = 0

    @property
    def name(self) -> str:
        """Name of the weight taken, empty where the file gives none."""
        return self.names[self.index] if self.index < len(self.names) else ""

    def decide(self, names: list[str], n: int) -> None:
        """Choose among the n weights of the first event, `names` of which have names.

        Raises
        ------
        ValueError
            If there is no such weight.
        """
        wanted = self.wanted
        if isinstance(wanted, str):
            if wanted not in names:
                raise ValueError(f"{self.path}: weight = {wanted!r}, must be one of {', '.join(names) or '(no names)'}")
            wanted = names.index(wanted)
        elif wanted is not None and not 0 <= wanted < n:
            allowed = f"must be in 0 to {n - 1}" if n else "but the events have no weights"
            raise ValueError(f"{self.path}: weight = {wanted}, {allowed}")
        self.names, self.n, self.index = names, n, wanted or 0

    def columns(self, values: Floats) -> dict[str, Floats]:
        """Return all weights by name, from values (n_events, n): the chosen one first, 1 where there are none."""
        if not self.n:
            return {"weight": np.ones(len(values))}
        labels = [self.names[k] if k < len(self.names) else f"weight_{k}" for k in range(self.n)]
        if self.n == 1 and not self.names:
            labels = ["weight"]
        order = [self.index, *(k for k in range(self.n) if k != self.index)]
        return {labels[k]: np.ascontiguousarray(values[:, k]) for k in order}
