"""Containment of a signal and its dependence on the mass resolution, data against simulation."""

import numpy as np
import pytest
from besfast.analysis.containment import gaussian_containment
from besfast.analysis.corrections import signal_shape
from scipy import stats

MASSES = np.linspace(1.5, 3.4, 20)
CENTRE = np.linspace(1.505, 3.395, 190)


def averaged(sigma: float, width: float = 0.01) -> float:
    """Containment of a Gaussian whose mean is anywhere in the bin."""
    z = width / sigma
    return float(2 * stats.norm.cdf(z) - 1 - 2 / z * (stats.norm.pdf(0) - stats.norm.pdf(z)))


def test_containment_of_the_paper() -> None:
    assert np.allclose(gaussian_containment([0.005, 0.012]), [0.683, 0.323], atol=5e-4)


@pytest.mark.parametrize("scale", [1.0, 1.037, 1.2])
def test_stretched_residuals(scale: float) -> None:
    """6 MeV times the scale: containment, resolution and the loss per relative widening in closed form, 5 sigma."""
    rng, sigma = np.random.default_rng(3), 0.006
    fitted = [m + sigma * rng.normal(size=20_000) for m in MASSES]
    shape = signal_shape(MASSES, fitted, CENTRE, 0.01, resolution_scale=scale)
    wide = scale * sigma
    assert np.all(np.abs(shape.containment.values - averaged(wide)) < 5 * shape.containment.sigma())
    assert np.all(np.abs(shape.resolution.values - wide) < 5 * shape.resolution.sigma())
    loss = -(np.log(averaged(1.001 * wide)) - np.log(averaged(0.999 * wide))) / 0.002
    assert np.allclose(shape.loss, loss, rtol=0.03)
    assert 0.5 < loss < 1.0


def test_scale_that_is_refused() -> None:
    with pytest.raises(ValueError, match=r"resolution_scale = 0\.0, must be > 0"):
        signal_shape(MASSES, [MASSES], CENTRE, 0.01, resolution_scale=0.0)
