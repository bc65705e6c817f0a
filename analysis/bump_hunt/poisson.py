"""Poisson and normal numbers of toy data sets, keyed by (seed, toy, bin): the same whatever the blocks and threads."""

import math

import numpy as np

from ...arrays import Floats
from ...kernel import kernel, stage
from ...rng import TOY_STREAM, normal2, uniform53, words

_TRIALS = 255
_SMALL = 10.0
#: Where the counters of auxiliary measurements begin, beyond those of all bins.
_AUXILIARY = np.uint64(2**31)


@kernel
def poisson_number(mean: float, k0: np.uint64, k1: np.uint64, toy: np.uint64, entry: np.uint64) -> float:
    """Return one Poisson number.

    From ten on by transformed rejection, algorithm PTRS of W. Hoermann, Insurance: Mathematics and Economics 12 (1993)
    39; below by summing probabilities up to a uniform number.
    """
    if mean < _SMALL:
        a, b, _, _ = words(k0, k1, toy, entry, TOY_STREAM, np.uint64(0))
        u = uniform53(a, b)
        number, term = 0.0, math.exp(-mean)
        total = term
        while total < u and number < 100.0:
            number += 1.0
            term *= mean / number
            total += term
        return number
    wide = 0.931 + 2.53 * math.sqrt(mean)
    slant = -0.059 + 0.02483 * wide
    hat = 1.1239 + 1.1328 / (wide - 3.4)
    quick = 0.9277 - 3.6224 / (wide - 2.0)
    for trial in range(_TRIALS):
        a, b, c, d = words(k0, k1, toy, entry, TOY_STREAM, np.uint64(trial))
        u, v = uniform53(a, b) - 0.5, uniform53(c, d)
        edge = 0.5 - abs(u)
        number = math.floor((2.0 * slant / edge + wide) * u + mean + 0.43)
        if edge >= 0.07 and v <= quick:
            return number
        if number >= 0.0 and (edge >= 0.013 or v <= edge):
            log_ratio = math.log(v * hat / (slant / (edge * edge) + wide))
            if log_ratio <= number * math.log(mean) - mean - math.lgamma(number + 1.0):
                return number
    return math.floor(mean)


@stage
def draw_counts(k0: np.uint64, k1: np.uint64, first: int, expectation: Floats, counts: Floats) -> None:
    """Fill counts (C, B, n) of toys first, first + 1, ... around the expectation (C, B)."""
    n_bins = expectation.shape[1]
    for c in range(expectation.shape[0]):
        for i in range(n_bins):
            entry, mean = np.uint64(c * n_bins + i), expectation[c, i]
            for t in range(counts.shape[2]):
                counts[c, i, t] = poisson_number(mean, k0, k1, np.uint64(first + t), entry) if mean > 0.0 else 0.0


@stage
def draw_normals(k0: np.uint64, k1: np.uint64, first: int, normals: Floats) -> None:
    """Fill standard normals (n_entries, n) of toys first, first + 1, ..."""
    for j in range(normals.shape[0]):
        for t in range(normals.shape[1]):
            a, b, _, _ = words(k0, k1, np.uint64(first + t), _AUXILIARY + np.uint64(j), TOY_STREAM, np.uint64(0))
            normals[j, t], _ = normal2(a, b)
