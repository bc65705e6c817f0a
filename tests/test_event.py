"""What travels: offsets, selection and joining of records, and their views as awkward arrays."""

import itertools

import awkward as ak
import numpy as np
import pytest
from besfast.event import (
    COLUMNS,
    RECORDS,
    TABLES,
    TruthEvents,
    concatenate,
    empty_columns,
    empty_record,
    select_events,
)


@pytest.mark.parametrize("kind", RECORDS)
def test_select_and_concatenate(kind, make_record, assert_same):
    record = make_record(kind, 100)
    cuts = [0, 1, 1, 17, 64, 100]
    parts = [select_events(record, a, b) for a, b in itertools.pairwise(cuts)]
    assert [part.n_events for part in parts] == [1, 0, 16, 47, 36]
    assert_same(record, concatenate(parts))
    for part in parts:
        for table in TABLES[kind]:
            if table.offsets:
                assert getattr(part, table.offsets)[0] == 0


@pytest.mark.parametrize("kind", RECORDS)
def test_selection_shares_memory(kind, make_record):
    record = make_record(kind, 50)
    part = select_events(record, 10, 40)
    for column in COLUMNS[kind]:
        assert np.shares_memory(getattr(part, column.name), getattr(record, column.name)), column.name


def test_concatenate_keeps_the_last_scalars(make_record):
    first, last = make_record("TruthEvents", 3, cross_section=1.0), make_record("TruthEvents", 3, cross_section=2.0)
    assert concatenate([first, last]).cross_section == 2.0


@pytest.mark.parametrize("kind", RECORDS)
def test_empty(kind, make_record, assert_same):
    empty = empty_record(kind)
    assert empty.n_events == 0
    record = make_record(kind, 5)
    assert_same(concatenate([empty, record, empty])._replace(processes=""), record._replace(processes=""))
    assert len(empty.to_awkward()) == 0


@pytest.mark.parametrize("kind", RECORDS)
def test_new_columns_are_component_by_component(kind):
    for table in TABLES[kind]:
        for name, column in empty_columns(kind, table.name, 7).items():
            assert column.flags.f_contiguous, name
            assert len(column) == 7


@pytest.mark.parametrize("kind", RECORDS)
def test_awkward_shares_memory(kind, make_record):
    """Writing into the columns shows in the array: nothing was copied."""
    record = make_record(kind, 20)
    array = record.to_awkward()
    assert len(array) == 20
    record.weight[3] = 12345.0
    assert array.weight[3] == 12345.0
    for table in TABLES[kind]:
        if table.offsets:
            assert ak.num(array[table.name]).to_list() == np.diff(getattr(record, table.offsets)).tolist()


def test_awkward_lists_have_short_names(make_record):
    array = make_record("DetectorRecord", 5).to_awkward()
    assert {"truth", "helix", "covariance", "tof"} <= set(array.track.fields)
    assert {"truth", "energy", "theta", "phi"} <= set(array.shower.fields)
    assert array.track.helix.type.content.content.size == 5


def test_truth_behaves_as_four_vectors():
    columns = empty_columns("TruthEvents", "event", 1) | empty_columns("TruthEvents", "particle", 2)
    for column in columns.values():
        column[...] = 0
    columns["px"][:], columns["pz"][:], columns["energy"][:] = (3.0, -3.0), (4.0, 0.0), (5.0, 5.0)
    columns["t"][:] = 7.0
    array = TruthEvents(offsets=np.array([0, 2]), **columns).to_awkward()
    assert array.particle.mass.to_list() == [[0.0, 4.0]]
    assert array.particle.pt.to_list() == [[3.0, 3.0]]
    assert (array.particle[:, 0] + array.particle[:, 1]).mass.to_list() == pytest.approx([np.sqrt(84.0)])
    assert array.particle.vt.to_list() == [[7.0, 7.0]]


def test_tracks_behave_as_three_vectors(make_record):
    record = make_record("RecoEvents", 20)
    array = record.to_awkward()
    assert ak.flatten(array.track.p).to_list() == pytest.approx(
        np.sqrt(record.px**2 + record.py**2 + record.pz**2).tolist()
    )
