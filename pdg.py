"""Charge and mass of particles by their number in the Monte Carlo scheme of the Particle Data Group."""

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import Ints

#: Numbers of dark matter and its mediators, all neutral; tables of older schemes give some of them charges.
_DARK = range(51, 61)


def _table_entry(pdg: int) -> Any:
    """Return the particle of the table, None if it is not there."""
    from particle import InvalidParticle, Particle, ParticleNotFound

    try:
        return Particle.from_pdgid(pdg)
    except (InvalidParticle, ParticleNotFound):
        return None


@functools.cache
def charge(pdg: int) -> int | None:
    """Return the charge [e] of a particle, by the table or by the numbering scheme.

    None if neither knows it, or it is no whole number.
    """
    from particle import PDGID

    if abs(pdg) in _DARK:
        return 0
    entry = _table_entry(pdg)
    thirds = PDGID(pdg).three_charge if entry is None else entry.three_charge
    return None if thirds is None or thirds % 3 else int(thirds) // 3


@functools.cache
def mass(pdg: int) -> float | None:
    """Return the mass [GeV] of a particle, 0 for neutrinos, None if it is not in the table."""
    entry = _table_entry(pdg)
    if entry is None:
        return None
    if entry.mass is None:
        return 0.0 if abs(pdg) in (12, 14, 16) else None
    return float(entry.mass) / 1000.0


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
