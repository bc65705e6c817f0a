"""The scalars of a sample as one line of JSON, which HepMC3 and LHE files of this package carry in their heads."""

import json
import math
from dataclasses import dataclass, field
from typing import Any

from ..event import TruthEvents

#: Name of the attribute of HepMC3 runs, and of the element in the header of LHE files.
NAME = "besfast"
_FLOATS = ("sqrt_s", "cross_section", "cross_section_error")


@dataclass(frozen=True)
class Header:
    """Scalars of a `TruthEvents`, to the last bit, and the name of its weight."""

    processes: str
    sqrt_s: float
    cross_section: float
    cross_section_error: float
    seed: str
    weight: str
    provenance: list[Any] = field(default_factory=list)

    @classmethod
    def of(cls, truth: TruthEvents, weight: str) -> "Header":
        """Return the header of a record."""
        return cls(
            truth.processes,
            float(truth.sqrt_s),
            float(truth.cross_section),
            float(truth.cross_section_error),
            truth.seed,
            weight,
            json.loads(truth.provenance),
        )

    def to_json(self) -> str:
        """Return one line; a number that is unknown is null."""
        fields = {
            name: None if name in _FLOATS and not math.isfinite(value) else value for name, value in vars(self).items()
        }
        return json.dumps(fields)

    @classmethod
    def from_json(cls, text: str, source: object) -> "Header":
        """Return the header in a line.

        Raises
        ------
        ValueError
            If it is not one that `to_json` wrote.
        """
        try:
            fields = json.loads(text)
            sqrt_s, value, error = (math.nan if fields[name] is None else float(fields[name]) for name in _FLOATS)
            processes, seed, weight = (str(fields[name]) for name in ("processes", "seed", "weight"))
            return cls(processes, sqrt_s, value, error, seed, weight, list(fields["provenance"]))
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{source}: the header {NAME!r} cannot be parsed ({error!r})") from None
