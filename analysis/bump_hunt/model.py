"""The model of a bump hunt: what each channel expects in its window at every mass, in columns fit for Newton steps.

nu_ci = sum_k beta_ck P_k,i + C_ci (1 + delta theta_c) + mu Y_c (T_ci + sum_j theta_j V_cj,i), mu the signal strength
(epsilon^2) that all channels share, Y_c the signal events of channel c per unit of mu, T the fraction of the signal in
a bin, V_cj = delta_cj T (an error of the yield) or delta_cj dT/d ln sigma (of the mass resolution), theta ~ N(0, 1).
A nuisance of one name is one theta for all channels that have it.

Every linear combination of columns is the same model. Here the background's columns are orthonormal in the metric 1/nu0
of a reference expectation nu0, those of the signal orthogonal to them, and mu is counted in units of its expected
error: the expected Hessian is the unit matrix, up to terms in theta that are diagonal after a rotation of the theta_j.
The prior of theta_c becomes one more row, with a Gaussian in place of a Poisson term, so that it stays in place.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...arrays import Floats, Ints
from ..spectrum import Bins
from .channel import Channel, checked_channel, fractions_at, signal_columns
from .window import fit_reference, polynomial_bins, window_at

#: Below this fraction of the signal in its window a mass is flagged.
MIN_CONTAINMENT = 0.5
_SQRT_PI = 1.7724538509055159


class Columns(NamedTuple):
    """The model at every mass as the kernels read it; M masses, C channels, N bins, K columns, J nuisances.

    Rows 0 .. size - 1 of `base` and `columns` are bins (expected events, and their change per unit amplitude); row
    `size` is the Gaussian term of the additive component. Columns are the background (P of them), the signal, and one
    per nuisance; `spread` and `overlap` are the diagonal of the nuisances' Gram matrix and its row with the signal.
    `offset` are the amplitudes of the background that undo the orthogonalisation of the signal's columns.
    """

    start: Ints  # (M, C)
    size: Ints  # (M, C)
    base: Floats  # (M, C, N + 1)
    columns: Floats  # (M, C, N + 1, K)
    spread: Floats  # (M, J)
    overlap: Floats  # (M, J)
    offset: Floats  # (M, C, P, 1 + J)


class Model(NamedTuple):
    """A bump hunt ready to be fitted. Arrays over masses; `unit` is the expected error of mu without nuisances."""

    masses: Floats
    channels: tuple[Channel, ...]
    nuisances: tuple[str, ...]
    columns: Columns
    rotation: Floats  # (M, J, J): rotated nuisances = rotation^T theta
    unit: Floats
    containment: Floats  # (M, C)
    effective_events: Floats

    @property
    def counts(self) -> Floats:
        """Observed counts, shape (n_channels, n_bins)."""
        return np.array([channel.counts for channel in self.channels])

    @property
    def segment(self) -> Ints:
        """Contiguous run of bins that each mass is fitted in."""
        return self.channels[0].bins.segment[self.columns.start[:, 0]]

    @property
    def n_background(self) -> int:
        """Columns of the background."""
        return int(self.columns.offset.shape[2])


def mass_grid(bins: Bins, step: float) -> Floats:
    """Return masses [GeV] at the centres of steps that fill every contiguous run of bins.

    A step below half the mass resolution loses nothing of the local maxima.
    """
    if not step > 0.0:
        raise ValueError(f"step = {step!r} GeV, must be > 0")
    grids = []
    for index in range(int(bins.segment[-1]) + 1):
        inside = bins.segment == index
        low, high = bins.mass_low[inside][0], bins.mass_high[inside][-1]
        grids.append(low + step * (np.arange(max(round((high - low) / step), 1)) + 0.5))
    return np.round(np.concatenate(grids), 10)


def build_model(masses: ArrayLike, channels: Sequence[Channel], *, reference: Floats | None = None) -> Model:
    """Return the model of all channels at the given masses [GeV].

    `reference` (n_channels, n_bins) is the expectation whose fit sets the metric, in place of the counts; results do
    not depend on it, speed does. Raises ValueError naming channel and quantity: counts, yields or errors that are
    negative or not finite, bins that differ between channels, windows with too few bins or no counts, a mass at which
    no channel expects a signal.
    """
    masses = np.atleast_1d(np.asarray(masses, dtype=np.float64))
    if masses.ndim != 1 or masses.size == 0 or not np.all(np.isfinite(masses)):
        raise ValueError("masses of a bump hunt: must be finite numbers, at least one")
    if not channels:
        raise ValueError("a bump hunt needs at least one channel")
    checked = tuple(checked_channel(channel, masses.size, channels[0]) for channel in channels)
    if len({channel.name for channel in checked}) != len(checked):
        raise ValueError(f"channels {', '.join(channel.name for channel in checked)}: two have one name")
    names = sorted({name for c in checked for name in (*c.yield_errors, *c.resolution_errors)})
    points = [
        _mass_point(i, float(mass), checked, names, reference if reference is not None else [c.counts for c in checked])
        for i, mass in enumerate(masses)
    ]
    rows = max(int(point.size.max()) for point in points) + 1
    padded = [_padded(point, rows) for point in points]
    columns = Columns(
        np.array([p.start for p in points]),
        np.array([p.size for p in points]),
        np.array([base for base, _ in padded]),
        np.array([values for _, values in padded]),
        np.array([p.spread for p in points]),
        np.array([p.overlap for p in points]),
        np.array([p.offset for p in points]),
    )
    return Model(
        masses,
        checked,
        tuple(names),
        columns,
        np.array([p.rotation for p in points]),
        np.array([p.unit for p in points]),
        np.array([p.containment for p in points]),
        np.array([p.effective_events for p in points]),
    )


class _MassPoint(NamedTuple):
    start: Ints
    size: Ints
    base: list[Floats]
    columns: list[Floats]
    spread: Floats
    overlap: Floats
    offset: Floats
    rotation: Floats
    unit: float
    containment: Floats
    effective_events: float


def _padded(point: _MassPoint, rows: int) -> tuple[Floats, Floats]:
    base = np.ones((len(point.base), rows))
    values = np.zeros((len(point.base), rows, point.columns[0].shape[1]))
    for c, (b, v) in enumerate(zip(point.base, point.columns, strict=True)):
        base[c, : b.size], values[c, : b.size] = b, v
    return base, values


def _mass_point(
    index: int, mass: float, channels: Sequence[Channel], names: Sequence[str], counts: Sequence[Floats] | Floats
) -> _MassPoint:
    n_background = max(channel.order + 1 + (channel.component_error > 0.0) for channel in channels)
    n_signal = 1 + len(names)
    windows, bases, backgrounds, signals, offsets, weights, dense = [], [], [], [], [], [], []
    containment = np.empty(len(channels))
    for c, (channel, n) in enumerate(zip(channels, counts, strict=True)):
        window = window_at(channel.bins, mass, channel.half_width)
        inside = slice(window.start, window.start + window.size)
        if window.size < channel.order + 3:
            raise ValueError(f"{channel.name}: {window.size} bins around {mass:g} GeV for order {channel.order}")
        if not np.sum(n[inside]) > 0.0:
            raise ValueError(f"{channel.name}: empty window, no counts around {mass:g} GeV")
        component = np.zeros(window.size) if channel.component is None else channel.component[inside]
        polynomials = polynomial_bins(window.size, channel.order)
        nu, nuisance = fit_reference(n[inside], polynomials, component, channel.component_error)
        root = np.append(np.sqrt(nu), 1.0)
        raw = np.zeros((window.size + 1, channel.order + 1 + (channel.component_error > 0.0)))
        raw[:-1, : channel.order + 1] = polynomials
        if channel.component_error > 0.0:
            raw[:-1, -1], raw[-1, -1] = channel.component_error * component, 1.0
        orthonormal = np.zeros((window.size + 1, n_background))
        orthonormal[:, : raw.shape[1]] = np.linalg.qr(raw / root[:, None])[0]
        signal = np.zeros((window.size + 1, n_signal))
        template = fractions_at(index, mass, channel, inside)
        containment[c] = template.sum()
        signal[:-1] = signal_columns(index, mass, channel, names, inside)
        signal /= root[:, None]
        offset = orthonormal.T @ signal
        windows.append(window)
        bases.append(np.append(nu, nuisance))
        backgrounds.append(orthonormal * root[:, None])
        signals.append(signal - orthonormal @ offset)
        offsets.append(offset)
        weights.append(root)
        density = float(nu @ template / max(template.sum(), 1e-300))
        dense.append(2.0 * _SQRT_PI * channel.shape.sigma[index] * density / channel.bins.width[window.start])
    information = np.array([signal[:, 0] @ signal[:, 0] for signal in signals])
    total = float(information.sum())
    if not total > 0.0:
        raise ValueError(f"no channel expects a signal in its window at {mass:g} GeV")
    unit = 1.0 / np.sqrt(total)
    gram = unit**2 * sum(signal.T @ signal for signal in signals)
    spread, rotation = np.linalg.eigh(gram[1:, 1:]) if names else (np.empty(0), np.empty((0, 0)))
    turn = np.eye(n_signal)
    turn[1:, 1:] = rotation
    turn *= unit
    return _MassPoint(
        np.array([w.start for w in windows]),
        np.array([w.size for w in windows]),
        bases,
        [np.hstack([p, (s @ turn) * root[:, None]]) for p, s, root in zip(backgrounds, signals, weights, strict=True)],
        np.maximum(spread, 0.0),
        gram[0, 1:] @ rotation,
        np.array([offset @ turn for offset in offsets]),
        rotation,
        float(unit),
        containment,
        float(information @ np.array(dense) / total),
    )
