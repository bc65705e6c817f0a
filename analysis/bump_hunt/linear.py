"""The scan for many counts in one matrix product: the signal's column, orthogonal to the background, as a filter.

mu_hat = sum_i u_i (n_i - nu0_i) / nu0_i in units of its expected error. Within 0.02 sigma of the exact fit at 5000
events per bin; not for low counts, where the weights of the data themselves matter.
"""

import numpy as np

from ...arrays import Floats
from .model import Model


def filters(model: Model) -> tuple[Floats, Floats]:
    """Return the weight of every bin's count, (n_masses, n_channels * n_bins), and what the reference gives."""
    columns = model.columns
    n_masses, n_channels = columns.start.shape
    weights = np.zeros((n_masses, *model.counts.shape))
    origin = np.zeros(n_masses)
    for m in range(n_masses):
        for c in range(n_channels):
            start, size = int(columns.start[m, c]), int(columns.size[m, c])
            signal = columns.columns[m, c, :size, model.n_background]
            weights[m, c, start : start + size] = signal / columns.base[m, c, :size]
            origin[m] += signal.sum()
    return weights.reshape(n_masses, -1), origin


def linear_scan(model: Model, counts: Floats) -> Floats:
    """Return Z = mu_hat / error of data sets (n, n_channels, n_bins) at every mass, shape (n, n_masses)."""
    weights, origin = filters(model)
    return np.asarray(counts.reshape(counts.shape[0], -1) @ weights.T - origin)
