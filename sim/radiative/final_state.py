"""Four-momenta of accepted trials in the centre of mass, in the order negative particle, positive particle, photon."""

import math

import numpy as np

from ...elementary import sincos2pi
from ...event import Floats
from ...kernel import BLOCK, stage
from ...rng import ENERGY_SPREAD_STREAM, normal2, words
from .phase_space import one_minus_velocity, pair_energy, pair_momentum, photon_direction
from .sampling import Dice, Source, Words, first_trials, map_trials, new_trials

_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_TWO = np.uint64(2)
_THREE = np.uint64(3)


@stage
def energy_spread_stage(source: Source, start: np.uint64, nominal: float, spread: float, sqrt_s: Floats) -> None:
    """Draw the centre-of-mass energy of events start.. [GeV]: a normal distribution about the nominal one."""
    for i in range(np.uint64(sqrt_s.size)):
        a, b, _, _ = words(source.k0, source.k1, start + i, _ZERO, ENERGY_SPREAD_STREAM, _ZERO)
        g, _ = normal2(a, b)
        sqrt_s[i] = nominal + spread * g


@stage
def polar_stage(nominal_sqrt_s: float, minus: Floats, plus: Floats, cosine: Floats, sine: Floats) -> None:
    """Compute the photon's polar angle; the nominal energy fixed the velocity in minus and plus."""
    below = one_minus_velocity(nominal_sqrt_s)
    velocity = 1.0 - below
    for i in range(np.uint64(minus.size)):
        cosine[i], sine[i] = photon_direction(velocity, below, minus[i], plus[i])


@stage
def angle_stage(u: Floats, cosine: Floats, sine: Floats) -> None:
    """Compute cosine and sine of 2 pi u."""
    for i in range(np.uint64(u.size)):
        sine[i], cosine[i] = sincos2pi(u[i])


@stage
def pair_stage(
    lepton_mass: float, sqrt_s: Floats, mass: Floats, cosine: Floats, along: Floats, across: Floats, energy: Floats
) -> None:
    """Compute the negative particle's momentum along the photon and across it, and its energy [GeV]."""
    for i in range(np.uint64(mass.size)):
        along[i], across[i] = pair_momentum(sqrt_s[i], mass[i], cosine[i], lepton_mass)
        energy[i] = pair_energy(sqrt_s[i], mass[i], cosine[i], lepton_mass)


@stage
def photon_momentum_stage(
    sqrt_s: Floats, mass: Floats, cosine: Floats, sine: Floats, along: Floats, across: Floats
) -> None:
    """Compute the photon's momentum along the beam and across it [GeV] at fixed mass of the pair."""
    for i in range(np.uint64(mass.size)):
        w = (sqrt_s[i] - mass[i]) * (sqrt_s[i] + mass[i]) / (2.0 * sqrt_s[i])
        along[i] = w * cosine[i]
        across[i] = w * sine[i]


@stage
def rotate_stage(x: Floats, y: Floats, cosine: Floats, sine: Floats) -> None:
    """Rotate (x, y) in place, from x towards y."""
    for i in range(np.uint64(x.size)):
        a, b = x[i], y[i]
        x[i] = a * cosine[i] - b * sine[i]
        y[i] = a * sine[i] + b * cosine[i]


@stage
def norm_stage(x: Floats, y: Floats, z: Floats, norm: Floats) -> None:
    """Compute the length of a vector."""
    for i in range(np.uint64(x.size)):
        norm[i] = math.sqrt(x[i] * x[i] + y[i] * y[i] + z[i] * z[i])


@stage
def interleave_stage(first: Floats, last: Floats, total: Floats, scale: float, out: Floats) -> None:
    """Store a component of the three particles of every event; the second takes what conservation leaves to it."""
    for i in range(np.uint64(first.size)):
        j = _THREE * i
        out[j] = first[i]
        out[j + _ONE] = scale * total[i] - first[i] - last[i]
        out[j + _TWO] = last[i]


@stage
def momenta(
    source: Source,
    dice: Dice,
    start: np.uint64,
    trial: Words,
    sqrt_s: Floats,
    px: Floats,
    py: Floats,
    pz: Floats,
    energy: Floats,
) -> None:
    """Compute the momenta [GeV] of events start.. from their accepted trials, at each event's sqrt_s."""
    block = new_trials(BLOCK)
    work = np.empty((12, BLOCK))
    event = np.empty(BLOCK, dtype=np.uint64)
    region = dice.region
    for begin in range(0, trial.size, BLOCK):
        n = min(BLOCK, trial.size - begin)
        for j in range(n):
            event[j] = start + np.uint64(begin + j)
        t = first_trials(block, n)
        map_trials(source, dice, event[:n], trial[begin : begin + n], t)
        x, y, z, e = work[0, :n], work[1, :n], work[2, :n], work[3, :n]
        kx, ky, kz, k = work[4, :n], work[5, :n], work[6, :n], work[7, :n]
        cos_theta, sin_theta, cos_phi, sin_phi = work[8, :n], work[9, :n], work[10, :n], work[11, :n]
        total = sqrt_s[begin : begin + n]
        polar_stage(region.sqrt_s, t.minus, t.plus, cos_theta, sin_theta)
        # negative particle: azimuth about the photon, then the photon's polar angle, then the azimuth of the event
        pair_stage(region.lepton_mass, total, t.mass, t.cosine, z, x, e)
        angle_stage(t.u_phi, cos_phi, sin_phi)
        y[:] = 0.0
        rotate_stage(x, y, cos_phi, sin_phi)
        rotate_stage(z, x, cos_theta, sin_theta)
        photon_momentum_stage(total, t.mass, cos_theta, sin_theta, kz, kx)
        ky[:] = 0.0
        angle_stage(t.u_azimuth, cos_phi, sin_phi)
        rotate_stage(x, y, cos_phi, sin_phi)
        rotate_stage(kx, ky, cos_phi, sin_phi)
        norm_stage(kx, ky, kz, k)
        particles = slice(3 * begin, 3 * (begin + n))
        interleave_stage(x, kx, total, 0.0, px[particles])
        interleave_stage(y, ky, total, 0.0, py[particles])
        interleave_stage(z, kz, total, 0.0, pz[particles])
        interleave_stage(e, k, total, 1.0, energy[particles])
