"""How fast the limits of the paper's mode are, on one core: thread time, best of several.

    python3 benchmarks/limits.py

165 000 limits are 165 bins of 1000 pseudo-experiments; the aim for a Gaussian background and efficiency is 0.5 s.
"""

import numpy as np
from besfast.analysis.background import fit_background
from besfast.analysis.joint import joint_limit
from besfast.analysis.limit import poisson_limit
from besfast.analysis.rolke_models import Counted, Gaussian, Sideband, rolke_limit
from besfast.analysis.spectrum import bin_edges, search_bins
from timing import seconds

LIMITS = 165_000
AIM = 0.5


def limits() -> dict[str, float]:
    """Return seconds for all limits of each model: counts of background alone, of few to many events."""
    rng = np.random.default_rng(5)
    many, few = rng.poisson(8000.0, LIMITS), rng.poisson(6.0, LIMITS)
    channels = np.stack([many, rng.poisson(90_000.0, LIMITS)], axis=1).astype(np.float64)
    known, errors = np.full((LIMITS, 2), [8000.0, 90_000.0]), np.full((LIMITS, 2), [25.0, 100.0])
    signal, systematic = np.full((LIMITS, 2), [1.0, 0.9]), np.full(LIMITS, 0.05)
    simulated = Counted(5000, 10_000)
    return {
        "model 3, 8000 +- 25": seconds(lambda: poisson_limit(many, 8000, 25, 1, 0.05)),
        "model 3, 6 +- 1": seconds(lambda: poisson_limit(few, 6, 1, 1, 0.05)),
        "model 1, sideband and simulation": seconds(lambda: rolke_limit(many, Sideband(40_000, 5), simulated)),
        "model 2, sideband": seconds(lambda: rolke_limit(many, Sideband(40_000, 5), Gaussian(1, 0.05))),
        "model 4, sideband, known efficiency": seconds(lambda: rolke_limit(few, Sideband(30, 5), Gaussian(1))),
        "model 6, simulation": seconds(lambda: rolke_limit(many, Gaussian(8000), simulated)),
        "joint limit of two channels": seconds(lambda: joint_limit(channels, known, errors, signal, systematic)),
    }


def backgrounds() -> dict[str, float]:
    """Return seconds for one background fit of 165 bins with its predictions, by counts per bin."""
    bins = search_bins(bin_edges(1.5, 3.4, 0.01))
    rng = np.random.default_rng(6)
    shape = np.exp(0.7 * (bins.centre - 2.4))
    found = {}
    for level in (5000.0, 5.0):
        counts = rng.poisson(level * shape)
        fit = fit_background(bins, counts)
        word = f"background, {level:g} per bin, {np.count_nonzero(fit.refitted)} refitted"
        found[word] = seconds(lambda counts=counts: fit_background(bins, counts))
    return found


def main() -> None:
    """Print the table."""
    for name, spent in limits().items():
        aim = f", aim {AIM:g} s" if name.startswith("model 3") else ""
        print(f"{name:36s} {spent:7.3f} s for {LIMITS} limits, {1e6 * spent / LIMITS:6.2f} us each{aim}")
    for name, spent in backgrounds().items():
        print(f"{name:36s} {1e3 * spent:7.2f} ms")


if __name__ == "__main__":
    main()
