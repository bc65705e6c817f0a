"""Processes with a phase space of their own: closed forms, independent matrix elements, kinematics, radiation."""

import itertools

import numpy as np
import pytest
from besfast.analysis.search_card import load_search
from besfast.analysis.selection import select
from besfast.constants import ALPHA, HBARC2, JPSI_BR_EE, JPSI_MASS, JPSI_WIDTH, M_E, PI
from besfast.reco.reconstruct import reconstruct
from besfast.sim.generate import Generator, generate
from besfast.sim.processes import gamma_dark_photon, gamma_gamma, jpsi_gamma_alp
from besfast.sim.processes.initial_state import InitialStateRadiation, angular_weight, least_fraction
from besfast.sim.processes.kinematics import boost_stage, largest_rapidity, rotate_stage
from besfast.sim.processes.model import Particle, Points
from besfast.sim.processes.protocol import Setting
from besfast.sim.processes.registry import check_sum
from besfast.sim.processes.rejection import ModelProcess, ModelSource
from besfast.sim.processes.three_gamma import matrix_element
from besfast.sim.radiative.radiator import radiator, radiator_angle, radiator_outside
from besfast.sim.radiative.structure_function import beam_radiator, structure_ratio
from besfast.sim.simulate import simulate
from scipy import stats
from scipy.integrate import quad
from scipy.special import voigt_profile

from .gun import card_with

SMALL = {"n_scan": 2**17, "n_cross_section": 2**17}
E_CM = 3.773
EVERY = [
    ("gamma_gamma", {"theta_gamma_min": 0.3}, E_CM),
    ("three_gamma", {}, E_CM),
    ("gamma_dark_photon_invisible", {"mass": 2.0, "theta_gamma_min": 0.4}, E_CM),
    ("jpsi_gamma_alp", {"mass": 1.0}, JPSI_MASS),
]
ORDERS = [(*process, order) for process in EVERY for order in ("lo", "ll")]


def momenta_of(truth):
    return np.stack([truth.px, truth.py, truth.pz, truth.energy])


def event_of(truth):
    return np.repeat(np.arange(truth.n_events), np.diff(truth.offsets))


def sums(truth, chosen):
    """Return the summed momenta (4, n_events) of chosen particles."""
    event = event_of(truth)[chosen]
    return np.stack([np.bincount(event, weights=p, minlength=truth.n_events) for p in momenta_of(truth)[:, chosen]])


def nth(truth, i):
    """Return the momenta (4, n_events) of the i-th particle of every event."""
    return momenta_of(truth)[:, truth.offsets[:-1] + i]


def square(p):
    return p[3] ** 2 - p[0] ** 2 - p[1] ** 2 - p[2] ** 2


# ---- all of them ----


@pytest.mark.parametrize(("name", "options", "sqrt_s", "order"), ORDERS)
def test_four_momentum(name, options, sqrt_s, order):
    """Four-momentum is conserved to 1e-9 GeV, photons are massless, and extra photons come with order ll alone."""
    truth = Generator(name, seed=1, sqrt_s=sqrt_s, order=order, energy_spread=1e-3, **SMALL, **options).events(0, 5000)
    assert np.all(truth.weight == 1.0)
    total = sums(truth, truth.status == 1)
    np.testing.assert_allclose(total[:3], 0.0, atol=1e-9)
    np.testing.assert_allclose(total[3], truth.event_sqrt_s, atol=1e-9)
    photons = truth.pdg == 22
    np.testing.assert_allclose(square(momenta_of(truth)[:, photons]), 0.0, atol=1e-9)
    sizes = np.unique(np.diff(truth.offsets))
    n_hard = {"gamma_gamma": 2, "three_gamma": 3, "gamma_dark_photon_invisible": 2, "jpsi_gamma_alp": 4}[name]
    assert sizes.tolist() == ([n_hard] if order == "lo" else [n_hard, n_hard + 1, n_hard + 2])
    assert np.all(truth.charge == 0)


@pytest.mark.parametrize(("name", "options", "sqrt_s", "order"), ORDERS)
def test_chain(name, options, sqrt_s, order):
    """Photons and invisible particles alone pass detector, reconstruction and selection."""
    truth = Generator(name, seed=2, sqrt_s=sqrt_s, order=order, **SMALL, **options).events(0, 1000)
    reco = reconstruct(simulate(truth, card_with(matter={"conversion": False}), seed=1))
    assert reco.track_offsets[-1] == 0
    assert reco.photon_offsets[-1] > 500
    reco = reconstruct(simulate(truth, seed=1))
    assert 0 < np.mean(np.diff(reco.track_offsets) > 0) < 0.07, "1.3 % of the photons become pairs"
    search = load_search("besiii_dark_photon")
    assert select(reco, search.cuts_by_channel(), search.spectrum.mass_range()).events.n_events == 0


@pytest.mark.parametrize(("name", "options", "sqrt_s"), EVERY)
def test_soft_cutoff_does_not_matter(name, options, sqrt_s):
    """Varied by a hundred, the cut-off moves the cross section by less than 0.2 % and two errors.

    At the J/psi by ten, below its width of 0.09 MeV.
    """
    low, high = (1e-6, 1e-5) if name == "jpsi_gamma_alp" else (1e-4, 1e-2)
    more = {"n_scan": 2**17, "n_cross_section": 2**19, **options}
    a, b = (Generator(name, seed=3, sqrt_s=sqrt_s, order="ll", soft_cutoff=cutoff, **more) for cutoff in (low, high))
    difference = abs(a.cross_section - b.cross_section)
    assert difference < 2e-3 * a.cross_section + 2.0 * np.hypot(a.cross_section_error, b.cross_section_error)


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("gamma_gamma", {"mass_min": 4.0}, "mass_min = 4, must be below sqrt_s = 3.773"),
        ("gamma_gamma", {"energy_gamma_min": 1.9}, "gamma_gamma: no event passes the cuts"),
        ("gamma_gamma", {"theta_gamma_min": 1.6}, "theta_gamma_min = 1.6"),
        ("three_gamma", {"theta_gamma_min": 0.01}, "theta_gamma_min = 0.01, must be at least 0.02"),
        ("three_gamma", {"energy_gamma_min": 1.3}, "energy_gamma_min = 1.3, must be in"),
        ("three_gamma", {"energy_gamma_min": 0.0}, "energy_gamma_min = 0, must be in"),
        ("gamma_dark_photon_invisible", {}, "needs the option mass"),
        ("gamma_dark_photon_invisible", {"mass": 3.8}, "mass = 3.8, must be in"),
        ("gamma_dark_photon_invisible", {"mass": 1.0, "epsilon": 2.0}, "epsilon = 2.0"),
        ("gamma_dark_photon_invisible", {"mass": 1.0, "theta_gamma_max": 0.05}, "theta_gamma_min = 0.1, must be below"),
        ("gamma_dark_photon_invisible", {"mass": 1.0, "order": "ll", "theta_gamma_min": 0.0}, "order 'll'"),
        ("gamma_dark_photon_invisible", {"mass": 1.0, "order": "ll", "energy_gamma_min": 0.0}, "order 'll'"),
        ("jpsi_gamma_alp", {"mass": 1.0}, "sqrt_s = 3.773, must be within 0.01 GeV of the J/psi"),
        ("jpsi_gamma_alp", {"mass": 3.09, "sqrt_s": 3.0969}, "mass = 3.09, must be in"),
        ("jpsi_gamma_alp", {"mass": 0.0, "sqrt_s": 3.0969}, "mass = 0, must be in"),
        ("jpsi_gamma_alp", {"mass": 1.0, "sqrt_s": 3.0969, "coupling": 0.0}, "coupling = 0.0, must be in"),
    ],
)
def test_bad_requests(name, options, match):
    with pytest.raises(ValueError, match=match) as caught:
        generate(name, 10, seed=1, **options)
    assert "\n" not in str(caught.value)


def test_double_counting():
    """Two photons with any number of further ones contain three photons."""
    check_sum([("gamma_gamma", "lo", {}), ("three_gamma", "lo", {})])
    with pytest.raises(ValueError, match="gamma_gamma contains three_gamma"):
        check_sum([("gamma_gamma", "ll", {}), ("three_gamma", "lo", {})])


# ---- two photons ----


def two_photons(cosine, sqrt_s):
    """Return d sigma / d cos [nb] over a hemisphere, as the textbook writes it (Peskin and Schroeder, eq. 5.106)."""
    energy = sqrt_s / 2.0
    p2, m2 = energy**2 - M_E**2, M_E**2
    d = m2 + p2 * (1.0 - cosine**2)
    shape = (energy**2 + p2 * cosine**2) / d + 2.0 * m2 / d - 2.0 * m2**2 / d**2
    return 2.0 * PI * ALPHA**2 / sqrt_s**2 * energy / np.sqrt(p2) * shape * HBARC2


@pytest.mark.parametrize("sqrt_s", [2.0, 3.773, 10.58])
def test_gamma_gamma_at_all_angles(sqrt_s):
    """The closed form, its high-energy limit, and the generated cross section within 0.1 %."""
    total = gamma_gamma.total_cross_section(sqrt_s)
    limit = 2.0 * PI * ALPHA**2 / sqrt_s**2 * (np.log(sqrt_s**2 / M_E**2) - 1.0) * HBARC2
    assert total == pytest.approx(limit, rel=1e-5)
    generator = Generator("gamma_gamma", seed=4, sqrt_s=sqrt_s)
    assert generator.cross_section == pytest.approx(total, rel=1e-3)
    assert generator.efficiency > 0.5


def test_closed_form_near_threshold():
    """Against the integral of the textbook formula, where nothing may be neglected."""
    for sqrt_s in (2.1 * M_E, 5.0 * M_E, 1.0):
        expected = quad(two_photons, 0.0, 1.0, args=(sqrt_s,), epsrel=1e-10, points=[0.999], limit=200)[0]
        assert gamma_gamma.total_cross_section(sqrt_s) == pytest.approx(expected, rel=1e-6)


def test_gamma_gamma_angles():
    """Cross section with cuts within 0.1 %, and the polar angle by KS, p > 1e-3."""
    generator = Generator("gamma_gamma", seed=5, theta_gamma_min=0.35)
    top = np.cos(0.35)
    expected = quad(two_photons, 0.0, top, args=(E_CM,))[0]
    assert abs(generator.cross_section - expected) < 1e-3 * expected
    truth = generator.events(0, 50_000)
    assert abs(truth.pz / truth.energy).max() <= top
    grid = np.linspace(0.0, top, 2001)
    cumulated = np.concatenate([[0.0], np.cumsum(two_photons(0.5 * (grid[1:] + grid[:-1]), E_CM))])
    cosine = abs(nth(truth, 0)[2] / nth(truth, 0)[3])
    assert stats.kstest(cosine, lambda c: np.interp(c, grid, cumulated / cumulated[-1])).pvalue > 1e-3
    assert abs(np.mean(truth.pz[::2] > 0.0) - 0.5) < 4.0 * 0.5 / np.sqrt(50_000)


# ---- a photon and a dark photon ----


@pytest.mark.parametrize("mass", [0.01, 0.5, 2.0, 3.5])
def test_dark_photon_at_all_angles(mass):
    """sigma = (4 pi^2 alpha epsilon^2 / s) W(x) within 0.1 % (and its m_e^2 / s)."""
    generator = Generator(
        "gamma_dark_photon_invisible", seed=6, mass=mass, epsilon=0.01, theta_gamma_min=0.0, energy_gamma_min=0.0
    )
    factor = 4.0 * PI**2 * ALPHA * 1e-4 / E_CM**2 * HBARC2
    expected = factor * radiator(1.0 - mass**2 / E_CM**2, E_CM)
    assert generator.cross_section == pytest.approx(expected, rel=1e-3)
    assert generator.cross_section_error < 3e-4 * expected
    assert generator.efficiency > 0.5


def test_dark_photon_angles():
    """Windows of the angle within 0.1 %, collinear to central; the distribution with the mass of the electron (KS)."""
    factor, x = 4.0 * PI**2 * ALPHA * 1e-6 / E_CM**2 * HBARC2, 1.0 - 4.0 / E_CM**2
    for low, high in ((0.4, None), (0.1, 0.4), (0.9, 1.2)):
        generator = Generator(
            "gamma_dark_photon_invisible", seed=7, mass=2.0, theta_gamma_min=low, theta_gamma_max=high
        )
        expected = radiator_outside(x, low) - (radiator_outside(x, high) if high else 0.0)
        assert generator.cross_section == pytest.approx(factor * expected, rel=1e-3)
    truth = Generator(
        "gamma_dark_photon_invisible", seed=8, mass=2.0, theta_gamma_min=0.0, energy_gamma_min=0.0
    ).events(0, 50_000)
    photon, dark = nth(truth, 0), nth(truth, 1)
    np.testing.assert_allclose(square(dark), 4.0, atol=1e-9)
    np.testing.assert_allclose(photon[3], 0.5 * x * E_CM, rtol=1e-12)
    theta = np.arctan2(np.hypot(photon[0], photon[1]), abs(photon[2]))
    grid = np.concatenate([[0.0], np.geomspace(1e-7, PI / 2.0, 4001)])
    middle = 0.5 * (grid[1:] + grid[:-1])
    cumulated = np.concatenate([[0.0], np.cumsum(radiator_angle(x, middle, E_CM) * np.sin(middle) * np.diff(grid))])
    assert stats.kstest(theta, lambda t: np.interp(t, grid, cumulated / cumulated[-1])).pvalue > 1e-3


def test_massless_dark_photon_is_a_photon():
    """At M = 0 and epsilon = 1 the squared matrix element is that of two photons, twice as they are told apart."""
    cosine = np.array([0.0, 0.5, 0.99, 0.999999, 1.0])
    beta = np.sqrt(1.0 - 4.0 * M_E**2 / E_CM**2)
    minus, plus = 1.0 - beta * cosine, 1.0 + beta * cosine
    weight, none, energy = np.ones(5), np.zeros(5), np.full(5, E_CM)
    gamma_dark_photon.cross_section_stage(0.0, 1.0, energy, none, minus, plus, weight)
    np.testing.assert_allclose(weight, 2.0 * two_photons(cosine, E_CM), rtol=1e-6)


def test_only_the_hardest_photon_counts():
    """With radiation, no other photon in the window of the cuts has more energy than the first."""
    options = {"mass": 1.0, "theta_gamma_min": 0.5, "energy_gamma_min": 0.2}
    truth = Generator("gamma_dark_photon_invisible", seed=9, order="ll", **SMALL, **options).events(0, 20_000)
    p, event = momenta_of(truth), event_of(truth)
    inside = (truth.pdg == 22) & (abs(p[2]) < np.cos(0.5) * p[3]) & (p[3] > 0.2)
    highest = np.zeros(truth.n_events)
    np.maximum.at(highest, event[inside], p[3, inside])
    np.testing.assert_array_equal(highest, nth(truth, 0)[3])
    assert inside.sum() > truth.n_events


# ---- three photons ----

SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
GAMMA = [np.kron([[0, 1], [1, 0]], np.eye(2))] + [np.kron([[0, 1], [-1, 0]], s) for s in SIGMA]


def slash(p):
    """Return p-slash of a four-vector (px, py, pz, E)."""
    return p[3] * GAMMA[0] - sum(p[i] * GAMMA[i + 1] for i in range(3))


def traced(p1, p2, photons):
    """Return <|M|^2> / e^6 from all six orderings of the photons on the electron line, by traces of Dirac matrices."""
    polarisations = []
    for k in photons:
        n = k[:3] / k[3]
        one = np.cross(n, [1.0, 0.3, -0.2])
        one /= np.linalg.norm(one)
        polarisations.append([np.append(one, 0.0), np.append(np.cross(n, one), 0.0)])
    total = 0.0
    for choice in itertools.product((0, 1), repeat=3):
        amplitude = np.zeros((4, 4), dtype=complex)
        for order in itertools.permutations(range(3)):
            q, chain = p1.copy(), np.eye(4, dtype=complex)
            for step, i in enumerate(order):
                chain = slash(polarisations[i][choice[i]]) @ chain
                q = q - photons[i]
                if step < 2:
                    chain = slash(q) @ chain / (q[3] ** 2 - q[:3] @ q[:3])
            amplitude += chain
        bar = GAMMA[0] @ amplitude.conj().T @ GAMMA[0]
        total += np.trace(slash(p2) @ amplitude @ slash(p1) @ bar).real
    return total / 4.0


def three_body(rng, energy, n=1):
    """Return momenta (3, 4, n) of massless particles, flat in phase space (RAMBO, CPC 40 (1986) 359)."""
    cosine, phi = rng.uniform(-1.0, 1.0, (3, n)), rng.uniform(0.0, 2.0 * PI, (3, n))
    size, sine = -np.log(rng.uniform(size=(3, n)) * rng.uniform(size=(3, n))), np.sqrt(1.0 - cosine**2)
    q = np.stack([size * sine * np.cos(phi), size * sine * np.sin(phi), size * cosine, size], axis=1)
    total = q.sum(axis=0)
    mass = np.sqrt(square(total))
    b, gamma, scale = -total[:3] / mass, total[3] / mass, energy / mass
    bq = (b * q[:, :3]).sum(axis=1)
    out = np.empty_like(q)
    out[:, :3] = scale * (q[:, :3] + b * (q[:, 3] + bq / (1.0 + gamma))[:, None])
    out[:, 3] = scale * (gamma * q[:, 3] + bq)
    return out


def invariants(photons, energy):
    half = 0.5 * energy
    return [half * (k[3] + sign * k[2]) for k in photons for sign in (-1.0, 1.0)]


def test_three_photons_by_traces():
    """The closed form against Dirac matrices to 1e-9, for any order of the photons."""
    p1, p2 = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 0.0, -1.0, 1.0])
    photons = three_body(np.random.default_rng(10), 2.0, 6)
    for i in range(6):
        expected = traced(p1, p2, photons[:, :, i])
        for order in itertools.permutations(range(3)):
            value = matrix_element(4.0, *invariants(photons[list(order), :, i], 2.0))
            assert value == pytest.approx(expected, rel=1e-9)


def test_three_photons_soft_limit():
    """A soft photon is the eikonal factor s / (k.p1 k.p2) times two photons, 2 (t/u + u/t)."""
    for cosine, soft in ((0.3, -0.6), (-0.8, 0.1)):
        hard = np.array([np.sqrt(1.0 - cosine**2), 0.0, cosine, 1.0])
        omega = 1e-6
        k = omega * np.array([0.0, np.sqrt(1.0 - soft**2), soft, 1.0])
        other = np.append(-hard[:3], 1.0)
        value = matrix_element(4.0, *invariants([hard, other, k], 2.0))
        two = 2.0 * ((1.0 - cosine) / (1.0 + cosine) + (1.0 + cosine) / (1.0 - cosine))
        assert value * omega**2 * (1.0 - soft**2) / 4.0 == pytest.approx(two, rel=1e-4)


def test_third_photon_by_radiation():
    """Leading logarithms give a third photon at wide angles 12 +- 2 % more often than the matrix element does."""
    cuts = {"theta_gamma_min": 0.2, "energy_gamma_min": 0.1}
    generator = Generator("gamma_gamma", seed=23, order="ll", **cuts)
    truth = generator.events(0, 200_000)
    inside = (abs(truth.pz) < np.cos(0.2) * truth.energy) & (truth.energy > 0.1)
    photons = np.bincount(event_of(truth)[inside], minlength=truth.n_events)
    exact = Generator("three_gamma", seed=23, **cuts).cross_section
    assert generator.cross_section * np.mean(photons >= 3) / exact == pytest.approx(1.12, abs=0.03)


def test_three_gamma_by_another_phase_space():
    """The cross section within 1 % of a flat phase-space integral with another generator of random numbers."""
    cuts = {"theta_gamma_min": 0.5, "energy_gamma_min": 0.3}
    n = 1_000_000
    photons = three_body(np.random.default_rng(11), E_CM, n)
    inside = np.all((abs(photons[:, 2]) < np.cos(0.5) * photons[:, 3]) & (photons[:, 3] > 0.3), axis=0)
    squared = np.zeros(n)
    chosen = photons[:, :, inside]
    x1, x2 = (0.5 * E_CM * (chosen[:, 3] + sign * chosen[:, 2]) for sign in (-1.0, 1.0))
    squared[inside] = E_CM**2 * (x1 * x2 * (x1**2 + x2**2)).sum(axis=0) / (x1 * x2).prod(axis=0)
    volume = E_CM**2 / (256.0 * PI**3)  # of three massless particles
    weight = (4.0 * PI * ALPHA) ** 3 / 6.0 * squared * volume / (2.0 * E_CM**2) * HBARC2
    generator = Generator("three_gamma", seed=12, **cuts)
    error = np.hypot(generator.cross_section_error, weight.std() / np.sqrt(n))
    assert error < 4e-3 * weight.mean()
    assert abs(generator.cross_section - weight.mean()) < 3.0 * error
    assert generator.efficiency > 0.05
    truth = generator.events(0, 20_000)
    # energies in the order of the photons: softest last, spectra as in the flat phase space (KS, p > 1e-3)
    keep = np.random.default_rng(12).uniform(0.0, weight.max(), n) < weight
    ordered = np.sort(photons[:, 3, keep], axis=0)
    energies = np.sort(truth.energy.reshape(-1, 3), axis=1)
    assert np.all(truth.energy.reshape(-1, 3)[:, 2] == energies[:, 0])
    for i in range(3):
        assert stats.ks_2samp(ordered[i], energies[:, i]).pvalue > 1e-3
    cosine = abs(truth.pz / truth.energy)
    assert stats.ks_2samp((abs(photons[:, 2]) / photons[:, 3])[:, keep].ravel(), cosine).pvalue > 1e-4


# ---- J/psi -> gamma a ----


def test_alp_formulae():
    """Branching fraction and width in numbers, and the ratio of widths that makes the former."""
    expected = JPSI_BR_EE * 3.0969**2 * 1e-6 / (32.0 * PI / 137.035999084) * (1.0 - 1.0 / 3.0969**2) ** 3
    assert jpsi_gamma_alp.branching_fraction(1.0, 1e-3) == pytest.approx(expected, rel=1e-12)
    assert jpsi_gamma_alp.width(0.5, 1e-3) == pytest.approx(0.125e-6 / 201.06193, rel=1e-6)
    # f the decay constant and Q the charge of the quarks: Gamma(ee) and Gamma(gamma a) of a vector meson
    f, charge, coupling = 0.4, 2.0 / 3.0, 1e-3
    electrons = 4.0 * PI * ALPHA**2 * charge**2 * f**2 / (3.0 * JPSI_MASS)
    alps = ALPHA * charge**2 * coupling**2 * JPSI_MASS * f**2 / 24.0 * (1.0 - 4.0 / JPSI_MASS**2) ** 3
    assert jpsi_gamma_alp.branching_fraction(2.0, coupling) == pytest.approx(JPSI_BR_EE * alps / electrons, rel=1e-12)


@pytest.mark.parametrize("spread", [0.0, 0.9e-3])
def test_jpsi_line_shape(spread):
    """At leading order the Breit-Wigner peak, 12 pi B_ee / m^2, folded with the spread: a Voigt profile (0.5 %)."""
    options = {"sqrt_s": JPSI_MASS, "energy_spread": spread, "mass": 1.0, "n_scan": 2**17, "n_cross_section": 2**21}
    generator = Generator("jpsi_gamma_alp", seed=13, **options)
    peak = 12.0 * PI * JPSI_BR_EE / JPSI_MASS**2 * HBARC2 * jpsi_gamma_alp.branching_fraction(1.0, 1e-3)
    expected = peak
    if spread:
        expected *= 0.5 * PI * JPSI_WIDTH * voigt_profile(0.0, spread, 0.5 * JPSI_WIDTH)
    assert generator.cross_section == pytest.approx(expected, rel=5e-3)


def test_jpsi_peak_with_radiation():
    """Radiation lowers the peak as the radiator of two beams says (1 %); at BEPCII it is about 3400 nb."""
    branching = jpsi_gamma_alp.branching_fraction(1.0, 1e-3)
    options = {"sqrt_s": JPSI_MASS, "mass": 1.0, "order": "ll", "n_scan": 2**17, "n_cross_section": 2**19}
    generator = Generator("jpsi_gamma_alp", seed=14, **options)
    slope = 2.0 * ALPHA / PI * (np.log(JPSI_MASS**2 / M_E**2) - 1.0)
    x = np.geomspace(1e-12, 0.5, 400)
    peak = 12.0 * PI * JPSI_BR_EE / JPSI_MASS**2 * HBARC2
    shape = 1.0 / (1.0 + (JPSI_MASS * x / JPSI_WIDTH) ** 2)
    v = x**slope  # what the soft peak is flat in
    flat = beam_radiator(x, slope) / (slope * x ** (slope - 1.0)) * shape
    expected = peak * (np.trapezoid(flat, v) + flat[0] * v[0])
    assert generator.cross_section / branching == pytest.approx(expected, rel=1e-2)
    smeared = Generator("jpsi_gamma_alp", seed=15, energy_spread=0.9e-3, **options)
    assert smeared.cross_section / branching == pytest.approx(3400.0, rel=0.03)


def test_alp_events():
    """Masses, angles, isotropy (KS, p > 1e-3) and the decay of a behind its vertex."""
    generator = Generator("jpsi_gamma_alp", seed=16, sqrt_s=JPSI_MASS, mass=0.5, decay_length=2.0, **SMALL)
    truth = generator.events(0, 20_000)
    np.testing.assert_array_equal(truth.pdg.reshape(-1, 4), [[22, 36, 22, 22]] * 20_000)
    np.testing.assert_array_equal(truth.status.reshape(-1, 4), [[1, 2, 1, 1]] * 20_000)
    np.testing.assert_array_equal(truth.parent.reshape(-1, 4), [[-1, -1, 1, 1]] * 20_000)
    photon, alp, one, two = (nth(truth, i) for i in range(4))
    np.testing.assert_allclose(square(alp), 0.25, atol=1e-12)
    np.testing.assert_allclose(one + two, alp, atol=1e-12)
    np.testing.assert_allclose(square(one), 0.0, atol=1e-12)
    cosine = photon[2] / photon[3]
    assert stats.kstest(cosine, lambda c: 0.5 + (3.0 * c + c**3) / 8.0).pvalue > 1e-3
    momentum = np.sqrt((alp[:3] ** 2).sum(axis=0))
    assert stats.kstest((one[3] - two[3]) / momentum, stats.uniform(-1.0, 2.0).cdf).pvalue > 1e-3
    places = np.stack([truth.vx, truth.vy, truth.vz, truth.t])[:, truth.offsets[:-1] + 2]
    assert not np.any([truth.vx.reshape(-1, 4)[:, :2], truth.t.reshape(-1, 4)[:, :2]])
    np.testing.assert_array_equal(truth.vx[truth.offsets[:-1] + 2], truth.vx[truth.offsets[:-1] + 3])
    length = np.sqrt((places[:3] ** 2).sum(axis=0))
    np.testing.assert_allclose(places[:3] / length, alp[:3] / momentum, atol=1e-9)
    np.testing.assert_allclose(places[3] * 29.9792458 * momentum / alp[3], length, rtol=1e-9)
    assert stats.kstest(length * 0.5 / momentum, stats.expon(scale=2.0).cdf).pvalue > 1e-3


def test_alp_lifetime_by_its_coupling():
    """c tau = hbar c / Gamma, 1.97e-14 GeV cm over g^2 m^3 / 64 pi: 318 cm at 50 MeV and 1e-5 / GeV."""
    options = {"sqrt_s": JPSI_MASS, "mass": 0.05, "coupling": 1e-5}
    truth = Generator("jpsi_gamma_alp", seed=17, **SMALL, **options).events(0, 20_000)
    alp = nth(truth, 1)
    place = np.stack([truth.vx, truth.vy, truth.vz])[:, truth.offsets[:-1] + 2]
    proper = np.sqrt((place**2).sum(axis=0)) * 0.05 / np.sqrt((alp[:3] ** 2).sum(axis=0))
    expected = 1.973269804e-14 / (1e-10 * 0.05**3 / (64.0 * PI))
    assert expected == pytest.approx(317.4, rel=1e-3)
    assert proper.mean() == pytest.approx(expected, rel=4.0 / np.sqrt(20_000))
    light = Generator("jpsi_gamma_alp", seed=18, sqrt_s=JPSI_MASS, mass=1e-6, **SMALL).events(0, 1000)
    assert np.all(np.isfinite(light.vx))
    np.testing.assert_allclose(sums(light, light.status == 1)[3], JPSI_MASS, atol=1e-9)


# ---- radiation from the beams ----


class Isotropic:
    """Two massless particles, flat in the solid angle, with a cross section of (1 GeV / sqrt(s))^power nb."""

    particles = (Particle(22, 0), Particle(22, 0))
    n_uniforms = 2
    rapidities = ()

    def __init__(self, power):
        self.power = power

    def points(self, u, sqrt_s, blur):
        cosine, phi = 2.0 * u[0] - 1.0, 2.0 * PI * u[1]
        sine, half = np.sqrt(1.0 - cosine**2), 0.5 * sqrt_s
        first = half * np.stack([sine * np.cos(phi), sine * np.sin(phi), cosine, np.ones_like(phi)])
        weight = np.where(sqrt_s > 1.0, sqrt_s**-self.power, 0.0)
        return Points(weight, np.stack([first, first * [[-1.0], [-1.0], [-1.0], [1.0]]]))

    def passes(self, momenta, radiated):
        return np.ones(momenta.shape[-1], dtype=bool)


def radiating(power, cutoff=1e-6, seed=20, n=2**20):
    process = ModelProcess(
        name="isotropic",
        final_state="toys",
        build=lambda *_: InitialStateRadiation(Isotropic(power), cutoff),
        options={},
        reference="none",
    )
    return ModelSource(process, Setting(E_CM, seed, "ll", False, 0.0, n, 2**17, {}))


@pytest.mark.parametrize(("power", "tolerance"), [(0.0, 1e-3), (2.0, 1e-3), (4.0, 5e-3)])
def test_convolution_with_the_beams(power, tolerance):
    """sigma = int dx R(x) sigma_0(s (1 - x)), R the radiator of two beams, above sqrt(s') = 1 GeV.

    With photons at an angle Q^2 is above z1 z2 s, which lowers a steep cross section: 0.36 % for 1 / s^2.
    """
    source = radiating(power)
    slope = 2.0 * ALPHA / PI * (np.log(E_CM**2 / M_E**2) - 1.0)
    edge = 1.0 - 1.0 / E_CM**2
    v = np.linspace(0.0, edge**slope, 801)[1:]
    x = v ** (1.0 / slope)
    flat = beam_radiator(x, slope) / (slope * x ** (slope - 1.0)) * (E_CM**2 * (1.0 - x)) ** (-0.5 * power)
    expected = np.trapezoid(np.append(flat[0], flat), np.append(0.0, v))
    assert source.cross_section_error < 6e-4 * expected
    assert abs(source.cross_section - expected) < tolerance * expected + 2.0 * source.cross_section_error


def test_photons_of_the_beams():
    """Each leg's photon stays in its hemisphere, with the angle of one photon of its energy (KS, p > 1e-3)."""
    truth = radiating(0.0, cutoff=0.05).events(0, 100_000)
    p = momenta_of(truth)
    extra = np.flatnonzero(np.arange(p.shape[1]) - truth.offsets[event_of(truth)] >= 2)
    assert p[3, extra].min() >= 0.05
    share = len(extra) / 100_000
    slope = 2.0 * ALPHA / PI * (np.log(E_CM**2 / M_E**2) - 1.0)
    v = np.linspace(0.0, (0.05 / (0.5 * E_CM)) ** (0.5 * slope), 201)[1:]
    kept = np.trapezoid([structure_ratio(y, slope) for y in v ** (2.0 / slope)], v) + v[0]
    assert share == pytest.approx(2.0 * (1.0 - kept), rel=0.03)  # events below sqrt(s') = 1 GeV are missing
    photons = p[:, extra]
    chosen = photons[:, (photons[3] > 0.1) & (photons[3] < 0.3)]
    theta = np.arctan2(np.hypot(chosen[0], chosen[1]), abs(chosen[2]))
    x = np.mean(chosen[3]) / (0.5 * E_CM)
    grid = np.concatenate([[0.0], np.geomspace(1e-7, PI / 2.0, 4001)])
    middle = 0.5 * (grid[1:] + grid[:-1])
    cumulated = np.concatenate([[0.0], np.cumsum(radiator_angle(x, middle, E_CM) * np.sin(middle) * np.diff(grid))])
    assert stats.kstest(theta, lambda t: np.interp(t, grid, cumulated / cumulated[-1])).pvalue > 1e-3
    assert abs(np.mean(chosen[2] > 0.0) - 0.5) < 4.0 * 0.5 / np.sqrt(len(theta))


def test_hard_system_is_boosted_isotropically():
    """In its rest frame the pair is flat about the beams' direction, whatever was radiated (KS, p > 1e-3)."""
    truth = radiating(0.0).events(0, 50_000)
    one, two = nth(truth, 0), nth(truth, 1)
    total = one + two
    mass = np.sqrt(square(total))
    energy = (total[3] * one[3] - (total[:3] * one[:3]).sum(axis=0)) / mass
    np.testing.assert_allclose(energy, 0.5 * mass, rtol=1e-9)
    moved = one[:3] - total[:3] * ((one[3] + energy) / (total[3] + mass))
    cosine = moved[2] / energy
    assert stats.kstest(cosine, stats.uniform(-1.0, 2.0).cdf).pvalue > 1e-3


@pytest.mark.parametrize("x", [0.0, 1e-6, 0.1, 0.5, 0.9, 0.999])
def test_angular_weight_has_mean_one(x):
    """Over rapidities from 0 to atanh(b), up to m_e^2 / s, whatever the energy; and nowhere negative."""
    top = largest_rapidity(E_CM)
    y = (np.arange(20_000) + 0.5) / 20_000 * top
    t = np.exp(-2.0 * y)
    far = 2.0 / (1.0 + t)
    weight = np.array([angular_weight(E_CM, x, a, b) for a, b in zip(t * far, far)])
    assert weight.mean() == pytest.approx(1.0, abs=2e-6)
    assert weight.min() >= 0.0
    assert weight.max() < 1.2


def test_rotation_and_boost():
    """The z axis becomes the axis given, lengths stay; what is at rest gets the velocity of the frame."""
    rng = np.random.default_rng(21)
    axis = rng.normal(size=(3, 100))
    axis /= np.linalg.norm(axis, axis=0)
    axis[:, 0], axis[:, 1] = (0.0, 0.0, 1.0), (0.0, 0.0, -1.0)
    z = np.zeros((3, 100))
    z[2] = 1.0
    rotate_stage(*axis, *z)
    np.testing.assert_allclose(z, axis, atol=1e-14)
    a, b = rng.normal(size=(2, 3, 100))
    product = (a * b).sum(axis=0)
    rotate_stage(*axis, *a)
    rotate_stage(*axis, *b)
    np.testing.assert_allclose((a * b).sum(axis=0), product, atol=1e-12)
    total = np.append(rng.normal(size=(3, 100)), np.full((1, 100), 5.0), axis=0)
    mass = np.sqrt(square(total))
    p = np.zeros((4, 100))
    p[3] = mass
    boost_stage(*total, *p)
    np.testing.assert_allclose(p, total, rtol=1e-12)


def test_least_fraction():
    """No photon above the cut in the centre of mass has a smaller share of the hard system's energy."""
    assert least_fraction(0.1, 4.0) == pytest.approx(0.045)


# ---- the same bits ----

CHECK_BITS = """
import numpy as np
from besfast.sim.processes.grid import Grid
from besfast.sim.processes.registry import find_process
from besfast.sim.processes.options import check_options

u = (np.arange(1, 12 * 5 + 1).reshape(12, 5) * 0.6180339887498949) % 1.0
u[5:, 0] = 0.999
for name, sqrt_s, options in (
    ("gamma_gamma", 3.773, {"theta_gamma_min": 0.1}),
    ("three_gamma", 3.773, {}),
    ("gamma_dark_photon_invisible", 3.773, {"mass": 2.0}),
    ("jpsi_gamma_alp", 3.0969, {"mass": 1.0}),
    ("particle_gun", 3.773, {"pdg": 13, "spectrum": "log_p", "angle": "theta"}),
):
    process = find_process(name)
    for order in process.orders:
        model = process.build(order, sqrt_s, check_options(name, process.options, options))
        v, jacobian = Grid(model.n_uniforms).mapped(u[: model.n_uniforms])
        points = model.points(v, np.full(5, sqrt_s))
        places = np.zeros(1) if points.places is None else points.places
        for column in (v, jacobian, points.weight, points.momenta, places):
            print(*(float(x).hex() for x in column.ravel()))
"""


def test_without_compilation(run_python):
    """Plain Python on numpy scalars gives the bits of the compiled stages, without a warning."""
    compiled = run_python(CHECK_BITS)
    assert "nan" not in compiled
    assert run_python(CHECK_BITS, NUMBA_DISABLE_JIT="1", PYTHONWARNINGS="error") == compiled
