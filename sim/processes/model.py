"""The physics of a process as a map from uniform numbers to weighted points of phase space.

A process of one's own is a class with a final state and a map, and a line that makes it known. Scattering of two
photons' worth of light, flat in the solid angle, with a total of 1 nb at 1 GeV:

>>> import numpy as np
>>> from besfast.sim.processes.model import Particle, Points
>>> from besfast.sim.processes.options import Option
>>> from besfast.sim.processes.registry import register
>>> from besfast.sim.processes.rejection import ModelProcess
>>> class FlatPhotons:
...     particles = (Particle(22, 0), Particle(22, 0))
...     n_uniforms = 1
...     def __init__(self, order, sqrt_s, options):
...         self.cosine_max = options["cosine_max"]
...     def points(self, u, sqrt_s):
...         cosine = 2.0 * u[0] - 1.0
...         weight = np.where(abs(cosine) < self.cosine_max, 1.0 / sqrt_s**2, 0.0)
...         energy, along = 0.5 * sqrt_s, 0.5 * sqrt_s * cosine
...         across = np.sqrt(energy**2 - along**2)
...         nothing = np.zeros_like(energy)
...         first = np.stack([across, nothing, along, energy])
...         return Points(weight, np.stack([first, first * [[-1], [-1], [-1], [1]]]))
>>> register(
...     ModelProcess(
...         name="flat_photons",
...         final_state="gamma gamma",
...         build=FlatPhotons,
...         options={"cosine_max": Option(float, "", "largest cosine of the polar angle", "(0, 1]", default=1.0)},
...         reference="an example",
...     )
... )
>>> from besfast import generate
>>> truth = generate("flat_photons", 1000, sqrt_s=2.0, seed=1, cosine_max=0.5)
>>> round(truth.cross_section, 3)
0.125

Seeds, cuts into chunks, acceptance and rejection, cross section, weights and the command line (`besfast generate
flat_photons --set cosine_max=0.5`, once a package announces it as an entry point of `registry.ENTRY_POINTS`) come with
it. The same events on every machine need + - * / sqrt of numpy and the functions of `elementary` alone: numpy's own
sin, exp and log differ in their last bit from machine to machine.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ...arrays import Bools, Floats


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


class HardModel(Protocol):
    """The physics of a process whose beams may radiate: points at any energy, and the cuts apart from them.

    `initial_state.model_of` makes a `Model` of it at the order asked for.
    """

    @property
    def particles(self) -> Sequence[Particle]:
        """The final state, in the order of the momenta."""
        ...

    @property
    def n_uniforms(self) -> int:
        """Number of uniform numbers of a trial."""
        ...

    @property
    def rapidities(self) -> Sequence[int]:
        """Which of the uniform numbers are rapidities about the beams, as `kinematics.rapidity_stage` takes them."""
        ...

    def points(self, u: Floats, sqrt_s: Floats, blur: Floats) -> Points:
        """Return the points of uniform numbers (n_uniforms, n) in the rest frame, at energies (n,) [GeV].

        The electron comes along z. Energies go down to `initial_state.LEAST_MASS`; a final state that is too heavy has
        weight 0. What radiated at an angle is off its mass shell, and no pole 1 / (1 - b^2 cos^2) about the beams is
        sharper than 1 / (1 - b^2 cos^2 + blur), with blur (n,) = 0 where nothing was radiated.
        """
        ...

    def passes(self, momenta: Floats, radiated: Floats) -> Bools:
        """Return which points pass the cuts, (n,).

        `momenta` (n_particles, 4, n) are in the centre of mass of the beams, and so are those of the photons that the
        beams radiated (n_photons, 4, n); n_photons is 0 at leading order, and a photon of zero energy was not radiated.
        """
        ...
