"""Charts over HTTP: the specification of each kind, pictures of it, what is cached and what is refused."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from broca.reproduction.figures import figures
from scoring import SCORING_VERSION
from scoring.results import LayerScore
from storage import jobs, models, properties, runs, scores
from storage.engine import Database
from storage.jobs import NewJob
from storage.models import NewModel
from storage.properties import NewProperty, Origin
from tests.integration.test_storage_scores import PLAIN_SCORE, SHA

PUBLISHED = "published-2312.00575"
TUNED = {"family": ["t5", "llama"], "tuning": ["instruct"]}
CURVE = (0.1, None, 0.2, 0.15)


@pytest.fixture
def client(database: Database, database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    given = ApiSettings(data_dir=tmp_path / "data", database_url=database_url, data_mirror=None)
    with TestClient(create_app(given)) as connected:
        yield connected


@pytest.fixture(scope="module")
def published(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A service that is asked for published numbers only: they are the same on every database."""
    folder = tmp_path_factory.mktemp("published")
    url = f"sqlite:///{shutil.copy(sqlite_template, folder / 'broca.db')}"
    with TestClient(create_app(ApiSettings(data_dir=folder / "data", database_url=url, data_mirror=None))) as connected:
        yield connected


def record(
    database: Database,
    name: str,
    raw: float,
    *,
    base: str = "",
    protocol: str = "grouped",
    curve: Sequence[float | None] = (),
    benchmark: str = "pereira2018",
) -> str:
    """A score of a model; its id."""
    layers = tuple(
        LayerScore(
            name=f"block.{place}",
            depth=place / (len(curve) - 1),
            raw=one,
            reason="undefined" if one is None else None,
            parts=(),
        )
        for place, one in enumerate(curve)
    )
    changes: dict[str, Any] = {"benchmark": benchmark, "synthetic": benchmark.startswith("demo"), "draws": ()}
    score = replace(PLAIN_SCORE, subject=name, raw=raw, layers=layers, protocol=protocol, **changes)
    order = NewJob(
        model_id=name,
        requested_revision=None,
        benchmarks=((score.benchmark, 1),),
        protocol=protocol,
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
        found = scores.record(session, **held, score=score, revision=SHA, dtype="float32")
        assert found is not None
        return found


def analysed(client: TestClient, kind: str, **asked: Any) -> str:
    """The address of a published analysis."""
    body = {"kind": kind, "protocol": PUBLISHED, "filters": TUNED, **asked}
    answer = client.post("/v1/analyses", json=body)
    assert answer.status_code in (200, 201), answer.text
    return str(answer.headers["location"])


def spec_at(client: TestClient, place: str, **query: str) -> dict[str, Any]:
    answer = client.get(f"{place}/chart.vl.json", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def rows_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """All rows that a specification draws, in order."""
    return [row for rows in spec["datasets"].values() for row in rows]


def caption_of(spec: dict[str, Any]) -> str:
    return " ".join(spec["title"]["subtitle"])


def test_a_score_against_size_has_its_points_its_line_and_what_is_known_of_r(client: TestClient) -> None:
    place = analysed(client, "correlate", benchmarks=["average"])
    spec = spec_at(client, place)
    assert spec["$schema"].startswith("https://vega.github.io/schema/vega-lite/v6")
    points = {row["model"]: (row["x"], row["y"]) for row in rows_of(spec) if "model" in row}
    assert len(points) == 17
    assert points["flan-t5-xl"] == (3_000_000_000, 0.2)
    ends = sorted((row["x"], row["y"]) for row in rows_of(spec) if "model" not in row)
    assert [round(x) for x, _ in ends] == [77_000_000, 33_000_000_000]
    (test,) = client.get(place).json()["result"]["tests"]
    assert f"r = {test['whole']['r']:.2f}".replace("0.", ".") in caption_of(spec)
    for words in ("r = .95 [.85, .98]", "n = 17 from 8 bases", "arXiv:2312.00575v2", "95 % interval over bases"):
        assert words in caption_of(spec)


def test_a_picture_is_svg_with_its_letters_or_png(published: TestClient) -> None:
    place = analysed(published, "correlate", benchmarks=["average"])
    svg = published.get(f"{place}/chart.svg")
    assert svg.headers["content-type"] == "image/svg+xml"
    root = ET.fromstring(svg.content)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    letters = " ".join(root.itertext())
    for words in ("brain average against parameters", "n = 17 from 8 bases", "parameters (log scale)", "llama", "10B"):
        assert words in letters
    marks = [one for one in root.iter() if one.get("aria-roledescription") == "point"]
    assert len(marks) == 17
    assert "http" not in svg.text.replace("http://www.w3.org/", "")
    png = published.get(f"{place}/chart.png")
    assert png.headers["content-type"] == "image/png"
    assert png.content[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(png.content) > 10_000


def test_themes_differ_in_their_colours_only(published: TestClient) -> None:
    place = analysed(published, "correlate", benchmarks=["average"])
    light, dark = spec_at(published, place), spec_at(published, place, theme="dark")
    assert light["background"] == "#ffffff"
    assert dark["background"] != light["background"]
    assert (light["title"], rows_of(light)) == (dark["title"], rows_of(dark))


def test_several_tests_are_bars_with_intervals_and_what_is_left_with_size_held(published: TestClient) -> None:
    place = analysed(published, "correlate", benchmarks=["average"], properties=["log10_parameters", "mmlu", "bbh"])
    rows = rows_of(spec_at(published, place))
    bars = {row["property"]: row for row in rows if "low" in row}
    assert set(bars) == {"parameters (log10)", "MMLU", "BBH"}
    assert bars["MMLU"]["low"] < bars["MMLU"]["r"] < bars["MMLU"]["high"]
    held = {(row["property"], row["held"]): row["r"] for row in rows if "held" in row}
    assert held["MMLU", "parameters (log10) held"] == pytest.approx(-0.159, abs=0.002)
    only = rows_of(spec_at(published, place, form="scatter", property="bbh"))
    assert {row["model"] for row in only if "model" in row} == {
        row["model"] for row in rows_of(spec_at(published, place, form="scatter", property="mmlu")) if "model" in row
    }


def test_pairs_of_an_analysis_are_slopes_squares_or_bars(published: TestClient) -> None:
    place = analysed(published, "paired", benchmarks=["pereira2018", "average"])
    slopes = spec_at(published, place)
    assert [panel["title"]["text"] for panel in slopes["concat"]] == [
        "pereira2018: 16 of 17 up",
        "brain average: 13 of 17 up",
    ]
    square = spec_at(published, place, form="square", benchmark="average")
    assert len([row for row in rows_of(square) if "tuned" in row]) == 17
    assert "13 of 17 pairs up (p = .0035); 6 of 8 bases up (p = .078)" in caption_of(square)
    bars = {row["name"]: row["percent"] for row in rows_of(spec_at(published, place, form="bars")) if "name" in row}
    assert bars == pytest.approx({"pereira2018": 6.99, "brain average": 5.98}, abs=0.05)


def test_measured_pairs_are_slopes(client: TestClient, database: Database) -> None:
    record(database, "org/base", 0.2)
    record(database, "org/tuned", 0.25, base="org/base")
    spec = spec_at(client, "/v1/pairs")
    assert [(row["tuned"], row["model"], row["score"]) for row in rows_of(spec)] == [
        ("org/tuned", "base", 0.2),
        ("org/tuned", "tuned", 0.25),
    ]
    assert "1 tuned model of 1 base" in caption_of(spec)
    assert "protocol grouped" in caption_of(spec)
    assert ET.fromstring(client.get("/v1/pairs/chart.svg").content) is not None


def test_what_was_measured_here_stands_beside_what_a_paper_prints_of_the_same_model(
    client: TestClient, database: Database
) -> None:
    record(database, "google/flan-t5-xl", 0.22)
    query = {"benchmark": "pereira2018", "protocols": "grouped,published-2312.00575"}
    answer = client.get("/v1/leaderboard/chart.vl.json", params=query)
    assert answer.status_code == 200, answer.text
    shown = {(row["model"], row["protocol"], row["raw"]) for row in rows_of(answer.json())}
    assert shown == {
        ("google/flan-t5-xl", "grouped", 0.22),
        ("google/flan-t5-xl", "published-2312.00575", 0.314),
    }
    assert "published under published-2312.00575" in caption_of(answer.json())


def test_layers_of_a_score_are_a_curve_with_its_ceiling(client: TestClient, database: Database) -> None:
    score_id = record(database, "org/base", 0.2, curve=CURVE)
    spec = spec_at(client, f"/v1/scores/{score_id}")
    curve = [(row["name"], row["raw"]) for row in rows_of(spec) if "name" in row and "folds" not in row]
    assert curve == [("block.0", 0.1), ("block.2", 0.2), ("block.3", 0.15)]
    assert "1 layer is undefined" in caption_of(spec)
    levels = {row["what"]: row["raw"] for row in rows_of(spec) if "end" in row}
    ceiling = client.get(f"/v1/scores/{score_id}").json()["ceiling"]["value"]
    assert ceiling is None or ceiling in levels.values()


def test_charts_of_planted_data_say_so(client: TestClient, database: Database) -> None:
    record(database, "org/base", 0.2, curve=CURVE, benchmark="demo-fmri")
    tuned = record(database, "org/tuned", 0.25, base="org/base", curve=CURVE, benchmark="demo-fmri")
    assert caption_of(spec_at(client, f"/v1/scores/{tuned}")).startswith("SYNTHETIC")
    assert caption_of(spec_at(client, "/v1/pairs", benchmarks="demo-fmri")).startswith("SYNTHETIC")


def test_one_benchmark_stands_under_two_protocols(client: TestClient, database: Database) -> None:
    record(database, "org/both", 0.2)
    record(database, "org/both", 0.4, protocol="brain-score")
    record(database, "org/one", 0.3)
    asked = {"benchmark": "pereira2018", "protocols": "grouped,brain-score"}
    spec = spec_at(client, "/v1/leaderboard", **asked)
    assert [(row["model"], row["protocol"], row["raw"]) for row in rows_of(spec)] == [
        ("org/both", "grouped", 0.2),
        ("org/both", "brain-score", 0.4),
    ]
    assert "n = 1 model." in caption_of(spec)


def test_an_unchanged_chart_is_neither_sent_nor_drawn_again(published: TestClient) -> None:
    place = analysed(published, "correlate", benchmarks=["average"])
    first = published.get(f"{place}/chart.vl.json")
    again = published.get(f"{place}/chart.vl.json", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert published.get(f"{place}/chart.vl.json?theme=dark").headers["etag"] != first.headers["etag"]


REFUSED = [
    ("/v1/pairs/chart.svg", 422, "chart_unavailable"),
    ("/v1/pairs/chart.svg?protocol=nobody", 422, "protocol_unsupported"),
    ("/v1/pairs/chart.gif", 422, "request_invalid"),
    ("/v1/pairs/chart.svg?theme=sepia", 422, "request_invalid"),
    ("/v1/scores/score_0/chart.svg", 404, "score_not_found"),
    ("/v1/analyses/analysis_0/chart.svg", 404, "analysis_not_found"),
    ("/v1/leaderboard/chart.svg?benchmark=pereira2018&protocols=grouped", 422, "request_invalid"),
    ("/v1/leaderboard/chart.svg?benchmark=pereira2018&protocols=grouped,brain-score", 422, "chart_unavailable"),
    ("/v1/leaderboard/chart.svg?benchmark=nothing&protocols=grouped,brain-score", 422, "benchmark_unknown"),
]


@pytest.mark.parametrize(("address", "status", "code"), REFUSED)
def test_what_cannot_be_drawn_is_a_problem_with_its_reason(
    published: TestClient, address: str, status: int, code: str
) -> None:
    problem = published.get(address)
    assert (problem.status_code, problem.json()["code"]) == (status, code), problem.text
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["detail"]


def test_a_score_without_a_curve_and_an_analysis_without_a_chart_are_told_so(
    client: TestClient, database: Database
) -> None:
    score_id = record(database, "org/plain", 0.2)
    problem = client.get(f"/v1/scores/{score_id}/chart.svg").json()
    assert (problem["code"], problem["detail"]) == ("chart_unavailable", "the score has 0 defined layers")
    place = analysed(client, "mixed", filters={"family": ["t5", "llama"]})
    assert client.get(f"{place}/chart.svg").json()["detail"] == "there is no chart of mixed"
    place = analysed(client, "correlate", benchmarks=["average"])
    problem = client.get(f"{place}/chart.svg?benchmark=pereira2018").json()
    assert (problem["code"], problem["detail"]) == ("chart_unavailable", "the analysis has no such test")
    problem = client.get(f"{place}/chart.svg?form=slopes").json()
    assert problem["hint"] == "its forms are scatter, bars"


def test_a_dead_process_that_draws_is_replaced(published: TestClient) -> None:
    place = analysed(published, "correlate", benchmarks=["average"])
    assert spec_at(published, place)
    artist = published.app.state.artist  # type: ignore[attr-defined]
    artist._child.kill()
    artist._child.wait()
    assert spec_at(published, place, theme="dark")
    assert json.dumps(spec_at(published, place))


def test_all_charts_that_two_browsers_ask_for_at_once_are_drawn(published: TestClient) -> None:
    places = [analysed(published, "correlate", benchmarks=[name]) for name in ("average", "pereira2018")]
    asked = [
        f"{place}/chart.{form}?theme={theme}"
        for place in places
        for form in ("svg", "png", "vl.json")
        for theme in ("light", "dark")
    ]
    with ThreadPoolExecutor(len(asked)) as browsers:
        answers = list(browsers.map(published.get, asked))
    assert [answer.status_code for answer in answers] == [200] * 12


def test_the_report_on_the_paper_is_over_what_the_service_answers(published: TestClient) -> None:
    for figure in figures():
        question = dict(figure.analysis["question"])
        chosen = question.pop("filters")
        names = {"families": "family", "tunings": "tuning", "ids": "models"}
        filters = {names[name]: values for name, values in chosen.items() if name in names and values}
        answer = published.post("/v1/analyses", json={**question, "filters": filters})
        assert answer.status_code in (200, 201), answer.text
        found = answer.json()
        for field in ("kind", "protocol", "provenance", "source", "n_models", "result", "table"):
            assert found[field] == json.loads(json.dumps(figure.analysis[field])), (figure.name, field)
