"""Photons radiated by leptons, in the final state or in matter close to the beam line, are given back to them.

Such photons leave along the initial direction of the lepton, which the field then bends away: a shower close to that
direction, and not matched to the track, belongs to the lepton. (Photons that fall into the lepton's own shower are
beyond this; E / p tells of them.)
"""

from typing import NamedTuple

import numpy as np

from ...arrays import Bools, Floats, Ints
from ...event import RecoEvents
from ...geometry.directions import chord2
from ...kernel import stage
from ..showers import direction_stage
from .vectors import photon_vectors_with_covariance, track_vectors_with_covariance

#: Half opening angle of the cone around the initial direction [rad], 5 degrees.
CONE = 0.0872664626


class Recovered(NamedTuple):
    """Tracks with their photons: (px, py, pz, E) [GeV] (n_tracks, 4), covariance (n_tracks, 4, 4), photons added.

    `track` (n_photons,) is the row of the track that a photon was given to, -1: none; such photons should not be used
    twice.
    """

    momentum: Floats
    covariance: Floats
    n_photons: Ints
    track: Ints


@stage
def attach_stage(
    track_offsets: Ints,
    photon_offsets: Ints,
    tracks: Floats,
    photons: Floats,
    usable_track: Bools,
    usable_photon: Bools,
    cone: float,
    attached: Ints,
) -> None:
    """Give every photon to the track of its event whose direction is nearest, if within the cone.

    Directions (n, 3) are compared by the square of the chord between them; `cone` is that of the cone's edge.
    """
    for event in range(np.uint64(track_offsets.size - 1)):
        for j in range(photon_offsets[event], photon_offsets[event + np.uint64(1)]):
            best, row = cone, -1
            for i in range(track_offsets[event], track_offsets[event + np.uint64(1)]):
                x, y, z = tracks[i, 0] - photons[j, 0], tracks[i, 1] - photons[j, 1], tracks[i, 2] - photons[j, 2]
                square = x * x + y * y + z * z
                if usable_track[i] & usable_photon[j] & (square < best):
                    best, row = square, i
            attached[j] = row


def _unit_vectors(theta: Floats, phi: Floats) -> Floats:
    vectors = np.empty((3, len(theta)))
    direction_stage(theta, phi, *vectors)
    return vectors.T


def recover_photons(
    events: RecoEvents,
    mass: float,
    *,
    cone: float = CONE,
    min_energy: float = 0.025,
    tracks: Bools | None = None,
    photons: Bools | None = None,
) -> Recovered:
    """Add photons near the initial direction of lepton tracks to them: four-momenta and covariances.

    Parameters
    ----------
    events : RecoEvents
    mass : float
        Mass of the lepton [GeV].
    cone : float
        Largest angle between photon and track at the point of closest approach [rad].
    min_energy : float
        Smallest energy of a photon [GeV].
    tracks, photons : ndarray of bool, optional
        Leptons, and photons that may be given to them; by default all. Good photons by the convention would be the
        wrong choice: they keep away from tracks.
    """
    vector, covariance = track_vectors_with_covariance(events, mass)
    photon, photon_covariance = photon_vectors_with_covariance(events)
    leptons = np.ones(len(vector), dtype=bool) if tracks is None else tracks
    usable = events.photon_energy > min_energy
    usable = usable if photons is None else usable & photons
    attached = np.empty(len(photon), dtype=np.int64)
    px, py, pz = vector[:, :3].T
    directions = vector[:, :3] / np.sqrt(px * px + py * py + pz * pz)[:, None]
    showers = _unit_vectors(events.photon_theta, events.photon_phi)
    offsets = events.track_offsets, events.photon_offsets
    attach_stage(*offsets, directions, showers, leptons, usable, chord2(cone), attached)
    given = np.flatnonzero(attached >= 0)
    np.add.at(vector, attached[given], photon[given])
    np.add.at(covariance, attached[given], photon_covariance[given])
    return Recovered(vector, covariance, np.bincount(attached[given], minlength=len(vector)), attached)
