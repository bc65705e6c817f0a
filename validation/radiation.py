"""Any number of photons from the beams: K(m), soft cut, recoil mass."""

import math
from functools import partial
from typing import Any

import numpy as np

from ..arrays import Floats
from ..constants import ALPHA, JPSI_MASS, M_E, PI, PSI2S_MASS
from ..sim.generate import Generator
from ..sim.radiative.radiation import VERTEX_CORRECTION
from ..sim.radiative.radiator import narrow_cross_section, radiator
from ..sim.radiative.reweighting import radiation_weight
from ..sim.radiative.structure_function import beam_radiator, structure_function
from .check import Check, Curve, Panel, Result, Settings
from .comparison import Comparison, bounded
from .leading_order import ACCEPTANCE, SQRT_S, generated_spectrum
from .observables import generated_chunks, observe
from .references import reference_table

TOPIC = "radiation from the beams"
#: What K(m) may differ by from the packaged convolution, and from the convolution the generator is to reproduce.
K_TOLERANCE, CONVOLUTION_TOLERANCE = 1.5e-2, 2e-3
SOFT_TOLERANCE = 2e-3
PLAIN: dict[str, Any] = {
    "order": "ll",
    "vacuum_polarisation": False,
    "resonances": False,
    "final_state_radiation": False,
}
_CONVOLUTION = "structure functions of both beams, with the vertex correction"
_UNTAGGED: dict[str, float] = {"theta_gamma_max": 0.1, **ACCEPTANCE}
_TRIALS = 2**18
_SCAN = 2**16
_HALF_WIDTH = 0.005


def slope_of(sqrt_s: float) -> float:
    """Return eta = (2 alpha / pi)(ln(s / m_e^2) - 1)."""
    return 2.0 * ALPHA / PI * (math.log(sqrt_s**2 / M_E**2) - 1.0)


def inclusive_factor(mass: Floats, sqrt_s: float) -> Floats:
    """Return K(m) of the structure functions of both beams with the vertex correction, over one photon."""
    x = 1.0 - mass**2 / sqrt_s**2
    factor: Floats = VERTEX_CORRECTION * beam_radiator(x, slope_of(sqrt_s)) / radiator(x, sqrt_s)
    return factor


def _ratio(process: str, mass: float, settings: Settings, cuts: dict[str, float]) -> tuple[float, float]:
    """Return K of a narrow bin around a mass, and its error."""
    found = []
    for order in (PLAIN, {"order": "lo"}):
        options: dict[str, Any] = {**order, **cuts, "mass_min": mass - _HALF_WIDTH, "mass_max": mass + _HALF_WIDTH}
        if process == "pipi_isr":
            options = {name: value for name, value in options.items() if name not in PLAIN or name == "order"}
            options |= {} if order["order"] == "lo" else {"final_state_radiation": False}
        generator = Generator(
            process,
            seed=settings.seed_of("K", process, f"{mass:.6g}", str(options)),
            n_cross_section=settings.size(_TRIALS),
            n_scan=_SCAN,
            **options,
        )
        found.append((generator.cross_section, generator.cross_section_error))
    (a, da), (b, db) = found
    return a / b, a / b * math.hypot(da / a, db / b)


def _factors(cuts: bool, settings: Settings) -> Result:
    """Compare K(m) of muon pairs with the packaged table, and inclusive with the convolution."""
    table = reference_table("isr_radiation_factors")
    column = "structure_functions_muon_cuts" if cuts else "kuraev_fadin"
    subject = "mumu_isr, untagged, cuts" if cuts else "mumu_isr"
    used = (table["mass"] > 0.95) & np.isfinite(table[column])
    mass, expected = table["mass"][used], table[column][used]
    value, error = np.array([_ratio("mumu_isr", float(m), settings, _UNTAGGED if cuts else {}) for m in mass]).T
    source = "packaged convolution along the beams, without the vertex correction (0.57 %)"
    source = source if cuts else "radiator of Kuraev and Fadin"
    rows = []
    for m, v, e, k in zip(mass.tolist(), value.tolist(), error.tolist(), expected.tolist()):
        rows.append(Comparison(subject, f"K, m = {m:g} GeV", v, e, k, 0.0, "", K_TOLERANCE, source))
    if not cuts:
        exact = inclusive_factor(mass, SQRT_S).tolist()
        for m, v, e, k in zip(mass.tolist(), value.tolist(), error.tolist(), exact):
            rows.append(Comparison(subject, f"K, m = {m:g} GeV", v, e, k, 0.0, "", CONVOLUTION_TOLERANCE, _CONVOLUTION))
    edges = np.append(mass - 0.05, mass[-1] + 0.05)
    title = r"$\mu\mu\gamma$, untagged, cuts" if cuts else r"$\mu\mu\gamma$, inclusive"
    panel = Panel("radiation_factors", title, r"$m$ [GeV]", r"$K(m)$", y_range=(0.85, 1.35))
    return Result(rows, [Curve(panel, "K", edges, value, error, expected, np.zeros_like(expected))])


def _other_pairs(settings: Settings) -> Result:
    """Compare K(m) of other pairs and of narrow resonances, which is the same."""
    rows = []
    for process in ("ee_annihilation", "pipi_isr"):
        for mass in (0.8, 1.8, 2.8):
            exact = float(inclusive_factor(np.array([mass]), SQRT_S)[0])
            ours = _ratio(process, mass, settings, {})
            rows.append(
                Comparison(process, f"K, m = {mass:g} GeV", *ours, exact, 0.0, "", CONVOLUTION_TOLERANCE, _CONVOLUTION)
            )
    for process, mass, packaged in (("jpsi_isr", JPSI_MASS, 0.982034), ("psi2s_isr", PSI2S_MASS, 0.835921)):
        generator = Generator(
            process,
            seed=settings.seed_of("K", process),
            order="ll",
            final_state_radiation=False,
            n_cross_section=settings.size(_TRIALS),
            n_scan=_SCAN,
        )
        resonance = _width(process)
        one = float(narrow_cross_section(mass, SQRT_S, *resonance))
        ours = generator.cross_section / one, generator.cross_section_error / one
        exact = float(inclusive_factor(np.array([mass]), SQRT_S)[0])
        rows.append(Comparison(process, "K", *ours, packaged, 0.0, "", K_TOLERANCE, "radiator of Kuraev and Fadin"))
        rows.append(Comparison(process, "K", *ours, exact, 0.0, "", CONVOLUTION_TOLERANCE, _CONVOLUTION))
    for low in (1.5, 2.5, 3.3):
        edges, options = np.array([low, low + 0.1]), {"theta_gamma_max": 0.05, **ACCEPTANCE}
        one_photon = generated_spectrum("ee_bhabha", edges, settings, _TRIALS, **options)
        many = generated_spectrum("ee_bhabha", edges, settings, _TRIALS, **PLAIN, **options)
        quantity = f"sigma, {low:g} < m < {low + 0.1:g} GeV, over leading order"
        rows.append(
            Comparison(
                "ee_bhabha, untagged, cuts",
                quantity,
                float(many.value[0]),
                float(many.error[0]),
                float(one_photon.value[0]),
                float(one_photon.error[0]),
                "nb",
                None,
                "leading order: the ratio is K, for which there is no reference",
            )
        )
    return Result(rows, [])


def _width(process: str) -> tuple[float, float]:
    """Return electronic width [GeV] and branching fraction to muons of a resonance."""
    from ..sim.radiative.processes import RADIATIVE

    resonance = next(one.resonance for one in RADIATIVE if one.name == process)
    assert resonance is not None
    return resonance.electronic_width, resonance.branching["mu"]


def _soft_cut(settings: Settings) -> Result:
    """Compare cross sections with photons softer than 0.1 MeV, and than 10 MeV, left out."""
    rows = []
    for subject, process, cuts in (
        ("mumu_isr", "mumu_isr", {}),
        ("mumu_isr, untagged, cuts", "mumu_isr", _UNTAGGED),
        ("ee_bhabha, untagged, cuts", "ee_bhabha", _UNTAGGED),
    ):
        for low in (1.5, 2.0, 3.0):
            edges = np.array([low, low + 0.1])
            fine, coarse = (
                generated_spectrum(process, edges, settings, 8 * _TRIALS, soft_cutoff=cut, **PLAIN, **cuts)
                for cut in (1e-4, 1e-2)
            )
            rows.append(
                Comparison(
                    subject,
                    f"sigma, {low:g} < m < {low + 0.1:g} GeV, soft cut 0.1 MeV over 10 MeV",
                    float(fine.value[0]),
                    float(fine.error[0]),
                    float(coarse.value[0]),
                    float(coarse.error[0]),
                    "nb",
                    SOFT_TOLERANCE,
                    "independence of the soft cut",
                )
            )
    return Result(rows, [])


def recoil_tail(mass: float, sqrt_s: float, least: float) -> float:
    """Return the probability that what recoils against a pair of mass m is heavier than `least` [GeV].

    Photons along opposite beams: z1 z2 = m^2 / s and (1 - z1)(1 - z2) s > least^2, over the whole convolution.
    """
    slope = slope_of(sqrt_s)
    z = mass**2 / sqrt_s**2
    t = np.linspace(0.0, 1.0, 20001)
    t = 0.5 * (t[1:] + t[:-1])
    # both lose: ln z1 evenly between ln z and 0
    z1 = z**t
    z2 = z / z1
    heavy = (1.0 - z1) * (1.0 - z2) * sqrt_s**2 > least**2
    values = np.zeros_like(t)
    for i in np.flatnonzero(heavy):
        values[i] = structure_function(1.0 - z1[i], slope) * structure_function(1.0 - z2[i], slope)
    # int dz1 dz2 D D delta(z1 z2 - z) = int dz1 / z1 D D, and dz1 / z1 = ln(1/z) dt
    tail = float(np.sum(values)) * math.log(1.0 / z) / len(t)
    return tail / float(beam_radiator(1.0 - z, slope))


def _events(settings: Settings) -> Result:
    """Compare the mass that recoils against the pair with the convolution, and check four-momentum."""
    rows, n = [], settings.size(2**18)
    remark = "all photons along the beams; at wide angles, as ours may be, they move it by 15 % either way"
    for mass in (1.5, 2.0, 3.0):
        generator = Generator(
            "mumu_isr",
            seed=settings.seed_of("recoil", f"{mass:g}"),
            weighted=True,
            mass_min=mass - _HALF_WIDTH,
            mass_max=mass + _HALF_WIDTH,
            n_cross_section=2**16,
            n_scan=_SCAN,
            **PLAIN,
        )
        recoil, weights, worst = [], [], 0.0
        for truth, weight in generated_chunks(generator.events, n):
            recoil.append(observe(truth)[0]["missing_mass"])
            weights.append(weight)
            for name, total in (("px", 0.0), ("py", 0.0), ("pz", 0.0), ("energy", SQRT_S)):
                sums = np.add.reduceat(getattr(truth, name), truth.offsets[:-1]) - total
                worst = max(worst, float(np.abs(sums).max()))
        found, weight = np.concatenate(recoil), np.concatenate(weights)
        for least in (0.3, 0.6):
            exact = recoil_tail(mass, SQRT_S, least)
            above = weight[found > least]
            value, error = float(above.sum() / weight.sum()), math.sqrt(float((above**2).sum())) / float(weight.sum())
            quantity = f"share of recoil masses above {least:g} GeV, m = {mass:g} GeV"
            source = "convolution of photons along opposite beams"
            rows.append(Comparison("mumu_isr", quantity, value, error, exact, 0.0, "", None, source, remark=remark))
        quantity = f"largest change of four-momentum, m = {mass:g} GeV"
        rows.append(bounded("mumu_isr", quantity, worst, 1e-9, "GeV", "zero"))
    return Result(rows, [])


def _reweighted(settings: Settings) -> Result:
    """Compare events of one photon, weighed with K(m), with events of any number of photons: the cheap cross-check."""
    rows, n = [], settings.size(2**18)
    for low in (1.5, 2.0, 3.0):
        options: dict[str, Any] = {"mass_min": low, "mass_max": low + 0.1}
        one = Generator("mumu_isr", seed=settings.seed_of("weights", f"{low:g}"), n_cross_section=n, **options)
        weights = radiation_weight(one.events(0, n))
        value = one.cross_section * float(weights.mean())
        error = one.cross_section_error * float(weights.mean())
        many = generated_spectrum("mumu_isr", np.array([low, low + 0.1]), settings, 2 * n, **PLAIN)
        quantity = f"sigma, one photon with weights K(m), {low:g} < m < {low + 0.1:g} GeV"
        expected = float(many.value[0]), float(many.error[0])
        source = "mumu_isr of order ll"
        rows.append(Comparison("mumu_isr", quantity, value, error, *expected, "nb", CONVOLUTION_TOLERANCE, source))
    return Result(rows, [])


def radiation(settings: Settings) -> list[Check]:
    """Return the checks of this topic."""
    return [
        Check(TOPIC, "K(m)", partial(_factors, False, settings)),
        Check(TOPIC, "K(m) within cuts", partial(_factors, True, settings)),
        Check(TOPIC, "K of other pairs", partial(_other_pairs, settings)),
        Check(TOPIC, "soft cut", partial(_soft_cut, settings)),
        Check(TOPIC, "events", partial(_events, settings)),
        Check(TOPIC, "weights K(m)", partial(_reweighted, settings)),
    ]
