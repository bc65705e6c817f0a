"""Tracks that begin away from the beam line or end early, silicon, asymmetric chambers, gaps, and no number astray."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from besfast.constants import ALPHA_T, M_MU, M_PI, PION
from besfast.detector import track_direct
from besfast.detector.covariance import cholesky, helix_covariance
from besfast.detector.surfaces import is_symmetric, surface_table, surfaces
from besfast.detector.track_efficiency import drawn_hits, found_probability, track_efficiency
from besfast.detector.track_table import (
    COS_MAX,
    N_COS,
    N_P,
    P_MAX,
    P_MIN,
    interpolate_stage,
    locate_stage,
    track_table,
)
from besfast.event import D_RHO, KAPPA, PHI0
from besfast.geometry.card import load_card
from besfast.geometry.helix import helix_at_origin
from besfast.geometry.tracker import PhiGap, SiliconLayer
from besfast.kernel import BLOCK
from besfast.rng import key
from besfast.schema import SchemaError
from besfast.sim.particles import final_state, species_of
from besfast.sim.simulate import simulate
from besfast.sim.tracks import measure_tracks
from scipy import stats

from .gun import PLAIN, card_with, gun, uniform_gun

BESIII = load_card("besiii")
DIAGONAL = [0, 2, 5, 9, 14]
#: Found whenever there are hits enough, without loss of energy on the way.
EAGER = card_with(
    mdc={
        "tail_fraction": 0.0,
        "efficiency_muon": 1.0,
        "efficiency_hadron": 1.0,
        "efficiency_electron": 1.0,
        "pt_threshold": 0.0,
        "pt_width": 1e-3,
    },
    beam={"spot": (0.0, 0.0, 0.0), "half_crossing_angle": 0.0},
    trigger={"efficiency": 1.0},
    matter={"ionisation": False, "bremsstrahlung": False, "conversion": False, "decays": False},
)
FLAGS = {"curls": 1, "displaced": 2, "ends": 4, "stand_in": 8}


def mdc_of(card, **values):
    return dataclasses.replace(card, mdc=dataclasses.replace(card.mdc, **values))


def anywhere(rng, n):
    """Helices of tracks that begin and end anywhere."""
    p, cosine = np.exp(rng.uniform(np.log(0.05), np.log(4.0), n)), rng.uniform(-0.95, 0.95, n)
    charge, d_rho = rng.choice([-1.0, 1.0], n), rng.uniform(-20, 20, n)
    start, inbound = np.abs(d_rho) + rng.uniform(0, 30, n), (rng.random(n) < 0.3) * 1.0
    stop = np.where(rng.random(n) < 0.5, np.inf, rng.uniform(0, 80, n))
    place = {"d_rho": d_rho, "dz": rng.uniform(-50, 50, n), "start": start, "inbound": inbound, "stop": stop}
    return p, cosine, charge, place


# --- the recursion --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("silicon", [(), (SiliconLayer(5.0, -15.0, 20.0, 2e-3, 5e-3, 0.01),)])
def test_compiled_evaluation_is_that_of_the_arrays(silicon):
    """1000 tracks that begin and end anywhere: the same hits, factors equal to 1e-7 of the diagonal."""
    card = dataclasses.replace(mdc_of(BESIII, scattering_scale=1.3), silicon=silicon)
    n = 1000
    p, cosine, charge, place = anywhere(np.random.default_rng(1), n)
    s = np.zeros(track_direct.ROWS * BLOCK)
    rows = s.reshape(-1, BLOCK)[:, :n]
    sine = np.sqrt(1 - cosine**2)
    rows[track_direct.KAPPA], rows[track_direct.TAN_LAMBDA] = charge / (p * sine), cosine / sine
    rows[track_direct.P], rows[track_direct.D_RHO], rows[track_direct.DZ] = p, place["d_rho"], place["dz"]
    for row in ("start", "inbound", "stop"):
        rows[getattr(track_direct, row.upper())] = place[row]
    track_direct.direct_factors(s, n, surface_table(card), card.field.bz, card.mdc.scattering_scale, M_PI)
    covariance, hits = helix_covariance(card, p, cosine, charge, M_PI, **place)
    np.testing.assert_array_equal(rows[track_direct.N_HITS], hits)
    assert rows[track_direct.POSITIVE].all()
    expected = cholesky(covariance)
    scale = expected[[0, 2, 2, 5, 5, 5, 9, 9, 9, 9, 14, 14, 14, 14, 14]]
    assert np.abs((rows[:15] - expected) / scale).max() < 1e-6


def parabola(radii, sigma, rho_scale):
    """Errors of (d_rho, phi0, kappa) of a stiff track in layers at radii r: y = d + phi r + kappa r^2 / (2 alpha)."""
    design = np.stack([np.ones_like(radii), radii, radii**2 / (2.0 * rho_scale)], axis=1)
    return np.sqrt(np.diag(np.linalg.inv(design.T @ design / sigma**2)))


@pytest.mark.parametrize("start", [0.0, 10.0, 30.0, 50.0])
def test_stiff_tracks_without_matter_are_a_parabola(start):
    """Gluckstern's limit and its continuation to the beam line from where a track begins: to 1e-3."""
    layers = tuple(dataclasses.replace(layer, stereo=0.0, half_length=1000.0) for layer in BESIII.mdc.layers)
    empty = {"gas_radiation_length": 1e12, "hit_efficiency": 1.0, "layers": layers}
    card = dataclasses.replace(mdc_of(BESIII, **empty), material=())
    covariance, hits = helix_covariance(card, 50.0, 0.0, 1.0, M_MU, start=start)
    radii = np.array([layer.radius for layer in layers if layer.radius > start])
    assert hits == len(radii)
    expected = parabola(radii, BESIII.mdc.hit_resolution, ALPHA_T)
    np.testing.assert_allclose(np.sqrt(covariance[[0, 2, 5]]), expected, rtol=1e-3)


def test_number_of_the_peer():
    """0.445 % (which chose the gas) and 0.095 mm within 3 % on the card of the beam pipe only."""
    card = load_card(Path(__file__).parent / "data" / "pipe_only.toml")
    assert len(card.material) == 4
    covariance, _ = helix_covariance(card, 1.0, 0.0, -1.0, M_MU)
    assert abs(100 * math.sqrt(covariance[5]) / 0.445 - 1) < 0.03
    assert abs(10 * math.sqrt(covariance[0]) / 0.095 - 1) < 0.03


def test_scales_reach_other_resolutions():
    """Errors go with resolution_scale without matter, nearly with scattering_scale where matter decides (0.3 GeV)."""
    empty = dataclasses.replace(mdc_of(BESIII, gas_radiation_length=1e12), material=())
    one, two = (helix_covariance(mdc_of(empty, resolution_scale=f), 1.0, 0.3, 1.0, M_MU)[0] for f in (1.0, 2.0))
    np.testing.assert_allclose(two, 4.0 * one, rtol=1e-3)
    none, one, two = (
        helix_covariance(mdc_of(BESIII, scattering_scale=f), 0.3, 0.3, 1.0, M_MU)[0] for f in (0.0, 1.0, 2.0)
    )
    assert 1.7 < math.sqrt(two[5] / one[5]) < 2.0
    np.testing.assert_allclose(none, helix_covariance(empty, 0.3, 0.3, 1.0, M_MU)[0], rtol=1e-6)


def matrices(covariance):
    """Lower triangles (15,) as a matrix (5, 5)."""
    matrix = np.zeros((5, 5))
    matrix[np.tril_indices(5)] = covariance
    return matrix + np.tril(matrix, -1).T


def test_silicon_adds_its_information():
    """Two points of 15 um x 30 um: the inverse covariance grows by H^T H / sigma^2 of a stiff track, to 1 %."""
    radii = (2.0, 4.0)
    layers = tuple(SiliconLayer(r, -50.0, 50.0, 15e-4, 30e-4, 0.0) for r in radii)
    plain = dataclasses.replace(mdc_of(BESIII, gas_radiation_length=1e12), material=())
    card = dataclasses.replace(plain, silicon=layers)
    covariance, hits = helix_covariance(card, 5.0, 0.0, 1.0, M_MU)
    alone, same = helix_covariance(plain, 5.0, 0.0, 1.0, M_MU)
    assert hits == same == 43
    information = np.linalg.inv(matrices(alone))
    for r in radii:
        across, along = np.array([1.0, -r, r * r / (2.0 * ALPHA_T), 0.0, 0.0]), np.array([0.0, 0.0, 0.0, 1.0, r])
        information += np.outer(across, across) / (15e-4) ** 2 + np.outer(along, along) / (30e-4) ** 2
    expected = np.sqrt(np.diag(np.linalg.inv(information)))
    np.testing.assert_allclose(np.sqrt(covariance[DIAGONAL]), expected, rtol=0.01)
    assert math.sqrt(alone[9]) > 20.0 * math.sqrt(covariance[9])
    # half of the hits: as if sigma^2 were twice as large
    half = dataclasses.replace(plain, silicon=tuple(dataclasses.replace(one, efficiency=0.5) for one in layers))
    wide = dataclasses.replace(
        plain, silicon=tuple(SiliconLayer(r, -50.0, 50.0, 15e-4 * 2**0.5, 30e-4 * 2**0.5, 0.0) for r in radii)
    )
    both = [helix_covariance(one, 5.0, 0.0, 1.0, M_MU)[0] for one in (half, wide)]
    np.testing.assert_allclose(*both, rtol=1e-9)
    # at an angle the position on the layer counts, not the distance across the track: the same sigma(z0)
    forward, _ = helix_covariance(card, 5.0, 0.6, 1.0, M_MU)
    assert math.sqrt(forward[9]) == pytest.approx(math.sqrt(covariance[9]), rel=0.15)
    # its own matter scatters, and its ends count
    heavy = dataclasses.replace(plain, silicon=tuple(dataclasses.replace(one, thickness=0.01) for one in layers))
    soft = [helix_covariance(one, 0.3, 0.0, 1.0, M_MU)[0] for one in (card, heavy)]
    assert soft[1][0] > 1.5 * soft[0][0]
    short = tuple(dataclasses.replace(one, z_min=1.0) for one in layers)
    missed, _ = helix_covariance(dataclasses.replace(plain, silicon=short), 5.0, 0.0, 1.0, M_MU)
    np.testing.assert_array_equal(missed, alone)


def test_asymmetric_chambers_have_two_tables():
    """Shifted by 20 cm: hits at the same |cos theta| differ, and each charge has its own covariance, node by node."""
    card = mdc_of(BESIII, z_centre=20.0)
    assert is_symmetric(BESIII)
    assert not is_symmetric(card)
    forward, backward = (helix_covariance(card, 1.0, c, 1.0, M_MU)[1] for c in (0.9, -0.9))
    assert forward > backward
    assert track_table(BESIII).negative == 0
    table = track_table(card)
    nodes = table.values.reshape(2, 5, N_P, N_COS, 16)
    i, j = 30, 120
    p = P_MIN * (P_MAX / P_MIN) ** (i / (N_P - 1))
    signed = COS_MAX * (2 * j / (N_COS - 1) - 1)
    node, f, g, factors = np.empty(2, dtype=np.uint64), np.empty(2), np.empty(2), np.empty(32)
    grid = table.log_p_min, table.per_log_p, table.negative
    charges = np.array([1.0, -1.0])
    locate_stage(np.full(2, p), np.full(2, signed), charges, PION, grid, node, f, g)
    interpolate_stage(table.values, node, f, g, factors)
    for k, charge in enumerate(charges):
        direct, hits = helix_covariance(card, np.array([p]), charge * signed, charge, M_PI)
        np.testing.assert_allclose(nodes[k, PION, i, j, :15], cholesky(direct)[:, 0], rtol=1e-6)
        np.testing.assert_allclose(factors[16 * k : 16 * k + 15], cholesky(direct)[:, 0], rtol=1e-5)
        assert nodes[k, PION, i, j, 15] == hits
    assert nodes[0, PION, i, j, 15] > nodes[1, PION, i, j, 15] + 3


def test_dead_layers_measure_nothing():
    covariance, hits = helix_covariance(mdc_of(BESIII, dead_layers=(0, 1, 2, 3)), 1.0, 0.0, 1.0, M_MU)
    whole, all_hits = helix_covariance(BESIII, 1.0, 0.0, 1.0, M_MU)
    assert (hits, all_hits) == (39, 43)
    assert covariance[0] > 1.1 * whole[0]
    # dead layers keep their matter
    assert sum(s.thickness for s in surfaces(mdc_of(BESIII, dead_layers=(7,)))) == pytest.approx(
        sum(s.thickness for s in surfaces(BESIII))
    )
    with pytest.raises(SchemaError, match=r"dead_layers: 43, allowed 0 to 42"):
        mdc_of(BESIII, dead_layers=(43,))


# --- how often a track is found -------------------------------------------------------------------------------------


def test_drawn_hits_are_binomial():
    u = (np.arange(20_000) + 0.5) / 20_000
    for efficiency, layers in ((0.98, 43), (0.9, 30), (1.0, 43)):
        constants = track_efficiency(mdc_of(BESIII, hit_efficiency=efficiency), PION)
        hits = np.array([drawn_hits(float(layers), x, constants) for x in u[::10]])
        expected = stats.binom(layers, efficiency)
        assert abs(hits.mean() - expected.mean()) < 0.01
        assert abs(hits.std() - expected.std()) < 0.02
    assert found_probability(1.0, 0.99, 1.0, track_efficiency(BESIII, PION)) == pytest.approx(0.988, rel=1e-6)
    assert found_probability(1.0, 0.99, 0.0, track_efficiency(BESIII, PION)) < 1e-6


def test_efficiency_and_hits_as_a_function_of_the_decay_radius():
    """Pions made at a radius, outwards: as many hits as layers beyond, none found with fewer than ten."""
    radii = np.array([0.0, 5.0, 10.0, 30.0, 50.0, 60.0, 62.0, 65.0, 70.0, 78.0])
    n = 400
    place = np.repeat(radii, n)
    phi = np.tile(np.linspace(-3, 3, n), len(radii))
    vertex = (place * np.cos(phi), place * np.sin(phi), np.zeros(len(place)))
    truth = gun([211] * len(place), 0.6, 0.1, phi, vertex=vertex)
    record = simulate(truth, EAGER, seed=4)
    found = np.diff(record.track_offsets).reshape(len(radii), n)
    layers = np.array([sum(layer.radius > r for layer in BESIII.mdc.layers) for r in radii])
    probability = stats.binom.sf(9, layers, 0.98)
    error = np.sqrt(probability * (1 - probability) / n)
    assert (np.abs(found.mean(axis=1) - probability) <= 4 * error + 1e-12).all()
    which = np.flatnonzero(found.reshape(-1)) // n
    for i in range(len(radii)):
        if layers[i] > 12:
            assert abs(record.n_hits[which == i].mean() - 0.98 * layers[i]) < 0.25
    np.testing.assert_array_equal((record.track_status & FLAGS["displaced"]) > 0, radii[which] > 3.2)


def measured(truth, card, stop=None):
    k0, k1 = key(3)
    particles = final_state(truth, card, k0, k1)
    if stop is not None:
        particles = particles._replace(stop=np.asarray(stop, dtype=np.float64))
    return measure_tracks(particles, np.arange(len(particles.pdg)), species_of(particles.pdg), card, k0, k1)


def test_tracks_that_end_early():
    """A pion that decays at 40 cm has the layers up to there, a larger error, and a flag."""
    truth = gun([211] * 4, 0.8, 0.2, 0.5)
    tracks = measured(truth, EAGER, [np.inf, 40.0, 20.0, 10.0])
    layers = [sum(layer.radius < stop for layer in BESIII.mdc.layers) for stop in (np.inf, 40.0, 20.0, 10.0)]
    assert (np.abs(tracks.n_hits - layers) <= 4).all()
    assert tracks.status.tolist() == [0.0, 4.0, 4.0, 4.0]
    assert tracks.found.tolist() == [True, True, False, False]
    sigma = np.abs(tracks.factors[:, [3, 4, 5]]).max(axis=1)
    assert sigma[1] > 2.0 * sigma[0]


def test_loopers_are_flagged():
    """Below 0.114 GeV of pt a track turns back inside the chamber; it is found once, up to its largest radius."""
    truth = gun([211] * 6, [0.08, 0.10, 0.112, 0.116, 0.13, 0.3], 0.0, 0.5)
    tracks = measured(truth, EAGER)
    assert tracks.status.tolist() == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    reach = 2 * np.array([0.08, 0.10, 0.112]) * ALPHA_T
    layers = [sum(layer.radius < r for layer in BESIII.mdc.layers) for r in reach]
    assert (np.abs(tracks.n_hits[:3] - layers) <= 4).all()


def test_sectors_of_the_chamber():
    """Tracks that cross the middle of the chamber in a sector are lost, others not."""
    gap = PhiGap(0.5, 1.0, 0.25)
    phi = np.linspace(-3.1, 3.1, 8000)
    truth = gun([13] * 8000, 2.0, 0.0, phi)
    found = measured(truth, mdc_of(EAGER, phi_gaps=(gap,))).found
    middle = 0.5 * (BESIII.mdc.layers[0].radius + BESIII.mdc.layers[-1].radius)
    at = phi + math.asin(middle / (2 * 2.0 * ALPHA_T))  # a negative particle turns to the left
    inside = (at > 0.505) & (at < 0.995)
    assert abs(found[inside].mean() - 0.25) < 4 * math.sqrt(0.19 / inside.sum())
    assert found[(at < 0.495) | (at > 1.005)].all()
    with pytest.raises(SchemaError, match="phi_min, phi_max"):
        PhiGap(1.0, 0.5)


# --- simulated tracks -----------------------------------------------------------------------------------------------


def displaced_gun(n, seed, **options):
    rng = np.random.default_rng(seed)
    r, phi = rng.uniform(0, 40, n), rng.uniform(-np.pi, np.pi, n)
    vertex = (r * np.cos(phi), r * np.sin(phi), rng.uniform(-20, 20, n))
    return uniform_gun(n, seed + 1, pdg=(211, -211), p=(0.3, 1.5), cosine=(-0.7, 0.7), vertex=vertex, **options)


def pulls_of(truth, record):
    """Return rows of the truth, deviations over errors (n, 5) and C^-1 chi2 of found tracks, one particle per event."""
    rows = np.repeat(np.arange(len(truth.number)), np.diff(record.track_offsets))
    columns = (truth.vx, truth.vy, truth.vz, truth.px, truth.py, truth.pz)
    true = np.array([helix_at_origin(*(c[i] for c in columns), float(truth.charge[i]), 1.0) for i in rows])
    deviation = record.helix - true
    deviation[:, PHI0] = np.angle(np.exp(1j * deviation[:, PHI0]))
    return rows, deviation / np.sqrt(record.covariance[:, DIAGONAL])


def test_pulls_of_displaced_tracks_have_unit_width():
    """20 000 pions from up to 40 cm: width 1 within 2 % and mean 0, of all five parameters."""
    truth = displaced_gun(20_000, 5)
    record = simulate(truth, EAGER, seed=6)
    _, pulls = pulls_of(truth, record)
    sharp = np.sqrt(record.covariance[:, 2]) < 0.3  # an azimuth known worse than that is folded
    assert sharp.mean() > 0.9
    assert np.abs(pulls[sharp].std(axis=0) - 1.0).max() < 0.02
    assert np.abs(pulls[sharp].mean(axis=0)).max() < 4 / math.sqrt(sharp.sum())


def test_rotation_about_the_beam_line():
    """Turned by 1 rad, tracks have the same errors, hits and deviations."""
    truth = displaced_gun(2000, 9)
    c, s = math.cos(1.0), math.sin(1.0)
    turned = truth._replace(
        px=c * truth.px - s * truth.py,
        py=s * truth.px + c * truth.py,
        vx=c * truth.vx - s * truth.vy,
        vy=s * truth.vx + c * truth.vy,
    )
    one, two = (simulate(events, EAGER, seed=2) for events in (truth, turned))
    np.testing.assert_array_equal(one.n_hits, two.n_hits)
    np.testing.assert_array_equal(one.track_status, two.track_status)
    np.testing.assert_allclose(one.covariance, two.covariance, rtol=1e-6, atol=1e-12)
    for k in (D_RHO, KAPPA, 3, 4):
        np.testing.assert_allclose(one.helix[:, k], two.helix[:, k], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(np.exp(1j * (two.helix[:, PHI0] - one.helix[:, PHI0] - 1.0)), 1.0, atol=1e-7)


def test_charge_and_theta_symmetry():
    """(charge, cos) -> (-charge, -cos) is exact; each alone changes errors by what the stereo layers do, below 1 %."""
    p, cosine = np.repeat([0.3, 0.6, 1.0, 1.8], 8), np.tile(np.linspace(-0.9, 0.9, 8), 4)
    plus, hits = helix_covariance(BESIII, p, cosine, 1.0, M_PI, d_rho=2.0, dz=4.0, start=10.0)
    minus, same = helix_covariance(BESIII, p, -cosine, -1.0, M_PI, d_rho=-2.0, dz=-4.0, start=10.0)
    np.testing.assert_array_equal(hits, same)
    np.testing.assert_allclose(plus[DIAGONAL], minus[DIAGONAL], rtol=1e-9)
    plus, _ = helix_covariance(BESIII, p, cosine, 1.0, M_PI)
    minus, _ = helix_covariance(BESIII, p, cosine, -1.0, M_PI)
    assert np.abs(np.sqrt(plus[DIAGONAL] / minus[DIAGONAL]) - 1).max() < 0.01


def random_anywhere(n, seed, first):
    """Charged particles of all kinds, 10 MeV to 6 GeV, any direction, any vertex up to 1.2 m, many on special lines."""
    rng = np.random.default_rng(seed)
    p, cosine = np.exp(rng.uniform(math.log(0.01), math.log(6.0), n)), rng.uniform(-1, 1, n)
    phi, r = rng.uniform(-np.pi, np.pi, n), rng.uniform(0, 120, n) * (rng.random(n) < 0.6)
    vertex = np.array([r * np.cos(2.3 * phi), r * np.sin(2.3 * phi), rng.uniform(-200, 200, n) * (rng.random(n) < 0.6)])
    cosine[::97], cosine[1::97], cosine[2::97] = 1.0, -1.0, 0.0
    cosine[3::97] = rng.choice([-1, 1], len(cosine[3::97])) * (1 - 1e-12)
    phi[4::97], phi[5::97] = 0.0, np.pi
    kinds = rng.choice([11, -11, 13, -13, 211, -211, 321, -321, 2212, -2212], n)
    return gun(kinds, p, cosine, phi, vertex=vertex, number=np.arange(first, first + n))


def no_number_astray(n, seed):
    """Return how many tracks were found and how many had a stand-in covariance, after checking every one of them."""
    card = mdc_of(BESIII, min_hits=5)
    found = flagged = 0
    for first in range(0, n, 100_000):
        record = simulate(random_anywhere(min(100_000, n - first), seed + first, first), card, seed=seed)
        for name in ("helix", "covariance", "n_hits"):
            assert np.isfinite(getattr(record, name)).all(), name
        assert (record.covariance[:, DIAGONAL] > 0.0).all()
        correlation = record.covariance[:, [1, 3, 4, 6, 7, 8, 10, 11, 12, 13]]
        pairs = [(i, j) for i in range(5) for j in range(i)]
        limit = np.stack([record.covariance[:, DIAGONAL[i]] * record.covariance[:, DIAGONAL[j]] for i, j in pairs], 1)
        assert (correlation**2 <= limit * (1 + 1e-9)).all()
        found, flagged = found + len(record.helix), flagged + int((record.track_status & FLAGS["stand_in"] > 0).sum())
    return found, flagged


def test_no_number_is_astray():
    """300 000 particles from anywhere to anywhere: finite and positive, none lost for want of a covariance."""
    found, flagged = no_number_astray(300_000, 17)
    assert found > 50_000
    assert flagged == 0


@pytest.mark.long
def test_no_number_is_astray_in_ten_million():
    found, flagged = no_number_astray(10_000_000, 18)
    assert found > 1_000_000
    assert flagged <= 1e-5 * found


def test_a_covariance_that_cannot_be_computed_is_flagged():
    """A card whose scattering leaves no number: the track is found with a stand-in covariance and says so."""
    s = np.zeros(track_direct.ROWS * BLOCK)
    rows = s.reshape(-1, BLOCK)
    rows[[0, 2, 5, 9, 14], :4] = 1.0
    rows[0, 1], rows[5, 2], rows[13, 3] = -1.0, np.nan, 1.0  # negative, not a number, fully correlated
    track_direct.factor_stage(s, 4)
    assert rows[track_direct.POSITIVE, :4].tolist() == [1.0, 0.0, 0.0, 0.0]


def test_prompt_tracks_do_not_notice():
    """Positions within the beam spot leave the table in use: the status is 0."""
    record = simulate(uniform_gun(500, 3, cosine=(-0.8, 0.8)), PLAIN, seed=1)
    assert not record.track_status.any()
