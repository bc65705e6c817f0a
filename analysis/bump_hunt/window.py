"""Background in a window: which bins, a polynomial integrated over them, and its Poisson fit as a reference."""

from typing import NamedTuple

import numpy as np
from numpy.polynomial import legendre

from ...arrays import Floats
from ..spectrum import Bins

_ITERATIONS = 100


class Window(NamedTuple):
    """Adjoining bins [start, start + size) of a spectrum."""

    start: int
    size: int


def window_at(bins: Bins, mass: float, half_width: float) -> Window:
    """Return the bins from mass - half_width to mass + half_width [GeV], never across a gap.

    At an edge of the range or of a gap the window keeps its width and is shifted, so that the polynomial there has as
    many bins as elsewhere; a segment shorter than the window is taken whole. A mass inside a gap belongs to the nearer
    side.
    """
    segment = bins.segment
    first = np.searchsorted(segment, np.arange(segment[-1] + 1))
    last = np.append(first[1:], segment.size) - 1
    distance = np.maximum(bins.mass_low[first] - mass, mass - bins.mass_high[last])
    nearest = int(np.argmin(distance))
    low, count = int(first[nearest]), int(last[nearest] - first[nearest] + 1)
    width = float(bins.width[low])
    size = min(round(2.0 * half_width / width), count)
    shifted = round((mass - half_width - bins.mass_low[low]) / width)
    return Window(low + min(max(shifted, 0), count - size), size)


def polynomial_bins(size: int, order: int) -> Floats:
    """Return Legendre polynomials 0..order averaged over `size` equal bins of [-1, 1], shape (size, order + 1).

    Integral of P_k: (P_{k+1} - P_{k-1}) / (2k + 1), exact.
    """
    values = legendre.legvander(np.linspace(-1.0, 1.0, size + 1), order + 1)
    integrals = np.empty((size + 1, order + 1))
    integrals[:, 0] = values[:, 1]
    for k in range(1, order + 1):
        integrals[:, k] = (values[:, k + 1] - values[:, k - 1]) / (2 * k + 1)
    return np.asarray(np.diff(integrals, axis=0) * (0.5 * size))


class Reference(NamedTuple):
    """Expectation of a fit without signal, shape (n_bins,), and its nuisance of the additive component."""

    nu: Floats
    nuisance: float


def fit_reference(counts: Floats, polynomials: Floats, component: Floats, component_error: float) -> Reference:
    """Return the Poisson fit of polynomial + component (1 + component_error theta), theta ~ N(0, 1), without signal.

    Fisher scoring with steps halved. Where the optimum leaves no positive expectation everywhere (a few counts) the
    mean of the counts takes the polynomial's place: the reference only has to be a positive member of the model.
    """
    columns = np.hstack([polynomials, component_error * component[:, None]]) if component_error > 0.0 else polynomials
    prior = np.zeros(columns.shape[1])
    prior[polynomials.shape[1] :] = 1.0
    flat = max(float(np.mean(counts - component)), 0.5 / counts.size)
    beta = np.zeros(columns.shape[1])
    beta[0] = flat
    nu = component + columns @ beta

    def objective(nu: Floats, beta: Floats) -> float:
        return float(np.sum(nu - counts * np.log(nu)) + 0.5 * np.sum(prior * beta**2))

    value = objective(nu, beta)
    for _ in range(_ITERATIONS):
        gradient = columns.T @ (counts / nu - 1.0) - prior * beta
        information = columns.T @ (columns / nu[:, None]) + np.diag(prior)
        try:
            step = np.linalg.solve(information, gradient)
        except np.linalg.LinAlgError:
            break
        scale = 1.0
        for _ in range(30):
            trial = nu + scale * (columns @ step)
            if np.all(trial > 0.0):
                new = objective(trial, beta + scale * step)
                if new <= value + 1e-12 * abs(value):
                    break
            scale *= 0.5
        else:
            break
        beta, nu, value = beta + scale * step, trial, new
        if gradient @ step < 1e-12:
            break
    if not np.min(nu) > 1e-3 * np.mean(nu):
        return Reference(np.asarray(component + flat), 0.0)
    nuisance = float(beta[-1]) if component_error > 0.0 else 0.0
    return Reference(np.asarray(nu), nuisance)
