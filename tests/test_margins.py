"""Generator cuts of the packaged search leave enough room around the cuts of the selection."""

import numpy as np
import pytest
from besfast.analysis.selection import select
from besfast.event import CHANNELS
from besfast.reco.reconstruct import reconstruct
from besfast.sim.simulate import simulate
from besfast.workflow import prepare

N = 262_144


def truth_quantities(truth):
    """Return mass, photon angle from the nearer beam, smallest lepton angle and smallest lepton pt of every event."""
    first = truth.offsets[:-1]  # pair and hard photon come first, whatever follows
    p = [np.stack([c[first + i] for c in (truth.energy, truth.px, truth.py, truth.pz)]) for i in range(3)]
    pair = p[0] + p[1]
    mass = np.sqrt(np.maximum(pair[0] ** 2 - (pair[1:] ** 2).sum(axis=0), 0.0))
    pt = [np.hypot(one[1], one[2]) for one in p]
    angle = [np.minimum(np.arctan2(t, one[3]), np.pi - np.arctan2(t, one[3])) for t, one in zip(pt, p)]
    return mass, angle[2], np.minimum(angle[0], angle[1]), np.minimum(pt[0], pt[1])


@pytest.mark.long
def test_selected_events_do_not_come_from_the_edge_of_the_margins():
    """Of the selected events less than 0.1 % lie in the outer fifth of each generator margin; seed 31."""
    setting = prepare("besiii_dark_photon", None, None, 31, 2, 65536, True)
    search, worst = setting.search, {}
    for process in (*search.process, search.annihilation):
        label = process.label()
        generator = setting.producer.generator("margins", process, label, weighted=False)
        truth = generator.events(0, N)
        events = reconstruct(simulate(truth, setting.card, seed=5), setting.card)
        selected = select(events, search.cuts_by_channel(), search.spectrum.mass_range()).events
        channel = "ee" if "ee" in label or label.endswith("_e") else "mumu"
        number = selected.number[selected.channel == CHANNELS.index(channel)]
        cuts = search.cuts_by_channel()[channel]
        mass, theta_gamma, theta, pt = (quantity[number] for quantity in truth_quantities(truth))
        edges = {
            "theta_gamma": theta_gamma
            > process.theta_gamma_max - 0.2 * (process.theta_gamma_max - cuts.theta_gamma_max),
            "lepton_theta": theta < process.lepton_theta_min + 0.2 * (cuts.theta_min - process.lepton_theta_min),
            "lepton_pt": pt < process.lepton_pt_min + 0.2 * (cuts.pt_min - process.lepton_pt_min),
        }
        low, high = search.spectrum.mass_range()
        if process.mass_min is not None:
            edges["mass_min"] = mass < process.mass_min + 0.2 * (low - process.mass_min)
            edges["mass_max"] = mass > process.mass_max - 0.2 * (process.mass_max - high)
        for name, outside in edges.items():
            # of the psi(2S), beyond the range, nothing is selected
            worst[f"{label} {name}"] = np.count_nonzero(outside) / max(len(number), 1)
            print(f"{label} {name}: {worst[f'{label} {name}']:.2e} of {len(number)}")
    assert max(worst.values()) < 1e-3, max(worst, key=worst.get)
