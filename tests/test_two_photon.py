"""Two-photon pairs: cross section of two photons, spectra of equivalent photons, and the exact amplitude."""

import math

import numpy as np
import pytest
from besfast.constants import ALPHA, HBARC2, M_E, M_MU, PI
from besfast.validation.two_photon import TwoPhotonPairs, least_virtuality, pair_cross_section, photon_number
from scipy.integrate import dblquad, quad

SQRT_S = 3.773


def points_of(model, n, seed=1):
    return model.points(np.random.default_rng(seed).random((model.n_uniforms, n)), np.full(n, SQRT_S))


@pytest.mark.parametrize(("mass", "lepton"), [(0.5, M_MU), (2.0, M_MU), (2.0, 0.01)])
def test_breit_wheeler(mass, lepton):
    beta = math.sqrt(1.0 - 4.0 * lepton**2 / mass**2)
    r = 4.0 * lepton**2 / mass**2
    total = (1.0 + r - 0.5 * r * r) * math.log((1.0 + beta) / (1.0 - beta)) - beta * (1.0 + r)
    total *= 4.0 * PI * ALPHA**2 * HBARC2 / mass**2
    found = quad(lambda c: pair_cross_section(mass, lepton, c), -1.0, 1.0, points=[-0.999, 0.999], limit=200)[0]
    assert found == pytest.approx(total, rel=1e-6)


def test_equivalent_photons():
    """Virtualities below 1e-3 GeV^2, no cut on the leptons: two spectra of photons times gamma gamma -> mu mu."""
    low, high, q2_max, beam = 1.9, 2.1, 1e-3, 0.5 * SQRT_S
    model = TwoPhotonPairs(13, (low, high), theta_min=0.0, pt_min=0.0, missing2_max=20.0, q2_max=q2_max)
    points = points_of(model, 400_000)

    def number(x):
        least = float(least_virtuality(beam, (1.0 - x) * beam))
        top = min(q2_max, 4.0 * beam**2 * (1.0 - x))
        return quad(lambda t: photon_number(x, math.exp(t), least), math.log(least), math.log(top))[0]

    total = float(quad(lambda c: pair_cross_section(2.0, M_MU, c), -1.0, 1.0, points=[-0.99, 0.99])[0]) * 4.0

    def integrand(x, m):
        y = (m / SQRT_S) ** 2 / x
        return number(x) * number(y) * 2.0 * m / (SQRT_S**2 * x) * total / m**2

    # the cross section of 2 GeV scaled by 1 / m^2: its logarithm changes by 1 % over the range
    expected = dblquad(integrand, low, high, lambda m: (m / SQRT_S) ** 2 + 1e-3, lambda m: 1.0 - 1e-3, epsrel=3e-3)[0]
    assert points.weight.mean() == pytest.approx(expected, rel=0.03)


PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
GAMMA = np.array(
    [np.diag([1, 1, -1, -1]).astype(complex)]
    + [np.block([[np.zeros((2, 2)), a], [-a, np.zeros((2, 2))]]) for a in PAULI]
)
METRIC = np.array([1.0, -1.0, -1.0, -1.0])


def dot(a, b):
    return np.sum(a * b * METRIC, axis=-1)


def spinors(p, mass):
    """Return u and v (2, n, 4) of momenta (n, 4), energy first, in the Dirac representation."""
    sigma = np.einsum("na,aij->nij", p[:, 1:], PAULI)
    found = ([], [])
    for chi in np.eye(2):
        upper = np.broadcast_to(chi, (len(p), 2)).astype(complex)
        lower = np.einsum("nij,nj->ni", sigma, upper) / (p[:, :1] + mass)
        for one, pair in zip(found, ((upper, lower), (lower, upper)), strict=True):
            one.append(np.sqrt(p[:, :1] + mass) * np.concatenate(pair, axis=1))
    return np.array(found[0]), np.array(found[1])


def bar(spinor):
    return np.einsum("...i,ij->...j", spinor.conj(), GAMMA[0])


def current(out, into):
    """Return out gamma^mu into of all spins, index lowered, (2, 2, n, 4)."""
    return np.einsum("ani,mij,bnj->abnm", out, GAMMA, into) * METRIC


def propagator(p, mass):
    slash = np.einsum("nm,mij->nij", p * METRIC, GAMMA)
    return (slash + mass * np.eye(4)) / (dot(p, p) - mass**2)[:, None, None]


def squared_amplitude(p1, p2, p3, p4, k1, k2):
    """Return the sum over spins of |M|^2, mean over those of the beams, of the two diagrams with two photons."""
    q1, q2 = p1 - p3, p2 - p4
    electron = current(bar(spinors(p3, M_E)[0]), spinors(p1, M_E)[0]) / dot(q1, q1)[:, None]
    positron = current(bar(spinors(p2, M_E)[1]), spinors(p4, M_E)[1]) / dot(q2, q2)[:, None]
    out, into = bar(spinors(k1, M_MU)[0]), spinors(k2, M_MU)[1]
    direct = np.einsum("ani,mij,njk,pkl,bnl->abnmp", out, GAMMA, propagator(k1 - q1, M_MU), GAMMA, into, optimize=True)
    crossed = np.einsum("ani,pij,njk,mkl,bnl->abnmp", out, GAMMA, propagator(k1 - q2, M_MU), GAMMA, into, optimize=True)
    amplitude = np.einsum("abnm,cdnp,efnmp->abcdefn", electron, positron, direct + crossed, optimize=True)
    return np.sum(np.abs(amplitude) ** 2, axis=(0, 1, 2, 3, 4, 5)) / 4.0 * (4.0 * PI * ALPHA) ** 4


def exact_over_equivalent(n, **cuts):
    """Return weights and the ratio of the exact density of the two diagrams to that of equivalent photons."""
    points = points_of(TwoPhotonPairs(13, (1.6, 2.4), **cuts), n)
    kept = points.weight > 0.0
    p3, p4, k1, k2 = (np.concatenate([p[3:], p[:3]]).T[kept] for p in points.momenta)
    beam = 0.5 * SQRT_S
    momentum = math.sqrt(beam**2 - M_E**2)
    p1, p2 = (np.tile([beam, 0.0, 0.0, sign * momentum], (len(p3), 1)) for sign in (1.0, -1.0))
    virtual = [p1 - p3, p2 - p4]
    pair = k1 + k2
    w2 = dot(pair, pair)
    q2 = [-dot(q, q) for q in virtual]
    # direction of the lepton from the first photon in the pair's rest frame, by invariants: k1.q1
    energy = (w2 - q2[0] + q2[1]) / (2.0 * np.sqrt(w2))
    size = np.sqrt(energy**2 + q2[0]) * np.sqrt(0.25 * w2 - M_MU**2)
    cosine = (0.5 * np.sqrt(w2) * energy - dot(k1, virtual[0])) / size
    equivalent = pair_cross_section(np.sqrt(w2), M_MU, cosine) / (2.0 * PI) ** 3
    for scattered, q in zip((p3, p4), q2, strict=True):
        equivalent *= photon_number(1.0 - scattered[:, 0] / beam, q, least_virtuality(beam, scattered[:, 0]))
    # dE' dQ^2 dphi / (4 p) of either beam particle, beta/8 dcos dphi of the pair; beam^2 dx dx, Q^2 Q^2 dlnQ^2 dlnQ^2
    phase = beam**2 / (16.0 * momentum**2) * q2[0] * q2[1] * np.sqrt(1.0 - 4.0 * M_MU**2 / w2) / 8.0
    flux = 2.0 * SQRT_S**2 * math.sqrt(1.0 - 4.0 * M_E**2 / SQRT_S**2)
    exact = squared_amplitude(p1, p2, p3, p4, k1, k2) * HBARC2 / flux * (2.0 * PI) ** -8 * phase
    return points.weight[kept], exact / equivalent


def test_equivalent_photons_of_small_virtuality_are_exact():
    """In the mean: single points differ by the linear polarisation of the photons, which the toy leaves out."""
    weight, ratio = exact_over_equivalent(40_000, theta_min=0.4, pt_min=0.3, missing2_max=5.0, q2_max=1e-4)
    mean = np.sum(weight * ratio) / np.sum(weight)
    error = math.sqrt(np.sum((weight * (ratio - mean)) ** 2)) / np.sum(weight)
    assert error < 0.01
    assert mean == pytest.approx(1.0, abs=3.0 * error + 0.005)


def test_equivalent_photons_where_the_search_looks():
    """What is missing has next to no mass: one photon may be as virtual as 0.3 GeV^2, and the toy is too large."""
    weight, ratio = exact_over_equivalent(40_000, theta_min=0.4, pt_min=0.3, missing2_max=0.3)
    assert np.sum(weight * ratio) / np.sum(weight) == pytest.approx(0.85, abs=0.05)
