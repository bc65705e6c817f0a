"""From the particles and constraints of a user to the flat tables and rows of numbers that compiled code reads."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ...arrays import Floats, Ints
from ...constants import ALPHA_T
from .constraints import COMPONENTS, Constraint, FourMomentum, Mass, RecoilMass, Vertex
from .particles import Momenta, Particle, Photon, Track, square
from .tables import AT_VERTEX, CARTESIAN, COMPONENT, FLIGHT, HELIX, MASS, PHOTON, RECOIL, VERTEX, WIDTHS, Tables


class Layout(NamedTuple):
    """A fit ready to run: tables, measured values (n_events, n_parameters; NaN: unmeasured), packed covariances."""

    tables: Tables
    values: Floats
    covariance: Floats
    #: Parameters of the flights.
    flights: Ints


class _Parameters:
    """Collects the columns of all parameters, and the blocks of those that are measured together."""

    def __init__(self, n_events: int) -> None:
        self.n_events = n_events
        self.count = 0
        self.values: list[Floats] = []
        self.blocks: list[tuple[int, int]] = []
        self.packed: list[Floats] = []

    def add(self, values: Floats) -> int:
        first, width = self.count, values.shape[-1]
        self.values.append(np.broadcast_to(values, (self.n_events, width)))
        self.count += width
        return first

    def measure(self, first: int, covariance: Floats) -> None:
        size = covariance.shape[-1]
        self.blocks.append((first, size))
        full = np.broadcast_to(covariance, (self.n_events, size, size))
        self.packed.append(full.reshape(self.n_events, size * size))


class _Row(NamedTuple):
    """One equation; the meanings are those of `Tables`."""

    constraint: int
    members: tuple[int, ...]
    axis: int = 0
    place: int = 0
    origin: int = 0
    flight: int = 0
    target: float = 0.0
    total: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)


def _add_particle(parameters: _Parameters, particle: Particle, at_vertex: bool) -> list[tuple[int, int, float]]:
    """Add the parameters of one entry of the list of particles; return (kind, first parameter, mass) of each."""
    if isinstance(particle, Track):
        if at_vertex:
            first = parameters.add(np.column_stack([particle.helix, np.full(parameters.n_events, np.nan)]))
            parameters.measure(first, square(particle.covariance, (0, 1, 2, 3, 4)))
            return [(AT_VERTEX, first, particle.mass)]
        values, covariance = particle.direction
        first = parameters.add(values)
        parameters.measure(first, covariance)
        return [(HELIX, first, particle.mass)]
    if isinstance(particle, Photon):
        sigmas = [particle.sigma_theta, particle.sigma_phi]
        energy = particle.energy
        if particle.sigma_energy is None:
            energy = np.full(parameters.n_events, np.nan)
        else:
            sigmas.insert(0, particle.sigma_energy)
        first = parameters.add(np.column_stack([energy, particle.theta, particle.phi]))
        covariance = np.zeros((parameters.n_events, len(sigmas), len(sigmas)))
        for k, sigma in enumerate(sigmas):
            covariance[:, k, k] = sigma * sigma
        parameters.measure(first + 3 - len(sigmas), covariance)
        return [(PHOTON, first, 0.0)]
    if isinstance(particle, Momenta):
        k = len(particle.masses)
        first = parameters.add(particle.momentum.reshape(-1, 3 * k))
        parameters.measure(first, particle.covariance)
        return [(CARTESIAN, first + 3 * i, mass) for i, mass in enumerate(particle.masses)]
    start = np.full((parameters.n_events, 3), np.nan) if particle.start is None else particle.start
    return [(CARTESIAN, parameters.add(start), particle.mass)]


def _members(particles: tuple[int, ...] | None, n: int) -> tuple[int, ...]:
    chosen = tuple(range(n)) if particles is None else tuple(particles)
    if len(set(chosen)) != len(chosen) or not all(0 <= i < n for i in chosen) or not chosen:
        raise ValueError(f"particles = {chosen}, must be different positions in the list of {n} particles")
    return chosen


def _add_point(parameters: _Parameters, point: Floats | None, covariance: Floats | None) -> int:
    first = parameters.add(np.full(3, np.nan) if point is None else point)
    if covariance is not None:
        parameters.measure(first, covariance)
    return first


def _rows(constraint: Constraint, n: int, parameters: _Parameters) -> tuple[list[_Row], int, int]:
    """Return the equations of a constraint, and the first parameters of its vertex and flight (-1: none)."""
    if isinstance(constraint, FourMomentum):
        total = tuple(np.asarray(constraint.total).tolist())
        members = _members(constraint.particles, n)
        axes = [COMPONENTS.index(name) for name in constraint.components]
        return [_Row(COMPONENT, members, axis=axis, total=total) for axis in axes], -1, -1
    if isinstance(constraint, Mass):
        return [_Row(MASS, _members(constraint.particles, n), target=constraint.mass**2)], -1, -1
    if isinstance(constraint, RecoilMass):
        total = tuple(np.asarray(constraint.total).tolist())
        return [_Row(RECOIL, _members(constraint.particles, n), target=constraint.mass**2, total=total)], -1, -1
    tracks = _members(constraint.tracks, n)
    spot, origin = constraint.spot, constraint.origin
    place = _add_point(parameters, _array(spot), _array(constraint.spot_covariance))
    rows = [_Row(VERTEX, (i,), axis=axis, place=place) for i in tracks for axis in range(3)]
    if origin is None:
        return rows, place, -1
    start = _add_point(parameters, _array(origin), _array(constraint.origin_covariance))
    flight = parameters.add(np.full(1, np.nan))
    rows += [_Row(FLIGHT, tracks, axis=axis, place=place, origin=start, flight=flight) for axis in range(3)]
    return rows, place, flight


def _array(values: object) -> Floats | None:
    return None if values is None else np.asarray(values, dtype=np.float64)


def n_events_of(particles: list[Particle]) -> int:
    """Return the number of events all measured particles agree on."""
    counts = set()
    for particle in particles:
        for name in ("helix", "energy", "theta", "momentum", "start"):
            values = getattr(particle, name, None)
            if values is not None:
                counts.add(len(values))
    if len(counts) != 1:
        raise ValueError(f"particles have {sorted(counts)} events, must be the same number for all")
    return counts.pop()


def layout(particles: list[Particle], constraints: list[Constraint], bz: float) -> Layout:
    """Return the tables of a fit; ValueError where particles and constraints do not fit together."""
    parameters = _Parameters(n_events_of(particles))
    bound = {i for constraint in constraints if isinstance(constraint, Vertex) for i in constraint.tracks}
    kinds: list[tuple[int, int, float]] = []
    for particle in particles:
        at_vertex = len(kinds) in bound
        kinds += _add_particle(parameters, particle, at_vertex)
        if at_vertex and not isinstance(particle, Track):
            raise ValueError(f"particle {len(kinds) - 1} is {type(particle).__name__}, must be a Track for a vertex")
    rows: list[_Row] = []
    places, flights = [], []
    for constraint in constraints:
        added, place, flight = _rows(constraint, len(kinds), parameters)
        rows += added
        places += [place] * (place >= 0)
        flights += [flight] * (flight >= 0)
    joined = [i for constraint in constraints if isinstance(constraint, Vertex) for i in constraint.tracks]
    if len(set(joined)) != len(joined):
        raise ValueError(f"vertices of tracks {joined}: a track may come from one vertex only")
    measured = {q for first, size in parameters.blocks for q in range(first, first + size)}
    unmeasured = [q for q in range(parameters.count) if q not in measured]
    sizes = [size for _, size in parameters.blocks]
    if len(rows) <= len(unmeasured):
        raise ValueError(f"{len(rows)} equations for {len(unmeasured)} unknowns, must be more equations than unknowns")
    member = np.zeros((len(rows), len(kinds)), dtype=np.int64)
    for c, row in enumerate(rows):
        member[c, row.members] = 1
    tables = Tables(
        kind=_integers(kind for kind, _, _ in kinds),
        first=_integers(first for _, first, _ in kinds),
        width=_integers(WIDTHS[kind] for kind, _, _ in kinds),
        mass=np.array([mass for _, _, mass in kinds], dtype=np.float64),
        n_parameters=parameters.count,
        block_first=_integers(first for first, _ in parameters.blocks),
        block_size=_integers(sizes),
        block_offset=_integers(sum(s * s for s in sizes[:b]) for b in range(len(sizes))),
        unmeasured=_integers(unmeasured),
        vertex=_integers(places),
        constraint=_integers(row.constraint for row in rows),
        axis=_integers(row.axis for row in rows),
        place=_integers(row.place for row in rows),
        origin=_integers(row.origin for row in rows),
        flight=_integers(row.flight for row in rows),
        target=np.array([row.target for row in rows], dtype=np.float64),
        member=member,
        total=np.array([row.total for row in rows], dtype=np.float64),
        alpha=ALPHA_T / bz,
    )
    values, covariance = np.hstack(parameters.values), np.hstack(parameters.packed)
    return Layout(tables, values, covariance, _integers(flights))


def _integers(values: Iterable[int]) -> Ints:
    return np.array(list(values), dtype=np.int64)
