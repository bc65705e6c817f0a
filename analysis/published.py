"""Published limits on the mixing of a dark photon that decays visibly, as packaged with the figures."""

from functools import cache
from importlib import resources

import numpy as np

from ..event import Floats

#: Experiment, and the packaged curves that belong to it (provenance in the first line of each file).
CURVES = {
    "BaBar": ("babar_2014",),
    "KLOE": ("kloe_2012", "kloe_2014", "kloe_2015", "kloe_2016", "kloe_2018_mumu", "kloe_2018_combined"),
    "NA48/2": ("na48_2015",),
    "A1": ("a1_2011", "a1_2014"),
    "LHCb": ("lhcb_2017", "lhcb_2019"),
    "BESIII 2017": ("besiii_2017",),
}
#: Larger values are artefacts at the ends of digitised curves.
EPSILON_MAX = 0.05


def _columns(name: str) -> Floats:
    package = __package__.rpartition(".")[0]
    with resources.files(package).joinpath("data", name).open(encoding="utf-8") as lines:
        return np.loadtxt(lines, delimiter=",", skiprows=2).T


@cache
def published_curve(name: str) -> tuple[Floats, Floats]:
    """Return mass [GeV] and excluded epsilon (from there upwards) of one packaged curve, NaN where it is interrupted.

    An interruption is a step in mass five times as long as those around it: the vetoed resonances. Points above 0.05
    are left out.
    """
    mass, epsilon = _columns(f"limit_{name}.csv")[:2]
    mass, epsilon = mass[epsilon <= EPSILON_MAX], epsilon[epsilon <= EPSILON_MAX]
    step = np.diff(mass)
    usual = np.array([np.median(step[max(i - 5, 0) : i + 6]) for i in range(step.size)])
    after = np.nonzero(step > np.maximum(5.0 * usual, 0.004))[0] + 1
    middle = 0.5 * (mass[after - 1] + mass[after])
    return np.insert(mass, after, middle), np.insert(epsilon, after, np.nan)


@cache
def muon_anomaly_band() -> tuple[Floats, Floats, Floats]:
    """Return mass [GeV] and the band of epsilon within two standard deviations of the (g-2)_mu difference.

    The difference is (2.87 +- 0.80) 10^-9, that of the years around the BESIII search; newer predictions of the
    standard model have largely removed it.
    """
    columns = _columns("gm2_mu_band.csv")
    return columns[0], columns[2], columns[3]
