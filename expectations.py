"""Expectations of a search, smooth in mass where a process is large, and the pseudo-data drawn from them."""

from typing import Any, NamedTuple

import numpy as np

from .analysis.corrections import EE, MUMU
from .analysis.fine_bins import refined, split, summed
from .analysis.pseudo_data import poisson_numbers
from .analysis.search_card import ProcessOptions
from .analysis.smooth import Pieces, product, smooth_pieces
from .arrays import Floats
from .event import CHANNELS
from .samples import PER_FB, Producer, Sample

#: Where the expectation of a process is smooth and large: the channel that it dominates.
MAIN_CHANNEL = {"mumu_isr": MUMU, "ee_bhabha": EE, "ee_annihilation": EE}

MODES = ("hybrid", "events", "asimov")

#: Largest statistical error of an unsmoothed expectation in a bin, in units of the Poisson error of all events there.
NOISE_MAX = 0.1


class Expectation(NamedTuple):
    """Expected pseudo-data of one process per channel and bin, and its covariance where it is smooth.

    `fine` is the same in the narrow bins of a bump hunt, whose sums are the mean; evenly split where not smooth.
    """

    mean: Floats
    fine: Floats
    channel: int | None = None
    covariance: Floats | None = None
    spectrum: Pieces | None = None
    efficiency: Pieces | None = None

    def report(self) -> dict[str, Any]:
        """Return what the manifest says of this expectation.

        `noise` is the largest error of a bin against the mean of its neighbours over sqrt(n): what smooth functions
        leave of the fluctuations of the simulation from bin to bin.
        """
        if self.channel is None or self.covariance is None:
            return {"smooth": False}
        mean, noise, first = self.mean[self.channel], 0.0, 0
        for fit in self.efficiency.fits if self.efficiency else ():
            inside = slice(first, first + len(fit.values))
            first = inside.stop
            if fit.dof == 0:
                continue
            one = np.eye(len(fit.values))
            step = one[1:-1] - 0.5 * (one[:-2] + one[2:])
            variance = np.einsum("ij,jk,ik->i", step, self.covariance[inside, inside], step)
            noise = max(noise, float(np.sqrt(np.max(variance / mean[inside][1:-1]))))
        pieces = {"spectrum": self.spectrum, "efficiency": self.efficiency}
        fits = {
            f"{name}_{number}": fit
            for name, one in pieces.items()
            for number, fit in enumerate(one.fits if one else ())
            if fit.dof > 0
        }
        return {
            "smooth": True,
            "largest_relative_error": float(np.max(np.sqrt(np.diag(self.covariance)) / mean)),
            "noise": noise,
            **{
                name: {"order": fit.order, "chi2": fit.chi2, "degrees_of_freedom": fit.dof, "p_value": fit.p_value}
                for name, fit in fits.items()
            },
        }


def expectation(
    producer: Producer, process: ProcessOptions, sample: Sample, *, native: bool, n_cross_section: int = 2**22
) -> Expectation:
    """Return the expectation of a process: smooth in mass in the channel that it dominates, else as simulated.

    A native process is the product of its generated spectrum and a smooth ratio of what is reconstructed in a bin to
    what is generated there (efficiency and migration); of an external sample the selected spectrum itself is smooth.
    `n_cross_section` points measure each narrow slice of the generated spectrum.
    In the gap, where a resonance may stand, the expectation is the simulation itself.
    """
    channel = MAIN_CHANNEL.get(process.name)
    mean = sample.expected.mean.copy()
    flat, centres = np.ones_like(producer.fine_centre), producer.fine_centre
    if channel is None:
        return Expectation(mean, split(mean, flat))
    centre = producer.centre
    gap = producer.search.spectrum.gap
    selected, variance = sample.expected.mean[channel], sample.expected.variance[channel]
    if not native:
        whole = smooth_pieces(centre, selected, variance, gap, min_order=3, rough=(1,))
        mean[channel] = whole.values
        fine = split(mean, flat)
        fine[channel] = split(mean[channel], refined(whole, centres))
        return Expectation(mean, fine, channel, whole.covariance(), efficiency=whole)
    spectrum = producer.generated_spectrum(process, n_cross_section)
    scale = producer.luminosity * PER_FB * producer.search.spectrum.bin_width
    generated = scale * spectrum.values
    efficiency = smooth_pieces(centre, selected / generated, variance / generated**2, gap, rough=(1,))
    mean[channel], covariance = product(spectrum, efficiency, scale)
    fine = split(mean, flat)
    fine[channel] = split(mean[channel], refined(spectrum, centres) * refined(efficiency, centres))
    return Expectation(mean, fine, channel, covariance, spectrum, efficiency)


class PseudoData(NamedTuple):
    """Counts per channel and bin, wide and narrow (of the same events), and the samples they were made of."""

    counts: Floats
    fine: Floats
    samples: list[Sample]
    drawn: dict[str, Expectation]


def pseudo_data(
    producer: Producer,
    mode: str,
    simulated: dict[str, Sample],
    external: set[str],
    inject: tuple[float, float] | None,
) -> PseudoData:
    """Return pseudo-data of all processes of a search.

    Parameters
    ----------
    producer : Producer
    mode : str
        `hybrid` draws the Bhabha channel, and every external sample, from smooth expectations and runs the rest event
        by event; `events` runs every event; `asimov` is the expectation itself.
    simulated : dict of Sample
        Weighted simulation by label.
    external : set of str
        Labels of processes whose events come from a file: never event by event, since their number is given.
    inject : tuple of float, optional
        Mass [GeV] and epsilon of a dark photon.
    """
    fine = np.zeros((len(CHANNELS), len(producer.fine_edges) - 1))
    samples: list[Sample] = []
    drawn: dict[str, Expectation] = {}
    for process in producer.search.process:
        label = process.label()
        smooth_only = label in external or (mode == "hybrid" and process.name == "ee_bhabha")
        if mode != "asimov" and not smooth_only:
            sample = producer.data(process)
            samples.append(sample)
            fine += sample.narrow
            continue
        drawn[label] = expectation(producer, process, simulated[label], native=label not in external)
        if label in external and drawn[label].channel is None:
            _check_noise(producer, simulated, label)
        mean = drawn[label].fine
        fine += mean if mode == "asimov" else poisson_numbers(mean, producer.seed_of("data/counts", label))
    if inject is not None:
        for sample in producer.signal(*inject):
            samples.append(sample)
            fine += sample.narrow
    return PseudoData(summed(fine, len(producer.edges) - 1), fine, samples, drawn)


def _check_noise(producer: Producer, simulated: dict[str, Sample], label: str) -> None:
    """Refuse pseudo-data from a sample so small that its own fluctuations would be taken for data."""
    total = np.sum([sample.expected.mean for sample in simulated.values()], axis=0)
    error = np.sqrt(simulated[label].expected.variance)
    noise = float(np.max(np.divide(error, np.sqrt(total), out=np.zeros_like(error), where=total > 0.0)))
    if noise > NOISE_MAX:
        n = simulated[label].n_generated
        raise ValueError(
            f"input {label}: {n} events leave an error of {noise:.2g} sqrt(n) in a bin of the pseudo-data, "
            f"allowed {NOISE_MAX}"
        )
