"""The leaderboard as storage gives it, made into what is sent: JSON, CSV, Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from scoring.benchmarks.base import Benchmark
from storage.board_history import Change
from storage.leaderboard import Cell as StoredCell
from storage.leaderboard import Leaderboard as StoredBoard
from storage.leaderboard import Row as StoredRow
from storage.standings import Standing

from . import board_schemas as wire
from .csv_tables import table
from .score_schemas import Interval

FIXED = {
    "rank": "int64",
    "model": "string",
    "revision": "string",
    "dtype": "string",
    "family": "string",
    "parameters": "int64",
    "average": "float64",
    "tuning": "string",
    "coverage": "int64",
    "rank_low": "int64",
    "rank_high": "int64",
    "tie_group": "int64",
}
"""Columns of the table before those of benchmarks, and Arrow's types of them."""

OF_BENCHMARKS = {
    "raw": "float64",
    "normalised": "float64",
    "missing": "string",
    "flags": "string",
    "raw_low": "float64",
    "raw_high": "float64",
}
"""What each benchmark adds, as `<benchmark>_<kind>`."""


def board_view(
    board: StoredBoard, benchmarks: Mapping[str, Benchmark], properties: Sequence[str] = ()
) -> wire.Leaderboard:
    """The leaderboard as it is sent; `benchmarks` are those that exist now, by name."""
    assert board.ties is not None, "only a board made by hand has none"
    return wire.Leaderboard(
        protocol=board.protocol,
        snapshot=board.as_of,
        average_unit="normalised" if board.average_normalised else "raw",
        ties=wire.Ties(**asdict(board.ties)),
        columns=[
            _column(column.key, benchmarks.get(column.key), is_normalised=column.normalised) for column in board.columns
        ],
        data=[_row(row, properties) for row in board.rows],
        next_page_token=board.next_page_token,
    )


def board_csv(board: StoredBoard, properties: Sequence[str] = ()) -> str:
    """The leaderboard as CSV (RFC 4180) with one header row.

    After the fixed columns those of `properties`, then for each benchmark `<name>_raw`, `<name>_normalised` (empty
    where there is no ceiling), `<name>_missing` (empty where there is a value), `<name>_flags`, codes with a semicolon
    between them, and `<name>_raw_low` and `<name>_raw_high`, the interval of raw.
    """
    rows = (_table_row(row, board, properties) for row in board.rows)
    return table([*column_types(_keys(board), properties)], rows)


def board_parquet(board: StoredBoard, properties: Sequence[str] = ()) -> bytes:
    """The same table as Parquet; what is empty in CSV is null."""
    from .parquet_tables import parquet

    rows = [_table_row(row, board, properties) for row in board.rows]
    return parquet(column_types(_keys(board), properties), rows)


def change_view(change: Change) -> wire.BoardChange:
    """What changed of a model as it is sent."""
    return wire.BoardChange(
        model=change.model_id,
        before=None if change.before is None else wire.BoardPlace(**asdict(change.before)),
        after=None if change.after is None else wire.BoardPlace(**asdict(change.after)),
        changes=[
            wire.CellChange(
                benchmark=cell.benchmark, cause=cell.cause, before=_score(cell.before), after=_score(cell.after)
            )
            for cell in change.cells
        ],
    )


def _score(standing: Standing | None) -> wire.BoardScore | None:
    if standing is None:
        return None
    return wire.BoardScore(
        score=standing.id,
        raw=standing.raw,
        normalised=standing.normalised,
        benchmark_version=standing.benchmark_version,
        revision=standing.revision,
    )


def column_types(benchmarks: Sequence[str], properties: Sequence[str] = ()) -> dict[str, str]:
    """The columns of a board's table with these benchmarks and properties, and Arrow's types of them."""
    of_models = dict.fromkeys(added(properties), "float64")
    of_benchmarks = {f"{name}_{kind}": alias for name in benchmarks for kind, alias in OF_BENCHMARKS.items()}
    return {**FIXED, **of_models, **of_benchmarks}


def added(properties: Sequence[str]) -> list[str]:
    """The properties that have no column in every table already."""
    return [name for name in properties if name not in FIXED]


def _keys(board: StoredBoard) -> list[str]:
    return [column.key for column in board.columns]


def _table_row(row: StoredRow, board: StoredBoard, properties: Sequence[str]) -> Sequence[object]:
    family, parameters, tuning = (None, None, None)
    if row.model is not None:
        family, parameters, tuning = row.model.family, row.model.parameters, row.model.tuning
    low, high = row.rank_interval or (None, None)
    values: list[object] = [row.rank, row.model_id, row.revision, row.dtype, family, parameters, row.average]
    values += [tuning, row.coverage, low, high, row.tie_group]
    values += [None if row.model is None else row.model.number(name) for name in added(properties)]
    for column in board.columns:
        cell = row.cells[column.key]
        values += [cell.raw, cell.normalised, cell.missing, ";".join(cell.flags), *(cell.raw_bounds or (None, None))]
    return values


def _column(key: str, benchmark: Benchmark | None, *, is_normalised: bool) -> wire.Column:
    unit = "raw over ceiling" if is_normalised else "raw; not every row has a ceiling"
    return wire.Column(
        key=key,
        label=key,
        help=f"{key if benchmark is None else f'{benchmark.title}; {benchmark.metric}'} ({unit})",
        unit="normalised" if is_normalised else "raw",
    )


def _row(row: StoredRow, properties: Sequence[str]) -> wire.Row:
    known = row.model
    return wire.Row(
        rank=row.rank,
        rank_interval=None if row.rank_interval is None else list(row.rank_interval),
        tie_group=row.tie_group,
        model=wire.BoardModel(
            id=row.model_id,
            revision=row.revision,
            family=known and known.family,
            architecture=known and known.architecture,
            parameters=known and known.parameters,
            n_layers=known and known.n_layers,
            width=known and known.width,
            tuning=known and known.tuning,
            properties={name: known and known.number(name) for name in properties},
        ),
        dtype=row.dtype,
        options=row.options,
        average=row.average,
        coverage=row.coverage,
        scores={key: _cell(cell) for key, cell in row.cells.items()},
    )


def _cell(cell: StoredCell) -> wire.Cell | wire.MissingCell:
    if cell.value is None or cell.score_id is None:
        return wire.MissingCell(value=None, missing=cell.missing or "never_run")
    interval = None if cell.interval is None else Interval(**asdict(cell.interval))
    return wire.Cell(value=cell.value, interval=interval, score=cell.score_id, flags=list(cell.flags))
