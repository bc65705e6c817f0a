"""Simulated showers of photons, electrons, muons and hadrons, and their association with tracks."""

import math

import numpy as np
import pytest
from besfast.geometry.card import load_card
from besfast.geometry.directions import chord2, opening_angle, unit_vector
from besfast.reco.reconstruct import reconstruct
from besfast.reco.showers import direction_stage, match_showers
from besfast.sim.simulate import simulate
from scipy import stats

from .gun import card_with, gun, truth_of

BESIII = load_card("besiii")
CARD = card_with(
    beam={"spot": (0.0, 0.0, 0.0)},
    trigger={"efficiency": 1.0},
    mdc={"tail_fraction": 0.0},
    emc__background={"mean": 0.0},
    matter={"conversion": False, "decays": False},
)
#: Without leakage and matter in front: the line shape is known in closed form.
PLAIN = card_with(
    beam={"spot": (0.0, 0.0, 0.0)},
    trigger={"efficiency": 1.0},
    emc={"leakage": False},
    emc__background={"mean": 0.0},
    emc__barrel={"front_thickness": 0.0},
    emc__endcap={"front_thickness": 0.0},
    matter={"conversion": False, "decays": False},
)
BARREL, ENDCAP = (0.0, 0.79), (0.865, 0.915)


def shots(pdg, p, region, n=20_000, seed=61, card=CARD):
    rng = np.random.default_rng(seed)
    cosine = rng.uniform(*region, n) * rng.choice([-1.0, 1.0], n)
    truth = gun(np.resize(np.atleast_1d(pdg), n), p, cosine, rng.uniform(-np.pi, np.pi, n))
    record = simulate(truth, card, seed=seed)
    return truth, record, reconstruct(record, card)


# --- photons --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("region", "percent"), [(BARREL, 2.49), (ENDCAP, 4.90)])
def test_photon_resolution_at_1_gev(region, percent):
    """Full width at half maximum over 2.355 of the Novosibirsk shape: 2.49 % in the barrel, 4.9 % in the endcap."""
    _, record, _ = shots(22, 1.0, region, n=60_000, card=PLAIN)
    assert len(record.shower_energy) == 60_000
    sigma = percent / 100
    # u = ln(1 - tau (x - 1) / sigma) / s - s is a normal deviate for this shape
    tau = BESIII.emc.line_shape_tail
    width = math.asinh(tau * math.sqrt(math.log(4))) / math.sqrt(math.log(4))
    x = (record.shower_energy - 1.0) / sigma
    normal = np.log(1.0 - tau * x) / width - width
    assert stats.kstest(normal, "norm").pvalue > 1e-3
    density, edges = np.histogram(x, bins=60, range=(-3, 3))
    half = edges[:-1][density > density.max() / 2]
    assert abs((half[-1] + 0.1 - half[0]) / 2.355 - 1.0) < 0.08
    assert np.allclose(record.shower_energy_sigma, sigma * record.shower_energy, rtol=0.15)


@pytest.mark.parametrize("region", [BARREL, ENDCAP])
@pytest.mark.parametrize("energy", [0.1, 1.5])
def test_photon_directions(region, energy):
    """Pulls of polar angle and azimuth are normal: KS p > 0.001; 6 mm / sqrt(E) over the distance in the barrel."""
    truth, record, _ = shots(22, energy, region)
    rows = truth_of(truth, record.shower_offsets, record.shower_truth)
    theta = np.arccos(truth.pz / truth.energy)[rows]
    azimuth = np.angle(np.exp(1j * (record.shower_phi - np.arctan2(truth.py, truth.px)[rows])))
    # the resolution is that of the measured energy, the smearing too
    assert stats.kstest((record.shower_theta - theta) / record.shower_theta_sigma, "norm").pvalue > 1e-3
    assert stats.kstest(azimuth / record.shower_phi_sigma, "norm").pvalue > 1e-3
    assert np.abs(record.shower_phi).max() <= math.pi
    if region == BARREL:
        centre = np.abs(np.cos(theta)) < 0.1
        expected = math.hypot(0.6 / math.sqrt(energy), 0.15) / 94.2
        assert abs((record.shower_theta - theta)[centre].std() / expected - 1.0) < 0.05


def test_photon_acceptance():
    """No photon is seen in the gap 0.826-0.8415 or beyond 0.9404, every one elsewhere."""
    truth = gun([22] * 4000, 1.0, np.linspace(-0.99, 0.99, 4000), 0.3)
    seen = np.diff(simulate(truth, CARD, seed=1).shower_offsets)
    c = np.abs(truth.pz)
    inside = (c < 0.8255) | ((c > 0.842) & (c < 0.940))
    assert (seen[inside] == 1).all()
    assert (seen[((c > 0.8265) & (c < 0.841)) | (c > 0.941)] == 0).all()


def test_displaced_photons_are_seen_from_the_origin():
    """A photon along x from z = 3 cm meets the barrel at theta = atan2(94.2, 3)."""
    truth = gun(22, np.full(4, 1.0), 0.0, 0.0, vertex=(0.0, 0.0, 3.0))
    ideal = simulate(truth, "ideal", seed=1)
    assert np.allclose(ideal.shower_theta, math.atan2(94.2, 3.0), atol=1e-12)


def test_good_photons():
    """25 MeV in the barrel, 50 MeV in the endcaps, 10 degrees from tracks, usable regions, in time."""
    energies = np.array([0.015, 0.035, 0.035, 0.1, 0.1, 0.1])
    cosines = np.array([0.1, 0.1, 0.89, 0.89, 0.81, 0.93])
    reco = reconstruct(simulate(gun([22] * 6, energies, cosines, 0.3), "ideal", seed=1), CARD)
    assert reco.photon_good.tolist() == [False, True, False, True, False, False]
    phi = 0.3 + np.radians([5.0, 15.0])
    near = gun([13, 22, 22], [1.9, 0.5, 0.5], 0.1, [0.3 - math.asin(94.2 / 2 / 333.56 / 1.9), *phi], per_event=3)
    reco = reconstruct(simulate(near, "ideal", seed=1), CARD)
    assert sorted(reco.photon_good[reco.photon_truth > 0]) == [False, True]
    late = simulate(gun([22] * 2, 1.0, 0.1, 0.3), "ideal", seed=1)._replace(shower_time=np.array([650.0, 0.0]))
    assert reconstruct(late, CARD).photon_good.tolist() == [False, True]


def test_photons_born_outside_leave_nothing():
    """A vertex behind the front face makes no shower, one in front of it does."""
    inside, outside = (90.0, 0.0, 0.0), (95.0, 0.0, 0.0)
    for vertex, number in ((inside, 1), (outside, 0), ((0.0, 0.0, 141.0), 0)):
        truth = gun(22, np.full(50, 1.0), 0.1, np.linspace(-3, 3, 50), vertex=vertex)
        assert (np.diff(simulate(truth, CARD, seed=1).shower_offsets) == number).mean() > 0.9


def test_times_and_shapes():
    """Resolution 5 ns / sqrt(E) + 10 ns; shapes of photons, muons and interacting pions differ."""
    _, record, reco = shots(22, 0.1, BARREL)
    assert record.shower_time.std() == pytest.approx(math.hypot(5 / math.sqrt(0.1), 10), rel=0.05)
    assert np.array_equal(reco.photon_time, record.shower_time)
    assert np.array_equal(reco.photon_second_moment, record.shower_second_moment)
    assert np.median(record.shower_second_moment) == pytest.approx(11.0, rel=0.02)
    _, _, muons = shots(13, 1.0, BARREL)
    _, _, pions = shots(211, 1.0, BARREL)
    assert np.nanmedian(muons.second_moment) == pytest.approx(6.0, rel=0.03)
    broad = pions.e_over_p * 1.0 > 0.35
    assert np.nanmedian(pions.second_moment[broad]) == pytest.approx(28.0, rel=0.05)
    assert np.isnan(pions.e3x3_over_e5x5[pions.shower < 0]).all()


def test_neutral_hadrons():
    """K_L, neutrons and antineutrons interact in half of the cases or more, in their direction; slow ones are late."""
    n = 6000
    phi = np.random.default_rng(64).uniform(-np.pi, np.pi, n)
    masses = {130: 0.497611, 2112: 0.939565, -2112: 0.939565}
    for pdg, mass in masses.items():
        truth = gun(np.full(n, pdg), 0.6, 0.2, phi, energy=math.hypot(0.6, mass), charge=0)
        record = simulate(truth, CARD, seed=2)
        length = 38 * (0.6 if pdg < 0 else 1.0)
        seen = 1 - math.exp(-28 / length)
        assert len(record.shower_energy) / n == pytest.approx(seen, abs=0.06)
        delay = 94.2 / math.sqrt(0.96) / 29.98 * (math.hypot(0.6, mass) / 0.6 - 1)
        assert record.shower_time.mean() == pytest.approx(delay, abs=1.5)
        assert np.array_equal(record.shower_truth, np.zeros_like(record.shower_truth))
    assert len(simulate(gun(np.full(9, 2112), 0.6, 0.2, 0.1, charge=0), "ideal", seed=1).shower_energy) == 0


def test_background_is_laid_over_every_event():
    """Poisson with the mean of the card, truth -1, keyed by the event: the same whatever else is in it."""
    card = card_with(trigger={"efficiency": 1.0}, emc__background={"mean": 0.7})
    truth = gun([22] * 20_000, 1.0, 0.1, 0.3)
    record = simulate(truth, card, seed=3)
    event = np.repeat(np.arange(20_000), np.diff(record.shower_offsets))
    noise = record.shower_truth < 0
    number = np.bincount(event[noise], minlength=20_000)
    assert number.mean() == pytest.approx(0.7, abs=0.025)
    assert number.var() == pytest.approx(0.7, abs=0.04)
    other = simulate(gun([13] * 20_000, 1.0, 0.1, 0.3), card, seed=3)
    assert np.array_equal(other.shower_energy[other.shower_truth < 0], record.shower_energy[noise])


def photon_pairs(mass, momentum, n, seed=65):
    rng = np.random.default_rng(seed)
    c, a = rng.uniform(-1, 1, n), rng.uniform(-np.pi, np.pi, n)
    s = np.sqrt(1 - c * c)
    gamma, bg = math.hypot(momentum, mass) / mass, momentum / mass
    # decay along x, flight along z turned into the barrel: x -> z'
    px, py, pz = 0.5 * mass * s * np.cos(a), 0.5 * mass * s * np.sin(a), 0.5 * mass * c
    first = np.stack([gamma * px + bg * 0.5 * mass, py, pz])
    second = np.stack([-gamma * px + bg * 0.5 * mass, -py, -pz])
    both = np.stack([first, second], axis=2).reshape(3, -1)
    p = np.sqrt((both**2).sum(axis=0))
    return gun(np.full(2 * n, 22), p, both[2] / p, np.arctan2(both[1], both[0]), per_event=2)


@pytest.mark.parametrize(("mass", "momentum", "low", "high"), [(0.13498, 0.5, 6.0, 7.4), (0.54786, 0.7, 14.5, 17.5)])
def test_masses_of_two_photons(mass, momentum, low, high):
    """Central 68 %: 6.7 and 16 MeV, above the quoted 5 and 10-11 MeV: the card has 4 % at 0.3 GeV, alone 14 for eta."""
    record = simulate(photon_pairs(mass, momentum, 20_000), CARD, seed=4)
    two = np.flatnonzero(np.diff(record.shower_offsets) == 2)
    i = record.shower_offsets[two]
    e, t, f = record.shower_energy, record.shower_theta, record.shower_phi
    barrel = (np.abs(np.cos(t[i])) < 0.8) & (np.abs(np.cos(t[i + 1])) < 0.8) & (np.minimum(e[i], e[i + 1]) > 0.05)
    i = i[barrel]
    cosine = np.cos(t[i]) * np.cos(t[i + 1]) + np.sin(t[i]) * np.sin(t[i + 1]) * np.cos(f[i] - f[i + 1])
    found = 1e3 * np.sqrt(2 * e[i] * e[i + 1] * (1 - cosine))
    width = 0.5 * np.diff(np.quantile(found, [0.1587, 0.8413]))[0]
    assert low < width < high
    assert np.median(found) == pytest.approx(1e3 * mass, rel=0.02)


# --- electrons ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("p", "region", "least"), [(1.0, BARREL, 0.997), (1.8, BARREL, 0.998), (1.0, ENDCAP, 0.985)])
def test_electrons(p, region, least):
    """E/p peaks at 1; more than 0.8 for over 99.7 % of the electrons in the barrel, 98.5 % in the endcaps."""
    _, _, reco = shots([11, -11], p, region)
    counts, edges = np.histogram(reco.e_over_p, bins=40, range=(0.9, 1.1))
    peak = counts > 0.8 * counts.max()
    assert abs((0.5 * (edges[:-1] + edges[1:]))[peak].mean() - 1.0) < 0.012
    assert (reco.e_over_p > 0.8).mean() > least


@pytest.mark.parametrize(("pt", "separate"), [(0.5, True), (0.8, True), (1.5, False), (1.85, False)])
def test_radiated_photons_merge_above_1_gev(pt, separate):
    """The photon goes straight on, the track bends by asin(r / 2 rho), 8.1 degrees at 1 GeV; half a cluster is 7.5."""
    truth, record, reco = shots(11, pt, (0.0, 0.05), n=10_000)
    tenth = (reco.photon_energy > 0.05 * pt) & (reco.photon_energy < 0.15 * pt)
    if not separate:
        assert tenth.sum() < 5, "of electrons that have lost much of their momentum besides"
        return
    assert tenth.sum() > 200
    rows = truth_of(truth, reco.photon_offsets, reco.photon_truth)
    away = np.angle(np.exp(1j * (reco.photon_phi - np.arctan2(truth.py, truth.px)[rows])))
    # from pipe and wall the photon goes on as the electron has turned by then, r / rho, seen from the origin
    outermost = 6.085 / (333.564 * pt)
    assert 0.3 * outermost < np.median(np.abs(away[tenth])) < outermost
    # nothing is lost: shower and photon together are the electron's energy
    n = np.diff(record.shower_offsets)
    total = np.bincount(np.repeat(np.arange(10_000), n), record.shower_energy, minlength=10_000)[n == 2]
    assert abs(np.median(total) / pt - 1.0) < 0.02


def test_bending_angle_decides():
    """At 1.15 GeV the photon is separate where the track that is left bends by 0.131 rad more than at the shell."""
    quiet = card_with(
        beam={"spot": (0.0, 0.0, 0.0)},
        emc={"smear": False, "cluster_threshold": 0.0},
        emc__background={"mean": 0.0},
        mdc={"tail_fraction": 0.0, "gas_radiation_length": 1e12},
    )
    _, record, reco = shots(11, 1.15, (0.0, 0.02), n=4000, card=quiet)
    pt = np.sqrt(reco.px**2 + reco.py**2)
    separate = np.diff(record.shower_offsets)[np.diff(record.track_offsets) == 1] >= 2
    bend = np.arcsin(94.2 / 2 / 333.564 / np.maximum(pt, 0.2))
    pipe, wall = 3.37 / (333.564 * 1.15), 6.085 / (333.564 * 1.15)
    assert separate[(bend > 0.134 + wall) & (pt > 0.2)].all()
    assert not separate[bend < 0.128 + pipe].any()
    assert separate.sum() > 100


# --- muons and hadrons ----------------------------------------------------------------------------------------------


def test_muons_are_minimum_ionising():
    """Most probable deposit 168 MeV at 1 GeV; none of 6e4 have E/p > 0.8 above 0.3 GeV."""
    _, record, _ = shots([13, -13], 1.0, (0.0, 0.1), n=40_000)
    counts, edges = np.histogram(record.shower_energy, bins=50, range=(0.12, 0.22))
    assert abs((0.5 * (edges[:-1] + edges[1:]))[counts > 0.9 * counts.max()].mean() - 0.170) < 0.003
    _, _, reco = shots([13, -13], np.random.default_rng(62).uniform(0.3, 1.9, 60_000), (0.0, 0.92), n=60_000)
    assert (reco.e_over_p > 0.8).sum() == 0


@pytest.mark.long
def test_muons_with_the_energy_of_electrons():
    """Fewer than 1e-4 of 4e6 muons of the search, pt > 0.3 GeV."""
    found = 0
    for seed in range(8):
        p = np.random.default_rng(seed).uniform(0.3, 1.9, 500_000)
        _, _, reco = shots([13, -13], p, (0.0, 0.92), n=500_000, seed=seed)
        found += ((reco.e_over_p > 0.8) & (np.hypot(reco.px, reco.py) > 0.3)).sum()
    assert found < 4e6 * 1e-4


@pytest.mark.parametrize(("pdg", "low", "high"), [(-211, 0.5, 1.5), (211, 0.3, 1.5)])
def test_pions_with_the_energy_of_electrons(pdg, low, high):
    """0.3 to 1.5 % of the pions have E/p > 0.8, more negative than positive ones."""
    for p in (0.8, 1.0, 1.6):
        _, _, reco = shots(pdg, p, BARREL, n=40_000)
        assert low < 100 * (reco.e_over_p > 0.8).mean() < high


# --- association ----------------------------------------------------------------------------------------------------


def test_showers_are_found_by_their_tracks():
    """99.9 % of muons in the barrel get the shower they made; the nearest one wins."""
    _, record, reco = shots([13, -13], 1.0, BARREL)
    assert (reco.shower == 0).mean() > 0.998
    assert np.isclose(reco.e_over_p[0], record.shower_energy[0] / np.sqrt(reco.px**2 + reco.py**2 + reco.pz**2)[0])


def test_matching_by_hand():
    """Two tracks and three showers: nearest within 0.1 rad; a shower far from both is free; NaN matches nothing."""
    truth = gun([13, -13], [1.5, 1.5], [0.0, 0.0], [0.0, 2.0], per_event=2)
    record = simulate(truth, "ideal", seed=1)
    tracks = match_showers(record, CARD)
    assert tracks.shower.tolist() == [0, 1]
    phi = record.shower_phi
    moved = record._replace(
        shower_phi=np.array([phi[0] + 0.15, phi[1] + 0.05]),
        shower_theta=record.shower_theta,
    )
    matches = match_showers(moved, CARD)
    assert matches.shower.tolist() == [-1, 1]
    assert matches.taken.tolist() == [False, True]
    assert np.isnan(matches.energy[0])
    assert np.allclose(matches.nearest, [chord2(0.15), chord2(0.05)], rtol=1e-6)
    nowhere = record._replace(shower_theta=np.full(2, np.nan))
    assert match_showers(nowhere, CARD).shower.tolist() == [-1, -1]


def test_one_shower_for_two_tracks():
    truth = gun([211, 211], [1.5, 1.5], [0.0, 0.01], [0.0, 0.01], per_event=2)
    record = simulate(truth, "ideal", seed=1)
    one = record._replace(
        shower_offsets=np.array([0, 1]),
        **{
            name: getattr(record, name)[:1]
            for name in record._fields
            if name.startswith("shower_") and name != "shower_offsets"
        },
    )
    assert match_showers(one, CARD).shower.tolist() == [0, 0]


def test_directions():
    rng = np.random.default_rng(63)
    theta, phi = np.arccos(rng.uniform(-1, 1, 50)), rng.uniform(-np.pi, np.pi, 50)
    x, y, z = (np.empty(50) for _ in range(3))
    direction_stage(theta, phi, x, y, z)
    assert np.allclose([x, y, z], [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], atol=1e-15)
    for i in range(49):
        a, b = np.array(unit_vector(theta[i], phi[i])), np.array(unit_vector(theta[i + 1], phi[i + 1]))
        angle = opening_angle(theta[i], phi[i], theta[i + 1], phi[i + 1])
        assert math.isclose(angle, math.acos(a @ b), abs_tol=1e-7)
        assert math.isclose(chord2(angle), ((a - b) ** 2).sum(), rel_tol=1e-12)
    assert math.isclose(opening_angle(1.0, 0.5, 1.0 + 1e-9, 0.5), 1e-9, rel_tol=1e-6)
