"""Charged tracks: momentum and position at closest approach, and which of them are good."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..event import D_RHO, DZ, KAPPA, PHI0, TAN_LAMBDA, Floats, Ints
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


@stage
def direction_stage(px: Floats, py: Floats, pz: Floats, p: Floats, cosine: Floats) -> None:
    """Fill momentum [GeV] and cos(theta)."""
    for i in range(np.uint64(p.size)):
        p[i] = math.sqrt(px[i] * px[i] + py[i] * py[i] + pz[i] * pz[i])
        cosine[i] = pz[i] / p[i]


@stage
def energy_over_momentum_stage(energy: Floats, p: Floats, ratio: Floats) -> None:
    """Fill the energy of the shower over the momentum, 0 without a shower."""
    for i in range(np.uint64(p.size)):
        ratio[i] = (energy[i] if energy[i] == energy[i] else 0.0) / p[i]


@stage
def count_stage(
    track_offsets: Ints,
    charge: NDArray[np.int32],
    good: NDArray[np.bool_],
    net_charge: NDArray[np.int32],
    n_good: NDArray[np.int32],
) -> None:
    """Fill the sum of the charges and the number of good tracks of every event."""
    for event in range(np.uint64(net_charge.size)):
        total, number = 0, 0
        for i in range(np.uint64(track_offsets[event]), np.uint64(track_offsets[event + np.uint64(1)])):
            total += charge[i]
            number += 1 if good[i] else 0
        net_charge[event], n_good[event] = total, number


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
        "charge": np.where(helix[:, KAPPA] > 0.0, np.int32(1), np.int32(-1)),
        "good": good,
        "poca_r": np.abs(helix[:, D_RHO]),
        "poca_z": helix[:, DZ].copy(),
        "px": px,
        "py": py,
        "pz": pz,
    }
