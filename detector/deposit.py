"""What muons and hadrons leave in the calorimeter: ionisation along the crystals, nuclear interactions."""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Keys
from ..constants import M_E, M_MU
from ..elementary import atan2, exp, log, split_index
from ..geometry.sections import Card
from ..kernel import kernel, stage
from ..rng import HADRON_STREAM, normal2, uniform, words
from .arithmetic import exponential, logarithm, sine
from .dedx import density_effect
from .emc import EmcParameters, energy_sigma
from .material import CAESIUM_IODIDE

_LN10 = 2.302585092994046
_TWO_OVER_PI = 0.6366197723675814
_STEPS = 4
#: A Moyal distribution of this many Landau widths has the full width at half maximum of a Landau distribution.
_MOYAL_WIDTH = 1.12
_MOYAL_MEAN = 1.2703628454614782
_MOYAL_RMS = 2.2214414690791831
_NODES = 513
_CELLS = 2048


class DepositParameters(NamedTuple):
    """What the formulas need of a card; lengths [cm], energies [GeV]."""

    depth: float
    mip_energy: float
    mip_width: float
    mip_smear: float
    #: Bracket of the loss formula at 1 GeV for a muon, and its constant ln(2 m_e xi / I^2) + 0.2.
    mip_reference: float
    log_constant: float
    interaction_length: float
    kaon_plus_factor: float
    visible_fraction: float
    beta_mean: float
    beta_variance: float
    charge_exchange_plus: float
    charge_exchange_minus: float
    charge_exchange_intercept: float
    charge_exchange_slope: float
    smear: float


def parameters(card: Card) -> DepositParameters:
    """Return the constants of a card."""
    emc, hadron = card.emc, card.emc.hadron
    excitation = CAESIUM_IODIDE.excitation
    log_constant = float(logarithm(2.0 * M_E * emc.mip_width / (excitation * excitation))) + 0.2
    reference = np.empty(1)
    _reference_stage(log_constant, reference)
    a, b = hadron.beta_shape
    return DepositParameters(
        emc.depth,
        emc.mip_energy,
        emc.mip_width,
        emc.mip_smear,
        float(reference[0]),
        log_constant,
        hadron.interaction_length,
        hadron.kaon_plus_factor,
        hadron.visible_fraction,
        a / (a + b),
        a * b / ((a + b) * (a + b) * (a + b + 1.0)),
        hadron.charge_exchange_plus,
        hadron.charge_exchange_minus,
        hadron.charge_exchange_intercept,
        hadron.charge_exchange_slope,
        1.0 if emc.smear else 0.0,
    )


@kernel
def loss_bracket(bg: float, log_constant: float) -> float:
    """Return the most probable energy loss in the crystals up to a factor (Landau; PDG 2022, eq. 34.12).

    1/beta^2 [ln(2 m_e beta^2 gamma^2 / I) + ln(xi / (beta^2 I)) + 0.2 - beta^2 - delta]; below beta gamma = 0.3 flat.
    """
    bg2 = max(bg * bg, 0.09)
    gamma2 = 1.0 + bg2
    beta2 = bg2 / gamma2
    delta = density_effect(0.5 * log(bg2), CAESIUM_IODIDE.c, CAESIUM_IODIDE.x0 * _LN10, CAESIUM_IODIDE.x1 * _LN10)
    return (log_constant + log(gamma2) - beta2 - delta) / beta2


@stage
def _reference_stage(log_constant: float, bracket: Floats) -> None:
    """Fill the bracket of a muon of 1 GeV."""
    for i in range(np.uint64(bracket.size)):
        bracket[i] = loss_bracket(1.0 / M_MU, log_constant)


@kernel
def ionisation(p: float, mass: float, path_factor: float, constants: DepositParameters) -> tuple[float, float]:
    """Return (most probable deposit, width) [GeV] along path_factor x depth; all kinetic energy where it stops.

    In four steps, since a slow particle loses more towards its end; anchored on the card's value for a 1 GeV muon.
    """
    kinetic = p * p / (math.sqrt(p * p + mass * mass) + mass)
    left = kinetic
    step = constants.mip_energy * path_factor / (_STEPS * constants.mip_reference)
    bracket = 0.0
    for _ in range(_STEPS):
        bg = math.sqrt(left * (left + 2.0 * mass)) / mass
        bracket = loss_bracket(bg, constants.log_constant)
        left = max(left - step * bracket, 0.0)
    bg2 = max(p * p / (mass * mass), 0.09)
    width = _MOYAL_WIDTH * constants.mip_width * path_factor * (1.0 + bg2) / bg2
    return kinetic - left, width


@kernel
def ionisation_deposit(
    p: float, mass: float, path_factor: float, g1: float, g2: float, constants: DepositParameters
) -> float:
    """Return the deposit [GeV] of a particle that does not interact, from two normals.

    Moyal fluctuation (-ln g^2 is a Moyal variate) of the most probable loss, never above the kinetic energy, and the
    crystals' relative smearing. The Landau tail of knock-on electrons beyond a few widths is too short.
    """
    kinetic = p * p / (math.sqrt(p * p + mass * mass) + mass)
    mode, width = ionisation(p, mass, path_factor, constants)
    deposit = min(mode - constants.smear * width * log(max(g1 * g1, 1e-30)), kinetic)
    return max(deposit, 0.0) * (1.0 + constants.smear * constants.mip_smear * g2)


@kernel
def beta_quantile(u: float, table: Floats, start: np.uint64) -> float:
    """Return the quantile of a tabulated Beta distribution, whose nodes begin at `start` of the table.

    Nodes are equally spaced in v = 2/pi asin(sqrt u), which opens both ends.
    """
    v = _TWO_OVER_PI * atan2(math.sqrt(u), math.sqrt(1.0 - u)) * (_NODES - 1)
    i, f = split_index(v)
    low: float = table[start + i]
    high: float = table[start + i + np.uint64(1)]
    return low + f * (high - low)


@kernel
def hadron_deposit(
    p: float,
    mass: float,
    charge: float,
    path_factor: float,
    u_depth: float,
    u_energy: float,
    u_exchange: float,
    g1: float,
    g2: float,
    table: Floats,
    constants: DepositParameters,
) -> float:
    """Return the deposit [GeV] of a charged hadron from three uniforms and two normals.

    It interacts at depth -lambda ln(u); ionisation up to there. Then a Beta-distributed part of the remaining kinetic
    energy is seen, or, after charge exchange to a leading neutral pion, nearly all the energy. Parameters are
    estimates (no published curve); annihilation of antiprotons and decays of stopped pions are left out.
    """
    is_kaon = (mass > 0.3) & (mass < 0.7)
    length = constants.interaction_length
    length = length * constants.kaon_plus_factor if is_kaon & (charge > 0.0) else length
    fraction = -length * log(u_depth) / (constants.depth * path_factor)
    interacts = fraction < 1.0
    track = ionisation_deposit(p, mass, path_factor * min(fraction, 1.0), g1, g2, constants)
    energy = math.sqrt(p * p + mass * mass)
    kinetic = p * p / (energy + mass)
    shower = constants.visible_fraction * beta_quantile(u_energy, table, np.uint64(0)) * max(kinetic - track, 0.0)
    exchange = constants.charge_exchange_plus if charge > 0.0 else constants.charge_exchange_minus
    exchange = exchange * (constants.charge_exchange_intercept + constants.charge_exchange_slope * p)
    neutral = energy * beta_quantile(u_energy, table, np.uint64(_NODES))
    after = neutral if u_exchange < exchange else track + shower
    return after if interacts else track


@kernel
def expected_deposit(
    p: float, mass: float, path_factor: float, abs_cos: float, constants: DepositParameters, emc: EmcParameters
) -> tuple[float, float]:
    """Return (mean, standard deviation) [GeV] of the energy a hypothesis leaves.

    Electrons: momentum and energy resolution. Muons: ionisation. Hadrons: with probability exp(-depth / lambda)
    ionisation, else on average half of it and the visible part of the rest.
    """
    mode, width = ionisation(p, mass, path_factor, constants)
    kinetic = p * p / (math.sqrt(p * p + mass * mass) + mass)
    mip = min(mode + _MOYAL_MEAN * width, kinetic)
    spread = constants.mip_smear * mip
    mip_variance = _MOYAL_RMS * _MOYAL_RMS * width * width + spread * spread
    survives = exp(-constants.depth * path_factor / constants.interaction_length)
    rest = constants.visible_fraction * max(kinetic - 0.5 * mip, 0.0)
    interacting = 0.5 * mip + constants.beta_mean * rest
    gap = interacting - mip
    hadron_mean = mip + (1.0 - survives) * gap
    hadron_variance = mip_variance + (1.0 - survives) * (constants.beta_variance * rest * rest + mip * mip / 12.0)
    hadron_variance = hadron_variance + survives * (1.0 - survives) * gap * gap
    is_electron = mass < 0.01
    is_muon = mass < 0.12
    mean = p if is_electron else (mip if is_muon else hadron_mean)
    variance = mip_variance if is_muon else hadron_variance
    return mean, energy_sigma(p, abs_cos, emc) if is_electron else math.sqrt(variance)


@lru_cache(maxsize=8)
def hadron_table(card: Card) -> Floats:
    """Return the flat table of quantiles that `hadron_deposit` reads: visible fraction, then charge exchange."""
    shapes = (card.emc.hadron.beta_shape, card.emc.hadron.charge_exchange_shape)
    table = np.concatenate([_beta_quantiles(*shape) for shape in shapes])
    table.flags.writeable = False
    return table


def _beta_quantiles(a: float, b: float) -> Floats:
    """Return quantiles of Beta(a, b) at u = sin^2(pi v / 2), v in equal steps; Simpson's rule in t = asin(sqrt x)."""
    step = 0.5 * math.pi / (2 * _CELLS)
    x = _sine_squared(step * np.arange(2 * _CELLS + 1))
    density = exponential((a - 0.5) * logarithm(np.maximum(x, 1e-200)))
    density = density * exponential((b - 0.5) * logarithm(np.maximum(x[::-1], 1e-200)))
    cells = (density[:-2:2] + 4.0 * density[1::2]) + density[2::2]
    cumulative = [0.0]
    for cell in cells:
        cumulative.append(cumulative[-1] + float(cell))
    at = np.empty(_NODES)
    i = 0
    for node, u in enumerate(_sine_squared(0.5 * math.pi / (_NODES - 1) * np.arange(_NODES))):
        target = cumulative[-1] * float(u)
        while i < _CELLS - 1 and cumulative[i + 1] < target:
            i += 1
        width = cumulative[i + 1] - cumulative[i]
        at[node] = i + (min((target - cumulative[i]) / width, 1.0) if width > 0.0 else 0.0)
    return _sine_squared(2.0 * step * at)


def _sine_squared(angle: NDArray[Any]) -> Floats:
    value = sine(angle)
    return value * value


@stage
def ionisation_stage(
    p: Floats,
    mass: Floats,
    path_factor: Floats,
    g1: Floats,
    g2: Floats,
    constants: DepositParameters,
    deposit: Floats,
) -> None:
    """Fill the deposits [GeV] of muons from momenta [GeV], masses [GeV], paths per depth and two normals."""
    for i in range(np.uint64(p.size)):
        deposit[i] = ionisation_deposit(p[i], mass[i], path_factor[i], g1[i], g2[i], constants)


@stage
def hadron_stage(
    k0: np.uint64,
    k1: np.uint64,
    event: Keys,
    particle: Keys,
    p: Floats,
    mass: Floats,
    charge: Floats,
    path_factor: Floats,
    table: Floats,
    constants: DepositParameters,
    deposit: Floats,
) -> None:
    """Fill the deposits [GeV] of charged hadrons; keyed by event and particle, blocks 0 and 1 of the hadron stream."""
    for i in range(np.uint64(p.size)):
        a, b, c, _ = words(k0, k1, event[i], particle[i], HADRON_STREAM, np.uint64(0))
        d, e, _, _ = words(k0, k1, event[i], particle[i], HADRON_STREAM, np.uint64(1))
        g1, g2 = normal2(d, e)
        deposit[i] = hadron_deposit(
            p[i], mass[i], charge[i], path_factor[i], uniform(a), uniform(b), uniform(c), g1, g2, table, constants
        )
