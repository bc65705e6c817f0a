"""Histograms of boost-histogram and hist as spectra: the JSON of the Unified Histogram Interface (UHI), schema 1.

https://uhi.readthedocs.io, "Serialization"; written by `json.dumps(histogram, default=uhi.io.json.default)`, read here
without these packages.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Floats
from .spectrum import ONE_CHANNEL, Bins, Spectrum

SCHEMA = 1


def read_histograms(path: str | Path) -> dict[str, Spectrum]:
    """Return the spectra of a UHI JSON file, by channel.

    The file holds one histogram, or several by name. A histogram has one axis of masses [GeV] (regular or variable)
    and may have one of channel names (category_str); without it the name of the histogram is that of the channel.
    Under- and overflow are left out. Raises ValueError that names file, histogram and entry: another schema, other
    axes, counts that are negative, not finite, or weighted (variances that are not the counts).
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: no JSON: {error}") from None
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path}: must hold a histogram, or several by name")
    found: dict[str, Spectrum] = {}
    for name, histogram in ({ONE_CHANNEL: content} if "axes" in content else content).items():
        place = f"{path}: histogram {name!r}" if "axes" not in content else f"{path}"
        for channel, spectrum in _spectra(place, str(name), histogram).items():
            if channel in found:
                raise ValueError(f"{place}: channel {channel!r} is there twice")
            found[channel] = spectrum
    return found


def _spectra(place: str, name: str, histogram: Any) -> dict[str, Spectrum]:
    if not isinstance(histogram, Mapping) or histogram.get("uhi_schema") != SCHEMA:
        version = histogram.get("uhi_schema") if isinstance(histogram, Mapping) else None
        raise ValueError(f"{place}: uhi_schema = {version!r}, must be {SCHEMA}")
    axes, storage = histogram.get("axes"), histogram.get("storage")
    if not isinstance(axes, list) or not isinstance(storage, Mapping):
        raise ValueError(f"{place}: axes or storage is missing")
    kinds = [axis.get("type") for axis in axes]
    masses = [i for i, kind in enumerate(kinds) if kind in ("regular", "variable")]
    names = [i for i, kind in enumerate(kinds) if kind == "category_str"]
    if len(masses) != 1 or len(masses) + len(names) != len(axes) or len(names) > 1:
        allowed = "one of masses (regular or variable) and at most one of channels (category_str)"
        raise ValueError(f"{place}: axes {', '.join(map(str, kinds))}, must be {allowed}")
    counts = _counts(place, axes, storage)
    axis = axes[masses[0]]
    edges = _edges(place, axis)
    bins = Bins(np.round(edges[:-1], 10), np.round(edges[1:], 10))
    first = int(bool(axis.get("underflow")))
    by_mass = np.moveaxis(counts, masses[0], 0)[first : first + edges.size - 1]
    channels = [str(one) for one in axes[names[0]]["categories"]] if names else [name]
    rows = by_mass.reshape(edges.size - 1, -1)
    return {channel: Spectrum(bins, rows[:, c].copy(), channel) for c, channel in enumerate(channels)}


def _edges(place: str, axis: Mapping[str, Any]) -> Floats:
    if axis.get("circular"):
        raise ValueError(f"{place}: the axis of masses is circular")
    if axis["type"] == "regular":
        edges = np.linspace(float(axis["lower"]), float(axis["upper"]), int(axis["bins"]) + 1)
    else:
        edges = np.asarray(axis["edges"], dtype=np.float64)
    if edges.size < 2 or not np.all(np.isfinite(edges)) or edges[0] < 0.0 or np.any(np.diff(edges) <= 0.0):
        raise ValueError(f"{place}: edges of the masses must be finite, >= 0 and ascending")
    return edges


def _length(axis: Mapping[str, Any]) -> int:
    if axis["type"] == "category_str":
        return len(axis["categories"]) + bool(axis.get("flow"))
    inner = int(axis["bins"]) if axis["type"] == "regular" else len(axis["edges"]) - 1
    return inner + bool(axis.get("underflow")) + bool(axis.get("overflow"))


def _counts(place: str, axes: list[Mapping[str, Any]], storage: Mapping[str, Any]) -> Floats:
    kind = storage.get("type")
    if kind not in ("int", "double", "weighted"):
        raise ValueError(f"{place}: storage of type {kind!r}, must be int, double, or weighted with weights of 1")
    shape = tuple(_length(axis) for axis in axes)

    def dense(name: str) -> Floats:
        values = storage.get(name, 0.0)
        if isinstance(values, str):
            raise ValueError(f"{place}: {name} are in another file, {values}; needed are numbers")
        full = np.zeros(shape)
        if "index" in storage:
            full[tuple(np.asarray(storage["index"], dtype=np.int64))] = values
            return full
        array = np.asarray(values, dtype=np.float64)
        if name in storage and array.shape != shape:
            raise ValueError(f"{place}: {name} of shape {array.shape}, its axes have {shape}")
        return full + array

    counts = dense("values")
    bad = ~(np.isfinite(counts) & (counts >= 0.0))
    if np.any(bad):
        raise ValueError(f"{place}: counts = {counts[bad][0]:g}, must be finite and >= 0")
    if kind == "weighted" and not np.array_equal(dense("variances"), counts):
        raise ValueError(f"{place}: a weighted histogram is not data: its variances must be its counts")
    return counts
