"""Charged particles stepped from cylinder to cylinder along circles, and their distances to wires.

Plain geometry on whole arrays, kept apart from the closed forms of `geometry.helix`, which it judges.
"""

from typing import NamedTuple

import numpy as np

from ..arrays import Floats


class State(NamedTuple):
    """Positions [cm] and momenta [GeV] of tracks, all arrays."""

    x: Floats
    y: Floats
    z: Floats
    px: Floats
    py: Floats
    pz: Floats


class Wire(NamedTuple):
    """A straight wire: a point on it (x, y, z) and its direction."""

    x: Floats
    y: Floats
    z: Floats
    direction: tuple[float, float, float]


def advance(state: State, charge: float, radius: float, scale: float) -> State:
    """Return the states where tracks next meet a cylinder, along their circles."""
    pt = np.hypot(state.px, state.py)
    rho = scale * pt / charge
    cx, cy = state.x + rho * state.py / pt, state.y - rho * state.px / pt
    ex, ey = state.x - cx, state.y - cy
    distance, size = np.hypot(cx, cy), np.abs(rho)
    # angles around the centre from the point closest to the beam line
    angle = np.arctan2(cy * ex - cx * ey, -cx * ex - cy * ey)
    target = 2.0 * np.arcsin(np.sqrt((radius**2 - (distance - size) ** 2) / (4.0 * distance * size)))
    sense = -np.sign(rho)
    ways = [(sense * (end - angle)) % (2.0 * np.pi) for end in (target, -target)]
    # a track that is on the cylinder already meets it where it comes back
    turn = np.minimum(*(np.where(way < 1e-9, 2.0 * np.pi, way) for way in ways))
    sine, cosine = np.sin(sense * turn), np.cos(sense * turn)
    return State(
        cx + cosine * ex - sine * ey,
        cy + sine * ex + cosine * ey,
        state.z + state.pz / pt * size * turn,
        cosine * state.px - sine * state.py,
        sine * state.px + cosine * state.py,
        state.pz,
    )


def kick(state: State, horizontal: Floats, vertical: Floats) -> State:
    """Turn momenta by small angles to the left and upwards."""
    pt = np.hypot(state.px, state.py)
    p = np.hypot(pt, state.pz)
    left, up = p * horizontal, p * vertical
    px = state.px - left * state.py / pt - up * state.px * state.pz / (pt * p)
    py = state.py + left * state.px / pt - up * state.py * state.pz / (pt * p)
    pz = state.pz + up * pt / p
    ratio = p / np.sqrt(px**2 + py**2 + pz**2)
    return state._replace(px=ratio * px, py=ratio * py, pz=ratio * pz)


def distance(state: State, wire: Wire) -> Floats:
    """Return signed distances of closest approach of straight lines along the tracks to wires."""
    wx, wy, wz = wire.direction
    ux, uy = wy * state.pz - wz * state.py, wz * state.px - wx * state.pz
    uz = wx * state.py - wy * state.px
    along = (state.x - wire.x) * ux + (state.y - wire.y) * uy + (state.z - wire.z) * uz
    return np.asarray(along / np.sqrt(ux**2 + uy**2 + uz**2))
