"""How fast the chain is, per core and part: thread time, best of several, and against a plain loop over particles.

    python3 benchmarks/chain.py

The plain loop does what the stages of a track do (helix, interpolated 5x5 smearing, covariance, impact, time of flight,
dE/dx) with the same formulas, one particle after the other, and the logarithms, sines and so on of the mathematical
library. Both are compiled by numba with the same options; only the form differs.
"""

import importlib
import math
import time
import types
from typing import Any

import numba
import numpy as np
from besfast import elementary, kernel
from besfast.analysis.search_card import load_search
from besfast.analysis.selection import select
from besfast.detector import dedx, emc, tof, track_table
from besfast.geometry.card import load_card
from besfast.geometry.helix import helix_at_origin
from besfast.kernel import BLOCK, blocks
from besfast.memory import keep_freed_memory
from besfast.reco.reconstruct import reconstruct
from besfast.rng import DEDX_STREAM, TOF_STREAM, TRACK_STREAM, key, normal2, uniform, words
from besfast.sim import counters, track_stages
from besfast.sim.generate import Generator
from besfast.sim.simulate import simulate
from timing import processor, seconds

# `besfast.sim.simulate` is the module, whose function has the same name
simulation = importlib.import_module("besfast.sim.simulate")
EVENTS = 65_536
REPETITIONS = 7
CARD = load_card("besiii")
K0, K1 = key(2)
#: What `simulate` does, in this order; the counters behind the chamber last.
PARTS = (
    "final_state",
    "decay_in_flight",
    "convert_photons",
    "radiate",
    "measure_tracks",
    "shower_columns",
    "covariances",
    "measure_dedx",
    "measure_tof",
    "measure_muc",
)


def chain(process: str) -> dict[str, float]:
    """Return ns per event of each step of the chain for one process."""
    generator = Generator(process, seed=1)
    search = load_search("besiii_dark_photon")
    cuts, mass_range = search.cuts_by_channel(), search.spectrum.mass_range()
    truth = generator.events(0, EVENTS)
    record = simulate(truth, CARD, seed=2)
    events = reconstruct(record, CARD)
    keep_freed_memory()  # as the pipeline does
    steps = {
        "generate": lambda: generator.events(0, EVENTS),
        "simulate": lambda: simulate(truth, CARD, seed=2),
        "reconstruct": lambda: reconstruct(record, CARD),
        "select": lambda: select(events, cuts, mass_range),
        "whole chain": lambda: select(
            reconstruct(simulate(generator.events(0, EVENTS), CARD, seed=2), CARD), cuts, mass_range
        ),
    }
    return {name: 1e9 * seconds(step, REPETITIONS) / EVENTS for name, step in steps.items()}


def shares(process: str) -> dict[str, float]:
    """Return ns per event of the parts of the simulation, as `simulate` calls them, with everything on."""
    truth, times = Generator(process, seed=1).events(0, EVENTS), dict.fromkeys(PARTS, 0.0)
    originals = {name: getattr(simulation, name) for name in PARTS}

    def timed(name: str) -> Any:
        def part(*arguments: Any) -> Any:
            start = time.thread_time()
            result = originals[name](*arguments)
            times[name] += time.thread_time() - start
            return result

        return part

    best = dict.fromkeys(PARTS, math.inf)
    try:
        for name in PARTS:
            setattr(simulation, name, timed(name))
        for _ in range(REPETITIONS):
            simulate(truth, CARD, seed=2)
            best = {name: min(best[name], times[name]) for name in PARTS}
            times.update(dict.fromkeys(PARTS, 0.0))
    finally:
        for name, original in originals.items():
            setattr(simulation, name, original)
    return {name: 1e9 * least / EVENTS for name, least in best.items()}


# --- the plain loop -------------------------------------------------------------------------------------------------

_njit: Any = numba.njit(error_model="numpy")


@_njit
def _sincos(x: float) -> tuple[float, float]:
    return math.sin(x), math.cos(x)


@_njit
def _sincos2pi(u: float) -> tuple[float, float]:
    return math.sin(2.0 * math.pi * u), math.cos(2.0 * math.pi * u)


@_njit
def _split_index(x: float) -> tuple[int, float]:
    return int(x), x - math.floor(x)


LIBRARY: dict[Any, Any] = {
    elementary.log: math.log,
    elementary.exp: math.exp,
    elementary.sincos: _sincos,
    elementary.sincos2pi: _sincos2pi,
    elementary.atan2: math.atan2,
    elementary.split_index: _split_index,
}
_plain: dict[Any, Any] = {}


def plain(formula: Any) -> Any:
    """Return a formula of the package over the mathematical library: same code, other elementary functions."""
    if formula not in _plain:
        function = formula.py_func
        scope = dict(function.__globals__)
        for name in function.__code__.co_names:
            value = scope.get(name)
            if hasattr(value, "py_func") and value in LIBRARY:
                scope[name] = LIBRARY[value]
            elif hasattr(value, "py_func"):
                scope[name] = plain(value)
        _plain[formula] = _njit(types.FunctionType(function.__code__, scope, function.__name__))
    return _plain[formula]


def plain_loop() -> Any:
    """Return the loop over particles."""
    helix, normals, random_words = plain(helix_at_origin), plain(normal2), plain(words)
    random_uniform, counter, expected_time = plain(uniform), plain(tof.counter), plain(tof.expected_time)
    ionisation, impact, layers = plain(dedx.measured_dedx), plain(emc.track_impact), plain(tof.layer_factor)
    n_p, n_cos, entries = track_table.N_P, track_table.N_COS, track_table.ENTRIES
    cos_max, block0, block1 = track_table.COS_MAX, np.uint64(0), np.uint64(1)

    @_njit
    def loop(keys, event, particle, state, mass, table, grid, tail, constants, out):  # type: ignore[no-untyped-def]
        k0, k1 = keys
        log_p_min, per_log_p, bz = grid
        tofs, dedxs, emcs = constants
        factor, g = np.empty(16), np.empty(5)
        for i in range(event.size):
            x, y, z, px, py, pz, charge = state[i]
            true = helix(x, y, z, px, py, pz, charge, bz)
            p = math.sqrt(px * px + py * py + pz * pz)
            u = min(max((math.log(p) - log_p_min) * per_log_p, 0.0), n_p - 1.001)
            v = min(max((charge * pz / p + cos_max) * ((n_cos - 1) / (2.0 * cos_max)), 0.0), n_cos - 1.001)
            a, b = int(u), int(v)
            fp, fc = u - a, v - b
            node = ((n_p + a) * n_cos + b) * entries
            for k in range(entries):
                low = table[node + k] + fc * (table[node + entries + k] - table[node + k])
                up = node + n_cos * entries + k
                high = table[up] + fc * (table[up + entries] - table[up])
                factor[k] = low + fp * (high - low)
            w0, w1, w2, w3 = random_words(k0, k1, event[i], particle[i], TRACK_STREAM, block0)
            g[0], g[1] = normals(w0, w1)
            g[2], g[3] = normals(w2, w3)
            w0, w1, w2, w3 = random_words(k0, k1, event[i], particle[i], TRACK_STREAM, block1)
            g[4], _ = normals(w0, w1)
            size = 2.0 if random_uniform(w2) < tail else 1.0
            for k in range(5):
                deviation = 0.0
                for m in range(k + 1):
                    deviation += factor[k * (k + 1) // 2 + m] * g[m]
                out[i, k] = true[k] + size * deviation
            entry = 5
            for k in range(5):
                for m in range(k + 1):
                    total = 0.0
                    for j in range(m + 1):
                        total += factor[k * (k + 1) // 2 + j] * factor[m * (m + 1) // 2 + j]
                    out[i, entry] = total
                    entry += 1
            ix, iy, iz, out[i, 20] = impact(true[0], true[1], true[2], true[3], true[4], emcs)
            out[i, 21], out[i, 22] = math.atan2(math.sqrt(ix * ix + iy * iy), iz), math.atan2(iy, ix)
            w0, w1, w2, w3 = random_words(k0, k1, event[i], particle[i], TOF_STREAM, block0)
            g0, _ = normals(w0, w1)
            path, sigma, efficiency = counter(true[0], true[2], true[3], true[4], tofs)
            u = random_uniform(w2)
            sigma = sigma * layers(u, efficiency, true[4], tofs)
            path = path if u < efficiency else math.nan
            out[i, 23] = expected_time(path, p, mass[i]) + sigma * g0
            w0, w1, w2, w3 = random_words(k0, k1, event[i], particle[i], DEDX_STREAM, block0)
            g0, _ = normals(w0, w1)
            sine = math.sqrt(px * px + py * py) / p
            out[i, 24] = ionisation(p, mass[i], factor[15], sine, g0, random_uniform(w2), dedxs)

    return loop


def stages(event: Any, particle: Any, state: Any, mass: Any, out: Any, s: Any) -> None:
    """Do the same with the package's stages, block by block."""
    table, tofs, dedxs, emcs = track_table.track_table(CARD), tof.parameters(CARD), dedx.parameters(CARD), CRYSTALS
    rows = s.reshape(track_stages.ROWS, BLOCK)
    node, g, u = np.empty(BLOCK, dtype=np.uint64), np.empty(BLOCK), np.empty(BLOCK)
    path, sigma = np.empty(BLOCK), np.empty(BLOCK)
    factors, covariance = np.empty(16 * BLOCK), np.empty(15 * BLOCK)
    grid = table.log_p_min, table.per_log_p, table.negative
    for block in blocks(len(event)):
        n = block.stop - block.start
        e, q = event[block], particle[block]
        rows[19:26, :n] = state[:, block]
        track_stages.helix_stage(s, n, CARD.field.bz)
        p, signed_cosine, fp, fc = rows[17, :n], rows[27, :n], rows[30, :n], rows[31, :n]
        track_table.locate_stage(p, signed_cosine, state[6, block], 1, grid, node[:n], fp, fc)
        track_table.interpolate_stage(table.values, node[:n], fp, fc, factors)
        track_stages.draw_stage(K0, K1, e, q, s)
        track_table.smear_stage(factors, s, n, 1.0, CARD.mdc.tail_fraction, CARD.mdc.tail_scale)
        track_table.covariance_stage(factors, 1.0, n, covariance)
        out[:5, block], out[5:20, block] = rows[11:16, :n], covariance.reshape(15, BLOCK)[:, :n]
        d_rho, phi0, kappa, dz, tan_lambda = rows[6:11, :n]
        emc.track_impact_stage(d_rho, phi0, kappa, dz, tan_lambda, emcs, out[21, block], out[22, block], out[20, block])
        counters.draw_stage(K0, K1, e, q, TOF_STREAM, g[:n], u[:n])
        tof.counter_stage(d_rho, kappa, dz, tan_lambda, u[:n], tofs, path[:n], sigma[:n])
        tof.time_stage(path[:n], p, mass[block], sigma[:n], g[:n], tofs, out[23, block])
        counters.draw_stage(K0, K1, e, q, DEDX_STREAM, g[:n], u[:n])
        sine = rows[28, :n] / p
        dedx.dedx_stage(p, mass[block], factors[15 : 16 * n : 16], sine, g[:n], u[:n], dedxs, out[24, block])


CRYSTALS = emc.parameters(CARD)


def against_a_plain_loop() -> tuple[float, float]:
    """Return ns per particle of the plain loop and of the stages, after comparing what they give."""
    truth = Generator("mumu_isr", seed=1).events(0, EVENTS)
    muons = np.flatnonzero(truth.charge != 0)
    names = ("vx", "vy", "vz", "px", "py", "pz", "charge")
    state = np.stack([getattr(truth, name)[muons].astype(np.float64) for name in names])
    event = np.repeat(truth.number, 3)[muons].astype(np.uint64)
    particle = (muons % 3).astype(np.uint64)
    mass = np.full(len(muons), 0.1056583755)
    table = track_table.track_table(CARD)
    by_particle, columns = np.empty((len(muons), 25)), np.empty((25, len(muons)))
    rows, loop, scratch = np.ascontiguousarray(state.T), plain_loop(), np.zeros(track_stages.ROWS * BLOCK)
    constants = (tof.parameters(CARD), dedx.parameters(CARD), CRYSTALS)
    grid, tail = (table.log_p_min, table.per_log_p, CARD.field.bz), CARD.mdc.tail_fraction
    slow = seconds(
        lambda: loop((K0, K1), event, particle, rows, mass, table.values, grid, tail, constants, by_particle)
    )
    fast = seconds(lambda: stages(event, particle, state, mass, columns, scratch))
    central = np.abs(state[5]) < 0.9 * np.sqrt((state[3:6] ** 2).sum(axis=0))
    assert np.allclose(by_particle[central], columns.T[central], rtol=1e-6, atol=1e-9, equal_nan=True)
    return 1e9 * slow / len(muons), 1e9 * fast / len(muons)


def main() -> None:
    """Print the table."""
    print(f"{processor()}, numba {numba.__version__}, one core, {EVENTS} events, best of {REPETITIONS}, thread time")
    assert kernel.JIT
    for process in ("mumu_isr", "ee_bhabha"):
        times = chain(process)
        print(process)
        for name, ns in times.items():
            print(f"  {name:12} {ns:7.0f} ns/event  {1e3 / ns:6.2f} M events/s")
        for name, ns in shares(process).items():
            print(f"    simulate: {name:18} {ns:6.0f} ns/event  {100.0 * ns / times['simulate']:3.0f} %")
    slow, fast = against_a_plain_loop()
    print(f"tracks: plain loop {slow:.0f} ns/particle, stages {fast:.0f} ns/particle, ratio {slow / fast:.1f}")


if __name__ == "__main__":
    main()
