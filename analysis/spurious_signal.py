"""Spurious signal: what a fit of a signal finds in a background that has none, and the orders for which that is little.

A background template without noise (a formula, or simulation smoothed) is fitted as data are; the signal found is a
bias of the background model, in units of the error that the signal has in data.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..event import Floats
from .background import fit_background, segments_of
from .poisson_fit import MIN_ORDER
from .spectrum import Bins

#: Largest spurious signal in units of its error: the convention of ATLAS, ATL-PHYS-PUB-2020-028.
ALLOWED_SPURIOUS = 0.2
#: What chooses the order of a polynomial: `likelihood_ratio`, on the data alone; `spurious_signal` (default), the same,
#: but never below the lowest order that finds no signal in the noise-free expectation.
ORDER_RULES = ("spurious_signal", "likelihood_ratio")
#: From counts to the fitted signal and its error, one entry per mass tested.
SignalFit = Callable[[Floats], tuple[Floats, Floats]]


class SpuriousSignal(NamedTuple):
    """Signal that a fit finds in a background without one, per mass, with the error it would have in data.

    `noise` is the largest error of the template over that of the data: a ratio below it says nothing.
    """

    mass: Floats
    signal: Floats
    error: Floats
    allowed: float = ALLOWED_SPURIOUS
    noise: float = 0.0

    @property
    def ratio(self) -> Floats:
        """Spurious signal in units of its error."""
        return self.signal / self.error

    @property
    def largest(self) -> float:
        """Largest of the ratios, either sign."""
        return float(np.max(np.abs(self.ratio)))

    @property
    def rms(self) -> float:
        """Root mean square of the ratios."""
        return float(np.sqrt(np.mean(self.ratio**2)))

    @property
    def at_mass(self) -> float:
        """Mass [GeV] of the largest ratio."""
        return float(self.mass[np.argmax(np.abs(self.ratio))])

    @property
    def ok(self) -> bool:
        """The largest ratio is allowed at every mass, and the template fine enough to tell."""
        return self.largest < self.allowed and self.noise < self.allowed

    def at_luminosity(self, scale: float) -> "SpuriousSignal":
        """Return what `scale` times the luminosity makes of it: the ratio grows with its square root."""
        if not scale > 0.0:
            raise ValueError(f"scale = {scale!r}, must be > 0")
        root = float(np.sqrt(scale))
        return self._replace(signal=self.signal * scale, error=self.error * root, noise=self.noise * root)

    def summary(self) -> dict[str, Any]:
        """Return the verdict as numbers: what a manifest carries."""
        names = ("largest", "at_mass", "rms", "allowed", "noise", "ok")
        return {name: getattr(self, name) for name in names}


def counting_fit(
    bins: Bins,
    model: str = "exp_poly4_split",
    order: int | Sequence[int] | None = None,
    *,
    window: int = 0,
    component: ArrayLike = 0.0,
    prediction: str = "leave_one_out",
    lowest: Sequence[int] | None = None,
) -> SignalFit:
    """Return the signal fit of the paper's method: the excess of a bin over what the other bins predict."""

    def fit(counts: Floats) -> tuple[Floats, Floats]:
        found = fit_background(
            bins, counts, model, order, window=window, component=component, prediction=prediction, lowest=lowest
        )
        return np.asarray(counts, dtype=np.float64) - found.predicted, np.sqrt(found.null_variance)

    return fit


def unbiased_orders(
    bins: Bins,
    template: ArrayLike,
    model: str = "exp_poly4_split",
    *,
    lowest: int = MIN_ORDER,
    highest: int = 8,
    window: int = 0,
    component: ArrayLike = 0.0,
    prediction: str = "leave_one_out",
    allowed: float = ALLOWED_SPURIOUS,
) -> tuple[int, ...]:
    """Return per segment the lowest order whose spurious signal in a template is below `allowed` in every bin.

    Arguments as in `counting_fit` and `spurious_signal`, which is what is tested. Where no order passes, the one with
    the smallest spurious signal: `judge` then says that it fails.
    """
    segment = segments_of(bins, model)
    n_segments = int(segment[-1]) + 1
    most = [min(highest, int(np.count_nonzero(segment == index)) - 2) for index in range(n_segments)]
    worst = np.full((n_segments, highest + 1), np.inf)
    for order in range(lowest, highest + 1):
        orders = [min(order, top) for top in most]
        fit = counting_fit(bins, model, orders, window=window, component=component, prediction=prediction)
        ratio = np.abs(spurious_signal(template, fit, bins.centre, allowed=allowed).ratio)
        for index in range(n_segments):
            if order <= max(most[index], lowest):
                worst[index, order] = np.max(ratio[segment == index])
        if np.all(np.min(worst, axis=1) < allowed):
            break
    good = worst < allowed
    chosen = np.where(good.any(axis=1), np.argmax(good, axis=1), np.argmin(worst, axis=1))
    return tuple(min(int(order), top) for order, top in zip(chosen, most, strict=True))


def spurious_signal(
    template: ArrayLike,
    fit: SignalFit,
    masses: ArrayLike,
    *,
    allowed: float = ALLOWED_SPURIOUS,
    template_error: ArrayLike = 0.0,
) -> SpuriousSignal:
    """Return what a fit of a signal finds in a background template.

    Parameters
    ----------
    template : array_like
        Expected background per bin at the luminosity of the data, without noise (a formula, or simulation smoothed or
        of much larger luminosity); the shape that `fit` takes.
    fit : callable
        From counts to the signal and its error at each mass: `counting_fit`, or any other method, such as the
        sliding window of a bump hunt.
    masses : array_like, shape (n_masses,)
        [GeV]
    allowed : float
        Largest ratio of spurious signal to its error.
    template_error : array_like
        Error of the template per bin. Noise that is not smoothed away appears as a ratio of sqrt(L_data / L_template).

    Raises
    ------
    ValueError
        A template that is negative or not finite, an empty list of masses, a fit whose answer has another shape or
        an error that is not positive.
    """
    template = np.asarray(template, dtype=np.float64)
    good = np.isfinite(template) & (template >= 0.0)
    if not np.all(good):
        raise ValueError(f"template = {template[~good].flat[0]:g}, must be finite and >= 0")
    mass = np.asarray(masses, dtype=np.float64)
    signal, error = (np.asarray(values, dtype=np.float64) for values in fit(template))
    if mass.size == 0 or signal.shape != mass.shape or error.shape != mass.shape:
        raise ValueError(f"{mass.size} masses, a signal of shape {signal.shape} and an error of shape {error.shape}")
    fitted = np.isfinite(signal) & np.isfinite(error) & (error > 0.0)
    if not np.all(fitted):
        raise ValueError(f"fit at {mass[~fitted][0]:g} GeV: {signal[~fitted][0]:g} +- {error[~fitted][0]:g}")
    noise = np.asarray(template_error, dtype=np.float64) / np.sqrt(np.maximum(template, 1.0))
    return SpuriousSignal(mass, signal, error, allowed, float(np.max(noise)))


def combined_spurious(parts: Sequence[SpuriousSignal], strength: Sequence[ArrayLike] | None = None) -> SpuriousSignal:
    """Return the spurious signal of several channels together.

    Without `strength` the events are added (the paper's sum); with it, the signal expected in each channel per unit
    of a common strength, the channels are weighted by their information and the result is that strength.
    """
    first = parts[0]
    if not all(np.array_equal(part.mass, first.mass) for part in parts):
        raise ValueError("spurious signals at different masses cannot be combined")
    signal, error = np.array([part.signal for part in parts]), np.array([part.error for part in parts])
    noise = max(part.noise for part in parts)
    if strength is None:
        return first._replace(signal=signal.sum(axis=0), error=np.sqrt(np.sum(error**2, axis=0)), noise=noise)
    weight = np.array([np.broadcast_to(np.asarray(s, dtype=np.float64), first.mass.shape) for s in strength]) / error**2
    information = np.sum(weight**2 * error**2, axis=0)
    return first._replace(
        signal=np.sum(weight * signal, axis=0) / information, error=1.0 / np.sqrt(information), noise=noise
    )
