"""The final-state particles of truth events as flat columns in the laboratory, ready for the detector."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Keys
from ..checks import check_finite
from ..constants import HYPOTHESIS_MASSES, HYPOTHESIS_PDG, MUON, PION, PROTON, C
from ..event import Floats, Ints, TruthEvents
from ..geometry.beam import Laboratory, to_laboratory
from ..geometry.card import Card
from ..kernel import stage
from ..rng import VERTEX_STREAM, normal2, words


class Particles(NamedTuple):
    """Columns of shape (n_particles,): momenta [GeV] and production points [cm] in the laboratory.

    `particle` is the index among the particles of the truth event; in what is made in the detector its bits from
    `GENERATION` on say which daughter it is, see `daughter_key`. `stop` is the transverse radius [cm] where a particle
    ends (decay in flight, conversion), infinite without.
    """

    row: Ints
    event: NDArray[np.uint64]
    particle: NDArray[np.uint64]
    pdg: NDArray[np.int32]
    charge: Floats
    px: Floats
    py: Floats
    pz: Floats
    energy: Floats
    x: Floats
    y: Floats
    z: Floats
    #: Production time [ns] after the collision.
    time: Floats
    stop: Floats

    def take(self, chosen: Ints) -> "Particles":
        """Return the chosen particles."""
        return Particles._make(column[chosen] for column in self)


PHOTON = 22

#: The bits of a `particle` key from here on tell which daughter it is, four for each generation.
GENERATION = np.uint64(20)
TRUTH_INDEX = np.uint64((1 << 20) - 1)


def daughter_key(parent: Keys, number: Keys | int) -> Keys:
    """Return the keys of daughters made in the detector: number 1 to 15 among those of the parent.

    The lowest 20 bits stay the index of the particle of the truth event that all came from; above, four bits say which
    daughter of which daughter it is.
    """
    line = ((parent >> GENERATION) << np.uint64(4)) | np.asarray(number, dtype=np.uint64)
    return (parent & TRUTH_INDEX) | (line << GENERATION)


def truth_index(particle: Keys) -> NDArray[np.int32]:
    """Return the index among the particles of the truth event, for those made in the detector that of their origin."""
    return (particle & TRUTH_INDEX).astype(np.int32)


def joined(parts: "list[Particles]") -> Particles:
    """Return the particles of all parts, in order."""
    parts = [part for part in parts if len(part.row)] or parts[:1]
    return parts[0] if len(parts) == 1 else Particles._make(np.concatenate(column) for column in zip(*parts))


def with_rows(particles: Particles, rows: Ints, changed: Particles) -> Particles:
    """Return the particles with some rows in the places and with the momenta of others."""
    if len(rows) == 0:
        return particles
    columns = {name: getattr(particles, name).copy() for name in ("px", "py", "pz", "x", "y", "z")}
    for name, column in columns.items():
        column[rows] = getattr(changed, name)
    return particles._replace(**columns)


@stage
def boost_stage(lab: Laboratory, x: Floats, z: Floats, time: Floats) -> None:
    """Take momenta and energies, or places and times, from the centre of mass to the laboratory, in place."""
    for i in range(np.uint64(x.size)):
        x[i], z[i], time[i] = to_laboratory(lab, x[i], z[i], time[i])


@stage
def vertex_stage(
    k0: np.uint64, k1: np.uint64, event: NDArray[np.uint64], spot: Floats, x: Floats, y: Floats, z: Floats
) -> None:
    """Add the interaction point of the event, drawn from the luminous region: `spot` is centre and widths."""
    for i in range(np.uint64(event.size)):
        a, b, c, d = words(k0, k1, event[i], np.uint64(0), VERTEX_STREAM, np.uint64(0))
        g, h = normal2(a, b)
        k, _ = normal2(c, d)
        x[i] += spot[0] + spot[3] * g
        y[i] += spot[1] + spot[4] * h
        z[i] += spot[2] + spot[5] * k


def final_state(truth: TruthEvents, card: Card, k0: np.uint64, k1: np.uint64) -> Particles:
    """Return the particles of status 1, without neutrinos, in the laboratory of the card.

    The boost is that of the nominal beams, also where the event's own sqrt(s) differs by the energy spread; it takes
    momenta and, as four-vectors with the production times, displaced vertices.

    Raises
    ------
    ValueError
        If a momentum, an energy, a vertex or a weight is not finite: the message names value and event.
    """
    counts = np.diff(truth.offsets)
    rows = np.repeat(np.arange(truth.n_events), counts)
    check_finite(truth, "truth")
    moving = (truth.px != 0.0) | (truth.py != 0.0) | (truth.pz != 0.0)
    kind = np.abs(truth.pdg)
    neutrino = (kind == 12) | (kind == 14) | (kind == 16)
    final = np.flatnonzero((truth.status == 1) & ~neutrino & moving)
    row = rows[final]
    particles = Particles(
        row=row,
        event=truth.number[row].astype(np.uint64),
        particle=(final - truth.offsets[row]).astype(np.uint64),
        pdg=truth.pdg[final],
        charge=truth.charge[final].astype(np.float64),
        px=truth.px[final],
        py=truth.py[final],
        pz=truth.pz[final],
        energy=truth.energy[final],
        x=truth.vx[final],
        y=truth.vy[final],
        z=truth.vz[final],
        time=truth.t[final],
        stop=np.full(len(final), np.inf),
    )
    if truth.frame == "cm":
        lab = card.beam.laboratory()
        boost_stage(lab, particles.px, particles.pz, particles.energy)
        light_path = C * particles.time
        boost_stage(lab, particles.x, particles.z, light_path)
        np.divide(light_path, C, out=particles.time)
    spot = np.array(card.beam.spot_centre + card.beam.spot)
    vertex_stage(k0, k1, particles.event, spot, particles.x, particles.y, particles.z)
    return particles


def species_of(pdg: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the hypothesis (index in `HYPOTHESES`) a charged particle is tracked as.

    Charged particles that besfast has no hypothesis for are tracked as the nearest of its kind: leptons as muons,
    mesons as pions, baryons and nuclei as protons.
    """
    size = np.abs(pdg)
    species = np.where(size > 1000, PROTON, np.where(size < 100, MUON, PION))
    for number, hypothesis in zip(HYPOTHESIS_PDG, range(len(HYPOTHESIS_PDG))):
        species = np.where(size == number, hypothesis, species)
    return species.astype(np.int64)


#: Masses [GeV] by hypothesis.
MASSES = np.array(HYPOTHESIS_MASSES)
