"""Baselines and untrained twins the whole way: HTTP, a real worker, scores, warnings, leaderboard."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from scoring.baselines import baseline_names
from scoring.benchmarks.base import benchmark_named
from scoring.datasets.download import DataStore
from storage.engine import Database
from worker.settings import WorkerSettings
from worker.supervisor import Supervisor

TIMEOUT_S = 240.0
TWINS = [f"untrained/demo/tiny@{seed}" for seed in range(5)]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What stands beside a score is the same on every database; where rows go is tested elsewhere."""
    return sqlite_url


@pytest.fixture
def client(database: Database, database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    """The service: an API and a worker that share their data folder."""
    common = {"data_dir": tmp_path / "data", "database_url": database_url, "model_dir": None, "data_mirror": None}
    worker = Supervisor(WorkerSettings(**common, device="cpu", poll_s=0.1, backoff_s=0.1), database)
    worker.start()
    with TestClient(create_app(ApiSettings(**common))) as connected:
        yield connected
    worker.stop()


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + TIMEOUT_S
    while not (value := condition()):
        assert time.monotonic() < deadline, "what the test waits for did not happen"
        time.sleep(0.2)
    return value


def listed(client: TestClient, **conditions: Any) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = client.get("/v1/jobs", params=conditions).json()["data"]
    return jobs


def test_a_score_gets_its_baselines_with_it_and_its_twins_in_the_background(client: TestClient) -> None:
    asked = client.post("/v1/jobs", json={"model": "demo/tiny", "benchmarks": ["demo-fmri", "demo-reading"]}).json()
    job = wait_for(lambda: (found := client.get(asked["urls"]["self"]).json())["finished_at"] and found)
    assert job["status"] == "succeeded", job
    brain, reading = (client.get(f"/v1/scores/{run['score']}").json() for run in job["runs"])
    expected = baseline_names(benchmark_named("demo-fmri").experiment(DataStore(cache=Path("unused"))))
    assert [one["id"] for one in brain["baselines"] if one["id"] not in TWINS] == sorted(expected)
    assert [one["id"] for one in reading["baselines"] if one["id"] not in TWINS] == ["baseline/word-length"]
    for raw, one in [(score["raw"], one) for score in (brain, reading) for one in score["baselines"]]:
        assert one["difference"] == pytest.approx(raw - one["raw"])
        assert client.get(f"/v1/scores/{one['score']}").json()["model"]["id"] == one["id"]
    assert [found["id"] for found in listed(client)] == [job["id"]]
    background = [found for found in listed(client, include_baselines=True) if found["id"] != job["id"]]
    assert sorted(found["model"]["id"] for found in background) == sorted(TWINS * 2)
    assert all(found["labels"] == {"origin": "baseline"} for found in background)
    assert {run["benchmark"] for found in background for run in found["runs"]} == {"demo-fmri", "demo-reading"}
    first = wait_for(lambda: client.get(f"/v1/scores/{brain['id']}").json()["baselines"][len(expected) :])[0]
    assert first["id"] in TWINS
    assert first["difference"] == pytest.approx(brain["raw"] - first["raw"])
    read = wait_for(lambda: client.get(f"/v1/scores/{reading['id']}").json()["baselines"][1:])[0]
    assert (read["id"] in TWINS, read["difference"]) == (True, pytest.approx(reading["raw"] - read["raw"]))
    board = client.get("/v1/leaderboard", params={"include_synthetic": True}).json()
    assert [(row["rank"], row["model"]["id"]) for row in board["data"]] == [(1, "demo/tiny")]
    everything = client.get("/v1/leaderboard", params={"include_synthetic": True, "include_baselines": True}).json()
    assert {row["model"]["id"] for row in everything["data"] if row["rank"] is None} >= {first["id"], *expected}


@pytest.mark.parametrize("model", ["baseline/oasm", "baseline/anything", "untrained/baseline/oasm@0"])
def test_nobody_asks_for_a_baseline_or_brings_one(client: TestClient, model: str) -> None:
    refused = client.post("/v1/jobs", json={"model": model, "benchmarks": ["demo-fmri"]})
    assert (refused.status_code, refused.json()["code"]) == (422, "model_id_malformed")
    assert "reserved" in refused.json()["detail"]
    assert "baselines" in refused.json()["hint"]
