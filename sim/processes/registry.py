"""The processes that can be generated: final state, order, range, default cuts, and which others each one contains."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ...constants import (
    JPSI_BR_EE,
    JPSI_BR_MUMU,
    JPSI_GEE,
    JPSI_MASS,
    M_E,
    M_MU,
    M_PI,
    PSI2S_BR_EE,
    PSI2S_BR_MUMU,
    PSI2S_GEE,
    PSI2S_MASS,
)


@dataclass(frozen=True)
class Pair:
    """Two oppositely charged particles: PDG numbers of the negative and the positive one, and their mass [GeV]."""

    negative: int
    positive: int
    mass: float


ELECTRONS = Pair(11, -11, M_E)
MUONS = Pair(13, -13, M_MU)
PIONS = Pair(-211, 211, M_PI)


@dataclass(frozen=True)
class Resonance:
    """A narrow vector resonance: mass, electronic width [GeV] and branching fraction per choice of lepton."""

    mass: float
    electronic_width: float
    branching: Mapping[str, float]


def _frozen(**items: float) -> Mapping[str, float]:
    return MappingProxyType(items)


@dataclass(frozen=True)
class Process:
    """One process e+ e- -> (pair) gamma at leading order."""

    name: str
    #: What is produced, in words.
    final_state: str
    #: The pair, per value of the option `lepton`; one entry under "" where there is no choice.
    pairs: Mapping[str, Pair]
    #: Matrix element: "annihilation" (radiation from the beams), "bhabha" (s and t channel) or "pions".
    matrix_element: str
    #: Options beyond `order`, `weighted` and `energy_spread`.
    options: tuple[str, ...]
    #: Order in the fine-structure constant.
    order: str = "lo"
    #: Mass range of the pair [GeV] in which the description holds; the upper end is also bounded by sqrt(s).
    valid_range: tuple[float, float] = (0.0, float("inf"))
    #: Default generator cuts and options.
    defaults: Mapping[str, float] = field(default_factory=_frozen)
    #: Processes whose events are part of this one.
    contains: tuple[str, ...] = ()
    #: A resonance of fixed mass; None for a continuum.
    resonance: Resonance | None = None
    reference: str = ""


_CUTS = ("theta_gamma_max", "lepton_theta_min", "lepton_pt_min")
_CONTINUUM = ("mass_min", "mass_max", *_CUTS)
_LEPTONS = MappingProxyType({"mu": MUONS, "e": ELECTRONS})
_ISR = "Rodrigo, Czyz, Kuehn and Szopa, Eur. Phys. J. C 24 (2002) 71, hep-ph/0112184"

_ALL = (
    Process(
        name="mumu_isr",
        final_state="mu- mu+ gamma, radiation from the beams",
        pairs={"": MUONS},
        matrix_element="annihilation",
        options=_CONTINUUM,
        valid_range=(2.0 * M_MU, float("inf")),
        defaults=_frozen(mass_min=0.4),
        reference=_ISR,
    ),
    Process(
        name="ee_annihilation",
        final_state="e- e+ gamma, annihilation channel alone, radiation from the beams",
        pairs={"": ELECTRONS},
        matrix_element="annihilation",
        options=_CONTINUUM,
        valid_range=(2.0 * M_E, float("inf")),
        defaults=_frozen(mass_min=0.4),
        reference=_ISR,
    ),
    Process(
        name="ee_bhabha",
        final_state="e- e+ gamma, s and t channel, radiation from all legs",
        pairs={"": ELECTRONS},
        matrix_element="bhabha",
        options=_CONTINUUM,
        valid_range=(0.1, float("inf")),
        defaults=_frozen(mass_min=0.4, theta_gamma_max=0.15, lepton_theta_min=0.35, lepton_pt_min=0.25),
        contains=("ee_annihilation",),
        reference="Berends and Kleiss, Nucl. Phys. B 228 (1983) 537",
    ),
    Process(
        name="pipi_isr",
        final_state="pi- pi+ gamma, radiation from the beams",
        pairs={"": PIONS},
        matrix_element="pions",
        options=_CONTINUUM,
        valid_range=(2.0 * M_PI, 3.0),
        defaults=_frozen(mass_min=0.4),
        reference="form factor: BaBar Collaboration, Phys. Rev. D 86 (2012) 032013",
    ),
    Process(
        name="jpsi_isr",
        final_state="J/psi gamma, J/psi -> l- l+",
        pairs=_LEPTONS,
        matrix_element="annihilation",
        options=("lepton", *_CUTS),
        valid_range=(JPSI_MASS, JPSI_MASS),
        resonance=Resonance(JPSI_MASS, JPSI_GEE, _frozen(mu=JPSI_BR_MUMU, e=JPSI_BR_EE)),
        reference="Particle Data Group, PTEP 2022, 083C01",
    ),
    Process(
        name="psi2s_isr",
        final_state="psi(2S) gamma, psi(2S) -> l- l+",
        pairs=_LEPTONS,
        matrix_element="annihilation",
        options=("lepton", *_CUTS),
        valid_range=(PSI2S_MASS, PSI2S_MASS),
        resonance=Resonance(PSI2S_MASS, PSI2S_GEE, _frozen(mu=PSI2S_BR_MUMU, e=PSI2S_BR_EE)),
        reference="Particle Data Group, PTEP 2022, 083C01",
    ),
    Process(
        name="dark_photon",
        final_state="A' gamma, A' -> l- l+",
        pairs=_LEPTONS,
        matrix_element="annihilation",
        options=("mass", "lepton", "epsilon", *_CUTS),
        defaults=_frozen(epsilon=1e-3),
        reference="Bjorken, Essig, Schuster and Toro, Phys. Rev. D 80 (2009) 075018",
    ),
)

#: All processes by name.
PROCESSES: Mapping[str, Process] = MappingProxyType({process.name: process for process in _ALL})


def find_process(name: str) -> Process:
    """Return the process of that name, or raise ValueError with the names there are."""
    if name not in PROCESSES:
        raise ValueError(f"process = {name!r}, must be one of {', '.join(PROCESSES)}")
    return PROCESSES[name]


def check_sum(names: Iterable[str]) -> None:
    """Raise ValueError if a sum of these processes would count the same events twice."""
    unique = list(dict.fromkeys(names))
    for name in unique:
        for other in find_process(name).contains:
            if other in unique:
                raise ValueError(f"{name} and {other} cannot be added: {name} contains {other}")
