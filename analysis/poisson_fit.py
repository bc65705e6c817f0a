"""Poisson maximum likelihood of a polynomial, or of its exponential, in a run of mass bins; the choice of its order."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray
from scipy import stats

from ..event import Floats
from .spectrum import Bins

MAX_ORDER = 4
#: The lowest order that is chosen: order 1 leaves 0.4 sigma in 20 bins above the gap, which no likelihood ratio sees.
MIN_ORDER = 2
#: A lower order is taken where the likelihood ratio to the two next ones is more probable than this.
MIN_ORDER_P_VALUE = 0.05
# A signal stands out by more than this many sigma in at most so many bins; more is a model that fails.
_OUTLIER, _MAX_OUTLIERS = 4.0, 7
_ITERATIONS = 100
# Gauss and Legendre's three nodes integrate a polynomial of order 5 over a bin exactly
_NODES, _WEIGHTS = (np.array([-0.7745966692414834, 0.0, 0.7745966692414834]), np.array([5.0, 8.0, 5.0]) / 18.0)


class PolynomialFit(NamedTuple):
    """Expectation, its Jacobian (n_bins, n_parameters) and inverse Fisher information of one segment."""

    theta: Floats
    nu: Floats
    jacobian: Floats
    covariance: Floats
    deviance: float
    converged: bool


def bin_deviances(counts: Floats, nu: Floats) -> Floats:
    """Return what each bin adds to Baker and Cousins' chi squared, 2 (nu - n + n ln(n/nu)), NIM 221 (1984) 437."""
    ratio = np.divide(counts, nu, out=np.ones_like(nu), where=counts > 0.0)
    return 2.0 * (nu - counts + counts * np.log(ratio))


def poisson_deviance(counts: Floats, nu: Floats) -> float:
    """Return Baker and Cousins' chi squared, the sum of `bin_deviances`."""
    return float(np.sum(bin_deviances(counts, nu)))


def basis_at_nodes(bins: Bins, order: int) -> Floats:
    """Return Legendre polynomials at the nodes of every bin, shape (n_bins, 3, order + 1)."""
    low, high = bins.mass_low[0], bins.mass_high[-1]
    mass = bins.centre[:, None] + 0.5 * bins.width[:, None] * _NODES
    return legendre.legvander(2.0 * (mass - low) / (high - low) - 1.0, order)


def model_in_bins(basis: Floats, theta: Floats, exponential: bool, component: Floats) -> tuple[Floats, Floats]:
    """Return the bin averages of the model and their derivatives by theta, the contents of bins of common width."""
    if not exponential:
        jacobian = np.tensordot(basis, _WEIGHTS, axes=([1], [0]))
        return jacobian @ theta + component, jacobian
    at_nodes = _WEIGHTS * np.exp(np.minimum(basis @ theta, 700.0))
    return at_nodes.sum(axis=1) + component, np.einsum("ik,ikp->ip", at_nodes, basis)


def _start(basis: Floats, counts: Floats, exponential: bool) -> Floats:
    """Return a least-squares start: of ln(n) for the exponential, of n else, weighted by the counts' errors."""
    centre = basis[:, 1, :]
    above = np.maximum(counts, 0.5)
    root, target = (np.sqrt(above), np.log(above)) if exponential else (1.0 / np.sqrt(above), counts)
    theta: Floats = np.linalg.lstsq(centre * root[:, None], target * root, rcond=None)[0]
    return theta


def fit_polynomial(basis: Floats, counts: Floats, exponential: bool, component: Floats) -> PolynomialFit:
    """Maximise the Poisson likelihood by Fisher scoring with step halving; never silent about failure.

    `component` (n_bins,) is added to the polynomial: events of a known shape and number.
    """
    theta = _start(basis, counts - component, exponential)
    nu, jacobian = model_in_bins(basis, theta, exponential, component)
    if np.any(nu <= 0.0):  # only a plain polynomial can: begin with its mean
        theta = np.zeros_like(theta)
        theta[0] = max(counts.mean(), 1e-3)
        nu, jacobian = model_in_bins(basis, theta, exponential, component)
    deviance = poisson_deviance(counts, nu)
    converged = False
    for _ in range(_ITERATIONS):
        gradient = jacobian.T @ (counts / nu - 1.0)
        fisher = jacobian.T @ (jacobian / nu[:, None])
        try:
            step = np.linalg.solve(fisher, gradient)
        except np.linalg.LinAlgError:
            break
        decrement = float(gradient @ step)
        if not math.isfinite(decrement):
            break
        scale = 1.0
        for _ in range(40):
            trial, trial_jacobian = model_in_bins(basis, theta + scale * step, exponential, component)
            new = poisson_deviance(counts, trial) if np.all(trial > 0.0) else math.inf
            if new <= deviance + 1e-9 * (1.0 + deviance):
                break
            scale *= 0.5
        else:
            break
        theta, nu, jacobian, deviance = theta + scale * step, trial, trial_jacobian, new
        if decrement < 1e-10:
            converged = True
            break
    fisher = jacobian.T @ (jacobian / nu[:, None])
    covariance: Floats = np.linalg.pinv(fisher, hermitian=True).astype(np.float64)
    return PolynomialFit(theta, nu, jacobian, covariance, deviance, converged)


def _ordinary(basis: Floats, counts: Floats, exponential: bool, window: int, component: Floats) -> NDArray[np.bool_]:
    """Return the bins that the model describes once those that stand out are left out: all, if too many do."""
    kept = np.ones(counts.size, dtype=bool)
    for _ in range(5):
        fit = fit_polynomial(basis[kept], counts[kept], exponential, component[kept])
        nu = np.maximum(model_in_bins(basis, fit.theta, exponential, component)[0], 1e-9)
        out = np.abs(counts - nu) > _OUTLIER * np.sqrt(nu + 1.0)
        if np.count_nonzero(out) > _MAX_OUTLIERS:
            return np.ones(counts.size, dtype=bool)
        ordinary = np.convolve(out, np.ones(2 * window + 1), mode="same") < 0.5 if counts.size > 2 * window else ~out
        if np.count_nonzero(ordinary) < basis.shape[2] + 2:
            return np.ones(counts.size, dtype=bool)
        if np.array_equal(ordinary, kept):
            break
        kept = ordinary
    return kept


class OrderStep(NamedTuple):
    """An order, how probable what the two next ones gain is (NaN where there is none), and whether it is enough."""

    order: int
    p_next: float
    p_after_next: float
    enough: bool


def lowest_order(deviance: Callable[[int], float], lowest: int, highest: int, available: int) -> OrderStep:
    """Return the lowest order from lowest to highest that neither the next nor the one after improves.

    `deviance` of an order falls by chi squared where the lower one is enough; orders up to `available` can be fitted.
    Where none is enough, the highest is returned and says so.
    """
    known = {lowest: deviance(lowest)}
    step = OrderStep(lowest, math.nan, math.nan, True)
    for k in range(lowest, highest + 1):
        known |= {j: deviance(j) for j in range(k + 1, min(k + 2, available) + 1) if j not in known}
        p = [float(stats.chi2.sf(max(known[k] - known[k + j], 0.0), j)) if k + j in known else math.nan for j in (1, 2)]
        step = OrderStep(k, p[0], p[1], not any(value <= MIN_ORDER_P_VALUE for value in p))
        if step.enough:
            break
    return step


def choose_order(
    bins: Bins, counts: Floats, exponential: bool, window: int, component: Floats, lowest: int = MIN_ORDER
) -> int:
    """Return the order for one segment: the lowest from `lowest` to 4 that neither the next nor the one after improves.

    Looking two orders ahead guards against a shape that needs an even term and no odd one. A few bins that stand out
    by more than four sigma, with `window` neighbours on each side, have no say: a signal shall not choose its
    background.
    """
    highest = counts.size - 2
    best = min(max(MAX_ORDER, lowest), highest)
    kept = _ordinary(basis_at_nodes(bins, best), counts, exponential, window, component)
    highest = min(highest, int(np.count_nonzero(kept)) - 2)

    def deviance(k: int) -> float:
        return fit_polynomial(basis_at_nodes(bins, k)[kept], counts[kept], exponential, component[kept]).deviance

    return lowest_order(deviance, min(lowest, best), best, highest).order
