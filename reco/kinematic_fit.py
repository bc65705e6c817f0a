"""One-constraint (1C) kinematic fit: two measured tracks and a missing massless photon.

Energy and momentum give four constraints, the photon three unknowns: what remains is f = (P0 - p1 - p2)^2 = 0. The
measured quantities are y = (phi0, kappa, tan_lambda) of both tracks with their covariance V, and with D = df/dy
    lambda = (D V D^T)^-1 (f + D (y0 - y)),   y <- y0 - V D^T lambda,   chi2 = lambda^2 (D V D^T)
is iterated a fixed number of times (Lagrange multipliers; e.g. Avery, CBX 91-72), and more often for the few events
that need it. Any other topology: `fits.KinematicFit`.

The tracks of a block stand in one flat scratch of rows of `BLOCK` numbers, so that every stage is one SIMD loop.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Keys
from ..event import KAPPA, PHI0, TAN_LAMBDA, Floats, Ints
from ..geometry.beam import Laboratory, polar_angle_cm
from ..geometry.helix import momentum
from ..kernel import BLOCK, kernel, stage

#: Values of `fit_status`.
CONVERGED, NOT_CONVERGED, NOT_APPLICABLE = 0, 1, 2

#: Steps of all events; of those that are not settled by then, from the start again; and of the rest, mostly events with
#: more photons, far from the constraint.
STEPS = (4, 8, 50)
#: A fit counts as converged when |missing mass^2| [GeV^2] is below this after the last step.
TOLERANCE = 1e-9
#: It gets no further steps below this. The constraint is met to second order in the last step: with 1e-12 GeV^2 masses
#: are within 2e-7 GeV of the end, with the tolerance they would be within 2e-5 GeV.
SETTLED = 1e-12

Flags = NDArray[np.bool_]
Statuses = NDArray[np.int32]
Results = tuple[Floats, Floats, Floats, Floats]

_B = np.uint64(BLOCK)
_INDEX = np.uint64  # unsigned, so that no index is looked at for its sign


# rows of the scratch: for each track the fitted and the measured (phi0, kappa, tan_lambda) and six covariances
_Y, _Y0, _V = 0, 6, 12
_CHI2, _CONSTRAINT, _MASS, _THETA, _P = 24, 25, 26, 27, 28
ROWS = 34


@kernel
def constraint_gradient(
    px: float, py: float, pz: float, energy: float, kappa: float, qx: float, qy: float, qz: float, missing: float
) -> tuple[float, float, float]:
    """Return df/d(phi0, kappa, tan_lambda) of one track; (q, missing) is the missing four-momentum.

    df/dp = 2 (q - missing p / energy), chained with dp/dphi0 = (-py, px, 0), dp/dkappa = -p / kappa and
    dp/dtan_lambda = (0, 0, pt).
    """
    ratio, inverse = missing / energy, 1.0 / kappa
    gx = 2.0 * (qx - ratio * px)
    gy = 2.0 * (qy - ratio * py)
    gz = 2.0 * (qz - ratio * pz)
    return gy * px - gx * py, -(gx * px + gy * py + gz * pz) * inverse, gz * abs(inverse)


@kernel
def times_symmetric(
    v00: float, v10: float, v11: float, v20: float, v21: float, v22: float, a: float, b: float, c: float
) -> tuple[float, float, float]:
    """Return the product of a symmetric 3x3 matrix (lower triangle) and a vector."""
    return v00 * a + v10 * b + v20 * c, v10 * a + v11 * b + v21 * c, v20 * a + v21 * b + v22 * c


@stage
def iterate_stage(s: Floats, n: int, mass: float, lab: Laboratory) -> None:
    """Do one step of the fit for the first n events of the scratch."""
    for j in range(np.uint64(n)):
        phi1, kappa1, tan1 = s[j], s[_B + j], s[_B * np.uint64(2) + j]
        phi2, kappa2, tan2 = s[_B * np.uint64(3) + j], s[_B * np.uint64(4) + j], s[_B * np.uint64(5) + j]
        px1, py1, pz1 = momentum(phi1, kappa1, tan1)
        px2, py2, pz2 = momentum(phi2, kappa2, tan2)
        e1 = math.sqrt(px1 * px1 + py1 * py1 + pz1 * pz1 + mass * mass)
        e2 = math.sqrt(px2 * px2 + py2 * py2 + pz2 * pz2 + mass * mass)
        qx, qy, qz, qe = lab.px - px1 - px2, -py1 - py2, lab.pz - pz1 - pz2, lab.energy - e1 - e2
        f = qe * qe - qx * qx - qy * qy - qz * qz
        a1, b1, c1 = constraint_gradient(px1, py1, pz1, e1, kappa1, qx, qy, qz, qe)
        a2, b2, c2 = constraint_gradient(px2, py2, pz2, e2, kappa2, qx, qy, qz, qe)
        v = _B * np.uint64(_V) + j
        u1, w1, t1 = times_symmetric(
            s[v],
            s[v + _B],
            s[v + _B * np.uint64(2)],
            s[v + _B * np.uint64(3)],
            s[v + _B * np.uint64(4)],
            s[v + _B * np.uint64(5)],
            a1,
            b1,
            c1,
        )
        u2, w2, t2 = times_symmetric(
            s[v + _B * np.uint64(6)],
            s[v + _B * np.uint64(7)],
            s[v + _B * np.uint64(8)],
            s[v + _B * np.uint64(9)],
            s[v + _B * np.uint64(10)],
            s[v + _B * np.uint64(11)],
            a2,
            b2,
            c2,
        )
        variance = a1 * u1 + b1 * w1 + c1 * t1 + a2 * u2 + b2 * w2 + c2 * t2
        m = _B * np.uint64(_Y0) + j
        phi01, kappa01, tan01 = s[m], s[m + _B], s[m + _B * np.uint64(2)]
        phi02, kappa02, tan02 = s[m + _B * np.uint64(3)], s[m + _B * np.uint64(4)], s[m + _B * np.uint64(5)]
        step = a1 * (phi01 - phi1) + b1 * (kappa01 - kappa1) + c1 * (tan01 - tan1)
        step += a2 * (phi02 - phi2) + b2 * (kappa02 - kappa2) + c2 * (tan02 - tan2)
        multiplier = (f + step) / variance
        s[j] = phi01 - u1 * multiplier
        s[_B + j] = kappa01 - w1 * multiplier
        s[_B * np.uint64(2) + j] = tan01 - t1 * multiplier
        s[_B * np.uint64(3) + j] = phi02 - u2 * multiplier
        s[_B * np.uint64(4) + j] = kappa02 - w2 * multiplier
        s[_B * np.uint64(5) + j] = tan02 - t2 * multiplier
        s[_B * np.uint64(_CHI2) + j] = multiplier * multiplier * variance


@stage
def result_stage(s: Floats, n: int, mass: float, lab: Laboratory) -> None:
    """Write constraint, invariant mass, photon angle and momenta of the fitted tracks into the scratch."""
    for j in range(np.uint64(n)):
        px1, py1, pz1 = momentum(s[j], s[_B + j], s[_B * np.uint64(2) + j])
        px2, py2, pz2 = momentum(s[_B * np.uint64(3) + j], s[_B * np.uint64(4) + j], s[_B * np.uint64(5) + j])
        e1 = math.sqrt(px1 * px1 + py1 * py1 + pz1 * pz1 + mass * mass)
        e2 = math.sqrt(px2 * px2 + py2 * py2 + pz2 * pz2 + mass * mass)
        qx, qy, qz, qe = lab.px - px1 - px2, -py1 - py2, lab.pz - pz1 - pz2, lab.energy - e1 - e2
        s[_B * np.uint64(_CONSTRAINT) + j] = qe * qe - qx * qx - qy * qy - qz * qz
        mass2 = 2.0 * (mass * mass + e1 * e2 - (px1 * px2 + py1 * py2 + pz1 * pz2))
        s[_B * np.uint64(_MASS) + j] = math.sqrt(max(mass2, 0.0))
        s[_B * np.uint64(_THETA) + j] = polar_angle_cm(lab, qx, qy, qz, qe)
        p = _B * np.uint64(_P) + j
        s[p] = px1
        s[p + _B] = py1
        s[p + _B * np.uint64(2)] = pz1
        s[p + _B * np.uint64(3)] = px2
        s[p + _B * np.uint64(4)] = py2
        s[p + _B * np.uint64(5)] = pz2


#: Positions of the lower triangle of (phi0, kappa, tan_lambda) inside that of all five components.
_BLOCK_OF_COVARIANCE = (2, 4, 5, 11, 12, 14)


@stage
def load_stage(s: Floats, row: int, columns: tuple[Floats, ...], first: Keys) -> None:
    """Copy components of both tracks of every event of the block into rows of the scratch, track by track."""
    one, other = _B * np.uint64(row), _B * np.uint64(row + len(columns))
    for column in columns:
        for j in range(np.uint64(first.size)):
            s[one + j] = column[first[j]]
            s[other + j] = column[first[j] + np.uint64(1)]
        one += _B
        other += _B


@stage
def store_stage(s: Floats, events: Keys, hypothesis: int, status: Statuses, settled: Flags, results: Results) -> None:
    """Copy the results of one hypothesis to the events of the block, and which are settled."""
    chi2, mass, theta, fitted = results
    h, momenta = np.uint64(hypothesis), np.uint64(6 * hypothesis)
    for j in range(np.uint64(events.size)):
        i = events[j]
        f = abs(s[_B * np.uint64(_CONSTRAINT) + j])
        status[h, i] = CONVERGED if f < TOLERANCE else NOT_CONVERGED
        settled[h, i] = f < SETTLED
        chi2[h, i] = s[_B * np.uint64(_CHI2) + j]
        mass[h, i] = s[_B * np.uint64(_MASS) + j]
        theta[h, i] = s[_B * np.uint64(_THETA) + j]
        for k in range(6):
            fitted[momenta + np.uint64(k), i] = s[_B * np.uint64(_P + k) + j]


@stage
def _fit(
    tracks: tuple[tuple[Floats, ...], tuple[Floats, ...]],
    places: tuple[Keys, Keys],
    masses: Floats,
    hypotheses: Ints,
    steps: int,
    lab: Laboratory,
    status: Statuses,
    settled: Flags,
    results: Results,
) -> None:
    """Fit events of two tracks under hypotheses of their mass, block by block; places: event and its first track."""
    events, first = places
    s = np.zeros(ROWS * BLOCK)
    for start in range(0, events.size, BLOCK):
        stop = min(start + BLOCK, events.size)
        n = stop - start
        load_stage(s, _Y0, tracks[0], first[start:stop])
        load_stage(s, _V, tracks[1], first[start:stop])
        for hypothesis in hypotheses:
            s[: _Y0 * BLOCK] = s[_Y0 * BLOCK : _V * BLOCK]
            for _ in range(steps):
                iterate_stage(s, n, masses[hypothesis], lab)
            result_stage(s, n, masses[hypothesis], lab)
            store_stage(s, events[start:stop], hypothesis, status, settled, results)


@stage
def _clear(events: Ints, results: Results) -> None:
    """Write NaN where nothing is fitted."""
    for result in results:
        for row in result:
            for i in events:
                row[i] = math.nan


def _places(events: Ints, track_offsets: Ints) -> tuple[Keys, Keys]:
    """Return events and their first tracks."""
    return events.astype(_INDEX), track_offsets[events].astype(_INDEX)


def fit_missing_photon(
    helix: Floats,
    covariance: Floats,
    track_offsets: Ints,
    masses: tuple[float, ...],
    lab: Laboratory,
) -> dict[str, Any]:
    """Fit every event of exactly two tracks as l+ l- and one massless photon, once for each lepton mass.

    Parameters
    ----------
    helix, covariance : ndarray of shape (n_tracks, 5) and (n_tracks, 15)
        Tracks at the point of closest approach, in the laboratory.
    track_offsets : ndarray of shape (n_events + 1,)
    masses : tuple of float
        Mass hypotheses [GeV].
    lab : Laboratory
        Initial four-momentum, and the way to its centre of mass, where the photon's angle is taken.

    Returns
    -------
    dict of ndarray
        The `fit_*` columns of `RecoEvents`; NaN and `NOT_APPLICABLE` for events without exactly two tracks.
    """
    n_events, n_masses = len(track_offsets) - 1, len(masses)
    chi2, mass, theta = (np.empty((n_masses, n_events)) for _ in range(3))
    fitted = np.empty((6 * n_masses, n_events))
    status = np.full((n_masses, n_events), NOT_APPLICABLE, dtype=np.int32)
    settled = np.ones((n_masses, n_events), dtype=bool)
    pairs = np.diff(track_offsets) == 2
    events = np.flatnonzero(pairs)
    tracks = (
        tuple(helix[:, component] for component in (PHI0, KAPPA, TAN_LAMBDA)),
        tuple(covariance[:, component] for component in _BLOCK_OF_COVARIANCE),
    )
    constants = np.array(masses, dtype=np.float64)
    results = chi2, mass, theta, fitted
    places, hypotheses = _places(events, track_offsets), np.arange(n_masses)
    _fit(tracks, places, constants, hypotheses, STEPS[0], lab, status, settled, results)
    # those that need more steps, of all blocks together: a loop over two or three of them would be no SIMD
    for steps in STEPS[1:]:
        for hypothesis in hypotheses:
            late = np.flatnonzero(~settled[hypothesis])
            one = hypotheses[hypothesis : hypothesis + 1]
            _fit(tracks, _places(late, track_offsets), constants, one, steps, lab, status, settled, results)
    _clear(np.flatnonzero(~pairs), results)
    return {
        "fit_status": status.T,
        "fit_chi2": chi2.T,
        "fit_mass": mass.T,
        "fit_theta_gamma": theta.T,
        "fit_momentum": fitted.T,
    }
