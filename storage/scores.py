"""Scores kept for ever: recorded with the baselines that were computed beside them, found again.

A score's row never changes, except that a newer one may supersede it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from scoring import results as science
from scoring.uncertainty import n_drawn

from . import runs, score_tables
from .engine import in_parts, now
from .errors import ScoreNotFound
from .identity import Setting, Work, new_id, pinned_key, score_key, series_key
from .news import savepoint
from .score_rows import pack_draws, to_columns, to_layer, to_score, unpack_draws
from .states import RunStatus
from .tables import RunRow, ScoreDrawsRow, ScoreLayerRow, ScoreRow
from .transitions import NO_SYNC, lock_runs

BASELINE_REVISION = "built-in"
BASELINE_DTYPE = "float64"
"""What is recorded of a baseline where a model has a commit and a number format."""

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

    @property
    def setting(self) -> Setting:
        """What it has in common with the scores that may stand beside it."""
        return setting_of(self.score, self.scoring_version)


def setting_of(score: science.Score, scoring_version: str) -> Setting:
    """What a score made by this version of the scoring has in common with those that may stand beside it."""
    return Setting(
        benchmark=score.benchmark,
        benchmark_version=score.benchmark_version,
        data_sha256=score.data_sha256,
        protocol=score.protocol,
        scoring_version=scoring_version,
    )


def record(
    session: Session,
    *,
    token: str,
    run_id: str,
    score: science.Score,
    revision: str,
    dtype: str,
    tables: Mapping[str, bytes] = MappingProxyType({}),
    baselines: Sequence[science.Score] = (),
) -> str | None:
    """Stores the score and ends its run with it; the score's id, or None when the worker has lost the run.

    A known score of the same key is taken instead, unless the run is forced: then the new one supersedes it, as it
    does one of an older scoring version. `tables` are those of the words or units behind the score, by their kind, kept
    with the score that they were made for. The scores of `baselines` are stored under their own names, once for all.
    """
    held = lock_runs(session, RunRow.id == run_id, RunRow.token == token, RunRow.status == RunStatus.RUNNING)
    if not held:
        return None
    run = held[0]
    score_id = _insert_or_reuse(session, score, _origin(run, score, revision, dtype), tables=tables, force=run.force)
    for baseline in baselines:
        _insert_or_reuse(session, baseline, _baseline_origin(run, baseline), force=False)
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
    return _from_row(session, row)


def layers(session: Session, score_id: str) -> tuple[science.LayerScore, ...]:
    """The score's layer curve in order of depth; empty when it has none or does not exist."""
    rows = session.scalars(
        sa.select(ScoreLayerRow).where(ScoreLayerRow.score_id == score_id).order_by(ScoreLayerRow.position)
    )
    return tuple(map(to_layer, rows))


def draws(session: Session, score_ids: Collection[str]) -> dict[str, list[float]]:
    """The draws of each of these scores that has any."""
    found = {}
    for some in in_parts(score_ids):
        for row in session.scalars(sa.select(ScoreDrawsRow).where(ScoreDrawsRow.score_id.in_(some))):
            found[row.score_id] = unpack_draws(row.draws)
    return found


def clusters_drawn(interval: Mapping[str, Any] | None, n: Mapping[str, Any]) -> int:
    """How many passages or stories a score's draws are of, from the interval and the counts in its row."""
    told = interval or {}
    return n_drawn(told.get("method"), told.get("n"), n_folds=int(n["folds"]))


def _newest(session: Session, condition: sa.ColumnElement[bool]) -> StoredScore | None:
    query = sa.select(ScoreRow).where(condition, ScoreRow.superseded_by.is_(None))
    row = session.scalars(query.order_by(ScoreRow.created_at.desc(), ScoreRow.id.desc()).limit(1)).first()
    return None if row is None else _from_row(session, row)


def _origin(run: RunRow, score: science.Score, revision: str, dtype: str) -> dict[str, Any]:
    work = _work(score, model_id=run.model_id, revision=revision, scoring_version=run.scoring_version)
    return _keys(run, replace(work, seed=run.seed, options=run.options), dtype=dtype, data_sha256=score.data_sha256)


def _baseline_origin(run: RunRow, score: science.Score) -> dict[str, Any]:
    """Where a baseline comes from: the run that computed it, but none of the run's model and options."""
    work = _work(score, model_id=score.subject, revision=BASELINE_REVISION, scoring_version=run.scoring_version)
    return _keys(run, work, dtype=BASELINE_DTYPE, data_sha256=score.data_sha256)


def _work(score: science.Score, *, model_id: str, revision: str, scoring_version: str) -> Work:
    return Work(
        model_id=model_id,
        revision=revision,
        benchmark=score.benchmark,
        benchmark_version=score.benchmark_version,
        protocol=score.protocol,
        seed=0,
        scoring_version=scoring_version,
    )


def _keys(run: RunRow, work: Work, *, dtype: str, data_sha256: str) -> dict[str, Any]:
    return {
        "run_id": run.id,
        "series_key": series_key(work, dtype=dtype, data_sha256=data_sha256),
        "score_key": score_key(work, dtype=dtype, data_sha256=data_sha256),
        "pinned_key": pinned_key(work),
        "model_id": work.model_id,
        "revision": work.revision,
        "dtype": dtype,
        "options": dict(work.options),
        "default_options": not work.options,
        "seed": work.seed,
        "scoring_version": work.scoring_version,
    }


def _insert_or_reuse(
    session: Session,
    score: science.Score,
    origin: Mapping[str, Any],
    *,
    tables: Mapping[str, bytes] = MappingProxyType({}),
    force: bool,
) -> str:
    """The id of the score that stands for its series; the unique index decides between simultaneous ones."""
    in_series = (ScoreRow.series_key == origin["series_key"], ScoreRow.superseded_by.is_(None))
    standing = sa.select(ScoreRow.id, ScoreRow.score_key).where(*in_series).with_for_update()
    for _ in range(RECORDING_TRIES):
        old_id, old_key = session.execute(standing).first() or (None, None)
        if old_id is not None and old_key == origin["score_key"] and not force:
            return old_id
        score_id = new_id("score")
        try:
            with savepoint(session):
                _supersede(session, old_id, score_id)
                _insert(session, score, {**origin, "id": score_id, "created_at": now(session)})
                for kind, parquet in tables.items():
                    score_tables.keep(session, score_id, kind, parquet)
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
    session.execute(sa.insert(ScoreRow).values(**origin, **to_columns(score)))
    points = [
        {"score_id": origin["id"], "position": position, **asdict(layer)} for position, layer in enumerate(score.layers)
    ]
    if points:
        session.execute(sa.insert(ScoreLayerRow), points)
    if score.draws:
        session.execute(sa.insert(ScoreDrawsRow).values(score_id=origin["id"], draws=pack_draws(score.draws)))


def _from_row(session: Session, row: ScoreRow) -> StoredScore:
    curve, drawn = layers(session, row.id), draws(session, [row.id])
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
        score=to_score(row, curve, drawn.get(row.id, ())),
    )
