"""Muon counter: how much iron a particle crosses, and what the counter shows of it.

A particle reaches a gap if its momentum is above the smallest one that does (energy lost in scintillator, crystals,
coil and iron, by the mean energy loss), if it did not interact before (hadrons), and if the gap is long enough. How far
the hits are from the extrapolated track is a second measurement: scattering, strips, and the spread of secondaries.
Bending in the return field and the loss of direction by scattering are left out.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..arrays import Floats, Keys
from ..constants import M_MU, PI, PION
from ..elementary import log, split_index
from ..geometry.sections import Card
from ..kernel import kernel, stage
from ..rng import MUC_STREAM, normal2, uniform, uniform53, words
from .muc_table import FACTOR_STEP, FACTORS, GAPS, HEADER, HYPOTHESIS, MAX_GAPS, NEVER, REGION

_STEEPEST = 0.9999
_M2 = M_MU * M_MU
FIRST_HADRON = np.uint64(PION)
#: Of barrel and endcap: position, iron in front, iron in front of the gap before [cm].
Gap = tuple[tuple[float, float, float], tuple[float, float, float]]
_ZERO = np.uint64(0)
_MAGIC = 6755399441055744.0  # adding it rounds to an integer


class MucParameters(NamedTuple):
    """What the formulas need of a card; lengths [cm]."""

    barrel_extent: float
    barrel_cos_min: float
    barrel_cos_max: float
    endcap_extent: float
    endcap_cos_min: float
    endcap_cos_max: float
    hit_efficiency: float
    crack_fraction: float
    straggling: float
    front_lengths: float
    iron_length: float
    leakage_fraction: float
    leakage_length: float
    smear: float
    track_efficiency: float
    strip_variance: float
    match_scattering: float
    leakage_variance: float
    #: 1 / (sqrt(2) straggling).
    per_straggling: float


@lru_cache(maxsize=16)
def parameters(card: Card) -> MucParameters:
    """Return the constants of a card."""
    muc = card.muc
    return MucParameters(
        muc.barrel.extent,
        *muc.barrel.cos_range,
        muc.endcap.extent,
        *muc.endcap.cos_range,
        muc.hit_efficiency,
        muc.crack_fraction,
        muc.straggling,
        muc.front_interaction_lengths,
        muc.iron_interaction_length,
        muc.leakage_fraction,
        muc.leakage_length,
        1.0 if muc.smear else 0.0,
        muc.track_efficiency,
        muc.strip_resolution * muc.strip_resolution,
        muc.match_scattering,
        muc.leakage_spread * muc.leakage_spread,
        math.sqrt(0.5) / muc.straggling,
    )


@kernel
def covered(cosine: float, phi: float, constants: MucParameters) -> bool:
    """Return whether a direction meets chambers: |cos theta| of a region, azimuth [rad] away from octant borders."""
    c = abs(cosine)
    barrel = (c >= constants.barrel_cos_min) & (c < constants.barrel_cos_max)
    endcap = (c >= constants.endcap_cos_min) & (c < constants.endcap_cos_max)
    octant = phi * (4.0 / PI)
    off = abs(octant - ((octant + _MAGIC) - _MAGIC))
    return (barrel | endcap) & (off <= 0.5 * (1.0 - constants.crack_fraction))


@kernel
def region_path(cosine: float, constants: MucParameters) -> tuple[np.uint64, float, float]:
    """Return (start of the region in the table, path per depth, distance across per distance along)."""
    c = min(abs(cosine), _STEEPEST)
    s = math.sqrt(1.0 - c * c)
    barrel = c < constants.barrel_cos_max
    return (_ZERO if barrel else REGION, 1.0 / s if barrel else 1.0 / c, c / s if barrel else s / c)


@stage
def path_stage(
    cosine: Floats, constants: MucParameters, node: Keys, fraction: Floats, factor: Floats, across: Floats
) -> None:
    """Fill where a track's thresholds stand in the table, and how it crosses the iron (see `region_path`)."""
    for i in range(np.uint64(cosine.size)):
        region, factor[i], across[i] = region_path(cosine[i], constants)
        step, fraction[i] = split_index(min(max((factor[i] - 1.0) / FACTOR_STEP, 0.0), FACTORS - 1.001))
        node[i] = region + HEADER + step * GAPS


@stage
def threshold_stage(table: Floats, node: Keys, fraction: Floats, place: np.uint64, threshold: Floats) -> None:
    """Fill the smallest momenta [GeV] that reach a gap: those at a place behind the node."""
    for i in range(np.uint64(threshold.size)):
        at = node[i] + place
        threshold[i] = table[at] + fraction[i] * (table[at + GAPS] - table[at])


@kernel
def gap_crossed(
    cosine: float, factor: float, across: float, gap: Gap, constants: MucParameters
) -> tuple[float, float, bool]:
    """Return (iron crossed up to a gap, up to the one before [cm], whether the gap is long enough)."""
    barrel = min(abs(cosine), _STEEPEST) < constants.barrel_cos_max
    position, iron, before = gap[0] if barrel else gap[1]
    extent = constants.barrel_extent if barrel else constants.endcap_extent
    return iron * factor, before * factor, position * across < extent


@kernel
def gap_of(number: int, table: Floats) -> Gap:
    """Return (position, iron in front, iron in front of the gap before) in barrel and endcap."""
    gap, back, kept = np.uint64(number), np.uint64(max(number - 1, 0)), 1.0 if number > 0 else 0.0
    return (
        (table[gap], table[GAPS + gap], kept * table[GAPS + back]),
        (table[REGION + gap], table[REGION + GAPS + gap], kept * table[REGION + GAPS + back]),
    )


@stage
def draw_stage(
    k0: np.uint64,
    k1: np.uint64,
    event: Keys,
    particle: Keys,
    constants: MucParameters,
    factor: Floats,
    straggling: Floats,
    iron_path: Floats,
    u_hits: Floats,
    primary: Floats,
) -> None:
    """Draw the relative change of the momentum that straggling stands for, the iron [cm] a hadron gets through, hits.

    The depth of the nuclear interaction is exponential (`primary`); its secondaries leak further with some probability
    (`iron_path`). The hits need 53 bits, see `pass_gap_stage`; a track whose hits are not found has no momentum.
    """
    for i in range(np.uint64(event.size)):
        a, b, c, d = words(k0, k1, event[i], particle[i], MUC_STREAM, np.uint64(0))
        e, f, _, _ = words(k0, k1, event[i], particle[i], MUC_STREAM, np.uint64(1))
        g, _ = normal2(a, b)
        u = uniform(d)
        inside = -log(uniform(c)) - constants.front_lengths * factor[i]
        leak = -constants.leakage_length * log(max(u, 1e-300) / max(constants.leakage_fraction, 1e-300))
        leak = leak if u < constants.leakage_fraction else 0.0
        hits = uniform53(e, f) / constants.track_efficiency
        straggling[i] = 1.0 + constants.smear * constants.straggling * g if hits < 1.0 else 0.0
        primary[i] = inside * constants.iron_length
        iron_path[i] = primary[i] + leak
        u_hits[i] = hits


@stage
def kind_stage(hypothesis: Keys, p: Floats, node: Keys, reach: Floats, iron_path: Floats, primary: Floats) -> None:
    """Move to the thresholds of the true kind; scale the straggling to a momentum; leptons do not interact."""
    for i in range(np.uint64(p.size)):
        node[i] = node[i] + hypothesis[i] * HYPOTHESIS
        reach[i] = p[i] * reach[i]
        iron_path[i] = iron_path[i] if hypothesis[i] >= FIRST_HADRON else NEVER
        primary[i] = primary[i] if hypothesis[i] >= FIRST_HADRON else NEVER


@stage
def pass_gap_stage(
    cosine: Floats,
    factor: Floats,
    across: Floats,
    gap: Gap,
    constants: MucParameters,
    threshold: Floats,
    reach: Floats,
    iron_path: Floats,
    u: Floats,
    depth: Floats,
    layers: Floats,
) -> None:
    """Let particles pass a gap: reached and hit, it is the deepest layer so far.

    The uniform u is used up step by step, u / eff after a hit and (u - eff) / (1 - eff) after a miss: exactly
    independent for any number of layers.
    """
    efficiency = constants.hit_efficiency
    miss = max(1.0 - efficiency, 1e-12)
    for i in range(np.uint64(u.size)):
        iron, _, inside = gap_crossed(cosine[i], factor[i], across[i], gap, constants)
        hit = u[i] < efficiency
        u[i] = u[i] / efficiency if hit else (u[i] - efficiency) / miss
        seen = (reach[i] > threshold[i]) & (iron_path[i] > iron) & inside & hit
        depth[i] = iron if seen else depth[i]
        layers[i] = layers[i] + (1.0 if seen else 0.0)


@stage
def cover_stage(cosine: Floats, phi: Floats, constants: MucParameters, depth: Floats, layers: Floats) -> None:
    """Take away what is outside the chambers."""
    for i in range(np.uint64(cosine.size)):
        inside = covered(cosine[i], phi[i], constants)
        depth[i] = depth[i] if inside else math.nan
        layers[i] = layers[i] if inside else 0.0


@kernel
def match_variance(p: float, constants: MucParameters) -> float:
    """Return the variance [cm^2] of the distance between track and hits in one coordinate: strips and scattering.

    Multiple scattering displaces by d / (p beta), beta that of a muon of the momentum p [GeV] at the origin; what it
    loses on the way is left out.
    """
    p2 = p * p
    scattering = constants.match_scattering * constants.match_scattering * (p2 + _M2) / (p2 * p2)
    return constants.strip_variance + scattering


@stage
def residual_stage(
    k0: np.uint64,
    k1: np.uint64,
    event: Keys,
    particle: Keys,
    p: Floats,
    primary: Floats,
    depth: Floats,
    layers: Floats,
    constants: MucParameters,
    residual: Floats,
) -> None:
    """Fill distances [cm] between tracks and hits: two normal coordinates, wider for hits of secondaries.

    sqrt(-2 ln u) is the length of two standard normals.
    """
    for i in range(np.uint64(p.size)):
        a, b, _, _ = words(k0, k1, event[i], particle[i], MUC_STREAM, np.uint64(2))
        variance = match_variance(p[i], constants)
        variance = variance + (constants.leakage_variance if depth[i] > max(primary[i], 0.0) else 0.0)
        distance = constants.smear * math.sqrt(-2.0 * variance * log(uniform53(a, b)))
        residual[i] = distance if layers[i] > 0.0 else math.nan


@stage
def muc_stage(
    k0: np.uint64,
    k1: np.uint64,
    event: Keys,
    particle: Keys,
    p: Floats,
    cosine: Floats,
    phi: Floats,
    hypothesis: Keys,
    table: Floats,
    constants: MucParameters,
    depth: Floats,
    layers: Floats,
    residual: Floats,
) -> None:
    """Fill depth [cm] (NaN outside the chambers), layers hit (0 there), distance to the hits [cm] (NaN without).

    Keyed by event and particle. `hypothesis` is the true kind of the particle (0..4, uint64); azimuth `phi` [rad] of
    the impact on the calorimeter.
    """
    n = p.size
    node = np.empty(n, dtype=np.uint64)
    fraction, factor, across, threshold = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    reach, iron_path, u, primary = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    depth[:] = 0.0
    layers[:] = 0.0
    path_stage(cosine, constants, node, fraction, factor, across)
    draw_stage(k0, k1, event, particle, constants, factor, reach, iron_path, u, primary)
    kind_stage(hypothesis, p, node, reach, iron_path, primary)
    for k in range(MAX_GAPS):
        threshold_stage(table, node, fraction, np.uint64(k), threshold)
        gap = gap_of(k, table)
        pass_gap_stage(cosine, factor, across, gap, constants, threshold, reach, iron_path, u, depth, layers)
    cover_stage(cosine, phi, constants, depth, layers)
    residual_stage(k0, k1, event, particle, p, primary, depth, layers, constants, residual)
