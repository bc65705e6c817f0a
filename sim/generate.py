"""Generation of events: a prepared generator that makes any range of event numbers, and `generate` on top of it."""

import json
import math
from typing import Any

import numpy as np

from ..event import Floats, TruthEvents, empty_columns
from ..kernel import BLOCK
from ..rng import ACCEPT_STREAM, check_seed, key
from .processes.registry import find_process
from .radiative.adaptation import adapt
from .radiative.final_state import energy_spread_stage, momenta
from .radiative.options import check_request
from .radiative.sampling import BHABHA, LEPTONS, PIONS, Source, choose_trials, sum_trials

_KINDS = {"annihilation": LEPTONS, "bhabha": BHABHA, "pions": PIONS}
_PHOTON = 22

#: Trials behind the cross section and behind each scan of the maximum.
N_CROSS_SECTION = 2**20
N_SCAN = 2**20


class Generator:
    """A process with its cuts, ready to make events start .. start + n of a sample.

    Event e depends on (seed, e) and the options alone: `events` returns the same bits however the numbers are divided
    into chunks or threads, and may be called from several threads at once.

    Parameters
    ----------
    process : str
        Name of a process (`sim.processes.registry.PROCESSES`).
    sqrt_s : float
        Nominal centre-of-mass energy [GeV].
    seed : int
        Seed in [0, 2**64).
    order : str
        "lo": leading order with alpha(0), without vacuum polarisation.
    weighted : bool
        Whether events are kept with their weights, of mean one over all events within the cuts, in place of
        acceptance-rejection: the expected number is the sum of weight * luminosity * cross_section / n.
    energy_spread : float
        Standard deviation of the event's sqrt(s) [GeV] at fixed distribution of the pair's mass. Matrix element and
        cuts are those of the nominal energy.
    n_cross_section, n_scan : int
        Trials behind the cross section, and behind each scan that prepares mass table and maximum.
    **options
        Cuts in the centre of mass: mass_min, mass_max [GeV], theta_gamma_max, lepton_theta_min [rad, from either
        beam], lepton_pt_min [GeV/c]; mass [GeV], lepton ("mu" or "e"), epsilon. Each process takes its own.

    Attributes
    ----------
    cross_section, cross_section_error : float
        Within the cuts [nb], from trial 0 of the first n_cross_section events.
    efficiency : float
        Accepted trials over all trials.
    overflow : float
        Fraction of accepted trials whose weight exceeds the maximum.
    """

    def __init__(
        self,
        process: str,
        *,
        sqrt_s: float = 3.773,
        seed: int,
        order: str = "lo",
        weighted: bool = False,
        energy_spread: float = 0.0,
        n_cross_section: int = N_CROSS_SECTION,
        n_scan: int = N_SCAN,
        **options: Any,
    ) -> None:
        self.process = find_process(process)
        self.seed = check_seed(seed)
        self.weighted = bool(weighted)
        request = check_request(self.process, sqrt_s, order, energy_spread, options)
        self.options = request.options
        self.sqrt_s = request.region.sqrt_s
        self.energy_spread = float(energy_spread)
        self._pair = request.pair
        k0, k1 = key(self.seed)
        self._source = Source(k0, k1, ACCEPT_STREAM)
        kind = _KINDS[self.process.matrix_element]
        self._dice, self._maximum = adapt(kind, request.region, request.masses, request.rapidities, n_scan)
        if self._maximum == 0.0:
            raise ValueError(f"{process}: no event passes the cuts {_text(self.options)}")
        self._measure(max(n_cross_section, 1))

    def _measure(self, n: int) -> None:
        """Measure cross section, efficiency and overflow on trial 0 of n events, in whole blocks."""
        units = (n + BLOCK - 1) // BLOCK
        sums = np.zeros(5)
        sum_trials(self._source, self._dice, self._maximum, units, sums)
        total, square, passed, expected, over = (float(x) for x in sums)
        trials = units * BLOCK
        self.cross_section = total / trials
        self.cross_section_error = math.sqrt(max(square / trials - self.cross_section**2, 0.0) / trials)
        self.efficiency = passed / trials if self.weighted else expected / trials / self._maximum
        self.overflow = 0.0 if self.weighted or expected == 0.0 else over * self._maximum / expected
        self._mean_weight = total / passed if passed else 1.0

    def events(self, start: int, n: int) -> TruthEvents:
        """Return events start .. start + n.

        Three final particles each: negative, positive, photon. An event that found no trial within 1000 has weight 0.
        """
        if start < 0 or n < 0:
            raise ValueError(f"start = {start} and n = {n}, must not be negative")
        first = np.uint64(start)
        trial = np.empty(n, dtype=np.uint64)
        columns = {**empty_columns("TruthEvents", "event", n), **empty_columns("TruthEvents", "particle", 3 * n)}
        weight: Floats = columns["weight"]
        choose_trials(self._source, self._dice, 0.0 if self.weighted else self._maximum, first, trial, weight)
        if self.weighted:
            weight /= self._mean_weight
        else:
            weight[weight > 0.0] = 1.0
        sqrt_s: Floats = columns["event_sqrt_s"]
        if self.energy_spread > 0.0:
            energy_spread_stage(self._source, first, self.sqrt_s, self.energy_spread, sqrt_s)
        else:
            sqrt_s[:] = self.sqrt_s
        px, py, pz, energy = (columns[name] for name in ("px", "py", "pz", "energy"))
        momenta(self._source, self._dice, first, trial, sqrt_s, px, py, pz, energy)
        columns["number"][:] = np.arange(start, start + n)
        columns["process"][:] = 0
        for i, (pdg, sign) in enumerate(((self._pair.negative, -1), (self._pair.positive, 1), (_PHOTON, 0))):
            columns["pdg"][i::3] = pdg
            columns["charge"][i::3] = sign
        columns["status"][:] = 1
        columns["parent"][:] = -1
        for name in ("vx", "vy", "vz", "t"):
            columns[name] = np.zeros(3 * n)  # pages that nobody writes cost nothing
        return TruthEvents(
            offsets=3 * np.arange(n + 1, dtype=np.int64),
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
            "order": self.process.order,
            "sqrt_s": self.sqrt_s,
            "seed": str(self.seed),
            "weighted": self.weighted,
            "options": self.options,
        }
        return json.dumps([entry])


def _text(options: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in options.items())


def check_n_events(n_events: int) -> int:
    """Return the number of events as an int, or raise TypeError or ValueError naming it and what is allowed."""
    if isinstance(n_events, bool) or not isinstance(n_events, (int, np.integer)):
        raise TypeError(f"n_events = {n_events!r}, must be an integer of at least 0")
    if n_events < 0:
        raise ValueError(f"n_events = {n_events}, must be an integer of at least 0")
    return int(n_events)


def generate(
    process: str,
    n_events: int,
    *,
    sqrt_s: float = 3.773,
    seed: int,
    order: str = "lo",
    weighted: bool = False,
    energy_spread: float = 0.0,
    **options: Any,
) -> TruthEvents:
    """Generate events of one process in the e+e- centre of mass, with its cross section [nb] within the cuts.

    Parameters
    ----------
    process : str
        `mumu_isr`, `ee_annihilation`, `ee_bhabha`, `pipi_isr`, `jpsi_isr`, `psi2s_isr` or `dark_photon`.
    n_events : int
    sqrt_s : float
        Nominal centre-of-mass energy [GeV].
    seed : int
        0 <= seed < 2**64; an event depends on the seed, its number and the options alone.
    order : str
        "lo": leading order with alpha(0), without vacuum polarisation or resonances in the amplitude.
    weighted : bool
        Weights of mean one in place of acceptance-rejection.
    energy_spread : float
        Standard deviation of the event's sqrt(s) [GeV].
    **options
        Cuts in the centre of mass: `mass_min`, `mass_max` of the pair [GeV], `theta_gamma_max` and `lepton_theta_min`
        (both leptons) from either beam [rad], `lepton_pt_min` [GeV/c]; `mass` [GeV] and `epsilon` of a dark photon;
        `lepton`, "mu" or "e", where a process has both. Each process takes its own.

    Returns
    -------
    TruthEvents
        Three final particles per event: negative, positive, photon; `cross_section` and `cross_section_error` [nb],
        from at least 2^20 trials however few the events.

    Raises
    ------
    TypeError
        If an option is unknown to the process.
    ValueError
        If the process, a value or the number of events is not allowed.

    Examples
    --------
    >>> truth = generate("mumu_isr", 1000, seed=1, mass_min=1.5, mass_max=3.4)
    >>> truth.n_events
    1000
    """
    n_events = check_n_events(n_events)
    generator = Generator(
        process,
        sqrt_s=sqrt_s,
        seed=seed,
        order=order,
        weighted=weighted,
        energy_spread=energy_spread,
        n_cross_section=max(n_events, N_CROSS_SECTION),
        **options,
    )
    return generator.events(0, n_events)
