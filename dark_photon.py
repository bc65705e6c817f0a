"""Dark photon with kinetic mixing epsilon: its widths and branching fractions.

Formula numbers are those of BESIII, Phys. Lett. B 774 (2017) 252, DOI 10.1016/j.physletb.2017.09.067. epsilon is the
mixing in the Lagrangian, alpha'/alpha = epsilon^2. What a yield or a cross section says of epsilon: `couplings`.
"""

from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .constants import ALPHA, M_E, M_MU, M_TAU

LEPTON_MASSES = {"e": M_E, "mu": M_MU}


@cache
def _hadronic_table() -> NDArray[np.float64]:
    """Return mass [GeV], R and its error as rows of shape (3, n)."""
    with resources.files(__package__).joinpath("data", "hadronic_ratio.csv").open(encoding="utf-8") as lines:
        table = np.loadtxt(lines, delimiter=",", skiprows=2).T
    table.flags.writeable = False
    return table


def _interpolated(m: ArrayLike, row: int) -> Any:
    table = _hadronic_table()
    m = np.asarray(m, dtype=np.float64)
    outside = ~((m >= table[0, 0]) & (m <= table[0, -1]))
    if np.any(outside):
        raise ValueError(f"m = {m[outside].flat[0]:g} GeV, R is tabulated from {table[0, 0]:g} to {table[0, -1]:g} GeV")
    return np.interp(m, table[0], table[row])[()]


def hadronic_ratio(m: ArrayLike) -> Any:
    """Return R = sigma(hadrons) / sigma(mu mu) of the continuum at sqrt(s) = m [GeV], any shape.

    Linear interpolation of the packaged 10 MeV grid (data of PDG 2018). Raises ValueError outside of it. Wrong on the
    narrow resonances (J/psi, psi(2S)), which the grid leaves out.
    """
    return _interpolated(m, 1)


def hadronic_ratio_error(m: ArrayLike) -> Any:
    """Return the error of `hadronic_ratio`, fully correlated between neighbouring masses."""
    return _interpolated(m, 2)


def _positive_mass(m: ArrayLike) -> NDArray[np.float64]:
    m = np.asarray(m, dtype=np.float64)
    if not np.all(m > 0.0):
        raise ValueError(f"m = {m[~(m > 0.0)].flat[0]:g} GeV, a mass must be positive")
    return m


def partial_width(m: ArrayLike, lepton_mass: float, epsilon: ArrayLike = 1.0) -> Any:
    """Return the width [GeV] of a dark photon of mass m [GeV] into a pair of leptons, 0 below threshold.

    Formula (2): Gamma_ll = alpha epsilon^2 / (3 m^2) (m^2 + 2 m_l^2) sqrt(m^2 - 4 m_l^2). Leading order.
    """
    m2 = _positive_mass(m) ** 2
    momentum = np.sqrt(np.maximum(m2 - 4.0 * lepton_mass**2, 0.0))
    return (ALPHA * np.asarray(epsilon) ** 2 / (3.0 * m2) * (m2 + 2.0 * lepton_mass**2) * momentum)[()]


def total_width(m: ArrayLike, epsilon: ArrayLike = 1.0) -> Any:
    """Return the total width [GeV], formula (3): Gamma_ee + Gamma_mumu (1 + R(m)) + Gamma_tautau.

    R is taken at sqrt(s) = m; the tau pair, absent below its threshold and from the paper's range, joins above
    3.554 GeV. Decays into other dark particles are taken to be closed.
    """
    muons = partial_width(m, M_MU, epsilon)
    return partial_width(m, M_E, epsilon) + muons * (1.0 + hadronic_ratio(m)) + partial_width(m, M_TAU, epsilon)


def width_ratio(m: ArrayLike, lepton: str | None = None) -> Any:
    """Return N_f^ll = Gamma_tot / Gamma_ll of formula (3) for lepton "e" or "mu".

    None is the limit of massless light leptons, 2 + R (plus the tau's share above its threshold): what a sum over
    both channels uses.
    """
    if lepton is None:
        return 2.0 + hadronic_ratio(m) + partial_width(m, M_TAU) / partial_width(m, 0.0)
    if lepton not in LEPTON_MASSES:
        raise ValueError(f"lepton = {lepton!r}, must be one of 'e', 'mu' or None")
    return total_width(m) / partial_width(m, LEPTON_MASSES[lepton])


def branching_fraction(m: ArrayLike, lepton: str) -> Any:
    """Return Gamma_ll / Gamma_tot for lepton "e" or "mu"."""
    if lepton not in LEPTON_MASSES:
        raise ValueError(f"lepton = {lepton!r}, must be 'e' or 'mu'")
    return partial_width(m, LEPTON_MASSES[lepton]) / total_width(m)
