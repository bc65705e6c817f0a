"""Clusters of beam background and noise in the calorimeter."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..arrays import Floats, Ints, Keys
from ..constants import PI
from ..elementary import atan2, log
from ..geometry.sections import Card
from ..kernel import kernel, stage
from ..rng import EMC_BACKGROUND_STREAM, uniform, words
from .arithmetic import exponential
from .emc import EmcParameters

#: Largest number of clusters of an event; a mean of 5 has more than that in 1e-9 of the events.
LARGEST = 24


class BackgroundParameters(NamedTuple):
    """Constants of a card."""

    threshold: float
    scale: float
    endcap_fraction: float
    first_time: float
    time_window: float


@lru_cache(maxsize=16)
def background_parameters(card: Card) -> BackgroundParameters:
    """Return the constants of a card."""
    noise = card.emc.background
    first, last = noise.time_range
    return BackgroundParameters(
        card.emc.cluster_threshold, noise.energy_scale, noise.endcap_fraction, first, last - first
    )


@lru_cache(maxsize=16)
def poisson_limits(mean: float) -> Floats:
    """Return the cumulative Poisson probabilities of 0, 1, ... LARGEST - 1 clusters."""
    term = float(exponential(-mean))
    limits = np.empty(LARGEST)
    total = 0.0
    for n in range(LARGEST):
        total += term
        limits[n] = total
        term *= mean / (n + 1)
    limits.flags.writeable = False
    return limits


@stage
def multiplicity_stage(k0: np.uint64, k1: np.uint64, event: Keys, limits: Floats, number: Ints) -> None:
    """Draw the number of clusters of every event."""
    for i in range(np.uint64(event.size)):
        a, _, _, _ = words(k0, k1, event[i], np.uint64(0), EMC_BACKGROUND_STREAM, np.uint64(0))
        u = uniform(a)
        count = np.int64(0)
        for n in range(np.uint64(limits.size)):
            count += np.int64(1) if u > limits[n] else np.int64(0)
        number[i] = count


@kernel
def background_cosine(u: float, noise: BackgroundParameters, constants: EmcParameters) -> float:
    """Return cos(theta) of a cluster from a uniform: flat within the barrel, or within the two endcaps."""
    ahead, behind = constants.forward, constants.backward
    part = noise.endcap_fraction
    forward_width = ahead.endcap_cos_max - ahead.endcap_cos_min
    width = forward_width + behind.endcap_cos_max - behind.endcap_cos_min
    at = width * u / max(part, 1e-12)
    endcap = ahead.endcap_cos_min + at if at < forward_width else forward_width - at - behind.endcap_cos_min
    rest = (u - part) / max(1.0 - part, 1e-12)
    barrel = -behind.cos_max + rest * (ahead.cos_max + behind.cos_max)
    return endcap if u < part else barrel


@stage
def background_stage(
    k0: np.uint64,
    k1: np.uint64,
    event: Keys,
    number: Keys,
    noise: BackgroundParameters,
    constants: EmcParameters,
    energy: Floats,
    cosine: Floats,
    phi: Floats,
    time: Floats,
) -> None:
    """Draw clusters, keyed by event and `number` (from 1) in the event: energy, cos(theta), azimuth, time."""
    for i in range(np.uint64(event.size)):
        a, b, c, d = words(k0, k1, event[i], number[i], EMC_BACKGROUND_STREAM, np.uint64(0))
        energy[i] = noise.threshold - noise.scale * log(uniform(a))
        cosine[i] = background_cosine(uniform(b), noise, constants)
        phi[i] = (2.0 * uniform(c) - 1.0) * PI
        time[i] = noise.first_time + noise.time_window * uniform(d)


@stage
def angle_stage(cosine: Floats, theta: Floats) -> None:
    """Fill polar angles."""
    for i in range(np.uint64(theta.size)):
        theta[i] = atan2(math.sqrt(max(1.0 - cosine[i] * cosine[i], 0.0)), cosine[i])
