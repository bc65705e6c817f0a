"""Limits of a search with the order of the background profiled: the envelope, beside the limits of the chosen order."""

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..couplings import epsilon2_from_yield
from ..event import Floats
from .background import fit_background, segments_of
from .channel import ChannelInput, added, members, weighted_containment, widths
from .combination import Table
from .envelope import Candidate, added_candidates, candidates, envelope_limit
from .limit import DELTA_90
from .spectrum import Bins
from .systematics import delta_syst
from .table import flag_words

#: `joint` has a likelihood of each channel: the envelope is that of one count.
COMBINATIONS = ("sum", "mumu", "ee")


class _Orders:
    """Backgrounds of a channel in one segment, the chosen order and further ones; `dropped` did not converge."""

    def __init__(
        self, channel: ChannelInput, inside: NDArray[np.bool_], first: int, further: int, window: int, error: float
    ) -> None:
        part = Bins(channel.bins.mass_low[inside], channel.bins.mass_high[inside])
        fits = [
            fit_background(
                part,
                channel.n[inside],
                channel.background.model,
                order,
                window=window,
                component=channel.pipi[inside],
                component_error=error,
            )
            for order in range(first, min(first + further, part.mass_low.size - 2) + 1)
        ]
        self.functions: list[Candidate] = candidates([fit for fit in fits if fit.converged])
        self.dropped = len(fits) - len(self.functions)


def envelope_table(
    channels: Sequence[ChannelInput],
    further: int,
    *,
    window: int = 0,
    component_error: float = 0.0,
    delta: float = DELTA_90,
    bounded: bool = True,
    epsilon_definition: str = "mixing",
) -> Table:
    """Return limits with the chosen order and `further` higher ones as candidates, on either side of a gap.

    One row per combination and bin, each channel and their sum (in which every pair of orders is a candidate): the
    best function in `best`, and the limits as `combination.limit_table` has them. Flags:
    candidate_dropped (a fit that did not converge took no part), empty, infinite. Raises ValueError for backgrounds
    that know their bin, and where no order of a segment converges.
    """
    names = {channel.channel for channel in channels}
    parts = []
    for combination in COMBINATIONS:
        if not names.issuperset({"sum": ("mumu", "ee")}.get(combination, (combination,))):
            continue
        chosen = members(channels, combination)
        bins, size = chosen[0].bins, chosen[0].n.size
        n, signal, systematic = added(chosen, "n"), added(chosen, "signal"), delta_syst(channels, combination)
        segment = segments_of(bins, chosen[0].background.model)
        upper, best, dropped = np.empty(size), np.empty(size, dtype=np.dtype("U64")), np.zeros(size, dtype=np.bool_)
        method, sided = "", ""
        for index, firsts in enumerate(zip(*(channel.background.order for channel in chosen), strict=True)):
            inside = segment == index
            made = [
                _Orders(channel, inside, first, further, window, component_error)
                for channel, first in zip(chosen, firsts, strict=True)
            ]
            functions = functools.reduce(added_candidates, (one.functions for one in made))
            limit = envelope_limit(n[inside], functions, 1.0, systematic[inside], delta=delta, bounded=bounded)
            upper[inside], method, sided = limit.upper, limit.method, limit.sidedness
            best[inside] = np.array([function.label for function in functions])[limit.chosen]
            dropped[inside] = any(one.dropped for one in made)
        n_up: Floats = upper * (signal / added(chosen, "visible"))
        epsilon2 = epsilon2_from_yield(
            n_up,
            added(chosen, "n_b"),
            weighted_containment(chosen),
            bins.centre,
            n_f=widths(chosen),
            bin_width=bins.width,
            definition=epsilon_definition,
        )
        flags = {"candidate_dropped": dropped, "empty": np.isnan(upper), "infinite": np.isinf(upper)}
        parts.append(
            {
                "mass_low": bins.mass_low,
                "mass_high": bins.mass_high,
                "combination": np.full(size, combination),
                "n_up": n_up,
                "epsilon2_up": epsilon2,
                "epsilon_up": np.sqrt(epsilon2),
                "epsilon_definition": np.full(size, epsilon_definition),
                "best": best,
                "method": np.full(size, method),
                "delta": np.full(size, delta),
                "sidedness": np.full(size, sided),
                "flags": flag_words(flags),
            }
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
