"""Untrained twins: which are to be scored beside a model, and putting them into the queue as work in the background."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from . import models
from .baselines import UNTRAINED, twin_options
from .errors import ModelUnknown
from .identity import pinned_key, request_key
from .job_records import Job, NewJob
from .runs import Run
from .states import LIVE_RUNS, JobStatus
from .submission import submit
from .tables import JobRow, JobRunRow, RunRow, ScoreRow

LABELS = {"origin": "baseline"}
"""What jobs are labelled with that nobody asked for."""

N_SEEDS = 5
FEW_PARAMETERS = 1_000_000_000
"""Models with fewer parameters have twins of every seed, others of seed 0 alone."""


def queue(session: Session, run: Run, *, revision: str, data_sha256: str) -> tuple[Job, ...]:
    """Queues the twins of a run's model on the run's benchmark, one job for each, and gives back the jobs.

    A twin of the same blueprint that has such a score, or a run that is not finished, is not queued again. Where only
    private jobs want the run, its twins are private too, to the key of the first of these jobs.
    """
    try:
        model = models.get(session, run.model_id, revision)
    except ModelUnknown:
        return ()
    twins_of = [model] if model.blueprint is None else models.of_blueprint(session, model.blueprint)
    n_seeds = N_SEEDS if (model.parameters or FEW_PARAMETERS) < FEW_PARAMETERS else 1
    privacy = _privacy(session, run)
    return tuple(
        submit(session, replace(_job(run, model.id, revision, seed), **privacy))
        for seed in range(n_seeds)
        if not _is_known(session, [_job(run, one.id, one.revision, seed) for one in twins_of], data_sha256)
    )


def _privacy(session: Session, run: Run) -> dict[str, Any]:
    """Whose the twins are, and whether they are private: as the jobs that want the run; cancelled ones do not."""
    jobs = (
        sa.select(JobRow.is_private, JobRow.owner)
        .join(JobRunRow, JobRunRow.job_id == JobRow.id)
        .where(JobRunRow.run_id == run.id, JobRow.status != JobStatus.CANCELLED)
        .order_by(JobRow.created_at, JobRow.id)
    )
    wanting = session.execute(jobs).all()
    if not wanting or not all(job.is_private for job in wanting):
        return {}
    return {"is_private": True, "owner": wanting[0].owner}


def _job(run: Run, model_id: str, revision: str, seed: int) -> NewJob:
    return NewJob(
        model_id=f"{UNTRAINED}{model_id}@{seed}",
        requested_revision=revision,
        benchmarks=((run.benchmark, run.benchmark_version),),
        protocol=run.protocol,
        scoring_version=run.scoring_version,
        options=twin_options(run.options),
        labels=dict(LABELS),
        is_background=True,
    )


def _is_known(session: Session, jobs: list[NewJob], data_sha256: str) -> bool:
    """Whether any of these jobs, each of one benchmark at a fixed revision, has its score or a live run."""
    work = [job.work(*job.benchmarks[0]) for job in jobs]
    scored = sa.select(ScoreRow.id).where(
        ScoreRow.pinned_key.in_(map(pinned_key, work)),
        ScoreRow.data_sha256 == data_sha256,
        ScoreRow.superseded_by.is_(None),
    )
    live = sa.select(RunRow.id).where(RunRow.request_key.in_(map(request_key, work)), RunRow.status.in_(LIVE_RUNS))
    return any(session.scalars(query.limit(1)).first() is not None for query in (scored, live))
