"""A search described by a TOML file: spectrum, cuts, limit, systematics, and the samples it is made of."""

import itertools
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..event import CHANNELS, Floats
from ..packaged import Shelf
from ..schema import Section, build, digest, quantity, require
from .background import PREDICTIONS
from .selection import ChannelCuts
from .spectrum import bin_edges
from .spurious_signal import ORDER_RULES

_SEARCHES = Shelf("search", __package__)


@dataclass(frozen=True)
class SpectrumOptions(Section):
    """Bins of the mass spectra [GeV]; bins that overlap the gap are left out of the search."""

    mass_low: float = quantity("GeV", "(0, 1000]")
    mass_high: float = quantity("GeV", "(0, 1000]")
    bin_width: float = quantity("GeV", "(0, 1000]")
    gap: tuple[float, float] = quantity("GeV", "[0, 1000]")

    def check(self) -> None:
        """Raise SchemaError unless the range is a whole number of bins and the gap has its ends in order."""
        require(
            self.mass_high > self.mass_low + self.bin_width,
            f"mass_high = {self.mass_high}, allowed above mass_low + bin_width [GeV]",
        )
        bins = (self.mass_high - self.mass_low) / self.bin_width
        require(abs(bins - round(bins)) < 1e-6, f"bin_width = {self.bin_width}, allowed a whole number of bins [GeV]")
        require(self.gap[0] <= self.gap[1], f"gap = {list(self.gap)}, allowed low <= high [GeV]")

    def edges(self) -> Floats:
        """Return the bin edges of the whole range, the gap included."""
        return bin_edges(self.mass_low, self.mass_high, self.bin_width)

    def mass_range(self) -> tuple[float, float]:
        """Return the ends of the range [GeV]."""
        return self.mass_low, self.mass_high


@dataclass(frozen=True)
class Cuts(Section):
    """Cuts of the two channels."""

    mumu: ChannelCuts
    ee: ChannelCuts


@dataclass(frozen=True)
class LimitOptions(Section):
    """Background model and limit convention."""

    background: str = quantity("", choices=("exp_poly4_split", "poly4"))
    delta: float = quantity("", "(0, 100]")
    bounded: bool = True
    window: int = quantity("bins", "[0, 20]", default=0)
    order: str | tuple[int, ...] = quantity("", "[0, 12]", choices=ORDER_RULES, default="spurious_signal")
    prediction: str = quantity("", choices=PREDICTIONS, default="leave_one_out")
    envelope: int = quantity("orders", "[0, 4]", default=0)
    epsilon_definition: str = quantity("", choices=("mixing", "width"), default="mixing")

    def check(self) -> None:
        """Raise SchemaError for a prediction that knows its bin and leaves others out, or that has an envelope."""
        if self.prediction == "with_bin":
            require(self.window == 0, f"window = {self.window}, allowed 0 with prediction = 'with_bin'")
            require(self.envelope == 0, f"envelope = {self.envelope}, allowed 0 with prediction = 'with_bin'")

    def fixed_order(self) -> tuple[int, ...] | None:
        """Return the orders that are given, one per side of the gap; None where a rule chooses."""
        return None if isinstance(self.order, str) else self.order


@dataclass(frozen=True)
class WindowOptions(Section):
    """Sliding window of a channel: half its width, and the order of the polynomial in it."""

    half_width: float = quantity("GeV", "(0, 10]")
    order: int = quantity("", "[0, 12]")


@dataclass(frozen=True)
class BumpHuntOptions(Section):
    """Profile-likelihood scan in narrow bins: its bins, masses, windows and conventions."""

    mumu: WindowOptions
    ee: WindowOptions
    bin_width: float = quantity("GeV", "(0, 1]")
    step: float = quantity("GeV", "(0, 1]")
    confidence: float = quantity("", "[0.5, 1)", default=0.90)
    toys: int = quantity("", "[1, 1e6]", default=100)
    projection: float = quantity("fb^-1", "(0, 1e5]", default=20.3)


@dataclass(frozen=True)
class Systematics(Section):
    """Relative systematic errors that are not taken from a table or a sample of our own."""

    pion_form_factor: float = quantity("", "[0, 1]")
    bhabha_correction: float = quantity("", "[0, 1]")
    mass_resolution: float = quantity("", "[0, 1]")
    background_subtraction: float | None = quantity("", "[0, 1]", default=None)


@dataclass(frozen=True)
class SignalOptions(Section):
    """Samples of dark photons from which the containment is counted."""

    mass_step: float = quantity("GeV", "(0, 1]")
    events: int = quantity("", "[1000, 1e9]")
    resolution_scale_mumu: float = quantity("", "[0.2, 5]", default=1.0)
    resolution_scale_ee: float = quantity("", "[0.2, 5]", default=1.0)

    def resolution_scale(self, channel: str) -> float:
        """Return the mass resolution of data over that of the simulation in a channel."""
        return {"mumu": self.resolution_scale_mumu, "ee": self.resolution_scale_ee}[channel]


@dataclass(frozen=True)
class ProcessOptions(Section):
    """One process: generator cuts in the centre of mass, and the size of its weighted simulated sample."""

    name: str
    simulated: int = quantity("", "[65536, 1e12]")
    theta_gamma_max: float = quantity("rad", "(0, 3.1416]")
    lepton_theta_min: float = quantity("rad", "[0, 1.5708)")
    lepton_pt_min: float = quantity("GeV/c", "[0, 1000]")
    mass_min: float | None = quantity("GeV", "(0, 1000]", default=None)
    mass_max: float | None = quantity("GeV", "(0, 1000]", default=None)
    lepton: str | None = quantity("", choices=("mu", "e"), default=None)
    order: str | None = quantity("", choices=("lo", "ll"), default=None)
    slices: int = quantity("", "[1, 64]", default=1)

    def check(self) -> None:
        """Raise SchemaError if there are slices of no range."""
        whole = self.slices == 1 or (self.mass_min is not None and self.mass_max is not None)
        require(whole, f"slices = {self.slices}, allowed 1 without mass_min and mass_max")

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
            for low, high in itertools.pairwise(edges)
        ]


@dataclass(frozen=True)
class Search(Section):
    """A search as its file describes it."""

    name: str
    reference: str
    card: str
    spectrum: SpectrumOptions
    cuts: Cuts
    limit: LimitOptions
    systematics: Systematics
    signal: SignalOptions
    process: tuple[ProcessOptions, ...]
    annihilation: ProcessOptions
    luminosity: float = quantity("fb^-1", "(0, 1e5]")
    bump_hunt: BumpHuntOptions | None = None

    def check(self) -> None:
        """Raise SchemaError unless the bins of the spectra are whole numbers of those of the bump hunt."""
        if self.bump_hunt is None:
            return
        ratio = self.spectrum.bin_width / self.bump_hunt.bin_width
        whole = ratio > 0.5 and abs(ratio - round(ratio)) < 1e-6
        text = f"allowed a whole fraction of spectrum.bin_width = {self.spectrum.bin_width} [GeV]"
        require(whole, f"bump_hunt.bin_width = {self.bump_hunt.bin_width}, {text}")

    def fine_edges(self) -> Floats:
        """Return the edges of the narrow bins that data are counted in; without a bump hunt those of the spectra."""
        if self.bump_hunt is None:
            return self.spectrum.edges()
        return bin_edges(self.spectrum.mass_low, self.spectrum.mass_high, self.bump_hunt.bin_width)

    def digest(self) -> str:
        """Return the sha256 of all values of the search."""
        return digest(self)

    def cuts_by_channel(self) -> dict[str, ChannelCuts]:
        """Return the cuts by channel name."""
        return {channel: getattr(self.cuts, channel) for channel in CHANNELS}


def search_names() -> tuple[str, ...]:
    """Return the names of the packaged searches."""
    return _SEARCHES.names()


def load_search(name_or_path: Search | str | Path) -> Search:
    """Return a search: itself, a packaged one by name, or one read from a TOML file.

    Raises
    ------
    FileNotFoundError
        If there is no such search.
    ValueError
        If its file is wrong: the message names file, key, value and what is allowed.
    """
    if isinstance(name_or_path, Search):
        return name_or_path
    source, tables = _SEARCHES.read(name_or_path)
    return build(Search, tables, source)
