"""Lateral shapes of showers: E3x3 / E5x5 and the second moment."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..arrays import Floats, Ints
from ..elementary import exp
from ..geometry.sections import Card
from ..kernel import kernel, stage


class ShapeParameters(NamedTuple):
    """Constants of one class of showers."""

    outside: float
    outside_width: float
    second_moment: float
    second_moment_width: float
    correlation: float
    rest: float


@lru_cache(maxsize=16)
def shape_parameters(card: Card) -> tuple[ShapeParameters, ShapeParameters, ShapeParameters]:
    """Return the constants of electromagnetic, minimum-ionising and hadronic showers."""
    shape = card.emc.shape
    smear = 1.0 if card.emc.smear else 0.0
    rest = math.sqrt(max(1.0 - shape.correlation * shape.correlation, 0.0))
    electromagnetic, mip, hadronic = (
        ShapeParameters(
            shape.outside[i],
            smear * shape.outside_width[i],
            shape.second_moment[i],
            smear * shape.second_moment_width[i],
            shape.correlation,
            rest,
        )
        for i in range(3)
    )
    return electromagnetic, mip, hadronic


@kernel
def lateral_shape(g: float, h: float, constants: ShapeParameters) -> tuple[float, float]:
    """Return (E3x3 / E5x5, second moment [cm^2]) from two normals.

    1 - E3x3 / E5x5 = m exp(s g - s^2 / 2) of mean m, never above 1; the second moment is log-normal too and
    correlated. The second moment is sum E_i r_i^2 / sum E_i about the shower's centre.
    """
    s = constants.outside_width
    outside = min(constants.outside * exp(s * g - 0.5 * s * s), 1.0)
    k = constants.correlation * g + constants.rest * h
    return 1.0 - outside, constants.second_moment * exp(constants.second_moment_width * k)


@kernel
def shape_of(kind: np.int64, constants: tuple[ShapeParameters, ShapeParameters, ShapeParameters]) -> ShapeParameters:
    """Return the constants of a class."""
    first, second, third = constants
    return ShapeParameters(
        first.outside if kind == 0 else (second.outside if kind == 1 else third.outside),
        first.outside_width if kind == 0 else (second.outside_width if kind == 1 else third.outside_width),
        first.second_moment if kind == 0 else (second.second_moment if kind == 1 else third.second_moment),
        first.second_moment_width
        if kind == 0
        else (second.second_moment_width if kind == 1 else third.second_moment_width),
        first.correlation,
        first.rest,
    )


@stage
def shape_stage(
    kind: Ints,
    g: Floats,
    h: Floats,
    constants: tuple[ShapeParameters, ShapeParameters, ShapeParameters],
    ratio: Floats,
    moment: Floats,
) -> None:
    """Fill E3x3 / E5x5 and the second moment [cm^2] of showers of the given classes."""
    for i in range(np.uint64(g.size)):
        ratio[i], moment[i] = lateral_shape(g[i], h[i], shape_of(kind[i], constants))
