"""What the limit needs of each channel, and which channels a combination is made of."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..couplings import mixing_factor
from ..dark_photon import width_ratio
from ..event import Floats
from .background import BackgroundFit
from .spectrum import Bins

COMBINATIONS = ("sum", "joint", "mumu", "ee")
#: Channels of each combination, and the lepton of each channel.
MEMBERS = {"sum": ("mumu", "ee"), "joint": ("mumu", "ee"), "mumu": ("mumu",), "ee": ("ee",)}
LEPTONS = {"mumu": "mu", "ee": "e"}


class ChannelInput(NamedTuple):
    """All that the limit needs of one channel; arrays of shape (n_bins,), errors absolute.

    `n` is never background-subtracted. `annihilation_fraction` is annihilation / (annihilation + Bhabha) after the
    full selection (1 for mumu); `pipi` the expected pion pairs in the spectrum (0 for ee); `containment` the fraction
    of the signal in the bin of its mass, with the error of its simulated samples; `resolution_error` is the error of
    the containment from the mass resolution, data against simulation; `neglected` are the events of backgrounds that
    are neither subtracted nor told apart, an error of N_B of their size.
    """

    channel: str
    bins: Bins
    n: Floats
    background: BackgroundFit
    annihilation_fraction: Floats
    annihilation_fraction_error: Floats
    pipi: Floats
    pipi_error: Floats
    containment: Floats
    containment_error: Floats
    resolution_error: Floats | float = 0.0
    neglected: Floats | float = 0.0

    @property
    def n_b(self) -> Floats:
        """Annihilation QED yield N_B: curve fitted without the bin, less pions, times the annihilation fraction.

        With the bin, a signal would raise its own N_B and come back smaller.
        """
        return (self.background.predicted - self.pipi) * self.annihilation_fraction

    @property
    def signal(self) -> Floats:
        """Signal events counted in the bin at epsilon^2 = 1, containment N_B / K."""
        n_f = width_ratio(self.bins.centre, LEPTONS[self.channel])
        factor: Floats = mixing_factor(self.bins.centre, n_f, self.bins.width)
        return self.containment * self.n_b / factor

    @property
    def visible(self) -> Floats:
        """Signal at epsilon^2 = 1 that stands above the predicted background: all that the prediction leaves."""
        return self.signal * (1.0 - self.background.absorbed)

    @property
    def excess_variance(self) -> Floats:
        """Variance of n - predicted: n + sigma^2, or n (1 - H) where the prediction knows the bin."""
        fit, n = self.background, np.maximum(self.n, 1.0)
        if fit.prediction == "with_bin":
            return np.asarray(n * (1.0 - fit.leverage))
        return np.asarray(n + fit.sigma_predicted**2)


def asimov(channel: ChannelInput) -> ChannelInput:
    """Return the channel with its fitted background in place of the counts: the input of an expected limit."""
    fit, zero = channel.background, np.zeros_like(channel.n)
    flat = fit._replace(predicted=fit.fitted, residual=zero, significance=zero, pull=zero)
    return channel._replace(n=fit.fitted, background=flat)


def members(channels: Sequence[ChannelInput], combination: str) -> list[ChannelInput]:
    """Return the channels of a combination; ValueError where one is missing, has no QED yield, or other bins."""
    if combination not in MEMBERS:
        raise ValueError(f"combination = {combination!r}, must be one of {', '.join(COMBINATIONS)}")
    by_name = {channel.channel: channel for channel in channels}
    missing = [name for name in MEMBERS[combination] if name not in by_name]
    if missing:
        raise ValueError(f"combination = {combination!r} needs the channel {missing[0]}")
    chosen = [by_name[name] for name in MEMBERS[combination]]
    for channel in chosen:
        if not all(np.array_equal(a, b) for a, b in zip(channel.bins, chosen[0].bins)):
            raise ValueError(f"{channel.channel} and {chosen[0].channel} have different mass bins")
        if not np.all(channel.n_b > 0.0):
            i = int(np.argmin(channel.n_b > 0.0))
            raise ValueError(
                f"{channel.channel}: QED yield N_B = {channel.n_b[i]:g} at {channel.bins.centre[i]:g} GeV, must be > 0"
            )
    return chosen


def added(chosen: Sequence[ChannelInput], quantity: str) -> Floats:
    """Return a quantity of the channels, added up."""
    total: Floats = np.sum([getattr(channel, quantity) for channel in chosen], axis=0)
    return total


def weighted_containment(chosen: Sequence[ChannelInput]) -> Floats:
    """Return the mean containment, weighted by N_B."""
    contained: Floats = np.sum([channel.n_b * channel.containment for channel in chosen], axis=0)
    return np.asarray(contained / added(chosen, "n_b"))


def widths(chosen: Sequence[ChannelInput]) -> Floats:
    """Return N_f: of the lepton of a single channel, of massless ones for a sum."""
    lepton = LEPTONS[chosen[0].channel] if len(chosen) == 1 else None
    return np.asarray(width_ratio(chosen[0].bins.centre, lepton), dtype=np.float64)
