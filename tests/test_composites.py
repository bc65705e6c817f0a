"""Pairs, pi0, K_S and Lambda candidates, missing four-momentum and recovered photons on reconstructed events."""

import besfast
import numpy as np
import pytest
from besfast.constants import M_E, M_MU, M_PI, M_PI0
from besfast.event import empty_columns, empty_record
from besfast.reco.fits import (
    find_k_short,
    find_lambda,
    find_pi0,
    find_vees,
    initial_four_momentum,
    invariant_mass,
    missing_four_momentum,
    recover_photons,
)
from besfast.reco.fits.combinations import pairs_between, pairs_within
from besfast.reco.fits.vectors import photon_vectors_with_covariance, track_vectors_with_covariance

from .fit_toys import P0, helix_of, measured, smeared_photon, smeared_track, vees
from .gun import PLAIN, gun


def record(tracks=(), photons=()):
    """Return reconstructed events with the k-th track and photon of every event taken from lists of fit particles."""
    n = len(tracks[0].helix) if tracks else len(photons[0].energy)
    parts = {}
    for table, count, offsets in (
        ("event", 1, ""),
        ("track", len(tracks), "track_offsets"),
        ("photon", len(photons), "photon_offsets"),
    ):
        parts |= empty_columns("RecoEvents", table, n * count)
        if offsets:
            parts[offsets] = np.arange(n + 1) * count
    for k, track in enumerate(tracks):
        parts["helix"][k :: len(tracks)], parts["covariance"][k :: len(tracks)] = track.helix, track.covariance
    parts["charge"][:] = np.sign(parts["helix"][:, 2])
    for k, photon in enumerate(photons):
        for name, value in vars(photon).items():
            column = "photon_" + ("_".join(reversed(name.split("_"))) if "sigma" in name else name)
            parts[column][k :: len(photons)] = value
    parts["photon_good"][:], parts["good"][:] = True, True
    return type(empty_record("RecoEvents"))(**parts)


def test_pairs_are_those_of_a_loop():
    rng = np.random.default_rng(41)
    a, b = np.sort(rng.integers(0, 30, 80)), np.sort(rng.integers(0, 30, 50))
    pairs = set(zip(*(part.tolist() for part in pairs_within(a))))
    assert pairs == {(i, j) for j in range(80) for i in range(j) if a[i] == a[j]}
    pairs = set(zip(*(part.tolist() for part in pairs_between(a, b))))
    assert pairs == {(i, j) for i in range(80) for j in range(50) if a[i] == b[j]}
    for part in (*pairs_within(a[:0]), *pairs_between(a[:0], b), *pairs_between(a, b[:0])):
        assert len(part) == 0


def test_pi0_candidates():
    """One pi0 per event among three photons: it is found, and its energy is better after the fit."""
    truth, particles = measured(3000, 42)
    rng = np.random.default_rng(43)
    third = smeared_photon(rng, truth[2][::-1])
    events = record(particles[:2], [*particles[2:], third])
    found = find_pi0(events)
    right = (found.first % 3 == 0) & (found.second % 3 == 1)
    assert right.sum() > 0.9 * events.n_events
    assert np.array_equal(found.event, found.first // 3)
    assert np.allclose(found.fit.mass()[found.fit.converged], M_PI0, atol=1e-7)
    energy = (truth[2] + truth[3])[found.event[right], 3]
    measured_energy = events.photon_energy[found.first] + events.photon_energy[found.second]
    fitted = found.fit.total()[right, 3]
    assert np.std(fitted - energy) < 0.95 * np.std(measured_energy[right] - energy)


@pytest.mark.parametrize("kind", ["K_S", "Lambda", "anti-Lambda"])
def test_vees(kind):
    mass, masses = {
        "K_S": (0.497611, (M_PI, M_PI)),
        "Lambda": (1.115683, (0.93827208816, M_PI)),
        "anti-Lambda": (1.115683, (M_PI, 0.93827208816)),
    }[kind]
    _, _, _, flight, tracks = vees(3000, 44, mass, *masses)
    events = record(tracks)
    found = find_k_short(events, 1.0) if kind == "K_S" else find_lambda(events, 1.0, anti=kind != "Lambda")
    assert len(found.event) > 0.9 * events.n_events
    assert abs(np.median(found.mass) - mass) < 5e-4
    window = (mass - 0.02, mass + 0.02)
    pointing = find_vees(events, 1.0, masses, window, origin=(np.zeros(3), 1e-6 * np.eye(3)))
    pull = (pointing.fit.flight_length[:, 0] - flight[pointing.event]) / pointing.fit.flight_sigma[:, 0]
    assert abs(np.std(pull[np.abs(pull) < 6]) - 1) < 0.06


def test_no_candidates_in_no_events():
    events = empty_record("RecoEvents")
    assert len(find_pi0(events).event) == len(find_k_short(events, 1.0).event) == 0
    assert recover_photons(events, M_E).momentum.shape == (0, 4)
    assert missing_four_momentum(events, (0.0, 0.0, 0.0, 1.0), M_E).shape == (0, 4)


def test_missing_four_momentum():
    truth, particles = measured(500, 45)
    events = record(particles[:2], particles[2:3])
    missing = missing_four_momentum(events, tuple(P0), M_PI)
    assert np.median(np.abs(missing - truth[3])) < 0.03
    assert abs(np.median(invariant_mass(missing) ** 2 * np.sign(invariant_mass(missing)))) < 0.05
    without = missing_four_momentum(events, tuple(P0), M_PI, photons=np.zeros(len(events.photon_energy), dtype=bool))
    assert np.allclose(without - missing, photon_vectors_with_covariance(events)[0])
    lab = besfast.load_card("besiii").beam.laboratory()
    assert np.allclose(initial_four_momentum(lab), P0, atol=2e-5)


def test_covariances_of_four_momenta():
    """The spread of the four-momenta over its error is one, in each component (seed 46)."""
    truth, particles = measured(8000, 46)
    events = record(particles[:2], particles[2:])
    for i, (vector, covariance) in enumerate(
        (track_vectors_with_covariance(events, M_PI), photon_vectors_with_covariance(events))
    ):
        for k in range(4):
            for particle in range(2):
                pull = (vector[particle::2, k] - truth[2 * i + particle][:, k]) / np.sqrt(covariance[particle::2, k, k])
                assert abs(np.std(pull) - 1) < 0.04


def radiative_pairs(n, seed):
    """Return J/psi -> e+ e- (gamma) at rest: one electron in two has lost a share of its energy to a close photon."""
    rng = np.random.default_rng(seed)
    truth, _ = measured(n, seed)
    n = len(truth[0])
    cosine, phi = rng.uniform(-0.7, 0.7, n), rng.uniform(-np.pi, np.pi, n)
    share = np.where(rng.uniform(size=n) < 0.5, rng.uniform(0.05, 0.5, n), 0.0)
    p = 1.5484
    direction = np.column_stack([np.sqrt(1 - cosine**2) * np.cos(phi), np.sqrt(1 - cosine**2) * np.sin(phi), cosine])
    vectors = [
        np.column_stack([(1 - share)[:, None] * p * direction, (1 - share) * p]),
        np.column_stack([-p * direction, np.full(n, p)]),
        np.column_stack([share[:, None] * p * direction, share * p]),
    ]
    return vectors, share, rng


def test_radiated_photons_are_given_back():
    """Half of the pairs have a photon of 75 to 770 MeV along one track: with it the mass is that of the parent."""
    vectors, share, rng = radiative_pairs(4000, 47)
    radiated = vectors[2].copy()
    tracks = [smeared_track(rng, helix_of(v, q), M_E) for v, q in zip(vectors[:2], (-1.0, 1.0))]
    radiated[share == 0] = np.array([0.0006, 0.0, 0.0008, 0.001])
    events = record(tracks, [smeared_photon(rng, radiated)])
    events = events._replace(photon_energy=np.where(share > 0, events.photon_energy, 0.0))
    recovered = recover_photons(events, M_E)
    assert np.array_equal(recovered.n_photons[::2], (events.photon_energy > 0.025).astype(int))
    assert recovered.n_photons[1::2].sum() == 0
    before = invariant_mass(sum(track_vectors_with_covariance(events, M_E)[0][k::2] for k in range(2)))
    after = invariant_mass(recovered.momentum[::2] + recovered.momentum[1::2])
    near_before, near_after = (np.mean(np.abs(m - 3.0969) < 0.06) for m in (before, after))
    assert near_before < 0.56
    assert near_after > 0.85
    covariance = recovered.covariance[::2]
    pull = (recovered.momentum[::2, 3] - vectors[0][:, 3] - vectors[2][:, 3]) / np.sqrt(covariance[:, 3, 3])
    assert abs(pull.std() - 1) < 0.05


def test_composites_of_simulated_events():
    """pi0 made by the package's own calorimeter: mass near that of the meson, two photons per event."""
    truth, _ = measured(2000, 48)
    photons = truth[2:]
    n = len(photons[0])
    energy, cosine, phi = (np.empty(2 * n) for _ in range(3))
    for k, q in enumerate(photons):
        energy[k::2], cosine[k::2], phi[k::2] = q[:, 3], q[:, 2] / q[:, 3], np.arctan2(q[:, 1], q[:, 0])
    events = besfast.reconstruct(besfast.simulate(gun(22, energy, cosine, phi, per_event=2), card=PLAIN, seed=5), PLAIN)
    found = find_pi0(events)
    assert len(found.event) > 0.4 * n
    assert abs(np.median(found.mass) - M_PI0) < 0.003
    assert found.fit.converged.mean() > 0.99


def test_muon_pairs_recover_no_photons_far_away():
    _, particles = measured(300, 49)
    events = record(particles[:2], particles[2:])
    narrow = recover_photons(events, M_MU, cone=0.001)
    assert narrow.n_photons.sum() < 3
    assert (narrow.track[narrow.track >= 0] // 2 == np.flatnonzero(narrow.track >= 0) // 2).all()
