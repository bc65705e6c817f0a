"""Containment: the fraction of a signal that falls into the bin of its mass, and the mass resolution behind it."""

import math
from typing import NamedTuple

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import ArrayLike
from scipy import special, stats

from ..event import Floats
from .spectrum import Bins

# half the content of the central interval of one standard deviation of a normal distribution
_HALF_68 = 0.5 * math.erf(math.sqrt(0.5))


class SmoothFraction(NamedTuple):
    """A fraction as a polynomial of the mass: values and errors where asked for, and the quality of the fit."""

    value: Floats
    error: Floats
    chi2: float
    dof: int
    p_value: float


def gaussian_containment(sigma: ArrayLike, bin_width: float = 0.010) -> Floats:
    """Return erf(w / (2 sqrt(2) sigma)): the fraction of a Gaussian centred in a bin of width w [GeV], any shape.

    Formula (1b) of the BESIII search, the width being the mass resolution sigma [GeV] > 0. Optimistic by 3 to 12 %
    against the average over the masses inside the bin, and blind to tails.
    """
    sigma = np.asarray(sigma, dtype=np.float64)
    if not (np.all(sigma > 0.0) and bin_width > 0.0):
        raise ValueError(f"sigma = {np.min(sigma):g} GeV, bin width = {bin_width:g} GeV, both must be > 0")
    return np.asarray(special.erf(bin_width / (2.0 * math.sqrt(2.0) * sigma)), dtype=np.float64)


def resolution(residuals: ArrayLike) -> float:
    """Return half the width [GeV] of the central 68.27 % of fitted minus true masses."""
    residuals = np.asarray(residuals, dtype=np.float64)
    if residuals.size < 2 or not np.all(np.isfinite(residuals)):
        raise ValueError(f"{residuals.size} residuals, need at least two and all of them finite")
    low, high = np.quantile(residuals, [0.5 - _HALF_68, 0.5 + _HALF_68])
    return float(0.5 * (high - low))


def count_contained(bins: Bins, true_mass: Floats, fitted_mass: Floats) -> tuple[Floats, Floats]:
    """Return per bin how many signal events were produced in it, and how many of these were also fitted in it.

    The events are the selected ones, flat in the true mass [GeV] over each bin; a mass that is NaN is in no bin.
    """
    inside_true = _bin_of(bins, true_mass)
    inside_fit = _bin_of(bins, fitted_mass)
    counts = [
        np.bincount(inside_true[kept], minlength=bins.mass_low.size).astype(np.float64)
        for kept in (inside_true >= 0, (inside_true >= 0) & (inside_true == inside_fit))
    ]
    return counts[0], counts[1]


def _bin_of(bins: Bins, mass: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    index = np.searchsorted(bins.mass_low, mass, side="right") - 1
    inside = (index >= 0) & (mass < bins.mass_high[np.maximum(index, 0)])
    return np.where(inside, index, -1).astype(np.int64)


def smooth_fraction(
    mass: Floats, total: Floats, passed: Floats, at: Floats, order: int = 3, minimum_total: float = 20.0
) -> SmoothFraction:
    """Return a counted fraction, smoothed by a polynomial of the mass, at the masses `at` [GeV].

    Parameters
    ----------
    mass, total, passed : ndarray, shape (n,)
        Where the fraction was counted [GeV] and the two counts; points with few in `total` are left out.
    at : ndarray, shape (n_at,)
        Masses of the result, inside the range of `mass`.

    Raises
    ------
    ValueError
        Fewer points than coefficients, or `at` outside the counted range.

    Notes
    -----
    Weighted least squares with the binomial variance of (passed + 1)/(total + 2), iterated once with the variance
    of the fitted fraction so that fluctuations do not weight themselves.
    """
    used = total >= minimum_total
    if np.count_nonzero(used) <= order:
        raise ValueError(f"containment: {np.count_nonzero(used)} masses with enough events, order {order} needs more")
    mass, total, passed = mass[used], total[used], passed[used]
    low, high = float(mass.min()), float(mass.max())
    step = (high - low) / max(mass.size - 1, 1)
    if np.min(at) < low - step or np.max(at) > high + step:
        raise ValueError(f"containment counted from {low:g} to {high:g} GeV, asked at {np.min(at):g} to {np.max(at):g}")
    basis = legendre.legvander(2.0 * (mass - low) / (high - low) - 1.0, order)
    fraction = passed / total
    expected = (passed + 1.0) / (total + 2.0)
    for _ in range(2):
        root = np.sqrt(total / (expected * (1.0 - expected)))
        covariance = np.linalg.inv((basis * root[:, None] ** 2).T @ basis)
        theta = covariance @ (basis.T @ (fraction * root**2))
        expected = np.clip(basis @ theta, 1e-6, 1.0 - 1e-6)
    chi2 = float(np.sum(((fraction - expected) * root) ** 2))
    dof = int(mass.size - order - 1)
    there = legendre.legvander(2.0 * (at - low) / (high - low) - 1.0, order)
    error = np.sqrt(np.einsum("ip,pq,iq->i", there, covariance, there))
    p_value = float(stats.chi2.sf(chi2, dof)) if dof else 1.0
    return SmoothFraction(there @ theta, error, chi2, dof, p_value)
