"""The sections of a detector card, one subdetector after the other from the inside outwards.

Units: GeV, cm, ns, T, rad.
"""

from dataclasses import dataclass

from ..schema import Section, quantity, require, require_range


@dataclass(frozen=True)
class Dedx(Section):
    """Specific ionisation in the drift chamber."""

    #: Relative resolution at the reference number of hits, perpendicular to the wires.
    resolution: float = quantity("", "(0, 1]")
    #: Number of hits to which the resolution belongs.
    reference_hits: int = quantity("", "[1, 1000]")
    #: Power of (reference_hits / hits) in the resolution.
    hits_exponent: float = quantity("", "[0, 2]")
    #: Power of sin theta in the resolution.
    sine_exponent: float = quantity("", "[0, 2]")
    #: Smallest number of hits of a measurement.
    min_hits: int = quantity("", "[1, 1000]")
    #: Measurements drawn into the high tail: their fraction and the factor on their deviation.
    tail_fraction: float = quantity("", "[0, 1]")
    #: Factor on the deviation of these.
    tail_scale: float = quantity("", "[1, 100]")
    #: Largest energy transfer that the truncated mean keeps.
    cut_energy: float = quantity("GeV", "(0, 1e-3]")
    #: Mean excitation energy of the gas.
    mean_excitation_energy: float = quantity("GeV", "(0, 1e-5]")
    #: Density effect (Sternheimer): constant, and log10(beta gamma) of its onset and of its asymptote.
    sternheimer_c: float = quantity("", "(0, 30]")
    #: log10(beta gamma) at which the density effect sets in.
    sternheimer_x0: float = quantity("", "[0, 5]")
    #: log10(beta gamma) from which it is asymptotic.
    sternheimer_x1: float = quantity("", "[0, 10]")
    #: Whether what is measured differs from what is expected.
    smear: bool = quantity("")
    #: Calibration: what is measured over what is expected; 1 where the detector is calibrated.
    scale: float = quantity("", "(0, 10]", default=1.0)


@dataclass(frozen=True)
class TofBarrel(Section):
    """Cylinder of scintillator bars along the beam line."""

    #: Radius at which times are measured.
    radius: float = quantity("cm", "(0, 1000]")
    #: Half length of the counters.
    half_length: float = quantity("cm", "(0, 1000]")
    #: Resolution at the middle of the counters.
    sigma: float = quantity("ns", "(0, 10]")
    #: sigma(z)^2 = sigma^2 (1 + slope (z / half_length)^2).
    sigma_slope: float = quantity("", "[0, 10]")
    #: Probability that a track that meets a counter has a time.
    efficiency: float = quantity("", "[0, 1]")
    #: Fraction of the measured tracks that one layer of two has seen, and its resolution over that of both.
    single_layer_fraction: float = quantity("", "[0, 1]", default=0.0)
    #: Resolution of one layer over that of both.
    single_layer_factor: float = quantity("", "[1, 10]", default=1.0)


@dataclass(frozen=True)
class TofEndcap(Section):
    """Discs of counters on both sides."""

    #: |z| at which times are measured.
    z: float = quantity("cm", "(0, 1000]")
    #: Inner radius of the discs.
    r_inner: float = quantity("cm", "(0, 1000]")
    #: Outer radius of the discs.
    r_outer: float = quantity("cm", "(0, 1000]")
    #: Resolution.
    sigma: float = quantity("ns", "(0, 10]")
    #: Probability that a track that meets a counter has a time.
    efficiency: float = quantity("", "[0, 1]")


@dataclass(frozen=True)
class Tof(Section):
    """Time-of-flight counters."""

    barrel: TofBarrel
    endcap: TofEndcap
    #: Error of the event time, common to all tracks of an event.
    event_time_sigma: float = quantity("ns", "[0, 10]")
    #: Whether measured times differ from the true ones.
    smear: bool = quantity("")
    #: Resolution for kaons and protons over that for electrons, muons and pions.
    kaon_proton_factor: float = quantity("", "[1, 10]", default=1.0)
    #: Fraction of the events whose time is one bunch early or late, and the time between bunches.
    wrong_bunch_fraction: float = quantity("", "[0, 1]", default=0.0)
    #: Time between bunches.
    bunch_spacing: float = quantity("ns", "(0, 1000]", default=8.0)
    #: Calibration: what is measured minus what is expected; 0 where the detector is calibrated.
    time_offset: float = quantity("ns", "[-100, 100]", default=0.0)


@dataclass(frozen=True)
class MucRegion(Section):
    """Barrel or endcap of the muon counter: iron crossed at normal incidence before each gap of chambers."""

    #: Centres of the gaps: radius (barrel), |z| (endcap).
    gaps: tuple[float, ...] = quantity("cm", "(0, 1000]")
    #: Iron in front of each gap, added to that of the gaps before.
    iron: tuple[float, ...] = quantity("cm", "[0, 100]")
    #: Extent of the chambers across: |z| (barrel), radius (endcap).
    extent: float = quantity("cm", "(0, 1000]")
    #: Coverage in |cos theta|.
    cos_range: tuple[float, float] = quantity("", "[0, 1]")
    #: Scintillator and crystals in front, where energy is lost.
    scintillator: float = quantity("cm", "[0, 100]")
    #: Crystals in front, where energy is lost.
    crystal: float = quantity("cm", "[0, 100]")

    def check(self) -> None:
        """Raise SchemaError unless there is one thickness of iron per gap."""
        require(
            len(self.iron) == len(self.gaps), f"iron: {len(self.iron)} numbers, allowed {len(self.gaps)}, one per gap"
        )
        require(len(self.gaps) <= 10, f"gaps: {len(self.gaps)} numbers, allowed at most 10")
        require_range("cos_range", self.cos_range)


@dataclass(frozen=True)
class Muc(Section):
    """Muon counter: resistive plate chambers between iron plates."""

    barrel: MucRegion
    endcap: MucRegion
    #: Probability that a muon that reaches a gap leaves a hit there.
    hit_efficiency: float = quantity("", "[0, 1]")
    #: Fraction of the azimuth between the octants.
    crack_fraction: float = quantity("", "[0, 1]")
    #: Relative spread of the momentum that reaches a gap: straggling and scattering.
    straggling: float = quantity("", "(0, 1]")
    #: Hadrons: interaction lengths in front of the first gap, then per cm of iron.
    front_interaction_lengths: float = quantity("", "[0, 100]")
    #: Nuclear interaction length of iron.
    iron_interaction_length: float = quantity("cm", "(0, 1e12]")
    #: Secondaries of an interacting hadron: how often, and how deep on average.
    leakage_fraction: float = quantity("", "[0, 1]")
    #: Mean depth of these secondaries.
    leakage_length: float = quantity("cm", "(0, 1000]")
    #: Whether depths are drawn; otherwise they are those of the mean range.
    smear: bool = quantity("")
    #: Fraction of the tracks whose hits are found and given to them; the others have none.
    track_efficiency: float = quantity("", "(0, 1]", default=1.0)
    #: Distance between extrapolated track and hits: resolution of the strips in each of two coordinates, and the part
    #: of the multiple scattering in front, as displacement times momentum times velocity.
    strip_resolution: float = quantity("cm", "(0, 100]", default=1.4)
    #: Part of the multiple scattering in front, as displacement times momentum times velocity.
    match_scattering: float = quantity("cm GeV", "[0, 100]", default=0.0)
    #: The same for hits of the secondaries of a hadron.
    leakage_spread: float = quantity("cm", "[0, 1000]", default=0.0)
