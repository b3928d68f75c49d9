"""Writing a new job with its runs in one transaction, so that simultaneous requests for the same work share runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from . import events, job_records
from .engine import now
from .identity import batch_key, new_id, request_key
from .job_records import Job, NewJob
from .news import savepoint
from .scores import StoredScore
from .states import LIVE_RUNS, JobStatus, RunStatus, job_status
from .tables import JobRow, JobRunRow, RunRow
from .terms import Terms, meet, of_run
from .transitions import change_job, lock_runs, update_runs

SHARING_TRIES = 20
"""How often a run may begin and end under our hands before a submission gives up; a second time is rare."""


def submit(session: Session, new_job: NewJob) -> Job:
    """Writes the job, its runs and its first event; a run that an unfinished job already wants is shared."""
    at = now(session)
    keys = [_request_key(new_job, benchmark) for benchmark in new_job.benchmarks]
    shared: dict[str, tuple[str, RunStatus]] = {}
    for key, benchmark in sorted(zip(keys, new_job.benchmarks, strict=True)):
        shared[key] = _share_or_queue(session, _run_values(new_job, benchmark, key, at))
    runs = [shared[key] for key in keys]
    return _write_job(session, new_job, runs, at=at, cached=False)


def submit_cached(session: Session, new_job: NewJob, scores: Mapping[str, StoredScore]) -> Job:
    """Writes a job whose scores, one for each benchmark, are known: it and its runs have succeeded at once."""
    at = now(session)
    runs = []
    for benchmark in new_job.benchmarks:
        known = scores[benchmark[0]]
        values = _run_values(new_job, benchmark, _request_key(new_job, benchmark), at)
        values |= {"status": RunStatus.SUCCEEDED, "score_id": known.id, "revision": known.revision}
        values |= {"fraction": 1.0, "started_at": at, "finished_at": at}
        session.execute(sa.insert(RunRow).values(**values))
        runs.append((str(values["id"]), RunStatus.SUCCEEDED))
    return _write_job(session, new_job, runs, at=at, cached=True)


def _request_key(new_job: NewJob, benchmark: tuple[str, int]) -> str:
    return request_key(new_job.work(*benchmark), force=new_job.force, device_class=new_job.device_class)


def _run_values(new_job: NewJob, benchmark: tuple[str, int], key: str, at: datetime) -> dict[str, Any]:
    name, version = benchmark
    return {
        "id": new_id("run"),
        "request_key": key,
        "batch_key": batch_key(
            new_job.model_id, new_job.requested_revision, new_job.options, device_class=new_job.device_class
        ),
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
        "device_class": new_job.device_class,
        "expires_at": _expires_at(new_job, at),
        "status": RunStatus.QUEUED,
        "attempt": 0,
        "fraction": 0.0,
        "not_before": at,
        "created_at": at,
    }


def _share_or_queue(session: Session, values: Mapping[str, Any]) -> tuple[str, RunStatus]:
    """The live run of this request key, locked, or a new one; the unique index decides between simultaneous ones."""
    for _ in range(SHARING_TRIES):
        live = lock_runs(session, RunRow.request_key == values["request_key"], RunRow.status.in_(LIVE_RUNS))
        if live:
            _meet_both(session, live[0], values)
            return live[0].id, live[0].status
        try:
            with savepoint(session):
                session.execute(sa.insert(RunRow).values(**values))
        except IntegrityError:
            continue
        return values["id"], RunStatus.QUEUED
    raise RuntimeError(f"could neither share nor queue a run in {SHARING_TRIES} tries")


def _meet_both(session: Session, live: RunRow, values: Mapping[str, Any]) -> None:
    """Lets a shared run be what all of its jobs together ask for."""
    mine = Terms(**{field.name: values[field.name] for field in fields(Terms)})
    both = meet([of_run(live), mine])
    if both != of_run(live):
        update_runs(session, [live.id], both.as_values())


def _expires_at(new_job: NewJob, at: datetime) -> datetime | None:
    return None if new_job.expires_in_s is None else at + timedelta(seconds=new_job.expires_in_s)


def _write_job(
    session: Session, new_job: NewJob, runs: Sequence[tuple[str, RunStatus]], *, at: datetime, cached: bool
) -> Job:
    job_id = new_id("job")
    values = {
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
        "status": JobStatus.QUEUED,
        "cached": cached,
        "created_at": at,
        "started_at": at if cached else None,
    }
    session.execute(sa.insert(JobRow).values(**values))
    links = [{"job_id": job_id, "run_id": run_id, "position": place} for place, (run_id, _) in enumerate(runs)]
    session.execute(sa.insert(JobRunRow), links)
    news = [events.NewEvent(job_id=job_id, type="job.queued", data={"status": "queued"})]
    status = job_status(JobStatus.QUEUED, [run_status for _, run_status in runs])
    if status is not JobStatus.QUEUED:
        news.append(change_job(session, job_id, status, at=at, started_at=None))
    events.append(session, news, at=at)
    return job_records.get(session, job_id)
