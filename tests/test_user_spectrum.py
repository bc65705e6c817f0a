"""Limits of spectra of any origin: what is read, what is refused, and limits against closed forms and injections."""

import csv
import json
import math

import numpy as np
import pytest
from besfast.analysis.background import fit_background
from besfast.analysis.bump_hunt.asymptotics import TWO_SIDED_90
from besfast.analysis.containment import gaussian_containment, mean_containment
from besfast.analysis.curve import constant, parse_curve, read_curve
from besfast.analysis.histogram_file import read_histograms
from besfast.analysis.limit import poisson_limit
from besfast.analysis.spectrum import Spectrum, bin_edges, search_bins
from besfast.analysis.user_limits import bump_hunt_workspaces, count_bins, counting_workspaces, hunt_bumps
from besfast.analysis.user_spectrum import Signal, read_spectrum_file
from besfast.cli import main
from scipy import special

BINS = search_bins(bin_edges(1.0, 2.0, 0.01), (1.5, 1.6))


def smooth(level):
    return level * np.exp(-0.8 * (BINS.centre - 1.5))


def spectra(*levels, seed=None):
    rng = np.random.default_rng(seed)
    made = [smooth(level) if seed is None else rng.poisson(smooth(level)).astype(float) for level in levels]
    return {name: Spectrum(BINS, n, name) for name, n in zip(("mumu", "ee"), made)}


def rows_of(table, **wanted):
    keep = np.ones(len(table["mass"]), dtype=bool)
    for name, value in wanted.items():
        keep &= np.asarray(table[name]) == value
    return {name: np.asarray(values)[keep] for name, values in table.items()}


SIGNAL = Signal(constant("resolution", 0.005))


def test_containment_averaged_over_the_bin():
    """The closed form is the mean of the erf over true masses, by quadrature to 1e-12."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    for sigma, width in ((0.005, 0.01), (0.012, 0.01), (0.001, 0.01), (0.1, 0.01)):
        x = 0.5 * width * nodes
        inside = special.ndtr((0.5 * width - x) / sigma) - special.ndtr((-0.5 * width - x) / sigma)
        assert mean_containment(sigma, width) == pytest.approx(float(inside @ weights) / 2.0, rel=1e-9)
        assert mean_containment(sigma, width) < gaussian_containment(sigma, width)
    with pytest.raises(ValueError, match=r"sigma = 0 GeV"):
        mean_containment(0.0, 0.01)


def test_counting_is_the_limit_per_bin_written_out():
    data = spectra(2000.0, seed=3)
    signal = Signal(constant("resolution", 0.005), constant("conversion", 2e-6), 0.05)
    table, _ = count_bins(data, signal)
    fit = fit_background(BINS, data["mumu"].counts)
    limit = poisson_limit(data["mumu"].counts, fit.predicted, fit.sigma_predicted, 1.0, 0.05)
    assert np.allclose(table["n_up"], limit.upper, rtol=1e-12)
    contained = mean_containment(0.005, 0.01)
    assert np.allclose(table["yield_up"], limit.upper / contained, rtol=1e-12)
    assert np.allclose(table["upper"], 2e-6 * limit.upper / contained, rtol=1e-12)
    assert set(table["combination"]) == {"mumu"}
    assert set(table["quantity"]) == {"strength"}
    assert set(table["delta"]) == {limit.delta}
    assert set(table["sidedness"]) == {limit.sidedness}


def test_expected_limits_of_many_counts_are_gaussian():
    """sqrt(delta (nu + sigma^2)) over the signal; `joint` adds information, `sum` the counts: 1 % at 1e5 per bin."""
    data = spectra(1e5, 4e5)
    signal = Signal(constant("resolution", 0.005), read_two(1e-6, 3e-6))
    table, counted = count_bins(data, signal, order=2)
    per_strength = {"mumu": 1e6, "ee": 1e6 / 3.0}
    variance = {name: one.background.fitted + one.background.sigma_predicted**2 for name, one in counted.items()}
    s = {name: mean_containment(0.005, 0.01) * value for name, value in per_strength.items()}
    gaussian = {
        "mumu": np.sqrt(2.7055 * variance["mumu"]) / s["mumu"],
        "ee": np.sqrt(2.7055 * variance["ee"]) / s["ee"],
        "sum": np.sqrt(2.7055 * (variance["mumu"] + variance["ee"])) / (s["mumu"] + s["ee"]),
        "joint": np.sqrt(2.7055 / sum(s[name] ** 2 / variance[name] for name in s)),
    }
    for name, limit in gaussian.items():
        found = rows_of(table, combination=name)
        assert np.allclose(found["expected"], limit, rtol=0.01), name
        produced = sum(per_strength[one] for one in ([name] if name in s else s))
        assert np.allclose(found["yield_up"], found["upper"] * produced, rtol=1e-12)


def read_two(mumu, ee):
    one, other = constant("conversion", mumu), constant("conversion", ee)
    return one._replace(points={"mumu": one.points[""], "ee": other.points[""]})


def test_without_a_conversion_every_channel_stands_alone():
    table, _ = count_bins(spectra(500.0, 900.0, seed=2), SIGNAL)
    assert set(table["combination"]) == {"mumu", "ee"}
    assert set(table["quantity"]) == {"yield"}
    assert np.array_equal(table["upper"], table["yield_up"])


def test_injected_strength_comes_back():
    """Noise-free spectra with a Gaussian signal: the fit returns its strength to 2 % of the error."""
    strength, conversion = 0.004, {"mumu": 1e-5, "ee": 2e-5}
    data = spectra(3000.0, 9000.0)
    edges = np.append(BINS.mass_low, BINS.mass_high[-1])
    assert edges.size == BINS.centre.size + 1
    for name, one in data.items():
        low, high = ((end - 1.3025) / (0.006 * math.sqrt(2.0)) for end in (BINS.mass_low, BINS.mass_high))
        peak = 0.5 * (special.erf(high) - special.erf(low)) * strength / conversion[name]
        data[name] = one._replace(counts=one.counts + peak)
    signal = Signal(constant("resolution", 0.006), read_two(*conversion.values()), 0.03)
    table, models = hunt_bumps(data, signal, step=0.0025, half_width=0.1, conventions=(TWO_SIDED_90,))
    assert list(models) == ["mumu", "ee", "joint"]
    for name in models:
        found = rows_of(table, combination=name)
        peak = int(np.argmax(found["z"]))
        at = int(np.argmin(np.abs(found["mass"] - 1.3025)))
        assert abs(found["mass"][peak] - 1.3025) < 0.0026
        assert abs(found["best"][at] - strength) < 0.02 * found["best_error"][at]
        assert found["upper"][at] > strength
    joint, mumu = rows_of(table, combination="joint"), rows_of(table, combination="mumu")
    assert np.all(joint["best_error"] < mumu["best_error"])
    assert np.allclose(joint["yield_up"], joint["upper"] * 1.5e5, rtol=1e-12)


def test_limits_scale_with_the_conversion():
    data = spectra(300.0, seed=9)
    options = {"half_width": 0.1, "step": 0.02}
    plain, _ = hunt_bumps(data, SIGNAL, **options)
    scaled, _ = hunt_bumps(data, SIGNAL._replace(conversion=constant("conversion", 1e-9)), **options)
    assert np.allclose(scaled["upper"], 1e-9 * plain["upper"], rtol=1e-6)
    assert np.allclose(scaled["yield_up"], plain["upper"], rtol=1e-6)
    assert np.allclose(scaled["z"], plain["z"], atol=1e-6)
    methods = {tuple(row) for row in zip(plain["method"], plain["sidedness"])}
    assert methods == {
        ("bump hunt, bounded profile likelihood", "two-sided 90 %, about 95 % one-sided"),
        ("bump hunt, CLs", "one-sided 90 %"),
        ("bump hunt, CLs", "one-sided 95 %"),
    }
    cls = rows_of(plain, method="bump hunt, CLs")
    assert np.all(np.isnan(cls["delta"]))
    for low, high in zip(
        ("expected_minus_2", "expected_minus_1", "expected", "expected_plus_1"),
        ("expected_minus_1", "expected", "expected_plus_1", "expected_plus_2"),
    ):
        assert np.all(plain[low] < plain[high])


def test_default_step_is_at_most_half_the_resolution():
    _, models = hunt_bumps(spectra(300.0), Signal(constant("resolution", 0.006)), conventions=(TWO_SIDED_90,))
    steps = np.diff(models["mumu"].masses)
    assert np.allclose(steps[steps < 0.05], 0.0025)
    # steps across the gap too: none lies inside
    assert not np.any((models["mumu"].masses > 1.5) & (models["mumu"].masses < 1.6))


def test_workspaces_of_both_methods():
    data = spectra(300.0, 600.0, seed=4)
    signal = SIGNAL._replace(conversion=constant("conversion", 1e-4))
    _, counted = count_bins(data, signal)
    found = counting_workspaces(counted, 0.05)
    assert list(found) == BINS.centre.round(10).tolist()
    _, models = hunt_bumps(data, signal, step=0.05, half_width=0.1, conventions=(TWO_SIDED_90,))
    found = bump_hunt_workspaces(models["joint"])
    assert list(found) == models["joint"].masses.tolist()
    assert [one["name"] for one in next(iter(found.values())).specification["channels"]] == ["mumu", "ee"]


# files


def uhi(values, axes, storage="double", **more):
    return {"uhi_schema": 1, "axes": axes, "storage": {"type": storage, "values": values, **more}}


def axis(bins=3, flow=False):
    return {"type": "regular", "lower": 1.0, "upper": 1.0 + 0.1 * bins, "bins": bins, "underflow": flow,
            "overflow": flow, "circular": False}  # fmt: skip


NAMES = {"type": "category_str", "categories": ["mumu", "ee"], "flow": False}


def write_json(path, content):
    path.write_text(json.dumps(content))
    return path


def test_histograms_of_boost_histogram(tmp_path):
    """Flow bins, an axis of channels, several histograms, weights of one: as boost-histogram writes them."""
    bh = pytest.importorskip("boost_histogram")
    uhi_json = pytest.importorskip("uhi.io.json")
    rng = np.random.default_rng(8)
    masses = rng.uniform(0.9, 2.2, 5000)
    channel = np.where(rng.uniform(size=5000) < 0.3, "mumu", "ee")
    regular, variable = bh.axis.Regular(100, 1.0, 2.0), bh.axis.Variable([1.0, 1.1, 1.3])
    both = bh.Histogram(regular, bh.axis.StrCategory(["mumu", "ee"]), storage=bh.storage.Weight())
    both.fill(masses, channel)
    other_order = bh.Histogram(bh.axis.StrCategory(["mumu", "ee"]), regular, storage=bh.storage.Int64())
    other_order.fill(channel, masses)
    for histogram in (both, other_order):
        (tmp_path / "h.json").write_text(json.dumps(histogram, default=uhi_json.default))
        found = read_histograms(tmp_path / "h.json")
        for name in ("mumu", "ee"):
            counts, edges = np.histogram(masses[channel == name], np.round(np.linspace(1.0, 2.0, 101), 10))
            assert np.array_equal(found[name].counts, counts)
            assert np.array_equal(found[name].bins.mass_low, edges[:-1])
            assert found[name].channel == name
    several = {"low": bh.Histogram(variable).fill(masses), "high": bh.Histogram(regular).fill(masses)}
    (tmp_path / "h.json").write_text(json.dumps(several, default=uhi_json.default))
    found = read_histograms(tmp_path / "h.json")
    assert list(found) == ["low", "high"]
    assert np.array_equal(found["low"].counts, np.histogram(masses, [1.0, 1.1, 1.3])[0])
    assert found["high"].counts.sum() == np.count_nonzero((masses >= 1.0) & (masses < 2.0))


def test_a_sparse_histogram(tmp_path):
    content = uhi([4, 2], [axis(3, flow=True)], "int", index=[[1, 4]])
    assert read_histograms(write_json(tmp_path / "h.json", content))["spectrum"].counts.tolist() == [4.0, 0.0, 0.0]


HISTOGRAMS = {
    "schema": ({**uhi([1, 2, 3], [axis()]), "uhi_schema": 7}, "uhi_schema = 7, must be 1"),
    "not one": ({"a": 3}, "histogram 'a': uhi_schema = None, must be 1"),
    "empty": ({}, "must hold a histogram"),
    "two axes": (uhi([[1]], [axis(1), axis(1)]), "axes regular, regular, must be one of masses"),
    "integers": (uhi([1], [{"type": "category_int", "categories": [1], "flow": False}]), "axes category_int, must be"),
    "shape": (uhi([1, 2], [axis()]), "values of shape (2,), its axes have (3,)"),
    "negative": (uhi([1, -2, 3], [axis()]), "counts = -2, must be finite and >= 0"),
    "nan": (uhi([1, math.nan, 3], [axis()]), "counts = nan, must be finite and >= 0"),
    "weights": (uhi([1, 2, 3], [axis()], "weighted", variances=[1, 2, 4]), "a weighted histogram is not data"),
    "mean": (uhi([1, 2, 3], [axis()], "mean"), "storage of type 'mean', must be int, double"),
    "elsewhere": (uhi("other.npy", [axis()]), "values are in another file, other.npy"),
    "circular": (uhi([1, 2, 3], [{**axis(), "circular": True}]), "the axis of masses is circular"),
    "edges": (uhi([1], [{**axis(1), "lower": 2.0}]), "edges of the masses must be finite, >= 0 and ascending"),
    "twice": (
        {"a": uhi([[1, 2]], [axis(1), NAMES]), "b": uhi([[1, 2]], [axis(1), NAMES])},
        "histogram 'b': channel 'mumu' is there twice",
    ),
}


@pytest.mark.parametrize("case", HISTOGRAMS)
def test_a_bad_histogram_names_itself(case, tmp_path):
    content, message = HISTOGRAMS[case]
    with pytest.raises(ValueError, match=r"h\.json: ") as error:
        read_histograms(write_json(tmp_path / "h.json", content))
    assert message in str(error.value)


def test_curves(tmp_path):
    path = tmp_path / "curve.csv"
    path.write_text(
        "# resolution\nmass,channel,resolution\n2.0,mumu,0.008\n1.0,mumu,0.004\n1.0,ee,0.005\n3.0,ee,0.005\n"
    )
    curve = parse_curve("resolution", str(path), "spectrum.csv")
    assert curve.at("mumu", [1.0, 1.25, 2.0]).tolist() == pytest.approx([0.004, 0.005, 0.008])
    assert curve.at("ee", 2.2) == 0.005
    with pytest.raises(ValueError, match=r"curve\.csv: resolution: m = 2.1 GeV, known from 1 to 2 GeV"):
        curve.at("mumu", 2.1)
    with pytest.raises(ValueError, match=r"none for channel 'other', there is mumu, ee"):
        curve.at("other", 1.0)
    binned = tmp_path / "bins.csv"
    binned.write_text("mass_low,mass_high,width\n1.0,1.2,0.1\n1.2,1.4,0.3\n")
    assert parse_curve("resolution", "width", binned).at("x", [1.0, 1.2, 1.4]).tolist() == [0.1, 0.2, 0.3]
    assert parse_curve("conversion", "1e-6", binned).at("x", 5.0) == 1e-6
    for text, message in (("mass,a\n1,0\n", "a = 0, must be > 0"), ("mass,a\n1,x\n", "a = 'x', must be a number"),
                          ("a\n1\n", "no column mass, or mass_low and mass_high"), ("mass,a\n", "no a in it"),
                          ("mass,a\n1,1\n1,2\n", "a at 1 GeV is there twice"),
                          ("mass\n1\n", "no column a")):  # fmt: skip
        binned.write_text(text)
        with pytest.raises(ValueError, match=r"bins\.csv") as error:
            read_curve(binned, "a")
        assert message in str(error.value)
    for value in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="conversion = "):
            constant("conversion", value)


# the verb


def write_spectrum(path, data=None, columns="mass_low,mass_high,channel,n", width=None):
    data = spectra(500.0, 900.0, seed=6) if data is None else data
    lines = [columns]
    for name, one in data.items():
        for low, high, n in zip(*one.bins, one.counts):
            row = {"mass_low": low, "mass_high": high, "channel": name, "n": n, "sigma": 0.005}
            lines.append(",".join(str(row[column]) for column in columns.split(",")))
    path.write_text("\n".join(lines) + "\n")


def read_limits(path):
    with open(path) as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


@pytest.fixture
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_spectrum(tmp_path / "two.csv", columns="mass_low,mass_high,channel,n,sigma")
    write_spectrum(tmp_path / "one.csv", {"x": spectra(500.0, seed=6)["mumu"]}, "mass_low,mass_high,n")
    return tmp_path


def test_limit_of_a_file(inside, capsys):
    """CSV and histogram file give the same limits; every row says how; options reach the computation."""
    assert main(["limit", "one.csv", "--resolution", "0.005", "-o", "a.csv"]) == 0
    assert "90 limits, method paper, background exp_poly4_split" in capsys.readouterr().out
    rows = read_limits("a.csv")
    assert len(rows) == 90
    assert {row["sidedness"] for row in rows} == {"two-sided 90 %, about 95 % one-sided"}
    assert {row["combination"] for row in rows} == {"spectrum"}
    counts = spectra(500.0, seed=6)["mumu"].counts
    full = [*counts[:50], *[1.0] * 10, *counts[50:]]
    edges = {**axis(100), "upper": 2.0}
    write_json(inside / "one.json", uhi(full, [edges]))
    arguments = ["--resolution", "0.005", "--exclude", "1.5:1.6", "--quiet"]
    assert main(["limit", "one.json", "-o", "b.csv", *arguments]) == 0
    assert read_limits("b.csv") == rows
    assert main(["limit", "one.csv", "-o", "c.csv", *arguments, "--cl", "0.9", "--sides", "1"]) == 0
    one_sided = read_limits("c.csv")
    assert {row["sidedness"] for row in one_sided} == {"two-sided 80 %, about 90 % one-sided"}
    assert all(float(a["upper"]) < float(b["upper"]) for a, b in zip(one_sided, rows))
    assert main(["limit", "one.csv", "-o", "d.csv", *arguments, "--unbounded", "--delta", "2.7"]) == 0
    assert {row["method"] for row in read_limits("d.csv")} == {"unbounded profile likelihood"}


def test_bump_hunt_of_a_file(inside, capsys):
    arguments = ["--method", "bump-hunt", "--resolution", "sigma", "--conversion", "1e-5", "--efficiency-error", "0.05"]
    more = ["--step", "0.02", "--half-width", "0.1", "--order", "3", "--cl", "0.95", "--pyhf", "workspaces"]
    assert main(["limit", "two.csv", "-o", "a.csv", *arguments, *more]) == 0
    rows = read_limits("a.csv")
    assert {row["combination"] for row in rows} == {"mumu", "ee", "joint"}
    assert {row["sidedness"] for row in rows} == {"two-sided 95 %, about 97.5 % one-sided", "one-sided 95 %"}
    assert len(rows) == 3 * 2 * 45
    assert len(list((inside / "workspaces").glob("mass_*.json"))) == 45
    assert (
        main(["limit", "two.csv", "-o", "b.csv", "--resolution", "sigma", "--conversion", "1e-5", "--pyhf", "w"]) == 0
    )
    assert len(list((inside / "w").glob("mass_*.json"))) == 90


LIMIT = ["limit", "two.csv", "-o", "new.csv", "--resolution"]
HUNT = [*LIMIT, "0.005", "--method", "bump-hunt"]
WIDE = ["-o", "new.csv", "--resolution", "1"]
MISTAKES = [
    (["limit", "two.csv", "-o", "new.csv", "--step", "0.01"], "--step: allowed with --resolution only"),
    ([*LIMIT, "0"], "resolution = 0, must be finite and > 0"),
    ([*LIMIT, "nan"], "resolution = nan, must be finite and > 0"),
    ([*LIMIT, "width"], "two.csv: no column width"),
    ([*LIMIT, "0.005", "--conversion", "-1"], "conversion = -1, must be finite and > 0"),
    ([*LIMIT, "0.005", "--efficiency-error", "-0.1"], "efficiency_error = -0.1, must be finite and >= 0"),
    ([*LIMIT, "0.005", "--card", "besiii"], "--card: nothing is simulated with --resolution"),
    ([*LIMIT, "0.005", "--step", "0.01"], "--step: not an option of --method paper"),
    ([*HUNT, "--leave-out", "1"], "--leave-out: not an option of --method bump-hunt"),
    ([*HUNT, "--delta", "1"], "--delta: --method bump-hunt takes --cl and --sides"),
    ([*LIMIT, "0.005", "--delta", "1", "--cl", "0.9"], "--delta and --cl or --sides say the same"),
    ([*LIMIT, "0.005", "--cl", "1.5"], "confidence = 1.5, must be in [0.5, 1)"),
    ([*LIMIT, "0.005", "--delta", "-1"], "delta = -1"),
    ([*LIMIT, "0.005", "--exclude", "2:1"], "argument --exclude: '2:1', must be 0 <= LOW < HIGH in GeV"),
    ([*LIMIT, "0.005", "--exclude", "0:9"], "no bin of channel 'mumu' is left outside of the excluded ranges"),
    ([*LIMIT, "0.005", "--pyhf", "w"], "--pyhf: several channels have one strength of the signal only with "),
    ([*LIMIT, "0.005", "--order", "200"], "order = 200, must be from 0 to "),
    ([*HUNT, "--half-width", "0.02"], "mumu: 4 bins around 1.00125 GeV for order 4"),
    ([*HUNT, "--half-width", "-1"], "half_width = -1.0, must be >= 0, > 0"),
    ([*HUNT, "--efficiency-error", "0.5"], "error 'efficiency' = 0.5, must be "),
    (["limit", "nan.csv", *WIDE], "nan.csv:3: n = nan, must be finite and >= 0"),
    (["limit", "negative.csv", *WIDE], "negative.csv:2: n = -1, must be finite and >= 0"),
    (["limit", "column.csv", *WIDE], "column.csv: no column n; needed are mass_low, "),
    (["limit", "overlap.csv", *WIDE], "spectrum bins from 1 and from 1.05 GeV overlap"),
    (["limit", "wide.csv", *WIDE], "wide.csv: spectrum bin from 1.1 to 1.3 GeV is not as"),
    (["limit", "differ.csv", *WIDE, "--conversion", "1"], "b and a have different mass bins"),
    (["limit", "joint.csv", *WIDE], "channel 'joint', must have a name other than sum, joint"),
    (["limit", "few.csv", *WIDE], "a background needs 3 bins in a row"),
    (["limit", "two.root", *WIDE], "two.root: a spectrum must be .csv"),
    (["limit", "text.json", *WIDE], "text.json: no JSON: "),
]  # fmt: skip
FILES = {
    "nan.csv": "mass_low,mass_high,n\n1,1.1,3\n1.1,1.2,nan\n",
    "negative.csv": "mass_low,mass_high,n\n1,1.1,-1\n",
    "column.csv": "mass_low,mass_high,counts\n1,1.1,1\n",
    "overlap.csv": "mass_low,mass_high,n\n1,1.1,1\n1.05,1.2,1\n",
    "wide.csv": "mass_low,mass_high,n\n1,1.1,1\n1.1,1.3,1\n",
    "differ.csv": "mass_low,mass_high,channel,n\n" + "".join(
        f"{0.1 * i + shift:.2f},{0.1 * i + shift + 0.1:.2f},{name},50\n"
        for name, shift in (("a", 1), ("b", 2))
        for i in range(9)
    ),
    "joint.csv": "mass_low,mass_high,channel,n\n1,1.1,joint,1\n",
    "few.csv": "mass_low,mass_high,n\n1,1.1,1\n1.1,1.2,1\n",
    "text.json": "mass",
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[" ".join(a) for a, _ in MISTAKES])
def test_a_mistake_is_one_line(arguments, message, inside, capsys):
    for name, text in FILES.items():
        (inside / name).write_text(text)
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    errors = capsys.readouterr().err
    assert message in errors.splitlines()[-1]
    assert not (inside / "new.csv").exists()
    assert not (inside / "w").exists()


def test_names_of_the_file(inside):
    assert list(read_spectrum_file("two.csv")) == ["mumu", "ee"]
    kept = read_spectrum_file("two.csv", [(1.0, 1.2), (1.8, 2.0)])["ee"]
    assert kept.bins.mass_low[0] == 1.2
    assert kept.bins.mass_high[-1] == 1.8
