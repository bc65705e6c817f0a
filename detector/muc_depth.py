"""The depth in the muon counter that is expected of a particle hypothesis.

Gap by gap: the loop that reads the table of thresholds cannot be vector code, everything else can.
"""

import math

import numpy as np

from ..arrays import Floats
from ..elementary import exp
from ..kernel import stage
from .muc import FIRST_HADRON, Gap, MucParameters, gap_crossed, gap_of, path_stage, threshold_stage
from .muc_table import HYPOTHESIS, MAX_GAPS


@stage
def reach_stage(
    p: Floats, cosine: Floats, across: Floats, gap: Gap, constants: MucParameters, threshold: Floats
) -> None:
    """Replace thresholds by the probability that the momentum suffices: a ramp as wide as the straggling."""
    ramp = 1.0 / (3.0 * constants.straggling)
    for i in range(np.uint64(p.size)):
        _, _, inside = gap_crossed(cosine[i], 1.0, across[i], gap, constants)
        reach = min(max((p[i] / threshold[i] - 1.0) * ramp + 0.5, 0.0), 1.0)
        threshold[i] = reach if inside else 0.0


@stage
def survive_stage(cosine: Floats, factor: Floats, gap: Gap, constants: MucParameters, reach: Floats) -> None:
    """Multiply by the probability that a hadron or its secondaries get through the iron and all that is in front."""
    for i in range(np.uint64(reach.size)):
        iron, _, _ = gap_crossed(cosine[i], factor[i], 0.0, gap, constants)
        lengths = constants.front_lengths * factor[i] + iron / constants.iron_length
        leaks = constants.leakage_fraction * (1.0 - exp(-iron / constants.leakage_length))
        reach[i] = reach[i] * min(exp(-lengths) * (1.0 + leaks), 1.0)


@stage
def add_gap_stage(
    cosine: Floats,
    factor: Floats,
    gap: Gap,
    constants: MucParameters,
    reach: Floats,
    mean: Floats,
    square: Floats,
    missed: Floats,
) -> None:
    """Add a gap to the sums of `expected_depth_stage`."""
    for i in range(np.uint64(reach.size)):
        iron, before, _ = gap_crossed(cosine[i], factor[i], 0.0, gap, constants)
        step = iron - before
        mean[i] = mean[i] + step * reach[i]
        square[i] = square[i] + (iron * iron - before * before) * reach[i]
        inefficient = (1.0 - constants.hit_efficiency) * step * step * reach[i]
        missed[i] = missed[i] + reach[i] * (1.0 - reach[i]) * step * step + inefficient


@stage
def deviation_stage(mean: Floats, square: Floats, missed: Floats, sigma: Floats) -> None:
    """Fill the standard deviations [cm] of the depth."""
    for i in range(np.uint64(mean.size)):
        variance = max(square[i] - mean[i] * mean[i], 0.0) + 0.3 * missed[i] + 4.0
        sigma[i] = math.sqrt(variance)


@stage
def expected_depth_stage(
    p: Floats,
    cosine: Floats,
    hypothesis: np.uint64,
    table: Floats,
    constants: MucParameters,
    mean: Floats,
    sigma: Floats,
) -> None:
    """Fill mean and standard deviation [cm] of the depth a hypothesis gives; the deviation is at least 2 cm.

    With P_k the probability to reach gap k at depth d_k: <d> = sum (d_k - d_{k-1}) P_k and <d^2> likewise. The turn-on
    of a gap is a ramp of the width of the straggling; an inefficient last layer adds to the deviation.
    """
    n = p.size
    node = np.empty(n, dtype=np.uint64)
    fraction, factor, across, reach = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    square, missed = np.zeros(n), np.zeros(n)
    mean[:] = 0.0
    path_stage(cosine, constants, node, fraction, factor, across)
    for k in range(MAX_GAPS):
        gap = gap_of(k, table)
        threshold_stage(table, node, fraction, hypothesis * HYPOTHESIS + np.uint64(k), reach)
        reach_stage(p, cosine, across, gap, constants, reach)
        if hypothesis >= FIRST_HADRON:
            survive_stage(cosine, factor, gap, constants, reach)
        add_gap_stage(cosine, factor, gap, constants, reach, mean, square, missed)
    deviation_stage(mean, square, missed, sigma)
