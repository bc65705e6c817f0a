"""Bremsstrahlung of electrons: how many photons, how hard, and what they do to the track.

The spectrum is that of complete screening, dN/dy = t / y (4/3 - 4 y / 3 + y^2) photons of a fraction y of the energy in
t radiation lengths (PDG 2022, eq. 34.29). Nearly exact for electrons above a few tens of MeV; the Landau-Pomeranchuk
and dielectric suppressions act far below what a calorimeter sees.
"""

import math

import numpy as np

from ..arrays import Floats, Keys
from ..elementary import exp, log
from ..geometry.helix import helix_at_origin, momentum, position, turn_to_radius
from ..kernel import kernel, stage
from ..rng import BREMSSTRAHLUNG_STREAM, uniform, words


@kernel
def photons_above(y: float) -> float:
    """Return the mean number of photons above a fraction y of the energy, per radiation length.

    4/3 ln(1 / y) - 4/3 (1 - y) + (1 - y^2) / 2.
    """
    return -4.0 / 3.0 * log(y) - (1.0 - y) * (4.0 / 3.0 - 0.5 * (1.0 + y))


@kernel
def photon_fraction(number: float) -> float:
    """Return the fraction of the energy above which there is a mean `number` of photons per radiation length.

    The inverse of `photons_above`, by three steps of Newton in ln y: to 1e-12 of ln y.
    """
    v = -number * (0.75 + 0.3 / (1.0 + 0.6 * number))
    for _ in range(3):
        y = exp(v)
        excess = -4.0 / 3.0 * v - (1.0 - y) * (4.0 / 3.0 - 0.5 * (1.0 + y)) - number
        v = v + excess / (4.0 / 3.0 - 4.0 / 3.0 * y + y * y)
    return exp(v)


@kernel
def curvature_weight(fraction: float) -> float:
    """Return how much of a change of curvature at a fraction of the chamber's depth is in the curvature of the fit.

    A parabola through evenly spread, equally good points has the curvature c = integral of 30 f^2 (1 - f)^2 y''(f) df:
    a step at f counts with 1 - f^3 (10 - 15 f + 6 f^2). Without scattering.
    """
    f = min(max(fraction, 0.0), 1.0)
    return 1.0 - f * f * f * (10.0 - 15.0 * f + 6.0 * f * f)


@stage
def softest_stage(energy: Floats, threshold: float, limit: Floats) -> None:
    """Fill the mean number of photons above a threshold [GeV] per radiation length."""
    for i in range(np.uint64(energy.size)):
        limit[i] = photons_above(min(threshold / energy[i], 1.0))


@stage
def hardest_stage(
    k0: np.uint64, k1: np.uint64, event: Keys, particle: Keys, number: int, paths: Floats, hardest: Floats
) -> None:
    """Fill the mean number of photons, per radiation length, above the hardest photon of radiator `number`.

    The mean number above the hardest of a Poisson process is exponential: -ln(u) / t with t = `paths` the matter
    crossed [radiation lengths]. The inverse of the spectrum need not be taken where it is below the threshold.
    """
    block = np.uint64(number)
    for i in range(np.uint64(hardest.size)):
        a, _, _, _ = words(k0, k1, event[i], particle[i], BREMSSTRAHLUNG_STREAM, block)
        hardest[i] = -log(uniform(a)) / max(paths[i], 1e-30)


@stage
def radiated_stage(
    k0: np.uint64,
    k1: np.uint64,
    event: Keys,
    particle: Keys,
    number: int,
    paths: Floats,
    limit: Floats,
    hardest: Floats,
    depth: Floats,
) -> None:
    """Replace the numbers above the hardest photon by the fraction of the energy that the two hardest ones take.

    The third is above the threshold once in 1000 radiators at most, and softer. `depth` is filled with a uniform:
    where in the radiator.
    """
    block = np.uint64(number)
    for i in range(np.uint64(hardest.size)):
        _, b, c, _ = words(k0, k1, event[i], particle[i], BREMSSTRAHLUNG_STREAM, block)
        second = hardest[i] - log(uniform(b)) / max(paths[i], 1e-30)
        kept = 1.0 - photon_fraction(hardest[i])
        kept = kept * (1.0 - (photon_fraction(second) if second < limit[i] else 0.0))
        hardest[i] = 1.0 - kept
        depth[i] = uniform(c)


@kernel
def emission(
    x: float,
    y: float,
    z: float,
    px: float,
    py: float,
    pz: float,
    charge: float,
    bz: float,
    radius: float,
    half_length: float,
) -> tuple[float, float, float, float, float, float]:
    """Return point [cm] and momentum [GeV] of a track at a shell; NaN where it does not cross the shell.

    The track starts at (x, y, z) inside the shell, and crosses it once, outwards, within its half length.
    """
    d_rho, phi0, kappa, dz, tan_lambda = helix_at_origin(x, y, z, px, py, pz, charge, bz)
    turn = turn_to_radius(d_rho, kappa, radius, bz)
    turn = turn if x * x + y * y < radius * radius else math.nan
    xs, ys, zs = position(d_rho, phi0, kappa, dz, tan_lambda, turn, bz)
    qx, qy, qz = momentum(phi0 + turn, kappa, tan_lambda)
    inside = abs(zs) < half_length
    return xs, ys, zs if inside else math.nan, qx, qy, qz


@kernel
def retraced(
    x: float, y: float, z: float, px: float, py: float, pz: float, charge: float, bz: float, start: float
) -> tuple[float, float, float, float, float, float]:
    """Return the state at radius `start` [cm] on the way back along a track, at closest approach if that is further."""
    d_rho, phi0, kappa, dz, tan_lambda = helix_at_origin(x, y, z, px, py, pz, charge, bz)
    turn = turn_to_radius(d_rho, kappa, start, bz)
    turn = turn if turn == turn else 0.0
    xs, ys, zs = position(d_rho, phi0, kappa, dz, tan_lambda, turn, bz)
    qx, qy, qz = momentum(phi0 + turn, kappa, tan_lambda)
    return xs, ys, zs, qx, qy, qz


@stage
def emission_stage(bz: float, radius: Floats, half_length: float, charge: Floats, before: Floats, at: Floats) -> None:
    """Fill the states `at` the shell of tracks that start `before` it: rows x, y, z, px, py, pz, shape (6, n)."""
    for i in range(np.uint64(radius.size)):
        x, y, z, px, py, pz = emission(
            before[0, i],
            before[1, i],
            before[2, i],
            before[3, i],
            before[4, i],
            before[5, i],
            charge[i],
            bz,
            radius[i],
            half_length,
        )
        at[0, i], at[1, i], at[2, i], at[3, i], at[4, i], at[5, i] = x, y, z, px, py, pz


@stage
def retrace_stage(bz: float, kept: Floats, charge: Floats, at: Floats, before: Floats) -> None:
    """Replace the states `before` a shell by where the track would come from that has kept its fraction `at` it."""
    for i in range(np.uint64(kept.size)):
        start = math.sqrt(before[0, i] * before[0, i] + before[1, i] * before[1, i])
        k = kept[i]
        x, y, z, px, py, pz = retraced(
            at[0, i], at[1, i], at[2, i], k * at[3, i], k * at[4, i], k * at[5, i], charge[i], bz, start
        )
        before[0, i], before[1, i], before[2, i] = x, y, z
        before[3, i], before[4, i], before[5, i] = px, py, pz


@stage
def curvature_stage(fraction: Floats, kept: Floats) -> None:
    """Replace the fraction kept at a depth of the chamber by that which the fitted momentum keeps."""
    for i in range(np.uint64(kept.size)):
        kept[i] = 1.0 / (1.0 + (1.0 / kept[i] - 1.0) * curvature_weight(fraction[i]))
