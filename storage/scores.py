"""Scores kept for ever: the only place where `scoring.types.Score` becomes rows and rows become a score again.

A score's row never changes, except that a newer one may supersede it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from scoring import results as science

from . import runs
from .engine import now
from .errors import ScoreNotFound
from .identity import Work, new_id, pinned_key, score_key, series_key
from .states import RunStatus
from .tables import RunRow, ScoreLayerRow, ScoreRow
from .transitions import NO_SYNC, lock_runs

RECORDING_TRIES = 20
"""How often another worker may record the same number under our hands before recording gives up."""


@dataclass(frozen=True, kw_only=True)
class StoredScore:
    """A score and where it comes from."""

    id: str
    run_id: str
    model_id: str
    revision: str
    dtype: str
    options: dict[str, Any]
    default_options: bool
    seed: int
    scoring_version: str
    created_at: datetime
    superseded_by: str | None
    score: science.Score


def record(session: Session, *, token: str, run_id: str, score: science.Score, revision: str, dtype: str) -> str | None:
    """Stores the score and ends its run with it; the score's id, or None when the worker has lost the run.

    A known score of the same key is taken instead, unless the run is forced: then the new one supersedes it, as it
    does one of an older scoring version.
    """
    held = lock_runs(session, RunRow.id == run_id, RunRow.token == token, RunRow.status == RunStatus.RUNNING)
    if not held:
        return None
    run = held[0]
    origin = _origin(run, score, revision, dtype)
    score_id = _insert_or_reuse(session, score, origin, force=run.force)
    runs.set_revision(session, token, [run_id], revision)
    runs.succeed(session, token, run_id, score_id)
    return score_id


def find(session: Session, key: str) -> StoredScore | None:
    """The score of this score key that no other supersedes."""
    return _newest(session, ScoreRow.score_key == key)


def find_pinned(session: Session, key: str) -> StoredScore | None:
    """The newest score of this pinned key that no other supersedes, whatever its dtype and data."""
    return _newest(session, ScoreRow.pinned_key == key)


def get(session: Session, score_id: str) -> StoredScore:
    """The score of this id, superseded or not; raises ScoreNotFound."""
    row = session.scalars(sa.select(ScoreRow).where(ScoreRow.id == score_id)).first()
    if row is None:
        raise ScoreNotFound("no score has this id", param="score_id")
    return _from_row(row, layers(session, row.id))


def layers(session: Session, score_id: str) -> tuple[science.LayerScore, ...]:
    """The score's layer curve in order of depth; empty when it has none or does not exist."""
    rows = session.scalars(
        sa.select(ScoreLayerRow).where(ScoreLayerRow.score_id == score_id).order_by(ScoreLayerRow.position)
    )
    return tuple(
        science.LayerScore(
            name=row.name,
            depth=row.depth,
            raw=row.raw,
            reason=row.reason,
            parts=tuple(science.LayerPart(**part) for part in row.parts),
        )
        for row in rows
    )


def _newest(session: Session, condition: sa.ColumnElement[bool]) -> StoredScore | None:
    query = sa.select(ScoreRow).where(condition, ScoreRow.superseded_by.is_(None))
    row = session.scalars(query.order_by(ScoreRow.created_at.desc(), ScoreRow.id.desc()).limit(1)).first()
    return None if row is None else _from_row(row, layers(session, row.id))


def _origin(run: RunRow, score: science.Score, revision: str, dtype: str) -> dict[str, Any]:
    work = Work(
        model_id=run.model_id,
        revision=revision,
        benchmark=score.benchmark,
        benchmark_version=score.benchmark_version,
        protocol=score.protocol,
        seed=run.seed,
        scoring_version=run.scoring_version,
        options=run.options,
    )
    return {
        "run_id": run.id,
        "series_key": series_key(work, dtype=dtype, data_sha256=score.data_sha256),
        "score_key": score_key(work, dtype=dtype, data_sha256=score.data_sha256),
        "pinned_key": pinned_key(work),
        "model_id": run.model_id,
        "revision": revision,
        "dtype": dtype,
        "options": run.options,
        "default_options": not run.options,
        "seed": run.seed,
        "scoring_version": run.scoring_version,
    }


def _insert_or_reuse(session: Session, score: science.Score, origin: Mapping[str, Any], *, force: bool) -> str:
    """The id of the score that stands for its series; the unique index decides between simultaneous ones."""
    in_series = (ScoreRow.series_key == origin["series_key"], ScoreRow.superseded_by.is_(None))
    standing = sa.select(ScoreRow.id, ScoreRow.score_key).where(*in_series).with_for_update()
    for _ in range(RECORDING_TRIES):
        old_id, old_key = session.execute(standing).first() or (None, None)
        if old_id is not None and old_key == origin["score_key"] and not force:
            return old_id
        score_id = new_id("score")
        try:
            with session.begin_nested():
                _supersede(session, old_id, score_id)
                _insert(session, score, {**origin, "id": score_id, "created_at": now(session)})
        except IntegrityError:
            continue
        return score_id
    raise RuntimeError(f"could neither store nor reuse a score in {RECORDING_TRIES} tries")


def _supersede(session: Session, old_id: str | None, score_id: str) -> None:
    """Lets the old score point to the new one before it exists; the foreign key is checked at the commit."""
    if old_id is not None:
        change = sa.update(ScoreRow).where(ScoreRow.id == old_id).values(superseded_by=score_id)
        session.execute(change, execution_options=NO_SYNC)


def _insert(session: Session, score: science.Score, origin: Mapping[str, Any]) -> None:
    session.execute(sa.insert(ScoreRow).values(**origin, **_to_columns(score)))
    points = [
        {"score_id": origin["id"], "position": position, **asdict(layer)} for position, layer in enumerate(score.layers)
    ]
    if points:
        session.execute(sa.insert(ScoreLayerRow), points)


def _to_columns(score: science.Score) -> dict[str, Any]:
    same = ("subject", "benchmark", "benchmark_version", "data_sha256", "synthetic", "protocol", "metric", "raw")
    return {
        **{name: getattr(score, name) for name in same},
        "ceiling": score.ceiling.value,
        "ceiling_low": score.ceiling.low,
        "ceiling_high": score.ceiling.high,
        "ceiling_method": score.ceiling.method.value,
        "ceiling_reason": score.ceiling.reason,
        "normalised": score.normalised,
        "word_probability": score.word_probability,
        "layer": None if score.layer is None else asdict(score.layer),
        "interval": None if score.interval is None else asdict(score.interval),
        "n": asdict(score.n),
        "measures": dict(score.measures),
        "parts": [asdict(part) for part in score.parts],
        "warnings": [asdict(warning) for warning in score.warnings],
        "conditions": dict(score.conditions),
    }


def _from_row(row: ScoreRow, curve: tuple[science.LayerScore, ...]) -> StoredScore:
    return StoredScore(
        id=row.id,
        run_id=row.run_id,
        model_id=row.model_id,
        revision=row.revision,
        dtype=row.dtype,
        options=row.options,
        default_options=row.default_options,
        seed=row.seed,
        scoring_version=row.scoring_version,
        created_at=row.created_at,
        superseded_by=row.superseded_by,
        score=_to_score(row, curve),
    )


def _to_score(row: ScoreRow, curve: tuple[science.LayerScore, ...]) -> science.Score:
    return science.Score(
        subject=row.subject,
        benchmark=row.benchmark,
        benchmark_version=row.benchmark_version,
        data_sha256=row.data_sha256,
        synthetic=row.synthetic,
        protocol=row.protocol,
        metric=row.metric,
        raw=row.raw,
        ceiling=science.Ceiling(
            value=row.ceiling,
            method=science.CeilingMethod(row.ceiling_method),
            low=row.ceiling_low,
            high=row.ceiling_high,
            reason=row.ceiling_reason,
        ),
        n=science.Counts(**row.n),
        parts=tuple(science.PartScore(**part) for part in row.parts),
        layer=None if row.layer is None else _to_layer_choice(row.layer),
        layers=curve,
        interval=None if row.interval is None else science.Interval(**row.interval),
        word_probability=row.word_probability,
        measures={name: float(value) for name, value in row.measures.items()},
        warnings=tuple(science.ScoreWarning(**warning) for warning in row.warnings),
        conditions=row.conditions,
    )


def _to_layer_choice(columns: Mapping[str, Any]) -> science.LayerChoice:
    return science.LayerChoice(
        selected=tuple(columns["selected"]),
        rule=columns["rule"],
        optimistic=science.Optimistic(**columns["optimistic"]),
    )
