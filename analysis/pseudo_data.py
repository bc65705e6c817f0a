"""Integer pseudo-data from expectations: Poisson numbers that depend on (seed, channel, bin) alone."""

import numpy as np
from scipy import special, stats

from ..event import Floats
from ..rng import PSEUDO_DATA_STREAM, key, uniform53, words


def poisson_numbers(expectation: Floats, seed: int, label: int = 0) -> Floats:
    """Draw one Poisson number per entry by inversion.

    Parameters
    ----------
    expectation : ndarray, any shape
        Means, none negative.
    seed : int
    label : int
        Tells apart draws of one seed; entry i of label l has its own counter.

    Raises
    ------
    ValueError
        If a mean is negative or not finite.
    """
    means = np.asarray(expectation, dtype=np.float64)
    if not np.all(np.isfinite(means) & (means >= 0.0)):
        raise ValueError(f"expectation = {means[~(np.isfinite(means) & (means >= 0.0))][0]}, must be at least 0")
    k0, k1 = key(seed)
    uniforms = np.empty(means.size)
    for i in range(means.size):
        a, b, _, _ = words(k0, k1, np.uint64(i), np.uint64(label), PSEUDO_DATA_STREAM, np.uint64(0))
        uniforms[i] = uniform53(a, b)
    numbers = np.zeros(means.size)
    filled = means.ravel() > 0.0
    numbers[filled] = stats.poisson.ppf(uniforms[filled], means.ravel()[filled])
    return numbers.reshape(means.shape)


def goodness(counts: Floats, expectation: Floats, covariance: Floats) -> tuple[float, int, float]:
    """Return (chi2, degrees of freedom, p) of counts against an expectation that has errors of its own.

    Parameters
    ----------
    counts, expectation : ndarray, shape (n_bins,)
    covariance : ndarray, shape (n_bins, n_bins)
        Covariance of the expectation, to which the Poisson variance is added.
    """
    residual = counts - expectation
    total = covariance + np.diag(expectation)
    chi2 = float(residual @ np.linalg.solve(total, residual))
    return chi2, counts.size, float(special.chdtrc(counts.size, chi2))
