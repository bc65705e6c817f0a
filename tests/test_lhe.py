"""LHE files of other programs: what they say of beams, weights, cross sections and lives; damaged files."""

import gzip
import itertools
import json
import math
import warnings

import numpy as np
import pytest
from besfast import exchange
from besfast.constants import M_E, M_MU, C
from besfast.event import concatenate

SQRT_S = 3.773
BEAM = SQRT_S / 2
PZ = math.sqrt(BEAM**2 - M_E**2)
INIT = (11, -11, BEAM, BEAM, 0, 0, 0, 0)


def particle(pdg, status, mothers, p, mass=0.0, lifetime=0.0):
    return f"{pdg} {status} {mothers[0]} {mothers[1]} 0 0 " + " ".join(f"{x:.17g}" for x in (*p, mass, lifetime, 9))


def muon_pair(k=(1.0, 0.5, 0.3), *, process=1, weight=1.0, beams=None, lines=(), more="", nup=None, attributes=""):
    """Return the text of e+e- -> Z* -> mu- mu+ as a matrix-element generator writes it."""
    energy = math.sqrt(sum(x * x for x in k) + M_MU**2)
    beams = beams or ((0.0, 0.0, PZ, BEAM), (0.0, 0.0, -PZ, BEAM))
    rows = [
        particle(11, -1, (0, 0), beams[0], M_E),
        particle(-11, -1, (0, 0), beams[1], M_E),
        particle(23, 2, (1, 2), (0.0, 0.0, 0.0, 2 * energy), 2 * energy),
        particle(13, 1, (3, 3), (*k, energy), M_MU),
        particle(-13, 1, (3, 3), (*(-x for x in k), energy), M_MU),
        *lines,
    ]
    head = f"<event{attributes}>\n {nup or len(rows)} {process} {weight!r} 3.773 0.0073 0.118\n"
    return head + "\n".join(rows) + "\n" + more + "</event>\n"


def write(
    path, *events, idwtup=3, processes=((2000.0, 10.0, 1.0, 1),), init=INIT, header="", end="</LesHouchesEvents>\n"
):
    rows = [(*init, idwtup, len(processes)), *processes]
    block = "".join(" ".join(str(x) for x in row) + "\n" for row in rows)
    text = f'<LesHouchesEvents version="3.0">\n{header}<init>\n{block}</init>\n' + "".join(events)
    text += "</LesHouchesEvents>\n"
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode())
    return path


def pairs(n, **options):
    rng = np.random.default_rng(1)
    return [muon_pair(tuple(rng.normal(0.0, 0.4, 3)), **options) for _ in range(n)]


@pytest.mark.parametrize("name", ["a.lhe", "a.lhe.gz", "a.whatever"])
def test_a_matrix_element_file(name, tmp_path):
    comment = "<!-- run card of 2024: x < y -->\n<header>\n<card><![CDATA[ 1 <= n & m ]]></card>\n</header>\n"
    path = write(tmp_path / name, muon_pair(), muon_pair((0.1, 0.2, -0.3), more="# a comment\n"), header=comment)
    events = exchange.read(path)
    assert events.number.tolist() == [0, 1]
    assert events.offsets.tolist() == [0, 3, 6]
    assert events.pdg.tolist() == [23, 13, -13] * 2
    assert events.status.tolist() == [2, 1, 1] * 2
    assert events.parent.tolist() == [-1, 0, 0] * 2
    assert events.charge.tolist() == [0, -1, 1] * 2
    assert (events.px[1], events.py[1], events.pz[1]) == (1.0, 0.5, 0.3)
    assert not np.any([events.vx, events.vy, events.vz, events.t])
    assert events.weight.tolist() == [1.0, 1.0]
    assert events.event_sqrt_s == pytest.approx([SQRT_S] * 2, rel=1e-15)
    assert (events.processes, events.frame) == ("external", "cm")
    assert events.sqrt_s == pytest.approx(SQRT_S, rel=1e-15)
    assert events.cross_section == pytest.approx(2.0, rel=1e-15)
    assert events.cross_section_error == pytest.approx(0.01, rel=1e-15)
    (step,) = json.loads(events.provenance)
    assert (step["step"], step["idwtup"], step["weight"], step["frame"]) == ("read_lhe", 3, "XWGTUP", "cm")


def test_chunks(tmp_path, assert_same):
    path = write(tmp_path / "a.lhe", *pairs(600))
    whole = exchange.read(path)
    for chunk in (1, 100, 599):
        assert_same(whole, concatenate(list(exchange.iterate(path, chunk))))


def test_several_processes(tmp_path):
    """Each LPRUP keeps its events apart; the cross section is the sum, its error in quadrature."""
    processes = ((2000.0, 30.0, 1.0, 7), (500.0, 40.0, 1.0, 12))
    events = [muon_pair(process=k) for k in (12, 7, 7)]
    read = exchange.read(write(tmp_path / "a.lhe", *events, processes=processes))
    assert read.processes == "external_7,external_12"
    assert read.process.tolist() == [1, 0, 0]
    assert read.cross_section == pytest.approx(2.5, rel=1e-15)
    assert read.cross_section_error == pytest.approx(0.05, rel=1e-15)
    named = exchange.read(tmp_path / "a.lhe", process="mine")
    assert (named.processes, named.process.tolist()) == ("mine", [0, 0, 0])
    with pytest.raises(ValueError, match=r"IDPRUP = 3 in event 1, <init> knows 7, 12"):
        exchange.read(write(tmp_path / "b.lhe", events[0], muon_pair(process=3), processes=processes))


@pytest.mark.parametrize("xsecup", [0.0, -1.0])
def test_no_cross_section_is_not_guessed(xsecup, tmp_path):
    path = write(tmp_path / "a.lhe", *pairs(3, weight=700.0), idwtup=4, processes=((xsecup, 0.0, 0.0, 1),))
    assert math.isnan(exchange.read(path).cross_section)
    assert exchange.read(path, cross_section=1.5).cross_section == 1.5


def test_cross_section_from_tries(tmp_path):
    """Weights are in pb: the mean over all tries, of which those that gave no event weigh zero."""
    weights = np.random.default_rng(5).exponential(900.0, size=40)
    path = write(tmp_path / "a.lhe", *(muon_pair(weight=w) for w in weights.tolist()), idwtup=-4)
    events = exchange.read(path, tries=300)
    padded = np.concatenate([weights, np.zeros(260)]) / 1000.0
    assert events.cross_section == pytest.approx(padded.mean(), rel=1e-12)
    assert events.cross_section_error == pytest.approx(padded.std(ddof=1) / math.sqrt(300), rel=1e-12)
    with pytest.raises(ValueError, match="tries: the weights are of IDWTUP = 3, no cross sections"):
        exchange.read(write(tmp_path / "b.lhe", *pairs(3)), tries=10)


RWGT = "<rwgt>\n<wgt id='up'> {} </wgt>\n<wgt id='down'> {} </wgt>\n</rwgt>\n"
INITRWGT = (
    "<header>\n<initrwgt>\n<weightgroup name='scale' combine='envelope'>\n<weight id='up'>mu=2</weight>\n"
    "<weight id='down'>mu=0.5</weight>\n</weightgroup>\n</initrwgt>\n</header>\n"
)


@pytest.mark.parametrize("block", [RWGT, "<weights> {} {} </weights>\n"])
def test_named_weights(block, tmp_path):
    events = [muon_pair(weight=-1.0 * i, more=block.format(2.0 * i, 3.5)) for i in range(4)]
    path = write(tmp_path / "a.lhe", *events, header=INITRWGT)
    nominal = exchange.read(path)
    assert nominal.weight.tolist() == [0, -1, -2, -3]
    assert json.loads(nominal.provenance)[0]["negative_weights"] == 3
    up = exchange.read(path, weight="up")
    assert up.weight.tolist() == [0, 2, 4, 6]
    assert math.isnan(up.cross_section)  # XSECUP is that of XWGTUP
    assert exchange.read(path, weight=2).weight.tolist() == [3.5] * 4
    (chunk,) = exchange.iterate_weighted(path, weight="down")
    assert list(chunk.weights) == ["down", "XWGTUP", "up"]
    with pytest.raises(ValueError, match="weight = 'left', must be one of XWGTUP, up, down"):
        exchange.read(path, weight="left")
    with pytest.raises(ValueError, match="weight = 3, must be in 0 to 2"):
        exchange.read(path, weight=3)


def test_weights_must_be_those_of_the_first_event(tmp_path):
    events = [muon_pair(more=RWGT.format(1, 2)), muon_pair(more=RWGT.format(1, 2).replace("up", "left"))]
    path = write(tmp_path / "a.lhe", *events, header=INITRWGT)
    with pytest.raises(ValueError, match="event 1 has the weights left, down, the first has up, down"):
        exchange.read(path)


def test_asymmetric_beams(tmp_path):
    """7 GeV on 4 GeV: boosted to the centre of mass by the beams of each event."""
    high, low = 7.0, 4.0
    beams = ((0.0, 0.0, math.sqrt(high**2 - M_E**2), high), (0.0, 0.0, -math.sqrt(low**2 - M_E**2), low))
    beta = (beams[0][2] + beams[1][2]) / (high + low)
    gamma = 1.0 / math.sqrt(1.0 - beta * beta)
    event = muon_pair((1.0, 0.5, 0.3), beams=beams)
    events = exchange.read(write(tmp_path / "a.lhe", event, init=(11, -11, high, low, 0, 0, 0, 0)))
    energy = math.sqrt(1.34 + M_MU**2)
    sqrt_s = math.sqrt(2 * M_E**2 + 2 * (high * low - beams[0][2] * beams[1][2]))
    assert events.sqrt_s == pytest.approx(sqrt_s, rel=1e-14)
    assert events.event_sqrt_s[0] == pytest.approx(sqrt_s, rel=1e-14)
    assert json.loads(events.provenance)[0]["frame"] == "lab"
    assert events.pz[1] == pytest.approx(gamma * (0.3 - beta * energy), rel=1e-14)
    assert events.energy[1] == pytest.approx(gamma * (energy - beta * 0.3), rel=1e-14)
    assert exchange.read(tmp_path / "a.lhe", frame="cm").pz[1] == 0.3


def test_positron_first(tmp_path):
    """As WHIZARD writes: the positron along +z, more elements in <init> and in the events than the accord has."""
    rows = muon_pair(more="<weight name='sqme_prc'>1.5</weight>\n").splitlines(keepends=True)
    rows[2], rows[3] = rows[2].replace("11 ", "-11 ", 1), rows[3].replace("-11 ", "11 ", 1)
    text = write(tmp_path / "a.lhe", "".join(rows), init=(-11, 11, BEAM, BEAM, -1, -1, -1, -1)).read_text()
    more = "<generator version='3.1'>WHIZARD</generator>\n<xsecinfo neve='1' totxsec='2000.' />\n</init>"
    (tmp_path / "a.lhe").write_text(text.replace("</init>", more))
    events = exchange.read(tmp_path / "a.lhe")
    assert events.pz[1] == -0.3
    assert events.cross_section == pytest.approx(2.0, rel=1e-15)
    assert events.weight.tolist() == [1.0]


def test_cross_sections_that_were_never_filled_in(tmp_path):
    """As Sherpa writes: 1 +- 1 pb, weights in pb although IDWTUP is 3, and the tries as an attribute of each event."""
    weights, trials = (675.0, 675.0, 337.5), (1, 8, 3)
    events = [muon_pair(weight=w, attributes=f" trials='{k}'") for w, k in zip(weights, trials)]
    path = write(tmp_path / "a.lhe", *events, processes=((1, 1, 1, 1),))
    assert math.isnan(exchange.read(path).cross_section)
    assert exchange.read(path, tries=sum(trials)).cross_section == pytest.approx(0.001 * sum(weights) / 12, rel=1e-15)


def test_beams_before_the_radiation(tmp_path):
    """Incoming particles that have radiated are no beams: an error, or the beams of <init>; ISTUP -9 are beams."""
    beams = ((0.0, 0.0, 0.8 * BEAM, 0.8 * BEAM), (0.0, 0.0, -BEAM, BEAM))
    path = write(tmp_path / "a.lhe", muon_pair(), muon_pair(beams=beams))
    with pytest.raises(ValueError, match=r"incoming particles of 3\.37\d* GeV in event 1, beams of 3\.773 GeV in"):
        exchange.read(path)
    events = exchange.read(path, beams="init")
    assert events.event_sqrt_s == pytest.approx([SQRT_S] * 2, rel=1e-15)
    assert events.pz.tolist()[1::3] == [0.3, 0.3]
    outer = [particle(11, -9, (0, 0), (0.0, 0.0, PZ, BEAM), M_E), particle(-11, -9, (0, 0), (0.0, 0.0, -PZ, BEAM), M_E)]
    events = exchange.read(write(tmp_path / "b.lhe", muon_pair(), muon_pair(beams=beams, lines=outer)))
    assert events.event_sqrt_s == pytest.approx([SQRT_S] * 2, rel=1e-15)
    with pytest.raises(ValueError, match="beams = 'init', but <init> gives no energies"):
        exchange.read(write(tmp_path / "c.lhe", muon_pair(), init=(11, -11, 0.0, 0.0, 0, 0, 0, 0)), beams="init")
    assert exchange.read(tmp_path / "c.lhe").sqrt_s == pytest.approx(SQRT_S, rel=1e-15)
    with pytest.raises(ValueError, match="beams = 'lab', must be 'event' or 'init'"):
        exchange.read(path, beams="lab")


def test_lives(tmp_path):
    """VTIMUP [mm] of a K_S: its pions come from c tau p / m, at c t = c tau E / m, with documentation between."""
    mass, ctau = 0.497611, 26.8
    p = (0.3, -0.4, 1.2)
    energy = math.sqrt(1.69 + mass * mass)
    lines = [
        particle(310, 2, (1, 2), (*p, energy), mass, ctau),
        particle(310, 3, (6, 0), (*p, energy), mass),
        particle(211, 1, (7, 7), (0.1, 0.0, 0.2, 0.4), 0.13957, 7800.0),  # the life of a final particle is its future
        particle(-211, 1, (6, 6), (0.2, -0.4, 1.0, 1.2), 0.13957),
    ]
    events = exchange.read(write(tmp_path / "a.lhe", muon_pair(lines=lines)))
    assert events.pdg.tolist() == [23, 13, -13, 310, 211, -211]
    assert events.parent.tolist() == [-1, 0, 0, -1, 3, 3]
    for k in (4, 5):
        place = [events.vx[k], events.vy[k], events.vz[k]]
        assert place == pytest.approx([0.1 * ctau * x / mass for x in p], rel=1e-14)
        assert events.t[k] == pytest.approx(0.1 * ctau * energy / mass / C, rel=1e-14)
    assert not np.any([events.vx[:4], events.vy[:4], events.vz[:4], events.t[:4]])


@pytest.mark.parametrize(("mass", "lifetime"), [(0.0, 1.0), (0.5, -1.0), (0.5, math.nan)])
def test_impossible_lives(mass, lifetime, tmp_path):
    lines = [particle(310, 2, (1, 2), (0, 0, 1, 2), mass, lifetime), particle(22, 1, (6, 6), (0, 0, 1, 1))]
    with pytest.raises(ValueError, match=r"VTIMUP = \S+ at mass \S+ in event 1, both must be positive"):
        exchange.read(write(tmp_path / "a.lhe", muon_pair(), muon_pair(lines=lines)))


# damaged and wrong files


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (muon_pair(nup=6), r"event 2 \(counted from 0\) has 5 particles, NUP = 6"),
        (
            muon_pair().replace("13 1 3", "13 one 3", 1),
            r"event 2 \(counted from 0\) cannot be parsed \(could not",
        ),
        (muon_pair().replace(" 3 3 0 0", " 3 3", 1), r"event 2 \(counted from 0\) cannot be parsed"),
        (muon_pair().replace("</event>", "<&</event>"), r"event 2 \(counted from 0\) cannot be parsed \(Parse Error"),
    ],
)
@pytest.mark.parametrize("suffix", ["lhe", "lhe.gz"])
def test_a_broken_event(event, message, suffix, tmp_path):
    path = write(tmp_path / f"a.{suffix}", *pairs(2), event, *pairs(2))
    with pytest.raises(ValueError, match=rf"{message}.*; --keep-complete .* keeps the 2 complete events before"):
        exchange.read(path)
    with pytest.warns(UserWarning, match=rf"a\.{suffix}: {message}.*: 2 complete events kept"):
        kept = exchange.read(path, keep_complete=True)
    assert kept.n_events == 2
    assert "event 2" in json.loads(kept.provenance)[0]["damage"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\n-11 -1 ", "\n-11 3 ", r"1 beams \(ISTUP -9 or -1\) in event 1, must be 2"),
        ("\n13 1 ", "\n987654321 1 ", "pdg = 987654321 in event 1 is no particle of known integer charge"),
        ("\n13 1 3 3", "\n13 1 9 9", "MOTHUP = 9 in event 1 is no particle of it"),
        ("\n23 2 1 2", "\n23 3 4 4", "a particle of event 1 is its own ancestor"),
        (" 0 0 1 0.5", " 0 0 nan 0.5", "px = nan in event 1, must be finite"),
        (" 5 1 1.0 ", " 5 1 nan ", "weight = nan in event 1, must be finite"),
    ],
)
def test_what_is_wrong_is_named(old, new, message, tmp_path):
    assert old in muon_pair()
    event = muon_pair().replace(old, new).replace("13 1 3 3", "13 3 3 3" if "23 3" in new else "13 1 3 3")
    with pytest.raises(ValueError, match=rf"a\.lhe: {message}"):
        exchange.read(write(tmp_path / "a.lhe", muon_pair(), event), keep_complete=True)


@pytest.mark.parametrize("suffix", ["lhe", "lhe.gz", "lhe.xz"])
@pytest.mark.parametrize("fraction", [0.3, 0.9, 0.999])
def test_a_file_cut_in_an_event(fraction, suffix, tmp_path):
    whole = exchange.read(write(tmp_path / "whole.lhe", *pairs(300)))
    exchange.write(tmp_path / f"a.{suffix}", whole)
    data = (tmp_path / f"a.{suffix}").read_bytes()
    (tmp_path / f"a.{suffix}").write_bytes(data[: int(fraction * len(data))])
    message = rf"a\.{suffix}: cut off after \d+ complete events .*keeps the \d+"
    with pytest.raises(OSError, match=message) as failure:
        exchange.read(tmp_path / f"a.{suffix}")
    n = int(str(failure.value).split("cut off after ")[1].split()[0])
    assert 0 < n <= 300
    with pytest.warns(UserWarning, match=rf"{n} complete events kept"):
        kept = exchange.read(tmp_path / f"a.{suffix}", keep_complete=True)
    assert kept.n_events == n
    for name in ("px", "pz", "energy", "pdg", "parent"):
        assert np.array_equal(getattr(kept, name), getattr(whole, name)[: kept.offsets[-1]])


@pytest.mark.parametrize("suffix", ["hepmc3", "lhe"])
def test_a_file_cut_anywhere(suffix, tmp_path):
    """At whatever byte a file ends, no event is kept that is not one of the whole file's."""
    exchange.write(tmp_path / f"whole.{suffix}", exchange.read(write(tmp_path / "pairs.lhe", *pairs(3))))
    whole = exchange.read(tmp_path / f"whole.{suffix}")
    data = (tmp_path / f"whole.{suffix}").read_bytes()
    path, counts = tmp_path / f"a.{suffix}", set()
    begin = data.index(b"<event>" if suffix == "lhe" else b"\nE ")
    for size in itertools.chain(range(begin, len(data) - 30, 7), range(len(data) - 60, len(data) - 1)):
        path.write_bytes(data[:size])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            try:
                kept = exchange.read(path, keep_complete=True)
            except OSError as error:
                counts.add(int(str(error).split("cut off after ")[1].split()[0]))
                continue
        counts.add(kept.n_events)
        for name in ("px", "energy", "pdg", "status", "vx"):
            assert np.array_equal(getattr(kept, name), getattr(whole, name)[: kept.offsets[-1]])
        assert np.array_equal(kept.weight, whole.weight[: kept.n_events])
    assert counts == {0, 1, 2, 3}


def test_an_empty_or_foreign_file(tmp_path):
    with pytest.raises(ValueError, match=r"a\.lhe: no events"):
        exchange.read(write(tmp_path / "a.lhe"))
    (tmp_path / "b.lhe").write_text('<LesHouchesEvents version="3.0">\n<init>\n11 -11\n</init>\n</LesHouchesEvents>\n')
    with pytest.raises(ValueError, match=r"b\.lhe: the header or <init> cannot be parsed"):
        exchange.read(tmp_path / "b.lhe")
    with pytest.raises(ValueError, match=r"c\.lhe: the header or <init> cannot be parsed \(<init> names no process"):
        exchange.read(write(tmp_path / "c.lhe", processes=()))
    with pytest.raises(FileNotFoundError, match=r"d\.lhe: no such file"):
        exchange.read(tmp_path / "d.lhe")
