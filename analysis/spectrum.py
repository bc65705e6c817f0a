"""Mass spectra in bins: edges without accumulated rounding, the excluded gap, and spectra measured elsewhere."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..event import CHANNELS, Floats, Ints
from .table import number, read_rows

#: Name of the channel of a spectrum that names none.
ONE_CHANNEL = "spectrum"
_COLUMNS = ("mass_low", "mass_high", "channel", "n")


class Bins(NamedTuple):
    """Mass bins [GeV] in ascending order, possibly with gaps, each array of shape (n_bins,)."""

    mass_low: Floats
    mass_high: Floats

    @property
    def centre(self) -> Floats:
        """Centre of each bin [GeV]."""
        return 0.5 * (self.mass_low + self.mass_high)

    @property
    def width(self) -> Floats:
        """Width of each bin [GeV], free of the rounding of the edges."""
        return np.round(self.mass_high - self.mass_low, 10)

    @property
    def segment(self) -> Ints:
        """Index of the contiguous run of bins each bin belongs to."""
        return np.concatenate([[0], np.cumsum(self.mass_low[1:] != self.mass_high[:-1])]).astype(np.int64)


class Spectrum(NamedTuple):
    """Counts of one channel ("mumu" or "ee") in mass bins; the counts of an expectation need not be integers."""

    bins: Bins
    counts: Floats
    channel: str


def bin_edges(low: float, high: float, width: float) -> Floats:
    """Return edges low, low + width, ... high [GeV], each rounded to 1e-10 (never accumulated).

    Raises ValueError where the range is not a whole number of positive widths.
    """
    if not (math.isfinite(low) and math.isfinite(high) and width > 0.0 and high > low):
        raise ValueError(f"bins from {low!r} to {high!r} GeV of width {width!r}, need low < high and width > 0")
    n_bins = round((high - low) / width)
    if n_bins < 1 or abs(low + n_bins * width - high) > 1e-9:
        raise ValueError(f"bins from {low!r} to {high!r} GeV are not a whole number of widths {width!r}")
    return np.round(low + width * np.arange(n_bins + 1), 10)


def search_bins(edges: Floats, gap: tuple[float, float] | None = (2.95, 3.20)) -> Bins:
    """Return the bins between the edges that do not overlap the gap [GeV]: by default the J/psi region is left out."""
    low, high = edges[:-1], edges[1:]
    keep = np.ones(low.size, dtype=bool) if gap is None else (high <= gap[0] + 1e-9) | (low >= gap[1] - 1e-9)
    return Bins(low[keep], high[keep])


def counts_on(spectrum: Spectrum, bins: Bins) -> Floats:
    """Return the counts of the spectrum in the given bins; ValueError names a bin that the spectrum lacks."""
    place = np.searchsorted(spectrum.bins.mass_low, bins.mass_low - 1e-9)
    found = place < spectrum.counts.size
    at = np.where(found, place, 0)
    found &= np.abs(spectrum.bins.mass_low[at] - bins.mass_low) < 1e-9
    found &= np.abs(spectrum.bins.mass_high[at] - bins.mass_high) < 1e-9
    if not np.all(found):
        i = int(np.argmin(found))
        raise ValueError(
            f"the {spectrum.channel} spectrum has no bin from {bins.mass_low[i]:g} to {bins.mass_high[i]:g} GeV"
        )
    return spectrum.counts[at]


def read_spectra(path: str | Path, channels: Sequence[str] | None = CHANNELS) -> dict[str, Spectrum]:
    """Return the spectra by channel of a CSV file with columns mass_low, mass_high [GeV], channel, n.

    Without `channels` any name is one, and without the column there is one channel, `spectrum`. Lines that start with
    # are comments; further columns are ignored. Raises ValueError that names file and line for a missing column, an
    unknown channel, a count that is negative or no number, and bins that overlap.
    """
    rows: dict[str, list[tuple[float, float, float]]] = {}
    needed = [name for name in _COLUMNS if name != "channel" or channels is not None]
    for place, row in read_rows(path, needed):
        channel = row.get("channel", ONE_CHANNEL)
        if channels is not None and channel not in channels:
            raise ValueError(f"{place}: channel = {channel!r}, must be one of {', '.join(channels)}")
        low, high, n = (number(place, name, row[name]) for name in ("mass_low", "mass_high", "n"))
        if low >= high:
            raise ValueError(f"{place}: mass_low = {row['mass_low']} is not below mass_high = {row['mass_high']}")
        rows.setdefault(channel, []).append((low, high, n))
    if not rows:
        raise ValueError(f"{path}: no spectrum in it")
    return {channel: _spectrum(path, channel, values) for channel, values in rows.items()}


def _spectrum(path: str | Path, channel: str, rows: list[tuple[float, float, float]]) -> Spectrum:
    low, high, counts = np.array(sorted(rows)).T
    low, high = np.round(low, 10), np.round(high, 10)
    if np.any(low[1:] < high[:-1]):
        i = int(np.argmax(low[1:] < high[:-1]))
        raise ValueError(f"{path}: {channel} bins from {low[i]:g} and from {low[i + 1]:g} GeV overlap")
    return Spectrum(Bins(low, high), counts, channel)
