"""Momenta of the negative particle and of the hard photon, in the frame of the hard sub-process, its beams along z."""

import math

import numpy as np

from ...elementary import sincos2pi
from ...event import Floats
from ...kernel import stage
from .phase_space import one_minus_velocity, pair_energy, pair_momentum, photon_direction

#: Four columns: px, py, pz, E [GeV], or cosine and sine of a polar angle and of an azimuth.
Columns = tuple[Floats, Floats, Floats, Floats]


@stage
def polar_stage(sqrt_s: Floats, minus: Floats, plus: Floats, cosine: Floats, sine: Floats) -> None:
    """Compute the photon's polar angle; sqrt_s fixed the velocity in minus and plus."""
    for i in range(np.uint64(minus.size)):
        below = one_minus_velocity(sqrt_s[i])
        cosine[i], sine[i] = photon_direction(1.0 - below, below, minus[i], plus[i])


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
def place(
    lepton_mass: float,
    nominal: Floats,
    sqrt_s: Floats,
    mass: Floats,
    minus: Floats,
    plus: Floats,
    cosine: Floats,
    u_phi: Floats,
    u_azimuth: Floats,
    angles: Columns,
    particle: Columns,
    photon: Columns,
) -> None:
    """Compute the momenta of the negative particle and of the photon [GeV] at the energies sqrt_s.

    `nominal` is the energy that the photon's angle was drawn at; angles are work space.
    """
    x, y, z, e = particle
    kx, ky, kz, k = photon
    cos_theta, sin_theta, cos_phi, sin_phi = angles
    polar_stage(nominal, minus, plus, cos_theta, sin_theta)
    # negative particle: azimuth about the photon, then the photon's polar angle, then the azimuth of the event
    pair_stage(lepton_mass, sqrt_s, mass, cosine, z, x, e)
    angle_stage(u_phi, cos_phi, sin_phi)
    y[:] = 0.0
    rotate_stage(x, y, cos_phi, sin_phi)
    rotate_stage(z, x, cos_theta, sin_theta)
    photon_momentum_stage(sqrt_s, mass, cos_theta, sin_theta, kz, kx)
    ky[:] = 0.0
    angle_stage(u_azimuth, cos_phi, sin_phi)
    rotate_stage(x, y, cos_phi, sin_phi)
    rotate_stage(kx, ky, cos_phi, sin_phi)
    norm_stage(kx, ky, kz, k)
