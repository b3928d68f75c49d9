"""What is known of models beside their scores on the leaderboard: shown, sorted by, filtered by, in every format."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from storage.engine import Database
from tests.integration.test_leaderboard_pages import put_models
from tests.integration.test_storage_leaderboard import CEILING, a_score, put
from tests.pages import get

PUBLISHED = "published-2312.00575"


@pytest.fixture
def client(database: Database, database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    """A board of m0 to m6 (equal even numbers tuned), m1 the best on a test and m2 the worst, of m3 it is unknown."""
    put_models(database)
    settings = ApiSettings(data_dir=tmp_path / "data", database_url=database_url, data_mirror=None)
    with TestClient(create_app(settings)) as connected:
        for number, value in {0: 0.5, 1: 0.9, 2: 0.1, 4: 0.3, 5: 0.4, 6: 0.35}.items():
            say(connected, f"m{number}", mmlu=value)
        yield connected


def say(client: TestClient, model: str, **values: Any) -> None:
    answer = client.put(f"/v1/models/{model}/properties", json={"source": "a test", "properties": values})
    assert answer.status_code == 200, answer.text


def board(client: TestClient, status: int = 200, **query: Any) -> dict[str, Any]:
    answer = client.get("/v1/leaderboard", params=query)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def test_rows_are_sorted_by_a_property_and_unknown_ones_come_last(client: TestClient) -> None:
    found = board(client, sort="-mmlu", properties="mmlu")["data"]
    assert [row["model"]["id"] for row in found] == ["m1", "m0", "m5", "m6", "m4", "m2", "m3"]
    assert [row["model"]["properties"]["mmlu"] for row in found] == [0.9, 0.5, 0.4, 0.35, 0.3, 0.1, None]
    assert {row["model"]["id"]: row["rank"] for row in found}["m0"] == 1, "ranks stay those of the average"
    upwards = board(client, sort="mmlu")["data"]
    assert [row["model"]["id"] for row in upwards] == ["m2", "m4", "m6", "m5", "m0", "m1", "m3"]
    assert all(row["model"]["properties"] == {} for row in upwards), "only what was asked for"


def test_pages_in_the_order_of_a_property_hold_every_row_once(client: TestClient) -> None:
    found, token = [], None
    while True:
        page = board(client, sort="-mmlu", page_size=2, **({"page_token": token} if token else {}))
        found += [row["model"]["id"] for row in page["data"]]
        if (token := page["next_page_token"]) is None:
            break
    assert found == ["m1", "m0", "m5", "m6", "m4", "m2", "m3"]


def test_what_was_set_by_hand_holds_on_the_board(client: TestClient) -> None:
    say(client, "m2", family="other", parameters=5_000, my_score=3.5)
    found = board(client, family="other", properties="my_score")["data"]
    assert [(row["model"]["id"], row["model"]["parameters"]) for row in found] == [("m2", 5_000)]
    assert found[0]["model"]["properties"] == {"my_score": 3.5}
    assert [row["model"]["id"] for row in board(client, params_min=2_000)["data"]] == ["m2"]
    assert "m2" not in [row["model"]["id"] for row in board(client, family="large")["data"]]


def test_tables_have_properties_and_intervals_of_raw_scores(client: TestClient, database: Database) -> None:
    put(database, a_score("m0", "blank2014", 0.2, ceiling=CEILING))
    text = client.get("/v1/leaderboard", params={"format": "csv", "properties": "mmlu,parameters"}).text
    rows = {row["model"]: row for row in csv.DictReader(io.StringIO(text))}
    assert text.splitlines()[0].split(",").count("parameters") == 1
    assert (rows["m0"]["mmlu"], rows["m3"]["mmlu"], rows["m0"]["parameters"]) == ("0.5", "", "1000")
    bounds = [float(rows["m0"][f"blank2014_{which}"]) for which in ("raw_low", "raw", "raw_high", "normalised")]
    assert bounds == pytest.approx([0.1, 0.2, 0.3, 0.4]), "the interval is that of raw, whatever the board shows"
    assert (rows["m1"]["blank2014_raw_low"], rows["m1"]["blank2014_missing"]) == ("", "never_run")
    binary = client.get("/v1/leaderboard", params={"format": "parquet", "properties": "mmlu"}).content
    table = parquet.read_table(io.BytesIO(binary)).to_pydict()
    assert dict(zip(table["model"], table["mmlu"], strict=True))["m1"] == 0.9
    assert dict(zip(table["model"], table["blank2014_raw_low"], strict=True))["m0"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ({"sort": "shoe_size"}, "sort_unknown", "sort"),
        ({"properties": "shoe_size"}, "property_unknown", "properties"),
        ({"properties": "family"}, "property_unknown", "properties"),
        ({"provenance": "published", "protocol": "grouped"}, "request_invalid", "provenance"),
        ({"provenance": "measured", "protocol": PUBLISHED}, "request_invalid", "provenance"),
        ({"provenance": "both"}, "request_invalid", "provenance"),
        ({"protocol": PUBLISHED, "properties": "training_step"}, "property_unknown", "properties"),
        ({"protocol": PUBLISHED, "sort": "shoe_size"}, "sort_unknown", "sort"),
    ],
)
def test_unknown_columns_are_refused(client: TestClient, query: dict[str, str], code: str, param: str) -> None:
    problem = board(client, 422, **query)
    assert (problem["code"], problem["param"]) == (code, param)


def test_the_page_shows_properties_and_sorts_by_them(client: TestClient) -> None:
    page = get(client, "/?properties=mmlu,n_layers&sort=-mmlu")
    rows = [one.text for one in page.all("tr") if "m1" in one.text or "m3" in one.text]
    assert "0.9" in rows[0].replace(".900", "0.9")
    assert "unknown" in rows[1]
    (head,) = [one for one in page.all("th") if one.text.strip() == "mmlu"]
    assert head.attributes["aria-sort"] == "descending"
    assert [one.attributes["value"] for one in page.all("input", name="properties")] == ["mmlu,n_layers"]
    refused = get(client, "/?properties=shoe_size", 422)
    (field,) = refused.all("input", name="properties")
    assert field.attributes["value"] == "shoe_size"
    assert field.attributes["aria-invalid"] == "true"


def test_published_rows_are_asked_for_by_their_provenance_and_sorted_by_what_is_printed(client: TestClient) -> None:
    found = board(client, provenance="published", sort="-mmlu", properties="mmlu,wikitext2_loss")
    assert (found["protocol"], found["provenance"]) == (PUBLISHED, "published")
    values = [row["model"]["properties"]["mmlu"] for row in found["data"]]
    known = [value for value in values if value is not None]
    assert values == [*sorted(known, reverse=True), *[None] * (len(values) - len(known))]
    assert known
    assert board(client, provenance="measured")["protocol"] == "grouped"
    text = client.get("/v1/leaderboard", params={"provenance": "published", "properties": "mmlu", "format": "csv"}).text
    row = next(row for row in csv.DictReader(io.StringIO(text)) if row["model"] == "flan-t5-small")
    assert (float(row["mmlu"]), row["pereira2018_raw_low"]) == (0.294, "")
