"""Directions: angles between them by several ways."""

import itertools
import math

import numpy as np
import pytest
from besfast.geometry.directions import chord2, opening_angle, unit_vector

DIRECTIONS = [
    (float(np.arccos(c)), float(phi))
    for c, phi in np.random.default_rng(3).uniform((-1, -math.pi), (1, math.pi), (60, 2))
]


def textbook(theta, phi):
    return np.array([math.sin(theta) * math.cos(phi), math.sin(theta) * math.sin(phi), math.cos(theta)])


def test_unit_vectors():
    for theta, phi in [*DIRECTIONS, (0.0, 1.0), (math.pi, -2.0), (0.5 * math.pi, math.pi)]:
        assert unit_vector(theta, phi) == pytest.approx(textbook(theta, phi), abs=4e-16)


def test_angles_and_chords_of_vectors():
    for a, b in itertools.pairwise(DIRECTIONS):
        u, v = textbook(*a), textbook(*b)
        angle = math.atan2(float(np.linalg.norm(np.cross(u, v))), float(u @ v))
        # sin^2 of half the angle, rounded to 1e-16, says less of an angle close to pi
        tolerance = 1e-15 / math.cos(0.5 * angle)
        assert opening_angle(*a, *b) == pytest.approx(angle, abs=tolerance)
        assert chord2(angle) == pytest.approx(float((u - v) @ (u - v)), abs=2e-15)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, 0.1, 1.0, 3.0])
def test_small_angles_are_accurate(angle):
    assert opening_angle(1.0, 0.5, 1.0 + angle, 0.5) == pytest.approx(angle, rel=1e-7 if angle < 1e-8 else 1e-11)
    assert chord2(angle) == pytest.approx((2.0 * math.sin(0.5 * angle)) ** 2, rel=1e-15)


def test_chords_grow_with_the_angle():
    chords = [chord2(float(angle)) for angle in np.linspace(0.0, math.pi, 500)]
    assert chords == sorted(chords)
    assert chords[-1] == pytest.approx(4.0)
