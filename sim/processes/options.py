"""Options of the generators: name, unit, sentence and what is allowed, in one table for Python and the command line."""

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Option:
    """One option of a process."""

    #: float, int, bool or str.
    kind: type
    #: Unit; empty for pure numbers, flags and texts.
    unit: str
    #: What it is, in a few words.
    sentence: str
    #: Interval of a number, such as "(0, 1]"; empty: any finite one.
    allowed: str = ""
    #: The allowed texts; empty: any.
    choices: tuple[str, ...] = ()
    #: Value where none is given; None: not applied, or chosen by the process.
    default: Any = None
    required: bool = False


#: The options of the built-in processes. A process of another package may have more.
OPTIONS: Mapping[str, Option] = MappingProxyType(
    {
        "mass_min": Option(float, "GeV", "lower edge of the mass of the pair"),
        "mass_max": Option(float, "GeV", "upper edge of the mass of the pair"),
        "theta_gamma_min": Option(float, "rad", "smallest angle of the photon from either beam", "[0, 1.5708)"),
        "theta_gamma_max": Option(float, "rad", "largest angle of the photon from either beam", "(0, 3.1416]"),
        "lepton_theta_min": Option(float, "rad", "smallest angle of both leptons from either beam", "[0, 1.5708)"),
        "lepton_pt_min": Option(float, "GeV/c", "smallest transverse momentum of both leptons", "[0, 1000]"),
        "mass": Option(float, "GeV", "mass of the new particle"),
        "epsilon": Option(float, "", "kinetic mixing of the dark photon", "(0, 1)"),
        "lepton": Option(str, "", "mu or e, where a process has both", choices=("mu", "e")),
        "vacuum_polarisation": Option(bool, "", "vacuum polarisation in the propagators (order ll)"),
        "resonances": Option(bool, "", "J/psi and psi(2S) in the amplitude (order ll)"),
        "final_state_radiation": Option(bool, "", "radiation of the final pair (order ll)"),
        "soft_cutoff": Option(float, "GeV", "additional photons softer than this are not written", "(0, 1]"),
        "energy_gamma_min": Option(float, "GeV", "smallest energy of the photons", "[0, 1000]"),
        "coupling": Option(float, "1/GeV", "coupling of the axion-like particle to two photons", "(0, 10]"),
        "decay_length": Option(float, "cm", "c tau of the new particle, in place of its coupling's", "[0, 1000000]"),
        "pdg": Option(int, "", "kind of particle, by its number"),
        "number": Option(int, "", "particles per event", "[1, 100]"),
        "spectrum": Option(str, "", "p, pt or log_p: what is flat", choices=("p", "pt", "log_p")),
        "p_min": Option(float, "GeV/c", "smallest momentum (or transverse one)", "(0, 1000]"),
        "p_max": Option(float, "GeV/c", "largest momentum (or transverse one)", "(0, 1000]"),
        "angle": Option(str, "", "cosine or theta: what is flat", choices=("cosine", "theta")),
        "theta_min": Option(float, "rad", "smallest polar angle", "[0, 3.1416]"),
        "theta_max": Option(float, "rad", "largest polar angle", "[0, 3.1416]"),
        "phi_min": Option(float, "rad", "smallest azimuth", "[-6.2832, 6.2832]"),
        "phi_max": Option(float, "rad", "largest azimuth", "[-6.2832, 6.2832]"),
    }
)


def choose(*names: str, **defaults: Any) -> Mapping[str, Option]:
    """Return options of the table by name, some with a default; `required` as a value marks one that must be given."""
    chosen = {}
    for name in [*names, *(name for name in defaults if name not in names)]:
        option = OPTIONS[name]
        if name in defaults:
            needed = defaults[name] is REQUIRED
            option = replace(option, required=needed, default=None if needed else defaults[name])
        chosen[name] = option
    return MappingProxyType(chosen)


#: Marks an option that must be given, see `choose`.
REQUIRED = object()


def known(process: str, options: Mapping[str, Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given values over the defaults; None means not given.

    Raises
    ------
    TypeError
        If a name is unknown to the process.
    ValueError
        If a required one is missing.
    """
    for name in given:
        if name not in options:
            raise TypeError(f"{process} has no option {name!r}, it takes {', '.join(options)}")
    values = {name: option.default for name, option in options.items() if option.default is not None}
    values |= {name: value for name, value in given.items() if value is not None}
    for name, option in options.items():
        if option.required and name not in values:
            raise ValueError(f"{process} needs the option {name}{option.unit and f' [{option.unit}]'}")
    return values


def check_options(process: str, options: Mapping[str, Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given values over the defaults, each checked by its kind, interval and choices.

    Raises
    ------
    TypeError
        If a name is unknown to the process or a value is of the wrong kind.
    ValueError
        If a required option is missing or a value is not allowed; the message names it and what is.
    """
    values = known(process, options, given)
    return {name: _checked(name, options[name], value) for name, value in values.items()}


def _checked(name: str, option: Option, value: Any) -> Any:
    if option.kind is bool:
        if not isinstance(value, bool):
            raise TypeError(f"{name} = {value!r}, must be True or False")
        return value
    if option.kind is str:
        if not isinstance(value, str):
            raise TypeError(f"{name} = {value!r}, must be a text")
        if option.choices and value not in option.choices:
            raise ValueError(f"{name} = {value!r}, must be one of {', '.join(map(repr, option.choices))}")
        return value
    allowed = f"in {option.allowed}{option.unit and ' ' + option.unit}" if option.allowed else "finite"
    whole = option.kind is int
    if isinstance(value, bool) or not isinstance(value, numbers.Integral if whole else numbers.Real):
        raise TypeError(f"{name} = {value!r}, must be {'an integer' if whole else 'a number'} {allowed}")
    if not math.isfinite(value) or (option.allowed and not _inside(float(value), option.allowed)):
        raise ValueError(f"{name} = {value}, must be {allowed}")
    return option.kind(value)


def _inside(value: float, allowed: str) -> bool:
    low, high = (float(text) for text in allowed[1:-1].split(","))
    above = value >= low if allowed[0] == "[" else value > low
    return bool(above and (value <= high if allowed[-1] == "]" else value < high))
