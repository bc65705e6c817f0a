"""Identification by the calorimeter: which normal deviate a measured energy is under a hypothesis.

A deposit's deviate is the normal quantile of its probability; the table comes from `emc_quantiles`.
"""

import math

import numpy as np

from ..arrays import Floats
from ..constants import ELECTRON, MUON
from ..elementary import log, split_index
from ..kernel import kernel, stage
from .emc import EmcParameters, energy_sigma

#: Momenta of the table: LOWEST 2^(k / 6) GeV; coordinates of the energy: N_NODES of them in [0, 1].
LOWEST, N_MOMENTA, N_NODES = 0.1, 40, 257
PER_LN = 8.656170245333781
#: Kinds: electrons in barrel and endcap, muons, then pions, kaons and protons of either charge.
N_KINDS = 9
_LN_LOWEST = -2.302585092994046  # of LOWEST
#: Standard deviations at which the coordinate of electrons is halfway to its ends.
SCALE = 6.0
_MODES = N_KINDS * N_MOMENTA * N_NODES
_ONE, _ROW, _KIND = np.uint64(1), np.uint64(N_NODES), np.uint64(N_MOMENTA * N_NODES)


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
def emc_deviate(
    p: float,
    energy: float,
    path_factor: float,
    cosine: float,
    charge: float,
    hypothesis: np.uint64,
    table: Floats,
    constants: EmcParameters,
) -> float:
    """Return the normal deviate of a shower's energy under a hypothesis; NaN without a shower."""
    i, f = momentum_node(p)
    is_electron = hypothesis == np.uint64(ELECTRON)
    is_muon = hypothesis == np.uint64(MUON)
    endcap = abs(cosine) > (constants.forward.cos_max if cosine > 0.0 else constants.backward.cos_max)
    negative = np.uint64(1) if charge < 0.0 else np.uint64(0)
    hadron = np.uint64(2) * hypothesis - np.uint64(1) + negative
    lepton = np.uint64(2) if is_muon else (np.uint64(1) if endcap else np.uint64(0))
    kind = lepton if is_electron | is_muon else hadron
    seen = min(energy, 1e6) if energy == energy else 0.0
    node = np.uint64(_MODES) + hypothesis * np.uint64(N_MOMENTA) + i
    mode: float = table[node] + f * (table[node + _ONE] - table[node])
    kinetic_node = node + np.uint64(5 * N_MOMENTA)
    kinetic: float = table[kinetic_node] + f * (table[kinetic_node + _ONE] - table[kinetic_node])
    least = path_factor if path_factor == path_factor else 1.0
    deposit_coordinate = coordinate_of_deposit(seen, min(mode * least, kinetic))
    electron_coordinate = coordinate_of_electron(seen, p, energy_sigma(p, cosine, constants))
    x = electron_coordinate if is_electron else deposit_coordinate
    j, h = split_index(min(max(x, 0.0), 1.0) * (N_NODES - 1.001))
    place = kind * _KIND + i * _ROW + j
    low: float = table[place] + h * (table[place + _ONE] - table[place])
    place = place + _ROW
    high: float = table[place] + h * (table[place + _ONE] - table[place])
    return low + f * (high - low) if energy == energy else math.nan


@stage
def emc_deviate_stage(
    p: Floats,
    energy: Floats,
    path_factor: Floats,
    cosine: Floats,
    charge: Floats,
    hypothesis: np.uint64,
    table: Floats,
    constants: EmcParameters,
    chi: Floats,
) -> None:
    """Fill the normal deviates of showers of tracks under one hypothesis; NaN without a matched shower.

    Momenta and energies [GeV], path in the crystals per depth, cos(theta), and the sign of the charge of the tracks;
    `table` is that of `emc_quantile_table`.
    """
    for i in range(np.uint64(p.size)):
        chi[i] = emc_deviate(p[i], energy[i], path_factor[i], cosine[i], charge[i], hypothesis, table, constants)
