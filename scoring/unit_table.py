"""The units behind a score of brains, one row for each unit of each part: how well the chosen layers predict it.

What belongs here: the table's columns, and what holds between them. What does not: how it is filled
(`metrics.unit_tables`) and how it is written (`table_parquet`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from .column_table import ColumnTable, Numbers
from .errors import NumericalFailure

ROUNDING = 1e-5
"""How far beyond ±1 an r may lie by the rounding of float32."""


@dataclass(frozen=True, kw_only=True)
class UnitTable(ColumnTable):
    """The units of a recording, part after part in the recording's order, as columns of one length.

    `region` is where the unit lies, `x`, `y`, `z` are its coordinates in the recording's own space; None where the
    recording does not say. `r` is the Pearson correlation of prediction and response on held-out rows, averaged over
    the `n_folds` in which the response varies, and None where it varies in none of them.
    """

    TYPES: ClassVar[Mapping[str, str]] = {
        "part": "string",
        "unit": "string",
        "participant": "string",
        "region": "string",
        "x": "float64",
        "y": "float64",
        "z": "float64",
        "r": "float64",
        "n_folds": "int64",
    }
    OF: ClassVar[str] = "units"

    part: tuple[str, ...]
    unit: tuple[str, ...]
    participant: tuple[str, ...]
    region: tuple[str | None, ...]
    x: Numbers
    y: Numbers
    z: Numbers
    r: Numbers
    n_folds: tuple[int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(zip(self.part, self.unit, strict=True))) != len(self):
            raise NumericalFailure("a table of units names a unit of a part twice")
        pairs = zip(self.r, self.n_folds, strict=True)
        if any((r is None) != (n == 0) or abs(r or 0.0) > 1 + ROUNDING for r, n in pairs):
            raise NumericalFailure("a unit has an r between -1 and 1 where it has folds, and none where it has none")

    @property
    def n_counted(self) -> int:
        """How many units have an r in some part."""
        return len({unit for unit, r in zip(self.unit, self.r, strict=True) if r is not None})
