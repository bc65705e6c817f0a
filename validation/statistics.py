"""`besfast validate statistics`: all checks of the limits, as tables and figures in a folder."""

from pathlib import Path

from ..checks import check_output_folder
from ..rng import check_seed
from .asimov import asimov
from .check import Check, Settings
from .counting_coverage import counting_coverage
from .counting_limits import counting_limits
from .coverage import coverage
from .few_counts import few_counts
from .gaussian_limits import gaussian_limits
from .global_significance import look_elsewhere
from .injection import injection
from .other_fitters import other_fitters
from .run import Validation, run_checks, write_validation
from .statistics_speed import statistics_speed


def all_checks(settings: Settings) -> list[Check]:
    """Return every check of the statistics."""
    return [
        *counting_limits(settings),
        *gaussian_limits(),
        *asimov(),
        *other_fitters(settings),
        *injection(settings),
        *coverage(settings),
        *few_counts(settings),
        *counting_coverage(),
        *look_elsewhere(settings),
        *statistics_speed(settings),
    ]


def validate_statistics(
    out: str | Path,
    *,
    seed: int = 1,
    quick: bool = False,
    jobs: int | None = None,
    quiet: bool = True,
    overwrite: bool = False,
) -> Validation:
    """Run the validation of limits and bump hunt, on invented spectra, and write its folder.

    Parameters
    ----------
    out
        Folder to write: comparisons.csv, comparisons.md, and figures as PNG and PDF.
    seed
        0 <= seed < 2**64.
    quick
        Whether there are eight times fewer trials: the same tolerances, larger errors.
    jobs
        Threads; None: the processors of this process.
    quiet, overwrite
        No progress bar; replace an existing folder.

    Raises
    ------
    FileExistsError, FileNotFoundError, PermissionError
        If the folder cannot be written.
    ValueError
        If the seed or the number of jobs is not allowed.
    """
    target = check_output_folder(out, overwrite=overwrite)
    settings = Settings(check_seed(seed), quick)
    validation = run_checks(all_checks(settings), jobs=jobs, quiet=quiet)
    title = f"Validation of the statistics, seed {settings.seed}{', quick' if quick else ''}"
    write_validation(target, validation, title, overwrite)
    return validation
