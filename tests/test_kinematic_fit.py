"""The one-constraint fit against a toy with its own kinematics, and an independent minimiser."""

import numpy as np
import pytest
from besfast.constants import M_E, M_MU
from besfast.geometry.beam import laboratory
from besfast.geometry.helix import momentum
from besfast.reco import kinematic_fit
from besfast.reco.kinematic_fit import CONVERGED, NOT_APPLICABLE, constraint_gradient, fit_missing_photon
from scipy import stats
from scipy.optimize import minimize

SQRT_S, ANGLE = 3.773, 0.011
LAB = laboratory(SQRT_S, 1.0, 1.0, ANGLE, 0.0)
PX, ENERGY = LAB.px, LAB.energy


def boost(energy, p, total, mass):
    beta, gamma = total[1:] / total[0], total[0] / mass
    along = (beta * p).sum(axis=0)
    return gamma * (energy + along), p + beta * (gamma**2 / (gamma + 1) * along + gamma * energy)


def toy(n, seed, lepton_mass):
    """Return true and smeared helices of l+ l- gamma events in the laboratory, made without the package's kernels."""
    rng = np.random.default_rng(seed)
    m = rng.uniform(1.5, 3.4, n)
    w = (SQRT_S**2 - m**2) / (2 * SQRT_S)
    theta, phi = np.abs(rng.normal(0, 0.02, n)), rng.uniform(0, 2 * np.pi, n)
    side = rng.choice([-1, 1], n)
    photon = w * np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), side * np.cos(theta)])
    total = np.concatenate([(SQRT_S - w)[None], -photon])
    c, f = rng.uniform(-0.7, 0.7, n), rng.uniform(0, 2 * np.pi, n)
    p = np.sqrt(m**2 / 4 - lepton_mass**2) * np.stack([np.sqrt(1 - c**2) * np.cos(f), np.sqrt(1 - c**2) * np.sin(f), c])
    helix = np.zeros((2 * n, 5), order="F")
    for track, sign in enumerate((1, -1)):
        energy, q = boost(m / 2, sign * p, total, m)
        qx = (ENERGY * q[0] + PX * energy) / SQRT_S
        pt = np.hypot(qx, q[1])
        helix[track::2, 1] = np.arctan2(-qx, q[1])
        helix[track::2, 2] = -sign / pt
        helix[track::2, 4] = q[2] / pt
    covariance = np.zeros((2 * n, 15), order="F")
    sigma_phi, sigma_tan, rho = 1.5e-3, 2.8e-3, -0.8
    sigma_kappa = 0.0048 * np.abs(helix[:, 2])
    g = rng.normal(size=(2 * n, 3))
    measured = helix.copy(order="F")
    measured[:, 1] += sigma_phi * g[:, 0]
    measured[:, 2] += sigma_kappa * (rho * g[:, 0] + np.sqrt(1 - rho**2) * g[:, 1])
    measured[:, 4] += sigma_tan * g[:, 2]
    covariance[:, 2] = sigma_phi**2
    covariance[:, 4] = rho * sigma_phi * sigma_kappa
    covariance[:, 5] = sigma_kappa**2
    covariance[:, 14] = sigma_tan**2
    return m, helix, measured, covariance


@pytest.mark.parametrize("lepton_mass", [M_E, M_MU])
def test_probability_is_flat_and_pulls_have_unit_width(lepton_mass):
    """10^5 events, seed 11: KS p > 0.01; pull widths within 2 %."""
    m, true, measured, covariance = toy(100_000, 11, lepton_mass)
    fit = fit_missing_photon(measured, covariance, np.arange(0, len(measured) + 1, 2), (lepton_mass,), LAB)
    assert np.all(fit["fit_status"] == CONVERGED)
    assert stats.kstest(fit["fit_chi2"][:, 0], stats.chi2(1).cdf).pvalue > 0.01
    # the shift of a measured quantity over its error sqrt(V - V_fit) is a normal deviate; the same one for all
    # quantities of an event, since there is one constraint: its square is chi2
    fitted = fit["fit_momentum"]
    kappa = np.sign(measured[::2, 2]) / np.hypot(fitted[:, 0], fitted[:, 1])
    residual = kappa - true[::2, 2]
    assert abs(residual.mean()) < 4 * residual.std() / np.sqrt(len(residual))
    improved = residual.std() / (measured[::2, 2] - true[::2, 2]).std()
    assert improved < 0.8
    assert abs(np.mean(fit["fit_mass"][:, 0] - m)) < 4e-4


def test_fit_agrees_with_a_constrained_minimiser():
    """The multiplier solution is the minimum of chi2 on the constraint surface, found by SLSQP."""
    _, _, measured, covariance = toy(6, 5, M_MU)
    fit = fit_missing_photon(measured, covariance, np.arange(0, 13, 2), (M_MU,), LAB)
    for event in range(6):
        y0 = measured[2 * event : 2 * event + 2][:, [1, 2, 4]].ravel()
        blocks = []
        for c in covariance[2 * event : 2 * event + 2]:
            blocks.append(np.array([[c[2], c[4], c[11]], [c[4], c[5], c[12]], [c[11], c[12], c[14]]]))
        inverse = np.zeros((6, 6))
        inverse[:3, :3], inverse[3:, 3:] = np.linalg.inv(blocks[0]), np.linalg.inv(blocks[1])
        scale = np.sqrt(np.concatenate([np.diag(b) for b in blocks]))

        def four_momentum(y):
            total = np.zeros(4)
            for phi0, kappa, tan_lambda in (y[:3], y[3:]):
                pt = 1 / abs(kappa)
                p = np.array([-pt * np.sin(phi0), pt * np.cos(phi0), pt * tan_lambda])
                total += np.concatenate([[np.sqrt(p @ p + M_MU**2)], p])
            return total

        def constraint(z, y0=y0, scale=scale):
            missing = np.array([ENERGY, PX, 0, 0]) - four_momentum(y0 + scale * z)
            return missing[0] ** 2 - missing[1:] @ missing[1:]

        def chi2(z, inverse=inverse, scale=scale):
            return (scale * z) @ inverse @ (scale * z)

        best = minimize(
            chi2, np.zeros(6), method="SLSQP", constraints={"type": "eq", "fun": constraint}, options={"ftol": 1e-14}
        )
        assert np.isclose(best.fun, fit["fit_chi2"][event, 0], rtol=2e-3, atol=1e-6)


def test_gradient_agrees_with_differences():
    rng = np.random.default_rng(2)
    for _ in range(20):
        y = np.array([rng.uniform(-3, 3), rng.choice([-1, 1]) * rng.uniform(0.6, 2.0), rng.uniform(-1, 1)])
        other = np.array([0.3, -0.2, 0.4])

        def f(y, other=other):
            p = np.array(momentum(*y))
            missing = np.array([PX, 0, 0]) - p - other
            energy = ENERGY - np.sqrt(p @ p + M_MU**2) - 0.7
            return energy**2 - missing @ missing, p, missing, energy

        _, p, missing, energy = f(y)
        exact = constraint_gradient(*p, np.sqrt(p @ p + M_MU**2), y[1], *missing, energy)
        for k in range(3):
            h = 1e-6
            step = np.eye(3)[k] * h
            assert np.isclose(exact[k], (f(y + step)[0] - f(y - step)[0]) / (2 * h), rtol=1e-5, atol=1e-7)


def test_more_steps_change_nothing(monkeypatch):
    """Where the fit stops: masses are within 2e-7 GeV, chi2 within 1e-6 of the end."""
    _, _, measured, covariance = toy(20_000, 12, M_MU)
    columns = measured, covariance, np.arange(0, len(measured) + 1, 2), (M_E, M_MU), LAB
    fit = fit_missing_photon(*columns)
    monkeypatch.setattr(kinematic_fit, "STEPS", (100,))
    end = fit_missing_photon(*columns)
    assert np.abs(fit["fit_mass"] - end["fit_mass"]).max() < 2e-7
    assert np.abs(fit["fit_chi2"] - end["fit_chi2"]).max() < 1e-6


def test_events_without_two_tracks_are_marked():
    _, _, measured, covariance = toy(3, 8, M_MU)
    fit = fit_missing_photon(measured, covariance, np.array([0, 2, 2, 3, 6]), (M_E, M_MU), LAB)
    assert fit["fit_status"][:, 0].tolist() == [CONVERGED, NOT_APPLICABLE, NOT_APPLICABLE, NOT_APPLICABLE]
    assert np.isnan(fit["fit_mass"][1:]).all()


def test_result_does_not_depend_on_the_block():
    _, _, measured, covariance = toy(3000, 9, M_MU)
    whole = fit_missing_photon(measured, covariance, np.arange(0, 6001, 2), (M_E, M_MU), LAB)
    part = fit_missing_photon(measured[1400:4000], covariance[1400:4000], np.arange(0, 2601, 2), (M_E, M_MU), LAB)
    for name, values in part.items():
        assert np.array_equal(whole[name][700:2000], values)
