"""Dressed propagators against complex arithmetic, closed forms of narrow resonances and dressed helicity amplitudes."""

import numpy as np
import pytest
from besfast.constants import (
    ALPHA,
    JPSI_BR_EE,
    JPSI_BR_MUMU,
    JPSI_GEE,
    JPSI_MASS,
    JPSI_WIDTH,
    M_E,
    M_MU,
    PSI2S_BR_EE,
    PSI2S_BR_MUMU,
    PSI2S_GEE,
    PSI2S_MASS,
    PSI2S_WIDTH,
)
from besfast.sim.radiative.line_shape import (
    BRANCHING_FRACTIONS,
    bhabha_dressing,
    breit_wigner,
    dressed_bhabha_stage,
    dressed_stage,
    dressing,
    line_shape,
    propagator,
    propagator_stage,
    space_like,
    time_like,
    two_poles,
)
from besfast.sim.radiative.radiator import born_leptons, radiator
from besfast.vacuum_polarisation import NARROW_STATES, delta_alpha

from .test_matrix_element import (
    METRIC,
    antiparticles,
    bar,
    current,
    dot,
    invariants,
    make_point,
    particles,
    polarisations,
    separated,
    slash,
)

RESONANCES = {
    ("jpsi", "mu"): (JPSI_MASS, JPSI_WIDTH, JPSI_GEE, JPSI_BR_MUMU, 0.060011),
    ("jpsi", "e"): (JPSI_MASS, JPSI_WIDTH, JPSI_GEE, JPSI_BR_EE, 0.060112),
    ("psi2s", "mu"): (PSI2S_MASS, PSI2S_WIDTH, PSI2S_GEE, PSI2S_BR_MUMU, 0.026851),
    ("psi2s", "e"): (PSI2S_MASS, PSI2S_WIDTH, PSI2S_GEE, PSI2S_BR_EE, 0.026650),
}


def evaluate(line, q2):
    real, imaginary = np.empty_like(q2), np.empty_like(q2)
    propagator_stage(line, q2, real, imaginary)
    return real + 1j * imaginary


def resonance(q2, mass, width, gee, fraction):
    return 3 * q2 / (ALPHA * mass) * np.sqrt(gee * fraction * width) / (q2 - mass**2 + 1j * mass * width)


def direct(q2, lepton, *, vacuum=True, narrow=True):
    """F(q2) written with complex numbers, the lepton loops exact."""
    total = 1 / (1 - delta_alpha(q2, narrow=False)) if vacuum else np.ones_like(q2, dtype=complex)
    if narrow:
        for state, fraction in zip(NARROW_STATES, BRANCHING_FRACTIONS[lepton]):
            total = total + resonance(q2, state.mass, state.width, state.electronic_width, fraction)
    return total


@pytest.mark.parametrize("lepton", ["e", "mu"])
@pytest.mark.parametrize(("vacuum", "narrow"), [(True, True), (True, False), (False, True), (False, False)])
def test_against_complex_numbers(lepton, vacuum, narrow):
    """Only the thresholds of muon and tau pairs suffer from the table's linear interpolation."""
    line = line_shape(lepton, vacuum_polarisation=vacuum, resonances=narrow)
    mass = np.concatenate([np.linspace(0.01, 11.4, 20001), np.linspace(3.09, 3.1, 2001), np.linspace(3.68, 3.69, 501)])
    q2 = mass**2
    ours, expected = evaluate(line, q2), direct(q2, lepton, vacuum=vacuum, narrow=narrow)
    threshold = (np.abs(mass - 2 * M_MU) < 0.002) | (np.abs(mass - 3.554) < 0.004)
    np.testing.assert_allclose(ours[~threshold], expected[~threshold], rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(ours, expected, rtol=1.5e-4)
    space = evaluate(line, -q2)
    assert np.all(space.imag == 0.0)
    np.testing.assert_allclose(space.real, 1 / (1 - delta_alpha(-q2).real) if vacuum else 1.0, rtol=1e-8)
    if not vacuum and not narrow:
        assert np.all(ours == 1.0)


def test_formulae():
    """The parts of the propagator agree with one another."""
    line = line_shape("mu")
    for q2 in (0.5, 4.0, JPSI_MASS**2, 112.0):
        assert complex(*propagator(line, q2)) == complex(*time_like(line, q2))
        assert dressing(line, q2) == pytest.approx(abs(direct(np.array(q2), "mu")) ** 2, rel=1e-6)
    for q2 in (-0.5, -4.0, 0.0):
        assert propagator(line, q2) == (space_like(line, q2), 0.0)
    assert space_like(line, 0.0) == 1.0
    assert space_like(line, -1000.0) == space_like(line, -131.0)
    for q2 in (1.0, JPSI_MASS**2 * 1.00001, 13.0):
        one, other = complex(*breit_wigner(line.jpsi, q2)), complex(*breit_wigner(line.psi2s, q2))
        assert one == pytest.approx(resonance(q2, *RESONANCES["jpsi", "mu"][:4]), rel=1e-12)
        assert complex(*two_poles(line.jpsi, line.psi2s, q2)) == pytest.approx(one + other, rel=1e-12)


def test_unknown_lepton():
    with pytest.raises(ValueError, match="lepton = 'tau', must be 'e' or 'mu'"):
        line_shape("tau")


def test_interference_with_the_continuum():
    """Below the J/psi the muon pairs interfere destructively, above constructively."""
    mass = np.array([2.9, 3.0, 3.05, 3.08, 3.09, 3.11, 3.15, 3.2, 3.3])
    weight = np.ones_like(mass)
    dressed_stage(line_shape("mu", vacuum_polarisation=False), mass, weight)
    others = np.ones_like(mass)
    for state, fraction in zip(NARROW_STATES[1:], BRANCHING_FRACTIONS["mu"][1:]):
        partial = np.sqrt(state.electronic_width * fraction * state.width)
        others += 3 * mass**2 / (ALPHA * state.mass) * partial / (mass**2 - state.mass**2)
    strength = 3 / (ALPHA * JPSI_MASS) * np.sqrt(JPSI_GEE * JPSI_BR_MUMU * JPSI_WIDTH)
    np.testing.assert_allclose(weight, (others + strength * mass**2 / (mass**2 - JPSI_MASS**2)) ** 2, rtol=3e-4)
    assert np.all(weight[mass < JPSI_MASS] < 1.0)
    assert np.all(weight[mass > JPSI_MASS] > 1.0)
    # the zero: strength m^2 = M^2 - m^2, 1.1 MeV below the J/psi by M strength / 2
    fine = np.linspace(3.09, 3.0968, 20001)
    weight = np.ones_like(fine)
    dressed_stage(line_shape("mu", vacuum_polarisation=False), fine, weight)
    assert JPSI_MASS - fine[weight.argmin()] == pytest.approx(JPSI_MASS * strength / 2, rel=0.02)
    assert weight.min() < 0.01


@pytest.mark.parametrize(("name", "lepton"), RESONANCES)
def test_narrow_peak(name, lepton):
    """Height 12 pi B_ee B_ll / m^2 and area 6 pi^2 Gamma_ee B_ll / m^2 of the resonance alone."""
    mass, width, gee, fraction, _ = RESONANCES[name, lepton]
    line = line_shape(lepton, vacuum_polarisation=False)
    y = np.linspace(-1.5707, 1.5707, 20001)
    m = mass + 0.5 * width * np.tan(y)
    alone = evaluate(line, m**2) - direct(m**2, lepton, vacuum=False) + resonance(m**2, mass, width, gee, fraction)
    sigma = 4 * np.pi * ALPHA**2 / (3 * m**2) * np.abs(alone) ** 2
    assert sigma.max() == pytest.approx(12 * np.pi * gee / width * fraction / mass**2, rel=1e-4)
    area = np.trapezoid(sigma * 0.5 * width / np.cos(y) ** 2, y)
    assert area == pytest.approx(6 * np.pi**2 * gee * fraction / mass**2, rel=1e-3)


@pytest.mark.parametrize(("name", "lepton"), RESONANCES)
def test_radiative_return_to_a_resonance(name, lepton):
    """Radiator times peak: the leading-order cross sections at 3.773 GeV, 12 pi^2 Gamma_ee B_ll W(x) / (m s)."""
    mass, width, gee, fraction, known = RESONANCES[name, lepton]
    sqrt_s, lepton_mass = 3.773, {"mu": M_MU, "e": M_E}[lepton]
    line = line_shape(lepton, vacuum_polarisation=False)
    y = np.linspace(-1.57, 1.57, 200001)
    m = mass + 0.5 * width * np.tan(y)
    others = direct(m**2, lepton, vacuum=False) - resonance(m**2, mass, width, gee, fraction)
    factor = 2 * m / sqrt_s**2 * radiator(1 - m**2 / sqrt_s**2, sqrt_s) * born_leptons(m, lepton_mass)
    factor *= 0.5 * width / np.cos(y) ** 2
    full = evaluate(line, m**2)
    peak = np.trapezoid(factor * np.abs(full - others) ** 2, y)
    assert peak == pytest.approx(known, rel=2e-3)
    # the interference is odd about the mass: within 20 widths only the radiator's slope leaves 2.7 % at the psi(2S)
    near = np.abs(m - mass) < 20 * width
    whole = np.trapezoid((factor * (np.abs(full) ** 2 - np.abs(others) ** 2))[near], y[near])
    assert whole == pytest.approx(np.trapezoid((factor * np.abs(full - others) ** 2)[near], y[near]), rel=0.03)


def test_light_states_stand_out():
    """omega and phi move the muon pairs by 5 and 13 %; between them and from 1.1 to 3 GeV nothing is narrow."""
    mass = np.linspace(0.3, 3.0, 27001)
    weight = np.ones_like(mass)
    dressed_stage(line_shape("mu", resonances=False), mass, weight)
    for m, swing in ((0.7827, 0.05), (1.0195, 0.12)):
        near = np.abs(mass - m) < 0.01
        assert np.ptp(weight[near]) > swing
    away = (mass > 1.1) | (mass < 0.7)
    step = np.abs(np.diff(weight))[away[1:]]
    assert step.max() < 5e-5
    assert np.all((weight[mass > 1.1] > 1.03) & (weight[mass > 1.1] < 1.05))


def test_running_of_an_exchange():
    """At t = -1 and -10 GeV^2 an exchanged photon is stronger by 2 Delta alpha = 3.4 and 5.0 %."""
    line = line_shape("e")
    for q2, known in ((-1.0, 0.01276 + 0.00364), (-9.9856, 0.01663 + 0.00842)):
        assert space_like(line, q2) ** 2 == pytest.approx((1 - known) ** -2, rel=2e-4)


def dressed_amplitude2(point, f):
    """Return <|M|^2> / e^6 of radiative Bhabha scattering, F = f[...] on every propagator of the eight diagrams."""
    p1, p2, p3, p4, k = (point[name] for name in ("p1", "p2", "p3", "p4", "k"))
    k1, k2, k3, k4 = (point[name] for name in ("k1", "k2", "k3", "k4"))
    t1, t2 = 2 * M_E**2 - 2 * dot(p1, p3), 2 * M_E**2 - 2 * dot(p2, p4)
    total = 0.0
    for e in polarisations(k):
        ke, ek = slash(k) @ slash(e), slash(e) @ slash(k)
        for u1 in particles(p1, M_E):
            x1 = (2 * dot(p1, e) * u1 - ke @ u1) / (-2 * k1)
            for v2 in antiparticles(p2, M_E):
                b2 = bar(v2)
                x2 = (-2 * dot(p2, e) * b2 + b2 @ ek) / (-2 * k2)
                initial, born = current(b2, x1) + current(x2, u1), current(b2, u1)
                for u3 in particles(p3, M_E):
                    b3 = bar(u3)
                    x3 = (2 * dot(p3, e) * b3 + b3 @ ek) / (2 * k3)
                    for v4 in antiparticles(p4, M_E):
                        x4 = (-2 * dot(p4, e) * v4 - ke @ v4) / (2 * k4)
                        m = f["s_prime"] * np.sum(METRIC * initial * current(b3, v4)) / point["s_prime"]
                        m += f["s"] * np.sum(METRIC * born * (current(x3, v4) + current(b3, x4))) / point["s"]
                        electron = current(x3, u1) + current(b3, x1)
                        m -= f["t_prime"] * np.sum(METRIC * electron * current(b2, v4)) / t2
                        positron = current(x2, v4) + current(b2, x4)
                        m -= f["t"] * np.sum(METRIC * current(b3, u1) * positron) / t1
                        total += abs(m) ** 2
    return total / 4


def factors(line, point):
    q2 = {"s": point["s"], "s_prime": point["s_prime"]}
    q2 |= {"t": -2 * dot(point["p1"], point["p3"]), "t_prime": -2 * dot(point["p2"], point["p4"])}
    return {name: complex(*propagator(line, value)) for name, value in q2.items()}


def reduced_born(point, f):
    """|M|^2 of e+ e- -> e+ e- after the photon left the nearer beam: t on the side that did not radiate."""
    near = "t_prime" if point["k1"] < point["k2"] else "t"
    t = -2 * dot(point["p2"], point["p4"]) if near == "t_prime" else -2 * dot(point["p1"], point["p3"])
    s = point["s_prime"]
    u = -s - t
    both = abs(f["s_prime"] / s + f[near] / t) ** 2
    return (s / t * abs(f[near])) ** 2 + (t / s * abs(f["s_prime"])) ** 2 + u * u * both


BARE = dict.fromkeys(("s", "s_prime", "t", "t_prime"), 1.0)


@pytest.mark.parametrize("theta", [1e-8, 2.7e-4, 1e-3, 0.03, 0.1, 0.5, 1.4])
def test_bhabha_against_helicity_amplitudes(theta):
    """All photon angles; what is left is the electron's mass, 3e-6 at theta = m_e / E and below 5e-7 elsewhere."""
    rng = np.random.default_rng(11)
    line = line_shape("e")
    points = [point for point in (make_point(rng, M_E, theta) for _ in range(200)) if separated(point)]
    limit = 4e-6 if 1e-4 < theta < 2e-3 else 5e-7
    for point in points[:6]:
        exact = dressed_amplitude2(point, factors(line, point)) / dressed_amplitude2(point, BARE)
        assert bhabha_dressing(line, *invariants(point, final=True)) == pytest.approx(exact, rel=limit)


def test_bhabha_at_the_resonance():
    """A pair at the J/psi: the s channel alone resonates, on top of the exchange."""
    rng = np.random.default_rng(12)
    line = line_shape("e")
    done = 0
    while done < 5:
        point = make_point(rng, M_E, 0.03, sqrt_s=3.2)
        if abs(np.sqrt(point["s_prime"]) - JPSI_MASS) < 0.1 and separated(point):
            exact = dressed_amplitude2(point, factors(line, point)) / dressed_amplitude2(point, BARE)
            assert bhabha_dressing(line, *invariants(point, final=True)) == pytest.approx(exact, rel=1e-5)
            done += 1


@pytest.mark.parametrize(("theta", "spread"), [(1e-5, 1e-5), (1e-3, 1e-5), (0.03, 2e-4), (0.1, 5e-4), (1.4, 2e-2)])
def test_bhabha_near_a_beam(theta, spread):
    """Collinear with a beam it is the ratio of Born cross sections at s' and the other beam's t.

    Standard deviation seen: 3e-6 at 1 mrad, 8e-5 at 30 mrad, 3e-4 at 100 mrad, 1e-2 at wide angle.
    """
    rng = np.random.default_rng(13)
    line = line_shape("e", resonances=False)
    points = [point for point in (make_point(rng, M_E, theta) for _ in range(400)) if separated(point)]
    ratio = []
    for point in points:
        simple = reduced_born(point, factors(line, point)) / reduced_born(point, BARE)
        ratio.append(bhabha_dressing(line, *invariants(point, final=True)) / simple)
    assert len(ratio) > 50
    assert np.std(ratio) < spread
    assert np.mean(ratio) == pytest.approx(1.0, abs=spread)


def stage_columns(points):
    """Return the generator's columns of points: sqrt(s), mass, 1 -+ b cos of the photon, cos*, pz of the electron."""
    rows = []
    for point in points:
        sqrt_s, mass = np.sqrt(point["s"]), np.sqrt(point["s_prime"])
        fraction = (point["s"] - point["s_prime"]) / 4
        beta = np.sqrt(1 - 4 * M_E**2 / point["s_prime"])
        cosine = (point["k4"] - point["k3"]) / (2 * fraction * beta)
        rows.append((sqrt_s, mass, point["k1"] / fraction, point["k2"] / fraction, cosine, point["p3"][3]))
    return [np.ascontiguousarray(column) for column in np.array(rows).T]


def test_stage():
    """The stage multiplies what is there, each point at its own energy; without dressing it leaves it alone."""
    rng = np.random.default_rng(14)
    points = [
        make_point(rng, M_E, theta, sqrt_s=sqrt_s) for theta in (1e-3, 0.05, 0.9) for sqrt_s in (2.5, 3.773, 10.58)
    ]
    points = [point for point in points if separated(point, angle=0.1)]
    assert len(points) > 3
    columns = stage_columns(points)
    line = line_shape("e")
    weight = np.full(len(points), 3.0)
    dressed_bhabha_stage(line, *columns, weight)
    expected = [3 * bhabha_dressing(line, *invariants(point, final=True)) for point in points]
    np.testing.assert_allclose(weight, expected, rtol=1e-9)
    weight[:] = 2.0
    dressed_bhabha_stage(line_shape("e", vacuum_polarisation=False, resonances=False), *columns, weight)
    np.testing.assert_allclose(weight, 2.0, rtol=1e-6)


def test_same_bits_without_compilation(run_python):
    """Plain Python makes the same numbers as the compiled stages (a few nodes of the table, for its time)."""
    code = """
import numpy as np
from besfast import vacuum_polarisation as vacuum
from besfast.sim.radiative import line_shape as shape
rows = vacuum.hadronic_table()[:400].copy()
shape.hadronic_table = lambda: rows
line = shape.line_shape("mu")
q2 = np.array([1e-4, 1e-3, -1e-3, 0.0012, -0.0014])
real, imaginary = np.empty(5), np.empty(5)
shape.propagator_stage(line, q2, real, imaginary)
print(line.table.tobytes().hex()[::97], real.tobytes().hex(), imaginary.tobytes().hex(), line.jpsi, line.phi.mass2)
"""
    assert run_python(code) == run_python(code, NUMBA_DISABLE_JIT="1")
