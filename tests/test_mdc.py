"""Covariance of a track: against batch least squares, a prototype's table, closed forms and pulls; then its table."""

import csv
import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from besfast.constants import ALPHA_T, HYPOTHESIS_MASSES, M_K, M_MU, M_PI, MUON
from besfast.detector import track_table
from besfast.detector.arithmetic import arcsine, exponential, logarithm, sine, tangent
from besfast.detector.covariance import cholesky, helix_covariance
from besfast.detector.material import touching_shells
from besfast.geometry import helix
from besfast.geometry.card import load_card
from besfast.kernel import BLOCK
from besfast.rng import key, normal2, uniform, words
from scipy import stats

BESIII = load_card("besiii")
DIAGONAL = [0, 2, 5, 9, 14]


def with_mdc(card, **changes):
    return dataclasses.replace(card, mdc=dataclasses.replace(card.mdc, **changes))


def full(covariance):
    """Lower triangles (15, n) as matrices (n, 5, 5)."""
    matrix = np.zeros((covariance.shape[1], 5, 5))
    for i in range(5):
        for j in range(i + 1):
            matrix[:, i, j] = matrix[:, j, i] = covariance[i * (i + 1) // 2 + j]
    return matrix


def sigma_pt(card, p, cosine=0.0, charge=-1.0, mass=M_MU):
    covariance, _ = helix_covariance(card, p, cosine, charge, mass)
    return math.sqrt(covariance[5]) * p * math.sqrt(1 - cosine**2)


# --- numbers --------------------------------------------------------------------------------------------------------


def test_momentum_resolution_at_1_gev():
    assert 100 * sigma_pt(BESIII, 1.0) == pytest.approx(0.474, abs=0.001)
    assert 100 * sigma_pt(with_mdc(BESIII, hit_efficiency=0.95), 1.0) == pytest.approx(0.479, abs=0.001)


def test_full_efficiency_and_the_card_of_a_peer():
    perfect = with_mdc(BESIII, hit_efficiency=1.0)
    assert 100 * sigma_pt(perfect, 1.0) == pytest.approx(0.471, abs=0.001)
    covariance, _ = helix_covariance(perfect, 1.0, 0.0, -1.0, M_MU)
    assert 10 * math.sqrt(covariance[0]) == pytest.approx(0.110, abs=0.001)  # [mm]
    # a peer's card has the beam pipe only and a lighter gas and quotes 0.095 mm and 0.445 %; the gas is not given:
    # the first number hardly depends on it, the second is met at 380 m, between ours (280 m) and gas without wires
    pipe = tuple(shell for shell in BESIII.material if shell.r_outer < 5.0)
    for length, expected in ((28000.0, 0.471), (38000.0, 0.445), (55573.0, 0.421)):
        light = dataclasses.replace(with_mdc(perfect, gas_radiation_length=length), material=pipe)
        covariance, _ = helix_covariance(light, 1.0, 0.0, -1.0, M_MU)
        assert 100 * sigma_pt(light, 1.0) == pytest.approx(expected, abs=0.001)
        assert 10 * math.sqrt(covariance[0]) == pytest.approx(0.095, abs=0.002)


def test_without_matter_the_formula_of_gluckstern_holds():
    # sigma(pt)/pt = sigma pt / (0.3 B L^2) sqrt(720 / (N + 4)) for equally spaced axial layers
    layers = tuple(
        dataclasses.replace(layer, radius=float(r), stereo=1e-9 if i % 2 else 0.1, half_length=1000.0)
        for i, (layer, r) in enumerate(zip(BESIII.mdc.layers, np.linspace(7.0, 77.0, 43)))
    )
    card = dataclasses.replace(
        with_mdc(BESIII, layers=layers, gas_radiation_length=1e12, hit_efficiency=1.0), material=()
    )
    expected = BESIII.mdc.hit_resolution * 1.0 * ALPHA_T / 70.0**2 * math.sqrt(720 / 47)
    assert sigma_pt(card, 1.0) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(
    ("cosine", "hits"), [(0.0, 43), (0.83, 43), (0.86, 37), (0.90, 29), (0.92, 25), (0.93, 23), (0.94, 9), (0.95, 6)]
)
def test_hits_per_polar_angle(cosine, hits):
    for sign in (-1.0, 1.0):
        _, crossed = helix_covariance(BESIII, 1.0, sign * cosine, 1.0, M_MU)
        assert crossed == hits


def test_table_of_a_prototype():
    path = Path(__file__).parent / "data" / "track_resolution.csv"
    lines = path.read_text().splitlines()
    rows = list(csv.DictReader(lines[1:]))
    column = {name: np.array([float(row[name]) for row in rows]) for name in rows[0] if name != "species"}
    mass = np.array([{"mu": M_MU, "K": M_K}[row["species"]] for row in rows])
    p, cosine = column["p_GeV"], column["cos"]
    for efficiency, tolerance in ((0.95, 0.02), (0.98, 0.03)):
        card = with_mdc(BESIII, hit_efficiency=efficiency)
        covariance, hits = helix_covariance(card, p, cosine, -1.0, mass)
        sigma = np.sqrt(covariance[DIAGONAL])
        inside = (p >= 0.2) & (cosine <= 0.92)
        np.testing.assert_array_equal(hits, column["nhit"])
        names = ("sig_d0_cm", "sig_phi0", "sig_kappa", "sig_dz_cm", "sig_tanl")
        for value, name in zip(sigma, names):
            ratio = value / column[name]
            assert np.abs(ratio[inside] - 1).max() < tolerance, (name, efficiency)
            assert np.abs(ratio - 1).max() < 0.04, (name, efficiency)


def test_scaling_with_the_field():
    weak = dataclasses.replace(BESIII, field=dataclasses.replace(BESIII.field, bz=0.9))
    strong = with_mdc(BESIII, hit_efficiency=0.95), with_mdc(weak, hit_efficiency=0.95)
    assert 100 * sigma_pt(strong[1], 1.0) == pytest.approx(0.532, abs=0.002)
    assert sigma_pt(strong[1], 1.0) / sigma_pt(strong[0], 1.0) == pytest.approx(1 / 0.9, rel=0.005)


# --- oracles --------------------------------------------------------------------------------------------------------


def propagate(card, charge, parameters, radius, kick=(0.0, 0.0), kick_radius=0.0):
    """Point on a cylinder of a track with a kick (azimuth, dip) at a smaller radius; a numerical twin."""
    bz = card.field.bz
    d_rho, phi0, kappa, dz, tan_lambda = parameters
    if kick_radius:
        turn = helix.turn_to_radius(d_rho, kappa, kick_radius, bz)
        point = helix.position(d_rho, phi0, kappa, dz, tan_lambda, turn, bz)
        px, py, pz = helix.momentum(phi0 + turn, kappa, tan_lambda)
        p, azimuth, dip = math.sqrt(px**2 + py**2 + pz**2), math.atan2(py, px), math.atan2(pz, math.hypot(px, py))
        azimuth, dip = azimuth + kick[0], dip + kick[1]
        direction = (math.cos(dip) * math.cos(azimuth), math.cos(dip) * math.sin(azimuth), math.sin(dip))
        d_rho, phi0, kappa, dz, tan_lambda = helix.helix_at_origin(*point, *(p * u for u in direction), charge, bz)
    turn = helix.turn_to_radius(d_rho, kappa, radius, bz)
    psi = phi0 + turn
    return (
        np.array(helix.position(d_rho, phi0, kappa, dz, tan_lambda, turn, bz)),
        np.array([-math.sin(psi), math.cos(psi), tan_lambda]),
    )


def batch_covariance(card, p, cosine, charge, mass):
    """(H^T V^-1 H)^-1, V the covariance of all distances to wires: resolution and all scatterers, by differences."""
    s = math.sqrt(1 - cosine**2)
    nominal = (0.0, 0.0, charge / (p * s), 0.0, cosine / s)
    bz = card.field.bz
    layers, normals, points = [], [], []
    for layer in card.mdc.layers:
        point, direction = propagate(card, charge, nominal, layer.radius)
        if abs(point[2]) < layer.half_length:
            radial = point[:2] / np.hypot(*point[:2])
            wire = np.array([-radial[1] * math.tan(layer.stereo), radial[0] * math.tan(layer.stereo), 1.0])
            normal = np.cross(wire, direction)
            layers.append(layer)
            normals.append(normal / np.linalg.norm(normal))
            points.append(point)

    def shifts(move, radius=0.0):
        out = np.zeros(len(layers))
        for i, (layer, normal, point) in enumerate(zip(layers, normals, points)):
            if layer.radius > radius:
                out[i] = normal @ (move(layer.radius) - point)
        return out

    def derivative(move, step, radius=0.0):
        return (shifts(lambda r: move(step, r), radius) - shifts(lambda r: move(-step, r), radius)) / (2 * step)

    H = np.empty((len(layers), 5))
    for k in range(5):
        step = 1e-4 * (abs(nominal[k]) + 0.1)

        def moved(h, r, k=k):
            changed = list(nominal)
            changed[k] += h
            return propagate(card, charge, changed, r)[0]

        H[:, k] = derivative(moved, step)
    V = np.eye(len(layers)) * card.mdc.hit_resolution**2 / card.mdc.hit_efficiency
    scatterers = []
    for group in touching_shells(card):
        total = sum((g.r_outer - g.r_inner) / g.radiation_length for g in group)
        scatterers += [
            (0.5 * (g.r_inner + g.r_outer), (g.r_outer - g.r_inner) / g.radiation_length, total) for g in group
        ]
    inner = card.mdc.gas_inner
    for layer in card.mdc.layers:
        scatterers.append((0.5 * (inner + layer.radius), (layer.radius - inner) / card.mdc.gas_radiation_length, 0.0))
        inner = layer.radius
    beta2 = p**2 / (p**2 + mass**2)
    for radius, thickness, whole in scatterers:
        if radius > max(layer.radius for layer in layers):
            continue
        incidence = s * math.cos(0.5 * helix.turn_to_radius(0.0, nominal[2], radius, bz))
        x = thickness / incidence
        theta = 0.0136 / (p * math.sqrt(beta2)) * math.sqrt(x)
        theta *= 1 + 0.038 * math.log(max(whole / incidence, 3e-3) / beta2)

        def azimuth(h, r, at=radius):
            return propagate(card, charge, nominal, r, (h, 0.0), at)[0]

        def dip(h, r, at=radius):
            return propagate(card, charge, nominal, r, (0.0, h), at)[0]

        for move, width in ((azimuth, theta / s), (dip, theta)):
            g = width * derivative(move, 1e-5, radius)
            V += np.outer(g, g)
    return np.linalg.inv(H.T @ np.linalg.inv(V) @ H)


@pytest.mark.parametrize(
    ("p", "cosine", "charge", "mass"),
    [
        (1.0, 0.0, 1.0, M_MU),
        (0.5, 0.6, -1.0, M_PI),
        (1.8, -0.5, 1.0, M_MU),
        (0.4, -0.85, -1.0, M_K),
        (1.0, 0.9, 1.0, M_MU),
    ],
)
def test_recursion_is_batch_least_squares(p, cosine, charge, mass):
    expected = batch_covariance(BESIII, p, cosine, charge, mass)
    covariance, _ = helix_covariance(BESIII, np.array([p]), cosine, charge, mass)
    scale = np.sqrt(np.diag(expected))
    difference = (full(covariance)[0] - expected) / np.outer(scale, scale)
    assert np.abs(difference).max() < 1e-4


def test_a_rotation_about_x_leaves_the_covariance():
    p, cosine = np.array([0.3, 1.0, 1.5]), np.array([0.3, -0.7, 0.9])
    one, hits = helix_covariance(BESIII, p, cosine, 1.0, M_PI)
    other, same = helix_covariance(BESIII, p, -cosine, -1.0, M_PI)
    np.testing.assert_allclose(one, other, rtol=1e-12)
    np.testing.assert_array_equal(hits, same)


def test_positive_definite_everywhere():
    rng = np.random.default_rng(2)
    p, cosine = np.exp(rng.uniform(np.log(0.1), np.log(5.0), 3000)), rng.uniform(-0.93, 0.93, 3000)
    for mass in HYPOTHESIS_MASSES:
        covariance, hits = helix_covariance(BESIII, p, cosine, 1.0, mass)
        matrices = full(covariance[:, hits >= 10])
        scale = np.sqrt(np.einsum("nii->ni", matrices))
        assert np.linalg.eigvalsh(matrices / (scale[:, :, None] * scale[:, None, :])).min() > 1e-6


def test_cholesky():
    covariance, _ = helix_covariance(BESIII, np.array([0.4, 1.2]), 0.5, 1.0, M_MU)
    factor = cholesky(covariance)
    for i, matrix in enumerate(full(covariance)):
        expected = np.linalg.cholesky(matrix)
        np.testing.assert_allclose(factor[:, i], expected[np.tril_indices(5)], rtol=1e-9)


def test_arithmetic():
    x = np.exp(np.random.default_rng(3).uniform(-40, 40, 2000))
    np.testing.assert_allclose(logarithm(x), np.log(x), rtol=1e-15, atol=3e-15)
    np.testing.assert_allclose(exponential(np.log(x)), np.exp(np.log(x)), rtol=3e-15)
    u = np.linspace(0, 1, 1001)
    np.testing.assert_allclose(arcsine(u), np.arcsin(u), rtol=2e-15)
    angle = np.linspace(-1.6, 1.6, 1001)
    np.testing.assert_allclose(sine(angle), np.sin(angle), rtol=3e-15, atol=1e-16)
    assert tangent(0.07) == pytest.approx(math.tan(0.07), rel=1e-15)
    assert tangent(0.0) == 0.0


# --- the table ------------------------------------------------------------------------------------------------------


def interpolated(card, p, signed_cosine, species=MUON):
    """Interpolated factors (n, 15) and layers (n,) of up to 1024 tracks; negative tracks if the card has two tables."""
    n = len(p)
    node, fp, fc, factors = np.empty(n, dtype=np.uint64), np.empty(n), np.empty(n), np.empty(n * 16)
    table = track_table.track_table(card)
    grid = table.log_p_min, table.per_log_p, table.negative
    track_table.locate_stage(p, signed_cosine, np.full(n, 1.0), species, grid, node, fp, fc)
    track_table.interpolate_stage(table.values, node, fp, fc, factors)
    return factors.reshape(n, 16)


def test_table_is_the_direct_evaluation():
    rng = np.random.default_rng(4)
    n = BLOCK
    p, cosine = rng.uniform(0.2, 2.0, n), rng.uniform(-0.92, 0.92, n)
    factors = interpolated(BESIII, p, cosine)
    hits = factors[:, 15]
    covariance = track_table.covariances(factors, np.arange(n), 1.0).T
    direct, crossed = helix_covariance(BESIII, p, cosine, 1.0, M_MU)
    ratio = np.sqrt(covariance[DIAGONAL] / direct[DIAGONAL])
    barrel = np.abs(cosine) < 0.8
    assert np.abs(ratio[:, barrel] - 1).max() < 0.01  # 0.007 found, at the lowest momenta
    assert np.abs(hits - crossed)[barrel].max() < 0.5
    # where layers end the table is smooth, the direct evaluation has steps
    assert np.sqrt(np.mean((ratio[:, ~barrel] - 1) ** 2)) < 0.04
    assert np.abs(hits - crossed).max() < 8


def test_table_nodes_are_exact():
    table = track_table.track_table(BESIII).values.reshape(5, track_table.N_P, track_table.N_COS, 16)
    i, j = 20, 40
    p = track_table.P_MIN * (track_table.P_MAX / track_table.P_MIN) ** (i / (track_table.N_P - 1))
    cosine = track_table.COS_MAX * (2 * j / (track_table.N_COS - 1) - 1)
    for species, mass in enumerate(HYPOTHESIS_MASSES):
        covariance, hits = helix_covariance(BESIII, np.array([p]), cosine, 1.0, mass)
        np.testing.assert_allclose(table[species, i, j, :15], cholesky(covariance)[:, 0], rtol=1e-7)
        assert table[species, i, j, 15] == hits


def test_nodes_without_a_track_repeat_their_neighbour():
    table = track_table.track_table(BESIII).values.reshape(5, track_table.N_P, track_table.N_COS, 16)
    assert np.isfinite(table).all()
    assert (table[..., [0, 2, 5, 9, 14]] > 0).all()
    edge = table[MUON, 30]
    last = np.flatnonzero(edge[:, 15] >= 10).max()
    np.testing.assert_array_equal(edge[last + 1 :, :15], np.broadcast_to(edge[last, :15], edge[last + 1 :, :15].shape))


def test_a_card_without_enough_layers_is_refused():
    with pytest.raises(ValueError, match=r"mdc\.min_hits = 44"):
        track_table.track_table(with_mdc(BESIII, min_hits=44))


def draw(rows, n, first):
    """Five normals and the uniform of the tails of n tracks."""
    k0, k1 = key(11)
    for j in range(n):
        event = np.uint64(first + j)
        a, b, c, d = words(k0, k1, event, np.uint64(0), np.uint64(200), np.uint64(0))
        e, f, g, _ = words(k0, k1, event, np.uint64(0), np.uint64(200), np.uint64(1))
        rows[:5, j] = (*normal2(a, b), *normal2(c, d), normal2(e, f)[0])
        rows[5, j] = uniform(g)


def pulls(tail_fraction, tail_scale, batches=20):
    n = BLOCK
    rng = np.random.default_rng(5)
    found = []
    s = np.zeros(16 * BLOCK)
    rows = s.reshape(-1, BLOCK)
    for batch in range(batches):
        factors = interpolated(BESIII, rng.uniform(0.3, 1.9, n), rng.uniform(-0.9, 0.9, n))
        draw(rows, n, batch * n)
        rows[6:11] = 0.5
        track_table.smear_stage(factors.reshape(-1), s, n, 1.0, tail_fraction, tail_scale)
        deviation = rows[11:16] - rows[6:11]
        found.append((deviation.T, full(track_table.covariances(factors, np.arange(n), 1.0).T)))
    return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])


def test_pulls_without_tails():
    deviation, matrices = pulls(0.0, 1.0)
    pull = deviation / np.sqrt(np.einsum("nii->ni", matrices))
    np.testing.assert_allclose(pull.std(axis=0), 1.0, atol=0.02)
    np.testing.assert_allclose(pull.mean(axis=0), 0.0, atol=0.02)
    # the five together: chi2 with five degrees of freedom, correlations included; fixed seed
    chi2 = np.einsum("ni,nij,nj->n", deviation, np.linalg.inv(matrices), deviation)
    assert stats.kstest(chi2, stats.chi2(5).cdf).pvalue > 0.01


def test_tails_widen_the_pulls():
    deviation, matrices = pulls(0.08, 2.0, batches=10)
    pull = deviation / np.sqrt(np.einsum("nii->ni", matrices))
    np.testing.assert_allclose(pull.std(axis=0), math.sqrt(0.92 + 0.08 * 4), atol=0.04)
    core = pull[np.abs(pull) < 1.5]
    truncated = stats.truncnorm(-1.5, 1.5).std()
    assert core.std() == pytest.approx(truncated, rel=0.03)


def test_no_smearing_keeps_the_helix():
    factors = interpolated(BESIII, np.full(8, 1.0), np.full(8, 0.1))
    rows = np.zeros((16, BLOCK))
    rows[:6], rows[6:11] = 0.7, 0.123
    track_table.smear_stage(factors.reshape(-1), rows.reshape(-1), 8, 0.0, 0.08, 2.0)
    np.testing.assert_array_equal(rows[11:16, :8], rows[6:11, :8])
