"""Ionisation in the crystals: most probable loss, and Vavilov's fluctuations around it."""

import math
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

import numpy as np

from ..arrays import Floats, Keys
from ..constants import M_E, M_MU
from ..elementary import log, split_index
from ..geometry.sections import Card
from ..kernel import kernel, stage
from .arithmetic import logarithm
from .dedx import density_effect
from .material import CAESIUM_IODIDE

_LN10 = 2.302585092994046
_STEPS = 4
#: Nodes of the packaged quantiles: kappa = 0.001 2^(k / 2), beta^2 = 0.2 and 1, normal deviates -5 to 5 by 1/8.
_LN_KAPPA, _PER_LN_KAPPA = -6.907755278982137, 2.8853900817779268
_QUANTILES, _PER_DEVIATE, _LARGEST = 81, 8.0, 5.0
_BETA2_LOW, _PER_BETA2 = 0.2, 1.25
_ONE = np.uint64(1)
_BETA_ROW, _KAPPA_ROW = np.uint64(_QUANTILES), np.uint64(2 * _QUANTILES)


class IonisationParameters(NamedTuple):
    """What the formulas need of a card; energies [GeV]."""

    #: Loss per path and bracket, and Landau's width at beta = 1.
    scale: float
    width: float
    #: ln(2 m_e / I^2).
    log_constant: float
    smear: float
    fluctuate: float


@lru_cache(maxsize=16)
def ionisation_parameters(card: Card) -> IonisationParameters:
    """Return the constants of a card."""
    emc, excitation = card.emc, CAESIUM_IODIDE.excitation
    log_constant = float(logarithm(2.0 * M_E / (excitation * excitation)))
    smear = 1.0 if emc.smear else 0.0
    constants = IonisationParameters(1.0, emc.mip_width, log_constant, smear * emc.mip_smear, smear)
    reference = np.empty(1)
    _reference_stage(constants, reference)
    return constants._replace(scale=emc.mip_energy / float(reference[0]))


@kernel
def largest_transfer(bg2: float, mass: float) -> float:
    """Return the largest energy [GeV] that an electron gets in one collision (PDG 2022, eq. 34.4)."""
    ratio = M_E / mass
    return 2.0 * M_E * bg2 / (1.0 + 2.0 * math.sqrt(1.0 + bg2) * ratio + ratio * ratio)


@kernel
def _exp_of_minus(x: float) -> float:
    """Return exp(-x) for 0 <= x <= 1 to 2e-5."""
    return 0.999979 - x * (0.9993538 - x * (0.495338 - x * (0.1536258 - x * 0.0255613)))


@kernel
def loss_bracket(bg2: float, mass: float, xi: float, constants: IonisationParameters) -> float:
    """Return the energy loss in the crystals up to a factor: the most probable one, or the mean where it is smaller.

    1/beta^2 [ln(2 m_e beta^2 gamma^2 / I) + ln(xi / I) + 0.2 - beta^2 - delta] with xi at beta = 1 (Landau; PDG 2022,
    eq. 34.12), or with ln(T_max / I) - 2 beta^2 (Bethe) for slow particles; below beta gamma = 0.3 flat.
    """
    bg2 = max(bg2, 0.09)
    beta2 = bg2 / (1.0 + bg2)
    delta = density_effect(0.5 * log(bg2), CAESIUM_IODIDE.c, CAESIUM_IODIDE.x0 * _LN10, CAESIUM_IODIDE.x1 * _LN10)
    # 1.2214 = exp(0.2)
    smaller = min(1.2214027581601699 * xi / beta2, largest_transfer(bg2, mass) * _exp_of_minus(beta2))
    return (constants.log_constant + log(bg2 * smaller) - beta2 - delta) / beta2


@stage
def _reference_stage(constants: IonisationParameters, bracket: Floats) -> None:
    """Fill the bracket of a muon of 1 GeV."""
    for i in range(np.uint64(bracket.size)):
        bracket[i] = loss_bracket(1.0 / (M_MU * M_MU), M_MU, constants.width, constants)


@kernel
def ionisation(
    p: float, mass: float, path_factor: float, constants: IonisationParameters
) -> tuple[float, float, float, float]:
    """Return (loss, xi [GeV], kappa, beta^2) along path_factor x depth; all kinetic energy where it stops.

    In four steps, since a slow particle loses more towards its end; anchored on the card's value for a 1 GeV muon.
    xi and kappa = xi / T_max are those at the entrance.
    """
    kinetic = p * p / (math.sqrt(p * p + mass * mass) + mass)
    left = kinetic
    step = constants.scale * path_factor / _STEPS
    width = constants.width * path_factor
    for _ in range(_STEPS):
        bg2 = left * (left + 2.0 * mass) / (mass * mass)
        left = max(left - step * loss_bracket(bg2, mass, max(width, 1e-12), constants), 0.0)
    bg2 = max(p * p / (mass * mass), 0.09)
    beta2 = bg2 / (1.0 + bg2)
    xi = width / beta2
    return kinetic - left, xi, xi / largest_transfer(bg2, mass), beta2


@kernel
def fluctuation(kappa: float, beta2: float, g: float, table: Floats) -> float:
    """Return (deposit - loss of `loss_bracket`) / xi from a normal: quantiles of Vavilov's distribution.

    Its tail ends where collisions can transfer no more (Landau's is the limit of small kappa and has none).
    """
    node, f, b, h, more = fluctuation_place(kappa, beta2, g)
    return between_nodes(table, node, f, b, h) + more


@kernel
def fluctuation_place(kappa: float, beta2: float, g: float) -> tuple[np.uint64, float, float, float, float]:
    """Return the node of the table, the fractions along kappa, beta^2 and the deviate, and what is to be added."""
    log_kappa = log(min(max(kappa, 1.0001e-3), 262.0))
    i, f = split_index((log_kappa - _LN_KAPPA) * _PER_LN_KAPPA)
    b = min(max((beta2 - _BETA2_LOW) * _PER_BETA2, 0.0), 1.0)
    j, h = split_index((min(max(g, -_LARGEST + 1e-6), _LARGEST - 1e-6) + _LARGEST) * _PER_DEVIATE)
    # tabulated from Landau's most probable loss; where the mean is smaller, from there
    return i * _KAPPA_ROW + j, f, b, h, max(log_kappa + 0.2 + beta2, 0.0)


@kernel
def between_nodes(table: Floats, node: np.uint64, f: float, b: float, h: float) -> float:
    """Return the interpolation of the table."""
    low: float = along_deviates(table, node, h, b)
    return low + f * (along_deviates(table, node + _KAPPA_ROW, h, b) - low)


@kernel
def along_deviates(table: Floats, node: np.uint64, h: float, b: float) -> float:
    """Return the interpolation along deviates and beta^2 at a node of kappa."""
    slow: float = table[node] + h * (table[node + _ONE] - table[node])
    other = node + _BETA_ROW
    fast: float = table[other] + h * (table[other + _ONE] - table[other])
    return slow + b * (fast - slow)


@kernel
def ionisation_deposit(
    kinetic: float,
    loss: tuple[float, float, float, float],
    g1: float,
    g2: float,
    table: Floats,
    constants: IonisationParameters,
) -> float:
    """Return the deposit [GeV] of a particle that does not interact, from two normals and what `ionisation` returns."""
    mode, xi, kappa, beta2 = loss
    return fluctuating_deposit(kinetic, mode, xi, fluctuation(kappa, beta2, g1, table), g2, constants)


@kernel
def fluctuating_deposit(
    kinetic: float, mode: float, xi: float, deviation: float, g2: float, constants: IonisationParameters
) -> float:
    """Return the deposit [GeV] from its most probable value, xi [GeV], the deviation in units of xi, and a normal.

    Vavilov's fluctuation, never above the kinetic energy, and the crystals' relative smearing. Bremsstrahlung of muons
    is left out (below 2 GeV less than 3e-5 of them lose over half their energy to it).
    """
    deposit = min(mode + constants.fluctuate * xi * deviation, kinetic)
    return max(deposit, 0.0) * (1.0 + constants.smear * g2)


@lru_cache(maxsize=1)
def vavilov_table() -> Floats:
    """Return the flat table of quantiles, [kappa][beta^2][deviate]."""
    package = __package__.rpartition(".")[0]
    text = resources.files(package).joinpath("data", "vavilov_quantiles.csv").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if not line.startswith("#")][1:]
    table = np.array([float(value) for row in rows for value in row.split(",")[2:]])
    table.flags.writeable = False
    return table


@stage
def ionisation_stage(
    p: Floats, mass: Floats, path_factor: Floats, constants: IonisationParameters, loss: tuple[Floats, ...]
) -> None:
    """Fill loss, xi [GeV], kappa and beta^2 of particles from momenta and masses [GeV] and paths per depth."""
    for i in range(np.uint64(p.size)):
        mode, xi, kappa, beta2 = ionisation(p[i], mass[i], path_factor[i], constants)
        loss[0][i], loss[1][i], loss[2][i], loss[3][i] = mode, xi, kappa, beta2


@stage
def locate_fluctuation_stage(
    kappa: Floats, beta2: Floats, g: Floats, node: Keys, f: Floats, b: Floats, h: Floats, more: Floats
) -> None:
    """Fill where fluctuations stand in their table, see `fluctuation_place`."""
    for i in range(np.uint64(g.size)):
        node[i], f[i], b[i], h[i], more[i] = fluctuation_place(kappa[i], beta2[i], g[i])


@stage
def deviation_stage(table: Floats, node: Keys, f: Floats, b: Floats, h: Floats, deviation: Floats) -> None:
    """Add the numbers of the table to deviations."""
    for i in range(np.uint64(deviation.size)):
        deviation[i] = between_nodes(table, node[i], f[i], b[i], h[i]) + deviation[i]


@stage
def fluctuating_stage(
    p: Floats,
    mass: Floats,
    loss: tuple[Floats, ...],
    deviation: Floats,
    g2: Floats,
    constants: IonisationParameters,
    deposit: Floats,
) -> None:
    """Fill deposits [GeV] from losses, deviations and normals."""
    for i in range(np.uint64(p.size)):
        kinetic = p[i] * p[i] / (math.sqrt(p[i] * p[i] + mass[i] * mass[i]) + mass[i])
        deposit[i] = fluctuating_deposit(kinetic, loss[0][i], loss[1][i], deviation[i], g2[i], constants)


@stage
def deposit_stage(
    p: Floats,
    mass: Floats,
    loss: tuple[Floats, ...],
    g1: Floats,
    g2: Floats,
    table: Floats,
    constants: IonisationParameters,
    deposit: Floats,
) -> None:
    """Fill the deposits [GeV] of particles that do not interact, from their losses and two normals."""
    n = p.size
    node, f, b, h, deviation = np.empty(n, dtype=np.uint64), np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    locate_fluctuation_stage(loss[2], loss[3], g1, node, f, b, h, deviation)
    deviation_stage(table, node, f, b, h, deviation)
    fluctuating_stage(p, mass, loss, deviation, g2, constants, deposit)
