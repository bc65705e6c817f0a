"""Toys of the neglected backgrounds: conservation, known spectra, cross sections against closed forms, bounds."""

import csv
import dataclasses
import itertools
import math

import numpy as np
import pytest
from besfast.analysis.search_card import load_search
from besfast.cli import main
from besfast.constants import (
    ALPHA,
    HBARC2,
    JPSI_MASS,
    M_E,
    M_K,
    M_MU,
    M_P,
    M_PI,
    M_TAU,
    PI,
    PSI2S_GEE,
    PSI2S_MASS,
)
from besfast.event import TruthEvents, empty_columns
from besfast.geometry.card import load_card
from besfast.sim.radiative.radiator import narrow_cross_section, radiator, radiator_outside
from besfast.validation import backgrounds
from besfast.validation.background_models import (
    DPLUS_DECAYS,
    PSI2S_BRANCHING,
    TAU_DECAYS,
    CharmoniumCascade,
    DecayingPairs,
    HadronPairs,
    hadron_pair_table,
    tau_pair_cross_section,
)
from besfast.validation.background_report import write_backgrounds
from besfast.validation.background_samples import MODELS, Selected, cross_sections, packaged_hadronic, source_of
from besfast.validation.backgrounds import Region, bound, mass_regions, poisson_upper
from besfast.validation.decays import Mode, antiparticle, charge_of, leptonic, phase_space, product
from besfast.validation.hadronic_sample import TurnedSample
from scipy.integrate import quad

SQRT_S = 3.773


def uniforms(rows, n, seed=1):
    return np.random.default_rng(seed).random((rows, n))


def points_of(model, n, seed=1):
    return model.points(uniforms(model.n_uniforms, n, seed), np.full(n, SQRT_S))


def mass_of(momenta):
    total = momenta.sum(axis=0)
    return np.sqrt(product(total, total))


@pytest.mark.parametrize("name", MODELS)
def test_momentum_is_conserved(name):
    """Also: every particle on its mass shell, charges add up to zero."""
    model = MODELS[name](1.0, (1.5, 3.4))
    points = points_of(model, 4000)
    assert np.all(points.weight >= 0.0)
    points = points._replace(momenta=points.momenta[:, :, points.weight > 0.0])
    assert points.momenta.shape[2] > 100
    total = points.momenta.sum(axis=0)
    assert np.abs(total[:3]).max() < 1e-12
    assert np.abs(total[3] - SQRT_S).max() < 1e-12
    charge = np.array([particle.charge for particle in model.particles])
    present = points.momenta[:, 3] > 0.0
    assert not (charge @ present).any()
    for particle, momentum in zip(model.particles, points.momenta, strict=True):
        here = momentum[3] > 0.0
        mass = {11: M_E, 13: M_MU, 211: M_PI, 321: M_K, 2212: M_P, 22: 0.0}.get(abs(particle.pdg))
        if mass is not None:
            assert np.abs(product(momentum, momentum)[here] - mass**2).max(initial=0.0) < 1e-11
        assert particle.charge == charge_of(particle.pdg)


def test_antiparticles():
    assert [antiparticle(pdg) for pdg in (11, -211, 12, 22, 130, 443)] == [-11, 211, -12, 22, 130, 443]


def test_phase_space_of_three_bodies():
    """The mean weight is an integral over the mass of the first pair; energies follow p times the pair's momentum."""
    masses, mass = (M_PI, M_K, 0.0), 1.8
    momenta, weight = phase_space(mass, masses, uniforms(5, 200_000))
    assert np.abs(mass_of(momenta) - mass).max() < 1e-12

    def breakup(m, a, b):
        return math.sqrt(max((m * m - (a + b) ** 2) * (m * m - (a - b) ** 2), 0.0)) / (2.0 * m)

    low, high = masses[0] + masses[1], mass - masses[2]
    mean = quad(lambda m: breakup(mass, m, masses[2]) * breakup(m, *masses[:2]), low, high)[0] / (high - low)
    assert weight.mean() == pytest.approx(mean, abs=4.0 * weight.std() / math.sqrt(weight.size))
    # the Dalitz plot is flat: the mass squared of any two is distributed as the product of the momenta over the mass
    pair = momenta[1] + momenta[2]
    recoil = np.sqrt(product(pair, pair))
    edges = np.linspace(masses[1] + masses[2], mass - masses[0], 21)
    share = [
        quad(lambda m: breakup(mass, m, masses[0]) * breakup(m, masses[1], masses[2]), a, b)[0]
        for a, b in itertools.pairwise(edges)
    ]
    counts = np.histogram(recoil, edges, weights=weight)[0]
    squares = np.histogram(recoil, edges, weights=weight**2)[0]
    expected = np.array(share) / sum(share) * weight.sum()
    chi2 = np.sum((counts - expected) ** 2 / squares)
    assert chi2 < 43.8  # p = 0.001 at 19 degrees of freedom


def test_michel_spectrum():
    """x = 2 E / m of a massless lepton: x^2 (3 - 2 x) 2, whose integral is 2 x^3 - x^4."""
    mode = Mode(1.0, (11, -12, 16), leptonic)
    momenta, weight = mode.rest_frame(M_TAU, uniforms(mode.n_uniforms, 200_000, 2))
    edges = np.linspace(0.0, 1.0, 21)
    counts = np.histogram(2.0 * momenta[0, 3] / M_TAU, edges, weights=weight)[0]
    squares = np.histogram(2.0 * momenta[0, 3] / M_TAU, edges, weights=weight**2)[0]
    expected = np.diff(2.0 * edges**3 - edges**4) * weight.sum()
    assert np.sum((counts - expected) ** 2 / squares) < 43.8
    assert mode.mean_weight(M_TAU) == pytest.approx(weight.mean(), rel=5e-3)


def test_modes_have_their_branching_fractions():
    model = DecayingPairs(2.0, 0.0, TAU_DECAYS)
    points = points_of(model, 100_000)
    assert points.weight.mean() == pytest.approx(2.0, rel=0.02)
    branching = np.array([mode.branching for mode in TAU_DECAYS.modes])
    pdg = np.array([particle.pdg for particle in model.particles])
    electron = points.momenta[pdg == 11, 3].sum(axis=0) > 0.0
    share = points.weight[electron].sum() / points.weight.sum()
    assert share == pytest.approx(branching[0] / branching.sum(), rel=0.03)
    assert DPLUS_DECAYS.slots().count(211) == 2


def test_rho_of_the_tau():
    """The mean of q^2 is that of (m^2 - q^2)^2 (m^2 + 2 q^2) p^3 / q^3 times the line shape."""
    mode = TAU_DECAYS.modes[3]
    momenta, weight = mode.rest_frame(M_TAU, uniforms(mode.n_uniforms, 200_000, 3))
    pair = momenta[0] + momenta[1]
    q2 = product(pair, pair)

    def density(s):
        p2 = (s - (M_PI + 0.1349768) ** 2) * (s - (M_PI - 0.1349768) ** 2) / (4.0 * s)
        line = 1.0 / ((s - 0.775**2) ** 2 + (0.775 * 0.149) ** 2)
        return (M_TAU**2 - s) ** 2 * (M_TAU**2 + 2.0 * s) * (p2 / s) ** 1.5 * line

    low = (M_PI + 0.1349768) ** 2
    norm = quad(density, low, M_TAU**2, points=[0.6])[0]
    mean = quad(lambda s: s * density(s), low, M_TAU**2, points=[0.6])[0]
    error = math.sqrt(np.sum((weight * (q2 - mean / norm)) ** 2)) / weight.sum()
    assert np.sum(weight * q2) / weight.sum() == pytest.approx(mean / norm, abs=4.0 * error)


def test_tau_pair_cross_section():
    """The packaged number: Born with Coulomb factor, folded with the radiator of Kuraev and Fadin, times 1.055."""
    s = SQRT_S**2
    below = 1.0 - 4.0 * M_TAU**2 / s
    logarithm = math.log(s / M_E**2)
    eta = 2.0 * ALPHA / PI * (logarithm - 1.0)
    soft = 1.0 + ALPHA / PI * (PI**2 / 3.0 - 0.5) + 0.75 * eta
    soft -= eta**2 / 24.0 * (logarithm / 3.0 + 2.0 * PI**2 - 9.25)

    def at(x):
        return tau_pair_cross_section(math.sqrt(s * (1.0 - min(x, below * (1.0 - 1e-12)))))

    def hard(x):
        square = 4.0 * (2.0 - x) * math.log(1.0 / x) - 6.0 + x
        square += (1.0 + 3.0 * (1.0 - x) ** 2) / x * math.log(1.0 / (1.0 - x))
        return (-eta * (1.0 - 0.5 * x) + eta**2 / 8.0 * square) * at(x)

    peak = quad(lambda u: at(u ** (1.0 / eta)), 0.0, below**eta, limit=200)[0]
    folded = soft * peak + quad(hard, 1e-10, below, limit=200)[0]
    packaged = cross_sections()["tau_tau"]
    assert 1.055 * folded == pytest.approx(packaged.value, rel=2e-3)
    # at threshold the Coulomb factor leaves 2 pi^2 alpha^3 / s
    edge = tau_pair_cross_section(2.0 * M_TAU * (1.0 + 1e-12))
    assert edge == pytest.approx(2.0 * PI**2 * ALPHA**3 / (4.0 * M_TAU**2) * HBARC2, rel=1e-5)


@pytest.mark.parametrize(("name", "hadron"), [("kaon", M_K), ("proton", M_P)])
def test_hadron_pairs_follow_the_radiator(name, hadron):
    """Integrated over the photon's angle: (2 m / s) sigma(m) (W - W outside 0.3 rad)."""
    table = hadron_pair_table(name)
    low = max(1.45, 2.0 * hadron)

    def spectrum(m):
        x = 1.0 - m * m / SQRT_S**2
        inside = radiator(x, SQRT_S) - radiator_outside(x, 0.3)
        return 2.0 * m / SQRT_S**2 * inside * np.interp(m, table[0], table[1])

    masses = np.linspace(low, 3.6, 20_001)
    expected = np.trapezoid(spectrum(masses), masses)
    points = points_of(HadronPairs(name, 1.45, 3.6), 200_000)
    assert points.weight.mean() == pytest.approx(expected, abs=4.0 * points.weight.std() / math.sqrt(200_000))
    pair = mass_of(points.momenta[:2])
    assert pair.min() > low - 1e-9
    assert pair.max() < 3.6


def test_charmonium_cascade():
    points = points_of(CharmoniumCascade(13), 100_000)
    x = 1.0 - (PSI2S_MASS / SQRT_S) ** 2
    share = 1.0 - radiator_outside(x, 0.3) / radiator(x, SQRT_S)
    total = narrow_cross_section(PSI2S_MASS, SQRT_S, PSI2S_GEE, PSI2S_BRANCHING) * share * 0.836
    assert points.weight.mean() == pytest.approx(total, abs=4.0 * points.weight.std() / math.sqrt(100_000))
    model = CharmoniumCascade(13)
    leptons = [i for i, particle in enumerate(model.particles) if abs(particle.pdg) == 13]
    assert np.abs(mass_of(points.momenta[leptons]) - JPSI_MASS).max() < 1e-9
    assert np.abs(mass_of(points.momenta[:-1]) - PSI2S_MASS).max() < 1e-9


def test_packaged_cross_sections():
    """The toys reproduce the numbers that are said to be computed."""
    card, search = load_card("besiii"), load_search("besiii_dark_photon")
    for name, packaged in cross_sections().items():
        assert packaged.value > packaged.error > 0.0
        if name in MODELS:
            source = source_of(name, card, search, 3, packaged)
            error = math.hypot(source.cross_section_error, 0.003 * packaged.value)
            assert source.cross_section == pytest.approx(packaged.value, abs=4.0 * error), name
    assert abs(cross_sections()["d0_d0bar"].value + cross_sections()["dplus_dminus"].value - 6.445) < 1e-9


def hadronic_truth(particles, weight=1.0, cross_section=20.0):
    """Return one event of (pdg, charge, px, py, pz, mass) whose momenta add up to zero."""
    pdg, charge, px, py, pz, mass = np.array(particles).T
    columns = {**empty_columns("TruthEvents", "event", 1), **empty_columns("TruthEvents", "particle", len(pdg))}
    columns |= {"pdg": pdg.astype(np.int32), "charge": charge.astype(np.int32), "px": px, "py": py, "pz": pz}
    columns["energy"] = np.sqrt(px**2 + py**2 + pz**2 + mass**2)
    for name, value in (("status", 1), ("parent", -1), ("number", 0), ("weight", weight), ("process", 0)):
        columns[name][:] = value
    for name in ("vx", "vy", "vz", "t"):
        columns[name][:] = 0.0
    columns["event_sqrt_s"][:] = columns["energy"].sum()
    offsets = np.array([0, len(pdg)], dtype=np.int64)
    return TruthEvents(offsets=offsets, **columns, sqrt_s=SQRT_S, cross_section=cross_section, processes="qqbar")


GAMMA = (22, 0, 0.001, 0.0, 1.2, 0.0)
PIONS = [(211, 1, 0.3, 0.5, -0.9, M_PI), (-211, -1, -0.301, -0.2, -0.2, M_PI)]
PI0 = [(22, 0, 0.0, -0.1, -0.1, 0.0), (22, 0, 0.0, -0.2, 0.0, 0.0)]


def test_turned_sample():
    truth = hadronic_truth([GAMMA, *PIONS, *PI0])
    n = 20_000
    sample = TurnedSample(truth, 4)
    events = sample.events(0, n)
    assert not sample.pairs.any()
    momenta = np.stack([events.px, events.py, events.pz, events.energy]).reshape(4, n, 5).transpose(2, 0, 1)
    original = np.stack([truth.px, truth.py, truth.pz, truth.energy]).T
    assert np.abs(momenta.sum(axis=0) - original.sum(axis=0)[:, None]).max() < 1e-12
    assert np.array_equal(momenta[0], np.broadcast_to(original[0][:, None], (4, n)))
    for pair in ((1, 2), (3, 4), (1, 4)):
        assert np.abs(mass_of(momenta[list(pair)]) - mass_of(original[list(pair)][:, :, None])[0]).max() < 1e-7
    # seen from the hadrons' rest frame, every direction is as likely as any other
    system = original[1:].sum(axis=0)
    velocity = system[2] / system[3]
    gamma = 1.0 / math.sqrt(1.0 - velocity**2)
    at_rest = gamma * (momenta[1, 2] - velocity * momenta[1, 3])
    size = math.sqrt((gamma * (original[1, 3] - velocity * original[1, 2])) ** 2 - M_PI**2)
    cosine = np.sort(at_rest / size)
    distance = np.abs(0.5 * (cosine + 1.0) - np.arange(n) / n).max()
    assert distance < 1.95 / math.sqrt(n) + 2e-3  # p = 0.001; the system's transverse momentum is 1e-3
    # the same events however they are cut
    again = sample.events(1000, 24)
    assert np.array_equal(again.px, events.px[5000:5120])


def test_pairs_are_left_out():
    for particles, pair in (([GAMMA, *PIONS], True), ([*PIONS, PI0[0]], True), ([*PIONS, *PI0], False)):
        sample = TurnedSample(hadronic_truth(particles), 1)
        assert bool(sample.pairs[0]) is pair
        assert sample.events(0, 1).weight[0] == (0.0 if pair else 1.0)
    with pytest.raises(ValueError, match="no cross section"):
        TurnedSample(hadronic_truth(PIONS, cross_section=math.nan), 1)
    with pytest.raises(ValueError, match="sum of weights = 0"):
        TurnedSample(hadronic_truth(PIONS, weight=0.0), 1)


def test_upper_limits():
    assert poisson_upper(0) == pytest.approx(math.log(10.0))
    assert poisson_upper(3) == pytest.approx(6.6808, abs=1e-4)


def test_bound():
    """Unit weights: Poisson; copies of one event count as one."""
    columns = (np.zeros(4, dtype=np.int64), np.full(4, 2.0), np.ones(4))
    sample = Selected(1.0, 0.0, 100, *columns, np.arange(4), 1.0)
    everything, nothing = np.ones(4, dtype=bool), np.zeros(4, dtype=bool)
    assert bound(sample, everything) == pytest.approx((0.04, poisson_upper(4) / 100))
    assert bound(sample, nothing) == pytest.approx((0.0, poisson_upper(0) / 100))
    copies = sample._replace(group=np.zeros(4, dtype=np.int64), relative_error=0.1)
    assert bound(copies, everything) == pytest.approx((0.04, 4.0 * poisson_upper(1) / 100 * (1.0 + 0.12816)))
    hadronic = packaged_hadronic()
    assert hadronic.n_events == 2_000_000
    assert 0 < len(set(hadronic.group)) < len(hadronic.mass) < 200


def test_regions():
    search = load_search("besiii_dark_photon")
    regions = mass_regions(search)
    assert regions[0][0] == 1.5
    assert regions[-1] == (3.2, 3.4)
    assert sum(round((high - low) / 0.01) for low, high in regions) == 165
    region = Region("a", "mumu", 1.5, 1.8, 1.0, 4.0, 1600.0)
    assert (region.error_share, region.yield_share) == (0.1, 0.0025)


@pytest.mark.long
def test_table(tmp_path, monkeypatch):
    card, search = load_card("besiii"), load_search("besiii_dark_photon")
    monkeypatch.setattr(backgrounds, "qed_yields", lambda *_: np.full((2, 6), [[5e3], [1e5]]))
    hadronic = hadronic_truth([GAMMA, *PIONS, *PI0])
    rows = backgrounds.neglected_backgrounds(card, search, 2**13, seed=2, jobs=1, hadronic=hadronic)
    again = backgrounds.neglected_backgrounds(card, search, 2**13, seed=2, jobs=2, hadronic=hadronic)
    assert rows == again
    by_name = {(row.process, row.channel): row for row in rows}
    assert len(by_name) == 16
    photons = by_name["two_photon_mumu", "mumu"]
    # one beam particle that keeps next to nothing: the pair looks like radiative return
    assert photons.selected > 500
    assert 2000.0 < photons.expected < photons.upper < 8000.0
    assert photons.verdict != "negligible"
    assert by_name["proton_pair_gamma", "mumu"].verdict == "negligible"
    assert by_name["tau_tau", "ee"].expected < by_name["tau_tau", "ee"].upper
    write_backgrounds(tmp_path / "table", rows, "A title")
    with (tmp_path / "table.csv").open() as lines:
        assert next(lines) == "# A title\n"
        read = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert [line["process"] for line in read] == [row.process for row in rows]
    assert float(read[0]["upper"]) == rows[0].upper
    assert len((tmp_path / "table_regions.csv").read_text().splitlines()) == 3 + 16 * 6
    assert "| two_photon_mumu | mumu |" in (tmp_path / "table.md").read_text()


def test_energy_of_the_cross_sections():
    card = load_card("besiii")
    other = dataclasses.replace(card, beam=dataclasses.replace(card.beam, sqrt_s=4.18))
    with pytest.raises(ValueError, match=r"beam.sqrt_s = 4.18, backgrounds are known at 3.773 GeV only"):
        backgrounds.neglected_backgrounds(other, load_search("besiii_dark_photon"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--events", "10"], "events = 10, must be at least 1024"),
        (["--hadrons", "none.hepmc3"], "none.hepmc3: no such file"),
        (["--card", "none"], "none: no such card"),
    ],
)
def test_mistakes_of_the_verb(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["validate", "backgrounds", "--out", "new", *arguments]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.iterdir())
