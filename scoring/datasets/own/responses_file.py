"""Reading responses: an array of numpy, or a table with a column for each unit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import ImportMalformed, shown
from ...recording import ResponseArray
from ...subjects.imports.parquet import parquet_columns, read_parquet
from .findings import Findings
from .material import Responses
from .tables import numbers_of, read_rows

STIMULUS_ID = "stimulus_id"
FILES = ("responses.npy", "responses.csv", "responses.parquet")
_NPY_START = b"\x93NUMPY"


def read_responses(path: Path, findings: Findings, *, max_bytes: int, unit_ids: Sequence[str] = ()) -> Responses | None:
    """The responses in a file; None, with errors, where they cannot be read.

    `.npy` is an array (n_stimuli, n_units). `.csv` and `.parquet` have a column for each unit, named by its id, and
    maybe `stimulus_id`; an empty cell is NaN. `max_bytes` bounds what Parquet may unpack to. `unit_ids` are those that
    are expected, if that is known.
    """
    if path.stat().st_size == 0:
        findings.error("file_empty", f"{path.name} is empty")
        return None
    if path.suffix == ".npy":
        return _read_array(path, findings)
    return _read_csv(path, unit_ids, findings) if path.suffix == ".csv" else _read_parquet(path, findings, max_bytes)


def as_responses(values: ResponseArray, name: str, findings: Findings) -> ResponseArray | None:
    """An array as float32 or float64, as wide as it is; None, with errors, where it is no table of numbers."""
    if values.dtype.kind not in "biuf":
        findings.error("not_numbers", f"{name} holds {values.dtype}, not real numbers")
        return None
    if values.ndim != 2:
        findings.error("not_a_table", f"{name} has shape {values.shape}; rows are stimuli and columns are units")
        return None
    is_narrow = values.dtype.kind == "f" and values.dtype.itemsize <= 4
    return np.ascontiguousarray(values, dtype="<f4" if is_narrow else "<f8")


def _read_array(path: Path, findings: Findings) -> Responses | None:
    with path.open("rb") as stream:
        is_array = stream.read(len(_NPY_START)) == _NPY_START
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False) if is_array else None
    except ValueError as error:
        is_pickle = "object" in str(error).lower()
        values = None
    else:
        is_pickle = not is_array
    if values is None:
        what = "is no plain array of numbers and may be a pickle, which is never opened" if is_pickle else "is damaged"
        findings.error(
            "pickle_refused" if is_pickle else "file_damaged", f"{path.name} {what}; write it with `numpy.save`"
        )
        return None
    numbers = as_responses(values, path.name, findings)
    return None if numbers is None else Responses(values=numbers, file=path.name)


def _read_csv(path: Path, unit_ids: Sequence[str], findings: Findings) -> Responses | None:
    rows = read_rows(path, (STIMULUS_ID, *unit_ids), findings)
    if rows is None:
        return None
    header, body = rows.header, rows.body
    place = header.index(STIMULUS_ID) if STIMULUS_ID in header else None
    ids = None if place is None else tuple(row.pop(place) for row in body)
    names = tuple(name for name in header if name != STIMULUS_ID)
    if not names:
        findings.error("column_missing", f"{path.name} has no column for any unit")
        return None
    values = np.empty((len(body), len(names)))
    for row, (line, cells) in enumerate(zip(rows.lines, body, strict=True)):
        numbers = numbers_of(cells)
        if isinstance(numbers, str):
            where = f"{path.name} line {line}, column {shown(names[cells.index(numbers)])}"
            findings.error("not_numbers", f"{where}: {shown(numbers)} is not a number")
            return None
        values[row] = numbers
    return Responses(values=values, file=path.name, lines=rows.lines, stimulus_ids=ids, unit_ids=names)


def _read_parquet(path: Path, findings: Findings, max_bytes: int) -> Responses | None:
    try:
        columns = parquet_columns(path, max_bytes)
        names = tuple(name for name in columns if name != STIMULUS_ID)
        ids = {STIMULUS_ID: "string"} if STIMULUS_ID in columns else {}
        if len(set(columns)) != len(columns) or not names:
            raise ImportMalformed("the table has no column for any unit, or two of one name")
        table = read_parquet(path, {**ids, **dict.fromkeys(names, "float64")}, max_bytes)
    except ImportMalformed as error:
        hint = f" ({error.hint})" if error.hint else ""
        findings.error("table_malformed", f"{path.name}: {error.detail}{hint}")
        return None
    values = np.empty((table.num_rows, len(names)))
    for place, name in enumerate(names):
        values[:, place] = table.column(name).to_numpy()
    stimulus_ids = tuple(str(value) for value in table.column(STIMULUS_ID).to_pylist()) if ids else None
    return Responses(values=values, file=path.name, stimulus_ids=stimulus_ids, unit_ids=names)
