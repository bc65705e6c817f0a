"""The verbs about limits that simulate nothing: `limit` of a user's spectrum, and `export`."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from .checks import check_output, check_output_folder
from .limit_options import SPECTRUM_OPTIONS
from .results import write_folder
from .verb import given_options, say

_PAPER_ONLY, _HUNT_ONLY = ("background", "leave_out"), ("half_width", "step")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def refuse_spectrum_options(options: argparse.Namespace) -> None:
    """Raise ValueError where an option of a spectrum without simulation is given without --resolution."""
    for name in given_options(options, SPECTRUM_OPTIONS):
        raise ValueError(f"{_option(name)}: allowed with --resolution only, which takes any spectrum as it is")


def limit_of_spectrum(options: argparse.Namespace) -> None:
    """Write limits from a spectrum with a given resolution and conversion."""
    from .analysis.curve import parse_curve
    from .analysis.table import write_table
    from .analysis.user_limits import bump_hunt_workspaces, counting_workspaces
    from .analysis.user_spectrum import Signal, read_spectrum_file

    given = given_options(options, SPECTRUM_OPTIONS)
    if fixed := given_options(options, ("card", "luminosity")):
        raise ValueError(f"{_option(next(iter(fixed)))}: nothing is simulated with --resolution")
    method = options.method or "paper"
    for name in _HUNT_ONLY if method == "paper" else _PAPER_ONLY:
        if name in given:
            raise ValueError(f"{_option(name)}: not an option of --method {method}")
    check_output(options.output, overwrite=options.overwrite)
    folder = given.get("pyhf")
    if folder is not None:
        check_output_folder(folder, overwrite=options.overwrite)
    spectra = read_spectrum_file(options.input, given.get("exclude", ()))
    conversion = given.get("conversion")
    signal = Signal(
        parse_curve("resolution", options.resolution, options.input),
        None if conversion is None else parse_curve("conversion", conversion, options.input),
        given.get("efficiency_error", 0.0),
    )
    signal.check()
    if folder is not None and conversion is None and len(spectra) > 1:
        raise ValueError("--pyhf: several channels have one strength of the signal only with --conversion")
    if method == "paper":
        table, counted = _paper(spectra, signal, given)
        name = f"paper, background {next(iter(counted.values())).background.model}"
    else:
        table, models = _hunt(spectra, signal, given)
        name = f"bump-hunt, {next(iter(models.values())).masses.size} masses"
    head = [f"spectrum {Path(options.input).name}, resolution {options.resolution}, conversion {conversion}"]
    write_table(options.output, table, [*head, f"method {name}, relative error of the signal {signal.error:g}"])
    if folder is not None:
        if method == "paper":
            _write_workspaces(folder, options, counting_workspaces(counted, signal.error))
        else:
            _write_workspaces(folder, options, bump_hunt_workspaces(list(models.values())[-1]))
    flagged = int(np.count_nonzero(table["flags"] != ""))
    say(options, f"{table['flags'].size} limits, method {name}, {flagged} flagged -> {options.output}")


def _paper(spectra: Any, signal: Any, given: dict[str, Any]) -> Any:
    from .analysis.bump_hunt.asymptotics import profile_convention
    from .analysis.limit import DELTA_90
    from .analysis.user_limits import count_bins

    if "cl" in given or "sides" in given:
        delta = profile_convention(given.get("cl", 0.90), sides=given.get("sides", 2)).delta
        if "delta" in given:
            raise ValueError("--delta and --cl or --sides say the same: give one of them")
    else:
        delta = given.get("delta", DELTA_90)
    own = {name: given[name] for name in ("background", "order", "leave_out") if name in given}
    return count_bins(spectra, signal, delta=delta, bounded="unbounded" not in given, **own)


def _hunt(spectra: Any, signal: Any, given: dict[str, Any]) -> Any:
    from .analysis.bump_hunt.asymptotics import CONVENTIONS, Convention, cls_convention, profile_convention
    from .analysis.user_limits import hunt_bumps

    if "delta" in given:
        raise ValueError("--delta: --method bump-hunt takes --cl and --sides")
    conventions: tuple[Convention, ...] = CONVENTIONS
    if {"cl", "sides", "unbounded"} & set(given):
        cl = given.get("cl", 0.90)
        bounded = "unbounded" not in given
        conventions = (profile_convention(cl, sides=given.get("sides", 2), bounded=bounded), cls_convention(cl))
    own = {name: given[name] for name in ("step", "half_width", "order") if name in given}
    return hunt_bumps(spectra, signal, conventions=conventions, **own)


def _write_workspaces(folder: str, options: argparse.Namespace, workspaces: Any) -> None:
    from .analysis.files.pyhf_workspace import write_workspaces

    def fill(empty: Path) -> None:
        write_workspaces(empty, workspaces)

    write_folder(Path(folder), options.overwrite, fill)


def export(options: argparse.Namespace) -> None:
    """Write the results of a search in another format."""
    target = check_output_folder(options.output, overwrite=options.overwrite)
    if options.format == "pyhf":
        from .analysis.files.search_workspaces import search_workspaces

        workspaces = search_workspaces(options.input)
        _write_workspaces(options.output, options, workspaces)
        say(options, f"{len(workspaces)} workspaces of {options.input} -> {target}")
        return
    from .analysis.files.hepdata import write_submission

    names: list[str] = []
    write_folder(
        target,
        options.overwrite,
        lambda empty: names.extend(
            write_submission(options.input, empty, sqrt_s=options.sqrt_s, luminosity=options.luminosity)
        ),
    )
    say(options, f"{len(names)} tables of {options.input} -> {target}")
