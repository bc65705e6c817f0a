"""Energy that charged tracks lose by ionisation between the beam and the middle of the chamber, and its correction.

Shells and half the gas (with its wires) are one mixture: electron densities and the logarithms of excitation energies
add up (Bragg). The mean loss of Bethe's formula follows from its value and slope at the momentum: for dT/dx ~ T^-n the
kinetic energy behind a path x is T' = T (1 - (1 + n) q)^(1 / (1 + n)), q = x dT/dx / T, exact for any n that stays the
same, and its inverse with the sign of x. The same formula with an assumed mass corrects a measured track back to the
beam: the right mass leaves no bias, a wrong one its difference.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..arrays import Floats, Keys
from ..constants import ALPHA_T, HYPOTHESIS_MASSES, M_E
from ..elementary import exp, log, split_index
from ..geometry.sections import Card
from ..kernel import kernel, stage
from ..rng import ENERGY_LOSS_STREAM, normal2, words
from .arithmetic import exponential, logarithm
from .material import Material, stopping_power, touching_shells

#: Grid of the table: momenta [GeV] spaced evenly in ln p.
P_MIN, P_MAX, N_P = 0.02, 20.0, 256

_HALF_BETHE = 0.1535375e-3  # K / 2 [GeV cm^2 / mol]
_PLASMA = 28.816e-9  # [GeV], hbar omega_p of 1 mol of electrons per cm^3
_LN10 = 2.302585092994046
#: Mean and standard deviation of the Moyal distribution.
_MOYAL_MEAN, _MOYAL_SIGMA = 1.2703628454614782, 2.221441469079183


class IonisationLoss(NamedTuple):
    """What the formulas need of a card: `table` holds the mean losses [GeV] at normal incidence, 256 per hypothesis."""

    log_p_min: float
    per_log_p: float
    #: Mean transverse distance [cm] of the matter from the beam times bz / ALPHA_T, and that distance.
    lever: float
    radius: float
    #: Landau's xi beta^2 [GeV] at normal incidence; 0 without straggling.
    xi: float


class Loss(NamedTuple):
    """Table of shape (n_hypotheses * N_P,), constants, and the matter's radii [cm] with the share from there on."""

    table: Floats
    constants: IonisationLoss
    radii: Floats
    shares: Floats


def mixture(parts: list[tuple[float, float, float, float]]) -> Material:
    """Return one material of unit thickness for parts of (g/cm^2, density [g/cm^3], Z/A, excitation energy [GeV]).

    The density effect is that of Sternheimer and Peierls (Phys. Rev. B 3 (1971) 3681) for solids and liquids.
    """
    total = sum(part[0] for part in parts)
    electrons = sum(part[0] * part[2] for part in parts)
    log_i = sum(part[0] * part[2] * float(logarithm(part[3])) for part in parts) / electrons
    plasma2 = _PLASMA * _PLASMA
    log_plasma2 = sum(part[0] * part[2] * float(logarithm(plasma2 * part[1] * part[2])) for part in parts) / electrons
    c = 2.0 * log_i - log_plasma2 + 1.0
    excitation = float(exponential(log_i))
    light = excitation < 100e-9
    x1 = 2.0 if light else 3.0
    x0 = 0.2 if c < (3.681 if light else 5.215) else 0.326 * c - (1.0 if light else 1.5)
    depth = x1 - x0
    a = (c - 2.0 * _LN10 * x0) / (depth * depth * depth)
    return Material(total, electrons / total, excitation, c, x0, x1, a, 3.0)


def _parts(card: Card) -> list[tuple[float, list[tuple[float, float, float, float]]]]:
    """Return (radius, parts) of the shells and, last, of half the gas."""
    found = []
    for group in touching_shells(card):
        shells = [
            ((one.r_outer - one.r_inner) * one.density, one.density, one.z_over_a, one.excitation_energy)
            for one in group
        ]
        found.append((group[-1].r_outer, [shell for shell in shells if shell[0] > 0.0]))
    matter, last = card.matter, card.mdc.layers[-1].radius
    if matter.gas_density > 0.0:
        thickness = 0.5 * (last - card.mdc.gas_inner) * matter.gas_density
        gas = thickness, matter.gas_density, matter.gas_z_over_a, card.dedx.mean_excitation_energy
        found.append((card.mdc.gas_inner, [gas]))
    return [one for one in found if one[1]]


@lru_cache(maxsize=16)
def ionisation_loss(card: Card) -> Loss | None:
    """Return the losses in the matter of a card up to the middle of the chamber; None if it has none."""
    groups = _parts(card)
    if not card.matter.ionisation or not groups:
        return None
    material = mixture([part for _, parts in groups for part in parts])
    electrons = material.density * material.z_over_a
    weights = [sum(part[0] * part[2] for part in parts) / electrons for _, parts in groups]
    radius = sum(weight * one[0] for weight, one in zip(weights, groups))
    low, high = float(logarithm(P_MIN)), float(logarithm(P_MAX))
    step = (high - low) / (N_P - 1)
    momenta = exponential(low + step * np.arange(N_P))
    table = np.concatenate([stopping_power(momenta / mass, mass, material) for mass in HYPOTHESIS_MASSES])
    table.flags.writeable = False
    xi = _HALF_BETHE * electrons if card.matter.straggling else 0.0
    constants = IonisationLoss(low, 1.0 / step, radius * card.field.bz / ALPHA_T, radius, xi)
    shares = np.array([sum(weights[i:]) for i in range(len(weights))])
    return Loss(table, constants, np.array([one[0] for one in groups]), shares)


def share_crossed(radius2: Floats, card: Card, loss: Loss) -> Floats:
    """Return the share of the matter that tracks cross which start at given squared radii [cm^2]."""
    share = np.ones(len(radius2))
    away = np.flatnonzero(radius2 >= loss.radii[0] * loss.radii[0])
    if len(away):
        start = np.sqrt(radius2[away])
        inner, outer = loss.radii[-1], card.mdc.layers[-1].radius
        in_gas = loss.shares[-1] * np.clip((outer - start) / (outer - inner), 0.0, 1.0)
        passed = np.searchsorted(loss.radii, start, side="right")
        share[away] = np.where(passed < len(loss.radii), loss.shares[np.minimum(passed, len(loss.radii) - 1)], in_gas)
    return share


@kernel
def momentum_behind(
    p: float, mass: float, path: float, table: Floats, first: np.uint64, constants: IonisationLoss
) -> float:
    """Return the momentum [GeV] behind `path` times the matter at normal incidence; in front of it if negative.

    A particle that would stop keeps a thousandth of its kinetic energy.
    """
    x = (log(max(p, 1e-6)) - constants.log_p_min) * constants.per_log_p
    i, f = split_index(min(max(x, 0.0), N_P - 1.001))
    low, high = table[first + i], table[first + i + np.uint64(1)]
    loss = low + f * (high - low)
    energy = math.sqrt(p * p + mass * mass)
    kinetic = p * p / (energy + mass)
    power = 1.0 - (high - low) * constants.per_log_p / loss * kinetic * energy / (p * p)
    kept = exp(log(max(1.0 - power * path * loss / kinetic, 1e-3)) / power)
    kinetic = max(kept, 1e-3) * kinetic
    return math.sqrt(kinetic * (kinetic + 2.0 * mass))


@kernel
def fluctuation(p: float, mass: float, xi: float, g: float) -> float:
    """Return the deviation [GeV] of a loss from its mean: a Moyal variate -ln g^2 of a normal g, of mean zero.

    Its width is Landau's xi = K/2 Z/A x / beta^2 for thin layers, and where the largest transfer is small that of the
    second moment, sigma^2 = xi T_max (1 - beta^2 / 2). Transfers far above the mean are rarer than Landau's; the most
    probable loss is 1.3 xi below the mean (Landau: more), which the correction would share.
    """
    energy2 = p * p + mass * mass
    beta2 = p * p / energy2
    ratio = M_E / mass
    bg2 = p * p / (mass * mass)
    t_max = 2.0 * M_E * bg2 / (1.0 + 2.0 * math.sqrt(1.0 + bg2) * ratio + ratio * ratio)
    xi = xi / beta2
    width = min(xi, math.sqrt(xi * t_max * (1.0 - 0.5 * beta2)) / _MOYAL_SIGMA)
    return width * (-log(max(g * g, 1e-12)) - _MOYAL_MEAN)


@kernel
def bent_anew(
    d_rho: float, phi0: float, kappa: float, changed: float, constants: IonisationLoss
) -> tuple[float, float]:
    """Return (d_rho, phi0) of a track of the curvature `changed` that agrees with the given one where the matter is.

    phi0 + delta and d_rho + r delta / 2 with delta = r (1 / rho' - 1 / rho), for r << rho.
    """
    delta = constants.lever * (changed - kappa)
    return d_rho + 0.5 * constants.radius * delta, phi0 + delta


@stage
def draw_stage(k0: np.uint64, k1: np.uint64, event: Keys, particle: Keys, g: Floats) -> None:
    """Draw the normals of the fluctuations."""
    for i in range(np.uint64(g.size)):
        a, b, _, _ = words(k0, k1, event[i], particle[i], ENERGY_LOSS_STREAM, np.uint64(0))
        g[i], _ = normal2(a, b)


@stage
def slow_down_stage(
    table: Floats,
    species: int,
    mass: float,
    constants: IonisationLoss,
    share: Floats,
    g: Floats,
    p: Floats,
    pt: Floats,
    helix: tuple[Floats, Floats, Floats],
) -> None:
    """Replace momenta [GeV] and (d_rho, phi0, kappa) at the beam by those that the chamber sees."""
    d_rho, phi0, kappa = helix
    first = np.uint64(species * N_P)
    for i in range(np.uint64(p.size)):
        path = share[i] * p[i] / pt[i]
        behind = momentum_behind(p[i], mass, path, table, first, constants)
        kinetic = behind * behind / (math.sqrt(behind * behind + mass * mass) + mass)
        kinetic = max(kinetic - fluctuation(p[i], mass, constants.xi * path, g[i]), 1e-3 * kinetic)
        kept = math.sqrt(kinetic * (kinetic + 2.0 * mass)) / p[i]
        changed = kappa[i] / kept
        d_rho[i], phi0[i] = bent_anew(d_rho[i], phi0[i], kappa[i], changed, constants)
        kappa[i] = changed
        p[i] = p[i] * kept
        pt[i] = pt[i] * kept


@stage
def correct_stage(
    table: Floats,
    species: int,
    mass: float,
    path: float,
    constants: IonisationLoss,
    helix: tuple[Floats, Floats, Floats, Floats],
) -> None:
    """Bring measured (d_rho, phi0, kappa, tan_lambda) back through `path` times the matter, with an assumed mass.

    A negative path goes forwards: it takes a correction away.
    """
    d_rho, phi0, kappa, tan_lambda = helix
    first = np.uint64(species * N_P)
    for i in range(np.uint64(kappa.size)):
        slant = math.sqrt(1.0 + tan_lambda[i] * tan_lambda[i])
        p = slant / abs(kappa[i])
        before = momentum_behind(p, mass, -path * slant, table, first, constants)
        changed = kappa[i] * p / before
        d_rho[i], phi0[i] = bent_anew(d_rho[i], phi0[i], kappa[i], changed, constants)
        kappa[i] = changed
