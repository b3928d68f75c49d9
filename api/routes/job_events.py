"""What happened to a job: as a list, or as a stream that goes on to the job's end."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from storage import event_heads, events, jobs
from storage.engine import Database
from storage.event_heads import Head
from storage.events import Event as StoredEvent
from storage.jobs import Viewer

from ..csv_tables import json_answer
from ..dependencies import DatabaseDependency, FeedDependency
from ..event_stream import MEDIA_TYPE, EventStream
from ..job_views import event_view
from ..requests import EventsQuery
from ..schemas import Event, ListOf
from ..viewers import ViewerDependency

MAX_EVENTS = 1000
MAX_SEQ = 2**53

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}},
    204: {"description": "The job has ended and the client has all of its events: it need not connect again."},
}


@router.get("/{job_id}/events", response_model=ListOf[Event], responses=ANSWERS)
async def list_events(
    job_id: str,
    query: Annotated[EventsQuery, Query()],
    request: Request,
    database: DatabaseDependency,
    feed: FeedDependency,
    viewer: ViewerDependency,
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", description="The last event that the client has, of a stream.")
    ] = None,
) -> Response:
    """What happened to a job, oldest first, at most 1,000 at once: ask again `after` the last `seq`.

    With `Accept: text/event-stream` the answer goes on with what happens, until the job ends.
    """
    if MEDIA_TYPE not in request.headers.get("accept", "").lower():
        found = await run_in_threadpool(_list, database, job_id, viewer, query.after)
        listed = ListOf[Event](data=[event_view(event) for event in found], next_page_token=None)
        return json_answer(listed.model_dump_json())
    head = await run_in_threadpool(_head, database, job_id, viewer)
    after = min(max(query.after, _number(last_event_id)), head.last_seq)
    if head.is_final and after == head.last_seq:
        return Response(status_code=204)
    return EventStream(feed, database, job_id, after=after, reached=head.last_seq)


def _list(database: Database, job_id: str, viewer: Viewer, after: int) -> tuple[StoredEvent, ...]:
    with database.read() as session:
        jobs.find(session, job_id, viewer)
        return events.list_events(session, job_id, after, limit=MAX_EVENTS)


def _head(database: Database, job_id: str, viewer: Viewer) -> Head:
    with database.read() as session:
        jobs.find(session, job_id, viewer)
        return event_heads.read(session, [job_id])[job_id]


def _number(last_event_id: str | None) -> int:
    """The number that a client sends back as it came; what is none was not ours, and means the beginning."""
    sent = last_event_id or ""
    return min(int(sent), MAX_SEQ) if sent.isascii() and sent.isdecimal() and len(sent) < 18 else 0
