"""What a validation is made of: checks that can be run in any order, each giving rows of a table and curves to draw."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..arrays import Floats
from ..rng import derive_seed
from .comparison import Comparison

#: What the samples of a quick validation are divided by.
_QUICK = 8


class Settings(NamedTuple):
    """How a validation is run."""

    seed: int
    quick: bool = False

    def size(self, n: int) -> int:
        """Return the number of events or trials in place of n: fewer if quick."""
        return n // _QUICK if self.quick else n

    def seed_of(self, *names: str) -> int:
        """Return an independent seed for a named sample."""
        return derive_seed(self.seed, "validation", *names)


class Panel(NamedTuple):
    """Axes of a figure, with the ratio of all its curves to their references below."""

    figure: str
    title: str
    x_label: str
    y_label: str
    logarithmic: bool = False
    #: Whether x is drawn logarithmically, and the range of a linear y: None, from zero to what there is.
    logarithmic_x: bool = False
    y_range: tuple[float, float] | None = None


class Curve(NamedTuple):
    """One quantity of ours beside its reference, per bin of x; all arrays have one entry per bin, except `edges`."""

    panel: Panel
    label: str
    edges: Floats
    value: Floats
    error: Floats
    reference: Floats
    reference_error: Floats


class Plot(NamedTuple):
    """Axes of a figure for lines that are not compared bin by bin; y in `wanted` is what is asked for."""

    figure: str
    title: str
    x_label: str
    y_label: str
    logarithmic: bool = False
    y_range: tuple[float, float] | None = None
    wanted: tuple[float, float] | None = None
    #: Values of y to mark.
    levels: tuple[float, ...] = ()


class Line(NamedTuple):
    """Points (x, y) with errors, or a line where `error` is None; those of one plot and label belong together."""

    plot: Plot
    label: str
    x: Floats
    y: Floats
    error: Floats | None = None
    dashed: bool = False


class Result(NamedTuple):
    """What a check found."""

    rows: list[Comparison]
    curves: list[Curve]
    lines: Sequence[Line] = ()


class Check(NamedTuple):
    """A check: where its rows belong, what it is, and what runs it."""

    topic: str
    name: str
    run: Callable[[], Result]
