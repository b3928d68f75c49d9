"""A job as it is asked for and as it stands. How it changes is told in `storage.jobs` and `storage.submission`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .errors import JobNotFound
from .identity import Work
from .run_records import Run, from_row
from .states import JobStatus, RunStatus
from .tables import JobRow, JobRunRow, RunRow


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A job to submit; `benchmarks` are names and versions, `options` holds only what differs from the defaults.

    One `is_background` is the service's own: its runs are claimed when no other is due.
    """

    model_id: str
    requested_revision: str | None
    benchmarks: tuple[tuple[str, int], ...]
    protocol: str
    scoring_version: str
    options: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    force: bool = False
    is_background: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.benchmarks or len(set(self.benchmarks)) != len(self.benchmarks):
            raise ValueError("a job names at least one benchmark, and each of them once")

    def work(self, benchmark: str, version: int) -> Work:
        """What the run of one benchmark computes, as requested."""
        return Work(
            model_id=self.model_id,
            revision=self.requested_revision,
            benchmark=benchmark,
            benchmark_version=version,
            protocol=self.protocol,
            seed=self.seed,
            scoring_version=self.scoring_version,
            options=self.options,
        )


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as it stands. `queue_position` counts from 1 among queued jobs; `error` is that of the first failed run."""

    id: str
    model_id: str
    requested_revision: str | None
    protocol: str
    options: dict[str, Any]
    labels: dict[str, str]
    force: bool
    is_background: bool
    status: JobStatus
    cached: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    runs: tuple[Run, ...]
    queue_position: int | None
    error: dict[str, Any] | None


def get(session: Session, job_id: str) -> Job:
    """The job of this id with its runs; raises JobNotFound."""
    rows = session.scalars(sa.select(JobRow).where(JobRow.id == job_id)).all()
    if not rows:
        raise not_found()
    return assemble(session, rows)[0]


def assemble(session: Session, rows: Sequence[JobRow]) -> list[Job]:
    """The jobs of these rows, each with its runs and its place in the queue."""
    runs = _runs_of(session, [row.id for row in rows])
    positions = _queue_positions(session, [row.id for row in rows if row.status is JobStatus.QUEUED])
    columns = {column.name for column in fields(Job)} - {"runs", "queue_position", "error"}
    return [
        Job(
            **{name: getattr(row, name) for name in columns},
            runs=tuple(runs[row.id]),
            queue_position=positions.get(row.id),
            error=_first_error(runs[row.id]) if row.status is JobStatus.FAILED else None,
        )
        for row in rows
    ]


def not_found() -> JobNotFound:
    """The error that says so without repeating what the client sent."""
    return JobNotFound("no job has this id", hint="GET /v1/jobs lists the jobs", param="job_id")


def _runs_of(session: Session, job_ids: Collection[str]) -> Mapping[str, list[Run]]:
    query = (
        sa.select(JobRunRow.job_id, RunRow)
        .join(RunRow, RunRow.id == JobRunRow.run_id)
        .where(JobRunRow.job_id.in_(job_ids))
        .order_by(JobRunRow.job_id, JobRunRow.position)
    )
    runs: dict[str, list[Run]] = defaultdict(list)
    for job_id, row in session.execute(query):
        runs[job_id].append(from_row(row))
    return runs


def _queue_positions(session: Session, job_ids: Collection[str]) -> Mapping[str, int]:
    if not job_ids:
        return {}
    order = sa.func.row_number().over(order_by=(JobRow.is_background, JobRow.created_at, JobRow.id))
    queue = sa.select(JobRow.id, order.label("position")).where(JobRow.status == JobStatus.QUEUED).subquery()
    query = sa.select(queue.c.id, queue.c.position).where(queue.c.id.in_(job_ids))
    return {row.id: row.position for row in session.execute(query)}


def _first_error(runs: Sequence[Run]) -> dict[str, Any] | None:
    return next((run.error for run in runs if run.status in (RunStatus.FAILED, RunStatus.EXPIRED)), None)
