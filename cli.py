"""The command line. Rooms are imported by the verb that needs them, so that `besfast --help` answers at once."""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from .card_verbs import add_card
from .limit_options import add_export, add_spectrum_options
from .sim.processes.options import OPTIONS

DEFAULT_SEED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; a user's mistake is one line at the end of stderr and exit code 2."""
    try:
        options = _parser().parse_args(arguments)
        sys.unraisablehook = _interrupt_again
        from . import commands

        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = _warn
            code = getattr(commands, options.verb)(options)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ValueError, TypeError, OSError) as error:
        print(f"besfast: error: {_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("besfast: interrupted", file=sys.stderr)
        return 130
    finally:
        sys.unraisablehook = sys.__unraisablehook__
    return code or 0


def _interrupt_again(lost: Any) -> None:
    """Repeat a Ctrl-C that came while Python removed a weak reference (h5py has many), where exceptions are ignored."""
    if lost.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(lost)
        return
    import _thread
    import threading

    threading.Timer(0.02, _thread.interrupt_main).start()


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    """Show a warning as one line."""
    print(f"besfast: warning: {' '.join(str(message).split())}", file=sys.stderr)


def _line(error: Exception) -> str:
    """Return the message of an error as one line; errors of the system begin with the file, as ours do."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


class _Version(argparse.Action):
    def __init__(self, **options: Any) -> None:
        super().__init__(nargs=0, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"besfast {version('besfast')}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="besfast", description="Fast detector simulation for e+e- colliders: from generated events to a limit."
    )
    parser.add_argument("--version", action=_Version, help="print the version and stop")
    verbs = parser.add_subparsers(dest="verb", title="verbs", metavar="VERB", required=True)
    _search(verbs)
    _generate(verbs)
    _simulate(verbs)
    _reconstruct(verbs)
    _select(verbs)
    _limit(verbs)
    add_export(verbs, _common)
    _convert(verbs)
    _validate(verbs)
    _inspect(verbs)
    add_card(verbs)
    return parser


def _common(verb: argparse.ArgumentParser, *, output: bool = True, needed: bool = True) -> None:
    if output:
        verb.add_argument("-o", "--output", required=needed, metavar="FILE", help="file to write")
    verb.add_argument("--overwrite", action="store_true", help="replace an existing output")
    verb.add_argument("--jobs", type=int, metavar="N", help="threads (default: processors of this process)")
    verb.add_argument("--quiet", action="store_true", help="no progress bars, no report")


def _seed(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, metavar="N", help=f"0 <= seed < 2**64 (default: {DEFAULT_SEED})"
    )


def _external(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--cross-section", type=float, metavar="NB", help="cross section of an external sample [nb]")
    verb.add_argument("--tries", type=int, metavar="N", help="tries of an external weighted sample: sum(w) / N")
    verb.add_argument("--frame", choices=("cm", "lab"), help="frame of an external sample (default: from its beams)")
    verb.add_argument("--weight", metavar="NAME", help="weight of an external sample, by name (default: the first)")
    verb.add_argument(
        "--beams", choices=("event", "init"), help="beams of an LHE sample (default: incoming particles of each event)"
    )
    verb.add_argument(
        "--keep-complete",
        action="store_true",
        default=None,
        help="of a file that is cut off or damaged, keep the complete events before (default: an error)",
    )


def _search(verbs: Any) -> None:
    verb = verbs.add_parser("search", help="the whole dark-photon search, from generated events to the limit")
    verb.add_argument("search", nargs="?", default="besiii_dark_photon", metavar="NAME|PATH", help="a search TOML")
    verb.add_argument("--out", default="besfast-search", metavar="DIR", help="folder to write (default: %(default)s)")
    verb.add_argument("--card", metavar="NAME|PATH", help="detector card (default: the search's)")
    verb.add_argument(
        "--pseudo-data", choices=("hybrid", "events", "asimov"), default="hybrid", help="default: %(default)s"
    )
    verb.add_argument("--luminosity", type=float, metavar="FB", help="integrated luminosity [fb^-1]")
    verb.add_argument("--inject", metavar="MASS:EPSILON", help="add a dark photon to the pseudo-data")
    verb.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="PROCESS=FILE",
        help="take the events of a process from a file in place of the native generator (repeatable)",
    )
    verb.add_argument("--data", metavar="FILE", help="a spectrum measured elsewhere (CSV) in place of pseudo-data")
    _external(verb)
    _seed(verb)
    _common(verb, output=False)


def _generate(verbs: Any) -> None:
    verb = verbs.add_parser("generate", help="generate events of one process, with its cross section")
    verb.add_argument("process", nargs="?", metavar="PROCESS", help="e.g. mumu_isr, ee_bhabha, dark_photon")
    verb.add_argument("--list", action="store_true", help="list the processes, or describe one, and stop")
    verb.add_argument("--events", type=int, metavar="N", help="number of events")
    verb.add_argument("--sqrt-s", type=float, metavar="GEV", help="centre-of-mass energy (default: the card's)")
    verb.add_argument("--card", default="besiii", metavar="NAME|PATH", help="card of the beams (default: %(default)s)")
    verb.add_argument("--energy-spread", type=float, metavar="GEV", help="spread of sqrt(s) (default: the card's)")
    verb.add_argument("--order", metavar="ORDER", help="lo or ll: one photon, or any number (default: the process's)")
    verb.add_argument("--weighted", action="store_true", help="weighted instead of unweighted events")
    options = verb.add_argument_group("options of the processes", "each takes its own: --list PROCESS says which")
    for name, option in OPTIONS.items():
        unit = option.unit and f" [{option.unit}]"
        more: dict[str, Any] = {"type": option.kind, "metavar": name.upper()}
        if option.kind is bool:
            more = {"action": argparse.BooleanOptionalAction, "default": None}
        options.add_argument("--" + name.replace("_", "-"), help=option.sentence + unit, **more)
    options.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="any option of a process (repeatable)"
    )
    _seed(verb)
    _common(verb, needed=False)


def _simulate(verbs: Any) -> None:
    verb = verbs.add_parser("simulate", help="detector response to generated or external events")
    verb.add_argument("input", metavar="FILE", help="truth (.h5), HepMC3 or LHE (also compressed), told by content")
    verb.add_argument("--card", default="besiii", metavar="NAME|PATH", help="detector card (default: %(default)s)")
    _external(verb)
    _seed(verb)
    _common(verb)


def _reconstruct(verbs: Any) -> None:
    verb = verbs.add_parser("reconstruct", help="tracks, identification and kinematic fits")
    verb.add_argument("input", metavar="FILE", help="detector record (.h5)")
    verb.add_argument("--card", default="besiii", metavar="NAME|PATH", help="detector card (default: %(default)s)")
    _common(verb)


def _select(verbs: Any) -> None:
    verb = verbs.add_parser("select", help="selected events and their cutflow")
    verb.add_argument("input", metavar="FILE", help="reconstructed events (.h5)")
    verb.add_argument("--search", default="besiii_dark_photon", metavar="NAME|PATH", help="a search TOML")
    _common(verb)


def _limit(verbs: Any) -> None:
    verb = verbs.add_parser("limit", help="limits from selected events or a measured spectrum")
    verb.add_argument("input", metavar="FILE", help="selected events (.h5) or a spectrum (.csv, .json)")
    verb.add_argument("--search", default="besiii_dark_photon", metavar="NAME|PATH", help="a search TOML")
    verb.add_argument("--card", metavar="NAME|PATH", help="detector card (default: the search's)")
    verb.add_argument("--luminosity", type=float, metavar="FB", help="integrated luminosity [fb^-1]")
    add_spectrum_options(verb)
    _seed(verb)
    _common(verb)


def _convert(verbs: Any) -> None:
    verb = verbs.add_parser(
        "convert",
        help="truth events from one format into another: HDF5, HepMC3, LHE",
        description="Write truth events in the format of the extension: .h5, or .hepmc3 or .lhe with or without .gz, "
        ".bz2, .xz. They are written in the centre of mass, with e- and e+ as beams.",
    )
    verb.add_argument("input", metavar="FILE", help="truth (.h5), HepMC3 or LHE (also compressed), told by content")
    _external(verb)
    _common(verb)


def _validate(verbs: Any) -> None:
    verb = verbs.add_parser("validate", help="physics validation: tables of ratios with verdicts, and figures")
    what = verb.add_subparsers(dest="what", required=True, metavar="WHAT")
    generators = what.add_parser(
        "generators",
        help="the generators beside closed forms, references and other programs",
        description="Write comparisons.csv, comparisons.md and figures; exit code 1 if any row is off.",
    )
    generators.add_argument("--out", default="besfast-validation", metavar="DIR", help="folder (default: %(default)s)")
    generators.add_argument(
        "--sample",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="events of another program (babayaga, pythia8) in place of their packaged distributions; "
        "NAME=FILE,tries=N or NAME=FILE,cross_section=NB where the file does not say (repeatable)",
    )
    generators.add_argument("--quick", action="store_true", help="samples eight times smaller")
    _seed(generators)
    _common(generators, output=False)
    statistics = what.add_parser(
        "statistics",
        help="the limits: against other computations, injection, coverage, look-elsewhere",
        description="Write comparisons.csv, comparisons.md and figures; exit code 1 if any row is off.",
    )
    statistics.add_argument("--out", default="besfast-validation", metavar="DIR", help="folder (default: %(default)s)")
    statistics.add_argument("--quick", action="store_true", help="eight times fewer trials")
    _seed(statistics)
    _common(statistics, output=False)

    detector = what.add_parser(
        "detector",
        help="the simulated detector beside published numbers, and the effect of each of its ingredients",
        description="Write comparisons.csv, comparisons.md, ingredients.csv, the page detector_validation.md and "
        "figures; exit code 1 if any row is off.",
    )
    detector.add_argument("--out", default="besfast-validation", metavar="DIR", help="folder (default: %(default)s)")
    detector.add_argument("--card", default="besiii", metavar="NAME|PATH", help="detector card (default: %(default)s)")
    detector.add_argument("--targets", metavar="NAME", help="card whose published numbers count (default: its own)")
    detector.add_argument("--quick", action="store_true", help="samples eight times smaller")
    detector.add_argument("--no-ingredients", action="store_true", help="leave out the effect of each ingredient")
    _seed(detector)
    _common(detector, output=False)

    backgrounds = what.add_parser(
        "backgrounds",
        help="what the search neglects: toys and bounds per process and channel",
        description="Write backgrounds.csv, backgrounds_regions.csv and backgrounds.md.",
    )
    backgrounds.add_argument(
        "--out", default="besfast-backgrounds", metavar="DIR", help="folder (default: %(default)s)"
    )
    backgrounds.add_argument("--search", default="besiii_dark_photon", metavar="NAME|PATH", help="a search TOML")
    backgrounds.add_argument("--card", metavar="NAME|PATH", help="detector card (default: the search's)")
    backgrounds.add_argument("--events", type=int, default=2**18, metavar="N", help="per toy (default: %(default)s)")
    backgrounds.add_argument("--hadrons", metavar="FILE", help="hadronic events in place of the packaged result")
    backgrounds.add_argument("--cross-section", type=float, metavar="NB", help="cross section of these events [nb]")
    _seed(backgrounds)
    _common(backgrounds, output=False)


def _inspect(verbs: Any) -> None:
    verb = verbs.add_parser("inspect", help="what a file holds: columns, units, provenance")
    verb.add_argument("input", metavar="FILE")
