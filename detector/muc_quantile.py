"""How deep in the muon counter a particle hypothesis gets: the cumulative distribution of the last layer hit.

With R_k the probability to cross gap k and e the efficiency of a layer, nothing is seen beyond gap m with probability
1 - e S_m, S_m = R_{m+1} + (1 - e) S_{m+1}. The smallest momenta and the probabilities that hadrons survive are
polynomials in the path per depth, so that nothing is looked up and the loops are vector code.
"""

from functools import lru_cache

import numpy as np

from ..arrays import Floats
from ..constants import MUON, PION
from ..elementary import exp
from ..geometry.sections import Card
from ..kernel import BLOCK, kernel, stage
from .arithmetic import exponential
from .muc import MucParameters, match_variance, region_path
from .muc_table import MAX_GAPS, NEVER, gap_momenta

#: Where the polynomials are exact: paths per depth.
_NODES = (1.0, 1.1, 1.3, 1.5, 1.7)
_TERMS = len(_NODES)
# per region and gap: position, iron in front, then the coefficients of the smallest momentum of muons and of pions,
# and of the fraction of hadrons that get so far
_GAP = 2 + 3 * _TERMS
_REGION = MAX_GAPS * _GAP
_MUON_AT, _PION_AT, _SURVIVAL_AT = 2, 2 + _TERMS, 2 + 2 * _TERMS
#: Gaps are told apart by this much iron [cm].
_NEAR = 0.4
_ERF = (0.278393, 0.230389, 0.000972, 0.078108)
_B = np.uint64(BLOCK)
Curve = tuple[float, float, float, float, float]


def survival(iron: Floats, constants: MucParameters) -> Floats:
    """Return the fraction of hadrons that, themselves or by their secondaries, get through iron [cm].

    With F the interaction lengths in front and y = x + lambda F: exp(-y / lambda) without secondaries; the sum of two
    exponentials of means lambda and L (that of the leakage) with them, 1 for y < 0.
    """
    y = np.maximum(iron, 0.0)
    inner, leakage = constants.iron_length, constants.leakage_length
    leakage = leakage if abs(leakage - inner) > 1e-3 * inner else 1.001 * inner
    primary = exponential(-np.minimum(y / inner, 600.0))
    both = (inner * primary - leakage * exponential(-np.minimum(y / leakage, 600.0))) / (inner - leakage)
    return primary + constants.leakage_fraction * (both - primary)


def _coefficients(values: Floats) -> Floats:
    """Return Newton's divided differences at the nodes."""
    result = values.copy()
    for order in range(1, _TERMS):
        for i in range(_TERMS - 1, order - 1, -1):
            result[i] = (result[i] - result[i - 1]) / (_NODES[i] - _NODES[i - order])
    return result


@lru_cache(maxsize=8)
def muc_curves(card: Card, constants: MucParameters) -> Floats:
    """Return the flat table of polynomials that `gap_curves` reads."""
    table = np.zeros((2, MAX_GAPS, _GAP))
    table[:, :, [0, _MUON_AT, _PION_AT]] = NEVER
    for region, part in zip(table, (card.muc.barrel, card.muc.endcap)):
        barrel = part is card.muc.barrel
        momenta = [gap_momenta(card, barrel, hypothesis, _NODES) for hypothesis in (MUON, PION)]
        iron = 0.0
        for k, row in enumerate(region[: len(part.gaps)]):
            iron += part.iron[k]
            row[:2] = part.gaps[k], iron
            for at, momentum in zip((_MUON_AT, _PION_AT), momenta):
                row[at : at + _TERMS] = _coefficients(momentum[:, k])
            paths = (iron + constants.front_lengths * constants.iron_length) * np.array(_NODES)
            row[_SURVIVAL_AT:] = _coefficients(survival(paths, constants))
        region[len(part.gaps) :, 1] = iron
    table.flags.writeable = False
    return table.reshape(-1)


@kernel
def _curve(table: Floats, at: int) -> Curve:
    a = np.uint64(at)
    return table[a], table[a + np.uint64(1)], table[a + np.uint64(2)], table[a + np.uint64(3)], table[a + np.uint64(4)]


@kernel
def _value(curve: Curve, factor: float) -> float:
    x = min(factor, _NODES[4])
    value = curve[3] + (x - _NODES[3]) * curve[4]
    value = curve[2] + (x - _NODES[2]) * value
    value = curve[1] + (x - _NODES[1]) * value
    return curve[0] + (x - _NODES[0]) * value


@kernel
def _here(curves: tuple[Curve, Curve], barrel: bool, factor: float) -> float:
    """Return the value of the curve of barrel or endcap."""
    b, e = curves
    c0, c1 = b[0] if barrel else e[0], b[1] if barrel else e[1]
    c2, c3 = b[2] if barrel else e[2], b[3] if barrel else e[3]
    return _value((c0, c1, c2, c3, b[4] if barrel else e[4]), factor)


@kernel
def crossed(inverse: float, least: float, constants: MucParameters) -> float:
    """Return the probability that a momentum of this inverse [1/GeV] suffices for a gap of the least momentum [GeV].

    Momenta spread by a relative normal deviate; its distribution to 2.5e-4 (Abramowitz and Stegun 7.1.27).
    """
    z = (1.0 - least * inverse) * constants.per_straggling
    x = min(abs(z), 1e3)
    power = 1.0 + x * (_ERF[0] + x * (_ERF[1] + x * (_ERF[2] + x * _ERF[3])))
    power = power * power
    tail = 0.5 / (power * power)
    return tail if z < 0.0 else 1.0 - tail


@stage
def path_stage(
    cosine: Floats,
    depth: Floats,
    residual: Floats,
    constants: MucParameters,
    factor: Floats,
    across: Floats,
    level: Floats,
) -> None:
    """Fill how a track crosses the iron, and the iron per path at its last layer hit; -1 without hits."""
    for i in range(np.uint64(cosine.size)):
        _, factor[i], across[i] = region_path(cosine[i], constants)
        hit = residual[i] == residual[i]
        level[i] = depth[i] / factor[i] if hit else -1.0


@stage
def gap_sums_stage(
    inverse: Floats,
    cosine: Floats,
    factor: Floats,
    across: Floats,
    level: Floats,
    gap: tuple[tuple[float, float], tuple[float, float], tuple[Curve, Curve], tuple[Curve, Curve], tuple[Curve, Curve]],
    constants: MucParameters,
    s: Floats,
) -> None:
    """Add a gap to the sums S beyond the last layer hit, and from it on; from the last gap to the first.

    The scratch holds both sums of muons and both of pions, rows of `BLOCK`.
    """
    position, iron, muons, pions, survives = gap
    missed = 1.0 - constants.hit_efficiency
    for i in range(np.uint64(inverse.size)):
        barrel = abs(cosine[i]) < constants.barrel_cos_max
        place = position[0] if barrel else position[1]
        inside = place * across[i] < (constants.barrel_extent if barrel else constants.endcap_extent)
        muon = crossed(inverse[i], _here(muons, barrel, factor[i]), constants)
        muon = muon if inside else 0.0
        pion = crossed(inverse[i], _here(pions, barrel, factor[i]), constants)
        pion = (pion if inside else 0.0) * _here(survives, barrel, factor[i])
        above = (iron[0] if barrel else iron[1]) - level[i]
        beyond, there = above > _NEAR, above > -_NEAR
        a, b, c, d = s[i], s[_B + i], s[_B * np.uint64(2) + i], s[_B * np.uint64(3) + i]
        s[i] = muon + missed * a if beyond else a
        s[_B + i] = muon + missed * b if there else b
        s[_B * np.uint64(2) + i] = pion + missed * c if beyond else c
        s[_B * np.uint64(3) + i] = pion + missed * d if there else d


@stage
def near_stage(p: Floats, level: Floats, residual: Floats, constants: MucParameters, near: Floats) -> None:
    """Fill how far hits are from the track as a uniform number, exp(-chi2 / 2); without hits its middle."""
    for i in range(np.uint64(p.size)):
        chi2 = residual[i] * residual[i] / match_variance(p[i], constants)
        near[i] = exp(-0.5 * chi2) if level[i] >= 0.0 else 0.5


@stage
def deviate_stage(level: Floats, near: Floats, constants: MucParameters, beyond: Floats, there: Floats) -> None:
    """Turn the sums into the probability to get deeper (`beyond`) and the upper tail of the measurement (`there`).

    At a layer, tracks are ordered by how near their hits are, so that the discrete depth becomes a continuous variable.
    Tracks without hits have no such measurement and stand in their middle.
    """
    for i in range(np.uint64(level.size)):
        seen = constants.track_efficiency * constants.hit_efficiency
        deeper, from_here = seen * beyond[i], seen * there[i]
        from_here = from_here if level[i] >= 0.0 else 1.0
        beyond[i] = deeper
        there[i] = from_here - (from_here - deeper) * near[i]


@stage
def depth_stage(
    p: Floats, cosine: Floats, depth: Floats, residual: Floats, table: Floats, constants: MucParameters, s: Floats
) -> None:
    """Fill the probabilities to be seen deeper, and to be seen deeper or nearer to its track: of muons, then of pions.

    Momenta [GeV] and cos(theta) at the origin, depth [cm] and distance to the hits [cm] as measured (NaN without hits)
    of at most `BLOCK` tracks; the scratch has four rows of `BLOCK`.
    """
    n = p.size
    factor, across, level, inverse, near = np.empty(n), np.empty(n), np.empty(n), 1.0 / p, np.empty(n)
    path_stage(cosine, depth, residual, constants, factor, across, level)
    s[: 4 * BLOCK] = 0.0
    for back in range(MAX_GAPS):
        b = (MAX_GAPS - 1 - back) * _GAP
        e = b + _REGION
        position = (table[np.uint64(b)], table[np.uint64(e)])
        iron = (table[np.uint64(b + 1)], table[np.uint64(e + 1)])
        muons = (_curve(table, b + _MUON_AT), _curve(table, e + _MUON_AT))
        pions = (_curve(table, b + _PION_AT), _curve(table, e + _PION_AT))
        survives = (_curve(table, b + _SURVIVAL_AT), _curve(table, e + _SURVIVAL_AT))
        if min(position[0], position[1]) < NEVER:
            gap_sums_stage(
                inverse, cosine, factor, across, level, (position, iron, muons, pions, survives), constants, s
            )
    near_stage(p, level, residual, constants, near)
    deviate_stage(level, near, constants, s[:n], s[BLOCK : BLOCK + n])
    deviate_stage(level, near, constants, s[2 * BLOCK : 2 * BLOCK + n], s[3 * BLOCK : 3 * BLOCK + n])
