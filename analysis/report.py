"""Tables and figures of a search, from what it computed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..arrays import Floats, Ints
from ..event import CHANNELS
from .combination import ChannelInput, Table
from .containment import gaussian_containment
from .corrections import Expected
from .drawing import save_figure
from .figures import mixing_figure, residual_figure, spectra_figure
from .selection import Cutflow
from .smooth import Pieces, Smooth
from .spectrum import Spectrum


def cutflow_table(flows: Mapping[str, Mapping[str, tuple[Cutflow, Floats]]]) -> Table:
    """Return the cutflow of every sample: entries, sum of weights, and events expected at the luminosity.

    Parameters
    ----------
    flows : mapping
        By kind ("simulation", "data") and process: the cutflow, and the expected events (n_channels, n_cuts).
    """
    rows = [
        {"sample": kind, "process": process, **row, "expected_events": float(events)}
        for kind, processes in flows.items()
        for process, (flow, expected) in processes.items()
        for row, events in zip(flow.rows(), expected.ravel())
    ]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def spectra_table(
    spectra: Mapping[str, Spectrum],
    channels: Sequence[ChannelInput],
    expected: Mapping[str, Expected],
    fraction: Pieces,
    containment: Mapping[str, Smooth],
    resolution: Mapping[str, Smooth],
) -> Table:
    """Return counts, background fit and simulation per channel and bin, bins of the gap included (NaN: not fitted)."""
    columns: dict[str, list[Floats]] = {}
    for channel in channels:
        c = CHANNELS.index(channel.channel)
        bins = spectra[channel.channel].bins
        n = len(bins.mass_low)
        at: Ints = np.searchsorted(bins.mass_low, channel.bins.mass_low - 1e-9).astype(np.int64)

        def spread(values: Floats, n: int = n, at: Ints = at) -> Floats:
            filled = np.full(n, np.nan)
            filled[at] = values
            return filled

        fit = channel.background
        ones = np.ones(n)
        parts = {
            "mass_low": bins.mass_low,
            "mass_high": bins.mass_high,
            "channel": np.full(n, channel.channel),
            "n": spectra[channel.channel].counts,
            "fitted": spread(fit.fitted),
            "background": spread(fit.predicted),
            "background_error": spread(fit.sigma_predicted),
            "leverage": spread(fit.leverage),
            "annihilation_fraction": fraction.values if channel.channel == "ee" else ones,
            "annihilation_fraction_error": fraction.sigma() if channel.channel == "ee" else 0.0 * ones,
            "containment": containment[channel.channel].values,
            "containment_error": containment[channel.channel].sigma(),
            "mass_resolution": resolution[channel.channel].values,
            "containment_paper": gaussian_containment(resolution[channel.channel].values, float(bins.width[0])),
            "simulation": np.sum([one.mean[c] for one in expected.values()], axis=0),
            "simulation_error": np.sqrt(np.sum([one.variance[c] for one in expected.values()], axis=0)),
            **{f"simulation_{label}": one.mean[c] for label, one in expected.items()},
        }
        for name, values in parts.items():
            columns.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in columns.items()}


def draw_figures(
    folder: Path,
    channels: Sequence[ChannelInput],
    limits: Table,
    expected_limits: Table,
    expected: Mapping[str, Expected],
    edges: Floats,
) -> None:
    """Draw spectra with fits, residuals with limits on the yield, and epsilon against the mass, as PNG and PDF."""
    simulation, errors = {}, {}
    for channel in channels:
        c = CHANNELS.index(channel.channel)
        at = np.searchsorted(edges[:-1], channel.bins.mass_low - 1e-9)
        simulation[channel.channel] = np.sum([one.mean[c] for one in expected.values()], axis=0)[at]
        errors[channel.channel] = np.sqrt(np.sum([one.variance[c] for one in expected.values()], axis=0))[at]
    save_figure(spectra_figure(channels, simulation, errors), folder / "spectra")
    save_figure(residual_figure(limits), folder / "residuals")
    save_figure(mixing_figure(limits, expected_limits), folder / "epsilon")
