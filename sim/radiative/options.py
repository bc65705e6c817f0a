"""What a user may ask of a generator, checked at the border."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ...constants import ALPHA, PI
from ...dark_photon import branching_fraction
from ..processes.options import known as known_options
from .channel import Channel, Pair
from .hard_frame import LEAST_SHARE
from .phase_space import Region, angular_limits

#: Smallest fraction x = 1 - m^2/s of the default range; closer to sqrt(s) soft photons need resummation.
_DEFAULT_X = 0.09
#: Energy spreads between the largest mass and sqrt(s); a normal number of `rng` never exceeds 6.7.
_SPREADS = 7.0
#: Largest angle between axis of the hard sub-process and a beam seen from there, in Bhabha scattering, over the sine of
#: the leptons' smallest angle: a tilted axis would lead the leptons to the pole of the t channel.
_LARGEST_TILT = 0.25
#: Options of the order "ll" and their defaults; at "lo" they are refused.
_RADIATIVE: Mapping[str, bool | float] = {
    "vacuum_polarisation": True,
    "resonances": True,
    "final_state_radiation": True,
    "soft_cutoff": 1e-3,
}


class Request(NamedTuple):
    """A checked request: the pair, ranges of its mass [GeV] and of the photon's |y|, and the options to be used."""

    pair: Pair
    masses: tuple[float, float]
    rapidities: tuple[float, float]
    region: Region
    options: dict[str, Any]


def _number(name: str, value: Any, allowed: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} = {value!r}, must be {allowed}")
    if not math.isfinite(value):
        raise ValueError(f"{name} = {value}, must be {allowed}")
    return float(value)


def _within(name: str, value: Any, low: float, high: float, unit: str, *, closed: bool = True) -> float:
    allowed = f"a number in {'[' if closed else '('}{low:.6g}, {high:.6g}){unit and ' ' + unit}"
    number = _number(name, value, allowed)
    if not (low <= number if closed else low < number) or not number < high:
        raise ValueError(f"{name} = {value}, must be {allowed}")
    return number


def _pair(process: Channel, options: dict[str, Any]) -> Pair:
    if "" in process.pairs:
        return process.pairs[""]
    lepton = options.setdefault("lepton", "mu")
    if lepton not in process.pairs:
        raise ValueError(f"lepton = {lepton!r}, must be one of {', '.join(map(repr, process.pairs))}")
    return process.pairs[lepton]


def _masses(process: Channel, pair: Pair, sqrt_s: float, options: dict[str, Any]) -> tuple[float, float]:
    """Return the smallest and the largest mass of the pair [GeV], equal for a narrow state."""
    threshold = 2.0 * pair.mass
    if process.resonance is not None:
        if not process.resonance.mass < sqrt_s:
            raise ValueError(f"sqrt_s = {sqrt_s:g}, must exceed the mass {process.resonance.mass:g} GeV")
        return process.resonance.mass, process.resonance.mass
    if "mass" in process.options:
        mass = _within("mass", options["mass"], threshold, sqrt_s, "GeV", closed=False)
        return mass, mass
    lowest = max(threshold, process.valid_range[0])
    largest = math.sqrt(1.0 - _DEFAULT_X) * sqrt_s
    mass_max = _within("mass_max", options.setdefault("mass_max", largest), lowest, sqrt_s, "GeV", closed=False)
    mass_min = _within("mass_min", options.setdefault("mass_min", lowest), lowest, sqrt_s, "GeV")
    if not mass_min < mass_max:
        raise ValueError(f"mass_min = {mass_min:g}, must be below mass_max = {mass_max:g} GeV")
    return mass_min, mass_max


def _angles(process: Channel, options: dict[str, Any]) -> tuple[float, float, float, float]:
    """Return theta_gamma_min and _max, lepton_theta_min [rad] and lepton_pt_min [GeV/c]; no cut: 0, pi/2, 0 and 0."""
    half = 0.5 * PI
    theta_gamma = options.get("theta_gamma_max", half)
    if theta_gamma != half:
        theta_gamma = min(_within("theta_gamma_max", theta_gamma, 0.0, PI, "rad", closed=False), half)
    least = _within("theta_gamma_min", options.get("theta_gamma_min", 0.0), 0.0, half, "rad")
    if not least < theta_gamma:
        raise ValueError(f"theta_gamma_min = {least:g}, must be below theta_gamma_max = {theta_gamma:g} rad")
    theta = _within("lepton_theta_min", options.get("lepton_theta_min", 0.0), 0.0, half, "rad")
    pt = _within("lepton_pt_min", options.get("lepton_pt_min", 0.0), 0.0, math.inf, "GeV/c")
    if process.matrix_element == "bhabha" and theta_gamma >= theta:
        raise ValueError(
            f"theta_gamma_max = {theta_gamma:g}, must be below lepton_theta_min = {theta:g} rad in {process.name}: "
            "photons collinear with a final electron are not generated"
        )
    return least, theta_gamma, theta, pt


def _radiation(process: Channel, order: str, options: dict[str, Any]) -> None:
    """Fill in the options that belong to the order "ll"; at another order ValueError if one is asked for."""
    for name, default in _RADIATIVE.items():
        if name not in process.options:
            continue
        if order == "ll":
            value = options.setdefault(name, default)
            if isinstance(default, float):
                options[name] = _within(name, value, 0.0, 1.0, "GeV", closed=False)
            elif not isinstance(value, bool):
                raise TypeError(f"{name} = {value!r}, must be True or False")
        elif options.pop(name, False):
            raise ValueError(f"{name} belongs to order = 'll', {process.name} is asked for order = {order!r}")


def _largest_spread(order: str, sqrt_s: float, mass: float) -> float:
    """Return the largest energy spread [GeV] that leaves every event a photon.

    With additional photons the hard one has at least `LEAST_SHARE` of a quarter of the loss in powers of the mass.
    """
    if order == "lo":
        return (sqrt_s - mass) / _SPREADS
    return 0.5 * LEAST_SHARE * sqrt_s * (1.0 - math.sqrt(math.sqrt(mass / sqrt_s))) / _SPREADS


def _narrow_width(process: Channel, pair: Pair, mass: float, options: dict[str, Any]) -> float:
    """Return the width of the mass interval in which QED has the cross section of a narrow state [GeV].

    sigma(e+ e- -> R gamma) B = 12 pi^2 Gamma_ee B W(x) / (m s) over d sigma_QED / dm of the same pair, in which the
    radiator cancels: 9 pi Gamma_ee B / (2 alpha^2 v), v = beta (3 - beta^2) / 2. For a dark photon Gamma_ee is
    alpha epsilon^2 m / 3, so that sigma = 4 pi^2 alpha epsilon^2 W(x) B / s (Bjorken et al., eq. 19).
    """
    if process.resonance is not None:
        width = process.resonance.electronic_width * process.resonance.branching[options["lepton"]]
    elif "epsilon" in options:
        epsilon = options["epsilon"] = _within("epsilon", options["epsilon"], 0.0, 1.0, "", closed=False)
        width = ALPHA * epsilon**2 * mass / 3.0 * float(branching_fraction(mass, options["lepton"]))
    else:
        return 0.0
    beta = math.sqrt(1.0 - 4.0 * pair.mass**2 / mass**2)
    return 9.0 * PI * width / (2.0 * ALPHA**2 * 0.5 * beta * (3.0 - beta**2))


def check_request(
    process: Channel, order: str, sqrt_s: float, energy_spread: float, options: Mapping[str, Any]
) -> Request:
    """Return a checked request.

    Raises
    ------
    TypeError
        If an option is unknown to the process or is not a number where one is needed.
    ValueError
        If a value is outside of what is allowed; the message names it and the range.
    """
    sqrt_s = _within("sqrt_s", sqrt_s, 0.5, 1000.0, "GeV")
    known = known_options(process.name, process.options, options)
    pair = _pair(process, known)
    mass_min, mass_max = _masses(process, pair, sqrt_s, known)
    least, theta_gamma, theta, pt = _angles(process, known)
    _radiation(process, order, known)
    spread = _within("energy_spread", energy_spread, 0.0, _largest_spread(order, sqrt_s, mass_max), "GeV")
    limits = np.zeros(5)
    angular_limits(sqrt_s, least, theta_gamma, theta, limits)
    bhabha = process.matrix_element == "bhabha"
    region = Region(
        sqrt_s=sqrt_s,
        lepton_mass=pair.mass,
        lepton_cosine=float(limits[2]) if theta > 0.0 else 1.0,
        lepton_pt_min=pt if pt > 0.0 else -1.0,
        photon_near=float(limits[3]),
        photon_far=float(limits[4]) if theta_gamma < 0.5 * PI else 1.0,
        flat=0.01 if bhabha else 1.0,
        offset=0.002 if bhabha else 1.0,
        tilt=_LARGEST_TILT * math.sqrt(1.0 - float(limits[2]) ** 2) if bhabha else math.inf,
        narrow_width=_narrow_width(process, pair, mass_min, known),
    )
    known["energy_spread"] = spread
    return Request(pair, (mass_min, mass_max), (float(limits[0]), float(limits[1])), region, known)
