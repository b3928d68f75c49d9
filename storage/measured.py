"""Measured scores as what analyses are over: the newest with default options, beside what is known of their models."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from math import log10

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from scoring.analysis.layers import Curve
from scoring.analysis.table import AVERAGE, SIZE, WIDTH, AnalysedModel, ModelTable
from scoring.properties import LOSSES, TUNING

from . import leaderboard, lineage
from .engine import in_parts
from .leaderboard import Row
from .properties import Property
from .tables import ScoreLayerRow


def table(
    session: Session,
    *,
    protocol: str,
    benchmarks: tuple[str, ...] | None,
    hidden: Collection[str],
    is_of_brains: Callable[[str], bool],
    with_curves: bool = False,
    every_revision: bool = False,
) -> ModelTable:
    """Models with their raw scores on `benchmarks`, or on all that are not `hidden` or synthetic where None are named.

    The average is over those of brains, and missing where one of them is. What is not known of a model is missing. A
    model has one row, that of its newest score, or with `every_revision` one for each.
    """
    board = leaderboard.query(
        session,
        protocol=protocol,
        benchmarks=benchmarks,
        hidden=() if benchmarks is not None else hidden,
        include_synthetic=benchmarks is not None,
        all_rows=every_revision,
    )
    rows = _revisions(board.rows) if every_revision else board.rows
    ancestors = _ancestors(session, rows)
    shown = tuple(column.key for column in board.columns)
    averaged = tuple(name for name in shown if is_of_brains(name))
    curves = _curves(session, rows) if with_curves else {}
    return ModelTable(
        protocol=protocol,
        models=tuple(
            _row(row, averaged, {} if row.model is None else row.model.said, ancestors[row.model_id]) for row in rows
        ),
        benchmarks=shown,
        averaged=averaged,
        curves=curves,
    )


def _revisions(rows: Collection[Row]) -> list[Row]:
    """Of each revision the row with default options whose score is the newest."""
    newest: dict[tuple[str, str], Row] = {}
    for row in sorted((row for row in rows if not row.options), key=lambda row: row.scored_at):
        newest[row.model_id, row.revision] = row
    return list(newest.values())


def _ancestors(session: Session, rows: Collection[Row]) -> Mapping[str, tuple[str | None, tuple[str, ...]]]:
    """For each model its base and all its ancestors, nearest first.

    The base is the one furthest back that has a score here, for its descendants are compared with it; without one it
    is the furthest that is known.
    """
    known, scored = lineage.lineages(session), {row.model_id for row in rows}
    found = {}
    for model_id in scored:
        names = tuple(ancestor.model_id for ancestor in known.of(model_id))
        of_board = [name for name in names if name in scored]
        found[model_id] = ((of_board or names)[-1] if names else None, names)
    return found


def _row(
    row: Row,
    averaged: Collection[str],
    said: Mapping[str, Property],
    ancestors: tuple[str | None, tuple[str, ...]],
) -> AnalysedModel:
    scores = {name: cell.raw for name, cell in row.cells.items() if cell.raw is not None}
    if averaged and all(name in scores for name in averaged):
        scores[AVERAGE] = sum(scores[name] for name in averaged) / len(averaged)
    base, names = ancestors
    return AnalysedModel(
        id=row.model_id,
        family=_text(said, "family"),
        tuning=_text(said, TUNING),
        base=base,
        furthest=names[-1] if names else None,
        lineage=names,
        text=_text_of_losses(said),
        scores=scores,
        properties=_numbers(said),
    )


def _text(said: Mapping[str, Property], name: str) -> str | None:
    return None if name not in said else str(said[name].value)


def _text_of_losses(said: Mapping[str, Property]) -> str | None:
    """What the source of a loss says before its first comma: the text, and not how it was read."""
    return next((said[name].source.partition(",")[0] for name in LOSSES if name in said), None)


def _numbers(said: Mapping[str, Property]) -> dict[str, float]:
    """The properties that are numbers, with the decimal logarithms of sizes."""
    numbers = {name: float(one.value) for name, one in said.items() if isinstance(one.value, float | int)}
    logarithms = {SIZE: numbers.get("parameters"), WIDTH: numbers.get("width")}
    return numbers | {name: log10(value) for name, value in logarithms.items() if value}


def _curves(session: Session, rows: Collection[Row]) -> Mapping[str, Mapping[str, Curve]]:
    """Layer curves by benchmark and model."""
    owners = {cell.score_id: (name, row.model_id) for row in rows for name, cell in row.cells.items() if cell.score_id}
    points: dict[str, list[ScoreLayerRow]] = {}
    for some in in_parts(owners):
        wanted = sa.select(ScoreLayerRow).where(ScoreLayerRow.score_id.in_(some))
        for point in session.scalars(wanted.order_by(ScoreLayerRow.score_id, ScoreLayerRow.position)):
            points.setdefault(point.score_id, []).append(point)
    found: dict[str, dict[str, Curve]] = {}
    for score_id, own in points.items():
        name, model_id = owners[score_id]
        depths = np.array([point.depth for point in own])
        raws = np.array([np.nan if point.raw is None else point.raw for point in own])
        found.setdefault(name, {})[model_id] = Curve(name=model_id, depths=depths, raws=raws)
    return found
