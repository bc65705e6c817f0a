"""Numba options, chosen in one place, and the disk cache of compiled stages.

A *formula* takes numbers and returns numbers (`kernel`); a *stage* is one loop over columns (`stage`).
`error_model="numpy"` is mandatory: the zero-division checks of the default model stop the vectoriser (5 to 13 times
slower). `fastmath` is never used, not even contraction: the same seed must give the same bits on every machine.
"""

import hashlib
import math
import os
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
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
    directory = _cache_directory()
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


def source_hash() -> str:
    """Return the sha256 of every source file of the package: an edited helper invalidates what was compiled from it."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    rooms = ("exchange", "geometry", "detector", "sim", "reco", "analysis", "validation")
    for path in sorted([*root.glob("*.py"), *(path for room in rooms for path in (root / room).rglob("*.py"))]):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


_directory: list[str | None] = []


def _cache_directory() -> str | None:
    """Return the folder of compiled stages, or None where it cannot be written."""
    if not _directory:
        _directory.append(_find_cache_directory())
    return _directory[0]


def _find_cache_directory() -> str | None:
    if not JIT:
        return None
    from llvmlite import binding

    cpu = os.environ.get("NUMBA_CPU_NAME") or binding.get_host_cpu_name()
    key = hashlib.sha256(f"{source_hash()} {numba.__version__} {np.__version__} {cpu}".encode()).hexdigest()
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
