"""The physics of a process as a map from uniform numbers to weighted points of phase space."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ...arrays import Floats


class Particle(NamedTuple):
    """A particle of the final state: PDG number, charge [e], HepMC status, index of its parent (-1: none)."""

    pdg: int
    charge: int
    status: int = 1
    parent: int = -1


class Points(NamedTuple):
    """What a model makes of n sets of uniform numbers.

    `weight` (n,) is the cross section [nb] of a point over its density in the unit cube, 0 outside the cuts: its mean
    is the cross section. `momenta` (n_particles, 4, n) are px, py, pz and energy [GeV] in the centre of mass; a
    particle of zero energy is left out of its event. `places` (n_particles, 4, n), if there are displaced ones, are
    x, y, z [cm] and t [ns] of production.
    """

    weight: Floats
    momenta: Floats
    places: Floats | None = None


class Model(Protocol):
    """The physics of a process: final state, number of uniform numbers per trial, and the map from them to points."""

    @property
    def particles(self) -> Sequence[Particle]:
        """The final state, in the order of the momenta."""
        ...

    @property
    def n_uniforms(self) -> int:
        """Number of uniform numbers of a trial."""
        ...

    def points(self, u: Floats, sqrt_s: Floats) -> Points:
        """Return the points of uniform numbers (n_uniforms, n) at centre-of-mass energies (n,) [GeV]."""
        ...
