"""Electric charges of the particles of events, by their PDG numbers."""

import numpy as np
from numpy.typing import NDArray

from .arrays import Ints
from .pdg import charge


def charges(pdg: NDArray[np.int32], number: Ints, source: object) -> NDArray[np.int32]:
    """Return the charges [e] of particles, shape (n,).

    Parameters
    ----------
    pdg, number
        PDG number of each particle, and number of its event, shape (n,).
    source
        What an error begins with.

    Raises
    ------
    ValueError
        If a particle is unknown or of fractional charge; names it and its event.
    """
    kinds, which = np.unique(pdg, return_inverse=True)
    found = np.zeros(len(kinds), dtype=np.int32)
    for k, kind in enumerate(kinds.tolist()):
        one = charge(kind)
        if one is None:
            event = number[np.flatnonzero(pdg == kind)[0]]
            raise ValueError(f"{source}: pdg = {kind} in event {event} is no particle of known integer charge")
        found[k] = one
    return found[which]
