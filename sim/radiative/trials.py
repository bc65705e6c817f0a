"""Trials of e+ e- -> (pair) gamma: uniform numbers, what they are mapped to, and the weight.

Trial t of event e draws from counter (event = e, particle = t): an event depends on the seed and its number alone.
Additional photons (`radiation.slope` above zero) come first; what they leave is the energy of the hard sub-process,
which all other stages take from the column `sqrt_s`.
"""

from typing import NamedTuple

import numpy as np

from ...arrays import Floats, Keys
from ...kernel import BLOCK, stage
from ...rng import uniform, uniform53, words
from .final_state import place
from .form_factor import form_factor_stage
from .hard_frame import (
    additional_photon_stage,
    axis_stage,
    boost_stage,
    boosted_cuts_stage,
    range_stage,
    recoil_stage,
    stretch_stage,
)
from .matrix_element import bhabha_stage, lepton_pair_stage, pion_pair_stage
from .phase_space import (
    Region,
    cuts_stage,
    jacobian_stage,
    lepton_cosine_stage,
    longitudinal_stage,
    mass_stage,
    photon_stage,
    rapidity_stage,
)
from .radiation import (
    HARD_E,
    HARD_X,
    HARD_Y,
    HARD_Z,
    OTHER,
    OTHER_X,
    OTHER_Y,
    OTHER_Z,
    PAIR_E,
    PAIR_X,
    PAIR_Y,
    PAIR_Z,
    ROWS,
    SAME,
    SAME_X,
    SAME_Y,
    SAME_Z,
    U_LOSS,
    U_OTHER,
    U_OTHER_ANGLE,
    U_OTHER_AZIMUTH,
    U_SAME,
    U_SAME_ANGLE,
    U_SAME_AZIMUTH,
    Radiation,
    convolution_stage,
    cut_off_stage,
    loss_cell_stage,
    losses_stage,
    row,
)

#: Kinds of matrix element.
LEPTONS, PIONS, BHABHA = range(3)

_ZERO, _ONE, _TWO, _THREE = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3)


class Source(NamedTuple):
    """Where the random numbers of a run of trials come from: Philox key and stream."""

    k0: np.uint64
    k1: np.uint64
    stream: np.uint64


class Dice(NamedTuple):
    """Everything that fixes the distribution of trials: matrix element, region, factor, radiation and three tables.

    `factor` [nb] multiplies all weights. `masses` [GeV], `rapidities`, |atanh(b cos theta_gamma)|, and `losses`, for
    the other beam's loss (see radiation), are the edges of cells of equal probability.
    """

    kind: int
    region: Region
    factor: float
    radiation: Radiation
    masses: Floats
    rapidities: Floats
    losses: Floats


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


@stage
def radiate(source: Source, dice: Dice, event: Keys, trial: Keys, t: Trials) -> None:
    """Draw the additional photons of trials whose mass is chosen, and turn to the frame of the hard sub-process."""
    region, s, n = dice.region, t.scratch, event.size
    other, same = row(s, OTHER, n), row(s, SAME, n)
    angle, azimuth = row(s, U_OTHER_ANGLE, n), row(s, U_OTHER_AZIMUTH, n)
    same_angle, same_azimuth = row(s, U_SAME_ANGLE, n), row(s, U_SAME_AZIMUTH, n)
    u_other, u, u_same = row(s, U_OTHER, n), row(s, U_LOSS, n), row(s, U_SAME, n)
    draw_two(source, _TWO, event, trial, u_other, u_same)
    draw_four(source, _THREE, event, trial, angle, azimuth, same_angle, same_azimuth)
    loss_cell_stage(dice.losses, t.u_mass, u_other, u, t.weight)
    losses_stage(dice.radiation, region.sqrt_s, t.mass, u, u_same, other, same)
    convolution_stage(dice.radiation, region.sqrt_s, t.mass, other, t.weight)
    cut_off_stage(dice.radiation.softest, other)
    cut_off_stage(dice.radiation.softest, same)
    x, y, z = row(s, OTHER_X, n), row(s, OTHER_Y, n), row(s, OTHER_Z, n)
    additional_photon_stage(region.sqrt_s, -1.0, angle, azimuth, t.u_gamma, other, x, y, z)
    x, y, z = row(s, SAME_X, n), row(s, SAME_Y, n), row(s, SAME_Z, n)
    additional_photon_stage(region.sqrt_s, 1.0, same_angle, same_azimuth, t.u_gamma, same, x, y, z)
    recoil_stage(dice.radiation, region.sqrt_s, region.tilt, t.mass, s, t.sqrt_s, t.weight)
    axis_stage(t.u_gamma, t.sqrt_s, s)
    range_stage(region, t.u_gamma, t.sqrt_s, s, t.away)


@stage
def map_trials(source: Source, dice: Dice, event: Keys, trial: Keys, t: Trials) -> None:
    """Draw and map one trial of every event: mass, photons, lepton angles, weight of phase space."""
    region = dice.region
    draw_two(source, _ZERO, event, trial, t.u_mass, t.u_gamma)
    draw_four(source, _ONE, event, trial, t.u_cosine, t.u_phi, t.u_azimuth, t.u_accept)
    mass_stage(dice.masses, region.narrow_width, dice.factor, t.u_mass, t.mass, t.weight)
    rapidity_stage(dice.rapidities, t.u_gamma, t.rapidity, t.weight)
    if dice.radiation.slope > 0.0:
        radiate(source, dice, event, trial, t)
        stretch_stage(dice.rapidities[0], dice.rapidities[-1], t.scratch, t.rapidity, t.weight)
    else:
        t.sqrt_s[:] = region.sqrt_s
        t.away[:] = region.lepton_cosine
    photon_stage(t.u_gamma, t.rapidity, t.minus, t.plus)
    lepton_cosine_stage(region, t.u_cosine, t.sqrt_s, t.mass, t.minus, t.plus, t.away, t.cosine, t.weight)


@stage
def find_momenta(dice: Dice, t: Trials, energy: Floats) -> None:
    """Compute the momenta of negative particle and hard photon (rows PAIR_*, HARD_*) in the centre of mass [GeV].

    `energy` is that of the hard sub-process: t.sqrt_s, or scaled with the event's sqrt_s.
    """
    s, n = t.scratch, t.mass.size
    x, y, z, e = row(s, PAIR_X, n), row(s, PAIR_Y, n), row(s, PAIR_Z, n), row(s, PAIR_E, n)
    kx, ky, kz, k = row(s, HARD_X, n), row(s, HARD_Y, n), row(s, HARD_Z, n), row(s, HARD_E, n)
    place(
        dice.region.lepton_mass,
        t.sqrt_s,
        energy,
        t.mass,
        t.minus,
        t.plus,
        t.cosine,
        t.u_phi,
        t.u_azimuth,
        (t.cos_theta, t.sin_theta, t.cos_phi, t.sin_phi),
        (x, y, z, e),
        (kx, ky, kz, k),
    )
    if dice.radiation.slope > 0.0:
        boost_stage(t.sqrt_s, PAIR_X, s)
        boost_stage(t.sqrt_s, HARD_X, s)


@stage
def weigh_trials(dice: Dice, t: Trials) -> None:
    """Complete the weights [nb] of mapped trials by cuts and matrix element: their mean is the cross section."""
    region = dice.region
    lepton_mass = region.lepton_mass
    longitudinal_stage(lepton_mass, t.sqrt_s, t.mass, t.minus, t.plus, t.cosine, t.u_phi, t.pz)
    if dice.radiation.slope > 0.0:
        find_momenta(dice, t, t.sqrt_s)
        boosted_cuts_stage(region, t.scratch, t.weight)
    else:
        cuts_stage(region, t.sqrt_s, t.mass, t.minus, t.plus, t.cosine, t.pz, t.weight)
    jacobian_stage(lepton_mass, t.sqrt_s, t.mass, t.minus, t.plus, t.weight)
    if dice.kind == BHABHA:
        bhabha_stage(t.sqrt_s, t.mass, t.minus, t.plus, t.cosine, t.pz, t.weight)
    elif dice.kind == PIONS:
        pion_pair_stage(lepton_mass, t.sqrt_s, t.mass, t.minus, t.plus, t.cosine, t.pz, t.weight)
        form_factor_stage(t.mass, t.weight)
    else:
        lepton_pair_stage(lepton_mass, t.sqrt_s, t.mass, t.minus, t.plus, t.cosine, t.pz, t.weight)
