"""The processes of radiative return: pair, matrix element, default cuts, range, and which others each one contains."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

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
from ..processes.options import REQUIRED, choose
from ..processes.protocol import EventSource, Setting
from .channel import Channel, Pair, Resonance
from .source import RadiativeSource

ELECTRONS = Pair(11, -11, M_E)
MUONS = Pair(13, -13, M_MU)
PIONS = Pair(-211, 211, M_PI)


@dataclass(frozen=True)
class RadiativeProcess(Channel):
    """A process e+ e- -> (pair) gamma that can be generated; see `protocol.Process`."""

    def contains(self, order: str, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the labels of processes whose events are part of this one.

        With resonances in the amplitude these are the narrow states as well.
        """
        if order == "lo" or "resonances" not in self.options or options.get("resonances") is False:
            return self.parts
        lepton = "mu" if self.pairs[""] == MUONS else "e"
        return (*self.parts, f"jpsi_isr_{lepton}", f"psi2s_isr_{lepton}")

    def prepare(self, setting: Setting) -> EventSource:
        """Return a source of events."""
        return RadiativeSource(self, setting)


_CUTS = ("theta_gamma_min", "theta_gamma_max", "lepton_theta_min", "lepton_pt_min")
_PHOTONS = ("final_state_radiation", "soft_cutoff")
_LINE = ("vacuum_polarisation", "resonances")
_CONTINUUM = ("mass_min", "mass_max", *_CUTS)
_LEPTONS = MappingProxyType({"mu": MUONS, "e": ELECTRONS})
_ISR = "Rodrigo, Czyz, Kuehn and Szopa, Eur. Phys. J. C 24 (2002) 71, hep-ph/0112184"

RADIATIVE = (
    RadiativeProcess(
        name="mumu_isr",
        final_state="mu- mu+ gamma, radiation from the beams",
        pairs=MappingProxyType({"": MUONS}),
        matrix_element="annihilation",
        options=choose(*_CONTINUUM, *_LINE, *_PHOTONS, mass_min=0.4),
        valid_range=(2.0 * M_MU, float("inf")),
        reference=_ISR,
    ),
    RadiativeProcess(
        name="ee_annihilation",
        final_state="e- e+ gamma, annihilation channel alone, radiation from the beams",
        pairs=MappingProxyType({"": ELECTRONS}),
        matrix_element="annihilation",
        options=choose(*_CONTINUUM, *_LINE, *_PHOTONS, mass_min=0.4),
        valid_range=(2.0 * M_E, float("inf")),
        reference=_ISR,
    ),
    RadiativeProcess(
        name="ee_bhabha",
        final_state="e- e+ gamma, s and t channel, radiation from all legs",
        pairs=MappingProxyType({"": ELECTRONS}),
        matrix_element="bhabha",
        options=choose(
            *_CONTINUUM,
            *_LINE,
            *_PHOTONS,
            mass_min=0.4,
            theta_gamma_max=0.15,
            lepton_theta_min=0.35,
            lepton_pt_min=0.25,
        ),
        valid_range=(0.1, float("inf")),
        parts=("ee_annihilation",),
        reference="Berends and Kleiss, Nucl. Phys. B 228 (1983) 537",
    ),
    RadiativeProcess(
        name="pipi_isr",
        final_state="pi- pi+ gamma, radiation from the beams",
        pairs=MappingProxyType({"": PIONS}),
        matrix_element="pions",
        options=choose(*_CONTINUUM, *_PHOTONS, mass_min=0.4),
        valid_range=(2.0 * M_PI, 3.0),
        reference="form factor: BaBar Collaboration, Phys. Rev. D 86 (2012) 032013",
    ),
    RadiativeProcess(
        name="jpsi_isr",
        final_state="J/psi gamma, J/psi -> l- l+",
        pairs=_LEPTONS,
        matrix_element="annihilation",
        options=choose("lepton", *_CUTS, *_PHOTONS, lepton="mu"),
        valid_range=(JPSI_MASS, JPSI_MASS),
        resonance=Resonance(JPSI_MASS, JPSI_GEE, MappingProxyType({"mu": JPSI_BR_MUMU, "e": JPSI_BR_EE})),
        reference="Particle Data Group, PTEP 2022, 083C01",
    ),
    RadiativeProcess(
        name="psi2s_isr",
        final_state="psi(2S) gamma, psi(2S) -> l- l+",
        pairs=_LEPTONS,
        matrix_element="annihilation",
        options=choose("lepton", *_CUTS, *_PHOTONS, lepton="mu"),
        valid_range=(PSI2S_MASS, PSI2S_MASS),
        resonance=Resonance(PSI2S_MASS, PSI2S_GEE, MappingProxyType({"mu": PSI2S_BR_MUMU, "e": PSI2S_BR_EE})),
        reference="Particle Data Group, PTEP 2022, 083C01",
    ),
    RadiativeProcess(
        name="dark_photon",
        final_state="A' gamma, A' -> l- l+",
        pairs=_LEPTONS,
        matrix_element="annihilation",
        options=choose(
            "mass",
            "lepton",
            "epsilon",
            *_CUTS,
            "vacuum_polarisation",
            *_PHOTONS,
            mass=REQUIRED,
            lepton="mu",
            epsilon=1e-3,
        ),
        reference="Bjorken, Essig, Schuster and Toro, Phys. Rev. D 80 (2009) 075018",
    ),
)
