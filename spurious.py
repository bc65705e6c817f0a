"""Noise-free expectation of a search, and the spurious signal of every background model on it."""

from typing import Any, NamedTuple

import numpy as np

from .analysis.bump_hunt.channel import Channel
from .analysis.bump_hunt.linear import linear_scan
from .analysis.bump_hunt.model import build_model
from .analysis.channel import ChannelInput
from .analysis.combination import Table
from .analysis.corrections import MUMU
from .analysis.fine_bins import split
from .analysis.search_card import Search
from .analysis.spectrum import search_bins
from .analysis.spurious_signal import SpuriousSignal, combined_spurious, spurious_signal
from .arrays import Floats
from .background_models import CHOSEN, COUNTING, Templates, fit_options, spurious_counting, unbiased
from .event import CHANNELS
from .expectations import MAIN_CHANNEL, Expectation, expectation
from .limit_inputs import Corrections
from .samples import Producer, Sample

WINDOW = "sliding_window"
#: Points per slice of a generated spectrum: 6e-4 of its cross section, far below the Poisson error of a bin.
N_CROSS_SECTION = 2**20


class Spurious(NamedTuple):
    """Spurious signals by luminosity [fb^-1], model and channel (`both`: weighted by information)."""

    found: dict[tuple[float, str, str], SpuriousSignal]

    def table(self) -> Table:
        """Return one row per luminosity, model, channel and mass; the signal in units of the channel (see `report`)."""
        parts = []
        for (luminosity, model, channel), one in self.found.items():
            n = one.mass.size
            parts.append(
                {
                    "luminosity": np.full(n, luminosity),
                    "model": np.full(n, model),
                    "channel": np.full(n, channel),
                    "mass": one.mass,
                    "signal": one.signal,
                    "error": one.error,
                    "ratio": one.ratio,
                }
            )
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def report(self) -> dict[str, Any]:
        """Return the verdicts: largest ratio, where, root mean square, what is allowed."""
        report: dict[str, Any] = {}
        for (luminosity, model, channel), one in self.found.items():
            report.setdefault(f"{luminosity:g} fb^-1", {}).setdefault(model, {})[channel] = one.summary()
        return report


def noise_free(
    producer: Producer,
    simulated: dict[str, Sample],
    drawn: dict[str, Expectation],
    external: set[str],
    corrections: Corrections,
) -> Floats:
    """Return the expectation (n_channels, n_fine) in all narrow bins, smooth in mass on either side of the gap.

    The processes that dominate a channel are what the pseudo-data were drawn from, or generated spectra times smooth
    efficiencies: shapes that no background model was fitted to; the few events they leave in the other channel are not
    smooth and left out. Pions are smoothed; other processes are split evenly. Only processes that are `simulated`.
    """
    flat = np.ones_like(producer.fine_centre)
    total = np.zeros((len(CHANNELS), flat.size))
    for process in producer.search.process:
        label = process.label()
        if label not in simulated:
            continue
        sample = simulated[label]
        channel = MAIN_CHANNEL.get(process.name)
        if channel is not None:
            one = drawn.get(label)
            if one is None:
                native = label not in external
                one = expectation(producer, process, sample, native=native, n_cross_section=N_CROSS_SECTION)
            total[channel] += one.fine[channel]
        elif label == "pipi_isr" and corrections.pions is not None:
            total[MUMU] += corrections.pions
        else:
            total += split(sample.expected.mean, flat)
    return total


def window_spurious(masses: Floats, channels: list[Channel], template: Floats) -> SpuriousSignal:
    """Return what sliding windows find in a template (n_channels, n_bins), in units of the signal strength."""
    model = build_model(masses, [c._replace(counts=n) for c, n in zip(channels, template, strict=True)])

    def fit(counts: Floats) -> tuple[Floats, Floats]:
        return linear_scan(model, counts[None])[0] * model.unit, model.unit

    return spurious_signal(template, fit, masses)


def spurious_signals(
    template: Floats,
    wide: Templates,
    inputs: list[ChannelInput],
    masses: Floats,
    channels: list[Channel],
    search: Search,
    luminosities: dict[float, float],
) -> Spurious:
    """Return the spurious signals of all models and channels at some luminosities [fb^-1], with their scale factors.

    In the bins of the tables a signal is the excess over what the other bins predict, in events (`both`:
    epsilon^2); of the sliding windows it is epsilon^2 everywhere. `template` has all narrow bins at scale one, `wide`
    those of the tables. Where a rule chooses orders it does so anew at each luminosity, on the expectation.
    """
    every = search_bins(search.fine_edges(), None)
    bins = channels[0].bins
    narrow = bins.mass_low.size != wide.bins.mass_low.size
    source = template if narrow else np.array([wide.total[name] for name in CHANNELS])
    inside = np.searchsorted(every.mass_low, bins.mass_low - 1e-9) if narrow else np.arange(bins.mass_low.size)
    found: dict[tuple[float, str, str], SpuriousSignal] = {}
    for luminosity, scale in luminosities.items():
        given = wide.scaled(scale)
        for name, model, rule in ((CHOSEN, search.limit.background, search.limit.order), *COUNTING):
            parts = []
            for one in inputs:
                order: int | tuple[int, ...] | None = None if isinstance(rule, str) else rule
                if name == CHOSEN and scale == 1.0:
                    order = one.background.order
                lowest = unbiased(given, one.channel, search) if rule == "spurious_signal" and order is None else None
                parts.append(spurious_counting(given, one.channel, model, fit_options(search, order, lowest)))
                found[luminosity, name, one.channel] = parts[-1]
            found[luminosity, name, "both"] = combined_spurious(parts, [scale * one.signal for one in inputs])
        spectra = scale * source[:, inside]
        scaled = [
            c._replace(
                signal_yield=scale * c.signal_yield, component=None if c.component is None else scale * c.component
            )
            for c in channels
        ]
        order_of = [spectra[CHANNELS.index(c.name)] for c in channels]
        for c, counts in zip(scaled, order_of, strict=True):
            found[luminosity, WINDOW, c.name] = window_spurious(masses, [c], counts[None])
        found[luminosity, WINDOW, "both"] = window_spurious(masses, scaled, np.array(order_of))
    return Spurious(found)
