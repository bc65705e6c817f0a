"""Elementary functions on whole arrays from + - * / and sqrt alone, for the tables of a card.

Numpy does these five operations alike on every machine, its own logarithm and the like not; and nothing is compiled.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats

_SQRT_HALF = 0.7071067811865476
_LN2_HALF = 0.34657359027997264
_LN2 = 0.6931471805599453
_LN2_HI = 6.93147180369123816490e-01
_LN2_LO = 1.90821492927058770002e-10


def logarithm(x: NDArray[Any] | float) -> Floats:
    """Return the natural logarithm of positive numbers to 2e-15: x = m 2^e, then the series of atanh."""
    mantissa, exponent = np.frexp(np.asarray(x, dtype=np.float64))
    s = (mantissa - _SQRT_HALF) / (mantissa + _SQRT_HALF)
    square = s * s
    series = np.zeros_like(s)
    for k in range(10, -1, -1):
        series = series * square + 1.0 / (2 * k + 1)
    return np.asarray(2.0 * s * series - _LN2_HALF + exponent * _LN2)


def exponential(x: NDArray[Any] | float) -> Floats:
    """Return the exponential of |x| < 700 to a relative 1e-15: x = k ln 2 + r, then the power series."""
    x = np.asarray(x, dtype=np.float64)
    k = np.rint(x / _LN2)
    r = (x - k * _LN2_HI) - k * _LN2_LO
    series = np.ones_like(r)
    for n in range(14, 0, -1):
        series = series * r / n + 1.0
    return np.asarray(np.ldexp(series, k.astype(np.int64)))


def arcsine(x: NDArray[Any] | float) -> Floats:
    """Return asin of numbers of [0, 1] to 1e-15: half the angle twice, then the power series."""
    x = np.asarray(x, dtype=np.float64)
    for _ in range(2):
        x = x / np.sqrt(2.0 * (1.0 + np.sqrt((1.0 - x) * (1.0 + x))))
    coefficients = [1.0]
    for k in range(1, 22):
        coefficients.append(coefficients[-1] * (2 * k - 1) / (2 * k))
    square = x * x
    series = np.zeros_like(x)
    for k in range(21, -1, -1):
        series = series * square + coefficients[k] / (2 * k + 1)
    return np.asarray(4.0 * x * series)


def tangent(angle: float) -> float:
    """Return the tangent of an angle of (-1, 1) [rad], by its continued fraction."""
    square = angle * angle
    value = 0.0
    for odd in range(19, 0, -2):
        value = square / (odd - value)
    return value / angle if angle != 0.0 else 0.0


def sine(angle: NDArray[Any] | float) -> Floats:
    """Return the sine of angles of [-2, 2] [rad], by its power series."""
    angle = np.asarray(angle, dtype=np.float64)
    square = angle * angle
    series = np.ones_like(angle)
    for n in range(24, 0, -2):
        series = 1.0 - series * square / (n * (n + 1))
    return np.asarray(angle * series)
