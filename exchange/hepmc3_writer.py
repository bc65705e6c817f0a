"""Truth events as HepMC3 text (Asciiv3), every number with the 17 digits that make a double exact.

Momenta are in GeV, lengths in cm, times are lengths c t in cm: all columns come back bit for bit, but for times, which
lose up to one unit in the last place by the factor c. Each event has one vertex where the beams meet; children leave
from the end of their parent. Where children of one parent, or particles without one, are produced away from each other,
entries of documentation (status 3) lead from the one vertex that HepMC3 allows to the others. The cross section stands
in each event (GenCrossSection, pb); scalars and provenance stand in the run attribute `besfast`.
"""

import re
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from ..constants import M_E, C
from ..event import Floats, TruthEvents
from .external import BEAM, DOCUMENTATION
from .header import NAME, Header
from .hepmc3 import BEGIN, END, PB_PER_NB, PROCESS
from .text_writer import TextWriter, beam_momentum, masses

#: PDG numbers 81 to 100 are left to the generators' own purposes; this one stands for whatever led to a vertex.
_CARRIER = 99
_LARGEST_NUMBER = 2**31 - 1
_PARTICLE = "P %d %d %d %.16e %.16e %.16e %.16e %.16e %d\n"
_PLACE = " @ %.16e %.16e %.16e %.16e"
_HERE = (0.0, 0.0, 0.0, 0.0)


class Hepmc3Writer(TextWriter):
    """A HepMC3 file that grows chunk by chunk and appears under its name only when it is complete."""

    def _text(self, truth: TruthEvents, weights: Floats) -> bytes:
        over = np.flatnonzero(np.abs(truth.number) > _LARGEST_NUMBER)
        if over.size:
            raise ValueError(f"{self.path}: number = {truth.number[over[0]]}, HepMC3 keeps those below 2**31")
        section = ""
        if np.isfinite(truth.cross_section):
            value, error = truth.cross_section * PB_PER_NB, np.nan_to_num(truth.cross_section_error) * PB_PER_NB
            section = f"A 0 GenCrossSection {value:.16e} {error:.16e} -1 -1\n"
        places = list(zip(*(column.tolist() for column in (truth.vx, truth.vy, truth.vz, truth.t * C))))
        columns = (truth.pdg, truth.px, truth.py, truth.pz, truth.energy, masses(truth), truth.status)
        particles = list(zip(*(column.tolist() for column in columns)))
        parents, offsets = truth.parent.tolist(), truth.offsets.tolist()
        momentum = beam_momentum(truth).tolist()
        texts = []
        for e, (number, sqrt_s, process) in enumerate(
            zip(truth.number.tolist(), truth.event_sqrt_s.tolist(), truth.process.tolist())
        ):
            event = slice(offsets[e], offsets[e + 1])
            graph = _Graph(particles[event], parents[event], places[event])
            if graph.acausal >= 0:
                raise ValueError(
                    f"{self.path}: particle {graph.acausal} of event {number} is produced at the origin, its parent is "
                    "not: HepMC3 has no way to say so"
                )
            label = f"A 0 {PROCESS} {process}\n" if process else ""
            weight = " ".join(f"{w:.16e}" for w in weights[e].tolist())
            texts.append(
                f"E {number} {graph.n_vertices} {graph.n_particles}\nU GEV CM\nW {weight}\n{section}{label}"
                + _PARTICLE % (1, 0, 11, 0.0, 0.0, momentum[e], 0.5 * sqrt_s, M_E, BEAM)
                + _PARTICLE % (2, 0, -11, 0.0, 0.0, -momentum[e], 0.5 * sqrt_s, M_E, BEAM)
                + "".join(graph.lines)
            )
        return "".join(texts).encode()

    def _head(self, last: TruthEvents, names: list[str]) -> bytes:
        labels = [re.sub(r"[\s\\|]+", "_", name) for name in names]  # the parser divides names at spaces
        header = Header.of(last, labels[0]).to_json().replace("\\", "\\\\")
        lines = (
            "HepMC::Version 3.02.05",
            f"{BEGIN.decode()}-START_EVENT_LISTING",
            "W " + "\\|".join(labels),
            f"T {NAME}\\|{package_version()}\\|fast simulation for e+e- colliders",
            f"A {NAME} {header}",
        )
        return ("\n".join(lines) + "\n").encode()

    def _end(self) -> bytes:
        return END + b"\n\n"


def package_version() -> str:
    """Return the version of this package, for the heads of files."""
    try:
        return version("besfast")
    except PackageNotFoundError:  # run from its sources
        return "unknown"


class _Graph:
    """Vertices and particles of one event as lines; particles have the ids 3, 4, ... after the beams."""

    def __init__(self, particles: list[tuple[Any, ...]], parents: list[int], places: list[tuple[float, ...]]) -> None:
        self.acausal = -1
        self.lines = ["V -1 0 [1,2]\n"]
        self._n = len(particles)
        self._vertices: dict[tuple[Any, ...], int] = {(-1, *_HERE): 1}
        self._ends = {-1: 1}
        self._carriers: list[tuple[int, int]] = []
        here = {parent for parent, place in zip(parents, places) if place == _HERE}
        members: dict[int, list[int]] = {}
        for k, (particle, parent, place) in enumerate(zip(particles, parents, places)):
            if parent >= 0 and place == _HERE and places[parent] != _HERE:
                self.acausal = k
            key = (parent, *place)
            vertex = self._vertices.get(key)
            if vertex is None:
                if place != _HERE and parent in here and parent not in self._ends:
                    self._add((parent, *_HERE))  # a vertex without position must not follow a displaced one
                vertex = self._add(key)
            if vertex > 1:
                members.setdefault(vertex, []).append(k)
            pdg, px, py, pz, energy, mass, status = particle
            self.lines.append(_PARTICLE % (k + 3, -vertex, pdg, px, py, pz, energy, mass, status))
        for j, (source, vertex) in enumerate(self._carriers):
            px, py, pz, energy = (sum(particles[k][i] for k in members[vertex]) for i in range(1, 5))
            mass = max(energy * energy - px * px - py * py - pz * pz, 0.0) ** 0.5
            row = self._n + 3 + j
            self.lines.append(_PARTICLE % (row, -source, _CARRIER, px, py, pz, energy, mass, DOCUMENTATION))

    @property
    def n_vertices(self) -> int:
        """Number of vertices."""
        return len(self._vertices)

    @property
    def n_particles(self) -> int:
        """Number of particles, beams and entries of documentation included."""
        return self._n + 2 + len(self._carriers)

    def _add(self, key: tuple[Any, ...]) -> int:
        """Add the vertex of a parent's children at one place, and return its number."""
        parent, *place = key
        vertex = self._vertices[key] = len(self._vertices) + 1
        source = self._ends.get(parent)
        if source is None:
            self._ends[parent] = vertex
            incoming = parent + 3
        else:
            incoming = self._n + 3 + len(self._carriers)
            self._carriers.append((source, vertex))
        position = "" if tuple(place) == _HERE else _PLACE % tuple(place)
        self.lines.append(f"V {-vertex} 0 [{incoming}]{position}\n")
        return vertex
