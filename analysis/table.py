"""Results as CSV: numbers that read back to the same bits, the file there whole or not at all."""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike


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
