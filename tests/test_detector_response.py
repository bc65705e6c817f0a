"""Matter, dE/dx, time of flight, calorimeter and muon counter: published numbers, closed forms, distributions."""

import math

import numpy as np
import pytest
from besfast.constants import HYPOTHESIS_MASSES, M_E, M_K, M_MU, M_P, M_PI, C
from besfast.detector import dedx, emc, material, tof
from besfast.geometry import helix
from besfast.geometry.card import load_card
from besfast.rng import key
from scipy import integrate, stats

from .gun import card_with

BESIII, IDEAL = load_card("besiii"), load_card("ideal")
N = 100_000
K0, K1 = key(20)
EVENT, PARTICLE = np.arange(N, dtype=np.uint64), np.zeros(N, dtype=np.uint64)
NORMALS = np.random.default_rng(21).standard_normal((2, N))
UNIFORMS = np.random.default_rng(22).random((3, N))


def constant(value, n=N):
    return np.full(n, float(value))


# --- matter ---------------------------------------------------------------------------------------------------------


def test_highland():
    # 1 GeV muon in 1 % of a radiation length: 13.6 MeV / (beta p) * 0.1 * (1 + 0.038 ln 0.01 / beta^2)
    beta2 = 1 / (1 + M_MU**2)
    expected = 0.0136 / math.sqrt(beta2) * 0.1 * (1 + 0.038 * math.log(0.01 / beta2))
    assert material.highland(1.0, M_MU, 0.01, 0.01) == pytest.approx(expected, rel=1e-12)


def test_radiators_of_the_cards():
    pipe, wall, gas = material.radiators(BESIII)
    assert (pipe.outer, wall.outer) == (3.37, 6.085)
    assert (gas.inner, gas.outer) == (6.085, 76.345)
    assert pipe.thickness == pytest.approx(0.0098, rel=0.01)
    assert wall.thickness == pytest.approx(0.0065, rel=0.03)
    assert gas.thickness == pytest.approx(0.0025, rel=0.01)
    assert all(radiator.thickness < 1e-9 for radiator in material.radiators(IDEAL))


@pytest.mark.parametrize(
    ("stuff", "minimum", "at_1_gev"),
    [
        (material.SCINTILLATOR, 1.956, 2.047),
        (material.CAESIUM_IODIDE, 1.243, 1.372),
        (material.ALUMINIUM, 1.615, 1.725),
        (material.IRON, 1.451, 1.562),
    ],
)
def test_stopping_power_is_that_of_the_tables(stuff, minimum, at_1_gev):
    # minima [MeV cm^2/g] of Groom, Mokhov and Striganov (2001), to 1 %
    p = np.linspace(0.2, 1.0, 400)
    loss = 1e3 * material.stopping_power(p / M_MU, M_MU, stuff) / stuff.density
    assert loss.min() == pytest.approx(minimum, rel=0.01)
    assert loss[-1] == pytest.approx(at_1_gev, rel=0.01)


# --- dE/dx ----------------------------------------------------------------------------------------------------------

# the numbers below are those of a detector with 6 % at 35 hits, 80 ps and 110 ps
DEDX = dedx.parameters(card_with(dedx={"reference_hits": 35}))


def separation(one, other, p):
    """Distance in standard deviations of the second, with the reference number of hits."""
    expected = [dedx.expected_dedx(p, mass, DEDX) for mass in (one, other)]
    return abs(expected[0] - expected[1]) / dedx.dedx_sigma(expected[1], 35.0, 1.0, DEDX)


def test_dedx_over_the_plateau():
    table = {1.0: (0.999, 0.798, 0.781, 0.831, 1.176), 0.5: (0.994, 0.765, 0.766, 1.229, 2.62)}
    for p, values in table.items():
        found = [dedx.expected_dedx(p, mass, DEDX) for mass in HYPOTHESIS_MASSES]
        np.testing.assert_allclose(found, values, rtol=0.003)
    plateau_over_minimum = 1 / min(dedx.expected_dedx(p, M_PI, DEDX) for p in np.linspace(0.3, 1.0, 71))
    assert plateau_over_minimum == pytest.approx(1.31, abs=0.005)


@pytest.mark.parametrize(("p", "e_mu"), [(0.3, 4.0), (0.5, 4.3), (1.0, 3.7), (1.8, 2.9)])
def test_dedx_separates_electrons_from_muons(p, e_mu):
    # the reference divides by the electron's resolution
    assert separation(M_MU, M_E, p) == pytest.approx(e_mu, rel=0.15)


@pytest.mark.parametrize(("p", "k_pi"), [(0.5, 7.7), (0.8, 2.6), (1.0, 1.0), (1.2, 0.1)])
def test_dedx_separates_kaons_from_pions(p, k_pi):
    mean = 0.5 * (separation(M_PI, M_K, p) + separation(M_K, M_PI, p))
    assert mean == pytest.approx(k_pi, rel=0.15, abs=0.05)


def test_dedx_resolution_and_tail():
    out = np.empty(N)
    dedx.dedx_stage(constant(1.5), constant(M_E), constant(35), constant(1.0), NORMALS[0], constant(1.0), DEDX, out)
    assert out.std() / out.mean() == pytest.approx(0.06, rel=0.01)
    dedx.dedx_stage(constant(1.5), constant(M_E), constant(35), constant(1.0), NORMALS[0], UNIFORMS[0], DEDX, out)
    pull = (out - dedx.expected_dedx(1.5, M_E, DEDX)) / 0.06
    assert 0.0 < pull.mean() < 0.06
    assert pull.std() < 1.1
    dedx.dedx_stage(constant(1.5), constant(M_E), constant(5), constant(1.0), NORMALS[0], UNIFORMS[0], DEDX, out)
    assert np.isnan(out).all()


def test_dedx_resolution_with_hits():
    sigma = [dedx.dedx_sigma(1.0, hits, 1.0, DEDX) for hits in (35.0, 17.5)]
    assert sigma[0] == pytest.approx(0.06, rel=1e-12)
    assert sigma[1] / sigma[0] == pytest.approx(2**0.43, rel=1e-12)


# --- time of flight -------------------------------------------------------------------------------------------------

TOF = tof.parameters(card_with(tof__barrel={"sigma": 0.080}, tof__endcap={"sigma": 0.110}))


def tracks(cosine, p=1.0, charge=1.0):
    """(d_rho, kappa, dz, tan_lambda) of tracks from the origin."""
    sine = math.sqrt(1 - cosine**2)
    return 0.0, charge / (p * sine), 0.0, cosine / sine


@pytest.mark.parametrize(("p", "sigmas"), [(0.5, 12.5), (0.8, 5.4), (1.0, 3.6), (1.2, 2.5)])
def test_tof_separates_kaons_from_pions(p, sigmas):
    path, sigma, _ = tof.counter(*tracks(0.0, p), TOF)
    found = (tof.expected_time(path, p, M_K) - tof.expected_time(path, p, M_PI)) / sigma
    assert found == pytest.approx(sigmas, rel=0.06)


def test_tof_of_light_and_of_a_slow_particle():
    assert tof.expected_time(C, 1.0, 0.0) == 1.0
    assert tof.expected_time(100.0, M_P, M_P) == pytest.approx(100.0 * math.sqrt(2) / C, rel=1e-14)


@pytest.mark.parametrize(
    ("cosine", "sigma"),
    [(0.0, 0.080), (0.80, 0.086), (0.82, math.nan), (0.84, 0.110), (0.95, 0.110), (0.96, math.nan)],
)
def test_tof_counters_and_their_gap(cosine, sigma):
    for sign in (-1, 1):
        path, resolution, efficiency = tof.counter(*tracks(sign * cosine, 1.5), TOF)
        assert math.isnan(path) == math.isnan(sigma)
        if not math.isnan(sigma):
            assert resolution == pytest.approx(sigma, abs=0.002)
            assert efficiency == (0.96 if cosine < 0.83 else 0.94)


def test_tof_path_is_that_of_the_helix():
    d_rho, phi0, kappa, dz, tan_lambda = helix.helix_at_origin(0.1, -0.2, 1.0, 0.3, 0.5, 0.2, -1.0, 1.0)
    path, _, _ = tof.counter(d_rho, kappa, dz, tan_lambda, TOF)
    turn = helix.turn_to_radius(d_rho, kappa, 83.5, 1.0)
    points = np.array([helix.position(d_rho, phi0, kappa, dz, tan_lambda, t, 1.0) for t in np.linspace(0, turn, 5001)])
    assert path == pytest.approx(np.linalg.norm(np.diff(points, axis=0), axis=1).sum(), rel=1e-7)


def test_tof_curling_track_has_no_counter():
    assert math.isnan(tof.counter(*tracks(0.0, 0.12), TOF)[0])
    assert not math.isnan(tof.counter(*tracks(0.0, 0.13), TOF)[0])


def test_tof_stages():
    columns = [constant(value) for value in tracks(0.1, 1.0)]
    path, sigma, time = np.empty(N), np.empty(N), np.empty(N)
    tof.counter_stage(*columns, UNIFORMS[0], TOF, path, sigma)
    assert np.isfinite(path).mean() == pytest.approx(0.96, abs=0.003)
    tof.time_stage(path, constant(1.0), constant(M_MU), sigma, NORMALS[0], TOF, time)
    seen = np.isfinite(path)
    np.testing.assert_array_equal(np.isfinite(time), seen)
    pull = (time - tof.expected_time(np.nanmean(path), 1.0, M_MU)) / sigma
    assert np.nanstd(pull) == pytest.approx(1.0, abs=0.01)


# --- calorimeter ----------------------------------------------------------------------------------------------------

EMC = emc.parameters(BESIII)


@pytest.mark.parametrize(("energy", "percent"), [(1.0, 2.49), (0.1, 7.0), (0.2, 4.9), (0.5, 3.25), (1.84, 2.06)])
def test_emc_resolution_of_the_barrel(energy, percent):
    assert 100 * emc.energy_sigma(energy, 0.5, EMC) / energy == pytest.approx(percent, rel=0.01)


def test_emc_resolution_elsewhere():
    assert 100 * emc.energy_sigma(1.0, 0.89, EMC) == pytest.approx(4.9, rel=0.01)
    assert emc.energy_sigma(1.0, 0.81, EMC) == pytest.approx(2 * emc.energy_sigma(1.0, 0.5, EMC))
    assert emc.energy_sigma(0.0, 0.5, EMC) == 0.0022


def test_emc_acceptance():
    cosines = {0.0: 1.0, 0.82: 1.0, 0.83: 0.0, 0.84: 0.0, 0.85: 1.0, 0.94: 1.0, 0.95: 0.0}
    assert {c: emc.acceptance(c, EMC) for c in cosines} == cosines
    ideal = emc.parameters(IDEAL)
    assert all(emc.acceptance(c, ideal) == 1.0 for c in (0.0, 0.83, 0.99))


def test_emc_angles():
    theta, phi = emc.angle_sigma(1.0, 0.0, EMC)
    assert theta == phi == pytest.approx(math.hypot(0.6, 0.15) / 94.2)
    theta, phi = emc.angle_sigma(1.0, 0.6, EMC)
    assert phi * 0.8 == pytest.approx(theta)
    assert emc.angle_sigma(1.0, -0.9, EMC)[0] == pytest.approx(math.hypot(0.9, 0.15) * 0.9 / 139.6)


def test_emc_line_shape_is_a_novosibirsk_function():
    tau = BESIII.emc.line_shape_tail
    width = math.asinh(tau * math.sqrt(math.log(4))) / math.sqrt(math.log(4))

    def density(x):
        inside = np.maximum(1 - tau * x, 1e-300)
        return np.where(1 - tau * x > 0, np.exp(-0.5 * (np.log(inside) ** 2 / width**2 + width**2)), 0.0)

    grid = np.linspace(-30, 4, 400_001)
    cumulative = integrate.cumulative_trapezoid(density(grid), grid, initial=0)
    x = np.array([emc.line_shape(g, EMC) for g in NORMALS[0][:20_000]])
    found = stats.kstest(x, lambda value: np.interp(value, grid, cumulative / cumulative[-1]))
    assert found.pvalue > 0.01  # fixed seed
    above_half = grid[density(grid) > 0.5 * density(0.0)]
    assert above_half[-1] - above_half[0] == pytest.approx(2.355, abs=0.001)
    assert abs(grid[density(grid).argmax()]) < 1e-3
    assert [emc.line_shape(g, emc.parameters(IDEAL)) for g in (-1.0, 0.5)] == [1.0, -0.5]


def test_track_impact_and_its_path():
    rng = np.random.default_rng(30)
    for _ in range(300):
        momentum = rng.normal(size=3)
        momentum *= rng.uniform(0.4, 1.8) / np.linalg.norm(momentum)
        vertex = rng.normal(0, 0.3, 3)
        parameters = helix.helix_at_origin(*vertex, *momentum, rng.choice([-1.0, 1.0]), 1.0)
        x, y, z, factor = emc.track_impact(*parameters, EMC)
        radius = math.hypot(x, y)
        if math.isnan(x):
            continue
        assert min(abs(radius - 94.2), abs(abs(z) - 139.6)) < 1e-9
        # direction of the momentum there
        turn = helix.turn_to_radius(parameters[0], parameters[2], radius, 1.0)
        direction = np.array(helix.momentum(parameters[1] + turn, parameters[2], parameters[4]))
        along = direction @ np.array([x, y, z]) / np.linalg.norm(direction) / math.sqrt(radius**2 + z**2)
        assert factor == pytest.approx(1 / max(along, 0.2), rel=1e-6)


def test_photon_and_very_stiff_track_meet_the_same_crystal():
    photon = emc.photon_impact(0.1, 0.2, 3.0, 0.3, -0.4, 0.2, EMC)
    parameters = helix.helix_at_origin(0.1, 0.2, 3.0, 3e8, -4e8, 2e8, 1.0, 1.0)
    np.testing.assert_allclose(emc.track_impact(*parameters, EMC)[:3], photon, rtol=1e-6)
    assert math.hypot(*photon[:2]) == pytest.approx(94.2)
    forward = emc.photon_impact(0.1, 0.2, 3.0, 0.03, -0.04, -0.2, EMC)
    assert forward[2] == pytest.approx(-139.6)


def test_bremsstrahlung_photon_leaves_the_electron():
    # the photon goes straight on: at the calorimeter asin(r / 2 rho) from the bent track: 8.1 degrees for 1 GeV
    x, y, _, _ = emc.track_impact(*helix.helix_at_origin(0.0, 0.0, 0.0, 1.0, 0.0, 0.0, -1.0, 1.0), EMC)
    assert math.degrees(math.atan2(y, x)) == pytest.approx(8.1, abs=0.05)
