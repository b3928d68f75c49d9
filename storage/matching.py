"""Scores of base models that a score is matched with: the same setting, default options, one for each model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from . import baselines
from .score_rows import is_comparable
from .scores import StoredScore
from .tables import ModelRow, ScoreRow

BASE = "base"
"""The tuning of models that nobody tuned."""


@dataclass(frozen=True, kw_only=True)
class BaseScore:
    """The newest score of a base model, and its measures."""

    model_id: str
    score_id: str
    measures: dict[str, float]


def base_scores(session: Session, stored: StoredScore, named: Collection[str] | None = None) -> tuple[BaseScore, ...]:
    """What the base models among `named`, or those known to be untuned, have scored in this score's setting; by name.

    The score's own model is not among them, nor are baselines and surprisals that do not compare.
    """
    conditions = [getattr(ScoreRow, name) == value for name, value in asdict(stored.setting).items()]
    conditions += [ScoreRow.default_options.is_(True), ScoreRow.superseded_by.is_(None)]
    conditions += [ScoreRow.model_id != stored.model_id, baselines.stands_by_itself()]
    query = sa.select(ScoreRow).where(*conditions).order_by(ScoreRow.created_at, ScoreRow.id)
    if named is None:
        of_model = sa.and_(ModelRow.id == ScoreRow.model_id, ModelRow.revision == ScoreRow.revision)
        query = query.join(ModelRow, of_model).where(ModelRow.tuning == BASE)
    else:
        query = query.where(ScoreRow.model_id.in_(named))
    newest = {row.model_id: row for row in session.scalars(query) if is_comparable(row)}
    return tuple(
        BaseScore(model_id=model_id, score_id=row.id, measures=dict(row.measures))
        for model_id, row in sorted(newest.items())
    )
