"""The leaderboard as the page shows it: made from what is sent as JSON, so that both say the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from storage.baselines import RESERVED, is_beside_others
from storage.leaderboard import AVERAGE
from storage.standings import Standing

from .. import board_schemas as wire
from ..score_schemas import Interval
from . import addresses
from .drawings import Scale, scale_of, whisker
from .pins import toggled

SORTABLE = (("model", "Model"), ("parameters", "Size"), (AVERAGE, "Average"), ("coverage", "Scored"))
FIRST_ASCENDING = frozenset({"model"})


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What stands beside a column: the ceilings of its scores, raw, and the best baseline, in the column's unit."""

    ceilings: tuple[float, ...]
    baseline: float | None
    baseline_id: str | None


@dataclass(frozen=True, kw_only=True)
class Head:
    """The head of a column: the address that sorts by it, and how it is sorted now."""

    key: str
    label: str
    help: str
    unit: str | None
    address: str
    sorted: str | None
    about: str | None
    reference: Reference | None


@dataclass(frozen=True, kw_only=True)
class CellView:
    """A value with its interval and its drawing, or the code that says why there is none."""

    value: float | None
    interval: Interval | None
    drawing: Markup
    flags: Sequence[str]
    missing: str | None
    score: str | None


@dataclass(frozen=True, kw_only=True)
class RowView:
    """A row of the table; `tie` is a or b, in turn, and none where a row is in no group.

    `pin` is the address that pins it, or unpins it where it is pinned; None where no more can be.
    """

    row: wire.Row
    address: str | None
    tie: str
    is_beside: bool
    pin: str | None
    cells: Sequence[CellView]


@dataclass(frozen=True, kw_only=True)
class BoardView:
    """The whole table; pinned rows stand above the others, and not among them."""

    heads: Sequence[Head]
    properties: Sequence[Head]
    columns: Sequence[Head]
    pinned: Sequence[RowView]
    rows: Sequence[RowView]


def references(standings: Iterable[Standing], columns: Sequence[wire.Column]) -> dict[str, Reference]:
    """The ceilings and the best baseline of each column."""
    is_normalised = {column.key: column.unit == "normalised" for column in columns}
    ceilings: dict[str, set[float]] = {key: set() for key in is_normalised}
    best: dict[str, tuple[float, str]] = {}
    for standing in standings:
        key = standing.benchmark
        if key not in is_normalised:
            continue
        if standing.ceiling is not None:
            ceilings[key].add(standing.ceiling)
        value = standing.normalised if is_normalised[key] else standing.raw
        if standing.model_id.startswith(RESERVED) and value is not None:
            best[key] = max(best.get(key, (value, standing.model_id)), (value, standing.model_id))
    return {
        key: Reference(ceilings=tuple(sorted(ceilings[key])), baseline=value, baseline_id=name)
        for key in is_normalised
        for value, name in [best.get(key, (None, None))]
    }


def board_page(
    board: wire.Leaderboard,
    beside: Mapping[str, Reference],
    parameters: Mapping[str, str],
    *,
    known: Collection[str],
    pinned: Sequence[wire.Row] = (),
) -> BoardView:
    """The table of a board; `known` are the benchmarks that have a page."""
    sort = parameters.get("sort", f"-{AVERAGE}")
    fixed = [_head(key, label, parameters, sort) for key, label in SORTABLE]
    columns = [
        _head(column.key, column.label, parameters, sort, column=column, beside=beside.get(column.key), known=known)
        for column in board.columns
    ]
    drawn = [*pinned, *board.data]
    scales = {column.key: _scale(drawn, column, beside.get(column.key)) for column in board.columns}
    on_top = {row.model.id for row in pinned}
    rows = [_row(row, board, scales, parameters) for row in drawn]
    asked = dict.fromkeys(name for row in drawn for name in row.model.properties)
    return BoardView(
        heads=fixed,
        properties=[_head(name, name, parameters, sort) for name in asked],
        columns=columns,
        pinned=rows[: len(pinned)],
        rows=[row for row in rows[len(pinned) :] if row.row.model.id not in on_top],
    )


def _head(
    key: str,
    label: str,
    parameters: Mapping[str, str],
    sort: str,
    *,
    column: wire.Column | None = None,
    beside: Reference | None = None,
    known: Collection[str] = (),
) -> Head:
    now = {key: "ascending", f"-{key}": "descending"}.get(sort)
    first = key if key in FIRST_ASCENDING else f"-{key}"
    following = (key if now == "descending" else f"-{key}") if now else first
    return Head(
        key=key,
        label=label,
        help="" if column is None else column.help,
        unit=None if column is None else column.unit,
        address=addresses.with_query("/", parameters, sort=following, page_token=None),
        sorted=now,
        about=addresses.benchmark(key) if key in known else None,
        reference=beside,
    )


def _scale(rows: Sequence[wire.Row], column: wire.Column, beside: Reference | None) -> Scale:
    values: list[float] = []
    for row in rows:
        cell = row.scores[column.key]
        if isinstance(cell, wire.Cell):
            values += [cell.value] if cell.interval is None else [cell.value, cell.interval.low, cell.interval.high]
    ceilings = () if beside is None else beside.ceilings
    ceiling = 1.0 if column.unit == "normalised" and ceilings else ceilings[0] if len(ceilings) == 1 else None
    return scale_of(values, ceiling=ceiling, baseline=None if beside is None else beside.baseline)


def _row(row: wire.Row, board: wire.Leaderboard, scales: Mapping[str, Scale], parameters: Mapping[str, str]) -> RowView:
    address = None
    if board.provenance == "measured":
        path = addresses.model(row.model.id)
        address = path if board.protocol == "grouped" else addresses.with_query(path, {"protocol": board.protocol})
    return RowView(
        row=row,
        address=address,
        tie="" if row.tie_group is None else ("tie-a", "tie-b")[row.tie_group % 2],
        is_beside=is_beside_others(row.model.id),
        pin=toggled(parameters, row.model.id),
        cells=[_cell(row.scores[column.key], scales[column.key]) for column in board.columns],
    )


def _cell(cell: wire.Cell | wire.MissingCell, scale: Scale) -> CellView:
    if isinstance(cell, wire.MissingCell):
        return CellView(value=None, interval=None, drawing=Markup(""), flags=(), missing=cell.missing, score=None)
    low, high = (None, None) if cell.interval is None else (cell.interval.low, cell.interval.high)
    return CellView(
        value=cell.value,
        interval=cell.interval,
        drawing=whisker(scale, cell.value, low, high),
        flags=cell.flags,
        missing=None,
        score=cell.score,
    )
