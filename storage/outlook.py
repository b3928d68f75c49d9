"""What a job would meet if it came now: who works, who waits, how long runs took. Nothing here is a promise."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from statistics import median

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .engine import now
from .states import LIVE_JOBS
from .tables import JobRow, RunRow, ScoreRow, WorkerRow

N_RECENT = 50
"""Runs whose durations are looked at."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A worker that is alive: its device and the memory that it has for models, None where it does not say."""

    device: str
    memory_bytes: int | None


def places(session: Session, *, within_s: float) -> tuple[Place, ...]:
    """The workers heard of in the last seconds."""
    since = now(session) - timedelta(seconds=within_s)
    query = sa.select(WorkerRow.device, WorkerRow.memory_bytes).where(WorkerRow.seen_at >= since)
    return tuple(Place(device=row.device, memory_bytes=row.memory_bytes) for row in session.execute(query))


def n_ahead(session: Session) -> int:
    """How many jobs that somebody asked for are not finished."""
    query = sa.select(sa.func.count()).where(JobRow.status.in_(LIVE_JOBS), sa.not_(JobRow.is_background))
    return session.scalars(query.select_from(JobRow)).one()


def duration_s(session: Session, *, benchmark: str, protocol: str) -> float | None:
    """The median duration of the last runs of a benchmark that computed their scores; None where there are none."""
    query = (
        sa.select(RunRow.started_at, RunRow.finished_at)
        .join(ScoreRow, sa.and_(ScoreRow.id == RunRow.score_id, ScoreRow.run_id == RunRow.id))
        .where(ScoreRow.protocol == protocol, ScoreRow.benchmark == benchmark, ScoreRow.superseded_by.is_(None))
        .where(RunRow.started_at.is_not(None), RunRow.finished_at.is_not(None))
        .order_by(RunRow.finished_at.desc())
        .limit(N_RECENT)
    )
    spans = session.execute(query).all()
    found = [(ended - started).total_seconds() for started, ended in spans if started and ended]
    return median(found) if found else None
