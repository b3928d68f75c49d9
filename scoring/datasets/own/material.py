"""What the files of a data set hold once they were read, before anything is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...recording import ResponseArray

Table = Mapping[str, tuple[str, ...]]
"""Columns of text by name, all of one length."""


class FileTable(dict[str, tuple[str, ...]]):
    """A table read from a file of lines; `lines` has the one that each row begins on, counted from 1."""

    def __init__(self, columns: Table, lines: Sequence[int]) -> None:
        super().__init__(columns)
        self.lines = lines


STIMULI_FILE = "stimuli.csv"
UNITS_FILE = "units.csv"
STIMULI_COLUMNS = ("stimulus_id", "text", "passage", "group")
STIMULI_EXTRAS = ("part", "position")
UNITS_COLUMNS = ("unit_id", "participant")
UNITS_EXTRAS = ("roi", "x", "y", "z")

WHOLE = "all"
"""The part that every stimulus belongs to where there is no column `part`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Responses:
    """`values` (n_rows, n_columns); `stimulus_ids` and `unit_ids` where the file names its rows or columns.

    `file` is its name, `lines` the line that each row begins on where it has lines.
    """

    values: ResponseArray
    file: str
    lines: Sequence[int] | None = None
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


def is_whole(table: Table, columns: Iterable[str]) -> bool:
    """Whether a table has all these columns."""
    return {*columns} <= {*table}


def lines_of(table: Table) -> Sequence[int] | None:
    """The line of its file that each row begins on; None where there are no lines."""
    return table.lines if isinstance(table, FileTable) else None
