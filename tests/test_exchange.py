"""HepMC3 files: the same event in other units, frames and weights; cross sections; damaged files."""

import gzip
import itertools
import json
import math

import numpy as np
import pyhepmc
import pytest
from besfast import exchange, store
from besfast.constants import M_MU, C
from besfast.event import concatenate
from besfast.pdg import charge

SQRT_S = 3.773
BEGIN = "HepMC::Version 3.02.05\nHepMC::Asciiv3-START_EVENT_LISTING\n"
END = "HepMC::Asciiv3-END_EVENT_LISTING\n\n"
ELECTRON, POSITRON = (0.0, 0.0, SQRT_S / 2, SQRT_S / 2), (0.0, 0.0, -SQRT_S / 2, SQRT_S / 2)


def line(number, vertex, pdg, momentum, status):
    x, y, z, e = (f"{float(p):.17g}" for p in momentum)
    return f"P {number} {vertex} {pdg} {x} {y} {z} {e} 0 {status}\n"


def muon_pair(*, beams=(ELECTRON, POSITRON), muons=None, number=0, units="GEV MM", head=""):
    """Return the text of e+e- -> mu+ mu-; `muons` (px, py, pz) of the mu-."""
    px, py, pz = muons or (1.0, 0.5, 0.3)
    energy = math.sqrt(px * px + py * py + pz * pz + M_MU**2)
    return (
        f"E {number} 1 4\nU {units}\n{head}"
        + line(1, 0, 11, beams[0], 4)
        + line(2, 0, -11, beams[1], 4)
        + "V -1 0 [1,2]\n"
        + line(3, -1, 13, (px, py, pz, energy), 1)
        + line(4, -1, -13, (-px, -py, -pz, energy), 1)
    )


def write(path, *events, head="", end=END):
    text = (BEGIN + head + "".join(events) + end).encode()
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
    return path


def boosted(p, beta):
    """Return (px, py, pz, E) seen from a frame moving with -beta: textbook matrix, not the package's form."""
    beta = np.asarray(beta, dtype=float)
    gamma = 1.0 / math.sqrt(1.0 - beta @ beta)
    matrix = np.eye(4)
    matrix[0, 0] = gamma
    matrix[0, 1:] = matrix[1:, 0] = gamma * beta
    matrix[1:, 1:] += (gamma - 1.0) * np.outer(beta, beta) / (beta @ beta)
    e, x, y, z = matrix @ [p[3], p[0], p[1], p[2]]
    return x, y, z, e


@pytest.fixture
def decay_chain(tmp_path):
    """e+e- -> K_S gamma through an intermediate entry, K_S -> pi+ pi- away from the origin, pi+ -> mu+ where it is."""
    event = pyhepmc.GenEvent(pyhepmc.Units.GEV, pyhepmc.Units.MM)
    particle, vertex = pyhepmc.GenParticle, pyhepmc.GenVertex
    beams = [particle(ELECTRON, 11, 4), particle(POSITRON, -11, 4)]
    virtual = particle((0, 0, 0, SQRT_S), 23, 62)
    kaon, photon = particle((0.3, 0.2, 0.1, 0.7), 310, 2), particle((-0.3, -0.2, -0.1, 0.4), 22, 1)
    copy = particle((0.3, 0.2, 0.1, 0.7), 310, 62)
    pions = [particle((0.2, 0.1, 0.0, 0.3), 211, 2), particle((0.1, 0.1, 0.1, 0.3), -211, 1)]
    muon = particle((0.2, 0.1, 0.0, 0.3), -13, 1)
    graph = [
        ((0, 0, 0, 0), beams, [virtual]),
        ((0, 0, 0, 0), [virtual], [kaon, photon]),
        ((0, 0, 0, 0), [kaon], [copy]),
        ((3.0, 2.0, 1.0, 7.0), [copy], pions),
        ((0, 0, 0, 0), [pions[0]], [muon]),
    ]
    for place, incoming, outgoing in graph:
        node = vertex(place)
        for one in incoming:
            node.add_particle_in(one)
        for one in outgoing:
            node.add_particle_out(one)
        event.add_vertex(node)
    path = tmp_path / "chain.hepmc3"
    with pyhepmc.open(path, "w") as file:
        file.write(event)
        file.write(event)
    return path


def test_decay_chain(decay_chain):
    events = exchange.read(decay_chain)
    assert events.number.tolist() == [0, 1]
    assert events.offsets.tolist() == [0, 5, 10]
    assert events.pdg[:5].tolist() == [310, 22, 211, -211, -13]
    assert events.status[:5].tolist() == [2, 1, 2, 1, 1]
    assert events.charge[:5].tolist() == [0, 0, 1, -1, 1]
    assert events.parent.tolist() == [-1, -1, 0, 0, 2] * 2
    assert events.vx[:5].tolist() == [0.0, 0.0, 0.3, 0.3, 0.3]
    assert events.vz[:5].tolist() == [0.0, 0.0, 0.1, 0.1, 0.1]
    assert events.t[:5].tolist() == pytest.approx([0.0, 0.0, 0.7 / C, 0.7 / C, 0.7 / C], rel=1e-15)
    assert events.weight.tolist() == [1.0, 1.0]
    assert events.event_sqrt_s.tolist() == [SQRT_S, SQRT_S]
    assert (events.frame, events.sqrt_s) == ("cm", SQRT_S)
    assert math.isnan(events.cross_section)


def test_a_displaced_collision(tmp_path):
    """Vertices are relative to the event's own origin."""
    text = muon_pair().replace("E 0 1 4", "E 0 2 5 @ 1.0 2.0 3.0 4.0").replace(" 0 1\n", " 0 2\n", 1)
    text += "V -2 0 [3] @ 1.5 2.0 3.0 5.0\n" + line(5, -2, 11, (1.0, 0.5, 0.3, 1.2), 1)
    events = exchange.read(write(tmp_path / "a.hepmc3", text))
    assert events.vx.tolist() == [0.0, 0.0, 0.05]
    assert events.vy.tolist() == [0.0, 0.0, 0.0]
    assert events.t.tolist() == pytest.approx([0.0, 0.0, 0.1 / C])


def test_numbers_are_kept_bit_for_bit(tmp_path):
    muons = (0.1 + 1e-17, 1.0 / 3.0, -math.pi / 10)
    events = exchange.read(write(tmp_path / "a.hepmc3", muon_pair(muons=muons)))
    assert (events.px[0], events.py[0], events.pz[0]) == muons


def test_units(tmp_path):
    vertex = "V -1 0 [1,2] @ {} 0 0 {}\n"
    text = muon_pair().replace("V -1 0 [1,2]\n", vertex.format(30.0, 60.0))
    beams = [tuple(1000 * p for p in beam) for beam in (ELECTRON, POSITRON)]
    other = muon_pair(beams=beams, units="MEV CM").replace("V -1 0 [1,2]\n", vertex.format(3.0, 6.0))
    muon = next(text for text in muon_pair().splitlines(keepends=True) if text.startswith("P 3"))
    px, py, pz, e = (float(word) for word in muon.split()[4:8])
    for number, pdg, sign in ((3, 13, 1), (4, -13, -1)):
        old = line(number, -1, pdg, (sign * px, sign * py, sign * pz, e), 1)
        new = line(number, -1, pdg, (sign * 1000 * px, sign * 1000 * py, sign * 1000 * pz, 1000 * e), 1)
        assert old in other
        other = other.replace(old, new)
    a = exchange.read(write(tmp_path / "a.hepmc3", text))
    b = exchange.read(write(tmp_path / "b.hepmc3", other))
    for name in ("px", "py", "pz", "energy", "vx", "t", "event_sqrt_s"):
        assert getattr(b, name) == pytest.approx(getattr(a, name), rel=3e-16), name
    assert a.vx.tolist() == [3.0, 3.0]
    assert a.t == pytest.approx([6.0 / C] * 2)


def test_gzip_and_plain_agree(tmp_path, assert_same):
    text = [muon_pair(number=n) for n in (3, 99, 5)]
    plain = exchange.read(write(tmp_path / "a.hepmc", *text))
    zipped = exchange.read(write(tmp_path / "a.gz", *text))
    assert_same(plain._replace(provenance=""), zipped._replace(provenance=""))
    assert plain.number.tolist() == [0, 1, 2]


def muon_events(n, weight_lines=lambda i: ""):
    rng = np.random.default_rng(11)
    return [muon_pair(muons=tuple(rng.normal(0, 0.5, 3)), number=i, head=weight_lines(i)) for i in range(n)]


def test_chunks(tmp_path, assert_same):
    path = write(tmp_path / "a.hepmc3", *muon_events(50, lambda i: f"W {0.1 * i - 1.0}\n"))
    whole = exchange.read(path, tries=400)
    for chunk in (1, 7, 50, 1000):
        parts = list(exchange.iterate(path, chunk, tries=400))
        assert all(math.isnan(part.cross_section) for part in parts[:-1])
        assert_same(whole, concatenate(parts))


def test_weights_by_name_and_index(tmp_path):
    head = "W nominal\\|up\\|down\n"
    path = write(tmp_path / "a.hepmc3", *muon_events(5, lambda i: f"W {i} {10 * i} {-i}\n"), head=head)
    assert exchange.read(path).weight.tolist() == [0, 1, 2, 3, 4]
    assert exchange.read(path, weight="up").weight.tolist() == [0, 10, 20, 30, 40]
    down = exchange.read(path, weight=2)
    assert down.weight.tolist() == [0, -1, -2, -3, -4]
    (step,) = json.loads(down.provenance)
    assert (step["weight"], step["negative_weights"], step["events"]) == ("down", 4, 5)
    with pytest.raises(ValueError, match="weight = 'sideways', must be one of nominal, up, down"):
        exchange.read(path, weight="sideways")
    with pytest.raises(ValueError, match="weight = 3, must be in 0 to 2"):
        exchange.read(path, weight=3)


def test_a_weight_asked_for_must_be_there(tmp_path):
    path = write(tmp_path / "a.hepmc3", *muon_events(2))
    with pytest.raises(ValueError, match=r"a\.hepmc3: weight = 'nominal'"):
        exchange.read(path, weight="nominal")
    with pytest.raises(ValueError, match="weight = 0, but the events have no weights"):
        exchange.read(path, weight=0)


def test_cross_section_from_tries(tmp_path):
    """The mean over all tries, of which those that gave no event weigh zero."""
    weights = np.random.default_rng(5).exponential(size=40)
    path = write(tmp_path / "a.hepmc3", *muon_events(40, lambda i: f"W {weights[i]:.17g}\n"))
    events = exchange.read(path, tries=300)
    padded = np.concatenate([weights, np.zeros(260)])
    assert events.cross_section == pytest.approx(padded.mean(), rel=1e-12)
    assert events.cross_section_error == pytest.approx(padded.std(ddof=1) / math.sqrt(300), rel=1e-12)
    with pytest.raises(ValueError, match="tries = 39, must be at least the 40 events"):
        exchange.read(path, tries=39)


def test_cross_section_of_the_file_is_that_of_its_last_event(tmp_path):
    path = write(
        tmp_path / "a.hepmc3",
        *muon_events(4, lambda i: f"A 0 GenCrossSection {1000.0 + i} {50.0 - i} {i + 1} {i + 1}\n"),
    )
    events = exchange.read(path)
    assert events.cross_section == pytest.approx(1.003)
    assert events.cross_section_error == pytest.approx(0.047)
    given = exchange.read(path, cross_section=0.5)
    assert given.cross_section == 0.5
    assert math.isnan(given.cross_section_error)
    assert exchange.read(path, cross_section=0.5, cross_section_error=0.1).cross_section_error == 0.1


CROSSING = (math.sin(0.011), 0.0, 0.0)


@pytest.mark.parametrize("beta", [CROSSING, (0.0, 0.0, 0.5), (0.1, -0.2, 0.3)])
def test_laboratory_files_are_brought_to_the_centre_of_mass(beta, tmp_path):
    """A rest-frame event boosted by hand comes back; for a boost off the axis, up to the turn of the beam axis."""
    muons = (1.0, 0.5, 0.3)
    energy = math.sqrt(sum(p * p for p in muons) + M_MU**2)
    text = muon_pair(beams=(boosted(ELECTRON, beta), boosted(POSITRON, beta)))
    minus, plus = (*muons, energy), (*(-p for p in muons), energy)
    for number, pdg, p in ((3, 13, minus), (4, -13, plus)):
        text = text.replace(line(number, -1, pdg, p, 1), line(number, -1, pdg, boosted(p, beta), 1))
    text = text.replace("V -1 0 [1,2]\n", "V -1 0 [1,2] @ {} {} {} {}\n".format(*boosted((0, 0, 20.0, 30.0), beta)))
    path = write(tmp_path / "a.hepmc3", text)
    events = exchange.read(path)
    assert json.loads(events.provenance)[0]["frame"] == "lab"
    assert events.frame == "cm"
    assert events.event_sqrt_s[0] == pytest.approx(SQRT_S, rel=1e-14)
    columns = [events.px[0], events.py[0], events.pz[0], events.energy[0]]
    assert columns == pytest.approx([*muons, energy], abs=3e-15)
    assert [events.vx[0], events.vy[0], events.vz[0], events.t[0] * C] == pytest.approx([0, 0, 2.0, 3.0], abs=3e-15)
    unmoved = exchange.read(path, frame="cm", sqrt_s=SQRT_S)
    assert unmoved.energy[0] == boosted(minus, beta)[3]
    assert unmoved.sqrt_s == SQRT_S


@pytest.mark.parametrize("axis", [(0.0, 0.0, -1.0), (1.0, 0.0, 0.0), (0.6, 0.0, -0.8), (0.48, -0.6, 0.64)])
def test_the_electron_beam_becomes_the_axis(axis, tmp_path):
    """Angles to the electron beam, and the handedness of the event, are kept."""
    axis, half = np.array(axis), SQRT_S / 2
    beams = [(*(sign * half * axis), half) for sign in (1, -1)]
    muon = np.array([0.9, 0.7, -0.4])
    events = exchange.read(write(tmp_path / "a.hepmc3", muon_pair(beams=beams, muons=tuple(muon))))
    p = np.array([events.px[0], events.py[0], events.pz[0]])
    assert p[2] == pytest.approx(muon @ axis, abs=1e-15)
    assert p @ p == pytest.approx(muon @ muon, abs=1e-15)
    swapped = exchange.read(write(tmp_path / "b.hepmc3", muon_pair(beams=beams, muons=tuple(muon[[1, 2, 0]]))))
    q = np.array([swapped.px[0], swapped.py[0], swapped.pz[0]])
    assert p @ q == pytest.approx(muon @ muon[[1, 2, 0]], abs=1e-15)
    third = np.cross(p, q)
    assert third[2] == pytest.approx(np.cross(muon, muon[[1, 2, 0]]) @ axis, abs=2e-15)


def test_beams_in_the_other_order(tmp_path):
    text = muon_pair(beams=(POSITRON, ELECTRON)).replace("P 1 0 11", "P 1 0 -11").replace("P 2 0 -11", "P 2 0 11")
    events = exchange.read(write(tmp_path / "a.hepmc3", text))
    assert (events.px[0], events.pz[0]) == (1.0, 0.3)


def test_exchange_reads_hdf5_too(tmp_path, make_record, assert_same):
    record = make_record("RecoEvents", 10)
    store.write(tmp_path / "a.anything", record)
    assert_same(record, exchange.read(tmp_path / "a.anything"))
    assert [part.n_events for part in exchange.iterate(tmp_path / "a.anything", 4)] == [4, 4, 2]
    with pytest.raises(TypeError, match="tries can be given for HepMC3 and LHE files only"):
        exchange.read(tmp_path / "a.anything", tries=10)


def test_events_survive_hdf5(tmp_path, decay_chain, assert_same):
    events = exchange.read(decay_chain)
    store.write(tmp_path / "a.h5", events)
    assert_same(events, exchange.read(tmp_path / "a.h5"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frame": "rest"}, "frame = 'rest', must be 'cm', 'lab'"),
        ({"tries": 1}, "tries = 1, must be at least 2"),
        ({"tries": 10, "cross_section": 1.0}, "exclude each other"),
        ({"cross_section": -1.0}, "cross_section = -1.0, must be positive"),
        ({"cross_section": math.nan}, "cross_section = nan, must be positive"),
        ({"sqrt_s": 0.0}, "sqrt_s = 0.0, must be positive"),
        ({"process": "a,b"}, "process = 'a,b', must be a name without comma"),
    ],
)
def test_bad_options(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        exchange.read(write(tmp_path / "a.hepmc3", muon_pair()), **options)


def test_unknown_option(tmp_path):
    with pytest.raises(TypeError, match="colour"):
        exchange.read(write(tmp_path / "a.hepmc3", muon_pair()), colour=1)


# damaged files


@pytest.mark.parametrize("suffix", ["hepmc3", "gz"])
def test_no_end(suffix, tmp_path):
    path = write(tmp_path / f"a.{suffix}", *muon_events(3), end="")
    with pytest.raises(OSError, match=r"cut off after 3 complete events \(no line HepMC::Asciiv3-END_EVENT_LISTING"):
        exchange.read(path)


@pytest.mark.parametrize("fraction", [0.001, 0.3, 0.9, 0.999])
def test_cut_gzip(fraction, tmp_path):
    path = write(tmp_path / "a.gz", *muon_events(400))
    data = path.read_bytes()
    path.write_bytes(data[: int(fraction * len(data))])
    with pytest.raises((OSError, ValueError), match=r"^\S*a\.gz: (cut off after \d+ complete|neither HDF5 nor HepMC3)"):
        exchange.read(path)


def test_damaged_gzip(tmp_path):
    path = write(tmp_path / "a.gz", *muon_events(400))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises((OSError, ValueError), match=r"^\S*a\.gz: "):
        exchange.read(path)


@pytest.mark.parametrize("cut", range(20, 400, 40))
def test_cut_text(cut, tmp_path):
    text = write(tmp_path / "whole.hepmc3", *muon_events(3)).read_text()
    path = tmp_path / "a.hepmc3"
    path.write_text(text[:-cut])
    with pytest.raises((OSError, ValueError), match=r"^\S*a\.hepmc3: (cut off after [0123] complete|event)"):
        exchange.read(path)


def test_a_damaged_event_is_named(tmp_path):
    events = muon_events(5)
    events[3] = events[3].replace("E 3 1 4", "E 3 1 9")
    path = write(tmp_path / "a.hepmc3", *events)
    with pytest.raises(ValueError, match=r"a\.hepmc3: event 3 \(counted from 0\) of 5 cannot be parsed"):
        exchange.read(path)


@pytest.mark.parametrize("suffix", ["hepmc3", "gz"])
def test_what_came_before_a_damage_can_be_kept(suffix, tmp_path):
    events = muon_events(5)
    whole = exchange.read(write(tmp_path / "whole.hepmc3", *events))
    events[3] = events[3].replace("E 3 1 4", "E 3 1 9")
    path = write(tmp_path / f"a.{suffix}", *events)
    with pytest.raises(ValueError, match=r"; --keep-complete \(keep_complete=True\) keeps the 3 complete events"):
        exchange.read(path)
    with pytest.warns(UserWarning, match=r"event 3 \(counted from 0\) of 5 cannot be parsed: 3 complete events kept"):
        kept = exchange.read(path, keep_complete=True)
    assert kept.n_events == 3
    assert np.array_equal(kept.px, whole.px[:6])
    assert json.loads(kept.provenance)[0]["damage"] == "event 3 (counted from 0) of 5 cannot be parsed"
    with pytest.warns(UserWarning, match="3 complete events kept"):
        parts = list(exchange.iterate(path, 2, keep_complete=True))
    assert [part.n_events for part in parts] == [2, 1]


def test_what_the_parser_throws(tmp_path):
    """Names of weights with spaces count twice in HepMC3."""
    path = write(tmp_path / "a.hepmc3", *muon_events(2, lambda i: "W 1.0 2.0\n"), head="W a b\\|c\n")
    with pytest.raises(ValueError, match=r"a\.hepmc3: event 0 \(counted from 0\) of 2 cannot be parsed \(.*weight"):
        exchange.read(path)


def test_circles(tmp_path):
    """A particle that comes from its own decay."""
    event = muon_pair(number=1).replace("E 1 1 4", "E 1 2 5") + "V -2 0 [5]\n" + line(5, -2, 22, (0, 0, 1, 1), 1)
    with pytest.raises(ValueError, match=r"a\.hepmc3: a particle of event 1 is its own ancestor"):
        exchange.read(write(tmp_path / "a.hepmc3", muon_pair(), event))


@pytest.mark.parametrize("text", ["", "hello\n", "HepMC::Version 2.06.09\nHepMC::IO_GenEvent-START_EVENT_LISTING\n"])
def test_another_format(text, tmp_path):
    path = tmp_path / "a.hepmc"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"a\.hepmc: neither HDF5 nor HepMC3"):
        exchange.read(path)


def test_no_file_and_no_events(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.hepmc3: no such file"):
        exchange.read(tmp_path / "a.hepmc3")
    with pytest.raises(ValueError, match=r"a\.hepmc3: no events"):
        exchange.read(write(tmp_path / "a.hepmc3"))


def test_momenta_must_be_finite(tmp_path):
    events = muon_events(3)
    words = events[1].splitlines(keepends=True)
    words[5] = line(3, -1, 13, (0.1, math.nan, 0.2, 1.0), 1)
    events[1] = "".join(words)
    with pytest.raises(ValueError, match=r"a\.hepmc3: py = nan in event 1, must be finite"):
        exchange.read(write(tmp_path / "a.hepmc3", *events))


@pytest.mark.parametrize("value", ["nan", "inf", "", "lots"])
def test_weights_must_be_numbers(value, tmp_path):
    """The parser drops what it cannot read: such an event must not pass with weight 1."""
    path = write(tmp_path / "a.hepmc3", *muon_events(3, lambda i: f"W {value if i == 2 else 1.0}\n"))
    with pytest.raises(ValueError, match="event 2 has 0 finite weights, the first has 1"):
        exchange.read(path)


def test_beams_are_needed(tmp_path):
    events = muon_events(3)
    events[2] = events[2].replace(" 0 4\n", " 0 3\n")
    with pytest.raises(ValueError, match=r"0 beams \(status 4\) in event 2, must be 2"):
        exchange.read(write(tmp_path / "a.hepmc3", *events))


def test_unphysical_beams(tmp_path):
    beams = ((0.0, 0.0, 2.0, 1.0), (0.0, 0.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="event_sqrt_s = nan in event 0"):
        exchange.read(write(tmp_path / "a.hepmc3", muon_pair(beams=beams)))


CHARGES = {
    11: -1,
    -13: 1,
    12: 0,
    22: 0,
    211: 1,
    -321: -1,
    310: 0,
    2212: 1,
    -3312: 1,
    4122: 1,
    9000211: 1,
    1000020040: 2,
}
CHARGES |= {52: 0, -52: 0, 55: 0, 32: 0, 1: None, -4: None, 0: None}


@pytest.mark.parametrize(("pdg", "expected"), CHARGES.items())
def test_charges(pdg, expected):
    """Of leptons, hadrons, nuclei, and neutral particles nobody has seen; quarks and nothing have no integer one."""
    assert charge(pdg) == expected


def test_unknown_particle(tmp_path):
    events = muon_events(3)
    events[1] = events[1].replace(" -1 13 ", " -1 987654321 ")
    with pytest.raises(ValueError, match=r"pdg = 987654321 in event 1 is no particle of known integer charge"):
        exchange.read(write(tmp_path / "a.hepmc3", *events))


def test_a_failure_of_a_stream_of_chunks_leaves_no_file(tmp_path):
    path = write(tmp_path / "a.hepmc3", *muon_events(10), end="")

    def convert():
        with store.Writer(tmp_path / "out.h5", "TruthEvents") as writer:
            for part in exchange.iterate(path, 4):
                writer.append(part)

    with pytest.raises(OSError, match="cut off after 10"):
        convert()
    assert [p.name for p in tmp_path.iterdir()] == ["a.hepmc3"]


def test_pyhepmc_is_left_as_it_was(tmp_path):
    before = pyhepmc.Setup.print_errors, pyhepmc.Setup.print_warnings, pyhepmc.Setup.debug_level
    parts = exchange.iterate(write(tmp_path / "a.hepmc3", *muon_events(5)), 2)
    list(itertools.islice(parts, 1))
    parts.close()
    assert before == (pyhepmc.Setup.print_errors, pyhepmc.Setup.print_warnings, pyhepmc.Setup.debug_level)
