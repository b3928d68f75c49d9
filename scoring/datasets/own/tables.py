"""Reading and writing tables of text: UTF-8, comma-separated, with a header."""

from __future__ import annotations

import csv
import io
import re
from array import array
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...types import FloatArray
from .findings import Findings, agreeing, listed, rows_listed
from .material import FileTable, Table

MAX_ROWS = 2**20
"""Rows of a table."""

MAX_COLUMNS = 2**17
"""Columns of a table: as many units as one recording may have."""

WRONG_SEPARATORS = {";": "';'", "\t": "tabs"}
"""What some spreadsheets write between cells, and how it is called."""

LARGEST = 10**9
"""Beyond, nothing was measured, and squares may overflow."""

_LINE_ENDS = re.compile("[\r\n]")


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """The cells of a file: its header and the rows below it, and the line that each of these begins on."""

    header: list[str]
    body: list[list[str]]
    lines: Sequence[int]


def read_table(path: Path, needed: Sequence[str], extras: Sequence[str], findings: Findings) -> Table | None:
    """The columns of a table that are known, by name; None, with errors, where it cannot be read or has none.

    A column that is needed and missing is an error; what is there comes all the same, to be looked over. One that is
    neither needed nor extra is left alone, with a warning.
    """
    rows = read_rows(path, (*needed, *extras), findings)
    return None if rows is None else columns_of(path, rows, needed, extras, findings)


def columns_of(
    path: Path, rows: Rows, needed: Sequence[str], extras: Sequence[str], findings: Findings
) -> Table | None:
    """The columns that are known, by name, of a table that was read; None where there are none, with errors for those
    that are missing."""
    header = rows.header
    missing = [name for name in needed if name not in header]
    if missing:
        findings.error("column_missing", f"{path.name} has no column {' and no column '.join(missing)}")
    unknown = [name for name in header if name not in {*needed, *extras}]
    if unknown:
        findings.warn("column_unused", f"{path.name}: nothing is done with the columns {listed(unknown)}")
    places = {name: header.index(name) for name in header if name not in unknown}
    if not places:
        return None
    return FileTable({name: tuple(row[place] for row in rows.body) for name, place in places.items()}, rows.lines)


def read_rows(path: Path, known: Collection[str], findings: Findings, *, max_rows: int = MAX_ROWS) -> Rows | None:
    """The header and the rows of a table, all of one length; None, with errors, where there is none.

    By the names of `known` columns a header is told whose cells something else than commas separates.
    """
    text = read_text(path, findings)
    if text is None:
        return None
    separator = _wrong_separator(text, known)
    if separator is not None:
        detail = f"{path.name}: cells are separated by {separator}; save it with commas between cells"
        findings.error("table_malformed", detail)
        return None
    return _split(path, text, findings, max_rows)


def _split(path: Path, text: str, findings: Findings, max_rows: int) -> Rows | None:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found, lines, line = [], array("q"), 1
    try:
        for row in reader:
            if row:
                found.append(row)
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        limit = f"a cell has more than {csv.field_size_limit():,} characters"
        is_large = "field larger" in str(error)
        detail = f"{path.name} line {line}: {limit if is_large else error}"
        findings.error("cell_too_large" if is_large else "table_malformed", detail)
        return None
    if len(found) < 2:
        findings.error("table_empty", f"{path.name} has no rows below its header")
        return None
    header = found.pop(0)
    rows = Rows(header=header, body=found, lines=lines[1:])
    return rows if _is_rectangular(path, rows, findings, max_rows) else None


def read_text(path: Path, findings: Findings) -> str | None:
    """A file's text; None, with an error, where it is empty or not UTF-8."""
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        findings.error("not_utf8", f"{path.name} is not text in UTF-8: byte {error.start}, in line {line}")
        return None
    if not text.strip():
        findings.error("file_empty", f"{path.name} is empty")
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


def _wrong_separator(text: str, known: Collection[str]) -> str | None:
    """What separates the cells of a header by which more of its names are known than by commas."""
    header = _LINE_ENDS.split(text.lstrip(), maxsplit=1)[0]

    def n_known(separator: str) -> int:
        return len({*known} & {cell.strip().strip('"') for cell in header.split(separator)})

    return WRONG_SEPARATORS.get(max((",", *WRONG_SEPARATORS), key=n_known))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_rectangular(path: Path, rows: Rows, findings: Findings, max_rows: int) -> bool:
    n_before = len(findings.errors)
    header = rows.header
    if len(rows.body) >= max_rows or len(header) > MAX_COLUMNS:
        findings.error("table_too_large", f"{path.name} has more than {max_rows:,} rows or {MAX_COLUMNS:,} columns")
    repeated = [name for name, count in Counter(header).items() if count > 1]
    if repeated:
        findings.error("column_repeated", f"{path.name} has more than one column {listed(repeated)}")
    uneven = [number for number, row in enumerate(rows.body) if len(row) != len(header)]
    if uneven:
        does = agreeing(len(uneven), "does", "do")
        places = rows_listed(uneven, rows.lines)
        detail = f"{path.name}: {places} {does} not have as many cells as the header, {len(header)}"
        findings.error("row_uneven", detail)
    return len(findings.errors) == n_before
