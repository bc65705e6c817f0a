"""Tables of comparisons: our number, the reference, their ratio, and a verdict."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..analysis.table import write_table

GOOD, OFF, REPORTED, INPUT = "good", "off", "reported", "input"

#: Standard errors that a comparison of statistical numbers is granted on top of its tolerance.
SIGMAS = 3.0


class Comparison(NamedTuple):
    """One row: a number of ours beside a reference.

    `tolerance` is the relative difference that is granted besides `SIGMAS` standard errors of both numbers; None: the
    row is reported, not judged. A number that set a parameter is an `input`: agreement with it proves nothing.
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
        if self.tolerance is None:
            return REPORTED
        granted = self.tolerance * abs(self.reference) + SIGMAS * math.hypot(self.error, self.reference_error)
        return GOOD if abs(self.value - self.reference) <= granted else OFF


def write_comparisons(stem: Path, rows: Sequence[Comparison], title: str) -> None:
    """Write rows as STEM.csv and, for reading, as STEM.md."""
    columns = {name: np.array([getattr(row, name) for row in rows]) for name in ("subject", "quantity")}
    numbers = ("value", "error", "reference", "reference_error", "ratio", "ratio_error")
    columns |= {name: np.array([getattr(row, name) for row in rows], dtype=np.float64) for name in numbers}
    granted = [math.nan if row.tolerance is None else row.tolerance for row in rows]
    columns["tolerance"] = np.array(granted, dtype=np.float64)
    columns |= {
        name: np.array([getattr(row, name) for row in rows]) for name in ("unit", "verdict", "source", "remark")
    }
    write_table(stem.with_suffix(".csv"), columns, [title])
    lines = [
        f"# {title}",
        "",
        "| subject | quantity | besfast | reference | ratio | verdict | source |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        unit = row.unit and f" {row.unit}"
        ours, theirs = _number(row.value, row.error), _number(row.reference, row.reference_error)
        source = row.source + (row.remark and f"; {row.remark}")
        ratio = _number(row.ratio, row.ratio_error)
        lines.append(
            f"| {row.subject} | {row.quantity} | {ours}{unit} | {theirs}{unit} | {ratio} | {row.verdict} | {source} |"
        )
    stem.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


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
