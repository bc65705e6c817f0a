"""What events with a muon pair are compared in: observables, selections, and histograms with squared weights."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Ints
from ..event import TruthEvents


class Observable(NamedTuple):
    """Edges of the bins of an observable, its unit, what it is, and its symbol in figures."""

    edges: Floats
    unit: str
    sentence: str
    symbol: str


OBSERVABLES: Mapping[str, Observable] = {
    "pair_mass": Observable(np.linspace(1.0, 3.5, 126), "GeV", "mass of the pair", r"$m_{\mu\mu}$"),
    "photon_energy": Observable(np.linspace(0.0, 1.9, 96), "GeV", "energy of the hardest photon", r"$E_\gamma$"),
    "photon_angle": Observable(
        np.linspace(-5.0, 0.2, 79),
        "",
        "log10 of the angle of the hardest photon to the nearer beam",
        r"$\log_{10}(\theta_\gamma / {\rm rad})$",
    ),
    "minus_cosine": Observable(np.linspace(-1.0, 1.0, 51), "", "cos(theta) of mu-", r"$\cos\theta_{\mu^-}$"),
    "plus_cosine": Observable(np.linspace(-1.0, 1.0, 51), "", "cos(theta) of mu+", r"$\cos\theta_{\mu^+}$"),
    "opening_angle": Observable(
        np.linspace(0.0, 3.15, 64),
        "rad",
        "angle of the hardest photon to the nearer muon",
        r"$\angle(\gamma, \mu)$",
    ),
    "missing_mass": Observable(
        np.linspace(0.0, 2.72, 69), "GeV", "mass of what recoils against the pair", r"$M_{\rm recoil}$"
    ),
}
#: Selection: what is asked of an event, besides the range of the pair's mass.
SELECTIONS: Mapping[str, str] = {
    "all": "everything",
    "untagged": "missing momentum within 0.1 rad of a beam, both muons beyond 0.4 rad with pt > 0.3",
    "tagged": "hardest photon and both muons |cos| < 0.93, the photon above 0.1 GeV and 0.2 rad from both muons",
}


class Histogram(NamedTuple):
    """Cross section per bin [nb] and its variance [nb^2]; sums of weights where no cross section is known."""

    edges: Floats
    content: Floats
    variance: Floats


Histograms = dict[tuple[str, str], Histogram]


def _cosine(px: Floats, py: Floats, pz: Floats) -> Floats:
    momentum = np.sqrt(px * px + py * py + pz * pz)
    cosine: Floats = pz / np.where(momentum > 0.0, momentum, 1.0)
    return cosine


def _of_species(truth: TruthEvents, pdg: int, event: Ints) -> Floats:
    """Return px, py, pz, E of shape (4, n_events) of the most energetic final particle of a kind, zero if none."""
    chosen = np.flatnonzero((truth.pdg == pdg) & (truth.status == 1))
    order = chosen[np.lexsort((truth.energy[chosen], event[chosen]))]
    last = np.append(event[order][1:] != event[order][:-1], True) if order.size else np.zeros(0, dtype=bool)
    momenta = np.zeros((4, truth.n_events))
    for row, name in enumerate(("px", "py", "pz", "energy")):
        momenta[row, event[order][last]] = getattr(truth, name)[order][last]
    return momenta


def observe(truth: TruthEvents) -> tuple[dict[str, Floats], dict[str, NDArray[np.bool_]]]:
    """Return the observables of events with a muon pair in the centre of mass, and which selections they pass."""
    event = np.repeat(np.arange(truth.n_events), np.diff(truth.offsets))
    minus, plus, photon = (_of_species(truth, pdg, event) for pdg in (13, -13, 22))
    pair = minus + plus
    missing = -pair
    missing[3] += truth.event_sqrt_s
    cosines = {name: _cosine(*p[:3]) for name, p in (("-", minus), ("+", plus), ("k", photon), ("missing", missing))}
    toward = [np.sum(p[:3] * photon[:3], axis=0) for p in (minus, plus)]
    lengths = [np.sqrt(np.sum(p[:3] ** 2, axis=0)) for p in (minus, plus)]
    near = np.maximum(*(t / np.maximum(p * photon[3], 1e-300) for t, p in zip(toward, lengths)))
    opening = np.arccos(np.clip(near, -1.0, 1.0))
    angle = np.arctan2(np.hypot(photon[0], photon[1]), np.abs(photon[2]))
    mass2 = pair[3] ** 2 - np.sum(pair[:3] ** 2, axis=0)
    missing2 = missing[3] ** 2 - np.sum(missing[:3] ** 2, axis=0)
    values = {
        "pair_mass": np.sqrt(np.maximum(mass2, 0.0)),
        "photon_energy": photon[3],
        "photon_angle": np.log10(np.maximum(angle, 1e-9)),
        "minus_cosine": cosines["-"],
        "plus_cosine": cosines["+"],
        "opening_angle": opening,
        "missing_mass": np.sqrt(np.maximum(missing2, 0.0)),
    }
    pt = [np.hypot(p[0], p[1]) for p in (minus, plus)]
    acceptance = (np.minimum(*pt) > 0.3) & (np.maximum(abs(cosines["-"]), abs(cosines["+"])) < np.cos(0.4))
    central = np.maximum(np.maximum(abs(cosines["-"]), abs(cosines["+"])), abs(cosines["k"])) < 0.93
    passed = {
        "all": np.ones(truth.n_events, dtype=bool),
        "untagged": acceptance & (abs(cosines["missing"]) > np.cos(0.1)),
        "tagged": central & (photon[3] > 0.1) & (opening > 0.2),
    }
    return values, passed


def fill(
    chunks: Iterator[tuple[TruthEvents, Floats]], scale: float, mass_range: tuple[float, float]
) -> tuple[Histograms, int]:
    """Return histograms of weighted events, each weight times scale [nb], and how many events there were.

    Values outside the edges are left out: ranges of the observables are those that can be reached, but for soft or
    collinear ends.
    """
    sums = {
        (selection, name): np.zeros((2, len(one.edges) - 1))
        for selection in SELECTIONS
        for name, one in OBSERVABLES.items()
    }
    n = 0
    for truth, weight in chunks:
        n += truth.n_events
        values, passed = observe(truth)
        inside = (values["pair_mass"] >= mass_range[0]) & (values["pair_mass"] < mass_range[1])
        bins = {name: np.searchsorted(one.edges, values[name], "right") for name, one in OBSERVABLES.items()}
        for (selection, name), total in sums.items():
            chosen = passed[selection] & inside
            size = len(OBSERVABLES[name].edges) + 1
            for power in (0, 1):
                w = weight[chosen] ** (power + 1)
                total[power] += np.bincount(bins[name][chosen], w, size)[1:-1]
    return {
        key: Histogram(OBSERVABLES[key[1]].edges, scale * total[0], scale**2 * total[1]) for key, total in sums.items()
    }, n


def generated_chunks(
    events: Callable[[int, int], TruthEvents], n: int, weigh: Callable[[TruthEvents], Floats] | None = None
) -> Iterator[tuple[TruthEvents, Floats]]:
    """Yield events 0 .. n of a source with their weights, times those of `weigh`."""
    size = 2**16
    for start in range(0, n, size):
        truth = events(start, min(size, n - start))
        yield truth, truth.weight if weigh is None else truth.weight * weigh(truth)
