"""A server and its worker, each a process: every line of their log is JSON, names its job, and holds no secret."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.serving import serving, wait_for

TOKEN = "hf_aPlantedTokenOfTheHub"


def test_a_job_can_be_followed_through_the_log_and_is_counted(tmp_path: Path) -> None:
    told = {"BROCA_LOG_FORMAT": "json", "HF_TOKEN": TOKEN, "BROCA_POLL_S": "0.5"}
    with serving(tmp_path, **told) as served, httpx.Client(base_url=served.url, timeout=30) as client:
        headers = {"X-Request-ID": "followed", "Authorization": f"Bearer {TOKEN}"}
        asked = {"model": "demo/tiny", "benchmarks": ["demo-reading"]}
        job = client.post("/v1/jobs", json=asked, headers=headers).json()
        path = f"/v1/jobs/{job['id']}"
        wait_for(lambda: client.get(path).json()["status"] not in {"queued", "running"})
        assert client.get(path).json()["status"] == "succeeded"
        counted = wait_for(lambda: _samples(client).get("broca_runs_ended_total"))
        metrics = _samples(client)
    log = served.log.read_text("utf8")
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    of_job = {line["event"]: line for line in lines if line.get("job_id") == job["id"]}
    assert of_job["job.queued"]["request_id"] == "followed"
    assert {"run.running", "run.progress", "run.succeeded", "job.succeeded"} <= set(of_job)
    assert of_job["run.succeeded"]["run_id"] == job["runs"][0]["id"]
    assert of_job["run.succeeded"]["worker"] == of_job["run.running"]["worker"]
    assert any(line["event"] == "request" and line["request_id"] == "followed" for line in lines)
    assert TOKEN not in log
    assert (counted, metrics["broca_attempts_total"], metrics["broca_database_up"]) == (1, 1, 1)
    assert metrics["broca_stage_seconds_count"] >= 1


def _samples(client: httpx.Client) -> dict[str, float]:
    """The sum of each metric's samples."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found
