"""The pages say what the API says, need nothing from elsewhere, and every link on them leads somewhere."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.pages.assets import assets
from api.pages.explaining import LAYERS, METHODS, POOLINGS, SPLITS, TIMES, WORDS, formula
from api.pages.rendering import POLICY
from api.settings import ApiSettings
from scoring.benchmarks.base import benchmark_named
from scoring.protocols import PROTOCOLS, LayerRule, Pooling
from scoring.registry import Shelf, names
from scoring.regression.folds import SplitKind
from scoring.regression.rules import Method
from storage.engine import Database
from tests.integration.test_storage_leaderboard import a_score, put
from tests.pages import BROWSER, Page, get, put_everything

STARTS = (
    "/",
    "/?include_synthetic=true&include_baselines=true",
    "/?all=true",
    "/?pinned=m0",
    "/compare?models=m0,m1",
    "/findings",
    "/pairs?protocol=published-2312.00575",
    "/scatter?protocol=published-2312.00575",
)


HOSTILE = (
    "%00",
    "a%00b",
    "%ff",
    "%F0%9F%A7%A0",
    "..%2F..%2Fetc",
    "%3Cscript%3E",
    "x" * 3000,
    "9" * 40,
    "-1",
    "{{7*7}}",
    "%0d%0aX:y",
)

PARAMETERS = [
    *(
        ("", name)
        for name in (
            "params_min",
            "params_max",
            "family",
            "benchmarks",
            "protocol",
            "sort",
            "snapshot",
            "all",
            "pinned",
        )
    ),
    *(("", name) for name in ("page_token", "page_size", "tuning", "%3Cb%3E")),
    *(("compare", name) for name in ("models", "protocol", "benchmarks")),
    *(("jobs", name) for name in ("status", "model", "page_token", "label.a", "a")),
    *(("submit", name) for name in ("model", "benchmarks", "protocol", "a")),
    *(("findings", name) for name in ("protocol", "a")),
    *(("pairs", name) for name in ("protocol", "benchmarks", "family", "tuning", "base", "a")),
    *(("scatter", name) for name in ("protocol", "x", "y", "family", "tuning", "params_min", "params_max", "a")),
    *(("data", name) for name in ("added", "version", "known", "a")),
    *(("models/m0", name) for name in ("protocol", "revision", "all", "a")),
    *(("benchmarks/demo-fmri", name) for name in ("version", "a")),
]


@pytest.fixture
def client(database: Database, database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    settings = ApiSettings(data_dir=tmp_path / "data", database_url=database_url, data_mirror=None)
    with TestClient(create_app(settings)) as connected:
        yield connected


def crawled(client: TestClient) -> dict[str, httpx.Response]:
    """Every address that links lead to, with its answer; of a job's events only the list is read."""
    found: dict[str, httpx.Response] = {}
    kinds: set[str] = set()
    waiting = set(STARTS)
    while waiting:
        path = waiting.pop()
        parts = urlsplit(path)
        kind = parts.path + ",".join(sorted(set(re.findall(r"(\w+)=", parts.query))))
        if path in found or (kind in kinds and path not in STARTS):
            continue
        kinds.add(kind)
        found[path] = answer = client.get(path, headers=BROWSER)
        assert answer.status_code == 200, (path, answer.text[:500])
        if answer.headers["content-type"].startswith("text/html") and path != "/docs":
            waiting |= Page(answer.text).links(path)
    return found


def test_every_link_leads_somewhere_every_page_parses_and_none_needs_another_server(
    client: TestClient, database: Database
) -> None:
    put_everything(database, client)
    found = crawled(client)
    paths = {urlsplit(path).path for path in found}
    assert {"/", "/models/m0", "/models/demo/tiny", "/models/baseline/random", "/benchmarks/futrell2018"} <= paths
    assert {"/jobs", "/submit", "/findings", "/compare", "/docs", "/v1/jobs", "/v1/models/m0"} <= paths
    assert {"/pairs", "/scatter", "/data", "/v1/pairs", "/v1/scatter", "/v1/scatter/chart.svg"} <= paths
    assert sum(path.startswith("/jobs/job_") for path in paths) >= 5
    assert {asset.path for asset in assets().values()} <= paths
    pages = {path: answer for path, answer in found.items() if answer.headers["content-type"].startswith("text/html")}
    for path, answer in pages.items():
        if path != "/docs":
            assert answer.headers["content-security-policy"] == POLICY
            assert not re.search(r"https?://|//[a-z]+\.|<style| style=|<script>| on[a-z]+=", answer.text), path


def test_files_of_pages_come_from_here_alone_and_are_kept_for_ever(client: TestClient) -> None:
    for name, asset in assets().items():
        answer = client.get(asset.path)
        assert "immutable" in answer.headers["cache-control"]
        assert answer.content == asset.body
        assert not re.search(rb"url\(|@import", answer.content), name
        assert name == "icon.svg" or b"http" not in answer.content
    assert client.get("/static/broca.css").status_code == 404


def test_the_board_shows_the_numbers_of_the_api(client: TestClient, database: Database) -> None:
    put_everything(database, client)
    for query in ("", "?sort=blank2014", "?benchmarks=futrell2018&include_baselines=true", "?page_size=1"):
        board = client.get(f"/v1/leaderboard{query}").json()
        text = client.get(f"/{query}", headers=BROWSER).text
        body = text.split("<tbody>")[1].split("</tbody>")[0]
        rows = [unescape(row) for row in body.split("<tr ")[1:]]
        assert len(rows) == len(board["data"])
        for row, sent in zip(rows, board["data"], strict=True):
            cells = [sent["scores"][column["key"]] for column in board["columns"]]
            values = [sent["average"], *(cell["value"] for cell in cells)]
            assert re.findall(r'<data value="([^"]+)"', row) == [str(value) for value in values if value is not None]
            assert sent["model"]["id"] in row
            assert (f"<b>{sent['rank']}</b>" in row) == (sent["rank"] is not None)
            for cell in cells:
                assert "missing" not in cell or cell["missing"].replace("_", " ") in row
                if cell.get("interval"):
                    assert f"{cell['interval']['low']:.3f}".replace("-", "−") in row


def test_ceilings_baselines_reasons_and_ties_are_on_the_board(client: TestClient, database: Database) -> None:
    put_everything(database, client)
    page = get(client, "/")
    text = " ".join(page.all("table")[0].text.split())
    assert re.search(r"Ceiling, raw none 0\.500", text)
    assert re.search(r"Best baseline none 0\.020 ?random", text)
    assert "model gated" in text
    assert "never run" in text
    assert len(page.all("svg", class_="w")) == 4 + 1, "four cells and the legend"
    tied = get(client, "/?benchmarks=futrell2018")
    board = client.get("/v1/leaderboard?benchmarks=futrell2018").json()
    groups = [row["tie_group"] for row in board["data"]]
    assert set(groups) != {None}
    assert len(tied.all("tr", class_="tie-b")) == sum(group is not None and group % 2 == 1 for group in groups)


def test_the_board_says_who_has_no_average_and_what_averages_are_of(client: TestClient, database: Database) -> None:
    put_everything(database, client)
    text = " ".join(get(client, "/").all("section", class_="board")[0].text.split())
    assert "Averages are of raw scores, as not every column is normalised." in text
    assert "2 of the 3 models here have no average" in text
    alone = " ".join(get(client, "/?benchmarks=futrell2018").all("section", class_="board")[0].text.split())
    assert "Averages are of normalised scores." in alone
    assert "have no average" not in alone


def test_the_csv_link_holds_the_rows_of_the_view(client: TestClient, database: Database) -> None:
    put_everything(database, client)
    page = get(client, "/?sort=model&benchmarks=futrell2018&page_size=2")
    (link,) = [one for one in page.all("a") if one.text.startswith("CSV")]
    rows = list(csv.DictReader(io.StringIO(client.get(str(link.attributes["href"])).text)))
    (following,) = page.all("a", rel="next")
    shown = [one.attributes["value"] for one in page.all("input", name="models")]
    shown += [
        one.attributes["value"] for one in get(client, str(following.attributes["href"])).all("input", name="models")
    ]
    assert [row["model"] for row in rows] == shown == ["m0", "m1", "m2"]
    (command,) = [one.text for one in page.all("code") if one.text.startswith("curl")]
    json_path = command.removeprefix('curl -s "$BROCA_URL').removesuffix('"')
    assert [row["model"]["id"] for row in client.get(json_path).json()["data"]] == shown[:2]


def test_a_form_without_scripts_leads_to_the_address_that_the_api_understands(client: TestClient) -> None:
    sent = "/?protocol=grouped&family=&benchmarks=blank2014&benchmarks=futrell2018&params_min="
    answer = client.get(sent, headers=BROWSER, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?protocol=grouped&benchmarks=blank2014,futrell2018"
    assert client.get(f"/v1/leaderboard{answer.headers['location'][1:]}").status_code == 200


@pytest.mark.parametrize(
    ("path", "field", "hint"),
    [
        ("/?params_min=many", "params_min", "whole number"),
        ("/?params_max=-1", "params_max", "greater than or equal to 0"),
        ("/?protocol=groped", "protocol", "did you mean"),
        ("/?tuning=instrct", "tuning", "did you mean instruct?"),
        ("/?benchmarks=futrel2018", "benchmarks", "did you mean"),
        ("/compare?models=a,b,c,d,e", "models", "at most 4"),
        ("/compare?models=a&protocol=groped", "protocol", "did you mean"),
        ("/jobs?status=lost", "status", "status has to be"),
    ],
)
def test_a_bad_filter_says_at_its_field_what_to_do(client: TestClient, path: str, field: str, hint: str) -> None:
    page = get(client, path, 422)
    (told,) = page.all("p", id=f"refused-{field}")
    assert hint in told.text
    marked = [one for one in page.elements if one.attributes.get("aria-describedby") == f"refused-{field}"]
    assert field == "benchmarks" or [one.attributes["name"] for one in marked] == [field]


@pytest.mark.parametrize("path", ["/?sort=colour", "/?page_token=x", "/?colour=red", "/jobs?page_token=x", "/jobs?a=b"])
def test_a_refusal_without_a_field_stands_above(client: TestClient, path: str) -> None:
    (told,) = get(client, path, 422).all("p", class_="refused")
    parameter = path.partition("?")[2].partition("=")[0]
    assert parameter in told.text or "column" in told.text


def test_the_model_page_shows_the_scores_of_the_api(client: TestClient, database: Database) -> None:
    put_everything(database, client)
    page = get(client, "/models/m0")
    cards = page.all("section", class_="card")
    assert len(cards) == 2
    for card in cards:
        score = client.get(f"/v1/scores/{card.attributes['id']}").json()
        assert f"{score['raw']:.3f}" in card.text
        assert f"{score['interval']['low']:.3f}" in card.text
        assert all(one["id"] in card.text for one in score["baselines"])
        assert all(share["name"] in card.text for part in score["parts"] for share in part["participants"])
    (curve,) = page.all("img")
    assert client.get(curve.attributes["src"]).headers["content-type"].startswith("image/svg+xml")
    assert "undefined" in page.all("main")[0].text
    text = client.get("/models/m0", headers=BROWSER).text
    assert "fam&lt;b&gt;ily" in text
    assert "<b>ily" not in text


def test_properties_stand_with_source_and_date(client: TestClient, database: Database) -> None:
    put_everything(database, client)
    body = {"properties": {"mmlu": 0.25, "base": "m1"}, "source": "a <paper>"}
    assert client.put("/v1/models/m0/properties", json=body).status_code == 200
    page = get(client, "/models/m0")
    (row,) = [one.text for one in page.all("tr") if one.text.startswith("mmlu")]
    sent = {one["name"]: one for one in client.get("/v1/models/m0").json()["properties"]}["mmlu"]
    assert all(said in row for said in ("0.25", "hand", "a <paper>", sent["date"][:10]))
    (lineage,) = [one.text for one in page.all("dd") if one.text.startswith("m1")]
    assert "1 step" in lineage


def test_private_benchmarks_and_unknown_names_are_not_shown(client: TestClient) -> None:
    for path in ("/models/nobody", "/benchmarks/nothing", "/jobs/job_0", "/nowhere", "/models/a/b/c", "/static/x"):
        page = get(client, path, 404)
        assert page.all("h1")[0].text.startswith("404")


def test_the_api_keeps_its_problems_for_browsers_too(client: TestClient) -> None:
    for path in ("/v1/jobs/job_0", "/v1/nowhere", "/v1/leaderboard?params_min=x"):
        assert client.get(path, headers=BROWSER).headers["content-type"] == "application/problem+json"
    assert client.get("/nowhere").headers["content-type"] == "application/problem+json"


def test_what_has_not_changed_is_not_sent_again_and_pages_come_packed(client: TestClient, database: Database) -> None:
    job_id = put_everything(database, client)
    for path in ("/", "/models/m0", "/benchmarks", "/jobs", f"/jobs/{job_id}", "/submit", "/findings"):
        answer = client.get(path, headers={**BROWSER, "Accept-Encoding": "gzip"})
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["cache-control"] == "private, no-cache"
        plain = client.get(path, headers={**BROWSER, "Accept-Encoding": "identity"})
        assert plain.text == answer.text
        assert len(gzip.compress(plain.content)) < 20_000
        again = client.get(path, headers={**BROWSER, "If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_a_new_score_is_on_the_board_at_once(client: TestClient, database: Database) -> None:
    client.post(f"/v1/jobs/{put_everything(database, client)}/cancel")
    tag = client.get("/", headers=BROWSER).headers["etag"]
    put(database, a_score("m9", "futrell2018", 0.9))
    answer = client.get("/", headers={**BROWSER, "If-None-Match": tag})
    assert answer.status_code == 200
    assert "m9" in answer.text


def test_the_published_board_and_its_findings_are_told_from_measured_ones(client: TestClient) -> None:
    page = get(client, "/?protocol=published-2312.00575&sort=-pereira2018")
    body = page.all("table")[0].text
    assert "vicuna-33b" in body
    assert "arXiv:2312.00575v2" in page.all("main")[0].text
    assert page.all("input", name="models") == []
    findings = " ".join(get(client, "/findings").all("main")[0].text.split())
    asked = {"kind": "paired", "protocol": "published-2312.00575", "filters": {"family": ["t5", "llama"]}}
    effects = client.post("/v1/analyses", json=asked).json()["result"]["effects"]
    for name, effect in effects.items():
        assert f"{name}{effect['mean_percent']:.4g}".replace("-", "−") in findings
    assert "Not to be told yet" in get(client, "/findings?protocol=grouped").all("main")[0].text


def test_every_rule_of_a_protocol_has_its_sentence() -> None:
    assert (set(POOLINGS), set(LAYERS), set(SPLITS), set(METHODS)) == (
        set(Pooling),
        set(LayerRule),
        set(SplitKind),
        set(Method),
    )
    readings = [protocol.reading for protocol in PROTOCOLS.values() if protocol.reading is not None]
    assert {rules.word_probability for rules in readings} == set(WORDS)
    assert {rules.times for rules in readings} == set(TIMES)
    for name in names(Shelf.BENCHMARKS):
        benchmark = benchmark_named(name)
        assert all(len(formula(benchmark, PROTOCOLS[protocol])) >= 4 for protocol in benchmark.protocols)


def test_stimuli_are_shown_where_their_licence_allows_it(database_url: str, tmp_path: Path, data_mirror: Path) -> None:
    settings = ApiSettings(data_dir=tmp_path / "data", database_url=database_url, data_mirror=data_mirror)
    with TestClient(create_app(settings)) as client:
        shown = {
            name: get(client, f"/benchmarks/{name}").all("ul", class_="samples")
            for name in ("futrell2018", "pereira2018-example", "pereira2018", "demo-fmri")
        }
        assert {name for name, samples in shown.items() if samples} == {
            "futrell2018",
            "pereira2018-example",
            "demo-fmri",
        }
        assert "If you were to journey to the North of England" in shown["futrell2018"][0].text
        assert "does not say that they may be" in get(client, "/benchmarks/pereira2018").all("main")[0].text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_and_parameters_are_refused_and_never_become_markup(client: TestClient, text: str) -> None:
    places = [f"/models/{text}", f"/benchmarks/{text}", f"/jobs/{text}", f"/static/{text}", f"/{text}"]
    places += [f"/{page}?{name}={text}" for page, name in PARAMETERS]
    for path in places:
        answer = client.get(path, headers=BROWSER)
        assert answer.status_code in (200, 404, 422), (path, answer.status_code)
        assert "<script>" not in answer.text.replace("<script src", ""), path
        assert "X" not in answer.headers.get("x", ""), path
        if answer.headers["content-type"].startswith("text/html"):
            Page(answer.text)
