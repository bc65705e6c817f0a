"""Events of any process that is a weight and momenta as functions of uniform numbers.

Whoever writes such a model (`model`) needs to know nothing of seeds, loops or files: trial t of event e draws its
uniform numbers from counter (event = e, particle = t); trials are made in rounds over the events still open, and an
event depends on the seed and its number alone. A `grid` makes the trials follow the model.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...arrays import Bools, Floats, Keys
from ...constants import PI
from ...elementary import exp
from ...event import TruthEvents, concatenate
from ...kernel import BLOCK, stage
from ...rng import ACCEPT_STREAM, SCAN_STREAM, check_seed, derive_seed, key, uniform53, words
from .grid import Grid
from .model import Model, Points
from .options import Option, check_options
from .protocol import EventSource, Setting
from .records import truth_of

#: Rounds of the adaptation, the last of which only tells how good the grid of the one before is.
_ROUNDS = 10
#: Trials of an event before it is given up, and the efficiency below which that could happen to one in 1e8.
MAX_TRIALS = 10_000
_LEAST_EFFICIENCY = 2e-3
#: What the maximum is raised by over the scanned one.
_MARGIN = 1.1
#: Share of the cross section that may lie beyond the maximum where that makes it much smaller.
_EXCESS = 1e-4
_WORTH = 0.5
#: A weight that varies by less is as good as constant: its scanned maximum needs no margin.
_FLAT = 1e-9
_SCAN_SEED = 20180415
#: Trials that are made at once.
_BATCH = 16 * BLOCK
#: Range of sqrt(s) in energy spreads: 3e-12 lies beyond.
SPREADS = 7.0
_EVEN = 2.0 * SPREADS / math.sqrt(2.0 * PI)


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
    #: Labels of processes whose events are part of this one, by order.
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: Frame of the momenta: "cm", or "lab" for particles that come from no collision.
    frame: str = "cm"
    #: Whether the weights are cross sections; else the record's is NaN.
    has_cross_section: bool = True

    def contains(self, order: str, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the labels of processes whose events are part of this one."""
        return self.parts.get(order, ())

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
def spread_stage(nominal: float, spread: float, u: Floats, sqrt_s: Floats, weight: Floats) -> None:
    """Draw the centre-of-mass energy of trials [GeV], even between +-7 spreads; the weight takes the normal density.

    The grid then follows normal distribution and cross section alike, of which a narrow resonance leaves little.
    """
    for i in range(np.uint64(u.size)):
        t = SPREADS * (2.0 * u[i] - 1.0)
        sqrt_s[i] = nominal + spread * t
        weight[i] *= _EVEN * exp(-0.5 * t * t)


def chosen_maximum(weight: Floats) -> float:
    """Return the maximum for acceptance and rejection from scanned weights.

    A little above the largest, unless a few weights far above the others would slow down everything: where leaving
    `_EXCESS` of the cross section beyond the maximum lowers it by half, it is. Overflow is counted in any case.
    """
    ordered = np.sort(weight)[::-1]
    highest, lowest = float(ordered[0]), float(ordered[-1])
    if highest - lowest <= _FLAT * highest:
        return (1.0 + _FLAT) * highest
    # the sum of what the largest k weights exceed the next one by
    excess = np.cumsum(ordered)[:-1] - np.arange(1, len(ordered)) * ordered[1:]
    bearable = float(ordered[np.searchsorted(excess, _EXCESS * float(np.cumsum(ordered)[-1]))])
    return bearable if bearable < _WORTH * _MARGIN * highest else _MARGIN * highest


class ModelSource:
    """A model with its cuts, ready to make events; see `EventSource`."""

    def __init__(self, process: ModelProcess, setting: Setting) -> None:
        self.process = process
        self.setting = setting._replace(seed=check_seed(setting.seed))
        self._check_beams()
        self.options = check_options(process.name, process.options, setting.options)
        self._model = process.build(setting.order, float(setting.sqrt_s), self.options)
        self._grid = Grid(self._model.n_uniforms + (self.setting.energy_spread > 0.0))
        self._key = key(self.setting.seed)
        self._adapt()
        self._maximum = self._scan_maximum()
        text = ", ".join(f"{name} = {value}" for name, value in self.options.items())
        if self._maximum == 0.0:
            raise ValueError(f"{process.name}: no event passes the cuts {text}")
        self._measure()
        if not setting.weighted and self.efficiency < _LEAST_EFFICIENCY:
            raise ValueError(
                f"{process.name}: {self.efficiency:.2g} of the trials are accepted, must be {_LEAST_EFFICIENCY} at "
                f"least; weighted events or other cuts than {text} are needed"
            )

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
        """Return uniform numbers before the grid, the one for acceptance last, sqrt(s) [GeV] and weighted points."""
        n = self._model.n_uniforms
        dimensions = n + (self.setting.energy_spread > 0.0)
        raw = np.empty((dimensions + 1 + (dimensions + 1) % 2, len(event)))
        for block in range(len(raw) // 2):
            uniforms_stage(*keys, event, trial, stream, np.uint64(block), raw[2 * block], raw[2 * block + 1])
        u, weight = self._grid.mapped(raw[:dimensions])
        sqrt_s = np.full(len(event), float(self.setting.sqrt_s))
        if dimensions > n:
            spread_stage(float(self.setting.sqrt_s), float(self.setting.energy_spread), u[n], sqrt_s, weight)
        points = self._model.points(u[:n], sqrt_s)
        weight = points.weight * weight
        if not (weight.min() >= 0.0 and weight.max() < math.inf):
            bad = int(np.flatnonzero(~((weight >= 0.0) & (weight < math.inf)))[0])
            raise ValueError(
                f"{self.process.name}: weight {weight[bad]} in trial {trial[bad]} of event {event[bad]}, "
                "must be finite and not negative"
            )
        return raw[: dimensions + 1], sqrt_s, points._replace(weight=weight)

    def _scan(self, name: str, n: int) -> tuple[Floats, Floats]:
        """Return uniform numbers before the grid and weights of a scan, which has a seed of its own."""
        event = np.arange(n, dtype=np.uint64)
        keys = key(derive_seed(_SCAN_SEED, self.process.name, name))
        raw, _, points = self._drawn(keys, SCAN_STREAM, event, np.zeros_like(event))
        return raw[:-1], points.weight

    def _adapt(self) -> None:
        """Adapt the grid in rounds, and keep the one of the best efficiency.

        A few large weights can spoil a round. One in which no trial passes the cuts leaves the grid as it is.
        """
        n = max(self.setting.n_scan // 8, BLOCK)
        best, chosen = -1.0, self._grid
        for number in range(_ROUNDS):
            raw, weight = self._scan(f"adapt {number}", n)
            if weight.any():
                efficiency = float(np.cumsum(weight)[-1]) / n / chosen_maximum(weight)
                best, chosen = max((best, chosen), (efficiency, self._grid), key=lambda pair: pair[0])
                self._grid = self._grid.adapted(raw, weight)
        self._grid = chosen

    def _scan_maximum(self) -> float:
        """Return the maximum of the weight [nb] for acceptance and rejection."""
        parts = range(max(self.setting.n_scan // _BATCH, 1))
        return chosen_maximum(np.concatenate([self._scan(f"maximum {part}", _BATCH)[1] for part in parts]))

    def _measure(self) -> None:
        """Measure cross section, efficiency and overflow on trial 0, unit by unit in order."""
        units = max(-(-self.setting.n_cross_section // BLOCK), 1)
        sums = [0.0] * 5
        for start in range(0, units * BLOCK, _BATCH):
            event = np.arange(start, min(start + _BATCH, units * BLOCK), dtype=np.uint64)
            _, _, points = self._drawn(self._key, ACCEPT_STREAM, event, np.zeros_like(event))
            for unit in points.weight.reshape(-1, BLOCK):
                parts = (unit, unit**2, unit > 0.0, np.minimum(unit, self._maximum), unit > self._maximum)
                sums = [total + float(np.cumsum(part)[-1]) for total, part in zip(sums, parts)]
        total, square, passed, expected, over = sums
        trials = units * BLOCK
        mean = total / trials
        error = math.sqrt(max(square / trials - mean**2, 0.0) / trials)
        known = self.process.has_cross_section
        self.cross_section, self.cross_section_error = (mean, error) if known else (math.nan, math.nan)
        self.efficiency = passed / trials if self.setting.weighted else expected / trials / self._maximum
        self.overflow = 0.0 if self.setting.weighted or expected == 0.0 else over * self._maximum / expected
        self._mean_weight = total / passed if passed else 1.0

    def events(self, start: int, n: int) -> TruthEvents:
        """Return events start .. start + n; an event without an accepted trial has weight 0."""
        pieces = [
            self._events(np.arange(first, min(first + _BATCH, start + n)))
            for first in range(start, start + max(n, 1), _BATCH)
        ]
        truth: TruthEvents = concatenate(pieces)
        return truth._replace(
            processes=self.process.name,
            frame=self.process.frame,
            sqrt_s=float(self.setting.sqrt_s),
            cross_section=self.cross_section,
            cross_section_error=self.cross_section_error,
            seed=str(self.setting.seed),
            provenance=self._provenance(),
        )

    def _events(self, number: np.ndarray[Any, np.dtype[np.int64]]) -> TruthEvents:
        n = len(number)
        shape = (len(self._model.particles), 4, n)
        momenta, places = np.zeros(shape), None
        weight, sqrt_s = np.zeros(n), np.full(n, float(self.setting.sqrt_s))
        maximum = 0.0 if self.setting.weighted else self._maximum
        still_open = np.arange(n)
        for t in range(MAX_TRIALS):
            if not still_open.size:
                break
            event = number[still_open].astype(np.uint64)
            raw, energies, points = self._drawn(self._key, ACCEPT_STREAM, event, np.full_like(event, t))
            accepted: Bools = raw[-1] * maximum < points.weight
            rows, chosen = still_open[accepted], np.flatnonzero(accepted)
            momenta[:, :, rows] = points.momenta[:, :, chosen]
            if points.places is not None:
                places = np.zeros(shape) if places is None else places
                places[:, :, rows] = points.places[:, :, chosen]
            weight[rows], sqrt_s[rows] = points.weight[chosen], energies[chosen]
            still_open = still_open[~accepted]
        weight = weight / self._mean_weight if self.setting.weighted else np.where(weight > 0.0, 1.0, 0.0)
        return truth_of(self._model.particles, number, weight, sqrt_s, momenta, places)

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
        if not self.process.has_cross_section:
            entry["cross_section"] = "none"
        return json.dumps([entry])
