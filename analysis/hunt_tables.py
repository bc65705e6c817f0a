"""Tables of a bump hunt: every mass with its signal and limits, and what it gains over counting in single bins."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from .bump_hunt.asymptotics import BANDS
from .bump_hunt.scan import ScanResult
from .combination import Table

#: Regions [GeV] of which the gain is told, the gap between the last two.
REGIONS = ((1.5, 2.0), (2.0, 2.5), (2.5, 2.95), (3.2, 3.4))
_BAND_NAMES = tuple("median" if band == 0 else f"{'plus' if band > 0 else 'minus'}_{abs(band):.0f}" for band in BANDS)


def hunt_table(result: ScanResult, channels: Sequence[str]) -> Table:
    """Return one row per mass and convention of a limit, in epsilon^2 and epsilon, with the expected bands.

    epsilon2_hat, its error, z (signed) and p0 are those of the fit, whatever the convention. `method` and `delta`
    (NaN for CLs) and `sidedness` say what the limit is; `containment_*` the share of the signal in the window of a
    channel; `effective_events` the events under the signal.
    """
    parts: list[dict[str, NDArray[np.generic]]] = []
    n = result.masses.size
    for curve in result.limits.values():
        convention = curve.convention
        columns: dict[str, NDArray[np.generic]] = {
            "mass": result.masses,
            "epsilon2_hat": result.mu_hat,
            "epsilon2_error": result.error,
            "z": result.z,
            "p0": result.p0,
            "epsilon2_up": curve.observed,
            "epsilon2_low": curve.lower,
            "epsilon_up": np.sqrt(curve.observed),
        }
        for name, values in zip(_BAND_NAMES, curve.expected, strict=True):
            columns[f"expected_epsilon2_{name}"] = values
            columns[f"expected_epsilon_{name}"] = np.sqrt(values)
        for c, channel in enumerate(channels):
            columns[f"containment_{channel}"] = result.containment[:, c]
        columns["effective_events"] = result.effective_events
        columns["method"] = np.full(n, "cls" if convention.is_cls else "profile_likelihood")
        columns["limit"] = np.full(n, convention.name)
        columns["confidence"] = np.full(n, convention.confidence)
        columns["delta"] = np.full(n, convention.delta)
        columns["sidedness"] = np.full(n, convention.sidedness)
        columns["flags"] = result.flags
        parts.append(columns)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def median_over(mass: Floats, values: Floats, low: float, high: float) -> float:
    """Return the median of the finite values at masses from low to high [GeV]; NaN where there is none."""
    inside = values[(mass >= low) & (mass < high) & np.isfinite(values)]
    return float(np.median(inside)) if inside.size else float("nan")


def gain_table(masses: Floats, expected: Floats, counting: Table) -> Table:
    """Return by region the expected epsilon of the bump hunt, and by how much those of counting exceed it.

    `expected` is the median of the bump hunt at `masses`, `counting` the table of expected limits of single bins of
    the same convention. Bins whose background leans on few others (flag high_leverage) take no part.
    """
    rows: list[dict[str, object]] = []
    for name in dict.fromkeys(counting["combination"].tolist()):
        chosen = counting["combination"] == name
        centre = 0.5 * (np.asarray(counting["mass_low"]) + np.asarray(counting["mass_high"]))[chosen]
        leaning = np.array(["high_leverage" in str(flag) for flag in counting["flags"][chosen]])
        epsilon = np.where(leaning, np.nan, np.asarray(counting["epsilon_up"], dtype=np.float64)[chosen])
        ratio = epsilon / np.interp(centre, masses, expected)
        for low, high in (*REGIONS, (REGIONS[0][0], REGIONS[-1][1])):
            rows.append(
                {
                    "combination": name,
                    "mass_low": low,
                    "mass_high": high,
                    "epsilon_counting": median_over(centre, epsilon, low, high),
                    "epsilon_bump_hunt": median_over(masses, expected, low, high),
                    "gain": median_over(centre, ratio, low, high),
                }
            )
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
