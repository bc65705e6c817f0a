"""What trials of e+ e- -> (pair) gamma are made of: random numbers, distribution, columns.

Trial t of event e draws from counter (event = e, particle = t): an event depends on the seed and its number alone.
"""

from typing import NamedTuple

import numpy as np

from ...arrays import Floats, Keys
from ...kernel import BLOCK, stage
from ...rng import uniform, uniform53, words
from .line_shape import LineShape
from .phase_space import Region
from .radiation import ROWS, Radiation

#: Kinds of matrix element.
LEPTONS, PIONS, BHABHA = range(3)


class Source(NamedTuple):
    """Where the random numbers of a run of trials come from: Philox key and stream."""

    k0: np.uint64
    k1: np.uint64
    stream: np.uint64


class Dice(NamedTuple):
    """Everything that fixes the distribution of trials: matrix element, region, factor and two tables.

    `factor` [nb] multiplies all weights. `masses` [GeV] and `rapidities`, |atanh(b cos theta_gamma)|, are the edges of
    cells of equal probability.
    """

    kind: int
    region: Region
    factor: float
    masses: Floats
    rapidities: Floats


class Beyond(NamedTuple):
    """What is beyond leading order: additional photons, and the propagators of the photon that makes the pair.

    `losses` are the edges of cells of equal probability for the other beam's loss (see radiation); without `dressed`
    the pair comes from a bare photon.
    """

    radiation: Radiation
    losses: Floats
    dressed: bool
    line: LineShape


class Trials(NamedTuple):
    """Columns of a block of trials: uniform numbers, and what they are mapped to (see phase_space, hard_frame)."""

    u_mass: Floats
    u_gamma: Floats
    u_cosine: Floats
    u_phi: Floats
    u_azimuth: Floats
    u_accept: Floats
    mass: Floats
    #: Energy of the hard sub-process [GeV].
    sqrt_s: Floats
    rapidity: Floats
    minus: Floats
    plus: Floats
    #: Cosine of the angle from the beams that leptons must keep in the frame of the hard sub-process.
    away: Floats
    cosine: Floats
    pz: Floats
    weight: Floats
    #: Work space of `place`.
    cos_theta: Floats
    sin_theta: Floats
    cos_phi: Floats
    sin_phi: Floats
    #: Flat scratch of additional photons and momenta, a row of BLOCK entries each (see radiation).
    scratch: Floats


@stage
def new_trials() -> Trials:
    """Return a block of trials, not yet drawn."""
    c = np.empty((19, BLOCK))
    return Trials(
        c[0],
        c[1],
        c[2],
        c[3],
        c[4],
        c[5],
        c[6],
        c[7],
        c[8],
        c[9],
        c[10],
        c[11],
        c[12],
        c[13],
        c[14],
        c[15],
        c[16],
        c[17],
        c[18],
        np.empty(ROWS * BLOCK),
    )


@stage
def first_trials(t: Trials, n: int) -> Trials:
    """Return the first n trials as views."""
    return Trials(
        t.u_mass[:n],
        t.u_gamma[:n],
        t.u_cosine[:n],
        t.u_phi[:n],
        t.u_azimuth[:n],
        t.u_accept[:n],
        t.mass[:n],
        t.sqrt_s[:n],
        t.rapidity[:n],
        t.minus[:n],
        t.plus[:n],
        t.away[:n],
        t.cosine[:n],
        t.pz[:n],
        t.weight[:n],
        t.cos_theta[:n],
        t.sin_theta[:n],
        t.cos_phi[:n],
        t.sin_phi[:n],
        t.scratch,
    )


@stage
def draw_two(source: Source, block: np.uint64, event: Keys, trial: Keys, first: Floats, second: Floats) -> None:
    """Draw two uniform numbers of a trial that need 53 bits."""
    for i in range(np.uint64(event.size)):
        a, b, c, d = words(source.k0, source.k1, event[i], trial[i], source.stream, block)
        first[i] = uniform53(a, b)
        second[i] = uniform53(c, d)


@stage
def draw_four(
    source: Source,
    block: np.uint64,
    event: Keys,
    trial: Keys,
    first: Floats,
    second: Floats,
    third: Floats,
    fourth: Floats,
) -> None:
    """Draw four uniform numbers of a trial."""
    for i in range(np.uint64(event.size)):
        a, b, c, d = words(source.k0, source.k1, event[i], trial[i], source.stream, block)
        first[i] = uniform(a)
        second[i] = uniform(b)
        third[i] = uniform(c)
        fourth[i] = uniform(d)
