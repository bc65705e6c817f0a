"""Four-momenta of measured tracks and photons, their covariances, and what recoils against a set of them."""

import math

import numpy as np

from ...arrays import Bools, Floats
from ...event import KAPPA, PHI0, TAN_LAMBDA, RecoEvents
from ...geometry.beam import Laboratory
from ...kernel import stage
from .combinations import event_of_rows
from .momenta import helix_momentum, photon_momentum
from .particles import square


@stage
def track_vector_stage(
    n: int, parameters: Floats, packed: Floats, masses: Floats, vector: Floats, covariance: Floats
) -> None:
    """Fill (px, py, pz, E) and its 4 x 4 covariance from (phi0, kappa, tan_lambda) and theirs."""
    p, j = np.zeros(4), np.zeros((4, 6))
    for i in range(n):
        helix_momentum(parameters[i, 0], parameters[i, 1], parameters[i, 2], p, j, 0)
        j[2, 2] = 1.0 / abs(parameters[i, 1])
        p[3] = math.sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2] + masses[i] * masses[i])
        for k in range(3):
            j[3, k] = (p[0] * j[0, k] + p[1] * j[1, k] + p[2] * j[2, k]) / p[3]
        for row in range(4):
            vector[i, row] = p[row]
            for column in range(4):
                value = 0.0
                for k in range(3):
                    for m in range(3):
                        value += j[row, k] * packed[i, k, m] * j[column, m]
                covariance[i, row, column] = value


@stage
def photon_vector_stage(n: int, parameters: Floats, sigmas: Floats, vector: Floats, covariance: Floats) -> None:
    """Fill (px, py, pz, E) and its 4 x 4 covariance from (E, theta, phi) and their standard deviations."""
    p, j = np.zeros(4), np.zeros((4, 6))
    for i in range(n):
        photon_momentum(parameters[i, 0], parameters[i, 1], parameters[i, 2], p, j)
        for row in range(4):
            vector[i, row] = p[row]
            for column in range(4):
                value = 0.0
                for k in range(3):
                    value += j[row, k] * sigmas[i, k] * sigmas[i, k] * j[column, k]
                covariance[i, row, column] = value


def track_vectors_with_covariance(events: RecoEvents, masses: Floats | float) -> tuple[Floats, Floats]:
    """Return (px, py, pz, E) [GeV] (n_tracks, 4) at closest approach and the covariances (n_tracks, 4, 4)."""
    n = len(events.helix)
    rows = (PHI0, KAPPA, TAN_LAMBDA)
    vector, covariance = np.empty((n, 4)), np.empty((n, 4, 4))
    mass = np.broadcast_to(np.asarray(masses, dtype=np.float64), (n,)).copy()
    parameters = np.ascontiguousarray(events.helix[:, rows])
    packed = np.ascontiguousarray(square(events.covariance, rows))
    track_vector_stage(n, parameters, packed, mass, vector, covariance)
    return vector, covariance


def photon_vectors_with_covariance(events: RecoEvents) -> tuple[Floats, Floats]:
    """Return (px, py, pz, E) [GeV] (n_photons, 4) of photons from the origin and the covariances (n_photons, 4, 4)."""
    n = len(events.photon_energy)
    vector, covariance = np.empty((n, 4)), np.empty((n, 4, 4))
    parameters = np.column_stack([events.photon_energy, events.photon_theta, events.photon_phi])
    sigmas = [events.photon_energy_sigma, events.photon_theta_sigma, events.photon_phi_sigma]
    photon_vector_stage(n, parameters, np.column_stack(sigmas), vector, covariance)
    return vector, covariance


def photon_vectors(events: RecoEvents) -> Floats:
    """Return (px, py, pz, E) [GeV] (n_photons, 4) of photons from the origin."""
    return photon_vectors_with_covariance(events)[0]


def track_vectors(events: RecoEvents, masses: Floats | float) -> Floats:
    """Return (px, py, pz, E) [GeV] (n_tracks, 4) at closest approach for one mass, or one mass per track [GeV]."""
    return track_vectors_with_covariance(events, masses)[0]


def initial_four_momentum(lab: Laboratory) -> tuple[float, float, float, float]:
    """Return (px, py, pz, E) [GeV] of the colliding beams in the laboratory: `card.beam.laboratory()` has it."""
    return lab.px, 0.0, lab.pz, lab.energy


def missing_four_momentum(
    events: RecoEvents,
    total: tuple[float, float, float, float],
    masses: Floats | float,
    *,
    tracks: Bools | None = None,
    photons: Bools | None = None,
) -> Floats:
    """Return total minus all chosen tracks and photons, (n_events, 4) [GeV].

    Parameters
    ----------
    events : RecoEvents
    total : tuple of float
        See `initial_four_momentum`.
    masses : float or ndarray, shape (n_tracks,)
        Of the tracks [GeV].
    tracks, photons : ndarray of bool, optional
        Which to subtract; by default all tracks and the good photons.
    """
    missing = np.tile(np.asarray(total, dtype=np.float64), (events.n_events, 1))
    tracks = np.ones(len(events.charge), dtype=bool) if tracks is None else tracks
    photons = events.photon_good if photons is None else photons
    lists = (
        (events.track_offsets, track_vectors(events, masses), tracks),
        (events.photon_offsets, photon_vectors(events), photons),
    )
    for offsets, vector, chosen in lists:
        event = event_of_rows(offsets)[chosen]
        for k in range(4):
            missing[:, k] -= np.bincount(event, weights=vector[chosen, k], minlength=events.n_events)
    return missing


def invariant_mass(vector: Floats) -> Floats:
    """Return the mass [GeV] of four-momenta (..., 4); minus the root of -m^2 where m^2 is negative.

    The mass recoiling against a set of particles is that of the missing four-momentum.
    """
    px, py, pz, energy = np.moveaxis(vector, -1, 0)
    square_of_mass = energy * energy - px * px - py * py - pz * pz
    return np.asarray(np.sign(square_of_mass) * np.sqrt(np.abs(square_of_mass)))
