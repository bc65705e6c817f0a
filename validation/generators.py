"""`besfast validate generators`: all checks of the generators, as tables and figures in a folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..checks import check_output_folder
from ..rng import check_seed
from .check import Check, Settings
from .dressed_spectrum import dressed_spectrum
from .final_state import final_state
from .interference import interference
from .jpsi_peak import jpsi_peak
from .leading_order import leading_order
from .new_processes import new_processes
from .propagators import propagators
from .radiation import radiation
from .run import Validation, run_checks, write_validation
from .samples import samples

#: Files of other programs: name to path and how it is normalised, see `samples.parse_sample`.
Files = Mapping[str, tuple[Path, Mapping[str, Any]]]


def all_checks(settings: Settings, files: Files) -> list[Check]:
    """Return every check of the generators."""
    return [
        *leading_order(settings),
        *interference(settings),
        *propagators(settings),
        *final_state(settings),
        *radiation(settings),
        *dressed_spectrum(settings),
        *jpsi_peak(settings),
        *new_processes(settings),
        *samples(settings, files),
    ]


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
    validation = run_checks(all_checks(settings, files or {}), jobs=jobs, quiet=quiet)
    title = f"Validation of the generators, seed {settings.seed}{', quick' if quick else ''}"
    write_validation(target, validation, title, overwrite)
    return validation
