"""The bench on which detectors are tested: guns through simulation and reconstruction."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Ints
from ...event import DetectorRecord, RecoEvents, TruthEvents
from ...geometry.sections import Card
from ...reco.reconstruct import reconstruct
from ...sim.generate import Generator
from ...sim.simulate import simulate
from ..check import Settings
from .changes import changed
from .targets import Targets

Mask = NDArray[np.bool_]

#: Trials of a gun's cross section and maximum: it has none, and all weights are one.
_NONE = 1024
#: A vertex at the origin, so that true helices are known.
NO_SPOT: Mapping[str, Any] = {"beam.spot": (0.0, 0.0, 0.0)}
#: Tracks without tails.
NO_TAILS: Mapping[str, Any] = {"mdc.tail_fraction": 0.0}
#: Tracks that live on.
NO_DECAYS: Mapping[str, Any] = {"matter.decays": False}
#: Tracks that lose no energy and live on: what is wrong with a fit under another hypothesis is left out.
NO_LOSS: Mapping[str, Any] = {"matter.ionisation": False, **NO_DECAYS}


class Shots(NamedTuple):
    """Particles shot at the detector, `number` per event, what was measured and reconstructed.

    `track` is the row of the first track made by the first particle of an event, -1 if it was not found.
    """

    truth: TruthEvents
    record: DetectorRecord
    events: RecoEvents
    track: Ints

    def found(self) -> tuple[Ints, Ints]:
        """Return the events whose (first) particle was found, and the rows of its track."""
        event = np.flatnonzero(self.track >= 0)
        return event, self.track[event]

    def true_p(self) -> Floats:
        """Return the true momentum [GeV] of the first particle of every event."""
        first = self.truth.offsets[:-1]
        return momentum_of(self.truth.px[first], self.truth.py[first], self.truth.pz[first])

    def true_cosine(self) -> Floats:
        """Return the true cos(theta) of the first particle of every event."""
        cosine: Floats = self.truth.pz[self.truth.offsets[:-1]] / self.true_p()
        return cosine


def momentum_of(px: Floats, py: Floats, pz: Floats) -> Floats:
    """Return the size of momenta."""
    p: Floats = np.sqrt(px * px + py * py + pz * pz)
    return p


def first_entries(offsets: Ints, truth: NDArray[np.int32], particle: int = 0) -> Ints:
    """Return for every event the first row of a table that is linked to a particle of its truth, -1 without one."""
    n = len(offsets) - 1
    event = np.repeat(np.arange(n), np.diff(offsets))
    rows = np.flatnonzero(truth == particle)
    found = np.full(n, -1, dtype=np.int64)
    found[event[rows][::-1]] = rows[::-1]
    return found


class Bench(NamedTuple):
    """A card, what it is held against, and the sizes and seeds of samples."""

    card: Card
    targets: Targets
    settings: Settings

    def gun(
        self,
        name: str,
        pdg: int,
        n: int,
        p: tuple[float, float] | float,
        cosine: tuple[float, float] | float,
        *,
        exactly: bool = False,
        **options: Any,
    ) -> TruthEvents:
        """Return n events (fewer if quick, unless `exactly`) of momenta p [GeV] and cos(theta) in ranges."""
        low, high = p if isinstance(p, tuple) else (p, p)
        c_low, c_high = cosine if isinstance(cosine, tuple) else (cosine, cosine)
        generator = Generator(
            "particle_gun",
            seed=self.settings.seed_of("detector", name),
            pdg=pdg,
            p_min=low,
            p_max=high,
            theta_min=math.acos(c_high),
            theta_max=math.acos(c_low),
            n_cross_section=_NONE,
            n_scan=_NONE,
            **options,
        )
        return generator.events(0, n if exactly else self.settings.size(n))

    def measure(self, name: str, truth: TruthEvents, changes: Mapping[str, Any] | None = None) -> Shots:
        """Return what the card, with some keys changed, measures of events."""
        card = changed(self.card, changes or {})
        record = simulate(truth, card, seed=self.settings.seed_of("detector", name, "measured"))
        events = reconstruct(record, card)
        return Shots(truth, record, events, first_entries(record.track_offsets, record.track_truth))

    def shoot(
        self,
        name: str,
        pdg: int,
        n: int,
        p: tuple[float, float] | float,
        cosine: tuple[float, float] | float,
        changes: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Shots:
        """Return what is measured of a gun."""
        return self.measure(name, self.gun(name, pdg, n, p, cosine, **options), changes)

    def barrel(self) -> tuple[float, float]:
        """Return the range of cos(theta) inside the usable barrel of the calorimeter."""
        edge = self.card.emc.barrel.usable_cos_max
        return -edge, edge

    def endcap(self) -> tuple[float, float]:
        """Return the range of cos(theta) inside one usable endcap of the calorimeter."""
        return self.card.emc.endcap.usable_cos_range
