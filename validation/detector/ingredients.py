"""What a detector is made of, each part with the keys of a card that leave it out.

One line per ingredient: its name, a sentence, and the keys with the values that switch it off. An ingredient whose keys
a card does not have is left out of the table.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...geometry.sections import Card
from .changes import has_key


class Ingredient(NamedTuple):
    """A part of the simulation that can be left out; `spread`: the generator's energy spread is part of it."""

    name: str
    sentence: str
    without: Mapping[str, Any]
    spread: bool = False


INGREDIENTS = (
    Ingredient("all matter", "no beam pipe, no walls, no gas",
               {"material": (), "mdc.gas_radiation_length": 1e12, "matter.gas_density": 0.0}),
    Ingredient("multiple scattering", "straight through matter", {"mdc.scattering_scale": 0.0}),
    Ingredient("energy loss", "no ionisation loss of tracks, nor its correction", {"matter.ionisation": False}),
    Ingredient("straggling", "everybody loses the mean", {"matter.straggling": False}),
    Ingredient("bremsstrahlung", "electrons radiate nothing in matter", {"matter.bremsstrahlung": False}),
    Ingredient("conversions", "photons cross pipe and wall", {"matter.conversion": False}),
    Ingredient("decays in flight", "pions and kaons live on", {"matter.decays": False}),
    Ingredient("track tails", "no badly measured tracks", {"mdc.tail_fraction": 0.0}),
    Ingredient("hit efficiency", "every wire answers", {"mdc.hit_efficiency": 1.0}),
    Ingredient("track efficiency", "every track within the layers is found",
               {"mdc.efficiency_electron": 1.0, "mdc.efficiency_muon": 1.0, "mdc.efficiency_hadron": 1.0}),
    Ingredient("dE/dx tail", "no Landau tail after truncation", {"dedx.tail_fraction": 0.0}),
    Ingredient("dE/dx fluctuations", "dE/dx as expected", {"dedx.smear": False}),
    Ingredient("event time", "the collision time is known", {"tof.event_time_sigma": 0.0}),
    Ingredient("time-of-flight gaps", "every track meets a counter that answers",
               {"tof.barrel.efficiency": 1.0, "tof.endcap.efficiency": 1.0}),
    Ingredient("wrong bunches", "every event in its own bunch crossing", {"tof.wrong_bunch_fraction": 0.0}),
    Ingredient("single layers", "both layers of scintillators hit", {"tof.barrel.single_layer_fraction": 0.0}),
    Ingredient("kaons and protons in scintillators", "as well timed as pions", {"tof.kaon_proton_factor": 1.0}),
    Ingredient("calorimeter crack", "crystals between barrel and endcap", {"emc.crack_efficiency": 1.0}),
    Ingredient("calorimeter edges", "resolution at the edges as inside", {"emc.edge_factor": 1.0}),
    Ingredient("line shape", "symmetric energy resolution", {"emc.line_shape_tail": 0.0}),
    Ingredient("leakage", "crystals without end", {"emc.leakage": False}),
    Ingredient("matter before the crystals", "showers begin in crystals",
               {"emc.barrel.front_thickness": 0.0, "emc.endcap.front_thickness": 0.0}),
    Ingredient("background clusters", "no showers without a particle", {"emc.background.mean": 0.0}),
    Ingredient("charge exchange", "no leading neutral pions",
               {"emc.hadron.charge_exchange_plus": 0.0, "emc.hadron.charge_exchange_minus": 0.0}),
    Ingredient("nuclear interactions", "hadrons ionise only in the crystals", {"emc.hadron.interaction_length": 1e12}),
    Ingredient("punch-through", "no secondaries of hadrons in the iron", {"muc.leakage_fraction": 0.0}),
    Ingredient("muon-counter tracks", "every hit found and given to its track", {"muc.track_efficiency": 1.0}),
    Ingredient("muon-counter cracks", "chambers all around", {"muc.crack_fraction": 0.0}),
    Ingredient("trigger", "every event is recorded", {"trigger.efficiency": 1.0}),
    Ingredient("energy spread", "beams of one energy", {"beam.energy_spread": 0.0}, spread=True),
    Ingredient("crossing angle", "beams head-on", {"beam.half_crossing_angle": 0.0}),
    Ingredient("luminous region", "every collision at the origin", {"beam.spot": (0.0, 0.0, 0.0)}),
)  # fmt: skip


def ingredients_of(card: Card) -> list[Ingredient]:
    """Return the ingredients that a card has keys for."""
    return [one for one in INGREDIENTS if all(has_key(card, key) for key in one.without)]
