"""Energy that charged tracks lose by ionisation between the beam and the middle of the chamber, and its correction.

Shells and half the gas (with its wires) are one mixture: electrons per area and the logarithms of excitation energies
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
from ..constants import ALPHA_T, M_E
from ..elementary import exp, log
from ..geometry.sections import Card
from ..kernel import kernel, stage
from ..rng import ENERGY_LOSS_STREAM, normal2, words
from .arithmetic import exponential, logarithm
from .material import Material, touching_shells

_HALF_BETHE = 0.1535375e-3  # K / 2 [GeV cm^2 / mol]
_PLASMA = 28.816e-9  # [GeV], hbar omega_p of 1 mol of electrons per cm^3
_LN10 = 2.302585092994046
#: Mean and standard deviation of the Moyal distribution.
_MOYAL_MEAN, _MOYAL_SIGMA = 1.2703628454614782, 2.221441469079183


class IonisationLoss(NamedTuple):
    """What the formulas need of a card: the mixture (density effect as in `material`), and where it is."""

    #: K / 2 Z/A x [GeV] at normal incidence, Landau's xi beta^2.
    strength: float
    #: ln of (2 m_e / excitation energy)^2 / 2 m_e [1/GeV].
    log_excitation: float
    c: float
    x0: float
    x1: float
    a: float
    #: Mean transverse distance [cm] of the matter from the beam times bz / ALPHA_T, and that distance.
    lever: float
    radius: float
    #: 1 with straggling, else 0.
    straggling: float
    #: |tan_lambda| from where on tracks leave through the ends of the innermost shell, and lose nothing.
    steepest: float


class Loss(NamedTuple):
    """Constants, and the radii [cm] of the matter with the share of it from there on."""

    constants: IonisationLoss
    radii: Floats
    shares: Floats

    @classmethod
    def nothing(cls) -> "Loss":
        """Return the constants of a card without losses."""
        return cls(IonisationLoss(*(0.0 for _ in IonisationLoss._fields)), np.zeros(1), np.zeros(1))


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
    shells = touching_shells(card)
    steepest = shells[0][-1].half_length / shells[0][-1].r_outer if shells else 1e3
    log_excitation = float(logarithm(2.0 * M_E / (material.excitation * material.excitation)))
    constants = IonisationLoss(
        _HALF_BETHE * electrons,
        log_excitation,
        material.c,
        material.x0,
        material.x1,
        material.a,
        radius * card.field.bz / ALPHA_T,
        radius,
        1.0 if card.matter.straggling else 0.0,
        steepest,
    )
    shares = np.array([sum(weights[i:]) for i in range(len(weights))])
    return Loss(constants, np.array([one[0] for one in groups]), shares)


@stage
def share_stage(x: Floats, y: Floats, loss: Loss, outer: float, share: Floats) -> None:
    """Fill the share of the matter that tracks cross which start at (x, y) [cm]; the gas ends at the radius `outer`."""
    radii, shares = loss.radii, loss.shares
    inner2, n = radii[0] * radii[0], radii.size
    for i in range(np.uint64(share.size)):
        share[i] = shares[0] if x[i] * x[i] + y[i] * y[i] >= inner2 else 1.0
    for k in range(n):
        radius, in_gas, behind = radii[k], k == n - 1, shares[min(k + 1, n - 1)]
        for i in range(np.uint64(share.size)):
            radius2 = x[i] * x[i] + y[i] * y[i]
            start = math.sqrt(radius2)
            gas = behind * min(max((outer - start) / (outer - radius), 0.0), 1.0)
            passed = (radius2 >= inner2) & (start >= radius)
            share[i] = (gas if in_gas else behind) if passed else share[i]


@kernel
def mean_loss(p: float, mass: float, constants: IonisationLoss) -> tuple[float, float]:
    """Return Bethe's mean loss over the kinetic energy, at normal incidence, and n = -d ln(loss) / d ln T.

    PDG 2022, eq. 34.5, without the floor of `material.stopping_power` but for slow particles (beta gamma < 0.05).
    """
    bg2 = max(p * p * (1.0 / (mass * mass)), 1e-6)
    gamma2 = 1.0 + bg2
    gamma = math.sqrt(gamma2)
    inverse = 1.0 / gamma2
    beta2 = bg2 * inverse
    ratio = M_E / mass
    screen = 1.0 / (1.0 + 2.0 * gamma * ratio + ratio * ratio)
    log_bg2 = log(bg2)
    x = log_bg2 * (0.5 / _LN10)
    room = max(constants.x1 - x, 0.0)
    dense = x > constants.x0
    delta = log_bg2 - constants.c + constants.a * room * room * room if dense else 0.0
    delta_slope = 2.0 - 3.0 / _LN10 * constants.a * room * room if dense else 0.0
    bracket = log_bg2 + log(2.0 * M_E * bg2 * screen) + constants.log_excitation - 2.0 * beta2 - delta
    slope = 4.0 - 2.0 * ratio * beta2 * gamma * screen - 4.0 * beta2 * inverse - delta_slope
    low = bracket < 0.2
    bracket = 0.2 if low else bracket
    slope = -2.0 * inverse + (0.0 if low else slope / bracket)
    # T = m bg2 / (gamma + 1); d ln p / d ln T = gamma / (gamma + 1)
    per_bg2 = 1.0 / bg2
    loss = constants.strength * (1.0 / mass) * gamma2 * (gamma + 1.0) * per_bg2 * per_bg2 * bracket
    return loss, -slope * gamma / (gamma + 1.0)


@kernel
def kinetic_behind(p: float, mass: float, path: float, constants: IonisationLoss) -> float:
    """Return the kinetic energy [GeV] behind `path` times the matter at normal incidence; in front of it if negative.

    A particle that would stop keeps a thousandth of its energy.
    """
    loss, n = mean_loss(p, mass, constants)
    bg2 = max(p * p * (1.0 / (mass * mass)), 1e-6)
    kinetic = mass * bg2 / (math.sqrt(1.0 + bg2) + 1.0)
    left = max(1.0 - (1.0 + n) * path * loss, 1e-3)
    return max(exp(log(left) / (1.0 + n)), 1e-3) * kinetic


@kernel
def fluctuation(p: float, mass: float, strength: float, g: float) -> float:
    """Return the deviation [GeV] of a loss from its mean: a Moyal variate -ln g^2 of a normal g, of mean zero.

    Its width is Landau's xi = K/2 Z/A x / beta^2 for thin layers, and where the largest transfer is small that of the
    second moment, sigma^2 = xi T_max (1 - beta^2 / 2); `strength` is xi beta^2 [GeV]. Transfers far above the mean are
    rarer than Landau's; the most probable loss is 1.3 xi below the mean (Landau: more), which the correction would
    share.
    """
    bg2 = max(p * p * (1.0 / (mass * mass)), 1e-6)
    gamma2 = 1.0 + bg2
    ratio = M_E / mass
    screen = 1.0 / (1.0 + 2.0 * math.sqrt(gamma2) * ratio + ratio * ratio)
    beta2 = bg2 * (1.0 / gamma2)
    xi = strength * gamma2 * (1.0 / bg2)
    width = min(xi, math.sqrt(xi * 2.0 * M_E * bg2 * screen * (1.0 - 0.5 * beta2)) * (1.0 / _MOYAL_SIGMA))
    return width * (-log(max(g * g, 1e-12)) - _MOYAL_MEAN)


@kernel
def bent_anew(
    d_rho: float, phi0: float, kappa: float, changed: float, constants: IonisationLoss
) -> tuple[float, float]:
    """Return (d_rho, phi0) of a track of the curvature `changed` that agrees with the given one where the matter is.

    phi0 + delta and d_rho + r delta / 2 with delta = r (1 / rho' - 1 / rho), for r << rho.
    """
    delta = min(max(constants.lever * (changed - kappa), -1.0), 1.0)
    return d_rho + 0.5 * constants.radius * delta, phi0 + delta


@stage
def draw_stage(k0: np.uint64, k1: np.uint64, event: Keys, particle: Keys, g: Floats) -> None:
    """Draw the normals of the fluctuations."""
    for i in range(np.uint64(g.size)):
        a, b, _, _ = words(k0, k1, event[i], particle[i], ENERGY_LOSS_STREAM, np.uint64(0))
        g[i], _ = normal2(a, b)


@stage
def slow_down_stage(
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
    steep2 = 1.0 + constants.steepest * constants.steepest
    for i in range(np.uint64(p.size)):
        slant = min(p[i] / pt[i], 1e6)
        path = share[i] * slant if slant * slant < steep2 else 0.0
        mean = kinetic_behind(p[i], mass, path, constants)
        strength = constants.straggling * constants.strength * path
        kinetic = max(mean - fluctuation(p[i], mass, strength, g[i]), 1e-3 * mean)
        kept = math.sqrt(kinetic * (kinetic + 2.0 * mass)) / p[i]
        changed = kappa[i] / kept
        d_rho[i], phi0[i] = bent_anew(d_rho[i], phi0[i], kappa[i], changed, constants)
        kappa[i] = changed
        p[i] = p[i] * kept
        pt[i] = pt[i] * kept


@stage
def correct_stage(
    mass: float,
    path: float,
    constants: IonisationLoss,
    helix: tuple[Floats, Floats, Floats, Floats],
    jacobian: Floats,
) -> None:
    """Bring measured (d_rho, phi0, kappa, tan_lambda) back through `path` times the matter, with an assumed mass.

    A negative path goes forwards: it takes a correction away. `jacobian` is d kappa' / d kappa: with the loss S ~ T^-n,
    dT' / dT = S(T') / S(T).
    """
    d_rho, phi0, kappa, tan_lambda = helix
    steep2 = 1.0 + constants.steepest * constants.steepest
    for i in range(np.uint64(kappa.size)):
        slant2 = 1.0 + tan_lambda[i] * tan_lambda[i]
        slant = math.sqrt(slant2)
        p = slant / abs(kappa[i])
        crossed = path * slant if slant2 < steep2 else 0.0
        kinetic = kinetic_behind(p, mass, -crossed, constants)
        before = math.sqrt(kinetic * (kinetic + 2.0 * mass))
        loss, n = mean_loss(p, mass, constants)
        start = p * p / (math.sqrt(p * p + mass * mass) + mass)
        left = max(1.0 + (1.0 + n) * crossed * loss, 1e-3)
        # dT' / dT = (T' / T)^-n; dp = E / p dT; dkappa = -kappa / p dp
        ratio = p / before
        jacobian[i] = kinetic / (start * left) * (kinetic + mass) / (start + mass) * ratio * ratio * ratio
        changed = kappa[i] * p / before
        d_rho[i], phi0[i] = bent_anew(d_rho[i], phi0[i], kappa[i], changed, constants)
        kappa[i] = changed
