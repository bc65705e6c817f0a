"""Everything a search does beside its counting: bump hunt, spurious signals, the gain, a projection."""

from typing import Any, NamedTuple

import numpy as np

from .analysis.bump_hunt.model import build_model
from .analysis.bump_hunt.scan import scan
from .analysis.channel import ChannelInput
from .analysis.combination import Table
from .analysis.hunt_tables import gain_table, hunt_table
from .analysis.search_card import Search
from .analysis.spectrum import Spectrum, counts_on, search_bins
from .analysis.spurious_signal import ALLOWED_SPURIOUS
from .arrays import Floats
from .background_models import Templates
from .bump_hunt_inputs import Hunt, hunt, hunt_channels
from .event import CHANNELS
from .limit_inputs import Corrections
from .samples import Producer
from .spurious import Spurious, spurious_signals


class Hunted(NamedTuple):
    """A bump hunt with what belongs to it; tables are those of the output, `projection` the expected limits later."""

    hunt: Hunt
    table: Table
    gain: Table
    projection: Table
    spurious: Spurious
    note: str

    def report(self) -> dict[str, Any]:
        """Return what the manifest says of the bump hunt and of the background models."""
        return {
            **self.hunt.report(),
            "note": self.note,
            "spurious_signal": self.spurious.report(),
            "allowed_spurious_signal": ALLOWED_SPURIOUS,
        }

    def summary(self) -> list[str]:
        """Return lines: largest excess, gain over counting, background models that fail their test."""
        found = self.hunt.report()["largest_excess"]
        lines = [
            f"bump hunt: largest excess {found['z_local']:.2f} sigma at {found['mass']:.4f} GeV, global "
            f"p = {found['p_global']:.2g}"
        ]
        for i, name in enumerate(self.gain["combination"].tolist()):
            low, high = self.gain["mass_low"][i], self.gain["mass_high"][i]
            if name == "sum":
                counting, better = self.gain["epsilon_counting"][i], self.gain["epsilon_bump_hunt"][i]
                lines.append(
                    f"expected epsilon from {low:g} to {high:g} GeV: single bins {counting:.3e}, "
                    f"bump hunt {better:.3e}, gain {self.gain['gain'][i]:.2f}"
                )
        return lines


def hunted_spectra(
    producer: Producer,
    spectra: dict[str, Spectrum],
    narrow: dict[str, Spectrum] | None,
    inputs: list[ChannelInput],
    corrections: Corrections,
) -> tuple[Hunt, str]:
    """Return the bump hunt of spectra in narrow bins, or in those of the tables where no others are known; a note.

    The search of the producer has a section bump_hunt.
    """
    search, jobs = producer.search, producer.jobs
    options = search.bump_hunt
    assert options is not None
    given, note = narrow, ""
    if given is None:
        bins = search_bins(search.spectrum.edges(), search.spectrum.gap)
        given = {name: Spectrum(bins, counts_on(one, bins), name) for name, one in spectra.items()}
        note = f"measured spectra have bins of {1e3 * search.spectrum.bin_width:g} MeV: the bump hunt uses these"
    masses, channels = hunt_channels(given, inputs, corrections, search, options, jobs)
    return hunt(masses, channels, options, producer.seed, jobs), note


def hunting(
    producer: Producer,
    spectra: dict[str, Spectrum],
    narrow: dict[str, Spectrum] | None,
    inputs: list[ChannelInput],
    expected: Table,
    corrections: Corrections,
    template: Floats,
    wide: Templates,
) -> Hunted | None:
    """Return the bump hunt of a search on the same events as its counting; None where the search asks for none.

    `narrow` are the counts in narrow bins where they are known. `template` and `wide` are the noise-free expectation
    in narrow bins and in those of the tables.
    """
    search = producer.search
    options = search.bump_hunt
    if options is None:
        return None
    found, note = hunted_spectra(producer, spectra, narrow, inputs, corrections)
    masses, channels = found.model.masses, list(found.model.channels)
    table = hunt_table(found.result, [channel.name for channel in channels])
    luminosities = {producer.luminosity: 1.0, options.projection: options.projection / producer.luminosity}
    spurious = spurious_signals(template, wide, inputs, masses, channels, search, luminosities)
    projection = _projection(found, template, search, options.projection / producer.luminosity)
    projection["luminosity"] = np.full(projection["mass"].size, options.projection)
    gain = gain_table(masses, found.expected, expected)
    return Hunted(found, table, gain, projection, spurious, note)


def _projection(found: Hunt, template: Floats, search: Search, scale: float) -> Table:
    """Return the expected limits of the two-sided profile likelihood on `scale` times the noise-free expectation."""
    channels = found.model.channels
    every = search_bins(search.fine_edges(), None)
    at = np.searchsorted(every.mass_low, channels[0].bins.mass_low - 1e-9)
    n_fine = max(round(found.bin_width / (search.fine_edges()[1] - search.fine_edges()[0])), 1)
    scaled = [
        channel._replace(
            counts=scale * np.sum([template[CHANNELS.index(channel.name), at + k] for k in range(n_fine)], axis=0),
            signal_yield=scale * channel.signal_yield,
            component=None if channel.component is None else scale * channel.component,
        )
        for channel in channels
    ]
    convention = next(iter(found.result.limits.values())).convention
    result = scan(build_model(found.model.masses, scaled), conventions=(convention,))
    return hunt_table(result, [channel.name for channel in scaled])
