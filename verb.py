"""What the verbs of the command line share: options they check, bars and lines they print."""

import argparse
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

from .pipeline import default_jobs

#: Options of the readers of external samples.
_EXTERNAL = ("cross_section", "tries", "frame", "weight", "beams", "keep_complete")


def jobs_of(options: argparse.Namespace) -> int:
    """Return the number of threads asked for, or that of the processors at hand."""
    if options.jobs is None:
        return default_jobs()
    if options.jobs < 1:
        raise ValueError(f"--jobs = {options.jobs}, must be at least 1")
    return int(options.jobs)


def progress_bar(total: int | None, text: str, quiet: bool) -> Any:
    """Return a progress bar that shows on a terminal only."""
    return tqdm(total=total, desc=text, unit="event", unit_scale=True, disable=True if quiet else None)


def external_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of a reader of external samples that were given."""
    return given_options(options, _EXTERNAL)


def given_options(options: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """Return those of the options that were given."""
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def say(options: argparse.Namespace, text: str) -> None:
    """Print a line of the report, unless it was not wanted."""
    if not options.quiet:
        print(text)
