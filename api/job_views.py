"""Jobs, runs and events as they are stored, made into what is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storage import models, retries, workers
from storage.engine import Database
from storage.events import Event as StoredEvent
from storage.jobs import Job as StoredJob
from storage.models import Model as StoredModel
from storage.runs import Run as StoredRun
from storage.states import LIVE_JOBS, RunStatus
from storage.workers import Worker

from .problems import Problem, make_problem
from .schemas import Event, Job, JobModel, JobUrls, Progress, Run


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a job's view needs beside the job: models by id and revision, and the live workers where a job waits."""

    models: Mapping[tuple[str, str], StoredModel]
    workers: Sequence[Worker]


def look_around(database: Database, jobs: Sequence[StoredJob], *, worker_silence_s: float) -> Surroundings:
    """What is known about the jobs' models and, where a job waits, about workers."""
    resolved = {job.model_id for job in jobs if _revision(job) is not None}
    is_waiting = any(_is_waiting(job) for job in jobs)
    if not resolved and not is_waiting:
        return Surroundings(models={}, workers=())
    with database.read() as session:
        known = models.revisions(session, resolved) if resolved else {}
        alive = workers.alive(session, within_s=worker_silence_s) if is_waiting else ()
    return Surroundings(models=known, workers=alive)


def job_view(job: StoredJob, around: Surroundings) -> Job:
    """The job as it is sent."""
    revision = _revision(job)
    model = None if revision is None else around.models.get((job.model_id, revision))
    url = f"/v1/jobs/{job.id}"
    return Job(
        id=job.id,
        status=job.status,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        model=JobModel(
            id=job.model_id,
            requested_revision=job.requested_revision,
            revision=revision,
            parameters=None if model is None else model.parameters,
        ),
        protocol=job.protocol,
        options=job.options,
        labels=job.labels,
        runs=[run_view(run) for run in job.runs],
        progress=_progress(job, around),
        queue_position=job.queue_position,
        cached=job.cached,
        priority=job.priority,
        private=job.is_private,
        device_class=job.device_class,
        expires_at=job.expires_at,
        retry_of=job.retry_of,
        error=_problem(job.error),
        urls=JobUrls(
            self=url,
            events=f"{url}/events",
            cancel=f"{url}/cancel",
            retry=f"{url}/retry" if retries.to_repeat(job) else None,
        ),
    )


def run_view(run: StoredRun) -> Run:
    """The run as it is sent."""
    return Run(
        id=run.id,
        benchmark=run.benchmark,
        benchmark_version=run.benchmark_version,
        protocol=run.protocol,
        status=run.status,
        attempt=run.attempt,
        score=run.score_id,
        error=_problem(run.error),
        started_at=run.started_at,
        finished_at=run.finished_at,
    )


def event_view(event: StoredEvent) -> Event:
    """The event as it is sent."""
    return Event(seq=event.seq, at=event.at, type=event.type, run=event.run_id, data=event.data)


def _revision(job: StoredJob) -> str | None:
    return next((run.revision for run in job.runs if run.revision is not None), None)


def _is_waiting(job: StoredJob) -> bool:
    """Whether runs of the job are queued and none is worked on, at first or after a worker was lost."""
    statuses = {run.status for run in job.runs}
    return job.status in LIVE_JOBS and RunStatus.QUEUED in statuses and RunStatus.RUNNING not in statuses


def _progress(job: StoredJob, around: Surroundings) -> Progress:
    """The mean of the runs' fractions, with the stage of the first run that is being worked on."""
    fraction = sum(run.fraction for run in job.runs) / len(job.runs) if job.runs else 0.0
    current = next((run for run in job.runs if run.status is RunStatus.RUNNING), None)
    detail = None if current is None else current.detail
    if _is_waiting(job):
        detail = workers.obstacle([run for run in job.runs if run.status is RunStatus.QUEUED], around.workers)
    return Progress(fraction=min(fraction, 1.0), stage=None if current is None else current.stage, detail=detail)


def _problem(error: Mapping[str, Any] | None) -> Problem | None:
    """The error that a run keeps; it has no status, for no request failed."""
    if error is None:
        return None
    return make_problem(
        error["code"],
        detail=error.get("detail"),
        hint=error.get("hint"),
        param=error.get("param"),
        retryable=bool(error.get("retryable")),
    )
