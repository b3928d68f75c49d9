"""How urgent a run is and for how long it waits, from what the jobs that want it ask for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .states import LIVE_JOBS
from .tables import JobRow, JobRunRow, RunRow
from .transitions import update_runs


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a job asks for its runs; one that never expires has no `expires_at`."""

    is_background: bool
    priority: int
    expires_at: datetime | None

    def as_values(self) -> dict[str, Any]:
        """The columns that say so."""
        return asdict(self)


def meet(asked: Iterable[Terms]) -> Terms:
    """What a run is that all these want: as the most urgent asks for, and it waits as long as the most patient."""
    every = [*asked]
    ends = [terms.expires_at for terms in every if terms.expires_at is not None]
    return Terms(
        is_background=all(terms.is_background for terms in every),
        priority=min(terms.priority for terms in every),
        expires_at=max(ends) if len(ends) == len(every) else None,
    )


def renew(session: Session, run_ids: Collection[str]) -> None:
    """Gives these runs, whose rows are locked, the terms of the unfinished jobs that want them."""
    query = (
        sa.select(JobRunRow.run_id, JobRow.is_background, JobRow.priority, JobRow.expires_at)
        .join(JobRow, JobRow.id == JobRunRow.job_id)
        .where(JobRunRow.run_id.in_(run_ids), JobRow.status.in_(LIVE_JOBS))
    )
    asked: dict[str, list[Terms]] = defaultdict(list)
    for run_id, is_background, priority, expires_at in session.execute(query) if run_ids else ():
        asked[run_id].append(Terms(is_background=is_background, priority=priority, expires_at=expires_at))
    for run_id, terms in asked.items():
        update_runs(session, [run_id], meet(terms).as_values())


def of_run(row: RunRow) -> Terms:
    """The terms that a run has now."""
    return Terms(is_background=row.is_background, priority=row.priority, expires_at=row.expires_at)
