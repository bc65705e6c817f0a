"""HepMC3 text as pyhepmc parses it: the events of a file, and their particles and vertices as columns.

The format: Buckley et al., Comput. Phys. Commun. 260 (2021) 107310, DOI 10.1016/j.cpc.2020.107310. Lengths are in mm or
cm, times are lengths c t, cross sections are in pb. In files of this package (a run attribute `besfast`) numbers and
processes of the events are those that were written; in others events are numbered in the order of the file, since the
numbers a generator writes are not always those of a sequence.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Ints
from .external import BEAM, Columns, beam_columns, climb
from .header import NAME, Header
from .read_options import ReadOptions, WeightChoice
from .streams import BrokenEventError, CutFileError, Source

PB_PER_NB = 1000.0
BEGIN = b"HepMC::Asciiv3"
END = b"HepMC::Asciiv3-END_EVENT_LISTING"
#: Event attribute with the index of the process in files of this package; 0 where it is missing.
PROCESS = "signal_process_id"


class RawEvent(NamedTuple):
    """One event in the units of the file; `gev` and `cm` are what a GeV and a cm are in them."""

    number: int
    process: int
    particles: NDArray[Any]
    vertices: NDArray[Any]
    links: tuple[NDArray[np.int32], NDArray[np.int32]]
    origin: tuple[float, float, float, float]
    weights: list[float]
    gev: float
    cm: float
    cross_section: tuple[float, float]


class Hepmc3File:
    """A HepMC3 file, plain or compressed."""

    weight_unit = 1.0

    def __init__(self, path: Path, options: ReadOptions) -> None:
        if options.beams != "event":
            raise ValueError(f"{path}: beams = {options.beams!r} is for LHE files, HepMC3 has beams in each event only")
        self.path = path
        self.weight = WeightChoice(path, options.weight)
        self.header: Header | None = None
        self.processes = "external"
        self.nominal_sqrt_s = math.nan

    @property
    def step(self) -> dict[str, Any]:
        """What the provenance says of the reading of this format."""
        return {"step": "read_hepmc3"}

    def events(self) -> Iterator[RawEvent]:
        """Yield the events of the file.

        An event is let go when what follows shows that its last line was complete.

        Raises
        ------
        FileNotFoundError, CutFileError
            If there is no such file, or it has no end.
        ValueError, BrokenEventError
            If it is not HepMC3, or an event cannot be parsed.
        """
        import pyhepmc

        stream = Source(self.path, b"\nE ")
        setup = pyhepmc.Setup
        loud = setup.print_errors, setup.print_warnings, setup.debug_level
        setup.print_errors, setup.print_warnings, setup.debug_level = False, False, 0
        try:
            if BEGIN not in stream.head():
                reason = stream.failure or f"no line {BEGIN.decode()} at its begin"
                raise ValueError(f"{self.path}: neither HDF5 nor HepMC3 nor LHE ({reason})")
            reader = pyhepmc.io.ReaderAscii(pyhepmc.io.pyiostream(stream, 1 << 16))
            n, last, reason = 0, None, ""
            while True:
                try:
                    event = reader.read()
                except RuntimeError as error:  # what the parser throws rather than counts as failed
                    event, reason = None, str(error)
                if last is not None and event is not None:
                    yield last
                if event is None:
                    break
                last = self._raw_event(event, pyhepmc.GenEventData(), n)
                n += 1
            stream.drain()
            cut = bool(stream.failure) or not stream.tail.rstrip().endswith(END)
            if n and cut and n == stream.n_markers and not stream.tail.endswith(b"\n"):
                n, last = n - 1, None  # its last number may lack digits
            if last is not None:
                yield last
            if cut:
                reason = stream.failure or f"no line {END.decode()} at its end"
                raise CutFileError(f"{self.path}: cut off after {n} complete events ({reason})", n)
            if n != stream.n_markers:
                text = f"event {n} (counted from 0) of {stream.n_markers} cannot be parsed"
                raise BrokenEventError(f"{self.path}: {text}{f' ({reason})' if reason else ''}", n)
        finally:
            stream.close()
            setup.print_errors, setup.print_warnings, setup.debug_level = loud

    def _raw_event(self, event: Any, data: Any, row: int) -> RawEvent:
        event.write_data(data)
        weights = list(event.weights)
        if not row:
            self._begin(event, len(weights))
        if len(weights) != self.weight.n:  # the parser drops weights that are not numbers
            raise ValueError(
                f"{self.path}: event {row} has {len(weights)} finite weights, the first has {self.weight.n}"
            )
        origin = data.event_pos
        return RawEvent(
            number=event.event_number if self.header else row,
            process=self._process(event, row) if self.header else 0,
            particles=data.particles,
            vertices=data.vertices,
            links=(data.links1, data.links2),
            origin=(origin.t, origin.x, origin.y, origin.z),
            weights=weights,
            gev=1.0 if data.momentum_unit.name == "GEV" else 1000.0,
            cm=10.0 if data.length_unit.name == "MM" else 1.0,
            cross_section=_cross_section(event.cross_section, self.weight.index),
        )

    def _begin(self, event: Any, n_weights: int) -> None:
        """Take what the run says of all events."""
        try:
            names = [str(name) for name in event.weight_names]
        except RuntimeError:  # none registered
            names = []
        self.weight.decide(names, n_weights)
        if event.run_info is not None and NAME in event.run_info.attributes:
            text = event.run_info.attributes[NAME]
            self.header = Header.from_json(text if isinstance(text, str) else text.astype(str), self.path)
            self.processes = self.header.processes
            self.nominal_sqrt_s = self.header.sqrt_s

    def _process(self, event: Any, row: int) -> int:
        if PROCESS not in event.attributes:
            return 0
        value = event.attributes[PROCESS]
        return int(value if isinstance(value, int) else value.astype(int))

    def columns(self, events: list[RawEvent]) -> Columns:
        """Return events as columns."""
        graph = Graph(events, self.path)
        momenta, pdg = graph.momenta(), graph.particles["pid"].astype(np.int64)
        status = graph.particles["status"].astype(np.int64)
        particles = graph.event, pdg, momenta
        beam_pdg, beam_momenta = beam_columns(particles, status == BEAM, graph.number, "beams (status 4)", self.path)
        return Columns(
            number=graph.number,
            process=np.array([event.process for event in events], dtype=np.int32),
            offsets=graph.offsets,
            pdg=pdg,
            status=status,
            mother=_step(graph.incoming, graph.production),
            momenta=momenta,
            places=graph.places(),
            beam_pdg=beam_pdg,
            beam_momenta=beam_momenta,
            weights=np.array([event.weights for event in events]).reshape(len(events), self.weight.n),
            cross_section=events[-1].cross_section,
        )


def _cross_section(section: Any, index: int) -> tuple[float, float]:
    """Return value and error [nb] of a GenCrossSection (kept in pb), NaN where it has none for this weight."""
    try:
        value, error = section.xsec(index) / PB_PER_NB, section.xsec_err(index) / PB_PER_NB
    except (AttributeError, IndexError, RuntimeError, ValueError):
        return math.nan, math.nan
    return (value, error) if value > 0.0 else (math.nan, math.nan)


class Graph:
    """Particles and vertices of several events as columns; indices run over all events, -1 means none."""

    def __init__(self, events: list[RawEvent], path: Path) -> None:
        self.path = path
        self.n_events = len(events)
        self.number = np.array([event.number for event in events], dtype=np.int64)
        self.particles = _joined([event.particles for event in events])
        self.vertices = _joined([event.vertices for event in events])
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
        above, row = _step(self.production, self.incoming), self._event_of_vertex
        start = np.arange(len(self.vertices))
        placed = climb(start, above, np.any(own != 0.0, axis=0), row, self.number, self.path)
        relative = np.where(placed >= 0, own[:, placed] - self._origin.T[:, row], 0.0) / self._cm[row]
        return np.where(self.production >= 0, relative[:, self.production], 0.0)


def _joined(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    """Return structured arrays end to end; numpy's own way looks at every field of every array."""
    return np.frombuffer(b"".join([array.tobytes() for array in arrays]), dtype=arrays[0].dtype)


def _offsets(lengths: list[int]) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _step(table: Ints, index: Ints) -> Ints:
    """Return table[index], -1 where the index is."""
    return np.where(index >= 0, table[index], -1)
