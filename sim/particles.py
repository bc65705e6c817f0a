"""The final-state particles of truth events as flat columns in the laboratory, ready for the detector."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Bools, Keys
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
_KNOWN = np.array(HYPOTHESIS_PDG, dtype=np.int64)
_N_KNOWN = len(HYPOTHESIS_PDG)

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
    """Fill the interaction points of events, drawn from the luminous region: `spot` is centre and widths."""
    for i in range(np.uint64(event.size)):
        a, b, c, d = words(k0, k1, event[i], np.uint64(0), VERTEX_STREAM, np.uint64(0))
        g, h = normal2(a, b)
        k, _ = normal2(c, d)
        x[i] = spot[0] + spot[3] * g
        y[i] = spot[1] + spot[4] * h
        z[i] = spot[2] + spot[5] * k


@stage
def shift_stage(row: Ints, points: tuple[Floats, Floats, Floats], x: Floats, y: Floats, z: Floats) -> None:
    """Add to the places of particles the points of the events in whose rows they are."""
    for i in range(np.uint64(row.size)):
        j = np.uint64(row[i])
        x[i] += points[0][j]
        y[i] += points[1][j]
        z[i] += points[2][j]


@stage
def number_stage(row: Ints, offsets: Ints, number: Ints, event: Keys, particle: Keys) -> None:
    """Fill the number of each particle's event, and its index among the particles there."""
    for i in range(np.uint64(row.size)):
        j = np.uint64(row[i])
        event[i] = np.uint64(number[j])
        particle[i] = i - np.uint64(offsets[j])


@stage
def seen_stage(
    pdg: NDArray[np.int32], status: NDArray[np.int32], px: Floats, py: Floats, pz: Floats, seen: Bools
) -> None:
    """Fill which particles may meet the detector: of status 1, no neutrinos, and not at rest."""
    for i in range(np.uint64(pdg.size)):
        kind = abs(pdg[i])
        neutrino = (kind == 12) | (kind == 14) | (kind == 16)
        moving = (px[i] != 0.0) | (py[i] != 0.0) | (pz[i] != 0.0)
        seen[i] = (status[i] == 1) & (not neutrino) & moving


@stage
def species_stage(pdg: NDArray[np.int32], known: Ints, species: Ints) -> None:
    """Fill the hypotheses that particles are tracked as; `known` are the PDG numbers of the hypotheses."""
    for i in range(np.uint64(pdg.size)):
        size = abs(np.int64(pdg[i]))
        nearest = PROTON if size > 1000 else (MUON if size < 100 else PION)
        for k in range(_N_KNOWN):
            nearest = k if size == known[k] else nearest
        species[i] = nearest


def final_state(truth: TruthEvents, card: Card, k0: np.uint64, k1: np.uint64) -> Particles:
    """Return the particles of status 1, without neutrinos, in the laboratory of the card.

    The boost is that of the nominal beams, also where the event's own sqrt(s) differs by the energy spread; it takes
    momenta and, as four-vectors with the production times, displaced vertices.

    Raises
    ------
    ValueError
        If a momentum, an energy, a vertex or a weight is not finite: the message names value and event.
    """
    check_finite(truth, "truth")
    seen = np.empty(len(truth.pdg), dtype=bool)
    seen_stage(truth.pdg, truth.status, truth.px, truth.py, truth.pz, seen)
    row = np.repeat(np.arange(truth.n_events), np.diff(truth.offsets))
    event, index = np.empty(len(row), dtype=np.uint64), np.empty(len(row), dtype=np.uint64)
    number_stage(row, truth.offsets, truth.number, event, index)
    final: slice | Ints = slice(None) if seen.all() else np.flatnonzero(seen)
    names = ("px", "py", "pz", "energy", "vx", "vy", "vz", "t")
    px, py, pz, energy, x, y, z, time = (np.array(getattr(truth, name)[final]) for name in names)
    particles = Particles(
        row=row[final],
        event=event[final],
        particle=index[final],
        pdg=truth.pdg[final],
        charge=truth.charge[final].astype(np.float64),
        px=px,
        py=py,
        pz=pz,
        energy=energy,
        x=x,
        y=y,
        z=z,
        time=time,
        stop=np.full(len(px), np.inf),
    )
    if truth.frame == "cm":
        lab = card.beam.laboratory()
        boost_stage(lab, particles.px, particles.pz, particles.energy)
        light_path = C * particles.time
        boost_stage(lab, particles.x, particles.z, light_path)
        np.divide(light_path, C, out=particles.time)
    spot, points = np.array(card.beam.spot_centre + card.beam.spot), np.empty((3, truth.n_events))
    vertex_stage(k0, k1, truth.number.astype(np.uint64), spot, *points)
    shift_stage(particles.row, (points[0], points[1], points[2]), particles.x, particles.y, particles.z)
    return particles


def species_of(pdg: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the hypothesis (index in `HYPOTHESES`) a charged particle is tracked as.

    Charged particles that besfast has no hypothesis for are tracked as the nearest of its kind: leptons as muons,
    mesons as pions, baryons and nuclei as protons.
    """
    species = np.empty(len(pdg), dtype=np.int64)
    species_stage(pdg, _KNOWN, species)
    return species


#: Masses [GeV] by hypothesis.
MASSES = np.array(HYPOTHESIS_MASSES)
