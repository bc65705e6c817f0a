"""Two-body decays of particles of a gun."""

import numpy as np

from ...arrays import Floats
from ...event import TruthEvents
from .bench import Bench


def two_photons(parents: TruthEvents, bench: Bench, name: str) -> TruthEvents:
    """Return events in which every parent (one per event) decays isotropically to two photons at once."""
    n = parents.n_events
    aim = bench.gun(f"decay {name}", 22, n, 1.0, (-1.0, 1.0), exactly=True)
    energy, mass = parents.energy, np.sqrt(mass2(parents))
    half = 0.5 * mass * np.stack([aim.px, aim.py, aim.pz])
    momentum = np.stack([parents.px, parents.py, parents.pz])
    along = (momentum * half).sum(axis=0)
    # boost of (mass / 2, +-half) by the parent's momentum
    factor = along / (mass * (energy + mass))
    photons = [sign * half + momentum * (sign * factor + 0.5) for sign in (1.0, -1.0)]
    three = np.stack(photons, axis=2).reshape(3, 2 * n)

    return parents._replace(
        offsets=2 * parents.offsets,
        pdg=np.full(2 * n, 22, dtype=np.int32),
        status=np.repeat(parents.status, 2),
        parent=np.full(2 * n, -1, dtype=np.int32),
        charge=np.zeros(2 * n, dtype=np.int32),
        px=three[0],
        py=three[1],
        pz=three[2],
        energy=np.sqrt((three**2).sum(axis=0)),
        vx=np.repeat(parents.vx, 2),
        vy=np.repeat(parents.vy, 2),
        vz=np.repeat(parents.vz, 2),
        t=np.repeat(parents.t, 2),
    )


def mass2(truth: TruthEvents) -> Floats:
    """Return the squared masses [GeV^2] of particles."""
    result: Floats = truth.energy**2 - truth.px**2 - truth.py**2 - truth.pz**2
    return result
