"""What electrons radiate and photons convert in the material in front of the chamber."""

from functools import partial

import numpy as np

from ..check import Check, Line, Plot, Result
from .bench import Bench
from .estimators import share
from .momentum import deviation

TOPIC = "material"
_N = 400_000


def checks(bench: Bench) -> list[Check]:
    """Return the checks of this topic."""
    return [
        Check(TOPIC, "bremsstrahlung", partial(_bremsstrahlung, bench)),
        Check(TOPIC, "conversions", partial(_conversions, bench)),
    ]


def _bremsstrahlung(bench: Bench) -> Result:
    """Count electrons that measure less than 5 and 20 % of their momentum short: far beyond the resolution."""
    shots = bench.shoot("bremsstrahlung", 11, _N, 1.0, (-0.1, 0.1), {"mdc.tail_fraction": 0.0})
    lost = -deviation(shots)
    rows = [bench.targets.row(f"bremsstrahlung_{y:g}", *share(lost > y)) for y in (0.05, 0.2)]
    plot = Plot("calorimeter", "electrons of 1 GeV", "momentum lost [GeV]", "fraction above", logarithmic=True)
    y = np.linspace(0.02, 0.8, 40)
    return Result(rows, [], [Line(plot, "tracks", y, np.array([np.mean(lost > cut) for cut in y]))])


def _conversions(bench: Bench) -> Result:
    """Count photons of 1 GeV with a track: they converted before the first layer."""
    shots = bench.shoot("conversions", 22, _N, 1.0, (-0.1, 0.1))
    tracks = np.diff(shots.record.track_offsets)
    return Result([bench.targets.row("conversions", *share(tracks > 0))], [])
