"""One sample, chunk by chunk, through the rooms: generate or read, simulate, reconstruct, select.

A chunk is a whole number of units of 1024 events and the task of one thread; results are taken in the order of the
events, so that neither the number of threads nor the size of the chunks can change a bit of the outcome.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from .analysis.accumulate import UNIT, add_units, unit_sums
from .analysis.selection import ChannelCuts, Cutflow, Selection, empty_cutflow, select
from .event import CHANNELS, Floats, TruthEvents
from .geometry.card import Card
from .memory import keep_freed_memory
from .reco.reconstruct import reconstruct
from .sim.simulate import simulate

#: Events per task; the columns of a chunk stay in the last-level cache. Smaller chunks cost more in handing over.
CHUNK = 16 * UNIT

T = TypeVar("T")


def default_jobs() -> int:
    """Return the number of processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def ordered_map(task: Callable[[int, int], T], n_events: int, jobs: int, chunk: int = CHUNK) -> Iterator[T]:
    """Yield task(start, n) of every chunk in the order of the events, at most two per thread waiting in memory."""
    spans = [(start, min(chunk, n_events - start)) for start in range(0, n_events, chunk)]
    keep_freed_memory()
    if jobs == 1:
        for start, n in spans:
            yield task(start, n)
        return
    with ThreadPoolExecutor(jobs) as executor:
        yield from bounded_map(executor, task, spans, 2 * jobs)


def bounded_map(
    executor: Executor, task: Callable[..., T], arguments: Iterable[tuple[Any, ...]], depth: int
) -> Iterator[T]:
    """Yield task(*one) of all arguments in their order, at most `depth` results waiting; arguments are taken lazily."""
    waiting: deque[Any] = deque()
    try:
        for one in arguments:
            waiting.append(executor.submit(task, *one))
            if len(waiting) >= depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


class EventSource(Protocol):
    """What a sample is made of: a generator, or the events of a file held in memory."""

    def events(self, start: int, n: int) -> TruthEvents:
        """Return events number start to start + n."""
        ...


@dataclass(frozen=True)
class Chain:
    """Everything a chunk needs on its way from truth to selected events."""

    source: EventSource
    card: Card
    cuts: dict[str, ChannelCuts]
    mass_range: tuple[float, float]
    seed: int

    def __call__(self, start: int, n: int) -> Selection:
        """Return what is selected of events start to start + n."""
        truth = self.source.events(start, n)
        record = simulate(truth, self.card, seed=self.seed)
        return select(reconstruct(record, self.card), self.cuts, self.mass_range)


class Spectra(NamedTuple):
    """Histograms of the fitted mass of selected events, per channel, and the cutflow; arrays (n_channels, n_bins)."""

    n_events: int
    entries: NDArray[np.int64]
    weights: Floats
    weights2: Floats
    cutflow: Cutflow


def fill_spectra(
    chain: Chain,
    n_events: int,
    edges: Floats,
    *,
    jobs: int,
    chunk: int = CHUNK,
    progress: Callable[[int], None] = lambda n: None,
) -> Spectra:
    """Run a sample through the chain and histogram the fitted mass of what is selected.

    Parameters
    ----------
    chain : Chain
    n_events : int
    edges : ndarray, shape (n_bins + 1,)
        Bin edges [GeV].
    jobs, chunk : int
        Threads, and events per task (a multiple of 1024); they change nothing but the time taken.
    progress : callable
        Called with the number of events done since the last call.
    """
    shape = (len(CHANNELS), len(edges) - 1)
    entries = np.zeros(shape, dtype=np.int64)
    weights, weights2 = np.zeros(shape), np.zeros(shape)
    flow = empty_cutflow()

    def task(start: int, n: int) -> tuple[Selection, NDArray[np.int64], Floats, Floats]:
        selection = chain(start, n)
        events = selection.events
        index = events.channel * shape[1] + np.searchsorted(edges, events.mass, side="right") - 1
        n_units, n_bins = -(-n // UNIT), shape[0] * shape[1]
        counts = np.bincount(index, minlength=n_bins)
        sums = unit_sums(events.number, start, n_units, index, n_bins, events.weight)
        sums2 = unit_sums(events.number, start, n_units, index, n_bins, events.weight**2)
        return selection, counts.reshape(shape), sums.reshape(-1, *shape), sums2.reshape(-1, *shape)

    done = 0
    for selection, counts, sums, sums2 in ordered_map(task, n_events, jobs, chunk):
        entries += counts
        weights = add_units(weights, sums)
        weights2 = add_units(weights2, sums2)
        flow = selection.add_to(flow)
        step = min(chunk, n_events - done)
        done += step
        progress(step)
    return Spectra(n_events, entries, weights, weights2, flow)
