"""Two columns of models against one another: the points, the coefficient and the line, as JSON, CSV and charts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from storage import properties
from storage.engine import Database
from storage.properties import NewProperty, Origin
from tests.integration.test_api_charts import record

PUBLISHED = {"protocol": "published-2312.00575"}


@pytest.fixture
def client(database: Database, database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    given = ApiSettings(data_dir=tmp_path / "data", database_url=database_url, data_mirror=None)
    with TestClient(create_app(given)) as connected:
        yield connected


def asked(client: TestClient, **query: str) -> dict[str, Any]:
    answer = client.get("/v1/scatter", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def put_planted(database: Database, xs: list[float], ys: list[float]) -> None:
    for number, (x, y) in enumerate(zip(xs, ys, strict=True)):
        record(database, f"org/m{number}", y)
        with database.write() as session:
            said = [NewProperty(model_id=f"org/m{number}", name="mmlu", value=x, source="planted")]
            properties.put(session, said, origin=Origin.HAND)


def test_a_planted_line_is_recovered_and_models_without_a_value_are_counted(
    client: TestClient, database: Database
) -> None:
    xs = [0.1, 0.2, 0.3, 0.45, 0.6]
    ys = [0.31, 0.34, 0.41, 0.44, 0.53]
    put_planted(database, xs, ys)
    record(database, "org/unknown", 0.9)
    found = asked(client, x="mmlu", y="pereira2018")
    assert sorted((one["model"], one["x"], one["y"]) for one in found["data"]) == [
        (f"org/m{number}", x, y) for number, (x, y) in enumerate(zip(xs, ys, strict=True))
    ]
    assert (found["n_models"], found["n_missing"], found["reason"]) == (6, 1, None)
    expected = stats.linregress(xs, ys)
    assert found["coefficient"]["r"] == pytest.approx(expected.rvalue)
    assert found["coefficient"]["p"] == pytest.approx(expected.pvalue)
    assert found["line"] == pytest.approx({"slope": expected.slope, "intercept": expected.intercept})
    assert {"average", "pereira2018", "mmlu"} <= set(found["columns"])
    rows = list(csv.DictReader(io.StringIO(client.get("/v1/scatter?x=mmlu&y=pereira2018&format=csv").text)))
    assert [(row["model"], float(row["mmlu"]), float(row["pereira2018"])) for row in rows] == [
        (one["model"], one["x"], one["y"]) for one in found["data"]
    ]


def test_too_few_models_are_points_without_a_coefficient_and_say_so(client: TestClient, database: Database) -> None:
    put_planted(database, [0.1, 0.2, 0.3], [0.3, 0.4, 0.5])
    found = asked(client, x="mmlu", y="average")
    assert len(found["data"]) == 3
    assert found["coefficient"] is None
    assert "3 models" in found["reason"]
    assert found["line"]["slope"] == pytest.approx(1.0)
    chart = client.get("/v1/scatter/chart.vl.json?x=mmlu&y=average").json()
    assert any("No coefficient" in line for line in chart["title"]["subtitle"])


def test_a_scatter_says_what_the_analysis_of_the_same_numbers_says(client: TestClient) -> None:
    found = asked(client, **PUBLISHED, x="mmlu", y="average", family="t5,llama", tuning="instruct")
    body = {"kind": "correlate", **PUBLISHED, "benchmarks": ["average"], "properties": ["mmlu"]}
    filters = {"family": ["t5", "llama"], "tuning": ["instruct"]}
    (test,) = client.post("/v1/analyses", json={**body, "filters": filters}).json()["result"]["tests"]
    assert found["coefficient"] == test["whole"]
    assert found["coefficient"]["n"] == len(found["data"]) == 17


@pytest.mark.parametrize("query", [{"x": "log10_parameters", "y": "average"}, {"x": "mmlu", "y": "log10_width"}])
def test_the_chart_has_a_point_for_each_model_and_names_that_cover_nothing(
    client: TestClient, query: dict[str, str]
) -> None:
    found = asked(client, **PUBLISHED, **query)
    chart = client.get("/v1/scatter/chart.vl.json", params={**PUBLISHED, **query}).json()
    points, names = [], []
    for rows in chart["datasets"].values() if "datasets" in chart else _inline(chart):
        points += [row for row in rows if "model" in row]
        names += [row["name"] for row in rows if "name" in row]
    assert {row["model"] for row in points} == {one["model"] for one in found["data"]}
    assert set(names) <= {one["model"] for one in found["data"]}
    n_unnamed = len(points) - len(names)
    said = " ".join(chart["title"]["subtitle"])
    assert f"n = {len(points)}" in said
    assert (f"{n_unnamed} name" in said) == (n_unnamed > 0)
    svg = client.get("/v1/scatter/chart.svg", params={**PUBLISHED, **query, "theme": "dark"})
    assert svg.headers["content-type"].startswith("image/svg+xml")
    again = client.get(
        "/v1/scatter/chart.svg",
        params={**PUBLISHED, **query, "theme": "dark"},
        headers={"If-None-Match": svg.headers["etag"]},
    )
    assert again.status_code == 304


def _inline(chart: dict[str, Any]) -> list[list[dict[str, Any]]]:
    return [layer["data"]["values"] for layer in chart["layer"]]


def test_a_synthetic_benchmark_counts_where_it_is_named_and_the_chart_says_so(
    client: TestClient, database: Database
) -> None:
    for number in range(4):
        record(database, f"m{number}", 0.1 * number + 0.01 * number**2, benchmark="demo-fmri")
        record(database, f"m{number}", 0.2 * number, benchmark="pereira2018")
    assert "demo-fmri" not in asked(client)["columns"]
    found = asked(client, x="demo-fmri", y="pereira2018")
    assert len(found["data"]) == 4
    assert {"average", "pereira2018"} <= set(found["columns"])
    beside = asked(client, x="demo-fmri", y="average")
    averages = sorted(point["y"] for point in beside["data"])
    assert averages == pytest.approx([0.0, 0.2, 0.4, 0.6]), "of what boards show"
    chart = client.get("/v1/scatter/chart.vl.json?x=demo-fmri&y=pereira2018").json()
    assert chart["title"]["subtitle"][0].startswith("SYNTHETIC")


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ({"x": "mmul"}, "property_unknown", "x"),
        ({"y": "futrel2018"}, "property_unknown", "y"),
        ({"protocol": "groped"}, "protocol_unsupported", "protocol"),
        ({"params_min": "0"}, "request_invalid", "params_min"),
        ({"colour": "red"}, "request_invalid", "colour"),
    ],
)
def test_what_cannot_be_drawn_is_refused_at_its_parameter(
    client: TestClient, query: dict[str, str], code: str, param: str
) -> None:
    for path in ("/v1/scatter", "/v1/scatter/chart.svg"):
        answer = client.get(path, params={**PUBLISHED, **query})
        assert answer.status_code == 422
        assert (answer.json()["code"], answer.json()["param"]) == (code, param)
    empty = client.get("/v1/scatter/chart.svg", params={**PUBLISHED, "family": "no-such-family"})
    assert (empty.status_code, empty.json()["code"]) == (422, "chart_unavailable")
    assert json.loads(client.get("/v1/scatter", params={**PUBLISHED, "family": "none"}).text)["data"] == []


def test_points_that_crowd_each_other_keep_the_names_that_have_room() -> None:
    from charts.labels import Box, placed

    rng = np.random.default_rng(0)
    points = [(float(x), float(y)) for x, y in rng.uniform(50, 150, size=(60, 2))]
    frame = Box(left=0, top=0, right=400, bottom=300)
    found = placed(points, [f"model-{n}" for n in range(60)], frame, points)
    assert 0 < len(found) < 60
    boxes = [Box(left=left, top=y - 5, right=left + 30, bottom=y + 5) for left, y in found.values()]
    assert all(box.lies_in(frame) for box in boxes)
    assert not any(one.meets(other) for n, one in enumerate(boxes) for other in boxes[:n])
    assert not any(box.left < x < box.right and box.top < y < box.bottom for box in boxes for x, y in points)
