"""Speed and efficiency of the generators, one core: nanoseconds of thread time per unweighted event, best of several.

    python benchmarks/generators.py [--best-of 7]

Ratios within one run mean more than the numbers: machines are noisy. The required rates are 1.5 million events a second
of a pair with one photon, 0.7 million with any number of photons, 0.7 million Bhabha events within cuts.
"""

import argparse
import platform
from typing import Any

from besfast.sim.generate import Generator
from timing import processor, seconds

EVENTS = 16384
#: Process, order, options, and the rate that is required [million events per second].
CASES: tuple[tuple[str, str, dict[str, Any], float | None], ...] = (
    ("mumu_isr", "lo", {}, 1.5),
    ("mumu_isr", "ll", {}, 0.7),
    ("mumu_isr", "ll", {"theta_gamma_min": 0.4}, 0.7),
    ("pipi_isr", "lo", {}, 1.5),
    ("pipi_isr", "ll", {}, 0.7),
    ("ee_annihilation", "lo", {}, 1.5),
    ("ee_annihilation", "ll", {}, 0.7),
    ("ee_bhabha", "lo", {}, 0.7),
    ("ee_bhabha", "ll", {}, 0.7),
    ("dark_photon", "lo", {"mass": 2.0}, None),
    ("dark_photon", "ll", {"mass": 2.0}, None),
    ("gamma_gamma", "lo", {"theta_gamma_min": 0.35}, None),
    ("gamma_gamma", "ll", {"theta_gamma_min": 0.35}, None),
    ("three_gamma", "lo", {}, None),
    ("mumu_zprime_invisible", "lo", {"mass": 1.0}, None),
)


def measure(process: str, order: str, options: dict[str, Any], best_of: int) -> tuple[float, Generator]:
    """Return the thread time per event [ns], and the generator."""
    generator = Generator(process, seed=1, order=order, **options)
    best = seconds(lambda: generator.events(0, EVENTS), best_of)
    return 1e9 * best / EVENTS, generator


def main() -> None:
    """Print a row per process and order."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--best-of", type=int, default=7)
    best_of = parser.parse_args().best_of
    print(f"{processor()}, Python {platform.python_version()}, {EVENTS} events a call")
    print(f"{'process':24s} {'order':6s} {'ns':>7s} {'M/s':>7s} {'wanted':>7s} {'efficiency':>10s} {'overflow':>9s}")
    for process, order, options, wanted in CASES:
        time_per_event, generator = measure(process, order, options, best_of)
        needed = "" if wanted is None else f"{wanted:.1f}"
        text = " ".join(f"{name}={value}" for name, value in options.items())
        print(
            f"{process:24s} {order:6s} {time_per_event:7.0f} {1e3 / time_per_event:7.2f} {needed:>7s} "
            f"{generator.efficiency:10.3f} {generator.overflow:9.1e}  {text}"
        )


if __name__ == "__main__":
    main()
