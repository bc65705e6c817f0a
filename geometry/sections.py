"""The sections of a detector card: beams, field, passive matter, conventions, and the card as a whole.

Units: GeV, cm, ns, T, rad.
"""

from dataclasses import dataclass

from ..schema import Section, quantity, require, require_range
from .subdetectors import Dedx, Emc, Mdc, Muc, Tof


@dataclass(frozen=True)
class Beam(Section):
    """Colliding beams of equal energy that cross in the horizontal plane."""

    sqrt_s: float = quantity("GeV", "(0, 20]")
    half_crossing_angle: float = quantity("rad", "[0, 0.2]")
    #: Standard deviation of the centre-of-mass energy.
    energy_spread: float = quantity("GeV", "[0, 0.1]")
    #: Standard deviations of the luminous region along x, y, z.
    spot: tuple[float, float, float] = quantity("cm", "[0, 100]")


@dataclass(frozen=True)
class Field(Section):
    """Uniform magnetic field along z."""

    bz: float = quantity("T", "(0, 10]")


@dataclass(frozen=True)
class Cylinder(Section):
    """A cylindrical shell of material around the beam line."""

    name: str
    r_inner: float = quantity("cm", "(0, 1000]")
    r_outer: float = quantity("cm", "(0, 1000]")
    radiation_length: float = quantity("cm", "(0, 1e9]")
    half_length: float = quantity("cm", "(0, 1000]")

    def check(self) -> None:
        """Raise SchemaError unless the shell has a thickness."""
        require(self.r_inner < self.r_outer, f"r_outer = {self.r_outer!r}, allowed above r_inner = {self.r_inner!r}")


@dataclass(frozen=True)
class Coil(Section):
    """Solenoid between calorimeter and muon counter: equivalent thickness of aluminium and steel at 90 degrees."""

    r_inner: float = quantity("cm", "(0, 1000]")
    r_outer: float = quantity("cm", "(0, 1000]")
    half_length: float = quantity("cm", "(0, 1000]")
    aluminium: float = quantity("cm", "[0, 100]")
    steel: float = quantity("cm", "[0, 100]")


@dataclass(frozen=True)
class Trigger(Section):
    """First-level trigger."""

    efficiency: float = quantity("", "[0, 1]")


@dataclass(frozen=True)
class Reconstruction(Section):
    """Conventions of the experiment: good tracks, good photons, which systems identify particles."""

    track_r_max: float = quantity("cm", "(0, 1000]")
    track_z_max: float = quantity("cm", "(0, 1000]")
    track_cos_max: float = quantity("", "(0, 1]")
    #: Largest angle between a shower and the impact of its track, seen from the origin.
    match_angle: float = quantity("rad", "(0, 3.2]")
    #: Smallest angle between a good photon and the impact of any track.
    photon_track_angle: float = quantity("rad", "[0, 3.2]")
    photon_time_range: tuple[float, float] = quantity("ns", "[-10000, 10000]")
    #: A system is used if at least one hypothesis is within this many standard deviations.
    pid_chi_max: float = quantity("", "(0, 100]")
    #: Muon counter: used above this momentum and within this |cos theta|.
    muc_p_min: float = quantity("GeV", "[0, 100]")
    muc_cos_max: float = quantity("", "[0, 1]")

    def check(self) -> None:
        """Raise SchemaError unless ranges increase."""
        require_range("photon_time_range", self.photon_time_range)


@dataclass(frozen=True)
class Card(Section):
    """A detector."""

    name: str
    description: str
    beam: Beam
    field: Field
    material: tuple[Cylinder, ...]
    mdc: Mdc
    dedx: Dedx
    tof: Tof
    emc: Emc
    coil: Coil
    muc: Muc
    trigger: Trigger
    reconstruction: Reconstruction
