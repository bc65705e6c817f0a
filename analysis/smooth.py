"""Smooth expectations from weighted simulation: a noisy spectrum or ratio as the exponential of a polynomial in mass.

A weighted histogram is never used as data; its smooth expectation is. The noise of the simulation then enters through
a few coefficients, whose covariance is kept.
"""

from typing import NamedTuple

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy import stats

from ..event import Floats

#: Orders tried, and the improvement in chi2 that asks for one more (5 % for one degree of freedom; two orders are
#: looked ahead, since a spectrum can need an even order and no odd one).
MIN_ORDER, MAX_ORDER, IMPROVEMENT_1, IMPROVEMENT_2 = 3, 12, 3.841, 5.991


class Smooth(NamedTuple):
    """Fitted values per bin, their covariance through the coefficients, and how well the fit describes its input."""

    values: Floats
    gradient: Floats
    coefficients: Floats
    coefficient_covariance: Floats
    span: tuple[float, float]
    chi2: float
    dof: int
    p_value: float

    @property
    def order(self) -> int:
        """Order of the polynomial in the exponent."""
        return len(self.coefficients) - 1

    def at(self, mass: Floats) -> "Smooth":
        """Return the fit at other masses [GeV]."""
        basis = _basis(mass, self.span, self.order)
        values = np.exp(basis @ self.coefficients)
        return self._replace(values=values, gradient=basis * values[:, None])

    def covariance(self) -> Floats:
        """Return the covariance between bins, shape (n_bins, n_bins)."""
        covariance: Floats = self.gradient @ self.coefficient_covariance @ self.gradient.T
        return covariance

    def sigma(self) -> Floats:
        """Return the standard error per bin, shape (n_bins,)."""
        variance: Floats = np.einsum("ij,jk,ik->i", self.gradient, self.coefficient_covariance, self.gradient)
        return np.sqrt(variance)


def smooth(mass: Floats, values: Floats, variances: Floats) -> Smooth:
    """Fit exp(polynomial of the mass), Chebyshev basis, by iterated weighted least squares.

    Parameters
    ----------
    mass, values, variances : ndarray, shape (n_bins,)
        Bin centres [GeV], positive contents and their variances; bins of zero variance take no part.

    Raises
    ------
    ValueError
        If fewer filled bins than coefficients are given.
    """
    used = (variances > 0.0) & (values > 0.0)
    if np.count_nonzero(used) <= MIN_ORDER + 3:
        raise ValueError(f"smooth expectation: {np.count_nonzero(used)} filled bins, at least {MIN_ORDER + 4} needed")
    span = (float(mass.min()), float(mass.max()))
    top = min(MAX_ORDER, int(np.count_nonzero(used)) - 2)
    fits = {order: _fit(mass, span, values, variances, used, order) for order in range(MIN_ORDER, MIN_ORDER + 3)}
    order = MIN_ORDER
    while order < top - 1:
        fits.setdefault(order + 2, _fit(mass, span, values, variances, used, order + 2))
        gain_1 = fits[order].chi2 - fits[order + 1].chi2
        gain_2 = fits[order].chi2 - fits[order + 2].chi2
        if gain_1 < IMPROVEMENT_1 and gain_2 < IMPROVEMENT_2:
            break
        order += 1
    return fits[order]


def _basis(mass: Floats, span: tuple[float, float], order: int) -> Floats:
    scaled = (2.0 * mass - span[1] - span[0]) / (span[1] - span[0])
    basis: Floats = chebyshev.chebvander(scaled, order).astype(np.float64)
    return basis


def _fit(
    mass: Floats,
    span: tuple[float, float],
    values: Floats,
    variances: Floats,
    used: NDArray[np.bool_],
    order: int,
) -> Smooth:
    basis = _basis(mass, span, order)
    root = 1.0 / np.sqrt(variances[used])
    start = np.log(values[used])
    coefficients: Floats = np.linalg.lstsq(
        basis[used] * (values[used] * root)[:, None], start * values[used] * root, rcond=None
    )[0]
    for _ in range(20):
        fitted = np.exp(basis[used] @ coefficients)
        step = np.linalg.lstsq(basis[used] * (fitted * root)[:, None], (values[used] - fitted) * root, rcond=None)[0]
        coefficients = coefficients + step
        if np.max(np.abs(step)) < 1e-12:
            break
    fitted = np.exp(basis @ coefficients)
    gradient: Floats = basis * fitted[:, None]
    weighted = gradient[used] * root[:, None]
    chi2 = float(np.sum(((values[used] - fitted[used]) * root) ** 2))
    dof = int(np.count_nonzero(used)) - order - 1
    inverse: Floats = np.linalg.inv(weighted.T @ weighted)
    return Smooth(fitted, gradient, coefficients, inverse, span, chi2, dof, float(stats.chi2.sf(chi2, dof)))
