"""A smooth leading-order spectrum for the tests of the statistics, and channels made from it."""

from pathlib import Path

import numpy as np
from besfast.analysis.background import fit_background
from besfast.analysis.combination import ChannelInput
from besfast.analysis.containment import gaussian_containment
from besfast.analysis.spectrum import bin_edges, search_bins
from besfast.event import Floats

BINS = search_bins(bin_edges(1.5, 3.4, 0.01))
_TABLE = np.loadtxt(Path(__file__).parent / "data" / "leading_order_yields.csv", delimiter=",", skiprows=2)
_KEPT = np.isin(np.round(_TABLE[:, 0], 2), np.round(BINS.mass_low, 2))
YIELDS: dict[str, Floats] = {"mumu": _TABLE[_KEPT, 2], "ee": _TABLE[_KEPT, 3]}
FRACTION: dict[str, Floats] = {"mumu": np.ones(165), "ee": _TABLE[_KEPT, 4] / _TABLE[_KEPT, 3]}
RESOLUTION = 0.005 + 0.007 * (BINS.centre - 1.5) / 1.9


def channels(seed: int | None, model: str = "exp_poly4_split", order: int | None = None) -> list[ChannelInput]:
    """Return both channels with counts drawn from the expectation, or the expectation itself without a seed."""
    rng = np.random.default_rng(seed)
    made = []
    for channel, qed in YIELDS.items():
        pipi = qed * np.clip(0.05 * (2.0 - BINS.centre), 0.0, None) * (channel == "mumu")
        n = qed + pipi if seed is None else rng.poisson(qed + pipi).astype(np.float64)
        fraction, containment = FRACTION[channel], gaussian_containment(RESOLUTION)
        error = 0.005 * fraction * (channel == "ee")
        fit = fit_background(BINS, n, model, order)
        made.append(
            ChannelInput(channel, BINS, n, fit, fraction, error, pipi, 0.25 * pipi, containment, 0.01 * containment)
        )
    return made
