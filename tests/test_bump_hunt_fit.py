"""The bump hunt's fits against a plain Newton twin, iminuit, pyhf, closed forms and a constrained minimiser."""

import numpy as np
import pytest
from besfast.analysis.bump_hunt import bench
from besfast.analysis.bump_hunt.asymptotics import (
    BANDS,
    CLS_90,
    TWO_SIDED_90,
    cls_convention,
    profile_convention,
)
from besfast.analysis.bump_hunt.barrier import careful_fit, solve_positive
from besfast.analysis.bump_hunt.channel import fractions_at
from besfast.analysis.bump_hunt.lanes import CAREFUL, FAST
from besfast.analysis.bump_hunt.model import build_model
from besfast.analysis.bump_hunt.newton import CROSSING, FIXED, FREE, LANES, DataSets, Goal, State
from besfast.analysis.bump_hunt.scan import scan
from besfast.analysis.bump_hunt.templates import signal_shape
from besfast.analysis.spectrum import bin_edges, search_bins
from scipy.optimize import brentq, minimize, nnls
from scipy.special import log_ndtr
from scipy.stats import norm

from .invented import BINS, Plain, expectation, model_of

ALL = (TWO_SIDED_90, profile_convention(sides=1), profile_convention(bounded=False), CLS_90, cls_convention(0.95))
COMPONENT = 40.0 + 150.0 * np.exp(-0.5 * ((BINS.centre - 1.9) / 0.03) ** 2)
CASES = {
    "no nuisances": {},
    "common efficiency": {"yield_errors": {"luminosity": 0.05}},
    "channel efficiencies": {"yield_errors": ({"mu": 0.04, "both": 0.03}, {"e": 0.08, "both": 0.03})},
    "resolution": {"resolution_errors": ({"sigma_mu": 0.1}, {"sigma_e": 0.15})},
    "component": {"component": (COMPONENT, None), "component_error": (0.2, 0.0)},
    "all": {
        "yield_errors": ({"mu": 0.04, "both": 0.03}, {"e": 0.08, "both": 0.03}),
        "resolution_errors": ({"sigma": 0.1}, {"sigma": 0.15}),
        "component": (COMPONENT, None),
        "component_error": (0.2, 0.0),
        "order": (4, 3),
        "half_width": (0.15, 0.12),
    },
}
MASSES = (1.515, 1.9, 2.94, 3.21)


def counts_with_signal(seed, mass, strength, scale=1.0):
    """Poisson counts with a signal of given strength in units of its error; the counts of ee are more than known."""
    rng = np.random.default_rng(seed)
    nu = expectation(scale)
    model = model_of(nu, mass)
    for c, channel in enumerate(model.channels):
        start, size = model.columns.start[0, c], model.columns.size[0, c]
        inside = slice(start, start + size)
        nu[c, inside] += strength * model.unit[0] * channel.signal_yield[0] * fractions_at(0, mass, channel, inside)
    return rng.poisson(nu).astype(float)


def twin_cls(twin, asimov, q_least, q_asimov, alpha, low):
    def log_ratio(mu):
        q, a = max(twin.q(mu) - q_least, 0.0), max(asimov.q(mu) - q_asimov, 1e-300)
        root = np.sqrt(a)
        signal, background = (np.sqrt(q), np.sqrt(q) - root) if q <= a else ((q + a) / 2 / root, (q - a) / 2 / root)
        return log_ndtr(-signal) - log_ndtr(-background) - np.log(alpha)

    return brentq(log_ratio, low + 1e-6, low + 12.0, xtol=1e-10)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("mass", "strength"), list(zip(MASSES, (-2.0, 3.0, 0.0, 1.0))))
def test_against_a_plain_newton_twin(case, mass, strength):
    """Every number of the scan to 1e-5 of its error, for excesses and deficits, at the edges of range and gap."""
    counts = counts_with_signal(round(1000 * mass), mass, strength)
    if "component" in CASES[case]:
        counts[0] += COMPONENT
    model = model_of(counts, mass, **CASES[case])
    result, unit = scan(model, conventions=ALL), model.unit[0]
    twin = Plain(model, 0)
    best, least = twin.fit()
    zero = twin.q(0.0)
    assert result.status[0] == FAST
    assert result.mu_hat[0] / unit == pytest.approx(best, abs=2e-6)
    assert result.z[0] == pytest.approx(np.copysign(np.sqrt(zero - least), best), abs=1e-6)
    if case in ("no nuisances", "component"):
        assert result.error[0] / unit == pytest.approx(twin.error(best), rel=1e-4)
    reference = zero if best < 0.0 else least
    for convention in ALL[:3]:
        q_ref = reference if convention.bounded else least
        limit = result.limits[convention.name]
        if not convention.bounded and best < 0.0 and zero - least > convention.delta:
            assert np.isnan(limit.observed[0])
            continue
        upper = twin.crossing(q_ref + convention.delta, max(best, 0.0), best + 8.0)
        assert limit.observed[0] / unit == pytest.approx(upper, abs=1e-5)
        if best > 0.0 and zero - least > convention.delta:
            lower = twin.crossing(least + convention.delta, 0.0, best)
            assert limit.lower[0] / unit == pytest.approx(lower, abs=1e-5)
        else:
            assert limit.lower[0] == 0.0
    twin.q(0.0)
    fixed, columns, _, _ = twin.columns(0.0)
    nu = np.split(fixed + columns @ twin.z, np.cumsum([len(n) for n in twin.counts])[:-1])
    component = [twin.z[twin.parts[0][0].shape[1]], twin.z[-1 - len(twin.names)]]
    asimov = Plain(model, 0, constraint=np.array(component))
    asimov.counts = nu
    q_asimov = asimov.q(0.0)
    for convention in ALL:
        for band, root in enumerate(convention.expected_roots()):
            if np.isfinite(root):
                mu = asimov.crossing(q_asimov + root**2, 0.0, 12.0)
                assert result.limits[convention.name].expected[band, 0] / unit == pytest.approx(mu, abs=1e-5)
    for convention in ALL[3:]:
        mu = twin_cls(twin, asimov, reference, q_asimov, 1.0 - convention.confidence, max(best, 0.0))
        assert result.limits[convention.name].observed[0] / unit == pytest.approx(mu, abs=1e-5)


@pytest.mark.parametrize("case", ["no nuisances", "all"])
def test_against_iminuit(case):
    """Best signal, error and MINOS interval to 1e-3 of the error."""
    minuit = pytest.importorskip("iminuit")
    mass = 1.9
    counts = counts_with_signal(11, mass, 2.0)
    if "component" in CASES[case]:
        counts[0] += COMPONENT
    model = model_of(counts, mass, **CASES[case])
    convention = profile_convention(0.6826894921370859)  # delta = 1
    result, unit = scan(model, conventions=(convention,)), model.unit[0]
    twin = Plain(model, 0)
    n = np.concatenate(twin.counts)
    twin.q(0.0)
    start = twin.z

    def value(p):
        fixed, columns, prior, centre = twin.columns(p[0])
        nu = fixed + columns @ p[1:]
        if not np.all(nu > 0.0):
            return 1e12
        return 2.0 * np.sum(nu - n + n * np.log(n / nu)) + np.sum(prior * (p[1:] - centre) ** 2)

    def gradient(p):
        fixed, columns, prior, centre = twin.columns(p[0])
        nu = fixed + columns @ p[1:]
        residual = 1.0 - n / nu
        h = 1e-6
        first = (twin.columns(p[0] + h)[0] - twin.columns(p[0] - h)[0]) / (2 * h)
        moved = (twin.columns(p[0] + h)[1] - twin.columns(p[0] - h)[1]) / (2 * h)
        return 2.0 * np.append((first + moved @ p[1:]) @ residual, columns.T @ residual + prior * (p[1:] - centre))

    fit = minuit.Minuit(value, np.append(0.5, start), grad=gradient)
    fit.errordef, fit.tol, fit.strategy = 1.0, 1e-6, 2
    fit.errors = np.append(1.0, 0.01 * np.abs(start) + 0.01)
    fit.fixed = np.append(False, np.all(twin.columns(1.0)[1] == 0.0, axis=0))  # components that are not there
    fit.migrad(ncall=100_000)
    fit.minos("x0")
    error = result.error[0] / unit
    assert result.mu_hat[0] / unit == pytest.approx(fit.values["x0"], abs=1e-3)
    limit = result.limits[convention.name]
    assert limit.observed[0] / unit == pytest.approx(fit.values["x0"] + fit.merrors["x0"].upper, abs=1e-3 * error)
    assert limit.lower[0] / unit == pytest.approx(fit.values["x0"] + fit.merrors["x0"].lower, abs=1e-3 * error)
    assert error == pytest.approx(fit.errors["x0"], rel=3e-3)


def bernstein(size, order):
    """Return Bernstein polynomials averaged over bins, positive: a basis of the same space as Legendre's."""
    from scipy.interpolate import BPoly

    edges = np.linspace(0.0, 1.0, size + 1)
    columns = []
    for k in range(order + 1):
        integral = BPoly(np.eye(order + 1)[k][:, None], [0.0, 1.0]).antiderivative()
        columns.append(np.diff(integral(edges)) * size)
    return np.array(columns)


def pyhf_model(model, nuisance):
    """Return pyhf's model and data of one mass: Bernstein samples with free norms, efficiency as symmetric histosys."""
    import pyhf

    spec_channels, data = [], {}
    for c, channel in enumerate(model.channels):
        start, size = model.columns.start[0, c], model.columns.size[0, c]
        inside = slice(start, start + size)
        template = fractions_at(0, model.masses[0], channel, inside) * channel.signal_yield[0] * model.unit[0]
        modifiers = [{"name": "mu", "type": "normfactor", "data": None}]
        if nuisance:
            high, low = template * (1.0 + nuisance), template * (1.0 - nuisance)
            varied = {"hi_data": high.tolist(), "lo_data": low.tolist()}
            modifiers.append({"name": "efficiency", "type": "histosys", "data": varied})
        samples = [{"name": "signal", "data": template.tolist(), "modifiers": modifiers}]
        level = channel.counts[inside].mean()
        for k, column in enumerate(bernstein(size, channel.order)):
            norm_factor = {"name": f"{channel.name}_{k}", "type": "normfactor", "data": None}
            samples.append({"name": f"b{k}", "data": (level * column).tolist(), "modifiers": [norm_factor]})
        spec_channels.append({"name": channel.name, "samples": samples})
        data[channel.name] = channel.counts[inside].tolist()
    names = {m["name"] for ch in spec_channels for s in ch["samples"] for m in s["modifiers"] if "_" in m["name"]}
    parameters = [{"name": name, "bounds": [[-5.0, 10.0]], "inits": [1.0]} for name in sorted(names)]
    parameters.append({"name": "mu", "bounds": [[0.0, 20.0]], "inits": [0.5]})
    pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer(tolerance=1e-12, maxiter=10_000))
    made = pyhf.Model({"channels": spec_channels, "parameters": parameters}, poi_name="mu", validate=False)
    return made, [n for name in made.config.channels for n in data[name]] + made.config.auxdata


@pytest.mark.parametrize(("mass", "strength", "nuisance"), [(2.0, 1.5, 0.0), (2.2, -1.0, 0.1)])
def test_against_pyhf(mass, strength, nuisance):
    """CLs of the same workspace at our observed and expected limits is 1 - confidence: a limit right to 1e-4."""
    pyhf = pytest.importorskip("pyhf")
    counts = counts_with_signal(7, mass, strength, 0.05)
    options = {"half_width": 0.05, "order": 2}
    if nuisance:
        options["yield_errors"] = {"efficiency": nuisance}
    model = model_of(counts, mass, **options)
    result, unit = scan(model, conventions=(CLS_90,)), model.unit[0]
    theirs, data = pyhf_model(model, nuisance)
    limit = result.limits[CLS_90.name]

    def cls_at(mu):
        observed, expected = pyhf.infer.hypotest(mu, data, theirs, test_stat="qtilde", return_expected_set=True)
        return np.array([float(observed), *(float(value) for value in expected)])

    ours = np.array([limit.observed[0], *limit.expected[:, 0]]) / unit
    for i in (0, 1, 3, 5):
        mu, step = ours[i], 0.02 * ours[i]
        here, above = cls_at(mu)[i], cls_at(mu + step)[i]
        slope = np.log(above / here) / step
        theirs_at = mu + np.log(0.1 / here) / slope  # one secant step to their own limit
        assert mu == pytest.approx(theirs_at, rel=1e-4)
    pyhf.set_backend("numpy")


def test_common_efficiency_is_a_map_of_the_curve_without():
    """q(mu) = min over theta of q0(mu (1 + delta theta)) + theta^2."""
    mass, delta = 2.3, 0.12
    counts = counts_with_signal(21, mass, 2.5)
    plain = model_of(counts, mass)
    with_error = model_of(counts, mass, yield_errors={"efficiency": delta})
    a, b = (scan(model, conventions=(TWO_SIDED_90,)) for model in (plain, with_error))
    assert b.z[0] == pytest.approx(a.z[0], abs=1e-8)
    assert b.mu_hat[0] == pytest.approx(a.mu_hat[0], rel=1e-6)
    twin = Plain(plain, 0)
    _, least = twin.fit()

    def profiled(mu):
        best = minimize(lambda p: twin.q(mu * (1.0 + delta * p[0])) + p[0] ** 2, [0.0], tol=1e-10)
        return best.fun - least - TWO_SIDED_90.delta

    upper = brentq(profiled, 2.5, 8.0, xtol=1e-7)
    assert b.limits[TWO_SIDED_90.name].observed[0] / with_error.unit[0] == pytest.approx(upper, abs=2e-5)
    x = b.mu_hat[0] / with_error.unit[0]
    assert b.error[0] ** 2 == pytest.approx(a.error[0] ** 2 + (delta * x * with_error.unit[0]) ** 2, rel=1e-5)


ONE = search_bins(bin_edges(2.0, 2.04, 0.002), None)


def one_bin(n, others):
    """Return the model of a signal that falls into one bin of a flat background: n there, the others' sum `others`."""
    counts = np.full(20, others / 19.0)
    counts[10] = n
    shape = signal_shape([1e-4])
    return model_of([counts, counts], 2.021, ONE, order=0, half_width=0.02, shape=shape, signal_yield=(1.0, 0.0))


def sideband_q(mu, n, y, tau):
    """Return -2 ln L(mu) of Pois(n | mu + b) Pois(y | tau b), b profiled in closed form."""
    half = 0.5 * (n + y - (1.0 + tau) * mu) / (1.0 + tau)
    b = half + np.sqrt(half**2 + y * mu / (1.0 + tau))
    terms = [s - k + (k * np.log(k / s) if k > 0.0 else 0.0) for s, k in ((mu + b, n), (tau * b, y))]
    return 2.0 * sum(terms)


@pytest.mark.parametrize(("n", "others"), [(0, 57), (2, 57), (9, 57), (3, 19), (10, 19000), (1100, 19000)])
def test_one_bin_over_a_sideband_in_closed_form(n, others):
    """A signal in one bin and a flat background are a counting experiment with a Poisson sideband, tau = 19."""
    model = one_bin(float(n), float(others))
    result = scan(model, conventions=(TWO_SIDED_90, profile_convention(sides=1)))
    best, zero = n - others / 19.0, sideband_q(0.0, n, others, 19.0)
    if n > 0:
        assert result.mu_hat[0] == pytest.approx(best, rel=1e-4, abs=1e-6)
        assert result.z[0] == pytest.approx(np.copysign(np.sqrt(zero), best), abs=2e-6)
    reference = zero if best < 0.0 else 0.0
    for limit in result.limits.values():
        goal = reference + limit.convention.delta
        upper = brentq(
            lambda mu, goal=goal: sideband_q(mu, n, others, 19.0) - goal, max(best, 1e-9), 2000.0, xtol=1e-12
        )
        assert limit.observed[0] == pytest.approx(upper, rel=2e-6)
    if n == 0:  # the background is known where the signal adds to no count
        assert result.limits[TWO_SIDED_90.name].observed[0] == pytest.approx(0.5 * TWO_SIDED_90.delta, rel=1e-6)


def test_asimov_data_have_no_signal():
    """Data on the polynomials: best signal and Z are zero, the observed limit is the median expected one."""
    x = (BINS.centre - 2.4) / 0.9
    x1, h = (BINS.mass_low - 2.4) / 0.9, 0.002 / 0.9
    mean_cube = ((x1 + h) ** 4 - x1**4) / (4 * h)
    mean_square = ((x1 + h) ** 3 - x1**3) / (3 * h)
    counts = np.array([3e3 - 900 * x + 300 * mean_square - 50 * mean_cube, 6e4 - 4e4 * x + 9e3 * mean_square])
    model = model_of(counts, MASSES, yield_errors={"efficiency": 0.05}, resolution_errors={"sigma": 0.05})
    result = scan(model, conventions=ALL)
    assert np.abs(result.z).max() < 1e-7
    assert np.abs(result.mu_hat / model.unit).max() < 1e-7
    assert np.abs(result.p0 - 0.5).max() < 1e-7
    for limit in result.limits.values():
        np.testing.assert_allclose(limit.observed, limit.expected[BANDS == 0.0][0], rtol=1e-6)
    assert np.all(result.flags == "")


def test_scaling_and_swapping_and_an_empty_channel():
    counts = counts_with_signal(4, 2.5, 2.0)
    model = model_of(counts, 2.5)
    result = scan(model)
    swapped = scan(model_of(counts[::-1], 2.5, signal_yield=(8e6, 1e7)))
    assert swapped.mu_hat[0] == pytest.approx(result.mu_hat[0], rel=1e-6)
    doubled = scan(model_of(counts, 2.5, signal_yield=(2e7, 1.6e7)))
    assert 2.0 * doubled.mu_hat[0] == pytest.approx(result.mu_hat[0], rel=1e-6)
    assert doubled.z[0] == pytest.approx(result.z[0], abs=1e-7)
    alone = scan(model_of(counts, 2.5, signal_yield=(1e7, 0.0)))
    single = model_of(counts, 2.5)
    only = scan(build_model([2.5], single.channels[:1]))
    assert alone.mu_hat[0] == pytest.approx(only.mu_hat[0], rel=1e-6)
    for name, limit in only.limits.items():
        assert alone.limits[name].observed[0] == pytest.approx(limit.observed[0], rel=1e-6)
        np.testing.assert_allclose(alone.limits[name].expected, limit.expected, rtol=1e-6)
    # a hundred times the luminosity: ten times the expected significance, a tenth of the error on mu
    nu = expectation()
    small, large = (scan(model_of(s * nu, 2.5, signal_yield=(s * 1e7, s * 8e6))) for s in (1.0, 100.0))
    assert small.error[0] == pytest.approx(10.0 * large.error[0], rel=1e-6)


def test_more_of_a_polynomial_changes_nothing():
    """In the Gaussian limit what the background can describe does not move the signal."""
    counts = counts_with_signal(5, 2.2, 1.0, 1e6)
    more = counts.copy()
    more[0] += 1e7 * (1.0 + 0.1 * (BINS.centre - 2.2))
    a, b = (scan(model_of(n, 2.2)) for n in (counts, more))
    assert b.mu_hat[0] == pytest.approx(a.mu_hat[0], abs=0.01 * a.error[0])


def test_careful_fits_agree_with_fast_ones():
    counts = counts_with_signal(8, 1.9, 1.5)
    counts[0] += COMPONENT
    model = model_of(counts, 1.9, **CASES["all"])
    data = bench.repeated(model, model.counts)
    zero = bench.fit_at(model, 0, data, 0.0)
    best = bench.fit_signal(model, 0, data, zero)
    goal = np.full(LANES, best.q[0] + 2.7)
    upper = bench.fit_crossing(model, 0, data, best, goal, best.x + 1.6)
    found = np.empty(2)
    for mode, start, expected in ((FIXED, 0.0, zero), (FREE, 0.0, best), (CROSSING, best.x[0] + 1.6, upper)):
        state = State(*(values.copy() for values in best.state))
        assert careful_fit(mode, 0, 3, model.columns, data, Goal(goal, best.q, best.x), start, state, found)
        assert found[0] == pytest.approx(expected.x[3], abs=1e-5)
        assert found[1] == pytest.approx(expected.q[3], abs=1e-6)
        for c, size in enumerate(model.columns.size[0]):
            own, other = state.nu[c, : size + 1, 3], expected.state.nu[c, : size + 1, 3]
            np.testing.assert_allclose(own, other, rtol=1e-5, atol=1e-3)


def test_lanes_do_not_touch_each_other():
    """A lane gives the same bits beside any others."""
    rng = np.random.default_rng(9)
    model = model_of(expectation(0.01), 2.0, yield_errors={"efficiency": 0.05})
    counts = rng.poisson(expectation(0.01)[:, :, None], (2, BINS.centre.size, LANES)).astype(float)
    data = DataSets(counts, np.zeros((2, LANES)), rng.normal(size=(1, LANES)))
    turned = DataSets(*(np.ascontiguousarray(values[..., ::-1]) for values in data))
    one, other = bench.fit_signal(model, 0, data), bench.fit_signal(model, 0, turned)
    assert np.array_equal(one.x, other.x[::-1])
    assert np.array_equal(one.q, other.q[::-1])


def test_few_counts_are_at_the_constrained_optimum():
    """The optimum lies where empty bins expect nothing: Kuhn and Tucker's conditions for nu >= 0, at five seeds.

    The gradient is a sum of columns of the empty bins without expectation, with multipliers that are not negative.
    """
    bins = search_bins(bin_edges(2.0, 2.06, 0.002), None)
    on_the_edge = 0
    for seed in range(5):
        counts = np.random.default_rng(seed).poisson(0.4, (2, 30)).astype(float)
        model = model_of(counts, 2.03, bins, order=3, half_width=0.03)
        zero = bench.fit_at(model, 0, bench.repeated(model, counts), 0.0, used=1)
        assert zero.status[0] in (FAST, CAREFUL)
        for c in range(2):
            nu, columns = zero.state.nu[c, :30, 0], model.columns.columns[0, c, :30, :4]
            assert np.all(nu > 0.0)
            gradient = columns.T @ (1.0 - np.divide(counts[c], nu))
            active = (nu < 1e-6) & (counts[c] == 0.0)
            on_the_edge += np.count_nonzero(active)
            residual = nnls(columns[active].T, gradient)[1] if np.any(active) else np.linalg.norm(gradient)
            assert residual < 1e-4
    assert on_the_edge > 3


def test_solve_positive():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(9, 9))
    matrix, vector = root @ root.T, rng.normal(size=9)
    expected = np.linalg.solve(matrix, vector)
    solve_positive(matrix.copy(), vector)
    np.testing.assert_allclose(vector, expected, rtol=1e-9)


def test_error_covers_the_curvature():
    """Gaussian limit: upper end at delta = 1 is one error away."""
    model = model_of(counts_with_signal(2, 2.0, 2.5), 2.0)
    convention = profile_convention(2.0 * norm.cdf(1.0) - 1.0)
    result = scan(model, conventions=(convention,))
    up = result.limits[convention.name].observed[0] - result.mu_hat[0]
    assert up == pytest.approx(result.error[0], rel=5e-3)
