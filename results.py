"""The outcome of a search, and the folder of tables, figures and manifest it leaves."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .analysis.background_choice import Verdict
from .analysis.combination import COMBINATIONS, ChannelInput, Table
from .analysis.drawing import save_figure
from .analysis.hunt_figures import hunt_figure, spurious_figure
from .analysis.report import cutflow_table, draw_figures, spectra_table
from .analysis.search_card import Search
from .analysis.spectrum import Spectrum
from .analysis.spurious_signal import ALLOWED_SPURIOUS
from .analysis.systematics import systematics_legend, systematics_table
from .analysis.table import write_table
from .expectations import PseudoData
from .geometry.card import card_hash
from .hunting import Hunted
from .limit_inputs import Corrections
from .samples import Producer, Sample


@dataclass(frozen=True, repr=False)
class SearchResult:
    """What a search found: one row per combination and bin in `limits` and `expected`."""

    search: Search
    limits: Table
    expected: Table
    channels: list[ChannelInput]
    backgrounds: Table
    verdicts: dict[str, Verdict]
    manifest: dict[str, Any]
    out: Path | None
    hunted: Hunted | None = None
    envelope: Table | None = None

    def __repr__(self) -> str:
        """Return the summary."""
        return self.summary()

    def summary(self) -> str:
        """Return a few lines: the median limit on epsilon of every combination, and what is flagged."""
        lines = [f"{'combination':12s} {'median epsilon':>15s} {'expected':>12s}"]
        for name in dict.fromkeys(self.limits["combination"].tolist()):
            rows = self.limits["combination"] == name
            observed = np.median(np.asarray(self.limits["epsilon_up"])[rows])
            expected = np.median(np.asarray(self.expected["epsilon_up"])[rows])
            lines.append(f"{name:12s} {observed:15.3e} {expected:12.3e}")
        for channel in self.channels:
            fit = channel.background
            order = ", ".join(map(str, fit.order))
            reasons = self.verdicts[channel.channel].reasons
            lines.extend(f"{channel.channel}: background {fit.model}, order {order}: {reason}" for reason in reasons)
        return "\n".join(lines + (self.hunted.summary() if self.hunted else []))


def search_manifest(
    producer: Producer,
    asked: dict[str, Any],
    simulated: dict[str, Sample],
    made: PseudoData | None,
    verdicts: dict[str, Verdict],
    channels: list[ChannelInput],
    hunted: Hunted | None,
    timings: dict[str, float],
) -> dict[str, Any]:
    """Return what a search was, of what its samples were made, and how well its backgrounds were described.

    `asked` are the options of the run, as they are to appear.
    """
    from importlib.metadata import version

    search, samples = producer.search, (made.samples if made else [])
    return {
        "besfast": version("besfast"),
        "search": search.name,
        "search_hash": search.digest(),
        "card": producer.card.name,
        "card_hash": card_hash(producer.card),
        "luminosity_fb": producer.luminosity,
        **asked,
        "seed": str(producer.seed),
        "seeds": {name: str(seed) for name, seed in sorted(producer.seeds.items())},
        "simulation": {label: sample.report() for label, sample in simulated.items()},
        "data": {sample.label: sample.report() for sample in samples},
        "expectation": {label: one.report() for label, one in (made.drawn if made else {}).items()},
        "background": {
            channel.channel: {
                "model": channel.background.model,
                "order": list(channel.background.order),
                "deviance": float(channel.background.deviance),
                "degrees_of_freedom": int(channel.background.dof),
                "p_value": float(channel.background.p_value),
                "background_ok": bool(channel.background.background_ok),
                "converged": bool(channel.background.converged),
                "prediction": channel.background.prediction,
                "spurious_signal": verdicts[channel.channel].spurious_largest,
                "spurious_signal_at": verdicts[channel.channel].spurious_at_mass,
                "reasons": list(verdicts[channel.channel].reasons),
            }
            for channel in channels
        },
        "bump_hunt": {"note": "the search asks for none"} if hunted is None else hunted.report(),
        "timings_s": timings,
    }


def write_folder(target: Path, overwrite: bool, fill: Callable[[Path], None]) -> None:
    """Fill a folder under a temporary name, then give it its own: it is there whole or not at all."""
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        fill(temporary)
        temporary.chmod(0o777 & ~_umask())
        if overwrite and target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
            target.rename(old / target.name)
            temporary.rename(target)
            shutil.rmtree(old)
        else:
            temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def fill_folder(
    folder: Path,
    result: SearchResult,
    spectra: dict[str, Spectrum],
    simulated: dict[str, Sample],
    made: PseudoData | None,
    corrections: Corrections,
) -> None:
    """Write tables, figures and the manifest of a search into an empty folder."""
    head = [
        f"besfast {result.manifest['besfast']}, search {result.search.name}, card {result.manifest['card']}",
        f"pseudo-data {result.manifest['pseudo_data']}, {result.manifest['luminosity_fb']} fb^-1, "
        f"seed {result.manifest['seed']}",
    ]
    expected = {label: sample.expected for label, sample in simulated.items()}
    flows = {"simulation": {label: (s.cutflow, s.expected_cutflow) for label, s in simulated.items()}}
    flows["data"] = {s.label: (s.cutflow, s.expected_cutflow) for s in (made.samples if made else [])}
    write_table(folder / "cutflow.csv", cutflow_table(flows), head)
    write_table(folder / "limits.csv", result.limits, head)
    write_table(folder / "expected_limits.csv", result.expected, head)
    if result.envelope is not None:
        write_table(folder / "envelope_limits.csv", result.envelope, [*head, "the order of the background is profiled"])
    write_table(
        folder / "backgrounds.csv",
        result.backgrounds,
        [*head, f"spurious signal in sigma, allowed {ALLOWED_SPURIOUS:g}"],
    )
    table = spectra_table(
        spectra, result.channels, expected, corrections.fraction, corrections.containment, corrections.resolution
    )
    write_table(folder / "spectra.csv", table, head)
    errors = systematics_table(result.channels, COMBINATIONS)
    write_table(folder / "systematics.csv", errors, [*head, *systematics_legend()])
    if result.hunted is not None:
        write_hunt(folder, result.hunted, result.limits, result.expected, head)
    draw_figures(folder, result.channels, result.limits, result.expected, expected, result.search.spectrum.edges())
    (folder / "manifest.json").write_text(json.dumps(result.manifest, indent=1) + "\n", encoding="utf-8")


def write_hunt(folder: Path, hunted: Hunted, limits: Table, expected: Table, head: list[str]) -> None:
    """Write tables and figures of a bump hunt."""
    note = [hunted.note] if hunted.note else []
    write_table(folder / "bump_hunt.csv", hunted.table, [*head, *note])
    write_table(folder / "bump_hunt_projection.csv", hunted.projection, [*head, "expected limits, noise-free spectra"])
    write_table(
        folder / "gain.csv", hunted.gain, [*head, "gain: expected epsilon of single bins over that of the hunt"]
    )
    spurious = hunted.spurious.table()
    write_table(folder / "spurious_signal.csv", spurious, head)
    save_figure(hunt_figure(hunted.table, limits, expected, hunted.projection), folder / "bump_hunt")
    save_figure(spurious_figure(spurious, ALLOWED_SPURIOUS), folder / "spurious_signal")
