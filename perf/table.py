"""The table: rows that hold a figure against its target, and what follows from them. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

HEADINGS = ("line", "work", "ours", "peer", "ratio", "target", "ok")


class Verdict(StrEnum):
    """What a row says about its target."""

    OK = "yes"
    """The figure meets the target."""
    SHORT = "NO"
    """The figure misses the target, or is no number."""
    SKIPPED = "skipped"
    """Nothing was measured; the row says why."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A limit that figures are held against; `shown` is the format of the limit and of the figures."""

    limit: float
    is_floor: bool
    shown: str

    def is_met(self, figure: float) -> bool:
        """Whether the figure is on the right side of the limit; NaN never is."""
        return figure >= self.limit if self.is_floor else figure <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.is_floor else '≤'} {self.shown.format(self.limit)}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One condition of a line: `figure` is what is held against `target`, None where nothing could be measured.

    `ours` and `peer` show what the figure was made from, or in `ours` why there is none.
    """

    line: str
    work: str
    figure: float | None
    target: Target
    ours: str = ""
    peer: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether the target is met."""
        if self.figure is None:
            return Verdict.SKIPPED
        return Verdict.OK if self.target.is_met(self.figure) else Verdict.SHORT


def at_least(limit: float, shown: str = "{:g}") -> Target:
    """The target that figures must reach."""
    return Target(limit=limit, is_floor=True, shown=shown)


def at_most(limit: float, shown: str = "{:g}") -> Target:
    """The target that figures must not exceed."""
    return Target(limit=limit, is_floor=False, shown=shown)


def rendered(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table with even columns."""
    cells = [HEADINGS, *map(_cells, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADINGS))]
    lines = [" | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in cells]
    lines.insert(1, "-|-".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" if index != 1 else f"|-{line}-|" for index, line in enumerate(lines))


def exit_code(rows: Sequence[Row]) -> int:
    """1 if a row falls short of its target, else 0; what was skipped does not count."""
    return int(any(row.verdict is Verdict.SHORT for row in rows))


def _cells(row: Row) -> tuple[str, ...]:
    figure = "–" if row.figure is None else row.target.shown.format(row.figure)
    return (row.line, row.work, row.ours, row.peer, figure, str(row.target), row.verdict.value)
