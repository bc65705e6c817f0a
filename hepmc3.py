"""HepMC3 text as pyhepmc parses it: raw events of a file, and the graph of their particles and vertices as columns.

The format: Buckley et al., Comput. Phys. Commun. 260 (2021) 107310, DOI 10.1016/j.cpc.2020.107310.
"""

import gzip
import io
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arrays import Floats, Ints

_PB_PER_NB = 1000.0
_BEGIN = b"HepMC::Asciiv3"
_END = b"HepMC::Asciiv3-END_EVENT_LISTING"


class RawEvent(NamedTuple):
    """One event in the units of the file; `gev` and `cm` are what a GeV and a cm are in them."""

    particles: NDArray[Any]
    vertices: NDArray[Any]
    links: tuple[NDArray[np.int32], NDArray[np.int32]]
    origin: tuple[float, float, float, float]
    weight: float
    gev: float
    cm: float
    cross_section: tuple[float, float]


class _Stream(io.RawIOBase):
    """The bytes of a file on their way to the parser: keeps their end, counts events, remembers a broken gzip."""

    def __init__(self, path: Path) -> None:
        file = path.open("rb")
        compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        self._file = file
        self._source: Any = gzip.GzipFile(fileobj=file) if compressed else file
        self.n_events = 0
        self.tail = b""
        self.failure = ""

    def readable(self) -> bool:
        """Return True, as the parser asks."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer and return the number of bytes; a damaged file ends where the damage begins."""
        try:
            data: bytes = self._source.read(len(buffer))
        except (EOFError, OSError, zlib.error) as error:
            self.failure = str(error)
            return 0
        self.n_events += (self.tail[-2:] + data).count(b"\nE ")
        self.tail = (self.tail + data)[-128:]
        buffer[: len(data)] = data
        return len(data)

    def head(self) -> bytes:
        """Return the first bytes, without taking them from the parser."""
        try:
            data: bytes = self._source.read(256)
            self._source.seek(0)
        except (EOFError, OSError, zlib.error) as error:
            self.failure = str(error)
            return b""
        return data

    def close(self) -> None:
        """Close the file."""
        self._source.close()
        self._file.close()
        super().close()


class WeightChoice:
    """Which of the weights of the events is taken: by name, by index, or the first."""

    def __init__(self, path: Path, wanted: str | int | None) -> None:
        self.path = path
        self.wanted = wanted
        self.name = ""
        self.index = 0
        self._n = -1

    def of(self, event: Any, number: int) -> float:
        """Return the weight of an event: 1 where the file has none and none was asked for."""
        values = event.weights
        if self._n < 0:
            self._n = len(values)
            self._decide(event)
        if len(values) != self._n:  # the parser also drops weights that are not numbers
            raise ValueError(f"{self.path}: event {number} has {len(values)} finite weights, the first has {self._n}")
        return float(values[self.index]) if len(values) else 1.0

    def _decide(self, event: Any) -> None:
        try:
            names = [str(name) for name in event.weight_names]
        except RuntimeError:  # none registered
            names = []
        wanted = self.wanted
        if isinstance(wanted, str):
            if wanted not in names:
                raise ValueError(f"{self.path}: weight = {wanted!r}, must be one of {', '.join(names) or '(no names)'}")
            wanted = names.index(wanted)
        elif wanted is not None and not 0 <= wanted < self._n:
            allowed = f"must be in 0 to {self._n - 1}" if self._n else "but the events have no weights"
            raise ValueError(f"{self.path}: weight = {wanted}, {allowed}")
        self.index = wanted or 0
        self.name = names[self.index] if self.index < len(names) else ""


def raw_events(path: Path, weight: WeightChoice) -> Iterator[RawEvent]:
    """Yield the events of a file, plain or gzipped.

    Raises
    ------
    FileNotFoundError, OSError
        If there is no such file, or it has no end.
    ValueError
        If it is not HepMC3, or an event cannot be parsed.
    """
    import pyhepmc

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        stream = _Stream(path)
    except OSError as error:
        raise OSError(f"{path}: cannot be read ({error.strerror})") from None
    setup = pyhepmc.Setup
    loud = setup.print_errors, setup.print_warnings, setup.debug_level
    setup.print_errors, setup.print_warnings, setup.debug_level = False, False, 0
    try:
        if _BEGIN not in stream.head():
            reason = stream.failure or f"no line {_BEGIN.decode()} at its begin"
            raise ValueError(f"{path}: neither HDF5 nor HepMC3 ({reason})")
        reader = pyhepmc.io.ReaderAscii(pyhepmc.io.pyiostream(stream, 1 << 16))
        n = 0
        while (event := reader.read()) is not None:
            yield _raw_event(event, pyhepmc.GenEventData(), weight, n)
            n += 1
        while stream.read(1 << 20):
            pass
        if stream.failure or not stream.tail.rstrip().endswith(_END):
            reason = stream.failure or f"no line {_END.decode()} at its end"
            raise OSError(f"{path}: cut off after {n} complete events ({reason})")
        if n != stream.n_events:
            raise ValueError(f"{path}: event {n} (counted from 0) of {stream.n_events} cannot be parsed")
    finally:
        stream.close()
        setup.print_errors, setup.print_warnings, setup.debug_level = loud


def _raw_event(event: Any, data: Any, weight: WeightChoice, number: int) -> RawEvent:
    event.write_data(data)
    origin = data.event_pos
    value = weight.of(event, number)
    return RawEvent(
        particles=data.particles,
        vertices=data.vertices,
        links=(data.links1, data.links2),
        origin=(origin.t, origin.x, origin.y, origin.z),
        weight=value,
        gev=1.0 if data.momentum_unit.name == "GEV" else 1000.0,
        cm=10.0 if data.length_unit.name == "MM" else 1.0,
        cross_section=_cross_section(event.cross_section, weight.index),
    )


def _cross_section(section: Any, index: int) -> tuple[float, float]:
    """Return value and error [nb] of a GenCrossSection (kept in pb), NaN where it has none for this weight."""
    try:
        value, error = section.xsec(index) / _PB_PER_NB, section.xsec_err(index) / _PB_PER_NB
    except (AttributeError, IndexError, RuntimeError, ValueError):
        return math.nan, math.nan
    return (value, error) if value > 0.0 else (math.nan, math.nan)


class Graph:
    """Particles and vertices of several events as columns; indices run over all events, -1 means none."""

    def __init__(self, events: list[RawEvent]) -> None:
        self.n_events = len(events)
        self.particles = np.concatenate([event.particles for event in events])
        self.vertices = np.concatenate([event.vertices for event in events])
        self.offsets = _offsets([len(event.particles) for event in events])
        self.event = np.repeat(np.arange(self.n_events), np.diff(self.offsets))
        self._gev = np.array([event.gev for event in events])
        self._cm = np.array([event.cm for event in events])
        self._origin = np.array([event.origin for event in events])
        n_vertices = _offsets([len(event.vertices) for event in events])
        self._event_of_vertex = np.repeat(np.arange(self.n_events), np.diff(n_vertices))
        # a link (particle, vertex) is one into a vertex, (vertex, particle) one out; ids are 1, 2, ... and -1, -2, ...
        one, two = (np.concatenate([event.links[k] for event in events]).astype(np.int64) for k in (0, 1))
        event = np.repeat(np.arange(self.n_events), [len(event.links[0]) for event in events])
        out = one < 0
        self.production = np.full(len(self.particles), -1)
        self.production[self.offsets[event[out]] + two[out] - 1] = n_vertices[event[out]] - one[out] - 1
        into = ~out[::-1]  # backwards, so that the first incoming particle is what stays
        event, one, two = event[::-1][into], one[::-1][into], two[::-1][into]
        self.incoming = np.full(len(self.vertices), -1)
        self.incoming[n_vertices[event] - two - 1] = self.offsets[event] + one - 1

    def momenta(self) -> Floats:
        """Return energy and momentum [GeV] of all particles, shape (4, n)."""
        momenta: Floats = np.stack([self.particles[name] for name in ("e", "px", "py", "pz")]) / self._gev[self.event]
        return momenta

    def places(self) -> Floats:
        """Return c t and place [cm] of production relative to the event's origin, shape (4, n).

        A vertex without a position stands where the particle that leads to it was produced.
        """
        own = np.stack([self.vertices[name] for name in ("t", "x", "y", "z")])
        above = _step(self.production, self.incoming)
        placed = _climb(np.arange(len(self.vertices)), above, np.any(own != 0.0, axis=0))
        origin = self._origin.T[:, self._event_of_vertex]
        relative = np.where(placed >= 0, own[:, placed] - origin, 0.0) / self._cm[self._event_of_vertex]
        return np.where(self.production >= 0, relative[:, self.production], 0.0)

    def parents(self, kept: NDArray[np.bool_]) -> Ints:
        """Return the nearest kept ancestor of each particle."""
        mother = _step(self.incoming, self.production)
        return _climb(mother, mother, kept)


def _offsets(lengths: list[int]) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _step(table: Ints, index: Ints) -> Ints:
    """Return table[index], -1 where the index is."""
    return np.where(index >= 0, table[index], -1)


def _climb(start: Ints, above: Ints, stop: NDArray[np.bool_]) -> Ints:
    """Follow `above` from `start` until a node of `stop` or the top, -1."""
    while np.any(moving := (start >= 0) & ~stop[start]):
        start = np.where(moving, above[start], start)
    return start
