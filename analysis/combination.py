"""From the spectra of both channels to epsilon: what each combination adds up, and its limits.

`sum` is the literal convention of arXiv:1705.04265 (counts, backgrounds and annihilation yields of both channels
added); `joint` is one epsilon^2 in the likelihoods of both; `mumu` and `ee` stand alone. The ee channel has ten to
forty times the counts and the same signal, so that the literal sum is less sensitive than mumu alone.

The limits are on events counted in a bin at unit efficiency; the containment divides once, in formula (1). The
relative systematic error is the error of that unit efficiency. Where the background was predicted with the bin, the
share of a signal that it took up divides too: no combination of options counts a bin twice.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..couplings import epsilon2_from_yield, mixing_definition_factor
from ..event import Floats
from .channel import (
    COMBINATIONS,
    LEPTONS,
    MEMBERS,
    ChannelInput,
    added,
    asimov,
    members,
    weighted_containment,
    widths,
)
from .joint import joint_limit
from .limit import DELTA_90, poisson_limit
from .systematics import delta_syst, systematic_errors
from .table import flag_words

__all__ = [
    "COMBINATIONS",
    "LEPTONS",
    "MEMBERS",
    "ChannelInput",
    "Table",
    "analytic_epsilon2",
    "asimov",
    "delta_syst",
    "limit_table",
    "signal_strength",
    "systematic_errors",
]

Table = dict[str, NDArray[np.generic]]


def signal_strength(channels: Sequence[ChannelInput], combination: str) -> tuple[Floats, Floats]:
    """Return the most probable epsilon^2 of either sign and its statistical error per bin.

    Weighted mean of (n - predicted) / signal over the channels with the variance of the excess; for `sum` both
    channels are added first, as in formula (1). Gaussian: not for a few counts.
    """
    chosen = members(channels, combination)
    excess = np.array([channel.n - channel.background.predicted for channel in chosen])
    signal = np.array([channel.visible for channel in chosen])
    variance = np.array([channel.excess_variance for channel in chosen])
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
    chosen = members(channels, combination)
    fits = [channel.background for channel in chosen]
    variance = np.array([fit.fitted + background_error * fit.sigma_predicted**2 for fit in fits])
    signal = np.array([channel.visible for channel in chosen])
    if combination == "joint":
        return np.asarray(np.sqrt(delta / np.sum(signal**2 / variance, axis=0)))
    result: Floats = np.sqrt(delta * variance.sum(axis=0)) / signal.sum(axis=0)
    return result


def _flags(chosen: Sequence[ChannelInput], upper: Floats) -> NDArray[np.str_]:
    """Return what is to be known of each bin, words separated by spaces."""
    checks = {
        "fit_not_converged": np.full(upper.size, not all(channel.background.converged for channel in chosen)),
        "background_not_ok": np.full(upper.size, not all(channel.background.background_ok for channel in chosen)),
        "high_leverage": np.any([channel.background.high_leverage for channel in chosen], axis=0),
        "refitted": np.any([channel.background.refitted for channel in chosen], axis=0),
        "empty": np.isnan(upper),
        "infinite": np.isinf(upper),
    }
    return flag_words(checks)


def _combination_rows(
    channels: Sequence[ChannelInput], combination: str, delta: float, bounded: bool, definition: str
) -> dict[str, NDArray[np.generic] | str | float]:
    chosen = members(channels, combination)
    bins, fits = chosen[0].bins, [channel.background for channel in chosen]
    n, n_b, n_f = added(chosen, "n"), added(chosen, "n_b"), widths(chosen)
    containment = weighted_containment(chosen)
    background: Floats = np.sum([fit.predicted for fit in fits], axis=0)
    background_error = np.sqrt(np.sum([fit.sigma_predicted**2 for fit in fits], axis=0))
    nu: Floats = np.sum([fit.fitted for fit in fits], axis=0)
    variance: Floats = np.sum([fit.fitted * (1.0 - fit.leverage) for fit in fits], axis=0)
    residual: Floats = np.sum([fit.residual for fit in fits], axis=0)
    systematic = delta_syst(channels, combination)
    signal, visible = added(chosen, "signal"), added(chosen, "visible")
    if combination == "joint":
        limit = joint_limit(
            np.stack([channel.n for channel in chosen], axis=1),
            np.stack([fit.predicted for fit in fits], axis=1),
            np.stack([fit.sigma_predicted for fit in fits], axis=1),
            np.stack([channel.visible for channel in chosen], axis=1),
            systematic,
            delta=delta,
            bounded=bounded,
        )
        n_up, pull = limit.upper * signal, limit.significance
        epsilon2 = limit.upper * mixing_definition_factor(bins.centre, definition)
        counts = np.maximum(np.stack([channel.n for channel in chosen]), 1.0)
        weight = np.stack([channel.visible for channel in chosen]) / counts
        significance = np.sum(weight * np.array([fit.residual for fit in fits]), axis=0)
        significance = significance / np.sqrt(np.sum(weight**2 * counts, axis=0))
        method, sided = limit.method, limit.sidedness
    else:
        alone = poisson_limit(n, background, background_error, 1.0, systematic, delta=delta, bounded=bounded)
        # a signal stands above its prediction by what that leaves of it
        n_up, method, sided = alone.upper * (signal / visible), alone.method, alone.sidedness
        epsilon2 = epsilon2_from_yield(
            n_up, n_b, containment, bins.centre, n_f=n_f, bin_width=bins.width, definition=definition
        )
        significance = residual / np.sqrt(np.maximum(n, 1.0))
        pull = (n - background) / np.sqrt(np.sum([fit.null_variance for fit in fits], axis=0))
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
        "absorbed": 1.0 - visible / signal,
        "n_f": n_f,
        "delta_syst": systematic,
        "epsilon2_up": epsilon2,
        "epsilon_up": np.sqrt(epsilon2),
        "epsilon_definition": definition,
        "prediction": fits[0].prediction,
        "method": method,
        "delta": delta,
        "sidedness": sided,
        "flags": _flags(chosen, n_up),
    }


def limit_table(
    channels: Sequence[ChannelInput],
    combinations: Sequence[str] | None = None,
    *,
    delta: float = DELTA_90,
    bounded: bool = True,
    epsilon_definition: str = "mixing",
) -> Table:
    """Return one row per combination and bin, as columns: counts, background, limits on yield and on epsilon.

    `background` is the prediction (by the other bins, unless `prediction` says with_bin) and `residual` n less the
    fit; `significance` counts the statistical error of n alone, as the paper does, `pull` also that of the background.
    `absorbed` is the share of a signal that the prediction takes up, by which the limit is divided.
    For `joint` both weight the channels by their information, and `n_up` is the signal counted in both at the limit.
    `epsilon_definition` as in `couplings.mixing_definition_factor`. `flags` holds words separated by spaces:
    fit_not_converged, background_not_ok, high_leverage, refitted (background from a repeated fit: few counts or a long
    step), empty, infinite. Without `combinations` all that the given channels allow. Raises ValueError for an unknown
    one, one that lacks its channel, channels with different bins, and a QED yield below zero.
    """
    if combinations is None:
        names = {channel.channel for channel in channels}
        combinations = [name for name in COMBINATIONS if names.issuperset(MEMBERS[name])]
    parts = [
        _combination_rows(channels, combination, delta, bounded, epsilon_definition) for combination in combinations
    ]
    if not parts:
        raise ValueError("no channel, or no combination of them, was given")
    size = [np.size(part["mass_low"]) for part in parts]
    return {
        name: np.concatenate([np.broadcast_to(np.asarray(part[name]), (n,)) for part, n in zip(parts, size)])
        for name in parts[0]
    }
