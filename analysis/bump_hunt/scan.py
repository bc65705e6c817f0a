"""The scan of observed spectra: best signal, significance, limits observed and expected, mass by mass."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Ints
from ..table import flag_words
from . import bench
from .asymptotics import BANDS, CONVENTIONS, Convention, gaussian_upper, p_value, significance
from .bench import Fits
from .cls_limit import cls_upper
from .lanes import CAREFUL, FAILED
from .model import MIN_CONTAINMENT, Model
from .newton import LANES, DataSets

#: Below this many events under the signal, 2 sqrt(pi) sigma wide, the asymptotic formulas are flagged.
MIN_EVENTS = 20.0
#: A scan in which more of the fits fail is an error.
MAX_FAILED = 1e-3


class LimitCurve(NamedTuple):
    """Limits of one convention, in units of mu: observed and lower end (n_masses,), expected (5, n_masses)."""

    convention: Convention
    observed: Floats
    lower: Floats
    expected: Floats


class ScanResult(NamedTuple):
    """Result of a scan per mass; `z` is signed, `limits` by name of convention, `flags` words separated by spaces.

    Flags: low_containment, few_events (limits by toys instead), careful (few counts, empty bins), failed.
    """

    masses: Floats
    mu_hat: Floats
    error: Floats
    z: Floats
    p0: Floats
    limits: dict[str, LimitCurve]
    containment: Floats
    effective_events: Floats
    status: Ints
    flags: NDArray[np.str_]


def scan(model: Model, *, conventions: Sequence[Convention] = CONVENTIONS) -> ScanResult:
    """Return signal, significance and limits of the observed counts at every mass of the model.

    Exact profile likelihoods; the distribution of q is the asymptotic one. Expected limits are those of the Asimov
    data of each mass's own fit without signal. A limit is NaN where the (unbounded) interval is empty or the fit
    failed. Raises RuntimeError where more than 0.1 % of the masses failed (and more than one).
    """
    n_masses = model.masses.size
    values, status = np.empty((3, n_masses)), np.zeros(n_masses, dtype=np.int64)
    observed, lower = np.full((2, len(conventions), n_masses), np.nan)
    expected = np.full((len(conventions), BANDS.size, n_masses), np.nan)
    for m in range(n_masses):
        data = bench.repeated(model, model.counts)
        zero = bench.fit_at(model, m, data, 0.0, used=1)
        best = bench.fit_signal(model, m, data, zero, used=1)
        state = _Point(
            model, m, data, bench.first_lane(zero), bench.first_lane(best), float(bench.errors(model, m, data, best)[0])
        )
        values[:, m] = state.best.x[0], state.error, max(state.zero.q[0] - state.best.q[0], 0.0)
        status[m] = max(state.zero.status[0], state.best.status[0])
        if status[m] == FAILED:
            values[:, m] = np.nan
            continue
        observed[:, m], lower[:, m], expected[:, :, m], worst = _limits(state, conventions)
        status[m] = max(status[m], worst)
    check_failures(int(np.count_nonzero(status == FAILED)), n_masses)
    unit = model.unit
    z = significance(values[2], values[0])
    limits = {
        convention.name: LimitCurve(convention, observed[i] * unit, lower[i] * unit, expected[i] * unit)
        for i, convention in enumerate(conventions)
    }
    return ScanResult(
        model.masses, values[0] * unit, values[1] * unit, z, p_value(z), limits, model.containment,
        model.effective_events, status, _flags(model, status),
    )  # fmt: skip


def check_failures(failed: int, total: int) -> None:
    """Raise RuntimeError where more than one fit and more than 0.1 % of them failed."""
    if failed > max(1, MAX_FAILED * total):
        raise RuntimeError(f"{failed} of {total} fits failed, more than {100.0 * MAX_FAILED:g} %")


def _flags(model: Model, status: Ints) -> NDArray[np.str_]:
    checks = {
        "low_containment": np.any(model.containment < MIN_CONTAINMENT, axis=1),
        "few_events": model.effective_events < MIN_EVENTS,
        "careful": status == CAREFUL,
        "failed": status == FAILED,
    }
    return flag_words(checks)


#: Place in an array, q sought, guess, the array.
_Task = tuple[int | tuple[int, int], float, float, Floats]


class _Point(NamedTuple):
    """The observed data at one mass, fitted without and with signal, the same in every lane."""

    model: Model
    m: int
    data: DataSets
    zero: Fits
    best: Fits
    error: float


def _limits(point: _Point, conventions: Sequence[Convention]) -> tuple[Floats, Floats, Floats, int]:
    """Return observed and lower ends, expected limits and the worst status, in units of the expected error."""
    n = len(conventions)
    profiles = [i for i, c in enumerate(conventions) if not c.is_cls]
    best, q_best, q_zero = float(point.best.x[0]), float(point.best.q[0]), float(point.zero.q[0])
    observed, lower, worst = np.full(n, np.nan), np.zeros(n), 0
    tasks: list[_Task] = []
    for i in profiles:
        convention = conventions[i]
        reach = q_zero - q_best if best < 0.0 else 0.0
        goal = convention.delta + (reach if convention.bounded else 0.0)
        if goal > reach:
            tasks.append((i, q_best + goal, best + point.error * math.sqrt(goal), observed))
        else:
            lower[i] = np.nan
        if best > 0.0 and q_zero - q_best > convention.delta:
            tasks.append(
                (i, q_best + convention.delta, max(best - point.error * math.sqrt(convention.delta), 0.1 * best), lower)
            )
    worst = max(worst, _cross(point, point.data, point.best, tasks))
    data = bench.asimov(point.model, point.m, point.data, point.zero)
    null = bench.fit_at(point.model, point.m, data, 0.0, used=1)
    null = bench.first_lane(null._replace(x=np.zeros(LANES)))
    expected = np.full((n, BANDS.size), np.nan)
    tasks = []
    for i, convention in enumerate(conventions):
        for band, root in enumerate(convention.expected_roots()):
            if root > 0.0:
                tasks.append(((i, band), float(null.q[0]) + root**2, root, expected))
    worst = max(worst, _cross(point, data, null, tasks))
    with_cls = [i for i, c in enumerate(conventions) if c.is_cls]
    for first in range(0, len(with_cls), LANES):
        some = with_cls[first : first + LANES]
        alpha, guess = np.full(LANES, 0.1), np.ones(LANES)
        alpha[: len(some)] = [1.0 - conventions[i].confidence for i in some]
        guess[: len(some)] = [gaussian_upper(best, point.error, conventions[i]) for i in some]
        upper, status = cls_upper(
            point.model, point.m, point.data, point.zero, point.best, alpha, guess, used=len(some)
        )
        observed[some] = upper[: len(some)]
        worst = max(worst, int(status[: len(some)].max()))
    return observed, lower, expected, worst


def _cross(point: _Point, data: DataSets, best: Fits, tasks: list[_Task]) -> int:
    """Fill for each task (place, goal, guess, where to) the signal at which q is the goal; return the worst status."""
    worst = 0
    for first in range(0, len(tasks), LANES):
        some = tasks[first : first + LANES]
        goal, guess = np.ones((2, LANES))
        goal[: len(some)], guess[: len(some)] = [task[1] for task in some], [task[2] for task in some]
        found = bench.fit_crossing(point.model, point.m, data, best, goal, guess, used=len(some))
        for (place, _, _, target), x, status in zip(some, found.x, found.status):
            target[place] = x if status != FAILED else np.nan
            worst = max(worst, int(status))
    return worst
