"""A channel of a bump hunt: its counts and what it expects of a signal, checked once."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...arrays import Floats
from ..spectrum import Bins
from .templates import SignalShape, bin_fractions

#: Half width of a window [GeV] and order of its polynomial: where the choice by spurious signal starts.
HALF_WIDTH, ORDER = 0.150, 4
#: Counts of a bin beyond which differences of the likelihood have no digits left: at 1e13 Z is good to 0.02.
MAX_COUNTS = 1e13
#: Errors of a yield are linear in theta: beyond this they should not be.
MAX_RELATIVE_ERROR = 0.3
_WIDENING = 1e-3


class Channel(NamedTuple):
    """One channel of a bump hunt: its counts, and what it expects of a signal at each of the n_masses.

    `signal_yield` are the reconstructed and selected signal events per unit of mu, wherever they fall: for
    mu = epsilon^2 it is dN_B/dm / mixing_factor(m, n_f, 1.0) with the annihilation yield per GeV. `component` are
    expected events of a process no polynomial describes, of relative error `component_error`. The errors are relative,
    numbers or one per mass, by the name of their nuisance.
    """

    name: str
    bins: Bins
    counts: Floats
    signal_yield: Floats
    shape: SignalShape
    half_width: float = HALF_WIDTH
    order: int = ORDER
    component: Floats | None = None
    component_error: float = 0.0
    yield_errors: Mapping[str, ArrayLike] = {}
    resolution_errors: Mapping[str, ArrayLike] = {}


def fractions_at(index: int, mass: float, channel: Channel, inside: slice, widening: float = 1.0) -> Floats:
    """Return the fraction of the signal of mass number `index` in each bin of a slice, the resolution widened."""
    edges = np.append(channel.bins.mass_low[inside], channel.bins.mass_high[inside][-1])
    shape = SignalShape(*(value[index] for value in channel.shape)).widened(widening)
    return np.asarray(bin_fractions(shape, mass, edges)[0])


def signal_columns(index: int, mass: float, channel: Channel, names: Sequence[str], inside: slice) -> Floats:
    """Return Y T and the Y V_j of the nuisances, shape (n_bins, 1 + J)."""
    template = fractions_at(index, mass, channel, inside)
    columns = np.zeros((template.size, 1 + len(names)))
    columns[:, 0] = template
    if channel.resolution_errors:
        wide, narrow = (fractions_at(index, mass, channel, inside, 1.0 + s * _WIDENING) for s in (1.0, -1.0))
        stretched = (wide - narrow) / (2.0 * _WIDENING)
    for j, name in enumerate(names):
        if name in channel.yield_errors:
            columns[:, 1 + j] += np.asarray(channel.yield_errors[name])[index] * template
        if name in channel.resolution_errors:
            columns[:, 1 + j] += np.asarray(channel.resolution_errors[name])[index] * stretched
    return np.asarray(channel.signal_yield[index] * columns)


def checked_channel(channel: Channel, n_masses: int, first: Channel) -> Channel:
    """Return the channel with arrays of full length, or raise ValueError naming what is wrong with it."""

    def check(name: str, values: ArrayLike, shape: tuple[int, ...], low: float = 0.0, high: float = np.inf) -> Floats:
        array = np.asarray(values, dtype=np.float64)
        if array.shape != shape and array.shape != ():
            raise ValueError(f"{channel.name}: {name} of shape {array.shape}, need {shape}")
        good: NDArray[np.bool_] = np.isfinite(array) & (array >= low) & (array <= high)
        if not np.all(good):
            allowed = f">= {low:g}" if np.isinf(high) else f"from {low:g} to {high:g}"
            raise ValueError(f"{channel.name}: {name} = {array[~good].flat[0]:g}, must be finite and {allowed}")
        return np.asarray(np.broadcast_to(array, shape))

    bins = channel.bins
    if not (
        np.array_equal(bins.mass_low, first.bins.mass_low) and np.array_equal(bins.mass_high, first.bins.mass_high)
    ):
        raise ValueError(f"{channel.name} and {first.name} have different mass bins")
    if bins.mass_low.size == 0 or np.any(bins.width != bins.width[0]) or not bins.width[0] > 0.0:
        raise ValueError(f"{channel.name}: the bins of a bump hunt must have one common width")
    if channel.order < 0 or not channel.half_width > 0.0:
        raise ValueError(
            f"{channel.name}: order = {channel.order}, half_width = {channel.half_width}, must be >= 0, > 0"
        )
    per_bin, per_mass = bins.mass_low.shape, (n_masses,)
    component = channel.component
    if component is None and channel.component_error != 0.0:
        raise ValueError(f"{channel.name}: component_error = {channel.component_error} without a component")
    limits = {"low": 0.0, "high": MAX_RELATIVE_ERROR}
    return channel._replace(
        counts=check("counts", channel.counts, per_bin, 0.0, MAX_COUNTS),
        signal_yield=check("signal yield (efficiency)", channel.signal_yield, per_mass),
        shape=SignalShape(*(check(name, v, per_mass, -np.inf) for name, v in channel.shape._asdict().items())),
        component=None if component is None else check("component", component, per_bin),
        component_error=float(check("component_error", channel.component_error, (), **limits)),
        yield_errors={n: check(f"error {n!r}", v, per_mass, **limits) for n, v in channel.yield_errors.items()},
        resolution_errors={
            n: check(f"error {n!r}", v, per_mass, **limits) for n, v in channel.resolution_errors.items()
        },
    )
