"""What material does to a charged particle: multiple scattering and bremsstrahlung."""

import math

import numpy as np

from ..elementary import exp, log
from ..kernel import kernel
from ..rng import normal2, uniform, uniform53, words

#: Scattering of thin slices shares the logarithm of the whole: below this thickness the logarithm stops falling.
LOG_FLOOR = 3e-3


@kernel
def scattering_angle(p: float, beta: float, thickness: float, log_thickness: float) -> float:
    """Return the projected multiple-scattering angle [rad] (Highland; PDG 2022, eq. 34.16).

    theta0 = 13.6 MeV / (beta c p) sqrt(x) (1 + 0.038 ln(x / beta^2)), x in radiation lengths. The logarithm is taken of
    `log_thickness`, so that a volume cut into slices scatters like the whole.
    """
    return 0.0136 / (p * beta) * math.sqrt(thickness) * (1.0 + 0.038 * log(log_thickness / (beta * beta)))


@kernel
def radiated_fraction(
    thickness: float, k0: np.uint64, k1: np.uint64, event: np.uint64, particle: np.uint64, stream: np.uint64
) -> float:
    """Return the fraction of its energy that an electron radiates in a thickness [radiation lengths].

    Bethe and Heitler: z = -ln(E'/E) follows Gamma(a, 1), a = thickness / ln 2. Gamma(a) = Gamma(a + 1) u^(1/a), and
    Gamma(a + 1) is the first accepted of four candidates of Marsaglia and Tsang (2000), a fixed number of draws: none
    is accepted in 1 of 1e5 electrons, which then take the last candidate.
    """
    a = thickness / 0.6931471805599453
    d = a + 2.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    w0, w1, w2, w3 = words(k0, k1, event, particle, stream, np.uint64(0))
    v0, v1, v2, _ = words(k0, k1, event, particle, stream, np.uint64(1))
    t0, t1, _, _ = words(k0, k1, event, particle, stream, np.uint64(2))
    x0, x1 = normal2(w0, w1)
    x2, x3 = normal2(w2, w3)
    gamma = _candidate(d, c, x3, 0.0, 0.0)
    gamma = _candidate(d, c, x2, uniform(v2), gamma)
    gamma = _candidate(d, c, x1, uniform(v1), gamma)
    gamma = _candidate(d, c, x0, uniform(v0), gamma)
    z = gamma * exp(max(log(uniform53(t0, t1)) / a, -700.0))
    return 1.0 - exp(-z)


@kernel
def _candidate(d: float, c: float, x: float, u: float, otherwise: float) -> float:
    """Return d v if the candidate x is accepted with uniform u (0: always), else the other value."""
    v = 1.0 + c * x
    v = v * v * v
    safe = max(v, 1e-300)
    bound = 0.5 * x * x + d - d * v + d * log(safe)
    accepted = (v > 0.0) & (log(max(u, 1e-300)) < bound)
    return d * safe if accepted else otherwise


@kernel
def crossed_thickness(radiation_lengths: float, pt: float, p: float) -> float:
    """Return the thickness [radiation lengths] of concentric cylinders seen along a track from the beam line."""
    return radiation_lengths * p / max(pt, 1e-6)
