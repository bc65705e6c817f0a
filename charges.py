"""Electric charges of particles by their PDG numbers (PDG, "Monte Carlo particle numbering scheme")."""

import functools

import numpy as np
from numpy.typing import NDArray

from .arrays import Ints

#: Numbers of dark matter and its mediators, all neutral; tables of older schemes give some of them charges.
_DARK = range(51, 61)


@functools.cache
def charge(pdg: int) -> int | None:
    """Return the charge [e] of a PDG number, by the table or by the numbering scheme; None if neither knows."""
    from particle import PDGID, InvalidParticle, Particle, ParticleNotFound

    if abs(pdg) in _DARK:
        return 0
    try:
        thirds = Particle.from_pdgid(pdg).three_charge
    except (InvalidParticle, ParticleNotFound):
        thirds = PDGID(pdg).three_charge
    if thirds is None or thirds % 3:
        return None
    return int(thirds) // 3


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
