"""Structure functions: how much of its energy a charged particle keeps when it radiates collinear photons.

D(z) is the density of the fraction z left to a particle of charge 1 after all photons along it, with soft photons
summed to all orders and hard ones to second order in eta = (2 alpha / pi)(L - 1): Skrzypek and Jadach, Z. Phys. C 49
(1991) 577. It solves D = exp(eta P / 4), P the regularised splitting function: (1 + z^2)/(1 - z) of a fermion,
2z/(1 - z) of a spinless particle. y = 1 - z, the fraction lost, is carried everywhere, so that nothing cancels where
soft photons pile up: y = u^(2 / eta) follows the soft factor exactly and is mostly below 1e-16.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...constants import ALPHA, M_E, PI
from ...elementary import exp, log
from ...kernel import fma, kernel

# zeta(k) / k of ln Gamma(1 + x) = -gamma x + sum over k of (-1)^k zeta(k) x^k / k
_ZETA_2 = 0.8224670334241132
_ZETA_3 = 0.40068563438653143
_ZETA_4 = 0.27058080842778454
_ZETA_5 = 0.207385551028674
_ZETA_6 = 0.16955717699740822
_ZETA_7 = 0.14404989676884614
_ZETA_8 = 0.12550966952474304
_ZETA_9 = 0.11133426586956469
_ZETA_10 = 0.10009945751278180

#: Coefficients of delta(1 - z) in the regularised splitting functions, halved: 3/4 of a fermion, 1 of a scalar.
_FERMION = 0.75
_SCALAR = 1.0


@kernel
def radiation_slope(log_scale: float) -> float:
    """Return eta = (2 alpha / pi)(L - 1), L = ln(Q^2 / m^2): twice the power of y; 0 where L < 1."""
    return (2.0 * ALPHA / PI) * max(log_scale - 1.0, 0.0)


@kernel
def _soft_factor(slope: float, virtual: float) -> float:
    """Return exp[(eta/2)(virtual - gamma_E)] / Gamma(1 + eta/2), to 1e-15 for eta below 0.1; gamma_E drops out."""
    x = 0.5 * slope
    p = fma(x, -_ZETA_10, _ZETA_9)
    p = fma(x, p, -_ZETA_8)
    p = fma(x, p, _ZETA_7)
    p = fma(x, p, -_ZETA_6)
    p = fma(x, p, _ZETA_5)
    p = fma(x, p, -_ZETA_4)
    p = fma(x, p, _ZETA_3)
    p = fma(x, p, -_ZETA_2)
    return exp(x * fma(x, p, virtual))


@kernel
def _log_ratio(y: float) -> float:
    """Return ln(1 - y) / y without cancellation: -1 at y = 0."""
    z = 1.0 - y
    lost = 1.0 - z  # exact: what the rounding of z made of y
    return log(z) / (lost if lost > 0.0 else 1.0) if lost > 0.0 else -1.0


@kernel
def soft_maximum(slope: float) -> float:
    """Return the value of `structure_ratio` at y = 0, exceeded nowhere by more than 1e-9 for eta below 0.1."""
    return _soft_factor(slope, _FERMION)


@kernel
def structure_ratio(y: float, slope: float) -> float:
    """Return D(1 - y) / [(eta/2) y^(eta/2 - 1)] of a fermion: what is left when the soft peak is divided out.

    D = exp[(eta/2)(3/4 - gamma_E)] / Gamma(1 + eta/2) (eta/2) y^(eta/2 - 1) - (eta/4)(1 + z)
    + (eta^2/32)[-4 (1 + z) ln y + 3 (1 + z) ln z - 4 ln z / y - 5 - z], 0 <= y <= 1 (any y, also below 1e-300). Its
    integral is 1 + O(eta^3). Wrong at z below exp(-1/eta), where ln z must be summed as well; infinite at z = 0 (here
    a finite number).
    """
    z = 1.0 - y
    log_y = log(y)
    ratio = _log_ratio(y)
    second = (1.0 + z) * (3.0 * y * ratio - 4.0 * log_y) - 4.0 * ratio - 5.0 - z
    return _soft_factor(slope, _FERMION) + exp((1.0 - 0.5 * slope) * log_y) * (
        0.0625 * slope * second - 0.5 * (1.0 + z)
    )


@kernel
def scalar_soft_maximum(slope: float) -> float:
    """Return the value of `scalar_structure_ratio` at y = 0, exceeded nowhere by more than 1e-9 for eta below 0.1."""
    return _soft_factor(slope, _SCALAR)


@kernel
def scalar_structure_ratio(y: float, slope: float) -> float:
    """Return D(1 - y) / [(eta/2) y^(eta/2 - 1)] of a spinless particle, from P = 2z/(1 - z) to second order.

    D = exp[(eta/2)(1 - gamma_E)] / Gamma(1 + eta/2) (eta/2) y^(eta/2 - 1) - eta/2
    + (eta^2/32)[-8 ln y + 4 ln z - 4 ln z / y - 8]. Wrong where the photon resolves the particle's structure; near
    z = 0, where P vanishes, the missing third order leaves it as low as -0.1 eta^2.
    """
    log_y = log(y)
    ratio = _log_ratio(y)
    second = 4.0 * (y - 1.0) * ratio - 8.0 * log_y - 8.0
    return _soft_factor(slope, _SCALAR) + exp((1.0 - 0.5 * slope) * log_y) * (0.0625 * slope * second - 1.0)


@kernel
def structure_function(y: float, slope: float) -> float:
    """Return D(z) of a fermion at y = 1 - z, y > 0, per unit of z."""
    return 0.5 * slope * exp((0.5 * slope - 1.0) * log(y)) * structure_ratio(y, slope)


@kernel
def scalar_structure_function(y: float, slope: float) -> float:
    """Return D(z) of a spinless particle at y = 1 - z, y > 0, per unit of z."""
    return 0.5 * slope * exp((0.5 * slope - 1.0) * log(y)) * scalar_structure_ratio(y, slope)


def beam_radiator(x: ArrayLike, slope: float) -> Any:
    """Return the density in x = 1 - z1 z2 of two fermions that radiate, the convolution of D with itself.

    Numerical quadrature (Gauss and Jacobi, the soft peaks of both as its weight) to 1e-6, for validation: nothing here
    enters an event. For the two beams x = 1 - s'/s, for a pair x = 1 - m_ll^2 / m^2.
    """
    from scipy.special import roots_jacobi

    power = 0.5 * slope - 1.0
    nodes, weights = roots_jacobi(96, power, power)
    t = 0.5 * (1.0 + nodes)
    weights = weights * 0.5 ** (slope - 1.0)
    values = []
    for lost in np.atleast_1d(np.asarray(x, dtype=np.float64)).ravel():
        first = lost * t
        second = lost * (1.0 - t) / (1.0 - first)
        smooth = [structure_ratio(a, slope) * structure_ratio(b, slope) for a, b in zip(first, second)]
        integral = np.sum(weights * np.array(smooth) * (1.0 - first) ** (-0.5 * slope))
        values.append(0.25 * slope**2 * lost ** (slope - 1.0) * integral)
    return np.reshape(values, np.shape(x))[()]


def kuraev_fadin(x: ArrayLike, sqrt_s: float) -> Any:
    """Return the density in x = 1 - s'/s of all photons of both beams (Kuraev and Fadin, Yad. Fiz. 41 (1985) 733).

    Second order in eta with the constants of the virtual correction, which D has not: 0.6 % above `beam_radiator`.
    """
    x = np.asarray(x, dtype=np.float64)
    logarithm = np.log(sqrt_s**2 / M_E**2)
    slope = 2.0 * ALPHA / PI * (logarithm - 1.0)
    soft = 1.0 + ALPHA / PI * (PI**2 / 3.0 - 0.5) + 0.75 * slope
    soft -= slope**2 / 24.0 * (logarithm / 3.0 + 2.0 * PI**2 - 37.0 / 4.0)
    z = 1.0 - x
    second = -4.0 * (2.0 - x) * np.log(x) - (1.0 + 3.0 * z * z) / x * np.log(z) - 6.0 + x
    return (slope * x ** (slope - 1.0) * soft - slope * (1.0 - 0.5 * x) + slope**2 / 8.0 * second)[()]
