"""Numba options, chosen in one place, and the disk cache of compiled stages.

A *formula* takes numbers and returns numbers (`kernel`); a *stage* is one loop over columns (`stage`).
`error_model="numpy"` is mandatory: the zero-division checks of the default model stop the vectoriser (5 to 13 times
slower). `fastmath` is never used, not even contraction: the same seed must give the same bits on every machine.
"""

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numba import njit, types
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])

JIT = not numba.config.DISABLE_JIT

#: Events per block of a runner: a block's columns stay in the first-level cache.
BLOCK = 1024


def kernel(f: F) -> F:
    """Compile a formula on numbers; LLVM inlines it, so that the loop around it becomes SIMD."""
    return njit(error_model="numpy", forceinline=True)(f)  # type: ignore[no-any-return]


def stage(f: F) -> F:
    """Compile a loop over columns, without the GIL, kept on disk between processes."""
    options = {"error_model": "numpy", "nogil": True}
    directory = _cache_directory()
    if not JIT or directory is None:
        return njit(**options)(f)  # type: ignore[no-any-return]
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = directory
    try:
        return njit(cache=True, **options)(f)  # type: ignore[no-any-return]
    finally:
        numba.config.CACHE_DIR = before


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
    rooms = ("", "geometry", "detector", "sim", "reco", "analysis")
    for path in sorted(path for room in rooms for path in (root / room).glob("*.py")):
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


if JIT:

    @intrinsic
    def fma(typingctx, a, b, c):  # type: ignore[no-untyped-def]  # noqa: ARG001
        """Return a * b + c rounded once."""

        def code(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ARG001
            return builder.fma(*args)

        return types.float64(types.float64, types.float64, types.float64), code

    @intrinsic
    def float_bits(typingctx, x):  # type: ignore[no-untyped-def]  # noqa: ARG001
        """Return the 64 bits of a double as a signed integer."""

        def code(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ARG001
            return builder.bitcast(args[0], context.get_value_type(types.int64))

        return types.int64(types.float64), code

    @intrinsic
    def bits_float(typingctx, k):  # type: ignore[no-untyped-def]  # noqa: ARG001
        """Return the double whose bits are the 64-bit integer k."""

        def code(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ARG001
            return builder.bitcast(args[0], context.get_value_type(types.float64))

        return types.float64(types.int64), code

else:
    import math
    import struct
    from fractions import Fraction

    def fma(a: float, b: float, c: float) -> float:
        """Return a * b + c rounded once (exact rational arithmetic)."""
        a, b, c = float(a), float(b), float(c)
        if not (math.isfinite(a) and math.isfinite(b) and math.isfinite(c)):
            return a * b + c
        exact = Fraction(a) * Fraction(b) + Fraction(c)
        if exact == 0:
            return a * b + c  # keeps the sign of zero
        try:
            return float(exact)
        except OverflowError:
            return math.copysign(math.inf, exact)

    def float_bits(x: float) -> int:
        """Return the 64 bits of a double as a signed integer."""
        return int(struct.unpack("<q", struct.pack("<d", x))[0])

    def bits_float(k: int) -> float:
        """Return the double whose bits are the 64-bit integer k."""
        return float(struct.unpack("<d", struct.pack("<Q", int(k) & 0xFFFFFFFFFFFFFFFF))[0])
