"""Which place queued jobs have in the queue, counted over an index and no further than anybody reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from .tables import JobRow

MAX_PLACE = 1_000
"""How far places are counted: further ones cost more than they tell."""


def read(session: Session, job_ids: Collection[str]) -> Mapping[str, int]:
    """The places, from 1, of those of these jobs that are queued; the ones beyond `MAX_PLACE` have none."""
    if not job_ids:
        return {}
    found = session.connection().execute(_QUERY, {"job_ids": list(job_ids)})
    return {job_id: n_ahead + 1 for job_id, n_ahead in found if n_ahead < MAX_PLACE}


_AHEAD = aliased(JobRow)
_SAME_KIND = _AHEAD.is_background == JobRow.is_background
_EARLIER = sa.tuple_(_AHEAD.created_at, _AHEAD.id) < sa.tuple_(JobRow.created_at, JobRow.id)


def _queued(row: type[JobRow]) -> sa.ColumnElement[bool]:
    """Spelled out: a bound value keeps SQLite from the partial index of queued jobs."""
    return row.status == sa.literal_column("'queued'", sa.Text())


def _count(*conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    found: sa.Select[Any] = sa.select(sa.literal_column("1")).where(_queued(_AHEAD), *conditions).limit(MAX_PLACE)
    return sa.select(sa.func.count()).select_from(found.correlate(JobRow).subquery()).scalar_subquery()


# Kind, priority and time are three counts, because SQLite seeks a row value by its first column only.
_QUERY = sa.select(
    JobRow.id,
    _count(_SAME_KIND, _AHEAD.priority == JobRow.priority, _EARLIER)
    + _count(_SAME_KIND, _AHEAD.priority < JobRow.priority)
    + _count(_AHEAD.is_background.is_(False), JobRow.is_background.is_(True)),
).where(JobRow.id.in_(sa.bindparam("job_ids", expanding=True)), _queued(JobRow))
