"""The verb `validate` of the command line."""

import argparse
import time


def validate(options: argparse.Namespace) -> int:
    """Run a validation, print its summary, and return 1 if a row is off."""
    from .generators import validate_generators
    from .samples import parse_sample

    start = time.perf_counter()
    if options.jobs is not None and options.jobs < 1:
        raise ValueError(f"--jobs = {options.jobs}, must be at least 1")
    files = {}
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
        jobs=options.jobs,
        quiet=options.quiet,
        overwrite=options.overwrite,
    )
    if not options.quiet:
        seconds = time.perf_counter() - start
        print(f"{validation.summary()}\nseed {options.seed}, {seconds:.0f} s -> {options.out}")
    return 1 if validation.off() else 0
