"""What of a job may still change, read for many jobs at once: enough to say whether anything has."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from . import queue_places, workers
from .columns import dump_json
from .states import LIVE_JOBS, JobStatus, RunStatus
from .tables import EventRow, JobRow, JobRunRow, ModelRow, RunRow


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """A job's status, whose it is, and a digest of everything about it that may change."""

    status: JobStatus
    owner: str | None
    is_private: bool
    digest: str


def read(session: Session, job_ids: Collection[str], *, worker_silence_s: float) -> Mapping[str, Stamp]:
    """The stamps of those of these jobs that exist, in a few queries however many they are."""
    rows: dict[str, list[sa.Row[Any]]] = defaultdict(list)
    for row in session.connection().execute(_QUERY, {"job_ids": list(job_ids)}):
        rows[row.id].append(row)
    queued = [job_id for job_id, found in rows.items() if found[0].status is JobStatus.QUEUED]
    waiting = {job_id for job_id, found in rows.items() if _is_waiting(found)}
    alive = workers.alive(session, within_s=worker_silence_s) if waiting else ()
    at_hand = sorted({f"{worker.device_class} {worker.memory_bytes}" for worker in alive})
    places = queue_places.read(session, queued)
    return {
        job_id: _stamp(found, surroundings=[at_hand if job_id in waiting else None, places.get(job_id)])
        for job_id, found in rows.items()
    }


def _is_waiting(rows: list[sa.Row[Any]]) -> bool:
    """Whether it matters if any worker is there: the job wants one and has none."""
    statuses = {row.run_status for row in rows}
    return rows[0].status in LIVE_JOBS and RunStatus.QUEUED in statuses and RunStatus.RUNNING not in statuses


def _stamp(rows: list[sa.Row[Any]], *, surroundings: list[Any]) -> Stamp:
    job = rows[0]
    changing = [job.status, job.last_seq, surroundings, [list(row[_FIRST_OF_RUN:]) for row in rows]]
    digest = hashlib.sha256(dump_json(changing).encode()).hexdigest()[:24]
    return Stamp(status=job.status, owner=job.owner, is_private=job.is_private, digest=digest)


_JOB = (
    JobRow.id,
    JobRow.status,
    JobRow.owner,
    JobRow.is_private,
    sa.select(sa.func.max(EventRow.seq)).where(EventRow.job_id == JobRow.id).scalar_subquery().label("last_seq"),
)
_FIRST_OF_RUN = len(_JOB)
_QUERY = (
    sa.select(
        *_JOB,
        RunRow.status.label("run_status"),
        RunRow.attempt,
        RunRow.stage,
        RunRow.fraction,
        RunRow.detail,
        RunRow.score_id,
        RunRow.revision,
        RunRow.device_class,
        RunRow.min_memory_bytes,
        ModelRow.parameters,
    )
    .join(JobRunRow, JobRunRow.job_id == JobRow.id)
    .join(RunRow, RunRow.id == JobRunRow.run_id)
    .outerjoin(ModelRow, sa.and_(ModelRow.id == RunRow.model_id, ModelRow.revision == RunRow.revision))
    .where(JobRow.id.in_(sa.bindparam("job_ids", expanding=True)))
    .order_by(JobRow.id, JobRunRow.position)
)
