"""Pion form factor: Gounaris-Sakurai sum of rho, rho', rho'', rho''' with rho-omega mixing, as fitted by BaBar."""

import math

import numpy as np

from ...constants import M_PI, PI
from ...elementary import log, sincos2pi
from ...event import Floats
from ...kernel import kernel, stage

_TWO_PI = 2.0 * PI


@kernel
def _h(mass: float, momentum: float) -> float:
    return 2.0 / PI * (momentum / mass) * log((mass + 2.0 * momentum) / (2.0 * M_PI))


@kernel
def gounaris_sakurai(s: float, momentum: float, h: float, mass: float, width: float) -> tuple[float, float]:
    """Return real and imaginary part of the Gounaris-Sakurai amplitude of one rho resonance, one at s = 0.

    BW = m^2 (1 + d Gamma/m) / (m^2 - s + f(s) - i m Gamma(s)), Phys. Rev. Lett. 21 (1968) 244; momentum is that of
    the pion in the pair's rest frame [GeV] and h = (2/pi) (k / sqrt(s)) ln[(sqrt(s) + 2k) / 2 m_pi].
    """
    m2 = mass * mass
    pi2 = M_PI * M_PI
    k02 = 0.25 * m2 - pi2
    k0 = math.sqrt(k02)
    h0 = _h(mass, k0)
    slope = h0 * (1.0 / (8.0 * k02) - 1.0 / (2.0 * m2)) + 1.0 / (2.0 * PI * m2)
    ratio = log((mass + 2.0 * k0) / (2.0 * M_PI))
    d = 3.0 / PI * (pi2 / k02) * ratio + mass / (2.0 * PI * k0) - pi2 * mass / (PI * k02 * k0)
    k2 = momentum * momentum
    f = width * m2 / (k02 * k0) * (k2 * (h - h0) + (m2 - s) * k02 * slope)
    running = width * (k2 * momentum) / (k02 * k0) * mass / math.sqrt(s)
    real = m2 - s + f
    imaginary = mass * running
    scale = m2 * (1.0 + d * width / mass) / (real * real + imaginary * imaginary)
    return scale * real, scale * imaginary


@kernel
def _add(
    real: float, imaginary: float, s: float, momentum: float, h: float, mass: float, width: float, c: float, s_c: float
) -> tuple[float, float]:
    """Add (c + i s_c) times one amplitude."""
    a, b = gounaris_sakurai(s, momentum, h, mass, width)
    return real + c * a - s_c * b, imaginary + c * b + s_c * a


@kernel
def pion_form_factor2(s: float) -> float:
    """Return |F_pi(s)|^2 for s above 4 m_pi^2 [GeV^2].

    F = [BW_rho (1 + c_w BW_w) / (1 + c_w) + sum c_i BW_i] / (1 + sum c_i), parameters of the BaBar Collaboration,
    Phys. Rev. D 86 (2012) 032013. The fit is to the dressed cross section: vacuum polarisation is contained in it.
    Uncertain by 20 to 30 % between 1.5 and 3 GeV and unconstrained above.
    """
    mass = math.sqrt(s)
    momentum = math.sqrt(max(0.25 * s - M_PI * M_PI, 0.0))
    h = _h(mass, momentum)

    # omega: a fixed-width resonance that mixes with the rho
    sine, cosine = sincos2pi(-0.011 / _TWO_PI)
    cw, sw = 1.644e-3 * cosine, 1.644e-3 * sine
    omega2 = 0.78191 * 0.78191
    difference, damping = omega2 - s, 0.78191 * 0.00813
    scale = omega2 / (difference * difference + damping * damping)
    a, b = scale * difference, scale * damping
    top_real, top_imaginary = 1.0 + cw * a - sw * b, cw * b + sw * a
    bottom = (1.0 + cw) * (1.0 + cw) + sw * sw
    mix_real = (top_real * (1.0 + cw) + top_imaginary * sw) / bottom
    mix_imaginary = (top_imaginary * (1.0 + cw) - top_real * sw) / bottom
    a, b = gounaris_sakurai(s, momentum, h, 0.77502, 0.14959)
    real, imaginary = a * mix_real - b * mix_imaginary, a * mix_imaginary + b * mix_real

    s1, c1 = sincos2pi(3.76 / _TWO_PI)
    s2, c2 = sincos2pi(1.39 / _TWO_PI)
    s3, c3 = sincos2pi(0.70 / _TWO_PI)
    c1, s1, c2, s2, c3, s3 = 0.158 * c1, 0.158 * s1, 0.068 * c2, 0.068 * s2, 0.0051 * c3, 0.0051 * s3
    real, imaginary = _add(real, imaginary, s, momentum, h, 1.493, 0.427, c1, s1)
    real, imaginary = _add(real, imaginary, s, momentum, h, 1.861, 0.316, c2, s2)
    real, imaginary = _add(real, imaginary, s, momentum, h, 2.254, 0.109, c3, s3)
    norm_real, norm_imaginary = 1.0 + c1 + c2 + c3, s1 + s2 + s3
    return (real * real + imaginary * imaginary) / (norm_real * norm_real + norm_imaginary * norm_imaginary)


@stage
def form_factor_stage(mass: Floats, weight: Floats) -> None:
    """Multiply the weights by |F_pi(m^2)|^2."""
    for i in range(np.uint64(mass.size)):
        weight[i] *= pion_form_factor2(mass[i] * mass[i])
