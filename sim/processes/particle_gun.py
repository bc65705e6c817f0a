"""Single particles of any kind, spectrum and angle, to study a detector with."""

import math
from typing import Any

import numpy as np

from ... import pdg as table
from ...arrays import Floats
from ...constants import PI
from ...elementary import exp, log, sincos
from ...kernel import stage
from .model import Particle, Points
from .options import REQUIRED, choose
from .rejection import ModelProcess

_SPECTRA = {"p": 0.0, "pt": 0.0, "log_p": 1.0}


@stage
def size_stage(low: float, high: float, logarithmic: float, u: Floats, p: Floats) -> None:
    """Draw a momentum [GeV/c] flat between two values, or flat in its logarithm."""
    ratio = log(high / low)
    for i in range(np.uint64(u.size)):
        p[i] = low * exp(u[i] * ratio) if logarithmic > 0.0 else low + u[i] * (high - low)


@stage
def polar_stage(low: float, high: float, flat_angle: float, u: Floats, cosine: Floats, sine: Floats) -> None:
    """Draw a polar angle [rad] flat in its cosine, or in itself."""
    _, first = sincos(low)
    _, last = sincos(high)
    for i in range(np.uint64(u.size)):
        s, c = sincos(low + u[i] * (high - low))
        flat = first + u[i] * (last - first)
        cosine[i] = c if flat_angle > 0.0 else flat
        sine[i] = s if flat_angle > 0.0 else math.sqrt(max((1.0 - flat) * (1.0 + flat), 0.0))


@stage
def azimuth_stage(low: float, high: float, u: Floats, transverse: Floats, px: Floats, py: Floats) -> None:
    """Draw an azimuth [rad], flat between two values, of transverse momenta [GeV/c]."""
    for i in range(np.uint64(u.size)):
        s, c = sincos(low + u[i] * (high - low))
        px[i] = transverse[i] * c
        py[i] = transverse[i] * s


class ParticleGun:
    """Identical particles, each with a momentum and a direction of its own; every weight is 1. See `model.Model`."""

    def __init__(self, order: str, sqrt_s: float, options: dict[str, Any]) -> None:
        charge, mass = table.charge(options["pdg"]), table.mass(options["pdg"])
        if charge is None or mass is None:
            raise ValueError(f"pdg = {options['pdg']}, must be a particle of known mass and whole charge")
        for name in ("p", "theta", "phi"):
            low, high = options[f"{name}_min"], options[f"{name}_max"]
            if not low <= high:
                raise ValueError(f"{name}_min = {low:g}, must not exceed {name}_max = {high:g}")
        if options["spectrum"] == "pt" and not 0.0 < options["theta_min"] <= options["theta_max"] < PI:
            raise ValueError(
                f"theta_min = {options['theta_min']:g} to theta_max = {options['theta_max']:g}, must keep off 0 and pi "
                "for spectrum = 'pt'"
            )
        self._options, self._mass = options, mass
        self.particles = (Particle(options["pdg"], charge),) * options["number"]
        self.n_uniforms = 3 * options["number"]

    def points(self, u: Floats, sqrt_s: Floats) -> Points:
        """Return particles of the spectra asked for."""
        momenta = np.empty((len(self.particles), 4, len(sqrt_s)))
        for momentum, three in zip(momenta, u.reshape(-1, 3, len(sqrt_s))):
            self._shoot(three, momentum)
        return Points(np.ones_like(sqrt_s), momenta)

    def _shoot(self, u: Floats, momentum: Floats) -> None:
        o = self._options
        p, cosine, sine = (np.empty(u.shape[1]) for _ in range(3))
        size_stage(o["p_min"], o["p_max"], _SPECTRA[o["spectrum"]], u[0], p)
        polar_stage(o["theta_min"], o["theta_max"], float(o["angle"] == "theta"), u[1], cosine, sine)
        p = p / sine if o["spectrum"] == "pt" else p
        azimuth_stage(o["phi_min"], o["phi_max"], u[2], p * sine, momentum[0], momentum[1])
        momentum[2] = p * cosine
        momentum[3] = np.sqrt(p * p + self._mass * self._mass)


PARTICLE_GUN = ModelProcess(
    name="particle_gun",
    final_state="particles of one kind, in the laboratory; no cross section",
    build=ParticleGun,
    options=choose(
        pdg=REQUIRED,
        number=1,
        p_min=0.1,
        p_max=2.0,
        spectrum="p",
        theta_min=0.0,
        theta_max=3.141592653589793,
        angle="cosine",
        phi_min=0.0,
        phi_max=6.283185307179586,
    ),
    validity="any",
    reference="masses and charges: Particle Data Group",
    frame="lab",
    has_cross_section=False,
)
