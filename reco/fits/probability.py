"""The probability of a chi2."""

import math

import numpy as np

from ...arrays import Floats
from ...elementary import erfc, exp
from ...kernel import kernel, stage

_TWO_OVER_SQRT_PI = 1.1283791670955126


@kernel
def chi2_probability(chi2: float, degrees: int) -> float:
    """Return the probability of a larger chi2 (Abramowitz and Stegun 26.4.4, 26.4.5), right to a relative 1.2e-7.

    Q(2 | x) = exp(-x / 2), Q(1 | x) = erfc(sqrt(x / 2)), Q(n + 2 | x) = Q(n | x) + (x / 2)^(n / 2) exp(-x / 2) /
    Gamma(n / 2 + 1); 1 without degrees of freedom.
    """
    half = 0.5 * chi2
    root = math.sqrt(half)
    decay = exp(-half)
    odd = degrees % 2 == 1
    value = erfc(root) if odd else decay
    term = _TWO_OVER_SQRT_PI * root * decay if odd else half * decay
    rank = 1.5 if odd else 2.0
    for _ in range((degrees - 1) // 2):
        value += term
        term *= half / rank
        rank += 1.0
    return min(value, 1.0) if degrees > 0 else 1.0


@stage
def probability_stage(chi2: Floats, degrees: int, probability: Floats) -> None:
    """Fill the probability of every chi2; NaN stays NaN."""
    for i in range(np.uint64(chi2.size)):
        known = chi2[i] >= 0.0
        value = chi2_probability(chi2[i] if known else 0.0, degrees)
        probability[i] = value if known else math.nan
