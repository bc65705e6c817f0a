"""CLs limits from toys where the asymptotic formulas fail: a few events under the signal.

Toys are Poisson numbers around the fits to the data at the tested mu and at zero, the auxiliary measurements drawn
around their fitted nuisances, and refitted; the statistic is q-mu-tilde (arXiv:1007.1727, eq. 16). p-values count
toys with a statistic at least as large, (k + 1)/(n + 1): discrete counts make the limit cover more, never less.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from ...arrays import Floats
from ...rng import derive_seed, key
from . import bench
from .asymptotics import BANDS
from .bench import Fits
from .lanes import FAILED
from .model import Model
from .newton import LANES, DataSets
from .poisson import draw_counts, draw_normals
from .scan import check_failures


class ToyLimit(NamedTuple):
    """CLs by toys at one mass: limit with its error from the number of toys, expected bands, and the curve behind it.

    mu, cls, cls_error have one entry per tested signal; expected is of shape (5,); `failed` of `fits` did not work.
    """

    upper: float
    upper_error: float
    expected: Floats
    mu: Floats
    cls: Floats
    cls_error: Floats
    failed: int
    fits: int


def q_mu_tilde(model: Model, m: int, data: DataSets, x: Floats, used: int = LANES) -> Floats:
    """Return the statistic of every lane at each x >= 0, shape (x.size, LANES); infinite where a fit failed.

    q(x) less q at the best signal, or at zero where the best is below; zero for a best signal above x.
    """
    zero = bench.fit_at(model, m, data, 0.0, used=used)
    best = bench.fit_signal(model, m, data, zero, used)
    least = np.where(best.x < 0.0, zero.q, best.q)
    out = np.empty((x.size, LANES))
    fits = best
    for i, value in enumerate(x):
        fits = bench.fit_at(model, m, data, value, fits, used)
        out[i] = np.where(best.x > value, 0.0, np.maximum(fits.q - least, 0.0))
        out[i, (fits.status == FAILED) | (best.status == FAILED) | (zero.status == FAILED)] = np.inf
    return out[:, :used]


def _toys(model: Model, m: int, truth: Fits, lane: int, n_toys: int, seed: int, x: Floats) -> Floats:
    """Return q-mu-tilde at each x of toys around one lane of a fit, shape (x.size, n_toys)."""
    k0, k1 = key(seed)
    columns, n_channels = model.columns, len(model.channels)
    nu, centre = np.zeros(model.counts.shape), np.zeros(n_channels)
    for c in range(n_channels):
        start, size = int(columns.start[m, c]), int(columns.size[m, c])
        nu[c, start : start + size], centre[c] = truth.state.nu[c, :size, lane], truth.state.nu[c, size, lane]
    width = np.array([float(channel.component_error > 0.0) for channel in model.channels])
    n_blocks = -(-n_toys // LANES)
    result = np.empty((x.size, n_blocks * LANES))
    counts, normals = np.empty((*nu.shape, LANES)), np.empty((n_channels + len(model.nuisances), LANES))
    for block in range(n_blocks):
        draw_counts(k0, k1, block * LANES, nu, counts)
        draw_normals(k0, k1, block * LANES, normals)
        constraint = centre[:, None] + width[:, None] * normals[:n_channels]
        data = DataSets(counts, constraint, truth.state.theta[:, lane : lane + 1] + normals[n_channels:])
        result[:, block * LANES : (block + 1) * LANES] = q_mu_tilde(model, m, data, x)
    return result[:, :n_toys]


def toy_limit(
    model: Model, m: int, mu: ArrayLike, n_toys: int, seed: int, *, confidence: float = 0.90
) -> ToyLimit:  # fmt: skip
    """Return the CLs limit at mass number m from toys at each tested mu > 0, ascending.

    CLs is made to fall with mu (isotonic regression) and its logarithm interpolated; a limit beyond the tested range is
    infinite above and the lowest tested mu below. Expected limits take the data's place by the quantiles of the
    statistic without signal. Raises ValueError for bad mu or numbers, RuntimeError where more than 0.1 % of the
    fits fail (they count as signal-like: against a low limit).
    """
    tested = np.atleast_1d(np.asarray(mu, dtype=np.float64))
    if tested.ndim != 1 or not np.all(np.isfinite(tested) & (tested > 0.0)) or np.any(np.diff(tested) <= 0.0):
        raise ValueError("mu of a limit by toys: must be finite, > 0 and ascending")
    if n_toys < 1 or not 0.5 <= confidence < 1.0:
        raise ValueError(f"n_toys = {n_toys}, confidence = {confidence}: must be >= 1 and in [0.5, 1)")
    x = tested / float(model.unit[m])
    data = bench.repeated(model, model.counts)
    observed = q_mu_tilde(model, m, data, x, used=1)[:, 0]
    zero = bench.fit_at(model, m, data, 0.0, used=1)
    null = _toys(model, m, zero, 0, n_toys, derive_seed(seed, "background"), x)
    signal = np.empty_like(null)
    for i, value in enumerate(x):
        truth = bench.fit_at(model, m, data, value, used=1)
        signal[i] = _toys(model, m, truth, 0, n_toys, derive_seed(seed, f"signal {i}"), x[i : i + 1])[0]
    failed = int(np.count_nonzero(np.isinf(null)) + np.count_nonzero(np.isinf(signal)))
    check_failures(failed, null.size + signal.size)
    null[np.isinf(null)] = -1.0
    p_signal = _tail(signal, observed)
    p_background = _tail(null, observed)
    cls = np.minimum(p_signal / p_background, 1.0)
    error = cls * np.sqrt((1.0 - p_signal) / p_signal / n_toys + (1.0 - p_background) / p_background / n_toys)
    alpha = 1.0 - confidence
    upper, slope = _crossing(tested, cls, alpha)
    expected = np.empty(BANDS.size)
    for band, n_sigma in enumerate(BANDS):
        # a deficit of N sigma has 1 - p_background = Phi(N): its statistic is the quantile Phi(-N)
        typical = np.quantile(null, special.ndtr(-n_sigma), axis=1)
        expected[band], _ = _crossing(tested, np.minimum(_tail(signal, typical) / _tail(null, typical), 1.0), alpha)
    at = float(np.interp(upper, tested, error)) if np.isfinite(upper) else np.inf
    return ToyLimit(upper, at / max(-slope * alpha, 1e-300), expected, tested, cls, error, failed, null.size * 2)


def _tail(statistic: Floats, observed: Floats) -> Floats:
    """Return (k + 1)/(n + 1) with k the toys of each row that are at least as large."""
    k = np.count_nonzero(statistic >= observed[:, None] - 1e-9, axis=1)
    return np.asarray((k + 1.0) / (statistic.shape[1] + 1.0))


def _crossing(mu: Floats, cls: Floats, alpha: float) -> tuple[float, float]:
    """Return where CLs falls to alpha, and d ln CLs / d mu there."""
    logs = np.log(optimize.isotonic_regression(cls, increasing=False).x / alpha)
    if logs[0] <= 0.0:
        return float(mu[0]), -np.inf
    if logs[-1] > 0.0:
        return float("inf"), -np.inf
    i = int(np.argmax(logs <= 0.0))
    slope = (logs[i] - logs[i - 1]) / (mu[i] - mu[i - 1])
    return float(mu[i - 1] - logs[i - 1] / slope), float(slope)
