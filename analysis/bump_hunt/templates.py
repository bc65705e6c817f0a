"""Shape of a narrow signal in the reconstructed mass: the double-sided Crystal Ball, bin by bin and between masses.

A Gaussian core whose two sides turn into powers, f(z) ~ (n/a - a -+ z)^-n beyond z = -+a, with z = (m - m_true -
shift)/sigma and value and slope continuous; M. Oreglia, SLAC-R-236 (1980), appendix D, one tail on each side. The
low tail is radiation and bremsstrahlung, the high one multiple scattering and wrong hits.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import interpolate, optimize, special

from ...arrays import Floats
from ..containment import resolution

_SQRT2 = math.sqrt(2.0)
_SQRT_HALF_PI = math.sqrt(0.5 * math.pi)
#: Where a tail begins so far out [sigma] that double precision does not see it: a Gaussian.
NO_TAIL = 30.0


class SignalShape(NamedTuple):
    """Parameters of the double-sided Crystal Ball, arrays of one shape (one entry per mass).

    `shift` [GeV] is the peak less the true mass, `sigma` [GeV] the width of the core, `alpha` where a tail begins in
    units of sigma, `power` its exponent, above 1.
    """

    shift: Floats
    sigma: Floats
    alpha_low: Floats
    power_low: Floats
    alpha_high: Floats
    power_high: Floats

    def widened(self, factor: float) -> "SignalShape":
        """Return the shape with the mass resolution times a factor."""
        return self._replace(sigma=self.sigma * factor)


def signal_shape(
    sigma: ArrayLike,
    *,
    shift: ArrayLike = 0.0,
    alpha_low: ArrayLike = NO_TAIL,
    power_low: ArrayLike = 3.0,
    alpha_high: ArrayLike = NO_TAIL,
    power_high: ArrayLike = 3.0,
) -> SignalShape:
    """Return a shape, checked; without further arguments a Gaussian of width sigma [GeV]."""
    values = np.broadcast_arrays(
        *(np.asarray(v, dtype=np.float64) for v in (shift, sigma, alpha_low, power_low, alpha_high, power_high))
    )
    shape = SignalShape(*values)
    for name, value in shape._asdict().items():
        low = {"shift": -math.inf, "power_low": 1.0, "power_high": 1.0}.get(name, 0.0)
        good = np.isfinite(value) & (value > low)
        if not np.all(good):
            raise ValueError(f"signal shape: {name} = {value[~good].flat[0]:g}, must be finite and above {low:g}")
    return shape


def _tail(z: Floats, alpha: Floats, power: Floats) -> Floats:
    """Return the integral of a power tail from minus infinity to z <= -alpha, the core being exp(-z^2/2)."""
    reach = power / alpha
    shrink = reach / np.maximum(reach - alpha - z, reach)
    return np.asarray(np.exp(-0.5 * alpha**2) * reach / (power - 1.0) * shrink ** (power - 1.0))


def cumulative(shape: SignalShape, residual: ArrayLike) -> Floats:
    """Return the fraction of the signal with reconstructed less true mass below `residual` [GeV]; they broadcast."""
    z = (np.asarray(residual, dtype=np.float64) - shape.shift) / shape.sigma
    low = _tail(-shape.alpha_low, shape.alpha_low, shape.power_low)
    high = _tail(-shape.alpha_high, shape.alpha_high, shape.power_high)
    start = special.erf(shape.alpha_low / _SQRT2)
    core = _SQRT_HALF_PI * (special.erf(np.clip(z, -shape.alpha_low, shape.alpha_high) / _SQRT2) + start)
    total = low + high + _SQRT_HALF_PI * (special.erf(shape.alpha_high / _SQRT2) + start)
    below = _tail(np.minimum(z, -shape.alpha_low), shape.alpha_low, shape.power_low)
    above = _tail(-np.maximum(z, shape.alpha_high), shape.alpha_high, shape.power_high)
    return np.asarray((below + core + high - above) / total)


def density(shape: SignalShape, residual: ArrayLike) -> Floats:
    """Return the probability density [1/GeV] of reconstructed less true mass; they broadcast."""
    z = (np.asarray(residual, dtype=np.float64) - shape.shift) / shape.sigma
    total = (
        _tail(-shape.alpha_low, shape.alpha_low, shape.power_low)
        + _tail(-shape.alpha_high, shape.alpha_high, shape.power_high)
        + _SQRT_HALF_PI * (special.erf(shape.alpha_low / _SQRT2) + special.erf(shape.alpha_high / _SQRT2))
    )
    in_low, in_high = z < -shape.alpha_low, z > shape.alpha_high
    alpha = np.where(in_low, shape.alpha_low, shape.alpha_high)
    power = np.where(in_low, shape.power_low, shape.power_high)
    reach, depth = power / alpha, np.where(in_low, -z, z)
    tail = np.exp(-0.5 * alpha**2) * (reach / np.maximum(reach - alpha + depth, reach)) ** power
    value = np.where(in_low | in_high, tail, np.exp(-0.5 * np.clip(z, -shape.alpha_low, shape.alpha_high) ** 2))
    return np.asarray(value / (total * shape.sigma))


def bin_fractions(shape: SignalShape, mass: ArrayLike, edges: Floats) -> Floats:
    """Return the fraction of a signal in every bin, the integral of its shape.

    Parameters
    ----------
    shape : SignalShape
        One entry per mass.
    mass : array_like, shape (n_masses,)
        True masses [GeV].
    edges : ndarray, shape (n_edges,) or (n_masses, n_edges)
        Edges of adjoining bins [GeV].

    Returns
    -------
    ndarray, shape (n_masses, n_edges - 1)
        Not renormalised: the sum is what the bins contain of the signal.
    """
    column = SignalShape(*(np.atleast_1d(value)[:, None] for value in shape))
    return np.diff(cumulative(column, edges - np.atleast_1d(np.asarray(mass, dtype=np.float64))[:, None]), axis=1)


def fit_shape(residuals: ArrayLike) -> SignalShape:
    """Return the shape that simulated residuals (reconstructed less true mass [GeV]) are most probable under.

    Unbinned maximum likelihood in the logarithms of the positive parameters, from the median and the central 68 %.
    A tail that the sample does not show comes out as far away. Raises ValueError for fewer than 100 residuals or one
    that is not finite, RuntimeError where the minimiser does not converge.
    """
    residuals = np.asarray(residuals, dtype=np.float64)
    if residuals.size < 100 or not np.all(np.isfinite(residuals)):
        raise ValueError(f"{residuals.size} residuals for a signal shape, need at least 100 and all of them finite")
    centre, width = float(np.median(residuals)), resolution(residuals)
    if not width > 0.0:
        raise ValueError("residuals of a signal shape are all the same")

    def shape_of(p: Floats) -> SignalShape:
        positive = np.exp(p[1:])
        core = (centre + width * p[0], width * positive[0], positive[1], 1.0 + positive[2])
        return SignalShape(*(np.asarray(value) for value in (*core, positive[3], 1.0 + positive[4])))

    def objective(p: Floats) -> float:
        value = density(shape_of(p), residuals)
        return float(-np.mean(np.log(np.maximum(value * width, 1e-300))))

    start = np.array([0.0, 0.0, math.log(1.5), math.log(2.0), math.log(1.5), math.log(2.0)])
    bounds = [(-1.0, 1.0), (-1.0, 1.0), (-1.2, 1.7), (-1.5, 4.0), (-1.2, 1.7), (-1.5, 4.0)]
    best = optimize.minimize(objective, start, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-13, "gtol": 1e-7})
    if not best.success:
        raise RuntimeError(f"fit of the signal shape to {residuals.size} residuals: {best.message}")
    return shape_of(best.x)


def interpolate_shape(masses: ArrayLike, nodes: ArrayLike, shapes: SignalShape) -> SignalShape:
    """Return the shape at other masses: monotone cubic interpolation of each parameter (Fritsch and Carlson, 1980).

    `nodes` [GeV] ascend and `shapes` holds one entry per node; a single node serves all masses. Raises ValueError for
    a mass outside of the nodes.
    """
    masses, nodes = np.asarray(masses, dtype=np.float64), np.atleast_1d(np.asarray(nodes, dtype=np.float64))
    if nodes.size == 1:
        return SignalShape(*(np.full(masses.shape, np.ravel(value)[0]) for value in shapes))
    outside = ~((masses >= nodes[0]) & (masses <= nodes[-1]))
    if np.any(outside):
        where = masses[outside].flat[0]
        raise ValueError(f"m = {where:g} GeV, the signal shape is known from {nodes[0]:g} to {nodes[-1]:g} GeV")
    return SignalShape(*(interpolate.PchipInterpolator(nodes, value)(masses) for value in shapes))
