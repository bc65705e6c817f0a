"""What the formulas of the calorimeter need of a card."""

import math
from functools import lru_cache
from typing import NamedTuple

from ..geometry.calorimeter import EmcBarrel, EmcEndcap
from ..geometry.sections import Card
from .arithmetic import logarithm

_SQRT_LN4 = 1.1774100225154747


class EmcSide(NamedTuple):
    """Edges on one side: |z| [cm] of the barrel's edge and of the endcap, |cos theta| of the edges of crystals."""

    edge_z: float
    front_z: float
    cos_max: float
    usable_cos_max: float
    endcap_cos_min: float
    endcap_cos_max: float
    endcap_usable_min: float
    endcap_usable_max: float


class EmcRegion(NamedTuple):
    """Resolution of barrel or endcap, and the matter in front of it: radiation lengths and loss [GeV] along r or z."""

    noise: float
    stochastic: float
    constant: float
    fourth_root: bool
    position: float
    position_constant: float
    front_thickness: float
    front_loss: float


class EmcParameters(NamedTuple):
    """What the formulas need of a card; lengths [cm], energies [GeV]."""

    bz: float
    front_radius: float
    forward: EmcSide
    backward: EmcSide
    barrel: EmcRegion
    endcap: EmcRegion
    edge_factor: float
    crack_efficiency: float
    #: Novosibirsk line shape: asymmetry, and width of its logarithm.
    tail: float
    log_width: float
    smear: float
    front_lost: float


@lru_cache(maxsize=16)
def parameters(card: Card) -> EmcParameters:
    """Return the constants of a card."""
    emc, barrel, endcap = card.emc, card.emc.barrel, card.emc.endcap
    tail = emc.line_shape_tail
    argument = tail * _SQRT_LN4
    log_width = float(logarithm(argument + math.sqrt(argument * argument + 1.0))) / _SQRT_LN4
    forward = _side(
        barrel.front_radius,
        endcap.front_z,
        (barrel.cos_max, barrel.usable_cos_max),
        endcap.cos_range,
        endcap.usable_cos_range,
    )
    backward = _side(
        barrel.front_radius,
        endcap.backward_z or endcap.front_z,
        (barrel.backward_cos_max or barrel.cos_max, barrel.backward_usable_cos_max or barrel.usable_cos_max),
        endcap.backward_cos_range or endcap.cos_range,
        endcap.backward_usable_cos_range or endcap.usable_cos_range,
    )
    return EmcParameters(
        card.field.bz,
        barrel.front_radius,
        forward,
        backward,
        _region(barrel),
        _region(endcap),
        emc.edge_factor,
        emc.crack_efficiency,
        tail,
        log_width,
        1.0 if emc.smear else 0.0,
        1.0 - emc.front_returned,
    )


def _side(
    radius: float,
    front_z: float,
    barrel: tuple[float, float],
    endcap: tuple[float, float],
    usable: tuple[float, float],
) -> EmcSide:
    sine = math.sqrt(max(1.0 - barrel[0] * barrel[0], 1e-12))
    return EmcSide(radius * barrel[0] / sine, front_z, *barrel, *endcap, *usable)


def _region(part: EmcBarrel | EmcEndcap) -> EmcRegion:
    return EmcRegion(
        part.noise,
        part.stochastic,
        part.constant,
        part.exponent == 0.25,
        part.position,
        part.position_constant,
        part.front_thickness,
        part.front_loss,
    )
