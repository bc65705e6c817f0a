"""The sections of a detector card: beams, field, passive matter, conventions, and the card as a whole.

Units: GeV, cm, ns, T, rad.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..constants import HYPOTHESES
from ..schema import SchemaError, Section, quantity, require, require_range
from .calorimeter import Emc
from .periods import Period, check_periods
from .subdetectors import Dedx, Muc, Tof
from .tracker import Mdc, SiliconLayer
from .trigger import Region, Trigger

if TYPE_CHECKING:
    from .beam import Laboratory

#: Relative difference at which two descriptions of the same quantity contradict each other.
_SAME = 1e-9


@dataclass(frozen=True, kw_only=True)
class Beam(Section):
    """Colliding beams that cross in the horizontal plane.

    Beams of equal energy are described by `sqrt_s`, any others by the energies of both, from which `sqrt_s` follows; in
    the same way `energy_spread` is given, or follows from the spreads of both beams. What follows may be given as well
    if it agrees; None asks for it anew.
    """

    #: Centre-of-mass energy.
    sqrt_s: float = quantity("GeV", "(0, 20]", default=None)
    #: Energy of the electron beam, which flies towards +z.
    electron_energy: float | None = quantity("GeV", "(0, 1000]", default=None)
    #: Energy of the positron beam.
    positron_energy: float | None = quantity("GeV", "(0, 1000]", default=None)
    #: Half of the angle between the beams in the horizontal plane, towards +x.
    half_crossing_angle: float = quantity("rad", "[0, 0.2]")
    #: Rotation of both beams from z towards x; 0: the axis of the detector halves the angle between them.
    tilt: float = quantity("rad", "[-0.2, 0.2]", default=0.0)
    #: Standard deviation of the centre-of-mass energy; that of the boost is neglected.
    energy_spread: float = quantity("GeV", "[0, 0.1]", default=None)
    #: Standard deviations of the energies of both beams.
    electron_spread: float | None = quantity("GeV", "[0, 0.1]", default=None)
    #: The same for the positron beam.
    positron_spread: float | None = quantity("GeV", "[0, 0.1]", default=None)
    #: Standard deviations of the luminous region along x, y, z.
    spot: tuple[float, float, float] = quantity("cm", "[0, 100]")
    #: Where it is centred; good tracks and photons are seen from the origin all the same.
    spot_centre: tuple[float, float, float] = quantity("cm", "[-100, 100]", default=(0.0, 0.0, 0.0))

    def __post_init__(self) -> None:
        super().__post_init__()  # what is given
        self._settle("sqrt_s", ("electron_energy", "positron_energy"), self._energy_of_both)
        self._settle("energy_spread", ("electron_spread", "positron_spread"), self._spread_of_both)
        super().__post_init__()  # what follows from it

    def _settle(self, name: str, parts: tuple[str, str], combined: Callable[[float, float], float]) -> None:
        """Derive a quantity from those of both beams where these are given; SchemaError for none or a contradiction."""
        value, both = getattr(self, name), [getattr(self, part) for part in parts]
        if both == [None, None]:
            require(value is not None, f"{name} is missing [GeV], or {' and '.join(parts)}")
            return
        if None in both:
            raise SchemaError(f"{parts[both.index(None)]} is missing [GeV], needed with the one of the other beam")
        derived = combined(both[0], both[1])
        if value is not None and not abs(value - derived) <= _SAME * derived:
            given = " and ".join(f"{part} = {one!r}" for part, one in zip(parts, both))
            raise SchemaError(f"{name} = {value!r}, allowed {derived!r} or no value with {given}")
        object.__setattr__(self, name, derived)

    def _energy_of_both(self, electron: float, positron: float) -> float:
        from .beam import centre_of_mass_energy  # compiled: cards without need of it load at once

        return centre_of_mass_energy(electron, positron, self.half_crossing_angle)

    def _spread_of_both(self, electron: float, positron: float) -> float:
        """sigma(sqrt(s)) = sqrt(s) / 2 sqrt((sigma- / E-)^2 + (sigma+ / E+)^2)."""
        electron_energy, positron_energy = self.energies
        a, b = electron / electron_energy, positron / positron_energy
        return 0.5 * self.sqrt_s * math.sqrt(a * a + b * b)

    @property
    def energies(self) -> tuple[float, float]:
        """Energies [GeV] of the electron and the positron beam."""
        if self.electron_energy is None or self.positron_energy is None:
            half = 0.5 * self.laboratory().energy
            return half, half
        return self.electron_energy, self.positron_energy

    def laboratory(self, sqrt_s: float | None = None) -> "Laboratory":
        """Return the laboratory of these beams: initial four-momentum and Lorentz transformation.

        Another centre-of-mass energy [GeV] scales both energies: the velocities stay.
        """
        from .beam import laboratory

        return laboratory(
            self.sqrt_s if sqrt_s is None else sqrt_s,
            1.0 if self.electron_energy is None else self.electron_energy,
            1.0 if self.positron_energy is None else self.positron_energy,
            self.half_crossing_angle,
            self.tilt,
        )


@dataclass(frozen=True)
class Field(Section):
    """Uniform magnetic field along z."""

    #: Flux density.
    bz: float = quantity("T", "(0, 10]")


@dataclass(frozen=True)
class Cylinder(Section):
    """A cylindrical shell of material around the beam line."""

    #: Name in messages.
    name: str
    #: Inner radius.
    r_inner: float = quantity("cm", "(0, 1000]")
    #: Outer radius.
    r_outer: float = quantity("cm", "(0, 1000]")
    #: Radiation length of the material.
    radiation_length: float = quantity("cm", "(0, 1e9]")
    #: Half length, to either side of the origin.
    half_length: float = quantity("cm", "(0, 1000]")
    #: What ionisation depends on; without a density the shell takes no energy away.
    density: float = quantity("g/cm^3", "[0, 30]", default=0.0)
    #: Mean Z / A of the material.
    z_over_a: float = quantity("mol/g", "(0, 1]", default=0.5)
    #: Mean excitation energy of the material.
    excitation_energy: float = quantity("GeV", "(0, 1e-6]", default=7.8e-8)

    def check(self) -> None:
        """Raise SchemaError unless the shell has a thickness."""
        require(self.r_inner < self.r_outer, f"r_outer = {self.r_outer!r}, allowed above r_inner = {self.r_inner!r}")


@dataclass(frozen=True)
class Coil(Section):
    """Solenoid between calorimeter and muon counter: equivalent thickness of aluminium and steel at 90 degrees."""

    #: Inner radius of the cryostat.
    r_inner: float = quantity("cm", "(0, 1000]")
    #: Outer radius of the cryostat.
    r_outer: float = quantity("cm", "(0, 1000]")
    #: Half length of the cryostat.
    half_length: float = quantity("cm", "(0, 1000]")
    #: Thickness of aluminium.
    aluminium: float = quantity("cm", "[0, 100]")
    #: Thickness of steel.
    steel: float = quantity("cm", "[0, 100]")


@dataclass(frozen=True)
class Matter(Section):
    """What particles do in the matter they cross, each switched on or off, besides multiple scattering."""

    #: Charged particles lose energy up to the middle of the chamber, and the fit corrects for it.
    ionisation: bool = quantity("", default=False)
    #: The loss fluctuates about its mean.
    straggling: bool = quantity("", default=False)
    #: The particle that the fit of every track assumes.
    track_hypothesis: str = quantity("", choices=HYPOTHESES, default="pi")
    #: Gas and wires of the chamber; without a density they take no energy away.
    gas_density: float = quantity("g/cm^3", "[0, 1]", default=0.0)
    #: Mean Z / A of gas and wires.
    gas_z_over_a: float = quantity("mol/g", "(0, 1]", default=0.5)
    #: Electrons radiate photons in the shells and in the gas.
    bremsstrahlung: bool = quantity("", default=False)
    #: Radiated photons below this energy are neither followed nor taken from the electron.
    photon_threshold: float = quantity("GeV", "(0, 1]", default=1e-3)
    #: Photons become electron pairs in the shells in front of the chamber.
    conversion: bool = quantity("", default=False)
    #: Pions and kaons decay before the calorimeter; so do K_S and Lambda that an event holds undecayed.
    decays: bool = quantity("", default=False)
    #: Angle up to which a track that decays inside the chamber and its charged daughter are found as one track.
    kink_angle: float = quantity("rad", "[0, 3.2]", default=0.0)


@dataclass(frozen=True)
class Reconstruction(Section):
    """Conventions of the experiment: good tracks, good photons, which systems identify particles."""

    #: Good tracks: largest distance from the beam axis at the point of closest approach to the origin.
    track_r_max: float = quantity("cm", "(0, 1000]")
    #: Good tracks: largest |z| at that point.
    track_z_max: float = quantity("cm", "(0, 1000]")
    #: Good tracks: largest |cos theta|.
    track_cos_max: float = quantity("", "(0, 1]")
    #: Largest angle between a shower and the impact of its track, seen from the origin.
    match_angle: float = quantity("rad", "(0, 3.2]")
    #: Smallest angle between a good photon and the impact of any track.
    photon_track_angle: float = quantity("rad", "[0, 3.2]")
    #: Good photons: earliest and latest time of the shower.
    photon_time_range: tuple[float, float] = quantity("ns", "[-10000, 10000]")
    #: A system is used if at least one hypothesis is within this many standard deviations.
    pid_chi_max: float = quantity("", "(0, 100]")
    #: Muon counter: used above this momentum and within this |cos theta|.
    muc_p_min: float = quantity("GeV", "[0, 100]")
    #: Largest |cos theta| at which the muon counter identifies.
    muc_cos_max: float = quantity("", "[0, 1]")
    #: Identified muons: at least this much iron crossed, a depth that no more than this fraction of the muons stays
    #: behind, and a chi2 (two degrees of freedom) of the distance between track and hits below this.
    muon_depth_min: float = quantity("cm", "[0, 1000]", default=5.0)
    #: Identified muons: no more than this fraction of the muons stays behind their depth.
    muon_depth_fraction: float = quantity("", "[0, 1]", default=0.1)
    #: Identified muons: largest chi2 of the distance between track and hits.
    muon_match_chi2_max: float = quantity("", "(0, 1000]", default=9.21)

    def check(self) -> None:
        """Raise SchemaError unless ranges increase."""
        require_range("photon_time_range", self.photon_time_range)


@dataclass(frozen=True)
class Card(Section):
    """A detector."""

    #: Name by which results and provenance call the card.
    name: str
    #: One line for lists.
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
    matter: Matter = dataclasses.field(default=Matter())
    #: Layers of silicon between beam pipe and chamber; none in most cards.
    silicon: tuple[SiliconLayer, ...] = ()
    region: tuple[Region, ...] = ()
    period: tuple[Period, ...] = ()

    def __hash__(self) -> int:
        # tables of a card are looked up by it, block by block, and a card has hundreds of numbers
        if "_hash" not in self.__dict__:
            values = tuple(getattr(self, field.name) for field in dataclasses.fields(self))
            object.__setattr__(self, "_hash", hash(values))
        return int(self.__dict__["_hash"])

    def __getstate__(self) -> dict[str, Any]:
        # hashes of texts differ from process to process
        return {name: value for name, value in self.__dict__.items() if name != "_hash"}

    def check(self) -> None:
        """Raise SchemaError unless the periods change numbers that exist."""
        check_periods(self, self.period)
