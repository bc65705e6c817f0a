"""The track covariance beside other computations of it: a prototype's table, closed forms, another program."""

import dataclasses
import math
from functools import partial

import numpy as np

from ...arrays import Floats
from ...constants import ALPHA_T, HYPOTHESES, HYPOTHESIS_MASSES, M_K, M_MU, M_P, M_PI
from ...detector.covariance import helix_covariance
from ...geometry.sections import Card
from ...geometry.tracker import Layer
from ..check import Check, Result
from ..comparison import Comparison, bounded
from ..hit_level import Gun, shoot, true_helix
from ..references import reference_table
from .bench import Bench
from .changes import changed

TOPIC = "track covariance"
_TABLE = "detector_track_resolution"
#: Column of the table, and the diagonal element of the covariance it is the root of.
_COLUMNS = {"sigma_d0": 0, "sigma_phi0": 2, "sigma_kappa": 5, "sigma_dz": 9, "sigma_tan_lambda": 14}
#: What the prototype's table may differ by: it slices the gas otherwise.
_SLICES = 0.03
#: Momentum [GeV] and layers of the check of Gluckstern's formula.
_GLUCKSTERN_P, _GLUCKSTERN_LAYERS = 20.0, 43
#: Tracks fitted hit by hit: from the origin, then from a transverse radius [cm], the last one first inwards.
_GUNS = {
    "mu, 1 GeV, cos theta = 0": Gun(1.0, 0.0, -1.0, M_MU),
    "mu, 1 GeV, cos theta = 0.8": Gun(1.0, 0.8, 1.0, M_MU),
    "mu, 1.8 GeV, cos theta = 0.5": Gun(1.8, 0.5, -1.0, M_MU),
    "mu, 0.8 GeV, cos theta = 0.9": Gun(0.8, 0.9, 1.0, M_MU),
    "pi, 0.3 GeV, cos theta = 0": Gun(0.3, 0.0, -1.0, M_PI),
    "K, 0.5 GeV, cos theta = -0.6": Gun(0.5, -0.6, 1.0, M_K),
    "pi, 0.5 GeV, cos theta = 0.3, from 20 cm": Gun(0.5, 0.3, 1.0, M_PI, 20.0, 0.5),
    "p, 0.6 GeV, cos theta = -0.2, from 4 cm": Gun(0.6, -0.2, 1.0, M_P, 4.0, 0.3),
    "pi, 0.4 GeV, cos theta = 0.3, from 15 cm inwards": Gun(0.4, 0.3, -1.0, M_PI, 15.0, 2.9),
}
_FITTED = 20_000


def checks(bench: Bench) -> list[Check]:
    """Return the checks of this topic."""
    return [
        Check(TOPIC, "table of a prototype", partial(_table, bench)),
        Check(TOPIC, "uniform layers", partial(_gluckstern, bench)),
        Check(TOPIC, "another program", partial(_other_program, bench)),
        *(Check(TOPIC, f"hit by hit, {name}", partial(_hit_by_hit, bench, name, gun)) for name, gun in _GUNS.items()),
    ]


def _table(bench: Bench) -> Result:
    """Compare with the prototype's table where tracks leave the chamber sideways: that of the card besiii."""
    if bench.card.name != "besiii":
        return Result([], [])
    table = reference_table(_TABLE)
    card = changed(bench.card, {"mdc.hit_efficiency": 0.95})
    differences: dict[str, list[Floats]] = {column: [] for column in _COLUMNS}
    for name, mass in zip(HYPOTHESES, HYPOTHESIS_MASSES):
        chosen = (table["species"] == name) & (table["p"] >= 0.2) & (np.abs(table["cosine"]) <= 0.9)
        covariance, _ = helix_covariance(card, table["p"][chosen], table["cosine"][chosen], -1.0, mass)
        for column, place in _COLUMNS.items():
            differences[column].append(np.abs(np.sqrt(covariance[place]) / table[column][chosen] - 1.0))
    rows = []
    for column, found in differences.items():
        every = np.concatenate(found)
        text = f"{column}, largest of {len(every)} relative differences"
        source = "computed: prototype, 0.2 to 1.89 GeV, |cos theta| up to 0.9"
        rows.append(bounded("hit efficiency 0.95, all species", text, float(every.max()), _SLICES, "", source))
    return Result(rows, [])


def vacuum(card: Card) -> Card:
    """Return a card with layers of axial wires at equal distances and nothing that scatters."""
    first, last = card.mdc.layers[0].radius, card.mdc.layers[-1].radius
    radii = np.linspace(first, last, _GLUCKSTERN_LAYERS)
    layers = tuple(Layer(float(radius), 200.0, 0.0) for radius in radii)
    light = {"mdc.layers": layers, "mdc.gas_radiation_length": 1e12, "mdc.hit_efficiency": 1.0, "material": ()}
    return changed(card, light)


def gluckstern(points: int, sigma: float, length: float, bz: float) -> float:
    """Return sigma(pt) / pt^2 [1/GeV] of equally spaced points without scattering (NIM 24 (1963) 381).

    sigma(curvature)^2 = sigma^2 / L^4 720 N^3 / ((N - 1) (N + 1) (N + 2) (N + 3)) for N + 1 points; pt = 0.3 B / c.
    """
    n = points - 1
    variance = 720.0 * n**3 / ((n - 1) * (n + 1) * (n + 2) * (n + 3))
    return sigma / length**2 * math.sqrt(variance) * ALPHA_T / bz


def _gluckstern(bench: Bench) -> Result:
    card = vacuum(bench.card)
    covariance, _ = helix_covariance(card, _GLUCKSTERN_P, 0.0, -1.0, HYPOTHESIS_MASSES[1])
    length = card.mdc.layers[-1].radius - card.mdc.layers[0].radius
    ours = 100.0 * math.sqrt(float(covariance[5]))
    exact = 100.0 * gluckstern(_GLUCKSTERN_LAYERS, card.mdc.hit_resolution, length, card.field.bz)
    text = f"sigma(pt)/pt^2 of {_GLUCKSTERN_LAYERS} equally spaced axial layers in vacuum"
    source = "computed: Gluckstern, NIM 24 (1963) 381"
    return Result([Comparison("limit without scattering", text, ours, 0.0, exact, 0.0, "% / GeV", 0.005, source)], [])


def _hit_by_hit(bench: Bench, name: str, gun: Gun) -> Result:
    """Compare the scatter of helices that are fitted to hits with the covariance, every wire answering."""
    if bench.card.silicon:
        return Result([], [])
    card = changed(bench.card, {"mdc.hit_efficiency": 1.0})
    n = bench.settings.size(_FITTED)
    fitted = shoot(card, gun, n, bench.settings.seed_of("detector", "hits", name))
    helix = true_helix(gun, ALPHA_T / card.field.bz)
    inbound = float(gun.start > 0.0 and abs(gun.angle) > 0.5 * math.pi)
    track = card, gun.p, gun.cosine, gun.charge, gun.mass
    covariance, _ = helix_covariance(*track, d_rho=helix[0], dz=helix[3], start=gun.start, inbound=inbound)
    ratio = fitted.deviation.std(axis=0) / np.sqrt(covariance[[0, 2, 5, 9, 14]])
    worst = float(ratio[np.argmax(np.abs(ratio - 1.0))])
    text = "scatter of fitted helices over the covariance, the worst of five parameters"
    source = "computed: Monte Carlo hit by hit with scattering and least squares"
    return Result([Comparison(name, text, worst, 1.0 / math.sqrt(2.0 * n), 1.0, 0.0, "", 0.02, source)], [])


def _other_program(bench: Bench) -> Result:
    """Compare at 1 GeV and 90 degrees with full hit efficiency: this card, and one with the pipe only, lighter gas."""
    if bench.card.name != "besiii":
        return Result([], [])
    perfect = changed(bench.card, {"mdc.hit_efficiency": 1.0})
    pipe = tuple(shell for shell in perfect.material if shell.r_outer < 5.0)
    light = dataclasses.replace(changed(perfect, {"mdc.gas_radiation_length": 38000.0}), material=pipe)
    rows = []
    for key, card in (("full", perfect), ("light", light)):
        covariance, _ = helix_covariance(card, 1.0, 0.0, -1.0, HYPOTHESIS_MASSES[1])
        rows.append(bench.targets.row(f"pt_{key}", 100.0 * math.sqrt(float(covariance[5])), 0.0))
        rows.append(bench.targets.row(f"d0_{key}", 10.0 * math.sqrt(float(covariance[0])), 0.0))
    return Result(rows, [])
