"""Kinematic and vertex fits of any topology, particles put together from their decays, recovery of radiated photons."""

from .composites import Composites, find_eta, find_gamma_gamma, find_k_short, find_lambda, find_pi0, find_vees
from .constraints import FourMomentum, Mass, RecoilMass, Vertex
from .kinematic import FitResult, KinematicFit
from .particles import Missing, Momenta, Photon, Track
from .recovery import Recovered, recover_photons
from .vectors import initial_four_momentum, invariant_mass, missing_four_momentum

__all__ = [
    "Composites",
    "FitResult",
    "FourMomentum",
    "KinematicFit",
    "Mass",
    "Missing",
    "Momenta",
    "Photon",
    "RecoilMass",
    "Recovered",
    "Track",
    "Vertex",
    "find_eta",
    "find_gamma_gamma",
    "find_k_short",
    "find_lambda",
    "find_pi0",
    "find_vees",
    "initial_four_momentum",
    "invariant_mass",
    "missing_four_momentum",
    "recover_photons",
]
