"""Requests that a client may send twice and that count once: its `Idempotency-Key` remembers the job they made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from . import job_records
from .engine import now
from .errors import IdempotencyKeyReused
from .job_records import Job
from .news import savepoint
from .tables import IdempotencyKeyRow

KEPT_FOR = timedelta(hours=24)
TRIES = 5
"""How often a key may come and go under our hands; a second time is rare."""


def once(
    session: Session, key: str, *, owner: str | None, body_sha256: str, make: Callable[[], Job]
) -> tuple[Job, bool]:
    """The job that this key of this owner made before, or the one that `make` makes now, and whether it is new.

    Raises IdempotencyKeyReused where the key came with another body. Whatever `make` raises leaves nothing behind.
    """
    for _ in range(TRIES):
        known = _find(session, owner or "", key)
        if known is not None:
            if known.body_sha256 != body_sha256:
                hint = "send another key with another request; a key is remembered for 24 hours"
                raise IdempotencyKeyReused("the key came with another request", hint=hint, param="Idempotency-Key")
            return job_records.get(session, known.job_id), False
        try:
            with savepoint(session):
                job = make()
                row = {"owner": owner or "", "key": key, "body_sha256": body_sha256, "job_id": job.id}
                session.execute(sa.insert(IdempotencyKeyRow).values(**row, created_at=now(session)))
        except IntegrityError:
            continue
        return job, True
    raise RuntimeError(f"a key came and went {TRIES} times")


def forget_old(session: Session) -> int:
    """Forgets keys that are older than a day, and says how many."""
    return _forget(session, IdempotencyKeyRow.created_at < _horizon(session))


def _find(session: Session, owner: str, key: str) -> IdempotencyKeyRow | None:
    """What is remembered of a key; what is too old is forgotten on the way, whether or not anybody sweeps."""
    mine = (IdempotencyKeyRow.owner == owner, IdempotencyKeyRow.key == key)
    row = session.scalars(sa.select(IdempotencyKeyRow).where(*mine)).first()
    if row is None or row.created_at >= _horizon(session):
        return row
    _forget(session, *mine, IdempotencyKeyRow.created_at == row.created_at)
    return None


def _horizon(session: Session) -> datetime:
    return now(session) - KEPT_FOR


def _forget(session: Session, *conditions: sa.ColumnElement[bool]) -> int:
    done = session.execute(
        sa.delete(IdempotencyKeyRow).where(*conditions), execution_options={"synchronize_session": False}
    )
    return int(getattr(done, "rowcount", 0))
