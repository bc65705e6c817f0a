"""What a measured track leaves in the drift chamber's ionisation, the time-of-flight counters and the muon counter."""

import numpy as np

from ..arrays import Floats, Keys
from ..detector import dedx, muc, tof
from ..detector.muc_table import muc_table
from ..event import D_RHO, DZ, KAPPA, TAN_LAMBDA, Ints
from ..geometry.card import Card
from ..kernel import BLOCK, stage
from ..rng import DEDX_STREAM, EVENT_TIME_STREAM, TOF_STREAM, normal2, uniform, words
from .particles import Particles


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
def event_time_stage(k0: np.uint64, k1: np.uint64, event: Keys, constants: tof.TofParameters, time: Floats) -> None:
    """Add the error of the event time, common to all tracks of an event: a normal one, and rarely a wrong bunch."""
    for i in range(np.uint64(event.size)):
        a, b, c, _ = words(k0, k1, event[i], np.uint64(0), EVENT_TIME_STREAM, np.uint64(0))
        g, _ = normal2(a, b)
        u = uniform(c)
        bunch = constants.bunch_spacing if u < 0.5 * constants.wrong_bunch_fraction else -constants.bunch_spacing
        bunch = bunch if u < constants.wrong_bunch_fraction else 0.0
        time[i] += constants.event_time_sigma * g + constants.time_offset + bunch


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
    measured = np.empty(len(p))
    _ionise(dedx.parameters(card), k0, k1, event, particle, mass, p, n_hits, sine, measured)
    return measured


@stage
def _ionise(
    constants: dedx.DedxParameters,
    k0: np.uint64,
    k1: np.uint64,
    event: Keys,
    particle: Keys,
    mass: Floats,
    p: Floats,
    n_hits: Floats,
    sine: Floats,
    measured: Floats,
) -> None:
    """Fill dE/dx, block by block."""
    scratch = np.empty((2, BLOCK))
    for first in range(0, p.size, BLOCK):
        s = slice(first, min(first + BLOCK, p.size))
        g, u = scratch[0, : s.stop - first], scratch[1, : s.stop - first]
        draw_stage(k0, k1, event[s], particle[s], DEDX_STREAM, g, u)
        dedx.dedx_stage(p[s], mass[s], n_hits[s], sine[s], g, u, constants, measured[s])


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
    time, path, sigma = np.empty(len(p)), np.empty(len(p)), np.empty(len(p))
    scale = 1.0 if card.tof.smear else 0.0
    helices = np.ascontiguousarray(true_helix.T), np.ascontiguousarray(helix.T)
    _fly(tof.parameters(card), scale, k0, k1, event, particle, mass, p, helices, time, path, sigma)
    return time, path, sigma


@stage
def _fly(
    constants: tof.TofParameters,
    scale: float,
    k0: np.uint64,
    k1: np.uint64,
    event: Keys,
    particle: Keys,
    mass: Floats,
    p: Floats,
    helices: tuple[Floats, Floats],
    time: Floats,
    path: Floats,
    sigma: Floats,
) -> None:
    """Fill what the counters say, block by block; true and measured helices are of shape (5, n)."""
    scratch = np.empty((4, BLOCK))
    true, measured = helices
    for first in range(0, p.size, BLOCK):
        s = slice(first, min(first + BLOCK, p.size))
        n = s.stop - first
        g, u, true_path, true_sigma = scratch[0, :n], scratch[1, :n], scratch[2, :n], scratch[3, :n]
        draw_stage(k0, k1, event[s], particle[s], TOF_STREAM, g, u)
        if scale == 0.0:
            g[:] = 0.0
        at = true[D_RHO, s], true[KAPPA, s], true[DZ, s], true[TAN_LAMBDA, s]
        tof.counter_stage(at[0], at[1], at[2], at[3], u, constants, true_path, true_sigma)
        tof.time_stage(true_path, p[s], mass[s], true_sigma, g, constants, time[s])
        event_time_stage(k0, k1, event[s], constants, time[s])
        at = measured[D_RHO, s], measured[KAPPA, s], measured[DZ, s], measured[TAN_LAMBDA, s]
        tof.counter_stage(at[0], at[1], at[2], at[3], u, constants, path[s], sigma[s])
        tof.finish_stage(constants.event_time_sigma, time[s], path[s], sigma[s])


def add_delays(particles: Particles, rows: Ints, mass: Floats, bz: float, time: Floats) -> None:
    """Add to measured times [ns] what particles have lost that were not produced in the collision.

    Those produced at the interaction point, within a millimetre or so of their closest approach, are left alone.
    """
    late = np.flatnonzero(particles.time[rows] != 0.0)
    if not len(late):
        return
    of = rows[late]
    delays = particles.time[of]
    place = particles.x[of], particles.y[of]
    momentum = particles.px[of], particles.py[of], particles.pz[of]
    tof.delay_stage(place, momentum, particles.charge[of], mass[late], bz, delays)
    time[late] += delays


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
) -> tuple[Floats, Floats, Floats]:
    """Return depth in the muon counter [cm], NaN outside its chambers, layers hit, and distance to the hits [cm]."""
    depth, layers, residual = np.empty(len(p)), np.empty(len(p)), np.empty(len(p))
    constants, table = muc.parameters(card), muc_table(card)
    _penetrate(constants, table, k0, k1, event, particle, p, cosine, phi, species, depth, layers, residual)
    return depth, layers, residual


@stage
def _penetrate(
    constants: muc.MucParameters,
    table: Floats,
    k0: np.uint64,
    k1: np.uint64,
    event: Keys,
    particle: Keys,
    p: Floats,
    cosine: Floats,
    phi: Floats,
    species: Keys,
    depth: Floats,
    layers: Floats,
    residual: Floats,
) -> None:
    """Fill what the muon counter says, block by block."""
    for first in range(0, p.size, BLOCK):
        s = slice(first, min(first + BLOCK, p.size))
        keys = event[s], particle[s]
        results = depth[s], layers[s], residual[s]
        muc.muc_stage(k0, k1, keys[0], keys[1], p[s], cosine[s], phi[s], species[s], table, constants, *results)
