"""Leading order: cross sections per bin of the pair's mass against closed forms and packaged references."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import chi2

from ..arrays import Floats
from ..sim.generate import Generator
from ..sim.radiative.radiator import narrow_cross_section
from .check import Check, Curve, Panel, Result, Settings
from .closed_forms import LeptonCuts, inclusive_spectrum, integrals, untagged_spectrum
from .comparison import Comparison, probability
from .references import reference_table

TOPIC = "leading order"
SQRT_S = 3.773
#: Where else the closed forms are compared [GeV].
OTHER_ENERGIES = (2.0, 3.097, 4.178, 10.58)
#: What a bin, and a total, may differ by besides its errors.
BIN_TOLERANCE, TOTAL_TOLERANCE = 1e-3, 1e-3
#: The same where the reference takes the photon to fly along the beam.
COLLINEAR_TOLERANCE = 3e-3
_TRIALS = 2**20
_SCAN = 2**16

ACCEPTANCE: Mapping[str, float] = {"lepton_theta_min": 0.4, "lepton_pt_min": 0.3}
_CUTS = LeptonCuts(0.4, 0.3)
#: Processes in figures.
LABELS = {
    "mumu_isr": r"$\mu\mu\gamma$",
    "ee_annihilation": r"$ee\gamma$ (s channel)",
    "ee_bhabha": r"$ee\gamma$",
    "pipi_isr": r"$\pi\pi\gamma$",
}
_TABLE = "independent Monte Carlo integration"
_RADIATOR = "closed form: Bonneau-Martin radiator times Born"


def spectrum_panel(figure: str, title: str) -> Panel:
    """Return a panel of mass spectra."""
    return Panel(figure, title, r"$m$ [GeV]", r"$d\sigma/dm$ [nb/GeV]", logarithmic=True)


_TABLE_PANEL = spectrum_panel("leading_order", "independent integration")
_FORM_PANEL = spectrum_panel("leading_order", "closed form")


class Spectrum(NamedTuple):
    """Cross sections per bin [nb] with their errors."""

    edges: Floats
    value: Floats
    error: Floats


def generated_spectrum(process: str, edges: Floats, settings: Settings, n: int = _TRIALS, **options: Any) -> Spectrum:
    """Return the cross sections of a process in bins of the pair's mass, each bin generated for itself."""
    parts = []
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist()):
        seed = settings.seed_of(process, f"{low:.6g}", str(sorted(options.items())))
        size = settings.size(n)
        generator = Generator(
            process, seed=seed, mass_min=low, mass_max=high, n_cross_section=size, n_scan=_SCAN, **options
        )
        parts.append((generator.cross_section, generator.cross_section_error))
    value, error = np.array(parts).T
    return Spectrum(edges, value, error)


def compare_spectra(
    subject: str, ours: Spectrum, reference: Spectrum, source: str, tolerance: float, panel: Panel, label: str = ""
) -> Result:
    """Return a row per bin, one for the sum, one for chi2 of all bins, and the curve."""
    rows = []
    for i in np.flatnonzero(reference.value > 0.0):
        value, error = float(ours.value[i]), float(ours.error[i])
        expected, expected_error = float(reference.value[i]), float(reference.error[i])
        quantity = f"sigma, {ours.edges[i]:.4g} < m < {ours.edges[i + 1]:.4g} GeV"
        rows.append(Comparison(subject, quantity, value, error, expected, expected_error, "nb", tolerance, source))
    rows.append(_total(subject, ours, reference, source, tolerance))
    if tolerance <= BIN_TOLERANCE:
        rows.append(chi2_row(subject, ours, reference, source))
    widths = np.diff(ours.edges)
    densities = (x / widths for x in (ours.value, ours.error, reference.value, reference.error))
    return Result(rows, [Curve(panel, label or subject, ours.edges, *densities)])


def _total(subject: str, ours: Spectrum, reference: Spectrum, source: str, tolerance: float) -> Comparison:
    used = reference.value > 0.0
    sums = [float(np.sum(one.value[used])) for one in (ours, reference)]
    errors = [math.sqrt(float(np.sum(one.error[used] ** 2))) for one in (ours, reference)]
    low, high = ours.edges[:-1][used].min(), ours.edges[1:][used].max()
    quantity = f"sigma, {low:.4g} < m < {high:.4g} GeV, all bins"
    return Comparison(subject, quantity, sums[0], errors[0], sums[1], errors[1], "nb", tolerance, source)


def chi2_row(subject: str, ours: Spectrum, reference: Spectrum, source: str) -> Comparison:
    """Return the probability of a chi2 at least as large, from the statistical errors of both alone."""
    used = reference.value > 0.0
    variance = (ours.error**2 + reference.error**2)[used]
    distance = float(np.sum((ours.value - reference.value)[used] ** 2 / variance))
    n = int(used.sum())
    text = f"p of chi2 = {distance:.1f} of {n} bins, statistical errors alone"
    return probability(subject, text, float(chi2.sf(distance, n)), source)


def tabulated(letter: str) -> Spectrum:
    """Return a column of the packaged cross sections per 100 MeV."""
    table = reference_table("isr_cross_sections")
    edges = np.append(table["mass_min"], table["mass_max"][-1])
    return Spectrum(edges, table[letter], table[f"{letter}_error"])


def _exact(spectrum: Callable[[Floats], Floats], edges: Floats) -> Spectrum:
    value = integrals(spectrum, edges)
    return Spectrum(edges, value, np.zeros_like(value))


class _Selection(NamedTuple):
    """A process with its cuts at 3.773 GeV: name for a reader, column of the table, closed form if there is one."""

    subject: str
    process: str
    options: dict[str, Any]
    letter: str
    spectrum: Callable[[Floats], Floats] | None


def _selections() -> list[_Selection]:
    untagged, narrow = {"theta_gamma_max": 0.1, **ACCEPTANCE}, {"theta_gamma_max": 0.05, **ACCEPTANCE}
    return [
        _Selection("mumu_isr", "mumu_isr", {}, "A", inclusive_spectrum("mumu", SQRT_S)),
        _Selection("mumu_isr, untagged, cuts", "mumu_isr", untagged, "C", None),
        _Selection("ee_annihilation", "ee_annihilation", {}, "H", inclusive_spectrum("ee", SQRT_S)),
        _Selection("ee_annihilation, untagged, cuts", "ee_annihilation", narrow, "D", None),
        _Selection("ee_bhabha, untagged, cuts", "ee_bhabha", narrow, "E", None),
        _Selection("pipi_isr", "pipi_isr", {}, "F", inclusive_spectrum("pipi", SQRT_S)),
        _Selection("pipi_isr, untagged, cuts", "pipi_isr", untagged, "G", None),
    ]


def _at_reference_energy(selection: _Selection, settings: Settings) -> Result:
    table = tabulated(selection.letter)
    lowest = int(np.flatnonzero(table.value > 0.0)[0])
    table = Spectrum(table.edges[lowest:], table.value[lowest:], table.error[lowest:])
    ours = generated_spectrum(selection.process, table.edges, settings, **selection.options)
    label = LABELS[selection.process] + (", cuts" if selection.options else "")
    result = compare_spectra(selection.subject, ours, table, _TABLE, BIN_TOLERANCE, _TABLE_PANEL, label)
    if selection.spectrum is None:
        return result
    form = _exact(selection.spectrum, ours.edges)
    exact = compare_spectra(selection.subject, ours, form, _RADIATOR, BIN_TOLERANCE, _FORM_PANEL, label)
    return Result(result.rows + exact.rows, result.curves + exact.curves)


#: Pair, process, whether all photon angles are finite, and options of the comparison with cuts.
_ELSEWHERE = (
    ("mumu", "mumu_isr", True),
    ("ee", "ee_annihilation", True),
    ("pipi", "pipi_isr", True),
    ("bhabha", "ee_bhabha", False),
)


def _at_other_energy(pair: str, process: str, inclusive: bool, sqrt_s: float, settings: Settings) -> Result:
    """Compare inclusive spectra with the closed form, and spectra within cuts with the collinear one."""
    high = min(0.95 * sqrt_s, 3.0) if pair == "pipi" else 0.95 * sqrt_s
    edges = np.linspace(0.5, high, 9)
    rows, curves = [], []
    if inclusive:
        ours = generated_spectrum(process, edges, settings, 2**18, sqrt_s=sqrt_s)
        exact = _exact(inclusive_spectrum(pair, sqrt_s), edges)
        panel = spectrum_panel("leading_order_energies", f"{sqrt_s:g} GeV, closed form")
        subject = f"{process}, {sqrt_s:g} GeV"
        found = compare_spectra(subject, ours, exact, _RADIATOR, BIN_TOLERANCE, panel, LABELS[process])
        rows, curves = found.rows, found.curves
    if pair == "pipi" and sqrt_s > 5.0:  # pairs below 3 GeV leave the acceptance
        return Result(rows, curves)
    edges = np.linspace(0.5 * sqrt_s if pair != "pipi" else 0.9, high, 6)
    options = {"theta_gamma_max": 0.05, **ACCEPTANCE, "sqrt_s": sqrt_s}
    ours = generated_spectrum(process, edges, settings, 2**18, **options)
    exact = _exact(untagged_spectrum(pair, sqrt_s, 0.05, _CUTS), edges)
    found = compare_spectra(
        f"{process}, {sqrt_s:g} GeV, untagged, cuts",
        ours,
        exact,
        "collinear photon times Born within the cuts",
        COLLINEAR_TOLERANCE,
        spectrum_panel("leading_order_energies", f"{sqrt_s:g} GeV, untagged, cuts"),
        LABELS[process],
    )
    return Result(rows + found.rows, curves + found.curves)


def _untagged_share(settings: Settings) -> Result:
    """Compare the photon's angle: cross sections with a photon within several angles of a beam."""
    rows = []
    for theta in (0.01, 0.05, 0.1, 0.5):
        edges = np.array([1.5, 2.5, 3.4])
        ours = generated_spectrum("mumu_isr", edges, settings, theta_gamma_max=theta)
        exact = _exact(untagged_spectrum("mumu", SQRT_S, theta), edges)
        found = compare_spectra(
            f"mumu_isr, photon within {theta:g} rad", ours, exact, _RADIATOR, BIN_TOLERANCE, _FORM_PANEL
        )
        rows += found.rows
    return Result(rows, [])


def _resonances(settings: Settings) -> Result:
    table = reference_table("isr_resonances")
    rows = []
    for i, process in enumerate(table["process"].tolist()):
        lepton, theta = str(table["lepton"][i]), float(table["theta_gamma_max"][i])
        cuts: dict[str, Any] = {} if math.isnan(theta) else {"theta_gamma_max": theta}
        if table["lepton_cuts"][i]:
            cuts |= ACCEPTANCE
        generator = Generator(
            process,
            seed=settings.seed_of(process, lepton, str(theta)),
            lepton=lepton,
            n_cross_section=settings.size(_TRIALS),
            n_scan=_SCAN,
            **cuts,
        )
        expected, error = float(table["cross_section"][i]), float(table["cross_section_error"][i])
        text = ", ".join(f"{name} = {value:g}" for name, value in cuts.items()) or "all angles"
        ours = generator.cross_section, generator.cross_section_error
        rows.append(
            Comparison(f"{process}, {lepton}", f"sigma, {text}", *ours, expected, error, "nb", TOTAL_TOLERANCE, _TABLE)
        )
    return Result(rows, [])


def _dark_photon(settings: Settings) -> Result:
    from .. import dark_photon

    rows, epsilon = [], 1e-3
    for lepton in ("mu", "e"):
        for mass in (0.5, 1.0, 2.0, 3.0, 3.5):
            seed = settings.seed_of("dark_photon", lepton, str(mass))
            generator = Generator(
                "dark_photon",
                seed=seed,
                mass=mass,
                lepton=lepton,
                epsilon=epsilon,
                n_cross_section=settings.size(_TRIALS),
                n_scan=_SCAN,
            )
            electronic = float(dark_photon.partial_width(mass, 0.0, epsilon))
            branching = float(dark_photon.branching_fraction(mass, lepton))
            exact = float(narrow_cross_section(mass, SQRT_S, electronic, branching))
            ours = generator.cross_section, generator.cross_section_error
            quantity = f"sigma, m = {mass:g} GeV, epsilon = {epsilon:g}"
            rows.append(
                Comparison(f"dark_photon, {lepton}", quantity, *ours, exact, 0.0, "nb", TOTAL_TOLERANCE, _RADIATOR)
            )
    return Result(rows, [])


def leading_order(settings: Settings) -> list[Check]:
    """Return the checks of this topic."""
    checks = [Check(TOPIC, one.subject, partial(_at_reference_energy, one, settings)) for one in _selections()]
    for sqrt_s in OTHER_ENERGIES:
        for one in _ELSEWHERE:
            checks.append(Check(TOPIC, f"{one[1]}, {sqrt_s:g} GeV", partial(_at_other_energy, *one, sqrt_s, settings)))
    checks.append(Check(TOPIC, "photon angle", partial(_untagged_share, settings)))
    checks.append(Check(TOPIC, "resonances", partial(_resonances, settings)))
    checks.append(Check(TOPIC, "dark_photon", partial(_dark_photon, settings)))
    return checks
