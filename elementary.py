"""Elementary functions from + - * / sqrt and fma alone: the same bits on every machine, and SIMD inside a stage.

They have no branches and no calls, so that LLVM turns a loop over them into vector code; libm calls would stay scalar
(about 7 times slower for a whole chain). Accuracy: at most 2 ulp from numpy in the ranges given. Argument reduction
after Cody and Waite (1980); polynomial coefficients of log, sin, cos and atan as published for fdlibm (Sun, 1993).
"""

import math

import numpy as np

from .kernel import bits_float, float_bits, fma, kernel

_MAGIC = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to an integer, which then stands in the low bits
_MAGIC_BITS = np.int64(0x4338000000000000)
_SQRT_HALF_BITS = np.int64(0x3FE6A09E667F3BCD)
_52 = np.int64(52)
_BIAS = np.int64(1023)
_ONE = np.int64(1)

_LN2_HI = 6.93147180369123816490e-01
_LN2_LO = 1.90821492927058770002e-10
_LOG2E = 1.4426950408889634

_PIO2_1 = 1.5707963267948966
_PIO2_2 = 6.123233995736766e-17
_PIO2_3 = -1.4973849048591833e-33
_PI_HI = 3.141592653589793
_PI_LO = 1.2246467991473532e-16
_PIO4_HI = 0.7853981633974483
_PIO4_LO = 3.061616997868383e-17
_TAN_PIO8 = 0.41421356237309503


@kernel
def log(x: float) -> float:
    """Return the natural logarithm of a positive normal number."""
    bits = float_bits(x)
    k = (bits - _SQRT_HALF_BITS) >> _52
    f = bits_float(bits - (k << _52)) - 1.0
    e = bits_float(_MAGIC_BITS + k) - _MAGIC
    s = f / (2.0 + f)
    z = s * s
    r = fma(z, fma(z, fma(z, 1.479819860511658591e-01, 1.531383769920937332e-01), 1.818357216161805012e-01), 0.0)
    r = z * (r + 2.222219843214978396e-01)
    r = z * (r + 2.857142874366239149e-01)
    r = z * (r + 3.999999999940941908e-01)
    r = z * (r + 6.666666666666735130e-01)
    half = 0.5 * f * f
    return fma(e, _LN2_HI, -((half - fma(s, half + r, e * _LN2_LO)) - f))


@kernel
def exp(x: float) -> float:
    """Return the exponential: 0 below -708, infinity above 709.78."""
    c = min(x if x >= -708.0 else 0.0, 709.9)  # not -708 where the result is 0: denormal numbers take long
    t = fma(c, _LOG2E, _MAGIC)
    k = float_bits(t) - _MAGIC_BITS
    n = t - _MAGIC
    r = fma(-n, _LN2_LO, fma(-n, _LN2_HI, c))
    p = 1.6059043836821613e-10
    p = fma(p, r, 2.08767569878681e-09)
    p = fma(p, r, 2.505210838544172e-08)
    p = fma(p, r, 2.755731922398589e-07)
    p = fma(p, r, 2.7557319223985893e-06)
    p = fma(p, r, 2.48015873015873e-05)
    p = fma(p, r, 1.984126984126984e-04)
    p = fma(p, r, 1.388888888888889e-03)
    p = fma(p, r, 8.333333333333333e-03)
    p = fma(p, r, 4.1666666666666664e-02)
    p = fma(p, r, 0.16666666666666666)
    p = fma(p, r, 0.5)
    p = fma(p * r, r, r) + 1.0
    y = p * bits_float((k + _BIAS - _ONE) << _52) * 2.0
    return 0.0 if x < -708.0 else (math.inf if x > 709.782712893384 else (x if x != x else y))


@kernel
def _sincos_reduced(r: float, lo: float, quadrant: np.int64) -> tuple[float, float]:
    """Return sin and cos of r + lo + quadrant * pi/2 with |r| <= pi/4."""
    z = r * r
    p = fma(z, 1.58969099521155010221e-10, -2.50507602534068634195e-08)
    p = fma(z, p, 2.75573137070700676789e-06)
    p = fma(z, p, -1.98412698298579493134e-04)
    p = fma(z, p, 8.33333333332248946124e-03)
    v = z * r
    s = r - ((z * (0.5 * lo - v * p) - lo) - v * -1.66666666666666324348e-01)
    q = fma(z, -1.13596475577881948265e-11, 2.08757232129817482790e-09)
    q = fma(z, q, -2.75573143513906633035e-07)
    q = fma(z, q, 2.48015872894767294178e-05)
    q = fma(z, q, -1.38888888888741095749e-03)
    q = fma(z, q, 4.16666666666666019037e-02)
    h = 0.5 * z
    w = 1.0 - h
    c = w + (((1.0 - w) - h) + (z * (z * q) - r * lo))
    odd = (quadrant & _ONE) != np.int64(0)
    sine = c if odd else s
    cosine = s if odd else c
    sine = -sine if (quadrant & np.int64(2)) != np.int64(0) else sine
    cosine = -cosine if ((quadrant + _ONE) & np.int64(2)) != np.int64(0) else cosine
    return sine, cosine


@kernel
def sincos(x: float) -> tuple[float, float]:
    """Return sine and cosine of x [rad], |x| < 1e5."""
    t = fma(x, 0.6366197723675814, _MAGIC)
    k = float_bits(t) - _MAGIC_BITS
    n = t - _MAGIC
    r1 = fma(-n, _PIO2_1, x)  # exact: a multiple of 2^-52 below 1
    w = n * _PIO2_2
    r = r1 - w
    part = r - r1
    error = (r1 - (r - part)) - (w + part)  # r + error = r1 - w, exact even where they cancel (Knuth's two-sum)
    lo = fma(-n, _PIO2_3, error - fma(n, _PIO2_2, -w))
    return _sincos_reduced(r, lo, k)


@kernel
def sincos2pi(u: float) -> tuple[float, float]:
    """Return sine and cosine of 2 pi u, |u| < 1e9; the reduction is exact."""
    v = 4.0 * u
    t = v + _MAGIC
    k = float_bits(t) - _MAGIC_BITS
    f = v - (t - _MAGIC)
    r = f * _PIO2_1
    lo = fma(f, _PIO2_1, -r) + f * _PIO2_2
    return _sincos_reduced(r, lo, k)


@kernel
def atan2(y: float, x: float) -> float:
    """Return the angle of the point (x, y) in [-pi, pi] [rad]; 0 at the origin."""
    ax = abs(x)
    ay = abs(y)
    steep = ay > ax
    num = ax if steep else ay
    den = ay if steep else ax
    den = 1.0 if den == 0.0 else den
    fold = num > _TAN_PIO8 * den
    q = (num - den if fold else num) / (num + den if fold else den)
    z = q * q
    w = z * z
    even = fma(w, 1.62858201153657823623e-02, 4.97687799461593236017e-02)
    even = fma(w, even, 6.66107313738753120669e-02)
    even = fma(w, even, 9.09088713343650656196e-02)
    even = fma(w, even, 1.42857142725034663711e-01)
    even = z * fma(w, even, 3.33333333333329318027e-01)
    odd = fma(w, -3.65315727442169155270e-02, -5.83357013379057348645e-02)
    odd = fma(w, odd, -7.69187620504482999495e-02)
    odd = fma(w, odd, -1.11111104054623557880e-01)
    odd = w * fma(w, odd, -1.99999999998764832476e-01)
    lo = _PIO4_LO if fold else 0.0
    hi = _PIO4_HI if fold else 0.0
    a = hi - ((q * (even + odd) - lo) - q)
    a = _PIO2_1 - (a - _PIO2_2) if steep else a
    a = _PI_HI - (a - _PI_LO) if x < 0.0 else a
    return -a if y < 0.0 else a


@kernel
def erfc(x: float) -> float:
    """Return 1 - erf(x) to a relative 1.2e-7, also where it is small (Chebyshev fit, Numerical Recipes 2nd ed. 6.2)."""
    t = 1.0 / (1.0 + 0.5 * abs(x))
    p = fma(t, 0.17087277, -0.82215223)
    p = fma(t, p, 1.48851587)
    p = fma(t, p, -1.13520398)
    p = fma(t, p, 0.27886807)
    p = fma(t, p, -0.18628806)
    p = fma(t, p, 0.09678418)
    p = fma(t, p, 0.37409196)
    p = fma(t, p, 1.00002368)
    p = fma(t, p, -1.26551223)
    tail = t * exp(p - x * x)
    return 2.0 - tail if x < 0.0 else tail


@kernel
def erf(x: float) -> float:
    """Return the error function to 1.2e-7."""
    return 1.0 - erfc(x)


@kernel
def split_index(x: float) -> tuple[np.uint64, float]:
    """Return (i, f) with x = i + f for 0 <= x < 2^51: the index as uint64 and the fraction in [0, 1].

    At an integer either neighbour may be taken, (i, 0) or (i - 1, 1): equal for linear interpolation. No float to
    integer conversion is involved, which AVX2 lacks for 64 bits.
    """
    t = max(x - 0.5, 0.0) + _MAGIC
    return np.uint64(float_bits(t) - _MAGIC_BITS), x - (t - _MAGIC)
