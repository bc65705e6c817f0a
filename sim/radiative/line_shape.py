"""Photon propagators in the matrix elements: vacuum polarisation, and the narrow resonances that interfere with it.

F(q2) = 1 / (1 - Delta alpha(q2)) + sum over J/psi, psi(2S) and Upsilon(1S) to Upsilon(3S) of
(3 q2 / (alpha m)) sqrt(Gamma_ee Gamma_ll) / (q2 - m^2 + i m Gamma) multiplies the propagator 1 / q2 of a lepton pair.
The widths are those measured, with vacuum polarisation inside, so that the resonances stand beside it; on the
space-like side these states are a part of Delta alpha. The form factor of a pion pair is fitted to the dressed cross
section and takes no further factor; J/psi -> pi pi (branching fraction 1.5e-4) is left out.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from ...arrays import Floats
from ...constants import (
    ALPHA,
    JPSI_BR_EE,
    JPSI_BR_MUMU,
    M_E,
    PSI2S_BR_EE,
    PSI2S_BR_MUMU,
    UPSILON1S_BR_EE,
    UPSILON1S_BR_MUMU,
    UPSILON2S_BR_EE,
    UPSILON2S_BR_MUMU,
    UPSILON3S_BR_EE,
    UPSILON3S_BR_MUMU,
)
from ...elementary import split_index
from ...kernel import kernel, stage
from ...vacuum_polarisation import LIGHT_STATES, NARROW_STATES, NODES, State, hadronic_table, leptons, undressed
from .matrix_element import _invariants

#: Branching fractions of the narrow states to a lepton pair, in their order.
BRANCHING_FRACTIONS = {
    "e": (JPSI_BR_EE, PSI2S_BR_EE, UPSILON1S_BR_EE, UPSILON2S_BR_EE, UPSILON3S_BR_EE),
    "mu": (JPSI_BR_MUMU, PSI2S_BR_MUMU, UPSILON1S_BR_MUMU, UPSILON2S_BR_MUMU, UPSILON3S_BR_MUMU),
}

_FOUR = np.uint64(4)
_THREE = np.uint64(3)
_TWO = np.uint64(2)
_ONE = np.uint64(1)
_ZERO = np.uint64(0)


class Pole(NamedTuple):
    """A Breit-Wigner term strength q2 / (q2 - mass2 + i damping)."""

    #: Mass squared and mass times width [GeV^2].
    mass2: float
    damping: float
    #: 3 sqrt(Gamma_ee Gamma_ll) / (alpha m); 0 switches the term off.
    strength: float


class LineShape(NamedTuple):
    """Everything that fixes F(q2), ready for stages: made by `line_shape`."""

    #: Delta alpha by node i, q2 = +-(i / 2048)^4 GeV^2: Re and Im time-like without poles, Re space-like, 0.
    table: Floats
    omega: Pole
    phi: Pole
    jpsi: Pole
    psi2s: Pole
    upsilon1s: Pole
    upsilon2s: Pole
    upsilon3s: Pole


_OFF = Pole(1.0, 0.0, 0.0)
BARE = LineShape(np.zeros(8), *(_OFF,) * 7)


@kernel
def breit_wigner(pole: Pole, q2: float) -> tuple[float, float]:
    """Return real and imaginary part of strength q2 / (q2 - m^2 + i m Gamma)."""
    distance = q2 - pole.mass2
    scale = pole.strength * q2 / (distance * distance + pole.damping * pole.damping)
    return scale * distance, -scale * pole.damping


@kernel
def two_poles(first: Pole, second: Pole, q2: float) -> tuple[float, float]:
    """Return the sum of two Breit-Wigner terms, at the price of one division."""
    d1, d2 = q2 - first.mass2, q2 - second.mass2
    n1, n2 = d1 * d1 + first.damping * first.damping, d2 * d2 + second.damping * second.damping
    common = q2 / (n1 * n2)
    s1, s2 = common * first.strength * n2, common * second.strength * n1
    return s1 * d1 + s2 * d2, -(s1 * first.damping + s2 * second.damping)


@kernel
def _look_up(line: LineShape, q2: float, column: np.uint64) -> tuple[float, float]:
    """Return a column of the table and the next one at |q2|, linear between nodes; beyond the table its last value."""
    index, fraction = split_index(min(NODES * math.sqrt(math.sqrt(abs(q2))), float(line.table.size) * 0.25 - 2.0))
    at = _FOUR * index + column
    real, imaginary = line.table[at], line.table[at + _ONE]
    real += fraction * (line.table[at + _FOUR] - real)
    imaginary += fraction * (line.table[at + _FOUR + _ONE] - imaginary)
    return real, imaginary


@kernel
def time_like(line: LineShape, q2: float) -> tuple[float, float]:
    """Return real and imaginary part of F(q2) at q2 > 0 [GeV^2], see `propagator`."""
    real, imaginary = _look_up(line, q2, _ZERO)
    a, b = two_poles(line.omega, line.phi, q2)
    real, imaginary = 1.0 - real - a, imaginary + b
    scale = 1.0 / (real * real + imaginary * imaginary)
    a, b = two_poles(line.jpsi, line.psi2s, q2)
    c, d = two_poles(line.upsilon1s, line.upsilon2s, q2)
    e, f = breit_wigner(line.upsilon3s, q2)
    return scale * real + a + c + e, scale * imaginary + b + d + f


@kernel
def space_like(line: LineShape, q2: float) -> float:
    """Return F(q2) at q2 <= 0 [GeV^2], see `propagator`."""
    real, _ = _look_up(line, q2, _TWO)
    return 1.0 / (1.0 - real)


@kernel
def propagator(line: LineShape, q2: float) -> tuple[float, float]:
    """Return real and imaginary part of F(q2), q2 [GeV^2] of either sign: the propagator is F(q2) / q2.

    s' = q2 of the pair for radiation from the beams, s for radiation from the final state, t < 0 for an exchange.
    Linear interpolation adds less than 3e-6 to F, but 1e-4 at the thresholds of muon and tau pairs, 2e-5 at the phi and
    between 3.6 and 5.1 GeV, 8e-5 at the omega and 2e-4 at the Upsilon(4S). Beyond the table, |q2| > 130 GeV^2, its last
    value is taken.
    """
    above = q2 > 0.0
    real, imaginary = time_like(line, q2 if above else 1.0)
    return real if above else space_like(line, q2), imaginary if above else 0.0


@kernel
def dressing(line: LineShape, q2: float) -> float:
    """Return |F(q2)|^2, what a cross section through one photon of virtuality q2 is multiplied by."""
    real, imaginary = time_like(line, q2)
    return real * real + imaginary * imaginary


@kernel
def bhabha_dressing(
    line: LineShape,
    s: float,
    s_prime: float,
    k1: float,
    k2: float,
    k3: float,
    k4: float,
    d13: float,
    d23: float,
    d14: float,
    d24: float,
) -> float:
    """Return |M|^2 of e+ e- -> e+ e- gamma with dressed photons over that with bare ones.

    Radiation from either line of either channel is gauge invariant by itself and has its own propagator: s' and s for
    beams and final state, t' = -2 p2.p4 and t = -2 p1.p3 for the lines of e- and e+ (the photon shifts the momentum
    of the other line). For massless electrons each helicity amplitude is a product of spinor products with the sums
    X = F(s') e12 + F(s) e43 in the s channel and Y = F(t') e13 + F(t) e42 in the t channel, e_ij = <ij> / (<ik><kj>)
    and e12 + e43 = e13 + e42; normalised to e12 and with the stereographic coordinate tau = tan(theta/2) e^{i phi} of
    each direction, e13 = 1 / (1 - a3) and e42 = 1 - 1 / (1 - a4), a_i = tau_k / tau_i. Both channels contribute to
    X - z Y, z = <12><34> / (<13><24>). Amplitudes: Kleiss and Stirling, Nucl. Phys. B 262 (1985) 235. Wrong by the
    electron's mass only: 3e-6 where the photon is at m_e / E from a beam, below 5e-7 elsewhere. Collinear with a beam
    it is the ratio of Born cross sections in the reduced kinematics, which alone would be off by 3e-4 at 0.1 rad, by
    1e-2 at wide angles and by 5e-2 around the J/psi.
    """
    t, t_prime, u, u_prime = -2.0 * d13, -2.0 * d24, -2.0 * d14, -2.0 * d23
    half = 0.5 * s / k2
    near = k1 / k2
    # |1 - a|^2, |a|^2 and the parts of a: phi_3 - phi_k and phi_4 - phi_k have opposite signs
    n3, n4 = half * k3 / d13, half * k4 / d14
    m3, m4 = near * d23 / d13, near * d24 / d14
    r3, r4 = 0.5 * (1.0 + m3 - n3), 0.5 * (1.0 + m4 - n4)
    i3 = math.sqrt(max(m3 - r3 * r3, 0.0))
    i4 = -i3 * d13 / d14
    e13r, e13i = (1.0 - r3) / n3, i3 / n3
    e42r, e42i = 1.0 - (1.0 - r4) / n4, -i4 / n4
    e43r, e43i = e13r + e42r - 1.0, e13i + e42i
    both, exchange, crossed = s * s_prime, t * t_prime, u * u_prime
    zr, zi = 0.5 * (1.0 + (both - crossed) / exchange), i3 * k2 / d24
    f1, f2 = space_like(line, t_prime), space_like(line, t)
    g1, h1 = time_like(line, s_prime)
    g2, h2 = time_like(line, s)
    yr, yi = f1 * e13r + f2 * e42r, f1 * e13i + f2 * e42i
    xr, xi = g1 + g2 * e43r, g2 * e43i
    # the absorptive parts do not interfere with the rest after the sum over the photon's helicities
    hr, hi = h1 + h2 * e43r, h2 * e43i
    absorptive = hr * hr + hi * hi
    wr, wi = xr - zr * yr + zi * yi, xi - zr * yi - zi * yr
    squares = s * s + s_prime * s_prime, t * t + t_prime * t_prime, u * u + u_prime * u_prime
    dressed = both * squares[0] * (yr * yr + yi * yi)
    dressed += exchange * squares[1] * (xr * xr + xi * xi + absorptive)
    dressed += exchange * squares[2] * (wr * wr + wi * wi + absorptive)
    er, ei = 1.0 + e43r, e43i
    bare = both * squares[0] + exchange * squares[1] + crossed * squares[2]
    return dressed / (bare * (er * er + ei * ei))


@stage
def dressed_stage(line: LineShape, mass: Floats, weight: Floats) -> None:
    """Multiply the weights by |F(m^2)|^2: a lepton pair of mass m [GeV] from one photon."""
    for i in range(np.uint64(mass.size)):
        weight[i] *= dressing(line, mass[i] * mass[i])


@stage
def propagator_stage(line: LineShape, q2: Floats, real: Floats, imaginary: Floats) -> None:
    """Compute F(q2) of a column of virtualities [GeV^2]."""
    for i in range(np.uint64(q2.size)):
        real[i], imaginary[i] = propagator(line, q2[i])


@stage
def dressed_bhabha_stage(
    line: LineShape,
    sqrt_s: Floats,
    mass: Floats,
    minus: Floats,
    plus: Floats,
    cosine: Floats,
    pz: Floats,
    weight: Floats,
) -> None:
    """Multiply weights of radiative Bhabha scattering by `bhabha_dressing`, which may be infinite where they are 0."""
    for i in range(np.uint64(mass.size)):
        m, w = mass[i], sqrt_s[i]
        k1, k2, k3, k4, d13, d23, d14, d24 = _invariants(w, m, minus[i], plus[i], cosine[i], pz[i], M_E)
        ratio = bhabha_dressing(line, w * w, m * m, k1, k2, k3, k4, d13, d23, d14, d24)
        weight[i] = weight[i] * ratio if weight[i] > 0.0 else 0.0


@stage
def _continuum_stage(hadrons: Floats, table: Floats) -> None:
    """Fill the table's nodes with leptons and hadrons, without poles; hadrons: rows of three, flat."""
    last = np.uint64(hadrons.size // 3 - 1)
    for i in range(np.uint64(table.size // 4)):
        node = float(i) / NODES
        node = node * node
        q2 = node * node
        row, at = _THREE * min(np.uint64(i), last), _FOUR * i  # the last node stands twice
        a, b = leptons(q2)
        c, _ = leptons(-q2)
        table[at] = a + hadrons[row]
        table[at + _ONE] = b + hadrons[row + _ONE]
        table[at + _TWO] = c + hadrons[row + _TWO]


@stage
def _space_like_stage(pole: Pole, table: Floats) -> None:
    """Add the term of one state to the space-like nodes, without its width."""
    for i in range(np.uint64(table.size // 4)):
        node = float(i) / NODES
        node = node * node
        q2 = node * node
        table[_FOUR * i + _TWO] += pole.strength * q2 / (q2 + pole.mass2)


@stage
def _look_up_stage(line: LineShape, q2: Floats, real: Floats) -> None:
    for i in range(np.uint64(q2.size)):
        real[i], _ = _look_up(line, q2[i], _ZERO)


def _pole(state: State) -> Pole:
    return Pole(state.mass * state.mass, state.mass * state.width, 3.0 * state.electronic_width / (ALPHA * state.mass))


@cache
def line_shape(lepton: str, *, vacuum_polarisation: bool = True, resonances: bool = True) -> LineShape:
    """Return F(q2) of a pair of leptons "e" or "mu", with vacuum polarisation, with narrow resonances, or without.

    Raises ValueError for another lepton. Every number is made by + - * / and `elementary` alone from the packaged
    table: the same bits everywhere.
    """
    if lepton not in BRANCHING_FRACTIONS:
        raise ValueError(f"lepton = {lepton!r}, must be 'e' or 'mu'")
    hadrons = hadronic_table()
    table = np.zeros(4 * (len(hadrons) + 1))
    light = (_OFF, _OFF)
    if vacuum_polarisation:
        _continuum_stage(np.ascontiguousarray(hadrons).reshape(-1).copy(), table)
        states = LIGHT_STATES + NARROW_STATES
        delta = np.empty(len(states))
        _look_up_stage(LineShape(table, *(_OFF,) * 7), np.array([state.mass * state.mass for state in states]), delta)
        bare = [_pole(undressed(state, float(one))) for state, one in zip(states, delta, strict=True)]
        for pole in bare:
            _space_like_stage(pole, table)
        light = bare[0], bare[1]
    narrow = []
    for state, fraction in zip(NARROW_STATES, BRANCHING_FRACTIONS[lepton], strict=True):
        partial = float(math.sqrt(state.electronic_width * fraction * state.width))
        narrow.append(_pole(state._replace(electronic_width=partial)) if resonances else _OFF)
    return LineShape(table, *light, *narrow)
