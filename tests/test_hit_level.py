"""The covariance of tracks against an own Monte Carlo hit by hit, prompt and displaced."""

import dataclasses
import math

import numpy as np
import pytest
from besfast.constants import ALPHA_T, M_K, M_MU, M_P, M_PI
from besfast.detector.covariance import helix_covariance
from besfast.geometry.card import load_card
from besfast.validation.hit_level import Gun, shoot, true_helix

BESIII = load_card("besiii")
ALL_HITS = dataclasses.replace(BESIII, mdc=dataclasses.replace(BESIII.mdc, hit_efficiency=1.0))
DIAGONAL = [0, 2, 5, 9, 14]
N = 20_000

PROMPT = [
    Gun(1.0, 0.0, 1.0, M_MU),
    Gun(0.3, 0.0, -1.0, M_PI),
    Gun(0.2, 0.4, 1.0, M_PI),
    Gun(0.5, -0.6, 1.0, M_K),
    Gun(1.0, 0.8, -1.0, M_MU),
    Gun(1.8, 0.5, 1.0, M_MU),
    Gun(0.8, 0.9, 1.0, M_MU),
]
#: From behind pipe, wall and layers; off the axis; first inwards, through layers twice.
DISPLACED = [
    Gun(0.6, -0.2, 1.0, M_P, 4.0, 0.3),
    Gun(0.5, 0.3, 1.0, M_PI, 20.0, 0.5),
    Gun(1.0, 0.0, -1.0, M_PI, 30.0, 0.0),
    Gun(0.4, 0.3, -1.0, M_PI, 15.0, 2.9),
    Gun(0.4, -0.5, 1.0, M_PI, 15.0, -2.8),
]


def predicted(card, gun):
    helix = true_helix(gun, ALPHA_T / card.field.bz)
    inbound = float(abs(gun.angle) > math.pi / 2 and gun.start > 0.0)
    place = {"d_rho": helix[0], "dz": helix[3], "start": gun.start, "inbound": inbound}
    covariance, hits = helix_covariance(card, gun.p, gun.cosine, gun.charge, gun.mass, **place)
    matrix = np.zeros((5, 5))
    matrix[np.tril_indices(5)] = covariance
    return np.tril(matrix, -1).T + matrix, hits


LATER = [pytest.param(gun, marks=pytest.mark.long) for gun in (*PROMPT[3:5], PROMPT[6], DISPLACED[1], DISPLACED[4])]
NOW = [*PROMPT[:3], PROMPT[5], DISPLACED[0], *DISPLACED[2:4]]


@pytest.mark.parametrize("gun", [*NOW, *LATER])
def test_covariance_is_that_of_fitted_tracks(gun):
    """Width of the fitted parameters within 2 % (0.5 % statistical), and all correlations, 20 000 tracks each."""
    fitted = shoot(ALL_HITS, gun, N, seed=7)
    matrix, hits = predicted(ALL_HITS, gun)
    assert fitted.n_hits.mean() == hits
    sigma = np.sqrt(np.diag(matrix))
    np.testing.assert_allclose(fitted.deviation.std(axis=0), sigma, rtol=0.02)
    np.testing.assert_allclose(fitted.covariance / np.outer(sigma, sigma), matrix / np.outer(sigma, sigma), atol=2e-3)
    assert np.abs(fitted.deviation.mean(axis=0) / sigma).max() < 4.0 / math.sqrt(N)
    # the five together: chi2 of five degrees of freedom, of mean 5 and variance 10
    together = np.einsum("ni,ij,nj->n", fitted.deviation, np.linalg.inv(matrix), fitted.deviation)
    assert abs(together.mean() - 5.0) < 4.0 * math.sqrt(10.0 / N)
    freedom = hits - 5
    assert abs(fitted.chi2.mean() - freedom) < 4.0 * math.sqrt(2.0 * freedom / N)


def test_missing_hits_widen_like_a_worse_resolution():
    """At 90 % efficiency sigma^2 / efficiency is right to 2 % of the errors (1 % statistical), 5000 tracks."""
    card = dataclasses.replace(BESIII, mdc=dataclasses.replace(BESIII.mdc, hit_efficiency=0.9))
    fitted = shoot(card, PROMPT[0], 5000, seed=8)
    matrix, hits = predicted(card, PROMPT[0])
    assert abs(fitted.n_hits.mean() - 0.9 * hits) < 0.15
    np.testing.assert_allclose(fitted.deviation.std(axis=0), np.sqrt(np.diag(matrix)), rtol=0.04)


def test_matter_that_grazes():
    """Where a track runs along the layers, one slice of gas between two of them is coarse: up to 15 % in phi0."""
    gun = Gun(0.4, 0.3, -1.0, M_PI, 15.0, 2.4)
    fitted = shoot(ALL_HITS, gun, 2000, seed=9)
    matrix, _ = predicted(ALL_HITS, gun)
    ratio = np.sqrt(np.diag(fitted.covariance) / np.diag(matrix))
    assert 1.0 < ratio.max() < 1.2
    np.testing.assert_allclose(fitted.deviation.std(axis=0), np.sqrt(np.diag(fitted.covariance)), rtol=0.06)
