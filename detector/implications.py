"""What the numbers of a card imply: resolutions, acceptance, material; and what in it looks like a mistake."""

import math
from typing import NamedTuple

import numpy as np

from ..arrays import Floats
from ..constants import M_K, M_MU, M_PI, C
from ..geometry.sections import Card
from . import emc
from .covariance import helix_covariance
from .material import thickness

#: Diagonal entries of a lower triangle by rows: d_rho, phi0, kappa, dz, tan_lambda.
_D0, _PHI, _KAPPA, _Z0, _TAN = 0, 2, 5, 9, 14
#: Momenta [GeV] of the fit of sigma(pt) / pt.
_MOMENTA = (0.3, 0.5, 0.8, 1.0, 1.4, 2.0, 3.0, 4.0)


class Implied(NamedTuple):
    """A quantity that follows from a card."""

    quantity: str
    value: float
    unit: str


def pt_resolution(card: Card, p: float, cosine: float = 0.0, mass: float = M_MU) -> float:
    """Return sigma(pt) / pt of the track fit at momentum [GeV] and cos(theta), averaged over charges."""
    p_t = p * math.sqrt(1.0 - cosine * cosine)
    covariance, _ = helix_covariance(card, np.full(2, p), np.full(2, cosine), np.array([1.0, -1.0]), mass)
    return p_t * math.sqrt(float(np.mean(covariance[_KAPPA])))


def pt_terms(card: Card, mass: float = M_MU) -> tuple[float, float]:
    """Return a [1/GeV] and b of sigma(pt) / pt = a pt + b / beta in quadrature at 90 degrees, fitted from 0.3 to 4 GeV.

    All momenta have the same relative weight.
    """
    xx = xy = yy = x = y = 0.0
    for p in _MOMENTA:
        variance = pt_resolution(card, p, mass=mass) ** 2
        one, other = p * p / variance, (1.0 + (mass / p) ** 2) / variance
        xx, xy, yy, x, y = xx + one * one, xy + one * other, yy + other * other, x + one, y + other
    determinant = xx * yy - xy * xy
    a2, b2 = (x * yy - y * xy) / determinant, (y * xx - x * xy) / determinant
    return math.sqrt(max(a2, 0.0)), math.sqrt(max(b2, 0.0))


def chamber_acceptance(card: Card) -> tuple[float, float]:
    """Return the smallest and the largest cos(theta) at which muons of 1 GeV cross `mdc.min_hits` layers."""
    cosine = np.linspace(-0.999, 0.999, 1999)
    hits = helix_covariance(card, np.ones(cosine.size), cosine, 1.0, M_MU)[1]
    inside = cosine[hits >= card.mdc.min_hits]
    return (float(inside[0]), float(inside[-1])) if inside.size else (math.nan, math.nan)


def material_budget(card: Card) -> dict[str, float]:
    """Return the radiation lengths at 90 degrees: in front of the chamber, its gas, and behind it."""
    gas = (card.mdc.gas_outer - card.mdc.gas_inner) / card.mdc.gas_radiation_length
    inner = [shell for shell in card.material if shell.r_outer <= card.mdc.gas_inner * (1.0 + 1e-9)]
    outer = [shell for shell in card.material if shell.r_outer > card.mdc.gas_inner * (1.0 + 1e-9)]
    return {
        "in front of the chamber": math.fsum(
            [thickness(one) for one in inner] + [one.thickness for one in card.silicon]
        ),
        "gas and wires": gas,
        "behind the chamber": math.fsum(thickness(shell) for shell in outer),
    }


def emc_resolution(card: Card, energy: float, cosine: float) -> float:
    """Return sigma(E) / E of photons of an energy [GeV] at cos(theta)."""
    return float(emc.energy_sigma(energy, abs(cosine), emc.parameters(card))) / energy


def tof_separation(card: Card, p: float) -> float:
    """Return the distance of K and pi of momentum [GeV] at 90 degrees in standard deviations of the barrel counters."""
    times = [card.tof.barrel.radius / C * math.sqrt(1.0 + (mass / p) ** 2) for mass in (M_PI, M_K)]
    return (times[1] - times[0]) / _with_event_time(card, card.tof.barrel.sigma)


def implications(card: Card) -> list[Implied]:
    """Return what a card implies, from the beams outwards; resolutions of tracks are those of muons at 90 degrees."""
    covariance: Floats = helix_covariance(card, 1.0, 0.0, 1.0, M_MU)[0].reshape(15)
    a, b = pt_terms(card)
    low, high = chamber_acceptance(card)
    electron, positron = card.beam.energies
    endcap = 0.5 * sum(card.emc.endcap.usable_cos_range)
    return [
        Implied("electron beam", electron, "GeV"),
        Implied("positron beam", positron, "GeV"),
        Implied("sqrt(s)", card.beam.sqrt_s, "GeV"),
        *(Implied(f"material {name}", 100.0 * value, "% X0") for name, value in material_budget(card).items()),
        Implied("chamber from cos(theta)", low, ""),
        Implied("chamber to cos(theta)", high, ""),
        *(Implied(f"sigma(pt)/pt at {p:g} GeV", 100.0 * pt_resolution(card, p), "%") for p in (0.3, 1.0, 2.0)),
        Implied("sigma(pt)/pt: a of a pt (+) b/beta", 100.0 * a, "%/GeV"),
        Implied("sigma(pt)/pt: b of a pt (+) b/beta", 100.0 * b, "%"),
        Implied("sigma(d0) at 1 GeV", 1e4 * math.sqrt(covariance[_D0]), "um"),
        Implied("sigma(z0) at 1 GeV", 1e4 * math.sqrt(covariance[_Z0]), "um"),
        Implied("sigma(phi) at 1 GeV", 1e3 * math.sqrt(covariance[_PHI]), "mrad"),
        Implied("sigma(theta) at 1 GeV", 1e3 * math.sqrt(covariance[_TAN]), "mrad"),
        Implied("dE/dx resolution", 100.0 * card.dedx.resolution, "%"),
        Implied("TOF barrel with event time", 1e3 * _with_event_time(card, card.tof.barrel.sigma), "ps"),
        Implied("TOF endcap with event time", 1e3 * _with_event_time(card, card.tof.endcap.sigma), "ps"),
        Implied("TOF K - pi at 1 GeV, barrel", tof_separation(card, 1.0), "sigma"),
        *(
            Implied(f"EMC barrel sigma(E)/E at {e:g} GeV", 100.0 * emc_resolution(card, e, 0.0), "%")
            for e in (0.1, 1.0)
        ),
        Implied("EMC endcap sigma(E)/E at 1 GeV", 100.0 * emc_resolution(card, 1.0, endcap), "%"),
        Implied("iron of the muon counter, barrel", math.fsum(card.muc.barrel.iron), "cm"),
    ]


def _with_event_time(card: Card, sigma: float) -> float:
    return math.sqrt(sigma**2 + card.tof.event_time_sigma**2)
