"""Table of the deviates of the calorimeter: the distribution of the energy that each kind of particle leaves.

It is that of the model itself: the response of 4096 evenly spread draws for every momentum, once per card, on whole
arrays. Paths are perpendicular to the crystals' front.
"""

from functools import lru_cache

import numpy as np

from ..arrays import Floats
from ..constants import HYPOTHESIS_MASSES, MUON, PION
from ..geometry.sections import Card
from . import deposit
from .arithmetic import arcsine, exponential, logarithm
from .crystal_ionisation import ionisation_parameters, ionisation_stage, vavilov_table
from .emc import parameters
from .emc_identification import LOWEST, N_KINDS, N_MOMENTA, N_NODES, PER_LN, SCALE
from .leakage import ELECTRON_SHOWER, FIRST_DEPTH, N_DEPTHS, N_ENERGIES, PER_DEPTH, START_DEPTH, energies, leakage_table

_SHOWERS = 4096
#: Deviates of nodes with fewer showers beyond are continued from the core.
_LEAST = 8
_PATHS = np.arange(17) / 16.0
_TWO_OVER_PI = 0.6366197723675814
_BASES = (2, 3, 5, 7, 11)


def radical_inverse(base: int, n: int) -> Floats:
    """Return the first n numbers of van der Corput's sequence in (0, 1): digits mirrored at the point (Halton 1960)."""
    left, scale, value = np.arange(1, n + 1), 1.0, np.zeros(n)
    while left.any():
        scale = scale / base
        value = value + (left % base) * scale
        left = left // base
    return value


class _Model:
    """The response of a card to a fixed set of draws."""

    def __init__(self, card: Card) -> None:
        self.card = card
        u = [radical_inverse(base, _SHOWERS) for base in _BASES]
        u = [np.minimum(np.maximum(one, 0.5 / _SHOWERS), 1.0 - 0.5 / _SHOWERS) for one in u]
        self.g1, self.g2 = normal_quantile(u[0]), normal_quantile(u[1])
        self.minus_log_u, self.u_exchange = -logarithm(u[2]), u[4]
        place = _TWO_OVER_PI * arcsine(np.sqrt(u[3])) * 512.0
        table = deposit.hadron_table(card.emc.hadron)
        parts = [table[513 * part : 513 * (part + 1)] for part in range(3)]
        self.visible, self.exchanged, self.annihilated = (np.interp(place, np.arange(513), part) for part in parts)
        self.kinds = deposit.hadron_kinds(card.emc.hadron)

    def sigma(self, p: float, endcap: int) -> float:
        """Return the energy resolution of electrons in the barrel or an endcap."""
        part = self.card.emc.endcap if endcap else self.card.emc.barrel
        power = p * (np.sqrt(p) if part.exponent == 0.25 else 1.0)
        terms = part.noise * part.noise + part.stochastic * part.stochastic * power
        return float(np.sqrt(terms + part.constant * part.constant * p * p))

    def electrons(self, p: float, endcap: int) -> Floats:
        """Return the measured energies of electrons: see `emc_response`."""
        table, constants = leakage_table(self.card.emc), parameters(self.card)
        i = min(int(np.searchsorted(energies(), p, side="right")) - 1, N_ENERGIES - 2)
        f = min(max(float(logarithm(p / energies()[i])) / 0.34657359027997264, 0.0), 1.0)
        rows = table[: N_ENERGIES * N_DEPTHS].reshape(N_ENERGIES, N_DEPTHS)
        start = (START_DEPTH[ELECTRON_SHOWER] * self.minus_log_u - FIRST_DEPTH) * PER_DEPTH
        leaked = np.interp(start, np.arange(N_DEPTHS), rows[i] + f * (rows[i + 1] - rows[i]))
        first = N_ENERGIES * N_DEPTHS + 2 * N_ENERGIES * endcap
        calibration = table[first : first + 2 * N_ENERGIES].reshape(N_ENERGIES, 2)
        scale, rest = calibration[i] + f * (calibration[i + 1] - calibration[i])
        s, tau = constants.log_width, constants.tail
        shape = (1.0 - exponential(s * self.g1 + s * s)) / tau if tau > 1e-6 else -self.g1
        spread = constants.smear * rest * self.sigma(p, endcap) * shape
        return np.asarray(np.maximum(p * (1.0 - leaked) * scale + spread, 0.0))

    def losses(self, p: float, mass: float) -> tuple[Floats, ...]:
        """Return loss, xi, kappa and beta^2 at the nodes of the path."""
        losses = tuple(np.empty(len(_PATHS)) for _ in range(4))
        columns = np.full(len(_PATHS), p), np.full(len(_PATHS), mass), _PATHS
        ionisation_stage(*columns, ionisation_parameters(self.card), losses)
        return losses

    def ionisation(self, kinetic: float, path: Floats, losses: tuple[Floats, ...]) -> Floats:
        """Return deposits by ionisation along paths: see `ionisation_deposit`."""
        constants = ionisation_parameters(self.card)
        mode, xi, kappa = (np.interp(path, _PATHS, column) for column in losses[:3])
        beta2 = float(losses[3][0])
        log_kappa = logarithm(np.minimum(np.maximum(kappa, 1.0001e-3), 262.0))
        x = (log_kappa + 6.907755278982137) * 2.8853900817779268
        y = (np.minimum(np.maximum(self.g1, -5.0), 5.0) + 5.0) * 8.0
        i, j = np.minimum(x.astype(np.int64), 35), np.minimum(y.astype(np.int64), 79)
        f, h, b = x - i, y - j, min(max((beta2 - 0.2) * 1.25, 0.0), 1.0)
        table = vavilov_table().reshape(37, 2, 81)
        table = table[:, 0] + b * (table[:, 1] - table[:, 0])
        low = table[i, j] + h * (table[i, j + 1] - table[i, j])
        high = table[i + 1, j] + h * (table[i + 1, j + 1] - table[i + 1, j])
        spread = low + f * (high - low) + np.maximum(log_kappa + 0.2 + beta2, 0.0)
        found = np.minimum(mode + constants.fluctuate * xi * spread, kinetic)
        return np.asarray(np.maximum(found, 0.0) * (1.0 + constants.smear * self.g2))

    def hadrons(self, p: float, mass: float, kind: int) -> Floats:
        """Return the deposits of hadrons: see `hadron_stage`."""
        energy = float(np.sqrt(p * p + mass * mass))
        kinetic, rules, kinds = p * p / (energy + mass), deposit.parameters(self.card), self.kinds
        place = kinds.length[kind] * self.minus_log_u / rules.depth
        inside, losses = place < 1.0, self.losses(p, mass)
        path = np.minimum(place, 1.0)
        track = self.ionisation(kinetic, path, losses)
        halts = (np.interp(path, _PATHS, losses[0]) >= 0.999 * kinetic) & ~inside
        left = np.maximum(kinetic - track, 0.0)
        annihilation = kinds.annihilation[kind]
        freed = np.where(halts, kinds.stopped[kind], kinds.freed[kind])
        more = rules.visible_fraction * self.visible * (left + freed)
        if annihilation > 0.0:
            more = (left + annihilation) * self.annihilated
        chance = kinds.exchange[kind] * (rules.exchange_intercept + rules.exchange_slope * p)
        neutral = inside & (self.u_exchange < chance)
        showers = inside | (halts & (annihilation + freed > 0.0))
        return np.where(neutral, energy * self.exchanged, np.where(showers, track + more, track))

    def muons(self, p: float, mass: float) -> Floats:
        """Return the deposits of muons."""
        kinetic = p * p / (float(np.sqrt(p * p + mass * mass)) + mass)
        return self.ionisation(kinetic, np.ones(_SHOWERS), self.losses(p, mass))


@lru_cache(maxsize=8)
def emc_quantile_table(card: Card) -> Floats:
    """Return the flat table that `emc_deviates` reads.

    Deviates [kind][momentum][coordinate]; then [momentum][hypothesis but electron] the most probable loss by ionisation
    along the depth, beside the same of the kinetic energy.
    """
    model = _Model(card)
    momenta = LOWEST * exponential(np.arange(N_MOMENTA) / PER_LN)
    modes, kinetic = np.empty((5, N_MOMENTA)), np.empty((5, N_MOMENTA))
    losses = tuple(np.empty(N_MOMENTA) for _ in range(4))
    for h, mass in enumerate(HYPOTHESIS_MASSES):
        kinetic[h] = momenta * momenta / (np.sqrt(momenta * momenta + mass * mass) + mass)
        heavy = np.full(N_MOMENTA, max(mass, HYPOTHESIS_MASSES[MUON]))
        ionisation_stage(momenta, heavy, np.ones(N_MOMENTA), ionisation_parameters(card), losses)
        modes[h] = np.minimum(losses[0], kinetic[h])
    node = np.minimum(np.maximum(np.arange(N_NODES) / (N_NODES - 1.001), 0.001), 0.999)
    side = np.abs(2.0 * node - 1.0)
    of_electrons = np.where(node < 0.5, -1.0, 1.0) * SCALE * side / (1.0 - side)
    of_deposits = node / (1.0 - node)
    table = np.empty((N_KINDS, N_MOMENTA, N_NODES))
    for i, momentum in enumerate(momenta):
        p = float(momentum)
        for endcap in (0, 1):
            y = (model.electrons(p, endcap) - p) / model.sigma(p, endcap)
            table[endcap, i] = _deviates(0.5 + 0.5 * y / (np.abs(y) + SCALE), of_electrons)
        for kind in range(2, N_KINDS):
            h = MUON if kind == 2 else PION + (kind - 3) // 2
            mass = HYPOTHESIS_MASSES[h]
            energy = model.muons(p, mass) if kind == 2 else model.hadrons(p, mass, kind - 3)
            table[kind, i] = _deviates(energy / (energy + modes[h, i]), of_deposits)
    losses_of_momenta = np.concatenate([modes[MUON:], kinetic[MUON:]]).T
    flat = np.concatenate([table.ravel(), losses_of_momenta.ravel()])
    flat.flags.writeable = False
    return flat


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
