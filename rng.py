"""Counter-based random numbers: Philox4x32-10 keyed by seed, event, particle and ingredient.

`key = (seed_lo, seed_hi)`, `counter = (event_lo, event_hi, particle, stream * 256 + block)`. Whatever the chunk size,
the threads or the machine, the same seed gives the same numbers for the same event. Salmon, Moraes, Dror and Shaw,
SC11 (2011), DOI 10.1145/2063384.2063405.
"""

import hashlib
import math

import numpy as np

from .elementary import log, sincos2pi
from .kernel import bits_float, kernel

MASK32 = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)
_256 = np.uint64(256)

# One constant per random ingredient; never renumbered, so that a seed keeps its events from version to version.
# A stream owns 256 blocks of four words.
ACCEPT_STREAM = np.uint64(1)
MASS_STREAM = np.uint64(2)
ENERGY_SPREAD_STREAM = np.uint64(3)
VERTEX_STREAM = np.uint64(4)
SCAN_STREAM = np.uint64(5)
TRIGGER_STREAM = np.uint64(6)
FSR_STREAM = np.uint64(7)
TRACK_STREAM = np.uint64(16)
TRACK_EFFICIENCY_STREAM = np.uint64(17)
BREMSSTRAHLUNG_STREAM = np.uint64(18)
DEDX_STREAM = np.uint64(19)
TOF_STREAM = np.uint64(20)
EVENT_TIME_STREAM = np.uint64(21)
EMC_STREAM = np.uint64(22)
EMC_POSITION_STREAM = np.uint64(23)
HADRON_STREAM = np.uint64(24)
MUC_STREAM = np.uint64(25)
HIT_LEVEL_STREAM = np.uint64(26)
ENERGY_LOSS_STREAM = np.uint64(28)
CONVERSION_STREAM = np.uint64(29)
DECAY_STREAM = np.uint64(30)
EMC_BACKGROUND_STREAM = np.uint64(32)
PERIOD_STREAM = np.uint64(35)
REGION_STREAM = np.uint64(36)
PSEUDO_DATA_STREAM = np.uint64(48)
TOY_STREAM = np.uint64(49)

MAX_SEED = 2**64 - 1


@kernel
def philox4x32_10(
    c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64, k0: np.uint64, k1: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Return the four 32-bit words (in uint64) of counter (c0..c3) under key (k0, k1), ten rounds."""
    for _ in range(10):
        p0 = _M0 * c0
        p1 = _M1 * c2
        c0 = (p1 >> _32) ^ c1 ^ k0
        c1 = p1 & MASK32
        c2 = (p0 >> _32) ^ c3 ^ k1
        c3 = p0 & MASK32
        k0 = (k0 + _W0) & MASK32
        k1 = (k1 + _W1) & MASK32
    return c0, c1, c2, c3


@kernel
def words(
    k0: np.uint64, k1: np.uint64, event: np.uint64, particle: np.uint64, stream: np.uint64, block: np.uint64 | int
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Return the four words of one block of an event's particle (or trial) and ingredient."""
    return philox4x32_10(
        np.uint64(event) & MASK32,
        np.uint64(event) >> _32,
        np.uint64(particle),
        np.uint64(stream) * _256 + np.uint64(block),
        np.uint64(k0),
        np.uint64(k1),
    )


@kernel
def uniform(word: np.uint64) -> float:
    """Return a number of the open interval (0, 1) from one word: (k + 1/2) / 2^32."""
    k = bits_float(np.int64(word | np.uint64(0x4330000000000000))) - 4503599627370496.0
    return (k + 0.5) * 2.3283064365386963e-10


@kernel
def uniform53(a: np.uint64, b: np.uint64) -> float:
    """Return a number of the open interval (0, 1) from two words: an odd multiple of 2^-53.

    To be taken wherever a power or a logarithm of u goes deep into the tail.
    """
    word = ((a & MASK32) << np.uint64(20)) | (b >> np.uint64(12))
    k = bits_float(np.int64(word | np.uint64(0x4330000000000000))) - 4503599627370496.0
    return (k + 0.5) * 2.220446049250313e-16


@kernel
def normal2(a: np.uint64, b: np.uint64) -> tuple[float, float]:
    """Return two independent standard normals from two words (Box and Muller), always one pair per two words."""
    r = math.sqrt(-2.0 * log(uniform(a)))
    s, c = sincos2pi(uniform(b))
    return r * c, r * s


def key(seed: int) -> tuple[np.uint64, np.uint64]:
    """Return the Philox key (k0, k1) of a seed.

    Raises
    ------
    ValueError
        If the seed is not an integer in [0, 2**64).
    """
    check_seed(seed)
    return np.uint64(int(seed) & 0xFFFFFFFF), np.uint64(int(seed) >> 32)


def check_seed(seed: int) -> int:
    """Return the seed as an int, or raise TypeError or ValueError naming it and what is allowed."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"seed = {seed!r}, must be an integer in [0, 2**64)")
    if not 0 <= int(seed) <= MAX_SEED:
        raise ValueError(f"seed = {seed}, must be in [0, 2**64)")
    return int(seed)


def derive_seed(seed: int, *names: str) -> int:
    """Return an independent seed for a named sample of a run: 8 bytes of blake2b of the joined text."""
    text = "/".join([str(check_seed(seed)), *names])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
