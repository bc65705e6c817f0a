"""Time of flight: where a track meets a counter, when it should, how well that is measured.

Two counters: a cylinder (barrel) and discs (endcaps), each taken as the surface in the middle of its scintillators.
"""

import math
from typing import NamedTuple

import numpy as np

from ..arrays import Floats
from ..constants import ALPHA_T, PI, C
from ..elementary import sincos
from ..geometry.helix import path_length, turn_to_plane, turn_to_radius
from ..geometry.sections import Card
from ..kernel import kernel, stage


class TofParameters(NamedTuple):
    """What the formulas need of a card; lengths [cm], times [ns]."""

    bz: float
    radius: float
    half_length: float
    sigma: float
    sigma_slope: float
    efficiency: float
    endcap_z: float
    endcap_r_inner: float
    endcap_r_outer: float
    endcap_sigma: float
    endcap_efficiency: float


def parameters(card: Card) -> TofParameters:
    """Return the constants of a card."""
    barrel, endcap = card.tof.barrel, card.tof.endcap
    return TofParameters(
        card.field.bz,
        barrel.radius,
        barrel.half_length,
        barrel.sigma,
        barrel.sigma_slope,
        barrel.efficiency,
        endcap.z,
        endcap.r_inner,
        endcap.r_outer,
        endcap.sigma,
        endcap.efficiency,
    )


@kernel
def expected_time(path: float, p: float, mass: float) -> float:
    """Return the time of flight [ns] along a path [cm]: t = s / (beta c), beta = p / sqrt(p^2 + m^2)."""
    return path * math.sqrt(p * p + mass * mass) / (p * C)


@kernel
def counter(
    d_rho: float, kappa: float, dz: float, tan_lambda: float, constants: TofParameters
) -> tuple[float, float, float]:
    """Return (path to the counter [cm], its resolution [ns], its efficiency); path NaN where there is none.

    The barrel is met at its radius if the track is within the bars there; otherwise an endcap, in the first half turn.
    """
    bz = constants.bz
    turn = turn_to_radius(d_rho, kappa, constants.radius, bz)
    rho = ALPHA_T / bz / kappa
    z = dz - rho * tan_lambda * turn
    in_barrel = abs(z) < constants.half_length
    end = constants.endcap_z if tan_lambda > 0.0 else -constants.endcap_z
    end_turn = turn_to_plane(kappa, dz, tan_lambda, end, bz)
    chord2 = d_rho * d_rho + 4.0 * rho * (rho + d_rho) * half_sine2(end_turn)
    inner, outer = constants.endcap_r_inner, constants.endcap_r_outer
    in_endcap = (chord2 > inner * inner) & (chord2 < outer * outer) & (abs(end_turn) < PI)
    barrel_path = path_length(turn, kappa, tan_lambda, bz)
    endcap_path = path_length(end_turn, kappa, tan_lambda, bz)
    path = barrel_path if in_barrel else (endcap_path if in_endcap else math.nan)
    fraction = z / constants.half_length
    barrel_sigma = constants.sigma * math.sqrt(1.0 + constants.sigma_slope * fraction * fraction)
    sigma = barrel_sigma if in_barrel else constants.endcap_sigma
    return path, sigma, constants.efficiency if in_barrel else constants.endcap_efficiency


@kernel
def half_sine2(turn: float) -> float:
    """Return sin^2(turn / 2) for |turn| <= pi, 1 beyond."""
    half = 0.5 * min(abs(turn), PI)
    sine, _ = sincos(half)
    return sine * sine


@stage
def counter_stage(
    d_rho: Floats,
    kappa: Floats,
    dz: Floats,
    tan_lambda: Floats,
    u: Floats,
    constants: TofParameters,
    path: Floats,
    sigma: Floats,
) -> None:
    """Fill path [cm] and resolution [ns] of tracks; path NaN without a counter or where u > efficiency."""
    for i in range(np.uint64(path.size)):
        way, width, efficiency = counter(d_rho[i], kappa[i], dz[i], tan_lambda[i], constants)
        path[i] = way if u[i] < efficiency else math.nan
        sigma[i] = width


@stage
def time_stage(path: Floats, p: Floats, mass: Floats, sigma: Floats, g: Floats, time: Floats) -> None:
    """Fill measured times [ns]: expected time plus sigma times the deviate g; NaN follows from the path."""
    for i in range(np.uint64(path.size)):
        time[i] = expected_time(path[i], p[i], mass[i]) + sigma[i] * g[i]
