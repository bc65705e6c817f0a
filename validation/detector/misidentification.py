"""Muons in the muon counter, electrons by E/p, and what is mistaken for either."""

from functools import partial

import numpy as np

from ...arrays import Floats
from ...constants import ELECTRON, MUON
from ..check import Check, Plot, Result
from .bench import Bench, Mask, Shots
from .estimators import estimate, mode, share
from .momentum import binned

TOPIC = "leptons and what fakes them"
_N = 120_000
_MANY = 1_000_000
_E_OVER_P = 0.8
_MOMENTA = (0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8)


def checks(bench: Bench) -> list[Check]:
    """Return the checks of this topic."""
    return [
        Check(TOPIC, "muon counter", partial(_muon_counter, bench)),
        Check(TOPIC, "reach", partial(_reach, bench)),
        Check(TOPIC, "electrons", partial(_electrons, bench)),
        Check(TOPIC, "muons as electrons", partial(_muons_as_electrons, bench)),
        Check(TOPIC, "pions as electrons", partial(_pions_as_electrons, bench)),
        Check(TOPIC, "electron veto", partial(_veto, bench)),
    ]


def muon_counter_says(shots: Shots) -> tuple[Floats, Mask]:
    """Return (true momenta, whether an identified muon) of the tracks that point to chambers of the muon counter."""
    event, track = shots.found()
    inside = np.isfinite(shots.record.muc_depth[track])
    return shots.true_p()[event[inside]], shots.events.muon[track[inside]]


def _muon_counter(bench: Bench) -> Result:
    rows, lines = [], []
    plot = Plot(
        "leptons", r"muon counter, $|\cos\theta| < 0.6$, outside cracks", r"$p$ [GeV]", "fraction identified",
        y_range=(0.0, 1.1), levels=(0.9,),
    )  # fmt: skip
    zoom = Plot(
        "leptons", "pions identified as muons", r"$p$ [GeV]", "fraction [%]", y_range=(0.0, 12.0), wanted=(3.0, 4.0)
    )
    edges = np.linspace(0.3, 1.7, 29)
    for name, pdg in (("muons", 13), (r"$\pi^-$", -211), (r"$\pi^+$", 211)):
        shots = bench.shoot(f"muon counter {pdg}", pdg, 4 * _N, (0.3, 1.7), (-0.6, 0.6))
        p, identified = muon_counter_says(shots)
        lines.append(binned(plot, name, p, identified, edges))
        if pdg != 13:
            lines.append(binned(zoom, name, p, identified, edges, 100.0))
        kind = {13: "mu", -211: "pi_minus", 211: "pi_plus"}[pdg]
        for low, high in ((0.7, 1.0), (1.0, 1.3), (1.3, 1.6)):
            part = identified[(p > low) & (p < high)]
            scale = 1.0 if kind == "mu" else 100.0
            value, error = share(part)
            rows.append(bench.targets.row(f"muc_{kind}_{low:g}", scale * value, scale * error))
    return Result(rows, [], lines)


def _reach(bench: Bench) -> Result:
    """Return the momenta at which half of the muons are seen in the first, fourth and last gap of the barrel."""
    shots = bench.shoot("reach", 13, 4 * _N, (0.3, 1.2), (-0.05, 0.05))
    event, track = shots.found()
    depth, p = shots.record.muc_depth[track], shots.true_p()[event]
    iron = np.cumsum(bench.card.muc.barrel.iron)
    rows = []
    for gap in (0, 3, len(iron) - 1):
        layers = shots.record.muc_layers[track]
        seen = np.isfinite(depth) & (layers > 0) & (depth > iron[gap] - 0.5)
        outside = ~np.isfinite(depth)
        edges = np.linspace(0.3, 1.2, 181)
        line = binned(Plot("", "", "", ""), "", p[~outside], seen[~outside], edges)
        plateau = float(np.mean(line.y[-20:]))
        above = np.flatnonzero(line.y > 0.5 * plateau)
        at = int(above[0]) if len(above) else 0
        step = edges[1] - edges[0]
        value = float(np.interp(0.5 * plateau, line.y[at - 1 : at + 1], line.x[at - 1 : at + 1])) if at else np.nan
        rows.append(bench.targets.row(f"reach_{'first' if gap == 0 else 'last' if gap > 3 else 'fourth'}", value, step))
    return Result(rows, [])


def _electrons(bench: Bench) -> Result:
    rows, lines = [], []
    plot = Plot("leptons", "electrons with E/p > 0.8", r"$p$ [GeV]", "fraction of tracks", y_range=(0.9, 1.02))
    for region, cosine in (("barrel", bench.barrel()), ("endcap", bench.endcap())):
        shots = bench.shoot(f"electrons {region}", 11, 2 * _N, (0.4, 1.85), cosine)
        event, track = shots.found()
        ratio, p = shots.events.e_over_p[track], shots.true_p()[event]
        lines.append(binned(plot, region, p, ratio > _E_OVER_P, np.linspace(0.4, 1.85, 30)))
        hard = p > 1.0
        rows.append(bench.targets.row(f"e_over_p_{region}", *share(ratio[hard] > _E_OVER_P)))
        if region == "barrel":
            rows.append(bench.targets.row("e_over_p_peak", *estimate(mode, ratio[hard])))
    return Result(rows, [], lines)


def electron_like(shots: Shots) -> tuple[Floats, Mask]:
    """Return (true momenta, whether E/p exceeds 0.8) of the tracks found."""
    event, track = shots.found()
    return shots.true_p()[event], shots.events.e_over_p[track] > _E_OVER_P


def _muons_as_electrons(bench: Bench) -> Result:
    shots = bench.shoot("muons as electrons", 13, _MANY, (0.4, 1.9), bench.barrel())
    _, fake = electron_like(shots)
    return Result([bench.targets.row("mu_as_e", *share(fake))], [])


def _pions_as_electrons(bench: Bench) -> Result:
    rows, lines = [], []
    plot = Plot("leptons", "pions with E/p > 0.8", r"$p$ [GeV]", "fraction [%]", y_range=(0.0, 2.0), wanted=(0.3, 1.5))
    for name, label, pdg in (("minus", r"$\pi^-$", -211), ("plus", r"$\pi^+$", 211)):
        shots = bench.shoot(f"pions as electrons {name}", pdg, _MANY, (0.3, 1.9), bench.barrel())
        p, fake = electron_like(shots)
        lines.append(binned(plot, label, p, fake, np.linspace(0.3, 1.9, 17), 100.0))
        for at in (0.5, 1.0, 1.5):
            value, error = share(fake[np.abs(p - at) < 0.1])
            rows.append(bench.targets.row(f"pi_{name}_as_e_{at:g}", 100.0 * value, 100.0 * error))
    return Result(rows, [], lines)


def _veto(bench: Bench) -> Result:
    """Return how many tracks of each kind pass P(mu) > P(e), the whole of the identification in the mu mu channel."""
    rows, lines = [], []
    plot = Plot("leptons", r"$P(\mu) > P(e)$", r"$p$ [GeV]", "fraction of tracks", y_range=(0.0, 1.15))
    for name, pdg in (("mu", 13), ("pi", 211), ("e", 11)):
        shots = bench.shoot(f"veto {name}", pdg, 2 * _N, (0.4, 1.85), (-0.9, 0.9))
        event, track = shots.found()
        kept = shots.events.chi2[track, MUON] < shots.events.chi2[track, ELECTRON]
        rows.append(bench.targets.row(f"veto_{name}", *share(kept)))
        lines.append(binned(plot, name, shots.true_p()[event], kept, np.linspace(0.4, 1.85, 30)))
    return Result(rows, [], lines)
