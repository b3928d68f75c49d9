"""The one reader of events in this process: whoever waits for jobs is told by it, and nobody asks the database alone.

It looks a few times a second for all followed jobs together and keeps the last events of each, so idle clients cost
next to nothing and slow ones cannot fill the memory: who falls behind reads from the database what it has missed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from storage import event_heads, events
from storage.engine import Database
from storage.errors import DatabaseUnavailable
from storage.event_heads import Head
from storage.events import Event

POLL_S = 0.25
PAUSE_S = 1.0
"""How long the reader leaves a database alone that cannot be read."""

MAX_RECENT = 64
"""Events of a job that are kept for its followers, and read at a time."""

_log = logging.getLogger(__name__)


class Channel:
    """What the followers of one job share: its last events, whether it has ended, and a bell for news.

    It `is_complete` once the job `is_over` and its last event is here.
    """

    def __init__(self, job_id: str, last_seq: int) -> None:
        self.job_id = job_id
        self.n_followers = 0
        self.is_over = False
        self.is_complete = False
        self.last_seq = last_seq
        self._recent: deque[Event] = deque(maxlen=MAX_RECENT)
        self._news = asyncio.Event()

    def after(self, seq: int) -> list[Event] | None:
        """The events after number `seq`, none if there is nothing new; None where some are no longer kept."""
        if seq >= self.last_seq:
            return []
        if not self._recent or self._recent[0].seq > seq + 1:
            return None
        return [event for event in self._recent if event.seq > seq]

    async def news(self, within_s: float) -> bool:
        """Waits until something happens; False when nothing does in time."""
        bell = self._news
        try:
            async with asyncio.timeout(within_s):
                await bell.wait()
        except TimeoutError:
            return False
        return True

    def tell(self, head: Head, found: tuple[Event, ...]) -> None:
        """Keeps new events and wakes every follower."""
        self._recent.extend(found)
        self.last_seq = found[-1].seq if found else self.last_seq
        self.is_over = head.is_final
        self.is_complete = head.is_final and self.last_seq >= head.last_seq
        self.ring()

    def ring(self) -> None:
        """Wakes every follower."""
        bell, self._news = self._news, asyncio.Event()
        bell.set()


class EventFeed:
    """Follows the events of one database; belongs to one event loop."""

    def __init__(self, database: Database, *, poll_s: float = POLL_S) -> None:
        self._database = database
        self._poll_s = poll_s
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="event-feed")
        self._channels: dict[str, Channel] = {}
        self._is_needed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.is_closed = False

    @contextmanager
    def follow(self, job_id: str, after: int) -> Iterator[Channel]:
        """The job's channel for the time of the block; `after` is the last event that the follower knows."""
        channel = self._channels.setdefault(job_id, Channel(job_id, after))
        channel.n_followers += 1
        self._start()
        try:
            yield channel
        finally:
            channel.n_followers -= 1
            if channel.n_followers == 0:
                self._channels.pop(job_id, None)

    async def ended(self, job_id: str, *, within_s: float) -> bool:
        """Waits until the job has ended; False when it goes on after that time, or the server stops."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        with self.follow(job_id, 0) as channel:
            while not channel.is_over and not self.is_closed:
                if not await channel.news(deadline - loop.time()):
                    return False
            return channel.is_over

    def end_streams(self) -> None:
        """Lets everybody who waits stop waiting, for the server is about to end."""
        self.is_closed = True
        for channel in self._channels.values():
            channel.ring()

    async def close(self) -> None:
        """Ends the reader."""
        self.end_streams()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._pool.shutdown(wait=False)

    def _start(self) -> None:
        self._is_needed.set()
        if self._task is None:
            self._task = asyncio.create_task(self._keep_reading())

    async def _keep_reading(self) -> None:
        while True:
            if not self._channels:
                self._is_needed.clear()
                await self._is_needed.wait()
            await asyncio.sleep(self._poll_s)
            try:
                await self._look()
            except DatabaseUnavailable:
                await asyncio.sleep(PAUSE_S)
            except Exception:
                _log.exception("the events could not be read")
                await asyncio.sleep(PAUSE_S)

    async def _look(self) -> None:
        known = {job_id: channel.last_seq for job_id, channel in self._channels.items() if not channel.is_complete}
        if not known:
            return
        loop = asyncio.get_running_loop()
        for job_id, (head, found) in (await loop.run_in_executor(self._pool, self._read, known)).items():
            channel = self._channels.get(job_id)
            if channel is not None and channel.last_seq == known[job_id]:
                channel.tell(head, found)

    def _read(self, known: Mapping[str, int]) -> Mapping[str, tuple[Head, tuple[Event, ...]]]:
        """The jobs of which there is something to tell, with their next events."""
        with self._database.read() as session:
            heads = event_heads.read(session, known)
            return {
                job_id: (head, events.list_events(session, job_id, known[job_id], limit=MAX_RECENT))
                for job_id, head in heads.items()
                if head.is_final or head.last_seq > known[job_id]
            }
