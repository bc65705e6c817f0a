"""Limits of counting experiments beside numerical minimisation, published values and closed forms."""

import math
from itertools import product

import numpy as np

from ..analysis.limit import DELTA_90, gaussian_q, poisson_limit
from ..analysis.rolke_models import Counted, Gaussian, Sideband, rolke_limit
from .brute_force import Background, Efficiency, brute_q, brute_upper
from .check import Check, Result, Settings
from .comparison import Comparison, bounded

TOPIC = "counting limits"
_BRUTE = "minimised numerically over background and efficiency"
#: n and b of the grid: nothing, far fewer than expected, not an integer, many.
_COUNTS = ((0.0, 0.0), (0.0, 4.0), (0.4, 2.0), (3.0, 0.0), (4.0, 60.0), (50.5, 40.0), (7600.0, 8000.0), (1e7, 1e7))
_EFFICIENCIES = ((0.63, 0.0), (0.63, 0.05), (1.0, 0.35))
#: Beyond this q rounding of the numerical minimum exceeds what is asked for.
_LARGEST_Q = 1e5
_MODELS: tuple[tuple[str, float, Background, Efficiency], ...] = (
    ("model 1", 5.0, Sideband(10.0, 2.5), Counted(50.0, 100.0)),
    ("model 1", 1.0, Sideband(40.0, 2.0), Counted(30.0, 100.0)),
    ("model 1", 8000.0, Sideband(40300.0, 5.0), Counted(6300.0, 10000.0)),
    ("model 2", 10.0, Sideband(3.0, 2.5), Gaussian(0.9, 0.05)),
    ("model 2", 0.0, Sideband(0.0, 1.0), Gaussian(0.5, 0.1)),
    ("model 2", 3.7, Sideband(6.2, 0.7), Gaussian(1.2, 0.2)),
    ("model 3", 10.0, Gaussian(5.0, 0.5), Gaussian(0.9, 0.05)),
    ("model 3", 7600.0, Gaussian(8000.0, 25.0), Gaussian(0.63, 0.0315)),
    ("model 3", 1.0, Gaussian(25.0, 3.0), Gaussian(0.9, 0.05)),
    ("model 4", 1.0, Sideband(7.0, 5.0), Gaussian(0.25)),
    ("model 4", 0.0, Sideband(7.0, 5.0), Gaussian(0.25)),
    ("model 5", 4.0, Gaussian(2.0, 1.0), Gaussian(0.65)),
    ("model 6", 25.0, Gaussian(10.0), Counted(500.0, 750.0)),
    ("model 7", 15.0, Gaussian(10.0), Gaussian(0.77, 0.15)),
)


def counting_limits(settings: Settings) -> list[Check]:
    """Return the checks of the limits of counting experiments."""
    return [
        Check(TOPIC, "closed form", lambda: _closed_form(settings)),
        Check(TOPIC, "models of Rolke", _models),
        Check(TOPIC, "single values", _single_values),
    ]


def _closed_form(settings: Settings) -> Result:
    strengths = (0.01, 1.5, 4.0) if settings.quick else (0.0, 0.01, 0.5, 1.5, 4.0, 12.0)
    worst = dict.fromkeys(_COUNTS, 0.0)
    for (n, b), width, (e, relative) in product(_COUNTS, (0.0, 0.3, 2.0), _EFFICIENCIES):
        sigma_b, sigma_e = width * math.sqrt(b + 0.1), relative * e
        scale = math.sqrt(n + b + sigma_b**2 + 1.0) / e
        for strength in strengths:
            mu = strength * scale
            exact = brute_q(mu, n, Gaussian(b, sigma_b), Gaussian(e, sigma_e))
            if exact < _LARGEST_Q:
                q, _ = gaussian_q(mu, (n, b, sigma_b**2, e, sigma_e**2))
                worst[n, b] = max(worst[n, b], abs(q - exact))
    text = f"largest difference in q, {9 * len(strengths)} points"
    rows = [bounded(f"n = {n:g}, b = {b:g}", text, worst[n, b], 1e-6, "", _BRUTE) for n, b in _COUNTS]
    return Result(rows, [])


def _models() -> Result:
    rows = []
    for name, n, background, efficiency in _MODELS:
        ours = float(rolke_limit(n, background, efficiency).upper)
        theirs = brute_upper(n, background, efficiency, DELTA_90)
        words = f"upper limit of n = {n:g}, {_words(background)}, {_words(efficiency)}"
        rows.append(Comparison(name, words, ours, 0.0, theirs, 0.0, "events", 1e-6, _BRUTE))
    return Result(rows, [])


def _words(known: Background | Efficiency) -> str:
    if isinstance(known, Sideband):
        return f"{known.counts:g}/{known.tau:g}"
    if isinstance(known, Counted):
        return f"{known.passed:g} of {known.total:g}"
    return f"{known.mean:g} +- {known.sigma:g}"


def _single_values() -> Result:
    tutorial = float(rolke_limit(5, Sideband(10, 2.5), Counted(50, 100)).upper)
    subject, text = "ROOT's Rolke.C", "n = 5, 10/2.5, 50 of 100"
    rows = [
        Comparison(subject, text, tutorial, 0.0, 12.1019, 0.0, "events", 5e-6, "MINOS, six digits"),
        Comparison(
            subject,
            text,
            tutorial,
            0.0,
            11.5943,
            0.0,
            "events",
            None,
            "TRolke",
            remark="a sign is wrong in its model 1",
        ),
    ]
    for delta, words in ((DELTA_90, "two-sided 90 %"), (3.841458821, "two-sided 95 %")):
        ours = float(poisson_limit(0, 4, 1, 1, 0, delta=delta).upper)
        rows.append(Comparison("n = 0", words, ours, 0.0, 0.5 * delta, 0.0, "events", 1e-9, "delta / 2"))
    sb = np.array([0.0, 25.0, 50.0, 100.0])
    ours_b = poisson_limit(8000, 8000, sb, 0.63, 0.0315).upper
    for s, value, reference in zip(sb, ours_b, (235.7, 244.6, 269.5, 352.1), strict=True):
        text = f"upper limit, b = 8000 +- {s:g}, efficiency 0.63 +- 5 %"
        source = "another implementation, four digits"
        rows.append(Comparison("n = 8000", text, float(value), 0.0, reference, 0.0, "events", 3e-4, source))
    empty = bool(poisson_limit(7600, 8000, 25, 0.63, 0.0315, bounded=False).empty)
    rows.append(
        Comparison("n = 7600, b = 8000 +- 25", "unbounded interval empty", float(empty), 0.0, 1.0, 0.0, "", 0.0, "yes")
    )
    return Result(rows, [])
