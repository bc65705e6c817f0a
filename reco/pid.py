"""Particle identification: chi2 per hypothesis from dE/dx, time of flight, calorimeter and muon counter.

For each system chi is a standard normal deviate under the true one of the hypotheses e, mu, pi, K, p: (measured -
expected) / sigma, or the deviate with the same probability where the distribution is not normal. A system is used for
a track if at least one hypothesis is within `pid_chi_max`; the number of systems is the same for all hypotheses, so
that P(mu) > P(e) is chi2(mu) < chi2(e) even where the probabilities underflow. The muon counter knows muons and
everything else, and is used above a momentum and inside |cos theta|; e, pi, K and p share the pion's expectation there,
and pi, K and p the pion's in the calorimeter, as in the experiment's own software.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..detector import dedx, emc, muc, tof
from ..detector.emc_identification import emc_deviates
from ..detector.emc_quantiles import emc_quantile_table
from ..detector.muc_quantile import muc_curves
from ..detector.quantile import tail_table
from ..elementary import erfc, exp
from ..event import KAPPA, DetectorRecord, Floats
from ..geometry.card import Card
from ..geometry.sections import Reconstruction
from ..kernel import BLOCK, stage
from .pid_systems import N_HYPOTHESES, ionisation_stage, muon_stage, time_stage

_TWO_OVER_SQRT_PI = 1.1283791670955126
_ALL = 1e6  # half a chi2 whose probability is zero, as that of anything above
SYSTEMS = ("dedx", "tof", "emc", "muc")
_B = np.uint64(BLOCK)


class Identification(NamedTuple):
    """Per track: chi2 and its probability per hypothesis, number of systems, what the muon counter says."""

    chi2: Floats
    probability: Floats
    n_systems: NDArray[np.int32]
    muc_match_chi2: Floats
    muc_fraction: Floats


class _Calibration(NamedTuple):
    """Constants of the reconstruction."""

    ionisation: dedx.DedxParameters
    tails: Floats
    times: tof.TofParameters
    showers: Floats
    crystals: emc.EmcParameters
    chambers: muc.MucParameters
    curves: Floats
    #: Muon counter: smallest momentum [GeV], largest |cos theta|.
    reach: tuple[float, float]


def _calibration(card: Card) -> _Calibration:
    chambers, conventions = muc.parameters(card), card.reconstruction
    return _Calibration(
        dedx.parameters(card),
        tail_table(card.dedx.tail_fraction, card.dedx.tail_scale),
        tof.parameters(card),
        emc_quantile_table(card),
        emc.parameters(card),
        chambers,
        muc_curves(card, chambers),
        (conventions.muc_p_min, conventions.muc_cos_max),
    )


class _Measured(NamedTuple):
    """Columns of tracks, all of the same length."""

    p: Floats
    cosine: Floats
    n_hits: NDArray[np.int32]
    dedx: Floats
    path: Floats
    time: Floats
    time_sigma: Floats
    energy: Floats
    path_factor: Floats
    #: Of the sign of the charge.
    charge: Floats
    depth: Floats
    residual: Floats


@stage
def combine_stage(s: Floats, chi_max: float, size: int, total: Floats) -> None:
    """Add chi^2 of one system where it is used: where |chi| of at least one hypothesis is below the limit.

    The scratch holds the deviates of a block, 5 rows of `BLOCK`; the other one the sums, 5 rows, and as a sixth the
    number of systems.
    """
    for j in range(np.uint64(size)):
        a, b, c = s[j], s[_B + j], s[_B * np.uint64(2) + j]
        d, e = s[_B * np.uint64(3) + j], s[_B * np.uint64(4) + j]
        nearest = min(min(min(abs(a), abs(b)), min(abs(c), abs(d))), abs(e))
        used = nearest < chi_max
        total[j] += a * a if used else 0.0
        total[_B + j] += b * b if used else 0.0
        total[_B * np.uint64(2) + j] += c * c if used else 0.0
        total[_B * np.uint64(3) + j] += d * d if used else 0.0
        total[_B * np.uint64(4) + j] += e * e if used else 0.0
        total[_B * np.uint64(5) + j] += 1.0 if used else 0.0


@stage
def probability_stage(chi2: Floats, degrees: NDArray[np.int32], probability: Floats) -> None:
    """Fill the survival function of chi2 for 0 to 4 degrees of freedom (Abramowitz and Stegun 26.4.4, 26.4.5).

    Closed forms on own elementary functions; 1 where no system was used. Right to a relative 1.2e-7 down to the
    smallest numbers; 0 for chi2 above 1416.
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


@stage
def _identify(
    measured: _Measured,
    constants: _Calibration,
    chi_max: float,
    chi2: Floats,
    probability: Floats,
    n_systems: NDArray[np.int32],
    counter: tuple[Floats, Floats],
) -> None:
    """Fill chi2 and probability, shape (5, n), number of systems, and what the muon counter says, block by block."""
    n = measured.p.size
    s, t, u = np.empty(N_HYPOTHESES * BLOCK), np.empty(BLOCK), np.empty(4 * BLOCK)
    total = np.empty((N_HYPOTHESES + 1) * BLOCK)
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        size = stop - start
        total[:] = 0.0
        p, cosine = measured.p[start:stop], measured.cosine[start:stop]
        hits, ionisation = measured.n_hits[start:stop], measured.dedx[start:stop]
        ionisation_stage(p, cosine, hits, ionisation, constants.ionisation, constants.tails, t, s)
        combine_stage(s, chi_max, size, total)
        path, time, sigma = measured.path[start:stop], measured.time[start:stop], measured.time_sigma[start:stop]
        time_stage(p, path, time, sigma, constants.times, s)
        combine_stage(s, chi_max, size, total)
        energy, path_factor = measured.energy[start:stop], measured.path_factor[start:stop]
        charge = measured.charge[start:stop]
        emc_deviates(p, energy, path_factor, cosine, charge, constants.showers, constants.crystals, s)
        combine_stage(s, chi_max, size, total)
        depth, residual = measured.depth[start:stop], measured.residual[start:stop]
        out = counter[0][start:stop], counter[1][start:stop]
        muon_stage(p, cosine, depth, residual, constants.reach, constants.curves, constants.chambers, out, u, s)
        combine_stage(s, chi_max, size, total)
        systems = n_systems[start:stop]
        systems[:] = total[N_HYPOTHESES * BLOCK : N_HYPOTHESES * BLOCK + size]
        for h in range(N_HYPOTHESES):
            row = total[h * BLOCK : h * BLOCK + size]
            chi2[h, start:stop] = row
            probability_stage(row, systems, probability[h, start:stop])


@stage
def _deviates(measured: _Measured, constants: _Calibration, chi: Floats) -> None:
    """Fill the deviates of all systems, shape (4, 5, n)."""
    n = measured.p.size
    s, t, u = np.empty(N_HYPOTHESES * BLOCK), np.empty(BLOCK), np.empty(4 * BLOCK)
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        size = stop - start
        p, cosine = measured.p[start:stop], measured.cosine[start:stop]
        hits, ionisation = measured.n_hits[start:stop], measured.dedx[start:stop]
        ionisation_stage(p, cosine, hits, ionisation, constants.ionisation, constants.tails, t, s)
        chi[0, :, start:stop] = s.reshape((N_HYPOTHESES, BLOCK))[:, :size]
        path, time, sigma = measured.path[start:stop], measured.time[start:stop], measured.time_sigma[start:stop]
        time_stage(p, path, time, sigma, constants.times, s)
        chi[1, :, start:stop] = s.reshape((N_HYPOTHESES, BLOCK))[:, :size]
        energy, path_factor = measured.energy[start:stop], measured.path_factor[start:stop]
        charge = measured.charge[start:stop]
        emc_deviates(p, energy, path_factor, cosine, charge, constants.showers, constants.crystals, s)
        chi[2, :, start:stop] = s.reshape((N_HYPOTHESES, BLOCK))[:, :size]
        depth, residual = measured.depth[start:stop], measured.residual[start:stop]
        out = np.empty(size), np.empty(size)
        muon_stage(p, cosine, depth, residual, constants.reach, constants.curves, constants.chambers, out, u, s)
        chi[3, :, start:stop] = s.reshape((N_HYPOTHESES, BLOCK))[:, :size]


def _columns(record: DetectorRecord, p: Floats, cosine: Floats, energy: Floats, path_factor: Floats) -> _Measured:
    times = record.tof_path, record.tof, record.tof_sigma
    chambers = record.muc_depth, record.muc_residual
    showers = energy, path_factor, record.helix[:, KAPPA]
    return _Measured(p, cosine, record.n_hits, record.dedx, *times, *showers, *chambers)


def identify(
    record: DetectorRecord,
    card: Card,
    p: Floats,
    cosine: Floats,
    shower_energy: Floats,
    path_factor: Floats,
) -> Identification:
    """Return chi2 and probability per hypothesis, the number of systems used, and what the muon counter says.

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
    Identification
        chi2 and probability of shape (n_tracks, 5), the others of shape (n_tracks,).
    """
    n = len(p)
    chi2, probability = np.empty((N_HYPOTHESES, n)), np.empty((N_HYPOTHESES, n))
    n_systems, match, fraction = np.empty(n, dtype=np.int32), np.empty(n), np.empty(n)
    measured = _columns(record, p, cosine, shower_energy, path_factor)
    limit = card.reconstruction.pid_chi_max
    _identify(measured, _calibration(card), limit, chi2, probability, n_systems, (match, fraction))
    return Identification(chi2.T, probability.T, n_systems, match, fraction)


def identified_muons(record: DetectorRecord, known: Identification, conventions: Reconstruction) -> NDArray[np.bool_]:
    """Return which tracks are muons by the card's conventions of depth and distance to the hits."""
    deep = (record.muc_depth >= conventions.muon_depth_min) & (known.muc_fraction > conventions.muon_depth_fraction)
    return deep & (known.muc_match_chi2 < conventions.muon_match_chi2_max)


def deviates(
    record: DetectorRecord,
    card: Card,
    p: Floats,
    cosine: Floats,
    shower_energy: Floats,
    path_factor: Floats,
) -> dict[str, Floats]:
    """Return chi per hypothesis, shape (n_tracks, 5), of each of the `SYSTEMS`; NaN without a measurement.

    Parameters are those of `identify`.
    """
    chi = np.empty((len(SYSTEMS), N_HYPOTHESES, len(p)))
    _deviates(_columns(record, p, cosine, shower_energy, path_factor), _calibration(card), chi)
    return {system: rows.T for system, rows in zip(SYSTEMS, chi)}
