"""Hadronic events of a file, each turned many ways in the rest frame of its hadrons: what a small sample can bound.

A sample of hadronic events is small against the luminosity: of what is selected (two tracks, and what is missing of no
mass and along the beam) there is next to nothing in it. But the direction in which a hadronic system is seen is chance:
turned at random in its own rest frame, with the photons of the beams left where they are, every final state is tried
many times. Polarisation along the beam is lost, and the number of different final states stays that of the file.
"""

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Ints
from ..event import TruthEvents
from ..rng import ACCEPT_STREAM, key
from ..sim.processes.rejection import uniforms_stage
from .decays import boosted

#: Photons closer to a beam than this [rad] come from the beams.
_BEAM_CONE = 0.05
#: Photons softer than this [GeV] are not counted: a pair may have one harder one off the beams, not the two of a pi0.
_SOFT = 0.02
_PHOTON = 22


class TurnedSample:
    """The events of a file, event e being file event e modulo their number, its hadrons turned; see `EventSource`.

    `pairs` (n_file_events,) tells which events are a pair of charged hadrons with photons of the beams and one other at
    most: pi pi gamma, K K gamma and p pbar gamma have measured cross sections of their own, and weight zero here.
    """

    def __init__(self, truth: TruthEvents, seed: int) -> None:
        if truth.n_events == 0 or not float(truth.weight.sum()) > 0.0:
            raise ValueError(f"hadronic sample: sum of weights = {truth.weight.sum():g}, must be above 0")
        if not np.isfinite(truth.cross_section):
            raise ValueError("hadronic sample: no cross section, needs cross_section [nb] when it is read")
        self._truth = truth
        self._key = key(seed)
        event = np.repeat(np.arange(truth.n_events), np.diff(truth.offsets))
        momenta = np.stack([truth.px, truth.py, truth.pz, truth.energy])
        final = truth.status == 1
        transverse = np.hypot(momenta[0], momenta[1])
        beamlike = (truth.pdg == _PHOTON) & (transverse < _BEAM_CONE * np.abs(momenta[2]))
        self._turned: NDArray[np.bool_] = ~beamlike
        self._momenta = momenta
        hadronic = final & self._turned
        totals = [np.bincount(event, weights=row * hadronic, minlength=truth.n_events) for row in momenta]
        self._system: Floats = np.array(totals, dtype=np.float64)
        light = hadronic & (truth.pdg == _PHOTON)
        photons = np.bincount(event, weights=light & (momenta[3] > _SOFT), minlength=truth.n_events)
        charged = np.bincount(event, weights=hadronic & (truth.charge != 0), minlength=truth.n_events)
        neutral = np.bincount(event, weights=hadronic & ~light & (truth.charge == 0), minlength=truth.n_events)
        self.pairs: NDArray[np.bool_] = (charged == 2.0) & (neutral == 0.0) & (photons <= 1.0)
        mean = float(truth.weight.mean())
        self._weight: Floats = np.where(self.pairs, 0.0, truth.weight / mean)

    def events(self, start: int, n: int) -> TruthEvents:
        """Return events start .. start + n; the mean weight of the file is one, pairs included."""
        truth = self._truth
        number = np.arange(start, start + n)
        chosen = number % truth.n_events
        counts = np.diff(truth.offsets)[chosen]
        offsets: Ints = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])
        row: Ints = np.repeat(np.arange(n, dtype=np.int64), counts)
        index = np.arange(offsets[-1]) - offsets[row] + truth.offsets[chosen[row]]
        momenta = self._momenta[:, index]
        moved = np.flatnonzero(self._turned[index])
        system = self._system[:, chosen[row[moved]]]
        momenta[:, moved] = self._turned_momenta(momenta[:, moved], system, number, row[moved])
        columns = {name: getattr(truth, name)[index] for name in ("pdg", "status", "parent", "charge")}
        columns |= {name: getattr(truth, name)[index] for name in ("vx", "vy", "vz", "t")}
        columns |= dict(zip(("px", "py", "pz", "energy"), momenta, strict=True))
        return truth._replace(
            number=number,
            weight=self._weight[chosen],
            event_sqrt_s=truth.event_sqrt_s[chosen],
            process=truth.process[chosen],
            offsets=offsets,
            **columns,
        )

    def _turned_momenta(self, momenta: Floats, system: Floats, number: Ints, row: Ints) -> Floats:
        """Return particles (4, n) turned in the rest frame of their systems (4, n), events alike."""
        u = np.empty((4, len(number)))
        zero = np.zeros(len(number), dtype=np.uint64)
        for block in range(2):
            events = number.astype(np.uint64)
            uniforms_stage(*self._key, events, zero, ACCEPT_STREAM, np.uint64(block), u[2 * block], u[2 * block + 1])
        turns = _rotations(u)[:, :, row]
        mass = np.sqrt(np.maximum(system[3] ** 2 - np.sum(system[:3] ** 2, axis=0), 1e-12))
        rest = boosted(momenta, np.concatenate([-system[:3], system[3:]]), mass)
        rest[:3] = np.einsum("ijn,jn->in", turns, rest[:3])
        return boosted(rest, system, mass)


def _rotations(u: Floats) -> Floats:
    """Return uniform random rotations (3, 3, n) of three rows of uniform numbers: K. Shoemake, Graphics Gems III."""
    a, b = np.sqrt(1.0 - u[0]), np.sqrt(u[0])
    x, y = a * np.sin(2.0 * np.pi * u[1]), a * np.cos(2.0 * np.pi * u[1])
    z, w = b * np.sin(2.0 * np.pi * u[2]), b * np.cos(2.0 * np.pi * u[2])
    return np.array(
        [
            [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - z * w), 2.0 * (x * z + y * w)],
            [2.0 * (x * y + z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - x * w)],
            [2.0 * (x * z - y * w), 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y)],
        ]
    )
