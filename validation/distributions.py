"""Two histograms beside each other: cross section, Kolmogorov-Smirnov distance, chi2; and their packaged form."""

import math
from pathlib import Path

import numpy as np
from scipy.stats import chi2, kstwobign

from ..analysis.table import write_table
from ..arrays import Floats
from .check import Curve, Panel, Result
from .comparison import probability
from .observables import OBSERVABLES, Histogram, Histograms
from .references import reference_table

#: Bins are joined until either histogram has this many effective entries.
_EFFECTIVE = 25.0
#: The same for figures.
_DRAWN = 100.0
#: Observables drawn on a logarithmic axis.
_STEEP = ("missing_mass",)


def effective(histogram: Histogram) -> float:
    """Return the effective number of entries, (sum w)^2 / sum w^2."""
    squares = float(histogram.variance.sum())
    return float(histogram.content.sum()) ** 2 / squares if squares else 0.0


def ks_test(ours: Histogram, theirs: Histogram) -> tuple[float, float]:
    """Return the largest distance of the cumulated distributions at the edges, and its probability.

    Asymptotic, with effective numbers in place of entries: approximate where weights depend on the observable.
    """
    first, second = (np.cumsum(one.content) / one.content.sum() for one in (ours, theirs))
    distance = float(np.max(np.abs(first - second)))
    n1, n2 = effective(ours), effective(theirs)
    return distance, float(kstwobign.sf(distance * math.sqrt(n1 * n2 / (n1 + n2))))


def joined(ours: Histogram, theirs: Histogram, effective_entries: float = _EFFECTIVE) -> tuple[Histogram, Histogram]:
    """Return both histograms with neighbouring bins joined until every bin has enough effective entries of both.

    Bins before the first and after the last that is filled in either are left out.
    """
    filled = np.flatnonzero(ours.variance + theirs.variance > 0.0)
    first, end = (int(filled[0]), int(filled[-1]) + 1) if filled.size else (0, len(ours.content))
    starts, sums = [first], np.zeros(4)
    for i in range(first, end):
        sums += ours.content[i], ours.variance[i], theirs.content[i], theirs.variance[i]
        enough = all(sums[k] ** 2 >= effective_entries * sums[k + 1] > 0.0 for k in (0, 2))
        if enough:
            starts.append(i + 1)
            sums[:] = 0.0
    if len(starts) == 1:
        starts.append(end)
    starts[-1] = end  # what is left joins the last bin
    bins = np.array(starts)

    def merge(one: Histogram) -> Histogram:
        content, variance = (np.add.reduceat(x[:end], bins[:-1]) for x in (one.content, one.variance))
        return Histogram(one.edges[bins], content, variance)

    return merge(ours), merge(theirs)


def shape_test(ours: Histogram, theirs: Histogram) -> tuple[float, int, float]:
    """Return chi2 of the normalised shapes in joined bins, degrees of freedom and probability."""
    a, b = joined(ours, theirs)
    scale = a.content.sum() / b.content.sum()
    distance = float(np.sum((a.content - scale * b.content) ** 2 / (a.variance + scale**2 * b.variance)))
    n = len(a.content) - 1
    return distance, n, float(chi2.sf(distance, n)) if n > 0 else 1.0


def compare_histograms(
    subject: str,
    observable: str,
    ours: Histogram,
    theirs: Histogram,
    source: str,
    figure: str,
    *,
    judged: bool = True,
    remark: str = "",
) -> Result:
    """Return rows of both tests of the shape and the curve, the reference scaled to our sum."""
    _, unit, sentence, symbol = OBSERVABLES[observable]
    distance, ks = ks_test(ours, theirs)
    square, n, p = shape_test(ours, theirs)
    numbers = f"effective entries {effective(ours):.0f} and {effective(theirs):.0f}"
    texts = (
        (f"{sentence}: p of KS distance {distance:.4f}, {numbers}", ks),
        (f"{sentence}: p of chi2 = {square:.1f} of {n} in shape", p),
    )
    rows = [probability(subject, text, value, source, judged=judged, remark=remark) for text, value in texts]
    a, b = joined(ours, theirs, _DRAWN)
    scale = a.content.sum() / b.content.sum()
    widths = np.diff(a.edges)
    x_label, y_label = symbol + (unit and f" [{unit}]"), r"$d\sigma/dx$ [nb" + (unit and f"/{unit}") + "]"
    panel = Panel(figure, "", x_label, y_label, logarithmic=observable in _STEEP)
    curve = Curve(
        panel,
        "besfast",
        a.edges,
        a.content / widths,
        np.sqrt(a.variance) / widths,
        scale * b.content / widths,
        scale * np.sqrt(b.variance) / widths,
    )
    return Result(rows, [curve])


def write_histograms(path: Path, samples: dict[str, Histograms], comment: str) -> None:
    """Write histograms of several samples as one table, a row per bin that is not empty."""
    rows = [
        (sample, selection, observable, int(i), float(one.content[i]), float(one.variance[i]))
        for sample, histograms in samples.items()
        for (selection, observable), one in histograms.items()
        for i in np.flatnonzero(one.variance > 0.0)
    ]
    names = ("sample", "selection", "observable", "bin", "cross_section", "variance")
    columns = {name: np.array([row[k] for row in rows]) for k, name in enumerate(names)}
    for name in ("cross_section", "variance"):
        columns[name] = np.array([float(f"{x:.6g}") for x in columns[name]])
    write_table(path, columns, [comment])


def read_histograms(name: str) -> dict[str, Histograms]:
    """Return the histograms of a packaged table, by sample."""
    table = reference_table(name)
    samples: dict[str, Histograms] = {}
    keys = np.stack([table[column] for column in ("sample", "selection", "observable")])
    for sample, selection, observable in sorted({tuple(map(str, key)) for key in keys.T}):
        rows = np.all(keys == np.array([[sample], [selection], [observable]]), axis=0)
        edges = OBSERVABLES[observable].edges
        content: Floats = np.zeros(len(edges) - 1)
        variance: Floats = np.zeros(len(edges) - 1)
        index = table["bin"][rows].astype(np.int64)
        content[index], variance[index] = table["cross_section"][rows], table["variance"][rows]
        samples.setdefault(sample, {})[(selection, observable)] = Histogram(edges, content, variance)
    return samples
