"""Profile likelihoods of a counting experiment by minimising numerically: slow, without any closed form of ours."""

import math
from collections.abc import Callable

from scipy.optimize import brentq, minimize_scalar
from scipy.special import xlogy

from ..analysis.rolke_models import Counted, Gaussian, Sideband

Background = Gaussian | Sideband
Efficiency = Gaussian | Counted
#: How far out [sigma] a Gaussian efficiency is sought; where q has stopped growing, a search for its root ends.
_FAR, _FARTHEST = 30.0, 1e12
#: -2 ln L of what cannot be, finite so that a minimiser can subtract it.
_IMPOSSIBLE = 1e30


def _poisson(n: float, s: float) -> float:
    """Return -2 ln Pois(n | s) above its least."""
    if s < 0.0 or (s == 0.0 and n > 0.0):
        return _IMPOSSIBLE
    return 2.0 * (s - n - (float(xlogy(n, s)) - float(xlogy(n, n))))


def _background_term(b: float, background: Background) -> float:
    if isinstance(background, Sideband):
        return _poisson(float(background.counts), float(background.tau) * b)  # type: ignore[arg-type]
    return ((b - float(background.mean)) / float(background.sigma)) ** 2  # type: ignore[arg-type]


def _efficiency_term(e: float, efficiency: Efficiency) -> float:
    if isinstance(efficiency, Gaussian):
        return ((e - float(efficiency.mean)) / float(efficiency.sigma)) ** 2  # type: ignore[arg-type]
    z, m = float(efficiency.passed), float(efficiency.total)  # type: ignore[arg-type]
    best = float(xlogy(z, z / m) + xlogy(m - z, 1.0 - z / m))
    return min(-2.0 * (float(xlogy(z, e) + xlogy(m - z, 1.0 - e)) - best), _IMPOSSIBLE)


def _least(f: Callable[[float], float], low: float, high: float) -> float:
    """Return the least value of a convex function, which may be at an end."""
    inside = minimize_scalar(f, bounds=(low, high), method="bounded", options={"xatol": 1e-13, "maxiter": 500}).fun
    return float(min(inside, f(low), f(high)))


def brute_q(mu: float, n: float, background: Background, efficiency: Efficiency) -> float:
    """Return -2 ln L(mu), least over background and efficiency >= 0; zero where n, b and e all agree."""

    def at(e: float) -> float:
        if isinstance(background, Sideband):
            low, high = 0.0, max(float(background.counts) / float(background.tau), n) + 1.0  # type: ignore[arg-type]
        elif float(background.sigma) == 0.0:  # type: ignore[arg-type]
            return _poisson(n, e * mu + float(background.mean))  # type: ignore[arg-type]
        else:
            low, high = -e * mu, max(float(background.mean), n) + 1.0  # type: ignore[arg-type]
        return _least(lambda b: _poisson(n, e * mu + b) + _background_term(b, background), low, high)

    if isinstance(efficiency, Counted):
        return _least(lambda e: at(e) + _efficiency_term(e, efficiency), 0.0, 1.0)
    mean, sigma = float(efficiency.mean), float(efficiency.sigma)  # type: ignore[arg-type]
    if sigma == 0.0:
        return at(mean)
    return _least(lambda e: at(e) + _efficiency_term(e, efficiency), 0.0, mean + _FAR * sigma)


def expected_background(background: Background) -> float:
    """Return the best background by itself."""
    if isinstance(background, Sideband):
        return float(background.counts) / float(background.tau)  # type: ignore[arg-type]
    return float(background.mean)  # type: ignore[arg-type]


def brute_upper(n: float, background: Background, efficiency: Efficiency, delta: float) -> float:
    """Return the bounded upper limit, infinite where q never rises by delta."""
    best = max(n - expected_background(background), 0.0)
    reference = brute_q(0.0, n, background, efficiency) if best == 0.0 else 0.0

    def above(mu: float) -> float:
        return brute_q(mu, n, background, efficiency) - reference - delta

    mean = efficiency.mean if isinstance(efficiency, Gaussian) else float(efficiency.passed) / float(efficiency.total)  # type: ignore[arg-type]
    low = best / float(mean)  # type: ignore[arg-type]
    high = 2.0 * low + 1.0
    while above(high) < 0.0:
        high *= 2.0
        if high > _FARTHEST:
            return math.inf
    return float(brentq(above, low, high, rtol=1e-11))
