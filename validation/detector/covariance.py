"""The track covariance beside other computations of it: a prototype's table, closed forms, another program."""

import dataclasses
import math
from functools import partial

import numpy as np

from ...arrays import Floats
from ...constants import ALPHA_T, HYPOTHESES, HYPOTHESIS_MASSES
from ...detector.covariance import helix_covariance
from ...geometry.sections import Card
from ...geometry.tracker import Layer
from ..check import Check, Result
from ..comparison import Comparison, bounded
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


def checks(bench: Bench) -> list[Check]:
    """Return the checks of this topic."""
    return [
        Check(TOPIC, "table of a prototype", partial(_table, bench)),
        Check(TOPIC, "uniform layers", partial(_gluckstern, bench)),
        Check(TOPIC, "another program", partial(_other_program, bench)),
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
