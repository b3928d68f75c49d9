"""Two to four models beside one another, from stored scores through HTTP."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from api.comparing import MAX_COMPARED
from broca.comparison import Comparison
from scoring.results import ScoreWarning
from storage.engine import Database
from tests.integration.test_pairs import client as client  # the fixture
from tests.integration.test_pairs import scored


def asked(client: TestClient, models: str, **query: str) -> dict[str, Any]:
    answer = client.get("/v1/compare", params={"models": models, **query})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_models_stand_in_the_order_they_were_named_with_paired_differences(
    client: TestClient, database: Database
) -> None:
    common = np.random.default_rng(0).normal(0.2, 0.05, size=500)
    scored(database, "org/a", 0.2, draws=common)
    scored(database, "org/b", 0.25, draws=common + 0.05)
    scored(database, "org/c", 0.1)
    scored(database, "org/unasked", 0.9)
    found = asked(client, "org/b,org/a,org/c")
    assert [row["model"]["id"] for row in found["data"]] == ["org/b", "org/a", "org/c"]
    assert [row["rank"] for row in found["data"]] == [1, 2, 3], "ranks are of these models alone"
    assert [column["key"] for column in found["columns"]] == ["pereira2018"]
    first, second, third = found["differences"]
    assert (first["base"], first["model"], first["difference"]) == ("org/b", "org/a", pytest.approx(-0.05))
    assert first["interval"]["low"] == pytest.approx(-0.05), "the draws differ by a constant"
    assert first["percent"] == pytest.approx(-20)
    assert {second["reason"], third["reason"]} == {"no_draws"}
    assert Comparison.model_validate(found).differences[2].model == "org/c"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data_sha256": "e" * 64}, "other_data"),
        ({"warnings": (ScoreWarning(code="not_comparable", detail="masked"),)}, None),
    ],
)
def test_scores_that_do_not_compare_have_no_difference(
    client: TestClient, database: Database, changes: dict[str, Any], reason: str | None
) -> None:
    scored(database, "org/a", 0.2)
    scored(database, "org/b", 0.3, **changes)
    found = asked(client, "org/a,org/b")["differences"]
    assert [(one["difference"], one["reason"]) for one in found] == ([] if reason is None else [(None, reason)])


def test_who_has_no_score_is_said(client: TestClient, database: Database) -> None:
    assert asked(client, "x,y") | {"absent": ["x", "y"], "data": [], "columns": []} == asked(client, "x,y")
    scored(database, "org/a", 0.2)
    found = asked(client, "org/a,org/none")
    assert found["absent"] == ["org/none"]
    assert found["differences"] == []


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ({}, "request_invalid", "models"),
        ({"models": "org/a"}, "request_invalid", "models"),
        ({"models": ",".join(map(str, range(MAX_COMPARED + 1)))}, "request_invalid", "models"),
        ({"models": "a,b", "protocol": "none"}, "protocol_unsupported", None),
        ({"models": "a,b", "benchmarks": "none"}, "benchmark_unknown", "benchmarks"),
        ({"models": "a,b", "colour": "red"}, "request_invalid", "colour"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    client: TestClient, query: dict[str, str], code: str, param: str | None
) -> None:
    answer = client.get("/v1/compare", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert param is None or answer.json()["param"] == param


def test_nothing_new_is_not_sent_again(client: TestClient, database: Database) -> None:
    scored(database, "org/a", 0.2)
    scored(database, "org/b", 0.3)
    address = "/v1/compare?models=org/a,org/b"
    tag = client.get(address).headers["etag"]
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 304


def test_the_page_shows_the_numbers_of_the_api(client: TestClient, database: Database) -> None:
    scored(database, "org/a", 0.2)
    scored(database, "org/b", 0.3)
    sent = asked(client, "org/b,org/a")
    text = client.get("/compare?models=org/b,org/a", headers={"Accept": "text/html"}).text
    for row in sent["data"]:
        assert f'<data value="{row["scores"]["pereira2018"]["value"]}"' in text
