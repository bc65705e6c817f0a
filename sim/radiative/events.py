"""From accepted trials to events: energy of the event, momenta of all particles, and the flat columns of a record."""

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Ints, Keys
from ...kernel import BLOCK, stage
from ...rng import ENERGY_SPREAD_STREAM, normal2, words
from .final_state import norm_stage
from .radiation import HARD_X, OTHER_X, PAIR_X, SAME_X, row
from .trials import Dice, Source, find_momenta, first_trials, map_trials, new_trials

_ZERO = np.uint64(0)

#: Places of an event's particles in the momenta: pair, hard photon, additional photons of the other beam and its own.
NEGATIVE, POSITIVE, HARD, OTHER, SAME = range(5)
#: Components of a momentum [GeV].
PX, PY, PZ, ENERGY = range(4)


@stage
def energy_spread_stage(source: Source, start: np.uint64, nominal: float, spread: float, sqrt_s: Floats) -> None:
    """Draw the centre-of-mass energy of events start.. [GeV]: a normal distribution about the nominal one."""
    for i in range(np.uint64(sqrt_s.size)):
        a, b, _, _ = words(source.k0, source.k1, start + i, _ZERO, ENERGY_SPREAD_STREAM, _ZERO)
        g, _ = normal2(a, b)
        sqrt_s[i] = nominal + spread * g


@stage
def copy_stage(source: Floats, out: Floats) -> None:
    """Copy a column."""
    for i in range(np.uint64(out.size)):
        out[i] = source[i]


@stage
def multiply_stage(first: Floats, second: Floats, out: Floats) -> None:
    """Multiply two columns."""
    for i in range(np.uint64(out.size)):
        out[i] = first[i] * second[i]


@stage
def subtract_stage(first: Floats, out: Floats) -> None:
    """Subtract a column in place."""
    for i in range(np.uint64(out.size)):
        out[i] -= first[i]


@stage
def scale_stage(nominal: float, sqrt_s: Floats, scale: Floats) -> None:
    """Compute by how much an event's energy differs from the nominal one."""
    for i in range(np.uint64(scale.size)):
        scale[i] = sqrt_s[i] / nominal


@stage
def momenta(source: Source, dice: Dice, start: np.uint64, trial: Keys, sqrt_s: Floats, out: Floats) -> None:
    """Compute the momenta [GeV] of events start.. from their accepted trials, at each event's sqrt_s.

    out: (particles, 4, events), the five of an event or the first three at leading order; zero where an additional
    photon is missing. With a spread of energy, photons and what they leave scale with the event's sqrt_s; the hard
    sub-process keeps the mass of the pair.
    """
    block = new_trials()
    scale = np.empty(BLOCK)
    energy = np.empty(BLOCK)
    event = np.empty(BLOCK, dtype=np.uint64)
    for begin in range(0, trial.size, BLOCK):
        n = min(BLOCK, trial.size - begin)
        end = begin + n
        for j in range(n):
            event[j] = start + np.uint64(begin + j)
        t = first_trials(block, n)
        map_trials(source, dice, event[:n], trial[begin:end], t)
        scale_stage(dice.region.sqrt_s, sqrt_s[begin:end], scale[:n])
        multiply_stage(t.sqrt_s, scale[:n], energy[:n])
        find_momenta(dice, t, energy[:n])
        for component in range(4):
            copy_stage(row(t.scratch, PAIR_X + component, n), out[NEGATIVE, component, begin:end])
        for component in range(3):
            copy_stage(row(t.scratch, HARD_X + component, n), out[HARD, component, begin:end])
        if out.shape[0] > OTHER:
            for component in range(3):
                multiply_stage(row(t.scratch, OTHER_X + component, n), scale[:n], out[OTHER, component, begin:end])
                multiply_stage(row(t.scratch, SAME_X + component, n), scale[:n], out[SAME, component, begin:end])
        # the positive particle takes what conservation leaves to it
        out[POSITIVE, :ENERGY, begin:end] = 0.0
        copy_stage(sqrt_s[begin:end], out[POSITIVE, ENERGY, begin:end])
        for particle in range(HARD, out.shape[0]):
            k = out[particle]
            norm_stage(k[PX, begin:end], k[PY, begin:end], k[PZ, begin:end], k[ENERGY, begin:end])
        for particle in range(out.shape[0]):
            if particle != POSITIVE:
                for component in range(4):
                    subtract_stage(out[particle, component, begin:end], out[POSITIVE, component, begin:end])


@stage
def count_stage(particles: Floats, offsets: Ints) -> None:
    """Count the particles that are there, (places, 4, events), into offsets."""
    offsets[0] = 0
    for i in range(particles.shape[2]):
        n = offsets[i]
        for place in range(particles.shape[0]):
            n += 1 if particles[place, ENERGY, i] > 0.0 else 0
        offsets[i + 1] = n


@stage
def pack_stage(
    particles: Floats,
    kinds: NDArray[np.int32],
    offsets: Ints,
    px: Floats,
    py: Floats,
    pz: Floats,
    energy: Floats,
    pdg: NDArray[np.int32],
    charge: NDArray[np.int32],
) -> None:
    """Write the particles that are there, (places, 4, events), into flat columns; kinds: PDG number and charge."""
    for i in range(particles.shape[2]):
        j = offsets[i]
        for place in range(particles.shape[0]):
            if particles[place, ENERGY, i] > 0.0:
                px[j] = particles[place, PX, i]
                py[j] = particles[place, PY, i]
                pz[j] = particles[place, PZ, i]
                energy[j] = particles[place, ENERGY, i]
                pdg[j] = kinds[place, 0]
                charge[j] = kinds[place, 1]
                j += 1
