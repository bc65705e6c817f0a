"""Simulated dark photons: what the fitted mass makes of a true one, over the mass range of a search."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from .analysis.bump_hunt.templates import SignalShape, fit_shape
from .arrays import Floats
from .event import CHANNELS
from .samples import Producer

#: Residuals that a fit of a shape needs.
MIN_RESIDUALS = 100


class SignalSamples(NamedTuple):
    """Simulated masses [GeV], and the fitted masses of the events selected at each."""

    masses: Floats
    fitted: list[Floats]


def signal_samples(producer: Producer, channel: str) -> SignalSamples:
    """Return dark photons of a channel at masses over the whole range, simulated, reconstructed and selected."""
    search = producer.search
    low, high = search.spectrum.mass_range()
    n_steps = max(round((high - low) / search.signal.mass_step), 6)
    masses = np.linspace(low, high, n_steps + 1)
    lepton = "mu" if channel == "mumu" else "e"
    cuts = producer.process("mumu_isr" if channel == "mumu" else "ee_bhabha")
    n_events = search.signal.events
    total, text = n_events * len(masses), f"containment {channel}"
    with producer.bar(total, text) as bar, ThreadPoolExecutor(producer.jobs) as pool:

        def fitted_masses(mass: float) -> Floats:
            label = f"{channel}#{mass:.6f}"
            generator = producer.dark_photon("containment", label, mass, lepton, cuts)
            # selected wherever it is reconstructed: no truncation at the ends of the range
            chain = producer.chain("containment", label, generator, (0.0, producer.card.beam.sqrt_s))
            events = chain(0, n_events).events
            bar.update(n_events)
            found: Floats = events.mass[events.channel == CHANNELS.index(channel)]
            return found

        return SignalSamples(masses, list(pool.map(fitted_masses, masses.tolist())))


def fitted_shapes(samples: SignalSamples, jobs: int, resolution_scale: float = 1.0) -> SignalShape:
    """Return the double-sided Crystal Ball of every simulated mass, residuals stretched by `resolution_scale`.

    Raises ValueError where a sample has too few events for a fit.
    """
    for mass, values in zip(samples.masses, samples.fitted, strict=True):
        if len(values) < MIN_RESIDUALS:
            raise ValueError(
                f"signal sample at {mass:g} GeV: {len(values)} events pass the selection, a shape needs {MIN_RESIDUALS}"
            )
    with ThreadPoolExecutor(jobs) as pool:
        fits = list(
            pool.map(
                lambda one: fit_shape(resolution_scale * (one[1] - one[0])),
                zip(samples.masses.tolist(), samples.fitted, strict=True),
            )
        )
    return SignalShape(*(np.array(values) for values in zip(*fits, strict=True)))
