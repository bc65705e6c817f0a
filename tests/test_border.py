"""What the rooms refuse at their border, and energies and event numbers other than the usual ones."""

import besfast
import numpy as np
import pytest
from besfast.analysis.search_card import load_search
from besfast.analysis.selection import empty_cutflow, select
from besfast.event import concatenate, select_events

CUTS = {"theta_gamma_max": 0.2, "lepton_theta_min": 0.375, "lepton_pt_min": 0.275, "mass_min": 1.45}


@pytest.fixture(scope="module")
def record():
    truth = besfast.generate("mumu_isr", 3000, seed=4, mass_max=3.46, **CUTS)
    return besfast.simulate(truth, seed=5)


@pytest.mark.parametrize(("column", "value"), [(2, 0.0), (0, np.nan), (4, np.inf)])
def test_impossible_helices_are_named(record, column, value):
    helix = record.helix.copy(order="F")
    helix[7, column] = value
    event = int(np.searchsorted(record.track_offsets, 7, side="right")) - 1
    with pytest.raises(ValueError, match=rf"event {event}: helix"):
        besfast.reconstruct(record._replace(helix=helix))


def test_wrong_records_are_named(record):
    with pytest.raises(TypeError, match="TruthEvents"):
        besfast.simulate(record, seed=1)
    with pytest.raises(TypeError, match="DetectorRecord"):
        besfast.reconstruct(besfast.reconstruct(record))


@pytest.mark.parametrize("sqrt_s", [3.097, 4.178])
def test_the_fit_knows_the_energy_of_the_sample(sqrt_s):
    """Away from the card's energy the constraint is that of the sample: the median chi2 is that of one constraint."""
    truth = besfast.generate("mumu_isr", 4000, seed=6, sqrt_s=sqrt_s, mass_max=0.9 * sqrt_s, **CUTS)
    events = besfast.reconstruct(besfast.simulate(truth, seed=7))
    good = events.fit_status[:, 1] == 0
    assert good.mean() > 0.9
    assert 0.3 < np.median(events.fit_chi2[good, 1]) < 0.7


def test_selection_of_events_with_any_numbers(record):
    """Filtered or joined events have gaps and repetitions in their numbers: the cutflow counts them all the same."""
    search = load_search("besiii_dark_photon")
    events = besfast.reconstruct(record)
    some = concatenate([select_events(events, 0, 10), select_events(events, 2500, 2600), select_events(events, 5, 8)])
    selection = select(some, search.cuts_by_channel(), search.spectrum.mass_range())
    flow = selection.add_to(empty_cutflow())
    assert flow.entries[0, 0] == 113
    assert flow.weights[0, 0] == 113.0
    parts = [
        select(select_events(events, a, b), search.cuts_by_channel(), search.spectrum.mass_range()).entries
        for a, b in ((0, 10), (2500, 2600), (5, 8))
    ]
    assert np.array_equal(flow.entries, sum(parts))
