"""Electromagnetic calorimeter: where particles meet it, its resolution, and what photons and electrons leave in it.

Deposits of muons and hadrons are in `deposit`. Crystals point to the origin: the polar angle of the impact seen from
there decides what is measured.
"""

import math
from typing import NamedTuple

import numpy as np

from ..arrays import Floats
from ..constants import ALPHA_T, PI
from ..elementary import atan2, exp
from ..geometry.helix import position, turn_to_plane, turn_to_radius
from ..geometry.sections import Card
from ..kernel import kernel, stage
from .arithmetic import logarithm

_SQRT_LN4 = 1.1774100225154747


class EmcParameters(NamedTuple):
    """What the formulas need of a card; lengths [cm], energies [GeV]."""

    bz: float
    front_radius: float
    front_z: float
    #: |z| of the barrel's edge at its front radius.
    edge_z: float
    cos_max: float
    usable_cos_max: float
    endcap_cos_min: float
    endcap_cos_max: float
    endcap_usable_min: float
    endcap_usable_max: float
    noise: float
    stochastic: float
    constant: float
    position: float
    position_constant: float
    endcap_noise: float
    endcap_stochastic: float
    endcap_constant: float
    endcap_position: float
    endcap_position_constant: float
    edge_factor: float
    crack_efficiency: float
    #: Novosibirsk line shape: asymmetry, and width of its logarithm.
    tail: float
    log_width: float
    smear: float


def parameters(card: Card) -> EmcParameters:
    """Return the constants of a card."""
    emc, barrel, endcap = card.emc, card.emc.barrel, card.emc.endcap
    tail = emc.line_shape_tail
    argument = tail * _SQRT_LN4
    log_width = float(logarithm(argument + math.sqrt(argument * argument + 1.0))) / _SQRT_LN4
    sine = math.sqrt(max(1.0 - barrel.cos_max * barrel.cos_max, 1e-12))
    return EmcParameters(
        card.field.bz,
        barrel.front_radius,
        endcap.front_z,
        barrel.front_radius * barrel.cos_max / sine,
        barrel.cos_max,
        barrel.usable_cos_max,
        *endcap.cos_range,
        *endcap.usable_cos_range,
        barrel.noise,
        barrel.stochastic,
        barrel.constant,
        barrel.position,
        barrel.position_constant,
        endcap.noise,
        endcap.stochastic,
        endcap.constant,
        endcap.position,
        endcap.position_constant,
        emc.edge_factor,
        emc.crack_efficiency,
        tail,
        log_width,
        1.0 if emc.smear else 0.0,
    )


@kernel
def acceptance(abs_cos: float, constants: EmcParameters) -> float:
    """Return the probability that a particle at |cos theta| meets crystals: 1, the crack's efficiency, or 0."""
    in_crack = (abs_cos > constants.cos_max) & (abs_cos < constants.endcap_cos_min)
    inside = constants.crack_efficiency if in_crack else 1.0
    return 0.0 if abs_cos > constants.endcap_cos_max else inside


@kernel
def energy_sigma(energy: float, abs_cos: float, constants: EmcParameters) -> float:
    """Return the energy resolution [GeV]: noise + stochastic sqrt(E) + constant E in quadrature, worse at the edges."""
    barrel = abs_cos < constants.cos_max
    noise = constants.noise if barrel else constants.endcap_noise
    stochastic = constants.stochastic if barrel else constants.endcap_stochastic
    constant = constants.constant if barrel else constants.endcap_constant
    inner = abs_cos < constants.usable_cos_max
    outer = (abs_cos > constants.endcap_usable_min) & (abs_cos < constants.endcap_usable_max)
    factor = 1.0 if inner | outer else constants.edge_factor
    e = max(energy, 0.0)
    return factor * math.sqrt(noise * noise + stochastic * stochastic * e + constant * constant * e * e)


@kernel
def angle_sigma(energy: float, cosine: float, constants: EmcParameters) -> tuple[float, float]:
    """Return the resolutions (theta, phi) [rad] of a shower: position resolution over the distance of the front face.

    sigma = position / sqrt(E) + constant in quadrature, across the line of sight.
    """
    abs_cos = min(abs(cosine), 0.99999)
    sine = math.sqrt(1.0 - abs_cos * abs_cos)
    barrel = abs_cos < constants.cos_max
    scale = constants.position if barrel else constants.endcap_position
    floor = constants.position_constant if barrel else constants.endcap_position_constant
    distance = constants.front_radius / sine if barrel else constants.front_z / abs_cos
    sigma = math.sqrt(scale * scale / max(energy, 1e-3) + floor * floor) / distance
    return sigma, sigma / sine


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
def measured_energy(energy: float, abs_cos: float, g: float, constants: EmcParameters) -> float:
    """Return the measured energy [GeV] of a photon or electron from a normal g, never negative."""
    sigma = constants.smear * energy_sigma(energy, abs_cos, constants)
    return max(energy + sigma * line_shape(g, constants), 0.0)


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
    end = constants.front_z if tan_lambda > 0.0 else -constants.front_z
    end_turn = turn_to_plane(kappa, dz, tan_lambda, end, bz)
    end_turn = end_turn if abs(end_turn) < PI else math.nan
    turn = turn if abs(z) < constants.edge_z else end_turn
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
    """Return the point (x, y, z) [cm] where a photon from a vertex [cm] meets the front of the crystals."""
    pt2 = max(px * px + py * py, 1e-300)
    along = (x * px + y * py) / pt2
    room = (constants.front_radius * constants.front_radius - x * x - y * y) / pt2
    step = math.sqrt(max(along * along + room, 0.0)) - along
    end = constants.front_z if pz > 0.0 else -constants.front_z
    slope = pz if pz != 0.0 else 1e-300
    step = step if abs(z + step * pz) < constants.edge_z else (end - z) / slope
    return x + step * px, y + step * py, z + step * pz


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
def energy_stage(energy: Floats, cosine: Floats, g: Floats, constants: EmcParameters, measured: Floats) -> None:
    """Fill measured energies [GeV] of photons and electrons from true ones, cos(theta) of the impact and a normal."""
    for i in range(np.uint64(energy.size)):
        measured[i] = measured_energy(energy[i], abs(cosine[i]), g[i], constants)


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
        energy_resolution[i] = energy_sigma(energy[i], abs(cosine[i]), constants)
        theta_resolution[i], phi_resolution[i] = angle_sigma(energy[i], cosine[i], constants)
