"""What a client asks about jobs: submit, read, follow, cancel, retry. What else it asks is in `broca.client`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .answers import pages, parse, segment
from .connection import Connection, QueryValue
from .errors import AnswerNotUnderstood, WaitTimedOut
from .preflight import Preflight
from .results import Event, Job


class JobCalls:
    """The methods of a client that are about jobs."""

    _connection: Connection

    def submit(
        self,
        model: str,
        benchmarks: Sequence[str],
        protocol: str = "grouped",
        *,
        revision: str | None = None,
        options: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        force: bool = False,
        priority: int | None = None,
        private: bool = False,
        device_class: str | None = None,
        expires_in_s: float | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Ask for the scores of a model on some benchmarks; the job comes back at once, `wait` waits for its end.

        `priority` is 0 (first) to 9; a `private` job is shown to this key alone; `device_class` is `cpu` or `gpu`.
        The same request with the same `idempotency_key` within a day brings back the same job.
        """
        body: dict[str, Any] = {
            "model": model if revision is None else {"id": model, "revision": revision},
            "benchmarks": list(benchmarks),
            "protocol": protocol,
            "options": dict(options or {}),
            "labels": dict(labels or {}),
            "force": force,
        }
        further: dict[str, Any] = {"priority": priority, "private": private or None, "device_class": device_class}
        further["expires_in_s"] = expires_in_s
        body.update({name: value for name, value in further.items() if value is not None})
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        return parse(Job, self._connection.post("/v1/jobs", body, headers=headers))

    def preflight(
        self,
        model: str,
        benchmarks: Sequence[str],
        protocol: str = "grouped",
        *,
        revision: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Preflight:
        """What would come of `submit`: what the model is and needs, what stands in the way. Nothing is written."""
        body = {
            "model": model if revision is None else {"id": model, "revision": revision},
            "benchmarks": list(benchmarks),
            "protocol": protocol,
            "options": dict(options or {}),
        }
        return parse(Preflight, self._connection.post("/v1/jobs?validate_only=true", body))

    def job(self, job_id: str) -> Job:
        """The job as it stands."""
        return parse(Job, self._connection.get(f"/v1/jobs/{segment(job_id)}"))

    def jobs(
        self,
        *,
        status: str | None = None,
        model: str | None = None,
        labels: Mapping[str, str] | None = None,
        page_size: int = 50,
    ) -> Iterator[Job]:
        """All jobs, newest first; the next page is fetched when it is reached."""
        query: dict[str, QueryValue] = {"status": status, "model": model, "page_size": page_size}
        query.update({f"label.{name}": value for name, value in (labels or {}).items()})
        return pages(self._connection, Job, "/v1/jobs", query)

    def wait(
        self,
        job_id: str,
        on_progress: Callable[[Job], None] | None = None,
        *,
        poll_s: float = 0.5,
        timeout_s: float | None = None,
    ) -> Job:
        """The job once it is finished, however it ended. `on_progress` sees it at every look.

        Raises WaitTimedOut after `timeout_s`; the job goes on then.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            job = self.job(job_id)
            if on_progress is not None:
                on_progress(job)
            if job.is_finished:
                return job
            if deadline is not None and time.monotonic() + poll_s > deadline:
                hint = f"wait again, or stop it with `broca cancel {job_id}`"
                raise WaitTimedOut(f"job {job_id} is {job.status} after {timeout_s:g} s", hint=hint)
            time.sleep(poll_s)

    def cancel(self, job_id: str) -> Job:
        """Stop a job; a finished one stays as it is."""
        return parse(Job, self._connection.post(f"/v1/jobs/{segment(job_id)}/cancel"))

    def retry(self, job_id: str) -> Job:
        """The new job that repeats the runs of a finished one that have no score; always the same one."""
        return parse(Job, self._connection.post(f"/v1/jobs/{segment(job_id)}/retry"))

    def events(self, job_id: str, *, after: int = 0) -> Iterator[Event]:
        """What happens to a job, as it happens, up to its end: first what was since event number `after`.

        Raises ServerUnreachable where the connection breaks; going on `after` the last event misses nothing.
        """
        path = f"/v1/jobs/{segment(job_id)}/events"
        for line in self._connection.stream(path, {"Accept": "text/event-stream", "Last-Event-ID": str(after)}):
            if line.startswith("data:"):
                yield parse(Event, _json(line.removeprefix("data:")))


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise AnswerNotUnderstood("an event came back that is not JSON") from error
