"""What the limit takes from simulation: annihilation fraction, pion pairs and containment, smooth in mass."""

from typing import NamedTuple

import numpy as np

from ..arrays import Floats
from ..event import CHANNELS
from .containment import resolution
from .smooth import Pieces, Smooth, smooth, smooth_pieces
from .spectrum import Bins

MUMU, EE = CHANNELS.index("mumu"), CHANNELS.index("ee")
#: Bins on either side of its own that a signal is followed to: beyond, less than 1 in 1000 of it in bins of 10 MeV.
REACH = 10


class Expected(NamedTuple):
    """Expected events of one process per channel and bin, with variance; arrays (n_channels, n_bins)."""

    mean: Floats
    variance: Floats


def expected_events(weights: Floats, weights2: Floats, scale: float) -> Expected:
    """Return the expectation of a weighted sample; scale = luminosity * cross section / generated events."""
    return Expected(weights * scale, weights2 * scale**2)


def annihilation_fraction(
    centre: Floats, annihilation: Expected, bhabha: Expected, breaks: tuple[float, ...]
) -> Pieces:
    """Return annihilation / (annihilation + t channel + interference) of the ee channel after the full selection.

    `bhabha` contains the annihilation part; both samples are independent, and the ratio is smooth in the mass between
    the breaks; between the first and the second of them, where the resonance is, it is left as it is.
    """
    top, bottom = annihilation.mean[EE], bhabha.mean[EE]
    filled = (top > 0.0) & (bottom > 0.0)
    ratio = np.divide(top, bottom, out=np.zeros_like(top), where=filled)
    relative = np.divide(annihilation.variance[EE], top**2, out=np.zeros_like(top), where=filled)
    relative += np.divide(bhabha.variance[EE], bottom**2, out=np.zeros_like(top), where=filled)
    return smooth_pieces(centre, ratio, ratio**2 * relative, breaks, rough=(1,))


class SignalShape(NamedTuple):
    """Fraction of the signal in the bin of its mass, and half the central 68 % of its residuals [GeV], per bin.

    `loss` is -d ln(containment) / d ln(resolution), 0.57 at 5 MeV and 0.89 at 12 in bins of 10 MeV: what an error of
    the resolution, data against simulation, means for the containment.
    """

    containment: Smooth
    resolution: Smooth
    loss: Floats


def signal_shape(
    masses: Floats, fitted: list[Floats], centre: Floats, bin_width: float, *, resolution_scale: float = 1.0
) -> SignalShape:
    """Return the fraction of selected signal events reconstructed in the bin of their true mass, and the resolution.

    For a true mass anywhere in the bin with equal probability, an event with residual r stays inside with probability
    max(0, 1 - |r| / width): samples of fixed mass give the containment averaged over the bin.

    Parameters
    ----------
    masses : ndarray, shape (n_masses,)
        Simulated masses [GeV].
    fitted : list of ndarray
        Fitted masses of the selected events of each sample.
    centre : ndarray, shape (n_bins,)
        Where the containment is wanted; the samples span this range.
    bin_width : float
        [GeV].
    resolution_scale : float
        Resolution of data over that of the simulation, > 0: the residuals are stretched by it. BESIII found 1.037 +-
        0.018 (mumu) and 1.007 +- 0.053 (ee) in J/psi decays; 1 where the data are simulated alike.
    """
    if not resolution_scale > 0.0:
        raise ValueError(f"resolution_scale = {resolution_scale!r}, must be > 0")
    means, variances, widths, losses = (np.empty(len(masses)) for _ in range(4))
    for i, (mass, values) in enumerate(zip(masses, fitted)):
        if len(values) < 2:
            raise ValueError(f"signal sample at {mass:g} GeV: {len(values)} events pass the selection, too few")
        residuals = resolution_scale * (values - mass)
        inside = np.maximum(0.0, 1.0 - np.abs(residuals) / bin_width)
        means[i], variances[i] = inside.mean(), inside.var(ddof=1) / len(values)
        widths[i] = resolution(residuals)
        losses[i] = np.mean(np.where(inside > 0.0, 1.0 - inside, 0.0)) / means[i]
    # the quantiles of a normal distribution: var = 0.925 sigma^2 / n
    width_variances = 0.925 * widths**2 / np.array([len(values) for values in fitted])
    return SignalShape(
        smooth(masses, means, variances).at(centre),
        smooth(masses, widths, width_variances).at(centre),
        np.interp(centre, masses, losses),
    )


def leakage(
    masses: Floats, fitted: list[Floats], bins: Bins, bin_width: float, *, resolution_scale: float = 1.0
) -> Floats:
    """Return the events in all bins of a signal with one event in the bin of its mass, shape (n_bins, n_bins).

    Row i is a signal whose true mass is anywhere in bin i with equal probability: an event with residual r is k bins
    further with probability max(0, 1 - |r / width - k|). Samples as in `signal_shape`, of which the shares are
    interpolated linearly between masses, to `REACH` bins on either side; bins of equal width, gaps among them.
    """
    steps = np.arange(-REACH, REACH + 1)
    shares = np.empty((len(masses), steps.size))
    for i, (mass, values) in enumerate(zip(masses, fitted)):
        offset = resolution_scale * (values - mass) / bin_width
        shares[i] = [np.maximum(0.0, 1.0 - np.abs(offset - k)).sum() for k in steps]
    shares /= shares[:, [REACH]]
    at = np.array([np.interp(bins.centre, masses, column) for column in shares.T])
    number = np.round((bins.mass_low - bins.mass_low[0]) / bin_width).astype(np.int64)
    step = number[None, :] - number[:, None]
    near = np.abs(step) <= REACH
    rows = np.arange(number.size)[:, None]
    return np.where(near, at[np.where(near, step + REACH, 0), rows], 0.0)
