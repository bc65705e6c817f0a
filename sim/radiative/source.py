"""Events of radiative return from their random numbers: a source that makes any range of event numbers."""

import json
import math
from typing import Any

import numpy as np

from ...arrays import Ints
from ...event import Floats, TruthEvents, empty_columns
from ...kernel import BLOCK
from ...rng import ACCEPT_STREAM, check_seed, key
from ..processes.protocol import Setting
from .adaptation import adapt, even_losses
from .channel import Channel
from .dice import BHABHA, LEPTONS, PIONS, Beyond, Source
from .events import DecayRadiation, energy_spread_stage, write_events
from .line_shape import BARE, line_shape
from .options import check_request
from .radiation import VERTEX_CORRECTION, beam_radiation
from .sampling import choose_trials, sum_trials

_KINDS = {"annihilation": LEPTONS, "bhabha": BHABHA, "pions": PIONS}
_PHOTON = 22
_MUON = 13


class RadiativeSource:
    """A process of radiative return with its cuts, ready to make events; see `EventSource`.

    Parameters
    ----------
    process : Channel
    setting : Setting
        With a spread of energy the distribution of the pair's mass stays, and matrix element and cuts are those of the
        nominal energy.
    """

    def __init__(self, process: Channel, setting: Setting) -> None:
        self.process = process
        self.seed = check_seed(setting.seed)
        self.order = setting.order
        self.weighted = setting.weighted
        request = check_request(process, setting.order, setting.sqrt_s, setting.energy_spread, setting.options)
        self.options = request.options
        self.sqrt_s = request.region.sqrt_s
        self.energy_spread = float(setting.energy_spread)
        self._pair = request.pair
        k0, k1 = key(self.seed)
        self._source = Source(k0, k1, ACCEPT_STREAM)
        kind = _KINDS[process.matrix_element]
        correction = VERTEX_CORRECTION if self.order == "ll" and kind != BHABHA else 1.0
        self._dice, self._beyond, self._maximum = adapt(
            kind,
            request.region,
            request.masses,
            request.rapidities,
            setting.n_scan,
            None if self.order == "lo" else self._beyond_leading_order(),
            correction,
        )
        self._decay = None
        if self.options.get("final_state_radiation", False):
            self._decay = DecayRadiation(kind == PIONS, self.options["soft_cutoff"])
        photons = 1 if self.order == "lo" else 3 if self._decay is None else 5
        kinds = [(self._pair.negative, -1), (self._pair.positive, 1), *[(_PHOTON, 0)] * photons]
        self._kinds = np.array(kinds, dtype=np.int32)
        if self._maximum == 0.0:
            raise ValueError(f"{process.name}: no event passes the cuts {_text(self.options)}")
        self._measure(max(setting.n_cross_section, 1))

    def _beyond_leading_order(self) -> Beyond:
        """Return additional photons and propagators, not yet adapted."""
        polarised = self.options.get("vacuum_polarisation", False)
        # a dark photon mixes with all that a virtual photon becomes, the narrow states included: the same F as QED
        resonant = self.options.get("resonances", polarised and "epsilon" in self.options)
        line = BARE
        if polarised or resonant:
            lepton = "mu" if abs(self._pair.negative) == _MUON else "e"
            line = line_shape(lepton, vacuum_polarisation=polarised, resonances=resonant)
        radiation = beam_radiation(self.sqrt_s, self.options["soft_cutoff"])
        return Beyond(radiation, even_losses(), polarised or resonant, line)

    def _measure(self, n: int) -> None:
        """Measure cross section, efficiency and overflow on trial 0 of n events, in whole blocks."""
        units = (n + BLOCK - 1) // BLOCK
        sums = np.zeros(5)
        sum_trials(self._source, self._dice, self._beyond, self._maximum, units, sums)
        total, square, passed, expected, over = (float(x) for x in sums)
        trials = units * BLOCK
        self.cross_section = total / trials
        self.cross_section_error = math.sqrt(max(square / trials - self.cross_section**2, 0.0) / trials)
        self.efficiency = passed / trials if self.weighted else expected / trials / self._maximum
        self.overflow = 0.0 if self.weighted or expected == 0.0 else over * self._maximum / expected
        self._mean_weight = total / passed if passed else 1.0

    def events(self, start: int, n: int) -> TruthEvents:
        """Return events start .. start + n.

        Final particles: negative, positive, hard photon, additional photons of the beams, photons of the pair. An event
        that found no trial within 1000 has weight 0.
        """
        if start < 0 or n < 0:
            raise ValueError(f"start = {start} and n = {n}, must not be negative")
        first = np.uint64(start)
        trial = np.empty(n, dtype=np.uint64)
        columns = empty_columns("TruthEvents", "event", n)
        weight: Floats = columns["weight"]
        maximum = 0.0 if self.weighted else self._maximum
        choose_trials(self._source, self._dice, self._beyond, maximum, first, trial, weight)
        if self.weighted:
            weight /= self._mean_weight
        else:
            weight[weight > 0.0] = 1.0
        sqrt_s: Floats = columns["event_sqrt_s"]
        if self.energy_spread > 0.0:
            energy_spread_stage(self._source, first, self.sqrt_s, self.energy_spread, sqrt_s)
        else:
            sqrt_s[:] = self.sqrt_s
        columns["number"][:] = np.arange(start, start + n)
        columns["process"][:] = 0
        offsets: Ints = np.empty(n + 1, dtype=np.int64)
        # room for every place: pages that nobody writes cost nothing
        room = empty_columns("TruthEvents", "particle", len(self._kinds) * n)
        momenta = (room["px"], room["py"], room["pz"], room["energy"])
        write_events(
            self._source,
            self._dice,
            self._beyond,
            self._decay,
            first,
            trial,
            sqrt_s,
            self._kinds,
            offsets,
            momenta,
            room["pdg"],
            room["charge"],
        )
        columns |= {name: column[: offsets[-1]] for name, column in room.items()}
        columns["status"][:] = 1
        columns["parent"][:] = -1
        for name in ("vx", "vy", "vz", "t"):
            columns[name] = np.zeros(int(offsets[-1]))
        return TruthEvents(
            offsets=offsets,
            **columns,
            processes=self.process.name,
            frame="cm",
            sqrt_s=self.sqrt_s,
            cross_section=self.cross_section,
            cross_section_error=self.cross_section_error,
            seed=str(self.seed),
            provenance=self._provenance(),
        )

    def _provenance(self) -> str:
        entry = {
            "step": "generate",
            "process": self.process.name,
            "order": self.order,
            "sqrt_s": self.sqrt_s,
            "seed": str(self.seed),
            "weighted": self.weighted,
            "options": self.options,
        }
        return json.dumps([entry])


def _text(options: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in options.items())
