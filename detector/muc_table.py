"""The smallest momenta that reach the gaps of the muon counter, by integration of the mean energy loss."""

import math
from functools import lru_cache

import numpy as np

from ..arrays import Floats
from ..constants import HYPOTHESIS_MASSES
from ..geometry.sections import Card
from ..geometry.subdetectors import MucRegion
from .arithmetic import exponential, logarithm
from .material import ALUMINIUM, CAESIUM_IODIDE, IRON, SCINTILLATOR, Material, stopping_power

#: Gaps of a region of the table; cards have at most so many.
MAX_GAPS = 10
# The table is two regions (barrel, endcap); a region is gap positions, iron in front, then per hypothesis and path
# factor the smallest momenta that reach the gaps.
GAPS = np.uint64(MAX_GAPS)
FACTORS = 8
FACTOR_STEP = 0.1
HYPOTHESIS = np.uint64(FACTORS * MAX_GAPS)
HEADER = np.uint64(2 * MAX_GAPS)
REGION = np.uint64(2 * MAX_GAPS + 5 * FACTORS * MAX_GAPS)
NEVER = 1e9


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
    table = np.full((2, int(REGION)), NEVER)
    table[:, MAX_GAPS : 2 * MAX_GAPS] = 0.0
    regions = ((card.muc.barrel, card.coil.aluminium, card.coil.steel), (card.muc.endcap, 0.0, 0.0))
    for hypothesis, mass in enumerate(HYPOTHESIS_MASSES):
        ranges = [_Range(m, mass) for m in (IRON, ALUMINIUM, CAESIUM_IODIDE, SCINTILLATOR)] if hypothesis else []
        for row, (region, aluminium, steel) in zip(table, regions):
            _fill_gaps(row, region)
            for j in range(FACTORS) if ranges else ():
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
    factor = 1.0 + FACTOR_STEP * j
    aluminium, steel = coil
    thicknesses = (None, aluminium, region.crystal, region.scintillator)
    for k in range(len(region.gaps)):
        kinetic = _Range.LOW
        for layer, thickness in zip(ranges, thicknesses):
            length = float(row[MAX_GAPS + k]) + steel if thickness is None else thickness
            kinetic = layer.before(kinetic, length * factor)
        at = 2 * MAX_GAPS + (hypothesis * FACTORS + j) * MAX_GAPS + k
        row[at] = math.sqrt(kinetic * (kinetic + 2.0 * mass))
