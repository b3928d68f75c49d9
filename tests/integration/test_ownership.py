"""Whose a job is: what others see of private work, and what they may do to work that is not theirs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from storage import api_keys, jobs, models, runs, twins, workers
from storage.api_keys import Scope
from storage.engine import Database
from storage.jobs import Job, NewJob
from storage.models import NewModel
from storage.states import JobStatus, RunStatus
from storage.tables import JobRow, RunRow
from tests import own_data

SHA = "a" * 40
LISTED = "/v1/jobs?include_baselines=true"


@pytest.fixture
def client(database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    settings = ApiSettings(
        data_dir=tmp_path / "data", database_url=database_url, require_keys=True, rate_per_s=0, max_live_jobs=2
    )
    with TestClient(create_app(settings)) as running:
        yield running


def new_key(database: Database, scope: str) -> tuple[str, dict[str, str]]:
    """The id of a new key, and the headers that bring it."""
    with database.write() as session:
        key, text = api_keys.create(session, scope, Scope(scope))
    return key.id, {"Authorization": f"Bearer {text}"}


def submit(database: Database, *, model: str = "gpt2", benchmark: str = "own/secret", **changes: Any) -> Job:
    fields = {"requested_revision": SHA, "benchmarks": ((benchmark, 1),), "protocol": "grouped", "scoring_version": "1"}
    with database.write() as session:
        return jobs.submit(session, NewJob(model_id=model, **(fields | changes)))


def queue_twins(database: Database, job: Job) -> list[Job]:
    """What the score of a job's model queues in the background; the model is a large one, with one twin."""
    with database.write() as session:
        models.remember(session, NewModel(id="gpt2", revision=SHA))
        return [*twins.queue(session, job.runs[0], revision=SHA, data_sha256="d")]


def listed(client: TestClient, headers: dict[str, str]) -> set[str]:
    return {job["id"] for job in client.get(LISTED, headers=headers).json()["data"]}


def test_the_twins_of_private_work_are_as_private_as_it_is(client: TestClient, database: Database) -> None:
    (owner, mine), (_, others), (_, admin) = (new_key(database, scope) for scope in ("submit", "read", "admin"))
    (twin,) = queue_twins(database, submit(database, owner=owner, is_private=True))
    assert (twin.is_background, twin.is_private, twin.owner) == (True, True, owner)
    assert client.get(f"/v1/jobs/{twin.id}", headers=others).status_code == 404
    assert "own/secret" not in client.get(LISTED, headers=others).text
    assert twin.id in listed(client, mine) & listed(client, admin)


def test_the_twins_of_work_that_somebody_asked_for_openly_are_public(client: TestClient, database: Database) -> None:
    (owner, _), (_, others) = (new_key(database, scope) for scope in ("submit", "read"))
    submit(database, owner=owner, is_private=True)
    (twin,) = queue_twins(database, submit(database))
    assert (twin.is_private, twin.owner) == (False, None)
    assert twin.id in listed(client, others)


def test_a_public_job_that_was_cancelled_makes_no_twin_public(database: Database) -> None:
    owner, _ = new_key(database, "submit")
    private, public = submit(database, owner=owner, is_private=True), submit(database)
    with database.write() as session:
        jobs.cancel(session, public.id)
    (twin,) = queue_twins(database, private)
    assert (twin.is_private, twin.owner) == (True, owner)


def test_twins_take_none_of_the_places_of_the_key_that_they_are_private_to(
    client: TestClient, database: Database
) -> None:
    owner, mine = new_key(database, "submit")
    queue_twins(database, submit(database, owner=owner, is_private=True))
    asked = {"model": "gpt2", "benchmarks": ["demo-fmri"]}
    assert client.post("/v1/jobs", json=asked, headers=mine).status_code == 202
    assert client.post("/v1/jobs", json=asked, headers=mine).json()["code"] == "too_many_jobs"


def worked_on(client: TestClient, headers: dict[str, str]) -> list[str | None]:
    (worker,) = client.get("/v1/workers", headers=headers).json()["data"]
    return [run["benchmark"] for run in worker["runs"]]


def test_what_a_worker_holds_is_told_only_to_who_sees_its_job(client: TestClient, database: Database) -> None:
    (owner, mine), (_, others), (_, admin) = (new_key(database, scope) for scope in ("submit", "read", "admin"))
    submit(database, owner=owner, is_private=True)
    submit(database, benchmark="demo-fmri")
    with database.write() as session:
        workers.beat(session, worker_id="w", host="h", pid=1, device="cpu")
        assert runs.claim(session, worker="w", lease_s=60) is not None
    assert worked_on(client, others) == [None, "demo-fmri"]
    for headers in (mine, admin):
        assert worked_on(client, headers) == ["own/secret", "demo-fmri"]


def test_a_private_data_set_is_not_named_by_its_worker(client: TestClient, database: Database, tmp_path: Path) -> None:
    (_, mine), (_, admin) = (new_key(database, scope) for scope in ("submit", "admin"))
    content = own_data.zipped(own_data.write_dataset(tmp_path / "mine")).read_bytes()
    said = {"id": "own/secret", "private": "true"}
    sent = {"Content-Type": "application/octet-stream", **mine}
    assert client.post("/v1/benchmarks", params=said, content=content, headers=sent).status_code == 201
    submit(database)
    with database.write() as session:
        workers.beat(session, worker_id="w", host="h", pid=1, device="cpu")
        assert runs.claim(session, worker="w", lease_s=60) is not None
    assert (worked_on(client, mine), worked_on(client, admin)) == ([None], ["own/secret"])


@pytest.mark.parametrize("call", ["cancel", "retry"])
def test_the_service_s_own_jobs_are_changed_by_an_admin_alone(
    client: TestClient, database: Database, call: str
) -> None:
    (owner, mine), (_, others), (_, admin) = (new_key(database, scope) for scope in ("submit", "submit", "admin"))
    own = submit(database, model="untrained/other@0", is_background=True)
    (twin,) = queue_twins(database, submit(database, owner=owner, is_private=True))
    if call == "retry":
        for job in (own, twin):
            fail(database, job)
    for job, headers in ((own, mine), (own, others), (twin, mine)):
        answer = client.post(f"/v1/jobs/{job.id}/{call}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "job_not_yours")
    for job in (own, twin):
        changed = client.post(f"/v1/jobs/{job.id}/{call}", headers=admin)
        assert changed.status_code == {"cancel": 200, "retry": 202}[call]
        with database.read() as session:
            after = jobs.get(session, changed.json()["id"])
        assert (after.owner, after.is_private, after.is_background) == (job.owner, job.is_private, True)


def test_who_needs_no_key_changes_the_service_s_own_jobs(database: Database, database_url: str, tmp_path: Path) -> None:
    job = submit(database, is_background=True)
    settings = ApiSettings(data_dir=tmp_path / "local", database_url=database_url, require_keys=False)
    with TestClient(create_app(settings)) as local:
        assert local.post(f"/v1/jobs/{job.id}/cancel").json()["status"] == "cancelled"


def test_a_retry_of_a_job_from_times_without_keys_counts_for_who_asks_for_it(
    client: TestClient, database: Database
) -> None:
    (owner, mine), (_, admin) = (new_key(database, scope) for scope in ("submit", "admin"))
    failed = [fail(database, submit(database, protocol=protocol)) for protocol in ("grouped", "shuffled", "contiguous")]
    answers = [client.post(f"/v1/jobs/{job.id}/retry", headers=mine) for job in failed]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    with database.read() as session:
        assert {jobs.get(session, answer.json()["id"]).owner for answer in answers[:2]} == {owner}
    theirs = fail(database, submit(database, protocol="other", owner=owner))
    assert client.post(f"/v1/jobs/{theirs.id}/retry", headers=admin).status_code == 429


def fail(database: Database, job: Job) -> Job:
    """The job, after its runs ended without a score."""
    with database.write() as session:
        session.execute(sa.update(RunRow).where(RunRow.id == job.runs[0].id).values(status=RunStatus.FAILED))
        session.execute(sa.update(JobRow).where(JobRow.id == job.id).values(status=JobStatus.FAILED))
    return job
