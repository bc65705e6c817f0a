"""Types of columns, for annotations."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Event and particle numbers, the keys of random numbers.
Keys = NDArray[np.uint64]
Bools = NDArray[np.bool_]
