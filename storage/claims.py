"""Which runs a worker takes next: the front of the queue that it can serve, with all else that one load serves.

A claim gives its runs a new token and a lease; what is written about them afterwards is told in `storage.runs`.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .engine import now
from .run_records import Claim, from_row
from .states import RunStatus
from .tables import RunRow
from .transitions import announce, lock_runs, update_runs

CLAIM_LOCK = 7_266_002
"""The first number of PostgreSQL's advisory locks of batches; the second is made of the batch's key."""

ORDER = (RunRow.is_background, RunRow.priority, RunRow.created_at, RunRow.id)
"""The queue's order, that of its index: asked for even where it does not matter, lest all runs be read."""

N_CANDIDATES = 1000
"""Runs at the front of the queue that a claim looks at: more than can be in other workers' hands at one moment."""

MAX_TRIES = 64
"""How many batches may be gone when we reach for them, taken by faster workers, before a claim gives up."""


def claim(
    session: Session, *, worker: str, lease_s: float, device_class: str | None = None, memory_bytes: int | None = None
) -> Claim | None:
    """Takes the first run that is due and with it every other due run of the same model, revision and options.

    Runs in the background come after all others, then priority counts, then age. Only runs are taken that a worker of
    this class and so much memory can serve; one that knows neither takes those that ask for nothing.
    """
    at = now(session)
    due = _due(at, device_class, memory_bytes)
    tried: set[str] = set()
    while len(tried) < MAX_TRIES and (key := _front_batch(session, due, tried)) is not None:
        tried.add(key)
        run_ids = [row.id for row in lock_runs(session, *due, RunRow.batch_key == key, skip_locked=True)]
        if run_ids:
            return _take(session, run_ids, worker=worker, at=at, lease_s=lease_s)
    return None


def is_any_due(session: Session, *, device_class: str | None = None, memory_bytes: int | None = None) -> bool:
    """Whether a claim would find something, without a lock: what idle workers ask over and over."""
    due = _due(now(session), device_class, memory_bytes)
    return session.scalars(sa.select(RunRow.id).where(*due).order_by(*ORDER).limit(1)).first() is not None


def _due(at: datetime, device_class: str | None, memory_bytes: int | None) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        RunRow.status == RunStatus.QUEUED,
        RunRow.not_before <= at,
        sa.or_(RunRow.expires_at.is_(None), RunRow.expires_at > at),
        sa.or_(RunRow.device_class.is_(None), RunRow.device_class == (device_class or "")),
        sa.or_(RunRow.min_memory_bytes.is_(None), RunRow.min_memory_bytes <= (memory_bytes or 0)),
    )


def _front_batch(session: Session, due: Collection[sa.ColumnElement[bool]], tried: Collection[str]) -> str | None:
    """The key of the first batch that no other worker is about to claim; on PostgreSQL it is locked to others.

    Two workers that took runs of one batch would both load its model. A lock of the batch, tried and never waited for,
    keeps them apart, and lets workers claim different batches at the same moment. The front of the queue is read in
    order and only as far as the first free batch.
    """
    front = sa.select(RunRow.batch_key).where(*due).order_by(*ORDER)
    if tried:
        front = front.where(RunRow.batch_key.not_in(tried))
    if session.get_bind().dialect.name == "sqlite":
        return session.scalars(front.limit(1)).first()
    ordered = front.limit(N_CANDIDATES).cte("front").prefix_with("MATERIALIZED")
    lock = sa.func.pg_try_advisory_xact_lock(sa.literal(CLAIM_LOCK, sa.Integer), sa.func.hashtext(ordered.c.batch_key))
    return session.scalars(sa.select(ordered.c.batch_key).where(lock).limit(1)).first()


def _take(session: Session, run_ids: list[str], *, worker: str, at: datetime, lease_s: float) -> Claim:
    token = secrets.token_hex(16)
    values = {
        "status": RunStatus.RUNNING,
        "attempt": RunRow.attempt + 1,
        "token": token,
        "worker": worker,
        "lease_until": at + timedelta(seconds=lease_s),
        "fraction": 0.0,
        "stage": None,
        "detail": None,
        "started_at": sa.func.coalesce(RunRow.started_at, sa.literal(at, RunRow.started_at.type)),
    }
    update_runs(session, run_ids, values)
    announce(session, run_ids, RunStatus.RUNNING, at=at, data={"worker": worker})
    rows = session.scalars(
        sa.select(RunRow).where(RunRow.id.in_(run_ids)).order_by(RunRow.created_at, RunRow.benchmark)
    ).all()
    return Claim(
        token=token,
        model_id=rows[0].model_id,
        requested_revision=rows[0].requested_revision,
        options=rows[0].options,
        runs=tuple(map(from_row, rows)),
    )
