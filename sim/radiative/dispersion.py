"""Hadronic vacuum polarisation from the hadronic cross section, by a once-subtracted dispersion relation.

Delta alpha(q2) = -(alpha q2 / 3 pi) P int ds R(s) / (s (s - q2)) - i (alpha / 3) R(q2), PDG 2022 section 10.2.2, with R
the cross section without vacuum polarisation over 4 pi alpha^2 / 3 s. These functions made the packaged table of
`vacuum_polarisation`; no generator calls them.
"""

from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...arrays import Floats
from ...constants import ALPHA, M_K, M_PI, PI, UPSILON4S_GEE, UPSILON4S_MASS, UPSILON4S_WIDTH
from ...dark_photon import hadronic_ratio
from ...vacuum_polarisation import LIGHT_STATES, NODES, State, leptonic, pole, undressed
from .form_factor import form_factor_stage

#: Rows of the packaged table: |q2| up to 130.4 GeV^2.
ROWS = 6921
#: Where the sum of all exclusive channels takes over from pi pi, omega and phi [GeV].
JOINT = 1.06
_OPEN_BOTTOM = 10.558
_PSI3770 = State(3.7737, 27.2e-3, 0.262e-6)
_PSI3770_RANGE = (3.66, 3.88)
_UPSILONS = (
    State(UPSILON4S_MASS, UPSILON4S_WIDTH, UPSILON4S_GEE),
    State(10.8852, 37e-3, 0.31e-6),
    State(11.000, 24e-3, 0.13e-6),
)


def strong_coupling(mass: ArrayLike) -> Any:
    """Return alpha_s at a scale [GeV] above 4 GeV: two loops, five flavours, 0.118 at the Z."""
    b0, b1 = 23.0 / (12.0 * PI), 58.0 / (24.0 * PI**2)
    scale = 2.0 * np.log(np.asarray(mass) / 0.226)
    return 1.0 / (b0 * scale) * (1.0 - b1 / b0**2 * np.log(scale) / scale)


def perturbative_ratio(mass: ArrayLike) -> Any:
    """Return R of four massless quarks and of bottom above its threshold, for masses above 5 GeV.

    3 sum Q^2 (1 + a + 1.525 a^2 - 11.5 a^3), a = alpha_s / pi; bottom times beta (3 - beta^2) / 2 with the mass of the
    B meson. Right to about 2 % outside of the Upsilon(4S) to Upsilon(11020).
    """
    mass = np.asarray(mass, dtype=np.float64)
    a = strong_coupling(mass) / PI
    beta = np.sqrt(np.maximum(1.0 - (_OPEN_BOTTOM / mass) ** 2, 0.0))
    return (10.0 / 3.0 + beta * (3.0 - beta**2) / 6.0) * (1.0 + a + 1.525 * a**2 - 11.5 * a**3)


def resonance_ratio(mass: ArrayLike, state: State) -> Any:
    """Return R of a Breit-Wigner state: 9 s Gamma_ee Gamma / (alpha^2 [(s - m^2)^2 + m^2 Gamma^2])."""
    return -3.0 / ALPHA * pole(np.asarray(mass) ** 2, state).imag


def two_pions(mass: Floats) -> Floats:
    """Return R of pi+ pi-, beta^3 |F|^2 / 4, with the vacuum polarisation that the form factor contains."""
    ratio: Floats = 0.25 * np.maximum(1.0 - (2.0 * M_PI / mass) ** 2, 0.0) ** 1.5
    form_factor_stage(mass, ratio)
    return ratio


def _light_states(s: Floats, ratio: Floats) -> tuple[State, ...]:
    """Return omega and phi without vacuum polarisation, from R at nodes s [GeV^2]."""
    squares = [state.mass**2 for state in LIGHT_STATES]
    delta = (dispersion(s, ratio, squares) + leptonic(squares)).real
    return tuple(undressed(state, float(one)) for state, one in zip(LIGHT_STATES, delta, strict=True))


def _open_charm() -> tuple[Floats, Floats]:
    package = __package__.split(".")[0]
    with resources.files(package).joinpath("data", "hadronic_ratio_open_charm.csv").open(encoding="utf-8") as lines:
        mass, ratio, _ = np.loadtxt(lines, delimiter=",", skiprows=2).T
    return mass, ratio


def _psi3770(mass: Floats, ratio: Floats) -> tuple[Floats, Floats]:
    """Return masses and R with the psi(3770) drawn at 1 MeV: the table, at 10 MeV, lowers its peak from 3.7 to 3.1."""
    low, high = _PSI3770_RANGE
    ends = np.interp(_PSI3770_RANGE, mass, ratio) - resonance_ratio(_PSI3770_RANGE, _PSI3770)
    fine = np.linspace(low, high, 221)
    peak = np.interp(fine, _PSI3770_RANGE, ends) + resonance_ratio(fine, _PSI3770)
    before, after = mass < low - 1e-6, mass > high + 1e-6
    return (
        np.concatenate([mass[before], fine, mass[after]]),
        np.concatenate([ratio[before], peak, ratio[after]]),
    )


def dispersion(s: Floats, ratio: Floats, q2: ArrayLike) -> Any:
    """Return Delta alpha(q2) of a cross section ratio R that is linear in s [GeV^2] between the given nodes, 0 outside.

    The principal value is exact: on a segment of slope g the integral of R / (s - q2) is [R ln|s - q2|] minus
    g [x ln|x| - x], x = s - q2, and the logarithms of neighbouring segments cancel at their common node. R must vanish
    at the first node.
    """
    q2 = np.asarray(q2, dtype=np.float64)
    slope = np.diff(ratio) / np.diff(s)
    total = np.empty(q2.shape)

    def moment(x: Floats) -> Floats:
        size = np.abs(x)
        return x * np.log(np.where(size > 0.0, size, 1.0)) - x

    subtraction = ratio[-1] * np.log(s[-1]) - float(np.sum(slope * np.diff(moment(s))))
    for i, value in np.ndenumerate(q2):
        integral = ratio[-1] * np.log(abs(s[-1] - value)) - np.sum(slope * np.diff(moment(s - value)))
        total[i] = -ALPHA / (3.0 * PI) * (integral - subtraction)
    cut = np.interp(q2, s, ratio, left=0.0, right=0.0)
    return (total - 1j * ALPHA / 3.0 * cut)[()]


def cross_section_ratio() -> tuple[Floats, Floats]:
    """Return nodes s [GeV^2] and R there, without vacuum polarisation and without the narrow states.

    Up to 1.06 GeV pi pi from the form factor, made free of vacuum polarisation by three iterations, with what is left
    of the sum of channels at 1.06 GeV continued to the threshold of two kaons; then the packaged R to 4 GeV, that of
    BES to 5 GeV, and perturbation theory with the Upsilon states above the threshold of open bottom. omega and phi are
    taken out: their poles stand elsewhere.
    """
    rise = 2.0 * M_PI + 0.02 * np.linspace(0.0, 1.0, 80) ** 2
    low = np.concatenate([rise, np.arange(rise[-1] + 0.00025, JOINT, 0.00025)])
    middle = np.linspace(JOINT, 4.0, 295)
    middle, sum_of_channels = _psi3770(middle, hadronic_ratio(middle))
    charm, charm_ratio = _open_charm()
    high = np.unique(np.concatenate([np.geomspace(5.02, 1e5, 700), np.arange(10.4, 11.6, 0.002)]))
    upper = perturbative_ratio(high)
    onset = np.where(high > _OPEN_BOTTOM, 1.0, np.exp(-np.abs((_OPEN_BOTTOM - high) / 0.005)))
    for state in _UPSILONS:
        upper += onset * resonance_ratio(high, state)
    mass = np.concatenate([low, middle, charm, high])
    s = mass * mass
    pions = two_pions(low)
    kaons = np.maximum(low**2 - 4.0 * M_K**2, 0.0) / (JOINT**2 - 4.0 * M_K**2)
    bare = pions
    light: tuple[State, ...] = LIGHT_STATES
    for _ in range(3):
        channels = sum_of_channels - sum(resonance_ratio(middle, state) for state in light)
        rest = channels[0] - bare[-1]
        ratio = np.concatenate([bare + rest * kaons, channels, charm_ratio, upper])
        light = _light_states(s, ratio)
        delta = dispersion(s, ratio, low**2) + leptonic(low**2) + sum(pole(low**2, state) for state in light)
        bare = pions * np.abs(1.0 - delta) ** 2
    return s, ratio


def table() -> Floats:
    """Return the rows of the packaged table: mass = (i / 2048)^2 [GeV], Re, Im at mass^2, and Re at -mass^2."""
    s, ratio = cross_section_ratio()
    mass = (np.arange(ROWS) / NODES) ** 2
    time_like = dispersion(s, ratio, mass**2)
    return np.stack([mass, time_like.real, time_like.imag, dispersion(s, ratio, -(mass**2)).real], axis=1)


def write_table(path: str | Path) -> None:
    """Write the table as CSV, with a line on where it comes from."""
    origin = (
        "# Delta alpha of hadrons without omega, phi, J/psi, psi(2S), Upsilon(1S-3S): dispersion relation over R "
        "(pi pi: form factor fitted by BaBar, PRD 86 (2012) 032013; PDG 2018 compilation to 5 GeV; perturbative "
        "above), computed by besfast.sim.radiative.dispersion.write_table; nodes (i/2048)^2"
    )
    names = "mass_GeV,re_time_like,im_time_like,re_space_like"
    np.savetxt(
        path, table(), fmt=["%.6f", "%.7f", "%.7f", "%.7f"], delimiter=",", header=f"{origin}\n{names}", comments=""
    )
