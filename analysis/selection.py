"""The untagged dilepton selection of arXiv:1705.04265, section 2, as named cuts with a cutflow.

Both channels start from the same reconstructed events; `ee` is decided first by E/p of both tracks, `mumu` needs
P(mu) > P(e) for both, and events with one track of each kind belong to neither. There is no muon-pion cut.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..constants import ELECTRON, MUON
from ..elementary import sincos
from ..event import CHANNELS, FIT_HYPOTHESES, Floats, Ints, RecoEvents, SelectedEvents
from ..schema import Section, quantity
from .accumulate import UNIT, add_units, unit_sums

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ChannelCuts(Section):
    """Cuts of one channel; lengths [cm], angles [rad], momenta [GeV/c]."""

    poca_r_max: float = quantity("cm", "(0, 1000]")
    poca_z_max: float = quantity("cm", "(0, 1000]")
    theta_min: float = quantity("rad", "[0, 1.5708)")
    pt_min: float = quantity("GeV/c", "[0, 1000]")
    e_over_p_min: float = quantity("c", "[0, 100]")
    chi2_max: float = quantity("", "(0, 1e6]")
    theta_gamma_max: float = quantity("rad", "(0, 3.1416]")


#: The cuts in the order in which they are applied, with a sentence each.
CUTS = {
    "all": "all events read",
    "two_tracks": "exactly two charged tracks of zero net charge",
    "closest_approach": "closest approach of both tracks to the interaction point",
    "polar_angle": "polar angle of both tracks away from the beams",
    "transverse_momentum": "transverse momentum of both tracks",
    "identification": "mumu: P(mu) > P(e) for both tracks, not ee; ee: E/p of both tracks",
    "kinematic_fit": "chi2 of the one-constraint fit with a missing photon",
    "photon_angle": "fitted photon along a beam",
    "mass_range": "fitted mass within the search range",
}


class Cutflow(NamedTuple):
    """What is left after each cut of `CUTS`; both columns have shape (n_channels, n_cuts)."""

    entries: NDArray[np.int64]
    weights: Floats

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per channel and cut, as written into `cutflow.csv`."""
        return [
            {
                "channel": channel,
                "cut": cut,
                "entries": int(self.entries[c, i]),
                "sum_of_weights": float(self.weights[c, i]),
            }
            for c, channel in enumerate(CHANNELS)
            for i, cut in enumerate(CUTS)
        ]


class Selection(NamedTuple):
    """Selected events of one chunk with their cutflow; weights of the cutflow are per unit of 1024 events."""

    events: SelectedEvents
    entries: NDArray[np.int64]
    unit_weights: Floats

    def add_to(self, flow: Cutflow) -> Cutflow:
        """Return a cutflow with this chunk, the next one in the order of events, added."""
        return Cutflow(flow.entries + self.entries, add_units(flow.weights, self.unit_weights))


def empty_cutflow() -> Cutflow:
    """Return the cutflow of no events."""
    shape = (len(CHANNELS), len(CUTS))
    return Cutflow(np.zeros(shape, dtype=np.int64), np.zeros(shape))


def select(events: RecoEvents, cuts: dict[str, ChannelCuts], mass_range: tuple[float, float]) -> Selection:
    """Apply the cuts of both channels to a chunk of consecutive events.

    Parameters
    ----------
    events : RecoEvents
        Consecutive events; chunks of a sample are whole numbers of units of 1024, whatever the events' numbers.
    cuts : dict
        `ChannelCuts` by channel name, `mumu` and `ee`.
    mass_range : tuple of float
        Lower and upper edge of the fitted mass [GeV]; a mass on the upper edge is outside.

    Returns
    -------
    Selection
        Events in the order read; an event is in one channel at most.
    """
    pairs = np.flatnonzero(np.diff(events.track_offsets) == 2)
    first = events.track_offsets[pairs]
    electrons = (events.e_over_p[first] > cuts["ee"].e_over_p_min) & (
        events.e_over_p[first + 1] > cuts["ee"].e_over_p_min
    )
    identified = {"ee": electrons, "mumu": _muons(events, first) & ~electrons}
    row = np.arange(events.n_events)
    n_units = -(-events.n_events // UNIT)
    entries = np.zeros((len(CHANNELS), len(CUTS)), dtype=np.int64)
    unit_weights = np.zeros((n_units, len(CHANNELS), len(CUTS)))
    channel_of = np.full(len(pairs), -1, dtype=np.int32)
    for c, channel in enumerate(CHANNELS):
        last = _last_cut_passed(events, pairs, first, channel, cuts[channel], identified[channel], mass_range)
        channel_of[last == len(CUTS) - 1] = c
        entries[c, 0] = events.n_events
        unit_weights[:, c, 0] = unit_sums(row, 0, n_units, np.zeros(events.n_events, dtype=np.int64), 1, events.weight)[
            :, 0
        ]
        # events that stop at cut i, then the sum over all later ones: what is left after each cut
        stopped = np.bincount(last, minlength=len(CUTS))
        entries[c, 1:] = stopped[::-1].cumsum()[::-1][1:]
        weights = unit_sums(row[pairs], 0, n_units, last, len(CUTS), events.weight[pairs])
        unit_weights[:, c, 1:] = weights[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
    return Selection(_selected(events, pairs, channel_of), entries, unit_weights)


def _muons(events: RecoEvents, first: Ints) -> Mask:
    """Return whether P(mu) > P(e) for both tracks: chi2 of equally many systems, since probabilities underflow."""
    better = events.chi2[:, MUON] < events.chi2[:, ELECTRON]
    return better[first] & better[first + 1]


def _last_cut_passed(
    events: RecoEvents,
    pairs: Ints,
    first: Ints,
    channel: str,
    cuts: ChannelCuts,
    identified: Mask,
    mass_range: tuple[float, float],
) -> Ints:
    """Return the index in `CUTS` of the last cut passed by every event of two tracks."""
    hypothesis = FIT_HYPOTHESES.index("e" if channel == "ee" else "mu")
    pt2 = events.px * events.px + events.py * events.py
    # theta_min < theta < pi - theta_min without an inverse function, which numpy rounds differently on each machine
    sine, cosine = sincos(cuts.theta_min)
    close = (events.poca_r < cuts.poca_r_max) & (np.abs(events.poca_z) < cuts.poca_z_max)
    central = sine * sine * (events.pz * events.pz) < cosine * cosine * pt2
    hard = pt2 > cuts.pt_min * cuts.pt_min
    theta_gamma = events.fit_theta_gamma[pairs, hypothesis]
    mass = events.fit_mass[pairs, hypothesis]
    passed = {
        "all": np.ones(len(pairs), dtype=bool),
        "two_tracks": events.net_charge[pairs] == 0,
        "closest_approach": close[first] & close[first + 1],
        "polar_angle": central[first] & central[first + 1],
        "transverse_momentum": hard[first] & hard[first + 1],
        "identification": identified,
        "kinematic_fit": (events.fit_status[pairs, hypothesis] == 0)
        & (events.fit_chi2[pairs, hypothesis] < cuts.chi2_max),
        "photon_angle": (theta_gamma < cuts.theta_gamma_max) | (theta_gamma > math.pi - cuts.theta_gamma_max),
        "mass_range": (mass >= mass_range[0]) & (mass < mass_range[1]),
    }
    last = np.zeros(len(pairs), dtype=np.int64)
    alive = np.ones(len(pairs), dtype=bool)
    for i, cut in enumerate(CUTS):
        alive &= passed[cut]
        last[alive] = i
    return last


def _selected(events: RecoEvents, pairs: Ints, channel_of: NDArray[np.int32]) -> SelectedEvents:
    chosen = channel_of >= 0
    rows, channel = pairs[chosen], channel_of[chosen]
    hypothesis = np.where(channel == CHANNELS.index("ee"), FIT_HYPOTHESES.index("e"), FIT_HYPOTHESES.index("mu"))
    return SelectedEvents(
        number=events.number[rows],
        weight=events.weight[rows],
        event_sqrt_s=events.event_sqrt_s[rows],
        process=events.process[rows],
        channel=channel,
        mass=events.fit_mass[rows, hypothesis],
        fit_chi2=events.fit_chi2[rows, hypothesis],
        theta_gamma=events.fit_theta_gamma[rows, hypothesis],
        processes=events.processes,
        frame=events.frame,
        sqrt_s=events.sqrt_s,
        cross_section=events.cross_section,
        cross_section_error=events.cross_section_error,
        seed=events.seed,
        provenance=events.provenance,
    )
