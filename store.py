"""Records on disk: HDF5 files with one dataset per column.

Layout of a file (schema version 2): a group per table (`event`, `particle`, `track`, ...) with one dataset per column,
`(n,)` or `(n, k)`, and its offsets; attributes `unit`, `sentence` and `dtype` on every dataset; the scalars of the
sample, `format`, `kind` and `schema_version` as attributes of the file. Columns are stored as they are, lossless and
uncompressed: the digits of simulated doubles are noise, lossless codecs win a factor of 1.2 and cost a factor of 7.

The bytes of a file depend on its content alone: no time stamps, and rows go to disk in blocks of a fixed number of
events, however they were handed over. This is the only module that knows h5py.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import h5py
import numpy as np

from .checks import (
    FORMAT,
    Layout,
    check_columns,
    check_finite,
    check_layout,
    check_offsets,
    check_output,
    columns_of,
    offsets_column,
    place,
    stored_dtype,
)
from .event import (
    COLUMNS,
    RECORDS,
    SCALARS,
    SCHEMA_VERSION,
    TABLES,
    Column,
    Record,
    concatenate,
    empty_record,
    select_events,
)

#: Events written at a time and read at a time by default.
CHUNK = 65536
#: Rows of one HDF5 chunk (less in small files, so that ten events do not take megabytes).
_HDF5_ROWS = 16384
#: The file format of HDF5 1.10, whatever library writes it.
_LIBVER = ("v110", "v110")
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class Writer:
    """A file of records that grows chunk by chunk and appears under its name only when it is complete.

    Rows go to a hidden file beside `path` that takes its name at the end, or is removed if the `with` block fails.
    Memory stays below that of `CHUNK` events whatever is appended.

    Parameters
    ----------
    path
        File to write.
    kind
        Name of the record class: `"TruthEvents"`, `"DetectorRecord"`, ...
    overwrite
        Replace an existing file.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is false.
    OSError
        If the folder does not exist or cannot be written.
    ValueError
        If the kind is unknown.
    """

    _file: Any = None
    _unfinished = False

    def __init__(self, path: str | Path, kind: str, *, overwrite: bool = False) -> None:
        if kind not in RECORDS:
            raise ValueError(f"kind = {kind!r}, must be one of {', '.join(RECORDS)}")
        self.path = Path(path)
        self.kind = kind
        self.n_events = 0
        self._overwrite = overwrite
        self._scalars: dict[str, Any] = {name: RECORDS[kind]._field_defaults[name] for name in SCALARS}
        self._fixed: dict[str, Any] = {}
        self._pending: list[Any] = []
        self._entries: dict[str, int] = {}
        self._blocks = 0
        check_output(self.path, overwrite=overwrite)
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
        self._unfinished = True
        with _errors_of(self.path, "cannot be written"):
            self._file = h5py.File(self._temporary, "w", libver=_LIBVER)

    def append(self, record: Record) -> None:
        """Add events; the scalars of the last record appended are those of the file.

        Raises
        ------
        TypeError
            If the record is of another kind.
        ValueError
            If a column has another dtype or shape than the schema says, or the offsets are inconsistent.
        """
        if type(record).__name__ != self.kind:
            raise TypeError(f"{self.path}: a {type(record).__name__} was appended, must be {self.kind}")
        check_columns(record, self.path)
        self._scalars = {name: getattr(record, name) for name in SCALARS}
        n = len(record.number)
        self.n_events += n
        start = 0
        waiting = sum(len(part.number) for part in self._pending)
        while waiting + n - start >= CHUNK:
            stop = start + CHUNK - waiting
            self._pending.append(select_events(record, start, stop))
            self._write_pending()
            start, waiting = stop, 0
        if start < n:  # copied: the caller may reuse its columns
            self._pending.append(concatenate([select_events(record, start, n)]))

    def set_scalars(self, **scalars: Any) -> None:
        """Set scalars of the file that are known only at the end, such as `cross_section`."""
        unknown = sorted(set(scalars) - set(SCALARS))
        if unknown:
            raise ValueError(f"{self.path}: unknown scalar {unknown[0]!r}, must be one of {', '.join(SCALARS)}")
        self._fixed.update(scalars)

    def close(self) -> None:
        """Write what is left and give the file its name."""
        try:
            if self._pending or not self._blocks:
                self._write_pending()
            with _errors_of(self.path, "cannot be written"):
                attributes = self._file.attrs
                attributes["format"] = FORMAT
                attributes["kind"] = self.kind
                attributes["schema_version"] = SCHEMA_VERSION
                for name, value in (self._scalars | self._fixed).items():
                    attributes[name] = value
                self._file.close()
            check_output(self.path, overwrite=self._overwrite)
            with _errors_of(self.path, "cannot be written"):
                self._temporary.replace(self.path)
            self._unfinished = False
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Remove what was written."""
        self._unfinished = False
        if self._file is not None:
            self._file.close()
        self._temporary.unlink(missing_ok=True)

    def __del__(self) -> None:
        if self._unfinished:  # interrupted before a `with` block could take care of it
            self.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abort()

    def _write_pending(self) -> None:
        parts, self._pending = self._pending, []
        block = parts[0] if len(parts) == 1 else concatenate(parts) if parts else empty_record(self.kind)
        with _errors_of(self.path, "cannot be written"):
            if not self._blocks:
                self._create_datasets(block)
            for table in TABLES[self.kind]:
                if table.offsets:
                    offsets = getattr(block, table.offsets)
                    before = self._entries.get(table.name, 0)
                    self._extend(offsets_column(table), (offsets[1:] if self._blocks else offsets) + before)
                    self._entries[table.name] = before + int(offsets[-1])
                for column in columns_of(self.kind, table):
                    self._extend(column, getattr(block, column.name))
        self._blocks += 1

    def _create_datasets(self, block: Any) -> None:
        full = len(block.number) == CHUNK
        for table in TABLES[self.kind]:
            offsets = [offsets_column(table)] if table.offsets else []
            for column in [*offsets, *columns_of(self.kind, table)]:
                rows = _HDF5_ROWS if full else min(max(len(getattr(block, column.name)), 1), _HDF5_ROWS)
                dataset = self._file.create_dataset(
                    place(column),
                    shape=(0, *column.shape),
                    maxshape=(None, *column.shape),
                    chunks=(rows, *column.shape),
                    dtype=stored_dtype(column),
                    track_times=False,
                )
                dataset.attrs["unit"] = column.unit
                dataset.attrs["sentence"] = column.sentence
                dataset.attrs["dtype"] = column.dtype

    def _extend(self, column: Column, values: Any) -> None:
        if len(values):
            dataset = self._file[place(column)]
            before = dataset.shape[0]
            dataset.resize(before + len(values), axis=0)
            dataset[before:] = values


def write(path: str | Path, record: Record, *, overwrite: bool = False) -> None:
    """Write one record as a file; see `Writer` for what is raised."""
    with Writer(path, type(record).__name__, overwrite=overwrite) as writer:
        writer.append(record)


def read(path: str | Path) -> Record:
    """Return the whole file as one record, bit for bit what was written.

    Raises
    ------
    FileNotFoundError, OSError
        If there is no such file, or it is not a complete HDF5 file.
    ValueError
        If the file is not of this schema, a column is missing or of another type, the offsets are inconsistent, or a
        momentum is not finite.
    """
    with _Reader(path) as reader:
        return reader.events(0, reader.layout.n_events)


def iterate(path: str | Path, chunk: int = CHUNK) -> Iterator[Record]:
    """Yield the events of a file, `chunk` at a time, each with the scalars of the file; one empty record if none."""
    if chunk < 1:
        raise ValueError(f"chunk = {chunk}, must be at least 1")
    with _Reader(path) as reader:
        for start in range(0, max(reader.layout.n_events, 1), chunk):
            yield reader.events(start, min(start + chunk, reader.layout.n_events))


def n_events(path: str | Path) -> int:
    """Return the number of events of a file."""
    with _Reader(path) as reader:
        return reader.layout.n_events


def kind(path: str | Path) -> str:
    """Return the kind of the record in a file: TruthEvents, DetectorRecord, ..."""
    with _Reader(path) as reader:
        return reader.layout.kind


def is_hdf5(path: str | Path) -> bool:
    """Return whether a file begins as HDF5 files do."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    with _errors_of(path, "cannot be read"), path.open("rb") as stream:
        return stream.read(len(_SIGNATURE)) == _SIGNATURE


class ColumnEntry(NamedTuple):
    """A column of a file and its number of entries."""

    table: str
    name: str
    dtype: str
    shape: tuple[int, ...]
    unit: str
    sentence: str
    entries: int


class Description(NamedTuple):
    """What `besfast inspect` shows of a file."""

    kind: str
    schema_version: int
    n_events: int
    entries: dict[str, int]
    columns: list[ColumnEntry]
    scalars: dict[str, Any]
    provenance: list[Any]
    sum_of_weights: float
    n_eff: float


def describe(path: str | Path) -> Description:
    """Return columns, scalars and provenance of a file, with n_eff = (sum w)^2 / sum w^2 of its event weights."""
    with _Reader(path) as reader:
        layout = reader.layout
        total = squares = 0.0
        for start in range(0, layout.n_events, CHUNK):
            weights = reader.file["event/weight"][start : start + CHUNK]
            total += float(weights.sum())
            squares += float((weights * weights).sum())
    return Description(
        kind=layout.kind,
        schema_version=SCHEMA_VERSION,
        n_events=layout.n_events,
        entries=layout.rows,
        columns=[
            ColumnEntry(c.table, c.name, c.dtype, c.shape, c.unit, c.sentence, layout.rows[c.table])
            for c in COLUMNS[layout.kind]
        ],
        scalars=layout.scalars,
        provenance=json.loads(layout.scalars["provenance"]),
        sum_of_weights=total,
        n_eff=total * total / squares if squares > 0.0 else 0.0,
    )


class _Reader:
    """An open file whose layout has been checked."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not is_hdf5(path):
            raise OSError(f"{path}: not an HDF5 file")
        with _errors_of(self.path, "damaged or truncated HDF5 file"):
            self.file = h5py.File(self.path, "r")
        try:
            with _errors_of(self.path, "damaged or truncated HDF5 file"):
                self.layout: Layout = check_layout(self.file, self.path)
        except BaseException:
            self.file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def events(self, start: int, stop: int) -> Record:
        """Return events start:stop as a record."""
        parts: dict[str, Any] = dict(self.layout.scalars)
        with _errors_of(self.path, "damaged or truncated HDF5 file"):
            for table in TABLES[self.layout.kind]:
                low, high = start, stop
                if table.offsets:
                    column = offsets_column(table)
                    offsets = self.file[place(column)][start : stop + 1].astype(np.int64)
                    check_offsets(column, offsets, start, self.layout, self.path)
                    low, high = int(offsets[0]), int(offsets[-1])
                    parts[table.offsets] = offsets - low
                for column in columns_of(self.layout.kind, table):
                    values = self.file[place(column)][low:high].astype(column.dtype, copy=False)
                    parts[column.name] = np.asfortranarray(values)
        record = RECORDS[self.layout.kind](**parts)
        check_finite(record, self.path)
        return record


@contextlib.contextmanager
def _errors_of(path: Path, what: str) -> Iterator[None]:
    """Turn whatever the HDF5 library or the system says into one line that names the file."""
    try:
        yield
    except FileExistsError:
        raise
    except (OSError, RuntimeError, KeyError) as error:
        raise OSError(f"{path}: {what} ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    """Return what went wrong, out of the many words of the HDF5 library."""
    text = getattr(error, "strerror", None) or str(error).splitlines()[0]
    inner = re.search(r"error message = '([^']*)'", text) or re.search(r"\((.*)\)$", text)
    return inner[1] if inner else text
