"""What pages write: jobs submitted, cancelled and repeated by forms; others' forms refused; keys asked for."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.pages.assets import asset_paths
from api.security import OPEN_PATHS
from api.settings import ApiSettings
from storage.api_keys import Scope
from storage.engine import Database
from tests.integration.test_api_jobs import work_off
from tests.integration.test_api_keys import new_key
from tests.pages import BROWSER, HOST, OWN_FORM, Page, get

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
FILLED = {"model": "gpt2", "benchmarks": ["demo-fmri", "demo-reading"], "protocol": "grouped", "action": "submit"}
READ = (
    "/",
    "/models/m0",
    "/benchmarks",
    "/benchmarks/demo-fmri",
    "/jobs",
    "/jobs/x",
    "/submit",
    "/findings",
    "/compare",
    "/pairs",
    "/scatter",
    "/data",
)

Open = Callable[..., TestClient]


@pytest.fixture
def opened(database: Database, database_url: str, tmp_path: Path) -> Iterator[Open]:
    """Opens clients of apps with these settings."""
    with ExitStack() as stack:

        def open_one(**settings: Any) -> TestClient:
            app = create_app(ApiSettings(data_dir=tmp_path / "data", database_url=database_url, **settings))
            return stack.enter_context(TestClient(app, follow_redirects=False))

        yield open_one


@pytest.fixture
def client(opened: Open) -> TestClient:
    return opened()


def post(client: TestClient, path: str, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
    sent = OWN_FORM if headers is None else headers
    return client.post(path, content=urlencode(fields, doseq=True), headers={**sent, **FORM})


def n_jobs(client: TestClient) -> int:
    return len(client.get("/v1/jobs").json()["data"])


def test_the_form_submits_what_the_api_would(client: TestClient) -> None:
    chosen = {"context": "window:20", "pooling": "mean", "priority": "3", "force": "true", "dtype": "auto"}
    answer = post(client, "/submit", **FILLED, **chosen, revision="main")
    assert answer.status_code == 303
    job = client.get(f"/v1{answer.headers['location']}").json()
    assert job["model"]["id"] == "gpt2"
    assert job["model"]["requested_revision"] == "main"
    assert [run["benchmark"] for run in job["runs"]] == ["demo-fmri", "demo-reading"]
    assert job["options"] == {"context": "window:20", "pooling": "mean"}
    assert (job["priority"], job["private"], job["device_class"]) == (3, False, None)
    page = get(client, answer.headers["location"])
    assert page.all("div", id="job")[0].attributes["data-events"] == job["urls"]["events"]


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"model": "a b"}, "model", "model"),
        ({"model": ""}, "model", ""),
        ({"revision": "no such"}, "revision", ""),
        ({"benchmarks": ["demo-fmir"]}, "benchmarks", "did you mean"),
        ({"benchmarks": ""}, "benchmarks", ""),
        ({"protocol": "groped"}, "protocol", "did you mean"),
        ({"benchmarks": ["demo-reading"], "protocol": "brain-score"}, "protocol", "only under"),
        ({"dtype": "float16"}, "dtype", "float32"),
        ({"context": "paragraph"}, "context", ""),
        ({"adapter": "../x"}, "adapter", ""),
        ({"priority": "10"}, "priority", "less than or equal to 9"),
        ({"priority": "high"}, "priority", "whole number"),
        ({"device_class": "tpu"}, "device_class", "cpu"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(
    client: TestClient, change: dict[str, Any], field: str, said: str
) -> None:
    answer = post(client, "/submit", **{**FILLED, **change})
    assert answer.status_code == 422, answer.text
    page = Page(answer.text)
    (told,) = page.all("p", id=f"refused-{field}")
    assert said in told.text
    (marked,) = [one for one in page.elements if one.attributes.get("aria-describedby") == f"refused-{field}"]
    assert (marked.attributes.get("name") or marked.tag) in (field, "fieldset")
    typed = page.all("input", name="model")[0].attributes["value"]
    assert typed == change.get("model", "gpt2")
    assert n_jobs(client) == 0


def test_a_check_says_what_would_come_of_it_and_writes_nothing(client: TestClient) -> None:
    page = Page(post(client, "/submit", model="demo/tiny", benchmarks="demo-fmri", action="check").text)
    asked = {"model": "demo/tiny", "benchmarks": ["demo-fmri"]}
    found = client.post("/v1/jobs?validate_only=true", json=asked).json()
    (card,) = page.all("section", class_="card")
    assert ("This can be scored." in card.text) == found["ok"]
    assert all(check["name"].replace("_", " ") in card.text for check in found["checks"])
    assert page.all("input", name="model")[0].attributes["value"] == "demo/tiny"
    assert n_jobs(client) == 0


def test_a_job_is_cancelled_and_repeated_by_the_forms_on_its_page(client: TestClient) -> None:
    path = post(client, "/submit", **FILLED).headers["location"]
    (form,) = get(client, path).all("form")
    assert (form.attributes["method"], form.attributes["action"]) == ("post", path)
    assert post(client, path, action="cancel").headers["location"] == path
    assert client.get(f"/v1{path}").json()["status"] == "cancelled"
    page = get(client, path)
    assert [one.attributes["value"] for one in page.all("button", name="action")] == ["retry"]
    again = post(client, path, action="retry").headers["location"]
    assert client.get(f"/v1{again}").json()["retry_of"] == path.rpartition("/")[2]
    assert path in get(client, again).links(again)
    assert post(client, path, action="erase").status_code == 422


def test_a_page_without_scripts_asks_again_until_the_job_has_ended(client: TestClient, database: Database) -> None:
    path = post(client, "/submit", **FILLED).headers["location"]
    live = get(client, path)
    (asks,) = live.all("meta", **{"http-equiv": "refresh"})
    assert int(str(asks.attributes["content"])) > 0
    types = set(str(live.all("div", id="job")[0].attributes["data-types"]).split())
    work_off(database, "d" * 40)
    done = get(client, path)
    log = [" ".join(one.text.split()) for one in done.all("li")]
    assert "The job is in the queue." in log[0]
    assert any("demo-fmri: scored, raw" in line for line in log)
    assert "Every benchmark has its score." in log[-1]
    assert [one.attributes["value"] for one in done.all("progress")] == ["100", "100", "100"]
    assert done.all("meta", **{"http-equiv": "refresh"}) == []
    assert "data-events" not in done.all("div", id="job")[0].attributes
    happened = {event["type"] for event in client.get(f"/v1{path}/events").json()["data"]}
    assert happened <= types
    job = client.get(f"/v1{path}").json()
    links = done.links(path)
    assert {f"/v1/scores/{run['score']}" for run in job["runs"]} <= links


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "null"},
        {"Origin": "http://elsewhere"},
        {"Origin": "http://testserver.elsewhere"},
        {"Origin": "http://testserver:8001"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://elsewhere"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"},
    ],
)
def test_forms_of_other_sites_are_refused(client: TestClient, headers: dict[str, str]) -> None:
    path = post(client, "/submit", **FILLED).headers["location"]
    for target, fields in (("/submit", FILLED), (path, {"action": "cancel"})):
        answer = post(client, target, {**BROWSER, **headers}, **fields)
        assert answer.status_code == 403, (target, headers)
        assert answer.headers["content-type"].startswith("text/html")
    assert n_jobs(client) == 1
    assert client.get(f"/v1{path}").json()["status"] == "queued"


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://testserver"}])
def test_either_header_suffices_where_a_browser_sends_no_other(client: TestClient, headers: dict[str, str]) -> None:
    assert post(client, "/submit", {**BROWSER, **headers}, **FILLED).status_code == 303


def test_an_origin_that_may_use_the_api_may_not_send_our_forms(opened: Open) -> None:
    client = opened(cors_origins="https://board.example.org")
    other = {"Origin": "https://board.example.org"}
    assert post(client, "/submit", {**BROWSER, **other}, **FILLED).status_code == 403
    assert (
        client.post("/v1/jobs", json={"model": "gpt2", "benchmarks": ["demo-fmri"]}, headers=other).status_code == 202
    )


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b'{"model": "gpt2"}', "application/json", 415),
        (b"model=gpt2", "multipart/form-data; boundary=x", 415),
        (b"model=gpt2", "text/plain", 415),
        (b"model=%ff", "application/x-www-form-urlencoded", 422),
        (b"model=\xff", "application/x-www-form-urlencoded", 422),
        (b"&".join(b"a=1" for _ in range(300)), "application/x-www-form-urlencoded", 422),
        (b"model=" + b"x" * 70_000, "application/x-www-form-urlencoded", 413),
        (b"", "application/x-www-form-urlencoded", 422),
    ],
)
def test_what_is_no_form_is_refused(client: TestClient, body: bytes, media_type: str, status: int) -> None:
    for path in ("/submit", "/jobs/job_0"):
        answer = client.post(path, content=body, headers={**OWN_FORM, "Content-Type": media_type})
        assert answer.status_code == status, (path, answer.text[:300])


@pytest.mark.parametrize("path", ["/submit", "/jobs/job_0", "/data", "/"])
def test_an_address_names_the_methods_that_it_knows(client: TestClient, path: str) -> None:
    answer = client.delete(path, headers=OWN_FORM)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET" if path == "/" else "GET, POST")


def test_pages_need_the_keys_that_the_api_needs_and_say_how_to_bring_one(opened: Open, database: Database) -> None:
    client = opened(require_keys=True, rate_per_s=0)
    assert asset_paths() <= OPEN_PATHS
    for path in sorted(asset_paths()):
        assert client.get(path).status_code == 200
    for path in READ:
        answer = client.get(path, headers=BROWSER)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8"), path
        assert answer.headers["www-authenticate"].startswith("Basic")
        assert "API key" in Page(answer.text).all("main")[0].text
    for path in ("/submit", "/jobs/x"):
        assert post(client, path, **FILLED).status_code == 401
    for scope, may_write in ((Scope.READ, False), (Scope.SUBMIT, True)):
        _, key = new_key(database, scope.value)
        assert {client.get(path, headers={**BROWSER, **key}).status_code for path in READ} == {200, 404}
        assert post(client, "/submit", {**BROWSER, **key}, **FILLED).status_code == (303 if may_write else 403)


def test_a_browser_brings_a_key_as_a_password_and_writes_with_it_by_our_forms_alone(
    opened: Open, database: Database
) -> None:
    client = opened(require_keys=True, rate_per_s=0)
    _, key = new_key(database, "submit")
    text = key["Authorization"].removeprefix("Bearer ")
    basic = {"Authorization": f"Basic {b64encode(f'anybody:{text}'.encode()).decode()}"}
    for path in ("/", "/submit", "/v1/leaderboard", "/v1/jobs"):
        assert client.get(path, headers={**BROWSER, **basic}).status_code == 200
    path = post(client, "/submit", {**OWN_FORM, **basic}, **FILLED).headers["location"]
    job_id = path.rpartition("/")[2]
    for headers in ({}, {"Origin": "http://elsewhere"}, {"Sec-Fetch-Site": "cross-site"}):
        assert post(client, path, {**BROWSER, **basic, **headers}, action="cancel").status_code == 403
    for headers in ({}, {"Origin": f"http://{HOST}"}):
        answer = client.post(f"/v1/jobs/{job_id}/cancel", headers={**basic, **headers})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    for wrong in ("", "!", b64encode(b"no colon").decode(), b64encode(f"{text}:".encode()).decode()):
        assert client.get("/", headers={**BROWSER, "Authorization": f"Basic {wrong}"}).status_code == 401
    assert client.get(f"/v1/jobs/{job_id}", headers=key).json()["status"] == "queued"
    forwarded = {**BROWSER, **key, "Origin": "http://elsewhere"}
    assert post(client, path, forwarded, action="cancel").status_code == 403, "a proxy may have added the key"
    assert post(client, path, {**OWN_FORM, **basic}, action="cancel").status_code == 303


def test_somebody_elses_private_job_is_not_there(opened: Open, database: Database) -> None:
    client = opened(require_keys=True, rate_per_s=0)
    (_, mine), (_, other) = (new_key(database, "submit", name) for name in ("Ada", "Bob"))
    path = post(client, "/submit", {**BROWSER, **mine}, **FILLED, private="true").headers["location"]
    assert client.get(path, headers={**BROWSER, **mine}).status_code == 200
    assert client.get(path, headers={**BROWSER, **other}).status_code == 404
    assert post(client, path, {**BROWSER, **other}, action="cancel").status_code == 404
    assert path not in client.get("/jobs", headers={**BROWSER, **other}).text
