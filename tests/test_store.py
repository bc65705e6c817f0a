"""Records on disk: lossless, the same bytes however they are appended, and one clear line for every bad file."""

import gc
import itertools
import json
import re
import shutil

import h5py
import numpy as np
import pytest
from besfast import store
from besfast.event import COLUMNS, RECORDS, SCALARS, TABLES, concatenate, empty_record, select_events


@pytest.fixture
def truth_file(tmp_path, make_record):
    path = tmp_path / "truth.h5"
    store.write(path, make_record("TruthEvents", 50, sqrt_s=3.773, provenance='[{"step": "test"}]'))
    return path


@pytest.mark.parametrize("kind", RECORDS)
@pytest.mark.parametrize("n", [0, 1, 300])
def test_round_trip(kind, n, tmp_path, make_record, assert_same):
    record = make_record(kind, n, processes="a,b", cross_section=1.5, seed=str(2**64 - 1))
    store.write(tmp_path / "a.h5", record)
    assert_same(record, store.read(tmp_path / "a.h5"))
    assert store.n_events(tmp_path / "a.h5") == n
    assert store.kind(tmp_path / "a.h5") == kind


def test_every_bit_of_a_double_survives(tmp_path, make_record, assert_same):
    record = make_record("DetectorRecord", 10)
    odd = np.array([np.nan, -np.nan, np.inf, -0.0, 5e-324, np.pi, 1e308], dtype=np.float64)
    record.dedx[: len(odd)] = odd
    store.write(tmp_path / "a.h5", record)
    again = store.read(tmp_path / "a.h5")
    assert_same(record, again)
    assert again.dedx.tobytes() == record.dedx.tobytes()


@pytest.mark.parametrize("kind", RECORDS)
def test_bytes_do_not_depend_on_the_cutting(kind, tmp_path, make_record, monkeypatch, assert_same):
    monkeypatch.setattr(store, "CHUNK", 1024)
    record = make_record(kind, 5000)
    store.write(tmp_path / "one.h5", record)
    cuts = [0, 1, 1000, 1024, 1025, 4096, 4097, 5000]
    with store.Writer(tmp_path / "many.h5", kind) as writer:
        for start, stop in itertools.pairwise(cuts):
            piece = concatenate([select_events(record, start, stop)])
            writer.append(piece)
            for column in COLUMNS[kind]:  # a caller that reuses its columns must not disturb
                getattr(piece, column.name)[...] = 0
        assert writer.n_events == 5000
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "many.h5").read_bytes()
    for chunk in (777, 1024, 9999):
        assert_same(record, concatenate(list(store.iterate(tmp_path / "one.h5", chunk))))


def test_iterate(truth_file):
    parts = list(store.iterate(truth_file, 20))
    assert [part.n_events for part in parts] == [20, 20, 10]
    assert {part.sqrt_s for part in parts} == {3.773}
    with pytest.raises(ValueError, match="chunk = 0"):
        list(store.iterate(truth_file, 0))


def test_an_empty_file_yields_one_empty_record(tmp_path):
    with store.Writer(tmp_path / "a.h5", "RecoEvents"):
        pass
    (only,) = store.iterate(tmp_path / "a.h5")
    assert only.n_events == 0


def test_tables_that_begin_empty(tmp_path, make_record, monkeypatch, assert_same):
    """A first block without particles, then events with some."""
    monkeypatch.setattr(store, "CHUNK", 64)
    record = concatenate([make_record("TruthEvents", 64, mean=0.0), make_record("TruthEvents", 100)])
    store.write(tmp_path / "a.h5", record)
    assert_same(record, store.read(tmp_path / "a.h5"))


def test_scalars_known_at_the_end(tmp_path, make_record):
    with store.Writer(tmp_path / "a.h5", "TruthEvents") as writer:
        writer.append(make_record("TruthEvents", 3, sqrt_s=1.0, cross_section=1.0))
        writer.append(make_record("TruthEvents", 3, sqrt_s=2.0, cross_section=2.0))
        writer.set_scalars(cross_section=3.0)
        with pytest.raises(ValueError, match="'luminosity'"):
            writer.set_scalars(luminosity=1.0)
    record = store.read(tmp_path / "a.h5")
    assert (record.sqrt_s, record.cross_section) == (2.0, 3.0)


def test_a_small_file_is_small(truth_file):
    assert truth_file.stat().st_size < 60_000


def test_columns_carry_their_meaning(truth_file):
    with h5py.File(truth_file) as file:
        for column in COLUMNS["TruthEvents"]:
            attributes = file[column.table][column.name].attrs
            assert attributes["unit"] == column.unit
            assert attributes["sentence"] == column.sentence
            assert attributes["dtype"] == column.dtype
        assert file.attrs["kind"] == "TruthEvents"
        assert file.attrs["schema_version"] == 2
        assert set(SCALARS) <= set(file.attrs)
        assert file["particle/offsets"].shape == (51,)


def test_describe(tmp_path, make_record):
    record = make_record("DetectorRecord", 1000, provenance=json.dumps([{"step": "simulate", "card": "besiii"}]))
    record.weight[:] = np.random.default_rng(3).exponential(size=1000)
    store.write(tmp_path / "a.h5", record)
    what = store.describe(tmp_path / "a.h5")
    assert what.n_events == 1000
    assert what.entries == {"event": 1000, "track": len(record.dedx), "shower": len(record.shower_phi)}
    assert what.n_eff == pytest.approx(record.weight.sum() ** 2 / (record.weight**2).sum(), rel=1e-12)
    assert what.provenance == [{"step": "simulate", "card": "besiii"}]
    assert [(c.table, c.name, c.unit) for c in what.columns] == [
        (c.table, c.name, c.unit) for c in COLUMNS["DetectorRecord"]
    ]
    assert store.describe(tmp_path / "a.h5").scalars["frame"] == "lab"


# outputs


def test_existing_output_is_refused(truth_file, make_record):
    before = truth_file.read_bytes()
    with pytest.raises(FileExistsError, match=r"truth\.h5: exists already"):
        store.write(truth_file, make_record("TruthEvents", 1))
    assert truth_file.read_bytes() == before
    store.write(truth_file, make_record("TruthEvents", 1), overwrite=True)
    assert store.n_events(truth_file) == 1


def test_a_failure_leaves_nothing(truth_file, make_record):
    before = truth_file.read_bytes()

    def interrupted():
        with store.Writer(truth_file, "TruthEvents", overwrite=True) as writer:
            writer.append(make_record("TruthEvents", 10))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert truth_file.read_bytes() == before
    assert [path.name for path in truth_file.parent.iterdir()] == [truth_file.name]


@pytest.mark.parametrize("made", [False, True])
def test_an_interrupt_before_the_block_leaves_nothing(made, tmp_path, monkeypatch):
    """A Ctrl-C while the file is created, or before its `with` block begins."""

    def interrupted(*arguments, **options):
        if made:
            create(*arguments, **options).close()
        raise KeyboardInterrupt

    create = h5py.File
    with monkeypatch.context() as patch:
        patch.setattr(store.h5py if made else store.Writer, "File" if made else "__enter__", interrupted)
        with pytest.raises(KeyboardInterrupt), store.Writer(tmp_path / "a.h5", "TruthEvents"):
            pass
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_a_file_that_appears_meanwhile_is_kept(tmp_path, make_record):
    path = tmp_path / "a.h5"
    writer = store.Writer(path, "TruthEvents")
    writer.append(make_record("TruthEvents", 1))
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        writer.close()
    assert path.read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_folders(tmp_path, make_record):
    record = make_record("TruthEvents", 1)
    with pytest.raises(FileNotFoundError, match=r"a\.h5: the folder .*nowhere does not exist"):
        store.write(tmp_path / "nowhere" / "a.h5", record)
    with pytest.raises(IsADirectoryError, match="is a folder"):
        store.write(tmp_path, record, overwrite=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"file/a\.h5"):
        store.write(tmp_path / "file" / "a.h5", record)


def test_system_errors_name_the_file(tmp_path, make_record, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(OSError, match=r"^.*a\.h5: cannot be written \(Permission denied\)$"):
        store.write(tmp_path / "a.h5", make_record("TruthEvents", 1))


def test_wrong_kind(tmp_path, make_record):
    with pytest.raises(ValueError, match="kind = 'Truth'"):
        store.Writer(tmp_path / "a.h5", "Truth")
    with (
        pytest.raises(TypeError, match="a DetectorRecord was appended, must be TruthEvents"),
        store.Writer(tmp_path / "a.h5", "TruthEvents") as writer,
    ):
        writer.append(make_record("DetectorRecord", 1))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"px": np.zeros(3, dtype=np.float32)}, "column 'px' has dtype float32"),
        ({"px": np.zeros(3)}, "column 'px' has dtype float64 and shape (3,)"),
        ({"offsets": np.array([0, 2, 1])}, "offsets must begin at 0 and never decrease"),
        ({"offsets": np.array([0, 2])}, "offsets must be 3 int64 numbers"),
    ],
)
def test_bad_records_are_not_written(change, message, tmp_path, make_record):
    with pytest.raises(ValueError, match=re.escape(message)):
        store.write(tmp_path / "a.h5", make_record("TruthEvents", 2, mean=4.0)._replace(**change))
    assert not list(tmp_path.iterdir())


# inputs


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.h5: no such file"):
        store.read(tmp_path / "none.h5")


def test_not_hdf5(tmp_path):
    (tmp_path / "a.h5").write_text("hello")
    with pytest.raises(OSError, match=r"a\.h5: not an HDF5 file"):
        store.read(tmp_path / "a.h5")
    with pytest.raises(OSError, match="cannot be read"):
        store.read(tmp_path)


@pytest.mark.parametrize("fraction", [0.05, 0.5, 0.99])
def test_truncated(fraction, truth_file):
    data = truth_file.read_bytes()
    truth_file.write_bytes(data[: int(fraction * len(data))])
    with pytest.raises(OSError, match=r"truth\.h5: damaged or truncated HDF5 file \(.*\)$"):
        store.read(truth_file)


def test_another_hdf5_file(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(ValueError, match="not a file of besfast"):
        store.read(tmp_path / "a.h5")


def set_scalar(name, value):
    def change(file):
        file.attrs[name] = value

    return change


def remove(name):
    def change(file):
        del file[name]

    return change


def replace(name, values):
    def change(file):
        del file[name]
        file[name] = values

    return change


def poke(name, index, value):
    def change(file):
        file[name][index] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_scalar("schema_version", 99), "schema_version = 99, this besfast reads 2"),
        (set_scalar("kind", "Nonsense"), "kind = 'Nonsense', must be one of TruthEvents"),
        (lambda file: file.attrs.__delitem__("sqrt_s"), "scalar 'sqrt_s' is missing"),
        (remove("particle/px"), "column 'particle/px' is missing"),
        (remove("particle/offsets"), "column 'particle/offsets' is missing"),
        (replace("event/weight", np.ones(50, dtype="f4")), "column 'event/weight' is of dtype float32, must be f8"),
        (replace("event/weight", np.ones((50, 2))), "column 'event/weight' has shape (50, 2), must be ('n',)"),
        (replace("event/weight", np.ones(49)), "column 'event/weight' has 49 rows, must have 50"),
        (replace("particle/offsets", np.arange(50)), "column 'particle/offsets' has 50 rows, must have 51"),
        (poke("particle/offsets", 3, -1), "'particle/offsets' decreases or leaves its table at event 2"),
        (poke("particle/offsets", 7, 10**9), "'particle/offsets' decreases or leaves its table at event 6"),
        (poke("particle/offsets", 0, 1), "'particle/offsets' must run from 0"),
        (poke("event/weight", 5, np.inf), "weight = inf in event 5, must be finite"),
    ],
)
def test_bad_files(change, message, truth_file):
    with h5py.File(truth_file, "r+") as file:
        change(file)
    with pytest.raises(ValueError, match=rf"truth\.h5: {re.escape(message)}"):
        store.read(truth_file)
    with pytest.raises(ValueError, match=re.escape(message)):
        list(store.iterate(truth_file, 3))


def test_nan_momentum_names_the_event(truth_file):
    record = store.read(truth_file)
    with h5py.File(truth_file, "r+") as file:
        file["event/number"][...] += 1000
        file["particle/pz"][int(record.offsets[31])] = np.nan
    event = 1000 + int(np.searchsorted(record.offsets, record.offsets[31], side="right")) - 1
    with pytest.raises(ValueError, match=rf"pz = nan in event {event}, must be finite"):
        store.read(truth_file)


def test_reading_does_not_change_the_file(truth_file, tmp_path):
    shutil.copy(truth_file, tmp_path / "copy.h5")
    store.read(truth_file)
    store.describe(truth_file)
    assert truth_file.read_bytes() == (tmp_path / "copy.h5").read_bytes()


def test_tables_of_every_kind_are_groups(tmp_path):
    for kind in RECORDS:
        store.write(tmp_path / f"{kind}.h5", empty_record(kind))
        with h5py.File(tmp_path / f"{kind}.h5") as file:
            assert set(file) == {table.name for table in TABLES[kind]}
