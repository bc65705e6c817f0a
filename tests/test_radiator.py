"""Closed-form radiator: against its own integrals, published shares, and the generators at several energies."""

import csv
from pathlib import Path

import besfast
import numpy as np
import pytest
from besfast import dark_photon
from besfast.constants import ALPHA, HBARC2, M_E, M_MU, M_PI
from besfast.couplings import mixing_factor
from besfast.sim.generate import Generator
from besfast.sim.radiative.form_factor import pion_form_factor2
from besfast.sim.radiative.radiator import (
    born_leptons,
    born_pions,
    isr_spectrum,
    narrow_cross_section,
    radiator,
    radiator_angle,
    radiator_outside,
)
from scipy import integrate, stats

DATA = Path(besfast.__file__).parent / "data"
S = 3.773


@pytest.mark.parametrize("sqrt_s", [2.0, 3.773, 10.58])
@pytest.mark.parametrize("x", [0.05, 0.5, 0.95])
def test_angles_add_up(x, sqrt_s):
    """The integral over the angle is the radiator; u = ln tan(theta/2) resolves the cone m_e / E."""
    limit = np.log(np.tan(1e-9))
    u = np.linspace(limit, -limit, 400001)
    theta = 2 * np.arctan(np.exp(u))
    density = radiator_angle(x, theta, sqrt_s) * np.sin(theta) ** 2
    assert integrate.simpson(density, x=u) == pytest.approx(radiator(x, sqrt_s), rel=1e-6)
    wide = abs(np.cos(theta)) < np.cos(0.1)
    outside = integrate.trapezoid(np.where(wide, density, 0.0), u)
    assert outside == pytest.approx(radiator_outside(x, 0.1), rel=1e-3)


@pytest.mark.parametrize(("mass", "share"), [(1.5, 0.6846), (3.0, 0.6494)])
def test_untagged_share(mass, share):
    x = 1 - mass**2 / S**2
    assert 1 - radiator_outside(x, 0.1) / radiator(x, S) == pytest.approx(share, abs=1e-4)


def test_broadcasting():
    assert radiator(np.full((2, 3), 0.5), S).shape == (2, 3)
    assert isinstance(radiator(0.5, S), float)


@pytest.mark.parametrize("sqrt_s", [3.097, 3.773, 4.178, 10.58])
@pytest.mark.parametrize("process", ["mumu_isr", "ee_annihilation", "pipi_isr"])
def test_generators_at_other_energies(process, sqrt_s):
    """The integrated matrix element against the closed form, within 0.1 % and three standard errors."""
    low, high = 0.5, 0.9 * sqrt_s
    if process == "pipi_isr":
        high = 2.5

        def spectrum(m):
            return isr_spectrum(m, sqrt_s, born_pions(m, M_PI, pion_form_factor2(m * m)))
    else:
        mass = M_MU if process == "mumu_isr" else M_E

        def spectrum(m):
            return isr_spectrum(m, sqrt_s, born_leptons(m, mass))

    expected, _ = integrate.quad(spectrum, low, high, points=[0.77, 0.78, 0.79], epsabs=0.0, epsrel=1e-8, limit=200)
    generator = Generator(process, sqrt_s=sqrt_s, seed=31, mass_min=low, mass_max=high)
    assert generator.cross_section_error < 5e-4 * expected
    assert abs(generator.cross_section - expected) < 1e-3 * expected + 3 * generator.cross_section_error
    assert generator.overflow < 1e-5


def resonances():
    with (DATA / "isr_resonances.csv").open() as lines:
        return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@pytest.mark.parametrize("row", resonances(), ids=lambda row: "-".join(list(row.values())[:4]))
def test_resonances(row):
    """J/psi and psi(2S) yields, all angles and within cuts: 0.1 % and three standard errors."""
    cuts = {"theta_gamma_max": float(row["theta_gamma_max"])} if row["theta_gamma_max"] else {}
    if row["lepton_cuts"] == "1":
        cuts |= {"lepton_theta_min": 0.4, "lepton_pt_min": 0.3}
    generator = Generator(row["process"], seed=32, lepton=row["lepton"], n_scan=2**17, **cuts)
    expected = float(row["cross_section"])
    error = np.hypot(generator.cross_section_error, float(row["cross_section_error"]))
    assert error < 1e-3 * expected
    assert abs(generator.cross_section - expected) < 1e-3 * expected + 3 * error


@pytest.mark.parametrize("mass", [0.5, 1.5, 2.0, 3.3])
def test_dark_photon_over_qed_is_formula_one(mass):
    """sigma(A' gamma) B_ll / (d sigma_QED / dm dm) = epsilon^2 / K: the radiator cancels. Massless leptons: exact."""
    epsilon, width = 1e-3, 0.01
    electronic = ALPHA * epsilon**2 * mass / 3
    n_f = 4.2
    signal = narrow_cross_section(mass, S, electronic, 1 / n_f)
    assert signal == pytest.approx(
        4 * np.pi**2 * ALPHA * epsilon**2 / S**2 * radiator(1 - mass**2 / S**2, S) / n_f * HBARC2, rel=1e-13
    )
    background = isr_spectrum(mass, S, born_leptons(mass, 0.0)) * width
    factor = mixing_factor(mass, n_f, width)
    assert signal / background == pytest.approx(epsilon**2 / factor, rel=1e-12)


@pytest.mark.parametrize("lepton", ["mu", "e"])
@pytest.mark.parametrize("mass", [0.8, 2.0, 3.4])
def test_generated_dark_photon(lepton, mass):
    generator = Generator("dark_photon", seed=33, mass=mass, lepton=lepton, epsilon=2e-3, n_scan=2**17)
    width = ALPHA * 4e-6 * mass / 3
    branching = dark_photon.partial_width(mass, M_MU if lepton == "mu" else M_E) / dark_photon.total_width(mass)
    expected = narrow_cross_section(mass, S, width, branching)
    assert abs(generator.cross_section - expected) < 1e-4 * expected + 3 * generator.cross_section_error
    truth = generator.events(0, 100)
    pair = [getattr(truth, name).reshape(-1, 3)[:, :2].sum(axis=1) for name in ("energy", "px", "py", "pz")]
    np.testing.assert_allclose(pair[0] ** 2 - pair[1] ** 2 - pair[2] ** 2 - pair[3] ** 2, mass**2, rtol=1e-9)


def test_photon_angle():
    """The generated photon follows Bonneau and Martin down into the cone m_e / E (KS, p > 1e-3)."""
    mass = 2.5
    x = 1 - mass**2 / S**2
    truth = Generator("dark_photon", seed=34, mass=mass, n_scan=2**17).events(0, 100_000)
    px, py, pz = (getattr(truth, name).reshape(-1, 3)[:, 2] for name in ("px", "py", "pz"))
    drawn = np.log(np.arctan2(np.hypot(px, py), abs(pz)) / 2)
    u = np.linspace(np.log(1e-8), 0.0, 200001)
    theta = 2 * np.arctan(np.exp(u))
    density = radiator_angle(x, theta, S) * np.sin(theta) ** 2
    cumulative = np.concatenate([[0.0], integrate.cumulative_trapezoid(density, u)])
    sample = np.log(np.tan(np.exp(drawn)))
    result = stats.kstest(sample, lambda v: np.interp(v, u, cumulative / cumulative[-1]))
    assert result.pvalue > 1e-3
