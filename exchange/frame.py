"""From the frame of a generator's file to the one of truth: the e+e- centre of mass, the electron beam along +z.

Four-vectors are arrays (4, n) of energy, x, y, z (or time and place). Only + - * / sqrt on whole columns, so that the
same file gives the same bits on every machine.
"""

import numpy as np

from ..arrays import Floats

#: Sine of the angle to the axis below which a beam is left as it is, bit for bit.
_ALIGNED = 1e-9


def invariant_mass(total: Floats) -> Floats:
    """Return sqrt(E^2 - p^2) of four-vectors (4, n); NaN where space-like."""
    e, x, y, z = total
    square = e * e - x * x - y * y - z * z
    return np.sqrt(np.where(square > 0.0, square, np.nan))


def to_rest_frame(vectors: Floats, total: Floats) -> Floats:
    """Return four-vectors (4, n) boosted, without rotation, to where `total` (4, n) is at rest.

    With M the invariant mass of the total (E, P): e' = (E e - P.p) / M and p' = p - P (e + e') / (E + M).
    """
    e0, x0, y0, z0 = total
    e, x, y, z = vectors
    mass = invariant_mass(total)
    energy = (e0 * e - x0 * x - y0 * y - z0 * z) / mass
    factor = (e + energy) / (e0 + mass)
    return np.stack([energy, x - factor * x0, y - factor * y0, z - factor * z0])


def to_electron_axis(vectors: Floats, electron: Floats) -> Floats:
    """Return four-vectors (4, n) rotated by the smallest angle that brings `electron` (4, n) to +z.

    Rodrigues' formula about w = n x z: v + w x v + w x (w x v) / (1 + cos); an electron pointing to -z is first turned
    by pi about y. Where the electron moves along +z already nothing changes.
    """
    _, nx, ny, nz = electron
    norm = np.sqrt(nx * nx + ny * ny + nz * nz)
    nx, ny, nz = nx / norm, ny / norm, nz / norm
    e, x, y, z = vectors
    flip = np.where(nz < 0.0, -1.0, 1.0)
    x, z, nx, nz = flip * x, flip * z, flip * nx, flip * nz
    wx, wy = ny, -nx
    cx, cy, cz = wy * z, -wx * z, wx * y - wy * x
    rx = x + cx + wy * cz / (1.0 + nz)
    ry = y + cy - wx * cz / (1.0 + nz)
    rz = z + cz + (wx * cy - wy * cx) / (1.0 + nz)
    aligned = nx * nx + ny * ny < _ALIGNED * _ALIGNED
    return np.stack([e, np.where(aligned, x, rx), np.where(aligned, y, ry), np.where(aligned, z, rz)])
