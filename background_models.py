"""Background models of the bins of the tables: their orders without spurious signal, and the verdict on each."""

from typing import Any, NamedTuple

import numpy as np

from .analysis.background import fit_background
from .analysis.background_choice import Verdict, judge, with_verdict
from .analysis.channel import ChannelInput
from .analysis.combination import Table
from .analysis.fine_bins import summed
from .analysis.search_card import Search
from .analysis.spectrum import Bins, search_bins
from .analysis.spurious_signal import SpuriousSignal, counting_fit, spurious_signal, unbiased_orders
from .arrays import Floats
from .event import CHANNELS
from .limit_inputs import Corrections, pions_in

#: Options beside the one that a search uses: name in the output, model, and the order or the rule that chooses it.
COUNTING: tuple[tuple[str, str, int | str], ...] = (
    ("poly4", "poly4", 4),
    ("exp_poly_split_likelihood_ratio", "exp_poly4_split", "likelihood_ratio"),
    ("exp_poly_split_spurious_signal", "exp_poly4_split", "spurious_signal"),
    ("exp_poly_split_order_4", "exp_poly4_split", 4),
    ("exp_poly_split_order_5", "exp_poly4_split", 5),
)
#: The model that the search was told to use, as it was fitted to the data.
CHOSEN = "as_fitted"
#: The same, tested on a spectrum with one standard error more of the pions than the fit is told: what their error in
#: `background_error` stands for.
MORE_PIONS = "as_fitted_more_pions"


class Templates(NamedTuple):
    """Noise-free spectra by channel in the bins of the tables outside the gap, and the known pions in them."""

    bins: Bins
    total: dict[str, Floats]
    pions: dict[str, Floats]

    def scaled(self, scale: float) -> "Templates":
        """Return the templates at `scale` times the luminosity."""
        more = [{name: scale * values for name, values in one.items()} for one in (self.total, self.pions)]
        return Templates(self.bins, *more)

    def with_more_pions(self, relative: float) -> "Templates":
        """Return templates with that share more of the pions in the spectra, and as many known as before."""
        return self._replace(total={name: n + relative * self.pions[name] for name, n in self.total.items()})


def templates(template: Floats, corrections: Corrections, search: Search) -> Templates:
    """Return the noise-free expectation (n_channels, n_fine) in the bins of the tables."""
    edges = search.spectrum.edges()
    bins = search_bins(edges, search.spectrum.gap)
    at = np.searchsorted(edges[:-1], bins.mass_low - 1e-9)
    wide = summed(template, edges.size - 1)[:, at]
    pions = pions_in(corrections, search, bins)
    known = {channel: np.zeros(at.size) for channel in CHANNELS}
    if pions is not None:
        known["mumu"] = pions
    return Templates(bins, {channel: wide[c] for c, channel in enumerate(CHANNELS)}, known)


def unbiased(given: Templates, channel: str, search: Search) -> tuple[int, ...]:
    """Return the lowest orders, one per side of the gap, whose spurious signal in a channel is allowed."""
    return unbiased_orders(
        given.bins,
        given.total[channel],
        window=search.limit.window,
        component=given.pions[channel],
        prediction=search.limit.prediction,
    )


def with_orders(corrections: Corrections, given: Templates, search: Search) -> Corrections:
    """Return the corrections with the lowest orders of the background that leave no spurious signal."""
    return corrections._replace(orders={channel: unbiased(given, channel, search) for channel in CHANNELS})


def fit_options(
    search: Search, order: int | tuple[int, ...] | None, lowest: tuple[int, ...] | None = None
) -> dict[str, Any]:
    """Return the options of a background fit of a search."""
    return {
        "order": order,
        "lowest": lowest,
        "window": search.limit.window,
        "prediction": search.limit.prediction,
    }


def spurious_counting(given: Templates, channel: str, model: str, options: dict[str, Any]) -> SpuriousSignal:
    """Return the spurious signal of a background model in the bins of the tables."""
    fit = counting_fit(given.bins, model, component=given.pions[channel], **options)
    return spurious_signal(given.total[channel], fit, given.bins.centre)


def judged(
    inputs: list[ChannelInput], given: Templates, search: Search
) -> tuple[list[ChannelInput], dict[str, Verdict]]:
    """Return the channels with `background_ok` as the tests of their background say, and the verdicts by channel."""
    verdicts = {}
    for one in inputs:
        fit = one.background
        found = spurious_counting(given, one.channel, fit.model, fit_options(search, fit.order))
        verdicts[one.channel] = judge(fit, found)
    return [one._replace(background=with_verdict(one.background, verdicts[one.channel])) for one in inputs], verdicts


def option_verdicts(inputs: list[ChannelInput], given: Templates, search: Search) -> Table:
    """Return a row per channel and option: orders, goodness of the fit to the data, spurious signal, the verdict."""
    rows: list[dict[str, Any]] = []
    for one in inputs:
        fits = [(CHOSEN, one.background)]
        for name, model, rule in COUNTING:
            lowest = unbiased(given, one.channel, search) if rule == "spurious_signal" else None
            options = fit_options(search, rule if isinstance(rule, int) else None, lowest)
            error = search.systematics.pion_form_factor
            fits.append(
                (name, fit_background(one.bins, one.n, model, component=one.pipi, component_error=error, **options))
            )
        more = given.with_more_pions(search.systematics.pion_form_factor)
        for name, fit in [*fits, *([(MORE_PIONS, one.background)] if np.any(given.pions[one.channel]) else [])]:
            source = more if name == MORE_PIONS else given
            found = spurious_counting(source, one.channel, fit.model, fit_options(search, fit.order))
            verdict = judge(fit, found)._asdict()
            words = {"order": " ".join(map(str, fit.order)), "reasons": "; ".join(verdict["reasons"])}
            rows.append({"channel": one.channel, "option": name, **verdict, **words})
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
