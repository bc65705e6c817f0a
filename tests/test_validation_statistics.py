"""The validation of limits: its checks on few toys, its oracles against other ones, its verb, tables and figures."""

import csv
import math

import numpy as np
import pytest
from besfast.analysis.limit import poisson_limit
from besfast.analysis.rolke_models import Counted, Gaussian, Sideband
from besfast.cli import main
from besfast.validation import (
    asimov,
    counting_coverage,
    counting_limits,
    coverage,
    few_counts,
    gaussian_limits,
    global_significance,
    injection,
    other_fitters,
    statistics,
    statistics_speed,
)
from besfast.validation.brute_force import brute_q, brute_upper, expected_background
from besfast.validation.check import Check, Line, Plot, Result, Settings
from besfast.validation.comparison import Comparison, at_least, write_comparisons
from besfast.validation.hunt_spectra import BINS, TEN_MASSES, expectation, hunt_model, near
from besfast.validation.plots import plots_figure, plots_of
from besfast.validation.run import run_checks
from scipy import stats

from .test_figures import nothing_cut_off

QUICK = Settings(1, quick=True)


def find(checks, name):
    """Return what the only check of a name finds."""
    (found,) = [check for check in checks if check.name == name]
    return found.run()


def all_good(result, *, reported=0):
    verdicts = [row.verdict for row in result.rows]
    assert verdicts.count("off") == 0, [row for row in result.rows if row.verdict == "off"]
    assert verdicts.count("reported") == reported
    assert verdicts.count("good") == len(verdicts) - reported
    return result


# ---- rows that must not be below a bound ----


@pytest.mark.parametrize(
    ("value", "error", "verdict"),
    [(0.95, 0.01, "good"), (0.89, 0.01, "good"), (0.8699, 0.01, "off"), (0.8999, 0.0, "off"), (math.nan, 0.01, "off")],
)
def test_at_least(value, error, verdict):
    assert at_least("s", "q", value, error, 0.90, "toys").verdict == verdict
    assert at_least("s", "q", value, error, None, "toys").verdict == "reported"


def test_table_of_bounds(tmp_path):
    rows = [
        at_least("s", "q", 0.912, 0.013, 0.9, "toys"),
        Comparison(*"sq", 0.05, 0.01, 0, 0, "", None, "", at_most=0.1),
    ]
    write_comparisons(tmp_path / "table", {"topic": rows}, "title")
    text = (tmp_path / "table.md").read_text()
    assert "| 0.912 ± 0.013 | - | - | at least 0.9 | good |" in text
    assert "| 0.050 ± 0.010 | - | - | up to 0.1 | good |" in text
    with (tmp_path / "table.csv").open() as lines:
        next(lines)
        read = list(csv.DictReader(lines))
    assert (float(read[0]["at_least"]), float(read[1]["at_most"])) == (0.9, 0.1)
    assert math.isnan(float(read[1]["at_least"]))


# ---- the oracles ----


def test_brute_force_where_the_minimum_is_known():
    """Known background and efficiency: q = 2 (s - n - n ln(s/n)); n = 0 over a sideband: 2 S and nothing else."""
    q = brute_q(4.0, 5.0, Gaussian(3.0), Gaussian(0.5))
    assert q == pytest.approx(-2.0 * (stats.poisson.logpmf(5, 5.0) - stats.poisson.logpmf(5, 5.0)), abs=1e-12)
    q = brute_q(8.0, 5.0, Gaussian(3.0), Gaussian(0.5))
    assert q == pytest.approx(2.0 * (stats.poisson.logpmf(5, 5.0) - stats.poisson.logpmf(5, 7.0)), abs=1e-12)
    assert brute_q(3.0, 0.0, Sideband(0.0, 2.0), Gaussian(0.5)) == pytest.approx(3.0, abs=1e-9)
    assert brute_upper(0.0, Gaussian(3.0), Gaussian(0.5), 2.7) == pytest.approx(2.7, rel=1e-9)
    assert math.isinf(brute_upper(5.0, Gaussian(3.0), Gaussian(1.0, 0.7), 2.7))
    assert expected_background(Sideband(10.0, 4.0)) == 2.5
    assert brute_q(10.0, 5.0, Gaussian(3.0), Counted(20.0, 100.0)) == pytest.approx(0.0, abs=1e-9)


def test_counted_cls_in_closed_form():
    """n = 0: exp(-mu) = alpha whatever the background; without background a classical limit."""
    assert counting_coverage.counted_cls_upper(np.zeros(1), 3.0, 0.1)[0] == pytest.approx(math.log(10.0), rel=1e-9)
    upper = counting_coverage.counted_cls_upper(np.array([4.0]), 1e-9, 0.1)[0]
    assert upper == pytest.approx(0.5 * stats.chi2.ppf(0.9, 10.0), rel=1e-7)


def test_spectra_of_the_studies():
    nu = expectation(BINS)
    per_10_mev = 5.0 * nu
    assert per_10_mev[0, 0] == pytest.approx(2e4, rel=0.01)
    assert per_10_mev[1, 0] == pytest.approx(7e5, rel=0.01)
    for mass in TEN_MASSES:
        model = hunt_model(nu, mass)
        start, size = model.columns.start[0], model.columns.size[0]
        kept = near(nu, BINS, mass)
        for c in range(2):
            inside = slice(start[c], start[c] + size[c])
            assert np.array_equal(kept[c, inside], nu[c, inside])


# ---- the checks, short ----


def test_counting_limits():
    checks = counting_limits.counting_limits(QUICK)
    for check in checks:
        all_good(check.run(), reported=int(check.name == "single values"))


def test_gaussian_limits():
    for check in gaussian_limits.gaussian_limits():
        all_good(check.run())


def test_asimov():
    (check,) = asimov.asimov()
    all_good(check.run())


@pytest.mark.parametrize("mass", [1.505, 2.945, 3.205])
def test_injection(mass):
    """1200 toys of five strengths, seed 1: slope, intercept, pulls. Each is granted three errors (p = 3e-3)."""
    result = all_good(find(injection.injection(QUICK), f"{mass:g} GeV"))
    assert [row.quantity for row in result.rows][:2] == ["slope", "|intercept|"]
    assert 0.0 < result.rows[0].error < 0.01


@pytest.mark.parametrize("strength", [0, 1, 3])
def test_coverage(strength):
    """1200 toys of 100 mu mu events per 10 MeV, seed 1, three errors below what is required (p = 1e-3)."""
    result = all_good(find(coverage.coverage(QUICK), f"100 events, {strength} sigma"))
    assert len(result.rows) == 3
    if strength == 0:
        assert all(row.value == 1.0 for row in result.rows)


def test_coverage_of_few_counts():
    """Exact sums at b = 3: the profile likelihood covers less than promised, CLs does not; brute sum at one signal."""
    result = all_good(find(counting_coverage.counting_coverage(), "b = 3"), reported=3)
    worst = {row.subject.split(",")[0] + row.subject.split(",")[1]: row.value for row in result.rows}
    assert worst["bounded one-sided 90 %"] < 0.85
    assert worst["unbounded one-sided 90 %"] < 0.85
    (line,) = [line for line in result.lines if line.label == "bounded, two-sided 90 %"]
    at = 400
    covered = [poisson_limit(n, 3, 0, 1, 0).upper >= line.x[at] for n in range(60)]
    assert line.y[at] == pytest.approx(stats.poisson.pmf(np.arange(60), 3.0 + line.x[at]) @ covered, abs=1e-12)


def test_toys_take_over_for_few_counts():
    """48 data sets of 400 toys, seed 1, at two sigma."""
    result = all_good(find(few_counts.few_counts(QUICK), "few counts, 2 sigma"), reported=3)
    assert result.rows[-1].source == "48 data sets of 400 toys"


def test_look_elsewhere():
    """Up-crossings of 160 toys against 1200 direct ones, seed 1, three errors and 10 %."""
    (check,) = global_significance.look_elsewhere(QUICK)
    result = check.run()
    judged = [row for row in result.rows if row.tolerance is not None]
    assert len(judged) >= 3
    assert [row.verdict for row in judged] == ["good"] * len(judged)


def test_iminuit():
    pytest.importorskip("iminuit")
    all_good(find(other_fitters.other_fitters(QUICK), "iminuit"))


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
def test_pyhf():
    pytest.importorskip("pyhf")
    pytest.importorskip("iminuit")
    all_good(find(other_fitters.other_fitters(QUICK), "pyhf"), reported=2)


def test_absent_program_is_reported():
    result = other_fitters.unless_absent(("math", "no_such_program"), lambda _: Result([], []), QUICK)
    assert [(row.subject, row.quantity, row.verdict) for row in result.rows] == [
        ("no_such_program", "not installed", "reported")
    ]
    assert other_fitters.unless_absent(("math",), lambda _: Result([], []), QUICK).rows == []


@pytest.mark.long
def test_speed_is_reported():
    (check,) = statistics_speed.statistics_speed(QUICK)
    result = all_good(check.run(), reported=3)
    assert all(row.value > 0.0 for row in result.rows)


# ---- the whole, and the verb ----


def few_checks(settings):
    chosen = [find_check(injection.injection(settings), "2.2 GeV")]
    chosen.append(find_check(coverage.coverage(settings), "100 events, 1 sigma"))
    return [*chosen, find_check(gaussian_limits.gaussian_limits(), "one bin")]


def find_check(checks, name):
    (found,) = [check for check in checks if check.name == name]
    return found


def test_names_of_checks_differ():
    names = [(check.topic, check.name) for check in statistics.all_checks(QUICK)]
    assert len(set(names)) == len(names)


def test_jobs_do_not_matter():
    rows = [run_checks(few_checks(QUICK), jobs=jobs).rows for jobs in (1, 3)]
    assert repr(rows[0]) == repr(rows[1])
    assert repr(run_checks(few_checks(Settings(2, quick=True))).rows) != repr(rows[0])


def test_verb(tmp_path, monkeypatch, capsys):
    given = []

    def checks(settings):
        given.append(settings)
        return few_checks(settings)

    monkeypatch.setattr(statistics, "all_checks", checks)
    monkeypatch.chdir(tmp_path)
    assert main(["validate", "statistics", "--quick", "--jobs", "2", "--out", "new", "--seed", "7"]) == 0
    assert given == [QUICK._replace(seed=7)]
    output, errors = capsys.readouterr()
    assert errors == ""
    assert "injection: 5 good" in output
    assert "seed 7, " in output
    files = {path.name for path in (tmp_path / "new").iterdir()}
    figures = {f"{name}.{kind}" for name in ("coverage", "gaussian_limits", "injection") for kind in ("png", "pdf")}
    assert files == figures | {"comparisons.csv", "comparisons.md"}
    assert "Validation of the statistics, seed 7, quick" in (tmp_path / "new" / "comparisons.md").read_text()


def test_verb_says_what_is_off(tmp_path, monkeypatch, capsys):
    row = at_least("CLs", "coverage", 0.8, 0.01, 0.9, "toys", remark="few")
    monkeypatch.setattr(statistics, "all_checks", lambda settings: [Check("topic", "one", lambda: Result([row], []))])
    monkeypatch.chdir(tmp_path)
    assert main(["validate", "statistics", "--out", "new"]) == 1
    assert "off: CLs: coverage: 0.8 +- 0.01, at least 0.9, toys (few)" in capsys.readouterr().out


def test_bad_input(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "notes").touch()
    with pytest.raises(FileExistsError):
        statistics.validate_statistics(tmp_path / "there")
    with pytest.raises(ValueError, match="jobs = 0"):
        statistics.validate_statistics(tmp_path / "new", jobs=0)
    with pytest.raises(ValueError, match="seed"):
        statistics.validate_statistics(tmp_path / "new", seed=-1)


def test_figure_of_lines():
    x = np.arange(3.0)
    first = Plot("f", "first", "x", "y", wanted=(0.5, 1.5), levels=(1.0,))
    second = Plot("f", "second", "x", "y", logarithmic=True, y_range=(0.1, 10.0))
    lines = [
        Line(first, "points", x, x, np.ones(3)),
        Line(first, "line", x, x + 1.0),
        Line(first, "points", x + 3.0, x, np.ones(3)),
        Line(second, "line", x, x + 1.0, dashed=True),
    ]
    plots = plots_of(lines)["f"]
    assert [list(labels) for labels in plots.values()] == [["points", "line"], ["line"]]
    figure = plots_figure(plots)
    assert len(figure.axes) == 2
    assert len(figure.axes[0].lines) >= 2
    points = figure.axes[0].containers[0].lines[0]
    assert list(points.get_xdata()) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert figure.axes[1].get_yscale() == "log"
    assert figure.axes[1].lines[0].get_linestyle() == "--"
    nothing_cut_off(figure)
