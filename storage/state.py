"""How the service stands now, in numbers: what waits, what runs, who works. Cheap also with very many rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from . import tally
from .engine import now
from .tables import JobRow, RunRow, WorkerRow

QUEUED = sa.text("status = 'queued'")
RUNNING = sa.text("status = 'running'")
"""Written out, as the partial indexes have them: SQLite uses an index only where it sees that its condition holds."""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """How many runs wait that are alike: `device_class` None is any, background runs come after all others."""

    priority: int
    device_class: str | None
    is_background: bool
    n_runs: int
    due_s: float
    """For how long the one has been due that has been due longest; 0 where none is due yet."""


@dataclass(frozen=True, kw_only=True)
class ServiceState:
    """Queue, running runs, live jobs and workers, and the totals of what was counted.

    `workers` and `memory_bytes` are by device.
    """

    waiting: tuple[Waiting, ...]
    running: Mapping[str, int]
    live_jobs: Mapping[str, int]
    workers: Mapping[str, int]
    memory_bytes: Mapping[str, int]
    totals: Mapping[tuple[str, str], float]


def read_state(session: Session, *, worker_silence_s: float) -> ServiceState:
    """The state by the database's clock; a worker that was silent for longer is not counted."""
    at = now(session)
    workers, memory = _workers(session, at - timedelta(seconds=worker_silence_s))
    return ServiceState(
        waiting=_waiting(session, at),
        running=_running(session),
        live_jobs=_live_jobs(session),
        workers=workers,
        memory_bytes=memory,
        totals=tally.totals(session),
    )


def _waiting(session: Session, at: datetime) -> tuple[Waiting, ...]:
    alike = (RunRow.is_background, RunRow.priority, RunRow.device_class)
    query = sa.select(*alike, sa.func.count(), sa.func.min(RunRow.not_before)).where(QUEUED).group_by(*alike)
    return tuple(
        Waiting(
            is_background=is_background,
            priority=priority,
            device_class=device_class,
            n_runs=n_runs,
            due_s=max(0.0, (at - due_since).total_seconds()),
        )
        for is_background, priority, device_class, n_runs, due_since in session.execute(query)
    )


def _running(session: Session) -> Mapping[str, int]:
    """Running runs by stage; one that has not said its stage is at `start`."""
    stage = sa.func.coalesce(RunRow.stage, "start")
    query = sa.select(stage, sa.func.count()).where(RUNNING).group_by(stage)
    return {row[0]: row[1] for row in session.execute(query)}


def _live_jobs(session: Session) -> Mapping[str, int]:
    count = sa.select(sa.func.count()).select_from(JobRow)
    return {
        name: session.scalar(count.where(condition)) or 0
        for name, condition in (("queued", QUEUED), ("running", RUNNING))
    }


def _workers(session: Session, since: datetime) -> tuple[Mapping[str, int], Mapping[str, int]]:
    memory = sa.func.sum(WorkerRow.memory_bytes)
    query = sa.select(WorkerRow.device, sa.func.count(), memory).where(WorkerRow.seen_at >= since)
    rows = session.execute(query.group_by(WorkerRow.device)).all()
    return {row[0]: row[1] for row in rows}, {row[0]: int(row[2]) for row in rows if row[2] is not None}
