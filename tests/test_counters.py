"""Time of flight of late particles and wrong bunches, dead regions, trigger conditions and run periods."""

import dataclasses
import math

import numpy as np
import pytest
from besfast.constants import M_PI, C
from besfast.detector import regions, tof
from besfast.event import COLUMNS, take_events
from besfast.geometry import helix
from besfast.geometry.card import load_card
from besfast.geometry.periods import Change, Period, period_cards
from besfast.geometry.trigger import Condition, Region
from besfast.schema import SchemaError
from besfast.sim import losses
from besfast.sim.periods import periods_of
from besfast.sim.simulate import simulate

from .gun import card_with, gun, uniform_gun

BESIII = load_card("besiii")
QUIET = card_with("ideal", tof={"event_time_sigma": 0.0})


def with_(card, **sections):
    return dataclasses.replace(card, **sections)


def same(one, other):
    return [
        column.name
        for column in COLUMNS["DetectorRecord"]
        if not np.array_equal(getattr(one, column.name), getattr(other, column.name), equal_nan=column.dtype == "f8")
    ]


def test_wrong_bunch():
    """Both tracks of an event are 8 ns early or late in the stated fraction of the events."""
    n = 20_000
    truth = gun(np.tile([13, -13], n), 1.0, 0.05, np.tile([0.0, 2.5], n), per_event=2)
    card = card_with("ideal", tof={"wrong_bunch_fraction": 0.1})
    shift = simulate(truth, card, seed=3).tof - simulate(truth, QUIET, seed=3).tof
    shift = shift.reshape(n, 2)
    assert np.allclose(shift[:, 0], shift[:, 1], atol=1e-9)
    early, late = (np.isclose(shift[:, 0], sign * 8.0, atol=1e-9).mean() for sign in (-1, 1))
    assert early == pytest.approx(0.05, abs=4 * math.sqrt(0.05 / n))
    assert late == pytest.approx(0.05, abs=4 * math.sqrt(0.05 / n))
    assert np.isclose(np.abs(shift[:, 0]), 8.0, atol=1e-9).mean() + np.isclose(shift[:, 0], 0.0).mean() == 1.0


def test_kaons_and_protons_are_measured_worse():
    """sigma_K^2 = (1.17^2) 80^2 + 25^2 ps^2: the counter's part grows, that of the event time does not."""
    constants = tof.parameters(BESIII)
    assert tof.heavy_sigma(math.hypot(0.080, 0.025), constants) == pytest.approx(math.hypot(1.17 * 0.080, 0.025))
    assert [tof.is_heavy(mass) for mass in (0.1, 0.14, 0.49, 0.94)] == [False, False, True, True]
    assert tof.layer_factor(0.02, 0.96, 0.1, constants) == 1.31
    assert tof.layer_factor(0.03, 0.96, 0.1, constants) == 1.0
    assert tof.layer_factor(0.02, 0.96, 2.5, constants) == 1.0, "endcaps have one layer"


@pytest.mark.parametrize("charge", [1.0, -1.0])
@pytest.mark.parametrize("outgoing", [True, False])
def test_delay_of_a_displaced_particle(charge, outgoing):
    """Against the length of the helix between closest approach and production point, followed in small steps."""
    start = helix.helix_at_origin(0.5, -0.2, 0.0, 0.3, 0.4, 0.2, charge, 1.0)
    turn = -charge * (0.2 if outgoing else -0.2)
    steps = np.linspace(0.0, turn, 4001)
    points = np.array([helix.position(*start, t, 1.0) for t in steps])
    length = np.linalg.norm(np.diff(points, axis=0), axis=1).sum() * (1 if outgoing else -1)
    px, py, pz = helix.momentum(start[1] + turn, start[2], start[4])
    p = math.sqrt(px**2 + py**2 + pz**2)
    expected = 2.0 - length * math.sqrt(p**2 + M_PI**2) / (p * C)
    found = tof.delay(points[-1, 0], points[-1, 1], px, py, pz, charge, M_PI, 2.0, 1.0)
    assert found == pytest.approx(expected, abs=1e-6)


def test_a_late_particle_arrives_late():
    """A pion that something slow has left at 4 cm after 1 ns: later by 1 ns minus its own time for these 4 cm."""
    p, r = 0.5, 4.0
    prompt = simulate(gun([211], p, 0.0, 0.0), QUIET, seed=1)
    late = simulate(gun([211], p, 0.0, 0.0, vertex=(r, 0.0, 0.0), t=1.0), QUIET, seed=1)
    on_the_way = r * math.sqrt(p**2 + M_PI**2) / (p * C)
    # the path of the same helix from its closest approach is what reconstruction knows of
    path = (late.tof_path[0] - prompt.tof_path[0]) * math.sqrt(p**2 + M_PI**2) / (p * C)
    assert late.tof[0] - prompt.tof[0] == pytest.approx(1.0 - on_the_way + path, abs=2e-4)


def test_dead_region_of_a_counter():
    """It takes away what the stated fraction of the tracks there had in this counter, and nothing else."""
    truth = uniform_gun(20_000, 31, p=(0.8, 1.6), cosine=(-0.7, 0.7))
    plain = card_with("ideal")
    whole = simulate(truth, plain, seed=4)
    azimuth = np.arctan2(truth.py, truth.px)
    inside = (azimuth > 0.6) & (azimuth < 0.9)  # well inside: tracks bend by up to 0.2 on their way
    far = (azimuth < -0.2) | (azimuth > 1.8)
    for counter, column in (("dedx", "dedx"), ("tof", "tof"), ("muc", "muc_residual")):
        dead = with_(plain, region=(Region(counter, (-1.0, 1.0), (0.2, 1.3), 0.25),))
        record = simulate(truth, dead, seed=4)
        lost = np.isfinite(getattr(whole, column)) & ~np.isfinite(getattr(record, column))
        had = np.isfinite(getattr(whole, column))
        assert not lost[far].any()
        assert lost[inside & had].mean() == pytest.approx(0.75, abs=0.04)
        others = {"dedx": {"dedx"}, "tof": {"tof", "tof_path", "tof_sigma"}}
        assert set(same(whole, record)) == others.get(counter, {"muc_depth", "muc_layers", "muc_residual"})


def test_dead_regions_lose_tracks_and_showers():
    truth = uniform_gun(3000, 32, p=(1.2, 1.6), cosine=(-0.7, 0.7))
    whole = simulate(truth, "ideal", seed=4)
    dead = with_(load_card("ideal"), region=(Region("mdc", (0.2, 1.0), (-3.1416, 3.1416), 0.0),))
    record = simulate(truth, dead, seed=4)
    cosine = truth.pz / np.sqrt(truth.px**2 + truth.py**2 + truth.pz**2)
    assert not np.diff(record.track_offsets)[cosine > 0.21].any()
    assert np.diff(record.track_offsets)[cosine < 0.19].all()
    assert len(record.shower_energy) == len(whole.shower_energy)
    dead = with_(load_card("ideal"), region=(Region("emc", (0.2, 1.0), (-3.1416, 3.1416), 0.0),))
    record = simulate(truth, dead, seed=4)
    assert (record.shower_theta >= math.acos(0.2)).all()
    assert len(record.helix) == len(whole.helix)


def test_regions_multiply():
    both = (Region("tof", (-0.5, 0.5), (0.0, 1.0), 0.5), Region("tof", (0.0, 1.0), (0.5, 2.0), 0.2))
    theta, phi = np.arccos([0.1, 0.7, -0.3, -0.7]), np.array([0.7, 0.7, 0.3, 0.7])
    assert np.allclose(regions.region_efficiency(theta, phi, both), [0.1, 0.2, 0.5, 1.0])
    with pytest.raises(SchemaError, match="counter = 'tov'"):
        Region("tov", (-0.5, 0.5), (0.0, 1.0), 0.5)
    with pytest.raises(SchemaError, match="allowed two increasing numbers"):
        Region("tof", (0.5, -0.5), (0.0, 1.0), 0.5)


def test_trigger_conditions():
    """Two tracks, or energy: the probability that one fires is 1 - (1 - a)(1 - b) where both are met."""
    conditions = (Condition("tracks", 2, 0.0, 0.9), Condition("energy", 0, 1.0, 0.8))
    found = losses.none_fires(np.array([2, 2, 0, 0]), np.array([2.0, 0.4, 1.5, 0.2]), conditions)
    assert np.allclose(found, [0.1 * 0.2, 0.1, 0.2, 1.0])
    n = 20_000
    truth = gun(np.tile([13, -13], n), 1.0, 0.05, np.tile([0.0, 2.5], n), per_event=2)
    card = card_with("ideal", trigger={"efficiency": 0.95, "condition": conditions})
    seen = np.diff(simulate(truth, card, seed=5).track_offsets) == 2
    assert seen.mean() == pytest.approx(0.95 * 0.9, abs=4 * math.sqrt(0.12 / n))
    # without conditions, every event is as good as triggered, whatever is in it
    seen = np.diff(simulate(truth, card_with("ideal", trigger={"efficiency": 0.95}), seed=5).track_offsets) == 2
    assert seen.mean() == pytest.approx(0.95, abs=4 * math.sqrt(0.05 / n))


PERIODS = (
    Period("early", 1.0, (Change("tof.time_offset", 0.3), Change("beam.spot_centre.0", 0.5))),
    Period("late", 3.0, (Change("dedx.scale", 1.1),)),
)


def test_periods():
    """Each event is that of its period's card; a quarter of them belong to the first."""
    truth = uniform_gun(8000, 33, p=(0.8, 1.6), cosine=(-0.7, 0.7))
    card = with_(BESIII, period=PERIODS)
    record = simulate(truth, card, seed=6)
    period = periods_of(truth.number, card, 6)
    assert (period == 0).mean() == pytest.approx(0.25, abs=4 * math.sqrt(0.19 / 8000))
    for index, (_, own) in enumerate(period_cards(card)):
        chosen = np.flatnonzero(period == index)
        alone = simulate(take_events(truth, chosen), own, seed=6)
        assert not same(alone, take_events(record, chosen))
    first, second = (own for _, own in period_cards(card))
    assert first.tof.time_offset == 0.3
    assert first.beam.spot_centre == (0.5, 0.0, 0.0)
    assert second.dedx.scale == 1.1
    assert second.tof.time_offset == 0.0
    # chunks do not matter
    halves = [simulate(take_events(truth, half), card, seed=6) for half in np.split(np.arange(8000), 2)]
    assert not same(halves[1], take_events(record, np.arange(4000, 8000)))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("tof.barel.sigma", 0.1, "key = 'tof.barel.sigma', allowed the name of a number of the card"),
        ("tof.barrel.sigma", -0.1, r"sigma = -0.1, allowed \(0, 10\] ns"),
        ("beam.spot.3", 0.1, "key = 'beam.spot.3', allowed the name of a number"),
        ("tof", 0.1, "key = 'tof' is not a number"),
        ("tof.smear", 0.1, "key = 'tof.smear' is not a number"),
    ],
)
def test_periods_change_numbers_that_exist(key, value, message):
    with pytest.raises(SchemaError, match=message):
        with_(BESIII, period=(Period("one", 1.0, (Change(key, value),)),))


def test_periods_regions_and_conditions_of_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'base = "besiii"\n[trigger]\nefficiency = 1.0\n'
        '[[trigger.condition]]\nname = "tracks"\ntracks = 2\nenergy = 0.0\nefficiency = 0.998\n'
        '[[region]]\ncounter = "muc"\ncos_range = [-1.0, 0.0]\nphi_range = [0.0, 0.2]\nefficiency = 0.0\n'
        '[[period]]\nname = "early"\nfraction = 0.3\n'
        'change = [["tof.barrel.sigma", 0.09], ["emc.barrel.noise", 0.003]]\n'
        '[[period]]\nname = "late"\nfraction = 0.7\n'
    )
    card = load_card(path)
    assert card.trigger.condition[0].efficiency == 0.998
    assert card.region[0].phi_range == (0.0, 0.2)
    assert [round(end, 9) for end, _ in period_cards(card)] == [0.3, 1.0]
    assert period_cards(card)[0][1].tof.barrel.sigma == 0.09
