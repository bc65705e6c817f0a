"""Tables as CSV: numbers that read back to the same bits, the file there whole or not at all; tables of users."""

import csv
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray


def write_table(path: str | Path, table: Mapping[str, ArrayLike], comments: Sequence[str] = ()) -> None:
    """Write columns of equal length under a header line, after lines of comments that start with #.

    Floats are written so that they read back exactly; infinite and undefined ones as inf and nan. The file appears
    under its name only when complete. Raises ValueError for columns of different lengths.
    """
    columns = {name: np.asarray(values) for name, values in table.items()}
    lengths = {name: values.size for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{path}: columns of different lengths, {lengths}")
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(temporary, "w", encoding="utf-8", newline="") as file:
            file.writelines(f"# {line}\n" for comment in comments for line in comment.splitlines())
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            # tolist gives Python numbers, whose text is the shortest that reads back exactly
            writer.writerows(zip(*(values.tolist() for values in columns.values()), strict=True))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def flag_words(checks: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.str_]:
    """Return for each row the names of the checks that are true, separated by spaces."""
    words = np.array([np.where(found, name, "") for name, found in checks.items()])
    return np.array([" ".join(word for word in column if word) for column in words.T])


def read_rows(path: str | Path, needed: Sequence[str] = ()) -> list[tuple[str, dict[str, str]]]:
    """Return the rows of a CSV file under a header line: the place "file:line" of each, and its fields by column.

    Lines that start with # are comments. Raises ValueError that names file and line for a needed column that is
    missing and for a row that is longer or shorter than the header.
    """
    with open(path, encoding="utf-8-sig", newline="") as lines:
        numbered = [(i, line) for i, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")]
    header, *body = csv.reader(line for _, line in numbered) if numbered else [[]]
    names = [name.strip() for name in header]
    missing = [name for name in needed if name not in names]
    if missing:
        raise ValueError(f"{path}: no column {', '.join(missing)}; needed are {', '.join(needed)}")
    rows = []
    for (number, _), fields in zip(numbered[1:], body, strict=True):
        place = f"{path}:{number}"
        if len(fields) != len(names):
            raise ValueError(f"{place}: {len(fields)} fields, the header has {len(names)}")
        rows.append((place, dict(zip(names, (field.strip() for field in fields), strict=True))))
    return rows


def number(place: str, name: str, text: str) -> float:
    """Return a field as a number >= 0, or raise ValueError that names its place."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{place}: {name} = {text!r}, must be a number") from None
    if not (math.isfinite(value) and value >= 0.0):
        raise ValueError(f"{place}: {name} = {text}, must be finite and >= 0")
    return value
