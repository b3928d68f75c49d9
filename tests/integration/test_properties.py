"""What is known of models beside their scores: set over HTTP, imported from files, read from models' files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from broca.errors import FileUnusable
from broca.property_files import read_properties
from scoring.subjects.card import base_of
from storage import lineage, models, properties
from storage.engine import Database
from storage.models import NewModel
from storage.properties import NewProperty, Origin

SHA, OTHER_SHA = "a" * 40, "b" * 40


@pytest.fixture
def client(database: Database, database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    given = ApiSettings(data_dir=tmp_path / "data", database_url=database_url, data_mirror=None)
    with TestClient(create_app(given)) as connected:
        yield connected


def met(database: Database, *names: str, revision: str = SHA, parameters: int | None = 124) -> None:
    with database.write() as session:
        for name in names:
            models.remember(session, NewModel(id=name, revision=revision, family="gpt2", parameters=parameters))


def put(client: TestClient, model: str, values: dict[str, Any], **further: Any) -> Any:
    return client.put(f"/v1/models/{model}/properties", json={"properties": values, **further})


def value_of(client: TestClient, model: str, name: str) -> Any:
    [found] = [one for one in client.get(f"/v1/models/{model}").json()["properties"] if one["name"] == name]
    return found


def test_what_was_read_from_files_is_shown_with_its_source(client: TestClient, database: Database) -> None:
    met(database, "org/a")
    found = value_of(client, "org/a", "parameters")
    assert (found["value"], found["origin"], found["source"]) == (124, "measured", "headers of the weights")


def test_what_was_set_by_hand_holds_and_says_what_was_measured(client: TestClient, database: Database) -> None:
    met(database, "org/a")
    given = {"parameters": {"value": 100, "source": "its paper", "date": "2024-01-31T00:00:00Z"}, "mmlu": 0.25}
    assert put(client, "org/a", given, source="a table").status_code == 200
    found = value_of(client, "org/a", "parameters")
    assert (found["value"], found["measured"], found["origin"], found["source"]) == (100, 124, "hand", "its paper")
    assert found["date"].startswith("2024-01-31")
    assert value_of(client, "org/a", "mmlu")["source"] == "a table"
    put(client, "org/a", {"parameters": None})
    assert value_of(client, "org/a", "parameters")["value"] == 124
    assert value_of(client, "org/a", "mmlu")["value"] == 0.25


def test_a_value_of_one_revision_holds_there_alone(client: TestClient, database: Database) -> None:
    met(database, "org/a")
    met(database, "org/a", revision=OTHER_SHA)
    assert put(client, "org/a", {"training_step": 1000}, revision=SHA).json()["revision"] == SHA
    named = {
        sha: {one["name"] for one in client.get("/v1/models/org/a", params={"revision": sha}).json()["properties"]}
        for sha in (SHA, OTHER_SHA)
    }
    assert "training_step" in named[SHA]
    assert "training_step" not in named[OTHER_SHA]


@pytest.mark.parametrize(
    "values",
    [
        {"mmlu": 41.0},
        {"tuning": "rlhf"},
        {"parameters": 1.5},
        {"width": -1},
        {"anything": "text"},
        {"Bad Name": 1},
        {"base": "../x"},
        {"base": []},
        {"family": ""},
        {"bbh": True},
        {"futrell2018": 0.5},
        {"average": 0.5},
        {"log10_parameters": 9},
        {"futrell2018_raw": 0.5},
        {"rank": 1},
        {"anything": 1e200},
    ],
)
def test_a_value_that_cannot_be_is_refused_and_nothing_kept(
    client: TestClient, database: Database, values: dict[str, Any]
) -> None:
    met(database, "org/a")
    answer = put(client, "org/a", {"training_step": 5, **values})
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] in {"property_invalid", "request_invalid"}
    assert answer.json()["param"].startswith("properties.")
    assert "training_step" not in client.get("/v1/models/org/a").text


def test_properties_of_an_unknown_model_are_refused(client: TestClient, database: Database) -> None:
    met(database, "org/a")
    assert put(client, "org/nobody", {"mmlu": 0.5}).json()["code"] == "model_unknown"
    values = [{"model": "org/a", "name": "mmlu", "value": 0.5}, {"model": "org/b", "name": "mmlu", "value": 0.5}]
    answer = client.post("/v1/properties", json={"values": values})
    assert (answer.status_code, answer.json()["param"]) == (404, "values[1]")
    assert "mmlu" not in client.get("/v1/models/org/a").text


def test_a_lineage_goes_over_several_hops(client: TestClient, database: Database) -> None:
    met(database, "org/alpaca", "org/flan")
    put(client, "org/alpaca", {"base": "org/flan", "tuning": "instruct"})
    put(client, "org/flan", {"base": ["org/adapted", "org/t5"]})
    model = client.get("/v1/models/org/alpaca").json()
    told = [(one["id"], one["hops"]) for one in model["lineage"]]
    assert told == [("org/flan", 1), ("org/adapted", 2), ("org/t5", 3)]
    assert model["tuning"] == "instruct"


def test_a_model_among_its_own_ancestors_is_refused(client: TestClient, database: Database) -> None:
    met(database, "org/a", "org/b")
    put(client, "org/a", {"base": "org/b"})
    answer = put(client, "org/b", {"base": ["org/c", "org/a"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "lineage_cyclic")
    assert client.get("/v1/models/org/b").json()["lineage"] == []
    assert put(client, "org/b", {"base": "org/b"}).json()["code"] == "lineage_cyclic"


def test_cards_that_name_one_another_end_the_walk(database: Database) -> None:
    said = [
        NewProperty(model_id="org/a", revision=SHA, name="base", value="org/b", source="model card"),
        NewProperty(model_id="org/b", revision=SHA, name="base", value="org/a", source="model card"),
    ]
    with database.write() as session:
        properties.put(session, said, origin=Origin.MEASURED)
        assert [one.model_id for one in lineage.lineages(session).of("org/a")] == ["org/b"]


def test_what_a_study_says_of_a_tag_holds_for_its_commit(client: TestClient, database: Database) -> None:
    said = [
        NewProperty(model_id="org/a", revision="step1000", name="training_step", value=1000, source="study x"),
        NewProperty(model_id="org/a", name="tuning", value="base", source="study x"),
    ]
    with database.write() as session:
        properties.put(session, said, origin=Origin.STUDY)
    met(database, "org/a")
    with database.write() as session:
        properties.remember(session, "org/a", SHA, [], requested="step1000")
    found = value_of(client, "org/a", "training_step")
    assert (found["value"], found["origin"], found["revision"]) == (1000, "study", SHA)
    assert client.get("/v1/models/org/a").json()["tuning"] == "base"


@pytest.mark.parametrize(
    ("card", "base"),
    [
        ("---\nlicense: mit\nbase_model: org/base\n---\ntext", "org/base"),
        ("---\nbase_model:\n- org/base\ntags:\n- x\n---\n", "org/base"),
        ("---\nbase_model: ['org/base']\nbase_model_relation: finetune\n---\n", "org/base"),
        ("---\nbase_model: org/base\nbase_model_relation: quantized\n---\n", None),
        ("---\nbase_model: [org/a, org/b]\n---\n", None),
        ("---\nbase_model: https://example.org/x\n---\n", None),
        ("---\nbase_model: org/base\n", None),
        ("base_model: org/base\n", None),
    ],
)
def test_a_card_is_believed_where_it_names_one_model(tmp_path: Path, card: str, base: str | None) -> None:
    (tmp_path / "README.md").write_text(card)
    assert base_of(tmp_path) == base


HARNESS: dict[str, Any] = {
    "results": {
        "mmlu": {"alias": "mmlu", "acc,none": 0.31, "acc_stderr,none": 0.01},
        "mmlu_stem": {"acc,none": 0.3},
        "mmlu_anatomy": {"acc,none": 0.2},
        "bbh": {"exact_match,get-answer": 0.28},
        "wikitext": {"word_perplexity,none": 20.0},
    },
    "groups": {"mmlu": {}, "mmlu_stem": {}, "bbh": {}},
    "config": {"model_args": "pretrained=org/a,dtype=float32"},
    "n-shot": {"mmlu": 5},
    "lm_eval_version": "0.4.9",
    "date": 1_700_000_000.5,
}


def test_results_of_the_harness_are_taken_and_the_rest_is_told(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text(json.dumps(HARNESS))
    found = read_properties(file)
    assert {(one.model, one.name, one.value) for one in found.taken} == {
        ("org/a", "mmlu", 0.31),
        ("org/a", "mmlu_stem", 0.3),
        ("org/a", "bbh", 0.28),
    }
    assert [name for name, _ in found.left] == ["mmlu_anatomy", "wikitext"]
    [mmlu] = [one for one in found.taken if one.name == "mmlu"]
    assert mmlu.source == "lm-evaluation-harness 0.4.9: acc,none, 5 shots"
    assert mmlu.date is not None
    assert mmlu.date.year == 2023


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nan.json", json.dumps(HARNESS).replace("0.28", "NaN")),
        ("none.json", "{}"),
        ("broken.json", "{"),
        ("nan.csv", "model,name,value\norg/a,mmlu,nan\n"),
        ("columns.csv", "model,value\norg/a,1\n"),
        ("cells.csv", "model,name,value\norg/a,mmlu\n"),
        ("date.csv", "model,name,value,date\norg/a,mmlu,0.1,yesterday\n"),
    ],
)
def test_a_file_with_a_fault_is_refused_as_a_whole(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(FileUnusable):
        read_properties(tmp_path / name)


def test_a_table_is_imported_with_sources_and_dates(client: TestClient, database: Database, tmp_path: Path) -> None:
    met(database, "org/a", "org/b")
    file = tmp_path / "table.csv"
    file.write_text("model,name,value,source,date\norg/a,mmlu,0.4,a table,2024-05-06\norg/b,base,org/a org/c,,\n")
    values = [one.as_json() for one in read_properties(file).taken]
    answer = client.post("/v1/properties", json={"values": values})
    assert answer.json() == {"object": "properties", "taken": 2, "models": ["org/a", "org/b"]}
    mmlu = value_of(client, "org/a", "mmlu")
    assert (mmlu["source"], mmlu["date"][:10]) == ("a table", "2024-05-06")
    assert value_of(client, "org/b", "base")["value"] == ["org/a", "org/c"]
