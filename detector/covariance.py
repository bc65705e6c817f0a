"""Covariance of a helix from the layers of the drift chamber: hits and multiple scattering, from the outside inwards.

The recursion works at one reference point, the origin, and needs no transport matrices (Billoir, NIM 225 (1984) 352,
with the scattering angles as process noise): starting from a diffuse covariance, each hit is a Kalman update with the
derivative of the measured distance with respect to the five parameters, each scatterer adds the change of the
parameters by a kick at its place. Both are written in closed form for a helix through the origin with phi0 = 0.

Arithmetic is + - * / and sqrt on whole arrays, so that tables made of it have the same bits on every machine.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from ..constants import ALPHA_T
from ..geometry.sections import Card
from .arithmetic import arcsine, tangent
from .material import highland, thickness, touching_shells

#: Variances before the first hit: d_rho [cm^2], phi0, kappa [(c/GeV)^2], dz [cm^2], tan_lambda.
DIFFUSE = (1e2, 1.0, 10.0, 1e4, 1.0)
#: Smallest thickness [radiation lengths] in the logarithm of Highland's formula: the gas as a whole, not its slices.
LOG_FLOOR = 3e-3

Bools = NDArray[np.bool_]


def helix_covariance(
    card: Card, p: Floats | float, cosine: Floats | float, charge: Floats | float, mass: Floats | float
) -> tuple[Floats, Floats]:
    """Return the covariance (15, n) of helices from the origin and the number of layers crossed (n,).

    Momentum [GeV], cos(theta), charge [e] and mass [GeV] per track; the covariance is the lower triangle by rows of
    (d_rho, phi0, kappa, dz, tan_lambda). The hit efficiency enters as resolution^2 / efficiency. Energy loss along the
    track is left out.
    """
    p, cosine, charge, mass = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in (p, cosine, charge, mass)))
    track = _Track(card, p, cosine, charge, mass)
    variance = card.mdc.hit_resolution * card.mdc.hit_resolution / card.mdc.hit_efficiency
    matrix = [[np.full(p.shape, DIFFUSE[i] if i == j else 0.0) for j in range(i + 1)] for i in range(5)]
    hits = np.zeros(p.shape)
    for surface in sorted(_surfaces(card), key=lambda surface: -surface.radius):
        point = _Point(track, surface.radius, surface.half_length)
        if surface.thickness > 0.0:
            _scatter(matrix, track, point, surface.thickness, surface.thickness_in_log)
        else:
            _measure(matrix, track, point, surface.stereo, variance)
            hits += point.reached
    return np.array([matrix[i][j] for i in range(5) for j in range(i + 1)]), hits


def cholesky(covariance: Floats) -> Floats:
    """Return the lower triangular factors (15, n) of covariances (15, n), both as lower triangles by rows."""
    factor: list[Floats] = []
    for i in range(5):
        for j in range(i + 1):
            rest = covariance[i * (i + 1) // 2 + j].copy()
            for k in range(j):
                rest -= factor[i * (i + 1) // 2 + k] * factor[j * (j + 1) // 2 + k]
            factor.append(np.sqrt(rest) if i == j else rest / factor[j * (j + 1) // 2 + j])
    return np.array(factor)


class _Surface(NamedTuple):
    """A layer of hits (thickness 0) or a scatterer [radiation lengths]."""

    radius: float
    half_length: float
    stereo: float
    thickness: float
    thickness_in_log: float


def _surfaces(card: Card) -> list[_Surface]:
    """Return the layers and what scatters between them; shells that touch share one logarithm, as does the gas."""
    layers = card.mdc.layers
    found = [_Surface(layer.radius, layer.half_length, layer.stereo, 0.0, 0.0) for layer in layers]
    for group in touching_shells(card):
        total = sum(thickness(shell) for shell in group)
        for shell in group:
            radius = 0.5 * (shell.r_inner + shell.r_outer)
            found.append(_Surface(radius, shell.half_length, 0.0, thickness(shell), total))
    inner = card.mdc.gas_inner
    for layer in layers:
        if layer.radius > inner:
            gas = (layer.radius - inner) / card.mdc.gas_radiation_length
            found.append(_Surface(0.5 * (layer.radius + inner), layer.half_length, 0.0, gas, 0.0))
            inner = layer.radius
    return found


class _Point:
    """Where tracks meet a cylinder: turning angle, its sine and cosine, position, direction against the radius."""

    def __init__(self, track: "_Track", radius: float, half_length: float) -> None:
        half = radius / (2.0 * np.abs(track.rho))
        sine_half = np.minimum(half, 1.0)
        cosine_half = np.sqrt(1.0 - sine_half * sine_half)
        sign = np.where(track.rho > 0.0, -1.0, 1.0)
        self.turn = sign * 2.0 * arcsine(sine_half)
        self.sine = sign * 2.0 * sine_half * cosine_half
        self.one_minus_cosine = 2.0 * sine_half * sine_half
        self.cosine = 1.0 - self.one_minus_cosine
        z = -track.rho * track.tan_lambda * self.turn
        self.reached: Bools = (half < 1.0) & (np.abs(z) < half_length)
        self.incidence = np.maximum(cosine_half * track.cos_lambda, 0.05)
        self.radial = (
            track.rho * self.one_minus_cosine / radius,
            -track.rho * self.sine / radius,
        )


class _Track:
    """Helices from the origin with phi0 = 0."""

    def __init__(self, card: Card, p: Floats, cosine: Floats, charge: Floats, mass: Floats) -> None:
        sine = np.sqrt((1.0 - cosine) * (1.0 + cosine))
        self.kappa = charge / (p * sine)
        self.rho = ALPHA_T / card.field.bz / self.kappa
        self.tan_lambda = cosine / sine
        self.cos_lambda = sine
        self.p, self.mass = p, mass


def _measure(matrix: list[list[Floats]], track: _Track, point: _Point, stereo: float, variance: float) -> None:
    """Update with the distance to a wire: along the normal to wire and track, u = w x t / |w x t|."""
    rho, tan_lambda, sine, cosine = track.rho, track.tan_lambda, point.sine, point.cosine
    direction = (-sine, cosine, tan_lambda)
    tan_stereo = tangent(stereo)
    wire = (-point.radial[1] * tan_stereo, point.radial[0] * tan_stereo, 1.0)
    ux = wire[1] * direction[2] - wire[2] * direction[1]
    uy = wire[2] * direction[0] - wire[0] * direction[2]
    uz = wire[0] * direction[1] - wire[1] * direction[0]
    norm = np.sqrt(ux * ux + uy * uy + uz * uz)
    ux, uy, uz = ux / norm, uy / norm, uz / norm
    by_kappa = rho / track.kappa
    derivative = (
        ux,
        rho * (ux * sine + uy * point.one_minus_cosine),
        by_kappa * (uz * tan_lambda * point.turn - ux * point.one_minus_cosine + uy * sine),
        uz,
        -rho * point.turn * uz,
    )
    projected = [_row_times(matrix, i, derivative) for i in range(5)]
    total = variance + sum(d * v for d, v in zip(derivative, projected))
    gain = np.where(point.reached, 1.0 / total, 0.0)
    for i in range(5):
        scaled = gain * projected[i]
        for j in range(i + 1):
            matrix[i][j] = matrix[i][j] - scaled * projected[j]


def _row_times(matrix: list[list[Floats]], i: int, vector: tuple[Floats, ...]) -> Floats:
    result = np.zeros_like(vector[0])
    for j in range(5):
        result = result + (matrix[i][j] if j <= i else matrix[j][i]) * vector[j]
    return result


def _scatter(
    matrix: list[list[Floats]], track: _Track, point: _Point, thickness: float, thickness_in_log: float
) -> None:
    """Add the change of the parameters by a kick at a point, in azimuth and in dip angle."""
    rho, tan_lambda, sine = track.rho, track.tan_lambda, point.sine
    x = thickness / point.incidence
    whole = np.maximum(thickness_in_log / point.incidence, LOG_FLOOR)
    theta0 = np.where(point.reached, highland(track.p, track.mass, x, whole), 0.0)
    azimuth = theta0 / track.cos_lambda
    zero = np.zeros_like(rho)
    in_azimuth = (
        -azimuth * rho * sine,
        azimuth * point.cosine,
        zero,
        azimuth * rho * tan_lambda * point.one_minus_cosine,
        zero,
    )
    shift = -rho * tan_lambda
    square = 1.0 + tan_lambda * tan_lambda
    in_dip = (
        -theta0 * point.one_minus_cosine * shift,
        theta0 * sine / rho * shift,
        theta0 * track.kappa * tan_lambda,
        theta0 * (tan_lambda * point.turn * shift + rho * point.turn * square - tan_lambda * sine * shift),
        theta0 * square,
    )
    for i in range(5):
        for j in range(i + 1):
            matrix[i][j] = matrix[i][j] + in_azimuth[i] * in_azimuth[j] + in_dip[i] * in_dip[j]
