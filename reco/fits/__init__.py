"""Kinematic and vertex fits of any topology."""

from .constraints import FourMomentum, Mass, RecoilMass, Vertex
from .kinematic import FitResult, KinematicFit
from .particles import Missing, Momenta, Photon, Track

__all__ = [
    "FitResult",
    "FourMomentum",
    "KinematicFit",
    "Mass",
    "Missing",
    "Momenta",
    "Photon",
    "RecoilMass",
    "Track",
    "Vertex",
]
