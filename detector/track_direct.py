"""Cholesky factors of tracks that no table holds: those that begin away from the beam line or end inside the chamber.

The recursion of `covariance`, for up to a block of tracks at a time, in compiled loops.
"""

import math

import numpy as np

from ..arrays import Floats
from ..constants import ALPHA_T
from ..elementary import atan2, log
from ..kernel import BLOCK, kernel, stage
from .covariance import LOG_FLOOR, MIN_INCIDENCE
from .layer_formulas import DIFFUSE, Triangle, kicks, measured_derivative, with_hit, with_kick
from .surfaces import FIELDS

_B = np.uint64(BLOCK)
_FIELDS = np.uint64(FIELDS)

#: Rows of the scratch, each of BLOCK numbers: 0-14 covariance, then its factor; what goes in; what comes out.
N_HITS, D_RHO, KAPPA, DZ, TAN_LAMBDA, P, START, INBOUND, STOP, POSITIVE = range(15, 25)
_RHO, _COS_LAMBDA, _HIGHLAND, _INVERSE_BETA2 = range(25, 29)
ROWS = 29


@kernel
def triangle(s: Floats, i: np.uint64 | int) -> Triangle:
    """Return the 15 numbers of column i of a scratch."""
    return (
        s[i],
        s[_B + i],
        s[_B * np.uint64(2) + i],
        s[_B * np.uint64(3) + i],
        s[_B * np.uint64(4) + i],
        s[_B * np.uint64(5) + i],
        s[_B * np.uint64(6) + i],
        s[_B * np.uint64(7) + i],
        s[_B * np.uint64(8) + i],
        s[_B * np.uint64(9) + i],
        s[_B * np.uint64(10) + i],
        s[_B * np.uint64(11) + i],
        s[_B * np.uint64(12) + i],
        s[_B * np.uint64(13) + i],
        s[_B * np.uint64(14) + i],
    )


@kernel
def keep(c: Triangle, s: Floats, i: np.uint64 | int) -> None:
    """Write 15 numbers into column i of a scratch."""
    s[i], s[_B + i], s[_B * np.uint64(2) + i] = c[0], c[1], c[2]
    s[_B * np.uint64(3) + i], s[_B * np.uint64(4) + i], s[_B * np.uint64(5) + i] = c[3], c[4], c[5]
    s[_B * np.uint64(6) + i], s[_B * np.uint64(7) + i], s[_B * np.uint64(8) + i] = c[6], c[7], c[8]
    s[_B * np.uint64(9) + i], s[_B * np.uint64(10) + i], s[_B * np.uint64(11) + i] = c[9], c[10], c[11]
    s[_B * np.uint64(12) + i], s[_B * np.uint64(13) + i], s[_B * np.uint64(14) + i] = c[12], c[13], c[14]


@kernel
def meet(
    d_rho: float, rho: float, dz: float, tan_lambda: float, radius: float, inwards: float
) -> tuple[float, float, float, float, float]:
    """Return turning angle, its sine, 1 - cosine, z and 1 where a helix meets a cylinder on its way out (or in)."""
    half = (radius * radius - d_rho * d_rho) / (4.0 * rho * (d_rho + rho))
    square = min(max(half, 0.0), 1.0)
    sine_half, cosine_half = math.sqrt(square), math.sqrt(1.0 - square)
    sign = -1.0 if rho > 0.0 else 1.0
    sign = -sign if inwards > 0.0 else sign
    turn = sign * 2.0 * atan2(sine_half, cosine_half)
    met = 1.0 if (half > 0.0) & (half < 1.0) else 0.0
    return turn, sign * 2.0 * sine_half * cosine_half, 2.0 * square, dz - rho * tan_lambda * turn, met


@kernel
def between(radius: float, start: float, inbound: float, stop: float, inwards: float) -> float:
    """Return 1 if a radius is met between start and end of a track, on its way out (or in), else 0."""
    further = stop > start
    out = (radius < stop) & (further if inbound > 0.0 else radius > start)
    back = (inbound > 0.0) & (radius < start) & (further | (radius > stop))
    return 1.0 if (back if inwards > 0.0 else out) else 0.0


@kernel
def scattering_variance(over_beta_p: float, inverse_beta2: float, x: float, x_in_log: float) -> float:
    """Return the variance of the projected scattering angle (Highland; PDG 2022, eq. 34.16).

    theta_0 = 13.6 MeV / (beta p) sqrt(x) [1 + 0.038 ln(x' / beta^2)]; the first factor squared is `over_beta_p`.
    """
    correction = 1.0 + 0.038 * log(max(x_in_log, LOG_FLOOR) * inverse_beta2)
    return over_beta_p * x * correction * correction


@kernel
def factorised(c: Triangle) -> tuple[Triangle, float]:
    """Return the Cholesky factor of a covariance, and 1 if that is finite and positive definite, else 0."""
    l00 = math.sqrt(max(c[0], 0.0))
    l10 = c[1] / l00
    r11 = c[2] - l10 * l10
    l11 = math.sqrt(max(r11, 0.0))
    l20 = c[3] / l00
    l21 = (c[4] - l20 * l10) / l11
    r22 = c[5] - l20 * l20 - l21 * l21
    l22 = math.sqrt(max(r22, 0.0))
    l30 = c[6] / l00
    l31 = (c[7] - l30 * l10) / l11
    l32 = (c[8] - l30 * l20 - l31 * l21) / l22
    r33 = c[9] - l30 * l30 - l31 * l31 - l32 * l32
    l33 = math.sqrt(max(r33, 0.0))
    l40 = c[10] / l00
    l41 = (c[11] - l40 * l10) / l11
    l42 = (c[12] - l40 * l20 - l41 * l21) / l22
    l43 = (c[13] - l40 * l30 - l41 * l31 - l42 * l32) / l33
    r44 = c[14] - l40 * l40 - l41 * l41 - l42 * l42 - l43 * l43
    l44 = math.sqrt(max(r44, 0.0))
    positive = (c[0] > 0.0) & (r11 > 0.0) & (r22 > 0.0) & (r33 > 0.0) & (r44 > 0.0)
    # a remainder that is not finite is not above zero, or infinite; the others follow from finite ones
    finite = (l00 < 1e150) & (l11 < 1e150) & (l22 < 1e150) & (l33 < 1e150) & (l44 < 1e150)
    factor = (l00, l10, l11, l20, l21, l22, l30, l31, l32, l33, l40, l41, l42, l43, l44)
    return factor, 1.0 if positive & finite else 0.0


@stage
def prepare_stage(s: Floats, n: int, mass: float, bz: float, scattering_scale: float) -> None:
    """Set the first n tracks of a scratch to the diffuse covariance, with what the layers need to know of them."""
    strength = 0.0136 * scattering_scale
    for i in range(np.uint64(n)):
        for k in range(15):
            s[_B * np.uint64(k) + i] = 0.0
        s[i], s[_B * np.uint64(2) + i], s[_B * np.uint64(5) + i] = DIFFUSE[0], DIFFUSE[1], DIFFUSE[2]
        s[_B * np.uint64(9) + i], s[_B * np.uint64(14) + i] = DIFFUSE[3], DIFFUSE[4]
        s[_B * np.uint64(N_HITS) + i] = 0.0
        tan_lambda, p = s[_B * np.uint64(TAN_LAMBDA) + i], s[_B * np.uint64(P) + i]
        s[_B * np.uint64(_RHO) + i] = ALPHA_T / bz / s[_B * np.uint64(KAPPA) + i]
        s[_B * np.uint64(_COS_LAMBDA) + i] = 1.0 / math.sqrt(1.0 + tan_lambda * tan_lambda)
        energy2 = p * p + mass * mass
        s[_B * np.uint64(_HIGHLAND) + i] = strength * strength * energy2 / (p * p * p * p)
        s[_B * np.uint64(_INVERSE_BETA2) + i] = energy2 / (p * p)


@stage
def layers_stage(table: Floats, s: Floats, n: int, inwards: float) -> None:
    """Take the first n tracks of a scratch through all surfaces, from the outside inwards, or back (`inwards` = 1)."""
    number = np.uint64(table.size) // _FIELDS
    for k in range(number):
        first = (number - np.uint64(1) - k if inwards > 0.0 else k) * _FIELDS
        radius, z_min, z_max = table[first], table[first + np.uint64(1)], table[first + np.uint64(2)]
        wire_phi, wire_z = table[first + np.uint64(3)], table[first + np.uint64(4)]
        variance, planar = table[first + np.uint64(5)], table[first + np.uint64(6)]
        thickness, in_log = table[first + np.uint64(7)], table[first + np.uint64(8)]
        chamber = table[first + np.uint64(9)]
        for i in range(np.uint64(n)):
            d_rho, rho = s[_B * np.uint64(D_RHO) + i], s[_B * np.uint64(_RHO) + i]
            kappa, tan_lambda = s[_B * np.uint64(KAPPA) + i], s[_B * np.uint64(TAN_LAMBDA) + i]
            cos_lambda = s[_B * np.uint64(_COS_LAMBDA) + i]
            turn, sine, omc, z, met = meet(d_rho, rho, s[_B * np.uint64(DZ) + i], tan_lambda, radius, inwards)
            start, stop = s[_B * np.uint64(START) + i], s[_B * np.uint64(STOP) + i]
            met *= between(radius, start, s[_B * np.uint64(INBOUND) + i], stop, inwards)
            met = met if (z > z_min) & (z < z_max) else 0.0
            c = triangle(s, i)
            if variance > 0.0:
                d, across, along = measured_derivative(
                    d_rho, rho, kappa, tan_lambda, turn, sine, omc, radius, wire_phi, wire_z
                )
                c = with_hit(c, d, variance * (along if planar > 0.0 else across), met)
                s[_B * np.uint64(N_HITS) + i] += chamber * met
            else:
                incidence = max(abs((d_rho + rho) * sine) / radius * cos_lambda, MIN_INCIDENCE)
                angle2 = scattering_variance(
                    s[_B * np.uint64(_HIGHLAND) + i],
                    s[_B * np.uint64(_INVERSE_BETA2) + i],
                    thickness / incidence,
                    in_log / incidence,
                )
                a, b = kicks(d_rho, rho, kappa, tan_lambda, turn, sine, omc, cos_lambda)
                c = with_kick(c, a, b, angle2 * met)
            keep(c, s, i)


@stage
def factor_stage(s: Floats, n: int) -> None:
    """Replace the covariances of the first n tracks of a scratch by their factors; row POSITIVE says which are."""
    for i in range(np.uint64(n)):
        factor, positive = factorised(triangle(s, i))
        keep(factor, s, i)
        s[_B * np.uint64(POSITIVE) + i] = positive


@stage
def direct_factors(s: Floats, n: int, table: Floats, bz: float, scattering_scale: float, mass: float) -> None:
    """Evaluate the first n tracks of a scratch of `ROWS` rows, whose rows D_RHO to STOP are filled.

    `table` is that of all surfaces. Afterwards rows 0 to 14 hold the factors, N_HITS the crossings of chamber layers,
    and POSITIVE is 0 for covariances that are not finite and positive definite.
    """
    prepare_stage(s, n, mass, bz, scattering_scale)
    layers_stage(table, s, n, 0.0)
    inbound = False
    for i in range(n):
        inbound |= s[INBOUND * BLOCK + i] > 0.0
    if inbound:
        layers_stage(table, s, n, 1.0)
    factor_stage(s, n)
