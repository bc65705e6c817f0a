"""`besfast validate generators`: all checks of the generators, as tables and figures in a folder."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from ..analysis.drawing import save_figure
from ..checks import check_output_folder
from ..pipeline import bounded_map, default_jobs
from ..results import write_folder
from ..rng import check_seed
from .check import Check, Curve, Result, Settings
from .comparison import OFF, Comparison, count_verdicts, write_comparisons
from .figures import panels_of, validation_figure
from .final_state import final_state
from .interference import interference
from .jpsi_peak import jpsi_peak
from .leading_order import leading_order
from .new_processes import new_processes
from .propagators import propagators
from .radiation import radiation
from .samples import samples

#: Files of other programs: name to path and how it is normalised, see `samples.parse_sample`.
Files = Mapping[str, tuple[Path, Mapping[str, Any]]]


class Validation(NamedTuple):
    """Rows by topic, and the curves of the figures."""

    rows: dict[str, list[Comparison]]
    curves: list[Curve]

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
            elif row.at_most is not None:
                lines.append(f"off: {row.subject}: {row.quantity}: {row.value:.2g} {row.unit}, {row.source}{remark}")
            else:
                ratio = f"ratio {row.ratio:.5g} +- {row.ratio_error:.2g}, granted {row.tolerance:g}"
                lines.append(f"off: {row.subject}: {row.quantity}: {ratio}, {row.source}{remark}")
        return "\n".join(lines)


def all_checks(settings: Settings, files: Files) -> list[Check]:
    """Return every check of the generators."""
    return [
        *leading_order(settings),
        *interference(settings),
        *propagators(settings),
        *final_state(settings),
        *radiation(settings),
        *jpsi_peak(settings),
        *new_processes(settings),
        *samples(settings, files),
    ]


def run_checks(checks: list[Check], *, jobs: int = 1, quiet: bool = True) -> Validation:
    """Run checks, several at a time, and collect what they found in their order."""

    def run(check: Check) -> tuple[Check, Result]:
        return check, check.run()

    validation = Validation({}, [])
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
    return validation


def validate_generators(
    out: str | Path,
    *,
    seed: int = 1,
    quick: bool = False,
    files: Files | None = None,
    jobs: int | None = None,
    quiet: bool = True,
    overwrite: bool = False,
) -> Validation:
    """Run the physics validation of the generators and write its folder.

    Parameters
    ----------
    out
        Folder to write: comparisons.csv, comparisons.md, and figures as PNG and PDF.
    seed
        0 <= seed < 2**64.
    quick
        Whether samples are eight times smaller: the same tolerances, larger errors.
    files
        Files of other programs in place of the packaged distributions, see `samples.parse_sample`.
    jobs
        Threads; None: the processors of this process.
    quiet, overwrite
        No progress bar; replace an existing folder.

    Raises
    ------
    FileExistsError, FileNotFoundError, PermissionError
        If the folder cannot be written.
    ValueError
        If the seed or the number of jobs is not allowed, or a file is not an event file.
    """
    target = check_output_folder(out, overwrite=overwrite)
    settings = Settings(check_seed(seed), quick)
    jobs = default_jobs() if jobs is None else jobs
    if jobs < 1:
        raise ValueError(f"jobs = {jobs}, must be at least 1")
    checks = all_checks(settings, files or {})
    validation = run_checks(checks, jobs=jobs, quiet=quiet)

    def fill(folder: Path) -> None:
        title = f"Validation of the generators, seed {settings.seed}{', quick' if quick else ''}"
        write_comparisons(folder / "comparisons", validation.rows, title)
        for name, panels in panels_of(validation.curves).items():
            save_figure(validation_figure(panels), folder / name)

    write_folder(target, overwrite, fill)
    return validation
