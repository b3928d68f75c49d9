"""Requests that a client may send twice and that count once: its `Idempotency-Key` remembers the job they made.

A key that came with a study remembers the first of its jobs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .engine import insert_rows, now
from .errors import IdempotencyKeyReused
from .tables import IdempotencyKeyRow, JobRow
from .transitions import NO_SYNC

KEPT_FOR = timedelta(hours=24)

Name = tuple[str, str]
"""Whose key it is, empty where none is needed, and the key."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key as it came with a request; two requests that ask for the same have the same `body_sha256`."""

    name: Name
    body_sha256: str


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """What a key has brought: the job, and whether its scores were known."""

    body_sha256: str
    job_id: str
    cached: bool

    def require(self, key: Key) -> None:
        """Raises IdempotencyKeyReused where the key now comes with another body."""
        if key.body_sha256 != self.body_sha256:
            hint = "send another key with another request; a key is remembered for 24 hours"
            raise IdempotencyKeyReused("the key came with another request", hint=hint, param="Idempotency-Key")


def recall(session: Session, names: Collection[Name]) -> dict[Name, Remembered]:
    """What is remembered of these keys; what is too old is forgotten on the way, whether or not anybody sweeps.

    The keys are this transaction's until it ends: another one that brings them waits here, before it holds anything.
    """
    if not names:
        return {}
    _hold(session, names)
    row, mine = IdempotencyKeyRow, sa.tuple_(IdempotencyKeyRow.owner, IdempotencyKeyRow.key).in_(list(names))
    _forget(session, mine, row.created_at < _horizon(session))
    query = sa.select(row.owner, row.key, row.body_sha256, row.job_id, JobRow.cached)
    return {
        (owner, key): Remembered(body_sha256=body_sha256, job_id=job_id, cached=cached)
        for owner, key, body_sha256, job_id, cached in session.execute(query.join(JobRow).where(mine))
    }


def remember(session: Session, made: Mapping[Key, str], *, at: datetime) -> None:
    """Notes which job each key has made; this transaction has recalled the keys and found nothing."""
    rows = [
        {"owner": key.name[0], "key": key.name[1], "body_sha256": key.body_sha256, "job_id": job_id, "created_at": at}
        for key, job_id in made.items()
    ]
    insert_rows(session, IdempotencyKeyRow, rows)


def forget_old(session: Session) -> int:
    """Forgets keys that are older than a day, and says how many."""
    return _forget(session, IdempotencyKeyRow.created_at < _horizon(session))


def _hold(session: Session, names: Collection[Name]) -> None:
    """Waits for other transactions with these keys, in one order for all; SQLite has one writer at a time anyway."""
    if session.get_bind().dialect.name == "sqlite":
        return
    digests = (hashlib.sha256(json.dumps(name).encode()).digest() for name in names)
    numbers = sorted({int.from_bytes(digest[:8], "big", signed=True) for digest in digests})
    lock = sa.text("SELECT pg_advisory_xact_lock(n) FROM unnest(CAST(:numbers AS bigint[])) AS n")
    session.execute(lock, {"numbers": numbers})


def _horizon(session: Session) -> datetime:
    return now(session) - KEPT_FOR


def _forget(session: Session, *conditions: sa.ColumnElement[bool]) -> int:
    done = session.execute(sa.delete(IdempotencyKeyRow).where(*conditions), execution_options=NO_SYNC)
    return int(getattr(done, "rowcount", 0))
