"""Figures of a validation: every panel shows ours as points, the reference as steps, and their ratio below."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.drawing import new_figure
from ..arrays import Floats
from .check import Curve, Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("#003f88", "#c1121f", "#2a9d8f", "#e09f3e", "#8e6bbf", "#5fa8d3", "#8a6d3b", "#222222")
_COLUMNS = 3
#: A panel and its margins, the height of its ratios and the gap above them [inches].
_WIDTH, _HEIGHT = 4.9, 4.7
_LEFT, _RIGHT, _BOTTOM, _TOP, _RATIO, _GAP = 1.0, 0.15, 0.55, 0.3, 1.05, 0.15
#: Least half width of the axis of ratios; points beyond the largest are left outside.
_LEAST, _LARGEST = 2e-4, 0.5


def panels_of(curves: Sequence[Curve]) -> dict[str, dict[Panel, list[Curve]]]:
    """Return the curves by figure and panel, in the order of their first appearance."""
    figures: dict[str, dict[Panel, list[Curve]]] = {}
    for curve in curves:
        figures.setdefault(curve.panel.figure, {}).setdefault(curve.panel, []).append(curve)
    return figures


def validation_figure(panels: dict[Panel, list[Curve]]) -> "Figure":
    """Return one figure: a column per panel, rows of at most three, each with its ratios below."""
    columns = min(len(panels), _COLUMNS)
    rows = -(-len(panels) // columns)
    width, height = columns * _WIDTH, rows * _HEIGHT
    with new_figure(width, height) as figure:
        figure.set_layout_engine("none")  # equal panels need no search for a layout, which takes as long as drawing
        labels = list(dict.fromkeys(curve.label for curves in panels.values() for curve in curves))
        colours = {label: _COLOURS[k % len(_COLOURS)] for k, label in enumerate(labels)}
        for k, (panel, curves) in enumerate(panels.items()):
            row, column = divmod(k, columns)
            left, size = (column * _WIDTH + _LEFT) / width, (_WIDTH - _LEFT - _RIGHT) / width
            low = (rows - row - 1) * _HEIGHT + _BOTTOM
            middle, high = low + _RATIO + _GAP, (rows - row) * _HEIGHT - _TOP
            top = figure.add_axes((left, middle / height, size, (high - middle) / height))
            bottom = figure.add_axes((left, low / height, size, _RATIO / height))
            _draw(top, bottom, panel, curves, colours)
        figure.align_ylabels()
        return figure


def _draw(top: "Axes", bottom: "Axes", panel: Panel, curves: Sequence[Curve], colours: Mapping[str, str]) -> None:
    many = len(curves) > 1
    ratios: list[Floats] = []
    for curve in curves:
        colour = colours[curve.label] if many else _COLOURS[0]
        centre, half = 0.5 * (curve.edges[1:] + curve.edges[:-1]), 0.5 * np.diff(curve.edges)
        shown = curve.reference > 0.0
        points: dict[str, Any] = {"fmt": "o", "color": colour, "markersize": 2.2, "elinewidth": 0.7, "zorder": 3}
        label = curve.label if many else "besfast"
        top.errorbar(centre[shown], curve.value[shown], yerr=curve.error[shown], label=label, **points)
        reference = np.where(shown, curve.reference, np.nan)
        style: dict[str, Any] = {"color": colour if many else _COLOURS[1], "linewidth": 1.0, "zorder": 2}
        top.stairs(reference, curve.edges, baseline=None, label=None if many else "reference", **style)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = curve.value / reference
            error = np.hypot(curve.error, ratio * curve.reference_error) / reference
        bottom.errorbar(centre, ratio, xerr=half, yerr=error, **points)
        ratios.append(np.stack([ratio, error]))
    bottom.set_ylim(*_ratio_range(np.concatenate(ratios, axis=1)))
    bottom.ticklabel_format(axis="y", useOffset=False)
    bottom.axhline(1.0, color="#888888", linewidth=0.8, zorder=1)
    low, high = min(curve.edges[0] for curve in curves), max(curve.edges[-1] for curve in curves)
    for axes in (top, bottom):
        axes.set_xscale("log" if panel.logarithmic_x else "linear")
        axes.set_xlim(low, high)
        axes.minorticks_off()  # they take as long to draw as everything else
    top.tick_params(labelbottom=False)
    if panel.logarithmic:
        top.set_yscale("log")
        bottom_value, top_value = top.get_ylim()
        top.set_ylim(bottom_value, top_value * (top_value / bottom_value) ** (0.15 + 0.06 * len(curves)))
    else:
        top.set_ylim(*(panel.y_range or (0.0, 1.25 * top.get_ylim()[1])))
    top.set_title(panel.title, fontsize=10)
    top.set_ylabel(panel.y_label)
    bottom.set_ylabel("ratio")
    bottom.set_xlabel(panel.x_label)
    title = "points: besfast, lines: reference" if many else None
    top.legend(loc="upper left", fontsize=7.5, title=title, title_fontsize=7.5, ncols=2 if len(curves) > 3 else 1)


def _ratio_range(ratios: Floats) -> tuple[float, float]:
    """Return an axis range around 1 for ratios and errors (2, n); those far worse known than most do not count."""
    ratio, error = ratios[:, np.isfinite(ratios).all(axis=0)]
    known = error <= 4.0 * np.median(error) if error.size else np.zeros(0, dtype=bool)
    reach = float(np.max((np.abs(ratio - 1.0) + error)[known], initial=0.0))
    reach = min(max(1.15 * reach, _LEAST), _LARGEST)
    return 1.0 - reach, 1.0 + reach
