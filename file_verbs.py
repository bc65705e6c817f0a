"""The verbs about files as such: `convert` to another format, and `inspect`."""

import argparse
import json

import numpy as np

from . import exchange, store
from .event import TruthEvents
from .pipeline import CHUNK
from .verb import external_options, jobs_of, progress_bar, say


def convert(options: argparse.Namespace) -> None:
    """Write the events of a file in the format of another extension, chunk by chunk."""
    jobs_of(options)
    external, n, names, truth = external_options(options), 0, ["weight"], None
    total = store.n_events(options.input) if store.is_hdf5(options.input) else None
    with (
        exchange.writer(options.output, overwrite=options.overwrite) as writer,
        progress_bar(total, "convert", options.quiet) as bar,
    ):
        for chunk in exchange.iterate_weighted(options.input, CHUNK, **external):
            names, truth = list(chunk.weights), chunk.truth
            exchange.append(writer, chunk)
            n += truth.n_events
            bar.update(truth.n_events)
    lost = names[1:] if exchange.output_kind(options.output) in exchange.HDF5 else []
    rest = f"; of {len(names)} weights only {names[0]!r} is kept in HDF5" if lost else ""
    say(options, f"converted {n} events, {_cross_section(truth)} -> {options.output}{rest}")


def inspect(options: argparse.Namespace) -> None:
    """Print what a file holds."""
    if not store.is_hdf5(options.input):
        _inspect_external(options.input)
        return
    what = store.describe(options.input)
    print(f"{options.input}: {what.kind}, schema version {what.schema_version}, {what.n_events} events")
    print(f"sum of weights {what.sum_of_weights:.10g}, n_eff {what.n_eff:.6g}")
    for name, value in what.scalars.items():
        if name != "provenance":
            print(f"{name} = {value}")
    _print_steps(what.provenance)
    for table, name, dtype, shape, unit, sentence, entries in what.columns:
        size = "x".join(str(k) for k in (entries, *shape))
        print(f"{table:9s} {name:20s} {dtype:8s} {size:>12s}  {'[' + unit + ']' if unit else '':10s} {sentence}")


def _inspect_external(path: str) -> None:
    n, total, squares = 0, 0.0, 0.0
    kinds: dict[int, int] = {}
    for chunk in exchange.iterate_weighted(path):
        events, names = chunk.truth, list(chunk.weights)
        n += events.n_events
        total += float(events.weight.sum())
        squares += float((events.weight**2).sum())
        for kind, count in zip(*np.unique(events.pdg[events.status == 1], return_counts=True)):
            kinds[int(kind)] = kinds.get(int(kind), 0) + int(count)
    steps = json.loads(events.provenance)
    kind = "LHE" if exchange.is_lhe(path) else "HepMC3"
    print(f"{path}: {kind}, {n} events, frame {steps[-1]['frame']}, sqrt(s) {events.sqrt_s:.6g} GeV")
    print(_cross_section(events))
    print(f"processes {events.processes}, weights {', '.join(names)}")
    print(f"sum of weights {total:.10g}, n_eff {total * total / squares if squares else 0.0:.6g}")
    _print_steps(steps[:-1])
    print("final particles: " + ", ".join(f"{count} of pdg {kind}" for kind, count in sorted(kinds.items())))


def _cross_section(events: TruthEvents | None) -> str:
    if events is None or not np.isfinite(events.cross_section):
        return "no cross section: --cross-section NB or --tries N where a luminosity is applied"
    return f"cross section {events.cross_section:.6g} +- {events.cross_section_error:.2g} nb"


def _print_steps(steps: list[dict[str, object]]) -> None:
    for step in steps:
        print("made by " + ", ".join(f"{key} {value}" for key, value in step.items()))
