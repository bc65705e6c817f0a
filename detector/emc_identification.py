"""Identification by the calorimeter: which normal deviate a measured energy is under a hypothesis.

The distribution of the energy that a kind of particle leaves is that of the model itself: 8192 showers for each
momentum, drawn once per card with fixed random numbers. A deposit's deviate is the normal quantile of its probability.
"""

import math
from functools import lru_cache

import numpy as np

from ..arrays import Floats
from ..constants import ELECTRON, HYPOTHESIS_MASSES, MUON, PION
from ..elementary import log, split_index
from ..geometry.sections import Card
from ..kernel import kernel, stage
from ..rng import HADRON_STREAM, key, normal2, uniform, words
from . import deposit
from .arithmetic import exponential, logarithm
from .emc import EmcParameters, energy_sigma, parameters
from .emc_response import energy_stage
from .ionisation import deposit_stage, ionisation_parameters, ionisation_stage, vavilov_table
from .leakage import ELECTRON_SHOWER, leakage_table

#: Momenta of the table: LOWEST 2^(k / 6) GeV; coordinates of the energy: N_NODES of them in [0, 1].
LOWEST, N_MOMENTA, N_NODES = 0.1, 40, 257
#: Kinds: electrons in barrel and endcap, muons, then pions, kaons and protons of either charge.
_N_KINDS = 9
_PER_LN, _LN_LOWEST = 8.656170245333781, -2.302585092994046
_SHOWERS = 8192
#: Deviates of nodes with fewer showers beyond are continued from the core.
_LEAST = 8
_SCALE = 6.0
_MODES = _N_KINDS * N_MOMENTA * N_NODES
_ONE, _ROW, _KIND = np.uint64(1), np.uint64(N_NODES), np.uint64(N_MOMENTA * N_NODES)


@kernel
def coordinate_of_electron(energy: float, p: float, sigma: float) -> float:
    """Return the coordinate in (0, 1) of an electron's energy: 1/2 at its momentum, compressed far from it."""
    y = (energy - p) / sigma
    return 0.5 + 0.5 * y / (abs(y) + _SCALE)


@kernel
def coordinate_of_deposit(energy: float, mode: float) -> float:
    """Return the coordinate in [0, 1) of a deposit: 1/2 at the most probable loss by ionisation."""
    return energy / (energy + mode)


@kernel
def momentum_node(p: float) -> tuple[np.uint64, float]:
    """Return place and fraction of a momentum among those of the table."""
    return split_index(min(max((log(max(p, 1e-3)) - _LN_LOWEST) * _PER_LN, 0.0), N_MOMENTA - 1.001))


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


@stage
def _draw_stage(k0: np.uint64, k1: np.uint64, g1: Floats, g2: Floats, u1: Floats, u2: Floats, u3: Floats) -> None:
    """Draw what showers need: two normals and three uniforms."""
    for i in range(np.uint64(g1.size)):
        a, b, c, d = words(k0, k1, np.uint64(i), np.uint64(0), HADRON_STREAM, np.uint64(0))
        e, _, _, _ = words(k0, k1, np.uint64(i), np.uint64(0), HADRON_STREAM, np.uint64(1))
        g1[i], g2[i] = normal2(a, b)
        u1[i], u2[i], u3[i] = uniform(c), uniform(d), uniform(e)


@lru_cache(maxsize=8)
def emc_quantile_table(card: Card) -> Floats:
    """Return the flat table that `emc_deviate` reads.

    Deviates [kind][momentum][coordinate]; then by hypothesis and momentum the most probable loss by ionisation along
    the depth, and the kinetic energy.
    """
    draws = tuple(np.empty(_SHOWERS) for _ in range(5))
    _draw_stage(*key(0), *draws)
    momenta = LOWEST * exponential(np.arange(N_MOMENTA) / _PER_LN)
    modes, kinetic = np.empty((5, N_MOMENTA)), np.empty((5, N_MOMENTA))
    losses = tuple(np.empty(N_MOMENTA) for _ in range(4))
    for h, mass in enumerate(HYPOTHESIS_MASSES):
        kinetic[h] = momenta * momenta / (np.sqrt(momenta * momenta + mass * mass) + mass)
        heavy = np.full(N_MOMENTA, max(mass, HYPOTHESIS_MASSES[MUON]))
        ionisation_stage(momenta, heavy, np.ones(N_MOMENTA), ionisation_parameters(card), losses)
        modes[h] = np.minimum(losses[0], kinetic[h])
    table = np.empty((_N_KINDS, N_MOMENTA, N_NODES))
    node = np.minimum(np.arange(N_NODES) / (N_NODES - 1.001), 0.999)
    node = np.maximum(node, 0.001)
    side = np.abs(2.0 * node - 1.0)
    of_electrons = np.where(node < 0.5, -1.0, 1.0) * _SCALE * side / (1.0 - side)
    of_deposits = node / (1.0 - node)
    for i, p in enumerate(momenta):
        for kind in range(_N_KINDS):
            h = kind // 2 if kind < 2 else (MUON if kind == 2 else PION + (kind - 3) // 2)
            energy = _energies(kind, float(p), HYPOTHESIS_MASSES[h], draws, card)
            if kind < 2:
                y = (energy - p) / energy_sigma(float(p), _cosine(kind, card), parameters(card))
                x = 0.5 + 0.5 * y / (np.abs(y) + _SCALE)
            else:
                x = energy / (energy + modes[h, i])
            table[kind, i] = _deviates(x, of_electrons if kind < 2 else of_deposits)
    flat = np.concatenate([table.ravel(), modes.ravel(), kinetic.ravel()])
    flat.flags.writeable = False
    return flat


def _cosine(kind: int, card: Card) -> float:
    low, high = card.emc.endcap.usable_cos_range
    return 0.5 * (low + high) if kind else 0.3


def _energies(kind: int, p: float, mass: float, draws: tuple[Floats, ...], card: Card) -> Floats:
    """Return the measured energies of showers of one kind and momentum."""
    n, (g1, g2, u1, u2, u3) = _SHOWERS, draws
    energy = np.empty(n)
    if kind < 2:
        arriving, cosine = np.full(n, p), np.full(n, _cosine(kind, card))
        scratch = np.empty(n), np.empty(n), np.empty(n)
        table, crystals = leakage_table(card.emc), parameters(card)
        energy_stage(arriving, cosine, u1, g1, ELECTRON_SHOWER, table, crystals, scratch, energy)
        return energy
    momentum, masses, path = np.full(n, p), np.full(n, mass), np.ones(n)
    losses = tuple(np.empty(n) for _ in range(4))
    constants = ionisation_parameters(card)
    if kind == 2:
        ionisation_stage(momentum, masses, path, constants, losses)
        deposit_stage(momentum, masses, losses, g1, g2, vavilov_table(), constants, energy)
        return energy
    kinds, interacts, shape = deposit.hadron_kinds(card.emc.hadron), np.empty(n), np.empty(n, dtype=np.int64)
    which = np.full(n, kind - 3)
    rules = deposit.parameters(card)
    deposit.reach_stage(u1, which, kinds.length, rules, path, interacts)
    ionisation_stage(momentum, masses, path, constants, losses)
    columns = momentum, masses, which, interacts, losses, (g1, g2, u2, u3)
    quantiles = deposit.hadron_table(card.emc.hadron)
    deposit.hadron_stage(*columns, kinds, quantiles, rules, constants, energy, shape)
    return energy


def _deviates(x: Floats, energy: Floats) -> Floats:
    """Return the normal deviates at the nodes of the coordinate, from a sample of it.

    `energy` is that of the nodes in any linear unit. Where too few showers are beyond, deviates grow as in the core:
    in units of the distance between median and one standard deviation.
    """
    node = (np.minimum(np.maximum(x, 0.0), 1.0) * (N_NODES - 1.001)).astype(np.int64)
    below = np.concatenate([[0.0], np.cumsum(np.bincount(node, minlength=N_NODES - 1))[: N_NODES - 1]])
    total = float(len(x))
    z = normal_quantile((np.minimum(np.maximum(below, 0.5), total - 0.5)) / total)
    ranks = np.sort(x)[[int(0.158655 * total), int(0.5 * total), int(0.841345 * total)]]
    low, middle, high = np.interp(ranks * (N_NODES - 1.001), np.arange(N_NODES), energy)
    last = int(np.flatnonzero(total - below >= _LEAST)[-1])
    first = int(np.flatnonzero(below >= _LEAST)[0])
    z[last + 1 :] = z[last] + (energy[last + 1 :] - energy[last]) / max(high - middle, 1e-6)
    z[:first] = z[first] + (energy[:first] - energy[first]) / max(middle - low, 1e-6)
    return z


def normal_quantile(probability: Floats) -> Floats:
    """Return quantiles of the normal distribution to 1e-3 (Abramowitz and Stegun 26.2.23 has 4.5e-4)."""
    tail = np.minimum(probability, 1.0 - probability)
    t = np.sqrt(-2.0 * logarithm(tail))
    top = 2.515517 + t * (0.802853 + t * 0.010328)
    bottom = 1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))
    z = t - top / bottom
    return np.asarray(np.where(probability < 0.5, -z, z))
