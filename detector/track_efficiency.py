"""How often a track is found, and how many hits it has."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..arrays import Floats
from ..constants import ELECTRON, MUON
from ..elementary import atan2, erf, exp
from ..geometry.helix import position, turn_to_radius
from ..geometry.sections import Card
from ..kernel import kernel, stage
from .arithmetic import logarithm

#: More missing hits than these are not drawn: 1e-3 of the tracks at a hit efficiency of 0.8, 3e-16 at 0.98.
MOST_MISSING = 16
#: Added and taken away again, it leaves a whole number.
_TO_WHOLE = 6755399441055744.0


class TrackEfficiency(NamedTuple):
    """Plateau, turn-on in pt [GeV], edge in |cos theta|, smallest number of hits; and the efficiency of hits."""

    plateau: float
    pt_threshold: float
    pt_width: float
    cos_edge: float
    cos_width: float
    min_hits: float
    log_hit_efficiency: float
    missing_odds: float


@lru_cache(maxsize=64)
def track_efficiency(card: Card, hypothesis: int) -> TrackEfficiency:
    """Return what a card says about finding tracks of one hypothesis."""
    mdc = card.mdc
    plateau = {ELECTRON: mdc.efficiency_electron, MUON: mdc.efficiency_muon}.get(hypothesis, mdc.efficiency_hadron)
    efficiency = mdc.hit_efficiency
    odds = (1.0 - efficiency) / efficiency
    turn_on = mdc.pt_threshold, mdc.pt_width, mdc.cos_edge, mdc.cos_width
    return TrackEfficiency(plateau, *turn_on, float(mdc.min_hits), float(logarithm(efficiency)), odds)


@kernel
def found_probability(pt: float, cosine: float, displaced: float, e: TrackEfficiency) -> float:
    """Return the probability that a track with enough hits is found.

    plateau (1 + erf((pt - pt0) / width)) / 2 (1 + erf((cos0 - |cos theta|) / width)) / 2. The edge in cos(theta) is
    that of tracks from the interaction point: where a track begins elsewhere the layers crossed decide alone.
    """
    turn_on = 0.5 * (1.0 + erf((pt - e.pt_threshold) / e.pt_width))
    edge = 0.5 * (1.0 + erf((e.cos_edge - abs(cosine)) / e.cos_width))
    return e.plateau * turn_on * (1.0 if displaced > 0.0 else edge)


@kernel
def drawn_hits(crossed: float, u: float, e: TrackEfficiency) -> float:
    """Return a binomial number of hits out of the layers crossed (rounded), by inversion for the missing ones."""
    crossed = (crossed + _TO_WHOLE) - _TO_WHOLE
    term = exp(crossed * e.log_hit_efficiency)
    total, missing = term, 0.0
    for m in range(MOST_MISSING):
        missing += 1.0 if u > total else 0.0
        term *= max(crossed - m, 0.0) * e.missing_odds * (1.0 / (m + 1.0))
        total += term
    return max(crossed - missing, 0.0)


@stage
def gap_stage(
    d_rho: Floats, phi0: Floats, kappa: Floats, radius: float, bz: float, gap: tuple[float, float, float], kept: Floats
) -> None:
    """Multiply the efficiency of tracks that cross a cylinder between two azimuths: `gap` is (low, high, factor)."""
    low, high, factor = gap
    for i in range(np.uint64(kept.size)):
        turn = turn_to_radius(d_rho[i], kappa[i], radius, bz)
        turn = turn if turn == turn else 0.0
        x, y, _ = position(d_rho[i], phi0[i], kappa[i], 0.0, 0.0, turn, bz)
        phi = atan2(y, x)
        kept[i] *= factor if (phi >= low) & (phi < high) & (turn != 0.0) else 1.0
