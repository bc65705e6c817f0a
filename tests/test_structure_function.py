"""Structure functions against the moments they must have, the numerical convolution and the Kuraev-Fadin radiator."""

import numpy as np
import pytest
from besfast.constants import ALPHA, M_E, M_MU, M_PI, PI
from besfast.sim.radiative import structure_function as sf
from scipy.integrate import quad
from scipy.special import gamma

SLOPE_E = 2 * ALPHA / PI * (np.log(3.773**2 / M_E**2) - 1)
SLOPE_MU = 2 * ALPHA / PI * (np.log(4.0 / M_MU**2) - 1)
KINDS = {
    "fermion": (sf.structure_ratio, sf.structure_function, sf.soft_maximum, 0.75),
    "scalar": (sf.scalar_structure_ratio, sf.scalar_structure_function, sf.scalar_soft_maximum, 1.0),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def splitting(kind, z):
    """The unregularised splitting function times 1 - z."""
    return 1 + z * z if kind == "fermion" else 2 * z


def naive(kind, y, slope):
    """The formula as it is printed."""
    z, b, virtual = 1 - y, slope, KINDS[kind][3]
    soft = np.exp(0.5 * b * (virtual - np.euler_gamma)) / gamma(1 + 0.5 * b) * 0.5 * b * y ** (0.5 * b - 1)
    if kind == "fermion":
        second = -4 * (1 + z) * np.log(y) + 3 * (1 + z) * np.log(z) - 4 * np.log(z) / y - 5 - z
        return soft - 0.25 * b * (1 + z) + b * b / 32 * second
    return soft - 0.5 * b + b * b / 32 * (-8 * np.log(y) + 4 * np.log(z) - 4 * np.log(z) / y - 8)


def moment(kind, weight, slope):
    """Integral of weight(y) D dz with the soft peak mapped away, y = u^(2 / eta)."""
    ratio = KINDS[kind][0]
    low = quad(lambda u: weight(u ** (2 / slope)) * ratio(u ** (2 / slope), slope), 0, 1e-3 ** (0.5 * slope))[0]
    high = quad(lambda y: weight(y) * KINDS[kind][1](y, slope), 1e-3, 1, epsabs=1e-13, limit=400)[0]
    return low + high


def test_slope():
    assert sf.radiation_slope(np.log(3.773**2 / M_E**2)) == pytest.approx(0.07811, abs=5e-6)
    assert sf.radiation_slope(0.5) == 0.0


@pytest.mark.parametrize("slope", [1e-4, SLOPE_MU, SLOPE_E, 0.1])
def test_formula(kind, slope):
    ratio, density, maximum, virtual = KINDS[kind]
    soft = np.exp(0.5 * slope * (virtual - np.euler_gamma)) / gamma(1 + 0.5 * slope)
    assert maximum(slope) == pytest.approx(soft, rel=2e-15)
    for y in (1e-8, 1e-4, 0.01, 0.1, 0.5, 0.9, 0.999, 1 - 1e-9):
        assert density(y, slope) == pytest.approx(naive(kind, y, slope), rel=2e-8 if y < 1e-3 else 1e-11)
        assert ratio(y, slope) * 0.5 * slope * y ** (0.5 * slope - 1) == pytest.approx(density(y, slope), rel=1e-12)


def test_extreme_arguments(kind):
    ratio, _, maximum, _ = KINDS[kind]
    for y in (0.0, 5e-324, 1e-300, 1e-100):
        assert ratio(y, SLOPE_E) == pytest.approx(maximum(SLOPE_E), rel=1e-14)
    assert ratio(0.3, 0.0) == pytest.approx(splitting(kind, 0.7) / 2, rel=1e-14)


@pytest.mark.parametrize("slope", [1e-3, SLOPE_MU, SLOPE_E, 0.1])
def test_maximum_bounds_the_ratio(kind, slope):
    ratio, _, maximum, _ = KINDS[kind]
    y = np.concatenate([np.logspace(-30, -0.1, 3000), 1 - np.logspace(-16, -1, 300)])
    values = np.array([ratio(a, slope) for a in y])
    assert values.max() < maximum(slope) * (1 + 1e-9)
    assert values.min() > (0 if kind == "fermion" else -0.1 * slope**2)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 6])
def test_moments(kind, n):
    """exp(eta gamma_n / 4), gamma_n the moments of the splitting function; n = 0: one particle stays one particle."""
    anomalous = quad(lambda z: splitting(kind, z) * -sum(z**k for k in range(n)), 0, 1)[0] if n else 0.0
    missing = []
    for slope in (0.04, 0.08):
        found = moment(kind, lambda y: (1 - y) ** n, slope)
        missing.append(abs(found - np.exp(0.25 * slope * anomalous)))
        assert missing[-1] < 0.5 * slope**3
    assert missing[1] / missing[0] == pytest.approx(8, rel=0.15)  # third order


@pytest.mark.parametrize("z", [0.05, 0.3, 0.6, 0.9, 0.99])
def test_second_order_is_the_convolution(kind, z):
    """D = 1 + (eta/4) P + (eta^2/32) P x P: the bracket of the formula against the numerical convolution."""
    y = 1 - z
    delta = 1.5 if kind == "fermion" else 2.0

    def regular(x, h):  # [2/(1-x)]_+ + rest, applied to h(x) / x on (z, 1)
        top, rest = h(x) / x, splitting(kind, x) - 2  # P (1 - x) = 2 + rest
        return (2 * (top - h(1.0)) + rest * top) / (1 - x)

    def p(x):
        return splitting(kind, x) / (1 - x)

    # P(z/x) is singular at x = z: split at the middle and use the symmetry of the convolution, x <-> z/x
    middle = np.sqrt(z)
    half = quad(lambda x: regular(x, lambda v: p(z / v)), middle, 1, epsabs=1e-12)[0]
    half += p(z) * 2 * np.log(1 - middle)  # the plus prescription's boundary, from 0 to the middle
    convolution = 2 * half + 2 * delta * p(z)
    virtual = KINDS[kind][3]
    bracket = (KINDS[kind][1](y, 1e-4) - naive_soft_free(kind, y, 1e-4)) / (1e-4**2 / 32)
    soft = 8 * (np.log(y) + virtual) / y
    assert bracket + soft == pytest.approx(convolution, rel=2e-4)


def naive_soft_free(kind, y, slope):
    """Everything of D but the bracket: soft factor and first order."""
    soft = np.exp(0.5 * slope * (KINDS[kind][3] - np.euler_gamma)) / gamma(1 + 0.5 * slope)
    first = 0.25 * slope * (2 - y) if kind == "fermion" else 0.5 * slope
    return soft * 0.5 * slope * y ** (0.5 * slope - 1) - first


@pytest.mark.parametrize("y", [1e-6, 0.01, 0.3, 0.8])
def test_first_order_is_the_splitting_function(kind, y):
    slope = 1e-7
    expected = 0.25 * slope * splitting(kind, 1 - y) / y
    assert KINDS[kind][1](y, slope) == pytest.approx(expected, rel=1e-5)


def test_beam_radiator_is_the_convolution():
    for x in (0.003, 0.1, 0.6, 0.95):
        power, top = 0.5 * SLOPE_E, 1 - np.sqrt(1 - x)

        def integrand(u, x=x, power=power):
            first = u ** (1 / power)
            second = (x - first) / (1 - first)
            return sf.structure_ratio(first, SLOPE_E) * sf.structure_function(second, SLOPE_E) / (1 - first)

        expected = 2 * quad(integrand, 0, top**power, epsrel=1e-10, limit=400)[0]
        assert sf.beam_radiator(x, SLOPE_E) == pytest.approx(expected, rel=2e-6)
    assert sf.beam_radiator(np.array([[0.1, 0.2]]), SLOPE_E).shape == (1, 2)


@pytest.mark.parametrize("sqrt_s", [2.0, 3.773, 10.58])
def test_beam_radiator_and_kuraev_fadin(sqrt_s):
    """They differ by the constants of the virtual correction, (alpha / pi)(pi^2/3 - 1/2) and second order."""
    slope = 2 * ALPHA / PI * (np.log(sqrt_s**2 / M_E**2) - 1)
    x = np.array([1e-4, 1e-2, 0.1, 0.3, 0.5, 0.8])
    ratio = sf.beam_radiator(x, slope) / sf.kuraev_fadin(x, sqrt_s)
    assert np.all(np.abs(ratio - 1) < 0.0075)


def test_leading_order_of_the_radiators():
    """Both become W(x) = (alpha / (pi x)) (2 - 2x + x^2)(L - 1) for one photon."""
    x = np.array([0.05, 0.4, 0.9])
    slope = 1e-7
    expected = slope * (1 - x + 0.5 * x * x) / x
    np.testing.assert_allclose(sf.beam_radiator(x, slope), expected, rtol=1e-5)


@pytest.mark.parametrize(("mass", "lepton", "expected"), [(2.0, M_MU, 0.084), (2.0, M_E, 0.245)])
def test_probability_to_lose_ten_mev(mass, lepton, expected):
    slope = sf.radiation_slope(2 * np.log(mass / lepton))
    x_min, x_max = 1 - (1 - 0.010 / mass) ** 2, 1 - (2 * lepton / mass) ** 2
    lost = quad(lambda t: np.exp(t) * sf.beam_radiator(np.exp(t), slope), np.log(x_min), np.log(x_max))[0]
    assert lost == pytest.approx(expected, rel=0.01)


def test_pions_radiate_less_hard():
    slope = sf.radiation_slope(2 * np.log(2.0 / M_PI))
    hard = moment("scalar", lambda y: float(y > 0.5), slope) / moment("fermion", lambda y: float(y > 0.5), slope)
    ratio = quad(lambda y: 2 * (1 - y) / y, 0.5, 1)[0] / quad(lambda y: (1 + (1 - y) ** 2) / y, 0.5, 1)[0]
    assert hard == pytest.approx(ratio, rel=0.02)
