"""Charged tracks: momentum and position at closest approach, and which of them are good."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..event import D_RHO, DZ, KAPPA, PHI0, TAN_LAMBDA, Floats
from ..geometry.helix import momentum
from ..geometry.sections import Reconstruction
from ..kernel import stage


@stage
def momentum_stage(phi0: Floats, kappa: Floats, tan_lambda: Floats, px: Floats, py: Floats, pz: Floats) -> None:
    """Fill the momenta [GeV] at closest approach."""
    for i in range(np.uint64(kappa.size)):
        px[i], py[i], pz[i] = momentum(phi0[i], kappa[i], tan_lambda[i])


@stage
def good_stage(d_rho: Floats, dz: Floats, tan_lambda: Floats, cuts: Floats, good: NDArray[np.bool_]) -> None:
    """Mark good tracks: cuts = (closest approach in the transverse plane, along z [cm], |cos theta|)."""
    for i in range(np.uint64(good.size)):
        t = tan_lambda[i]
        cosine = abs(t) / math.sqrt(1.0 + t * t)
        good[i] = (abs(d_rho[i]) < cuts[0]) & (abs(dz[i]) < cuts[1]) & (cosine < cuts[2])


def charged_tracks(helix: Floats, conventions: Reconstruction) -> dict[str, Any]:
    """Return the columns of tracks that follow from the helix alone.

    Parameters
    ----------
    helix : ndarray, shape (n_tracks, 5)
        At the point of closest approach to the origin.
    conventions : Reconstruction
        Cuts of good tracks.
    """
    n = len(helix)
    px, py, pz = np.empty(n), np.empty(n), np.empty(n)
    momentum_stage(helix[:, PHI0], helix[:, KAPPA], helix[:, TAN_LAMBDA], px, py, pz)
    good = np.empty(n, dtype=bool)
    cuts = np.array([conventions.track_r_max, conventions.track_z_max, conventions.track_cos_max])
    good_stage(helix[:, D_RHO], helix[:, DZ], helix[:, TAN_LAMBDA], cuts, good)
    return {
        "charge": np.where(helix[:, KAPPA] > 0.0, 1, -1).astype(np.int32),
        "good": good,
        "poca_r": np.abs(helix[:, D_RHO]),
        "poca_z": helix[:, DZ].copy(),
        "px": px,
        "py": py,
        "pz": pz,
    }
