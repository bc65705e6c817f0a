"""e+ e- -> mu+ mu- gamma at leading order, radiation from beams and muons with their interference, at all angles.

The generators of the package radiate from the beams and weigh for the rest, which fails where a photon flies along a
muon. For comparisons with programs that have it all, this model samples the whole: half of the muons as radiation from
the beams wants them, half along the photon.
"""

from typing import Any

import numpy as np

from ..arrays import Floats
from ..constants import ALPHA, HBARC2, M_E, M_MU, PI
from ..sim.processes.model import Model, Particle, Points
from ..sim.processes.options import choose
from ..sim.processes.rejection import ModelProcess
from ..sim.radiative.full_pair import full_pair_stage

#: Shares of photons and muons that are drawn evenly in their cosine.
_EVEN_PHOTON, _EVEN_MUON = 0.3, 0.5


class WholePair:
    """Phase space of mu- mu+ gamma as a map from uniform numbers, weighted with the whole matrix element."""

    particles = (Particle(13, -1), Particle(-13, 1), Particle(22, 0))
    n_uniforms = 5

    def __init__(self, mass_min: float, mass_max: float) -> None:
        self._low, self._high = mass_min, mass_max

    def points(self, u: Floats, sqrt_s: Floats) -> Points:
        """Return points in the centre of mass: mass, photon's angle, muon's angle to it, azimuth about it, azimuth."""
        mass = self._low + (self._high - self._low) * u[0]
        cos_gamma, sin_gamma, minus, plus, weight = _photon(u[1], sqrt_s)
        weight *= self._high - self._low
        beta = np.sqrt(1.0 - 4.0 * M_MU**2 / mass**2)
        cosine, density = _muon(u[2], beta)
        weight /= density
        w = (sqrt_s - mass) * (sqrt_s + mass) / (2.0 * sqrt_s)
        along = 0.5 * ((sqrt_s - w) * beta * cosine - w)
        across = 0.5 * mass * beta * np.sqrt(1.0 - cosine**2)
        phi, azimuth = 2.0 * PI * u[3], 2.0 * PI * u[4]
        x = along * sin_gamma + across * np.cos(phi) * cos_gamma
        y = across * np.sin(phi)
        pz = along * cos_gamma - across * np.cos(phi) * sin_gamma
        momenta = np.zeros((3, 4, len(mass)))
        momenta[0, :3] = x * np.cos(azimuth) - y * np.sin(azimuth), x * np.sin(azimuth) + y * np.cos(azimuth), pz
        momenta[0, 3] = 0.5 * (sqrt_s - w - w * beta * cosine)
        momenta[2, :3] = w * sin_gamma * np.cos(azimuth), w * sin_gamma * np.sin(azimuth), w * cos_gamma
        momenta[2, 3] = w
        momenta[1] = -momenta[0] - momenta[2]
        momenta[1, 3] += sqrt_s
        s = sqrt_s**2
        flux = (4.0 * PI * ALPHA) ** 3 * HBARC2 / (2.0 * s * np.sqrt(1.0 - 4.0 * M_E**2 / s) * 128.0 * PI**3)
        weight *= flux * 2.0 * mass * (1.0 - mass**2 / s) * beta / 4.0
        full_pair_stage(M_MU, sqrt_s, mass, minus, plus, cosine, pz, weight)
        return Points(weight, momenta)


def _photon(u: Floats, sqrt_s: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return cosine, sine, 1 -+ b cos and one over the density in the cosine: collinear with the beams, some even."""
    ratio = (2.0 * M_E / sqrt_s) ** 2
    velocity = np.sqrt(1.0 - ratio)
    below = ratio / (1.0 + velocity)
    top = 0.5 * np.log((2.0 - below) / below)
    # either half of u is one side; v counts from the beam inwards
    side = np.where(u < 0.5, 1.0, -1.0)
    v = np.where(u < 0.5, 2.0 * u, 2.0 - 2.0 * u)
    collinear = v < 1.0 - _EVEN_PHOTON
    y = top * np.maximum(1.0 - v / (1.0 - _EVEN_PHOTON), 0.0)
    even = 1.0 - velocity * np.clip((v - 1.0 + _EVEN_PHOTON) / _EVEN_PHOTON, 0.0, 1.0)
    near = np.where(collinear, 2.0 / (np.exp(2.0 * y) + 1.0), even)
    density = (1.0 - _EVEN_PHOTON) * velocity / (2.0 * top * near * (2.0 - near)) + 0.5 * _EVEN_PHOTON
    minus, plus = np.where(side > 0.0, near, 2.0 - near), np.where(side > 0.0, 2.0 - near, near)
    cosine = 0.5 * (plus - minus) / velocity
    sine = np.sqrt(np.maximum((near - below) * (2.0 - near - below), 0.0)) / velocity
    return cosine, sine, minus, plus, 1.0 / density


def _muon(u: Floats, beta: Floats) -> tuple[Floats, Floats]:
    """Return cos* of mu- about the photon, and its density: even, or beta cos* = tanh of an even number."""
    top = np.arctanh(beta)
    peaked = np.tanh(top * (2.0 * (u - _EVEN_MUON) / (1.0 - _EVEN_MUON) - 1.0)) / beta
    cosine = np.clip(np.where(u < _EVEN_MUON, 2.0 * u / _EVEN_MUON - 1.0, peaked), -1.0, 1.0)
    density = 0.5 * _EVEN_MUON + (1.0 - _EVEN_MUON) * 0.5 * beta / (top * (1.0 - (beta * cosine) ** 2))
    return cosine, density


def _build(order: str, sqrt_s: float, options: dict[str, Any]) -> Model:
    return WholePair(options["mass_min"], options["mass_max"])


#: Not among the processes of the registry: `Setting.options` are mass_min and mass_max.
WHOLE_PAIR = ModelProcess(
    name="mumu_gamma",
    final_state="mu- mu+ gamma, radiation from beams and muons",
    build=_build,
    options=choose(mass_min=0.4, mass_max=3.6),
    reference="Berends and Kleiss, Nucl. Phys. B 177 (1981) 237, with masses",
)
