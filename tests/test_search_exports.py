"""What others read of a finished search: submissions to HEPData, and workspaces of its counting experiments."""

import json
import sys
import zipfile

import numpy as np
import pytest
from besfast.analysis.combination import asimov, limit_table
from besfast.analysis.files.hepdata import write_submission
from besfast.analysis.files.hepdata_tables import search_tables
from besfast.analysis.files.search_workspaces import search_workspaces
from besfast.analysis.table import write_table
from besfast.cli import main

from .expectation import BINS, channels

# hepdata_validator leaves its files open; pyhf uses what jsonschema will drop
pytestmark = [
    pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*unclosed file"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def column(table, name, combination):
    return np.asarray(table[name])[np.asarray(table["combination"]) == combination]


@pytest.fixture(scope="module")
def tables():
    both = channels(seed=1)
    return limit_table(both), limit_table([asimov(channel) for channel in both]), both


@pytest.fixture(scope="module")
def folder(tables, tmp_path_factory):
    """The folder of a search, as `besfast search --out` leaves it, with a bin of the gap."""
    folder = tmp_path_factory.mktemp("search")
    observed, expected, both = tables
    write_table(folder / "limits.csv", observed, ["a comment"])
    write_table(folder / "expected_limits.csv", expected)
    spectra = {name: [] for name in ("mass_low", "mass_high", "channel", "n", "background", "background_error",
                                     "annihilation_fraction", "annihilation_fraction_error", "containment",
                                     "containment_error", "mass_resolution")}  # fmt: skip
    for one in both:
        for i in range(165):
            row = (BINS.mass_low[i], BINS.mass_high[i], one.channel, one.n[i], one.background.predicted[i],
                   one.background.sigma_predicted[i], one.annihilation_fraction[i],
                   one.annihilation_fraction_error[i], one.containment[i], one.containment_error[i], 0.005)  # fmt: skip
            for name, value in zip(spectra, row):
                spectra[name].append(value)
        for name, value in zip(spectra, (2.95, 2.96, one.channel, 7.0, *[np.nan] * 2, 0.5, 0.1, 0.7, 0.1, 0.005)):
            spectra[name].append(value)
    write_table(folder / "spectra.csv", spectra)
    manifest = {"search": "narrow", "card": "besiii", "luminosity_fb": 2.93, "pseudo_data": "hybrid"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def read_submission(folder):
    yaml = pytest.importorskip("yaml")
    documents = list(yaml.safe_load_all((folder / "submission.yaml").read_text()))
    return documents[0], {one["name"]: yaml.safe_load((folder / one["data_file"]).read_text()) for one in documents[1:]}


def test_a_submission_reads_back(folder, tables, tmp_path):
    """Every limit to eight digits, conventions beside every curve, and valid for HEPData (checked on writing)."""
    pytest.importorskip("hepdata_lib")
    names = write_submission(folder, tmp_path)
    assert names == ["Limits sum", "Limits joint", "Limits mumu", "Limits ee", "Spectrum mumu", "Corrections mumu",
                     "Spectrum ee", "Corrections ee"]  # fmt: skip
    head, read = read_submission(tmp_path)
    assert "narrow, pseudo-data hybrid" in head["comment"]
    assert list(read) == names
    for combination in ("sum", "joint", "mumu", "ee"):
        table = read[f"Limits {combination}"]
        masses = [(row["low"], row["high"]) for row in table["independent_variables"][0]["values"]]
        assert masses == list(zip(BINS.mass_low, BINS.mass_high))
        curves = {one["header"]["name"]: one for one in table["dependent_variables"]}
        assert len(curves) == len(table["dependent_variables"])
        for name, source, values in (
            ("Upper limit on epsilon", tables[0], "epsilon_up"),
            ("Expected upper limit on epsilon, median", tables[1], "epsilon_up"),
            ("Local significance", tables[0], "pull"),
            ("Expected background", tables[0], "background"),
        ):
            found = [row["value"] for row in curves[name]["values"]]
            assert np.allclose(found, column(source, values, combination), rtol=1e-7, atol=0.0), name
        errors = [row["errors"][0]["symerror"] for row in curves["Expected background"]["values"]]
        assert np.allclose(errors, column(tables[0], "background_error", combination), rtol=1e-7)
        for curve in curves.values():
            qualifiers = {one["name"]: one["value"] for one in curve["qualifiers"]}
            assert qualifiers["CL"] == 90.0
            assert qualifiers["DELTA(-2 LN L)"] == pytest.approx(2.705543454)
            assert qualifiers["SIDEDNESS"] == "two-sided 90 %, about 95 % one-sided"
            assert "bounded profile likelihood" in qualifiers["METHOD"]
            assert qualifiers["SQRT(S)"] == pytest.approx(3.773)
            assert qualifiers["LUMINOSITY"] == 2.93


def test_spectra_and_corrections(folder, tmp_path, tables):
    pytest.importorskip("hepdata_lib")
    write_submission(folder, tmp_path, luminosity=20.3)
    _, read = read_submission(tmp_path)
    events, background = read["Spectrum ee"]["dependent_variables"]
    assert [row["value"] for row in events["values"]] == [*tables[2][1].n, 7.0]
    assert background["values"][-1] == {"value": "-"}  # not fitted in the gap
    assert {one["name"]: one["value"] for one in events["qualifiers"]}["LUMINOSITY"] == 20.3
    names = [one["header"]["name"] for one in read["Corrections ee"]["dependent_variables"]]
    assert names == ["Annihilation over all lepton pairs", "Signal contained in the bin of its mass",
                     "Mass resolution, half the central 68 %"]  # fmt: skip
    with zipfile.ZipFile(tmp_path / "submission.zip") as archive:
        assert sorted(archive.namelist()) == sorted(p.name for p in tmp_path.iterdir() if p.suffix == ".yaml")


def test_no_limit_is_a_dash_or_infinite(tmp_path):
    pytest.importorskip("hepdata_lib")
    table = {
        "mass": [1.0, 1.1, 1.2], "combination": ["all"] * 3, "upper": [1.0, np.nan, np.inf], "quantity": ["yield"] * 3,
        "method": ["bump hunt, CLs"] * 3, "delta": [np.nan] * 3, "sidedness": ["one-sided 95 %"] * 3,
    }  # fmt: skip
    write_table(tmp_path / "limits.csv", table)
    (tmp_path / "out").mkdir()
    assert write_submission(tmp_path / "limits.csv", tmp_path / "out") == ["Limits all"]
    _, read = read_submission(tmp_path / "out")
    (curve,) = read["Limits all"]["dependent_variables"]
    assert curve["header"]["name"] == "Upper limit on the yield of the signal"
    assert [row["value"] for row in curve["values"]] == [1.0, "-", "inf"]
    assert [row["value"] for row in read["Limits all"]["independent_variables"][0]["values"]] == [1.0, 1.1, 1.2]
    assert {one["name"]: one["value"] for one in curve["qualifiers"]} == {
        "CL": 95.0, "METHOD": "bump hunt, CLs", "DELTA(-2 LN L)": "none", "SIDEDNESS": "one-sided 95 %",
        "COMBINATION": "all",
    }  # fmt: skip


def test_archive_is_the_same_file_again(folder, tmp_path):
    pytest.importorskip("hepdata_lib")
    archives = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_submission(folder, tmp_path / name)
        archives.append((tmp_path / name / "submission.zip").read_bytes())
    assert archives[0] == archives[1]


def test_verbs(folder, tmp_path, capsys):
    pytest.importorskip("hepdata_lib")
    assert main(["export", "hepdata", str(folder), "-o", str(tmp_path / "hepdata")]) == 0
    assert main(["export", "pyhf", str(folder), "-o", str(tmp_path / "pyhf")]) == 0
    out = capsys.readouterr().out
    assert "8 tables of " in out
    assert "165 workspaces of " in out
    assert len(list((tmp_path / "pyhf").glob("mass_*.json"))) == 165
    assert main(["export", "pyhf", str(folder), "-o", str(tmp_path / "pyhf")]) == 2
    assert "exists already; use --overwrite" in capsys.readouterr().err
    assert main(["export", "hepdata", str(folder / "spectra.csv"), "-o", str(tmp_path / "x")]) == 2
    assert "no column combination, method, delta, sidedness" in capsys.readouterr().err
    assert main(["export", "hepdata", str(folder / "none.csv"), "-o", str(tmp_path / "x")]) == 2
    assert not (tmp_path / "x").exists()


def test_without_the_library_it_says_what_to_install(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "hepdata_lib", None)
    with pytest.raises(ValueError, match=r"needs the package hepdata_lib: python3 -m pip install 'besfast\[hepdata\]'"):
        write_submission(folder, tmp_path)
    assert len(search_tables(folder)[1]) == 8


@pytest.mark.parametrize("bin_number", [0, 80, 164])
def test_joint_limits_of_the_exported_workspaces(folder, tables, bin_number):
    """pyhf's q-mu-tilde at our joint limit on epsilon^2 is the delta of its convention, to 1e-5 of the limit."""
    pyhf = pytest.importorskip("pyhf")
    pytest.importorskip("iminuit")
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-5, strategy=1))
    workspace = search_workspaces(folder)[round(float(BINS.centre[bin_number]), 10)]
    model = pyhf.Workspace(workspace.specification).model()
    data = pyhf.Workspace(workspace.specification).data(model)
    config = model.config
    settings = config.suggested_init(), config.suggested_bounds(), config.suggested_fixed()
    mu = column(tables[0], "epsilon2_up", "joint")[bin_number] / workspace.strength
    low, q, high = (
        float(pyhf.infer.test_statistics.qmu_tilde(mu * step, data, model, *settings)) for step in (0.999, 1.0, 1.001)
    )
    assert abs((q - 2.705543454) / ((high - low) / 0.002)) < 1e-5


def test_workspaces_of_a_single_channel(tables, tmp_path):
    table = limit_table(tables[2][:1])
    write_table(tmp_path / "limits.csv", table)
    workspace = search_workspaces(tmp_path)[1.505]
    assert [channel["name"] for channel in workspace.specification["channels"]] == ["mumu"]
    write_table(tmp_path / "limits.csv", {name: values for name, values in table.items() if name != "n_b"})
    with pytest.raises(ValueError, match=r"limits\.csv: no column n_b"):
        search_workspaces(tmp_path)
