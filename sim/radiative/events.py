"""From accepted trials to events: energy of the event, momenta of all particles, and the flat columns of a record."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Ints, Keys
from ...kernel import BLOCK, stage
from ...rng import ENERGY_SPREAD_STREAM, normal2, words
from .dice import Beyond, Dice, Source, Trials, first_trials, new_trials
from .final_state import norm_stage
from .final_state_radiation import radiate_pairs
from .radiation import HARD_X, OTHER_X, PAIR_X, SAME_X, row
from .trials import find_momenta, map_trials

_ZERO = np.uint64(0)
_ONE = np.uint64(1)

#: Places of an event's particles: pair, hard photon, additional photons of the other beam and of its own, and those of
#: the negative and of the positive particle.
NEGATIVE, POSITIVE, HARD, OTHER, SAME, FIRST = range(6)
#: Components of a momentum [GeV].
PX, PY, PZ, ENERGY = range(4)


class DecayRadiation(NamedTuple):
    """How the pair radiates: whether as pions, and the softest photon [GeV] in its rest frame."""

    scalar: bool
    softest: float


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
def find_particles(
    source: Source,
    dice: Dice,
    beyond: Beyond | None,
    event: Keys,
    trial: Keys,
    t: Trials,
    sqrt_s: Floats,
    out: Floats,
) -> None:
    """Compute the momenta [GeV] of a block of events from their accepted trials, at each event's sqrt_s.

    out: (places, 4, events), the five of an event or the first three at leading order; zero where an additional photon
    is missing. With a spread of energy, photons and what they leave scale with the event's sqrt_s; the hard
    sub-process keeps the mass of the pair.
    """
    n = event.size
    last = min(out.shape[0], FIRST)
    scale, energy = np.empty(n), np.empty(n)
    map_trials(source, dice, beyond, event, trial, t)
    scale_stage(dice.region.sqrt_s, sqrt_s, scale)
    multiply_stage(t.sqrt_s, scale, energy)
    find_momenta(dice, beyond, t, energy)
    for component in range(4):
        copy_stage(row(t.scratch, PAIR_X + component, n), out[NEGATIVE, component])
    for component in range(3):
        copy_stage(row(t.scratch, HARD_X + component, n), out[HARD, component])
        if out.shape[0] > OTHER:
            multiply_stage(row(t.scratch, OTHER_X + component, n), scale, out[OTHER, component])
            multiply_stage(row(t.scratch, SAME_X + component, n), scale, out[SAME, component])
    # the positive particle takes what conservation leaves to it
    out[POSITIVE, :ENERGY] = 0.0
    copy_stage(sqrt_s, out[POSITIVE, ENERGY])
    for place in range(HARD, last):
        norm_stage(out[place, PX], out[place, PY], out[place, PZ], out[place, ENERGY])
    for component in range(4):
        subtract_stage(out[NEGATIVE, component], out[POSITIVE, component])
        for place in range(HARD, last):
            subtract_stage(out[place, component], out[POSITIVE, component])


@stage
def pack(
    particles: Floats,
    kinds: NDArray[np.int32],
    offsets: Ints,
    momenta: tuple[Floats, Floats, Floats, Floats],
    pdg: NDArray[np.int32],
    charge: NDArray[np.int32],
) -> None:
    """Write the particles that are there, (places, 4, events), into flat columns from offsets[0] on; fill offsets.

    kinds: PDG number and charge of every place.
    """
    px, py, pz, energy = momenta
    places = particles.shape[0]
    j = offsets[0]
    for i in range(np.uint64(particles.shape[2])):
        for place in range(places):
            if particles[place, ENERGY, i] > 0.0:
                px[j] = particles[place, PX, i]
                py[j] = particles[place, PY, i]
                pz[j] = particles[place, PZ, i]
                energy[j] = particles[place, ENERGY, i]
                pdg[j] = kinds[place, 0]
                charge[j] = kinds[place, 1]
                j += 1
        offsets[i + _ONE] = j


@stage
def write_events(
    source: Source,
    dice: Dice,
    beyond: Beyond | None,
    decay: DecayRadiation | None,
    start: np.uint64,
    trial: Keys,
    sqrt_s: Floats,
    kinds: NDArray[np.int32],
    offsets: Ints,
    momenta: tuple[Floats, Floats, Floats, Floats],
    pdg: NDArray[np.int32],
    charge: NDArray[np.int32],
) -> None:
    """Write the particles of events start.. from their accepted trials into flat columns, and their offsets.

    As many places for particles as kinds: three at leading order, five with additional photons, seven with those of a
    `decay`.
    """
    block = new_trials()
    event = np.empty(BLOCK, dtype=np.uint64)
    offsets[0] = 0
    for begin in range(0, trial.size, BLOCK):
        n = min(BLOCK, trial.size - begin)
        end = begin + n
        for j in range(n):
            event[j] = start + np.uint64(begin + j)
        particles = np.empty((kinds.shape[0], 4, n))
        t = first_trials(block, n)
        find_particles(source, dice, beyond, event[:n], trial[begin:end], t, sqrt_s[begin:end], particles)
        if decay is not None:
            particles[FIRST:] = 0.0
            radiate_pairs(
                source.k0,
                source.k1,
                decay.scalar,
                False,
                start + np.uint64(begin),
                dice.region.lepton_mass,
                decay.softest,
                particles[NEGATIVE],
                particles[POSITIVE],
                particles[FIRST:],
            )
        pack(particles, kinds, offsets[begin : end + 1], momenta, pdg, charge)
