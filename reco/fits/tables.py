"""What compiled code knows of a fit: the particles, the parameters, the constraints, as flat tables.

All parameters of an event stand in one row: those of particle i begin at `first[i]`, then follow the vertices, three
each, and the flights, one each. Measured parameters form blocks of consecutive ones with a covariance of their own;
whatever is in no block is unmeasured.
"""

from typing import NamedTuple

from ...arrays import Floats, Ints

#: Kinds of particles, by their parameters: (phi0, kappa, tan_lambda); (energy, theta, phi); (px, py, pz); and
#: (d_rho, phi0, kappa, dz, tan_lambda, turning angle) of a track that ends at a vertex.
HELIX, PHOTON, CARTESIAN, AT_VERTEX = range(4)
#: Number of parameters of each kind.
WIDTHS = (3, 3, 3, 6)

#: Kinds of constraints: a component of the four-momentum, the mass of a group, the mass recoiling against a group, a
#: coordinate of the distance between track and vertex, a coordinate of the flight between two vertices.
COMPONENT, MASS, RECOIL, VERTEX, FLIGHT = range(5)


class Tables(NamedTuple):
    """One topology. `axis` is the component or the coordinate, `place` the first parameter of the vertex concerned.

    `member[c, i]` is 1 where particle i takes part in constraint c; `total[c]` the four-momentum it is compared with;
    `target[c]` the mass squared. A flight goes from the vertex at `origin` to that at `place`, with the parameter
    `flight` = length / momentum.
    """

    kind: Ints
    first: Ints
    width: Ints
    mass: Floats
    n_parameters: int
    block_first: Ints
    block_size: Ints
    block_offset: Ints
    unmeasured: Ints
    vertex: Ints
    constraint: Ints
    axis: Ints
    place: Ints
    origin: Ints
    flight: Ints
    target: Floats
    member: Ints
    total: Floats
    #: Radius of curvature [cm] of 1 GeV/c.
    alpha: float
