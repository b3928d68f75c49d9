"""CSV and Parquet: surprisals by word or by token, and activations. An empty cell is missing, NaN and inf refused."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from math import log
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImportMalformed
from ...types import FeatureArray, FloatArray, IndexArray
from .content import Activations, TokenSurprisals, WordSurprisals, refuse_infinite, shown
from .manifest import FileFormat, Unit

MAX_CELLS = 2**29
"""Cells of a table that are read at the most: 2 GiB of float32. A small Parquet file can claim any number."""

MAX_TABLE_BYTES = 2**32
"""Bytes that a Parquet file may unpack to; repeated texts take next to no room in it."""

ROWS_AT_A_TIME = 1024
MAX_HEADER_CHARACTERS = 10_000_000

_TEXTS = ("stimulus_id", "story", "zone", "token", "word", "layer")
_KEYS = ("stimulus_id", "layer")
_ROW = re.compile(r"Row #(\d+)")


def read_surprisals(path: Path, file_format: FileFormat, unit: Unit) -> WordSurprisals | TokenSurprisals:
    """The surprisals of a table in bits: by token where it has a column `token`, else by word."""
    columns = _column_names(path, file_format)
    value = _value_column(columns)
    if "token" in columns:
        _require(columns, "token", "offset", "story")
        table = _read(path, file_format, ("token", "offset", "story", value))
        return TokenSurprisals(
            tokens=tuple(_texts(table, "token")),
            offsets=_integers(table, "offset"),
            stories=_integers(table, "story"),
            bits=_bits(table, value, unit),
        )
    keys = ("stimulus_id",) if "stimulus_id" in columns else ("story", "zone")
    _require(columns, *keys)
    word = ("word",) if "word" in columns else ()
    table = _read(path, file_format, (*keys, *word, value))
    return WordSurprisals(
        ids=tuple(".".join(parts) for parts in zip(*(_texts(table, key) for key in keys), strict=True)),
        bits=_bits(table, value, unit),
        words=tuple(_texts(table, "word")) if word else None,
    )


def read_activations(path: Path, file_format: FileFormat) -> Activations:
    """The activations of a table with the columns `stimulus_id` and `layer`; every other column is a feature."""
    columns = _column_names(path, file_format)
    _require(columns, *_KEYS)
    names = [name for name in columns if name not in _KEYS]
    if not names:
        raise ImportMalformed("the table has no features beside stimulus_id and layer")
    table = _read(path, file_format, (*_KEYS, *names), features=names)
    features = np.empty((table.num_rows, len(names)), dtype=np.float32)
    for place, name in enumerate(names):
        features[:, place] = _numbers(table, name, may_be_missing=False)
    refuse_infinite(features, "the table")
    return _by_layer(_texts(table, "stimulus_id"), _texts(table, "layer"), features)


def _by_layer(ids: Sequence[str], layers: Sequence[str], features: FeatureArray) -> Activations:
    """Layers in order of first appearance, each with its rows in the order of the first layer's stimuli."""
    places: dict[str, dict[str, int]] = {}
    for row, (stimulus, layer) in enumerate(zip(ids, layers, strict=True)):
        rows = places.setdefault(layer, {})
        if stimulus in rows:
            raise ImportMalformed(
                f"the stimulus {shown(stimulus)} of layer {shown(layer)} stands in row {rows[stimulus] + 1}"
                f" and again in row {row + 1}"
            )
        rows[stimulus] = row
    first = next(iter(places.values()))
    for layer, rows in places.items():
        if rows.keys() != first.keys():
            name = min(rows.keys() ^ first.keys())
            raise ImportMalformed(f"not every layer has the same stimuli: {shown(name)} and layer {shown(layer)}")
    chosen = {layer: features[[rows[stimulus] for stimulus in first]] for layer, rows in places.items()}
    return Activations(stimulus_ids=tuple(first), layers=chosen)


def _column_names(path: Path, file_format: FileFormat) -> tuple[str, ...]:
    names = _csv_header(path) if file_format is FileFormat.CSV else _parquet_header(path)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ImportMalformed(f"the table has two columns {shown(repeated[0])}")
    return names


def _csv_header(path: Path) -> tuple[str, ...]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            line = stream.readline(MAX_HEADER_CHARACTERS)
    except UnicodeDecodeError as error:
        raise ImportMalformed("the table is not text in UTF-8") from error
    if not line.strip():
        raise ImportMalformed("the file is empty")
    return tuple(next(csv.reader([line])))


def _parquet_header(path: Path) -> tuple[str, ...]:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            n_cells = file.metadata.num_rows * file.metadata.num_columns
            names = tuple(file.schema_arrow.names)
    except (pa.ArrowException, OSError) as error:
        raise ImportMalformed("the file is not a Parquet table") from error
    if n_cells > MAX_CELLS:
        raise ImportMalformed(f"the table has {n_cells} cells; at most {MAX_CELLS} are read")
    return names


def _read(path: Path, file_format: FileFormat, columns: Sequence[str], *, features: Sequence[str] = ()) -> Any:
    """A pyarrow Table of these columns, texts as strings, everything else as numbers."""
    import pyarrow as pa

    types = {name: pa.float32() if name in set(features) else pa.float64() for name in columns}
    types |= {name: pa.string() for name in columns if name in _TEXTS and name not in features}
    try:
        if file_format is FileFormat.CSV:
            table = _read_csv(path, columns, types)
        else:
            table = _read_parquet(path, columns, types)
    except (pa.ArrowException, OSError) as error:
        match = _ROW.search(str(error))
        where = f"row {int(match.group(1)) - 1}" if match else "a column"
        reason = (
            "does not have the columns of the header" if "Expected" in str(error) else "does not hold what it has to"
        )
        raise ImportMalformed(
            f"{where} {reason}", hint=f"numbers are expected everywhere but in {', '.join(_TEXTS)}"
        ) from error
    if table.num_rows == 0:
        raise ImportMalformed("the table has no rows")
    return table


def _read_csv(path: Path, columns: Sequence[str], types: Mapping[str, Any]) -> Any:
    from pyarrow import csv as arrow_csv

    return arrow_csv.read_csv(
        path,
        read_options=arrow_csv.ReadOptions(use_threads=False),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            include_columns=list(columns), column_types=dict(types), null_values=[""], strings_can_be_null=False
        ),
    )


def _read_parquet(path: Path, columns: Sequence[str], types: Mapping[str, Any]) -> Any:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    batches, n_bytes = [], 0
    with ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROWS_AT_A_TIME, columns=list(columns), use_threads=False):
            n_bytes += batch.nbytes
            if n_bytes > MAX_TABLE_BYTES:
                raise ImportMalformed(f"the table unpacks to more than {MAX_TABLE_BYTES} bytes")
            batches.append(batch)
        table = pa.Table.from_batches(batches) if batches else file.read(columns=list(columns))
    return table.select(list(columns)).cast(pa.schema([(name, types[name]) for name in columns]))


def _value_column(columns: Sequence[str]) -> str:
    found = [name for name in ("surprisal", "logprob") if name in columns]
    if len(found) != 1:
        raise ImportMalformed("the table must have exactly one of the columns surprisal and logprob")
    return found[0]


def _require(columns: Sequence[str], *needed: str) -> None:
    missing = [name for name in needed if name not in columns]
    if missing:
        raise ImportMalformed(
            f"the table has no column {' and no column '.join(missing)}",
            hint="docs/how-to/import-responses.md lists the columns of each form",
        )


def _bits(table: Any, value: str, unit: Unit) -> FloatArray:
    sign = -1.0 if value == "logprob" else 1.0
    return np.asarray(sign * _numbers(table, value, may_be_missing=True) / (log(2) if unit is Unit.NATS else 1.0))


def _numbers(table: Any, name: str, *, may_be_missing: bool) -> FloatArray:
    """A column as numbers, NaN only where a cell is empty and may be."""
    column = table.column(name)
    is_missing = np.asarray(column.is_null().to_numpy(), dtype=bool)
    if is_missing.any() and not may_be_missing:
        raise ImportMalformed(f"row {int(np.flatnonzero(is_missing)[0]) + 1} has no value in column {shown(name)}")
    filled = np.array(column.fill_null(0.0).to_numpy(), dtype=np.float64)
    refuse_infinite(filled, f"column {shown(name)}")
    filled[is_missing] = np.nan
    return filled


def _integers(table: Any, name: str) -> IndexArray:
    """A column of counts; text is taken where it says one."""
    values = [str(value) for value in table.column(name).to_pylist()]
    numbers = [_count(value) for value in values]
    if None in numbers:
        raise ImportMalformed(f"row {numbers.index(None) + 1} has no number from 0 in column {shown(name)}")
    return np.array(numbers, dtype=np.intp)


def _count(text: str) -> int | None:
    whole = text.removesuffix(".0")
    return int(whole) if whole.isascii() and whole.isdigit() and len(whole) < 16 else None


def _texts(table: Any, name: str) -> list[str]:
    values: list[str | None] = table.column(name).to_pylist()
    if None in values:
        raise ImportMalformed(f"row {values.index(None) + 1} has no value in column {shown(name)}")
    return [value for value in values if value is not None]
