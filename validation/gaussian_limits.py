"""Limits of one Gaussian measurement in units of its error, by every method: a counting experiment and a bump hunt."""

import math

import numpy as np
from scipy import special

from ..analysis.bump_hunt.asymptotics import Convention, cls_convention, gaussian_upper, profile_convention
from ..analysis.bump_hunt.channel import Channel
from ..analysis.bump_hunt.model import build_model
from ..analysis.bump_hunt.scan import scan
from ..analysis.bump_hunt.templates import signal_shape
from ..analysis.limit import poisson_limit
from ..analysis.rolke_models import Gaussian, Sideband, rolke_limit
from ..analysis.spectrum import bin_edges, search_bins
from ..arrays import Floats
from .check import Check, Line, Plot, Result
from .comparison import Comparison, bounded

TOPIC = "limits of one bin"
TWO_SIDED, ONE_SIDED, CLS = profile_convention(), profile_convention(sides=1), cls_convention()
UNBOUNDED = profile_convention(bounded=False)
#: Best signals of the table [sigma], and the published limits to three decimals.
_PULLS = np.array([-5.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0])
_TABLE = {
    TWO_SIDED.name: (0.264, 0.421, 0.590, 0.925, 1.645, 2.645, 3.645, 4.645),
    ONE_SIDED.name: (0.162, 0.262, 0.375, 0.626, 1.282, 2.282, 3.282, 4.282),
    CLS.name: (0.427, 0.643, 0.837, 1.148, 1.645, 2.378, 3.295, 4.282),
}
_LABELS = {
    TWO_SIDED.name: "bounded, two-sided 90 %",
    ONE_SIDED.name: "bounded, one-sided 90 %",
    CLS.name: "CLs 90 %",
    UNBOUNDED.name: "unbounded, two-sided 90 %",
}
_PLOT = Plot("gaussian_limits", "one bin of 8000 events", "best signal [$\\sigma$]", "upper limit [$\\sigma$]")
#: Events of a background known to 1 %, and so many that q of a bump hunt is nearly a parabola.
_MANY, _SMOOTH = 1e14, 1e8


def gaussian_limits() -> list[Check]:
    """Return the checks of the limits of one bin."""
    return [Check(TOPIC, "one bin", _one_bin), Check(TOPIC, "bump hunt of one bin", _engine)]


def closed_form(pulls: Floats, convention: Convention) -> Floats:
    """Return limits in units of the error by the textbook's formulas; NaN where the interval is empty."""
    if convention.is_cls:
        alpha = 1.0 - convention.confidence
        return np.asarray(pulls - special.ndtri(alpha * special.ndtr(pulls)))
    free = pulls + math.sqrt(convention.delta)
    if not convention.bounded:
        return np.where(free > 0.0, free, np.nan)
    return np.where(pulls < 0.0, pulls + np.sqrt(pulls**2 + convention.delta), free)


def _one_bin() -> Result:
    rows, lines = [], []
    sigma = math.hypot(1e12, math.sqrt(_MANY))  # of a background known to 1 %, so that the likelihood is Gaussian
    fine = np.linspace(-5.0, 4.0, 181)
    for convention in (TWO_SIDED, ONE_SIDED, UNBOUNDED, CLS):
        label, exact = _LABELS[convention.name], closed_form(_PULLS, convention)
        if convention.is_cls:
            ours = gaussian_upper(_PULLS, np.ones(_PULLS.size), convention)
        else:
            n = _MANY + _PULLS * sigma
            limit = poisson_limit(n, _MANY, 1e12, 1, 0, delta=convention.delta, bounded=convention.bounded)
            ours = limit.upper / sigma
        same = bool(np.array_equal(np.isnan(ours), np.isnan(exact)))
        worst = float(np.nanmax(np.abs(ours - exact))) if same else math.inf
        rows.append(bounded(label, "largest difference of eight limits", worst, 1e-9, "sigma", "closed form"))
        for pull, value, reference in zip(_PULLS, ours, _TABLE.get(convention.name, ())):
            text = f"best signal {pull:g} sigma"
            source = "table, three decimals"
            rows.append(
                Comparison(label, text, value, 0.0, reference, 0.0, "sigma", 0.0005 / reference + 1e-12, source)
            )
        lines.append(Line(_PLOT, label, fine, closed_form(fine, convention)))
        if not convention.is_cls:
            b = 8000.0
            n = b + _PULLS * math.sqrt(b)
            few = poisson_limit(n, b, 0, 1, 0, delta=convention.delta, bounded=convention.bounded)
            lines.append(Line(_PLOT, "poisson_limit", _PULLS, few.upper / math.sqrt(b), np.zeros(_PULLS.size)))
    return Result(rows, [], lines)


def _engine() -> Result:
    """Compare a bump hunt whose signal falls into one of 20 bins: a counting experiment with a sideband, tau = 19."""
    bins = search_bins(bin_edges(2.0, 2.04, 0.002), None)
    conventions = (TWO_SIDED, ONE_SIDED, CLS)
    rows = []
    for b in (3.0, 100.0, 8000.0, _SMOOTH):
        sigma = math.sqrt(b * (1.0 + 1.0 / 19.0))
        n = np.maximum(b + _PULLS * sigma, 0.0)
        found = np.empty((len(conventions), _PULLS.size))
        for k in range(_PULLS.size):
            counts = np.full(20, b)
            counts[10] = n[k]
            channel = Channel("one", bins, counts, np.ones(1), signal_shape([1e-4]), half_width=0.02, order=0)
            result = scan(build_model([2.021], [channel]), conventions=conventions)
            found[:, k] = [result.limits[convention.name].observed[0] for convention in conventions]
        for convention, values in zip(conventions, found, strict=True):
            label = f"{_LABELS[convention.name]}, b = {b:g}"
            if not convention.is_cls:
                other = rolke_limit(n, Sideband(19.0 * b, 19.0), Gaussian(1.0), delta=convention.delta).upper
                worst = float(np.abs(values / other - 1.0).max())
                text, source = "largest relative difference of eight limits of a bump hunt", "closed form with sideband"
                rows.append(bounded(label, text, worst, 1e-5, "", source))
            elif b == _SMOOTH:
                worst = float(np.abs(values / sigma - closed_form(_PULLS, convention)).max())
                text, source = "largest difference of eight limits of a bump hunt", "closed form of a parabola"
                rows.append(bounded(label, text, worst, 1e-3, "sigma", source))
    return Result(rows, [])
