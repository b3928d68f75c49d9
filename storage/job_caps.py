"""How many unfinished jobs one API key may have: counted in the transaction that would make one more."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .errors import TooManyJobs
from .tables import ApiKeyRow, JobRow

COUNTED_ALONE = 64
"""So near to the cap, submissions of one key go one after the other; below, more cannot come in at once than fit."""

_IS_LIVE = sa.text("status IN ('queued', 'running')")
"""Word for word the condition of the index ix_jobs_owner_live: with values passed beside it, no index would be used."""


def require_place(session: Session, owner: str | None, max_live_jobs: int) -> None:
    """Raises TooManyJobs where the key already has as many unfinished jobs as it may; without a key there is no cap."""
    if owner is None:
        return
    n_live = _n_live(session, owner, max_live_jobs)
    if max_live_jobs - COUNTED_ALONE <= n_live < max_live_jobs:
        session.execute(sa.select(ApiKeyRow.id).where(ApiKeyRow.id == owner).with_for_update())
        n_live = _n_live(session, owner, max_live_jobs)
    if n_live >= max_live_jobs:
        raise TooManyJobs(
            f"the API key has {max_live_jobs} unfinished jobs, as many as it may",
            hint="wait until some have ended, cancel some, or ask for more benchmarks in one job",
        )


def live_jobs(owner: str, limit: int) -> sa.Select[str]:
    """The unfinished jobs that a key has asked for, at most so many; twins that are private to it are not counted."""
    return sa.select(JobRow.id).where(JobRow.owner == owner, _IS_LIVE, JobRow.is_background.is_(False)).limit(limit)


def _n_live(session: Session, owner: str, max_live_jobs: int) -> int:
    some = live_jobs(owner, max_live_jobs).subquery()
    return session.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()
