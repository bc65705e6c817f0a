"""Leakage, ionisation, hadrons, shapes, background and identification of the calorimeter by independent numbers."""

import math

import numpy as np
import pytest
from besfast.constants import HYPOTHESIS_MASSES, M_MU, M_P, M_PI, MUON, PION
from besfast.detector import (
    crystal_ionisation,
    deposit,
    emc,
    emc_background,
    emc_identification,
    emc_quantiles,
    emc_response,
    emc_shape,
    leakage,
)
from besfast.geometry.card import load_card
from besfast.kernel import BLOCK
from besfast.rng import key
from scipy import integrate, special, stats

from .gun import card_with

BESIII = load_card("besiii")
EMC, MIP = emc.parameters(BESIII), crystal_ionisation.ionisation_parameters(BESIII)
TABLE = crystal_ionisation.vavilov_table()
N = 100_000
RNG = np.random.default_rng(81)
G, H = RNG.standard_normal((2, N))
U, V, W = RNG.random((3, N))


def constant(value, n=N):
    return np.full(n, float(value))


# --- leakage and line shape -----------------------------------------------------------------------------------------


def test_incomplete_gamma():
    a, x = np.meshgrid(np.linspace(1.05, 6.0, 25), np.linspace(0.01, 12.0, 30))
    assert np.allclose(leakage.gamma_cumulative(a, x), special.gammainc(a, x), atol=1e-12)
    assert np.allclose(leakage.log_gamma(a), special.gammaln(a), atol=1e-11)


@pytest.mark.parametrize(("energy", "start"), [(0.1, 0.0), (1.0, 0.0), (1.0, 3.0), (5.0, 6.0)])
def test_leakage_is_the_integral_of_the_profile(energy, start):
    """What is behind 28 cm of a profile t^(a-1) exp(-b t) whose maximum is at ln(E/E_c) - 0.5 - 2/7."""
    b = 0.5
    a = 1 + b * (math.log(energy / 0.0112) - 0.5 - 2 / 7)
    total = integrate.quad(lambda t: t ** (a - 1) * math.exp(-b * t), 0, 200)[0]
    inside = integrate.quad(lambda t: t ** (a - 1) * math.exp(-b * t), 0, 28 / 1.86 - start)[0]
    found = leakage.leaked(np.array(energy), np.array(start), BESIII.emc)
    assert found == pytest.approx(1 - inside / total, abs=1e-9)


def test_average_profile_of_photons_is_later_by_one_radiation_length():
    """With starts of mean 2/7 and 9/7 X0 the mean profile has its maximum at ln y -+ 0.5: the leak of both to 15 %."""
    for kind, constant_term in ((leakage.ELECTRON_SHOWER, -0.5), (leakage.PHOTON_SHOWER, 0.5)):
        starts = -leakage.START_DEPTH[kind] * np.log((np.arange(4000) + 0.5) / 4000)
        mean = leakage.leaked(np.full(4000, 1.0), starts, BESIII.emc).mean()
        a = 1 + 0.5 * (math.log(1 / 0.0112) + constant_term)
        assert mean == pytest.approx(special.gammaincc(a, 0.5 * 28 / 1.86), rel=0.15)


def measured(energy, cosine, kind, card=BESIII, n=N):
    out, scratch = np.empty(n), tuple(np.empty(n) for _ in range(3))
    constants = emc.parameters(card)
    columns = constant(energy, n), constant(cosine, n), U[:n], G[:n]
    emc_response.energy_stage(*columns, kind, leakage.leakage_table(card.emc), constants, scratch, out)
    return out


def peak(sample, low, high, bins=180):
    counts, edges = np.histogram(sample, bins=bins, range=(low, high))
    smooth = np.convolve(counts, np.ones(5) / 5, mode="same")
    centre = 0.5 * (edges[1:] + edges[:-1])
    above = centre[smooth > smooth.max() / 2]
    return centre[smooth > 0.95 * smooth.max()].mean(), (above[-1] - above[0] + edges[1] - edges[0]) / 2.3548


@pytest.mark.parametrize("kind", [leakage.ELECTRON_SHOWER, leakage.PHOTON_SHOWER])
@pytest.mark.parametrize(("energy", "cosine", "percent"), [(0.3, 0.3, 4.06), (1.0, 0.3, 2.49), (1.0, -0.89, 4.9)])
def test_line_shape_with_leakage_has_the_width_of_the_card(kind, energy, cosine, percent):
    """Mode at the energy within 0.5 %, full width at half maximum over 2.355 within 5 % of 2.5 % and 4.9 % at 1 GeV."""
    mode, width = peak(measured(energy, cosine, kind) / energy, 0.7, 1.25)
    assert mode == pytest.approx(1.0, abs=0.005)
    assert 100 * width / mode == pytest.approx(percent, rel=0.05)


def test_moments_without_leakage_are_those_of_the_novosibirsk_function():
    card = card_with(emc={"leakage": False}, emc__barrel={"front_thickness": 0.0})
    tau = card.emc.line_shape_tail
    s = math.asinh(tau * math.sqrt(math.log(4))) / math.sqrt(math.log(4))
    x = (measured(1.0, 0.3, leakage.PHOTON_SHOWER, card) - 1.0) / emc.energy_sigma(1.0, 0.3, EMC)
    # 1 - tau x is log-normal with mean exp(3 s^2 / 2)
    oracle = stats.lognorm(s, scale=math.exp(s * s))
    assert stats.kstest(1.0 - tau * x, oracle.cdf).pvalue > 1e-3
    assert x.mean() == pytest.approx((1 - oracle.mean()) / tau, abs=0.02)
    assert x.std() == pytest.approx(oracle.std() / tau, rel=0.02)


def test_leakage_makes_the_low_tail_grow_with_energy():
    low = [(measured(e, 0.3, leakage.PHOTON_SHOWER) < 0.85 * e).mean() for e in (0.5, 1.0, 3.0)]
    without = card_with(emc={"leakage": False})
    assert low[0] < low[1] < low[2]
    assert (measured(3.0, 0.3, leakage.PHOTON_SHOWER, without) < 0.85 * 3.0).mean() < 1e-3
    ideal = measured(1.0, 0.3, leakage.PHOTON_SHOWER, load_card("ideal"))
    assert (ideal == 1.0).all()


def test_photons_that_convert_in_front():
    """1 - exp(-7/9 t / sin theta) of them start early; on average half of twice the ionisation is lost."""
    for cosine in (0.0, 0.6):
        sine = math.sqrt(1 - cosine**2)
        starts = np.array([emc_response.start_of_shower(u, cosine, leakage.PHOTON_SHOWER, EMC) for u in U[:20_000]])
        early = starts[:, 0] < 0.0
        assert early.mean() == pytest.approx(1 - math.exp(-7 / 9 * 0.29 / sine), abs=0.01)
        assert starts[early, 1].mean() == pytest.approx(0.1 * 0.024 / sine, rel=0.1)
        assert not starts[~early, 1].any()
    electrons = [emc_response.start_of_shower(u, 0.3, leakage.ELECTRON_SHOWER, EMC)[0] for u in U[:100]]
    assert min(electrons) > 0.0


# --- ionisation -----------------------------------------------------------------------------------------------------


def deposits(p, mass=M_MU, path=1.0, card=BESIII, n=N):
    constants = crystal_ionisation.ionisation_parameters(card)
    loss, out = tuple(np.empty(n) for _ in range(4)), np.empty(n)
    g, h = np.random.default_rng(82).standard_normal((2, n))
    crystal_ionisation.ionisation_stage(constant(p, n), constant(mass, n), constant(path, n), constants, loss)
    crystal_ionisation.deposit_stage(constant(p, n), constant(mass, n), loss, g, h, TABLE, constants, out)
    return out


@pytest.mark.parametrize(("kappa", "beta2"), [(0.02, 0.99), (0.1, 0.99), (0.6, 0.93), (5.0, 0.5)])
def test_fluctuations_are_those_of_single_collisions(kappa, beta2):
    """Oracle: Poisson numbers of collisions with spectrum xi (1 - beta^2 T / T_max) / T^2 above a cut, normal below."""
    rng, n, largest = np.random.default_rng(83), 40_000, 1 / kappa
    cut = min(0.05, 0.02 * largest)
    # accepted with 1 - beta^2 T / T_max from 1 / T^2
    number = rng.poisson(1 / cut - kappa, n)
    total = number.sum()
    energy = 1 / (1 / cut - rng.random(total) * (1 / cut - kappa))
    energy = np.where(rng.random(total) < 1 - beta2 * energy * kappa, energy, 0.0)
    event = np.repeat(np.arange(n), number)
    loss = np.bincount(event, energy, minlength=n) + rng.standard_normal(n) * math.sqrt(cut)
    loss -= math.log(largest / cut) - beta2 * (1 - cut * kappa)  # the mean above the cut
    mean = -(1 - np.euler_gamma) - beta2 - math.log(kappa) + 0.22278298
    found = np.array([crystal_ionisation.fluctuation(kappa, beta2, g, TABLE) for g in G[:n]])
    found -= max(math.log(kappa) + 0.2 + beta2, 0.0)
    levels = np.array([0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
    width = np.diff(np.quantile(loss, [0.16, 0.84]))[0]
    assert np.allclose(np.quantile(found, levels), np.quantile(loss, levels) + mean, rtol=0.04, atol=0.04 * width)


def test_interpolation_of_the_quantiles():
    """At a node the table's own numbers; half way along beta^2 = 0.2 to 1 the mean."""
    first = TABLE[:162].reshape(2, 81)
    assert crystal_ionisation.along_deviates(TABLE, np.uint64(40), 0.0, 0.0) == first[0, 40]
    assert crystal_ionisation.along_deviates(TABLE, np.uint64(40), 0.0, 0.5) == pytest.approx(first[:, 40].mean())


def test_minimum_ionising_muons():
    """Most probable 167-173 MeV from 1 to 1.9 GeV; full width at half maximum 31-35 MeV."""
    for p, mode, width in ((1.0, 0.168, 0.031), (1.9, 0.1735, 0.035)):
        found, sigma = peak(deposits(p), 0.12, 0.26)
        assert found == pytest.approx(mode, abs=0.003)
        assert 2.3548 * sigma == pytest.approx(width, abs=0.002)


def test_muons_stop_below_300_mev():
    for p in (0.15, 0.25):
        kinetic = math.sqrt(p**2 + M_MU**2) - M_MU
        assert crystal_ionisation.ionisation(p, M_MU, 1.0, MIP)[0] == pytest.approx(kinetic, rel=1e-12)
    straight, inclined = (crystal_ionisation.ionisation(1.0, M_MU, path, MIP)[0] for path in (1.0, 1.2))
    assert inclined == pytest.approx(1.2 * straight, rel=0.01)


def test_bracket_turns_from_landau_to_bethe():
    """Largest transfer of a 1 GeV muon 84 MeV; a slow proton loses the mean, in a nearly normal distribution."""
    assert crystal_ionisation.largest_transfer(1 / M_MU**2, M_MU) == pytest.approx(0.0839, rel=0.01)
    out = deposits(1.0, M_P, 0.1)
    assert abs(stats.skew(out)) < 0.5
    assert crystal_ionisation.loss_bracket(0.3, M_P, 1e-5, MIP) < crystal_ionisation.loss_bracket(0.3, M_P, 1.0, MIP)


@pytest.mark.parametrize("p", [0.3, 0.4, 1.0])
def test_no_muon_has_the_energy_of_an_electron(p):
    """4e5 each: the tail ends where collisions can transfer no more, 15 MeV at 0.4 GeV."""
    assert (deposits(p, n=400_000) > 0.8 * p).mean() < 1e-5


@pytest.mark.long
@pytest.mark.parametrize("p", [0.3, 0.35, 0.4, 0.5, 1.0, 1.9])
def test_no_muon_in_four_million_has_the_energy_of_an_electron(p):
    assert (deposits(p, n=4_000_000) > 0.8 * p).mean() < 1e-6


# --- hadrons --------------------------------------------------------------------------------------------------------


def hadrons(p, kind, mass=M_PI, card=BESIII, path=1.0):
    out, shape, interacts = np.empty(N), np.empty(N, dtype=np.int64), np.empty(N)
    kinds, rules = deposit.hadron_kinds(card.emc.hadron), deposit.parameters(card)
    constants = crystal_ionisation.ionisation_parameters(card)
    paths, which = constant(path), np.full(N, kind)
    deposit.reach_stage(U, which, kinds.length, rules, paths, interacts)
    if kind >= deposit.KAON_LONG:
        paths[:] = 0.0
    loss = tuple(np.empty(N) for _ in range(4))
    crystal_ionisation.ionisation_stage(constant(p), constant(mass), paths, constants, loss)
    table = deposit.hadron_table(card.emc.hadron)
    columns = constant(p), constant(mass), which, interacts, loss, (G, H, V, W)
    deposit.hadron_stage(*columns, kinds, table, rules, constants, out, shape)
    return out, shape


@pytest.mark.parametrize(("p", "percent"), [(0.4, 0.83), (0.8, 0.69), (1.0, 0.61), (1.6, 0.54), (1.9, 0.49)])
def test_pions_with_the_energy_of_electrons(p, percent):
    negative = 100 * (hadrons(p, deposit.PION_MINUS)[0] / p > 0.8).mean()
    positive = 100 * (hadrons(p, deposit.PION_PLUS)[0] / p > 0.8).mean()
    assert negative == pytest.approx(percent, rel=0.35)  # the reference is a toy
    assert 0.3 < positive < negative < 1.5


def test_interaction_probability():
    """exp(-28 / 38) of the pions pass as muons of the same beta gamma; K+ have a length 1.1 times longer."""
    for kind, factor in ((deposit.PION_PLUS, 1.0), (deposit.KAON_PLUS, 1.1), (deposit.PROTON_MINUS, 0.6)):
        _, shape = hadrons(1.5, kind, HYPOTHESIS_MASSES[PION + kind // 2])
        assert (shape == deposit.MINIMUM_IONISING).mean() == pytest.approx(math.exp(-28 / 38 / factor), abs=0.006)
    out, _ = hadrons(1.0, deposit.PION_MINUS, card=load_card("ideal"))
    assert out.std() < 1e-12


def test_neutral_hadrons_leave_only_what_an_interaction_makes():
    out, shape = hadrons(1.0, deposit.NEUTRON, 0.93957)
    assert (out > 0).mean() == pytest.approx(1 - math.exp(-28 / 38), abs=0.006)
    kinetic = math.hypot(1.0, 0.93957) - 0.93957
    assert out[out > 0].mean() == pytest.approx(0.85 * kinetic * 1.3 / 4.2, rel=0.02)
    assert (shape[out > 0] == deposit.HADRONIC).all()
    anti, _ = hadrons(1.0, deposit.ANTINEUTRON, 0.93957)
    assert anti[anti > 0].mean() == pytest.approx((kinetic + 2 * M_P) * 2 / 5.5, rel=0.02)


def test_stopped_antiprotons_annihilate():
    stopped, shape = hadrons(0.3, deposit.PROTON_MINUS, M_P)
    kinetic = math.hypot(0.3, M_P) - M_P
    assert (shape == deposit.HADRONIC).all()
    assert stopped.mean() == pytest.approx(2 * M_P * 2 / 5.5 + kinetic, rel=0.04)
    off = card_with(emc__hadron={"annihilation": False, "stopped_fraction": 0.0})
    assert hadrons(0.3, deposit.PROTON_MINUS, M_P, off)[0].max() <= kinetic * 1.2


def test_visible_energy_by_hand():
    table = deposit.hadron_table(BESIII.emc.hadron)
    rules = deposit.parameters(BESIII)
    median = stats.beta(1.3, 2.9).median()
    found, neutral = deposit.visible_energy(1.1, 1.0, 0.5, 0.5, 0.9, 0.02, 0.0, 0.0, table, rules)
    assert found == pytest.approx(0.85 * 0.5 * median, rel=1e-3)
    assert not neutral
    found, neutral = deposit.visible_energy(1.1, 1.0, 0.5, 0.5, 0.01, 0.02, 0.0, 0.0, table, rules)
    assert found == pytest.approx(1.1 * stats.beta(6.0, 1.1).median(), rel=1e-3)
    assert neutral


def test_quantiles_of_the_beta_distributions():
    table = deposit.hadron_table(BESIII.emc.hadron)
    u = np.concatenate([np.linspace(1e-4, 1 - 1e-4, 300), [1 - 1e-6]])
    hadron = BESIII.emc.hadron
    for start, shape in enumerate((hadron.beta_shape, hadron.charge_exchange_shape, hadron.annihilation_shape)):
        found = [deposit.beta_quantile(value, table, np.uint64(513 * start)) for value in u]
        assert np.abs(found - stats.beta.ppf(u, *shape))[:-1].max() < 1e-3


# --- shapes and background ------------------------------------------------------------------------------------------


def test_lateral_shapes_are_log_normal():
    for constants, kind in zip(emc_shape.shape_parameters(BESIII), range(3)):
        ratio, moment = np.empty(N), np.empty(N)
        emc_shape.shape_stage(np.full(N, kind), G, H, emc_shape.shape_parameters(BESIII), ratio, moment)
        assert np.median(moment) == pytest.approx(BESIII.emc.shape.second_moment[kind], rel=0.02)
        assert np.log(moment).std() == pytest.approx(constants.second_moment_width, rel=0.02)
        assert (1 - ratio).mean() == pytest.approx(BESIII.emc.shape.outside[kind], rel=0.03)
        inside = ratio > 0.0
        correlation = np.corrcoef(np.log(1 - ratio[inside]), np.log(moment[inside]))[0, 1]
        assert correlation == pytest.approx(0.6, abs=0.02)
        assert ratio.min() >= 0.0


def test_background_clusters():
    """Poisson numbers (chi2), exponential energies above the threshold, flat in time and azimuth: KS p > 0.001."""
    event = np.arange(N, dtype=np.uint64)
    number = np.empty(N, dtype=np.int64)
    mean = BESIII.emc.background.mean
    emc_background.multiplicity_stage(*key(5), event, emc_background.poisson_limits(mean), number)
    counts = np.bincount(number, minlength=6)[:6]
    expected = N * stats.poisson(mean).pmf(np.arange(6))
    assert stats.chi2(5).sf(((counts - expected) ** 2 / expected).sum()) > 1e-3
    columns = [np.empty(N) for _ in range(4)]
    noise = emc_background.background_parameters(BESIII)
    emc_background.background_stage(*key(5), event, np.ones(N, dtype=np.uint64), noise, EMC, *columns)
    energy, cosine, phi, time = columns
    assert stats.kstest(energy, stats.expon(0.010, 0.016).cdf).pvalue > 1e-3
    assert stats.kstest(phi, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-3
    assert stats.kstest(time, stats.uniform(-500, 2000).cdf).pvalue > 1e-3
    barrel = np.abs(cosine) < 0.826
    assert barrel.mean() == pytest.approx(0.5, abs=0.006)
    assert stats.kstest(cosine[barrel], stats.uniform(-0.826, 1.652).cdf).pvalue > 1e-3
    assert (np.abs(cosine[~barrel]) > 0.8415).all()
    theta = np.empty(N)
    emc_background.angle_stage(cosine, theta)
    assert np.allclose(theta, np.arccos(cosine))


def test_resolution_with_the_fourth_root():
    """sigma / E = 2.32 % / E^(1/4) + 1.85 % in quadrature, as published by BaBar."""
    barrel = {"noise": 0.0, "stochastic": 0.0232, "constant": 0.0185, "exponent": 0.25}
    constants = emc.parameters(card_with(emc__barrel=barrel))
    for energy in (0.1, 1.0, 7.0):
        expected = math.hypot(0.0232 / energy**0.25, 0.0185)
        assert emc.energy_sigma(energy, 0.0, constants) / energy == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match=r"exponent = 0.3, allowed 0.25 or 0.5"):
        card_with(emc__barrel={"exponent": 0.3})


def test_asymmetric_calorimeter():
    card = card_with(
        emc__barrel={"backward_cos_max": 0.6, "backward_usable_cos_max": 0.58},
        emc__endcap={"backward_z": 105.0, "backward_cos_range": (0.65, 0.9), "backward_usable_cos_range": (0.7, 0.85)},
    )
    constants = emc.parameters(card)
    assert [emc.acceptance(c, constants) for c in (0.62, -0.62, -0.7, 0.83, 0.93, -0.93)] == [1, 0, 1, 0, 1, 0]
    assert emc.usable(0.7, constants) == (True, False)
    assert emc.usable(-0.8, constants) == (False, True)
    assert emc.cos_edges(-0.1, constants) == (0.6, 0.65, 0.9)
    assert emc.photon_impact(0.0, 0.0, 0.0, 0.5, 0.0, -1.0, constants)[2] == pytest.approx(-105.0)
    assert emc.front_distance(-0.8, constants) == pytest.approx(105.0 / 0.8)


def test_nothing_comes_from_outside():
    for vertex in ((95.0, 0.0, 0.0), (0.0, 0.0, 140.0), (60.0, 80.0, 0.0)):
        assert np.isnan(emc.photon_impact(*vertex, -1.0, 0.1, -0.2, EMC)).all()
    assert not np.isnan(emc.photon_impact(90.0, 0.0, 0.0, -1.0, 0.1, 0.2, EMC)).any()


# --- identification -------------------------------------------------------------------------------------------------

IDENTIFICATION = emc_quantiles.emc_quantile_table(BESIII)


def deviates(energy, p, hypothesis, charge=1.0, cosine=0.3):
    chi, s = [], np.empty(5 * BLOCK)
    for part in np.split(energy, range(BLOCK, len(energy), BLOCK)):
        columns = constant(p, len(part)), part, constant(1.0, len(part)), constant(cosine, len(part))
        emc_identification.emc_deviates(*columns, constant(charge, len(part)), IDENTIFICATION, EMC, s)
        chi.append(s[hypothesis * BLOCK :][: len(part)].copy())
    return np.concatenate(chi)


@pytest.mark.parametrize("p", [0.4, 0.9, 1.6])
def test_deviates_of_the_true_hypothesis_are_normal(p):
    """Within 0.06 of the normal quantiles from -2 to 2: the table's 8192 showers have 0.02 to 0.03 themselves."""
    samples = {
        (0, 1.0): measured(p, 0.3, leakage.ELECTRON_SHOWER),
        (MUON, 1.0): deposits(p),
        (PION, 1.0): hadrons(p, deposit.PION_PLUS)[0],
        (PION, -1.0): hadrons(p, deposit.PION_MINUS)[0],
        (4, -1.0): hadrons(p, deposit.PROTON_MINUS, M_P)[0],
    }
    levels = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    for (h, charge), energy in samples.items():
        found = np.quantile(deviates(energy, p, h, charge), stats.norm.cdf(levels))
        assert np.allclose(found, levels, atol=0.08), (h, charge)


def test_deviates_far_from_the_hypothesis():
    """Muons are far from electrons and electrons from muons; without a shower there is none; it grows with energy."""
    assert (np.abs(deviates(deposits(1.0, n=1000), 1.0, 0)) > 10).all()
    assert (np.abs(deviates(np.full(3, 1.0), 1.0, MUON)) > 10).all()
    assert np.isnan(deviates(np.array([np.nan]), 1.0, MUON)).all()
    grid = np.linspace(0.0, 2.0, 400)
    for h in range(5):
        assert (np.diff(deviates(grid, 1.0, h)) >= 0).all()


def test_evenly_spread_draws():
    assert np.array_equal(emc_quantiles.radical_inverse(2, 4), [0.5, 0.25, 0.75, 0.125])
    assert np.allclose(emc_quantiles.radical_inverse(3, 4), [1 / 3, 2 / 3, 1 / 9, 4 / 9])


def test_time_resolution():
    assert emc.time_sigma(0.25, 10.0, 5.0) == pytest.approx(math.hypot(10.0, 10.0))


def test_normal_quantiles():
    u = np.array([1e-4, 0.02, 0.3, 0.5, 0.9, 0.9999])
    assert np.allclose(emc_quantiles.normal_quantile(u), stats.norm.ppf(u), atol=1e-3)


def test_electron_coordinate():
    assert emc_identification.coordinate_of_electron(1.0, 1.0, 0.02) == 0.5
    assert emc_identification.coordinate_of_deposit(0.2, 0.2) == 0.5
