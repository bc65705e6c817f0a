"""How often a limit on few counts over a known background is above the true signal: exact sums, no toys."""

import math

import numpy as np
from scipy import optimize, special, stats

from ..analysis.limit import poisson_limit
from ..arrays import Floats
from .check import Check, Line, Plot, Result
from .comparison import at_least
from .coverage import LEVELS, TOPIC
from .gaussian_limits import ONE_SIDED, TWO_SIDED

_BACKGROUNDS = (3.0, 10.0, 100.0)
_FEW_MAX = 12.0


def counting_coverage() -> list[Check]:
    """Return a check per background."""
    return [Check(TOPIC, f"b = {b:g}", lambda b=b: _exact(b)) for b in _BACKGROUNDS]  # type: ignore[misc]


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
        "CLs 90 %, exact": counted_cls_upper(n, b, 0.1),
        "unbounded, one-sided 90 %": poisson_limit(n, b, 0, 1, 0, delta=ONE_SIDED.delta, bounded=False).upper,
    }
    rows, lines = [], []
    plot = Plot(
        "coverage",
        f"counting, b = {b:g} known",
        "true signal [events]",
        "coverage",
        y_range=(0.79, 1.01),
        levels=LEVELS,
    )
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
