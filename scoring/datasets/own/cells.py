"""What can be wrong with the cells of any table: blank ones, those that cannot be shown, unknown people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from .findings import Findings, agreeing, listed, rows_listed
from .material import Table, lines_of

MAX_CHARACTERS = 256
"""Of a name."""


def check_cells(table: Table, what: str, findings: Findings, *, names: Iterable[str]) -> None:
    """Errors for cells of these columns that are blank or cannot be shown; columns that are not there have none."""
    for name in names:
        refuse_cells(
            table, name, lambda cell: not cell.strip(), findings, code="cell_blank", what=f"{what}: no {name} in"
        )
        refuse_cells(
            table,
            name,
            lambda cell: not cell.isprintable() or len(cell) > MAX_CHARACTERS,
            findings,
            code="cell_unprintable",
            what=f"{what}: a {name} is not at most {MAX_CHARACTERS} printable characters in",
        )


def refuse_cells(
    table: Table, column: str, is_bad: Callable[[str], bool], findings: Findings, *, code: str, what: str
) -> None:
    """An error that says where cells of a column are bad; a column that is not there has none."""
    rows = [row for row, cell in enumerate(table.get(column, ())) if is_bad(cell)]
    if rows:
        findings.error(code, f"{what} {rows_listed(rows, lines_of(table))}")


def is_no_text(cell: str) -> bool:
    """Whether a text holds NUL or what is left of bytes that were not UTF-8."""
    return "\0" in cell or any("\ud800" <= character <= "\udfff" for character in cell)


def check_participants(table: Table, participants: Sequence[str] | None, what: str, findings: Findings) -> None:
    """Errors for rows of people who did not take part, a warning for who took part and has none, if that was said."""
    if participants is None or "participant" not in table:
        return
    owners = table["participant"]
    known, seen = {*participants}, {*owners}
    unknown = [row for row, name in enumerate(owners) if name.strip() and name not in known]
    if unknown:
        names = listed(sorted({owners[row] for row in unknown}))
        places = f"{rows_listed(unknown, lines_of(table))} {agreeing(len(unknown), 'belongs', 'belong')}"
        detail = f"{what}: {places} to {names}, not among the declared participants"
        findings.error("participant_unknown", detail)
    idle = [name for name in participants if name not in seen]
    if idle:
        findings.warn(f"participant_without_{what}", f"{what}: none belong to {listed(idle)}")
