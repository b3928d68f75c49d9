"""Tables of the work: jobs, their runs, what happened to them, and who works."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ..states import JobStatus, RunStatus
from .base import Base, partial_index, status_column

DEFAULT_PRIORITY = 5
"""Of 0 to 9; 0 comes first."""

QUEUE = ("is_background", "priority", "created_at", "id")
"""What runs are claimed by, the smallest first."""


class JobRow(Base):
    """What somebody asked for, or the service itself in the background: one model on some benchmarks.

    `owner` is the id of the API key that asked, null where none was needed; a private job is shown to it alone.
    `retry_of` is the job whose failed runs this one repeats, `device_class` where its runs may be computed. Runs that
    still wait at `expires_at` are given up.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        partial_index("uq_jobs_retry_of", "retry_of", where="retry_of IS NOT NULL", unique=True),
        partial_index("ix_jobs_owner_live", "owner", where="status IN ('queued', 'running')"),
        partial_index("ix_jobs_queue", "is_background", "priority", "created_at", "id", where="status = 'queued'"),
        sa.Index("ix_jobs_created_at_id", "created_at", "id"),
        sa.Index("ix_jobs_status_created_at_id", "status", "created_at", "id"),
        sa.Index("ix_jobs_model_id_created_at_id", "model_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    model_id: Mapped[str]
    requested_revision: Mapped[str | None]
    protocol: Mapped[str]
    options: Mapped[dict[str, Any]]
    labels: Mapped[dict[str, Any]]
    force: Mapped[bool]
    is_background: Mapped[bool]
    owner: Mapped[str | None]
    is_private: Mapped[bool] = mapped_column(default=False)
    priority: Mapped[int] = mapped_column(default=DEFAULT_PRIORITY)
    device_class: Mapped[str | None]
    retry_of: Mapped[str | None]
    expires_at: Mapped[datetime | None]
    status: Mapped[JobStatus] = mapped_column(status_column(JobStatus))
    cached: Mapped[bool]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class RunRow(Base):
    """One model on one benchmark; simultaneous jobs that want the same share it.

    `token` is new at each claim and fences off whoever held the run before; `batch_key` marks runs that one load
    of the model serves. Runs in the background are claimed when no other is due, others by `priority`, the smallest
    first. A worker may claim a run whose `device_class` is null or its own, and whose model fits its memory as far as
    `min_memory_bytes` says. `n_halvings` is how often the batch is halved from the start, after memory ran out.
    """

    __tablename__ = "runs"
    __table_args__ = (
        partial_index("uq_runs_request_key_live", "request_key", where="status IN ('queued', 'running')", unique=True),
        partial_index("ix_runs_queue", *QUEUE, "not_before", "device_class", where="status = 'queued'"),
        partial_index("ix_runs_expires_at_queued", "expires_at", where="status = 'queued'"),
        partial_index("ix_runs_batch_key_queued", "batch_key", where="status = 'queued'"),
        partial_index("ix_runs_lease_until_running", "lease_until", where="status = 'running'"),
        sa.Index("ix_runs_finished_at", "finished_at"),
        sa.Index("ix_runs_protocol_model_id_benchmark", "protocol", "model_id", "benchmark", "created_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    request_key: Mapped[str]
    batch_key: Mapped[str]
    model_id: Mapped[str]
    requested_revision: Mapped[str | None]
    revision: Mapped[str | None]
    benchmark: Mapped[str]
    benchmark_version: Mapped[int]
    protocol: Mapped[str]
    options: Mapped[dict[str, Any]]
    seed: Mapped[int]
    scoring_version: Mapped[str]
    force: Mapped[bool]
    is_background: Mapped[bool]
    priority: Mapped[int] = mapped_column(default=DEFAULT_PRIORITY)
    device_class: Mapped[str | None]
    min_memory_bytes: Mapped[int | None]
    n_halvings: Mapped[int] = mapped_column(default=0)
    expires_at: Mapped[datetime | None]
    status: Mapped[RunStatus] = mapped_column(status_column(RunStatus))
    attempt: Mapped[int]
    token: Mapped[str | None]
    worker: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    not_before: Mapped[datetime]
    fraction: Mapped[float]
    stage: Mapped[str | None]
    detail: Mapped[str | None]
    error: Mapped[dict[str, Any] | None]
    score_id: Mapped[str | None] = mapped_column(sa.ForeignKey("scores.id", use_alter=True))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class JobRunRow(Base):
    """That a job wants a run, and at which place of its list."""

    __tablename__ = "job_runs"
    __table_args__ = (sa.Index("ix_job_runs_run_id", "run_id"),)

    job_id: Mapped[str] = mapped_column(sa.ForeignKey("jobs.id"), primary_key=True)
    run_id: Mapped[str] = mapped_column(sa.ForeignKey("runs.id"), primary_key=True)
    position: Mapped[int]


class EventRow(Base):
    """Something that happened to a job or to one of its runs; `seq` counts from 1 without gaps."""

    __tablename__ = "events"

    job_id: Mapped[str] = mapped_column(sa.ForeignKey("jobs.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    type: Mapped[str]
    run_id: Mapped[str | None] = mapped_column(sa.ForeignKey("runs.id"))
    data: Mapped[dict[str, Any]]


class WorkerRow(Base):
    """A worker process and when it was last heard of; `memory_bytes` is what it has for models, where that is known."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    device: Mapped[str]
    memory_bytes: Mapped[int | None]
    version: Mapped[str | None]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
