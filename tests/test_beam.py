"""Beams of any kind: initial four-momentum, Lorentz transformation, cards, and the way through the chain and back."""

import dataclasses
import json
import math
import re

import numpy as np
import pytest
from besfast import store
from besfast.cli import main
from besfast.constants import M_MU, C
from besfast.event import FIT_HYPOTHESES
from besfast.exchange.frame import to_electron_axis, to_rest_frame
from besfast.geometry.beam import (
    boost_x,
    centre_of_mass_energy,
    laboratory,
    polar_angle_cm,
    to_centre_of_mass,
    to_laboratory,
)
from besfast.geometry.card import card_text, load_card
from besfast.reco.kinematic_fit import CONVERGED
from besfast.reco.reconstruct import reconstruct
from besfast.rng import key
from besfast.schema import SchemaError
from besfast.sim.generate import generate
from besfast.sim.particles import final_state
from besfast.sim.simulate import simulate
from scipy import stats

from .gun import gun, truth_of

MU = FIT_HYPOTHESES.index("mu")

#: Energies of electron and positron beam [GeV], half crossing angle and tilt [rad].
BEAMS = {
    "besiii": (1.8866141, 1.8866141, 0.011, 0.0),
    "babar": (9.0, 3.1, 0.0, 0.0),
    "babar_tilted": (9.0, 3.1, 0.0, -0.02),
    "belle": (7.996, 3.5, 0.011, 0.011),
    "belle2": (7.007, 4.0, 0.0415, 0.0),
    "positron_ring": (3.0, 9.5, 0.05, 0.1),
}
#: An asymmetric machine at the psi(3770), whose muons the drift chamber of BESIII measures well.
ASYMMETRIC = "electron_energy = 2.5\npositron_energy = 1.4235\nhalf_crossing_angle = 0.03\ntilt = 0.01\n"
BELLE2 = "electron_energy = 7.007\npositron_energy = 4.0\nhalf_crossing_angle = 0.0415\n"
BABAR = "electron_energy = 9.0\npositron_energy = 3.1\nhalf_crossing_angle = 0.0\ntilt = -0.02\n"


def four(energy, *momentum):
    return np.array([energy, *momentum])


def beams_of(electron, positron, angle, tilt):
    """Return the beams' four-momenta (E, x, y, z), straight from the definition of the angles."""
    a, b = angle + tilt, angle - tilt
    return (
        four(electron, electron * math.sin(a), 0.0, electron * math.cos(a)),
        four(positron, positron * math.sin(b), 0.0, -positron * math.cos(b)),
    )


def lab_of(name):
    electron, positron, angle, tilt = BEAMS[name]
    return laboratory(centre_of_mass_energy(electron, positron, angle), electron, positron, angle, tilt)


def forth(lab, vectors):
    """Return four-vectors (4, n) of the centre of mass in the laboratory."""
    rows = [to_laboratory(lab, float(x), float(z), float(e)) for e, x, _, z in vectors.T]
    return np.array([(e, x, y, z) for (x, z, e), y in zip(rows, vectors[2])]).T


def back(lab, vectors):
    rows = [to_centre_of_mass(lab, float(x), float(z), float(e)) for e, x, _, z in vectors.T]
    return np.array([(e, x, y, z) for (x, z, e), y in zip(rows, vectors[2])]).T


def square(vectors):
    return vectors[0] ** 2 - (vectors[1:] ** 2).sum(axis=0)


def some_vectors(seed, n=200):
    rng = np.random.default_rng(seed)
    p = rng.normal(0.0, 2.0, (3, n))
    return np.concatenate([np.sqrt((p**2).sum(axis=0) + rng.uniform(0.0, 1.0, n) ** 2)[None], p])


def naive_transformation(electron, positron):
    """Return the 4x4 matrix of the pure boost along P0 after the rotation about y that puts the electron there."""
    total = electron + positron
    beta = total[1:] / total[0]
    gamma = 1.0 / math.sqrt(1.0 - beta @ beta)
    boost = np.eye(4)
    boost[0, 0], boost[0, 1:], boost[1:, 0] = gamma, gamma * beta, gamma * beta
    boost[1:, 1:] += np.outer(beta, beta) * gamma**2 / (gamma + 1.0)
    at_rest = np.linalg.solve(boost, electron)
    angle = math.atan2(at_rest[1], at_rest[3])
    rotation = np.eye(4)
    rotation[np.ix_([1, 3], [1, 3])] = [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
    return boost @ rotation


# --- four-momenta and transformation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BEAMS)
def test_initial_four_momentum(name):
    """P0 is the sum of the beams, and its square is s."""
    lab, (electron, positron) = lab_of(name), beams_of(*BEAMS[name])
    total = electron + positron
    assert np.allclose((lab.energy, lab.px, 0.0, lab.pz), total, rtol=0, atol=1e-14 * total[0])
    sqrt_s = centre_of_mass_energy(*BEAMS[name][:3])
    assert math.isclose(lab.energy**2 - lab.px**2 - lab.pz**2, sqrt_s**2, rel_tol=1e-14)


@pytest.mark.parametrize(
    ("name", "sqrt_s", "px", "beta_gamma"),
    [
        ("besiii", 3.773, 0.0415, 0.0),
        ("babar", 10.56, 0.0, 0.56),  # NIM A479 (2002) 1
        ("belle2", 10.58, 0.457, 0.284),  # PTEP 2019, 123C01
    ],
)
def test_published_machines(name, sqrt_s, px, beta_gamma):
    """sqrt(s), momentum across the beams and boost along them, to the digits published."""
    lab = lab_of(name)
    assert math.sqrt(lab.energy**2 - lab.px**2 - lab.pz**2) == pytest.approx(sqrt_s, abs=5e-3)
    assert lab.px == pytest.approx(px, abs=5e-4)
    assert lab.pz / sqrt_s == pytest.approx(beta_gamma, abs=5e-3)


@pytest.mark.parametrize("name", BEAMS)
def test_beams_meet_head_on_in_the_centre_of_mass(name):
    lab = lab_of(name)
    half = 0.5 * centre_of_mass_energy(*BEAMS[name][:3])
    electron, positron = back(lab, np.stack(beams_of(*BEAMS[name]), axis=1)).T
    assert np.allclose(electron, four(half, 0, 0, half), rtol=0, atol=1e-12)
    assert np.allclose(positron, four(half, 0, 0, -half), rtol=0, atol=1e-12)
    there = forth(lab, np.array([four(half, 0, 0, half), four(half, 0, 0, -half)]).T)
    for got, wanted in zip(there.T, beams_of(*BEAMS[name])):
        assert np.allclose(got, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", BEAMS)
def test_transformation_is_boost_and_rotation(name):
    """Against the textbook's 4x4 matrices; there and back; invariant products unchanged."""
    lab, vectors = lab_of(name), some_vectors(1)
    there = forth(lab, vectors)
    assert np.allclose(there, naive_transformation(*beams_of(*BEAMS[name])) @ vectors, rtol=0, atol=1e-12)
    assert np.abs(back(lab, there) - vectors).max() < 1e-12
    assert np.abs(forth(lab, back(lab, vectors)) - vectors).max() < 1e-12
    assert np.allclose(square(there), square(vectors), rtol=0, atol=1e-11)
    assert np.allclose(square(there[:, 1:] + there[:, :-1]), square(vectors[:, 1:] + vectors[:, :-1]), atol=1e-11)
    assert np.array_equal(there[2], vectors[2])


@pytest.mark.parametrize("name", BEAMS)
def test_readers_find_the_same_centre_of_mass(name):
    """Files in the laboratory are brought back by their own beams, by another formula: the same frame to 1e-12."""
    lab, vectors = lab_of(name), some_vectors(2)
    electron, positron = beams_of(*BEAMS[name])
    n = vectors.shape[1]
    total = np.repeat((electron + positron)[:, None], n, axis=1)
    axis = to_rest_frame(np.repeat(electron[:, None], n, axis=1), total)
    found = to_electron_axis(to_rest_frame(forth(lab, vectors), total), axis)
    assert np.abs(found - vectors).max() < 1e-11


@pytest.mark.parametrize("name", BEAMS)
def test_polar_angle_in_the_centre_of_mass(name):
    lab, vectors = lab_of(name), some_vectors(3, 50)
    there = forth(lab, vectors)
    for (_, x, y, z), (e, px, py, pz) in zip(vectors.T, there.T):
        assert math.isclose(polar_angle_cm(lab, px, py, pz, e), math.atan2(math.hypot(x, y), z), abs_tol=1e-12)


def test_equal_energies_take_the_boost_along_x_bit_for_bit():
    rng = np.random.default_rng(4)
    for energy, angle, px, pz, e in rng.uniform(0.01, 5.0, (200, 5)):
        angle *= 0.04
        lab = laboratory(3.773, energy, energy, angle, 0.0)
        assert (lab.cosh, lab.sinh, lab.cosine, lab.sine, lab.pz) == (1.0, 0.0, 1.0, 0.0, 0.0)
        assert (lab.px, lab.energy) == (lab.crossing_px, lab.crossing_energy)
        across, total = boost_x(px, e, lab.px, lab.energy)
        assert to_laboratory(lab, px, pz, e) == (across, pz, total)


def test_mass_of_the_beams_is_negligible():
    """With m_e, sqrt(s) of 9.0 on 3.1 GeV is smaller by a relative 1.5e-9, as the documentation of the formula says."""
    m2 = 0.51099895e-3**2
    momenta = math.sqrt(9.0**2 - m2), math.sqrt(3.1**2 - m2)
    exact = math.sqrt(2.0 * m2 + 2.0 * (9.0 * 3.1 + momenta[0] * momenta[1]))
    assert exact / centre_of_mass_energy(9.0, 3.1, 0.0) - 1.0 == pytest.approx(-1.46e-9, rel=0.01)


# --- cards -----------------------------------------------------------------------------------------------------------


def card_of(tmp_path, beam, base="ideal", rest=""):
    path = tmp_path / f"mine_{base}.toml"
    path.write_text(f'base = "{base}"\nname = "mine"\n[beam]\n{beam}\n{rest}')
    return load_card(path)


def test_energies_take_the_place_of_the_energy_of_the_base(tmp_path):
    beam = card_of(tmp_path, BELLE2).beam
    assert beam.sqrt_s == pytest.approx(2 * math.sqrt(7.007 * 4.0) * math.cos(0.0415), rel=1e-14)
    assert beam.energies == (7.007, 4.0)
    lab = beam.laboratory()
    assert (lab.energy, lab.px, lab.pz) == pytest.approx((11.007, 11.007 * math.sin(0.0415), 3.007 * math.cos(0.0415)))
    half = beam.laboratory(0.5 * beam.sqrt_s)
    assert np.allclose((half.energy, half.px, half.pz), np.array((lab.energy, lab.px, lab.pz)) / 2, rtol=1e-14)
    onto = tmp_path / "onto.toml"
    onto.write_text(f'base = "{tmp_path}/mine_ideal.toml"\n[beam]\npositron_energy = 4.1\n')
    assert load_card(onto).beam.energies == (7.007, 4.1)


def test_symmetric_beams_have_half_the_energy_each():
    beam = load_card("besiii").beam
    assert beam.energies == pytest.approx([3.773 / 2 / math.cos(0.011)] * 2, rel=1e-15)
    assert (beam.electron_energy, beam.tilt, beam.spot_centre) == (None, 0.0, (0.0, 0.0, 0.0))


def test_spread_follows_from_that_of_the_beams(tmp_path):
    """5.16e-4 of each beam of BESIII are the 1.38 MeV of its card; beams of other energies against a toy, seed 5."""
    each = 5.16e-4 * 3.773 / 2
    beam = card_of(tmp_path, f"electron_spread = {each}\npositron_spread = {each}", "besiii").beam
    assert beam.energy_spread == pytest.approx(load_card("besiii").beam.energy_spread, rel=3e-3)
    beam = card_of(tmp_path, BABAR + "electron_spread = 5.5e-3\npositron_spread = 2.3e-3").beam
    rng = np.random.default_rng(5)
    energies = 9.0 + 5.5e-3 * rng.normal(size=200_000), 3.1 + 2.3e-3 * rng.normal(size=200_000)
    assert beam.energy_spread == pytest.approx((2.0 * np.sqrt(energies[0] * energies[1])).std(), rel=6e-3)


@pytest.mark.parametrize(
    ("beam", "message"),
    [
        ("electron_energy = 7.0", "beam.positron_energy is missing [GeV], needed with the one of the other beam"),
        ("positron_energy = 7.0", "beam.electron_energy is missing [GeV], needed with the one of the other beam"),
        (
            "sqrt_s = 12.1\nelectron_energy = 9.0\npositron_energy = 4.0\nhalf_crossing_angle = 0.0",
            "beam.sqrt_s = 12.1, allowed 12.0 or no value with electron_energy = 9.0 and positron_energy = 4.0",
        ),
        ("electron_energy = -7.0\npositron_energy = 4.0", "beam.electron_energy = -7.0, allowed (0, 1000] GeV"),
        ("electron_energy = 'x'\npositron_energy = 4.0", "beam.electron_energy = 'x', allowed a number"),
        ("electron_energy = nan\npositron_energy = 4.0", "beam.electron_energy = nan, allowed (0, 1000] GeV"),
        (
            "electron_energy = 100.0\npositron_energy = 4.0\nhalf_crossing_angle = 0.0",
            "beam.sqrt_s = 40.0, allowed (0, 20] GeV",
        ),
        ("tilt = 0.5", "beam.tilt = 0.5, allowed [-0.2, 0.2] rad"),
        ("electron_spread = 1e-3", "beam.positron_spread is missing [GeV], needed with the one of the other beam"),
        ("electron_spread = 1.0\npositron_spread = 0.0", "beam.electron_spread = 1.0, allowed [0, 0.1] GeV"),
        (
            "energy_spread = 2e-3\nelectron_spread = 0.0\npositron_spread = 0.0",
            "beam.energy_spread = 0.002, allowed 0.0 or no value with electron_spread = 0.0 and positron_spread = 0.0",
        ),
        ("spot_centre = [0.1]", "beam.spot_centre = [0.1], allowed a list of 3 numbers"),
        ("spot_centre = [0.1, 0.0, 1e3]", "beam.spot_centre = [0.1, 0.0, 1000.0], allowed [-100, 100] cm"),
        ("crossing = 0.02", "unknown key beam.crossing, allowed sqrt_s, electron_energy"),
    ],
)
def test_contradicting_beams_are_refused_in_one_line(tmp_path, beam, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        card_of(tmp_path, beam)
    assert str(caught.value).startswith(f"{tmp_path}/mine_ideal.toml: ")
    assert "\n" not in str(caught.value)


def test_two_descriptions_may_agree(tmp_path):
    beam = "sqrt_s = 12.0\nelectron_energy = 9.0\npositron_energy = 4.0\nhalf_crossing_angle = 0.0"
    assert card_of(tmp_path, beam).beam.sqrt_s == 12.0


def test_beams_without_energy_are_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(card_text("besiii").replace("sqrt_s = 3.773", ""))
    with pytest.raises(SchemaError, match=r"mine\.toml: beam\.sqrt_s is missing \[GeV\], or electron_energy and"):
        load_card(path)


def test_replacing_a_value_in_python(tmp_path):
    beam = card_of(tmp_path, BELLE2).beam
    assert dataclasses.replace(beam, spot=(0.1, 0.1, 0.1)).sqrt_s == beam.sqrt_s
    with pytest.raises(SchemaError, match=r"sqrt_s = 10\.579\d+, allowed 10\.588"):
        dataclasses.replace(beam, half_crossing_angle=0.0)
    assert dataclasses.replace(beam, half_crossing_angle=0.0, sqrt_s=None).sqrt_s == pytest.approx(10.58829542)


# --- through the chain -----------------------------------------------------------------------------------------------


def test_events_are_boosted_by_the_nominal_beams(tmp_path):
    """The sum of an event with its own sqrt(s) is P0 sqrt(s) / nominal: the velocity is the nominal one."""
    card = card_of(tmp_path, BELLE2)
    truth = generate("mumu_isr", 500, seed=41, sqrt_s=card.beam.sqrt_s, energy_spread=5e-3)
    lab, nominal = final_state(truth, card, *key(1)), card.beam.laboratory()
    scale = truth.event_sqrt_s / card.beam.sqrt_s
    assert scale.std() > 3e-4
    for name, wanted in zip(("energy", "px", "py", "pz"), (nominal.energy, nominal.px, 0.0, nominal.pz)):
        assert np.allclose(np.bincount(lab.row, getattr(lab, name)), wanted * scale, rtol=0, atol=1e-11)
    before = truth.energy**2 - truth.px**2 - truth.py**2 - truth.pz**2
    assert np.allclose(lab.energy**2 - lab.px**2 - lab.py**2 - lab.pz**2, before, rtol=0, atol=1e-12)
    assert np.array_equal(lab.py, truth.py)


@pytest.mark.parametrize("beam", [BELLE2, BABAR])
def test_displaced_vertices_move_with_their_particles(beam, tmp_path):
    """A particle that flew from the origin lies, in the laboratory too, on the line of its momentum, at v = p t / E."""
    card = card_of(tmp_path, beam + "spot_centre = [0.05, -0.02, 0.4]")
    rng = np.random.default_rng(6)
    truth = gun(np.full(300, 13), rng.uniform(0.5, 5.0, 300), rng.uniform(-0.9, 0.9, 300), 0.3, frame="cm")
    path = rng.uniform(0.1, 30.0, 300)
    places = {f"v{axis}": getattr(truth, f"p{axis}") / truth.energy * path for axis in "xyz"}
    truth = truth._replace(t=path / C, **places)
    lab = final_state(truth, card, *key(1))
    nominal = card.beam.laboratory()
    _, _, time = forth(nominal, np.stack([path, places["vx"], places["vy"], places["vz"]]))[[1, 3, 0]]
    for axis, centre in zip("xyz", card.beam.spot_centre):
        expected = getattr(lab, f"p{axis}") / lab.energy * time + centre
        assert np.allclose(getattr(lab, axis), expected, rtol=0, atol=1e-11)


def test_luminous_region_has_a_centre(tmp_path):
    """Centre within 4 standard errors; the displacements are those of the same widths without it."""
    centre = (0.08, -0.03, 0.5)
    card = card_of(tmp_path, f"spot_centre = {list(centre)}", "besiii")
    truth = gun(np.full(20_000, 13), 1.0, 0.1, 0.2, frame="lab")
    lab, before = final_state(truth, card, *key(7)), final_state(truth, load_card("besiii"), *key(7))
    for axis, middle, width in zip("xyz", centre, card.beam.spot):
        values = getattr(lab, axis)
        assert abs(values.mean() - middle) < 4.0 * width / math.sqrt(20_000)
        assert np.allclose(values - middle, getattr(before, axis), rtol=0, atol=1e-14)


@pytest.mark.parametrize("beam", [ASYMMETRIC, BELLE2, BABAR])
def test_perfect_detector_returns_the_truth_of_the_centre_of_mass(beam, tmp_path):
    card = card_of(tmp_path, beam)
    truth = generate("mumu_isr", 4000, seed=26, sqrt_s=card.beam.sqrt_s)
    reco = reconstruct(simulate(truth, card, seed=3), card)
    pairs = np.flatnonzero(np.diff(reco.track_offsets) == 2)
    assert len(pairs) > 1500
    assert (reco.fit_status[pairs, MU] == CONVERGED).all()
    assert reco.fit_chi2[pairs, MU].max() < 1e-9
    a, photon = truth.offsets[pairs], truth.offsets[pairs] + 2
    p = np.stack([truth.energy, truth.px, truth.py, truth.pz])
    assert np.abs(reco.fit_mass[pairs, MU] - np.sqrt(square(p[:, a] + p[:, a + 1]))).max() < 1e-9
    theta = np.arctan2(np.hypot(truth.px[photon], truth.py[photon]), truth.pz[photon])
    assert np.abs(reco.fit_theta_gamma[pairs, MU] - theta).max() < 1e-9
    rows = truth_of(truth, reco.track_offsets, reco.track_truth)
    measured = np.stack([reco.px, reco.py, reco.pz])
    measured = np.concatenate([np.sqrt((measured**2).sum(axis=0) + M_MU**2)[None], measured])
    assert np.abs(back(card.beam.laboratory(), measured) - p[:, rows]).max() < 1e-8


def test_fit_of_asymmetric_beams_has_the_chi2_it_claims(tmp_path):
    """BESIII without tails: chi2 uniform in probability, signed pull of mean 0 and width 1; KS p > 0.01, seed 27.

    Reconstruction with beams of equal energy misses the momentum of the centre of mass: no fit is then any good.
    """
    card = card_of(tmp_path, ASYMMETRIC + "spot = [0.0, 0.0, 0.0]", "besiii", "[mdc]\ntail_fraction = 0.0\n")
    truth = generate("mumu_isr", 20_000, seed=27, sqrt_s=card.beam.sqrt_s, theta_gamma_max=0.3)
    record = simulate(truth, card, seed=3)
    reco = reconstruct(record, card)
    pairs = np.flatnonzero(np.diff(reco.track_offsets) == 2)
    assert len(pairs) > 10_000
    fitted = pairs[reco.fit_status[pairs, MU] == CONVERGED]
    assert len(fitted) > 0.998 * len(pairs)
    chi2 = reco.fit_chi2[fitted, MU]
    assert stats.kstest(stats.chi2.sf(chi2, 1), "uniform").pvalue > 0.01
    first = reco.track_offsets[fitted]
    p = np.stack([reco.px, reco.py, reco.pz])
    e = np.sqrt((p**2).sum(axis=0) + M_MU**2)
    raw = np.sqrt((e[first] + e[first + 1]) ** 2 - ((p[:, first] + p[:, first + 1]) ** 2).sum(axis=0))
    pull = np.sign(reco.fit_mass[fitted, MU] - raw) * np.sqrt(chi2)
    assert abs(pull.mean()) < 4.0 / math.sqrt(len(pull))
    assert abs(pull.std() - 1.0) < 0.02
    a, photon = truth.offsets[fitted], truth.offsets[fitted] + 2
    theta = np.arctan2(np.hypot(truth.px[photon], truth.py[photon]), truth.pz[photon])
    along = np.minimum(theta, math.pi - theta) < 0.01
    found = reco.fit_theta_gamma[fitted, MU]
    assert np.median(np.minimum(found, math.pi - found)[along]) < 0.02
    q = np.stack([truth.energy, truth.px, truth.py, truth.pz])
    mass = np.sqrt(square(q[:, a] + q[:, a + 1]))
    assert abs(np.median(reco.fit_mass[fitted, MU] - mass)) < 3e-4
    symmetric = card_of(tmp_path, "spot = [0.0, 0.0, 0.0]", "besiii")
    wrong = reconstruct(record, symmetric)
    assert np.median(wrong.fit_chi2[fitted, MU]) > 100.0


def test_verbs_take_any_beams(tmp_path):
    """generate takes sqrt(s) and spread from the card, the others its boost."""
    card = card_of(tmp_path, BELLE2 + "electron_spread = 5e-3\npositron_spread = 3e-3")
    path, out = str(tmp_path / "mine_ideal.toml"), [str(tmp_path / name) for name in ("t.h5", "d.h5", "r.h5")]
    options = ["--card", path, "--quiet"]
    assert main(["generate", "mumu_isr", "--events", "300", "-o", out[0], *options]) == 0
    assert main(["simulate", out[0], "-o", out[1], *options]) == 0
    assert main(["reconstruct", out[1], "-o", out[2], *options]) == 0
    truth, reco = store.read(out[0]), store.read(out[2])
    assert truth.sqrt_s == reco.sqrt_s == card.beam.sqrt_s
    assert truth.event_sqrt_s.std() == pytest.approx(card.beam.energy_spread, rel=0.15)
    assert json.loads(reco.provenance)[-1]["card"] == "mine"
    assert (reco.fit_status[:, MU] == CONVERGED).sum() > 100
