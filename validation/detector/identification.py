"""dE/dx and time of flight: resolutions, calibrated chi2, and how well they tell kaons from pions."""

import math
from functools import partial

import numpy as np
from scipy import stats

from ...arrays import Floats
from ...constants import HYPOTHESES, HYPOTHESIS_MASSES, HYPOTHESIS_PDG, KAON, PION, C
from ...event import DetectorRecord
from ...reco.reconstruct import reconstruct
from ..check import Check, Line, Plot, Result
from .bench import NO_DECAYS, Bench, Shots
from .estimators import core_width, estimate

TOPIC = "dE/dx and time of flight"
_N = 200_000
_POINTS = 40_000
_MEDIAN = float(stats.chi2.median(1))
_MOMENTA = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4, 1.6)
#: Systems that stand alone; they are columns of the record.
_SYSTEMS = ("dedx", "tof")


def checks(bench: Bench) -> list[Check]:
    """Return the checks of this topic."""
    return [
        Check(TOPIC, "dE/dx", partial(_dedx, bench)),
        Check(TOPIC, "time of flight", partial(_time, bench)),
        Check(TOPIC, "two tracks", partial(_two_tracks, bench)),
        Check(TOPIC, "chi2 of each system", partial(_calibration, bench)),
        Check(TOPIC, "kaons and pions", partial(_separation, bench)),
    ]


def _dedx(bench: Bench) -> Result:
    """Return the resolution for electrons of Bhabha events: they stand on the plateau, where dE/dx is 1."""
    shots = bench.shoot("dedx", 11, _N, 1.843, (-0.8, 0.8))
    dedx = shots.record.dedx[shots.found()[1]]
    dedx = dedx[np.isfinite(dedx)]
    return Result([bench.targets.row("dedx_resolution", *estimate(core_width, dedx / np.median(dedx)))], [])


def time_residuals(shots: Shots, particle: int, mass: float) -> tuple[Floats, Floats]:
    """Return (event, measured - expected time [ns]) of the tracks of a particle of the events, the true mass given."""
    record = shots.record
    row = np.repeat(np.arange(record.n_events), np.diff(record.track_offsets))
    of = (record.track_truth == particle) & np.isfinite(record.tof)
    index = shots.truth.offsets[:-1][row[of]] + particle
    p = np.sqrt(shots.truth.px[index] ** 2 + shots.truth.py[index] ** 2 + shots.truth.pz[index] ** 2)
    expected = record.tof_path[of] * np.sqrt(1.0 + (mass / p) ** 2) / C
    return row[of], record.tof[of] - expected


def _time(bench: Bench) -> Result:
    rows = []
    for key, cosine in (("tof_barrel", bench.barrel()), ("tof_endcap", bench.endcap())):
        shots = bench.shoot(key, 13, _N, 1.843, cosine)
        residual = 1e3 * time_residuals(shots, 0, HYPOTHESIS_MASSES[1])[1]
        rows.append(bench.targets.row(key, *estimate(core_width, residual)))
    return Result(rows, [])


def _two_tracks(bench: Bench) -> Result:
    """Return the resolution without the common event time from the difference of two tracks, and their correlation."""
    shots = bench.shoot("two tracks", 13, _N, 1.843, bench.barrel(), number=2)
    (first, a), (second, b) = (time_residuals(shots, i, HYPOTHESIS_MASSES[1]) for i in range(2))
    _, i, j = np.intersect1d(first, second, assume_unique=True, return_indices=True)
    a, b = 1e3 * a[i], 1e3 * b[j]
    single = estimate(core_width, (a - b) / math.sqrt(2.0))
    near = (np.abs(a) < 400.0) & (np.abs(b) < 400.0)
    rho = float(np.corrcoef(a[near], b[near])[0, 1])
    correlation = rho, (1.0 - rho**2) / math.sqrt(max(int(np.count_nonzero(near)), 1))
    return Result(
        [bench.targets.row("tof_difference", *single), bench.targets.row("tof_correlation", *correlation)], []
    )


def only(record: DetectorRecord, system: str) -> DetectorRecord:
    """Return a record in which dE/dx or time of flight alone, or neither, has seen anything."""
    nothing = np.full_like(record.dedx, np.nan)
    return record._replace(
        dedx=record.dedx if system == "dedx" else nothing,
        tof=record.tof if system == "tof" else nothing,
        muc_depth=nothing,
        shower_theta=np.full_like(record.shower_theta, np.nan),
    )


def _calibration(bench: Bench) -> Result:
    """Return the width of chi of every system for the true hypothesis: its chi2 over that of a normal deviate.

    The median of chi2 of one degree of freedom is 0.455; tails do not count. Decays in flight are left out.
    """
    rows, lines = [], []
    plot = Plot(
        "identification", "probability of the true hypothesis", "P", "tracks per bin / mean", y_range=(0.0, 2.0)
    )
    edges = np.linspace(0.0, 1.0, 21)
    for h, (name, pdg) in enumerate(zip(HYPOTHESES, HYPOTHESIS_PDG)):
        shots = bench.shoot(f"calibration {name}", pdg, _POINTS, (0.4, 1.8), (-0.75, 0.75), NO_DECAYS)
        for system in _SYSTEMS:
            events = reconstruct(only(shots.record, system), bench.card)
            used = events.n_systems == 1
            chi2 = events.chi2[used, h]
            rows.append(bench.targets.row(f"chi_{system}_{name}", *estimate(_chi_width, chi2)))
        seen = only(shots.record, "neither")._replace(dedx=shots.record.dedx, tof=shots.record.tof)
        both = reconstruct(seen, bench.card)
        probability = both.probability[both.n_systems == 2, h]
        content = np.histogram(probability, edges)[0] / max(len(probability), 1) * (len(edges) - 1)
        lines.append(Line(plot, f"{name}, dE/dx and TOF", 0.5 * (edges[1:] + edges[:-1]), content))
    return Result(rows, [], lines)


def _chi_width(chi2: Floats) -> float:
    return math.sqrt(float(np.median(chi2)) / _MEDIAN)


def separation(kaons: Shots, pions: Shots) -> tuple[float, float]:
    """Return how many standard deviations apart two normal distributions would be that are confused as often.

    z(1 - P(K -> pi)) + z(1 - P(pi -> K)) with P(K) > P(pi) by all systems; those that have seen nothing of the track
    are part of it.
    """
    total, variance = 0.0, 0.0
    for shots, sign in ((kaons, 1.0), (pions, -1.0)):
        track = shots.found()[1]
        wrong = sign * (shots.events.chi2[track, KAON] - shots.events.chi2[track, PION]) > 0.0
        n = max(len(track), 1)
        mistaken = max(float(np.count_nonzero(wrong)), 0.5) / n
        z = float(stats.norm.isf(mistaken))
        total += z
        variance += mistaken * (1.0 - mistaken) / n / float(stats.norm.pdf(z)) ** 2
    return total, math.sqrt(variance)


def _separation(bench: Bench) -> Result:
    rows, lines = [], []
    plot = Plot(
        "identification", "kaons and pions by dE/dx and TOF", r"$p$ [GeV]", "standard deviations", levels=(2.0,),
        y_range=(0.0, 8.0),
    )  # fmt: skip
    for region, cosine in (("barrel", bench.barrel()), ("endcap", bench.endcap())):
        for p in _MOMENTA:
            kaons, pions = (
                bench.shoot(f"separation {region} {pdg} {p}", pdg, _POINTS, p, cosine) for pdg in (321, 211)
            )
            value, error = separation(kaons, pions)
            lines.append(Line(plot, region, np.array([p]), np.array([value]), np.array([error])))
            if p == 1.0:
                rows.append(bench.targets.row(f"kaon_pion_{region}", value, error))
    return Result(rows, [], lines)
