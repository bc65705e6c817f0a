"""Vacuum polarisation of the photon: the running of alpha for time-like and space-like momenta.

alpha(q^2) = alpha / (1 - Delta alpha(q^2)), and every photon propagator carries 1 / (1 - Delta alpha). Signs: Delta
alpha grows positive far from thresholds; its imaginary part above a threshold is -(alpha / 3) R, as for the
Breit-Wigner form 1 / (q^2 - m^2 + i m Gamma). PDG 2022, section 10.2.2.
"""

import math
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Floats
from .constants import (
    ALPHA,
    JPSI_GEE,
    JPSI_MASS,
    JPSI_WIDTH,
    M_E,
    M_MU,
    M_TAU,
    OMEGA_GEE,
    OMEGA_MASS,
    OMEGA_WIDTH,
    PHI_GEE,
    PHI_MASS,
    PHI_WIDTH,
    PI,
    PSI2S_GEE,
    PSI2S_MASS,
    PSI2S_WIDTH,
    UPSILON1S_GEE,
    UPSILON1S_MASS,
    UPSILON1S_WIDTH,
    UPSILON2S_GEE,
    UPSILON2S_MASS,
    UPSILON2S_WIDTH,
    UPSILON3S_GEE,
    UPSILON3S_MASS,
    UPSILON3S_WIDTH,
)
from .elementary import atan2, log
from .kernel import kernel, stage

#: Nodes of the packaged table stand at sqrt|q^2| = (i / NODES)^2 GeV, i = 0, 1, ...
NODES = 2048.0

_TWO_LOOP = (ALPHA / PI) ** 2
# exp(4 zeta(3) - 5/6): with it (1/4) ln(1 + c |q^2| / m^2) has the right limit far above threshold
_TWO_LOOP_SCALE = 53.244487563944


class State(NamedTuple):
    """A vector meson: mass, width and electronic width [GeV], as measured, vacuum polarisation included."""

    mass: float
    width: float
    electronic_width: float


#: States inside Delta alpha, where their poles stand analytically; everything broader is in the packaged table.
LIGHT_STATES = (State(OMEGA_MASS, OMEGA_WIDTH, OMEGA_GEE), State(PHI_MASS, PHI_WIDTH, PHI_GEE))
#: States so narrow that a generator adds them to the amplitude instead.
NARROW_STATES = (
    State(JPSI_MASS, JPSI_WIDTH, JPSI_GEE),
    State(PSI2S_MASS, PSI2S_WIDTH, PSI2S_GEE),
    State(UPSILON1S_MASS, UPSILON1S_WIDTH, UPSILON1S_GEE),
    State(UPSILON2S_MASS, UPSILON2S_WIDTH, UPSILON2S_GEE),
    State(UPSILON3S_MASS, UPSILON3S_WIDTH, UPSILON3S_GEE),
)


@kernel
def lepton_loop(q2: float, mass: float) -> tuple[float, float]:
    """Return real and imaginary part of Delta alpha from the loop of one lepton, at q2 [GeV^2] of either sign.

    One loop, exact in the mass: (alpha / 3 pi) [-5/3 - r + (1 + r/2) b ln((1 + b) / (1 - b)) - i pi (1 + r/2) b] with
    r = 4 m^2 / q2 and b = sqrt(1 - r). Two loops: (alpha / pi)^2 [zeta(3) - 5/24 + ln(-q2 / m^2) / 4] for |q2| >>
    m^2, Steinhauser, Phys. Lett. B 429 (1998) 158, here continued to zero at q2 = 0: wrong by up to 5e-6 around
    threshold. Three loops (1e-6 at 91 GeV) are left out.
    """
    z = q2 / (mass * mass)
    # ln(1 - z x (1 - x)) expanded: the closed form loses all digits at small |z|
    series = -2.0 / PI * z * (1.0 / 30.0 + z * (1.0 / 280.0 + z * (1.0 / 1890.0 + z * (1.0 / 11088.0 + z / 60060.0))))
    small = abs(z) < 0.02
    r = 4.0 / (1.0 if small else z)
    b = math.sqrt(abs(1.0 - r))
    below = (r > 1.0) & (not small)
    curve = 2.0 * atan2(1.0, b) if below else log((1.0 + b) * (1.0 + b) / abs(r))
    one_loop = (-5.0 / 3.0 - r + (1.0 + 0.5 * r) * b * curve) / (3.0 * PI)
    two_loop = 0.25 * _TWO_LOOP * log(1.0 + _TWO_LOOP_SCALE * abs(z))
    above = (r > 0.0) & (r < 1.0) & (not small)
    cut = -ALPHA / 3.0 * (1.0 + 0.5 * r) * b - 0.25 * PI * _TWO_LOOP
    return ALPHA * (series if small else one_loop) + two_loop, cut if above else 0.0


@kernel
def leptons(q2: float) -> tuple[float, float]:
    """Return real and imaginary part of Delta alpha from electron, muon and tau loops."""
    a, b = lepton_loop(q2, M_E)
    c, d = lepton_loop(q2, M_MU)
    e, f = lepton_loop(q2, M_TAU)
    return a + c + e, b + d + f


@stage
def leptons_stage(q2: Floats, real: Floats, imaginary: Floats) -> None:
    """Compute Delta alpha from the three lepton loops."""
    for i in range(np.uint64(q2.size)):
        real[i], imaginary[i] = leptons(q2[i])


@cache
def hadronic_table() -> Floats:
    """Return the packaged table, shape (n, 3): Re and Im of the hadronic part time-like, and space-like, by node.

    The continuum without omega, phi, J/psi, psi(2S) and Upsilon(1S) to Upsilon(3S); `sim.radiative.dispersion`
    computed it.
    """
    with (
        resources.files(__package__)
        .joinpath("data", "hadronic_vacuum_polarisation.csv")
        .open(encoding="utf-8") as lines
    ):
        table: Floats = np.loadtxt(lines, delimiter=",", skiprows=2)[:, 1:]
    table.flags.writeable = False
    return table


def _points(q2: ArrayLike) -> Floats:
    q2 = np.asarray(q2, dtype=np.float64)
    largest = ((len(hadronic_table()) - 1) / NODES) ** 4
    outside = ~(np.abs(q2) <= largest)
    if np.any(outside):
        raise ValueError(f"q2 = {q2[outside].flat[0]:g} GeV^2, tabulated for |q2| up to {largest:.4g} GeV^2")
    return q2


def leptonic(q2: ArrayLike) -> Any:
    """Return Delta alpha of the three leptons at q2 [GeV^2], complex, any shape: see `lepton_loop`."""
    q2 = np.asarray(q2, dtype=np.float64)
    flat = np.ascontiguousarray(q2.ravel())
    real, imaginary = np.empty_like(flat), np.empty_like(flat)
    leptons_stage(flat, real, imaginary)
    return (real + 1j * imaginary).reshape(q2.shape)[()]


def continuum(q2: ArrayLike) -> Any:
    """Return the part of Delta alpha in the packaged table, linear between its nodes: hadrons without narrow states.

    Uncertain by 2 to 3 % of itself, 2e-4 on the space-like side. Raises ValueError beyond the table.
    """
    q2 = _points(q2)
    table = hadronic_table()
    node, at = NODES * np.sqrt(np.sqrt(np.abs(q2))), np.arange(len(table))
    real, imaginary, space_like = (np.interp(node, at, column) for column in table.T)
    return np.where(q2 < 0.0, space_like + 0j, real + 1j * imaginary)[()]


def undressed(state: State, delta: float) -> State:
    """Return a state's parameters without vacuum polarisation, as they stand inside Delta alpha.

    1 / (1 - D - g q2 / (q2 - m^2 + i m Gamma)) has its pole at m^2 / (1 - g / (1 - D)) and the residue g / |1 - D|^2,
    g = 3 Gamma_ee / (alpha m): the mass measured is larger by g m / 2, 0.13 MeV for the omega and 0.26 MeV for the
    phi, and the electronic width by 1 / |1 - D|^2. delta is the real part of D, all the rest of Delta alpha.
    """
    rest = 1.0 - delta
    electronic_width = state.electronic_width * rest * rest
    return State(state.mass - 1.5 * electronic_width / (ALPHA * rest), state.width, electronic_width)


@cache
def undressed_states() -> tuple[tuple[State, ...], tuple[State, ...]]:
    """Return `LIGHT_STATES` and `NARROW_STATES` without vacuum polarisation."""

    def bare(states: tuple[State, ...]) -> tuple[State, ...]:
        return tuple(undressed(one, float((leptonic(one.mass**2) + continuum(one.mass**2)).real)) for one in states)

    return bare(LIGHT_STATES), bare(NARROW_STATES)


def pole(q2: ArrayLike, state: State) -> Any:
    """Return (3 q2 / (alpha m)) Gamma_ee / (q2 - m^2 + i m Gamma), without width at space-like q2 [GeV^2]."""
    q2 = np.asarray(q2, dtype=np.float64)
    damping = np.where(q2 > 0.0, state.mass * state.width, 0.0)
    return (3.0 * state.electronic_width / (ALPHA * state.mass) * q2 / (q2 - state.mass**2 + 1j * damping))[()]


def hadronic(q2: ArrayLike, *, narrow: bool = True) -> Any:
    """Return Delta alpha of the five lighter quarks at q2 [GeV^2], complex, any shape.

    Continuum plus the poles of omega and phi and, with `narrow`, those of J/psi, psi(2S) and Upsilon(1S) to
    Upsilon(3S). Raises ValueError beyond the table.
    """
    light, heavy = undressed_states()
    return continuum(q2) + sum(pole(q2, state) for state in (light + heavy if narrow else light))


def delta_alpha(q2: ArrayLike, *, narrow: bool = True) -> Any:
    """Return Delta alpha(q2) at q2 [GeV^2], complex, any shape: leptons and hadrons, no top quark, no W.

    alpha(q2) = alpha / (1 - Delta alpha). `narrow`: see `hadronic`; without them it is what a matrix element needs
    that adds them to the amplitude. Raises ValueError beyond the table.
    """
    return leptonic(q2) + hadronic(q2, narrow=narrow)
