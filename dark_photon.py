"""Dark photon with kinetic mixing epsilon: widths, and the conversion of a yield into epsilon squared.

Formula numbers are those of BESIII, Phys. Lett. B 774 (2017) 252, DOI 10.1016/j.physletb.2017.09.067. epsilon is the
mixing in the Lagrangian, alpha'/alpha = epsilon^2; the signal then carries the same vacuum polarisation as QED at the
same mass, which cancels in formula (1), and so does the radiator of the initial-state photon.
"""

from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .constants import ALPHA, M_E, M_MU, M_TAU, PI

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


def mixing_factor(m: ArrayLike, n_f: ArrayLike, bin_width: ArrayLike) -> Any:
    """Return K = 2 N_f alpha dm / (3 pi m): epsilon^2 of a signal as large as the QED yield in a bin of width dm [GeV].

    Formula (1) reads sigma(A' gamma -> ll gamma) / sigma(gamma* gamma -> ll gamma) = epsilon^2 / K: exact at leading
    order for massless leptons and a bin narrow against the mass, whatever the radiator.
    """
    return 2.0 * np.asarray(n_f) * ALPHA * np.asarray(bin_width) / (3.0 * PI * _positive_mass(m))


def mixing_definition_factor(m: ArrayLike, definition: str) -> Any:
    """Return what epsilon^2 of formula (1) is multiplied by for a definition of epsilon, at mass m [GeV].

    "mixing": epsilon of the Lagrangian. The signal, which begins as a virtual photon, carries the same |1 / (1 - Delta
    alpha(m^2))|^2 as the QED yield n_b: it cancels, factor 1. "width": epsilon defined by Gamma_ee = alpha epsilon^2
    m / 3 with alpha(0), a signal without vacuum polarisation; then epsilon^2 is larger by |1 / (1 - Delta
    alpha(m^2))|^2, 1.03 to 1.06 between 1.5 and 3.6 GeV, without J/psi and psi(2S) (their interference with the
    continuum belongs to the model of the background). Raises ValueError for another definition.
    """
    m = _positive_mass(m)
    if definition == "mixing":
        return np.ones_like(m)[()]
    if definition == "width":
        from .vacuum_polarisation import delta_alpha  # compiled, which nothing else here needs

        return (np.abs(1.0 - delta_alpha(m**2, narrow=False)) ** -2.0)[()]
    raise ValueError(f"epsilon_definition = {definition!r}, must be 'mixing' or 'width'")


def epsilon2_from_yield(
    n_up: ArrayLike, n_b: ArrayLike, containment: ArrayLike, m: ArrayLike, *, n_f: ArrayLike, bin_width: ArrayLike
) -> Any:
    """Return epsilon^2 = K n_up / (n_b containment), formula (1).

    n_up is the number of signal events counted in the bin, before any division by the containment, the fraction of
    the signal that falls into the bin; n_b the annihilation QED yield of the bin. The selection efficiency is the
    same for both, which is why it is absent.
    """
    return mixing_factor(m, n_f, bin_width) * np.asarray(n_up) / (np.asarray(n_b) * np.asarray(containment))
