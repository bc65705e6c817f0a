"""One photon from a charged pair of fixed mass m at lowest order, with the mass of the pair's particles.

y = 2 k / m is the photon's energy in the rest frame of the decaying state as a fraction of its largest value,
z = 1 - y = m_ll^2 / m^2, mu = m_l^2 / m^2. With the photon's angle theta to one particle in the rest frame of the pair
that is left, a = (1 - b cos(theta))/2, b = sqrt(1 - 4 mu / z) and X = a (1 - a) the squared matrix element, summed over
the orientation, is G(X) / (y^2 X). Fermions couple as to a virtual photon (Ioffe, Phys. Lett. B 78 (1978) 277); pions
are pointlike (Schwinger, Particles, Sources and Fields III, 5-4). Both follow from the diagrams; tested against
numerical traces.
"""

import math

from ...constants import ALPHA, PI
from ...elementary import log
from ...kernel import kernel


@kernel
def pair_velocity(z: float, mu: float) -> float:
    """Return the velocity b of either particle in the pair's rest frame; 0 below threshold."""
    return math.sqrt(max(1.0 - 4.0 * mu / max(z, 1e-30), 0.0))


@kernel
def pair_rapidity(z: float, mu: float) -> float:
    """Return ln[(1 + b) / (1 - b)], the rapidity between the two; ln(m_ll^2 / m_l^2) far above 2 m_l."""
    b = pair_velocity(z, mu)
    return max(log((1.0 + b) * (1.0 + b) * max(z, 4.0 * mu) / (4.0 * mu)), 0.0)


@kernel
def emission_slope(mu: float) -> float:
    """Return eta = (2 alpha / pi)[(1 + v^2)/(2v) ln((1 + v)/(1 - v)) - 1]: y d(rate)/dy of soft photons of the pair.

    The integral of the eikonal current over the photon's direction; v the velocity without radiation. It is
    (2 alpha / pi)(ln(m^2 / m_l^2) - 1) up to mu, and falls to zero as v^2 at threshold, where the logarithm goes wrong.
    """
    v = pair_velocity(1.0, mu)
    return (2.0 * ALPHA / PI) * max((1.0 - 2.0 * mu) * pair_rapidity(1.0, mu) / max(v, 1e-12) - 1.0, 0.0)


@kernel
def fermion_spectrum(y: float, mu: float) -> float:
    """Return (1 / Gamma_0) dGamma/dy of a fermion pair and one photon: (alpha / pi y)(1 + z^2)(ln(z/mu) - 1) + O(mu).

    (alpha / (pi v (1 + 2 mu) y)) {[1 + z^2 - 4 mu y - 8 mu^2] l - b y^2 - 2 z b (1 + 2 mu)}, l as in `pair_rapidity`.
    """
    z = 1.0 - y
    b = pair_velocity(z, mu)
    hard = (1.0 + z * z - 4.0 * mu * y - 8.0 * mu * mu) * pair_rapidity(z, mu)
    rest = b * (y * y + 2.0 * z * (1.0 + 2.0 * mu))
    return ALPHA / PI * (hard - rest) / (max(pair_velocity(1.0, mu), 1e-6) * (1.0 + 2.0 * mu) * y)


@kernel
def scalar_spectrum(y: float, mu: float) -> float:
    """Return (1 / Gamma_0) dGamma/dy of a pair of pointlike scalars and one photon.

    (2 alpha / (pi v^3 y)) {v^2 [(z - 2 mu) l - z b] + y^2 b}, or (2 alpha / pi y)[z (ln(z/mu) - 1) + y^2] + O(mu).
    """
    z = 1.0 - y
    b = pair_velocity(z, mu)
    v = max(pair_velocity(1.0, mu), 1e-6)
    hard = v * v * ((z - 2.0 * mu) * pair_rapidity(z, mu) - z * b) + y * y * b
    return 2.0 * ALPHA / PI * hard / (v * v * v * y)


@kernel
def fermion_match(y: float, mu: float, slope: float) -> float:
    """Return the exact spectrum over (eta / 2y)(1 + z^2), its leading logarithm."""
    z = 1.0 - y
    return 2.0 * y * fermion_spectrum(y, mu) / (slope * (1.0 + z * z))


@kernel
def scalar_match(y: float, mu: float, slope: float) -> float:
    """Return the exact spectrum over (eta / y) z, its leading logarithm."""
    return y * scalar_spectrum(y, mu) / (slope * max(1.0 - y, 1e-30))


@kernel
def fermion_angle(a: float, y: float, mu: float) -> float:
    """Return G(X) over its bound, 0 to 1: the photon's density in theta is G / (a (1 - a)).

    G = 1 + z^2 + 4 mu z - 2 y^2 X - 2 mu (1 + 2 mu) / X. Along the particle, a = (1 - b)/2, only y^2 is left: soft
    photons have a dead cone of opening m_l / E, hard ones flip the spin there.
    """
    z = 1.0 - y
    x = a * (1.0 - a)
    floor = 2.0 * mu * (1.0 + 2.0 * mu)
    bound = 1.0 + z * z + 4.0 * mu * z - 4.0 * floor
    return (bound + 4.0 * floor - 2.0 * y * y * x - floor / x) / bound


@kernel
def scalar_angle(a: float, y: float, mu: float) -> float:
    """Return G(X) over its bound, 0 to 1, of scalars: G = (1 - 4 mu)(z - mu / X) + 2 y^2 X."""
    z = 1.0 - y
    x = a * (1.0 - a)
    v2 = 1.0 - 4.0 * mu
    return (v2 * (z - mu / x) + 2.0 * y * y * x) / (v2 * (z - 4.0 * mu) + 0.5 * y * y)
