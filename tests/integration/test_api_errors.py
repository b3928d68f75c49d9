from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from storage.engine import Database

ASKED = {"model": "gpt2", "benchmarks": ["demo-fmri"]}
FIELDS = "type title status code param detail hint retryable request_id"


@pytest.fixture
def client(database: Database, database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    settings = ApiSettings(data_dir=tmp_path / "data", database_url=database_url)
    with TestClient(create_app(settings), raise_server_exceptions=False) as connected:
        yield connected


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/v1/jobs/", 404, "not_found"),
        ("DELETE", "/v1/jobs", 405, "method_not_allowed"),
        ("GET", "/v1/jobs/7", 404, "job_not_found"),
        ("GET", "/v1/jobs/%00", 404, "job_not_found"),
        ("GET", "/v1/jobs/%ff%fe", 404, "job_not_found"),
        ("GET", "/v1/jobs/" + "x" * 10_000, 404, "job_not_found"),
        ("GET", "/v1/jobs/job_" + "9" * 5_000, 404, "job_not_found"),
        ("GET", "/v1/jobs/7/events", 404, "job_not_found"),
        ("POST", "/v1/jobs/7/cancel", 404, "job_not_found"),
        ("POST", "/v1/jobs/%00/cancel", 404, "job_not_found"),
        ("GET", "/v1/jobs/7/events?after=-1", 422, "request_invalid"),
        ("GET", "/v1/jobs/7/events?after=" + "9" * 30, 422, "request_invalid"),
        ("GET", "/v1/scores/%00", 404, "score_not_found"),
        ("GET", "/v1/scores/1/layers", 404, "score_not_found"),
        ("GET", "/v1/scores/1/provenance", 404, "score_not_found"),
        ("GET", "/v1/models/a/b%00", 404, "model_unknown"),
        ("GET", "/v1/models/gpt2?revision=main", 404, "model_unknown"),
        ("GET", "/v1/models/gpt2?revision=%00", 422, "request_invalid"),
        ("GET", "/v1/benchmarks/demo-fmir", 404, "benchmark_unknown"),
        ("GET", "/v1/benchmarks/%00", 404, "benchmark_unknown"),
        ("GET", "/v1/benchmarks/" + "y" * 10_000, 404, "benchmark_unknown"),
        ("GET", "/v1/jobs?page_size=-1", 422, "request_invalid"),
        ("GET", "/v1/jobs?page_size=0", 422, "request_invalid"),
        ("GET", "/v1/jobs?page_size=201", 422, "request_invalid"),
        ("GET", "/v1/jobs?page_size=false", 422, "request_invalid"),
        ("GET", "/v1/jobs?page_size=" + "9" * 5_000, 422, "request_invalid"),
        ("GET", "/v1/jobs?page_token=%00", 422, "request_invalid"),
        ("GET", "/v1/jobs?page_token=AAAA", 422, "page_token_invalid"),
        ("GET", "/v1/jobs?status=done", 422, "request_invalid"),
        ("GET", "/v1/jobs?label.a=%00", 422, "request_invalid"),
        ("GET", "/v1/jobs?label.a=1&label.a=2", 422, "request_invalid"),
        ("GET", "/v1/jobs?label.%00=1", 422, "request_invalid"),
        ("GET", "/v1/jobs?limit=1", 422, "request_invalid"),
        ("GET", "/v1/leaderboard?protocol=other", 422, "protocol_unsupported"),
        ("GET", "/v1/leaderboard?benchmarks=other", 422, "benchmark_unknown"),
        ("GET", "/v1/leaderboard?sort=other", 422, "sort_unknown"),
        ("GET", "/v1/leaderboard?format=xml", 422, "request_invalid"),
        ("GET", "/v1/leaderboard?family=%00", 422, "request_invalid"),
        ("GET", "/v1/version?x=1", 422, "request_invalid"),
        ("POST", "/v1/jobs?dry_run=true", 422, "request_invalid"),
    ],
)
def test_every_error_is_a_problem(client: TestClient, method: str, path: str, status: int, code: str) -> None:
    answer = client.request(method, path, json=ASKED if (method, path[:9]) == ("POST", "/v1/jobs?") else None)
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert " ".join(problem) == FIELDS
    assert problem["type"] == f"urn:broca:error:{code}"
    assert problem["request_id"] == answer.headers["X-Request-ID"]
    assert len(answer.content) < 1_500


@pytest.mark.parametrize(
    ("changes", "param", "detail", "hint"),
    [
        ({"options": {"pooling": "avg"}}, "options.pooling", "options.pooling has to be 'last' or 'mean'", None),
        ({"options": {"pooling": "maen"}}, "options.pooling", "'last' or 'mean'", "did you mean mean?"),
        ({"options": {"context": "window"}}, "options.context", "options.context has to be one of story,", None),
        ({"options": {"poolng": "mean"}}, "options.poolng", "not a known field", "did you mean pooling?"),
        ({"options": {"seed": 1}}, "options.seed", "not a known field", "dtype, context, pooling, prompt_format"),
        ({"model": {"id": "gpt2", "revison": "x"}}, "model.revison", "not a known field", "did you mean revision?"),
        ({"benchmarks": ["demo-fmri"] * 65}, "benchmarks", "benchmarks has to have at most 64 items", None),
        ({"labels": {"a b": "c"}}, "labels.?", "A label's name has 1 to 64 letters", None),
        ({"force": "yes"}, "force", "force has to be true or false", None),
        ({"priority": "high"}, "priority", "priority has to be a whole number", None),
        ({"options": []}, "options", "options has to be an object", None),
        ({"model": 1}, "model", "model has to be a model id, or an object with an id", None),
        ({"[key]": 1}, "?", "? is not a known field", "known here: model, benchmarks,"),
    ],
)
def test_what_is_wrong_is_told_with_the_field_and_what_it_may_be(
    client: TestClient, changes: dict[str, object], param: str, detail: str, hint: str | None
) -> None:
    problem = client.post("/v1/jobs", json={**ASKED, **changes}).json()
    assert problem["param"] == param
    assert detail in problem["detail"]
    assert (problem["hint"] is None) if hint is None else (hint in problem["hint"])


def test_a_field_that_is_absent_under_another_name_is_asked_after(client: TestClient) -> None:
    problem = client.post("/v1/jobs", json={"model": "gpt2", "benchmark": ["demo-fmri"]}).json()
    assert (problem["param"], problem["detail"]) == ("benchmark", "benchmark is not a known field")
    assert problem["hint"] == "did you mean benchmarks?"
    absent = client.post("/v1/jobs", json={"model": "gpt2"}).json()
    assert (absent["param"], absent["detail"]) == ("benchmarks", "benchmarks is missing")


@pytest.mark.parametrize(
    ("path", "param", "hint"),
    [
        ("/v1/leaderboard?tunning=base", "tunning", "did you mean tuning?"),
        ("/v1/leaderboard?format=jsn", "format", "did you mean json"),
        ("/v1/leaderboard?tuning=instrct", "tuning", "did you mean instruct?"),
        ("/v1/pairs?tuning=instrct", "tuning", "did you mean instruct?"),
        ("/v1/jobs?statu=failed", "statu", "did you mean status?"),
        ("/v1/jobs/job_1?verbose=1", "verbose", "it takes none"),
        ("/v1/jobs/job_1?[key]=1", "?", "it takes none"),
        ("/v1/version?verbose=1", "verbose", "it takes none"),
    ],
)
def test_a_parameter_that_is_not_known_is_told_the_nearest(
    client: TestClient, path: str, param: str, hint: str
) -> None:
    problem = client.get(path).json()
    assert problem["param"] == param
    assert param in problem["detail"]
    assert hint in problem["hint"]


@pytest.mark.parametrize(
    ("name", "hint"), [("validte_only", "did you mean validate_only?"), ("force", "validate_only")]
)
def test_a_parameter_is_not_told_fields_of_the_body(client: TestClient, name: str, hint: str) -> None:
    problem = client.post(f"/v1/jobs?{name}=true", json=ASKED).json()
    assert problem["detail"] == f"{name} is not a parameter of this address"
    assert hint in problem["hint"]
    assert "model" not in problem["hint"]


def test_a_body_of_another_shape_is_told_what_it_has_to_be(client: TestClient) -> None:
    assert client.post("/v1/jobs", json=[]).json()["detail"] == "the body has to be an object"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"9" * 5_000 + b"x", b"[" * 60_000, b'{"model": ' + b"9" * 5000])
def test_a_body_that_is_not_json_is_malformed(client: TestClient, body: bytes) -> None:
    answer = client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "body_malformed")


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"x"', b"{}", b"1e999", b"NaN"])
def test_json_of_another_shape_is_invalid(client: TestClient, body: bytes) -> None:
    answer = client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) in {(422, "request_invalid"), (400, "body_malformed")}


def test_a_body_of_another_media_type_is_refused(client: TestClient) -> None:
    answer = client.post("/v1/jobs", content=json.dumps(ASKED), headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["code"]) == (415, "media_type_unsupported")


def test_a_body_is_never_sent_back(client: TestClient) -> None:
    secret = "canary" * 1_000
    for body in ({secret: 1}, {**ASKED, "labels": {"a": secret}}, {**ASKED, "benchmarks": [secret]}, [secret]):
        answer = client.post("/v1/jobs", json=body)
        assert answer.status_code == 422
        assert "canary" not in answer.text


def test_a_declared_body_that_is_too_large_is_refused(client: TestClient) -> None:
    answer = client.post("/v1/jobs", content=b" " * 65_537, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]


def test_a_body_that_grows_too_large_is_refused(client: TestClient) -> None:
    chunks = (b" " * 1_000 for _ in range(100))
    answer = client.post("/v1/jobs", content=chunks, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_body_at_the_limit_is_read(client: TestClient) -> None:
    body = json.dumps(ASKED).encode()
    answer = client.post(
        "/v1/jobs", content=body + b" " * (65_536 - len(body)), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 202


def test_a_clients_request_id_is_kept_and_a_hostile_one_replaced(client: TestClient) -> None:
    assert client.get("/livez", headers={"X-Request-ID": "mine-1"}).headers["X-Request-ID"] == "mine-1"
    made = client.get("/livez", headers={"X-Request-ID": "a b"}).headers["X-Request-ID"]
    assert re.fullmatch(r"req_[0-9a-f]{20}", made)


def test_the_unexpected_is_told_without_details(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr("storage.job_stamps.read", broken)
    answer = client.get("/v1/jobs/job_1")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]


def test_a_ready_service_tells_of_its_broker_and_workers(client: TestClient) -> None:
    assert client.get("/livez").json() == {"status": "ok"}
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {"status": "ok", "database": "ok", "broker": "not rung yet", "workers": 0}


def test_a_database_without_tables_is_not_ready(empty_database_url: str, tmp_path: Path) -> None:
    settings = ApiSettings(data_dir=tmp_path / "data", database_url=empty_database_url)
    with TestClient(create_app(settings)) as client:
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "schema_outdated")
        assert client.get("/livez").status_code == 200


@pytest.mark.parametrize("path", ["/readyz", "/v1/jobs", "/v1/jobs/job_1", "/v1/leaderboard", "/v1/scores/score_1"])
def test_a_database_that_is_down_asks_for_patience(tmp_path: Path, path: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"postgresql://nobody@127.0.0.1:{closed.getsockname()[1]}/none"
    settings = ApiSettings(data_dir=tmp_path / "data", database_url=address)
    with TestClient(create_app(settings)) as client:
        answer = client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert answer.json()["retryable"] is True
        assert int(answer.headers["Retry-After"]) > 0


def test_a_real_server_refuses_a_chunked_body_that_grows_too_large(sqlite_url: str, tmp_path: Path) -> None:
    app = create_app(ApiSettings(data_dir=tmp_path / "data", database_url=sqlite_url))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            head = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
            chunk = b"%x\r\n%s\r\n" % (35_000, b" " * 35_000)
            connection.sendall(chunk + chunk)
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    finally:
        server.should_exit = True
        thread.join()
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"body_too_large" in answer


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/v1/jobs", "GET, POST"), ("/v1/models", "GET, POST"), ("/v1/jobs/job_1/cancel", "POST"), ("/livez", "GET")],
)
def test_a_refused_method_names_all_that_the_address_knows(client: TestClient, path: str, methods: str) -> None:
    assert client.patch(path).headers["allow"] == methods
