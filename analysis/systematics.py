"""Systematic errors of the limit in every bin: each source by its name, and where it acts, once.

Sources of arXiv:1705.04265, section 4. What acts on the expected signal is added in quadrature (`delta_syst`) and is
the relative error of the efficiency in the likelihood; the error of the fitted curve is that of the background there,
and nowhere else.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..dark_photon import hadronic_ratio_error
from ..event import Floats
from .channel import ChannelInput, members, widths

#: Where each source acts, in the order of the table's columns.
ACTS_ON = {
    "hadronic_ratio": "N_f, through R(m); common to both channels",
    "pion_subtraction": "N_B of mumu: pion pairs, from their form factor",
    "background_subtraction": "N_B: two-photon and hadronic events, which nothing subtracts, all of them",
    "annihilation_fraction": "N_B of ee: annihilation over all, simulation and Bhabha generator",
    "mass_resolution": "containment: mass resolution of data against simulation",
    "containment": "containment: size of the simulated signal samples",
    "polynomial_fit": "background: error of its prediction; not in the total",
}


def systematic_errors(channels: Sequence[ChannelInput], combination: str) -> dict[str, Floats]:
    """Return the relative error of the expected signal per bin from each named source.

    `hadronic_ratio` is dR / N_f, common to both channels; the others are independent between channels, which count
    by their share of the signal (`sum`) or of the information (`joint`). The error of the fitted curve is not among
    them: it is the error of the background.
    """
    chosen = members(channels, combination)
    share = np.array([channel.n_b * channel.containment for channel in chosen])
    if combination == "joint":
        share = np.array([channel.visible**2 / channel.background.fitted for channel in chosen])
    share = share / share.sum(axis=0)

    def combined(relative: Sequence[Floats]) -> Floats:
        return np.asarray(np.sqrt(np.sum((share * np.array(relative)) ** 2, axis=0)))

    return {
        "hadronic_ratio": np.asarray(hadronic_ratio_error(chosen[0].bins.centre) / widths(chosen)),
        "pion_subtraction": combined([c.pipi_error * c.annihilation_fraction / c.n_b for c in chosen]),
        "background_subtraction": combined([c.neglected * c.annihilation_fraction / c.n_b for c in chosen]),
        "annihilation_fraction": combined([c.annihilation_fraction_error / c.annihilation_fraction for c in chosen]),
        "mass_resolution": combined([c.resolution_error / c.containment for c in chosen]),
        "containment": combined([c.containment_error / c.containment for c in chosen]),
    }


def quadrature(errors: dict[str, Floats]) -> Floats:
    """Return the quadratic sum of relative errors, shape (n_bins,)."""
    return np.asarray(np.sqrt(np.sum([error**2 for error in errors.values()], axis=0)))


def delta_syst(channels: Sequence[ChannelInput], combination: str) -> Floats:
    """Return the quadratic sum of `systematic_errors`, shape (n_bins,)."""
    return quadrature(systematic_errors(channels, combination))


def systematics_table(channels: Sequence[ChannelInput], combinations: Sequence[str]) -> dict[str, NDArray[np.generic]]:
    """Return one row per combination and bin: a column per source of `ACTS_ON`, and the total on the signal.

    All relative: `polynomial_fit` is the error of the predicted background over it, which widens the limit by about
    its square in units of 1/n and is not in `delta_syst`, the last column.
    """
    parts: list[dict[str, NDArray[np.generic]]] = []
    for combination in combinations:
        chosen = members(channels, combination)
        errors = systematic_errors(channels, combination)
        variance = np.sum([channel.background.sigma_predicted**2 for channel in chosen], axis=0)
        background = np.sum([channel.background.predicted for channel in chosen], axis=0)
        bins = chosen[0].bins
        head = {"mass_low": bins.mass_low, "mass_high": bins.mass_high}
        name = np.full(bins.mass_low.size, combination)
        fitted = np.sqrt(variance) / np.maximum(background, 1e-12)
        parts.append(
            {**head, "combination": name, **errors, "polynomial_fit": fitted, "delta_syst": quadrature(errors)}
        )
    if not parts:
        raise ValueError("no combination was given")
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def systematics_legend() -> list[str]:
    """Return a line per source that says where it acts: the comment above the table."""
    return [f"{name}: {where}" for name, where in ACTS_ON.items()]
