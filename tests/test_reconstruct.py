"""From detector records to reconstructed events: tables, truth links, good tracks, independence of the truth."""

import numpy as np
import pytest
from besfast.event import COLUMNS, concatenate, empty_record, select_events
from besfast.geometry.card import load_card
from besfast.reco.kinematic_fit import CONVERGED, NOT_APPLICABLE
from besfast.reco.reconstruct import reconstruct
from besfast.reco.tracks import charged_tracks, good_stage, momentum_stage
from besfast.sim.generate import generate
from besfast.sim.simulate import simulate

from .gun import card_with, gun, uniform_gun

BESIII = load_card("besiii")


@pytest.fixture(scope="module")
def record():
    return simulate(generate("pipi_isr", 3000, seed=81), "besiii", seed=82)


def test_no_truth_is_read(record):
    """Truth links, the true energy of the event, its weight and its process change nothing that is reconstructed."""
    blind = record._replace(
        track_truth=np.full_like(record.track_truth, -1),
        shower_truth=np.full_like(record.shower_truth, -1),
        event_sqrt_s=np.full_like(record.event_sqrt_s, 3.0),
        weight=np.full_like(record.weight, 7.0),
        process=np.full_like(record.process, 3),
    )
    one, other = reconstruct(record), reconstruct(blind)
    links = {"track_truth", "photon_truth", "event_sqrt_s", "weight", "process"}
    for column in COLUMNS["RecoEvents"]:
        if column.name not in links:
            a, b = getattr(one, column.name), getattr(other, column.name)
            assert np.array_equal(a, b, equal_nan=column.dtype == "f8"), column.name


def test_tables_are_consistent(record):
    reco = reconstruct(record)
    row = np.repeat(np.arange(3000), np.diff(reco.track_offsets))
    assert np.array_equal(np.bincount(row, reco.charge, 3000), reco.net_charge)
    assert np.array_equal(np.bincount(row, reco.good, 3000), reco.n_good)
    assert np.array_equal(reco.charge, np.sign(reco.helix[:, 2]).astype(int))
    assert np.allclose(1 / np.hypot(reco.px, reco.py), np.abs(reco.helix[:, 2]), rtol=1e-13)
    assert np.allclose(reco.pz / np.hypot(reco.px, reco.py), reco.helix[:, 4], rtol=1e-12, atol=1e-15)
    # every shower is a photon or belongs to a track
    n_showers, n_photons = np.diff(record.shower_offsets), np.diff(reco.photon_offsets)
    matched = [len(set(reco.shower[a:b]) - {-1}) for a, b in zip(reco.track_offsets, reco.track_offsets[1:])]
    assert np.array_equal(n_photons + matched, n_showers)
    two = np.diff(reco.track_offsets) == 2
    # a pion and the muon it became are no pair; with a track through a kink there may be no solution
    pair = np.flatnonzero(two)
    pair = pair[reco.track_truth[reco.track_offsets[pair]] != reco.track_truth[reco.track_offsets[pair] + 1]]
    assert len(pair) > 0.93 * two.sum()
    assert (reco.fit_status[pair] == CONVERGED).mean() > 0.98
    assert (reco.fit_status[~two] == NOT_APPLICABLE).all()
    assert np.isnan(reco.fit_mass[~two]).all()


def test_fitted_momenta_make_the_fitted_mass(record):
    reco = reconstruct(record)
    two = reco.fit_status[:, 1] == CONVERGED
    p = reco.fit_momentum[two, 6:].reshape(-1, 2, 3)
    energy = np.sqrt((p**2).sum(axis=2) + 0.1056583755**2).sum(axis=1)
    mass2 = energy**2 - (p.sum(axis=1) ** 2).sum(axis=1)
    assert np.allclose(np.sqrt(mass2), reco.fit_mass[two, 1], rtol=1e-9)


def test_events_are_reconstructed_one_by_one(record, assert_same):
    whole = reconstruct(select_events(record, 0, 60))
    parts = [reconstruct(select_events(record, i, i + 1)) for i in range(60)]
    assert_same(whole, concatenate(parts))


def test_empty_record():
    reco = reconstruct(empty_record("DetectorRecord"), "besiii")
    assert reco.n_events == len(reco.px) == len(reco.photon_energy) == 0
    assert reco.track_offsets.tolist() == [0]


def test_good_tracks_by_hand():
    """R_xy < 1 cm, |z| < 10 cm, |cos theta| < 0.93: at a limit a track is not good."""
    helix = np.zeros((8, 5), order="F")
    helix[:, 2], helix[:, 4] = 0.5, 0.1
    helix[1, 0], helix[2, 0], helix[3, 3], helix[4, 3] = -0.99, 1.01, -9.9, 10.0
    helix[5, 4], helix[6, 4] = 0.929 / np.sqrt(1 - 0.929**2), -0.931 / np.sqrt(1 - 0.931**2)
    helix[7, 2] = -0.5
    columns = charged_tracks(helix, BESIII.reconstruction)
    assert columns["good"].tolist() == [True, True, False, True, False, True, False, True]
    assert columns["charge"].tolist() == [1] * 7 + [-1]
    assert np.allclose(columns["py"], 2.0)
    assert np.array_equal(columns["poca_r"], np.abs(helix[:, 0]))
    good, cuts = np.empty(8, dtype=bool), np.array([2.0, 20.0, 1.0])
    good_stage(helix[:, 0], helix[:, 3], helix[:, 4], cuts, good)
    assert good.all()
    px, py, pz = np.empty(8), np.empty(8), np.empty(8)
    momentum_stage(np.full(8, np.pi / 2), helix[:, 2], helix[:, 4], px, py, pz)
    assert np.allclose(px, -2.0)
    assert np.allclose(pz, 2.0 * helix[:, 4])


def test_tracks_come_from_the_interaction_point():
    """More than 99.9 % of prompt tracks above 0.3 GeV pass closest approach and angle."""
    reco = reconstruct(simulate(uniform_gun(20_000, 83, cosine=(-0.9, 0.9)), "besiii", seed=84))
    assert reco.good.mean() > 0.999


def test_another_calibration():
    """The reconstruction uses the constants of its own card."""
    record = simulate(gun([13, -13] * 50, 1.0, 0.1, 0.3), "besiii", seed=85)
    one, other = reconstruct(record), reconstruct(record, card_with(dedx={"resolution": 0.03}))
    assert np.array_equal(one.px, other.px)
    assert not np.array_equal(one.chi2, other.chi2)
    assert '"reconstruct"' in other.provenance
    with pytest.raises(FileNotFoundError, match="no_such_card"):
        reconstruct(record, "no_such_card")
