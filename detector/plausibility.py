"""What in a card is allowed, yet looks like a mistake."""

from collections.abc import Iterator
from itertools import pairwise

from ..geometry.sections import Card
from .implications import chamber_acceptance, emc_resolution, pt_resolution

#: Resolutions beyond which no detector of this kind was built: worst and best.
_PT_RESOLUTION = (5e-4, 0.05)
_EMC_RESOLUTION = (5e-3, 0.15)
_TOF_SIGMA = (0.005, 0.5)


def suspicions(card: Card) -> list[str]:
    """Return a sentence for each suspicious value or pair of values of a card."""
    return [*_order(card), *_beams(card), *_conventions(card), *_resolutions(card)]


def _order(card: Card) -> Iterator[str]:
    """Subdetectors from the inside outwards."""
    mdc, barrel = card.mdc, card.emc.barrel
    radii = [
        ("mdc.gas_inner", mdc.gas_inner),
        ("mdc.layers[0].radius", mdc.layers[0].radius),
        (f"mdc.layers[{len(mdc.layers) - 1}].radius", mdc.layers[-1].radius),
        ("mdc.gas_outer", mdc.gas_outer),
        ("tof.barrel.radius", card.tof.barrel.radius),
        ("emc.barrel.front_radius", barrel.front_radius),
        ("coil.r_outer", card.coil.r_outer),
        ("muc.barrel.gaps[0]", card.muc.barrel.gaps[0]),
    ]
    for (inner, below), (outer, above) in pairwise(radii):
        if below > above:
            yield f"{outer} = {above:g} cm is inside {inner} = {below:g} cm"
    shells = sorted(card.material, key=lambda shell: shell.r_inner)
    for one, other in pairwise(shells):
        if other.r_inner < one.r_outer * (1.0 - 1e-9):
            yield f"material {other.name!r} begins at {other.r_inner:g} cm, inside {one.name!r} to {one.r_outer:g} cm"
    for shell in card.material:
        if shell.r_outer - shell.r_inner > 0.2 * shell.radiation_length:
            yield f"material {shell.name!r} has {(shell.r_outer - shell.r_inner) / shell.radiation_length:.2f} X0"


def _beams(card: Card) -> Iterator[str]:
    beam = card.beam
    if beam.energy_spread > 0.01 * beam.sqrt_s:
        yield f"beam.energy_spread = {beam.energy_spread:g} GeV is above 1 % of sqrt_s"
    if beam.spot[2] > card.reconstruction.track_z_max / 3.0:
        yield f"beam.spot[2] = {beam.spot[2]:g} cm: good tracks end at reconstruction.track_z_max = " + (
            f"{card.reconstruction.track_z_max:g} cm"
        )


def _conventions(card: Card) -> Iterator[str]:
    mdc, emc = card.mdc, card.emc
    low, high = chamber_acceptance(card)
    if card.reconstruction.track_cos_max > max(-low, high) + 1e-3:
        yield f"reconstruction.track_cos_max = {card.reconstruction.track_cos_max:g}, the chamber ends at " + (
            f"{low:.3f} and {high:.3f}"
        )
    if mdc.min_hits > len(mdc.layers):
        yield f"mdc.min_hits = {mdc.min_hits} of {len(mdc.layers)} layers: no tracks"
    if mdc.hit_efficiency < 0.8:
        yield f"mdc.hit_efficiency = {mdc.hit_efficiency:g}, usually above 0.9"
    for name, threshold in (("barrel", emc.barrel.threshold), ("endcap", emc.endcap.threshold)):
        if threshold < emc.cluster_threshold:
            yield f"emc.{name}.threshold = {threshold:g} GeV is below emc.cluster_threshold = {emc.cluster_threshold:g}"
    if emc.barrel.usable_cos_max > emc.barrel.cos_max:
        yield f"emc.barrel.usable_cos_max = {emc.barrel.usable_cos_max:g} is beyond cos_max = {emc.barrel.cos_max:g}"
    if emc.endcap.cos_range[0] < emc.barrel.cos_max:
        yield f"emc.endcap.cos_range begins at {emc.endcap.cos_range[0]:g}, inside the barrel to {emc.barrel.cos_max:g}"


def _resolutions(card: Card) -> Iterator[str]:
    track = pt_resolution(card, 1.0)
    if not _PT_RESOLUTION[0] <= track <= _PT_RESOLUTION[1]:
        yield f"sigma(pt)/pt = {100.0 * track:.3g} % at 1 GeV, 90 degrees"
    shower = emc_resolution(card, 1.0, 0.0)
    if not _EMC_RESOLUTION[0] <= shower <= _EMC_RESOLUTION[1]:
        yield f"sigma(E)/E = {100.0 * shower:.3g} % at 1 GeV in the barrel"
    for name, sigma in (("barrel", card.tof.barrel.sigma), ("endcap", card.tof.endcap.sigma)):
        if not _TOF_SIGMA[0] <= sigma <= _TOF_SIGMA[1]:
            yield f"tof.{name}.sigma = {sigma:g} ns: times are in ns"
