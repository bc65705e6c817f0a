"""The general kinematic fit: pulls, probabilities, gradients, invariances, and an independent minimiser."""

import numpy as np
import pytest
from besfast.constants import M_MU, M_PI, M_PI0
from besfast.reco.fits import FourMomentum, KinematicFit, Mass, Missing, Momenta, Photon, RecoilMass, Track, Vertex
from besfast.reco.fits.iterate import CONVERGED, NOT_CONVERGED, SINGULAR, fit_stage
from besfast.reco.fits.layout import layout
from besfast.reco.fits.linear import factorise, solve
from besfast.reco.fits.probability import chi2_probability
from besfast.reco.fits.rows import constraint_rows
from besfast.reco.kinematic_fit import fit_missing_photon
from scipy import stats
from scipy.optimize import minimize

from .fit_toys import P0, helix_of, measured, smeared_track, vees

FOUR = FourMomentum(P0)
#: name -> (particles of the measured four, constraints, degrees of freedom)
TOPOLOGIES = {
    "4C": (lambda p: p, [FOUR], 4),
    "5C": (lambda p: p, [FOUR, Mass((2, 3), M_PI0)], 5),
    "1C missing photon": (lambda p: [*p[:3], Missing()], [FOUR], 1),
    "1C missing pion": (lambda p: [p[0], p[2], p[3], Missing(M_PI)], [FOUR], 1),
    "2C missing photon": (lambda p: [*p[:3], Missing()], [FOUR, Mass((2, 3), M_PI0)], 2),
    "1C recoil": (lambda p: p[:3], [RecoilMass(P0)], 1),
    "3C energy unmeasured": (
        lambda p: [*p[:3], Photon(p[3].energy, p[3].theta, p[3].phi, None, p[3].sigma_theta, p[3].sigma_phi)],
        [FOUR],
        3,
    ),
    "1C mass": (lambda p: p[2:], [Mass((0, 1), M_PI0)], 1),
}


def check_pulls(result, n_sigma=4.0):
    """Pulls of width one within 2 %, or within four statistical errors of a small sample; means within four errors."""
    for k, pull in enumerate(result.pulls.T):
        pull = pull[result.converged & np.isfinite(pull)]
        if len(pull) == 0:
            continue
        error = 1 / np.sqrt(2 * len(pull))
        assert abs(pull.std() - 1) < max(0.02, n_sigma * error), (k, pull.std())


def check_fit(name, n, seed):
    chosen, constraints, ndof = TOPOLOGIES[name]
    truth, particles = measured(n, seed)
    result = KinematicFit(chosen(particles), constraints).fit()
    assert result.ndof == ndof
    assert result.converged.mean() > 0.9995
    assert np.all(result.residual[result.converged] < 1e-9)
    check_pulls(result)
    p = stats.kstest(result.probability[result.converged], "uniform").pvalue
    assert p > 0.01, p
    return truth, particles, result


@pytest.mark.parametrize("name", ["4C", "5C", "1C missing photon", "3C energy unmeasured"])
def test_pulls_have_unit_width_and_probability_is_flat(name):
    """10^4 events before cuts, seed 3: KS p > 0.01."""
    check_fit(name, 14_000, 3)


@pytest.mark.long
@pytest.mark.parametrize("name", TOPOLOGIES)
def test_pulls_of_many_events(name):
    """More than 10^5 events, seed 5: pulls of unit width within 2 %, KS p > 0.01, energies unbiased."""
    truth, _, result = check_fit(name, 145_000, 5)
    assert len(result.chi2) > 100_000
    if name not in ("1C mass", "1C missing pion"):
        for k in range(2):
            difference = (result.momentum[:, k, 3] - truth[k][:, 3])[result.converged]
            assert abs(np.median(difference)) < 5 * 1.2533 * difference.std() / np.sqrt(len(difference))


def test_fitted_quantities_are_better_and_their_errors_right():
    """Fitted less true over the fitted error is a normal deviate, for every momentum component (seed 7)."""
    truth, particles = measured(14_000, 7)
    result = KinematicFit(particles, [FOUR, Mass((2, 3), M_PI0)]).fit()
    for i, vector in enumerate(truth):
        for k in range(3):
            pull = (result.momentum[:, i, k] - vector[:, k]) / np.sqrt(result.covariance[:, 3 * i + k, 3 * i + k])
            assert abs(np.std(pull[np.abs(pull) < 5]) - 1) < 0.03
    raw = particles[2].energy - truth[2][:, 3]
    assert np.std(result.momentum[:, 2, 3] - truth[2][:, 3]) < 0.8 * raw.std()
    assert np.allclose(result.total(), P0, atol=1e-9)
    assert np.allclose(result.mass((2, 3)), M_PI0, atol=1e-8)


def test_missing_particle_is_what_the_others_leave():
    truth, particles = measured(3000, 8)
    result = KinematicFit([*particles[:3], Missing()], [FOUR]).fit()
    pull = (result.momentum[:, 3, 0] - truth[3][:, 0]) / np.sqrt(result.covariance[:, 9, 9])
    assert abs(pull.std() - 1) < 0.06
    assert np.allclose(result.momentum[:, 3, 3], np.linalg.norm(result.momentum[:, 3, :3], axis=1))
    # four equations less three unknowns are the one equation of the recoil
    recoil = KinematicFit(particles[:3], [RecoilMass(P0)]).fit()
    assert np.allclose(recoil.chi2, result.chi2, rtol=1e-6, atol=1e-7)
    assert np.allclose(recoil.momentum, result.momentum[:, :3], atol=1e-6)
    sigma = np.sqrt(np.einsum("nii->ni", recoil.covariance))
    difference = (recoil.covariance - result.covariance[:, :9, :9]) / sigma[:, :, None] / sigma[:, None, :]
    assert np.abs(difference).max() < 1e-4


def test_agrees_with_the_fast_fit_of_two_tracks():
    """The fit of the search, written out for two tracks and a missing photon, gives the same to 1e-6."""
    rng = np.random.default_rng(9)
    truth, _ = measured(2000, 9)
    tracks = [smeared_track(rng, helix_of(v, q), M_MU) for v, q in zip(truth[:2], (1.0, -1.0))]
    n = len(truth[0])
    helix, covariance = np.empty((2 * n, 5), order="F"), np.empty((2 * n, 15), order="F")
    for k in range(2):
        helix[k::2], covariance[k::2] = tracks[k].helix, tracks[k].covariance
    from besfast.geometry.beam import laboratory

    lab = laboratory(3.773, 1.0, 1.0, 0.011, 0.0)
    fast = fit_missing_photon(helix, covariance, np.arange(0, 2 * n + 1, 2), (M_MU,), lab)
    general = KinematicFit([*tracks, Missing()], [FourMomentum((lab.px, 0.0, lab.pz, lab.energy))]).fit()
    both = general.converged & (fast["fit_status"][:, 0] == 0) & (general.chi2 < 100)
    assert both.sum() > 500
    assert np.abs(fast["fit_chi2"][both, 0] / general.chi2[both] - 1).max() < 1e-6
    assert np.abs(fast["fit_mass"][both, 0] - general.mass((0, 1))[both]).max() < 1e-6
    assert np.abs(fast["fit_momentum"][both, :3] - general.momentum[both, 0, :3]).max() < 1e-6


def test_scaled_covariance_scales_chi2():
    _, one = measured(300, 10)
    _, four = measured(300, 10, scale=4.0)
    a, b = (KinematicFit(p, [FOUR]).fit() for p in (one, four))
    near = a.chi2 < 20
    assert np.allclose(b.chi2[near] * 4, a.chi2[near], rtol=1e-6)
    assert np.allclose(b.momentum[near], a.momentum[near], atol=1e-7)


def test_fitting_again_changes_nothing():
    """The fitted values meet the constraints: as measurements they have chi2 zero."""
    _, particles = measured(300, 11)
    first = KinematicFit(particles, [FOUR]).fit()
    again = KinematicFit(
        [Momenta(first.momentum[:, :, :3], np.tile(1e-4 * np.eye(12), (len(first.chi2), 1, 1)), first.masses)], [FOUR]
    ).fit()
    assert np.all(again.chi2 < 1e-12)
    assert np.allclose(again.momentum, first.momentum, atol=1e-9)


def test_constraints_one_after_the_other():
    """A fit passed on with all its correlations, then constrained again, is the fit with both constraints."""
    _, particles = measured(400, 12)
    both = KinematicFit(particles, [FOUR, Mass((2, 3), M_PI0)]).fit()
    first = KinematicFit(particles, [Mass((2, 3), M_PI0)]).fit()
    second = KinematicFit(
        [first.measured((0, 1, 2, 3))],
        [
            FourMomentum(P0),
        ],
    ).fit()
    near = both.converged & (both.chi2 < 20)
    # the first step leaves two photons with five measured numbers in six: equal to first order in the errors
    assert np.median(np.abs(first.chi2 + second.chi2 - both.chi2)[near]) < 0.1


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_chi2_is_the_minimum_on_the_constraints(name):
    """SLSQP minimises chi2 under the same constraints, written down again with numpy, from the measured values."""
    chosen, constraints, _ = TOPOLOGIES[name]
    _, particles = measured(40, 13)
    particles = chosen(particles)
    result = KinematicFit(particles, constraints).fit()
    masses = result.masses

    def vectors(y, event):
        found, place = [], 0
        for k, particle in enumerate(particles):
            if isinstance(particle, Track):
                phi, kappa, tan = particle.direction[0][event] + y[place : place + 3]
                p = np.array([-np.sin(phi), np.cos(phi), tan]) / abs(kappa)
            elif isinstance(particle, Photon):
                centre = np.array([particle.energy[event], particle.theta[event], particle.phi[event]])
                energy, theta, phi = centre + y[place : place + 3]
                p = energy * np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
            else:
                p = y[place : place + 3] + result.momentum[event, k, :3].round(1)
            place += 3
            found.append([*p, np.sqrt(p @ p + masses[k] ** 2)])
        return np.array(found)

    for event in range(3):
        inverse, scale = np.zeros((3 * len(particles),) * 2), np.full(3 * len(particles), 0.1)
        for k, particle in enumerate(particles):
            block = slice(3 * k, 3 * k + 3)
            if isinstance(particle, Track):
                inverse[block, block] = np.linalg.inv(particle.direction[1][event])
            elif isinstance(particle, Photon):
                sigma_energy = np.inf if particle.sigma_energy is None else particle.sigma_energy[event]
                sigmas = np.array([sigma_energy, particle.sigma_theta[event], particle.sigma_phi[event]])
                inverse[block, block] = np.diag(1 / sigmas**2)
            diagonal = np.diag(inverse)[block]
            scale[block] = np.where(diagonal > 0, 1 / np.sqrt(np.maximum(diagonal, 1e-12)), 0.1)

        def equations(z, event=event, scale=scale):
            found, values = vectors(scale * z, event), []
            for constraint in constraints:
                if isinstance(constraint, FourMomentum):
                    values += list(found.sum(axis=0) - P0)
                else:
                    members = list(range(len(found))) if constraint.particles is None else list(constraint.particles)
                    q = found[members].sum(axis=0)
                    q = P0 - q if isinstance(constraint, RecoilMass) else q
                    values.append(q[3] ** 2 - q[:3] @ q[:3] - constraint.mass**2)
            return np.array(values)

        best = minimize(
            lambda z, inverse=inverse, scale=scale: (scale * z) @ inverse @ (scale * z),
            np.zeros(len(scale)),
            method="SLSQP",
            constraints={"type": "eq", "fun": equations},
            options={"ftol": 1e-13, "maxiter": 500},
        )
        assert np.isclose(best.fun, result.chi2[event], rtol=2e-3, atol=1e-4), (best.message, best.fun)


def test_gradients_agree_with_differences():
    """Every constraint, every kind of particle: central differences of f give D to 1e-6."""
    _, particles = measured(60, 14)
    _, _, _, _, tracks = vees(len(particles[0].helix) + 40, 15, 0.4976, M_PI, M_PI)
    n = min(len(particles[0].helix), len(tracks[0].helix))
    cut = [type(p)(*(v[:n] if isinstance(v, np.ndarray) else v for v in vars(p).values())) for p in particles + tracks]
    constraints = [
        FOUR,
        Mass((2, 3), M_PI0),
        Mass((0, 4, 6), 0.9),
        RecoilMass(P0, 0.1, (1, 2, 5)),
        Vertex((4, 5), origin=np.zeros(3), origin_covariance=np.eye(3)),
    ]
    tables, values, _, _ = layout([*cut, Missing(0.3)], constraints, 1.0)
    n_constraints, n_particles = len(tables.constraint), len(tables.kind)
    rng = np.random.default_rng(16)

    def at(a):
        p, j = np.zeros((n_particles, 4)), np.zeros((n_particles, 4, 6))
        x, jx = np.zeros((n_particles, 3)), np.zeros((n_particles, 3, 6))
        f, d = np.zeros(n_constraints), np.zeros((n_constraints, tables.n_parameters))
        constraint_rows(tables, a, p, j, x, jx, f, d)
        return f, d

    for a in values[:10]:
        a = np.where(np.isnan(a), rng.uniform(0.1, 0.5, a.size), a)
        _, d = at(a)
        for k in range(a.size):
            h = 1e-6 * max(1.0, abs(a[k]))
            up, down = a.copy(), a.copy()
            up[k] += h
            down[k] -= h
            slope = (at(up)[0] - at(down)[0]) / (2 * h)
            assert np.allclose(d[:, k], slope, rtol=1e-6, atol=1e-6 * max(1.0, np.abs(slope).max()))


def test_bad_events_are_flagged_and_counted():
    _, particles = measured(60, 17)
    helix, covariance = particles[0].helix.copy(), particles[0].covariance.copy()
    helix[0, 2] = np.nan
    covariance[1, 5] = np.inf
    helix[2, 2] = 1e3  # a track of 1 MeV: nothing conserves energy
    bad = [Track(helix, covariance, M_PI), *particles[1:]]
    result = KinematicFit(bad, [FOUR]).fit()
    assert result.status[0] == result.status[1] == SINGULAR
    for values in (result.chi2, result.probability, result.covariance):
        assert np.isnan(values[0]).all()
    assert result.status[2] != CONVERGED or result.probability[2] < 1e-6
    assert (result.status[3:] == CONVERGED).all()
    assert result.counts()["singular"] == 2
    repeated = KinematicFit(particles, [Mass((2, 3), M_PI0), Mass((3, 2), M_PI0)]).fit()
    assert (repeated.status == SINGULAR).all()
    assert (KinematicFit(particles, [FOUR]).fit(max_iterations=1).status == NOT_CONVERGED).all()


def test_result_does_not_depend_on_the_other_events():
    _, particles = measured(300, 18)
    whole = KinematicFit(particles, [FOUR]).fit()
    part = KinematicFit(
        [type(p)(*(v[50:60] if isinstance(v, np.ndarray) else v for v in vars(p).values())) for p in particles], [FOUR]
    ).fit()
    for name in ("chi2", "momentum", "covariance", "pulls", "iterations"):
        assert np.array_equal(getattr(whole, name)[50:60], getattr(part, name), equal_nan=True)


def test_plain_python_gives_the_same_bits():
    _, particles = measured(60, 22)
    tables, values, packed, flights = layout([*particles[:3], Missing()], [FOUR, Mass((2, 3), M_PI0)], 1.0)
    n, results = 5, []
    for run in (fit_stage, getattr(fit_stage, "py_func", fit_stage)):
        a, pulls, momentum = values[:n].copy(), np.empty((n, values.shape[1])), np.empty((n, 4, 4))
        covariance, summary, status = np.empty((n, 12, 12)), np.empty((n, 3)), np.empty(n, dtype=np.int32)
        run(tables, n, flights, packed[:n], 50, values[:n], a, pulls, momentum, covariance, summary, status)
        results.append((a, pulls, momentum, covariance, summary, status))
    assert all(np.array_equal(*pair, equal_nan=True) for pair in zip(*results))


def test_example_of_the_documentation():
    """Two tracks and two photons, energy and momentum conserved, the photons from a pi0."""
    _, (plus, minus, photon_1, photon_2) = measured(100, 19)
    fit = KinematicFit([plus, minus, photon_1, photon_2], [FourMomentum(P0), Mass((2, 3), M_PI0)]).fit()
    assert fit.ndof == 5
    assert fit.counts()["converged"] == len(fit.chi2)
    assert fit.mass((0, 1)).shape == fit.chi2.shape


def test_wrong_input_is_refused():
    _, particles = measured(60, 20)
    with pytest.raises(ValueError, match=r"helix has shape \(5,\)"):
        Track(particles[0].helix[0], particles[0].covariance, M_PI)
    with pytest.raises(ValueError, match="3 equations for 3 unknowns"):
        KinematicFit([*particles[:3], Missing()], [FourMomentum(P0, ("px", "py", "pz"))])
    with pytest.raises(ValueError, match="different positions in the list of 4"):
        KinematicFit(particles, [Mass((2, 4), M_PI0)])
    with pytest.raises(ValueError, match="must be a Track for a vertex"):
        KinematicFit(particles, [FOUR, Vertex((0, 2))])
    with pytest.raises(ValueError, match="one vertex only"):
        KinematicFit(particles, [Vertex((0, 1)), Vertex((1, 0))])
    with pytest.raises(ValueError, match="components"):
        FourMomentum(P0, ("px", "e"))
    with pytest.raises(ValueError, match="four finite numbers"):
        FourMomentum((1.0, 2.0))
    with pytest.raises(ValueError, match="mass = -1"):
        Mass((0, 1), -1)
    with pytest.raises(ValueError, match="given together"):
        Vertex((0, 1), spot=np.zeros(3))
    shorter = Track(particles[0].helix[:3], particles[0].covariance[:3], M_PI)
    with pytest.raises(ValueError, match="same number for all"):
        KinematicFit([shorter, *particles[1:]], [FOUR])


def test_linear_equations():
    rng = np.random.default_rng(21)
    for n in (1, 3, 8):
        a, x = rng.normal(size=(n, n)), rng.normal(size=n)
        factors, order, b = a.copy(), np.zeros(n, dtype=np.int64), a @ x
        assert factorise(factors, n, order) > 0
        solve(factors, n, order, b)
        assert np.allclose(b, x, rtol=1e-9)
    singular = np.ones((2, 2))
    assert factorise(singular, 2, np.zeros(2, dtype=np.int64)) == 0


def test_probability_of_chi2():
    for degrees in range(1, 12):
        for chi2 in (0.0, 0.3, 2.0, 15.0, 80.0):
            assert np.isclose(chi2_probability(chi2, degrees), stats.chi2(degrees).sf(chi2), rtol=3e-7, atol=0)
    assert chi2_probability(3.0, 0) == 1.0
