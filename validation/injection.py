"""Signals of known strength put into toys and found again: line, intercept and pulls at ten masses."""

import math

import numpy as np

from ..analysis.bump_hunt.asymptotics import CLS_90
from ..analysis.bump_hunt.toys import expected_signal, scan_toys
from .check import Check, Line, Plot, Result, Settings
from .comparison import Comparison
from .hunt_spectra import BINS, TEN_MASSES, expectation, hunt_model, near

TOPIC = "injection"
_TOYS = 9600
_STRENGTHS = np.array([0.0, 1.0, 2.0, 3.0, 5.0])
_MASS, _INJECTED = "mass [GeV]", "injected signal [$\\sigma$]"
_LINE = Plot("injection", "signals found", _INJECTED, "mean of best signals [$\\sigma$]")
_SLOPE = Plot("injection", "slope", _MASS, "slope", y_range=(0.96, 1.04), wanted=(0.98, 1.02))
_INTERCEPT = Plot("injection", "intercept", _MASS, "intercept [$\\sigma$]", y_range=(-0.15, 0.15), wanted=(-0.1, 0.1))
_MEAN = Plot("injection", "means of pulls", _MASS, "mean of pulls", y_range=(-0.15, 0.15), wanted=(-0.1, 0.1))
_WIDTH = Plot("injection", "widths of pulls", _MASS, "width of pulls", y_range=(0.92, 1.08), wanted=(0.95, 1.05))
_PULLS = Plot("injection", "pulls at 3 $\\sigma$", "pull", "density", logarithmic=True, y_range=(1e-4, 1.0))
_SHOWN = (1.505, 2.2, 2.945)


def injection(settings: Settings) -> list[Check]:
    """Return a check per mass."""
    return [Check(TOPIC, f"{mass:g} GeV", lambda mass=mass: _at(settings, mass)) for mass in TEN_MASSES]  # type: ignore[misc]


def _at(settings: Settings, mass: float) -> Result:
    subject, source = f"{mass:g} GeV", "unbiased estimator"
    model, nu, n_toys = hunt_model(expectation(BINS), mass), near(expectation(BINS), BINS, mass), settings.size(_TOYS)
    unit = float(model.unit[0])
    found, pulls = np.empty((2, _STRENGTHS.size)), np.empty((_STRENGTHS.size, n_toys))
    for k, strength in enumerate(_STRENGTHS):
        truth = strength * unit
        seed = settings.seed_of("injection", subject, f"{strength:g}")
        toys = scan_toys(model, nu + expected_signal(model, 0, truth), n_toys, seed, convention=CLS_90)
        found[:, k] = np.nanmean(toys.mu_hat) / unit, np.nanstd(toys.mu_hat) / unit / math.sqrt(n_toys)
        pulls[k] = (toys.mu_hat[:, 0] - truth) / toys.error[:, 0]
    (slope, intercept), covariance = np.polyfit(_STRENGTHS, found[0], 1, w=1.0 / found[1], cov="unscaled")
    slope_error, intercept_error = np.sqrt(np.diag(covariance))
    mean, width = np.nanmean(pulls, axis=1), np.nanstd(pulls, axis=1)
    mean_error, width_error = 1.0 / math.sqrt(n_toys), 1.0 / math.sqrt(2.0 * n_toys)
    far, odd = int(np.argmax(np.abs(mean))), int(np.argmax(np.abs(width - 1.0)))
    failed = float(np.count_nonzero(~np.isfinite(pulls)))
    rows = [
        Comparison(subject, "slope", slope, slope_error, 1.0, 0.0, "", 0.02, source),
        _within(subject, "intercept", intercept, intercept_error),
        _within(subject, f"mean of pulls, the farthest: {_STRENGTHS[far]:g} sigma", mean[far], mean_error),
        Comparison(
            subject, f"width of pulls, the farthest: {_STRENGTHS[odd]:g} sigma", width[odd], width_error,
            1.0, 0.0, "", 0.05, source,
        ),
        Comparison(subject, "failed fits", failed, math.nan, 0.0, 0.0, "", 0.0, source)._replace(at_most=0.0),
    ]  # fmt: skip
    at = np.array([mass])
    edges = np.linspace(-4.0, 4.0, 33)
    lines = [
        Line(_LINE, "injected", _STRENGTHS, _STRENGTHS),
        Line(_LINE, "found, ten masses", _STRENGTHS, found[0], found[1]),
        Line(_SLOPE, "slope", at, np.array([slope]), np.array([slope_error])),
        Line(_INTERCEPT, "intercept", at, np.array([intercept]), np.array([intercept_error])),
    ]
    for k, strength in enumerate(_STRENGTHS):
        label = f"{strength:g} $\\sigma$"
        lines.append(Line(_MEAN, label, at, mean[k : k + 1], np.array([mean_error])))
        lines.append(Line(_WIDTH, label, at, width[k : k + 1], np.array([width_error])))
    if mass in _SHOWN:
        number = np.histogram(pulls[3], edges)[0]
        per = n_toys * (edges[1] - edges[0])
        centre = 0.5 * (edges[1:] + edges[:-1])
        shown = number > 0
        lines.append(Line(_PULLS, subject, centre[shown], number[shown] / per, np.sqrt(number[shown]) / per))
        if mass == _SHOWN[-1]:
            lines.append(Line(_PULLS, "normal", centre, np.exp(-0.5 * centre**2) / math.sqrt(2.0 * math.pi)))
    return Result(rows, [], lines)


def _within(subject: str, text: str, value: float, error: float) -> Comparison:
    """Return the row of a number in units of sigma whose size must not exceed 0.1."""
    row = Comparison(subject, f"|{text}|", abs(value), error, math.nan, math.nan, "sigma", None, "unbiased estimator")
    return row._replace(at_most=0.1)
