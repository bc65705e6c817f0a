"""Backgrounds that the main search neglects: what each would add to a bin, or the upper bound a toy of it gives.

Every background runs through the same chain as the search: simulation, reconstruction, selection. Expectations are
averaged over regions of mass of about 0.3 GeV, in each of which the spectrum is taken to be smooth.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..analysis.search_card import Search
from ..arrays import Floats
from ..event import CHANNELS, TruthEvents
from ..geometry.card import Card
from ..pipeline import Chain
from ..rng import derive_seed
from ..samples import PER_FB, Producer
from .background_samples import (
    EFFORT,
    MODELS,
    NEAR,
    SQRT_S,
    CrossSection,
    Selected,
    cross_sections,
    hadronic_selected,
    packaged_hadronic,
    run_selection,
    source_of,
)

#: A background is negligible below this share of a bin's Poisson error and below this share of its events.
ERROR_SHARE, YIELD_SHARE = 0.1, 0.005
#: Confidence of upper bounds, and the number of standard deviations that bounds a cross section as well.
CONFIDENCE, _ONE_SIDED = 0.9, 1.2816
#: Width [GeV] of the regions of mass.
REGION_WIDTH = 0.3


class Region(NamedTuple):
    """One region of mass [GeV] in one channel: numbers per bin of the search, `upper` at 90 % confidence."""

    process: str
    channel: str
    mass_low: float
    mass_high: float
    expected: float
    upper: float
    qed_events: float

    @property
    def error_share(self) -> float:
        """The bound over the Poisson error of a bin."""
        return self.upper / math.sqrt(self.qed_events)

    @property
    def yield_share(self) -> float:
        """The bound over the events of a bin."""
        return self.upper / self.qed_events


#: Fewer events would leave regions of mass without any.
LEAST_EVENTS = 1024


class Background(NamedTuple):
    """One background in one channel; `expected` and `upper` are for all bins of the search."""

    process: str
    channel: str
    cross_section: float
    cross_section_error: float
    source: str
    events: int
    selected: int
    efficiency: float
    efficiency_upper: float
    expected: float
    upper: float
    regions: tuple[Region, ...]
    remark: str = ""

    @property
    def error_share(self) -> float:
        """The largest bound over the Poisson error of a bin."""
        return max(region.error_share for region in self.regions)

    @property
    def yield_share(self) -> float:
        """The largest bound over the events of a bin."""
        return max(region.yield_share for region in self.regions)

    @property
    def verdict(self) -> str:
        """Negligible by its bound, or the size with its bound, each where it is largest."""
        if self.error_share < ERROR_SHARE and self.yield_share < YIELD_SHARE:
            return "negligible"
        error = max(region.expected / math.sqrt(region.qed_events) for region in self.regions)
        share = max(region.expected / region.qed_events for region in self.regions)
        return (
            f"{error:.2g} (< {self.error_share:.2g}) sigma of a bin, "
            f"{100.0 * share:.2g} (< {100.0 * self.yield_share:.2g}) % of its events"
        )


#: Rows of the result and the samples each is the sum of, with what has to be known about it.
ROWS: Mapping[str, tuple[tuple[str, ...], str]] = MappingProxyType(
    {
        "qqbar": (
            ("qqbar",),
            "hadron pairs with one photon left out; selected: pi+ pi- pi0 with and without a photon of a beam",
        ),
        "tau_tau": (("tau_tau",), "other decays taken to be as efficient as e, mu, pi and rho"),
        "d_dbar": (("d0_d0bar", "dplus_dminus"), "neutral kaons lost; other decays taken to be as efficient"),
        "kaon_pair_gamma": (("kaon_pair_gamma",), ""),
        "proton_pair_gamma": (("proton_pair_gamma",), ""),
        "two_photon_mumu": (("two_photon_mumu",), "one beam particle gives nearly all its energy to its photon"),
        "two_photon_ee": (("two_photon_ee",), "one beam particle gives nearly all its energy to its photon"),
        "psi2s_to_jpsi": (("psi2s_to_jpsi_mumu", "psi2s_to_jpsi_ee"), "outside the gap around the J/psi"),
    }
)


def poisson_upper(n: float) -> float:
    """Return the upper limit on a mean at 90 % confidence after n events, which may be an effective number."""
    from scipy.stats import chi2

    return float(0.5 * chi2.ppf(CONFIDENCE, 2.0 * n + 2.0))


def bound(sample: Selected, inside: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the efficiency of a sample for the chosen events, and its upper bound with the error of sigma."""
    sums = np.bincount(sample.group[inside], weights=sample.weight[inside], minlength=1)
    total, square = float(np.sum(sums)), float(np.sum(sums**2))
    effective, weight = (total**2 / square, square / total) if total > 0.0 else (0.0, sample.typical)
    upper = weight * poisson_upper(effective) * (1.0 + _ONE_SIDED * sample.relative_error)
    return total / sample.n_events, upper / sample.n_events


def mass_regions(search: Search) -> list[tuple[float, float]]:
    """Return regions of mass [GeV] of about `REGION_WIDTH` on either side of the gap."""
    spectrum = search.spectrum
    regions = []
    for low, high in ((spectrum.mass_low, spectrum.gap[0]), (spectrum.gap[1], spectrum.mass_high)):
        n_bins = round((high - low) / spectrum.bin_width)
        if n_bins > 0:
            count = max(round((high - low) / REGION_WIDTH), 1)
            edges = [low + spectrum.bin_width * round(n_bins * i / count) for i in range(count + 1)]
            regions += [(round(edges[i], 10), round(edges[i + 1], 10)) for i in range(count)]
    return regions


def qed_yields(card: Card, search: Search, n_events: int, seed: int, jobs: int) -> Floats:
    """Return the expected events per bin of mumu_isr and ee_bhabha in their channel, shape (2, n_regions)."""
    producer = Producer(search, card, seed, search.luminosity, jobs)
    yields = []
    for channel, name in enumerate(("mumu_isr", "ee_bhabha")):
        process = producer.process(name)
        sample = producer.simulated(replace(process, simulated=max(n_events, 65536 * process.slices)))
        mean = sample.expected.mean[channel]
        bins = [(producer.centre > low) & (producer.centre < high) for low, high in mass_regions(search)]
        yields.append([float(np.mean(mean[chosen])) for chosen in bins])
    return np.array(yields)


def neglected_backgrounds(
    card: Card,
    search: Search,
    n_events: int = 2**18,
    seed: int = 1,
    jobs: int = 1,
    hadronic: TruthEvents | None = None,
) -> list[Background]:
    """Return the backgrounds that the search neglects, one per process and channel.

    Parameters
    ----------
    card : Card
        The detector; its energy must be 3.773 GeV, where the cross sections are known.
    search : Search
    n_events : int
        Events of every toy and of both QED samples; of hadrons as many as this leaves of copies of a file's events.
    seed, jobs : int
    hadronic : TruthEvents, optional
        Hadronic events with a cross section; None: the packaged result for 5000 events of Pythia 8.

    Raises
    ------
    ValueError
        If the energy of the card is not that of the cross sections, or the number of events is below 1024.
    """
    if n_events < LEAST_EVENTS:
        raise ValueError(f"events = {n_events}, must be at least {LEAST_EVENTS}")
    if abs(card.beam.sqrt_s - SQRT_S) > NEAR:
        raise ValueError(f"{card.name}: beam.sqrt_s = {card.beam.sqrt_s}, backgrounds are known at {SQRT_S} GeV only")
    known = cross_sections()
    samples: dict[str, Selected] = {}
    if hadronic is None:
        samples["qqbar"] = packaged_hadronic()
    else:
        copies = max(n_events // hadronic.n_events, 1)
        samples["qqbar"] = hadronic_selected(hadronic, card, search, copies, seed, jobs)
    for name in MODELS:
        source: Any = source_of(name, card, search, derive_seed(seed, "background", name), known[name])
        detector = derive_seed(seed, "background/detector", name)
        chain = Chain(source, card, search.cuts_by_channel(), search.spectrum.mass_range(), detector)
        relative = known[name].error / known[name].value
        samples[name] = run_selection(chain, EFFORT.get(name, 1) * n_events, jobs, source.cross_section, relative)
    yields = qed_yields(card, search, n_events, seed, jobs)
    make = partial(_background, search=search, samples=samples, known=known, yields=yields)
    return [make(process, channel) for process in ROWS for channel in range(len(CHANNELS))]


def _background(
    process: str,
    channel: int,
    search: Search,
    samples: Mapping[str, Selected],
    known: Mapping[str, CrossSection],
    yields: Floats,
) -> Background:
    names, remark = ROWS[process]
    parts = [samples[name] for name in names]
    edges = mass_regions(search)
    total = sum(part.cross_section for part in parts)
    to_events = search.luminosity * PER_FB

    def chosen(part: Selected, low: float, high: float) -> NDArray[np.bool_]:
        """Return which events are of the channel, in a range of mass and outside the gap."""
        outside = np.any([(part.mass >= a) & (part.mass < b) for a, b in edges], axis=0)
        inside: NDArray[np.bool_] = outside & (part.channel == channel) & (part.mass >= low) & (part.mass < high)
        return inside

    def expected(low: float, high: float) -> tuple[float, float]:
        """Return the cross section after the selection [nb], and its bound."""
        both = np.array([bound(part, chosen(part, low, high)) for part in parts])
        value, upper = np.array([part.cross_section for part in parts]) @ both
        return float(value), float(upper)

    regions = []
    for number, (low, high) in enumerate(edges):
        bins = round((high - low) / search.spectrum.bin_width)
        value, upper = (one * to_events / bins for one in expected(low, high))
        regions.append(Region(process, CHANNELS[channel], low, high, value, upper, float(yields[channel, number])))
    value, upper = expected(*search.spectrum.mass_range())
    error = math.hypot(*(part.cross_section * part.relative_error for part in parts))
    sources = "; ".join(dict.fromkeys(known[name].source for name in names))
    selected = sum(int(np.count_nonzero(chosen(part, *search.spectrum.mass_range()))) for part in parts)
    return Background(
        process,
        CHANNELS[channel],
        total,
        error,
        sources,
        sum(part.n_events for part in parts),
        selected,
        value / total,
        upper / total,
        value * to_events,
        upper * to_events,
        tuple(regions),
        remark,
    )
