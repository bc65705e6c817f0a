"""How often a limit is above the true signal: many counts by toys of the bump hunt, few counts by exact sums."""

import math

import numpy as np
from scipy import optimize, special, stats

from ..analysis.bump_hunt import bench
from ..analysis.bump_hunt.asymptotics import log_cls
from ..analysis.bump_hunt.model import Model
from ..analysis.bump_hunt.newton import LANES, DataSets
from ..analysis.bump_hunt.poisson import draw_counts
from ..analysis.bump_hunt.toys import expected_signal, scan_toys
from ..analysis.limit import poisson_limit
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
_X, _Y = "true signal [$\\sigma$]", "coverage"
_BACKGROUNDS = (0.5, 3.0, 10.0, 100.0)
_FEW_MAX = 12.0


def coverage(settings: Settings) -> list[Check]:
    """Return the checks of the coverage of limits."""
    checks = [
        Check(TOPIC, f"{level:g} events, {strength:g} sigma", lambda a=level, b=strength: _toys(settings, a, b))  # type: ignore[misc]
        for level in _LEVELS
        for strength in _STRENGTHS
    ]
    return [*checks, *(Check(TOPIC, f"b = {b:g}", lambda b=b: _exact(b)) for b in _BACKGROUNDS)]  # type: ignore[misc]


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
    plot = Plot("coverage", f"bump hunt, {level:g} events per 10 MeV ($\\mu\\mu$)", _X, _Y, y_range=(0.87, 1.005))
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


def counted_cls_upper(n: Floats, b: float, alpha: float) -> Floats:
    """Return CLs limits of counts over a known background: P(<= n | mu + b) = alpha P(<= n | b)."""

    def distance(mu: float, k: float) -> float:
        # P(<= k | x) = Q(k + 1, x)
        return float(special.gammaincc(k + 1.0, mu + b) - alpha * special.gammaincc(k + 1.0, b))

    return np.array([optimize.brentq(distance, 0.0, k + 10.0 * math.sqrt(k + 10.0) + 10.0, args=(k,)) for k in n])


def _exact(b: float) -> Result:
    """Sum the probabilities of all counts whose limit is above the truth, on a fine grid of the truth."""
    sigma = math.sqrt(b)
    mu = np.linspace(0.0, _FEW_MAX * max(1.0, sigma / 3.0), 1201)
    n = np.arange(0.0, math.ceil(mu[-1] + b + 12.0 * math.sqrt(mu[-1] + b) + 20.0))
    weight = stats.poisson.pmf(n[:, None], mu + b)
    uppers = {
        "bounded, two-sided 90 %": poisson_limit(n, b, 0, 1, 0, delta=TWO_SIDED.delta).upper,
        "bounded, one-sided 90 %": poisson_limit(n, b, 0, 1, 0, delta=ONE_SIDED.delta).upper,
        "unbounded, one-sided 90 %": poisson_limit(n, b, 0, 1, 0, delta=ONE_SIDED.delta, bounded=False).upper,
        "CLs 90 %, exact": counted_cls_upper(n, b, 0.1),
    }
    rows, lines = [], []
    plot = Plot("coverage", f"counting, b = {b:g} known", "true signal [events]", _Y, y_range=(0.79, 1.01))
    for label, upper in uppers.items():
        value = np.sum(weight * (np.nan_to_num(upper, nan=-1.0)[:, None] >= mu), axis=0)
        worst = int(np.argmin(value))
        text = f"least coverage, at {mu[worst]:.2f} events"
        # Poisson probabilities of discrete counts: the profile likelihood covers less, CLs by construction not
        bound = 0.90 - 1e-9 if label.startswith("CLs") else None
        remark = "" if bound else "few counts: limits by toys instead" if b < 20.0 else "discrete counts"
        subject = f"{label}, b = {b:g}"
        rows.append(at_least(subject, text, float(value[worst]), 0.0, bound, "exact sums", remark=remark))
        lines.append(Line(plot, label, mu, value))
    return Result(rows, [], lines)
