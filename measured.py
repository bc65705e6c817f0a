"""Spectra measured elsewhere, or made of selected events, on the bins of a search: those of the tables, and narrow."""

from typing import NamedTuple

import numpy as np

from .analysis.fine_bins import summed
from .analysis.search_card import Search
from .analysis.spectrum import Spectrum, counts_on, search_bins
from .arrays import Floats
from .event import CHANNELS, SelectedEvents
from .limit_inputs import spectra_of_counts


class Measured(NamedTuple):
    """Spectra by channel on all bins of the tables (NaN where nothing was measured).

    `narrow` are the same events in the narrow bins of the bump hunt outside the gap, None where they are not known.
    """

    wide: dict[str, Spectrum]
    narrow: dict[str, Spectrum] | None


def measured_spectra(spectra: dict[str, Spectrum], search: Search, *, all_channels: bool = False) -> Measured:
    """Return measured spectra on the bins of a search; channels without counts are left out.

    They have the bins of the tables or, all of them, the narrow ones of the bump hunt, which are added up.

    Raises
    ------
    ValueError
        For bins of another width, a missing bin, or no channel with counts (with `all_channels`: one without).
    """
    width = search.spectrum.bin_width
    fine = search.bump_hunt.bin_width if search.bump_hunt else width
    wide, narrow = {}, {}
    kept = search_bins(search.fine_edges(), search.spectrum.gap)
    for channel, spectrum in spectra.items():
        if _all_of(spectrum, width):
            wide[channel] = spectrum
        elif _all_of(spectrum, fine):
            narrow[channel] = Spectrum(kept, counts_on(spectrum, kept), channel)
            wide[channel] = _added_up(narrow[channel], search)
        else:
            found = sorted({f"{1e3 * one:g}" for one in spectrum.bins.width.tolist()}, key=float)
            other = f", or {1e3 * fine:g} MeV, those of its bump hunt" if fine != width else ""
            raise ValueError(
                f"the {channel} spectrum has bins of {', '.join(found[:3])} MeV, needed are {1e3 * width:g} MeV, those "
                f"of the search {search.name}{other}"
            )
    placed = _on_search_bins(wide, search, all_channels)
    return Measured(placed, {name: narrow[name] for name in placed} if placed.keys() <= narrow.keys() else None)


def _all_of(spectrum: Spectrum, width: float) -> bool:
    return bool(np.all(np.abs(spectrum.bins.width - width) < 1e-9))


def _added_up(narrow: Spectrum, search: Search) -> Spectrum:
    """Return narrow bins outside the gap as those of the tables."""
    bins = search_bins(search.spectrum.edges(), search.spectrum.gap)
    return Spectrum(bins, summed(narrow.counts, bins.mass_low.size), narrow.channel)


def _on_search_bins(spectra: dict[str, Spectrum], search: Search, all_channels: bool) -> dict[str, Spectrum]:
    """Return measured spectra on all bins of a search (NaN where nothing was measured); empty channels are left out.

    Raises
    ------
    ValueError
        If a bin of the search is missing, or no channel has counts (with `all_channels`: one of them has none).
    """
    edges = search.spectrum.edges()
    needed, every = search_bins(edges, search.spectrum.gap), search_bins(edges, None)
    found: dict[str, Spectrum] = {}
    for channel in CHANNELS:
        if channel not in spectra or counts_on(spectra[channel], needed).sum() == 0.0:
            if all_channels:
                raise ValueError(f"there are no counts in the {channel} channel, needed are {', '.join(CHANNELS)}")
            continue
        counts = np.full(len(every.mass_low), np.nan)
        place = np.searchsorted(every.mass_low, spectra[channel].bins.mass_low - 1e-9)
        inside = place < len(counts)
        place = np.where(inside, place, 0)
        same = inside & (np.abs(every.mass_low[place] - spectra[channel].bins.mass_low) < 1e-9)
        same &= np.abs(every.mass_high[place] - spectra[channel].bins.mass_high) < 1e-9
        counts[place[same]] = spectra[channel].counts[same]
        found[channel] = Spectrum(every, counts, channel)
    if not found:
        raise ValueError("the spectra hold no counts in the bins of the search")
    return found


def narrow_spectra(fine: Floats, search: Search) -> dict[str, Spectrum]:
    """Return the spectra of counts (n_channels, n_fine) in all narrow bins, without those in the gap."""
    edges = search.fine_edges()
    every, kept = search_bins(edges, None), search_bins(edges, search.spectrum.gap)
    at = np.searchsorted(every.mass_low, kept.mass_low - 1e-9)
    return {channel: Spectrum(kept, fine[c, at], channel) for c, channel in enumerate(CHANNELS)}


def spectra_of_selected(events: SelectedEvents, search: Search) -> Measured:
    """Return the spectra of selected events; weights must be 1, since a weighted histogram is not data.

    Raises ValueError for other weights, and where no channel has events.
    """
    if not np.all(events.weight == 1.0):
        raise ValueError("selected events with weights other than 1 are simulation, not data: limits need counts")
    edges = search.fine_edges()
    fine = np.array([np.histogram(events.mass[events.channel == c], edges)[0] for c in range(len(CHANNELS))])
    wide = spectra_of_counts(summed(fine.astype(np.float64), search.spectrum.edges().size - 1), search)
    placed = _on_search_bins(wide, search, False)
    narrow = narrow_spectra(fine.astype(np.float64), search)
    return Measured(placed, {name: narrow[name] for name in placed})
