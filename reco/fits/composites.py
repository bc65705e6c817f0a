"""Particles that decay before they are seen: pi0, eta -> gamma gamma; K_S -> pi+ pi-; Lambda -> p pi-."""

from typing import NamedTuple

import numpy as np

from ...arrays import Bools, Floats, Ints
from ...constants import M_ETA, M_K0, M_LAMBDA, M_P, M_PI, M_PI0
from ...event import RecoEvents
from .combinations import chosen_rows, pairs_between, pairs_within
from .constraints import Mass, Vertex
from .kinematic import FitResult, KinematicFit
from .particles import Photon, Track
from .vectors import photon_vectors


class Composites(NamedTuple):
    """Candidates, any number per event: the event, and the rows of the two daughters among all tracks or photons.

    `mass` [GeV] is the measured one: of a photon pair before, of a vee after its vertex fit. `fit` holds the fitted
    daughters, in this order, and for a vee the vertex.
    """

    event: Ints
    first: Ints
    second: Ints
    mass: Floats
    fit: FitResult


def track_of(events: RecoEvents, rows: Ints, mass: float) -> Track:
    """Return tracks of reconstructed events as particles of a fit."""
    return Track(events.helix[rows], events.covariance[rows], mass)


def photon_of(events: RecoEvents, rows: Ints) -> Photon:
    """Return photons of reconstructed events as particles of a fit, seen from the origin."""
    return Photon(
        events.photon_energy[rows],
        events.photon_theta[rows],
        events.photon_phi[rows],
        events.photon_energy_sigma[rows],
        events.photon_theta_sigma[rows],
        events.photon_phi_sigma[rows],
    )


def find_gamma_gamma(
    events: RecoEvents, mass: float, window: tuple[float, float], *, photons: Bools | None = None
) -> Composites:
    """Return all pairs of photons with an invariant mass in a window [GeV], fitted to a mass (one constraint).

    Parameters
    ----------
    events : RecoEvents
    mass : float
        Mass of the meson [GeV].
    window : tuple of float
        Smallest and largest measured mass [GeV].
    photons : ndarray of bool, optional
        Photons to pair; by default the good ones.
    """
    rows, event = chosen_rows(events.photon_offsets, events.photon_good if photons is None else photons)
    one, two = pairs_within(event)
    q = photon_vectors(events)
    px, py, pz, energy = (q[rows[one]] + q[rows[two]]).T
    measured = np.sqrt(np.maximum(energy * energy - px * px - py * py - pz * pz, 0.0))
    kept = (measured > window[0]) & (measured < window[1])
    first, second = rows[one[kept]], rows[two[kept]]
    fit = KinematicFit([photon_of(events, first), photon_of(events, second)], [Mass((0, 1), mass)]).fit()
    return Composites(event[one[kept]], first, second, measured[kept], fit)


def find_pi0(events: RecoEvents, window: tuple[float, float] = (0.115, 0.150)) -> Composites:
    """Return pi0 -> gamma gamma candidates of good photons."""
    return find_gamma_gamma(events, M_PI0, window)


def find_eta(events: RecoEvents, window: tuple[float, float] = (0.50, 0.57)) -> Composites:
    """Return eta -> gamma gamma candidates of good photons."""
    return find_gamma_gamma(events, M_ETA, window)


def find_vees(
    events: RecoEvents,
    bz: float,
    masses: tuple[float, float],
    window: tuple[float, float],
    *,
    origin: tuple[Floats, Floats] | None = None,
    tracks: Bools | None = None,
) -> Composites:
    """Return all pairs of a positive and a negative track from a common vertex with a mass in a window [GeV].

    Parameters
    ----------
    events : RecoEvents
    bz : float
        Magnetic field [T].
    masses : tuple of float
        Of the positive and of the negative daughter [GeV].
    window : tuple of float
        Smallest and largest mass after the vertex fit [GeV].
    origin : tuple of ndarray, optional
        Point (3,) [cm] where the neutral particle was made, and its covariance (3, 3): the fit then demands that it
        points back there (two more degrees of freedom) and gives the length of its flight.
    tracks : ndarray of bool, optional
        Tracks to pair, by default all: those of long-lived particles are not good tracks by the convention.
    """
    chosen = np.ones(len(events.charge), dtype=bool) if tracks is None else tracks
    plus, event = chosen_rows(events.track_offsets, chosen & (events.charge > 0))
    minus, event_minus = chosen_rows(events.track_offsets, chosen & (events.charge < 0))
    one, two = pairs_between(event, event_minus)
    first, second = plus[one], minus[two]
    point, covariance = (None, None) if origin is None else origin
    vertex = Vertex((0, 1), origin=point, origin_covariance=covariance)
    pair = [track_of(events, first, masses[0]), track_of(events, second, masses[1])]
    fit = KinematicFit(pair, [vertex], bz=bz).fit()
    mass = fit.mass()
    kept = fit.converged & (mass > window[0]) & (mass < window[1])
    return Composites(event[one][kept], first[kept], second[kept], mass[kept], fit.select(kept))


def find_k_short(events: RecoEvents, bz: float, half_window: float = 0.020) -> Composites:
    """Return K_S -> pi+ pi- candidates, the mass within `half_window` [GeV] of the nominal one."""
    return find_vees(events, bz, (M_PI, M_PI), (M_K0 - half_window, M_K0 + half_window))


def find_lambda(events: RecoEvents, bz: float, half_window: float = 0.010, *, anti: bool = False) -> Composites:
    """Return Lambda -> p pi- candidates, or Lambdabar -> pi+ pbar ones."""
    masses = (M_PI, M_P) if anti else (M_P, M_PI)
    return find_vees(events, bz, masses, (M_LAMBDA - half_window, M_LAMBDA + half_window))
