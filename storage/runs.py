"""One model on one benchmark, from the worker's side: claim, beat, progress and the three ways to end an attempt.

A claim gives its runs a new token. Everything a worker writes afterwards says `WHERE token = … AND status = 'running'`;
when no row matches, the worker has lost the run and drops the work. Times are by the database's clock.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .engine import now
from .errors import RunNotFound
from .states import RunStatus
from .tables import RunRow
from .transitions import NO_SYNC, announce, lock_runs

CLAIM_LOCK = 7_266_002
"""The number of the PostgreSQL advisory lock under which one worker claims at a time, so that no batch is torn."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as it stands; `error` is that of the last failed attempt and gone after a success."""

    id: str
    request_key: str
    model_id: str
    requested_revision: str | None
    revision: str | None
    benchmark: str
    benchmark_version: int
    protocol: str
    options: dict[str, Any]
    seed: int
    scoring_version: str
    force: bool
    status: RunStatus
    attempt: int
    token: str | None
    worker: str | None
    lease_until: datetime | None
    not_before: datetime
    fraction: float
    stage: str | None
    detail: str | None
    error: dict[str, Any] | None
    score_id: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why an attempt failed, ready to be kept in a run."""

    code: str
    detail: str
    hint: str | None = None
    param: str | None = None
    retryable: bool = False

    def as_json(self) -> dict[str, Any]:
        """The problem as the column `error` holds it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


WORKER_LOST = Problem(
    code="worker_lost",
    detail="Every worker that took this run stopped before it was finished.",
    hint="The model may need more memory than the workers have; look at their logs.",
)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Runs that one worker holds together: one load of the model serves them all."""

    token: str
    model_id: str
    requested_revision: str | None
    options: dict[str, Any]
    runs: tuple[Run, ...]


def from_row(row: RunRow) -> Run:
    """The frozen view of a row."""
    return Run(**{field.name: getattr(row, field.name) for field in fields(Run)})


def get(session: Session, run_id: str) -> Run:
    """The run of this id; raises RunNotFound."""
    row = session.scalars(sa.select(RunRow).where(RunRow.id == run_id)).first()
    if row is None:
        raise RunNotFound("no run has this id", param="run_id")
    return from_row(row)


def claim(session: Session, *, worker: str, lease_s: float) -> Claim | None:
    """Takes the oldest run that is due and with it every other due run of the same model, revision and options.

    Runs in the background come after all others, unless they are of what is taken anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(CLAIM_LOCK)))
    at = now(session)
    due = (RunRow.status == RunStatus.QUEUED, RunRow.not_before <= at)
    oldest = sa.select(RunRow).where(*due).order_by(RunRow.is_background, RunRow.created_at, RunRow.id).limit(1)
    first = session.scalars(oldest.with_for_update(key_share=True, skip_locked=True)).first()
    if first is None:
        return None
    batch = lock_runs(session, *due, RunRow.batch_key == first.batch_key, skip_locked=True)
    run_ids = [row.id for row in batch]
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
    _update(session, run_ids, values)
    announce(session, run_ids, RunStatus.RUNNING, at=at, data={"worker": worker})
    rows = session.scalars(
        sa.select(RunRow).where(RunRow.id.in_(run_ids)).order_by(RunRow.created_at, RunRow.benchmark)
    )
    return Claim(
        token=token,
        model_id=first.model_id,
        requested_revision=first.requested_revision,
        options=first.options,
        runs=tuple(from_row(row) for row in rows),
    )


def beat(session: Session, token: str, run_ids: Collection[str], *, lease_s: float) -> set[str]:
    """Renews the lease of these runs and says which of them are still held."""
    held = {row.id for row in lock_runs(session, RunRow.id.in_(run_ids), *_held_by(token))}
    _update(session, held, {"lease_until": now(session) + timedelta(seconds=lease_s)})
    return held


def held(session: Session, token: str) -> set[str]:
    """The runs that this claim still holds; nothing is locked or written."""
    return set(session.scalars(sa.select(RunRow.id).where(*_held_by(token))))


def live_tokens(session: Session) -> set[str]:
    """The tokens of all claims that hold a run now."""
    return set(session.scalars(sa.select(RunRow.token).where(RunRow.status == RunStatus.RUNNING)))


def progress(
    session: Session, token: str, run_id: str, *, fraction: float, stage: str | None = None, detail: str | None = None
) -> bool:
    """Notes how far the run is; within an attempt the fraction never falls. A new stage is an event."""
    rows = lock_runs(session, RunRow.id == run_id, *_held_by(token))
    if not rows:
        return False
    reached = min(1.0, max(rows[0].fraction, fraction))
    _update(session, [run_id], {"fraction": reached, "stage": stage, "detail": detail})
    if stage != rows[0].stage:
        data = {"fraction": reached, "stage": stage, "detail": detail}
        announce(session, [run_id], "progress", at=now(session), data=data)
    return True


def set_revision(session: Session, token: str, run_ids: Collection[str], revision: str) -> set[str]:
    """Notes the commit that the requested revision stands for and says which of the runs are still held."""
    held = {row.id for row in lock_runs(session, RunRow.id.in_(run_ids), *_held_by(token))}
    _update(session, held, {"revision": revision})
    return held


def succeed(session: Session, token: str, run_id: str, score_id: str) -> bool:
    """Ends the run with this score."""
    values = {"status": RunStatus.SUCCEEDED, "score_id": score_id, "fraction": 1.0, "error": None}
    return _end(session, token, run_id, values, data={"score": score_id})


def fail(session: Session, token: str, run_id: str, error: Problem) -> bool:
    """Ends the run without a score, for good."""
    values = {"status": RunStatus.FAILED, "error": error.as_json()}
    return _end(session, token, run_id, values, data={"error": error.as_json()})


def requeue(
    session: Session,
    token: str,
    run_id: str,
    *,
    delay_s: float = 0.0,
    error: Problem | None = None,
    refund_attempt: bool = False,
) -> bool:
    """Gives the run back to be tried again after a pause; a worker that merely stops refunds the attempt."""
    rows = lock_runs(session, RunRow.id == run_id, *_held_by(token))
    if not rows:
        return False
    _back_to_queue(session, rows[0], at=now(session), delay_s=delay_s, error=error, refund_attempt=refund_attempt)
    return True


def expire_leases(
    session: Session, *, max_attempts: int = 3, delay_s: Callable[[int], float] = lambda attempt: 0.0
) -> list[str]:
    """Takes back the runs whose workers stopped beating, and names them.

    A run goes back to the queue for `delay_s(attempt)` seconds, or after `max_attempts` fails with `worker_lost`.
    """
    at = now(session)
    lost = lock_runs(session, RunRow.status == RunStatus.RUNNING, RunRow.lease_until < at, skip_locked=True)
    again = [row for row in lost if row.attempt < max_attempts]
    given_up = [row.id for row in lost if row.attempt >= max_attempts]
    error = WORKER_LOST.as_json()
    _update(session, given_up, {"status": RunStatus.FAILED, "error": error, "finished_at": at, **FREE})
    for row in again:
        _back_to_queue(session, row, at=at, delay_s=delay_s(row.attempt), error=WORKER_LOST, tell=False)
    for kind, run_ids in ((RunStatus.QUEUED, [row.id for row in again]), (RunStatus.FAILED, given_up)):
        announce(session, run_ids, kind, at=at, data={"error": error, "lease_lost": True})
    return [row.id for row in lost]


FREE: Mapping[str, None] = {"token": None, "worker": None, "lease_until": None}
"""What the row of a run that nobody holds says about its holder."""


def _held_by(token: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (RunRow.token == token, RunRow.status == RunStatus.RUNNING)


def _update(session: Session, run_ids: Collection[str], values: Mapping[str, Any]) -> None:
    if run_ids:
        session.execute(sa.update(RunRow).where(RunRow.id.in_(run_ids)).values(**values), execution_options=NO_SYNC)


def _end(session: Session, token: str, run_id: str, values: Mapping[str, Any], *, data: Mapping[str, Any]) -> bool:
    if not lock_runs(session, RunRow.id == run_id, *_held_by(token)):
        return False
    at = now(session)
    _update(session, [run_id], {**values, "finished_at": at, **FREE})
    announce(session, [run_id], values["status"], at=at, data=data)
    return True


def _back_to_queue(
    session: Session,
    row: RunRow,
    *,
    at: datetime,
    delay_s: float,
    error: Problem | None,
    refund_attempt: bool = False,
    tell: bool = True,
) -> None:
    problem = None if error is None else error.as_json()
    values = {
        "status": RunStatus.QUEUED,
        "not_before": at + timedelta(seconds=delay_s),
        "attempt": row.attempt - 1 if refund_attempt else row.attempt,
        "error": row.error if problem is None else problem,
        "fraction": 0.0,
        "stage": None,
        "detail": None,
    }
    _update(session, [row.id], {**values, **FREE})
    if tell:
        data = {"error": problem, "delay_s": delay_s, "refunded": refund_attempt}
        announce(session, [row.id], RunStatus.QUEUED, at=at, data=data)
