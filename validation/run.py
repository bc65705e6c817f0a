"""Checks of a validation run side by side, what they found, and the folder it is written to."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from ..analysis.drawing import save_figure
from ..pipeline import bounded_map, default_jobs
from ..results import write_folder
from .check import Check, Curve, Line, Result
from .comparison import OFF, Comparison, count_verdicts, write_comparisons
from .figures import panels_of, validation_figure
from .plots import plots_figure, plots_of


class Validation(NamedTuple):
    """Rows by topic, and the curves and lines of the figures."""

    rows: dict[str, list[Comparison]]
    curves: list[Curve]
    lines: list[Line]

    def off(self) -> list[Comparison]:
        """Return the rows that disagree."""
        return [row for rows in self.rows.values() for row in rows if row.verdict == OFF]

    def summary(self) -> str:
        """Return how many rows there are of each verdict, by topic, and every one that is off."""
        lines = []
        for topic, rows in self.rows.items():
            counts = ", ".join(f"{n} {verdict}" for verdict, n in count_verdicts(rows).items() if n)
            lines.append(f"{topic}: {counts}")
        for row in self.off():
            remark = row.remark and f" ({row.remark})"
            if row.p_min is not None:
                lines.append(f"off: {row.subject}: {row.quantity}: p = {row.value:.2g}, {row.source}{remark}")
            elif row.at_most is not None and row.at_least is not None:
                value = f"{row.value:.4g} +- {row.error:.2g} {row.unit}, {row.at_least:g} to {row.at_most:g}"
                lines.append(f"off: {row.subject}: {row.quantity}: {value}, {row.source}{remark}")
            elif row.at_most is not None:
                lines.append(f"off: {row.subject}: {row.quantity}: {row.value:.2g} {row.unit}, {row.source}{remark}")
            elif row.at_least is not None:
                value = f"{row.value:.4g} +- {row.error:.2g}, at least {row.at_least:g}"
                lines.append(f"off: {row.subject}: {row.quantity}: {value}, {row.source}{remark}")
            else:
                ratio = f"ratio {row.ratio:.5g} +- {row.ratio_error:.2g}, granted {row.tolerance:g}"
                lines.append(f"off: {row.subject}: {row.quantity}: {ratio}, {row.source}{remark}")
        return "\n".join(lines)


def run_checks(checks: list[Check], *, jobs: int | None = None, quiet: bool = True) -> Validation:
    """Run checks, several at a time, and collect what they found in their order.

    `jobs` threads; None: the processors of this process. Raises ValueError where it is less than one.
    """
    jobs = default_jobs() if jobs is None else jobs
    if jobs < 1:
        raise ValueError(f"jobs = {jobs}, must be at least 1")

    def run(check: Check) -> tuple[Check, Result]:
        return check, check.run()

    validation = Validation({}, [], [])
    with (
        ThreadPoolExecutor(jobs) as executor,
        tqdm(total=len(checks), desc="validate", unit="check", disable=True if quiet else None) as bar,
    ):
        # the first by itself: numba completes its registries when it first compiles, not safe among threads
        rest = bounded_map(executor, run, ((check,) for check in checks[1:]), 2 * jobs)
        for check, result in chain(map(run, checks[:1]), rest):
            bar.set_postfix_str(check.name)
            bar.update()
            validation.rows.setdefault(check.topic, []).extend(result.rows)
            validation.curves.extend(result.curves)
            validation.lines.extend(result.lines)
    return validation


def write_validation(
    target: Path, validation: Validation, title: str, overwrite: bool, more: Callable[[Path], None] | None = None
) -> None:
    """Write comparisons.csv, comparisons.md, and figures as PNG and PDF into a folder that appears when complete.

    `more` writes what else belongs there.
    """

    def fill(folder: Path) -> None:
        write_comparisons(folder / "comparisons", validation.rows, title)
        for name, panels in panels_of(validation.curves).items():
            save_figure(validation_figure(panels), folder / name)
        for name, plots in plots_of(validation.lines).items():
            save_figure(plots_figure(plots), folder / name)
        if more is not None:
            more(folder)

    write_folder(target, overwrite, fill)
