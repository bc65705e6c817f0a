"""Options of the verbs that make limits and export them: what a spectrum of a user needs beside itself."""

import argparse
from collections.abc import Callable
from typing import Any

METHODS = ("paper", "bump-hunt")
BACKGROUNDS = ("exp_poly4_split", "poly4")
#: Options that make sense only where nothing is simulated, that is with --resolution.
SPECTRUM_OPTIONS = (
    "conversion", "efficiency_error", "exclude", "background", "order", "leave_out", "half_width", "step",
    "delta", "cl", "sides", "unbounded", "pyhf",
)  # fmt: skip


def mass_range(text: str) -> tuple[float, float]:
    """Return the ends of LOW:HIGH [GeV]."""
    low, _, high = text.partition(":")
    try:
        ends = float(low), float(high)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}, must be LOW:HIGH in GeV, e.g. 2.95:3.20") from None
    if not 0.0 <= ends[0] < ends[1]:
        raise argparse.ArgumentTypeError(f"{text!r}, must be 0 <= LOW < HIGH in GeV")
    return ends


def add_spectrum_options(verb: Any) -> None:
    """Add the options of limits from a spectrum without simulation."""
    verb.add_argument("--method", choices=METHODS, help="counting per bin, or a peak in a window (default: paper)")
    group = verb.add_argument_group(
        "a spectrum without simulation",
        "With --resolution the input is any spectrum: CSV with mass_low, mass_high, n and perhaps channel, or "
        "histograms of boost-histogram or hist in UHI's JSON; no detector card, no search is involved. A VALUE is a "
        "number, a CSV file with a column of the option's name beside mass (or mass_low, mass_high) and perhaps "
        "channel, or the name of a column of the spectrum's own CSV.",
    )
    group.add_argument("--resolution", metavar="VALUE", help="mass resolution [GeV], a Gaussian")
    group.add_argument("--conversion", metavar="VALUE", help="strength (e.g. epsilon^2) per signal event")
    group.add_argument("--efficiency-error", type=float, metavar="X", help="relative error of the signal (default: 0)")
    group.add_argument(
        "--exclude", type=mass_range, action="append", metavar="LOW:HIGH", help="masses to leave out [GeV]"
    )
    group.add_argument("--background", choices=BACKGROUNDS, help="paper: the model (default: exp_poly4_split)")
    group.add_argument("--leave-out", type=int, metavar="N", help="paper: neighbours left out of a bin's prediction")
    group.add_argument("--order", type=int, metavar="N", help="of the polynomial (paper: chosen; bump-hunt: 4)")
    group.add_argument("--half-width", type=float, metavar="GEV", help="bump-hunt: of the window")
    group.add_argument("--step", type=float, metavar="GEV", help="bump-hunt: of the masses (default: resolution / 2)")
    group.add_argument("--delta", type=float, metavar="D", help="threshold in -2 ln L (default: 2.706)")
    group.add_argument("--cl", type=float, metavar="CL", help="confidence in place of --delta, e.g. 0.95")
    group.add_argument("--sides", type=int, choices=(1, 2), help="of an interval of that confidence (default: 2)")
    group.add_argument("--unbounded", action="store_true", default=None, help="refer to the best signal of either sign")
    group.add_argument("--pyhf", metavar="DIR", help="also write a pyhf workspace per mass into a folder")


def add_export(verbs: Any, common: Callable[..., None]) -> None:
    """Add the verb that writes results in the formats of others."""
    verb = verbs.add_parser("export", help="results in the formats of others: HEPData, pyhf")
    formats = verb.add_subparsers(dest="format", required=True, metavar="FORMAT")
    hepdata = formats.add_parser("hepdata", help="submission of limits, spectra and corrections (needs hepdata_lib)")
    hepdata.add_argument("--sqrt-s", type=float, metavar="GEV", help="centre-of-mass energy (default: the card's)")
    hepdata.add_argument("--luminosity", type=float, metavar="FB", help="[fb^-1] (default: the manifest's)")
    pyhf = formats.add_parser("pyhf", help="workspace per mass of the counting experiments of a search")
    for one, what in ((hepdata, "folder of a search, or a CSV of limits"), (pyhf, "folder of a search")):
        one.add_argument("input", metavar="PATH", help=what)
        one.add_argument("-o", "--output", required=True, metavar="DIR", help="folder to write")
        common(one, output=False)
