"""A search described by a TOML file: spectrum, cuts, limit, systematics, and the samples it is made of."""

import hashlib
import importlib.resources
import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..event import CHANNELS, Floats
from ..schema import build, number, read_toml
from .selection import ChannelCuts
from .spectrum import bin_edges


@dataclass(frozen=True)
class SpectrumOptions:
    """Bins of the mass spectra [GeV]; bins that overlap the gap are left out of the search."""

    mass_low: float = field(metadata=number("GeV", above=0.0))
    mass_high: float = field(metadata=number("GeV", above=0.0))
    bin_width: float = field(metadata=number("GeV", above=0.0))
    gap: tuple[float, float] = field(metadata=number("GeV", min=0.0))

    def __post_init__(self) -> None:
        if self.mass_high <= self.mass_low + self.bin_width:
            raise ValueError(f"mass_high = {self.mass_high}, allowed above mass_low + bin_width [GeV]")
        if self.gap[1] < self.gap[0]:
            raise ValueError(f"gap = {list(self.gap)}, allowed low <= high [GeV]")

    def edges(self) -> Floats:
        """Return the bin edges of the whole range, the gap included."""
        return bin_edges(self.mass_low, self.mass_high, self.bin_width)

    def mass_range(self) -> tuple[float, float]:
        """Return the ends of the range [GeV]."""
        return self.mass_low, self.mass_high


@dataclass(frozen=True)
class Cuts:
    """Cuts of the two channels."""

    mumu: ChannelCuts
    ee: ChannelCuts


@dataclass(frozen=True)
class LimitOptions:
    """Background model and limit convention."""

    background: str = field(metadata=number("", choices=("exp_poly4_split", "poly4")))
    delta: float = field(metadata=number("", above=0.0))
    bounded: bool = True
    window: int = field(default=0, metadata=number("bins", min=0, max=20))


@dataclass(frozen=True)
class Systematics:
    """Relative systematic errors that are not taken from a table or a sample of our own."""

    pion_form_factor: float = field(metadata=number("", min=0.0, max=1.0))
    bhabha_correction: float = field(metadata=number("", min=0.0, max=1.0))
    mass_resolution: float = field(metadata=number("", min=0.0, max=1.0))


@dataclass(frozen=True)
class SignalOptions:
    """Samples of dark photons from which the containment is counted."""

    mass_step: float = field(metadata=number("GeV", above=0.0, max=1.0))
    events: int = field(metadata=number("", min=1000))


@dataclass(frozen=True)
class ProcessOptions:
    """One process: generator cuts in the centre of mass, and the size of its weighted simulated sample."""

    name: str
    simulated: int = field(metadata=number("", min=65536))
    theta_gamma_max: float = field(metadata=number("rad", above=0.0, max=math.pi))
    lepton_theta_min: float = field(metadata=number("rad", min=0.0, max=math.pi / 2))
    lepton_pt_min: float = field(metadata=number("GeV/c", min=0.0))
    mass_min: float | None = field(default=None, metadata=number("GeV", above=0.0))
    mass_max: float | None = field(default=None, metadata=number("GeV", above=0.0))
    lepton: str | None = field(default=None, metadata=number("", choices=("mu", "e")))
    slices: int = field(default=1, metadata=number("", min=1, max=64))

    def __post_init__(self) -> None:
        if self.slices > 1 and (self.mass_min is None or self.mass_max is None):
            raise ValueError(f"slices = {self.slices}, allowed 1 without mass_min and mass_max")

    def label(self) -> str:
        """Return the name of the sample, unique in a search: the process and its lepton."""
        return self.name if self.lepton is None else f"{self.name}_{self.lepton}"

    def generator_options(self) -> dict[str, Any]:
        """Return the options for the generator."""
        own = ("name", "simulated", "slices")
        return {key: value for key, value in asdict(self).items() if key not in own and value is not None}

    def sliced(self) -> list["ProcessOptions"]:
        """Return the process in slices of the mass range of equal width, with equal shares of the events."""
        if self.slices == 1 or self.mass_min is None or self.mass_max is None:
            return [self]
        step = (self.mass_max - self.mass_min) / self.slices
        edges = [self.mass_min + i * step for i in range(self.slices)] + [self.mass_max]
        return [
            replace(self, mass_min=low, mass_max=high, slices=1, simulated=self.simulated // self.slices)
            for low, high in zip(edges, edges[1:])
        ]


@dataclass(frozen=True)
class Search:
    """A search as its file describes it."""

    name: str
    reference: str
    card: str
    luminosity: float = field(metadata=number("fb^-1", above=0.0))
    spectrum: SpectrumOptions
    cuts: Cuts
    limit: LimitOptions
    systematics: Systematics
    signal: SignalOptions
    process: tuple[ProcessOptions, ...]
    annihilation: ProcessOptions

    def digest(self) -> str:
        """Return the sha256 of all values of the search."""
        return hashlib.sha256(repr(self).encode()).hexdigest()

    def cuts_by_channel(self) -> dict[str, ChannelCuts]:
        """Return the cuts by channel name."""
        return {channel: getattr(self.cuts, channel) for channel in CHANNELS}


def search_names() -> list[str]:
    """Return the names of the packaged searches."""
    folder = importlib.resources.files(__package__)
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_search(name_or_path: str | Path | Search) -> Search:
    """Return a packaged search by name, or one from a file.

    Raises
    ------
    ValueError
        If there is no such search, or its file is wrong: the message names file, key, value and what is allowed.
    """
    if isinstance(name_or_path, Search):
        return name_or_path
    if str(name_or_path) in search_names():
        with importlib.resources.as_file(
            importlib.resources.files(__package__).joinpath(f"{name_or_path}.toml")
        ) as path:
            return build(Search, read_toml(path), path.name)
    path = Path(name_or_path)
    if not path.is_file():
        raise ValueError(f"{name_or_path}: no such search; packaged: {', '.join(search_names())}, or a path to a TOML")
    return build(Search, read_toml(path), str(path))
