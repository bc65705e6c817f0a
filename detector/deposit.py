"""What hadrons leave in the calorimeter: ionisation along the crystals, nuclear interactions, annihilation."""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Ints
from ..constants import M_K, M_P, M_PI
from ..elementary import atan2, log, split_index
from ..geometry.calorimeter import EmcHadron
from ..geometry.sections import Card
from ..kernel import kernel, stage
from .arithmetic import exponential, logarithm, sine
from .crystal_ionisation import IonisationParameters, ionisation_deposit, vavilov_table

_TWO_OVER_PI = 0.6366197723675814
_NODES = 513
_CELLS = 2048
#: Parts of the table: visible fraction, charge exchange, annihilation; then the quantiles of Vavilov's distribution.
_EXCHANGE, _ANNIHILATION, QUANTILES = np.uint64(_NODES), np.uint64(2 * _NODES), 3 * _NODES
#: Classes of lateral shapes.
ELECTROMAGNETIC, MINIMUM_IONISING, HADRONIC = range(3)

#: Kinds of hadrons: sign of the charge with the mass of the nearest hypothesis, and neutral ones.
PION_PLUS, PION_MINUS, KAON_PLUS, KAON_MINUS, PROTON_PLUS, PROTON_MINUS = range(6)
KAON_LONG, NEUTRON, ANTINEUTRON = range(6, 9)
N_KINDS = 9


class DepositParameters(NamedTuple):
    """What the formulas need of a card; lengths [cm]."""

    depth: float
    visible_fraction: float
    exchange_intercept: float
    exchange_slope: float


class HadronKinds(NamedTuple):
    """By kind of hadron, shape (N_KINDS,)."""

    #: Length between interactions [cm].
    length: Floats
    #: Probability of charge exchange at the reference momentum.
    exchange: Floats
    #: Rest energy [GeV] that annihilation frees: in flight and at rest.
    annihilation: Floats
    #: Rest energy [GeV] that other interactions free: in flight, and at rest (visible part).
    freed: Floats
    stopped: Floats


@lru_cache(maxsize=16)
def parameters(card: Card) -> DepositParameters:
    """Return the constants of a card."""
    hadron = card.emc.hadron
    return DepositParameters(
        card.emc.depth,
        hadron.visible_fraction,
        hadron.charge_exchange_intercept,
        hadron.charge_exchange_slope,
    )


@lru_cache(maxsize=8)
def hadron_kinds(hadron: EmcHadron) -> HadronKinds:
    """Return the constants of the kinds of hadrons."""
    kinds = HadronKinds(*(np.zeros(N_KINDS) for _ in HadronKinds._fields))
    kinds.length[:] = hadron.interaction_length
    kinds.length[KAON_PLUS] *= hadron.kaon_plus_factor
    kinds.exchange[[PION_PLUS, PION_MINUS]] = hadron.charge_exchange_plus, hadron.charge_exchange_minus
    # kaons as pions of their sign; baryons keep theirs
    kinds.exchange[[KAON_PLUS, KAON_MINUS]] = hadron.charge_exchange_plus, hadron.charge_exchange_minus
    for kind in (PROTON_MINUS, ANTINEUTRON):
        kinds.length[kind] *= hadron.antibaryon_factor
        kinds.annihilation[kind] = 2.0 * M_P if hadron.annihilation else 0.0
    kinds.freed[KAON_MINUS] = hadron.strangeness_energy
    kinds.freed[KAON_LONG] = 0.5 * hadron.strangeness_energy
    kinds.stopped[PION_MINUS] = hadron.stopped_fraction * M_PI
    kinds.stopped[[KAON_PLUS, KAON_MINUS]] = hadron.stopped_fraction * M_K
    for column in kinds:
        column.flags.writeable = False
    return kinds


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
def visible_energy(
    energy: float,
    p: float,
    left: float,
    u_energy: float,
    u_exchange: float,
    exchange: float,
    annihilation: float,
    freed: float,
    table: Floats,
    constants: DepositParameters,
) -> tuple[float, bool]:
    """Return what an interaction adds to the deposit [GeV], and whether it was charge exchange.

    A Beta-distributed part of the kinetic energy left is seen; after annihilation that of the kinetic energy and two
    masses; after charge exchange to a leading neutral pion nearly all the energy. Estimates: no published curve.
    """
    chance = exchange * (constants.exchange_intercept + constants.exchange_slope * p)
    neutral = u_exchange < chance
    fraction = constants.visible_fraction * beta_quantile(u_energy, table, np.uint64(0))
    shower = fraction * (left + freed)
    annihilated = (left + annihilation) * beta_quantile(u_energy, table, _ANNIHILATION)
    shower = annihilated if annihilation > 0.0 else shower
    return energy * beta_quantile(u_energy, table, _EXCHANGE) if neutral else shower, neutral


@stage
def reach_stage(
    u: Floats, kind: Ints, length: Floats, constants: DepositParameters, path_factor: Floats, interacts: Floats
) -> None:
    """Shorten paths per depth to the place of the interaction, at -length ln(u); 1 where there is one, else 0."""
    for i in range(np.uint64(u.size)):
        place = -length[kind[i]] * log(u[i]) / constants.depth
        inside = place < path_factor[i]
        interacts[i] = 1.0 if inside else 0.0
        path_factor[i] = place if inside else path_factor[i]


@stage
def hadron_stage(
    p: Floats,
    mass: Floats,
    kind: Ints,
    interacts: Floats,
    loss: tuple[Floats, ...],
    draws: tuple[Floats, Floats, Floats, Floats],
    kinds: HadronKinds,
    table: Floats,
    constants: DepositParameters,
    ionisation: IonisationParameters,
    deposit: Floats,
    shape: Ints,
) -> None:
    """Fill the deposits [GeV] of hadrons and the class of their shapes.

    Ionisation up to an interaction, which takes the kinetic energy left. A particle that stops frees what its kind
    does at rest. `draws` are two normals and two uniforms; a neutral hadron has no losses.
    """
    quantiles = table[QUANTILES:]
    for i in range(np.uint64(p.size)):
        k = kind[i]
        energy = math.sqrt(p[i] * p[i] + mass[i] * mass[i])
        kinetic = p[i] * p[i] / (energy + mass[i])
        parts = loss[0][i], loss[1][i], loss[2][i], loss[3][i]
        track = ionisation_deposit(kinetic, parts, draws[0][i], draws[1][i], quantiles, ionisation)
        left = max(kinetic - track, 0.0)
        inside = interacts[i] > 0.5
        halts = (loss[0][i] >= 0.999 * kinetic) & (not inside)
        annihilation = kinds.annihilation[k]
        freed = kinds.stopped[k] if halts else kinds.freed[k]
        exchange = 0.0 if halts else kinds.exchange[k]
        u_energy, u_exchange = draws[2][i], draws[3][i]
        more, neutral = visible_energy(
            energy, p[i], left, u_energy, u_exchange, exchange, annihilation, freed, table, constants
        )
        showers = inside | (halts & (annihilation + freed > 0.0))
        before = 0.0 if inside & neutral else track
        deposit[i] = before + more if showers else track
        shape[i] = (ELECTROMAGNETIC if neutral else HADRONIC) if showers else MINIMUM_IONISING


@lru_cache(maxsize=8)
def hadron_table(hadron: EmcHadron) -> Floats:
    """Return the flat table that `hadron_stage` reads: quantiles of Beta distributions, then of Vavilov's."""
    shapes = (hadron.beta_shape, hadron.charge_exchange_shape, hadron.annihilation_shape)
    parts = [_beta_quantiles(*shape) for shape in shapes]
    table = np.concatenate([*parts, vavilov_table()])
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
