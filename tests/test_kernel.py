"""The disk cache of compiled stages: what invalidates it, and that it is never in the way."""

import ast
import shutil
from pathlib import Path

import besfast
import numba
import numpy as np
import pytest
from besfast import kernel

PACKAGE = Path(besfast.__file__).resolve().parent

STAGE = """
import numpy as np
from .helper import shift
from .kernel import stage


@stage
def run(x, out):
    for i in range(np.uint64(x.size)):
        out[i] = shift(x[i])
"""
HELPER = """
from .kernel import kernel


@kernel
def shift(x):
    return x + {constant}
"""
USE = """
import sys
sys.path.insert(0, {path!r})
import numba, numpy as np
before = numba.config.CACHE_DIR
from {name} import kernel
from {name}.stages import run
assert numba.config.CACHE_DIR == before
out = np.empty(3)
run(np.zeros(3), out)
import pathlib
import {name}.stages
folder = kernel.cache_directory(pathlib.Path({name}.stages.__file__).resolve())
print(out[0], sum(run.stats.cache_hits.values()), folder)
"""


@pytest.fixture
def package(tmp_path):
    """A small package with this one's kernel.py, and a stage that uses a helper of another file."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    shutil.copy(PACKAGE / "kernel.py", folder)
    (folder / "__init__.py").touch()
    (folder / "stages.py").write_text(STAGE)

    def use(run_python, constant, cache):
        (folder / "helper.py").write_text(HELPER.format(constant=constant))
        code = USE.format(path=str(tmp_path), name="tiny")
        environment = {"XDG_CACHE_HOME": str(cache), "HOME": str(cache), "LOCALAPPDATA": str(cache)}
        value, hits, directory = run_python(code, PYTHONDONTWRITEBYTECODE="1", **environment).split(maxsplit=2)
        return float(value), int(hits), directory.strip()

    return use


def test_an_edited_helper_invalidates_the_cache(package, run_python, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    first = package(run_python, 1.0, cache)
    again = package(run_python, 1.0, cache)
    edited = package(run_python, 2.0, cache)
    assert first[:2] == (1.0, 0)
    assert again == (1.0, 1, first[2])
    assert edited[:2] == (2.0, 0)
    assert edited[2] != first[2]
    assert Path(first[2]).parent == cache / "besfast" or Path(first[2]).parent.name == "besfast"


def test_without_a_writable_folder(package, run_python, tmp_path):
    """A file stands where the cache folder should be (also root cannot write there)."""
    obstacle = tmp_path / "obstacle"
    obstacle.write_text("")
    assert package(run_python, 3.0, obstacle) == (3.0, 0, "None")


def test_configuration_is_restored():
    before = numba.config.CACHE_DIR

    @kernel.stage
    def double(x):
        for i in range(np.uint64(x.size)):
            x[i] *= 2.0

    assert before == numba.config.CACHE_DIR
    x = np.ones(3)
    double(x)
    assert x.tolist() == [2.0] * 3


def relative_imports(path):
    """Return the files of the package that a file imports, by the syntax tree."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            for target in (base, *(base / alias.name for alias in node.names)):
                found |= {target.with_suffix(".py"), target / "__init__.py"}
    return {target for target in found if target.is_file()}


def test_every_imported_file_counts():
    """What a file imports, read off by a regular expression, is what the syntax tree says, for every file."""
    files = [path for path in PACKAGE.glob("**/*.py") if {"tests", "build", "benchmarks"}.isdisjoint(path.parts)]
    assert len(files) > 100
    for path in files:
        assert kernel._imported(path) == relative_imports(path), path
    reached = kernel.source_files(PACKAGE / "sim" / "tracks.py")
    assert {PACKAGE / "rng.py", PACKAGE / "geometry" / "helix.py", PACKAGE / "elementary.py"} <= reached
    assert PACKAGE / "sim" / "showers.py" not in reached


def test_options():
    """Zero-division checks would stop the vectoriser; the GIL is released in stages only, where the time goes."""

    @kernel.kernel
    def invert(x):
        return 1.0 / x

    assert invert(0.0) == np.inf
    assert invert.targetoptions["forceinline"]
    assert "fastmath" not in invert.targetoptions
