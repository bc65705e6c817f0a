"""Radiation from beams and muons with their interference: cross sections, event weights and the charge asymmetry."""

import math
from functools import partial
from typing import Any

import numpy as np

from ..arrays import Floats
from ..event import TruthEvents
from ..sim.generate import Generator
from ..sim.processes.protocol import Setting
from ..sim.radiative.interference import full_weight
from .check import Check, Curve, Panel, Result, Settings
from .comparison import Comparison
from .leading_order import ACCEPTANCE, BIN_TOLERANCE, SQRT_S, Spectrum, compare_spectra, spectrum_panel, tabulated
from .observables import generated_chunks, observe
from .whole_pair import WHOLE_PAIR

TOPIC = "interference"
_TRIALS = 2**18
_EVENTS = 2**19
_SCAN = 2**16


def _all_angles(settings: Settings) -> Result:
    """Compare the whole at all angles per bin of mass."""
    table = tabulated("B")
    n, parts = settings.size(_TRIALS), []
    for low, high in zip(table.edges[:-1].tolist(), table.edges[1:].tolist()):
        setting = Setting(
            sqrt_s=SQRT_S,
            seed=settings.seed_of("whole", f"{low:g}"),
            order="lo",
            weighted=True,
            energy_spread=0.0,
            n_cross_section=n,
            n_scan=_SCAN,
            options={"mass_min": low, "mass_max": high},
        )
        source = WHOLE_PAIR.prepare(setting)
        parts.append((source.cross_section, source.cross_section_error))
    ours = Spectrum(table.edges, *np.array(parts).T)
    return compare_spectra(
        "mumu gamma, beams and muons",
        ours,
        table,
        "independent Monte Carlo integration",
        BIN_TOLERANCE,
        spectrum_panel("leading_order", "independent integration"),
        r"$\mu\mu\gamma$ with FSR",
    )


def _weights(settings: Settings) -> Result:
    """Compare the mean weight within the cuts of the search, per bin, with the ratio of the cross sections."""
    n, whole, beams = settings.size(_EVENTS), tabulated("J"), tabulated("C")
    options: dict[str, Any] = {"theta_gamma_max": 0.1, **ACCEPTANCE, "mass_min": 0.8, "mass_max": 3.6}
    generator = Generator(
        "mumu_isr", seed=settings.seed_of("weights"), weighted=True, n_cross_section=n, n_scan=_SCAN, **options
    )
    edges = np.linspace(0.8, 3.6, 29)
    sums = np.zeros((3, 28))
    for truth, weight in generated_chunks(generator.events, n):
        mass = observe(truth)[0]["pair_mass"]
        ratio = full_weight(truth)
        for row, w in zip(sums, (weight, weight * ratio, (weight * (ratio - 1.0)) ** 2)):
            row += np.histogram(mass, edges, weights=w)[0]
    value, error = sums[1] / sums[0], np.sqrt(sums[2]) / sums[0]
    used = beams.edges[:-1] > 0.79
    expected = whole.value[used] / beams.value[used]
    expected_error = expected * np.hypot(whole.error[used] / whole.value[used], beams.error[used] / beams.value[used])
    subject, source = "mumu_isr with full_weight, untagged, cuts", "independent Monte Carlo integration"
    rows = []
    for i in range(len(value)):
        quantity = f"sigma of beams and muons over that of beams, {edges[i]:.4g} < m < {edges[i + 1]:.4g} GeV"
        numbers = float(value[i]), float(error[i]), float(expected[i]), float(expected_error[i])
        rows.append(Comparison(subject, quantity, *numbers, "", 1e-4, source))
    panel = Panel("interference", "untagged, cuts", r"$m$ [GeV]", "beams and muons / beams", y_range=(0.998, 1.004))
    return Result(rows, [Curve(panel, subject, edges, value, error, expected, expected_error)])


def _asymmetry(truth: TruthEvents, weight: Floats, selection: str) -> Floats:
    """Return sums of w, w sign, w^2 and w^2 sign of selected events, sign = +1 where mu- is nearer to the e- beam."""
    values, passed = observe(truth)
    chosen = passed[selection]
    sign = np.where(values["minus_cosine"] > values["plus_cosine"], 1.0, -1.0)[chosen]
    w = weight[chosen]
    return np.array([w.sum(), (w * sign).sum(), (w * w).sum(), (w * w * sign).sum()])


def _charge_asymmetry(settings: Settings) -> Result:
    """Compare the charge asymmetry of weighed events with that of the whole sampled; untagged it must vanish."""
    n = settings.size(_EVENTS)
    options: dict[str, Any] = {"mass_min": 1.4, "mass_max": 3.5}
    generator = Generator(
        "mumu_isr", seed=settings.seed_of("asymmetry"), weighted=True, n_cross_section=n, n_scan=_SCAN, **options
    )
    setting = Setting(SQRT_S, settings.seed_of("asymmetry", "whole"), "lo", True, 0.0, n, _SCAN, options)
    source = WHOLE_PAIR.prepare(setting)
    found = {}
    for name, chunks in (
        ("full_weight", generated_chunks(generator.events, n, full_weight)),
        ("whole", generated_chunks(source.events, n)),
    ):
        totals = {"tagged": np.zeros(4), "untagged": np.zeros(4)}
        for truth, weight in chunks:
            for selection, total in totals.items():
                total += _asymmetry(truth, weight, selection)
        for selection, (w, signed, square, signed_square) in totals.items():
            value = signed / w
            variance = (square - 2.0 * value * signed_square + value**2 * square) / w**2
            found[(name, selection)] = float(value), math.sqrt(variance)
    subject, quantity = "mumu_isr with full_weight", "charge asymmetry of the muons"
    whole = found[("whole", "tagged")]
    rows = [
        Comparison(
            subject,
            f"{quantity}, tagged",
            *found[("full_weight", "tagged")],
            *whole,
            "",
            0.0,
            "whole matrix element, sampled with the muons' own peaks",
        ),
        Comparison(
            subject,
            f"{quantity}, untagged",
            *found[("full_weight", "untagged")],
            0.0,
            0.0,
            "",
            0.0,
            "0: the interference is odd, photons from the muons rare",
        ),
    ]
    return Result(rows, [])


def interference(settings: Settings) -> list[Check]:
    """Return the checks of this topic."""
    return [
        Check(TOPIC, "all angles", partial(_all_angles, settings)),
        Check(TOPIC, "weights of events", partial(_weights, settings)),
        Check(TOPIC, "charge asymmetry", partial(_charge_asymmetry, settings)),
    ]
