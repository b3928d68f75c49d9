"""Who gets in: keys, scopes, rates and origins, over HTTP and on both databases."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from api import security
from api.app import create_app
from api.gate import Gate
from api.security import KNOWN_FOR_S, OPEN_PATHS, CallerDependency
from api.settings import ApiSettings
from storage import api_keys
from storage.api_keys import Scope
from storage.engine import Database
from tests.listening import listening
from tests.serving import wait_for

ASKED = {"model": "gpt2", "benchmarks": ["demo-fmri"]}

Open = Callable[..., TestClient]


@pytest.fixture
def opened(database: Database, database_url: str, tmp_path: Path) -> Iterator[Open]:
    """Opens clients of apps that need keys, unless the settings say otherwise."""
    with ExitStack() as stack:

        def open_one(**settings: Any) -> TestClient:
            chosen = {"require_keys": True, "rate_per_s": 0, **settings}
            app = create_app(ApiSettings(data_dir=tmp_path / "data", database_url=database_url, **chosen))
            return stack.enter_context(TestClient(app, raise_server_exceptions=False))

        yield open_one


@pytest.fixture
def client(opened: Open) -> TestClient:
    return opened()


def new_key(database: Database, scope: str, name: str = "somebody") -> tuple[str, dict[str, str]]:
    """The id of a new key, and the headers that bring it."""
    with database.write() as session:
        key, text = api_keys.create(session, name, Scope(scope))
    return key.id, {"Authorization": f"Bearer {text}"}


def calls(app: FastAPI) -> list[tuple[str, str]]:
    """Every method and path that the app answers, with parameters filled in."""
    documented = [(method.upper(), path) for path, found in app.openapi()["paths"].items() for method in found]
    others = [
        (method, route.path) for route in app.routes if isinstance(route, APIRoute) for method in route.methods or ()
    ]
    filled = {(method, re.sub(r"\{[^}]*\}", "x", path)) for method, path in documented + others}
    return sorted(
        filled | {("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/v1/nowhere"), ("POST", "/v1/nowhere")}
    )


def test_no_route_is_without_its_guard(client: TestClient, database: Database) -> None:
    app = client.app
    assert isinstance(app, FastAPI)
    for method in ("GET", "POST", "PATCH"):
        app.add_api_route("/v1/forgotten", lambda: None, methods=[method], operation_id=method)
    keys = {scope.value: new_key(database, scope)[1] for scope in Scope}
    asked = calls(app)
    assert len(asked) >= 25
    assert ("PATCH", "/v1/forgotten") in asked
    for method, path in asked:
        status = {
            scope: client.request(method, path, headers={**headers, "Content-Type": "application/json"}).status_code
            for scope, headers in {"none": {}, **keys}.items()
        }
        if method == "GET" and path in OPEN_PATHS:
            assert set(status.values()) == {200}, path
            continue
        assert status["none"] == 401, (method, path)
        assert (status["read"] == 403) == (method != "GET"), (method, path, status)
        assert {status["submit"], status["admin"], status["read"]}.isdisjoint({401, 500}), (method, path, status)
        assert 403 not in {status["submit"], status["admin"]}, (method, path, status)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer broca_0_0",
        f"Bearer broca_{'0' * 12}_{'0' * 64}",
        "Basic YTpi",
        "Bearer \u00e9\u00ff",
        "Bearer " + "x" * 10_000,
        "right secret, other prefix",
        "right prefix, other secret",
        "without its kind",
    ],
)
def test_what_is_not_a_key_opens_nothing(client: TestClient, database: Database, authorization: str | None) -> None:
    _, headers = new_key(database, "admin")
    text = headers["Authorization"].removeprefix("Bearer ")
    _, prefix, secret = text.split("_")
    other = "1" if secret[0] == "0" else "0"
    made = {
        "right secret, other prefix": f"Bearer broca_{'0' * 12}_{secret}",
        "right prefix, other secret": f"Bearer broca_{prefix}_{other}{secret[1:]}",
        "without its kind": text,
    }
    assert client.get("/v1/jobs", headers=headers).status_code == 200
    sent = made.get(authorization or "", authorization)
    answer = client.get("/v1/jobs", headers={} if sent is None else {"Authorization": sent.encode("latin-1")})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
    assert secret[8:] not in answer.text


def test_the_database_keeps_no_secret(client: TestClient, database: Database, database_url: str) -> None:
    key_id, headers = new_key(database, "read", "Ada")
    _, prefix, secret = headers["Authorization"].split("_")
    assert int(secret, 16).bit_length() <= 256 == 4 * len(secret)
    with database.read() as session:
        (kept,) = api_keys.list_keys(session)
    assert (kept.id, kept.name, kept.prefix, kept.scopes) == (key_id, "Ada", prefix, {Scope.READ})
    assert secret not in repr(kept)


def test_a_revoked_key_opens_nothing_after_some_seconds(opened: Open, database: Database) -> None:
    client, fresh = opened(), opened()
    key_id, headers = new_key(database, "read")
    assert client.get("/v1/jobs", headers=headers).status_code == 200
    with database.write() as session:
        revoked = api_keys.revoke(session, key_id)
        assert revoked is not None
        again = api_keys.revoke(session, key_id)
        assert api_keys.revoke(session, "key_0") is None
    assert again == revoked
    assert fresh.get("/v1/jobs", headers=headers).status_code == 401
    gate = gate_of(client)
    gate._keys._clock = lambda: float("inf")
    assert client.get("/v1/jobs", headers=headers).status_code == 401
    assert 0 < KNOWN_FOR_S <= 10


def gate_of(client: TestClient) -> Gate:
    """The gate of a running app, behind its outer middleware."""
    assert isinstance(client.app, FastAPI)
    layer: Any = client.app.middleware_stack
    while not isinstance(layer, Gate):
        layer = layer.app
    return layer


def test_polls_with_one_key_ask_the_database_for_it_once(
    client: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    found = api_keys.find
    monkeypatch.setattr(api_keys, "find", lambda session, prefix: seen.append(prefix) or found(session, prefix))
    _, headers = new_key(database, "read")
    for _ in range(20):
        assert client.get("/v1/jobs/job_0", headers=headers).status_code == 404
    assert len(seen) == 1


def test_routes_learn_who_asks(opened: Open, database: Database) -> None:
    client, local = opened(), opened(require_keys=False)
    key_id, headers = new_key(database, "submit")
    for one in (client, local):
        assert isinstance(one.app, FastAPI)

        async def who(caller: CallerDependency) -> dict[str, Any]:
            return {"key": caller.key_id, "scopes": sorted(caller.scopes)}

        one.app.add_api_route("/v1/who", who)
        assert one.get("/v1/who", headers=headers).json() == {"key": key_id, "scopes": ["read", "submit"]}
    assert local.get("/v1/who").json() == {"key": None, "scopes": ["admin", "read", "submit"]}
    stray = {"Authorization": "Bearer of-another-server"}
    assert local.get("/v1/who", headers=stray).json()["key"] is None


def test_on_this_machine_nobody_needs_a_key_until_a_proxy_asks_for_others(opened: Open, database: Database) -> None:
    client = opened(require_keys=False)
    assert client.get("/v1/jobs").status_code == 200
    assert client.get("/v1/jobs", headers={"X-Forwarded-For": "203.0.113.5"}).status_code == 401
    assert client.get("/v1/jobs", headers={"Host": "broca.example.org"}).status_code == 401
    _, headers = new_key(database, "read")
    assert client.get("/v1/jobs", headers={**headers, "Host": "broca.example.org"}).status_code == 200
    beyond = opened(require_keys=False, host="0.0.0.0")
    assert beyond.get("/v1/jobs").status_code == 401


def test_a_page_of_another_site_cannot_write_by_way_of_a_browser(opened: Open) -> None:
    client = opened(require_keys=False)
    for origin, status in {
        "https://evil.example": 403,
        "null": 403,
        "http://[": 403,
        "http://testserver.evil.example": 403,
        "http://testserver": 202,
    }.items():
        answer = client.post("/v1/jobs", json=ASKED, headers={"Origin": origin})
        assert answer.status_code == status, origin
    assert (
        client.get("/v1/jobs", headers={"Origin": "https://evil.example"}).headers.get("Access-Control-Allow-Origin")
        is None
    )


def test_cors_is_off_until_origins_are_named(opened: Open, database: Database) -> None:
    asking = {"Origin": "https://lab.example", "Access-Control-Request-Method": "POST"}
    off, on = opened(), opened(cors_origins="https://lab.example, https://other.example")
    assert "Access-Control-Allow-Origin" not in off.options("/v1/jobs", headers=asking).headers
    allowed = on.options("/v1/jobs", headers={**asking, "Access-Control-Request-Headers": "authorization"})
    assert (allowed.status_code, allowed.headers["Access-Control-Allow-Origin"]) == (200, "https://lab.example")
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    assert on.options("/v1/jobs", headers={**asking, "Origin": "https://evil.example"}).status_code == 400
    refused = on.get("/v1/jobs", headers={"Origin": "https://lab.example"})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, "https://lab.example")


def test_who_asks_too_often_waits_and_others_do_not(opened: Open, database: Database) -> None:
    client = opened(rate_per_s=0.001, rate_burst=3)
    _, first = new_key(database, "read")
    _, second = new_key(database, "read")
    for headers in (first, second):  # a key that was not seen before is counted by its address
        assert client.get("/v1/jobs", headers=headers).status_code == 200
    assert [client.get("/v1/jobs", headers=first).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    answer = client.get("/v1/jobs", headers=first)
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (429, "rate_limited", True)
    assert int(answer.headers["Retry-After"]) > 500
    assert client.get("/v1/jobs", headers=second).status_code == 200
    assert client.get("/livez").status_code == 200


def test_guesses_are_counted_by_address_before_the_database_is_asked(
    opened: Open, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = opened(rate_per_s=0.001, rate_burst=5)
    seen = []
    monkeypatch.setattr(api_keys, "find", lambda session, prefix: seen.append(prefix))
    guesses = [f"Bearer broca_{number:012x}_{'0' * 64}" for number in range(20)]
    statuses = [client.get("/v1/jobs", headers={"Authorization": guess}).status_code for guess in guesses]
    assert statuses == [401] * 5 + [429] * 15
    assert len(seen) == 5


def test_a_key_that_was_silent_is_not_counted_with_the_guesses_from_its_address(
    opened: Open, database: Database
) -> None:
    client = opened(rate_per_s=0.001, rate_burst=25)
    key_id, headers = new_key(database, "read")
    assert client.get("/v1/jobs", headers=headers).status_code == 200
    keys = gate_of(client)._keys
    now, keys._clock = keys._clock(), lambda: now + 1000 * KNOWN_FOR_S
    guess = {"Authorization": f"Bearer broca_{'0' * 12}_{'0' * 64}"}
    assert {client.get("/v1/jobs", headers=guess).status_code for _ in range(30)} == {401, 429}
    assert client.get("/v1/jobs", headers=headers).status_code == 200
    stolen = {"Authorization": headers["Authorization"][:-64] + "0" * 64}
    assert client.get("/v1/jobs", headers=stolen).status_code == 429, "the prefix alone is nobody's"
    with database.write() as session:
        api_keys.revoke(session, key_id)
    now += 2000 * KNOWN_FOR_S
    assert client.get("/v1/jobs", headers=headers).status_code == 401
    assert client.get("/v1/jobs", headers=headers).status_code == 429, "a revoked key is nobody's"


def test_so_many_keys_are_remembered(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "MAX_KNOWN", 3)
    ring = security.KeyRing()
    texts = [new_key(database, "read")[1]["Authorization"].removeprefix("Bearer ") for _ in range(5)]
    for text in texts:
        assert asyncio.run(ring.look_up(text, database)) is not None
    assert [ring.recognise(text) is not None for text in texts] == [False, False, True, True, True]


def test_scripts_on_this_machine_are_not_slowed(opened: Open) -> None:
    client = opened(require_keys=False, rate_per_s=0.001, rate_burst=1)
    assert {client.get("/v1/jobs").status_code for _ in range(20)} == {200}


def test_a_database_that_is_away_asks_for_patience_and_lets_nobody_in(tmp_path: Path) -> None:
    settings = ApiSettings(
        data_dir=tmp_path / "data", database_url="postgresql://nobody@127.0.0.1:9/none", require_keys=True
    )
    with TestClient(create_app(settings)) as client:
        headers = {"Authorization": f"Bearer broca_{'0' * 12}_{'0' * 64}"}
        answer = client.get("/v1/benchmarks", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert int(answer.headers["Retry-After"]) > 0


STREAM = {"Accept": "text/event-stream"}


def test_one_key_cannot_hold_every_connection(database: Database, database_url: str, tmp_path: Path) -> None:
    settings = {"data_dir": tmp_path / "data", "database_url": database_url, "require_keys": True, "max_streams": 3}
    with listening(create_app(ApiSettings(**settings))) as server, ExitStack() as opened:
        http = opened.enter_context(httpx.Client(base_url=server.url, trust_env=False, timeout=30))
        _, greedy = new_key(database, "submit")
        _, other = new_key(database, "read")
        job = http.post("/v1/jobs", json=ASKED, headers=greedy).json()
        events, wait = job["urls"]["events"], {"Prefer": "wait=20"}

        def follow(headers: dict[str, str]) -> int:
            return opened.enter_context(http.stream("GET", events, headers=STREAM | headers)).status_code

        last = ExitStack()
        assert [follow(greedy) for _ in range(2)] == [200, 200]
        assert last.enter_context(http.stream("GET", events, headers=STREAM | greedy)).status_code == 200
        for refused in (
            http.get(events, headers=STREAM | greedy),
            http.get(job["urls"]["self"], headers=greedy | wait),
            http.post("/v1/jobs", json=ASKED, headers=greedy | wait),
            http.post("/v1/models?id=imported/x&kind=word-vectors&format=text", content=b"the 1", headers=greedy),
        ):
            assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
            assert refused.json()["retryable"]
            assert int(refused.headers["Retry-After"]) > 0
        assert len(http.get("/v1/jobs", headers=greedy).json()["data"]) == 1, "a refused submission is none"
        assert follow(other) == 200
        last.close()
        wait_for(lambda: http.get(job["urls"]["self"], headers=greedy | {"Prefer": "wait=1"}).status_code == 200)
        assert follow(greedy) == 200
        server.app.state.feed.end_streams()


def test_without_a_need_for_keys_only_the_last_connections_are_kept(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    settings = {"data_dir": tmp_path / "data", "database_url": database_url, "max_streams": 1, "max_connections": 20}
    with listening(create_app(ApiSettings(**settings))) as server, ExitStack() as opened:
        http = opened.enter_context(httpx.Client(base_url=server.url, trust_env=False, timeout=30))
        events = http.post("/v1/jobs", json=ASKED).json()["urls"]["events"]
        streams = [opened.enter_context(http.stream("GET", events, headers=STREAM)) for _ in range(20)]
        assert [stream.status_code for stream in streams] == [200] * 18 + [429] * 2
        assert http.get("/v1/jobs").status_code == 200
        server.app.state.feed.end_streams()
