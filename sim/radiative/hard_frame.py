"""The frame of the hard sub-process: what additional photons leave, its axis, cuts seen from it, and the way back.

Its axis is the direction of the beam the hard photon belongs to, boosted along: photons collinear with that beam stay
collinear with it. Everything is written as the direction of the electron; A is the beam of the hard photon, side = +1
where that is the electron.
"""

import math

import numpy as np

from ...constants import M_E
from ...elementary import exp, log, sincos2pi
from ...event import Floats
from ...kernel import BLOCK, kernel, stage
from .phase_space import Region, end_of_range, one_minus_velocity, outside, photon_direction
from .radiation import (
    AXIS_X,
    AXIS_Y,
    AXIS_Z,
    HARD_X,
    HARD_Y,
    HARD_Z,
    HIGH,
    LOW,
    OTHER,
    OTHER_X,
    OTHER_Y,
    OTHER_Z,
    PAIR_X,
    PAIR_Y,
    PAIR_Z,
    SAME,
    SAME_X,
    SAME_Y,
    SAME_Z,
    TOTAL_E,
    TOTAL_X,
    TOTAL_Y,
    TOTAL_Z,
    Radiation,
    rapidity_to_end,
)

_B = np.uint64(BLOCK)
#: Least part of 1 - m^2/s^ of collinear photons that photons at wide angles may leave to the hard one.
LEAST_SHARE = 0.75


@stage
def additional_photon_stage(
    sqrt_s: float,
    direction: float,
    u_angle: Floats,
    u_azimuth: Floats,
    u_gamma: Floats,
    fraction: Floats,
    x: Floats,
    y: Floats,
    z: Floats,
) -> None:
    """Compute the momentum of an additional photon [GeV] about the beam of the hard photon (direction 1) or the other.

    Polar angle from sin^2 / (1 - b^2 cos^2)^2 on its hemisphere: y = atanh(b cos) has the density 1 - sinh^2 y /
    sinh^2 Y below the beam's own rapidity Y, or 1 - exp(-2 (Y - y)) up to m_e^2 / E^2.
    """
    below = one_minus_velocity(sqrt_s)
    velocity = 1.0 - below
    end = end_of_range(below)
    norm = end - 0.5 * (1.0 - exp(-2.0 * end))
    for i in range(np.uint64(fraction.size)):
        t = exp(-2.0 * max(end - rapidity_to_end(u_angle[i] * norm), 0.0))
        far = 2.0 / (1.0 + t)
        cosine, sine = photon_direction(velocity, below, t * far, far)
        sin_phi, cos_phi = sincos2pi(u_azimuth[i])
        energy = 0.5 * sqrt_s * fraction[i]
        side = direction if u_gamma[i] > 0.5 else -direction
        x[i] = energy * sine * cos_phi
        y[i] = energy * sine * sin_phi
        z[i] = energy * cosine * side


@stage
def recoil_stage(
    radiation: Radiation, nominal: float, tilt: float, mass: Floats, s: Floats, sqrt_s: Floats, weight: Floats
) -> None:
    """Compute what the additional photons leave to the hard sub-process, and its energy sqrt(s^) [GeV].

    The weight is divided by the leading-order density of one photon at z = m^2/s^, (eta^/4)(1 + z^2)/(1 - z) / s^ over
    the same constants as in `losses_stage`. The photons are turned along their beams where at wide angles they would
    leave the hard one too little, or where what they leave is more transverse than `tilt` / 2 of its mass.
    """
    square = nominal * nominal
    beam = 0.5 * nominal
    limit = 0.25 * tilt * tilt
    for i in range(np.uint64(mass.size)):
        bx, by, bz = s[_B * np.uint64(OTHER_X) + i], s[_B * np.uint64(OTHER_Y) + i], s[_B * np.uint64(OTHER_Z) + i]
        cx, cy, cz = s[_B * np.uint64(SAME_X) + i], s[_B * np.uint64(SAME_Y) + i], s[_B * np.uint64(SAME_Z) + i]
        other, same = s[_B * np.uint64(OTHER) + i], s[_B * np.uint64(SAME) + i]
        m2 = mass[i] * mass[i]
        qx, qy = bx + cx, by + cy
        collinear = square * (1.0 - other) * (1.0 - same)
        left = square * (1.0 - other - same) + 2.0 * (beam * beam * other * same - bx * cx - by * cy - bz * cz)
        turned = (left - m2 < LEAST_SHARE * (collinear - m2)) | (qx * qx + qy * qy > limit * left)
        straight_b, straight_c = beam * other, beam * same
        s[_B * np.uint64(OTHER_X) + i] = 0.0 if turned else bx
        s[_B * np.uint64(OTHER_Y) + i] = 0.0 if turned else by
        s[_B * np.uint64(SAME_X) + i] = 0.0 if turned else cx
        s[_B * np.uint64(SAME_Y) + i] = 0.0 if turned else cy
        bz = (straight_b if bz > 0.0 else -straight_b) if turned else bz
        cz = (straight_c if cz > 0.0 else -straight_c) if turned else cz
        left = collinear if turned else left
        s[_B * np.uint64(OTHER_Z) + i] = bz
        s[_B * np.uint64(SAME_Z) + i] = cz
        s[_B * np.uint64(TOTAL_X) + i] = 0.0 if turned else -qx
        s[_B * np.uint64(TOTAL_Y) + i] = 0.0 if turned else -qy
        s[_B * np.uint64(TOTAL_Z) + i] = -bz - cz
        s[_B * np.uint64(TOTAL_E) + i] = nominal - straight_b - straight_c
        sqrt_s[i] = math.sqrt(left)
        z = m2 / left
        density = (1.0 + z * z) * (log(left / (M_E * M_E)) - 1.0)
        weight[i] *= 2.0 * (left - m2) * radiation.logarithm / (square * density)


@stage
def axis_stage(u_gamma: Floats, sqrt_s: Floats, s: Floats) -> None:
    """Compute the axis of the hard sub-process, the direction of beam A boosted to the rest frame of what is left.

    A massless vector a = (1, 0, 0, side) becomes a + Q [Q.a / (E + M) - 1] / M with Q.a its scalar product.
    """
    for i in range(np.uint64(sqrt_s.size)):
        side = 1.0 if u_gamma[i] > 0.5 else -1.0
        qx, qy, qz = s[_B * np.uint64(TOTAL_X) + i], s[_B * np.uint64(TOTAL_Y) + i], s[_B * np.uint64(TOTAL_Z) + i]
        energy = s[_B * np.uint64(TOTAL_E) + i]
        along = side * qz
        inverse = 1.0 / sqrt_s[i]
        factor = (along / (energy + sqrt_s[i]) - 1.0) * inverse
        ax, ay, az = qx * factor, qy * factor, side + qz * factor
        norm = side / math.sqrt(ax * ax + ay * ay + az * az)
        s[_B * np.uint64(AXIS_X) + i] = ax * norm
        s[_B * np.uint64(AXIS_Y) + i] = ay * norm
        s[_B * np.uint64(AXIS_Z) + i] = az * norm


@stage
def range_stage(region: Region, u_gamma: Floats, sqrt_s: Floats, s: Floats, away: Floats) -> None:
    """Compute what the cuts in the centre of mass leave open in the frame of the hard sub-process.

    The angle between a momentum n and a beam a changes as (1 - cos') = (1 - cos) / (D_n D_a), D = (E - Q.n) / M. Bounds
    of D_n over all n that pass a cut bound the hard photon's rapidity (LOW, HIGH), and the cosine of the angle from
    beam B, to which the pair is boosted, by that a lepton must stay `away`; B is tilted against the axis.
    """
    far, near = region.photon_far, region.photon_near
    far_cosine = 1.0 - far
    far_sine = math.sqrt(far * (2.0 - far))
    lepton_cosine = region.lepton_cosine
    for i in range(np.uint64(sqrt_s.size)):
        side = 1.0 if u_gamma[i] > 0.5 else -1.0
        qx, qy = s[_B * np.uint64(TOTAL_X) + i], s[_B * np.uint64(TOTAL_Y) + i]
        energy = s[_B * np.uint64(TOTAL_E) + i]
        along = side * s[_B * np.uint64(TOTAL_Z) + i]
        across = math.sqrt(qx * qx + qy * qy)
        square = sqrt_s[i] * sqrt_s[i]
        below = one_minus_velocity(sqrt_s[i])
        velocity = 1.0 - below
        scale = square / (energy - along)
        # photons near A, provided that photons near B are out of the hemisphere of A
        slowest = energy - along * far_cosine - across * far_sine
        widest = far * scale / (slowest if slowest > 0.0 else 1.0)
        hidden = (2.0 - far) * scale >= energy + along * far_cosine + across
        closed = hidden & (energy - along - across * far_sine > 0.0) & (widest < 1.0)
        s[_B * np.uint64(LOW) + i] = end_of_range(below + velocity * (widest if closed else 1.0))
        closest = near * scale / (energy - along * (1.0 - near) + across)
        s[_B * np.uint64(HIGH) + i] = end_of_range(below + velocity * min(closest, 1.0))
        tilt = (across * across) / square
        tilt_cosine = (1.0 - tilt) / (1.0 + tilt)
        tilt_sine = 2.0 * math.sqrt(tilt) / (1.0 + tilt)
        gap = (1.0 - lepton_cosine) * square / ((energy + along * lepton_cosine + across) * (energy + along))
        cosine = max(1.0 - gap, -1.0)
        turned = cosine * tilt_cosine + math.sqrt(max((1.0 - cosine) * (1.0 + cosine), 0.0)) * tilt_sine
        away[i] = min(turned, 1.0) if cosine < tilt_cosine else 1.0


@stage
def stretch_stage(low: float, high: float, s: Floats, rapidity: Floats, weight: Floats) -> None:
    """Move the photon's rapidity from [low, high], for which its table is made, to the range of the trial."""
    inverse = 1.0 / (high - low)
    for i in range(np.uint64(rapidity.size)):
        start = s[_B * np.uint64(LOW) + i]
        width = max(s[_B * np.uint64(HIGH) + i] - start, 0.0)
        rapidity[i] = start + width * ((rapidity[i] - low) * inverse)
        weight[i] *= width * inverse


@kernel
def to_centre_of_mass(
    x: float,
    y: float,
    z: float,
    e: float,
    nx: float,
    ny: float,
    nz: float,
    qx: float,
    qy: float,
    qz: float,
    energy: float,
    mass: float,
) -> tuple[float, float, float, float]:
    """Return a momentum of the hard sub-process, its axis n, in the frame where that has the momentum (energy, Q)."""
    tilt = (nx * x + ny * y) / max(1.0 + nz, 1e-300)
    vx = x - nx * tilt + nx * z
    vy = y - ny * tilt + ny * z
    vz = nz * z - nx * x - ny * y
    inverse = 1.0 / mass
    along = (qx * vx + qy * vy + qz * vz) * inverse
    factor = (along / (energy + mass)) + e * inverse
    return vx + qx * factor, vy + qy * factor, vz + qz * factor, energy * inverse * e + along


@stage
def boost_stage(sqrt_s: Floats, first: int, s: Floats) -> None:
    """Bring four rows of the scratch from the frame of the hard sub-process to the centre of mass, in place."""
    for i in range(np.uint64(sqrt_s.size)):
        x, y, z, e = to_centre_of_mass(
            s[_B * np.uint64(first) + i],
            s[_B * np.uint64(first + 1) + i],
            s[_B * np.uint64(first + 2) + i],
            s[_B * np.uint64(first + 3) + i],
            s[_B * np.uint64(AXIS_X) + i],
            s[_B * np.uint64(AXIS_Y) + i],
            s[_B * np.uint64(AXIS_Z) + i],
            s[_B * np.uint64(TOTAL_X) + i],
            s[_B * np.uint64(TOTAL_Y) + i],
            s[_B * np.uint64(TOTAL_Z) + i],
            s[_B * np.uint64(TOTAL_E) + i],
            sqrt_s[i],
        )
        s[_B * np.uint64(first) + i] = x
        s[_B * np.uint64(first + 1) + i] = y
        s[_B * np.uint64(first + 2) + i] = z
        s[_B * np.uint64(first + 3) + i] = e


@stage
def boosted_cuts_stage(region: Region, s: Floats, weight: Floats) -> None:
    """Set the weight to zero where a lepton or the hard photon fails the cuts in the centre of mass."""
    near = 1.0 - region.lepton_cosine
    pt2_min = region.lepton_pt_min * abs(region.lepton_pt_min)
    for i in range(np.uint64(weight.size)):
        kx, ky, kz = s[_B * np.uint64(HARD_X) + i], s[_B * np.uint64(HARD_Y) + i], s[_B * np.uint64(HARD_Z) + i]
        x3, y3, z3 = s[_B * np.uint64(PAIR_X) + i], s[_B * np.uint64(PAIR_Y) + i], s[_B * np.uint64(PAIR_Z) + i]
        x4 = s[_B * np.uint64(TOTAL_X) + i] - kx - x3
        y4 = s[_B * np.uint64(TOTAL_Y) + i] - ky - y3
        z4 = s[_B * np.uint64(TOTAL_Z) + i] - kz - z3
        pt3, pt4, across2 = x3 * x3 + y3 * y3, x4 * x4 + y4 * y4, kx * kx + ky * ky
        leptons = (min(pt3, pt4) >= pt2_min) & outside(pt3, z3 * z3, near) & outside(pt4, z4 * z4, near)
        wide = outside(across2, kz * kz, region.photon_near)
        close = across2 * (1.0 - region.photon_far) * (1.0 - region.photon_far) <= region.photon_far * (
            2.0 - region.photon_far
        ) * (kz * kz)
        weight[i] = weight[i] if leptons & wide & close else 0.0
