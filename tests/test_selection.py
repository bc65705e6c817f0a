"""The selection against a slow twin that looks at one event at a time, and its cutflow."""

import math

import numpy as np
import pytest
from besfast.analysis.search_card import load_search
from besfast.analysis.selection import CUTS, empty_cutflow, select
from besfast.event import CHANNELS, concatenate, empty_record, select_events
from besfast.geometry.card import load_card
from besfast.reco.reconstruct import reconstruct
from besfast.sim.generate import Generator
from besfast.sim.simulate import simulate

SEARCH = load_search("besiii_dark_photon")
ALL_CUTS, RANGE = SEARCH.cuts_by_channel(), SEARCH.spectrum.mass_range()


@pytest.fixture(scope="module")
def events():
    """5120 events of each channel and of pions, in one numbering; those of pions have negative and broken weights."""
    card = load_card("besiii")
    parts = []
    for process in ("mumu_isr", "ee_bhabha", "pipi_isr"):
        parts.append(reconstruct(simulate(Generator(process, seed=91).events(0, 5120), card, seed=92), card))
    joined = concatenate(parts)
    weight = np.random.default_rng(93).normal(1.0, 0.5, joined.n_events)
    return joined._replace(number=np.arange(joined.n_events), weight=weight)


def twin(events, i):
    """Return (channel, number of cuts passed) of one event in both channels, by the words of the paper."""
    tracks = range(events.track_offsets[i], events.track_offsets[i + 1])
    result = {}
    for channel in CHANNELS:
        cuts, h = ALL_CUTS[channel], {"ee": 0, "mumu": 1}[channel]
        passed = ["all"]

        def fails(condition, name, passed=passed):
            if condition:
                passed.append(name)
            return not condition

        result[channel] = passed
        if fails(len(tracks) == 2 and events.charge[tracks].sum() == 0, "two_tracks"):
            continue
        if fails(
            all(events.poca_r[t] < cuts.poca_r_max and abs(events.poca_z[t]) < cuts.poca_z_max for t in tracks),
            "closest_approach",
        ):
            continue
        theta = [math.atan2(math.hypot(events.px[t], events.py[t]), events.pz[t]) for t in tracks]
        if fails(all(cuts.theta_min < angle < math.pi - cuts.theta_min for angle in theta), "polar_angle"):
            continue
        if fails(all(math.hypot(events.px[t], events.py[t]) > cuts.pt_min for t in tracks), "transverse_momentum"):
            continue
        electrons = all(events.e_over_p[t] > ALL_CUTS["ee"].e_over_p_min for t in tracks)
        muons = all(events.chi2[t, 1] < events.chi2[t, 0] for t in tracks) and not electrons
        if fails(electrons if channel == "ee" else muons, "identification"):
            continue
        if fails(events.fit_status[i, h] == 0 and events.fit_chi2[i, h] < cuts.chi2_max, "kinematic_fit"):
            continue
        angle = events.fit_theta_gamma[i, h]
        if fails(min(angle, math.pi - angle) < cuts.theta_gamma_max, "photon_angle"):
            continue
        fails(RANGE[0] <= events.fit_mass[i, h] < RANGE[1], "mass_range")
    return result


def test_selection_is_that_of_the_twin(events):
    selection = select(events, ALL_CUTS, RANGE)
    passed = [twin(events, i) for i in range(events.n_events)]
    for c, channel in enumerate(CHANNELS):
        for k, cut in enumerate(CUTS):
            rows = [i for i in range(events.n_events) if cut in passed[i][channel]]
            assert selection.entries[c, k] == len(rows), (channel, cut)
            assert math.isclose(selection.unit_weights[:, c, k].sum(), events.weight[rows].sum(), rel_tol=1e-9)
        chosen = [i for i in range(events.n_events) if "mass_range" in passed[i][channel]]
        assert selection.events.number[selection.events.channel == c].tolist() == chosen
        h = {"ee": 0, "mumu": 1}[channel]
        assert np.array_equal(selection.events.mass[selection.events.channel == c], events.fit_mass[chosen, h])
    assert selection.entries[:, -1].min() > 100, "both channels are populated"
    assert (np.diff(selection.events.number) > 0).all(), "no event is in both channels"


def test_cutflow_does_not_depend_on_chunks(events):
    """Sums of weights are added unit by unit: the same bits for chunks of any whole number of units."""
    whole = select(events, ALL_CUTS, RANGE).add_to(empty_cutflow())
    for chunk in (1024, 3072, 8192):
        flow = empty_cutflow()
        for start in range(0, events.n_events, chunk):
            part = select_events(events, start, min(start + chunk, events.n_events))
            flow = select(part, ALL_CUTS, RANGE).add_to(flow)
        assert np.array_equal(flow.entries, whole.entries)
        assert flow.weights.tobytes() == whole.weights.tobytes()
    rows = whole.rows()
    assert len(rows) == len(CHANNELS) * len(CUTS)
    assert rows[0]["entries"] == events.n_events
    for channel in CHANNELS:
        entries = [row["entries"] for row in rows if row["channel"] == channel]
        assert entries == sorted(entries, reverse=True)


def test_equal_chi2_fails(events):
    """P(mu) > P(e) is a strict comparison: a track of which nothing is known is no muon."""
    equal = events._replace(chi2=np.zeros_like(events.chi2))
    selection = select(equal, ALL_CUTS, RANGE)
    assert selection.entries[CHANNELS.index("mumu"), -1] == 0
    assert selection.entries[CHANNELS.index("ee"), -1] > 100


def test_cuts_at_their_limits(events):
    """The transverse momentum and the polar angle are compared without inverse functions: the same tracks pass."""
    pt = np.hypot(events.px, events.py)
    theta = np.arctan2(pt, events.pz)
    mumu = ALL_CUTS["mumu"]
    two = np.flatnonzero((np.diff(events.track_offsets) == 2) & (events.net_charge == 0))
    first = events.track_offsets[two]
    good = (events.poca_r < mumu.poca_r_max) & (np.abs(events.poca_z) < mumu.poca_z_max)
    inside = good & (theta > mumu.theta_min) & (theta < np.pi - mumu.theta_min)
    hard = inside & (pt > mumu.pt_min)
    entries = select(events, ALL_CUTS, RANGE).entries[CHANNELS.index("mumu")]
    assert entries[list(CUTS).index("polar_angle")] == (inside[first] & inside[first + 1]).sum()
    assert entries[list(CUTS).index("transverse_momentum")] == (hard[first] & hard[first + 1]).sum()
    assert 0 < entries[list(CUTS).index("polar_angle")] < entries[list(CUTS).index("closest_approach")]


def test_nothing_selected_from_nothing():
    selection = select(empty_record("RecoEvents"), ALL_CUTS, RANGE)
    assert selection.events.n_events == 0
    assert not selection.entries.any()
    assert not selection.add_to(empty_cutflow()).weights.any()


def test_broken_fits_are_not_selected(events):
    failed = events._replace(fit_status=np.ones_like(events.fit_status))
    assert select(failed, ALL_CUTS, RANGE).events.n_events == 0
