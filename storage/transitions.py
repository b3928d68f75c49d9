"""How a change of runs reaches the jobs that want them, and the order of locks that keeps this free of deadlocks.

A transaction with idempotency keys waits for these before anything else (`idempotency.recall`). It locks rows of runs
first, in the order of their request keys, then rows of jobs in the order of their ids:
one that announces several things locks the jobs of all their runs before the first. One that records a score goes on to
the runs of untrained twins (`twins.queue`), in the order of their seeds: only jobs that score twins want those, and the
score of a twin queues nothing, so who holds them waits for nothing of this. SQLite has one writer at a time and ignores
row locks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from . import events
from .states import LIVE_JOBS, TERMINAL_JOBS, JobStatus, RunStatus, job_status
from .tables import JobRow, JobRunRow, RunRow

FREE: Mapping[str, None] = {"token": None, "worker": None, "lease_until": None}
"""What the row of a run that nobody holds says about its holder."""


def lock_runs(
    session: Session,
    *conditions: sa.ColumnElement[bool] | sa.TextClause,
    skip_locked: bool = False,
    limit: int | None = None,
) -> Sequence[RunRow]:
    """The rows of runs under these conditions, at most `limit`, locked until the transaction ends."""
    query = sa.select(RunRow).where(*conditions).order_by(RunRow.request_key, RunRow.id).limit(limit)
    return session.scalars(query.with_for_update(key_share=True, skip_locked=skip_locked)).all()


def lock_live_jobs(session: Session, run_ids: Collection[str]) -> Sequence[JobRow]:
    """The rows of unfinished jobs that want any of these runs, locked until the transaction ends.

    Finished ones are left out here, not by the query: SQLite would look for it through every unfinished job there is.
    """
    wanting = sa.select(JobRunRow.job_id).where(JobRunRow.run_id.in_(run_ids))
    query = sa.select(JobRow).where(JobRow.id.in_(wanting)).order_by(JobRow.id)
    return [job for job in session.scalars(query.with_for_update(key_share=True)) if job.status in LIVE_JOBS]


def announce(
    session: Session,
    run_ids: Sequence[str],
    kind: str,
    *,
    at: datetime,
    data: Mapping[str, Any] | None = None,
    follow: bool = True,
) -> None:
    """Writes the event `run.<kind>` into every unfinished job that wants these runs, and renews the jobs' statuses.

    The caller has locked and changed the rows of the runs in this transaction, and if it announces more than once, has
    locked the jobs of all the runs together before (`lock_live_jobs`). Without `follow` it gives the jobs their
    statuses itself.
    """
    jobs = lock_live_jobs(session, run_ids) if run_ids else []
    runs_by_job = _runs_by_job(session, [job.id for job in jobs]) if jobs else {}
    for job in jobs:
        runs = runs_by_job[job.id]
        news = [
            events.NewEvent(
                job_id=job.id,
                type=f"run.{kind}",
                run_id=run.id,
                data={"benchmark": run.benchmark, "attempt": run.attempt, **(data or {})},
            )
            for run in runs
            if run.id in run_ids
        ]
        if follow:
            news += _follow(session, job, [run.status for run in runs], at=at)
        events.append(session, news, at=at)


def change_job(
    session: Session, job_id: str, status: JobStatus, *, at: datetime, started_at: datetime | None
) -> events.NewEvent:
    """Gives a job, whose row is locked, its new status; the event to append says so."""
    values: dict[str, Any] = {"status": status}
    if status is JobStatus.RUNNING and started_at is None:
        values["started_at"] = at
    if status in TERMINAL_JOBS:
        values["finished_at"] = at
    session.execute(sa.update(JobRow).where(JobRow.id == job_id).values(**values), execution_options=NO_SYNC)
    return events.NewEvent(job_id=job_id, type=f"job.{status}", data={"status": status.value})


def update_runs(session: Session, run_ids: Collection[str], values: Mapping[str, Any]) -> None:
    """Changes the rows of these runs, which the caller has locked."""
    if run_ids:
        session.execute(sa.update(RunRow).where(RunRow.id.in_(run_ids)).values(**values), execution_options=NO_SYNC)


def back_to_queue(
    session: Session, row: RunRow, *, at: datetime, delay_s: float = 0.0, values: Mapping[str, Any] | None = None
) -> None:
    """Lets a run, whose row is locked, wait to be claimed, after a pause; `values` are what else changes."""
    waiting = {
        "status": RunStatus.QUEUED,
        "not_before": at + timedelta(seconds=delay_s),
        "fraction": 0.0,
        "stage": None,
        "detail": None,
    }
    update_runs(session, [row.id], {**waiting, **(values or {}), **FREE})


NO_SYNC = {"synchronize_session": False}
"""Execution options of updates: nothing is read from the session's memory, so none of it has to be kept in step."""


def _follow(session: Session, job: JobRow, runs: Sequence[RunStatus], *, at: datetime) -> list[events.NewEvent]:
    status = job_status(job.status, runs)
    if status is job.status:
        return []
    return [change_job(session, job.id, status, at=at, started_at=job.started_at)]


def _runs_by_job(session: Session, job_ids: Sequence[str]) -> Mapping[str, list[sa.Row[str, str, RunStatus, str, int]]]:
    query = (
        sa.select(JobRunRow.job_id, RunRow.id, RunRow.status, RunRow.benchmark, RunRow.attempt)
        .join(RunRow, RunRow.id == JobRunRow.run_id)
        .where(JobRunRow.job_id.in_(job_ids))
        .order_by(JobRunRow.job_id, JobRunRow.position)
    )
    by_job: dict[str, list[sa.Row[str, str, RunStatus, str, int]]] = defaultdict(list)
    for row in session.execute(query):
        by_job[row.job_id].append(row)
    return by_job
