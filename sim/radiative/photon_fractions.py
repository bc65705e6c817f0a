"""How much energy each particle of a pair radiates, and at what angle: random numbers to fractions and directions.

Trial t of event e draws from counter (event = e, particle = t): an event depends on the seed and its number alone.
"""

import numpy as np

from ...elementary import exp, log, sincos2pi
from ...event import Floats
from ...kernel import BLOCK, stage
from ...rng import FSR_STREAM, uniform, uniform53, words
from .pair_emission import (
    emission_slope,
    fermion_angle,
    fermion_match,
    pair_rapidity,
    pair_velocity,
    scalar_angle,
    scalar_match,
)
from .sampling import MAX_TRIALS, Words
from .structure_function import scalar_soft_maximum, scalar_structure_ratio, soft_maximum, structure_ratio

_ZERO = np.uint64(0)
_ONE = np.uint64(1)
# blocks of four words of a trial
_FRACTIONS = np.uint64(0)
_ACCEPT = np.uint64(1)
_DIRECTIONS = np.uint64(2)
# drawn once an event
_AZIMUTHS = np.uint64(3)


@stage
def slope_stage(particle_mass: float, mass2: Floats, mu: Floats, slope: Floats) -> None:
    """Compute mu = m_l^2 / m^2 and eta, the number of soft photons per unit of ln(y), from m^2 [GeV^2]."""
    square = particle_mass * particle_mass
    for i in range(np.uint64(mass2.size)):
        mu[i] = min(square / mass2[i], 0.25)
        slope[i] = max(emission_slope(mu[i]), 1e-9)


@stage
def draw_fractions(
    k0: np.uint64, k1: np.uint64, trial: np.uint64, event: Words, slope: Floats, first: Floats, second: Floats
) -> None:
    """Draw the fraction y that either particle loses from the soft factor of D, y = u^(2 / eta)."""
    for i in range(np.uint64(event.size)):
        a, b, c, d = words(k0, k1, event[i], trial, FSR_STREAM, _FRACTIONS)
        power = 2.0 / slope[i]
        first[i] = exp(power * log(uniform53(a, b)))
        second[i] = exp(power * log(uniform53(c, d)))


@stage
def weigh_stage(scalar: bool, slope: Floats, y: Floats, weight: Floats) -> None:
    """Multiply the weight by D over its soft factor, as a fraction of the largest."""
    for i in range(np.uint64(y.size)):
        fermion = structure_ratio(y[i], slope[i]) / soft_maximum(slope[i])
        spinless = scalar_structure_ratio(y[i], slope[i]) / scalar_soft_maximum(slope[i])
        weight[i] *= max(spinless if scalar else fermion, 0.0)


@stage
def match_spectrum_stage(scalar: bool, mu: Floats, slope: Floats, y: Floats, weight: Floats) -> None:
    """Multiply the weight by the exact one-photon spectrum over its leading logarithm."""
    for i in range(np.uint64(y.size)):
        hard = max(y[i], 1e-12)
        weight[i] *= scalar_match(hard, mu[i], slope[i]) if scalar else fermion_match(hard, mu[i], slope[i])


@stage
def above_threshold_stage(mu: Floats, first: Floats, second: Floats, weight: Floats) -> None:
    """Set the weight to zero where less than two particles' rest energy is left, z1 z2 < 4 mu."""
    for i in range(np.uint64(mu.size)):
        weight[i] = weight[i] if (1.0 - first[i]) * (1.0 - second[i]) > 4.0 * mu[i] else 0.0


@stage
def choose_fractions(
    k0: np.uint64,
    k1: np.uint64,
    scalar: bool,
    matched: bool,
    start: np.uint64,
    mu: Floats,
    slope: Floats,
    first: Floats,
    second: Floats,
) -> None:
    """Choose the fractions of energy lost by either particle of events start.., at most BLOCK of them, in rounds.

    An event without accepted trial after MAX_TRIALS radiates nothing.
    """
    n_open = mu.size
    work = np.empty((5, BLOCK))
    event = np.empty(BLOCK, dtype=np.uint64)
    slot = np.empty(BLOCK, dtype=np.uint64)
    for j in range(n_open):
        slot[j] = np.uint64(j)
        event[j] = start + np.uint64(j)
        work[0, j] = mu[j]
        work[1, j] = slope[j]
        first[j] = 0.0
        second[j] = 0.0
    for t in range(MAX_TRIALS):
        open_mu, open_slope = work[0, :n_open], work[1, :n_open]
        y1, y2, weight = work[2, :n_open], work[3, :n_open], work[4, :n_open]
        draw_fractions(k0, k1, np.uint64(t), event[:n_open], open_slope, y1, y2)
        weight[:] = 1.0
        weigh_stage(scalar, open_slope, y1, weight)
        weigh_stage(scalar, open_slope, y2, weight)
        if matched:
            match_spectrum_stage(scalar, open_mu, open_slope, y1, weight)
            match_spectrum_stage(scalar, open_mu, open_slope, y2, weight)
        above_threshold_stage(open_mu, y1, y2, weight)
        accept_fractions_stage(k0, k1, np.uint64(t), event[:n_open], weight)
        remaining = 0
        for j in range(n_open):
            accepted = weight[j] > 0.0
            k = slot[j]
            first[k] = y1[j] if accepted else 0.0
            second[k] = y2[j] if accepted else 0.0
            slot[remaining] = k
            event[remaining] = event[j]
            work[0, remaining] = work[0, j]
            work[1, remaining] = work[1, j]
            remaining += 0 if accepted else 1
        n_open = remaining
        if n_open == 0:
            break


@stage
def accept_fractions_stage(k0: np.uint64, k1: np.uint64, trial: np.uint64, event: Words, weight: Floats) -> None:
    """Subtract a uniform number from the weight: what stays positive is accepted."""
    for i in range(np.uint64(event.size)):
        a, _, _, _ = words(k0, k1, event[i], trial, FSR_STREAM, _ACCEPT)
        weight[i] -= uniform(a)


@stage
def draw_directions(
    k0: np.uint64, k1: np.uint64, trial: np.uint64, event: Words, leg: Words, a: Floats, accept: Floats
) -> None:
    """Draw two uniform numbers for the photon of particle `leg`, 0 or 1, of an event."""
    for i in range(np.uint64(event.size)):
        first, second, third, fourth = words(k0, k1, event[i], trial, FSR_STREAM, _DIRECTIONS)
        a[i] = uniform(first if leg[i] < _ONE else third)
        accept[i] = uniform(second if leg[i] < _ONE else fourth)


@stage
def photon_direction_stage(scalar: bool, mu: Floats, y: Floats, a: Floats, accept: Floats) -> None:
    """Map uniform a to (1 - b cos)/2 of the photon, with density 1/a, and accept to a positive number if it is kept."""
    for i in range(np.uint64(y.size)):
        z = 1.0 - y[i]
        largest = 0.5 * (1.0 + pair_velocity(z, mu[i]))
        smallest = mu[i] / (z * largest)
        half = min(max(largest * exp(-a[i] * pair_rapidity(z, mu[i])), smallest), largest)
        a[i] = half
        shape = scalar_angle(half, y[i], mu[i]) if scalar else fermion_angle(half, y[i], mu[i])
        accept[i] = shape - accept[i]


@stage
def choose_directions(
    k0: np.uint64, k1: np.uint64, scalar: bool, event: Words, leg: Words, mu: Floats, y: Floats, a: Floats
) -> None:
    """Choose a = (1 - b cos)/2 of photons, at most 2 BLOCK of them, in rounds.

    theta is the angle to the radiating particle in the rest frame of the pair that is left; the lowest-order density
    G / (a (1 - a)) is shared between the two particles as 1/a and 1/(1 - a). After MAX_TRIALS the last trial is taken.
    """
    n_open = y.size
    work = np.empty((4, 2 * BLOCK))
    keys = np.empty((2, 2 * BLOCK), dtype=np.uint64)
    slot = np.empty(2 * BLOCK, dtype=np.uint64)
    for j in range(n_open):
        slot[j] = np.uint64(j)
        keys[0, j] = event[j]
        keys[1, j] = leg[j]
        work[0, j] = mu[j]
        work[1, j] = y[j]
    for t in range(MAX_TRIALS):
        tried, accept = work[2, :n_open], work[3, :n_open]
        draw_directions(k0, k1, np.uint64(t), keys[0, :n_open], keys[1, :n_open], tried, accept)
        photon_direction_stage(scalar, work[0, :n_open], work[1, :n_open], tried, accept)
        remaining = 0
        for j in range(n_open):
            a[slot[j]] = tried[j]
            slot[remaining] = slot[j]
            keys[0, remaining] = keys[0, j]
            keys[1, remaining] = keys[1, j]
            work[0, remaining] = work[0, j]
            work[1, remaining] = work[1, j]
            remaining += 0 if accept[j] > 0.0 else 1
        n_open = remaining
        if n_open == 0:
            break


@stage
def azimuth_stage(
    k0: np.uint64, k1: np.uint64, event: Words, cosine: Floats, sine: Floats, turn: Floats, choice: Floats
) -> None:
    """Draw the azimuth between the two photons, that of the event about its axis (in turns) and a uniform number."""
    for i in range(np.uint64(event.size)):
        a, b, c, _ = words(k0, k1, event[i], _ZERO, FSR_STREAM, _AZIMUTHS)
        sine[i], cosine[i] = sincos2pi(uniform(a))
        turn[i] = uniform(b)
        choice[i] = uniform(c)
