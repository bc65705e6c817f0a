"""Events of any process that is a weight and momenta as functions of uniform numbers.

Whoever writes such a model needs to know nothing of seeds, loops or files: trial t of event e draws its uniform numbers
from counter (event = e, particle = t); trials are made in rounds over the events still open, and an event depends on
the seed and its number alone. Every dimension has a table of cells that the scan adapts to where the weight is large
(Lepage, J. Comput. Phys. 27 (1978) 192), so that a model need not be flat to be unweighted quickly.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Keys
from ...event import TruthEvents, empty_columns
from ...kernel import BLOCK, stage
from ...rng import (
    ACCEPT_STREAM,
    ENERGY_SPREAD_STREAM,
    SCAN_STREAM,
    check_seed,
    derive_seed,
    key,
    normal2,
    uniform53,
    words,
)
from ..radiative.adaptation import equal_cells, even_edges
from .model import Model, Points
from .options import Option, check_options
from .protocol import EventSource, Setting

#: Cells of equal probability per dimension, and rounds of their adaptation.
CELLS = 64
_ROUNDS = 4
#: Trials of an event before it is given up.
MAX_TRIALS = 1000
_MARGIN = 1.1
_SCAN_SEED = 20180415
#: Energy spreads between sqrt(s) and what a process needs; a normal number of `rng` never exceeds 6.7.
SPREADS = 7.0


@dataclass(frozen=True)
class ModelProcess:
    """A process made of a model; see `protocol.Process`.

    `build(order, sqrt_s, options)` returns the model, and raises ValueError where the options exclude each other or
    leave no phase space.
    """

    name: str
    final_state: str
    build: Callable[[str, float, dict[str, Any]], Model]
    options: Mapping[str, Option]
    reference: str
    orders: tuple[str, ...] = ("lo",)
    validity: str = "everywhere"

    def contains(self, order: str, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return no process: a model shares no events with another."""
        return ()

    def prepare(self, setting: Setting) -> EventSource:
        """Return a source of events."""
        return ModelSource(self, setting)


@stage
def uniforms_stage(
    k0: np.uint64, k1: np.uint64, event: Keys, trial: Keys, stream: np.uint64, block: np.uint64, u: Floats, v: Floats
) -> None:
    """Draw two uniform numbers of 53 bits per trial from a block of a stream."""
    for i in range(np.uint64(event.size)):
        a, b, c, d = words(k0, k1, event[i], trial[i], stream, block)
        u[i] = uniform53(a, b)
        v[i] = uniform53(c, d)


@stage
def spread_stage(k0: np.uint64, k1: np.uint64, event: Keys, nominal: float, spread: float, sqrt_s: Floats) -> None:
    """Draw the centre-of-mass energy of events [GeV]: a normal distribution about the nominal one."""
    for i in range(np.uint64(event.size)):
        a, b, _, _ = words(k0, k1, event[i], np.uint64(0), ENERGY_SPREAD_STREAM, np.uint64(0))
        g, _ = normal2(a, b)
        sqrt_s[i] = nominal + spread * g


@stage
def cell_stage(edges: Floats, u: Floats, weight: Floats) -> None:
    """Map uniform numbers to values drawn from cells of equal probability; the weight takes the inverse density."""
    cells = float(edges.size - 1)
    for i in range(np.uint64(u.size)):
        x = u[i] * cells
        cell = min(int(x), edges.size - 2)
        width = edges[cell + 1] - edges[cell]
        u[i] = min(edges[cell] + (x - cell) * width, 1.0 - 1.1102230246251565e-16)
        weight[i] *= cells * width


class ModelSource:
    """A model with its cuts, ready to make events; see `EventSource`."""

    def __init__(self, process: ModelProcess, setting: Setting) -> None:
        self.process = process
        self.setting = setting._replace(seed=check_seed(setting.seed))
        self._check_beams()
        self.options = check_options(process.name, process.options, setting.options)
        self._model = process.build(setting.order, setting.sqrt_s, self.options)
        self._grid = [even_edges(0.0, 1.0, CELLS) for _ in range(self._model.n_uniforms)]
        self._key = key(self.setting.seed)
        self._maximum = self._adapt()
        if self._maximum == 0.0:
            text = ", ".join(f"{name} = {value}" for name, value in self.options.items())
            raise ValueError(f"{process.name}: no event passes the cuts {text}")
        self._measure()

    def _check_beams(self) -> None:
        for name, low in (("sqrt_s", 0.0), ("energy_spread", -1.0)):
            value = getattr(self.setting, name)
            if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
                raise TypeError(f"{name} = {value!r}, must be a number [GeV]")
            if not (math.isfinite(value) and low < value <= 1000.0) or (name == "energy_spread" and value < 0.0):
                raise ValueError(f"{name} = {value}, must be {'positive' if low == 0.0 else 'at least 0'} [GeV]")
        if self.setting.energy_spread > 0.1 * self.setting.sqrt_s / SPREADS:
            limit = 0.1 * self.setting.sqrt_s / SPREADS
            raise ValueError(f"energy_spread = {self.setting.energy_spread}, must be in [0, {limit:.3g}] GeV")

    def _drawn(
        self, keys: tuple[np.uint64, np.uint64], stream: np.uint64, event: Keys, trial: Keys
    ) -> tuple[Floats, Floats, Points]:
        """Return raw uniform numbers, the one for acceptance last, centre-of-mass energies, and weighted points."""
        n_uniforms = self._model.n_uniforms
        raw = np.empty((n_uniforms + 1 + (n_uniforms + 1) % 2, len(event)))
        for block in range(len(raw) // 2):
            uniforms_stage(*keys, event, trial, stream, np.uint64(block), raw[2 * block], raw[2 * block + 1])
        sqrt_s = np.full(len(event), float(self.setting.sqrt_s))
        if self.setting.energy_spread > 0.0:
            spread_stage(*keys, event, self.setting.sqrt_s, self.setting.energy_spread, sqrt_s)
        u, jacobian = raw[:n_uniforms].copy(), np.ones(len(event))
        for edges, one in zip(self._grid, u):
            cell_stage(edges, one, jacobian)
        points = self._model.points(u, sqrt_s)
        return raw, sqrt_s, points._replace(weight=points.weight * jacobian)

    def _scan(self, name: str, n: int) -> tuple[Floats, Points]:
        """Return raw uniform numbers and points of a scan, which has a seed of its own."""
        event = np.arange(n, dtype=np.uint64)
        keys = key(derive_seed(_SCAN_SEED, self.process.name, name))
        raw, _, points = self._drawn(keys, SCAN_STREAM, event, np.zeros(n, dtype=np.uint64))
        bad = np.flatnonzero(~(np.isfinite(points.weight) & (points.weight >= 0.0)))
        if bad.size:
            raise ValueError(
                f"{self.process.name}: weight {points.weight[bad[0]]} in the scan, must be finite and >= 0"
            )
        return raw, points

    def _adapt(self) -> float:
        """Adapt the cells of all dimensions, and return the maximum of the weight [nb]."""
        n = max(self.setting.n_scan // 16, BLOCK)
        for number in range(_ROUNDS):
            raw, points = self._scan(f"adapt {number}", n)
            if not points.weight.any():
                continue
            for dimension, edges in enumerate(self._grid):
                cell = np.minimum((raw[dimension] * CELLS).astype(np.int64), CELLS - 1)
                sums: Floats = np.bincount(cell, weights=points.weight**2, minlength=CELLS).astype(np.float64)
                self._grid[dimension] = _adapted(edges, sums)
        highest = 0.0
        for part in range(max(self.setting.n_scan // (16 * BLOCK), 1)):
            highest = max(highest, float(self._scan(f"maximum {part}", 16 * BLOCK)[1].weight.max()))
        return _MARGIN * highest

    def _measure(self) -> None:
        """Measure cross section, efficiency and overflow on trial 0, unit by unit in order."""
        units = max(-(-self.setting.n_cross_section // BLOCK), 1)
        sums = [0.0] * 5
        for start in range(0, units, 16):
            size = min(16, units - start) * BLOCK
            event = np.arange(start * BLOCK, start * BLOCK + size, dtype=np.uint64)
            _, _, points = self._drawn(self._key, ACCEPT_STREAM, event, np.zeros(size, dtype=np.uint64))
            for unit in points.weight.reshape(-1, BLOCK):
                parts = (unit, unit**2, unit > 0.0, np.minimum(unit, self._maximum), unit > self._maximum)
                sums = [total + float(np.cumsum(part)[-1]) for total, part in zip(sums, parts)]
        total, square, passed, expected, over = sums
        trials = units * BLOCK
        self.cross_section = total / trials
        self.cross_section_error = math.sqrt(max(square / trials - self.cross_section**2, 0.0) / trials)
        self.efficiency = passed / trials if self.setting.weighted else expected / trials / self._maximum
        self.overflow = 0.0 if self.setting.weighted or expected == 0.0 else over * self._maximum / expected
        self._mean_weight = total / passed if passed else 1.0

    def events(self, start: int, n: int) -> TruthEvents:
        """Return events start .. start + n; an event without an accepted trial has weight 0."""
        shape = (len(self._model.particles), 4, n)
        momenta, places = np.zeros(shape), np.zeros(shape)
        weight, sqrt_s = np.zeros(n), np.full(n, float(self.setting.sqrt_s))
        still_open = np.arange(n)
        for t in range(MAX_TRIALS):
            if not still_open.size:
                break
            event = (still_open + start).astype(np.uint64)
            raw, energies, points = self._drawn(self._key, ACCEPT_STREAM, event, np.full_like(event, t))
            maximum = 0.0 if self.setting.weighted else self._maximum
            accepted = raw[self._model.n_uniforms] * maximum < points.weight
            rows = still_open[accepted]
            momenta[:, :, rows] = points.momenta[:, :, accepted]
            if points.places is not None:
                places[:, :, rows] = points.places[:, :, accepted]
            weight[rows], sqrt_s[rows] = points.weight[accepted], energies[accepted]
            still_open = still_open[~accepted]
        weight = weight / self._mean_weight if self.setting.weighted else np.where(weight > 0.0, 1.0, 0.0)
        return self._record(start, weight, sqrt_s, momenta, places)

    def _record(self, start: int, weight: Floats, sqrt_s: Floats, momenta: Floats, places: Floats) -> TruthEvents:
        n = len(weight)
        present: NDArray[np.bool_] = momenta[:, 3, :].T > 0.0
        offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(present.sum(axis=1), dtype=np.int64)])
        columns = {**empty_columns("TruthEvents", "event", n)}
        columns |= {"number": np.arange(start, start + n), "weight": weight, "event_sqrt_s": sqrt_s}
        columns["process"][:] = 0
        for c, name in enumerate(("px", "py", "pz", "energy")):
            columns[name] = momenta[:, c, :].T[present]
        for c, name in enumerate(("vx", "vy", "vz", "t")):
            columns[name] = places[:, c, :].T[present]
        for name in ("pdg", "charge", "status", "parent"):
            each = np.array([getattr(particle, name) for particle in self._model.particles], dtype=np.int32)
            columns[name] = np.broadcast_to(each, present.shape)[present]
        return TruthEvents(
            offsets=offsets,
            **columns,
            processes=self.process.name,
            frame="cm",
            sqrt_s=float(self.setting.sqrt_s),
            cross_section=self.cross_section,
            cross_section_error=self.cross_section_error,
            seed=str(self.setting.seed),
            provenance=self._provenance(),
        )

    def _provenance(self) -> str:
        entry = {
            "step": "generate",
            "process": self.process.name,
            "order": self.setting.order,
            "sqrt_s": float(self.setting.sqrt_s),
            "seed": str(self.setting.seed),
            "weighted": self.setting.weighted,
            "options": {**self.options, "energy_spread": float(self.setting.energy_spread)},
        }
        return json.dumps([entry])


def _adapted(edges: Floats, sums: Floats) -> Floats:
    """Return edges of cells in which the root of the summed squares of the weights is the same, smoothed and damped."""
    widths = np.diff(edges)
    density = np.sqrt(sums) / widths
    padded = np.concatenate([density[:1], density, density[-1:]])
    density = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    # summed in order, like every number that an event depends on
    mean = float(np.cumsum(density * widths)[-1])
    return equal_cells(edges, np.maximum(density, 0.1 * mean))
