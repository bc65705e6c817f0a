"""Photons that become electron pairs in the shells around the beam.

Above some tens of MeV the cross section per radiation length is 7 / 9, and the energy is shared with the complete-
screening spectrum dN/dx = 1 - 4/3 x (1 - x) (PDG 2022, eq. 34.32 and 34.33). Both are kept down to the threshold, where
the true cross section is smaller: at 100 MeV in light matter by 15 %, at 10 MeV by 45 %.
"""

import math

import numpy as np

from ..arrays import Bools, Floats, Keys
from ..constants import M_E
from ..elementary import exp
from ..kernel import kernel, stage
from ..rng import CONVERSION_STREAM, uniform, words


@kernel
def conversion_probability(thickness: float) -> float:
    """Return the probability that a photon converts in matter of some radiation lengths, 1 - exp(-7 t / 9)."""
    return 1.0 - exp(-7.0 / 9.0 * thickness)


@kernel
def positron_share(u: float) -> float:
    """Return the share x of the positron from a uniform: the inverse of 9/7 (x - 2/3 x^2 + 4/9 x^3), by Newton."""
    x = u
    for _ in range(5):
        cumulative = x * (1.0 - x * (2.0 / 3.0 - 4.0 / 9.0 * x))
        x = x - (cumulative - 7.0 / 9.0 * u) / (1.0 - 4.0 / 3.0 * x * (1.0 - x))
    return x


@kernel
def crossing(
    x: float, y: float, z: float, px: float, py: float, pz: float, radius: float
) -> tuple[float, float, float, float]:
    """Return where a straight line leaves a cylinder [cm], and the path in its wall per thickness; NaN from outside."""
    pt2 = max(px * px + py * py, 1e-300)
    along = (x * px + y * py) / pt2
    room = (radius * radius - x * x - y * y) / pt2
    root = math.sqrt(along * along + room) if room > 0.0 else math.nan
    step = root - along
    normal = root * pt2 / radius
    return x + step * px, y + step * py, z + step * pz, math.sqrt(pt2 + pz * pz) / max(normal, 1e-300)


@stage
def reach_stage(
    start: tuple[Floats, Floats, Floats],
    momentum: tuple[Floats, Floats, Floats],
    radius: float,
    half_length: float,
    crossed: Bools,
) -> None:
    """Mark photons that may cross a shell of a radius and half length [cm].

    To the radius r it is at least r - r0 in the transverse plane, and |pz| / pt times that along z.
    """
    x, y, z = start
    px, py, pz = momentum
    for i in range(np.uint64(crossed.size)):
        pt, r = math.sqrt(px[i] * px[i] + py[i] * py[i]), math.sqrt(x[i] * x[i] + y[i] * y[i])
        near = (pt * (half_length + abs(z[i])) >= abs(pz[i]) * (radius - r)) & (r < radius)
        crossed[i] = crossed[i] | near


@stage
def conversion_stage(
    k0: np.uint64,
    k1: np.uint64,
    event: Keys,
    particle: Keys,
    number: int,
    shell: tuple[float, float, float],
    start: tuple[Floats, Floats, Floats],
    momentum: tuple[Floats, Floats, Floats],
    margin: Floats,
) -> None:
    """Fill probability minus uniform of photons at shell `number`: positive where they convert.

    `shell` is (radius [cm], thickness [radiation lengths] at 90 degrees, half length [cm]).
    """
    radius, thickness, half_length = shell
    block = np.uint64(number)
    for i in range(np.uint64(margin.size)):
        a, _, _, _ = words(k0, k1, event[i], particle[i], CONVERSION_STREAM, block)
        _, _, z, path = crossing(
            start[0][i], start[1][i], start[2][i], momentum[0][i], momentum[1][i], momentum[2][i], radius
        )
        probability = conversion_probability(thickness * path) if abs(z) < half_length else 0.0
        margin[i] = probability - uniform(a)


@stage
def share_stage(
    k0: np.uint64, k1: np.uint64, event: Keys, particle: Keys, number: int, energy: Floats, positron: Floats
) -> None:
    """Fill the energies [GeV] of the positrons; the electrons have the rest, neither less than its mass."""
    block = np.uint64(number)
    for i in range(np.uint64(energy.size)):
        _, b, _, _ = words(k0, k1, event[i], particle[i], CONVERSION_STREAM, block)
        positron[i] = M_E + positron_share(uniform(b)) * max(energy[i] - 2.0 * M_E, 0.0)


@stage
def exit_stage(
    radius: float, start: tuple[Floats, Floats, Floats], momentum: tuple[Floats, Floats, Floats], at: Floats
) -> None:
    """Fill the points where photons leave a cylinder [cm], shape (3, n)."""
    for i in range(np.uint64(at.shape[1])):
        at[0, i], at[1, i], at[2, i], _ = crossing(
            start[0][i], start[1][i], start[2][i], momentum[0][i], momentum[1][i], momentum[2][i], radius
        )
