"""Jobs: submit, read, list, cancel, and what happened to them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from storage import events, jobs

from ..dependencies import BellDependency, DatabaseDependency, LookerDependency, SettingsDependency, require_json
from ..job_views import event_view, job_view, look_around
from ..paging import link_next
from ..preflight import preflight
from ..preflight_schemas import Preflight
from ..requests import EventsQuery, JobRequest, JobsQuery, NoParameters, SubmitQuery
from ..schemas import Event, Job, ListOf
from ..submission import check, known_scores

POLL_AFTER_S = 2
MAX_EVENTS = 1000

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.post(
    "",
    status_code=202,
    dependencies=[Depends(require_json)],
    response_model=Job | Preflight,
    responses={
        200: {
            "model": Job | Preflight,
            "description": "Every score was known already: the job has succeeded. Or the preflight that was asked for.",
        }
    },
)
def submit(
    request: JobRequest,
    query: Annotated[SubmitQuery, Query()],
    response: Response,
    database: DatabaseDependency,
    bell: BellDependency,
    settings: SettingsDependency,
    looker: LookerDependency,
) -> Job | Preflight:
    """Ask for the scores of one model on some benchmarks.

    Answers 202 with the queued job, or 200 with `cached: true` where the model is named by a full commit sha,
    `local/` or `demo/` and every score is known. With `validate_only` nothing is written: the answer is a preflight.
    """
    if query.validate_only:
        response.status_code = 200
        return preflight(request, settings, database, looker)
    wanted = check(request, settings)
    known = known_scores(database, wanted)
    with database.write() as session:
        if known is None:
            job = jobs.submit(session, wanted.new_job)
        else:
            job = jobs.submit_cached(session, wanted.new_job, known)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    if known is None:
        bell.ring(job.id)
        response.headers["Retry-After"] = str(POLL_AFTER_S)
    else:
        response.status_code = 200
    return job_view(job, look_around(database, [job], worker_silence_s=settings.worker_silence_s))


@router.get("")
def list_jobs(
    query: Annotated[JobsQuery, Query()],
    request: Request,
    response: Response,
    database: DatabaseDependency,
    settings: SettingsDependency,
) -> ListOf[Job]:
    """Jobs, newest first. `label.<name>=<value>` keeps those that bear this label."""
    labels = query.labels()
    with database.read() as session:
        page, following = jobs.page(
            session,
            status=query.status,
            model_id=query.model,
            labels=labels,
            include_background=query.include_baselines,
            page_size=query.page_size,
            page_token=query.page_token,
        )
    link_next(request, response, following)
    around = look_around(database, page, worker_silence_s=settings.worker_silence_s)
    return ListOf[Job](data=[job_view(job, around) for job in page], next_page_token=following)


@router.get("/{job_id}")
def get_job(
    job_id: str, _: Annotated[NoParameters, Query()], database: DatabaseDependency, settings: SettingsDependency
) -> Job:
    """A job as it stands."""
    with database.read() as session:
        job = jobs.get(session, job_id)
    return job_view(job, look_around(database, [job], worker_silence_s=settings.worker_silence_s))


@router.post("/{job_id}/cancel")
def cancel_job(
    job_id: str, _: Annotated[NoParameters, Query()], database: DatabaseDependency, settings: SettingsDependency
) -> Job:
    """Cancel a job, and those of its runs that no other job wants; a finished job stays as it is."""
    with database.write() as session:
        job = jobs.cancel(session, job_id)
    return job_view(job, look_around(database, [job], worker_silence_s=settings.worker_silence_s))


@router.get("/{job_id}/events")
def list_events(job_id: str, query: Annotated[EventsQuery, Query()], database: DatabaseDependency) -> ListOf[Event]:
    """What happened to a job, oldest first, at most 1,000 at once: ask again `after` the last `seq`."""
    with database.read() as session:
        jobs.get(session, job_id)
        found = events.list_events(session, job_id, query.after, limit=MAX_EVENTS)
    return ListOf[Event](data=[event_view(event) for event in found], next_page_token=None)
