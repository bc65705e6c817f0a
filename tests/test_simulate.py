"""What goes into the detector: boost, vertices, kinds of particles, and the bits that come out."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from besfast.event import COLUMNS, TABLES, concatenate, empty_record, select_events
from besfast.geometry.card import load_card
from besfast.reco.reconstruct import reconstruct
from besfast.rng import key
from besfast.sim.generate import Generator, generate
from besfast.sim.particles import final_state
from besfast.sim.simulate import simulate
from scipy import stats

from .gun import card_with, gun, uniform_gun

BESIII = load_card("besiii")
ANGLE = BESIII.beam.half_crossing_angle


# --- frames and vertices --------------------------------------------------------------------------------------------


def test_boost_into_the_laboratory():
    """The sum of all momenta is P0 = sqrt(s) / cos(a) (sin a, 0, 0, 1); invariant masses are those of the truth."""
    truth = generate("mumu_isr", 500, seed=41)
    lab = final_state(truth, BESIII, *key(1))
    total = [np.bincount(lab.row, getattr(lab, name)) for name in ("energy", "px", "py", "pz")]
    energy = truth.sqrt_s / np.cos(ANGLE)
    for got, wanted in zip(total, (energy, energy * np.sin(ANGLE), 0.0, 0.0)):
        assert np.allclose(got, wanted, atol=1e-12)
    mass2 = lab.energy**2 - lab.px**2 - lab.py**2 - lab.pz**2
    assert np.allclose(mass2, truth.energy**2 - truth.px**2 - truth.py**2 - truth.pz**2, atol=1e-12)
    beta, gamma = np.sin(ANGLE), 1.0 / np.cos(ANGLE)
    assert np.allclose(lab.px, gamma * (truth.px + beta * truth.energy), rtol=1e-12)
    assert np.array_equal(lab.py, truth.py)
    assert np.array_equal(lab.pz, truth.pz)
    assert np.array_equal(truth.px, generate("mumu_isr", 500, seed=41).px), "the truth must stay as it was"


def test_momenta_of_the_laboratory_are_not_boosted():
    truth = generate("mumu_isr", 50, seed=42)._replace(frame="lab")
    lab = final_state(truth, BESIII, *key(1))
    assert np.array_equal(lab.px, truth.px)
    assert np.array_equal(lab.energy, truth.energy)


def test_luminous_region():
    """All particles of an event share its point; widths 270 um, 4 um, 9.7 mm: KS p > 0.001, no correlation."""
    truth = generate("mumu_isr", 20_000, seed=43)
    lab = final_state(truth, BESIII, *key(7))
    points = np.stack([lab.x, lab.y, lab.z]).reshape(3, -1, 3)
    assert (points == points[:, :, :1]).all()
    points = points[:, :, 0]
    for values, width in zip(points, BESIII.beam.spot):
        assert stats.kstest(values / width, "norm").pvalue > 1e-3
    assert np.abs(np.corrcoef(points) - np.eye(3)).max() < 4 / np.sqrt(20_000)
    displaced = truth._replace(vx=truth.vx + 1.0, vz=truth.vz - 2.0)
    shifted = final_state(displaced, BESIII, *key(7))
    assert np.allclose(shifted.x, lab.x + 1.0 / np.cos(ANGLE), atol=1e-14)
    assert np.allclose(shifted.z, lab.z - 2.0, atol=1e-14)
    measured = final_state(displaced._replace(frame="lab"), BESIII, *key(7))
    assert np.allclose(measured.x, lab.x + 1.0, atol=1e-14)


# --- kinds of particles ---------------------------------------------------------------------------------------------


def empty_truth(n_events):
    empty = empty_record("TruthEvents")
    events = {c.name: np.zeros(n_events, dtype=c.dtype) for c in COLUMNS["TruthEvents"] if c.table == "event"}
    return empty._replace(**events, offsets=np.zeros(n_events + 1, dtype=np.int64))


@pytest.mark.parametrize("n_events", [0, 1, 5])
@pytest.mark.parametrize("card", ["besiii", "ideal"])
def test_events_without_particles(n_events, card):
    record = simulate(empty_truth(n_events), card, seed=1)
    reco = reconstruct(record, card)
    for kind, one in (("DetectorRecord", record), ("RecoEvents", reco)):
        for table in TABLES[kind]:
            if table.offsets:
                assert getattr(one, table.offsets).tolist() == [0] * (n_events + 1)
        for column in COLUMNS[kind]:
            values = getattr(one, column.name)
            assert values.shape == (n_events if column.table == "event" else 0, *column.shape), column.name
            assert values.dtype == np.dtype(column.dtype), column.name


def test_columns_have_the_types_of_the_contract():
    truth = generate("pipi_isr", 200, seed=44)
    record = simulate(truth, seed=1)
    reco = reconstruct(record)
    for kind, one in (("DetectorRecord", record), ("RecoEvents", reco)):
        for column in COLUMNS[kind]:
            values = getattr(one, column.name)
            assert values.dtype == np.dtype(column.dtype), column.name
            assert values.shape[1:] == column.shape, column.name
            assert values.flags.f_contiguous, column.name
        assert json.loads(one.provenance)[0]["step"] == "generate"
        assert one.frame == "lab"
        assert one.cross_section == truth.cross_section


def test_photons_only():
    record = simulate(uniform_gun(200, 45, pdg=22, cosine=(-0.7, 0.7)), card_with(matter={"conversion": False}), seed=1)
    assert len(record.helix) == 0
    assert len(record.shower_energy) > 190
    reco = reconstruct(record)
    assert (reco.net_charge == 0).all()
    assert np.isnan(reco.fit_chi2).all()
    assert len(reco.photon_energy) == len(record.shower_energy)


@pytest.mark.parametrize("pdg", [12, -14, 16, 130, 310, 2112, -2112, 3122])
def test_neutrinos_and_neutral_hadrons_leave_nothing(pdg):
    truth = gun([pdg] * 50, 1.0, 0.1, 0.2)._replace(charge=np.zeros(50, dtype=np.int32))
    record = simulate(truth, "ideal", seed=1)
    assert len(record.helix) == len(record.shower_energy) == 0


@pytest.mark.parametrize("status", [2, 3, 4, 21])
def test_only_final_particles_meet_the_detector(status):
    truth = gun([211, 13, 22, -13], 1.0, 0.1, [0.1, 1.0, 2.0, -1.0], per_event=4)
    statuses = np.array([status, 1, 1, 1], dtype=np.int32)
    record = simulate(truth._replace(status=statuses), "ideal", seed=1)
    assert record.track_truth.tolist() == [1, 3]
    assert 0 not in record.shower_truth


@pytest.mark.parametrize(
    ("pdg", "charge"), [(1000010020, 1), (3222, 1), (-3112, 1), (15, -1), (1000020040, 2), (411, 1)]
)
def test_exotic_charged_particles_are_tracked(pdg, charge):
    n = 30
    truth = gun([pdg] * n, 1.0, 0.2, np.linspace(-3, 3, n))._replace(charge=np.full(n, charge, dtype=np.int32))
    reco = reconstruct(simulate(truth, "ideal", seed=1), "ideal")
    assert len(reco.px) == n
    p = np.sqrt(reco.px**2 + reco.py**2 + reco.pz**2)
    assert np.allclose(p * abs(charge), 1.0, rtol=1e-9), "a track measures the rigidity p / |charge|"
    assert (reco.charge == np.sign(charge)).all()
    assert np.isfinite(reco.chi2).all()


def test_particles_along_the_beam_and_at_rest():
    truth = gun([13, -13, 22, 11, 22], [1.0, 1.0, 1.0, 1.5, 0.0], [1.0, -1.0, 1.0, -1.0, 0.0], 0.0)
    for card in ("besiii", "ideal"):
        record = simulate(truth, card, seed=1)
        assert len(record.helix) == 0
        assert np.isfinite(record.shower_energy).all()
        assert len(record.shower_energy) <= (0 if card == "besiii" else 1)


@pytest.mark.parametrize("name", ["px", "py", "pz", "energy", "vx", "vz"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(name, value):
    truth = uniform_gun(20, 46)
    column = getattr(truth, name).copy()
    column[7] = value
    with pytest.raises(ValueError, match=rf"^truth: {name} = {value} in event 7, must be finite$"):
        simulate(truth._replace(**{name: column}), seed=1)


@pytest.mark.parametrize(
    ("seed", "error"), [(-1, ValueError), (2**64, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_seeds_out_of_range_are_refused(seed, error):
    with pytest.raises(error, match="seed = "):
        simulate(uniform_gun(2, 1), seed=seed)


def test_trigger():
    truth = uniform_gun(40_000, 47, cosine=(-0.5, 0.5))
    record = simulate(truth, card_with(trigger={"efficiency": 0.9}, mdc={"efficiency_muon": 1.0}), seed=3)
    n_tracks, n_showers = np.diff(record.track_offsets), np.diff(record.shower_offsets)
    assert abs(n_tracks.mean() - 0.9) < 4 * np.sqrt(0.09 / 40_000)
    assert not n_showers[n_tracks == 0].any()


# --- bits -----------------------------------------------------------------------------------------------------------


def chain(truth, card="besiii", seed=9):
    record = simulate(truth, card, seed=seed)
    return record, reconstruct(record, card)


@pytest.mark.parametrize("process", ["ee_bhabha", "pipi_isr"])
def test_chunks_change_no_bit(process, assert_same):
    """5000 events at once, in pieces of any size, in any order, and in threads."""
    generator = Generator(process, seed=48)
    whole = chain(generator.events(0, 5000))
    cuts = [0, 1, 7, 1024, 1025, 2500, 4096, 4099, 5000]
    spans = list(itertools.pairwise(cuts))[::-1]
    with ThreadPoolExecutor(3) as executor:
        done = list(executor.map(lambda span: chain(generator.events(span[0], span[1] - span[0])), spans))[::-1]
    for i in range(2):
        assert_same(whole[i], concatenate([records[i] for records in done]))


def test_order_of_events_changes_no_bit(assert_same):
    """Events are keyed by their numbers: read backwards they are the same."""
    truth = generate("mumu_isr", 300, seed=49)
    backwards = concatenate([select_events(truth, i, i + 1) for i in range(299, -1, -1)])
    for one, other in zip(chain(truth), chain(backwards)):
        again = concatenate([select_events(other, i, i + 1) for i in range(299, -1, -1)])
        assert_same(one, again)


def test_large_event_numbers():
    """Numbers of 2^32 and more use the upper word of the counter: nothing repeats."""
    truth = uniform_gun(200, 50, cosine=(-0.5, 0.5))
    one = simulate(truth, "besiii", seed=1)
    far = simulate(truth._replace(number=truth.number + 2**32), "besiii", seed=1)
    farther = simulate(truth._replace(number=truth.number + 2**40), "besiii", seed=1)
    assert far.number[0] == 2**32
    assert not np.isin(far.helix[:, 0], one.helix[:, 0]).any()
    assert not np.isin(farther.helix[:, 0], far.helix[:, 0]).any()


def test_seeds_are_independent_and_64_bits_long():
    truth = uniform_gun(200, 51, cosine=(-0.5, 0.5))
    records = [simulate(truth, seed=seed).helix[:, 0] for seed in (1, 2, 1 + 2**32, 2**64 - 1)]
    for i in range(4):
        for j in range(i):
            assert not np.isin(records[i], records[j]).any()


def test_two_cards_on_the_same_dice():
    """A card that differs in one counter changes this counter only."""
    truth = generate("mumu_isr", 1000, seed=52)
    one = simulate(truth, "besiii", seed=5)
    other = simulate(truth, card_with(tof__barrel={"sigma": 0.068}), seed=5)
    changed = {
        column.name
        for column in COLUMNS["DetectorRecord"]
        if not np.array_equal(getattr(one, column.name), getattr(other, column.name), equal_nan=column.dtype == "f8")
    }
    assert changed == {"tof", "tof_sigma"}
    other = simulate(truth, card_with(emc__barrel={"stochastic": 0.03}), seed=5)
    assert np.array_equal(one.helix, other.helix)
    assert np.array_equal(one.muc_depth, other.muc_depth, equal_nan=True)


def test_no_two_ingredients_share_a_counter(run_python):
    """In plain Python every draw is seen: each counter of an event is asked for by one stage only."""
    code = """
import collections, inspect, sys
import numpy as np
from besfast import rng
from besfast.sim import simulate
from besfast.event import TruthEvents, empty_columns

used = collections.defaultdict(set)
original = rng.words
def words(k0, k1, event, particle, stream, block):
    frame = inspect.currentframe().f_back
    used[int(event), int(particle), int(stream), int(block)].add((frame.f_code.co_filename, frame.f_code.co_name))
    return original(k0, k1, event, particle, stream, block)
for module in list(sys.modules.values()):
    if getattr(module, "words", None) is original:
        module.words = words
n = 5
pdg = np.array([11, 13, 211, 2212, 22], dtype=np.int32)
parts = empty_columns("TruthEvents", "event", 1) | empty_columns("TruthEvents", "particle", n)
for name in parts:
    parts[name][:] = 0
parts["pdg"][:], parts["charge"][:], parts["status"][:] = pdg, [-1, -1, 1, 1, 0], 1
parts["px"][:], parts["pz"][:], parts["energy"][:] = 1.0, 0.3, 1.5
simulate.simulate(TruthEvents(offsets=np.array([0, n]), **parts), "besiii", seed=1)
SHARED = {"accept_stage", "draw_energy_stage"}
SHARED |= {"hardest_stage", "radiated_stage", "conversion_stage", "share_stage", "flight_stage", "choice_stage"}
streams = {stream for _, _, stream, _ in used}
print(len(used), sorted(streams))
for counter, stages in used.items():
    # a stage may read the other words of a block that another stage has drawn
    names = {name for _, name in stages}
    assert len({file for file, _ in stages}) == 1, (counter, stages)
    assert len(names) == 1 or names <= SHARED, (counter, names)
"""
    n_counters, streams = run_python(code, NUMBA_DISABLE_JIT="1").split(maxsplit=1)
    assert int(n_counters) > 40
    assert json.loads(streams) == [4, 6, *range(16, 26), 28, 29, 30, 32], (
        "every ingredient of the detector has been at work"
    )


DIGEST = """
import hashlib, numpy as np
from besfast.event import COLUMNS
from besfast.reco.reconstruct import reconstruct
from besfast.sim.simulate import simulate
from besfast.store import read
truth = read({path!r})
record = simulate(truth, "besiii", seed=3)
digest = hashlib.sha256()
for one in (record, reconstruct(record, "besiii")):
    for column in COLUMNS[type(one).__name__]:
        digest.update(np.asfortranarray(getattr(one, column.name)).tobytes("F"))
print(digest.hexdigest())
"""


def mixed_truth(n):
    parts = [generate(process, n, seed=53) for process in ("ee_bhabha", "pipi_isr", "mumu_isr")]
    joined = concatenate(parts)
    return joined._replace(number=np.arange(3 * n))


def test_plain_python_gives_the_same_bits(run_python, tmp_path):
    """60 events without compilation."""
    from besfast.store import write

    path = str(tmp_path / "truth.h5")
    write(path, mixed_truth(20))
    code = DIGEST.format(path=path)
    assert run_python(code, NUMBA_DISABLE_JIT="1") == run_python(code)


@pytest.mark.long
def test_another_processor_gives_the_same_bits(run_python, tmp_path):
    """6000 events compiled for AVX2 instead of this machine's own instructions."""
    from besfast.store import write

    path = str(tmp_path / "truth.h5")
    write(path, mixed_truth(2000))
    code = DIGEST.format(path=path)
    assert run_python(code, NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES="+fma,+avx2") == run_python(code)


def test_card_is_a_name_a_path_or_a_card(tmp_path, assert_same):
    from besfast.geometry.card import card_text

    truth = uniform_gun(50, 54)
    path = tmp_path / "mine.toml"
    path.write_text(card_text("besiii"))
    one = simulate(truth, "besiii", seed=1)
    assert_same(one, simulate(truth, BESIII, seed=1))
    assert np.array_equal(one.helix, simulate(truth, path, seed=1).helix)
