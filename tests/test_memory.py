"""Freed memory is kept for the next chunk."""

import sys

import numpy as np
import pytest
from besfast.memory import keep_freed_memory


def faults_of(task):
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    task()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="page faults as Linux counts them")
def test_the_same_pages_serve_again():
    """Thirty columns of 1 MB are 7300 pages: once they were there, another thirty ask the system for next to none."""
    if not keep_freed_memory():
        pytest.skip("not glibc")

    def columns():
        return [np.ones(1 << 17) for _ in range(30)]

    columns()
    assert faults_of(columns) < 1000


def test_elsewhere_nothing_happens(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
