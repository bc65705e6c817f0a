"""From the spectra of both channels to epsilon: what each combination adds up, its systematic errors, its limits.

`sum` is the literal convention of arXiv:1705.04265 (counts, backgrounds and annihilation yields of both channels
added); `joint` is one epsilon^2 in the likelihoods of both; `mumu` and `ee` stand alone. The ee channel has ten to
forty times the counts and the same signal, so that the literal sum is less sensitive than mumu alone.

The limits are on events counted in a bin at unit efficiency; the containment divides once, in formula (1). The
relative systematic error is the error of that unit efficiency.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..couplings import epsilon2_from_yield, mixing_factor
from ..dark_photon import hadronic_ratio_error, width_ratio
from ..event import Floats
from .background import BackgroundFit
from .joint import joint_limit
from .limit import DELTA_90, poisson_limit
from .spectrum import Bins

COMBINATIONS = ("sum", "joint", "mumu", "ee")
#: Channels of each combination, and the lepton of each channel.
MEMBERS = {"sum": ("mumu", "ee"), "joint": ("mumu", "ee"), "mumu": ("mumu",), "ee": ("ee",)}
LEPTONS = {"mumu": "mu", "ee": "e"}

Table = dict[str, NDArray[np.generic]]


class ChannelInput(NamedTuple):
    """All that the limit needs of one channel; arrays of shape (n_bins,), errors absolute.

    `n` is never background-subtracted. `annihilation_fraction` is annihilation / (annihilation + Bhabha) after the
    full selection (1 for mumu); `pipi` the expected pion pairs in the spectrum (0 for ee); `containment` the fraction
    of the signal in the bin of its mass.
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


def asimov(channel: ChannelInput) -> ChannelInput:
    """Return the channel with its fitted background in place of the counts: the input of an expected limit."""
    fit, zero = channel.background, np.zeros_like(channel.n)
    flat = fit._replace(predicted=fit.fitted, residual=zero, significance=zero, pull=zero)
    return channel._replace(n=fit.fitted, background=flat)


def _members(channels: Sequence[ChannelInput], combination: str) -> list[ChannelInput]:
    if combination not in MEMBERS:
        raise ValueError(f"combination = {combination!r}, must be one of {', '.join(COMBINATIONS)}")
    by_name = {channel.channel: channel for channel in channels}
    missing = [name for name in MEMBERS[combination] if name not in by_name]
    if missing:
        raise ValueError(f"combination = {combination!r} needs the channel {missing[0]}")
    members = [by_name[name] for name in MEMBERS[combination]]
    for channel in members:
        if not np.all(channel.n_b > 0.0):
            i = int(np.argmin(channel.n_b > 0.0))
            raise ValueError(
                f"{channel.channel}: QED yield N_B = {channel.n_b[i]:g} at {channel.bins.centre[i]:g} GeV, must be > 0"
            )
        if not np.array_equal(channel.bins.mass_low, members[0].bins.mass_low):
            raise ValueError(f"{channel.channel} and {members[0].channel} have different mass bins")
    return members


def _total(members: Sequence[ChannelInput], quantity: str) -> Floats:
    total: Floats = np.sum([getattr(channel, quantity) for channel in members], axis=0)
    return total


def _weighted_containment(members: Sequence[ChannelInput]) -> Floats:
    """Return the mean containment, weighted by N_B."""
    contained: Floats = np.sum([channel.n_b * channel.containment for channel in members], axis=0)
    return np.asarray(contained / _total(members, "n_b"))


def _n_f(members: Sequence[ChannelInput]) -> Floats:
    lepton = LEPTONS[members[0].channel] if len(members) == 1 else None
    return np.asarray(width_ratio(members[0].bins.centre, lepton), dtype=np.float64)


def systematic_errors(channels: Sequence[ChannelInput], combination: str) -> dict[str, Floats]:
    """Return the relative error of the expected signal per bin from each named source.

    `hadronic_ratio` is dR / N_f, common to both channels; `pion_subtraction`, `annihilation_fraction` and
    `containment` (mass resolution and its statistics) are independent between channels, which count by their share
    of the signal (`sum`) or of the information (`joint`). The error of the fitted curve is not among them: it is the
    error of the background.
    """
    members = _members(channels, combination)
    share = np.array([channel.n_b * channel.containment for channel in members])
    if combination == "joint":
        share = np.array([channel.signal**2 / channel.background.fitted for channel in members])
    share = share / share.sum(axis=0)

    def combined(relative: Sequence[Floats]) -> Floats:
        return np.asarray(np.sqrt(np.sum((share * np.array(relative)) ** 2, axis=0)))

    return {
        "hadronic_ratio": np.asarray(hadronic_ratio_error(members[0].bins.centre) / _n_f(members)),
        "pion_subtraction": combined([c.pipi_error * c.annihilation_fraction / c.n_b for c in members]),
        "annihilation_fraction": combined([c.annihilation_fraction_error / c.annihilation_fraction for c in members]),
        "containment": combined([c.containment_error / c.containment for c in members]),
    }


def delta_syst(channels: Sequence[ChannelInput], combination: str) -> Floats:
    """Return the quadratic sum of `systematic_errors`, shape (n_bins,)."""
    squares = [error**2 for error in systematic_errors(channels, combination).values()]
    return np.asarray(np.sqrt(np.sum(squares, axis=0)))


def signal_strength(channels: Sequence[ChannelInput], combination: str) -> tuple[Floats, Floats]:
    """Return the most probable epsilon^2 of either sign and its statistical error per bin.

    Weighted mean of (n - predicted) / signal over the channels with variance n + sigma_predicted^2; for `sum` both
    channels are added first, as in formula (1). Gaussian: not for a few counts.
    """
    members = _members(channels, combination)
    excess = np.array([channel.n - channel.background.predicted for channel in members])
    signal = np.array([channel.signal for channel in members])
    variance = np.array([np.maximum(channel.n, 1.0) + channel.background.sigma_predicted**2 for channel in members])
    if combination == "sum":
        total = signal.sum(axis=0)
        return excess.sum(axis=0) / total, np.sqrt(variance.sum(axis=0)) / total
    information = np.sum(signal**2 / variance, axis=0)
    return np.sum(signal * excess / variance, axis=0) / information, 1.0 / np.sqrt(information)


def analytic_epsilon2(
    channels: Sequence[ChannelInput], combination: str, *, delta: float = DELTA_90, background_error: bool = False
) -> Floats:
    """Return the expected limit on epsilon^2 for many counts: sqrt(delta) sqrt(n) / (N_B containment) K.

    n is the fitted background, to which the variance of its leave-one-out prediction is added when that error is to
    be counted; for `joint` the information of the channels adds up. No systematic errors.
    """
    members = _members(channels, combination)
    fits = [channel.background for channel in members]
    variance = np.array([fit.fitted + background_error * fit.sigma_predicted**2 for fit in fits])
    signal = np.array([channel.signal for channel in members])
    if combination == "joint":
        return np.asarray(np.sqrt(delta / np.sum(signal**2 / variance, axis=0)))
    result: Floats = np.sqrt(delta * variance.sum(axis=0)) / signal.sum(axis=0)
    return result


def _flags(members: Sequence[ChannelInput], upper: Floats) -> NDArray[np.str_]:
    """Return what is wrong with each bin, words separated by spaces."""
    checks = {
        "fit_not_converged": np.full(upper.size, not all(channel.background.converged for channel in members)),
        "background_not_ok": np.full(upper.size, not all(channel.background.background_ok for channel in members)),
        "high_leverage": np.any([channel.background.high_leverage for channel in members], axis=0),
        "empty": np.isnan(upper),
        "infinite": np.isinf(upper),
    }
    words = np.array([np.where(found, name, "") for name, found in checks.items()])
    return np.array([" ".join(word for word in column if word) for column in words.T])


def _combination_rows(
    channels: Sequence[ChannelInput], combination: str, delta: float, bounded: bool
) -> dict[str, NDArray[np.generic] | str | float]:
    members = _members(channels, combination)
    bins, fits = members[0].bins, [channel.background for channel in members]
    n, n_b, n_f = _total(members, "n"), _total(members, "n_b"), _n_f(members)
    containment = _weighted_containment(members)
    background: Floats = np.sum([fit.predicted for fit in fits], axis=0)
    background_error = np.sqrt(np.sum([fit.sigma_predicted**2 for fit in fits], axis=0))
    nu: Floats = np.sum([fit.fitted for fit in fits], axis=0)
    variance: Floats = np.sum([fit.fitted * (1.0 - fit.leverage) for fit in fits], axis=0)
    residual: Floats = np.sum([fit.residual for fit in fits], axis=0)
    systematic = delta_syst(channels, combination)
    if combination == "joint":
        signal = np.stack([channel.signal for channel in members], axis=1)
        limit = joint_limit(
            np.stack([channel.n for channel in members], axis=1),
            np.stack([fit.predicted for fit in fits], axis=1),
            np.stack([fit.sigma_predicted for fit in fits], axis=1),
            signal,
            systematic,
            delta=delta,
            bounded=bounded,
        )
        epsilon2, n_up, pull = limit.upper, limit.upper * signal.sum(axis=1), limit.significance
        counts = np.maximum(np.stack([channel.n for channel in members]), 1.0)
        weight = signal.T / counts
        significance = np.sum(weight * np.array([fit.residual for fit in fits]), axis=0)
        significance = significance / np.sqrt(np.sum(weight**2 * counts, axis=0))
        method, sided = limit.method, limit.sidedness
    else:
        alone = poisson_limit(n, background, background_error, 1.0, systematic, delta=delta, bounded=bounded)
        n_up, method, sided = alone.upper, alone.method, alone.sidedness
        epsilon2 = epsilon2_from_yield(n_up, n_b, containment, bins.centre, n_f=n_f, bin_width=bins.width)
        significance, pull = residual / np.sqrt(np.maximum(n, 1.0)), residual / np.sqrt(variance)
    return {
        "mass_low": bins.mass_low,
        "mass_high": bins.mass_high,
        "combination": combination,
        "n": n,
        "background": background,
        "background_error": background_error,
        "leverage": 1.0 - variance / nu,
        "residual": residual,
        "significance": significance,
        "pull": pull,
        "n_up": n_up,
        "n_b": n_b,
        "containment": containment,
        "n_f": n_f,
        "delta_syst": systematic,
        "epsilon2_up": epsilon2,
        "epsilon_up": np.sqrt(epsilon2),
        "method": method,
        "delta": delta,
        "sidedness": sided,
        "flags": _flags(members, n_up),
    }


def limit_table(
    channels: Sequence[ChannelInput],
    combinations: Sequence[str] | None = None,
    *,
    delta: float = DELTA_90,
    bounded: bool = True,
) -> Table:
    """Return one row per combination and bin, as columns: counts, background, limits on yield and on epsilon.

    `background` is the leave-one-out prediction and `residual` n less the fit; `significance` counts the statistical
    error of n alone, as the paper does, `pull` also that of the background. For `joint` both weight the channels by
    their information, and `n_up` is the signal counted in both at the limit. `flags` holds words separated by spaces:
    fit_not_converged, background_not_ok, high_leverage, empty, infinite. Without `combinations` all that the given
    channels allow. Raises ValueError for an unknown one, one that lacks its channel, and a QED yield below zero.
    """
    if combinations is None:
        names = {channel.channel for channel in channels}
        combinations = [name for name in COMBINATIONS if names.issuperset(MEMBERS[name])]
    parts = [_combination_rows(channels, combination, delta, bounded) for combination in combinations]
    if not parts:
        raise ValueError("no channel, or no combination of them, was given")
    size = [np.size(part["mass_low"]) for part in parts]
    return {
        name: np.concatenate([np.broadcast_to(np.asarray(part[name]), (n,)) for part, n in zip(parts, size)])
        for name in parts[0]
    }
