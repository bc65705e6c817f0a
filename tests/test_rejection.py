"""Events of models by acceptance and rejection: integrals, distributions, bad models, processes of one's own."""

import doctest
import json
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from besfast.cli import main
from besfast.event import concatenate
from besfast.sim.generate import Generator
from besfast.sim.processes import model as model_module
from besfast.sim.processes import registry
from besfast.sim.processes.grid import CELLS, Grid
from besfast.sim.processes.model import Particle, Points
from besfast.sim.processes.options import Option
from besfast.sim.processes.records import truth_of
from besfast.sim.processes.rejection import ModelProcess, chosen_maximum
from besfast.store import read
from scipy import stats

SMALL = {"n_scan": 2**17, "n_cross_section": 2**17}


class Toy:
    """Two coordinates of the unit square become px and energy of one particle; `density` is the cross section."""

    particles = (Particle(22, 0),)
    n_uniforms = 2

    def __init__(self, density):
        self.density = density

    def points(self, u, sqrt_s):
        momenta = np.zeros((1, 4, len(sqrt_s)))
        momenta[0, 0], momenta[0, 3] = u[1], u[0]
        return Points(self.density(u[0], u[1], sqrt_s), momenta)


def toy(density, name="toy", **fields):
    return ModelProcess(
        name=name, final_state="toys", build=lambda *_: Toy(density), options={}, reference="none", **fields
    )


@pytest.fixture
def known(monkeypatch):
    """Return a function that registers toys by their density, forgotten after the test."""
    monkeypatch.setattr(registry, "_PROCESSES", dict(registry.processes()))

    def register(density, **fields):
        process = toy(density, **fields)
        registry.register(process)
        return process.name

    return register


def smooth(x, y, sqrt_s):
    """10 nb, x as 3 x^2, y as 2 (1 - y)."""
    return 10.0 * 3.0 * x**2 * 2.0 * (1.0 - y)


def test_integral_and_distributions(known):
    """The cross section within three errors, themselves below 0.1 %; both coordinates by KS, p > 1e-3."""
    generator = Generator(known(smooth), seed=1)
    assert abs(generator.cross_section - 10.0) < 3.0 * generator.cross_section_error < 0.03
    assert generator.efficiency > 0.7
    assert generator.overflow == 0.0
    truth = generator.events(0, 100_000)
    assert np.all(truth.weight == 1.0)
    assert stats.kstest(truth.energy, lambda x: x**3).pvalue > 1e-3
    assert stats.kstest(truth.px, lambda y: 2.0 * y - y * y).pvalue > 1e-3
    assert abs(np.corrcoef(truth.energy, truth.px)[0, 1]) < 4.0 / np.sqrt(1e5)


def test_weighted(known):
    """Mean weight one, and both weighted coordinates with the moments of the density within four errors."""
    truth = Generator(known(smooth), seed=2, weighted=True).events(0, 100_000)
    w = truth.weight
    assert w.std() > 0.05
    assert abs(w.mean() - 1.0) < 4.0 * w.std() / np.sqrt(len(w))
    for values, mean in ((truth.energy, 3.0 / 4.0), (truth.energy**2, 3.0 / 5.0), (truth.px, 1.0 / 3.0)):
        assert abs(np.average(values - mean, weights=w)) < 4.0 * (w * (values - mean)).std() / np.sqrt(len(w))


@pytest.mark.parametrize("weighted", [False, True])
def test_any_division_gives_the_same_bits(known, weighted, assert_same):
    generator = Generator(known(smooth), seed=3, weighted=weighted, energy_spread=1e-3, **SMALL)
    whole = generator.events(0, 40_000)
    pieces = [(0, 1), (1, 1022), (1023, 20_000), (21_023, 18_977)]
    assert_same(whole, concatenate([generator.events(*piece) for piece in pieces]))
    with ThreadPoolExecutor(2) as pool:
        assert_same(whole, concatenate(list(pool.map(lambda piece: generator.events(*piece), pieces))))
    assert generator.events(5, 0).n_events == 0
    np.testing.assert_array_equal(generator.events(2**33, 2).number, [2**33, 2**33 + 1])
    other = Generator("toy", seed=4, weighted=weighted, **SMALL).events(0, 100)
    assert not np.any(other.px == whole.px[:100])


@pytest.mark.parametrize(("width", "efficiency"), [(1e-2, 0.6), (1e-4, 0.5), (1e-6, 0.05)])
def test_grid_finds_a_peak(known, width, efficiency):
    """A Breit-Wigner peak, its width far below that of an even cell, is found and unweighted."""

    def peak(x, y, sqrt_s):
        return 1.0 / (1.0 + ((x - 0.3) / width) ** 2)

    generator = Generator(known(peak), seed=5)
    area = width * (np.arctan(0.7 / width) + np.arctan(0.3 / width))
    assert abs(generator.cross_section - area) < 3.0 * generator.cross_section_error < 0.01 * area
    assert generator.efficiency > efficiency


def test_grid_finds_an_edge(known):
    """Cuts that leave a hundredth are no loss, though no cell begins at them."""
    generator = Generator(known(lambda x, y, sqrt_s: np.where((x > 0.543) & (x < 0.553), 1.0, 0.0)), seed=6)
    assert generator.cross_section == pytest.approx(0.01, rel=5e-3)
    assert generator.efficiency > 0.5


def test_grid_is_a_map_onto_itself():
    """Cells of a density cover the unit interval; the mean of the Jacobian is one."""
    grid, raw = Grid(1), np.random.default_rng(7).uniform(size=(1, 200_000))
    for _ in range(3):
        u, jacobian = grid.mapped(raw)
        grid = grid.adapted(raw, jacobian * np.exp(-5.0 * u[0]))
    u, jacobian = grid.mapped(raw)
    assert 0.0 < u.min() < 1e-3
    assert 0.99 < u.max() < 1.0
    assert jacobian.mean() == pytest.approx(1.0, abs=0.01)
    # evenly filled where the density is far above the floor
    assert np.std(jacobian * np.exp(-5.0 * u[0])) < 0.3 * np.mean(jacobian * np.exp(-5.0 * u[0]))
    ends = np.array([[np.nextafter(0.0, 1.0), 1.0 - 2.0**-53, 1.0 / CELLS]])
    assert np.all((grid.mapped(ends)[0] >= 0.0) & (grid.mapped(ends)[0] < 1.0))


def test_constant_weights_need_no_trials(known):
    generator = Generator(known(lambda x, y, sqrt_s: np.full_like(x, 2.5)), seed=8, **SMALL)
    assert generator.cross_section == pytest.approx(2.5, rel=1e-12)
    assert generator.efficiency == pytest.approx(1.0, rel=1e-6)


def test_maximum():
    """A little above the largest weight; below it where few weights are far above all others."""
    flat = np.linspace(0.5, 1.0, 10_000)
    assert chosen_maximum(flat) == pytest.approx(1.1)
    assert chosen_maximum(np.full(100, 3.0)) == pytest.approx(3.0)
    spiked = np.append(np.ones(1_000_000), [100.0, 200.0])
    chosen = chosen_maximum(spiked)
    assert chosen == 100.0
    assert np.maximum(spiked - chosen, 0.0).sum() < 1e-4 * spiked.sum()


def test_overflow_is_counted(known):
    """Weights beyond the maximum, here on a diagonal that no grid follows, are those `overflow` tells of."""

    def diagonal(x, y, sqrt_s):
        return np.where(abs(x - y) < 1e-6, 30.0, 1.0)

    generator = Generator(known(diagonal), seed=9, n_scan=2**16, n_cross_section=2**21)
    assert 0.0 < generator.overflow < 1e-3


def test_energy_spread(known):
    """Of a constant cross section the energies are normal (KS, p > 1e-3), and the cross section stays (0.1 %)."""
    generator = Generator(known(smooth), seed=22, sqrt_s=2.0, energy_spread=1e-3)
    assert abs(generator.cross_section - 10.0) < 3.0 * generator.cross_section_error < 0.03
    assert generator.efficiency > 0.5
    energy = generator.events(0, 50_000).event_sqrt_s
    assert stats.kstest((energy - 2.0) / 1e-3, stats.norm.cdf).pvalue > 1e-3


def test_energy_follows_the_cross_section(known):
    """Of a cross section that rises with energy events have the higher energies: mean shifted by spread^2 slope."""
    spread = 2e-3
    name = known(lambda x, y, sqrt_s: 1.0 + 100.0 * np.clip(sqrt_s - 1.995, 0.0, 0.01))
    energy = Generator(name, seed=10, sqrt_s=2.0, energy_spread=spread, **SMALL).events(0, 100_000).event_sqrt_s
    draw = np.random.default_rng(1).normal(2.0, spread, 2_000_000)
    weight = 1.0 + 100.0 * np.clip(draw - 1.995, 0.0, 0.01)
    shift = np.average(draw, weights=weight) - 2.0
    assert shift > 2e-4
    assert energy.mean() - 2.0 == pytest.approx(shift, abs=4.0 * spread / np.sqrt(1e5))


@pytest.mark.parametrize(
    ("density", "match"),
    [
        (lambda x, y, s: np.zeros_like(x), "toy: no event passes the cuts"),
        (lambda x, y, s: np.where(x > 0.99, np.nan, 1.0), "toy: weight nan in trial 0 of event .*, must be finite"),
        (lambda x, y, s: np.where(x > 0.99, np.inf, 1.0), "toy: weight inf"),
        (lambda x, y, s: x - 0.1, "toy: weight -0.0.*, must be finite and not negative"),
        (
            lambda x, y, s: np.where((1000.0 * x + 777.0 * y) % 1.0 < 5e-4, 1.0, 0.0),
            "toy: .* of the trials are accepted, must be 0.002 at least; weighted events or other",
        ),
    ],
)
def test_bad_models(known, density, match):
    with pytest.raises(ValueError, match=match) as caught:
        Generator(known(density), seed=11, **SMALL)
    assert "\n" not in str(caught.value)


def test_rare_nonsense_stops_the_run(known):
    """What the scan has not met is found where it happens, with the number of the event."""
    name = known(lambda x, y, s: np.where((abs(x - 0.5) < 1e-4) & (abs(y - 0.5) < 1e-2), np.nan, 1.0))
    generator = Generator(name, seed=12, n_scan=2**10, n_cross_section=2**10)
    with pytest.raises(ValueError, match=r"toy: weight nan in trial \d+ of event \d+"):
        generator.events(0, 2_000_000)


def test_bad_beams(known):
    name = known(smooth)
    for bad, match in (
        ({"sqrt_s": 0.0}, "sqrt_s = 0.0, must be positive"),
        ({"sqrt_s": float("nan")}, "sqrt_s = nan"),
        ({"energy_spread": -1.0}, "energy_spread = -1.0"),
        ({"energy_spread": 0.2}, "energy_spread = 0.2, must be in"),
        ({"unknown": 1}, "toy has no option 'unknown'"),
    ):
        with pytest.raises((ValueError, TypeError), match=match):
            Generator(name, seed=1, **bad)
    with pytest.raises(TypeError, match="sqrt_s = '3', must be a number"):
        Generator(name, seed=1, sqrt_s="3")


def test_particles_left_out():
    """A particle of zero energy is not written; parents keep pointing at theirs."""
    particles = (Particle(22, 0), Particle(36, 0, 2), Particle(22, 0, 1, 1), Particle(11, -1, 1, 0))
    momenta = np.ones((4, 4, 3))
    momenta[0, 3, 1] = 0.0
    momenta[1, 3, 2] = 0.0
    truth = truth_of(particles, np.arange(3), np.ones(3), np.ones(3), momenta, None)
    np.testing.assert_array_equal(truth.offsets, [0, 4, 7, 10])
    np.testing.assert_array_equal(truth.pdg, [22, 36, 22, 11, 36, 22, 11, 22, 22, 11])
    np.testing.assert_array_equal(truth.parent, [-1, -1, 1, 0, -1, 0, -1, -1, -1, 0])
    np.testing.assert_array_equal(truth.status, [1, 2, 1, 1, 2, 1, 1, 1, 1, 1])
    assert truth.parent.dtype == truth.charge.dtype == np.int32


# ---- processes of one's own ----


def test_worked_example(known):
    """The example of the documentation runs."""
    result = doctest.testmod(model_module, optionflags=doctest.ELLIPSIS)
    assert result.attempted > 5
    assert result.failed == 0
    assert "flat_photons" in registry.processes()


def test_registration(known):
    process = toy(smooth, name="mine", orders=("lo",), parts={"lo": ("gamma_gamma",)})
    registry.register(process)
    registry.register(process)
    assert registry.find_process("mine") is process
    with pytest.raises(ValueError, match="process 'mine' is registered already: toys"):
        registry.register(toy(smooth, name="mine"))
    with pytest.raises(ValueError, match="process 'none': orders is empty"):
        registry.register(toy(smooth, name="none", orders=()))
    with pytest.raises(ValueError, match="mine and gamma_gamma cannot be added"):
        registry.check_sum([("mine", None, {}), ("gamma_gamma", None, {})])


def test_entry_points(known, monkeypatch, tmp_path, capsys):
    """An installed package announces its process, and the command line lists and generates it."""
    option = {"scale": Option(float, "", "factor", "(0, 10]", default=1.0)}
    process = ModelProcess(
        name="announced",
        final_state="toys",
        build=lambda order, sqrt_s, options: Toy(lambda x, y, s: options["scale"] * smooth(x, y, s)),
        options=option,
        reference="none",
    )
    point = SimpleNamespace(load=lambda: process)
    monkeypatch.setattr(registry, "_announced", [])
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == registry.ENTRY_POINTS else [])
    assert main(["generate", "--list"]) == 0
    assert "announced" in capsys.readouterr().out
    path = tmp_path / "a.h5"
    assert main(["generate", "announced", "--events", "10", "--set", "scale=3", "-o", str(path), "--quiet"]) == 0
    truth = read(path)
    assert truth.cross_section == pytest.approx(30.0, rel=0.01)
    assert json.loads(truth.provenance)[0]["options"]["scale"] == 3.0
