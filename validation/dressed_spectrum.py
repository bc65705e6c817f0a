"""Mass spectra with vacuum polarisation and resonances in the amplitude, any number of photons from the beams."""

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from ..arrays import Floats
from ..constants import JPSI_MASS, M_MU
from ..sim.radiative.line_shape import line_shape
from ..sim.radiative.radiator import born_leptons, radiator
from .check import Check, Result, Settings
from .closed_forms import integrals
from .leading_order import SQRT_S, Spectrum, compare_spectra, generated_spectrum, spectrum_panel
from .propagators import squared
from .radiation import CONVOLUTION_TOLERANCE, TOPIC, inclusive_factor

_TRIALS = 2**18


def _dressed(settings: Settings) -> Result:
    """Compare the spectrum with vacuum polarisation and resonances with radiator, Born and |F|^2."""
    line = line_shape("mu")

    def spectrum(mass: Floats) -> Floats:
        x = 1.0 - mass**2 / SQRT_S**2
        many = np.interp(mass, grid, factor) * radiator(x, SQRT_S)
        density: Floats = 2.0 * mass / SQRT_S**2 * many * born_leptons(mass, M_MU) * squared(line, mass)
        return density

    results = []
    narrow = np.concatenate([np.linspace(3.05, 3.09, 9), np.linspace(3.092, 3.102, 6), np.linspace(3.105, 3.15, 10)])
    for edges, panel in (
        (np.linspace(1.5, 3.0, 16), spectrum_panel("radiation", "vacuum polarisation")),
        (narrow, spectrum_panel("radiation", r"$J/\psi$ and continuum")),
    ):
        grid = np.linspace(edges[0], edges[-1], 31)
        factor = inclusive_factor(grid, SQRT_S)
        ours = generated_spectrum("mumu_isr", edges, settings, _TRIALS, order="ll", final_state_radiation=False)
        value = _around_poles(spectrum, edges)
        exact = Spectrum(edges, value, np.zeros_like(value))
        source = "radiator of structure functions times Born times |F|^2"
        results.append(
            compare_spectra("mumu_isr, dressed", ours, exact, source, CONVOLUTION_TOLERANCE, panel, r"$\mu\mu\gamma$")
        )
    return Result([row for one in results for row in one.rows], [c for one in results for c in one.curves])


def _around_poles(spectrum: Any, edges: Floats) -> Floats:
    """Return integrals over bins, in sub-intervals that shrink towards the J/psi, which is 93 keV wide."""
    total = np.zeros(len(edges) - 1)
    for i, (low, high) in enumerate(pairwise(edges.tolist())):
        steps = np.geomspace(1e-6, 0.2, 120)
        cuts = np.concatenate([JPSI_MASS - steps[::-1], [JPSI_MASS], JPSI_MASS + steps])
        inner = np.unique(np.concatenate([[low], cuts[(cuts > low) & (cuts < high)], [high]]))
        total[i] = integrals(spectrum, inner).sum()
    return total


def dressed_spectrum(settings: Settings) -> list[Check]:
    """Return the check of dressed spectra."""
    return [Check(TOPIC, "dressed spectrum", partial(_dressed, settings))]
