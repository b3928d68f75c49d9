"""Pages that look at many models: pairs, scatter, pinned rows and findings say what the API says."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from broca.reproduction import claims as reproduction
from scoring.published import paper
from scoring.published.verdicts import Verdict
from storage import models, properties
from storage.engine import Database
from storage.models import NewModel
from storage.properties import NewProperty, Origin
from tests.integration.test_api_charts import record
from tests.integration.test_pairs import scored
from tests.integration.test_storage_leaderboard import a_score, put
from tests.integration.test_storage_scores import SHA
from tests.pages import BROWSER, Page, get, put_everything

PUBLISHED = "protocol=published-2312.00575"


@pytest.fixture
def client(database: Database, database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    settings = ApiSettings(data_dir=tmp_path / "data", database_url=database_url, data_mirror=None)
    with TestClient(create_app(settings)) as connected:
        yield connected


def put_pairs(database: Database) -> None:
    common = np.random.default_rng(0).normal(0.2, 0.05, size=500)
    scored(database, "org/base", 0.2, draws=common)
    scored(database, "org/tuned", 0.25, draws=common + 0.05, base="org/base")
    scored(database, "org/other", 0.1, base="org/base")
    with database.write() as session:
        models.remember(session, NewModel(id="org/tuned", revision=SHA, family="fam<b>ily", tuning="instruct"))


def elsewhere(client: TestClient, page: Page) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """The rows of the page's CSV and what its command asks for, which is what its JSON link leads to."""
    links = {one.text: str(one.attributes["href"]) for one in page.all("a")}
    rows = list(csv.DictReader(io.StringIO(client.get(links["CSV of this view"]).text)))
    (command,) = [one.text for one in page.all("code") if one.text.startswith("curl")]
    path = command.removeprefix('curl -s "$BROCA_URL').removesuffix('"')
    assert path == links["JSON of this view"]
    sent: dict[str, Any] = client.get(path).json()
    return rows, sent


def test_the_pairs_page_shows_the_differences_of_the_api(client: TestClient, database: Database) -> None:
    put_pairs(database)
    for query, tuned in (("", ["org/other", "org/tuned"]), ("?tuning=instruct", ["org/tuned"])):
        page = get(client, f"/pairs{query}")
        rows, sent = elsewhere(client, page)
        assert [pair["tuned"] for pair in sent["data"]] == [row["tuned"] for row in rows] == tuned
        (table,) = page.all("table", id="pairs")
        values = [one.attributes["value"] for one in page.all("data")]
        assert values == [str(pair["benchmarks"][0]["difference"]) for pair in sent["data"]]
        for pair in sent["data"]:
            one = pair["benchmarks"][0]
            assert f"{one['base']['raw']:.3f} → {one['tuned']['raw']:.3f}" in table.text
            assert one["interval"] is None or f"{one['interval']['low']:.3f}" in table.text
        links = page.links("/pairs")
        assert {"/models/org/tuned", "/models/org/base"} <= links
        assert {f"/v1/scores/{pair['benchmarks'][0]['tuned']['score']}" for pair in sent["data"]} <= links
        (picture,) = page.all("img")
        (dark,) = page.all("source", media="(prefers-color-scheme: dark)")
        assert "theme=dark" in str(dark.attributes["srcset"])
        assert client.get(str(picture.attributes["src"])).headers["content-type"].startswith("image/svg+xml")
    assert "fam<b>ily" in get(client, "/pairs").all("table", id="pairs")[0].text


def test_published_pairs_are_shown_without_intervals_or_pages(client: TestClient) -> None:
    page = get(client, f"/pairs?{PUBLISHED}&family=t5,llama&benchmarks=pereira2018")
    rows, _ = elsewhere(client, page)
    assert len(rows) == len(page.all("tr")) - 1 == 17
    assert "16 of 17 up" in page.all("table", id="pairs")[0].text
    assert "17 pairs of 8 bases" in page.all("main")[0].text
    assert not any(link.startswith("/models/") for link in page.links("/pairs"))
    assert "No pairs" in get(client, "/pairs").all("main")[0].text


def test_the_scatter_page_shows_the_points_and_the_coefficient_of_the_api(
    client: TestClient, database: Database
) -> None:
    for number in range(6):
        record(database, f"m{number}", 0.1 * number + 0.01 * (number % 3))
        with database.write() as session:
            said = [NewProperty(model_id=f"m{number}", name="mmlu", value=0.1 * number, source="planted")]
            properties.put(session, said, origin=Origin.HAND)
    page = get(client, "/scatter?x=mmlu&y=pereira2018")
    rows, sent = elsewhere(client, page)
    (table,) = page.all("table", id="points")
    shown = [one.attributes["value"] for one in page.all("data")]
    highest = sorted(sent["data"], key=lambda one: -one["y"])
    assert shown == [str(value) for one in highest for value in (one["x"], one["y"])]
    assert {row["model"] for row in rows} == {one["model"] for one in sent["data"]}
    text = " ".join(page.all("main")[0].text.split())
    r = sent["coefficient"]
    assert f"r = {r['r']:.3f}" in text
    assert f"n = {r['n']}" in text
    assert f"{r['interval']['low']:.3f} … {r['interval']['high']:.3f}" in text
    assert table.text.count("m") >= 6
    for one in page.all("img"):
        assert client.get(str(one.attributes["src"])).headers["content-type"].startswith("image/svg+xml")
    chosen = {one.attributes["value"] for one in page.all("option") if "selected" in one.attributes}
    assert {"mmlu", "pereira2018", "grouped"} <= chosen
    offered = {one.attributes["value"] for one in page.all("option")}
    assert set(sent["columns"]) <= offered


def test_sizes_are_shown_as_what_they_are(client: TestClient) -> None:
    page = get(client, f"/scatter?{PUBLISHED}")
    assert "33 B" in page.all("table", id="points")[0].text
    assert "/scatter?protocol=published-2312.00575&x=average&y=log10_parameters" in page.links("/scatter")
    assert "No coefficient" in get(client, f"/scatter?{PUBLISHED}&params_min=30000000000").all("main")[0].text
    assert "No model has both" in get(client, "/scatter").all("main")[0].text


@pytest.mark.parametrize(
    ("path", "field", "hint"),
    [
        ("/pairs?protocol=groped", "protocol", "did you mean"),
        ("/pairs?benchmarks=futrel2018", "benchmarks", "did you mean"),
        (f"/pairs?{PUBLISHED}&benchmarks=tuckute2024", "benchmarks", "one of pereira2018"),
        ("/scatter?protocol=groped", "protocol", "did you mean"),
        (f"/scatter?{PUBLISHED}&x=mmul", "x", "did you mean"),
        (f"/scatter?{PUBLISHED}&y=averag", "y", "did you mean"),
        ("/scatter?params_min=many", "params_min", "whole number"),
        ("/scatter?params_max=0", "params_max", "greater than or equal to 1"),
    ],
)
def test_a_bad_filter_says_at_its_field_what_to_do_and_stays(
    client: TestClient, path: str, field: str, hint: str
) -> None:
    page = get(client, path, 422)
    (told,) = page.all("p", id=f"refused-{field}")
    assert hint in told.text
    (marked,) = [one for one in page.elements if one.attributes.get("aria-describedby") == f"refused-{field}"]
    assert marked.attributes.get("name", "benchmarks") == field
    typed = path.rpartition("=")[2]
    values = {one.attributes.get("value") for one in page.elements}
    assert field == "benchmarks" or typed in values


def test_pinned_rows_stand_on_top_whatever_the_filters_say_and_lead_to_the_comparison(
    client: TestClient, database: Database
) -> None:
    put_everything(database, client)
    plain = get(client, "/?sort=model")
    (pin,) = [one for one in plain.all("a", class_="pins") if one.attributes["aria-label"] == "Pin m2"]
    page = get(client, str(pin.attributes["href"]) + "&family=nobody&benchmarks=futrell2018")
    (pinned,) = page.all("tbody", id="pinned")
    sent = client.get("/v1/leaderboard?benchmarks=futrell2018&models=m2").json()["data"]
    assert f"{sent[0]['scores']['futrell2018']['value']:.3f}" in pinned.text
    assert f"\n{sent[0]['rank']}" in pinned.text or str(sent[0]["rank"]) in pinned.text.split()[0]
    assert page.all("a", class_="pins")[0].attributes["aria-label"] == "Unpin m2"
    both = get(client, "/?sort=model&pinned=m2,m0,nobody")
    names = [one.attributes["value"] for one in both.all("input", name="models")]
    assert names == ["m0", "m2", "demo/tiny", "m1"] or names == ["m0", "m2", "m1"]
    assert "nobody has no row here" in both.all("main")[0].text
    assert "/compare?models=m2,m0,nobody" in both.links("/")
    links = {one.text: str(one.attributes["href"]) for one in both.all("a")}
    assert "pinned" not in links["CSV of this view, all rows"]
    assert client.get(links["JSON of this page"]).status_code == 200
    sorted_by = [str(one.attributes["href"]) for one in both.all("a") if one.text == "Size"]
    assert all("pinned=m2,m0,nobody" in address for address in sorted_by)
    assert both.all("input", name="pinned")[0].attributes["value"] == "m2,m0,nobody"
    full = get(client, "/?pinned=a,b,c,d")
    assert {one.attributes["aria-label"].partition(" ")[0] for one in full.all("a", class_="pins")} <= {"Unpin"}
    refused = get(client, "/?pinned=a,b,c,d,e", 422)
    assert "at most 4" in refused.all("p", class_="refused")[0].text
    published = get(client, f"/?{PUBLISHED}&pinned=vicuna-33b&family=gpt2")
    assert "vicuna-33b" in published.all("tbody", id="pinned")[0].text


def test_models_choose_rows_of_the_board_and_move_no_rank(client: TestClient, database: Database) -> None:
    for number in range(3):
        put(database, a_score(f"m{number}", "futrell2018", 0.4 - number / 10))
    whole = {row["model"]["id"]: row["rank"] for row in client.get("/v1/leaderboard").json()["data"]}
    chosen = client.get("/v1/leaderboard?models=m2,m1,nobody").json()["data"]
    assert {row["model"]["id"]: row["rank"] for row in chosen} == {name: whole[name] for name in ("m1", "m2")}
    printed = client.get(f"/v1/leaderboard?{PUBLISHED}&models=vicuna-33b").json()["data"]
    assert [row["model"]["id"] for row in printed] == ["vicuna-33b"]


def test_findings_say_of_each_claim_what_the_reproduction_says(client: TestClient) -> None:
    page = get(client, "/findings")
    (card,) = page.all("section", id="claims")
    rows = [" ".join(one.text.split()) for one in page.all("tr") if any(v.value in one.text for v in Verdict)]
    by_claim = {
        "Instruction-tuning raises brain alignment": "Tuning raises brain alignment",
        **{f"It raises alignment on {name}": f"Tuning raises alignment on {name}" for name in paper.BRAIN},
    }
    controlled = (reproduction.Verdict.NOT_WITH_SIZE, reproduction.Verdict.NOT_WITHOUT_WIDTH)
    for claim in reproduction.claims():
        says = by_claim.get(claim.says, claim.says)
        found = [row for row in rows if row.startswith(says)]
        if not found:
            assert claim.says.startswith("Behavioural alignment goes with none")
            continue
        expected = Verdict.NOT_WITH_CONTROL.value if claim.verdict in controlled else claim.verdict.value
        assert found[0].endswith(expected), (claim.says, found[0])
    assert "holds: 6" in " ".join(card.text.split())
    pictures = [str(one.attributes["src"]) for one in page.all("img")]
    assert len(pictures) == 4
    for path in pictures:
        assert client.get(path).headers["content-type"].startswith("image/svg+xml")
    assert f"/pairs?{PUBLISHED}&family=t5,llama" in page.links("/findings")


def test_findings_ask_the_same_of_measured_scores_and_say_what_cannot_be_asked(
    client: TestClient, database: Database
) -> None:
    before = get(client, "/findings?protocol=grouped")
    assert f"{Verdict.NOT_ASKED.value}: " in before.all("section", id="claims")[0].text
    assert before.all("img") == []
    put_pairs(database)
    after = get(client, "/findings?protocol=grouped")
    rows = [" ".join(one.text.split()) for one in after.all("tr") if "pereira2018" in one.text]
    assert any("2 pairs" in row and row.endswith(Verdict.NOT_SHOWN.value) for row in rows)
    assert not any("+6.9" in one.text for one in after.all("td")), "what a paper prints stands beside its own tables"
    assert "/pairs?protocol=grouped" in after.links("/findings")


def test_the_pages_weigh_little_and_are_not_sent_again(client: TestClient) -> None:
    for path in (f"/pairs?{PUBLISHED}", f"/scatter?{PUBLISHED}", "/data"):
        answer = client.get(path, headers=BROWSER)
        again = client.get(path, headers={**BROWSER, "If-None-Match": answer.headers["etag"]})
        assert (answer.status_code, again.status_code) == (200, 304)
