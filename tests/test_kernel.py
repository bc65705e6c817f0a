"""The disk cache of compiled stages: what invalidates it, and that it is never in the way."""

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
assert kernel.source_hash() != ""
print(out[0], sum(run.stats.cache_hits.values()), kernel._cache_directory())
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


def test_every_source_file_counts(tmp_path, monkeypatch):
    files = [path for path in PACKAGE.glob("**/*.py") if "tests" not in path.parts and "build" not in path.parts]
    rooms = {path.relative_to(PACKAGE).parent for path in files if (path.parent / "__init__.py").exists()}
    for path in files:
        target = tmp_path / path.relative_to(PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    monkeypatch.setattr(kernel, "__file__", str(tmp_path / "kernel.py"))
    hashes = {kernel.source_hash()}
    for room in rooms:
        with (tmp_path / room / "__init__.py").open("a") as stream:
            stream.write("# edited\n")
        hashes.add(kernel.source_hash())
    assert len(hashes) == 1 + len(rooms)


def test_options():
    """Zero-division checks would stop the vectoriser; the GIL is released in stages only, where the time goes."""

    @kernel.kernel
    def invert(x):
        return 1.0 / x

    assert invert(0.0) == np.inf
    assert invert.targetoptions["forceinline"]
    assert "fastmath" not in invert.targetoptions
