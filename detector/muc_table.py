"""The smallest momenta that reach the gaps of the muon counter, by integration of the mean energy loss."""

import math
from bisect import bisect_left
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
FACTORS = 16
FACTOR_STEP = 0.05
HYPOTHESIS = np.uint64(FACTORS * MAX_GAPS)
HEADER = np.uint64(2 * MAX_GAPS)
REGION = np.uint64(2 * MAX_GAPS + 5 * FACTORS * MAX_GAPS)
NEVER = 1e9


class _Range:
    """Range [cm] of a particle in a material against kinetic energy [GeV], by integration of the mean energy loss."""

    STEPS = 256
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
    i = min(max(bisect_left(xs, x), 1), len(xs) - 1)
    return ys[i - 1] + (x - xs[i - 1]) * (ys[i] - ys[i - 1]) / (xs[i] - xs[i - 1])


@lru_cache(maxsize=32)
def gap_momenta(card: Card, barrel: bool, hypothesis: int, factors: tuple[float, ...]) -> Floats:
    """Return the smallest momenta [GeV] of a hypothesis that reach the gaps of a region, shape (n_factors, n_gaps).

    From the stop backwards through iron, coil, crystals and scintillator, along paths of `factors` per depth.
    """
    region = card.muc.barrel if barrel else card.muc.endcap
    aluminium, steel = (card.coil.aluminium, card.coil.steel) if barrel else (0.0, 0.0)
    mass = HYPOTHESIS_MASSES[hypothesis]
    ranges = [_Range(material, mass) for material in (IRON, ALUMINIUM, CAESIUM_IODIDE, SCINTILLATOR)]
    momenta = np.empty((len(factors), len(region.gaps)))
    for row, factor in zip(momenta, factors):
        iron = steel
        for k, thickness in enumerate(region.iron):
            iron += thickness
            kinetic = _Range.LOW
            for layer, length in zip(ranges, (iron, aluminium, region.crystal, region.scintillator)):
                kinetic = layer.before(kinetic, length * factor)
            row[k] = math.sqrt(kinetic * (kinetic + 2.0 * mass))
    momenta.flags.writeable = False
    return momenta


@lru_cache(maxsize=8)
def muc_table(card: Card) -> Floats:
    """Return the flat table of gaps and momentum thresholds that the formulas read."""
    table = np.full((2, int(REGION)), NEVER)
    table[:, MAX_GAPS : 2 * MAX_GAPS] = 0.0
    factors = tuple(1.0 + FACTOR_STEP * j for j in range(FACTORS))
    for row, barrel in zip(table, (True, False)):
        region = card.muc.barrel if barrel else card.muc.endcap
        _fill_gaps(row, region)
        for hypothesis in range(1, len(HYPOTHESIS_MASSES)):  # electrons never get there
            momenta = gap_momenta(card, barrel, hypothesis, factors)
            for j in range(FACTORS):
                at = 2 * MAX_GAPS + (hypothesis * FACTORS + j) * MAX_GAPS
                row[at : at + len(region.gaps)] = momenta[j]
    table.flags.writeable = False
    return table.reshape(-1)


def _fill_gaps(row: Floats, region: MucRegion) -> None:
    iron = 0.0
    for k, (position, thickness) in enumerate(zip(region.gaps, region.iron)):
        iron += thickness
        row[k] = position
        row[MAX_GAPS + k] = iron
    row[MAX_GAPS + len(region.gaps) : 2 * MAX_GAPS] = iron
