"""Rows of a validation: ratios, errors and verdicts."""

import csv
import math

import pytest
from besfast.validation.comparison import Comparison, count_verdicts, write_comparisons


def row(value=1.0, error=0.0, reference=1.0, reference_error=0.0, tolerance=0.01, **more):
    return Comparison("s", "q", value, error, reference, reference_error, "nb", tolerance, "source", **more)


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        (row(1.0099), "good"),
        (row(1.0101), "off"),
        (row(0.9899), "off"),
        (row(1.0101, error=0.0001), "good"),
        (row(1.05, error=0.02), "good"),
        (row(1.05, reference_error=0.01), "off"),
        (row(-1.0, reference=-1.0), "good"),
        (row(2.0, tolerance=None), "reported"),
        (row(2.0, is_input=True), "input"),
        (row(math.nan), "off"),
    ],
)
def test_verdicts(one, verdict):
    assert one.verdict == verdict
    assert count_verdicts([one])[verdict] == 1


def test_ratio():
    one = row(2.0, 0.03, 4.0, 0.08)
    assert one.ratio == 0.5
    assert one.ratio_error == pytest.approx(math.hypot(0.03, 0.5 * 0.08) / 4.0)
    assert math.isnan(row(reference=0.0).ratio)
    assert math.isnan(row(reference=0.0).ratio_error)


def test_tables(tmp_path):
    rows = [row(1.23456, 0.0012, 1.2, 0.1, remark="why"), row(3e9, 1e7, 3e9), row(math.nan, tolerance=None)]
    write_comparisons(tmp_path / "table", {"first topic": rows[:2], "second": rows[2:]}, "A title")
    with (tmp_path / "table.csv").open() as lines:
        assert next(lines) == "# A title\n"
        read = list(csv.DictReader(lines))
    assert [line["verdict"] for line in read] == ["good", "good", "reported"]
    assert float(read[0]["value"]) == 1.23456
    text = (tmp_path / "table.md").read_text()
    assert "1.2346 ± 0.0012 nb | 1.20 ± 0.10 nb" in text
    assert "source; why" in text
    assert "| - nb |" in text
    assert "## First topic" in text
    assert [line["topic"] for line in read] == ["first topic", "first topic", "second"]
