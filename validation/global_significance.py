"""How often chance makes a peak anywhere: the bound of Gross and Vitells beside as many toys as it takes to see it."""

import math

import numpy as np
from scipy import special

from ..analysis.bump_hunt.asymptotics import CLS_90
from ..analysis.bump_hunt.look_elsewhere import global_significance, global_significance_by_toys
from ..analysis.bump_hunt.model import mass_grid
from ..analysis.bump_hunt.toys import scan_toys
from ..analysis.spectrum import bin_edges, search_bins
from .check import Check, Line, Plot, Result, Settings
from .comparison import Comparison
from .hunt_spectra import expectation, hunt_model

TOPIC = "look-elsewhere"
_TOYS, _FEW = 9600, 320
#: From 2.6 GeV on with the gap inside: two runs of masses, and windows that are shifted.
_BINS = search_bins(bin_edges(2.6, 3.4, 0.002))
_STEP = 0.0025
_JUDGED = (3.0, 3.2, 3.4, 3.6)
#: Smallest probability that is compared, and the relative difference that is granted besides errors.
_SMALLEST, _TOLERANCE = 1e-2, 0.1


def look_elsewhere(settings: Settings) -> list[Check]:
    """Return the check of global p-values."""
    return [Check(TOPIC, "global p-value", lambda: _compare(settings))]


def _compare(settings: Settings) -> Result:
    nu = expectation(_BINS)
    model = hunt_model(nu, mass_grid(_BINS, _STEP), _BINS)
    n_many, n_few = settings.size(_TOYS), _FEW // 2 if settings.quick else _FEW
    few = scan_toys(model, nu, n_few, settings.seed_of("look-elsewhere", "few"), convention=CLS_90)
    many = scan_toys(model, nu, n_many, settings.seed_of("look-elsewhere", "many"), convention=CLS_90)
    rows = []
    subject = f"{_BINS.mass_low[0]:g} to {_BINS.mass_high[-1]:g} GeV, {model.masses.size} masses, two runs"
    for z in _JUDGED:
        bound, direct = (
            global_significance(z, few.z, model.segment),
            global_significance_by_toys(z, many.z),
        )
        judged = direct.p_global >= _SMALLEST
        rows.append(
            Comparison(
                subject, f"p of Z = {z:g} anywhere, by up-crossings of {n_few} toys", bound.p_global, bound.p_error,
                direct.p_global, direct.p_error, "", _TOLERANCE if judged else None, f"{n_many} toys",
                remark="" if judged else "below 1e-2",
            )
        )  # fmt: skip
    fine = np.linspace(1.5, 4.0, 51)
    bounds = [global_significance(float(x), few.z, model.segment).p_global for x in fine]
    points = np.arange(1.6, 3.9, 0.2)
    direct_p = [global_significance_by_toys(float(x), many.z) for x in points]
    plot = Plot("look_elsewhere", subject, "highest local Z", "global p-value", logarithmic=True, y_range=(1e-4, 1.5))
    lines = [
        Line(plot, "local p-value", fine, np.asarray(special.ndtr(-fine)), dashed=True),
        Line(plot, f"up-crossings of {n_few} toys", fine, np.array(bounds)),
        Line(
            plot, f"{n_many} toys", points, np.array([one.p_global for one in direct_p]),
            np.array([one.p_error for one in direct_p]),
        ),
    ]  # fmt: skip
    highest = many.z.max(axis=1)
    median = float(np.median(highest))
    text, error = "median of the highest Z", 1.2533 * float(highest.std()) / math.sqrt(n_many)
    rows.append(Comparison(subject, text, median, error, math.nan, math.nan, "sigma", None, "background only"))
    return Result(rows, [], lines)
