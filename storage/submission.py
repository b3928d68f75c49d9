"""Writing new jobs with their runs, many in one transaction, so that simultaneous requests for the same share runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from . import events, idempotency, job_records
from .engine import insert_rows, now
from .errors import StorageError
from .idempotency import Remembered
from .identity import batch_key, new_id, request_key
from .job_caps import Places
from .job_records import Job, NewJob
from .news import savepoint
from .scores import StoredScore
from .states import TERMINAL_JOBS, JobStatus, RunStatus, job_status
from .tables import JobRow, JobRunRow, RunRow
from .terms import Terms, meet, of_run
from .transitions import lock_runs, update_runs

TRIES = 20
"""How often runs may come and go under our hands before a submission gives up; a second time is rare."""

_IS_LIVE = sa.text("runs.status IN ('queued', 'running')")
"""Word for word the condition of the index uq_runs_request_key_live: with values passed beside it, SQLite reads all."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Order:
    """A job to submit, and the key that came with it.

    Where the scores of all its benchmarks are `known`, it and its runs have succeeded at once. `request_id` is that of
    the request, for the log.
    """

    new_job: NewJob
    known: Mapping[str, StoredScore] | None = None
    key: idempotency.Key | None = None
    request_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """Which job an order has brought: a new one, or that of an earlier order with the same key."""

    job_id: str
    cached: bool
    is_new: bool


def submit(session: Session, new_job: NewJob) -> Job:
    """Writes the job, its runs and its first event; a run that an unfinished job already wants is shared."""
    job_id = new_id("job")
    _write(session, {job_id: Order(new_job=new_job)}, at=now(session))
    return job_records.get(session, job_id)


def submit_all(
    session: Session, orders: Sequence[Order], *, max_live_jobs: int
) -> dict[Order, Submitted | StorageError]:
    """Writes the jobs of many orders, and says for each what it has brought.

    An order with the key of an earlier one brings the same job. TooManyJobs and IdempotencyKeyReused stand where one
    is refused; that leaves the others alone.
    """
    at, places = now(session), Places(session, max_live_jobs)
    remembered = idempotency.recall(session, {order.key.name for order in orders if order.key is not None})
    answers: dict[Order, Submitted | StorageError] = {}
    fresh: dict[str, Order] = {}
    for order in orders:
        known = None if order.key is None else remembered.get(order.key.name)
        try:
            if order.key is not None and known is not None:
                known.require(order.key)
                answers[order] = Submitted(job_id=known.job_id, cached=known.cached, is_new=False)
                continue
            if order.known is None:
                places.take(order.new_job.owner)
        except StorageError as error:
            answers[order] = error
            continue
        job_id, is_cached = new_id("job"), order.known is not None
        fresh[job_id] = order
        answers[order] = Submitted(job_id=job_id, cached=is_cached, is_new=True)
        if order.key is not None:
            remembered[order.key.name] = Remembered(body_sha256=order.key.body_sha256, job_id=job_id, cached=is_cached)
    _write(session, fresh, at=at)
    made = {order.key: job_id for job_id, order in fresh.items() if order.key is not None}
    idempotency.remember(session, made, at=at)
    return answers


def _write(session: Session, orders: Mapping[str, Order], *, at: datetime) -> None:
    """Writes the jobs of these ids with their runs, links and first events."""
    if not orders:
        return
    runs = {job_id: _known_runs(order, at) for job_id, order in orders.items() if order.known is not None}
    if runs:
        insert_rows(session, RunRow, [values for known in runs.values() for values in known])
    standing = {job_id: [(str(run["id"]), RunStatus.SUCCEEDED) for run in known] for job_id, known in runs.items()}
    wanted = {job_id: _wanted_runs(order.new_job, at) for job_id, order in orders.items() if order.known is None}
    shared = _share_or_queue(session, [run for runs_wanted in wanted.values() for run in runs_wanted])
    standing |= {job_id: [shared[str(run["request_key"])] for run in runs] for job_id, runs in wanted.items()}
    _write_jobs(session, orders, standing, at=at)


def _wanted_runs(new_job: NewJob, at: datetime) -> list[dict[str, Any]]:
    """A queued run for each benchmark."""
    return [_run_values(new_job, benchmark, at) for benchmark in new_job.benchmarks]


def _known_runs(order: Order, at: datetime) -> list[dict[str, Any]]:
    """A run for each benchmark that has its score already."""
    assert order.known is not None, "the scores are known"
    runs = _wanted_runs(order.new_job, at)
    for run in runs:
        known = order.known[run["benchmark"]]
        run |= {"status": RunStatus.SUCCEEDED, "score_id": known.id, "revision": known.revision}
        run |= {"fraction": 1.0, "started_at": at, "finished_at": at}
    return runs


def _run_values(new_job: NewJob, benchmark: tuple[str, int], at: datetime) -> dict[str, Any]:
    name, version = benchmark
    where = new_job.device_class
    return {
        "id": new_id("run"),
        "request_key": request_key(new_job.work(*benchmark), force=new_job.force, device_class=where),
        "batch_key": batch_key(new_job.model_id, new_job.requested_revision, new_job.options, device_class=where),
        "model_id": new_job.model_id,
        "requested_revision": new_job.requested_revision,
        "benchmark": name,
        "benchmark_version": version,
        "protocol": new_job.protocol,
        "options": new_job.options,
        "seed": new_job.seed,
        "scoring_version": new_job.scoring_version,
        "force": new_job.force,
        "is_background": new_job.is_background,
        "priority": new_job.priority,
        "device_class": where,
        "expires_at": _expires_at(new_job, at),
        "status": RunStatus.QUEUED,
        "attempt": 0,
        "fraction": 0.0,
        "not_before": at,
        "created_at": at,
    }


def _share_or_queue(session: Session, wanted: Sequence[dict[str, Any]]) -> Mapping[str, tuple[str, RunStatus]]:
    """For each request key its live run, locked, or a new one; the unique index decides between processes.

    Live ones are locked and new ones written in the order of the keys, and what a lost race has locked is let go again.
    """
    asked: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for run in sorted(wanted, key=itemgetter("request_key")):
        asked[run["request_key"]].append(run)
    for _ in range(TRIES if asked else 0):
        try:
            with savepoint(session):
                return _shared_or_queued(session, asked)
        except IntegrityError:
            continue
    if asked:
        raise RuntimeError(f"could neither share nor queue runs in {TRIES} tries")
    return {}


def _shared_or_queued(
    session: Session, asked: Mapping[str, Sequence[dict[str, Any]]]
) -> dict[str, tuple[str, RunStatus]]:
    """One try of `_share_or_queue`; IntegrityError where another process was faster."""
    live = {row.request_key: row for row in lock_runs(session, RunRow.request_key.in_(asked), _IS_LIVE)}
    new = {key: runs[0] | _met(runs).as_values() for key, runs in asked.items() if key not in live}
    insert_rows(session, RunRow, list(new.values()))
    for key, row in live.items():
        both = meet([of_run(row), _met(asked[key])])
        if both != of_run(row):
            update_runs(session, [row.id], both.as_values())
    queued = {key: (str(run["id"]), RunStatus.QUEUED) for key, run in new.items()}
    return queued | {key: (row.id, row.status) for key, row in live.items()}


def _met(runs: Sequence[Mapping[str, Any]]) -> Terms:
    """What all of these ask of the run that they share."""
    return meet([Terms(**{field.name: run[field.name] for field in fields(Terms)}) for run in runs])


def _expires_at(new_job: NewJob, at: datetime) -> datetime | None:
    return None if new_job.expires_in_s is None else at + timedelta(seconds=new_job.expires_in_s)


def _write_jobs(
    session: Session,
    orders: Mapping[str, Order],
    standing: Mapping[str, Sequence[tuple[str, RunStatus]]],
    *,
    at: datetime,
) -> None:
    """Writes jobs whose runs, with their statuses, are there."""
    statuses = {
        job_id: job_status(JobStatus.QUEUED, [run_status for _, run_status in runs])
        for job_id, runs in standing.items()
    }
    jobs = [_job_values(job_id, order, statuses[job_id], at) for job_id, order in orders.items()]
    insert_rows(session, JobRow, jobs)
    links = [
        {"job_id": job_id, "run_id": run_id, "position": place}
        for job_id, runs in standing.items()
        for place, (run_id, _) in enumerate(runs)
    ]
    insert_rows(session, JobRunRow, links)
    news = [
        events.NewEvent(job_id=job_id, type=f"job.{status}", data={"status": status.value}, request_id=order.request_id)
        for job_id, order in orders.items()
        for status in dict.fromkeys((JobStatus.QUEUED, statuses[job_id]))
    ]
    events.append(session, news, at=at, are_new=True)


def _job_values(job_id: str, order: Order, status: JobStatus, at: datetime) -> dict[str, Any]:
    new_job = order.new_job
    return {
        "id": job_id,
        "model_id": new_job.model_id,
        "requested_revision": new_job.requested_revision,
        "protocol": new_job.protocol,
        "options": new_job.options,
        "labels": new_job.labels,
        "force": new_job.force,
        "is_background": new_job.is_background,
        "owner": new_job.owner,
        "is_private": new_job.is_private,
        "priority": new_job.priority,
        "device_class": new_job.device_class,
        "retry_of": new_job.retry_of,
        "expires_at": _expires_at(new_job, at),
        "status": status,
        "cached": order.known is not None,
        "created_at": at,
        "started_at": None if status is JobStatus.QUEUED else at,
        "finished_at": at if status in TERMINAL_JOBS else None,
    }
