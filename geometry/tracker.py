"""The sections of a detector card that measure the helix of a track: silicon layers and the drift chamber.

Units: GeV, cm, T, rad.
"""

from dataclasses import dataclass

from ..schema import Section, quantity, require, require_range


@dataclass(frozen=True)
class Layer(Section):
    """A layer of drift cells: radius at its middle, half length, stereo angle of its wires (sign: sense of twist)."""

    #: Radius at the middle of its wires.
    radius: float = quantity("cm", "(0, 1000]")
    #: Half length of its wires.
    half_length: float = quantity("cm", "(0, 1000]")
    #: Stereo angle of its wires, the sign that of the twist.
    stereo: float = quantity("rad", "(-1, 1)")
    #: Middle of the layer along the beams, from that of the chamber.
    z_shift: float = quantity("cm", "[-1000, 1000]", default=0.0)


@dataclass(frozen=True)
class PhiGap(Section):
    """A sector of the chamber, from phi_min to phi_max, in which tracks are found less often."""

    #: Azimuth at which the sector begins.
    phi_min: float = quantity("rad", "[-3.2, 3.2]")
    #: Azimuth at which the sector ends.
    phi_max: float = quantity("rad", "[-3.2, 3.2]")
    #: Factor on the efficiency of tracks that cross the middle radius of the chamber there.
    efficiency: float = quantity("", "[0, 1]", default=0.0)

    def check(self) -> None:
        """Raise SchemaError unless the sector has a width; one across phi = pi is written as two."""
        require_range("phi_min, phi_max", (self.phi_min, self.phi_max))


@dataclass(frozen=True)
class SiliconLayer(Section):
    """A cylindrical layer of silicon (or another) sensors that measures r phi and z where a track crosses it."""

    #: Radius.
    radius: float = quantity("cm", "(0, 1000]")
    #: Backward end.
    z_min: float = quantity("cm", "[-1000, 1000]")
    #: Forward end.
    z_max: float = quantity("cm", "[-1000, 1000]")
    #: Resolution across the beams, along the circumference.
    sigma_rphi: float = quantity("cm", "(0, 10]")
    #: Resolution along the beams.
    sigma_z: float = quantity("cm", "(0, 1000]")
    #: Sensor and support at 90 degrees, in radiation lengths.
    thickness: float = quantity("radiation lengths", "[0, 1]")
    #: Probability that a track that crosses leaves a hit.
    efficiency: float = quantity("", "(0, 1]", default=1.0)

    def check(self) -> None:
        """Raise SchemaError unless the layer has a length."""
        require_range("z_min, z_max", (self.z_min, self.z_max))


@dataclass(frozen=True)
class Mdc(Section):
    """Main drift chamber: its layers, gas, single-hit resolution, and the efficiency to find a track."""

    layers: tuple[Layer, ...]
    #: Inner radius of the gas.
    gas_inner: float = quantity("cm", "(0, 1000]")
    #: Outer radius of the gas.
    gas_outer: float = quantity("cm", "(0, 1000]")
    #: Radiation length of gas and wires together.
    gas_radiation_length: float = quantity("cm", "(0, 1e12]")
    #: Resolution of the drift distance of one hit.
    hit_resolution: float = quantity("cm", "(0, 1]")
    #: Probability that a track that crosses a layer leaves a hit there.
    hit_efficiency: float = quantity("", "(0, 1]")
    #: Smallest number of hits in the chamber of a track.
    min_hits: int = quantity("", "[5, 1000]")
    #: Probability that the track of an electron with enough hits is found.
    efficiency_electron: float = quantity("", "[0, 1]")
    #: The same for muons.
    efficiency_muon: float = quantity("", "[0, 1]")
    #: The same for hadrons.
    efficiency_hadron: float = quantity("", "[0, 1]")
    #: Transverse momentum of half efficiency, and the width of the turn-on.
    pt_threshold: float = quantity("GeV", "[0, 1]")
    #: Width of that turn-on.
    pt_width: float = quantity("GeV", "(0, 1]")
    #: |cos theta| of half efficiency, and the width of the edge.
    cos_edge: float = quantity("", "(0, 1]")
    #: Width of that edge.
    cos_width: float = quantity("", "(0, 1]")
    #: Tracks with badly measured parameters: their fraction and the factor on their errors.
    tail_fraction: float = quantity("", "[0, 1]")
    #: Factor on the errors of these tracks.
    tail_scale: float = quantity("", "[1, 100]")
    #: Stored covariance over the true one.
    covariance_scale: float = quantity("", "(0, 100]")
    #: Whether measured helices differ from the true ones; the covariance is nominal in either case.
    smear: bool = quantity("")
    #: Middle of the chamber along the beams; its layers reach half_length to either side of it, moved by z_shift.
    z_centre: float = quantity("cm", "[-1000, 1000]", default=0.0)
    #: Factor on the resolutions of hits (chamber and silicon), through which a published resolution is reached.
    resolution_scale: float = quantity("", "(0, 100]", default=1.0)
    #: Factor on the angles of multiple scattering, to the same end.
    scattering_scale: float = quantity("", "[0, 100]", default=1.0)
    #: Layers that measure nothing: 0 is the innermost.
    dead_layers: tuple[int, ...] = quantity("", "[0, 1000]", default=())
    #: Sectors in which tracks are lost.
    phi_gaps: tuple[PhiGap, ...] = ()

    def check(self) -> None:
        """Raise SchemaError unless radii increase and dead layers exist."""
        require(len(self.layers) >= 5, f"layers: {len(self.layers)} rows, allowed at least 5")
        for inner, outer in zip(self.layers, self.layers[1:]):
            require(
                inner.radius < outer.radius,
                f"layers: radius {outer.radius!r} after {inner.radius!r}, allowed increasing radii",
            )
        require_range("gas_inner, gas_outer", (self.gas_inner, self.gas_outer))
        last = len(self.layers) - 1
        for layer in self.dead_layers:
            require(layer <= last, f"dead_layers: {layer}, allowed 0 to {last}")
