"""Radiation of any number of photons: convolutions, limits, spectra, kinematics, resonances, tagged photons."""

import csv
import math
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from besfast.constants import (
    ALPHA,
    HBARC2,
    JPSI_BR_MUMU,
    JPSI_GEE,
    JPSI_MASS,
    M_E,
    M_MU,
    M_PI,
    PI,
    PSI2S_BR_EE,
    PSI2S_GEE,
    PSI2S_MASS,
)
from besfast.event import COLUMNS, concatenate
from besfast.sim.generate import Generator
from besfast.sim.processes.registry import check_sum
from besfast.sim.radiative import radiation
from besfast.sim.radiative.adaptation import even_losses
from besfast.sim.radiative.dice import Beyond, new_trials
from besfast.sim.radiative.form_factor import pion_form_factor2
from besfast.sim.radiative.line_shape import BARE, dressing, line_shape
from besfast.sim.radiative.matrix_element import bhabha
from besfast.sim.radiative.phase_space import end_of_range, outside
from besfast.sim.radiative.radiator import (
    born_leptons,
    born_pions,
    isr_spectrum,
    narrow_cross_section,
    radiator_angle,
    radiator_outside,
)
from besfast.sim.radiative.reweighting import radiation_weight
from besfast.sim.radiative.structure_function import beam_radiator, kuraev_fadin, structure_function, structure_ratio
from besfast.sim.radiative.trials import map_trials, weigh_trials
from scipy import integrate, stats

DATA = Path(__file__).parent / "data"
CUTS = {"theta_gamma_max": 0.1, "lepton_theta_min": 0.4, "lepton_pt_min": 0.3}
SMALL = {"n_scan": 2**16, "n_cross_section": 2**16}
ALONE = {"final_state_radiation": False}
BARE_PHOTON = {"vacuum_polarisation": False, "resonances": False, **ALONE}
EVERY = [
    ("mumu_isr", {}, M_MU),
    ("ee_annihilation", {"theta_gamma_max": 0.05, "lepton_theta_min": 0.4}, M_E),
    ("ee_bhabha", {}, M_E),
    ("pipi_isr", {}, M_PI),
    ("jpsi_isr", {}, M_MU),
    ("psi2s_isr", {"lepton": "e"}, M_E),
    ("dark_photon", {"mass": 2.0}, M_MU),
]


def slope(sqrt_s=3.773):
    return 2.0 * ALPHA / PI * (2.0 * math.log(sqrt_s / M_E) - 1.0)


def both_beams(x, sqrt_s=3.773):
    """Density of x with the correction of the annihilation vertex."""
    return beam_radiator(x, slope(sqrt_s)) * radiation.VERTEX_CORRECTION


def convolved(low, high, born, sqrt_s=3.773):
    """Cross section [nb] of masses in [low, high] by numerical convolution of the Born cross section."""
    nodes, weights = np.polynomial.legendre.leggauss(8)
    m = 0.5 * (high + low) + 0.5 * (high - low) * nodes
    spectrum = 2.0 * m / sqrt_s**2 * both_beams(1.0 - m**2 / sqrt_s**2, sqrt_s) * born(m)
    return 0.5 * (high - low) * np.sum(weights * spectrum)


def muons(m):
    return born_leptons(m, M_MU)


def pions(m):
    return born_pions(m, M_PI, np.array([pion_form_factor2(one * one) for one in m]))


def by_event(truth):
    """Return (4, n_events, particles): energy and momentum of every particle, zero where it is missing."""
    n = np.diff(truth.offsets)
    place = np.arange(len(truth.px)) - np.repeat(truth.offsets[:-1], n)
    p = np.zeros((4, truth.n_events, n.max()))
    for i, name in enumerate(("energy", "px", "py", "pz")):
        p[i, np.repeat(np.arange(truth.n_events), n), place] = getattr(truth, name)
    return p


def square(p):
    return p[0] ** 2 - p[1] ** 2 - p[2] ** 2 - p[3] ** 2


def same(a, b):
    return all(x.tobytes() == y.tobytes() if isinstance(x, np.ndarray) else x == y for x, y in zip(a, b, strict=True))


def trials_of(generator, blocks):
    """Return weights [nb], masses and the rows of the scratch of the first trials of a generator."""
    source = generator._source
    block, parts = new_trials(), []
    for unit in range(blocks):
        event = np.arange(1024 * unit, 1024 * (unit + 1), dtype=np.uint64)
        map_trials(source._source, source._dice, source._beyond, event, np.zeros_like(event), block)
        weigh_trials(source._dice, source._beyond, block)
        parts.append(np.vstack([block.weight, block.mass, block.scratch.reshape(radiation.ROWS, -1)]))
    whole = np.concatenate(parts, axis=1)
    return whole[0], whole[1], whole[2:]


# ---- the formulae ----


@pytest.mark.parametrize("total", [0.05, 0.33, 0.9])
def test_softer_part_has_its_density(total):
    """Of many uniform numbers, against the sum of two powers (KS, p > 1e-3)."""
    power = 2.0 / slope()
    u = np.random.default_rng(1).uniform(size=20_000)
    y = np.array([radiation.softer_part(total, one, power) for one in u])
    half = 1.0 - math.sqrt(1.0 - total)
    assert y.min() > 0.0
    assert y.max() <= half * (1 + 1e-12)

    def cumulative(a):
        return (a / total) ** (1 / power) + 1.0 - ((total - a) / (1.0 - a) / total) ** (1 / power)

    assert cumulative(half) == pytest.approx(1.0)
    assert stats.kstest(y, cumulative).pvalue > 1e-3


def test_rapidity_of_an_eikonal_photon():
    for target in (1e-9, 1e-4, 0.03, 0.2, 0.5, 0.7, 1.0, 1.6, 3.0, 8.4):
        t = radiation.rapidity_to_end(target)
        assert t - 0.5 * (1.0 - math.exp(-2.0 * t)) == pytest.approx(target, rel=2e-6)


def test_ranges_of_angles():
    for theta in (1e-4, 0.1, 1.0, 1.5):
        assert end_of_range(1.0 - math.cos(theta)) == pytest.approx(math.atanh(math.cos(theta)), rel=1e-6)
        for angle in (0.9 * theta, 1.1 * theta):
            across, along = math.sin(angle), math.cos(angle)
            assert outside(across**2, along**2, 1.0 - math.cos(theta)) == (min(angle, PI - angle) > theta)
    assert end_of_range(1.5) == 0.0


@pytest.mark.parametrize("process", ["mumu_isr", "ee_bhabha", "pipi_isr"])
def test_leading_order_is_the_limit(process):
    """With eta -> 0 every trial has its leading-order weight, in the same place."""
    generator = Generator(process, seed=1, **SMALL, **({} if process == "ee_bhabha" else CUTS))
    source = generator._source
    nothing = radiation.Radiation(1e-10, 2.0 * math.log(3.773 / M_E) - 1.0, 1e-3)
    event = np.arange(1024, dtype=np.uint64)
    weights = []
    for beyond in (None, Beyond(nothing, even_losses(), False, BARE)):
        block = new_trials()
        map_trials(source._source, source._dice, beyond, event, np.zeros_like(event), block)
        weigh_trials(source._dice, beyond, block)
        weights.append(block.weight.copy())
    leading, limit = weights
    assert np.count_nonzero(leading) > 500
    agree = (leading > 0.0) == (limit > 0.0)
    assert np.mean(agree) > 0.998  # rounding at the edge of a cut
    np.testing.assert_allclose(limit[agree], leading[agree], rtol=1e-6)


# ---- cross sections ----


@pytest.mark.parametrize(
    ("process", "sqrt_s", "low", "high", "born"),
    [
        ("mumu_isr", 3.773, 1.45, 1.55, muons),
        ("mumu_isr", 3.773, 3.35, 3.45, muons),
        ("pipi_isr", 3.773, 1.0, 1.02, pions),
        ("mumu_isr", 2.0, 1.5, 1.6, muons),
        ("mumu_isr", 10.58, 1.0, 1.1, muons),
        ("mumu_isr", 10.58, 9.5, 9.6, muons),
    ],
)
def test_inclusive_cross_section_is_the_convolution(process, sqrt_s, low, high, born):
    """D x D x Born by quadrature, within 0.1 % and three standard errors."""
    options = ALONE if process == "pipi_isr" else BARE_PHOTON
    generator = Generator(
        process, sqrt_s=sqrt_s, seed=2, order="ll", mass_min=low, mass_max=high, n_scan=2**17, **options
    )
    expected = convolved(low, high, born, sqrt_s)
    assert generator.cross_section == pytest.approx(expected, abs=1e-3 * expected + 3 * generator.cross_section_error)
    assert generator.cross_section_error < 5e-4 * expected
    assert generator.overflow < 1e-3


def test_k_factors():
    """Over leading order, against published radiators at all angles and within muon cuts: 1.5 %."""
    with (DATA / "radiative_k_factors.csv").open() as lines:
        rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    for row in rows:
        m = float(row["mass"])
        bounds = {"mass_min": m - 0.005, "mass_max": m + 0.005, "seed": 3, "n_scan": 2**17, "n_cross_section": 2**18}
        all_angles = Generator("mumu_isr", order="ll", **bounds, **BARE_PHOTON).cross_section
        leading = 0.01 * isr_spectrum(m, 3.773, muons(m))
        assert all_angles / leading == pytest.approx(float(row["kuraev_fadin"]), rel=3e-3)
        assert all_angles / leading == pytest.approx(float(row["structure_functions"]), rel=1.5e-2)
        if row["structure_functions_with_cuts"]:
            cut, leading = (
                Generator("mumu_isr", order=order, **bounds, **CUTS, **options).cross_section
                for order, options in (("ll", BARE_PHOTON), ("lo", {}))
            )
            assert cut / leading == pytest.approx(float(row["structure_functions_with_cuts"]), rel=1e-2)


@pytest.mark.parametrize(
    ("process", "mass", "width", "branching", "k"),
    [
        ("jpsi_isr", JPSI_MASS, JPSI_GEE, JPSI_BR_MUMU, 0.982),
        ("psi2s_isr", PSI2S_MASS, PSI2S_GEE, PSI2S_BR_EE, 0.836),
    ],
)
def test_narrow_states(process, mass, width, branching, k):
    lepton = "mu" if process == "jpsi_isr" else "e"
    generator = Generator(process, seed=4, order="ll", lepton=lepton, n_cross_section=2**18, **ALONE)
    assert generator.cross_section / narrow_cross_section(mass, 3.773, width, branching) == pytest.approx(k, rel=3e-3)


def test_width_of_the_jpsi_comes_back():
    """Gamma_ee B_mumu of what the resonance adds to the amplitude, by the radiator of Kuraev and Fadin: 0.5 %.

    The window is symmetric about the peak, so that the interference with the continuum cancels.
    """
    window = {"mass_min": JPSI_MASS - 0.03, "mass_max": JPSI_MASS + 0.03, "seed": 5, "order": "ll", **ALONE}
    peak, continuum = (Generator("mumu_isr", **window, resonances=resonant) for resonant in (True, False))
    assert peak.overflow < 1e-3
    assert peak.efficiency > 0.3
    added = peak.cross_section - continuum.cross_section
    per_width = 12.0 * PI**2 * HBARC2 * kuraev_fadin(1.0 - JPSI_MASS**2 / 3.773**2, 3.773) / (JPSI_MASS * 3.773**2)
    assert added / per_width == pytest.approx(JPSI_GEE * JPSI_BR_MUMU, rel=5e-3)
    mass = np.sqrt(square(by_event(peak.events(0, 100_000))[:, :, :2].sum(axis=2)))
    within = np.mean(abs(mass - JPSI_MASS) < 1e-3)
    assert within == pytest.approx(added / peak.cross_section, abs=0.03)


def test_vacuum_polarisation_multiplies():
    line = line_shape("mu", vacuum_polarisation=True, resonances=False)
    bounds = {"seed": 6, "order": "ll", "mass_min": 1.99, "mass_max": 2.01, "resonances": False, **ALONE, **SMALL}
    with_it, without = (Generator("mumu_isr", **bounds, vacuum_polarisation=on).cross_section for on in (True, False))
    assert with_it / without == pytest.approx(dressing(line, 4.0), rel=2e-3)
    dark, bare = (
        Generator("dark_photon", seed=6, order="ll", mass=2.0, vacuum_polarisation=on, **ALONE, **SMALL).cross_section
        for on in (True, False)
    )
    # what mixes with a dark photon has the narrow states in its propagator
    resonant = line_shape("mu", vacuum_polarisation=True, resonances=True)
    assert dark / bare == pytest.approx(dressing(resonant, 4.0), rel=1e-9)


def collinear_bhabha(n, low, high, theta_gamma, theta, pt):
    """Cross section [nb] and error by a plain Monte Carlo with additional radiation of the other beam along it."""
    rng = np.random.default_rng(7)
    s, eta = 3.773**2, slope()
    m = rng.uniform(low, high, n)
    z, x = m**2 / s, 1.0 - m**2 / s
    # y_B of the soft density on [0, largest], all of the other beam's loss in one hard photon
    largest = 1.0 - np.sqrt(z)
    y = largest * rng.uniform(size=n) ** (2.0 / eta)
    y_a = (x - y) / (1.0 - y)
    ratio = np.array([structure_ratio(a, eta) * structure_ratio(b, eta) for a, b in zip(y_a, y, strict=True)])
    weight = ratio * largest ** (eta / 2) * y_a ** (eta / 2 - 1) / (1.0 - y)
    w, s_hat = np.sqrt(s * (1.0 - y)), s * (1.0 - y)
    z_hat = m**2 / s_hat
    weight *= 2.0 * (1.0 - z_hat) / (1.0 + z_hat**2) / ((np.log(s_hat / M_E**2) - 1.0) / (math.log(s / M_E**2) - 1.0))
    weight *= 1.0 - y
    # the hard photon near the electron (side 1) or the positron, in the hard frame; b cos = tanh(rapidity)
    b = np.sqrt(1.0 - 4.0 * M_E**2 / s_hat)
    end = np.arctanh(b)
    rapidity = rng.uniform(size=n) * end
    side = np.where(rng.uniform(size=n) < 0.5, 1.0, -1.0)
    minus = 2.0 / (1.0 + np.exp(2.0 * rapidity))
    cosine = np.minimum((1.0 - minus) / b, 1.0)
    sine = np.sqrt(np.maximum((minus - (1.0 - b)) * (2.0 - minus - (1.0 - b)), 0.0)) / b
    k = (s_hat - m**2) / (2.0 * w)
    c_star, phi = rng.uniform(-1, 1, n), rng.uniform(0, 2 * PI, n)
    beta = np.sqrt(1.0 - 4.0 * M_E**2 / m**2)
    along = 0.5 * ((w - k) * beta * c_star - k)
    across = 0.5 * m * beta * np.sqrt(1.0 - c_star**2)
    energy = 0.5 * (w - k - k * beta * c_star)
    # towards the beam of the hard photon: z; then the electron beam
    px, py = along * sine + across * np.cos(phi) * cosine, across * np.sin(phi)
    pz = side * (along * cosine - across * np.cos(phi) * sine)
    kz = side * k * cosine
    e1, p1 = 0.5 * w, 0.5 * w * b
    near = 1.0 - b * cosine
    near = np.where(near < 1e-6, minus, near)
    k_side, k_away = e1 * k * near, e1 * k * (2.0 - near)
    k1, k2 = np.where(side > 0, k_side, k_away), np.where(side > 0, k_away, k_side)
    ratio_m = 4.0 * M_E**2 / m**2
    below = ratio_m / (1.0 + beta)
    k3 = 0.25 * (s_hat - m**2) * (below + beta * (1.0 - c_star))
    k4 = 0.25 * (s_hat - m**2) * (below + beta * (1.0 + c_star))
    d13, d23 = e1 * energy - p1 * pz, e1 * energy + p1 * pz
    d14, d24 = 0.5 * s_hat - k1 - d13, 0.5 * s_hat - k2 - d23
    # to the centre of mass: the photon B flies against the side
    gamma, boost = (2.0 - y) / (2.0 * np.sqrt(1.0 - y)), side * y / (2.0 * np.sqrt(1.0 - y))
    z3 = gamma * pz + boost * energy
    e_photon, z_photon = gamma * k + boost * kz, gamma * kz + boost * k
    z4 = side * y * 0.5 * math.sqrt(s) - z_photon - z3
    pt3 = np.hypot(px, py)
    pt4 = np.hypot(px + k * sine, py)
    inside = (pt3 > pt) & (pt4 > pt) & (pt3 > np.tan(theta) * abs(z3)) & (pt4 > np.tan(theta) * abs(z4))
    inside &= abs(z_photon) > math.cos(theta_gamma) * e_photon
    with np.errstate(all="ignore"):
        element = bhabha.py_func(s_hat, m**2, k1, k2, k3, k4, d13, d23, d14, d24)
    weight *= 2.0 * m * (1.0 - z_hat) * beta * (4.0 * PI * ALPHA) ** 3 / (2.0 * s_hat * b * 128.0 * PI**3)
    # two sides of the photon, dcos / 2 = (1 - b^2 cos^2) / (2 b) dy; the whole range of cos*
    weight *= minus * (2.0 - minus) / b * end * (high - low) * HBARC2
    weight = np.where(inside, weight * element, 0.0)
    return weight.mean(), weight.std() / math.sqrt(n)


def test_bhabha_scattering_against_a_plain_monte_carlo():
    """Additional photons along the beams, and none that shares the hard photon's: 1 % and three standard errors."""
    expected, error = collinear_bhabha(400_000, 2.4, 2.6, 0.1, 0.4, 0.3)
    generator = Generator("ee_bhabha", seed=8, order="ll", mass_min=2.4, mass_max=2.6, **CUTS, **BARE_PHOTON)
    assert error < 8e-3 * expected
    assert generator.cross_section == pytest.approx(expected, abs=1e-2 * expected + 3 * error)


@pytest.mark.long
@pytest.mark.parametrize(
    ("process", "options"), [("mumu_isr", CUTS), ("ee_bhabha", {}), ("mumu_isr", {"theta_gamma_min": 0.5})]
)
def test_soft_cut_off_drops_out(process, options):
    """A hundred times larger, 0.2 %."""
    small, large = (
        Generator(process, seed=9, order="ll", soft_cutoff=cut, mass_min=1.5, mass_max=3.4, **options, **BARE_PHOTON)
        for cut in (1e-4, 1e-2)
    )
    error = math.hypot(small.cross_section_error, large.cross_section_error)
    assert error < 1.3e-3 * small.cross_section
    assert large.cross_section == pytest.approx(small.cross_section, rel=2e-3)


@pytest.mark.parametrize("sqrt_s", [2.0, 3.773, 10.58])
@pytest.mark.parametrize("process", ["mumu_isr", "ee_bhabha"])
def test_energies(process, sqrt_s):
    """From 2 to 10.6 GeV: efficiency, overflow and the error of the cross section."""
    generator = Generator(process, sqrt_s=sqrt_s, seed=10, order="ll", n_scan=2**18)
    assert generator.overflow < 1e-3
    assert generator.efficiency > (0.25 if process == "mumu_isr" else 0.05)
    assert generator.cross_section_error < 3e-3 * generator.cross_section
    assert np.all(generator.events(0, 2000).weight == 1.0)


# ---- events ----


@pytest.mark.parametrize(("process", "options", "mass"), EVERY)
def test_four_momentum_and_mass_shells(process, options, mass):
    truth = Generator(process, seed=11, order="ll", **SMALL, **options).events(0, 10_000)
    p = by_event(truth)
    np.testing.assert_allclose(p.sum(axis=2), np.array([3.773, 0, 0, 0])[:, None] * np.ones(10_000), atol=1e-9)
    np.testing.assert_allclose(square(p[:, :, :2]), mass**2, atol=1e-9)
    np.testing.assert_allclose(square(p[:, :, 2:]), 0.0, atol=1e-9)
    n = np.diff(truth.offsets)
    assert n.min() == 3
    assert n.max() >= 5
    photons = p[0, :, 2:]
    assert photons[photons > 0.0].min() > 1e-4  # 1 MeV in the centre of mass or in the rest frame of the pair
    for column in COLUMNS["TruthEvents"]:
        values = getattr(truth, column.name)
        assert values.dtype == np.dtype(column.dtype)
        assert len(values) == (10_000 if column.table == "event" else n.sum())
    assert np.all(truth.pdg[truth.charge == 0] == 22)
    assert np.all(np.add.reduceat(truth.charge, truth.offsets[:-1]) == 0)


@pytest.mark.parametrize("process", ["mumu_isr", "ee_bhabha"])
@pytest.mark.parametrize("tagged", [False, True])
def test_cuts_hold(process, tagged):
    cuts = {"lepton_theta_min": 0.4, "lepton_pt_min": 0.3, "mass_min": 1.5, "mass_max": 3.3}
    cuts |= {"theta_gamma_min": 0.2, "theta_gamma_max": 0.35} if tagged else {"theta_gamma_max": 0.1}
    truth = Generator(process, seed=12, order="ll", **SMALL, **cuts, **ALONE).events(0, 20_000)
    p = by_event(truth)
    theta = np.arctan2(np.hypot(p[1], p[2]), abs(p[3]))
    assert theta[:, :2].min() > 0.4
    assert np.hypot(p[1], p[2])[:, :2].min() > 0.3
    assert theta[:, 2].max() < cuts["theta_gamma_max"]
    assert theta[:, 2].min() > cuts.get("theta_gamma_min", 0.0)
    mass = np.sqrt(square(p[:, :, :2].sum(axis=2)))
    assert 1.5 < mass.min() < mass.max() < 3.3
    hardest = np.argmax(p[0, :, 2:], axis=1) == 0
    assert np.mean(hardest) > 0.98


@pytest.mark.parametrize("order", ["lo", "ll"])
def test_tagged_and_untagged_photons_make_all(order):
    """And at leading order either is the closed form within 0.3 %."""
    bounds = {"seed": 13, "order": order, "mass_min": 2.0, "mass_max": 2.02, **(BARE_PHOTON if order == "ll" else {})}
    whole, tagged, untagged = (
        Generator("mumu_isr", **bounds, **cut) for cut in ({}, {"theta_gamma_min": 0.3}, {"theta_gamma_max": 0.3})
    )
    error = math.hypot(tagged.cross_section_error, untagged.cross_section_error)
    total = tagged.cross_section + untagged.cross_section
    assert total == pytest.approx(whole.cross_section, abs=4 * math.hypot(error, whole.cross_section_error))
    if order == "lo":
        m = 2.01
        expected = 0.02 * 2 * m / 3.773**2 * radiator_outside(1.0 - m**2 / 3.773**2, 0.3) * muons(m)
        assert tagged.cross_section == pytest.approx(expected, rel=3e-3)
    assert tagged.efficiency > 0.4


@pytest.mark.parametrize("weighted", [False, True])
def test_any_division_gives_the_same_bits(weighted):
    generator = Generator("mumu_isr", seed=14, order="ll", weighted=weighted, energy_spread=1e-3, **SMALL)
    whole = generator.events(0, 3000)
    pieces = [(0, 1), (1, 1022), (1023, 2), (1025, 1975)]
    assert same(whole, concatenate([generator.events(*piece) for piece in pieces]))
    with ThreadPoolExecutor(2) as pool:
        assert same(whole, concatenate(list(pool.map(lambda piece: generator.events(*piece), pieces))))
    assert generator.events(0, 0).n_events == 0


def test_energy_spread():
    """Every event conserves its own energy; the pair's mass does not move."""
    truth = Generator("jpsi_isr", seed=15, order="ll", energy_spread=1.5e-3, **SMALL, **ALONE).events(0, 20_000)
    p = by_event(truth)
    np.testing.assert_allclose(p[0].sum(axis=1), truth.event_sqrt_s, atol=1e-9)
    np.testing.assert_allclose(p[1:].sum(axis=2), 0.0, atol=1e-9)
    np.testing.assert_allclose(np.sqrt(square(p[:, :, :2].sum(axis=2))), JPSI_MASS, atol=1e-9)
    assert stats.kstest((truth.event_sqrt_s - 3.773) / 1.5e-3, stats.norm.cdf).pvalue > 1e-3


def test_pairs_radiate():
    """At 2 GeV, 8.4 % of the muon pairs lose more than 10 MeV."""
    options = {"mass_min": 1.999, "mass_max": 2.001, "resonances": False}
    p = by_event(Generator("mumu_isr", seed=16, order="ll", **SMALL, **options).events(0, 50_000))
    lost = np.mean(np.sqrt(square(p[:, :, :2].sum(axis=2))) < 1.99)
    assert lost == pytest.approx(0.084, abs=0.004)


def test_symmetries():
    """Charge conjugation, and forward and backward photons (KS, p > 1e-3)."""
    p = by_event(Generator("mumu_isr", seed=17, order="ll", **SMALL, **BARE_PHOTON).events(0, 60_000))
    even, odd = p[:, ::2], p[:, 1::2]
    assert stats.ks_2samp(even[3, :, 0], odd[3, :, 1]).pvalue > 1e-3
    assert stats.ks_2samp(even[3, :, 0], -odd[3, :, 0]).pvalue > 1e-3
    assert stats.ks_2samp(even[3, :, 2], -odd[3, :, 2]).pvalue > 1e-3
    azimuth = np.arctan2(p[2], p[1])
    for particle in range(3):
        assert stats.kstest(azimuth[:, particle], stats.uniform(-PI, 2 * PI).cdf).pvalue > 1e-3


# ---- spectra ----


def test_loss_of_the_other_beam():
    """y_B at fixed mass has the density D(z_A) D(z_B) / z_B (chi-square of weighted trials, p > 1e-3)."""
    generator = Generator("jpsi_isr", seed=18, order="ll", soft_cutoff=1e-6, **SMALL, **ALONE)
    weight, _, rows = trials_of(generator, 400)
    x, eta = 1.0 - JPSI_MASS**2 / 3.773**2, slope()
    edges = np.array([1e-5, 1e-4, 1e-3, 3e-3, 0.01, 0.02, 0.04, 0.07, 0.1, 0.13, 0.16, 1.0 - math.sqrt(1.0 - x)])

    def density(log_y):
        y = math.exp(log_y)
        return structure_function(y, eta) * structure_function((x - y) / (1 - y), eta) * y / (1 - y)

    expected = np.array([integrate.quad(density, math.log(a), math.log(b))[0] for a, b in pairwise(edges)])
    rest = 0.5 * both_beams(x) / radiation.VERTEX_CORRECTION - expected.sum()
    expected = np.append(expected, rest) / (expected.sum() + rest)
    bins = np.digitize(rows[radiation.OTHER], edges) - 1
    total = weight.sum()
    chi2 = 0.0
    for i, share in enumerate(expected):
        inside = (bins == i) if i < len(edges) - 1 else (bins < 0)
        found, variance = weight[inside].sum() / total, np.sum((weight * (inside - share)) ** 2) / total**2
        chi2 += (found - share) ** 2 / variance
    assert stats.chi2.sf(chi2, len(expected) - 1) > 1e-3


def drawn(density, low, high, n, rng):
    """Return n numbers of a density in log(y) by inversion on a fine grid."""
    grid = np.linspace(math.log(low), math.log(high), 20_001)
    centre = 0.5 * (grid[1:] + grid[:-1])
    cumulated = np.append(0.0, np.cumsum([density(math.exp(one)) * math.exp(one) for one in centre]))
    return np.exp(np.interp(rng.uniform(size=n), cumulated / cumulated[-1], grid))


def eikonal(n, rng):
    """Return cosines of sin^2 / (1 - b^2 cos^2)^2 on one hemisphere, by rejection in the rapidity."""
    b = math.sqrt(1.0 - 4.0 * M_E**2 / 3.773**2)
    found = np.empty(0)
    while found.size < n:
        c = np.tanh(rng.uniform(0.0, math.atanh(b), 2 * n)) / b
        found = np.append(found, c[rng.uniform(size=2 * n) < (1.0 - c * c) / (1.0 - (b * c) ** 2)])
    return found[:n]


def vector(k, cosine, azimuth):
    sine = np.sqrt(np.maximum(1.0 - cosine**2, 0.0))
    return np.array([k, k * sine * np.cos(azimuth), k * sine * np.sin(azimuth), k * cosine])


def boosted(p, frame, sign):
    """Boost p into the rest frame of `frame` (sign = 1) or back."""
    mass = np.sqrt(square(frame))
    q = -sign * frame[1:]
    energy = (frame[0] * p[0] + np.sum(q * p[1:], axis=0)) / mass
    factor = (p[0] + energy) / (frame[0] + mass)
    return np.vstack([energy, p[1:] + q * factor])


def missing_masses(n):
    """Invariant mass of all photons beside a J/psi from the same formulae, written plainly."""
    rng = np.random.default_rng(19)
    s, eta = 3.773**2, slope()
    x = 1.0 - JPSI_MASS**2 / s
    lowest = 1e-3 / (0.5 * 3.773)

    def other(y):
        return structure_function(y, eta) * structure_function((x - y) / (1 - y), eta) / (1 - y)

    y_b = drawn(other, 1e-90, 1.0 - math.sqrt(1.0 - x), n, rng)
    y_a = (x - y_b) / (1.0 - y_b)
    y_c = y_a * rng.uniform(size=n) ** (2.0 / eta)
    y_c = np.minimum(y_c, (y_a - y_c) / (1.0 - y_c))
    e_b, e_c = (np.where(y > lowest, 0.5 * 3.773 * y, 0.0) for y in (y_b, y_c))
    k_b = vector(e_b, -eikonal(n, rng), rng.uniform(0, 2 * PI, n))
    k_c = vector(e_c, eikonal(n, rng), rng.uniform(0, 2 * PI, n))
    left = np.array([3.773, 0.0, 0.0, 0.0])[:, None] - k_b - k_c
    s_hat = square(left)
    w = np.sqrt(s_hat)
    # the hard photon from the closed form of its angle, about the direction of its beam
    x_hat = 1.0 - JPSI_MASS**2 / s_hat
    end = np.arccosh(0.5 * w / M_E)
    cosine, todo = np.empty(n), np.arange(n)
    while todo.size:
        y = rng.uniform(size=todo.size) * end[todo]
        b = np.sqrt(1.0 - 4.0 * M_E**2 / s_hat[todo])
        c = np.minimum(np.tanh(y) / b, 1.0)
        theta = np.arctan2(np.sqrt(np.maximum(1 / np.cosh(y) ** 2 - 4.0 * M_E**2 / s_hat[todo], 0.0)), b * c)
        shape = np.array([radiator_angle(a, t, q) for a, t, q in zip(x_hat[todo], theta, w[todo], strict=True)])
        shape *= x_hat[todo] / np.cosh(y) ** 2 * 0.4 * PI / ALPHA
        assert shape.max() < 1.0
        good = rng.uniform(size=todo.size) < shape
        cosine[todo[good]] = np.cos(theta[good])
        todo = todo[~good]
    axis = boosted(np.array([1.0, 0.0, 0.0, 1.0])[:, None] * np.ones(n), left, 1)[1:]
    axis /= np.linalg.norm(axis, axis=0)
    first = np.cross(axis.T, [0.0, 1.0, 0.0]).T
    first /= np.linalg.norm(first, axis=0)
    second = np.cross(axis.T, first.T).T
    k, _, _, _ = local = vector((s_hat - JPSI_MASS**2) / (2 * w), cosine, rng.uniform(0, 2 * PI, n))
    hard = boosted(np.vstack([k, local[1] * first + local[2] * second + local[3] * axis]), left, -1)
    return np.sqrt(np.maximum(square(hard + k_b + k_c), 0.0)), hard


def test_missing_mass_tail():
    """Invariant mass of all photons, energy and angle of the hard one, against a plain Monte Carlo (KS, p > 1e-3)."""
    expected, hard = missing_masses(40_000)
    p = by_event(Generator("jpsi_isr", seed=20, order="ll", n_cross_section=2**16, **ALONE).events(0, 100_000))
    mass = np.sqrt(np.maximum(square(p[:, :, 2:].sum(axis=2)), 0.0))
    for low in (1e-3, 0.05, 0.3):
        shares = np.mean(mass > low), np.mean(expected > low)
        error = math.sqrt(shares[0] * (1 - shares[0]) * (1 / 100_000 + 1 / 40_000))
        assert abs(shares[0] - shares[1]) < 4 * error
    assert stats.ks_2samp(mass[mass > 1e-3], expected[expected > 1e-3]).pvalue > 1e-3
    assert stats.ks_2samp(np.round(p[0, :, 2], 9), np.round(hard[0], 9)).pvalue > 1e-3
    theta, naive = (np.log(np.arctan2(np.hypot(q[1], q[2]), abs(q[3]))) for q in (p[:, :, 2], hard))
    assert stats.ks_2samp(theta, naive).pvalue > 1e-3


# ---- requests ----


def test_resonances_are_counted_once():
    both = [("mumu_isr", "ll", {}), ("jpsi_isr", "ll", {"lepton": "mu"})]
    with pytest.raises(ValueError, match="mumu_isr contains jpsi_isr_mu"):
        check_sum(both)
    check_sum([("mumu_isr", "ll", {}), ("jpsi_isr", "ll", {"lepton": "e"})])
    check_sum([("mumu_isr", "ll", {"resonances": False}), both[1]])
    check_sum([("mumu_isr", "lo", {}), both[1]])
    with pytest.raises(ValueError, match="ee_bhabha contains psi2s_isr_e"):
        check_sum([("ee_bhabha", "ll", {}), ("psi2s_isr", "ll", {"lepton": "e"})])


def test_cross_check_by_reweighting():
    """Leading order times K(m), the cheap way, has the inclusive spectrum of the whole (chi-square, p > 1e-3)."""
    edges = np.linspace(1.5, 3.4, 20)
    whole = Generator("mumu_isr", seed=21, order="ll", mass_min=1.5, mass_max=3.4, **SMALL, **BARE_PHOTON)
    leading = Generator("mumu_isr", seed=22, mass_min=1.5, mass_max=3.4, **SMALL)
    events = leading.events(0, 100_000)
    k = radiation_weight(events)
    a, b = (np.sqrt(square(by_event(truth)[:, :, :2].sum(axis=2))) for truth in (whole.events(0, 100_000), events))
    found, _ = np.histogram(a, edges)
    expected, _ = np.histogram(b, edges, weights=k)
    variance, _ = np.histogram(b, edges, weights=k * k)
    scale = found.sum() / expected.sum()
    chi2 = np.sum((found - scale * expected) ** 2 / (found + scale**2 * variance))
    assert stats.chi2.sf(chi2, len(found) - 1) > 1e-3
    assert k.mean() * leading.cross_section == pytest.approx(whole.cross_section, rel=5e-3)


def test_reweighting_needs_one_photon():
    truth = Generator("mumu_isr", seed=1, order="ll", soft_cutoff=1e-6, **SMALL).events(0, 100)
    with pytest.raises(ValueError, match=r"event \d+: must hold a pair and one photon"):
        radiation_weight(truth)
