"""Muon counter: how much iron a particle crosses, and what the counter shows of it.

A particle reaches a gap if its momentum is above the smallest one that does (energy lost in scintillator, crystals,
coil and iron, by the mean energy loss), if it did not interact before (hadrons), and if the gap is long enough.
Bending in the return field and the loss of direction by scattering are left out.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..arrays import Floats, Keys
from ..constants import HYPOTHESIS_MASSES, PI, PION
from ..elementary import exp, log, split_index
from ..geometry.sections import Card
from ..geometry.subdetectors import MucRegion
from ..kernel import kernel, stage
from ..rng import MUC_STREAM, normal2, uniform, uniform53, words
from .arithmetic import exponential, logarithm
from .material import ALUMINIUM, CAESIUM_IODIDE, IRON, SCINTILLATOR, Material, stopping_power

#: Gaps of a region of the table; cards have at most so many.
MAX_GAPS = 10
# The table is two regions (barrel, endcap); a region is gap positions, iron in front, then per hypothesis and path
# factor the smallest momenta that reach the gaps.
_GAPS = np.uint64(MAX_GAPS)
_FACTORS = 8
_FACTOR_STEP = 0.1
_HYPOTHESIS = np.uint64(_FACTORS * MAX_GAPS)
_HEADER = np.uint64(2 * MAX_GAPS)
_REGION = np.uint64(2 * MAX_GAPS + 5 * _FACTORS * MAX_GAPS)
_ZERO = np.uint64(0)
_NEVER = 1e9
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
def _path(cosine: float, constants: MucParameters) -> tuple[np.uint64, float, float, float]:
    """Return (start of the region in the table, path per depth, distance across per distance along, extent)."""
    c = min(abs(cosine), 0.9999)
    s = math.sqrt(1.0 - c * c)
    barrel = c < constants.barrel_cos_max
    return (
        _ZERO if barrel else _REGION,
        1.0 / s if barrel else 1.0 / c,
        c / s if barrel else s / c,
        constants.barrel_extent if barrel else constants.endcap_extent,
    )


@kernel
def momentum_to_reach(
    gap: np.uint64, hypothesis: np.uint64, region: np.uint64, path_factor: float, table: Floats
) -> float:
    """Return the smallest momentum [GeV] of a hypothesis (0..4) that reaches a gap along path_factor x depth."""
    i, f = split_index(min(max((path_factor - 1.0) / _FACTOR_STEP, 0.0), _FACTORS - 1.001))
    at = region + _HEADER + hypothesis * _HYPOTHESIS + i * _GAPS + gap
    low: float = table[at]
    high: float = table[at + _GAPS]
    return low + f * (high - low)


@kernel
def response(
    p: float,
    cosine: float,
    hypothesis: np.uint64,
    g: float,
    u_interaction: float,
    u_leakage: float,
    u_hits: float,
    table: Floats,
    constants: MucParameters,
) -> tuple[float, float]:
    """Return (depth, layers): iron crossed [cm] up to the last layer hit, and the number of layers hit.

    Random inputs: a normal (straggling) and three uniforms: depth of the nuclear interaction, leakage of its
    secondaries, and hits, which needs 53 bits: it is used up step by step, u / eff after a hit and (u - eff) / (1 -
    eff) after a miss, exactly independent for any number of layers.
    """
    region, factor, across, extent = _path(cosine, constants)
    reach = p * (1.0 + constants.smear * constants.straggling * g)
    inside = -log(u_interaction) - constants.front_lengths * factor
    leak = -constants.leakage_length * log(max(u_leakage, 1e-300) / max(constants.leakage_fraction, 1e-300))
    leak = leak if u_leakage < constants.leakage_fraction else 0.0
    iron_path = inside * constants.iron_length + leak
    iron_path = iron_path if hypothesis >= np.uint64(PION) else _NEVER
    efficiency = constants.hit_efficiency
    miss = max(1.0 - efficiency, 1e-12)
    u = u_hits
    depth = 0.0
    layers = 0.0
    for k in range(MAX_GAPS):
        gap = np.uint64(k)
        iron = table[region + _GAPS + gap] * factor
        reached = reach > momentum_to_reach(gap, hypothesis, region, factor, table)
        reached = reached & (iron_path > iron) & (table[region + gap] * across < extent)
        hit = u < efficiency
        u = u / efficiency if hit else (u - efficiency) / miss
        seen = reached & hit
        depth = iron if seen else depth
        layers = layers + (1.0 if seen else 0.0)
    return depth, layers


@kernel
def _survival(iron: float, factor: float, constants: MucParameters) -> float:
    """Return the probability that a hadron or its secondaries get through iron [cm] and all that is in front."""
    lengths = constants.front_lengths * factor + iron / constants.iron_length
    leaks = constants.leakage_fraction * (1.0 - exp(-iron / constants.leakage_length))
    return min(exp(-lengths) * (1.0 + leaks), 1.0)


@kernel
def expected_depth(
    p: float, cosine: float, hypothesis: np.uint64, table: Floats, constants: MucParameters
) -> tuple[float, float]:
    """Return (mean, standard deviation) [cm] of the depth a hypothesis gives; the deviation is at least 2 cm.

    With P_k the probability to reach gap k at depth d_k: <d> = sum (d_k - d_{k-1}) P_k and <d^2> likewise. The turn-on
    of a gap is a ramp of the width of the straggling; an inefficient last layer adds to the deviation.
    """
    region, factor, across, extent = _path(cosine, constants)
    is_hadron = hypothesis >= np.uint64(PION)
    ramp = 1.0 / (3.0 * constants.straggling)
    mean, square, before, missed = 0.0, 0.0, 0.0, 0.0
    for k in range(MAX_GAPS):
        gap = np.uint64(k)
        iron = table[region + _GAPS + gap] * factor
        threshold = momentum_to_reach(gap, hypothesis, region, factor, table)
        reach = min(max((p / threshold - 1.0) * ramp + 0.5, 0.0), 1.0)
        reach = reach if table[region + gap] * across < extent else 0.0
        reach = reach * _survival(iron, factor, constants) if is_hadron else reach
        step = iron - before
        mean = mean + step * reach
        square = square + (iron * iron - before * before) * reach
        missed = missed + reach * (1.0 - reach) * step * step + (1.0 - constants.hit_efficiency) * step * step * reach
        before = iron
    variance = max(square - mean * mean, 0.0) + 0.3 * missed + 4.0
    return mean, math.sqrt(variance)


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
) -> None:
    """Fill depth [cm] (NaN outside the chambers) and layers hit (0 there); keyed by event and particle.

    `hypothesis` is the true kind of the particle (0..4, uint64); azimuth `phi` [rad] of the impact on the calorimeter.
    """
    for i in range(np.uint64(p.size)):
        a, b, c, d = words(k0, k1, event[i], particle[i], MUC_STREAM, np.uint64(0))
        e, f, _, _ = words(k0, k1, event[i], particle[i], MUC_STREAM, np.uint64(1))
        g, _ = normal2(a, b)
        crossed, hits = response(
            p[i], cosine[i], hypothesis[i], g, uniform(c), uniform(d), uniform53(e, f), table, constants
        )
        inside = covered(cosine[i], phi[i], constants)
        depth[i] = crossed if inside else math.nan
        layers[i] = hits if inside else 0.0


class _Range:
    """Range [cm] of a particle in a material against kinetic energy [GeV], by integration of the mean energy loss."""

    STEPS = 64
    LOW = 1e-3
    RATIO = 10000.0

    def __init__(self, material: Material, mass: float) -> None:
        step = float(logarithm(self.RATIO)) / self.STEPS
        kinetic = self.LOW * exponential(0.5 * step * np.arange(2 * self.STEPS + 1))
        per_log = kinetic / stopping_power(np.sqrt(kinetic * (kinetic + 2.0 * mass)) / mass, mass, material)
        cells = step * ((per_log[:-2:2] + 4.0 * per_log[1::2]) + per_log[2::2]) / 6.0
        self.energies = [float(energy) for energy in kinetic[::2]]
        self.lengths = [0.0]
        for cell in cells:
            self.lengths.append(self.lengths[-1] + float(cell))

    def before(self, kinetic: float, length: float) -> float:
        """Return the kinetic energy in front of some length, given the one behind."""
        return _interpolate(_interpolate(kinetic, self.energies, self.lengths) + length, self.lengths, self.energies)


def _interpolate(x: float, xs: list[float], ys: list[float]) -> float:
    i = 1
    while i < len(xs) - 1 and xs[i] < x:
        i += 1
    return ys[i - 1] + (x - xs[i - 1]) * (ys[i] - ys[i - 1]) / (xs[i] - xs[i - 1])


@lru_cache(maxsize=8)
def muc_table(card: Card) -> Floats:
    """Return the flat table of gaps and momentum thresholds that the formulas read."""
    table = np.full((2, int(_REGION)), _NEVER)
    table[:, MAX_GAPS : 2 * MAX_GAPS] = 0.0
    regions = ((card.muc.barrel, card.coil.aluminium, card.coil.steel), (card.muc.endcap, 0.0, 0.0))
    for hypothesis, mass in enumerate(HYPOTHESIS_MASSES):
        ranges = [_Range(m, mass) for m in (IRON, ALUMINIUM, CAESIUM_IODIDE, SCINTILLATOR)] if hypothesis else []
        for row, (region, aluminium, steel) in zip(table, regions):
            _fill_gaps(row, region)
            for j in range(_FACTORS) if ranges else ():
                _fill_thresholds(row, region, hypothesis, j, mass, (aluminium, steel), ranges)
    table.flags.writeable = False
    return table.reshape(-1)


def _fill_gaps(row: Floats, region: MucRegion) -> None:
    iron = 0.0
    for k, (position, thickness) in enumerate(zip(region.gaps, region.iron)):
        iron += thickness
        row[k] = position
        row[MAX_GAPS + k] = iron
    row[MAX_GAPS + len(region.gaps) : 2 * MAX_GAPS] = iron


def _fill_thresholds(
    row: Floats,
    region: MucRegion,
    hypothesis: int,
    j: int,
    mass: float,
    coil: tuple[float, float],
    ranges: list[_Range],
) -> None:
    """Fill the momenta that reach the gaps along the j-th path factor, from the stop backwards."""
    factor = 1.0 + _FACTOR_STEP * j
    aluminium, steel = coil
    thicknesses = (None, aluminium, region.crystal, region.scintillator)
    for k in range(len(region.gaps)):
        kinetic = _Range.LOW
        for layer, thickness in zip(ranges, thicknesses):
            length = float(row[MAX_GAPS + k]) + steel if thickness is None else thickness
            kinetic = layer.before(kinetic, length * factor)
        at = 2 * MAX_GAPS + (hypothesis * _FACTORS + j) * MAX_GAPS + k
        row[at] = math.sqrt(kinetic * (kinetic + 2.0 * mass))
