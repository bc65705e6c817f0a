"""Elementary functions against 80-bit arithmetic, exact rationals and scipy, and as machine code."""

import math
import platform
from fractions import Fraction

import llvmlite.binding
import numba
import numpy as np
import pytest
from besfast import elementary, kernel
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

N = 200_000
LONG = np.longdouble
has_long_double = pytest.mark.skipif(np.finfo(LONG).nmant < 60, reason="no 80-bit arithmetic on this machine")


def loop(function):
    @numba.njit(error_model="numpy")
    def run(x, out):
        for i in range(np.uint64(x.size)):
            out[i] = function(x[i])

    return lambda x: apply(run, x)


def loop_of_pair(function):
    @numba.njit(error_model="numpy")
    def run(x, first, second):
        for i in range(np.uint64(x.size)):
            first[i], second[i] = function(x[i])

    return lambda x: apply(run, x, 2)


def apply(run, x, n=1):
    out = [np.empty_like(x) for _ in range(n)]
    run(x, *out)
    return out[0] if n == 1 else out


@numba.njit(error_model="numpy")
def atan2_loop(y, x, out):
    for i in range(np.uint64(x.size)):
        out[i] = elementary.atan2(y[i], x[i])


@numba.njit(error_model="numpy")
def fma_loop(a, b, c, out):
    for i in range(np.uint64(a.size)):
        out[i] = kernel.fma(a[i], b[i], c[i])


log, exp, erf = loop(elementary.log), loop(elementary.exp), loop(elementary.erf)
sincos, sincos2pi = loop_of_pair(elementary.sincos), loop_of_pair(elementary.sincos2pi)


def atan2(y, x):
    out = np.empty_like(x)
    atan2_loop(y, x, out)
    return out


def ulps(values, exact):
    """Distance to the exact values in units of the last place of a double."""
    return np.abs((values.astype(LONG) - exact) / np.spacing(np.abs(exact.astype(np.float64))).astype(LONG))


def sample(low, high, seed, *, logarithmic=False):
    u = np.random.default_rng(seed).uniform(size=N)
    return low * (high / low) ** u if logarithmic else low + (high - low) * u


@has_long_double
@pytest.mark.parametrize(
    ("low", "high"), [(1e-307, 1e-200), (1e200, 1e308), (1e-150, 1e150), (0.5, 2.0), (0.999, 1.001)]
)
def test_log(low, high):
    x = sample(low, high, 1, logarithmic=True)
    assert ulps(log(x), np.log(x.astype(LONG))).max() < 1.0
    assert ulps(log(x), np.log(x).astype(LONG)).max() <= 2.0


@has_long_double
@pytest.mark.parametrize(("low", "high"), [(-700.0, 709.0), (-1.0, 1.0), (-1e-8, 1e-8), (-40.0, 0.0)])
def test_exp(low, high):
    x = sample(low, high, 2)
    assert ulps(exp(x), np.exp(x.astype(LONG))).max() < 1.0
    assert ulps(exp(x), np.exp(x).astype(LONG)).max() <= 2.0


@has_long_double
@pytest.mark.parametrize("scale", [1e-8, 1.0, 10.0, 1e3, 1e5])
def test_sincos(scale):
    x = sample(-scale, scale, 3)
    sine, cosine = sincos(x)
    assert ulps(sine, np.sin(x.astype(LONG))).max() < 1.0
    assert ulps(cosine, np.cos(x.astype(LONG))).max() < 1.0
    assert ulps(sine, np.sin(x).astype(LONG)).max() <= 2.0
    assert ulps(cosine, np.cos(x).astype(LONG)).max() <= 2.0


@has_long_double
def test_sincos_near_multiples_of_half_pi():
    """Where the reduction cancels: doubles next to k pi / 2."""
    k = np.arange(-63_000, 63_000)
    x = k * (np.pi / 2)
    x = x[np.abs(x) < 1e5]
    sine, cosine = sincos(x)
    assert ulps(sine, np.sin(x.astype(LONG))).max() <= 2.0
    assert ulps(cosine, np.cos(x.astype(LONG))).max() <= 2.0


@has_long_double
@pytest.mark.parametrize("scale", [0.125, 1.0, 1e6])
def test_sincos2pi(scale):
    u = sample(-scale, scale, 4)
    angle = 2 * LONG("3.14159265358979323846264338327950288") * (u.astype(LONG) - np.round(u).astype(LONG))
    sine, cosine = sincos2pi(u)
    near = np.abs(sine) < 0.05  # there the 64 bits of the oracle's own angle count
    assert ulps(sine, np.sin(angle))[~near].max() < 1.0
    assert np.abs(sine - np.sin(angle))[near].max() < np.spacing(0.05)
    assert ulps(cosine, np.cos(angle))[np.abs(cosine) > 0.05].max() < 1.0


@has_long_double
@pytest.mark.parametrize("ratio", [1.0, 1e3, 1e8, 1e100])
def test_atan2(ratio):
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(2, N))
    for a, b in ((y, x * ratio), (y * ratio, x)):
        exact = np.arctan2(a.astype(LONG), b.astype(LONG))
        assert ulps(atan2(a, b), exact).max() <= 2.0
        assert ulps(atan2(a, b), np.arctan2(a, b).astype(LONG)).max() <= 2.0


def test_erf():
    x = np.linspace(-7.0, 7.0, N)
    assert np.abs(erf(x) - special.erf(x)).max() < 2e-7


def one(function, *x):
    return tuple(float(v) for v in function(*(np.array([v]) for v in x)))


def test_special_points():
    assert one(log, 1.0) == (0.0,)
    assert one(log, math.inf)[0] > 700.0
    assert one(exp, 0.0) == (1.0,)
    assert one(exp, -1e9) == one(exp, -math.inf) == one(exp, -708.5) == (0.0,)
    assert one(exp, 709.8) == one(exp, 1e9) == one(exp, math.inf) == (math.inf,)
    assert math.isnan(one(exp, math.nan)[0])
    assert sincos(np.zeros(1))[0] == 0.0
    assert sincos(np.zeros(1))[1] == 1.0
    assert one(erf, 0.0)[0] == pytest.approx(0.0, abs=2e-7)
    assert one(erf, 40.0) == (1.0,)
    assert one(erf, -40.0) == (-1.0,)


def test_quarter_turns_are_exact():
    u = np.arange(-8, 9) / 4.0
    sine, cosine = sincos2pi(u)
    assert np.array_equal(sine, np.resize([0.0, 1.0, 0.0, -1.0], 17))
    assert np.array_equal(cosine, np.resize([1.0, 0.0, -1.0, 0.0], 17))


def test_atan2_on_the_axes():
    y = np.array([0.0, 0.0, 0.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 0.0])
    x = np.array([1.0, -1.0, 0.0, 0.0, 0.0, 1.0, 1.0, -1.0, -1.0, 1e-300])
    assert np.array_equal(atan2(y, x), np.arctan2(y, x))


@settings(max_examples=300, deadline=None)
@given(st.floats(-1e5, 1e5))
def test_sine_and_cosine_are_of_unit_length(x):
    s, c = elementary.sincos(x)
    assert abs(s * s + c * c - 1.0) < 5e-16
    assert elementary.sincos(-x) == (-s, c)


@settings(max_examples=300, deadline=None)
@given(st.floats(-700.0, 700.0))
def test_log_inverts_exp(x):
    assert abs(elementary.log(elementary.exp(x)) - x) <= 4e-16 * max(1.0, abs(x))


@settings(max_examples=300, deadline=None)
@given(st.floats(1e-150, 1e150), st.floats(-math.pi, math.pi))
def test_atan2_inverts_sincos(r, angle):
    s, c = elementary.sincos(angle)
    back = elementary.atan2(r * s, r * c)
    assert abs(back - angle) < 1e-15 or abs(abs(back) - math.pi) < 1e-15


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=1000, deadline=None)
@given(FINITE, FINITE, FINITE)
def test_fma_is_rounded_once(a, b, c):
    out = np.empty(1)
    fma_loop(np.array([a]), np.array([b]), np.array([c]), out)
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    try:
        expected = float(exact)
    except OverflowError:
        expected = math.inf if exact > 0 else -math.inf
    assert out[0] == expected
    assert kernel._exact_fma(a, b, c) == expected


def test_fma_cancellation():
    """x^2 - y^2 next to itself: the product must not be rounded before the sum."""
    a = 1.0 + 2.0**-30
    out = np.empty(1)
    fma_loop(np.array([a]), np.array([a]), np.array([-(1.0 + 2.0**-29)]), out)
    assert out[0] == 2.0**-60


@settings(max_examples=300, deadline=None)
@given(st.floats(allow_nan=False))
def test_bits_there_and_back(x):
    compiled = numba.njit(lambda v: kernel.bits_float(kernel.float_bits(v)))
    if not hasattr(test_bits_there_and_back, "run"):
        test_bits_there_and_back.run = compiled
    assert test_bits_there_and_back.run(x) == x
    assert kernel._exact_bits_float(kernel._exact_float_bits(x)) == x


@settings(max_examples=500, deadline=None)
@given(st.floats(0.0, 2.0**40))
def test_split_index(x):
    index, fraction = elementary.split_index(x)
    assert 0.0 <= fraction <= 1.0
    assert float(index) + fraction == x or abs(float(index) + fraction - x) <= math.ulp(x)
    assert index == math.floor(x) or (x == math.floor(x) and index + 1 == x and fraction == 1.0)


def test_scalar_equals_vector():
    x = sample(0.01, 100.0, 6)
    columns = [log(x), exp(-x), *sincos(x), *sincos2pi(x), atan2(x, 1.0 - x), erf(x)]
    for i in (0, 1, 17, N - 1):
        v = x[i]
        scalars = (
            elementary.log(v),
            elementary.exp(-v),
            *elementary.sincos(v),
            *elementary.sincos2pi(v),
            elementary.atan2(v, 1.0 - v),
            elementary.erf(v),
        )
        assert np.array(scalars).tobytes() == np.array([column[i] for column in columns]).tobytes()


def test_same_bits_without_compilation(run_python):
    code = """
import warnings
warnings.simplefilter("error")
import numpy as np
from besfast import elementary as e
for k in range(200):
    v = np.float64(0.013) * (k + 1)
    i, f = e.split_index(v)
    values = (e.log(v), e.exp(-v), *e.sincos(v), *e.sincos2pi(v), e.atan2(v, 1.0 - v), e.erf(v), float(i), f)
    print(*(float(x).hex() for x in values))
"""
    lines = run_python(code, NUMBA_DISABLE_JIT="1").splitlines()
    x = 0.013 * np.arange(1, 201)
    columns = [log(x), exp(-x), *sincos(x), *sincos2pi(x), atan2(x, 1.0 - x), erf(x)]
    for k, line in enumerate(lines):
        index, fraction = elementary.split_index(x[k])
        expected = [column[k] for column in columns] + [float(index), fraction]
        assert line == " ".join(float(v).hex() for v in expected)
    assert len(lines) == 200


FEATURES = llvmlite.binding.get_host_cpu_features()


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64") or not FEATURES.get("avx2") or not FEATURES.get("fma"),
    reason="no AVX2 on this machine",
)
@pytest.mark.parametrize(
    "function", [elementary.log, elementary.exp, elementary.sincos, elementary.sincos2pi, elementary.erf]
)
def test_loops_become_vector_code(function):
    pair = function in (elementary.sincos, elementary.sincos2pi)

    @numba.njit(error_model="numpy", nogil=True)
    def run(x, out):
        for i in range(np.uint64(x.size)):
            value = function(x[i])
            out[i] = value[0] * value[1] if pair else value

    run(np.ones(4), np.empty(4))
    (code,) = run.inspect_asm().values()
    fused = [line for line in code.splitlines() if "vfmadd" in line or "vfnmadd" in line or "vfmsub" in line]
    assert any("ymm" in line or "zmm" in line for line in fused), "the loop is scalar"
    for name in ("log", "exp", "sin", "cos", "sincos", "fma"):
        assert f"\t{name}@" not in code
        assert f"callq\t{name}\n" not in code
