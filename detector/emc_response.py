"""Measured energies of photons and electrons: early showers, leakage, resolution."""

import math

import numpy as np

from ..arrays import Floats
from ..elementary import log, split_index
from ..kernel import kernel, stage
from .emc import EmcParameters, cos_edges, energy_sigma, line_shape
from .leakage import ELECTRON_SHOWER, FIRST_DEPTH, N_DEPTHS, N_ENERGIES, PER_DEPTH, PHOTON_SHOWER, START_DEPTH

_LN_LOWEST = -5.298317366548036  # of LOWEST
_PER_LN = 2.8853900817779268
_CALIBRATIONS = N_ENERGIES * N_DEPTHS
_ONE, _TWO = np.uint64(1), np.uint64(2)
_ROW = np.uint64(N_DEPTHS)


@kernel
def start_of_shower(u: float, cosine: float, kind: int, constants: EmcParameters) -> tuple[float, float]:
    """Return the depth [X0] at which a shower begins and what it loses before [GeV], from a uniform.

    Exponential with mean 9/7 X0 for photons (PDG 2022, eq. 34.32). The matter in front is part of the path: a photon
    that converts there loses the ionisation of two particles on the rest of the way. What electrons lose there is
    contained in their calibration.
    """
    edge, _, _ = cos_edges(cosine, constants)
    abs_cos = abs(cosine)
    central = abs_cos < edge
    towards = math.sqrt(max(1.0 - abs_cos * abs_cos, 1e-6)) if central else abs_cos
    thickness = (constants.barrel.front_thickness if central else constants.endcap.front_thickness) / towards
    loss = (constants.barrel.front_loss if central else constants.endcap.front_loss) / towards
    is_photon = kind == PHOTON_SHOWER
    mean = START_DEPTH[PHOTON_SHOWER] if is_photon else START_DEPTH[ELECTRON_SHOWER]
    start = -log(u) * mean - (thickness if is_photon else 0.0)
    crossed = -start / max(thickness, 1e-12)
    return start, 2.0 * loss * crossed * constants.front_lost if start < 0.0 else 0.0


@kernel
def table_place(energy: float, start: float) -> tuple[float, float]:
    """Return the coordinates of an energy [GeV] and of the depth [X0] where its shower begins, in table nodes."""
    x = (log(max(energy, 1e-6)) - _LN_LOWEST) * _PER_LN
    y = (start - FIRST_DEPTH) * PER_DEPTH
    return min(max(x, 0.0), N_ENERGIES - 1.001), min(max(y, 0.0), N_DEPTHS - 1.001)


@kernel
def contained(x: float, y: float, region: np.uint64, table: Floats) -> tuple[float, float]:
    """Return (calibrated part of the energy that stays in the crystals, part of the resolution) at table coordinates.

    `region` is 2 kind + (0 in the barrel, 1 in the endcaps).
    """
    i, f = split_index(x)
    j, h = split_index(y)
    node = i * _ROW + j
    low: float = table[node] + h * (table[node + _ONE] - table[node])
    node = node + _ROW
    high: float = table[node] + h * (table[node + _ONE] - table[node])
    node = np.uint64(_CALIBRATIONS) + np.uint64(2 * N_ENERGIES) * region + _TWO * i
    scale: float = table[node] + f * (table[node + _TWO] - table[node])
    rest: float = table[node + _ONE] + f * (table[node + _TWO + _ONE] - table[node + _ONE])
    return (1.0 - (low + f * (high - low))) * scale, rest


@stage
def start_stage(
    energy: Floats, cosine: Floats, u: Floats, kind: int, constants: EmcParameters, x: Floats, y: Floats, kept: Floats
) -> None:
    """Fill the places of showers in the table, and the energy [GeV] that enters the crystals."""
    for i in range(np.uint64(energy.size)):
        start, lost = start_of_shower(u[i], cosine[i], kind, constants)
        x[i], y[i] = table_place(energy[i], start)
        kept[i] = max(energy[i] - lost, 0.0)


@stage
def contained_stage(
    x: Floats, y: Floats, cosine: Floats, kind: int, table: Floats, constants: EmcParameters, kept: Floats, rest: Floats
) -> None:
    """Take away what leaks out at the rear, and fill the part of the resolution that is not due to leakage."""
    for i in range(np.uint64(x.size)):
        edge, _, _ = cos_edges(cosine[i], constants)
        region = np.uint64(2 * kind) + (np.uint64(0) if abs(cosine[i]) < edge else np.uint64(1))
        part, rest[i] = contained(x[i], y[i], region, table)
        kept[i] *= part


@stage
def smear_stage(
    energy: Floats, cosine: Floats, kept: Floats, rest: Floats, g: Floats, constants: EmcParameters, measured: Floats
) -> None:
    """Fill measured energies [GeV], never negative, from what is contained and a normal."""
    for i in range(np.uint64(energy.size)):
        sigma = constants.smear * rest[i] * energy_sigma(energy[i], cosine[i], constants)
        measured[i] = max(kept[i] + sigma * line_shape(g[i], constants), 0.0)


@stage
def energy_stage(
    energy: Floats,
    cosine: Floats,
    u: Floats,
    g: Floats,
    kind: int,
    table: Floats,
    constants: EmcParameters,
    scratch: tuple[Floats, Floats, Floats],
    measured: Floats,
) -> None:
    """Fill measured energies [GeV] of photons or electrons from true ones and cos(theta) of the impact.

    From a uniform and a normal. Most probable value and full width at half maximum are the true energy and the card's
    resolution, with or without leakage, which decides the shape: see `leakage_table`. `scratch` is as long.
    """
    x, y, rest = scratch
    start_stage(energy, cosine, u, kind, constants, x, y, measured)
    contained_stage(x, y, cosine, kind, table, constants, measured, rest)
    smear_stage(energy, cosine, measured, rest, g, constants, measured)
