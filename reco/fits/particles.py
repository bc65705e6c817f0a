"""The particles of a kinematic fit: measured, partly measured, or missing. All arrays have one entry per event."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ...arrays import Floats
from ...event import KAPPA, PHI0, TAN_LAMBDA


def column(name: str, values: ArrayLike, shape: tuple[int, ...] = ()) -> Floats:
    """Return values as an array of shape (n_events, *shape); ValueError with the name otherwise."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 + len(shape) or array.shape[1:] != shape:
        expected = ", ".join(["n_events", *map(str, shape)])
        raise ValueError(f"{name} has shape {array.shape}, must be ({expected}{',' if not shape else ''})")
    return array


def square(packed: Floats, rows: tuple[int, ...]) -> Floats:
    """Return chosen rows and columns of covariances packed as lower triangles: (n, k) -> (n, len(rows), len(rows))."""
    places = [[max(i, j) * (max(i, j) + 1) // 2 + min(i, j) for j in rows] for i in rows]
    return packed[:, np.array(places)]


@dataclass(frozen=True)
class Track:
    """A charged track: helix (n_events, 5) and its covariance (n_events, 15), lower triangle, about the origin.

    The momentum is that at the point of closest approach, unless a `Vertex` constraint names another point.
    """

    helix: Floats
    covariance: Floats
    mass: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "helix", column("helix", self.helix, (5,)))
        object.__setattr__(self, "covariance", column("covariance", self.covariance, (15,)))

    @property
    def direction(self) -> tuple[Floats, Floats]:
        """Return (phi0, kappa, tan_lambda) and their covariance (n_events, 3, 3)."""
        rows = (PHI0, KAPPA, TAN_LAMBDA)
        return self.helix[:, rows], square(self.covariance, rows)


@dataclass(frozen=True)
class Photon:
    """A calorimeter shower: energy [GeV], theta, phi [rad] and their standard deviations, each of shape (n_events,).

    The direction is that from where the photon was made, which for a shower of the record is the origin. Without
    `sigma_energy` the energy is unmeasured: the fit finds it from the direction, at the price of one degree of freedom.
    """

    energy: Floats
    theta: Floats
    phi: Floats
    sigma_energy: Floats | None
    sigma_theta: Floats
    sigma_phi: Floats

    def __post_init__(self) -> None:
        for name in ("energy", "theta", "phi", "sigma_energy", "sigma_theta", "sigma_phi"):
            if name != "sigma_energy" or self.sigma_energy is not None:
                object.__setattr__(self, name, column(name, getattr(self, name)))


@dataclass(frozen=True)
class Momenta:
    """Particles measured together, such as those that an earlier fit returned.

    `momentum` [GeV] has the shape (n_events, k, 3), the joint `covariance` (n_events, 3 k, 3 k), `masses` has k
    entries. They take k consecutive positions in the list of particles.
    """

    momentum: Floats
    covariance: Floats
    masses: tuple[float, ...]

    def __post_init__(self) -> None:
        k = len(self.masses)
        object.__setattr__(self, "momentum", column("momentum", self.momentum, (k, 3)))
        object.__setattr__(self, "covariance", column("covariance", self.covariance, (3 * k, 3 * k)))


@dataclass(frozen=True)
class Missing:
    """A particle that was not seen at all: three unknowns, its mass [GeV] is given.

    `start` (n_events, 3) [GeV] is where the search begins; by default what the other particles leave of the total.
    """

    mass: float = 0.0
    start: Floats | None = None

    def __post_init__(self) -> None:
        if self.start is not None:
            object.__setattr__(self, "start", column("start", self.start, (3,)))


Particle = Track | Photon | Momenta | Missing
