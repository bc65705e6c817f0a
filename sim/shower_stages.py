"""Stages of the simulation of showers: random draws, acceptance, merging, and the order of the record."""

import math

import numpy as np

from ..arrays import Floats, Ints, Keys
from ..constants import PI, C
from ..detector import emc
from ..elementary import sincos
from ..geometry.directions import opening_angle
from ..geometry.helix import wrap
from ..kernel import stage
from ..rng import EMC_POSITION_STREAM, EMC_STREAM, HADRON_STREAM, normal2, uniform, words

#: Smallest angle [rad] of a shower to the z axis.
_NEAR_AXIS = 1e-6


@stage
def merge_stage(
    theta: Floats,
    phi: Floats,
    photon_theta: Floats,
    photon_phi: Floats,
    merge_angle: float,
    photon: Floats,
    merged: Floats,
) -> None:
    """Take the energy of photons that arrive within the size of a cluster of their electron, and leave 0 there."""
    for i in range(np.uint64(photon.size)):
        near = opening_angle(theta[i], phi[i], photon_theta[i], photon_phi[i]) < merge_angle
        merged[i] = photon[i] if near else 0.0
        photon[i] = 0.0 if near else photon[i]


@stage
def cosine_stage(theta: Floats, cosine: Floats) -> None:
    """Fill cos(theta), 2 where theta is not a number: beyond all crystals, so that nothing is seen."""
    for i in range(np.uint64(theta.size)):
        _, c = sincos(theta[i])
        cosine[i] = c if theta[i] == theta[i] else 2.0


@stage
def draw_stage(
    k0: np.uint64, k1: np.uint64, event: Keys, particle: Keys, g: Floats, h: Floats, chance: Floats, u: Floats
) -> None:
    """Draw two normals and two uniforms of every shower: energy and shape, acceptance and depth."""
    for i in range(np.uint64(event.size)):
        a, b, c, d = words(k0, k1, event[i], particle[i], EMC_STREAM, np.uint64(0))
        g[i], h[i] = normal2(a, b)
        chance[i] = uniform(c)
        u[i] = uniform(d)


@stage
def accept_stage(cosine: Floats, chance: Floats, constants: emc.EmcParameters, energy: Floats) -> None:
    """Set the energy of what meets no crystals to zero."""
    for i in range(np.uint64(energy.size)):
        energy[i] = energy[i] if chance[i] < emc.acceptance(cosine[i], constants) else 0.0


@stage
def draw_hadron_stage(
    k0: np.uint64, k1: np.uint64, event: Keys, particle: Keys, g1: Floats, g2: Floats, u1: Floats, u2: Floats
) -> None:
    """Draw two normals (ionisation) and two uniforms (interaction) of a muon or hadron."""
    for i in range(np.uint64(event.size)):
        a, b, c, d = words(k0, k1, event[i], particle[i], HADRON_STREAM, np.uint64(0))
        g1[i], g2[i] = normal2(a, b)
        u1[i], u2[i] = uniform(c), uniform(d)


@stage
def draw_position_stage(
    k0: np.uint64, k1: np.uint64, event: Keys, particle: Keys, g: Floats, h: Floats, time: Floats, shape: Floats
) -> None:
    """Draw the normals of polar angle, azimuth, time and shape."""
    for i in range(np.uint64(event.size)):
        a, b, c, d = words(k0, k1, event[i], particle[i], EMC_POSITION_STREAM, np.uint64(0))
        g[i], h[i] = normal2(a, b)
        time[i], shape[i] = normal2(c, d)


@stage
def place_stage(
    scale: float, theta_sigma: Floats, phi_sigma: Floats, g: Floats, h: Floats, theta: Floats, phi: Floats
) -> None:
    """Smear the directions of showers with normals g and h; showers stay off the axis."""
    for i in range(np.uint64(theta.size)):
        theta[i] = min(max(theta[i] + scale * theta_sigma[i] * g[i], _NEAR_AXIS), PI - _NEAR_AXIS)
        phi[i] = wrap(phi[i] + scale * phi_sigma[i] * h[i])


@stage
def time_stage(
    energy: Floats,
    cosine: Floats,
    p: Floats,
    mass: Floats,
    resolution: tuple[float, float],
    constants: emc.EmcParameters,
    time: Floats,
) -> None:
    """Turn normals into times [ns]: resolution, and the delay of slow particles against light on a straight line.

    `resolution` is (constant, stochastic), stochastic / sqrt(E) in quadrature. The longer way of a bent track is left
    out: below 1 ns.
    """
    for i in range(np.uint64(time.size)):
        sigma = emc.time_sigma(energy[i], resolution[0], resolution[1])
        ratio = mass[i] / p[i]
        delay = emc.front_distance(cosine[i], constants) / C * (math.sqrt(1.0 + ratio * ratio) - 1.0)
        time[i] = delay + sigma * time[i]


@stage
def neutral_stage(kind: Ints, first: int, path: Floats) -> None:
    """Take the ionisation path from neutral hadrons, whose kinds are from `first` on."""
    for i in range(np.uint64(path.size)):
        path[i] = 0.0 if kind[i] >= first else path[i]


@stage
def odd_stage(
    x: Floats, y: Floats, z: Floats, stop: Floats, radius: float, far: tuple[float, float], odd: Floats
) -> None:
    """Fill 1 for particles that end before a radius [cm] or begin behind it or the planes at -far and far, else 0."""
    for i in range(np.uint64(odd.size)):
        outside = (x[i] * x[i] + y[i] * y[i] > radius * radius) | (z[i] > far[1]) | (z[i] < -far[0])
        odd[i] = 1.0 if outside | (stop[i] < radius) else 0.0


@stage
def order_stage(place: Ints, row: Ints, cursor: Ints, order: Ints) -> None:
    """Fill the order of showers by event: `place` is each particle's shower, -1 without; `cursor` begins at offsets."""
    for k in range(np.uint64(place.size)):
        i = place[k]
        if i >= 0:
            order[cursor[row[i]]] = i
            cursor[row[i]] += 1
