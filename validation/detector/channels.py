"""Channels of the search: mass resolution after the fit, J/psi, pions among the muons, flat probability."""

import math
from functools import partial
from typing import Any

import numpy as np
from scipy import stats

from ...analysis.search_card import load_search
from ...analysis.selection import select
from ...arrays import Floats
from ...constants import JPSI_MASS, M_E, M_MU
from ...event import CHANNELS, FIT_HYPOTHESES, SelectedEvents, TruthEvents
from ...reco.kinematic_fit import CONVERGED
from ...sim.generate import Generator
from ..check import Check, Line, Plot, Result
from ..comparison import probability
from .bench import NO_TAILS, Bench, Shots
from .calorimeter import pair_mass2
from .estimators import core_width, estimate, half_width, rms, share

TOPIC = "channels"
_N = 80_000
_POINTS = 60_000
_SEARCH = "besiii_dark_photon"
MASSES = (1.5, 2.0, 2.5, 3.0, 3.4)
#: The process of each channel whose mass resolution is measured.
PROCESSES = {"mumu": "mumu_isr", "ee": "ee_bhabha"}
#: Generator cuts wider than those of the search.
MARGINS = {"theta_gamma_max": 0.2, "lepton_theta_min": 0.375, "lepton_pt_min": 0.275}
#: Deviations of the mass beyond this [GeV] do not count for the rms.
_FAR = 0.1
_BELOW_2_GEV = (1.5, 2.0)


def checks(bench: Bench) -> list[Check]:
    """Return the checks of this topic."""
    return [
        *(Check(TOPIC, f"mass of {channel}", partial(_mass, bench, channel)) for channel in CHANNELS),
        Check(TOPIC, "J/psi", partial(_jpsi, bench)),
        Check(TOPIC, "probability of the fit", partial(_probability, bench)),
        Check(TOPIC, "pions among the muons", partial(_pions, bench)),
    ]


def generated(bench: Bench, name: str, process: str, n: int, **options: Any) -> TruthEvents:
    """Return n events of a process at the card's energy, fewer if quick."""
    spread = options.pop("energy_spread", bench.card.beam.energy_spread)
    generator = Generator(
        process,
        sqrt_s=bench.card.beam.sqrt_s,
        seed=bench.settings.seed_of("detector", name),
        energy_spread=spread,
        n_cross_section=2**18,
        n_scan=2**17,
        **options,
    )
    return generator.events(0, bench.settings.size(n))


def selected(shots: Shots, channel: str, mass_range: tuple[float, float]) -> SelectedEvents:
    """Return what the search selects in one channel."""
    events = select(shots.events, load_search(_SEARCH).cuts_by_channel(), mass_range).events
    chosen = np.flatnonzero(events.channel == CHANNELS.index(channel))
    columns = {name: getattr(events, name)[chosen] for name in ("number", "channel", "mass", "fit_chi2", "weight")}
    return events._replace(**columns)


def mass_deviation(shots: Shots, channel: str) -> Floats:
    """Return fitted - true mass of the pair [GeV] of events selected in a channel."""
    events = selected(shots, channel, (0.0, math.inf))
    deviation: Floats = events.mass - np.sqrt(np.maximum(pair_mass2(shots), 0.0))[events.number]
    return deviation


def _mass(bench: Bench, channel: str) -> Result:
    """Return the resolution of the pair's mass after the fit, photons from beams and pair included.

    The true mass is that of the pair after its radiation.
    """
    rows, lines = [], []
    symbol = r"\mu\mu" if channel == "mumu" else "ee"
    plot = Plot(
        "mass", rf"${symbol}$: mass after the fit, selected", r"$m$ [GeV]", "width [MeV]", wanted=(5.0, 12.0),
        y_range=(0.0, 16.0),
    )  # fmt: skip
    for mass in MASSES:
        truth = generated(
            bench, f"{channel} {mass}", PROCESSES[channel], _POINTS, mass_min=mass - 0.02, mass_max=mass + 0.02,
            order="ll", **MARGINS,
        )  # fmt: skip
        deviation = 1e3 * mass_deviation(bench.measure(f"{channel} {mass}", truth), channel)
        deviation = deviation[np.abs(deviation) < 1e3 * _FAR]
        for label, estimator in (("core", core_width), ("central 68 %", half_width), ("rms", rms)):
            value, error = estimate(estimator, deviation)
            lines.append(Line(plot, label, np.array([mass]), np.array([value]), np.array([error])))
            key = {"core": "core", "central 68 %": "half", "rms": "rms"}[label]
            rows.append(bench.targets.row(f"mass_{channel}_{key}_{mass:g}", value, error))
    return Result(rows, [], lines)


def raw_mass(shots: Shots, lepton_mass: float) -> Floats:
    """Return the mass [GeV] of the two tracks before any fit, NaN without exactly two."""
    events = shots.events
    pairs = np.flatnonzero(np.diff(events.track_offsets) == 2)
    first = events.track_offsets[pairs]
    p = np.stack([events.px, events.py, events.pz])
    energy = np.sqrt((p**2).sum(axis=0) + lepton_mass**2)
    mass = np.full(events.n_events, np.nan)
    sum_p = p[:, first] + p[:, first + 1]
    mass[pairs] = np.sqrt(np.maximum((energy[first] + energy[first + 1]) ** 2 - (sum_p**2).sum(axis=0), 0.0))
    return mass


def _jpsi(bench: Bench) -> Result:
    """Return the width of the J/psi peak: photons of the final state lower the mass, the core does not see them."""
    rows, lines = [], []
    plot = Plot("mass", r"$J/\psi$ from initial-state radiation", "$m$ [GeV]", "selected events per 2 MeV / all")
    edges = np.linspace(3.03, 3.16, 66)
    for channel, lepton, mass in (("mumu", "mu", M_MU), ("ee", "e", M_E)):
        truth = generated(bench, f"jpsi {lepton}", "jpsi_isr", 2 * _POINTS, lepton=lepton, order="ll")
        shots = bench.measure(f"jpsi {lepton}", truth)
        events = selected(shots, channel, (0.0, math.inf))
        for kind, values in (("raw", raw_mass(shots, mass)[events.number]), ("fit", events.mass)):
            near = 1e3 * values[np.abs(values - JPSI_MASS) < _FAR]
            for name, estimator in (("core", core_width), ("half", half_width), ("rms", rms)):
                rows.append(bench.targets.row(f"jpsi_{channel}_{kind}_{name}", *estimate(estimator, near)))
            content = np.histogram(values, edges)[0] / max(len(values), 1)
            label = (r"$\mu\mu$" if lepton == "mu" else "$ee$") + (", tracks" if kind == "raw" else ", after the fit")
            lines.append(Line(plot, label, 0.5 * (edges[1:] + edges[:-1]), content))
    return Result(rows, [], lines)


def _probability(bench: Bench) -> Result:
    """Test that P(chi2) is flat for one photon and nothing else, and see what more photons make of it."""
    rows, lines = [], []
    plot = Plot("mass", "probability of the fit", r"$P(\chi^2)$", "events per bin / mean", y_range=(0.0, 2.5))
    edges = np.linspace(0.0, 1.0, 26)
    h = FIT_HYPOTHESES.index("mu")
    plain = {**NO_TAILS, "beam.spot": (0.0, 0.0, 0.0)}
    for name, order, changes in (("one photon", "lo", plain), ("any number of photons", "ll", {})):
        spread = {"energy_spread": 0.0} if order == "lo" else {}
        truth = generated(bench, name, "mumu_isr", 2 * _N, order=order, mass_min=1.5, mass_max=3.4, **MARGINS, **spread)
        events = bench.measure(name, truth, changes).events
        chi2 = events.fit_chi2[events.fit_status[:, h] == CONVERGED, h]
        p = stats.chi2.sf(chi2, 1)
        lines.append(Line(plot, name, 0.5 * (edges[1:] + edges[:-1]), np.histogram(p, edges)[0] / len(p) * 25.0))
        if order == "lo":
            text = "P(chi2) of the fit is flat, Kolmogorov and Smirnov"
            value = float(stats.kstest(p, "uniform").pvalue)
            rows.append(probability("mu mu, one photon", text, value, "one photon, no tails, no energy spread"))
            rows.append(bench.targets.row("fit_mean", float(p.mean()), float(p.std()) / math.sqrt(len(p))))
            theta = events.fit_theta_gamma[events.fit_status[:, h] == CONVERGED, h]
            true = shots_theta(truth)[events.fit_status[:, h] == CONVERGED]
            along = true < 0.01
            rows.append(bench.targets.row("theta_gamma", *share(np.minimum(theta, math.pi - theta)[along] < 0.1)))
        else:
            rows.append(bench.targets.row("fit_chi2_20", *share(chi2 < 20.0)))
            rows.append(bench.targets.row("fit_chi2_5", *share(chi2 < 5.0)))
    return Result(rows, [], lines)


def shots_theta(truth: TruthEvents) -> Floats:
    """Return the angle [rad] of the third particle of every event, the hard photon, to the nearer beam."""
    photon = truth.offsets[:-1] + 2
    angle: Floats = np.arctan2(np.hypot(truth.px[photon], truth.py[photon]), np.abs(truth.pz[photon]))
    return angle


def _pions(bench: Bench) -> Result:
    """Predict the share of pi pi gamma in the mu mu gamma sample: cross sections times what the search selects."""
    edges = np.linspace(1.5, 3.4, 39)
    found = {}
    for process in ("mumu_isr", "pipi_isr"):
        truth = generated(bench, process, process, 4 * _N, order="ll", mass_min=1.45, mass_max=3.46, **MARGINS)
        mass = selected(bench.measure(process, truth), "mumu", (1.5, 3.4)).mass
        scale = truth.cross_section / truth.n_events
        found[process] = scale * np.histogram(mass, edges)[0], scale * scale * np.histogram(mass, edges)[0]
    low = edges[1:] <= _BELOW_2_GEV[1] + 1e-9
    sums = {process: (float(one[0][low].sum()), float(one[1][low].sum())) for process, one in found.items()}
    (muons, muon_variance), (pions, pion_variance) = sums["mumu_isr"], sums["pipi_isr"]
    ratio = pions / muons
    error = ratio * math.sqrt(pion_variance / pions**2 + muon_variance / muons**2)
    rows = [bench.targets.row("pions_in_muons", 100.0 * ratio, 100.0 * error)]
    plot = Plot(
        "mass", r"$\pi\pi\gamma$ in the $\mu\mu\gamma$ sample, predicted", r"$m_{\mu\mu}$ [GeV]",
        r"$\pi\pi\gamma\;/\;\mu\mu\gamma$ [%]",
    )  # fmt: skip
    content = [found[process][0] for process in ("pipi_isr", "mumu_isr")]
    variance = [found[process][1] for process in ("pipi_isr", "mumu_isr")]
    value = 100.0 * content[0] / content[1]
    errors = np.sqrt(variance[0] + (0.01 * value) ** 2 * variance[1]) / content[1] * 100.0
    return Result(rows, [], [Line(plot, r"$P(\mu) > P(e)$ alone", 0.5 * (edges[1:] + edges[:-1]), value, errors)])
