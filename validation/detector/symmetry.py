"""Symmetries of charge, azimuth and polar angle, and random particles of any kind, momentum, direction and origin."""

import math
from functools import partial

import numpy as np
from scipy import stats

from ...arrays import Floats
from ...constants import HYPOTHESIS_PDG
from ...detector.covariance import cholesky
from ...event import KAPPA, PHI0, TruthEvents
from ..check import Check, Result
from ..comparison import Comparison, bounded, probability
from .bench import NO_SPOT, Bench, Mask, Shots
from .calorimeter import largest_shower

TOPIC = "symmetries and random particles"
_N = 400_000
_RANDOM = 10_000_000
_CHUNK = 2**19
_SECTORS = 16
_TURN = 1.0
#: Largest distance of an origin from the centre [cm], a factor on each component of a random vector.
_FAR = 150.0


def checks(bench: Bench) -> list[Check]:
    """Return the checks of this topic."""
    return [
        Check(TOPIC, "charge and angles", partial(_symmetries, bench)),
        Check(TOPIC, "rotation", partial(_rotation, bench)),
        Check(TOPIC, "random particles", partial(_random, bench)),
    ]


def _same_share(a: Mask, b: Mask) -> float:
    """Return the p-value of two samples that passed equally often."""
    table = [[int(x.sum()), int((~x).sum())] for x in (a, b)]
    return float(stats.chi2_contingency(table, correction=False).pvalue) if min(map(min, table)) > 0 else 1.0


def _azimuth(shots: Shots, passed: Mask) -> float:
    """Return the p-value of a sample that passed equally often in all sectors of azimuth."""
    first = shots.truth.offsets[:-1]
    sector = np.floor((np.arctan2(shots.truth.py, shots.truth.px)[first] / math.pi + 1.0) * 0.5 * _SECTORS)
    index = np.clip(sector, 0, _SECTORS - 1).astype(np.int64)
    everything = np.bincount(index, minlength=_SECTORS)
    found = np.bincount(index[passed], minlength=_SECTORS)
    share = found.sum() / everything.sum()
    distance = float(np.sum((found - share * everything) ** 2 / (share * (1.0 - share) * everything)))
    return float(stats.chi2.sf(distance, _SECTORS - 1))


def _symmetries(bench: Bench) -> Result:
    """Test that muons and photons are found equally often either way."""
    source = "equal shares, chi2"
    minus, plus = (bench.shoot(f"symmetry {pdg}", pdg, _N, (0.2, 1.9), (-0.93, 0.93)) for pdg in (13, -13))
    found = [shots.track >= 0 for shots in (minus, plus)]
    subject = "muons, 0.2 to 1.9 GeV"
    forward = minus.true_cosine() > 0.0
    rows = [
        probability(subject, "found: negative and positive", _same_share(*found), source),
        probability(subject, "found: azimuth", _azimuth(minus, found[0]), source),
    ]
    if len(set(bench.card.beam.energies)) == 1:
        value = _same_share(found[0][forward], found[0][~forward])
        rows.append(probability(subject, "found: forward and backward", value, source))
    photons = bench.shoot("symmetry 22", 22, _N, (0.1, 1.9), (-0.95, 0.95))
    seen = largest_shower(photons) > 0.0
    rows.append(probability("photons, 0.1 to 1.9 GeV", "measured: azimuth", _azimuth(photons, seen), source))
    value = float(stats.ks_2samp(_curvature(minus), _curvature(plus)).pvalue)
    rows.append(probability(subject, "kappa / true: negative and positive", value, "Kolmogorov and Smirnov"))
    return Result(rows, [])


def _curvature(shots: Shots) -> Floats:
    """Return the relative deviation of the curvature of the tracks found."""
    event, track = shots.found()
    pt = shots.true_p()[event] * np.sqrt(1.0 - shots.true_cosine()[event] ** 2)
    deviation: Floats = np.abs(shots.events.helix[track, KAPPA]) * pt - 1.0
    return deviation


def _rotation(bench: Bench) -> Result:
    """Turn particles around the beam axis: with the same random numbers all but the azimuth stays as it is."""
    truth = bench.gun("rotation", 13, _N // 10, (0.2, 1.9), (-0.9, 0.9))
    c, s = math.cos(_TURN), math.sin(_TURN)
    turned = truth._replace(px=c * truth.px - s * truth.py, py=s * truth.px + c * truth.py)
    a, b = (bench.measure("rotation", one, NO_SPOT).record for one in (truth, turned))
    if a.helix.shape != b.helix.shape:
        difference = math.inf
    else:
        change = b.helix - a.helix
        change[:, PHI0] = np.angle(np.exp(1j * (change[:, PHI0] - _TURN)))
        difference = float(np.abs(change).max())
    text = "largest change of a helix parameter, azimuth turned back"
    return Result([bounded("muons turned by 1 rad", text, difference, 1e-9, "", "rotation invariance")], [])


def _random(bench: Bench) -> Result:
    """Count what is not a number, and covariances that are not positive definite, of random particles."""
    kinds = [22, 11, -11, *(sign * pdg for pdg in HYPOTHESIS_PDG[1:] for sign in (1, -1))]
    bad = shot = tracks = indefinite = 0
    each = bench.settings.size(_RANDOM) // len(kinds)
    for pdg in kinds:
        for start in range(0, each, _CHUNK):
            name, n = f"random {pdg} {start}", min(_CHUNK, each - start)
            truth = bench.gun(name, pdg, n, (0.01, 6.0), (-1.0, 1.0), exactly=True, spectrum="log_p")
            record = bench.measure(name, _displaced(truth, bench, name)).record
            columns = (record.helix, record.covariance, record.shower_energy, record.shower_theta, record.shower_phi)
            bad += sum(int(np.count_nonzero(~np.isfinite(column))) for column in columns)
            indefinite += _indefinite(record.covariance)
            shot, tracks = shot + truth.n_events, tracks + len(record.helix)
    subject = f"{shot} particles, 10 MeV to 6 GeV, any direction and origin"
    nan = math.nan
    return Result(
        [
            bounded(subject, "numbers of tracks and showers that are none", float(bad), 0.0, "", "count"),
            bounded(subject, "covariances that are not positive definite", float(indefinite), 0.0, "", "count"),
            Comparison(subject, "tracks found", float(tracks), nan, nan, nan, "", None, "count"),
        ],
        [],
    )


def _displaced(truth: TruthEvents, bench: Bench, name: str) -> TruthEvents:
    """Return particles that begin anywhere around the origin."""
    aim = bench.gun(f"origin {name}", 22, truth.n_events, (1e-3, 1.0), (-1.0, 1.0), exactly=True, spectrum="log_p")
    return truth._replace(vx=_FAR * aim.px, vy=_FAR * aim.py, vz=_FAR * aim.pz)


def _indefinite(covariance: Floats) -> int:
    """Return how many covariances have no Cholesky factor: those are not positive definite."""
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = cholesky(covariance.T)
    diagonal = factor[[0, 2, 5, 9, 14]]
    return int(np.count_nonzero(~(diagonal > 0.0).all(axis=0)))
