"""Shared fixtures, and the guard against testing an installed package that is not this checkout."""

import importlib.util
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

PROJECT = Path(__file__).resolve().parents[1]
SUFFIXES = {".py", ".toml", ".csv", ".typed"}


def installed_folder():
    spec = importlib.util.find_spec("besfast")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).resolve().parent


def package_files(root, rooms):
    found = {}
    for room in rooms:
        folder = root / room
        found |= {p.relative_to(root).as_posix(): p for p in folder.glob("*") if p.suffix in SUFFIXES and p.is_file()}
    return {name: path for name, path in found.items() if name != "pyproject.toml"}


def pytest_configure():
    if not (PROJECT / "pyproject.toml").is_file() or not (PROJECT / "event.py").is_file():
        return  # the tests alone, without the sources beside them
    installed = installed_folder()
    if installed is None:
        pytest.exit("besfast is not installed: run python3 -m pip install '.[test]'", returncode=4)
    if installed == PROJECT:
        return
    packages = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    rooms = [name.removeprefix("besfast").removeprefix(".").replace(".", "/") for name in packages] + ["data"]
    here, there = package_files(PROJECT, rooms), package_files(installed, rooms)
    if here.keys() != there.keys() or any(here[name].read_bytes() != there[name].read_bytes() for name in here):
        message = "installed besfast differs from this checkout: run python3 -m pip install '.[test]'"
        pytest.exit(message, returncode=4)


@pytest.fixture(scope="session")
def run_python(tmp_path_factory):
    """Return a function that runs code in a fresh interpreter and returns what it printed."""
    folder = tmp_path_factory.mktemp("elsewhere")

    def run(code, *, check=True, **environment):
        result = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            cwd=folder,
            env=os.environ | environment,
            timeout=300,
            check=False,
        )
        if check:
            assert result.returncode == 0, result.stderr
            return result.stdout
        return result

    return run


@pytest.fixture(scope="session")
def make_record():
    """Return a function that makes a record of any kind with arbitrary content and a Poisson number of rows."""
    from besfast.event import COLUMNS, RECORDS, TABLES

    def make(kind, n_events, mean=3.0, **scalars):
        rng = np.random.default_rng(n_events)
        parts, rows = {}, {"event": n_events}
        for table in TABLES[kind]:
            if table.offsets:
                offsets = np.zeros(n_events + 1, dtype=np.int64)
                offsets[1:] = np.cumsum(rng.poisson(mean, n_events))
                parts[table.offsets], rows[table.name] = offsets, int(offsets[-1])
        for column in COLUMNS[kind]:
            shape = (rows[column.table], *column.shape)
            values = np.empty(shape, dtype=column.dtype, order="F")
            if column.dtype == "f8":
                values[...] = rng.normal(0.0, 10.0, shape)
            else:
                values[...] = rng.integers(0, 2 if column.dtype == "?" else 1000, shape)
            parts[column.name] = values
        parts["number"] = np.arange(n_events, dtype=np.int64)
        return RECORDS[kind](**parts, **scalars)

    return make


@pytest.fixture(scope="session")
def assert_same():
    """Return a function that asserts that two records agree bit for bit, types, layout and scalars included."""

    def same(a, b):
        assert type(a) is type(b)
        for name in a._fields:
            x, y = getattr(a, name), getattr(b, name)
            if not isinstance(x, np.ndarray):
                assert type(x) is type(y)
                assert x == y or (x != x and y != y), name
                continue
            assert x.dtype == y.dtype, name
            assert x.shape == y.shape, name
            assert np.asfortranarray(x).tobytes("F") == y.tobytes("F"), name
            assert y.flags.f_contiguous, name

    return same
