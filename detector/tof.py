"""Time of flight: where a track meets a counter, when it should, how well that is measured.

Two counters: a cylinder (barrel) and discs (endcaps), each taken as the surface in the middle of its scintillators or
chambers. The measured time is t = t0 + t_production + s / (beta c) + sigma g, t0 the error of the event time, which all
tracks of an event share and which is a bunch spacing off in a few events.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..arrays import Floats
from ..constants import ALPHA_T, PI, C
from ..elementary import atan2, sincos
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
    single_layer_fraction: float
    single_layer_factor: float
    endcap_z: float
    endcap_r_inner: float
    endcap_r_outer: float
    endcap_sigma: float
    endcap_efficiency: float
    event_time_sigma: float
    kaon_proton_factor: float
    wrong_bunch_fraction: float
    bunch_spacing: float
    time_offset: float


@lru_cache(maxsize=16)
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
        barrel.single_layer_fraction,
        barrel.single_layer_factor,
        endcap.z,
        endcap.r_inner,
        endcap.r_outer,
        endcap.sigma,
        endcap.efficiency,
        card.tof.event_time_sigma,
        card.tof.kaon_proton_factor,
        card.tof.wrong_bunch_fraction,
        card.tof.bunch_spacing,
        card.tof.time_offset,
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


@kernel
def is_heavy(mass: float) -> bool:
    """Return whether a particle is a kaon or a proton, whose times are measured worse."""
    return mass > 0.3


@kernel
def heavy_sigma(sigma: float, constants: TofParameters) -> float:
    """Return the resolution [ns] for kaons and protons: the counter's part grows, that of the event time stays."""
    common, factor = constants.event_time_sigma, constants.kaon_proton_factor
    own = max(sigma * sigma - common * common, 0.0)
    return math.sqrt(own * factor * factor + common * common)


@kernel
def layer_factor(u: float, efficiency: float, tan_lambda: float, constants: TofParameters) -> float:
    """Return the resolution over that of both layers: larger for a track of the barrel that only one has seen.

    The lowest part of the uniform u that stands for a signal (u < efficiency) stands for one layer.
    """
    barrel = abs(tan_lambda) * constants.radius < constants.endcap_z
    single = barrel & (u < constants.single_layer_fraction * efficiency)
    return constants.single_layer_factor if single else 1.0


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
        sigma[i] = width * layer_factor(u[i], efficiency, tan_lambda[i], constants)


@stage
def time_stage(
    path: Floats, p: Floats, mass: Floats, sigma: Floats, g: Floats, constants: TofParameters, time: Floats
) -> None:
    """Fill measured times [ns]: expected time plus sigma times the deviate g; NaN follows from the path."""
    for i in range(np.uint64(path.size)):
        factor = constants.kaon_proton_factor if is_heavy(mass[i]) else 1.0
        time[i] = expected_time(path[i], p[i], mass[i]) + factor * sigma[i] * g[i]


@stage
def finish_stage(common_sigma: float, time: Floats, path: Floats, sigma: Floats) -> None:
    """Add the error of the event time to the resolution; NaN in all three columns where one of them is."""
    for i in range(np.uint64(path.size)):
        total = math.sqrt(sigma[i] * sigma[i] + common_sigma * common_sigma)
        nothing = 0.0 * (time[i] + path[i])
        time[i] = time[i] + nothing
        path[i] = path[i] + nothing
        sigma[i] = total + nothing


@kernel
def delay(
    x: float,
    y: float,
    px: float,
    py: float,
    pz: float,
    charge: float,
    mass: float,
    time: float,
    bz: float,
) -> float:
    """Return how much later [ns] a particle is than one of the same helix that left its closest approach at t = 0.

    The production time minus the time of flight from the closest approach to the production point (x, y) [cm].
    """
    pt2 = px * px + py * py
    pt = math.sqrt(pt2)
    rho = ALPHA_T / bz * pt * (1.0 if charge > 0.0 else -1.0)
    # from the centre of the circle: to the origin, and to the production point; the angle between is turned through
    ux, uy = rho * py / pt, -rho * px / pt
    cx, cy = x + ux, y + uy
    turn = abs(atan2(cx * uy - cy * ux, cx * ux + cy * uy))
    outgoing = x * px + y * py > 0.0
    length = abs(rho) * turn * math.sqrt(1.0 + pz * pz / pt2)
    length = length if outgoing else -length
    return time - expected_time(length, math.sqrt(pt2 + pz * pz), mass)


@stage
def delay_stage(
    place: tuple[Floats, Floats],
    momentum: tuple[Floats, Floats, Floats],
    charge: Floats,
    mass: Floats,
    bz: float,
    time: Floats,
) -> None:
    """Replace production times [ns] by delays."""
    x, y = place
    px, py, pz = momentum
    for i in range(np.uint64(time.size)):
        time[i] = delay(x[i], y[i], px[i], py[i], pz[i], charge[i], mass[i], time[i], bz)
