"""Losses that are not a matter of resolution: the first-level trigger, and dead regions of the counters.

Angles [rad], energies [GeV].
"""

from dataclasses import dataclass

from ..schema import Section, quantity, require_range

#: What a dead region may belong to.
COUNTERS = ("mdc", "dedx", "tof", "emc", "muc")


@dataclass(frozen=True)
class Condition(Section):
    """A condition of the trigger: so many tracks, and at least this energy in the calorimeter."""

    #: Name in messages.
    name: str
    #: Smallest number of tracks.
    tracks: int = quantity("", "[0, 100]")
    #: Smallest energy in the calorimeter.
    energy: float = quantity("GeV", "[0, 1000]")
    #: Efficiency where it is met.
    efficiency: float = quantity("", "[0, 1]")


@dataclass(frozen=True)
class Trigger(Section):
    """First-level trigger."""

    #: Of all events; where there are conditions, of those in which at least one has fired.
    efficiency: float = quantity("", "[0, 1]")
    #: Conditions that fire independently of each other; without any, every event is as good as triggered.
    condition: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Region(Section):
    """A part of a counter with an efficiency of its own, as dead channels or a gap in azimuth."""

    #: To which counter the region belongs.
    counter: str = quantity("", choices=COUNTERS)
    #: Directions seen from the origin; two ranges are needed for a region across the azimuth pi.
    cos_range: tuple[float, float] = quantity("", "[-1, 1]")
    #: Azimuths between which it lies.
    phi_range: tuple[float, float] = quantity("rad", "[-3.1416, 3.1416]")
    #: What is left there of the efficiency elsewhere.
    efficiency: float = quantity("", "[0, 1]")

    def check(self) -> None:
        """Raise SchemaError unless ranges increase."""
        require_range("cos_range", self.cos_range)
        require_range("phi_range", self.phi_range)
