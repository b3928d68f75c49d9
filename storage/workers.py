"""Which worker processes are alive, by when they were last heard of. The runs they hold are told in `storage.runs`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from .engine import now
from .tables import WorkerRow
from .transitions import NO_SYNC


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A worker process and when it was last heard of."""

    id: str
    host: str
    pid: int
    device: str
    started_at: datetime
    seen_at: datetime


def beat(session: Session, *, worker_id: str, host: str, pid: int, device: str) -> None:
    """Notes that this worker is alive; the first time, that it exists."""
    at = now(session)
    if _touch(session, worker_id, at):
        return
    try:
        with session.begin_nested():
            row = {"id": worker_id, "host": host, "pid": pid, "device": device, "started_at": at, "seen_at": at}
            session.execute(sa.insert(WorkerRow).values(**row))
    except IntegrityError:
        _touch(session, worker_id, at)


def alive(session: Session, *, within_s: float) -> tuple[Worker, ...]:
    """The workers heard of in the last seconds, oldest first."""
    since = now(session) - timedelta(seconds=within_s)
    query = sa.select(WorkerRow).where(WorkerRow.seen_at >= since).order_by(WorkerRow.started_at, WorkerRow.id)
    return tuple(
        Worker(
            id=row.id,
            host=row.host,
            pid=row.pid,
            device=row.device,
            started_at=row.started_at,
            seen_at=row.seen_at,
        )
        for row in session.scalars(query)
    )


def forget(session: Session, worker_id: str) -> None:
    """Removes a worker that says goodbye; unknown ones are no error."""
    session.execute(sa.delete(WorkerRow).where(WorkerRow.id == worker_id), execution_options=NO_SYNC)


def _touch(session: Session, worker_id: str, at: datetime) -> bool:
    change = sa.update(WorkerRow).where(WorkerRow.id == worker_id).values(seen_at=at).returning(WorkerRow.id)
    return session.scalars(change, execution_options=NO_SYNC).first() is not None
