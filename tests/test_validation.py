"""The physics validation: what agrees is good, what is perturbed is off; closed forms, samples, and the verb."""

import csv
import math
from itertools import pairwise
from types import MappingProxyType

import besfast
import numpy as np
import pytest
from besfast import exchange
from besfast.cli import main
from besfast.constants import M_E, M_MU
from besfast.sim.generate import Generator
from besfast.sim.processes.protocol import Setting
from besfast.validation import (
    distributions,
    final_state,
    generators,
    interference,
    jpsi_peak,
    leading_order,
    new_processes,
    observables,
    propagators,
    radiation,
    samples,
)
from besfast.validation.check import Check, Curve, Panel, Result, Settings
from besfast.validation.closed_forms import (
    LeptonCuts,
    angular_shape,
    collinear_acceptance,
    hadronic_anomaly,
    inclusive_spectrum,
    integrals,
    untagged_spectrum,
)
from besfast.validation.comparison import Comparison
from besfast.validation.distributions import ks_test, shape_test
from besfast.validation.figures import panels_of, validation_figure
from besfast.validation.observables import OBSERVABLES, SELECTIONS, Histogram, fill, generated_chunks, observe
from besfast.validation.references import reference_table
from besfast.validation.whole_pair import WHOLE_PAIR
from scipy import stats
from scipy.integrate import quad

from .test_figures import nothing_cut_off

QUICK = Settings(1, quick=True)
S = 3.773


def verdicts(result):
    return [row.verdict for row in result.rows]


def find(checks, name):
    (check,) = (check for check in checks if check.name == name)
    return check


def scaled(factor, *columns):
    """Return a reading of references whose columns are off by a factor."""

    def read(name):
        table = reference_table(name)
        return MappingProxyType({key: values * factor if key in columns else values for key, values in table.items()})

    return read


# ---- closed forms ----


def test_integrals():
    edges = np.array([0.3, 0.9, 2.0])
    expected = [
        quad(lambda m: float(inclusive_spectrum("mumu", S)(np.array([m]))[0]), a, b)[0]
        for a, b in ((0.3, 0.9), (0.9, 2.0))
    ]
    np.testing.assert_allclose(integrals(inclusive_spectrum("mumu", S), edges), expected, rtol=1e-9)


@pytest.mark.parametrize("pair", ["mumu", "ee", "pipi"])
def test_acceptance_without_cuts_is_one(pair):
    assert quad(lambda c: float(angular_shape(pair, 1.5, np.array(c))), -1, 1)[0] == pytest.approx(1.0, rel=1e-9)
    assert collinear_acceptance(pair, 1.5, S, LeptonCuts(0.0, 0.0)) == pytest.approx(1.0, rel=1e-6)
    half = collinear_acceptance(pair, 3.0, S, LeptonCuts(0.4, 0.3))
    assert 0.0 < half < 1.0
    assert collinear_acceptance(pair, 0.5, S, LeptonCuts(0.4, 0.3)) == 0.0


def test_acceptance_of_the_table():
    """The leading-order acceptance of the muon cuts, photons along the beams (another program, 4e-3 from its steps)."""
    table = reference_table("isr_radiation_factors")
    for mass, expected in zip(table["mass"], table["acceptance_muon_cuts"]):
        if mass > 0.95:
            found = collinear_acceptance("mumu", float(mass), S, LeptonCuts(0.4, 0.3))
            assert found == pytest.approx(expected, rel=5e-3)


def test_untagged_share():
    """Published shares of a photon within 0.1 rad of a beam: 0.6846 at 1.5 GeV, 0.6494 at 3 GeV."""
    mass = np.array([1.5, 3.0])
    share = untagged_spectrum("mumu", S, 0.1)(mass) / inclusive_spectrum("mumu", S)(mass)
    np.testing.assert_allclose(share, [0.6846, 0.6494], atol=1e-4)


def test_anomaly():
    assert hadronic_anomaly(2 * 0.13957039, 1.8) == pytest.approx(517e-10, rel=1e-3)


def test_recoil_tail():
    """The whole convolution at no cut (but for the soft peaks), and nothing beyond what the loss allows."""
    tails = [radiation.recoil_tail(2.0, S, least) for least in (1e-3, 0.1, 0.5, 1.0, 1.7, 1.8)]
    assert all(a > b for a, b in pairwise(tails[:-1]))
    assert tails[0] < 1.0
    assert tails[-1] == 0.0  # (1 - z1)(1 - z2) is largest where z1 = z2 = m / sqrt(s)


def test_three_photons_by_symmetry():
    """The cross section of massless photons scales as 1 / s."""
    one, _ = new_processes.three_photons(2.0, 0.4, 0.2, 2**14)
    two, _ = new_processes.three_photons(4.0, 0.4, 0.4, 2**14)
    assert one == pytest.approx(4.0 * two, rel=1e-12)


# ---- the whole of mu mu gamma ----


def whole(n=2**17, **options):
    return WHOLE_PAIR.prepare(Setting(S, 3, "lo", True, 0.0, n, 2**16, options))


def test_whole_pair():
    source = whole()
    assert abs(source.cross_section - 2.25157) < 3.0 * source.cross_section_error
    assert source.cross_section_error < 2e-3 * 2.25157
    truth = source.events(0, 5000)
    p = np.stack([getattr(truth, name).reshape(-1, 3) for name in ("energy", "px", "py", "pz")])
    np.testing.assert_allclose(p.sum(axis=2), np.array([S, 0, 0, 0])[:, None] * np.ones(5000), atol=1e-12)
    square = p[0] ** 2 - p[1] ** 2 - p[2] ** 2 - p[3] ** 2
    np.testing.assert_allclose(square[:, :2], M_MU**2, atol=1e-11)
    np.testing.assert_allclose(square[:, 2], 0.0, atol=1e-12)
    mass = observe(truth)[0]["pair_mass"]
    assert mass.min() > 0.4
    assert mass.max() < 3.6


def test_whole_pair_within_beam_radiation():
    """Untagged and within the acceptance, radiation from the muons is 0.1 %: the generator's cross section returns."""
    n = 2**18
    source = whole(n, mass_min=1.5, mass_max=3.4)
    histograms, found = fill(generated_chunks(source.events, n), source.cross_section / n, (1.5, 3.4))
    assert found == n
    one = histograms[("untagged", "minus_cosine")]
    cuts = {"theta_gamma_max": 0.1, "lepton_theta_min": 0.4, "lepton_pt_min": 0.3}
    beams = Generator("mumu_isr", seed=1, mass_min=1.5, mass_max=3.4, **cuts).cross_section
    error = math.sqrt(one.variance.sum())
    assert error < 4e-3 * beams
    assert abs(one.content.sum() - 1.001 * beams) < 3.0 * error


# ---- observables and histograms ----


def test_observables_of_known_events():
    """Two events by hand: one photon along the beam, then two photons and a muon pair at rest."""
    p = math.sqrt(1.0 - M_MU**2)
    particles = [
        [(13, p, 0.0, 0.0, 1.0), (-13, -p, 0.0, 0.0, 1.0), (22, 0.0, 0.0, 1.773, 1.773)],
        [
            (13, 0.0, 0.0, p, 1.0),
            (-13, 0.0, 0.0, -p, 1.0),
            (22, 0.0, 0.5, 0.0, 0.5),
            (22, 0.0, -1.273, 0.0, 1.273),
        ],
    ]
    template = whole(2**12).events(0, 2)
    flat = np.array([row for event in particles for row in event])
    columns = {"pdg": flat[:, 0].astype(np.int32), "px": flat[:, 1], "py": flat[:, 2], "pz": flat[:, 3]}
    truth = template._replace(
        offsets=np.array([0, 3, 7]), energy=flat[:, 4], status=np.ones(7, dtype=np.int32), **columns
    )
    values, passed = observe(truth)
    np.testing.assert_allclose(values["pair_mass"], 2.0, rtol=1e-12)
    np.testing.assert_allclose(values["photon_energy"], [1.773, 1.273])
    np.testing.assert_allclose(values["photon_angle"], [-9.0, math.log10(math.pi / 2)], atol=1e-12)
    np.testing.assert_allclose(values["minus_cosine"], [0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(values["plus_cosine"], [0.0, -1.0], atol=1e-12)
    np.testing.assert_allclose(values["opening_angle"], math.pi / 2)
    np.testing.assert_allclose(values["missing_mass"], 1.773, rtol=1e-12)
    assert passed["all"].tolist() == [True, True]
    assert passed["untagged"].tolist() == [False, False]  # what is missing has no direction
    assert passed["tagged"].tolist() == [False, False]


def histogram(sample, edges, weights=None):
    weights = np.ones_like(sample) if weights is None else weights
    contents = (np.histogram(sample, edges, weights=w)[0] for w in (weights, weights**2))
    return Histogram(edges, *contents)


def test_ks_of_histograms():
    """As scipy's on the samples themselves, but for the width of the bins and the small-sample terms."""
    rng = np.random.default_rng(1)
    edges = np.linspace(-5, 5, 2001)
    a, b = rng.normal(size=4000), rng.normal(0.03, 1.0, size=30000)
    distance, p = ks_test(histogram(a, edges), histogram(b, edges))
    expected = stats.ks_2samp(a, b)
    assert distance == pytest.approx(expected.statistic, rel=0.03)
    assert p == pytest.approx(expected.pvalue, rel=0.2)
    far = histogram(b + 0.2, edges)
    assert ks_test(histogram(a, edges), far)[1] < 1e-10
    assert shape_test(histogram(a, edges), far)[2] < 1e-10


def test_p_values_of_weighted_samples_are_uniform():
    """Weights that do not depend on the observable: p of KS and of chi2 are uniform (KS, p > 1e-3)."""
    rng = np.random.default_rng(2)
    edges = np.linspace(0, 1, 401)
    found = []
    for _ in range(300):
        a = histogram(rng.random(3000), edges, rng.exponential(size=3000))
        b = histogram(rng.random(9000), edges)
        found.append((ks_test(a, b)[1], shape_test(a, b)[2]))
    for p in np.array(found).T:
        assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_joined_bins():
    edges = np.linspace(0, 10, 11)
    content = np.array([0, 0, 30, 10, 10, 0, 40, 1, 0, 0], dtype=float)
    one, two = Histogram(edges, content, content), Histogram(edges, 2 * content, 2 * content)
    a, b = distributions.joined(one, two)
    assert a.edges.tolist() == [2, 3, 8]  # what is left over joins the last, empty ends are dropped
    assert a.content.tolist() == [30, 61]
    np.testing.assert_array_equal(b.content, 2 * a.content)
    empty = Histogram(edges, np.zeros(10), np.zeros(10))
    assert distributions.effective(empty) == 0.0
    assert distributions.joined(empty, empty)[0].content.tolist() == [0.0]


def test_packaged_distributions():
    """Totals and effective numbers of the files: 1.324 +- 0.010 nb from 16 056, and 1.328 nb from 10 000 events."""
    packaged = distributions.read_histograms("sample_distributions")
    for name, total, entries in (("babayaga", 1.32448, 16056), ("pythia8", 1.3236, 9967)):
        one = packaged[name][("all", "minus_cosine")]
        assert one.content.sum() == pytest.approx(total, rel=1e-4)
        assert distributions.effective(one) == pytest.approx(entries, rel=2e-3)
        assert set(packaged[name]) == {(selection, key) for selection in SELECTIONS for key in OBSERVABLES}


def test_histograms_as_table(tmp_path):
    rng = np.random.default_rng(3)
    made = {("all", "photon_energy"): histogram(rng.random(50), OBSERVABLES["photon_energy"].edges)}
    distributions.write_histograms(tmp_path / "table.csv", {"mine": made}, "provenance")
    with (tmp_path / "table.csv").open() as lines:
        assert next(lines) == "# provenance\n"
        rows = list(csv.DictReader(lines))
    content = np.zeros(95)
    for row in rows:
        assert (row["sample"], row["selection"], row["observable"]) == ("mine", "all", "photon_energy")
        content[int(row["bin"])] = float(row["cross_section"])
    np.testing.assert_array_equal(content, made["all", "photon_energy"].content)


# ---- what is wrong is off ----


def test_wrong_table_of_cross_sections(monkeypatch):
    check = find(leading_order.leading_order(QUICK), "mumu_isr, untagged, cuts")
    assert set(verdicts(check.run())) == {"good"}
    monkeypatch.setattr(leading_order, "reference_table", scaled(1.01, "C"))
    found = check.run()
    assert verdicts(found).count("off") >= 28
    assert [row.verdict for row in found.rows if row.p_min] == ["off"]


def test_wrong_resonances(monkeypatch):
    check = find(leading_order.leading_order(QUICK), "resonances")
    assert set(verdicts(check.run())) == {"good"}
    monkeypatch.setattr(leading_order, "reference_table", scaled(0.995, "cross_section"))
    assert set(verdicts(check.run())) == {"off"}


@pytest.mark.parametrize("name", ["ee_bhabha, 10.58 GeV", "pipi_isr, 2 GeV", "photon angle", "dark_photon"])
def test_leading_order(name):
    assert set(verdicts(find(leading_order.leading_order(QUICK), name).run())) == {"good"}


def test_wrong_vacuum_polarisation(monkeypatch):
    check = find(propagators.propagators(QUICK), "vacuum polarisation")
    assert set(verdicts(check.run())) == {"good"}
    monkeypatch.setattr(propagators, "reference_table", scaled(1.02, "factor"))
    assert set(verdicts(check.run())) == {"off"}


def test_propagators():
    for name in ("resonances", "pion form factor"):
        assert "off" not in verdicts(find(propagators.propagators(QUICK), name).run())


def test_wrong_radiation_factors(monkeypatch):
    few = {key: values[values.size // 2 :: 6] for key, values in reference_table("isr_radiation_factors").items()}
    check = find(radiation.radiation(QUICK), "K(m) within cuts")
    monkeypatch.setattr(radiation, "reference_table", lambda name: few)
    assert set(verdicts(check.run())) == {"good"}
    wrong = few | {"structure_functions_muon_cuts": 1.03 * few["structure_functions_muon_cuts"]}
    monkeypatch.setattr(radiation, "reference_table", lambda name: wrong)
    assert set(verdicts(check.run())) == {"off"}


def test_wrong_final_state_radiation():
    rows = final_state._spectrum("mu", M_MU, 2.0, 0.084, QUICK).rows
    assert {row.verdict for row in rows} == {"good"}
    rows = final_state._spectrum("mu", M_MU, 2.0, 0.070, QUICK).rows
    assert [row.verdict for row in rows].count("off") == 2


def test_wrong_interference(monkeypatch):
    check = find(interference.interference(QUICK), "charge asymmetry")
    assert set(verdicts(check.run())) == {"good"}
    monkeypatch.setattr(interference, "full_weight", lambda truth: np.ones(truth.n_events))
    assert verdicts(check.run()) == ["off", "good"]


def test_wrong_peak(monkeypatch):
    check = find(jpsi_peak.jpsi_peak(QUICK), "J/psi peak")
    assert verdicts(check.run()) == ["good", "input"]
    monkeypatch.setattr(jpsi_peak, "JPSI_GEE", 5.9e-6)
    assert verdicts(check.run()) == ["off", "input"]


def test_wrong_processes(monkeypatch):
    check = find(new_processes.new_processes(QUICK), "gamma_dark_photon_invisible")
    assert set(verdicts(check.run())) == {"good"}
    monkeypatch.setattr(new_processes, "ALPHA", 1.01 / 137.036)
    assert set(verdicts(check.run())) == {"off"}


# ---- samples ----


@pytest.fixture(scope="module")
def event_files(tmp_path_factory):
    """Return files of our own events as another program might have written them: the whole, and beams alone."""
    folder = tmp_path_factory.mktemp("samples")
    options = {"mass_min": 1.4, "mass_max": 3.5}
    source = WHOLE_PAIR.prepare(Setting(S, 9, "lo", False, 0.0, 2**16, 2**16, options))
    exchange.write(folder / "whole.hepmc3.gz", source.events(0, 6000))
    beams = Generator("mumu_isr", seed=9, n_scan=2**16, n_cross_section=2**16, **options)
    exchange.write(folder / "beams.hepmc3.gz", beams.events(0, 6000))
    return folder


def test_file_of_the_same_physics(event_files):
    checks = samples.samples(QUICK, {"babayaga": (event_files / "whole.hepmc3.gz", {})})
    found = find(checks, "BabaYaga").run()
    assert set(verdicts(found)) == {"good"}
    assert any(row.quantity.startswith("sigma") for row in found.rows)


def test_file_of_other_physics(event_files):
    """Without radiation from the muons the rate, the opening angle and the charge asymmetry are off."""
    checks = samples.samples(QUICK, {"babayaga": (event_files / "beams.hepmc3.gz", {})})
    off = [row for row in find(checks, "BabaYaga").run().rows if row.verdict == "off"]
    text = " ".join(f"{row.subject} {row.quantity}" for row in off)
    assert "sigma, everything" in text
    assert "nearer muon" in text
    assert "tagged cos(theta) of mu-" in text


def test_file_without_cross_section(event_files, tmp_path):
    """Without a cross section shapes alone are compared; a normalisation can be given."""
    truth = exchange.read_truth(event_files / "whole.hepmc3.gz")
    exchange.write(tmp_path / "none.hepmc3", truth._replace(cross_section=math.nan, cross_section_error=math.nan))
    path = tmp_path / "none.hepmc3"
    histograms, known = samples.read_sample("babayaga", path, {})
    assert not known
    assert histograms[("all", "minus_cosine")].content.sum() == pytest.approx(1.0)
    assert samples.parse_sample(f"babayaga={path},cross_section=1.3") == ("babayaga", path, {"cross_section": 1.3})
    histograms, known = samples.read_sample("babayaga", path, {"cross_section": 1.3})
    assert known
    assert histograms[("all", "minus_cosine")].content.sum() == pytest.approx(1.3)


def test_packaged_samples():
    """Our generators against the packaged distributions of the other programs."""
    for check in samples.samples(QUICK, {}):
        assert "off" not in verdicts(check.run()), check.name


def test_extract_is_made_from_files(event_files, tmp_path):
    path = tmp_path / "extract.csv"
    samples.write_sample_distributions({"babayaga": event_files / "whole.hepmc3.gz"}, path)
    with path.open() as lines:
        assert next(lines).startswith("# Distributions of e+ e- -> mu+ mu- gamma")
        rows = list(csv.DictReader(lines))
    assert {row["sample"] for row in rows} == {"babayaga"}
    assert len(rows) > 500


# ---- the whole, and the verb ----


def few_checks(settings, files):
    checks = leading_order.leading_order(settings)
    chosen = [find(checks, name) for name in ("mumu_isr", "ee_bhabha, 2 GeV", "resonances")]
    return [*chosen, find(propagators.propagators(settings), "vacuum polarisation")]


def test_jobs_do_not_matter():
    rows = [generators.run_checks(few_checks(QUICK, {}), jobs=jobs).rows for jobs in (1, 3)]
    assert repr(rows[0]) == repr(rows[1])
    other = generators.run_checks(few_checks(QUICK._replace(seed=2), {}), jobs=2).rows
    assert repr(other) != repr(rows[0])


def test_verb(tmp_path, monkeypatch, capsys, event_files):
    given = []

    def checks(settings, files):
        given.append((settings, files))
        return few_checks(settings, files)

    monkeypatch.setattr(generators, "all_checks", checks)
    monkeypatch.chdir(tmp_path)
    sample = event_files / "whole.hepmc3.gz"
    arguments = ["validate", "generators", "--quick", "--jobs", "2", "--out", "new", "--seed", "7"]
    assert main([*arguments, "--sample", f"babayaga={sample},tries=6000"]) == 0
    assert given == [(Settings(7, quick=True), {"babayaga": (sample, {"tries": 6000})})]
    output, errors = capsys.readouterr()
    assert errors == ""
    assert "leading order: " in output
    assert "off" not in output
    assert "seed 7, " in output
    files = {path.name for path in (tmp_path / "new").iterdir()}
    names = ("leading_order", "leading_order_energies", "propagators")
    assert files == {"comparisons.csv", "comparisons.md", *(f"{n}.{kind}" for n in names for kind in ("png", "pdf"))}
    with (tmp_path / "new" / "comparisons.csv").open() as lines:
        assert next(lines) == "# Validation of the generators, seed 7, quick\n"
        rows = list(csv.DictReader(lines))
    assert len(rows) > 100
    assert {row["verdict"] for row in rows} == {"good"}
    text = (tmp_path / "new" / "comparisons.md").read_text()
    assert "| leading order | " in text
    assert "## Off" not in text
    assert main(arguments) == 2
    assert "new: exists already" in capsys.readouterr().err
    monkeypatch.setattr(generators, "all_checks", lambda settings, files: few_checks(settings, files)[2:3])
    assert main([*arguments, "--overwrite", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"comparisons.csv", "comparisons.md"}


def test_verb_says_what_is_off(tmp_path, monkeypatch, capsys):
    rows = [
        Comparison("one", "sigma", 1.2, 0.01, 1.0, 0.0, "nb", 0.1, "formula", remark="why"),
        Comparison("two", "p of chi2", 1e-6, math.nan, math.nan, math.nan, "", None, "file", p_min=1e-3),
        Comparison("three", "momentum", 1e-3, math.nan, math.nan, math.nan, "GeV", None, "zero", at_most=1e-9),
        Comparison("four", "sigma", 1.0, 0.01, 1.0, 0.0, "nb", 0.1, "formula"),
    ]
    checks = [Check("topic", "some", lambda: Result(rows, []))]
    monkeypatch.setattr(generators, "all_checks", lambda settings, files: checks)
    monkeypatch.chdir(tmp_path)
    assert main(["validate", "generators", "--out", "new"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "topic: 1 good, 3 off"
    assert lines[1] == "off: one: sigma: ratio 1.2 +- 0.01, granted 0.1, formula (why)"
    assert lines[2] == "off: two: p of chi2: p = 1e-06, file"
    assert lines[3] == "off: three: momentum: 0.001 GeV, zero"
    assert "## Off" in (tmp_path / "new" / "comparisons.md").read_text()


MISTAKES = [
    ([], "the following arguments are required: WHAT"),
    (["everything"], "argument WHAT: invalid choice: 'everything'"),
    (["detector", "--card", "nowhere"], "nowhere: no such card"),
    (["generators", "--seed", "-1"], "seed = -1, must be in [0, 2**64)"),
    (["generators", "--jobs", "0"], "--jobs = 0, must be at least 1"),
    (["generators", "--out", "file"], "file: is a file, must be the name of a folder"),
    (["generators", "--out", "none/new"], "none/new: the folder none does not exist"),
    (["generators", "--sample", "file"], "sample = 'file', must be NAME=FILE with a name of babayaga, pythia8"),
    (["generators", "--sample", "phokhara=file"], "sample = 'phokhara=file', must be NAME=FILE"),
    (["generators", "--sample", "babayaga=none"], "none: no such file"),
    (["generators", "--sample", "babayaga=file,tries=many"], "'tries=many' must be a number"),
    (["generators", "--sample", "babayaga=file,events=3"], "'events' must be tries=N or cross_section=NB"),
    (["generators", "--sample", "babayaga=file", "--sample", "babayaga=file"], "babayaga is given twice"),
    (["generators", "--sample", "babayaga=file", "--quick"], "file: neither HDF5 nor HepMC3"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[" ".join(a) for a, _ in MISTAKES])
def test_a_mistake_is_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("nothing")
    try:
        code = main(["validate", *arguments])
    except SystemExit as stop:
        code = stop.code
    output, errors = capsys.readouterr()
    assert (code, output) == (2, "")
    assert message in errors.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("logarithmic", [False, True])
def test_figures(logarithmic):
    """Nothing is cut off; empty references and points far off do not stretch the ratio."""
    edges = np.linspace(1.0, 2.0, 21)
    value = np.linspace(5.0, 9.0, 20)
    reference = value * 1.01
    reference[3] = np.nan
    error = np.full(20, 0.01)
    error[7], reference[7] = 3.0, 9.0
    panels = [Panel("one", title, r"$x$ [GeV]", "y", logarithmic) for title in ("first", "second", "third", "fourth")]
    curves = [Curve(panel, name, edges, value, error, reference, error) for panel in panels for name in ("a", "b", "c")]
    (figure,) = (validation_figure(one) for one in panels_of(curves).values())
    nothing_cut_off(figure)
    assert len(figure.axes) == 8
    low, high = figure.axes[-1].get_ylim()
    assert 0.95 < low < 0.99
    assert 1.01 < high < 1.05


@pytest.mark.long
def test_everything(tmp_path, monkeypatch, capsys):
    """The quick validation as a whole: nothing is off."""
    monkeypatch.chdir(tmp_path)
    code = main(["validate", "generators", "--quick", "--jobs", "2", "--out", "all"])
    output = capsys.readouterr().out
    assert code == 0, output
    assert len(list((tmp_path / "all").glob("*.png"))) > 10


def test_references_are_packaged():
    assert besfast.__file__
    for name in ("isr_cross_sections", "isr_resonances", "isr_radiation_factors", "vacuum_polarisation_factors"):
        assert len(reference_table(name)) >= 2
    assert observables.OBSERVABLES["pair_mass"].edges[0] == 1.0
    assert M_E < M_MU
