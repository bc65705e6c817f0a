"""The spectra on which bump hunts are studied: invented and smooth, with the counts and resolution of the search.

2e4 to 6e3 (mu mu) and 7e5 to 5e4 (e e) events per 10 MeV in bins of 2 MeV; invented, because the truth of a study must
be known, and close to a polynomial in a window, because the bias of a wrong background is another question.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..analysis.bump_hunt.channel import Channel
from ..analysis.bump_hunt.model import Model, build_model
from ..analysis.bump_hunt.templates import signal_shape
from ..analysis.spectrum import Bins, bin_edges, search_bins
from ..arrays import Floats

#: Bins of the search, the J/psi left out.
BINS = search_bins(bin_edges(1.5, 3.4, 0.002))
#: Masses of studies [GeV]: the middle of both sides, both ends and both edges of the gap.
TEN_MASSES = (1.505, 1.6, 1.9, 2.2, 2.5, 2.8, 2.945, 3.205, 3.3, 3.395)
#: Bins further away [GeV] than the longest window that may be shifted.
_FAR = 0.35


def expectation(bins: Bins, scale: float = 1.0) -> Floats:
    """Return the expected counts of mu mu and e e, shape (2, n_bins)."""
    y = (bins.centre - 1.5) / 1.9
    return scale * np.array([4e3 * np.exp(-1.6 * y) * (1.0 + 0.5 * y * y), 1.4e5 * np.exp(-2.6 * y)])


def near(nu: Floats, bins: Bins, mass: float) -> Floats:
    """Return the expectation with bins that no window at a mass contains emptied: fewer numbers to draw."""
    return np.where(np.abs(bins.centre - mass) <= _FAR, nu, 0.0)


def resolution(masses: ArrayLike) -> Floats:
    """Return the mass resolution, 5 to 12 MeV [GeV]."""
    return 0.005 + 0.007 * (np.asarray(masses, dtype=np.float64) - 1.5) / 1.9


def hunt_model(counts: Floats, masses: ArrayLike, bins: Bins = BINS, **options: Any) -> Model:
    """Return the model of as many channels as there are counts, (C, n_bins), with options of a `Channel`."""
    masses = np.atleast_1d(np.asarray(masses, dtype=np.float64))
    shape = signal_shape(resolution(masses), alpha_low=1.5, power_low=4.0, alpha_high=2.0, power_high=5.0)
    yields = (1e7, 8e6)
    channels = [
        Channel(name, bins, n, np.full(masses.size, events), shape, **options)
        for name, n, events in zip(("mumu", "ee"), counts, yields)
    ]
    return build_model(masses, channels)
