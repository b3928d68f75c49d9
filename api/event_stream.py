"""A job's events as server-sent events: those that were, then those that come, to the end of the job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Send

from storage import events
from storage.engine import Database
from storage.errors import DatabaseUnavailable
from storage.events import Event
from storage.states import TERMINAL_JOBS

from .event_feed import PAUSE_S, EventFeed
from .job_views import event_view

MEDIA_TYPE = "text/event-stream"
RETRY_MS = 3000
"""How long a client waits before it connects again."""

SILENCE_S = 15.0
"""After which a comment says that the connection lives."""

MAX_READ = 500
"""Events that are read at once for a client that has fallen behind."""

_FINAL = frozenset(f"job.{status}" for status in TERMINAL_JOBS)


class EventStream(StreamingResponse):
    """An answer of events that ends with the job, with the server, or when the client goes."""

    def __init__(self, feed: EventFeed, database: Database, job_id: str, *, after: int, reached: int) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Vary": "Accept"}
        self._frames = _frames(feed, database, job_id, after=after, reached=reached)
        super().__init__(self._frames, media_type=MEDIA_TYPE, headers=headers)

    async def stream_response(self, send: Send) -> None:
        """Sends what comes, and lets go of the job however that ends."""
        async with aclosing(self._frames):
            await super().stream_response(send)


async def _frames(feed: EventFeed, database: Database, job_id: str, *, after: int, reached: int) -> AsyncGenerator[str]:
    """The events after number `after` of a job that has `reached` so many; the caller knows that more will come."""
    yield f"retry: {RETRY_MS}\n\n"
    with feed.follow(job_id, reached) as channel:
        while not feed.is_closed:
            found: Sequence[Event] | None = channel.after(after)
            if found is None:
                found = await _missed(database, job_id, after)
            if found is None:
                continue
            for event in found:
                yield _frame(event)
                after = event.seq
                if event.type in _FINAL:
                    return
            if not found and not await channel.news(SILENCE_S):
                yield ": nothing new\n\n"


async def _missed(database: Database, job_id: str, after: int) -> Sequence[Event] | None:
    """Events that the channel does not keep; None while the database is away, after a pause."""
    try:
        return await run_in_threadpool(_read, database, job_id, after)
    except DatabaseUnavailable:
        await asyncio.sleep(PAUSE_S)
        return None


def _read(database: Database, job_id: str, after: int) -> Sequence[Event]:
    with database.read() as session:
        return events.list_events(session, job_id, after, limit=MAX_READ)


def _frame(event: Event) -> str:
    return f"id: {event.seq}\nevent: {event.type}\ndata: {event_view(event).model_dump_json()}\n\n"
