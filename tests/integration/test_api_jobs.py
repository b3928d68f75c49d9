from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from scoring import results as science
from scoring.benchmarks.base import benchmark_named
from scoring.datasets.download import DataStore
from scoring.subjects import demo_model, local
from storage import models, runs, scores, workers
from storage.engine import Database
from storage.models import NewModel
from storage.runs import Problem

SHA = "a" * 40
ASKED = {"model": "gpt2", "benchmarks": ["demo-fmri", "demo-reading"]}


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "local-models"
    (folder / "mine").mkdir(parents=True)
    (folder / "mine" / "config.json").write_text("{}")
    return folder


@pytest.fixture
def client(database: Database, database_url: str, model_dir: Path, tmp_path: Path) -> Iterator[TestClient]:
    settings = ApiSettings(data_dir=tmp_path / "data", database_url=database_url, model_dir=model_dir)
    with TestClient(create_app(settings)) as connected:
        yield connected


def a_score(benchmark: str, subject: str) -> science.Score:
    return science.Score(
        subject=subject,
        benchmark=benchmark,
        benchmark_version=benchmark_named(benchmark).version,
        data_sha256=benchmark_named(benchmark).data_sha256(DataStore(cache=Path("unused"))),
        synthetic=True,
        protocol="grouped",
        metric="pearson",
        raw=0.25,
        ceiling=science.Ceiling.none("planted"),
        n=science.Counts(stimuli=96, participants=2, units=24, valid_units=24, folds=4),
    )


def work_off(database: Database, revision: str) -> None:
    """Does what a worker does with everything that is queued, with a made-up number."""
    with database.write() as session:
        while claim := runs.claim(session, worker="w1", lease_s=60):
            models.remember(session, NewModel(id=claim.model_id, revision=revision, parameters=124_000_000))
            for run in claim.runs:
                score = a_score(run.benchmark, claim.model_id)
                scores.record(
                    session, token=claim.token, run_id=run.id, score=score, revision=revision, dtype="float32"
                )


def beat(database: Database) -> None:
    with database.write() as session:
        workers.beat(session, worker_id="w1", host="here", pid=1, device="cpu")


DEFAULTS = {"dtype": "auto", "context": "story", "pooling": "last", "prompt_format": "plain", "surprisal": "auto"}


def post(client: TestClient, **changes: Any) -> dict[str, Any]:
    answer = client.post("/v1/jobs", json={**ASKED, **changes})
    assert answer.status_code in (200, 202), answer.text
    return dict(answer.json())


def test_a_submitted_job_is_queued_with_a_run_for_each_benchmark(client: TestClient, database: Database) -> None:
    beat(database)
    answer = client.post("/v1/jobs", json={**ASKED, "options": DEFAULTS, "labels": {"paper": "1"}})
    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert int(answer.headers["Retry-After"]) > 0
    assert [(run["benchmark"], run["status"], run["score"]) for run in job["runs"]] == [
        ("demo-fmri", "queued", None),
        ("demo-reading", "queued", None),
    ]
    assert job["model"] == {"id": "gpt2", "requested_revision": None, "revision": None, "parameters": None}
    assert job["options"] == {}
    assert job["labels"] == {"paper": "1"}
    assert job["progress"] == {"fraction": 0.0, "stage": None, "detail": None}
    assert (job["queue_position"], job["cached"], job["error"]) == (1, False, None)
    assert job["urls"]["retry"] is None
    assert job["created_at"].endswith(("Z", "+00:00"))
    assert client.get(job["urls"]["self"]).json() == job


def test_options_that_differ_from_the_defaults_stand_in_the_job(client: TestClient) -> None:
    chosen = {"context": "window:20", "pooling": "mean", "prompt_format": "chat", "surprisal": "pseudo-log-likelihood"}
    assert post(client, options=DEFAULTS | chosen)["options"] == chosen


def test_a_job_has_every_field_of_the_contract(client: TestClient) -> None:
    job = post(client)
    assert " ".join(job) == (
        "object id status created_at started_at finished_at model protocol options labels runs progress "
        "queue_position cached priority private device_class expires_at retry_of error urls"
    )
    assert " ".join(job["runs"][0]) == (
        "object id benchmark benchmark_version protocol status attempt score error started_at finished_at"
    )


def test_a_job_whose_worker_was_lost_says_that_no_other_is_running(client: TestClient, database: Database) -> None:
    job = post(client)
    with database.write() as session:
        claim = runs.claim(session, worker="w1", lease_s=60)
        assert claim is not None
        for run in claim.runs:
            runs.requeue(session, claim.token, run.id)
    found = client.get(f"/v1/jobs/{job['id']}").json()
    assert (found["status"], found["progress"]["detail"]) == ("running", "waiting for a worker to start")


def test_a_queued_job_says_that_no_worker_is_running(client: TestClient, database: Database) -> None:
    job = post(client)
    assert job["progress"]["detail"] == "waiting for a worker to start"
    beat(database)
    assert client.get(job["urls"]["self"]).json()["progress"]["detail"] is None


def test_progress_is_the_mean_over_the_runs(client: TestClient, database: Database) -> None:
    job = post(client)
    with database.write() as session:
        claim = runs.claim(session, worker="w1", lease_s=60)
        assert claim is not None
        runs.progress(session, claim.token, claim.runs[0].id, fraction=0.5, stage="extract", detail="passage 1")
    found = client.get(job["urls"]["self"]).json()
    assert found["status"] == "running"
    assert found["progress"]["fraction"] == 0.25
    assert {run["status"] for run in found["runs"]} == {"running"}


def test_a_failed_run_carries_its_problem(client: TestClient, database: Database) -> None:
    job = post(client)
    with database.write() as session:
        claim = runs.claim(session, worker="w1", lease_s=60)
        assert claim is not None
        for run in claim.runs:
            error = Problem(code="model_gated", detail="the owner gives access to some", hint="ask the owner")
            runs.fail(session, claim.token, run.id, error)
    found = client.get(job["urls"]["self"]).json()
    assert found["status"] == "failed"
    assert found["error"] == found["runs"][0]["error"]
    assert " ".join(found["error"]) == "type title status code param detail hint retryable request_id"
    assert (found["error"]["code"], found["error"]["status"]) == ("model_gated", None)


def test_simultaneous_requests_share_their_runs(client: TestClient) -> None:
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda _: post(client), range(40)))
    assert len({job["id"] for job in jobs}) == 40
    assert len({run["id"] for job in jobs for run in job["runs"]}) == 2


def test_more_simultaneous_writers_than_threads_do_not_block_one_another(client: TestClient) -> None:
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda n: post(client, model=f"model-{n}")["status"], range(200)))
    assert answers == ["queued"] * 200


@pytest.mark.parametrize(("model", "revision"), [({"id": "gpt2", "revision": SHA}, SHA), ("demo/tiny", None)])
def test_known_scores_of_a_pinned_model_are_answered_at_once(
    client: TestClient, database: Database, model: object, revision: str | None
) -> None:
    first = post(client, model=model)
    work_off(database, revision or demo_model.REVISION)
    answer = client.post("/v1/jobs", json={**ASKED, "model": model})
    job = answer.json()
    assert answer.status_code == 200
    assert answer.headers["Location"] == job["urls"]["self"]
    assert (job["status"], job["cached"], job["progress"]["fraction"]) == ("succeeded", True, 1.0)
    assert job["id"] != first["id"]
    assert job["model"]["parameters"] == 124_000_000
    scored = client.get(first["urls"]["self"]).json()
    assert [run["score"] for run in job["runs"]] == [run["score"] for run in scored["runs"]]


def test_a_local_model_is_known_by_its_signature_until_its_files_change(
    client: TestClient, database: Database, model_dir: Path
) -> None:
    post(client, model="local/mine")
    work_off(database, SHA)
    assert post(client, model="local/mine")["cached"] is False
    work_off(database, SHA)
    with database.write() as session:
        mark = local.signature(model_dir / "mine")
        models.remember(session, NewModel(id="local/mine", revision=SHA, signature=mark))
    assert post(client, model="local/mine")["cached"] is True
    (model_dir / "mine" / "config.json").write_text('{"changed": true}')
    assert post(client, model="local/mine")["cached"] is False


@pytest.mark.parametrize(
    "changes",
    [
        {"force": True},
        {"options": {"dtype": "float32"}},
        {"options": {"context": "sentence"}},
        {"benchmarks": ["demo-fmri", "demo-reading", "futrell2018"]},
        {"model": {"id": "gpt2", "revision": "b" * 40}},
        {"model": "gpt2"},
    ],
)
def test_what_differs_from_the_known_scores_is_queued(
    client: TestClient, database: Database, changes: dict[str, Any]
) -> None:
    post(client, model={"id": "gpt2", "revision": SHA})
    work_off(database, SHA)
    assert post(client, **{"model": {"id": "gpt2", "revision": SHA}, **changes})["status"] == "queued"


def test_jobs_are_listed_page_by_page_newest_first(client: TestClient) -> None:
    submitted = [post(client, model=f"model-{n}", labels={"study": "one two"})["id"] for n in range(5)]
    answer = client.get("/v1/jobs", params={"page_size": 2, "label.study": "one two"})
    seen = [job["id"] for job in answer.json()["data"]]
    while "next" in answer.links:
        assert answer.links["next"]["url"].startswith("/v1/jobs?")
        answer = client.get(answer.links["next"]["url"])
        seen += [job["id"] for job in answer.json()["data"]]
    assert seen == submitted[::-1]
    assert answer.json()["next_page_token"] is None


def test_jobs_are_listed_by_status_model_and_label(client: TestClient) -> None:
    one = post(client, model="gpt2", labels={"a.b": "1", "c": "2"})
    other = post(client, model="demo/tiny", labels={"a.b": "2"})
    client.post(one["urls"]["cancel"])

    def listed(**filters: str) -> list[str]:
        return [job["id"] for job in client.get("/v1/jobs", params=filters).json()["data"]]

    assert listed(status="cancelled") == listed(model="gpt2") == [one["id"]]
    assert listed(**{"label.a.b": "2"}) == [other["id"]]
    assert listed(**{"label.a.b": "1", "label.c": "2"}) == [one["id"]]
    assert listed(**{"label.a.b": "1", "label.c": "1"}) == []


def test_cancelling_is_idempotent(client: TestClient) -> None:
    job = post(client)
    first = client.post(job["urls"]["cancel"])
    second = client.post(job["urls"]["cancel"])
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert first.json()["status"] == "cancelled"


def test_events_tell_what_happened_in_order(client: TestClient, database: Database) -> None:
    job = post(client)
    work_off(database, SHA)
    events = client.get(job["urls"]["events"]).json()["data"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["type"], events[-1]["type"]) == ("job.queued", "job.succeeded")
    later = client.get(job["urls"]["events"], params={"after": 2}).json()["data"]
    assert later == events[2:]


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"model": "https://example.org/gpt2"}, "model_id_malformed", "model"),
        ({"model": "../etc"}, "model_id_malformed", "model"),
        ({"model": "local/../mine"}, "model_id_malformed", "model"),
        ({"model": "local/missing"}, "model_not_found", "model"),
        ({"model": "local/link"}, "model_not_found", "model"),
        ({"model": {"id": "gpt2", "revision": "a..b"}}, "model_id_malformed", "model.revision"),
        ({"model": {"id": "gpt2", "branch": "main"}}, "request_invalid", "model.branch"),
        ({"model": "gpt2\x00"}, "request_invalid", "model.id"),
        ({"benchmarks": ["demo-fmri", "demo-fmir"]}, "benchmark_unknown", "benchmarks[1]"),
        ({"benchmarks": ["demo-fmri", "demo-fmri"]}, "request_invalid", "benchmarks[1]"),
        ({"benchmarks": ["demo-fmri", 3]}, "request_invalid", "benchmarks[1]"),
        ({"benchmarks": ["base"]}, "benchmark_unknown", "benchmarks[0]"),
        ({"benchmarks": []}, "request_invalid", "benchmarks"),
        ({"protocol": "grouper"}, "protocol_unsupported", "protocol"),
        ({"options": {"dtype": "int8"}}, "option_unknown", "options.dtype"),
        ({"options": {"context": "window:0"}}, "option_unknown", "options.context"),
        ({"options": {"context": "story\n"}}, "option_unknown", "options.context"),
        ({"options": {"pooling": "max"}}, "option_unknown", "options.pooling"),
        ({"options": {"prompt_format": "raw"}}, "option_unknown", "options.prompt_format"),
        ({"options": {"surprisal": None}}, "option_unknown", "options.surprisal"),
        ({"options": {"trust_remote_code": True}}, "option_unknown", "options.trust_remote_code"),
        ({"labels": {"a": "b\x00"}}, "request_invalid", "labels.a"),
        ({"labels": {"a": "\ud800"}}, "request_invalid", "labels.a"),
        ({"force": "yes"}, "request_invalid", "force"),
        ({"seed": 1}, "request_invalid", "seed"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_the_field_to_blame(
    client: TestClient, model_dir: Path, tmp_path: Path, changes: dict[str, Any], code: str, param: str
) -> None:
    (tmp_path / "outside").mkdir()
    (model_dir / "link").symlink_to(tmp_path / "outside")
    body = json.dumps({**ASKED, **changes})
    answer = client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["param"]) == (422, code, param)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert client.get("/v1/jobs").json()["data"] == []


def test_an_unknown_benchmark_comes_with_a_suggestion(client: TestClient) -> None:
    problem = client.post("/v1/jobs", json={**ASKED, "benchmarks": ["demo-fmir"]}).json()
    assert "did you mean demo-fmri" in problem["hint"]


def test_scores_and_the_leaderboard_are_not_sent_again_unchanged(client: TestClient, database: Database) -> None:
    job = post(client)
    work_off(database, SHA)
    score = client.get(job["urls"]["self"]).json()["runs"][0]["score"]
    csv = "/v1/leaderboard?include_synthetic=true&format=csv"
    for path in (f"/v1/scores/{score}", "/v1/leaderboard?include_synthetic=true", csv):
        tag = client.get(path).headers["ETag"]
        assert client.get(path, headers={"If-None-Match": tag}).status_code == 304, path
    board = client.get(csv)
    post(client, model="demo/tiny")
    work_off(database, demo_model.REVISION)
    again = client.get(csv, headers={"If-None-Match": board.headers["ETag"]})
    assert (again.status_code, len(again.text.splitlines())) == (200, len(board.text.splitlines()) + 1)
