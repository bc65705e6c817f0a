"""What a process of radiative return is made of: pair, matrix element, range, resonance."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..processes.options import Option


@dataclass(frozen=True)
class Pair:
    """Two oppositely charged particles: PDG numbers of the negative and the positive one, and their mass [GeV]."""

    negative: int
    positive: int
    mass: float


@dataclass(frozen=True)
class Resonance:
    """A narrow vector resonance: mass, electronic width [GeV] and branching fraction per choice of lepton."""

    mass: float
    electronic_width: float
    branching: Mapping[str, float]


@dataclass(frozen=True)
class Channel:
    """What one process e+ e- -> (pair) gamma is."""

    name: str
    #: What is produced, in words.
    final_state: str
    #: The pair, per value of the option `lepton`; one entry under "" where there is no choice.
    pairs: Mapping[str, Pair]
    #: Matrix element: "annihilation" (radiation from the beams), "bhabha" (s and t channel) or "pions".
    matrix_element: str
    options: Mapping[str, Option]
    orders: tuple[str, ...] = ("lo", "ll")
    #: Mass range of the pair [GeV] in which the description holds; the upper end is also bounded by sqrt(s).
    valid_range: tuple[float, float] = (0.0, float("inf"))
    #: Labels of processes whose events are part of this one.
    parts: tuple[str, ...] = ()
    #: A resonance of fixed mass; None for a continuum.
    resonance: Resonance | None = None
    reference: str = ""

    @property
    def validity(self) -> str:
        """Range of the pair's mass in words."""
        low, high = self.valid_range
        if self.resonance is not None:
            return f"m = {low:g} GeV"
        return f"m > {low:.3g} GeV" if high == float("inf") else f"{low:.3g} < m < {high:g} GeV"
