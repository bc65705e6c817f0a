"""Toy spectra over the whole range, scanned at every mass: bands, pulls, and how often chance makes a peak."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...arrays import Floats, Ints
from ...rng import key
from .asymptotics import TWO_SIDED_90, Convention, gaussian_upper, significance
from .channel import fractions_at
from .lanes import FAILED, ROWS, scan_lanes
from .model import Model
from .newton import LANES
from .poisson import draw_counts, draw_normals
from .scan import check_failures


class ToyScans(NamedTuple):
    """Scans of toys, arrays (n_toys, n_masses); mu in its unit, `z` signed, `status` as `lanes` has it.

    A failed fit is NaN and counted in `failed`.
    """

    mu_hat: Floats
    error: Floats
    z: Floats
    upper: Floats
    status: Ints
    convention: Convention
    failed: int


def fitted_background(model: Model) -> Floats:
    """Return a smooth expectation (C, B) from the fits without signal of all masses' windows.

    In each bin their mean, weighted towards the windows' centres by 1 - (distance / half window)^2.
    """
    columns = model.columns
    total: Floats = np.zeros(model.counts.shape)
    weights = np.zeros_like(total)
    for m in range(model.masses.size):
        for c in range(total.shape[0]):
            start, size = int(columns.start[m, c]), int(columns.size[m, c])
            inside = slice(start, start + size)
            distance = (model.channels[c].bins.centre[inside] - model.masses[m]) / model.channels[c].half_width
            weight = np.maximum(1.0 - distance**2, 1e-6)
            total[c, inside] += weight * columns.base[m, c, :size]
            weights[c, inside] += weight
    if not np.all(weights > 0.0):
        c, i = np.argwhere(weights == 0.0)[0]
        centre = model.channels[c].bins.centre[i]
        raise ValueError(f"{model.channels[c].name}: no window contains the bin at {centre:g} GeV, give an expectation")
    return np.asarray(total / weights)


def expected_signal(model: Model, m: int, mu: float) -> Floats:
    """Return the expected signal (C, B) of strength mu at mass number m, in all bins of the spectrum."""
    signal = np.zeros(model.counts.shape)
    for c, channel in enumerate(model.channels):
        segment = channel.bins.segment
        for index in range(int(segment[-1]) + 1):
            run = np.flatnonzero(segment == index)
            inside = slice(int(run[0]), int(run[-1]) + 1)
            signal[c, inside] = mu * channel.signal_yield[m] * fractions_at(m, float(model.masses[m]), channel, inside)
    return signal


def checked_expectation(model: Model, expectation: ArrayLike) -> Floats:
    """Return the expectation (C, B) of toys, or raise ValueError where it is negative, not finite or of wrong shape."""
    values = np.ascontiguousarray(expectation, dtype=np.float64)
    if values.shape != model.counts.shape:
        raise ValueError(f"expectation of toys has shape {values.shape}, must be {model.counts.shape}")
    good = np.isfinite(values) & (values >= 0.0)
    if not np.all(good):
        raise ValueError(f"expectation of toys = {values[~good][0]:g}, must be finite and >= 0")
    return values


def scan_toys(
    model: Model,
    expectation: ArrayLike,
    n_toys: int,
    seed: int,
    *,
    convention: Convention = TWO_SIDED_90,
    jobs: int = 1,
) -> ToyScans:
    """Return exact scans of toys with their limits.

    Parameters
    ----------
    model : Model
        The masses and templates; its reference only sets the metric.
    expectation : array_like, shape (n_channels, n_bins)
        Truth of the toys, e.g. `fitted_background` and `expected_signal` of an injection. Auxiliary measurements are
        drawn from N(0, 1).
    n_toys, seed : int
        Toy number t of a seed has its own random numbers.
    convention : Convention
        A profile limit is exact. CLs is the closed form of a Gaussian likelihood (within 1.3 % from 100 events per
        effective window on); for the exact one scan each toy as data.
    jobs : int
        Threads, each with blocks of toys.

    Raises
    ------
    ValueError
        Bad numbers.
    RuntimeError
        More than 0.1 % of the fits failed.
    """
    values = checked_expectation(model, expectation)
    if n_toys < 1:
        raise ValueError(f"n_toys = {n_toys}, must be at least 1")
    k0, k1 = key(seed)
    shape = (-(-n_toys // LANES) * LANES, model.masses.size)
    results = np.empty((len(ROWS), *shape))
    statuses = np.empty(shape, dtype=np.int64)
    delta = 0.0 if convention.is_cls else convention.delta
    n_channels, n_nuisances = len(model.channels), len(model.nuisances)
    has_component = np.array([channel.component_error > 0.0 for channel in model.channels])

    def block(first: int) -> None:
        counts = np.empty((*values.shape, LANES))
        normals = np.empty((n_channels + n_nuisances, LANES))
        draw_counts(k0, k1, first, values, counts)
        draw_normals(k0, k1, first, normals)
        constraint = normals[:n_channels] * has_component[:, None]
        auxiliary = np.einsum("mji,jt->mit", model.rotation, normals[n_channels:])
        out = np.empty((shape[1], len(ROWS), LANES))
        status = np.empty((shape[1], LANES), dtype=np.int64)
        scan_lanes(model.columns, counts, constraint, auxiliary, delta, convention.bounded, out, status)
        results[:, first : first + LANES] = out.transpose(1, 2, 0)
        statuses[first : first + LANES] = status.T

    starts = range(0, shape[0], LANES)
    if jobs == 1:
        for start in starts:
            block(start)
    else:
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(block, starts))
    best, q_zero, q_best, error, upper = results[:, :n_toys]
    status = statuses[:n_toys]
    failed = int(np.count_nonzero(status == FAILED))
    check_failures(failed, status.size)
    z = significance(q_zero - q_best, best)
    if convention.is_cls:
        upper = gaussian_upper(best, error, convention)
    lost = status == FAILED
    best, error, z, upper = (np.where(lost, np.nan, value) for value in (best, error, z, upper))
    return ToyScans(best * model.unit, error * model.unit, z, upper * model.unit, status, convention, failed)
