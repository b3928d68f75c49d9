"""What a client asks about jobs: submit, read, follow, cancel, retry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .answers import each, parse
from .calls import Mode, Tied, call, series
from .jobs import Event, Job, Looks, changed, followed, path_of, waited
from .preflight import Preflight
from .steps import Plan, QueryValue, Series, get, post


class JobCalls(Tied[Mode]):
    """The methods of a client that are about jobs."""

    @call
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
    ) -> Plan[Job[Mode]]:
        """Ask for the scores of a model on some benchmarks; the job comes back at once, its `wait` waits for its end.

        `priority` is 0 (first) to 9; a `private` job is shown to this key alone; `device_class` is `cpu` or `gpu`.
        The same request with the same `idempotency_key` within a day brings back the same job.
        """
        body = _asked(model, benchmarks, protocol, revision=revision, options=options)
        body |= {"labels": dict(labels or {}), "force": force}
        further: dict[str, Any] = {"priority": priority, "private": private or None, "device_class": device_class}
        further["expires_in_s"] = expires_in_s
        body.update({name: value for name, value in further.items() if value is not None})
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        return parse(Job, (yield from post("/v1/jobs", body, headers=headers)), self)

    @call
    def preflight(
        self,
        model: str,
        benchmarks: Sequence[str],
        protocol: str = "grouped",
        *,
        revision: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Plan[Preflight]:
        """What would come of `submit`: what the model is and needs, what stands in the way. Nothing is written."""
        body = _asked(model, benchmarks, protocol, revision=revision, options=options)
        return parse(Preflight, (yield from post("/v1/jobs?validate_only=true", body)))

    @call
    def job(self, job_id: str) -> Plan[Job[Mode]]:
        """The job as it stands."""
        return parse(Job, (yield from get(path_of(job_id))), self)

    @series
    def jobs(
        self,
        *,
        status: str | None = None,
        model: str | None = None,
        labels: Mapping[str, str] | None = None,
        page_size: int = 50,
    ) -> Series[Job[Mode]]:
        """All jobs, newest first; the next page is fetched when it is reached."""
        query: dict[str, QueryValue] = {"status": status, "model": model, "page_size": page_size}
        query.update({f"label.{name}": value for name, value in (labels or {}).items()})
        yield from each(Job, "/v1/jobs", query, self)

    @call
    def wait(
        self,
        job_id: str,
        on_progress: Callable[[Job[Mode]], object] | None = None,
        *,
        on_event: Callable[[Event], object] | None = None,
        poll_s: float = 0.5,
        timeout_s: float | None = None,
    ) -> Plan[Job[Mode]]:
        """The job once it is finished, however it ended.

        `on_progress` sees the job at every look, `on_event` every event of it once, those of before too; both are
        plain functions. A server that is started again meanwhile is waited for, too. Raises WaitTimedOut after
        `timeout_s`; the job goes on then.
        """
        looks = Looks(on_progress=on_progress, on_event=on_event, poll_s=poll_s, timeout_s=timeout_s)
        return (yield from waited(self, job_id, looks))

    @call
    def cancel(self, job_id: str) -> Plan[Job[Mode]]:
        """Stop a job; a finished one stays as it is."""
        return (yield from changed(self, job_id, "cancel"))

    @call
    def retry(self, job_id: str) -> Plan[Job[Mode]]:
        """The new job that repeats the runs of a finished one that have no score; always the same one."""
        return (yield from changed(self, job_id, "retry"))

    @series
    def events(self, job_id: str, *, after: int = 0) -> Series[Event]:
        """What happens to a job, as it happens, up to its end: first what was since event number `after`.

        Raises ServerUnreachable where the connection breaks; going on `after` the last event misses nothing.
        """
        yield from followed(job_id, after)


def _asked(
    model: str, benchmarks: Sequence[str], protocol: str, *, revision: str | None, options: Mapping[str, Any] | None
) -> dict[str, Any]:
    return {
        "model": model if revision is None else {"id": model, "revision": revision},
        "benchmarks": list(benchmarks),
        "protocol": protocol,
        "options": dict(options or {}),
    }
