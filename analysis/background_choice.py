"""Which background, and is it good enough: order by likelihood ratio, goodness of fit by toys, the verdict.

Every test returns a record of plain numbers, its verdict among them, that outputs can carry. The choice is made once,
on simulation or on data with the signal region left out, and then kept: toys that choose anew have another coverage.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..event import Floats
from ..rng import derive_seed
from .background import MIN_P_VALUE, BackgroundFit, fit_background, segments_of
from .poisson_fit import basis_at_nodes, fit_polynomial, lowest_order
from .pseudo_data import poisson_numbers
from .spectrum import Bins
from .spurious_signal import SpuriousSignal

#: Share of toys whose fit may fail; beyond, the test stops.
MAX_FAILED = 1e-3


class Goodness(NamedTuple):
    """Probability of a deviance at least as large: from toys, or from chi squared where `toys` is zero."""

    deviance: float
    dof: int
    p_value: float
    toys: int
    failed: int
    ok: bool


class OrderChoice(NamedTuple):
    """Orders chosen per segment, and why: probabilities of what the two next orders gain, NaN where there is none."""

    model: str
    order: tuple[int, ...]
    p_next: tuple[float, ...]
    p_after_next: tuple[float, ...]
    exhausted: bool
    goodness: Goodness

    @property
    def ok(self) -> bool:
        """Neither next order is asked for, and the fit is good."""
        return not self.exhausted and self.goodness.ok


class Verdict(NamedTuple):
    """All that is known of a background model: one record for the outputs. `reasons` is empty where it is good."""

    model: str
    order: tuple[int, ...]
    p_value: float
    spurious_largest: float
    spurious_at_mass: float
    background_ok: bool
    reasons: tuple[str, ...]


def goodness_of_fit(
    bins: Bins,
    counts: ArrayLike,
    model: str = "exp_poly4_split",
    order: int | Sequence[int] | None = None,
    *,
    component: ArrayLike = 0.0,
    toys: int = 0,
    seed: int = 0,
) -> Goodness:
    """Return how probable the deviance of a background fit is.

    With `toys`, Poisson spectra of the fitted expectation are fitted at the same order: p = (1 + those at least as
    far off) / (1 + toys), valid for few counts where chi squared is not. Toys without a converged fit count as far
    off; more than `MAX_FAILED` of them raise RuntimeError.
    """
    options: dict[str, Any] = {"component": component, "refit_below": 0.0}
    fit = fit_background(bins, counts, model, order, **options)
    if toys == 0:
        return Goodness(fit.deviance, fit.dof, fit.p_value, 0, 0, fit.converged and fit.p_value > MIN_P_VALUE)
    beyond = failed = 0
    own = derive_seed(seed, "goodness of fit", model)
    for toy in range(toys):
        drawn = fit_background(bins, poisson_numbers(fit.fitted, own, toy), model, fit.order, **options)
        failed += not drawn.converged
        beyond += not drawn.converged or drawn.deviance >= fit.deviance
    if failed > MAX_FAILED * toys:
        raise RuntimeError(f"{failed} of {toys} toys of {model}, order {fit.order}, have no converged fit")
    p_value = (1.0 + beyond) / (1.0 + toys)
    return Goodness(fit.deviance, fit.dof, p_value, toys, failed, fit.converged and p_value > MIN_P_VALUE)


def choose_orders(
    bins: Bins,
    counts: ArrayLike,
    model: str = "exp_poly4_split",
    *,
    lowest: int = 0,
    highest: int = 8,
    component: ArrayLike = 0.0,
    toys: int = 0,
    seed: int = 0,
) -> OrderChoice:
    """Return per segment the lowest order that neither the next nor the one after improves, with its probabilities.

    2 [ln L(k + j) - ln L(k)] follows chi squared with j degrees of freedom where order k is enough; k is taken where
    both are more probable than 5 per cent. Looking two ahead guards against a shape of even terms alone. `exhausted`
    where even `highest` is not enough, in any segment. The goodness of the chosen fit is part of the record.

    Raises
    ------
    ValueError
        As `fit_background`; orders out of their order.
    """
    if not 0 <= lowest <= highest:
        raise ValueError(f"orders from {lowest} to {highest}, need 0 <= lowest <= highest")
    counts = np.asarray(counts, dtype=np.float64)
    fit_background(bins, counts, model, 0, refit_below=0.0)  # names what is wrong with the counts
    known = np.broadcast_to(np.asarray(component, dtype=np.float64), counts.shape)
    segment = segments_of(bins, model)
    orders, p_next, p_after, exhausted = [], [], [], False
    for index in range(int(segment[-1]) + 1):
        inside = segment == index
        part = Bins(bins.mass_low[inside], bins.mass_high[inside])
        own, added = counts[inside], known[inside]

        def deviance(k: int, part: Bins = part, own: Floats = own, added: Floats = added) -> float:
            return fit_polynomial(basis_at_nodes(part, k), own, model == "exp_poly4_split", added).deviance

        available = own.size - 2
        step = lowest_order(deviance, min(lowest, available), min(highest, available), available)
        orders.append(step.order)
        p_next.append(step.p_next)
        p_after.append(step.p_after_next)
        exhausted = exhausted or not step.enough
    goodness = goodness_of_fit(bins, counts, model, orders, component=component, toys=toys, seed=seed)
    return OrderChoice(model, tuple(orders), tuple(p_next), tuple(p_after), exhausted, goodness)


def judge(fit: BackgroundFit, spurious: SpuriousSignal | None = None, goodness: Goodness | None = None) -> Verdict:
    """Return the verdict on a fitted background: converged, probable (by toys where given), no spurious signal."""
    p_value = fit.p_value if goodness is None else goodness.p_value
    failures = {
        "the fit did not converge": not fit.converged,
        f"p = {p_value:.2g}, allowed above {MIN_P_VALUE}": not p_value > MIN_P_VALUE,
    }
    largest = at_mass = float("nan")
    if spurious is not None:
        largest, at_mass = spurious.largest, spurious.at_mass
        told = f"spurious signal of {largest:.2g} sigma at {at_mass:.4g} GeV, allowed {spurious.allowed:g}"
        failures[told] = not largest < spurious.allowed
        noisy = f"template with noise of {spurious.noise:.2g} sigma, allowed {spurious.allowed:g}"
        failures[noisy] = not spurious.noise < spurious.allowed
    reasons = tuple(reason for reason, failed in failures.items() if failed)
    return Verdict(fit.model, fit.order, p_value, largest, at_mass, not reasons, reasons)


def with_verdict(fit: BackgroundFit, verdict: Verdict) -> BackgroundFit:
    """Return the fit with `background_ok` as the verdict says: its limits carry the flag."""
    return fit._replace(background_ok=fit.converged and verdict.background_ok)
