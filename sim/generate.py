"""Generation of events of any process: a prepared generator, and `generate` on top of it."""

from typing import Any

import numpy as np

from ..event import TruthEvents
from ..rng import check_seed
from .processes.protocol import Setting
from .processes.registry import find_order, find_process

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
        Name of a process (`sim.processes.registry.processes`).
    sqrt_s : float
        Nominal centre-of-mass energy [GeV].
    seed : int
        Seed in [0, 2**64).
    order : str, optional
        "lo": leading order with alpha(0), without vacuum polarisation and resonances in the amplitude; "ll": with
        radiation of any number of photons in leading logarithms. None: the first of the process's orders.
    weighted : bool
        Whether events are kept with their weights, of mean one over all events within the cuts, in place of
        acceptance-rejection: the expected number is the sum of weight * luminosity * cross_section / n.
    energy_spread : float
        Standard deviation of the event's sqrt(s) [GeV].
    n_cross_section, n_scan : int
        Trials behind the cross section, and behind each scan that prepares tables and maximum.
    **options
        Those of the process, see `besfast generate --list`; angles and momenta in the centre of mass.

    Attributes
    ----------
    options : dict
        The options in use, defaults included.
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
        order: str | None = None,
        weighted: bool = False,
        energy_spread: float = 0.0,
        n_cross_section: int = N_CROSS_SECTION,
        n_scan: int = N_SCAN,
        **options: Any,
    ) -> None:
        self.process = find_process(process)
        self.order = find_order(self.process, order)
        setting = Setting(
            sqrt_s=sqrt_s,
            seed=check_seed(seed),
            order=self.order,
            weighted=bool(weighted),
            energy_spread=energy_spread,
            n_cross_section=n_cross_section,
            n_scan=n_scan,
            options=options,
        )
        self._source = self.process.prepare(setting)
        self.options = self._source.options
        self.cross_section = self._source.cross_section
        self.cross_section_error = self._source.cross_section_error
        self.efficiency = self._source.efficiency
        self.overflow = self._source.overflow

    def events(self, start: int, n: int) -> TruthEvents:
        """Return events start .. start + n in the e+e- centre of mass.

        An event that found no accepted trial within 1000 has weight 0.
        """
        if start < 0 or n < 0:
            raise ValueError(f"start = {start} and n = {n}, must not be negative")
        return self._source.events(start, n)


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
    order: str | None = None,
    weighted: bool = False,
    energy_spread: float = 0.0,
    **options: Any,
) -> TruthEvents:
    """Generate events of one process in the e+e- centre of mass, with its cross section [nb] within the cuts.

    Parameters
    ----------
    process : str
        Name of a process: `mumu_isr`, `ee_bhabha`, `dark_photon`, ... (`besfast generate --list`).
    n_events : int
    sqrt_s : float
        Nominal centre-of-mass energy [GeV].
    seed : int
        0 <= seed < 2**64; an event depends on the seed, its number and the options alone.
    order : str, optional
        "lo" or "ll", see `Generator`; None: the first of the process's orders.
    weighted : bool
        Weights of mean one in place of acceptance-rejection.
    energy_spread : float
        Standard deviation of the event's sqrt(s) [GeV].
    **options
        Those of the process, angles and momenta in the centre of mass: `mass_min`, `mass_max` of the pair [GeV],
        `theta_gamma_min`, `theta_gamma_max` and `lepton_theta_min` (both leptons) from either beam [rad],
        `lepton_pt_min` [GeV/c], before the pair radiates; `mass` [GeV] and `epsilon` of a dark photon; `lepton`, "mu"
        or "e", where a process has both; at order "ll" `vacuum_polarisation`, `resonances`, `final_state_radiation`
        (all True) and `soft_cutoff` (1 MeV): softer photons are not written.

    Returns
    -------
    TruthEvents
        Of radiative return: negative, positive, photon, then further photons; `cross_section` and
        `cross_section_error` [nb], from at least 2^20 trials however few the events.

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
