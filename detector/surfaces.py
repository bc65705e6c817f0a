"""What a charged track crosses on its way out: layers that measure it and matter that scatters it."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..arrays import Floats
from ..geometry.sections import Card
from .arithmetic import tangent
from .material import thickness, touching_shells

#: Numbers of a surface in the flat table of `surface_table`.
FIELDS = 10


class Surface(NamedTuple):
    """A cylinder that measures (`variance` > 0) or scatters (`thickness` > 0).

    The wire (or strip) at the point crossed is `wire_phi` e_phi + `wire_z` e_z. A wire measures the distance of closest
    approach to it, a planar sensor the position on its surface. `thickness_in_log` [radiation lengths] is that of all
    matter that shares Highland's logarithm. `chamber` is 1 for layers of the drift chamber.
    """

    radius: float
    z_min: float
    z_max: float
    wire_phi: float = 0.0
    wire_z: float = 1.0
    variance: float = 0.0
    planar: float = 0.0
    thickness: float = 0.0
    thickness_in_log: float = 0.0
    chamber: float = 0.0


@lru_cache(maxsize=16)
def surfaces(card: Card) -> tuple[Surface, ...]:
    """Return the surfaces of a card, from the outside inwards.

    Hit efficiency enters as resolution^2 / efficiency. Shells that touch share one logarithm, as does the gas.
    """
    found = [*_chamber(card), *_silicon(card)]
    for group in touching_shells(card):
        total = sum(thickness(shell) for shell in group)
        for shell in group:
            radius, half = 0.5 * (shell.r_inner + shell.r_outer), shell.half_length
            found.append(Surface(radius, -half, half, thickness=thickness(shell), thickness_in_log=total))
    return tuple(sorted(found, key=lambda surface: -surface.radius))


@lru_cache(maxsize=16)
def surface_table(card: Card) -> Floats:
    """Return the surfaces as one flat read-only array, `FIELDS` numbers each."""
    table = np.array(surfaces(card), dtype=np.float64).reshape(-1)
    table.flags.writeable = False
    return table


def is_symmetric(card: Card) -> bool:
    """Return whether a rotation by pi about the x axis leaves the surfaces as they are."""
    return all(surface.z_min == -surface.z_max for surface in surfaces(card))


def _chamber(card: Card) -> list[Surface]:
    mdc, found = card.mdc, []
    sigma = mdc.hit_resolution * mdc.resolution_scale
    variance = sigma * sigma / mdc.hit_efficiency
    inner = mdc.gas_inner
    for number, layer in enumerate(mdc.layers):
        middle = mdc.z_centre + layer.z_shift
        ends = middle - layer.half_length, middle + layer.half_length
        if number not in mdc.dead_layers:
            found.append(Surface(layer.radius, *ends, tangent(layer.stereo), 1.0, variance, chamber=1.0))
        if layer.radius > inner:
            gas = (layer.radius - inner) / mdc.gas_radiation_length
            found.append(Surface(0.5 * (layer.radius + inner), *ends, thickness=gas))
            inner = layer.radius
    return found


def _silicon(card: Card) -> list[Surface]:
    """Return two measurements, along r phi and along z, and the matter of each layer of silicon."""
    found = []
    for layer in card.silicon:
        ends = layer.z_min, layer.z_max
        for wire_phi, wire_z, resolution in ((0.0, 1.0, layer.sigma_rphi), (1.0, 0.0, layer.sigma_z)):
            sigma = resolution * card.mdc.resolution_scale
            variance = sigma * sigma / layer.efficiency
            found.append(Surface(layer.radius, *ends, wire_phi, wire_z, variance, planar=1.0))
        if layer.thickness > 0.0:
            x = layer.thickness
            found.append(Surface(layer.radius, *ends, thickness=x, thickness_in_log=x))
    return found
