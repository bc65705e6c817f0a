"""What the writers of event files in text have in common: checks, chunks, and a head that is written last."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from ..checks import check_columns, check_finite
from ..constants import M_E
from ..event import Floats, TruthEvents, empty_record, select_events
from ..pdg import charges
from .external import DECAYED, FINAL
from .streams import Draft

#: Events turned into text at a time.
_BLOCK = 4096
#: Masses below this fraction of the energy are rounding errors of E^2 - p^2.
_MASS_NOISE = 1e-7


class TextWriter:
    """A file of events in text that grows chunk by chunk and appears under its name only when it is complete.

    Truth is written as it lives: in the centre of mass, with two beam particles e- and e+ along z in each event, of
    energy sqrt(s) / 2 each, so that a reader finds frame and energy. Parameters and behaviour as for `store.Writer`;
    `.gz`, `.bz2` and `.xz` at the end of the name compress.
    """

    _unfinished = False

    def __init__(self, path: str | Path, *, overwrite: bool = False) -> None:
        self.path = Path(path)
        self.n_events = 0
        self._names: list[str] = []
        self._last: TruthEvents | None = None
        self._draft = Draft(self.path, overwrite=overwrite)
        self._unfinished = True

    def append(self, truth: TruthEvents, weights: dict[str, Floats] | None = None) -> None:
        """Add events; the scalars of the last record appended are those of the file.

        Parameters
        ----------
        truth
            Events in the centre of mass.
        weights
            All named weights of the events, the first being that of the record; None: that alone, called "weight".

        Raises
        ------
        TypeError
            If these are not truth events.
        ValueError
            If columns are inconsistent, a number is not finite, or the format cannot carry what an event has: a
            status other than final and decayed, a charge that does not follow from the PDG number, momenta in the
            laboratory, other weights than those of the first events.
        """
        if not isinstance(truth, TruthEvents):
            raise TypeError(f"{self.path}: a {type(truth).__name__} was appended, must be TruthEvents")
        weights = {"weight": truth.weight} if weights is None else weights
        self._check(truth, weights)
        for start in range(0, truth.n_events, _BLOCK):
            stop = min(start + _BLOCK, truth.n_events)
            part = select_events(truth, start, stop)
            self._draft.write(self._text(part, np.stack([column[start:stop] for column in weights.values()], axis=1)))
            self.n_events += stop - start
        self._last = select_events(truth, 0, 0)

    def _check(self, truth: TruthEvents, weights: dict[str, Floats]) -> None:
        check_columns(truth, self.path)
        check_finite(truth, self.path)
        if truth.frame != "cm":
            raise ValueError(f"{self.path}: frame = {truth.frame!r}, truth is written in the centre of mass ('cm')")
        if self._last is None:
            self._names = list(weights)
        if list(weights) != self._names:
            raise ValueError(f"{self.path}: weights {', '.join(weights)}, must be {', '.join(self._names)} as before")
        for name, column in weights.items():
            if column.shape != truth.weight.shape or not np.isfinite(column).all():
                raise ValueError(f"{self.path}: weight {name!r} must be {truth.n_events} finite numbers")
        if not np.array_equal(weights[self._names[0]], truth.weight):
            raise ValueError(f"{self.path}: the first weight, {self._names[0]!r}, must be that of the record")
        lengths = np.diff(truth.offsets)
        event = np.repeat(np.arange(truth.n_events), lengths)
        number = truth.number[event]
        row = np.arange(len(event)) - truth.offsets[event]
        bad = ~np.isin(truth.status, (FINAL, DECAYED))
        self._refuse(bad, number, "status", truth.status, "1 (final) or 2 (decayed)")
        bad = (truth.parent < -1) | (truth.parent >= lengths[event]) | (truth.parent == row)
        self._refuse(bad, number, "parent", truth.parent, "another particle of the event, or -1")
        known = charges(truth.pdg, number, self.path)
        self._refuse(truth.charge != known, number, "charge", truth.charge, "that of the PDG number, all that is kept")
        low = truth.event_sqrt_s <= 2.0 * M_E
        self._refuse(low, truth.number, "event_sqrt_s", truth.event_sqrt_s, "above twice the electron mass")

    def _refuse(self, bad: Any, number: Any, name: str, values: Any, allowed: str) -> None:
        found = np.flatnonzero(bad)
        if found.size:
            raise ValueError(f"{self.path}: {name} = {values[found[0]]} in event {number[found[0]]}, must be {allowed}")

    def _text(self, truth: TruthEvents, weights: Floats) -> bytes:
        """Return events as they stand in the body of the file; weights (n_events, n)."""
        raise NotImplementedError

    def _head(self, last: TruthEvents, names: list[str]) -> bytes:
        """Return what stands before the events, from the scalars of the last record and the names of the weights."""
        raise NotImplementedError

    def _end(self) -> bytes:
        """Return what stands after the events."""
        raise NotImplementedError

    def close(self) -> None:
        """Write what is left and give the file its name."""
        try:
            last = empty_record("TruthEvents") if self._last is None else self._last
            head = self._head(last, self._names or ["weight"])
            self._draft.write(self._end())
            self._draft.finish(head)
            self._unfinished = False
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Forget what was written."""
        self._unfinished = False
        self._draft.close()

    def __del__(self) -> None:
        if self._unfinished:  # interrupted before a `with` block could take care of it
            self.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abort()


def masses(truth: TruthEvents) -> Floats:
    """Return sqrt(E^2 - p^2) [GeV] of particles, 0 where that is lost in rounding, shape (n,)."""
    square = truth.energy**2 - truth.px**2 - truth.py**2 - truth.pz**2
    mass: Floats = np.sqrt(np.maximum(square, 0.0))
    return np.where(mass > _MASS_NOISE * truth.energy, mass, 0.0)


def beam_momentum(truth: TruthEvents) -> Floats:
    """Return the momentum of the electron beam [GeV] along z, in the centre of mass, shape (n_events,)."""
    energy = 0.5 * truth.event_sqrt_s
    return np.sqrt(energy * energy - M_E * M_E)
