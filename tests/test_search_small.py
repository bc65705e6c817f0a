"""The whole search in small: a tiny luminosity and tiny samples, through all of its modes and outputs."""

import csv
import importlib.resources
import json

import besfast
import numpy as np
import pytest
from besfast.analysis.search_card import load_search
from besfast.analysis.spectrum import read_spectra
from besfast.cli import main
from besfast.measured import measured_spectra

SMALL = {
    "luminosity = 2.93 ": "luminosity = 0.05 ",
    "simulated = 14_400_000\nslices = 16": "simulated = 131072\nslices = 2",
    "simulated = 8_000_000\nslices = 16": "simulated = 131072\nslices = 2",
    "simulated = 1_000_000": "simulated = 65536",
    "simulated = 300_000": "simulated = 65536",
    "mass_step = 0.1 ": "mass_step = 0.3 ",
    "events = 20000": "events = 2048",
}
FIGURES = ("spectra", "residuals", "epsilon", "bump_hunt", "spurious_signal")
TABLES = (
    "cutflow",
    "spectra",
    "limits",
    "expected_limits",
    "backgrounds",
    "bump_hunt",
    "bump_hunt_projection",
    "gain",
    "spurious_signal",
    "systematics",
)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Return the path of the packaged search with small samples."""
    text = (importlib.resources.files("besfast.analysis") / "besiii_dark_photon.toml").read_text()
    for old, new in SMALL.items():
        assert old in text, old
        text = text.replace(old, new)
    path = tmp_path_factory.mktemp("search") / "small.toml"
    path.write_text(text)
    return path


def rows(path):
    with open(path) as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


@pytest.fixture(scope="module")
def result(small, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "result"
    return besfast.search(small, out=out, seed=3, jobs=2, chunk=8192, inject="2.505:0.02")


def test_folder_holds_everything(result):
    names = {path.name for path in result.out.iterdir()}
    figures = {f"{stem}.{kind}" for stem in FIGURES for kind in ("png", "pdf")}
    assert names == figures | {f"{stem}.csv" for stem in TABLES} | {"manifest.json"}
    limits = rows(result.out / "limits.csv")
    assert len(limits) == 4 * 165
    needed = (
        "mass_low mass_high combination n background background_error leverage residual significance pull n_up n_b "
        "containment n_f delta_syst epsilon2_up epsilon_up method delta flags"
    )
    assert set(needed.split()) <= set(limits[0])
    spectra = rows(result.out / "spectra.csv")
    assert len(spectra) == 2 * 190
    manifest = json.loads((result.out / "manifest.json").read_text())
    assert manifest["seed"] == "3"
    assert len(set(manifest["seeds"].values())) == len(manifest["seeds"])
    bhabha = manifest["expectation"]["ee_bhabha"]
    fits = [value for value in bhabha.values() if isinstance(value, dict)]
    assert len(fits) == 4
    assert all(fit["p_value"] > 1e-3 for fit in fits)
    # with any number of photons the maximum leaves 1e-4 of the cross section above it (sim/radiative/adaptation.py)
    assert all(sample["overflow"] < 5e-4 for sample in manifest["data"].values())


def test_cutflow_falls_and_ends_in_the_spectrum(result):
    flow = rows(result.out / "cutflow.csv")
    for sample in {(row["sample"], row["process"], row["channel"]) for row in flow}:
        entries = [int(r["entries"]) for r in flow if (r["sample"], r["process"], r["channel"]) == sample]
        assert entries == sorted(entries, reverse=True)
        assert len(entries) == 9
    data = [r for r in flow if r["sample"] == "data" and r["cut"] == "mass_range" and r["channel"] == "mumu"]
    counts = [r for r in rows(result.out / "spectra.csv") if r["channel"] == "mumu"]
    assert sum(int(r["entries"]) for r in data) == sum(float(r["n"]) for r in counts)


def test_injected_signal_stands_out(result):
    """At 0.05 fb^-1, epsilon = 0.02 gives hundreds of events in one bin of the mumu spectrum."""
    mumu = result.limits["combination"] == "mumu"
    low = np.asarray(result.limits["mass_low"])[mumu]
    pull = np.asarray(result.limits["pull"])[mumu]
    assert low[np.argmax(pull)] == pytest.approx(2.50)
    assert pull.max() > 6.0


def test_bump_hunt_finds_the_injected_signal(result):
    """Mass within the resolution, epsilon^2 within three of its errors, in the same events as the counting."""
    table = rows(result.out / "bump_hunt.csv")
    names = {row["limit"] for row in table}
    assert names == {"bounded_two_sided_90", "cls_90", "cls_95"}
    first = [row for row in table if row["limit"] == "bounded_two_sided_90"]
    assert len(first) == 660
    best = max(first, key=lambda row: float(row["z"]))
    assert float(best["mass"]) == pytest.approx(2.505, abs=0.004)
    assert float(best["epsilon2_hat"]) == pytest.approx(4e-4, abs=3.0 * float(best["epsilon2_error"]) + 2e-5)
    bands = [float(best[f"expected_epsilon_{n}"]) for n in ("minus_2", "minus_1", "median", "plus_1", "plus_2")]
    assert bands == sorted(bands)
    assert float(best["epsilon_up"]) ** 2 == pytest.approx(float(best["epsilon2_up"]))
    manifest = json.loads((result.out / "manifest.json").read_text())["bump_hunt"]
    assert manifest["note"] == ""
    assert manifest["failed"] == 0
    assert manifest["largest_excess"]["mass"] == float(best["mass"])
    narrow = sum(channel.counts.sum() for channel in result.hunted.hunt.model.channels)
    assert narrow == sum(channel.n.sum() for channel in result.channels)


def test_sliding_windows_are_free_of_spurious_signal(result):
    """At a sixtieth of the luminosity, a bias far below the 0.2 sigma that are allowed."""
    for (luminosity, model, _), found in result.hunted.spurious.found.items():
        if luminosity < 1.0 and model == "sliding_window":
            assert found.largest < 0.05


def test_bump_hunt_expects_more_than_counting(result):
    """The template and the weights of the channels gain in every region."""
    gain = [row for row in rows(result.out / "gain.csv") if row["combination"] == "joint"]
    assert all(float(row["gain"]) > 1.0 for row in gain)


def test_counts_are_integers_and_limits_are_finite(result):
    for channel in result.channels:
        assert np.array_equal(channel.n, np.round(channel.n))
    assert np.all(np.isfinite(result.limits["epsilon_up"]))
    assert np.all(np.asarray(result.limits["epsilon_up"]) > 0.0)


@pytest.mark.long
def test_threads_and_chunks_change_no_bit(small, result, tmp_path):
    """limits.csv of one thread and another chunk is the same file, bit for bit."""
    other = besfast.search(small, out=tmp_path / "other", seed=3, jobs=1, chunk=4096, inject="2.505:0.02")
    for name in ("limits.csv", "expected_limits.csv", "spectra.csv", "cutflow.csv", "bump_hunt.csv"):
        assert (other.out / name).read_bytes() == (result.out / name).read_bytes(), name


@pytest.mark.long
def test_asimov_is_the_expectation(small):
    """Without fluctuations the observed limit is close to the expected one everywhere the fit describes the shape."""
    asimov = besfast.search(small, out=None, seed=3, jobs=2, pseudo_data="asimov")
    ratio = np.asarray(asimov.limits["epsilon_up"]) / np.asarray(asimov.expected["epsilon_up"])
    assert np.median(np.abs(ratio - 1.0)) < 0.05


@pytest.mark.long
def test_measured_spectrum_in_place_of_pseudo_data(small, result, tmp_path):
    """A spectrum given as a file gives the limits of that spectrum."""
    path = tmp_path / "spectrum.csv"
    lines = ["# a measured spectrum", "mass_low,mass_high,channel,n"]
    for row in rows(result.out / "spectra.csv"):
        if 2.95 <= float(row["mass_low"]) < 3.20:
            continue  # a published spectrum has no bins where nothing was searched
        lines.append(f"{row['mass_low']},{row['mass_high']},{row['channel']},{float(row['n'])}")
    path.write_text("\n".join(lines) + "\n")
    again = besfast.search(small, out=tmp_path / "again", seed=3, jobs=2, data=path)
    assert np.array_equal(again.limits["epsilon_up"], result.limits["epsilon_up"])
    assert "10 MeV" in again.manifest["bump_hunt"]["note"]
    assert again.hunted.hunt.bin_width == pytest.approx(0.01)
    gap = [row for row in rows(again.out / "spectra.csv") if row["n"] == "nan"]
    assert len(gap) == 2 * 25
    # wider bins see the same peak and expect a little less
    wide, narrow = again.hunted.hunt.result, result.hunted.hunt.result
    assert wide.masses[np.argmax(wide.z)] == pytest.approx(2.505, abs=0.006)
    assert wide.z.max() == pytest.approx(narrow.z.max(), rel=0.1)
    loss = np.median(again.hunted.hunt.expected / result.hunted.hunt.expected)
    assert 1.0 < loss < 1.06
    with pytest.raises(ValueError, match="inject"):
        besfast.search(small, out=None, data=path, inject="2.0:1e-3")


def test_measured_spectrum_in_narrow_bins(small, result, tmp_path):
    """In the bins of the bump hunt it is the same search; in any others the message says which are needed."""
    lines = ["mass_low,mass_high,channel,n"]
    for channel in result.hunted.hunt.model.channels:
        edges = zip(channel.bins.mass_low, channel.bins.mass_high, channel.counts, strict=True)
        lines += [f"{low:.10g},{high:.10g},{channel.name},{n:.0f}" for low, high, n in edges]
    path = tmp_path / "narrow.csv"
    path.write_text("\n".join(lines) + "\n")
    search = load_search(small)
    measured = measured_spectra(read_spectra(path), search, all_channels=True)
    for one in result.channels:
        counts = measured.wide[one.channel].counts
        assert np.array_equal(counts[np.isfinite(counts)], one.n)
    for channel in result.hunted.hunt.model.channels:
        assert np.array_equal(measured.narrow[channel.name].counts, channel.counts)
    other = tmp_path / "other.csv"
    low = np.round(1.5 + 0.005 * np.arange(380), 10)
    text = [f"{a:.10g},{a + 0.005:.10g},{c},100" for c in ("mumu", "ee") for a in low]
    other.write_text("\n".join([lines[0], *text]) + "\n")
    with pytest.raises(ValueError, match=r"the mumu spectrum has bins of 5 MeV, needed are 10 MeV, .* or 2 MeV"):
        measured_spectra(read_spectra(other), search)


@pytest.mark.long
def test_bump_hunt_of_selected_events(small, result, tmp_path):
    """The verb `limit` with --method bump-hunt: the limits of the search for the same simulation."""
    lines = ["mass_low,mass_high,channel,n"]
    for channel in result.hunted.hunt.model.channels:
        edges = zip(channel.bins.mass_low, channel.bins.mass_high, channel.counts, strict=True)
        lines += [f"{low:.10g},{high:.10g},{channel.name},{n:.0f}" for low, high, n in edges]
    path, out = tmp_path / "narrow.csv", tmp_path / "limits.csv"
    path.write_text("\n".join(lines) + "\n")
    arguments = ["limit", str(path), "--search", str(small), "--seed", "3", "--method", "bump-hunt", "-o", str(out)]
    assert main([*arguments, "--quiet"]) == 0
    found = rows(out)
    expected = rows(result.out / "bump_hunt.csv")
    assert [row["epsilon_up"] for row in found] == [row["epsilon_up"] for row in expected]
    assert "largest excess" in out.read_text()[:400]


def test_verdicts_of_the_backgrounds(result):
    """One row per channel and option; what the search uses is what its manifest and its limits say."""
    table = rows(result.out / "backgrounds.csv")
    assert len(table) == 2 * 6 + 1
    manifest = json.loads((result.out / "manifest.json").read_text())["background"]
    for channel in ("mumu", "ee"):
        used = next(row for row in table if row["channel"] == channel and row["option"] == "as_fitted")
        assert used["order"] == " ".join(map(str, manifest[channel]["order"]))
        assert (used["background_ok"] == "True") == manifest[channel]["background_ok"]
        assert float(used["spurious_largest"]) == pytest.approx(manifest[channel]["spurious_signal"])
        assert (used["reasons"] == "") == manifest[channel]["background_ok"]
        whole = next(row for row in table if row["channel"] == channel and row["option"] == "poly4")
        assert float(whole["spurious_largest"]) > float(used["spurious_largest"])
    flagged = {row["combination"] for row in rows(result.out / "limits.csv") if "background_not_ok" in row["flags"]}
    assert flagged == {c for c in ("mumu", "ee") if not manifest[c]["background_ok"]} | (
        set() if all(manifest[c]["background_ok"] for c in manifest) else {"sum", "joint"}
    )


def test_existing_folder_is_kept(small, result):
    with pytest.raises(FileExistsError, match="exists already"):
        besfast.search(small, out=result.out, seed=3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"luminosity": -1.0}, "luminosity"),
        ({"inject": "abc"}, "MASS:EPSILON"),
        ({"inject": "5.0:1e-3"}, "allowed"),
        ({"pseudo_data": "nonsense"}, "hybrid"),
        ({"jobs": 0}, "jobs"),
        ({"chunk": 1000}, "1024"),
        ({"seed": -1}, "seed"),
        ({"inputs": ["nonsense=x"]}, "PROCESS=FILE"),
        ({"card": "nonsense"}, "nonsense"),
        ({"luminosity": True}, "luminosity"),
        ({"inject": (2.0, 1e-3)}, "MASS:EPSILON"),
    ],
)
def test_wrong_arguments_are_named(small, tmp_path, arguments, message):
    with pytest.raises((ValueError, TypeError, OSError), match=message):
        besfast.search(small, out=tmp_path / "x", **arguments)
    assert not (tmp_path / "x").exists()


def test_double_count_is_refused(small, tmp_path):
    """ee_bhabha contains ee_annihilation: a search that adds both is refused."""
    text = small.read_text() + (
        '\n[[process]]\nname = "ee_annihilation"\nsimulated = 65536\nmass_min = 1.45\nmass_max = 3.46\n'
        "theta_gamma_max = 0.13\nlepton_theta_min = 0.375\nlepton_pt_min = 0.275\n"
    )
    path = tmp_path / "double.toml"
    path.write_text(text)
    assert load_search(path).process[-1].name == "ee_annihilation"
    with pytest.raises(ValueError, match="ee_annihilation"):
        besfast.search(path, out=None, seed=1)
