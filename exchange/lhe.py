"""Les Houches event files as pylhe parses them: the events of a file, and their particles as columns.

The format: Alwall et al., Comput. Phys. Commun. 176 (2007) 300, DOI 10.1016/j.cpc.2006.11.010, on top of the accord
hep-ph/0109068: momenta in GeV, cross sections in pb. IDUP is the PDG number; ISTUP 1 is final, 2 decayed, -1 incoming
and -9 a beam, everything else documentation. Vertices are not part of the format: VTIMUP is the invariant c tau [mm]
that a particle lives, so that what decays in flight along a straight line has one, at production + c tau p / m and
c t + c tau E / m; nothing else can stand away from the collision.

What the weights mean is said by IDWTUP: +-3, events are unweighted, XWGTUP is +-1; +-4, XWGTUP is a cross section in
pb, with the mean of all events as the total. The total comes from XSECUP, summed over the processes, where it is larger
than its error; it is never made from the weights. Files of this package (an element `besfast` in the header) give back
scalars, event numbers and weights as they were.
"""

import contextlib
import math
import warnings
from array import array
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..constants import M_E
from ..event import Floats, Ints
from .external import BEAM, DECAYED, DOCUMENTATION, FINAL, Columns, beam_columns
from .frame import invariant_mass
from .header import NAME, Header
from .read_options import ReadOptions, WeightChoice
from .streams import BrokenEventError, CutFileError, Source

PB_PER_NB = 1000.0
MM_PER_CM = 10.0
BEGIN = b"<LesHouchesEvents"
END = b"</LesHouchesEvents>"
#: Begin of the comment line of an event that keeps its number, where it is not the running one.
NUMBER = f"#{NAME} number"
#: Name of the weight that every event has.
XWGTUP = "XWGTUP"
_INCOMING, _BEAM = -1, -9
_STATUS = {1: FINAL, 2: DECAYED, _INCOMING: BEAM, _BEAM: BEAM}
#: Largest relative difference of the energy of the incoming particles from that of the beams in <init>.
_ENERGY_TOLERANCE = 0.01
_BATCH = 256
#: Numbers kept of a particle: IDUP, ISTUP, MOTHUP(1), energy, momentum, mass, VTIMUP.
_FIELDS = 9


class RawEvent(NamedTuple):
    """One event; `particles` holds `_FIELDS` numbers of one after the other."""

    number: int
    process: int
    particles: "array[float]"
    weights: list[float]


class LheFile:
    """An LHE file, plain or compressed."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.path = path
        self.options = options
        self.weight = WeightChoice(path, options.weight)
        self.header: Header | None = None
        self.processes = "external"
        self.nominal_sqrt_s = math.nan
        self.weight_unit = 1.0 / PB_PER_NB
        self.idwtup = 0
        self._process: dict[int, int] = {}
        self._cross_section = math.nan, math.nan
        self._beam_pdg = 0, 0
        self._beam_momenta = np.full((2, 4), np.nan)
        self._weight_ids: list[str] = []

    @property
    def step(self) -> dict[str, Any]:
        """What the provenance says of the reading of this format."""
        return {"step": "read_lhe", "idwtup": self.idwtup}

    def events(self) -> Iterator[RawEvent]:
        """Yield the events of the file.

        Raises
        ------
        FileNotFoundError, CutFileError
            If there is no such file, or it has no end.
        ValueError, BrokenEventError
            If an event, or what comes before the first, cannot be parsed.
        """
        import pylhe

        source = Source(self.path, b"<event")
        try:
            with _reasons() as reasons:
                self._begin(file := pylhe.LHEFile.frombuffer(source))
            if reasons:
                self._check_end(source, 0)
                raise ValueError(f"{self.path}: the header or <init> cannot be parsed ({reasons[0]})")
            n, left = 0, True
            while left:
                batch: list[Any] = []
                with _reasons() as reasons:
                    for event in islice(file.events, _BATCH):
                        batch.append(event)
                for event in batch:
                    self._check_event(event, n)
                    yield self._raw_event(event, n)
                    n += 1
                left = len(batch) == _BATCH
            self._check_end(source, n)
            if reasons:
                raise BrokenEventError(f"{self.path}: event {n} (counted from 0) cannot be parsed ({reasons[0]})", n)
        finally:
            source.close()

    def _check_end(self, source: Source, n: int) -> None:
        source.drain()
        if source.failure or not source.tail.rstrip().endswith(END):
            reason = source.failure or f"no {END.decode()} at its end"
            raise CutFileError(f"{self.path}: cut off after {n} complete events ({reason})", n)

    def _begin(self, file: Any) -> None:
        """Take what header and <init> say of all events."""
        init, processes = file.init.initInfo, file.init.procInfo
        self.idwtup = init.weightingStrategy
        if not processes:
            raise ValueError("<init> names no process")
        self._process = {process.procId: row for row, process in enumerate(processes)}
        if len(processes) > 1:
            self.processes = ",".join(f"external_{process.procId}" for process in processes)
        total = sum(process.xSection for process in processes) / PB_PER_NB
        error = math.sqrt(sum(process.error**2 for process in processes)) / PB_PER_NB
        # an error as large as the value marks a value that was never filled in (Sherpa writes 1 +- 1)
        self._cross_section = (total, error) if total > error else (math.nan, math.nan)
        self._beam_pdg = init.beamA, init.beamB
        for k, energy, sign in ((0, init.energyA, 1.0), (1, init.energyB, -1.0)):
            if energy > M_E:
                mass = M_E if abs(self._beam_pdg[k]) == 11 else 0.0
                self._beam_momenta[k] = energy, 0.0, 0.0, sign * math.sqrt(energy * energy - mass * mass)
        self.nominal_sqrt_s = float(invariant_mass(self._beam_momenta.sum(axis=0)))
        for element in file.header.extra_elements if file.header else ():
            if element.tag == NAME:
                self.header = Header.from_json(element.text or "", self.path)
                self.processes, self.nominal_sqrt_s = self.header.processes, self.header.sqrt_s
                self.weight_unit = 1.0

    def _check_event(self, event: Any, n: int) -> None:
        """Raise unless the event is complete, of a known process, with the weights of the first."""
        if event.eventinfo.nparticles != len(event.particles):
            text = (
                f"event {n} (counted from 0) has {len(event.particles)} particles, NUP = {event.eventinfo.nparticles}"
            )
            raise BrokenEventError(f"{self.path}: {text}", n)
        if event.eventinfo.pid not in self._process:
            known = ", ".join(str(process) for process in self._process)
            raise ValueError(f"{self.path}: IDPRUP = {event.eventinfo.pid} in event {n}, <init> knows {known}")
        if n == 0:
            self._weight_ids = list(event.weights)
            names = self._weight_ids if self.header and self._weight_ids else [XWGTUP, *self._weight_ids]
            self.weight.decide(names, len(names))
            if self.options.tries is not None and abs(event.eventinfo.weight) == 1.0 and abs(self.idwtup) == 3:
                raise ValueError(f"{self.path}: tries: the weights are of IDWTUP = {self.idwtup}, no cross sections")
        if list(event.weights) != self._weight_ids:
            ids = [", ".join(one) or "none" for one in (event.weights, self._weight_ids)]
            raise ValueError(f"{self.path}: event {n} has the weights {ids[0]}, the first has {ids[1]}")

    def _raw_event(self, event: Any, row: int) -> RawEvent:
        numbers = array("d")
        for p in event.particles:
            numbers.extend((p.id, p.status, p.mother1, p.e, p.px, p.py, p.pz, p.m, p.lifetime))
        weights = list(event.weights.values())
        if len(weights) < self.weight.n:  # XWGTUP is one of the named
            weights.insert(0, event.eventinfo.weight)
        return RawEvent(self._number(event, row), self._process[event.eventinfo.pid], numbers, weights)

    def columns(self, events: list[RawEvent]) -> Columns:
        """Return events as columns."""
        n = len(events)
        number = np.array([event.number for event in events], dtype=np.int64)
        offsets = np.concatenate([[0], np.cumsum([len(event.particles) // _FIELDS for event in events])]).astype(
            np.int64
        )
        row = np.repeat(np.arange(n), np.diff(offsets))
        table = np.frombuffer(b"".join([event.particles.tobytes() for event in events])).reshape(-1, _FIELDS)
        pdg, istup, mother1 = (table[:, k].astype(np.int64) for k in range(3))
        momenta, mass, lifetime = table[:, 3:7].T, table[:, 7], table[:, 8]
        wrong = np.flatnonzero((mother1 < 0) | (mother1 > np.diff(offsets)[row]))
        if wrong.size:
            event = number[row[wrong[0]]]
            raise ValueError(f"{self.path}: MOTHUP = {mother1[wrong[0]]} in event {event} is no particle of it")
        mother = np.where(mother1 > 0, mother1 - 1 + offsets[row], -1)
        beam_pdg, beam_momenta = self._beams(pdg, istup, momenta, row, number)
        status = np.full(len(pdg), DOCUMENTATION)
        for code, meaning in _STATUS.items():
            status[istup == code] = meaning
        return Columns(
            number=number,
            process=np.array([event.process for event in events], dtype=np.int32),
            offsets=offsets,
            pdg=pdg,
            status=status,
            mother=mother,
            momenta=momenta,
            places=self._places(mother, momenta, mass, lifetime, number[row]),
            beam_pdg=beam_pdg,
            beam_momenta=beam_momenta,
            weights=np.array([event.weights for event in events]).reshape(n, -1),
            cross_section=self._cross_section if self.weight.index == 0 else (math.nan, math.nan),
        )

    def _number(self, event: Any, row: int) -> int:
        if self.header:
            for line in event.optional:
                if line.startswith(NUMBER):
                    return int(line.removeprefix(NUMBER))
        return row

    def _beams(self, pdg: Ints, istup: Ints, momenta: Floats, row: Ints, number: Ints) -> tuple[Ints, Floats]:
        """Return PDG numbers (2, n_events) and momenta (2, 4, n_events) of the beams: of the events, or of <init>."""
        n, init_sqrt_s = len(number), invariant_mass(self._beam_momenta.sum(axis=0))
        if self.options.beams == "init":
            if not np.isfinite(init_sqrt_s):
                raise ValueError(f"{self.path}: beams = 'init', but <init> gives no energies of the beams")
            return np.tile(self._beam_pdg, (n, 1)).T, np.repeat(self._beam_momenta[:, :, None], n, axis=2)
        beam = istup == _BEAM
        outer = np.bincount(row[beam], minlength=n) > 0
        beam |= (istup == _INCOMING) & ~outer[row]
        beam_pdg, beam_momenta = beam_columns((row, pdg, momenta), beam, number, "beams (ISTUP -9 or -1)", self.path)
        sqrt_s = invariant_mass(beam_momenta.sum(axis=0))
        wrong = np.flatnonzero(np.abs(sqrt_s - init_sqrt_s) > _ENERGY_TOLERANCE * init_sqrt_s)
        if wrong.size:
            raise ValueError(
                f"{self.path}: incoming particles of {sqrt_s[wrong[0]]:.6g} GeV in event {number[wrong[0]]}, beams of "
                f"{init_sqrt_s:.6g} GeV in <init>: where radiation is left out of the events, --beams init "
                "(beams='init') takes those"
            )
        return beam_pdg, beam_momenta

    def _places(self, mother: Ints, momenta: Floats, mass: Floats, lifetime: Floats, number: Ints) -> Floats:
        """Return c t and place [cm] of production, shape (4, n), from the lives of the ancestors."""
        places = np.zeros(momenta.shape)
        lives = np.zeros(len(mother), dtype=bool)
        lives[mother[mother >= 0]] = True
        lives &= lifetime != 0.0
        wrong = np.flatnonzero(lives & ~((mass > 0.0) & (lifetime > 0.0)))
        if wrong.size:
            what = f"VTIMUP = {lifetime[wrong[0]]:g} at mass {mass[wrong[0]]:g}"
            raise ValueError(f"{self.path}: {what} in event {number[wrong[0]]}, both must be positive")
        if not lives.any():
            return places
        flight = np.zeros(momenta.shape)
        flight[:, lives] = momenta[:, lives] / mass[lives] * (lifetime[lives] / MM_PER_CM)
        above = mother
        for _ in range(int(np.unique(number, return_counts=True)[1].max())):  # a generation each; circles end there too
            if not np.any(above >= 0):
                break
            places += np.where(above >= 0, flight[:, above], 0.0)
            above = np.where(above >= 0, mother[above], -1)
        return places


@contextlib.contextmanager
def _reasons() -> Iterator[list[str]]:
    """Collect why pylhe stops: it warns of text that is no XML, and raises whatever its parsing raises."""
    reasons: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield reasons
        except (ValueError, LookupError, AttributeError, TypeError, RuntimeError) as error:
            reasons.append(str(error) or type(error).__name__)
    found = [str(warning.message) for warning in caught]
    reasons[:0] = [text for text in found if text.startswith("Parse Error")]
