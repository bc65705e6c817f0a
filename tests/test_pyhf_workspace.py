"""Exported workspaces: valid for pyhf, and the same limits by it, observed and expected, as ours."""

import json

import numpy as np
import pytest
from besfast.analysis.bernstein import bernstein_bins, bernstein_from_legendre
from besfast.analysis.bump_hunt.asymptotics import CLS_90
from besfast.analysis.bump_hunt.channel import Channel
from besfast.analysis.bump_hunt.model import build_model
from besfast.analysis.bump_hunt.scan import scan
from besfast.analysis.bump_hunt.templates import signal_shape
from besfast.analysis.bump_hunt.window import polynomial_bins
from besfast.analysis.files.pyhf_workspace import (
    Counting,
    bump_hunt_workspace,
    counting_workspace,
    write_workspaces,
)
from besfast.analysis.joint import joint_limit
from besfast.analysis.limit import poisson_limit
from besfast.analysis.spectrum import bin_edges, search_bins
from numpy.polynomial import legendre
from scipy import interpolate, stats

ALPHA = 0.10
pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


@pytest.mark.parametrize("order", range(9))
def test_change_of_basis_is_exact(order):
    """Bin averages of Legendre polynomials are those of Bernstein polynomials times integers, to rounding."""
    bernstein = bernstein_bins(60, order)
    assert np.all(bernstein > 0.0)
    assert np.allclose(bernstein.sum(axis=1), 1.0, rtol=0.0, atol=1e-13)
    change = bernstein_from_legendre(order)
    assert np.allclose(bernstein @ change, polynomial_bins(60, order), rtol=0.0, atol=1e-12)
    # values at both ends are the first and the last coefficient
    assert np.array_equal(change[0], legendre.legvander([-1.0], order)[0])
    assert np.array_equal(change[-1], legendre.legvander([1.0], order)[0])


def test_bernstein_averages_by_quadrature():
    nodes, weights = legendre.leggauss(6)
    x = (np.arange(7)[:, None] + 0.5 + 0.5 * nodes) / 7.0
    for k in range(5):
        polynomial = interpolate.BPoly(np.eye(5)[k][:, None], [0.0, 1.0])
        assert np.allclose(bernstein_bins(7, 4)[:, k], polynomial(x) @ weights / 2.0, rtol=1e-12)


def counts_of(nu, seed):
    """Poisson counts by inversion of fixed uniform numbers."""
    return np.random.default_rng(seed).poisson(nu).astype(np.float64)


def make_model(mean, *, channels=2, component=False, signal=0.0, masses=(2.0,), seed=1):
    """A falling spectrum of two channels in 2 MeV bins, with shared and own nuisances."""
    bins = search_bins(bin_edges(1.84, 2.16, 0.002), None)
    made = []
    x = (bins.centre - 2.0) / 0.16
    for c in range(channels):
        level = mean * (1.0, 3.0)[c]
        nu = level * np.exp(-0.6 * x + 0.1 * x * x)
        pions = 0.05 * level * np.exp(-3.0 * (x + 0.3) ** 2) if component and c == 0 else None
        peak = np.exp(-0.5 * ((bins.centre - 2.0) / 0.006) ** 2) * 0.002 / (0.006 * np.sqrt(2 * np.pi))
        truth = nu + (0.0 if pions is None else pions) + signal * np.sqrt(level) * peak
        made.append(
            Channel(
                ("mumu", "ee")[c],
                bins,
                counts_of(truth, seed + c),
                np.full(len(masses), 1e6 * (1.0, 0.5)[c]),
                signal_shape(np.full(len(masses), (0.006, 0.007)[c]), alpha_low=1.5, power_low=3.0),
                half_width=0.1,
                order=(4, 3)[c],
                component=pions,
                component_error=0.0 if pions is None else 0.2,
                yield_errors={"luminosity": 0.02, ("identification_mumu", "identification_ee")[c]: 0.03},
                resolution_errors={"resolution": 0.02},
            )
        )
    return build_model(np.array(masses), made)


def pyhf_model(specification):
    pyhf = pytest.importorskip("pyhf")
    pytest.importorskip("iminuit")
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-5, strategy=1))
    workspace = pyhf.Workspace(specification)  # which checks the schema
    model = workspace.model()
    return pyhf, model, workspace.data(model)


def pyhf_distance(specification, found, best=0.0, bands=(0, 2, 4)):
    """Relative distances of our 90 % CLs limits in units of mu, observed and some expected ones, from pyhf's.

    From ln(CLs / alpha) at our limit and the slope of a Gaussian likelihood: second order in the distance.
    """
    pyhf, model, data = pyhf_model(specification)
    distances = []
    observed, expected = found
    for n_sigma, mu in [(None, observed), *((band - 2, expected[band]) for band in bands)]:
        result = pyhf.infer.hypotest(mu, data, model, test_stat="qtilde", return_expected_set=True)
        cls = float(result[0] if n_sigma is None else result[1][n_sigma + 2])
        z = stats.norm.isf(ALPHA * stats.norm.cdf(best if n_sigma is None else n_sigma))
        distances.append(np.log(cls / ALPHA) * stats.norm.sf(z) / stats.norm.pdf(z) / mu)
    return np.array(distances)


CASES = {
    "one channel": {"mean": 400.0, "channels": 1},
    "two channels, component, signal": {"mean": 400.0, "component": True, "signal": 10.0},
    "one count per bin": {"mean": 1.0, "channels": 1, "component": True, "seed": 5},
}


@pytest.mark.parametrize("case", CASES)
def test_limits_of_a_bump_on_a_polynomial(case):
    """Observed and expected CLs limits; asked for is 1e-4, found 2e-8, and 2e-7 where most bins are empty."""
    model = make_model(**CASES[case])
    result = scan(model, conventions=(CLS_90,))
    workspace = bump_hunt_workspace(model, 0)
    curve = result.limits[CLS_90.name]
    ours = curve.observed[0] / workspace.strength, curve.expected[:, 0] / workspace.strength
    distance = pyhf_distance(workspace.specification, ours, result.mu_hat[0] / workspace.strength)
    assert np.all(np.abs(distance) < 1e-5), distance


@pytest.mark.long
def test_limits_by_the_scan_of_pyhf():
    """pyhf as it comes, with SLSQP and its own root finder: 1e-4, observed and expected."""
    pyhf = pytest.importorskip("pyhf")
    pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer())
    model = make_model(400.0)
    curve = scan(model, conventions=(CLS_90,)).limits[CLS_90.name]
    workspace = bump_hunt_workspace(model, 0)
    read = pyhf.Workspace(workspace.specification)
    observed, expected = pyhf.infer.intervals.upper_limits.toms748_scan(
        read.data(read.model()), read.model(), 0.1, 10.0, level=ALPHA, rtol=1e-5
    )
    assert float(np.ravel(observed)[0]) == pytest.approx(curve.observed[0] / workspace.strength, rel=1e-4)
    assert np.allclose(np.ravel(expected), curve.expected[:, 0] / workspace.strength, rtol=1e-4)


def profile_distance(workspace, upper, delta):
    """Relative distance of our bounded profile-likelihood limit from pyhf's, by q-mu-tilde around it."""
    pyhf, model, data = pyhf_model(workspace.specification)
    config = model.config
    settings = config.suggested_init(), config.suggested_bounds(), config.suggested_fixed()
    step, mu = 1e-3, upper / workspace.strength
    low, middle, high = (
        float(pyhf.infer.test_statistics.qmu_tilde(mu * (1.0 + s), data, model, *settings)) for s in (-step, 0.0, step)
    )
    return (middle - delta) / ((high - low) / (2.0 * step))


@pytest.mark.parametrize(
    ("n", "b", "sigma_b", "error"),
    [(12.0, 10.0, 1.0, 0.05), (8000.0, 8000.0, 25.0, 0.05), (7800.0, 8000.0, 25.0, 0.065), (3.0, 5.0, 0.5, 0.1),
     (10.5, 4.25, 0.0, 0.0)],
)  # fmt: skip
def test_limit_of_one_bin(n, b, sigma_b, error):
    """Rolke's closed form is the profile likelihood of the exported workspace, observed and of Asimov data."""
    for counts in (n, b):
        ours = poisson_limit(counts, b, sigma_b, 1.0, error)
        workspace = counting_workspace("one bin", [Counting("mumu", counts, b, sigma_b, 1.0)], error)
        assert abs(profile_distance(workspace, float(ours.upper), ours.delta)) < 1e-6


def test_limit_of_two_channels():
    n, b, sigma_b, signal = np.array([[8100.0, 210.0], [8000.0, 190.0], [25.0, 4.0], [2e8, 3e7]])
    ours = joint_limit(n[None], b[None], sigma_b[None], signal[None], np.array([0.04]))
    experiments = [Counting(name, *row) for name, *row in zip(("ee", "mumu"), n, b, sigma_b, signal)]
    workspace = counting_workspace("two channels", experiments, 0.04)
    assert abs(profile_distance(workspace, float(ours.upper[0]), ours.delta)) < 1e-6


def test_counting_names_what_is_wrong():
    with pytest.raises(ValueError, match=r"mumu: sigma_b = -1.0, must be finite and >= 0"):
        counting_workspace("x", [Counting("mumu", 1.0, 1.0, -1.0, 1.0)], 0.1)
    with pytest.raises(ValueError, match="relative error of the signal = nan"):
        counting_workspace("x", [Counting("mumu", 1.0, 1.0, 1.0, 1.0)], float("nan"))
    with pytest.raises(ValueError, match="no experiment expects a signal"):
        counting_workspace("x", [Counting("mumu", 1.0, 1.0, 1.0, 0.0)], 0.1)


def test_a_scan_is_a_file_per_mass(tmp_path):
    model = make_model(50.0, channels=2, masses=(1.95, 2.0, 2.05))
    workspaces = {mass: bump_hunt_workspace(model, m) for m, mass in enumerate(model.masses)}
    paths = write_workspaces(tmp_path, workspaces)
    assert [path.name for path in paths] == ["mass_1.950000.json", "mass_2.000000.json", "mass_2.050000.json"]
    lines = (tmp_path / "index.csv").read_text().splitlines()
    assert lines[0] == "mass,file,strength_at_mu_1"
    assert len(lines) == 4
    for path, workspace in zip(paths, workspaces.values()):
        read = json.loads(path.read_text())
        assert read == workspace.specification
        assert [channel["name"] for channel in read["channels"]] == ["mumu", "ee"]
        backgrounds = [s for channel in read["channels"] for s in channel["samples"] if s["name"].startswith("back")]
        assert len(backgrounds) == 5 + 4
        assert all(min(sample["data"]) > 0.0 for sample in backgrounds)
    with pytest.raises(IndexError, match="mass number 3, the model has 3"):
        bump_hunt_workspace(model, 3)
