"""The three figures of the search: spectra with fits, residuals with upper limits, and mixing against mass.

The caller saves a figure with `drawing.save_figure`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..event import Floats
from .combination import COMBINATIONS, ChannelInput, Table
from .drawing import new_figure
from .published import CURVES, muon_anomaly_band, published_curve
from .spectrum import Bins

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CHANNEL_LABELS = {"mumu": r"$e^+e^-\to\mu^+\mu^-\gamma_{\rm ISR}$", "ee": r"$e^+e^-\to e^+e^-\gamma_{\rm ISR}$"}
_MASS_LABELS = {"mumu": r"$m_{\mu\mu}$ [GeV]", "ee": r"$m_{ee}$ [GeV]"}
_COMBINATION_LABELS = {"sum": "sum", "joint": "joint", "mumu": r"$\mu\mu$ alone", "ee": r"$ee$ alone"}
_COMBINATION_COLOURS = {"sum": "#c1121f", "joint": "#003f88", "mumu": "#2a9d8f", "ee": "#e09f3e"}
_CURVE_COLOURS = {
    "BaBar": "#4a7c59",
    "KLOE": "#8e6bbf",
    "NA48/2": "#e07a5f",
    "A1": "#8a6d3b",
    "LHCb": "#5fa8d3",
    "BESIII 2017": "#222222",
}


def _steps(bins: Bins, values: ArrayLike) -> tuple[Floats, Floats]:
    """Return contents and edges of a step line that is NaN, hence not drawn, in the gaps."""
    gap = np.nonzero(bins.mass_low[1:] != bins.mass_high[:-1])[0] + 1
    edges = np.append(np.insert(bins.mass_low, gap, bins.mass_high[gap - 1]), bins.mass_high[-1])
    return np.insert(np.asarray(values, dtype=np.float64), gap, np.nan), edges


def _mark_gap(axes: "Axes", bins: Bins, text: str = "") -> None:
    """Shade the regions between segments, left out of the search."""
    for i in np.nonzero(bins.mass_low[1:] != bins.mass_high[:-1])[0]:
        low, high = bins.mass_high[i], bins.mass_low[i + 1]
        axes.axvspan(low, high, facecolor="#eeeeee", edgecolor="none", zorder=0)
        if text:
            axes.text(
                0.5 * (low + high), 0.5, text, transform=axes.get_xaxis_transform(), rotation=90, ha="center",
                va="center", color="#888888", fontsize=9,
            )  # fmt: skip


def _points(axes: "Axes", bins: Bins, values: Floats, errors: Floats, **options: Any) -> None:
    axes.errorbar(
        bins.centre, values, yerr=errors, fmt="o", color="black", markersize=1.8, elinewidth=0.6, zorder=3, **options
    )


def _range(values: Sequence[Floats], centre: float, smallest: float) -> tuple[float, float]:
    """Return an axis range around the centre that holds all finite values with a margin."""
    joined = np.concatenate([np.ravel(v) for v in values])
    half = max(1.15 * float(np.max(np.abs(joined[np.isfinite(joined)] - centre), initial=0.0)), smallest)
    return centre - half, centre + half


def spectra_figure(
    channels: Sequence[ChannelInput],
    simulation: Mapping[str, Floats] | None = None,
    simulation_error: Mapping[str, Floats] | None = None,
    *,
    data_label: str = "pseudo-data",
) -> "Figure":
    """Return the mass spectrum of each channel with its background fit, and below the ratios to the simulation.

    `simulation` holds per channel the expectation in the same bins, scaled to the luminosity; without one the ratio
    is that of the data to the fit. As Fig. 1 of the BESIII search.
    """
    simulation, simulation_error = simulation or {}, simulation_error or {}
    with new_figure(5.6 * len(channels), 5.6) as figure:
        grid = figure.subplots(2, len(channels), sharex="col", height_ratios=(3.0, 1.2), squeeze=False)
        for column, channel in enumerate(channels):
            top, bottom = grid[0, column], grid[1, column]
            bins, fit, name = channel.bins, channel.background.fitted, channel.channel
            error = np.sqrt(np.maximum(channel.n, 1.0))
            _mark_gap(top, bins, r"excluded ($J/\psi$)")
            _mark_gap(bottom, bins)
            _points(top, bins, channel.n, error, label=data_label)
            expected = simulation.get(name)
            if expected is not None:
                top.stairs(
                    *_steps(bins, expected), baseline=None, color="#5fa8d3", lw=1.6, label="simulation", zorder=1
                )
            line = {"baseline": None, "color": "#c1121f", "linewidth": 1.1, "zorder": 4}
            top.stairs(*_steps(bins, fit), label="background fit", **line)
            top.set_yscale("log")
            low, high = float(np.min(fit)), float(np.max(fit))
            top.set_ylim(low / 2.0, high * (high / low) ** 0.25)
            top.set_ylabel(f"Events / {1000.0 * bins.width[0]:g} MeV")
            top.legend(loc="upper left", title=_CHANNEL_LABELS[name], alignment="left")
            reference = fit if expected is None else expected
            ratio = channel.n / reference
            _points(bottom, bins, ratio, error / reference)
            bottom.axhline(1.0, color="#888888", linewidth=0.8, zorder=1)
            if expected is not None:
                bottom.stairs(*_steps(bins, fit / expected), **line)
                blur = np.asarray(simulation_error.get(name, np.zeros_like(fit))) / expected
                relative, edges = _steps(bins, blur)
                bottom.stairs(1 + relative, edges, baseline=1 - relative, fill=True, color="#5fa8d3", alpha=0.5, lw=0)
            bottom.set_ylim(*_range([ratio + error / reference, ratio - error / reference], 1.0, 0.01))
            bottom.set_ylabel("data, fit / sim." if expected is not None else "data / fit")
            bottom.set_xlabel(_MASS_LABELS[name])
            bottom.set_xlim(bins.mass_low[0], bins.mass_high[-1])
        figure.align_ylabels()
        return figure


def _rows(table: Table, combination: str) -> dict[str, Any]:
    chosen = table["combination"] == combination
    if not np.any(chosen):
        raise ValueError(f"combination = {combination!r}, the table has {', '.join(sorted(set(table['combination'])))}")
    return {name: values[chosen] for name, values in table.items()}


def residual_figure(table: Table, combination: str = "sum") -> "Figure":
    """Return n less the fit per bin with the upper limit on signal counts, and the significance below (as Fig. 2)."""
    rows = _rows(table, combination)
    bins = Bins(rows["mass_low"], rows["mass_high"])
    with new_figure(7.4, 6.0) as figure:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(2.4, 1.0))
        for axes in (top, bottom):
            _mark_gap(axes, bins, "excluded" if axes is top else "")
            axes.axhline(0.0, color="#888888", linewidth=0.8, zorder=1)
        error = np.sqrt(np.maximum(rows["n"], 1.0))
        upper = np.where(np.isfinite(rows["n_up"]), rows["n_up"], np.nan)
        label = rf"$N_{{\rm up}}$ ({rows['sidedness'][0]})"
        steps, edges = _steps(bins, upper)
        top.stairs(steps, edges, baseline=None, color="#003f88", linewidth=1.1, label=label, zorder=2)
        top.stairs(np.nan_to_num(steps), edges, fill=True, color="#003f88", alpha=0.15, linewidth=0, zorder=1)
        _points(top, bins, rows["residual"], error, label=f"counts less fit ({_COMBINATION_LABELS[combination]})")
        low = 1.1 * min(float(np.min(rows["residual"] - error)), 0.0)
        high = max(float(np.max(rows["residual"] + error)), float(np.nanmax(upper, initial=0.0)))
        top.set_ylim(low, high + 0.3 * (high - low))  # room for the legend
        top.set_ylabel(f"Events / {1000.0 * bins.width[0]:g} MeV")
        top.legend(loc="upper left", ncols=1)
        bottom.plot(bins.centre, rows["significance"], "o", color="black", markersize=2.0)
        for limit in (-3.0, 3.0):
            bottom.axhline(limit, color="#c1121f", linestyle="--", linewidth=0.9)
        bottom.set_ylim(*_range([rows["significance"]], 0.0, 4.4))
        bottom.set_ylabel("Significance")
        bottom.set_xlabel(r"$m_{\ell\ell}$ [GeV]")
        bottom.set_xlim(bins.mass_low[0], bins.mass_high[-1])
        figure.align_ylabels()
        return figure


def _draw_published(axes: "Axes", high: float) -> None:
    """Shade what is excluded, up to the upper end of the axis, under a line per experiment and the muon anomaly."""
    for experiment, names in CURVES.items():
        for i, name in enumerate(names):
            mass, epsilon = published_curve(name)
            axes.fill_between(mass, epsilon, high, facecolor="#ececec", edgecolor="none", linewidth=0, zorder=0)
            label = experiment if i == 0 else None
            axes.plot(mass, epsilon, color=_CURVE_COLOURS[experiment], linewidth=0.8, label=label, zorder=3)
    mass, lower, upper = muon_anomaly_band()
    label = r"$(g-2)_\mu$, $\pm 2\sigma$ (2010s)"
    axes.fill_between(mass, lower, upper, facecolor="#f6d743", edgecolor="none", alpha=0.55, label=label, zorder=1)


def mixing_figure(table: Table, expected: Table | None = None, *, published: bool = True) -> "Figure":
    """Return the limit on epsilon against mass for each combination, among the published ones (as Fig. 3).

    Left every published curve with `sum` and `joint`; right the range of the search with all combinations, and
    dashed the expected limits where a table of them is given.
    """
    present = [name for name in COMBINATIONS if np.any(table["combination"] == name)]
    main = [name for name in present if name in ("sum", "joint")] or present
    finite = np.concatenate([_rows(table, name)["epsilon_up"] for name in present])
    finite = finite[np.isfinite(finite) & (finite > 0.0)]
    with new_figure(12.6, 5.8) as figure:
        wide, near = figure.subplots(1, 2, width_ratios=(1.0, 1.25))
        for axes, names in ((wide, main), (near, present)):
            high = 2e-2 if axes is wide else 1.6 * float(finite.max())
            for name in names:
                rows = _rows(table, name)
                bins, thick = Bins(rows["mass_low"], rows["mass_high"]), name in main
                colour, label = _COMBINATION_COLOURS[name], f"this work, {_COMBINATION_LABELS[name]}"
                line = {"baseline": None, "color": colour, "zorder": 7 if thick else 6}
                observed = np.where(np.isfinite(rows["epsilon_up"]), rows["epsilon_up"], np.nan)
                steps, edges = _steps(bins, observed)
                width = 0.7 if axes is wide or not thick else 1.3
                axes.stairs(steps, edges, linewidth=width, alpha=1.0 if thick else 0.7, label=label, **line)
                if expected is not None and axes is near:
                    steps, edges = _steps(bins, _rows(expected, name)["epsilon_up"])
                    axes.stairs(steps, edges, linewidth=1.1, linestyle="--", **line)
            if expected is not None and axes is near:
                axes.plot([], [], color="black", linestyle="--", linewidth=1.1, label="expected, same colours")
            if published:
                _draw_published(axes, high)
            axes.set_yscale("log")
            axes.set_ylim(1e-4 if axes is wide else 0.5 * float(finite.min()), high)
            axes.set_ylabel(r"$\varepsilon$")
            axes.set_xlabel(r"$m_{\gamma'}$ [GeV]")
        wide.set_xscale("log")
        wide.set_xlim(5e-3, 12.0)
        whole = _rows(table, present[0])
        near.set_xlim(whole["mass_low"].min(), whole["mass_high"].max())
        near.set_title(str(table["sidedness"][0]), fontsize=10, loc="right")
        handles: dict[str, Any] = {}
        for axes in (near, wide):
            for handle, label in zip(*axes.get_legend_handles_labels()):
                handles.setdefault(label, handle)
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5, fontsize=10)
        return figure
