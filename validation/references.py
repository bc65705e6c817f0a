"""Packaged reference numbers, each file with its provenance in the first line."""

import csv
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray


@cache
def reference_table(name: str) -> MappingProxyType[str, NDArray[Any]]:
    """Return the columns of a packaged table: numbers where all entries are, nothing being NaN, or texts."""
    package = __package__.rpartition(".")[0]
    with resources.files(package).joinpath("data", f"{name}.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    columns: dict[str, NDArray[Any]] = {}
    for key in rows[0]:
        texts = [row[key] for row in rows]
        try:
            columns[key] = np.array([float(text) if text else np.nan for text in texts])
        except ValueError:
            columns[key] = np.array(texts)
        columns[key].flags.writeable = False
    return MappingProxyType(columns)
