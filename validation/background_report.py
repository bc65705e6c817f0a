"""The table of neglected backgrounds, as files to read and to read back."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..analysis.table import write_table
from .backgrounds import Background, Region

_EXPLANATION = (
    "expected: events in all bins of the search at its luminosity; upper and <: bounds at 90 % confidence, the error "
    "of the cross section included; error_share, yield_share: largest bound in a bin over the Poisson error and over "
    "the events of mu mu gamma or e e gamma there"
)


def write_backgrounds(stem: Path, rows: Sequence[Background], title: str) -> None:
    """Write the table as STEM.csv and, for reading, STEM.md; numbers per region of mass as STEM_regions.csv."""
    names = ["process", "channel", "cross_section", "cross_section_error", "events", "selected", "efficiency"]
    names += ["efficiency_upper", "expected", "upper", "error_share", "yield_share", "verdict", "source", "remark"]
    units = {"cross_section": "cross_section_nb", "cross_section_error": "cross_section_error_nb"}
    columns = {units.get(name, name): np.array([getattr(row, name) for row in rows]) for name in names}
    write_table(stem.with_suffix(".csv"), columns, [title, _EXPLANATION])
    regions = [region for row in rows for region in row.regions]
    fields = (*Region._fields, "error_share", "yield_share")
    table = {name: np.array([getattr(region, name) for region in regions]) for name in fields}
    write_table(stem.with_name(f"{stem.name}_regions.csv"), table, [title, _EXPLANATION])
    lines = [f"# {title}", "", _EXPLANATION, ""]
    lines += [
        "| process | channel | sigma [nb] | events | selected | efficiency | expected "
        "| share of error | of yield | verdict |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        efficiency = f"{row.efficiency:.2g}, < {row.efficiency_upper:.2g}"
        expected = f"{row.expected:.3g}, < {row.upper:.3g}"
        lines.append(
            f"| {row.process} | {row.channel} | {row.cross_section:.4g} ± {row.cross_section_error:.2g} | {row.events} "
            f"| {row.selected} | {efficiency} | {expected} | {row.error_share:.2g} | {row.yield_share:.2g} "
            f"| {row.verdict} |"
        )
    lines += ["", *(f"- {name}: {text}" for name, text in _notes(rows).items())]
    stem.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _notes(rows: Sequence[Background]) -> dict[str, str]:
    """Return source and remark of every process."""
    return {row.process: row.source + (row.remark and f"; {row.remark}") for row in rows}
