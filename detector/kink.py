"""One track through a particle and its charged daughter: what a fit makes of a kink inside the chamber.

For a parabola through evenly spread, equally good points of a chamber of depth L, the fitted curvature is the integral
of 30 f^2 (1 - f)^2 y'' over the depth fraction f, the fitted slope in the other projection that of 6 f (1 - f) y'.
Scattering and the pulls of a bad fit on the direction at the beam are left out.
"""

import math

import numpy as np

from ..arrays import Floats
from ..elementary import atan2
from ..kernel import kernel, stage
from .bremsstrahlung import curvature_weight


@kernel
def kinked(
    fraction: float, alpha: float, depth: float, kappa: float, kappa_after: float, kick: float
) -> tuple[float, float]:
    """Return the fitted kappa [c/GeV] of a track that changes at a fraction of the depth [cm], and the weight of dips.

    kappa + (kappa' - kappa) W(f) - alpha 30 f^2 (1 - f)^2 kick / depth for a kick in azimuth [rad] with
    alpha = ALPHA_T / bz [cm GeV/c]; a slope behind f has the weight 1 - f^2 (3 - 2 f).
    """
    f = min(max(fraction, 0.0), 1.0)
    bend = 30.0 * f * f * (1.0 - f) * (1.0 - f) / depth
    fitted = kappa + (kappa_after - kappa) * curvature_weight(f) - alpha * bend * kick
    return fitted, 1.0 - f * f * (3.0 - 2.0 * f)


@stage
def kink_angle_stage(before: Floats, after: Floats, angle: Floats) -> None:
    """Fill the angles [rad] between momenta, shape (3, n)."""
    for i in range(np.uint64(angle.size)):
        px, py, pz = before[0, i], before[1, i], before[2, i]
        qx, qy, qz = after[0, i], after[1, i], after[2, i]
        cx, cy, cz = py * qz - pz * qy, pz * qx - px * qz, px * qy - py * qx
        angle[i] = atan2(math.sqrt(cx * cx + cy * cy + cz * cz), px * qx + py * qy + pz * qz)


@stage
def kink_stage(
    alpha: float, depth: float, fraction: Floats, charge: Floats, before: Floats, after: Floats, start: Floats
) -> None:
    """Replace the momenta at the `start` of tracks, shape (3, n), and their charges, by those of a fit through both.

    `before` and `after` are the momenta [GeV] of parent and daughter at the kink.
    """
    for i in range(np.uint64(fraction.size)):
        px, py, qx, qy = before[0, i], before[1, i], after[0, i], after[1, i]
        pt, qt = math.sqrt(px * px + py * py), math.sqrt(max(qx * qx + qy * qy, 1e-12))
        kick = atan2(px * qy - py * qx, px * qx + py * qy)
        kappa = charge[i] / pt
        fitted, weight = kinked(fraction[i], alpha, depth, kappa, charge[i] / qt, kick)
        fitted = fitted if abs(fitted) > 1e-3 else 1e-3
        dip = before[2, i] / pt
        dip = dip + weight * (after[2, i] / qt - dip)
        scale = abs(kappa / fitted)
        start[0, i], start[1, i], start[2, i] = scale * start[0, i], scale * start[1, i], dip / abs(fitted)
        charge[i] = 1.0 if fitted > 0.0 else -1.0
