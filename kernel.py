"""Numba options, chosen in one place, and the disk cache of compiled stages.

A *formula* takes numbers and returns numbers (`kernel`); a *stage* is one loop over columns (`stage`).
`error_model="numpy"` is mandatory: the zero-division checks of the default model stop the vectoriser (5 to 13 times
slower). `fastmath` is never used, not even contraction: the same seed must give the same bits on every machine.
"""

import hashlib
import math
import os
import re
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numba
import numba.extending
import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

# numba's own annotations differ from version to version
_njit: Any = numba.njit
_intrinsic: Any = numba.extending.intrinsic
_config: Any = numba.config
types: Any = numba.types

JIT = not _config.DISABLE_JIT

#: Events per block of a runner: a block's columns stay in the first-level cache.
BLOCK = 1024


def blocks(stop: int, start: int = 0) -> Iterator[slice]:
    """Yield the slices of at most `BLOCK` entries that cover [start, stop)."""
    for first in range(start, stop, BLOCK):
        yield slice(first, min(first + BLOCK, stop))


def kernel(f: F) -> F:
    """Compile a formula on numbers; LLVM inlines it, so that the loop around it becomes SIMD."""
    return _njit(error_model="numpy", forceinline=True)(f)  # type: ignore[no-any-return]


def stage(f: F) -> F:
    """Compile a loop over columns, without the GIL, kept on disk between processes."""
    options = {"error_model": "numpy", "nogil": True}
    directory = cache_directory(Path(f.__code__.co_filename).resolve())
    if not JIT or directory is None:
        return _njit(**options)(f)  # type: ignore[no-any-return]
    before = _config.CACHE_DIR
    _config.CACHE_DIR = directory
    try:
        return _njit(cache=True, **options)(f)  # type: ignore[no-any-return]
    finally:
        _config.CACHE_DIR = before


def _user_cache() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))


_ROOT = Path(__file__).resolve().parent
_IMPORT = re.compile(r"^[ \t]*from (\.+)([\w.]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)


@lru_cache(maxsize=1024)
def _imported(path: Path) -> frozenset[Path]:
    """Return the files of the package that a source file imports."""
    found = set()
    for dots, module, names in _IMPORT.findall(path.read_text()):
        base = path.parents[len(dots) - 1].joinpath(*module.split("."))
        for name in ("", *re.findall(r"\w+", names)):
            target = base / name if name else base
            found |= {target.with_suffix(".py"), target / "__init__.py"}
    return frozenset(target for target in found if target.is_file())


def source_files(path: Path) -> frozenset[Path]:
    """Return a source file of the package and all that it imports, directly or not."""
    found, new = {path}, {path}
    while new:
        new = {target for file in new for target in _imported(file)} - found
        found |= new
    return frozenset(found)


def source_hash(path: Path) -> str:
    """Return the sha256 of a source file and all that it imports from the package.

    An edited helper invalidates what was compiled from it. A file outside the package (that is, in a folder without
    `__init__.py`) may import any of its modules and counts with all of them.
    """
    inside = path.is_relative_to(_ROOT) and (path.parent / "__init__.py").is_file()
    files = source_files(path) if inside else {path, *_ROOT.rglob("*.py")}
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{os.path.relpath(file, _ROOT)} {_digest(file)} ".encode())
    return digest.hexdigest()


@lru_cache(maxsize=1024)
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@lru_cache(maxsize=1024)
def cache_directory(path: Path) -> str | None:
    """Return the folder of the stages compiled from a source file, or None where it cannot be written."""
    if not JIT:
        return None
    from llvmlite import binding

    cpu = os.environ.get("NUMBA_CPU_NAME") or binding.get_host_cpu_name()
    try:
        sources = source_hash(path)
    except (OSError, UnicodeDecodeError):  # code that was typed, not read from a file
        return None
    key = hashlib.sha256(f"{sources} {numba.__version__} {np.__version__} {cpu}".encode()).hexdigest()
    try:
        path = _user_cache() / "besfast" / key[:32]
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return str(path)
    except (OSError, RuntimeError):  # no home, or nothing can be written there
        return None


def _exact_fma(a: float, b: float, c: float) -> float:
    a, b, c = float(a), float(b), float(c)
    if not (math.isfinite(a) and math.isfinite(b) and math.isfinite(c)):
        return a * b + c
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if exact == 0:
        return a * b + c  # keeps the sign of zero
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def _exact_float_bits(x: float) -> np.int64:
    return np.int64(struct.unpack("<q", struct.pack("<d", x))[0])


def _exact_bits_float(k: np.int64) -> float:
    return float(struct.unpack("<d", struct.pack("<Q", int(k) & 0xFFFFFFFFFFFFFFFF))[0])


@_intrinsic
def _fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    return types.float64(types.float64, types.float64, types.float64), code


@_intrinsic
def _float_bits(typingctx: Any, x: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.int64))

    return types.int64(types.float64), code


@_intrinsic
def _bits_float(typingctx: Any, k: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.float64))

    return types.float64(types.int64), code


#: a * b + c rounded once. The plain-Python twins (exact rational arithmetic) serve when compilation is off.
fma: Callable[[float, float, float], float] = _fma if JIT else _exact_fma
#: The 64 bits of a double as a signed integer.
float_bits: Callable[[float], np.int64] = _float_bits if JIT else _exact_float_bits
#: The double whose bits are the given 64-bit integer.
bits_float: Callable[[np.int64], float] = _bits_float if JIT else _exact_bits_float
