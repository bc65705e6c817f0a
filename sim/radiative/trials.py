"""Trials of e+ e- -> (pair) gamma: from uniform numbers to phase space, weight and momenta.

Additional photons come first; what they leave is the energy of the hard sub-process, which all other stages take from
the column `sqrt_s`. What is `beyond` leading order is None there, so that no code for it is compiled.
"""

import numpy as np

from ...arrays import Floats, Keys
from ...kernel import stage
from .dice import BHABHA, PIONS, Beyond, Dice, Source, Trials, draw_four, draw_two
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
from .line_shape import dressed_bhabha_stage, dressed_stage
from .matrix_element import bhabha_stage, lepton_pair_stage, pion_pair_stage
from .phase_space import (
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
    convolution_stage,
    cut_off_stage,
    loss_cell_stage,
    losses_stage,
    row,
)

_ZERO, _ONE, _TWO, _THREE = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3)


@stage
def radiate(source: Source, dice: Dice, beyond: Beyond, event: Keys, trial: Keys, t: Trials) -> None:
    """Draw the additional photons of trials whose mass is chosen, and turn to the frame of the hard sub-process."""
    region, s, n = dice.region, t.scratch, event.size
    other, same = row(s, OTHER, n), row(s, SAME, n)
    angle, azimuth = row(s, U_OTHER_ANGLE, n), row(s, U_OTHER_AZIMUTH, n)
    same_angle, same_azimuth = row(s, U_SAME_ANGLE, n), row(s, U_SAME_AZIMUTH, n)
    u_other, u, u_same = row(s, U_OTHER, n), row(s, U_LOSS, n), row(s, U_SAME, n)
    draw_two(source, _TWO, event, trial, u_other, u_same)
    draw_four(source, _THREE, event, trial, angle, azimuth, same_angle, same_azimuth)
    loss_cell_stage(beyond.losses, t.u_mass, u_other, u, t.weight)
    losses_stage(beyond.radiation, region.sqrt_s, t.mass, u, u_same, other, same)
    convolution_stage(beyond.radiation, region.sqrt_s, t.mass, other, t.weight)
    cut_off_stage(beyond.radiation.softest, other)
    cut_off_stage(beyond.radiation.softest, same)
    x, y, z = row(s, OTHER_X, n), row(s, OTHER_Y, n), row(s, OTHER_Z, n)
    additional_photon_stage(region.sqrt_s, -1.0, angle, azimuth, t.u_gamma, other, x, y, z)
    x, y, z = row(s, SAME_X, n), row(s, SAME_Y, n), row(s, SAME_Z, n)
    additional_photon_stage(region.sqrt_s, 1.0, same_angle, same_azimuth, t.u_gamma, same, x, y, z)
    recoil_stage(beyond.radiation, region.sqrt_s, region.tilt, t.mass, s, t.sqrt_s, t.weight)
    axis_stage(t.u_gamma, t.sqrt_s, s)
    range_stage(region, t.u_gamma, t.sqrt_s, s, t.away)


@stage
def map_trials(source: Source, dice: Dice, beyond: Beyond | None, event: Keys, trial: Keys, t: Trials) -> None:
    """Draw and map one trial of every event: mass, photons, lepton angles, weight of phase space."""
    region = dice.region
    draw_two(source, _ZERO, event, trial, t.u_mass, t.u_gamma)
    draw_four(source, _ONE, event, trial, t.u_cosine, t.u_phi, t.u_azimuth, t.u_accept)
    mass_stage(dice.masses, region.narrow_width, dice.factor, t.u_mass, t.mass, t.weight)
    rapidity_stage(dice.rapidities, t.u_gamma, t.rapidity, t.weight)
    if beyond is None:
        t.sqrt_s[:] = region.sqrt_s
        t.away[:] = region.lepton_cosine
    else:
        radiate(source, dice, beyond, event, trial, t)
        stretch_stage(dice.rapidities[0], dice.rapidities[-1], t.scratch, t.rapidity, t.weight)
    photon_stage(t.u_gamma, t.rapidity, t.minus, t.plus)
    lepton_cosine_stage(region, t.u_cosine, t.sqrt_s, t.mass, t.minus, t.plus, t.away, t.cosine, t.weight)


@stage
def find_momenta(dice: Dice, beyond: Beyond | None, t: Trials, energy: Floats) -> None:
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
    if beyond is not None:
        boost_stage(t.sqrt_s, PAIR_X, s)
        boost_stage(t.sqrt_s, HARD_X, s)


@stage
def weigh_trials(dice: Dice, beyond: Beyond | None, t: Trials) -> None:
    """Complete the weights [nb] of mapped trials by cuts and matrix element: their mean is the cross section."""
    region = dice.region
    lepton_mass = region.lepton_mass
    longitudinal_stage(lepton_mass, t.sqrt_s, t.mass, t.minus, t.plus, t.cosine, t.u_phi, t.pz)
    if beyond is None:
        cuts_stage(region, t.sqrt_s, t.mass, t.minus, t.plus, t.cosine, t.pz, t.weight)
    else:
        find_momenta(dice, beyond, t, t.sqrt_s)
        boosted_cuts_stage(region, t.scratch, t.weight)
    jacobian_stage(lepton_mass, t.sqrt_s, t.mass, t.minus, t.plus, t.weight)
    if dice.kind == BHABHA:
        bhabha_stage(t.sqrt_s, t.mass, t.minus, t.plus, t.cosine, t.pz, t.weight)
    elif dice.kind == PIONS:
        pion_pair_stage(lepton_mass, t.sqrt_s, t.mass, t.minus, t.plus, t.cosine, t.pz, t.weight)
        form_factor_stage(t.mass, t.weight)
    else:
        lepton_pair_stage(lepton_mass, t.sqrt_s, t.mass, t.minus, t.plus, t.cosine, t.pz, t.weight)
    if beyond is not None:
        if beyond.dressed & (dice.kind == BHABHA):
            dressed_bhabha_stage(beyond.line, t.sqrt_s, t.mass, t.minus, t.plus, t.cosine, t.pz, t.weight)
        elif beyond.dressed:
            dressed_stage(beyond.line, t.mass, t.weight)
