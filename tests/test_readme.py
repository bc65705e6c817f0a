"""What the README shows must run."""

import re
from pathlib import Path

import pytest
from besfast.cli import main

README = Path(__file__).resolve().parents[1] / "README.md"
pytestmark = pytest.mark.skipif(not README.is_file(), reason="tests without their project")


def test_python_example(capsys):
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(block.replace("100_000", "5_000"), str(README), "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"cross section 1\.0\d+ \+- 0\.000\d nb within these cuts", lines[0])
    assert len(lines) == 4
    assert 8.0 < float(lines[3]) < 10.0


def test_verbs(tmp_path, monkeypatch, capsys):
    """The chain of verbs, with fewer events; limit and validation take a whole search and minutes: tested elsewhere."""
    lines = re.findall(r"^    besfast ([^#\n]*)", README.read_text(encoding="utf-8"), re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    verbs = []
    for line in lines:
        words = line.replace("100000", "2000").split()
        verbs.append(words[0])
        if words[0] not in ("search", "limit", "validate"):
            assert main(words) == 0, line
    assert {"generate", "simulate", "reconstruct", "select", "limit", "inspect", "card"} <= set(verbs)
    assert "mass_range" in capsys.readouterr().out


def test_files_it_names_exist():
    for name in re.findall(r"\]\((?!https?:)([^)]+)\)", README.read_text(encoding="utf-8")):
        assert (README.parent / name).is_file(), name
