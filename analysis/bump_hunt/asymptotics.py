"""Test statistics of a signal strength and what they mean for many counts: Z, CLs, and the bands of expected limits.

Formulas and equation numbers of Cowan, Cranmer, Gross and Vitells, EPJC 71 (2011) 1554, arXiv:1007.1727; CLs after
A. L. Read, J. Phys. G28 (2002) 2693. q = -2 ln L above its minimum, qA the same of the Asimov data set. Wrong below
about twenty events under the signal, where q is no longer distributed as chi squared.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ...arrays import Floats

#: Numbers of standard deviations of an expected limit's bands.
BANDS = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])


class Convention(NamedTuple):
    """How a limit is defined: all an output needs to say about it.

    `delta` is the threshold of a profile likelihood (NaN for CLs), `bounded` whether q refers to the best mu >= 0.
    """

    name: str
    confidence: float
    delta: float
    bounded: bool
    sidedness: str

    @property
    def is_cls(self) -> bool:
        """Whether the limit is where CLs falls to one less the confidence."""
        return math.isnan(self.delta)

    def expected_roots(self) -> Floats:
        """Return sqrt(qA) at the limits of a best signal of -2 .. 2 sigma; NaN where the interval would be empty.

        With mu_hat = N sigma: CLs, N + Phi^-1(1 - alpha Phi(N)) (section 4.3 and CLs); unbounded N + sqrt(delta);
        bounded below zero N + sqrt(N^2 + delta).
        """
        if self.is_cls:
            return np.asarray(BANDS + special.ndtri(1.0 - (1.0 - self.confidence) * special.ndtr(BANDS)))
        free = BANDS + math.sqrt(self.delta)
        if self.bounded:
            return np.where(BANDS < 0.0, BANDS + np.sqrt(BANDS**2 + self.delta), free)
        return np.where(free > 0.0, free, np.nan)


def profile_convention(confidence: float = 0.90, *, sides: int = 2, bounded: bool = True) -> Convention:
    """Return the profile-likelihood interval: two-sided 90 % is delta = 2.706, one-sided 90 % delta = 1.642."""
    if sides not in (1, 2):
        raise ValueError(f"sides = {sides!r}, must be 1 or 2")
    delta = float(special.ndtri(1.0 - (1.0 - _checked(confidence)) / sides) ** 2)
    name = f"{'bounded' if bounded else 'unbounded'}_{'one' if sides == 1 else 'two'}_sided_{100 * confidence:g}"
    return Convention(name, confidence, delta, bounded, "one-sided" if sides == 1 else "two-sided")


def cls_convention(confidence: float = 0.90) -> Convention:
    """Return the limit where CLs, with the statistic q-mu-tilde, is 1 - confidence."""
    return Convention(f"cls_{100 * _checked(confidence):g}", confidence, math.nan, True, "one-sided")


def _checked(confidence: float) -> float:
    if not 0.5 <= confidence < 1.0:
        raise ValueError(f"confidence = {confidence!r}, must be in [0.5, 1)")
    return float(confidence)


TWO_SIDED_90, CLS_90, CLS_95 = profile_convention(), cls_convention(), cls_convention(0.95)
#: What a scan computes unless told otherwise.
CONVENTIONS = (TWO_SIDED_90, CLS_90, CLS_95)


def significance(q0: ArrayLike, mu_hat: ArrayLike) -> Floats:
    """Return the signed Z = sqrt(q(0) - q(mu_hat)), negative for a deficit."""
    return np.asarray(np.copysign(np.sqrt(np.maximum(q0, 0.0)), mu_hat))


def p_value(z: ArrayLike) -> Floats:
    """Return p0 = 1 - Phi(Z) of an excess, 0.5 for a deficit (eq. 12 and section 3.5: q0 is zero there)."""
    return np.asarray(special.ndtr(-np.maximum(z, 0.0)))


def log_cls(q: ArrayLike, q_asimov: ArrayLike) -> Floats:
    """Return ln CLs from q-mu-tilde of the data and of the Asimov set at the same mu (eqs. 65, 66, section 3.7).

    CLs = [1 - Phi(sqrt q)] / [1 - Phi(sqrt q - sqrt qA)], beyond q = qA with (q +- qA)/(2 sqrt qA).
    """
    q, root = np.maximum(q, 0.0), np.sqrt(np.maximum(q_asimov, 1e-300))
    near = q <= root * root
    signal = np.where(near, np.sqrt(q), 0.5 * (q / root + root))
    background = np.where(near, np.sqrt(q) - root, 0.5 * (q / root - root))
    return np.asarray(special.log_ndtr(-signal) - special.log_ndtr(-background))


def gaussian_upper(best: ArrayLike, error: ArrayLike, convention: Convention) -> Floats:
    """Return the upper limit on mu of a Gaussian likelihood of best value and error, in closed form.

    Bounded: mu_hat + sqrt(mu_hat^2 + delta sigma^2) below zero, mu_hat + sqrt(delta) sigma above; unbounded the latter
    always, NaN where it is negative; CLs: mu_hat + sigma Phi^-1(1 - alpha Phi(mu_hat / sigma)).
    """
    best, error = np.asarray(best, dtype=np.float64), np.asarray(error, dtype=np.float64)
    if convention.is_cls:
        alpha = 1.0 - convention.confidence
        # 1 - Phi, inverted in its own tail: alpha Phi is tiny far below zero
        return np.asarray(best - error * special.ndtri_exp(math.log(alpha) + special.log_ndtr(best / error)))
    free = best + math.sqrt(convention.delta) * error
    if not convention.bounded:
        return np.where(free >= 0.0, free, np.nan)
    # delta / (sqrt(..) - mu_hat): free of cancellation for a large deficit
    deficit = np.minimum(best, 0.0)
    below = convention.delta * error**2 / (np.sqrt(deficit**2 + convention.delta * error**2) - deficit)
    return np.where(best < 0.0, below, free)
