"""Files written by this package: what other programs read of them, exact round trips, damage, and the verb convert."""

import itertools
import json
import math
import os
import subprocess
import sys

import numpy as np
import pyhepmc
import pylhe
import pytest
from besfast import exchange, store
from besfast.cli import main
from besfast.constants import M_E, C
from besfast.event import TruthEvents, concatenate, empty_record, select_events
from hypothesis import given, settings
from hypothesis import strategies as st

SQRT_S = 3.773
M_KS, M_PI = 0.497611, 0.13957039
TEXT = ("hepmc3", "hepmc3.gz", "hepmc.bz2", "hepmc3.xz", "lhe", "lhe.gz", "lhe.bz2", "lhe.xz")


def boost(p, beta):
    """Return (E, x, y, z) of a particle at rest-frame momentum p, seen when its frame moves with beta."""
    gamma = 1.0 / math.sqrt(1.0 - beta @ beta)
    along = beta @ p[1:]
    energy = gamma * (p[0] + along)
    return np.array([energy, *(p[1:] + beta * (gamma * along * gamma / (gamma + 1.0) + gamma * p[0]))])


class Builder:
    """Events particle by particle."""

    def __init__(self):
        self.columns = {name: [] for name in ("pdg", "status", "parent", "charge", "p", "v")}
        self.offsets = [0]

    def particle(self, pdg, charge, p, v=(0.0, 0.0, 0.0, 0.0), *, status=1, parent=-1):
        """Add a particle of momentum (E, x, y, z) and production (t, x, y, z), and return its index in the event."""
        for name, value in zip(self.columns, (pdg, status, parent, charge, p, v)):
            self.columns[name].append(value)
        return len(self.columns["pdg"]) - 1 - self.offsets[-1]

    def end(self):
        self.offsets.append(len(self.columns["pdg"]))

    def record(self, **scalars):
        n = len(self.offsets) - 1
        p, v = (np.array(self.columns[name], dtype=float).reshape(-1, 4).T for name in ("p", "v"))
        ints = {name: np.array(self.columns[name], dtype=np.int32) for name in ("pdg", "status", "parent", "charge")}
        columns = {
            "number": np.arange(n, dtype=np.int64),
            "weight": np.ones(n),
            "event_sqrt_s": np.full(n, SQRT_S),
            "process": np.zeros(n, dtype=np.int32),
            **ints,
        }
        columns |= dict(zip(("energy", "px", "py", "pz", "t", "vx", "vy", "vz"), (*p, *v)))
        given = {name: scalars.pop(name) for name in list(scalars) if name in columns}
        sample = {"processes": "kskp", "sqrt_s": SQRT_S, "cross_section": 0.1 / 0.3, "cross_section_error": 1e-3 / 7}
        record = TruthEvents(offsets=np.array(self.offsets), **columns | given, **sample | scalars)
        return record


def messy(n=60, **scalars):
    """Return events of a K_S that flies and decays, photons, neutrinos, and a varying number of others."""
    rng, build = np.random.default_rng(17), Builder()
    for event in range(n):
        momentum = rng.normal(0.0, 0.6, 3)
        kaon = np.array([math.sqrt(momentum @ momentum + M_KS**2), *momentum])
        mother = build.particle(310, 0, kaon, status=2)
        tau = rng.exponential(2.68)
        place = (kaon[0] / M_KS * tau / C, *(momentum / M_KS * tau))
        direction = rng.normal(size=3)
        pion = direction / np.linalg.norm(direction) * math.sqrt(M_KS**2 / 4 - M_PI**2)
        for pdg, sign in ((211, 1), (-211, -1)):
            p = boost(np.array([M_KS / 2, *(sign * pion)]), momentum / kaon[0])
            build.particle(pdg, sign, p, place, parent=mother)
        for _ in range(rng.poisson(2.0) if event else 300):
            k = rng.normal(0.0, 0.3, 3)
            build.particle(*[(22, 0), (12, 0), (-14, 0)][rng.integers(3)], (np.linalg.norm(k), *k))
        build.end()
        if event % 7 == 3:
            build.end()  # an event without particles
    n = len(build.offsets) - 1
    columns = {
        "number": np.cumsum(rng.integers(1, 9, n)),
        "weight": rng.normal(1.0, 2.0, n),
        "event_sqrt_s": SQRT_S + rng.normal(0.0, 1e-3, n),
        "process": rng.integers(0, 2, n).astype(np.int32),
    }
    return build.record(**columns | {"processes": "one,two", "seed": "18446744073709551615"} | scalars)


MESSY = messy()


def compare(record, back, *, exact=True):
    """Assert that a record came back: all columns bit for bit but the times, and vertices where they are not exact."""
    loose = {"t"} if exact else {"t", "vx", "vy", "vz"}
    for name in set(record._fields) - loose - {"provenance"}:
        x, y = getattr(record, name), getattr(back, name)
        if isinstance(x, np.ndarray):
            assert (x.dtype, x.shape) == (y.dtype, y.shape), name
            assert x.tobytes() == y.tobytes(), name
        else:
            assert x == y or (x != x and y != y), name
    for name in loose:
        scale = np.abs(getattr(record, name)).max(initial=0.0)
        np.testing.assert_allclose(getattr(back, name), getattr(record, name), rtol=4e-16 if exact else 1e-13, atol=0)
        assert scale > 0.0 or name != "t"
    assert json.loads(back.provenance)[:-1] == json.loads(record.provenance)


@pytest.mark.parametrize("extension", TEXT)
def test_round_trip(extension, tmp_path):
    path = tmp_path / f"a.{extension}"
    exchange.write(path, MESSY)
    compare(MESSY, exchange.read(path), exact="hepmc" in extension)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("extension", ["h5", "hdf5"])
def test_round_trip_hdf5(extension, tmp_path, assert_same):
    exchange.write(tmp_path / f"a.{extension}", MESSY)
    assert_same(MESSY, exchange.read(tmp_path / f"a.{extension}"))


@pytest.mark.parametrize("extension", ["hepmc3", "hepmc3.gz", "lhe", "lhe.xz"])
def test_bytes_depend_on_the_content_alone(extension, tmp_path):
    exchange.write(tmp_path / f"a.{extension}", MESSY)
    for chunk in (1, 7, 60):
        with exchange.writer(tmp_path / f"b.{extension}", overwrite=True) as writer:
            for start in range(0, MESSY.n_events, chunk):
                writer.append(select_events(MESSY, start, min(start + chunk, MESSY.n_events)))
        assert (tmp_path / f"a.{extension}").read_bytes() == (tmp_path / f"b.{extension}").read_bytes()


@pytest.mark.parametrize("extension", ["hepmc3", "lhe"])
def test_reading_in_chunks(extension, tmp_path, assert_same):
    path = tmp_path / f"a.{extension}"
    exchange.write(path, MESSY)
    whole = exchange.read(path)
    for chunk in (1, 13):
        assert_same(whole, concatenate(list(exchange.iterate(path, chunk))))


# what other programs read


@pytest.mark.parametrize("extension", ["hepmc3", "hepmc3.gz", "hepmc3.xz"])
def test_pyhepmc_agrees_with_the_record(extension, tmp_path):
    path = tmp_path / f"a.{extension}"
    exchange.write(path, MESSY)
    with pyhepmc.open(path) as file:
        events = list(file)
    assert len(events) == MESSY.n_events
    for e, event in enumerate(events):
        one = select_events(MESSY, e, e + 1)
        assert event.event_number == one.number[0]
        assert event.weights == [one.weight[0]]
        assert event.weight("weight") == one.weight[0]
        assert event.cross_section.xsec(0) == MESSY.cross_section * 1000.0
        assert event.cross_section.xsec_err(0) == MESSY.cross_section_error * 1000.0
        assert (event.momentum_unit, event.length_unit) == (pyhepmc.Units.GEV, pyhepmc.Units.CM)
        electron, positron = event.particles[:2]
        assert [(p.pid, p.status) for p in (electron, positron)] == [(11, 4), (-11, 4)]
        assert electron.momentum.e + positron.momentum.e == one.event_sqrt_s[0]
        assert electron.momentum.pz == -positron.momentum.pz > 0.0
        assert electron.momentum.m() == pytest.approx(M_E, rel=1e-7)  # cancellation in E^2 - p^2
        particles = event.particles[2:]
        assert [p.pid for p in particles] == one.pdg.tolist()
        assert [p.status for p in particles] == one.status.tolist()
        for i, p in enumerate(particles):
            assert (p.momentum.e, p.momentum.px) == (one.energy[i], one.px[i])
            assert (p.momentum.py, p.momentum.pz) == (one.py[i], one.pz[i])
            mothers = [q.id for q in p.production_vertex.particles_in]
            assert mothers == ([1, 2] if one.parent[i] < 0 else [one.parent[i] + 3])
            x = p.production_vertex.position
            assert (x.x, x.y, x.z) == (one.vx[i], one.vy[i], one.vz[i])
            assert x.t == one.t[i] * C
    assert [tool.name for tool in events[0].run_info.tools] == ["besfast"]


@pytest.mark.parametrize("extension", ["lhe", "lhe.gz"])
def test_pylhe_agrees_with_the_record(extension, tmp_path):
    path = tmp_path / f"a.{extension}"
    exchange.write(path, MESSY)
    file = pylhe.LHEFile.fromfile(path)
    init, events = file.init, list(file.events)
    assert (init.initInfo.beamA, init.initInfo.beamB) == (11, -11)
    assert init.initInfo.energyA == init.initInfo.energyB == SQRT_S / 2
    assert init.initInfo.weightingStrategy == -4
    assert [row.procId for row in init.procInfo] == [1, 2]
    assert sum(row.xSection for row in init.procInfo) == pytest.approx(1000.0 * MESSY.cross_section, rel=1e-14)
    assert math.hypot(*(row.error for row in init.procInfo)) == pytest.approx(
        1000.0 * MESSY.cross_section_error * math.sqrt(np.abs(shares()).sum()), rel=1e-14
    )
    xwgtup = np.array([event.eventinfo.weight for event in events])
    assert xwgtup.mean() == pytest.approx(1000.0 * MESSY.cross_section, rel=1e-12)
    np.testing.assert_allclose(xwgtup / xwgtup[0], MESSY.weight / MESSY.weight[0], rtol=1e-15)
    assert all(row.unitWeight == np.abs(xwgtup).max() for row in init.procInfo)
    assert len(events) == MESSY.n_events
    for e, event in enumerate(events):
        one = select_events(MESSY, e, e + 1)
        assert event.eventinfo.pid == one.process[0] + 1
        assert event.eventinfo.nparticles == len(event.particles) == 2 + len(one.pdg)
        assert event.weights == {"weight": one.weight[0]}
        beams, particles = event.particles[:2], event.particles[2:]
        assert [(p.id, p.status, p.mother1, p.m) for p in beams] == [(11, -1, 0, M_E), (-11, -1, 0, M_E)]
        assert beams[0].e + beams[1].e == one.event_sqrt_s[0]
        assert [p.id for p in particles] == one.pdg.tolist()
        assert [p.status for p in particles] == one.status.tolist()
        assert [(p.e, p.px, p.py, p.pz) for p in particles] == list(zip(one.energy, one.px, one.py, one.pz))
        for i, p in enumerate(particles):
            mothers = (1, 2) if one.parent[i] < 0 else (one.parent[i] + 3,) * 2
            assert (p.mother1, p.mother2) == mothers
            expected = 10.0 * C * one.t[i + 1] * M_KS / one.energy[i] if p.id == 310 else 0.0  # pi+ follows the K_S
            assert p.lifetime == pytest.approx(expected, rel=1e-12)


def test_the_lhe_reader_of_hepmc3_agrees(tmp_path):
    """A second parser of LHE: weights, beams, mothers."""
    exchange.write(tmp_path / "a.lhe", MESSY)
    with pyhepmc.open(tmp_path / "a.lhe") as file:
        events = list(file)
    assert len(events) == MESSY.n_events
    for e, event in enumerate(events):
        one = select_events(MESSY, e, e + 1)
        assert event.weights[1] == one.weight[0]
        beams = [p for p in event.particles if p.status == 4]
        assert [p.pid for p in beams] == [11, -11]
        assert sum(p.momentum.e for p in beams) == one.event_sqrt_s[0]
        found = {p.momentum.e: p for p in event.particles if p.status != 4}  # in the order of vertices
        assert len(found) == len(one.pdg)
        for i, energy in enumerate(one.energy.tolist()):
            assert (found[energy].pid, found[energy].status) == (one.pdg[i], one.status[i])
            mothers = [q.momentum.e for q in found[energy].production_vertex.particles_in]
            expected = [beam.momentum.e for beam in beams] if one.parent[i] < 0 else [one.energy[one.parent[i]]]
            assert mothers == expected


def shares():
    return np.bincount(MESSY.process, MESSY.weight) / MESSY.weight.sum()


@pytest.mark.parametrize(("weights", "idwtup"), [((1, 1, 1), 3), ((1, -1, 1), -3), ((2, -2, 2), -3), ((1, 2, 0.5), 4)])
def test_idwtup(weights, idwtup, tmp_path):
    """Weights equal up to their sign are those of unweighted events; the weights as they are come back."""
    record = select_events(MESSY, 0, 3)._replace(weight=np.array(weights, dtype=float))
    exchange.write(tmp_path / "a.lhe", record)
    file = pylhe.LHEFile.fromfile(tmp_path / "a.lhe")
    assert file.init.initInfo.weightingStrategy == idwtup
    xwgtup = [event.eventinfo.weight for event in file.events]
    if abs(idwtup) == 3:
        assert xwgtup == np.sign(weights).tolist()
        assert file.init.procInfo[0].unitWeight == 1.0
    assert exchange.read(tmp_path / "a.lhe").weight.tolist() == list(weights)


@pytest.mark.parametrize("change", [{"cross_section": math.nan}, {"weight": np.array([1.0, -3.0, 1.0])}])
def test_lhe_weights_need_a_cross_section(change, tmp_path):
    record = select_events(MESSY, 0, 3)._replace(weight=np.array([1.0, 2.0, 3.0]))._replace(**change)
    what = "cross section" if "cross_section" in change else "positive sum of weights"
    with pytest.raises(ValueError, match=rf"a\.lhe: weights of LHE are cross sections, these events have no {what}"):
        exchange.write(tmp_path / "a.lhe", record)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("extension", ["hepmc3", "lhe"])
def test_no_cross_section_stays_none(extension, tmp_path):
    record = MESSY._replace(cross_section=math.nan, cross_section_error=math.nan, weight=np.ones(MESSY.n_events))
    exchange.write(tmp_path / f"a.{extension}", record)
    back = exchange.read(tmp_path / f"a.{extension}")
    assert math.isnan(back.cross_section)
    assert math.isnan(back.cross_section_error)
    text = (tmp_path / f"a.{extension}").read_text()
    assert "GenCrossSection" not in text
    assert exchange.read(tmp_path / f"a.{extension}", cross_section=2.0).cross_section == 2.0


@pytest.mark.parametrize("extension", ["hepmc3", "lhe"])
def test_all_named_weights(extension, tmp_path):
    """All weights are written; any is chosen by name or index, and the cross section is that of the first alone."""
    names = ["nominal", "mur=2 <up>", "down"]
    rng = np.random.default_rng(2)
    weights = dict(zip(names, [MESSY.weight, *rng.normal(size=(2, MESSY.n_events))]))
    path = tmp_path / f"a.{extension}"
    exchange.write(path, MESSY, weights=weights)
    (chunk,) = exchange.iterate_weighted(path)
    found = ["nominal", "mur=2_<up>" if extension == "hepmc3" else names[1], "down"]
    assert list(chunk.weights) == found
    for name, k in itertools.product((False, True), range(3)):
        back = exchange.read(path, weight=found[k] if name else k)
        assert back.weight.tolist() == weights[names[k]].tolist()
        assert back.cross_section == MESSY.cross_section if k == 0 else math.isnan(back.cross_section)
    (chunk,) = exchange.iterate_weighted(path, weight="down")
    assert list(chunk.weights) == ["down", *found[:2]]
    with pytest.raises(ValueError, match=r"the first weight, 'down', must be that of the record"):
        exchange.write(tmp_path / "b.lhe", MESSY, weights=chunk.weights)
    with pytest.raises(ValueError, match=r"weight 'x' must be \d+ finite numbers"):
        exchange.write(tmp_path / "b.lhe", MESSY, weights={"w": MESSY.weight, "x": MESSY.weight * math.nan})


# graphs that are not trees of one vertex each


def graph(*rows):
    """Return one event of (pdg, parent, place (t, x, y, z)); those who are parents have decayed."""
    build = Builder()
    parents = {parent for _, parent, _ in rows}
    for k, (pdg, parent, place) in enumerate(rows):
        p = np.array([0.2 + k, 0.1, 0.3, 0.1])
        build.particle(pdg, 0, p, place, status=2 if k in parents else 1, parent=parent)
    build.end()
    return build.record()


HERE, A, B = (0.0, 0.0, 0.0, 0.0), (0.3, 1.0, 2.0, 3.0), (0.4, -1.0, 0.1, 0.2)


@pytest.mark.parametrize(
    "rows",
    [
        [(22, -1, A), (22, -1, B), (22, -1, A)],  # no parent, away from the collision
        [(22, -1, HERE), (22, -1, B), (22, -1, HERE)],
        [(310, -1, HERE), (22, 0, A), (22, 0, B), (22, 0, A)],  # one parent, two ends
        [(310, -1, HERE), (22, 0, A), (22, 0, HERE), (22, 0, B)],  # the displaced one first
        [(310, -1, HERE), (22, 0, HERE), (130, 0, HERE), (22, 2, A), (22, 3, B)],
        [(22, 1, A), (310, 2, HERE), (310, -1, HERE)],  # children before their parents
        [(310, -1, A), (22, 0, A), (22, 0, B)],  # a decay where it was made
        [],
    ],
)
def test_vertices_of_any_event(rows, tmp_path):
    record = graph(*rows)
    exchange.write(tmp_path / "a.hepmc3", record)
    back = exchange.read(tmp_path / "a.hepmc3")
    for name in ("pdg", "status", "parent", "px", "energy", "vx", "vy", "vz"):
        assert getattr(back, name).tolist() == getattr(record, name).tolist(), name
    with pyhepmc.open(tmp_path / "a.hepmc3") as file:
        (event,) = file
    for one in event.particles:
        if one.status == 3:  # an entry of documentation carries the momentum of what it leads to
            assert one.momentum.e == pytest.approx(sum(p.momentum.e for p in one.end_vertex.particles_out))


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([HERE, HERE, A, B])), max_size=9), st.randoms())
def test_vertices_of_random_graphs(tmp_path_factory, rows, random):
    """Any graph without circles either comes back as it was, or says a child is at the origin of a displaced parent."""
    order = list(range(len(rows)))
    random.shuffle(order)  # a parent is any that comes before in this order, or none
    parents = {k: -1 if choice >= place else order[choice] for place, (k, (choice, _)) in enumerate(zip(order, rows))}
    places = {k: place for k, (_, place) in zip(order, rows)}
    record = graph(*((22, parents[k], places[k]) for k in range(len(rows))))
    acausal = any(parents[k] >= 0 and places[k] == HERE != places[parents[k]] for k in range(len(rows)))
    path = tmp_path_factory.mktemp("graphs") / "a.hepmc3"
    if acausal:
        with pytest.raises(ValueError, match="HepMC3 has no way to say so"):
            exchange.write(path, record)
        return
    exchange.write(path, record)
    back = exchange.read(path)
    for name in ("pdg", "status", "parent", "px", "energy", "vx", "vy", "vz"):
        assert getattr(back, name).tolist() == getattr(record, name).tolist(), name


def test_a_child_at_the_origin_of_a_displaced_parent(tmp_path):
    with pytest.raises(ValueError, match=r"particle 1 of event 0 is produced at the origin, its parent is not"):
        exchange.write(tmp_path / "a.hepmc3", graph((310, -1, A), (22, 0, HERE)))


@pytest.mark.parametrize(
    ("rows", "which"),
    [
        ([(22, -1, A)], 0),
        ([(310, -1, HERE), (22, 0, (0.3, 1.0, 2.0, 3.0))], 1),  # off the line
        ([(310, -1, HERE), (22, 0, (-0.3, 0.0, 0.0, 0.0))], 1),  # before the parent
    ],
)
def test_lhe_refuses_vertices_it_has_no_place_for(rows, which, tmp_path):
    with pytest.raises(ValueError, match=rf"a\.lhe: particle {which} of event 0 is produced .* LHE has no vertices"):
        exchange.write(tmp_path / "a.lhe", graph(*rows))


def test_chains_of_displaced_decays_in_lhe(tmp_path):
    """Cascade of three flights: each vertex is found from the lives of all ancestors."""
    build, rng = Builder(), np.random.default_rng(3)
    place, parent = np.zeros(4), -1
    for pdg, charge, mass in ((3312, -1, 1.32171), (3122, 0, 1.115683), (211, 1, M_PI), (-13, 1, 0.1056583755)):
        k = rng.normal(0.0, 0.5, 3)
        p = np.array([math.sqrt(k @ k + mass * mass), *k])
        final = pdg == -13
        parent = build.particle(pdg, charge, p, place / [C, 1, 1, 1], status=1 if final else 2, parent=parent)
        place = place + p / mass * rng.exponential(5.0)
    build.end()
    record = build.record()
    exchange.write(tmp_path / "a.lhe", record)
    back = exchange.read(tmp_path / "a.lhe")
    for name in ("t", "vx", "vy", "vz"):
        np.testing.assert_allclose(getattr(back, name), getattr(record, name), rtol=1e-12)
    assert back.vx[3] != back.vx[2] != back.vx[1] != 0.0


# what is refused


@pytest.mark.parametrize("extension", ["hepmc3", "lhe"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"px": math.nan}, "px = nan in event 1, must be finite"),
        ({"pdg": 987654321}, "pdg = 987654321 in event 1 is no particle of known integer charge"),
        ({"charge": 2}, r"charge = 2 in event 1, must be that of the PDG number"),
        ({"status": 4}, r"status = 4 in event 1, must be 1 \(final\) or 2"),
        ({"parent": 5}, "parent = 5 in event 1, must be another particle"),
        ({"parent": -2}, "parent = -2 in event 1, must be another particle"),
        ({"event_sqrt_s": 1e-3}, "event_sqrt_s = 0.001 in event 1, must be above twice the electron mass"),
    ],
)
def test_bad_events_are_not_written(extension, change, message, tmp_path):
    record = concatenate([graph((22, -1, HERE), (22, -1, HERE))] * 3)._replace(number=np.arange(3))
    ((name, value),) = change.items()
    column = getattr(record, name).copy()
    column[len(column) // 2] = value
    with pytest.raises(ValueError, match=message):
        exchange.write(tmp_path / f"a.{extension}", record._replace(**{name: column}))
    assert not list(tmp_path.iterdir())


def test_truth_in_the_laboratory_is_not_written(tmp_path):
    with pytest.raises(ValueError, match=r"frame = 'lab', truth is written in the centre of mass"):
        exchange.write(tmp_path / "a.lhe", MESSY._replace(frame="lab"))


def test_large_event_numbers(tmp_path):
    record = graph((22, -1, HERE))._replace(number=np.array([2**31]))
    with pytest.raises(ValueError, match="number = 2147483648, HepMC3 keeps those below"):
        exchange.write(tmp_path / "a.hepmc3", record)
    exchange.write(tmp_path / "a.lhe", record)
    assert exchange.read(tmp_path / "a.lhe").number.tolist() == [2**31]


def test_other_records_are_refused(tmp_path, make_record):
    with pytest.raises(TypeError, match="RecoEvents can be written as HDF5 only"):
        exchange.write(tmp_path / "a.lhe", make_record("RecoEvents", 2))


@pytest.mark.parametrize("name", ["a.root", "a", "a.h5.gz", "a.gz", "a.lhe.zip"])
def test_unknown_extensions(name, tmp_path):
    with pytest.raises(ValueError, match=r"the extension says no format, must be \.h5, \.hdf5, or \.hepmc3, "):
        exchange.write(tmp_path / name, MESSY)


@pytest.mark.parametrize("extension", ["hepmc3", "lhe.gz"])
def test_nothing_is_left_half_written(extension, tmp_path):
    path = tmp_path / f"a.{extension}"

    def interrupted():
        with exchange.writer(path) as writer:
            writer.append(MESSY)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not list(tmp_path.iterdir())
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        exchange.write(path, MESSY)
    assert path.read_text() == "mine"
    exchange.write(path, MESSY, overwrite=True)
    assert exchange.read(path).n_events == MESSY.n_events
    with pytest.raises(FileNotFoundError, match=r"the folder \S* does not exist"):
        exchange.write(tmp_path / "none" / path.name, MESSY)


@pytest.mark.parametrize("extension", ["hepmc3.gz", "lhe"])
def test_a_killed_writer_leaves_nothing(extension, tmp_path):
    code = f"""
import os, signal
from besfast import exchange
from test_convert import MESSY
writer = exchange.writer({str(tmp_path / ("a." + extension))!r})
writer.append(MESSY)
os.kill(os.getpid(), signal.SIGKILL)
"""
    paths = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    result = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": paths}, check=False)
    assert result.returncode == -9
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("extension", ["hepmc3", "lhe"])
def test_no_events(extension, tmp_path):
    path = tmp_path / f"a.{extension}"
    exchange.write(path, empty_record("TruthEvents"))
    with pytest.raises(ValueError, match="no events"):
        exchange.read(path)
    if extension == "lhe":
        assert list(pylhe.LHEFile.fromfile(path).events) == []


def test_headers_of_others_hands(tmp_path):
    exchange.write(tmp_path / "a.hepmc3", MESSY)
    text = (tmp_path / "a.hepmc3").read_text()
    for old, new in (('"processes"', '"proceses"'), ('"provenance": []', '"provenance": 5'), ("{", "[")):
        (tmp_path / "b.hepmc3").write_text(text.replace(old, new, 1))
        with pytest.raises(ValueError, match=r"b\.hepmc3: the header 'besfast' cannot be parsed"):
            exchange.read(tmp_path / "b.hepmc3")


# the command line


@pytest.fixture
def verb(tmp_path, monkeypatch, capsys):
    """Return a function that runs a verb in an empty folder: code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        output, errors = capsys.readouterr()
        return code, output, errors

    return run


CUTS = ("--mass-min", 2.0, "--mass-max", 3.0, "--theta-gamma-max", 0.3)


@pytest.mark.parametrize("extension", ["h5", "hepmc3", "hepmc.gz", "lhe", "lhe.gz"])
def test_generate_in_any_format(extension, verb, tmp_path):
    """Numbers that a process of its own makes come through files of any format to the detector, bit for bit."""
    made = ("generate", "mumu_isr", "--events", 3000, "--seed", 5, *CUTS, "--quiet")
    assert verb(*made, "-o", "truth.h5")[0] == 0
    assert verb(*made, "-o", f"a.{extension}", "--overwrite", "--jobs", 2)[0] == 0
    records = []
    for name in ("truth.h5", f"a.{extension}"):
        assert verb("simulate", name, "-o", "record.h5", "--quiet", "--overwrite")[0] == 0
        records.append(store.read("record.h5"))
    for name in set(records[0]._fields) - {"provenance"}:
        x, y = (getattr(record, name) for record in records)
        assert np.array_equal(x, y, equal_nan=True) if isinstance(x, np.ndarray) else x == y, name


def test_convert_there_and_back(verb, tmp_path, monkeypatch):
    from besfast import file_verbs

    monkeypatch.setattr(file_verbs, "CHUNK", 16)
    store.write(tmp_path / "a.h5", MESSY)
    names = ["a.h5", "b.hepmc3.gz", "c.lhe.gz", "d.hepmc", "e.lhe", "f.h5"]
    for source, target in itertools.pairwise(names):
        code, output, errors = verb("convert", source, "-o", target)
        assert (code, errors) == (0, "")
        assert f"converted {MESSY.n_events} events, cross section 0.333333 +- 0.00014 nb -> {target}" in output
    back = store.read(tmp_path / "f.h5")
    assert [step["step"] for step in json.loads(back.provenance)] == ["read_hepmc3", "read_lhe"] * 2
    compare(MESSY, back._replace(provenance="[0]"), exact=False)


def test_convert_keeps_all_weights(verb, tmp_path):
    weights = {"nominal": MESSY.weight, "up": 2.0 * MESSY.weight, "down": MESSY.weight - 1.0}
    exchange.write(tmp_path / "a.hepmc3", MESSY, weights=weights)
    assert verb("convert", "a.hepmc3", "-o", "b.lhe", "--quiet") == (0, "", "")
    code, output, _ = verb("convert", "b.lhe", "-o", "c.hepmc3", "--weight", "up", "--cross-section", 0.7)
    assert (code, output) == (0, f"converted {MESSY.n_events} events, cross section 0.7 +- nan nb -> c.hepmc3\n")
    (chunk,) = exchange.iterate_weighted(tmp_path / "c.hepmc3")
    assert list(chunk.weights) == ["up", "nominal", "down"]
    for name, values in chunk.weights.items():
        assert np.array_equal(values, weights[name])
    assert chunk.truth.cross_section == 0.7
    code, output, _ = verb("convert", "c.hepmc3", "-o", "d.h5")
    assert "of 3 weights only 'up' is kept in HDF5" in output
    assert np.array_equal(store.read(tmp_path / "d.h5").weight, weights["up"])


def test_totals_of_a_stream_stand_in_the_head(verb, tmp_path, monkeypatch):
    """sum(w) / tries is known when all events are read: LHE says it before the first of them."""
    from besfast import file_verbs

    record = MESSY._replace(weight=np.abs(MESSY.weight), cross_section=math.nan)
    exchange.write(tmp_path / "a.hepmc3", record)
    monkeypatch.setattr(file_verbs, "CHUNK", 16)
    assert verb("convert", "a.hepmc3", "-o", "b.lhe", "--tries", 1000, "--quiet") == (0, "", "")
    (process, other) = pylhe.LHEFile.fromfile(tmp_path / "b.lhe").init.procInfo
    assert process.xSection + other.xSection == pytest.approx(record.weight.sum(), rel=1e-12)
    assert exchange.read(tmp_path / "b.lhe").cross_section == pytest.approx(record.weight.sum() / 1000, rel=1e-12)


@pytest.mark.parametrize("extension", ["hepmc3", "hepmc3.gz", "lhe", "lhe.gz"])
def test_a_cut_file_on_the_command_line(extension, verb, tmp_path):
    exchange.write(tmp_path / "whole.h5", MESSY)
    name = f"cut.{extension}"
    exchange.write(tmp_path / name, MESSY)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(0.9 * len(data))])
    for command in ("convert", "simulate"):
        code, output, errors = verb(command, name, "-o", "out.h5", "--quiet")
        assert (code, output) == (2, "")
        assert errors.startswith(f"besfast: error: {name}: cut off after ")
        assert "; --keep-complete (keep_complete=True) keeps the " in errors
        assert not (tmp_path / "out.h5").exists()
        n = int(errors.split("cut off after ")[1].split()[0])
        code, output, errors = verb(command, name, "-o", "out.h5", "--keep-complete")
        assert code == 0
        assert errors.startswith(f"besfast: warning: {name}: cut off after {n} complete events")
        assert errors.endswith(f": {n} complete events kept\n")
        assert f"{n} events" in output
        kept = store.read(tmp_path / "out.h5")
        assert np.array_equal(kept.number, MESSY.number[:n])
        assert any("cut off" in step.get("damage", "") for step in json.loads(kept.provenance))
        (tmp_path / "out.h5").unlink()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["convert", "none.lhe", "-o", "out.h5"], "none.lhe: no such file"),
        (["convert", "a.h5", "-o", "out.root"], "out.root: the extension says no format, must be .h5"),
        (["convert", "a.h5", "-o", "a.lhe"], "a.lhe: exists already"),
        (["convert", "a.h5", "-o", "out.lhe", "--tries", "5"], "tries can be given for HepMC3 and LHE files only"),
        (["convert", "record.h5", "-o", "out.lhe"], "record.h5: holds RecoEvents, must be TruthEvents, HepMC3 or LHE"),
        (["convert", "a.hepmc3", "-o", "out.h5", "--beams", "init"], "beams = 'init' is for LHE files"),
        (["convert", "a.lhe", "-o", "out.h5", "--jobs", "0"], "--jobs = 0, must be at least 1"),
        (["generate", "mumu_isr", "--events", "10", "-o", "out.txt"], "out.txt: the extension says no format"),
    ],
)
def test_a_mistake_is_one_line(arguments, message, verb, tmp_path, make_record):
    for name in ("a.h5", "a.lhe", "a.hepmc3"):
        exchange.write(tmp_path / name, MESSY)
    store.write(tmp_path / "record.h5", make_record("RecoEvents", 3))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    code, output, errors = verb(*arguments)
    assert (code, output) == (2, "")
    assert message in errors.splitlines()[-1]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("extension", ["hepmc3.gz", "lhe"])
def test_inspect(extension, verb, tmp_path):
    exchange.write(tmp_path / f"a.{extension}", MESSY)
    code, output, _ = verb("inspect", f"a.{extension}")
    assert code == 0
    kind = "LHE" if extension == "lhe" else "HepMC3"
    assert f"{kind}, {MESSY.n_events} events, frame cm, sqrt(s) 3.773 GeV" in output
    assert "cross section 0.333333 +- 0.00014 nb" in output
    assert "processes one,two, weights weight" in output
    assert f"sum of weights {MESSY.weight.sum():.10g}" in output
