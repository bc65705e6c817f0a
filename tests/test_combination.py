"""Combinations: formula (1) from end to end, systematic errors, expected limits, and the table that is written."""

import csv
from pathlib import Path

import numpy as np
import pytest
from besfast.analysis.background import fit_background
from besfast.analysis.combination import (
    COMBINATIONS,
    MEMBERS,
    analytic_epsilon2,
    asimov,
    delta_syst,
    limit_table,
    signal_strength,
    systematic_errors,
)
from besfast.analysis.joint import joint_limit
from besfast.analysis.limit import DELTA_90, poisson_limit
from besfast.analysis.systematics import ACTS_ON, quadrature, systematics_legend, systematics_table
from besfast.analysis.table import write_table
from besfast.couplings import mixing_definition_factor, mixing_factor
from besfast.dark_photon import hadronic_ratio, hadronic_ratio_error, width_ratio

from .expectation import BINS, FRACTION, RESOLUTION, YIELDS, channels

MU, EE = channels(seed=1)


def rows(table: dict[str, np.ndarray], combination: str) -> dict[str, np.ndarray]:
    return {name: values[table["combination"] == combination] for name, values in table.items()}


def test_columns_and_shape() -> None:
    table = limit_table([MU, EE])
    names = (
        "mass_low mass_high combination n background background_error leverage residual significance pull n_up n_b "
        "containment absorbed n_f delta_syst epsilon2_up epsilon_up epsilon_definition prediction method delta "
        "sidedness flags"
    )
    assert " ".join(table) == names
    assert {values.shape for values in table.values()} == {(4 * 165,)}
    assert list(dict.fromkeys(table["combination"])) == list(COMBINATIONS)
    assert np.all(table["delta"] == DELTA_90)
    assert set(table["sidedness"]) == {"two-sided 90 %, about 95 % one-sided"}
    assert set(table["method"]) == {"bounded profile likelihood", "joint bounded profile likelihood"}
    assert set(limit_table([EE])["combination"]) == {"ee"}


def test_literal_sum_written_out() -> None:
    table = rows(limit_table([MU, EE], ["sum"]), "sum")
    n_b = (MU.background.predicted - MU.pipi) + EE.background.predicted * EE.annihilation_fraction
    b = MU.background.predicted + EE.background.predicted
    sigma_b = np.hypot(MU.background.sigma_predicted, EE.background.sigma_predicted)
    n_up = poisson_limit(MU.n + EE.n, b, sigma_b, 1.0, delta_syst([MU, EE], "sum")).upper
    k = mixing_factor(BINS.centre, 2 + hadronic_ratio(BINS.centre), 0.01)
    assert np.allclose(table["n_up"], n_up, rtol=1e-12)
    assert np.allclose(table["epsilon2_up"], k * n_up / n_b / MU.containment, rtol=1e-12)
    residual = MU.n - MU.background.fitted + EE.n - EE.background.fitted
    assert np.allclose(table["significance"], residual / np.sqrt(MU.n + EE.n), rtol=1e-12)
    assert np.allclose(table["epsilon_up"] ** 2, table["epsilon2_up"], rtol=1e-12)


def test_containment_divides_once() -> None:
    """Halving the containment of every channel doubles epsilon^2, in every combination."""
    half = [c._replace(containment=0.5 * c.containment, containment_error=0.5 * c.containment_error) for c in (MU, EE)]
    assert np.allclose(limit_table(half)["epsilon2_up"], 2.0 * limit_table([MU, EE])["epsilon2_up"], rtol=1e-10)


def test_containment_of_the_sum_is_weighted_by_the_yield() -> None:
    wide = EE._replace(containment=0.8 * EE.containment)
    table = limit_table([MU, wide], ["sum"])
    expected = (MU.n_b * MU.containment + wide.n_b * wide.containment) / (MU.n_b + wide.n_b)
    assert np.allclose(table["containment"], expected, rtol=1e-13)


def test_annihilation_fraction_and_pions_enter_the_yield_only() -> None:
    table, other = limit_table([MU, EE]), limit_table([MU._replace(pipi=0 * MU.pipi), EE])
    assert np.array_equal(table["n"], other["n"])
    assert np.array_equal(table["background"], other["background"])
    assert np.allclose(rows(table, "mumu")["n_b"], MU.background.predicted - MU.pipi)
    assert np.allclose(rows(table, "ee")["n_b"], EE.background.predicted * FRACTION["ee"])
    assert rows(other, "mumu")["n_b"][0] > rows(table, "mumu")["n_b"][0]


def test_joint_written_out() -> None:
    table = rows(limit_table([MU, EE]), "joint")
    k = [c.n_b * 3 * np.pi * BINS.centre * 137.035999084 for c in (MU, EE)]
    signal = [
        c.containment * yields / (2 * width_ratio(BINS.centre, lepton) * 0.01)
        for c, yields, lepton in zip((MU, EE), k, ("mu", "e"))
    ]
    limit = joint_limit(
        np.stack([MU.n, EE.n], axis=1),
        np.stack([MU.background.predicted, EE.background.predicted], axis=1),
        np.stack([MU.background.sigma_predicted, EE.background.sigma_predicted], axis=1),
        np.stack(signal, axis=1),
        delta_syst([MU, EE], "joint"),
    )
    assert np.allclose(table["epsilon2_up"], limit.upper, rtol=1e-9)
    factor = mixing_factor(BINS.centre, table["n_f"], 0.01)
    through_formula_1 = factor * table["n_up"] / (table["n_b"] * table["containment"])
    assert np.allclose(through_formula_1, table["epsilon2_up"], rtol=2e-4)  # N_f of muons and of massless leptons


def test_joint_is_better_than_either_channel_and_the_sum_is_not() -> None:
    expected = limit_table([asimov(c) for c in (MU, EE)])
    upper = {name: rows(expected, name)["epsilon2_up"] for name in COMBINATIONS}
    assert np.all(upper["joint"] < upper["mumu"] * 1.002)
    assert np.all(upper["joint"] < upper["ee"])
    ratio = np.median(np.sqrt(upper["sum"] / upper["mumu"]))
    assert 1.5 < ratio < 1.9
    # the ee channel carries a few per cent of the information
    share = (EE.signal**2 / EE.background.fitted) / (MU.signal**2 / MU.background.fitted)
    assert np.allclose(
        share,
        (FRACTION["ee"] * EE.background.predicted / MU.n_b) ** 2 * MU.background.fitted / EE.background.fitted,
        rtol=1e-3,
    )
    assert np.all(share < 0.07)


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_expected_limit_is_the_analytic_one(combination: str) -> None:
    members = [asimov(c) for c in (MU, EE)]
    table = limit_table(members, [combination])
    with_fit = table["epsilon2_up"] / analytic_epsilon2(members, combination, background_error=True)
    assert np.all(np.abs(with_fit - 1.0) < 0.02)
    without = table["epsilon2_up"] / analytic_epsilon2(members, combination)
    well_known = table["leverage"] < 0.05
    assert np.count_nonzero(well_known) > 100
    assert np.all(np.abs(without[well_known] - 1.0) < 0.05)
    assert np.all(table["residual"] == 0.0)
    n = np.sum([c.n for c in members if c.channel in MEMBERS[combination]], axis=0)
    if combination != "joint":
        k = mixing_factor(BINS.centre, table["n_f"], 0.01)
        closed = 1.644854 * np.sqrt(n) / (table["n_b"] * table["containment"]) * k
        assert np.allclose(analytic_epsilon2(members, combination), closed, rtol=2e-4)


def test_systematic_errors() -> None:
    for combination in COMBINATIONS:
        sources = systematic_errors([MU, EE], combination)
        assert set(sources) == set(ACTS_ON) - {"polynomial_fit"}
        total = delta_syst([MU, EE], combination)
        assert np.allclose(total**2, sum(error**2 for error in sources.values()))
        ratio = hadronic_ratio_error(BINS.centre) / (2 + hadronic_ratio(BINS.centre))
        assert np.allclose(sources["hadronic_ratio"], ratio, rtol=3e-4)
        assert np.all((total > 0.01) & (total < 0.06))
    alone = systematic_errors([MU, EE], "ee")
    assert np.allclose(alone["annihilation_fraction"], 0.005)
    assert np.allclose(alone["pion_subtraction"], 0.0)
    muons = systematic_errors([MU, EE], "mumu")
    assert np.allclose(muons["pion_subtraction"], 0.25 * MU.pipi / MU.n_b)
    both = systematic_errors([MU, EE], "sum")
    assert np.allclose(both["containment"], 0.01 * np.hypot(MU.n_b, EE.n_b) / (MU.n_b + EE.n_b))
    # nearly all information is in mumu, and so are the errors that count
    assert np.all(systematic_errors([MU, EE], "joint")["annihilation_fraction"] < 0.07 * 0.005)


def test_table_of_systematic_errors() -> None:
    """A column per source, each in its place: the error of the curve is in the background and not in the total."""
    wide = [
        c._replace(resolution_error=0.01 * c.containment, containment_error=0.003 * c.containment) for c in (MU, EE)
    ]
    table = systematics_table(wide, COMBINATIONS)
    assert list(table) == ["mass_low", "mass_high", "combination", *ACTS_ON, "delta_syst"]
    assert {values.shape for values in table.values()} == {(4 * 165,)}
    assert [line.split(":")[0] for line in systematics_legend()] == list(ACTS_ON)
    on_signal = [table[name] ** 2 for name in ACTS_ON if name != "polynomial_fit"]
    assert np.allclose(table["delta_syst"] ** 2, np.sum(on_signal, axis=0), rtol=1e-13)
    muons = rows(table, "mumu")
    assert np.allclose(muons["mass_resolution"], 0.01)
    assert np.allclose(muons["containment"], 0.003)
    assert np.allclose(muons["polynomial_fit"], MU.background.sigma_predicted / MU.background.predicted)
    assert np.allclose(muons["delta_syst"], rows(limit_table(wide), "mumu")["delta_syst"], rtol=1e-13)
    with pytest.raises(ValueError, match="no combination"):
        systematics_table(wide, [])


def test_total_of_the_paper() -> None:
    """Its sources, 3 to 6 per cent from R and the largest of the others, make its total of 3.5 to 6.5 per cent."""
    percent = {"hadronic_ratio": np.array([3.0, 6.0]), "pion_subtraction": np.array([0.5, 0.5])}
    percent |= {name: np.ones(2) for name in ("annihilation_fraction", "mass_resolution", "polynomial_fit")}
    total = quadrature(percent)
    assert np.allclose(total, [3.5, 6.3], atol=0.05)
    ours = delta_syst([MU, EE], "sum")
    assert 0.014 < ours.min() < ours.max() < 0.065  # R of today's table: 1.4 to 4.5 per cent


def test_every_source_acts_once() -> None:
    """Doubling one error moves `delta_syst` by its own share alone, the error of the curve the background alone."""
    base = rows(limit_table([MU]), "mumu")
    more = rows(limit_table([MU._replace(resolution_error=0.03 * MU.containment)]), "mumu")
    assert np.allclose(more["delta_syst"] ** 2 - base["delta_syst"] ** 2, 0.03**2, rtol=1e-9)
    assert np.array_equal(more["containment"], base["containment"])
    fuzzy = MU._replace(background=MU.background._replace(sigma_predicted=2.0 * MU.background.sigma_predicted))
    other = rows(limit_table([fuzzy]), "mumu")
    assert np.array_equal(other["delta_syst"], base["delta_syst"])
    assert np.allclose(other["background_error"], 2.0 * base["background_error"], rtol=1e-14)
    assert np.all(other["n_up"][base["pull"] > 0.0] > base["n_up"][base["pull"] > 0.0])


def test_definition_of_epsilon_is_one_factor() -> None:
    table, other = limit_table([MU, EE]), limit_table([MU, EE], epsilon_definition="width")
    factor = mixing_definition_factor(BINS.centre, "width")
    assert np.allclose(other["epsilon2_up"] / table["epsilon2_up"], np.tile(factor, 4), rtol=1e-12)
    assert np.array_equal(other["n_up"], table["n_up"])
    assert set(other["epsilon_definition"]) == {"width"}
    with pytest.raises(ValueError, match="epsilon_definition = 'alpha'"):
        limit_table([MU], epsilon_definition="alpha")


def test_prediction_with_the_bin_gives_back_what_it_absorbed() -> None:
    """Limits of a fit that knows the bin, divided by 1 - H, against those of a fit that does not; same signal found."""
    order = MU.background.order
    with_bin = fit_background(BINS, MU.n, order=order, prediction="with_bin")
    other = MU._replace(background=with_bin)
    table, reference = limit_table([other], ["mumu"]), limit_table([MU], ["mumu"])
    assert set(table["prediction"]) == {"with_bin"}
    h = with_bin.absorbed
    assert np.allclose(h, with_bin.leverage)
    direct = poisson_limit(MU.n, with_bin.fitted, np.sqrt(with_bin.fitted * h), 1.0, table["delta_syst"]).upper
    assert np.allclose(table["n_up"], direct / (1.0 - h), rtol=1e-12)
    # n - fit = (1 - H)(n - prediction): the strengths agree, whatever the leverage
    found, error = signal_strength([other], "mumu")
    expected, expected_error = signal_strength([MU], "mumu")
    assert np.allclose(found * other.signal, expected * MU.signal, atol=0.02 * np.sqrt(MU.n).max())
    assert np.allclose(error * other.signal, expected_error * MU.signal, rtol=0.02)
    assert np.allclose(table["pull"], reference["pull"], atol=0.02)
    low = h < 0.03  # there the two limits are one: errors differ by 3 H / 2
    assert np.count_nonzero(low) > 90
    middle = low & (reference["pull"] > 0.0)
    assert np.allclose(table["n_up"][middle], reference["n_up"][middle], rtol=0.05)
    both = limit_table([other, EE], ["joint", "sum"])
    assert np.all(both["n_up"] > 0.0)


def test_injected_signal_comes_back() -> None:
    """Ten sigma in one bin, 100 toys at three masses: mean pull below 0.3 plus three errors of the mean, width one.

    Order 4 describes the expectation to 0.2 sigma at these masses, which is part of the pull.
    """
    expectation = dict(zip(("mumu", "ee"), channels(seed=None)))
    rng = np.random.default_rng(17)
    for i in (20, 100, 155):
        for name, truth in expectation.items():
            epsilon2 = 10.0 * np.sqrt(truth.n[i]) / truth.signal[i]
            mean = truth.n.copy()
            mean[i] += epsilon2 * truth.signal[i]
            pulls = []
            for _ in range(100):
                n = rng.poisson(mean).astype(float)
                channel = truth._replace(n=n, background=fit_background(BINS, n, order=4))
                found, error = signal_strength([channel], name)
                pulls.append((found[i] - epsilon2) / error[i])
            assert abs(np.mean(pulls)) < 0.3 + 3.0 / np.sqrt(100)
            assert np.std(pulls) == pytest.approx(1.0, abs=0.25)


def test_strength_of_both_channels() -> None:
    expectation = channels(seed=None)
    epsilon2 = 4e-6
    known = [c._replace(background=c.background._replace(predicted=c.n)) for c in expectation]
    lifted = [c._replace(n=c.n + epsilon2 * c.signal) for c in known]
    for combination in COMBINATIONS:
        found, error = signal_strength(lifted, combination)
        assert np.allclose(found, epsilon2, rtol=1e-9)
        assert np.all(error > 0)


def test_background_only_significances_have_unit_width() -> None:
    """20 spectra: all pulls together within 3 sigma (5.2 %) of unit mean square; joint and sum alike."""
    squares: dict[str, list[np.ndarray]] = {name: [] for name in COMBINATIONS}
    for seed in range(20):
        table = limit_table(channels(seed + 100, order=4))
        for name in COMBINATIONS:
            squares[name].append(rows(table, name)["pull"] ** 2)
    for name in COMBINATIONS:
        assert np.mean(squares[name]) == pytest.approx(1.0, abs=0.08)


def test_flags() -> None:
    flagged = channels(seed=2, order=4)
    table = limit_table(flagged)
    high = np.array(["high_leverage" in flags.split() for flags in table["flags"]])
    assert set(BINS.mass_low[np.nonzero(high[:165])[0]]) == {3.2, 3.39}
    assert np.count_nonzero(high) == 8
    poly = limit_table(channels(seed=2, model="poly4"))
    assert all("background_not_ok" in flags for flags in poly["flags"])
    unbounded = limit_table([MU, EE], bounded=False)
    empty = np.isnan(unbounded["epsilon2_up"])
    assert np.any(empty)
    assert np.array_equal(empty, [("empty" in flags.split()) for flags in unbounded["flags"]])
    fuzzy = MU._replace(containment_error=0.7 * MU.containment)
    assert all("infinite" in flags for flags in limit_table([fuzzy])["flags"])
    stuck = MU._replace(background=MU.background._replace(converged=False))
    assert all("fit_not_converged" in flags for flags in limit_table([stuck])["flags"])


def test_input_that_is_refused() -> None:
    with pytest.raises(ValueError, match="combination = 'best', must be one of sum, joint, mumu, ee"):
        limit_table([MU, EE], ["best"])
    with pytest.raises(ValueError, match="combination = 'sum' needs the channel ee"):
        limit_table([MU], ["sum"])
    with pytest.raises(ValueError, match="mumu: QED yield N_B = -"):
        limit_table([MU._replace(pipi=2.0 * MU.n)])
    with pytest.raises(ValueError, match="no channel"):
        limit_table([])
    shifted = EE._replace(bins=EE.bins._replace(mass_high=EE.bins.mass_high + 0.001))
    with pytest.raises(ValueError, match="ee and mumu have different mass bins"):
        limit_table([MU, shifted])


def test_expected_sensitivity_of_the_literal_convention() -> None:
    """Leading order, full efficiency: medians of the closure pseudo-experiments, 1.84e-3 (sum), 1.13e-3 (mumu)."""
    table = limit_table([MU, EE])
    assert np.median(rows(table, "sum")["epsilon_up"]) == pytest.approx(1.84e-3, rel=0.05)
    assert np.median(rows(table, "mumu")["epsilon_up"]) == pytest.approx(1.13e-3, rel=0.06)
    assert RESOLUTION.min() > 0.005
    assert YIELDS["ee"].min() > YIELDS["mumu"].min()


def test_table_reads_back_to_the_same_bits(tmp_path: Path) -> None:
    table = limit_table([MU, EE], bounded=False)
    path = tmp_path / "limits.csv"
    write_table(path, table, ["search 1", "two\nlines"])
    lines = path.read_text().splitlines()
    assert lines[:3] == ["# search 1", "# two", "# lines"]
    read = list(csv.DictReader(lines[3:]))
    assert list(read[0]) == list(table)
    for name in ("epsilon_up", "mass_low", "pull", "n_up"):
        assert np.array_equal([float(row[name]) for row in read], table[name], equal_nan=True)
    assert [row["sidedness"] for row in read] == list(table["sidedness"])
    before = path.read_bytes()
    write_table(path, table, ["search 1", "two\nlines"])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["limits.csv"]
    with pytest.raises(ValueError, match="columns of different lengths"):
        write_table(tmp_path / "bad.csv", {"a": [1, 2], "b": [1]})
    with pytest.raises(OSError):
        write_table(tmp_path / "missing" / "limits.csv", table)
