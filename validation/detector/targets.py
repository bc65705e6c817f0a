"""What the simulated detector is held against: published, computed and estimated numbers, in a packaged table.

Every row has a key, the texts of the table, and for the cards it applies to a number or a range. Status `input` marks
a number that set a parameter of the card: agreement with it proves nothing. Numbers without a tolerance are reported.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..comparison import Comparison
from ..references import reference_table

_TABLE = "detector_targets"
_TEXTS = ("subject", "quantity", "unit", "status", "source")
_NUMBERS = ("value", "low", "high", "tolerance")
#: Status of a reference: of these, inputs are never called validated.
STATUS = ("published", "computed", "estimated", "input")


class Target(NamedTuple):
    """One row of the table; NaN where there is no such number."""

    subject: str
    quantity: str
    unit: str
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    tolerance: float = math.nan
    status: str = "estimated"
    source: str = ""

    def row(self, value: float, error: float, remark: str = "") -> Comparison:
        """Return the comparison of our number with this one."""
        return Comparison(
            self.subject,
            self.quantity,
            value,
            error,
            self.value,
            0.0 if math.isfinite(self.value) else math.nan,
            self.unit,
            _or_none(self.tolerance),
            f"{self.status}: {self.source}" if self.source else "no published number for this card",
            is_input=self.status == "input",
            remark=remark,
            at_most=_or_none(self.high),
            at_least=_or_none(self.low),
        )


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


class Targets:
    """The references that apply to one card."""

    def __init__(self, card: str, table: Mapping[str, Any] | None = None) -> None:
        table = reference_table(_TABLE) if table is None else table
        self._known: dict[str, Target] = {}
        for i, key in enumerate(table["key"].tolist()):
            subject, quantity, unit, status, source = (str(table[name][i]) for name in _TEXTS)
            if card in str(table["cards"][i]).split():
                value, low, high, tolerance = (float(table[name][i]) for name in _NUMBERS)
                self._known[key] = Target(subject, quantity, unit, value, low, high, tolerance, status, source)
            else:
                self._known.setdefault(key, Target(subject, quantity, unit))

    def names(self) -> list[str]:
        """Return the keys in the order of the table."""
        return list(self._known)

    def row(self, key: str, value: float, error: float, remark: str = "") -> Comparison:
        """Return the comparison of our number with the reference of a key."""
        return self._known[key].row(value, error, remark)

    def bare(self, key: str) -> Target:
        """Return a row of the table."""
        return self._known[key]
