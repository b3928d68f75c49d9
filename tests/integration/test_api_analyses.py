"""Analyses over HTTP: every published number, measured scores, what is kept, and what is refused."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from scoring import SCORING_VERSION
from scoring import results as science
from storage import analyses, jobs, models, runs, scores
from storage.engine import Database
from storage.errors import AnalysisNotFound
from storage.jobs import NewJob
from storage.models import NewModel

Ask = Callable[..., dict[str, Any]]

SHA = "a" * 40
PUBLISHED = "published-2312.00575"
MAIN = {"family": ["t5", "llama"]}
TUNED = {"family": ["t5", "llama"], "tuning": ["instruct"]}
BRAIN = ["pereira2018", "blank2014", "wehbe2014"]


@pytest.fixture
def client(database: Database, database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    settings = ApiSettings(data_dir=tmp_path / "data", database_url=database_url, data_mirror=None)
    with TestClient(create_app(settings)) as connected:
        yield connected


@pytest.fixture
def ask(client: TestClient) -> Ask:
    def answered(kind: str, **asked: Any) -> dict[str, Any]:
        body = {"kind": kind, "protocol": PUBLISHED, "filters": MAIN, **asked}
        response = client.post("/v1/analyses", json=body)
        assert response.status_code in {200, 201}, response.text
        found: dict[str, Any] = response.json()
        return found

    return answered


def correlations_in(analysis: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(test["benchmark"], test["property"]): test for test in analysis["result"]["tests"]}


def test_every_published_correlation(ask: Ask) -> None:
    properties = ["log10_parameters", "mmlu", "bbh", "wikitext2_loss", "log10_width"]
    found = ask("correlate", benchmarks=["average", *BRAIN, "mmlu"], properties=properties[:1], filters=TUNED)
    rs = {score: test["whole"]["r"] for (score, _), test in correlations_in(found).items()}
    expected = {"average": 0.946, "pereira2018": 0.908, "blank2014": 0.192, "wehbe2014": 0.662, "mmlu": 0.878}
    assert rs == pytest.approx(expected, abs=0.002)
    assert correlations_in(found)["average", "log10_parameters"]["whole"]["p"] == pytest.approx(1.0e-8, rel=0.02)

    size = correlations_in(found)["average", "log10_parameters"]["bootstrap"]
    assert (size["low"], size["high"]) == pytest.approx((0.888, 0.985), abs=0.004), "draws"
    assert (size["method"], size["n"]) == ("base-bootstrap-percentile", 8)

    found = ask("correlate", benchmarks=["average"], properties=properties, filters=TUNED)
    rs = {name: test["whole"]["r"] for (_, name), test in correlations_in(found).items()}
    expected = {"log10_parameters": 0.946, "mmlu": 0.805, "bbh": 0.379, "wikitext2_loss": +0.545, "log10_width": 0.968}
    assert rs == pytest.approx(expected, abs=0.002), "the loss has the sign of the table, not that of the text"
    assert {test["whole"]["n"] for test in found["result"]["tests"]} == {17}
    assert {test["whole"]["n_bases"] for test in found["result"]["tests"]} == {8}

    (all_25,) = ask("correlate", benchmarks=["average"])["result"]["tests"]
    assert (all_25["whole"]["r"], all_25["whole"]["n"]) == (pytest.approx(0.920, abs=0.002), 25)


def test_every_published_partial_correlation(ask: Ask) -> None:
    properties = ["mmlu", "log10_parameters", "log10_width"]
    found = ask("correlate", benchmarks=["average"], properties=properties, held=properties, filters=TUNED)
    partials = {
        (name, partial["given"]): partial["coefficient"]
        for (_, name), test in correlations_in(found).items()
        for partial in test["partials"]
    }
    expected = {
        ("mmlu", "log10_parameters"): -0.159,
        ("log10_parameters", "mmlu"): 0.841,
        ("log10_parameters", "log10_width"): -0.171,
        ("log10_width", "log10_parameters"): 0.643,
    }
    assert {key: partials[key]["r"] for key in expected} == pytest.approx(expected, abs=0.002)
    knowledge = partials["mmlu", "log10_parameters"]
    assert (knowledge["independent"]["low"], knowledge["independent"]["high"]) == pytest.approx(
        (-0.61, 0.37), abs=0.005
    )
    assert knowledge["interval"]["low"] < 0 < knowledge["interval"]["high"]


def test_families_tell_what_all_models_together_hide(ask: Ask) -> None:
    found = ask("correlate", benchmarks=["average"], filters=TUNED)
    (test,) = found["result"]["tests"]
    families = {one["family"]: (round(one["r"], 2), one["n"]) for one in test["by_family"]}
    assert families == {"t5": (0.94, 12), "llama": (0.22, 5)}
    assert {"shared_bases", "few_bases", "families_disagree"} <= {warning["code"] for warning in found["warnings"]}


def test_p_values_are_adjusted_over_all_tests_of_a_question(ask: Ask) -> None:
    properties = ["log10_parameters", "mmlu", "bbh"]
    tests = ask("correlate", benchmarks=["average"], properties=properties, filters=TUNED)["result"]["tests"]
    ps = [test["whole"]["p"] for test in tests]
    assert [test["p_adjusted"] for test in tests] == pytest.approx([3 * ps[0], 1.5 * ps[1], ps[2]])


def test_every_published_change_over_pairs_and_over_bases(ask: Ask) -> None:
    effects = ask("paired", benchmarks=[*BRAIN, "average", "futrell2018"])["result"]["effects"]
    percents = {name: effect["mean_percent"] for name, effect in effects.items()}
    expected = {"pereira2018": 6.99, "blank2014": 7.99, "wehbe2014": 3.97, "average": 5.98, "futrell2018": -11.8}
    assert percents == pytest.approx(expected, abs=0.05)
    assert effects["futrell2018"]["median_percent"] == pytest.approx(0.5, abs=0.05)
    for over, ups, ps in (
        ("over_pairs", (16, 12, 12, 13, 9), (0.0001, 0.0658, 0.0096, 0.0035)),
        ("over_bases", (8, 6, 7, 6), (0.0078, 0.25, 0.0703, 0.0781)),
    ):
        counted = [effects[name][over] for name in (*BRAIN, "average", "futrell2018")]
        assert tuple(one["n_up"] for one in counted)[: len(ups)] == ups
        assert tuple(one["test"]["p"] for one in counted)[: len(ps)] == pytest.approx(ps, abs=0.00005)
    assert {effect["over_pairs"]["n"] for effect in effects.values()} == {17}
    assert {effect["over_bases"]["n"] for effect in effects.values()} == {8}


def test_both_readings_of_the_published_six_percent(ask: Ask) -> None:
    average = ask("paired")["result"]["average"]
    assert average == {
        "of_percentages": pytest.approx(6.3, abs=0.05),
        "of_average": pytest.approx(5.98, abs=0.05),
    }


def test_pairs_whose_base_is_further_away_are_warned_of(ask: Ask) -> None:
    (warning,) = [one for one in ask("paired")["warnings"] if one["code"] == "mixed_lineage"]
    assert warning["detail"].startswith("13 of 17 tuned models")


def test_eight_of_the_25_exceed_the_published_ceiling(client: TestClient) -> None:
    rows = client.get(f"/v1/leaderboard?protocol={PUBLISHED}").json()["data"]
    main = [row for row in rows if row["model"]["family"] in MAIN["family"]]
    assert (len(main), sum(row["scores"]["pereira2018"]["value"] > 0.359 for row in main)) == (25, 8)


def test_mixed_holds_size_and_data_set(ask: Ask) -> None:
    found = ask("mixed")["result"]
    assert (found["whole"]["n"], found["whole"]["n_bases"]) == (75, 8)
    assert found["whole"]["percent"] == pytest.approx(5.57, abs=0.05)
    assert found["whole"]["p"] > 0.05
    assert {one["name"]: one["fit"]["p"] < 0.05 for one in found["by_dataset"]} == {
        "pereira2018": True,
        "blank2014": False,
        "wehbe2014": True,
    }


def test_consistency_of_brains_and_behaviour(ask: Ask) -> None:
    found = ask("consistency", benchmarks=["average"])["result"]["benchmarks"]["average"]
    assert (found["over_models"]["whole"]["n"], found["changes"]["n"]) == (25, 17)


def test_an_answer_is_kept_and_found_again(client: TestClient) -> None:
    body = {"kind": "correlate", "protocol": PUBLISHED, "benchmarks": ["average"]}
    first = client.post("/v1/analyses", json=body)
    assert (first.status_code, first.json()["cached"]) == (201, False)
    assert (first.json()["provenance"], first.json()["source"]) == (
        "published",
        "arXiv:2312.00575v2, tables 3, 4, 5, 7, 9",
    )
    again = client.post("/v1/analyses", json={**body, "seed": 0, "filters": {}})
    assert (again.status_code, again.json()["cached"]) == (200, True)
    assert first.headers["location"] == again.headers["location"] == f"/v1/analyses/{first.json()['id']}"
    read = client.get(first.headers["location"]).json()
    assert {**read, "cached": False} == first.json()
    assert client.post("/v1/analyses", json={**body, "seed": 1}).status_code == 201


def test_the_table_of_an_analysis_is_csv(client: TestClient) -> None:
    body = {"kind": "paired", "protocol": PUBLISHED, "benchmarks": BRAIN, "filters": MAIN}
    place = client.post("/v1/analyses", json=body).headers["location"]
    answer = client.get(place, headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 17 * 3
    (row,) = [row for row in rows if row["tuned"] == "flan-t5-xl" and row["benchmark"] == "pereira2018"]
    assert (row["base"], row["base_score"], row["tuned_score"]) == ("t5-xl", "0.285", "0.314")
    assert (float(row["difference"]), float(row["percent"])) == pytest.approx((0.029, 10.175), abs=0.001)


REFUSED = [
    ({"filters": {"models": ["llama-7b", "llama-13b"]}}, "analysis_too_small", None),
    ({"filters": {"family": ["nothing"]}}, "analysis_too_small", None),
    (
        {"properties": ["log10_parameters"], "filters": {"models": ["llama-7b", "alpaca-7b", "vicuna-7b"]}},
        "analysis_too_small",
        None,
    ),
    (
        {"properties": ["n_layers"], "filters": {"params_min": 3 * 10**9, "params_max": 3 * 10**9}},
        "property_constant",
        None,
    ),
    ({"properties": ["training_step"]}, "analysis_too_small", None),
    ({"properties": ["shoe_size"]}, "property_unknown", "properties"),
    ({"held": ["shoe_size"]}, "property_unknown", "held"),
    ({"benchmarks": ["tuckute2024"]}, "property_unknown", "benchmarks"),
    ({"kind": "consistency", "behaviour": "shoe_size"}, "property_unknown", "behaviour"),
    ({"kind": "paired", "filters": {"family": ["llama"], "tuning": ["base"]}}, "analysis_too_small", None),
    ({"kind": "mixed", "filters": {"tuning": ["instruct"]}}, "property_constant", None),
    ({"kind": "layers"}, "analysis_too_small", None),
    ({"kind": "trajectory"}, "analysis_too_small", None),
    ({"kind": "cluster"}, "request_invalid", "kind"),
    ({"protocol": "nobody"}, "protocol_unsupported", None),
    ({"properties": []}, "request_invalid", "properties"),
    ({"filters": {"shoe_size": 3}}, "request_invalid", "filters.shoe_size"),
]


@pytest.mark.parametrize(("asked", "code", "param"), REFUSED)
def test_what_makes_no_sense_is_refused_with_its_reason(
    client: TestClient, asked: dict[str, Any], code: str, param: str | None
) -> None:
    body = {"kind": "correlate", "protocol": PUBLISHED, "benchmarks": ["average"], **asked}
    if body["kind"] in {"paired", "mixed", "layers", "trajectory"}:
        del body["benchmarks"]
    problem = client.post("/v1/analyses", json=body).json()
    assert (problem["status"], problem["code"]) == (422, code), problem
    assert param is None or problem["param"] == param
    assert problem["detail"]


def test_an_unknown_analysis_is_not_found(client: TestClient) -> None:
    problem = client.get("/v1/analyses/analysis_0").json()
    assert (problem["status"], problem["code"]) == (404, "analysis_not_found")


def record(
    database: Database, model: str, values: dict[str, float], *, parameters: int | None, revision: str = SHA
) -> None:
    """A measured score of each benchmark, of a model that a worker has looked at."""
    new_job = NewJob(
        model_id=model,
        requested_revision=revision,
        benchmarks=tuple((name, 1) for name in values),
        protocol="grouped",
        scoring_version=SCORING_VERSION,
    )
    with database.write() as session:
        jobs.submit(session, new_job)
        models.remember(session, NewModel(id=model, revision=revision, family="gpt2", parameters=parameters))
        claim = runs.claim(session, worker="w1", lease_s=60)
        assert claim is not None
        for run in claim.runs:
            score = a_score(model, run.benchmark, values[run.benchmark])
            held: dict[str, Any] = {"token": claim.token, "run_id": run.id}
            assert scores.record(session, **held, score=score, revision=revision, dtype="float32") is not None


def a_score(model: str, benchmark: str, raw: float) -> science.Score:
    return science.Score(
        subject=model,
        benchmark=benchmark,
        benchmark_version=1,
        data_sha256="d" * 64,
        synthetic=False,
        protocol="grouped",
        metric="pearson",
        raw=raw,
        ceiling=science.Ceiling.none("one participant"),
        n=science.Counts(stimuli=96, participants=1, units=24, valid_units=24, folds=4),
    )


@pytest.fixture
def measured(database: Database) -> None:
    """Six models whose brain scores rise with size; of one nobody knows the size, one was not read for."""
    for number, raw in enumerate((0.1, 0.22, 0.28, 0.4, 0.52)):
        values = {"pereira2018": raw, "blank2014": raw / 2, "futrell2018": 0.3 - raw / 4}
        record(database, f"org/model-{number}", values, parameters=10 ** (6 + number))
    record(database, "org/odd", {"pereira2018": 0.9}, parameters=None)


@pytest.mark.usefixtures("measured")
def test_measured_scores_are_analysed_and_what_is_not_known_is_counted(ask: Ask) -> None:
    found = ask("correlate", protocol="grouped", benchmarks=["pereira2018", "blank2014", "average"], filters={})
    assert (found["provenance"], found["source"], found["n_models"]) == ("measured", None, 6)
    expected = np.corrcoef([6, 7, 8, 9, 10], [0.1, 0.22, 0.28, 0.4, 0.52])[0, 1]
    for test in found["result"]["tests"]:
        assert test["whole"]["r"] == pytest.approx(expected)
        assert (test["whole"]["n"], test["n_missing"]) == (5, 1)
        assert test["whole"]["interval"]["n"] == 5
    assert "incomplete" in {warning["code"] for warning in found["warnings"]}


@pytest.mark.usefixtures("measured")
def test_whatever_number_somebody_set_can_be_correlated_and_held(client: TestClient, ask: Ask) -> None:
    for number, value in enumerate((3.0, 1.0, 4.0, 1.5, 5.0)):
        set_properties(client, f"org/model-{number}", my_score=value, mmlu_stem=value / 10 + number / 20)
    asked = {"benchmarks": ["pereira2018"], "properties": ["my_score"], "held": ["mmlu_stem"], "filters": {}}
    (test,) = ask("correlate", protocol="grouped", **asked)["result"]["tests"]
    assert test["whole"]["r"] == pytest.approx(
        np.corrcoef([3.0, 1.0, 4.0, 1.5, 5.0], [0.1, 0.22, 0.28, 0.4, 0.52])[0, 1]
    )
    assert [partial["given"] for partial in test["partials"]] == ["mmlu_stem"]


@pytest.mark.usefixtures("measured")
def test_measured_brains_and_behaviour_are_compared(ask: Ask) -> None:
    found = ask("consistency", protocol="grouped", filters={})["result"]["benchmarks"]
    assert set(found) == {"average", "pereira2018", "blank2014"}
    assert found["average"]["over_models"]["whole"]["r"] == pytest.approx(-1.0)
    assert found["average"]["changes"] is None


@pytest.mark.usefixtures("measured")
def test_a_new_score_makes_a_new_analysis(client: TestClient, database: Database) -> None:
    body = {"kind": "correlate", "benchmarks": ["pereira2018"]}
    first = client.post("/v1/analyses", json=body)
    assert (first.status_code, client.post("/v1/analyses", json=body).status_code) == (201, 200)
    record(database, "org/model-5", {"pereira2018": 0.1}, parameters=10**11)
    second = client.post("/v1/analyses", json=body)
    assert second.status_code == 201
    assert second.json()["id"] != first.json()["id"]
    assert client.get(f"/v1/analyses/{first.json()['id']}").json()["n_models"] == 6


@pytest.mark.usefixtures("measured")
def test_published_rows_and_measured_ones_are_never_in_one_analysis(ask: Ask) -> None:
    assert ask("correlate", benchmarks=["average"], filters={})["n_models"] == 33
    assert ask("correlate", protocol="grouped", benchmarks=["pereira2018"], filters={})["n_models"] == 6


@pytest.mark.usefixtures("measured")
def test_without_known_lineages_there_are_no_pairs(client: TestClient) -> None:
    problem = client.post("/v1/analyses", json={"kind": "paired"}).json()
    assert (problem["code"], problem["detail"]) == ("analysis_too_small", "0 pairs are too few")


def set_properties(client: TestClient, model: str, **values: Any) -> None:
    body = {"source": "a test", "properties": values}
    answer = client.put(f"/v1/models/{model}/properties", json=body)
    assert answer.status_code == 200, answer.text


@pytest.mark.usefixtures("measured")
def test_pairs_are_those_of_known_lineages_with_the_scored_model_that_is_furthest_back(
    client: TestClient, ask: Ask
) -> None:
    """model-0 <- (one that has no score) <- model-1 <- model-2, and model-3 <- model-4."""
    set_properties(client, "org/model-1", base="org/without-score org/model-0", tuning="instruct")
    set_properties(client, "org/model-2", base="org/model-1", tuning="instruct")
    set_properties(client, "org/model-4", base="org/model-3", tuning="instruct")
    found = ask("paired", protocol="grouped", benchmarks=["pereira2018"], filters={})
    pairs = {(pair["base"], pair["tuned"]): pair["lineage"] for pair in found["result"]["pairs"]}
    assert pairs == {
        ("org/model-0", "org/model-1"): ["org/without-score", "org/model-0"],
        ("org/model-0", "org/model-2"): ["org/model-1", "org/without-score", "org/model-0"],
        ("org/model-3", "org/model-4"): ["org/model-3"],
    }
    differences = {row[1]: row[5] for row in found["table"]["rows"]}
    assert differences == pytest.approx({"org/model-1": 0.12, "org/model-2": 0.18, "org/model-4": 0.12})


def test_models_of_one_training_are_one_base_whether_or_not_its_first_model_has_a_score(
    client: TestClient, database: Database, ask: Ask
) -> None:
    """t5 <- flan <- three models, and t5 itself without a score; sister comes from t5 too, by another way."""
    for number, name in enumerate(["flan", "a", "b", "c", "sister", "of-sister"]):
        record(database, f"org/{name}", {"pereira2018": 0.1 + 0.01 * number**2}, parameters=10 ** (6 + number))
    for name, base in {
        "flan": "t5",
        "a": "flan",
        "b": "flan",
        "c": "flan",
        "sister": "t5",
        "of-sister": "sister",
    }.items():
        set_properties(client, f"org/{name}", base=f"org/{base}", tuning="instruct")
    (test,) = ask("correlate", protocol="grouped", benchmarks=["pereira2018"], filters={})["result"]["tests"]
    assert (test["whole"]["n"], test["whole"]["n_bases"]) == (6, 1)
    found = ask("paired", protocol="grouped", benchmarks=["pereira2018"], filters={})["result"]
    assert {(pair["base"], pair["tuned"]) for pair in found["pairs"]} == {
        *(("org/flan", f"org/{name}") for name in "abc"),
        ("org/sister", "org/of-sister"),
    }, "the partner is the furthest that has a score"
    effect = found["effects"]["pereira2018"]
    assert (effect["over_pairs"]["n"], effect["over_bases"]["n"]) == (4, 1)
    changes = ask(
        "consistency", protocol="grouped", benchmarks=["pereira2018"], behaviour="log10_parameters", filters={}
    )
    assert changes["result"]["benchmarks"]["pereira2018"]["changes"]["n_bases"] == 1


@pytest.mark.usefixtures("measured")
def test_numbers_that_were_set_by_hand_are_properties_of_an_analysis(client: TestClient, ask: Ask) -> None:
    for number, mmlu in enumerate((0.25, 0.3, 0.28, 0.5, 0.6)):
        set_properties(client, f"org/model-{number}", mmlu=mmlu)
    (test,) = ask("correlate", protocol="grouped", benchmarks=["pereira2018"], properties=["mmlu"], filters={})[
        "result"
    ]["tests"]
    expected = np.corrcoef([0.25, 0.3, 0.28, 0.5, 0.6], [0.1, 0.22, 0.28, 0.4, 0.52])[0, 1]
    assert (test["whole"]["r"], test["n_missing"]) == (pytest.approx(expected), 1)


def test_revisions_of_one_model_are_a_trajectory(client: TestClient, database: Database, ask: Ask) -> None:
    for step, raw in ((1000, 0.1), (2000, 0.3), (3000, 0.25)):
        revision = f"{step:040d}"
        record(database, "org/trained", {"pereira2018": raw}, parameters=10**7, revision=revision)
        body = {"source": "a test", "revision": revision, "properties": {"training_step": step}}
        assert client.put("/v1/models/org/trained/properties", json=body).status_code == 200
    found = ask("trajectory", protocol="grouped", benchmarks=["pereira2018"], filters={})
    (series,) = found["result"]["benchmarks"]["pereira2018"]["series"]
    assert [(point["step"], point["score"]) for point in series["points"]] == [(1000, 0.1), (2000, 0.3), (3000, 0.25)]
    assert (series["name"], series["peak_step"]) == ("org/trained", 2000)


@pytest.mark.usefixtures("measured")
def test_scores_of_models_of_unknown_tuning_are_left_out_of_mixed_and_counted(client: TestClient, ask: Ask) -> None:
    """Five models of known size and two brain scores each; one that has only one of them, and no known size."""
    tunings = {"org/model-1": "instruct", "org/model-3": "instruct", "org/model-0": "base", "org/model-2": "base"}
    for name, tuning in tunings.items():
        set_properties(client, name, tuning=tuning)
    found = ask("mixed", protocol="grouped", benchmarks=["pereira2018", "blank2014"], filters={})
    assert (found["result"]["whole"]["n"], found["result"]["n_left_out"]) == (8, 4)
    (told,) = [one["detail"] for one in found["warnings"] if one["code"] == "not_positive"]
    assert told == "4 scores missing, not positive, or of models of unknown size or tuning"


def record_pairs(client: TestClient, database: Database, tunings: str) -> None:
    """For each letter a base and a model tuned from it, i(nstruct) or a(blation)."""
    for number, letter in enumerate(tunings):
        for name, more in ((f"org/base-{number}", 0.0), (f"org/tuned-{number}", 0.03 * number**2)):
            values = {"pereira2018": 0.1 + 0.02 * number + more, "futrell2018": 0.3 + more / 2}
            record(database, name, values, parameters=10 ** (6 + number))
        tuning = {"i": "instruct", "a": "ablation"}[letter]
        set_properties(client, f"org/base-{number}", tuning="base")
        set_properties(client, f"org/tuned-{number}", tuning=tuning, base=f"org/base-{number}")


def of_code(found: dict[str, Any], code: str) -> list[str]:
    return [one["detail"] for one in found["warnings"] if one["code"] == code]


def test_pairs_of_several_tunings_are_together_with_a_warning_or_apart_by_a_filter(
    client: TestClient, database: Database, ask: Ask
) -> None:
    record_pairs(client, database, "iiiia")
    asked: dict[str, Any] = {"protocol": "grouped", "benchmarks": ["pereira2018"]}
    for tuning, n, told in (
        ([], 5, ["4 instruct"]),
        (["instruct"], 4, []),
        (["instruct", "ablation"], 5, ["1 ablation"]),
    ):
        paired = ask("paired", **asked, filters={"tuning": tuning})
        assert paired["result"]["effects"]["pereira2018"]["over_pairs"]["n"] == n
        consistency = ask("consistency", **asked, filters={"tuning": tuning})
        changes = consistency["result"]["benchmarks"]["pereira2018"]["changes"]
        assert (changes["n"], changes["r"]) == (n, pytest.approx(1.0)), "bases need not pass the filter"
        for found in (paired, consistency):
            details = of_code(found, "mixed_tuning")
            assert len(details) == len(told)
            assert all(words in detail for words, detail in zip(told, details, strict=True))
    mixed = ask("mixed", **asked, filters={})["result"]["whole"]
    assert mixed["n"] == 10, "an ablation stands beside the bases"


def test_a_benchmark_that_cannot_be_answered_has_a_reason_and_the_others_are_answered(
    client: TestClient, database: Database, ask: Ask
) -> None:
    record_pairs(client, database, "iiii")
    for name in ("org/base-0", "org/tuned-0"):
        record(database, name, {"blank2014": 0.2}, parameters=10**6)
    asked: dict[str, Any] = {"protocol": "grouped", "filters": {}}
    found = ask("paired", **asked)["result"]
    assert set(found["effects"]) == {"pereira2018", "futrell2018"}
    reasons = {one["benchmark"]: one["reason"] for one in found["unanswered"]}
    assert set(reasons) == {"blank2014", "average"}
    assert reasons["blank2014"] == "1 pair is too few; 3 lack a score"
    assert found["average"] == {"of_percentages": None, "of_average": None}
    found = ask("correlate", **asked)["result"]
    assert {test["benchmark"] for test in found["tests"]} == {"pereira2018", "futrell2018"}
    assert {(one["benchmark"], one["property"]) for one in found["unanswered"]} == {
        ("blank2014", "log10_parameters"),
        ("average", "log10_parameters"),
    }
    found = ask("consistency", **asked)["result"]
    assert (set(found["benchmarks"]), len(found["unanswered"])) == ({"pereira2018"}, 2)
    for kind in ("paired", "correlate", "consistency"):
        body = {"kind": kind, "protocol": "grouped", "benchmarks": ["pereira2018", "blank2014"]}
        problem = client.post("/v1/analyses", json=body).json()
        assert (problem["status"], problem["code"], problem["param"]) == (422, "analysis_too_small", "benchmarks")
        assert problem["detail"].startswith("blank2014: "), problem


def test_two_trainings_of_one_base_are_two_trajectories(client: TestClient, database: Database, ask: Ask) -> None:
    raws = {"org/up": (0.1, 0.2, 0.3), "org/down": (0.3, 0.2, 0.1)}
    for (name, values), digit in zip(raws.items(), "12", strict=True):
        for step, raw in enumerate(values):
            revision = digit * 39 + str(step)
            record(database, name, {"pereira2018": raw}, parameters=10**7, revision=revision)
            body = {"source": "a test", "revision": revision, "properties": {"training_step": step}}
            assert client.put(f"/v1/models/{name}/properties", json=body).status_code == 200
        set_properties(client, name, base="org/first", tuning="instruct")
    found = ask("trajectory", protocol="grouped", benchmarks=["pereira2018"], filters={})
    series = found["result"]["benchmarks"]["pereira2018"]["series"]
    courses = {one["name"]: [point["score"] for point in one["points"]] for one in series}
    assert courses == {name: list(values) for name, values in raws.items()}


def test_the_oldest_analyses_go_when_there_are_too_many(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analyses, "MAX_KEPT", 2)
    ids = []
    for number in range(4):
        with database.write() as session:
            kept = analyses.keep(session, f"{number:064d}"[::-1], kind="paired", protocol="p", question={}, answer={})
            ids.append(kept.id)
        time.sleep(0.005)
    with database.read() as session:
        assert [analyses.get(session, one).id for one in ids[2:]] == ids[2:]
        with pytest.raises(AnalysisNotFound):
            analyses.get(session, ids[1])


def test_what_somebody_else_stored_meanwhile_stands(database: Database) -> None:
    given: dict[str, Any] = {"kind": "paired", "protocol": "p", "question": {}}
    with database.write() as session:
        analyses.keep(session, "k" * 64, **given, answer={"first": True})
        assert analyses.keep(session, "k" * 64, **given, answer={"first": False}).answer == {"first": True}
