"""What the benchmarks run on, and how they take the time."""

import math
import platform
import time
from collections.abc import Callable
from typing import Any


def processor() -> str:
    """Return the name of the processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def seconds(task: Callable[[], Any], repetitions: int = 7) -> float:
    """Return the shortest thread time of several runs, after one that compiles."""
    task()
    best = math.inf
    for _ in range(repetitions):
        start = time.thread_time()
        task()
        best = min(best, time.thread_time() - start)
    return best
