"""The same likelihoods in the hands of other programs: MINOS of iminuit, and CLs of pyhf on exported workspaces."""

import importlib
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.polynomial import legendre

from ..analysis.bump_hunt.asymptotics import CLS_90
from ..analysis.bump_hunt.channel import fractions_at
from ..analysis.bump_hunt.model import Model
from ..analysis.bump_hunt.poisson import draw_counts
from ..analysis.bump_hunt.scan import scan
from ..analysis.bump_hunt.toys import expected_signal
from ..analysis.files.pyhf_workspace import Counting, Workspace, bump_hunt_workspace, counting_workspace
from ..analysis.limit import DELTA_90, poisson_limit
from ..arrays import Floats
from ..rng import key
from .check import Check, Result, Settings
from .comparison import Comparison
from .gaussian_limits import TWO_SIDED
from .hunt_spectra import BINS, expectation, hunt_model

TOPIC = "other programs"
_MASS = 1.9


def other_fitters(settings: Settings) -> list[Check]:
    """Return the checks against programs that may not be installed."""
    return [
        Check(TOPIC, "iminuit", lambda: unless_absent(("iminuit",), _minos, settings)),
        Check(TOPIC, "pyhf", lambda: unless_absent(("pyhf", "iminuit"), _pyhf, settings)),
    ]


def unless_absent(names: Sequence[str], run: Callable[[Settings], Result], settings: Settings) -> Result:
    """Run a check, or report that a program it needs is not installed."""
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            nan = math.nan
            row = Comparison(name, "not installed", nan, nan, nan, nan, "", None, "-", remark="nothing compared")
            return Result([row], [])
    return run(settings)


def _counts(seed: int, model: Model, nu: Floats, strength: float) -> Floats:
    """Return counts with a signal of a strength in units of its expected error."""
    counts = np.empty((*nu.shape, 1))
    draw_counts(*key(seed), 0, nu + expected_signal(model, 0, strength * float(model.unit[0])), counts)
    return counts[..., 0]


class _Plain:
    """-2 ln L of a bump hunt and its gradient, as it is written: signal and Legendre coefficients of each channel."""

    def __init__(self, model: Model) -> None:
        nodes, weights = legendre.leggauss(8)
        counts, columns, starts = [], [], []
        total = 1 + sum(channel.order + 1 for channel in model.channels)
        first = 1
        for c, channel in enumerate(model.channels):
            start, size = int(model.columns.start[0, c]), int(model.columns.size[0, c])
            inside = slice(start, start + size)
            x = -1.0 + 2.0 * (np.arange(size)[:, None] + 0.5 + 0.5 * nodes) / size
            basis = np.einsum("ijk,j->ik", legendre.legvander(x, channel.order), 0.5 * weights)
            n = channel.counts[inside]
            column = np.zeros((size, total))
            template = fractions_at(0, float(model.masses[0]), channel, inside)
            column[:, 0] = template * channel.signal_yield[0] * model.unit[0]
            column[:, first : first + channel.order + 1] = basis * n.mean()
            starts.append(np.linalg.lstsq(basis * n.mean(), n, rcond=None)[0])
            first += channel.order + 1
            counts.append(n)
            columns.append(column)
        self.n, self.columns = np.concatenate(counts), np.vstack(columns)
        self.start = np.concatenate([[0.5], *starts])

    def value(self, p: Floats) -> float:
        nu = self.columns @ p
        if not np.all(nu > 0.0):
            return 1e12
        return float(2.0 * np.sum(nu - self.n - self.n * np.log(nu / self.n)))

    def gradient(self, p: Floats) -> Floats:
        return np.asarray(2.0 * self.columns.T @ (1.0 - self.n / (self.columns @ p)))


def _minos(settings: Settings) -> Result:
    minuit: Any = importlib.import_module("iminuit")
    rows = []
    for strength in (2.0, -1.0):
        reference = hunt_model(expectation(BINS), _MASS)
        seed = settings.seed_of("iminuit", f"{strength:g}")
        counts = _counts(seed, reference, expectation(BINS), max(strength, 0.0))
        model = hunt_model(counts, _MASS)
        result, unit = scan(model, conventions=(TWO_SIDED,)), float(model.unit[0])
        plain = _Plain(model)
        fit = minuit.Minuit(plain.value, plain.start, grad=plain.gradient)
        fit.errordef, fit.tol, fit.strategy = 1.0, 1e-6, 2
        fit.migrad(ncall=100_000)
        fit.minos("x0", cl=0.90)
        best, error = float(fit.values["x0"]), float(fit.errors["x0"])
        subject = f"iminuit, {_MASS:g} GeV, best signal {best:.2f} sigma"
        free = float(result.mu_hat[0]) / unit
        rows.append(_difference(subject, "best signal", free - best))
        rows.append(_difference(subject, "its error", float(result.error[0]) / unit - error, 3e-3))
        if best > 0.0:
            upper = best + float(fit.merrors["x0"].upper)
            ours = float(result.limits[TWO_SIDED.name].observed[0]) / unit
            rows.append(_difference(subject, "upper end of the two-sided 90 % interval", ours - upper))
    return Result(rows, [])


def _difference(subject: str, text: str, value: float, at_most: float = 1e-3) -> Comparison:
    nan = math.nan
    row = Comparison(subject, f"difference of {text}", abs(value), nan, nan, nan, "sigma", None, "iminuit")
    return row._replace(at_most=at_most)


#: Counting experiments: n, b, its error, signal events per unit of strength, relative error of the signal.
_COUNTING = ((110.0, 100.0, 4.0, 10.0, 0.05), (7600.0, 8000.0, 25.0, 100.0, 0.05), (8200.0, 8000.0, 25.0, 100.0, 0.0))


def _pyhf(settings: Settings) -> Result:
    """Compare q and CLs of exported workspaces at our limits; pyhf minimises with minuit."""
    pyhf: Any = importlib.import_module("pyhf")
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-5, strategy=1))
    try:
        rows = [_counting(pyhf, *case) for case in _COUNTING]
        for strength, errors in ((1.5, {}), (-1.0, {"efficiency": 0.1})):
            rows += _workspace_rows(pyhf, settings, strength, errors)
    finally:
        pyhf.set_backend("numpy")
    return Result(rows, [])


def _opened(pyhf: Any, workspace: Workspace) -> tuple[Any, Any]:
    opened = pyhf.Workspace(workspace.specification)
    model = opened.model()
    return model, opened.data(model)


def _counting(pyhf: Any, n: float, b: float, sigma_b: float, signal: float, error: float) -> Comparison:
    workspace = counting_workspace("counting", [Counting("one", n, b, sigma_b, signal)], error)
    model, data = _opened(pyhf, workspace)
    upper = float(poisson_limit(n, b, sigma_b, signal, error * signal).upper) / workspace.strength
    config = model.config
    q = pyhf.infer.test_statistics.qmu_tilde(
        upper, data, model, config.suggested_init(), config.suggested_bounds(), config.suggested_fixed()
    )
    text = f"q at our limit, n = {n:g}, b = {b:g} +- {sigma_b:g}, signal +- {100.0 * error:g} %"
    return Comparison("pyhf, counting", text, DELTA_90, 0.0, float(q), 0.0, "", 1e-4, "pyhf")


def _workspace_rows(pyhf: Any, settings: Settings, strength: float, errors: dict[str, float]) -> list[Comparison]:
    """Return rows of the observed and the median CLs limit: pyhf's by a step along its own slope from ours."""
    nu = expectation(BINS, 0.05)
    options: dict[str, Any] = {"half_width": 0.05, "order": 2, "yield_errors": errors}
    seed = settings.seed_of("pyhf", f"{strength:g}")
    counts = _counts(seed, hunt_model(nu, _MASS, **options), nu, max(strength, 0.0))
    model = hunt_model(counts, _MASS, **options)
    scan(model, conventions=(CLS_90,))  # which compiles
    start = time.thread_time()
    limit = scan(model, conventions=(CLS_90,)).limits[CLS_90.name]
    ours_seconds = time.thread_time() - start
    workspace = bump_hunt_workspace(model, 0)
    theirs, data = _opened(pyhf, workspace)
    rows, spent, calls = [], 0.0, 0
    subject = f"pyhf, {_MASS:g} GeV, {len(errors) or 'no'} nuisance{'s' if len(errors) != 1 else ''}"
    for name, which, found in (("observed", None, limit.observed[0]), ("median", 2, limit.expected[2, 0])):
        mu, logs = float(found) / workspace.strength, []
        for step in (1.0, 1.02):
            start = time.thread_time()
            result = pyhf.infer.hypotest(step * mu, data, theirs, test_stat="qtilde", return_expected_set=True)
            spent, calls = spent + time.thread_time() - start, calls + 1
            logs.append(math.log(float(result[0] if which is None else result[1][which]) / 0.1))
        reference = mu * (1.0 - 0.02 * logs[0] / (logs[1] - logs[0]))
        text = f"{name} CLs limit, in expected errors"
        rows.append(Comparison(subject, text, mu, 0.0, reference, 0.0, "", 1e-4, "pyhf, exported workspace"))
    ratio = 6.0 * spent / calls / ours_seconds
    text = "time of six CLs of pyhf over that of our limit with five bands"
    rows.append(Comparison(subject, text, ratio, math.nan, math.nan, math.nan, "", None, "a root takes several CLs"))
    return rows
