"""Where the numbers of cards come from: comments as data, cards resolved, compared, and as a template."""

import dataclasses
import re
from pathlib import Path

import pytest
from besfast.geometry import layout
from besfast.geometry.card import card_names, card_text, load_card
from besfast.geometry.comparison import differences
from besfast.geometry.keys import card_keys, values
from besfast.geometry.provenance import STATUSES, UNSTATED, annotations, of_place, provenance

TEXT = """
base = "besiii"  # no status
name = "mine # not a comment"
[emc.barrel]
noise = 1e-3   # [GeV] published, somewhere; "quoted" # twice
"stochastic" = 0.03   #[GeV^(1/2)]estimated
# a comment of its own
constant = 0.02
[mdc]
layers = [     # [cm, cm, rad] geometry, a file
  [10.0, 50.0, 0.0], # first
  [20.0, 50.0, 0.0],
  [30.0, 50.0, 0.0],
  [40.0, 50.0, 0.0],
  [50.0, 50.0, 0.0],
]
[[material]]
name = 'it''s'  # name
r_inner = 3.0  # [cm] input so that
[[material]]
name = "two"
r_inner = 4.0  # [cm] computed
""".replace("it''s", "its")


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_comments_are_found_with_their_values():
    found = dict(annotations(TEXT))
    assert found["base"] == "# no status"
    assert found["name"] == ""
    assert found["emc.barrel.noise"] == '# [GeV] published, somewhere; "quoted" # twice'
    assert found["emc.barrel.stochastic"] == "#[GeV^(1/2)]estimated"
    assert found["emc.barrel.constant"] == ""
    assert found["mdc.layers"] == "# [cm, cm, rad] geometry, a file"
    assert found["material[1].r_inner"] == "# [cm] computed"
    assert len(found) == 10


def test_the_last_file_speaks_for_a_value(tmp_path):
    write(
        tmp_path,
        "a.toml",
        'base = "besiii"\n[field]\nbz = 0.9  # [T] estimated, a\n[beam]\nsqrt_s = 3.1 # [GeV] input\n',
    )
    path = write(
        tmp_path,
        "b.toml",
        'base = "a.toml"\nmaterial = []\n[mdc]\nhit_resolution = 0.02\n[beam]\nelectron_energy = 2.0 '
        "# [GeV] published\npositron_energy = 1.5\n",
    )
    known = provenance(path)
    assert of_place(known, "field.bz") == (str(tmp_path / "a.toml"), "T", "estimated", "a")
    assert of_place(known, "mdc.hit_resolution")[1:] == ("", UNSTATED, "")
    assert of_place(known, "mdc.hit_efficiency").file == "besiii.toml"
    assert of_place(known, "mdc.layers[7].radius").status == "geometry"
    assert of_place(known, "beam.tilt").status == "default"
    # energies of both beams replace sqrt_s of the base; an empty list replaces its rows
    assert of_place(known, "beam.sqrt_s").status == "default"
    assert of_place(known, "beam.electron_energy").status == "published"
    assert not [place for place in known if place.startswith("material[")]


@pytest.mark.parametrize("name", card_names())
def test_every_number_of_a_packaged_card_has_a_status(name):
    known, card = provenance(name), load_card(name)
    for one in values(card):
        kind = type(one.value[0]) if isinstance(one.value, tuple) and one.value else type(one.value)
        if kind not in (float, int):
            continue
        origin = of_place(known, one.place)
        assert origin.status in (*STATUSES, "default"), (one.place, origin)


@pytest.mark.parametrize("name", card_names())
def test_units_in_comments_are_those_of_the_dataclasses(name):
    card = load_card(name)
    units = {one.place: one.unit for one in values(card)}
    for place, origin in provenance(name).items():
        if place in units:
            assert origin.unit == units[place] or origin.status == UNSTATED, (place, origin)
        else:  # a list of rows
            rows = [unit for inner, unit in units.items() if inner.startswith(f"{place}[0].")]
            assert not rows or ", ".join(rows).startswith(origin.unit), (place, origin)


@pytest.mark.parametrize("name", card_names())
def test_a_resolved_card_is_the_card(name, tmp_path):
    text = layout.resolved_text(name)
    path = write(tmp_path, "resolved.toml", text)
    assert load_card(path) == load_card(name)
    assert not re.search(r"^base", text, re.MULTILINE)
    ours, theirs = provenance(path), provenance(name)
    for one in values(load_card(name)):
        if of_place(theirs, one.place).status in STATUSES:
            assert of_place(ours, one.place).status == of_place(theirs, one.place).status


def test_the_template_is_a_card_before_and_after_it_is_filled_in(tmp_path):
    text = layout.template_text("besiii")
    assert load_card(write(tmp_path, "template.toml", text)) == load_card("besiii")
    filled = re.sub(r"^#(?! )", "", text, flags=re.MULTILINE)
    assert load_card(write(tmp_path, "filled.toml", filled)) == load_card("besiii")
    for key in card_keys():
        assert re.search(rf"^# ?{key.place.rpartition('.')[2]}\b|^#\[|\[\[", text, re.MULTILINE), key
    assert "# number in (0, 1] [cm]." in text


def test_a_template_of_a_users_card(tmp_path):
    path = write(tmp_path, "mine.toml", 'base = "besiii"\nname = "mine"\n[field]\nbz = 0.7\n')
    assert load_card(write(tmp_path, "again.toml", layout.template_text(path))).field.bz == 0.7


def test_differences_have_values_units_and_status(tmp_path):
    path = write(
        tmp_path,
        "mine.toml",
        'base = "besiii"\nname = "mine"\n[field]\nbz = 0.9 # [T] published, there\n[tof]\nsmear = false\n',
    )
    found = {one.place: one for one in differences("besiii", path)}
    assert list(found) == ["name", "field.bz", "tof.smear"]
    assert found["field.bz"].unit == "T"
    assert found["field.bz"].first[:2] == ("1.0", "published")
    assert found["field.bz"].second == ("0.9", "published", "there")
    assert found["tof.smear"].second.value == "false"
    assert differences("besiii", "besiii") == []
    rows = {one.place: one for one in differences("besiii", "ideal")}
    assert rows['material["beam pipe gold"]'].second.value == ""


def test_differences_of_rows(tmp_path):
    text = card_text("besiii")
    one = write(tmp_path, "one.toml", text.replace("[ 7.5890,  39.0,", "[ 7.5890,  39.5,"))
    (row,) = differences("besiii", one)
    assert (row.place, row.unit, row.first.value, row.second.value) == (
        "mdc.layers[0].half_length",
        "cm",
        "39.0",
        "39.5",
    )
    assert row.first.status == "geometry"
    shorter = write(tmp_path, "shorter.toml", text.replace("  [76.3450, 115.3,  0.000000],\n", ""))
    (row,) = differences("besiii", shorter)
    assert (row.place, row.first.value, row.second.value) == ("mdc.layers", "43 rows", "42 rows")
    many = write(tmp_path, "many.toml", re.sub(r"(11\d\.\d),", r"\g<1>1,", text))
    (row,) = [one for one in differences("besiii", many) if one.place == "mdc.layers"]
    assert row.second.value.startswith("43 rows, 1")


def test_keys_have_types_and_defaults():
    keys = {key.place: key for key in card_keys()}
    assert keys["beam.spot"].kind == "list of 3 numbers"
    assert keys["beam.electron_energy"][1:5] == ("number", "GeV", "(0, 1000]", None)
    assert keys["mdc.layers[].radius"].unit == "cm"
    assert keys["mdc.smear"].kind == "true or false"
    assert keys["field.bz"].default is dataclasses.MISSING
    assert keys["beam.tilt"].sentence.startswith("Rotation of both beams from z towards x")


def test_every_key_has_a_sentence():
    for key in card_keys():
        assert key.sentence.endswith("."), key.place


PAGE = Path(__file__).resolve().parents[1] / "docs" / "cards.md"


@pytest.mark.skipif(not PAGE.is_file(), reason="tests without their project")
def test_the_table_of_the_documentation_is_the_code():
    text = PAGE.read_text(encoding="utf-8")
    assert text.split("<!-- keys -->\n")[1].strip() == layout.key_table().strip(), "besfast card template --markdown"
    for name in card_names():
        assert f"| `{name}` |" in text


@pytest.mark.skipif(not PAGE.is_file(), reason="tests without their project")
def test_the_examples_of_the_documentation_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert load_card(write(tmp_path, "thin.toml", example)).mdc.hit_resolution == 0.0115
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(example, "docs/cards.md", "exec"), {})
    kept = [float(number) for number in re.findall(r"0\.\d+", capsys.readouterr().out)]
    assert len(kept) == 2
    assert kept[0] - 0.02 < kept[1] <= kept[0]
