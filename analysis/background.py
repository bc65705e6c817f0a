"""Smooth background under a mass spectrum: polynomial models, Poisson maximum likelihood, leave-one-out prediction.

The prediction for a bin comes from the fit to all other bins: only so is it independent of the count in the bin, as a
limit with a Gaussian background needs (`left_out`). A prediction from the fit with the bin, error included, is not:
it takes up a share H of any signal, which its record carries, so that whoever makes a limit of it divides by 1 - H.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ..event import Floats, Ints
from .left_out import REFIT_BELOW, leave_out, one_step
from .poisson_fit import MIN_ORDER, PolynomialFit, basis_at_nodes, choose_order, fit_polynomial
from .spectrum import Bins

#: `exp_poly4_split`: the exponential of a polynomial of order 4 at most, one for each side of the gap (default).
#: `poly4`: one polynomial of order 4 over everything, the words of arXiv:1705.04265.
MODELS = ("exp_poly4_split", "poly4")
#: `leave_one_out` (default): each bin predicted by the others. `with_bin`: by the fit to all, the words of the paper.
PREDICTIONS = ("leave_one_out", "with_bin")
#: Bins whose own count decides more than this much of their fit are flagged.
MAX_LEVERAGE = 0.5
#: The model describes the spectrum where the probability of its deviance is above this.
MIN_P_VALUE = 0.01


class BackgroundFit(NamedTuple):
    """A background fitted to a spectrum; arrays have the shape of the counts, `order` one entry per fitted segment.

    residual = n - fitted; significance = residual / sqrt(n), the paper's. `predicted` is what the other bins say, of
    variance nu H / (1 - H) with H the leverage; pull = (n - predicted) sqrt((1 - H) / nu), of unit width. `absorbed`
    is the share of a signal in the bin that `predicted` takes up: H where it knows the bin (then `predicted` is
    `fitted`, of variance nu H); where it leaves the bin out, what the events of the signal in bins that are not left
    out raise it by, 0 without a known leakage. `left_out_deviance` is that of all bins but those left out, at
    their own best fit; `refitted` marks the bins for which it, and the prediction, are from a repeated fit.
    """

    model: str
    fitted: Floats
    predicted: Floats
    sigma_predicted: Floats
    leverage: Floats
    residual: Floats
    significance: Floats
    pull: Floats
    order: tuple[int, ...]
    deviance: float
    dof: int
    p_value: float
    background_ok: bool
    converged: bool
    absorbed: Floats
    left_out_deviance: Floats
    refitted: NDArray[np.bool_]
    prediction: str

    @property
    def null_variance(self) -> Floats:
        """Variance of n - predicted without a signal: counts expected and their prediction, nu / (1 - H)."""
        if self.prediction == "with_bin":
            return self.fitted * (1.0 - self.leverage)
        expected = np.where(self.refitted, np.maximum(self.predicted, 1e-12), self.fitted)
        return np.asarray(expected / (1.0 - self.leverage))

    @property
    def high_leverage(self) -> NDArray[np.bool_]:
        """Bins whose prediction leans on few others (H above 0.5): flagged, left out of regional medians."""
        return self.leverage > MAX_LEVERAGE


def _not_absorbed(fit: PolynomialFit, component: Floats, window: int) -> Floats:
    """Return the change of each prediction per relative change of the component: what the polynomial leaves of it."""
    residual = component - fit.jacobian @ (fit.covariance @ (fit.jacobian.T @ (component / fit.nu)))
    return residual + one_step(fit, residual, window).shift


def segments_of(bins: Bins, model: str) -> Ints:
    """Return the index of the segment that a model fits each bin in: one for each side of the gap, or one for all."""
    return bins.segment if model == "exp_poly4_split" else np.zeros(bins.mass_low.size, dtype=np.int64)


def fit_background(
    bins: Bins,
    counts: ArrayLike,
    model: str = "exp_poly4_split",
    order: int | Sequence[int] | None = None,
    *,
    window: int = 0,
    component: ArrayLike = 0.0,
    component_error: float = 0.0,
    prediction: str = "leave_one_out",
    refit_below: float = REFIT_BELOW,
    lowest: Sequence[int] | None = None,
    leakage: Floats | None = None,
) -> BackgroundFit:
    """Fit a background model to the counts of bins with gaps and predict each bin from all others.

    Parameters
    ----------
    bins : Bins
        Mass bins [GeV] without the excluded region; the split model treats each contiguous run by itself.
    counts : array_like, shape (n_bins,)
        Counts; an expectation (Asimov data) need not be integers.
    model : str
        One of `MODELS`. A single `poly4` leaves tens of sigma at millions of events; it is then not `background_ok`.
    order : int or sequence of int, optional
        Fixed order, or one per segment, in place of the choice by likelihood ratio (`poly4`: 4 unless given).
    window : int
        Neighbours on each side that are left out with the bin: a signal wider than its bin then does not lift its
        own background. The leverage grows with it.
    component : array_like, shape (n_bins,)
        Expected events of a process that no polynomial describes (pion pairs), added to it; counts stay as they are.
    component_error : float
        Relative error of their number; what of it the polynomial does not absorb enters `sigma_predicted`.
    prediction : str
        One of `PREDICTIONS`. The fit with the bin knows no window.
    refit_below : float
        Fitted counts below which a bin is predicted by a repeated fit: infinity for every bin, zero for none.
    lowest : sequence of int, optional
        Per segment, the order below which the likelihood ratio does not choose.
    leakage : ndarray, shape (n_bins, n_bins), optional
        Row i: the events in all bins of a signal that has one event in bin i, for `absorbed`.

    Returns
    -------
    BackgroundFit

    Raises
    ------
    ValueError
        Unknown model, wrong shape, bins of several widths, negative or non-finite counts, too few bins for the order.

    Notes
    -----
    A prediction is one Newton step from the full fit, nu - (n - nu) H/(1 - H), for the exponential
    nu exp(-(n - nu)/nu H/(1 - H)), unless the bin is fitted with fewer than `refit_below` counts or the step moves the
    curve by more than 5 per cent. Largest distance to refits of order 4 and 2, in units of sigma_predicted: 0.009 above
    4000 counts per bin, 0.014 at 40 to 400; below, none. Extrapolation to the last bin of few is then as uncertain as
    it says.
    """
    counts = _checked(bins, counts, model, window)
    if prediction not in PREDICTIONS:
        raise ValueError(f"prediction = {prediction!r}, must be one of {', '.join(PREDICTIONS)}")
    if prediction == "with_bin" and window != 0:
        raise ValueError(f"window = {window}, must be 0 for prediction = 'with_bin', which leaves nothing out")
    known: Floats = np.broadcast_to(np.asarray(component, dtype=np.float64), counts.shape)
    if not np.all(np.isfinite(known) & (known >= 0.0)):
        raise ValueError("component of the background: must be finite and >= 0")
    exponential = model == "exp_poly4_split"
    if not exponential and order is None:
        order = 4
    segment = segments_of(bins, model)
    n_segments = int(segment[-1]) + 1
    given = [order] * n_segments if order is None or isinstance(order, int) else list(order)
    if len(given) != n_segments:
        raise ValueError(f"order = {order}, must be one number or {n_segments}, one for each segment")
    floor = [MIN_ORDER] * n_segments if lowest is None else list(lowest)
    if len(floor) != n_segments:
        raise ValueError(f"lowest = {lowest}, must be {n_segments} orders, one for each segment")
    nu, predicted, variance, wrong, others, refitted, absorbed = (np.empty(counts.size) for _ in range(7))
    orders: list[int] = []
    deviance, converged = 0.0, True
    for index, (wanted, least) in enumerate(zip(given, floor, strict=True)):
        inside = segment == index
        part = Bins(bins.mass_low[inside], bins.mass_high[inside])
        highest = part.mass_low.size - 2
        if highest < 1:
            raise ValueError(f"a background needs 3 bins in a row, from {part.mass_low[0]:g} GeV are {highest + 2}")
        chosen = wanted
        if chosen is None:
            chosen = choose_order(part, counts[inside], exponential, window, known[inside], least)
        if not 0 <= chosen <= highest:
            raise ValueError(f"order = {chosen}, must be from 0 to {highest} for {highest + 2} bins")
        basis = basis_at_nodes(part, chosen)
        fit = fit_polynomial(basis, counts[inside], exponential, known[inside])
        own = None if leakage is None else leakage[np.ix_(inside, inside)]
        left = leave_out(basis, counts[inside], fit, exponential, known[inside], window, refit_below, own)
        nu[inside], predicted[inside], variance[inside] = fit.nu, left.predicted, left.variance
        others[inside], refitted[inside] = left.deviance - fit.deviance, left.refitted
        absorbed[inside] = left.absorbed
        wrong[inside] = component_error * _not_absorbed(fit, known[inside], window)
        orders.append(chosen)
        deviance += fit.deviance
        converged = converged and fit.converged and left.converged
    # the variance of n is what is expected there: of a repeated fit what it predicts
    expected = np.where(refitted > 0.0, np.maximum(predicted, 1e-12), nu)
    leverage = variance / (expected + variance)
    pull = (counts - predicted) / np.sqrt(expected + variance)
    if prediction == "with_bin":
        # fitted = H n + (1 - H) prediction of the others
        predicted, variance, absorbed = nu, nu * leverage, leverage + (1.0 - leverage) * absorbed
        wrong = wrong * (1.0 - leverage)
    residual = counts - nu
    dof = counts.size - sum(orders) - len(orders)
    p_value = float(stats.chi2.sf(deviance, dof))
    return BackgroundFit(
        model,
        nu,
        predicted,
        np.sqrt(variance + wrong * wrong),
        leverage,
        residual,
        residual / np.sqrt(np.maximum(counts, 1.0)),
        pull,
        tuple(orders),
        deviance,
        dof,
        p_value,
        converged and p_value > MIN_P_VALUE,
        converged,
        absorbed,
        deviance + others,
        refitted > 0.0,
        prediction,
    )


def _checked(bins: Bins, counts: ArrayLike, model: str, window: int) -> Floats:
    if model not in MODELS:
        raise ValueError(f"background model = {model!r}, must be one of {', '.join(MODELS)}")
    if window < 0:
        raise ValueError(f"window = {window}, must be >= 0")
    counts = np.asarray(counts, dtype=np.float64)
    if counts.shape != bins.mass_low.shape:
        raise ValueError(f"counts of shape {counts.shape} for {bins.mass_low.size} bins")
    widths = bins.width
    if np.any(np.abs(widths - widths[:1]) > 1e-9):
        raise ValueError(
            f"bins of {widths.min():g} to {widths.max():g} GeV: a background is fitted to bins of one common width"
        )
    good = np.isfinite(counts) & (counts >= 0.0)
    if not np.all(good):
        raise ValueError(f"counts = {counts[~good][0]:g}, must be finite and >= 0")
    return counts
