"""The samples of a search: weighted simulation, pseudo-data event by event, and signals for the containment.

Every sample has seeds of its own, derived from the seed of the run, the kind of sample and the process, so that no two
share an event, and adding one changes none of the others.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from .analysis.corrections import Expected, expected_events
from .analysis.fine_bins import summed
from .analysis.pseudo_data import poisson_numbers
from .analysis.search_card import ProcessOptions, Search
from .analysis.selection import Cutflow
from .analysis.smooth import Pieces, as_is, smooth
from .event import CHANNELS, Floats, TruthEvents, select_events
from .geometry.card import Card
from .pipeline import CHUNK, Chain, fill_spectra
from .rng import derive_seed
from .sim.generate import Generator
from .sim.processes.registry import check_sum

#: 1 fb^-1 in nb^-1.
PER_FB = 1e6

#: Width [GeV] of the slices from which a generated spectrum is measured.
SLICE_WIDTH = 0.05


class FileSource:
    """Events of a file in the place of a generator; the file's weights and cross section are used."""

    def __init__(self, truth: TruthEvents, label: str) -> None:
        if not np.isfinite(truth.cross_section):
            raise ValueError(
                f"{label}: the file gives no cross section; --cross-section NB or --tries N is needed for a luminosity"
            )
        if not float(truth.weight.sum()) > 0.0:
            raise ValueError(f"{label}: sum of weights = {truth.weight.sum():g}, must be above 0")
        # a sample is keyed by running index, whatever the numbers in its file
        self.truth = truth._replace(number=np.arange(truth.n_events))
        self.cross_section = truth.cross_section
        self.cross_section_error = truth.cross_section_error
        self.overflow = 0.0

    def events(self, start: int, n: int) -> TruthEvents:
        """Return events start to start + n of the file."""
        truth: TruthEvents = select_events(self.truth, start, start + n)
        return truth


class Sample(NamedTuple):
    """A sample that went through the chain, possibly in slices of mass; expectations are at the luminosity.

    `fine` are the counts of data in the narrow bins of a bump hunt; `entries` are their sums.
    """

    label: str
    entries: Floats
    expected: Expected
    cutflow: Cutflow
    expected_cutflow: Floats
    cross_section: float
    cross_section_error: float
    n_generated: int
    overflow: float
    fine: Floats | None = None

    @property
    def narrow(self) -> Floats:
        """Counts in narrow bins; of data alone."""
        if self.fine is None:
            raise ValueError(f"sample {self.label} is simulation, only data are counted in narrow bins")
        return self.fine

    def report(self) -> dict[str, Any]:
        """Return what the manifest says of this sample; `overflow` is the share of events above the maximum weight."""
        return {
            "cross_section_nb": self.cross_section,
            "cross_section_error_nb": self.cross_section_error,
            "events": self.n_generated,
            "overflow": self.overflow,
            "selected": {channel: int(self.entries[c].sum()) for c, channel in enumerate(CHANNELS)},
        }


def _joined(label: str, parts: list[Sample]) -> Sample:
    """Return a sample made of disjoint slices."""
    return Sample(
        label,
        np.sum([part.entries for part in parts], axis=0),
        Expected(
            np.sum([part.expected.mean for part in parts], axis=0),
            np.sum([part.expected.variance for part in parts], axis=0),
        ),
        Cutflow(
            np.sum([part.cutflow.entries for part in parts], axis=0),
            np.sum([part.cutflow.weights for part in parts], axis=0),
        ),
        np.sum([part.expected_cutflow for part in parts], axis=0),
        float(sum(part.cross_section for part in parts)),
        float(np.sqrt(sum(part.cross_section_error**2 for part in parts))),
        sum(part.n_generated for part in parts),
        max(part.overflow for part in parts),
    )


@dataclass
class Producer:
    """Makes the samples of one search with one card."""

    search: Search
    card: Card
    seed: int
    luminosity: float
    jobs: int
    chunk: int = CHUNK
    quiet: bool = True

    def __post_init__(self) -> None:
        check_sum((one.name, one.order, one.generator_options()) for one in self.search.process)
        self.edges = self.search.spectrum.edges()
        self.centre = 0.5 * (self.edges[1:] + self.edges[:-1])
        self.fine_edges = self.search.fine_edges()
        self.fine_centre = 0.5 * (self.fine_edges[1:] + self.fine_edges[:-1])
        self.seeds: dict[str, int] = {}

    def seed_of(self, kind: str, label: str) -> int:
        """Return the seed of a sample, and remember it for the manifest."""
        seed = derive_seed(self.seed, kind, label)
        self.seeds[f"{kind}/{label}"] = seed
        return seed

    def generator(self, kind: str, process: ProcessOptions, label: str, **options: Any) -> Generator:
        """Return the native generator of a process."""
        return Generator(
            process.name,
            sqrt_s=self.card.beam.sqrt_s,
            seed=self.seed_of(kind, label),
            energy_spread=self.card.beam.energy_spread,
            **process.generator_options(),
            **options,
        )

    def chain(self, kind: str, label: str, source: Any, mass_range: tuple[float, float] | None = None) -> Chain:
        """Return the way of a sample through the rooms."""
        return Chain(
            source=source,
            card=self.card,
            cuts=self.search.cuts_by_channel(),
            mass_range=mass_range or self.search.spectrum.mass_range(),
            seed=self.seed_of(f"{kind}/detector", label),
        )

    def run(self, kind: str, label: str, source: Any, n_events: int, scale: float, *, is_data: bool = False) -> Sample:
        """Run n events of a source through the chain; data are counted in narrow bins."""
        with self.bar(n_events, f"{kind} {label}") as bar:
            spectra = fill_spectra(
                self.chain(kind, label, source),
                n_events,
                self.fine_edges if is_data else self.edges,
                jobs=self.jobs,
                chunk=self.chunk,
                progress=bar.update,
            )
        counts, n_bins = spectra.entries.astype(np.float64), len(self.edges) - 1
        return Sample(
            label,
            summed(counts, n_bins),
            expected_events(summed(spectra.weights, n_bins), summed(spectra.weights2, n_bins), scale),
            spectra.cutflow,
            spectra.cutflow.weights * scale,
            source.cross_section,
            source.cross_section_error,
            n_events,
            source.overflow,
            counts if is_data else None,
        )

    def bar(self, total: int, text: str) -> Any:
        """Return a progress bar, silent for a quiet run and where nobody watches."""
        return tqdm(
            total=total, desc=f"{text:32s}", unit="event", unit_scale=True, disable=True if self.quiet else None
        )

    def simulated(self, process: ProcessOptions, source: FileSource | None = None) -> Sample:
        """Return the weighted simulation of a process: native, in slices of mass of equal size, or from a file."""
        if source is not None:
            # the weights of a file need not have mean one: their sum stands for the cross section
            scale = self.luminosity * PER_FB * source.cross_section / float(source.truth.weight.sum())
            return self.run("simulation", process.label(), source, source.truth.n_events, scale)
        parts = []
        for number, one in enumerate(process.sliced()):
            label = process.label() if process.slices == 1 else f"{process.label()}#{number}"
            generator = self.generator("simulation", one, label, weighted=True)
            scale = self.luminosity * PER_FB * generator.cross_section / one.simulated
            parts.append(self.run("simulation", label, generator, one.simulated, scale))
        return _joined(process.label(), parts)

    def generated_spectrum(self, process: ProcessOptions, n_cross_section: int = 2**22) -> Pieces:
        """Return dsigma/dm [nb/GeV] of a process within its generator cuts per bin, smooth on either side of the gap.

        From the cross sections of narrow slices of mass, which no detector simulation limits in number. Inside the
        gap, where a resonance may stand, it is set to one.
        """
        low, high = self.search.spectrum.mass_range()
        gap = self.search.spectrum.gap
        fits = []
        for first, last, rough in ((low, gap[0], False), (*gap, True), (gap[1], high, False)):
            bins = self.centre[(self.centre > first) & (self.centre < last)]
            if not bins.size:
                continue
            if rough:
                fits.append(as_is(bins, np.ones_like(bins), np.zeros_like(bins)))
                continue
            n = max(round((last - first) / SLICE_WIDTH), 12)
            edges = np.linspace(first, last, n + 1)
            sigma, error = self._slices(process, edges, n_cross_section)
            width = np.diff(edges)
            centre = 0.5 * (edges[1:] + edges[:-1])
            # the errors are a few 1e-4: here a high order follows the shape
            values, variances, half = sigma / width, (error / width) ** 2, 0.5 * float(width[0])
            fits.append(smooth(centre, values, variances, half_width=half, bins_per_order=3).at(bins))
        return Pieces(tuple(fits))

    def _slices(self, process: ProcessOptions, edges: Floats, n_points: int) -> tuple[Floats, Floats]:
        """Return cross sections of a process in slices of mass and their errors [nb], from n_points each."""

        def measure(low: float, high: float) -> tuple[float, float]:
            one = replace(process, mass_min=low, mass_max=high)
            label = f"{process.label()}#{low:.6g}"
            generator = self.generator("spectrum", one, label, weighted=True, n_cross_section=n_points, n_scan=2**17)
            return generator.cross_section, generator.cross_section_error

        with ThreadPoolExecutor(self.jobs) as executor:
            sigma = np.array(list(executor.map(measure, edges[:-1].tolist(), edges[1:].tolist())))
        return sigma[:, 0], sigma[:, 1]

    def data(self, process: ProcessOptions) -> Sample:
        """Return pseudo-data of a process event by event: Poisson(sigma L) unweighted events."""
        generator = self.generator("data", process, process.label(), weighted=False)
        mean = np.array([self.luminosity * PER_FB * generator.cross_section])
        n_events = int(poisson_numbers(mean, self.seed_of("data/number", process.label()))[0])
        return self.run("data", process.label(), generator, n_events, 1.0, is_data=True)

    def signal(self, mass: float, epsilon: float) -> list[Sample]:
        """Return an injected dark photon, one sample per lepton, as pseudo-data event by event."""
        samples = []
        for lepton, cuts in (("mu", self.process("mumu_isr")), ("e", self.process("ee_bhabha"))):
            label = f"dark_photon_{lepton}"
            generator = self.dark_photon("signal", label, mass, lepton, cuts, epsilon=epsilon)
            mean = np.array([self.luminosity * PER_FB * generator.cross_section])
            n_events = int(poisson_numbers(mean, self.seed_of("signal/number", label))[0])
            samples.append(self.run("signal", label, generator, n_events, 1.0, is_data=True))
        return samples

    def process(self, name: str) -> ProcessOptions:
        """Return a process of the search by name."""
        for process in self.search.process:
            if process.name == name:
                return process
        raise ValueError(f"search {self.search.name}: process {name} is missing, a dark photon takes its cuts")

    def dark_photon(
        self, kind: str, label: str, mass: float, lepton: str, cuts: ProcessOptions, **options: Any
    ) -> Generator:
        """Return the generator of a dark photon of a mass [GeV], with the cuts of the QED process like it."""
        return Generator(
            "dark_photon",
            sqrt_s=self.card.beam.sqrt_s,
            seed=self.seed_of(kind, label),
            energy_spread=self.card.beam.energy_spread,
            n_cross_section=2**18,
            n_scan=2**16,
            mass=mass,
            lepton=lepton,
            theta_gamma_max=cuts.theta_gamma_max,
            lepton_theta_min=cuts.lepton_theta_min,
            lepton_pt_min=cuts.lepton_pt_min,
            order=cuts.order,
            **options,
        )
