"""The command line: files between verbs are the chain in memory, and a mistake is one line and exit code 2."""

import gzip
import importlib.resources
import json
import math
import os
import re
import signal
import subprocess
import sys
import time

import besfast
import h5py
import numpy as np
import pyhepmc
import pytest
from besfast import store
from besfast.cli import main
from besfast.geometry.card import card_names, load_card

N_EVENTS = 3000
SEED = 18446744073709551615
CUTS = ["--mass-min", "1.5", "--theta-gamma-max", "0.3"]
MUON = 0.1056583755


def write_hepmc3(path, n_events=40, sqrt_s=3.773):
    """Write e+e- -> mu+ mu- events back to back, weighted, without a cross section."""
    rng = np.random.default_rng(5)
    with pyhepmc.open(path, "w") as file:
        for number in range(n_events):
            event = pyhepmc.GenEvent(pyhepmc.Units.GEV, pyhepmc.Units.MM)
            event.event_number = 7 * number
            vertex = pyhepmc.GenVertex()
            for pdg, sign in ((11, 1), (-11, -1)):
                momentum = (0.0, 0.0, sign * math.sqrt(sqrt_s**2 / 4 - 0.51099895e-3**2), sqrt_s / 2)
                vertex.add_particle_in(pyhepmc.GenParticle(momentum, pdg, 4))
            direction = rng.normal(size=3)
            p = direction / np.linalg.norm(direction) * math.sqrt(sqrt_s**2 / 4 - MUON**2)
            for pdg, sign in ((13, 1), (-13, -1)):
                vertex.add_particle_out(pyhepmc.GenParticle((*(sign * p), sqrt_s / 2), pdg, 1))
            event.add_vertex(vertex)
            event.weights = [2.0]
            file.write(event)
    return path


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """Return a folder in which all verbs have run, with two threads."""
    folder = tmp_path_factory.mktemp("chain")
    truth, record, events, selected = (str(folder / f"{name}.h5") for name in ("truth", "record", "events", "selected"))
    common = ["--jobs", "2", "--quiet"]
    made = ["generate", "mumu_isr", "--events", str(N_EVENTS), "--seed", str(SEED), *CUTS, "-o", truth, *common]
    assert main(made) == 0
    assert main(["simulate", truth, "--seed", "3", "-o", record, *common]) == 0
    assert main(["reconstruct", record, "-o", events, *common]) == 0
    assert main(["select", events, "-o", selected, *common]) == 0
    write_hepmc3(folder / "muons.hepmc3")
    data = (folder / "truth.h5").read_bytes()
    (folder / "cut.h5").write_bytes(data[: len(data) // 2])
    packed = gzip.compress((folder / "muons.hepmc3").read_bytes())
    (folder / "muons.hepmc3.gz").write_bytes(packed)
    (folder / "cut.hepmc3.gz").write_bytes(packed[: len(packed) // 2])
    (folder / "nan.h5").write_bytes(data)
    with h5py.File(folder / "nan.h5", "r+") as file:
        file["particle/px"][100] = np.nan
    (folder / "text.txt").write_text("no events here\n")
    for name, text in BAD_TEXTS.items():
        (folder / name).write_text(text)
    (folder / "quick.toml").write_text(quick_search())
    return folder


def quick_search():
    """Return the text of the packaged search with samples as small as they may be."""
    text = (importlib.resources.files("besfast.analysis") / "besiii_dark_photon.toml").read_text()
    for old, new in ((r"simulated = [\d_]+", "simulated = 65536"), ("slices = 16", "slices = 1")):
        text = re.sub(old, new, text)
    return text.replace("mass_step = 0.1 ", "mass_step = 0.5 ").replace("events = 20000", "events = 1000")


BAD_TEXTS = {
    "range.toml": 'base = "besiii"\n[emc.barrel]\nstochastic = -0.02\n',
    "unknown.toml": 'base = "besiii"\n[emc.barel]\nnoise = 0.0\n',
    "syntax.toml": 'base = "besiii"\n[emc\n',
    "cuts.toml": 'base = "besiii_dark_photon"\n[cuts.mumu]\npt_min = -1\n',
    "column.csv": "mass_low,mass_high,n\n1.5,1.51,3\n",
    "number.csv": "mass_low,mass_high,channel,n\n1.5,1.51,mumu,many\n",
    "bins.csv": "mass_low,mass_high,channel,n\n1.5,1.51,mumu,5\n",
    "channel.csv": "mass_low,mass_high,channel,n\n"
    + "".join(f"{1.5 + 0.01 * i:.2f},{1.51 + 0.01 * i:.2f},mumu,5\n" for i in range(190)),
}


@pytest.fixture
def verb(chain, monkeypatch, capsys):
    """Return a function that runs a verb in the folder of the chain: code, standard output, standard error."""
    monkeypatch.chdir(chain)

    def run(*arguments):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
        output, errors = capsys.readouterr()
        return code, output, errors

    return run


def test_files_hold_what_the_chain_gives_in_memory(chain, assert_same):
    spread = load_card("besiii").beam.energy_spread
    truth = besfast.generate("mumu_isr", N_EVENTS, seed=SEED, energy_spread=spread, mass_min=1.5, theta_gamma_max=0.3)
    assert_same(truth, besfast.read(chain / "truth.h5"))
    record = besfast.simulate(truth, card="besiii", seed=3)
    assert_same(record, besfast.read(chain / "record.h5"))
    events = besfast.reconstruct(record, card="besiii")
    assert_same(events, besfast.read(chain / "events.h5"))


@pytest.mark.parametrize("jobs", [1, 3])
def test_threads_change_no_byte(jobs, chain, verb, tmp_path, monkeypatch):
    from besfast import commands, pipeline

    monkeypatch.setattr(commands, "CHUNK", 1024)
    monkeypatch.setattr(pipeline.ordered_map, "__defaults__", (1024,))
    files = [tmp_path / name for name in ("truth.h5", "record.h5", "events.h5", "selected.h5")]
    common = ["--jobs", jobs, "--quiet"]
    assert verb("generate", "mumu_isr", "--events", N_EVENTS, "--seed", SEED, *CUTS, "-o", files[0], *common)[0] == 0
    assert verb("simulate", files[0], "--seed", 3, "-o", files[1], *common)[0] == 0
    assert verb("reconstruct", files[1], "-o", files[2], *common)[0] == 0
    assert verb("select", files[2], "-o", files[3], *common)[0] == 0
    for file in files:
        assert file.read_bytes() == (chain / file.name).read_bytes(), file.name


def test_selection_and_cutflow(chain, verb, tmp_path):
    code, output, errors = verb("select", "events.h5", "-o", tmp_path / "a.h5")
    assert (code, errors) == (0, "")
    rows = [line.split() for line in output.splitlines()]
    assert rows[0] == ["channel", "cut", "entries", "sum", "of", "weights"]
    assert rows[1] == ["mumu", "all", str(N_EVENTS), str(N_EVENTS)]
    flow = [int(row[2]) for row in rows if row[0] == "mumu"]
    assert flow == sorted(flow, reverse=True)
    selected = besfast.read(tmp_path / "a.h5")
    assert flow[-1] == np.count_nonzero(selected.channel == 0) > 100
    steps = [step["step"] for step in json.loads(selected.provenance)]
    assert steps == ["generate", "simulate", "reconstruct", "select"]


@pytest.mark.parametrize("name", ["muons.hepmc3", "muons.hepmc3.gz"])
def test_external_events_run_through(name, chain, verb, tmp_path):
    files = [tmp_path / f"{step}.h5" for step in ("record", "events", "selected")]
    code, output, errors = verb("simulate", name, "-o", files[0], "--tries", 400)
    assert (code, errors) == (0, "")
    assert "simulated 40 events with card besiii, seed 1" in output
    assert verb("reconstruct", files[0], "-o", files[1])[0] == 0
    output = verb("select", files[1], "-o", files[2])[1]
    assert output.splitlines()[1].split() == ["mumu", "all", "40", "80"]
    record = besfast.read(files[0])
    assert record.cross_section == pytest.approx(80.0 / 400)
    assert record.number.tolist() == list(range(40))


def test_default_seed_is_stated_and_printed(verb, tmp_path):
    code, output, errors = verb("generate", "mumu_isr", "--events", 10, "-o", tmp_path / "a.h5")
    assert (code, errors) == (0, "")
    assert "10 events, seed 1, cross section" in output
    for name in ("generate", "simulate", "limit", "search"):
        assert "(default: 1)" in verb(name, "--help")[1]
    assert verb("generate", "mumu_isr", "--events", 10, "-o", tmp_path / "b.h5", "--quiet")[1] == ""
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_overwrite(verb, tmp_path):
    command = ["generate", "mumu_isr", "-o", tmp_path / "a.h5", "--events"]
    assert verb(*command, 10)[0] == 0
    assert verb(*command, 20)[0] == 2
    assert store.n_events(tmp_path / "a.h5") == 10
    assert verb(*command, 20, "--overwrite")[0] == 0
    assert store.n_events(tmp_path / "a.h5") == 20


@pytest.mark.parametrize("n", [0, 1])
def test_few_events(n, verb, tmp_path):
    assert verb("generate", "ee_bhabha", "--events", n, "-o", tmp_path / "truth.h5")[0] == 0
    assert verb("simulate", tmp_path / "truth.h5", "-o", tmp_path / "record.h5")[0] == 0
    assert verb("reconstruct", tmp_path / "record.h5", "-o", tmp_path / "events.h5")[0] == 0
    assert verb("select", tmp_path / "events.h5", "-o", tmp_path / "selected.h5")[0] == 0
    assert store.n_events(tmp_path / "events.h5") == n


def test_inspect(chain, verb):
    code, output, _ = verb("inspect", "truth.h5")
    assert code == 0
    assert f"TruthEvents, schema version 2, {N_EVENTS} events" in output
    assert f"sum of weights {N_EVENTS}, n_eff {N_EVENTS}" in output
    assert f"seed {SEED}" in output
    for column in ("px", "event_sqrt_s"):
        assert any(column in line and "[GeV]" in line for line in output.splitlines())
    code, output, _ = verb("inspect", "muons.hepmc3.gz")
    assert code == 0
    assert "HepMC3, 40 events, frame cm, sqrt(s) 3.773 GeV" in output
    assert "no cross section" in output
    assert "sum of weights 80, n_eff 40" in output
    assert "40 of pdg -13, 40 of pdg 13" in output


def test_cards(chain, verb, tmp_path):
    assert [line.split()[0] for line in verb("card", "list")[1].splitlines()] == list(card_names())
    text = verb("card", "show", "besiii")[1]
    (tmp_path / "mine.toml").write_text(text)
    code, output, _ = verb("card", "check", tmp_path / "mine.toml")
    assert code == 0
    assert output.startswith(f"{tmp_path / 'mine.toml'}: good, card besiii")
    assert "sigma(pt)/pt at 1 GeV" in output
    assert "warning" not in output
    (tmp_path / "odd.toml").write_text('base = "besiii"\n[emc.barrel]\nfront_radius = 60.0\n')
    code, output, _ = verb("card", "check", tmp_path / "odd.toml")
    assert code == 0
    assert "warning: emc.barrel.front_radius = 60 cm is inside tof.barrel.radius = 83.5 cm" in output
    output = verb("card", "diff", "besiii", "besiii_0.9T")[1]
    assert ["field.bz", "[T]", "1.0", "0.9", "published", "published"] in [line.split() for line in output.splitlines()]
    assert verb("card", "diff", "besiii", "besiii")[1] == "besiii and besiii do not differ\n"
    (tmp_path / "all.toml").write_text(verb("card", "show", "besiii_2015", "--resolved")[1])
    assert load_card(tmp_path / "all.toml") == load_card("besiii_2015")
    (tmp_path / "template.toml").write_text(verb("card", "template", "--base", "stcf")[1])
    assert load_card(tmp_path / "template.toml") == load_card("stcf")
    assert verb("card", "template", "--markdown")[1].startswith("### `card`")


def test_version(verb):
    assert verb("--version") == (0, f"besfast {besfast.__version__}\n", "")


GENERATE = ["generate", "mumu_isr", "--events", "10", "-o", "new.h5"]
DARK = ["generate", "dark_photon", "--events", "10", "-o", "new.h5"]
SEARCH = ["search", "--out", "new"]
MISTAKES = [
    ([], "the following arguments are required: VERB"),
    (["serch"], "invalid choice: 'serch'"),
    (["generate", "mumu", "--events", "10", "-o", "new.h5"], "process = 'mumu', must be one of mumu_isr, "),
    (["generate", "mumu_isr", "--events", "10"], "the following arguments are required: -o/--output"),
    (["generate", "mumu_isr", "--events", "-1", "-o", "new.h5"], "n_events = -1, must be an integer of at least 0"),
    (["generate", "mumu_isr", "--events", "many", "-o", "new.h5"], "argument --events: invalid int value: 'many'"),
    (
        ["generate", "jpsi_isr", "--events", "10", "-o", "new.h5", "--mass-min", "2"],
        "jpsi_isr has no option",
    ),
    ([*GENERATE, "--colour", "red"], "unrecognized arguments: --colour red"),
    ([*GENERATE, "--mass", "2"], "mumu_isr has no option 'mass', it takes mass_min, "),
    ([*GENERATE, "--mass-max", "5"], "mass_max = 5.0, must be a number in (0.211317, 3.773) GeV"),
    ([*GENERATE, "--mass-min", "nan"], "mass_min = nan, must be a number in [0.211317, 3.773) GeV"),
    ([*GENERATE, "--mass-min", "3.2", "--mass-max", "3.1"], "mass_min = 3.2, must be below mass_max = 3.1 GeV"),
    ([*GENERATE, "--order", "nlo"], "order = 'nlo', must be 'lo'"),
    ([*GENERATE, "--sqrt-s", "-1"], "sqrt_s = -1.0, must be a number in [0.5, 1000) GeV"),
    ([*GENERATE, "--seed", "-1"], "seed = -1, must be in [0, 2**64)"),
    ([*GENERATE, "--seed", str(2**64)], f"seed = {2**64}, must be in [0, 2**64)"),
    ([*GENERATE, "--seed", "one"], "argument --seed: invalid int value: 'one'"),
    ([*GENERATE, "--jobs", "0"], "--jobs = 0, must be at least 1"),
    (
        [*GENERATE, "--card", "nowhere"],
        "nowhere: no such card, allowed babar, belle2, besiii, besiii_0.9T, ",
    ),
    ([*GENERATE, "--card", "range.toml"], "range.toml: emc.barrel.stochastic = -0.02, allowed (0, 1] GeV^exponent"),
    ([*GENERATE, "--card", "unknown.toml"], "unknown.toml: unknown key emc.barel, allowed barrel, endcap, "),
    ([*GENERATE, "--card", "syntax.toml"], "syntax.toml: not valid TOML: Expected ']'"),
    (["generate", "mumu_isr", "--events", "10", "-o", "truth.h5"], "truth.h5: exists already; use --overwrite"),
    (["generate", "mumu_isr", "--events", "10", "-o", "truth.h5/new.h5"], "the folder truth.h5 does not exist"),
    (["generate", "mumu_isr", "--events", "10", "-o", "."], ".: is a folder, must be a file name"),
    (DARK, "dark_photon needs the option mass [GeV]"),
    ([*DARK, "--mass", "5"], "mass = 5.0, must be a number in (0.211317, 3.773) GeV"),
    ([*DARK, "--mass", "2", "--lepton", "tau"], "lepton = 'tau', must be one of 'mu', 'e'"),
    ([*DARK, "--mass", "2", "--epsilon", "0"], "epsilon = 0.0, must be a number in (0, 1)"),
    (["simulate", "none.h5", "-o", "new.h5"], "none.h5: no such file"),
    (["simulate", "text.txt", "-o", "new.h5"], "text.txt: neither HDF5 nor HepMC3"),
    (["simulate", "cut.h5", "-o", "new.h5"], "cut.h5: damaged or truncated HDF5 file (truncated file: eof"),
    (["simulate", "cut.hepmc3.gz", "-o", "new.h5"], "cut.hepmc3.gz: cut off after "),
    (["simulate", "nan.h5", "-o", "new.h5"], "nan.h5: px = nan in event 33, must be finite"),
    (["simulate", "record.h5", "-o", "new.h5"], "record.h5: holds DetectorRecord, besfast simulate reads TruthEvents"),
    (["simulate", "truth.h5", "-o", "record.h5"], "record.h5: exists already"),
    (["simulate", "truth.h5", "-o", "new.h5", "--seed", "-1"], "seed = -1, must be in [0, 2**64)"),
    (
        ["simulate", "truth.h5", "-o", "new.h5", "--tries", "5"],
        "truth.h5: tries can be given for HepMC3 and LHE",
    ),
    (["simulate", "muons.hepmc3", "-o", "new.h5", "--weight", "up"], "weight = 'up', must be one of "),
    (["simulate", "muons.hepmc3", "-o", "new.h5", "--cross-section", "-1"], "cross_section = -1.0, must be positive"),
    (["reconstruct", "truth.h5", "-o", "new.h5"], "truth.h5: holds TruthEvents, besfast reconstruct reads Detector"),
    (["reconstruct", "muons.hepmc3", "-o", "new.h5"], "muons.hepmc3: not an HDF5 file, besfast reconstruct reads"),
    (["reconstruct", "record.h5", "-o", "new.h5", "--card", "range.toml"], "allowed (0, 1] GeV^exponent"),
    (["select", "record.h5", "-o", "new.h5"], "record.h5: holds DetectorRecord, besfast select reads RecoEvents"),
    (["select", "events.h5", "-o", "new.h5", "--jobs", "0"], "--jobs = 0, must be at least 1"),
    (["select", "events.h5", "-o", "new.h5", "--search", "none"], "none: no such search, allowed besiii_dark_photon"),
    (["select", "events.h5", "-o", "new.h5", "--search", "cuts.toml"], "cuts.toml: cuts.mumu.pt_min = -1.0, allowed "),
    (["limit", "events.h5", "-o", "new.csv"], "events.h5: holds RecoEvents, besfast limit reads SelectedEvents"),
    (["limit", "selected.h5", "-o", "new.csv", "--luminosity", "-1"], "luminosity = -1.0, allowed (0, 1e5] fb^-1"),
    (["limit", "column.csv", "-o", "new.csv"], "column.csv: no column channel; needed are mass_low, "),
    (["limit", "channel.csv", "-o", "new.csv", "--search", "quick.toml"], "mumu: QED yield N_B = "),
    (["limit", "none.csv", "-o", "new.csv"], "none.csv: No such file or directory"),
    (["inspect", "none.h5"], "none.h5: no such file"),
    (["inspect", "text.txt"], "text.txt: neither HDF5 nor HepMC3"),
    (["inspect", "cut.h5"], "cut.h5: damaged or truncated HDF5 file"),
    (["card"], "the following arguments are required: ACTION"),
    (
        ["card", "show", "none"],
        "none: no such card, allowed babar, belle2, besiii, besiii_0.9T, ",
    ),
    (["card", "diff", "besiii", "none"], "none: no such card, allowed babar, belle2"),
    (["card", "template", "--base", "none"], "none: no such card, allowed babar, belle2"),
    (["card", "check", "range.toml"], "range.toml: emc.barrel.stochastic = -0.02, allowed (0, 1] GeV^exponent"),
    (["card", "check", "truth.h5"], "truth.h5: not a text file, allowed TOML in UTF-8"),
    ([*SEARCH, "--luminosity", "-1"], "luminosity = -1.0, allowed (0, 1e5] fb^-1"),
    ([*SEARCH, "--luminosity", "nan"], "luminosity = nan, allowed (0, 1e5] fb^-1"),
    ([*SEARCH, "--pseudo-data", "real"], "argument --pseudo-data: invalid choice: 'real'"),
    ([*SEARCH, "--seed", "-1"], "seed = -1, must be in [0, 2**64)"),
    ([*SEARCH, "--jobs", "0"], "--jobs = 0, must be at least 1"),
    ([*SEARCH, "--card", "unknown.toml"], "unknown.toml: unknown key emc.barel"),
    ([*SEARCH, "--inject", "2.5"], "inject = '2.5', must be MASS:EPSILON, e.g. 2.5:3e-3"),
    ([*SEARCH, "--inject", "heavy:1e-3"], "inject = 'heavy:1e-3', must be MASS:EPSILON"),
    ([*SEARCH, "--inject", "5:1e-3"], "inject = '5:1e-3', allowed: 0.3 < MASS < 3.773 GeV and 0 < EPSILON < 1"),
    ([*SEARCH, "--input", "muons.hepmc3"], "input = 'muons.hepmc3', must be PROCESS=FILE with a process of mumu_isr"),
    ([*SEARCH, "--input", "muons=muons.hepmc3"], "input = 'muons=muons.hepmc3', must be PROCESS=FILE"),
    ([*SEARCH, "--input", "mumu_isr=none.hepmc3"], "none.hepmc3: no such file"),
    ([*SEARCH, "--input", "mumu_isr=muons.hepmc3"], "muons.hepmc3: the file gives no cross section; --cross-section"),
    ([*SEARCH, "--input", "mumu_isr=events.h5"], "events.h5: holds RecoEvents, must be TruthEvents, HepMC3 or LHE"),
    ([*SEARCH, "--tries", "5"], "--tries: allowed with --input PROCESS=FILE only"),
    ([*SEARCH, "--data", "column.csv"], "column.csv: no column channel"),
    ([*SEARCH, "--data", "number.csv"], "number.csv:2: n = 'many', must be a number"),
    ([*SEARCH, "--data", "bins.csv"], "the mumu spectrum has no bin from 1.51 to 1.52 GeV"),
    (["search", "none", "--out", "new"], "none: no such search, allowed besiii_dark_photon or the path of a TOML file"),
    (["search", "--out", "."], ".: exists already; use --overwrite"),
    (["search", "--out", "truth.h5"], "truth.h5: is a file, must be the name of a folder"),
    (["search", "--out", "truth.h5/new"], "the folder truth.h5 does not exist"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[" ".join(a) for a, _ in MISTAKES])
def test_a_mistake_is_one_line(arguments, message, chain, verb):
    before = {path.name: path.stat().st_mtime_ns for path in chain.iterdir()}
    code, output, errors = verb(*arguments)
    assert code == 2
    assert output == ""
    last = errors.splitlines()[-1]
    assert message in last
    assert last.startswith("besfast")
    assert ": error: " in last
    assert errors == last + "\n" or errors.startswith("usage: besfast")
    assert {path.name: path.stat().st_mtime_ns for path in chain.iterdir()} == before


def besfast_process(*arguments, cwd):
    command = [sys.executable, "-m", "besfast", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interrupted_verb_leaves_nothing(tmp_path):
    process = besfast_process("generate", "mumu_isr", "--events", 10**7, "-o", "a.h5", cwd=tmp_path)
    deadline = time.monotonic() + 120
    while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (130, b"", b"besfast: interrupted\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_a_closed_pipe_is_no_error(tmp_path):
    process = besfast_process("card", "show", "besiii", cwd=tmp_path)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) == 141
