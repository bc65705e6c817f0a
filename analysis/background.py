"""Smooth background under a mass spectrum: polynomial models, Poisson maximum likelihood, leave-one-out prediction.

The prediction for a bin comes from the fit to all other bins: only so is it independent of the count in the bin, as a
limit with a Gaussian background needs. It follows from the full fit through the leverage H_ii (Allen's PRESS
identity) without refitting.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ..event import Floats
from .poisson_fit import PolynomialFit, basis_at_nodes, choose_order, fit_polynomial
from .spectrum import Bins

#: `exp_poly4_split`: the exponential of a polynomial of order 4 at most, one for each side of the gap (default).
#: `poly4`: one polynomial of order 4 over everything, the words of arXiv:1705.04265.
MODELS = ("exp_poly4_split", "poly4")
#: Bins whose own count decides more than this much of their fit are flagged.
MAX_LEVERAGE = 0.5
#: The model describes the spectrum where the probability of its deviance is above this.
MIN_P_VALUE = 0.01


class BackgroundFit(NamedTuple):
    """A background fitted to a spectrum; arrays have the shape of the counts, `order` one entry per fitted segment.

    residual = n - fitted; significance = residual / sqrt(n), the paper's. `predicted` is what the other bins say, of
    variance nu H / (1 - H) with H the leverage; pull = (n - predicted) sqrt((1 - H) / nu), of unit width.
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

    @property
    def high_leverage(self) -> NDArray[np.bool_]:
        """Bins whose prediction leans on few others (H above 0.5): flagged, left out of regional medians."""
        return self.leverage > MAX_LEVERAGE


def _left_out(fit: PolynomialFit, residual: Floats, window: int) -> tuple[Floats, Floats]:
    """Return for each bin the shift of the fit, and its variance over nu, without the bin and `window` neighbours.

    With H the leverage matrix and W the bins left out, n - prediction = [(1 - H_WW)^-1 r_W] and the variance
    [(1 - H_WW)^-1 H_WW], both in units of sqrt(nu); for one bin r / (1 - H) and H / (1 - H).
    """
    root = np.sqrt(fit.nu)
    whitened = fit.jacobian / root[:, None]
    hat = whitened @ fit.covariance @ whitened.T
    if window == 0:
        alone = np.clip(np.diag(hat), 0.0, 1.0 - 1e-9)
        variance = alone / (1.0 - alone)
        return residual * variance, variance
    shift, variance = np.empty(root.size), np.empty(root.size)
    for i in range(root.size):
        low, high = max(i - window, 0), min(i + window + 1, root.size)
        inside = hat[low:high, low:high]
        inverse = np.linalg.pinv(np.eye(high - low) - inside, hermitian=True)
        shift[i] = root[i] * (inverse[i - low] @ (residual / root)[low:high]) - residual[i]
        variance[i] = max(inverse[i - low] @ inside[:, i - low], 0.0)
    return shift, variance


def _not_absorbed(fit: PolynomialFit, component: Floats, window: int) -> Floats:
    """Return the change of each prediction per relative change of the component: what the polynomial leaves of it."""
    absorbed = fit.jacobian @ (fit.covariance @ (fit.jacobian.T @ (component / fit.nu)))
    residual = component - absorbed
    return residual + _left_out(fit, residual, window)[0]


def fit_background(
    bins: Bins,
    counts: ArrayLike,
    model: str = "exp_poly4_split",
    order: int | Sequence[int] | None = None,
    *,
    window: int = 0,
    component: ArrayLike = 0.0,
    component_error: float = 0.0,
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

    Returns
    -------
    BackgroundFit

    Raises
    ------
    ValueError
        Unknown model, wrong shape, negative or non-finite counts, too few bins for the order.

    Notes
    -----
    A prediction is one Newton step from the full fit: nu - (n - nu) H/(1 - H), for the exponential
    nu exp(-(n - nu)/nu H/(1 - H)). Largest distance to true refits of order 4, in units of sigma_predicted: 0.002 at
    4e3 to 2e4 counts per bin, 0.02 at 40 to 200, 0.5 at 8 to 40 (last bins above the gap). Below about ten counts a
    bin needs the refit.
    """
    counts = _checked(bins, counts, model, window)
    known: Floats = np.broadcast_to(np.asarray(component, dtype=np.float64), counts.shape)
    if not np.all(np.isfinite(known) & (known >= 0.0)):
        raise ValueError("component of the background: must be finite and >= 0")
    exponential = model == "exp_poly4_split"
    if not exponential and order is None:
        order = 4
    segment = bins.segment if exponential else np.zeros(counts.size, dtype=np.int64)
    n_segments = int(segment[-1]) + 1
    given = [order] * n_segments if order is None or isinstance(order, int) else list(order)
    if len(given) != n_segments:
        raise ValueError(f"order = {order}, must be one number or {n_segments}, one for each segment")
    nu, shift, variance, wrong = (np.empty(counts.size) for _ in range(4))
    orders: list[int] = []
    deviance, converged = 0.0, True
    for index, wanted in enumerate(given):
        inside = segment == index
        part = Bins(bins.mass_low[inside], bins.mass_high[inside])
        highest = part.mass_low.size - 2
        if highest < 1:
            raise ValueError(f"a background needs 3 bins in a row, from {part.mass_low[0]:g} GeV are {highest + 2}")
        chosen = choose_order(part, counts[inside], exponential, window, known[inside]) if wanted is None else wanted
        if not 0 <= chosen <= highest:
            raise ValueError(f"order = {chosen}, must be from 0 to {highest} for {highest + 2} bins")
        fit = fit_polynomial(basis_at_nodes(part, chosen), counts[inside], exponential, known[inside])
        nu[inside] = fit.nu
        shift[inside], variance[inside] = _left_out(fit, counts[inside] - fit.nu, window)
        wrong[inside] = component_error * _not_absorbed(fit, known[inside], window)
        orders.append(chosen)
        deviance += fit.deviance
        converged = converged and fit.converged
    residual = counts - nu
    curve = np.maximum(nu - known, 1e-12)
    predicted = known + (curve * np.exp(-shift / curve) if exponential else np.maximum(curve - shift, 0.0))
    dof = counts.size - sum(orders) - len(orders)
    p_value = float(stats.chi2.sf(deviance, dof))
    leverage = variance / (1.0 + variance)
    return BackgroundFit(
        model,
        nu,
        predicted,
        np.sqrt(nu * variance + wrong * wrong),
        leverage,
        residual,
        residual / np.sqrt(np.maximum(counts, 1.0)),
        (residual + shift) * np.sqrt((1.0 - leverage) / nu),
        tuple(orders),
        deviance,
        dof,
        p_value,
        converged and p_value > MIN_P_VALUE,
        converged,
    )


def _checked(bins: Bins, counts: ArrayLike, model: str, window: int) -> Floats:
    if model not in MODELS:
        raise ValueError(f"background model = {model!r}, must be one of {', '.join(MODELS)}")
    if window < 0:
        raise ValueError(f"window = {window}, must be >= 0")
    counts = np.asarray(counts, dtype=np.float64)
    if counts.shape != bins.mass_low.shape:
        raise ValueError(f"counts of shape {counts.shape} for {bins.mass_low.size} bins")
    good = np.isfinite(counts) & (counts >= 0.0)
    if not np.all(good):
        raise ValueError(f"counts = {counts[~good][0]:g}, must be finite and >= 0")
    return counts
