"""Truth events from the momenta of a model."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...arrays import Floats, Ints
from ...event import TruthEvents, empty_columns
from .model import Particle


def truth_of(
    particles: Sequence[Particle], number: Ints, weight: Floats, sqrt_s: Floats, momenta: Floats, places: Floats | None
) -> TruthEvents:
    """Return truth events, without scalars, of momenta [GeV] and places [cm, ns] (n_particles, 4, n).

    A particle of zero energy is left out of its event; what it was the parent of has none.
    """
    n = len(number)
    present = momenta[:, 3, :].T > 0.0
    place = np.cumsum(present, axis=1, dtype=np.int32) - np.int32(1)
    offsets = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(place[:, -1] + 1, dtype=np.int64, out=offsets[1:])
    columns: dict[str, Any] = {**empty_columns("TruthEvents", "event", n)}
    columns |= {"number": number, "weight": weight, "event_sqrt_s": sqrt_s}
    columns["process"][:] = 0
    for c, name in enumerate(("px", "py", "pz", "energy")):
        columns[name] = momenta[:, c, :].T[present]
    for c, name in enumerate(("vx", "vy", "vz", "t")):
        columns[name] = np.zeros(int(offsets[-1])) if places is None else places[:, c, :].T[present]
    for name in ("pdg", "charge", "status"):
        each = np.array([getattr(particle, name) for particle in particles], dtype=np.int32)
        columns[name] = np.broadcast_to(each, present.shape)[present]
    parents = np.array([particle.parent for particle in particles])
    known = np.where((parents >= 0) & present[:, parents], place[:, parents], np.int32(-1))
    columns["parent"] = known[present]
    return TruthEvents(offsets=offsets, **columns)
