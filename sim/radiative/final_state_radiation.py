"""Final-state radiation of a charged pair: photons along both particles, written as real particles.

A pair of mass m, born without radiation, is replaced by the pair of mass m_ll^2 = m^2 z1 z2 and two lump photons, one
per particle, with z1 and z2 from the structure function at the scale m^2 (see structure_function, pair_emission). The
cross section does not change: what a pair radiates sums to one (Kinoshita, Lee and Nauenberg). The photon's angle has
the exact lowest-order density with the particles' mass. Directions: of the two particles one, chosen with probability
p^2 / (p1^2 + p2^2), keeps its direction in the rest frame of the state that decays, and the rest turns about it: exact
for one photon of any energy from massless fermions, whatever the polarisation of the virtual photon (Kleiss, Phys.
Lett. B 180 (1986) 400), and for soft or collinear photons in general. Each lump stands for all photons of its particle.

Wrong for two hard photons at wide angles, for the interference with radiation from the beams (which cancels unless the
charges are told apart), and where a pion is not a point.
"""

import math

import numpy as np

from ...event import Floats
from ...kernel import BLOCK, stage
from .final_state import angle_stage, norm_stage, rotate_stage
from .photon_fractions import azimuth_stage, choose_directions, choose_fractions, slope_stage
from .recoil import (
    Angles,
    add_square_stage,
    angles_stage,
    apart_stage,
    axis_stage,
    boost,
    copy,
    four_velocity,
    gather,
    mass_shell_stage,
    particle_stage,
    photon_energies_stage,
    photon_polar_stage,
    photon_vector_stage,
    remainder,
    rows,
    scatter,
    turn,
    turn_back,
)
from .sampling import Words


@stage
def angles(columns: Floats, n: int) -> Angles:
    """Return the first n entries of four columns as the angles of directions."""
    return Angles(columns[0, :n], columns[1, :n], columns[2, :n], columns[3, :n])


@stage
def choose_photon_angles(
    k0: np.uint64, k1: np.uint64, scalar: bool, event: Words, mu: Floats, y: Floats, polar: Floats
) -> None:
    """Choose the angles of the photons of a block's radiating pairs, as many as events; y of shape (2, BLOCK).

    mu = m_l^2 / m^2; either particle sees a pair whose mass the other photon has reduced. Rows of polar: cosine and
    sine of the angle to the first particle, then to the second; any number where there is no photon.
    """
    n = event.size
    keys = np.empty((2, 2 * n), dtype=np.uint64)
    work = np.empty((3, 2 * n))
    slot = np.empty(2 * n, dtype=np.uint64)
    half = np.empty((2, n))
    seen = np.empty((2, n))
    n_photons = 0
    for leg in range(2):
        for j in range(n):
            seen[leg, j] = mu[j] / (1.0 - y[1 - leg, j])
            half[leg, j] = 0.5
            slot[n_photons] = np.uint64(j)
            keys[0, n_photons] = event[j]
            keys[1, n_photons] = np.uint64(leg)
            work[0, n_photons] = seen[leg, j]
            work[1, n_photons] = y[leg, j]
            n_photons += 1 if y[leg, j] > 0.0 else 0
    choose_directions(
        k0,
        k1,
        scalar,
        keys[0, :n_photons],
        keys[1, :n_photons],
        work[0, :n_photons],
        work[1, :n_photons],
        work[2, :n_photons],
    )
    for j in range(n_photons):
        half[keys[1, j], slot[j]] = work[2, j]
    for leg in range(2):
        photon_polar_stage(seen[leg], y[leg, :n], half[leg], polar[2 * leg, :n], polar[2 * leg + 1, :n])


@stage
def recoil(
    k0: np.uint64,
    k1: np.uint64,
    particle_mass: float,
    event: Words,
    mass: Floats,
    y: Floats,
    polar: Floats,
    momenta: Floats,
) -> None:
    """Let pairs recoil against their photons, as many as events; momenta of shape (4, 4, BLOCK).

    In: [0] the negative and [1] the positive particle. Out: the same and the photons of either, [2] and [3].
    """
    n = event.size
    work = np.empty((42, n))
    total, velocity, axis = rows(work[0:4], 0, n), rows(work[4:8], 0, n), rows(work[8:12], 0, n)
    born, direction = angles(work[12:16], n), angles(work[16:20], n)
    cosine, sine, turns, choice = work[20], work[21], work[22], work[23]
    apart = work[24]
    particle, partner = rows(momenta[0], 0, n), rows(momenta[1], 0, n)
    first, second = rows(momenta[2], 0, n), rows(momenta[3], 0, n)
    # the decaying state, and the pair's axis in its rest frame
    for column in range(4):
        work[column, :] = momenta[0, column, :n] + momenta[1, column, :n]
    four_velocity(particle, partner, mass, velocity)
    boost(particle, velocity, 1.0)
    angles_stage(1.0, particle.x, particle.y, particle.z, born)
    y1, y2 = y[0, :n], y[1, :n]
    cosine1, sine1, cosine2, sine2 = polar[0, :n], polar[1, :n], polar[2, :n], polar[3, :n]
    # the rest frame of the pair that is left, the negative particle along z, its photon in the plane y = 0
    azimuth_stage(k0, k1, event, cosine, sine, turns, choice)
    apart_stage(cosine1, sine1, cosine2, sine2, cosine, apart)
    photon_energies_stage(mass, y1, y2, apart, first.energy, second.energy)
    photon_vector_stage(cosine1, sine1, 1.0, first.energy, first.x, first.y, first.z)
    photon_vector_stage(cosine2, sine2, -1.0, second.energy, second.x, second.y, second.z)
    rotate_stage(second.x, second.y, cosine, sine)
    particle.x[:] = 0.0
    particle.y[:] = 0.0
    particle_stage(particle_mass, mass, y1, y2, particle.z, particle.energy)
    # to the rest frame of the decaying state
    recoiling = rows(work[25:29], 0, n)
    four_velocity(first, second, mass, recoiling)
    boost(particle, recoiling, 1.0)
    boost(first, recoiling, 1.0)
    boost(second, recoiling, 1.0)
    at_rest = rows(work[29:33], 0, n)
    work[29:33] = 0.0
    remainder(at_rest, particle, first, second, partner)
    copy(particle, axis)
    axis_stage(choice, axis, partner)
    angles_stage(-1.0, axis.x, axis.y, axis.z, direction)
    angle_stage(turns, cosine, sine)
    for vectors in (particle, first, second):
        turn_back(vectors, direction)
        rotate_stage(vectors.x, vectors.y, cosine, sine)
        turn(vectors, born)
        boost(vectors, velocity, -1.0)
    mass_shell_stage(particle_mass, particle.x, particle.y, particle.z, particle.energy)
    norm_stage(first.x, first.y, first.z, first.energy)
    norm_stage(second.x, second.y, second.z, second.energy)
    remainder(total, particle, first, second, partner)


@stage
def radiate_pairs(
    k0: np.uint64,
    k1: np.uint64,
    scalar: bool,
    matched: bool,
    start: np.uint64,
    particle_mass: float,
    photon_energy_min: float,
    negative: Floats,
    positive: Floats,
    photons: Floats,
) -> None:
    """Let the pairs of events start.. radiate, in place; photons of shape (2, 4, n), zero where there is none."""
    columns = np.empty((6, BLOCK))
    index = np.empty(BLOCK, dtype=np.uint64)
    event = np.empty(BLOCK, dtype=np.uint64)
    chosen = np.empty((4, BLOCK))
    polar = np.empty((4, BLOCK))
    momenta = np.empty((4, 4, BLOCK))
    for begin in range(0, negative.shape[1], BLOCK):
        n = min(BLOCK, negative.shape[1] - begin)
        end = begin + n
        minus, plus = rows(negative, begin, end), rows(positive, begin, end)
        mass2, mu, slope, first, second = columns[0, :n], columns[1, :n], columns[2, :n], columns[3, :n], columns[4, :n]
        mass2[:] = 0.0
        add_square_stage(minus.energy, plus.energy, 1.0, mass2)
        add_square_stage(minus.x, plus.x, -1.0, mass2)
        add_square_stage(minus.y, plus.y, -1.0, mass2)
        add_square_stage(minus.z, plus.z, -1.0, mass2)
        slope_stage(particle_mass, mass2, mu, slope)
        choose_fractions(k0, k1, scalar, matched, start + np.uint64(begin), mu, slope, first, second)
        found = 0
        for j in range(n):
            mass = math.sqrt(mass2[j])
            least = 2.0 * photon_energy_min
            y1 = first[j] if first[j] * mass >= least else 0.0
            y2 = second[j] if second[j] * mass >= least else 0.0
            index[found] = np.uint64(j)
            event[found] = start + np.uint64(begin + j)
            chosen[0, found] = mass
            chosen[1, found] = mu[j]
            chosen[2, found] = y1
            chosen[3, found] = y2
            found += 1 if y1 + y2 > 0.0 else 0
        if found > 0:
            first_particle, second_particle = rows(momenta[0], 0, found), rows(momenta[1], 0, found)
            keys, y = event[:found], chosen[2:4]
            gather(index[:found], minus, first_particle)
            gather(index[:found], plus, second_particle)
            choose_photon_angles(k0, k1, scalar, keys, chosen[1, :found], y, polar)
            recoil(k0, k1, particle_mass, keys, chosen[0, :found], y, polar, momenta)
            scatter(index[:found], first_particle, minus)
            scatter(index[:found], second_particle, plus)
            scatter(index[:found], rows(momenta[2], 0, found), rows(photons[0], begin, end))
            scatter(index[:found], rows(momenta[3], 0, found), rows(photons[1], begin, end))


def radiate(
    k0: np.uint64,
    k1: np.uint64,
    start: int,
    particle_mass: float,
    photon_energy_min: float,
    negative: Floats,
    positive: Floats,
    *,
    scalar: bool = False,
    matched: bool = False,
) -> Floats:
    """Let pairs radiate: change their momenta [GeV] in place and return their photons', of shape (2, 4, n).

    Parameters
    ----------
    k0, k1
        Philox key.
    start
        Number of the first event; event i of the arrays is event start + i.
    particle_mass
        Mass of either particle [GeV].
    photon_energy_min
        Photons softer than this [GeV] in the rest frame of the pair as it was born are left with their particle: they
        are not written, and nothing recoils. Not zero, or most photons are far below rounding errors.
    negative, positive
        Momenta of the particles born, of shape (4, n), in the order px, py, pz, E [GeV], C-contiguous.
    scalar
        Whether the particles are (pointlike) pions.
    matched
        Whether the spectrum of either photon is multiplied by the exact one-photon spectrum over its leading
        logarithm: then energies and angles are exact to first order in alpha. Without, the spectrum is that of D and
        hard photons are too many by ln(1/z) / (L - 1): at m = 2 GeV 8.4 % of muon pairs lose more than 10 MeV instead
        of 8.0 %, 24.7 % of electron pairs instead of 24.3 %, and y > 1/2 is 1.4 and 1.1 times too frequent.

    Returns
    -------
    Momenta of the photon of the negative, then of the positive particle; zero where there is none.

    Raises
    ------
    ValueError
        If arrays do not have these shapes, or the cut is not positive.
    """
    for name, momenta in (("negative", negative), ("positive", positive)):
        if momenta.shape != (4, negative.shape[-1]) or not momenta.flags.c_contiguous:
            raise ValueError(
                f"{name}: shape {momenta.shape}, must be (4, n) and C-contiguous, alike for both particles"
            )
    if not photon_energy_min > 0.0:
        raise ValueError(f"photon_energy_min = {photon_energy_min}, must be positive [GeV]")
    photons = np.zeros((2, 4, negative.shape[1]))
    radiate_pairs(
        k0, k1, scalar, matched, np.uint64(start), particle_mass, photon_energy_min, negative, positive, photons
    )
    return photons
