"""The units behind a score of brains, from the fits through a real scoring process to who asks for them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from scoring.baselines import baseline_names
from scoring.benchmarks.base import benchmark_named
from scoring.column_table import ColumnTable
from scoring.datasets.demo_fmri import load
from scoring.datasets.download import DataStore
from scoring.errors import NumericalFailure
from scoring.evaluate import asked_under
from scoring.protocols import protocol_named
from scoring.recording import Recording
from scoring.responses import Responses
from scoring.table_parquet import to_parquet
from scoring.unit_table import UnitTable
from storage import score_tables
from storage.engine import Database
from tests.integration.test_storage_scores import FULL_SCORE, must_record, running
from tests.integration.test_worker import finished, submit
from tests.integration.test_worker import settings as settings  # the fixture
from tests.integration.test_worker import start as start  # the fixture
from worker.exchange import Progress, RunOrder
from worker.fitting import Fitter

BRAIN = (("demo-fmri", benchmark_named("demo-fmri").version),)
TABLE = UnitTable(
    part=("one", "one", "two"),
    unit=("p.1", "p.2", "p.1"),
    participant=("p", "p", "p"),
    region=("left", None, "left"),
    x=(1.5, None, 1.5),
    y=(2.0, None, 2.0),
    z=(-3.0, None, -3.0),
    r=(0.25, None, -0.5),
    n_folds=(4, 0, 3),
)


@pytest.fixture
def client(database: Database, database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    given = ApiSettings(data_dir=tmp_path / "data", database_url=database_url, data_mirror=None)
    with TestClient(create_app(given)) as connected:
        yield connected


def test_a_table_is_given_as_csv_and_parquet_as_it_was_stored(client: TestClient, database: Database) -> None:
    _, claim = running(database)
    score_id = must_record(database, claim, FULL_SCORE)
    with database.write() as session:
        score_tables.keep(session, score_id, score_tables.UNITS, to_parquet(TABLE))
    answer = client.get(f"/v1/scores/{score_id}/units")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [*rows[0]] == [*UnitTable.names()]
    assert [(row["unit"], row["r"], row["region"], row["n_folds"]) for row in rows] == [
        ("p.1", "0.25", "left", "4"),
        ("p.2", "", "", "0"),
        ("p.1", "-0.5", "left", "3"),
    ]
    found = parquet.read_table(io.BytesIO(client.get(f"/v1/scores/{score_id}/units?format=parquet").content))
    assert found.to_pydict() == {name: [*getattr(TABLE, name)] for name in UnitTable.names()}
    missing = client.get(f"/v1/scores/{score_id}/surprisals").json()
    assert (missing["status"], missing["code"]) == (404, "word_table_not_found")


def test_an_r_of_one_in_float32_is_one_and_no_more() -> None:
    assert replace(TABLE, r=(1 + 1.2e-7, None, -0.5)).n_counted == 1
    with pytest.raises(NumericalFailure, match="between -1 and 1"):
        replace(TABLE, r=(1.1, None, -0.5))


def test_a_table_that_cannot_be_made_or_left_leaves_the_score(tmp_path: Path) -> None:
    store = DataStore(cache=tmp_path / "cache")
    benchmark = benchmark_named("demo-fmri")
    experiment = asked_under(protocol_named("grouped"), benchmark.experiment(store))
    features = np.random.default_rng(0).standard_normal((len(experiment.stimuli), 3)).astype(np.float32)
    run = RunOrder(id="run_1", benchmark=benchmark.name, protocol="grouped", known_baselines=baseline_names(experiment))
    told: list[Progress] = []

    def full(_: RunOrder, table: ColumnTable) -> None:
        raise OSError(f"no room for {len(table)} units")

    answer = Fitter("org/m", on_table=full, tell=told.append).answer(
        (run, benchmark, experiment, Responses(layers={"block.0": features}))
    )
    assert answer.failure is None
    assert answer.score is not None
    warning = next(line.warning for line in told if line.warning)
    assert "the table behind the score on demo-fmri was not made" in warning


def test_scores_without_units_say_so(client: TestClient, database: Database) -> None:
    _, claim = running(database)
    problem = client.get(f"/v1/scores/{must_record(database, claim, FULL_SCORE)}/units").json()
    assert (problem["status"], problem["code"], problem["param"]) == (404, "unit_table_not_found", "score_id")
    assert client.get("/v1/scores/score_0/units").json()["code"] == "score_not_found"
    assert client.get("/v1/scores/score_0/folds").json()["code"] == "score_not_found"


def test_a_real_worker_leaves_units_that_agree_with_the_score(
    database: Database, client: TestClient, start: Any, tmp_path: Path
) -> None:
    job_id = submit(database, benchmarks=BRAIN)
    start()
    run = finished(database, job_id).runs[0]
    assert run.error is None
    score = client.get(f"/v1/scores/{run.score_id}").json()
    rows = list(csv.DictReader(io.StringIO(client.get(f"/v1/scores/{run.score_id}/units").text)))
    recording = load(DataStore(cache=tmp_path / "cache")).measured
    assert isinstance(recording, Recording)
    assert [row["unit"] for row in rows] == [
        recording.units.ids[place] for part in recording.parts for place in part.units
    ]
    assert sum(row["r"] != "" for row in rows) == score["n"]["valid_units"] * len(recording.parts)
    folds = client.get(f"/v1/scores/{run.score_id}/folds").json()["data"]
    by_part: dict[str, list[float]] = {}
    for fold in folds:
        by_part.setdefault(fold["part"], []).append(fold["raw"])
    assert [fold["layer"] for fold in folds] == score["layer"]["selected"]
    assert {part["name"]: part["raw"] for part in score["parts"]} == pytest.approx(
        {name: np.mean(raws) for name, raws in by_part.items()}
    )
    for part in score["parts"]:
        own = [float(row["r"]) for row in rows if row["part"] == part["name"] and row["r"]]
        assert np.median(own) == pytest.approx(part["raw"], abs=0.1), "medians of means and means of medians are near"
    text = client.get(f"/v1/scores/{run.score_id}/folds?format=csv").text
    assert len(text.splitlines()) == 1 + len(folds)
