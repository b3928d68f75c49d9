"""A database of the previous release with unfinished jobs: migrated, then worked off by a real worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from scoring import SCORING_VERSION
from scoring.benchmarks.base import benchmark_named
from storage import jobs, schema
from storage.engine import Database
from storage.events import list_events
from storage.identity import Work, batch_key, request_key
from storage.states import JobStatus, RunStatus
from storage.tables import Base
from tests.serving import wait_for
from worker.settings import WorkerSettings
from worker.supervisor import Supervisor

PREVIOUS = "0003"
SUBMITTED_AT = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
BENCHMARK = "demo-reading"
JOBS = ("job_queued", "job_running")


@pytest.fixture
def database(empty_database_url: str, open_database: Callable[[str], Database]) -> Database:
    """A database of the previous migration, with a queued job and one whose worker was lost with the old release."""
    database = open_database(empty_database_url)
    database.migrate()
    with database.engine.begin() as connection:
        command.downgrade(schema.configuration(connection), PREVIOUS)
    assert not database.is_current()
    with database.engine.begin() as connection:
        write_job(connection, "job_queued", options={}, run={"status": "queued", "attempt": 0})
        write_job(
            connection,
            "job_running",
            options={"context": "sentence"},
            run={
                "status": "running",
                "attempt": 1,
                "token": "old",
                "worker": "old-worker",
                "lease_until": SUBMITTED_AT + timedelta(seconds=60),
                "started_at": SUBMITTED_AT,
            },
        )
    return database


def write_job(connection: sa.Connection, job_id: str, *, options: dict[str, Any], run: Mapping[str, Any]) -> None:
    """Rows as the previous release wrote them, in the columns that its tables had."""
    version = benchmark_named(BENCHMARK).version
    work = Work(
        model_id="demo/tiny",
        revision=None,
        benchmark=BENCHMARK,
        benchmark_version=version,
        protocol="grouped",
        seed=0,
        scoring_version=SCORING_VERSION,
        options=options,
    )
    status = str(run["status"])
    shared = {
        "model_id": work.model_id,
        "protocol": work.protocol,
        "options": options,
        "force": False,
        "is_background": False,
        "created_at": SUBMITTED_AT,
    }
    run_id = job_id.replace("job", "run")
    began = {"started_at": run.get("started_at"), "status": JobStatus(status)}
    insert(connection, "jobs", {"id": job_id, "labels": {"from": "before"}, "cached": False, **shared, **began})
    identity = {"request_key": request_key(work, force=False), "batch_key": batch_key(work.model_id, None, options)}
    fixed = {"benchmark": BENCHMARK, "benchmark_version": version, "seed": 0, "scoring_version": SCORING_VERSION}
    start = {"fraction": 0.0, "not_before": SUBMITTED_AT}
    insert(
        connection, "runs", {"id": run_id, **identity, **shared, **fixed, **start, **run, "status": RunStatus(status)}
    )
    insert(connection, "job_runs", {"job_id": job_id, "run_id": run_id, "position": 0})
    kinds = ["job.queued"] + (["run.running", "job.running"] if status == "running" else [])
    for seq, kind in enumerate(kinds, start=1):
        about = {"run_id": run_id if kind.startswith("run") else None, "data": {}}
        insert(connection, "events", {"job_id": job_id, "seq": seq, "at": SUBMITTED_AT, "type": kind, **about})


def insert(connection: sa.Connection, name: str, values: Mapping[str, Any]) -> None:
    """One row with these columns and no defaults of today's."""
    kinds = Base.metadata.tables[name].columns
    table = sa.table(name, *(sa.column(column, kinds[column].type) for column in values))
    connection.execute(sa.insert(table), dict(values))


def test_a_migrated_database_finishes_the_jobs_that_were_on_their_way(database: Database, tmp_path: Path) -> None:
    database.migrate()
    settings = WorkerSettings(
        data_dir=tmp_path / "home",
        database_url=database.url.render_as_string(hide_password=False),
        broker_url=None,
        device="cpu",
        poll_s=0.2,
        backoff_s=0.1,
        untrained_twins=False,
    )
    supervisor = Supervisor(settings, Database(settings.resolved_database_url))
    supervisor.start()
    try:
        ended = {job_id: wait_for(lambda job_id=job_id: finished(database, job_id)) for job_id in JOBS}
    finally:
        supervisor.stop()
    assert {job_id: job.status.value for job_id, job in ended.items()} == dict.fromkeys(JOBS, "succeeded")
    with database.read() as session:
        events = {job_id: list_events(session, job_id) for job_id in JOBS}
    attempts = {job_id: job.runs[0].attempt for job_id, job in ended.items()}
    assert attempts == {"job_queued": 1, "job_running": 2}, events
    assert all(job.labels == {"from": "before"} for job in ended.values())
    for job_events in events.values():
        assert [event.seq for event in job_events] == list(range(1, len(job_events) + 1))
        assert job_events[0].at == SUBMITTED_AT
        assert [event.type for event in job_events][-2:] == ["run.succeeded", "job.succeeded"]
    assert "run.queued" in [event.type for event in events["job_running"]]


def finished(database: Database, job_id: str) -> jobs.Job | None:
    with database.read() as session:
        job = jobs.get(session, job_id)
    return job if job.finished_at else None
