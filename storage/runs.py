"""What the holder of a claim writes about its runs: beat, progress, and the ways to end an attempt.

How runs are claimed is told in `storage.claims`, what time does to them in `storage.expiry`. Everything a worker writes
says `WHERE token = … AND status = 'running'`; when no row matches, the worker has lost the run and drops the work.
Times are by the database's clock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .claims import claim, is_any_due
from .engine import now
from .expiry import expire_leases, expire_unmet, expire_waiting, is_any_overdue
from .run_records import Claim, Problem, Run, from_row, get
from .states import RunStatus
from .tables import RunRow
from .transitions import FREE, announce, back_to_queue, lock_live_jobs, lock_runs, update_runs

__all__ = [
    "Claim",
    "Need",
    "Problem",
    "Run",
    "Step",
    "advance",
    "beat",
    "claim",
    "expire_leases",
    "expire_unmet",
    "expire_waiting",
    "fail",
    "from_row",
    "get",
    "held",
    "held_by_workers",
    "is_any_due",
    "is_any_overdue",
    "live_tokens",
    "progress",
    "requeue",
    "set_revision",
    "succeed",
]


@dataclass(frozen=True, kw_only=True)
class Need:
    """What the next worker of a run has to have, or do otherwise; None leaves it as it is."""

    device_class: str | None = None
    min_memory_bytes: int | None = None
    n_halvings: int | None = None

    def as_values(self) -> dict[str, Any]:
        """The columns that change."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Step:
    """How far a run is, and where."""

    fraction: float
    stage: str | None = None
    detail: str | None = None


def beat(session: Session, token: str, run_ids: Collection[str], *, lease_s: float) -> set[str]:
    """Renews the lease of these runs and says which of them are still held."""
    held = {row.id for row in lock_runs(session, RunRow.id.in_(run_ids), *_held_by(token))}
    update_runs(session, held, {"lease_until": now(session) + timedelta(seconds=lease_s)})
    return held


def held(session: Session, token: str) -> set[str]:
    """The runs that this claim still holds; nothing is locked or written."""
    return set(session.scalars(sa.select(RunRow.id).where(*_held_by(token))))


def held_by_workers(session: Session) -> dict[str, list[Run]]:
    """The runs that are being worked on, by the id of their worker."""
    by_worker: dict[str, list[Run]] = {}
    query = sa.select(RunRow).where(RunRow.status == RunStatus.RUNNING).order_by(RunRow.created_at, RunRow.id)
    for row in session.scalars(query):
        by_worker.setdefault(row.worker or "", []).append(from_row(row))
    return by_worker


def live_tokens(session: Session) -> set[str]:
    """The tokens of all claims that hold a run now."""
    return set(session.scalars(sa.select(RunRow.token).where(RunRow.status == RunStatus.RUNNING)))


def progress(
    session: Session, token: str, run_id: str, *, fraction: float, stage: str | None = None, detail: str | None = None
) -> bool:
    """Notes how far a run is and says whether it is still held: `advance` for one run."""
    return bool(advance(session, token, {run_id: Step(fraction=fraction, stage=stage, detail=detail)}))


def advance(session: Session, token: str, steps: Mapping[str, Step]) -> set[str]:
    """Notes how far runs are and says which of them are still held.

    Within an attempt the fraction never falls. A new stage is an event.
    """
    rows = lock_runs(session, RunRow.id.in_(steps), *_held_by(token))
    known = {row.id: (row.fraction, row.stage) for row in rows}
    entered = [run_id for run_id, (_, stage) in known.items() if steps[run_id].stage != stage]
    if len(entered) > 1:
        lock_live_jobs(session, entered)
    for run_id, (fraction, _) in known.items():
        step = steps[run_id]
        reached = {"fraction": min(1.0, max(fraction, step.fraction)), "stage": step.stage, "detail": step.detail}
        update_runs(session, [run_id], reached)
        if run_id in entered:
            announce(session, [run_id], "progress", at=now(session), data=reached)
    return {*known}


def set_revision(session: Session, token: str, run_ids: Collection[str], revision: str) -> set[str]:
    """Notes the commit that the requested revision stands for and says which of the runs are still held."""
    held = {row.id for row in lock_runs(session, RunRow.id.in_(run_ids), *_held_by(token))}
    update_runs(session, held, {"revision": revision})
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
    need: Need | None = None,
) -> bool:
    """Gives the run back to be tried again after a pause, perhaps by another kind of worker.

    A worker that merely stops, or is too small, refunds the attempt.
    """
    rows = lock_runs(session, RunRow.id == run_id, *_held_by(token))
    if not rows:
        return False
    at, row = now(session), rows[0]
    problem = None if error is None else error.as_json()
    needs = {} if need is None else need.as_values()
    values = {
        "attempt": row.attempt - 1 if refund_attempt else row.attempt,
        "error": row.error if problem is None else problem,
        **needs,
    }
    back_to_queue(session, row, at=at, delay_s=delay_s, values=values)
    data = {"error": problem, "delay_s": delay_s, "refunded": refund_attempt, **needs}
    announce(session, [row.id], RunStatus.QUEUED, at=at, data=data)
    return True


def _held_by(token: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (RunRow.token == token, RunRow.status == RunStatus.RUNNING)


def _end(session: Session, token: str, run_id: str, values: Mapping[str, Any], *, data: Mapping[str, Any]) -> bool:
    if not lock_runs(session, RunRow.id == run_id, *_held_by(token)):
        return False
    at = now(session)
    update_runs(session, [run_id], {**values, "finished_at": at, **FREE})
    announce(session, [run_id], values["status"], at=at, data=data)
    return True
