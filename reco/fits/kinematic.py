"""The general kinematic fit: any particles, any constraints, all events of one topology at once."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Ints
from .constraints import Constraint
from .iterate import CONVERGED, NOT_CONVERGED, SINGULAR, fit_stage
from .layout import Layout, layout
from .particles import Momenta, Particle
from .probability import probability_stage


class FitResult(NamedTuple):
    """Fitted events, one entry per event in every array; momenta in GeV, positions in cm.

    A fit that did not converge keeps its last step, a singular one (constraints that repeat or contradict each other,
    or a number that is not finite) has NaN: look at `status`, or take `events = result.converged`.
    """

    #: 0 converged, 1 not converged, 3 singular.
    status: NDArray[np.int32]
    chi2: Floats
    ndof: int
    probability: Floats
    #: Number of steps taken.
    iterations: Ints
    #: Largest violation of a constraint [GeV, GeV^2 or cm].
    residual: Floats
    #: Fitted (px, py, pz, energy), shape (n_events, n_particles, 4).
    momentum: Floats
    #: Covariance of the momenta (px, py, pz) of all particles, then of the vertices (x, y, z), (n_events, k, k).
    covariance: Floats
    #: (fitted - measured) / sqrt(V - V_fitted) of all parameters, NaN for unmeasured; (n_events, n_parameters).
    pulls: Floats
    #: Fitted vertices (n_events, n_vertices, 3), lengths of flight (n_events, n_flights) and their errors.
    vertex: Floats
    flight_length: Floats
    flight_sigma: Floats
    masses: tuple[float, ...]

    @property
    def converged(self) -> NDArray[np.bool_]:
        """Whether the fit of each event converged."""
        return np.asarray(self.status == CONVERGED)

    def counts(self) -> dict[str, int]:
        """Return how many fits converged, did not converge, were singular."""
        names = {"converged": CONVERGED, "not_converged": NOT_CONVERGED, "singular": SINGULAR}
        return {name: int(np.count_nonzero(self.status == value)) for name, value in names.items()}

    def select(self, events: NDArray[np.bool_] | Ints) -> "FitResult":
        """Return the results of some of the events."""
        values: dict[str, Any] = self._asdict()
        kept: dict[str, Any] = {k: v[events] if isinstance(v, np.ndarray) else v for k, v in values.items()}
        return FitResult(**kept)

    def total(self, particles: Sequence[int] | None = None) -> Floats:
        """Return the four-momentum (n_events, 4) of a group of particles, by default all."""
        chosen = range(self.momentum.shape[1]) if particles is None else particles
        total = np.zeros((len(self.momentum), 4))
        for i in chosen:
            total += self.momentum[:, i]
        return total

    def mass(self, particles: Sequence[int] | None = None) -> Floats:
        """Return the invariant mass [GeV] of a group of particles."""
        px, py, pz, energy = self.total(particles).T
        return np.asarray(np.sqrt(np.maximum(energy * energy - px * px - py * py - pz * pz, 0.0)))

    def measured(self, particles: Sequence[int] | None = None) -> Momenta:
        """Return fitted particles as the measured input of another fit, with all their correlations."""
        chosen = list(range(self.momentum.shape[1]) if particles is None else particles)
        rows = [3 * i + k for i in chosen for k in range(3)]
        covariance = self.covariance[:, rows][:, :, rows]
        return Momenta(self.momentum[:, chosen, :3], covariance, tuple(self.masses[i] for i in chosen))


class KinematicFit:
    """A least-squares fit of particles under constraints, by Lagrange multipliers.

    chi2 = (y - y0)^T V^-1 (y - y0) is minimal among all values y of the measured quantities that meet the constraints;
    what was not measured is free. Degrees of freedom: equations less unknowns (4C: four-momentum; 5C: and a mass; 1C:
    four-momentum with a missing particle).

    Parameters
    ----------
    particles : sequence of Track, Photon, Momenta, Missing
    constraints : sequence of FourMomentum, Mass, RecoilMass, Vertex
    bz : float
        Magnetic field [T], for the tracks of a `Vertex`.

    Raises
    ------
    ValueError
        If the arrays do not have the same number of events, an index names no particle, or there are no more equations
        than unknowns.

    Examples
    --------
    J/psi -> pi+ pi- pi0, the five-constraint fit of two tracks and two photons:

    >>> fit = KinematicFit(
    ...     [Track(helix_plus, cov_plus, M_PI), Track(helix_minus, cov_minus, M_PI), photon_1, photon_2],
    ...     [FourMomentum((0.034, 0.0, 0.0, 3.097)), Mass((2, 3), M_PI0)],
    ... ).fit()  # doctest: +SKIP
    >>> fit.chi2, fit.probability, fit.momentum, fit.mass((0, 1))  # doctest: +SKIP
    """

    def __init__(self, particles: Sequence[Particle], constraints: Sequence[Constraint], *, bz: float = 1.0) -> None:
        self._layout: Layout = layout(list(particles), list(constraints), bz)

    @property
    def ndof(self) -> int:
        """Degrees of freedom: equations less unknowns."""
        return len(self._layout.tables.constraint) - len(self._layout.tables.unmeasured)

    def fit(self, max_iterations: int = 50) -> FitResult:
        """Fit all events; no event raises, `status` says what became of it."""
        tables, values, packed, flights = self._layout
        n, n_particles, size = len(values), len(tables.kind), 3 * (len(tables.kind) + len(tables.vertex))
        fitted, start, packed = np.array(values), np.ascontiguousarray(values), np.ascontiguousarray(packed)
        pulls, momentum = np.full((n, tables.n_parameters), np.nan), np.full((n, n_particles, 4), np.nan)
        covariance = np.full((n, size, size), np.nan)
        summary, status = np.full((n, 3 + 2 * len(flights)), np.nan), np.empty(n, dtype=np.int32)
        results = (pulls, momentum, covariance, summary, status)
        fit_stage(tables, n, flights, packed, max_iterations, start, fitted, *results)
        chi2, probability = summary[:, 0].copy(), np.empty(n)
        probability_stage(chi2, self.ndof, probability)
        return FitResult(
            status=status,
            chi2=chi2,
            ndof=self.ndof,
            probability=probability,
            iterations=summary[:, 2].astype(np.int64),
            residual=summary[:, 1].copy(),
            momentum=momentum,
            covariance=covariance,
            pulls=pulls,
            vertex=fitted[:, tables.vertex[:, None] + np.arange(3)],
            flight_length=summary[:, 3::2],
            flight_sigma=summary[:, 4::2],
            masses=tuple(tables.mass.tolist()),
        )
