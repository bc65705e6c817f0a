"""The verb `validate` of the command line."""

import argparse
import time

from ..verb import jobs_of, say
from .run import Validation


def validate(options: argparse.Namespace) -> int:
    """Run a validation, print its summary, and return 1 if a row is off."""
    start = time.perf_counter()
    validation = _statistics(options) if options.what == "statistics" else _generators(options)
    say(options, f"{validation.summary()}\nseed {options.seed}, {time.perf_counter() - start:.0f} s -> {options.out}")
    return 1 if validation.off() else 0


def _statistics(options: argparse.Namespace) -> Validation:
    from .statistics import validate_statistics

    return validate_statistics(
        options.out,
        seed=options.seed,
        quick=options.quick,
        jobs=jobs_of(options),
        quiet=options.quiet,
        overwrite=options.overwrite,
    )


def _generators(options: argparse.Namespace) -> Validation:
    from .generators import validate_generators
    from .samples import parse_sample

    jobs, files = jobs_of(options), {}
    for text in options.sample:
        name, path, normalisation = parse_sample(text)
        if name in files:
            raise ValueError(f"sample = {text!r}, {name} is given twice")
        files[name] = path, normalisation
    return validate_generators(
        options.out,
        seed=options.seed,
        quick=options.quick,
        files=files,
        jobs=jobs,
        quiet=options.quiet,
        overwrite=options.overwrite,
    )
