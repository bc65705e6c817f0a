"""Covariance of a helix from the layers it crosses: hits and multiple scattering, from the outside inwards.

The recursion works at one reference point, the origin, and needs no transport matrices (Billoir, NIM 225 (1984) 352,
with the scattering angles as process noise): starting from a diffuse covariance, each hit is a Kalman update with the
derivative of the measured distance with respect to the five parameters, each scatterer adds the change of the
parameters by a kick at its place. Only what lies between start and end of the track counts: the covariance is that of
the helix at its start, continued to the origin without matter.

Arithmetic is + - * / and sqrt on whole arrays, so that tables made of it have the same bits on every machine.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from ..constants import ALPHA_T
from ..geometry.sections import Card
from .arithmetic import arcsine
from .layer_formulas import DIFFUSE, kicks, measured_derivative, with_hit, with_kick
from .material import highland
from .surfaces import Surface, surfaces

#: Smallest thickness [radiation lengths] in the logarithm of Highland's formula: the gas as a whole, not its slices.
LOG_FLOOR = 3e-3
#: Smallest cosine of the angle of incidence: tracks along a surface would scatter without bound.
MIN_INCIDENCE = 0.05


def helix_covariance(
    card: Card,
    p: Floats | float,
    cosine: Floats | float,
    charge: Floats | float,
    mass: Floats | float,
    *,
    d_rho: Floats | float = 0.0,
    dz: Floats | float = 0.0,
    start: Floats | float = 0.0,
    inbound: Floats | float = 0.0,
    stop: Floats | float = np.inf,
) -> tuple[Floats, Floats]:
    """Return the covariance (15, n) of helices and the number of chamber layers crossed (n,).

    Parameters
    ----------
    card : Card
    p, cosine, charge, mass : array or float
        Momentum [GeV], cos(theta), charge [e] and mass [GeV].
    d_rho, dz : array or float
        Closest approach to the beam line [cm] of the helix, which has its pivot at the origin.
    start, stop : array or float
        Transverse radii [cm] where the track begins and ends.
    inbound : array or float
        1 for tracks that begin on their way towards the beam line, 0 for others.

    Returns
    -------
    covariance : ndarray, shape (15, n)
        Lower triangle by rows of (d_rho, phi0, kappa, dz, tan_lambda).
    hits : ndarray, shape (n,)
        Crossings of chamber layers; a track that turns back is followed to its largest radius.

    Notes
    -----
    The hit efficiency enters as resolution^2 / efficiency. Energy loss along the track is left out.
    """
    given = (p, cosine, charge, mass, d_rho, dz, start, inbound, stop)
    track = _Track(card, *np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in given)))
    shape = track.p.shape
    triangle: Any = tuple(np.full(shape, DIFFUSE[i] if i == j else 0.0) for i in range(5) for j in range(i + 1))
    hits = np.zeros(shape)
    layers = surfaces(card)
    passages = [(surface, False) for surface in layers]
    if np.any(track.inbound > 0.0):
        passages += [(surface, True) for surface in reversed(layers)]
    for surface, inwards in passages:
        point = _meet(track, surface, inwards)
        at = track.d_rho, track.rho, track.kappa, track.tan_lambda, point.turn, point.sine, point.one_minus_cosine
        if surface.variance > 0.0:
            wire = surface.radius, surface.wire_phi, surface.wire_z
            derivative, across, along = _on_arrays(measured_derivative)(*at, *wire)
            noise = surface.variance * (along if surface.planar > 0.0 else across)
            triangle = _on_arrays(with_hit)(triangle, derivative, noise, point.reached)
            hits += surface.chamber * point.reached
        else:
            x, whole = surface.thickness / point.incidence, surface.thickness_in_log / point.incidence
            theta0 = card.mdc.scattering_scale * highland(track.p, track.mass, x, np.maximum(whole, LOG_FLOOR))
            changes = _on_arrays(kicks)(*at, track.cos_lambda)
            triangle = _on_arrays(with_kick)(triangle, *changes, theta0 * theta0 * point.reached)
    return np.array(triangle), hits


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


def _on_arrays(formula: Callable[..., Any]) -> Callable[..., Any]:
    """Return the Python function of a compiled formula, which takes arrays as well."""
    function: Callable[..., Any] = getattr(formula, "py_func", formula)
    return function


class _Track:
    """Helices with phi0 = 0 from their start to their end."""

    def __init__(
        self,
        card: Card,
        p: Floats,
        cosine: Floats,
        charge: Floats,
        mass: Floats,
        d_rho: Floats,
        dz: Floats,
        start: Floats,
        inbound: Floats,
        stop: Floats,
    ) -> None:
        sine = np.sqrt((1.0 - cosine) * (1.0 + cosine))
        self.kappa = charge / (p * sine)
        self.rho = ALPHA_T / card.field.bz / self.kappa
        self.tan_lambda = cosine / sine
        self.cos_lambda = sine
        self.p, self.mass, self.d_rho, self.dz = p, mass, d_rho, dz
        self.start, self.inbound, self.stop = start, inbound, stop


class _Point(NamedTuple):
    """Where tracks meet a cylinder: turning angle, its sine and 1 - cosine, cosine of incidence, 1 where they do."""

    turn: Floats
    sine: Floats
    one_minus_cosine: Floats
    incidence: Floats
    reached: Floats


def _meet(track: _Track, surface: Surface, inwards: bool) -> _Point:
    """Return the crossing of a cylinder on the way out (or in): sin^2(phi / 2) = (r^2 - d_rho^2) / (4 rho R)."""
    r, outer = surface.radius, track.d_rho + track.rho
    half = (r * r - track.d_rho * track.d_rho) / (4.0 * track.rho * outer)
    square = np.minimum(np.maximum(half, 0.0), 1.0)
    sine_half, cosine_half = np.sqrt(square), np.sqrt(1.0 - square)
    sign = np.where((track.rho > 0.0) ^ inwards, -1.0, 1.0)
    turn = sign * 2.0 * arcsine(sine_half)
    sine = sign * 2.0 * sine_half * cosine_half
    z = track.dz - track.rho * track.tan_lambda * turn
    reached: NDArray[np.bool_] = (half > 0.0) & (half < 1.0) & (z > surface.z_min) & (z < surface.z_max)
    coming = track.inbound > 0.0
    if inwards:
        reached = reached & coming & (r < track.start) & ((track.stop > track.start) | (r > track.stop))
    else:
        begun = np.where(coming, track.stop > track.start, r > track.start)
        reached = reached & begun & (r < track.stop)
    incidence = np.maximum(np.abs(outer * sine) / r * track.cos_lambda, MIN_INCIDENCE)
    return _Point(turn, sine, 2.0 * square, incidence, reached.astype(np.float64))
