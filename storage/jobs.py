"""What somebody asked for: submit, read, cancel. How runs are worked off is told in `storage.runs`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from . import events, paging, terms, transitions
from .engine import now
from .job_records import (
    EVERYTHING,
    Job,
    NewJob,
    Viewer,
    assemble,
    find,
    get,
    not_found,
    require_change,
)
from .states import LIVE_JOBS, LIVE_RUNS, TERMINAL_JOBS, JobStatus, RunStatus
from .submission import submit
from .tables import JobRow, JobRunRow, RunRow

__all__ = ["EVERYTHING", "Job", "NewJob", "Viewer", "cancel", "find", "get", "page", "submit", "under_way"]

LABEL_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
"""Names of labels that can be filtered by."""


def page(
    session: Session,
    viewer: Viewer = EVERYTHING,
    *,
    status: JobStatus | None = None,
    model_id: str | None = None,
    labels: Mapping[str, str] | None = None,
    include_background: bool = False,
    page_size: int = 50,
    page_token: str | None = None,
) -> tuple[tuple[Job, ...], str | None]:
    """Jobs under these conditions, newest first, and the token of the next page; raises PageTokenInvalid."""
    query = (
        sa.select(JobRow).where(viewer.seen()).order_by(JobRow.created_at.desc(), JobRow.id.desc()).limit(page_size + 1)
    )
    if page_token is not None:
        at, job_id = paging.decode(page_token)
        older = sa.or_(JobRow.created_at < at, sa.and_(JobRow.created_at == at, JobRow.id < job_id))
        query = query.where(JobRow.created_at <= at, older)
    if not include_background:
        query = query.where(JobRow.is_background.is_(False))
    if status is not None:
        query = query.where(JobRow.status == status)
    if model_id is not None:
        query = query.where(JobRow.model_id == model_id)
    for name, value in (labels or {}).items():
        if not LABEL_NAME.fullmatch(name):
            return (), None
        query = query.where(JobRow.labels[name].as_string() == value)
    rows = session.scalars(query).all()
    shown = rows[:page_size]
    following = paging.encode(shown[-1].created_at, shown[-1].id) if len(rows) > page_size else None
    return tuple(assemble(session, shown)), following


def under_way(session: Session, viewer: Viewer = EVERYTHING, *, limit: int) -> tuple[Job, ...]:
    """Jobs that are being worked on, the longest first, and those that are next in the queue; so many of each.

    Without those that the service asked for itself.
    """
    seen = sa.select(JobRow).where(viewer.seen(), JobRow.is_background.is_(False)).limit(limit)
    running = seen.where(JobRow.status == JobStatus.RUNNING).order_by(JobRow.started_at, JobRow.id)
    queued = seen.where(JobRow.status == JobStatus.QUEUED).order_by(JobRow.priority, JobRow.created_at, JobRow.id)
    return tuple(assemble(session, [*session.scalars(running), *session.scalars(queued)]))


def cancel(session: Session, job_id: str, viewer: Viewer = EVERYTHING) -> Job:
    """Cancels an unfinished job at once, and those of its runs that no other unfinished job wants.

    The runs that stay are as the jobs that want them still ask for.

    Raises JobNotFound and JobNotYours.
    """
    require_change(find(session, job_id, viewer), viewer)
    linked = sa.select(JobRunRow.run_id).where(JobRunRow.job_id == job_id)
    live_runs = [row.id for row in transitions.lock_runs(session, RunRow.id.in_(linked), RunRow.status.in_(LIVE_RUNS))]
    row = session.scalars(sa.select(JobRow).where(JobRow.id == job_id).with_for_update(key_share=True)).first()
    if row is None:
        raise not_found()
    if row.status not in TERMINAL_JOBS:
        at = now(session)
        wanted = _wanted_by_others(session, live_runs, job_id)
        unwanted = [run_id for run_id in live_runs if run_id not in wanted]
        values = {"status": RunStatus.CANCELLED, "finished_at": at, **transitions.FREE}
        transitions.update_runs(session, unwanted, values)
        transitions.announce(session, unwanted, RunStatus.CANCELLED, at=at, follow=False)
        ended = transitions.change_job(session, job_id, JobStatus.CANCELLED, at=at, started_at=row.started_at)
        events.append(session, [ended], at=at)
        terms.renew(session, wanted)
    return get(session, job_id)


def _wanted_by_others(session: Session, run_ids: Sequence[str], job_id: str) -> set[str]:
    query = (
        sa.select(JobRunRow.run_id)
        .join(JobRow, JobRow.id == JobRunRow.job_id)
        .where(JobRunRow.run_id.in_(run_ids), JobRow.id != job_id, JobRow.status.in_(LIVE_JOBS))
    )
    return set(session.scalars(query))
