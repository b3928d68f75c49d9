"""What can be wrong with the cells of any table: blank ones, those that cannot be shown, unknown people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from .findings import Findings, listed, rows_listed
from .material import Table

MAX_CHARACTERS = 256
"""Of a name."""


def check_cells(table: Table, what: str, findings: Findings, *, names: Iterable[str]) -> None:
    """Errors for cells of these columns that are blank or cannot be shown; columns that are not there have none."""
    for name in names:
        cells = table.get(name, ())
        refuse_cells(cells, lambda cell: not cell.strip(), "cell_blank", f"{what}: no {name} in", findings)
        refuse_cells(
            cells,
            lambda cell: not cell.isprintable() or len(cell) > MAX_CHARACTERS,
            "cell_unprintable",
            f"{what}: a {name} is not at most {MAX_CHARACTERS} printable characters in",
            findings,
        )


def refuse_cells(cells: Sequence[str], is_bad: Callable[[str], bool], code: str, what: str, findings: Findings) -> None:
    """An error that names the rows of cells that are bad, where there are some."""
    rows = [row for row, cell in enumerate(cells) if is_bad(cell)]
    if rows:
        findings.error(code, f"{what} {rows_listed(rows)}")


def is_no_text(cell: str) -> bool:
    """Whether a text holds NUL or what is left of bytes that were not UTF-8."""
    return "\0" in cell or any("\ud800" <= character <= "\udfff" for character in cell)


def check_participants(
    owners: Sequence[str], participants: Sequence[str] | None, what: str, findings: Findings
) -> None:
    """Errors for rows of people who did not take part, a warning for who took part and has none, if that was said."""
    if participants is None:
        return
    known, seen = {*participants}, {*owners}
    unknown = [row for row, name in enumerate(owners) if name.strip() and name not in known]
    if unknown:
        names = listed(sorted({owners[row] for row in unknown}))
        detail = f"{what}: {rows_listed(unknown)} belong to {names}, not one of the {len(participants)} participants"
        findings.error("participant_unknown", detail)
    idle = [name for name in participants if name not in seen]
    if idle:
        findings.warn(f"participant_without_{what}", f"{what}: none belong to {listed(idle)}")
