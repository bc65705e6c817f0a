"""Event files of this and other programs, recognised by content; HepMC3 text becomes `TruthEvents`.

Momenta are turned into GeV, lengths into cm and times (lengths c t in HepMC) into ns, in the e+e- centre of mass with
the electron beam along +z. Particles of status 1 (final) and 2 (decayed) are kept, with the nearest kept ancestor as
parent; the beams (status 4) give frame and energy; documentation entries are passed over. Events are numbered in the
order of the file: the numbers a generator writes are not always those of a sequence.
"""

import functools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import store
from .checks import check_finite
from .constants import C
from .event import Floats, Ints, Record, TruthEvents, concatenate
from .frame import invariant_mass, to_electron_axis, to_rest_frame
from .hepmc3 import Graph, RawEvent, WeightChoice, raw_events

#: Beams whose momenta add up to more than this fraction of their energy are those of a laboratory in motion.
_FRAME_TOLERANCE = 1e-6
_FINAL, _DECAYED, _BEAM = 1, 2, 4


def read(path: str | Path, **options: Any) -> Record:
    """Return the events of a file: HDF5 of this package, or HepMC3 with the options of `read_hepmc3`."""
    if store.is_hdf5(path):
        _refuse_options(path, options)
        return store.read(path)
    return read_hepmc3(path, **options)


def read_truth(path: str | Path, **options: Any) -> TruthEvents:
    """Return the events of a file as `read` does; ValueError if it holds anything but truth."""
    record = read(path, **options)
    if not isinstance(record, TruthEvents):
        raise ValueError(f"{path}: holds {type(record).__name__}, must be TruthEvents or HepMC3")
    return record


def iterate(path: str | Path, chunk: int = store.CHUNK, **options: Any) -> Iterator[Record]:
    """Yield the events of a file as `read` returns them, `chunk` at a time."""
    if store.is_hdf5(path):
        _refuse_options(path, options)
        return store.iterate(path, chunk)
    return iterate_hepmc3(path, chunk, **options)


def _refuse_options(path: str | Path, options: dict[str, Any]) -> None:
    if options:
        raise TypeError(f"{path}: {', '.join(options)} can be given for HepMC3 files only")


@dataclass(frozen=True)
class Hepmc3Options:
    """How a HepMC3 file is read; see `read_hepmc3`."""

    frame: str | None = None
    weight: str | int | None = None
    cross_section: float | None = None
    cross_section_error: float | None = None
    tries: int | None = None
    process: str = "external"
    sqrt_s: float | None = None

    def __post_init__(self) -> None:
        if self.frame not in (None, "cm", "lab"):
            raise ValueError(f"frame = {self.frame!r}, must be 'cm', 'lab' or None (decided from the beams)")
        if self.tries is not None and self.cross_section is not None:
            raise ValueError("tries and cross_section exclude each other: one of them gives the normalisation")
        if self.tries is not None and self.tries < 2:
            raise ValueError(f"tries = {self.tries}, must be at least 2")
        for name in ("cross_section", "sqrt_s"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0.0):
                raise ValueError(f"{name} = {value}, must be positive")
        if not self.process or "," in self.process:
            raise ValueError(f"process = {self.process!r}, must be a name without comma")


def read_hepmc3(path: str | Path, **options: Any) -> TruthEvents:
    """Return the events of a HepMC3 file, plain or gzipped, numbered 0, 1, ... in the order of the file.

    Parameters
    ----------
    path
        File to read.
    frame : "cm" | "lab" | None
        Frame of the momenta in the file. None: "lab" if the beam momenta of the first event do not cancel. Events of
        the laboratory are boosted by their own beams' momentum, so that truth lives in the centre of mass.
    weight : str | int | None
        Which of the event weights to take, by name or index; None: the first. Without weights: 1.
    cross_section, cross_section_error : float | None
        Cross section of the sample [nb]; None: what GenCrossSection of the last event says, else NaN.
    tries : int | None
        Number of points the generator tried. The weights are then cross sections [nb], and sigma = sum(w) / tries.
    process : str
        Name of the process.
    sqrt_s : float | None
        Nominal centre-of-mass energy [GeV]; None: that of the beams of the first event.

    Raises
    ------
    FileNotFoundError, OSError
        If there is no such file, or it is cut off.
    TypeError, ValueError
        If an option is unknown or out of range; if the file is not HepMC3, or an event cannot be parsed, has not two
        beams, a momentum that is not finite or a particle of unknown charge.
    """
    events: TruthEvents = concatenate(list(iterate_hepmc3(path, **options)))
    return events


def iterate_hepmc3(path: str | Path, chunk: int = store.CHUNK, **options: Any) -> Iterator[TruthEvents]:
    """Yield the events of a HepMC3 file, `chunk` at a time; options as for `read_hepmc3`.

    Totals (the cross section, the number of negative weights) are complete in the last record only.
    """
    if chunk < 1:
        raise ValueError(f"chunk = {chunk}, must be at least 1")
    return _Hepmc3(Path(path), Hepmc3Options(**options)).records(chunk)


class _Hepmc3:
    """A HepMC3 file being read, with the totals so far."""

    def __init__(self, path: Path, options: Hepmc3Options) -> None:
        self.path = path
        self.options = options
        self.frame = options.frame
        self.sqrt_s = options.sqrt_s
        self.weight = WeightChoice(path, options.weight)
        self.n_events = self.n_negative = 0
        self.sum_w = self.sum_w2 = 0.0

    def records(self, chunk: int) -> Iterator[TruthEvents]:
        """Yield records of `chunk` events."""
        waiting: list[RawEvent] = []
        for event in raw_events(self.path, self.weight):
            if len(waiting) == chunk:
                yield self._record(waiting, last=False)
                waiting = []
            waiting.append(event)
        if not waiting:
            raise ValueError(f"{self.path}: no events")
        yield self._record(waiting, last=True)

    def _record(self, events: list[RawEvent], *, last: bool) -> TruthEvents:
        number = np.arange(self.n_events, self.n_events + len(events))
        graph = Graph(events)
        status = graph.particles["status"]
        first, second = self._beams(graph, number)
        momenta, places = graph.momenta(), graph.places()
        total = momenta[:, first] + momenta[:, second]
        event_sqrt_s = invariant_mass(total)
        self._decide_frame(total, event_sqrt_s)
        electron = np.where(graph.particles["pid"][first] > 0, momenta[:, first], momenta[:, second])
        if self.frame == "lab":
            momenta = to_rest_frame(momenta, total[:, graph.event])
            places = to_rest_frame(places, total[:, graph.event])
            electron = to_rest_frame(electron, total)
        momenta = to_electron_axis(momenta, electron[:, graph.event])
        places = to_electron_axis(places, electron[:, graph.event])

        kept = (status == _FINAL) | (status == _DECAYED)
        place = np.cumsum(kept) - 1  # of a kept particle among the kept
        offsets = np.concatenate([[0], place[graph.offsets[1:] - 1] + 1])
        parents = graph.parents(kept)[kept]
        parent = np.where(parents >= 0, place[parents] - offsets[graph.event[kept]], -1)
        weight = np.array([event.weight for event in events])
        self._count(weight)
        cross_section, error = self._cross_section(events[-1], last=last)
        pdg = graph.particles["pid"][kept].astype(np.int32)
        record = TruthEvents(
            number=number,
            weight=weight,
            event_sqrt_s=event_sqrt_s,
            process=np.zeros(len(events), dtype=np.int32),
            offsets=offsets,
            pdg=pdg,
            status=status[kept].astype(np.int32),
            parent=parent.astype(np.int32),
            charge=self._charges(pdg, number[graph.event[kept]]),
            px=momenta[1, kept],
            py=momenta[2, kept],
            pz=momenta[3, kept],
            energy=momenta[0, kept],
            vx=places[1, kept],
            vy=places[2, kept],
            vz=places[3, kept],
            t=places[0, kept] / C,
            processes=self.options.process,
            sqrt_s=float(self.sqrt_s or event_sqrt_s[0]),
            cross_section=cross_section,
            cross_section_error=error,
            provenance=self._provenance(),
        )
        check_finite(record, self.path)
        return record

    def _beams(self, graph: Graph, number: Ints) -> tuple[Ints, Ints]:
        beams = np.flatnonzero(graph.particles["status"] == _BEAM)
        found = np.bincount(graph.event[beams], minlength=graph.n_events)
        wrong = np.flatnonzero(found != 2)
        if wrong.size:
            event = wrong[0]
            raise ValueError(f"{self.path}: {found[event]} beams (status 4) in event {number[event]}, must be 2")
        return beams[0::2], beams[1::2]

    def _decide_frame(self, total: Floats, sqrt_s: Floats) -> None:
        if self.frame is None:
            momentum = math.sqrt(total[1, 0] ** 2 + total[2, 0] ** 2 + total[3, 0] ** 2)
            self.frame = "lab" if momentum > _FRAME_TOLERANCE * total[0, 0] else "cm"
        if self.sqrt_s is None:
            self.sqrt_s = float(sqrt_s[0])

    def _count(self, weight: Floats) -> None:
        self.n_events += len(weight)
        self.n_negative += int(np.count_nonzero(weight < 0.0))
        for w in weight.tolist():  # one by one: the sum must not depend on the cutting into chunks
            self.sum_w += w
            self.sum_w2 += w * w

    def _cross_section(self, event: RawEvent, *, last: bool) -> tuple[float, float]:
        """Return value and error [nb]: as given, from sum(w) / tries, from the file, or NaN; never guessed."""
        options, tries = self.options, self.options.tries
        if options.cross_section is not None:
            error = options.cross_section_error
            return options.cross_section, math.nan if error is None else error
        if tries is None:
            return event.cross_section
        if not last:
            return math.nan, math.nan
        if tries < self.n_events:
            raise ValueError(f"{self.path}: tries = {tries}, must be at least the {self.n_events} events of the file")
        mean = self.sum_w / tries
        return mean, math.sqrt((self.sum_w2 / tries - mean * mean) / (tries - 1))

    def _charges(self, pdg: NDArray[np.int32], number: Ints) -> NDArray[np.int32]:
        kinds, which = np.unique(pdg, return_inverse=True)
        charges = np.zeros(len(kinds), dtype=np.int32)
        for k, kind in enumerate(kinds.tolist()):
            charge = _charge(kind)
            if charge is None:
                event = number[np.flatnonzero(pdg == kind)[0]]
                raise ValueError(f"{self.path}: pdg = {kind} in event {event} is no particle of known integer charge")
            charges[k] = charge
        return charges[which]

    def _provenance(self) -> str:
        step = {
            "step": "read_hepmc3",
            "file": self.path.name,
            "frame": self.frame,
            "weight": self.weight.name,
            "tries": self.options.tries,
            "events": self.n_events,
            "negative_weights": self.n_negative,
        }
        return json.dumps([step])


@functools.cache
def _charge(pdg: int) -> int | None:
    """Return the charge of a PDG particle number, by the table or by the numbering scheme; None if neither knows."""
    from particle import PDGID, InvalidParticle, Particle, ParticleNotFound

    try:
        thirds = Particle.from_pdgid(pdg).three_charge
    except (InvalidParticle, ParticleNotFound):
        thirds = PDGID(pdg).three_charge
    if thirds is None or thirds % 3:
        return None
    return int(thirds) // 3
