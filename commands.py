"""The verbs of the command line on files: each reads one step's file, streams it in chunks, and writes the next."""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from . import exchange, store
from .card_verbs import card
from .checks import check_output
from .event import concatenate
from .file_verbs import convert, inspect
from .limit_verbs import export, limit_of_spectrum, refuse_spectrum_options
from .pipeline import CHUNK, bounded_map, ordered_map
from .validation.verb import validate
from .verb import external_options, given_options, jobs_of, progress_bar, say

__all__ = [
    "card",
    "convert",
    "export",
    "generate",
    "inspect",
    "limit",
    "reconstruct",
    "search",
    "select",
    "simulate",
    "validate",
]

#: Which verb makes a record, for messages.
_MAKERS = {
    "TruthEvents": "generate",
    "DetectorRecord": "simulate",
    "RecoEvents": "reconstruct",
    "SelectedEvents": "select",
}


def generate(options: argparse.Namespace) -> None:
    """Write generated events, or list the processes there are."""
    from .geometry.card import load_card
    from .sim.generate import N_CROSS_SECTION, Generator, check_n_events
    from .sim.processes.listing import describe_process, list_processes, parse_setting
    from .sim.processes.options import OPTIONS

    if options.list:
        print(list_processes() if options.process is None else describe_process(options.process))
        return
    given = {"PROCESS": options.process, "--events": options.events, "-o/--output": options.output}
    if missing := [name for name, value in given.items() if value is None]:
        raise ValueError(f"the following arguments are required: {', '.join(missing)}")
    n_events, jobs = check_n_events(options.events), jobs_of(options)
    check_output(options.output, overwrite=options.overwrite)
    exchange.output_kind(options.output)
    beam = load_card(options.card).beam
    generator = Generator(
        options.process,
        sqrt_s=beam.sqrt_s if options.sqrt_s is None else options.sqrt_s,
        seed=options.seed,
        order=options.order,
        weighted=options.weighted,
        energy_spread=beam.energy_spread if options.energy_spread is None else options.energy_spread,
        n_cross_section=max(n_events, N_CROSS_SECTION),
        **given_options(options, tuple(OPTIONS)),
        **dict(parse_setting(options.process, text) for text in options.set),
    )
    with (
        exchange.writer(options.output, overwrite=options.overwrite) as writer,
        progress_bar(n_events, "generate", options.quiet) as bar,
    ):
        if n_events == 0:
            writer.append(generator.events(0, 0))
        for truth in ordered_map(generator.events, n_events, jobs):
            writer.append(truth)
            bar.update(truth.n_events)
    sigma = f"cross section {generator.cross_section:.6g} +- {generator.cross_section_error:.2g} nb"
    if np.isnan(generator.cross_section):
        sigma = "no cross section"
    say(options, f"{options.process}: {n_events} events, seed {options.seed}, {sigma} -> {options.output}")
    if generator.overflow > 0.0:
        share = f"{generator.overflow:.1e} of the events have a weight above the maximum, they are accepted once"
        say(options, f"unweighting efficiency {generator.efficiency:.3f}; {share}")


def simulate(options: argparse.Namespace) -> None:
    """Write the detector's answer to the events of a file."""
    from .geometry.card import load_card
    from .rng import check_seed
    from .sim.simulate import simulate as simulate_events

    card, seed = load_card(options.card), check_seed(options.seed)
    external = external_options(options)
    chunks: Iterator[Any]
    if store.is_hdf5(options.input) and not external:
        chunks, total = _records(options, "TruthEvents")
    else:
        chunks, total = exchange.iterate(options.input, CHUNK, **external), None
    results = _mapped(options, chunks, total, lambda truth: simulate_events(truth, card, seed=seed))
    n = _written(options, "DetectorRecord", results)
    say(options, f"simulated {n} events with card {card.name}, seed {seed} -> {options.output}")


def reconstruct(options: argparse.Namespace) -> None:
    """Write reconstructed events."""
    from .geometry.card import load_card
    from .reco.reconstruct import reconstruct as reconstruct_events

    card = load_card(options.card)
    chunks, total = _records(options, "DetectorRecord")
    results = _mapped(options, chunks, total, lambda record: reconstruct_events(record, card))
    n = _written(options, "RecoEvents", results)
    say(options, f"reconstructed {n} events with card {card.name} -> {options.output}")


def select(options: argparse.Namespace) -> None:
    """Write selected events and print the cutflow."""
    from .analysis.search_card import load_search
    from .analysis.selection import empty_cutflow
    from .analysis.selection import select as select_events

    search = load_search(options.search)
    cuts, mass_range = search.cuts_by_channel(), search.spectrum.mass_range()
    chunks, total = _records(options, "RecoEvents")
    step = {"step": "select", "search": search.name, "search_hash": search.digest()}
    flow = empty_cutflow()

    def counted() -> Iterator[Any]:
        nonlocal flow
        for selection in _mapped(options, chunks, total, lambda one: select_events(one, cuts, mass_range)):
            flow = selection.add_to(flow)
            steps = [*json.loads(selection.events.provenance), step]
            yield selection.events._replace(provenance=json.dumps(steps))

    n = _written(options, "SelectedEvents", counted())
    say(options, f"{'channel':8s} {'cut':22s} {'entries':>12s} {'sum of weights':>16s}")
    for row in flow.rows():
        say(options, f"{row['channel']:8s} {row['cut']:22s} {row['entries']:12d} {row['sum_of_weights']:16.6g}")
    say(options, f"selected {n} events with search {search.name} -> {options.output}")


def _records(options: argparse.Namespace, wanted: str) -> tuple[Iterator[Any], int]:
    """Return the chunks of a file of records of one kind, and the number of its events."""
    found = f"holds {store.kind(options.input)}" if store.is_hdf5(options.input) else "not an HDF5 file"
    if found != f"holds {wanted}":
        maker = f"{wanted} (made by besfast {_MAKERS[wanted]})"
        raise ValueError(f"{options.input}: {found}, besfast {options.verb} reads {maker}")
    return store.iterate(options.input, CHUNK), store.n_events(options.input)


def _mapped(
    options: argparse.Namespace, chunks: Iterator[Any], total: int | None, step: Callable[[Any], Any]
) -> Iterator[Any]:
    """Yield step(chunk) of all chunks in their order, computed by several threads, few waiting in memory."""
    jobs = jobs_of(options)

    def task(chunk: Any) -> tuple[Any, int]:
        return step(chunk), chunk.n_events

    with progress_bar(total, options.verb, options.quiet) as bar, ThreadPoolExecutor(jobs) as executor:
        for result, n in bounded_map(executor, task, ((chunk,) for chunk in chunks), 2 * jobs):
            bar.update(n)
            yield result


def _written(options: argparse.Namespace, kind: str, results: Iterator[Any]) -> int:
    """Write records as one file and return the number of its events."""
    n = 0
    with store.Writer(options.output, kind, overwrite=options.overwrite) as writer:
        for record in results:
            writer.append(record)
            n += len(record.number)
    return n


def limit(options: argparse.Namespace) -> None:
    """Write limits from selected events or a measured spectrum."""
    from .analysis.search_card import load_search
    from .analysis.spectrum import read_spectra
    from .measured import measured_spectra, spectra_of_selected
    from .workflow import limits_of_spectra

    jobs = jobs_of(options)
    if options.resolution is not None:
        limit_of_spectrum(options)
        return
    refuse_spectrum_options(options)
    check_output(options.output, overwrite=options.overwrite)
    search, pions = load_search(options.search), True
    if Path(options.input).suffix == ".csv":
        spectra = measured_spectra(read_spectra(options.input), search)
    else:
        chunks, _ = _records(options, "SelectedEvents")
        if options.luminosity is None:
            raise ValueError(f"{options.input}: selected events do not say their luminosity; --luminosity FB is needed")
        events = concatenate(list(chunks))
        spectra, pions = spectra_of_selected(events, search), "pipi_isr" in events.processes.split(",")
    limits = limits_of_spectra(
        spectra,
        search,
        output=options.output,
        method=options.method or "paper",
        card=options.card,
        luminosity=options.luminosity,
        seed=options.seed,
        jobs=jobs,
        quiet=options.quiet,
        overwrite=options.overwrite,
        pions=pions,
    )
    n = len(np.asarray(limits["epsilon_up"]))
    say(options, f"{n} limits with search {search.name}, seed {options.seed} -> {options.output}")


def search(options: argparse.Namespace) -> None:
    """Run the whole search and write its folder."""
    from .workflow import search as run

    start = time.perf_counter()
    external = external_options(options)
    if external and not options.input:
        raise ValueError(f"--{next(iter(external)).replace('_', '-')}: allowed with --input PROCESS=FILE only")
    result = run(
        options.search,
        out=options.out,
        card=options.card,
        pseudo_data=options.pseudo_data,
        luminosity=options.luminosity,
        inject=options.inject,
        inputs=options.input,
        external=external,
        data=options.data,
        seed=options.seed,
        jobs=jobs_of(options),
        quiet=options.quiet,
        overwrite=options.overwrite,
    )
    say(options, result.summary())
    say(options, f"seed {options.seed}, {time.perf_counter() - start:.0f} s -> {options.out}")
