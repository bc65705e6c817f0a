"""Events of other programs become `TruthEvents`: what HepMC3 and LHE files have in common.

Momenta are in GeV, lengths in cm and times in ns, in the e+e- centre of mass with the electron beam along +z. Particles
of status 1 (final) and 2 (decayed) are kept, with the nearest kept ancestor as parent; the beams give frame and energy;
documentation entries are passed over.
"""

import json
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..checks import check_finite
from ..constants import C
from ..event import Floats, Ints, TruthEvents
from ..pdg import charges
from .frame import invariant_mass, to_electron_axis, to_rest_frame
from .header import Header
from .read_options import ReadOptions, WeightChoice
from .streams import BrokenEventError, CutFileError

FINAL, DECAYED, DOCUMENTATION, BEAM = 1, 2, 3, 4
#: Beams whose momenta add up to more than this fraction of their energy are those of a laboratory in motion.
_FRAME_TOLERANCE = 1e-6


class Columns(NamedTuple):
    """Particles of several events as a file has them; indices run over all of them, -1 means none."""

    number: Ints
    process: NDArray[np.int32]
    offsets: Ints
    pdg: Ints
    status: Ints
    mother: Ints
    momenta: Floats
    places: Floats
    beam_pdg: Ints
    beam_momenta: Floats
    weights: Floats
    cross_section: tuple[float, float]


class EventFile(Protocol):
    """A file of another program: its events one by one, and as columns."""

    path: Path
    weight: WeightChoice
    header: Header | None
    processes: str
    nominal_sqrt_s: float
    weight_unit: float

    @property
    def step(self) -> dict[str, Any]:
        """What the provenance says of the reading of this format."""

    def events(self) -> Iterator[Any]:
        """Yield the events; CutFileError or BrokenEventError where they end early."""

    def columns(self, events: list[Any]) -> Columns:
        """Return events as columns."""


class Chunk(NamedTuple):
    """Some events of a file, with all their named weights; the first is that of the record."""

    truth: TruthEvents
    weights: dict[str, Floats]


class ExternalReader:
    """A file being read, with the totals so far."""

    def __init__(self, file: EventFile, options: ReadOptions) -> None:
        self.file = file
        self.path = file.path
        self.options = options
        self.frame = options.frame
        self.sqrt_s = options.sqrt_s
        self.n_events = self.n_negative = 0
        self.sum_w = self.sum_w2 = 0.0
        self.damage = ""

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Yield records of `size` events."""
        waiting: list[Any] = []
        try:
            for event in self.file.events():
                if len(waiting) == size:
                    yield self._chunk(waiting, last=False)
                    waiting = []
                waiting.append(event)
        except (CutFileError, BrokenEventError) as error:
            self._forgive(error)
        if not waiting:
            raise ValueError(f"{self.path}: no events")
        yield self._chunk(waiting, last=True)

    def _forgive(self, error: CutFileError | BrokenEventError) -> None:
        n = error.n_complete
        if not n:
            raise error
        if not self.options.keep_complete:
            how = f"; --keep-complete (keep_complete=True) keeps the {n} complete events before"
            raise type(error)(f"{error}{how}", n) from None
        self.damage = str(error).removeprefix(f"{self.path}: ")
        warnings.warn(f"{error}: {n} complete events kept", UserWarning, stacklevel=2)

    def _chunk(self, events: list[Any], *, last: bool) -> Chunk:
        columns = self.file.columns(events)
        n, event = len(events), np.repeat(np.arange(len(events)), np.diff(columns.offsets))
        total = columns.beam_momenta[0] + columns.beam_momenta[1]
        event_sqrt_s = invariant_mass(total)
        self._decide_frame(total, event_sqrt_s)
        momenta, places = columns.momenta, columns.places
        electron = np.where(columns.beam_pdg[0] > 0, columns.beam_momenta[0], columns.beam_momenta[1])
        if self.frame == "lab":
            momenta, places = to_rest_frame(momenta, total[:, event]), to_rest_frame(places, total[:, event])
            electron = to_rest_frame(electron, total)
        momenta, places = (to_electron_axis(vectors, electron[:, event]) for vectors in (momenta, places))

        kept = (columns.status == FINAL) | (columns.status == DECAYED)
        place = np.cumsum(kept) - 1  # of a kept particle among the kept
        offsets = np.concatenate([[0], np.cumsum(np.bincount(event[kept], minlength=n))]).astype(np.int64)
        ancestors = climb(columns.mother, columns.mother, kept, event, columns.number, self.path)[kept]
        parent = np.where(ancestors >= 0, place[ancestors] - offsets[event[kept]], -1)
        weights = self.file.weight.columns(columns.weights)
        weight = next(iter(weights.values()))
        self._count(weight)
        cross_section, error = self._cross_section(columns.cross_section, last=last)
        pdg = columns.pdg[kept].astype(np.int32)
        header, process = self.file.header, self.options.process
        truth = TruthEvents(
            number=columns.number,
            weight=weight,
            event_sqrt_s=event_sqrt_s,
            process=columns.process if process is None else np.zeros(n, dtype=np.int32),
            offsets=offsets,
            pdg=pdg,
            status=columns.status[kept].astype(np.int32),
            parent=parent.astype(np.int32),
            charge=charges(pdg, columns.number[event[kept]], self.path),
            px=momenta[1, kept],
            py=momenta[2, kept],
            pz=momenta[3, kept],
            energy=momenta[0, kept],
            vx=places[1, kept],
            vy=places[2, kept],
            vz=places[3, kept],
            t=places[0, kept] / C,
            processes=self.file.processes if process is None else process,
            sqrt_s=float(self.sqrt_s or event_sqrt_s[0]),
            cross_section=cross_section,
            cross_section_error=error,
            seed=header.seed if header else "",
            provenance=self._provenance(last=last),
        )
        check_finite(truth, self.path)
        return Chunk(truth, weights)

    def _decide_frame(self, total: Floats, sqrt_s: Floats) -> None:
        if self.frame is None:
            momentum = math.sqrt(total[1, 0] ** 2 + total[2, 0] ** 2 + total[3, 0] ** 2)
            self.frame = "lab" if momentum > _FRAME_TOLERANCE * total[0, 0] else "cm"
        if self.sqrt_s is None:
            nominal = self.file.nominal_sqrt_s
            self.sqrt_s = nominal if math.isfinite(nominal) else float(sqrt_s[0])

    def _count(self, weight: Floats) -> None:
        self.n_events += len(weight)
        self.n_negative += int(np.count_nonzero(weight < 0.0))
        for w in weight.tolist():  # one by one: the sum must not depend on the cutting into chunks
            self.sum_w += w
            self.sum_w2 += w * w

    def _cross_section(self, said: tuple[float, float], *, last: bool) -> tuple[float, float]:
        """Return value and error [nb]: as given, from sum(w) / tries, from the file, or NaN; never guessed."""
        options, tries, header = self.options, self.options.tries, self.file.header
        if options.cross_section is not None:
            error = options.cross_section_error
            return options.cross_section, math.nan if error is None else error
        if tries is None:
            if header is None:
                return said
            same = self.file.weight.name == header.weight
            return (header.cross_section, header.cross_section_error) if same else (math.nan, math.nan)
        if not last:
            return math.nan, math.nan
        if tries < self.n_events:
            raise ValueError(f"{self.path}: tries = {tries}, must be at least the {self.n_events} events of the file")
        mean = self.sum_w / tries
        error = math.sqrt((self.sum_w2 / tries - mean * mean) / (tries - 1))
        return mean * self.file.weight_unit, error * self.file.weight_unit

    def _provenance(self, *, last: bool) -> str:
        header = self.file.header
        step = {
            **self.file.step,
            "file": self.path.name,
            "frame": self.frame,
            "weight": self.file.weight.name,
            "tries": self.options.tries,
            "events": self.n_events,
            "negative_weights": self.n_negative,
        }
        if last and self.damage:
            step["damage"] = self.damage
        return json.dumps([*(header.provenance if header else []), step])


def beam_columns(
    particles: tuple[Ints, Ints, Floats], beam: NDArray[np.bool_], number: Ints, what: str, path: Path
) -> tuple[Ints, Floats]:
    """Return PDG numbers (2, n_events) and momenta (2, 4, n_events) of the beams.

    Parameters
    ----------
    particles
        Row of the event, PDG number and momentum (4, n) of all particles.
    beam
        Which of them are beams, called `what` in messages.
    number
        Numbers of the events.

    Raises
    ------
    ValueError
        If an event has not two beams.
    """
    event, pdg, momenta = particles
    found = np.bincount(event[beam], minlength=len(number))
    wrong = np.flatnonzero(found != 2)
    if wrong.size:
        raise ValueError(f"{path}: {found[wrong[0]]} {what} in event {number[wrong[0]]}, must be 2")
    rows = np.flatnonzero(beam)
    return np.stack([pdg[rows[0::2]], pdg[rows[1::2]]]), np.stack([momenta[:, rows[0::2]], momenta[:, rows[1::2]]])


def climb(start: Ints, above: Ints, stop: NDArray[np.bool_], event: Ints, number: Ints, path: Path) -> Ints:
    """Follow `above` from `start` until a node of `stop` or the top, -1; `event` is the row of each node's event.

    Raises
    ------
    ValueError
        If a node is above itself; names the event.
    """
    moving = (start >= 0) & ~stop[start]
    for _ in range(int(np.bincount(event).max()) if len(event) else 0):
        if not np.any(moving):
            break
        start = np.where(moving, above[start], start)
        moving = (start >= 0) & ~stop[start]
    if np.any(moving):
        raise ValueError(f"{path}: a particle of event {number[event[moving][0]]} is its own ancestor")
    return start
