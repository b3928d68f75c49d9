"""CSV and Parquet: surprisals by word or by token, and activations. An empty cell is missing, NaN and inf refused."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from math import log
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImportMalformed, shown
from ...types import FeatureArray, FloatArray, IndexArray
from .content import Activations, TokenSurprisals, WordSurprisals, refuse_infinite
from .limits import BYTES_OF_A_CELL, MAX_COLUMNS, MAX_HEADER_CHARACTERS, MAX_LAYERS, MAX_ROWS, refuse_more
from .manifest import FileFormat, Unit
from .parquet import parquet_columns, read_parquet

_TEXTS = ("stimulus_id", "story", "zone", "token", "word", "layer")
_KEYS = ("stimulus_id", "layer")
_ROW = re.compile(r"Row #(\d+)")
_PIECE_BYTES = 1 << 20


def read_surprisals(
    path: Path, file_format: FileFormat, unit: Unit, *, max_bytes: int | None = None
) -> WordSurprisals | TokenSurprisals:
    """The surprisals of a table in bits: by token where it has a column `token`, else by word.

    `max_bytes` bounds what the table may unpack to; None where the file was accepted before.
    """
    columns = _column_names(path, file_format, max_bytes)
    value = _value_column(columns)
    if "token" in columns:
        _require(columns, "token", "offset", "story")
        table = _read(path, file_format, _types("token", "offset", "story", value), max_bytes)
        return TokenSurprisals(
            tokens=tuple(_texts(table, "token")),
            offsets=_integers(table, "offset"),
            stories=_integers(table, "story"),
            bits=_bits(table, value, unit),
        )
    keys = ("stimulus_id",) if "stimulus_id" in columns else ("story", "zone")
    _require(columns, *keys)
    word = ("word",) if "word" in columns else ()
    table = _read(path, file_format, _types(*keys, *word, value), max_bytes)
    return WordSurprisals(
        ids=tuple(".".join(parts) for parts in zip(*(_texts(table, key) for key in keys), strict=True)),
        bits=_bits(table, value, unit),
        words=tuple(_texts(table, "word")) if word else None,
    )


def read_activations(path: Path, file_format: FileFormat, *, max_bytes: int | None = None) -> Activations:
    """The activations of a table with the columns `stimulus_id` and `layer`; every other column is a feature.

    `max_bytes` bounds what the table may unpack to; None where the file was accepted before.
    """
    columns = _column_names(path, file_format, max_bytes)
    _require(columns, *_KEYS)
    names = [name for name in columns if name not in _KEYS]
    if not names:
        raise ImportMalformed("the table has no features beside stimulus_id and layer")
    table = _read(path, file_format, _types(*_KEYS) | dict.fromkeys(names, "float32"), max_bytes)
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
        refuse_more(len(places), MAX_LAYERS, "layers or more")
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


def _column_names(path: Path, file_format: FileFormat, max_bytes: int | None) -> tuple[str, ...]:
    names = _csv_header(path) if file_format is FileFormat.CSV else parquet_columns(path, max_bytes)
    refuse_more(len(names), MAX_COLUMNS, "columns")
    repeated = sorted(name for name, n_times in Counter(names).items() if n_times > 1)
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
    try:
        return tuple(next(csv.reader([line])))
    except csv.Error as error:
        raise ImportMalformed(f"the header cannot be read: {error}") from error


def _types(*columns: str) -> dict[str, str]:
    """The type of each column: text or number."""
    return {name: "string" if name in _TEXTS else "float64" for name in columns}


def _read(path: Path, file_format: FileFormat, types: Mapping[str, str], max_bytes: int | None) -> Any:
    """A pyarrow Table of these columns in these types."""
    read = _read_csv if file_format is FileFormat.CSV else read_parquet
    table = read(path, types, max_bytes)
    if table.num_rows == 0:
        raise ImportMalformed("the table has no rows")
    return table


def _read_csv(path: Path, types: Mapping[str, str], max_bytes: int | None) -> Any:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    if max_bytes is not None:
        _refuse_long(path, len(types), max_bytes)
    try:
        return arrow_csv.read_csv(
            path,
            read_options=arrow_csv.ReadOptions(use_threads=False),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=list(types), column_types=dict(types), null_values=[""], strings_can_be_null=False
            ),
        )
    except (pa.ArrowException, OSError) as error:
        match = _ROW.search(str(error))
        where = f"row {int(match.group(1)) - 1}" if match else "a column"
        reason = (
            "does not have the columns of the header" if "Expected" in str(error) else "does not hold what it has to"
        )
        raise ImportMalformed(
            f"{where} {reason}", hint=f"numbers are expected everywhere but in {', '.join(_TEXTS)}"
        ) from error


def _refuse_long(path: Path, n_columns: int, max_bytes: int) -> None:
    """Raises ImportMalformed where a table has too many lines, or takes more bytes as numbers than it may as text."""
    with path.open("rb") as stream:
        n_lines = sum(piece.count(b"\n") for piece in iter(lambda: stream.read(_PIECE_BYTES), b""))
    refuse_more(n_lines, MAX_ROWS + 1, "lines")
    refuse_more(n_lines * n_columns, max_bytes // BYTES_OF_A_CELL, "cells")


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
