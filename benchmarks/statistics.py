"""How fast the bump hunt is, per core: exact scans of toys with limits, bands, and pyhf on the same workspace.

    python3 benchmarks/statistics.py

Thread time, the best of several. The spectra are invented, with the shape of the search: 2e4 to 6e3 (mumu) and 7e5 to
5e4 (ee) counts per 10 MeV, bins of 2 MeV, windows of +-150 MeV with polynomials of order 4, 165 masses.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from besfast.analysis.bump_hunt.asymptotics import CLS_90
from besfast.analysis.bump_hunt.channel import Channel, fractions_at
from besfast.analysis.bump_hunt.linear import linear_scan
from besfast.analysis.bump_hunt.model import Model, build_model, mass_grid
from besfast.analysis.bump_hunt.poisson import draw_counts
from besfast.analysis.bump_hunt.scan import scan
from besfast.analysis.bump_hunt.templates import signal_shape
from besfast.analysis.bump_hunt.toys import scan_toys
from besfast.analysis.spectrum import bin_edges, search_bins
from besfast.rng import key
from timing import seconds

BINS = search_bins(bin_edges(1.5, 3.4, 0.002))
REPETITIONS = 5
TOYS = 1000


def expectation(scale: float = 1.0) -> Any:
    """Return invented expected counts of both channels."""
    y = (BINS.centre - 1.5) / 1.9
    return scale * np.array([4e3 * np.exp(-1.6 * y) * (1.0 + 0.5 * y * y), 1.4e5 * np.exp(-2.6 * y)])


def model_of(counts: Any, masses: Any, **options: Any) -> Model:
    """Return the model of both channels at the masses."""
    sigma = 0.005 + 0.007 * (masses - 1.5) / 1.9
    shape = signal_shape(sigma, alpha_low=1.5, power_low=4.0, alpha_high=2.0, power_high=5.0)
    yields = (1e7 * np.ones(masses.size), 8e6 * np.ones(masses.size))
    names = ("mumu", "ee")
    return build_model(masses, [Channel(n, BINS, c, y, shape, **options) for n, c, y in zip(names, counts, yields)])


def wall(task: Callable[[], Any], repetitions: int = REPETITIONS) -> float:
    """Return the shortest wall time of several runs (numpy's matrix products have threads of their own)."""
    task()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        task()
        times.append(time.perf_counter() - start)
    return min(times)


def pyhf_workspace(model: Model) -> tuple[Any, Any]:
    """Return the first mass of a model as pyhf's model and data: Bernstein polynomials with free norms."""
    import pyhf
    from scipy.interpolate import BPoly

    made, data = [], {}
    for c, channel in enumerate(model.channels):
        start, size = int(model.columns.start[0, c]), int(model.columns.size[0, c])
        inside = slice(start, start + size)
        template = fractions_at(0, float(model.masses[0]), channel, inside) * channel.signal_yield[0] * model.unit[0]
        signal = {"name": "signal", "data": template.tolist()}
        samples = [signal | {"modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}]
        level, edges = channel.counts[inside].mean(), np.linspace(0.0, 1.0, size + 1)
        for k in range(channel.order + 1):
            integral = BPoly(np.eye(channel.order + 1)[k][:, None], [0.0, 1.0]).antiderivative()
            free = {"name": f"{channel.name}_{k}", "type": "normfactor", "data": None}
            column = (level * size * np.diff(integral(edges))).tolist()
            samples.append({"name": f"b{k}", "data": column, "modifiers": [free]})
        made.append({"name": channel.name, "samples": samples})
        data[channel.name] = channel.counts[inside].tolist()
    bounds = [[-5.0, 10.0]]
    names = [f"{c.name}_{k}" for c in model.channels for k in range(c.order + 1)]
    parameters: list[dict[str, Any]] = [{"name": n, "bounds": bounds, "inits": [1.0]} for n in names]
    parameters.append({"name": "mu", "bounds": [[0.0, 20.0]], "inits": [0.5]})
    pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer(tolerance=1e-10, maxiter=10_000))
    built = pyhf.Model({"channels": made, "parameters": parameters}, poi_name="mu", validate=False)
    return built, [n for name in built.config.channels for n in data[name]] + built.config.auxdata


def against_pyhf() -> tuple[float, float, float]:
    """Return seconds of pyhf and of the scan for one CLs limit with its bands, and the relative difference."""
    import pyhf
    from scipy.optimize import brentq

    counts = np.empty((*expectation().shape, 1))
    draw_counts(*key(3), 0, expectation(0.05), counts)
    model = model_of(counts[..., 0], np.array([2.0]))
    theirs, data = pyhf_workspace(model)
    unit = float(model.unit[0])
    ours = scan(model, conventions=(CLS_90,)).limits[CLS_90.name]
    start = time.thread_time()

    def cls(mu: float, which: int | None) -> float:
        observed, expected = pyhf.infer.hypotest(mu, data, theirs, test_stat="qtilde", return_expected_set=True)
        return float(observed if which is None else expected[which]) - 0.1

    limits = [brentq(cls, 0.3, 6.0, args=(which,), xtol=1e-4) for which in (None, 0, 1, 2, 3, 4)]
    slow = time.thread_time() - start
    fast = seconds(lambda: scan(model, conventions=(CLS_90,)))
    mine = np.array([ours.observed[0], *ours.expected[:, 0]]) / unit
    return slow, fast, float(np.abs(mine / limits - 1.0).max())


def main() -> None:
    """Measure and print."""
    nu = expectation()
    masses = mass_grid(BINS, 0.010)
    start = time.perf_counter()
    scan_toys(model_of(nu, masses), nu, 16, 1)
    print(f"first toys, compilation included where not cached: {time.perf_counter() - start:.1f} s")
    model = model_of(nu, masses)
    print(f"model at {masses.size} masses: {seconds(lambda: model_of(nu, masses)):.3f} s")
    counts = np.empty((*nu.shape, TOYS))
    print(f"numbers of {TOYS} toys: {seconds(lambda: draw_counts(*key(1), 0, nu, counts), 3):.3f} s")
    exact = seconds(lambda: scan_toys(model, nu, TOYS, 1), 3)
    toys = scan_toys(model, nu, TOYS, 1)
    per = 1e6 * exact / TOYS / masses.size
    print(f"exact scans of {TOYS} toys x {masses.size} masses with limits: {exact:.2f} s, {per:.1f} us each")
    for scale in (0.1, 0.01, 0.001):
        low = model_of(scale * nu, masses)
        task = seconds(lambda low=low, scale=scale: scan_toys(low, scale * nu, 160, 1), 1)
        few = scan_toys(low, scale * nu, 160, 1)
        careful = 100.0 * np.count_nonzero(few.status == 1) / few.status.size
        print(
            f"  at {scale:g} of the counts: {task * TOYS / 160:.2f} s, {careful:.1f} % with care, {few.failed} failed"
        )
    luminosity = model_of(nu, masses, yield_errors={"luminosity": 0.01, "ratio": 0.03})
    task = seconds(lambda: scan_toys(luminosity, nu, 160, 1), 2)
    print(f"  with two nuisances: {task * TOYS / 160:.2f} s")
    spectra = np.ascontiguousarray(counts.transpose(2, 0, 1))
    linear = wall(lambda: linear_scan(model, spectra))
    bands = wall(lambda: np.quantile(linear_scan(model, spectra), (0.023, 0.159, 0.5, 0.841, 0.977), axis=0))
    far = np.abs(linear_scan(model, spectra) - toys.mu_hat / model.unit).max()
    print(f"linear scans of the same: {linear:.3f} s, with bands {bands:.3f} s; within {far:.3f} sigma")
    print(f"scan of data, three limits with bands: {seconds(lambda: scan(model), 3):.2f} s")
    slow, fast, difference = against_pyhf()
    print(f"one CLs limit with five bands: pyhf {slow:.2f} s, here {1e3 * fast:.2f} ms, ratio {slow / fast:.0f}")
    print(f"  largest relative difference of the six limits: {difference:.1e}")
    print(f"  a toy's exact limit against pyhf's observed one: ratio {slow / 6.0 / (1e-6 * per):.0f}")


if __name__ == "__main__":
    main()
