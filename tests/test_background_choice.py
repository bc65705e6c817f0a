"""Choice of a background: orders, goodness of fit, spurious signals and the envelope, on shapes that are known."""

import json
import math

import numpy as np
import pytest
from besfast.analysis.background import fit_background
from besfast.analysis.background_choice import choose_orders, goodness_of_fit, judge, with_verdict
from besfast.analysis.combination import limit_table
from besfast.analysis.envelope import Candidate, added_candidates, candidates, envelope_limit
from besfast.analysis.limit import DELTA_90, poisson_limit
from besfast.analysis.poisson_fit import basis_at_nodes, fit_polynomial
from besfast.analysis.spectrum import Bins, bin_edges, search_bins
from besfast.analysis.spurious_signal import (
    SpuriousSignal,
    combined_spurious,
    counting_fit,
    spurious_signal,
)
from scipy import stats
from scipy.optimize import brentq, minimize_scalar

from .expectation import BINS, YIELDS, channels

ONE = search_bins(bin_edges(1.5, 2.5, 0.01), None)
U = (ONE.centre - 2.0) / 0.5


def test_order_of_a_known_polynomial() -> None:
    """Exponential of order 0 and 3, 60 spectra each: never below, and the 10 per cent that two tests at 5 allow."""
    rng = np.random.default_rng(6)
    for order, truth in ((0, np.full(100, 800.0)), (3, 3e4 * np.exp(-0.5 * U + 0.2 * U**3))):
        found = [choose_orders(ONE, rng.poisson(truth)) for _ in range(60)]
        orders = np.array([choice.order[0] for choice in found])
        assert orders.min() == order
        assert np.mean(orders == order) > 0.8
        right = [choice for choice in found if choice.order == (order,)]
        assert all(choice.p_next[0] > 0.05 and choice.p_after_next[0] > 0.05 for choice in right)
        assert all(not choice.exhausted for choice in found)


def test_even_shape_is_not_mistaken() -> None:
    """No odd term: order 1 gains nothing over 0, order 2 all."""
    n = 1e5 * np.exp(0.3 * (1.5 * U**2 - 0.5))
    choice = choose_orders(ONE, n)
    assert choice.order == (2,)
    assert choice.ok
    assert choose_orders(ONE, n, highest=1).exhausted
    assert not choose_orders(ONE, n, highest=1).ok


def test_orders_of_both_segments() -> None:
    n = np.random.default_rng(1).poisson(YIELDS["mumu"]).astype(float)
    choice = choose_orders(BINS, n)
    assert len(choice.order) == len(choice.p_next) == 2
    assert choice.ok
    assert 2 <= choice.order[0] <= 5
    assert choice.order[1] <= 2
    whole = choose_orders(BINS, np.random.default_rng(1).poisson(YIELDS["ee"]), "poly4")
    assert whole.order[0] > 6  # a polynomial across the gap needs many more
    assert json.loads(json.dumps(choice._asdict()))["model"] == "exp_poly4_split"
    short = choose_orders(Bins(BINS.mass_low[145:149], BINS.mass_high[145:149]), n[145:149])
    assert short.order[0] <= 2


def test_goodness_of_fit_by_toys() -> None:
    """Two counts per bin: p-values by toys are uniform (KS, p > 0.01), those by chi squared are not."""
    rng = np.random.default_rng(8)
    by_toys, by_chi2 = [], []
    for i in range(40):
        n = rng.poisson(2.0 * np.exp(0.3 * U))
        by_toys.append(goodness_of_fit(ONE, n, order=1, toys=60, seed=i).p_value)
        by_chi2.append(goodness_of_fit(ONE, n, order=1).p_value)
    assert stats.kstest(by_toys, "uniform").pvalue > 0.01
    assert stats.kstest(by_chi2, "uniform").pvalue < 0.01
    good = goodness_of_fit(ONE, n, order=1, toys=60, seed=39)
    assert good.p_value == by_toys[-1]
    assert (good.toys, good.failed) == (60, 0)


def test_goodness_of_a_wrong_shape() -> None:
    n = np.random.default_rng(2).poisson(50.0 * (1.0 + 0.5 * np.sin(9.0 * U)))
    wrong = goodness_of_fit(ONE, n, order=1, toys=120)
    assert wrong.p_value == pytest.approx(1.0 / 121.0)
    assert not wrong.ok
    assert goodness_of_fit(ONE, np.full(100, 50.0), order=1).ok


def test_failed_toys_stop_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    from besfast.analysis import poisson_fit

    n = np.random.default_rng(2).poisson(3.0, 100)
    monkeypatch.setattr(poisson_fit, "_ITERATIONS", 2)
    with pytest.raises(RuntimeError, match=r"of 20 toys of exp_poly4_split, order \(1,\), have no converged fit"):
        goodness_of_fit(ONE, n, order=1, toys=20)


def test_spurious_signal_of_the_models() -> None:
    """Noise-free leading order: a polynomial across the gap invents 6 and 60 sigma, two exponentials below 0.5."""
    worst = {}
    for channel, nu in YIELDS.items():
        for model in ("poly4", "exp_poly4_split"):
            found = spurious_signal(nu, counting_fit(BINS, model, 4), BINS.centre)
            worst[channel, model] = found.largest
            assert found.ok == (found.largest < 0.2)
            assert found.largest == np.max(np.abs(found.signal / found.error))
            assert abs(found.ratio[BINS.centre == found.at_mass]) == found.largest
            assert found.rms <= found.largest
            assert not judge(fit_background(BINS, nu, "poly4"), found).background_ok or model != "poly4"
    assert worst["mumu", "poly4"] == pytest.approx(6.8, abs=0.5)
    assert worst["ee", "poly4"] == pytest.approx(63.0, abs=4.0)
    assert worst["mumu", "exp_poly4_split"] < 0.3
    assert worst["ee", "exp_poly4_split"] < 0.9


def test_spurious_signal_grows_with_the_luminosity() -> None:
    fit = counting_fit(BINS, "exp_poly4_split", 3)
    found = spurious_signal(YIELDS["mumu"], fit, BINS.centre)
    more = spurious_signal(7.0 * YIELDS["mumu"], fit, BINS.centre)
    scaled = found.at_luminosity(7.0)
    assert np.allclose(more.signal, scaled.signal, rtol=1e-5, atol=1e-4)
    assert np.allclose(more.error, scaled.error, rtol=1e-6)
    assert scaled.largest == pytest.approx(math.sqrt(7.0) * found.largest, rel=1e-12)


def test_spurious_signal_of_any_fit() -> None:
    """A sliding window: straight line around a Gaussian signal, by least squares; a parabola fools it as computed."""
    sigma, half = 0.01, 8
    masses = ONE.centre[20:80:5]

    def window(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        signal, error = np.empty(masses.size), np.empty(masses.size)
        for j, mass in enumerate(masses):
            at = int(np.argmin(np.abs(ONE.centre - mass)))
            near = slice(at - half, at + half + 1)
            x = (ONE.centre[near] - mass) / 0.1
            shape = np.exp(-0.5 * ((ONE.centre[near] - mass) / sigma) ** 2)
            design = np.stack([shape, np.ones_like(x), x], axis=1)
            weight = 1.0 / counts[near]
            covariance = np.linalg.inv(design.T @ (design * weight[:, None]))
            signal[j] = (covariance @ (design.T @ (weight * counts[near])))[0]
            error[j] = math.sqrt(covariance[0, 0])
        return signal, error

    straight = spurious_signal(1e4 + 2e3 * U, window, masses)
    assert straight.ok
    assert straight.largest < 1e-9
    curved = spurious_signal(1e4 + 4e3 * U**2, window, masses)
    assert not curved.ok
    assert np.all(curved.signal < 0.0)
    assert curved.summary()["ok"] is False
    json.dumps(curved.summary())


def test_noise_of_the_template_is_no_verdict() -> None:
    """A template of ten times the luminosity, not smoothed: its noise is 0.3 sigma of the data."""
    flat = spurious_signal(np.full(100, 1e4), counting_fit(ONE, order=2), ONE.centre, template_error=math.sqrt(1e3))
    assert flat.largest < 1e-6
    assert flat.noise == pytest.approx(math.sqrt(0.1))
    assert not flat.ok
    verdict = judge(fit_background(ONE, np.full(100, 1e4)), flat)
    assert verdict.reasons == ("template with noise of 0.32 sigma, allowed 0.2",)


def test_channels_together() -> None:
    mass = np.array([1.6, 1.7])
    a = SpuriousSignal(mass, np.array([10.0, 0.0]), np.array([100.0, 100.0]))
    b = SpuriousSignal(mass, np.array([-40.0, 80.0]), np.array([400.0, 400.0]), noise=0.05)
    added = combined_spurious([a, b])
    assert np.allclose(added.signal, [-30.0, 80.0])
    assert np.allclose(added.error, math.hypot(100.0, 400.0))
    assert added.noise == 0.05
    joint = combined_spurious([a, b], [2.0, 2.0])
    information = 4.0 / 100.0**2 + 4.0 / 400.0**2
    assert np.allclose(joint.error, information**-0.5)
    assert joint.signal[0] == pytest.approx((20.0 / 100.0**2 - 80.0 / 400.0**2) / information)
    with pytest.raises(ValueError, match="different masses"):
        combined_spurious([a, b._replace(mass=mass + 0.1)])


def test_verdict_reaches_the_limits() -> None:
    """At a hundredth of the counts poly4 fits well and still invents a signal: its limits are flagged."""
    nu = 0.02 * YIELDS["ee"]
    n = np.random.default_rng(3).poisson(nu).astype(float)
    fit = fit_background(BINS, n, "poly4", 6)
    assert fit.background_ok
    found = spurious_signal(nu, counting_fit(BINS, "poly4", 6), BINS.centre)
    assert not found.ok
    verdict = judge(fit, found, goodness_of_fit(BINS, n, "poly4", 6, toys=0))
    assert not verdict.background_ok
    assert len(verdict.reasons) == 1
    assert verdict.reasons[0].startswith(f"spurious signal of {found.largest:.2g} sigma at {found.at_mass:.4g} GeV")
    assert json.loads(json.dumps(verdict._asdict()))["background_ok"] is False
    _, ee = channels(seed=1)
    table = limit_table([ee._replace(n=n, background=with_verdict(fit, verdict))], ["ee"])
    assert all("background_not_ok" in flags.split() for flags in table["flags"])
    assert judge(fit).background_ok
    assert with_verdict(fit, judge(fit)).background_ok
    assert not judge(fit._replace(converged=False)).background_ok
    assert not judge(fit, goodness=goodness_of_fit(BINS, YIELDS["ee"], "poly4")).background_ok


# the envelope


def few(order: int, n: np.ndarray) -> object:
    return fit_background(ONE, n, order=order, refit_below=math.inf)


def test_envelope_of_one_function_is_the_limit() -> None:
    rng = np.random.default_rng(5)
    n = rng.poisson(300.0, 100).astype(float)
    fit = fit_background(ONE, n, order=2)
    for bounded in (True, False):
        limit = envelope_limit(n, candidates([fit]), 1.0, 0.05, bounded=bounded)
        alone = poisson_limit(n, fit.predicted, fit.sigma_predicted, 1.0, 0.05, bounded=bounded)
        assert np.allclose(limit.upper, alone.upper, rtol=1e-9, equal_nan=True)
        assert np.allclose(limit.lower, alone.lower, rtol=1e-9, atol=1e-9)
        assert np.array_equal(limit.empty, alone.empty)
        assert np.allclose(limit.best, n - fit.predicted)
        assert set(limit.chosen) == {0}
    assert limit.method == "unbounded profile likelihood, envelope of 1 backgrounds"


@pytest.mark.parametrize("bounded", [True, False])
def test_envelope_by_brute_force(bounded: bool) -> None:
    """Three orders, the signal of one bin fitted together with each: least of deviance + parameters over the orders."""
    rng = np.random.default_rng(22)
    n = rng.poisson(400.0 * np.exp(0.5 * U + 0.03 * U**2)).astype(float)
    orders = (1, 2, 3)
    limit = envelope_limit(n, candidates([few(order, n) for order in orders]), bounded=bounded)
    assert set(limit.chosen) == {0, 1, 2}
    bases = [basis_at_nodes(ONE, order) for order in orders]
    for i in (0, 33, 50, 99):
        shape = np.zeros(100)

        def q(mu: float, i: int = i, shape: np.ndarray = shape) -> float:
            shape[i] = mu
            return min(fit_polynomial(b, n, True, shape).deviance + b.shape[2] for b in bases)

        scale = math.sqrt(n[i])
        grid = np.linspace(0.0 if bounded else -6.0 * scale, 8.0 * scale, 60)
        start = grid[np.argmin([q(mu) for mu in grid])]
        low = max(start - 0.5 * scale, 0.0) if bounded else start - 0.5 * scale
        best = minimize_scalar(q, bounds=(low, start + 0.5 * scale), method="bounded", options={"xatol": 1e-6})
        least = min(best.fun, q(low))
        top = start + 10.0 * scale
        upper = brentq(lambda mu, target=least + DELTA_90: q(mu) - target, max(start, 0.0), top, xtol=1e-6)
        assert limit.upper[i] == pytest.approx(upper, abs=0.005 * scale)


def test_envelope_contains_what_its_functions_allow() -> None:
    """The wider interval, and the penalty that decides between orders that fit as well."""
    n = np.random.default_rng(5).poisson(300.0, 100).astype(float)
    fits = [fit_background(ONE, n, order=order) for order in (0, 1, 4)]
    both = envelope_limit(n, candidates(fits), 1.0, 0.05)
    least = np.array([c.offset for c in candidates(fits)]).argmin(axis=0)
    assert np.array_equal(both.chosen, least)
    single = np.array([envelope_limit(n, candidates([fit]), 1.0, 0.05).upper for fit in fits])
    assert np.all(both.upper >= single[least, np.arange(100)] * (1 - 1e-9))
    assert np.all(both.upper <= single.max(axis=0) * (1 + 1e-9))
    strict = envelope_limit(n, candidates(fits, penalty=100.0), 1.0, 0.05)
    assert set(strict.chosen) == {0}
    assert np.allclose(strict.upper, single[0], rtol=1e-9)
    assert strict.labels == tuple(f"exp_poly4_split order {order}" for order in (0, 1, 4))


def test_envelope_of_two_channels() -> None:
    n = np.random.default_rng(5).poisson(300.0, 100).astype(float)
    a = candidates([fit_background(ONE, n, order=order) for order in (0, 1)])
    pairs = added_candidates(a, a)
    assert len(pairs) == 4
    limit = envelope_limit(2.0 * n, pairs)
    assert pairs[3].label == "exp_poly4_split order 1 + exp_poly4_split order 1"
    alone = poisson_limit(2.0 * n, 2.0 * a[0].predicted, math.sqrt(2.0) * a[0].sigma, 1.0, 0.0).upper
    assert np.median(limit.upper / alone) == pytest.approx(1.0, abs=0.02)


def test_envelope_of_extremes() -> None:
    one = np.ones(1)
    deep = Candidate("deep", 1000.0 * one, one, 5.0 * one)
    other = Candidate("other", 100.0 * one, one, 50.0 * one)
    assert envelope_limit(800.0 * one, [deep], bounded=False).empty
    assert not envelope_limit(800.0 * one, [deep]).empty
    # the second function explains the count as signal, at a price that the first cannot beat
    found = envelope_limit(800.0 * one, [deep, other._replace(offset=6.0 * one)])
    assert found.lower > 600.0
    assert found.upper > 700.0
    assert np.isinf(envelope_limit(5.0 * one, [deep._replace(predicted=one)], 1.0, 0.7).upper)
    empty = envelope_limit(0.0 * one, [deep._replace(predicted=3.0 * one, sigma=0.0 * one)])
    assert empty.upper == pytest.approx(DELTA_90 / 2.0, rel=1e-12)


def test_input_that_is_refused() -> None:
    with pytest.raises(ValueError, match="orders from 3 to 2, need 0 <= lowest <= highest"):
        choose_orders(ONE, np.ones(100), lowest=3, highest=2)
    with pytest.raises(ValueError, match="counts = nan"):
        choose_orders(ONE, np.full(100, np.nan))
    with pytest.raises(ValueError, match="background model = 'spline'"):
        choose_orders(ONE, np.ones(100), "spline")
    with pytest.raises(ValueError, match="template = -1"):
        spurious_signal(-np.ones(100), counting_fit(ONE), ONE.centre)
    with pytest.raises(ValueError, match="0 masses"):
        spurious_signal(np.ones(100), counting_fit(ONE), [])
    with pytest.raises(ValueError, match=r"fit at 1\.505 GeV: 0 \+- 0"):
        spurious_signal(np.ones(100), lambda n: (0.0 * n, 0.0 * n), ONE.centre)
    with pytest.raises(ValueError, match=r"scale = 0\.0, must be > 0"):
        SpuriousSignal(np.ones(1), np.ones(1), np.ones(1)).at_luminosity(0.0)
    fit = fit_background(ONE, np.full(100, 300.0), order=1)
    with pytest.raises(ValueError, match="prediction = 'with_bin', the envelope needs 'leave_one_out'"):
        candidates([fit_background(ONE, np.full(100, 300.0), order=1, prediction="with_bin")])
    with pytest.raises(ValueError, match="the fit did not converge"):
        candidates([fit._replace(converged=False)])
    with pytest.raises(ValueError, match=r"penalty = -1\.0"):
        candidates([fit], -1.0)
    with pytest.raises(ValueError, match="no background function"):
        envelope_limit(np.ones(3), [])
    with pytest.raises(ValueError, match=r"predicted of shape \(100,\) for n of \(3,\)"):
        envelope_limit(np.ones(3), candidates([fit]))
    with pytest.raises(ValueError, match="n = -1"):
        envelope_limit(-np.ones(100), candidates([fit]))
    with pytest.raises(ValueError, match="exp_poly4_split order 1: sigma = nan"):
        envelope_limit(np.ones(100), [candidates([fit])[0]._replace(sigma=np.full(100, np.nan))])
