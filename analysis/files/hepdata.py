"""Submissions to HEPData (https://www.hepdata.net): YAML tables and an archive, made and checked by hepdata_lib."""

import json
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...arrays import Floats
from .hepdata_tables import MASS, Dependent, HepTable, Source, search_tables

#: The archive that is uploaded, beside the tables it holds.
ARCHIVE = "submission.zip"
_DIGITS = 8
_EPOCH = (1980, 1, 1, 0, 0, 0)


def _library() -> Any:
    try:
        import hepdata_lib
    except ImportError:
        raise ValueError(
            "a submission to HEPData needs the package hepdata_lib: python3 -m pip install 'besfast[hepdata]'"
        ) from None
    return hepdata_lib


def _cell(value: float) -> float | str:
    """Return a value as HEPData shows it: a dash where there is none."""
    return "-" if math.isnan(value) else float(value) if math.isfinite(value) else "inf"


def _variable(library: Any, dependent: Dependent, table: HepTable) -> Any:
    variable = library.Variable(dependent.name, is_independent=False, is_binned=False, units=dependent.units)
    variable.zero_uncertainties_warning = False
    variable.digits = _DIGITS
    variable.values = [_cell(value) for value in dependent.values]
    if dependent.errors is not None:
        uncertainty = library.Uncertainty("total", is_symmetric=True)
        uncertainty.values = [
            float(error) if np.isfinite(error) and np.isfinite(value) else None
            for value, error in zip(dependent.values, dependent.errors)
        ]
        variable.add_uncertainty(uncertainty)
    for name, value, units in table.qualifiers:
        variable.add_qualifier(name, value, units)
    return variable


def _mass(library: Any, low: Floats, high: Floats) -> Any:
    binned = bool(np.any(high > low))
    variable = library.Variable(MASS, is_independent=True, is_binned=binned, units="GEV")
    variable.digits = _DIGITS
    variable.values = list(zip(low.tolist(), high.tolist())) if binned else low.tolist()
    return variable


def _table(library: Any, table: HepTable, source: Source) -> Any:
    made = library.Table(table.name)
    made.description, made.location = table.description, source.name
    made.keywords = {"observables": [table.observable]}
    if source.reaction is not None:
        made.keywords["reactions"] = [source.reaction]
    if source.sqrt_s is not None:
        made.keywords["cmenergies"] = [source.sqrt_s]
    made.add_variable(_mass(library, table.low, table.high))
    for dependent in table.dependents:
        made.add_variable(_variable(library, dependent, table))
    return made


def write_submission(
    path: str | Path, folder: str | Path, *, sqrt_s: float | None = None, luminosity: float | None = None
) -> list[str]:
    """Write what a search left as a submission to HEPData into an empty folder, and return the names of its tables.

    Parameters
    ----------
    path : str or Path
        Folder of a search (limits.csv, expected_limits.csv, spectra.csv, manifest.json), or a CSV of limits with
        method, delta and sidedness in every row.
    folder : str or Path
        Where submission.yaml, a YAML file per table and `submission.zip` of them are written.
    sqrt_s, luminosity : float, optional
        Centre-of-mass energy [GeV] and integrated luminosity [fb^-1] where the source does not say.

    Raises
    ------
    ValueError
        hepdata_lib is not installed, a column is missing, or the submission is not valid (the validator's words).
    """
    library = _library()
    source, tables = search_tables(path, sqrt_s, luminosity)
    folder = Path(folder)
    submission = library.Submission()
    made = [_table(library, table, source) for table in tables]
    header = {"comment": f"Search for a narrow state: {source.name}.", "data_license": submission.get_license()}
    names = ["submission.yaml"]
    # JSON is YAML too
    (folder / names[0]).write_text(f"---\n{json.dumps(header)}\n", encoding="utf-8")
    for table in made:
        table.write_output(str(folder))  # which appends to submission.yaml
        names.append(f"{table.name.lower().replace(' ', '_')}.yaml")
    _archive(folder, names)
    _check(folder / ARCHIVE)
    return [table.name for table in tables]


def _archive(folder: Path, names: Sequence[str]) -> None:
    """Write the archive without times, so that the same tables give the same file."""
    with zipfile.ZipFile(folder / ARCHIVE, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            content = (folder / name).read_text(encoding="utf-8")
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)


def _check(archive: Path) -> None:
    from hepdata_validator.full_submission_validator import FullSubmissionValidator

    validator = FullSubmissionValidator()
    if not validator.validate(archive=str(archive)):
        found = [str(message.message) for file in validator.get_messages() for message in validator.get_messages(file)]
        raise ValueError(f"{archive}: not a valid submission: {'; '.join(found)}")
