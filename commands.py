"""The verbs of the command line on files: each reads one step's file, streams it in chunks, and writes the next."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from . import exchange, store
from .event import DetectorRecord, RecoEvents, SelectedEvents, TruthEvents
from .pipeline import CHUNK, default_jobs, ordered_map


def jobs_of(options: argparse.Namespace) -> int:
    """Return the number of threads asked for, or that of the processors at hand."""
    if options.jobs is None:
        return default_jobs()
    if options.jobs < 1:
        raise ValueError(f"--jobs = {options.jobs}, must be at least 1")
    return int(options.jobs)


def progress_bar(total: int, text: str, quiet: bool) -> Any:
    """Return a progress bar that shows on a terminal only."""
    return tqdm(total=total, desc=text, unit="event", unit_scale=True, disable=True if quiet else None)


def _say(options: argparse.Namespace, text: str) -> None:
    if not options.quiet:
        print(text)


def generate(options: argparse.Namespace) -> None:
    """Write generated events."""
    from .geometry.card import load_card
    from .sim.generate import Generator, check_n_events

    n_events = check_n_events(options.events)
    card = load_card(options.card)
    choices = _given(options, options.generator_options)
    generator = Generator(
        options.process,
        sqrt_s=card.beam.sqrt_s if options.sqrt_s is None else options.sqrt_s,
        seed=options.seed,
        order=options.order,
        weighted=options.weighted,
        energy_spread=card.beam.energy_spread if options.energy_spread is None else options.energy_spread,
        n_cross_section=max(n_events, 2**20),
        **choices,
    )
    with (
        store.Writer(options.output, "TruthEvents", overwrite=options.overwrite) as writer,
        progress_bar(n_events, "generate", options.quiet) as bar,
    ):
        if n_events == 0:
            writer.append(generator.events(0, 0))
        for truth in ordered_map(generator.events, n_events, jobs_of(options)):
            writer.append(truth)
            bar.update(truth.n_events)
    _say(
        options,
        f"{options.process}: {n_events} events, seed {options.seed}, cross section "
        f"{generator.cross_section:.6g} +- {generator.cross_section_error:.2g} nb -> {options.output}",
    )


def _stream(
    options: argparse.Namespace,
    kind: str,
    wanted: type[Any],
    step: Callable[[Any], Any],
    reader: Iterator[Any],
    total: int | None,
) -> int:
    """Run one step over the chunks of a file with several threads, and write the results in order."""
    from collections import deque
    from concurrent.futures import ThreadPoolExecutor

    jobs, done = jobs_of(options), 0
    with (
        store.Writer(options.output, kind, overwrite=options.overwrite) as writer,
        progress_bar(total or 0, options.verb, options.quiet) as bar,
        ThreadPoolExecutor(jobs) as executor,
    ):
        waiting: deque[Any] = deque()

        def take() -> int:
            result, n = waiting.popleft().result()
            writer.append(result)
            bar.update(n)
            return int(n)

        def task(chunk: Any) -> tuple[Any, int]:
            return step(chunk), chunk.n_events

        for chunk in reader:
            if not isinstance(chunk, wanted):
                raise ValueError(
                    f"{options.input}: holds {type(chunk).__name__}, {options.verb} reads {wanted.__name__}"
                )
            waiting.append(executor.submit(task, chunk))
            if len(waiting) >= 2 * jobs:
                done += take()
        while waiting:
            done += take()
    return done


def external_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of a reader of external samples that were given."""
    return _given(options, ("cross_section", "tries", "frame", "weight"))


def _given(options: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def simulate(options: argparse.Namespace) -> None:
    """Write the detector's answer to the events of a file."""
    from .geometry.card import load_card
    from .rng import check_seed
    from .sim.simulate import simulate as simulate_events

    card, seed = load_card(options.card), check_seed(options.seed)
    reader = exchange.iterate(options.input, CHUNK, **external_options(options))
    n = _stream(
        options, "DetectorRecord", TruthEvents, lambda truth: simulate_events(truth, card, seed=seed), reader, None
    )
    _say(options, f"simulated {n} events with card {card.name}, seed {seed} -> {options.output}")


def reconstruct(options: argparse.Namespace) -> None:
    """Write reconstructed events."""
    from .geometry.card import load_card
    from .reco.reconstruct import reconstruct as reconstruct_events

    card = load_card(options.card)
    total = store.n_events(options.input)
    reader = store.iterate(options.input, CHUNK)
    n = _stream(options, "RecoEvents", DetectorRecord, lambda record: reconstruct_events(record, card), reader, total)
    _say(options, f"reconstructed {n} events with card {card.name} -> {options.output}")


def select(options: argparse.Namespace) -> None:
    """Write selected events and print the cutflow."""
    from .analysis.search_card import load_search
    from .analysis.selection import empty_cutflow
    from .analysis.selection import select as select_events

    search = load_search(options.search)
    flow = empty_cutflow()
    total = store.n_events(options.input)
    with (
        store.Writer(options.output, "SelectedEvents", overwrite=options.overwrite) as writer,
        progress_bar(total, "select", options.quiet) as bar,
    ):
        for chunk in store.iterate(options.input, CHUNK):
            if not isinstance(chunk, RecoEvents):
                raise ValueError(f"{options.input}: holds {type(chunk).__name__}, select reads RecoEvents")
            selection = select_events(chunk, search.cuts_by_channel(), search.spectrum.mass_range())
            flow = selection.add_to(flow)
            writer.append(selection.events)
            bar.update(chunk.n_events)
    if not options.quiet:
        print(f"{'channel':8s} {'cut':22s} {'entries':>12s} {'sum of weights':>16s}")
        for row in flow.rows():
            print(f"{row['channel']:8s} {row['cut']:22s} {row['entries']:12d} {row['sum_of_weights']:16.6g}")


def limit(options: argparse.Namespace) -> None:
    """Write limits from selected events or a measured spectrum."""
    from .analysis.search_card import load_search
    from .analysis.spectrum import read_spectra
    from .workflow import limits_of_spectra, spectra_of_selected

    search = load_search(options.search)
    if Path(options.input).suffix == ".csv":
        spectra = read_spectra(options.input)
    else:
        events = store.read(options.input)
        if not isinstance(events, SelectedEvents):
            raise ValueError(f"{options.input}: holds {type(events).__name__}, limit reads SelectedEvents or a .csv")
        spectra = spectra_of_selected(events, search.spectrum.edges())
    limits_of_spectra(
        spectra,
        search,
        output=options.output,
        card=options.card,
        luminosity=options.luminosity,
        seed=options.seed,
        jobs=jobs_of(options),
        quiet=options.quiet,
        overwrite=options.overwrite,
    )


def search(options: argparse.Namespace) -> None:
    """Run the whole search and write its folder."""
    from .workflow import search as run

    start = time.perf_counter()
    result = run(
        options.search,
        out=options.out,
        card=options.card,
        pseudo_data=options.pseudo_data,
        luminosity=options.luminosity,
        inject=options.inject,
        inputs=options.input,
        external=external_options(options),
        data=options.data,
        seed=options.seed,
        jobs=jobs_of(options),
        quiet=options.quiet,
        overwrite=options.overwrite,
    )
    _say(options, result.summary())
    _say(options, f"{time.perf_counter() - start:.0f} s -> {options.out}")


def inspect(options: argparse.Namespace) -> None:
    """Print what a file holds."""
    if not store.is_hdf5(options.input):
        events = exchange.read_hepmc3(options.input)
        kinds = np.unique(events.pdg[events.status == 1])
        print(f"{options.input}: HepMC3, {events.n_events} events, frame {events.frame}, sqrt(s) {events.sqrt_s} GeV")
        print(f"cross section {events.cross_section} +- {events.cross_section_error} nb")
        total, total2 = events.weight.sum(), (events.weight**2).sum()
        print(f"sum of weights {total:.10g}, n_eff {total**2 / total2 if total2 else 0.0:.6g}")
        print(f"final-state particles: {', '.join(str(kind) for kind in kinds)}")
        return
    what = store.describe(options.input)
    print(f"{options.input}: {what.kind}, schema version {what.schema_version}, {what.n_events} events")
    print(f"sum of weights {what.sum_of_weights:.10g}, n_eff {what.n_eff:.6g}")
    for name, value in what.scalars.items():
        if name != "provenance":
            print(f"{name} = {value}")
    for step in what.provenance:
        print("made by " + ", ".join(f"{key} {value}" for key, value in step.items()))
    for table, name, dtype, shape, unit, sentence, entries in what.columns:
        size = "x".join(str(k) for k in (entries, *shape))
        print(f"{table:9s} {name:20s} {dtype:8s} {size:>12s}  {'[' + unit + ']' if unit else '':10s} {sentence}")


def card(options: argparse.Namespace) -> None:
    """List, print or check detector cards."""
    from .geometry.card import card_names, card_text, load_card

    if options.action == "list":
        for name in card_names():
            print(f"{name:12s} {load_card(name).description}")
        return
    checked = load_card(options.name)
    if options.action == "show":
        sys.stdout.write(card_text(options.name))
    else:
        print(f"{options.name}: {checked.name}, good")


__all__ = ["card", "generate", "inspect", "limit", "reconstruct", "search", "select", "simulate"]
