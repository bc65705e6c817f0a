"""The verb `validate` of the command line."""

import argparse
import time

from ..verb import jobs_of, say


def validate(options: argparse.Namespace) -> int:
    """Run a validation, print its summary, and return 1 if a row is off."""
    from .generators import validate_generators
    from .samples import parse_sample

    start, jobs, files = time.perf_counter(), jobs_of(options), {}
    for text in options.sample:
        name, path, normalisation = parse_sample(text)
        if name in files:
            raise ValueError(f"sample = {text!r}, {name} is given twice")
        files[name] = path, normalisation
    validation = validate_generators(
        options.out,
        seed=options.seed,
        quick=options.quick,
        files=files,
        jobs=jobs,
        quiet=options.quiet,
        overwrite=options.overwrite,
    )
    say(options, f"{validation.summary()}\nseed {options.seed}, {time.perf_counter() - start:.0f} s -> {options.out}")
    return 1 if validation.off() else 0
