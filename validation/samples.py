"""Samples of other programs: e+ e- -> mu+ mu- gamma of BabaYaga@NLO and of Pythia 8 at 3.773 GeV.

Their distributions are packaged (`data/sample_distributions.csv`, made by `write_sample_distributions`); files that a
user has take their place.
"""

import math
from collections.abc import Container, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import exchange
from ..arrays import Floats
from ..constants import M_E, M_MU
from ..event import TruthEvents
from ..sim.generate import Generator
from ..sim.processes.protocol import Setting
from ..sim.radiative.interference import full_weight
from .check import Check, Result, Settings
from .comparison import Comparison
from .distributions import compare_histograms, read_histograms, write_histograms
from .observables import OBSERVABLES, SELECTIONS, Histogram, Histograms, fill, generated_chunks, observe
from .whole_pair import WHOLE_PAIR

TOPIC = "other programs"
_PACKAGED = "sample_distributions"
_SQRT_S = 3.773
_EVENTS = 2**18


class Sample(NamedTuple):
    """A sample of another program: what it is, range of the pair's mass [GeV], how its packaged file is normalised."""

    program: str
    mass_range: tuple[float, float]
    normalisation: Mapping[str, float]


SAMPLES: Mapping[str, Sample] = {
    "babayaga": Sample(
        "BabaYaga@NLO, one photon, radiation from beams and muons, weighted events",
        (1.4, 3.5),
        {"tries": 127081},
    ),
    "pythia8": Sample("Pythia 8, shower of beams and muons", (1.0, 3.5), {"cross_section": 1.328}),
}


def parse_sample(text: str) -> tuple[str, Path, dict[str, Any]]:
    """Return name, file and normalisation of NAME=FILE, NAME=FILE,tries=N or NAME=FILE,cross_section=NB.

    Raises
    ------
    ValueError
        If it is not of that form; the message says what is allowed.
    FileNotFoundError
        If there is no such file.
    """
    name, equals, rest = text.partition("=")
    if not equals or name not in SAMPLES or not rest:
        raise ValueError(f"sample = {text!r}, must be NAME=FILE with a name of {', '.join(SAMPLES)}")
    path, *settings = rest.split(",")
    options: dict[str, Any] = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        kinds = {"tries": int, "cross_section": float}
        if key not in kinds:
            raise ValueError(f"sample = {text!r}, {key!r} must be tries=N or cross_section=NB")
        try:
            options[key] = kinds[key](value)
        except ValueError:
            raise ValueError(f"sample = {text!r}, {setting!r} must be a number") from None
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    return name, Path(path), options


def read_sample(name: str, path: Path, options: Mapping[str, Any]) -> tuple[Histograms, bool]:
    """Return the histograms of a file, and whether it has a cross section: else sums of weights over their total."""
    truth = exchange.read_truth(path, **options)
    total = truth.cross_section
    known = math.isfinite(total)
    scale = (total if known else 1.0) / float(truth.weight.sum())
    chunk: tuple[TruthEvents, Floats] = (truth, truth.weight)
    return fill(iter([chunk]), scale, SAMPLES[name].mass_range)[0], known


def write_sample_distributions(files: Mapping[str, Path], path: Path) -> None:
    """Write the packaged distributions from the files of all samples, normalised as `SAMPLES` says."""
    comment = (
        "Distributions of e+ e- -> mu+ mu- gamma events of other programs at sqrt(s) = 3.773 GeV, per bin of "
        "validation/observables.py: cross section [nb] and its variance [nb^2]. babayaga: 20 000 weighted events of "
        "BabaYaga@NLO at its lowest order, 1.4 < m < 3.5 GeV, 127 081 tries; pythia8: 10 000 events of Pythia 8, "
        "1.0 < m < 3.5 GeV before the muons radiate, 1.328 nb"
    )
    histograms = {name: read_sample(name, file, SAMPLES[name].normalisation)[0] for name, file in files.items()}
    write_histograms(path, histograms, comment)


def sample_histograms(files: Mapping[str, tuple[Path, Mapping[str, Any]]]) -> dict[str, tuple[Histograms, bool]]:
    """Return the histograms of all samples, from files where given, else packaged."""
    packaged = {name: (one, True) for name, one in read_histograms(_PACKAGED).items()}
    return packaged | {name: read_sample(name, path, options) for name, (path, options) in files.items()}


def _total(histograms: Histograms, selection: str) -> tuple[float, float]:
    """Return cross section and error [nb] of a selection, from an observable whose bins hold all events."""
    one = histograms[(selection, "minus_cosine")]
    return float(one.content.sum()), math.sqrt(float(one.variance.sum()))


def _compared(
    subject: str,
    ours: Histograms,
    theirs: tuple[Histograms, bool],
    selections: tuple[str, ...],
    source: str,
    figure: str,
    *,
    judged: Container[tuple[str, str]] | None = None,
    remarks: Mapping[str, str] | None = None,
) -> Result:
    """Compare totals, if theirs are cross sections, and all observables; `judged` names (selection, observable)."""
    rows, curves = [], []
    remarks = remarks or {}
    reference, absolute = theirs
    for selection in selections:
        label = f"{subject}, {selection}"
        if absolute:
            numbers = *_total(ours, selection), *_total(reference, selection)
            tolerance = 0.0 if judged is None else None
            text, remark = f"sigma, {SELECTIONS[selection]}", remarks.get("sigma", "")
            rows.append(Comparison(label, text, *numbers, "nb", tolerance, source, remark=remark))
        for name in OBSERVABLES:
            a, b = ours[(selection, name)], reference[(selection, name)]
            if name == "missing_mass" and not _spread(b):
                continue
            good = judged is None or (selection, name) in judged
            remark = remarks.get(name, "")
            file = f"{figure}_{selection}"
            found = compare_histograms(label, name, a, b, source, file, judged=good, remark=remark)
            rows += found.rows
            curves += found.curves
    return Result(rows, curves)


def _spread(histogram: Histogram) -> bool:
    """Return whether more than one bin is filled."""
    return bool((histogram.variance > 0.0).sum() > 1)


def _babayaga(theirs: tuple[Histograms, bool], settings: Settings) -> Result:
    """Compare with radiation from beams and muons and their interference at leading order."""
    sample, n = SAMPLES["babayaga"], settings.size(_EVENTS)
    options: dict[str, Any] = {"mass_min": sample.mass_range[0], "mass_max": sample.mass_range[1]}
    seed = settings.seed_of("babayaga")
    source = WHOLE_PAIR.prepare(Setting(_SQRT_S, seed, "lo", True, 0.0, n, 2**18, options))
    whole, _ = fill(generated_chunks(source.events, n), source.cross_section / n, sample.mass_range)
    result = _compared(
        "mumu gamma, whole matrix element", whole, theirs, ("all", "untagged", "tagged"), sample.program, "babayaga"
    )
    generator = Generator(
        "mumu_isr", seed=settings.seed_of("weights"), weighted=True, n_cross_section=n, n_scan=2**18, **options
    )
    weighed, _ = fill(
        generated_chunks(generator.events, n, full_weight), generator.cross_section / n, sample.mass_range
    )
    # without those along a muon, where weights of radiation from the beams have no variance to speak of
    second = _compared(
        "mumu_isr with full_weight", weighed, theirs, ("untagged", "tagged"), sample.program, "full_weight"
    )
    return Result(result.rows + second.rows, result.curves)


def _pythia(theirs: tuple[Histograms, bool], settings: Settings) -> Result:
    """Compare with any number of photons from beams and muons.

    The electron's structure function of the shower is that of the scale m^2, ours that of s: events are weighted with
    the ratio of the logarithms for what is judged. Not judged is what a shower has in its own way: photons at less than
    about a milliradian from a beam, which it has not, hard photons at wide angles, for which it has no matrix element,
    and the rate.
    """
    sample, n = SAMPLES["pythia8"], settings.size(_EVENTS)
    generator = Generator(
        "mumu_isr",
        seed=settings.seed_of("pythia8"),
        order="ll",
        resonances=False,
        mass_min=sample.mass_range[0],
        mass_max=sample.mass_range[1],
        soft_cutoff=1e-5,
        n_cross_section=n,
        n_scan=2**17,
    )
    scale = generator.cross_section / n
    weighed, _ = fill(generated_chunks(generator.events, n, _scale_of_the_pair), scale, sample.mass_range)
    plain, _ = fill(generated_chunks(generator.events, n), scale, sample.mass_range)
    angle = {"photon_angle": "the shower has no photons below about a milliradian"}
    judged = {("all", name) for name in OBSERVABLES if name != "photon_angle"}
    first = _compared(
        "mumu_isr of order ll, scale m^2",
        weighed,
        theirs,
        ("all",),
        sample.program,
        "pythia8_scale",
        judged=judged,
        remarks={"sigma": "the shower has alpha at its own scales and no vertex correction", **angle},
    )
    remarks = {
        "sigma": "scale s in place of m^2: 5 % more on average",
        "pair_mass": "scale s in place of m^2: 15 % more at 1.1 GeV, 1 % at 3.4 GeV",
        "photon_energy": "as the mass of the pair",
        **angle,
    }
    second = _compared(
        "mumu_isr of order ll",
        plain,
        theirs,
        ("all", "untagged", "tagged"),
        sample.program,
        "pythia8",
        judged=(),
        remarks=remarks,
    )
    drawn = [curve for curve in second.curves if curve.panel.figure == "pythia8_all"]
    return Result(first.rows + second.rows, first.curves + drawn)


def _scale_of_the_pair(truth: TruthEvents) -> Floats:
    """Return (ln(m^2 / m_e^2) - 1) / (ln(s / m_e^2) - 1), m of the pair."""
    mass = np.maximum(observe(truth)[0]["pair_mass"], 2.0 * M_MU)
    weight: Floats = (2.0 * np.log(mass / M_E) - 1.0) / (2.0 * math.log(_SQRT_S / M_E) - 1.0)
    return weight


def samples(settings: Settings, files: Mapping[str, tuple[Path, Mapping[str, Any]]]) -> list[Check]:
    """Return the checks of this topic."""
    histograms = sample_histograms(files)
    return [
        Check(TOPIC, "BabaYaga", partial(_babayaga, histograms["babayaga"], settings)),
        Check(TOPIC, "Pythia 8", partial(_pythia, histograms["pythia8"], settings)),
    ]
