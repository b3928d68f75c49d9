"""Jobs as they stand, for whoever polls: read for all polls at hand together, and written as JSON once per change.

While one read is under way the next polls gather, so many polls cost few queries, and a single one waits for nothing.
Every answer is of a read that began after its request came.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from storage import job_stamps, jobs
from storage.engine import Database
from storage.job_records import not_found
from storage.job_stamps import Stamp
from storage.jobs import Viewer
from storage.states import TERMINAL_JOBS

from .conditional import entity_tag
from .job_views import job_view, look_around
from .version import package_version

MAX_TOGETHER = 200
"""Jobs that are read in one query."""

MAX_KEPT = 512
"""Answers that are kept in case nothing changes until the next poll."""


@dataclass(frozen=True, kw_only=True)
class State:
    """How a job stands: its stamp and the entity tag that follows from it."""

    job_id: str
    stamp: Stamp
    tag: str

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self.stamp.status in TERMINAL_JOBS


class JobReader:
    """Reads jobs of one database; belongs to one event loop."""

    def __init__(self, database: Database, *, worker_silence_s: float) -> None:
        self._database = database
        self._worker_silence_s = worker_silence_s
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="job-reader")
        self._waiting: dict[str, asyncio.Future[Stamp | None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._bodies: OrderedDict[str, tuple[str, bytes]] = OrderedDict()
        self._salt = package_version()

    async def state(self, job_id: str, viewer: Viewer) -> State:
        """How the job stands now; raises JobNotFound, also for one that the viewer must not see."""
        stamp = await self._stamp(job_id)
        if stamp is None or not viewer.sees(owner=stamp.owner, is_private=stamp.is_private):
            raise not_found()
        return State(job_id=job_id, stamp=stamp, tag=entity_tag(self._salt, job_id, stamp.digest))

    async def body(self, state: State) -> bytes:
        """The job of this state as JSON."""
        kept = self._bodies.get(state.job_id)
        if kept is not None and kept[0] == state.tag:
            self._bodies.move_to_end(state.job_id)
            return kept[1]
        body = await asyncio.get_running_loop().run_in_executor(None, self._write, state.job_id)
        self._bodies[state.job_id] = (state.tag, body)
        self._bodies.move_to_end(state.job_id)
        while len(self._bodies) > MAX_KEPT:
            self._bodies.popitem(last=False)
        return body

    async def close(self) -> None:
        """Ends the thread; nothing can be read afterwards."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        self._pool.shutdown(wait=False)

    async def _stamp(self, job_id: str) -> Stamp | None:
        waiting = self._waiting.get(job_id)
        if waiting is None:
            waiting = self._waiting[job_id] = asyncio.get_running_loop().create_future()
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._work_off())
        return await asyncio.shield(waiting)

    async def _work_off(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch = {job_id: self._waiting.pop(job_id) for job_id in list(self._waiting)[:MAX_TOGETHER]}
            try:
                found = await loop.run_in_executor(self._pool, self._read, list(batch))
            except Exception as error:
                for waiting in batch.values():
                    waiting.set_exception(error)
                    waiting.exception()  # whoever waited may have gone
            else:
                for job_id, waiting in batch.items():
                    waiting.set_result(found.get(job_id))

    def _read(self, job_ids: list[str]) -> Mapping[str, Stamp]:
        with self._database.read() as session:
            return job_stamps.read(session, job_ids, worker_silence_s=self._worker_silence_s)

    def _write(self, job_id: str) -> bytes:
        with self._database.read() as session:
            job = jobs.get(session, job_id)
        around = look_around(self._database, [job], worker_silence_s=self._worker_silence_s)
        return job_view(job, around).model_dump_json().encode()
