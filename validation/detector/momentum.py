"""Charged tracks: momentum, impact parameters, acceptance, efficiency, pulls."""

import math
from functools import partial

import numpy as np

from ...arrays import Floats
from ...constants import HYPOTHESIS_PDG
from ...event import HELIX_NAMES
from ..check import Check, Line, Plot, Result
from .bench import NO_DECAYS, NO_LOSS, NO_SPOT, NO_TAILS, Bench, Mask, Shots, momentum_of
from .estimators import core_width, estimate, half_width, rms, share

TOPIC = "tracks"
_N = 200_000
_POINTS = 24_000
_MUON = -13
#: Muons and pions: the fit of every track corrects for a pion's loss of energy.
_LIGHT = (13, 211)
_MOMENTA = (0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.3, 1.6, 1.843)


def checks(bench: Bench) -> list[Check]:
    """Return the checks of this topic."""
    return [
        Check(TOPIC, "momentum", partial(_momentum, bench)),
        Check(TOPIC, "momentum by angle", partial(_by_angle, bench)),
        Check(TOPIC, "impact parameters", partial(_impact, bench)),
        Check(TOPIC, "layers", partial(_layers, bench)),
        Check(TOPIC, "efficiency", partial(_efficiency, bench)),
        Check(TOPIC, "pulls", partial(_pulls, bench)),
    ]


def deviation(shots: Shots) -> Floats:
    """Return (measured - true) momentum [GeV] of the tracks found."""
    event, track = shots.found()
    events = shots.events
    return momentum_of(events.px[track], events.py[track], events.pz[track]) - shots.true_p()[event]


def _momentum(bench: Bench) -> Result:
    rows = []
    for name, p, scale in (("1", 1.0, 100.0), ("1843", 1.843, 1e3)):  # [% of 1 GeV], [MeV]
        found = scale * deviation(bench.shoot(f"momentum {name}", _MUON, _N, p, (-0.8, 0.8)))
        for kind, estimator in (("half", half_width), ("core", core_width), ("rms", rms)):
            rows.append(bench.targets.row(f"sigma_p_{name}_{kind}", *estimate(estimator, found)))
    return Result(rows, [])


def _by_angle(bench: Bench) -> Result:
    """Draw the resolution over momentum in three ranges of angle."""
    plot = Plot("tracks", "momentum of muons, central 68 %", r"$p$ [GeV]", r"$\sigma_p/p$ [%]", y_range=(0.0, 1.6))
    lines = []
    for low, high in ((0.0, 0.2), (0.7, 0.8), (0.88, 0.92)):
        label = rf"${low:g} < \cos\theta < {high:g}$"
        for p in _MOMENTA:
            shots = bench.shoot(f"angle {low} {p}", _MUON, _POINTS, p, (low, high))
            value, error = estimate(half_width, 100.0 * deviation(shots) / p)
            lines.append(Line(plot, label, np.array([p]), np.array([value]), np.array([error])))
    return Result([], [], lines)


def _impact(bench: Bench) -> Result:
    shots = bench.shoot("impact", _MUON, _N, 1.0, (-0.1, 0.1), NO_SPOT)
    track = shots.found()[1]
    d_rho, dz = shots.events.helix[track, 0], shots.events.helix[track, 3]
    rows = [
        bench.targets.row("sigma_d0", *estimate(core_width, 1e4 * d_rho)),
        bench.targets.row("sigma_z0", *estimate(core_width, 1e4 * dz)),
    ]
    spot = bench.shoot("vertex cuts", _MUON, _N, (0.3, 1.9), (-0.92, 0.92))
    event, track = spot.found()
    hard = np.sqrt(1.0 - spot.true_cosine()[event] ** 2) * spot.true_p()[event] > 0.3
    rows.append(bench.targets.row("vertex_cuts", *share(spot.events.good[track[hard]])))
    return Result(rows, [])


def _layers(bench: Bench) -> Result:
    rows = []
    for key, cosine in (("hits_093", 0.93), ("hits_094", 0.94)):
        shots = bench.shoot(key, _MUON, 8000, 1.0, cosine, {**NO_SPOT, "mdc.hit_efficiency": 1.0})
        crossed = shots.record.n_hits[shots.found()[1]]
        # what crosses too few layers is not found
        rows.append(bench.targets.row(key, float(np.median(crossed)) if len(crossed) else 0.0, 0.0))
    shots = bench.shoot("layers", _MUON, _N, 1.0, (-0.97, 0.97))
    event, track = shots.found()
    edges = np.linspace(0.0, 0.96, 97)
    index = np.digitize(np.abs(shots.true_cosine()[event]), edges) - 1
    hits = shots.record.n_hits[track].astype(np.float64)
    inside = (index >= 0) & (index < len(edges) - 1)
    count = np.bincount(index[inside], minlength=len(edges) - 1)
    mean = np.bincount(index[inside], hits[inside], len(edges) - 1)[count > 0] / count[count > 0]
    plot = Plot("tracks", "layers crossed by tracks of 1 GeV", r"$|\cos\theta|$", "layers", y_range=(0.0, 50.0))
    centre = 0.5 * (edges[1:] + edges[:-1])[count > 0]
    return Result(rows, [], [Line(plot, "muons found", centre, mean)])


def _efficiency(bench: Bench) -> Result:
    rows, lines = [], []
    in_pt = Plot("tracks", r"tracks found, $|\cos\theta| < 0.8$", r"$p_t$ [GeV]", "efficiency", y_range=(0.0, 1.1))
    in_angle = Plot("tracks", "tracks found, 1 GeV", r"$|\cos\theta|$", "efficiency", y_range=(0.0, 1.1))
    for name, pdg in (("e", 11), ("mu", 13), ("pi", 211)):
        shots = bench.shoot(f"efficiency {name}", pdg, _N, (0.3, 1.9), (-0.9, 0.9))
        pt = shots.true_p() * np.sqrt(1.0 - shots.true_cosine() ** 2)
        rows.append(bench.targets.row(f"efficiency_{name}", *share(shots.track[pt > 0.3] >= 0)))
        low = bench.shoot(f"turn-on {name}", pdg, _N, (0.03, 0.5), (-0.8, 0.8), spectrum="pt")
        pt = low.true_p() * np.sqrt(1.0 - low.true_cosine() ** 2)
        lines.append(binned(in_pt, name, pt, low.track >= 0, np.linspace(0.03, 0.5, 33)))
        wide = bench.shoot(f"edge {name}", pdg, _N, 1.0, (-0.98, 0.98))
        lines.append(binned(in_angle, name, np.abs(wide.true_cosine()), wide.track >= 0, np.linspace(0.8, 0.98, 37)))
    return Result(rows, [], lines)


def binned(plot: Plot, label: str, x: Floats, passed: Mask, edges: Floats, scale: float = 1.0) -> Line:
    """Return the fraction that passed per bin of x, as points."""
    index = np.digitize(x, edges) - 1
    values = [share(passed[index == i]) for i in range(len(edges) - 1)]
    value, error = (scale * np.array(one) for one in zip(*values))
    return Line(plot, label, 0.5 * (edges[1:] + edges[:-1]), value, error)


def _pulls(bench: Bench) -> Result:
    """Compare measured helices with the true ones in units of the covariance that is stored."""
    rows = []
    plain = {**NO_SPOT, **NO_TAILS, **NO_LOSS}
    for key, kinds, changes in (("core", _LIGHT, {**NO_SPOT, **NO_DECAYS}), ("plain", HYPOTHESIS_PDG[1:], plain)):
        pulls: list[list[Floats]] = [[] for _ in HELIX_NAMES]
        for pdg in kinds:
            shots = bench.shoot(f"pulls {key} {pdg}", pdg, _N // 2, (0.4, 1.9), (-0.8, 0.8), changes)
            for collected, pull in zip(pulls, helix_pulls(shots)):
                collected.append(pull)
        for name, parts in zip(HELIX_NAMES, pulls):
            joined = np.concatenate(parts)
            rows.append(bench.targets.row(f"pull_{key}_{name}", *estimate(core_width, joined)))
            if key == "core" and name == "kappa":
                rows.append(bench.targets.row("pull_rms_kappa", *estimate(rms, joined)))
    return Result(rows, [])


def helix_pulls(shots: Shots) -> list[Floats]:
    """Return the pulls of the five helix parameters of particles from the origin."""
    event, track = shots.found()
    first = shots.truth.offsets[:-1][event]
    px, py, pz = shots.truth.px[first], shots.truth.py[first], shots.truth.pz[first]
    pt, zero = np.hypot(px, py), np.zeros(len(event))
    true = (zero, np.arctan2(py, px) - 0.5 * math.pi, shots.truth.charge[first] / pt, zero, pz / pt)
    pulls = []
    for i, name in enumerate(HELIX_NAMES):
        difference = shots.events.helix[track, i] - true[i]
        if name == "phi0":
            difference = np.angle(np.exp(1j * difference))
        pulls.append(difference / np.sqrt(shots.events.covariance[track, i * (i + 1) // 2 + i]))
    return pulls
