"""Generated events: cross sections, kinematics, independence of chunks, weights, symmetries and bad requests."""

import csv
import json
import platform
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import besfast
import numpy as np
import pytest
from besfast.constants import M_E, M_MU, M_PI
from besfast.event import COLUMNS, concatenate
from besfast.sim.generate import Generator, check_n_events, generate
from besfast.sim.processes.registry import check_sum, find_process, processes
from scipy import stats

DATA = Path(besfast.__file__).parent / "data"
CUTS = {"lepton_theta_min": 0.4, "lepton_pt_min": 0.3}
COLUMN_OF = {
    "A": ("mumu_isr", {}),
    "C": ("mumu_isr", {"theta_gamma_max": 0.1, **CUTS}),
    "D": ("ee_annihilation", {"theta_gamma_max": 0.05, **CUTS}),
    "E": ("ee_bhabha", {"theta_gamma_max": 0.05, **CUTS}),
    "F": ("pipi_isr", {}),
    "G": ("pipi_isr", {"theta_gamma_max": 0.1, **CUTS}),
}
SMALL = {"n_scan": 2**16, "n_cross_section": 2**16}
EVERY = [
    ("mumu_isr", {}, M_MU),
    ("ee_annihilation", {"theta_gamma_max": 0.05, **CUTS}, M_E),
    ("ee_bhabha", {}, M_E),
    ("pipi_isr", {}, M_PI),
    ("jpsi_isr", {}, M_MU),
    ("psi2s_isr", {"lepton": "e"}, M_E),
    ("dark_photon", {"mass": 2.0}, M_MU),
]


def momenta(truth):
    """Return (4, n_events, 3): energy, px, py, pz of the three particles."""
    return np.stack([getattr(truth, name).reshape(-1, 3) for name in ("energy", "px", "py", "pz")])


def square(p):
    return p[0] ** 2 - p[1] ** 2 - p[2] ** 2 - p[3] ** 2


def pair_mass(truth):
    return np.sqrt(square(momenta(truth)[:, :, :2].sum(axis=2)))


def same(a, b):
    return all(x.tobytes() == y.tobytes() if isinstance(x, np.ndarray) else x == y for x, y in zip(a, b, strict=True))


# ---- cross sections ----


def table():
    with (DATA / "isr_cross_sections.csv").open() as lines:
        return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def compared(column, row, n):
    """Return cross section, its error, and the reference with its error, of one 100 MeV bin; checks the overflow."""
    process, cuts = COLUMN_OF[column]
    low, high = float(row["mass_min"]), float(row["mass_max"])
    generator = Generator(process, seed=int(1000 * low), mass_min=low, mass_max=high, n_cross_section=n, **cuts)
    assert generator.overflow < 1e-5, (column, low)
    return generator.cross_section, generator.cross_section_error, float(row[column]), float(row[column + "_error"])


@pytest.mark.parametrize("mass", [1.0, 2.0, 3.3])
@pytest.mark.parametrize("column", COLUMN_OF)
def test_bins_of_the_table(column, mass):
    """Three bins of every column: 0.3 % and three standard errors, themselves at most 0.1 %."""
    row = next(row for row in table() if float(row["mass_min"]) == mass)
    value, error, expected, expected_error = compared(column, row, 2**20)
    assert error < 1e-3 * expected
    assert abs(value - expected) < 3e-3 * expected + 3 * np.hypot(error, expected_error)


@pytest.mark.long
@pytest.mark.parametrize("column", COLUMN_OF)
def test_whole_table(column):
    """Every bin within 0.3 %, the total within 0.1 %, plus three standard errors of at most 0.1 % and 0.03 %.

    Where the reference itself is known to worse than 0.1 % (acceptance edges) its own error is all that counts.
    """
    total, variance, reference = 0.0, 0.0, 0.0
    for row in table():
        if float(row[column]) == 0.0:
            continue
        value, error, expected, expected_error = compared(column, row, 2**23)
        assert error < 1e-3 * expected or expected_error > 1e-3 * expected, (column, row["mass_min"])
        assert abs(value - expected) < 3e-3 * expected + 3 * np.hypot(error, expected_error), (column, row["mass_min"])
        total, variance, reference = total + value, variance + error**2 + expected_error**2, reference + expected
    assert np.sqrt(variance) < (3e-4 if column != "G" else 4e-4) * reference
    assert abs(total - reference) < 1e-3 * reference + 3 * np.sqrt(variance)


def test_whole_range_is_the_sum_of_its_parts():
    """The mass table does not bend the spectrum: a histogram of one wide sample against the reference (p > 1e-3)."""
    truth = Generator("mumu_isr", seed=5, mass_min=0.4, mass_max=3.6).events(0, 200_000)
    rows = table()
    counts, _ = np.histogram(pair_mass(truth), [float(row["mass_min"]) for row in rows] + [3.6])
    expected = np.array([float(row["A"]) for row in rows])
    expected *= truth.n_events / expected.sum()
    assert stats.chisquare(counts, expected).pvalue > 1e-3
    assert truth.cross_section == pytest.approx(1.97337, rel=1e-3)
    assert truth.cross_section_error < 1e-3 * truth.cross_section


def test_rho_and_omega_are_resolved():
    """Unweighted pions in 2 MeV bins across the omega against the closed form (p > 1e-3)."""
    from besfast.sim.radiative.form_factor import pion_form_factor2
    from besfast.sim.radiative.radiator import born_pions, isr_spectrum

    truth = Generator("pipi_isr", seed=6, mass_min=0.4, mass_max=3.0).events(0, 300_000)
    edges = np.linspace(0.7, 0.84, 71)
    counts, _ = np.histogram(pair_mass(truth), edges)
    fine = (edges[:-1, None] + (np.arange(20) + 0.5) / 20 * 0.002).ravel()
    form_factor = np.array([pion_form_factor2(m * m) for m in fine])
    expected = isr_spectrum(fine, 3.773, born_pions(fine, M_PI, form_factor)).reshape(-1, 20).mean(axis=1)
    expected *= counts.sum() / expected.sum()
    assert stats.chisquare(counts, expected).pvalue > 1e-3


# ---- events ----


@pytest.mark.parametrize(("process", "options", "mass"), EVERY)
def test_kinematics(process, options, mass):
    truth = Generator(process, seed=7, **SMALL, **options).events(0, 5000)
    p = momenta(truth)
    np.testing.assert_allclose(p.sum(axis=2), np.array([3.773, 0, 0, 0])[:, None] * np.ones(5000), atol=1e-12)
    np.testing.assert_allclose(square(p[:, :, :2]), mass**2, atol=1e-12)
    np.testing.assert_allclose(square(p[:, :, 2]), 0.0, atol=1e-12)
    assert np.all(truth.weight == 1.0)
    assert np.all(truth.event_sqrt_s == 3.773)


@pytest.mark.parametrize(("process", "options", "mass"), EVERY)
def test_contract(process, options, mass):
    truth = Generator(process, seed=8, **SMALL, **options).events(10, 20)
    for column in COLUMNS["TruthEvents"]:
        values = getattr(truth, column.name)
        assert values.dtype == np.dtype(column.dtype), column.name
        assert len(values) == (20 if column.table == "event" else 60), column.name
    np.testing.assert_array_equal(truth.number, np.arange(10, 30))
    np.testing.assert_array_equal(truth.offsets, 3 * np.arange(21))
    lepton = {M_MU: [13, -13], M_E: [11, -11], M_PI: [-211, 211]}[mass]
    np.testing.assert_array_equal(truth.pdg.reshape(-1, 3), [[*lepton, 22]] * 20)
    np.testing.assert_array_equal(truth.charge.reshape(-1, 3), [[-1, 1, 0]] * 20)
    assert np.all(truth.status == 1)
    assert np.all(truth.parent == -1)
    assert not np.any([truth.vx, truth.vy, truth.vz, truth.t])
    assert (truth.processes, truth.frame, truth.seed, truth.sqrt_s) == (process, "cm", "8", 3.773)
    (entry,) = json.loads(truth.provenance)
    assert (entry["step"], entry["process"], entry["seed"]) == ("generate", process, "8")
    for name, value in options.items():
        assert entry["options"][name] == value


def test_cuts_hold():
    truth = Generator("ee_bhabha", seed=9, mass_min=1.5, mass_max=3.4, **SMALL).events(0, 20_000)
    p = momenta(truth)
    theta = np.arctan2(np.hypot(p[1], p[2]), abs(p[3]))
    assert theta[:, 2].max() < 0.15
    assert theta[:, :2].min() > 0.35
    assert np.hypot(p[1], p[2])[:, :2].min() > 0.25
    m = pair_mass(truth)
    assert m.min() > 1.5
    assert m.max() < 3.4
    # the electron keeps its direction
    assert np.mean(p[3, :, 0] > 0.0) > 0.8


@pytest.mark.parametrize("process", ["mumu_isr", "ee_bhabha", "pipi_isr"])
@pytest.mark.parametrize("weighted", [False, True])
def test_any_division_gives_the_same_bits(process, weighted):
    generator = Generator(process, seed=10, weighted=weighted, energy_spread=1e-3, **SMALL)
    whole = generator.events(0, 5000)
    pieces = [(0, 1), (1, 1022), (1023, 2), (1025, 3000), (4025, 975)]
    assert same(whole, concatenate([generator.events(*piece) for piece in pieces]))
    with ThreadPoolExecutor(2) as pool:
        assert same(whole, concatenate(list(pool.map(lambda piece: generator.events(*piece), pieces))))
    again = Generator(process, seed=10, weighted=weighted, energy_spread=1e-3, **SMALL)
    assert same(whole, again.events(0, 5000))
    far = generator.events(2**33, 3)
    assert same(far._replace(number=far.number[1:2]), far._replace(number=generator.events(2**33 + 1, 1).number))
    other = Generator(process, seed=11, weighted=weighted, **SMALL).events(0, 100)
    assert not np.any(other.px == whole.px[:300])


def test_no_events():
    assert generate("mumu_isr", 0, seed=1).n_events == 0


def test_generate_is_the_generator():
    assert same(generate("mumu_isr", 100, seed=2**64 - 1), Generator("mumu_isr", seed=2**64 - 1).events(0, 100))


@pytest.mark.parametrize("process", ["mumu_isr", "ee_bhabha"])
def test_weighted_events_describe_the_same(process):
    """Mean weight one, and the spectra of the weighted sample, resampled, agree with unweighted ones (KS, p > 1e-3)."""
    weighted = Generator(process, seed=12, weighted=True).events(0, 100_000)
    flat = Generator(process, seed=13).events(0, 50_000)
    n_eff = weighted.weight.sum() ** 2 / (weighted.weight**2).sum()
    assert n_eff > 0.4 * weighted.n_events
    assert weighted.weight.min() > 0.0
    assert weighted.weight.mean() == pytest.approx(1.0, abs=4 / np.sqrt(n_eff) * weighted.weight.std())
    keep = np.random.default_rng(1).uniform(0, weighted.weight.max(), weighted.n_events) < weighted.weight
    a, b = momenta(weighted)[:, keep], momenta(flat)
    for sample in (
        lambda p: np.sqrt(square(p[:, :, :2].sum(axis=2))),
        lambda p: p[3, :, 0],
        lambda p: p[3, :, 1],
        lambda p: np.arctan2(np.hypot(p[1], p[2]), abs(p[3]))[:, 2],
        lambda p: np.arctan2(p[2], p[1])[:, 0],
    ):
        assert stats.ks_2samp(sample(a), sample(b)).pvalue > 1e-3
    assert weighted.cross_section == pytest.approx(flat.cross_section, rel=5e-3)


def test_charge_symmetry():
    """Radiation from the beams treats l- and l+ alike, and e- and e+ beams by reflection (KS, p > 1e-3)."""
    p = momenta(Generator("mumu_isr", seed=14).events(0, 100_000))
    even, odd = p[:, ::2], p[:, 1::2]
    assert stats.ks_2samp(even[3, :, 0], odd[3, :, 1]).pvalue > 1e-3
    assert stats.ks_2samp(even[0, :, 0], odd[0, :, 1]).pvalue > 1e-3
    assert stats.ks_2samp(even[3, :, 0], -odd[3, :, 0]).pvalue > 1e-3
    assert stats.ks_2samp(even[3, :, 2], -odd[3, :, 2]).pvalue > 1e-3
    azimuth = np.arctan2(p[2], p[1])
    for particle in range(3):
        assert stats.kstest(azimuth[:, particle], stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-3


def test_bhabha_contains_annihilation():
    """The annihilation fraction within the cuts of the table falls from 7.0 % at 1.55 to 1.7 % at 3.45 GeV."""
    cuts = {"theta_gamma_max": 0.05, **CUTS}
    for low, fraction in ((1.5, 0.0703), (2.0, 0.0464), (3.0, 0.0224), (3.4, 0.0176)):
        a, b = (
            Generator(name, seed=15, mass_min=low, mass_max=low + 0.1, n_scan=2**17, **cuts)
            for name in ("ee_annihilation", "ee_bhabha")
        )
        assert a.cross_section / b.cross_section == pytest.approx(fraction, rel=5e-3)


def test_energy_spread():
    """Normal about the nominal energy; each event conserves its own; the pair's mass does not move."""
    spread = 1e-3
    truth = Generator("jpsi_isr", seed=16, energy_spread=spread, **SMALL).events(0, 50_000)
    pull = (truth.event_sqrt_s - 3.773) / spread
    assert stats.kstest(pull, stats.norm.cdf).pvalue > 1e-3
    p = momenta(truth)
    np.testing.assert_allclose(p[0].sum(axis=1), truth.event_sqrt_s, atol=1e-12)
    np.testing.assert_allclose(p[1:].sum(axis=2), 0.0, atol=1e-12)
    np.testing.assert_allclose(pair_mass(truth), 3.0969, atol=1e-12)
    sharp = Generator("jpsi_isr", seed=16, **SMALL).events(0, 50_000)
    assert sharp.cross_section == truth.cross_section
    np.testing.assert_allclose(sharp.px, truth.px, atol=0.02)


@pytest.mark.parametrize(
    ("process", "options"),
    [
        ("ee_bhabha", {}),
        ("ee_bhabha", {"sqrt_s": 10.58}),
        ("mumu_isr", {"theta_gamma_max": 0.1, **CUTS}),
        ("mumu_isr", {"mass_min": 0.2114, "mass_max": 3.77}),
        ("ee_annihilation", {"mass_min": 0.002}),
        ("pipi_isr", {"mass_min": 0.28}),
    ],
)
def test_maximum_is_rarely_exceeded(process, options):
    generator = Generator(process, seed=17, n_cross_section=2**21, **options)
    assert generator.overflow < 1e-5
    assert generator.efficiency > 0.4
    assert np.all(generator.events(0, 10_000).weight == 1.0)


CHECK_BITS = """
import numpy as np
from besfast.constants import M_E, M_PI
from besfast.rng import ACCEPT_STREAM, key
from besfast.sim.radiative.adaptation import even_edges, even_losses
from besfast.sim.radiative.events import DecayRadiation, energy_spread_stage, write_events
from besfast.sim.radiative.line_shape import BARE, line_shape
from besfast.sim.radiative.phase_space import Region, angular_limits, flux_factor
from besfast.sim.radiative.radiation import beam_radiation
from besfast.sim.radiative.sampling import choose_trials
from besfast.sim.radiative.dice import BHABHA, LEPTONS, PIONS, Beyond, Dice, Source

n = 12
start = np.uint64(2**32 - 5)
for kind, mass, flat, line in ((LEPTONS, M_E, 1.0, "mu"), (PIONS, M_PI, 1.0, None), (BHABHA, M_E, 0.01, "e")):
    limits = np.zeros(5)
    angular_limits(3.773, 0.01, 0.15, 0.35, limits)
    region = Region(3.773, mass, float(limits[2]), 0.25, limits[3], limits[4], flat, 0.002, 0.09, 0.0)
    tables = even_edges(2.0, 2.5, 8), even_edges(limits[0], limits[1], 8)
    dice = Dice(kind, region, flux_factor(), *tables)
    line = line_shape(line) if line else BARE
    radiating = Beyond(beam_radiation(3.773, 1e-3), even_losses(), line is not BARE, line)
    for places, beyond in ((3, None), (7, radiating)):
        source = Source(*key(2**63 + 5), ACCEPT_STREAM)
        trial, weight, sqrt_s = np.empty(n, dtype=np.uint64), np.empty(n), np.empty(n)
        choose_trials(source, dice, beyond, 0.0, start, trial, weight)
        energy_spread_stage(source, start, 3.773, 1e-3, sqrt_s)
        kinds = np.array([(13, -1), (-13, 1), *[(22, 0)] * (places - 2)], dtype=np.int32)
        columns = tuple(np.zeros(places * n) for _ in range(4))
        pdg, charge = np.zeros(places * n, dtype=np.int32), np.zeros(places * n, dtype=np.int32)
        offsets = np.zeros(n + 1, dtype=np.int64)
        decay = None if beyond is None else DecayRadiation(kind == PIONS, 1e-3)
        write_events(source, dice, beyond, decay, start, trial, sqrt_s, kinds, offsets, columns, pdg, charge)
        for column in (trial, weight, sqrt_s, *columns, pdg, charge, offsets):
            print(*(float(x).hex() for x in column))
"""


def test_without_compilation(run_python):
    """Plain Python on numpy scalars gives the bits of the compiled stages, without a warning."""
    compiled = run_python(CHECK_BITS)
    assert "nan" not in compiled
    assert run_python(CHECK_BITS, NUMBA_DISABLE_JIT="1", PYTHONWARNINGS="error") == compiled


@pytest.mark.long
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names an x86 processor")
def test_other_processor(run_python):
    """Narrower vector instructions give the same bits, scan and cross section included."""
    code = """
import hashlib
from besfast.sim.generate import Generator
digest = hashlib.sha256()
samples = ("mumu_isr", "lo"), ("ee_bhabha", "lo"), ("pipi_isr", "lo"), ("mumu_isr", "ll"), ("ee_bhabha", "ll")
for process, order in samples:
    generator = Generator(process, seed=20, order=order, energy_spread=1e-3, n_scan=2**16, n_cross_section=2**16)
    truth = generator.events(0, 20_000)
    for column in (truth.px, truth.py, truth.pz, truth.energy, truth.event_sqrt_s):
        digest.update(column.tobytes())
    digest.update(float(truth.cross_section).hex().encode())
print(digest.hexdigest())
"""
    assert run_python(code, NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES="+avx2,+fma") == run_python(code)


# ---- processes and requests ----


def test_registry():
    known = processes()
    assert list(known)[:7] == [
        "mumu_isr",
        "ee_annihilation",
        "ee_bhabha",
        "pipi_isr",
        "jpsi_isr",
        "psi2s_isr",
        "dark_photon",
    ]
    for name, process in known.items():
        assert process.name == name
        assert process.reference
        assert process.final_state
        assert process.validity
        assert process.orders[0] in ("lo", "ll")
    with pytest.raises(ValueError, match="process = 'tautau', must be one of mumu_isr"):
        find_process("tautau")


def test_double_counting_is_refused():
    apart = ["mumu_isr", "ee_bhabha", "pipi_isr", "jpsi_isr", "psi2s_isr"]
    check_sum([(name, None, {}) for name in apart])
    with pytest.raises(ValueError, match="ee_bhabha and ee_annihilation"):
        check_sum([(name, None, {}) for name in ("ee_annihilation", "mumu_isr", "ee_bhabha")])


@pytest.mark.parametrize(
    ("process", "options", "error", "match"),
    [
        ("mumu", {}, ValueError, "process = 'mumu'"),
        ("mumu_isr", {"mass": 2.0}, TypeError, "no option 'mass', it takes mass_min"),
        ("dark_photon", {"mass_min": 2.0}, TypeError, "no option 'mass_min'"),
        ("dark_photon", {}, ValueError, "needs the option mass"),
        ("dark_photon", {"mass": 4.0}, ValueError, "mass = 4.0, must be a number in"),
        ("dark_photon", {"mass": 0.2}, ValueError, "mass = 0.2, must be"),
        ("dark_photon", {"mass": 2.0, "lepton": "tau"}, ValueError, "lepton = 'tau', must be one of 'mu', 'e'"),
        ("dark_photon", {"mass": 2.0, "epsilon": -1e-3}, ValueError, "epsilon = -0.001"),
        ("mumu_isr", {"order": "nlo"}, ValueError, "order = 'nlo', must be 'lo' or 'll' for mumu_isr"),
        ("mumu_isr", {"soft_cutoff": 1e-3}, ValueError, "soft_cutoff belongs to order = 'll', mumu_isr is asked for"),
        ("mumu_isr", {"resonances": True}, ValueError, "resonances belongs to order = 'll'"),
        ("mumu_isr", {"order": "ll", "resonances": 1}, TypeError, "resonances = 1, must be True or False"),
        ("mumu_isr", {"order": "ll", "soft_cutoff": 0.0}, ValueError, "soft_cutoff = 0.0, must be"),
        ("mumu_isr", {"theta_gamma_min": 1.6}, ValueError, "theta_gamma_min = 1.6, must be"),
        (
            "mumu_isr",
            {"theta_gamma_min": 0.2, "theta_gamma_max": 0.2},
            ValueError,
            "theta_gamma_min = 0.2, must be below",
        ),
        ("mumu_isr", {"order": "ll", "energy_spread": 0.02}, ValueError, "energy_spread = 0.02"),
        ("mumu_isr", {"mass_max": 3.773}, ValueError, "mass_max = 3.773"),
        ("mumu_isr", {"mass_min": 2.0, "mass_max": 2.0}, ValueError, "mass_min = 2, must be below mass_max"),
        ("mumu_isr", {"mass_min": 0.1}, ValueError, "mass_min = 0.1, must be a number in \\[0.211317"),
        ("mumu_isr", {"mass_min": float("nan")}, ValueError, "mass_min = nan"),
        ("mumu_isr", {"mass_min": "2"}, TypeError, "mass_min = '2', must be a number"),
        ("mumu_isr", {"sqrt_s": float("inf")}, ValueError, "sqrt_s = inf"),
        ("mumu_isr", {"sqrt_s": -1.0}, ValueError, "sqrt_s = -1.0"),
        ("mumu_isr", {"lepton_theta_min": 1.6}, ValueError, "lepton_theta_min = 1.6"),
        ("mumu_isr", {"lepton_theta_min": 1.5, "lepton_pt_min": 1.9}, ValueError, "no event passes the cuts"),
        ("mumu_isr", {"theta_gamma_max": 0.0}, ValueError, "theta_gamma_max = 0.0"),
        ("mumu_isr", {"lepton_pt_min": -0.3}, ValueError, "lepton_pt_min = -0.3"),
        ("mumu_isr", {"energy_spread": -1e-3}, ValueError, "energy_spread = -0.001"),
        ("mumu_isr", {"energy_spread": 0.1}, ValueError, "energy_spread = 0.1"),
        ("jpsi_isr", {"sqrt_s": 3.0}, ValueError, "sqrt_s = 3, must exceed the mass 3.0969"),
        ("ee_bhabha", {"theta_gamma_max": 0.5}, ValueError, "theta_gamma_max = 0.5, must be below lepton_theta_min"),
        ("ee_bhabha", {"lepton_theta_min": 0.1}, ValueError, "theta_gamma_max = 0.15, must be below"),
    ],
)
def test_bad_requests(process, options, error, match):
    with pytest.raises(error, match=match) as caught:
        generate(process, 10, seed=1, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("n", "error"), [(-1, ValueError), (1.5, TypeError), (True, TypeError), ("3", TypeError)])
def test_bad_numbers_of_events(n, error):
    with pytest.raises(error, match="n_events"):
        check_n_events(n)
    with pytest.raises(error, match="n_events"):
        generate("mumu_isr", n, seed=1)


@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), (2**64, ValueError), (1.0, TypeError)])
def test_bad_seeds(seed, error):
    with pytest.raises(error, match="seed"):
        generate("mumu_isr", 1, seed=seed)
