"""What a measured track leaves in the drift chamber's ionisation, the time-of-flight counters and the muon counter."""

import numpy as np

from ..arrays import Floats, Keys
from ..detector import dedx, muc, tof
from ..detector.muc_table import muc_table
from ..event import D_RHO, DZ, KAPPA, TAN_LAMBDA
from ..geometry.card import Card
from ..kernel import blocks, stage
from ..rng import DEDX_STREAM, EVENT_TIME_STREAM, TOF_STREAM, normal2, uniform, words


@stage
def draw_stage(
    k0: np.uint64, k1: np.uint64, event: Keys, particle: Keys, stream: np.uint64, g: Floats, u: Floats
) -> None:
    """Draw one normal and one uniform per particle."""
    for i in range(np.uint64(event.size)):
        a, b, c, _ = words(k0, k1, event[i], particle[i], stream, np.uint64(0))
        g[i], _ = normal2(a, b)
        u[i] = uniform(c)


@stage
def event_time_stage(k0: np.uint64, k1: np.uint64, event: Keys, sigma: float, time: Floats) -> None:
    """Add the error of the event time, common to all tracks of an event."""
    for i in range(np.uint64(event.size)):
        a, b, _, _ = words(k0, k1, event[i], np.uint64(0), EVENT_TIME_STREAM, np.uint64(0))
        g, _ = normal2(a, b)
        time[i] += sigma * g


def measure_dedx(
    event: Keys,
    particle: Keys,
    mass: Floats,
    p: Floats,
    n_hits: Floats,
    sine: Floats,
    card: Card,
    k0: np.uint64,
    k1: np.uint64,
) -> Floats:
    """Return dE/dx of tracks over the plateau; NaN with too few hits."""
    g, u, measured = np.empty(len(p)), np.empty(len(p)), np.empty(len(p))
    constants = dedx.parameters(card)
    for s in blocks(len(p)):
        draw_stage(k0, k1, event[s], particle[s], DEDX_STREAM, g[s], u[s])
        dedx.dedx_stage(p[s], mass[s], n_hits[s], sine[s], g[s], u[s], constants, measured[s])
    return measured


def measure_tof(
    event: Keys,
    particle: Keys,
    mass: Floats,
    p: Floats,
    true_helix: Floats,
    helix: Floats,
    card: Card,
    k0: np.uint64,
    k1: np.uint64,
) -> tuple[Floats, Floats, Floats]:
    """Return time of flight [ns], path of the measured helix [cm] and resolution [ns]; NaN without a counter."""
    n = len(p)
    g, u, zero = np.empty(n), np.empty(n), np.zeros(n)
    true_path, sigma, time, path, expected_sigma = (np.empty(n) for _ in range(5))
    constants = tof.parameters(card)
    for s in blocks(n):
        draw_stage(k0, k1, event[s], particle[s], TOF_STREAM, g[s], u[s])
        if not card.tof.smear:
            g[s] = 0.0
        tof.counter_stage(*_columns(true_helix, s), u[s], constants, true_path[s], sigma[s])
        tof.time_stage(true_path[s], p[s], mass[s], sigma[s], g[s], time[s])
        event_time_stage(k0, k1, event[s], card.tof.event_time_sigma, time[s])
        tof.counter_stage(*_columns(helix, s), zero[s], constants, path[s], expected_sigma[s])
    # the error of the event time belongs to every measured time
    total_sigma = np.sqrt(expected_sigma**2 + card.tof.event_time_sigma**2)
    seen = np.isfinite(time) & np.isfinite(path)
    return np.where(seen, time, np.nan), np.where(seen, path, np.nan), np.where(seen, total_sigma, np.nan)


def measure_muc(
    event: Keys,
    particle: Keys,
    species: Keys,
    p: Floats,
    cosine: Floats,
    phi: Floats,
    card: Card,
    k0: np.uint64,
    k1: np.uint64,
) -> tuple[Floats, Floats]:
    """Return depth in the muon counter [cm], NaN outside its chambers, and layers hit."""
    depth, layers = np.empty(len(p)), np.empty(len(p))
    constants, table = muc.parameters(card), muc_table(card)
    for s in blocks(len(p)):
        columns = event[s], particle[s], p[s], cosine[s], phi[s], species[s]
        muc.muc_stage(k0, k1, *columns, table, constants, depth[s], layers[s])
    return depth, layers


def _columns(helix: Floats, s: slice) -> tuple[Floats, Floats, Floats, Floats]:
    return helix[s, D_RHO], helix[s, KAPPA], helix[s, DZ], helix[s, TAN_LAMBDA]
