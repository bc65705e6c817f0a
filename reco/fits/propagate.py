"""From the covariance of the parameters of a fit to that of momenta, vertices and lengths of flight."""

import math

import numpy as np

from ...arrays import Floats, Ints
from ...kernel import stage
from .tables import FLIGHT, Tables


@stage
def covariance_stage(t: Tables, n: int, full: Floats, derivative: Floats, result: Floats) -> None:
    """Fill the covariance of the momenta of all particles, then of the vertices: G C G^T event by event.

    `full` (n, n_parameters, n_parameters) is C, `derivative` (n, n_particles, 4, 6) holds dp/da of each particle to its
    own parameters; a vertex is three of the parameters itself.
    """
    n_particles, n_vertices = t.kind.size, t.vertex.size
    half = np.zeros((3 * n_particles + 3 * n_vertices, t.n_parameters))
    for i in range(n):
        for q in range(t.n_parameters):
            for b in range(n_particles):
                for k in range(3):
                    value = 0.0
                    for r in range(t.width[b]):
                        value += derivative[i, b, k, r] * full[i, t.first[b] + r, q]
                    half[3 * b + k, q] = value
            for b in range(n_vertices):
                for k in range(3):
                    half[3 * (n_particles + b) + k, q] = full[i, t.vertex[b] + k, q]
        for row in range(3 * (n_particles + n_vertices)):
            for b in range(n_particles):
                for k in range(3):
                    value = 0.0
                    for r in range(t.width[b]):
                        value += half[row, t.first[b] + r] * derivative[i, b, k, r]
                    result[i, row, 3 * b + k] = value
            for b in range(n_vertices):
                for k in range(3):
                    result[i, row, 3 * (n_particles + b) + k] = half[row, t.vertex[b] + k]


@stage
def flight_stage(
    t: Tables,
    n: int,
    flights: Ints,
    a: Floats,
    full: Floats,
    momentum: Floats,
    derivative: Floats,
    length: Floats,
    sigma: Floats,
) -> None:
    """Fill lengths of flight L = |p| t [cm] and their errors, from dL = |p| dt + t p dp / |p|."""
    n_particles, n_constraints, n_flights = t.kind.size, t.constraint.size, flights.size
    gradient = np.zeros(t.n_parameters)
    for which in range(n_flights):
        row = 0
        for c in range(n_constraints):
            row = c if t.constraint[c] == FLIGHT and t.flight[c] == flights[which] else row
        for i in range(n):
            px, py, pz = 0.0, 0.0, 0.0
            for b in range(n_particles):
                if t.member[row, b] == 1:
                    px, py, pz = px + momentum[i, b, 0], py + momentum[i, b, 1], pz + momentum[i, b, 2]
            p = math.sqrt(px * px + py * py + pz * pz)
            time = a[i, flights[which]]
            for q in range(t.n_parameters):
                gradient[q] = 0.0
            gradient[flights[which]] = p
            for b in range(n_particles):
                if t.member[row, b] == 1:
                    for r in range(t.width[b]):
                        slope = px * derivative[i, b, 0, r] + py * derivative[i, b, 1, r] + pz * derivative[i, b, 2, r]
                        gradient[t.first[b] + r] = time * slope / p
            variance = 0.0
            for q in range(t.n_parameters):
                for r in range(t.n_parameters):
                    variance += gradient[q] * full[i, q, r] * gradient[r]
            length[i, which] = p * time
            sigma[i, which] = math.sqrt(max(variance, 0.0)) if variance == variance else math.nan
