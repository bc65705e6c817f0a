"""Covariance of a track's helix from the layers it crosses: hits of stereo wires and multiple scattering.

The recursion goes from the outside in, with all derivatives at one pivot, the origin: a diffuse matrix C is updated by
every hit, C <- C - (C H)(C H)^T / (H C H^T + sigma^2 / efficiency), and grows at every scatterer by the change of the
helix under a kick with the point fixed. It equals the least squares of all hits with their full correlated errors
(Billoir, NIM A225 (1984) 352; tested). It is the oracle of the table that runs for every track.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..constants import ALPHA_T
from ..elementary import atan2, sincos
from ..geometry.card import Card
from ..geometry.sections import Cylinder
from ..kernel import kernel, stage
from .material import highland

Floats = NDArray[np.float64]

# columns of an element of the tracker
_HIT, _RADIUS, _HALF_LENGTH, _SIN_STEREO, _COS_STEREO, _VARIANCE, _THICKNESS, _LOG_THICKNESS = range(8)

#: Gas cut into slices scatters like a whole of this thickness [radiation lengths], as far as the logarithm goes.
LOG_FLOOR = 3e-3

#: Variances before the first hit, for (d_rho, phi0, kappa, dz, tan_lambda).
DIFFUSE = (1e2, 1.0, 10.0, 1e4, 1.0)


class Tracker(NamedTuple):
    """Layers and scatterers from the outside in, shape (n, 8); see `tracker`."""

    elements: Floats
    bz: float


@lru_cache(maxsize=16)
def tracker(card: Card) -> Tracker:
    """Return hits and scatterers of a card, from the outside in.

    The gas between two layers scatters in the middle between them; gas beyond the last hit has no effect.
    """
    mdc = card.mdc
    rows: list[list[float]] = []
    layers = sorted(mdc.layers, key=lambda layer: layer.radius)
    variance = mdc.hit_resolution**2 / mdc.hit_efficiency
    for i in range(len(layers) - 1, -1, -1):
        radius = layers[i].radius
        sine, cosine = sincos(layers[i].stereo)
        rows.append([1.0, radius, layers[i].half_length, sine, cosine, variance, 0.0, 0.0])
        inner = layers[i - 1].radius if i else mdc.gas_inner
        slice_thickness = (radius - inner) / mdc.gas_radiation_length
        rows.append([0.0, 0.5 * (radius + inner), math.inf, 0.0, 1.0, 0.0, slice_thickness, LOG_FLOOR])
    for whole in _touching(card.material):
        total = sum((one.r_outer - one.r_inner) / one.radiation_length for one in whole)
        for one in whole:
            middle = 0.5 * (one.r_inner + one.r_outer)
            thickness = (one.r_outer - one.r_inner) / one.radiation_length
            rows.append([0.0, middle, one.half_length, 0.0, 1.0, 0.0, thickness, max(total, LOG_FLOOR)])
    rows.sort(key=lambda row: -row[_RADIUS])
    return Tracker(np.array(rows), card.field.bz)


def _touching(material: tuple[Cylinder, ...]) -> list[list[Cylinder]]:
    """Return the cylinders in groups that touch each other: a wall of several materials scatters as one."""
    groups: list[list[Cylinder]] = []
    for cylinder in sorted(material, key=lambda one: one.r_inner):
        if groups and abs(groups[-1][-1].r_outer - cylinder.r_inner) < 1e-6:
            groups[-1].append(cylinder)
        else:
            groups.append([cylinder])
    return groups


@kernel
def _hit_derivatives(
    rho: float, kappa: float, tan_lambda: float, turn: float, s: float, c: float, sin_stereo: float, cos_stereo: float
) -> tuple[float, float, float, float, float]:
    """Return the change of a hit's distance from its wire with the five parameters, at phi0 = 0 and d_rho = 0.

    H = u . dP/da with u the unit vector normal to wire and track; s, c = sin, cos of the turning angle.
    """
    px, py = rho * (1.0 - c), -rho * s
    r = math.sqrt(px * px + py * py)
    wx, wy, wz = -py / r * sin_stereo, px / r * sin_stereo, cos_stereo
    # unnormalised direction of the track; rho turns to -sign(kappa): the momentum is (-s, c, tan_lambda)
    tx, ty, tz = -s, c, tan_lambda
    ux, uy, uz = wy * tz - wz * ty, wz * tx - wx * tz, wx * ty - wy * tx
    norm = math.sqrt(ux * ux + uy * uy + uz * uz)
    ux, uy, uz = ux / norm, uy / norm, uz / norm
    by_phi = ux * rho * s + uy * rho * (1.0 - c)
    by_kappa = -rho / kappa * (ux * (1.0 - c) - uy * s - uz * tan_lambda * turn)
    return ux, by_phi, by_kappa, uz, -rho * turn * uz


@stage
def covariance_stage(
    elements: Floats, bz: float, mass: float, p: float, cos_theta: float, charge: float, c: Floats
) -> int:
    """Write the covariance (5, 5) of a track from the origin into c, and return the number of layers crossed."""
    sin_theta = math.sqrt(1.0 - cos_theta * cos_theta)
    kappa = charge / (p * sin_theta)
    tan_lambda = cos_theta / sin_theta
    rho = ALPHA_T / bz / kappa
    cos2_lambda = sin_theta * sin_theta
    h, g, ch = np.zeros(5), np.zeros(5), np.zeros(5)
    c[:, :] = 0.0
    for i in range(5):
        c[i, i] = DIFFUSE[i]
    hits = 0
    for row in range(elements.shape[0]):
        half = elements[row, _RADIUS] / (2.0 * abs(rho))
        if half >= 1.0:
            continue
        half_cosine = math.sqrt(1.0 - half * half)
        turn = -2.0 * atan2(half, half_cosine) * charge
        if abs(rho * tan_lambda * turn) > elements[row, _HALF_LENGTH]:
            continue
        sine, cosine = -2.0 * half * half_cosine * charge, 1.0 - 2.0 * half * half
        if elements[row, _HIT] > 0.0:
            hits += 1
            h[0], h[1], h[2], h[3], h[4] = _hit_derivatives(
                rho, kappa, tan_lambda, turn, sine, cosine, elements[row, _SIN_STEREO], elements[row, _COS_STEREO]
            )
            variance = elements[row, _VARIANCE]
            for i in range(5):
                ch[i] = 0.0
                for j in range(5):
                    ch[i] += c[i, j] * h[j]
            for i in range(5):
                variance += h[i] * ch[i]
            for i in range(5):
                for j in range(5):
                    c[i, j] -= ch[i] * ch[j] / variance
        else:
            # the normal of the cylinder and the track: cos(incidence) = cos(lambda) cos(turn / 2)
            thickness = elements[row, _THICKNESS] / (sin_theta * half_cosine)
            log_thickness = elements[row, _LOG_THICKNESS] / (sin_theta * half_cosine)
            theta = highland(p, mass, thickness, log_thickness)
            g[0], g[1], g[2] = -rho * sine, cosine, 0.0
            g[3], g[4] = rho * tan_lambda * (1.0 - cosine), 0.0
            _add_outer(c, g, theta * theta / cos2_lambda)
            shift = -rho * tan_lambda
            secant2 = 1.0 + tan_lambda * tan_lambda
            g[0] = (cosine - 1.0) * shift
            g[1] = sine / rho * shift
            g[2] = kappa * tan_lambda
            g[3] = tan_lambda * turn * shift + rho * turn * secant2 - tan_lambda * sine * shift
            g[4] = secant2
            _add_outer(c, g, theta * theta)
    return hits


@kernel
def _add_outer(c: Floats, g: Floats, factor: float) -> None:
    for i in range(5):
        for j in range(5):
            c[i, j] += factor * g[i] * g[j]


def covariance(card: Card, mass: float, p: float, cos_theta: float, charge: float) -> tuple[Floats, int]:
    """Return the covariance (5, 5) of a track from the origin and its number of layers, evaluated directly.

    Parameters
    ----------
    card : Card
    mass, p : float
        [GeV], [GeV/c].
    cos_theta, charge : float
    """
    elements, bz = tracker(card)
    c = np.zeros((5, 5))
    hits = covariance_stage(elements, bz, mass, p, cos_theta, charge, c)
    return c, hits
