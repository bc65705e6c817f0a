"""Kinematics of a pair that recoils against photons: columns of vectors, boosted, turned and added up.

Vectors are four columns each, handled component by component or boosted whole; nothing here knows why they radiate.
"""

import math
from typing import NamedTuple

import numpy as np

from ...event import Floats
from ...kernel import stage
from .final_state import rotate_stage
from .sampling import Words


class Vectors(NamedTuple):
    """Four columns of momenta [GeV]."""

    x: Floats
    y: Floats
    z: Floats
    energy: Floats


class Angles(NamedTuple):
    """Four columns: cosine and sine of a direction's polar angle and of its azimuth."""

    cos_theta: Floats
    sin_theta: Floats
    cos_phi: Floats
    sin_phi: Floats


@stage
def rows(momenta: Floats, begin: int, end: int) -> Vectors:
    """Return entries begin:end of momenta of shape (4, n), in the order px, py, pz, E."""
    return Vectors(momenta[0, begin:end], momenta[1, begin:end], momenta[2, begin:end], momenta[3, begin:end])


@stage
def add_square_stage(first: Floats, second: Floats, sign: float, total: Floats) -> None:
    """Add sign (first + second)^2."""
    for i in range(np.uint64(total.size)):
        component = first[i] + second[i]
        total[i] += sign * component * component


@stage
def gather_stage(index: Words, column: Floats, out: Floats) -> None:
    """Take the chosen entries of a column."""
    for i in range(np.uint64(index.size)):
        out[i] = column[index[i]]


@stage
def scatter_stage(index: Words, column: Floats, out: Floats) -> None:
    """Put entries back where they were taken from."""
    for i in range(np.uint64(index.size)):
        out[index[i]] = column[i]


@stage
def boost_vectors_stage(
    x: Floats, y: Floats, z: Floats, energy: Floats, gx: Floats, gy: Floats, gz: Floats, sign: float
) -> None:
    """Boost into the rest frame of what has four-velocity (g, sqrt(1 + g^2)); back with sign = -1."""
    for i in range(np.uint64(x.size)):
        ux, uy, uz = sign * gx[i], sign * gy[i], sign * gz[i]
        gamma = math.sqrt(1.0 + ux * ux + uy * uy + uz * uz)
        along = ux * x[i] + uy * y[i] + uz * z[i]
        e = energy[i]
        shift = along / (gamma + 1.0) - e
        x[i] += shift * ux
        y[i] += shift * uy
        z[i] += shift * uz
        energy[i] = gamma * e - along


@stage
def gather(index: Words, source: Vectors, out: Vectors) -> None:
    """Take the chosen vectors."""
    for column, taken in zip(source, out):
        gather_stage(index, column, taken)


@stage
def scatter(index: Words, source: Vectors, out: Vectors) -> None:
    """Put vectors back where they were taken from."""
    for column, place in zip(source, out):
        scatter_stage(index, column, place)


@stage
def copy(source: Vectors, out: Vectors) -> None:
    """Copy vectors."""
    for column, place in zip(source, out):
        place[:] = column


@stage
def boost(vectors: Vectors, velocity: Vectors, sign: float) -> None:
    """Boost vectors into the rest frame of a four-velocity, or back with sign = -1."""
    boost_vectors_stage(vectors.x, vectors.y, vectors.z, vectors.energy, velocity.x, velocity.y, velocity.z, sign)


@stage
def photon_polar_stage(mu: Floats, y: Floats, a: Floats, cosine: Floats, sine: Floats) -> None:
    """Compute cosine and sine of the photon's angle to its particle from a = (1 - b cos)/2."""
    for i in range(np.uint64(y.size)):
        z = 1.0 - y[i]
        b = math.sqrt(max(1.0 - 4.0 * mu[i] / z, 1e-30))
        largest = 0.5 * (1.0 + b)
        smallest = mu[i] / (z * largest)
        cosine[i] = (1.0 - 2.0 * a[i]) / b
        sine[i] = 2.0 * math.sqrt(max((a[i] - smallest) * (largest - a[i]), 0.0)) / b


@stage
def photon_energies_stage(mass: Floats, y1: Floats, y2: Floats, apart: Floats, first: Floats, second: Floats) -> None:
    """Compute the photons' energies [GeV] in the rest frame of the pair that is left; apart = 1 - cos between them.

    Photons of (m_ll / 2) y / (1 - y) each, back to back, leave m_ll^2 = m^2 (1 - y1)(1 - y2); at other angles both
    are raised by the same factor, so that they still do.
    """
    for i in range(np.uint64(mass.size)):
        z1, z2 = 1.0 - y1[i], 1.0 - y2[i]
        r1, r2 = y1[i] / z1, y2[i] / z2
        total = max(r1 + r2, 1e-300)
        product = r1 * r2
        full = total + product
        factor = 2.0 * full / (total + math.sqrt(total * total + 2.0 * product * apart[i] * full))
        half = 0.5 * mass[i] * math.sqrt(z1 * z2) * factor
        first[i] = half * r1
        second[i] = half * r2


@stage
def photon_vector_stage(
    cosine: Floats, sine: Floats, sign: float, energy: Floats, x: Floats, y: Floats, z: Floats
) -> None:
    """Compute a photon's momentum [GeV] at an angle to the pair's axis, taken in the direction of sign."""
    for i in range(np.uint64(energy.size)):
        x[i] = energy[i] * sine[i]
        y[i] = 0.0
        z[i] = sign * energy[i] * cosine[i]


@stage
def apart_stage(
    first_cosine: Floats, first_sine: Floats, second_cosine: Floats, second_sine: Floats, azimuth: Floats, out: Floats
) -> None:
    """Compute 1 - cos between the photons; the second cosine is taken to the opposite axis."""
    for i in range(np.uint64(out.size)):
        out[i] = 1.0 + first_cosine[i] * second_cosine[i] - first_sine[i] * second_sine[i] * azimuth[i]


@stage
def particle_stage(particle_mass: float, mass: Floats, y1: Floats, y2: Floats, pz: Floats, energy: Floats) -> None:
    """Compute momentum and energy [GeV] of the negative particle in the rest frame of the pair that is left."""
    for i in range(np.uint64(mass.size)):
        half = 0.5 * mass[i] * math.sqrt((1.0 - y1[i]) * (1.0 - y2[i]))
        energy[i] = half
        pz[i] = math.sqrt(max((half - particle_mass) * (half + particle_mass), 0.0))


@stage
def axis_stage(choice: Floats, own: Vectors, other: Vectors) -> None:
    """Leave in `own` the direction of the negative particle's axis: its own, or opposite to the `other` particle."""
    for i in range(np.uint64(choice.size)):
        p1 = own.x[i] * own.x[i] + own.y[i] * own.y[i] + own.z[i] * own.z[i]
        p2 = other.x[i] * other.x[i] + other.y[i] * other.y[i] + other.z[i] * other.z[i]
        keeps = choice[i] * (p1 + p2) < p1
        own.x[i] = own.x[i] if keeps else -other.x[i]
        own.y[i] = own.y[i] if keeps else -other.y[i]
        own.z[i] = own.z[i] if keeps else -other.z[i]


@stage
def angles_stage(sign: float, x: Floats, y: Floats, z: Floats, out: Angles) -> None:
    """Compute polar angle and azimuth of a vector, the sines times sign."""
    for i in range(np.uint64(x.size)):
        across2 = x[i] * x[i] + y[i] * y[i]
        across = math.sqrt(across2)
        norm = 1.0 / max(math.sqrt(across2 + z[i] * z[i]), 1e-300)
        straight = across <= 0.0
        inverse = 1.0 / (1.0 if straight else across)
        out.cos_theta[i] = z[i] * norm
        out.sin_theta[i] = sign * across * norm
        out.cos_phi[i] = 1.0 if straight else x[i] * inverse
        out.sin_phi[i] = sign * y[i] * inverse


@stage
def turn(vectors: Vectors, direction: Angles) -> None:
    """Turn what points along z into the direction."""
    rotate_stage(vectors.z, vectors.x, direction.cos_theta, direction.sin_theta)
    rotate_stage(vectors.x, vectors.y, direction.cos_phi, direction.sin_phi)


@stage
def turn_back(vectors: Vectors, mirrored: Angles) -> None:
    """Undo `turn`: what points into the direction points along z. Its sines come with their sign changed."""
    rotate_stage(vectors.x, vectors.y, mirrored.cos_phi, mirrored.sin_phi)
    rotate_stage(vectors.z, vectors.x, mirrored.cos_theta, mirrored.sin_theta)


@stage
def sum_over_stage(first: Floats, second: Floats, mass: Floats, out: Floats) -> None:
    """Add two columns and divide by the third: momenta to a four-velocity."""
    for i in range(np.uint64(out.size)):
        out[i] = (first[i] + second[i]) / mass[i]


@stage
def four_velocity(first: Vectors, second: Vectors, mass: Floats, out: Vectors) -> None:
    """Compute the space components of the four-velocity of two vectors of given total mass [GeV]."""
    sum_over_stage(first.x, second.x, mass, out.x)
    sum_over_stage(first.y, second.y, mass, out.y)
    sum_over_stage(first.z, second.z, mass, out.z)


@stage
def remainder(total: Vectors, first: Vectors, second: Vectors, third: Vectors, out: Vectors) -> None:
    """Compute what three vectors leave of the total."""
    remainder_stage(total.x, first.x, second.x, third.x, out.x)
    remainder_stage(total.y, first.y, second.y, third.y, out.y)
    remainder_stage(total.z, first.z, second.z, third.z, out.z)
    remainder_stage(total.energy, first.energy, second.energy, third.energy, out.energy)


@stage
def remainder_stage(total: Floats, first: Floats, second: Floats, third: Floats, out: Floats) -> None:
    """Compute what three particles leave of the total."""
    for i in range(np.uint64(out.size)):
        out[i] = total[i] - first[i] - second[i] - third[i]


@stage
def mass_shell_stage(mass: float, x: Floats, y: Floats, z: Floats, energy: Floats) -> None:
    """Compute the energy of a particle of given mass [GeV] from its momentum."""
    for i in range(np.uint64(energy.size)):
        energy[i] = math.sqrt(x[i] * x[i] + y[i] * y[i] + z[i] * z[i] + mass * mass)
