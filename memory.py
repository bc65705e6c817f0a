"""What the C library does with memory that was freed."""

import ctypes
import sys

#: Of `mallopt` in glibc: how much stays at the top of the heap, and from which size on blocks do not come from there.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_MMAP_THRESHOLD = 32 << 20


def keep_freed_memory(size: int = 1 << 29) -> bool:
    """Let the process keep up to `size` bytes of freed memory for the next chunk of events; return whether it does.

    By default glibc gives the columns of a chunk back to the system and gets the same pages again, empty, for the next
    one: a quarter of the time of simulation and reconstruction went into that. It changes no result. Elsewhere than
    under Linux with glibc nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD) and mallopt(_TRIM_THRESHOLD, size))
