"""Data that are their own expectation: no signal, and the observed limit is the median expected one."""

from typing import Any

import numpy as np
from numpy.polynomial import legendre

from ..analysis.bump_hunt.asymptotics import BANDS, CLS_95
from ..analysis.bump_hunt.scan import scan
from .check import Check, Result
from .comparison import Comparison, bounded
from .gaussian_limits import CLS, ONE_SIDED, TWO_SIDED
from .hunt_spectra import BINS, TEN_MASSES, hunt_model

TOPIC = "data as expected"
#: Legendre coefficients of mu mu and e e over the whole range.
_COEFFICIENTS = ((3000.0, -900.0, 200.0, -20.0), (60_000.0, -40_000.0, 6000.0, 0.0))


def asimov() -> list[Check]:
    """Return the check of data without fluctuations."""
    return [Check(TOPIC, "Asimov data", _asimov)]


def _asimov() -> Result:
    counts = []
    for coefficients in _COEFFICIENTS:
        integral = legendre.legint(coefficients)
        low, high = (legendre.legval((edge - 2.45) / 0.95, integral) for edge in (BINS.mass_low, BINS.mass_high))
        counts.append((high - low) * 0.95 / 0.002)
    options: dict[str, Any] = {"yield_errors": {"efficiency": 0.05}, "resolution_errors": {"resolution": 0.05}}
    model = hunt_model(np.array(counts), TEN_MASSES, **options)
    result = scan(model, conventions=(TWO_SIDED, ONE_SIDED, CLS, CLS_95))
    subject, source = "cubic at ten masses, two nuisances", "exact"
    rows = [
        bounded(subject, "best signal", float(np.abs(result.mu_hat / model.unit).max()), 1e-7, "sigma", source),
        bounded(subject, "|Z|", float(np.abs(result.z).max()), 1e-7, "sigma", source),
    ]
    for name, limit in result.limits.items():
        ratio = limit.observed / limit.expected[BANDS == 0.0][0]
        far = float(ratio[np.argmax(np.abs(ratio - 1.0))])
        text = f"observed over median expected limit, {name}"
        rows.append(Comparison(subject, text, far, 0.0, 1.0, 0.0, "", 1e-6, source))
    # a hundred times the events, the signal with them: a tenth of the error on mu
    more = scan(hunt_model(100.0 * np.array(counts), TEN_MASSES, **options))
    ratio = result.error / more.error
    text = "error over that with 100 times the background"
    rows.append(
        Comparison(subject, text, float(ratio[np.argmax(np.abs(ratio - 0.1))]), 0.0, 0.1, 0.0, "", 1e-6, "exact")
    )
    return Result(rows, [])
