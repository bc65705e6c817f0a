"""Backgrounds that a search neglects, in the QED yield N_B: how many events they are, from the packaged table."""

import csv
from functools import cache
from importlib import resources

import numpy as np

from ..arrays import Floats

#: Energy [GeV] that the table holds for, and how far from it.
SQRT_S, NEAR = 3.773, 0.010
_PACKAGE = __package__.rpartition(".")[0]


@cache
def _table() -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Return points (mass, nb/GeV) by channel and process: the middle of the regions of the table."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    with resources.files(_PACKAGE).joinpath("data", "neglected_selected.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(line for line in lines if not line.startswith("#")):
            point = 0.5 * (float(row["mass_low"]) + float(row["mass_high"])), float(row["nb_per_gev"])
            found.setdefault(row["channel"], {}).setdefault(row["process"], []).append(point)
    return found


def neglected_density(channel: str, mass: Floats, sqrt_s: float) -> Floats:
    """Return dsigma/dm [nb/GeV] after the selection of all neglected backgrounds of a channel at masses [GeV].

    Two-photon and hadronic events and kaon pairs, each linear between the middles of regions of 0.3 GeV and constant
    beyond the last; expected values, good to 30 to 50 %, and for hadrons to a factor of two. They belong to the card
    `besiii` and the cuts of the main search. Raises ValueError at another energy.
    """
    if abs(sqrt_s - SQRT_S) > NEAR:
        raise ValueError(
            f"systematics.background_subtraction: neglected backgrounds are known at {SQRT_S} GeV, not at {sqrt_s:g}; "
            "a number is needed, relative to N_B"
        )
    total = np.zeros(mass.shape)
    for points in _table().get(channel, {}).values():
        centre, density = np.array(points).T
        total += np.interp(mass, centre, density)
    return total
