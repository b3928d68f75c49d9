"""How far the events of many jobs have come: one small query for everybody who waits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .states import TERMINAL_JOBS, JobStatus
from .tables import EventRow, JobRow

AT_ONCE = 500
"""Jobs that one query asks for; databases bound the number of parameters."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """The job's status and the number of its last event."""

    status: JobStatus
    last_seq: int

    @property
    def is_final(self) -> bool:
        """Whether no further event will come."""
        return self.status in TERMINAL_JOBS


def read(session: Session, job_ids: Collection[str]) -> Mapping[str, Head]:
    """The heads of those of these jobs that exist."""
    wanted = list(job_ids)
    return {
        job_id: Head(status=status, last_seq=last_seq or 0)
        for start in range(0, len(wanted), AT_ONCE)
        for job_id, status, last_seq in session.execute(_QUERY, {"job_ids": wanted[start : start + AT_ONCE]})
    }


_LAST = sa.select(sa.func.max(EventRow.seq)).where(EventRow.job_id == JobRow.id).scalar_subquery()
_QUERY = sa.select(JobRow.id, JobRow.status, _LAST).where(JobRow.id.in_(sa.bindparam("job_ids", expanding=True)))
