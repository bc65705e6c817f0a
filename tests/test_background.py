"""Background models: against refits, against an independent minimiser, and on the spectrum of the search."""

import numpy as np
import pytest
from besfast.analysis import poisson_fit
from besfast.analysis.background import MODELS, fit_background
from besfast.analysis.limit import profile
from besfast.analysis.poisson_fit import choose_order, poisson_deviance
from besfast.analysis.spectrum import Bins, bin_edges, search_bins
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import minimize

from .expectation import BINS, YIELDS


def test_maximum_likelihood_by_an_independent_minimiser() -> None:
    """exp(cubic) of the mass in GeV, integrated numerically over 12 bins, minimised by BFGS."""
    bins = search_bins(bin_edges(2.0, 2.12, 0.01), None)
    truth = np.exp(5.0 + 4.0 * (bins.centre - 2.06) + 60.0 * (bins.centre - 2.06) ** 2)
    n = np.random.default_rng(2).poisson(truth).astype(float)
    fit = fit_background(bins, n, order=2)
    scale = 0.06

    def expectation(c: np.ndarray) -> np.ndarray:
        return np.array(
            [
                quad(lambda m: np.exp(np.polyval(c, (m - 2.06) / scale)), low, high, epsabs=1e-13)[0] / 0.01
                for low, high in zip(*bins)
            ]
        )

    best = minimize(
        lambda c: poisson_deviance(n, expectation(c)), [0.0, 0.0, 5.0], method="BFGS", options={"gtol": 1e-7}
    )
    assert fit.deviance == pytest.approx(best.fun, rel=1e-9)
    assert np.allclose(fit.fitted, expectation(best.x), rtol=1e-6)
    assert fit.converged
    assert fit.dof == 9


def test_polynomial_keeps_what_maximum_likelihood_keeps() -> None:
    """The sum of the fit is the sum of the counts, and its residuals are orthogonal to every power of the mass / nu."""
    n = np.random.default_rng(4).poisson(YIELDS["mumu"]).astype(float)
    for model in MODELS:
        fit = fit_background(BINS, n, model)
        assert fit.fitted.sum() == pytest.approx(n.sum(), rel=1e-9)
    for power in range(5):
        weight = BINS.centre**power  # bin averages differ by constants of lower order
        assert np.sum(weight * (n / fit.fitted - 1.0)) == pytest.approx(0.0, abs=1e-4 * np.sum(weight))


def test_leverage_counts_the_parameters() -> None:
    fit = fit_background(BINS, YIELDS["mumu"], order=4)
    assert fit.leverage.sum() == pytest.approx(10.0, rel=1e-9)
    assert fit.leverage[145:].sum() == pytest.approx(5.0, rel=1e-9)
    # five parameters over twenty bins: the outermost decide themselves
    assert fit.leverage[145] == pytest.approx(0.71, abs=0.01)
    assert fit.leverage[164] == pytest.approx(0.74, abs=0.01)
    assert np.array_equal(np.nonzero(fit.high_leverage)[0], [145, 164])
    single = fit_background(BINS, YIELDS["mumu"], "poly4")
    assert single.leverage.sum() == pytest.approx(5.0, rel=1e-9)
    assert single.leverage[0] == pytest.approx(0.13, abs=0.03)


@pytest.mark.parametrize(
    ("channel", "scale", "bins", "accuracy"),
    [
        ("mumu", 1.0, (0, 1, 70, 144, 145, 155, 164), 0.005),
        ("ee", 1.0, (0, 70, 144, 145, 164), 0.001),
        ("mumu", 0.01, (0, 70, 145, 164), 0.03),
    ],
)
def test_leave_one_out_against_refits(channel: str, scale: float, bins: tuple[int, ...], accuracy: float) -> None:
    """Largest distance to the refit without the bin, in units of its error: a count equal to its own prediction."""
    n = np.random.default_rng(3).poisson(scale * YIELDS[channel]).astype(float)
    fit = fit_background(BINS, n, order=4)
    for i in bins:
        refit, counts, h = fit.predicted[i], n.copy(), fit.leverage[i]
        for _ in range(80):  # a fit to its own prediction is not pulled by the bin
            counts[i] = refit
            new = (fit_background(BINS, counts, order=4).fitted[i] - h * refit) / (1.0 - h)
            if abs(new - refit) < 1e-9 * refit:
                break
            refit = new
        assert abs(refit - fit.predicted[i]) < accuracy * fit.sigma_predicted[i]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("window", [0, 2])
@pytest.mark.parametrize("level", [0.5, 4.0, 12.0])
def test_few_counts_are_refitted(level: float, window: int, model: str) -> None:
    """Half a count to twelve per bin: prediction, error and deviance without the bins by an independent minimiser."""
    bins = search_bins(bin_edges(2.0, 2.4, 0.01), None)
    u = (bins.centre - 2.2) / 0.2
    truth = level * np.exp(0.4 * u)
    n = np.random.default_rng(7).poisson(truth).astype(float)
    fit = fit_background(bins, n, model, order=2, window=window)
    assert np.all(fit.refitted)
    assert fit.converged
    exponential = model == "exp_poly4_split"
    node, weight = np.polynomial.legendre.leggauss(7)
    powers = np.vander((bins.centre[:, None] + 0.005 * node - 2.2).ravel() / 0.2, 3).reshape(40, 7, 3)

    def expectation(c: np.ndarray) -> np.ndarray:
        value = powers @ c
        return (np.exp(value) if exponential else value) @ weight / 2.0

    for i in (0, 13, 39):
        kept = np.abs(np.arange(40) - i) > window

        def deviance(c: np.ndarray, kept: np.ndarray = kept) -> float:
            nu = expectation(c)[kept]
            return poisson_deviance(n[kept], nu) if np.all(nu > 0.0) else 1e9

        start = [0.0, 0.0, np.log(level) if exponential else level]
        for _ in range(3):
            start = minimize(deviance, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-11}).x
        assert fit.predicted[i] == pytest.approx(expectation(start)[i], rel=2e-4)
        assert fit.left_out_deviance[i] == pytest.approx(deviance(start), abs=1e-6)
        step = 1e-5 * np.eye(3)
        gradient = np.array([(expectation(start + e) - expectation(start - e)) / 2e-5 for e in step])
        fisher = (gradient[:, kept] / expectation(start)[kept]) @ gradient[:, kept].T
        error = np.sqrt(gradient[:, i] @ np.linalg.solve(fisher, gradient[:, i]))
        assert fit.sigma_predicted[i] == pytest.approx(error, rel=1e-3)
    stepped = fit_background(bins, n, model, order=2, window=window, refit_below=0.0)
    assert not np.any(stepped.refitted)
    assert np.any(np.abs(stepped.predicted - fit.predicted) > 0.002 * fit.sigma_predicted)


@pytest.mark.parametrize("window", [0, 2])
def test_one_step_is_enough_for_many_counts(window: int) -> None:
    """Against refits of every bin, in units of the error, and the deviance of what is left; some bins are refitted."""
    rng = np.random.default_rng(31)
    for scale, allowed in ((1.0, 0.01), (0.1, 0.02), (0.02, 0.03)):
        n = rng.poisson(scale * YIELDS["mumu"]).astype(float)
        fit = fit_background(BINS, n, order=4, window=window)
        exact = fit_background(BINS, n, order=4, window=window, refit_below=np.inf)
        assert np.all(exact.refitted)
        assert np.max(np.abs(fit.predicted - exact.predicted) / exact.sigma_predicted) < allowed
        assert np.allclose(fit.left_out_deviance, exact.left_out_deviance, atol=0.02)
        assert np.count_nonzero(fit.refitted) < 40


def test_prediction_is_the_profile_of_a_free_bin() -> None:
    """A signal of one bin fitted together with the polynomial: same strength, error and likelihood ratio.

    What leaving the bin out stands for, to 0.2 per cent of q; the joint fit has the signal as a known component.
    """
    n = np.random.default_rng(4).poisson(YIELDS["mumu"][:145]).astype(float)
    bins = Bins(BINS.mass_low[:145], BINS.mass_high[:145])
    fit = fit_background(bins, n, order=4)
    basis = poisson_fit.basis_at_nodes(bins, 4)
    for i in (0, 60, 144):
        error = np.sqrt(n[i] + fit.sigma_predicted[i] ** 2)
        shape = np.zeros(145)
        for pull in (-4.0, -1.0, 0.0, 2.0):
            shape[i] = n[i] - fit.predicted[i] + pull * error
            joint = poisson_fit.fit_polynomial(basis, n, True, shape)
            q, _, _ = profile(n[i], shape[i] + fit.predicted[i] - n[i], fit.sigma_predicted[i] ** 2)
            assert joint.deviance - fit.left_out_deviance[i] == pytest.approx(q, rel=2.5e-3, abs=5e-3)


@pytest.mark.parametrize("window", [0, 2])
def test_press_identity_of_the_linear_model(window: int) -> None:
    """Leave-one-out of a weighted straight-line fit, refitted bin by bin, is exact for fixed weights."""
    bins = search_bins(bin_edges(1.0, 1.2, 0.01), None)
    rng = np.random.default_rng(8)
    n = rng.normal(1e6, 1e3, 20)
    fit = fit_background(bins, n, "poly4", order=1, window=window)
    x = bins.centre
    for i in (0, 7, 19):
        keep = np.abs(np.arange(20) - i) > window
        line = np.polyfit(x[keep], n[keep], 1, w=1.0 / np.sqrt(fit.fitted[keep]))
        # maximum likelihood and weighted least squares differ by about one count
        assert fit.predicted[i] == pytest.approx(np.polyval(line, x[i]), abs=3.0)
        _, covariance = np.polyfit(x[keep], n[keep], 1, w=1.0 / np.sqrt(fit.fitted[keep]), cov="unscaled")
        error = np.sqrt(np.array([x[i], 1.0]) @ covariance @ np.array([x[i], 1.0]))
        assert fit.sigma_predicted[i] == pytest.approx(error, rel=1e-6)


def test_models_on_the_spectrum_of_the_search() -> None:
    """Noise-free leading order: two exponentials describe both channels, the single polynomial is far off in ee."""
    worst = {}
    for channel, nu in YIELDS.items():
        for model in MODELS:
            fit = fit_background(BINS, nu, model, order=4)
            worst[channel, model] = np.max(np.abs(fit.significance))
            assert fit.converged
            assert fit.background_ok == (model == "exp_poly4_split")
    assert worst["mumu", "exp_poly4_split"] < 0.15
    assert worst["ee", "exp_poly4_split"] < 0.50
    assert worst["mumu", "poly4"] == pytest.approx(6.4, abs=0.1)
    assert worst["ee", "poly4"] == pytest.approx(60.0, abs=2.5)


def test_pulls_have_unit_width() -> None:
    """100 spectra of 165 bins: mean square 1 within 3.3 % (3 sigma), p-values flat (KS, p > 0.01)."""
    rng = np.random.default_rng(20)
    pulls, loo, p_values = [], [], []
    for _ in range(100):
        n = rng.poisson(YIELDS["mumu"])
        fit = fit_background(BINS, n, order=4)
        pulls.append(fit.pull)
        loo.append((n - fit.predicted) / np.sqrt(fit.fitted + fit.sigma_predicted**2))
        p_values.append(fit.p_value)
    assert np.mean(np.square(pulls)) == pytest.approx(1.0, abs=0.033)
    assert np.mean(np.square(loo)) == pytest.approx(1.0, abs=0.033)
    assert np.mean(pulls) == pytest.approx(0.0, abs=0.03)
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_order_is_lowered_and_no_further_than_the_spectrum_allows() -> None:
    bins = search_bins(bin_edges(1.5, 2.5, 0.01), None)
    rng = np.random.default_rng(6)
    flat = [fit_background(bins, rng.poisson(1000.0, 100)).order[0] for _ in range(40)]
    assert np.mean(np.array(flat) == 2) > 0.7  # the lowest that is chosen
    u = (bins.centre - 2.0) / 0.5
    even = 1e5 * np.exp(0.3 * (3 * u**2 - 1))  # no odd term: orders 0 and 1 are equally wrong
    assert fit_background(bins, rng.poisson(even)).order[0] >= 2
    wild = 1e5 * np.exp(0.2 * np.cos(12 * u))
    assert fit_background(bins, wild).order == (4,)
    assert not fit_background(bins, wild).background_ok


def test_a_signal_does_not_choose_its_background() -> None:
    """Above the gap a peak in the middle looks like curvature: the order is that of the spectrum without it."""
    bins = Bins(BINS.mass_low[145:], BINS.mass_high[145:])
    rng = np.random.default_rng(12)
    orders = []
    for _ in range(40):
        n = rng.poisson(YIELDS["mumu"][145:]).astype(float)
        n[10] += 10.0 * np.sqrt(n[10])
        orders.append(choose_order(bins, n, True, 0, np.zeros(n.size)))
    assert np.mean(np.array(orders) == 2) > 0.8


def test_a_wide_signal_lifts_its_background_unless_its_neighbours_are_left_out() -> None:
    """Signal of 12 MeV resolution at 3.305 GeV, ten sigma in its bin; 60 spectra, error of the mean 0.13."""
    shape = np.exp(-0.5 * ((BINS.centre - 3.305) / 0.012) ** 2)
    rng = np.random.default_rng(13)
    pulls: dict[int, list[float]] = {0: [], 3: []}
    signal = 10.0 * np.sqrt(YIELDS["mumu"][155])
    for _ in range(60):
        n = rng.poisson(YIELDS["mumu"] + signal * shape)
        for window, found in pulls.items():
            fit = fit_background(BINS, n, order=(3, 2), window=window)
            error = np.hypot(np.sqrt(n[155]), fit.sigma_predicted[155])
            found.append((n[155] - fit.predicted[155] - signal) / error)
    assert np.mean(pulls[0]) < -1.5
    assert abs(np.mean(pulls[3])) < 0.4


def test_pulls_with_a_window_have_unit_width() -> None:
    """60 spectra, two neighbours left out on each side: mean square 1 within 4.3 % (3 sigma)."""
    rng = np.random.default_rng(21)
    pulls, null = [], []
    for _ in range(60):
        n = rng.poisson(YIELDS["mumu"])
        fit = fit_background(BINS, n, order=(4, 3), window=2)
        pulls.append(fit.pull)
        null.append((n - fit.predicted) / np.sqrt(fit.null_variance))
    assert np.allclose(pulls, null, rtol=1e-9, atol=1e-12)
    assert np.mean(np.square(pulls)) == pytest.approx(1.0, abs=0.043)


def test_failure_is_never_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poisson_fit, "_ITERATIONS", 1)
    fit = fit_background(BINS, np.random.default_rng(1).poisson(YIELDS["mumu"] * 0.002), order=4)
    assert not fit.converged
    assert not fit.background_ok


def test_few_and_no_counts() -> None:
    fit = fit_background(BINS, np.random.default_rng(9).poisson(0.02 * YIELDS["mumu"] / 100.0))
    assert fit.converged
    assert np.all(np.isfinite(fit.predicted) & (fit.predicted >= 0.0))
    empty = fit_background(BINS, np.zeros(165))
    assert np.all(empty.fitted < 1e-6)
    assert np.all(np.isfinite(empty.pull))
    for counts in (np.zeros(165), np.random.default_rng(9).poisson(0.5, 165)):
        assert np.all(np.isfinite(fit_background(BINS, counts, "poly4").fitted))


def test_counts_in_a_corner_say_nothing_of_the_rest() -> None:
    """Three counts in one bin: what is far from them is unknown, with an error and a flag that say so."""
    bins = Bins(BINS.mass_low[145:], BINS.mass_high[145:])
    for at in (0, 10, 19):
        n = np.zeros(20)
        n[at] = 3.0
        for order in (None, 4):
            fit = fit_background(bins, n, order=order)
            assert np.all(np.isfinite(fit.predicted) & (fit.predicted >= 0.0) & (fit.predicted <= 4000.0))
            assert np.all(np.isfinite(fit.sigma_predicted) & np.isfinite(fit.pull))
            unknown = fit.sigma_predicted > 100.0
            assert np.all(fit.high_leverage[unknown])
    sparse = np.zeros(165)
    sparse[144] = 3.0
    assert np.all(np.isfinite(fit_background(BINS, sparse, order=2).sigma_predicted))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((BINS, np.ones(165), "spline"), "background model = 'spline', must be one of exp_poly4_split, poly4"),
        ((BINS, np.ones(164)), r"counts of shape \(164,\) for 165 bins"),
        ((BINS, -np.ones(165)), "counts = -1"),
        ((BINS, np.full(165, np.nan)), "counts = nan"),
        ((BINS, np.array([])), r"counts of shape \(0,\) for 165 bins"),
        ((BINS, np.ones(165), "exp_poly4_split", 30), "order = 30, must be from 0 to 18"),
        ((BINS, np.ones(165), "exp_poly4_split", (3, 2, 1)), r"order = \(3, 2, 1\), must be one number or 2"),
        (
            (Bins(np.array([1.0, 2.0]), np.array([1.1, 2.1])), np.ones(2)),
            "a background needs 3 bins in a row, from 1 GeV are 1",
        ),
    ],
)
def test_input_that_is_refused(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_background(*arguments)  # type: ignore[arg-type]


def test_predictions_that_are_refused() -> None:
    with pytest.raises(ValueError, match="prediction = 'blind', must be one of leave_one_out, with_bin"):
        fit_background(BINS, np.ones(165), prediction="blind")
    with pytest.raises(ValueError, match="window = 2, must be 0 for prediction = 'with_bin'"):
        fit_background(BINS, np.ones(165), window=2, prediction="with_bin")
