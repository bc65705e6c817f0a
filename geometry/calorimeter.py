"""The sections of a detector card about the electromagnetic calorimeter.

Units: GeV, cm, ns, rad.
"""

from dataclasses import dataclass

from ..schema import Section, quantity, require, require_range


@dataclass(frozen=True)
class EmcBarrel(Section):
    """Barrel of crystals: sigma_E / E = noise / E + stochastic / E^exponent + constant in quadrature, E in GeV."""

    #: Radius of the front faces.
    front_radius: float = quantity("cm", "(0, 1000]")
    #: |cos theta| of the edge, and up to where clusters are used; forward, and backward where given.
    cos_max: float = quantity("", "(0, 1]")
    #: |cos theta| up to which clusters are used.
    usable_cos_max: float = quantity("", "(0, 1]")
    #: Noise term of the energy resolution.
    noise: float = quantity("GeV", "[0, 1]")
    #: Stochastic term of the energy resolution.
    stochastic: float = quantity("GeV^exponent", "(0, 1]")
    #: Constant term of the energy resolution.
    constant: float = quantity("", "[0, 1]")
    #: Position resolution position / sqrt(E) + position_constant in quadrature.
    position: float = quantity("cm GeV^(1/2)", "(0, 100]")
    #: Constant term of the position resolution.
    position_constant: float = quantity("cm", "[0, 100]")
    #: Smallest energy of a photon in the analysis.
    threshold: float = quantity("GeV", "[0, 1]")
    #: Power of the energy in the stochastic term: 0.5 or 0.25.
    exponent: float = quantity("", "[0.25, 0.5]", default=0.5)
    #: |cos theta| of the backward edge; as forward unless given.
    backward_cos_max: float | None = quantity("", "(0, 1]", default=None)
    #: |cos theta| up to which clusters are used backward; as forward unless given.
    backward_usable_cos_max: float | None = quantity("", "(0, 1]", default=None)
    #: Matter between the tracking chamber's last layer and the crystals at 90 degrees.
    front_thickness: float = quantity("radiation lengths", "[0, 10]", default=0.0)
    #: What a minimum-ionising particle loses in it.
    front_loss: float = quantity("GeV", "[0, 1]", default=0.0)

    def check(self) -> None:
        """Raise SchemaError for a power that is not known."""
        require(self.exponent in (0.25, 0.5), f"exponent = {self.exponent!r}, allowed 0.25 or 0.5")


@dataclass(frozen=True)
class EmcEndcap(Section):
    """Endcaps of crystals; the backward one as the forward one unless its own keys are given."""

    #: |z| of the front faces.
    front_z: float = quantity("cm", "(0, 1000]")
    #: |cos theta| of the edges.
    cos_range: tuple[float, float] = quantity("", "[0, 1]")
    #: |cos theta| between which clusters are used.
    usable_cos_range: tuple[float, float] = quantity("", "[0, 1]")
    #: Noise term of the energy resolution.
    noise: float = quantity("GeV", "[0, 1]")
    #: Stochastic term of the energy resolution.
    stochastic: float = quantity("GeV^exponent", "(0, 1]")
    #: Constant term of the energy resolution.
    constant: float = quantity("", "[0, 1]")
    #: Position resolution position / sqrt(E) + position_constant in quadrature.
    position: float = quantity("cm GeV^(1/2)", "(0, 100]")
    #: Constant term of the position resolution.
    position_constant: float = quantity("cm", "[0, 100]")
    #: Smallest energy of a photon in the analysis.
    threshold: float = quantity("GeV", "[0, 1]")
    #: Power of the energy in the stochastic term: 0.5 or 0.25.
    exponent: float = quantity("", "[0.25, 0.5]", default=0.5)
    #: |z|, and |cos theta|, of the backward endcap.
    backward_z: float | None = quantity("cm", "(0, 1000]", default=None)
    #: |cos theta| of the edges of the backward endcap; as forward unless given.
    backward_cos_range: tuple[float, float] | None = quantity("", "[0, 1]", default=None)
    #: |cos theta| between which its clusters are used; as forward unless given.
    backward_usable_cos_range: tuple[float, float] | None = quantity("", "[0, 1]", default=None)
    #: Matter in front, along z.
    front_thickness: float = quantity("radiation lengths", "[0, 10]", default=0.0)
    #: What a minimum-ionising particle loses in it.
    front_loss: float = quantity("GeV", "[0, 1]", default=0.0)

    def check(self) -> None:
        """Raise SchemaError unless ranges increase."""
        for name in ("cos_range", "usable_cos_range", "backward_cos_range", "backward_usable_cos_range"):
            if getattr(self, name) is not None:
                require_range(name, getattr(self, name))
        require(self.exponent in (0.25, 0.5), f"exponent = {self.exponent!r}, allowed 0.25 or 0.5")


@dataclass(frozen=True)
class EmcHadron(Section):
    """Deposits of hadrons: interaction, Beta-distributed visible fraction, charge exchange to neutral pions."""

    #: Nuclear interaction length of the crystals for pions.
    interaction_length: float = quantity("cm", "(0, 1e12]")
    #: Length of K+ over that of pions.
    kaon_plus_factor: float = quantity("", "(0, 10]")
    #: Visible deposit of an interacting hadron: Beta(shape) x visible_fraction x remaining kinetic energy.
    beta_shape: tuple[float, float] = quantity("", "(0, 100]")
    #: Largest visible part of the kinetic energy.
    visible_fraction: float = quantity("", "[0, 1]")
    #: Fraction of pions with a leading neutral pion, and its momentum dependence (intercept + slope p) around 1.
    charge_exchange_plus: float = quantity("", "[0, 1]")
    #: The same for pi-.
    charge_exchange_minus: float = quantity("", "[0, 1]")
    #: Intercept of the momentum dependence.
    charge_exchange_intercept: float = quantity("", "[0, 10]")
    #: Slope of the momentum dependence.
    charge_exchange_slope: float = quantity("1/GeV", "[-10, 10]")
    #: Beta shape of the part of the energy that the neutral pion takes.
    charge_exchange_shape: tuple[float, float] = quantity("", "(0, 100]")
    #: Length of antibaryons over that of pions.
    antibaryon_factor: float = quantity("", "(0, 10]", default=1.0)
    #: Whether antibaryons annihilate where they interact or stop, and its visible part of kinetic energy and two
    #: masses, Beta(shape).
    annihilation: bool = quantity("", default=False)
    #: Beta shape of the visible part.
    annihilation_shape: tuple[float, float] = quantity("", "(0, 100]", default=(2.0, 3.5))
    #: Visible part, x Beta(beta_shape), of the rest energy that a stopped pi- or kaon frees.
    stopped_fraction: float = quantity("", "[0, 1]", default=0.0)
    #: Energy freed where an antikaon (K-, half of the K_L) makes a hyperon.
    strangeness_energy: float = quantity("GeV", "[0, 1]", default=0.0)


@dataclass(frozen=True)
class EmcShape(Section):
    """Lateral shapes of (electromagnetic, minimum-ionising, hadronic) showers, log-normal and correlated."""

    #: Mean of 1 - E3x3 / E5x5, and width of its logarithm.
    outside: tuple[float, float, float] = quantity("", "[0, 1)", default=(0.0, 0.0, 0.0))
    #: Width of the logarithm of that.
    outside_width: tuple[float, float, float] = quantity("", "[0, 5]", default=(0.0, 0.0, 0.0))
    #: Median of the second moment, and width of its logarithm.
    second_moment: tuple[float, float, float] = quantity("cm^2", "[0, 1000]", default=(0.0, 0.0, 0.0))
    #: Width of the logarithm of that.
    second_moment_width: tuple[float, float, float] = quantity("", "[0, 5]", default=(0.0, 0.0, 0.0))
    #: Correlation of the two logarithms.
    correlation: float = quantity("", "[-1, 1]", default=0.0)


@dataclass(frozen=True)
class EmcBackground(Section):
    """Clusters of beam background and noise, laid over every event."""

    #: Mean number per event above the threshold of clusters.
    mean: float = quantity("", "[0, 5]", default=0.0)
    #: Energies fall as exp(-E / scale) above the threshold.
    energy_scale: float = quantity("GeV", "(0, 1]", default=0.03)
    #: Part that hits the endcaps; flat in cos(theta) within barrel and endcaps.
    endcap_fraction: float = quantity("", "[0, 1]", default=0.5)
    #: Flat in time.
    time_range: tuple[float, float] = quantity("ns", "[-10000, 10000]", default=(-500.0, 1500.0))

    def check(self) -> None:
        """Raise SchemaError unless the range increases."""
        require_range("time_range", self.time_range)


@dataclass(frozen=True)
class Emc(Section):
    """Electromagnetic calorimeter of CsI(Tl) crystals."""

    barrel: EmcBarrel
    endcap: EmcEndcap
    hadron: EmcHadron
    #: Length of the crystals.
    depth: float = quantity("cm", "(0, 1000]")
    #: Factor on the energy resolution between the usable and the physical edge.
    edge_factor: float = quantity("", "[1, 10]")
    #: Fraction of the showers at the physical gap between barrel and endcap that are measured.
    crack_efficiency: float = quantity("", "[0, 1]")
    #: Asymmetry of the Novosibirsk line shape of photons and electrons (0: Gaussian).
    line_shape_tail: float = quantity("", "[0, 1]")
    #: Minimum-ionising deposit along the depth: most probable value, Landau width, relative smearing.
    mip_energy: float = quantity("GeV", "(0, 10]")
    #: Width of the Landau distribution of that deposit.
    mip_width: float = quantity("GeV", "(0, 1]")
    #: Relative Gaussian smearing of that deposit.
    mip_smear: float = quantity("", "[0, 1]")
    #: Smallest energy of a cluster that is recorded.
    cluster_threshold: float = quantity("GeV", "[0, 1]")
    #: Angle at the origin below which two showers are one cluster.
    merge_angle: float = quantity("rad", "[0, 1]")
    #: Time resolution time_stochastic / sqrt(E) + time_sigma in quadrature.
    time_sigma: float = quantity("ns", "[0, 1000]")
    #: Whether what is measured differs from what is true.
    smear: bool = quantity("")
    #: Stochastic term of the time resolution.
    time_stochastic: float = quantity("ns GeV^(1/2)", "[0, 1000]", default=0.0)
    #: Whether showers leak out at the rear: radiation length of the crystals, their critical energy, and the inverse
    #: length of the longitudinal profile t^(a - 1) exp(-b t), t in radiation lengths.
    leakage: bool = quantity("", default=False)
    #: Radiation length of the crystals.
    radiation_length: float = quantity("cm", "(0, 1000]", default=1.86)
    #: Critical energy of the crystals.
    critical_energy: float = quantity("GeV", "(0, 1]", default=0.0112)
    #: Inverse length b of the longitudinal profile t^(a - 1) exp(-b t), t in radiation lengths.
    profile_slope: float = quantity("", "[0.1, 2]", default=0.5)
    #: Part of what early showers lose in the matter in front that its counters see, and that is added back.
    front_returned: float = quantity("", "[0, 1]", default=0.0)
    shape: EmcShape = EmcShape()
    background: EmcBackground = EmcBackground()
