"""Squared matrix elements of e+ e- -> X gamma at leading order, exact in the electron and the lepton mass.

Momenta: p1 = e-, p2 = e+, p3 = l-, p4 = l+ (or pi-, pi+), k = photon; s = (p1 + p2)^2, s' = (p3 + p4)^2. Every
function returns <|M|^2> / e^6, averaged over the beams' spins and summed over all others, from invariants, so that the
caller can compute k.p1 and k.p2 without cancellation where the photon is collinear with a beam.
"""

import math

import numpy as np

from ...constants import M_E
from ...event import Floats
from ...kernel import kernel, stage


@kernel
def initial_state_tensor(y1: float, y2: float, q2: float, m2: float) -> tuple[float, float, float, float]:
    """Return (A, B, C, D) of the tensor of initial-state radiation.

    L^{mu nu} = A g + B p1 p1 / s + C p2 p2 / s + D (p1 p2 + p2 p1) / s with y_i = 2 k.p_i / s, q2 = s'/s and
    m2 = m_e^2 / s, exact in m_e. Rodrigo, Czyz, Kuehn and Szopa, Eur. Phys. J. C 24 (2002) 71, hep-ph/0112184.
    """
    y = 1.0 / (y1 * y2)
    x = 1.0 - q2
    a = (2.0 * m2 * q2 * x * x * y - (2.0 * q2 + y1 * y1 + y2 * y2)) * y
    common = -4.0 * q2 * y
    b = 8.0 * m2 / (y2 * y2) + common
    c = 8.0 * m2 / (y1 * y1) + common
    return a, b, c, -8.0 * m2 * y


@kernel
def lepton_pair(
    s: float, s_prime: float, k1: float, k2: float, d13: float, d23: float, d14: float, d24: float, lepton_mass: float
) -> float:
    """Return <|M|^2>/e^6 of e+ e- -> gamma* gamma, gamma* -> l+ l-, radiation from the beams only.

    L_{mu nu} H^{mu nu} / s'^2 with H = 4 [p3 p4 + p4 p3 - g (p3.p4 + m_l^2)]; k_i = k.p_i, d_ij = p_i.p_j [GeV^2].
    No radiation from the final state, no vacuum polarisation.
    """
    inverse_s = 1.0 / s
    electron2 = M_E * M_E
    a, b, c, d = initial_state_tensor(
        2.0 * k1 * inverse_s, 2.0 * k2 * inverse_s, s_prime * inverse_s, electron2 * inverse_s
    )
    h = 0.5 * s_prime
    d12 = 0.5 * s - electron2
    total = -a * (s_prime + 2.0 * lepton_mass * lepton_mass)
    total += inverse_s * (
        b * (2.0 * d13 * d14 - electron2 * h)
        + c * (2.0 * d23 * d24 - electron2 * h)
        + 2.0 * d * (d13 * d24 + d14 * d23 - d12 * h)
    )
    return 4.0 * total / (s_prime * s_prime)


@kernel
def pion_pair(
    s: float, s_prime: float, k1: float, k2: float, d13: float, d23: float, d14: float, d24: float, pion_mass: float
) -> float:
    """Return <|M|^2>/e^6 of e+ e- -> gamma* gamma, gamma* -> pi+ pi-, with a form factor of one.

    H = (p3 - p4)(p3 - p4) |F|^2; the caller multiplies by |F(s')|^2.
    """
    inverse_s = 1.0 / s
    a, b, c, d = initial_state_tensor(
        2.0 * k1 * inverse_s, 2.0 * k2 * inverse_s, s_prime * inverse_s, M_E * M_E * inverse_s
    )
    d1 = d13 - d14
    d2 = d23 - d24
    total = a * (4.0 * pion_mass * pion_mass - s_prime)
    total += inverse_s * (b * d1 * d1 + c * d2 * d2 + 2.0 * d * d1 * d2)
    return total / (s_prime * s_prime)


@kernel
def bhabha(
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
    """Return <|M|^2>/e^6 of e+ e- -> e+ e- gamma: all eight diagrams, s and t channel, radiation from all four legs.

    Massless part plus the leading electron-mass terms, which matter where the photon is collinear: Berends, Kleiss,
    de Causmaecker, Gastmans and Wu, Phys. Lett. B 103 (1981) 124; Berends and Kleiss, Nucl. Phys. B 228 (1983) 537.
    Wrong by up to 6e-5 for photons at wide angles, and where an electron scatters by an angle of order m_e / E.
    """
    t = -2.0 * d13
    t_prime = -2.0 * d24
    u = -2.0 * d14
    u_prime = -2.0 * d23
    s2, sp2, t2, tp2, u2, up2 = s * s, s_prime * s_prime, t * t, t_prime * t_prime, u * u, u_prime * u_prime
    soft = s / (k1 * k2) + s_prime / (k3 * k4) + (u / k4 - t / k3) / k1 + (u_prime / k3 - t_prime / k4) / k2
    hard = s * s_prime * (s2 + sp2) + t * t_prime * (t2 + tp2) + u * u_prime * (u2 + up2)
    s4, sp4, t4, tp4, u4, up4 = s2 * s2, sp2 * sp2, t2 * t2, tp2 * tp2, u2 * u2, up2 * up2
    r1 = 1.0 / (s_prime * t_prime * k1)
    r2 = 1.0 / (s_prime * t * k2)
    r3 = 1.0 / (s * t_prime * k3)
    r4 = 1.0 / (s * t * k4)
    mass = (
        (sp4 + tp4 + up4) * r1 * r1 + (sp4 + t4 + u4) * r2 * r2 + (s4 + tp4 + u4) * r3 * r3 + (s4 + t4 + up4) * r4 * r4
    )
    return soft * hard / (s * s_prime * t * t_prime) - 2.0 * M_E * M_E * mass


@kernel
def _invariants(
    sqrt_s: float, mass: float, minus: float, plus: float, cosine: float, pz: float, lepton_mass: float
) -> tuple[float, float, float, float, float, float, float, float]:
    """Return k.p1, k.p2, k.p3, k.p4 and p1.p3, p2.p3, p1.p4, p2.p4 of a point of phase space (see phase_space)."""
    half = 0.5 * sqrt_s
    s = sqrt_s * sqrt_s
    momentum = math.sqrt(half * half - M_E * M_E)
    difference = (sqrt_s - mass) * (sqrt_s + mass)
    w = difference / (2.0 * sqrt_s)
    ratio = 4.0 * lepton_mass * lepton_mass / (mass * mass)
    beta = math.sqrt(max(1.0 - ratio, 0.0))
    below = ratio / (1.0 + beta)
    k1 = 0.25 * difference * minus
    k2 = 0.25 * difference * plus
    k3 = 0.25 * difference * (below + beta * (1.0 - cosine))
    k4 = 0.25 * difference * (below + beta * (1.0 + cosine))
    energy = 0.5 * (sqrt_s - w - w * beta * cosine)
    d13 = half * energy - momentum * pz
    d23 = half * energy + momentum * pz
    d14 = 0.5 * s - k1 - d13
    d24 = 0.5 * s - k2 - d23
    return k1, k2, k3, k4, d13, d23, d14, d24


@stage
def lepton_pair_stage(
    lepton_mass: float,
    sqrt_s: Floats,
    mass: Floats,
    minus: Floats,
    plus: Floats,
    cosine: Floats,
    pz: Floats,
    weight: Floats,
) -> None:
    """Multiply the weights by the squared matrix element of radiation from the beams, for a lepton pair.

    Outside the cuts, where the weight is zero already and the matrix element may not be finite, it stays zero.
    """
    for i in range(np.uint64(mass.size)):
        m, w = mass[i], sqrt_s[i]
        k1, k2, _, _, d13, d23, d14, d24 = _invariants(w, m, minus[i], plus[i], cosine[i], pz[i], lepton_mass)
        square = lepton_pair(w * w, m * m, k1, k2, d13, d23, d14, d24, lepton_mass)
        weight[i] = weight[i] * square if weight[i] > 0.0 else 0.0


@stage
def pion_pair_stage(
    pion_mass: float,
    sqrt_s: Floats,
    mass: Floats,
    minus: Floats,
    plus: Floats,
    cosine: Floats,
    pz: Floats,
    weight: Floats,
) -> None:
    """Multiply the weights by the squared matrix element of radiation from the beams, for point-like pions."""
    for i in range(np.uint64(mass.size)):
        m, w = mass[i], sqrt_s[i]
        k1, k2, _, _, d13, d23, d14, d24 = _invariants(w, m, minus[i], plus[i], cosine[i], pz[i], pion_mass)
        square = pion_pair(w * w, m * m, k1, k2, d13, d23, d14, d24, pion_mass)
        weight[i] = weight[i] * square if weight[i] > 0.0 else 0.0


@stage
def bhabha_stage(
    sqrt_s: Floats, mass: Floats, minus: Floats, plus: Floats, cosine: Floats, pz: Floats, weight: Floats
) -> None:
    """Multiply the weights by the squared matrix element of radiative Bhabha scattering."""
    for i in range(np.uint64(mass.size)):
        m, w = mass[i], sqrt_s[i]
        k1, k2, k3, k4, d13, d23, d14, d24 = _invariants(w, m, minus[i], plus[i], cosine[i], pz[i], M_E)
        square = bhabha(w * w, m * m, k1, k2, k3, k4, d13, d23, d14, d24)
        weight[i] = weight[i] * square if weight[i] > 0.0 else 0.0
