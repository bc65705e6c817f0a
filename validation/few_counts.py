"""Coverage of a bump hunt where a few events lie under the signal: asymptotic limits, and toys in their place."""

import math

import numpy as np

from ..analysis.bump_hunt.asymptotics import CLS_90
from ..analysis.bump_hunt.model import MIN_CONTAINMENT, Model
from ..analysis.bump_hunt.poisson import draw_counts
from ..analysis.bump_hunt.scan import MIN_EVENTS, scan
from ..analysis.bump_hunt.toy_limit import toy_limit
from ..analysis.bump_hunt.toys import expected_signal
from ..analysis.spectrum import bin_edges, search_bins
from ..rng import derive_seed, key
from .check import Check, Line, Plot, Result, Settings
from .comparison import Comparison, at_least
from .coverage import LEVELS, TOPIC
from .gaussian_limits import ONE_SIDED, TWO_SIDED
from .hunt_spectra import expectation, hunt_model

_MASS, _PER_BIN = 2.5, 3.0
_DATA, _QUICK_DATA, _TOYS = 240, 48, 400
_STRENGTHS = (1.0, 2.0, 3.0)
_ALPHA = 0.10
_BINS = search_bins(bin_edges(2.45, 2.55, 0.002), None)


def few_counts(settings: Settings) -> list[Check]:
    """Return a check per true signal."""
    name = "few counts"
    return [Check(TOPIC, f"{name}, {x:g} sigma", lambda x=x: _at(settings, x)) for x in _STRENGTHS]  # type: ignore[misc]


def _model(counts: object) -> Model:
    return hunt_model(np.asarray(counts, dtype=np.float64), _MASS, _BINS, half_width=0.05, order=1)


def _at(settings: Settings, strength: float) -> Result:
    whole = expectation(_BINS)[:1]
    nu = whole * _PER_BIN / (5.0 * whole[0, _BINS.centre.size // 2])
    model = _model(nu)
    truth = strength * float(model.unit[0])
    nu = nu + expected_signal(model, 0, truth)
    n_data = _QUICK_DATA if settings.quick else _DATA
    seed = settings.seed_of("few counts", f"{strength:g}")
    counts = np.empty((*nu.shape, n_data))
    draw_counts(*key(seed), 0, nu, counts)
    covered = dict.fromkeys(("two-sided", "one-sided", "CLs", "toys"), 0)
    failed = 0
    for k in range(n_data):
        data = _model(counts[..., k])
        limits = scan(data, conventions=(TWO_SIDED, ONE_SIDED, CLS_90)).limits
        for label, convention in (("two-sided", TWO_SIDED), ("one-sided", ONE_SIDED), ("CLs", CLS_90)):
            covered[label] += bool(limits[convention.name].observed[0] >= truth)
        toys = toy_limit(data, 0, [truth], _TOYS, derive_seed(seed, str(k)))
        covered["toys"] += bool(toys.cls[0] >= _ALPHA)
        failed += toys.failed
    labels = {
        "two-sided": "bounded, two-sided 90 %",
        "one-sided": "bounded, one-sided 90 %",
        "CLs": "CLs 90 %, asymptotic",
        "toys": "CLs 90 %, toys",
    }
    events = float(model.effective_events[0])
    plot = Plot(
        "coverage", f"bump hunt, {events:.0f} events under the signal", "true signal [$\\sigma$]", "coverage",
        y_range=(0.74, 1.01), levels=LEVELS,
    )  # fmt: skip
    rows, lines = [], []
    for shift, (label, name) in enumerate(labels.items()):
        value = covered[label] / n_data
        error = math.sqrt(max(value * (1.0 - value), 1.0 / n_data) / n_data)
        least = 1.0 - _ALPHA if label == "toys" else None
        source = f"{n_data} data sets" + (f" of {_TOYS} toys" if label == "toys" else "")
        text = f"coverage at {strength:g} sigma"
        rows.append(at_least(f"{name}, {events:.0f} events under the signal", text, value, error, least, source))
        lines.append(Line(plot, name, np.array([strength + 0.04 * shift]), np.array([value]), np.array([error])))
    flagged = float(events < MIN_EVENTS and float(model.containment.min()) >= MIN_CONTAINMENT)
    text, subject = "flagged: toys in place of formulas", f"{events:.0f} events under the signal"
    if strength == _STRENGTHS[0]:
        rows.append(Comparison(subject, text, flagged, 0.0, 1.0, 0.0, "", 0.0, "yes"))
    return Result(rows, [], lines)
