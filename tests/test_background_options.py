"""What a search may choose of its background: orders without spurious signal, the envelope, leaks of a signal."""

import dataclasses

import numpy as np
import pytest
from besfast.analysis.background import fit_background
from besfast.analysis.combination import limit_table
from besfast.analysis.corrections import leakage
from besfast.analysis.envelope_table import envelope_table
from besfast.analysis.neglected import neglected_density
from besfast.analysis.search_card import load_search
from besfast.analysis.spectrum import Bins
from besfast.analysis.spurious_signal import counting_fit, spurious_signal, unbiased_orders
from besfast.analysis.systematics import systematic_errors
from scipy import special

from .expectation import BINS, YIELDS, channels

SIGMA = 0.011


def gaussian_leakage():
    """Return the leakage of a Gaussian resolution, true masses flat over a bin, by its closed form."""
    number = np.round((BINS.mass_low - BINS.mass_low[0]) / 0.01)
    offset = (number[None, :] - number[:, None]) * 0.01

    def integral(x):  # of the integral of a normal distribution
        return x * special.ndtr(x / SIGMA) + SIGMA / np.sqrt(2.0 * np.pi) * np.exp(-0.5 * (x / SIGMA) ** 2)

    share = (integral(offset + 0.01) - 2.0 * integral(offset) + integral(offset - 0.01)) / 0.01
    return share / share[0, 0]


def test_leakage_of_a_gaussian():
    """From samples of residuals: the closed form within the error of 40 000 events, seed 1; zero far away."""
    masses = np.array([1.5, 2.4, 3.4])
    rng = np.random.default_rng(1)
    fitted = [mass + SIGMA * rng.normal(size=40_000) for mass in masses]
    found = leakage(masses, fitted, BINS, 0.01)
    expected = gaussian_leakage()
    assert np.all(np.diag(found) == 1.0)
    assert np.max(np.abs(found - expected)) < 0.02
    # the bins on either side of the gap are 26 apart
    assert found[144, 145] == 0.0
    stretched = leakage(masses, [m + (f - m) / 1.25 for m, f in zip(masses, fitted, strict=True)], BINS, 0.01,
                        resolution_scale=1.25)  # fmt: skip
    assert np.allclose(stretched, found)


@pytest.mark.parametrize("window", [0, 2])
def test_absorbed_is_what_an_injected_signal_adds(window):
    """A small signal in all bins: the predictions of its own bin rise by `absorbed`, to 2 % of the largest."""
    nu, leaks = YIELDS["ee"], gaussian_leakage()
    options = {"order": (4, 2), "window": window, "leakage": leaks}
    fit = fit_background(BINS, nu, **options)
    for i in (0, 60, 140, 144, 145, 155, 164):
        raised = fit_background(BINS, nu + 30.0 * leaks[i], **options).predicted[i] - fit.predicted[i]
        assert raised / 30.0 == pytest.approx(fit.absorbed[i], abs=0.02 * fit.absorbed.max() + 1e-4)
    assert fit.prediction == "leave_one_out"
    assert np.all(fit_background(BINS, nu, window=window).absorbed == 0.0)
    if window == 0:
        whole = fit_background(BINS, nu, order=(4, 2), prediction="with_bin", leakage=leaks)
        for i in (0, 60, 144, 164):
            fitted = fit_background(BINS, nu + 30.0 * leaks[i], order=(4, 2)).fitted[i] - whole.fitted[i]
            assert fitted / 30.0 == pytest.approx(whole.absorbed[i], abs=0.02 * whole.absorbed.max())
    # wider windows leave less of the signal
    assert fit.absorbed.max() < (0.6 if window == 0 else 0.2)


def test_orders_without_spurious_signal():
    """The lowest orders that pass, one below: not; a higher floor than the likelihood ratio's is kept in data."""
    nu = YIELDS["ee"]
    orders = unbiased_orders(BINS, nu, window=2)
    segment = BINS.segment

    def largest(order):
        ratio = np.abs(spurious_signal(nu, counting_fit(BINS, order=order, window=2), BINS.centre).ratio)
        return [ratio[segment == side].max() for side in (0, 1)]

    assert max(largest(orders)) < 0.2
    for side in (0, 1):
        if orders[side] > 2:
            lower = tuple(order - (side == at) for at, order in enumerate(orders))
            assert largest(lower)[side] > 0.2
    # ten thousand times the data need more, and none is enough within reach: the best is returned
    more = unbiased_orders(BINS, 1e4 * nu, window=2, highest=5)
    assert max(more) <= 5
    n = np.random.default_rng(2).poisson(nu).astype(float)
    chosen = fit_background(BINS, n, window=2, lowest=orders).order
    assert all(order >= least for order, least in zip(chosen, orders, strict=True))
    assert fit_background(BINS, n, window=2, lowest=(6, 5)).order == (6, 5)
    with pytest.raises(ValueError, match="lowest = \\(3,\\), must be 2 orders"):
        fit_background(BINS, n, lowest=(3,))


def test_envelope_of_a_search():
    """Without further orders the limits are those of the table; with some, never far below and at times above."""
    # pions are in the fits of the envelope, not in those of these channels
    both = [one._replace(pipi=0.0 * one.pipi) for one in channels(seed=3)]
    table = limit_table(both)
    alone = envelope_table(both, 0)
    for name in ("sum", "mumu", "ee"):
        mine = alone["n_up"][alone["combination"] == name]
        assert np.allclose(mine, table["n_up"][table["combination"] == name], rtol=1e-6)
        wanted = table["epsilon_up"][table["combination"] == name]
        assert np.allclose(alone["epsilon_up"][alone["combination"] == name], wanted, rtol=1e-6)
    more = envelope_table(both, 1)
    assert len(set(more["best"].tolist())) > 2
    ratio = more["n_up"] / alone["n_up"]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.05)
    assert np.max(ratio) > 1.0
    assert not np.any([("empty" in flags or "dropped" in flags) for flags in more["flags"].tolist()])
    assert set(more["method"]) != set(alone["method"])
    only = envelope_table(both[:1], 1)
    assert set(only["combination"]) == {"mumu"}


def test_neglected_backgrounds_are_an_error_of_the_yield():
    """Falling with mass, 1 to 2 % of mumu at the lower end and below 0.5 % at the upper; nothing else changes."""
    both = channels(seed=None)
    with_error = [
        one._replace(neglected=2.93e6 * 0.01 * neglected_density(one.channel, BINS.centre, 3.773)) for one in both
    ]
    mumu = systematic_errors(with_error, "mumu")["background_subtraction"]
    assert 0.008 < mumu[0] < 0.025
    assert mumu[-1] < 0.005
    assert np.all(np.diff(mumu) <= 1e-6)
    assert np.all(systematic_errors(with_error, "ee")["background_subtraction"] < 1e-3)
    assert np.all(systematic_errors(both, "joint")["background_subtraction"] == 0.0)
    with pytest.raises(ValueError, match=r"background_subtraction: neglected backgrounds are known at 3.773 GeV"):
        neglected_density("mumu", BINS.centre, 4.178)


def test_bins_of_several_widths_are_refused():
    uneven = Bins(np.array([1.5, 1.51, 1.53, 1.54]), np.array([1.51, 1.53, 1.54, 1.55]))
    with pytest.raises(ValueError, match=r"bins of 0.01 to 0.02 GeV: a background is fitted to bins of one common"):
        fit_background(uneven, np.ones(4))


def test_keys_of_the_search_card(tmp_path):
    search = load_search("besiii_dark_photon")
    assert (search.limit.order, search.limit.fixed_order()) == ("spurious_signal", None)
    path = tmp_path / "mine.toml"

    def limit(text):
        path.write_text(f'base = "besiii_dark_photon"\n[limit]\n{text}\n')
        return load_search(path).limit

    assert limit("order = [5, 3]").fixed_order() == (5, 3)
    assert limit('order = "likelihood_ratio"').fixed_order() is None
    assert limit('prediction = "with_bin"\nwindow = 0').prediction == "with_bin"
    for text, message in (
        ('order = "best"', "order = 'best', allowed 'spurious_signal', 'likelihood_ratio' or numbers in"),
        ("order = [5, 30]", r"order = \[5, 30\], allowed \[0, 12\]"),
        ("order = 5", "limit.order = 5, allowed"),
        ('prediction = "with_bin"', "window = 2, allowed 0 with prediction"),
        ("envelope = 9", "envelope = 9, allowed"),
        ('epsilon_definition = "alpha"', "epsilon_definition = 'alpha', allowed 'mixing', 'width'"),
    ):
        with pytest.raises(ValueError, match=message):
            limit(text)
    scaled = dataclasses.replace(search.signal, resolution_scale_mumu=1.037)
    assert [scaled.resolution_scale(channel) for channel in ("mumu", "ee")] == [1.037, 1.0]
