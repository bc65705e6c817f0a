"""Vertex fits, prompt and displaced, with beam spot and with flight, on toys that know their point of origin."""

import numpy as np
import pytest
from besfast.constants import M_K0, M_LAMBDA, M_P, M_PI
from besfast.reco.fits import FourMomentum, KinematicFit, Momenta, Track, Vertex
from scipy import stats
from scipy.optimize import minimize

from .fit_toys import P0, helix_of, pi_pi_gamma_gamma, smeared_track, vees

SPOT, SPOT_SIGMA = np.array([0.05, -0.02, 0.3]), np.array([0.03, 0.001, 1.0])
SPOT_COVARIANCE = np.diag(SPOT_SIGMA**2)


def prompt(n, seed, n_tracks=3):
    """Return true vertices, momenta and tracks from the luminous region."""
    rng = np.random.default_rng(seed)
    vectors, _ = pi_pi_gamma_gamma(n, seed)
    n = len(vectors[0])
    vertex = SPOT + SPOT_SIGMA * rng.normal(size=(n, 3))
    vectors = [*vectors[:2], np.column_stack([-vectors[0][:, :3], vectors[0][:, 3]])][:n_tracks]
    charges = (1.0, -1.0, 1.0)
    tracks = [smeared_track(rng, helix_of(v, q, vertex), M_PI) for v, q in zip(vectors, charges)]
    return vertex, vectors, tracks


def check(result, vertex, momenta, tolerance=0.02):
    """Vertex and momenta are off by their errors, the probability is flat, constraints are met.

    One Lambda in a thousand, with daughters almost parallel in the transverse plane, does not converge.
    """
    good = result.converged
    assert good.mean() > 0.998
    assert np.all(result.residual[good] < 1e-9)
    p = stats.kstest(result.probability[good], "uniform").pvalue
    assert p > 0.01, p
    width = max(tolerance, 4 / np.sqrt(2 * good.sum()))
    offset = 3 * len(momenta)
    for k in range(3):
        pull = (result.vertex[:, 0, k] - vertex[:, k]) / np.sqrt(result.covariance[:, offset + k, offset + k])
        assert abs(pull[good & (np.abs(pull) < 6)].std() - 1) < width, k
        for i, vector in enumerate(momenta):
            row = 3 * i + k
            pull = (result.momentum[:, i, k] - vector[:, k]) / np.sqrt(result.covariance[:, row, row])
            assert abs(pull[good & (np.abs(pull) < 6)].std() - 1) < width, (i, k)
    for pull in result.pulls.T:
        pull = pull[good & np.isfinite(pull)]
        assert len(pull) == 0 or abs(pull.std() - 1) < width


@pytest.mark.parametrize(("n_tracks", "spot", "ndof"), [(2, False, 1), (3, False, 3), (3, True, 6), (1, True, 2)])
def test_prompt_vertex(n_tracks, spot, ndof):
    """2 N - 3 degrees of freedom, three more with the beam spot; seed 31, KS p > 0.01."""
    vertex, vectors, tracks = prompt(8000, 31, n_tracks)
    beam = {"spot": SPOT, "spot_covariance": SPOT_COVARIANCE} if spot else {}
    result = KinematicFit(tracks, [Vertex(tuple(range(n_tracks)), **beam)]).fit()
    assert result.ndof == ndof
    check(result, vertex, vectors)


def displaced(n, seed, kind):
    if kind == "K_S":
        return vees(n, seed, M_K0, M_PI, M_PI)
    return vees(n, seed, M_LAMBDA, M_P, M_PI)


@pytest.mark.parametrize("kind", ["K_S", "Lambda"])
def test_displaced_vertex(kind):
    """Decays 0.5 to 15 cm away, seed 32: the mass comes out, which needs the momenta at the vertex."""
    vertex, _, daughters, _, tracks = displaced(8000, 32, kind)
    result = KinematicFit(tracks, [Vertex((0, 1))]).fit()
    check(result, vertex, daughters, 0.03)
    mass = M_K0 if kind == "K_S" else M_LAMBDA
    difference = (result.mass() - mass)[result.converged]
    assert abs(np.median(difference)) < 5 * 1.2533 * difference.std() / np.sqrt(len(difference))


def test_length_of_flight():
    """The line of flight from a known point: two more degrees of freedom, and L within its error (seed 33)."""
    _, _, _, flight, tracks = displaced(8000, 33, "K_S")
    rng = np.random.default_rng(34)
    sigma = np.array([0.03, 0.001, 0.1])
    origin = sigma * rng.normal(size=(len(flight), 3))
    result = KinematicFit(tracks, [Vertex((0, 1), origin=origin, origin_covariance=np.diag(sigma**2))]).fit()
    assert result.ndof == 3
    good = result.converged
    assert good.mean() > 0.999
    assert stats.kstest(result.probability[good], "uniform").pvalue > 0.01
    pull = ((result.flight_length[:, 0] - flight) / result.flight_sigma[:, 0])[good]
    assert abs(pull.std() - 1) < 0.04
    assert abs(pull.mean()) < 0.05


@pytest.mark.long
@pytest.mark.parametrize("kind", ["K_S", "Lambda"])
def test_displaced_vertex_of_many_events(kind):
    """More than 10^5 events, seed 35: pulls within 2 %, KS p > 0.01."""
    vertex, _, daughters, _, tracks = displaced(145_000, 35, kind)
    assert len(vertex) > 100_000
    check(KinematicFit(tracks, [Vertex((0, 1))]).fit(), vertex, daughters)


def test_vertex_is_the_minimum():
    """The chi2 of two tracks is that of an unconstrained minimiser over vertex and momenta at the vertex."""
    _, _, daughters, _, tracks = displaced(60, 36, "K_S")
    result = KinematicFit(tracks, [Vertex((0, 1))]).fit()
    rows = np.tril_indices(5)
    for event in range(4):
        inverse = []
        for track in tracks:
            matrix = np.zeros((5, 5))
            matrix[rows] = track.covariance[event]
            matrix = matrix + np.tril(matrix, -1).T
            inverse.append(np.linalg.inv(matrix))

        start = np.concatenate([result.vertex[event, 0], *(d[event, :3] for d in daughters)])

        def chi2(z, event=event, inverse=inverse, start=start):
            total = 0.0
            point = start[:3] + z[:3] * 0.02
            for k, sign in enumerate((1.0, -1.0)):
                momentum = start[3 + 3 * k : 6 + 3 * k] + 0.003 * z[3 + 3 * k : 6 + 3 * k]
                vector = np.array([[*momentum, np.sqrt(momentum @ momentum + M_PI**2)]])
                shift = helix_of(vector, sign, point[None])[0] - tracks[k].helix[event]
                shift[1] = (shift[1] + np.pi) % (2 * np.pi) - np.pi
                total += shift @ inverse[k] @ shift
            return total

        best = minimize(chi2, np.zeros(9), method="BFGS", options={"gtol": 1e-7})
        assert np.isclose(best.fun, result.chi2[event], rtol=1e-4, atol=1e-5)
        assert np.allclose(start[:3] + 0.02 * best.x[:3], result.vertex[event, 0], atol=2e-3)


def test_four_momentum_with_the_particles_of_a_vertex():
    """A K_S recoiling against a measured particle: vertex and four-momentum in one fit, or one after the other."""
    rng = np.random.default_rng(37)
    _, mother, daughters, _, tracks = displaced(600, 38, "K_S")
    rest = P0 - mother
    rest_mass = 0.7
    p = rest[:, :3]
    total = np.column_stack([mother[:, :3] + p, mother[:, 3] + np.sqrt((p**2).sum(axis=1) + rest_mass**2)])
    sigma = 0.01
    other = Momenta(
        (p + sigma * rng.normal(size=p.shape))[:, None], np.tile(sigma**2 * np.eye(3), (len(p), 1, 1)), (rest_mass,)
    )
    axes = ("px", "py", "pz")
    assert np.allclose(total[:, :3], P0[:3])
    together = KinematicFit([*tracks, other], [Vertex((0, 1)), FourMomentum(P0, axes)]).fit()
    vertex = KinematicFit(tracks, [Vertex((0, 1))]).fit()
    after = KinematicFit([vertex.measured(), other], [FourMomentum(P0, axes)]).fit()
    assert (together.ndof, vertex.ndof, after.ndof) == (4, 1, 3)
    near = together.converged & (together.chi2 < 12)
    difference = (vertex.chi2 + after.chi2 - together.chi2)[near]
    assert np.median(np.abs(difference)) < 0.02
    pull = (together.momentum[:, 0, 0] - daughters[0][:, 0]) / np.sqrt(together.covariance[:, 0, 0])
    assert abs(pull[near].std() - 1) < 0.15


def test_parallel_and_distant_tracks_do_not_raise():
    """Tracks that never meet, twice the same track, a track with itself turned round: flagged or improbable."""
    _, _, _, _, tracks = displaced(60, 39, "K_S")
    helix = tracks[0].helix.copy()
    helix[:, 0] += 30.0
    results = [
        KinematicFit([tracks[0], Track(tracks[0].helix, tracks[0].covariance, M_PI)], [Vertex((0, 1))]).fit(),
        KinematicFit([Track(helix, tracks[0].covariance, M_PI), tracks[1]], [Vertex((0, 1))]).fit(),
    ]
    for result in results:
        assert sum(result.counts().values()) == len(helix)
        assert np.isfinite(result.chi2[result.converged]).all()
