"""What of a job may still change, read for many jobs at once: enough to say whether anything has."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from . import workers
from .columns import dump_json
from .job_records import queue_position
from .states import JobStatus
from .tables import EventRow, JobRow, JobRunRow, ModelRow, RunRow


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """A job's status, whose it is, and a digest of everything about it that may change."""

    status: JobStatus
    owner: str | None
    is_private: bool
    digest: str


def read(session: Session, job_ids: Collection[str], *, worker_silence_s: float) -> Mapping[str, Stamp]:
    """The stamps of those of these jobs that exist, in one query, and one more for each that is queued."""
    rows: dict[str, list[sa.Row[Any]]] = defaultdict(list)
    for row in session.execute(_QUERY, {"job_ids": list(job_ids)}):
        rows[row.id].append(row)
    is_waiting = any(found[0].status in (JobStatus.QUEUED, JobStatus.RUNNING) for found in rows.values())
    n_workers = len(workers.alive(session, within_s=worker_silence_s)) if is_waiting else 0
    return {job_id: _stamp(session, found, has_worker=n_workers > 0) for job_id, found in rows.items()}


def _stamp(session: Session, rows: list[sa.Row[Any]], *, has_worker: bool) -> Stamp:
    job = rows[0]
    is_live = job.status in (JobStatus.QUEUED, JobStatus.RUNNING)
    position = queue_position(session, job) if job.status is JobStatus.QUEUED else None
    changing = [job.status, job.last_seq, position, is_live and has_worker, [list(row[_FIRST_OF_RUN:]) for row in rows]]
    digest = hashlib.sha256(dump_json(changing).encode()).hexdigest()[:24]
    return Stamp(status=job.status, owner=job.owner, is_private=job.is_private, digest=digest)


_JOB = (
    JobRow.id,
    JobRow.status,
    JobRow.owner,
    JobRow.is_private,
    JobRow.is_background,
    JobRow.priority,
    JobRow.created_at,
    sa.select(sa.func.max(EventRow.seq)).where(EventRow.job_id == JobRow.id).scalar_subquery().label("last_seq"),
)
_FIRST_OF_RUN = len(_JOB)
_QUERY = (
    sa.select(
        *_JOB,
        RunRow.status,
        RunRow.attempt,
        RunRow.stage,
        RunRow.fraction,
        RunRow.detail,
        RunRow.score_id,
        RunRow.revision,
        ModelRow.parameters,
    )
    .join(JobRunRow, JobRunRow.job_id == JobRow.id)
    .join(RunRow, RunRow.id == JobRunRow.run_id)
    .outerjoin(ModelRow, sa.and_(ModelRow.id == RunRow.model_id, ModelRow.revision == RunRow.revision))
    .where(JobRow.id.in_(sa.bindparam("job_ids", expanding=True)))
    .order_by(JobRow.id, JobRunRow.position)
)
