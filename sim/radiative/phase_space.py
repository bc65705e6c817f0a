"""Phase space of e+ e- -> (pair) gamma, mapped from uniform numbers so that the matrix element becomes nearly flat.

A point is (m, photon polar angle, cos*, phi*, azimuth): m the mass of the pair; cos* and phi* the direction of the
negative particle in the pair's rest frame with respect to the photon's direction in the centre of mass. The photon
angle is carried as `minus` = 1 - b cos(theta) and `plus` = 1 + b cos(theta) with b the velocity of the beams: k.p1 and
k.p2 are proportional to them, without the cancellation that E w - p.k suffers at theta below 1e-7.

d sigma = 2 m dm (4 pi alpha)^3 <|M|^2/e^6> (1 - s'/s) beta / (2 s beta_e 2pi 8pi 8pi) dOmega_gamma/4pi dOmega*/4pi.
"""

import math
from typing import NamedTuple

import numpy as np

from ...constants import ALPHA, HBARC2, M_E, PI
from ...elementary import exp, log, sincos, sincos2pi, split_index
from ...event import Floats
from ...kernel import kernel, stage

_ONE = np.uint64(1)


class Region(NamedTuple):
    """What a process is generated in: energies, masses, cuts and the shape of the lepton angle's density."""

    #: Nominal centre-of-mass energy [GeV].
    sqrt_s: float
    #: Mass of either particle of the pair [GeV].
    lepton_mass: float
    #: Cosine of the smallest angle of a lepton to either beam; 1 without a cut.
    lepton_cosine: float
    #: Smallest transverse momentum of a lepton [GeV/c]; -1 without a cut.
    lepton_pt_min: float
    #: 1 - cos of the photon's smallest and largest angle to the nearer beam; 0 and 1 without a cut.
    photon_near: float
    photon_far: float
    #: Share of the flat part of the density of cos*; the rest is 1 / (1 + offset - cos*)^2 about the beam's direction.
    flat: float
    offset: float
    #: Largest transverse momentum of the hard sub-process, as twice its fraction of the sub-process's mass.
    tilt: float
    #: Factor in place of dm for a pair of fixed mass [GeV]; 0 for a continuum.
    narrow_width: float


@kernel
def one_minus_velocity(sqrt_s: float) -> float:
    """Return 1 - b of a beam, m_e^2 / (E (E + p)), free of cancellation."""
    half = 0.5 * sqrt_s
    return M_E * M_E / (half * (half + math.sqrt(half * half - M_E * M_E)))


@kernel
def end_of_range(minus: float) -> float:
    """Return y = atanh(b cos) where 1 - b cos = minus; 0 beyond a right angle."""
    return max(0.5 * log((2.0 - minus) / minus), 0.0)


@stage
def angular_limits(
    sqrt_s: float, theta_gamma_min: float, theta_gamma_max: float, lepton_theta_min: float, limits: Floats
) -> None:
    """Compute the range of |y|, b cos(theta_gamma) = tanh(y), the cosine of the leptons' smallest angle, photon cuts.

    The last two of five limits are 1 - cos of the photon's smallest and largest angle, without cancellation.
    """
    below = one_minus_velocity(sqrt_s)
    velocity = 1.0 - below
    sine_half, _ = sincos(0.5 * theta_gamma_max)
    limits[4] = 2.0 * sine_half * sine_half
    sine_half, _ = sincos(0.5 * theta_gamma_min)
    limits[3] = 2.0 * sine_half * sine_half
    limits[0] = end_of_range(limits[4] * velocity + below)
    limits[1] = end_of_range(limits[3] * velocity + below)
    _, cosine = sincos(lepton_theta_min)
    limits[2] = cosine


def flux_factor() -> float:
    """Return what multiplies 2 m dm <|M|^2/e^6> (1 - s'/s) beta / (s b^2) in the cross section [nb].

    Angles are taken as fractions of their range; b is the beams' velocity.
    """
    # photon: dOmega/4pi = dcos/2 on two sides; one 1 / b is the flux, one the Jacobian of b cos = tanh y
    return (4.0 * PI * ALPHA) ** 3 * HBARC2 / (256.0 * PI**3)


@kernel
def _in_cells(edges: Floats, u: float) -> tuple[float, float]:
    """Return a value drawn from cells of equal probability, and one over its density."""
    cells = float(edges.size - 1)
    index, fraction = split_index(u * cells)
    low = edges[index]
    width = edges[index + _ONE] - low
    return low + fraction * width, cells * width


@stage
def mass_stage(edges: Floats, narrow_width: float, factor: float, u: Floats, mass: Floats, weight: Floats) -> None:
    """Draw the mass of the pair [GeV] from cells of equal probability; the weight starts as factor / density."""
    for i in range(np.uint64(mass.size)):
        mass[i], spacing = _in_cells(edges, u[i])
        weight[i] = factor * (spacing + narrow_width)


@stage
def rapidity_stage(edges: Floats, u: Floats, rapidity: Floats, weight: Floats) -> None:
    """Draw |y| of the photon, y = atanh(b cos), from cells of equal probability: u < 1/2 and u > 1/2 mirror it."""
    for i in range(np.uint64(u.size)):
        rapidity[i], spacing = _in_cells(edges, abs(2.0 * u[i] - 1.0))
        weight[i] *= spacing


@stage
def photon_stage(u: Floats, rapidity: Floats, minus: Floats, plus: Floats) -> None:
    """Compute 1 - b cos and 1 + b cos of the photon from |y|, on the side that u chooses."""
    for i in range(np.uint64(u.size)):
        t = exp(-2.0 * rapidity[i])
        far = 2.0 / (1.0 + t)
        near = t * far
        minus[i] = near if u[i] > 0.5 else far
        plus[i] = far if u[i] > 0.5 else near


@kernel
def photon_direction(velocity: float, below: float, minus: float, plus: float) -> tuple[float, float]:
    """Return cosine and sine of the photon's polar angle from 1 -+ b cos; below = 1 - b."""
    cosine = 0.5 * (plus - minus) / velocity
    sine = math.sqrt(max((minus - below) * (plus - below), 0.0)) / velocity
    return cosine, sine


@kernel
def largest_cosine(sqrt_s: float, mass: float, lepton_mass: float, cosine: float) -> float:
    """Return a bound on |cos*| where both leptons stay at least acos(cosine) away from the photon's axis.

    The lepton that flies against the photon is boosted towards the axis; its momentum there is (E_Q z + w) / 2 and its
    energy (E_Q + w z) / 2 with z = beta |cos*|. That momentum over energy stays below `cosine` bounds z; for massless
    leptons it is the cut itself. 0 if no direction survives.
    """
    w = (sqrt_s - mass) * (sqrt_s + mass) / (2.0 * sqrt_s)
    energy = sqrt_s - w
    z = max(energy * cosine - w, 0.0) / (energy - w * cosine)
    ratio = 2.0 * lepton_mass / mass
    beta = math.sqrt(max((1.0 - ratio) * (1.0 + ratio), 0.0))
    return min(z / beta, 1.0) if beta > 0.0 else 1.0


@stage
def lepton_cosine_stage(
    region: Region,
    u: Floats,
    sqrt_s: Floats,
    mass: Floats,
    minus: Floats,
    plus: Floats,
    away: Floats,
    cosine: Floats,
    weight: Floats,
) -> None:
    """Draw cos* of the negative particle within the range that can survive the lepton cut.

    A lepton at least theta_min = acos(away) from the beams is at least theta_min - theta_gamma from the photon's axis.
    The pole of the density lies where an electron keeps its direction; the weight is multiplied by dcos* / 2 over the
    density.
    """
    lepton_mass = region.lepton_mass
    top = 1.0 + region.offset
    flat, pole = region.flat, 1.0 - region.flat
    inverse_flat = 1.0 / flat
    inverse_pole = 1.0 / pole if pole > 0.0 else 0.0
    for i in range(np.uint64(u.size)):
        below = one_minus_velocity(sqrt_s[i])
        c, s = photon_direction(1.0 - below, below, minus[i], plus[i])
        far = abs(c)
        cut = away[i]
        apart = far * cut + s * math.sqrt(max((1.0 - cut) * (1.0 + cut), 0.0)) if far > cut else 1.0
        limit = largest_cosine(sqrt_s[i], mass[i], lepton_mass, min(apart, 1.0))
        norm = top * top - limit * limit
        v = u[i]
        even = limit * (2.0 * v * inverse_flat - 1.0)
        peaked = top - norm / (top - limit + 2.0 * limit * (v - flat) * inverse_pole)
        forward = even if v < flat else peaked
        density = flat + pole * norm / ((top - forward) * (top - forward))
        weight[i] *= limit / density
        cosine[i] = forward if c > 0.0 else -forward


@stage
def longitudinal_stage(
    lepton_mass: float,
    sqrt_s: Floats,
    mass: Floats,
    minus: Floats,
    plus: Floats,
    cosine: Floats,
    u_phi: Floats,
    pz: Floats,
) -> None:
    """Compute the momentum of the negative particle along the electron beam in the frame of sqrt_s [GeV]."""
    for i in range(np.uint64(mass.size)):
        below = one_minus_velocity(sqrt_s[i])
        c, s = photon_direction(1.0 - below, below, minus[i], plus[i])
        along, across = pair_momentum(sqrt_s[i], mass[i], cosine[i], lepton_mass)
        _, cos_phi = sincos2pi(u_phi[i])
        pz[i] = along * c - across * cos_phi * s


@kernel
def pair_momentum(sqrt_s: float, mass: float, cosine: float, lepton_mass: float) -> tuple[float, float]:
    """Return the negative particle's momentum in the centre of mass along the photon and across it [GeV]."""
    w = (sqrt_s - mass) * (sqrt_s + mass) / (2.0 * sqrt_s)
    beta = math.sqrt(max(1.0 - 4.0 * lepton_mass * lepton_mass / (mass * mass), 0.0))
    along = 0.5 * ((sqrt_s - w) * beta * cosine - w)
    across = 0.5 * mass * beta * math.sqrt(max((1.0 - cosine) * (1.0 + cosine), 0.0))
    return along, across


@kernel
def pair_energy(sqrt_s: float, mass: float, cosine: float, lepton_mass: float) -> float:
    """Return the negative particle's energy in the centre of mass [GeV]."""
    w = (sqrt_s - mass) * (sqrt_s + mass) / (2.0 * sqrt_s)
    beta = math.sqrt(max(1.0 - 4.0 * lepton_mass * lepton_mass / (mass * mass), 0.0))
    return 0.5 * (sqrt_s - w - w * beta * cosine)


@kernel
def outside(across2: float, along2: float, one_minus_cosine: float) -> bool:
    """Return whether a momentum with these squares lies at least acos(1 - one_minus_cosine) away from the axis."""
    cosine = 1.0 - one_minus_cosine
    return across2 * cosine * cosine >= one_minus_cosine * (2.0 - one_minus_cosine) * along2


@stage
def cuts_stage(
    region: Region,
    sqrt_s: Floats,
    mass: Floats,
    minus: Floats,
    plus: Floats,
    cosine: Floats,
    pz: Floats,
    weight: Floats,
) -> None:
    """Set the weight to zero where a lepton fails the cuts, in the frame of sqrt_s."""
    lepton_mass = region.lepton_mass
    square = lepton_mass * lepton_mass
    near = 1.0 - region.lepton_cosine
    pt2_min = region.lepton_pt_min * abs(region.lepton_pt_min)
    for i in range(np.uint64(mass.size)):
        w = (sqrt_s[i] - mass[i]) * (sqrt_s[i] + mass[i]) / (2.0 * sqrt_s[i])
        e3 = pair_energy(sqrt_s[i], mass[i], cosine[i], lepton_mass)
        e4 = sqrt_s[i] - w - e3
        z3 = pz[i]
        z4 = -w * 0.5 * (plus[i] - minus[i]) / (1.0 - one_minus_velocity(sqrt_s[i])) - z3
        z3 = z3 * z3
        z4 = z4 * z4
        pt3 = e3 * e3 - square - z3
        pt4 = e4 * e4 - square - z4
        inside = (min(pt3, pt4) >= pt2_min) & outside(pt3, z3, near) & outside(pt4, z4, near)
        weight[i] = weight[i] if inside else 0.0


@stage
def jacobian_stage(
    lepton_mass: float, sqrt_s: Floats, mass: Floats, minus: Floats, plus: Floats, weight: Floats
) -> None:
    """Multiply the weights by 2 m (1 - s'/s) beta / (s b^2) and by 1 - b^2 cos^2, the Jacobian of b cos = tanh(y)."""
    for i in range(np.uint64(mass.size)):
        m, energy = mass[i], sqrt_s[i]
        velocity = 1.0 - one_minus_velocity(energy)
        beta = math.sqrt(max(1.0 - 4.0 * lepton_mass * lepton_mass / (m * m), 0.0))
        scale = energy * energy * velocity
        weight[i] *= 2.0 * m * (energy - m) * (energy + m) * beta * minus[i] * plus[i] / (scale * scale)
