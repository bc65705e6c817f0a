"""Figures of studies: points with errors and lines, and the range they should be in."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..analysis.drawing import new_figure
from ..arrays import Floats
from .check import Line, Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("#003f88", "#c1121f", "#2a9d8f", "#e09f3e", "#8e6bbf", "#222222", "#5fa8d3", "#8a6d3b")
_COLUMNS = 3


def plots_of(lines: Sequence[Line]) -> dict[str, dict[Plot, dict[str, list[Line]]]]:
    """Return the lines by figure, plot and label, in the order of their first appearance."""
    figures: dict[str, dict[Plot, dict[str, list[Line]]]] = {}
    for line in lines:
        figures.setdefault(line.plot.figure, {}).setdefault(line.plot, {}).setdefault(line.label, []).append(line)
    return figures


def plots_figure(plots: dict[Plot, dict[str, list[Line]]]) -> "Figure":
    """Return one figure: a column per plot, rows of at most three."""
    columns = min(len(plots), _COLUMNS)
    rows = -(-len(plots) // columns)
    with new_figure(4.6 * columns + 0.4, 3.8 * rows) as figure:
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, (plot, labels) in zip(grid, plots.items()):
            _draw(axes, plot, labels)
        for axes in grid[len(plots) :]:
            axes.remove()
        return figure


def _draw(axes: "Axes", plot: Plot, labels: dict[str, list[Line]]) -> None:
    for k, (label, lines) in enumerate(labels.items()):
        x, y, error = _joined(lines)
        colour = _COLOURS[k % len(_COLOURS)]
        if error is None:
            axes.plot(x, y, color=colour, linewidth=1.2, linestyle="--" if lines[0].dashed else "-", label=label)
        else:
            axes.errorbar(x, y, yerr=error, fmt="o", color=colour, markersize=3.0, elinewidth=0.8, label=label)
    if plot.wanted is not None:
        axes.axhspan(*plot.wanted, color="#2a9d8f", alpha=0.12, linewidth=0.0)
    for level in plot.levels:
        axes.axhline(level, color="#888888", linewidth=0.8, linestyle=":", zorder=1)
    if plot.logarithmic:
        axes.set_yscale("log")
    if plot.y_range is not None:
        axes.set_ylim(*plot.y_range)
    axes.set_title(plot.title, fontsize=10)
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    axes.legend(loc="best", fontsize=7.5)


def _joined(lines: Sequence[Line]) -> tuple[Floats, Floats, Floats | None]:
    """Return the points of several lines as one."""
    x, y = (np.concatenate([getattr(line, name) for line in lines]) for name in ("x", "y"))
    errors = [line.error for line in lines if line.error is not None]
    return x, y, np.concatenate(errors) if errors else None
