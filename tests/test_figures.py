"""The figures: drawn from realistic input, complete, the same bytes twice, and without pyplot."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from besfast.analysis.combination import asimov, limit_table
from besfast.analysis.drawing import save_figure
from besfast.analysis.figures import mixing_figure, residual_figure, spectra_figure
from besfast.analysis.published import CURVES, muon_anomaly_band, published_curve

from .expectation import YIELDS, channels

CHANNELS = channels(seed=1)
TABLE = limit_table(CHANNELS)


def labels(axes: object) -> set[str]:
    return set(axes.get_legend_handles_labels()[1])  # type: ignore[attr-defined]


def nothing_cut_off(figure: object) -> None:
    """Every text, the legends included, lies inside the figure, and legends hide no data point."""
    figure.canvas.draw()  # type: ignore[attr-defined]
    box = figure.bbox  # type: ignore[attr-defined]
    for axes in figure.axes:  # type: ignore[attr-defined]
        extent = axes.get_tightbbox()
        assert extent.x0 >= box.x0 - 1
        assert extent.x1 <= box.x1 + 1
        assert extent.y0 >= box.y0 - 1
        assert extent.y1 <= box.y1 + 1


def test_spectra() -> None:
    simulation = {name: values * 1.01 for name, values in YIELDS.items()}
    error = {name: np.sqrt(values) for name, values in YIELDS.items()}
    figure = spectra_figure(CHANNELS, simulation, error)
    assert len(figure.axes) == 4
    assert labels(figure.axes[0]) == {"pseudo-data", "simulation", "background fit"}
    assert [axes.get_xlabel() for axes in figure.axes[2:]] == [r"$m_{\mu\mu}$ [GeV]", r"$m_{ee}$ [GeV]"]
    assert figure.axes[0].get_ylabel() == "Events / 10 MeV"
    nothing_cut_off(figure)
    for axes, channel in zip(figure.axes, CHANNELS):
        legend = axes.get_legend().get_window_extent()
        points = axes.transData.transform(np.stack([channel.bins.centre, channel.n], axis=1))
        assert not any(legend.contains(*point) for point in points)
    assert labels(spectra_figure(CHANNELS[:1], data_label="data").axes[0]) == {"data", "background fit"}


def test_residuals() -> None:
    figure = residual_figure(TABLE)
    top, bottom = figure.axes
    nothing_cut_off(figure)
    assert any("two-sided 90 %" in label for label in labels(top))
    low, high = top.get_ylim()
    rows = TABLE["combination"] == "sum"
    assert low < TABLE["residual"][rows].min()
    assert high > TABLE["n_up"][rows].max()
    legend = top.get_legend().get_window_extent()
    points = top.transData.transform(np.stack([CHANNELS[0].bins.centre, TABLE["n_up"][rows]], axis=1))
    assert not any(legend.contains(*point) for point in points)
    assert bottom.get_ylim()[1] > 3.0
    assert len(residual_figure(limit_table(CHANNELS, bounded=False), "joint").axes) == 2
    with pytest.raises(ValueError, match="combination = 'sum', the table has ee"):
        residual_figure(limit_table(CHANNELS[1:]))


def test_mixing() -> None:
    expected = limit_table([asimov(channel) for channel in CHANNELS])
    figure = mixing_figure(TABLE, expected)
    wide, near = figure.axes
    nothing_cut_off(figure)
    assert wide.get_yscale() == near.get_yscale() == "log"
    assert {"this work, sum", "this work, joint", "this work, $ee$ alone", *CURVES} <= labels(near)
    low, high = near.get_ylim()
    assert low < TABLE["epsilon_up"].min() < TABLE["epsilon_up"].max() < high
    assert len(mixing_figure(limit_table(CHANNELS[:1]), published=False).axes) == 2


def test_same_bytes_twice(tmp_path: Path) -> None:
    first = save_figure(residual_figure(TABLE), tmp_path / "a.first")
    assert [path.name for path in first] == ["a.first.png", "a.first.pdf"]
    second = save_figure(residual_figure(TABLE), tmp_path / "b")
    for one, other in zip(first, second):
        assert one.read_bytes() == other.read_bytes()
        assert one.stat().st_size > 5000


def test_no_pyplot_and_nothing_at_import() -> None:
    code = (
        "import sys, besfast.analysis.drawing as f\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from besfast.analysis.published import published_curve\n"
        "with f.new_figure(3, 3) as figure: figure.subplots()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_published_curves() -> None:
    for names in CURVES.values():
        for name in names:
            mass, epsilon = published_curve(name)
            assert np.all(np.diff(mass) > 0)
            assert np.nanmax(epsilon) <= 0.05
            assert np.nanmin(epsilon) > 5e-5
    mass, epsilon = published_curve("besiii_2017")
    assert np.nanmedian(epsilon) == pytest.approx(1.19e-3, rel=0.01)
    assert np.nanmin(epsilon) == pytest.approx(6.3e-4, rel=0.01)
    assert np.nanmax(epsilon) == pytest.approx(1.94e-3, rel=0.01)
    assert np.count_nonzero(np.isnan(epsilon)) == 1
    assert 3.0 < mass[np.isnan(epsilon)][0] < 3.2
    near = (published_curve("babar_2014")[0] > 1.5) & (published_curve("babar_2014")[0] < 3.4)
    assert np.nanmedian(published_curve("babar_2014")[1][near]) == pytest.approx(8.4e-4, rel=0.03)


def test_muon_anomaly_band() -> None:
    """The band follows from the one-loop formula: at small mass epsilon^2 = 2 pi delta_a / alpha."""
    mass, low, high = muon_anomaly_band()
    for edge, delta in ((low, 2.87e-9 - 1.60e-9), (high, 2.87e-9 + 1.60e-9)):
        assert edge[0] == pytest.approx(np.sqrt(2 * np.pi * delta * 137.036), rel=0.02)
    assert np.all(low < high)
    assert np.all(np.diff(mass) > 0)
