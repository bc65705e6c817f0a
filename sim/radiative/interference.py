"""Weights that turn events of initial-state radiation into the whole of e+ e- -> mu+ mu- gamma at leading order."""

import math

import numpy as np
from numpy.typing import NDArray

from ...constants import M_E, M_MU
from ...event import Floats, TruthEvents
from ...kernel import kernel, stage
from .full_pair import full_lepton_pair
from .matrix_element import lepton_pair

_PDG = (13, -13, 22)
_ONE = np.uint64(1)
_TWO = np.uint64(2)
_THREE = np.uint64(3)


@kernel
def light_product(
    kx: float, ky: float, kz: float, w: float, px: float, py: float, pz: float, energy: float, mass: float
) -> float:
    """Return k.p of a photon and a massive particle from their momenta, without cancellation where they are collinear.

    w (E - p) + w p (1 - cos), with E - p = m^2 / (E + p) and 1 - cos from the cross product.
    """
    p = math.sqrt(px * px + py * py + pz * pz)
    along = kx * px + ky * py + kz * pz
    x = ky * pz - kz * py
    y = kz * px - kx * pz
    z = kx * py - ky * px
    far = w * p + abs(along)
    near = (x * x + y * y + z * z) / far
    return w * mass * mass / (energy + p) + (near if along > 0.0 else far)


@stage
def full_ratio_stage(
    lepton_mass: float,
    px: Floats,
    py: Floats,
    pz: Floats,
    energy: Floats,
    sqrt_s: Floats,
    final: Floats,
    mixed: Floats,
    ratio: Floats,
) -> None:
    """Compute |M|^2 / |M_beams|^2 of events of three particles each: negative lepton, positive lepton, photon.

    Columns of particles: momenta and energy in the centre of mass [GeV]; of events: energy of the centre of mass, and
    |F(s) / F(s')|^2 and Re F(s) / F(s') of the propagators.
    """
    for i in range(np.uint64(sqrt_s.size)):
        j = _THREE * i
        half = 0.5 * sqrt_s[i]
        s = sqrt_s[i] * sqrt_s[i]
        momentum = math.sqrt(half * half - M_E * M_E)
        kx, ky, kz = px[j + _TWO], py[j + _TWO], pz[j + _TWO]
        w = math.sqrt(kx * kx + ky * ky + kz * kz)
        s_prime = s - 2.0 * sqrt_s[i] * w
        k1 = light_product(kx, ky, kz, w, 0.0, 0.0, momentum, half, M_E)
        k2 = light_product(kx, ky, kz, w, 0.0, 0.0, -momentum, half, M_E)
        k3 = light_product(kx, ky, kz, w, px[j], py[j], pz[j], energy[j], lepton_mass)
        k4 = light_product(kx, ky, kz, w, px[j + _ONE], py[j + _ONE], pz[j + _ONE], energy[j + _ONE], lepton_mass)
        d13 = half * energy[j] - momentum * pz[j]
        d23 = half * energy[j] + momentum * pz[j]
        d14 = 0.5 * s - k1 - d13
        d24 = 0.5 * s - k2 - d23
        beams = lepton_pair(s, s_prime, k1, k2, d13, d23, d14, d24, lepton_mass)
        full = full_lepton_pair(s, s_prime, k1, k2, k3, k4, d13, d23, d14, d24, lepton_mass, 1.0, final[i], mixed[i])
        ratio[i] = full / beams


def full_weight(truth: TruthEvents, propagator_ratio: NDArray[np.complex128] | None = None) -> Floats:
    """Return the weight of every event for radiation from the pair and its interference with that from the beams.

    |M_beams + M_pair|^2 / |M_beams|^2, exact in all masses, for events of `mumu_isr` at leading order: what is selected
    with these weights has the cross section and the distributions of e+ e- -> mu+ mu- gamma at O(alpha^3), the charge
    asymmetry included. At 3.773 GeV they lie between 0.5 and 1.6 with the photon within 0.1 rad of a beam and both
    muons in the acceptance (mean 1.0009), and reach 28 (effective share of the events 0.5) with the photon anywhere
    else at least 0.2 rad from the muons.

    Where the photon is collinear with a muon they grow as s / m_mu^2, for radiation from the beams hardly populates
    that region: sums stay unbiased, but their variance explodes (weights up to 78 among 2 million events at 3.773 GeV,
    437 at 10.58 GeV where the effective share of tagged events falls to 0.09). Whoever keeps those photons samples
    the whole matrix element instead.

    Parameters
    ----------
    truth : TruthEvents
        Three particles per event, mu-, mu+, photon, in the centre of mass.
    propagator_ratio : ndarray of complex, shape (n_events,), optional
        F(s) / F(s') if the events carry |F(s')|^2: vacuum polarisation, resonances. Default 1.

    Returns
    -------
    ndarray, shape (n_events,)
        To be multiplied with the events' own weights.

    Raises
    ------
    ValueError
        If the events are not in the centre of mass, not of these three particles, or the ratio is not one per event.
    """
    n = truth.n_events
    if truth.frame != "cm":
        raise ValueError(f"frame = {truth.frame!r}, must be 'cm'")
    expected = np.tile(np.array(_PDG, dtype=truth.pdg.dtype), n)
    if not (np.array_equal(truth.offsets, 3 * np.arange(n + 1)) and np.array_equal(truth.pdg, expected)):
        raise ValueError("every event must hold mu-, mu+ and one photon (leading order, without further radiation)")
    ratio = np.ones(n, dtype=np.complex128) if propagator_ratio is None else np.asarray(propagator_ratio)
    if ratio.shape != (n,):
        raise ValueError(f"propagator_ratio has shape {ratio.shape}, must be ({n},)")
    weights = np.empty(n)
    final = ratio.real**2 + ratio.imag**2
    mixed = np.ascontiguousarray(ratio.real)
    full_ratio_stage(M_MU, truth.px, truth.py, truth.pz, truth.energy, truth.event_sqrt_s, final, mixed, weights)
    return weights
