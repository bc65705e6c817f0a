"""The packaged cards: what their numbers imply beside what is published, and that each runs from beams to tracks."""

import dataclasses

import besfast
import numpy as np
import pytest
from besfast.detector.implications import (
    chamber_acceptance,
    emc_resolution,
    implications,
    material_budget,
    pt_resolution,
    pt_terms,
    tof_separation,
)
from besfast.detector.plausibility import suspicions
from besfast.geometry.beam import to_laboratory
from besfast.geometry.card import card_names, load_card

EXPERIMENTS = [name for name in card_names() if name != "ideal"]


def test_track_resolution_of_besiii():
    assert pt_resolution(load_card("besiii"), 1.0) == pytest.approx(0.00474, rel=0.005)
    # 0.9 T: 0.532 % belongs to a hit efficiency of 0.95
    card = load_card("besiii_0.9T")
    assert pt_resolution(card, 1.0) == pytest.approx(0.00527, rel=0.005)
    assert pt_resolution(load_card("besiii_2015"), 1.0) == pt_resolution(load_card("besiii"), 1.0)
    less = dataclasses.replace(card, mdc=dataclasses.replace(card.mdc, hit_efficiency=0.95))
    assert pt_resolution(less, 1.0) == pytest.approx(0.00532, rel=0.005)


def test_track_resolution_of_belle2():
    # Technical Design Report: 0.11 % pt (+) 0.30 % / beta
    assert pt_terms(load_card("belle2")) == pytest.approx((0.0011, 0.0030), rel=0.01)


def test_track_resolution_of_babar():
    # 0.13 % pt + 0.45 %, a plain sum: as a sum in quadrature it would be better than hits of 125 um allow at 4 GeV
    card = load_card("babar")
    for p in (0.5, 1.0, 2.0, 3.0, 4.0):
        assert pt_resolution(card, p) == pytest.approx(0.0013 * p + 0.0045, rel=0.01)
    ideal = dataclasses.replace(card, mdc=dataclasses.replace(card.mdc, resolution_scale=1.0, scattering_scale=1.0))
    assert pt_resolution(ideal, 4.0) > np.sqrt((0.0013 * 4.0) ** 2 + 0.0045**2)


def test_track_resolution_of_stcf():
    # design goal: better than 0.5 % at 1 GeV, reached without any factor
    card = load_card("stcf")
    assert pt_resolution(card, 1.0) < 0.005
    assert card.mdc.resolution_scale == card.mdc.scattering_scale == 1.0


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("besiii", 0.025),
        ("stcf", 0.025),
        ("babar", np.sqrt(0.0232**2 + 0.0185**2)),
        ("belle2", np.sqrt(0.00066**2 + 0.0081**2 + 0.0134**2)),
    ],
)
def test_energy_resolution_at_1_gev(name, published):
    assert emc_resolution(load_card(name), 1.0, 0.0) == pytest.approx(published, rel=0.01)


@pytest.mark.parametrize(
    ("name", "backward", "forward"),
    [("besiii", -0.93, 0.93), ("babar", -0.92, 0.955), ("belle2", -np.cos(np.radians(30)), np.cos(np.radians(17)))],
)
def test_acceptance_of_the_chambers(name, backward, forward):
    assert chamber_acceptance(load_card(name)) == pytest.approx((backward, forward), abs=0.025)


@pytest.mark.parametrize(("name", "p", "separation"), [("babar", 3.0, 4.2), ("belle2", 2.5, 2.8), ("stcf", 2.0, 3.0)])
def test_effective_separation_of_kaons(name, p, separation):
    assert tof_separation(load_card(name), p) == pytest.approx(separation, rel=0.03)


def test_boosts():
    babar, belle2 = load_card("babar").beam, load_card("belle2").beam
    assert babar.sqrt_s == pytest.approx(10.58, abs=0.001)
    assert belle2.sqrt_s == pytest.approx(10.58, abs=0.002)
    for beam, boost in ((babar, 0.56), (belle2, 0.28)):
        electron, positron = beam.energies
        assert (electron - positron) * np.cos(beam.half_crossing_angle) / beam.sqrt_s == pytest.approx(boost, abs=0.006)


def test_material_in_front_of_the_chambers():
    assert material_budget(load_card("besiii"))["in front of the chamber"] == pytest.approx(0.0163, rel=0.02)
    babar = load_card("babar")
    pipe = babar.material[0]
    assert (pipe.r_outer - pipe.r_inner) / pipe.radiation_length == pytest.approx(0.0108, rel=0.001)
    assert material_budget(babar)["in front of the chamber"] > 5 * 0.0055 + 0.0108


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_cards_look_sound(name):
    card = load_card(name)
    assert suspicions(card) == []
    assert all(np.isfinite(row.value) for row in implications(card))


def test_mistakes_are_noticed():
    card = load_card("besiii")
    for change, words in (
        (
            {"tof": dataclasses.replace(card.tof, barrel=dataclasses.replace(card.tof.barrel, sigma=0.8))},
            "times are in",
        ),
        ({"mdc": dataclasses.replace(card.mdc, hit_resolution=0.5)}, "sigma(pt)/pt"),
        ({"mdc": dataclasses.replace(card.mdc, min_hits=44)}, "no tracks"),
        ({"mdc": dataclasses.replace(card.mdc, hit_efficiency=0.5)}, "hit_efficiency"),
        ({"beam": dataclasses.replace(card.beam, energy_spread=0.05)}, "energy_spread"),
        ({"beam": dataclasses.replace(card.beam, spot=(0.0, 0.0, 9.7))}, "beam.spot"),
        ({"reconstruction": dataclasses.replace(card.reconstruction, track_cos_max=0.97)}, "track_cos_max"),
        ({"emc": dataclasses.replace(card.emc, cluster_threshold=0.1)}, "threshold"),
        ({"coil": dataclasses.replace(card.coil, r_outer=200.0)}, "inside coil.r_outer"),
        ({"material": (card.material[0], card.material[0])}, "begins at"),
    ):
        assert any(words in sentence for sentence in suspicions(dataclasses.replace(card, **change))), words


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_muon_pairs_from_beams_to_tracks(name):
    """Two muons and a photon at the energy of each card: tracks where the chamber is, momenta as it resolves them."""
    card, n = load_card(name), 2000
    truth = besfast.generate("mumu_isr", n, sqrt_s=card.beam.sqrt_s, seed=11)
    record = besfast.simulate(truth, card=card, seed=12)
    events = besfast.reconstruct(record, card=card)
    for column in ("px", "py", "pz", "helix", "covariance", "photon_energy", "photon_theta", "photon_phi"):
        assert np.isfinite(getattr(events, column)).all(), column
    # particles of the same events in the laboratory, and whether the chamber should see them
    muon = np.abs(truth.pdg) == 13
    row = [getattr(truth, name)[muon].tolist() for name in ("px", "pz", "energy")]
    px, pz, _ = np.array([to_laboratory(card.beam.laboratory(), *one) for one in zip(*row)]).T
    py = truth.py[muon]
    cosine = pz / np.sqrt(px * px + py * py + pz * pz)
    low, high = chamber_acceptance(card)
    inside = (cosine > low + 0.03) & (cosine < high - 0.03) & (np.hypot(px, py) > 0.2)
    index = np.flatnonzero(muon)
    event = np.searchsorted(truth.offsets, index, side="right") - 1
    local = (index - truth.offsets[event]).astype(np.int64)
    found = set(zip(np.repeat(np.arange(n), np.diff(events.track_offsets)).tolist(), events.track_truth.tolist()))
    seen = np.array([pair in found for pair in zip(event.tolist(), local.tolist())])
    assert inside.sum() > 500
    assert seen[inside].mean() > 0.95 * card.mdc.efficiency_muon
    assert np.isfinite(events.fit_mass[events.fit_status == 0]).all()
