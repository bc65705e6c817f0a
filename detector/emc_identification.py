"""Identification by the calorimeter: which normal deviate a measured energy is under a hypothesis.

A deposit's deviate is the normal quantile of its probability; the table comes from `emc_quantiles`.
"""

import math

import numpy as np

from ..arrays import Floats, Keys
from ..constants import MUON
from ..elementary import log, split_index
from ..kernel import BLOCK, kernel, stage
from .emc import EmcParameters, energy_sigma

#: Momenta of the table: LOWEST 2^(k / 6) GeV; coordinates of the energy: N_NODES of them in [0, 1].
LOWEST, N_MOMENTA, N_NODES = 0.1, 40, 257
PER_LN = 8.656170245333781
#: Kinds: electrons in barrel and endcap, muons, then pions, kaons and protons of either charge.
N_KINDS = 9
_LN_LOWEST = -2.302585092994046  # of LOWEST
#: Standard deviations at which the coordinate of electrons is halfway to its ends.
SCALE = 6.0
#: Hypotheses whose showers are compared with the loss by ionisation: muons to protons.
_DEPOSITS = 4
_LOSSES = N_KINDS * N_MOMENTA * N_NODES
_B = np.uint64(BLOCK)
_ZERO, _ONE, _ROW, _KIND = np.uint64(0), np.uint64(1), np.uint64(N_NODES), np.uint64(N_MOMENTA * N_NODES)


@kernel
def coordinate_of_electron(energy: float, p: float, sigma: float) -> float:
    """Return the coordinate in (0, 1) of an electron's energy: 1/2 at its momentum, compressed far from it."""
    y = (energy - p) / sigma
    return 0.5 + 0.5 * y / (abs(y) + SCALE)


@kernel
def coordinate_of_deposit(energy: float, mode: float) -> float:
    """Return the coordinate in [0, 1) of a deposit: 1/2 at the most probable loss by ionisation."""
    return energy / (energy + mode)


@kernel
def momentum_node(p: float) -> tuple[np.uint64, float]:
    """Return place and fraction of a momentum among those of the table."""
    return split_index(min(max((log(max(p, 1e-3)) - _LN_LOWEST) * PER_LN, 0.0), N_MOMENTA - 1.001))


@kernel
def energy_node(x: float) -> tuple[np.uint64, float]:
    """Return place and fraction of a coordinate of the energy among those of the table."""
    return split_index(min(max(x, 0.0), 1.0) * (N_NODES - 1.001))


@kernel
def deposited(energy: float) -> float:
    """Return the energy of a shower, 0 without one."""
    return min(energy, 1e6) if energy == energy else 0.0


@stage
def electron_stage(
    p: Floats,
    energy: Floats,
    cosine: Floats,
    constants: EmcParameters,
    node: Keys,
    between: Floats,
    place: Keys,
    weight: Floats,
) -> None:
    """Fill where tracks stand among the momenta of the table, and where their showers do among those of electrons."""
    for i in range(np.uint64(p.size)):
        k, between[i] = momentum_node(p[i])
        endcap = abs(cosine[i]) > (constants.forward.cos_max if cosine[i] > 0.0 else constants.backward.cos_max)
        x = coordinate_of_electron(deposited(energy[i]), p[i], energy_sigma(p[i], cosine[i], constants))
        j, weight[i] = energy_node(x)
        place[i] = (_KIND if endcap else _ZERO) + k * _ROW + j
        node[i] = k


@stage
def loss_stage(path_factor: Floats, node: Keys, between: Floats, table: Floats, s: Floats) -> None:
    """Fill the most probable loss by ionisation of muons to protons, at most their kinetic energy: rows 1 to 4."""
    for i in range(np.uint64(node.size)):
        f, at = between[i], np.uint64(_LOSSES) + np.uint64(2 * _DEPOSITS) * node[i]
        least = path_factor[i] if path_factor[i] == path_factor[i] else 1.0
        for k in range(np.uint64(_DEPOSITS)):
            m = at + k
            mode = table[m] + f * (table[m + np.uint64(2 * _DEPOSITS)] - table[m])
            m = m + np.uint64(_DEPOSITS)
            kinetic = table[m] + f * (table[m + np.uint64(2 * _DEPOSITS)] - table[m])
            s[(k + _ONE) * _B + i] = min(mode * least, kinetic)


@stage
def deposit_stage(
    energy: Floats,
    mode: Floats,
    charge: Floats,
    node: Keys,
    hypothesis: int,
    place: Keys,
    weight: Floats,
) -> None:
    """Fill where showers stand in the table of muons or of the hadrons of their charge."""
    first = np.uint64(2 if hypothesis == MUON else 2 * hypothesis - 1)
    negative = _ZERO if hypothesis == MUON else _ONE
    for i in range(np.uint64(energy.size)):
        j, weight[i] = energy_node(coordinate_of_deposit(deposited(energy[i]), mode[i]))
        kind = first + (negative if charge[i] < 0.0 else _ZERO)
        place[i] = kind * _KIND + node[i] * _ROW + j


@stage
def look_up_stage(energy: Floats, place: Keys, weight: Floats, between: Floats, table: Floats, chi: Floats) -> None:
    """Fill the deviates between four nodes of the table; NaN without a shower."""
    for i in range(np.uint64(energy.size)):
        k = place[i]
        low = table[k] + weight[i] * (table[k + _ONE] - table[k])
        k = k + _ROW
        high = table[k] + weight[i] * (table[k + _ONE] - table[k])
        value = low + between[i] * (high - low)
        chi[i] = value if energy[i] == energy[i] else math.nan


@stage
def emc_deviates(
    p: Floats,
    energy: Floats,
    path_factor: Floats,
    cosine: Floats,
    charge: Floats,
    table: Floats,
    constants: EmcParameters,
    s: Floats,
) -> None:
    """Fill the normal deviates of showers of tracks under all hypotheses, rows of `BLOCK`; NaN without a shower.

    Momenta and energies [GeV], path in the crystals per depth, cos(theta), and the sign of the charge of at most
    `BLOCK` tracks; `table` is that of `emc_quantile_table`.
    """
    n = p.size
    node, place = np.empty(n, dtype=np.uint64), np.empty(n, dtype=np.uint64)
    between, weight = np.empty(n), np.empty(n)
    electron_stage(p, energy, cosine, constants, node, between, place, weight)
    look_up_stage(energy, place, weight, between, table, s[:n])
    loss_stage(path_factor, node, between, table, s)
    for hypothesis in range(MUON, MUON + _DEPOSITS):
        row = s[hypothesis * BLOCK : hypothesis * BLOCK + n]
        deposit_stage(energy, row, charge, node, hypothesis, place, weight)
        look_up_stage(energy, place, weight, between, table, row)
