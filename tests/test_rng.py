"""Random numbers: published vectors, distributions, independence of counters, the same bits without compilation."""

import math

import numba
import numpy as np
import pytest
from besfast import rng
from scipy import stats

# Philox4x32-10 of the authors' test file kat_vectors (Random123 1.14): counter, key, result
KNOWN_ANSWERS = (
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
)
MAX_WORD = np.uint64(0xFFFFFFFF)
ZERO = np.uint64(0)
STREAM = rng.TOF_STREAM
N = 200_000
# probability below which a fixed-seed test of a distribution fails
P_MIN = 0.001


@numba.njit(error_model="numpy")
def draw_words(k0, k1, event, particle, stream, block, out):
    for i in range(np.uint64(event.size)):
        a, b, c, d = rng.words(k0, k1, event[i], particle[i], stream, block)
        out[0, i] = a
        out[1, i] = b
        out[2, i] = c
        out[3, i] = d


@numba.njit(error_model="numpy")
def draw(k0, k1, event, particle, stream, uniforms, deep, g, h):
    for i in range(np.uint64(event.size)):
        a, b, c, d = rng.words(k0, k1, event[i], particle[i], stream, np.uint64(0))
        uniforms[i] = rng.uniform(a)
        deep[i] = rng.uniform53(a, b)
        g[i], h[i] = rng.normal2(c, d)


@numba.njit(error_model="numpy")
def draw_one(k0, k1, event, particle, stream):
    a, b, c, d = rng.words(k0, k1, event, particle, stream, np.uint64(0))
    g, h = rng.normal2(c, d)
    return rng.uniform(a), rng.uniform53(a, b), g, h


def words_of(events, particles, stream=STREAM, block=0, seed=1):
    events = np.asarray(events, dtype=np.uint64)
    particles = np.broadcast_to(np.asarray(particles, dtype=np.uint64), events.shape).copy()
    out = np.empty((4, events.size), dtype=np.uint64)
    draw_words(*rng.key(seed), events, particles, stream, np.uint64(block), out)
    return out


@pytest.fixture(scope="module")
def numbers():
    events = np.arange(N, dtype=np.uint64)
    columns = np.empty((4, N))
    draw(*rng.key(20_170_101), events, np.zeros(N, dtype=np.uint64), STREAM, *columns)
    return columns


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_known_answers(counter, key, answer):
    result = rng.philox4x32_10(*(np.uint64(c) for c in counter), *(np.uint64(k) for k in key))
    assert tuple(int(word) for word in result) == answer


def test_counter_layout():
    k0, k1 = rng.key(0x0123456789ABCDEF)
    assert (int(k0), int(k1)) == (0x89ABCDEF, 0x01234567)
    event = 0x1122334455667788
    layout = (0x55667788, 0x11223344, 7, 21 * 256 + 3)
    expected = rng.philox4x32_10(*(np.uint64(c) for c in layout), k0, k1)
    assert rng.words(k0, k1, np.uint64(event), np.uint64(7), np.uint64(21), np.uint64(3)) == expected


def test_uniform_interval_is_open():
    assert rng.uniform(ZERO) == 2.0**-33
    assert rng.uniform(MAX_WORD) == 1.0 - 2.0**-33
    assert rng.uniform53(ZERO, ZERO) == 2.0**-53
    assert rng.uniform53(MAX_WORD, MAX_WORD) == 1.0 - 2.0**-53


def test_uniforms_lie_on_their_grids(numbers):
    for u, bits in ((numbers[0], 33), (numbers[1], 53)):
        k = np.ldexp(u, bits)
        assert np.all(k == np.floor(k))
        assert np.all(k.astype(np.uint64) % np.uint64(2) == 1)


def test_extreme_normals_are_finite():
    largest = math.sqrt(2.0 * 33.0 * math.log(2.0))
    for a in (ZERO, MAX_WORD):
        for b in (ZERO, MAX_WORD, np.uint64(1 << 31)):
            g, h = rng.normal2(a, b)
            assert math.hypot(g, h) <= largest * (1.0 + 1e-14)
    assert math.hypot(*rng.normal2(ZERO, ZERO)) == pytest.approx(largest, rel=1e-14)


@pytest.mark.parametrize(("row", "distribution"), [(0, "uniform"), (1, "uniform"), (2, "norm"), (3, "norm")])
def test_distributions(numbers, row, distribution):
    assert stats.kstest(numbers[row], distribution).pvalue > P_MIN


def test_tails_of_normals(numbers):
    z = np.concatenate([numbers[2], numbers[3]])
    for cut in (2.0, 3.0, 4.0):
        expected = 2.0 * stats.norm.sf(cut) * z.size
        count = np.count_nonzero(np.abs(z) > cut)
        low, high = stats.poisson.cdf(count, expected), stats.poisson.sf(count - 1, expected)
        assert min(low, high) > P_MIN


def test_pairs_fill_the_plane(numbers):
    for a, b in ((numbers[0][:-1], numbers[0][1:]), (stats.norm.cdf(numbers[2]), stats.norm.cdf(numbers[3]))):
        counts, _, _ = np.histogram2d(a, b, bins=16, range=[[0, 1], [0, 1]])
        assert stats.chisquare(counts.ravel()).pvalue > P_MIN


def test_counters_are_independent():
    """Neighbours in event, particle, stream, block, seed and word are uncorrelated: |r| sqrt(n) below 4.5."""
    n = 50_000
    events = np.arange(n)
    reference = words_of(events, 0)
    others = [
        words_of(events + 1, 0)[0],
        words_of(events + 2**32, 0)[0],
        words_of(events, 1)[0],
        words_of(events, 0, stream=STREAM + np.uint64(1))[0],
        words_of(events, 0, block=1)[0],
        words_of(events, 0, seed=2)[0],
        words_of(events, 0, seed=1 + 2**32)[0],
        *reference[1:],
    ]
    x = reference[0] / 2**32
    for other in others:
        assert not np.array_equal(other, reference[0])
        assert abs(np.corrcoef(x, other / 2**32)[0, 1]) * math.sqrt(n) < 4.5


def test_counters_do_not_collide():
    """Philox is a bijection: different (event, particle, stream, block) never give the same four words."""
    blocks = set()
    total = 0
    for stream in (rng.ACCEPT_STREAM, rng.TRACK_STREAM, rng.TOF_STREAM, rng.TOY_STREAM):
        for block in (0, 1, 255):
            for particle in (0, 1, 2):
                words = words_of(np.arange(50), particle, stream=stream, block=block)
                blocks |= {tuple(column) for column in words.T.tolist()}
                total += 50
    assert len(blocks) == total


def test_scalar_equals_vector(numbers):
    k0, k1 = rng.key(20_170_101)
    for event in (0, 1, 7, 1023, 1024, N - 1):
        one = draw_one(k0, k1, np.uint64(event), ZERO, STREAM)
        assert np.array(one).tobytes() == numbers[:, event].copy().tobytes()


@pytest.mark.parametrize("seed", [-1, 2**64, 2**70])
def test_seed_out_of_range(seed):
    with pytest.raises(ValueError, match=rf"seed = {seed}, must be in \[0, 2\*\*64\)"):
        rng.key(seed)


@pytest.mark.parametrize("seed", [1.0, "1", None, True])
def test_seed_of_wrong_type(seed):
    with pytest.raises(TypeError, match="must be an integer"):
        rng.check_seed(seed)


@pytest.mark.parametrize("seed", [0, 1, np.int64(5), np.uint64(2**64 - 1), 2**64 - 1])
def test_seed_in_range(seed):
    assert rng.check_seed(seed) == int(seed)
    k0, k1 = rng.key(seed)
    assert int(k0) + (int(k1) << 32) == int(seed)


def test_derived_seeds():
    """Numbers that must stay: a seed keeps its samples from version to version."""
    assert rng.derive_seed(1, "data", "mumu_isr") == 11933311558887357320
    assert rng.derive_seed(2, "data", "mumu_isr") == 16649255016444320901
    seeds = {rng.derive_seed(s, a, b) for s in range(20) for a in ("data", "mc") for b in ("mumu_isr", "ee_bhabha")}
    assert len(seeds) == 80
    assert all(rng.check_seed(seed) >= 0 for seed in seeds)


def test_same_bits_without_compilation(run_python, numbers):
    code = """
import warnings
warnings.simplefilter("error")
import numpy as np
from besfast import kernel, rng
assert not kernel.JIT
k0, k1 = rng.key(20_170_101)
for event in range(200):
    a, b, c, d = rng.words(k0, k1, np.uint64(event), np.uint64(0), rng.TOF_STREAM, np.uint64(0))
    print(*(float(x).hex() for x in (rng.uniform(a), rng.uniform53(a, b), *rng.normal2(c, d))))
"""
    lines = run_python(code, NUMBA_DISABLE_JIT="1").splitlines()
    expected = [" ".join(float(x).hex() for x in column) for column in numbers[:, :200].T]
    assert lines == expected
