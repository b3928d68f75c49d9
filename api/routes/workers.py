"""Workers: which processes there are to take runs, and what each of them is doing."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from storage import runs, workers

from ..dependencies import DatabaseDependency, SettingsDependency
from ..requests import NoParameters
from ..schemas import ListOf
from ..worker_views import Worker, worker_view

router = APIRouter(prefix="/v1/workers", tags=["service"])


@router.get("")
def list_workers(
    _: Annotated[NoParameters, Query()], database: DatabaseDependency, settings: SettingsDependency
) -> ListOf[Worker]:
    """Every worker that has not said goodbye, oldest first; one that was not heard of lately is not alive."""
    with database.read() as session:
        since = database.now(session) - timedelta(seconds=settings.worker_silence_s)
        known = workers.known(session)
        held = runs.held_by_workers(session) if known else {}
    data = [worker_view(worker, held.get(worker.id, ()), is_alive=worker.seen_at >= since) for worker in known]
    return ListOf[Worker](data=data, next_page_token=None)
