"""Weights K(m): the rate of any number of photons on events of one photon, the cheap cross-check of order "ll"."""

import numpy as np

from ...event import Floats, TruthEvents
from .radiator import radiator
from .structure_function import kuraev_fadin


def radiation_weight(truth: TruthEvents) -> Floats:
    """Return K = W_KF(x) / W(x) of every event, x = 1 - m^2/s: all photons over one (Kuraev and Fadin's radiator).

    The spectrum of the pair's mass m becomes that of order "ll", inclusive in photons and without vacuum polarisation.
    Kinematics stay those of one photon: within cuts on the leptons the rate is off by up to 4 % at 1.5 GeV and 12 % at
    1 GeV, since a photon of the other beam would take boost away.

    Parameters
    ----------
    truth : TruthEvents
        Events of radiative return at leading order: three particles each, the pair first.

    Returns
    -------
    ndarray of float, shape (n_events,)

    Raises
    ------
    ValueError
        If an event has not three particles, the last a photon.
    """
    counts = np.diff(truth.offsets)
    wrong = np.flatnonzero(counts != 3)
    if wrong.size == 0:
        wrong = np.flatnonzero(truth.pdg[2::3] != 22)
    if wrong.size:
        number = truth.number[wrong[0]]
        raise ValueError(f"event {number}: must hold a pair and one photon, as leading order does, to be reweighted")
    # the photon recoils against the pair: s' = s - 2 sqrt(s) w
    x = 2.0 * truth.energy[2::3] / truth.event_sqrt_s
    weight: Floats = np.asarray(kuraev_fadin(x, truth.sqrt_s) / radiator(x, truth.sqrt_s), dtype=np.float64)
    return weight
