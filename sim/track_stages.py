"""Stages of the simulation of tracks, over the rows of one scratch: true helices, flags, draws, hits, errors."""

import math

import numpy as np

from ..arrays import Bools, Floats, Keys
from ..constants import ALPHA_T
from ..detector.track_efficiency import TrackEfficiency, drawn_hits, found_probability
from ..detector.track_table import ENTRIES, P_MIN
from ..geometry.helix import helix_at_origin
from ..kernel import BLOCK, stage
from ..rng import TRACK_EFFICIENCY_STREAM, TRACK_STREAM, normal2, uniform, words

_B = np.uint64(BLOCK)

# rows of the scratch; 0 to 15 are those of smear_stage, 6 to 18 those of the columns of `Tracks`
NORMALS, TAIL, TRUE, MEASURED = 0, 5, 6, 11
N_HITS, P, STATUS = range(16, 19)
X, Y, Z, PX, PY, PZ, CHARGE, STOP = range(19, 27)
SIGNED_COS, PT, FOUND, FP, FC, U_HITS, START, INBOUND, AWAY, KEPT = range(27, 37)
#: Share of the matter crossed; normals of the energy loss, then what the errors grow by.
SHARE, LOSS = 37, 38
ROWS = 39

# flags of `track_status`, as numbers to be added
CURLS, DISPLACED, ENDS, STAND_IN = 1.0, 2.0, 4.0, 8.0

#: A track from closer than this to the beam line, and to the origin along it [cm], has the covariance of one from the
#: origin: to 1 % of its errors.
NEAR_AXIS, NEAR_ORIGIN = 0.5, 5.0


@stage
def helix_stage(s: Floats, n: int, bz: float) -> None:
    """Write the true helix and p, pt, charge * cos(theta) of the first n particles of the scratch."""
    for j in range(np.uint64(n)):
        px, py, pz = s[_B * np.uint64(PX) + j], s[_B * np.uint64(PY) + j], s[_B * np.uint64(PZ) + j]
        charge = s[_B * np.uint64(CHARGE) + j]
        # along the beam exactly there is no helix: a tenth of an eV keeps the numbers finite, and no layer is crossed
        px = 1e-10 if px * px + py * py == 0.0 else px
        d_rho, phi0, kappa, dz, tan_lambda = helix_at_origin(
            s[_B * np.uint64(X) + j], s[_B * np.uint64(Y) + j], s[_B * np.uint64(Z) + j], px, py, pz, charge, bz
        )
        s[_B * np.uint64(TRUE) + j] = d_rho
        s[_B * np.uint64(TRUE + 1) + j] = phi0
        s[_B * np.uint64(TRUE + 2) + j] = kappa
        s[_B * np.uint64(TRUE + 3) + j] = dz
        s[_B * np.uint64(TRUE + 4) + j] = tan_lambda
        pt = math.sqrt(px * px + py * py)
        p = math.sqrt(px * px + py * py + pz * pz)
        sign = 1.0 if charge > 0.0 else -1.0
        s[_B * np.uint64(P) + j] = p
        s[_B * np.uint64(PT) + j] = pt
        s[_B * np.uint64(SIGNED_COS) + j] = sign * pz / p


@stage
def status_stage(s: Floats, n: int, bz: float, free_radius: float, last_radius: float) -> None:
    """Write where the first n tracks begin, and whether they curl, begin away from the beam line or end inside.

    `free_radius` is where matter begins, `last_radius` that of the last layer of the chamber.
    """
    for j in range(np.uint64(n)):
        x, y = s[_B * np.uint64(X) + j], s[_B * np.uint64(Y) + j]
        d_rho, dz = s[_B * np.uint64(TRUE) + j], s[_B * np.uint64(TRUE + 3) + j]
        start = math.sqrt(x * x + y * y)
        outwards = x * s[_B * np.uint64(PX) + j] + y * s[_B * np.uint64(PY) + j]
        reach = abs(d_rho + 2.0 * (ALPHA_T / bz) / s[_B * np.uint64(TRUE + 2) + j])
        status = CURLS if reach < last_radius else 0.0
        away = (start > free_radius) | (abs(d_rho) > NEAR_AXIS) | (abs(dz) > NEAR_ORIGIN)
        status += DISPLACED if away else 0.0
        status += ENDS if s[_B * np.uint64(STOP) + j] < last_radius else 0.0
        s[_B * np.uint64(START) + j] = start
        s[_B * np.uint64(INBOUND) + j] = 1.0 if outwards < 0.0 else 0.0
        s[_B * np.uint64(AWAY) + j] = 1.0 if away else 0.0
        s[_B * np.uint64(STATUS) + j] = status
        s[_B * np.uint64(KEPT) + j] = 1.0


@stage
def draw_stage(k0: np.uint64, k1: np.uint64, event: Keys, particle: Keys, s: Floats) -> None:
    """Draw the five normals and the uniforms of the tails and of the missing hits of every track."""
    for j in range(np.uint64(event.size)):
        a, b, c, d = words(k0, k1, event[j], particle[j], TRACK_STREAM, np.uint64(0))
        g0, g1 = normal2(a, b)
        g2, g3 = normal2(c, d)
        a, b, c, d = words(k0, k1, event[j], particle[j], TRACK_STREAM, np.uint64(1))
        g4, _ = normal2(a, b)
        s[_B * np.uint64(NORMALS) + j] = g0
        s[_B * np.uint64(NORMALS + 1) + j] = g1
        s[_B * np.uint64(NORMALS + 2) + j] = g2
        s[_B * np.uint64(NORMALS + 3) + j] = g3
        s[_B * np.uint64(NORMALS + 4) + j] = g4
        s[_B * np.uint64(TAIL) + j] = uniform(c)
        s[_B * np.uint64(U_HITS) + j] = uniform(d)


@stage
def found_stage(
    k0: np.uint64, k1: np.uint64, event: Keys, particle: Keys, factors: Floats, s: Floats, efficiency: TrackEfficiency
) -> None:
    """Draw the hits among the layers crossed, and decide which tracks are found."""
    for j in range(np.uint64(event.size)):
        a, _, _, _ = words(k0, k1, event[j], particle[j], TRACK_EFFICIENCY_STREAM, np.uint64(0))
        crossed = factors[j * np.uint64(ENTRIES) + np.uint64(ENTRIES - 1)]
        hits = drawn_hits(crossed, s[_B * np.uint64(U_HITS) + j], efficiency)
        pt, cosine = s[_B * np.uint64(PT) + j], s[_B * np.uint64(SIGNED_COS) + j]
        probability = found_probability(pt, cosine, s[_B * np.uint64(AWAY) + j], efficiency)
        # the table of the layers ends at P_MIN, where a track still bends back inside the chamber
        enough = (hits >= efficiency.min_hits) & (s[_B * np.uint64(P) + j] >= P_MIN)
        kept = uniform(a) < probability * s[_B * np.uint64(KEPT) + j]
        s[_B * np.uint64(N_HITS) + j] = hits
        s[_B * np.uint64(FOUND) + j] = 1.0 if kept & enough else 0.0


@stage
def widen_stage(factors: Floats, s: Floats, n: int) -> None:
    """Multiply the errors of kappa of the first n tracks, the third row of their factors, by what row LOSS says."""
    for j in range(np.uint64(n)):
        first = j * np.uint64(ENTRIES)
        g = s[_B * np.uint64(LOSS) + j]
        factors[first + np.uint64(3)] *= g
        factors[first + np.uint64(4)] *= g
        factors[first + np.uint64(5)] *= g


@stage
def found_flag_stage(s: Floats, found: Bools) -> None:
    """Fill whether tracks are found from the row of the scratch."""
    for j in range(np.uint64(found.size)):
        found[j] = s[_B * np.uint64(FOUND) + j] > 0.5
