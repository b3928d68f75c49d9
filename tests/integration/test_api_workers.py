"""The list of workers over HTTP, and what a job says that no live worker can serve."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from storage import runs, workers
from storage.engine import Database
from storage.tables import RunRow, WorkerRow


@pytest.fixture
def client(database: Database, database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    settings = ApiSettings(data_dir=tmp_path, database_url=database_url, broker_url=None, worker_silence_s=20)
    with TestClient(create_app(settings)) as running:
        yield running


def beat(database: Database, name: str, *, device: str = "cpu", memory_bytes: int | None = None) -> None:
    with database.write() as session:
        workers.beat(
            session, worker_id=name, host="h", pid=1, device=device, memory_bytes=memory_bytes, version="1.2.3"
        )


def post(client: TestClient) -> dict[str, Any]:
    answer = client.post("/v1/jobs", json={"model": "gpt2", "benchmarks": ["demo-fmri"]})
    return dict(answer.json())


def test_no_worker_is_an_empty_list(client: TestClient) -> None:
    assert client.get("/v1/workers").json() == {"object": "list", "data": [], "next_page_token": None}


def test_workers_are_listed_with_what_they_have_and_hold(client: TestClient, database: Database) -> None:
    beat(database, "h:1:a", memory_bytes=64)
    beat(database, "h:1:b", device="cuda")
    run = post(client)["runs"][0]
    with database.write() as session:
        claim = runs.claim(session, worker="h:1:b", lease_s=60, device_class="gpu")
        assert claim is not None
        runs.progress(session, claim.token, run["id"], fraction=0.5, stage="fit", detail="model gpt2")
    first, second = client.get("/v1/workers").json()["data"]
    assert {name: first[name] for name in ("id", "host", "device", "device_class", "memory_bytes", "version")} == {
        "id": "h:1:a",
        "host": "h",
        "device": "cpu",
        "device_class": "cpu",
        "memory_bytes": 64,
        "version": "1.2.3",
    }
    assert (first["alive"], first["runs"], first["object"]) == (True, [], "worker")
    assert (second["device_class"], second["memory_bytes"]) == ("gpu", None)
    assert second["runs"] == [
        {
            "id": run["id"],
            "benchmark": "demo-fmri",
            "protocol": "grouped",
            "attempt": 1,
            "stage": "fit",
            "fraction": 0.5,
        }
    ]


def test_a_silent_worker_is_listed_as_not_alive_and_later_forgotten(client: TestClient, database: Database) -> None:
    beat(database, "silent")
    with database.write() as session:
        session.execute(sa.update(WorkerRow).values(seen_at=datetime(2020, 1, 1, tzinfo=UTC)))
    beat(database, "loud")
    assert [(one["id"], one["alive"]) for one in listed(client)] == [("silent", False), ("loud", True)]
    with database.write() as session:
        workers.forget_silent(session, after_s=3600)
    assert [one["id"] for one in listed(client)] == ["loud"]


def listed(client: TestClient) -> list[dict[str, Any]]:
    return list(client.get("/v1/workers").json()["data"])


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        ({"device_class": "gpu"}, "waiting for a worker with a GPU: none is running"),
        ({"min_memory_bytes": 1000}, "waiting for a worker with 1000 bytes of memory: none is running"),
        ({"min_memory_bytes": 100}, None),
    ],
)
def test_a_job_says_what_it_waits_for(
    client: TestClient, database: Database, needs: dict[str, Any], said: str | None
) -> None:
    beat(database, "w", memory_bytes=100)
    job = post(client)
    with database.write() as session:
        session.execute(sa.update(RunRow).values(**needs))
    assert client.get(job["urls"]["self"]).json()["progress"]["detail"] == said


def test_an_unknown_parameter_is_refused(client: TestClient) -> None:
    assert client.get("/v1/workers?all=1").json()["code"] == "request_invalid"
