"""The deviates of one system of the identification after the other, for a block of tracks and all hypotheses.

Each fills the first tracks of the five rows of a scratch of 5 x `BLOCK` numbers; NaN where nothing was measured.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ..constants import ELECTRON, HYPOTHESIS_MASSES, KAON, MUON, PION, PROTON
from ..detector import dedx, muc, tof
from ..detector.muc_quantile import depth_stage
from ..detector.quantile import tail_stage, upper_quantile
from ..event import Floats
from ..kernel import BLOCK, stage

N_HYPOTHESES = len(HYPOTHESIS_MASSES)
#: What is rarer than this in the muon counter is noise, hits of other tracks: beyond the model.
_RARE = 1e-4


@stage
def relative_sigma_stage(
    cosine: Floats, n_hits: NDArray[np.int32], constants: dedx.DedxParameters, sigma: Floats
) -> None:
    """Fill the relative resolution of dE/dx."""
    for i in range(np.uint64(cosine.size)):
        sine = math.sqrt(max(1.0 - cosine[i] * cosine[i], 1e-12))
        sigma[i] = dedx.relative_sigma(float(n_hits[i]), sine, constants)


@stage
def dedx_chi_stage(
    p: Floats, relative_sigma: Floats, measured: Floats, mass: float, constants: dedx.DedxParameters, chi: Floats
) -> None:
    """Fill chi of dE/dx under one hypothesis."""
    for i in range(np.uint64(p.size)):
        expected = dedx.expected_dedx(p[i], mass, constants)
        chi[i] = (measured[i] - expected) / (relative_sigma[i] * expected)


@stage
def ionisation_stage(
    p: Floats,
    cosine: Floats,
    n_hits: NDArray[np.int32],
    measured: Floats,
    constants: dedx.DedxParameters,
    tails: Floats,
    sigma: Floats,
    s: Floats,
) -> None:
    """Fill the deviates of dE/dx: its normal core and high tail as one distribution."""
    n = p.size
    relative_sigma_stage(cosine, n_hits, constants, sigma[:n])
    for h in range(N_HYPOTHESES):
        row = s[h * BLOCK : h * BLOCK + n]
        dedx_chi_stage(p, sigma[:n], measured, HYPOTHESIS_MASSES[h], constants, row)
        if constants.tail_fraction > 0.0:
            tail_stage(tails, row)


@stage
def tof_chi_stage(
    p: Floats, path: Floats, time: Floats, sigma: Floats, mass: float, constants: tof.TofParameters, chi: Floats
) -> None:
    """Fill chi of the time of flight under one hypothesis."""
    heavy = tof.is_heavy(mass)
    for i in range(np.uint64(p.size)):
        width = tof.heavy_sigma(sigma[i], constants) if heavy else sigma[i]
        chi[i] = (time[i] - constants.time_offset - tof.expected_time(path[i], p[i], mass)) / width


@stage
def time_stage(p: Floats, path: Floats, time: Floats, sigma: Floats, constants: tof.TofParameters, s: Floats) -> None:
    """Fill the deviates of the time of flight."""
    n = p.size
    for h in range(N_HYPOTHESES):
        tof_chi_stage(p, path, time, sigma, HYPOTHESIS_MASSES[h], constants, s[h * BLOCK : h * BLOCK + n])


@stage
def match_stage(p: Floats, residual: Floats, constants: muc.MucParameters, match: Floats) -> None:
    """Fill chi2 of the distance between track and hits; NaN without hits."""
    for i in range(np.uint64(p.size)):
        match[i] = residual[i] * residual[i] / muc.match_variance(p[i], constants)


@stage
def muc_chi_stage(
    p: Floats, cosine: Floats, depth: Floats, upper: Floats, reach: tuple[float, float], chi: Floats
) -> None:
    """Fill the deviate of an upper tail; NaN outside the chambers, and where they do not identify particles."""
    for i in range(np.uint64(p.size)):
        inside = (p[i] > reach[0]) & (abs(cosine[i]) < reach[1]) & (depth[i] >= 0.0)
        chi[i] = upper_quantile(min(max(upper[i], _RARE), 1.0 - _RARE)) if inside else math.nan


@stage
def muon_stage(
    p: Floats,
    cosine: Floats,
    depth: Floats,
    residual: Floats,
    reach: tuple[float, float],
    curves: Floats,
    constants: muc.MucParameters,
    out: tuple[Floats, Floats],
    tails: Floats,
    s: Floats,
) -> None:
    """Fill the deviates of the muon counter, chi2 of the match, and the fraction of muons that get no deeper.

    All but muons share the pion's deviate.
    """
    n = p.size
    match, fraction = out
    match_stage(p, residual, constants, match)
    muon, pion = s[MUON * BLOCK : MUON * BLOCK + n], s[PION * BLOCK : PION * BLOCK + n]
    depth_stage(p, cosine, depth, residual, curves, constants, tails)
    muc_chi_stage(p, cosine, depth, tails[BLOCK : BLOCK + n], reach, muon)
    muc_chi_stage(p, cosine, depth, tails[3 * BLOCK : 3 * BLOCK + n], reach, pion)
    s[ELECTRON * BLOCK : ELECTRON * BLOCK + n] = pion
    s[KAON * BLOCK : KAON * BLOCK + n] = pion
    s[PROTON * BLOCK : PROTON * BLOCK + n] = pion
    fraction_stage(depth, tails[:n], fraction)


@stage
def fraction_stage(depth: Floats, deeper: Floats, fraction: Floats) -> None:
    """Fill the fraction of muons that are not seen deeper; NaN outside the chambers."""
    for i in range(np.uint64(depth.size)):
        fraction[i] = 1.0 - deeper[i] if depth[i] >= 0.0 else math.nan
