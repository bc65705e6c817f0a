r"""Truth events as a Les Houches event file, every number with the 17 digits that make a double exact.

Each event begins with the beams (ISTUP -1), which are the mothers of whatever has no parent. A displaced decay is kept
as VTIMUP of what decays, c tau = (m / E) c (t' - t) in mm; readers find the vertex again by a straight flight from the
production. What is not produced where its parent's flight ends, or has no parent and is away from the collision, cannot
be kept and is refused: `.hepmc3` and `.h5` have vertices.

XWGTUP and IDWTUP follow the accord, so that other programs find the cross section: +-3 and XWGTUP = +-1 if all weights
are equal up to their sign, else +-4 and XWGTUP = w sigma n / sum(w) in pb, whose mean is sigma. The weights as they are
stand in <rwgt>, the first being the record's. XSECUP of several processes are the shares of the sum of weights.
"""

from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from ..constants import M_E, C
from ..event import Floats, Ints, TruthEvents
from .header import NAME, Header
from .hepmc3_writer import package_version
from .lhe import BEGIN, END, MM_PER_CM, NUMBER, PB_PER_NB
from .text_writer import TextWriter, beam_momentum, masses

#: Distances below which a vertex counts as kept [cm], and relative to the flight: far below what a detector sees.
_NEAR, _NEAR_RELATIVE = 1e-4, 1e-6
_PARTICLE = "%d %d %d %d 0 0 %.16e %.16e %.16e %.16e %.16e %.16e 9\n"
_WEIGHT_WIDTH = 24


class LheWriter(TextWriter):
    """An LHE file that grows chunk by chunk and appears under its name only when it is complete."""

    def __init__(self, path: str | Path, *, overwrite: bool = False) -> None:
        super().__init__(path, overwrite=overwrite)
        self._positions: list[int] = []  # of XWGTUP in the body: it is known when all weights are
        self._weights: list[Floats] = []
        self._processes: list[Ints] = []

    def _text(self, truth: TruthEvents, weights: Floats) -> bytes:
        particles = self._particles(truth)
        ids = [quoteattr(name) for name in self._names]
        offsets, momentum = truth.offsets.tolist(), beam_momentum(truth).tolist()
        position, texts = self._draft.size, []
        for e, (number, sqrt_s, process) in enumerate(
            zip(truth.number.tolist(), truth.event_sqrt_s.tolist(), truth.process.tolist())
        ):
            first, last = offsets[e], offsets[e + 1]
            begin = f"<event>\n{last - first + 2} {process + 1} "
            self._positions.append(position + len(begin))
            named = "".join(f"<wgt id={name}>{w:.16e}</wgt>\n" for name, w in zip(ids, weights[e].tolist()))
            text = (
                f"{begin}{'':{_WEIGHT_WIDTH}} -1 -1 -1\n"
                + _PARTICLE % (11, -1, 0, 0, 0.0, 0.0, momentum[e], 0.5 * sqrt_s, M_E, 0.0)
                + _PARTICLE % (-11, -1, 0, 0, 0.0, 0.0, -momentum[e], 0.5 * sqrt_s, M_E, 0.0)
                + "".join(particles[first:last])
                + (f"{NUMBER} {number}\n" if number != self.n_events + e else "")
                + f"<rwgt>\n{named}</rwgt>\n</event>\n"
            ).encode("ascii", "xmlcharrefreplace")
            position += len(text)
            texts.append(text)
        self._weights.append(truth.weight.copy())
        self._processes.append(truth.process.astype(np.int64))
        return b"".join(texts)

    def _particles(self, truth: TruthEvents) -> list[str]:
        """Return the lines of all particles."""
        mass = masses(truth)
        orphan = truth.parent < 0  # their mothers are the beams, 1 and 2
        mothers = np.where(orphan, 1, truth.parent + 3), np.where(orphan, 2, truth.parent + 3)
        momenta = truth.px, truth.py, truth.pz, truth.energy, mass, self._lifetimes(truth, mass)
        columns = (truth.pdg, truth.status, *mothers, *momenta)
        return [_PARTICLE % row for row in zip(*(column.tolist() for column in columns))]

    def _lifetimes(self, truth: TruthEvents, mass: Floats) -> Floats:
        """Return VTIMUP [mm] of particles, shape (n,).

        Raises
        ------
        ValueError
            If a vertex is not where a parent's straight flight ends; names the event.
        """
        event = np.repeat(np.arange(truth.n_events), np.diff(truth.offsets))
        place = np.stack([truth.t * C, truth.vx, truth.vy, truth.vz])
        momenta = np.stack([truth.energy, truth.px, truth.py, truth.pz])
        child = np.flatnonzero(truth.parent >= 0)
        parent = truth.offsets[event[child]] + truth.parent[child]
        energy = np.where(truth.energy > 0.0, truth.energy, np.inf)
        lifetime = np.zeros(len(mass))
        lifetime[parent] = np.maximum(place[0, child] - place[0, parent], 0.0) / energy[parent] * mass[parent]
        flight = np.zeros(place.shape)
        lives = np.flatnonzero(lifetime)
        flight[:, lives] = momenta[:, lives] / mass[lives] * lifetime[lives]
        expected = np.zeros(place.shape)
        expected[:, child] = place[:, parent] + flight[:, parent]
        off = np.abs(place - expected).max(axis=0)
        length = np.zeros(len(mass))
        length[child] = np.abs(flight[:, parent]).max(axis=0)
        wrong = np.flatnonzero(off > _NEAR + _NEAR_RELATIVE * length)
        if wrong.size:
            row, which = wrong[0], event[wrong[0]]
            raise ValueError(
                f"{self.path}: particle {row - truth.offsets[which]} of event {truth.number[which]} is produced "
                f"{off[row]:.3g} cm from where its parent's flight ends: LHE has no vertices, .hepmc3 and .h5 have"
            )
        return lifetime * MM_PER_CM

    def _head(self, last: TruthEvents, names: list[str]) -> bytes:
        idwtup, xwgtup, largest = self._normalise(last)
        self._draft.patch(self._positions, [b"%*.16e" % (_WEIGHT_WIDTH, w) for w in xwgtup.tolist()])
        rows = self._process_rows(last, largest)
        energy = 0.0 if np.isnan(last.sqrt_s) else 0.5 * last.sqrt_s
        ids = "".join(f"<weight id={quoteattr(name)}>{escape(name)}</weight>\n" for name in names)
        scalars = escape(Header.of(last, names[0]).to_json())
        text = (
            f'{BEGIN.decode()} version="3.0">\n<header>\n<{NAME}>{scalars}</{NAME}>\n'
            f"<initrwgt>\n{ids}</initrwgt>\n</header>\n"
            f"<init>\n11 -11 {energy:.16e} {energy:.16e} -1 -1 -1 -1 {idwtup} {len(rows)}\n"
            + "".join(rows)
            + f"<generator name='{NAME}' version='{package_version()}'></generator>\n</init>\n"
        )
        return text.encode("ascii", "xmlcharrefreplace")

    def _normalise(self, last: TruthEvents) -> tuple[int, Floats, float]:
        """Return IDWTUP, XWGTUP of the events, and XMAXUP."""
        weight = np.concatenate([np.zeros(0), *self._weights])
        size = np.abs(weight)
        sign = -1 if np.any(weight < 0.0) else 1
        if not len(weight) or (size[0] > 0.0 and np.all(size == size[0])):
            return sign * 3, np.sign(weight), 1.0
        total = float(weight.sum())
        if not (np.isfinite(last.cross_section) and total > 0.0):
            what = "cross section" if total > 0.0 else "positive sum of weights"
            raise ValueError(f"{self.path}: weights of LHE are cross sections, these events have no {what}")
        xwgtup = weight * (last.cross_section * PB_PER_NB * len(weight) / total)
        return sign * 4, xwgtup, float(np.abs(xwgtup).max())

    def _process_rows(self, last: TruthEvents, largest: float) -> list[str]:
        """Return XSECUP, XERRUP, XMAXUP and LPRUP of the processes: shares of the sum of weights; 0 where unknown."""
        process = np.concatenate([np.zeros(0, dtype=np.int64), *self._processes])
        n = max(len(last.processes.split(",")), int(process.max(initial=0)) + 1)
        sums = np.bincount(process, np.concatenate([np.zeros(0), *self._weights]), minlength=n)
        share = sums / sums.sum() if sums.sum() else np.full(n, 1.0 / n)
        value, error = np.nan_to_num([last.cross_section, last.cross_section_error]) * PB_PER_NB
        return [
            f"{value * part:.16e} {error * np.sqrt(abs(part)):.16e} {largest:.16e} {k + 1}\n"
            for k, part in enumerate(share.tolist())
        ]

    def _end(self) -> bytes:
        return END + b"\n"
