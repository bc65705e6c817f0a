"""Tracks hit by hit: scattering kicks in all matter, distances to wires, a least-squares fit of the helix.

An independent judge of the covariance that tracks get: it shares the card with the recursion of
`detector.covariance` and none of its formulas. Particles are stepped from cylinder to cylinder along circles; each
piece of matter turns the momentum by two normal angles across it; each layer gives the distance of closest approach to
a straight wire of a cell, smeared, or no hit. The fit is Gauss-Newton with the covariance of all distances (resolution
and scattering), found by turning one track at one piece of matter at a time.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..arrays import Bools, Floats
from ..constants import ALPHA_T
from ..detector.covariance import LOG_FLOOR
from ..geometry.sections import Card, Cylinder
from ..kernel import stage
from ..rng import HIT_LEVEL_STREAM, key, normal2, uniform, words
from .stepping import State, Wire, advance, distance, kick

#: Largest distance of a track from its wire [cm], as in cells of two centimetres or less.
_HALF_CELL = 0.6
#: Slices of gas between neighbouring layers.
_SLICES = 2
#: Where a fitted helix is begun, as a part of the turning angle of the start.
_OUTBOUND_EARLIER, _INBOUND_EARLIER = 0.5, 1.3
#: Tracks whose own covariances are inverted at a time.
_BATCH = 500


class Gun(NamedTuple):
    """What is shot: momentum [GeV], cos(theta), charge [e], mass [GeV]; and from where on the x axis [cm].

    `start` is the transverse radius of the production point, `angle` [rad] that between the momentum and the radius
    there, in the transverse plane.
    """

    p: float
    cosine: float
    charge: float
    mass: float
    start: float = 0.0
    angle: float = 0.0


class Fitted(NamedTuple):
    """Deviations of fitted from true helices (n, 5), the covariance that the fit claims (5, 5), and its chi2 (n,)."""

    deviation: Floats
    covariance: Floats
    chi2: Floats
    n_hits: Floats


class _Passage(NamedTuple):
    """A crossing of a cylinder: a layer (a sigma above 0) or matter [radiation lengths at 90 degrees]."""

    radius: float
    half_length: float
    stereo: float
    sigma: float
    thickness: float
    in_log: float


def shoot(card: Card, gun: Gun, n: int, seed: int) -> Fitted:
    """Return n tracks of a gun, fitted.

    Parameters
    ----------
    card : Card
        Layers of its drift chamber and its matter; silicon is left out.
    gun : Gun
        The track moves away from the beam line, or first towards it (|angle| > pi / 2).
    n : int
    seed : int
    """
    scale = ALPHA_T / card.field.bz
    truth = true_helix(gun, scale)
    passages = _passages(card, gun, truth, scale)
    nominal, states = _at_start(truth[:, None], gun, truth, scale), []
    for passage in passages:
        nominal = advance(nominal, gun.charge, passage.radius, scale)
        states.append(nominal)
    k0, k1 = key(seed)
    state = _at_start(np.repeat(truth[:, None], n, axis=1), gun, truth, scale)
    # a fitted helix may begin beyond its first layer at the turning angle of the true one: it is begun before
    before = _INBOUND_EARLIER if _is_inbound(gun) else _OUTBOUND_EARLIER
    measured, seen, wires = [], [], []
    for number, (passage, at) in enumerate(zip(passages, states)):
        g, h, u, v = (np.empty(n) for _ in range(4))
        draw_stage(k0, k1, np.uint64(number), g, h, u, v)
        state = advance(state, gun.charge, passage.radius, scale)
        if passage.sigma > 0.0:
            wires.append(_wire(at, passage, (2.0 * v - 1.0) * _HALF_CELL))
            measured.append(distance(state, wires[-1]) + passage.sigma * g)
            seen.append(u < card.mdc.hit_efficiency)
        else:
            theta0 = _theta0(card, gun, state, passage)
            state = kick(state, theta0 * g, theta0 * h)
    layers = [passage for passage in passages if passage.sigma > 0.0]

    def distances(helix: Floats, to: list[Wire]) -> Floats:
        at, found = _at_start(helix, gun, truth, scale, before), []
        for layer, wire in zip(layers, to):
            at = advance(at, gun.charge, layer.radius, scale)
            found.append(distance(at, wire))
        return np.array(found)

    centred = [_wire(at, passage, np.zeros(1)) for passage, at in zip(passages, states) if passage.sigma > 0.0]
    steps = 1e-4 * np.maximum(np.abs(truth), 0.1)
    moved = truth[:, None] + np.concatenate([np.diag(steps), -np.diag(steps)], axis=1)
    shifted = distances(moved, centred)
    slope = (shifted[:, :5] - shifted[:, 5:]) / (2.0 * steps)
    variance = np.diag([layer.sigma**2 for layer in layers]) + _scattering(card, gun, truth, passages, states, centred)
    helix = np.repeat(truth[:, None], n, axis=1)
    for _ in range(3):
        residual = np.array(measured) - distances(helix, wires)
        step, chi2 = _least_squares(slope, variance, residual, np.array(seen))
        helix = helix + step
    information = slope.T @ np.linalg.solve(variance, slope)
    return Fitted((helix - truth[:, None]).T, np.linalg.inv(information), chi2, np.sum(seen, axis=0))


@stage
def draw_stage(k0: np.uint64, k1: np.uint64, passage: np.uint64, g: Floats, h: Floats, u: Floats, v: Floats) -> None:
    """Draw two normals and two uniforms for every track at one crossing."""
    for i in range(np.uint64(g.size)):
        a, b, c, d = words(k0, k1, np.uint64(i), passage, HIT_LEVEL_STREAM, np.uint64(0))
        g[i], h[i] = normal2(a, b)
        u[i], v[i] = uniform(c), uniform(d)


def true_helix(gun: Gun, scale: float) -> Floats:
    """Return the true helix (d_rho, phi0, kappa, dz, tan_lambda) in a field of radius `scale` [cm] per GeV/c."""
    pt = gun.p * np.sqrt(1.0 - gun.cosine**2)
    rho = scale * pt / gun.charge
    # the centre of the circle is to the right of a positive particle in a field along z
    cx, cy = gun.start + rho * np.sin(gun.angle), -rho * np.cos(gun.angle)
    sign = np.sign(gun.charge)
    phi0 = np.arctan2(sign * cy, sign * cx)
    tan_lambda = gun.p * gun.cosine / pt
    dz = rho * tan_lambda * _turn(gun, phi0)
    return np.array([sign * np.hypot(cx, cy) - rho, phi0, gun.charge / pt, dz, tan_lambda])


def _turn(gun: Gun, phi0: float) -> float:
    """Return the turning angle from the closest approach to the start."""
    turn: float = (gun.angle - 0.5 * np.pi - phi0 + np.pi) % (2.0 * np.pi) - np.pi
    return turn


def _at_start(helix: Floats, gun: Gun, truth: Floats, scale: float, part: float = 1.0) -> State:
    """Return the states of helices (5, n) at a part of the turning angle where the true one begins."""
    d_rho, phi0, kappa, dz, tan_lambda = helix
    turn = part * _turn(gun, truth[1])
    rho, psi, pt = scale / kappa, phi0 + turn, 1.0 / np.abs(kappa)
    x = d_rho * np.cos(phi0) + rho * (np.cos(phi0) - np.cos(psi))
    y = d_rho * np.sin(phi0) + rho * (np.sin(phi0) - np.sin(psi))
    return State(x, y, dz - rho * tan_lambda * turn, -pt * np.sin(psi), pt * np.cos(psi), pt * tan_lambda)


def _passages(card: Card, gun: Gun, truth: Floats, scale: float) -> list[_Passage]:
    """Return what the true track crosses, in the order of its way."""
    found = [
        _Passage(layer.radius, layer.half_length, layer.stereo, card.mdc.hit_resolution, 0.0, 0.0)
        for layer in card.mdc.layers
    ]
    shells = sorted((one for one in card.material if one.r_outer < found[-1].radius), key=lambda one: one.r_inner)
    for shell in shells:
        touching = [one for one in shells if _joined(shells, shell, one)]
        x, whole = _thickness(shell), sum(_thickness(one) for one in touching)
        found.append(_Passage(0.5 * (shell.r_inner + shell.r_outer), shell.half_length, 0.0, 0.0, x, whole))
    inner = card.mdc.gas_inner
    for layer in card.mdc.layers:
        width = (layer.radius - inner) / _SLICES
        for k in range(_SLICES):
            radius, x = inner + (k + 0.5) * width, width / card.mdc.gas_radiation_length
            found.append(_Passage(radius, layer.half_length, 0.0, 0.0, x, 0.0))
        inner = layer.radius
    found.sort()
    nearest, furthest = abs(truth[0]), abs(truth[0] + 2.0 * scale / truth[2])
    inwards = _is_inbound(gun)
    before = [one for one in found if nearest < one.radius < gun.start] if inwards else []
    way = before[::-1] + [one for one in found if (nearest if inwards else gun.start) < one.radius < furthest]
    kept, state = [], _at_start(truth[:, None], gun, truth, scale)
    for passage in way:
        state = advance(state, gun.charge, passage.radius, scale)
        if abs(state.z[0]) < passage.half_length:
            kept.append(passage)
    return kept


def _is_inbound(gun: Gun) -> bool:
    return abs(gun.angle) > 0.5 * np.pi and gun.start > 0.0


def _joined(shells: list[Cylinder], one: Cylinder, other: Cylinder) -> bool:
    """Return whether two shells belong to the same stack without a gap."""
    low, high = sorted((one.r_inner, other.r_inner))
    between = [shell for shell in shells if low <= shell.r_inner <= high]
    return all(outer.r_inner - inner.r_outer < 1e-9 for inner, outer in pairwise(between))


def _thickness(shell: Cylinder) -> float:
    return (shell.r_outer - shell.r_inner) / shell.radiation_length


def _theta0(card: Card, gun: Gun, state: State, passage: _Passage) -> Floats:
    """Return the width of the projected scattering angle (Highland; PDG 2022, eq. 34.16) of tracks in a cylinder."""
    p = np.sqrt(state.px**2 + state.py**2 + state.pz**2)
    incidence = np.abs(state.x * state.px + state.y * state.py) / (passage.radius * p)
    beta2 = gun.p**2 / (gun.p**2 + gun.mass**2)
    logarithm = np.log(np.maximum(passage.in_log / incidence, LOG_FLOOR) / beta2)
    width = 0.0136 / (gun.p * np.sqrt(beta2)) * np.sqrt(passage.thickness / incidence)
    return np.asarray(card.mdc.scattering_scale * width * (1.0 + 0.038 * logarithm))


def _wire(at: State, layer: _Passage, offset: Floats) -> Wire:
    """Return wires of a layer that pass the true track's crossing at a distance along the circumference."""
    nx, ny = at.x / layer.radius, at.y / layer.radius
    tangent = np.tan(layer.stereo)
    direction = float(-ny[0] * tangent), float(nx[0] * tangent), 1.0
    return Wire(at.x - ny * offset, at.y + nx * offset, at.z + np.zeros_like(offset), direction)


def _scattering(
    card: Card, gun: Gun, truth: Floats, passages: list[_Passage], states: list[State], wires: list[Wire]
) -> Floats:
    """Return the covariance of the distances from scattering: one track per piece of matter and direction is turned."""
    scale = ALPHA_T / card.field.bz
    matter = [number for number, passage in enumerate(passages) if passage.sigma == 0.0]
    n, angle = 2 * len(matter), 1e-5
    columns = []
    for sign in (1.0, -1.0):
        state, found = _at_start(np.repeat(truth[:, None], n, axis=1), gun, truth, scale), []
        layers = iter(wires)
        for number, passage in enumerate(passages):
            state = advance(state, gun.charge, passage.radius, scale)
            if passage.sigma > 0.0:
                found.append(distance(state, next(layers)))
            else:
                which = 2 * matter.index(number)
                kicks = np.zeros((2, n))
                kicks[0, which] = kicks[1, which + 1] = sign * angle
                state = kick(state, *kicks)
        columns.append(np.array(found))
    widths = np.repeat([_theta0(card, gun, states[number], passages[number])[0] for number in matter], 2)
    shifts = (columns[0] - columns[1]) / (2.0 * angle) * widths
    return np.asarray(shifts @ shifts.T)


def _least_squares(slope: Floats, variance: Floats, residual: Floats, seen: Bools) -> tuple[Floats, Floats]:
    """Return the steps (5, n) of a fit to the distances that were seen, and its chi2 (n,) before the step."""
    if seen.all():
        weighted = np.linalg.solve(variance, slope)
        step = np.linalg.solve(slope.T @ weighted, weighted.T @ residual)
        squares: Floats = residual * np.linalg.solve(variance, residual)
        return np.asarray(step), squares.sum(axis=0)
    n = residual.shape[1]
    steps, chi2 = np.empty((5, n)), np.empty(n)
    for first in range(0, n, _BATCH):
        part = slice(first, first + _BATCH)
        mask = seen[:, part].T.astype(np.float64)
        own = variance * (mask[:, :, None] * mask[:, None, :]) + np.eye(len(slope)) * (1.0 - mask[:, :, None])
        left, right = slope * mask[:, :, None], (residual[:, part].T * mask)[:, :, None]
        solved = np.linalg.solve(own, np.concatenate([left, right], axis=2))
        transposed = left.transpose(0, 2, 1)
        steps[:, part] = np.linalg.solve(transposed @ solved[:, :, :5], transposed @ solved[:, :, 5:])[:, :, 0].T
        chi2[part] = (right * solved[:, :, 5:]).sum(axis=(1, 2))
    return steps, chi2
