"""The leaderboard: a read model over scores and runs that nothing else is decided by.

A column shows `normalised` where every shown row of it has a ceiling, else `raw`. An average never mixes the two: it is
of normalised scores where every column is, else of raw ones. A missing cell says why.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from scoring import SCORING_VERSION
from scoring.results import NOT_COMPARABLE, Interval

from . import baselines, models
from .columns import dump_json
from .errors import SortUnknown
from .score_rows import is_comparable
from .states import RunStatus
from .tables import ModelRow, RunRow, ScoreRow

OUTDATED = "outdated"
"""Why a cell is empty whose only score is of an older version of the scoring or of the benchmark."""

AVERAGE = "average"
"""The key that sorts by the mean over the shown benchmarks."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One benchmark and what its cells show."""

    key: str
    normalised: bool


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A value with its interval in the column's unit, or None and the code that says why (`missing`).

    `flags` are the codes of the warnings that baselines give.
    """

    value: float | None
    interval: Interval | None = None
    score_id: str | None = None
    raw: float | None = None
    normalised: float | None = None
    missing: str | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Row:
    """A model, or with `all_rows` one of its revisions, dtypes and option sets. `revision` is the newest score's."""

    rank: int | None
    model_id: str
    revision: str
    dtype: str
    options: dict[str, Any]
    scored_at: datetime
    model: models.Model | None
    average: float | None
    cells: Mapping[str, Cell]


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """Rows in the order asked for; ranks count from the greatest value, and equal values share one.

    Baselines and untrained twins have no rank.
    """

    protocol: str
    sort: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def average_normalised(self) -> bool:
        """Whether averages are of normalised scores: where every column is; else they are of raw ones."""
        return _all_normalised(self.columns)


def query(
    session: Session,
    *,
    protocol: str,
    benchmarks: tuple[str, ...] | None = None,
    hidden: Collection[str] = (),
    family: str | None = None,
    include_synthetic: bool = False,
    include_baselines: bool = False,
    sort: str = AVERAGE,
    descending: bool = True,
    all_rows: bool = False,
) -> Leaderboard:
    """The newest score with default options of each model on each benchmark; raises SortUnknown.

    Benchmarks that are `hidden` are left out. Only scores of the scoring version in force and of the newest version of
    a benchmark stand beside one another.
    """
    wanted = _conditions(
        protocol, benchmarks, family, include_synthetic=include_synthetic, include_baselines=include_baselines
    )
    if hidden:
        wanted.append(ScoreRow.benchmark.not_in(hidden))
    scores = session.scalars(_scores_query(wanted, all_rows=all_rows)).all()
    shown = benchmarks if benchmarks is not None else tuple(sorted({score.benchmark for score in scores}))
    if sort != AVERAGE and sort not in shown:
        raise SortUnknown(
            "the leaderboard has no such column", hint=f"sort by {', '.join([AVERAGE, *shown])}", param="sort"
        )
    columns = tuple(_column(name, [score for score in scores if score.benchmark == name]) for name in shown)
    why = _missing_codes(session, protocol, {score.model_id for score in scores})
    known = models.revisions(session, {score.model_id for score in scores})
    flags = _flags(session, scores)
    rows = [_row(group, columns, why, known, flags=flags) for group in _group(scores, all_rows)]
    return Leaderboard(protocol=protocol, sort=sort, columns=columns, rows=_ranked(rows, sort, descending))


def _conditions(
    protocol: str,
    benchmarks: Sequence[str] | None,
    family: str | None,
    *,
    include_synthetic: bool,
    include_baselines: bool,
) -> list[sa.ColumnElement[bool]]:
    conditions = [
        ScoreRow.protocol == protocol,
        ScoreRow.scoring_version == SCORING_VERSION,
        ScoreRow.superseded_by.is_(None),
    ]
    if benchmarks is not None:
        conditions.append(ScoreRow.benchmark.in_(benchmarks))
    if not include_synthetic:
        conditions.append(ScoreRow.synthetic.is_(False))
    if not include_baselines:
        conditions.append(baselines.stands_by_itself())
    if family is not None:
        conditions.append(ScoreRow.model_id.in_(sa.select(ModelRow.id).where(ModelRow.family == family)))
    return conditions


def _scores_query(wanted: Sequence[sa.ColumnElement[bool]], *, all_rows: bool) -> sa.Select[ScoreRow]:
    conditions = [*wanted]
    group: list[Any] = [ScoreRow.benchmark, ScoreRow.model_id]
    if all_rows:
        group += [ScoreRow.revision, ScoreRow.dtype, sa.cast(ScoreRow.options, sa.Text)]
    else:
        conditions.append(ScoreRow.default_options.is_(True))
    newest_first = (ScoreRow.created_at.desc(), ScoreRow.id.desc())
    newest_version = sa.func.max(ScoreRow.benchmark_version).over(partition_by=ScoreRow.benchmark)
    place = sa.func.row_number().over(partition_by=group, order_by=(ScoreRow.benchmark_version.desc(), *newest_first))
    chosen = sa.select(
        ScoreRow.id, ScoreRow.benchmark_version, newest_version.label("newest_version"), place.label("place")
    )
    ranked = chosen.where(*conditions).subquery()
    return (
        sa.select(ScoreRow)
        .join(ranked, ranked.c.id == ScoreRow.id)
        .where(ranked.c.place == 1, ranked.c.benchmark_version == ranked.c.newest_version)
        .order_by(*newest_first)
    )


def _column(name: str, scores: Sequence[ScoreRow]) -> Column:
    return Column(key=name, normalised=bool(scores) and all(score.normalised is not None for score in scores))


def _missing_codes(session: Session, protocol: str, model_ids: set[str]) -> Mapping[tuple[str, str], str]:
    """For each model and benchmark why its newest run with default options leaves a cell empty."""
    place = sa.func.row_number().over(
        partition_by=(RunRow.model_id, RunRow.benchmark), order_by=(RunRow.created_at.desc(), RunRow.id.desc())
    )
    newest = (
        sa.select(RunRow.model_id, RunRow.benchmark, RunRow.status, RunRow.error, place.label("place"))
        .where(RunRow.protocol == protocol, RunRow.model_id.in_(model_ids))
        .where(sa.cast(RunRow.options, sa.Text) == "{}")
        .subquery()
    )
    codes = {}
    for row in session.execute(sa.select(newest).where(newest.c.place == 1)):
        codes[row.model_id, row.benchmark] = _missing_code(row.status, row.error)
    return codes


def _missing_code(status: RunStatus, error: Mapping[str, Any] | None) -> str:
    if status is RunStatus.SUCCEEDED:
        return OUTDATED
    return str(error["code"]) if status is RunStatus.FAILED and error is not None else status.value


def _group(scores: Sequence[ScoreRow], all_rows: bool) -> list[list[ScoreRow]]:
    groups: dict[tuple[str, ...], list[ScoreRow]] = {}
    for score in scores:
        variant = (score.revision, score.dtype, dump_json(score.options)) if all_rows else ()
        groups.setdefault((score.model_id, *variant), []).append(score)
    return list(groups.values())


def _row(
    group: Sequence[ScoreRow],
    columns: Sequence[Column],
    why: Mapping[tuple[str, str], str],
    known: Mapping[tuple[str, str], models.Model],
    *,
    flags: Mapping[str, tuple[str, ...]],
) -> Row:
    newest = group[0]
    by_benchmark = {score.benchmark: score for score in group}
    cells = {}
    for column in columns:
        missing = why.get((newest.model_id, column.key), "never_run")
        cells[column.key] = _cell(by_benchmark.get(column.key), column, missing, flags)
    unit = "normalised" if _all_normalised(columns) else "raw"
    values = [value for cell in cells.values() if (value := getattr(cell, unit)) is not None]
    return Row(
        rank=None,
        model_id=newest.model_id,
        revision=newest.revision,
        dtype=newest.dtype,
        options=newest.options,
        scored_at=newest.created_at,
        model=known.get((newest.model_id, newest.revision)),
        average=sum(values) / len(values) if len(values) == len(cells) else None,
        cells=cells,
    )


def _all_normalised(columns: Sequence[Column]) -> bool:
    return bool(columns) and all(column.normalised for column in columns)


def _flags(session: Session, scores: Sequence[ScoreRow]) -> Mapping[str, tuple[str, ...]]:
    found = baselines.warnings_beside(session, scores)
    return {score_id: tuple(warning.code for warning in warnings) for score_id, warnings in found.items()}


def _cell(score: ScoreRow | None, column: Column, missing: str, flags: Mapping[str, tuple[str, ...]]) -> Cell:
    if score is None:
        return Cell(value=None, missing=missing)
    if not is_comparable(score):
        return Cell(value=None, missing=NOT_COMPARABLE, score_id=score.id)
    scale = score.ceiling if column.normalised and score.ceiling is not None else 1.0
    return Cell(
        value=score.normalised if column.normalised else score.raw,
        interval=None if score.interval is None else _scaled(Interval(**score.interval), scale),
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


def _ranked(rows: Sequence[Row], sort: str, descending: bool) -> tuple[Row, ...]:
    """The rows with their ranks, in order; those without a value come last, whichever way the rest is sorted."""
    valued = [(row, value) for row in rows if (value := _sort_value(row, sort)) is not None]
    others = sorted((row for row in rows if _sort_value(row, sort) is None), key=_name)
    competing = [value for row, value in valued if not baselines.is_beside_others(row.model_id)]
    ranks: dict[float, int] = {}
    for position, value in enumerate(sorted(competing, reverse=True), start=1):
        ranks.setdefault(value, position)
    valued.sort(key=lambda pair: _name(pair[0]))
    valued.sort(key=lambda pair: pair[1], reverse=descending)
    return (*(_with_rank(row, ranks.get(value)) for row, value in valued), *others)


def _sort_value(row: Row, sort: str) -> float | None:
    return row.average if sort == AVERAGE else row.cells[sort].value


def _name(row: Row) -> tuple[str, ...]:
    return (row.model_id, row.revision, row.dtype, dump_json(row.options))


def _with_rank(row: Row, rank: int | None) -> Row:
    return replace(row, rank=None if baselines.is_beside_others(row.model_id) else rank)
