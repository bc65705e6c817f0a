"""The dark-photon search from samples to limits, and the folder of results it leaves."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import exchange
from .analysis.background import fit_background
from .analysis.combination import ChannelInput, Table, asimov, limit_table
from .analysis.corrections import MUMU, annihilation_fraction
from .analysis.report import cutflow_table, draw_figures, spectra_table
from .analysis.search_card import Search, load_search
from .analysis.smooth import Pieces, Smooth
from .analysis.spectrum import Spectrum, check_channels, counts_on, read_spectra, search_bins
from .analysis.table import write_table
from .checks import check_output, check_output_folder
from .event import CHANNELS, Floats, SelectedEvents
from .geometry.card import Card, card_hash, load_card
from .pipeline import CHUNK, default_jobs
from .rng import check_seed
from .samples import MODES, FileSource, Producer, PseudoData, Sample, pseudo_data


class Corrections(NamedTuple):
    """What the limit takes from simulation, on all bins of the spectrum; arrays (n_bins,), per channel where named."""

    fraction: Pieces
    pipi: Floats
    pipi_error: Floats
    containment: dict[str, Smooth]


@dataclass(frozen=True)
class SearchResult:
    """What a search found: one row per combination and bin in `limits` and `expected`."""

    search: Search
    limits: Table
    expected: Table
    channels: list[ChannelInput]
    manifest: dict[str, Any]
    out: Path | None

    def summary(self) -> str:
        """Return a few lines: the median limit on epsilon of every combination, and what is flagged."""
        lines = [f"{'combination':12s} {'median epsilon':>15s} {'expected':>12s}"]
        for name in dict.fromkeys(self.limits["combination"].tolist()):
            rows = self.limits["combination"] == name
            observed = np.median(np.asarray(self.limits["epsilon_up"])[rows])
            expected = np.median(np.asarray(self.expected["epsilon_up"])[rows])
            lines.append(f"{name:12s} {observed:15.3e} {expected:12.3e}")
        for channel in self.channels:
            fit = channel.background
            if not fit.background_ok:
                lines.append(f"{channel.channel}: {fit.model} does not describe the spectrum, p = {fit.p_value:.2g}")
            if not fit.converged:
                lines.append(f"{channel.channel}: the background fit did not converge")
        return "\n".join(lines)


def _timed(timings: dict[str, float], name: str, start: float) -> float:
    now = time.perf_counter()
    timings[name] = round(now - start, 3)
    return now


def parse_injection(text: str | None, sqrt_s: float) -> tuple[float, float] | None:
    """Return (mass [GeV], epsilon) of MASS:EPSILON; ValueError says what is allowed."""
    if text is None:
        return None
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
    sources: dict[str, FileSource] = {}
    for text in inputs:
        label, found, path = text.partition("=")
        if not found or label not in labels:
            raise ValueError(f"input = {text!r}, must be PROCESS=FILE with a process of {', '.join(labels)}")
        sources[label] = FileSource(exchange.read_truth(path, **options), path)
    return sources


def simulate_corrections(producer: Producer, simulated: dict[str, Sample], annihilation: Sample) -> Corrections:
    """Return annihilation fraction, pion pairs and containment per bin."""
    centre = 0.5 * (producer.edges[1:] + producer.edges[:-1])
    n_bins = len(centre)
    bhabha = simulated.get("ee_bhabha")
    if bhabha is None:
        raise ValueError(f"search {producer.search.name}: process ee_bhabha is missing, the ee channel needs it")
    fraction = annihilation_fraction(centre, annihilation.expected, bhabha.expected, producer.search.spectrum.gap)
    pipi, pipi_variance = np.zeros(n_bins), np.zeros(n_bins)
    for sample in simulated.values():
        if sample.label == "pipi_isr":
            pipi, pipi_variance = sample.expected.mean[MUMU], sample.expected.variance[MUMU]
    relative = producer.search.systematics.pion_form_factor
    contained = {channel: producer.containment(channel, centre) for channel in CHANNELS}
    return Corrections(fraction, pipi, np.sqrt(pipi_variance + (relative * pipi) ** 2), contained)


def channel_inputs(spectra: dict[str, Spectrum], corrections: Corrections, search: Search) -> list[ChannelInput]:
    """Return what the limits need of each channel, on the bins outside the gap."""
    edges = search.spectrum.edges()
    bins = search_bins(edges, search.spectrum.gap)
    at = np.searchsorted(edges[:-1], bins.mass_low - 1e-9)
    channels = []
    relative = search.systematics.pion_form_factor
    for channel in CHANNELS:
        counts = counts_on(spectra[channel], bins)
        contained = corrections.containment[channel]
        resolution_error = search.systematics.mass_resolution * contained.values[at]
        if channel == "ee":
            fraction = corrections.fraction.values[at]
            bhabha_error = search.systematics.bhabha_correction * fraction
            fraction_error = np.hypot(corrections.fraction.sigma()[at], bhabha_error)
            pipi = pipi_error = np.zeros(len(at))
        else:
            fraction, fraction_error = np.ones(len(at)), np.zeros(len(at))
            pipi, pipi_error = corrections.pipi[at], corrections.pipi_error[at]
        background = fit_background(
            bins,
            counts,
            search.limit.background,
            window=search.limit.window,
            component=pipi,
            component_error=relative,
        )
        channels.append(
            ChannelInput(
                channel=channel,
                bins=bins,
                n=counts,
                background=background,
                annihilation_fraction=fraction,
                annihilation_fraction_error=fraction_error,
                pipi=pipi,
                pipi_error=pipi_error,
                containment=contained.values[at],
                containment_error=np.hypot(contained.sigma()[at], resolution_error),
            )
        )
    return channels


def spectra_of_counts(counts: Floats, search: Search) -> dict[str, Spectrum]:
    """Return the spectra of counts of shape (n_channels, n_bins) on all bins of a search."""
    bins = search_bins(search.spectrum.edges(), None)
    return {channel: Spectrum(bins, counts[c], channel) for c, channel in enumerate(CHANNELS)}


def spectra_of_selected(events: SelectedEvents, search: Search) -> dict[str, Spectrum]:
    """Return the spectra of selected events; weights must be 1, since a weighted histogram is not data."""
    if not np.all(events.weight == 1.0):
        raise ValueError("selected events with weights other than 1 are simulation, not data: limits need counts")
    edges = search.spectrum.edges()
    counts = np.array([np.histogram(events.mass[events.channel == c], edges)[0] for c in range(len(CHANNELS))])
    return spectra_of_counts(counts.astype(np.float64), search)


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
    measured = None if data is None else read_spectra(data)
    if measured is not None:
        check_channels(measured, search_bins(setting.search.spectrum.edges(), setting.search.spectrum.gap))
    timings: dict[str, float] = {}
    start = time.perf_counter()
    simulated, corrections = _simulation(setting)
    start = _timed(timings, "simulation", start)
    made = None if measured is not None else _pseudo_data(setting, pseudo_data, simulated, injected)
    start = _timed(timings, "pseudo_data", start)
    spectra = measured if made is None else spectra_of_counts(made.counts, setting.search)
    assert spectra is not None
    channels = channel_inputs(spectra, corrections, setting.search)
    options = {"delta": setting.search.limit.delta, "bounded": setting.search.limit.bounded}
    limits = limit_table(channels, **options)
    expected = limit_table([asimov(channel) for channel in channels], **options)
    _timed(timings, "limits", start)
    manifest = _manifest(setting, pseudo_data if made else str(data), inject, simulated, made, channels, timings)
    result = SearchResult(setting.search, limits, expected, channels, manifest, target)
    if target is not None:
        _write(target, overwrite, lambda folder: _fill(folder, result, spectra, simulated, made, corrections))
    return result


def _pseudo_data(
    setting: Setting, mode: str, simulated: dict[str, Sample], injected: tuple[float, float] | None
) -> PseudoData:
    return pseudo_data(setting.producer, mode, simulated, set(setting.external), injected)


def limits_of_spectra(
    spectra: dict[str, Spectrum],
    search: Search,
    *,
    output: str | Path,
    card: str | Path | None = None,
    luminosity: float | None = None,
    seed: int = 1,
    jobs: int | None = None,
    quiet: bool = True,
    overwrite: bool = False,
) -> Table:
    """Write the limits of measured or selected spectra, with corrections from the search's own simulation."""
    check_output(output, overwrite=overwrite)
    setting = prepare(search, card, luminosity, seed, jobs, CHUNK, quiet)
    check_channels(spectra, search_bins(search.spectrum.edges(), search.spectrum.gap))
    _, corrections = _simulation(setting)
    channels = channel_inputs(spectra, corrections, search)
    limits = limit_table(channels, delta=search.limit.delta, bounded=search.limit.bounded)
    write_table(output, limits, [f"search {search.name}, card {setting.card.name}, seed {seed}"])
    return limits


def _manifest(
    setting: Setting,
    mode: str,
    inject: str | None,
    simulated: dict[str, Sample],
    made: PseudoData | None,
    channels: list[ChannelInput],
    timings: dict[str, float],
) -> dict[str, Any]:
    from importlib.metadata import version

    producer = setting.producer
    samples = made.samples if made else []
    return {
        "besfast": version("besfast"),
        "search": setting.search.name,
        "search_hash": setting.search.digest(),
        "card": setting.card.name,
        "card_hash": card_hash(setting.card),
        "luminosity_fb": producer.luminosity,
        "pseudo_data": mode,
        "inject": inject,
        "external": sorted(setting.external),
        "seed": str(producer.seed),
        "seeds": {name: str(seed) for name, seed in sorted(producer.seeds.items())},
        "simulation": {label: sample.report() for label, sample in simulated.items()},
        "data": {sample.label: sample.report() for sample in samples},
        "expectation": {label: one.report() for label, one in (made.drawn if made else {}).items()},
        "background": {
            channel.channel: {
                "model": channel.background.model,
                "order": list(channel.background.order),
                "deviance": float(channel.background.deviance),
                "degrees_of_freedom": int(channel.background.dof),
                "p_value": float(channel.background.p_value),
                "background_ok": bool(channel.background.background_ok),
                "converged": bool(channel.background.converged),
            }
            for channel in channels
        },
        "timings_s": timings,
    }


def _write(target: Path, overwrite: bool, fill: Callable[[Path], None]) -> None:
    """Fill a folder under a temporary name, then give it its own: it is there whole or not at all."""
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        fill(temporary)
        temporary.chmod(0o777 & ~_umask())
        if overwrite and target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
            target.rename(old / target.name)
            temporary.rename(target)
            shutil.rmtree(old)
        else:
            temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _fill(
    folder: Path,
    result: SearchResult,
    spectra: dict[str, Spectrum],
    simulated: dict[str, Sample],
    made: PseudoData | None,
    corrections: Corrections,
) -> None:
    head = [
        f"besfast {result.manifest['besfast']}, search {result.search.name}, card {result.manifest['card']}",
        f"pseudo-data {result.manifest['pseudo_data']}, {result.manifest['luminosity_fb']} fb^-1, "
        f"seed {result.manifest['seed']}",
    ]
    expected = {label: sample.expected for label, sample in simulated.items()}
    flows = {"simulation": {label: (s.cutflow, s.expected_cutflow) for label, s in simulated.items()}}
    flows["data"] = {s.label: (s.cutflow, s.expected_cutflow) for s in (made.samples if made else [])}
    write_table(folder / "cutflow.csv", cutflow_table(flows), head)
    write_table(folder / "limits.csv", result.limits, head)
    write_table(folder / "expected_limits.csv", result.expected, head)
    table = spectra_table(spectra, result.channels, expected, corrections.fraction, corrections.containment)
    write_table(folder / "spectra.csv", table, head)
    draw_figures(folder, result.channels, result.limits, result.expected, expected, result.search.spectrum.edges())
    (folder / "manifest.json").write_text(json.dumps(result.manifest, indent=1) + "\n", encoding="utf-8")
