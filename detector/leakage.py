"""Longitudinal leakage of electromagnetic showers, and the line shape that it makes, as tables of a card."""

from functools import lru_cache

import numpy as np

from ..arrays import Floats
from ..geometry.calorimeter import Emc, EmcBarrel, EmcEndcap
from .arithmetic import exponential, logarithm

#: Energies of the tables [GeV]: LOWEST 2^(k / 2).
LOWEST, N_ENERGIES = 0.005, 24
#: Depths of the start of a shower [radiation lengths]: FIRST_DEPTH + k / PER_DEPTH; negative in front of the crystals.
FIRST_DEPTH, PER_DEPTH, N_DEPTHS = -1.0, 4.0, 69
#: Mean depth [radiation lengths] at which a photon converts (9/7) and at which an electron begins to radiate: showers
#: of photons reach their maximum one radiation length later than those of electrons.
START_DEPTH = (2.0 / 7.0, 9.0 / 7.0)
ELECTRON_SHOWER, PHOTON_SHOWER = 0, 1

_HALF_LN2 = 0.34657359027997264
_MAXIMUM_OF_ELECTRONS = -0.5
_SAMPLES, _GRID = 48, 161
_FWHM = 2.3548200450309493
#: Smallest part of the resolution that is not due to leakage.
_FLOOR = 0.2


def log_gamma(x: Floats) -> Floats:
    """Return ln Gamma(x) of positive numbers to 1e-12: recurrence up to x + 8, then Stirling's series."""
    product = np.ones_like(x)
    for k in range(8):
        product = product * (x + k)
    y = x + 8.0
    inverse = 1.0 / (y * y)
    series = (1.0 / 12.0 - inverse * (1.0 / 360.0 - inverse * (1.0 / 1260.0 - inverse / 1680.0))) / y
    return (y - 0.5) * logarithm(y) - y + 0.9189385332046727 + series - logarithm(product)


def gamma_cumulative(a: Floats, x: Floats) -> Floats:
    """Return the regularised incomplete gamma function P(a, x), arrays broadcast, for x < 40, by its power series."""
    a, x = np.broadcast_arrays(a, np.maximum(x, 1e-300))
    term = np.ones_like(x)
    total = np.ones_like(x)
    for n in range(1, 160):
        term = term * (x / (a + n))
        total = total + term
    power = np.maximum(a * logarithm(x) - x - log_gamma(a + 1.0), -690.0)
    return np.minimum(exponential(power) * total, 1.0)


def leaked(energy: Floats, start: Floats, emc: Emc) -> Floats:
    """Return the fraction of the energy [GeV] that leaves at the rear of a shower begun at a depth [X0].

    Longo and Sestili, Nucl. Instrum. Meth. 128 (1975) 283; PDG 2022, eqs. 34.36-34.37: dE/dt ~ (b t)^(a - 1) exp(-b t)
    with maximum at (a - 1) / b = ln(E / E_c) - 0.5 for electrons, here less the mean depth of their start. All showers
    of one energy and start have the same profile: fluctuations are those of the start.
    """
    slope = emc.profile_slope
    maximum = logarithm(energy / emc.critical_energy) + _MAXIMUM_OF_ELECTRONS - START_DEPTH[ELECTRON_SHOWER]
    a = 1.0 + slope * np.maximum(maximum, 0.2)
    room = np.maximum(emc.depth / emc.radiation_length - start, 0.0)
    return np.asarray(1.0 - gamma_cumulative(a, slope * room) if emc.leakage else 0.0 * (a + room))


def energies() -> Floats:
    """Return the energies [GeV] of the tables."""
    return LOWEST * exponential(_HALF_LN2 * np.arange(N_ENERGIES))


@lru_cache(maxsize=8)
def leakage_table(emc: Emc) -> Floats:
    """Return the flat table that `emc_response` reads.

    Leaked fractions [energy][depth]; then for electrons and photons, in barrel and endcap, [kind][region][energy] the
    calibration, and the part of the resolution that is not due to leakage.
    """
    depth = FIRST_DEPTH + np.arange(N_DEPTHS) / PER_DEPTH
    table = [leaked(energies()[:, None], depth[None, :], emc).ravel()]
    for kind in (ELECTRON_SHOWER, PHOTON_SHOWER):
        for region in (emc.barrel, emc.endcap):
            table.append(_calibration(kind, region, emc).ravel())
    flat = np.concatenate(table)
    flat.flags.writeable = False
    return flat


def _calibration(kind: int, region: EmcBarrel | EmcEndcap, emc: Emc) -> Floats:
    """Return calibration and part of the resolution, shape (N_ENERGIES, 2).

    The most probable energy is calibrated to the true one, and full width at half maximum over 2.355 is the resolution
    of the card, which is that of the whole calorimeter: what leakage contributes is taken from the rest.
    """
    result = np.ones((N_ENERGIES, 2))
    if not emc.leakage:
        return result
    energy = energies()
    power = energy * (np.sqrt(energy) if region.exponent == 0.25 else 1.0)
    terms = region.noise * region.noise + region.stochastic * region.stochastic * power
    sigma = np.sqrt(terms / (energy * energy) + region.constant * region.constant)
    front = region.front_thickness if kind == PHOTON_SHOWER else 0.0
    u = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    start = np.maximum(-START_DEPTH[kind] * logarithm(u) - front, FIRST_DEPTH)
    lost = leaked(energy[:, None], start[None, :], emc)
    for i in range(N_ENERGIES):
        rest = 1.0
        for _ in range(5):
            mode, width = _mode_and_width(lost[i], sigma[i] * rest, emc.line_shape_tail)
            rest = min(max(rest * sigma[i] * mode / width, _FLOOR), 1.0)
        mode, _ = _mode_and_width(lost[i], sigma[i] * rest, emc.line_shape_tail)
        result[i] = 1.0 / mode, rest / mode
    return result


def _mode_and_width(lost: Floats, sigma: float, tail: float) -> tuple[float, float]:
    """Return most probable value and full width at half maximum over 2.355 of 1 - lost + sigma x, x Novosibirsk."""
    at = 1.0 - float(lost.min()) + sigma * np.linspace(-6.0, 3.0, _GRID) * 1.5
    x = (at[:, None] - 1.0 + lost[None, :]) / sigma
    argument = tail * 1.1774100225154747
    width = float(logarithm(argument + np.sqrt(argument * argument + 1.0))) / 1.1774100225154747
    room = np.maximum(1.0 - tail * x, 1e-12)
    g = logarithm(room) / width - width if tail > 1e-6 else x
    density = exponential(-np.minimum(0.5 * g * g, 600.0)) / room
    total = np.zeros(_GRID)
    for j in range(len(lost)):
        total = total + density[:, j]
    top = int(np.argmax(total))
    low, middle, high = total[top - 1], total[top], total[top + 1]
    shift = 0.5 * (low - high) / (low - 2.0 * middle + high)
    step = at[1] - at[0]
    half = 0.5 * (middle - 0.25 * (low - high) * shift)
    above = np.flatnonzero(total > half)
    first, last = int(above[0]), int(above[-1])
    left = at[first] - step * (total[first] - half) / (total[first] - total[first - 1])
    right = at[last] + step * (total[last] - half) / (total[last] - total[last + 1])
    return float(at[top] + shift * step), float(right - left) / _FWHM
