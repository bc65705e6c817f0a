"""Electromagnetic calorimeter: where particles meet it, and how well it measures energies and directions.

Crystals point to the origin: the polar angle of the impact seen from there decides what is measured. What photons and
electrons leave in it is in `emc_response`, deposits of muons and hadrons in `ionisation` and `deposit`.
"""

import math

import numpy as np

from ..arrays import Floats
from ..constants import ALPHA_T, PI
from ..elementary import atan2, exp
from ..geometry.helix import position, turn_to_plane, turn_to_radius
from ..kernel import kernel, stage
from .emc_parameters import EmcParameters as EmcParameters
from .emc_parameters import parameters as parameters


@kernel
def cos_edges(cosine: float, constants: EmcParameters) -> tuple[float, float, float]:
    """Return |cos theta| of the barrel's edge and of both edges of the endcap, on the side of cos(theta)."""
    ahead, behind = constants.forward, constants.backward
    barrel = ahead.cos_max if cosine > 0.0 else behind.cos_max
    low = ahead.endcap_cos_min if cosine > 0.0 else behind.endcap_cos_min
    high = ahead.endcap_cos_max if cosine > 0.0 else behind.endcap_cos_max
    return barrel, low, high


@kernel
def acceptance(cosine: float, constants: EmcParameters) -> float:
    """Return the probability that a particle at cos(theta) meets crystals: 1, the crack's efficiency, or 0."""
    barrel, low, high = cos_edges(cosine, constants)
    abs_cos = abs(cosine)
    inside = constants.crack_efficiency if (abs_cos > barrel) & (abs_cos < low) else 1.0
    return 0.0 if abs_cos > high else inside


@kernel
def usable(cosine: float, constants: EmcParameters) -> tuple[bool, bool]:
    """Return whether clusters at cos(theta) are used, as those of the barrel and as those of an endcap."""
    ahead, behind = constants.forward, constants.backward
    barrel = ahead.usable_cos_max if cosine > 0.0 else behind.usable_cos_max
    low = ahead.endcap_usable_min if cosine > 0.0 else behind.endcap_usable_min
    high = ahead.endcap_usable_max if cosine > 0.0 else behind.endcap_usable_max
    abs_cos = abs(cosine)
    return abs_cos < barrel, (abs_cos > low) & (abs_cos < high)


@kernel
def energy_sigma(energy: float, cosine: float, constants: EmcParameters) -> float:
    """Return the energy resolution [GeV] at cos(theta), worse between the usable and the physical edges.

    sigma / E = noise / E + stochastic / E^(1/2 or 1/4) + constant in quadrature.
    """
    edge, _, _ = cos_edges(cosine, constants)
    barrel, endcap = constants.barrel, constants.endcap
    central = abs(cosine) < edge
    noise = barrel.noise if central else endcap.noise
    stochastic = barrel.stochastic if central else endcap.stochastic
    constant = barrel.constant if central else endcap.constant
    inner, outer = usable(cosine, constants)
    factor = 1.0 if inner | outer else constants.edge_factor
    e = max(energy, 0.0)
    root = math.sqrt(e)
    power = e * (root if (barrel.fourth_root if central else endcap.fourth_root) else 1.0)
    return factor * math.sqrt(noise * noise + stochastic * stochastic * power + constant * constant * e * e)


@kernel
def angle_sigma(energy: float, cosine: float, constants: EmcParameters) -> tuple[float, float]:
    """Return the resolutions (theta, phi) [rad] of a shower: position resolution over the distance of the front face.

    sigma = position / sqrt(E) + constant in quadrature, across the line of sight.
    """
    edge, _, _ = cos_edges(cosine, constants)
    abs_cos = min(abs(cosine), 0.99999)
    central = abs_cos < edge
    scale = constants.barrel.position if central else constants.endcap.position
    floor = constants.barrel.position_constant if central else constants.endcap.position_constant
    sigma = math.sqrt(scale * scale / max(energy, 1e-3) + floor * floor) / front_distance(cosine, constants)
    return sigma, sigma / math.sqrt(1.0 - abs_cos * abs_cos)


@kernel
def time_sigma(energy: float, constant: float, stochastic: float) -> float:
    """Return the time resolution [ns]: constant and stochastic / sqrt(E) in quadrature."""
    return math.sqrt(constant * constant + stochastic * stochastic / max(energy, 1e-3))


@kernel
def line_shape(g: float, constants: EmcParameters) -> float:
    """Return the deviation in units of the resolution from a normal g: Novosibirsk function, most probable value 0.

    x = (1 - exp(s g + s^2)) / tau with s = asinh(tau sqrt(ln 4)) / sqrt(ln 4): full width at half maximum 2.355, tail
    towards low energies; -g for tau = 0.
    """
    tau = max(constants.tail, 1e-6)
    s = constants.log_width
    return (1.0 - exp(s * g + s * s)) / tau if constants.tail > 1e-6 else -g


@kernel
def track_impact(
    d_rho: float, phi0: float, kappa: float, dz: float, tan_lambda: float, constants: EmcParameters
) -> tuple[float, float, float, float]:
    """Return the point (x, y, z) [cm] where a track meets the front, and its path per depth; NaN where it curls.

    The path factor is 1 / cos of the angle between the track and the line from the origin, along which crystals lie.
    """
    bz = constants.bz
    turn = turn_to_radius(d_rho, kappa, constants.front_radius, bz)
    z = dz - ALPHA_T / bz / kappa * tan_lambda * turn
    ahead, behind = constants.forward, constants.backward
    end = ahead.front_z if tan_lambda > 0.0 else -behind.front_z
    end_turn = turn_to_plane(kappa, dz, tan_lambda, end, bz)
    end_turn = end_turn if abs(end_turn) < PI else math.nan
    turn = turn if (z < ahead.edge_z) & (z > -behind.edge_z) else end_turn
    x, y, z = position(d_rho, phi0, kappa, dz, tan_lambda, turn, bz)
    # the azimuth of the momentum is phi0 + turn + pi/2: its direction follows from the point and the circle's centre
    rho = ALPHA_T / bz / kappa
    radius2 = x * x + y * y
    tangential2 = max(radius2 - _along_centre2(d_rho, rho, radius2), 0.0)
    path = math.sqrt(radius2 + z * z) * math.sqrt(1.0 + tan_lambda * tan_lambda)
    return x, y, z, path / max(math.sqrt(tangential2) + z * tan_lambda, 0.2 * path)


@kernel
def _along_centre2(d_rho: float, rho: float, radius2: float) -> float:
    """Return the squared component of the point along the line to the circle's centre, (P . n)^2.

    With centre C, |C| = |rho + d_rho| and |P - C| = |rho|: P . n = (P^2 + rho^2 - C^2) / (2 |rho|).
    """
    along = 0.5 * (radius2 - 2.0 * rho * d_rho - d_rho * d_rho) / rho
    return along * along


@kernel
def photon_impact(
    x: float, y: float, z: float, px: float, py: float, pz: float, constants: EmcParameters
) -> tuple[float, float, float]:
    """Return the point (x, y, z) [cm] where a straight line from a vertex [cm] meets the front of the crystals.

    NaN where the vertex lies outside the volume that the crystals enclose.
    """
    ahead, behind = constants.forward, constants.backward
    pt2 = max(px * px + py * py, 1e-300)
    along = (x * px + y * py) / pt2
    room = constants.front_radius * constants.front_radius - x * x - y * y
    step = math.sqrt(max(along * along + room / pt2, 0.0)) - along
    end = ahead.front_z if pz > 0.0 else -behind.front_z
    slope = pz if pz != 0.0 else 1e-300
    at = z + step * pz
    step = step if (at < ahead.edge_z) & (at > -behind.edge_z) else (end - z) / slope
    inside = (room > 0.0) & (z < ahead.front_z) & (z > -behind.front_z)
    step = step if inside else math.nan
    return x + step * px, y + step * py, z + step * pz


@kernel
def front_distance(cosine: float, constants: EmcParameters) -> float:
    """Return the distance [cm] from the origin to the front of the crystals in the direction of cos(theta)."""
    edge, _, _ = cos_edges(cosine, constants)
    abs_cos = min(abs(cosine), 0.99999)
    front_z = constants.forward.front_z if cosine > 0.0 else constants.backward.front_z
    central = abs_cos < edge
    return constants.front_radius / math.sqrt(1.0 - abs_cos * abs_cos) if central else front_z / abs_cos


@stage
def track_impact_stage(
    d_rho: Floats,
    phi0: Floats,
    kappa: Floats,
    dz: Floats,
    tan_lambda: Floats,
    constants: EmcParameters,
    theta: Floats,
    phi: Floats,
    path_factor: Floats,
) -> None:
    """Fill polar angle and azimuth [rad] of the impact of tracks and the path per depth; NaN for tracks that curl."""
    for i in range(np.uint64(theta.size)):
        x, y, z, factor = track_impact(d_rho[i], phi0[i], kappa[i], dz[i], tan_lambda[i], constants)
        theta[i] = atan2(math.sqrt(x * x + y * y), z)
        phi[i] = atan2(y, x)
        path_factor[i] = factor


@stage
def photon_impact_stage(
    x: Floats,
    y: Floats,
    z: Floats,
    px: Floats,
    py: Floats,
    pz: Floats,
    constants: EmcParameters,
    theta: Floats,
    phi: Floats,
) -> None:
    """Fill polar angle and azimuth [rad] of the impact of photons from vertices [cm] with momenta [GeV]."""
    for i in range(np.uint64(theta.size)):
        xi, yi, zi = photon_impact(x[i], y[i], z[i], px[i], py[i], pz[i], constants)
        theta[i] = atan2(math.sqrt(xi * xi + yi * yi), zi)
        phi[i] = atan2(yi, xi)


@stage
def shower_sigma_stage(
    energy: Floats,
    cosine: Floats,
    constants: EmcParameters,
    energy_resolution: Floats,
    theta_resolution: Floats,
    phi_resolution: Floats,
) -> None:
    """Fill the resolutions of showers of given energy [GeV] and cos(theta): energy [GeV], theta and phi [rad]."""
    for i in range(np.uint64(energy.size)):
        energy_resolution[i] = energy_sigma(energy[i], cosine[i], constants)
        theta_resolution[i], phi_resolution[i] = angle_sigma(energy[i], cosine[i], constants)
