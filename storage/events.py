"""What happened to a job, in order: the audit trail and the source of the event stream."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from . import news
from .engine import insert_rows
from .tables import EventRow


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened. `type` is `job.` or `run.` and the new status, or `run.progress`."""

    job_id: str
    seq: int
    at: datetime
    type: str
    run_id: str | None
    data: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class NewEvent:
    """An event that has no number yet; `request_id` is that of the request behind it, for the log alone."""

    job_id: str
    type: str
    run_id: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    request_id: str | None = None


def list_events(session: Session, job_id: str, after_seq: int = 0, *, limit: int = 1000) -> tuple[Event, ...]:
    """The job's events after number `after_seq`, oldest first; empty also when there is no such job."""
    rows = session.scalars(
        sa.select(EventRow)
        .where(EventRow.job_id == job_id, EventRow.seq > after_seq)
        .order_by(EventRow.seq)
        .limit(limit)
    )
    return tuple(map(_event, rows))


def last_events(session: Session, job_id: str, limit: int) -> tuple[Event, ...]:
    """The newest events of the job, oldest first; their numbers have no gaps, so the last one is how many there are."""
    query = sa.select(EventRow).where(EventRow.job_id == job_id).order_by(EventRow.seq.desc()).limit(limit)
    return tuple(map(_event, reversed(session.scalars(query).all())))


def append(session: Session, events: Sequence[NewEvent], *, at: datetime, are_new: bool = False) -> None:
    """Numbers and stores events. The caller holds the locks of the jobs' rows, which keep the numbers gapless.

    Jobs that `are_new` have no events yet.
    """
    if not events:
        return
    last = _last_numbers(session, set() if are_new else {event.job_id for event in events})
    rows = []
    for event in events:
        last[event.job_id] += 1
        rows.append(
            {
                "job_id": event.job_id,
                "seq": last[event.job_id],
                "at": at,
                "type": event.type,
                "run_id": event.run_id,
                "data": event.data,
            }
        )
    insert_rows(session, EventRow, rows)
    news.note(session, rows, request_ids={event.job_id: event.request_id for event in events})


def _event(row: EventRow) -> Event:
    return Event(job_id=row.job_id, seq=row.seq, at=row.at, type=row.type, run_id=row.run_id, data=row.data)


def _last_numbers(session: Session, job_ids: set[str]) -> defaultdict[str, int]:
    query = sa.select(EventRow.job_id, sa.func.max(EventRow.seq)).where(EventRow.job_id.in_(job_ids))
    found = session.execute(query.group_by(EventRow.job_id)) if job_ids else ()
    return defaultdict(int, ((job_id, seq) for job_id, seq in found))
