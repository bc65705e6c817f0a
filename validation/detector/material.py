"""What electrons radiate and photons convert in the material in front of the chamber."""

from functools import partial

import numpy as np

from ...arrays import Floats
from ..check import Check, Line, Plot, Result
from .bench import Bench
from .calorimeter import largest_shower
from .estimators import estimate, share
from .momentum import deviation

TOPIC = "material"
_N = 400_000


def checks(bench: Bench) -> list[Check]:
    """Return the checks of this topic."""
    return [
        Check(TOPIC, "bremsstrahlung", partial(_bremsstrahlung, bench)),
        Check(TOPIC, "conversions", partial(_conversions, bench)),
        Check(TOPIC, "decays in flight", partial(_decays, bench)),
        Check(TOPIC, "energy loss", partial(_energy_loss, bench)),
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


def _decays(bench: Bench) -> Result:
    """Count pions of 1 GeV that are seen otherwise than if they lived on: same random numbers, decays on and off."""
    truth = bench.gun("decays", 211, _N, 1.0, (-0.05, 0.05))
    on, off = (bench.measure("decays", truth, {"matter.decays": decays}) for decays in (True, False))
    differs = np.diff(on.record.track_offsets) != np.diff(off.record.track_offsets)
    differs |= np.diff(on.record.shower_offsets) != np.diff(off.record.shower_offsets)
    both = np.flatnonzero((on.track >= 0) & (off.track >= 0))
    a, b = on.track[both], off.track[both]
    differs[both] |= (on.record.helix[a] != off.record.helix[b]).any(axis=1)
    energies = largest_shower(on), largest_shower(off)
    differs |= energies[0] != energies[1]
    rows = [bench.targets.row("decays", *share(differs))]
    return Result(rows, [])


def _energy_loss(bench: Bench) -> Result:
    """Return the shift of the momentum from the fit's hypothesis, median over true: it corrects for one particle."""
    rows, lines = [], []
    plot = Plot("calorimeter", "momentum after the fit's correction", r"$p$ [GeV]", r"median of $p$ / true - 1 [%]")
    for name, pdg in (("mu", 13), ("pi", 211), ("K", 321), ("p", 2212)):
        for p in (0.2, 0.3, 0.5, 1.0):
            shots = bench.shoot(f"loss {name} {p}", pdg, _N // 20, p, (-0.3, 0.3), {"matter.decays": False})
            value, error = estimate(_median, 100.0 * deviation(shots) / p)
            lines.append(Line(plot, name, np.array([p]), np.array([value]), np.array([error])))
            if p == 0.3:
                rows.append(bench.targets.row(f"loss_{name}", value, error))
    return Result(rows, [], lines)


def _median(sample: Floats) -> float:
    return float(np.median(sample))
