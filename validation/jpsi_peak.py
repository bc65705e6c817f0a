"""Gamma_ee B_mumu of the J/psi out of the simulated ISR peak, as an experiment measures it."""

import math
from functools import partial
from typing import Any

import numpy as np

from ..arrays import Floats
from ..constants import HBARC2, JPSI_BR_MUMU, JPSI_GEE, JPSI_MASS, JPSI_WIDTH, PI
from ..sim.generate import Generator
from ..sim.radiative.structure_function import kuraev_fadin
from .check import Check, Curve, Result, Settings
from .comparison import Comparison
from .leading_order import SQRT_S, spectrum_panel
from .observables import generated_chunks, observe

TOPIC = "radiation from the beams"
_EVENTS = 2**19
_LOW, _HIGH = 3.03, 3.17
#: Half widths of the peak, and of what its sidebands end at [GeV]; interference is odd in the distance and cancels.
_PEAK, _SIDE = 0.015, 0.030
_EV = 1e9


def _masses(generator: Generator, n: int) -> Floats:
    """Return the masses of the muon pairs of n events, after radiation."""
    chunks = [observe(truth)[0]["pair_mass"] for truth, _ in generated_chunks(generator.events, n)]
    return np.concatenate(chunks)


def _excess(mass: Floats) -> tuple[float, float]:
    """Return the events of the peak above those of both sidebands together as wide, and the error."""
    distance = np.abs(mass - JPSI_MASS)
    inside, beside = int(np.sum(distance < _PEAK)), int(np.sum((distance >= _PEAK) & (distance < _SIDE)))
    return float(inside - beside), math.sqrt(inside + beside)


def _captured() -> float:
    """Return the share of a Breit-Wigner form that the excess holds."""
    inside, wide = (2.0 / PI * math.atan(2.0 * width / JPSI_WIDTH) for width in (_PEAK, _SIDE))
    return inside - (wide - inside)


def _width(final_state_radiation: bool, settings: Settings) -> Result:
    """Return Gamma_ee B_mumu from yield, luminosity and the radiator of Kuraev and Fadin.

    With radiation of the muons the share of the peak that it leaves in place is that of `jpsi_isr`.
    """
    n, name = settings.size(_EVENTS), "with" if final_state_radiation else "without"
    common: dict[str, Any] = {"order": "ll", "final_state_radiation": final_state_radiation, "n_scan": 2**16}
    generator = Generator(
        "mumu_isr", seed=settings.seed_of("peak", name), mass_min=_LOW, mass_max=_HIGH, n_cross_section=n, **common
    )
    mass = _masses(generator, n)
    found, error = _excess(mass)
    efficiency, efficiency_error = _captured(), 0.0
    if final_state_radiation:
        resonance = Generator("jpsi_isr", seed=settings.seed_of("peak", "efficiency"), n_cross_section=2**16, **common)
        kept, kept_error = _excess(_masses(resonance, n // 2))
        efficiency *= kept / (n // 2)
        efficiency_error = _captured() * kept_error / (n // 2)
    luminosity = n / generator.cross_section
    x = 1.0 - JPSI_MASS**2 / SQRT_S**2
    per_width = 12.0 * PI**2 / (JPSI_MASS * SQRT_S**2) * float(kuraev_fadin(x, SQRT_S)) * HBARC2
    width = found / (luminosity * efficiency * per_width) * _EV
    relative = math.sqrt(
        (error / found) ** 2
        + (efficiency_error / efficiency) ** 2
        + (generator.cross_section_error / generator.cross_section) ** 2
    )
    put_in = JPSI_GEE * JPSI_BR_MUMU * _EV
    subject = f"mumu_isr, {name} radiation of the muons"
    quantity = "Gamma_ee B_mumu of the J/psi from its peak"
    ours = width, width * relative
    rows = [
        Comparison(subject, quantity, *ours, put_in, 0.0, "eV", 1e-3, "what was put in (PDG)"),
        Comparison(
            subject, quantity, *ours, 333.4, 5.1, "eV", None, "BESIII, Phys. Lett. B 761 (2016) 98", is_input=True
        ),
    ]
    if not final_state_radiation:
        return Result(rows, [])
    edges = np.linspace(_LOW, _HIGH, 57)
    counts, _ = np.histogram(mass, edges)
    plain = Generator(
        "mumu_isr",
        seed=settings.seed_of("peak", "plain"),
        mass_min=_LOW,
        mass_max=_HIGH,
        n_cross_section=n,
        **{**common, "final_state_radiation": False},
    )
    before, _ = np.histogram(_masses(plain, n), edges)
    steps = luminosity * np.diff(edges)
    others = n / plain.cross_section * np.diff(edges)
    panel = spectrum_panel("radiation", r"with radiation of the muons (reference: without)")
    values = counts / steps, np.sqrt(counts) / steps, before / others, np.sqrt(before) / others
    curve = Curve(panel, r"$\mu\mu\gamma$", edges, *values)
    return Result(rows, [curve])


def jpsi_peak(settings: Settings) -> list[Check]:
    """Return the checks of the peak."""
    return [
        Check(TOPIC, "J/psi peak", partial(_width, False, settings)),
        Check(TOPIC, "J/psi peak with radiation of the muons", partial(_width, True, settings)),
    ]
