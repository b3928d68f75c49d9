"""Jobs as the server answers them, and what can be asked about one: of a client with its id, or of the job itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from pydantic import Field

from .answers import everything, parse, segment
from .base import ModelRef, ProblemDocument, Result, TiedResult
from .calls import Mode, Tied, call, series
from .errors import AnswerNotUnderstood, BrocaError, ServerFailure, ServerUnreachable, WaitTimedOut
from .scores import Score
from .steps import Found, Pause, Plan, Series, get, next_line, opened, post
from .tables import Listed

FINAL_JOB_STATUSES = frozenset({"succeeded", "partially_succeeded", "failed", "cancelled"})

LONGEST_ABSENCE_S = 60.0
"""How long a server that was there may be away while a job is waited for: it is started again, or its database is."""


class Run(Result):
    """One model on one benchmark within a job; `score` is the score's id once there is one."""

    id: str
    benchmark: str
    status: str
    benchmark_version: int | None = None
    protocol: str | None = None
    attempt: int | None = None
    score: str | None = None
    error: ProblemDocument | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


class Progress(Result):
    """How far a job is: `fraction` from 0 to 1, the stage, and a detail for the eye."""

    fraction: float | None = None
    stage: str | None = None
    detail: str | None = None


class Event(Result):
    """Something that happened to a job or to one of its runs; `seq` counts from 1 without gaps."""

    seq: int
    type: str
    at: datetime | None = None
    run: str | None = None
    data: dict[str, Any] = Field(default_factory=dict)


class Job(TiedResult[Mode]):
    """A job as it stands, with its runs. One that a client gave can be waited for, cancelled and repeated."""

    id: str
    status: str
    model: ModelRef
    protocol: str
    runs: tuple[Run, ...] = ()
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)
    progress: Progress | None = None
    queue_position: int | None = None
    cached: bool = False
    priority: int | None = None
    private: bool = False
    device_class: str | None = None
    expires_at: datetime | None = None
    retry_of: str | None = None
    error: ProblemDocument | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the status is final."""
        return self.status in FINAL_JOB_STATUSES

    @property
    def has_succeeded(self) -> bool:
        """Whether every run has a score."""
        return self.status == "succeeded"

    @call
    def wait(
        self,
        on_progress: Callable[[Job[Mode]], object] | None = None,
        *,
        on_event: Callable[[Event], object] | None = None,
        poll_s: float = 0.5,
        timeout_s: float | None = None,
    ) -> Plan[Job[Mode]]:
        """The job once it is finished, however it ended; as `wait` of a client."""
        looks = Looks(on_progress=on_progress, on_event=on_event, poll_s=poll_s, timeout_s=timeout_s)
        return (yield from waited(self, self.id, looks))

    @call
    def cancel(self) -> Plan[Job[Mode]]:
        """Stop the job; a finished one stays as it is."""
        return (yield from changed(self, self.id, "cancel"))

    @call
    def retry(self) -> Plan[Job[Mode]]:
        """The new job that repeats the runs that have no score; the job has to be finished."""
        return (yield from changed(self, self.id, "retry"))

    @call
    def scores(self) -> Plan[Listed[Score[Mode]]]:
        """The scores of the runs that have one, as this job knows them: those of a finished job are all."""
        found = []
        for run in self.runs:
            if run.score is not None:
                found.append(parse(Score, (yield from get(f"/v1/scores/{segment(run.score)}")), self))
        return Listed(found)

    @series
    def events(self, *, after: int = 0) -> Series[Event]:
        """What happens to the job, as it happens, up to its end; as `events` of a client."""
        yield from followed(self.id, after)

    def wide_row(self) -> Mapping[str, Any]:
        """The job in one row, with how many of its runs have a score."""
        return {
            "job": self.id,
            "status": self.status,
            "model": self.model.id,
            "revision": self.model.revision,
            "protocol": self.protocol,
            "benchmarks": ";".join(run.benchmark for run in self.runs),
            "n_runs": len(self.runs),
            "n_scores": sum(run.score is not None for run in self.runs),
            "fraction": None if self.progress is None else self.progress.fraction,
            "stage": None if self.progress is None else self.progress.stage,
            "created_at": self.created_at,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "error": None if self.error is None else self.error.code,
        }

    def long_rows(self) -> tuple[Mapping[str, Any], ...]:
        """A row a run."""
        of = {"job": self.id, "model": self.model.id, "revision": self.model.revision, "protocol": self.protocol}
        names = ("benchmark", "benchmark_version", "status", "attempt", "score", "started_at", "finished_at")
        return tuple(
            {
                **of,
                "run": run.id,
                **{name: getattr(run, name) for name in names},
                "error": None if run.error is None else run.error.code,
            }
            for run in self.runs
        )


@dataclass(frozen=True, kw_only=True)
class Looks:
    """How a job is looked at until its end, and who is told what is seen."""

    on_progress: Callable[[Job[Any]], object] | None
    on_event: Callable[[Event], object] | None
    poll_s: float
    timeout_s: float | None


def path_of(job_id: str) -> str:
    """Where a job is."""
    return f"/v1/jobs/{segment(job_id)}"


def waited(asked: Tied[Mode], job_id: str, looks: Looks) -> Plan[Job[Mode]]:
    """The job once it is finished. Raises WaitTimedOut; an error of the server once that has lasted for a minute."""
    started = seen = time.monotonic()
    n_events, status = 0, None
    while True:
        try:
            job: Job[Mode] = parse(Job, (yield from get(path_of(job_id))), asked)
            while looks.on_event is not None and (events := (yield from events_since(job_id, n_events))):
                for event in events:
                    looks.on_event(event)
                n_events = events[-1].seq
        except (ServerUnreachable, ServerFailure) as error:
            if status is None or not _may_pass(error) or time.monotonic() - seen > LONGEST_ABSENCE_S:
                raise
        else:
            seen, status = time.monotonic(), job.status
            if looks.on_progress is not None:
                looks.on_progress(job)
            if job.is_finished:
                return job
        if looks.timeout_s is not None and time.monotonic() - started + looks.poll_s > looks.timeout_s:
            hint = f"wait again, or stop it with `broca cancel {job_id}`"
            raise WaitTimedOut(f"job {job_id} is {status} after {looks.timeout_s:g} s", hint=hint)
        yield Pause(looks.poll_s)


def _may_pass(error: BrocaError) -> bool:
    """Whether a server is only away: it is started again, or its database is."""
    return isinstance(error, ServerUnreachable) or error.status == HTTPStatus.SERVICE_UNAVAILABLE


def changed(asked: Tied[Mode], job_id: str, what: str) -> Plan[Job[Mode]]:
    """What comes of a POST to a job."""
    return parse(Job, (yield from post(f"{path_of(job_id)}/{what}")), asked)


def followed(job_id: str, after: int) -> Series[Event]:
    """The events of a job from a stream, up to its end."""
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
    stream = yield from opened(f"{path_of(job_id)}/events", headers)
    while (line := (yield from next_line(stream))) is not None:
        if line.startswith("data:"):
            yield Found(parse(Event, _json(line.removeprefix("data:"))))


def events_since(job_id: str, after: int) -> Plan[Listed[Event]]:
    """The events of a job so far, since number `after`; of many the first ones."""
    return (yield from everything(Event, f"{path_of(job_id)}/events", {"after": after}))


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise AnswerNotUnderstood("an event came back that is not JSON") from error
