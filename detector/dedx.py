"""Specific ionisation in the drift chamber, over its value on the relativistic plateau."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..arrays import Floats
from ..constants import M_E
from ..elementary import exp, log
from ..geometry.sections import Card
from ..kernel import kernel, stage
from .arithmetic import logarithm

_LN10 = 2.302585092994046


class DedxParameters(NamedTuple):
    """What the formulas need of a card; energies in GeV, logarithms natural."""

    resolution: float
    reference_hits: float
    hits_exponent: float
    sine_exponent: float
    min_hits: float
    tail_fraction: float
    tail_scale: float
    cut_energy: float
    #: ln(2 m_e T_cut / I^2).
    log_constant: float
    sternheimer_c: float
    #: ln(beta gamma) of the onset of the density effect and of its asymptote.
    onset: float
    asymptote: float
    #: Bracket of the formula for beta gamma -> infinity.
    plateau: float
    smear: float
    #: Calibration, what is measured over what is expected.
    scale: float


@lru_cache(maxsize=16)
def parameters(card: Card) -> DedxParameters:
    """Return the constants of a card."""
    dedx = card.dedx
    ratio = 2.0 * M_E * dedx.cut_energy / (dedx.mean_excitation_energy * dedx.mean_excitation_energy)
    log_constant = float(logarithm(ratio))
    return DedxParameters(
        dedx.resolution,
        float(dedx.reference_hits),
        dedx.hits_exponent,
        dedx.sine_exponent,
        float(dedx.min_hits),
        dedx.tail_fraction,
        dedx.tail_scale,
        dedx.cut_energy,
        log_constant,
        dedx.sternheimer_c,
        dedx.sternheimer_x0 * _LN10,
        dedx.sternheimer_x1 * _LN10,
        0.5 * (log_constant + dedx.sternheimer_c - 1.0),
        1.0 if dedx.smear else 0.0,
        dedx.scale,
    )


@kernel
def expected_dedx(p: float, mass: float, constants: DedxParameters) -> float:
    """Return the expected truncated mean over the plateau: restricted energy loss (PDG 2022, eq. 34.11).

    I = 1/beta^2 [ln(2 m_e beta^2 gamma^2 T_cut / I^2) / 2 - beta^2 (1 + T_cut / T_max) / 2 - delta / 2] / plateau
    with the density effect delta of Sternheimer (exponent 3). Below beta gamma = 0.1 the formula is continued as
    1 / beta^2; radiation and shell corrections are left out. The calibration `scale` multiplies it.
    """
    bg = max(p / mass, 0.1)
    bg2 = bg * bg
    beta2 = bg2 / (1.0 + bg2)
    ln_bg = 0.5 * log(bg2)
    ratio = M_E / mass
    t_max = 2.0 * M_E * bg2 / (1.0 + 2.0 * math.sqrt(1.0 + bg2) * ratio + ratio * ratio)
    bracket = 0.5 * constants.log_constant + ln_bg
    bracket = bracket - 0.5 * beta2 * (1.0 + min(constants.cut_energy / t_max, 1.0))
    bracket = bracket - 0.5 * density_effect(ln_bg, constants.sternheimer_c, constants.onset, constants.asymptote)
    return constants.scale * bracket / (beta2 * constants.plateau)


@kernel
def density_effect(ln_bg: float, c: float, onset: float, asymptote: float) -> float:
    """Return Sternheimer's density effect delta, ln(beta gamma) given; exponent 3, continuous at the onset."""
    width = asymptote - onset
    room = max(asymptote - ln_bg, 0.0) / width
    delta = 2.0 * ln_bg - c + (c - 2.0 * onset) * room * room * room
    return delta if ln_bg > onset else 0.0


@kernel
def dedx_sigma(expected: float, n_hits: float, sine: float, constants: DedxParameters) -> float:
    """Return the resolution: the relative one times the expected value."""
    return expected * relative_sigma(n_hits, sine, constants)


@kernel
def relative_sigma(n_hits: float, sine: float, constants: DedxParameters) -> float:
    """Return the relative resolution: that of the card x (reference hits / hits)^k x sin(theta)^l."""
    hits = max(n_hits, 1.0)
    power = constants.hits_exponent * log(constants.reference_hits / hits) + constants.sine_exponent * log(sine)
    return constants.resolution * exp(power)


@kernel
def measured_dedx(
    p: float, mass: float, n_hits: float, sine: float, g: float, u: float, constants: DedxParameters
) -> float:
    """Return a measured value from a normal g and a uniform u (for the high tail); NaN with too few hits."""
    expected = expected_dedx(p, mass, constants)
    deviate = constants.tail_scale * abs(g) if u < constants.tail_fraction else g
    value = expected + constants.smear * deviate * dedx_sigma(expected, n_hits, sine, constants)
    return value if n_hits >= constants.min_hits else math.nan


@stage
def dedx_stage(
    p: Floats,
    mass: Floats,
    n_hits: Floats,
    sine: Floats,
    g: Floats,
    u: Floats,
    constants: DedxParameters,
    dedx: Floats,
) -> None:
    """Fill measured values of tracks: momentum [GeV], mass [GeV], hits, sin(theta), a normal and a uniform each."""
    for i in range(np.uint64(p.size)):
        dedx[i] = measured_dedx(p[i], mass[i], n_hits[i], sine[i], g[i], u[i], constants)
