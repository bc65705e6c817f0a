"""What is checked at the border: records, the layout of files, names of outputs; a failure is one line."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .event import COLUMNS, RECORDS, SCALARS, SCHEMA_VERSION, TABLES, Column, Table

#: Columns that must be finite for the chain to go on; NaN has a meaning in others.
_FINITE_IN_ALL = ("weight", "event_sqrt_s")
_FINITE: dict[str, tuple[str, ...]] = {
    "TruthEvents": ("px", "py", "pz", "energy", "vx", "vy", "vz", "t"),
    "DetectorRecord": ("helix",),
}

#: The attribute `format` of a file.
FORMAT = "besfast"
_OFFSETS_SENTENCE = "Entries offsets[i]:offsets[i + 1] of this table belong to event i."


def check_output(path: str | Path, *, overwrite: bool) -> None:
    """Check that a file can be created.

    Raises
    ------
    FileExistsError
        If the file exists and must not be replaced.
    IsADirectoryError, FileNotFoundError
        If the name is that of a folder, or the folder it should stand in does not exist.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder, must be a file name")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path}: exists already; use --overwrite (overwrite=True) to replace it")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: the folder {path.parent} does not exist")


def check_output_folder(path: str | Path, *, overwrite: bool) -> Path:
    """Check that a folder of results can be created, and return its path.

    Raises
    ------
    FileExistsError
        If it exists and must not be replaced, or is a file.
    FileNotFoundError, PermissionError
        If the folder it should stand in does not exist or cannot be written.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise FileExistsError(f"{path}: is a file, must be the name of a folder")
    if path.is_dir() and not overwrite and any(path.iterdir()):
        raise FileExistsError(f"{path}: exists already; use --overwrite (overwrite=True) to replace it")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"{path}: the folder {path.parent} does not exist")
    if not os.access(path.absolute().parent, os.W_OK):
        raise PermissionError(f"{path}: the folder {path.parent} cannot be written")
    return path


def check_columns(record: Any, source: object) -> None:
    """Raise ValueError if a column has another dtype or shape than the schema says, or offsets are inconsistent."""
    kind = type(record).__name__
    rows: dict[str, int] = {"event": len(record.number)}
    for table in TABLES[kind]:
        if table.offsets:
            offsets = np.asarray(getattr(record, table.offsets))
            if offsets.dtype != np.int64 or offsets.shape != (rows["event"] + 1,):
                raise ValueError(f"{source}: {table.offsets} must be {rows['event'] + 1} int64 numbers")
            if offsets[0] != 0 or np.any(np.diff(offsets) < 0):
                raise ValueError(f"{source}: {table.offsets} must begin at 0 and never decrease")
            rows[table.name] = int(offsets[-1])
    for column in COLUMNS[kind]:
        values = np.asarray(getattr(record, column.name))
        wanted = (rows[column.table], *column.shape)
        if values.dtype != np.dtype(column.dtype) or values.shape != wanted:
            raise ValueError(
                f"{source}: column {column.name!r} has dtype {values.dtype} and shape {values.shape}, "
                f"must be {column.dtype} and {wanted}"
            )


def check_finite(record: Any, source: object) -> None:
    """Raise ValueError naming source, column, value and event number if a momentum or weight is not finite."""
    kind = type(record).__name__
    names = (*_FINITE_IN_ALL, *_FINITE.get(kind, ()))
    offsets = {table.name: table.offsets for table in TABLES[kind]}
    for column in COLUMNS[kind]:
        if column.name not in names:
            continue
        values = getattr(record, column.name)
        finite = np.isfinite(values)
        if finite.all():
            continue
        first = np.argwhere(~finite)[0]
        entry = int(first[0])
        if offsets[column.table]:
            entry = int(np.searchsorted(getattr(record, offsets[column.table]), entry, side="right")) - 1
        value = values[tuple(first)]
        raise ValueError(f"{source}: {column.name} = {value} in event {record.number[entry]}, must be finite")


def offsets_column(table: Table) -> Column:
    """Return the offsets of a table as one of its columns."""
    return Column(table.offsets, table.name, "i8", (), "", _OFFSETS_SENTENCE)


def columns_of(kind: str, table: Table) -> list[Column]:
    """Return the columns of one table."""
    return [column for column in COLUMNS[kind] if column.table == table.name]


def place(column: Column) -> str:
    """Return the name of a column in a file."""
    return f"{column.table}/{column.name}"


def stored_dtype(column: Column) -> Any:
    """Return the type of a column in a file, little-endian everywhere."""
    return np.dtype(column.dtype).newbyteorder("<")


class Layout(NamedTuple):
    """What a file holds: kind of record, rows per table, scalars."""

    kind: str
    rows: dict[str, int]
    scalars: dict[str, Any]

    @property
    def n_events(self) -> int:
        """Number of events."""
        return self.rows["event"]


def check_layout(file: Any, source: object) -> Layout:
    """Return the layout of an open file of columns.

    Raises
    ------
    ValueError
        If the file is not of this schema, or a scalar or column is missing, of another type or of another length.
    """
    attributes = file.attrs
    if attributes.get("format") != FORMAT or "kind" not in attributes:
        raise ValueError(f"{source}: not a file of besfast (attribute 'format' must be {FORMAT!r})")
    version = int(attributes.get("schema_version", 0))
    if version != SCHEMA_VERSION:
        raise ValueError(f"{source}: schema_version = {version}, this besfast reads {SCHEMA_VERSION}")
    kind = str(attributes["kind"])
    if kind not in RECORDS:
        raise ValueError(f"{source}: kind = {kind!r}, must be one of {', '.join(RECORDS)}")
    missing = [name for name in SCALARS if name not in attributes]
    if missing:
        raise ValueError(f"{source}: scalar {missing[0]!r} is missing")
    defaults = RECORDS[kind]._field_defaults
    scalars = {name: type(defaults[name])(attributes[name]) for name in SCALARS}
    rows: dict[str, int] = {}
    for column in COLUMNS[kind]:
        found = _check_dataset(file, column, source)
        _check_rows(column, found, rows.setdefault(column.table, found), source)
    for table in TABLES[kind]:
        if table.offsets:
            column = offsets_column(table)
            _check_rows(column, _check_dataset(file, column, source), rows["event"] + 1, source)
    return Layout(kind, rows, scalars)


def _check_rows(column: Column, found: int, expected: int, source: object) -> None:
    if found != expected:
        raise ValueError(f"{source}: column {place(column)!r} has {found} rows, must have {expected}")


def _check_dataset(file: Any, column: Column, source: object) -> int:
    name = place(column)
    dataset = file.get(name)
    if not hasattr(dataset, "dtype"):
        raise ValueError(f"{source}: column {name!r} is missing")
    if dataset.dtype != stored_dtype(column):
        raise ValueError(f"{source}: column {name!r} is of dtype {dataset.dtype}, must be {column.dtype}")
    if dataset.ndim != 1 + len(column.shape) or dataset.shape[1:] != column.shape:
        raise ValueError(f"{source}: column {name!r} has shape {dataset.shape}, must be {('n', *column.shape)}")
    return int(dataset.shape[0])


def check_offsets(column: Column, offsets: Any, start: int, layout: Layout, source: object) -> None:
    """Raise ValueError unless the offsets of events start, start + 1, ... lead from 0 to the rows of their table."""
    rows = layout.rows[column.table]
    stop = start + len(offsets) - 1
    wrong = np.flatnonzero((offsets[:-1] > offsets[1:]) | (offsets[:-1] < 0) | (offsets[1:] > rows))
    if wrong.size:
        raise ValueError(f"{source}: {place(column)!r} decreases or leaves its table at event {start + wrong[0]}")
    if (start == 0 and offsets[0] != 0) or (stop == layout.n_events and offsets[-1] != rows):
        raise ValueError(f"{source}: {place(column)!r} must run from 0 to the {rows} rows of its table")
