"""Exact roots of the asymptotic CLs, lane by lane: data and Asimov set refitted at every tested signal."""

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Ints
from . import bench
from .asymptotics import log_cls
from .bench import Fits
from .lanes import FAILED
from .model import Model
from .newton import LANES, DataSets

_STEPS = 60
_TOLERANCE = 1e-10


class _Curve:
    """ln CLs of every lane as a function of its signal."""

    def __init__(self, model: Model, m: int, data: DataSets, zero: Fits, best: Fits, used: int) -> None:
        self.model, self.m, self.data, self.used = model, m, data, used
        self.asimov = bench.asimov(model, m, data, zero)
        self.own, self.null = best, bench.fit_at(model, m, self.asimov, 0.0, used=used)
        self.q_null = self.null.q
        self.least = np.where(best.x < 0.0, zero.q, best.q)
        self.best = best.x
        self.status: Ints = np.maximum(np.maximum(zero.status, best.status), self.null.status)

    def at(self, x: Floats) -> Floats:
        """Return ln CLs; q is zero at a signal not above the best."""
        self.own = bench.fit_at(self.model, self.m, self.data, x, self.own, self.used)
        self.null = bench.fit_at(self.model, self.m, self.asimov, x, self.null, self.used)
        self.status = np.maximum(self.status, np.maximum(self.own.status, self.null.status))
        q = np.where(x > self.best, self.own.q - self.least, 0.0)
        return log_cls(q, self.null.q - self.q_null)


def cls_upper(
    model: Model, m: int, data: DataSets, zero: Fits, best: Fits, alpha: Floats, guess: Floats, used: int = LANES
) -> tuple[Floats, Ints]:
    """Return for every lane the signal at which CLs is alpha, from its fits without and with signal, and its status.

    Regula falsi on ln CLs (Illinois). Lanes beyond `used` and failed ones are NaN.
    """
    curve = _Curve(model, m, data, zero, best, used)
    goal = np.log(alpha)
    low, high = np.maximum(best.x, 0.0), np.full(LANES, np.inf)
    with np.errstate(invalid="ignore", over="ignore"):  # lanes that failed, or are not used
        at_low, at_high = curve.at(low) - goal, np.full(LANES, np.nan)
        x = np.where(guess > low, guess, low + 1.0)
        was_above: NDArray[np.bool_] = np.zeros(LANES, dtype=bool)
        done = ~(np.arange(LANES) < used) | (curve.status == FAILED)
        for step in range(_STEPS):
            value = curve.at(x) - goal
            done |= (np.abs(value) < _TOLERANCE) | (curve.status == FAILED)
            if np.all(done):
                break
            above = value > 0.0
            again = (above == was_above) & (step > 0)  # an end that stays twice counts half
            at_high = np.where(above, np.where(again, 0.5 * at_high, at_high), value)
            at_low = np.where(above, value, np.where(again, 0.5 * at_low, at_low))
            low, high, was_above = np.where(above, x, low), np.where(above, high, x), above
            new = np.where(np.isfinite(high), (low * at_high - high * at_low) / (at_high - at_low), 2.0 * x)
            done |= np.abs(new - x) < _TOLERANCE
            x = np.where(done, x, new)
    status = np.where(done, curve.status, FAILED)
    return np.where((status == FAILED) | (np.arange(LANES) >= used), np.nan, x), status
