"""What time does to runs: leases of silent workers end, and runs that waited too long are given up.

Any number of workers may do this at once: each takes rows that no other has locked, a bounded number at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .engine import now
from .run_records import Problem
from .states import RunStatus
from .tables import RunRow, WorkerRow
from .transitions import FREE, announce, back_to_queue, lock_live_jobs, lock_runs, update_runs
from .workers import GPU_DEVICES

BATCH = 200
"""Runs that one transaction changes at the most, so that it is short."""

WORKER_LOST = Problem(
    code="worker_lost",
    detail="Every worker that took this run stopped before it was finished.",
    hint="The model may need more memory than the workers have; look at their logs.",
)

EXPIRED = Problem(
    code="expired",
    detail="The run still waited for a worker when its time was up.",
    hint="Ask again, with more time; GET /v1/workers lists the workers that are there.",
)


NO_ROOM = Problem(
    code="model_too_large",
    detail="No worker that was lately there has the memory that the model needs.",
    hint="Start a worker with more memory and retry the job, or name a smaller model of its kind.",
)


def is_any_overdue(session: Session) -> bool:
    """Whether a lease has ended or a waiting run's time is up; nothing is locked."""
    at = now(session)
    lost = sa.select(RunRow.id).where(RunRow.status == RunStatus.RUNNING, RunRow.lease_until < at)
    late = sa.select(RunRow.id).where(RunRow.status == RunStatus.QUEUED, RunRow.expires_at <= at)
    ordered = (lost.order_by(RunRow.lease_until), late.order_by(RunRow.expires_at))  # as their indexes are
    return any(session.scalars(query.limit(1)).first() is not None for query in ordered)


def expire_leases(
    session: Session, *, max_attempts: int = 3, delay_s: Callable[[int], float] = lambda attempt: 0.0
) -> list[str]:
    """Takes back runs whose workers stopped beating, at most 200 at once, and names them.

    A run goes back to the queue for `delay_s(attempt)` seconds, or after `max_attempts` fails with `worker_lost`.
    """
    at = now(session)
    overdue = (RunRow.status == RunStatus.RUNNING, RunRow.lease_until < at)
    lost = lock_runs(session, *overdue, skip_locked=True, limit=BATCH)
    again = [row for row in lost if row.attempt < max_attempts]
    given_up = [row.id for row in lost if row.attempt >= max_attempts]
    error = WORKER_LOST.as_json()
    update_runs(session, given_up, {"status": RunStatus.FAILED, "error": error, "finished_at": at, **FREE})
    for row in again:
        back_to_queue(session, row, at=at, delay_s=delay_s(row.attempt), values={"error": error})
    lock_live_jobs(session, [row.id for row in lost])
    for kind, run_ids in ((RunStatus.QUEUED, [row.id for row in again]), (RunStatus.FAILED, given_up)):
        announce(session, run_ids, kind, at=at, data={"error": error, "lease_lost": True})
    return [row.id for row in lost]


def expire_waiting(session: Session) -> list[str]:
    """Gives up queued runs whose time is up, at most 200 at once, and names them."""
    at = now(session)
    overdue = (RunRow.status == RunStatus.QUEUED, RunRow.expires_at <= at)
    late = [row.id for row in lock_runs(session, *overdue, skip_locked=True, limit=BATCH)]
    error = EXPIRED.as_json()
    update_runs(session, late, {"status": RunStatus.EXPIRED, "error": error, "finished_at": at})
    announce(session, late, RunStatus.EXPIRED, at=at, data={"error": error})
    return late


def expire_unmet(session: Session, *, after_s: float) -> list[str]:
    """Gives up runs that were sent for memory which no worker heard of in the last `after_s` seconds has, at most 200.

    A run has waited for so long itself: a worker that is started anew is not missed at once.
    """
    at = now(session)
    since = at - timedelta(seconds=after_s)
    is_gpu = WorkerRow.device.like(GPU_DEVICES)
    of_class = sa.or_(RunRow.device_class.is_(None), RunRow.device_class == sa.case((is_gpu, "gpu"), else_="cpu"))
    has_room = sa.exists().where(
        WorkerRow.seen_at >= since, WorkerRow.memory_bytes >= RunRow.min_memory_bytes, of_class
    )
    unmet = (
        RunRow.status == RunStatus.QUEUED,
        RunRow.min_memory_bytes.is_not(None),
        RunRow.not_before < since,
        sa.not_(has_room.correlate(RunRow)),
    )
    unserved = [row.id for row in lock_runs(session, *unmet, skip_locked=True, limit=BATCH)]
    error = NO_ROOM.as_json()
    update_runs(session, unserved, {"status": RunStatus.FAILED, "error": error, "finished_at": at})
    announce(session, unserved, RunStatus.FAILED, at=at, data={"error": error})
    return unserved
