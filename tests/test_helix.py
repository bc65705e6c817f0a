"""Helix: closed forms, round trips, symmetries. The convention of the column `helix` is fixed here."""

import math

import numpy as np
import pytest
from besfast import event
from besfast.constants import ALPHA_T
from besfast.geometry import helix
from besfast.geometry.directions import opening_angle

BZ = 1.0


def tracks(n=2000, seed=7, spread=30.0):
    """Positions within `spread` [cm], momenta from 0.1 to 5 GeV, both charges."""
    rng = np.random.default_rng(seed)
    position = rng.uniform(-spread, spread, (n, 3))
    p = np.exp(rng.uniform(np.log(0.1), np.log(5.0), n))
    cosine, phi = rng.uniform(-0.95, 0.95, n), rng.uniform(-np.pi, np.pi, n)
    sine = np.sqrt(1 - cosine**2)
    momentum = p[:, None] * np.stack([sine * np.cos(phi), sine * np.sin(phi), cosine], axis=1)
    return position, momentum, rng.choice([-1.0, 1.0], n)


def test_convention_by_hand():
    # a positive particle along +x from the origin bends to -y in a field along +z: the centre is below
    d_rho, phi0, kappa, dz, tan_lambda = helix.helix_at_origin(0.0, 0.0, 2.0, 0.5, 0.0, 0.25, 1.0, BZ)
    assert (event.D_RHO, event.PHI0, event.KAPPA, event.DZ, event.TAN_LAMBDA) == (0, 1, 2, 3, 4)
    assert kappa == 2.0  # charge / pt
    assert tan_lambda == 0.5
    assert d_rho == 0.0
    assert dz == 2.0
    assert phi0 == pytest.approx(-math.pi / 2)  # azimuth of the momentum minus 90 degrees
    x, y, z = helix.position(d_rho, phi0, kappa, dz, tan_lambda, -0.1, BZ)
    assert x > 0
    assert y < 0  # bent to -y
    assert z > 2  # forward for turning angles of sign -kappa
    # a negative particle bends to +y
    negative = helix.helix_at_origin(0.0, 0.0, 2.0, 0.5, 0.0, 0.25, -1.0, BZ)
    assert negative[2] == -2.0
    assert helix.position(*negative, 0.1, BZ)[1] > 0


def test_sign_of_d_rho():
    # positive particle along +x through (0, 1): the centre (0, 1 - rho) is on the other side of the origin's axis
    d_rho, phi0, *_ = helix.helix_at_origin(0.0, 1.0, 0.0, 0.5, 0.0, 0.0, 1.0, BZ)
    point = d_rho * np.array([math.cos(phi0), math.sin(phi0)])
    np.testing.assert_allclose(point, [0.0, 1.0], atol=1e-12)


def test_round_trip_returns_position_and_momentum():
    for x, p, q in zip(*tracks()):
        d_rho, phi0, kappa, dz, tan_lambda = helix.helix_at_origin(*x, *p, q, BZ)
        rho = ALPHA_T / BZ / kappa
        # turning angle from the angle between closest approach and the point, seen from the centre
        cx, cy = (d_rho + rho) * math.cos(phi0), (d_rho + rho) * math.sin(phi0)
        psi = math.atan2((cy - x[1]) / rho, (cx - x[0]) / rho)
        turn = math.remainder(psi - phi0, 2 * math.pi)
        back = helix.position(d_rho, phi0, kappa, dz, tan_lambda, turn, BZ)
        np.testing.assert_allclose(back, x, rtol=1e-12, atol=1e-11)
        np.testing.assert_allclose(helix.momentum(phi0 + turn, kappa, tan_lambda), p, rtol=1e-12, atol=1e-12)


def test_parameters_do_not_depend_on_the_point_along_the_track():
    for x, p, q in zip(*tracks(300)):
        first = helix.helix_at_origin(*x, *p, q, BZ)
        there = helix.position(*first, 0.2, BZ)
        direction = helix.momentum(first[1] + 0.2, first[2], first[4])
        second = helix.helix_at_origin(*there, *direction, q, BZ)
        np.testing.assert_allclose(second[0], first[0], atol=1e-10)
        np.testing.assert_allclose(second[2:], first[2:], rtol=1e-11, atol=1e-9)
        assert math.remainder(second[1] - first[1], 2 * math.pi) == pytest.approx(0.0, abs=1e-12)


def test_closest_approach_is_closest():
    for x, p, q in zip(*tracks(200)):
        parameters = helix.helix_at_origin(*x, *p, q, BZ)
        distances = [math.hypot(*helix.position(*parameters, turn, BZ)[:2]) for turn in (-1e-3, 0.0, 1e-3)]
        assert distances[1] == pytest.approx(abs(parameters[0]), abs=1e-12)
        assert distances[1] <= min(distances) + 1e-12


def test_track_from_the_origin_has_no_d_rho():
    _, momenta, charges = tracks(200)
    for p, q in zip(momenta, charges):
        parameters = helix.helix_at_origin(0.0, 0.0, 0.0, *p, q, BZ)
        assert parameters[0] == 0.0
        assert abs(parameters[3]) < 1e-12
        np.testing.assert_allclose(helix.momentum(parameters[1], parameters[2], parameters[4]), p, rtol=1e-13)


def test_rotation_about_z_changes_phi0_only():
    angle = 0.7
    c, s = math.cos(angle), math.sin(angle)
    for x, p, q in zip(*tracks(200)):
        first = helix.helix_at_origin(*x, *p, q, BZ)
        turned = helix.helix_at_origin(
            c * x[0] - s * x[1], s * x[0] + c * x[1], x[2], c * p[0] - s * p[1], s * p[0] + c * p[1], p[2], q, BZ
        )
        assert math.remainder(turned[1] - first[1] - angle, 2 * math.pi) == pytest.approx(0.0, abs=1e-12)
        np.testing.assert_allclose(np.delete(turned, 1), np.delete(first, 1), rtol=1e-10, atol=1e-10)


def test_rotation_by_pi_about_x_changes_all_signs_but_that_of_the_azimuth_itself():
    # charge and field direction fixed: (x, y, z) -> (x, -y, -z) with the charge reversed
    for x, p, q in zip(*tracks(200)):
        first = np.array(helix.helix_at_origin(*x, *p, q, BZ))
        turned = np.array(helix.helix_at_origin(x[0], -x[1], -x[2], p[0], -p[1], -p[2], -q, BZ))
        np.testing.assert_allclose(np.delete(turned, 1), -np.delete(first, 1), rtol=1e-10, atol=1e-10)
        assert math.remainder(turned[1] + first[1] - math.pi, 2 * math.pi) == pytest.approx(0.0, abs=1e-11)


def test_cylinder_is_met():
    for x, p, q in zip(*tracks(500, spread=2.0)):
        d_rho, phi0, kappa, dz, tan_lambda = helix.helix_at_origin(*x, *p, q, BZ)
        turn = helix.turn_to_radius(d_rho, kappa, 40.0, BZ)
        diameter = abs(2 * ALPHA_T / BZ / kappa + d_rho)
        if diameter < 40.0:
            assert math.isnan(turn)
            continue
        assert turn * kappa < 0
        assert abs(turn) <= math.pi
        reached = helix.position(d_rho, phi0, kappa, dz, tan_lambda, turn, BZ)
        assert math.hypot(*reached[:2]) == pytest.approx(40.0, rel=1e-12)


@pytest.mark.parametrize(("radius", "pt"), [(76.0, 0.114), (81.0, 0.1215), (94.0, 0.141)])
def test_slow_tracks_curl(radius, pt):
    below, above = 1 / (pt * 0.995), 1 / (pt * 1.005)
    assert math.isnan(helix.turn_to_radius(0.0, below, radius, BZ))
    assert not math.isnan(helix.turn_to_radius(0.0, above, radius, BZ))


def test_plane_is_met():
    parameters = helix.helix_at_origin(0.1, 0.2, 0.3, 0.4, 0.1, -0.6, -1.0, BZ)
    turn = helix.turn_to_plane(parameters[2], parameters[3], parameters[4], -135.0, BZ)
    assert helix.position(*parameters, turn, BZ)[2] == pytest.approx(-135.0, rel=1e-13)
    assert math.isnan(helix.turn_to_plane(parameters[2], parameters[3], parameters[4], 135.0, BZ))
    assert math.isnan(helix.turn_to_plane(1.0, 0.0, 0.0, 135.0, BZ))


def test_path_length_is_the_integral_along_the_track():
    parameters = helix.helix_at_origin(0.1, 0.2, 0.3, 0.4, 0.1, -0.3, 1.0, BZ)
    turns = np.linspace(0.0, -0.8, 20001)
    points = np.array([helix.position(*parameters, turn, BZ) for turn in turns])
    chord = np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
    assert helix.path_length(-0.8, parameters[2], parameters[4], BZ) == pytest.approx(chord, rel=1e-8)


def test_field_scales_the_radius():
    slow = helix.helix_at_origin(1.0, 2.0, 3.0, 0.4, 0.1, -0.3, 1.0, 0.9)
    fast = helix.helix_at_origin(1.0, 2.0, 3.0, 0.4 / 0.9, 0.1 / 0.9, -0.3 / 0.9, 1.0, 1.0)
    np.testing.assert_allclose(np.delete(slow, 2), np.delete(fast, 2), rtol=1e-12)


def test_opening_angle():
    rng = np.random.default_rng(8)
    theta, phi = np.arccos(rng.uniform(-1, 1, (2, 500))), rng.uniform(-np.pi, np.pi, (2, 500))
    one, other = (np.array([np.sin(t) * np.cos(f), np.sin(t) * np.sin(f), np.cos(t)]) for t, f in zip(theta, phi))
    expected = np.arctan2(np.linalg.norm(np.cross(one.T, other.T), axis=1), np.sum(one * other, axis=0))
    found = [opening_angle(theta[0, i], phi[0, i], theta[1, i], phi[1, i]) for i in range(500)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert opening_angle(1.0, 3.0, 1.0 + 1e-9, 3.0) == pytest.approx(1e-9, rel=1e-6)
    assert opening_angle(1.0, math.pi, 1.0, -math.pi) == pytest.approx(0.0, abs=1e-12)


def test_wrap():
    angles = np.linspace(-3 * math.pi + 1e-9, 3 * math.pi - 1e-9, 101)
    wrapped = np.array([helix.wrap(angle) for angle in angles])
    assert np.abs(wrapped).max() <= math.pi
    np.testing.assert_allclose(np.exp(1j * wrapped), np.exp(1j * angles), atol=1e-14)
