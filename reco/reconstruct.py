"""From a detector record to reconstructed events: tracks, showers, identification, kinematic fits.

It reads the record and a card of its own constants; it never sees the truth. Links to truth are passed on for studies.
"""

import json
from pathlib import Path

import numpy as np

from ..constants import M_E, M_MU
from ..event import FIT_HYPOTHESES, KAPPA, DetectorRecord, RecoEvents
from ..geometry.card import Card, card_hash, load_card
from .kinematic_fit import fit_missing_photon
from .pid import identified_muons, identify
from .showers import match_showers, photon_columns
from .tracks import charged_tracks, count_stage, direction_stage, energy_over_momentum_stage

_FIT_MASSES = {"e": M_E, "mu": M_MU}


def reconstruct(record: DetectorRecord, card: Card | str | Path = "besiii") -> RecoEvents:
    """Reconstruct events.

    Parameters
    ----------
    record : DetectorRecord
    card : Card, str or Path
        Calibration and conventions of the reconstruction; it may differ from the card that was simulated.

    Returns
    -------
    RecoEvents
        One entry per event. The one-constraint fit is done for events with exactly two tracks, once as electrons and
        once as muons.

    Raises
    ------
    TypeError
        If it is not a detector record.
    ValueError
        For a wrong card, or a helix that is not finite or has no curvature; the message names the event.
    """
    if not isinstance(record, DetectorRecord):
        raise TypeError(f"record is {type(record).__name__}, must be DetectorRecord")
    card = load_card(card)
    _check_helices(record)
    tracks = charged_tracks(record.helix, card.reconstruction)
    p, cosine, e_over_p = (np.empty(len(record.helix)) for _ in range(3))
    direction_stage(tracks["px"], tracks["py"], tracks["pz"], p, cosine)
    matches = match_showers(record, card)
    known = identify(record, card, p, cosine, matches.energy, matches.path_factor)
    sqrt_s = record.sqrt_s if np.isfinite(record.sqrt_s) else card.beam.sqrt_s
    fits = fit_missing_photon(
        record.helix,
        record.covariance,
        record.track_offsets,
        tuple(_FIT_MASSES[name] for name in FIT_HYPOTHESES),
        card.beam.laboratory(sqrt_s),
    )
    steps = [*json.loads(record.provenance), {"step": "reconstruct", "card": card.name, "card_hash": card_hash(card)}]
    energy_over_momentum_stage(matches.energy, p, e_over_p)
    net_charge, n_good = (np.empty(record.n_events, dtype=np.int32) for _ in range(2))
    count_stage(record.track_offsets, tracks["charge"], tracks["good"], net_charge, n_good)
    return RecoEvents(
        number=record.number,
        weight=record.weight,
        event_sqrt_s=record.event_sqrt_s,
        process=record.process,
        net_charge=net_charge,
        n_good=n_good,
        **fits,
        track_offsets=record.track_offsets,
        track_truth=record.track_truth,
        **tracks,
        helix=record.helix,
        covariance=record.covariance,
        chi2=known.chi2,
        n_systems=known.n_systems,
        probability=known.probability,
        shower=matches.shower,
        e_over_p=e_over_p,
        e3x3_over_e5x5=matches.e3x3_over_e5x5,
        second_moment=matches.second_moment,
        muc_depth=record.muc_depth,
        muc_match_chi2=known.muc_match_chi2,
        muc_fraction=known.muc_fraction,
        muon=identified_muons(record, known, card.reconstruction),
        **photon_columns(record, matches, card),
        processes=record.processes,
        frame=record.frame,
        sqrt_s=record.sqrt_s,
        cross_section=record.cross_section,
        cross_section_error=record.cross_section_error,
        seed=record.seed,
        provenance=json.dumps(steps),
    )


def _check_helices(record: DetectorRecord) -> None:
    if np.isfinite(record.helix).all() and record.helix[:, KAPPA].all():
        return
    bad = ~np.isfinite(record.helix).all(axis=1) | (record.helix[:, KAPPA] == 0.0)
    track = int(np.argmax(bad))
    event = int(np.searchsorted(record.track_offsets, track, side="right")) - 1
    values = ", ".join(f"{value:g}" for value in record.helix[track])
    raise ValueError(f"event {record.number[event]}: helix = ({values}), allowed finite numbers and kappa != 0")
