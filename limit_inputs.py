"""What the limits of a search need: corrections from simulation, and spectra on the bins outside the gap."""

from typing import NamedTuple

import numpy as np
from scipy import interpolate

from .analysis.background import fit_background
from .analysis.combination import ChannelInput
from .analysis.corrections import MUMU, annihilation_fraction, leakage, signal_shape
from .analysis.fine_bins import split, summed
from .analysis.neglected import neglected_density
from .analysis.search_card import Search
from .analysis.smooth import Pieces, Smooth
from .analysis.spectrum import Bins, Spectrum, counts_on, search_bins
from .arrays import Floats
from .event import CHANNELS
from .samples import PER_FB, Producer, Sample
from .signals import SignalSamples, signal_samples

#: Filled bins on a side of the gap that a spectrum of pions needs.
MIN_PION_BINS = 8


class Corrections(NamedTuple):
    """What the limit takes from simulation, on all bins of the spectrum; arrays (n_bins,), per channel where named.

    `leakage` are the events of a signal in the bins outside the gap, see `corrections.leakage`; `neglected` those of
    backgrounds that nothing subtracts; `pions` the pion pairs
    in narrow bins, smooth in mass, None where they are none, or too few to tell; `orders` the lowest orders of the
    background per channel, and side of the gap, that leave no spurious signal, None where that is not asked for.
    """

    fraction: Pieces
    pipi: Floats
    pipi_error: Floats
    containment: dict[str, Smooth]
    resolution: dict[str, Smooth]
    signals: dict[str, SignalSamples]
    leakage: dict[str, Floats]
    neglected: dict[str, Floats]
    pions: Floats | None = None
    orders: dict[str, tuple[int, ...]] | None = None

    def without_pions(self) -> "Corrections":
        """Return the corrections of a sample that holds no pion pairs."""
        zero = np.zeros_like(self.pipi)
        return self._replace(pipi=zero, pipi_error=zero, pions=None)


def simulate_corrections(producer: Producer, simulated: dict[str, Sample], annihilation: Sample) -> Corrections:
    """Return annihilation fraction, pion pairs and containment per bin."""
    centre = producer.centre
    bhabha = simulated.get("ee_bhabha")
    if bhabha is None:
        raise ValueError(f"search {producer.search.name}: process ee_bhabha is missing, the ee channel needs it")
    fraction = annihilation_fraction(centre, annihilation.expected, bhabha.expected, producer.search.spectrum.gap)
    pipi, pipi_variance = np.zeros_like(centre), np.zeros_like(centre)
    smooth_pions = None
    if "pipi_isr" in simulated:
        pions = simulated["pipi_isr"].expected
        pipi, pipi_variance = pions.mean[MUMU], pions.variance[MUMU]
        smooth_pions = pion_spectrum(producer, pipi, pipi_variance)
    relative = producer.search.systematics.pion_form_factor
    width = producer.search.spectrum.bin_width
    signals = {channel: signal_samples(producer, channel) for channel in CHANNELS}
    scale = {channel: producer.search.signal.resolution_scale(channel) for channel in CHANNELS}
    shapes = {
        name: signal_shape(one.masses, one.fitted, centre, width, resolution_scale=scale[name])
        for name, one in signals.items()
    }
    bins = search_bins(producer.edges, producer.search.spectrum.gap)
    leaks = {
        name: leakage(one.masses, one.fitted, bins, width, resolution_scale=scale[name])
        for name, one in signals.items()
    }
    contained = {channel: shape.containment for channel, shape in shapes.items()}
    widths = {channel: shape.resolution for channel, shape in shapes.items()}
    neglected = {channel: np.zeros_like(centre) for channel in CHANNELS}
    if producer.search.systematics.background_subtraction is None:
        events = producer.luminosity * PER_FB * width
        sqrt_s = producer.card.beam.sqrt_s
        neglected = {channel: events * neglected_density(channel, centre, sqrt_s) for channel in CHANNELS}
    pipi_error = np.sqrt(pipi_variance + (relative * pipi) ** 2)
    return Corrections(fraction, pipi, pipi_error, contained, widths, signals, leaks, neglected, smooth_pions)


def pion_spectrum(producer: Producer, mean: Floats, variance: Floats) -> Floats | None:
    """Return simulated pion pairs in narrow bins, without most of the noise of the simulation; None where too few.

    Cubic smoothing splines that leave a chi squared of one per bin, one on either side of the gap: the form factor has
    dips that no polynomial follows. In the gap the simulation is split evenly.
    """
    low, high = producer.search.spectrum.gap
    centre, fine = producer.centre, producer.fine_centre
    found = split(mean, np.ones_like(fine))
    for side, narrow in ((centre < low, fine < low), (centre > high, fine > high)):
        used = side & (variance > 0.0)
        if not np.any(side):
            continue
        if np.count_nonzero(used) < MIN_PION_BINS:
            return None
        x, y, weight = centre[used], mean[used], 1.0 / np.sqrt(variance[used])
        spline = interpolate.UnivariateSpline(x, y, w=weight, s=float(x.size))
        found[narrow] = np.maximum(spline(fine[narrow]), 0.0) * (producer.fine_edges[1] - producer.fine_edges[0])
        found[narrow] /= producer.search.spectrum.bin_width
    return found


def pions_in(corrections: Corrections, search: Search, bins: Bins) -> Floats | None:
    """Return the expected pion pairs, smooth in mass, in bins outside the gap: those of the tables or narrow ones."""
    if corrections.pions is None:
        return None
    values, edges = corrections.pions, search.fine_edges()
    if bins.width[0] > 1.5 * (edges[1] - edges[0]):
        edges = search.spectrum.edges()
        values = summed(values, edges.size - 1)
    return np.asarray(values[np.searchsorted(edges[:-1], bins.mass_low - 1e-9)])


def channel_inputs(spectra: dict[str, Spectrum], corrections: Corrections, search: Search) -> list[ChannelInput]:
    """Return what the limits need of each channel, on the bins outside the gap.

    Raises ValueError where the search wants orders without spurious signal and the corrections hold none.
    """
    options, share = search.limit, search.systematics.background_subtraction
    chosen = options.background == "exp_poly4_split" and options.order == "spurious_signal"
    if chosen and corrections.orders is None:
        raise ValueError(f"order = {options.order!r} needs the noise-free spectra of the search")
    edges = search.spectrum.edges()
    bins = search_bins(edges, search.spectrum.gap)
    at = np.searchsorted(edges[:-1], bins.mass_low - 1e-9)
    channels = []
    relative = search.systematics.pion_form_factor
    for channel in spectra:
        counts = counts_on(spectra[channel], bins)
        contained = corrections.containment[channel]
        resolution_error = search.systematics.mass_resolution * contained.values[at]
        if channel == "ee":
            fraction = corrections.fraction.values[at]
            bhabha_error = search.systematics.bhabha_correction * fraction
            fraction_error = np.hypot(corrections.fraction.sigma()[at], bhabha_error)
            pipi = pipi_error = np.zeros(len(at))
        else:
            fraction, fraction_error = np.ones(len(at)), np.zeros(len(at))
            pipi, pipi_error = corrections.pipi[at], corrections.pipi_error[at]
        background = fit_background(
            bins,
            counts,
            options.background,
            options.fixed_order(),
            window=options.window,
            component=pipi,
            component_error=relative,
            prediction=options.prediction,
            lowest=corrections.orders[channel] if chosen and corrections.orders else None,
            leakage=corrections.leakage[channel],
        )
        channels.append(
            ChannelInput(
                channel=channel,
                bins=bins,
                n=counts,
                background=background,
                annihilation_fraction=fraction,
                annihilation_fraction_error=fraction_error,
                pipi=pipi,
                pipi_error=pipi_error,
                containment=contained.values[at],
                containment_error=contained.sigma()[at],
                resolution_error=resolution_error,
                neglected=corrections.neglected[channel][at] if share is None else share * background.fitted,
            )
        )
    return channels


def spectra_of_counts(counts: Floats, search: Search) -> dict[str, Spectrum]:
    """Return the spectra of counts of shape (n_channels, n_bins) on all bins of a search."""
    bins = search_bins(search.spectrum.edges(), None)
    return {channel: Spectrum(bins, counts[c], channel) for c, channel in enumerate(CHANNELS)}
