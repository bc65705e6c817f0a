"""The validation of the simulated detector: estimators, table of targets, short checks, ingredients, verb and page."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from besfast.cli import main
from besfast.geometry.card import load_card
from besfast.validation import check
from besfast.validation.check import Settings
from besfast.validation.comparison import Comparison
from besfast.validation.detector import (
    calorimeter,
    channels,
    covariance,
    estimators,
    identification,
    ingredient_effects,
    ingredients,
    material,
    misidentification,
    momentum,
    symmetry,
    validate,
)
from besfast.validation.detector.bench import Bench, first_entries
from besfast.validation.detector.changes import changed, has_key
from besfast.validation.detector.decays import mass2, two_photons
from besfast.validation.detector.targets import STATUS, Targets
from besfast.validation.references import reference_table

PAGE = Path(__file__).resolve().parents[1] / "docs" / "detector_validation.md"
QUICK = Settings(1, quick=True)
#: Rows that are known to be off, with the reason.
KNOWN_OFF = {
    "layers crossed by tracks found (0: none)": "layers are interpolated between nodes of a table",
    "identified by the muon counter": "between 0.7 and 1 GeV pions get too deep",
}


@pytest.fixture
def short(monkeypatch):
    """Samples forty times smaller."""
    monkeypatch.setattr(check, "_QUICK", 40)


def bench(card="besiii", **changes):
    card = changed(load_card(card), changes)
    return Bench(card, Targets("besiii"), QUICK)


def find(checks, name):
    (found,) = [one for one in checks if one.name == name]
    return found.run()


def off(result):
    return [row for row in result.rows if row.verdict == "off"]


# ---- estimators ----


def test_widths_of_a_normal_distribution():
    sample = 3.0 + 2.0 * np.random.default_rng(1).standard_normal(200_000)
    for estimator in (estimators.core_width, estimators.half_width, estimators.rms, estimators.half_maximum_width):
        value, error = estimators.estimate(estimator, sample)
        assert value == pytest.approx(2.0, abs=4 * error)
        assert 0.0 < error < 0.03
    assert estimators.mode(sample) == pytest.approx(3.0, abs=0.1)


def test_core_does_not_see_tails():
    rng = np.random.default_rng(2)
    sample = rng.standard_normal(200_000) * np.where(rng.random(200_000) < 0.08, 2.0, 1.0)
    assert estimators.rms(sample) == pytest.approx(math.sqrt(0.92 + 4 * 0.08), rel=0.01)
    assert estimators.core_width(sample) == pytest.approx(1.03, abs=0.01)


def test_peak_of_an_asymmetric_distribution():
    sample = -np.log(np.random.default_rng(3).standard_normal(400_000) ** 2)  # Moyal: mode 0, FWHM 3.59
    assert estimators.mode(sample) == pytest.approx(0.0, abs=0.1)  # smoothing draws it to the tail by 0.05 widths
    assert 2.355 * estimators.half_maximum_width(sample) == pytest.approx(3.59, rel=0.03)


def test_errors_of_few_events():
    assert np.isnan(estimators.estimate(estimators.rms, np.zeros(10))).all()
    assert estimators.share(np.zeros(100, dtype=bool)) == (0.0, pytest.approx(math.sqrt(0.01 * 0.99 / 100)))
    assert estimators.share(np.ones(100, dtype=bool))[1] > 0.0
    assert np.isnan(estimators.share(np.zeros(0, dtype=bool))).all()


# ---- cards, decays ----


def test_changed_keys():
    card = load_card("besiii")
    assert changed(card, {"emc.barrel.noise": 0.001, "material": ()}).emc.barrel.noise == 0.001
    assert card.material
    with pytest.raises(ValueError, match=r"card key mdc\.colour: unknown"):
        changed(card, {"mdc.colour": 1})
    with pytest.raises(ValueError, match="bz"):
        changed(card, {"field.bz": -1.0})
    assert has_key(card, "emc.hadron.interaction_length")
    assert not has_key(card, "emc.hadron.colour")
    assert not has_key(card, "emc.depth.colour")


def test_two_photons_conserve_momentum(short):
    one = bench()
    parents = one.gun("pi0", 111, 40_000, (0.3, 1.0), (-0.7, 0.7))
    photons = two_photons(parents, one, "pi0")
    for name in ("px", "py", "pz", "energy"):
        np.testing.assert_allclose(
            getattr(photons, name).reshape(-1, 2).sum(axis=1), getattr(parents, name), atol=1e-12
        )
    assert np.abs(mass2(photons)).max() < 1e-12
    share = photons.energy.reshape(-1, 2)[:, 0] / parents.energy
    velocity = np.sqrt(1.0 - mass2(parents) / parents.energy**2)
    assert np.abs((2.0 * share - 1.0) / velocity).max() <= 1.0 + 1e-9
    assert np.mean((2.0 * share - 1.0) / velocity) == pytest.approx(0.0, abs=0.08)  # isotropic, 1000 decays


def test_first_entries():
    offsets = np.array([0, 2, 2, 5])
    truth = np.array([1, 0, 0, 0, 1], dtype=np.int32)
    assert first_entries(offsets, truth).tolist() == [1, -1, 2]
    assert first_entries(offsets, truth, 1).tolist() == [0, -1, 4]


# ---- targets ----


def test_table_of_targets():
    table = reference_table("detector_targets")
    keys = list(zip(table["key"].tolist(), table["cards"].tolist()))
    assert len(set(keys)) == len(keys)
    assert {text for text in table["status"].tolist() if text != "nan"} <= {"", *STATUS}
    judged = np.isfinite(table["tolerance"]) | np.isfinite(table["low"]) | np.isfinite(table["high"])
    assert all(source for source in table["source"][judged].tolist())


def test_verdicts_of_targets():
    targets = Targets("besiii")
    assert targets.row("sigma_p_1_half", 0.49, 0.001).verdict == "good"
    assert targets.row("sigma_p_1_half", 0.58, 0.001).verdict == "off"
    assert targets.row("energy_barrel", 9.0, 0.1).verdict == "input"
    assert targets.row("pions_in_muons", 3.0, 0.1).verdict == "good"
    assert targets.row("pions_in_muons", 0.1, 0.1).verdict == "off"
    assert targets.row("pions_in_muons", 5.2, 0.1).verdict == "good"
    assert targets.row("pions_in_muons", 5.4, 0.1).verdict == "off"
    assert targets.row("mass_mumu_core_2", 4.0, 0.1).verdict == "reported"
    other = Targets("belle2").row("sigma_p_1_half", 0.2, 0.001)
    assert (other.verdict, other.source) == ("reported", "no published number for this card")


def test_closed_form_of_equal_layers():
    """Many points: sqrt(720 / (N + 5)) for N points, Gluckstern's own approximation."""
    exact = covariance.gluckstern(200, 0.01, 70.0, 1.0)
    assert exact == pytest.approx(0.01 / 70.0**2 * math.sqrt(720 / 204) * 333.564, rel=2e-3)


# ---- the checks, short ----


def test_short_validation(short):
    """Every check on samples forty times smaller, seed 1: no row is off but the known ones (three errors, p = 3e-3)."""
    one = bench()
    rows = []
    for found in validate.all_checks(one):
        rows += found.run().rows
    quantities = [row.quantity for row in rows if row.verdict == "off"]
    assert set(quantities) <= set(KNOWN_OFF)
    texts = [(row.subject, row.quantity) for row in rows]
    assert len(set(texts)) == len(texts)
    targets = {(one.targets.bare(key).subject, one.targets.bare(key).quantity) for key in one.targets.names()}
    assert targets <= set(texts)
    assert sum(row.verdict == "good" for row in rows) > 50


PERTURBED = [
    (momentum, "momentum", {"mdc.hit_resolution": 0.020}, "sigma_p / p, central 68 %"),
    (momentum, "pulls", {"mdc.covariance_scale": 1.2}, "kappa, core"),
    (momentum, "impact parameters", {"mdc.gas_radiation_length": 2000.0}, "sigma(d0), core"),
    (material, "bremsstrahlung", {"material": ()}, "lost more than 20 % before or in the chamber"),
    (identification, "kaons and pions", {"tof.barrel.sigma": 0.4}, "separation by dE/dx and time of flight"),
    (calorimeter, "position", {"emc.barrel.position": 0.9}, "position across the crystals"),
    (misidentification, "pions as electrons", {"emc.hadron.charge_exchange_minus": 0.2}, "E/p > 0.8"),
    (channels, "probability of the fit", {"mdc.covariance_scale": 1.2}, "mean of P(chi2)"),
]


def perturbed(one, number):
    """Return a case; every other one takes long: a card of its own has tables of its own."""
    return pytest.param(*one, id=one[3], marks=pytest.mark.long if number % 2 else ())


@pytest.mark.parametrize(
    ("topic", "name", "changes", "quantity"), [perturbed(one, number) for number, one in enumerate(PERTURBED)]
)
def test_what_is_perturbed_is_off(short, topic, name, changes, quantity):
    assert quantity in [row.quantity for row in off(find(topic.checks(bench(**changes)), name))]


def test_azimuth_is_tested(short):
    shots = bench().shoot("sector", 13, 400_000, 1.0, (-0.5, 0.5))
    first = shots.truth.offsets[:-1]
    flat = np.ones(len(first), dtype=bool)
    flat[::3] = False
    assert symmetry._azimuth(shots, flat) > 0.01
    assert symmetry._azimuth(shots, flat & (shots.truth.px[first] > -0.5)) < 1e-6


# ---- ingredients ----


def test_ingredients_of_the_card():
    card = load_card("besiii")
    chosen = ingredients.ingredients_of(card)
    assert len({one.name for one in chosen}) == len(chosen) >= 19
    for one in chosen:
        changed(card, one.without)


def test_effects(monkeypatch, tmp_path, short):
    """Nothing left out changes nothing; without the trigger's losses there is 0.2 % more; the fit is blind to TOF."""
    nothing = ingredients.Ingredient("nothing", "", {})
    chosen = [nothing, *(one for one in ingredients.INGREDIENTS if one.name in ("trigger", "all matter"))]
    monkeypatch.setattr(ingredient_effects, "ingredients_of", lambda card: chosen)
    nominal, effects = ingredient_effects.ingredient_effects(bench(), jobs=2)
    names = [one.name for one in ingredient_effects.QUANTITIES]
    assert np.array_equal(effects[0].change, np.zeros(len(names)))
    by_name = {effect.ingredient.name: effect for effect in effects}
    trigger, matter = by_name["trigger"], by_name["all matter"]
    at = names.index("yield_mumu")
    assert trigger.change[at] == pytest.approx(-0.2, abs=5 * trigger.error[at])
    assert trigger.error[at] < 0.2
    at = names.index("yield_ee")
    assert matter.change[at] < -15.0
    assert matter.change[names.index("width_mumu")] > 3 * matter.error[names.index("width_mumu")]
    ingredient_effects.write_effects(tmp_path / "ingredients", nominal, effects, "title")
    header = (tmp_path / "ingredients.csv").read_text().splitlines()[1]
    assert "yield_mumu_change,yield_mumu_change_error" in header
    lines = ingredient_effects.effect_lines(nominal, effects)
    assert lines[3].startswith("| nothing | 0 | 0 |")


# ---- the whole, and the verb ----


def test_verb(tmp_path, monkeypatch, capsys):
    nan = math.nan
    rows = [Comparison("muons", "width", 1.0, 0.1, nan, nan, "MeV", None, "gun", at_least=1.5, at_most=2.0)]
    given = []

    def checks(one):
        given.append(one)
        return [check.Check("tracks", "one", lambda: check.Result(rows, []))]

    monkeypatch.setattr(validate, "all_checks", checks)
    monkeypatch.chdir(tmp_path)
    words = ["validate", "detector", "--quick", "--card", "ideal", "--targets", "besiii", "--no-ingredients"]
    assert main([*words, "--out", "new", "--seed", "7"]) == 1
    (one,) = given
    assert (one.card.name, one.settings) == ("ideal", Settings(7, quick=True))
    assert one.targets.row("energy_barrel", 1.0, 0.1).verdict == "input"
    output = capsys.readouterr().out
    assert "off: muons: width: 1 +- 0.1 MeV, 1.5 to 2, gun" in output
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        "comparisons.csv",
        "comparisons.md",
        "detector_validation.md",
    }
    page = (tmp_path / "new" / "detector_validation.md").read_text()
    assert "# Validation of the detector, card ideal, seed 7, quick" in page
    assert "| muons | width | 1.00 ± 0.10 MeV | - | - | 1.5 to 2 MeV | off | gun |" in page


def test_bad_input(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "notes").touch()
    with pytest.raises(FileExistsError):
        validate.validate_detector(tmp_path / "there")
    with pytest.raises(FileNotFoundError, match="no such card"):
        validate.validate_detector(tmp_path / "new", "nowhere")
    with pytest.raises(ValueError, match="jobs = 0"):
        validate.validate_detector(tmp_path / "new", jobs=0)


@pytest.mark.skipif(not PAGE.is_file(), reason="tests without their project")
def test_page_of_the_documentation():
    """It has every target of besiii with a verdict, and every ingredient; numbers are those of the full run."""
    text = PAGE.read_text(encoding="utf-8")
    assert "quick" not in text.splitlines()[0]
    rows = {}
    for line in text.splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 8:
            rows[cells[0], cells[1]] = cells
    targets = Targets("besiii")
    for key in targets.names():
        target = targets.bare(key)
        cells = rows[target.subject, target.quantity]
        assert cells[6] in ("good", "off", "reported", "input")
        assert re.match(r"[\d-]", cells[2]), cells
        assert cells[7].startswith(f"{target.status}: {target.source}" if target.source else "no published"), cells
        assert (cells[6] == "input") == (target.status == "input")
    for one in ingredients.ingredients_of(load_card("besiii")):
        assert f"| {one.name} |" in text
    for quantity in ingredient_effects.QUANTITIES:
        assert f"{quantity.name.replace('_', ' ')} [{quantity.unit}]" in text


@pytest.mark.long
def test_quick_validation(tmp_path):
    """The command as users run it, with all figures."""
    validation = validate.validate_detector(tmp_path / "new", quick=True)
    assert {row.quantity for row in validation.off()} <= set(KNOWN_OFF)
    figures = {path.stem for path in (tmp_path / "new").glob("*.png")}
    assert figures == {"tracks", "identification", "calorimeter", "leptons", "mass"}
    assert (tmp_path / "new" / "ingredients.csv").is_file()
