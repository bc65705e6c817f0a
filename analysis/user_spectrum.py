"""Spectra of any origin, and what is given of the signal in them: mass resolution, conversion, error of the yield.

The yield of the signal is the number of its events after the selection, at any reconstructed mass; its strength
(epsilon^2, a cross section, ...) is the yield times the conversion, which may differ between channels and then weights
them.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..arrays import Floats
from .curve import Curve, constant
from .histogram_file import read_histograms
from .spectrum import Bins, Spectrum, read_spectra

#: Names that stand for several channels in the output.
COMBINED = ("sum", "joint")


def read_spectrum_file(path: str | Path, exclude: Sequence[tuple[float, float]] = ()) -> dict[str, Spectrum]:
    """Return the spectra by channel of a CSV file or of a UHI histogram in JSON, without bins that overlap a range."""
    suffix = Path(path).suffix
    if suffix not in (".csv", ".json"):
        raise ValueError(f"{path}: a spectrum must be .csv (mass_low, mass_high, n) or .json (UHI histogram)")
    spectra = read_spectra(path, None) if suffix == ".csv" else read_histograms(path)
    kept = {}
    for channel, (bins, counts, _) in spectra.items():
        if channel in ("", *COMBINED):
            raise ValueError(f"{path}: channel {channel!r}, must have a name other than {', '.join(COMBINED)}")
        inside = np.ones(counts.size, dtype=bool)
        for low, high in exclude:
            inside &= (bins.mass_high <= low + 1e-9) | (bins.mass_low >= high - 1e-9)
        if not np.any(inside):
            raise ValueError(f"{path}: no bin of channel {channel!r} is left outside of the excluded ranges")
        if np.any(bins.width != bins.width[0]):
            i = int(np.argmax(bins.width != bins.width[0]))
            raise ValueError(
                f"{path}: {channel} bin from {bins.mass_low[i]:g} to {bins.mass_high[i]:g} GeV is not as wide as the "
                f"first, {bins.width[0]:g} GeV; the background needs bins of one width"
            )
        kept[channel] = Spectrum(Bins(bins.mass_low[inside], bins.mass_high[inside]), counts[inside], channel)
    return kept


class Signal(NamedTuple):
    """What is known of the signal; without a conversion limits are on its yield, of each channel for itself.

    `error` is the relative error of the expected yield, common to all channels.
    """

    resolution: Curve
    conversion: Curve | None = None
    error: float = 0.0

    @property
    def quantity(self) -> str:
        """What limits are on."""
        return "yield" if self.conversion is None else "strength"

    def per_strength(self, channel: str, masses: Floats) -> Floats:
        """Return the signal events of a channel per unit of what limits are on."""
        conversion = constant("conversion", 1.0) if self.conversion is None else self.conversion
        return np.asarray(1.0 / conversion.at(channel, masses))

    def check(self) -> None:
        """Raise ValueError for an error that is not."""
        if not (math.isfinite(self.error) and self.error >= 0.0):
            raise ValueError(f"efficiency_error = {self.error:g}, must be finite and >= 0")


def combinations(spectra: Mapping[str, Spectrum], signal: Signal, names: Sequence[str]) -> dict[str, list[str]]:
    """Return the channels of every combination: each alone, and all where the conversion relates them."""
    alone = {channel: [channel] for channel in spectra}
    if len(spectra) == 1 or signal.conversion is None:
        return alone
    first, *others = spectra.values()
    for other in others:
        if not all(np.array_equal(a, b) for a, b in zip(first.bins, other.bins)):
            raise ValueError(f"{other.channel} and {first.channel} have different mass bins")
    return {**alone, **{name: list(spectra) for name in names}}
