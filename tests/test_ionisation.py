"""Energy loss of tracks by ionisation, and what the fit makes of it under right and wrong hypotheses."""

import math

import numpy as np
import pytest
from besfast.constants import ALPHA_T, HYPOTHESES, HYPOTHESIS_MASSES, M_E
from besfast.detector import ionisation as loss
from besfast.detector import material
from besfast.event import D_RHO, KAPPA, PHI0, TAN_LAMBDA
from besfast.geometry import helix
from besfast.reco.energy_loss import change_hypothesis
from besfast.sim.simulate import simulate
from scipy import integrate

from .gun import PLAIN, card_with, gun

CARD = card_with(
    mdc={"tail_fraction": 0.0},
    beam={"spot": (0.0, 0.0, 0.0), "half_crossing_angle": 0.0},
    trigger={"efficiency": 1.0},
    matter={"decays": False},
)
LOSS = loss.ionisation_loss(CARD)
# half the gas and everything in front: (g/cm^2, density, Z/A, excitation energy)
PARTS = [part for _, parts in loss._parts(CARD) for part in parts]


def stopping(kinetic, mass, parts=PARTS):
    """Sum of Bethe's losses [GeV] over the materials, each with the density effect that `mixture` gives it alone."""
    bg = np.array([math.sqrt(kinetic * (kinetic + 2 * mass)) / mass])
    return sum(float(material.stopping_power(bg, mass, loss.mixture([part]))[0]) for part in parts)


def test_matter_of_besiii():
    """0.62 g/cm^2, 1.1 MeV for a minimum ionising muon at 90 degrees."""
    assert math.isclose(sum(part[0] for part in PARTS), 0.622, abs_tol=0.001)
    assert math.isclose(1e3 * stopping(0.3, HYPOTHESIS_MASSES[1]), 1.075, rel_tol=0.005)


def test_mixture_is_the_sum_of_its_parts():
    """Bragg's rule is exact below the density effect, and 1.2 % too much at the minimum."""
    for kinetic, tolerance in ((0.03, 2e-3), (0.3, 0.015), (5.0, 0.02)):
        bg = np.array([math.sqrt(kinetic * (kinetic + 2 * 0.1057)) / 0.1057])
        together = float(material.stopping_power(bg, 0.1057, loss.mixture(PARTS))[0])
        assert math.isclose(together, stopping(kinetic, 0.1057), rel_tol=tolerance)


@pytest.mark.parametrize("species", range(5))
def test_mean_loss_is_that_of_the_stopping_power(species):
    mass, stuff = HYPOTHESIS_MASSES[species], loss.mixture(PARTS)
    for p in (0.06, 0.15, 0.3, 1.0, 3.0):
        kinetic = math.sqrt(p * p + mass * mass) - mass
        expected = float(material.stopping_power(np.array([p / mass]), mass, stuff)[0])
        relative, n = loss.mean_loss(p, mass, LOSS.constants)
        assert math.isclose(relative * kinetic, expected, rel_tol=1e-6)
        up, down = (math.sqrt((kinetic * f + mass) ** 2 - mass * mass) for f in (1.001, 0.999))
        low, high = (float(material.stopping_power(np.array([q / mass]), mass, stuff)[0]) for q in (down, up))
        assert math.isclose(-math.log(high / low) / math.log(1.001 / 0.999), n, abs_tol=2e-4)


@pytest.mark.parametrize(
    ("species", "p"), [(0, 0.1), (1, 0.1), (1, 1.8), (2, 0.15), (2, 0.5), (3, 0.2), (3, 0.5), (4, 0.3), (4, 1.0)]
)
def test_slowing_down(species, p):
    """Against dT/dx = -S(T) integrated over the path; the way back undoes it."""
    mass = HYPOTHESIS_MASSES[species]
    kinetic = math.sqrt(p * p + mass * mass) - mass
    stuff = loss.mixture(PARTS)

    def slope(_, y):
        return [-float(material.stopping_power(np.sqrt(y * (y + 2 * mass)) / mass, mass, stuff)[0])]

    for path in (1.0, 1.4):
        left = integrate.solve_ivp(slope, (0, path), [kinetic], rtol=1e-9).y[0, -1]
        found = loss.kinetic_behind(p, mass, path, LOSS.constants)
        assert math.isclose(kinetic - found, kinetic - left, rel_tol=1e-3)
        behind = math.sqrt(found * (found + 2 * mass))
        assert math.isclose(loss.kinetic_behind(behind, mass, -path, LOSS.constants), kinetic, rel_tol=1e-4)


def test_what_stops_is_not_found():
    assert loss.kinetic_behind(0.1, HYPOTHESIS_MASSES[4], 1.0, LOSS.constants) < 2e-4
    assert simulate(gun([2212] * 500, 0.2, 0.1, 0.3), CARD, seed=1).track_offsets[-1] == 0


def test_fluctuations():
    """Mean zero; Landau's width for fast particles, the second moment for slow heavy ones."""
    g = np.random.default_rng(5).standard_normal(200_000)
    fast = np.array([loss.fluctuation(1.0, 0.1057, LOSS.constants.strength, one) for one in g[:40_000]])
    xi = LOSS.constants.strength * (1 + 0.1057**2)
    assert abs(fast.mean()) < 4 * fast.std() / 200
    # Moyal: quantiles 0.25 and 0.75 of -ln g^2 from those of chi2 with one degree of freedom
    assert math.isclose(np.diff(np.quantile(fast, (0.25, 0.75)))[0], xi * math.log(1.32330 / 0.10153), rel_tol=0.03)
    mass, p = 0.938272, 0.3
    slow = np.array([loss.fluctuation(p, mass, LOSS.constants.strength, one) for one in g[:40_000]])
    beta2 = p**2 / (p**2 + mass**2)
    gamma = math.sqrt(1 / (1 - beta2))
    t_max = 2 * M_E * (p / mass) ** 2 / (1 + 2 * gamma * M_E / mass + (M_E / mass) ** 2)
    sigma = math.sqrt(LOSS.constants.strength / beta2 * t_max * (1 - beta2 / 2))
    assert math.isclose(slow.std(), sigma, rel_tol=0.05)


def test_helix_of_another_curvature_through_the_same_point():
    """Against the exact construction at the mean radius of the matter."""
    momentum, radius = (0.3, 0.1, 0.05), LOSS.constants.radius
    before = helix.helix_at_origin(0.0, 0.0, 0.0, *momentum, 1.0, CARD.field.bz)
    turn = helix.turn_to_radius(before[D_RHO], before[KAPPA], radius, CARD.field.bz)
    point = helix.position(*before, turn, CARD.field.bz)
    there = 0.8 * np.array(helix.momentum(before[PHI0] + turn, before[KAPPA], before[TAN_LAMBDA]))
    exact = helix.helix_at_origin(*point, *there, 1.0, CARD.field.bz)
    found = loss.bent_anew(before[D_RHO], before[PHI0], before[KAPPA], exact[KAPPA], LOSS.constants)
    assert math.isclose(found[0], exact[D_RHO], rel_tol=0.02)
    assert math.isclose(found[1] - before[PHI0], exact[PHI0] - before[PHI0], rel_tol=0.02)


def test_share_of_the_matter():
    radii = np.array([0.1, 3.0, 3.37, 4.0, 6.5, 41.2, 77.0])
    share = np.empty(len(radii))
    loss.share_stage(radii, np.zeros(len(radii)), LOSS, CARD.mdc.layers[-1].radius, share)
    assert np.allclose(share[:2], 1.0)
    shell = sum(part[0] * part[2] for part in PARTS[4:]) / sum(part[0] * part[2] for part in PARTS)
    assert np.allclose(share[2:4], shell)
    gas = PARTS[-1][0] * PARTS[-1][2] / sum(part[0] * part[2] for part in PARTS)
    assert np.allclose(share[4:], gas * np.array([0.9941, 0.5002, 0.0]), atol=1e-4)


def momenta_of(pdg, p, hypothesis, n=20_000):
    """Return 1 / p - 1 / p_true over 1 / p_true of tracks under a hypothesis, and the true curvature's error."""
    phi = np.random.default_rng(6).uniform(-np.pi, np.pi, n)
    record = simulate(gun([pdg] * n, p, 0.2, phi), CARD, seed=7)
    fitted, _ = change_hypothesis(record.helix, record.covariance, CARD, hypothesis)
    return np.abs(fitted[:, KAPPA]) / np.sqrt(1 + fitted[:, TAN_LAMBDA] ** 2) * p - 1


@pytest.mark.parametrize(("pdg", "name", "p"), [(13, "mu", 0.3), (-211, "pi", 0.2), (321, "K", 0.3), (2212, "p", 0.5)])
def test_right_hypothesis_has_no_bias(pdg, name, p):
    deviation = momenta_of(pdg, p, name)
    assert abs(deviation.mean()) < 4 * deviation.std() / math.sqrt(len(deviation)) + 2e-4


def test_wrong_hypothesis():
    """A muon fitted as a pion gets the difference of the mean losses; 3e-4 at 0.3 GeV, a kaon 1.4 % too little."""
    for pdg, p, true in ((13, 0.3, 1), (321, 0.3, 3)):
        mass, slant = HYPOTHESIS_MASSES[true], 1 / math.sqrt(1 - 0.2**2)
        left = loss.kinetic_behind(p, mass, slant, LOSS.constants)
        behind = math.sqrt(left * (left + 2 * mass))
        pion = HYPOTHESIS_MASSES[2]
        corrected = loss.kinetic_behind(behind, pion, -slant, LOSS.constants)
        expected = p / math.sqrt(corrected * (corrected + 2 * pion)) - 1
        deviation = momenta_of(pdg, p, "pi")
        assert abs(deviation.mean() - expected) < 4 * deviation.std() / math.sqrt(len(deviation)) + 1e-4
        assert abs(expected - (-3.3e-4 if pdg == 13 else 1.46e-2)) < 3e-4


def test_change_of_hypothesis():
    record = simulate(gun([13] * 200, np.linspace(0.35, 1.5, 200), 0.3, 0.1), CARD, seed=8)
    track = record.helix, record.covariance
    for same in (change_hypothesis(*track, CARD, "pi"), change_hypothesis(*track, card_with("ideal"), "p")):
        assert all(np.array_equal(a, b) for a, b in zip(same, track))
    there = change_hypothesis(*track, CARD, "p")
    for a, b in zip(change_hypothesis(*there, CARD, "pi", "p"), track):
        assert np.allclose(a, b, rtol=1e-3, atol=1e-6)
    assert (np.abs(there[0][:, KAPPA]) < np.abs(record.helix[:, KAPPA])).all()
    with pytest.raises(ValueError, match="hypothesis = 'tau', allowed e, mu, pi, K, p"):
        change_hypothesis(*track, CARD, "tau")


@pytest.mark.parametrize(("pdg", "name", "p"), [(2212, "p", 0.32), (321, "K", 0.25), (13, "mu", 0.2)])
def test_pulls_of_the_momentum_under_the_right_hypothesis(pdg, name, p):
    """Of unit width: the correction changes the error of kappa as well (0.74 of it for the slow protons)."""
    n = 20_000
    card = card_with(
        mdc={"tail_fraction": 0.0},
        beam={"spot": (0.0, 0.0, 0.0), "half_crossing_angle": 0.0},
        matter={"decays": False, "straggling": False},
    )
    truth = gun([pdg] * n, p, 0.2, np.random.default_rng(9).uniform(-np.pi, np.pi, n))
    record = simulate(truth, card, seed=9)
    fitted, covariance = change_hypothesis(record.helix, record.covariance, card, name)
    pull = (fitted[:, KAPPA] - 1 / (p * math.sqrt(1 - 0.2**2)) * np.sign(truth.charge[0])) / np.sqrt(covariance[:, 5])
    assert abs(pull.std() - 1.0) < 0.02
    assert abs(pull.mean()) < 0.05


def test_switches():
    assert loss.ionisation_loss(card_with("ideal")) is None
    assert loss.ionisation_loss(card_with(matter={"ionisation": False})) is None
    assert loss.ionisation_loss(card_with(matter={"straggling": False})).constants.straggling == 0.0
    assert HYPOTHESES[2] == PLAIN.matter.track_hypothesis
    assert math.isclose(LOSS.constants.lever, LOSS.constants.radius / ALPHA_T)
