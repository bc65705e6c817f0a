"""Particle identification: chi2 per hypothesis from dE/dx, time of flight, calorimeter and muon counter.

For each system chi = (measured - expected) / sigma under the hypotheses e, mu, pi, K, p, in the calorimeter the normal
deviate of the energy. A system is used for a track if at least one hypothesis is within `pid_chi_max`; the number of
systems is the same for all hypotheses, so that P(mu) > P(e) is chi2(mu) < chi2(e) even where the probabilities
underflow. The muon counter knows muons and everything else, and is used above a momentum and inside |cos theta|; e, pi,
K and p share the pion's expectation there, as in the experiment's own software.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ..constants import ELECTRON, HYPOTHESIS_MASSES, KAON, MUON, PION, PROTON
from ..detector import dedx, emc, muc, tof
from ..detector.emc_identification import emc_deviate_stage
from ..detector.emc_quantiles import emc_quantile_table
from ..detector.muc_depth import expected_depth_stage
from ..detector.muc_table import muc_table
from ..elementary import erfc, exp
from ..event import KAPPA, DetectorRecord, Floats
from ..geometry.card import Card
from ..kernel import BLOCK, blocks, stage

_TWO_OVER_SQRT_PI = 1.1283791670955126
_ALL = 1e6  # half a chi2 whose probability is zero, as that of anything above
N_HYPOTHESES = len(HYPOTHESIS_MASSES)
_ROWS = 2 * N_HYPOTHESES + 1
_B = np.uint64(BLOCK)


@stage
def dedx_chi_stage(
    p: Floats,
    sine: Floats,
    n_hits: Floats,
    measured: Floats,
    mass: float,
    constants: dedx.DedxParameters,
    chi: Floats,
) -> None:
    """Fill chi of dE/dx under one hypothesis."""
    for i in range(np.uint64(p.size)):
        expected = dedx.expected_dedx(p[i], mass, constants)
        chi[i] = (measured[i] - expected) / dedx.dedx_sigma(expected, n_hits[i], sine[i], constants)


@stage
def tof_chi_stage(p: Floats, path: Floats, time: Floats, sigma: Floats, mass: float, chi: Floats) -> None:
    """Fill chi of the time of flight under one hypothesis."""
    for i in range(np.uint64(p.size)):
        chi[i] = (time[i] - tof.expected_time(path[i], p[i], mass)) / sigma[i]


@stage
def muc_chi_stage(depth: Floats, mean: Floats, sigma: Floats, chi: Floats) -> None:
    """Fill chi of the depth in the muon counter under one hypothesis; NaN outside its chambers."""
    for i in range(np.uint64(chi.size)):
        chi[i] = (depth[i] - mean[i]) / sigma[i]


@stage
def combine_stage(s: Floats, n: int, chi_max: float) -> None:
    """Add chi^2 of one system where it is used: where |chi| of at least one hypothesis is below the limit.

    Rows of the scratch, each of BLOCK numbers: 0-4 chi, 5-9 the sum of chi^2, 10 the number of systems. What is not a
    number is not below the limit.
    """
    for j in range(np.uint64(n)):
        a, b, c = s[j], s[_B + j], s[_B * np.uint64(2) + j]
        d, e = s[_B * np.uint64(3) + j], s[_B * np.uint64(4) + j]
        used = (abs(a) < chi_max) | (abs(b) < chi_max) | (abs(c) < chi_max) | (abs(d) < chi_max) | (abs(e) < chi_max)
        s[_B * np.uint64(5) + j] += a * a if used else 0.0
        s[_B * np.uint64(6) + j] += b * b if used else 0.0
        s[_B * np.uint64(7) + j] += c * c if used else 0.0
        s[_B * np.uint64(8) + j] += d * d if used else 0.0
        s[_B * np.uint64(9) + j] += e * e if used else 0.0
        s[_B * np.uint64(10) + j] += 1.0 if used else 0.0


def identify(
    record: DetectorRecord,
    card: Card,
    p: Floats,
    cosine: Floats,
    shower_energy: Floats,
    path_factor: Floats,
) -> tuple[Floats, NDArray[np.int32]]:
    """Return chi2 per hypothesis and the number of systems used.

    Parameters
    ----------
    record : DetectorRecord
    card : Card
        Constants of the reconstruction.
    p, cosine : ndarray, shape (n_tracks,)
        Momentum [GeV] and cos(theta) at closest approach.
    shower_energy, path_factor : ndarray, shape (n_tracks,)
        Energy of the matched shower [GeV], NaN without one, and the track's path in the calorimeter per depth.

    Returns
    -------
    chi2 : ndarray, shape (n_tracks, 5)
    n_systems : ndarray of int, shape (n_tracks,)
    """
    n = len(p)
    chi2 = np.empty((n, N_HYPOTHESES), order="F")
    n_systems = np.empty(n, dtype=np.int32)
    sine = np.sqrt(np.maximum(1.0 - cosine * cosine, 1e-12))
    n_hits = record.n_hits.astype(np.float64)
    conventions = card.reconstruction
    in_reach = (p > conventions.muc_p_min) & (np.abs(cosine) < conventions.muc_cos_max)
    depth = np.where(in_reach, record.muc_depth, np.nan)
    ionisation, crystals, shower_table = dedx.parameters(card), emc.parameters(card), emc_quantile_table(card)
    iron, iron_table = muc.parameters(card), muc_table(card)
    limit = conventions.pid_chi_max
    scratch, mean, sigma = np.empty(_ROWS * BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    for s in blocks(n):
        size = s.stop - s.start
        rows = scratch.reshape(_ROWS, BLOCK)[:, :size]
        rows[N_HYPOTHESES:] = 0.0
        for row, mass in zip(rows, HYPOTHESIS_MASSES):
            dedx_chi_stage(p[s], sine[s], n_hits[s], record.dedx[s], mass, ionisation, row)
        combine_stage(scratch, size, limit)
        for row, mass in zip(rows, HYPOTHESIS_MASSES):
            tof_chi_stage(p[s], record.tof_path[s], record.tof[s], record.tof_sigma[s], mass, row)
        combine_stage(scratch, size, limit)
        columns = p[s], shower_energy[s], path_factor[s], cosine[s], record.helix[s, KAPPA]
        for h, row in enumerate(rows[:N_HYPOTHESES]):
            emc_deviate_stage(*columns, np.uint64(h), shower_table, crystals, row)
        combine_stage(scratch, size, limit)
        for h in (MUON, PION):
            expected_depth_stage(p[s], cosine[s], np.uint64(h), iron_table, iron, mean[:size], sigma[:size])
            muc_chi_stage(depth[s], mean[:size], sigma[:size], rows[h])
        rows[ELECTRON] = rows[KAON] = rows[PROTON] = rows[PION]
        combine_stage(scratch, size, limit)
        chi2[s] = rows[N_HYPOTHESES : 2 * N_HYPOTHESES].T
        n_systems[s] = rows[2 * N_HYPOTHESES]
    return chi2, n_systems


def probabilities(chi2: Floats, n_systems: NDArray[np.int32]) -> Floats:
    """Return the chi2 probability per hypothesis; 1 where no system was used.

    Parameters
    ----------
    chi2 : ndarray, shape (n_tracks, 5)
    n_systems : ndarray of int, shape (n_tracks,)

    Closed forms of the survival function for 1 to 4 degrees of freedom, on own elementary functions.
    """
    result = np.empty_like(chi2, order="F")
    degrees = n_systems.astype(np.int64)
    for h in range(chi2.shape[1]):
        probability_stage(chi2[:, h], degrees, result[:, h])
    return result


@stage
def probability_stage(chi2: Floats, degrees: NDArray[np.int64], probability: Floats) -> None:
    """Fill the survival function of chi2 for 0 to 4 degrees of freedom (Abramowitz and Stegun 26.4.4, 26.4.5).

    Right to a relative 1.2e-7 down to the smallest numbers; 0 for chi2 above 1416.
    """
    for i in range(np.uint64(chi2.size)):
        half = min(0.5 * chi2[i], _ALL)
        root = math.sqrt(half)
        decay = exp(-half)
        odd = erfc(root)
        odd = odd + (_TWO_OVER_SQRT_PI * root * decay if degrees[i] == 3 else 0.0)
        even = decay + (half * decay if degrees[i] == 4 else 0.0)
        value = odd if degrees[i] % 2 == 1 else even
        probability[i] = min(value, 1.0) if degrees[i] > 0 else 1.0
