"""One photon from a pair at lowest order: closed forms against traces of Dirac matrices and scalar diagrams."""

import numpy as np
import pytest
from besfast.constants import ALPHA, M_E, M_MU, M_PI, PI
from besfast.sim.radiative import pair_emission as pe
from besfast.sim.radiative.structure_function import (
    scalar_soft_maximum,
    scalar_structure_ratio,
    soft_maximum,
    structure_ratio,
)

I2, O2 = np.eye(2), np.zeros((2, 2))
PAULI = [np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.array([[1, 0], [0, -1]])]
GAMMA = np.array([np.block([[O2, I2], [I2, O2]]), *(np.block([[O2, s], [-s, O2]]) for s in PAULI)])
METRIC = np.diag([1.0, -1.0, -1.0, -1.0])
ONE = np.eye(4)
POINTS = [(0.01, 0.1), (0.3, 0.1), (0.5, 0.1), (0.05, 0.0028), (0.5, 0.0028), (0.95, 0.0028), (0.3, 1e-5)]


def dot(a, b):
    return a @ METRIC @ b


def slash(p):
    return np.einsum("i,ijk->jk", METRIC @ p, GAMMA)


def point(y, a, mu):
    """Momenta of the pair and the photon in the pair's rest frame, in units of the decaying mass."""
    z = 1 - y
    b = np.sqrt(1 - 4 * mu / z)
    cosine = (1 - 2 * a) / b
    k = y / (2 * np.sqrt(z)) * np.array([1, np.sqrt(1 - cosine**2), 0, cosine])
    half = 0.5 * np.sqrt(z)
    return np.array([half, 0, 0, half * b]), np.array([half, 0, 0, -half * b]), k


def fermion_tensor(p3, p4, k, m):
    """Sum over spins and photon polarisations of A^mu A*^nu for a virtual photon -> fermion pair and photon."""
    left, right = slash(p3) + m * ONE, slash(p4) - m * ONE
    first, second = (left + slash(k)) / (2 * dot(p3, k)), (-slash(k) - right) / (2 * dot(p4, k))
    total = np.zeros((4, 4), dtype=complex)
    for j in range(4):
        vertex = np.array([GAMMA[j] @ first @ g + g @ second @ GAMMA[j] for g in GAMMA])
        adjoint = np.array([GAMMA[0] @ v.conj().T @ GAMMA[0] for v in vertex])
        total -= METRIC[j, j] * np.einsum("ab,mbc,cd,nda->mn", left, vertex, right, adjoint)
    return total.real


def scalar_tensor(p1, p2, k, m):
    current = p1 / dot(p1, k) - p2 / dot(p2, k)
    amplitude = np.outer(p1 - p2, current) + np.outer(k, p1 / dot(p1, k) + p2 / dot(p2, k)) - 2 * METRIC
    return -np.einsum("ij,kl,jl->ik", amplitude, amplitude, METRIC)


TENSORS = {"fermion": fermion_tensor, "scalar": scalar_tensor}
ANGLES = {"fermion": pe.fermion_angle, "scalar": pe.scalar_angle}
SPECTRA = {"fermion": pe.fermion_spectrum, "scalar": pe.scalar_spectrum}
MATCHES = {"fermion": pe.fermion_match, "scalar": pe.scalar_match}


def squared(kind, y, a, mu):
    """Sum over all polarisations of the squared amplitude."""
    tensor = TENSORS[kind](*point(y, a, mu), np.sqrt(mu))
    return -np.einsum("ij,ij->", tensor, METRIC)


@pytest.fixture(params=TENSORS)
def kind(request):
    return request.param


@pytest.mark.parametrize(("y", "mu"), POINTS)
def test_angles(kind, y, mu):
    b = pe.pair_velocity(1 - y, mu)
    smallest = mu / ((1 - y) * 0.5 * (1 + b))
    ratios = []
    for step in (1e-9, 1e-3, 0.1, 0.4, 0.5, 0.9):
        a = smallest + step * b
        ratios.append(squared(kind, y, a, mu) * a * (1 - a) / ANGLES[kind](a, y, mu))
    np.testing.assert_allclose(ratios, ratios[-1], rtol=1e-6 if mu < 1e-3 else 1e-8)
    values = [ANGLES[kind](a, y, mu) for a in np.linspace(smallest, 1 - smallest, 200)]
    assert -1e-9 < min(values) < max(values) < 1 + 1e-12


@pytest.mark.parametrize(("y", "mu"), POINTS)
def test_spectrum(kind, y, mu):
    """dGamma / Gamma_0 = e^2 T / T_0 (y / 32 pi^2)(b / v) dy dcos, integrated over the angle."""
    b, v = pe.pair_velocity(1 - y, mu), pe.pair_velocity(1.0, mu)
    rapidity, weight = np.polynomial.legendre.leggauss(40)
    half = 0.5 * pe.pair_rapidity(1 - y, mu)
    velocity = np.tanh(rapidity * half)  # b cos(theta)
    density = [squared(kind, y, 0.5 * (1 - c), mu) for c in velocity]
    integral = np.sum(weight * half * np.array(density) * (1 - velocity**2)) / b
    born = 4 * (1 + 2 * mu) if kind == "fermion" else v * v
    expected = 4 * PI * ALPHA * integral / born * y / (32 * PI**2) * b / v
    assert SPECTRA[kind](y, mu) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("mu", [0.2, 0.0028, 1e-7])
def test_soft_limit_is_the_eikonal(kind, mu):
    v = pe.pair_velocity(1.0, mu)
    rapidity, weight = np.polynomial.legendre.leggauss(40)
    c = np.tanh(rapidity * np.arctanh(v))
    dipole = 4 * (v * v - c * c) / (1 - c * c) ** 2  # 4 v^2 sin^2 / (1 - v^2 cos^2)^2
    slope = ALPHA / (2 * PI * v) * np.arctanh(v) * np.sum(weight * dipole * (1 - c * c))
    assert pe.emission_slope(mu) == pytest.approx(slope, rel=1e-9)
    assert MATCHES[kind](1e-7, mu, pe.emission_slope(mu)) == pytest.approx(1, abs=3e-6)
    a = 0.5 * (1 - 0.5 * v)
    reference = 0.5
    shape = ANGLES[kind](a, 1e-9, mu) / ANGLES[kind](reference, 1e-9, mu)
    eikonal = (v * v - 0.25 * v * v) / (1 - 0.25 * v * v) ** 2 / (v * v) * (4 * a * (1 - a))
    assert shape == pytest.approx(eikonal, rel=1e-7)


@pytest.mark.parametrize("mass", [1.5, 3.1])
@pytest.mark.parametrize("lepton", [M_E, M_MU, M_PI])
def test_slope_far_above_threshold(mass, lepton):
    logarithm = 2 * ALPHA / PI * (2 * np.log(mass / lepton) - 1)
    assert pe.emission_slope((lepton / mass) ** 2) == pytest.approx(logarithm, rel=3 * (lepton / mass) ** 2)


def test_slope_at_threshold():
    """(4/3) v^2 (2 alpha / pi), where the logarithm stays at 0.25: dipole radiation of slow charges."""
    for v in (1e-3, 0.05):
        assert pe.emission_slope(0.25 * (1 - v * v)) == pytest.approx(8 * ALPHA / (3 * PI) * v * v, rel=v * v + 1e-8)
    assert pe.emission_slope(0.25) == 0.0


@pytest.mark.parametrize("y", [0.1, 0.5, 0.9])
def test_collinear_limit(kind, y):
    """Quasi-real splitting at angles of m / E: P(z) - m^2 / (k.p) of a fermion, with P(z) = 2z / y for a scalar."""
    mu = 1e-14
    z = 1 - y
    for t in (1.0, 2.0, 10.0, 1e3):  # 1 + (theta E / m)^2 about the radiating particle
        a = t * mu / z
        split = 1 + z * z - 2 * z / t if kind == "fermion" else 2 * z * (1 - 1 / t)
        far = 1 + z * z if kind == "fermion" else 2 * z
        found = ANGLES[kind](a, y, mu) / ANGLES[kind](1e-6, y, mu)
        assert found == pytest.approx(split / far, abs=2e-5)


def test_massless_spectra():
    for y in (0.01, 0.4, 0.9):
        z, mu = 1 - y, 1e-9
        scale = np.log(z / mu) - 1
        assert pe.fermion_spectrum(y, mu) == pytest.approx(ALPHA / PI * (1 + z * z) / y * scale, rel=1e-7)
        assert pe.scalar_spectrum(y, mu) == pytest.approx(2 * ALPHA / PI / y * (z * scale + y * y), rel=1e-7)


@pytest.mark.parametrize("mu", [0.24, 0.1, 0.01, 0.0028, 1e-4, 1e-7])
def test_matched_ratios_stay_below_the_soft_maximum(kind, mu):
    slope = pe.emission_slope(mu)
    ratio, top = (structure_ratio, soft_maximum) if kind == "fermion" else (scalar_structure_ratio, scalar_soft_maximum)
    for y in np.concatenate([np.logspace(-5, -1, 50), np.linspace(0.1, 0.9999 * (1 - 4 * mu), 200)]):
        assert ratio(y, slope) * MATCHES[kind](y, mu, slope) < top(slope)


def test_no_phase_space():
    assert pe.pair_velocity(0.3, 0.1) == pe.pair_rapidity(0.3, 0.1) == 0.0
    assert pe.fermion_spectrum(0.7, 0.1) == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize("y", [0.05, 0.4, 0.8])
def test_directions_of_massless_fermions(y):
    """The tensor is that of two pairs without radiation, along either particle: p3^2 (1 - n3 n3) + p4^2 (1 - n4 n4)."""
    mu = 1e-10
    for a in (1e-4, 0.1, 0.5, 0.8):
        p3, p4, k = point(y, a, mu)
        total = p3 + p4 + k
        gamma, velocity = total[0], total[1:] / total[0]

        def rest(p, gamma=gamma, velocity=velocity):
            along = velocity @ p[1:]
            shift = gamma * gamma / (gamma + 1) * along - gamma * p[0]
            return np.array([gamma * (p[0] - along), *(p[1:] + shift * velocity)])

        p3, p4, k = rest(p3), rest(p4), rest(k)
        tensor = fermion_tensor(p3, p4, k, np.sqrt(mu))[1:, 1:]
        expected = sum(p[1:] @ p[1:] * np.eye(3) - np.outer(p[1:], p[1:]) for p in (p3, p4))
        tensor, expected = tensor / np.trace(tensor), expected / np.trace(expected)
        np.testing.assert_allclose(tensor, expected, atol=1e-5)
