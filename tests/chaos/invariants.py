"""What must hold after any number of faults, checked from the events, over HTTP and in the database itself."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import httpx
import sqlalchemy as sa

from .load import TERMINAL, Accepted
from .stack import MAX_ATTEMPTS

RUN_TERMINAL = ("succeeded", "failed", "cancelled", "expired")
RUN_STEPS: Mapping[str, tuple[str, ...]] = {
    "queued": ("running", "cancelled", "expired"),
    "running": ("queued", *RUN_TERMINAL),
}
JOB_STEPS: Mapping[str, tuple[str, ...]] = {"queued": ("running", *TERMINAL), "running": TERMINAL}
"""The table of docs/explanation/job-guarantee.md. A job that is cancelled or known may end without having run."""

MAY_END_A_HUB_FAULT = ("hub_unavailable",)
"""Codes with which a run may fail whose hub was ill: after all its attempts."""

Event = Mapping[str, Any]


@dataclass(frozen=True)
class History:
    """All that the service says about its jobs: the jobs as they are now and their events."""

    jobs: Mapping[str, Mapping[str, Any]]
    events: Mapping[str, Sequence[Event]]

    @classmethod
    def over_http(cls, http: httpx.Client) -> History:
        """Asked of the running service page by page."""
        jobs = {job["id"]: job for job in _pages(http, "/v1/jobs?include_baselines=true&page_size=200")}
        return cls(jobs, {job_id: [*_events(http, job_id)] for job_id in jobs})

    def of(self, job_id: str) -> str:
        """A job and its events as text, for the eye."""
        return json.dumps({"job": self.jobs.get(job_id), "events": self.events.get(job_id)}, indent=1)


def violations(history: History, accepted: Iterable[Accepted], *, keys_are_honoured: bool) -> list[tuple[str, str]]:
    """What does not hold, each with the job that shows it."""
    promised = [*accepted]
    found = [(job.id, "accepted and lost") for job in promised if job.id not in history.jobs]
    for job in promised:
        now = history.jobs.get(job.id, {}).get("status")
        if job.status in TERMINAL and now not in (None, job.status):
            found.append((job.id, f"was {job.status} and is {now}"))
    for job_id, document in history.jobs.items():
        found += [(job_id, what) for what in _job_violations(document, history.events[job_id])]
    if keys_are_honoured:
        found += _doubled(history.jobs)
    return found


def _job_violations(job: Mapping[str, Any], events: Sequence[Event]) -> Iterator[str]:
    if [event["seq"] for event in events] != list(range(1, len(events) + 1)):
        yield f"its events are numbered {[event['seq'] for event in events]}"
    if not events or events[0]["type"] != "job.queued":
        yield "its first event is not job.queued"
        return
    if job["status"] not in TERMINAL:
        yield f"still {job['status']} after the faults"
    yield from _steps("job", [_status(event) for event in events if event["type"].startswith("job.")], JOB_STEPS)
    ends = [event["seq"] for event in events if event["type"] in {f"job.{status}" for status in TERMINAL}]
    if ends and ends[0] != len(events):
        yield f"events {ends[0] + 1} to {len(events)} came after its end"
    if ends and _status(events[-1]) != job["status"]:
        yield f"its last event says {events[-1]['type']}, itself {job['status']}"
    by_run: dict[str, list[str]] = defaultdict(list)
    for event in events:
        if event["run"] is not None and _status(event) in (*RUN_STEPS, *RUN_TERMINAL):
            by_run[event["run"]].append(_status(event))
    for run in job["runs"]:
        yield from _run_violations(job, run, by_run[run["id"]])


def _run_violations(job: Mapping[str, Any], run: Mapping[str, Any], statuses: Sequence[str]) -> Iterator[str]:
    what = f"run {run['id']}"
    yield from _steps(what, statuses, RUN_STEPS)
    ends = [status for status in statuses if status in RUN_TERMINAL]
    if len(ends) > 1:
        yield f"{what} ended {len(ends)} times: {ends}"
    if job["status"] == "cancelled" or job["cached"]:
        return
    if ends[-1:] != [run["status"]]:
        yield f"{what} is {run['status']}, its events end with {statuses[-1:]}"
    if (run["status"] == "succeeded") != (run["score"] is not None):
        yield f"{what} is {run['status']} with score {run['score']}"
    if run["status"] == "failed" and not _may_fail(job, run):
        yield f"{what} failed after {run['attempt']} attempts: {run['error']}"


def _may_fail(job: Mapping[str, Any], run: Mapping[str, Any]) -> bool:
    code = (run["error"] or {}).get("code")
    if run["attempt"] >= MAX_ATTEMPTS:
        return code == "worker_lost" or code in MAY_END_A_HUB_FAULT
    return False


def _steps(what: str, statuses: Sequence[str], table: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """The steps that the table does not know. A run that a job shares may be anywhere when the job begins."""
    for before, after in pairwise(statuses):
        if after not in table.get(before, ()):
            yield f"{what} went from {before} to {after}"


def _doubled(jobs: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    first: dict[str, str] = {}
    for job_id, job in jobs.items():
        number = job["labels"].get("number")
        if number is not None and first.setdefault(number, job_id) != job_id:
            yield job_id, f"the same idempotency key made job {first[number]}, too"


def database_violations(database_url: str) -> list[tuple[str, str]]:
    """What does not hold in the tables themselves, where nothing has to pass through the service."""
    engine = sa.create_engine(database_url)
    try:
        with engine.connect() as connection:
            return [*_table_violations(connection)]
    finally:
        engine.dispose()


def _table_violations(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    def rows(query: str) -> Sequence[sa.Row[Any]]:
        return connection.execute(sa.text(query)).all()

    for run, n in rows(
        "SELECT run_id, count(*) FROM scores WHERE model_id NOT LIKE 'baseline/%' GROUP BY run_id HAVING count(*) > 1"
    ):
        yield run, f"{n} scores of one run"
    for run, status in rows("SELECT id, status FROM runs WHERE (status = 'succeeded') <> (score_id IS NOT NULL)"):
        yield run, f"is {status} with or without a score"
    for run, status in rows("SELECT id, status FROM runs WHERE status IN ('queued', 'running')"):
        yield run, f"is still {status}"
    for run, status in rows("SELECT id, status FROM runs WHERE token IS NOT NULL OR lease_until IS NOT NULL"):
        yield run, f"is {status} and held"
    for job, run, n in rows(
        "SELECT job_id, run_id, count(*) FROM events WHERE type IN ('run.succeeded', 'run.failed', 'run.cancelled',"
        " 'run.expired') GROUP BY job_id, run_id HAVING count(*) > 1"
    ):
        yield job, f"{n} ends of run {run}"
    for key, n, low, high in rows("SELECT score_key, count(*), min(raw), max(raw) FROM scores GROUP BY score_key"):
        if abs(high - low) > 1e-9:
            yield key, f"{n} scores of one key differ: {low} to {high}"
    for (job,) in rows("SELECT job_id FROM events GROUP BY job_id HAVING count(*) <> max(seq) OR min(seq) <> 1"):
        yield job, "its events have gaps"


def _pages(http: httpx.Client, address: str) -> Iterator[Mapping[str, Any]]:
    token = None
    while True:
        answer = http.get(address + (f"&page_token={token}" if token else "")).raise_for_status().json()
        yield from answer["data"]
        token = answer["next_page_token"]
        if token is None:
            return


def _events(http: httpx.Client, job_id: str) -> Iterator[Event]:
    after = 0
    while page := http.get(f"/v1/jobs/{job_id}/events", params={"after": after}).raise_for_status().json()["data"]:
        yield from page
        after = page[-1]["seq"]


def _status(event: Event) -> str:
    return str(event["type"]).partition(".")[2]
