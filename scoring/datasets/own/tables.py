"""Reading and writing tables of text: UTF-8, comma-separated, with a header."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...types import FloatArray
from .findings import Findings, listed, rows_listed
from .material import Table

MAX_ROWS = 2**20
"""Rows of a table."""

MAX_COLUMNS = 2**17
"""Columns of a table: as many units as one recording may have."""

LARGEST = 10**9
"""Beyond, nothing was measured, and squares may overflow."""


def read_table(path: Path, needed: Sequence[str], extras: Sequence[str], findings: Findings) -> Table | None:
    """The columns of a table that are known, by name; None, with errors, where it cannot be read.

    A column that is neither needed nor extra is left alone, with a warning.
    """
    rows = read_rows(path, findings)
    return None if rows is None else columns_of(path, rows, needed, extras, findings)


def columns_of(
    path: Path, rows: list[list[str]], needed: Sequence[str], extras: Sequence[str], findings: Findings
) -> Table | None:
    """The columns that are known, by name, of a table that was read; None, with errors, where one is missing."""
    header, *body = rows
    missing = [name for name in needed if name not in header]
    if missing:
        findings.error("column_missing", f"{path.name} has no column {' and no column '.join(missing)}")
    unknown = [name for name in header if name not in {*needed, *extras}]
    if unknown:
        findings.warn("column_unused", f"{path.name}: nothing is done with the columns {listed(unknown)}")
    if missing:
        return None
    return {name: tuple(row[header.index(name)] for row in body) for name in header if name not in unknown}


def read_rows(path: Path, findings: Findings, *, max_rows: int = MAX_ROWS) -> list[list[str]] | None:
    """The header and the rows of a table, all of one length; None, with errors, where there is none."""
    text = read_text(path, findings)
    if text is None:
        return None
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        limit = f"a cell has more than {csv.field_size_limit():,} characters"
        is_large = "field larger" in str(error)
        findings.error(
            "cell_too_large" if is_large else "table_malformed", f"{path.name}: {limit if is_large else error}"
        )
        return None
    if len(rows) < 2:
        findings.error("table_empty", f"{path.name} has no rows below its header")
        return None
    return rows if _is_rectangular(path, rows, findings, max_rows) else None


def read_text(path: Path, findings: Findings) -> str | None:
    """A file's text; None, with an error, where it is empty or not UTF-8."""
    data = path.read_bytes()
    if not data.strip():
        findings.error("file_empty", f"{path.name} is empty")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        findings.error("not_utf8", f"{path.name} is not text in UTF-8: byte {error.start}, in line {line}")
        return None
    if "\0" in text:
        findings.error("not_text", f"{path.name} holds NUL, which no text does")
        return None
    return text


def numbers_of(cells: Sequence[str]) -> FloatArray | str:
    """The cells as numbers, NaN where one is empty; the first cell that is not a number where there is one."""
    filled = [cell if cell.strip() else "nan" for cell in cells]
    try:
        return np.array(filled, dtype=np.float64)
    except ValueError:
        return next(cell for cell in filled if not _is_number(cell))


def write_table(path: Path, columns: Mapping[str, Sequence[object]]) -> None:
    """Write columns of one length as a table."""
    with path.open("w", newline="", encoding="utf8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_rectangular(path: Path, rows: Sequence[Sequence[str]], findings: Findings, max_rows: int) -> bool:
    n_before = len(findings.errors)
    header = rows[0]
    if len(rows) > max_rows or len(header) > MAX_COLUMNS:
        findings.error("table_too_large", f"{path.name} has more than {max_rows:,} rows or {MAX_COLUMNS:,} columns")
    repeated = [name for name, count in Counter(header).items() if count > 1]
    if repeated:
        findings.error("column_repeated", f"{path.name} has more than one column {listed(repeated)}")
    uneven = [number for number, row in enumerate(rows[1:]) if len(row) != len(header)]
    if uneven:
        detail = f"{path.name}: {rows_listed(uneven)} do not have the {len(header)} cells of the header"
        findings.error("row_uneven", detail)
    return len(findings.errors) == n_before
