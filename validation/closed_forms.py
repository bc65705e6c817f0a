"""Closed forms that the generators are held against, integrated over bins and over simple cuts.

Everything here is numerical quadrature of formulae: nothing enters an event, and no random number is drawn.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..arrays import Floats
from ..constants import HBARC2, M_E, M_MU, M_PI, PI
from ..sim.radiative.form_factor import form_factor_stage
from ..sim.radiative.radiator import born_leptons, born_pions, isr_spectrum, radiator, radiator_outside

#: Sub-intervals of a bin, and nodes of each: the omega in the pion form factor is 8 MeV wide.
_PARTS, _NODES = 48, 4
_COSINES = 8000


def integrals(density: Callable[[Floats], Floats], edges: Floats) -> Floats:
    """Return the integral of a density over each bin: composite Gauss-Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    fine = edges[:-1, None] + np.diff(edges)[:, None] * (np.arange(_PARTS + 1) / _PARTS)
    half = 0.5 * np.diff(fine, axis=1)
    x = fine[:, :-1, None] + half[:, :, None] * (1.0 + nodes)
    values = np.asarray(density(x.ravel())).reshape(x.shape)
    summed: Floats = (values * weights * half[:, :, None]).sum(axis=(1, 2))
    return summed


def form_factor2(mass: Floats) -> Floats:
    """Return |F_pi(m^2)|^2 of a column of masses [GeV]."""
    values = np.ones_like(mass)
    form_factor_stage(np.ascontiguousarray(mass), values)
    return values


def born(pair: str, mass: Floats) -> Floats:
    """Return sigma(e+ e- -> pair) [nb] at sqrt(s') = mass [GeV], pair "mumu", "ee" (annihilation) or "pipi"."""
    if pair == "pipi":
        return np.asarray(born_pions(mass, M_PI, form_factor2(mass)))
    return np.asarray(born_leptons(mass, M_MU if pair == "mumu" else M_E))


class LeptonCuts(NamedTuple):
    """Cuts on both charged particles in the centre of mass: angle to either beam [rad], transverse momentum [GeV/c]."""

    theta_min: float
    pt_min: float


def angular_shape(pair: str, mass: float, cosine: Floats) -> Floats:
    """Return (1 / sigma_annihilation) d sigma / dcos* of the negative particle against the electron, at the mass.

    "bhabha": of s and t channel, (3 + c^2)^2 / (1 - c)^2 for massless electrons, over the annihilation's total.
    """
    square = cosine * cosine
    if pair == "pipi":
        return 0.75 * (1.0 - square)
    if pair == "bhabha":
        return 0.375 * ((3.0 + square) / (1.0 - cosine)) ** 2
    ratio = 4.0 * (M_MU if pair == "mumu" else M_E) ** 2 / mass**2
    shape: Floats = 1.0 + square + ratio * (1.0 - square)
    return shape / (8.0 / 3.0 + 4.0 / 3.0 * ratio)


def collinear_acceptance(pair: str, mass: float, sqrt_s: float, cuts: LeptonCuts) -> float:
    """Return the cross section within the cuts over the annihilation's total, for a photon along a beam.

    The pair flies along the other beam with momentum w = (s - s') / (2 sqrt(s)); both sides are averaged.
    """
    particle = {"mumu": M_MU, "pipi": M_PI}.get(pair, M_E)
    cosine = (np.arange(_COSINES) + 0.5) / _COSINES * 2.0 - 1.0
    w = (sqrt_s - mass) * (sqrt_s + mass) / (2.0 * sqrt_s)
    energy = sqrt_s - w
    beta = np.sqrt(1.0 - 4.0 * particle**2 / mass**2)
    pt = 0.5 * mass * beta * np.sqrt(1.0 - cosine**2)
    tangent = np.tan(cuts.theta_min)
    total = 0.0
    for side in (-1.0, 1.0):
        inside = pt >= cuts.pt_min
        for sign in (-1.0, 1.0):
            along = 0.5 * (side * w + sign * energy * beta * cosine)
            inside &= pt >= tangent * np.abs(along)
        total += float(np.sum(angular_shape(pair, mass, cosine)[inside])) / _COSINES
    return total


def untagged_spectrum(
    pair: str, sqrt_s: float, theta_gamma_max: float, cuts: LeptonCuts | None = None
) -> Callable[[Floats], Floats]:
    """Return d sigma / dm [nb/GeV] as a function of m, the photon within an angle of a beam.

    Without cuts exact up to m_e^2 / s; with cuts on the pair the photon is taken to fly along the beam, which is off by
    the mean square of its angle: 2e-4 for theta_gamma_max = 0.05, but more at the edge of the acceptance.
    """
    channel = "ee" if pair == "bhabha" else pair
    grid: Floats = np.linspace(0.0, 1.0, 201)

    def spectrum(mass: Floats) -> Floats:
        x = 1.0 - (mass / sqrt_s) ** 2
        share = 1.0 - radiator_outside(x, theta_gamma_max) / radiator(x, sqrt_s)
        values: Floats = isr_spectrum(mass, sqrt_s, born(channel, mass)) * share
        if cuts is not None:
            nodes = mass.min() + (mass.max() - mass.min()) * grid
            accepted = [collinear_acceptance(pair, float(m), sqrt_s, cuts) for m in nodes]
            values = values * np.interp(mass, nodes, accepted)
        return values

    return spectrum


def inclusive_spectrum(pair: str, sqrt_s: float) -> Callable[[Floats], Floats]:
    """Return d sigma / dm [nb/GeV] of e+ e- -> pair gamma at all angles as a function of m: radiator times Born."""
    return lambda mass: np.asarray(isr_spectrum(mass, sqrt_s, born(pair, mass)))


def hadronic_anomaly(low: float, high: float) -> float:
    """Return a_mu of e+ e- -> pi+ pi- between two masses [GeV], from the pion form factor.

    a = (1 / 4 pi^3) int ds K(s) sigma(s), sigma in GeV^-2, with the kernel K of Brodsky and de Rafael, Phys. Rev. 168
    (1968) 1620. The form factor includes vacuum polarisation, so that this is the dressed value.
    """

    def density(mass: Floats) -> Floats:
        s = mass**2
        beta = np.sqrt(1.0 - 4.0 * M_MU**2 / s)
        kernel = _brodsky_de_rafael((1.0 - beta) / (1.0 + beta))
        return kernel * born("pipi", mass) / HBARC2 * 2.0 * mass / (4.0 * PI**3)

    edges: Floats = np.linspace(low, high, 41)
    return float(integrals(density, edges).sum())


def _brodsky_de_rafael(x: Floats) -> Floats:
    """Return K(s) above 4 m_mu^2, x = (1 - b) / (1 + b)."""
    square = x * x
    first = square * (1.0 - 0.5 * square)
    second = (1.0 + x) ** 2 * (1.0 + 1.0 / square) * (np.log1p(x) - x + 0.5 * square)
    third = (1.0 + x) / (1.0 - x) * square * np.log(x)
    return first + second + third
