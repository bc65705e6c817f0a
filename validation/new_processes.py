"""Processes besides the muon pairs: total cross sections against closed forms and other phase spaces."""

import math
from functools import partial
from typing import Any

import numpy as np
from scipy.integrate import dblquad, quad
from scipy.stats import qmc

from ..constants import ALPHA, HBARC2, JPSI_BR_EE, JPSI_MASS, M_E, PI
from ..sim.generate import Generator
from ..sim.processes import jpsi_gamma_alp
from ..sim.radiative.radiator import radiator, radiator_outside
from ..sim.radiative.structure_function import structure_ratio
from .check import Check, Curve, Panel, Result, Settings
from .closed_forms import integrals
from .comparison import Comparison
from .leading_order import SQRT_S, TOTAL_TOLERANCE
from .radiation import slope_of
from .references import reference_table

TOPIC = "other processes"
_TRIALS = 2**20
_SCAN = 2**17
_POINTS = 2**20
#: The muon's mass lowers the massless form; so much is granted.
_MASSLESS_TOLERANCE = 1e-2
#: Of a convolution that takes all photons along the beams.
_RADIATED_TOLERANCE = 1e-2


def _generated(process: str, settings: Settings, **options: Any) -> tuple[float, float]:
    """Return the cross section of a process [nb] and its error."""
    seed = settings.seed_of(process, str(sorted(options.items())))
    size = settings.size(_TRIALS)
    generator = Generator(process, seed=seed, n_cross_section=size, n_scan=_SCAN, **options)
    return generator.cross_section, generator.cross_section_error


def two_photons(cosine: Any, sqrt_s: float) -> Any:
    """Return d sigma / dcos [nb] of two photons over one hemisphere: Peskin and Schroeder (1995), eq. 5.106."""
    energy = 0.5 * sqrt_s
    momentum2 = energy**2 - M_E**2
    d = M_E**2 + momentum2 * (1.0 - cosine) * (1.0 + cosine)
    shape = (energy**2 + momentum2 * cosine**2) / d + 2.0 * M_E**2 / d - 2.0 * M_E**4 / d**2
    return 2.0 * PI * ALPHA**2 / sqrt_s**2 * energy / math.sqrt(momentum2) * shape * HBARC2


def _two_photons_total(sqrt_s: float, theta_min: float) -> float:
    top = math.atanh(math.cos(theta_min)) if theta_min > 0.0 else 20.0
    value, _ = quad(lambda y: two_photons(np.tanh(y), sqrt_s) / np.cosh(y) ** 2, 0.0, top, epsrel=1e-9, limit=400)
    return float(value)


def _gamma_gamma(settings: Settings) -> Result:
    rows = []
    for sqrt_s in (2.0, 3.773, 10.58):
        for theta in (0.0, 0.35):
            ours = _generated("gamma_gamma", settings, sqrt_s=sqrt_s, theta_gamma_min=theta)
            exact = _two_photons_total(sqrt_s, theta)
            quantity = f"sigma, {sqrt_s:g} GeV, " + (f"theta > {theta:g}" if theta else "all angles")
            source = "Peskin and Schroeder, eq. 5.106"
            rows.append(Comparison("gamma_gamma", quantity, *ours, exact, 0.0, "nb", TOTAL_TOLERANCE, source))
    n, edges = settings.size(2**18), np.linspace(0.0, math.cos(0.35), 21)
    generator = Generator("gamma_gamma", seed=settings.seed_of("angles"), theta_gamma_min=0.35, n_scan=_SCAN)
    truth = generator.events(0, n)
    counts, _ = np.histogram(np.abs(truth.pz / truth.energy)[::2], edges)
    exact_bins = integrals(lambda cosine: two_photons(cosine, SQRT_S), edges)
    widths, scale = np.diff(edges), generator.cross_section / n
    panel = Panel("other_processes", r"$\gamma\gamma$", r"$|\cos\theta|$", r"$d\sigma/d\cos\theta$ [nb]")
    values = scale * counts / widths, scale * np.sqrt(counts) / widths, exact_bins / widths
    rows.append(_radiated_pairs(settings))
    return Result(rows, [Curve(panel, "gamma_gamma", edges, *values, np.zeros(len(counts)))])


def radiated_two_photons(sqrt_s: float, theta_min: float, mass_min: float) -> float:
    """Return the cross section [nb] of gamma gamma at wide angles with any number of photons along the beams.

    int dz1 dz2 D(z1) D(z2) (2 pi alpha^2 / s') (2 atanh(c) - c), s' = z1 z2 s and c = tanh(Y - |ln(z1 / z2)| / 2): both
    photons have rapidities within Y = atanh(cos(theta_min)) after the boost.
    """
    slope, n = slope_of(sqrt_s), 800
    v = (np.arange(n) + 0.5) / n  # y = v^(2 / eta): what the soft peak is flat in
    y = v ** (2.0 / slope)
    density = np.array([float(structure_ratio(one, slope)) for one in y.tolist()])
    z = 1.0 - y
    s = z[:, None] * z[None, :] * sqrt_s**2
    reach = math.atanh(math.cos(theta_min)) - 0.5 * np.abs(np.log(z[:, None] / z[None, :]))
    reach = np.where(s > mass_min**2, np.maximum(reach, 0.0), 0.0)
    cross = 2.0 * PI * ALPHA**2 / s * (2.0 * reach - np.tanh(reach)) * HBARC2
    return float(np.mean(density[:, None] * density[None, :] * cross))


def _radiated_pairs(settings: Settings) -> Comparison:
    """Compare two photons at wide angles, after any number along the beams, with a convolution."""
    theta, least = 0.35, 1.0
    ours = _generated("gamma_gamma", settings, order="ll", mass_min=least, theta_gamma_min=theta)
    exact = radiated_two_photons(SQRT_S, theta, least)
    source = "structure functions of both beams, photons along them"
    quantity = f"sigma, any number of photons, theta > {theta:g}, m > {least:g} GeV"
    return Comparison("gamma_gamma", quantity, *ours, exact, 0.0, "nb", _RADIATED_TOLERANCE, source)


def _invisible(settings: Settings) -> Result:
    rows, epsilon = [], 1e-3
    factor = 4.0 * PI**2 * ALPHA * epsilon**2 / SQRT_S**2 * HBARC2
    for mass in (0.01, 0.5, 2.0, 3.0):
        x = 1.0 - mass**2 / SQRT_S**2
        for low, high in ((0.0, None), (0.4, None), (0.1, 0.4)):
            cuts = {"theta_gamma_min": low, "energy_gamma_min": 0.0}
            if high is not None:
                cuts["theta_gamma_max"] = high
            ours = _generated("gamma_dark_photon_invisible", settings, mass=mass, epsilon=epsilon, **cuts)
            share = radiator_outside(x, low) if low else radiator(x, SQRT_S)
            exact = factor * float(share - (radiator_outside(x, high) if high else 0.0))
            angles = f"{low:g} < theta < {high:g}" if high else f"theta > {low:g}" if low else "all angles"
            quantity, source = f"sigma, m = {mass:g} GeV, {angles}", "4 pi^2 alpha epsilon^2 W / s, Bonneau-Martin"
            subject = "gamma_dark_photon_invisible"
            rows.append(Comparison(subject, quantity, *ours, exact, 0.0, "nb", TOTAL_TOLERANCE, source))
    return Result(rows, [])


def three_photons(sqrt_s: float, theta_min: float, energy_min: float, n: int) -> tuple[float, float]:
    """Return the cross section [nb] by flat phase space on the points of Sobol, and the change from half of them."""
    u = qmc.Sobol(4, scramble=False).random(n).T
    # Dalitz triangle in 2 E / sqrt(s), direction of the first photon, azimuth of the others about it
    swap = u[0] + u[1] > 1.0
    x1, x2 = np.where(swap, u[0], 1.0 - u[0]), np.where(swap, u[1], 1.0 - u[1])
    x3 = 2.0 - x1 - x2
    cosine, phi = 2.0 * u[2] - 1.0, 2.0 * PI * u[3]
    with np.errstate(divide="ignore", invalid="ignore"):
        between = np.clip((x3**2 - x1**2 - x2**2) / (2.0 * x1 * x2), -1.0, 1.0)
        z1 = cosine
        z2 = between * cosine - np.sqrt(1.0 - between**2) * np.sqrt(1.0 - cosine**2) * np.cos(phi)
        z3 = -(x1 * z1 + x2 * z2) / x3
        energies, angles = np.stack([x1, x2, x3]), np.stack([z1, z2, z3])
        inside = np.all((energies > 2.0 * energy_min / sqrt_s) & (np.abs(angles) < math.cos(theta_min)), axis=0)
        a, b = energies * (1.0 - angles), energies * (1.0 + angles)  # k.p over s / 4
        squared = np.where(inside, 16.0 * np.sum(a * b * (a**2 + b**2), axis=0) / np.prod(a * b, axis=0), 0.0)
    # 1 / 3! of identical photons, flux 2s, phase space s / 256 pi^3; <|M|^2> = e^6 squared / s
    factor = (4.0 * PI * ALPHA) ** 3 / 6.0 / (512.0 * PI**3 * sqrt_s**2) * HBARC2
    value = factor * float(np.mean(squared))
    return value, abs(value - factor * float(np.mean(squared[: n // 2])))


def _three_gamma(settings: Settings) -> Result:
    rows = []
    for sqrt_s, theta, energy in ((3.773, 0.5, 0.3), (3.773, 0.3, 0.3), (10.58, 0.4, 0.8)):
        ours = _generated("three_gamma", settings, sqrt_s=sqrt_s, theta_gamma_min=theta, energy_gamma_min=energy)
        exact, error = three_photons(sqrt_s, theta, energy, _POINTS)
        quantity = f"sigma, {sqrt_s:g} GeV, theta > {theta:g}, E > {energy:g} GeV"
        source = "flat phase space, points of Sobol; error: change from half of them"
        rows.append(Comparison("three_gamma", quantity, *ours, exact, error, "nb", 2e-3, source))
    return Result(rows, [])


def _jpsi_alp(settings: Settings) -> Result:
    rows = []
    for mass in (0.5, 2.0):
        ours = _generated("jpsi_gamma_alp", settings, sqrt_s=JPSI_MASS, mass=mass, coupling=1e-3)
        branching = jpsi_gamma_alp.branching_fraction(mass, 1e-3)
        exact = 12.0 * PI * JPSI_BR_EE / JPSI_MASS**2 * HBARC2 * branching
        quantity, source = f"sigma at the peak, m = {mass:g} GeV, g = 1e-3 / GeV", "12 pi B_ee B / m^2"
        rows.append(Comparison("jpsi_gamma_alp", quantity, *ours, exact, 0.0, "nb", TOTAL_TOLERANCE, source))
    n = settings.size(2**17)
    generator = Generator(
        "jpsi_gamma_alp", sqrt_s=JPSI_MASS, seed=settings.seed_of("jpsi", "angle"), mass=1.0, n_scan=_SCAN
    )
    truth = generator.events(0, n)
    first = truth.offsets[:-1]
    square = (truth.pz[first] / truth.energy[first]) ** 2
    mean, error = float(square.mean()), float(square.std()) / math.sqrt(n)
    rows.append(
        Comparison("jpsi_gamma_alp", "mean cos^2 of the photon", mean, error, 0.4, 0.0, "", 0.0, "1 + cos^2(theta)")
    )
    return Result(rows, [])


def massive_vector(mass: float, sqrt_s: float) -> float:
    """Return sigma(e+ e- -> l+ l- V) / (sigma_0 g^2 / 8 pi^2), massless leptons: the form of a massive gluon.

    Integral of [(x1 + r)^2 + (x2 + r)^2] / ab - r (1/a^2 + 1/b^2), a, b = 1 - x1, 1 - x2, r = M^2 / s.
    """
    r = (mass / sqrt_s) ** 2

    def density(x2: float, x1: float) -> float:
        a, b = 1.0 - x1, 1.0 - x2
        return ((x1 + r) ** 2 + (x2 + r) ** 2) / (a * b) - r * (1.0 / a**2 + 1.0 / b**2)

    value, _ = dblquad(density, 0.0, 1.0 - r, lambda x: 1.0 - r - x, lambda x: 1.0 - r / (1.0 - x))
    return float(value)


def _zprime(settings: Settings) -> Result:
    rows, subject = [], "mumu_zprime_invisible"
    for mass in (3.0, 6.0):
        ours = _generated(subject, settings, sqrt_s=10.58, mass=mass, coupling=1.0)
        born = 4.0 * PI * ALPHA**2 / (3.0 * 10.58**2) * HBARC2
        exact = born * massive_vector(mass, 10.58) / (8.0 * PI**2)
        source = "massive gluon, massless leptons"
        remark = "the muon's mass takes 0.4 to 0.8 % of the phase space"
        quantity = f"sigma, 10.58 GeV, m = {mass:g} GeV, g' = 1"
        rows.append(Comparison(subject, quantity, *ours, exact, 0.0, "nb", _MASSLESS_TOLERANCE, source, remark=remark))
    # a light vector with g' = e is a photon from the muons, tabulated between 0.4 and 3.6 GeV
    n, edges = settings.size(2**19), np.linspace(0.4, 3.6, 33)
    coupling = math.sqrt(4.0 * PI * ALPHA)
    generator = Generator(
        subject, seed=settings.seed_of(subject), weighted=True, mass=1e-4, coupling=coupling, n_scan=_SCAN
    )
    sums, squares = np.zeros(32), np.zeros(32)
    for start in range(0, n, 2**16):
        truth = generator.events(start, min(2**16, n - start))
        vector = truth.energy[truth.offsets[:-1] + 2]
        mass_of_pair = np.sqrt(np.maximum(SQRT_S**2 - 2.0 * SQRT_S * vector, 0.0))
        sums += np.histogram(mass_of_pair, edges, weights=truth.weight)[0]
        squares += np.histogram(mass_of_pair, edges, weights=truth.weight**2)[0]
    scale = generator.cross_section / n
    table = reference_table("isr_cross_sections")
    expected, error = table["B"] - table["A"], np.hypot(table["B_error"], table["A_error"])
    numbers = float(scale * sums.sum()), float(scale * math.sqrt(squares.sum()))
    reference = float(expected.sum()), math.sqrt(float((error**2).sum()))
    source = "independent Monte Carlo integration: photons from the muons"
    quantity = "sigma, 3.773 GeV, m = 0.1 MeV, g' = e, 0.4 < m_mumu < 3.6 GeV"
    rows.append(Comparison(subject, quantity, *numbers, *reference, "nb", 2e-3, source))
    widths = np.diff(edges)
    values = scale * sums / widths, scale * np.sqrt(squares) / widths, expected / widths, error / widths
    panel = Panel(
        "other_processes",
        r"$\mu\mu Z'$, $m$ = 0.1 MeV, $g' = e$",
        r"$m_{\mu\mu}$ [GeV]",
        r"$d\sigma/dm$ [nb/GeV]",
        logarithmic=True,
    )
    return Result(rows, [Curve(panel, subject, edges, *values)])


def new_processes(settings: Settings) -> list[Check]:
    """Return the checks of this topic."""
    return [
        Check(TOPIC, "gamma_gamma", partial(_gamma_gamma, settings)),
        Check(TOPIC, "gamma_dark_photon_invisible", partial(_invisible, settings)),
        Check(TOPIC, "three_gamma", partial(_three_gamma, settings)),
        Check(TOPIC, "jpsi_gamma_alp", partial(_jpsi_alp, settings)),
        Check(TOPIC, "mumu_zprime_invisible", partial(_zprime, settings)),
    ]
