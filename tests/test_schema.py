"""Sections of TOML files: values of every kind, and one line for every mistake."""

import re
from dataclasses import dataclass

import pytest
from besfast.analysis.search_card import Search, load_search, search_names
from besfast.geometry.sections import Card
from besfast.packaged import Shelf
from besfast.schema import SchemaError, Section, build, digest, parse_toml, quantity, require_range

SEARCHES = Shelf("search", "besfast.analysis")


@dataclass(frozen=True)
class Wire(Section):
    """A part with two numbers."""

    radius: float = quantity("cm", "(0, 100]")
    stereo: float = quantity("rad", "(-1, 1)")


@dataclass(frozen=True)
class Chamber(Section):
    """A section with a value of every kind."""

    name: str
    wires: tuple[Wire, ...]
    hits: int = quantity("", "[5, 100]")
    window: tuple[float, float] = quantity("ns", "[-10, 10]")
    smear: bool = quantity("")
    gas: str = quantity("", choices=("helium", "argon"))
    pressure: float | None = quantity("bar", "(0, inf)", default=None)
    cells: int = quantity("", "[1, 9]", default=3)

    def check(self) -> None:
        """Raise SchemaError unless the window increases."""
        require_range("window", self.window)


GOOD = """
name = "test"
hits = 7
window = [-1, 2.5]
smear = true
gas = "helium"
wires = [[1, 0.5], { radius = 2.0, stereo = 0.0 }]
"""


def chamber(text):
    return build(Chamber, parse_toml(text, "a.toml"), "a.toml")


def test_values_of_every_kind():
    made = chamber(GOOD)
    assert made.wires == (Wire(1.0, 0.5), Wire(2.0, 0.0))
    assert isinstance(made.wires[0].radius, float)
    assert made.window == (-1.0, 2.5)
    assert (made.hits, made.smear, made.gas) == (7, True, "helium")
    assert (made.pressure, made.cells) == (None, 3)
    assert chamber(GOOD + "pressure = 2\ncells = 4").pressure == 2.0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hits = 7", "hits = 4", "hits = 4, allowed [5, 100]"),
        ("hits = 7", "hits = 7.0", "hits = 7.0, allowed an integer"),
        ("hits = 7", "hits = false", "hits = False, allowed an integer"),
        ("hits = 7", "", "hits is missing"),
        ("[-1, 2.5]", "[-1, 25]", "window = [-1.0, 25.0], allowed [-10, 10] ns"),
        ("[-1, 2.5]", "[3, 2.5]", "window = [3.0, 2.5], allowed two increasing numbers"),
        ("[-1, 2.5]", "[1, 2, 3]", "window = [1, 2, 3], allowed a list of 2 numbers"),
        ("[-1, 2.5]", "[1, 'a']", "window[1] = 'a', allowed a number"),
        ("[-1, 2.5]", "3", "window = 3, allowed a list"),
        ("smear = true", "smear = 1", "smear = 1, allowed true or false"),
        ("smear = true", "smear = true\npressure = 0", "pressure = 0.0, allowed (0, inf) bar"),
        ("smear = true", "smear = true\npressure = inf", "pressure = inf, allowed (0, inf) bar"),
        ("smear = true", "smear = true\ncells = 10", "cells = 10, allowed [1, 9]"),
        ("smear = true", "smear = true\ncolour = 1", "unknown key colour, allowed name, wires, hits, "),
        ('"helium"', '"xenon"', "gas = 'xenon', allowed 'helium', 'argon'"),
        ('"test"', "5", "name = 5, allowed a text"),
        ("[1, 0.5]", "[1, 2.5]", "wires[0].stereo = 2.5, allowed (-1, 1) rad"),
        ("[1, 0.5]", "[1]", "wires[0] = [1], allowed a table of radius, stereo"),
        ("stereo = 0.0", "phi = 0.0", "unknown key wires[1].phi, allowed radius, stereo"),
        (", stereo = 0.0", "", "wires[1].stereo is missing [rad]"),
        ("hits = 7", "hits = ", "not valid TOML: Invalid value (at line 3"),
    ],
)
def test_a_mistake_is_one_line(old, new, message):
    assert old in GOOD
    with pytest.raises(SchemaError, match=re.escape(message)) as caught:
        chamber(GOOD.replace(old, new))
    assert str(caught.value).startswith("a.toml: ")
    assert "\n" not in str(caught.value)


def test_values_are_checked_without_a_file():
    with pytest.raises(ValueError, match=re.escape("radius = -1.0, allowed (0, 100] cm")):
        Wire(-1.0, 0.0)


def test_digest_depends_on_every_value():
    assert digest(chamber(GOOD)) == digest(chamber(GOOD))
    assert digest(chamber(GOOD)) != digest(chamber(GOOD.replace("0.5", "0.4")))


def test_packaged_searches_load():
    assert search_names() == ("besiii_dark_photon",)
    search = load_search("besiii_dark_photon")
    assert isinstance(search, Search)
    assert load_search(search) is search
    assert search.name == "besiii_dark_photon"
    assert len({process.label() for process in search.process}) == len(search.process)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("luminosity = 0", "luminosity = 0.0, allowed (0, 1e5] fb^-1"),
        ("[cuts.ee]\nchi2_max = '5'", "cuts.ee.chi2_max = '5', allowed a number"),
        ("[limit]\nbackground = 'poly5'", "limit.background = 'poly5', allowed 'exp_poly4_split', 'poly4'"),
        ("[spectrum]\ngap = [3.2, 2.9]", "spectrum.gap = [3.2, 2.9], allowed low <= high [GeV]"),
        ("[spectrum]\nmass_high = 1.2", "spectrum.mass_high = 1.2, allowed above mass_low + bin_width [GeV]"),
        ("[spectrum]\nbin_width = 0.013", "spectrum.bin_width = 0.013, allowed a whole number of bins [GeV]"),
        ("[annihilation]\nslices = 0", "annihilation.slices = 0, allowed [1, 64]"),
        ("[signl]\nevents = 1", "unknown key signl, allowed name, reference, card, "),
    ],
)
def test_a_wrong_search_is_refused(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(f'base = "besiii_dark_photon"\n{text}\n')
    with pytest.raises(ValueError, match=re.escape(f"{path}: {message}")):
        load_search(path)


def test_files_of_users_build_on_others(tmp_path):
    (tmp_path / "a.toml").write_text('base = "besiii_dark_photon"\nluminosity = 20\n[cuts.ee]\nchi2_max = 7\n')
    (tmp_path / "b.toml").write_text(f"base = '{tmp_path / 'a.toml'}'\nname = 'b'\n")
    search, packaged = load_search(tmp_path / "b.toml"), load_search("besiii_dark_photon")
    assert (search.name, search.luminosity, search.cuts.ee.chi2_max) == ("b", 20.0, 7.0)
    assert search.cuts.mumu == packaged.cuts.mumu
    assert search.digest() != packaged.digest()


def test_files_of_users_that_build_on_each_other(tmp_path):
    a, b = tmp_path / "a.toml", tmp_path / "b.toml"
    a.write_text(f"base = '{b}'\n")
    b.write_text(f"base = '{a}'\n")
    with pytest.raises(ValueError, match=r"base = .*, allowed the name or path of another search"):
        load_search(a)


def test_what_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="none: no such search, allowed besiii_dark_photon or the path"):
        SEARCHES.text("none")
    with pytest.raises(FileNotFoundError, match="no such search"):
        SEARCHES.text(tmp_path)
    with pytest.raises(TypeError, match="search = 3, must be a name or a path"):
        load_search(3)
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not a text file, allowed TOML in UTF-8"):
        SEARCHES.text(tmp_path / "a.toml")


def test_sections_are_dataclasses_of_their_own():
    """A subclass that is no dataclass itself would lose its fields."""
    todo = [Section]
    while todo:
        kind = todo.pop()
        todo += kind.__subclasses__()
        assert "__dataclass_params__" in vars(kind), kind
        assert vars(kind)["__dataclass_params__"].frozen, kind
    assert issubclass(Card, Section)
