"""Measured energies of photons and electrons: early showers, leakage, resolution."""

import math

import numpy as np

from ..arrays import Floats
from ..elementary import log, split_index
from ..kernel import kernel, stage
from .emc import EmcParameters, cos_edges, energy_sigma, line_shape
from .leakage import FIRST_DEPTH, N_DEPTHS, N_ENERGIES, PER_DEPTH, PHOTON_SHOWER, START_DEPTH

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
    start = -log(u) * START_DEPTH[kind] - (thickness if is_photon else 0.0)
    crossed = -start / max(thickness, 1e-12)
    return start, 2.0 * loss * crossed * constants.front_lost if start < 0.0 else 0.0


@kernel
def contained(energy: float, start: float, table: Floats) -> tuple[float, np.uint64, float]:
    """Return the part of a shower's energy that stays in the crystals, and the place of the energy in the table."""
    # the order of the arguments matters: what is not a number becomes zero, not an index
    x = min(max(0.0, (log(max(energy, 1e-6)) - _LN_LOWEST) * _PER_LN), N_ENERGIES - 1.001)
    y = min(max(0.0, (start - FIRST_DEPTH) * PER_DEPTH), N_DEPTHS - 1.001)
    i, f = split_index(x)
    j, h = split_index(y)
    node = i * _ROW + j
    low: float = table[node] + h * (table[node + _ONE] - table[node])
    node = node + _ROW
    high: float = table[node] + h * (table[node + _ONE] - table[node])
    return 1.0 - (low + f * (high - low)), i, f


@kernel
def measured_energy(
    energy: float, cosine: float, u: float, g: float, kind: int, table: Floats, constants: EmcParameters
) -> float:
    """Return the measured energy [GeV] of a photon or electron from a uniform and a normal, never negative.

    Most probable value and full width at half maximum are the true energy and the card's resolution, with or without
    leakage, which decides the shape: see `leakage_table`.
    """
    edge, _, _ = cos_edges(cosine, constants)
    start, lost = start_of_shower(u, cosine, kind, constants)
    kept, i, f = contained(energy, start, table)
    region = kind * 2 + (0 if abs(cosine) < edge else 1)
    node = np.uint64(_CALIBRATIONS + 2 * N_ENERGIES * region) + _TWO * i
    scale: float = table[node] + f * (table[node + _TWO] - table[node])
    rest: float = table[node + _ONE] + f * (table[node + _TWO + _ONE] - table[node + _ONE])
    sigma = constants.smear * rest * energy_sigma(energy, cosine, constants)
    return max(max(energy - lost, 0.0) * kept * scale + sigma * line_shape(g, constants), 0.0)


@stage
def energy_stage(
    energy: Floats,
    cosine: Floats,
    u: Floats,
    g: Floats,
    kind: int,
    table: Floats,
    constants: EmcParameters,
    measured: Floats,
) -> None:
    """Fill measured energies [GeV] of photons or electrons from true ones and cos(theta) of the impact."""
    for i in range(np.uint64(energy.size)):
        measured[i] = measured_energy(energy[i], cosine[i], u[i], g[i], kind, table, constants)
