"""Feynman diagrams of e+ e- -> l+ l- V with Dirac spinors and explicit propagators, V a photon or a massive vector."""

import numpy as np
from besfast.constants import M_E

from .test_matrix_element import METRIC, antiparticles, bar, current, dot, particles, slash

ONE = np.eye(4)


def products(point):
    """Return (k.p1, k.p2, k.p3, k.p4) of a point, which may carry its own where they are free of cancellation."""
    p, k = [point[name] for name in ("p1", "p2", "p3", "p4")], point["k"]
    return [point.get(f"k{i + 1}", dot(p[i], k)) for i in range(4)]


def diagrams(point, mass, polarisation, vector_mass=0.0):
    """Return the amplitudes / coupling^3 of all spins: beams, pair and the two of t-channel exchange, shape (4, 16).

    `pair` and `exchange` of a massive vector are those of one that couples like the photon.
    """
    p1, p2, p3, p4, k = (point[name] for name in ("p1", "p2", "p3", "p4", "k"))
    k1, k2, k3, k4 = products(point)
    s, s_prime, v2 = point["s"], point["s_prime"], vector_mass**2
    t1, t2 = M_E**2 + mass**2 - 2 * dot(p1, p3), M_E**2 + mass**2 - 2 * dot(p2, p4)
    e = slash(polarisation)
    before1 = (slash(p1 - k) + M_E * ONE) @ e / (v2 - 2 * k1)
    before2 = e @ (slash(k - p2) + M_E * ONE) / (v2 - 2 * k2)
    after3 = e @ (slash(p3 + k) + mass * ONE) / (v2 + 2 * k3)
    after4 = (slash(-p4 - k) + mass * ONE) @ e / (v2 + 2 * k4)
    rows = []
    for u1 in particles(p1, M_E):
        for v2_bar in (bar(v) for v in antiparticles(p2, M_E)):
            for u3_bar in (bar(u) for u in particles(p3, mass)):
                for v4 in antiparticles(p4, mass):
                    beams = current(v2_bar, before1 @ u1) + current(v2_bar @ before2, u1)
                    pair = current(u3_bar @ after3, v4) + current(u3_bar, after4 @ v4)
                    scattered = current(u3_bar, before1 @ u1) + current(u3_bar @ after3, u1)
                    other = current(v2_bar @ before2, v4) + current(v2_bar, after4 @ v4)
                    rows.append(
                        (
                            np.sum(METRIC * beams * current(u3_bar, v4)) / s_prime,
                            np.sum(METRIC * pair * current(v2_bar, u1)) / s,
                            np.sum(METRIC * scattered * current(v2_bar, v4)) / t2,
                            np.sum(METRIC * other * current(u3_bar, u1)) / t1,
                        )
                    )
    return np.array(rows).T


def transverse(k):
    """Return the two polarisation vectors of a massless or massive vector across its momentum."""
    n = k[1:] / np.linalg.norm(k[1:])
    across = np.cross(n, [0.0, 1.0, 0.0])
    across /= np.linalg.norm(across)
    return [np.array([0.0, *across]), np.array([0.0, *np.cross(n, across)])]


def longitudinal(k, vector_mass):
    """Return the longitudinal polarisation vector of a massive vector."""
    p = np.linalg.norm(k[1:])
    return np.array([p, *(k[0] * k[1:] / p)]) / vector_mass


def squared(point, mass, *, initial=0.0, final=0.0, exchange=0.0, vector_mass=0.0):
    """Return <|M|^2> / coupling^6 with complex factors of the beams', the pair's and the t-channel's diagrams."""
    k = point["k"]
    vectors = transverse(k) + ([longitudinal(k, vector_mass)] if vector_mass else [])
    factors = np.array([initial, final, exchange, exchange])
    return sum(np.sum(np.abs(factors @ diagrams(point, mass, e, vector_mass)) ** 2) for e in vectors) / 4.0
