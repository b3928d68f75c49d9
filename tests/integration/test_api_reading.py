from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from scoring import SCORING_VERSION
from scoring import results as science
from scoring.datasets.manifest import dataset_named
from scoring.protocols import PROTOCOLS
from storage import jobs, models, runs, scores
from storage.engine import Database
from storage.jobs import NewJob
from storage.models import NewModel
from storage.runs import Problem

SHA = "a" * 40


@pytest.fixture
def client(database: Database, database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    settings = ApiSettings(data_dir=tmp_path / "data", database_url=database_url, data_mirror=None)
    with TestClient(create_app(settings)) as connected:
        yield connected


def a_score(model: str, benchmark: str, raw: float, *, ceiling: float | None = None) -> science.Score:
    return science.Score(
        subject=model,
        benchmark=benchmark,
        benchmark_version=1,
        data_sha256="d" * 64,
        synthetic=benchmark.startswith("demo"),
        protocol="grouped",
        metric="pearson",
        raw=raw,
        ceiling=science.Ceiling.none("one participant")
        if ceiling is None
        else science.Ceiling(value=ceiling, method=science.CeilingMethod.FROM_ITEM_VARIANCE),
        n=science.Counts(stimuli=96, participants=2, units=24, valid_units=23, folds=4),
        parts=(
            science.PartScore(
                name="384sentences",
                raw=raw,
                weight=1.0,
                folds=(raw, raw),
                participants=(
                    science.Share(name="P01", raw=raw, n_units=12),
                    science.Share(name="=P", raw=None, n_units=0),
                ),
                regions=(science.Share(name="IFG", raw=raw, n_units=12),),
            ),
        ),
        layer=science.LayerChoice(
            selected=("block.0",), rule="nested", optimistic=science.Optimistic(name="block.1", raw=0.5)
        ),
        layers=(
            science.LayerScore(name="block.0", depth=0.0, raw=raw, reason=None, parts=()),
            science.LayerScore(
                name="block.1",
                depth=1.0,
                raw=None,
                reason="undefined",
                parts=(science.LayerPart(name="384sentences", raw=None),),
            ),
        ),
        interval=science.Interval(level=0.95, low=raw - 0.1, high=raw + 0.1, method="bootstrap", n=8, seed=0),
        null=science.NullTest(method="passage-permutation", n_draws=99, mean=0.0, high=0.1, p=0.01),
        unique_variance=science.UniqueVariance(nuisance=0.1, joint=0.15, unique=0.05),
        sensitivity=(science.Variant(name="pooling: mean", raw=None, reason="not asked for"),),
        measures={"cka": 0.5},
        warnings=(science.ScoreWarning(code="few_units", detail="one unit has no value"),),
        conditions={"dtype": "float32", "bos": True, "window": 1024, "scale": 0.5, "note": None},
    )


def record(
    database: Database, model: str, values: dict[str, science.Score | str], *, parameters: int | None = None
) -> list[str]:
    """Stores a score for each benchmark, or where the value is a code lets its run fail with it."""
    benchmarks = tuple((name, 1) for name in values)
    new_job = NewJob(
        model_id=model,
        requested_revision=SHA,
        benchmarks=benchmarks,
        protocol="grouped",
        scoring_version=SCORING_VERSION,
    )
    ids = []
    with database.write() as session:
        jobs.submit(session, new_job)
        models.remember(session, NewModel(id=model, revision=SHA, family="gpt2", parameters=parameters))
        claim = runs.claim(session, worker="w1", lease_s=60)
        assert claim is not None
        for run in claim.runs:
            value = values[run.benchmark]
            if isinstance(value, str):
                runs.fail(session, claim.token, run.id, Problem(code=value, detail="no"))
                continue
            held: dict[str, Any] = {"token": claim.token, "run_id": run.id}
            score_id = scores.record(session, **held, score=value, revision=SHA, dtype="float32")
            assert score_id is not None
            ids.append(score_id)
    return ids


def test_a_score_has_every_field_of_the_contract(client: TestClient, database: Database) -> None:
    [score_id] = record(database, "gpt2", {"futrell2018": a_score("gpt2", "futrell2018", 0.25, ceiling=0.5)})
    score = client.get(f"/v1/scores/{score_id}").json()
    run = score.pop("run")
    assert run.startswith("run_")
    assert score == {
        "object": "score",
        "id": score_id,
        "model": {"id": "gpt2", "revision": SHA},
        "benchmark": {"id": "futrell2018", "version": 1, "data_sha256": "d" * 64},
        "protocol": "grouped",
        "metric": "pearson",
        "raw": 0.25,
        "ceiling": {
            "value": 0.5,
            "low": None,
            "high": None,
            "method": "from-item-variance",
            "reason": None,
            "at_hand": None,
            "is_unstable": False,
        },
        "normalised": 0.5,
        "word_probability": None,
        "clipped": None,
        "interval": {"level": 0.95, "low": 0.15, "high": 0.35, "method": "bootstrap", "n": 8, "seed": 0},
        "interval_reason": None,
        "null": {"method": "passage-permutation", "n_draws": 99, "mean": 0.0, "high": 0.1, "p": 0.01},
        "unique_variance": {"nuisance": 0.1, "joint": 0.15, "unique": 0.05},
        "sensitivity": [{"name": "pooling: mean", "raw": None, "reason": "not asked for"}],
        "layer": {"selected": ["block.0"], "rule": "nested", "optimistic": {"name": "block.1", "raw": 0.5}},
        "n": {"stimuli": 96, "participants": 2, "units": 24, "valid_units": 23, "folds": 4},
        "measures": {"cka": 0.5},
        "parts": [
            {
                "name": "384sentences",
                "raw": 0.25,
                "weight": 1.0,
                "folds": [0.25, 0.25],
                "participants": [
                    {"name": "P01", "raw": 0.25, "n_units": 12},
                    {"name": "=P", "raw": None, "n_units": 0},
                ],
                "regions": [{"name": "IFG", "raw": 0.25, "n_units": 12}],
            }
        ],
        "baselines": [],
        "warnings": [{"code": "few_units", "detail": "one unit has no value"}],
        "provenance": f"/v1/scores/{score_id}/provenance",
        "superseded_by": None,
    }


def test_layers_come_in_order_of_depth_and_undefined_ones_say_so(client: TestClient, database: Database) -> None:
    [score_id] = record(database, "gpt2", {"futrell2018": a_score("gpt2", "futrell2018", 0.25)})
    assert client.get(f"/v1/scores/{score_id}/layers").json() == {
        "object": "list",
        "data": [
            {"name": "block.0", "depth": 0.0, "raw": 0.25, "reason": None, "parts": []},
            {
                "name": "block.1",
                "depth": 1.0,
                "raw": None,
                "reason": "undefined",
                "parts": [{"name": "384sentences", "raw": None}],
            },
        ],
        "next_page_token": None,
    }


def test_layers_and_participants_come_as_csv_where_that_is_asked_for(client: TestClient, database: Database) -> None:
    [score_id] = record(database, "gpt2", {"futrell2018": a_score("gpt2", "futrell2018", 0.25)})
    layers = client.get(f"/v1/scores/{score_id}/layers", headers={"Accept": "text/csv"})
    assert layers.headers["Content-Disposition"] == f'attachment; filename="{score_id}-layers.csv"'
    assert [*csv.reader(io.StringIO(layers.text))] == [
        ["name", "depth", "raw", "reason", "384sentences_raw"],
        ["block.0", "0.0", "0.25", "", ""],
        ["block.1", "1.0", "", "undefined", ""],
    ]
    path = f"/v1/scores/{score_id}/participants"
    assert client.get(path).json()["data"] == [
        {"part": "384sentences", "participant": "P01", "raw": 0.25, "n_units": 12},
        {"part": "384sentences", "participant": "=P", "raw": None, "n_units": 0},
    ]
    assert [*csv.reader(io.StringIO(client.get(path, params={"format": "csv"}).text))] == [
        ["part", "participant", "raw", "n_units"],
        ["384sentences", "P01", "0.25", "12"],
        ["384sentences", "'=P", "", "0"],
    ]
    assert client.get(path, params={"format": "xml"}).json()["code"] == "request_invalid"


def test_provenance_keeps_conditions_with_their_types(client: TestClient, database: Database) -> None:
    [score_id] = record(database, "gpt2", {"demo-fmri": a_score("gpt2", "demo-fmri", 0.25)})
    found = client.get(f"/v1/scores/{score_id}/provenance").json()
    assert found["conditions"] == {"dtype": "float32", "bos": True, "window": 1024, "scale": 0.5, "note": None}
    assert isinstance(found["conditions"]["bos"], bool)
    assert found["synthetic"] is True
    assert found["identity"]["scoring_version"] == SCORING_VERSION
    assert (found["identity"]["dtype"], found["identity"]["seed"], found["identity"]["options"]) == ("float32", 0, {})


def test_models_are_found_by_ids_with_slashes(client: TestClient, database: Database) -> None:
    record(database, "EleutherAI/pythia-70m", {"demo-fmri": "model_gated"}, parameters=70)
    record(database, "gpt2", {"demo-fmri": "model_gated"})
    found = client.get("/v1/models/EleutherAI/pythia-70m").json()
    assert (found["object"], found["revision"], found["parameters"]) == ("model", SHA, 70)
    listed = client.get("/v1/models", params={"page_size": 1})
    assert listed.json()["data"][0]["id"] == "gpt2"
    assert client.get(listed.links["next"]["url"]).json()["data"] == [found]
    assert client.get("/v1/models", params={"family": "llama"}).json()["data"] == []


def test_benchmarks_tell_their_data_and_whether_they_are_here(client: TestClient) -> None:
    listed = {entry["id"]: entry for entry in client.get("/v1/benchmarks").json()["data"]}
    natural = listed["futrell2018"]
    assert natural["dataset"]["sha256"] == dataset_named("natural-stories").sha256
    assert natural["dataset"]["licence"] == "CC BY-NC-SA 4.0"
    assert natural["dataset"]["ready"] is False
    assert natural["protocols"] == ["grouped", "paper-2312.00575"]
    assert (listed["demo-fmri"]["synthetic"], listed["demo-fmri"]["dataset"]["ready"]) == (True, True)
    assert client.get("/v1/benchmarks/futrell2018").json() == natural


def test_the_leaderboard_ranks_models_and_says_why_cells_are_missing(client: TestClient, database: Database) -> None:
    both = {
        "futrell2018": a_score("good", "futrell2018", 0.5, ceiling=0.5),
        "pereira2018-example": a_score("good", "pereira2018-example", 0.3),
    }
    ids = record(database, "good", both, parameters=1)
    half: dict[str, science.Score | str] = {
        "futrell2018": a_score("half", "futrell2018", 0.4, ceiling=0.5),
        "pereira2018-example": "model_too_large",
    }
    record(database, "half", half, parameters=2)
    board = client.get("/v1/leaderboard").json()
    assert [(column["key"], column["unit"]) for column in board["columns"]] == [
        ("futrell2018", "normalised"),
        ("pereira2018-example", "raw"),
    ]
    shown = {cell["score"] for row in board["data"] for cell in row["scores"].values() if "score" in cell}
    newest = max(client.get(f"/v1/scores/{score}/provenance").json()["created_at"] for score in shown)
    assert board["snapshot"] == newest
    first, second = board["data"]
    assert (first["rank"], first["model"]["id"], first["model"]["parameters"]) == (1, "good", 1)
    assert (board["average_unit"], first["average"]) == ("raw", pytest.approx(0.4))
    assert first["scores"]["futrell2018"]["value"] == pytest.approx(1.0)
    assert {cell["score"] for cell in first["scores"].values()} == set(ids)
    assert (second["rank"], second["average"]) == (None, None)
    assert second["scores"]["pereira2018-example"] == {"value": None, "missing": "model_too_large"}


def test_the_leaderboard_sorts_both_ways_and_by_size(client: TestClient, database: Database) -> None:
    for model, raw, parameters in (("a", 0.1, 3), ("b", 0.3, 2), ("c", 0.2, None)):
        record(database, model, {"futrell2018": a_score(model, "futrell2018", raw)}, parameters=parameters)

    def order(sort: str) -> str:
        rows = client.get("/v1/leaderboard", params={"sort": sort}).json()["data"]
        return "".join(row["model"]["id"] for row in rows)

    assert order("-average") == order("-futrell2018") == "bca"
    assert order("average") == order("futrell2018") == "acb"
    assert order("params") == "bac"
    assert order("-params") == "abc"


def test_synthetic_benchmarks_are_shown_when_asked_for(client: TestClient, database: Database) -> None:
    record(database, "gpt2", {"demo-fmri": a_score("gpt2", "demo-fmri", 0.5)})

    def keys(query: str) -> list[str]:
        return [column["key"] for column in client.get(f"/v1/leaderboard?{query}").json()["columns"]]

    assert keys("") == []
    assert keys("include_synthetic=true") == ["demo-fmri"]
    assert keys("benchmarks=demo-fmri") == ["demo-fmri"]
    assert client.get("/v1/leaderboard?benchmarks=demo-fmri").json()["data"][0]["scores"]["demo-fmri"]["value"] == 0.5


@pytest.mark.parametrize(("query", "accept"), [("?format=csv", "*/*"), ("", "text/csv")])
def test_the_leaderboard_is_csv_where_that_is_asked_for(
    client: TestClient, database: Database, query: str, accept: str
) -> None:
    record(database, "a/b", {"futrell2018": a_score("a/b", "futrell2018", -0.25, ceiling=0.5)}, parameters=7)
    answer = client.get(f"/v1/leaderboard{query}", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    header, row = csv.reader(io.StringIO(answer.text))
    assert dict(zip(header, row, strict=True)) == {
        "rank": "1",
        "model": "a/b",
        "revision": SHA,
        "dtype": "float32",
        "family": "gpt2",
        "parameters": "7",
        "average": "-0.5",
        "tuning": "",
        "coverage": "1",
        "rank_low": "",
        "rank_high": "",
        "tie_group": "",
        "futrell2018_raw": "-0.25",
        "futrell2018_normalised": "-0.5",
        "futrell2018_missing": "",
        "futrell2018_flags": "",
        "futrell2018_raw_low": "-0.35",
        "futrell2018_raw_high": "-0.15",
    }


def test_the_version_names_the_science_and_its_protocols(client: TestClient) -> None:
    found = client.get("/v1/version").json()
    assert (found["scoring_version"], found["protocols"]) == (SCORING_VERSION, sorted(PROTOCOLS))


def test_the_version_names_published_protocols_which_take_no_jobs(client: TestClient) -> None:
    [published] = client.get("/v1/version").json()["published_protocols"]
    assert (published["id"], published["can_be_submitted"]) == ("published-2312.00575", False)
    assert published["source"].startswith("arXiv:2312.00575v2, tables")
    assert client.get("/v1/leaderboard", params={"protocol": published["id"]}).json()["provenance"] == "published"
    job = {"model": "demo/tiny", "benchmarks": ["demo-fmri"], "protocol": published["id"]}
    assert client.post("/v1/jobs", json=job).json()["code"] == "protocol_unsupported"
    study = {"study": "paper-2312.00575", "protocol": published["id"]}
    assert client.post("/v1/studies", json=study).json()["code"] == "protocol_unsupported"


def test_the_reference_needs_no_other_host_and_lists_endpoints_and_codes(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "<script" not in page.text
    assert "http" not in page.text
    for expected in ("POST /v1/jobs", "GET /v1/leaderboard", "page_token", "model_id_malformed"):
        assert expected in page.text


def test_the_example_of_a_body_is_one_that_is_taken(client: TestClient) -> None:
    shown = client.get("/docs").text.partition("<pre><code>")[2].partition("</code>")[0]
    answer = client.post("/v1/jobs", json=json.loads(unescape(shown)))
    assert answer.status_code == 202, answer.text
