"""Cards: the packaged ones load, a wrong one is refused in one line that names file, key, value and what is allowed."""

import dataclasses
import pickle
import re
from importlib import resources
from pathlib import Path

import pytest
from besfast.geometry import sections
from besfast.geometry.card import card_hash, card_names, card_text, load_card
from besfast.geometry.keys import card_keys
from besfast.schema import SchemaError


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_packaged_cards_load():
    assert card_names() == ("babar", "belle2", "besiii", "besiii_0.9T", "besiii_2015", "ideal", "stcf")
    for name in card_names():
        card = load_card(name)
        assert card.name == name
        assert load_card(card) is card


def test_besiii_has_the_published_numbers():
    card = load_card("besiii")
    assert card.beam.sqrt_s == 3.773
    assert card.beam.half_crossing_angle == 0.011
    assert card.field.bz == 1.0
    assert len(card.mdc.layers) == 43
    assert (card.mdc.layers[0].radius, card.mdc.layers[-1].radius) == (7.589, 76.345)
    # superlayers: U V, three axial, U V U V, two axial
    signs = [(layer.stereo > 0) - (layer.stereo < 0) for layer in card.mdc.layers]
    assert signs == [1] * 4 + [-1] * 4 + [0] * 12 + [1] * 4 + [-1] * 4 + [1] * 4 + [-1] * 4 + [0] * 7
    assert len(card.muc.barrel.gaps) == 9
    assert len(card.muc.endcap.gaps) == 8
    pipe = sum((c.r_outer - c.r_inner) / c.radiation_length for c in card.material if c.r_outer < 5)
    wall = sum((c.r_outer - c.r_inner) / c.radiation_length for c in card.material if 5 < c.r_outer < 10)
    assert pipe == pytest.approx(0.0098, rel=0.01)
    assert wall == pytest.approx(0.0065, rel=0.03)


def test_ideal_is_besiii_without_losses():
    ideal, besiii = load_card("ideal"), load_card("besiii")
    assert ideal.mdc.layers == besiii.mdc.layers
    assert ideal.material == ()
    assert ideal.beam.half_crossing_angle == ideal.beam.energy_spread == 0.0
    assert ideal.trigger.efficiency == ideal.mdc.efficiency_muon == 1.0
    assert not any(part.smear for part in (ideal.mdc, ideal.dedx, ideal.tof, ideal.emc, ideal.muc))
    assert ideal.mdc.hit_resolution == besiii.mdc.hit_resolution  # the nominal covariance is kept


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[emc.barrel]\nstochastic = -0.02", "emc.barrel.stochastic = -0.02, allowed (0, 1]"),
        ("[emc.barrel]\nstochastic = nan", "emc.barrel.stochastic = nan, allowed (0, 1]"),
        ("[emc.barrel]\nstochastic = '2 %'", "emc.barrel.stochastic = '2 %', allowed a number"),
        ("[mdc]\nsmear = 1", "mdc.smear = 1, allowed true or false"),
        ("[mdc]\nmin_hits = 10.5", "mdc.min_hits = 10.5, allowed an integer"),
        ("[mdc]\nmin_hits = true", "mdc.min_hits = True, allowed an integer"),
        ("[emc]\nbarrel = 3", "emc.barrel = 3, allowed a table of front_radius"),
        ("[emc.barel]\nnoise = 1.0", "unknown key emc.barel, allowed barrel, endcap, hadron"),
        ("[beam]\nspot = [0.1, 0.2]", "beam.spot = [0.1, 0.2], allowed a list of 3 numbers"),
        ("[beam]\nspot = 0.1", "beam.spot = 0.1, allowed a list"),
        ("[muc.barrel]\niron = [1.0]", "muc.barrel.iron: 1 numbers, allowed 9, one per gap"),
        ("[mdc]\nlayers = [[1.0, 2.0, 0.0]]", "mdc.layers: 1 rows, allowed at least 5"),
        ("[mdc]\nlayers = [[1.0, 2.0]]", "mdc.layers[0] = [1.0, 2.0], allowed a table of radius, half_length, stereo"),
        ("[emc.endcap]\ncos_range = [0.9, 0.8]", "emc.endcap.cos_range = [0.9, 0.8], allowed two increasing numbers"),
        ("[emc", "Expected ']' at the end of a table declaration"),
    ],
)
def test_a_wrong_card_is_refused_in_one_line(tmp_path, text, message):
    path = write(tmp_path, f'base = "besiii"\n{text}\n')
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        load_card(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_missing_key_is_named_with_its_unit(tmp_path):
    text = card_text("besiii").replace("bz = 1.0", "")
    with pytest.raises(ValueError, match=r"field\.bz is missing \[T\]"):
        load_card(write(tmp_path, text))


def test_a_missing_file_names_the_packaged_cards():
    with pytest.raises(
        FileNotFoundError,
        match=r"nowhere: no such card, allowed babar, .*, ideal, stcf or the path",
    ):
        load_card("nowhere")
    with pytest.raises(TypeError, match="card = 3"):
        load_card(3)


def test_a_card_of_a_user_builds_on_another(tmp_path):
    card = load_card(write(tmp_path, 'base = "besiii"\nname = "mine"\n[field]\nbz = 0.9\n'))
    besiii = load_card("besiii")
    assert (card.name, card.field.bz) == ("mine", 0.9)
    assert card.mdc == besiii.mdc
    with pytest.raises(ValueError, match="base = "):
        load_card(write(tmp_path, f'base = "{tmp_path}/mine.toml"\n'))


def test_hash_depends_on_every_value():
    besiii = load_card("besiii")
    assert card_hash(besiii) == card_hash(load_card("besiii"))
    warmer = dataclasses.replace(besiii, field=sections.Field(bz=0.9))
    assert card_hash(besiii) != card_hash(warmer) != card_hash(load_card("ideal"))


def test_values_are_checked_without_a_file():
    with pytest.raises(SchemaError, match=r"bz = 0\.0, allowed \(0, 10\]"):
        sections.Field(bz=0.0)


def test_every_number_has_an_allowed_range():
    keys = card_keys()
    assert len(keys) > 150
    for key in keys:
        assert key.allowed or not key.kind.endswith(("number", "integer", "numbers", "integers")), key


def test_cards_are_package_data():
    assert (resources.files("besfast.geometry") / "besiii.toml").is_file()


def test_equal_cards_have_one_hash():
    """Kept with the card, not with its pickle, not by a card with other values."""
    one, other = load_card("besiii"), load_card("besiii")
    assert hash(one) == hash(other)
    assert one == other
    changed = dataclasses.replace(one, name="mine")
    assert hash(changed) != hash(one)
    assert "_hash" not in pickle.loads(pickle.dumps(one)).__dict__
    assert hash(pickle.loads(pickle.dumps(one))) == hash(one)
