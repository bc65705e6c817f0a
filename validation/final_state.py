"""Radiation of the pair: how often and how much it loses, against convolutions of structure functions and PDG."""

import math
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.integrate import quad
from scipy.stats import chi2

from ..arrays import Floats
from ..constants import JPSI_MASS, M_E, M_MU, M_PI
from ..rng import key
from ..sim.radiative.final_state_radiation import radiate
from ..sim.radiative.pair_emission import emission_slope
from ..sim.radiative.structure_function import beam_radiator
from .check import Check, Curve, Panel, Result, Settings
from .comparison import Comparison, bounded, probability

TOPIC = "final-state radiation"
_PAIRS = 2**20
_CUT = 1e-4
#: Loss of mass [GeV] whose probability is quoted, and that probability at m = 2 GeV (both exponentiated).
_LOSS = 0.010
_PROBABILITIES = (("mu", M_MU, 0.084), ("e", M_E, 0.245))
#: B(J/psi -> e e gamma, E > 100 MeV) / B(J/psi -> e e), PDG.
_SYMBOLS = {"mu": r"$\mu\mu$", "e": r"$ee$"}
_CONVOLUTION = "convolution of two structure functions"
_PDG_RATIO, _PDG_ERROR, _PDG_ENERGY = 0.147, 0.022, 0.100


class Radiated(NamedTuple):
    """Pairs at rest that have radiated: momenta (4, n) of both, of the photons (2, 4, n), and x = 1 - m_ll^2 / m^2."""

    negative: Floats
    positive: Floats
    photons: Floats
    loss: Floats


def radiated_pairs(
    mass: float, particle_mass: float, n: int, seed: int, *, cut: float = _CUT, matched: bool = False
) -> Radiated:
    """Return n pairs of a state of that mass [GeV] at rest, evenly spread over the sphere, after radiation."""
    # a lattice in place of random directions: radiation does not depend on them
    cosine: Floats = 2.0 * (np.arange(n) + 0.5) / n - 1.0
    phi = np.pi * (3.0 - math.sqrt(5.0)) * np.arange(n)
    sine = np.sqrt(1.0 - cosine**2)
    p = math.sqrt(0.25 * mass**2 - particle_mass**2)
    momenta = np.stack([p * sine * np.cos(phi), p * sine * np.sin(phi), p * cosine])
    energy = np.full((1, n), 0.5 * mass)
    negative, positive = np.concatenate([momenta, energy]), np.concatenate([-momenta, energy])
    photons = radiate(*key(seed), 0, particle_mass, cut, negative, positive, matched=matched)
    total = negative + positive
    loss = 1.0 - (total[3] ** 2 - np.sum(total[:3] ** 2, axis=0)) / mass**2
    return Radiated(negative, positive, photons, loss)


def _share(count: int, n: int) -> tuple[float, float]:
    """Return a fraction and its binomial error."""
    value = count / n
    return value, math.sqrt(value * (1.0 - value) / n)


def _convolution(edges: Floats, slope: float) -> Floats:
    """Return the probability that both particles together lose x in each bin, 0 < x < 1."""
    parts = [
        quad(lambda t: math.exp(t) * float(beam_radiator(math.exp(t), slope)), a, b, epsrel=1e-5)[0]
        for a, b in zip(np.log(edges[:-1]), np.log(edges[1:]))
    ]
    return np.array(parts)


def _spectrum(name: str, particle_mass: float, mass: float, expected: float, settings: Settings) -> Result:
    """Compare the spectrum of the loss with the convolution of both structure functions, and its tail with numbers."""
    n = settings.size(_PAIRS)
    seed = settings.seed_of("radiation", name)
    found = radiated_pairs(mass, particle_mass, n, seed)
    edges = np.concatenate([np.logspace(-3.0, -1.0, 17), np.linspace(0.15, 0.9, 16)])
    counts, _ = np.histogram(found.loss, edges)
    slope = float(emission_slope((particle_mass / mass) ** 2))
    share = _convolution(edges, slope)
    distance = float(np.sum((counts - n * share) ** 2 / (n * share)))
    subject, loses = f"{name} pair, m = {mass:g} GeV", "probability to lose more than 10 MeV"
    tail = 1.0 - (1.0 - _LOSS / mass) ** 2
    ours = _share(int(np.sum(found.loss > tail)), n)
    exact = quad(lambda t: math.exp(t) * float(beam_radiator(math.exp(t), slope)), math.log(tail), -1e-9, epsrel=1e-5)
    conserved = found.negative + found.positive + found.photons.sum(axis=0)
    conserved[3] -= mass
    matched = radiated_pairs(mass, particle_mass, n, seed, matched=True)
    ours_matched = _share(int(np.sum(matched.loss > tail)), n)
    text = f"p of chi2 = {distance:.1f} of {len(counts)} bins of 1 - m_ll^2/m^2, 0.001 to 0.9"
    estimate = "exponentiated estimate, two digits"
    rows = [
        probability(subject, text, float(chi2.sf(distance, len(counts))), _CONVOLUTION),
        Comparison(subject, loses, *ours, exact[0], 0.0, "", 0.01, _CONVOLUTION),
        Comparison(subject, loses, *ours, expected, 0.0, "", 0.05, estimate),
        Comparison(subject, f"{loses}, matched to one photon", *ours_matched, expected, 0.0, "", 0.05, estimate),
        bounded(
            subject, "largest change of four-momentum", float(np.abs(conserved).max()), 1e-9, "GeV", "conservation"
        ),
    ]
    title = rf"{_SYMBOLS[name]}, $m$ = {mass:g} GeV"
    panel = Panel("final_state_radiation", title, r"$x = 1 - m_{\ell\ell}^2/m^2$", r"$dP/d\ln x$", logarithmic_x=True)
    steps = n * np.log(edges[1:] / edges[:-1])
    values = counts / steps, np.sqrt(counts) / steps, n * share / steps, np.zeros_like(share)
    return Result(rows, [Curve(panel, name, edges, *values)])


def _jpsi(settings: Settings) -> Result:
    """Compare J/psi -> e e gamma with the measured fraction."""
    n = settings.size(_PAIRS)
    rows = []
    for matched in (False, True):
        found = radiated_pairs(JPSI_MASS, M_E, n, settings.seed_of("jpsi"), matched=matched)
        hard = int(np.sum(found.photons[:, 3].max(axis=0) > _PDG_ENERGY))
        text = "exact single photon" if matched else "structure function"
        rows.append(
            Comparison(
                "J/psi",
                f"B(e e gamma, E > 100 MeV) / B(e e), {text}",
                *_share(hard, n),
                _PDG_RATIO,
                _PDG_ERROR,
                "",
                0.0,
                "Particle Data Group",
            )
        )
    return Result(rows, [])


def _soft_cut(settings: Settings) -> Result:
    """Compare losses with photons above two cuts a hundred times apart."""
    n = settings.size(_PAIRS)
    rows = []
    for name, particle_mass in (("mu", M_MU), ("e", M_E), ("pi", M_PI)):
        shares = [
            _share(int(np.sum(radiated_pairs(2.0, particle_mass, n, seed, cut=cut).loss > 0.01)), n)
            for cut, seed in ((1e-5, settings.seed_of("fine", name)), (1e-3, settings.seed_of("coarse", name)))
        ]
        rows.append(
            Comparison(
                f"{name} pair, m = 2 GeV",
                "probability to lose more than 10 MeV, photons above 10 keV and above 1 MeV",
                *shares[0],
                *shares[1],
                "",
                2e-3,
                "independence of the soft cut",
            )
        )
    return Result(rows, [])


def final_state(settings: Settings) -> list[Check]:
    """Return the checks of this topic."""
    checks = [
        Check(TOPIC, f"spectrum of {name}", partial(_spectrum, name, particle_mass, 2.0, expected, settings))
        for name, particle_mass, expected in _PROBABILITIES
    ]
    checks.append(Check(TOPIC, "J/psi -> e e gamma", partial(_jpsi, settings)))
    checks.append(Check(TOPIC, "soft cut", partial(_soft_cut, settings)))
    return checks
