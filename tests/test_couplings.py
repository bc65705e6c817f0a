"""Converters to couplings: there and back, against closed forms of other processes, and against published limits."""

import subprocess
import sys

import numpy as np
import pytest
from besfast.constants import ALPHA, HBARC2, JPSI_GEE, JPSI_MASS, PI
from besfast.couplings import (
    alp_branching_fraction,
    alp_coupling,
    dark_photon_cross_section,
    epsilon2_from_cross_section,
    epsilon2_from_yield,
    mixing_definition_factor,
    mixing_factor,
    yield_from_epsilon2,
    zprime_coupling,
    zprime_cross_section,
)
from besfast.dark_photon import width_ratio
from besfast.sim.radiative.radiator import narrow_cross_section, radiator


def test_mixing_factor_of_the_paper() -> None:
    assert mixing_factor(2.0, 2.0 + 2.16, 0.01) == pytest.approx(3.22e-5, rel=5e-4)
    epsilon2 = epsilon2_from_yield(250.0, 2e4, 0.5, 2.0, n_f=4.2, bin_width=0.01)
    assert epsilon2 == pytest.approx(8.1e-7, rel=0.01)
    assert np.sqrt(epsilon2) == pytest.approx(9.0e-4, rel=0.01)


def test_radiator_cancels_in_the_ratio_to_qed() -> None:
    """sigma(gamma A') BR / (dsigma_QED/dm dm) = epsilon^2 / K with the same radiator W in both."""
    s, m, width, epsilon, w = 3.773**2, 2.3, 0.01, 1.3e-3, 0.0417
    signal = dark_photon_cross_section(epsilon**2, 3.773, w, 1.0 / width_ratio(m)) / HBARC2
    qed = 2 * m / s * w * 4 * PI * ALPHA**2 / (3 * m**2) * width
    assert signal / qed == pytest.approx(epsilon**2 / mixing_factor(m, width_ratio(m), width), rel=1e-13)


def test_there_and_back() -> None:
    m, epsilon2 = np.array([1.5, 2.0, 3.3]), np.array([1e-7, 1e-6, 4e-6])
    for definition in ("mixing", "width"):
        options = {"n_f": 4.2, "bin_width": 0.01, "definition": definition}
        found = yield_from_epsilon2(epsilon2, 2e4, 0.5, m, **options)
        assert np.allclose(epsilon2_from_yield(found, 2e4, 0.5, m, **options), epsilon2, rtol=1e-14)
    sigma = dark_photon_cross_section(epsilon2, 3.773, 0.1, 0.24)
    assert np.allclose(epsilon2_from_cross_section(sigma, 3.773, 0.1, 0.24), epsilon2, rtol=1e-14)
    coupling = np.array([1e-5, 2e-4, 3e-3])
    assert np.allclose(alp_coupling(alp_branching_fraction(coupling, m - 0.5), m - 0.5), coupling, rtol=1e-14)
    assert np.allclose(zprime_coupling(zprime_cross_section(coupling, 3.1), 3.1), coupling, rtol=1e-14)


def test_definition_of_epsilon_multiplies_once() -> None:
    arguments = (100.0, 2e4, 0.5, 2.0)
    ratio = epsilon2_from_yield(*arguments, n_f=4.2, bin_width=0.01, definition="width") / epsilon2_from_yield(
        *arguments, n_f=4.2, bin_width=0.01
    )
    assert ratio == pytest.approx(mixing_definition_factor(2.0, "width"), rel=1e-14)
    assert 1.02 < ratio < 1.09


def test_cross_section_is_that_of_a_narrow_resonance() -> None:
    """With Gamma_ee = alpha epsilon^2 m / 3 the J/psi's formula and the dark photon's are one."""
    w = radiator(1 - JPSI_MASS**2 / 3.773**2, 3.773)
    epsilon2 = 3.0 * JPSI_GEE / (ALPHA * JPSI_MASS)
    assert dark_photon_cross_section(epsilon2, 3.773, w, 0.06) == pytest.approx(
        narrow_cross_section(JPSI_MASS, 3.773, JPSI_GEE, 0.06), rel=1e-13
    )
    assert epsilon2_from_cross_section(
        narrow_cross_section(2.0, 3.773, 1e-9, 0.2), 3.773, radiator(1 - 4 / 3.773**2, 3.773), 0.2
    ) == pytest.approx(3e-9 / (2.0 * ALPHA), rel=1e-13)


def test_alp_of_a_resonance_is_alp_of_the_continuum() -> None:
    """Both go through a photon: B(V -> gamma a) / B(V -> e e) = sigma(gamma a) / sigma(mu mu) at s = m_V^2.

    sigma(e+ e- -> gamma a) = alpha g^2 / 24 (1 - m^2/s)^3, Belle II, PRL 125 (2020) 161806.
    """
    g, m, s = 3e-4, np.array([0.0, 0.165, 1.5, 2.84]), JPSI_MASS**2
    continuum = ALPHA * g**2 / 24.0 * (1 - m**2 / s) ** 3 / (4.0 * PI * ALPHA**2 / (3.0 * s))
    assert np.allclose(alp_branching_fraction(g, m, electron_branching=1.0), continuum, rtol=1e-13)


def test_published_alp_limits() -> None:
    """Lowest and highest limits of BESIII, B(J/psi -> gamma a), at the masses where its curves in g have them.

    PRD 110 (2024) L031101: B from 3.6e-8, g from 2.2e-4 1/GeV. PLB 838 (2023) 137698: B from 8.3e-8 to 1.8e-6. The
    points (m, g) are read off its figures, from the collection of FORESEE, which leaves 5 per cent in g.
    """
    assert alp_coupling(3.6e-8, 0.197) == pytest.approx(2.2e-4, rel=0.02)
    for m, g, branching in ((0.197, 2.179e-4, 3.6e-8), (0.250, 3.423e-4, 8.3e-8), (2.508, 7.88e-3, 1.8e-6)):
        assert alp_coupling(branching, m) == pytest.approx(g, rel=0.05)


def test_published_zprime_scaling() -> None:
    assert zprime_coupling(1.0, 100.0) == pytest.approx(0.1, rel=1e-15)
    assert zprime_coupling(0.0, 100.0) == 0.0


def test_empty_limits_stay_empty() -> None:
    assert np.isnan(epsilon2_from_yield(np.nan, 2e4, 0.5, 2.0, n_f=4.2, bin_width=0.01))
    assert np.isinf(epsilon2_from_yield(np.inf, 2e4, 0.5, 2.0, n_f=4.2, bin_width=0.01))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mixing_factor(-1.0, 4.0, 0.01), "m = -1, must be > 0"),
        (lambda: epsilon2_from_yield(1.0, 0.0, 0.5, 2.0, n_f=4.0, bin_width=0.01), "n_b = 0, must be > 0"),
        (lambda: epsilon2_from_yield(1.0, 1.0, np.nan, 2.0, n_f=4.0, bin_width=0.01), "containment = nan"),
        (lambda: epsilon2_from_yield(1.0, 1.0, 0.5, 2.0, n_f=4.0, bin_width=0.0), "bin_width = 0"),
        (lambda: epsilon2_from_cross_section(1.0, 3.773, -0.1), "radiator = -0.1"),
        (lambda: alp_coupling(-1e-8, 1.0), "branching = -1e-08, must be >= 0"),
        (lambda: alp_branching_fraction(1e-4, 3.1), "m = 3.1 GeV, must be below the mass 3.0969 GeV"),
        (lambda: zprime_coupling(1.0, [1.0, 0.0]), "unit_cross_section = 0, must be > 0"),
    ],
)
def test_input_that_is_refused(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


def test_ground_floor_only() -> None:
    code = "import besfast.couplings, sys; print([m for m in ('numba', 'scipy', 'awkward') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
