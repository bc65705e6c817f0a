"""Smooth expectations from weighted simulation: a noisy spectrum or ratio as the exponential of a polynomial in mass.

A weighted histogram is never used as data; its smooth expectation is. The noise of the simulation then enters through
a few coefficients, whose covariance is kept.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy import linalg, stats

from ..event import Floats

#: Orders tried, and the improvement in chi2 that asks for one more (5 % for one degree of freedom; two orders are
#: looked ahead, since a spectrum can need an even order and no odd one).
MIN_ORDER, MAX_ORDER, IMPROVEMENT_1, IMPROVEMENT_2 = 3, 12, 3.841, 5.991
#: Bins that every order must have: a short region of few events is not to follow its own fluctuations.
BINS_PER_ORDER = 8


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
    bins_per_order: int = BINS_PER_ORDER,
) -> Smooth:
    """Fit exp(polynomial of the mass), Chebyshev basis, by iterated weighted least squares.

    Parameters
    ----------
    mass, values, variances : ndarray, shape (n_bins,)
        Bin centres [GeV], positive contents and their variances; bins of zero variance take no part.
    half_width : float
        Half the width [GeV] of the bins that `values` are means over; 0: values at the centres.
    min_order, bins_per_order : int
        Lowest order tried, and the bins that every order must have.

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
    top = max(min(MAX_ORDER, n_used // bins_per_order), min_order)

    def fit(order: int) -> Smooth:
        return _fit(mass, half_width, span, values, variances, used, order)

    fits = [fit(order) for order in range(min_order, top + 1)]
    for i, now in enumerate(fits):
        gains = [now.chi2 - later.chi2 for later in fits[i + 1 : i + 3]]
        if all(gain < needed for gain, needed in zip(gains, (IMPROVEMENT_1, IMPROVEMENT_2))):
            return now.at(mass)
    return fits[-1].at(mass)


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


def as_is(mass: Floats, values: Floats, variances: Floats) -> Smooth:
    """Return values that are not smooth, such as those over a narrow resonance, in the form of a fit to every bin."""
    span = (float(mass.min()), float(mass.max()))
    return Smooth(values, np.eye(len(values)), values, np.diag(variances), span, 0.0, 0, 1.0)


class Pieces(NamedTuple):
    """Smooth fits of disjoint mass regions, one after the other; the whole is not continuous at the breaks."""

    fits: tuple[Smooth, ...]

    @property
    def values(self) -> Floats:
        """Fitted values of all bins."""
        return np.concatenate([fit.values for fit in self.fits])

    def covariance(self) -> Floats:
        """Return the covariance between bins, zero between regions."""
        covariance: Floats = linalg.block_diag(*(fit.covariance() for fit in self.fits)).astype(np.float64)
        return covariance

    def sigma(self) -> Floats:
        """Return the standard error per bin."""
        return np.concatenate([fit.sigma() for fit in self.fits])


def smooth_pieces(
    mass: Floats,
    values: Floats,
    variances: Floats,
    breaks: Sequence[float],
    *,
    min_order: int = 2,
    rough: Sequence[int] = (),
) -> Pieces:
    """Fit every region between the breaks [GeV] by itself, as `smooth` does.

    Efficiencies have kinks where a lepton pair begins to meet a gap of the detector; regions that are analysed apart
    are described apart. Regions whose number is in `rough` hold structures that are not smooth: they are left `as_is`.
    """
    region = np.searchsorted(np.asarray(breaks), mass)
    fits = []
    for number in np.unique(region):
        of = region == number
        if number in rough:
            fits.append(as_is(mass[of], values[of], variances[of]))
        else:
            fits.append(smooth(mass[of], values[of], variances[of], min_order=min_order))
    return Pieces(tuple(fits))


def product(first: Smooth | Pieces, second: Pieces, scale: float) -> tuple[Floats, Floats]:
    """Return scale * first * second per bin, and its covariance (n_bins, n_bins) from both."""
    values = scale * first.values * second.values
    relative = first.covariance() / np.outer(first.values, first.values)
    relative = relative + second.covariance() / np.outer(second.values, second.values)
    return values, relative * np.outer(values, values)
