"""The leaderboard: a read model over scores and runs that nothing else is decided by, shown page by page.

A column shows `normalised` where every row of the board has a ceiling there, else `raw`. An average never mixes the
two: it is of normalised scores where every column is, else of raw ones. A missing cell says why. Filters choose rows;
ranks, rank intervals and tie groups are those of the whole board.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from scoring.results import NOT_COMPARABLE, Interval

from . import baselines, board_order, standings
from .board import AVERAGE, Board, Column, Ranking, View, load
from .board_draws import KeptDraws
from .board_order import Asked
from .described import Described, KnownModels, described
from .standings import NEVER_RUN, OUTDATED, Standing

__all__ = ["AVERAGE", "OUTDATED", "Asked", "Cell", "Column", "Leaderboard", "Row", "page", "query"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A value with its interval in the column's unit, or None and the code that says why (`missing`).

    `raw_bounds` are those of the interval of `raw`. `flags` are the codes of the warnings that baselines give.
    """

    value: float | None
    interval: Interval | None = None
    raw_bounds: tuple[float, float] | None = None
    score_id: str | None = None
    raw: float | None = None
    normalised: float | None = None
    missing: str | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Row:
    """A model, or with `all_rows` one of its revisions, dtypes and option sets. `revision` is the newest score's.

    `coverage` counts the columns that have a value. Rows of one `tie_group` are not surely different from its best.
    """

    rank: int | None
    model_id: str
    revision: str
    dtype: str
    options: dict[str, Any]
    scored_at: datetime
    model: Described | None
    average: float | None
    cells: Mapping[str, Cell]
    coverage: int = 0
    rank_interval: tuple[int, int] | None = None
    tie_group: int | None = None


@dataclass(frozen=True, kw_only=True)
class TiesTold:
    """What rank intervals and tie groups rest on; `reason` says why there are none."""

    of: str
    level: float
    n_models: int
    n_unpaired: int
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """Rows in the order asked for; ranks count from the greatest value, and equal values share one.

    Baselines and untrained twins have no rank. `as_of` is when the newest score on the board came.
    """

    protocol: str
    sort: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    as_of: datetime | None = None
    ties: TiesTold | None = None
    next_page_token: str | None = None

    @property
    def average_normalised(self) -> bool:
        """Whether averages are of normalised scores: where every column is; else they are of raw ones."""
        return bool(self.columns) and all(column.normalised for column in self.columns)


def query(session: Session, *, protocol: str, all_rows: bool = False, **asked: Any) -> Leaderboard:
    """The whole leaderboard of a protocol as it is; raises SortUnknown."""
    return page(session, load(session, protocol, all_rows=all_rows), Asked(**asked))


def page(
    session: Session,
    board: Board,
    asked: Asked,
    *,
    draws: KeptDraws | None = None,
    known: KnownModels | None = None,
    page_size: int | None = None,
    page_token: str | None = None,
) -> Leaderboard:
    """One page of a board, all of it without a size; raises SortUnknown, PropertyUnknown, PageTokenInvalid.

    `known` are the models of its rows, as `on_board` reads them.
    """
    known = on_board(session, board) if known is None else known
    view = board.view(board_order.shown(board, asked, known), include_baselines=asked.include_baselines)
    order = board_order.ordered(board, view, asked, known)
    places, following = board_order.cut(order, page_size=page_size, page_token=page_token)
    key = asked.sort if asked.sort in board_order.keys(view) else AVERAGE
    kept = KeptDraws() if draws is None else draws
    ranking = board.ranking(session, kept, view, key, include_baselines=asked.include_baselines)
    ties = ranking.ties
    return Leaderboard(
        protocol=board.protocol,
        sort=asked.sort,
        columns=view.columns,
        rows=tuple(_rows(session, board, view, ranking, places=places, known=known)),
        as_of=board.as_of,
        ties=TiesTold(of=key, level=ties.level, n_models=ties.n_models, n_unpaired=ties.n_unpaired, reason=ties.reason),
        next_page_token=following,
    )


def on_board(session: Session, board: Board) -> KnownModels:
    """What is known of the models at the revisions whose scores are on a board."""
    return described(session, {(standing.model_id, standing.revision) for standing in board.standings})


def _rows(
    session: Session,
    board: Board,
    view: View,
    ranking: Ranking,
    *,
    places: Iterable[int],
    known: KnownModels,
) -> Iterable[Row]:
    shown = list(places)
    found = [board.standings[cell] for cell in np.unique(view.cells[shown]) if cell >= 0]
    incomplete = {board.names[place][0] for place in shown if (view.cells[place] < 0).any()}
    why = standings.missing_codes(session, board.protocol, sorted(incomplete), at=board.at)
    flags = {
        score_id: tuple(warning.code for warning in warnings)
        for score_id, warnings in baselines.warnings_beside(session, found).items()
    }
    for place in shown:
        newest = board.standings[view.newest[place]]
        cells = {}
        for index, column in enumerate(view.columns):
            at = view.cells[place, index]
            missing = why.get((newest.model_id, column.key), NEVER_RUN)
            cells[column.key] = _cell(board.standings[at], column, flags) if at >= 0 else _empty(missing)
        yield Row(
            rank=_or_none(ranking.rank[place]),
            model_id=newest.model_id,
            revision=newest.revision,
            dtype=newest.dtype,
            options=newest.options,
            scored_at=newest.created_at,
            model=known.get((newest.model_id, newest.revision)),
            average=None if np.isnan(view.average[place]) else float(view.average[place]),
            cells=cells,
            coverage=int(view.coverage[place]),
            rank_interval=_interval_of_rank(ranking, place),
            tie_group=_or_none(ranking.ties.group[place]),
        )


def _interval_of_rank(ranking: Ranking, place: int) -> tuple[int, int] | None:
    low, high = int(ranking.ties.low[place]), int(ranking.ties.high[place])
    return (low, high) if low else None


def _or_none(number: Any) -> int | None:
    return int(number) or None


def _empty(missing: str) -> Cell:
    return Cell(value=None, missing=missing)


def _cell(score: Standing, column: Column, flags: Mapping[str, tuple[str, ...]]) -> Cell:
    if not score.is_comparable:
        return Cell(value=None, missing=NOT_COMPARABLE, score_id=score.id)
    scale = score.ceiling if column.normalised and score.ceiling is not None else 1.0
    interval = None if score.interval is None else Interval(**score.interval)
    return Cell(
        value=score.normalised if column.normalised else score.raw,
        interval=None if interval is None else _scaled(interval, scale),
        raw_bounds=None if interval is None else (interval.low, interval.high),
        score_id=score.id,
        raw=score.raw,
        normalised=score.normalised,
        flags=flags.get(score.id, ()),
    )


def _scaled(interval: Interval, ceiling: float) -> Interval:
    return Interval(
        level=interval.level,
        low=interval.low / ceiling,
        high=interval.high / ceiling,
        method=interval.method,
        n=interval.n,
        seed=interval.seed,
    )
