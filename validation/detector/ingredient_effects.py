"""What each ingredient of the detector does to yields, mass resolution and fake rates, on the same random numbers."""

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...analysis.table import write_table
from ...arrays import Floats
from ...constants import ELECTRON, MUON
from ...event import CHANNELS, TruthEvents
from ...pipeline import bounded_map
from .bench import Bench
from .channels import MARGINS, PROCESSES, generated, mass_deviation, selected
from .estimators import PARTS, half_width
from .ingredients import Ingredient, ingredients_of
from .misidentification import muon_counter_says

_PAIRS, _TRACKS = 160_000, 160_000
_MASSES = (1.5, 3.4)
#: Width of the ranges of true mass [GeV] in which the resolution is taken.
_NEAR = 0.25
#: Changes smaller than this are rounding of the arithmetic.
_ZERO = 1e-6
_NOMINAL = Ingredient("", "", {})


class Quantity(NamedTuple):
    """Something an ingredient may change: its column, unit, and what it is."""

    name: str
    unit: str
    sentence: str


QUANTITIES = (
    Quantity("yield_mumu", "%", "selected mu mu gamma"),
    Quantity("yield_ee", "%", "selected e e gamma (Bhabha)"),
    Quantity("width_mumu", "MeV", "mass of mu mu after the fit, central 68 %, true mass 1.9 to 2.4 GeV"),
    Quantity("width_ee", "MeV", "mass of e e after the fit, central 68 %, true mass 1.9 to 2.4 GeV"),
    Quantity("mu_as_e", "%", "muons with E/p > 0.8"),
    Quantity("pi_as_e", "%", "pions with E/p > 0.8"),
    Quantity("pi_as_mu", "%", "pions identified by the muon counter"),
    Quantity("pi_not_e", "%", "pions with P(mu) > P(e)"),
    Quantity("e_not_e", "%", "electrons with P(mu) > P(e)"),
)


class Effect(NamedTuple):
    """An ingredient, the quantities without it, and the change (with - without) it makes with its error."""

    ingredient: Ingredient
    without: Floats
    change: Floats
    error: Floats


class _Outcome(NamedTuple):
    """What a detector makes of the samples: flags (1, 0) or deviations [MeV] per event; NaN where there is none."""

    columns: Mapping[str, Floats]


class _Samples(NamedTuple):
    """Truth of the channels, with and without energy spread, and of the guns."""

    pairs: Mapping[str, tuple[TruthEvents, TruthEvents]]
    guns: Mapping[str, TruthEvents]


def _samples(bench: Bench) -> _Samples:
    pairs = {}
    for channel in CHANNELS:
        options = {"order": "ll", "mass_min": 1.45, "mass_max": 3.46, **MARGINS}
        name = f"ingredients {channel}"
        spread, none = (
            generated(bench, name, PROCESSES[channel], _PAIRS, energy_spread=sigma, **options)
            for sigma in (bench.card.beam.energy_spread, 0.0)
        )
        pairs[channel] = spread, none
    kinds = (("mu", 13), ("pi", -211), ("e", 11))
    guns = {name: bench.gun(f"ingredients {name}", pdg, _TRACKS, (0.4, 1.85), (-0.9, 0.9)) for name, pdg in kinds}
    return _Samples(pairs, guns)


def _outcome(bench: Bench, samples: _Samples, ingredient: Ingredient) -> _Outcome:
    columns: dict[str, Floats] = {}
    for channel, truths in samples.pairs.items():
        truth = truths[1] if ingredient.spread else truths[0]
        shots = bench.measure(f"ingredients {channel}", truth, ingredient.without)
        chosen = selected(shots, channel, _MASSES)
        columns[f"yield_{channel}"] = np.bincount(chosen.number, minlength=truth.n_events).astype(np.float64)
        every = selected(shots, channel, (0.0, math.inf))
        deviation = np.full(truth.n_events, np.nan)
        found = 1e3 * mass_deviation(shots, channel)
        middle = np.abs(every.mass - 1e-3 * found - 2.15) < _NEAR
        deviation[every.number[middle]] = found[middle]
        columns[f"width_{channel}"] = deviation
    for name, truth in samples.guns.items():
        shots = bench.measure(f"ingredients {name}", truth, ingredient.without)
        event, track = shots.found()
        flags = {}
        if name != "e":
            flags[f"{name}_as_e"] = shots.events.e_over_p[track] > 0.8
        if name != "mu":
            flags[f"{name}_not_e"] = shots.events.chi2[track, MUON] < shots.events.chi2[track, ELECTRON]
        for key, flag in flags.items():
            columns[key] = _column(truth.n_events, event, flag)
        if name == "pi":
            inside = event[np.isfinite(shots.record.muc_depth[track])]
            columns["pi_as_mu"] = _column(truth.n_events, inside, np.asarray(muon_counter_says(shots)[1]))
    return _Outcome(columns)


def _column(n: int, event: NDArray[np.int64], flag: NDArray[np.bool_]) -> Floats:
    column = np.full(n, np.nan)
    column[event] = flag
    return column


def _value(name: str, column: Floats) -> float:
    known = column[np.isfinite(column)]
    if name.startswith("width"):
        return half_width(known)
    return 100.0 * float(known.mean())


def _difference(name: str, with_it: Floats, without: Floats) -> tuple[float, float]:
    """Return with - without and its error: from the parts of the sample, each measured both ways.

    Yields change relative to the nominal one.
    """
    scale = 100.0 / _value(name, with_it) if name.startswith("yield") else 1.0
    change = _value(name, with_it) - _value(name, without)
    parts = [_value(name, with_it[i::PARTS]) - _value(name, without[i::PARTS]) for i in range(PARTS)]
    return scale * change, scale * float(np.std(parts, ddof=1)) / math.sqrt(PARTS)


def ingredient_effects(bench: Bench, jobs: int) -> tuple[Floats, list[Effect]]:
    """Return the nominal quantities, and the effect of every ingredient of the card on the same random numbers."""
    samples = _samples(bench)
    asked = [_NOMINAL, *ingredients_of(bench.card)]
    with ThreadPoolExecutor(jobs) as executor:
        outcomes = list(bounded_map(executor, lambda one: _outcome(bench, samples, one), ((a,) for a in asked), jobs))
    nominal = outcomes[0].columns
    effects = []
    for ingredient, outcome in zip(asked[1:], outcomes[1:]):
        changes = [_difference(q.name, nominal[q.name], outcome.columns[q.name]) for q in QUANTITIES]
        without = np.array([_value(q.name, outcome.columns[q.name]) for q in QUANTITIES])
        effects.append(Effect(ingredient, without, *(np.array(one) for one in zip(*changes))))
    return np.array([_value(q.name, nominal[q.name]) for q in QUANTITIES]), effects


def write_effects(stem: Path, nominal: Floats, effects: list[Effect], title: str) -> None:
    """Write the effects as STEM.csv."""
    columns: dict[str, NDArray[np.str_] | Floats] = {
        "ingredient": np.array([effect.ingredient.name for effect in effects], dtype=np.str_),
        "without": np.array([effect.ingredient.sentence for effect in effects], dtype=np.str_),
        "keys": np.array([" ".join(effect.ingredient.without) for effect in effects], dtype=np.str_),
    }
    for i, quantity in enumerate(QUANTITIES):
        columns[quantity.name] = np.full(len(effects), nominal[i])
        columns[f"{quantity.name}_without"] = np.array([effect.without[i] for effect in effects])
        columns[f"{quantity.name}_change"] = np.array([effect.change[i] for effect in effects])
        columns[f"{quantity.name}_change_error"] = np.array([effect.error[i] for effect in effects])
    write_table(stem.with_suffix(".csv"), columns, [title])


def effect_lines(nominal: Floats, effects: list[Effect]) -> list[str]:
    """Return the effects as a table to read: per ingredient what it changes, with errors."""
    heads = [f"{q.name.replace('_', ' ')} [{q.unit}]" for q in QUANTITIES]
    lines = ["| ingredient | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    lines.append("| **all together** | " + " | ".join(f"{value:.4g}" for value in nominal) + " |")
    for effect in effects:
        cells = [_change(change, error) for change, error in zip(effect.change, effect.error)]
        lines.append(f"| {effect.ingredient.name} | " + " | ".join(cells) + " |")
    return lines


def _change(change: float, error: float) -> str:
    if abs(change) < _ZERO and error < _ZERO:
        return "0"
    digits = max(1 - math.floor(math.log10(error)), 0) if error > 0.0 else 3
    return f"{change:+.{min(digits, 6)}f} ± {error:.{min(digits, 6)}f}"
