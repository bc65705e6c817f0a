"""Toy events with known truth for tests of the fits, made without the package's kernels: numpy, Gaussian errors."""

import numpy as np
from besfast.constants import M_PI, M_PI0
from besfast.reco.fits import Photon, Track

SQRT_S, CROSSING = 3.773, 0.011
P0 = np.array([SQRT_S * np.tan(CROSSING), 0.0, 0.0, SQRT_S / np.cos(CROSSING)])

_CORRELATION = np.eye(5)
for _i, _j, _value in ((0, 1, -0.8), (0, 2, 0.5), (1, 2, -0.7), (3, 4, -0.8)):
    _CORRELATION[_i, _j] = _CORRELATION[_j, _i] = _value
_ROOT = np.linalg.cholesky(_CORRELATION)
_ALPHA = 333.564095198152


def two_body(rng, parent, mass_a, mass_b):
    """Decay four-momenta (n, 4) isotropically."""
    mass = np.sqrt(parent[:, 3] ** 2 - (parent[:, :3] ** 2).sum(axis=1))
    p = np.sqrt((mass**2 - (mass_a + mass_b) ** 2) * (mass**2 - (mass_a - mass_b) ** 2)) / (2 * mass)
    cosine, phi = rng.uniform(-1, 1, len(mass)), rng.uniform(0, 2 * np.pi, len(mass))
    sine = np.sqrt(1 - cosine**2)
    momentum = p[:, None] * np.column_stack([sine * np.cos(phi), sine * np.sin(phi), cosine])
    return [
        boost(np.column_stack([sign * momentum, np.sqrt(p**2 + m**2)]), parent)
        for sign, m in ((1, mass_a), (-1, mass_b))
    ]


def boost(vector, parent):
    mass = np.sqrt(parent[:, 3] ** 2 - (parent[:, :3] ** 2).sum(axis=1))
    beta, gamma = parent[:, :3] / parent[:, 3:], parent[:, 3] / mass
    along = (beta * vector[:, :3]).sum(axis=1)
    shift = gamma**2 / (gamma + 1) * along + gamma * vector[:, 3]
    return np.column_stack([vector[:, :3] + beta * shift[:, None], gamma * (vector[:, 3] + along)])


def pi_pi_gamma_gamma(n, seed):
    """Return true four-momenta of pi+ pi- and the photons of a pi0, all above 100 MeV and 120 MeV of pt."""
    rng = np.random.default_rng(seed)
    beam = np.tile(P0, (n, 1))
    mass = rng.uniform(0.5, 2.5, n)
    pair, meson = two_body(rng, beam, mass, np.full(n, M_PI0))
    vectors = two_body(rng, pair, M_PI, M_PI) + two_body(rng, meson, 0.0, 0.0)
    good = np.all([(v[:, 3] > 0.1) & (np.hypot(v[:, 0], v[:, 1]) > 0.12) for v in vectors], axis=0)
    return [v[good] for v in vectors], rng


def helix_of(vector, charge, point=None, bz=1.0):
    """Return helices about the origin of particles made at a point (n, 3) [cm]."""
    n = len(vector)
    point = np.zeros((n, 3)) if point is None else point
    pt = np.hypot(vector[:, 0], vector[:, 1])
    rho = _ALPHA / bz * pt / charge
    centre = point[:, :2] + rho[:, None] * np.column_stack([vector[:, 1], -vector[:, 0]]) / pt[:, None]
    sign = np.sign(charge)
    phi0 = np.arctan2(sign * centre[:, 1], sign * centre[:, 0])
    d_rho = sign * np.hypot(*centre.T) - rho
    psi = np.arctan2(-vector[:, 0], vector[:, 1])  # azimuth of the momentum less 90 degrees
    turn = (psi - phi0 + np.pi) % (2 * np.pi) - np.pi
    tan_lambda = vector[:, 2] / pt
    return np.column_stack([d_rho, phi0, charge / pt, point[:, 2] + rho * tan_lambda * turn, tan_lambda])


def smeared_track(rng, helix, mass, scale=1.0):
    """Return a `Track` measured with Gaussian errors of realistic size and correlations, and its true helix."""
    n = len(helix)
    sigma = np.column_stack(
        [np.full(n, 0.015), np.full(n, 1.5e-3), 0.005 * np.abs(helix[:, 2]), np.full(n, 0.12), np.full(n, 2.8e-3)]
    )
    covariance = sigma[:, :, None] * _CORRELATION * sigma[:, None, :]
    measured = helix + rng.normal(size=(n, 5)) @ _ROOT.T * sigma
    lower = np.tril_indices(5)
    return Track(measured, scale * covariance[:, lower[0], lower[1]], mass)


def smeared_photon(rng, vector, scale=1.0):
    energy = vector[:, 3]
    theta, phi = np.arccos(vector[:, 2] / energy), np.arctan2(vector[:, 1], vector[:, 0])
    sigmas = [0.025 * np.sqrt(energy), 6.4e-3 / np.sqrt(energy)]
    sigmas.append(sigmas[1] / np.sin(theta))
    values = [v + s * rng.normal(size=len(v)) for v, s in zip((energy, theta, phi), sigmas)]
    return Photon(*values, *(np.sqrt(scale) * s for s in sigmas))


def measured(n, seed, scale=1.0):
    """Return the true four-momenta and the four measured particles of pi+ pi- gamma gamma events."""
    vectors, rng = pi_pi_gamma_gamma(n, seed)
    tracks = [smeared_track(rng, helix_of(v, q), M_PI, scale) for v, q in zip(vectors[:2], (1.0, -1.0))]
    return vectors, [*tracks, *(smeared_photon(rng, v, scale) for v in vectors[2:])]


def vees(n, seed, mass, mass_a, mass_b, momentum=(0.4, 1.2), length=(0.5, 15.0)):
    """Return true vertices, mothers, daughters and measured tracks of neutral particles that decay in flight."""
    rng = np.random.default_rng(seed)
    p, cosine, phi = rng.uniform(*momentum, n), rng.uniform(-0.7, 0.7, n), rng.uniform(0, 2 * np.pi, n)
    sine = np.sqrt(1 - cosine**2)
    direction = np.column_stack([sine * np.cos(phi), sine * np.sin(phi), cosine])
    mother = np.column_stack([p[:, None] * direction, np.sqrt(p**2 + mass**2)])
    daughters = two_body(rng, mother, mass_a, mass_b)
    flight = rng.uniform(*length, n)
    good = np.all([np.hypot(v[:, 0], v[:, 1]) > 0.08 for v in daughters], axis=0)
    vertex = flight[:, None] * direction
    tracks = [
        smeared_track(rng, helix_of(v[good], q, vertex[good]), m)
        for v, q, m in zip(daughters, (1.0, -1.0), (mass_a, mass_b))
    ]
    return vertex[good], mother[good], [v[good] for v in daughters], flight[good], tracks
