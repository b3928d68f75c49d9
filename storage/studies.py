"""Studies: jobs that were submitted together, and how far they are. What a study may say: `scoring.studies`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from . import idempotency, outlook, paging, properties
from .engine import insert_rows, now
from .errors import StorageError, StudyNotFound
from .lineage import lineages
from .properties import NewProperty, Origin
from .states import LIVE_RUNS, RunStatus
from .submission import Order, Submitted, submit_all
from .tables import JobRow, JobRunRow, RunRow, StudyJobRow, StudyRow


@dataclass(frozen=True, kw_only=True)
class NewStudy:
    """A study to submit: one order for each model, what its definition says of the models, and the key it came with."""

    id: str
    name: str
    title: str
    protocol: str
    definition: dict[str, Any]
    orders: Sequence[Order]
    said: Sequence[NewProperty]
    owner: str | None = None
    key: idempotency.Key | None = None


@dataclass(frozen=True, kw_only=True)
class SubmittedStudy:
    """Which study a submission has brought: a new one with these jobs, or that of an earlier one with the same key."""

    study_id: str
    job_ids: tuple[str, ...]
    is_new: bool


@dataclass(frozen=True, kw_only=True)
class StudySummary:
    """A study as it was submitted."""

    id: str
    name: str
    title: str
    protocol: str
    definition: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class StudyRun:
    """How one model stands on one benchmark; `error` is the code of a run that failed."""

    benchmark: str
    status: RunStatus
    score_id: str | None
    error: str | None


@dataclass(frozen=True, kw_only=True)
class StudyEntry:
    """A model of a study with its newest job, which may be a retry of the first, and its runs in all of them."""

    model_id: str
    requested_revision: str | None
    revision: str | None
    job_id: str
    runs: tuple[StudyRun, ...]


@dataclass(frozen=True, kw_only=True)
class Study(StudySummary):
    """A study and how it stands. `estimate_s` is of the unfinished runs whose benchmark has been timed under its
    protocol, one after the other; `untimed` are benchmarks of the others.
    """

    entries: tuple[StudyEntry, ...]
    estimate_s: float
    untimed: tuple[str, ...]

    @property
    def counts(self) -> Mapping[RunStatus, int]:
        """How many runs are in each state."""
        found = Counter(run.status for entry in self.entries for run in entry.runs)
        return {status: found[status] for status in RunStatus}


def submit(session: Session, new_study: NewStudy, *, max_live_jobs: int) -> SubmittedStudy:
    """Writes the study with all of its jobs; one with the key of an earlier study brings that one back.

    Raises TooManyJobs, PropertyInvalid, LineageCyclic and IdempotencyKeyReused; the transaction must not be committed
    then.
    """
    key = new_study.key
    if key is None:
        return SubmittedStudy(study_id=new_study.id, job_ids=_write(session, new_study, max_live_jobs), is_new=True)
    known = idempotency.recall(session, [key.name]).get(key.name)
    if known is not None:
        known.require(key)
        return SubmittedStudy(study_id=_study_of(session, known.job_id), job_ids=(), is_new=False)
    job_ids = _write(session, new_study, max_live_jobs)
    idempotency.remember(session, {key: job_ids[0]}, at=now(session))
    return SubmittedStudy(study_id=new_study.id, job_ids=job_ids, is_new=True)


def _study_of(session: Session, job_id: str) -> str:
    """The study that a job was submitted for; a key remembers its first one."""
    return session.scalars(sa.select(StudyJobRow.study_id).where(StudyJobRow.job_id == job_id)).one()


def _write(session: Session, new_study: NewStudy, max_live_jobs: int) -> tuple[str, ...]:
    answers = submit_all(session, new_study.orders, max_live_jobs=max_live_jobs)
    job_ids = [_job_of(answers[order]) for order in new_study.orders]
    study = {name: getattr(new_study, name) for name in ("id", "name", "title", "protocol", "definition", "owner")}
    insert_rows(session, StudyRow, [study | {"created_at": now(session)}])
    links = [{"study_id": new_study.id, "position": place, "job_id": job_id} for place, job_id in enumerate(job_ids)]
    insert_rows(session, StudyJobRow, links)
    properties.put(session, new_study.said, origin=Origin.STUDY)
    places = {model["id"]: f"study.models[{place}]" for place, model in enumerate(new_study.definition["models"])}
    lineages(session).require_no_cycle({one.model_id: places[one.model_id] for one in new_study.said})
    return tuple(job_ids)


def get(session: Session, study_id: str) -> Study:
    """The study of this id and how it stands; raises StudyNotFound."""
    row = session.scalars(sa.select(StudyRow).where(StudyRow.id == study_id)).first()
    if row is None:
        raise StudyNotFound("no study has this id", param="study_id")
    linked = sa.select(StudyJobRow.job_id).where(StudyJobRow.study_id == study_id).order_by(StudyJobRow.position)
    chains = _chains(session, list(session.scalars(linked)))
    entries = _entries(session, chains)
    ahead = Counter(run.benchmark for entry in entries for run in entry.runs if run.status in LIVE_RUNS)
    spans = {name: outlook.duration_s(session, benchmark=name, protocol=row.protocol) for name in sorted(ahead)}
    return Study(
        **_summary(row).__dict__,
        entries=entries,
        estimate_s=sum(ahead[name] * span for name, span in spans.items() if span is not None),
        untimed=tuple(name for name, span in spans.items() if span is None),
    )


def page(
    session: Session, *, page_size: int = 50, page_token: str | None = None
) -> tuple[tuple[StudySummary, ...], str | None]:
    """Studies, newest first, and the token of the next page; raises PageTokenInvalid."""
    query = sa.select(StudyRow).order_by(StudyRow.created_at.desc(), StudyRow.id.desc()).limit(page_size + 1)
    if page_token is not None:
        at, last = paging.decode(page_token)
        older = sa.or_(StudyRow.created_at < at, sa.and_(StudyRow.created_at == at, StudyRow.id < last))
        query = query.where(older)
    rows = session.scalars(query).all()
    shown = rows[:page_size]
    following = paging.encode(shown[-1].created_at, shown[-1].id) if len(rows) > page_size else None
    return tuple(map(_summary, shown)), following


def _job_of(answer: Submitted | StorageError) -> str:
    if isinstance(answer, StorageError):
        raise answer
    return answer.job_id


def _summary(row: StudyRow) -> StudySummary:
    same = ("id", "name", "title", "protocol", "definition", "created_at")
    return StudySummary(**{name: getattr(row, name) for name in same})


def _chains(session: Session, job_ids: Sequence[str]) -> list[list[str]]:
    """For each job itself, its retry, the retry of that, and so on."""
    chains = [[job_id] for job_id in job_ids]
    while ends := _retries(session, [chain[-1] for chain in chains]):
        for chain in chains:
            if chain[-1] in ends:
                chain.append(ends[chain[-1]])
    return chains


def _retries(session: Session, job_ids: Collection[str]) -> Mapping[str, str]:
    query = sa.select(JobRow.retry_of, JobRow.id).where(JobRow.retry_of.in_(job_ids))
    return {row.retry_of: row.id for row in session.execute(query) if row.retry_of is not None}


def _entries(session: Session, chains: Sequence[Sequence[str]]) -> tuple[StudyEntry, ...]:
    ids = [job_id for chain in chains for job_id in chain]
    jobs = {row.id: row for row in session.scalars(sa.select(JobRow).where(JobRow.id.in_(ids)))}
    runs: dict[str, list[RunRow]] = {job_id: [] for job_id in ids}
    query = sa.select(JobRunRow.job_id, RunRow).join(RunRow, RunRow.id == JobRunRow.run_id)
    wanted = query.where(JobRunRow.job_id.in_(ids)).order_by(JobRunRow.job_id, JobRunRow.position)
    for job_id, run in session.execute(wanted):
        runs[job_id].append(run)
    return tuple(_entry(jobs[chain[0]], chain, [run for job_id in chain for run in runs[job_id]]) for chain in chains)


def _entry(job: JobRow, chain: Sequence[str], runs: Sequence[RunRow]) -> StudyEntry:
    """Of runs on one benchmark the last one counts."""
    newest = {run.benchmark: run for run in runs}
    return StudyEntry(
        model_id=job.model_id,
        requested_revision=job.requested_revision,
        revision=next((run.revision for run in newest.values() if run.revision is not None), None),
        job_id=chain[-1],
        runs=tuple(
            StudyRun(
                benchmark=run.benchmark,
                status=run.status,
                score_id=run.score_id,
                error=None if run.error is None or run.status in LIVE_RUNS else run.error["code"],
            )
            for run in newest.values()
        ),
    )
