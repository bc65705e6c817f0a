"""How often a limit of the bump hunt is above the true signal, by toys of a hundred events per bin and more."""

import math

import numpy as np

from ..analysis.bump_hunt import bench
from ..analysis.bump_hunt.asymptotics import log_cls
from ..analysis.bump_hunt.model import Model
from ..analysis.bump_hunt.newton import LANES, DataSets
from ..analysis.bump_hunt.poisson import draw_counts
from ..analysis.bump_hunt.toys import expected_signal, scan_toys
from ..arrays import Floats
from ..rng import key
from .check import Check, Line, Plot, Result, Settings
from .comparison import at_least
from .gaussian_limits import CLS, ONE_SIDED, TWO_SIDED
from .hunt_spectra import BINS, expectation, hunt_model, near

TOPIC = "coverage"
_TOYS = 9600
_MASS = 2.5
#: mu mu events per 10 MeV.
_LEVELS = (100.0, 10_000.0)
_JUDGED = (0.0, 1.0, 2.0, 3.0)
_STRENGTHS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
_METHODS = {
    "bounded, two-sided 90 %": (TWO_SIDED, 0.94),
    "bounded, one-sided 90 %": (ONE_SIDED, 0.89),
    "CLs 90 %": (CLS, 0.90),
}
#: Coverages that methods have for many counts and a signal far from zero.
LEVELS = (0.90, 0.95)
_X, _Y = "true signal [$\\sigma$]", "coverage"


def coverage(settings: Settings) -> list[Check]:
    """Return the checks of the coverage of limits."""
    return [
        Check(TOPIC, f"{level:g} events, {strength:g} sigma", lambda a=level, b=strength: _toys(settings, a, b))  # type: ignore[misc]
        for level in _LEVELS
        for strength in _STRENGTHS
    ]


def cls_coverage(model: Model, nu: Floats, strength: float, n_toys: int, seed: int, alpha: float) -> float:
    """Return how often the exact CLs of toys at the true signal, in units of its expected error, is above alpha."""
    covered = 0
    counts = np.empty((*nu.shape, LANES))
    constraint, auxiliary = np.zeros((nu.shape[0], LANES)), np.zeros((len(model.nuisances), LANES))
    for first in range(0, n_toys, LANES):
        draw_counts(*key(seed), first, nu, counts)
        data = DataSets(counts, constraint, auxiliary)
        zero = bench.fit_at(model, 0, data, 0.0)
        best = bench.fit_signal(model, 0, data, zero)
        at = bench.fit_at(model, 0, data, strength, best)
        asimov = bench.asimov(model, 0, data, zero)
        null = bench.fit_at(model, 0, asimov, 0.0)
        expected = bench.fit_at(model, 0, asimov, strength, null)
        q = np.where(best.x > strength, 0.0, at.q - np.where(best.x < 0.0, zero.q, best.q))
        above = log_cls(q, expected.q - null.q) > math.log(alpha)
        covered += int(np.count_nonzero(above[: n_toys - first]))
    return covered / n_toys


def _toys(settings: Settings, level: float, strength: float) -> Result:
    at = int(np.argmin(np.abs(BINS.centre - _MASS)))
    full = expectation(BINS, level / (5.0 * float(expectation(BINS)[0, at])))
    model, n_toys = hunt_model(full, _MASS), settings.size(_TOYS)
    truth = strength * float(model.unit[0])
    nu = near(full, BINS, _MASS) + expected_signal(model, 0, truth)
    seed = settings.seed_of("coverage", f"{level:g}", f"{strength:g}")
    plot = Plot(
        "coverage", f"bump hunt, {level:g} events per 10 MeV ($\\mu\\mu$)", _X, _Y, y_range=(0.87, 1.005), levels=LEVELS
    )
    rows, lines = [], []
    for label, (convention, least) in _METHODS.items():
        if convention.is_cls:  # at zero signal CLs is one
            alpha = 1.0 - convention.confidence
            value = cls_coverage(model, nu, strength, n_toys, seed, alpha) if strength > 0.0 else 1.0
        else:
            value = float(np.mean(scan_toys(model, nu, n_toys, seed, convention=convention).upper >= truth))
        error = math.sqrt(max(value * (1.0 - value), 1.0 / n_toys) / n_toys)
        if strength in _JUDGED:
            text, source = f"coverage at {strength:g} sigma", f"{n_toys} toys at {_MASS:g} GeV"
            rows.append(at_least(f"{label}, {level:g} events", text, value, error, least, source))
        lines.append(Line(plot, label, np.array([strength]), np.array([value]), np.array([error])))
    return Result(rows, [], lines)
