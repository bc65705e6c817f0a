"""`besfast validate detector`: guns and channels through a card, as tables and figures in a folder."""

from pathlib import Path

from ...checks import check_output_folder
from ...geometry.card import Card, load_card
from ...pipeline import default_jobs
from ...rng import check_seed
from ..check import Check, Settings
from ..run import Validation, run_checks, write_validation
from . import calorimeter, channels, covariance, identification, material, misidentification, momentum, symmetry
from .bench import Bench
from .ingredient_effects import ingredient_effects, write_effects
from .page import write_page
from .targets import Targets

_TOPICS = (momentum, symmetry, covariance, material, identification, calorimeter, misidentification, channels)


def all_checks(bench: Bench) -> list[Check]:
    """Return every check of the detector."""
    return [check for topic in _TOPICS for check in topic.checks(bench)]


def validate_detector(
    out: str | Path,
    card: Card | str | Path = "besiii",
    *,
    targets: str | None = None,
    seed: int = 1,
    quick: bool = False,
    ingredients: bool = True,
    jobs: int | None = None,
    quiet: bool = True,
    overwrite: bool = False,
) -> Validation:
    """Run the validation of a simulated detector and write its folder.

    Parameters
    ----------
    out
        Folder to write: comparisons.csv and .md, ingredients.csv, the page detector_validation.md, and figures as PNG
        and PDF.
    card
        The detector.
    targets
        Name of the card whose published numbers it is held against; None: its own.
    seed
        0 <= seed < 2**64.
    quick
        Whether samples are eight times smaller: the same tolerances, larger errors.
    ingredients
        Whether the detector is also measured without each of its ingredients.
    jobs
        Threads; None: the processors of this process.
    quiet, overwrite
        No progress bar; replace an existing folder.

    Raises
    ------
    FileExistsError, FileNotFoundError, PermissionError
        If the folder cannot be written.
    ValueError
        If the card, the seed or the number of jobs is not allowed.
    """
    target = check_output_folder(out, overwrite=overwrite)
    card = load_card(card)
    bench = Bench(card, Targets(targets or card.name), Settings(check_seed(seed), quick))
    jobs = default_jobs() if jobs is None else jobs
    validation = run_checks(all_checks(bench), jobs=jobs, quiet=quiet)
    title = f"Validation of the detector, card {card.name}, seed {seed}{', quick' if quick else ''}"
    effects = ingredient_effects(bench, jobs) if ingredients else None

    def more(folder: Path) -> None:
        if effects is not None:
            write_effects(folder / "ingredients", *effects, title)
        write_page(folder / "detector_validation.md", validation, effects, title)

    write_validation(target, validation, title, overwrite, more)
    return validation
