"""What a process is to the rest: a description that can be listed, and a source of events it prepares on request.

A process of one's own needs an object with the attributes of `Process`, made known by `registry.register`. Whoever has
a weight and momenta as functions of uniform numbers takes `rejection.ModelProcess`, which does everything else.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from ...event import TruthEvents
from .options import Option


class Setting(NamedTuple):
    """What a source of events is asked for: nominal sqrt(s) and its spread [GeV], seed, order, sizes, options.

    `n_cross_section` trials are behind the cross section, `n_scan` behind each scan for the maximum weight.
    """

    sqrt_s: float
    seed: int
    order: str
    weighted: bool
    energy_spread: float
    n_cross_section: int
    n_scan: int
    options: Mapping[str, Any]


class EventSource(Protocol):
    """A process with its cuts, ready to make events.

    Event e depends on the setting and its own number alone: `events` returns the same bits however the numbers are
    divided into chunks or threads, and may be called from several threads at once.

    Attributes
    ----------
    options : dict
        The options in use, defaults included.
    cross_section, cross_section_error : float
        Within the cuts [nb].
    efficiency : float
        Accepted trials over all trials.
    overflow : float
        Fraction of accepted trials whose weight exceeds the maximum.
    """

    options: dict[str, Any]
    cross_section: float
    cross_section_error: float
    efficiency: float
    overflow: float

    def events(self, start: int, n: int) -> TruthEvents:
        """Return events start .. start + n in the e+e- centre of mass."""
        ...


class Process(Protocol):
    """A process that can be generated."""

    @property
    def name(self) -> str:
        """Name by which it is asked for."""
        ...

    @property
    def final_state(self) -> str:
        """What is produced, in words."""
        ...

    @property
    def orders(self) -> tuple[str, ...]:
        """Orders of radiation it knows, the first being its default: "lo", "ll"."""
        ...

    @property
    def validity(self) -> str:
        """Range in which the description holds, in words."""
        ...

    @property
    def reference(self) -> str:
        """Where the formulae come from."""
        ...

    @property
    def options(self) -> Mapping[str, Option]:
        """Its options by name."""
        ...

    def contains(self, order: str, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the labels of processes whose events are part of this one, so that a sum refuses a double count.

        A label is a name, followed by an underscore and the lepton where a process has that option.
        """
        ...

    def prepare(self, setting: Setting) -> EventSource:
        """Return a source of events; TypeError or ValueError name an option that is wrong and what is allowed."""
        ...
