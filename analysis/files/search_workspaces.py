"""The counting experiments that a search left in its tables, as workspaces: one epsilon^2 in both channels."""

from pathlib import Path

from ...couplings import mixing_definition_factor, mixing_factor
from ..table import number, read_rows
from .pyhf_workspace import Counting, Workspace, counting_workspace

_NEEDED = (
    "mass_low", "mass_high", "n", "background", "background_error", "leverage", "n_b", "containment", "n_f",
    "delta_syst",
)  # fmt: skip
_WORDS = ("combination", "prediction", "epsilon_definition")


def search_workspaces(folder: str | Path) -> dict[float, Workspace]:
    """Return the workspace of every bin of a search by its centre [GeV], from the table limits.csv of its folder.

    Channels mumu and ee where the search has both, with the relative error of `joint`, else the one there is; the
    strength is epsilon^2. Raises ValueError that names file and line for missing columns and for numbers that are none.
    """
    path = Path(folder) / "limits.csv" if Path(folder).is_dir() else Path(folder)
    bins: dict[float, dict[str, dict[str, float]]] = {}
    for place, row in read_rows(path, (*_NEEDED, *_WORDS)):
        values = {name: number(place, name, row[name]) for name in _NEEDED}
        centre = round(0.5 * (values["mass_low"] + values["mass_high"]), 10)
        values["visible"] = (1.0 - float(row["absorbed"])) / float(
            mixing_definition_factor(centre, row["epsilon_definition"])
        )
        bins.setdefault(centre, {})[row["combination"]] = values
    if not bins:
        raise ValueError(f"{path}: no limits in it")
    found = {}
    for mass, combinations in bins.items():
        channels = [name for name in ("mumu", "ee") if name in combinations]
        if not channels:
            raise ValueError(f"{path}: neither mumu nor ee at {mass:g} GeV")
        shared = combinations["joint" if len(channels) == 2 and "joint" in combinations else channels[0]]
        experiments = [_experiment(name, mass, combinations[name]) for name in channels]
        found[mass] = counting_workspace(f"m = {mass:.10g} GeV, strength epsilon^2", experiments, shared["delta_syst"])
    return found


def _experiment(channel: str, mass: float, row: dict[str, float]) -> Counting:
    width = round(row["mass_high"] - row["mass_low"], 10)
    factor = float(mixing_factor(mass, row["n_f"], width))
    signal = row["visible"] * row["containment"] * row["n_b"] / factor
    return Counting(channel, row["n"], row["background"], row["background_error"], signal)
