"""Photons that electrons radiate on their way through the detector, as particles of their own.

Each radiator (beam pipe, chamber wall, gas) makes at most one photon of an electron, the sum of what it radiates there;
it leaves along the track at that place. The track that the chamber measures is that of the electron behind the shells:
its helix continues the curvature left back to the beam.
"""

import numpy as np

from ..arrays import Floats, Ints
from ..detector.bremsstrahlung import (
    curvature_stage,
    emission_stage,
    hardest_stage,
    radiated_stage,
    retrace_stage,
    softest_stage,
)
from ..detector.material import Radiator, radiators
from ..geometry.card import Card
from .particles import PHOTON, Particles, daughter_key, joined

_STATE = ("x", "y", "z", "px", "py", "pz")


def radiate(electrons: Particles, card: Card, k0: np.uint64, k1: np.uint64) -> tuple[Particles, Particles, Ints]:
    """Let electrons radiate.

    Parameters
    ----------
    electrons : Particles
    card : Card
        With `matter.bremsstrahlung` off nothing is radiated.
    k0, k1 : numpy.uint64
        Key of the random numbers.

    Returns
    -------
    electrons : Particles
        As the chamber measures them: start and momentum are those of the track behind the shells, continued to where
        the electron was made; `energy` is what arrives at the calorimeter.
    photons : Particles
    parents : ndarray of int
        Index of each photon's electron.
    """
    none = electrons.take(np.zeros(0, dtype=np.int64))
    photons, parents = [none], [np.zeros(0, dtype=np.int64)]
    if not card.matter.bremsstrahlung or len(electrons.row) == 0:
        return electrons, none, parents[0]
    n = len(electrons.row)
    state = np.array([getattr(electrons, name) for name in _STATE])
    energy, limit, above, sine = electrons.energy.copy(), np.empty(n), np.empty(n), _sine(state)
    softest_stage(energy, card.matter.photon_threshold, limit)
    for number, radiator in enumerate(radiators(card)):
        paths = radiator.thickness / sine
        hardest_stage(k0, k1, electrons.event, electrons.particle, number, paths, above)
        some = np.flatnonzero(above < limit)
        lost, depth = above[some], np.empty(len(some))
        keys = electrons.event[some], electrons.particle[some]
        radiated_stage(k0, k1, *keys, number, paths[some], limit[some], lost, depth)
        before, charge = state[:, some], electrons.charge[some]
        at, crossed = _leave(before, charge, lost, depth, radiator, card)
        some = some[crossed]
        state[:, some] = before[:, crossed]
        photons.append(_photons(electrons.take(some), number, at[:, crossed], lost[crossed] * energy[some]))
        parents.append(some)
        energy[some] *= 1.0 - lost[crossed]
    electrons = electrons._replace(energy=energy, **dict(zip(_STATE, state)))
    return electrons, joined(photons), np.concatenate(parents)


def _sine(state: Floats) -> Floats:
    pt2 = state[3] * state[3] + state[4] * state[4]
    return np.asarray(np.sqrt(np.maximum(pt2 / (pt2 + state[5] * state[5]), 1e-12)))


def _leave(
    before: Floats, charge: Floats, lost: Floats, depth: Floats, radiator: Radiator, card: Card
) -> tuple[Floats, Ints]:
    """Return the states at a radiator, and which tracks cross it; `before` becomes what the chamber measures.

    In the gas the photon leaves at a depth given by a uniform, and the fitted curvature is between the two.
    """
    at, bz = np.empty_like(before), card.field.bz
    radius = radiator.inner + depth * (radiator.outer - radiator.inner)
    emission_stage(bz, radius, radiator.half_length, charge, before, at)
    crossed = np.flatnonzero(np.isfinite(at).all(axis=0))
    kept = 1.0 - lost
    if radiator.outer > radiator.inner:
        first, last = card.mdc.layers[0].radius, card.mdc.layers[-1].radius
        curvature_stage((radius - first) / (last - first), kept)
        before[3:] *= kept
    else:
        retrace_stage(bz, kept, charge, at, before)
    return at, crossed


def _photons(parents: Particles, number: int, at: Floats, energy: Floats) -> Particles:
    """Return photons of given energies [GeV] that leave along the states of their parents at radiator `number`."""
    scale = energy / np.sqrt(at[3] * at[3] + at[4] * at[4] + at[5] * at[5])
    return parents._replace(
        particle=daughter_key(parents.particle, number + 1),
        pdg=np.full(len(energy), PHOTON, dtype=np.int32),
        charge=np.zeros(len(energy)),
        energy=energy,
        **{name: value for name, value in zip(_STATE[:3], at[:3])},
        **{name: scale * value for name, value in zip(_STATE[3:], at[3:])},
        stop=np.full(len(energy), np.inf),
    )
