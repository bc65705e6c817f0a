"""Photon propagators: vacuum polarisation, narrow resonances and the pion form factor beside independent numbers."""

import numpy as np

from ..arrays import Floats
from ..constants import (
    ALPHA,
    HBARC2,
    JPSI_BR_MUMU,
    JPSI_GEE,
    JPSI_MASS,
    JPSI_WIDTH,
    M_PI,
    PI,
    PSI2S_BR_MUMU,
    PSI2S_GEE,
    PSI2S_MASS,
    PSI2S_WIDTH,
)
from ..sim.radiative.line_shape import BRANCHING_FRACTIONS, LineShape, dressed_stage, line_shape, propagator
from ..sim.radiative.radiator import born_leptons
from ..vacuum_polarisation import NARROW_STATES, delta_alpha
from .check import Check, Curve, Panel, Result, Settings
from .closed_forms import hadronic_anomaly
from .comparison import Comparison
from .references import reference_table

TOPIC = "propagators"
#: What |1 / (1 - Delta alpha)|^2 of two dispersive models may differ by: their Delta alpha agree within 2e-3.
MODEL_TOLERANCE = 5e-3
FORMULA_TOLERANCE = 1e-3
#: Distance [GeV] to the J/psi and psi(2S) from which models are compared.
_FAR = 0.04
_RESONANCES = (
    ("J/psi", JPSI_MASS, JPSI_WIDTH, JPSI_GEE, JPSI_BR_MUMU),
    ("psi(2S)", PSI2S_MASS, PSI2S_WIDTH, PSI2S_GEE, PSI2S_BR_MUMU),
)
_SYMBOLS = {"J/psi": r"$J/\psi$", "psi(2S)": r"$\psi(2S)$"}
_FORMULA = "formula in complex numbers"


def squared(line: LineShape, mass: Floats) -> Floats:
    """Return |F(m^2)|^2 at masses [GeV]."""
    values = np.ones_like(mass)
    dressed_stage(line, np.ascontiguousarray(mass), values)
    return values


def _factor() -> Result:
    """Compare |1 / (1 - Delta alpha)|^2, J/psi and psi(2S) inside, with another dispersive model."""
    table = reference_table("vacuum_polarisation_factors")
    mass, expected = table["mass"], table["factor"]
    ours = np.abs(1.0 - delta_alpha(mass**2)) ** -2.0
    source = "another dispersive model, R = 2.20 flat from 1.8 GeV"
    rows = []
    for i in range(len(mass)):
        near = min(abs(mass[i] - JPSI_MASS), abs(mass[i] - PSI2S_MASS)) < _FAR
        if round(1000.0 * mass[i]) % 100 or near or mass[i] > 3.65:
            continue
        quantity = f"|1 / (1 - Delta alpha)|^2, m = {mass[i]:g} GeV"
        numbers = float(ours[i]), 0.0, float(expected[i]), 0.0
        rows.append(Comparison("photon", quantity, *numbers, "", MODEL_TOLERANCE, source))
    used = mass < 3.65
    edges = np.append(mass[used] - 0.005, mass[used][-1] + 0.005)
    zero = np.zeros(int(used.sum()))
    panel = Panel("propagators", "vacuum polarisation", r"$m$ [GeV]", r"$|1/(1-\Delta\alpha)|^2$", y_range=(0.95, 1.15))
    apart = np.where(abs(mass - JPSI_MASS) > _FAR, expected, np.nan)
    return Result(rows, [Curve(panel, "model", edges, ours[used], zero, apart[used], zero)])


def _line_shape() -> Result:
    """Compare the amplitude with its formula around both resonances, and its peak with 12 pi B_ee B_mumu / m^2."""
    line = line_shape("mu")
    rows, curves = [], []
    for name, mass, width, electronic, to_muons in _RESONANCES:
        # the resonance is imaginary at its mass, continuum and tail of the other one are real
        _, imaginary = propagator(line_shape("mu", vacuum_polarisation=False), mass**2)
        peak = float(born_leptons(mass, 0.0)) * imaginary**2
        exact = 12.0 * PI * HBARC2 / mass**2 * electronic / width * to_muons
        quantity = "sigma(e+ e- -> mu+ mu-) at the peak, without radiation and continuum"
        source = "12 pi B_ee B_mumu / m^2, B_ee = Gamma_ee / Gamma"
        rows.append(Comparison(name, quantity, peak, 0.0, exact, 0.0, "nb", FORMULA_TOLERANCE, source))
        edges = np.linspace(mass - 0.06, min(mass + 0.06, 3.73), 121)
        centre = 0.5 * (edges[1:] + edges[:-1])
        ours, zero = squared(line, centre), np.zeros(len(centre))
        q2 = centre**2
        amplitude = 1.0 / (1.0 - delta_alpha(q2, narrow=False))
        for (m, g, gee), fraction in zip(NARROW_STATES, BRANCHING_FRACTIONS["mu"], strict=True):
            amplitude = amplitude + 3.0 * q2 / (ALPHA * m) * np.sqrt(gee * fraction * g) / (q2 - m**2 + 1j * m * g)
        expected = np.abs(amplitude) ** 2
        worst = int(np.argmax(np.abs(ours / expected - 1.0)))
        rows.append(
            Comparison(
                name,
                f"|F|^2 at m = {centre[worst]:.4f} GeV, the worst of 120 points within 60 MeV",
                float(ours[worst]),
                0.0,
                float(expected[worst]),
                0.0,
                "",
                FORMULA_TOLERANCE,
                _FORMULA,
            )
        )
        panel = Panel("propagators", f"{_SYMBOLS[name]} and continuum", r"$m$ [GeV]", r"$|F(m^2)|^2$", logarithmic=True)
        curves.append(Curve(panel, name, edges, ours, zero, expected, zero))
    return Result(rows, curves)


def _anomaly() -> Result:
    value = hadronic_anomaly(2.0 * M_PI, 1.8) * 1e10
    subject, quantity, unit = "pion form factor", "a_mu from pi+ pi-, 2 m_pi to 1.8 GeV", "1e-10"
    rows = [
        Comparison(subject, quantity, value, 0.0, 517.0, 0.0, unit, 1e-2, "integral of the BaBar fit, dressed"),
        Comparison(
            subject,
            quantity,
            value,
            0.0,
            514.1,
            3.8,
            unit,
            None,
            "BaBar, Phys. Rev. D 86 (2012) 032013",
            remark="BaBar's is without vacuum polarisation and with radiation of the pions: not the same quantity",
        ),
    ]
    return Result(rows, [])


def propagators(settings: Settings) -> list[Check]:
    """Return the checks of this topic; none is random."""
    del settings
    return [
        Check(TOPIC, "vacuum polarisation", _factor),
        Check(TOPIC, "resonances", _line_shape),
        Check(TOPIC, "pion form factor", _anomaly),
    ]
