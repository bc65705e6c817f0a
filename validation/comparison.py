"""Tables of comparisons: our number, the reference, their ratio, and a verdict."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..analysis.table import write_table

GOOD, OFF, REPORTED, INPUT = "good", "off", "reported", "input"

#: Standard errors that a comparison of statistical numbers is granted on top of its tolerance.
SIGMAS = 3.0
#: Smallest probability that is not called a disagreement, unless a row states another.
P_MIN = 1e-3


class Comparison(NamedTuple):
    """One row: a number of ours beside a reference.

    `tolerance` is the relative difference that is granted besides `SIGMAS` standard errors of both numbers; None: the
    row is reported, not judged. A number that set a parameter is an `input`: agreement with it proves nothing. Where
    `p_min` is given, the value is a p-value, good if not below it, and there is no reference (NaN); where `at_most` is
    given, the value is good up to that; where `at_least` is given, it is good unless `SIGMAS` errors below that; where
    both are, it is good unless `SIGMAS` errors outside that range.
    """

    subject: str
    quantity: str
    value: float
    error: float
    reference: float
    reference_error: float
    unit: str
    tolerance: float | None
    source: str
    is_input: bool = False
    remark: str = ""
    p_min: float | None = None
    at_most: float | None = None
    at_least: float | None = None

    @property
    def ratio(self) -> float:
        """Our number over the reference; NaN where that is zero."""
        return self.value / self.reference if self.reference else math.nan

    @property
    def ratio_error(self) -> float:
        """Standard error of the ratio."""
        if not self.reference:
            return math.nan
        return math.hypot(self.error, self.ratio * self.reference_error) / abs(self.reference)

    @property
    def verdict(self) -> str:
        """Good | off | reported | input."""
        if self.is_input:
            return INPUT
        if self.p_min is not None:
            return GOOD if self.value >= self.p_min else OFF
        if self.at_most is not None and self.at_least is not None:
            reach = SIGMAS * self.error
            return GOOD if self.value + reach >= self.at_least and self.value - reach <= self.at_most else OFF
        if self.at_most is not None:
            return GOOD if self.value <= self.at_most else OFF
        if self.at_least is not None:
            return GOOD if self.value + SIGMAS * self.error >= self.at_least else OFF
        if self.tolerance is None:
            return REPORTED
        granted = self.tolerance * abs(self.reference) + SIGMAS * math.hypot(self.error, self.reference_error)
        return GOOD if abs(self.value - self.reference) <= granted else OFF


def probability(
    subject: str, text: str, value: float, source: str, *, judged: bool = True, remark: str = ""
) -> Comparison:
    """Return the row of a p-value."""
    nan, p_min = math.nan, P_MIN if judged else None
    return Comparison(subject, text, value, nan, nan, nan, "", None, source, remark=remark, p_min=p_min)


def bounded(subject: str, text: str, value: float, at_most: float, unit: str, source: str) -> Comparison:
    """Return the row of a number that must not exceed another."""
    nan = math.nan
    return Comparison(subject, text, value, nan, nan, nan, unit, None, source, at_most=at_most)


def at_least(
    subject: str, text: str, value: float, error: float, bound: float | None, source: str, *, remark: str = ""
) -> Comparison:
    """Return the row of a number that must not be below another; None: it is reported."""
    nan = math.nan
    return Comparison(subject, text, value, error, nan, nan, "", None, source, remark=remark, at_least=bound)


def write_comparisons(stem: Path, sections: Mapping[str, Sequence[Comparison]], title: str) -> None:
    """Write rows, by topic, as STEM.csv and, for reading, as STEM.md: the verdicts first, then all tables."""
    rows = [row for section in sections.values() for row in section]
    topics = [topic for topic, section in sections.items() for _ in section]
    texts = ("subject", "quantity", "unit", "verdict", "source", "remark")
    numbers = (
        "value",
        "error",
        "reference",
        "reference_error",
        "ratio",
        "ratio_error",
        "tolerance",
        "p_min",
        "at_most",
        "at_least",
    )
    columns: dict[str, NDArray[Any]] = {"topic": np.array(topics, dtype=np.str_)}
    for name in (*texts[:2], *numbers, *texts[2:]):
        values = [getattr(row, name) for row in rows]
        if name in numbers:
            columns[name] = np.array([math.nan if x is None else x for x in values], dtype=np.float64)
        else:
            columns[name] = np.array(values, dtype=np.str_)
    write_table(stem.with_suffix(".csv"), columns, [title])
    text = "\n".join([f"# {title}", "", *comparison_lines(sections)])
    stem.with_suffix(".md").write_text(text + "\n", encoding="utf-8")


def comparison_lines(sections: Mapping[str, Sequence[Comparison]]) -> list[str]:
    """Return rows, by topic, for reading: the verdicts first, then all tables."""
    rows = [row for section in sections.values() for row in section]
    lines = ["| topic | " + " | ".join((GOOD, OFF, REPORTED, INPUT)) + " |", "|---|---|---|---|---|"]
    for topic, section in sections.items():
        lines.append(f"| {topic} | " + " | ".join(str(n) for n in count_verdicts(section).values()) + " |")
    off = [row for row in rows if row.verdict == OFF]
    if off:
        lines += ["", "## Off", "", *_lines(off)]
    for topic, section in sections.items():
        lines += ["", f"## {topic[0].upper()}{topic[1:]}", "", *_lines(section)]
    return lines


def _lines(rows: Sequence[Comparison]) -> list[str]:
    lines = [
        "| subject | quantity | besfast | reference | ratio | granted | verdict | source |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        unit = row.unit and f" {row.unit}"
        if row.p_min is not None:
            ours, theirs, ratio, granted = f"p = {row.value:.2g}", "-", "-", f"p > {row.p_min:g}"
        elif row.at_most is not None and row.at_least is not None:
            ours, theirs, ratio = _number(row.value, row.error) + unit, "-", "-"
            granted = f"{row.at_least:g} to {row.at_most:g}{unit}"
        elif row.at_most is not None:
            ours = (_number(row.value, row.error) if row.error > 0.0 else f"{row.value:.2g}") + unit
            theirs, ratio, granted = "-", "-", f"up to {row.at_most:g}{unit}"
        elif row.at_least is not None:
            ours, theirs, ratio = _number(row.value, row.error) + unit, "-", "-"
            granted = f"at least {row.at_least:g}{unit}"
        else:
            ours = _number(row.value, row.error) + unit
            theirs = "-" if math.isnan(row.reference) else _number(row.reference, row.reference_error) + unit
            ratio = _number(row.ratio, row.ratio_error)
            granted = "-" if row.tolerance is None else f"{100.0 * row.tolerance:g} %"
        source = row.source + (row.remark and f"; {row.remark}")
        cells = (row.subject, row.quantity, ours, theirs, ratio, granted, row.verdict, source)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines


def _number(value: float, error: float) -> str:
    """Return a number with its error, to two digits of the error."""
    if not math.isfinite(value):
        return "-"
    if not (math.isfinite(error) and error > 0.0):
        return f"{value:.6g}"
    digits = max(1 - math.floor(math.log10(error)), 0)
    if digits > 8 or abs(value) >= 1e7:
        return f"{value:.6g} ± {error:.2g}"
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def count_verdicts(rows: Sequence[Comparison]) -> dict[str, int]:
    """Return how many rows there are of each verdict."""
    verdicts = [row.verdict for row in rows]
    return {verdict: verdicts.count(verdict) for verdict in (GOOD, OFF, REPORTED, INPUT)}
