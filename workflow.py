"""The dark-photon search from its arguments to its limits."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import exchange
from .analysis.combination import ChannelInput, Table, asimov, limit_table
from .analysis.envelope_table import envelope_table
from .analysis.hunt_tables import hunt_table
from .analysis.search_card import Search, load_search
from .analysis.spectrum import read_spectra
from .analysis.table import write_table
from .background_models import judged, option_verdicts, templates, with_orders
from .checks import check_output, check_output_folder
from .expectations import MODES
from .expectations import pseudo_data as make_pseudo_data
from .geometry.card import Card, load_card
from .hunting import hunted_spectra, hunting
from .limit_inputs import Corrections, channel_inputs, simulate_corrections, spectra_of_counts
from .limit_options import METHODS
from .measured import Measured, measured_spectra, narrow_spectra
from .pipeline import CHUNK, default_jobs
from .results import SearchResult, fill_folder, search_manifest, write_folder
from .rng import check_seed
from .samples import FileSource, Producer, Sample
from .spurious import noise_free


def _timed(timings: dict[str, float], name: str, start: float) -> float:
    now = time.perf_counter()
    timings[name] = round(now - start, 3)
    return now


def parse_injection(text: str | None, sqrt_s: float) -> tuple[float, float] | None:
    """Return (mass [GeV], epsilon) of MASS:EPSILON; ValueError says what is allowed."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise TypeError(f"inject = {text!r}, must be a text MASS:EPSILON, e.g. '2.5:3e-3'")
    mass_text, _, epsilon_text = text.partition(":")
    try:
        mass, epsilon = float(mass_text), float(epsilon_text)
    except ValueError:
        raise ValueError(f"inject = {text!r}, must be MASS:EPSILON, e.g. 2.5:3e-3") from None
    if not 0.3 < mass < sqrt_s or not 0.0 < epsilon < 1.0:
        raise ValueError(f"inject = {text!r}, allowed: 0.3 < MASS < {sqrt_s} GeV and 0 < EPSILON < 1")
    return mass, epsilon


def read_inputs(inputs: Sequence[str], search: Search, options: dict[str, Any]) -> dict[str, FileSource]:
    """Return the external samples of PROCESS=FILE texts, by label of the process."""
    labels = [process.label() for process in search.process]
    given = [name for name in ("cross_section", "tries") if name in options]
    if len(inputs) > 1 and given:
        raise ValueError(f"{given[0]} = {options[given[0]]}: cannot stand for {len(inputs)} input files at once")
    sources: dict[str, FileSource] = {}
    for text in inputs:
        label, found, path = text.partition("=")
        if not found or label not in labels:
            raise ValueError(f"input = {text!r}, must be PROCESS=FILE with a process of {', '.join(labels)}")
        sources[label] = FileSource(exchange.read_truth(path, **options), path)
    return sources


class Setting(NamedTuple):
    """Arguments of a search, checked."""

    search: Search
    card: Card
    producer: Producer
    external: dict[str, FileSource]


def prepare(
    search: str | Path | Search,
    card: str | Path | Card | None,
    luminosity: float | None,
    seed: int,
    jobs: int | None,
    chunk: int,
    quiet: bool,
    inputs: Sequence[str] = (),
    external: dict[str, Any] | None = None,
) -> Setting:
    """Check the arguments of a search before anything is computed."""
    loaded = load_search(search)
    detector = load_card(loaded.card if card is None else card)
    check_seed(seed)
    if luminosity is not None and (isinstance(luminosity, bool) or not isinstance(luminosity, int | float)):
        raise TypeError(f"luminosity = {luminosity!r}, must be a number of fb^-1")
    fb = loaded.luminosity if luminosity is None else float(luminosity)
    if not (np.isfinite(fb) and 0.0 < fb <= 1e5):
        raise ValueError(f"luminosity = {luminosity}, allowed (0, 1e5] fb^-1")
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs = {jobs}, must be at least 1")
    if chunk < 1024 or chunk % 1024:
        raise ValueError(f"chunk = {chunk}, must be a multiple of 1024")
    producer = Producer(loaded, detector, seed, fb, jobs or default_jobs(), chunk, quiet)
    return Setting(loaded, detector, producer, read_inputs(inputs, loaded, external or {}))


def _simulation(setting: Setting) -> tuple[dict[str, Sample], Corrections]:
    producer = setting.producer
    simulated = {
        process.label(): producer.simulated(process, setting.external.get(process.label()))
        for process in setting.search.process
    }
    annihilation = producer.simulated(setting.search.annihilation)
    return simulated, simulate_corrections(producer, simulated, annihilation)


def _limits(channels: list[ChannelInput], search: Search) -> Table:
    options = search.limit
    return limit_table(
        channels, delta=options.delta, bounded=options.bounded, epsilon_definition=options.epsilon_definition
    )


def _envelope(channels: list[ChannelInput], search: Search) -> Table | None:
    options = search.limit
    if options.envelope == 0:
        return None
    return envelope_table(
        channels,
        options.envelope,
        window=options.window,
        component_error=search.systematics.pion_form_factor,
        delta=options.delta,
        bounded=options.bounded,
        epsilon_definition=options.epsilon_definition,
    )


def search(
    search: str | Path | Search = "besiii_dark_photon",
    *,
    out: str | Path | None = "besfast-search",
    card: str | Path | Card | None = None,
    pseudo_data: str = "hybrid",
    luminosity: float | None = None,
    inject: str | None = None,
    inputs: Sequence[str] = (),
    external: dict[str, Any] | None = None,
    data: str | Path | None = None,
    seed: int = 1,
    jobs: int | None = None,
    chunk: int = CHUNK,
    quiet: bool = True,
    overwrite: bool = False,
) -> SearchResult:
    """Run a search: pseudo-data, simulation, selection, background, limits on the mixing epsilon.

    Parameters
    ----------
    search : str, Path or Search
        Name of a packaged search, or a TOML file like it.
    out : str, Path or None
        Folder for tables and figures; None writes nothing.
    card : str, Path, Card or None
        Detector; the search's own by default.
    pseudo_data : {"hybrid", "events", "asimov"}
        Every process event by event (`events`); the same with the Bhabha channel drawn from its smooth expectation
        (`hybrid`); or the expectation itself (`asimov`).
    luminosity : float, optional
        [fb^-1]; the search's own by default.
    inject : str, optional
        "MASS:EPSILON" of a dark photon to be added to the pseudo-data [GeV].
    inputs : sequence of str
        "PROCESS=FILE": events read from a file in place of the native generator.
    external : dict, optional
        Options of the reader of those files: cross_section [nb], tries, frame, weight.
    data : str or Path, optional
        A spectrum measured elsewhere (CSV: mass_low, mass_high, channel, n) in place of pseudo-data.
    seed : int
        0 <= seed < 2**64.
    jobs, chunk : int
        Threads, and events per task; they change no result.
    quiet, overwrite : bool

    Returns
    -------
    SearchResult

    Raises
    ------
    ValueError, TypeError, OSError
        For wrong arguments or files, before anything is computed where possible.
    """
    if pseudo_data not in MODES:
        raise ValueError(f"pseudo_data = {pseudo_data!r}, allowed: {', '.join(MODES)}")
    target = None if out is None else check_output_folder(out, overwrite=overwrite)
    setting = prepare(search, card, luminosity, seed, jobs, chunk, quiet, inputs, external)
    injected = parse_injection(inject, setting.card.beam.sqrt_s)
    if data is not None and (inject is not None or pseudo_data != "hybrid"):
        raise ValueError(f"data = {data}: a measured spectrum takes neither inject nor a mode of pseudo-data")
    measured = None if data is None else measured_spectra(read_spectra(data), setting.search, all_channels=True)
    timings: dict[str, float] = {}
    start = time.perf_counter()
    simulated, corrections = _simulation(setting)
    start = _timed(timings, "simulation", start)
    made = None
    if measured is None:
        made = make_pseudo_data(setting.producer, pseudo_data, simulated, set(setting.external), injected)
    start = _timed(timings, "pseudo_data", start)
    if made is not None:
        measured = Measured(spectra_of_counts(made.counts, setting.search), narrow_spectra(made.fine, setting.search))
    assert measured is not None
    spectra = measured.wide
    drawn = made.drawn if made else {}
    template = noise_free(setting.producer, simulated, drawn, set(setting.external), corrections)
    given = templates(template, corrections, setting.search)
    start = _timed(timings, "noise_free_spectra", start)
    corrections = with_orders(corrections, given, setting.search)
    channels, verdicts = judged(channel_inputs(spectra, corrections, setting.search), given, setting.search)
    options = option_verdicts(channels, given, setting.search)
    limits = _limits(channels, setting.search)
    expected = _limits([asimov(channel) for channel in channels], setting.search)
    envelope = _envelope(channels, setting.search)
    start = _timed(timings, "limits", start)
    hunted = hunting(setting.producer, spectra, measured.narrow, channels, expected, corrections, template, given)
    _timed(timings, "bump_hunt", start)
    asked = {
        "pseudo_data": pseudo_data if made else str(data),
        "inject": inject,
        "external": sorted(setting.external),
    }
    manifest = search_manifest(setting.producer, asked, simulated, made, verdicts, channels, hunted, timings)
    result = SearchResult(
        setting.search, limits, expected, channels, options, verdicts, manifest, target, hunted, envelope
    )
    if target is not None:
        write_folder(
            target,
            overwrite,
            lambda folder: fill_folder(folder, result, spectra, simulated, made, corrections),
        )
    return result


def limits_of_spectra(
    measured: Measured,
    search: Search,
    *,
    output: str | Path,
    method: str = "paper",
    card: str | Path | None = None,
    luminosity: float | None = None,
    seed: int = 1,
    jobs: int | None = None,
    quiet: bool = True,
    overwrite: bool = False,
    pions: bool = True,
) -> Table:
    """Write the limits of measured or selected spectra, with corrections from the search's own simulation.

    `method` is `paper`, by counting in each bin, or `bump-hunt`, in narrow bins where the spectra have them. `pions`
    says whether pion pairs are among the events; channels without counts take no part. Raises ValueError for another
    method, and for a bump hunt where the search has none.
    """
    if method not in METHODS:
        raise ValueError(f"method = {method!r}, must be one of {', '.join(METHODS)}")
    if method == "bump-hunt" and search.bump_hunt is None:
        raise ValueError(f"search {search.name}: method 'bump-hunt' needs its section bump_hunt")
    check_output(output, overwrite=overwrite)
    setting = prepare(search, card, luminosity, seed, jobs, CHUNK, quiet)
    simulated, corrections = _simulation(setting)
    if not pions:
        corrections = corrections.without_pions()
        simulated.pop("pipi_isr", None)
    given = templates(noise_free(setting.producer, simulated, {}, set(), corrections), corrections, search)
    corrections = with_orders(corrections, given, search)
    channels, _ = judged(channel_inputs(measured.wide, corrections, search), given, search)
    head = f"search {search.name}, card {setting.card.name}, seed {seed}, method {method}"
    if method == "bump-hunt":
        found, note = hunted_spectra(setting.producer, measured.wide, measured.narrow, channels, corrections)
        limits = hunt_table(found.result, [channel.channel for channel in channels])
        excess = json.dumps(found.report()["largest_excess"])
        write_table(output, limits, [head, *([note] if note else []), f"largest excess {excess}"])
        return limits
    limits = _limits(channels, search)
    write_table(output, limits, [head])
    return limits
