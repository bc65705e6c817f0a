"""Samples of the neglected backgrounds: cross sections, toys, hadronic events, and what is selected of them."""

import csv
from collections.abc import Callable, Mapping
from importlib import resources
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from ..analysis.search_card import Search
from ..arrays import Floats, Ints
from ..constants import M_TAU
from ..event import TruthEvents
from ..geometry.card import Card
from ..pipeline import CHUNK, Chain, EventSource, ordered_map
from ..rng import derive_seed
from ..sim.processes.model import Model
from ..sim.processes.protocol import Setting
from ..sim.processes.rejection import ModelProcess
from .background_models import (
    D0_DECAYS,
    DPLUS_DECAYS,
    TAU_DECAYS,
    CharmoniumCascade,
    DecayingPairs,
    HadronPairs,
)
from .hadronic_sample import TurnedSample
from .two_photon import TwoPhotonPairs

#: Multiples of the usual number of events for toys with large cross sections.
EFFORT: Mapping[str, int] = MappingProxyType({"tau_tau": 4, "d0_d0bar": 4, "dplus_dminus": 4})
#: The centre-of-mass energy [GeV] of the cross sections, and how far from it they are used.
SQRT_S, NEAR = 3.773, 0.005
_TRIALS = 2**17


class CrossSection(NamedTuple):
    """A cross section [nb] with its error and where it comes from."""

    value: float
    error: float
    source: str


class Selected(NamedTuple):
    """What is selected of a sample: columns of selected events, and what they stand for.

    `group` tells which events are copies of one; `typical` is the weight of an event where none is selected.
    """

    cross_section: float
    relative_error: float
    n_events: int
    channel: Ints
    mass: Floats
    weight: Floats
    group: Ints
    typical: float


def cross_sections() -> Mapping[str, CrossSection]:
    """Return the packaged cross sections at 3.773 GeV by process."""
    package = __package__.rpartition(".")[0]
    with resources.files(package).joinpath("data", "neglected_backgrounds.csv").open(encoding="utf-8") as lines:
        rows = csv.DictReader(line for line in lines if not line.startswith("#"))
        return {
            row["process"]: CrossSection(float(row["cross_section_nb"]), float(row["error_nb"]), row["source"])
            for row in rows
        }


def _tau_pairs(value: float) -> Model:
    beta2 = 1.0 - 4.0 * M_TAU**2 / SQRT_S**2
    return DecayingPairs(value, beta2 / (2.0 - beta2), TAU_DECAYS)


#: The toys by row of the table of cross sections: model of a cross section [nb] and a mass range [GeV].
MODELS: Mapping[str, Callable[[float, tuple[float, float]], Model]] = MappingProxyType(
    {
        "tau_tau": lambda value, _: _tau_pairs(value),
        "d0_d0bar": lambda value, _: DecayingPairs(value, -1.0, D0_DECAYS),
        "dplus_dminus": lambda value, _: DecayingPairs(value, -1.0, DPLUS_DECAYS),
        "kaon_pair_gamma": lambda _, masses: HadronPairs("kaon", masses[0] - 0.05, masses[1] + 0.2),
        "proton_pair_gamma": lambda _, masses: HadronPairs("proton", masses[0] - 0.05, masses[1] + 0.2),
        "two_photon_mumu": lambda _, masses: TwoPhotonPairs(13, (masses[0] - 0.1, masses[1] + 0.2)),
        "two_photon_ee": lambda _, masses: TwoPhotonPairs(11, (masses[0] - 0.1, masses[1] + 0.2)),
        "psi2s_to_jpsi_mumu": lambda _, masses: CharmoniumCascade(13),
        "psi2s_to_jpsi_ee": lambda _, masses: CharmoniumCascade(11),
    }
)


def source_of(name: str, card: Card, search: Search, seed: int, order: CrossSection) -> EventSource:
    """Return the toy of a row of `MODELS` as a source of weighted events."""
    model = MODELS[name](order.value, search.spectrum.mass_range())
    process = ModelProcess(name, name, lambda *_: model, {}, order.source)
    beam = card.beam
    return process.prepare(Setting(beam.sqrt_s, seed, "lo", True, beam.energy_spread, _TRIALS, _TRIALS, {}))


def run_selection(
    chain: Chain, n_events: int, jobs: int, cross_section: float, relative_error: float, copies_of: int | None = None
) -> Selected:
    """Return what is selected of a source; with `copies_of`, event e is a copy of event e modulo that number."""
    parts = [one.events for one in ordered_map(chain, n_events, jobs, CHUNK)]
    columns = [np.concatenate([getattr(part, name) for part in parts]) for name in ("channel", "mass", "weight")]
    number = np.concatenate([part.number for part in parts])
    kept = columns[2] > 0.0
    channel, mass, weight = (column[kept] for column in columns)
    group = (number if copies_of is None else number % copies_of)[kept]
    first = chain.source.events(0, min(n_events, CHUNK)).weight
    typical = float(np.sum(first**2) / np.sum(first))
    if copies_of is not None:
        # with nothing selected, as much as a selected final state typically has
        sums = np.bincount(group, weights=weight, minlength=1)
        typical = float(np.sum(sums**2) / np.sum(sums)) if sums.any() else n_events / copies_of
    return Selected(cross_section, relative_error, n_events, channel.astype(np.int64), mass, weight, group, typical)


def hadronic_selected(truth: TruthEvents, card: Card, search: Search, copies: int, seed: int, jobs: int) -> Selected:
    """Return what is selected of hadronic events, e.g. of `exchange.read_truth(path, cross_section=21.7)`.

    Every event is turned `copies` times in the rest frame of its hadrons (`hadronic_sample.TurnedSample`).
    """
    source = TurnedSample(truth, derive_seed(seed, "qqbar", "turned"))
    seed = derive_seed(seed, "qqbar", "detector")
    chain = Chain(source, card, search.cuts_by_channel(), search.spectrum.mass_range(), seed)
    reference = cross_sections()["qqbar"]
    relative = reference.error / reference.value
    return run_selection(chain, copies * truth.n_events, jobs, truth.cross_section, relative, truth.n_events)


def packaged_hadronic() -> Selected:
    """Return what was selected with the besiii card and the main search of the sample described in the file."""
    package = __package__.rpartition(".")[0]
    with resources.files(package).joinpath("data", "qqbar_selected.csv").open(encoding="utf-8") as lines:
        text = list(lines)
    size = dict(part.split("=") for part in text[0].split("|")[1].split())
    table = np.array([[float(value) for value in line.split(",")] for line in text[2:]])
    group = table[:, 0].astype(np.int64)
    sums = np.bincount(group)
    reference = cross_sections()["qqbar"]
    return Selected(
        reference.value,
        reference.error / reference.value,
        int(size["events"]),
        table[:, 1].astype(np.int64),
        table[:, 2],
        np.ones(len(table)),
        group,
        float(np.sum(sums**2) / np.sum(sums)),
    )
