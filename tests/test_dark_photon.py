"""Widths against the numbers and closed forms of the BESIII search."""

import subprocess
import sys

import numpy as np
import pytest
from besfast.constants import ALPHA, M_E, M_MU, M_TAU
from besfast.dark_photon import (
    branching_fraction,
    hadronic_ratio,
    hadronic_ratio_error,
    partial_width,
    total_width,
    width_ratio,
)


def test_hadronic_ratio_at_listed_masses() -> None:
    m = np.array([1.5, 1.8, 2.0, 2.2, 2.5, 3.0, 3.2, 3.4])
    assert np.allclose(hadronic_ratio(m), [2.03, 2.35, 2.16, 2.26, 2.25, 2.23, 2.20, 2.20], atol=0.006)
    relative = hadronic_ratio_error(m) / (2.0 + hadronic_ratio(m))
    assert np.allclose(100 * relative, [3.3, 4.5, 4.4, 2.5, 2.4, 2.2, 1.5, 1.4], atol=0.06)


def test_hadronic_ratio_is_linear_between_grid_points() -> None:
    assert hadronic_ratio(2.003) == pytest.approx(0.7 * hadronic_ratio(2.0) + 0.3 * hadronic_ratio(2.01), rel=1e-12)
    assert hadronic_ratio([[2.0], [2.1]]).shape == (2, 1)
    assert np.ndim(hadronic_ratio(2.0)) == 0


@pytest.mark.parametrize("m", [0.29, 4.01, -1.0, np.nan])
def test_hadronic_ratio_outside_its_table(m: float) -> None:
    with pytest.raises(ValueError, match=r"R is tabulated from 0\.3 to 4 GeV"):
        hadronic_ratio([1.0, m])


def test_partial_width_limits() -> None:
    # far above threshold: alpha epsilon^2 m / 3, corrections of order (m_l/m)^4
    assert partial_width(3.0, M_E, 1e-3) == pytest.approx(ALPHA * 1e-6 * 3.0 / 3.0, rel=1e-13)
    beta = np.sqrt(1 - 4 * M_MU**2 / 0.25)
    assert partial_width(0.5, M_MU) == pytest.approx(ALPHA * 0.5 / 3 * beta * (3 - beta**2) / 2, rel=1e-12)
    assert partial_width(0.2, M_MU) == 0.0
    with pytest.raises(ValueError, match="must be positive"):
        partial_width([1.0, 0.0], M_E)


def test_muon_phase_space_of_the_paper() -> None:
    assert partial_width(1.5, M_MU) / partial_width(1.5, M_E) == pytest.approx(0.99985, abs=5e-6)


def test_width_ratio() -> None:
    for m in (1.5, 2.0, 3.4):
        assert width_ratio(m) == 2.0 + hadronic_ratio(m)
        for lepton in ("e", "mu"):
            assert width_ratio(m, lepton) == pytest.approx(width_ratio(m), rel=2.5e-4)
            assert width_ratio(m, lepton) * branching_fraction(m, lepton) == pytest.approx(1.0, rel=1e-14)
    with pytest.raises(ValueError, match="tau"):
        width_ratio(2.0, "tau")
    with pytest.raises(ValueError, match="'tau'"):
        branching_fraction(2.0, "tau")


def test_tau_pairs_join_above_their_threshold() -> None:
    without = partial_width(3.7, M_E) + partial_width(3.7, M_MU) * (1 + hadronic_ratio(3.7))
    assert total_width(3.7) - without == pytest.approx(partial_width(3.7, M_TAU), rel=1e-12)
    assert width_ratio(3.553) == 2.0 + hadronic_ratio(3.553)
    assert width_ratio(3.56) > 2.0 + hadronic_ratio(3.56)


def test_ground_floor_only() -> None:
    code = "import besfast.dark_photon, sys; print([m for m in ('numba', 'scipy', 'awkward') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
