"""Limits from spectra of any origin, of which the mass resolution is given and nothing is simulated.

The signal is a Gaussian of that resolution on a smooth background. Two methods: `count_bins`, the counting experiment
per bin with a background predicted by the other bins, and `hunt_bumps`, the profile likelihood of a peak in a sliding
window.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from .background import BackgroundFit, fit_background
from .bump_hunt.asymptotics import BANDS, CONVENTIONS, Convention
from .bump_hunt.channel import HALF_WIDTH, ORDER, Channel
from .bump_hunt.model import Model, build_model, mass_grid
from .bump_hunt.scan import scan
from .bump_hunt.templates import signal_shape
from .containment import mean_containment
from .files.pyhf_workspace import Counting, Workspace, bump_hunt_workspace, counting_workspace
from .joint import joint_limit
from .limit import DELTA_90, poisson_limit, sidedness
from .spectrum import Bins, Spectrum
from .table import flag_words
from .user_spectrum import COMBINED, Signal, combinations

Table = dict[str, NDArray[np.generic]]
#: Columns of the expected limits: median and bands.
EXPECTED = tuple(f"expected_{'minus' if n < 0 else 'plus'}_{abs(n):g}" if n else "expected" for n in BANDS)
#: Half a window is at least this many times the mass resolution.
_WINDOW_IN_SIGMA = 12.0


class Counted(NamedTuple):
    """One channel's counts with the background predicted for each bin, and signal counted in it per unit strength."""

    spectrum: Spectrum
    background: BackgroundFit
    containment: Floats
    produced: Floats

    @property
    def signal(self) -> Floats:
        """Signal events counted in each bin for a strength of one."""
        return self.containment * self.produced


def count_bins(
    spectra: Mapping[str, Spectrum],
    signal: Signal,
    *,
    background: str = "exp_poly4_split",
    order: int | None = None,
    leave_out: int = 0,
    delta: float = DELTA_90,
    bounded: bool = True,
) -> tuple[Table, dict[str, Counted]]:
    """Return limits by counting in each bin, and what they are made of.

    The method of arXiv:1705.04265: a polynomial background, predicted by the other bins (less `leave_out` neighbours
    on each side), and the profile likelihood of Rolke and others. A row per combination and bin: each channel, and with
    a conversion `sum` (counts added) and `joint` (one strength in all channels). `n_up` counts events in the bin,
    `yield_up` wherever the mass resolution puts them: the containment is that of a Gaussian, averaged over true masses
    in the bin. `upper` and `expected` (of the fitted background) are in units of `quantity`.
    """
    signal.check()
    counted = {}
    for channel, spectrum in spectra.items():
        centre = spectrum.bins.centre
        contained = mean_containment(signal.resolution.at(channel, centre), spectrum.bins.width)
        fit = fit_background(spectrum.bins, spectrum.counts, background, order, window=leave_out)
        counted[channel] = Counted(spectrum, fit, contained, signal.per_strength(channel, centre))
    chosen = combinations(spectra, signal, COMBINED)
    parts = [
        _count(name, [counted[channel] for channel in members], signal, delta, bounded)
        for name, members in chosen.items()
    ]
    return _stacked(parts), counted


def _count(name: str, members: list[Counted], signal: Signal, delta: float, bounded: bool) -> Table:
    bins, fits = members[0].spectrum.bins, [one.background for one in members]
    n = np.stack([one.spectrum.counts for one in members], axis=1)
    b = np.stack([fit.predicted for fit in fits], axis=1)
    sigma_b = np.stack([fit.sigma_predicted for fit in fits], axis=1)
    fitted = np.stack([fit.fitted for fit in fits], axis=1)
    expected_signal = np.stack([one.signal for one in members], axis=1)
    total = expected_signal.sum(axis=1)
    error = np.full(total.size, signal.error)
    if name == "joint":
        limit = joint_limit(n, b, sigma_b, expected_signal, error, delta=delta, bounded=bounded)
        upper, lower, method = limit.upper, limit.lower, limit.method
        asimov = joint_limit(fitted, fitted, sigma_b, expected_signal, error, delta=delta, bounded=bounded).upper
        pull = limit.significance
    else:
        spread = np.sqrt(np.sum(sigma_b**2, axis=1))
        alone = poisson_limit(n.sum(axis=1), b.sum(axis=1), spread, 1.0, error, delta=delta, bounded=bounded)
        upper, lower, method = alone.upper / total, alone.lower / total, alone.method
        level = fitted.sum(axis=1)
        asimov = poisson_limit(level, level, spread, 1.0, error, delta=delta, bounded=bounded).upper / total
        variance = np.sum([fit.fitted + fit.sigma_predicted**2 for fit in fits], axis=0)
        pull = (n - b).sum(axis=1) / np.sqrt(variance)
    size = total.size
    produced: Floats = np.sum([one.produced for one in members], axis=0)
    flags = flag_words(
        {
            "fit_not_converged": np.full(size, not all(fit.converged for fit in fits)),
            "background_not_ok": np.full(size, not all(fit.background_ok for fit in fits)),
            "high_leverage": np.any([fit.high_leverage for fit in fits], axis=0),
            "empty": np.isnan(upper),
            "infinite": np.isinf(upper),
        }
    )
    return {
        "mass_low": bins.mass_low,
        "mass_high": bins.mass_high,
        "mass": bins.centre,
        "combination": np.full(size, name),
        "n": n.sum(axis=1),
        "background": b.sum(axis=1),
        "background_error": np.sqrt(np.sum(sigma_b**2, axis=1)),
        "pull": pull,
        "containment": total / produced,
        "n_up": upper * total,
        "yield_up": upper * produced,
        "quantity": np.full(size, signal.quantity),
        "lower": lower,
        "upper": upper,
        "expected": asimov,
        "method": np.full(size, method),
        "delta": np.full(size, delta),
        "sidedness": np.full(size, sidedness(delta)),
        "flags": flags,
    }


def hunt_bumps(
    spectra: Mapping[str, Spectrum],
    signal: Signal,
    *,
    step: float | None = None,
    half_width: float | None = None,
    order: int = ORDER,
    conventions: Sequence[Convention] = CONVENTIONS,
) -> tuple[Table, dict[str, Model]]:
    """Return limits by fitting a peak in a window that slides over the masses, and the models by combination.

    A row per combination (each channel, and `joint` with a conversion), convention of the limit, and mass. `step`
    [GeV] is at most half the best mass resolution unless given, `half_width` [GeV] of the window the larger of 0.15
    and 12 resolutions, never across a gap; `order` is that of the polynomial in it. `best`, `lower`, `upper` and the
    expected limits (median and bands of -2 to 2 sigma) are in units of `quantity`, z is signed.
    """
    signal.check()
    parts, models = [], {}
    for name, members in combinations(spectra, signal, COMBINED[1:]).items():
        bins = spectra[members[0]].bins
        sigma = np.array([signal.resolution.at(channel, bins.centre) for channel in members])
        masses = mass_grid(bins, _step(bins, float(sigma.min())) if step is None else step)
        width = max(HALF_WIDTH, _WINDOW_IN_SIGMA * float(sigma.max())) if half_width is None else half_width
        models[name] = build_model(masses, [_channel(spectra[one], masses, signal, width, order) for one in members])
        parts += _hunt(name, models[name], signal, conventions)
    return _stacked(parts), models


def _step(bins: Bins, sigma: float) -> float:
    """Return the bins' width over the smallest whole number that makes it at most half the resolution."""
    width = float(bins.width[0])
    return width / math.ceil(width / (0.5 * sigma) - 1e-9)


def _channel(spectrum: Spectrum, masses: Floats, signal: Signal, half_width: float, order: int) -> Channel:
    channel = spectrum.channel
    return Channel(
        channel,
        spectrum.bins,
        spectrum.counts,
        signal.per_strength(channel, masses),
        signal_shape(signal.resolution.at(channel, masses)),
        half_width,
        order,
        yield_errors={"efficiency": signal.error} if signal.error > 0.0 else {},
    )


def _hunt(name: str, model: Model, signal: Signal, conventions: Sequence[Convention]) -> list[Table]:
    result = scan(model, conventions=conventions)
    produced: Floats = np.sum([channel.signal_yield for channel in model.channels], axis=0)
    share = np.array([channel.signal_yield for channel in model.channels]) / produced
    size = result.masses.size
    parts = []
    for curve in result.limits.values():
        convention = curve.convention
        kind = "CLs" if convention.is_cls else f"{'' if convention.bounded else 'un'}bounded profile likelihood"
        one_sided = f"one-sided {100.0 * convention.confidence:g} %"
        flags = {
            "empty": np.isnan(curve.observed) & ~np.isnan(result.mu_hat),
            **{word: [word in found.split() for found in result.flags] for word in _words(result.flags)},
        }
        parts.append(
            {
                "mass": result.masses,
                "combination": np.full(size, name),
                "containment": np.sum(share * result.containment.T, axis=0),
                "effective_events": result.effective_events,
                "z": result.z,
                "p0": result.p0,
                "yield_up": curve.observed * produced,
                "quantity": np.full(size, signal.quantity),
                "best": result.mu_hat,
                "best_error": result.error,
                "lower": curve.lower,
                "upper": curve.observed,
                **dict(zip(EXPECTED, curve.expected)),
                "method": np.full(size, f"bump hunt, {kind}"),
                "delta": np.full(size, convention.delta),
                "sidedness": np.full(size, one_sided if convention.is_cls else sidedness(convention.delta)),
                "flags": flag_words({word: np.asarray(found) for word, found in flags.items()}),
            }
        )
    return parts


def _words(flags: NDArray[np.str_]) -> list[str]:
    return sorted({word for found in flags for word in found.split()})


def _stacked(parts: Sequence[Table]) -> Table:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def counting_workspaces(counted: Mapping[str, Counted], error: float) -> dict[float, Workspace]:
    """Return the workspace of the channels' counting experiments in every bin, by its centre [GeV]."""
    bins = next(iter(counted.values())).spectrum.bins
    found = {}
    for i, mass in enumerate(bins.centre.tolist()):
        experiments = [
            Counting(
                channel,
                float(one.spectrum.counts[i]),
                float(one.background.predicted[i]),
                float(one.background.sigma_predicted[i]),
                float(one.signal[i]),
            )
            for channel, one in counted.items()
        ]
        found[round(mass, 10)] = counting_workspace(f"m = {mass:.10g} GeV", experiments, error)
    return found


def bump_hunt_workspaces(model: Model) -> dict[float, Workspace]:
    """Return the workspace of every mass of a model, by mass [GeV]."""
    return {mass: bump_hunt_workspace(model, m) for m, mass in enumerate(model.masses.tolist())}
