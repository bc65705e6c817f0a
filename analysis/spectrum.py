"""Mass spectra in bins: edges without accumulated rounding, the excluded gap, and spectra measured elsewhere."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..event import CHANNELS, Floats, Ints

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


def read_spectra(path: str | Path) -> dict[str, Spectrum]:
    """Return the spectra by channel of a CSV file with columns mass_low, mass_high [GeV], channel, n.

    Lines that start with # are comments; further columns are ignored. Raises ValueError that names file and line for a
    missing column, an unknown channel, a count that is negative or no number, and bins that overlap.
    """
    rows: dict[str, list[tuple[float, float, float]]] = {}
    with open(path, encoding="utf-8-sig", newline="") as lines:
        numbered = [(i, line) for i, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")]
    header, *body = csv.reader(line for _, line in numbered) if numbered else [[]]
    names = [name.strip() for name in header]
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        raise ValueError(f"{path}: no column {', '.join(missing)}; needed are {', '.join(_COLUMNS)}")
    for (number, _), fields in zip(numbered[1:], body, strict=True):
        channel, values = _row(f"{path}:{number}", names, fields)
        rows.setdefault(channel, []).append(values)
    if not rows:
        raise ValueError(f"{path}: no spectrum in it")
    return {channel: _spectrum(path, channel, values) for channel, values in rows.items()}


def _row(place: str, names: Sequence[str], fields: Sequence[str]) -> tuple[str, tuple[float, float, float]]:
    if len(fields) != len(names):
        raise ValueError(f"{place}: {len(fields)} fields, the header has {len(names)}")
    row = dict(zip(names, (field.strip() for field in fields), strict=True))
    if row["channel"] not in CHANNELS:
        raise ValueError(f"{place}: channel = {row['channel']!r}, must be one of {', '.join(CHANNELS)}")
    values = []
    for name in ("mass_low", "mass_high", "n"):
        try:
            value = float(row[name])
        except ValueError:
            raise ValueError(f"{place}: {name} = {row[name]!r}, must be a number") from None
        if not (math.isfinite(value) and value >= 0.0):
            raise ValueError(f"{place}: {name} = {row[name]}, must be finite and >= 0")
        values.append(value)
    if values[0] >= values[1]:
        raise ValueError(f"{place}: mass_low = {row['mass_low']} is not below mass_high = {row['mass_high']}")
    return row["channel"], (values[0], values[1], values[2])


def _spectrum(path: str | Path, channel: str, rows: list[tuple[float, float, float]]) -> Spectrum:
    low, high, counts = np.array(sorted(rows)).T
    low, high = np.round(low, 10), np.round(high, 10)
    if np.any(low[1:] < high[:-1]):
        i = int(np.argmax(low[1:] < high[:-1]))
        raise ValueError(f"{path}: {channel} bins from {low[i]:g} and from {low[i + 1]:g} GeV overlap")
    return Spectrum(Bins(low, high), counts, channel)
