"""Hot stages are vector code: one careless branch, signed index or libm call and they would be 5 to 13 times slower."""

import math
import re

import numpy as np
import pytest
from besfast.detector import (
    bremsstrahlung,
    conversion,
    crystal_ionisation,
    decay,
    dedx,
    deposit,
    emc,
    emc_background,
    emc_identification,
    emc_quantiles,
    emc_response,
    emc_shape,
    ionisation,
    leakage,
    muc,
    muc_quantile,
    quantile,
    regions,
    tof,
    track_direct,
    track_efficiency,
    track_table,
)
from besfast.detector.muc_table import muc_table
from besfast.detector.surfaces import surface_table
from besfast.geometry.card import load_card
from besfast.kernel import BLOCK, JIT
from besfast.reco import kinematic_fit, pid, pid_systems
from besfast.reco import showers as matching
from besfast.reco import tracks as measured
from besfast.rng import DEDX_STREAM
from besfast.sim import counters, losses, particles, periods, shower_stages, track_stages
from besfast.sim.radiative import hard_frame, radiation
from besfast.sim.radiative.phase_space import Region

CARD = load_card("besiii")
N = 64
X = np.full(N, 0.5)
K = np.uint64(1)
KEYS = np.arange(N, dtype=np.uint64)
FLAGS = np.zeros(N, dtype=bool)
INTS = np.ones(N, dtype=np.int32)
TOTAL = np.zeros(6 * N)
SCRATCH = np.full(track_stages.ROWS * BLOCK, 0.5)
FACTORS = np.full(16 * BLOCK, 0.5)
DIRECT = np.full(track_direct.ROWS * BLOCK, 0.5)
EMC, DEDX, TOF, DEPOSIT = emc.parameters(CARD), dedx.parameters(CARD), tof.parameters(CARD), deposit.parameters(CARD)
MIP, SHAPES = crystal_ionisation.ionisation_parameters(CARD), emc_shape.shape_parameters(CARD)
NOISE, KINDS = emc_background.background_parameters(CARD), np.zeros(N, dtype=np.int64)
FOUR = (X, X, X, X)
GAP = ((170.0, 3.0, 0.0), (210.0, 4.0, 0.0))
CURVE = (0.5, 0.5, 0.5, 0.5, 0.5)
IDENTIFICATION = emc_quantiles.emc_quantile_table(CARD)
CURVES = ((170.0, 210.0), (3.0, 4.0), (CURVE, CURVE), (CURVE, CURVE), (CURVE, CURVE))
MUC, MUC_TABLE = muc.parameters(CARD), muc_table(CARD)
TABLE = track_table.track_table(CARD)
LOSS = ionisation.ionisation_loss(CARD)
REGION = Region(3.773, 0.1, 0.9, 0.3, 0.0, 0.1, 1.0, 1.0, 1.0, 0.0)
PHOTONS = np.full(radiation.ROWS * BLOCK, 0.5)
LOST = radiation.Radiation(0.08, 17.0, 1e-3)
LAB = CARD.beam.laboratory()

VECTOR = {
    losses.trigger_stage: (K, K, KEYS, 0.5, FLAGS),
    losses.conditions_stage: (K, K, KEYS, X, 0.5, FLAGS),
    losses.region_stage: (K, K, KEYS, KEYS, K, X, FLAGS),
    periods.period_stage: (K, K, KEYS, X),
    regions.region_stage: (X, X, (0.0, 1.0), (0.0, 1.0), 0.5, X),
    particles.boost_stage: (LAB, X, X, X),
    particles.vertex_stage: (K, K, KEYS, np.ones(6), X, X, X),
    conversion.reach_stage: ((X, X, X), (X, X, X), 3.0, 10.0, FLAGS),
    radiation.losses_stage: (LOST, 3.7, X, X, X, X, X),
    radiation.convolution_stage: (LOST, 3.7, X, X, X),
    hard_frame.additional_photon_stage: (3.7, 1.0, X, X, X, X, X, X, X),
    hard_frame.recoil_stage: (LOST, 3.7, 0.1, X, PHOTONS, X, X),
    hard_frame.axis_stage: (X, X, PHOTONS),
    hard_frame.range_stage: (REGION, X, X, PHOTONS, X),
    hard_frame.boost_stage: (X, 23, PHOTONS),
    hard_frame.boosted_cuts_stage: (REGION, PHOTONS, X),
    track_stages.helix_stage: (SCRATCH, N, 1.0),
    track_stages.draw_stage: (K, K, KEYS, KEYS, SCRATCH),
    track_stages.status_stage: (SCRATCH, N, 1.0, 3.0, 80.0),
    track_stages.found_stage: (K, K, KEYS, KEYS, FACTORS, SCRATCH, track_efficiency.track_efficiency(CARD, 1)),
    track_stages.widen_stage: (FACTORS, SCRATCH, N),
    track_efficiency.gap_stage: (X, X, X, 40.0, 1.0, (0.1, 0.2, 0.5), X),
    track_table.locate_stage: (X, X, X, 1, (TABLE.log_p_min, TABLE.per_log_p, TABLE.negative), KEYS, X, X),
    track_table.interpolate_stage: (TABLE.values, KEYS, X, X, FACTORS),
    track_table.smear_stage: (FACTORS, SCRATCH, N, 1.0, 0.08, 2.0),
    track_table.covariance_stage: (FACTORS, 1.0, N, SCRATCH),
    track_direct.prepare_stage: (DIRECT, N, 0.1, 1.0, 1.0),
    track_direct.layers_stage: (surface_table(CARD), DIRECT, N, 0.0),
    track_direct.factor_stage: (DIRECT, N),
    bremsstrahlung.softest_stage: (X, 1e-3, X),
    bremsstrahlung.hardest_stage: (K, K, KEYS, KEYS, 0, X, X),
    conversion.conversion_stage: (K, K, KEYS, KEYS, 0, (3.0, 0.01, 10.0), (X, X, X), (X, X, X), X),
    decay.flight_stage: (K, K, KEYS, KEYS, 5000.0, X, X),
    ionisation.draw_stage: (K, K, KEYS, KEYS, X),
    ionisation.share_stage: (X, X, LOSS, 80.0, X),
    ionisation.slow_down_stage: (0.1, LOSS.constants, X, X, X, X, (X, X, X)),
    ionisation.correct_stage: (0.1, 1.0, LOSS.constants, (X, X, X, X), X),
    counters.draw_stage: (K, K, KEYS, KEYS, DEDX_STREAM, X, X),
    counters.event_time_stage: (K, K, KEYS, TOF, X),
    tof.counter_stage: (X, X, X, X, X, TOF, X, X),
    tof.time_stage: (X, X, X, X, X, TOF, X),
    tof.finish_stage: (0.02, X, X, X),
    dedx.dedx_stage: (X, X, X, X, X, X, DEDX, X),
    emc.track_impact_stage: (X, X, X, X, X, EMC, X, X, X),
    emc.photon_impact_stage: (X, X, X, X, X, X, EMC, X, X),
    emc_response.start_stage: (X, X, X, 1, EMC, X, X, X),
    emc_response.smear_stage: (X, X, X, X, X, EMC, X),
    emc.shower_sigma_stage: (X, X, EMC, X, X, X),
    crystal_ionisation.ionisation_stage: (X, X, X, MIP, FOUR),
    crystal_ionisation.locate_fluctuation_stage: (X, X, X, KEYS, X, X, X, X),
    crystal_ionisation.fluctuating_stage: (X, X, FOUR, X, X, MIP, X),
    emc_shape.shape_stage: (KINDS, X, X, SHAPES, X, X),
    emc_background.background_stage: (K, K, KEYS, KEYS, NOISE, EMC, X, X, X, X),
    emc_background.angle_stage: (X, X),
    shower_stages.merge_stage: (X, X, X, X, 0.1, X, X),
    shower_stages.cosine_stage: (X, X),
    shower_stages.draw_stage: (K, K, KEYS, KEYS, X, X, X, X),
    shower_stages.draw_hadron_stage: (K, K, KEYS, KEYS, X, X, X, X),
    shower_stages.draw_position_stage: (K, K, KEYS, KEYS, X, X, X, X),
    shower_stages.place_stage: (1.0, X, X, X, X, X, X),
    shower_stages.time_stage: (X, X, X, X, (1.0, 1.0), EMC, X),
    shower_stages.odd_stage: (X, X, X, X, 94.0, (139.0, 139.0), X),
    measured.momentum_stage: (X, X, X, X, X, X),
    measured.good_stage: (X, X, X, np.ones(3), FLAGS),
    matching.direction_stage: (X, X, X, X, X),
    matching.impact_stage: (X, X, X, X, X, EMC, SCRATCH),
    pid_systems.relative_sigma_stage: (X, INTS, DEDX, X),
    pid_systems.dedx_chi_stage: (X, X, X, 0.1, DEDX, X),
    pid_systems.tof_chi_stage: (X, X, X, X, 0.1, TOF, X),
    pid_systems.match_stage: (X, X, MUC, X),
    pid_systems.muc_chi_stage: (X, X, X, X, (0.5, 0.8), X),
    emc_identification.electron_stage: (X, X, X, EMC, KEYS, X, KEYS, X),
    emc_identification.deposit_stage: (X, X, X, KEYS, 2, KEYS, X),
    quantile.tail_place_stage: (X, KEYS, X),
    measured.direction_stage: (X, X, X, X, X),
    measured.energy_over_momentum_stage: (X, X, X),
    muc.path_stage: (X, MUC, KEYS, X, X, X),
    muc.draw_stage: (K, K, KEYS, KEYS, MUC, X, X, X, X, X),
    muc.kind_stage: (KEYS, X, KEYS, X, X, X),
    muc.residual_stage: (K, K, KEYS, KEYS, X, X, X, X, MUC, X),
    muc.pass_gap_stage: (X, X, X, GAP, MUC, X, X, X, X, X, X),
    muc.cover_stage: (X, X, MUC, X, X),
    muc_quantile.path_stage: (X, X, X, MUC, X, X, X),
    muc_quantile.gap_sums_stage: (X, X, X, X, X, CURVES, MUC, SCRATCH),
    muc_quantile.near_stage: (X, X, X, MUC, X),
    muc_quantile.deviate_stage: (X, X, MUC, X, X),
    pid.combine_stage: (SCRATCH, 4.0, N, TOTAL),
    pid.probability_stage: (X, INTS, X),
    kinematic_fit.iterate_stage: (SCRATCH, N, 0.1, LAB),
    kinematic_fit.result_stage: (SCRATCH, N, 0.1, LAB),
}

#: Stages that read a table at a computed place: the compiler cannot know that their results do not overlap with it.
GATHERS = {
    emc_response.contained_stage: (X, X, X, 1, leakage.leakage_table(CARD.emc), EMC, X, X),
    crystal_ionisation.deviation_stage: (crystal_ionisation.vavilov_table(), KEYS, X, X, X, X),
    deposit.hadron_stage: (
        *(X, X, KINDS, X, FOUR, FOUR, deposit.hadron_kinds(CARD.emc.hadron)),
        *(deposit.hadron_table(CARD.emc.hadron), DEPOSIT, MIP, X, KINDS),
    ),
    emc_identification.loss_stage: (X, KEYS, X, IDENTIFICATION, SCRATCH),
    emc_identification.look_up_stage: (X, KEYS, X, X, IDENTIFICATION, X),
    muc.threshold_stage: (MUC_TABLE, KEYS, X, K, X),
    quantile.tail_value_stage: (quantile.tail_table(0.02, 2.0), KEYS, X, X),
}


def has_vectors():
    if not JIT:
        return False
    from llvmlite import binding

    return binding.get_host_cpu_features().get("avx2", False)


pytestmark = pytest.mark.skipif(not has_vectors(), reason="a processor without AVX2, or no compilation")


def assembly(stage, arguments):
    """Return the assembly of a stage; the copy of it on disk does not keep any."""
    import numba

    signature = tuple(numba.typeof(one) for one in arguments)
    fresh = numba.njit(error_model="numpy", nogil=True)(stage.py_func)
    fresh.compile(signature)
    return fresh.inspect_asm(fresh.signatures[0])


def packed_and_scalar(text):
    """Return how many additions, multiplications, divisions and roots work on vectors and on single numbers."""
    arithmetic = r"\bv(?:f?n?m?add\w*|f?n?m?sub\w*|mul|div|sqrt)"
    packed = re.findall(rf"{arithmetic}pd\s[^\n]*%[yz]mm", text)
    return len(packed), len(re.findall(rf"{arithmetic}sd\s", text))


def library_calls(text):
    """Return the functions of the mathematical library that are called."""
    return set(re.findall(r"\$(?:numba_)?(logf?|exp|sin|cos|tan|pow|atan2?|hypot|erfc?|fma)\b", text))


@pytest.mark.parametrize("stage", VECTOR, ids=lambda stage: f"{stage.__module__[8:]}.{stage.__name__}")
def test_stage_is_vector_code(stage):
    """Full-width registers do the arithmetic; what is scalar is the remainder of the loop."""
    text = assembly(stage, VECTOR[stage])
    packed, scalar = packed_and_scalar(text)
    if stage in (losses.trigger_stage, periods.period_stage):  # integers: random words and a comparison
        packed = len(re.findall(r"vpmuludq\s[^\n]*%[yz]mm", text))
    assert packed > 0
    assert packed > 0.1 * scalar
    assert not library_calls(text)


@pytest.mark.parametrize("stage", GATHERS, ids=lambda stage: f"{stage.__module__[8:]}.{stage.__name__}")
def test_stage_with_a_table_calls_no_library(stage):
    """They stay scalar; if the compiler learns better, they belong to the others."""
    text = assembly(stage, GATHERS[stage])
    assert packed_and_scalar(text)[1] > 0
    assert not library_calls(text)


class Library:
    """What the tests must see: a stage that calls the mathematical library."""

    @staticmethod
    def py_func(x, out):
        for i in range(np.uint64(x.size)):
            out[i] = math.sin(x[i]) + math.log(x[i])


def test_library_calls_are_seen():
    text = assembly(Library, (X, X))
    assert library_calls(text) == {"sin", "log"}
