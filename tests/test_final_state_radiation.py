"""Photons from pairs: conservation laws, spectra against convolutions, angles against the lowest-order density."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from besfast.constants import JPSI_MASS, M_E, M_MU, M_PI
from besfast.rng import key
from besfast.sim.radiative import pair_emission as pe
from besfast.sim.radiative import photon_fractions
from besfast.sim.radiative import structure_function as sf
from besfast.sim.radiative.final_state_radiation import radiate
from scipy.integrate import quad
from scipy.stats import chi2, ks_2samp, kstest

N = 400_000
P_MIN = 1e-3


def pairs(mass, particle_mass, n=N, seed=1, transverse=False):
    """Pairs at rest with isotropic or 1 + cos^2 directions: negative and positive momenta of shape (4, n)."""
    rng = np.random.default_rng(seed)
    cosine = rng.uniform(-1, 1, n)
    if transverse:
        kept = 2 * rng.random(n) < 1 + cosine**2
        cosine = cosine[kept]
    phi, sine = rng.uniform(0, 2 * np.pi, cosine.size), np.sqrt(1 - cosine**2)
    p = np.sqrt(0.25 * mass**2 - particle_mass**2)
    direction = np.array([sine * np.cos(phi), sine * np.sin(phi), cosine])
    energy = np.full((1, cosine.size), 0.5 * mass)
    return np.vstack([p * direction, energy]), np.vstack([-p * direction, energy])


def boosted(p, g):
    """Pure boost that gives a particle at rest the four-velocity (sqrt(1 + g^2), g)."""
    g = np.asarray(g)[:, None]
    gamma = np.sqrt(1 + np.sum(g * g))
    along = np.sum(g * p[:3], axis=0)
    return np.vstack([p[:3] + g * (along / (gamma + 1) + p[3]), gamma * p[3] + along])


def dot(p, q):
    return p[3] * q[3] - np.sum(p[:3] * q[:3], axis=0)


def sample(mass, particle_mass, *, cut=1e-3, seed=7, g=None, n=N, **options):
    """Return born and radiated momenta: (negative, positive), (negative, positive, photons)."""
    born = pairs(mass, particle_mass, n)
    if g is not None:
        born = tuple(boosted(p, g) for p in born)
    negative, positive = (np.ascontiguousarray(p.copy()) for p in born)
    photons = radiate(*key(seed), 0, particle_mass, cut, negative, positive, **options)
    return born, (negative, positive, photons)


def lost(mass, negative, positive):
    """Return x = 1 - m_ll^2 / m^2 without cancellation of soft photons' recoil against rounding."""
    return 1 - dot(negative + positive, negative + positive) / mass**2


@pytest.mark.parametrize("scalar", [False, True])
@pytest.mark.parametrize("matched", [False, True])
@pytest.mark.parametrize("particle_mass", [M_E, M_MU, M_PI])
def test_conservation(particle_mass, scalar, matched):
    g = [0.3, -0.2, 1.5]
    options = {"scalar": scalar, "matched": matched}
    born, (negative, positive, photons) = sample(2.0, particle_mass, g=g, n=100_000, **options)
    total = negative + positive + photons.sum(axis=0)
    assert np.max(np.abs(total - born[0] - born[1])) < 1e-13
    for p, q in ((negative, born[0]), (positive, born[1])):
        assert np.quantile(np.abs(dot(p, p) - particle_mass**2), 0.99) < 1e-13
        assert np.max(np.abs(dot(p, p) - particle_mass**2)) < 1e-10
        assert p[3].min() >= particle_mass * (1 - 1e-12)
        silent = photons[:, 3].sum(axis=0) == 0
        np.testing.assert_array_equal(p[:, silent], q[:, silent])
    assert np.max(np.abs(dot(photons[0], photons[0]))) < 1e-13
    assert photons[:, 3].min() >= 0
    assert dot(negative + positive, negative + positive).min() > 4 * particle_mass**2
    rest = [boosted(k, -np.array(g))[3] for k in photons]
    one = (photons[0, 3] > 0) & (photons[1, 3] == 0)
    assert rest[0][one].min() > 1e-3 * (1 - 1e-9)


def test_photons_keep_to_their_particle():
    """Photon 0 belongs to the negative particle, photon 1 to the positive one; charges radiate alike."""
    _, (negative, positive, photons) = sample(2.0, M_E)
    near = []
    for own, other, k in ((negative, positive, photons[0]), (positive, negative, photons[1])):
        hit = k[3] > 0
        near.append(np.mean(dot(own, k)[hit] / own[3][hit] < dot(other, k)[hit] / other[3][hit]))
    assert min(near) > 0.95
    assert ks_2samp(negative[3][negative[3] < 0.99], positive[3][positive[3] < 0.99]).pvalue > P_MIN
    assert ks_2samp(photons[0, 3][photons[0, 3] > 0], photons[1, 3][photons[1, 3] > 0]).pvalue > P_MIN


@pytest.mark.parametrize(("particle_mass", "expected"), [(M_MU, 0.084), (M_E, 0.245)])
def test_mass_spectrum(particle_mass, expected):
    """m_ll^2 = m^2 z1 z2 with both from D: the convolution of D with itself, and the probability to lose 10 MeV."""
    mass = 2.0
    _, (negative, positive, _) = sample(mass, particle_mass, cut=1e-4)
    slope = pe.emission_slope((particle_mass / mass) ** 2)
    edges = np.concatenate([np.logspace(-3, -1, 11), np.linspace(0.2, 0.9, 8)])
    found = np.histogram(lost(mass, negative, positive), edges)[0]
    share = [
        quad(lambda t: np.exp(t) * sf.beam_radiator(np.exp(t), slope), a, b, epsrel=1e-5)[0]
        for a, b in zip(np.log(edges[:-1]), np.log(edges[1:]))
    ]
    pull2 = np.sum((found - N * np.array(share)) ** 2 / (N * np.array(share)))
    assert chi2.sf(pull2, found.size) > P_MIN
    far = np.mean(dot(negative + positive, negative + positive) < (mass - 0.010) ** 2)
    assert far == pytest.approx(expected, rel=0.05)


def test_jpsi_to_electrons_and_photon():
    """J/psi -> e e gamma with E > 100 MeV over e e: 0.147 +- 0.022 (PDG), with either spectrum."""
    for matched in (False, True):
        _, (_, _, photons) = sample(JPSI_MASS, M_E, matched=matched)
        ratio = np.mean(photons[:, 3].sum(axis=0) > 0.1)
        assert abs(ratio - 0.147) < 0.022
        assert ratio == pytest.approx(0.144 if matched else 0.148, abs=0.003)


@pytest.mark.parametrize("matched", [False, True])
@pytest.mark.parametrize("scalar", [False, True])
@pytest.mark.parametrize("root_mu", [0.3, M_MU / 2.0, M_E / 3.0])
def test_fractions(scalar, matched, root_mu):
    """The fraction one particle loses, from the soft peak to z near threshold, against the integral of D."""
    mu = root_mu**2
    slope = pe.emission_slope(mu)
    ratio = sf.scalar_structure_ratio if scalar else sf.structure_ratio
    match = pe.scalar_match if scalar else pe.fermion_match
    columns, drawn = np.empty((4, 1024)), []
    columns[0], columns[1] = mu, slope
    for block in range(100):
        photon_fractions.choose_fractions(*key(5), scalar, matched, np.uint64(1024 * block), *columns)
        drawn.append(columns[2].copy())
    power = 0.5 * slope
    u = np.concatenate(drawn) ** power
    softest = 1e-250**power  # below, y is zero
    soft, hard = np.linspace(softest, 0.5**power, 3000), np.linspace(0.5, 1 - 4 * mu, 3000) ** power
    grid = np.concatenate([soft, hard[1:]])
    y = np.maximum(grid ** (1 / power), 1e-12)
    density = np.array([ratio(v, slope) * (match(v, mu, slope) if matched else 1.0) for v in y])
    cdf = np.concatenate([[0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(grid))])
    assert kstest(u[u > softest], lambda v: np.interp(v, grid, cdf / cdf[-1])).pvalue > P_MIN


@pytest.mark.parametrize(
    ("mass", "particle_mass", "scalar"), [(0.4, M_MU, False), (2.0, M_MU, False), (2.0, M_PI, True), (2.0, M_E, False)]
)
def test_photon_angles(mass, particle_mass, scalar):
    """k.p / (k.p + k.p') of single photons at their energy: the probability integral of G / a is uniform."""
    _, (negative, positive, photons) = sample(mass, particle_mass, scalar=scalar, cut=2e-3)
    mu = (particle_mass / mass) ** 2
    one = (photons[0, 3] > 0) & (photons[1, 3] == 0)
    k, own, other = (p[:, one] for p in (photons[0], negative, positive))
    a = dot(k, own) / (dot(k, own) + dot(k, other))
    y = 2 * k[3] / mass
    z = 1 - y
    b = np.sqrt(1 - 4 * mu / z)
    largest = 0.5 * (1 + b)
    smallest = mu / (z * largest)
    v2 = 1 - 4 * mu
    # G = flat + slope X - floor / X
    flat = v2 * z if scalar else 1 + z * z + 4 * mu * z
    slope = 2 * y * y * (1 if scalar else -1)
    floor = v2 * mu if scalar else 2 * mu * (1 + 2 * mu)

    def integral(a):
        return flat * np.log(a) + slope * (a - 0.5 * a * a) - floor * (np.log(a / (1 - a)) - 1 / a)

    for low, high in ((0, 0.1), (0.1, 0.5), (0.5, 1)):
        chosen = (y >= low) & (y < high)
        share = (integral(a) - integral(smallest)) / (integral(largest) - integral(smallest))
        assert chosen.sum() > 300
        assert kstest(share[chosen], "uniform").pvalue > P_MIN


@pytest.mark.parametrize(("particle_mass", "hard"), [(M_MU, 0.3), (M_E, 0.6)])
def test_directions(particle_mass, hard):
    """1 + cos^2 is kept by the particle that is chosen: <P2> of either follows from the other's angle to it."""
    negative, positive = pairs(3.0, particle_mass, 4 * N, transverse=True)
    photons = radiate(*key(11), 0, particle_mass, 1e-2, negative, positive)
    y = 2 * photons[:, 3].sum(axis=0) / 3.0
    one = (y > hard) & (photons[:, 3].min(axis=0) == 0)
    p, q = negative[:3, one], positive[:3, one]
    p2, q2 = np.sum(p * p, axis=0), np.sum(q * q, axis=0)

    def second(cosine):
        return 1.5 * cosine**2 - 0.5

    between = second(np.sum(p * q, axis=0) / np.sqrt(p2 * q2))
    for own, own2, other2 in ((p, p2, q2), (q, q2, p2)):
        found = second(own[2] / np.sqrt(own2))
        expected = 0.1 * (own2 + other2 * between) / (own2 + other2)
        difference = found - expected
        assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(difference.size)
    azimuth = np.arctan2(photons[0, 1, one], photons[0, 0, one])[photons[0, 3, one] > 0]
    assert kstest(azimuth / (2 * np.pi) + 0.5, "uniform").pvalue > P_MIN


def test_soft_cut_does_not_matter():
    spectra = []
    for cut, seed in ((1e-5, 3), (1e-3, 4)):
        _, (negative, positive, _) = sample(2.0, M_MU, cut=cut, seed=seed)
        spectra.append(lost(2.0, negative, positive))
    shares = [np.mean(x > 0.01) for x in spectra]
    assert abs(shares[0] - shares[1]) < 4 * np.sqrt(2 * shares[0] / N)
    assert ks_2samp(*(x[x > 0.01] for x in spectra)).pvalue > P_MIN


def test_soft_cut_removes_photons_alone():
    """The same seed with another cut: an event without photons between the two cuts is the same."""
    _, (fine, _, photons) = sample(2.0, M_MU, cut=1e-5, n=50_000)
    _, (coarse, _, fewer) = sample(2.0, M_MU, cut=1e-3, n=50_000)
    same = np.all((photons[:, 3] == 0) == (fewer[:, 3] == 0), axis=0)
    assert 0.6 < same.mean() < 1
    np.testing.assert_array_equal(fine[:, same], coarse[:, same])


def test_boost_covariance():
    """A moving pair radiates as one at rest does."""
    g = [0.1, 0.7, -2.0]
    _, rest = sample(1.5, M_MU, n=50_000)
    _, moving = sample(1.5, M_MU, n=50_000, g=g)
    for a, b in zip((*rest[:2], *rest[2]), (*moving[:2], *moving[2])):
        np.testing.assert_allclose(boosted(a, g), b, atol=1e-11)


def test_chunks_and_threads():
    negative, positive = pairs(2.0, M_E, 10_000)
    whole = [negative.copy(), positive.copy()]
    photons = radiate(*key(2), 70, M_E, 1e-3, *whole)

    def part(bounds):
        a, b = bounds
        own = [np.ascontiguousarray(p[:, a:b]) for p in (negative, positive)]
        return (*own, radiate(*key(2), 70 + a, M_E, 1e-3, *own))

    with ThreadPoolExecutor(3) as pool:
        parts = list(pool.map(part, [(0, 1), (1, 3000), (3000, 3000), (3000, 9999), (9999, 10_000)]))
    for i, column in enumerate((*whole, photons)):
        assert np.concatenate([p[i] for p in parts], axis=-1).tobytes() == column.tobytes()


@pytest.mark.parametrize("scalar", [False, True])
@pytest.mark.parametrize("matched", [False, True])
def test_near_threshold(scalar, matched):
    """Slow charges hardly radiate: (8 alpha / 3 pi) v^2 soft photons per unit of ln(E)."""
    for excess in (0.0, 1e-12, 1e-6, 1e-2):
        mass = 2 * M_PI * (1 + excess)
        negative, positive = pairs(mass, M_PI * (1 - 1e-15), 2000)
        photons = radiate(*key(1), 0, M_PI, 1e-6, negative, positive, scalar=scalar, matched=matched)
        for column in (negative, positive, photons):
            assert np.all(np.isfinite(column))
        assert dot(negative + positive, negative + positive).min() >= 4 * M_PI**2 * (1 - 1e-9)
        assert np.mean(photons[:, 3].sum(axis=0) > 0) < 0.01


CHECK_BITS = """
import hashlib
import numpy as np
from besfast.constants import M_E, M_PI
from besfast.rng import key
from besfast.sim.radiative.final_state_radiation import radiate

digest = hashlib.sha256()
for mass, scalar, matched in ((M_E, False, False), (M_PI, True, True), (M_E, False, True)):
    n = 60
    p = np.sqrt(0.25 * 1.7**2 - mass * mass)
    cosine = np.linspace(-1.0, 1.0, n)
    negative, positive = np.zeros((4, n)), np.zeros((4, n))
    negative[0], negative[2] = p * np.sqrt(1.0 - cosine * cosine), p * cosine
    positive[:3] = -negative[:3]
    negative[3] = positive[3] = 0.85
    photons = radiate(*key(1), 5, mass, 1e-4, negative, positive, scalar=scalar, matched=matched)
    assert (photons[:, 3] > 0).sum() > 5
    for column in (negative, positive, photons):
        digest.update((column + 0.0).tobytes())
print(digest.hexdigest())
"""


def test_same_bits_without_compilation(run_python):
    compiled = run_python(CHECK_BITS)
    assert len(compiled.strip()) == hashlib.sha256().digest_size * 2
    assert run_python(CHECK_BITS, NUMBA_DISABLE_JIT="1", PYTHONWARNINGS="error") == compiled


def test_bad_arguments():
    negative, positive = pairs(2.0, M_MU, 10)
    with pytest.raises(ValueError, match=r"positive: shape \(4, 9\), must be \(4, n\)"):
        radiate(*key(1), 0, M_MU, 1e-3, negative, positive[:, :9].copy())
    with pytest.raises(ValueError, match=r"negative: shape \(4, 10\), must be .* C-contiguous"):
        radiate(*key(1), 0, M_MU, 1e-3, np.asfortranarray(negative), positive)
    with pytest.raises(ValueError, match=r"photon_energy_min = 0\.0, must be positive"):
        radiate(*key(1), 0, M_MU, 0.0, negative, positive)
