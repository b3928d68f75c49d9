"""Tuned models beside what they were made from, from stored scores through HTTP."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from scoring import SCORING_VERSION
from scoring.results import LayerScore, ScoreWarning
from storage import jobs, models, properties, runs, scores
from storage.engine import Database
from storage.jobs import NewJob
from storage.models import Model, NewModel
from storage.properties import NewProperty, Origin
from tests.integration.test_storage_scores import PLAIN_SCORE, SHA

LAYERS = (
    LayerScore(name="block.0", depth=0.0, raw=0.1, reason=None, parts=()),
    LayerScore(name="block.1", depth=1.0, raw=None, reason="undefined", parts=()),
)


@pytest.fixture
def client(database: Database, database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    given = ApiSettings(data_dir=tmp_path / "data", database_url=database_url, data_mirror=None)
    with TestClient(create_app(given)) as connected:
        yield connected


def scored(
    database: Database, name: str, raw: float, *, draws: Sequence[float] = (), base: str = "", **changes: Any
) -> None:
    score = replace(
        PLAIN_SCORE,
        subject=name,
        benchmark="pereira2018",
        synthetic=False,
        raw=raw,
        draws=tuple(draws),
        layers=LAYERS,
        **changes,
    )
    order = NewJob(
        model_id=name,
        requested_revision=None,
        benchmarks=((score.benchmark, 1),),
        protocol=score.protocol,
        scoring_version=SCORING_VERSION,
    )
    said = [NewProperty(model_id=name, name="base", value=base, source="its paper")] if base else []
    with database.write() as session:
        jobs.submit(session, order)
        models.remember(session, NewModel(id=name, revision=SHA))
        properties.put(session, said, origin=Origin.HAND)
    with database.write() as session:
        claim = runs.claim(session, worker="w", lease_s=60)
        assert claim is not None
        held: dict[str, Any] = {"token": claim.token, "run_id": claim.runs[0].id}
        assert scores.record(session, **held, score=score, revision=SHA, dtype="float32") is not None


def asked(client: TestClient, **query: str) -> list[dict[str, Any]]:
    answer = client.get("/v1/pairs", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def test_a_tuned_model_stands_beside_its_nearest_scored_ancestor(client: TestClient, database: Database) -> None:
    common = np.random.default_rng(0).normal(0.2, 0.05, size=500)
    scored(database, "org/t5", 0.2, draws=common)
    scored(database, "org/flan", 0.25, draws=common + 0.05, base="org/adapted org/t5")
    scored(database, "org/unrelated", 0.3)
    [pair] = asked(client)
    assert (pair["base"], pair["tuned"], pair["hops"], pair["between"]) == ("org/t5", "org/flan", 2, ["org/adapted"])
    [one] = pair["benchmarks"]
    assert one["difference"] == pytest.approx(0.05)
    assert one["percent"] == pytest.approx(25)
    assert one["interval"]["low"] == pytest.approx(0.05), "the draws differ by a constant: pairing takes all else away"
    assert one["interval"]["high"] == pytest.approx(0.05)
    assert one["reason"] is None
    assert [(point["depth"], point["raw"]) for point in one["tuned"]["layers"]] == [(0.0, 0.1), (1.0, None)]
    [bare] = asked(client, layers="false")
    assert bare["benchmarks"][0]["base"]["layers"] == []


def chain(database: Database) -> None:
    """a ← b ← c, all scored, and two models made from a."""
    scored(database, "org/a", 0.2)
    scored(database, "org/b", 0.25, base="org/a")
    scored(database, "org/c", 0.4, base="org/b")
    for name in ("org/d", "org/e"):
        scored(database, name, 0.3, base="org/a")


def test_pairs_are_of_the_family_that_was_set(client: TestClient, database: Database) -> None:
    chain(database)
    said = {"source": "a test", "properties": {"family": "llama"}}
    assert client.put("/v1/models/org/b/properties", json=said).status_code == 200
    assert [pair["tuned"] for pair in asked(client, family="llama")] == ["org/b"]
    assert asked(client, family="llama")[0]["family"] == "llama"


def test_a_chain_of_tunings_is_compared_with_its_beginning_or_step_by_step(
    client: TestClient, database: Database
) -> None:
    chain(database)
    of_c = {pair["tuned"]: pair for pair in asked(client)}["org/c"]
    assert (of_c["base"], of_c["hops"], of_c["between"]) == ("org/a", 2, ["org/b"])
    assert of_c["benchmarks"][0]["difference"] == pytest.approx(0.2)
    of_c = {pair["tuned"]: pair for pair in asked(client, against="nearest")}["org/c"]
    assert (of_c["base"], of_c["hops"], of_c["between"]) == ("org/b", 1, [])
    assert of_c["benchmarks"][0]["difference"] == pytest.approx(0.15)


def test_pages_of_pairs_hold_each_once_and_csv_holds_all(client: TestClient, database: Database) -> None:
    chain(database)
    whole, paged, token = asked(client), [], None
    while True:
        query = {"page_size": 3} | ({"page_token": token} if token else {})
        answer = client.get("/v1/pairs", params=query).json()
        paged += answer["data"]
        if (token := answer["next_page_token"]) is None:
            break
    assert [pair["tuned"] for pair in whole] == ["org/b", "org/c", "org/d", "org/e"]
    assert paged == whole
    text = client.get("/v1/pairs", params={"format": "csv", "page_size": 1}).text
    assert len(text.splitlines()) == 1 + len(whole)
    assert [pair["tuned"] for pair in asked(client, base="org/b", against="nearest")] == ["org/c"]


def test_without_draws_there_is_a_difference_and_a_reason(client: TestClient, database: Database) -> None:
    scored(database, "org/a", 0.2, draws=[0.1, 0.2])
    scored(database, "org/b", 0.1, base="org/a")
    [one] = asked(client)[0]["benchmarks"]
    assert (one["difference"], one["interval"], one["reason"]) == (pytest.approx(-0.1), None, "no_draws")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data_sha256": "e" * 64}, "other_data"),
        ({"warnings": (ScoreWarning(code="not_comparable", detail="masked"),)}, "not_comparable"),
    ],
)
def test_scores_that_do_not_compare_have_no_difference(
    client: TestClient, database: Database, changes: dict[str, Any], reason: str
) -> None:
    scored(database, "org/a", 0.2)
    scored(database, "org/b", 0.3, base="org/a", **changes)
    [one] = asked(client, benchmarks="pereira2018")[0]["benchmarks"]
    assert (one["difference"], one["reason"]) == (None, reason)


def test_a_benchmark_that_one_of_the_two_lacks_is_said(client: TestClient, database: Database) -> None:
    scored(database, "org/a", 0.2)
    scored(database, "org/b", 0.3, base="org/a")
    found = asked(client, benchmarks="pereira2018,futrell2018")[0]["benchmarks"]
    assert [(one["benchmark"], one["reason"]) for one in found] == [
        ("pereira2018", "no_draws"),
        ("futrell2018", "no_base_score"),
    ]


def test_names_that_nothing_has_are_refused(client: TestClient) -> None:
    assert client.get("/v1/pairs", params={"protocol": "none"}).json()["code"] == "protocol_unsupported"
    answer = client.get("/v1/pairs", params={"benchmarks": "none"}).json()
    assert (answer["code"], answer["param"]) == ("benchmark_unknown", "benchmarks")


MANY = 70_000
"""More than either database takes values in one query."""


def test_more_models_and_scores_are_asked_for_than_a_query_takes(database: Database) -> None:
    at = datetime(2026, 1, 31, tzinfo=UTC)
    ids = [f"org/m{number}" for number in range(MANY)]
    with database.write() as session:
        for name in (ids[0], ids[-1]):
            models.remember(session, NewModel(id=name, revision=SHA, family="gpt2"))
            said = NewProperty(model_id=name, name="mmlu", value=0.5, source="a table")
            properties.put(session, [said], origin=Origin.HAND)
    asked = [Model(id=name, revision=SHA, created_at=at) for name in ids]
    with database.read() as session:
        found = properties.of_models(session, asked)
        assert [name for (name, _), said in found.items() if "mmlu" in said] == [ids[0], ids[-1]]
        assert {name for name, _ in models.revisions(session, set(ids))} == {ids[0], ids[-1]}
        assert scores.draws(session, ids) == {}


def test_the_table_of_pairs_holds_what_the_json_holds_and_filters_choose(
    client: TestClient, database: Database
) -> None:
    common = np.random.default_rng(1).normal(0.2, 0.05, size=500)
    scored(database, "org/base", 0.2, draws=common)
    scored(database, "org/tuned", 0.3, draws=common + 0.1, base="org/base")
    scored(database, "org/other", 0.1, base="org/base")
    with database.write() as session:
        models.remember(session, NewModel(id="org/tuned", revision=SHA, family="t5", tuning="instruct"))
    by_filter = {
        name: [pair["tuned"] for pair in asked(client, **query)]
        for name, query in {
            "none": {},
            "family": {"family": "llama,t5"},
            "tuning": {"tuning": "instruct"},
            "base": {"base": "org/base"},
            "another base": {"base": "org/other"},
        }.items()
    }
    both, one = ["org/other", "org/tuned"], ["org/tuned"]
    assert by_filter == {"none": both, "family": one, "tuning": one, "base": both, "another base": []}
    rows = list(csv.DictReader(io.StringIO(client.get("/v1/pairs?format=csv").text)))
    sent = [(pair, benchmark) for pair in asked(client) for benchmark in pair["benchmarks"]]
    assert [(row["tuned"], row["benchmark"]) for row in rows] == [(one["tuned"], two["benchmark"]) for one, two in sent]
    for row, (_, benchmark) in zip(rows, sent, strict=True):
        assert float(row["difference"]) == pytest.approx(benchmark["difference"])
        assert row["base_score"] == benchmark["base"]["score"]
        interval = benchmark["interval"]
        assert row["low"] == ("" if interval is None else str(interval["low"]))


def test_published_pairs_are_those_of_the_analysis_and_have_no_scores(client: TestClient) -> None:
    published = "published-2312.00575"
    found = asked(client, protocol=published, family="t5,llama")
    body = {"kind": "paired", "protocol": published, "filters": {"family": ["t5", "llama"]}}
    result = client.post("/v1/analyses", json=body).json()["result"]
    assert {(pair["base"], pair["tuned"]) for pair in found} == {(one["base"], one["tuned"]) for one in result["pairs"]}
    for name, effect in result["effects"].items():
        changes = [one["difference"] for pair in found for one in pair["benchmarks"] if one["benchmark"] == name]
        known = [change for change in changes if change is not None]
        assert name == "average" or np.mean(known) == pytest.approx(effect["mean_difference"])
    sides = [one["base"] for pair in found for one in pair["benchmarks"]]
    assert {side["score"] for side in sides} == {None}
    refused = client.get("/v1/pairs", params={"protocol": published, "benchmarks": "tuckute2024"})
    assert (refused.status_code, refused.json()["param"]) == (422, "benchmarks")
    chart = client.get("/v1/pairs/chart.vl.json", params={"protocol": published}).json()
    assert any("as printed" in line for line in chart["title"]["subtitle"])
