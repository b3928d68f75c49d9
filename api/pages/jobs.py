"""Jobs: the list, and a page for each that goes on while the job does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import State

from scoring.errors import CodedError
from storage import events, job_records, jobs, scores
from storage.engine import Database
from storage.jobs import Viewer
from storage.runs import Run as StoredRun
from storage.states import LIVE_JOBS, JobStatus, RunStatus

from ..errors import RequestInvalid
from ..job_views import event_view, job_view, look_around
from ..requests import JobsQuery, NoParameters
from ..routes.jobs import cancel_job, list_jobs, retry_job
from ..schemas import Job
from ..security import CallerDependency
from ..viewers import ViewerDependency, viewer_of
from . import addresses
from .forms import form_fields, require_own_form
from .queries import address_if_other, checked, parameters_of, refusal_of
from .rendering import page
from .telling import STAGES, Line, lines

EVENT_TYPES = (*(f"job.{status}" for status in JobStatus), *(f"run.{status}" for status in RunStatus), "run.progress")
RELOAD_S = 5
"""How often a browser without scripts asks again."""

LAST = 50
"""Events that are told."""

MAX_UNDER_WAY = 20
"""Running jobs that are shown above the others, and as many that are next."""

router = APIRouter(include_in_schema=False)


@router.get("/jobs")
def jobs_page(request: Request, viewer: ViewerDependency) -> Response:
    """Jobs, newest first, with the parameters of `GET /v1/jobs`."""
    parameters = parameters_of(request)
    if (address := address_if_other(request, parameters)) is not None:
        return RedirectResponse(address, status_code=303)
    context: dict[str, Any] = {"refusal": None, "jobs": [], "following": None, "under_way": None}
    state = request.app.state
    try:
        query = checked(JobsQuery, parameters)
        if not parameters:
            context["under_way"] = _under_way(state, viewer)
        found = list_jobs(query, request, Response(), state.database, state.settings, viewer)
        token = found.next_page_token
        context["jobs"] = [(job, addresses.job(job.id)) for job in found.data]
        context["following"] = token and addresses.with_query("/jobs", parameters, page_token=token)
    except CodedError as error:
        context["refusal"] = refusal_of(error)
    return page(
        request,
        "jobs.html",
        status=200 if context["refusal"] is None else context["refusal"].status,
        active="/jobs",
        parameters=parameters,
        statuses=[status.value for status in JobStatus],
        is_live=any(job.status in LIVE_JOBS for job, _ in context["jobs"]),
        refresh_s=RELOAD_S,
        json=addresses.with_query("/v1/jobs", parameters),
        **context,
    )


@router.get("/jobs/{job_id}")
async def job_page(job_id: str, request: Request, caller: CallerDependency) -> Response:
    """A job as it stands, with what happened to it; a browser with scripts draws it again whenever more happens."""
    viewer = viewer_of(caller)
    state = request.app.state
    read = await state.job_reader.state(job_id, viewer)
    job = Job.model_validate_json(await state.job_reader.body(read))
    happened = await run_in_threadpool(_happened, state.database, job_id)
    return await run_in_threadpool(page, request, "job.html", **_job_context(job, happened))


@router.post("/jobs/{job_id}")
async def change_job(job_id: str, request: Request, caller: CallerDependency) -> Response:
    """Cancels a job or repeats its runs without a score, by the form on its page."""
    require_own_form(request)
    fields = await form_fields(request)
    action = fields.get("action", [""])[0]
    if action not in ("cancel", "retry"):
        raise RequestInvalid("a job is cancelled or retried", hint="send action=cancel or action=retry", param="action")
    job = await run_in_threadpool(_change, action, job_id, request.app.state, viewer_of(caller))
    return RedirectResponse(addresses.job(job.id), status_code=303)


def _change(action: str, job_id: str, state: State, viewer: Viewer) -> Job:
    if action == "cancel":
        return cancel_job(job_id, NoParameters(), state.database, state.settings, viewer)
    return retry_job(job_id, NoParameters(), Response(), state.database, state.bell, state.settings, viewer)


def _under_way(state: State, viewer: Viewer) -> list[tuple[Job, str]]:
    """What is being worked on and what is next, with addresses."""
    with state.database.read() as session:
        found = jobs.under_way(session, viewer, limit=MAX_UNDER_WAY)
    around = look_around(state.database, found, worker_silence_s=state.settings.worker_silence_s)
    return [(job_view(job, around), addresses.job(job.id)) for job in found]


@dataclass(frozen=True, kw_only=True)
class Happened:
    """The last lines of the log, how many events there are, and how far each run is."""

    log: Sequence[Line]
    n_events: int
    runs: Mapping[str, StoredRun]


def _happened(database: Database, job_id: str) -> Happened:
    with database.read() as session:
        last = events.last_events(session, job_id, LAST)
        runs = {run.id: run for job in job_records.get_many(session, [job_id]) for run in job.runs}
        shown = {str(event.data["score"]) for event in last if event.data.get("score")}
        stored = {score_id: scores.get(session, score_id) for score_id in sorted(shown)}
    log = lines((event_view(event) for event in last), stored)
    return Happened(log=log, n_events=last[-1].seq if last else 0, runs=runs)


def _job_context(job: Job, happened: Happened) -> dict[str, Any]:
    is_live = job.status in LIVE_JOBS
    shows_all = {"all": "true"} if job.options else {}
    return {
        "active": "/jobs",
        "job": job,
        "is_live": is_live,
        "reload_s": RELOAD_S,
        "types": " ".join(EVENT_TYPES),
        "log": happened.log,
        "n_events": happened.n_events,
        "last": LAST,
        "runs": [(run, happened.runs.get(run.id)) for run in job.runs],
        "stages": STAGES,
        "percent": round(100 * job.progress.fraction),
        "path": addresses.job(job.id),
        "json": f"/v1/jobs/{job.id}",
        "model": addresses.model(job.model.id),
        "scores": addresses.with_query(addresses.model(job.model.id), {"protocol": job.protocol, **shows_all}),
        "before": None if job.retry_of is None else addresses.job(job.retry_of),
    }
