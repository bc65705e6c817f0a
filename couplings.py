"""Couplings of new particles from what is measured: yields, cross sections and branching fractions, all in one room.

Dark photon A' (kinetic mixing epsilon), axion-like particle (ALP, g_agammagamma [1/GeV]), Z' (gauge coupling g').
Every converter has its inverse; arguments broadcast as numpy arrays. A limit on what is measured becomes a limit on
the coupling; the errors of the inputs are not propagated here, they belong into the limit.

epsilon is the mixing in the Lagrangian, alpha'/alpha = epsilon^2; formula numbers of the dark photon are those of
BESIII, Phys. Lett. B 774 (2017) 252, DOI 10.1016/j.physletb.2017.09.067.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .constants import ALPHA, HBARC2, JPSI_BR_EE, JPSI_MASS, PI


def _allowed(name: str, values: ArrayLike, *, zero: bool = False) -> NDArray[np.float64]:
    """Return the values as an array, or raise ValueError that names the first one that is not positive (or zero)."""
    array = np.asarray(values, dtype=np.float64)
    good = (array >= 0.0) if zero else (array > 0.0)
    if not np.all(good):
        raise ValueError(f"{name} = {array[~good].flat[0]:g}, must be {'>= 0' if zero else '> 0'}")
    return array


def mixing_factor(m: ArrayLike, n_f: ArrayLike, bin_width: ArrayLike) -> Any:
    """Return K = 2 N_f alpha dm / (3 pi m): epsilon^2 of a signal as large as the QED yield in a bin of width dm [GeV].

    Formula (1) reads sigma(A' gamma -> ll gamma) / sigma(gamma* gamma -> ll gamma) = epsilon^2 / K: exact at leading
    order for massless leptons and a bin narrow against the mass, whatever the radiator.
    """
    n_f, bin_width = _allowed("n_f", n_f), _allowed("bin_width", bin_width)
    return 2.0 * n_f * ALPHA * bin_width / (3.0 * PI * _allowed("m", m))


def mixing_definition_factor(m: ArrayLike, definition: str) -> Any:
    """Return what epsilon^2 of formula (1) is multiplied by for a definition of epsilon, at mass m [GeV].

    "mixing": epsilon of the Lagrangian. The signal, which begins as a virtual photon, carries the same |1 / (1 - Delta
    alpha(m^2))|^2 as the QED yield n_b: it cancels, factor 1. "width": epsilon defined by Gamma_ee = alpha epsilon^2
    m / 3 with alpha(0), a signal without vacuum polarisation; then epsilon^2 is larger by |1 / (1 - Delta
    alpha(m^2))|^2, 1.03 to 1.06 between 1.5 and 3.6 GeV, without J/psi and psi(2S) (their interference with the
    continuum belongs to the model of the background). Raises ValueError for another definition.
    """
    m = _allowed("m", m)
    if definition == "mixing":
        return np.ones_like(m)[()]
    if definition == "width":
        from .vacuum_polarisation import delta_alpha  # compiled, which nothing else here needs

        return (np.abs(1.0 - delta_alpha(m**2, narrow=False)) ** -2.0)[()]
    raise ValueError(f"epsilon_definition = {definition!r}, must be 'mixing' or 'width'")


def epsilon2_from_yield(
    n_up: ArrayLike,
    n_b: ArrayLike,
    containment: ArrayLike,
    m: ArrayLike,
    *,
    n_f: ArrayLike,
    bin_width: ArrayLike,
    definition: str = "mixing",
) -> Any:
    """Return epsilon^2 = K n_up / (n_b containment), formula (1).

    n_up is the number of signal events counted in the bin, before any division by the containment, the fraction of
    the signal that falls into the bin; n_b the annihilation QED yield of the bin. The selection efficiency is the
    same for both, which is why it is absent. `definition` of epsilon as in `mixing_definition_factor`. NaN where n_up
    is NaN (an empty interval).
    """
    contained = _allowed("n_b", n_b) * _allowed("containment", containment)
    factor = mixing_factor(m, n_f, bin_width) * mixing_definition_factor(m, definition)
    return factor * np.asarray(n_up) / contained


def yield_from_epsilon2(
    epsilon2: ArrayLike,
    n_b: ArrayLike,
    containment: ArrayLike,
    m: ArrayLike,
    *,
    n_f: ArrayLike,
    bin_width: ArrayLike,
    definition: str = "mixing",
) -> Any:
    """Return the signal events counted in a bin at epsilon^2: the inverse of `epsilon2_from_yield`."""
    one = epsilon2_from_yield(1.0, n_b, containment, m, n_f=n_f, bin_width=bin_width, definition=definition)
    return np.asarray(epsilon2) / one


def dark_photon_cross_section(
    epsilon2: ArrayLike, sqrt_s: ArrayLike, radiator: ArrayLike, branching: ArrayLike = 1.0
) -> Any:
    """Return sigma(e+ e- -> gamma A', A' -> f) [nb] = 4 pi^2 alpha epsilon^2 / s W(x) B(A' -> f).

    The narrow-width limit of radiative return, Gamma_ee = alpha epsilon^2 m / 3 in 12 pi^2 Gamma_ee B W / (m s):
    Essig, Schuster and Toro, PRD 80 (2009) 015003, DOI 10.1103/PhysRevD.80.015003. `radiator` is W at x = 1 - m^2/s,
    density in x, for the same photon angles as the cross section; sqrt_s in GeV. Wrong where the mass reaches sqrt_s
    (soft photons must be summed), and for a width that is not small against the resolution.
    """
    s = _allowed("sqrt_s", sqrt_s) ** 2
    strength = _allowed("radiator", radiator) * _allowed("branching", branching)
    return 4.0 * PI**2 * ALPHA * HBARC2 / s * strength * np.asarray(epsilon2)


def epsilon2_from_cross_section(
    cross_section: ArrayLike, sqrt_s: ArrayLike, radiator: ArrayLike, branching: ArrayLike = 1.0
) -> Any:
    """Return epsilon^2 from sigma(e+ e- -> gamma A', A' -> f) [nb]: the inverse of `dark_photon_cross_section`."""
    return np.asarray(cross_section) / dark_photon_cross_section(1.0, sqrt_s, radiator, branching)


def alp_branching_fraction(
    coupling: ArrayLike, m: ArrayLike, *, quarkonium_mass: float = JPSI_MASS, electron_branching: float = JPSI_BR_EE
) -> Any:
    """Return B(V -> gamma a) of a vector quarkonium (J/psi) for g_agammagamma [1/GeV] and an ALP of mass m [GeV].

    B(V -> gamma a) / B(V -> e+ e-) = m_V^2 g^2 / (32 pi alpha) (1 - m^2 / m_V^2)^3: Masso and Toldra, PRD 52 (1995)
    1755, DOI 10.1103/PhysRevD.52.1755; Merlo and others, JHEP 06 (2019) 091, DOI 10.1007/JHEP06(2019)091. The ALP
    couples to photons alone, L = -g/4 a F F~; a coupling to charm adds to it. The same ratio as sigma(e+ e- ->
    gamma a) = alpha g^2 / 24 (1 - m^2/s)^3 to sigma(e+ e- -> mu+ mu-) at s = m_V^2. Of a -> gamma gamma alone where
    B(a -> gamma gamma) = 1. Raises ValueError for a mass outside [0, m_V).
    """
    m = _allowed("m", m, zero=True)
    if not np.all(m < quarkonium_mass):
        raise ValueError(f"m = {np.max(m):g} GeV, must be below the mass {quarkonium_mass:g} GeV of the quarkonium")
    phase_space = (1.0 - (m / quarkonium_mass) ** 2) ** 3
    scale = quarkonium_mass**2 / (32.0 * PI * ALPHA) * float(_allowed("electron_branching", electron_branching))
    return scale * phase_space * np.asarray(coupling) ** 2


def alp_coupling(
    branching: ArrayLike, m: ArrayLike, *, quarkonium_mass: float = JPSI_MASS, electron_branching: float = JPSI_BR_EE
) -> Any:
    """Return g_agammagamma [1/GeV] from B(V -> gamma a): the inverse of `alp_branching_fraction`."""
    one = alp_branching_fraction(1.0, m, quarkonium_mass=quarkonium_mass, electron_branching=electron_branching)
    return np.sqrt(_allowed("branching", branching, zero=True) / one)


def zprime_coupling(cross_section: ArrayLike, unit_cross_section: ArrayLike) -> Any:
    """Return g' = sqrt(sigma / sigma(g' = 1)) of a Z' radiated from a lepton line; both cross sections in one unit.

    Production at leading order in g', as in e+ e- -> mu+ mu- Z': Belle II, PRL 124 (2020) 141801, DOI
    10.1103/PhysRevLett.124.141801. `unit_cross_section` is the caller's, of the same final state and mass, branching
    fraction included: a branching fraction does not depend on g'. Wrong for g' of order one.
    """
    return np.sqrt(
        _allowed("cross_section", cross_section, zero=True) / _allowed("unit_cross_section", unit_cross_section)
    )


def zprime_cross_section(coupling: ArrayLike, unit_cross_section: ArrayLike) -> Any:
    """Return the cross section at g', in the unit of that at g' = 1: the inverse of `zprime_coupling`."""
    return np.asarray(coupling) ** 2 * _allowed("unit_cross_section", unit_cross_section)
