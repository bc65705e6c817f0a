"""How long limits and scans take on one core: reported, not judged."""

import math
import time
from collections.abc import Callable

import numpy as np

from ..analysis.bump_hunt.linear import linear_scan
from ..analysis.bump_hunt.model import mass_grid
from ..analysis.bump_hunt.toys import scan_toys
from ..analysis.limit import poisson_limit
from .check import Check, Result, Settings
from .comparison import Comparison
from .hunt_spectra import BINS, expectation, hunt_model

TOPIC = "speed"
_LIMITS = 165_000
_TOYS = 320


def statistics_speed(settings: Settings) -> list[Check]:
    """Return the check of times."""
    return [Check(TOPIC, "speed", lambda: _speed(settings))]


def _seconds(task: Callable[[], object]) -> float:
    """Return the processor time of this thread for a task that was run before."""
    task()
    start = time.thread_time()
    task()
    return time.thread_time() - start


def _speed(settings: Settings) -> Result:
    n = 8000.0 + np.linspace(-300.0, 300.0, _LIMITS)
    rolke = _seconds(lambda: poisson_limit(n, 8000, 25, 1, 0.05))
    nu, n_toys = expectation(BINS), _TOYS // 2 if settings.quick else _TOYS
    model = hunt_model(nu, mass_grid(BINS, 0.010))
    toys = _seconds(lambda: scan_toys(model, nu, n_toys, settings.seed)) / n_toys
    spectra = np.repeat(nu[None], n_toys, axis=0)
    linear = _seconds(lambda: linear_scan(model, spectra)) / n_toys
    nan = math.nan
    rows = [
        Comparison(subject, text, value, nan, aim, nan, "s", None, "aim, processor time of one core")
        for subject, text, value, aim in (
            ("counting limits", f"{_LIMITS} of 8000 events", rolke, 0.5),
            ("exact scans", f"1000 toys, {model.masses.size} masses, limits; from {n_toys}", 1000.0 * toys, 3.0),
            ("linear scans", f"the same; from {n_toys}", 1000.0 * linear, 0.1),
        )
    ]
    return Result(rows, [])
