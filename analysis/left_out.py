"""What the other bins say of a bin: the prediction of a fit without the bin and its neighbours.

Where counts are many the prediction is one Newton step from the full fit, through the leverage matrix (Allen's PRESS
identity); where they are few, or the step is long, the fit is repeated without those bins.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..event import Floats
from .poisson_fit import PolynomialFit, bin_deviances, fit_polynomial, model_in_bins

#: One Newton step is exact to 0.02 sigma above so many counts (40 to 200 in a bin); below, the fit is repeated.
REFIT_BELOW = 50.0
#: It is repeated too where the step moves the curve in the bin by more than this, relative to it.
LONGEST_STEP = 0.05
#: A prediction, and its error, end here, in units of all counts of the segment: nothing is known beyond.
FARTHEST = 1e3


class LeftOut(NamedTuple):
    """Prediction of each bin from the bins that are not left out with it, arrays of shape (n_bins,).

    `variance` is that of the prediction; `deviance` that of the bins that are left, at their own best fit;
    `refitted` where the fit was repeated; `absorbed` what the signal of a row of the leakage adds to the prediction.
    """

    predicted: Floats
    variance: Floats
    deviance: Floats
    refitted: NDArray[np.bool_]
    converged: bool
    absorbed: Floats


class Steps(NamedTuple):
    """One Newton step per bin: shift of the curve, variance over nu, and the deviance that leaves with the bins.

    `absorbed` is what the prediction rises by if every bin had the signal that a row of `leakage` says.
    """

    shift: Floats
    variance: Floats
    deviance: Floats
    absorbed: Floats


def one_step(fit: PolynomialFit, residual: Floats, window: int, leakage: Floats | None = None) -> Steps:
    """Return for each bin the shift of the fit, and its variance over nu, without the bin and `window` neighbours.

    With H the leverage matrix and W the bins left out, n - prediction = [(1 - H_WW)^-1 r_W] and the variance
    [(1 - H_WW)^-1 H_WW], both in units of sqrt(nu); for one bin r / (1 - H) and H / (1 - H). The deviance, in Pearson's
    form, falls by r_W (1 - H_WW)^-1 r_W: the bins' own r_W^2, and what the others gain. A signal with events s_j in
    the bins that are left raises the prediction by [(1 - H_WW)^-1 H_Wj] s_j; rows of `leakage` are these s.
    """
    root = np.sqrt(fit.nu)
    whitened = fit.jacobian / root[:, None]
    hat = whitened @ fit.covariance @ whitened.T
    pull = residual / root
    outside = np.zeros_like(hat) if leakage is None else leakage / root
    if window == 0:
        alone = np.clip(np.diag(hat), 0.0, 1.0 - 1e-9)
        variance = alone / (1.0 - alone)
        np.fill_diagonal(outside, 0.0)
        absorbed = root * np.einsum("ij,ij->i", hat, outside) / (1.0 - alone)
        return Steps(residual * variance, variance, pull * pull / (1.0 - alone), absorbed)
    shift, variance, deviance, absorbed = (np.empty(root.size) for _ in range(4))
    for i in range(root.size):
        low, high = max(i - window, 0), min(i + window + 1, root.size)
        inside = hat[low:high, low:high]
        inverse = np.linalg.pinv(np.eye(high - low) - inside, hermitian=True)
        alone = inverse @ pull[low:high]
        shift[i] = root[i] * alone[i - low] - residual[i]
        variance[i] = max(inverse[i - low] @ inside[:, i - low], 0.0)
        deviance[i] = pull[low:high] @ alone
        others = outside[i].copy()
        others[low:high] = 0.0
        absorbed[i] = root[i] * (inverse[i - low] @ (hat[low:high] @ others))
    return Steps(shift, variance, deviance, absorbed)


def _extrapolated(
    basis: Floats, fit: PolynomialFit, exponential: bool, component: Floats, most: float
) -> tuple[float, float]:
    """Return what a fit says of a bin outside it, and the variance, both within `most`.

    The exponential of a polynomial through a few counts far away can be anything: then so is its error.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        nu, jacobian = model_in_bins(basis, fit.theta, exponential, component)
        variance = float(jacobian[0] @ fit.covariance @ jacobian[0])
    if not (nu[0] < most and variance < most * most):
        return min(max(float(np.nan_to_num(nu[0], nan=most)), 0.0), most), most * most
    return max(float(nu[0]), 0.0), max(variance, 0.0)


def leave_out(
    basis: Floats,
    counts: Floats,
    fit: PolynomialFit,
    exponential: bool,
    component: Floats,
    window: int,
    refit_below: float = REFIT_BELOW,
    leakage: Floats | None = None,
) -> LeftOut:
    """Return the prediction of every bin of a segment from the others.

    Parameters
    ----------
    basis : ndarray, shape (n_bins, 3, n_parameters)
    counts, component : ndarray, shape (n_bins,)
    fit : PolynomialFit
        The fit of all bins.
    exponential : bool
    window : int
        Neighbours on each side left out with the bin.
    refit_below : float
        Counts below which the fit is repeated; infinity repeats it for every bin, zero for none.
    leakage : ndarray, shape (n_bins, n_bins), optional
        Row i: the events in all bins of a signal that has one event in bin i.
    """
    steps = one_step(fit, counts - fit.nu, window, leakage)
    curve = np.maximum(fit.nu - component, 1e-12)
    if exponential:
        # beyond 40 e-folds the step means nothing, and the fit is repeated
        predicted = component + curve * np.exp(np.clip(-steps.shift / curve, -40.0, 40.0))
    else:
        predicted = component + np.maximum(curve - steps.shift, 0.0)
    variance = fit.nu * steps.variance
    own = bin_deviances(counts, fit.nu) - (counts - fit.nu) ** 2 / fit.nu
    beyond = np.convolve(own, np.ones(2 * window + 1))[window : window + counts.size]
    deviance = np.maximum(fit.deviance - steps.deviance - beyond, 0.0)
    wanted = (fit.nu < refit_below) | (np.abs(steps.shift) > LONGEST_STEP * curve)
    wanted &= refit_below > 0.0
    converged = True
    refitted = np.zeros(counts.size, dtype=bool)
    most = FARTHEST * (float(counts.sum()) + 1.0)
    for i in np.flatnonzero(wanted):
        kept = np.abs(np.arange(counts.size) - i) > window
        if np.count_nonzero(kept) < basis.shape[2]:
            continue  # the leverage says so: nothing is predicted
        again = fit_polynomial(basis[kept], counts[kept], exponential, component[kept])
        converged = converged and again.converged
        predicted[i], variance[i] = _extrapolated(basis[i : i + 1], again, exponential, component[i : i + 1], most)
        deviance[i] = again.deviance
        refitted[i] = True
    return LeftOut(predicted, variance, deviance, refitted, converged, steps.absorbed)
