"""Workers: which processes there are to take runs, and what each of them is doing."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from storage import job_records, runs, workers

from ..dependencies import DatabaseDependency, SettingsDependency
from ..requests import NoParameters
from ..schemas import ListOf
from ..viewers import ViewerDependency
from ..worker_views import Worker, worker_view

router = APIRouter(prefix="/v1/workers", tags=["service"])


@router.get("")
def list_workers(
    _: Annotated[NoParameters, Query()],
    database: DatabaseDependency,
    settings: SettingsDependency,
    viewer: ViewerDependency,
) -> ListOf[Worker]:
    """Every worker that has not said goodbye, oldest first; one that was not heard of lately is not alive.

    Private benchmarks, and those that only private jobs of others ask for, are not named.
    """
    with database.read() as session:
        since = database.now(session) - timedelta(seconds=settings.worker_silence_s)
        known = workers.known(session)
        held = runs.held_by_workers(session) if known else {}
        seen = job_records.seen_runs(session, [run.id for one in held.values() for run in one], viewer)
    hidden = frozenset() if viewer.may_all or not seen else settings.catalogue.private_names()
    told = {run.id for one in held.values() for run in one if run.id in seen and run.benchmark not in hidden}
    data = [
        worker_view(worker, held.get(worker.id, ()), told=told, is_alive=worker.seen_at >= since) for worker in known
    ]
    return ListOf[Worker](data=data, next_page_token=None)
