"""What of a finished search goes to HEPData: its limits, spectra and corrections, as tables with their conventions."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from ...arrays import Floats
from ...geometry.card import load_card
from ..table import read_rows

#: Independent variable of all tables.
MASS = "M"
#: Columns of tables of limits, with their names at HEPData and units.
_LIMITS = {
    "n": ("Events", ""),
    "background": ("Expected background", ""),
    "n_up": ("Upper limit on signal events in the bin", ""),
    "yield_up": ("Upper limit on signal events", ""),
    "epsilon2_up": ("Upper limit on epsilon^2", ""),
    "epsilon_up": ("Upper limit on epsilon", ""),
    "best": ("Most probable {quantity} of the signal", ""),
    "upper": ("Upper limit on the {quantity} of the signal", ""),
    "expected_minus_2": ("Expected upper limit, -2 s.d.", ""),
    "expected_minus_1": ("Expected upper limit, -1 s.d.", ""),
    "expected": ("Expected upper limit, median", ""),
    "expected_plus_1": ("Expected upper limit, +1 s.d.", ""),
    "expected_plus_2": ("Expected upper limit, +2 s.d.", ""),
    "significance": ("Local significance, statistical error of the counts", ""),
    "pull": ("Local significance", ""),
    "z": ("Local significance, signed", ""),
    "p0": ("Local p-value without signal", ""),
}
_EXPECTED_LIMITS = {
    "epsilon2_up": ("Expected upper limit on epsilon^2, median", ""),
    "epsilon_up": ("Expected upper limit on epsilon, median", ""),
}
_ERRORS = {"background": "background_error", "best": "best_error"}
_CORRECTIONS = {
    "annihilation_fraction": ("Annihilation over all lepton pairs", ""),
    "containment": ("Signal contained in the bin of its mass", ""),
    "mass_resolution": ("Mass resolution, half the central 68 %", "GEV"),
}

Rows = list[dict[str, str]]


class Dependent(NamedTuple):
    """A measured quantity by mass: NaN where there is none, with absolute errors or without."""

    name: str
    units: str
    values: Floats
    errors: Floats | None = None


class HepTable(NamedTuple):
    """A table: masses (equal low and high: points), what was measured there, and under which conventions."""

    name: str
    description: str
    low: Floats
    high: Floats
    dependents: list[Dependent]
    qualifiers: list[tuple[str, Any, str]]
    observable: str


class Source(NamedTuple):
    """What was exported, and the conditions of the data and the reaction; None where they are not known."""

    name: str
    sqrt_s: float | None
    luminosity: float | None
    reaction: str | None = None

    def qualifiers(self) -> list[tuple[str, Any, str]]:
        """Return the conditions of the data as qualifiers (name, value, units)."""
        known = [("SQRT(S)", self.sqrt_s, "GEV"), ("LUMINOSITY", self.luminosity, "FB^-1")]
        return [one for one in known if one[1] is not None]


def search_tables(
    path: str | Path, sqrt_s: float | None = None, luminosity: float | None = None
) -> tuple[Source, list[HepTable]]:
    """Return the tables of the folder of a search, or of a table of limits (CSV).

    A folder gives limits, spectra and corrections, luminosity and beam energy as well (from its card) unless they are
    given. Raises ValueError naming the file for missing columns, FileNotFoundError for a missing file.
    """
    path = Path(path)
    if not path.is_dir():
        source = Source(path.stem, sqrt_s, luminosity)
        return source, _limit_tables(path, None, source)
    manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    if sqrt_s is None:
        sqrt_s = load_card(manifest["card"]).beam.sqrt_s
    luminosity = manifest["luminosity_fb"] if luminosity is None else luminosity
    name = f"{manifest['search']}, pseudo-data {manifest['pseudo_data']}"
    source = Source(name, sqrt_s, luminosity, "E+ E- --> LEPTON+ LEPTON- GAMMA")
    expected = path / "expected_limits.csv"
    tables = _limit_tables(path / "limits.csv", expected if expected.exists() else None, source)
    if (path / "spectra.csv").exists():
        tables += _spectra_tables(path / "spectra.csv", source)
    return source, tables


def _column(rows: Rows, name: str) -> Floats:
    return np.array([float(row[name]) if row[name] else math.nan for row in rows])


def _masses(rows: Rows) -> tuple[Floats, Floats]:
    if "mass_low" in rows[0]:
        return _column(rows, "mass_low"), _column(rows, "mass_high")
    return _column(rows, "mass"), _column(rows, "mass")


def _grouped(path: Path, needed: Sequence[str], by: Sequence[str]) -> dict[tuple[str, ...], Rows]:
    groups: dict[tuple[str, ...], Rows] = {}
    for _, row in read_rows(path, needed):
        groups.setdefault(tuple(row[name] for name in by), []).append(row)
    if not groups:
        raise ValueError(f"{path}: no rows in it")
    if not ("mass" in row or {"mass_low", "mass_high"} <= set(row)):
        raise ValueError(f"{path}: no column mass, or mass_low and mass_high")
    return groups


def _confidence(sidedness: str, delta: float) -> float:
    """Return the confidence in per cent: of the interval q <= delta, or of a CLs limit, whose words end in it."""
    if math.isnan(delta):
        return float(sidedness.split()[-2])
    return round(100.0 * float(special.erf(math.sqrt(0.5 * delta))), 3)


def _dependents(rows: Rows, columns: dict[str, tuple[str, str]]) -> list[Dependent]:
    quantity = rows[0].get("quantity", "")
    found = []
    for column, (name, units) in columns.items():
        if column in rows[0]:
            errors = _column(rows, _ERRORS[column]) if _ERRORS.get(column, "") in rows[0] else None
            found.append(Dependent(name.format(quantity=quantity), units, _column(rows, column), errors))
    return found


def _limit_tables(path: Path, expected: Path | None, source: Source) -> list[HepTable]:
    by = ("combination", "method", "delta", "sidedness")
    groups = _grouped(path, by, by)
    others = {} if expected is None else _grouped(expected, by, by)
    tables: list[HepTable] = []
    for key, rows in groups.items():
        combination, method, delta, sidedness = key
        dependents = _dependents(rows, _LIMITS)
        if len(others.get(key, [])) == len(rows):
            dependents += _dependents(others[key], _EXPECTED_LIMITS)
        kind = "" if sum(1 for other in groups if other[0] == combination) == 1 else f" {len(tables) + 1}"
        value = float(delta)
        conventions: list[tuple[str, Any, str]] = [
            ("CL", _confidence(sidedness, value), "%"),
            ("METHOD", method, ""),
            ("DELTA(-2 LN L)", "none" if math.isnan(value) else value, ""),
            ("SIDEDNESS", sidedness, ""),
            ("COMBINATION", combination, ""),
        ]
        description = f"Limits by mass, combination {combination}: {method}, {sidedness}."
        low, high = _masses(rows)
        tables.append(
            HepTable(
                f"Limits {combination}{kind}", description, low, high, dependents,
                [*source.qualifiers(), *conventions], "CLS" if math.isnan(value) else "UPPER LIMIT",
            )
        )  # fmt: skip
    return tables


def _spectra_tables(path: Path, source: Source) -> list[HepTable]:
    groups = _grouped(path, ("channel", "n", "background", "background_error"), ("channel",))
    tables = []
    for (channel,), rows in groups.items():
        low, high = _masses(rows)
        final = [*source.qualifiers(), ("CHANNEL", channel, "")]
        spectrum = [
            Dependent("Events", "", _column(rows, "n")),
            Dependent("Predicted background", "", _column(rows, "background"), _column(rows, "background_error")),
        ]
        text = f"Spectrum of the {channel} channel, and the background that the other bins predict for each."
        tables.append(HepTable(f"Spectrum {channel}", text, low, high, spectrum, final, "N"))
        corrections = [
            Dependent(
                name, units, _column(rows, column),
                _column(rows, f"{column}_error") if f"{column}_error" in rows[0] else None,
            )
            for column, (name, units) in _CORRECTIONS.items() if column in rows[0]
        ]  # fmt: skip
        if corrections:
            text = f"Efficiencies and corrections of the {channel} channel, from simulation."
            tables.append(HepTable(f"Corrections {channel}", text, low, high, corrections, final, "EFF"))
    return tables
