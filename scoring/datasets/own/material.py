"""What the files of a data set hold once they were read, before anything is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...recording import ResponseArray

Table = Mapping[str, tuple[str, ...]]
"""Columns of text by name, all of one length."""

STIMULI_COLUMNS = ("stimulus_id", "text", "passage", "group")
STIMULI_EXTRAS = ("part", "position")
UNITS_COLUMNS = ("unit_id", "participant")
UNITS_EXTRAS = ("roi", "x", "y", "z")

WHOLE = "all"
"""The part that every stimulus belongs to where there is no column `part`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Responses:
    """`values` (n_rows, n_columns); `stimulus_ids` and `unit_ids` where the file names its rows or columns."""

    values: ResponseArray
    stimulus_ids: tuple[str, ...] | None = None
    unit_ids: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """Stimuli, units and responses as they were brought; None for what could not be read."""

    stimuli: Table | None
    units: Table | None
    responses: Responses | None


Report = Callable[[float, str], None]
"""Is told how far the intake is, from 0 to 1, and at what."""


def n_rows(table: Table) -> int:
    """How many rows a table has."""
    return len(next(iter(table.values())))
