"""The client against a small HTTP server of the standard library that answers with the contract's own shapes."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import broca
from broca import AnswerNotUnderstood, BadRequest, Client, Job, NotFound, ServerFailure, ServerUnreachable, WaitTimedOut
from broca import version as broca_version
from tests.answering import JOB, PROBLEM, SCORE, Answer, Server, answering
from tests.answering import RUN as RUN  # for the tests of commands


@pytest.fixture
def server() -> Iterator[Server]:
    with answering() as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.url, timeout_s=5) as client:
        yield client


def unused_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_submit_sends_the_contracts_body_and_gives_a_typed_job(server: Server, client: Client) -> None:
    server.on("POST /v1/jobs", JOB, status=202)
    job = client.submit("gpt2", ["demo-fmri"], revision="main", options={"dtype": "float32"}, labels={"a": "b"})
    assert job.status == "running"
    assert job.runs[0].benchmark == "demo-fmri"
    assert job.progress is not None
    assert job.progress.fraction == 0.25
    assert server.requests[0][1] == {
        "model": {"id": "gpt2", "revision": "main"},
        "benchmarks": ["demo-fmri"],
        "protocol": "grouped",
        "options": {"dtype": "float32"},
        "labels": {"a": "b"},
        "force": False,
    }


def test_submit_sends_what_is_asked_beyond_the_defaults(server: Server, client: Client) -> None:
    server.on("POST /v1/jobs", JOB, status=202)
    client.submit("gpt2", ["a"], priority=0, private=True, device_class="gpu", expires_in_s=60, idempotency_key="k")
    sent = server.requests[0][1]
    assert (sent["priority"], sent["private"], sent["device_class"], sent["expires_in_s"]) == (0, True, "gpu", 60)
    assert server.headers[0]["Idempotency-Key"] == "k"


def test_events_come_from_a_stream_up_to_its_end(server: Server, client: Client) -> None:
    event = '{"object":"event","seq":%d,"at":"2026-01-02T03:04:05Z","type":"job.%s","run":null,"data":{}}'
    frames = [
        f"id: {n}\nevent: job.{kind}\ndata: {event % (n, kind)}\n\n" for n, kind in ((3, "running"), (4, "failed"))
    ]
    server.on("GET /v1/jobs/job_1/events", "retry: 3000\n\n" + frames[0] + ": nothing new\n\n" + frames[1])
    found = list(client.events("job_1", after=2))
    assert [(one.seq, one.type) for one in found] == [(3, "job.running"), (4, "job.failed")]
    assert (server.headers[0]["Accept"], server.headers[0]["Last-Event-ID"]) == ("text/event-stream", "2")


def test_events_of_an_unknown_job_are_a_problem(server: Server, client: Client) -> None:
    with pytest.raises(NotFound):
        list(client.events("job_none"))


def test_a_retry_is_another_job(server: Server, client: Client) -> None:
    server.on("POST /v1/jobs/job_1/retry", {**JOB, "id": "job_2", "retry_of": "job_1"}, status=202)
    assert client.retry("job_1").retry_of == "job_1"


def test_results_are_frozen_and_keep_fields_of_newer_servers(server: Server, client: Client) -> None:
    server.on("GET /v1/scores/score_1", SCORE)
    score = client.score("score_1")
    assert score.layer is not None
    assert score.layer.most_often == "block.2"
    assert score.model_dump()["a_field_of_the_future"] == [1, 2]
    with pytest.raises(ValueError, match="frozen"):
        score.raw = 1.0  # type: ignore[misc]


def test_wait_shows_every_look_and_ends_with_the_job(server: Server, client: Client) -> None:
    server.on("GET /v1/jobs/job_1", JOB, {**JOB, "status": "failed"})
    seen: list[str] = []
    job = client.wait("job_1", lambda job: seen.append(job.status), poll_s=0.01)
    assert seen == ["running", "failed"]
    assert job.is_finished
    assert not job.has_succeeded


def test_wait_gives_up_after_its_time_and_says_how_to_stop_the_job(server: Server, client: Client) -> None:
    server.on("GET /v1/jobs/job_1", JOB)
    with pytest.raises(WaitTimedOut, match="broca cancel job_1"):
        client.wait("job_1", poll_s=0.01, timeout_s=0.05)


def test_jobs_are_paged_through_as_they_are_read(server: Server, client: Client) -> None:
    first = "GET /v1/jobs?status=running&page_size=1"
    server.on(first, {"object": "list", "data": [JOB], "next_page_token": "t/2"})
    second = {"object": "list", "data": [{**JOB, "id": "job_2"}], "next_page_token": None}
    server.on(f"{first}&page_token=t%2F2", second)
    jobs = client.jobs(status="running", page_size=1)
    assert next(jobs).id == "job_1"
    assert len(server.requests) == 1
    assert [job.id for job in jobs] == ["job_2"]


def test_layers_models_and_benchmarks_are_lists(server: Server, client: Client) -> None:
    layer = {"name": "block.0", "depth": 0.0, "raw": None, "reason": "undefined", "parts": []}
    server.on("GET /v1/scores/score_1/layers", {"object": "list", "data": [layer]})
    server.on("GET /v1/models", {"object": "list", "data": [{"id": "gpt2", "revision": "abc"}]})
    server.on("GET /v1/benchmarks", {"object": "list", "data": [{"id": "demo-fmri", "synthetic": True}]})
    assert client.layers("score_1")[0].reason == "undefined"
    assert client.models()[0].revision == "abc"
    assert client.benchmarks()[0].synthetic


def test_leaderboard_says_why_a_cell_is_missing_and_joins_its_pages(server: Server, client: Client) -> None:
    cell = {"value": 0.5, "interval": None, "score": "score_1"}
    row = {"rank": 1, "rank_interval": None, "tie_group": None, "model": {"id": "gpt2"}, "scores": {"a": cell}}
    other = {**row, "rank": None, "model": {"id": "other"}, "scores": {"a": {"value": None, "missing": "model_gated"}}}
    board = {"object": "leaderboard", "protocol": "grouped", "snapshot": None, "columns": [{"key": "a"}]}
    query = "GET /v1/leaderboard?protocol=grouped&benchmarks=a%2Cb&sort=-a&include_synthetic=true"
    server.on(query, {**board, "data": [row], "next_page_token": "t"})
    server.on(f"{query}&page_token=t", {**board, "data": [other], "next_page_token": None})
    found = client.leaderboard(benchmarks=["a", "b"], sort="-a", include_synthetic=True)
    assert [line.model.id for line in found.data] == ["gpt2", "other"]
    assert found.data[1].scores["a"].missing == "model_gated"


def test_leaderboard_csv_is_passed_through(server: Server, client: Client) -> None:
    server.on("GET /v1/leaderboard?protocol=grouped&format=csv", "rank,model\n1,gpt2\n")
    assert client.leaderboard_csv() == "rank,model\n1,gpt2\n"


def test_leaderboard_history_is_read_page_by_page(server: Server, client: Client) -> None:
    one = {"object": "snapshot", "snapshot": "2026-01-31T12:00:00Z", "n_scores": 2, "n_models": 1, "n_benchmarks": 2}
    server.on("GET /v1/leaderboard/snapshots?protocol=grouped", {"data": [one], "next_page_token": "t"})
    server.on("GET /v1/leaderboard/snapshots?protocol=grouped&page_token=t", {"data": [one], "next_page_token": None})
    assert [snapshot.n_scores for snapshot in client.snapshots()] == [2, 2]
    change = {"model": "m", "before": None, "after": {"rank": 1, "average": 0.5}}
    change["changes"] = [{"benchmark": "b", "cause": "new_model", "before": None, "after": {"score": "s", "raw": 0.5}}]
    server.on("GET /v1/leaderboard/diff?from=x&protocol=grouped", {"data": [change], "next_page_token": None})
    (found,) = client.leaderboard_diff("x")
    assert (found.after and found.after.rank, found.changes[0].cause) == (1, "new_model")
    server.on("GET /v1/leaderboard?protocol=grouped&format=parquet", "PAR1")
    assert client.leaderboard_parquet() == b"PAR1"


def test_words_behind_a_score_are_passed_through(server: Server, client: Client) -> None:
    server.on("GET /v1/scores/score_1/surprisals?format=csv", "word\r\nné\r\n")
    server.on("GET /v1/scores/score_1/surprisals?format=parquet", "PAR1")
    assert client.surprisals("score_1") == "word\r\nné\r\n".encode()
    assert client.surprisals("score_1", format="parquet") == b"PAR1"


def test_cancel_posts_without_a_body(server: Server, client: Client) -> None:
    server.on("POST /v1/jobs/job_1/cancel", {**JOB, "status": "cancelled"})
    assert client.cancel("job_1").status == "cancelled"
    assert server.requests == [("POST /v1/jobs/job_1/cancel", None)]


def test_ids_stay_one_segment_of_the_path(server: Server, client: Client) -> None:
    with pytest.raises(NotFound):
        client.job("../models")
    assert server.requests[0][0] == "GET /v1/jobs/..%2Fmodels"


def test_a_problem_document_becomes_an_error_with_all_it_says(server: Server, client: Client) -> None:
    server.on("POST /v1/jobs", PROBLEM, status=422)
    with pytest.raises(BadRequest) as caught:
        client.submit("gpt2", ["pereira"])
    error = caught.value
    assert (error.code, error.status, error.param) == ("benchmark_unknown", 422, "benchmarks.0")
    assert str(error) == "'pereira' is not a benchmark (did you mean pereira2018-example?)"
    assert (error.request_id, error.retryable) == ("req_1", False)


def test_a_busy_server_is_asked_again(server: Server, client: Client) -> None:
    busy = (503, {"Retry-After": "0"}, {**PROBLEM, "status": 503, "code": "busy"})
    server.on("GET /v1/jobs/job_1", busy, busy, JOB)
    assert client.job("job_1").id == "job_1"
    assert len(server.requests) == 3


def test_a_server_that_stays_busy_is_given_up_after_a_bounded_number_of_tries(server: Server, client: Client) -> None:
    server.on("GET /v1/jobs/job_1", (503, {"Retry-After": "0"}, {**PROBLEM, "status": 503, "code": "busy"}))
    with pytest.raises(ServerFailure):
        client.job("job_1")
    assert len(server.requests) == 4


def test_a_post_is_never_sent_twice(server: Server, client: Client) -> None:
    server.on("POST /v1/jobs", (503, {"Retry-After": "0"}, {**PROBLEM, "status": 503, "code": "busy"}))
    with pytest.raises(ServerFailure):
        client.submit("gpt2", ["demo-fmri"])
    assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [(200, {}, "<html>"), (200, {}, "[1]"), (500, {}, "oops"), (200, {}, "{}")])
def test_answers_outside_the_contract_are_said_to_be_so(server: Server, client: Client, answer: Answer) -> None:
    server.on("GET /v1/jobs/job_1", answer)
    with pytest.raises(AnswerNotUnderstood):
        client.job("job_1")


def test_a_server_that_is_away_is_told_with_what_to_do() -> None:
    with Client(unused_url()) as client, pytest.raises(ServerUnreachable, match="broca serve"):
        client.job("job_1")


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x", "http://", "http://[::1"])
def test_an_address_that_is_none_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(ServerUnreachable, match="is not an address"):
        Client(url)


@pytest.mark.parametrize(
    ("url", "hint"), [("localhost:8001", "write http://localhost:8001"), ("ftp://x", "write it as http://")]
)
def test_an_address_without_its_beginning_is_told_with_it(url: str, hint: str) -> None:
    with pytest.raises(ServerUnreachable) as caught:
        Client(url)
    assert str(caught.value.hint).startswith(hint)


def test_the_address_comes_from_the_argument_then_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROCA_URL", "http://example.org/")
    assert Client().base_url == "http://example.org"
    assert Client("http://example.net").base_url == "http://example.net"
    monkeypatch.delenv("BROCA_URL")
    assert Client().base_url == "http://127.0.0.1:8000"


@pytest.mark.parametrize("module", ["broca", "broca.cli", "broca.demo"])
def test_the_client_loads_neither_torch_nor_a_database(module: str) -> None:
    program = f"import {module}, sys; print({{'torch', 'sqlalchemy', 'fastapi', 'celery', 'numpy'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_public_names_are_curated() -> None:
    assert sorted(broca.__all__) == broca.__all__
    assert all(hasattr(broca, name) for name in broca.__all__)


def test_the_version_is_that_of_the_project(request: pytest.FixtureRequest) -> None:
    text = (request.config.rootpath / "pyproject.toml").read_text("utf8")
    assert f'\nversion = "{broca_version.VERSION}"\n' in text


def test_a_job_parses_with_only_what_identifies_it() -> None:
    parse: Callable[[Any], Job] = Job.model_validate
    assert parse({"id": "j", "status": "queued", "model": {"id": "m"}, "protocol": "grouped"}).runs == ()


KEY = "broca_0123456789ab_" + "5e" * 32


@pytest.mark.parametrize("is_in_the_environment", [True, False])
def test_the_key_goes_with_every_request_and_is_shown_nowhere(
    server: Server, monkeypatch: pytest.MonkeyPatch, is_in_the_environment: bool
) -> None:
    server.on("GET /v1/models", PROBLEM, status=401)
    server.on("GET /v1/jobs/job_1", JOB)
    if is_in_the_environment:
        monkeypatch.setenv("BROCA_API_KEY", f" {KEY}\n")
    with Client(server.url, api_key=None if is_in_the_environment else KEY) as client:
        client.job("job_1")
        with pytest.raises(BadRequest) as caught:
            client.models()
        shown = (repr(client), repr(vars(client)), repr(vars(client._connection)), repr(caught.value))
        assert not any(KEY[-20:] in text for text in shown)
    assert server.authorizations == [f"Bearer {KEY}"] * 2


def test_an_empty_key_is_none_and_overrules_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.on("GET /v1/jobs/job_1", JOB)
    monkeypatch.setenv("BROCA_API_KEY", KEY)
    with Client(server.url, api_key="") as client:
        client.job("job_1")
    assert server.authorizations == [None]


@pytest.mark.parametrize("key", ["two words", "line\r\nX-Evil: 1", "schlüssel", "x" * 300])
def test_what_cannot_be_a_key_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(broca.BrocaError) as caught:
        Client("http://127.0.0.1:1", api_key=key)
    assert caught.value.code == "setting_invalid"
    assert key not in str(caught.value)


def test_a_client_that_is_told_to_wait_asks_again(server: Server) -> None:
    server.on("GET /v1/jobs/job_1", (429, {"Retry-After": "0"}, {**PROBLEM, "code": "rate_limited"}), JOB)
    with Client(server.url) as client:
        assert client.job("job_1").id == "job_1"


PREFLIGHT = {
    "object": "preflight",
    "ok": False,
    "cached": False,
    "model": {
        "id": "gpt2",
        "requested_revision": None,
        "revision": "abc",
        "family": "gpt2",
        "architecture": "GPT2LMHeadModel",
        "parameters": 124_439_808,
        "embedding_parameters": 39_383_808,
        "n_layers": 12,
        "width": 768,
        "n_positions": 1024,
        "stored_dtypes": ["F32"],
        "download_bytes": 550_000_000,
        "memory_needed_bytes": {"float32": 600_000_000, "bfloat16": 300_000_000},
    },
    "benchmarks": [{"id": "demo-fmri", "version": 1, "data_ready": True, "score": None, "duration_s": None}],
    "checks": [
        {"name": "hub", "ok": True, "code": None, "detail": None, "hint": None, "retryable": False},
        {
            "name": "memory",
            "ok": False,
            "code": "model_too_large",
            "detail": "the model needs more",
            "hint": "start a worker with more memory",
            "retryable": False,
        },
        {
            "name": "workers",
            "ok": None,
            "code": None,
            "detail": "no worker is running",
            "hint": None,
            "retryable": True,
        },
        {"name": "options", "ok": None, "code": None, "detail": None, "hint": None, "retryable": False},
    ],
    "queue": {"jobs_ahead": 0, "workers": 0, "estimate_s": None},
}


def test_a_preflight_says_what_a_job_would_meet(server: Server) -> None:
    server.on("POST /v1/jobs?validate_only=true", PREFLIGHT)
    with Client(server.url) as client:
        found = client.preflight("gpt2", ["demo-fmri"], revision="main", options={"dtype": "float32"})
    assert not found.ok
    assert found.model.parameters == 124_439_808
    assert [check.name for check in found.checks if check.ok is False] == ["memory"]
    ((_, body),) = server.requests
    assert body == {
        "model": {"id": "gpt2", "revision": "main"},
        "benchmarks": ["demo-fmri"],
        "protocol": "grouped",
        "options": {"dtype": "float32"},
    }


ANALYSIS = {
    "object": "analysis",
    "id": "analysis_1",
    "kind": "correlate",
    "protocol": "published-2312.00575",
    "provenance": "published",
    "source": "arXiv:2312.00575v2, tables 3, 4, 5, 7, 9",
    "question": {"kind": "correlate"},
    "n_models": 17,
    "result": {"tests": []},
    "table": {"columns": ["benchmark", "r", "held"], "rows": [["average", 0.9457, None]]},
    "warnings": [{"code": "few_bases", "detail": "8 bases"}],
    "version": "1",
    "created_at": "2026-01-02T03:04:05Z",
    "cached": False,
}


def test_an_analysis_is_asked_for_with_what_is_named_alone(server: Server) -> None:
    server.on("POST /v1/analyses", ANALYSIS, status=201)
    with Client(server.url) as client:
        found = client.analyse("correlate", protocol="published-2312.00575", properties=["mmlu"], held=[])
    assert (found.id, found.table.rows) == ("analysis_1", (("average", 0.9457, None),))
    assert found.warnings[0].code == "few_bases"
    assert server.requests[0][1] == {
        "kind": "correlate",
        "protocol": "published-2312.00575",
        "seed": 0,
        "filters": {},
        "properties": ["mmlu"],
        "held": [],
    }


def test_an_analysis_is_read_again_and_its_table_is_csv(server: Server) -> None:
    server.on("GET /v1/analyses/analysis_1", ANALYSIS)
    server.on("GET /v1/analyses/analysis_1?format=csv", "benchmark,r\naverage,0.9\n")
    with Client(server.url) as client:
        assert client.analysis("analysis_1").n_models == 17
        assert client.analysis_csv("analysis_1") == "benchmark,r\naverage,0.9\n"
