"""The verb `validate` of the command line."""

import argparse
import time

from ..verb import jobs_of, say
from .run import Validation


def validate(options: argparse.Namespace) -> int:
    """Run a validation, print its summary, and return 1 if a row is off."""
    start = time.perf_counter()
    if options.what == "backgrounds":
        _backgrounds(options)
        return 0
    validation = {"statistics": _statistics, "detector": _detector, "generators": _generators}[options.what](options)
    say(options, f"{validation.summary()}\nseed {options.seed}, {time.perf_counter() - start:.0f} s -> {options.out}")
    return 1 if validation.off() else 0


def _backgrounds(options: argparse.Namespace) -> None:
    """Write the table of what the search neglects, and print it."""
    from ..analysis.search_card import load_search
    from ..checks import check_output_folder
    from ..exchange import read_truth
    from ..geometry.card import load_card
    from ..results import write_folder
    from .background_report import write_backgrounds
    from .backgrounds import neglected_backgrounds

    start, search = time.perf_counter(), load_search(options.search)
    target = check_output_folder(options.out, overwrite=options.overwrite)
    card = load_card(options.card or search.card)
    hadronic = None
    if options.hadrons is not None:
        given = {} if options.cross_section is None else {"cross_section": options.cross_section}
        hadronic = read_truth(options.hadrons, **given)
    rows = neglected_backgrounds(card, search, options.events, options.seed, jobs_of(options), hadronic)
    title = f"Backgrounds that search {search.name} neglects, card {card.name}, seed {options.seed}"
    write_folder(target, options.overwrite, lambda folder: write_backgrounds(folder / "backgrounds", rows, title))
    for row in rows:
        say(options, f"{row.process:14s} {row.channel:5s} {row.verdict}")
    say(options, f"seed {options.seed}, {time.perf_counter() - start:.0f} s -> {options.out}")


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


def _detector(options: argparse.Namespace) -> Validation:
    from .detector.validate import validate_detector

    return validate_detector(
        options.out,
        options.card,
        targets=options.targets,
        seed=options.seed,
        quick=options.quick,
        ingredients=not options.no_ingredients,
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
