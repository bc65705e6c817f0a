"""What a kinematic fit demands of its particles; the indices are positions in the list of particles of the fit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

#: Components of a four-momentum, in the order of every array of the fits.
COMPONENTS = ("px", "py", "pz", "energy")


def _four_momentum(total: ArrayLike) -> tuple[float, float, float, float]:
    value = np.asarray(total, dtype=np.float64)
    if value.shape != (4,) or not np.isfinite(value).all():
        raise ValueError(f"total = {total!r}, must be four finite numbers (px, py, pz, energy) [GeV]")
    px, py, pz, energy = value.tolist()
    return px, py, pz, energy


def _mass(mass: float) -> float:
    if not (np.isfinite(mass) and mass >= 0.0):
        raise ValueError(f"mass = {mass!r}, must be a finite number >= 0 [GeV]")
    return float(mass)


@dataclass(frozen=True)
class FourMomentum:
    """Energy and momentum are conserved: the sum of the particles is `total` = (px, py, pz, energy) [GeV].

    `components` names those that are demanded, by default all four; `particles` the ones that are summed, by default
    all.
    """

    total: ArrayLike
    components: tuple[str, ...] = COMPONENTS
    particles: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", _four_momentum(self.total))
        unknown = [name for name in self.components if name not in COMPONENTS]
        if unknown or len(set(self.components)) != len(self.components) or not self.components:
            raise ValueError(f"components = {self.components!r}, must be different ones of {', '.join(COMPONENTS)}")


@dataclass(frozen=True)
class Mass:
    """A group of particles has an invariant mass [GeV]: (sum of p_i)^2 = m^2."""

    particles: tuple[int, ...]
    mass: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "mass", _mass(self.mass))


@dataclass(frozen=True)
class RecoilMass:
    """What recoils against the particles (default: all) has a mass [GeV]: (total - sum of p_i)^2 = m^2.

    With the mass of a missing particle this alone is the 1C fit: the four constraints less its three unknowns.
    """

    total: ArrayLike
    mass: float = 0.0
    particles: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", _four_momentum(self.total))
        object.__setattr__(self, "mass", _mass(self.mass))


@dataclass(frozen=True)
class Vertex:
    """Tracks come from one point, and their momenta are meant there: two equations per track, three unknowns.

    Parameters
    ----------
    tracks : tuple of int
    spot : array_like of shape (3,), optional
        Where the point is known to be [cm], such as the centre of the luminous region, with
    spot_covariance : array_like of shape (3, 3), optional
        the covariance of that knowledge [cm^2]; the vertex is then a measured quantity, and three degrees of freedom
        are gained.
    origin, origin_covariance : array_like, optional
        The particles are those of a decay in flight: the line through the vertex along the sum of their momenta starts
        at this point. Two degrees of freedom are gained, and the length of the flight is fitted. For neutral
        particles, whose flight is straight.
    """

    tracks: tuple[int, ...]
    spot: ArrayLike | None = None
    spot_covariance: ArrayLike | None = None
    origin: ArrayLike | None = None
    origin_covariance: ArrayLike | None = None

    def __post_init__(self) -> None:
        for name in ("spot", "origin"):
            point, covariance = getattr(self, name), getattr(self, f"{name}_covariance")
            if (point is None) != (covariance is None):
                raise ValueError(f"{name} and {name}_covariance must be given together")
            if point is None:
                continue
            point, covariance = np.asarray(point, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
            if point.shape[-1:] != (3,) or covariance.shape[-2:] != (3, 3):
                shapes = f"{point.shape} and {covariance.shape}"
                raise ValueError(f"{name} and {name}_covariance have shapes {shapes}, must end in (3,) and (3, 3)")
            object.__setattr__(self, name, point)
            object.__setattr__(self, f"{name}_covariance", covariance)


Constraint = FourMomentum | Mass | RecoilMass | Vertex
