"""Figures of a bump hunt: its limit beside that of single bins, its significance, and spurious signals.

The caller saves a figure with `drawing.save_figure`.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Floats
from .combination import Table
from .drawing import new_figure
from .published import CURVES, published_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HUNT, _COUNTING, _PROJECTION = "#003f88", "#c1121f", "#7b2cbf"
_MODEL_COLOURS = {
    "poly4": "#888888",
    "as_fitted": "#c1121f",
    "exp_poly_split_likelihood_ratio": "#8d99ae",
    "exp_poly_split_order_4": "#e07a5f",
    "exp_poly_split_order_5": "#e09f3e",
    "sliding_window": "#003f88",
}
#: Experiments that reach into the range of the search.
_NEAR = ("BaBar", "LHCb", "BESIII 2017")


def _rows(table: Table, **wanted: Any) -> dict[str, Any]:
    chosen = np.all([table[name] == value for name, value in wanted.items()], axis=0)
    return {name: values[chosen] for name, values in table.items()}


def _broken(mass: Floats, *values: Floats) -> list[Floats]:
    """Return masses and values with a NaN wherever the masses jump, so that no line crosses a gap."""
    step = np.diff(mass)
    after = np.nonzero(step > 3.0 * np.median(step))[0] + 1
    return [
        np.insert(mass, after, 0.5 * (mass[after - 1] + mass[after])),
        *(np.insert(v, after, np.nan) for v in values),
    ]


def _shade_gap(axes: "Axes", mass: Floats) -> None:
    step = np.diff(mass)
    for i in np.nonzero(step > 3.0 * np.median(step))[0]:
        axes.axvspan(mass[i], mass[i + 1], facecolor="#eeeeee", edgecolor="none", zorder=0)


def hunt_figure(hunt: Table, limits: Table, expected: Table, projection: Table | None = None) -> "Figure":
    """Return the limits on epsilon of the bump hunt, with bands, and of counting in single bins; below, the local Z.

    `hunt` and `projection` are tables of `hunt_tables.hunt_table`, drawn in their first convention; `limits` and
    `expected` those of the search, of which `sum` is drawn. Published limits in the range are lines.
    """
    first = str(hunt["limit"][0])
    rows, counting = _rows(hunt, limit=first), _rows(limits, combination="sum")
    predicted = _rows(expected, combination="sum")
    with new_figure(8.6, 7.2) as figure:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3.0, 1.0))
        for axes in (top, bottom):
            _shade_gap(axes, rows["mass"])
        names = ("minus_2", "minus_1", "median", "plus_1", "plus_2", "observed")
        columns = [rows[f"expected_epsilon_{name}"] for name in names[:-1]] + [rows["epsilon_up"]]
        mass, *curves = _broken(rows["mass"], *columns)
        band = dict(zip(names, curves, strict=True))
        for width, colour in ((2, "#ffe680"), (1, "#9fd49f")):
            low, high = band[f"minus_{width}"], band[f"plus_{width}"]
            label = rf"bump hunt, expected $\pm{width}\sigma$"
            top.fill_between(mass, low, high, facecolor=colour, edgecolor="none", label=label, zorder=1 + 1 / width)
        top.plot(mass, band["median"], color="black", ls="--", lw=1.1, label="bump hunt, expected median", zorder=5)
        top.plot(mass, band["observed"], color=_HUNT, lw=1.0, label="bump hunt, observed", zorder=6)
        centre = 0.5 * (counting["mass_low"] + counting["mass_high"])
        centre, up, median = _broken(centre, counting["epsilon_up"], predicted["epsilon_up"])
        top.plot(centre, up, color=_COUNTING, lw=0.8, label="single bins (sum), observed", zorder=4)
        top.plot(centre, median, color=_COUNTING, ls="--", lw=1.2, label="single bins (sum), expected", zorder=5)
        drawn = [up, median, *curves]
        if projection is not None:
            later = _rows(projection, limit=first)
            line = _broken(later["mass"], later["expected_epsilon_median"])
            label = f"bump hunt, expected at {float(later['luminosity'][0]):g} fb$^{{-1}}$"
            top.plot(*line, color=_PROJECTION, ls="-.", lw=1.2, label=label, zorder=5)
            drawn.append(line[1])
        for name, colour in zip(_NEAR, ("#4a7c59", "#5fa8d3", "#222222"), strict=True):
            for i, curve in enumerate(CURVES[name]):
                text = name if i == 0 else None
                top.plot(*published_curve(curve), color=colour, lw=0.9, label=text, zorder=3)
        values = np.concatenate(drawn)
        values = values[np.isfinite(values) & (values > 0.0)]
        top.set_yscale("log")
        top.set_ylim(0.6 * values.min(), 4.0 * values.max())
        top.set_ylabel(r"$\varepsilon$")
        top.legend(loc="upper left", ncols=2, fontsize=9)
        top.set_title(f"{rows['sidedness'][0]} {100.0 * float(rows['confidence'][0]):g} %", fontsize=10, loc="right")
        mass, z = _broken(rows["mass"], rows["z"])
        bottom.plot(mass, z, color=_HUNT, lw=0.9)
        for level in (-3.0, 0.0, 3.0):
            bottom.axhline(level, color="#888888" if level == 0.0 else "#c1121f", ls="--" if level else "-", lw=0.8)
        reach = max(4.0, 1.1 * float(np.nanmax(np.abs(rows["z"]))))
        bottom.set_ylim(-reach, reach)
        bottom.set_ylabel("local $Z$")
        bottom.set_xlabel(r"$m_{\gamma'}$ [GeV]")
        bottom.set_xlim(rows["mass"].min(), rows["mass"].max())
        figure.align_ylabels()
        return figure


def spurious_figure(table: Table, allowed: float) -> "Figure":
    """Return the spurious signal in units of its error against mass: a column per luminosity, a row per channel."""
    luminosities = list(dict.fromkeys(table["luminosity"].tolist()))
    channels = list(dict.fromkeys(table["channel"].tolist()))
    with new_figure(5.2 * len(luminosities), 2.5 * len(channels) + 0.6) as figure:
        grid = figure.subplots(len(channels), len(luminosities), sharex=True, sharey="row", squeeze=False)
        for i, channel in enumerate(channels):
            for j, luminosity in enumerate(luminosities):
                axes = grid[i, j]
                for model, colour in _MODEL_COLOURS.items():
                    rows = _rows(table, luminosity=luminosity, channel=channel, model=model)
                    axes.plot(*_broken(rows["mass"], rows["ratio"]), color=colour, lw=1.1, label=model)
                axes.axhspan(-allowed, allowed, facecolor="#d8ecd8", edgecolor="none", zorder=0)
                axes.set_yscale("symlog", linthresh=1.0, linscale=2.0)
                if i == 0:
                    axes.set_title(f"{luminosity:g} fb$^{{-1}}$", fontsize=11)
                if j == 0:
                    axes.set_ylabel(f"{channel}: spurious / $\\sigma$")
                if i == len(channels) - 1:
                    axes.set_xlabel("mass [GeV]")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=10)
        return figure
