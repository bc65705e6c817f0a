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


def smooth(
    mass: Floats,
    values: Floats,
    variances: Floats,
    *,
    half_width: float = 0.0,
    min_order: int = MIN_ORDER,
) -> Smooth:
    """Fit exp(polynomial of the mass), Chebyshev basis, by iterated weighted least squares.

    Parameters
    ----------
    mass, values, variances : ndarray, shape (n_bins,)
        Bin centres [GeV], positive contents and their variances; bins of zero variance take no part.
    half_width : float
        Half the width [GeV] of the bins that `values` are means over; 0: values at the centres.
    min_order : int
        Lowest order tried.

    Raises
    ------
    ValueError
        If fewer filled bins than coefficients are given.
    """
    used = (variances > 0.0) & (values > 0.0)
    n_used = int(np.count_nonzero(used))
    if n_used <= min_order + 3:
        raise ValueError(f"smooth expectation: {n_used} filled bins, at least {min_order + 4} needed")
    span = (float(mass.min()) - half_width, float(mass.max()) + half_width)
    top = min(MAX_ORDER, n_used - 2)

    def fit(order: int) -> Smooth:
        return _fit(mass, half_width, span, values, variances, used, order)

    fits = {order: fit(order) for order in range(min_order, min_order + 3)}
    order = min_order
    while order < top - 1:
        if order + 2 not in fits:
            fits[order + 2] = fit(order + 2)
        gain_1 = fits[order].chi2 - fits[order + 1].chi2
        gain_2 = fits[order].chi2 - fits[order + 2].chi2
        if gain_1 < IMPROVEMENT_1 and gain_2 < IMPROVEMENT_2:
            break
        order += 1
    return fits[order].at(mass)


def _basis(mass: Floats, span: tuple[float, float], order: int) -> Floats:
    scaled = (2.0 * mass - span[1] - span[0]) / (span[1] - span[0])
    basis: Floats = chebyshev.chebvander(scaled, order).astype(np.float64)
    return basis


def _fit(
    mass: Floats,
    half_width: float,
    span: tuple[float, float],
    values: Floats,
    variances: Floats,
    used: NDArray[np.bool_],
    order: int,
) -> Smooth:
    # means over a bin by Gauss-Legendre quadrature of the exponential
    nodes, quadrature = np.polynomial.legendre.leggauss(5 if half_width > 0.0 else 1)
    basis = np.array([_basis(mass[used] + half_width * x, span, order) for x in nodes])
    share = quadrature / quadrature.sum()
    target, root = values[used], 1.0 / np.sqrt(variances[used])

    def model(coefficients: Floats) -> tuple[Floats, Floats]:
        at_nodes = np.exp(basis @ coefficients) * share[:, None]
        return at_nodes.sum(axis=0), np.einsum("kn,kni->ni", at_nodes, basis)

    middle = basis[len(nodes) // 2]
    coefficients: Floats = np.linalg.lstsq(
        middle * (target * root)[:, None], np.log(target) * target * root, rcond=None
    )[0]
    for _ in range(30):
        fitted, gradient = model(coefficients)
        step = np.linalg.lstsq(gradient * root[:, None], (target - fitted) * root, rcond=None)[0]
        coefficients = coefficients + step
        if np.max(np.abs(step)) < 1e-12:
            break
    fitted, gradient = model(coefficients)
    weighted = gradient * root[:, None]
    inverse: Floats = np.linalg.inv(weighted.T @ weighted).astype(np.float64)
    chi2 = float(np.sum(((target - fitted) * root) ** 2))
    dof = target.size - order - 1
    return Smooth(fitted, gradient, coefficients, inverse, span, chi2, dof, float(stats.chi2.sf(chi2, dof)))


def product(first: Smooth, second: Smooth, scale: float) -> tuple[Floats, Floats]:
    """Return scale * first * second per bin, and its covariance (n_bins, n_bins) from both."""
    values = scale * first.values * second.values
    relative = first.covariance() / np.outer(first.values, first.values)
    relative = relative + second.covariance() / np.outer(second.values, second.values)
    return values, relative * np.outer(values, values)
