"""A quantity by mass, given by the user: one number, a column of the spectrum, or a table of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Floats
from .table import number, read_rows


class Points(NamedTuple):
    """Values at ascending masses [GeV], known from `low` to `high`."""

    mass: Floats
    value: Floats
    low: float
    high: float


class Curve(NamedTuple):
    """Values > 0 by mass, for all channels (under the name "") or for each."""

    name: str
    points: Mapping[str, Points]

    def at(self, channel: str, masses: ArrayLike) -> Floats:
        """Return the values at masses [GeV], linear in between; ValueError for a channel or mass it does not know."""
        points = self.points.get(channel, self.points.get(""))
        if points is None:
            raise ValueError(f"{self.name}: none for channel {channel!r}, there is {', '.join(self.points)}")
        masses = np.asarray(masses, dtype=np.float64)
        outside = (masses < points.low - 1e-9) | (masses > points.high + 1e-9)
        if np.any(outside):
            where, known = masses[outside].flat[0], f"{points.low:g} to {points.high:g} GeV"
            raise ValueError(f"{self.name}: m = {where:g} GeV, known from {known}")
        return np.asarray(np.interp(masses, points.mass, points.value))


def constant(name: str, value: float) -> Curve:
    """Return one value > 0 for all masses and channels."""
    if not (np.isfinite(value) and value > 0.0):
        raise ValueError(f"{name} = {value:g}, must be finite and > 0")
    return Curve(name, {"": Points(np.zeros(1), np.array([value]), -np.inf, np.inf)})


def read_curve(path: str | Path, name: str) -> Curve:
    """Return the column `name` of a CSV file with a column mass, or mass_low and mass_high [GeV], and perhaps channel.

    Raises ValueError that names file and line for missing columns, values that are not above zero, masses twice.
    """
    rows = read_rows(path, (name,))
    if not rows:
        raise ValueError(f"{path}: no {name} in it")
    found: dict[str, list[tuple[float, float, float, float]]] = {}
    for place, row in rows:
        if "mass" in row:
            low = high = number(place, "mass", row["mass"])
        elif "mass_low" in row and "mass_high" in row:
            low, high = (number(place, edge, row[edge]) for edge in ("mass_low", "mass_high"))
        else:
            raise ValueError(f"{path}: no column mass, or mass_low and mass_high")
        value = number(place, name, row[name])
        if not value > 0.0:
            raise ValueError(f"{place}: {name} = {row[name]}, must be > 0")
        found.setdefault(row.get("channel", ""), []).append((0.5 * (low + high), value, low, high))
    points = {}
    for channel, values in found.items():
        mass, value, low, high = np.array(sorted(values)).T
        if np.any(np.diff(mass) <= 0.0):
            twice = mass[1:][np.diff(mass) <= 0.0][0]
            raise ValueError(f"{path}: {name} at {twice:g} GeV is there twice")
        points[channel] = Points(mass, value, float(low[0]), float(high[-1]))
    return Curve(f"{path}: {name}", points)


def parse_curve(name: str, text: str, spectrum: str | Path) -> Curve:
    """Return what a text stands for: a number, a CSV file with a column `name`, or a column of the spectrum's CSV."""
    try:
        value = float(text)
    except ValueError:
        if Path(text).suffix == ".csv":
            return read_curve(text, name)
        if Path(spectrum).suffix != ".csv":
            raise ValueError(f"{name} = {text!r}, must be a number or a CSV file with a column {name}") from None
        return read_curve(spectrum, text)
    return constant(name, value)
