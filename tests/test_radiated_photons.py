"""Bremsstrahlung photons and conversions: spectra, places, directions, conservation."""

import math
from itertools import pairwise

import numpy as np
import pytest
from besfast.constants import ALPHA_T, M_E
from besfast.detector import bremsstrahlung as brems
from besfast.detector.conversion import conversion_probability, crossing, positron_share
from besfast.detector.material import radiators
from besfast.geometry import helix
from besfast.rng import key
from besfast.sim.bremsstrahlung import radiate
from besfast.sim.conversion import convert_photons
from besfast.sim.particles import GENERATION, TRUTH_INDEX, daughter_key, final_state
from scipy import integrate, stats

from .gun import PLAIN, card_with, gun

N = 100_000
K = key(71)
PHI = np.random.default_rng(72).uniform(-np.pi, np.pi, N)


def spectrum(y):
    """Photons per radiation length and unit of y, complete screening."""
    return (4 / 3 - 4 / 3 * y + y * y) / y


def radiated(cosine, p=1.0, pdg=11, card=PLAIN, n=N):
    """Return electrons before and after, photons and their parents."""
    before = final_state(gun([pdg] * n, p, cosine, PHI[:n]), card, *K)
    return (before, *radiate(before, card, *K))


def test_number_of_photons_and_its_inverse():
    for y in (1e-4, 1e-2, 0.3, 0.9):
        number = integrate.quad(spectrum, y, 1)[0]
        assert math.isclose(brems.photons_above(y), number, rel_tol=1e-9)
        assert math.isclose(brems.photon_fraction(number), y, rel_tol=1e-9)


@pytest.mark.parametrize("cosine", [0.0, 0.8])
def test_losses(cosine):
    """Against an own compound Poisson process and the closed forms <E'/E> = exp(-t), <(E'/E)^2> = exp(-1.52778 t)."""
    before, after, _, _ = radiated(cosine)
    t = sum(radiator.thickness for radiator in radiators(PLAIN)) / math.sqrt(1 - cosine**2)
    kept = after.energy / before.energy
    for power, rate in ((1, 1.0), (2, 2 - (2 / 3 - 4 / 9 + 1 / 4))):
        values = kept**power
        assert abs(values.mean() - math.exp(-rate * t)) < 4 * values.std() / math.sqrt(N)
    rng = np.random.default_rng(73)
    grid = np.geomspace(1e-3, 1, 4001)
    cumulative = np.array([brems.photons_above(y) for y in grid])
    n = rng.poisson(t * cumulative[0], 1_000_000)
    loss = np.ones(len(n))
    for k in range(1, n.max() + 1):
        some = np.flatnonzero(n >= k)
        loss[some] *= 1 - np.interp(rng.uniform(0, cumulative[0], len(some)), cumulative[::-1], grid[::-1])
    for y in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5):
        expected = (1 - loss > y).mean()
        assert abs((1 - kept > y).mean() - expected) < 4 * math.sqrt(1.1 * expected / N), y


def test_spectrum_of_single_photons():
    """Photons of each radiator in bins of y, the rare second photon of the same radiator taken out of the oracle."""
    before, _, photons, parents = radiated(0.0)
    y = photons.energy / before.energy[parents]
    line = (photons.particle >> GENERATION).astype(int)
    edges = np.array([0.004, 0.02, 0.1, 0.3, 0.6, 1.0])
    for number, radiator in enumerate(radiators(PLAIN), start=1):
        found = np.histogram(y[line == number], edges)[0]
        mean = N * radiator.thickness * np.array([integrate.quad(spectrum, a, b)[0] for a, b in pairwise(edges)])
        # a second photon moves one out of its bin: at most the mean number of photons above the threshold
        least = mean * (1 - radiator.thickness * integrate.quad(spectrum, 1e-3, 1)[0])
        assert (found > least - 4 * np.sqrt(mean)).all()
        assert (found < mean * 1.02 + 4 * np.sqrt(mean)).all()


@pytest.mark.parametrize("pdg", [11, -11])
def test_photons_leave_along_the_track(pdg):
    """Pipe and wall: on the cylinder, and turned against the start by asin(r / 2 rho) with rho = 333.56 pt / B."""
    pt = 0.5
    before, _, photons, parents = radiated(0.0, p=pt, pdg=pdg, n=40_000)
    first = np.unique(parents, return_index=True)[1]
    for radius, number in ((3.37, 1), (6.085, 2)):
        chosen = first[(photons.particle[first] >> GENERATION).astype(int) == number]
        assert len(chosen) > 500
        assert np.allclose(np.hypot(photons.x, photons.y)[chosen], radius, atol=1e-9)
        start = np.arctan2(before.py, before.px)[parents[chosen]]
        turn = np.angle(np.exp(1j * (np.arctan2(photons.py, photons.px)[chosen] - start)))
        place = np.angle(np.exp(1j * (np.arctan2(photons.y, photons.x)[chosen] - start)))
        bend = 2 * math.asin(radius / (2 * ALPHA_T * pt)) * math.copysign(1, pdg)
        assert np.allclose(turn, bend, atol=1e-9)
        assert np.allclose(place, 0.5 * bend, atol=1e-9)
    gas = (photons.particle >> GENERATION).astype(int) == 3
    r = np.hypot(photons.x, photons.y)[gas]
    assert stats.kstest(r, stats.uniform(6.085, 76.345 - 6.085).cdf).pvalue > 1e-3


def test_energy_is_conserved_and_photons_are_massless():
    before, after, photons, parents = radiated(0.5)
    total = after.energy + np.bincount(parents, photons.energy, minlength=N)
    assert np.allclose(total, before.energy, rtol=1e-12)
    assert np.allclose(photons.px**2 + photons.py**2 + photons.pz**2, photons.energy**2, rtol=1e-12)
    assert (photons.energy > 0.9e-3 * before.energy[parents])[photons.particle >> GENERATION == 1].all()
    keys = photons.event * np.uint64(1 << 40) + photons.particle
    assert len(np.unique(keys)) == len(keys)
    assert np.array_equal(photons.particle & TRUTH_INDEX, before.particle[parents])


def test_the_track_behind_continues_backwards():
    """At the radiator the helix of what is left has the place and the direction of the photon."""
    before, after, photons, parents = radiated(0.3, p=0.4, n=20_000)
    once = np.flatnonzero(np.bincount(parents, minlength=20_000)[parents] == 1)
    seen = 0
    for i in once[(photons.particle[once] >> GENERATION) < 3][:200]:
        j = parents[i]
        momentum = after.px[j], after.py[j], after.pz[j]
        parameters = helix.helix_at_origin(after.x[j], after.y[j], after.z[j], *momentum, -1.0, 1.0)
        turn = helix.turn_to_radius(parameters[0], parameters[2], math.hypot(photons.x[i], photons.y[i]), 1.0)
        if math.isnan(turn):
            continue
        assert np.allclose(
            helix.position(*parameters, turn, 1.0), (photons.x[i], photons.y[i], photons.z[i]), atol=1e-8
        )
        direction = np.array(helix.momentum(parameters[1] + turn, parameters[2], parameters[4]))
        photon = np.array([photons.px[i], photons.py[i], photons.pz[i]])
        assert np.allclose(direction / np.linalg.norm(direction), photon / np.linalg.norm(photon), atol=1e-8)
        left = 1 - photons.energy[i] / before.energy[j]
        assert math.isclose(np.linalg.norm(direction), 0.4 * left, rel_tol=1e-6)
        seen += 1
    assert seen > 180


def test_there_and_back_again():
    """A track that loses nothing comes from where it came; one that does not reach the shell radiates nothing."""
    start = 0.05, -0.03, 1.2, 0.2, 0.1, 0.15
    for charge in (1.0, -1.0):
        at = brems.emission(*start, charge, 1.0, 6.0, 60.0)
        assert math.isclose(math.hypot(*at[:2]), 6.0)
        assert np.allclose(brems.retraced(*at, charge, 1.0, 0.0)[2:], start[2:], rtol=0.05)
        parameters = helix.helix_at_origin(*brems.retraced(*at, charge, 1.0, math.hypot(*start[:2])), charge, 1.0)
        assert np.allclose(parameters, helix.helix_at_origin(*start, charge, 1.0), atol=1e-12)
    assert math.isnan(brems.emission(*start, 1.0, 1.0, 6.0, 2.0)[2]), "beyond the half length"
    assert math.isnan(brems.emission(0.0, 0.0, 0.0, 1e-3, 0.0, 0.0, 1.0, 1.0, 6.0, 60.0)[0]), "curls up"
    assert math.isnan(brems.emission(7.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 6.0, 60.0)[0]), "from outside"


def test_curvature_of_a_track_that_radiates_in_the_gas():
    """A parabola fitted to a track whose curvature doubles at a depth f of the chamber."""
    x = np.linspace(0, 1, 2001)
    for f in (0.0, 0.2, 0.5, 0.8, 1.0):
        y = 0.5 * x**2 + np.where(x > f, 0.5 * (x - f) ** 2, 0.0)
        curvature = 2 * np.polyfit(x, y, 2)[0]
        assert abs(curvature - 1 - brems.curvature_weight(f)) < 2e-3


def test_nothing_is_radiated_outside_matter():
    displaced = gun([11] * 5000, 1.0, 0.0, PHI[:5000], vertex=(80.0, 0.0, 0.0))
    electrons = final_state(displaced, PLAIN, *K)
    assert len(radiate(electrons, PLAIN, *K)[1].row) == 0
    electrons = final_state(gun([11] * 5000, 1.0, 0.999, PHI[:5000]), PLAIN, *K)
    assert len(radiate(electrons, PLAIN, *K)[1].row) == 0, "through the ends of pipe, wall and chamber"
    off = card_with(matter={"bremsstrahlung": False})
    electrons = final_state(gun([11] * 5000, 1.0, 0.0, PHI[:5000]), off, *K)
    same, photons, _ = radiate(electrons, off, *K)
    assert same is electrons
    assert len(photons.row) == 0


# --- conversion -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cosine", [0.0, 0.7])
def test_conversion_rate(cosine):
    """0.76 % in the pipe and 0.50 % in the wall, over sin(theta)."""
    particles = final_state(gun([22] * N, 0.5, cosine, PHI), PLAIN, *K)
    stop = convert_photons(particles, PLAIN, *K).stop[:N]
    alive = 1.0
    for radiator in radiators(PLAIN)[:-1]:
        probability = 1 - math.exp(-7 / 9 * radiator.thickness / math.sqrt(1 - cosine**2))
        assert math.isclose(conversion_probability(radiator.thickness / math.sqrt(1 - cosine**2)), probability)
        expected = N * alive * probability
        assert abs((stop == radiator.outer).sum() - expected) < 4 * math.sqrt(expected)
        alive *= 1 - probability
    assert cosine or abs(100 * np.isfinite(stop).mean() - 1.26) < 0.15


def test_pairs():
    particles = final_state(gun([22] * N, 0.5, 0.3, PHI), PLAIN, *K)
    after = convert_photons(particles, PLAIN, *K)
    minus, plus = np.flatnonzero(after.pdg == 11), np.flatnonzero(after.pdg == -11)
    assert len(minus) == len(plus) == np.isfinite(after.stop).sum() > 1000
    assert np.allclose(after.energy[minus] + after.energy[plus], 0.5, rtol=1e-12)
    assert np.array_equal(after.charge[minus], np.full(len(minus), -1.0))
    p2 = after.px**2 + after.py**2 + after.pz**2
    assert np.allclose((after.energy**2 - p2)[N:], M_E**2, atol=1e-9)
    r = np.hypot(after.x, after.y)[minus]
    assert np.isin(np.round(r, 9), (3.37, 6.085)).all()
    # along the photon, from the origin
    assert np.allclose(np.arctan2(after.y, after.x)[minus], np.arctan2(after.py, after.px)[minus], atol=1e-9)
    share = (after.energy[plus] - M_E) / (0.5 - 2 * M_E)
    assert stats.kstest(share, lambda x: 9 / 7 * (x - 2 / 3 * x**2 + 4 / 9 * x**3)).pvalue > 1e-3
    assert np.array_equal(after.particle[plus], daughter_key(particles.particle[after.event[plus].astype(int)], 2))


def test_share_of_the_positron():
    for u in (0.0, 0.1, 0.5, 0.99, 1.0):
        x = positron_share(u)
        assert math.isclose(9 / 7 * (x - 2 / 3 * x**2 + 4 / 9 * x**3), u, abs_tol=1e-12)


def test_where_photons_cross_a_cylinder():
    x, y, z, path = crossing(1.0, 0.0, 2.0, 0.0, 0.3, 0.4, 5.0)
    assert np.allclose((x, y, z), (1.0, math.sqrt(24), 2.0 + 4 / 3 * math.sqrt(24)))
    assert math.isclose(path, 1 / (0.6 * math.sqrt(24) / 5))
    assert math.isnan(crossing(6.0, 0.0, 0.0, -1.0, 0.0, 0.0, 5.0)[0])


def test_photons_that_miss_the_shells_do_not_convert():
    forward = final_state(gun([22] * 20_000, 1.0, 0.999, PHI[:20_000]), PLAIN, *K)
    assert np.isinf(convert_photons(forward, PLAIN, *K).stop).all()
    outside = final_state(gun([22] * 20_000, 1.0, 0.0, PHI[:20_000], vertex=(7.0, 0.0, 0.0)), PLAIN, *K)
    assert np.isinf(convert_photons(outside, PLAIN, *K).stop).all()


def test_keys_of_daughters():
    parent = np.array([5], dtype=np.uint64)
    child = daughter_key(parent, 3)
    grandchildren = [int(daughter_key(child, k)[0]) for k in range(1, 16)]
    assert int(child[0]) == 5 + (3 << 20)
    assert len({int(parent[0]), int(child[0]), *grandchildren}) == 17
    assert {one & 0xFFFFF for one in grandchildren} == {5}
