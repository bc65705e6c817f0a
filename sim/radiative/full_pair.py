"""The whole of e+ e- -> l+ l- gamma at leading order: radiation from the beams, from the pair, and their interference.

Closed forms, exact in the electron and the lepton mass, from the traces of the four diagrams in Feynman gauge. Momenta
and invariants are those of `matrix_element`; every function returns <|M|^2> / e^6 averaged over the beams' spins and
summed over all others. With l = e this is the annihilation channel alone.

The propagators may be dressed by complex factors F(q^2), vacuum polarisation or resonances: the pair radiated by the
beams carries F(s'), the pair that radiates itself carries F(s), and what enters are |F(s')|^2, |F(s)|^2 and
Re F(s') F*(s), for the traces are real.
"""

import math

import numpy as np

from ...constants import M_E
from ...elementary import exp, log
from ...event import Floats
from ...kernel import kernel, stage
from .matrix_element import _invariants, lepton_pair


@kernel
def final_state_tensor(y3: float, y4: float, q2: float, m2: float, v2: float) -> tuple[float, float, float, float]:
    """Return (A, B, C, D) of the tensor of a pair that radiates a vector boson of any mass.

    H^{mu nu} = A g + B p3 p3 / s + C p4 p4 / s + D (p3 p4 + p4 p3) / s, up to terms that vanish between conserved
    currents, summed over the boson's polarisations, with y_i = (2 k.p_i + k^2) / s, q2 = s'/s, m2 = m_l^2 / s and
    v2 = k^2 / s. At k^2 = 0 it is `initial_state_tensor` after crossing p1 -> -p4, p2 -> -p3, s <-> s'. The
    longitudinal part of a massive boson, k k / k^2, drops out: the pair's current is conserved.
    """
    y = 1.0 / (y3 * y4)
    sums = y3 * y3 + y4 * y4
    pair = y3 + y4
    a = ((2.0 * m2 * pair * pair + v2 * sums) * y - (2.0 * q2 + sums)) * y
    g = 4.0 * (2.0 * m2 + v2)
    return a, g / (y4 * y4) - 4.0 * y, g / (y3 * y3) - 4.0 * y, -g * y


@kernel
def final_radiation(
    s: float,
    s_prime: float,
    k3: float,
    k4: float,
    d13: float,
    d23: float,
    d14: float,
    d24: float,
    lepton_mass: float,
    vector_mass: float,
) -> float:
    """Return <|M|^2> / (e^4 g^2) of e+ e- -> l+ l- V, a vector V of any mass radiated by the pair with coupling g.

    H_{mu nu} I^{mu nu} / s^2 with I = 4 [p1 p2 + p2 p1 - g (p1.p2 + m_e^2)]; k_i = k.p_i, d_ij = p_i.p_j [GeV^2]. For
    a photon, vector_mass = 0 and g = e, this is final-state radiation alone.
    """
    inverse_s = 1.0 / s
    electron2 = M_E * M_E
    lepton2 = lepton_mass * lepton_mass
    square = vector_mass * vector_mass
    y3 = (2.0 * k3 + square) * inverse_s
    y4 = (2.0 * k4 + square) * inverse_s
    a, b, c, d = final_state_tensor(y3, y4, s_prime * inverse_s, lepton2 * inverse_s, square * inverse_s)
    h = 0.5 * s
    d34 = 0.5 * s_prime - lepton2
    total = -a * (s + 2.0 * electron2)
    total += inverse_s * (
        b * (2.0 * d13 * d23 - lepton2 * h)
        + c * (2.0 * d14 * d24 - lepton2 * h)
        + 2.0 * d * (d13 * d24 + d14 * d23 - d34 * h)
    )
    return 4.0 * total * inverse_s * inverse_s


@kernel
def _one_pair_of_legs(
    own: float,
    opposite: float,
    beam: float,
    lepton: float,
    s: float,
    s_prime: float,
    massless: float,
    electron2: float,
    lepton2: float,
) -> float:
    """Return the numerator of the interference of emission from one beam with emission from one lepton.

    For e- and l-: own = t, opposite = t', and what shares the beam, u, or the lepton, u'.
    """
    heavy = own * (s_prime - s) + 2.0 * opposite * (opposite + lepton)
    light = s_prime * beam - s * lepton + 2.0 * opposite * (opposite + beam)
    return 2.0 * (electron2 * light + lepton2 * heavy) - own * massless


@kernel
def interference(
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
    lepton_mass: float,
) -> float:
    """Return the interference of radiation from the beams with radiation from the pair.

    1 / (s s') sum_ij (+-) N_ij / (k.p_i k.p_j), i = 1, 2 and j = 3, 4, with t = -2 p1.p3, t' = -2 p2.p4,
    u = -2 p1.p4, u' = -2 p2.p3 and N_13 = -t (t^2 + t'^2 + u^2 + u'^2) + 2 m_e^2 [s' u - s u' + 2 t' (t' + u)]
    + 2 m_l^2 [(s' - s) t + 2 t' (t' + u')]; the others follow by exchange of the beams or of the leptons, which
    changes the sign. Odd under exchange of the leptons: it vanishes in every charge-symmetric sum. Without masses it is
    the form of Berends and Kleiss, Nucl. Phys. B 177 (1981) 237.
    """
    e2 = M_E * M_E
    m2 = lepton_mass * lepton_mass
    t = -2.0 * d13
    tp = -2.0 * d24
    u = -2.0 * d14
    up = -2.0 * d23
    h = t * t + tp * tp + u * u + up * up
    r1, r2, r3, r4 = 1.0 / k1, 1.0 / k2, 1.0 / k3, 1.0 / k4
    total = r1 * r3 * _one_pair_of_legs(t, tp, u, up, s, s_prime, h, e2, m2)
    total += r2 * r4 * _one_pair_of_legs(tp, t, up, u, s, s_prime, h, e2, m2)
    total -= r1 * r4 * _one_pair_of_legs(u, up, t, tp, s, s_prime, h, e2, m2)
    total -= r2 * r3 * _one_pair_of_legs(up, u, tp, t, s, s_prime, h, e2, m2)
    return total / (s * s_prime)


@kernel
def full_lepton_pair(
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
    lepton_mass: float,
    initial: float,
    final: float,
    mixed: float,
) -> float:
    """Return <|M|^2>/e^6 of e+ e- -> l+ l- gamma: initial * beams + final * pair + mixed * interference.

    initial = |F(s')|^2, final = |F(s)|^2 and mixed = Re F(s') F*(s) of the dressed propagators, or 0 and 1 for a part.
    """
    total = initial * lepton_pair(s, s_prime, k1, k2, d13, d23, d14, d24, lepton_mass)
    total += final * final_radiation(s, s_prime, k3, k4, d13, d23, d14, d24, lepton_mass, 0.0)
    return total + mixed * interference(s, s_prime, k1, k2, k3, k4, d13, d23, d14, d24, lepton_mass)


@kernel
def final_radiation_cosine(u: float, ratio: float, flat: float) -> tuple[float, float]:
    """Return cos* of the negative lepton about the photon, in the pair's rest frame, and its density.

    A share `flat` is even in cos*, the rest follows the collinear peaks 1 / (1 - beta^2 cos*^2) of radiation from the
    pair by beta cos* = tanh(y); beta^2 = 1 - ratio, ratio = 4 m_l^2 / s', 0 < flat < 1. The density integrates to one
    over [-1, 1].
    """
    ratio = min(ratio, 1.0 - 1e-12)  # at threshold the peaks are flat
    beta = math.sqrt(1.0 - ratio)
    reach = 0.5 * log((1.0 + beta) * (1.0 + beta) / ratio)
    even = 2.0 * u / flat - 1.0
    y = reach * (2.0 * (u - flat) / (1.0 - flat) - 1.0)
    t = exp(-2.0 * abs(y))
    peaked = min((1.0 - t) / ((1.0 + t) * beta), 1.0)
    peaked = peaked if y > 0.0 else -peaked
    cosine = even if u < flat else peaked
    density = 0.5 * flat + (1.0 - flat) * 0.5 * beta / (reach * (1.0 - (1.0 - ratio) * cosine * cosine))
    return cosine, density


@stage
def full_pair_stage(
    lepton_mass: float,
    sqrt_s: Floats,
    mass: Floats,
    minus: Floats,
    plus: Floats,
    cosine: Floats,
    pz: Floats,
    weight: Floats,
) -> None:
    """Multiply the weights by the squared matrix element of radiation from beams and pair, without dressing.

    Columns: energy of the hard process [GeV] in whose frame the others are given, mass of the pair [GeV], 1 -+ b cos
    of the photon, cos* of the negative lepton and its momentum along the beam [GeV] (see phase_space).
    """
    for i in range(np.uint64(mass.size)):
        m = mass[i]
        energy = sqrt_s[i]
        k1, k2, k3, k4, d13, d23, d14, d24 = _invariants(energy, m, minus[i], plus[i], cosine[i], pz[i], lepton_mass)
        weight[i] *= full_lepton_pair(
            energy * energy, m * m, k1, k2, k3, k4, d13, d23, d14, d24, lepton_mass, 1.0, 1.0, 1.0
        )


@stage
def dressed_pair_stage(
    lepton_mass: float,
    sqrt_s: Floats,
    mass: Floats,
    minus: Floats,
    plus: Floats,
    cosine: Floats,
    pz: Floats,
    final: Floats,
    mixed: Floats,
    weight: Floats,
) -> None:
    """Multiply the weights by the dressed matrix element in units of |F(s')|^2.

    final = |F(s) / F(s')|^2, mixed = Re F(s) / F(s'); the other columns are those of `full_pair_stage`.
    """
    for i in range(np.uint64(mass.size)):
        m = mass[i]
        energy = sqrt_s[i]
        k1, k2, k3, k4, d13, d23, d14, d24 = _invariants(energy, m, minus[i], plus[i], cosine[i], pz[i], lepton_mass)
        weight[i] *= full_lepton_pair(
            energy * energy, m * m, k1, k2, k3, k4, d13, d23, d14, d24, lepton_mass, 1.0, final[i], mixed[i]
        )
