"""The page of the documentation: what is held against what, all rows, and the effect of each ingredient."""

from pathlib import Path

from ...arrays import Floats
from ..comparison import comparison_lines
from ..run import Validation
from .ingredient_effects import QUANTITIES, Effect, effect_lines

_WORDS = """\
Written by `besfast validate detector`, which also draws the figures and writes everything as CSV. Each row holds a
number of the simulated and reconstructed detector beside another one. `published` numbers are judged: within the
tolerance and three statistical errors they are good, else off. `computed` numbers are of another calculation, judged
where a tolerance stands. `estimated` ones come from general experience and are reported. An `input` is a number that
set a parameter of the card: that it comes out again proves nothing. Errors are statistical, from the scatter of 25
parts of a sample or binomial."""
_EFFECTS = """\
What each part of the simulation changes, on the same random numbers: with it minus without it, and the statistical
error of the difference, which is small because both see the same events. Yields change relative to the yield with
everything; the first row is the value with everything (yields in percent of the generated events)."""


def write_page(path: Path, validation: Validation, effects: tuple[Floats, list[Effect]] | None, title: str) -> None:
    """Write the page."""
    lines = [f"# {title}", "", _WORDS, "", *comparison_lines(validation.rows)]
    if effects is not None:
        lines += ["", "## Effect of each ingredient", "", _EFFECTS, ""]
        lines += [f"- `{q.name.replace('_', ' ')}` [{q.unit}]: {q.sentence}" for q in QUANTITIES]
        lines += ["", *effect_lines(*effects), "", "Without them:", ""]
        lines += [
            f"- {one.ingredient.name}: {one.ingredient.sentence} ({', '.join(map(_key, one.ingredient.without))})"
            for one in effects[1]
        ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _key(key: str) -> str:
    return f"`{key}`"
